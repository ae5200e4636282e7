/* Taking a device's place, and what is told apart from a device that was put back: only the old key's own word, with an
 * invitation that is meant for it, makes anything change. */
#include "tests/lib/round_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A request to take the place of `old`, with what a test spoils. */
struct attempt {
    struct identity_secret key;
    const struct fake_node *old;
    const struct identity_secret *signer; /* the old key, if it is honest */
    struct invitation code;
    struct replaces word;
    bool extra; /* one item more */
    struct buf request, answer;
    struct why why;
};

static struct attempt *attempt_new(const struct fake_node *old, const char *site)
{
    struct attempt *a = calloc(1, sizeof *a);
    struct buf code;
    assert_non_null(a);
    buf_init(&code, 4096);
    buf_init(&a->request, 1u << 20);
    buf_init(&a->answer, 1u << 20);
    assert_int_equal(identity_generate(&a->key, NULL), ERR_OK);
    assert_int_equal(hub_invite(round_hub->hub, site, "http://127.0.0.1:8470", 3600000, &code, NULL), ERR_OK);
    assert_int_equal(invitation_get(buf_bytes(&code), &a->code, NULL), ERR_OK);
    a->old = old;
    a->signer = &old->id;
    memcpy(a->word.token, a->code.token, sizeof a->word.token);
    identity_to_bytes(&a->key.pub, a->word.node);
    memcpy(a->word.hub_fingerprint, a->code.fingerprint, sizeof a->word.hub_fingerprint);
    buf_release(&code);
    return a;
}

static void attempt_free(struct attempt *a)
{
    identity_release(&a->key);
    buf_release(&a->request);
    buf_release(&a->answer);
    free(a);
}

static void put(struct bundle_writer *w, struct buf *item)
{
    assert_int_equal(bundle_put(w, "", buf_bytes(item), NULL), ERR_OK);
    buf_reset(item);
}

static enum err try_it(struct attempt *a)
{
    struct seal_header head = {.version = 1, .kind = 3};
    struct enrol_request m = {.software = "fake", .schema = 1, .user = "Carla"};
    struct bundle_writer *w = NULL;
    struct buf item;
    buf_init(&item, 1u << 16);
    buf_reset(&a->request);
    buf_reset(&a->answer);
    memcpy(m.token, a->code.token, sizeof m.token);
    memcpy(m.hub_fingerprint, a->code.fingerprint, sizeof m.hub_fingerprint);
    identity_to_bytes(&a->key.pub, m.node);
    memcpy(m.door, m.node, sizeof m.door);
    memcpy(head.recipient, hub_identity(round_hub->hub)->kid, KID_BYTES);
    assert_int_equal(bundle_writer_new(&w, &head, hub_identity(round_hub->hub), &a->request, m.binding, NULL), ERR_OK);
    assert_int_equal(message_put_enrol(&item, &a->key, &m, NULL), ERR_OK);
    put(w, &item);
    assert_int_equal(message_put_replaces(&item, a->signer, &a->word, NULL), ERR_OK);
    put(w, &item);
    if (a->extra) {
        assert_int_equal(message_put_replaces(&item, a->signer, &a->word, NULL), ERR_OK);
        put(w, &item);
    }
    assert_int_equal(bundle_finish(w, NULL), ERR_OK);
    bundle_writer_free(w);
    buf_release(&item);
    return hub_enrol(round_hub->hub, buf_bytes(&a->request), &a->answer, &a->why);
}

static int64_t nodes(const char *state)
{
    struct stmt *s;
    bool row = false;
    assert_int_equal(db_prepare(hub_db(round_hub->hub), "SELECT count(*) FROM h_node WHERE state = $1", &s, NULL),
                     ERR_OK);
    db_bind_str(s, 1, state);
    assert_int_equal(db_step(s, &row, NULL), ERR_OK);
    int64_t n = db_int(s, 0);
    db_done(s);
    return n;
}

