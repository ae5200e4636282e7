/* Another policy in a hub that lives: first it takes, then it gives, and at no moment does a site see what only one of
 * the two would show it. */
#include "hub/policy_change.h"
#include "tests/lib/hub_fixture.h"
#include "tests/lib/must.h"
#include "tests/lib/policy_variant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PLENTY (1u << 20)
#define CASES  6

/* Cases of the council in the north: health views them, the police are asked to check, the school contributes. */
struct play {
    struct hub_fixture *f;
    struct id c[CASES], warning[CASES], rating[CASES], referral[CASES], brief[CASES];
    struct fixture_node *gp, *station, *mash;
};

/* It takes the warning from those who only check, and the referral is for whoever sees the work of the case. */
static const struct policy_variant mixed = {
    .rows =
        "WHEN tbl = 'warning' AND channel = 'face' THEN 'shared' WHEN tbl = 'referral' AND channel = 'room' THEN 'shared'"};

static void make_case(struct play *p, int i)
{
    p->c[i] = hub_fixture_case(p->f);
    (void)hub_fixture_share(p->f, p->c[i], "health", "view");
    (void)hub_fixture_share(p->f, p->c[i], "police", "check");
    (void)hub_fixture_share(p->f, p->c[i], "school", "contribute");
    p->warning[i] = hub_fixture_row(p->f, "warning", p->c[i], "council", "note", "dog", NULL);
    p->rating[i] = hub_fixture_row(p->f, "rating", p->c[i], "council", "rag", "amber", NULL);
    p->referral[i] = hub_fixture_row(p->f, "referral", p->c[i], "council", "source", "worried", NULL);
    p->brief[i] = hub_fixture_row(p->f, "brief", p->c[i], "council", NULL);
}

static int set_up(void **state)
{
    struct play *p = calloc(1, sizeof *p);
    assert_non_null(p);
    p->f = hub_fixture_new(5);
    hub_fixture_town(p->f);
    hub_fixture_step(p->f);
    for (int i = 0; i < CASES; i++) make_case(p, i);
    hub_fixture_settle(p->f);
    p->gp = hub_fixture_node(p->f, "gp");
    p->station = hub_fixture_node(p->f, "station");
    p->mash = hub_fixture_node(p->f, "mash");
    hub_fixture_pull(p->f, p->gp, PLENTY);
    hub_fixture_pull(p->f, p->station, PLENTY);
    hub_fixture_pull(p->f, p->mash, PLENTY);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct play *p = *state;
    hub_fixture_node_free(p->gp);
    hub_fixture_node_free(p->station);
    hub_fixture_node_free(p->mash);
    hub_fixture_free(p->f);
    free(p);
    return 0;
}

static bool go_on(struct play *p, size_t cases)
{
    bool done = false;
    MUST(hub_policy_continue(&p->f->h, cases, &done, &why));
    policy_variant_agrees(p->f);
    return done;
}

static bool widens(struct play *p)
{
    struct hub_policy_progress progress;
    MUST(hub_policy_progress(&p->f->h, &progress, &why));
    return progress.under_way && progress.widening;
}

static void pull_exactly(struct play *p, struct fixture_node *n)
{
    hub_fixture_pull(p->f, n, PLENTY);
    hub_fixture_is_exact(p->f, n);
}

static int held(const struct fixture_node *n, const char *table, const struct id *ids)
{
    int count = 0;
    for (int i = 0; i < CASES; i++) count += hub_fixture_holds(n, table, ids[i]);
    return count;
}

static void a_policy_takes_in_every_case_before_it_gives_in_any(void **state)
{
    struct play *p = *state;
    assert_int_equal(held(p->station, "warning", p->warning), CASES);
    assert_int_equal(held(p->gp, "referral", p->referral), 0);
    policy_variant_begin(p->f, &mixed);
    policy_variant_agrees(p->f);
    while (!widens(p)) {
        assert_false(go_on(p, 2));
        pull_exactly(p, p->gp);
        pull_exactly(p, p->station);
        assert_int_equal(held(p->gp, "referral", p->referral), 0);
        assert_int_equal(held(p->gp, "warning", p->warning), CASES);
    }
    assert_int_equal(held(p->station, "warning", p->warning), 0);
    bool done = false;
    int before = 0;
    while (!done) {
        done = go_on(p, 2);
        pull_exactly(p, p->gp);
        pull_exactly(p, p->station);
        assert_true(held(p->gp, "referral", p->referral) >= before);
        before = held(p->gp, "referral", p->referral);
    }
    assert_int_equal(before, CASES);
    assert_int_equal(held(p->station, "warning", p->warning), 0);
}

