/* A courier's file (sync/FORMAT.md §4.3): what was written after a try that failed goes along with the request of that
 * try, whether or not the hub had it; and nobody gains anything by taking such a file apart. */
#include "sync/courier.h"
#include "tests/lib/ends_scan.h"
#include "tests/lib/ends_share.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void at_hub(struct ends_node *n, struct bytes file, enum err want, struct buf *out)
{
    struct why why = {0};
    enum err e = hub_exchange_file(n->f->hub, file, out, &why);
    if (e != want) fail_msg("%s: %s", err_word(e), why.text);
}

static bool hub_has(const uint8_t id[16])
{
    return ends_count("SELECT count(*) FROM record WHERE id = $1", id) == 1;
}

static uint64_t unsent(struct ends_node *n)
{
    struct node_info info;
    assert_int_equal(node_get_info(n->n, &info, NULL), ERR_OK);
    return info.unsent;
}

/* A file of a device whose last request is under way, with a note that was written since. */
static void file_with_more(struct ends_node *n, const struct ends_case *k, uint8_t id[16], struct buf *file)
{
    struct buf first;
    struct bytes request, more;
    buf_init(&first, 1u << 24);
    buf_init(file, 1u << 24);
    ends_export(n, &first);
    ends_note(n, k->c, id, "open", "Written since");
    ends_export(n, file);
    assert_int_equal(courier_split(buf_bytes(file), &request, &more, NULL), ERR_OK);
    assert_true(bytes_equal(request, buf_bytes(&first))); /* the very same */
    assert_true(more.n > 0);
    buf_release(&first);
}

static void after_a_try_that_the_hub_never_saw_one_file_brings_everything_and_its_answer(void **state)
{
    struct ends_case k;
    struct node_round lost;
    struct buf file;
    uint8_t before[16], since[16];
    (void)state;
    ends_case(&k);
    ends_note(pol, k.c, before, "open", "Before the try");
    node_round_init(&lost);
    assert_int_equal(node_round_begin(pol->n, &(struct round_options){0}, &lost, NULL), ERR_OK);
    assert_int_equal(node_round_broke(pol->n, ERR_UNREACHABLE, NULL), ERR_UNREACHABLE);
    ends_note(pol, k.c, since, "open", "After the try");
    buf_init(&file, 1u << 24);
    ends_export(pol, &file);
    struct round_result r = ends_import(pol, buf_bytes(&file));
    assert_int_equal(r.applied, 2);
    assert_true(hub_has(before) && hub_has(since));
    assert_int_equal(unsent(pol), 0);
    ends_same(pol);
    ends_round(pol, 0, 0); /* nothing is left to do */
    node_round_release(&lost);
    buf_release(&file);
}

static void after_a_try_whose_answer_was_lost_one_file_brings_everything(void **state)
{
    struct ends_case k;
    struct buf file;
    uint8_t before[16], since[16];
    (void)state;
    ends_case(&k);
    ends_note(pol, k.c, before, "open", "Before the try");
    pol->lose_answer = true;
    (void)ends_sync(pol, ERR_UNREACHABLE);
    assert_true(hub_has(before));
    ends_note(pol, k.c, since, "open", "After the try");
    buf_init(&file, 1u << 24);
    ends_export(pol, &file);
    struct round_result r = ends_import(pol, buf_bytes(&file));
    assert_int_equal(r.applied, 1); /* what the try brought */
    assert_true(hub_has(since));    /* the rest is there, and is confirmed with the next contact */
    assert_int_equal(unsent(pol), 1);
    ends_round(pol, 1, 0);
    assert_int_equal(unsent(pol), 0);
    (void)ends_sync(ann, ERR_OK);
    ends_same(ann);
    buf_release(&file);
}

static void each_new_file_takes_along_what_was_written_since_the_one_before(void **state)
{
    struct ends_case k;
    struct buf file;
    uint8_t since[16], later[16];
    (void)state;
    ends_case(&k);
    file_with_more(pol, &k, since, &file);
    buf_reset(&file); /* that stick is lost */
    ends_note(pol, k.c, later, "open", "Later still");
    ends_export(pol, &file);
    assert_int_equal(ends_import(pol, buf_bytes(&file)).applied, 2);
    assert_true(hub_has(since) && hub_has(later));
    ends_same(pol);
    buf_release(&file);
}

static void the_same_file_again_gets_the_same_answer_and_changes_nothing(void **state)
{
    struct ends_case k;
    struct buf file, one, two;
    uint8_t since[16], before[32], after[32];
    (void)state;
    ends_case(&k);
    file_with_more(pol, &k, since, &file);
    buf_init(&one, 1u << 24);
    buf_init(&two, 1u << 24);
    at_hub(pol, buf_bytes(&file), ERR_OK, &one);
    int64_t envelopes = ends_count("SELECT count(*) FROM h_envelope WHERE $1 = $1", since);
    fake_hub_hash(ends_hub, before);
    at_hub(pol, buf_bytes(&file), ERR_OK, &two);
    assert_true(bytes_equal(buf_bytes(&one), buf_bytes(&two)));
    assert_int_equal(ends_count("SELECT count(*) FROM h_envelope WHERE $1 = $1", since), envelopes);
    assert_int_equal(ends_import(pol, buf_bytes(&file)).applied, 1);
    (void)ends_sync(pol, ERR_OK);
    ends_same(pol);
    buf_reset(&two);
    fake_hub_hash(ends_hub, before);
    at_hub(pol, buf_bytes(&file), ERR_EXISTS, &two); /* after newer ones: it came late */
    fake_hub_hash(ends_hub, after);
    assert_memory_equal(before, after, 32);
    assert_int_equal(two.len, 0);
    buf_release(&file);
    buf_release(&one);
    buf_release(&two);
}