static void must_refuse(struct attempt *a)
{
    uint8_t before[32], after[32];
    int64_t all = fake_hub_int(round_hub, "SELECT count(*) FROM h_node"), replaced = nodes("replaced");
    int64_t used = fake_hub_int(round_hub, "SELECT count(*) FROM h_invite WHERE used_at IS NOT NULL");
    int64_t acts = fake_hub_int(round_hub, "SELECT count(*) FROM h_act");
    fake_hub_hash(round_hub, before);
    assert_int_equal(try_it(a), ERR_REFUSED);
    assert_string_equal(a->why.text, "The hub does not accept this code."); /* as for every other reason */
    fake_hub_hash(round_hub, after);
    assert_memory_equal(before, after, 32);
    assert_int_equal(fake_hub_int(round_hub, "SELECT count(*) FROM h_node"), all);
    assert_int_equal(nodes("replaced"), replaced);
    assert_int_equal(fake_hub_int(round_hub, "SELECT count(*) FROM h_invite WHERE used_at IS NOT NULL"), used);
    assert_int_equal(fake_hub_int(round_hub, "SELECT count(*) FROM h_act"), acts);
    assert_int_equal(a->answer.len, 0);
}

/* --------------------------------------------------------------------------------------------- whose word counts */

static void a_place_is_taken_by_the_old_keys_own_word_for_this_enrolment_alone(void **state)
{
    (void)state;
    struct fake_node *n = round_device("care-mash", "care", "Carla"),
                     *other = round_device("care-mash", "care", "Mona");
    struct identity_secret stranger = {0};
    struct attempt *a = attempt_new(n, "care-mash");
    fake_node_pull(n);
    assert_int_equal(identity_generate(&stranger, NULL), ERR_OK);
    a->signer = &stranger; /* nobody's key */
    must_refuse(a);
    a->signer = &n->id;
    a->word.token[0] ^= 1; /* said for another enrolment */
    must_refuse(a);
    a->word.token[0] ^= 1;
    identity_to_bytes(&other->id.pub, a->word.node); /* for another key */
    must_refuse(a);
    identity_to_bytes(&a->key.pub, a->word.node);
    a->word.hub_fingerprint[0] ^= 1; /* at another hub */
    must_refuse(a);
    a->word.hub_fingerprint[0] ^= 1;
    a->extra = true;
    must_refuse(a);
    a->extra = false;
    a->code.token[0] ^= 1; /* without an invitation */
    a->word.token[0] ^= 1;
    must_refuse(a);
    a->code.token[0] ^= 1;
    a->word.token[0] ^= 1;
    fake_node_round(n); /* still heard */
    assert_int_equal(try_it(a), ERR_OK);
    fake_node_pack(n);
    round_refused(n, ERR_REFUSED); /* never again */
    identity_release(&stranger);
    attempt_free(a);
    round_gone(n);
    round_gone(other);
}

static void an_invitation_for_another_site_takes_no_place(void **state)
{
    (void)state;
    struct fake_node *n = round_device("care-mash", "care", "Carla");
    struct attempt *a = attempt_new(n, "police-hq");
    must_refuse(a);
    fake_node_round(n);
    attempt_free(a);
    round_gone(n);
}

static void the_old_devices_last_answer_is_nobodys_any_more(void **state)
{
    (void)state;
    struct fake_node *n = round_device("care-mash", "care", "Carla");
    struct attempt *a = attempt_new(n, "care-mash");
    struct buf out;
    uint8_t hash[32];
    buf_init(&out, BUNDLE_MAX);
    fake_node_round(n);
    hash_blake2b(hash, buf_bytes(&n->sent));
    assert_int_equal(hub_answer_again(round_hub->hub, hash, &out, NULL), ERR_OK);
    assert_int_equal(try_it(a), ERR_OK);
    buf_reset(&out);
    assert_int_equal(hub_answer_again(round_hub->hub, hash, &out, NULL), ERR_NOTFOUND);
    assert_int_equal(fake_node_send(n, false), ERR_EXISTS); /* the same bytes: known, and no news for them */
    assert_int_equal(n->got.len, 0);
    buf_release(&out);
    attempt_free(a);
    round_gone(n);
}

static void a_replaced_device_is_replaced_again_only_with_an_invitation_given_after_that(void **state)
{
    (void)state;
    struct fake_node *n = round_device("care-mash", "care", "Carla");
    struct attempt *a = attempt_new(n, "care-mash"), *early = attempt_new(n, "care-mash");
    assert_int_equal(try_it(a), ERR_OK);
    must_refuse(early);
    struct attempt *late = attempt_new(n, "care-mash");
    assert_int_equal(try_it(late), ERR_OK);
    attempt_free(a);
    attempt_free(early);
    attempt_free(late);
    round_gone(n);
}