static void who_sees_a_row_under_both_policies_is_told_nothing_of_the_change(void **state)
{
    struct play *p = *state;
    uint64_t rows = p->mash->got_rows;
    policy_variant_begin(p->f, &mixed);
    for (bool done = false; !done;) {
        done = go_on(p, 1);
        hub_fixture_ask(p->f, p->mash, PLENTY);
        assert_int_equal(p->mash->answer.n_drops, 0);
        assert_int_equal(p->mash->answer.pages.len, 0);
        hub_fixture_take(p->f, p->mash);
    }
    assert_int_equal(p->mash->got_rows, rows);
    hub_fixture_is_exact(p->f, p->mash);
    assert_int_equal(p->gp->got_drops, 0);
    hub_fixture_pull(p->f, p->gp, PLENTY);
    assert_int_equal(p->gp->got_drops, 0); /* face or shared: the surgery saw the warning all along */
}

static void what_a_policy_takes_is_dropped_at_the_devices_that_hold_it_until_their_receipt(void **state)
{
    struct play *p = *state;
    struct fixture_node *never = hub_fixture_node(p->f, "station");
    policy_variant_begin(p->f, &mixed);
    policy_variant_finish(p->f);
    hub_fixture_ask(p->f, never, PLENTY);
    assert_int_equal(never->answer.n_drops, 0);
    hub_fixture_ask(p->f, p->station, PLENTY);
    assert_int_equal(p->station->answer.n_drops, CASES);
    assert_int_equal(hub_fixture_number(p->f, "SELECT count(*) FROM h_drop WHERE receipt_at IS NULL"), CASES);
    hub_fixture_take(p->f, p->station);
    hub_fixture_is_exact(p->f, p->station);
    struct receipt r = {.kind = 1, .request = p->station->answer.request, .rows = CASES};
    memcpy(r.node, p->station->n.id.kid, sizeof r.node);
    memcpy(r.drops_hash, p->station->drops_hash, sizeof r.drops_hash);
    hub_fixture_begin(p->f);
    MUST(drops_receipt(&p->f->h, &p->station->n, &r, bytes_of("x", 1), &why));
    hub_fixture_commit(p->f);
    assert_int_equal(hub_fixture_number(p->f, "SELECT count(*) FROM h_drop WHERE receipt_at IS NULL"), 0);
    hub_fixture_node_free(never);
}

static void a_write_in_a_case_under_both_policies_goes_to_whom_both_show_it(void **state)
{
    struct play *p = *state;
    policy_variant_begin(p->f, &mixed);
    while (!widens(p)) (void)go_on(p, CASES);
    assert_int_equal(hub_fixture_number(p->f, "SELECT policy FROM h_case WHERE no = 1"), CASE_BOTH);
    hub_fixture_step(p->f);
    struct id warning = hub_fixture_row(p->f, "warning", p->c[0], "council", "note", "stairs", NULL);
    struct id referral = hub_fixture_row(p->f, "referral", p->c[0], "council", "source", "again", NULL);
    struct id rating = hub_fixture_row(p->f, "rating", p->c[0], "school", "rag", "red", NULL);
    hub_fixture_set(p->f, "rating", p->rating[0], "rag", "green");
    hub_fixture_settle(p->f);
    policy_variant_agrees(p->f);
    pull_exactly(p, p->gp);
    pull_exactly(p, p->station);
    assert_true(hub_fixture_holds(p->gp, "warning", warning) && hub_fixture_holds(p->gp, "rating", rating));
    assert_false(hub_fixture_holds(p->gp, "referral", referral));
    assert_false(hub_fixture_holds(p->station, "warning", warning));
    assert_false(hub_fixture_holds(p->station, "rating", rating));
    policy_variant_finish(p->f);
    policy_variant_agrees(p->f);
    pull_exactly(p, p->gp);
    assert_true(hub_fixture_holds(p->gp, "referral", referral));
}

static void who_takes_part_may_change_in_a_case_under_both_policies(void **state)
{
    struct play *p = *state;
    policy_variant_begin(p->f, &mixed);
    while (!widens(p)) (void)go_on(p, CASES);
    hub_fixture_step(p->f);
    struct id part = hub_fixture_share(p->f, p->c[1], "police", "contribute");
    hub_fixture_settle(p->f);
    pull_exactly(p, p->station);
    assert_true(hub_fixture_holds(p->station, "warning", p->warning[1]));
    assert_false(hub_fixture_holds(p->station, "warning", p->warning[2]));
    hub_fixture_step(p->f);
    hub_fixture_set(p->f, "participant", part, "access", "none");
    hub_fixture_settle(p->f);
    policy_variant_agrees(p->f);
    pull_exactly(p, p->station);
    assert_false(hub_fixture_holds(p->station, "warning", p->warning[1]));
}