/* Whoever carries the stick, or finds it. */
static void parts_of_different_files_are_refused_and_nothing_is_held_against_their_devices(void **state)
{
    struct ends_case k;
    struct buf of_pol, of_pat, mixed, out;
    struct bytes pol_request, pol_more, pat_request, pat_more;
    uint8_t one[16], two[16], before[32], after[32];
    struct why why = {0};
    (void)state;
    ends_case(&k);
    file_with_more(pol, &k, one, &of_pol);
    file_with_more(pat, &k, two, &of_pat);
    assert_int_equal(courier_split(buf_bytes(&of_pol), &pol_request, &pol_more, NULL), ERR_OK);
    assert_int_equal(courier_split(buf_bytes(&of_pat), &pat_request, &pat_more, NULL), ERR_OK);
    buf_init(&mixed, 1u << 24);
    buf_init(&out, 1u << 24);
    fake_hub_hash(ends_hub, before);
    const struct bytes pairs[][2] = {{pol_request, pat_more},
                                     {pol_request, pol_request},
                                     {pol_more, pol_more},
                                     {pol_more, pol_request},
                                     {pol_request, bytes_of(pol_more.p, pol_more.n - 1)}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        buf_reset(&mixed);
        courier_put(&mixed, pairs[i][0], pairs[i][1]);
        if (hub_exchange_file(ends_hub->hub, buf_bytes(&mixed), &out, &why) == ERR_OK) fail_msg("pair %zu is taken", i);
        assert_int_equal(out.len, 0);
    }
    assert_int_equal(hub_exchange(ends_hub->hub, pol_more, false, &out, NULL, &why),
                     ERR_REFUSED); /* alone, as a request */
    assert_int_equal(hub_exchange(ends_hub->hub, buf_bytes(&of_pol), false, &out, NULL, &why), ERR_FORMAT);
    fake_hub_hash(ends_hub, after);
    assert_memory_equal(before, after, 32);
    assert_int_equal(ends_import(pol, buf_bytes(&of_pol)).applied, 1);
    assert_int_equal(ends_import(pat, buf_bytes(&of_pat)).applied, 1);
    ends_round(pol, 0, 1); /* the other's note */
    buf_reset(&mixed);
    ends_note(pol, k.c, two, "open", "Newer");
    ends_export(pol, &mixed);
    buf_reset(&of_pat);
    courier_put(&of_pat, buf_bytes(&mixed), pol_more); /* an old part beside a new request */
    buf_release(&of_pol);
    at_hub(pol, buf_bytes(&of_pat), ERR_TAMPERED, &out);
    assert_false(hub_has(two));
    assert_int_equal(ends_import(pol, buf_bytes(&mixed)).applied, 1);
    buf_release(&of_pat);
    buf_release(&mixed);
    buf_release(&out);
}

/* What went beside a request is at the hub, and the device has not heard of it when its own copy rots. It sends a gap
 * in that place, and its work again. So it has not got what it sent, whatever its verdict was: none of it may be left
 * out of what it is told, or it would stand at the hub alone. */
static void sent_beside_a_request_and_then_rotten(struct ends_node *n)
{
    struct buf file;
    buf_init(&file, 1u << 24);
    ends_export(n, &file);
    assert_int_equal(ends_import(n, buf_bytes(&file)).applied, 0);
    assert_int_equal(unsent(n), 1);
    assert_int_equal(db_exec(node_db(n->n), "UPDATE n_content SET item = x'00'", NULL), ERR_OK);
    buf_release(&file);
}

static void a_row_that_its_device_lost_after_it_was_sent_comes_back_whole(void **state)
{
    struct ends_case k;
    uint8_t made[16];
    (void)state;
    ends_case(&k);
    pol->lose_answer = true;
    (void)ends_sync(pol, ERR_UNREACHABLE);
    ends_begin(pol);
    ends_person(pol, k.c, made, "Made");
    (void)ends_commit(pol);
    sent_beside_a_request_and_then_rotten(pol);
    (void)ends_sync(sam, ERR_OK);
    ends_shows(sam, "person", made, "family_name", "Made");
    (void)ends_write(sam, "person", made, "family_name", "Of Sam");
    (void)ends_sync(sam, ERR_OK);
    struct round_result r = ends_sync(pol, ERR_OK);
    assert_int_equal(r.applied, 1); /* what is known again under the number of the gap */
    assert_int_equal(r.merged, 1);  /* the same written again, which meets Sam's word */
    ends_same(pol);
    ends_shows(pol, "person", made, "family_name", "Of Sam");
}

