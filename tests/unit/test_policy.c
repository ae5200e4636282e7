/* The views of hub/policy.sql by themselves: nothing forgotten, and no question that looks at every case. What they
 * mean is held against the matrix in test_sight_world. */
#include "hub/policy_sql.h"
#include "hub/policy_text.h"
#include "tests/lib/hub_fixture.h"
#include "tests/lib/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int set_up(void **state)
{
    struct hub_fixture *f = hub_fixture_new(4);
    hub_fixture_town(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    hub_fixture_free(*state);
    return 0;
}

/* A row with its required columns filled in. */
static struct id plain_row(struct hub_fixture *f, const struct table_rule *t, struct id c)
{
    const char *pairs[2 * RULES_MAX_COLUMNS + 1];
    char hex[34];
    size_t n = 0;
    for (size_t i = t->kind == TABLE_CASE ? 3 : 1; i < t->n_columns; i++) {
        if (!t->columns[i].required) continue;
        pairs[n++] = t->columns[i].name;
        pairs[n++] = t->columns[i].type == COL_ID     ? hub_fixture_hex(c, hex)
                     : t->columns[i].type == COL_TEXT ? "x"
                                                      : "#1";
    }
    pairs[n] = NULL;
    return hub_fixture_row_by(f, &f->hub, hub_fixture_id(f), t->name, c, "council", pairs);
}

/* Fail closed is right for a forgotten table, but its rows would then reach not even their writer. */
static void policy_knows_every_synced_table(void **state)
{
    struct hub_fixture *f = *state;
    size_t n;
    const struct table_rule *t = rules_tables(&n);
    hub_fixture_step(f);
    struct id c = hub_fixture_case(f);
    hub_fixture_settle(f);
    for (size_t i = 0; i < n; i++) {
        bool conflict = strcmp(t[i].name, "conflict") == 0;
        if (conflict || strcmp(t[i].name, "case_file") == 0 || strcmp(t[i].name, "site") == 0) continue;
        hub_fixture_step(f);
        struct id id = plain_row(f, &t[i], c);
        hub_fixture_settle(f);
        if (!hub_fixture_sees(f, "office", t[i].name, id))
            fail_msg("the writer's agency does not see its own %s", t[i].name);
    }
}

/* A voided row is for its writer and the room, at most. */
static void policy_shows_voided_rows_to_their_writer_and_the_room_at_most(void **state)
{
    struct hub_fixture *f = *state;
    size_t n;
    const struct table_rule *t = rules_tables(&n);
    hub_fixture_step(f);
    struct id c = hub_fixture_case(f);
    (void)hub_fixture_share(f, c, "police", "contribute");
    hub_fixture_settle(f);
    for (size_t i = 0; i < n; i++) {
        if (t[i].kind != TABLE_CASE || strcmp(t[i].name, "conflict") == 0 || strcmp(t[i].name, "case_file") == 0)
            continue;
        hub_fixture_step(f);
        struct id id = plain_row(f, &t[i], c);
        hub_fixture_set(f, t[i].name, id, "voided_at", "#1");
        hub_fixture_settle(f);
        assert_false(hub_fixture_sees(f, "station", t[i].name, id));
        assert_true(hub_fixture_sees(f, "office", t[i].name, id));
    }
}

/* What may be looked at whole: one row of settings, reference tables, and what a view found for the one row or case. */
static bool may_scan(const char *detail)
{
    static const char *const fine[] = {
        "policy_now", "plain_channel", "conflict_channel", "site_channel", "site_access", "about",
        "agency",     "site",          "coverage",         "practitioner", "duty",        "code_list",
        "timescale",  "column_policy", "retention",        "site_way",     "w",           "ways",
        "may",        "rule"};
    if (strncmp(detail, "SCAN ", 5) != 0 || strstr(detail, "CONSTANT ROWS") != NULL) return true;
    size_t len = strcspn(detail + 5, " ");
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++)
        if (strlen(fine[i]) == len && strncmp(fine[i], detail + 5, len) == 0) return true;
    return false;
}

