#include "tests/lib/hub_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PLENTY (1u << 20)

/* A case of the council in the north, shared with health to view, with an open record. */
struct play {
    struct hub_fixture *f;
    struct id c, part, record;
};

static int set_up(void **state)
{
    struct play *p = calloc(1, sizeof *p);
    assert_non_null(p);
    p->f = hub_fixture_new(2);
    hub_fixture_town(p->f);
    hub_fixture_step(p->f);
    p->c = hub_fixture_case(p->f);
    p->part = hub_fixture_share(p->f, p->c, "health", "view");
    p->record = hub_fixture_row(p->f, "record", p->c, "council", "sensitivity", "open", "title", "a", NULL);
    hub_fixture_settle(p->f);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct play *p = *state;
    hub_fixture_free(p->f);
    free(p);
    return 0;
}

static void set(struct play *p, const char *table, struct id id, const char *column, const char *value)
{
    hub_fixture_step(p->f);
    hub_fixture_set(p->f, table, id, column, value);
    hub_fixture_settle(p->f);
}

static void unshare(struct play *p)
{
    set(p, "participant", p->part, "access", "none");
}

static void share(struct play *p)
{
    set(p, "participant", p->part, "access", "view");
}

static int64_t open_drops(struct play *p)
{
    return hub_fixture_number(p->f, "SELECT count(*) FROM h_drop WHERE request IS NULL");
}

static struct fixture_node *served(struct play *p, const char *site)
{
    struct fixture_node *n = hub_fixture_node(p->f, site);
    hub_fixture_pull(p->f, n, PLENTY);
    return n;
}

static void drops_go_to_every_node_of_the_site_that_was_served_and_no_other(void **state)
{
    struct play *p = *state;
    struct fixture_node *one = served(p, "gp"), *two = served(p, "gp"), *never = hub_fixture_node(p->f, "gp");
    unshare(p);
    struct fixture_node *later = hub_fixture_node(p->f, "gp");
    hub_fixture_pull(p->f, one, PLENTY);
    hub_fixture_pull(p->f, two, PLENTY);
    hub_fixture_pull(p->f, never, PLENTY);
    hub_fixture_pull(p->f, later, PLENTY);
    assert_int_equal(one->got_drops, 2); /* case_file and record; its own participant row stays */
    assert_int_equal(two->got_drops, 2);
    assert_int_equal(never->got_drops, 0);
    assert_int_equal(later->got_drops, 0);
    hub_fixture_is_exact(p->f, one);
    hub_fixture_is_exact(p->f, later);
    hub_fixture_node_free(one);
    hub_fixture_node_free(two);
    hub_fixture_node_free(never);
    hub_fixture_node_free(later);
}

static void drops_are_ordered_for_revoked_nodes_too(void **state)
{
    struct play *p = *state;
    struct fixture_node *n = served(p, "gp");
    hub_fixture_sql(p->f, "UPDATE h_node SET state = 'revoked'");
    unshare(p);
    assert_int_equal(open_drops(p), 2);
    hub_fixture_node_free(n);
}

/* Lose and regain before contact: the drop is still sent, and the page of the same answer carries the whole row. */
static void drops_go_before_the_page_that_gives_the_row_back(void **state)
{
    struct play *p = *state;
    struct fixture_node *n = served(p, "gp");
    unshare(p);
    share(p);
    uint64_t rows = n->got_rows;
    hub_fixture_ask(p->f, n, PLENTY);
    assert_int_equal(n->answer.n_drops, 2);
    hub_fixture_take(p->f, n);
    assert_int_equal(n->got_rows - rows, 2);
    hub_fixture_is_exact(p->f, n);
    hub_fixture_node_free(n);
}

static void drops_are_not_written_twice_while_one_waits(void **state)
{
    struct play *p = *state;
    struct fixture_node *n = served(p, "gp");
    unshare(p);
    share(p);
    unshare(p);
    assert_int_equal(open_drops(p), 2);
    hub_fixture_pull(p->f, n, PLENTY);
    hub_fixture_is_exact(p->f, n);
    hub_fixture_node_free(n);
}

/* The answer with the drops is lost, sight comes back, the node asks again and gets the lost answer first. */
static void drops_in_a_lost_answer_are_told_before_sight_is_given_back(void **state)
{
    struct play *p = *state;
    struct fixture_node *n = served(p, "gp");
    unshare(p);
    hub_fixture_ask(p->f, n, PLENTY);
    share(p);
    hub_fixture_pull(p->f, n, PLENTY);
    assert_true(hub_fixture_holds(n, "record", p->record));
    hub_fixture_is_exact(p->f, n);
    hub_fixture_node_free(n);
}