static void nor_is_a_column_left_out_that_its_device_lost_after_it_was_sent(void **state)
{
    struct ends_case k;
    (void)state;
    ends_case(&k);
    pol->lose_answer = true;
    (void)ends_sync(pol, ERR_UNREACHABLE);
    ends_begin(pol);
    ends_set(pol, "person", k.person, "family_name", value_str("Jones"));
    ends_set(pol, "person", k.person, "given_names", value_str("Of Pol"));
    (void)ends_commit(pol);
    sent_beside_a_request_and_then_rotten(pol);
    (void)ends_sync(sam, ERR_OK);
    (void)ends_write(sam, "person", k.person, "given_names", "Of Sam");
    (void)ends_sync(sam, ERR_OK);
    struct round_result r = ends_sync(pol, ERR_OK);
    assert_int_equal(r.applied, 1);
    assert_int_equal(r.merged, 1);
    ends_same(pol);
    ends_shows(pol, "person", k.person, "family_name", "Jones"); /* which nobody but Pol ever wrote */
    ends_shows(pol, "person", k.person, "given_names", "Of Sam");
}

/* Put back from a copy of before, the device writes other changes under the numbers of those that went by file. */
static void a_copy_of_the_device_is_found_out_by_what_went_beside_a_request(void **state)
{
    struct ends_node image = {0}; /* its folder alone */
    struct ends_case k;
    struct buf file, answer;
    uint8_t id[16];
    (void)state;
    (void)snprintf(image.dir, sizeof image.dir, "%s", sam->dir);
    memcpy(image.dir + strlen(image.dir) - 6, "XXXXXX", 6);
    assert_non_null(mkdtemp(image.dir));
    ends_case(&k);
    buf_init(&file, 1u << 24);
    buf_init(&answer, 1u << 24);
    ends_export(sam, &file);
    ends_keep(sam, image.dir); /* its request is under way */
    buf_reset(&file);
    ends_note(sam, k.c, id, "open", "Of the device");
    ends_export(sam, &file);
    at_hub(sam, buf_bytes(&file), ERR_OK, &answer);
    ends_put_back(sam, image.dir);
    ends_release(&image);
    ends_note(sam, k.c, id, "open", "Of its copy");
    buf_reset(&file);
    ends_export(sam, &file);
    buf_reset(&answer);
    at_hub(sam, buf_bytes(&file), ERR_REFUSED, &answer);
    assert_false(hub_has(id));
    assert_int_equal(fake_hub_int(ends_hub, "SELECT count(*) FROM h_node WHERE state = 'forked'"), 1);
    buf_release(&file);
    buf_release(&answer);
}

static void a_file_that_is_cut_off_or_of_a_later_form_is_refused_in_words(void **state)
{
    static const uint8_t head[] = {'S', 'P', 'K', 'F', 1, 0, 0, 0, 0, 0, 0, 0, 2, 'a', 'b', 'c'};
    struct bytes request, more;
    struct why why = {0};
    uint8_t bad[sizeof head];
    (void)state;
    assert_int_equal(courier_split(bytes_of(head, sizeof head), &request, &more, NULL), ERR_OK);
    assert_int_equal(request.n, 2);
    assert_int_equal(more.n, 1);
    for (size_t n = 4; n < sizeof head; n++)
        assert_int_equal(courier_split(bytes_of(head, n), &request, &more, &why), ERR_FORMAT);
    assert_true(strlen(why.text) > 40);
    for (size_t i = 4; i < 13; i++) {
        memcpy(bad, head, sizeof bad);
        bad[i] = 0xff;
        assert_int_equal(courier_split(bytes_of(bad, sizeof bad), &request, &more, NULL), ERR_FORMAT);
    }
    memcpy(bad, head, sizeof bad);
    bad[12] = 0;
    assert_int_equal(courier_split(bytes_of(bad, sizeof bad), &request, &more, NULL), ERR_FORMAT);
    assert_int_equal(courier_split(bytes_of(NULL, 0), &request, &more, NULL), ERR_OK); /* for others to refuse */
    assert_int_equal(request.n + more.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_a_try_that_the_hub_never_saw_one_file_brings_everything_and_its_answer),
        cmocka_unit_test(after_a_try_whose_answer_was_lost_one_file_brings_everything),
        cmocka_unit_test(each_new_file_takes_along_what_was_written_since_the_one_before),
        cmocka_unit_test(the_same_file_again_gets_the_same_answer_and_changes_nothing),
        cmocka_unit_test(parts_of_different_files_are_refused_and_nothing_is_held_against_their_devices),
        cmocka_unit_test(a_row_that_its_device_lost_after_it_was_sent_comes_back_whole),
        cmocka_unit_test(nor_is_a_column_left_out_that_its_device_lost_after_it_was_sent),
        cmocka_unit_test(a_copy_of_the_device_is_found_out_by_what_went_beside_a_request),
        cmocka_unit_test(a_file_that_is_cut_off_or_of_a_later_form_is_refused_in_words),
    };
    return cmocka_run_group_tests(tests, ends_start, ends_stop);
}
