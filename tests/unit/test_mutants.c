/* Correctly signed changesets that are not quite right. What the hub takes and what an independent grammar takes is the
 * same, and nobody's changeset reaches further than its author may. 20,000 of them; more by hand:
 * test_mutants --count N --seed S. */
#include "hub/intake.h"
#include "tests/lib/grammar.h"
#include "tests/lib/intake_fixture.h"
#include "tests/lib/mutant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CASES = 3, AUTHORS = 4, MOST_ROWS = 256, MOST_TOUCHED = 128 };

static uint64_t count = 20000, first_seed = 1;

static struct author {
    struct fake_node *node;
    bool manager;
    int level[CASES]; /* 0 none, 1 check, 3 contribute, 4 the room, 5 leads */
} authors[AUTHORS];
static uint8_t cases[CASES][16];
static struct mutant_row rows[MOST_ROWS];
static size_t n_rows;
static uint64_t verdicts[8], mixed;

static void must(enum err e, const struct why *why, const char *what)
{
    if (e != ERR_OK) fail_msg("%s: %s: %s", what, err_word(e), why->text);
}

/* -------------------------------------------------------------------------------------------------------- the world */
static void put_rows(struct author *a, const uint8_t case_id[16])
{
    struct fake_node *n = a->node;
    uint8_t person[16], id[16];
    put_person(n, case_id, person);
    struct op record = new_record(n, id, case_id, "open");
    says(send_one(n, &record), VERDICT_APPLIED, NULL);
    env_new_id(&hub->env, id);
    struct op contact = fake_new(n, "contact", id, case_id);
    fake_value(&contact, "person_id", value_id(person));
    says(send_one(n, &contact), VERDICT_APPLIED, NULL);
    env_new_id(&hub->env, id);
    struct op ask = fake_new(n, "request", id, case_id);
    fake_value(&ask, "to_agency", value_str("police"));
    says(send_one(n, &ask), VERDICT_APPLIED, NULL);
}

/* Held work of police, and two names for one child. */
static void put_trouble(void)
{
    uint8_t person[16];
    says(change_from(paul, "case_file", cases[0], "rag", "green", "red"), VERDICT_HELD, NULL);
    put_person(mona, cases[0], person);
    everybody_pulls();
    says(change_from(mona, "person", person, "family_name", "Smith", "Smyth"), VERDICT_APPLIED, NULL);
    says(change_from(paul, "person", person, "family_name", "Smith", "Schmidt"), VERDICT_MERGED, NULL);
}

static void note_rows(void)
{
    size_t n_tables;
    (void)rules_tables(&n_tables);
    for (size_t t = 0; t < n_tables; t++) {
        struct why why = {0};
        struct stmt *s = NULL;
        bool row = true, of_case = rules_table(t)->kind == TABLE_CASE;
        char sql[128];
        (void)snprintf(sql, sizeof sql, "SELECT id, %s FROM %s ORDER BY id LIMIT 8", of_case ? "case_id" : "id",
                       rules_table(t)->name);
        must(db_prepare(hub_db(hub->hub), sql, &s, &why), &why, sql);
        for (;;) {
            must(db_step(s, &row, &why), &why, sql);
            if (!row) break;
            assert_true(n_rows < MOST_ROWS);
            rows[n_rows].table = (int)t;
            (void)db_id(s, 0, rows[n_rows].id);
            (void)db_id(s, 1, rows[n_rows++].case_id);
        }
        db_done(s);
    }
}

/* Every write to a synced table leaves its mark in `touched`, whoever makes it. */
static void watch(void)
{
    static const char *const events[] = {"INSERT", "UPDATE", "DELETE"};
    struct why why = {0};
    size_t n_tables;
    (void)rules_tables(&n_tables);
    must(db_exec(hub_db(hub->hub), "CREATE TEMP TABLE touched(tbl INTEGER, id BLOB)", &why), &why, "watch");
    for (size_t t = 0; t < n_tables; t++)
        for (size_t i = 0; i < 3; i++) {
            char sql[256];
            (void)snprintf(sql, sizeof sql,
                           "CREATE TEMP TRIGGER watch_%zu_%zu AFTER %s ON main.%s BEGIN "
                           "INSERT INTO touched VALUES(%zu, %s.id); END",
                           t, i, events[i], rules_table(t)->name, t, i == 2 ? "OLD" : "NEW");
            must(db_exec(hub_db(hub->hub), sql, &why), &why, sql);
        }
}

