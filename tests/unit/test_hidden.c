/* A device that is offline when the time comes hides what it may not show any longer: from every table, and from
 * nobody's unsent work. Hidden is not forgotten, and what is hidden for a wrong reason comes back. Real devices, a real
 * hub. */
#include "node/internal.h"
#include "tests/lib/ends_scan.h"
#include "tests/lib/two_ends_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define DAY    (24 * 3600000LL)
#define SECRET "Aberllefenni"

static const char passphrase[] = "correct horse battery";

/* A device's clock that is wrong by so much. */
struct wrong_clock {
    struct env env;
    int64_t by;
};
static struct wrong_clock wrong;

static int64_t wrong_now(void *ctx)
{
    (void)ctx;
    return ends_hub->now + wrong.by;
}

static void open_with(struct ends_node *n, const struct env *env)
{
    struct why why = {0};
    node_close(n->n);
    /* Rows are put aside whatever it is opened for; and its lease, which a wrong clock ends too, is no matter here. */
    const struct node_key key = {.passphrase = bytes_of_str(passphrase)};
    enum err e = node_open_as(&n->n, env, n->home, &key, NODE_FOR_HUB, &why);
    if (e != ERR_OK) fail_msg("%s: %s", err_word(e), why.text);
}

static void reopen(struct ends_node *n)
{
    open_with(n, &ends_hub->env);
}

/* From here its clock is wrong by so many days, until it is opened again. */
static void reopen_wrong(struct ends_node *n, int64_t days)
{
    wrong.env = ends_hub->env;
    wrong.env.now_ms = wrong_now;
    wrong.by = days * DAY;
    open_with(n, &wrong.env);
}

static int64_t ask(struct ends_node *n, const char *sql)
{
    uint64_t v = 0;
    assert_int_equal(state_ask(node_db(n->n), sql, &v, NULL), ERR_OK);
    return (int64_t)v;
}

static enum err count_rows(void *ctx, struct stmt *s, struct why *why)
{
    (void)s;
    (void)why;
    ++*(int64_t *)ctx;
    return ERR_OK;
}

/* What `spoke sql` gives a person. */
static int64_t sql(struct ends_node *n, const char *text)
{
    int64_t rows = 0;
    struct why why = {0};
    enum err e = db_user_sql(node_db(n->n), text, false, count_rows, &rows, &why);
    if (e != ERR_OK) fail_msg("%s", why.text);
    return rows;
}

static uint64_t hidden(struct ends_node *n)
{
    struct node_info i;
    assert_int_equal(node_get_info(n->n, &i, NULL), ERR_OK);
    return i.hidden;
}

static void sound(struct ends_node *n)
{
    struct verify_result v;
    struct why why = {0};
    if (node_verify(n->n, &v, &why) != ERR_OK) fail_msg("%s", why.text);
}

static void set_until(const struct ends_case *k, int64_t until)
{
    ends_begin(ann);
    ends_set(ann, "participant", k->parts[1], "until", until == 0 ? value_null() : value_int(until));
    (void)ends_commit(ann);
    (void)ends_sync(ann, ERR_OK);
}

/* The school takes part for seven days, and knows it. */
static int64_t begin(struct ends_case *k)
{
    int64_t until = ends_hub->now + 7 * DAY;
    ends_case(k);
    (void)ends_write(ann, "person", k->person, "family_name", SECRET);
    set_until(k, until);
    (void)ends_sync(sam, ERR_OK);
    ends_same(sam);
    assert_int_equal(hidden(sam), 0);
    assert_true(ask(sam, "SELECT count(*) FROM n_end") > 0);
    return until;
}

/* Back to where nothing of this case is open: the next test begins with devices that hide nothing. */
static void end(void)
{
    reopen(sam);
    ends_all_sync();
    ends_all_sync();
    ends_same(sam);
    assert_int_equal(hidden(sam), 0);
}

static uint64_t note(struct ends_node *n, const struct ends_case *k, uint8_t id[16], const char *body)
{
    env_new_id(&ends_hub->env, id);
    ends_begin(n);
    struct row r = ends_row(n, "record", id, k->c);
    ends_text(&r, "sensitivity", "open");
    ends_text(&r, "body", body);
    ends_put(n, &r);
    return ends_commit(n);
}

/* ---------------------------------------------------------------------------------------------------------- bytes */

/* In how many places of its home, free pages of the store too. */
static size_t places_with(struct ends_node *n, const char *what)
{
    const struct bytes needle = bytes_of_str(what);
    size_t found;
    ends_find(n, &needle, 1, &found);
    return found;
}

