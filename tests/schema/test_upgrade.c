/* Hub and nodes whose programs are of different versions, updated in every order: nobody's words are lost, and what was
 * written in a column before a device had it arrives when it has. All programs are this one, with tables that
 * change. */
#include "tests/schema/world.h"

#include "sync/bundle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

/* At its real cost, deriving keys would be nearly all of the time. */
int __real_crypto_pwhash(unsigned char *out, unsigned long long out_n, const char *passphrase, unsigned long long n,
                         const unsigned char *salt, unsigned long long passes, size_t memory, int algorithm);
int __wrap_crypto_pwhash(unsigned char *out, unsigned long long out_n, const char *passphrase, unsigned long long n,
                         const unsigned char *salt, unsigned long long passes, size_t memory, int algorithm);

int __wrap_crypto_pwhash(unsigned char *out, unsigned long long out_n, const char *passphrase, unsigned long long n,
                         const unsigned char *salt, unsigned long long passes, size_t memory, int algorithm)
{
    (void)passes, (void)memory;
    return __real_crypto_pwhash(out, out_n, passphrase, n, salt, crypto_pwhash_OPSLIMIT_MIN, crypto_pwhash_MEMLIMIT_MIN,
                                algorithm);
}

/* No power fails here, and waiting for the disk would be nearly all of the rest. SQLite's calls end here too. */
int fsync(int fd)
{
    (void)fd;
    return 0;
}

int fdatasync(int fd)
{
    (void)fd;
    return 0;
}

enum { A, B, C, HUB };