static int start(void **state)
{
    static const char *const few[] = {"school:check", NULL}, *const own[] = {"police:contribute", NULL};
    if (intake_start(state) != 0) return -1;
    struct fake_node *prue = device("probation-1", "probation", "Prue");
    shared_case(cases[0]);
    fake_case(carla, cases[1], "care", few);
    fake_case(paul, cases[2], "police", own);
    everybody_pulls();
    authors[0] = (struct author){mona, true, {5, 5, 4}};
    authors[1] = (struct author){paul, false, {3, 0, 5}};
    authors[2] = (struct author){sue, false, {3, 1, 0}};
    authors[3] = (struct author){prue, false, {0, 0, 0}};
    put_rows(&authors[0], cases[0]);
    put_rows(&authors[0], cases[1]);
    put_rows(&authors[1], cases[0]);
    put_rows(&authors[1], cases[2]);
    put_rows(&authors[2], cases[0]);
    put_trouble();
    everybody_pulls();
    fake_node_pull(prue);
    note_rows();
    watch();
    return 0;
}

static int stop(void **state)
{
    fake_node_release(authors[3].node);
    free(authors[3].node);
    return intake_stop(state);
}

/* --------------------------------------------------------------------------------------------- what a changeset did */
struct touched {
    const struct table_rule *table;
    uint8_t id[16];
    struct buf store, old_store;
    bool there, was_there;
    struct row now, before;
};
struct effects {
    struct touched all[MOST_TOUCHED];
    size_t n;
    enum verdict verdict;
    char reason[320];
};

static void get_row(struct touched *t, bool before)
{
    struct why why = {0};
    struct buf *store = before ? &t->old_store : &t->store;
    buf_init(store, 64u << 20);
    must(db_row_get(hub_db(hub->hub), t->table, t->id, store, before ? &t->before : &t->now,
                    before ? &t->was_there : &t->there, &why),
         &why, "row");
}

static void read_effects(struct effects *fx, int64_t node_no, uint64_t seq)
{
    struct why why = {0};
    struct stmt *s = NULL;
    bool row = false;
    must(db_prepare(hub_db(hub->hub), "SELECT verdict, reason FROM h_envelope WHERE node_no = $1 AND seq = $2", &s,
                    &why),
         &why, "verdict");
    db_bind_int(s, 1, node_no);
    db_bind_int(s, 2, (int64_t)seq);
    must(db_step(s, &row, &why), &why, "verdict");
    assert_true(row);
    fx->verdict = (enum verdict)db_int(s, 0);
    (void)snprintf(fx->reason, sizeof fx->reason, "%.*s", (int)db_bytes(s, 1).n, (const char *)db_bytes(s, 1).p);
    db_done(s);
    fx->n = 0;
    must(db_prepare(hub_db(hub->hub), "SELECT DISTINCT tbl, id FROM temp.touched", &s, &why), &why, "touched");
    for (;;) {
        must(db_step(s, &row, &why), &why, "touched");
        if (!row) break;
        assert_true(fx->n < MOST_TOUCHED);
        struct touched *t = &fx->all[fx->n++];
        t->table = rules_table((size_t)db_int(s, 0));
        assert_true(db_id(s, 1, t->id));
    }
    db_done(s);
    for (size_t i = 0; i < fx->n; i++) get_row(&fx->all[i], false);
}

static void release_effects(struct effects *fx)
{
    for (size_t i = 0; i < fx->n; i++) {
        buf_release(&fx->all[i].store);
        buf_release(&fx->all[i].old_store);
    }
}

/* One envelope, correctly signed, as the author's next; judged, looked at, and taken back. */
static void submit(struct fake_node *n, struct bytes content, struct effects *fx)
{
    struct why why = {0};
    struct hub *h = hub->hub;
    struct hub_node node;
    struct envelope_header head = {
        .epoch = 1, .seq = n->seq + 1, .schema = db_schema(h->db), .hlc = (uint64_t)hub->now << 16};
    struct part part = {.content = content};
    struct buf cose, item;
    memcpy(head.hub, h->id.pub.kid, KID_BYTES);
    memcpy(head.base_cut, n->cursor, CUT_BYTES);
    memcpy(head.prev, n->prev, HASH_BYTES);
    memcpy(head.user, n->user, 16);
    buf_init(&cose, 1u << 16);
    buf_init(&item, 4u << 20);
    must(envelope_sign(&n->id, &head, &part, 1, &cose, &why), &why, "sign");
    message_put_envelope(&item, buf_bytes(&cose), &part, 1);
    assert_int_equal(item.err, ERR_OK);
    must(hub_begin(h, &why), &why, "begin");
    must(nodes_by_kid(h, n->id.pub.kid, &node, &why), &why, "node");
    must(intake_envelope(h, &node, buf_bytes(&item), &why), &why, "intake");
    read_effects(fx, node.no, head.seq);
    hub_abort(h);
    for (size_t i = 0; i < fx->n; i++) get_row(&fx->all[i], true);
    buf_release(&cose);
    buf_release(&item);
}