/* ---------------------------------------------------------------------------------------------------------- tests */

static void offline_past_the_end_nothing_shows_the_rows(void **state)
{
    struct ends_case k;
    int64_t rows = 0;
    (void)state;
    ends_hub->now = begin(&k) - 1;
    reopen(sam);
    assert_true(ends_has(sam, "person", k.person));
    ends_hub->now++;
    reopen(sam);
    assert_false(ends_has(sam, "person", k.person));
    assert_false(ends_has(sam, "case_file", k.c));
    assert_true(ends_has(sam, "participant", k.parts[1])); /* its own part it knows of for good */
    assert_int_equal(sql(sam, "SELECT * FROM person WHERE family_name = '" SECRET "'"), 0);
    assert_int_equal(db_user_sql(node_db(sam->n), "SELECT * FROM n_hidden", false, count_rows, &rows, NULL),
                     ERR_DENIED);
    assert_int_equal(db_user_sql(node_db(sam->n), "SELECT hex(image) FROM n_image", false, count_rows, &rows, NULL),
                     ERR_DENIED);
    assert_true(hidden(sam) > 0);
    assert_int_equal(hidden(sam), ask(sam, "SELECT count(*) FROM n_end WHERE hidden = 1"));
    sound(sam);
    end();
    assert_false(ends_has(sam, "person", k.person));
}

static void a_device_that_stays_open_hides_them_when_asked_to_look_at_the_clock(void **state)
{
    struct ends_case k;
    struct why why = {0};
    (void)state;
    (void)begin(&k);
    ends_hub->now += 8 * DAY;
    assert_true(ends_has(sam, "person", k.person));
    assert_int_equal(node_tick(sam->n, &why), ERR_OK);
    assert_false(ends_has(sam, "person", k.person));
    assert_int_equal(node_tick(sam->n, &why), ERR_OK);
    sound(sam);
    end();
}

static void unsent_work_on_them_goes_out_then_they_are_forgotten_to_the_last_byte(void **state)
{
    struct ends_case k;
    uint8_t id[16];
    (void)state;
    (void)begin(&k);
    (void)note(sam, &k, id, "seen at the gate");
    (void)ends_write(sam, "person", k.person, "given_names", "Jo");
    ends_hub->now += 8 * DAY;
    reopen(sam);
    assert_false(ends_has(sam, "person", k.person));
    assert_true(ends_has(sam, "record", id)); /* his own words stay */
    assert_int_equal(ask(sam, "SELECT count(*) FROM n_pending"), 2);
    assert_true(places_with(sam, SECRET) > 0); /* the search finds what is there */
    sound(sam);
    struct round_result r = ends_sync(sam, ERR_OK);
    assert_int_equal(r.sent, 2);
    assert_true(r.rows_dropped > 0);
    assert_int_equal(
        ends_count("SELECT count(*) FROM h_envelope WHERE parts IS NOT NULL AND $1 IS NOT NULL AND told = 0", id), 0);
    (void)ends_sync(sam, ERR_OK);
    assert_int_equal(ends_count("SELECT count(*) FROM h_drop d JOIN h_row r ON r.no = d.row_no WHERE r.id = $1"
                                " AND d.receipt_at IS NOT NULL",
                                k.person),
                     1);
    assert_int_equal(hidden(sam), 0);
    assert_int_equal(ask(sam, "SELECT count(*) FROM n_end"), 0);
    assert_int_equal(places_with(sam, SECRET), 0);
    end();
}

static void a_clock_that_was_years_ahead_and_is_right_again_shows_them_again(void **state)
{
    struct ends_case k;
    (void)state;
    (void)begin(&k);
    reopen_wrong(sam, 3650);
    assert_false(ends_has(sam, "person", k.person));
    sound(sam);
    reopen(sam);
    ends_shows(sam, "person", k.person, "family_name", SECRET);
    assert_int_equal(hidden(sam), 0);
    ends_same(sam);
    ends_is_quiet(sam);
}

static void they_come_back_when_the_mash_extends_it(void **state)
{
    struct ends_case k;
    (void)state;
    (void)begin(&k);
    ends_hub->now += 6 * DAY;
    set_until(&k, ends_hub->now + 30 * DAY);
    ends_hub->now += 2 * DAY;
    reopen(sam);
    assert_false(ends_has(sam, "person", k.person));
    (void)ends_sync(sam, ERR_OK);
    ends_shows(sam, "person", k.person, "family_name", SECRET);
    assert_int_equal(hidden(sam), 0);
    ends_same(sam);
    set_until(&k, 0);
    (void)ends_sync(sam, ERR_OK);
    ends_hub->now += 60 * DAY;
    reopen(sam);
    ends_same(sam);
    assert_true(ends_has(sam, "person", k.person));
}