#define MUST(call)                                                                                                     \
    do {                                                                                                               \
        struct why why_ = {0}, *why = &why_;                                                                           \
        enum err e_ = (call);                                                                                          \
        if (e_ != ERR_OK) fail_msg("%s: %s: %s %s", #call, err_word(e_), why->text, why->next);                        \
    } while (0)

/* All of one version, with cases and some entries. */
static void start(struct world *w, uint64_t seed, uint64_t speaks)
{
    world_new(w, seed, speaks);
    for (size_t i = 0; i < WORLD_NODES; i++) world_enrol(w, i, speaks);
    world_cases(w);
    MUST(world_sync(w, A, why));
    for (size_t i = 1; i <= WORLD_NODES; i++) {
        MUST(world_sync(w, i % WORLD_NODES, why));
        world_edit(w, i % WORLD_NODES);
    }
}

static void update(struct world *w, size_t who, uint64_t speaks)
{
    if (who == HUB)
        world_update_hub(w, speaks);
    else
        world_update_node(w, who, speaks);
}

/* What happens between two updates: entries by everybody, contacts by some, of which one may break off in the
 * middle. */
static void live(struct world *w, bool b_lags)
{
    for (size_t i = 0; i < WORLD_NODES; i++) {
        world_edit(w, i);
        if (b_lags && i == B) continue;
        uint64_t r = world_random(w) % 4;
        if (r == 0) MUST(world_sync(w, i, why));
        if (r == 1) MUST(world_short_round(w, i, why));
        world_edit(w, i);
    }
}

static bool next_order(int order[4])
{
    int i = 2, j = 3;
    while (i >= 0 && order[i] > order[i + 1]) i--;
    if (i < 0) return false;
    while (order[j] < order[i]) j--;
    int t = order[i];
    order[i] = order[j];
    order[j] = t;
    for (int a = i + 1, b = 3; a < b; a++, b--) {
        t = order[a];
        order[a] = order[b];
        order[b] = t;
    }
    return true;
}

static void every_order_of_updates_from_version_1_to_2_loses_no_value(void **state)
{
    (void)state;
    int order[4] = {A, B, C, HUB};
    uint64_t seed = 1;
    do {
        struct world w;
        start(&w, seed++, 1);
        for (int i = 0; i < 4; i++) {
            live(&w, true); /* B hears of nothing before the end, and comes with all that it wrote meanwhile */
            update(&w, (size_t)order[i], 2);
        }
        live(&w, true);
        world_settle_and_judge(&w);
        world_free(&w);
    } while (next_order(order));
    assert_int_equal(seed, 25);
}

static void values_that_were_there_before_arrive_after_the_update_though_nobody_touches_them(void **state)
{
    (void)state;
    struct world w;
    start(&w, 77, 1);
    MUST(world_sync(&w, C, why));
    MUST(world_sync(&w, B, why));
    update(&w, HUB, 2);
    update(&w, A, 2);
    MUST(world_sync(&w, A, why));
    assert_int_equal(world_schema(&w, A), 2);
    for (int i = 0; i < 12; i++) world_edit(&w, A);
    MUST(world_sync(&w, A, why));
    MUST(world_sync(&w, B, why)); /* its program is of version 1 */
    assert_int_equal(world_schema(&w, B), 1);
    assert_true(world_missing(&w, B) > 0);
    update(&w, B, 2);
    MUST(world_sync(&w, B, why)); /* one contact: it comes to the version, and gets what it has missed */
    assert_int_equal(world_schema(&w, B), 2);
    assert_int_equal(world_missing(&w, B), 0);
    assert_int_equal(world_missing(&w, HUB), 0);
    size_t pages = w.n_pages;
    MUST(world_sync(&w, B, why));
    assert_int_equal(w.n_pages, pages); /* once */
    update(&w, C, 2);
    world_settle_and_judge(&w);
    world_free(&w);
}

static void edits_that_waited_on_an_old_device_are_taken_in_after_its_update(void **state)
{
    (void)state;
    struct world w;
    start(&w, 5, 1);
    for (int i = 0; i < 5; i++) world_edit(&w, B);
    uint64_t waiting = world_unsent(&w, B);
    assert_true(waiting > 0);
    update(&w, HUB, 3);
    update(&w, B, 3);
    assert_int_equal(world_unsent(&w, B), waiting);
    MUST(world_sync(&w, B, why));
    assert_int_equal(world_unsent(&w, B), 0);
    assert_int_equal(world_schema(&w, B), 3);
    update(&w, A, 3);
    update(&w, C, 3);
    world_settle_and_judge(&w);
    world_free(&w);
}

/* FORMAT.md §6: served two versions behind, and no longer; then told to update, with nothing taken in or lost. */
static void a_device_more_than_two_versions_behind_keeps_its_work_until_it_is_updated(void **state)
{
    (void)state;
    struct world w;
    struct why said = {0};
    start(&w, 9, 1);
    for (uint64_t v = 2; v <= 3; v++) {
        update(&w, HUB, v);
        update(&w, B, v);
        update(&w, C, v);
        live(&w, false);
        world_edit(&w, A);
        MUST(world_sync(&w, A, why));
        assert_int_equal(world_schema(&w, A), 1);
        assert_int_equal(world_unsent(&w, A), 0);
    }
    update(&w, HUB, 4);
    for (int i = 0; i < 4; i++) world_edit(&w, A);
    uint64_t waiting = world_unsent(&w, A);
    size_t missing = world_missing(&w, HUB);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(world_sync(&w, A, &said), ERR_VERSION);
        assert_non_null(strstr(said.text, "too old for the MASH server"));
        assert_non_null(strstr(said.text, "Nothing is lost"));
        assert_int_equal(world_unsent(&w, A), waiting);
        assert_int_equal(world_missing(&w, HUB), missing);
        world_edit(&w, A); /* it can go on writing */
        waiting = world_unsent(&w, A);
        missing = world_missing(&w, HUB);
    }
    /* Administrators see why, once. */
    assert_int_equal(world_ask(&w, WORLD_NODES,
                               "SELECT count(*) FROM h_act WHERE act = 'refused' AND reason LIKE "
                               "'%too old%update the device%'"),
                     1);
    update(&w, A, 4);
    MUST(world_sync(&w, A, why));
    assert_int_equal(world_schema(&w, A), 4);
    update(&w, B, 4);
    update(&w, C, 4);
    live(&w, false);
    world_settle_and_judge(&w);
    world_free(&w);
}

/* Two sites make the same row, one of them in a version that has never heard of the column which the other filled
 * in. */
