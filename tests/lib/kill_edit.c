#include "tests/lib/kill.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct edit {
    struct node *n;
    struct node_info info;
    struct kill_world *random;
};

static void start(struct edit *e, struct node *n, struct kill_world *random)
{
    struct why why = {0};
    *e = (struct edit){.n = n, .random = random};
    kill_must(node_get_info(n, &e->info, &why), "info", &why);
    kill_must(node_edit_begin(n, &why), "edit", &why);
}

static uint64_t commit(struct edit *e)
{
    struct why why = {0};
    uint64_t seq = 0;
    kill_must(node_edit_commit(e->n, "an edit of the kill test", &seq, &why), "commit", &why);
    return seq;
}

static int64_t now(const struct edit *e)
{
    return env_now(node_env(e->n));
}

static const struct table_rule *table(const char *name)
{
    return rules_table((size_t)rules_table_index(bytes_of_str(name)));
}

static void row_new(const struct edit *e, struct row *r, const char *name, const uint8_t id[16],
                    const uint8_t case_id[16])
{
    *r = (struct row){.table = table(name)};
    for (size_t i = 0; i < r->table->n_columns; i++) r->v[i] = value_null();
    r->v[0] = value_id(id);
    r->v[1] = value_id(case_id);
    r->v[2] = value_str(e->info.agency);
}

static void put(struct row *r, const char *column, struct value v)
{
    r->v[rules_column_index(r->table, bytes_of_str(column))] = v;
}

static void save(struct edit *e, const struct row *r)
{
    struct why why = {0};
    kill_must(db_row_put(node_db(e->n), r, &why), r->table->name, &why);
}

static void set(struct edit *e, const char *name, const uint8_t id[16], const char *column, struct value v)
{
    struct why why = {0};
    const struct table_rule *t = table(name);
    kill_must(db_row_set(node_db(e->n), t, id, (size_t)rules_column_index(t, bytes_of_str(column)), v, &why), name,
              &why);
}

/* A random row of those that "table where condition" leaves; false when there is none. */
static bool pick(struct edit *e, const char *from_where, uint8_t id[16], uint8_t case_id[16])
{
    char sql[300];
    struct why why = {0};
    struct stmt *s = NULL;
    bool row = false;
    (void)snprintf(sql, sizeof sql, "SELECT id, case_id FROM %s ORDER BY substr(id, $1) LIMIT 1", from_where);
    kill_must(db_prepare(node_db(e->n), sql, &s, &why), "pick", &why);
    db_bind_int(s, 1, 9 + (int64_t)(kill_random(e->random) % 4)); /* the random half of an id */
    kill_must(db_step(s, &row, &why), "pick", &why);
    if (row) {
        db_id(s, 0, id);
        db_id(s, 1, case_id);
    }
    db_done(s);
    return row;
}

static void new_id(const struct edit *e, uint8_t id[16])
{
    env_new_id(node_env(e->n), id);
}

static struct value words(struct edit *e, char *room, size_t max)
{
    size_t n = 1 + kill_random(e->random) % (max - 1);
    for (size_t i = 0; i < n; i++) room[i] = (char)('a' + kill_random(e->random) % 26);
    return value_text(bytes_of(room, n));
}

/* ------------------------------------------------------------------------------------------------------- the edits */
static void new_case(struct edit *e)
{
    uint8_t id[16], other[16];
    char text[60];
    struct row r;
    new_id(e, id);
    row_new(e, &r, "case_file", id, id);
    put(&r, "reference", words(e, text, 12));
    put(&r, "area", value_str("north"));
    put(&r, "subject_kind", value_str("child"));
    put(&r, "status", value_str("new"));
    put(&r, "lead_agency", value_str("a"));
    put(&r, "restricted", value_int(0));
    save(e, &r);
    row_new(e, &r, "brief", id, id);
    put(&r, "summary", words(e, text, sizeof text));
    save(e, &r);
    new_id(e, other);
    row_new(e, &r, "participant", other, id);
    put(&r, "member", value_str(e->info.agency));
    put(&r, "site", value_str(""));
    put(&r, "access", value_str("contribute"));
    save(e, &r);
    new_id(e, other);
    row_new(e, &r, "person", other, id);
    put(&r, "role", value_str("child"));
    put(&r, "born_on", value_str("2015-01-02"));
    save(e, &r);
    uint8_t contact[16];
    new_id(e, contact);
    row_new(e, &r, "contact", contact, id);
    put(&r, "person_id", value_id(other));
    put(&r, "kind", value_str("phone"));
    put(&r, "value", words(e, text, sizeof text));
    save(e, &r);
}

static bool new_record(struct edit *e, uint8_t id[16])
{
    static const char *const told[] = {"open", "open", "sensitive", "restricted"};
    uint8_t case_id[16], same[16];
    char text[3000], title[40];
    struct row r;
    if (!pick(e, "case_file WHERE voided_at IS NULL", case_id, same)) return false;
    new_id(e, id);
    row_new(e, &r, "record", id, case_id);
    put(&r, "author", value_id(e->info.user));
    put(&r, "kind", value_str("note"));
    put(&r, "sensitivity", value_str(told[kill_random(e->random) % 4]));
    put(&r, "needs_consent", value_int(kill_random(e->random) % 6 == 0));
    put(&r, "title", words(e, title, sizeof title));
    put(&r, "body", words(e, text, sizeof text));
    put(&r, "written_at", value_int(now(e)));
    save(e, &r);
    return true;
}