static void a_case_made_meanwhile_begins_as_the_phase_wants_it(void **state)
{
    struct play *p = *state;
    policy_variant_begin(p->f, &mixed);
    (void)go_on(p, 3);
    for (int phase = 0; phase < 2; phase++) {
        hub_fixture_step(p->f);
        make_case(p, phase);
        hub_fixture_settle(p->f);
        policy_variant_agrees(p->f);
        assert_int_equal(hub_fixture_number(p->f, "SELECT policy FROM h_case ORDER BY no DESC LIMIT 1"),
                         phase == 0 ? CASE_BOTH : CASE_COMING);
        pull_exactly(p, p->gp);
        pull_exactly(p, p->station);
        assert_false(hub_fixture_holds(p->station, "warning", p->warning[phase]));
        assert_int_equal(hub_fixture_holds(p->gp, "referral", p->referral[phase]), phase == 1);
        while (!widens(p)) (void)go_on(p, 3);
    }
    policy_variant_finish(p->f);
    policy_variant_agrees(p->f);
    pull_exactly(p, p->gp);
    assert_true(hub_fixture_holds(p->gp, "referral", p->referral[0]));
}

/* What comes first then: a question outside a transaction, a transaction that is undone, or the next cases. */
static void a_hub_that_is_killed_at_any_moment_goes_on_where_it_was(void **state)
{
    struct play *p = *state;
    bool done = false;
    policy_variant_begin(p->f, &mixed);
    for (int first = 0; !done; first = (first + 1) % 3) {
        hub_fixture_kill(p->f);
        if (first == 1) {
            MUST(hub_begin(&p->f->h, &why));
            hub_abort(&p->f->h);
        }
        if (first < 2) policy_variant_agrees(p->f);
        done = go_on(p, 1);
        pull_exactly(p, p->gp);
        pull_exactly(p, p->station);
    }
    hub_fixture_kill(p->f);
    policy_variant_agrees(p->f);
    assert_int_equal(hub_fixture_number(p->f, "SELECT count(*) FROM h_policy WHERE state = 'in_force' AND gen = 2"), 1);
    assert_int_equal(held(p->gp, "referral", p->referral), CASES);
}

static void a_transaction_that_is_undone_leaves_the_views_as_the_store_says(void **state)
{
    struct play *p = *state;
    char *text = policy_variant_text(&mixed);
    MUST(hub_begin(&p->f->h, &why));
    hub_abort(&p->f->h);
    MUST(hub_policy_apply(&p->f->h, bytes_of_str(text), "because", &why));
    for (bool done = false; !done;) {
        MUST(hub_begin(&p->f->h, &why));
        hub_abort(&p->f->h);
        policy_variant_agrees(p->f);
        done = go_on(p, 2);
    }
    MUST(hub_begin(&p->f->h, &why));
    hub_abort(&p->f->h);
    policy_variant_agrees(p->f);
    free(text);
}

static void a_second_policy_waits_until_the_first_is_complete(void **state)
{
    struct play *p = *state;
    char *text = policy_variant_text(&(struct policy_variant){.less = "site = 'night'"});
    struct why said = {0};
    bool done = false;
    assert_int_equal(hub_policy_apply(&p->f->h, bytes_of_str(text), "", &said), ERR_USAGE);
    policy_variant_begin(p->f, &mixed);
    assert_int_equal(hub_policy_apply(&p->f->h, bytes_of_str(text), "because", &said), ERR_EXISTS);
    assert_non_null(strstr(said.next, "policy continue"));
    policy_variant_finish(p->f);
    MUST(hub_policy_continue(&p->f->h, 1, &done, &why));
    assert_true(done);
    assert_int_equal(hub_policy_apply(&p->f->h, bytes_of_str("nonsense"), "because", &said), ERR_USAGE);
    MUST(hub_policy_apply(&p->f->h, bytes_of_str(text), "because", &why));
    policy_variant_finish(p->f);
    policy_variant_agrees(p->f);
    assert_false(hub_fixture_sees(p->f, "night", "warning", p->warning[0]));
    assert_true(hub_fixture_sees(p->f, "station", "warning", p->warning[0])); /* the first one is a former one now */
    assert_int_equal(hub_policy_apply(&p->f->h, bytes_of_str(text), "again", &said), ERR_EXISTS);
    free(text);
}

