#include "tests/lib/hub_fixture.h"

#include "hub/policy_change.h"
#include "hub/row_cache.h"
#include "hub/store.h"
#include "tests/lib/must.h"
#include "tests/lib/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static uint64_t mix(uint64_t *s)
{
    uint64_t z = *s += 0x9e3779b97f4a7c15u; /* splitmix64 */
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static int64_t fixture_now(void *ctx)
{
    return ((struct hub_fixture *)ctx)->clock;
}

static int64_t fixture_steady(void *ctx)
{
    return ((struct hub_fixture *)ctx)->steady;
}

void hub_fixture_steady(struct hub_fixture *f)
{
    f->env.steady_ms = fixture_steady;
    f->h.clock_known = false;
}

static void fixture_random(void *ctx, void *out, size_t n)
{
    struct hub_fixture *f = ctx;
    for (size_t i = 0; i < n; i++) ((uint8_t *)out)[i] = (uint8_t)mix(&f->rng);
}

uint64_t hub_fixture_random(struct hub_fixture *f, uint64_t below)
{
    return mix(&f->rng) % below;
}

struct hub_fixture *hub_fixture_new(uint64_t seed)
{
    const char *tmp = getenv("TMPDIR");
    struct hub_fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->rng = seed;
    f->clock = 1700000000000;
    (void)snprintf(f->dir, sizeof f->dir, "%s/spoke-hub-XXXXXX", tmp == NULL ? "/tmp" : tmp);
    assert_non_null(mkdtemp(f->dir));
    (void)snprintf(f->path, sizeof f->path, "%.250s/hub.db", f->dir);
    f->env = *env_posix();
    f->env.ctx = f;
    f->env.now_ms = fixture_now;
    f->env.steady_ms = NULL;
    f->env.random = fixture_random;
    MUST(secret_start(&why));
    MUST(secret_new(&f->key, 32, &why));
    memset(f->key.p, 7, 32);
    test_store_url(f->store, sizeof f->store);
    if (!test_store_is_postgres()) (void)snprintf(f->store, sizeof f->store, "%s", f->path);
    MUST(store_make(&f->env, f->store, &f->key, &why));
    f->h.env = &f->env;
    f->h.epoch = 1;
    MUST(store_open(&f->h.db, &f->env, f->store, &f->key, &why));
    MUST(db_set_schema(f->h.db, rules_schema_newest(), &why));
    MUST(sight_new(&f->h.sight, &why));
    MUST(policy_change_first(&f->h, &why));
    MUST(identity_generate(&f->h.id, &why));
    assert_non_null(f->h.rows = row_cache_new());
    return f;
}

void hub_fixture_kill(struct hub_fixture *f)
{
    db_close(f->h.db);
    sight_free(f->h.sight);
    f->h.sight = NULL;
    row_cache_forget(f->h.rows);
    f->h.policy_seen = -1;
    f->h.policy_phase = POLICY_STANDS;
    MUST(store_open(&f->h.db, &f->env, f->store, &f->key, &why));
    MUST(db_set_schema(f->h.db, rules_schema_newest(), &why));
    MUST(sight_new(&f->h.sight, &why));
}

void hub_fixture_free(struct hub_fixture *f)
{
    char wal[400];
    db_close(f->h.db);
    sight_free(f->h.sight);
    row_cache_free(f->h.rows);
    free(f->h.tails);
    identity_release(&f->h.id);
    secret_release(&f->key);
    (void)snprintf(wal, sizeof wal, "%s-wal", f->path);
    (void)unlink(f->path);
    (void)unlink(wal);
    (void)rmdir(f->dir);
    free(f);
}

void hub_fixture_begin(struct hub_fixture *f)
{
    MUST(db_begin(f->h.db, &why));
    f->h.now_ms = f->clock;
    f->h.begun = f->h.version;
    MUST(sight_sweep(&f->h, &why));
}

void hub_fixture_commit(struct hub_fixture *f)
{
    MUST(step_time_note(&f->h, &why));
    MUST(db_commit(f->h.db, &why));
}

void hub_fixture_step(struct hub_fixture *f)
{
    hub_fixture_begin(f);
    MUST(sight_step(&f->h, &why));
}

void hub_fixture_settle(struct hub_fixture *f)
{
    MUST(sight_settle(&f->h, &why));
    hub_fixture_commit(f);
    MUST(hub_verify(&f->h, &why));
}

int64_t hub_fixture_number(struct hub_fixture *f, const char *sql)
{
    struct stmt *s;
    bool row = false;
    MUST(db_prepare(f->h.db, sql, &s, &why));
    MUST(db_step(s, &row, &why));
    int64_t n = row ? db_int(s, 0) : 0;
    db_done(s);
    return n;
}

void hub_fixture_sql(struct hub_fixture *f, const char *sql)
{
    MUST(db_exec(f->h.db, sql, &why));
}

/* ------------------------------------------------------------------------------------------------------------ rows */

struct id hub_fixture_id(struct hub_fixture *f)
{
    struct id id;
    fixture_random(f, id.b, sizeof id.b);
    return id;
}

const char *hub_fixture_hex(struct id id, char out[34])
{
    out[0] = '@';
    hex_encode(out + 1, id.b, 16);
    return out;
}

/* `store` keeps an id's bytes. */
static struct value value_of(const char *text, uint8_t store[16])
{
    if (text == NULL) return value_null();
    if (text[0] == '#') return value_int(atoll(text + 1));
    if (text[0] != '@') return value_str(text);
    assert_true(hex_decode(store, 16, text + 1, 32));
    return value_id(store);
}

static size_t column_of(const struct table_rule *t, const char *name)
{
    int at = rules_column_index(t, bytes_of_str(name));
    if (at < 0) fail_msg("no column %s in %s", name, t->name);
    return at < 0 ? 0 : (size_t)at; /* the compiler does not know that fail_msg never returns */
}

static const struct table_rule *table_of(const char *name)
{
    int at = rules_table_index(bytes_of_str(name));
    if (at < 0) fail_msg("no table %s", name);
    return rules_table((size_t)at);
}

struct id hub_fixture_row_by(struct hub_fixture *f, const struct actor *by, struct id id, const char *table,
                             struct id case_id, const char *agency, const char *const *pairs)
{
    static const uint8_t zeros[16];
    uint8_t store[RULES_MAX_COLUMNS][16];
    struct row r = {.table = table_of(table)};
    for (size_t i = 0; i < r.table->n_columns; i++) r.v[i] = value_null();
    r.v[0] = value_id(id.b);
    if (r.table->kind == TABLE_CASE) {
        if (memcmp(case_id.b, zeros, 16) == 0) case_id = id;
        r.v[1] = value_id(case_id.b);
        r.v[2] = value_str(agency);
    }
    for (size_t i = 0; pairs[i] != NULL; i += 2) {
        size_t at = column_of(r.table, pairs[i]);
        r.v[at] = value_of(pairs[i + 1], store[at]);
    }
    MUST(sight_insert(&f->h, &r, by, &why));
    return id;
}

struct id hub_fixture_row(struct hub_fixture *f, const char *table, struct id case_id, const char *agency, ...)
{
    const char *pairs[2 * RULES_MAX_COLUMNS + 1] = {NULL};
    size_t n = 0;
    va_list args;
    va_start(args, agency);
    while (n < 2 * RULES_MAX_COLUMNS && (pairs[n] = va_arg(args, const char *)) != NULL) {
        pairs[n + 1] = va_arg(args, const char *);
        n += 2;
    }
    va_end(args);
    pairs[n] = NULL;
    return hub_fixture_row_by(f, &f->hub, hub_fixture_id(f), table, case_id, agency, pairs);
}

void hub_fixture_set(struct hub_fixture *f, const char *table, struct id id, const char *column, const char *value)
{
    const struct table_rule *t = table_of(table);
    uint8_t store[16];
    MUST(sight_set(&f->h, t, id.b, column_of(t, column), value_of(value, store), &f->hub, &why));
}

void hub_fixture_agency(struct hub_fixture *f, const char *code, const char *kind)
{
    (void)hub_fixture_row(f, "agency", (struct id){{0}}, "", "code", code, "name", code, "kind", kind, NULL);
}

void hub_fixture_site(struct hub_fixture *f, const char *code, const char *agency, const char *kind, const char *area)
{
    (void)hub_fixture_row(f, "site", (struct id){{0}}, "", "code", code, "agency", agency, "kind", kind, NULL);
    if (area != NULL) (void)hub_fixture_row(f, "coverage", (struct id){{0}}, "", "site", code, "area", area, NULL);
}

bool hub_fixture_sees(struct hub_fixture *f, const char *site, const char *table, struct id id)
{
    bool mask = false, view = false;
    MUST(hub_sees(&f->h, site, table, id.b, &mask, &view, &why));
    if (mask != view) fail_msg("%s sees %s: mask %d, view %d", site, table, mask, view);
    return mask;
}

void hub_fixture_town(struct hub_fixture *f)
{
    hub_fixture_step(f);
    hub_fixture_agency(f, "council", "social_care");
    hub_fixture_agency(f, "health", "health");
    hub_fixture_agency(f, "police", "police");
    hub_fixture_agency(f, "school", "education");
    hub_fixture_site(f, "mash", "council", "mash", "*");
    hub_fixture_site(f, "office", "council", "partner", "*");
    hub_fixture_site(f, "gp", "health", "partner", "north");
    hub_fixture_site(f, "ward", "health", "partner", "north");
    hub_fixture_site(f, "far", "health", "partner", "south");
    hub_fixture_site(f, "station", "police", "partner", "*");
    hub_fixture_site(f, "class", "school", "partner", "north");
    hub_fixture_site(f, "night", "council", "out_of_hours", "*");
    hub_fixture_settle(f);
}

struct id hub_fixture_case(struct hub_fixture *f)
{
    return hub_fixture_row(f, "case_file", (struct id){{0}}, "council", "area", "north", "status", "new", "lead_agency",
                           "council", "subject_kind", "child", NULL);
}

struct id hub_fixture_share(struct hub_fixture *f, struct id case_id, const char *member, const char *access)
{
    return hub_fixture_row(f, "participant", case_id, "council", "member", member, "site", "", "access", access, NULL);
}
