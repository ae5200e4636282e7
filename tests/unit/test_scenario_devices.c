/* Taking back from real devices while things go wrong on either side: crashes, restarts, lost, old and misdirected
 * answers, devices that are away for years, revoked, or put back from an old image. A crash of a device between two of
 * its own writes is in test_forget.c and in the end-to-end script of kills. */
#include "tests/lib/ends_scan.h"
#include "tests/lib/ends_share.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define LOST 3 /* of ends_case, by the police: file, person, the part of the school. Their own part stays. */

static void confirmed(struct ends_node *n)
{
    ends_same(n);
    assert_int_equal(ends_drops(n, false), 0);
}

static void open_again(struct ends_node *n)
{
    struct why why = {0};
    node_close(n->n);
    if (node_open(&n->n, &n->f->env, n->home, bytes_of_str("correct horse battery"), &why) != ERR_OK)
        fail_msg("%s", why.text);
}

/* What the hub answers to this request, and no more. */
static void answer(struct ends_node *n, struct bytes request, struct buf *out)
{
    struct why why = {0};
    if (hub_exchange(n->f->hub, request, false, out, NULL, &why) != ERR_OK) fail_msg("%s", why.text);
}

static enum err take(struct ends_node *n, const struct buf *stick)
{
    struct round_result r = {0};
    struct why why = {0};
    return node_bundle_import(n->n, buf_bytes(stick), &r, &why);
}

static void content(struct ends_node *n, uint8_t out[32])
{
    struct why why = {0};
    assert_int_equal(db_content_hash(node_db(n->n), out, &why), ERR_OK);
}

/* --------------------------------------------------------------------------------------------- crashes and restarts */

static void a_hub_that_fell_after_its_commit_gives_the_same_orders_again(void **state)
{
    struct ends_case k;
    (void)state;
    ends_case(&k);
    (void)ends_write(pol, "person", k.person, "given_names", "Before it fell");
    ends_access(k.parts[0], "none");
    pol->lose_answer = true;
    (void)ends_sync(pol, ERR_UNREACHABLE);
    assert_int_equal(ends_drops(pol, false), LOST);
    fake_hub_reopen(ends_hub);
    assert_true(ends_has(pol, "person", k.person));
    struct round_result r = ends_sync(pol, ERR_OK);
    assert_int_equal(r.rows_dropped, LOST);
    confirmed(pol);
    assert_int_equal(ends_count("SELECT count(*) FROM h_drop d JOIN h_node n ON n.no = d.node_no WHERE n.kid = $1 AND"
                                " d.row_no = (SELECT max(row_no) FROM h_drop)",
                                pol->kid),
                     1);
}

static void a_hub_that_restarts_between_loss_and_contact_forgets_no_order(void **state)
{
    struct ends_case k;
    (void)state;
    ends_case(&k);
    ends_access(k.parts[0], "none");
    fake_hub_reopen(ends_hub);
    assert_int_equal(ends_drops(pol, false), LOST);
    assert_int_equal(ends_sync(pol, ERR_OK).rows_dropped, LOST);
    confirmed(pol);
    fake_hub_reopen(ends_hub);
    ends_is_quiet(pol);
}

static void a_device_that_falls_between_forgetting_and_its_receipt_signs_when_it_is_back(void **state)
{
    struct ends_case k;
    struct buf request;
    struct node_info info;
    struct why why = {0};
    (void)state;
    ends_case(&k);
    ends_access(k.parts[0], "none");
    buf_init(&request, (size_t)1 << 20);
    ends_export(pol, &request);
    assert_int_equal(ends_import(pol, buf_bytes(&request)).rows_dropped, LOST);
    open_again(pol);
    assert_int_equal(node_get_info(pol->n, &info, &why), ERR_OK);
    assert_int_equal(info.receipts_due, 1);
    assert_false(ends_has(pol, "person", k.person));
    assert_int_equal(ends_drops(pol, false), LOST);
    assert_int_equal(ends_sync(pol, ERR_OK).rows_dropped, 0);
    confirmed(pol);
    buf_release(&request);
}

