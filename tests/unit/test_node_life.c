/* A node's life: enrolment, opening, a change, a round, verification. */
#include "tests/lib/mock_hub.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define PASS bytes_of_str(MOCK_PASSPHRASE)

static enum err begin(struct mock_world *w, const char *pass, struct buf *out, struct why *why)
{
    struct invitation code;
    uint8_t keys[PUBLIC_BYTES];
    mock_hub_invite(&w->hub, &code);
    mock_hub_public(&w->hub, keys);
    return node_enrol_begin(&w->env, w->home, bytes_of_str(pass), &code, bytes_of(keys, sizeof keys), "Mair Evans", out,
                            why);
}

static void enrolment_gives_the_node_its_place(void **state)
{
    struct mock_world w;
    struct node_info i;
    (void)state;
    mock_world_new(&w);
    assert_int_equal(node_get_info(w.node, &i, NULL), ERR_OK);
    assert_string_equal(i.site, "llanidloes");
    assert_string_equal(i.agency, "health");
    assert_string_equal(i.hub_name, "Powys MASH");
    assert_string_equal(i.user_name, "Mair Evans");
    assert_memory_equal(i.self.kid, w.hub.node.kid, KID_BYTES);
    assert_int_equal(i.last_request, 0);
    assert_false(i.revoked);
    mock_world_free(&w);
}

static void enrolment_twice_gives_the_same_request(void **state)
{
    struct mock_world w;
    struct buf one, two;
    struct why why = {0};
    (void)state;
    mock_world_bare(&w);
    buf_init(&one, 1u << 20);
    buf_init(&two, 1u << 20);
    assert_int_equal(begin(&w, MOCK_PASSPHRASE, &one, &why), ERR_OK);
    assert_int_equal(begin(&w, MOCK_PASSPHRASE, &two, &why), ERR_OK);
    assert_true(bytes_equal(buf_bytes(&one), buf_bytes(&two)));
    assert_int_equal(begin(&w, "some other words", &two, &why), ERR_PASSPHRASE);
    buf_release(&one);
    buf_release(&two);
    mock_world_free(&w);
}

/* A crash after the key file, or after the empty store: each half is found and completed. */
static void enrolment_goes_on_where_a_crash_left_it(void **state)
{
    static const char *const lost[] = {"replica.db", "replica.db-wal"};
    struct mock_world w;
    struct buf one, answer;
    struct why why = {0};
    char path[160];
    (void)state;
    mock_world_bare(&w);
    buf_init(&one, 1u << 20);
    buf_init(&answer, 1u << 20);
    assert_int_equal(begin(&w, MOCK_PASSPHRASE, &one, &why), ERR_OK);
    for (size_t k = 0; k < 2; k++) {
        mock_world_path(&w, lost[k], path);
        assert_int_equal(w.env.remove_file(w.env.ctx, path, NULL), ERR_OK);
    }
    buf_reset(&one);
    assert_int_equal(begin(&w, MOCK_PASSPHRASE, &one, &why), ERR_OK);
    assert_int_equal(node_open(&w.node, &w.env, w.home, PASS, &why), ERR_UNINIT);
    assert_true(why.next[0] != '\0');
    mock_hub_enrol(&w.hub, buf_bytes(&one), &answer);
    assert_int_equal(node_enrol_finish(&w.env, w.home, PASS, buf_bytes(&answer), &why), ERR_OK);
    assert_int_equal(node_enrol_finish(&w.env, w.home, PASS, buf_bytes(&answer), &why), ERR_EXISTS);
    assert_int_equal(begin(&w, MOCK_PASSPHRASE, &one, &why), ERR_EXISTS);
    assert_int_equal(node_open(&w.node, &w.env, w.home, PASS, &why), ERR_OK);
    buf_release(&one);
    buf_release(&answer);
    mock_world_free(&w);
}

static void a_new_code_keeps_the_keys(void **state)
{
    struct mock_world w;
    struct buf one, answer;
    struct identity first;
    struct why why = {0};
    (void)state;
    mock_world_bare(&w);
    buf_init(&one, 1u << 20);
    buf_init(&answer, 1u << 20);
    assert_int_equal(begin(&w, MOCK_PASSPHRASE, &one, &why), ERR_OK);
    mock_hub_enrol(&w.hub, buf_bytes(&one), &answer);
    first = w.hub.node;
    w.hub.token[0] ^= 1; /* the first code has run out */
    buf_reset(&one);
    assert_int_equal(begin(&w, MOCK_PASSPHRASE, &one, &why), ERR_OK);
    assert_int_equal(node_enrol_finish(&w.env, w.home, PASS, buf_bytes(&answer), &why), ERR_REFUSED);
    buf_reset(&answer);
    mock_hub_enrol(&w.hub, buf_bytes(&one), &answer);
    assert_memory_equal(first.kid, w.hub.node.kid, KID_BYTES);
    assert_int_equal(node_enrol_finish(&w.env, w.home, PASS, buf_bytes(&answer), &why), ERR_OK);
    buf_release(&one);
    buf_release(&answer);
    mock_world_free(&w);
}