/* The questions of hub/sight_mask.c, sight_settle.c and serve_rows.c. */
static void policy_questions_of_one_row_or_case_scan_no_case_table(void **state)
{
    if (test_store_file_only("it reads SQLite's plans")) skip();
    struct hub_fixture *f = *state;
    static const char *const asked[] = {
        "SELECT channel FROM plain_channel WHERE tbl = $1 AND id = $2",
        "SELECT tbl, id, channel FROM plain_channel WHERE case_id = $1",
        "SELECT channel FROM conflict_channel WHERE id = $1 AND tbl = $2 AND row_id = $3",
        "SELECT (SELECT no FROM h_site WHERE code = site), channel FROM site_channel WHERE case_id = $1",
        "SELECT (SELECT no FROM h_site WHERE code = site), access FROM site_access WHERE case_id = $1",
        "SELECT r.no FROM h_case c JOIN record x ON x.case_id = c.id JOIN h_row r ON r.id = x.id AND r.tbl = $1"
        " WHERE c.no = $2 AND x.needs_consent = 1",
        "SELECT r.no FROM conflict c CROSS JOIN h_row r WHERE r.id = c.id AND r.tbl = $1"
        " AND c.row_id = $2 AND c.tbl = $3 AND +r.case_no = $4",
        "SELECT 1 FROM h_case k CROSS JOIN conflict c WHERE k.no = $1 AND c.case_id = k.id LIMIT 1",
        "SELECT 1 FROM conflict WHERE kept_by = $1 OR lost_by = $1 LIMIT 1",
        "SELECT no FROM h_row WHERE case_no = $1 AND version > $2 AND no > $3 AND (mask & $4) <> 0",
        "SELECT case_no FROM h_seat WHERE site_no = $1 AND news > $2 AND mask <> 0",
        "SELECT s.case_no FROM h_site n CROSS JOIN h_case k CROSS JOIN h_seat s"
        " WHERE k.news > $2 AND s.site_no = n.no AND s.case_no = k.no AND n.no = $1 AND n.news > $2 AND s.mask <> 0",
        "SELECT 1 FROM h_cut WHERE node_no = $1 AND at >= $2 AND pos_from < $3 AND pos >= $3 LIMIT 1",
    };
    char sql[512];
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        struct stmt *s;
        bool row = false;
        (void)snprintf(sql, sizeof sql, "EXPLAIN QUERY PLAN %s", asked[i]);
        assert_int_equal(db_prepare(f->h.db, sql, &s, NULL), ERR_OK);
        while (db_step(s, &row, NULL) == ERR_OK && row) {
            char detail[256];
            (void)snprintf(detail, sizeof detail, "%.*s", (int)db_bytes(s, 3).n, (const char *)db_bytes(s, 3).p);
            if (!may_scan(detail)) fail_msg("%s: %s", asked[i], detail);
        }
        db_done(s);
    }
}

static size_t count_plan(struct hub_fixture *f, const char *explain, const char *question, int column, const char *word)
{
    struct stmt *s;
    bool row = false;
    size_t n = 0;
    char sql[512], text[256];
    (void)snprintf(sql, sizeof sql, "%s %s", explain, question);
    assert_int_equal(db_prepare(f->h.db, sql, &s, NULL), ERR_OK);
    while (db_step(s, &row, NULL) == ERR_OK && row) {
        (void)snprintf(text, sizeof text, "%.*s", (int)db_bytes(s, column).n, (const char *)db_bytes(s, column).p);
        n += strstr(text, word) != NULL;
    }
    db_done(s);
    return n;
}

/* Each would cost more than all that the question looks up, and seats are asked for each case that a change touches.
 * The constants of the policy itself are a few rows, read last. */
static void policy_questions_of_seats_make_no_temporary_table_but_of_constants(void **state)
{
    if (test_store_file_only("it reads SQLite's plans")) skip();
    struct hub_fixture *f = *state;
    static const char *const asked[] = {
        "SELECT (SELECT no FROM h_site WHERE code = site), channel FROM site_channel WHERE case_id = $1",
        "SELECT (SELECT no FROM h_site WHERE code = site), access FROM site_access WHERE case_id = $1",
    };
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        size_t constants = count_plan(f, "EXPLAIN QUERY PLAN", asked[i], 3, "CONSTANT ROWS");
        assert_true(count_plan(f, "EXPLAIN", asked[i], 1, "") > 100);
        assert_int_equal(count_plan(f, "EXPLAIN", asked[i], 1, "OpenAutoindex"), 0);
        if (count_plan(f, "EXPLAIN", asked[i], 1, "OpenEphemeral") > 2 * constants)
            fail_msg("%s makes a temporary table", asked[i]);
    }
}