static void a_revoked_device_cannot_come_back_by_an_invitation_from_before(void **state)
{
    (void)state;
    struct fake_node *n = round_device("care-mash", "care", "Carla");
    struct attempt *early = attempt_new(n, "care-mash");
    fake_node_pull(n);
    assert_int_equal(hub_revoke(round_hub->hub, n->id.pub.kid, "left on a train", NULL), ERR_OK);
    int64_t revoked = nodes("revoked");
    must_refuse(early);
    struct attempt *late = attempt_new(n, "care-mash"); /* found again, says an administrator */
    assert_int_equal(try_it(late), ERR_OK);
    assert_int_equal(nodes("revoked"), revoked); /* it stays what it was, and is not heard even so */
    fake_node_pack(n);
    round_refused(n, ERR_REFUSED);
    attempt_free(early);
    attempt_free(late);
    round_gone(n);
}

/* A copy of the old disk may be somewhere. */
static void what_the_old_device_has_not_forgotten_stays_listed(void **state)
{
    (void)state;
    struct fake_node *lead = round_device("care-mash", "care", "Carla"), *n = round_device("school-1", "school", "Sue");
    static const char *const members[] = {"school:contribute", NULL};
    uint8_t c[16], part[16];
    fake_node_pull(lead);
    fake_case(lead, c, "care", members);
    fake_node_pull(n);
    struct stmt *s;
    bool row = false;
    assert_int_equal(db_prepare(hub_db(round_hub->hub), "SELECT id FROM participant WHERE case_id = $1", &s, NULL),
                     ERR_OK);
    db_bind_id(s, 1, c);
    assert_int_equal(db_step(s, &row, NULL), ERR_OK);
    assert_true(db_id(s, 0, part));
    db_done(s);
    struct op un = fake_change("participant", part);
    struct fake_edit e;
    fake_from(&un, "access", value_str("contribute"), value_str("none"));
    fake_edit_start(&e);
    fake_put(&e, &un);
    assert_int_equal(fake_send(lead, &e)->verdict, VERDICT_APPLIED);
    int64_t unconfirmed = fake_hub_int(round_hub, "SELECT count(*) FROM h_drop WHERE receipt_at IS NULL");
    assert_true(unconfirmed > 0);
    struct attempt *a = attempt_new(n, "school-1");
    assert_int_equal(try_it(a), ERR_OK);
    assert_int_equal(fake_hub_int(round_hub, "SELECT count(*) FROM h_drop WHERE receipt_at IS NULL"), unconfirmed);
    attempt_free(a);
    round_gone(lead);
    round_gone(n);
}

/* ------------------------------------------------------------------------------------------------ late, or put back */

static void a_couriers_file_that_comes_after_newer_rounds_is_no_sign_of_a_copy(void **state)
{
    (void)state;
    struct fake_node *n = round_device("care-mash", "care", "Carla");
    struct buf early;
    uint8_t id[16];
    int64_t forked = nodes("forked");
    buf_init(&early, BUNDLE_MAX);
    fake_node_pull(n);
    fake_case(n, id, "care", round_nobody);
    round_queue_person(n, id);
    fake_node_round(n);
    buf_put_bytes(&early, buf_bytes(&n->sent));
    round_queue_person(n, id);
    fake_node_round(n);
    buf_reset(&n->sent);
    buf_put_bytes(&n->sent, buf_bytes(&early));
    int64_t acts = fake_hub_int(round_hub, "SELECT count(*) FROM h_act");
    round_refused(n, ERR_EXISTS); /* nothing changed, and no answer */
    round_refused(n, ERR_EXISTS);
    assert_int_equal(nodes("forked"), forked);
    assert_int_equal(fake_hub_int(round_hub, "SELECT count(*) FROM h_act"), acts);
    fake_node_round(n); /* it goes on */
    buf_release(&early);
    round_gone(n);
}