/* Its clock is wrong: the MASH goes on as if nothing were. */
static void what_changes_on_a_hidden_row_is_there_when_it_comes_back(void **state)
{
    struct ends_case k;
    uint8_t other[16];
    (void)state;
    (void)begin(&k);
    reopen_wrong(sam, 3650);
    (void)ends_write(ann, "person", k.person, "given_names", "Joanna");
    ends_begin(ann);
    ends_person(ann, k.c, other, "Ffestiniog");
    (void)ends_commit(ann);
    (void)ends_sync(ann, ERR_OK);
    struct round_result r = ends_sync(sam, ERR_OK);
    assert_int_equal(r.rows_in, 2);
    assert_false(ends_has(sam, "person", k.person));
    assert_false(ends_has(sam, "person", other)); /* new, and over by its clock */
    sound(sam);
    reopen(sam);
    ends_shows(sam, "person", k.person, "given_names", "Joanna");
    assert_true(ends_has(sam, "person", other));
    ends_same(sam);
}

static void the_verdict_on_an_edit_of_a_hidden_row_finds_it(void **state)
{
    struct ends_case k;
    (void)state;
    (void)begin(&k);
    (void)ends_write(sam, "person", k.person, "given_names", "Jo");
    (void)ends_write(ann, "person", k.person, "family_name", "Smith-" SECRET);
    (void)ends_sync(ann, ERR_OK);
    reopen_wrong(sam, 3650);
    assert_false(ends_has(sam, "person", k.person));
    struct round_result r = ends_sync(sam, ERR_OK);
    assert_int_equal(r.applied, 1);
    assert_false(ends_has(sam, "person", k.person));
    assert_int_equal(ask(sam, "SELECT count(*) FROM n_image"), 0);
    reopen(sam);
    ends_shows(sam, "person", k.person, "given_names", "Jo");
    ends_same(sam);
}

static void no_new_work_touches_a_hidden_row(void **state)
{
    struct ends_case k;
    struct why why = {0};
    uint64_t seq = 0;
    uint8_t id[16];
    (void)state;
    (void)begin(&k);
    reopen_wrong(sam, 3650);
    ends_begin(sam); /* the same row once more */
    struct row r = ends_row(sam, "case_file", k.c, k.c);
    ends_text(&r, "area", "north");
    ends_put(sam, &r);
    assert_int_equal(node_edit_commit(sam->n, "opened a case", &seq, &why), ERR_DENIED);
    assert_non_null(strstr(why.text, "Nothing was saved."));
    env_new_id(&ends_hub->env, id); /* in a case that is hidden */
    ends_begin(sam);
    r = ends_row(sam, "record", id, k.c);
    ends_put(sam, &r);
    assert_int_equal(node_edit_commit(sam->n, "wrote a record", &seq, &why), ERR_DENIED);
    sound(sam);
    reopen(sam);
    ends_same(sam);
}

static void work_that_was_not_accepted_is_not_sent_again_upon_a_hidden_row(void **state)
{
    struct ends_case k;
    struct why why = {0};
    uint64_t again = 0;
    (void)state;
    (void)begin(&k);
    uint64_t seq = ends_write(sam, "person", k.person, "given_names", "Jo");
    const int64_t args[] = {(int64_t)seq};
    assert_int_equal(
        state_run(node_db(sam->n), "UPDATE n_outbox SET state = 'dismissed' WHERE seq = $1", args, 1, NULL), ERR_OK);
    reopen_wrong(sam, 3650);
    assert_int_equal(node_outbox_resend(sam->n, seq, NULL, 0, &again, &why), ERR_NOTFOUND);
    assert_non_null(strstr(why.text, "time for which"));
    assert_int_equal(state_run(node_db(sam->n), "UPDATE n_outbox SET state = 'unsent' WHERE seq = $1", args, 1, NULL),
                     ERR_OK);
    sound(sam);
    reopen(sam);
    assert_int_equal(ends_sync(sam, ERR_OK).applied, 1);
    ends_same(sam);
}