static void consent(struct edit *e)
{
    static const char *const states[] = {"given", "withdrawn"};
    uint8_t id[16], case_id[16], person[16];
    struct row r;
    const char *state = states[kill_random(e->random) % 2];
    if (kill_random(e->random) % 2 == 0 && pick(e, "consent", id, case_id)) {
        set(e, "consent", id, "state", value_str(state));
    } else if (pick(e, "person", person, case_id)) {
        new_id(e, id);
        row_new(e, &r, "consent", id, case_id);
        put(&r, "person_id", value_id(person));
        put(&r, "scope", value_str("all"));
        put(&r, "state", value_str(state));
        if (kill_random(e->random) % 3 == 0) /* comes due while the test runs */
            put(&r, "expires_at", value_int(now(e) + (int64_t)(kill_random(e->random) % 5000)));
        save(e, &r);
    }
}

/* What several people may write: conflicts come of it, and held work where the writer may not. */
static void change(struct edit *e)
{
    uint8_t id[16], case_id[16];
    char text[60];
    switch (kill_random(e->random) % 4) {
    case 0:
        (void)snprintf(text, sizeof text, "20%02u-0%u-11", (unsigned)(kill_random(e->random) % 20),
                       (unsigned)(1 + kill_random(e->random) % 9));
        if (pick(e, "person", id, case_id)) set(e, "person", id, "born_on", value_str(text));
        break;
    case 1:
        if (pick(e, "contact", id, case_id)) set(e, "contact", id, "value", words(e, text, sizeof text));
        break;
    case 2:
        if (pick(e, "contact", id, case_id))
            set(e, "contact", id, "protected", value_int(kill_random(e->random) % 4 == 0));
        break;
    default:
        if (pick(e, "brief", id, case_id)) set(e, "brief", id, "summary", words(e, text, sizeof text));
        break;
    }
}

/* What moves a row from channel to channel. */
static void move(struct edit *e)
{
    static const char *const told[] = {"open", "sensitive", "restricted"};
    uint8_t id[16], case_id[16];
    char own[128];
    (void)snprintf(own, sizeof own, "record WHERE voided_at IS NULL AND agency = '%s'", e->info.agency);
    if (!pick(e, own, id, case_id)) return;
    switch (kill_random(e->random) % 4) {
    case 0: set(e, "record", id, "voided_at", value_int(now(e))); break;
    case 1: set(e, "record", id, "needs_consent", value_int((int64_t)(kill_random(e->random) % 2))); break;
    default: set(e, "record", id, "sensitivity", value_str(told[kill_random(e->random) % 3])); break;
    }
}

/* Give and take: what makes rows come and leave. */
static void share(struct edit *e)
{
    uint8_t id[16], case_id[16];
    struct row r;
    uint64_t kind = kill_random(e->random) % 8;
    if (kind < 3) {
        if (pick(e, "participant WHERE member <> 'a' AND access = 'contribute'", id, case_id))
            set(e, "participant", id, "access", value_str(kill_random(e->random) % 3 == 0 ? "check" : "none"));
    } else if (kind == 3) {
        if (pick(e, "case_file WHERE agency = 'a'", id, case_id))
            set(e, "case_file", id, "restricted", value_int((int64_t)(kill_random(e->random) % 2)));
    } else if (kind == 4) {
        if (pick(e, "case_file WHERE agency = 'a'", id, case_id))
            set(e, "case_file", id, "lead_agency", value_str(kill_random(e->random) % 2 == 0 ? "a" : "b"));
    } else if (pick(e, "case_file WHERE agency = 'a'", case_id, id)) {
        new_id(e, id);
        row_new(e, &r, "participant", id, case_id);
        put(&r, "member", value_str(kill_random(e->random) % 2 == 0 ? "b" : "c"));
        put(&r, "site", value_str(""));
        put(&r, "access", value_str("contribute"));
        if (kill_random(e->random) % 3 == 0)
            put(&r, "until", value_int(now(e) + (int64_t)(kill_random(e->random) % 5000)));
        save(e, &r);
    }
}

void kill_edit(struct node *n, struct kill_world *random, struct kill_report *out)
{
    struct edit e;
    start(&e, n, random);
    uint64_t kind = kill_random(random) % 12;
    if (kind < 3)
        out->is_record = new_record(&e, out->id);
    else if (kind < 6)
        change(&e);
    else if (kind == 6)
        consent(&e);
    else if (kind == 7)
        new_case(&e);
    else if (kind < 10)
        move(&e);
    else if (strcmp(e.info.agency, "a") == 0)
        share(&e);
    else
        out->is_record = new_record(&e, out->id);
    out->seq = commit(&e);
}

void kill_edit_new_case(struct node *n, struct kill_world *random)
{
    struct edit e;
    start(&e, n, random);
    new_case(&e);
    (void)commit(&e);
}

void kill_edit_share(struct node *n, const char *member)
{
    struct edit e;
    uint8_t id[16], case_id[16];
    struct kill_world random = {.random = 1};
    char sql[200];
    start(&e, n, &random);
    (void)snprintf(
        sql, sizeof sql,
        "case_file c WHERE NOT EXISTS (SELECT 1 FROM participant p WHERE p.case_id = c.id AND p.member = '%s')",
        member);
    while (pick(&e, sql, case_id, id)) {
        struct row r;
        new_id(&e, id);
        row_new(&e, &r, "participant", id, case_id);
        put(&r, "member", value_str(member));
        put(&r, "site", value_str(""));
        put(&r, "access", value_str("contribute"));
        save(&e, &r);
    }
    (void)commit(&e);
}