/* What an information-governance lead is asked to read. */
static void policy_is_under_150_lines_of_views_and_nothing_else(void **state)
{
    struct policy_text p;
    size_t lines = 0, views = 0;
    (void)state;
    for (const char *c = hub_policy_sql; *c != '\0'; c++) lines += *c == '\n';
    for (const char *c = hub_policy_sql; (c = strstr(c, "CREATE ")) != NULL; c++) views++;
    assert_in_range(lines, 80, 149);
    assert_int_equal(policy_text_read(bytes_of_str(hub_policy_sql), &p, NULL), ERR_OK);
    assert_int_equal(p.n, views);
    assert_true(views > 10);
}

static void policy_schemes_are_told_to_the_kinds_that_may_know_them(void **state)
{
    struct hub_fixture *f = *state;
    char person[34];
    hub_fixture_step(f);
    struct id c = hub_fixture_case(f);
    (void)hub_fixture_share(f, c, "health", "check");
    (void)hub_fixture_share(f, c, "police", "contribute");
    struct id child = hub_fixture_row(f, "person", c, "council", "role", "child", NULL);
    struct id nhs = hub_fixture_row(f, "identifier", c, "council", "person_id", hub_fixture_hex(child, person),
                                    "scheme", "nhs", NULL);
    struct id pnc = hub_fixture_row(f, "identifier", c, "council", "person_id", person, "scheme", "pnc", NULL);
    struct id odd = hub_fixture_row(f, "identifier", c, "council", "person_id", person, "scheme", "odd", NULL);
    hub_fixture_settle(f);
    assert_true(hub_fixture_sees(f, "gp", "identifier", nhs));
    assert_false(hub_fixture_sees(f, "gp", "identifier", pnc));
    assert_true(hub_fixture_sees(f, "station", "identifier", pnc));
    assert_false(hub_fixture_sees(f, "station", "identifier", nhs));
    assert_false(hub_fixture_sees(f, "station", "identifier", odd));
    assert_true(hub_fixture_sees(f, "mash", "identifier", odd));
}

/* RULES.md: a withdrawal takes back what was told, except what a recorded decision rests upon; a consent that was
 * refused, was not sought or has ended takes back everything. */
static void policy_leaves_what_a_decision_rests_upon_when_consent_is_withdrawn(void **state)
{
    struct hub_fixture *f = *state;
    static const struct {
        const char *state, *expires;
        bool rests, stays;
    } as[] = {{"given", NULL, false, true},     {"withdrawn", NULL, false, false}, {"withdrawn", NULL, true, true},
              {"refused", NULL, true, false},   {"not_sought", NULL, true, false}, {"given", "#1", true, false},
              {"withdrawn", "#1", true, false}, {"given", NULL, true, true},       {NULL, NULL, true, false}};
    for (size_t i = 0; i < sizeof as / sizeof as[0]; i++) {
        char child[34], hex[33], sql[128];
        hub_fixture_step(f);
        struct id c = hub_fixture_case(f);
        (void)hub_fixture_share(f, c, "police", "view");
        (void)hub_fixture_hex(hub_fixture_row(f, "person", c, "council", "role", "child", NULL), child);
        (void)hub_fixture_row(f, "consent", c, "council", "person_id", child, "scope", "all",
                              as[i].state == NULL ? NULL : "state", as[i].state,
                              as[i].expires == NULL ? NULL : "expires_at", as[i].expires, NULL);
        struct id r = hub_fixture_row(f, "record", c, "council", "sensitivity", "open", "needs_consent", "#1", NULL);
        hex_encode(hex, r.b, 16);
        (void)snprintf(sql, sizeof sql, "INSERT INTO case_decided(record_id) VALUES (x'%s')", hex);
        if (as[i].rests) hub_fixture_sql(f, sql);
        hub_fixture_settle(f);
        if (hub_fixture_sees(f, "station", "record", r) != as[i].stays)
            fail_msg("consent %s%s, %s", as[i].state == NULL ? "without a state" : as[i].state,
                     as[i].expires == NULL ? "" : " and ended", as[i].rests ? "decided upon" : "not decided upon");
        assert_true(hub_fixture_sees(f, "office", "record", r));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(policy_knows_every_synced_table),
        TEST(policy_shows_voided_rows_to_their_writer_and_the_room_at_most),
        TEST(policy_questions_of_one_row_or_case_scan_no_case_table),
        TEST(policy_questions_of_seats_make_no_temporary_table_but_of_constants),
        cmocka_unit_test(policy_is_under_150_lines_of_views_and_nothing_else),
        TEST(policy_schemes_are_told_to_the_kinds_that_may_know_them),
        TEST(policy_leaves_what_a_decision_rests_upon_when_consent_is_withdrawn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