static void enrolment_refuses_a_server_that_is_not_the_invited_one(void **state)
{
    struct mock_world w;
    struct invitation code;
    struct buf out;
    struct why why = {0};
    uint8_t keys[PUBLIC_BYTES];
    char path[160];
    uint64_t size;
    (void)state;
    mock_world_bare(&w);
    buf_init(&out, 1u << 20);
    mock_hub_invite(&w.hub, &code);
    code.fingerprint[5] ^= 1;
    mock_hub_public(&w.hub, keys);
    assert_int_equal(node_enrol_begin(&w.env, w.home, PASS, &code, bytes_of(keys, sizeof keys), "Mair", &out, &why),
                     ERR_REFUSED);
    assert_int_equal(out.len, 0);
    mock_world_path(&w, "replica.key", path);
    assert_int_equal(w.env.file_size(w.env.ctx, path, &size, NULL), ERR_NOTFOUND);
    buf_release(&out);
    mock_world_free(&w);
}

static void enrolment_refuses_an_answer_to_another_request(void **state)
{
    struct mock_world w, other;
    struct buf request, answer;
    struct why why = {0};
    (void)state;
    mock_world_bare(&w);
    mock_world_bare(&other);
    buf_init(&request, 1u << 20);
    buf_init(&answer, 1u << 20);
    assert_int_equal(begin(&other, MOCK_PASSPHRASE, &request, &why), ERR_OK);
    mock_hub_enrol(&other.hub, buf_bytes(&request), &answer);
    buf_reset(&request);
    assert_int_equal(begin(&w, MOCK_PASSPHRASE, &request, &why), ERR_OK);
    assert_int_equal(node_enrol_finish(&w.env, w.home, PASS, buf_bytes(&answer), &why), ERR_REFUSED);
    assert_int_equal(node_open(&w.node, &w.env, w.home, PASS, &why), ERR_UNINIT);
    buf_release(&request);
    buf_release(&answer);
    mock_world_free(&w);
    mock_world_free(&other);
}

static void open_tells_no_home_from_a_wrong_passphrase(void **state)
{
    struct mock_world w;
    struct why why = {0};
    struct node *n = NULL;
    (void)state;
    mock_world_new(&w);
    assert_int_equal(node_open(&n, &w.env, w.dir, PASS, &why), ERR_UNINIT);
    node_close(w.node);
    w.node = NULL;
    assert_int_equal(node_open(&n, &w.env, w.home, bytes_of_str("not the passphrase"), &why), ERR_PASSPHRASE);
    assert_null(n);
    mock_world_free(&w);
}

static void a_change_goes_out_and_is_acknowledged(void **state)
{
    struct mock_world w;
    struct row rows[2];
    uint8_t c[16], p[16];
    struct node_info i;
    struct verify_result v;
    struct why why = {0};
    (void)state;
    mock_world_new(&w);
    mock_id(c, 1);
    mock_id(p, 2);
    rows[0] = mock_case(c);
    rows[1] = mock_person(p, c, "Pritchard");
    assert_int_equal(mock_put(w.node, rows, 2), 1);
    assert_int_equal(node_get_info(w.node, &i, NULL), ERR_OK);
    assert_int_equal(i.unsent, 1);
    assert_int_equal(i.rows, 2);
    assert_true(i.oldest_unsent_ms > 0);
    assert_int_equal(node_verify(w.node, &v, &why), ERR_OK);
    assert_int_equal(v.pending_rows, 2);
    struct round_result r = mock_sync(&w, ERR_OK);
    assert_int_equal(r.sent, 1);
    assert_int_equal(r.applied, 1);
    assert_int_equal(r.rounds, 1);
    assert_int_equal(node_get_info(w.node, &i, NULL), ERR_OK);
    assert_int_equal(i.unsent, 0);
    assert_int_equal(i.last_request, 1);
    assert_true(i.last_contact_ms > 0);
    assert_int_equal(node_verify(w.node, &v, &why), ERR_OK);
    assert_int_equal(v.pending_rows, 0);
    assert_int_equal(v.envelopes, 1);
    assert_int_equal(v.rows, 2);
    mock_world_free(&w);
}