static void a_policy_that_only_takes_or_only_gives_moves_no_mask_twice(void **state)
{
    struct play *p = *state;
    static const struct policy_variant takes = {.rows = "WHEN tbl = 'warning' AND channel = 'face' THEN 'room'"};
    static const struct policy_variant gives = {
        .rows =
            "WHEN tbl = 'warning' AND channel = 'face' THEN 'room' WHEN tbl = 'brief' AND channel = 'shared' THEN 'face'"};
    int64_t before = hub_fixture_number(p->f, "SELECT count(*) FROM h_mask");
    policy_variant_begin(p->f, &takes);
    policy_variant_finish(p->f);
    policy_variant_agrees(p->f);
    assert_int_equal(hub_fixture_number(p->f, "SELECT count(*) FROM h_mask") - before, CASES);
    before += CASES;
    policy_variant_begin(p->f, &gives);
    policy_variant_finish(p->f);
    policy_variant_agrees(p->f);
    assert_int_equal(hub_fixture_number(p->f, "SELECT count(*) FROM h_mask") - before, CASES);
    assert_int_equal(hub_fixture_number(p->f, "SELECT count(*) FROM h_drop"), 2 * CASES); /* gp and station, warnings */
    pull_exactly(p, p->gp);
    pull_exactly(p, p->station);
    assert_int_equal(held(p->station, "brief", p->brief), CASES);
}

static void access_under_both_policies_is_the_lesser(void **state)
{
    struct play *p = *state;
    static const struct policy_variant v = {
        .access = "CASE WHEN site = 'class' THEN 1 WHEN site = 'gp' AND access = 2 THEN 3 ELSE access END"};
    static const char ask[] =
        "SELECT t.access FROM h_seat t JOIN h_site s ON s.no = t.site_no WHERE t.case_no = 1 AND s.code = ";
    char gp[256], class[256];
    (void)snprintf(gp, sizeof gp, "%s'gp'", ask);
    (void)snprintf(class, sizeof class, "%s'class'", ask);
    policy_variant_begin(p->f, &v);
    assert_int_equal(hub_fixture_number(p->f, class), 3);
    while (!widens(p)) (void)go_on(p, 3);
    assert_int_equal(hub_fixture_number(p->f, class), 1);
    assert_int_equal(hub_fixture_number(p->f, gp), 2);
    policy_variant_finish(p->f);
    policy_variant_agrees(p->f);
    assert_int_equal(hub_fixture_number(p->f, class), 1);
    assert_int_equal(hub_fixture_number(p->f, gp), 3);
    /* Where nothing is taken with it, it comes with the widening all the same. */
    policy_variant_begin(
        p->f, &(struct policy_variant){.access = "CASE WHEN site = 'gp' AND access = 2 THEN 3 ELSE access END"});
    while (!widens(p)) (void)go_on(p, 3);
    assert_int_equal(hub_fixture_number(p->f, class), 1);
    policy_variant_finish(p->f);
    policy_variant_agrees(p->f);
    assert_int_equal(hub_fixture_number(p->f, class), 3);
}

/* What a row bears upon is known of the program's own policy alone: under another one the whole case is asked. */
static void a_policy_may_read_rows_that_the_old_one_did_not(void **state)
{
    struct play *p = *state;
    static const struct policy_variant v = {
        .rows = "WHEN tbl = 'warning' AND EXISTS (SELECT 1 FROM rating x WHERE x.case_id = plain_channel0.case_id"
                " AND x.rag = 'red') THEN 'room'"};
    for (int phase = 0; phase < 3; phase++) {
        if (phase == 0) policy_variant_begin(p->f, &v);
        if (phase == 0) (void)go_on(p, CASES + 1);
        if (phase == 1) policy_variant_finish(p->f);
        if (phase == 2) hub_fixture_kill(p->f);
        hub_fixture_step(p->f);
        hub_fixture_set(p->f, "rating", p->rating[phase], "rag", "red");
        hub_fixture_settle(p->f);
        policy_variant_agrees(p->f);
        pull_exactly(p, p->gp);
        assert_false(hub_fixture_holds(p->gp, "warning", p->warning[phase]));
        assert_true(hub_fixture_holds(p->gp, "warning", p->warning[phase + 1]));
    }
}