/* ------------------------------------------------------------------------------------------- lost, old, misdirected */

static void a_receipt_whose_answer_is_lost_is_sent_again_and_counts_once(void **state)
{
    struct ends_case k;
    struct buf one, two;
    (void)state;
    ends_case(&k);
    ends_access(k.parts[0], "none");
    int64_t before = ends_drops(pol, true);
    buf_init(&one, (size_t)1 << 20);
    buf_init(&two, (size_t)1 << 20);
    ends_export(pol, &one);
    (void)ends_import(pol, buf_bytes(&one));
    buf_reset(&one);
    ends_export(pol, &one); /* with the receipt */
    answer(pol, buf_bytes(&one), &two);
    assert_int_equal(ends_drops(pol, true), before + LOST);
    buf_reset(&two); /* the stick is lost on its way back */
    ends_export(pol, &two);
    assert_true(bytes_equal(buf_bytes(&one), buf_bytes(&two)));
    (void)ends_import(pol, buf_bytes(&two));
    assert_int_equal(ends_drops(pol, true), before + LOST);
    confirmed(pol);
    buf_release(&one);
    buf_release(&two);
}

/* Old answers carry rows that were lost since: they come from a drawer, or from somebody who kept them. */
static void old_answers_and_those_of_other_devices_bring_nothing_back(void **state)
{
    struct ends_case k;
    struct buf request, old, other;
    uint8_t before[32], after[32];
    (void)state;
    buf_init(&request, (size_t)1 << 20);
    buf_init(&old, (size_t)1 << 24);
    buf_init(&other, (size_t)1 << 24);
    ends_case(&k);
    ends_note(ann, k.c, k.person, "open", "Only for a while"); /* the record's id */
    (void)ends_sync(ann, ERR_OK);
    ends_export(pol, &request);
    answer(pol, buf_bytes(&request), &old); /* with the record in it */
    assert_int_equal(take(pol, &old), ERR_OK);
    assert_true(ends_has(pol, "record", k.person));
    ends_access(k.parts[0], "none");
    (void)ends_sync(pol, ERR_OK);
    confirmed(pol);
    buf_reset(&request);
    ends_export(pat, &request); /* of the same site, and still with the case at its side */
    answer(pat, buf_bytes(&request), &other);
    content(pol, before);
    assert_int_equal(take(pol, &old), ERR_EXISTS);
    assert_int_equal(take(pol, &other), ERR_REFUSED);
    content(pol, after);
    assert_memory_equal(before, after, 32);
    assert_false(ends_has(pol, "record", k.person));
    assert_int_equal(take(pat, &other), ERR_OK);
    (void)ends_sync(pat, ERR_OK);
    confirmed(pat);
    ends_is_quiet(pol);
    buf_release(&request);
    buf_release(&old);
    buf_release(&other);
}

/* An answer made before the loss and taken after it brings the case once more; the next contact takes it back. */
static void an_answer_that_was_under_way_when_the_case_was_lost_is_followed_by_the_order(void **state)
{
    struct ends_case k;
    struct buf request, slow;
    uint8_t r[16];
    (void)state;
    buf_init(&request, (size_t)1 << 20);
    buf_init(&slow, (size_t)1 << 24);
    ends_case(&k);
    ends_note(ann, k.c, r, "open", "Under way");
    (void)ends_sync(ann, ERR_OK);
    ends_export(pol, &request);
    answer(pol, buf_bytes(&request), &slow);
    ends_access(k.parts[0], "none");
    assert_int_equal(ends_drops(pol, false), LOST + 1); /* it counts as received */
    assert_int_equal(take(pol, &slow), ERR_OK);
    assert_true(ends_has(pol, "record", r));
    assert_int_equal(ends_sync(pol, ERR_OK).rows_dropped, LOST + 1);
    confirmed(pol);
    buf_release(&request);
    buf_release(&slow);
}

/* -------------------------------------------------------------------------------------------- given back, own doing */