static void a_row_made_twice_keeps_what_only_the_newer_version_could_say(void **state)
{
    (void)state;
    static const char *const of_b[] = {
        "INSERT INTO person(id, case_id, agency, family_name) SELECT spoke_id('01234567-89ab-7def-8123-456789abcdef'), id, "
        "'b', 'Wren' FROM case_file ORDER BY id LIMIT 1"};
    static const char *const of_a[] = {
        "INSERT INTO person(id, case_id, agency, family_name, nickname) SELECT "
        "spoke_id('01234567-89ab-7def-8123-456789abcdef'), id, 'a', 'Wren', 'Wrennie' FROM case_file ORDER BY id LIMIT 1"};
    struct world w;
    start(&w, 51, 1);
    world_write(&w, B, of_b, 1); /* in version 1, and not sent yet */
    update(&w, HUB, 2);
    update(&w, A, 2);
    MUST(world_sync(&w, A, why));
    world_write(&w, A, of_a, 1);
    MUST(world_sync(&w, A, why));
    update(&w, B, 2);
    MUST(world_sync(&w, B, why));
    MUST(world_sync(&w, A, why));
    for (size_t who = A; who <= WORLD_NODES; who++) {
        if (who == C) continue;
        assert_int_equal(world_ask(&w, who, "SELECT count(*) FROM person WHERE nickname = 'Wrennie'"), 1);
        assert_int_equal(world_ask(&w, who, "SELECT count(*) FROM conflict"), 0);
    }
    update(&w, C, 2);
    world_settle_and_judge(&w);
    world_free(&w);
}

static void work_that_was_held_before_an_update_is_accepted_after_it_as_it_was_written(void **state)
{
    (void)state;
    static const char *const outside[] = {"UPDATE case_file SET rag = 'red'"}; /* the lead agency's to say */
    static const char *const yes[] = {
        "UPDATE held SET state = 'accepted', decision_reason = 'right' WHERE state = 'waiting'"};
    struct world w;
    start(&w, 52, 1);
    MUST(world_sync(&w, B, why));
    world_write(&w, B, outside, 1);
    MUST(world_sync_any(&w, B, why));
    assert_true(world_ask(&w, WORLD_NODES, "SELECT count(*) FROM h_held WHERE state = 'waiting'") == 1);
    for (size_t i = A; i <= HUB; i++) update(&w, (HUB - i), 3);
    MUST(world_sync_any(&w, A, why));
    MUST(world_sync_any(&w, A, why));
    assert_true(world_ask(&w, A, "SELECT count(*) FROM held WHERE state = 'waiting'") > 0);
    world_write(&w, A, yes, 1);
    MUST(world_sync_any(&w, A, why));
    assert_int_equal(world_ask(&w, WORLD_NODES, "SELECT count(*) FROM case_file WHERE rag = 'red'"), 2);
    MUST(world_sync_any(&w, B, why));
    assert_int_equal(world_ask(&w, B, "SELECT count(*) FROM case_file WHERE rag = 'red'"), 2);
    world_settle_and_judge(&w);
    world_free(&w);
}

/* An order to forget is no matter of versions: it reaches a device that is too old for everything else. */
static void a_device_that_is_too_old_still_forgets_and_confirms_it(void **state)
{
    (void)state;
    static const char *const out[] = {"UPDATE participant SET voided_at = 1, void_reason = 'over' WHERE member = 'c'"};
    struct world w;
    static const char *const theirs[] = {"INSERT INTO record(id, case_id, agency, sensitivity, needs_consent, title) "
                                         "SELECT new_id(), id, 'a', 'open', 0, 'Between us' FROM case_file"};
    static const char *const seen = "SELECT count(*) FROM record WHERE title = 'Between us'";
    start(&w, 53, 1);
    world_write(&w, A, theirs, 1);
    MUST(world_sync(&w, A, why));
    MUST(world_sync(&w, C, why));
    assert_int_equal(world_ask(&w, C, seen), 2);
    for (uint64_t v = 2; v <= 4; v++) update(&w, HUB, v);
    update(&w, A, 4);
    MUST(world_sync(&w, A, why));
    world_write(&w, A, out, 1);
    MUST(world_sync(&w, A, why));
    struct why said = {0};
    for (int i = 0; i < 2; i++) assert_int_equal(world_sync_any(&w, C, &said), ERR_VERSION);
    assert_int_equal(world_ask(&w, C, seen), 0);
#define DROPS_OF_C                                                                                                     \
    "SELECT count(*) FROM h_drop d JOIN h_node n ON n.no = d.node_no JOIN h_site s ON s.no = n.site_no "               \
    "WHERE s.code = 'c-site'"
    assert_true(world_ask(&w, WORLD_NODES, DROPS_OF_C) >= 2);
    assert_int_equal(world_ask(&w, WORLD_NODES, DROPS_OF_C " AND d.receipt_at IS NULL"), 0);
    world_free(&w);
}