/* -------------------------------------------------------------------------------------------------------- authority */
static int case_index(struct value id)
{
    for (int i = 0; i < CASES; i++)
        if (id.kind == VALUE_BLOB && memcmp(id.s.p, cases[i], 16) == 0) return i;
    return -1;
}

static bool is(struct value v, const char *text)
{
    return value_equal(v, value_str(text));
}

static struct value column(const struct row *r, const char *name)
{
    int c = rules_column_index(r->table, bytes_of_str(name));
    return c < 0 ? value_none() : r->v[c];
}

static bool may_insert(const struct author *a, const struct touched *t)
{
    int i = case_index(t->now.v[1]), level = i < 0 ? 5 : a->level[i]; /* a case of one's own making */
    if (strcmp(t->table->name, "conflict") == 0) return i >= 0 && level > 0;
    if (!is(t->now.v[2], a->node->agency)) return false;
    switch (t->table->insert) {
    case INSERT_HUB: return false;
    case INSERT_NEW_CASE: return i < 0;
    case INSERT_WITH_CASE: return level == 5 || a->manager;
    case INSERT_LEAD: /* or brings in with `check` whom the same change asks */
        return level == 5 || a->manager || (level >= 3 && is(column(&t->now, "access"), "check"));
    case INSERT_CONTRIBUTE: return level >= 3;
    case INSERT_CHECK: return level == 1 || level >= 3;
    }
    return false;
}

static bool may_write(const struct author *a, const struct touched *t, size_t c)
{
    int i = case_index(t->before.v[1]), level = i < 0 ? 0 : a->level[i];
    bool own = is(t->before.v[2], a->node->agency);
    if (level == 0) return false;
    switch (t->table->columns[c].write) {
    case WRITE_NEVER: return false;
    case WRITE_HUB: return strcmp(t->table->name, "held") == 0 || strcmp(t->table->name, "conflict") == 0;
    case WRITE_OWN: return own && (strcmp(t->table->name, "case_file") != 0 || level >= 3 || a->manager);
    case WRITE_LEAD: return level == 5 || a->manager;
    case WRITE_DUTY: return a->manager;
    case WRITE_CONTRIBUTE: return level >= 3;
    case WRITE_ASKED:
        return is(column(&t->before, "to_agency"), a->node->agency) ||
               (own && is(column(&t->now, "state"), "cancelled"));
    case WRITE_RELEASE: /* told by its writer, or a question that is answered by whom it asks */
        if (column(&t->before, "asked_by").kind == VALUE_NULL) return own;
        if (own && is(column(&t->now, "state"), "expired")) return true;
        if (strcmp(t->table->columns[c].name, "reason") == 0) return own;
        return is(column(&t->before, "to_agency"), a->node->agency);
    case WRITE_JUDGE: return a->manager || (own && is(column(&t->now, "state"), "withdrawn"));
    case WRITE_SETTLE: return level >= 1;
    }
    return false;
}

/* A manager who accepts held work lets in what its author wrote; what that is, is the author's to have written. */
static bool decides(const struct effects *fx, const struct author *a)
{
    for (size_t i = 0; a->manager && i < fx->n; i++)
        if (strcmp(fx->all[i].table->name, "held") == 0 && is(column(&fx->all[i].now, "state"), "accepted"))
            return true;
    return false;
}