/* The hello of an old request is good; what was broken is behind it. */
static void a_damaged_file_is_no_sign_of_a_copy_wherever_it_is_damaged(void **state)
{
    (void)state;
    struct fake_node *n = round_device("care-mash", "care", "Carla");
    struct buf early;
    uint8_t id[16];
    int64_t forked = nodes("forked");
    buf_init(&early, BUNDLE_MAX);
    fake_node_pull(n);
    fake_case(n, id, "care", round_nobody);
    for (int i = 0; i < 40; i++) round_queue_person(n, id);
    fake_node_round(n);
    buf_put_bytes(&early, buf_bytes(&n->sent));
    fake_node_round(n);
    for (size_t i = 1; i <= 24; i++) {
        size_t at = early.len * i / 25;
        buf_reset(&n->sent);
        buf_put_bytes(&n->sent, buf_bytes(&early));
        n->sent.data[at] ^= 1;
        enum err e = fake_node_send(n, false);
        assert_true(e == ERR_TAMPERED || e == ERR_FORMAT || e == ERR_REFUSED);
        buf_reset(&n->sent);
        buf_put_bytes(&n->sent, bytes_of(early.data, at)); /* cut short */
        e = fake_node_send(n, false);
        assert_true(e == ERR_TAMPERED || e == ERR_FORMAT || e == ERR_REFUSED);
    }
    assert_int_equal(nodes("forked"), forked);
    fake_node_round(n);
    buf_release(&early);
    round_gone(n);
}

static void a_device_put_back_is_listed_as_forked_and_why(void **state)
{
    (void)state;
    struct fake_node *n = round_device("care-mash", "care", "Carla");
    fake_node_pull(n);
    int64_t forked = nodes("forked");
    n->request--;
    fake_node_pack(n);
    round_refused(n, ERR_REFUSED);
    assert_int_equal(nodes("forked"), forked + 1);
    assert_int_equal(fake_hub_int(round_hub, "SELECT count(*) FROM h_node WHERE state = 'forked' AND reason IS NULL"),
                     0);
    n->request++;
    fake_node_pack(n);
    round_refused(n, ERR_REFUSED); /* until it is set up anew */
    struct attempt *a = attempt_new(n, "care-mash");
    assert_int_equal(try_it(a), ERR_OK);
    assert_int_equal(nodes("forked"), forked);
    attempt_free(a);
    round_gone(n);
}

static void a_gap_in_the_chain_waits_for_the_whole_and_consumes_nothing(void **state)
{
    (void)state;
    struct fake_node *n = round_device("care-mash", "care", "Carla");
    uint8_t id[16];
    struct buf first;
    int64_t forked = nodes("forked");
    buf_init(&first, 1u << 20);
    fake_node_pull(n);
    fake_case(n, id, "care", round_nobody);
    round_queue_person(n, id);
    buf_put_bytes(&first, buf_bytes(&n->queue));
    buf_reset(&n->queue);
    round_queue_person(n, id);
    fake_node_pack(n); /* the second alone */
    round_refused(n, ERR_REFUSED);
    assert_int_equal(nodes("forked"), forked);
    buf_put_bytes(&first, buf_bytes(&n->queue));
    buf_reset(&n->queue);
    buf_put_bytes(&n->queue, buf_bytes(&first));
    fake_node_round(n);
    assert_int_equal(n->n_verdicts, 2);
    assert_int_equal(n->verdicts[1].verdict, VERDICT_APPLIED);
    buf_release(&first);
    round_gone(n);
}

/* --------------------------------------------------------------------------------------------- claims of a rescue */

/* One new person, said to be rescued. */
static void queue_rescued(struct fake_node *n, const uint8_t case_id[16], const uint8_t base_cut[16])
{
    struct envelope_header h = {
        .epoch = 1, .seq = n->seq + 1, .schema = rules_schema_newest(), .hlc = (uint64_t)n->f->now << 16};
    struct part part = {0};
    struct fake_edit e;
    struct buf cose, item;
    uint8_t id[16];
    buf_init(&cose, 1u << 20);
    buf_init(&item, 1u << 20);
    fake_edit_start(&e);
    struct op p = fake_person(n, id, case_id, "Rescued");
    fake_put(&e, &p);
    part.content = buf_bytes(&e.content[0]);
    memcpy(h.hub, hub_identity(n->f->hub)->kid, KID_BYTES);
    memcpy(h.base_cut, base_cut, sizeof h.base_cut);
    memcpy(h.prev, n->prev, sizeof h.prev);
    memcpy(h.user, n->user, sizeof h.user);
    memset(h.rescued, 0x5e, sizeof h.rescued);
    assert_int_equal(envelope_sign(&n->id, &h, &part, 1, &cose, NULL), ERR_OK);
    message_put_envelope(&item, buf_bytes(&cose), &part, 1);
    fake_node_queue(n, buf_bytes(&item));
    envelope_hash(buf_bytes(&cose), n->prev);
    n->seq++;
    fake_edit_release(&e);
    buf_release(&cose);
    buf_release(&item);
}