static void a_new_device_at_an_old_hub_speaks_the_hubs_version_until_it_is_updated(void **state)
{
    (void)state;
    struct world w;
    world_new(&w, 21, 1);
    world_enrol(&w, A, 1);
    world_enrol(&w, B, 1);
    world_enrol(&w, C, 3);
    assert_int_equal(world_schema(&w, C), 1);
    world_cases(&w);
    MUST(world_sync(&w, A, why));
    MUST(world_sync(&w, C, why));
    for (int i = 0; i < 8; i++) world_edit(&w, C);
    MUST(world_sync(&w, C, why));
    assert_int_equal(world_missing(&w, HUB), 0);
    for (uint64_t v = 2; v <= 3; v++) {
        update(&w, HUB, v);
        MUST(world_sync(&w, C, why));
        assert_int_equal(world_schema(&w, C), v);
        for (int i = 0; i < 5; i++) world_edit(&w, C);
    }
    update(&w, A, 3);
    update(&w, B, 3);
    world_settle_and_judge(&w);
    world_free(&w);
}

static void an_old_device_joins_a_newer_hub_in_its_own_version_unless_it_is_too_old(void **state)
{
    (void)state;
    struct world w;
    world_new(&w, 22, 3);
    world_enrol(&w, A, 3);
    world_enrol(&w, B, 1);
    world_enrol(&w, C, 2);
    assert_int_equal(world_schema(&w, A), 3);
    assert_int_equal(world_schema(&w, B), 1);
    assert_int_equal(world_schema(&w, C), 2);
    world_cases(&w);
    MUST(world_sync(&w, A, why));
    for (int i = 0; i < 3; i++) live(&w, false);
    for (size_t i = B; i <= C; i++) update(&w, i, 3);
    world_settle_and_judge(&w);
    world_free(&w);
}

static void an_answer_that_is_given_again_brings_the_store_up_under_edits_that_wait(void **state)
{
    (void)state;
    struct world w;
    struct buf request, first, again;
    struct round_result r;
    start(&w, 31, 1);
    MUST(world_sync(&w, A, why));
    update(&w, HUB, 2);
    update(&w, A, 2);
    buf_init(&request, BUNDLE_MAX);
    buf_init(&first, BUNDLE_MAX);
    buf_init(&again, BUNDLE_MAX);
    MUST(node_bundle_export(w.nodes[A].node, &request, why));
    for (int i = 0; i < 4; i++) world_edit(&w, A); /* in version 1; they stay unsent while the store is brought up */
    versions_speak(2);
    MUST(hub_exchange(w.hub, buf_bytes(&request), false, &first, NULL, why));
    update(&w, HUB, 3); /* the first answer was lost on its way */
    update(&w, A, 3);
    MUST(hub_exchange(w.hub, buf_bytes(&request), false, &again, NULL, why));
    assert_true(bytes_equal(buf_bytes(&first), buf_bytes(&again)));
    MUST(node_bundle_import(w.nodes[A].node, buf_bytes(&again), &r, why));
    assert_int_equal(world_schema(&w, A), 2);
    assert_true(world_unsent(&w, A) > 0);
    struct verify_result v;
    MUST(node_verify(w.nodes[A].node, &v, why));
    assert_true(v.pending_rows > 0);
    MUST(world_sync(&w, A, why));
    assert_int_equal(world_schema(&w, A), 3);
    update(&w, B, 3);
    update(&w, C, 3);
    world_settle_and_judge(&w);
    buf_release(&request);
    buf_release(&first);
    buf_release(&again);
    world_free(&w);
}