static void an_unreachable_hub_says_what_waits(void **state)
{
    struct mock_world w;
    struct row row;
    struct round_result r;
    struct why why = {0};
    uint8_t c[16];
    (void)state;
    mock_world_new(&w);
    mock_id(c, 1);
    row = mock_case(c);
    (void)mock_put(w.node, &row, 1);
    (void)mock_set(w.node, "case_file", c, "area", "north");
    w.hub.down = true;
    struct carrier via = mock_hub_carrier(&w.hub);
    assert_int_equal(node_sync(w.node, &via, NULL, &r, &why), ERR_UNREACHABLE);
    assert_non_null(strstr(why.text, "Nothing is lost: 2 changes wait here and go with the next contact."));
    w.hub.down = false;
    assert_int_equal(mock_sync(&w, ERR_OK).sent, 2);
    mock_world_free(&w);
}

static void revoke(struct mock_hub *h, const struct mock_request *r, struct mock_answer *a, void *ctx)
{
    (void)h;
    a->hello.revoked = true;
    if (r->hello.request == 1) mock_answer_drop(a, "case_file", ctx);
    for (size_t i = 0; i < r->n_envelopes; i++)
        mock_answer_verdict(a, r->seqs[i], VERDICT_HELD, "This device was revoked.");
}

static void a_revoked_node_takes_its_verdicts_and_says_so(void **state)
{
    struct mock_world w;
    struct row row;
    struct node_info i;
    uint8_t c[16];
    (void)state;
    mock_world_new(&w);
    mock_id(c, 1);
    row = mock_case(c);
    (void)mock_put(w.node, &row, 1);
    w.hub.script = revoke;
    w.hub.script_ctx = c;
    struct round_result r = mock_sync(&w, ERR_REFUSED);
    assert_true(r.revoked);
    assert_int_equal(r.held, 1);
    assert_int_equal(r.receipts, 1); /* what was taken away is confirmed all the same */
    assert_int_equal(node_get_info(w.node, &i, NULL), ERR_OK);
    assert_true(i.revoked);
    assert_int_equal(i.unsent, 0);
    mock_world_free(&w);
}

static void verify_finds_a_changed_outbox(void **state)
{
    struct mock_world w;
    struct row row;
    struct verify_result v;
    struct why why = {0};
    uint8_t c[16];
    (void)state;
    mock_world_new(&w);
    mock_id(c, 1);
    row = mock_case(c);
    (void)mock_put(w.node, &row, 1);
    (void)mock_set(w.node, "case_file", c, "area", "north");
    assert_int_equal(node_verify(w.node, &v, &why), ERR_OK);
    assert_int_equal(db_exec(node_db(w.node), "DELETE FROM n_outbox WHERE seq = 1", &why), ERR_OK);
    assert_int_equal(node_verify(w.node, &v, &why), ERR_TAMPERED);
    mock_world_free(&w);
}

static void verify_finds_a_row_changed_behind_the_overlay(void **state)
{
    struct mock_world w;
    struct row row;
    struct verify_result v;
    struct why why = {0};
    uint8_t c[16];
    (void)state;
    mock_world_new(&w);
    mock_id(c, 1);
    row = mock_case(c);
    (void)mock_put(w.node, &row, 1);
    assert_int_equal(db_exec(node_db(w.node), "UPDATE case_file SET area = 'elsewhere'", &why), ERR_OK);
    assert_int_equal(node_verify(w.node, &v, &why), ERR_TAMPERED);
    mock_world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(enrolment_gives_the_node_its_place),
        cmocka_unit_test(enrolment_twice_gives_the_same_request),
        cmocka_unit_test(enrolment_goes_on_where_a_crash_left_it),
        cmocka_unit_test(a_new_code_keeps_the_keys),
        cmocka_unit_test(enrolment_refuses_a_server_that_is_not_the_invited_one),
        cmocka_unit_test(enrolment_refuses_an_answer_to_another_request),
        cmocka_unit_test(open_tells_no_home_from_a_wrong_passphrase),
        cmocka_unit_test(a_change_goes_out_and_is_acknowledged),
        cmocka_unit_test(an_unreachable_hub_says_what_waits),
        cmocka_unit_test(a_revoked_node_takes_its_verdicts_and_says_so),
        cmocka_unit_test(verify_finds_a_changed_outbox),
        cmocka_unit_test(verify_finds_a_row_changed_behind_the_overlay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