static void a_case_given_back_before_the_contact_is_forgotten_and_comes_whole(void **state)
{
    struct ends_case k;
    (void)state;
    ends_case(&k);
    ends_access(k.parts[0], "none");
    (void)ends_write(ann, "person", k.person, "given_names", "Meanwhile");
    ends_access(k.parts[0], "view");
    struct round_result r = ends_sync(pol, ERR_OK);
    assert_int_equal(r.rows_dropped, LOST);
    ends_shows(pol, "person", k.person, "given_names", "Meanwhile");
    confirmed(pol);
    ends_is_quiet(pol);
}

static void a_case_given_back_between_order_and_receipt_is_there_and_the_order_is_signed_for(void **state)
{
    struct ends_case k;
    struct buf request;
    (void)state;
    ends_case(&k);
    ends_access(k.parts[0], "none");
    buf_init(&request, (size_t)1 << 20);
    ends_export(pol, &request);
    (void)ends_import(pol, buf_bytes(&request));
    ends_access(k.parts[0], "view");
    assert_int_equal(ends_drops(pol, false), LOST);
    assert_int_equal(ends_sync(pol, ERR_OK).rows_dropped, 0);
    assert_true(ends_has(pol, "person", k.person));
    confirmed(pol);
    buf_release(&request);
}

static void who_ends_its_own_part_is_told_to_forget_and_its_other_device_too(void **state)
{
    struct ends_node *sal = ends_device("school-1", "school", "Sal");
    struct ends_case k;
    struct why why = {0};
    (void)state;
    assert_int_equal(hub_add_duty(ends_hub->hub, sal->user, "north", "social_care", &why), ERR_OK);
    ends_case(&k);
    (void)ends_sync(sal, ERR_OK);
    ends_begin(sal);
    ends_set(sal, "participant", k.parts[1], "access", value_str("none"));
    (void)ends_commit(sal);
    struct round_result r = ends_sync(sal, ERR_OK);
    assert_int_equal(r.applied, 1);
    assert_int_equal(r.rows_dropped, LOST);
    confirmed(sal);
    assert_int_equal(ends_drops(sam, false), LOST);
    (void)ends_sync(sam, ERR_OK);
    confirmed(sam);
    ends_gone(sal);
}

/* Rule 5: what was written about a row that is lost by then is not lost with it. A manager decides; the screen is
 * clean. */
static void an_unsent_change_to_a_lost_row_is_held_for_a_manager_and_leaves_no_byte(void **state)
{
    struct ends_case k;
    size_t found;
    const struct bytes word = bytes_of_str("Esgair-Geiliog");
    (void)state;
    ends_case(&k);
    (void)ends_write(pol, "person", k.person, "given_names", "Esgair-Geiliog");
    ends_access(k.parts[0], "none");
    struct round_result r = ends_by_usb(pol);
    assert_int_equal(r.held, 1);
    assert_false(ends_has(pol, "person", k.person));
    confirmed(pol);
    ends_find(pol, &word, 1, &found);
    assert_true(found <= 1); /* the author may still read and discard his own unaccepted words: in the outbox alone */
    ends_accept(k.c);
    ends_shows(ann, "person", k.person, "given_names", "Esgair-Geiliog");
    (void)ends_sync(pol, ERR_OK);
    confirmed(pol);
    assert_false(ends_has(pol, "person", k.person));
    ends_find(pol, &word, 1, &found);
    assert_int_equal(found, 0);
}

/* A case that is not there and one that is hidden: the same words, no rows, no orders, and the same again when the
 * hidden one is lost by others. */