static void the_power_going_in_between_leaves_them_hidden_and_whole(void **state)
{
    struct ends_case k;
    (void)state;
    (void)begin(&k);
    (void)ends_write(sam, "person", k.person, "given_names", "Jo");
    reopen_wrong(sam, 3650);
    assert_int_equal(ends_show_now(sam->n, NULL), ERR_OK); /* and no further */
    assert_true(ends_has(sam, "person", k.person));
    reopen_wrong(sam, 3650);
    assert_false(ends_has(sam, "person", k.person));
    assert_int_equal(db_begin(node_db(sam->n), NULL), ERR_OK); /* in the middle of taking an answer */
    assert_int_equal(ends_show(sam->n, NULL), ERR_OK);
    reopen_wrong(sam, 3650);
    assert_false(ends_has(sam, "person", k.person));
    sound(sam);
    reopen(sam);
    ends_shows(sam, "person", k.person, "given_names", "Jo");
    assert_int_equal(ends_sync(sam, ERR_OK).applied, 1);
    ends_same(sam);
}

/* Orders to forget take effect in a transaction of their own. */
static void the_power_going_after_the_order_to_forget_leaves_nothing_hidden(void **state)
{
    struct ends_case k;
    struct answer a;
    struct round_result r = {0};
    struct buf request, sealed;
    struct why why = {0};
    (void)state;
    (void)begin(&k);
    ends_hub->now += 8 * DAY;
    reopen(sam);
    buf_init(&request, 1u << 20);
    buf_init(&sealed, 1u << 20);
    ends_export(sam, &request);
    assert_int_equal(hub_exchange(ends_hub->hub, buf_bytes(&request), false, &sealed, NULL, &why), ERR_OK);
    assert_int_equal(answer_verify(sam->n, buf_bytes(&sealed), &a, NULL), ERR_OK);
    assert_int_equal(drops_carry_out(sam->n, &a, &r, NULL), ERR_OK);
    answer_release(&a);
    reopen(sam);
    assert_int_equal(hidden(sam), 0);
    assert_int_equal(ask(sam, "SELECT count(*) FROM n_end"), 0);
    assert_int_equal(node_bundle_import(sam->n, buf_bytes(&sealed), &r, &why), ERR_OK);
    assert_int_equal(ask(sam, "SELECT count(*) FROM n_receipt"), 1);
    buf_release(&request);
    buf_release(&sealed);
    end();
}

static void a_damaged_hidden_row_is_found_by_verify(void **state)
{
    struct ends_case k;
    struct verify_result v;
    struct why why = {0};
    (void)state;
    (void)begin(&k);
    ends_hub->now += 8 * DAY;
    reopen(sam);
    sound(sam);
    assert_int_equal(db_exec(node_db(sam->n), "UPDATE n_end SET hidden = 0", NULL), ERR_OK);
    assert_int_equal(node_verify(sam->n, &v, &why), ERR_TAMPERED);
    assert_int_equal(db_exec(node_db(sam->n), "UPDATE n_end SET hidden = 1", NULL), ERR_OK);
    sound(sam);
    assert_int_equal(db_exec(node_db(sam->n), "UPDATE n_hidden SET row = x'83'", NULL), ERR_OK);
    assert_int_equal(node_verify(sam->n, &v, &why), ERR_TAMPERED);
    end(); /* the order to forget comes through all the same */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offline_past_the_end_nothing_shows_the_rows),
        cmocka_unit_test(a_device_that_stays_open_hides_them_when_asked_to_look_at_the_clock),
        cmocka_unit_test(unsent_work_on_them_goes_out_then_they_are_forgotten_to_the_last_byte),
        cmocka_unit_test(a_clock_that_was_years_ahead_and_is_right_again_shows_them_again),
        cmocka_unit_test(they_come_back_when_the_mash_extends_it),
        cmocka_unit_test(what_changes_on_a_hidden_row_is_there_when_it_comes_back),
        cmocka_unit_test(the_verdict_on_an_edit_of_a_hidden_row_finds_it),
        cmocka_unit_test(no_new_work_touches_a_hidden_row),
        cmocka_unit_test(work_that_was_not_accepted_is_not_sent_again_upon_a_hidden_row),
        cmocka_unit_test(the_power_going_in_between_leaves_them_hidden_and_whole),
        cmocka_unit_test(the_power_going_after_the_order_to_forget_leaves_nothing_hidden),
        cmocka_unit_test(a_damaged_hidden_row_is_found_by_verify),
    };
    return cmocka_run_group_tests(tests, ends_start, ends_stop);
}
