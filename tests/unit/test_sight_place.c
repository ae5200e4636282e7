/* Work in proportion to the change: what is done when somebody shares, takes back, consents or overrides, when a case
 * moves and when a site, its areas or an agency changes, grows with the cases that it concerns and not with the others;
 * and what is then kept is what the policy says (hub_fixture_settle holds every mask against the views). */
#include "tests/lib/hub_fixture.h"
#include "tests/lib/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#define WEEK (7 * 86400000LL)

static const struct id no_case;

/* ----------------------------------------------------------------------------- what is kept is what the policy says */

static int set_up(void **state)
{
    struct hub_fixture *f = hub_fixture_new(5);
    hub_fixture_town(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    hub_fixture_free(*state);
    return 0;
}

static struct id some_case(struct hub_fixture *f, const char *area)
{
    char child[34];
    struct id c = hub_fixture_row(f, "case_file", no_case, "council", "area", area, "status", "new", "lead_agency",
                                  "council", NULL);
    struct id person = hub_fixture_row(f, "person", c, "council", "role", "child", NULL);
    (void)hub_fixture_row(f, "brief", c, "council", "summary", "as told", NULL);
    (void)hub_fixture_row(f, "identifier", c, "council", "person_id", hub_fixture_hex(person, child), "scheme", "nhs",
                          NULL);
    (void)hub_fixture_share(f, c, "health", "view");
    return c;
}

static struct id coverage(struct hub_fixture *f, const char *site, const char *area)
{
    return hub_fixture_row(f, "coverage", no_case, "", "site", site, "area", area, NULL);
}

static struct id id_of(struct hub_fixture *f, const char *sql)
{
    struct stmt *s;
    struct id id = {{0}};
    bool row = false;
    assert_int_equal(db_prepare(f->h.db, sql, &s, NULL), ERR_OK);
    assert_int_equal(db_step(s, &row, NULL), ERR_OK);
    assert_true(row && db_id(s, 0, id.b));
    db_done(s);
    return id;
}

static void remove_row(struct hub_fixture *f, const char *table, struct id id)
{
    const struct table_rule *t = rules_table((size_t)rules_table_index(bytes_of_str(table)));
    hub_fixture_step(f);
    assert_int_equal(sight_remove(&f->h, t, id.b, NULL), ERR_OK);
    hub_fixture_settle(f);
}

static void set(struct hub_fixture *f, const char *table, struct id id, const char *column, const char *value)
{
    hub_fixture_step(f);
    hub_fixture_set(f, table, id, column, value);
    hub_fixture_settle(f);
}

static void an_area_gained_lost_and_changed_is_followed_in_its_cases(void **state)
{
    struct hub_fixture *f = *state;
    hub_fixture_step(f);
    struct id north = some_case(f, "north"), south = some_case(f, "south");
    hub_fixture_site(f, "nurse", "health", "partner", NULL);
    hub_fixture_site(f, "night2", "school", "out_of_hours", NULL);
    hub_fixture_site(f, "mash2", "police", "mash", NULL);
    hub_fixture_settle(f);
    const char *const sites[] = {"nurse", "night2", "mash2"};
    for (size_t i = 0; i < 3; i++) {
        hub_fixture_step(f);
        struct id v = coverage(f, sites[i], "north");
        hub_fixture_settle(f);
        assert_true(hub_fixture_sees(f, sites[i], "case_file", north));
        assert_false(hub_fixture_sees(f, sites[i], "case_file", south));
        set(f, "coverage", v, "area", "south");
        assert_false(hub_fixture_sees(f, sites[i], "case_file", north));
        assert_true(hub_fixture_sees(f, sites[i], "case_file", south));
        set(f, "coverage", v, "area", "*");
        assert_true(hub_fixture_sees(f, sites[i], "case_file", north));
        set(f, "coverage", v, "site", "class");
        assert_false(hub_fixture_sees(f, sites[i], "case_file", north));
        set(f, "coverage", v, "site", sites[i]);
        remove_row(f, "coverage", v);
        assert_false(hub_fixture_sees(f, sites[i], "case_file", north));
        assert_false(hub_fixture_sees(f, sites[i], "case_file", south));
    }
}

static void a_site_that_comes_after_its_area_or_goes_before_it_is_followed(void **state)
{
    struct hub_fixture *f = *state;
    hub_fixture_step(f);
    struct id north = some_case(f, "north");
    (void)coverage(f, "clinic", "north");
    hub_fixture_settle(f);
    hub_fixture_step(f);
    hub_fixture_site(f, "clinic", "health", "partner", NULL);
    hub_fixture_settle(f);
    assert_true(hub_fixture_sees(f, "clinic", "case_file", north));
    assert_true(hub_fixture_sees(f, "clinic", "site", id_of(f, "SELECT id FROM site WHERE code = 'clinic'")));
    remove_row(f, "site", id_of(f, "SELECT id FROM site WHERE code = 'clinic'"));
    assert_false(hub_fixture_sees(f, "clinic", "case_file", north));
    assert_false(hub_fixture_sees(f, "clinic", "site", id_of(f, "SELECT id FROM site WHERE code = 'gp'")));
}

static void a_site_that_changes_its_agency_kind_or_code_is_followed(void **state)
{
    struct hub_fixture *f = *state;
    hub_fixture_step(f);
    struct id north = some_case(f, "north");
    hub_fixture_settle(f);
    struct id gp = id_of(f, "SELECT id FROM site WHERE code = 'gp'");
    assert_true(hub_fixture_sees(f, "gp", "case_file", north));
    set(f, "site", gp, "agency", "police");
    assert_false(hub_fixture_sees(f, "gp", "case_file", north));
    set(f, "site", gp, "kind", "out_of_hours");
    assert_true(hub_fixture_sees(f, "gp", "case_file", north));
    set(f, "site", gp, "kind", "partner");
    set(f, "site", gp, "agency", "health");
    set(f, "site", gp, "code", "surgery");
    assert_false(hub_fixture_sees(f, "gp", "case_file", north));
    assert_false(hub_fixture_sees(f, "surgery", "case_file", north)); /* it covers nothing under that name */
    set(f, "site", gp, "code", "far");
    set(f, "site", gp, "code", "gp");
    assert_true(hub_fixture_sees(f, "gp", "case_file", north));
}

static void a_site_that_is_named_in_cases_elsewhere_is_followed(void **state)
{
    struct hub_fixture *f = *state;
    hub_fixture_step(f);
    struct id north = some_case(f, "north");
    (void)hub_fixture_row(f, "participant", north, "council", "member", "health", "site", "lodge", "access", "view",
                          NULL);
    hub_fixture_settle(f);
    hub_fixture_step(f);
    hub_fixture_site(f, "lodge", "health", "partner", NULL);
    hub_fixture_settle(f);
    assert_true(hub_fixture_sees(f, "lodge", "case_file", north));
    set(f, "site", id_of(f, "SELECT id FROM site WHERE code = 'lodge'"), "agency", "school");
    assert_false(hub_fixture_sees(f, "lodge", "case_file", north));
}

static void an_agency_of_another_kind_knows_other_identifiers(void **state)
{
    struct hub_fixture *f = *state;
    hub_fixture_step(f);
    (void)some_case(f, "north");
    hub_fixture_settle(f);
    struct id nhs = id_of(f, "SELECT id FROM identifier"),
              health = id_of(f, "SELECT id FROM agency WHERE code = 'health'");
    assert_true(hub_fixture_sees(f, "gp", "identifier", nhs));
    set(f, "agency", health, "kind", "housing");
    assert_false(hub_fixture_sees(f, "gp", "identifier", nhs));
    set(f, "agency", health, "kind", "health");
    assert_true(hub_fixture_sees(f, "gp", "identifier", nhs));
    remove_row(f, "agency", health);
    assert_false(hub_fixture_sees(f, "gp", "identifier", nhs));
}

static void an_agency_that_joins_sees_what_was_addressed_to_it(void **state)
{
    struct hub_fixture *f = *state;
    hub_fixture_step(f);
    struct id north = some_case(f, "north");
    struct id asked = hub_fixture_row(f, "request", north, "council", "to_agency", "charity", NULL);
    hub_fixture_settle(f);
    hub_fixture_step(f);
    hub_fixture_agency(f, "charity", "voluntary");
    hub_fixture_settle(f);
    hub_fixture_step(f);
    hub_fixture_site(f, "shelter", "charity", "partner", "north");
    hub_fixture_settle(f);
    assert_true(hub_fixture_sees(f, "shelter", "request", asked));
    assert_false(hub_fixture_sees(f, "shelter", "case_file", north));
}

/* The author of one of the two values moves to another agency, which then sees the settled conflict. */
static void a_conflict_follows_its_author_to_another_site(void **state)
{
    struct hub_fixture *f = *state;
    char brief[34], who[34];
    hub_fixture_step(f);
    struct id c = some_case(f, "north");
    struct id b = hub_fixture_row(f, "brief", c, "council", "summary", "told twice", NULL);
    struct id person = hub_fixture_row(f, "practitioner", no_case, "", "site", "class", "name", "A", NULL);
    struct id conflict = hub_fixture_row(f, "conflict", c, "council", "tbl", "brief", "row_id",
                                         hub_fixture_hex(b, brief), "col", "summary", "policy", "escalate", "state",
                                         "settled", "lost_by", hub_fixture_hex(person, who), NULL);
    hub_fixture_settle(f);
    assert_true(hub_fixture_sees(f, "class", "conflict", conflict));
    set(f, "practitioner", person, "site", "station");
    assert_false(hub_fixture_sees(f, "class", "conflict", conflict));
    assert_true(hub_fixture_sees(f, "station", "conflict", conflict));
    set(f, "site", id_of(f, "SELECT id FROM site WHERE code = 'station'"), "agency", "school");
    assert_true(hub_fixture_sees(f, "class", "conflict", conflict));
    remove_row(f, "practitioner", person);
    assert_false(hub_fixture_sees(f, "class", "conflict", conflict));
}

/* -------------------------------------------------------------------------------------- and grows with nothing else */

struct store {
    struct hub_fixture *f;
    struct fixture_node *nodes[20];
    size_t n_nodes;
    struct id c, part, consent, record, area;
};

/* Steps of SQLite's machine in all statements since this was asked last. */
static int64_t count(struct hub_fixture *f)
{
    int64_t n = 0;
    for (sqlite3_stmt *s = NULL; (s = sqlite3_next_stmt(db_sqlite(f->h.db), s)) != NULL;)
        n += sqlite3_stmt_status(s, SQLITE_STMTSTATUS_VM_STEP, 1);
    return n;
}

static void serve(struct hub_fixture *f, struct fixture_node *n)
{
    struct served page = {.more = true};
    struct cut from;
    hub_fixture_begin(f);
    while (page.more) {
        assert_int_equal(cut_get(&f->h, n->n.no, n->cursor, &from, NULL), ERR_OK);
        assert_int_equal(serve_page(&f->h, &n->n, &from, 1 << 20, &page, NULL), ERR_OK);
        memcpy(n->cursor, page.cut.name, 16);
        served_release(&page);
    }
    hub_fixture_commit(f);
}

/* One case in the north with everything that is measured, its readers' devices served; beside it so many cases and
 * devices that have nothing to do with it, in the south and with the police. */
static void fill(struct store *x, size_t others, size_t devices)
{
    struct hub_fixture *f = x->f = hub_fixture_new(9);
    char child[34];
    hub_fixture_town(f);
    hub_fixture_step(f);
    x->c = some_case(f, "north");
    struct id person = hub_fixture_row(f, "person", x->c, "council", "role", "child", NULL);
    x->record = hub_fixture_row(f, "record", x->c, "council", "person_id", hub_fixture_hex(person, child),
                                "sensitivity", "open", "needs_consent", "#1", NULL);
    x->consent = hub_fixture_row(f, "consent", x->c, "council", "person_id", child, "scope", "all", NULL);
    for (size_t i = 0; i < others; i++) {
        struct id c = some_case(f, "south");
        (void)hub_fixture_share(f, c, "police", "contribute");
        (void)hub_fixture_row(f, "record", c, "police", "sensitivity", "open", "needs_consent", "#1", NULL);
    }
    hub_fixture_settle(f);
    for (size_t i = 0; i < devices; i++)
        x->nodes[x->n_nodes++] = hub_fixture_node(f, i == 0 ? "gp" : i == 1 ? "far" : "station");
    for (size_t i = 0; i < x->n_nodes; i++) serve(f, x->nodes[i]);
}

enum act {
    SHARE,
    UNSHARE,
    CONSENT,
    WITHDRAW,
    OVERRIDE,
    WRITE,
    MOVE,
    BACK,
    DUTY,
    AREA,
    AREA_LOST,
    SITE,
    AGENCY,
    PERSON,
    DUE
};

static void act(struct store *x, enum act what)
{
    struct hub_fixture *f = x->f;
    switch (what) {
    case SHARE: x->part = hub_fixture_share(f, x->c, "school", "contribute"); return;
    case UNSHARE: hub_fixture_set(f, "participant", x->part, "voided_at", "#1"); return;
    case CONSENT: hub_fixture_set(f, "consent", x->consent, "state", "given"); return;
    case WITHDRAW: hub_fixture_set(f, "consent", x->consent, "state", "withdrawn"); return;
    case OVERRIDE:
        hub_fixture_set(f, "record", x->record, "override_at", "#1");
        hub_fixture_set(f, "record", x->record, "override_reason", "a child at risk");
        return;
    case WRITE: hub_fixture_set(f, "record", x->record, "body", "more"); return;
    case MOVE: hub_fixture_set(f, "case_file", x->c, "area", "west"); return;
    case BACK: hub_fixture_set(f, "case_file", x->c, "area", "north"); return;
    case DUTY: {
        char who[34];
        struct id p = hub_fixture_row(f, "practitioner", no_case, "", "site", "office", "name", "B", NULL);
        (void)hub_fixture_row(f, "duty", no_case, "", "practitioner", hub_fixture_hex(p, who), "area", "*", "duty",
                              "manager", NULL);
        return;
    }
    case AREA: x->area = coverage(f, "far", "north"); return;
    case AREA_LOST: {
        const struct table_rule *t = rules_table((size_t)rules_table_index(bytes_of_str("coverage")));
        assert_int_equal(sight_remove(&f->h, t, x->area.b, NULL), ERR_OK);
        return;
    }
    case SITE: hub_fixture_site(f, "new", "council", "mash", "north"); return;
    case AGENCY: hub_fixture_agency(f, "charity", "voluntary"); return;
    case PERSON: (void)hub_fixture_row(f, "practitioner", no_case, "", "site", "gp", "name", "C", NULL); return;
    case DUE: { /* begins to end; its time comes in the transaction that follows */
        char when[32];
        (void)snprintf(when, sizeof when, "#%lld", (long long)f->clock + WEEK);
        hub_fixture_set(f, "participant", x->part, "until", when);
        return;
    }
    }
}

static int64_t measure(struct store *x, enum act what)
{
    struct hub_fixture *f = x->f;
    (void)count(f);
    hub_fixture_step(f);
    act(x, what);
    assert_int_equal(sight_settle(&f->h, NULL), ERR_OK);
    if (what == DUE) {
        hub_fixture_commit(f);
        f->clock += WEEK;
        hub_fixture_begin(f);
    }
    int64_t steps = count(f);
    hub_fixture_commit(f);
    assert_int_equal(hub_verify(&f->h, NULL), ERR_OK);
    return steps;
}

static void what_a_change_costs_does_not_grow_with_cases_and_devices_that_it_does_not_concern(void **state)
{
    if (test_store_file_only("it counts SQLite's steps")) skip();
    (void)state;
    static const char *const names[] = {"share",     "unshare", "consent", "withdrawal", "override",
                                        "write",     "move",    "back",    "duty",       "area",
                                        "area lost", "site",    "agency",  "person",     "an end"};
    static const struct {
        size_t others, devices;
    } stores[] = {{5, 3}, {200, 3}, {5, 20}};
    int64_t steps[3][sizeof names / sizeof names[0]];
    for (size_t k = 0; k < 3; k++) {
        struct store x = {0};
        fill(&x, stores[k].others, stores[k].devices);
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) steps[k][i] = measure(&x, (enum act)i);
        for (size_t i = 0; i < x.n_nodes; i++) hub_fixture_node_free(x.nodes[i]);
        hub_fixture_free(x.f);
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        int64_t few = steps[0][i], cases = steps[1][i], devices = steps[2][i];
        if (few < 100) fail_msg("%s: nothing was counted", names[i]);
        if (cases > few + few / 50)
            fail_msg("%s costs %lld steps, and %lld beside more cases", names[i], (long long)few, (long long)cases);
        /* A reference row that is taken away is dropped at every device, because each of them holds it. */
        if (i != AREA_LOST && devices > few + few / 50)
            fail_msg("%s costs %lld steps, and %lld beside more devices", names[i], (long long)few, (long long)devices);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_area_gained_lost_and_changed_is_followed_in_its_cases),
        TEST(a_site_that_comes_after_its_area_or_goes_before_it_is_followed),
        TEST(a_site_that_changes_its_agency_kind_or_code_is_followed),
        TEST(a_site_that_is_named_in_cases_elsewhere_is_followed),
        TEST(an_agency_of_another_kind_knows_other_identifiers),
        TEST(an_agency_that_joins_sees_what_was_addressed_to_it),
        TEST(a_conflict_follows_its_author_to_another_site),
        cmocka_unit_test(what_a_change_costs_does_not_grow_with_cases_and_devices_that_it_does_not_concern),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