static void a_case_that_does_not_exist_and_one_that_is_hidden_are_answered_alike(void **state)
{
    struct fake_node sue = {0};
    struct fake_verdict said[2];
    uint8_t cases[2][16], r[16], part[16];
    (void)state;
    fake_node_enrol(&sue, ends_hub, "school-1", "school", "Sue");
    fake_node_pull(&sue);
    ends_own_case(cases[0], false);
    ends_share(cases[0], part, "police", "");
    env_new_id(&ends_hub->env, cases[1]);
    for (int i = 0; i < 4; i++) {
        struct fake_edit e;
        if (i == 2) ends_access(part, "none");
        env_new_id(&ends_hub->env, r);
        fake_edit_start(&e);
        struct op op = fake_new(&sue, "record", r, cases[i % 2]);
        fake_value(&op, "sensitivity", value_str("open"));
        fake_put(&e, &op);
        said[i % 2] = *fake_send(&sue, &e);
        assert_int_equal(sue.n_rows + sue.n_drops, 0);
        if (i % 2 == 0) continue;
        assert_int_equal(said[0].verdict, VERDICT_HELD);
        assert_int_equal(said[1].verdict, VERDICT_HELD);
        assert_string_equal(said[0].reason, said[1].reason);
    }
    fake_node_release(&sue);
}

/* ----------------------------------------------------------------------------------------- years, revoked, put back */

static void of_two_devices_the_one_that_is_away_for_ten_years_is_listed_until_it_comes(void **state)
{
    struct ends_case k;
    struct ends_node *pia;
    (void)state;
    ends_case(&k);
    ends_access(k.parts[0], "none");
    (void)ends_sync(pol, ERR_OK);
    confirmed(pol);
    ends_days(3653);
    assert_int_equal(ends_drops(pat, false), LOST);
    pia = ends_device("police-hq", "police", "Pia"); /* enrolled later: it never held it */
    (void)ends_sync(pia, ERR_OK);
    confirmed(pia);
    assert_int_equal(ends_drops(pia, true), 0);
    assert_true(ends_has(pat, "person", k.person));
    assert_int_equal(ends_by_usb(pat).rows_dropped, LOST);
    confirmed(pat);
    ends_gone(pia);
}

static void a_revoked_device_is_listed_for_good_and_is_given_nothing(void **state)
{
    struct ends_node *pip = ends_device("police-hq", "police", "Pip");
    struct ends_case k;
    struct why why = {0};
    uint8_t r[16];
    (void)state;
    ends_case(&k);
    (void)ends_sync(pip, ERR_OK);
    assert_int_equal(hub_revoke(ends_hub->hub, pip->kid, "left on a bus", &why), ERR_OK);
    ends_note(ann, k.c, r, "open", "after that");
    ends_access(k.parts[0], "none");
    assert_int_equal(ends_drops(pip, false), LOST); /* what it could hold: not the record */
    struct round_result got = ends_sync(pip, ERR_REFUSED);
    assert_true(got.revoked);
    assert_int_equal(got.rows_in, 0);
    assert_false(ends_has(pip, "record", r));
    ends_access(k.parts[0], "view");
    (void)ends_sync(pip, ERR_REFUSED);
    assert_false(ends_has(pip, "record", r));
    ends_gone(pip);
}

static void set_up_anew(struct ends_node *n)
{
    struct why why = {0};
    struct buf code, request, reply;
    struct invitation invitation;
    struct node_info info;
    uint8_t keys[PUBLIC_BYTES];
    struct bytes pass = bytes_of_str("correct horse battery");
    node_close(n->n);
    buf_init(&code, 4096);
    buf_init(&request, (size_t)1 << 20);
    buf_init(&reply, (size_t)1 << 20);
    identity_to_bytes(hub_identity(n->f->hub), keys);
    assert_int_equal(hub_invite(n->f->hub, n->site, "http://127.0.0.1:8470", 3600000, &code, &why), ERR_OK);
    assert_int_equal(invitation_get(buf_bytes(&code), &invitation, &why), ERR_OK);
    assert_int_equal(
        node_enrol_again(&n->f->env, n->home, pass, &invitation, bytes_of(keys, sizeof keys), NULL, &request, &why),
        ERR_OK);
    assert_int_equal(hub_enrol(n->f->hub, buf_bytes(&request), &reply, &why), ERR_OK);
    assert_int_equal(node_enrol_finish(&n->f->env, n->home, pass, buf_bytes(&reply), &why), ERR_OK);
    assert_int_equal(node_open(&n->n, &n->f->env, n->home, pass, &why), ERR_OK);
    assert_int_equal(node_get_info(n->n, &info, &why), ERR_OK);
    memcpy(n->kid, info.self.kid, sizeof n->kid);
    buf_release(&code);
    buf_release(&request);
    buf_release(&reply);
}