/* An answer counts as received the moment it may have left. */
static void drops_follow_a_page_that_may_have_been_lost(void **state)
{
    struct play *p = *state;
    struct fixture_node *n = hub_fixture_node(p->f, "gp");
    hub_fixture_ask(p->f, n, PLENTY);
    unshare(p);
    assert_int_equal(open_drops(p), 2);
    hub_fixture_pull(p->f, n, PLENTY);
    hub_fixture_is_exact(p->f, n);
    hub_fixture_node_free(n);
}

/* A partial page holds the first row only: what comes after it was never sent, and its id must not be told. */
static void drops_name_of_a_partial_page_only_what_was_in_it(void **state)
{
    struct play *p = *state;
    struct fixture_node *n = hub_fixture_node(p->f, "gp");
    do {
        hub_fixture_ask(p->f, n, 1);
        hub_fixture_take(p->f, n);
    } while (!hub_fixture_holds(n, "case_file", p->c));
    assert_false(hub_fixture_holds(n, "record", p->record));
    unshare(p);
    assert_int_equal(open_drops(p), 1);
    hub_fixture_pull(p->f, n, 1);
    hub_fixture_is_exact(p->f, n);
    share(p);
    hub_fixture_pull(p->f, n, 1);
    hub_fixture_is_exact(p->f, n);
    hub_fixture_node_free(n);
}

static void drops_and_series_meet_without_losing_a_row(void **state)
{
    struct play *p = *state;
    struct fixture_node *n = hub_fixture_node(p->f, "gp");
    do {
        hub_fixture_ask(p->f, n, 1);
        hub_fixture_take(p->f, n);
    } while (!hub_fixture_holds(n, "case_file", p->c));
    unshare(p); /* the case, served, is dropped; the record, not served, comes back before its turn */
    share(p);
    hub_fixture_pull(p->f, n, 1);
    hub_fixture_is_exact(p->f, n);
    unshare(p);
    hub_fixture_pull(p->f, n, 1);
    hub_fixture_is_exact(p->f, n);
    assert_false(hub_fixture_holds(n, "record", p->record));
    hub_fixture_node_free(n);
}

/* couchbase-lite-c #241: an edit of its own that ends its access. */
static void drops_reach_the_author_whose_own_edit_ended_its_access(void **state)
{
    struct play *p = *state;
    struct fixture_node *n = served(p, "gp");
    const struct table_rule *t = rules_table((size_t)rules_table_index(bytes_of_str("participant")));
    hub_fixture_step(p->f);
    hub_fixture_set(p->f, "participant", p->part, "access", "none");
    assert_int_equal(sight_named(&p->f->h, n->n.no, t, p->part.b, NULL), ERR_OK);
    hub_fixture_settle(p->f);
    hub_fixture_pull(p->f, n, PLENTY);
    assert_false(hub_fixture_holds(n, "record", p->record));
    hub_fixture_is_exact(p->f, n);
    hub_fixture_node_free(n);
}

/* Rule 4: accepted from an author whose site may not see it. The site was never served the row. */
static void drops_reach_an_author_at_once_when_its_site_may_not_see_the_row(void **state)
{
    struct play *p = *state;
    struct fixture_node *far = served(p, "far"), *gp = served(p, "gp");
    hub_fixture_step(p->f);
    struct id mine = hub_fixture_row(p->f, "record", p->c, "health", "sensitivity", "open", NULL);
    hub_fixture_node_wrote(p->f, far, "record", mine);
    hub_fixture_settle(p->f);
    assert_int_equal(open_drops(p), 1);
    hub_fixture_pull(p->f, far, PLENTY);
    assert_false(hub_fixture_holds(far, "record", mine));
    hub_fixture_pull(p->f, gp, PLENTY);
    assert_true(hub_fixture_holds(gp, "record", mine));
    hub_fixture_node_free(far);
    hub_fixture_node_free(gp);
}

/* A row that the node wrote and was never served is still held there: named is enough, until it was told to forget
 * it. */