static void within_authority(const struct effects *fx, const struct author *a)
{
    bool taken = fx->verdict == VERDICT_APPLIED || fx->verdict == VERDICT_MERGED;
    if (fx->verdict == VERDICT_FAULT || fx->verdict == VERDICT_WAITS) assert_int_equal(fx->n, 0);
    for (size_t i = 0; i < fx->n; i++) {
        const struct touched *t = &fx->all[i];
        if (!t->there) fail_msg("a row of %s is gone", t->table->name);
        if (!taken) { /* held: the hub says so to the room, in a case of its own if need be */
            bool hubs = strcmp(t->table->name, "held") == 0 || (case_index(t->now.v[1]) < 0 && is(t->now.v[2], ""));
            if (!hubs || t->was_there) fail_msg("held, and yet a row of %s was written", t->table->name);
            continue;
        }
        if (!t->was_there && !may_insert(a, t))
            fail_msg("%s may not put a row of %s there", a->node->agency, t->table->name);
        for (size_t c = 0; t->was_there && c < t->table->n_columns; c++) {
            if (value_equal(t->before.v[c], t->now.v[c]) || may_write(a, t, c)) continue;
            if (decides(fx, a) && t->table->columns[c].write != WRITE_NEVER && case_index(t->now.v[1]) >= 0) continue;
            fail_msg("%s may not change %s.%s", a->node->agency, t->table->name, t->table->columns[c].name);
        }
    }
}

/* The grammar knows no cases. That a change is of one case, named in one way, is asked for besides it. */
static bool about_cases(const struct effects *fx)
{
    return strstr(fx->reason, "mixes several cases") != NULL || strstr(fx->reason, "names no case") != NULL ||
           strstr(fx->reason, "names its case in two ways") != NULL;
}

static void hold_against(struct bytes content, const struct effects *fx, uint64_t seed)
{
    const struct grammar g = {.schema = db_schema(hub_db(hub->hub)), .most = 200000};
    bool right = grammar_accepts(&g, content);
    bool accepted = fx->verdict != VERDICT_FAULT;
    verdicts[fx->verdict]++;
    if (right && !accepted && about_cases(fx)) {
        mixed++;
        return;
    }
    if (right != accepted)
        fail_msg("--seed %llu: the grammar %s it, the hub says %s: %s", (unsigned long long)seed,
                 right ? "accepts" : "refuses", verdict_word(fx->verdict), fx->reason);
}

static void one(uint64_t seed, struct buf *content)
{
    static struct effects fx; /* too large for a stack */
    uint64_t random = seed;
    struct author *a = &authors[mutant_random(&random) % AUTHORS];
    const struct mutant_subject about = {.agency = a->node->agency,
                                         .rows = rows,
                                         .n_rows = n_rows,
                                         .cases = cases,
                                         .n_cases = CASES,
                                         .user = a->node->user};
    (void)mutant_make(&about, &random, content);
    submit(a->node, buf_bytes(content), &fx);
    hold_against(buf_bytes(content), &fx, seed);
    within_authority(&fx, a);
    release_effects(&fx);
}

static void
a_signed_changeset_is_taken_exactly_when_the_grammar_takes_it_and_stays_within_its_authors_authority(void **state)
{
    uint8_t before[32], after[32];
    struct buf content;
    (void)state;
    buf_init(&content, 4u << 20);
    fake_hub_hash(hub, before);
    for (uint64_t i = 0; i < count; i++) one(first_seed + i, &content);
    fake_hub_hash(hub, after);
    assert_memory_equal(before, after, 32);
    buf_release(&content);
    print_message(
        "%llu changesets: %llu applied, %llu merged, %llu held, %llu waiting, %llu faults; %llu more mix cases\n",
        (unsigned long long)count, (unsigned long long)verdicts[VERDICT_APPLIED],
        (unsigned long long)verdicts[VERDICT_MERGED], (unsigned long long)verdicts[VERDICT_HELD],
        (unsigned long long)verdicts[VERDICT_WAITS], (unsigned long long)(verdicts[VERDICT_FAULT] - mixed),
        (unsigned long long)mixed);
    if (count >= 20000) /* nothing of it is shown by refusals alone */
        assert_true(verdicts[VERDICT_APPLIED] > count / 200 && verdicts[VERDICT_HELD] > count / 200 &&
                    verdicts[VERDICT_FAULT] > count / 4);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_signed_changeset_is_taken_exactly_when_the_grammar_takes_it_and_stays_within_its_authors_authority),
    };
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--count") == 0) count = strtoull(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--seed") == 0) first_seed = strtoull(argv[i + 1], NULL, 10);
    }
    return cmocka_run_group_tests(tests, start, stop);
}
