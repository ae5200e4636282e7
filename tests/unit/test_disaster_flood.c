/* What a device returns to a hub that was put back, and nothing vouches for, is kept within bounds; what the lost hub
 * had taken in is taken whatever the bounds are, and what is not taken stays on its device. hub/DISASTER.md. */
#include "hub/proposal.h"
#include "hub/restore_internal.h"
#include "hub/watch.h"
#include "sync/envelope.h"
#include "sync/messages_return.h"
#include "tests/lib/disaster_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void must_line(enum err e, const struct why *why, const char *what, int line)
{
    if (e != ERR_OK) fail_msg("%s (line %d): %s: %s", what, line, err_word(e), why->text);
}
#define MUST(call) must_line(call, &why, #call, __LINE__)
#define HUB ends_hub->hub
#define MB  (1u << 20)

/* A device of the hub with keys that the test has, so that it can sign what no honest one would. */
static struct identity_secret keys;
static struct hub_node liar(const struct ends_node *n, uint64_t request)
{
    struct why why = {0};
    struct hub_node out;
    MUST(hub_begin(HUB, &why));
    MUST(nodes_by_kid(HUB, n->kid, &out, &why));
    hub_abort(HUB);
    if (keys.keys.p == NULL) MUST(identity_generate(&keys, &why));
    out.id = keys.pub;
    out.last_request = request;
    return out;
}

/* A change of one part of n bytes, as it is returned. */
static void returned(uint64_t seq, size_t n, uint8_t hash[HASH_BYTES], struct buf *out)
{
    struct envelope_header head = {.epoch = 1, .seq = seq, .schema = 1};
    struct why why = {0};
    struct buf content, cose, item;
    struct part part = {0};
    buf_init(&content, 80 * MB);
    buf_init(&cose, 8 * MB);
    buf_init(&item, 80 * MB);
    for (size_t i = 0; i < n; i += 16) buf_put(&content, "what it made up.", 16);
    part.content = buf_bytes(&content);
    memcpy(head.hub, hub_identity(HUB)->kid, KID_BYTES);
    MUST(envelope_sign(&keys, &head, &part, 1, &cose, &why));
    envelope_hash(buf_bytes(&cose), hash);
    message_put_envelope(&item, buf_bytes(&cose), &part, 1);
    buf_init(out, 80 * MB);
    message_put_return(out, &(struct return_item){.cose = buf_bytes(&cose), .kind = RETURN_PLAIN, .body = buf_bytes(&item)});
    buf_release(&content);
    buf_release(&cose);
    buf_release(&item);
}

/* A request of its own, with this one item. */
static enum err sends(const struct hub_node *n, struct bytes item, struct why *why)
{
    enum err e = hub_begin(HUB, why);
    if (e != ERR_OK) return e;
    e = hear_item(HUB, n, HEARD_RETURN, item, why);
    if (e == ERR_OK) return hub_commit(HUB, why);
    hub_abort(HUB);
    return e;
}

static enum err returns(const struct ends_node *by, uint64_t request, uint64_t seq, size_t bytes)
{
    struct why why = {0};
    uint8_t hash[HASH_BYTES];
    struct buf item;
    const struct hub_node n = liar(by, request);
    returned(seq, bytes, hash, &item);
    enum err e = sends(&n, buf_bytes(&item), &why);
    buf_release(&item);
    return e;
}

static int64_t kept(void)
{
    return fake_hub_int(ends_hub, "SELECT coalesce(CAST(sum(length(cose) + coalesce(length(item), 0)) AS INTEGER), 0) FROM h_returned");
}

static size_t n_over;
static uint8_t who_over[16];
static enum err find_over(void *ctx, const struct hub_missing *m, struct why *why)
{
    (void)ctx, (void)why;
    if (strstr(m->words, "nothing vouches for") == NULL) return ERR_OK;
    assert_non_null(strstr(m->next, "rule returned"));
    memcpy(who_over, m->kid, sizeof who_over);
    n_over++;
    return ERR_OK;
}