/* Avni: a copy of the disk from before the loss comes back with the rows on it. The hub does not speak with it; set up
 * anew it holds what its site sees, and the rows are gone from the disk with what it was. */
static void an_old_image_with_a_lost_case_on_it_is_refused_and_set_up_anew_without_it(void **state)
{
    struct ends_node *per = ends_device("police-hq", "police", "Per");
    struct ends_node rest = {0}; /* its folder is the copy's */
    struct ends_case k, kept;
    uint8_t kid[16];
    size_t found[2];
    (void)state;
    ends_case(&k);
    ends_case(&kept);
    ends_note(ann, k.c, kid, "open", "Found at Rhos-y-garth chapel");
    (void)ends_sync(ann, ERR_OK);
    (void)ends_sync(per, ERR_OK);
    (void)snprintf(rest.dir, sizeof rest.dir, "%s", per->dir);
    memcpy(rest.dir + strlen(rest.dir) - 6, "XXXXXX", 6);
    assert_non_null(mkdtemp(rest.dir));
    ends_keep(per, rest.dir);
    ends_access(k.parts[0], "none");
    (void)ends_sync(per, ERR_OK);
    confirmed(per);
    ends_put_back(per, rest.dir);
    const struct bytes what[] = {bytes_of(k.c, 16), bytes_of_str("Rhos-y-garth")};
    ends_find(per, what, 2, found);
    assert_true(found[0] > 0 && found[1] > 0);
    ends_note(per, k.c, kid, "open", "Written on the old image"); /* upon rows that it should not have */
    (void)ends_sync(per, ERR_REFUSED);
    set_up_anew(per);
    (void)ends_sync(per, ERR_OK);
    confirmed(per);
    assert_true(ends_has(per, "person", kept.person));
    assert_false(ends_has(per, "person", k.person));
    ends_find(per, what + 1, 1, found);
    assert_int_equal(found[0], 0);
    (void)ends_sync(ann, ERR_OK); /* what was written is not lost: it waits for the manager */
    assert_true(ends_count("SELECT count(*) FROM held WHERE case_id = $1 AND state = 'waiting'", k.c) > 0);
    ends_gone(per);
    ends_release(&rest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hub_that_fell_after_its_commit_gives_the_same_orders_again),
        cmocka_unit_test(a_hub_that_restarts_between_loss_and_contact_forgets_no_order),
        cmocka_unit_test(a_device_that_falls_between_forgetting_and_its_receipt_signs_when_it_is_back),
        cmocka_unit_test(a_receipt_whose_answer_is_lost_is_sent_again_and_counts_once),
        cmocka_unit_test(old_answers_and_those_of_other_devices_bring_nothing_back),
        cmocka_unit_test(an_answer_that_was_under_way_when_the_case_was_lost_is_followed_by_the_order),
        cmocka_unit_test(a_case_given_back_before_the_contact_is_forgotten_and_comes_whole),
        cmocka_unit_test(a_case_given_back_between_order_and_receipt_is_there_and_the_order_is_signed_for),
        cmocka_unit_test(who_ends_its_own_part_is_told_to_forget_and_its_other_device_too),
        cmocka_unit_test(an_unsent_change_to_a_lost_row_is_held_for_a_manager_and_leaves_no_byte),
        cmocka_unit_test(a_case_that_does_not_exist_and_one_that_is_hidden_are_answered_alike),
        cmocka_unit_test(of_two_devices_the_one_that_is_away_for_ten_years_is_listed_until_it_comes),
        cmocka_unit_test(a_revoked_device_is_listed_for_good_and_is_given_nothing),
        cmocka_unit_test(an_old_image_with_a_lost_case_on_it_is_refused_and_set_up_anew_without_it),
    };
    return cmocka_run_group_tests(tests, ends_start, ends_stop);
}