static void drops_reach_what_a_node_wrote_but_was_never_served(void **state)
{
    struct play *p = *state;
    struct fixture_node *n = served(p, "gp");
    hub_fixture_step(p->f);
    struct id mine = hub_fixture_row(p->f, "record", p->c, "health", "sensitivity", "restricted", NULL);
    hub_fixture_node_wrote(p->f, n, "record", mine);
    hub_fixture_settle(p->f);
    set(p, "case_file", p->c, "restricted", "#1");
    assert_int_equal(open_drops(p), 4);
    hub_fixture_pull(p->f, n, PLENTY);
    hub_fixture_is_exact(p->f, n);
    set(p, "case_file", p->c, "restricted", "#0"); /* nothing of this is served to the node */
    set(p, "case_file", p->c, "restricted", "#1");
    assert_int_equal(open_drops(p), 0);
    hub_fixture_node_free(n);
}

/* sync_gateway #1791: the row is voided after access ended; electric #4004: what made it visible is voided. */
static void drops_do_not_depend_on_what_happens_to_the_row_after(void **state)
{
    struct play *p = *state;
    struct fixture_node *n = served(p, "gp");
    set(p, "participant", p->part, "voided_at", "#1");
    set(p, "record", p->record, "voided_at", "#1");
    set(p, "case_file", p->c, "voided_at", "#1");
    hub_fixture_pull(p->f, n, PLENTY);
    assert_int_equal(n->got_drops, 3);
    hub_fixture_is_exact(p->f, n);
    hub_fixture_node_free(n);
}

/* Syncular: narrowing purges as a full revocation does. sync_gateway #313: one reason of several goes. */
static void drops_follow_narrowing_but_not_the_loss_of_one_reason_of_two(void **state)
{
    struct play *p = *state;
    struct fixture_node *n = served(p, "gp");
    hub_fixture_step(p->f);
    struct id second =
        hub_fixture_row(p->f, "participant", p->c, "council", "member", "health", "site", "gp", "access", "view", NULL);
    hub_fixture_settle(p->f);
    hub_fixture_pull(p->f, n, PLENTY);
    set(p, "participant", second, "access", "none");
    assert_int_equal(open_drops(p), 0);
    set(p, "participant", p->part, "access", "check");
    hub_fixture_pull(p->f, n, PLENTY);
    assert_false(hub_fixture_holds(n, "record", p->record));
    assert_true(hub_fixture_holds(n, "case_file", p->c));
    hub_fixture_is_exact(p->f, n);
    hub_fixture_node_free(n);
}

/* ndb-core #4198: a list of every unreadable changed document tells which there are. */
static void drops_never_name_a_row_that_the_node_did_not_hold(void **state)
{
    struct play *p = *state;
    struct fixture_node *n = served(p, "gp");
    hub_fixture_step(p->f);
    struct id hidden = hub_fixture_row(p->f, "record", p->c, "council", "sensitivity", "sensitive", NULL);
    hub_fixture_settle(p->f);
    set(p, "record", hidden, "sensitivity", "open"); /* seen for a moment between two contacts */
    set(p, "record", hidden, "sensitivity", "sensitive");
    assert_int_equal(open_drops(p), 0);
    hub_fixture_ask(p->f, n, PLENTY);
    assert_int_equal(n->answer.pages.len, 0);
    hub_fixture_take(p->f, n);
    hub_fixture_node_free(n);
}

/* CHT, Couchbase Lite: given back means given back, not "when next updated". */
static void drops_are_followed_by_a_full_backfill_when_sight_returns(void **state)
{
    struct play *p = *state;
    struct fixture_node *n = served(p, "gp");
    unshare(p);
    hub_fixture_pull(p->f, n, PLENTY);
    hub_fixture_is_exact(p->f, n);
    share(p);
    hub_fixture_pull(p->f, n, PLENTY);
    assert_true(hub_fixture_holds(n, "record", p->record));
    hub_fixture_is_exact(p->f, n);
    hub_fixture_node_free(n);
}

static void drops_take_reference_rows_that_were_taken_away(void **state)
{
    struct play *p = *state;
    const struct table_rule *t = rules_table((size_t)rules_table_index(bytes_of_str("code_list")));
    struct fixture_node *n;
    hub_fixture_step(p->f);
    struct id word = hub_fixture_row(p->f, "code_list", p->c, "", "list", "l", "code", "c", NULL);
    hub_fixture_settle(p->f);
    n = served(p, "gp");
    hub_fixture_step(p->f);
    assert_int_equal(sight_remove(&p->f->h, t, word.b, NULL), ERR_OK);
    hub_fixture_settle(p->f);
    hub_fixture_pull(p->f, n, PLENTY);
    assert_int_equal(n->got_drops, 1);
    hub_fixture_is_exact(p->f, n);
    hub_fixture_step(p->f); /* and comes again under the same id */
    (void)hub_fixture_row_by(p->f, &p->f->hub, word, "code_list", p->c, "",
                             (const char *const[]){"list", "l", "code", "d", NULL});
    hub_fixture_settle(p->f);
    hub_fixture_pull(p->f, n, PLENTY);
    assert_true(hub_fixture_holds(n, "code_list", word));
    hub_fixture_is_exact(p->f, n);
    hub_fixture_node_free(n);
}