static size_t over(void)
{
    struct why why = {0};
    n_over = 0;
    MUST(hub_restore_missing(HUB, find_over, NULL, &why));
    return n_over;
}

static int restored(void **state)
{
    struct why why = {0};
    struct ends_case k;
    if (lost_start(state) != 0) return -1;
    ends_case(&k);
    (void)lost_backup("old");
    lost_destroy();
    lost_restored("old");
    MUST(hub_rule_set(HUB, RULE_RETURNED, 1, "so that the test need not send much", &why));
    return 0;
}

static int done(void **state)
{
    identity_release(&keys);
    keys = (struct identity_secret){0};
    return lost_stop(state);
}

static void one_device_cannot_fill_the_hub_and_others_are_heard(void **state)
{
    struct why why = {0};
    enum err e = ERR_OK;
    uint64_t i = 0;
    (void)state;
    while (e == ERR_OK && i < 64) {
        e = returns(pol, i + 1, i + 1, 200000);
        i++;
    }
    assert_int_equal(e, ERR_BUSY);
    assert_true(kept() < 2 * MB);
    for (uint64_t j = 0; j < 4; j++) assert_int_equal(returns(pol, i + j, 100 + j, 0), ERR_BUSY);
    assert_true(kept() < 2 * MB);
    assert_int_equal(over(), 1);
    assert_memory_equal(who_over, pol->kid, 16);
    assert_int_equal(returns(sam, 1, 1, 200000), ERR_OK);
    MUST(hub_rule_set(HUB, RULE_RETURNED, 2, "it is to be believed", &why));
    assert_int_equal(over(), 0);
    assert_int_equal(returns(pol, 90, 90, 200000), ERR_OK);
}

/* The note, which only the hub can have made, tells of it: it is as large as its device signed, and that is all. */
static void what_the_lost_hub_had_taken_in_is_taken_over_any_bound(void **state)
{
    struct why why = {0};
    struct buf item;
    struct stmt *s;
    uint8_t hash[HASH_BYTES];
    (void)state;
    for (uint64_t i = 0; i < 6; i++) (void)returns(pol, i + 1, i + 1, 200000);
    assert_int_equal(returns(pol, 7, 7, 200000), ERR_BUSY);
    const struct hub_node n = liar(pol, 8);
    returned(8, 3 * MB, hash, &item);
    assert_int_equal(sends(&n, buf_bytes(&item), &why), ERR_BUSY);
    MUST(db_prepare(hub_db(HUB), "INSERT INTO h_outcome(node_no, seq, version, verdict, hash, received_at) VALUES($1, 8, 1, 0, $2, 1)", &s, &why));
    db_bind_int(s, 1, n.no);
    db_bind_blob(s, 2, bytes_of(hash, sizeof hash));
    MUST(db_run(s, &why));
    int64_t before = kept();
    MUST(sends(&n, buf_bytes(&item), &why));
    assert_true(kept() > before + (int64_t)(3 * MB));
    MUST(sends(&n, buf_bytes(&item), &why)); /* again: nothing more */
    assert_true(kept() < before + (int64_t)(4 * MB));
    buf_release(&item);
}

/* Each of them is below its own bound. */
static void all_together_cannot_either(void **state)
{
    struct ends_node *const all[] = {ann, ada, pol, pat, sam};
    struct why why = {0};
    (void)state;
    for (uint64_t i = 0; i < 5; i++) assert_int_equal(returns(all[i], 1, 1, 1000), ERR_OK);
    MUST(db_exec(hub_db(HUB), "UPDATE h_return_load SET bytes = 1048000 + node_no", &why));
    assert_int_equal(over(), 0);
    assert_int_equal(returns(sam, 2, 2, 100), ERR_OK);
    MUST(db_exec(hub_db(HUB), "INSERT INTO h_return_load(node_no, bytes, request, before) VALUES(1001, 1048000, 0, 0), (1002, 1048000, 0, 0), "
                              "(1003, 1048000, 0, 0), (1004, 1000000, 0, 0)", &why));
    assert_int_equal(over(), 1);
    assert_memory_equal(who_over, sam->kid, 16);
    assert_int_equal(returns(ann, 2, 2, 100), ERR_BUSY);
    MUST(hub_rule_set(HUB, RULE_RETURNED, 2, "they are to be believed", &why));
    assert_int_equal(over(), 0);
    assert_int_equal(returns(ann, 2, 2, 100), ERR_OK);
}