static void a_store_of_a_newer_program_is_not_opened_by_an_older_one(void **state)
{
    (void)state;
    struct world w;
    struct why said = {0};
    struct hub *hub = NULL;
    struct node *node = NULL;
    start(&w, 41, 2);
    hub_close(w.hub);
    versions_speak(1);
    assert_int_equal(
        hub_open(&hub, env_posix(), w.hub_home, bytes_of_str("a passphrase for the tests of versions"), &said),
        ERR_VERSION);
    assert_non_null(strstr(said.text, "newer version of Spoke"));
    node_close(w.nodes[A].node);
    assert_int_equal(
        node_open(&node, env_posix(), w.nodes[A].home, bytes_of_str("a passphrase for the tests of versions"), &said),
        ERR_VERSION);
    versions_speak(2); /* and nothing was done to them */
    MUST(hub_open(&w.hub, env_posix(), w.hub_home, bytes_of_str("a passphrase for the tests of versions"), why));
    MUST(node_open(&w.nodes[A].node, env_posix(), w.nodes[A].home,
                   bytes_of_str("a passphrase for the tests of versions"), why));
    world_settle_and_judge(&w);
    world_free(&w);
}

/* Any order, any number of versions at a time, contacts that break off, devices far behind. */
static void no_value_is_lost_whatever_the_order_of_updates_entries_and_contacts(void **state)
{
    (void)state;
    for (uint64_t seed = 100; seed < 110; seed++) {
        struct world w;
        struct why said;
        start(&w, seed, 1);
        for (int step = 0; step < 60; step++) {
            size_t who = world_random(&w) % WORLD_NODES;
            uint64_t r = world_random(&w) % 20, now = w.nodes[who].speaks;
            if (r == 0 && w.hub_speaks < VERSIONS_NEWEST) update(&w, HUB, w.hub_speaks + 1);
            if (r <= 2 && now < VERSIONS_NEWEST) update(&w, who, now + 1 + world_random(&w) % (VERSIONS_NEWEST - now));
            if (r > 2 && r < 11) world_edit(&w, who);
            if (r < 11) continue;
            enum err e = r < 14 ? world_short_round(&w, who, &said) : world_sync(&w, who, &said);
            bool too_old = world_schema(&w, who) + RULES_SCHEMA_BEHIND < w.hub_speaks;
            if (e != (too_old ? ERR_VERSION : ERR_OK)) fail_msg("seed %d: %s", (int)seed, said.text);
        }
        if (w.hub_speaks < VERSIONS_NEWEST) update(&w, HUB, VERSIONS_NEWEST);
        for (size_t i = 0; i < WORLD_NODES; i++)
            if (w.nodes[i].speaks < VERSIONS_NEWEST) update(&w, i, VERSIONS_NEWEST);
        world_settle_and_judge(&w);
        world_free(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_order_of_updates_from_version_1_to_2_loses_no_value),
        cmocka_unit_test(values_that_were_there_before_arrive_after_the_update_though_nobody_touches_them),
        cmocka_unit_test(edits_that_waited_on_an_old_device_are_taken_in_after_its_update),
        cmocka_unit_test(a_device_more_than_two_versions_behind_keeps_its_work_until_it_is_updated),
        cmocka_unit_test(a_row_made_twice_keeps_what_only_the_newer_version_could_say),
        cmocka_unit_test(work_that_was_held_before_an_update_is_accepted_after_it_as_it_was_written),
        cmocka_unit_test(a_device_that_is_too_old_still_forgets_and_confirms_it),
        cmocka_unit_test(a_new_device_at_an_old_hub_speaks_the_hubs_version_until_it_is_updated),
        cmocka_unit_test(an_old_device_joins_a_newer_hub_in_its_own_version_unless_it_is_too_old),
        cmocka_unit_test(an_answer_that_is_given_again_brings_the_store_up_under_edits_that_wait),
        cmocka_unit_test(a_store_of_a_newer_program_is_not_opened_by_an_older_one),
        cmocka_unit_test(no_value_is_lost_whatever_the_order_of_updates_entries_and_contacts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