static void a_policy_may_have_channels_of_its_own(void **state)
{
    struct play *p = *state;
    static const struct policy_variant v = {
        .rows = "WHEN tbl = 'warning' AND channel = 'face' THEN 'danger'",
        .more = "SELECT site, case_id, 'danger' FROM site_access0 WHERE site = 'station' OR site = 'mash'"};
    policy_variant_begin(p->f, &v);
    for (bool done = false; !done;) done = go_on(p, 2);
    pull_exactly(p, p->gp);
    pull_exactly(p, p->station);
    assert_int_equal(held(p->gp, "warning", p->warning), 0);
    assert_int_equal(held(p->station, "warning", p->warning), CASES);
    assert_int_equal(hub_fixture_number(p->f, "SELECT count(*) FROM h_channel WHERE name = 'danger'"), 1);
}

/* Each agency has a channel; 63 are all that there are. */
static void use_up_the_bits(struct hub_fixture *f)
{
    char code[16];
    int64_t n = hub_fixture_number(f, "SELECT max(bit) + 1 FROM h_channel");
    hub_fixture_step(f);
    for (; n < 63; n++) {
        (void)snprintf(code, sizeof code, "more%d", (int)n);
        hub_fixture_agency(f, code, "health");
    }
    hub_fixture_settle(f);
}

/* Else the first identifier of that scheme could not be taken in, nor anything that its device sends after it. */
static void a_scheme_that_there_is_no_bit_for_is_refused_though_nobody_may_know_it_yet(void **state)
{
    struct play *p = *state;
    char *text = policy_variant_changed("('upn', 'education')", "('upn', 'education'), ('prison', 'probation')");
    use_up_the_bits(p->f);
    assert_int_equal(hub_policy_apply(&p->f->h, bytes_of_str(text), "because", NULL), ERR_LIMIT);
    assert_false(hub_policy_is_coming(&p->f->h));
    free(text);
}

/* Else the hub would stop when the first case is closed, with every write and every sweep. */
static void a_channel_that_there_is_no_bit_for_is_refused_though_no_site_holds_it_yet(void **state)
{
    struct play *p = *state;
    static const struct policy_variant v = {
        .more = "SELECT a.site, a.case_id, 'archive' FROM site_access0 a JOIN case_file c ON c.id = a.case_id"
                " WHERE c.status = 'closed'"};
    char *text = policy_variant_text(&v);
    use_up_the_bits(p->f);
    assert_int_equal(hub_policy_apply(&p->f->h, bytes_of_str(text), "because", NULL), ERR_LIMIT);
    assert_false(hub_policy_is_coming(&p->f->h));
    free(text);
}

static void a_policy_with_more_channels_than_there_are_bits_is_refused_and_changes_nothing(void **state)
{
    struct play *p = *state;
    static const struct policy_variant v = {
        .more = "SELECT site, case_id, 'danger' FROM site_access0 WHERE site = 'station'"};
    char *text = policy_variant_text(&v);
    struct why said = {0};
    use_up_the_bits(p->f);
    assert_int_equal(hub_policy_apply(&p->f->h, bytes_of_str(text), "because", &said), ERR_LIMIT);
    assert_non_null(strstr(said.next, "Let the policy do with")); /* not what is said to one who adds an agency */
    assert_false(hub_policy_is_coming(&p->f->h));
    assert_int_equal(hub_fixture_number(p->f, "SELECT count(*) FROM h_policy"), 1);
    policy_variant_agrees(p->f);
    free(text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_policy_takes_in_every_case_before_it_gives_in_any),
        TEST(who_sees_a_row_under_both_policies_is_told_nothing_of_the_change),
        TEST(what_a_policy_takes_is_dropped_at_the_devices_that_hold_it_until_their_receipt),
        TEST(a_write_in_a_case_under_both_policies_goes_to_whom_both_show_it),
        TEST(who_takes_part_may_change_in_a_case_under_both_policies),
        TEST(a_case_made_meanwhile_begins_as_the_phase_wants_it),
        TEST(a_hub_that_is_killed_at_any_moment_goes_on_where_it_was),
        TEST(a_transaction_that_is_undone_leaves_the_views_as_the_store_says),
        TEST(a_second_policy_waits_until_the_first_is_complete),
        TEST(a_policy_that_only_takes_or_only_gives_moves_no_mask_twice),
        TEST(access_under_both_policies_is_the_lesser),
        TEST(a_policy_may_read_rows_that_the_old_one_did_not),
        TEST(a_policy_may_have_channels_of_its_own),
        TEST(a_policy_with_more_channels_than_there_are_bits_is_refused_and_changes_nothing),
        TEST(a_scheme_that_there_is_no_bit_for_is_refused_though_nobody_may_know_it_yet),
        TEST(a_channel_that_there_is_no_bit_for_is_refused_though_no_site_holds_it_yet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