/* Doctor says: if they are not to be believed, cut them off. Then they keep nobody from returning what he has. */
static void those_who_were_cut_off_for_it_are_in_nobodys_way(void **state)
{
    struct ends_node *const all[] = {ann, ada, pol, pat};
    struct why why = {0};
    (void)state;
    for (uint64_t i = 0; i < 4; i++) assert_int_equal(returns(all[i], 1, 1, 1000), ERR_OK);
    MUST(db_exec(hub_db(HUB), "UPDATE h_return_load SET bytes = 3000000 + node_no", &why));
    assert_int_equal(returns(sam, 1, 1, 100), ERR_BUSY);
    assert_int_equal(over(), 4);
    for (size_t i = 0; i < 4; i++) MUST(hub_revoke(HUB, all[i]->kid, "it was made up", &why));
    assert_int_equal(over(), 0);
    assert_int_equal(returns(sam, 1, 1, 100), ERR_OK);
}

static void nor_can_rows_that_a_device_says_it_holds(void **state)
{
    struct why why = {0};
    struct drop_item *v = calloc(20000, sizeof *v);
    struct buf item;
    enum err e = ERR_OK;
    (void)state;
    assert_non_null(v);
    for (unsigned k = 0; k < 8 && e == ERR_OK; k++) {
        const struct hub_node n = liar(pol, k + 1);
        for (size_t i = 0; i < 20000; i++) {
            v[i] = (struct drop_item){.table_index = rules_table_index(bytes_of_str("record"))};
            v[i].id[0] = (uint8_t)k;
            v[i].id[14] = (uint8_t)(i >> 8);
            v[i].id[15] = (uint8_t)i;
        }
        buf_init(&item, 4 * MB);
        message_put_holds(&item, v, 20000);
        e = sends(&n, buf_bytes(&item), &why);
        if (e == ERR_OK) MUST(sends(&n, buf_bytes(&item), &why)); /* the same once more weighs nothing */
        buf_release(&item);
    }
    free(v);
    assert_int_equal(e, ERR_BUSY);
    int64_t rows = fake_hub_int(ends_hub, "SELECT count(*) FROM h_holds");
    assert_true(rows >= 20000 && rows <= 40000);
    assert_int_equal(over(), 1);
}

static void holds_from(struct buf *out, uint32_t from, size_t n)
{
    struct drop_item *v = calloc(n, sizeof *v);
    assert_non_null(v);
    for (size_t i = 0; i < n; i++) {
        uint32_t number = from + (uint32_t)i;
        v[i].table_index = rules_table_index(bytes_of_str("record"));
        memcpy(v[i].id, &number, sizeof number);
    }
    buf_init(out, 4 * MB);
    message_put_holds(out, v, n);
    free(v);
}

/* Each costs a look at the store, and one that says nothing new would weigh nothing. Others wait until the end of the
 * request, so it has one. An honest device's is far below it: 4 MiB of rows. */