static void a_device_that_takes_nobodys_place_rescues_nothing(void **state)
{
    (void)state;
    struct fake_node *n = round_device("care-mash", "care", "Carla");
    uint8_t id[16];
    fake_node_pull(n);
    fake_case(n, id, "care", round_nobody);
    int64_t people = fake_hub_int(round_hub, "SELECT count(*) FROM person");
    queue_rescued(n, id, n->cursor);
    fake_node_round(n);
    assert_int_equal(n->verdicts[0].verdict, VERDICT_FAULT);
    assert_int_equal(fake_hub_int(round_hub, "SELECT count(*) FROM person"), people);
    round_queue_person(n, id); /* its chain goes on */
    fake_node_round(n);
    assert_int_equal(n->verdicts[0].verdict, VERDICT_APPLIED);
    round_gone(n);
}

static void rescued_work_is_held_even_where_its_author_could_do_it_now_and_upon_no_strangers_cut(void **state)
{
    (void)state;
    struct fake_node *n = round_device("care-mash", "care", "Carla"),
                     *other = round_device("care-mash", "care", "Mona");
    uint8_t id[16], cut[16];
    fake_node_pull(n);
    fake_case(n, id, "care", round_nobody);
    fake_node_pull(n);
    fake_node_pull(other);
    memcpy(cut, n->cursor, sizeof cut);
    struct attempt *a = attempt_new(n, "care-mash");
    assert_int_equal(try_it(a), ERR_OK);
    /* The same fake device, with the new keys and nothing else. */
    identity_release(&n->id);
    n->id = a->key;
    a->key = (struct identity_secret){0};
    n->request = n->seq = 0;
    memset(n->last_answer, 0, sizeof n->last_answer);
    memset(n->cursor, 0, sizeof n->cursor);
    memset(n->prev, 0, sizeof n->prev);
    queue_rescued(n, id, cut);
    fake_node_round(n);
    assert_int_equal(n->verdicts[0].verdict, VERDICT_HELD);
    assert_non_null(strstr(n->verdicts[0].reason, "written on a device that had to be set up anew"));
    queue_rescued(n, id, cut); /* the same again: known */
    fake_node_round(n);
    assert_int_equal(fake_verdict_on(n, 2)->verdict, VERDICT_MERGED);
    assert_int_equal(fake_hub_int(round_hub, "SELECT count(*) FROM person WHERE family_name = 'Rescued'"), 0);
    queue_rescued(n, id, other->cursor);
    fake_node_round(n);
    assert_int_equal(fake_verdict_on(n, 3)->verdict, VERDICT_FAULT);
    attempt_free(a);
    round_gone(n);
    round_gone(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_place_is_taken_by_the_old_keys_own_word_for_this_enrolment_alone),
        cmocka_unit_test(an_invitation_for_another_site_takes_no_place),
        cmocka_unit_test(the_old_devices_last_answer_is_nobodys_any_more),
        cmocka_unit_test(a_replaced_device_is_replaced_again_only_with_an_invitation_given_after_that),
        cmocka_unit_test(a_revoked_device_cannot_come_back_by_an_invitation_from_before),
        cmocka_unit_test(what_the_old_device_has_not_forgotten_stays_listed),
        cmocka_unit_test(a_couriers_file_that_comes_after_newer_rounds_is_no_sign_of_a_copy),
        cmocka_unit_test(a_damaged_file_is_no_sign_of_a_copy_wherever_it_is_damaged),
        cmocka_unit_test(a_device_put_back_is_listed_as_forked_and_why),
        cmocka_unit_test(a_gap_in_the_chain_waits_for_the_whole_and_consumes_nothing),
        cmocka_unit_test(a_device_that_takes_nobodys_place_rescues_nothing),
        cmocka_unit_test(rescued_work_is_held_even_where_its_author_could_do_it_now_and_upon_no_strangers_cut),
    };
    return cmocka_run_group_tests(tests, round_start, round_stop);
}