static void drops_stay_unconfirmed_until_the_right_receipt(void **state)
{
    struct play *p = *state;
    struct fixture_node *n = served(p, "gp"), *other = served(p, "ward");
    const char *confirmed = "SELECT count(*) FROM h_drop WHERE receipt_at IS NOT NULL";
    unshare(p);
    hub_fixture_pull(p->f, n, PLENTY);
    struct receipt right = {.request = n->request, .rows = 2, .kind = 1, .parked = 1}, r;
    memcpy(right.node, n->n.id.kid, 16);
    memcpy(right.drops_hash, n->drops_hash, 32);
    struct bytes cose = bytes_of("signed", 6);
    hub_fixture_begin(p->f);
    r = right;
    r.request++;
    assert_int_equal(drops_receipt(&p->f->h, &n->n, &r, cose, NULL), ERR_TAMPERED);
    r = right;
    r.rows = 1;
    assert_int_equal(drops_receipt(&p->f->h, &n->n, &r, cose, NULL), ERR_TAMPERED);
    r = right;
    r.drops_hash[0] ^= 1;
    assert_int_equal(drops_receipt(&p->f->h, &n->n, &r, cose, NULL), ERR_TAMPERED);
    r = right;
    memcpy(r.node, other->n.id.kid, 16);
    assert_int_equal(drops_receipt(&p->f->h, &n->n, &r, cose, NULL), ERR_TAMPERED);
    assert_int_equal(drops_receipt(&p->f->h, &other->n, &right, cose, NULL), ERR_TAMPERED);
    assert_int_equal(hub_fixture_number(p->f, confirmed), 0);
    assert_int_equal(drops_receipt(&p->f->h, &n->n, &right, cose, NULL), ERR_OK);
    assert_int_equal(drops_receipt(&p->f->h, &n->n, &right, cose, NULL), ERR_OK); /* twice is fine */
    assert_int_equal(hub_fixture_number(p->f, confirmed), 2);
    assert_int_equal(hub_fixture_number(p->f, "SELECT parked FROM h_drop_order WHERE receipt_at IS NOT NULL"), 1);
    assert_int_equal(hub_fixture_number(p->f, "SELECT count(*) FROM h_leaf WHERE substr(content, 2, 1) = x'07'"), 1);
    right.kind = 2;
    assert_int_equal(drops_receipt(&p->f->h, &n->n, &right, bytes_of("signed anew", 11), NULL), ERR_OK);
    assert_int_equal(hub_fixture_number(p->f, "SELECT parked FROM h_drop_order WHERE receipt_at IS NOT NULL"), 0);
    hub_fixture_commit(p->f);
    hub_fixture_node_free(n);
    hub_fixture_node_free(other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(drops_go_to_every_node_of_the_site_that_was_served_and_no_other),
        TEST(drops_are_ordered_for_revoked_nodes_too),
        TEST(drops_go_before_the_page_that_gives_the_row_back),
        TEST(drops_are_not_written_twice_while_one_waits),
        TEST(drops_in_a_lost_answer_are_told_before_sight_is_given_back),
        TEST(drops_follow_a_page_that_may_have_been_lost),
        TEST(drops_name_of_a_partial_page_only_what_was_in_it),
        TEST(drops_and_series_meet_without_losing_a_row),
        TEST(drops_reach_the_author_whose_own_edit_ended_its_access),
        TEST(drops_reach_an_author_at_once_when_its_site_may_not_see_the_row),
        TEST(drops_reach_what_a_node_wrote_but_was_never_served),
        TEST(drops_do_not_depend_on_what_happens_to_the_row_after),
        TEST(drops_follow_narrowing_but_not_the_loss_of_one_reason_of_two),
        TEST(drops_never_name_a_row_that_the_node_did_not_hold),
        TEST(drops_are_followed_by_a_full_backfill_when_sight_returns),
        TEST(drops_take_reference_rows_that_were_taken_away),
        TEST(drops_stay_unconfirmed_until_the_right_receipt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
