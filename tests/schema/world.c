#include "tests/schema/world.h"

#include "crypto/secret.h"
#include "sync/bundle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MUST(call)                                                                                                     \
    do {                                                                                                               \
        struct why why_ = {0}, *why = &why_;                                                                           \
        enum err e_ = (call);                                                                                          \
        if (e_ != ERR_OK) fail_msg("%s: %s: %s %s", #call, err_word(e_), why->text, why->next);                        \
    } while (0)

static struct bytes passphrase(void)
{
    return bytes_of_str("a passphrase for the tests of versions");
}

uint64_t world_random(struct world *w) /* splitmix64 (Steele, Lea, Flood 2014) */
{
    uint64_t z = (w->random += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* -------------------------------------------------------------------------------------------------- programs */

static struct hub *hub_of(struct world *w)
{
    versions_speak(w->hub_speaks);
    return w->hub;
}

static struct node *node_of(struct world *w, size_t who)
{
    versions_speak(w->nodes[who].speaks);
    return w->nodes[who].node;
}

void world_update_hub(struct world *w, uint64_t speaks)
{
    hub_close(hub_of(w));
    w->hub_speaks = speaks;
    versions_speak(speaks);
    MUST(hub_open(&w->hub, env_posix(), w->hub_home, passphrase(), why));
    assert_int_equal(db_schema(hub_db(w->hub)), speaks);
}

void world_update_node(struct world *w, size_t who, uint64_t speaks)
{
    struct world_node *n = &w->nodes[who];
    node_close(node_of(w, who));
    n->speaks = speaks;
    versions_speak(speaks);
    MUST(node_open(&n->node, env_posix(), n->home, passphrase(), why));
}

uint64_t world_schema(struct world *w, size_t who)
{
    return db_schema(node_db(node_of(w, who)));
}

uint64_t world_unsent(struct world *w, size_t who)
{
    struct node_info info;
    MUST(node_get_info(node_of(w, who), &info, why));
    return info.unsent;
}

/* ----------------------------------------------------------------------------------------------------- making it */

static void make_people(struct world *w)
{
    static const char *const kinds[] = {"social_care", "health", "police"};
    static const char *const areas[] = {"north"};
    uint8_t id[16];
    for (size_t i = 0; i < WORLD_NODES; i++) {
        const struct world_node *n = &w->nodes[i];
        struct hub_site s = {n->site, n->agency, n->site, i == 0 ? "mash" : "partner", NULL, areas, 1};
        MUST(hub_add_agency(hub_of(w), n->agency, n->agency, kinds[i], why));
        MUST(hub_add_site(hub_of(w), &s, why));
        MUST(hub_add_practitioner(hub_of(w), n->site, n->user, NULL, id, why));
        if (i == 0) MUST(hub_add_duty(hub_of(w), id, "north", "manager", why));
    }
}

void world_new(struct world *w, uint64_t seed, uint64_t hub_speaks)
{
    static const char *const names[WORLD_NODES][3] = {
        {"a-mash", "a", "Ann"}, {"b-site", "b", "Bob"}, {"c-site", "c", "Cid"}};
    *w = (struct world){.random = seed, .hub_speaks = hub_speaks};
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(w->dir, sizeof w->dir, "%s/spoke-versions-XXXXXX", tmp != NULL && strlen(tmp) < 200 ? tmp : "/tmp");
    assert_non_null(mkdtemp(w->dir));
    MUST(secret_start(why));
    MUST(path_join(w->hub_home, sizeof w->hub_home, w->dir, "hub", why));
    for (size_t i = 0; i < WORLD_NODES; i++) {
        w->nodes[i] = (struct world_node){.site = names[i][0], .agency = names[i][1], .user = names[i][2]};
        MUST(path_join(w->nodes[i].home, sizeof w->nodes[i].home, w->dir, names[i][1], why));
    }
    versions_speak(hub_speaks);
    MUST(hub_init(env_posix(), w->hub_home, "Versions", passphrase(), why));
    MUST(hub_open(&w->hub, env_posix(), w->hub_home, passphrase(), why));
    make_people(w);
}

void world_free(struct world *w)
{
    char command[300];
    for (size_t i = 0; i < WORLD_NODES; i++)
        if (w->nodes[i].node != NULL) node_close(node_of(w, i));
    hub_close(hub_of(w));
    free(w->cells);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", w->dir);
    assert_int_equal(system(command), 0);
}

void world_enrol(struct world *w, size_t who, uint64_t speaks)
{
    struct world_node *n = &w->nodes[who];
    struct buf code, request, answer;
    struct invitation invitation;
    uint8_t keys[PUBLIC_BYTES];
    buf_init(&code, 4096);
    buf_init(&request, 1u << 20);
    buf_init(&answer, 1u << 20);
    identity_to_bytes(hub_identity(w->hub), keys);
    n->speaks = speaks;
    MUST(hub_invite(hub_of(w), n->site, "http://127.0.0.1:1", 3600000, &code, why));
    MUST(invitation_get(buf_bytes(&code), &invitation, why));
    versions_speak(speaks);
    MUST(node_enrol_begin(env_posix(), n->home, passphrase(), &invitation, bytes_of(keys, sizeof keys), n->user,
                          &request, why));
    MUST(hub_enrol(hub_of(w), buf_bytes(&request), &answer, why));
    versions_speak(speaks);
    MUST(node_enrol_finish(env_posix(), n->home, passphrase(), buf_bytes(&answer), why));
    MUST(node_open(&n->node, env_posix(), n->home, passphrase(), why));
    buf_release(&code);
    buf_release(&request);
    buf_release(&answer);
}

/* -------------------------------------------------------------------------------------------------------- values */

static const struct table_rule *table(const char *name)
{
    return rules_table((size_t)rules_table_index(bytes_of_str(name)));
}

static struct value value_of(const struct world_cell *c, char text[32])
{
    enum column_type type = rules_table((size_t)c->table)->columns[c->column].type;
    if (type == COL_INT) return value_int(c->number);
    if (type == COL_REAL) return (struct value){.kind = VALUE_REAL, .r = (double)c->number / 7};
    if (type == COL_WORD) return value_str(c->number % 2 == 0 ? "low" : "high");
    (void)snprintf(text, 32, "value %lld", (long long)c->number);
    return value_str(text);
}

static struct world_cell *find_cell(struct world *w, const struct world_cell *like)
{
    for (size_t i = 0; i < w->n_cells; i++) {
        struct world_cell *c = &w->cells[i];
        if (c->table == like->table && c->column == like->column && memcmp(c->id, like->id, 16) == 0) return c;
    }
    return NULL;
}

static void keep_cell(struct world *w, const struct world_cell *c)
{
    if (w->n_cells == w->cap) {
        w->cap = w->cap == 0 ? 64 : w->cap * 2;
        w->cells = reallocarray(w->cells, w->cap, sizeof *w->cells);
        assert_non_null(w->cells);
    }
    w->cells[w->n_cells++] = *c;
}

/* Save one value, unless the place has one or is another's to write. */
static void write_cell(struct world *w, size_t who, const char *name, const char *column, const uint8_t id[16])
{
    struct db *db = node_db(node_of(w, who));
    const struct table_rule *t = table(name);
    int at = rules_column_index(t, bytes_of_str(column));
    char text[32];
    if (at < 0) return; /* its program has never heard of it */
    struct world_cell c = {.table = rules_table_index(bytes_of_str(name)), .column = (size_t)at};
    memcpy(c.id, id, 16);
    if (find_cell(w, &c) != NULL) return;
    c.number = ++w->next_number;
    if ((size_t)at >= rules_columns_at(t, db_schema(db))) {
        struct why refusal = {0};
        assert_int_equal(db_row_set(db, t, id, c.column, value_of(&c, text), &refusal), ERR_DENIED);
        assert_non_null(strstr(refusal.text, "The MASH server does not know this yet"));
        return;
    }
    MUST(db_row_set(db, t, id, c.column, value_of(&c, text), why));
    keep_cell(w, &c);
}

static void put(struct row *r, const char *column, struct value v)
{
    r->v[rules_column_index(r->table, bytes_of_str(column))] = v;
}

static void row_new(struct world *w, size_t who, struct row *r, const char *name, const uint8_t case_id[16],
                    uint8_t id[16])
{
    *r = (struct row){.table = table(name)};
    for (size_t i = 0; i < r->table->n_columns; i++) r->v[i] = value_null();
    env_new_id(env_posix(), id);
    r->v[0] = value_id(id);
    r->v[1] = value_id(case_id);
    r->v[2] = value_str(w->nodes[who].agency);
}

static void save(struct world *w, size_t who, const struct row *r)
{
    MUST(db_row_put(node_db(node_of(w, who)), r, why));
}

static void participant(struct world *w, const uint8_t case_id[16], const char *member, const char *site)
{
    struct row r;
    uint8_t id[16];
    row_new(w, 0, &r, "participant", case_id, id);
    put(&r, "member", value_str(member));
    put(&r, "site", value_str(site));
    put(&r, "access", value_str("contribute"));
    save(w, 0, &r);
}

void world_cases(struct world *w)
{
    uint64_t seq;
    for (int i = 0; i < 2; i++) {
        struct row r;
        uint8_t id[16];
        MUST(node_edit_begin(node_of(w, 0), why));
        row_new(w, 0, &r, "case_file", (const uint8_t[16]){0}, id);
        r.v[1] = value_id(id);
        put(&r, "area", value_str("north"));
        put(&r, "status", value_str("new"));
        put(&r, "lead_agency", value_str("a"));
        put(&r, "restricted", value_int(0));
        save(w, 0, &r);
        uint8_t unused[16];
        row_new(w, 0, &r, "brief", id, unused);
        r.v[0] = value_id(id);
        save(w, 0, &r);
        participant(w, id, "a", "");
        participant(w, id, "b", "");
        participant(w, id, "c", "");
        MUST(node_edit_commit(node_of(w, 0), "a case", &seq, why));
    }
}

/* A random row of a table that the node has; false when it has none. */
static bool pick(struct world *w, size_t who, const char *sql, uint8_t id[16])
{
    struct stmt *s = NULL;
    bool row = false;
    MUST(db_prepare(node_db(node_of(w, who)), sql, &s, why));
    db_bind_int(s, 1, (int64_t)(world_random(w) % 1000));
    MUST(db_step(s, &row, why));
    if (row) (void)db_id(s, 0, id);
    db_done(s);
    return row;
}

static void new_person(struct world *w, size_t who)
{
    struct row r;
    uint8_t case_id[16], id[16];
    if (!pick(w, who, "SELECT id FROM case_file ORDER BY (rowid * 7919) % ($1 + 3) LIMIT 1", case_id)) return;
    row_new(w, who, &r, "person", case_id, id);
    save(w, who, &r);
    write_cell(w, who, "person", "family_name", id);
    if (world_random(w) % 2 == 0) write_cell(w, who, "person", "nickname", id);
    if (world_random(w) % 2 == 0) write_cell(w, who, "person", "height", id);
}

static void new_record(struct world *w, size_t who)
{
    struct row r;
    uint8_t case_id[16], id[16];
    if (!pick(w, who, "SELECT id FROM case_file ORDER BY (rowid * 7919) % ($1 + 3) LIMIT 1", case_id)) return;
    row_new(w, who, &r, "record", case_id, id);
    put(&r, "sensitivity", value_str("open"));
    put(&r, "needs_consent", value_int(0));
    save(w, who, &r);
    write_cell(w, who, "record", "body", id);
    if (world_random(w) % 2 == 0) write_cell(w, who, "record", "score", id);
}

static void change_person(struct world *w, size_t who)
{
    static const char *const columns[] = {"given_names", "sex",    "nickname", "nickname",
                                          "height",      "height", "shoe_size"};
    uint8_t id[16];
    if (pick(w, who, "SELECT id FROM person ORDER BY (rowid * 7919) % ($1 + 3) LIMIT 1", id))
        write_cell(w, who, "person", columns[world_random(w) % (sizeof columns / sizeof columns[0])], id);
}

static void change_own(struct world *w, size_t who)
{
    uint8_t id[16];
    char sql[120];
    (void)snprintf(sql, sizeof sql,
                   "SELECT id FROM record WHERE agency = '%s' ORDER BY (rowid * 7919) %% ($1 + 3) LIMIT 1",
                   w->nodes[who].agency);
    if (pick(w, who, sql, id)) write_cell(w, who, "record", world_random(w) % 2 == 0 ? "score" : "title", id);
    if (who != 0 || world_random(w) % 2 == 0) return;
    if (pick(w, who, "SELECT id FROM case_file ORDER BY (rowid * 7919) % ($1 + 3) LIMIT 1", id)) {
        write_cell(w, who, "case_file", "urgency", id);
        write_cell(w, who, "brief", "next_step", id);
    }
}

void world_edit(struct world *w, size_t who)
{
    uint64_t seq = 0;
    MUST(node_edit_begin(node_of(w, who), why));
    for (uint64_t i = 0, n = 1 + world_random(w) % 3; i < n; i++) {
        switch (world_random(w) % 5) {
        case 0: new_person(w, who); break;
        case 1: new_record(w, who); break;
        case 2: change_own(w, who); break;
        default: change_person(w, who); break;
        }
    }
    MUST(node_edit_commit(node_of(w, who), "an edit", &seq, why));
}

/* -------------------------------------------------------------------------------------------------------- rounds */

struct link {
    struct world *w;
    size_t who;
};

static enum err carry(void *ctx, struct bytes request, uint64_t from, uint64_t wait_ms,
                      enum err (*sink)(void *sink_ctx, struct bytes piece, struct why *why), void *sink_ctx,
                      struct why *why)
{
    struct link *l = ctx;
    struct buf answer;
    (void)wait_ms;
    buf_init(&answer, BUNDLE_MAX);
    enum err e = hub_exchange(hub_of(l->w), request, false, &answer, NULL, why);
    (void)node_of(l->w, l->who);
    if (e == ERR_OK) {
        assert_true(from <= answer.len);
        e = sink(sink_ctx, bytes_of(answer.data + from, answer.len - from), why);
    }
    buf_release(&answer);
    return e;
}

static enum err rounds(struct world *w, size_t who, const struct round_options *o, struct round_result *out,
                       struct why *why)
{
    struct link l = {w, who};
    const struct carrier via = {.ctx = &l, .exchange = carry};
    enum err e = node_sync(node_of(w, who), &via, o, out, why);
    w->n_pages += out->rows_in > 0;
    return e;
}

/* Nobody writes what another wrote, so all of it is taken in as it is. */
static enum err plain_rounds(struct world *w, size_t who, const struct round_options *o, struct why *why)
{
    struct round_result r = {0};
    enum err e = rounds(w, who, o, &r, why);
    assert_int_equal(r.held + r.waits + r.fault + r.conflicts_new + r.merged, 0);
    return e;
}

enum err world_sync(struct world *w, size_t who, struct why *why)
{
    return plain_rounds(w, who, NULL, why);
}

enum err world_sync_any(struct world *w, size_t who, struct why *why)
{
    struct round_result r = {0};
    return rounds(w, who, NULL, &r, why);
}

enum err world_short_round(struct world *w, size_t who, struct why *why)
{
    static const struct round_options one = {.budget = 300, .max_rounds = 1};
    return plain_rounds(w, who, &one, why);
}

void world_write(struct world *w, size_t who, const char *const *sql, size_t n)
{
    uint64_t seq = 0;
    MUST(node_edit_begin(node_of(w, who), why));
    for (size_t i = 0; i < n; i++) MUST(db_user_sql(node_db(w->nodes[who].node), sql[i], true, NULL, NULL, why));
    MUST(node_edit_commit(w->nodes[who].node, "a statement", &seq, why));
    assert_true(seq > 0);
}

/* -------------------------------------------------------------------------------------------------------- judging */

int64_t world_ask(struct world *w, size_t who, const char *sql)
{
    struct db *db = who < WORLD_NODES ? node_db(node_of(w, who)) : hub_db(hub_of(w));
    struct stmt *s = NULL;
    bool row = false;
    MUST(db_prepare(db, sql, &s, why));
    MUST(db_step(s, &row, why));
    int64_t v = row ? db_int(s, 0) : -1;
    db_done(s);
    return v;
}

size_t world_missing(struct world *w, size_t who)
{
    struct db *db = who < WORLD_NODES ? node_db(node_of(w, who)) : hub_db(hub_of(w));
    size_t n = 0;
    for (size_t i = 0; i < w->n_cells; i++) {
        const struct world_cell *c = &w->cells[i];
        const struct table_rule *t = rules_table((size_t)c->table);
        struct buf store;
        struct row r;
        bool found = false;
        char text[32];
        buf_init(&store, 1u << 20);
        if (c->column < rules_columns_at(t, db_schema(db))) MUST(db_row_get(db, t, c->id, &store, &r, &found, why));
        bool missing = !found || !value_equal(r.v[c->column], value_of(c, text));
        n += missing;
        buf_release(&store);
    }
    return n;
}

void world_settle_and_judge(struct world *w)
{
    struct verify_result unused;
    for (int i = 0; i < 2; i++)
        for (size_t who = 0; who < WORLD_NODES; who++) MUST(world_sync(w, who, why));
    for (size_t who = 0; who < WORLD_NODES; who++) {
        assert_int_equal(world_schema(w, who), w->hub_speaks);
        assert_int_equal(world_unsent(w, who), 0);
        MUST(node_verify(node_of(w, who), &unused, why));
    }
    MUST(hub_verify(hub_of(w), why));
    for (size_t who = 0; who <= WORLD_NODES; who++)
        if (world_missing(w, who) > 0)
            fail_msg("%zu of %zu values are missing at %zu", world_missing(w, who), w->n_cells, who);
}