static void one_request_cannot_go_on_for_hours_with_words_that_weigh_nothing(void **state)
{
    struct why why = {0};
    struct buf item;
    size_t n = 0;
    enum err e = ERR_OK;
    (void)state;
    MUST(hub_rule_set(HUB, RULE_RETURNED, 256, "rows alone shall not be what ends it", &why));
    const struct hub_node by = liar(pol, 1);
    MUST(hub_begin(HUB, &why));
    for (uint32_t i = 0; i < 10; i++) {
        holds_from(&item, i * 20000, 20000);
        MUST(hear_item(HUB, &by, HEARD_RETURN, buf_bytes(&item), &why));
        buf_release(&item);
    }
    MUST(hub_commit(HUB, &why));
    assert_int_equal(fake_hub_int(ends_hub, "SELECT count(*) FROM h_holds"), 200000);
    assert_int_equal(fake_hub_int(ends_hub, "SELECT max(bytes) FROM h_return_load"), 200000 * 64);
    holds_from(&item, 7, 1);
    MUST(hub_begin(HUB, &why));
    while (e == ERR_OK && n++ < 100000) e = hear_item(HUB, &by, HEARD_RETURN, buf_bytes(&item), &why);
    hub_abort(HUB);
    assert_int_equal(e, ERR_FORMAT);
    assert_true(n > 20000 && n < 70000);
    buf_release(&item);
    holds_from(&item, 199990, 40); /* of these 30 are new */
    MUST(sends(&by, buf_bytes(&item), &why));
    assert_int_equal(fake_hub_int(ends_hub, "SELECT max(bytes) FROM h_return_load"), 200030 * 64);
    buf_release(&item);
}

/* What the lost hub had said may be long: each verdict in it is looked for here. */
static void nor_with_one_note_of_many_verdicts_again_and_again(void **state)
{
    struct why why = {0};
    struct hub_node by;
    struct stmt *s;
    struct ends_case k;
    struct buf item;
    uint8_t note[16];
    bool row = false;
    size_t n = 0;
    enum err e = ERR_OK;
    (void)state;
    ends_case(&k);
    (void)lost_backup("new");
    for (int i = 0; i < 200; i++) ends_note(ada, k.c, note, "open", "x");
    (void)ends_sync(ada, ERR_OK);
    lost_destroy();
    lost_restored("new");
    (void)ends_sync(ann, ERR_OK);
    buf_init(&item, 4 * MB);
    MUST(db_prepare(node_db(ada->n), "SELECT request, note FROM n_note ORDER BY length(note) DESC LIMIT 1", &s, &why));
    MUST(db_step(s, &row, &why));
    assert_true(row);
    message_put_note(&item, &(struct note_item){.request = (uint64_t)db_int(s, 0), .note = db_bytes(s, 1)});
    db_done(s);
    MUST(hub_begin(HUB, &why));
    MUST(nodes_by_kid(HUB, ada->kid, &by, &why));
    while (e == ERR_OK && n++ < 20000) e = hear_item(HUB, &by, HEARD_RETURN, buf_bytes(&item), &why);
    hub_abort(HUB);
    assert_int_equal(e, ERR_FORMAT);
    assert_true(n > 1000 && n < 10000);
    buf_release(&item);
}

/* What honest devices return is below any of it, and when it was carried out nothing weighs any more. */
static void honest_devices_come_back_as_ever(void **state)
{
    (void)state;
    ends_all_sync();
    ends_all_sync();
    assert_string_equal(lost_status().state, "done");
    assert_int_equal(fake_hub_int(ends_hub, "SELECT count(*) FROM h_return_load"), 0);
    assert_int_equal(over(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_device_cannot_fill_the_hub_and_others_are_heard, restored, done),
        cmocka_unit_test_setup_teardown(what_the_lost_hub_had_taken_in_is_taken_over_any_bound, restored, done),
        cmocka_unit_test_setup_teardown(all_together_cannot_either, restored, done),
        cmocka_unit_test_setup_teardown(those_who_were_cut_off_for_it_are_in_nobodys_way, restored, done),
        cmocka_unit_test_setup_teardown(nor_can_rows_that_a_device_says_it_holds, restored, done),
        cmocka_unit_test_setup_teardown(one_request_cannot_go_on_for_hours_with_words_that_weigh_nothing, restored, done),
        cmocka_unit_test_setup_teardown(nor_with_one_note_of_many_verdicts_again_and_again, lost_start, done),
        cmocka_unit_test_setup_teardown(honest_devices_come_back_as_ever, restored, done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
