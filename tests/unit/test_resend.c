/* Work that was not accepted, at its author's: read, sent again with other values, let go; and the same at the hub,
 * gaps and covered envelopes too. */
#include "node/internal.h"
#include "tests/lib/intake_fixture.h"
#include "tests/lib/rot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ------------------------------------------------------------------------------------------------ at the author's */

struct start {
    struct mock_world w;
    enum verdict say;
    uint8_t c[16], p[16];
    const struct row *page; /* comes with the next answer */
};

static void script(struct mock_hub *h, const struct mock_request *r, struct mock_answer *a, void *ctx)
{
    struct start *s = ctx;
    (void)h;
    for (size_t i = 0; i < r->n_envelopes; i++)
        mock_answer_verdict(a, r->seqs[i], s->say, s->say < VERDICT_HELD ? "" : "not for you to write");
    if (s->page != NULL) mock_answer_op(a, OP_INSERT, s->page);
    s->page = NULL;
}

static void start(struct start *s)
{
    memset(s, 0, sizeof *s);
    mock_world_new(&s->w);
    s->w.hub.script = script;
    s->w.hub.script_ctx = s;
    mock_id(s->c, 1);
    mock_id(s->p, 2);
    struct row rows[2] = {mock_case(s->c), mock_person(s->p, s->c, "Pritchard")};
    (void)mock_put(s->w.node, rows, 2);
    (void)mock_sync(&s->w, ERR_OK);
}

struct said {
    size_t n;
    char text[128];
};

static enum err note(void *ctx, const struct op *op, struct why *why)
{
    struct said *s = ctx;
    (void)why;
    s->n++;
    int c = rules_column_index(op->table, bytes_of_str("family_name"));
    if (c >= 0 && op->new_[c].kind == VALUE_TEXT)
        (void)snprintf(s->text, sizeof s->text, "%.*s", (int)op->new_[c].s.n, (const char *)op->new_[c].s.p);
    return ERR_OK;
}

static void the_author_reads_what_was_held(void **state)
{
    struct start s;
    struct said said = {0};
    (void)state;
    start(&s);
    s.say = VERDICT_HELD;
    uint64_t seq = mock_set(s.w.node, "person", s.p, "family_name", "Rees");
    (void)mock_sync(&s.w, ERR_OK);
    assert_int_equal(node_outbox_read(s.w.node, seq, note, &said, NULL), ERR_OK);
    assert_int_equal(said.n, 1);
    assert_string_equal(said.text, "Rees");
    assert_int_equal(node_outbox_read(s.w.node, 1, note, &said, NULL), ERR_NOTFOUND); /* taken in: sealed */
    mock_world_free(&s.w);
}

static struct outbox_change name_change(const struct start *s, const char *name)
{
    const struct table_rule *t = rules_table((size_t)rules_table_index(bytes_of_str("person")));
    struct outbox_change c = {.table_index = rules_table_index(bytes_of_str("person")),
                              .column = (size_t)rules_column_index(t, bytes_of_str("family_name")),
                              .v = value_str(name)};
    memcpy(c.id, s->p, 16);
    return c;
}

static void held_work_is_sent_again_with_another_value(void **state)
{
    struct start s;
    char got[128];
    uint64_t again = 0;
    uint8_t salt[SALT_BYTES];
    (void)state;
    start(&s);
    s.say = VERDICT_HELD;
    uint64_t seq = mock_set(s.w.node, "person", s.p, "family_name", "Rees-Tregaron");
    (void)mock_sync(&s.w, ERR_OK);
    rot_salt(s.w.node, seq, salt);
    struct outbox_change c = name_change(&s, "Rhys");
    assert_int_equal(node_outbox_resend(s.w.node, seq, &c, 1, &again, NULL), ERR_OK);
    assert_int_equal(again, seq + 1);
    mock_get(s.w.node, "person", s.p, "family_name", got);
    assert_string_equal(got, "Rhys");
    s.say = VERDICT_APPLIED;
    (void)mock_sync(&s.w, ERR_OK);
    mock_get(s.w.node, "person", s.p, "family_name", got);
    assert_string_equal(got, "Rhys");
    assert_int_equal(rot_find(&s.w, bytes_of(salt, SALT_BYTES)), 0);
    assert_int_equal(rot_find(&s.w, bytes_of_str("Rees-Tregaron")), 0); /* nor where it was laid over the row */
    struct verify_result v;
    assert_int_equal(node_verify(s.w.node, &v, NULL), ERR_OK);
    mock_world_free(&s.w);
}

/* The held row came with a page: the same edit takes it back. */
static void held_work_whose_row_is_here_is_withdrawn_with_it(void **state)
{
    struct start s;
    struct row held = {.table = rules_table((size_t)rules_table_index(bytes_of_str("held")))};
    struct buf in;
    struct stmt *q = NULL;
    bool row = false;
    uint8_t hash[HASH_BYTES];
    uint64_t again = 0, of = 0;
    char got[128];
    (void)state;
    start(&s);
    s.say = VERDICT_HELD;
    uint64_t seq = mock_set(s.w.node, "person", s.p, "family_name", "Rees");
    buf_init(&in, 128);
    assert_int_equal(db_prepare(node_db(s.w.node), "SELECT hash FROM n_outbox ORDER BY seq DESC LIMIT 1", &q, NULL),
                     ERR_OK);
    assert_int_equal(db_step(q, &row, NULL), ERR_OK);
    buf_put_bytes(&in, db_bytes(q, 0));
    db_done(q);
    buf_put_be32(&in, 0);
    hash_labelled(hash, "spoke/held/1", buf_bytes(&in));
    buf_release(&in);
    for (size_t i = 0; i < held.table->n_columns; i++) held.v[i] = value_null();
    held.v[0] = value_id(hash);
    held.v[1] = value_id(s.c);
    held.v[2] = value_str("health");
    held.v[rules_column_index(held.table, bytes_of_str("node"))] = value_id(s.c);
    held.v[rules_column_index(held.table, bytes_of_str("state"))] = value_str("waiting");
    s.page = &held;
    (void)mock_sync(&s.w, ERR_OK);
    assert_int_equal(node_outbox_of_held(s.w.node, hash, &of, NULL), ERR_OK);
    assert_int_equal(of, seq);
    assert_int_equal(node_outbox_resend(s.w.node, seq, NULL, 0, &again, NULL), ERR_OK);
    mock_get(s.w.node, "held", hash, "state", got);
    assert_string_equal(got, "withdrawn");
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM n_outbox WHERE state = 'unsent'"), 1); /* one edit */
    mock_world_free(&s.w);
}

static void what_is_not_here_any_more_is_not_sent_again(void **state)
{
    struct start s;
    struct why why = {0};
    uint64_t again = 0;
    struct said said = {0};
    (void)state;
    start(&s);
    s.say = VERDICT_HELD;
    uint64_t seq = mock_set(s.w.node, "person", s.p, "family_name", "Rees");
    (void)mock_sync(&s.w, ERR_OK);
    assert_int_equal(db_begin(node_db(s.w.node), NULL), ERR_OK);
    assert_int_equal(overlay_forget(s.w.node, rules_table_index(bytes_of_str("person")), s.p, NULL), ERR_OK);
    assert_int_equal(db_commit(node_db(s.w.node), NULL), ERR_OK);
    assert_int_equal(node_outbox_resend(s.w.node, seq, NULL, 0, &again, &why), ERR_NOTFOUND);
    assert_non_null(strstr(why.text, "not on this device any more"));
    assert_int_equal(node_outbox_read(s.w.node, seq, note, &said, NULL), ERR_OK); /* the text is kept */
    mock_world_free(&s.w);
}

static void only_what_was_refused_is_sent_again_or_let_go(void **state)
{
    struct start s;
    uint64_t again = 0;
    bool withdrawn = false;
    (void)state;
    start(&s);
    assert_int_equal(node_outbox_resend(s.w.node, 1, NULL, 0, &again, NULL), ERR_EXISTS);
    uint64_t seq = mock_set(s.w.node, "person", s.p, "family_name", "Rees");
    assert_int_equal(node_outbox_resend(s.w.node, seq, NULL, 0, &again, NULL), ERR_DENIED);
    assert_int_equal(node_outbox_discard(s.w.node, seq, &withdrawn, NULL), ERR_DENIED);
    assert_int_equal(node_outbox_discard(s.w.node, 99, &withdrawn, NULL), ERR_NOTFOUND);
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM n_content"), 1);
    mock_world_free(&s.w);
}

static void discarded_text_is_nowhere_any_more(void **state)
{
    struct start s;
    bool withdrawn = false;
    (void)state;
    start(&s);
    s.say = VERDICT_DISMISSED;
    uint64_t seq = mock_set(s.w.node, "person", s.p, "family_name", "Rees-Tregaron");
    (void)mock_sync(&s.w, ERR_OK);
    assert_true(rot_find(&s.w, bytes_of_str("Rees-Tregaron")) > 0);
    assert_int_equal(node_outbox_discard(s.w.node, seq, &withdrawn, NULL), ERR_OK);
    assert_false(withdrawn);
    assert_int_equal(rot_find(&s.w, bytes_of_str("Rees-Tregaron")), 0);
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM n_outbox WHERE seq = 2 AND sealed IS NOT NULL"), 1);
    mock_world_free(&s.w);
}

/* ----------------------------------------------------------------------------------------------------- at the hub */

static void send_gap(struct fake_node *n, uint64_t seq, const uint8_t hash[HASH_BYTES])
{
    struct gap g = {.seq = seq};
    struct buf item;
    buf_init(&item, 1u << 16);
    memcpy(g.hub, hub_identity(hub->hub)->kid, KID_BYTES);
    memcpy(g.hash, hash, HASH_BYTES);
    assert_int_equal(message_put_gap(&item, &n->id, &g, NULL), ERR_OK);
    fake_node_queue(n, buf_bytes(&item));
    buf_release(&item);
}

static void put_away(struct fake_node *n)
{
    fake_node_release(n);
    free(n);
}

static void the_chain_goes_on_over_a_gap(void **state)
{
    uint8_t c[16], p[16], lost[HASH_BYTES];
    struct fake_node *joe = device("school-1", "school", "Joe");
    (void)state;
    shared_case(c);
    fake_node_pull(joe);
    memset(lost, 0x77, sizeof lost);
    joe->seq++;
    memcpy(joe->prev, lost, sizeof lost);
    send_gap(joe, joe->seq, lost);
    struct op person = fake_person(joe, p, c, "Smith");
    struct fake_edit e;
    fake_edit_start(&e);
    fake_put(&e, &person);
    uint64_t second = fake_commit(joe, &e);
    fake_node_round(joe);
    says(fake_verdict_on(joe, second - 1), VERDICT_FAULT, "could not read");
    says(fake_verdict_on(joe, second), VERDICT_APPLIED, NULL);
    assert_int_equal(fake_hub_int(hub, "SELECT count(*) FROM h_held WHERE fault = 1 AND state = 'waiting'"), 1);
    /* the same gap once more: its verdict is told again, and nothing else happens */
    send_gap(joe, second - 1, lost);
    fake_node_round(joe);
    says(fake_verdict_on(joe, second - 1), VERDICT_FAULT, NULL);
    assert_int_equal(fake_hub_int(hub, "SELECT count(*) FROM h_held WHERE fault = 1 AND state = 'waiting'"), 1);
    verifies();
    put_away(joe);
}

/* The bytes came before they rotted: the hub says what became of them. */
static void a_gap_for_what_the_hub_has_gets_its_verdict(void **state)
{
    uint8_t c[16], p[16];
    struct fake_node *joe = device("school-1", "school", "Ann");
    (void)state;
    shared_case(c);
    fake_node_pull(joe);
    struct op person = fake_person(joe, p, c, "Smith");
    says(send_one(joe, &person), VERDICT_APPLIED, NULL);
    send_gap(joe, joe->seq, joe->prev);
    fake_node_round(joe);
    says(fake_verdict_on(joe, joe->seq), VERDICT_APPLIED, NULL);
    assert_true(at_hub("person", p));
    put_away(joe);
}

static void a_gap_with_another_hash_is_a_copy_of_the_device(void **state)
{
    uint8_t c[16], p[16], other[HASH_BYTES];
    struct fake_node *joe = device("school-1", "school", "Bob");
    (void)state;
    shared_case(c);
    fake_node_pull(joe);
    struct op person = fake_person(joe, p, c, "Smith");
    says(send_one(joe, &person), VERDICT_APPLIED, NULL);
    memset(other, 0x11, sizeof other);
    send_gap(joe, joe->seq, other);
    assert_int_equal(fake_node_try(joe), ERR_REFUSED);
    assert_int_equal(fake_hub_int(hub, "SELECT count(*) FROM h_node WHERE state = 'forked'"), 1);
    put_away(joe);
}

static void a_gap_that_leaves_one_out_or_is_for_another_hub_is_refused(void **state)
{
    uint8_t lost[HASH_BYTES], before[32], after[32];
    struct fake_node *joe = device("school-1", "school", "Cat");
    struct gap g = {.seq = 1};
    struct buf item;
    (void)state;
    memset(lost, 0x77, sizeof lost);
    fake_node_pull(joe);
    struct fake_node *dee = device("school-1", "school", "Dee");
    fake_hub_hash(hub, before);
    send_gap(joe, 2, lost);
    assert_int_equal(fake_node_try(joe), ERR_REFUSED);
    buf_init(&item, 1u << 16);
    memset(g.hub, 9, sizeof g.hub);
    memcpy(g.hash, lost, sizeof lost);
    assert_int_equal(message_put_gap(&item, &dee->id, &g, NULL), ERR_OK);
    fake_node_queue(dee, buf_bytes(&item));
    assert_int_equal(fake_node_try(dee), ERR_TAMPERED);
    fake_hub_hash(hub, after);
    assert_memory_equal(before, after, sizeof before);
    assert_int_equal(fake_hub_int(hub, "SELECT count(*) FROM h_envelope WHERE reason LIKE '%could not read%' AND "
                                       "node_no IN (SELECT max(no) FROM h_node)"),
                     0);
    buf_release(&item);
    put_away(joe);
    put_away(dee);
}

static void a_revoked_device_may_still_say_that_it_lost_something(void **state)
{
    uint8_t c[16], p[16], lost[HASH_BYTES];
    struct fake_node *joe = device("school-1", "school", "Eve");
    struct fake_edit e;
    (void)state;
    shared_case(c);
    fake_node_pull(joe);
    assert_int_equal(hub_revoke(hub->hub, joe->id.pub.kid, "lost", NULL), ERR_OK);
    memset(lost, 0x55, sizeof lost);
    joe->seq++;
    memcpy(joe->prev, lost, sizeof lost);
    send_gap(joe, joe->seq, lost);
    struct op person = fake_person(joe, p, c, "Smith");
    fake_edit_start(&e);
    fake_put(&e, &person);
    uint64_t second = fake_commit(joe, &e);
    fake_node_round(joe);
    says(fake_verdict_on(joe, second - 1), VERDICT_FAULT, NULL);
    says(fake_verdict_on(joe, second), VERDICT_HELD, "revoked");
    put_away(joe);
}

static void the_hub_says_what_its_backup_covers(void **state)
{
    uint8_t c[16], p[16];
    (void)state;
    shared_case(c);
    fake_node_pull(sue);
    assert_int_equal(sue->hello.covered, 0);
    struct op person = fake_person(sue, p, c, "Smith");
    says(send_one(sue, &person), VERDICT_APPLIED, NULL);
    assert_int_equal(hub_covered(hub->hub, NULL), ERR_OK);
    uint64_t covered = sue->seq;
    struct op more = fake_person(sue, p, c, "Jones");
    says(send_one(sue, &more), VERDICT_APPLIED, NULL);
    assert_int_equal(sue->hello.covered, covered);
}

/* The same row again, with what it took to be allowed, and the held one taken back in the same edit. */
static void work_sent_again_does_not_wait_for_what_it_takes_back(void **state)
{
    uint8_t c[16], m[16], held[16];
    struct fake_edit e;
    (void)state;
    shared_case(c);
    env_new_id(&hub->env, m);
    struct op person = fake_person(sue, m, c, "Smith");
    memcpy(m, op_row_id(&person), 16);
    person.new_[2] = value_str("police"); /* not in its own name */
    says(send_one(sue, &person), VERDICT_HELD, "another agency");
    everybody_pulls();
    id_of("SELECT id FROM held WHERE case_id = $1 AND state = 'waiting'", c, held);
    person.new_[2] = value_str("school");
    struct op back = fake_change("held", held);
    fake_from(&back, "state", value_str("waiting"), value_str("withdrawn"));
    fake_edit_start(&e);
    fake_put(&e, &person);
    fake_put(&e, &back);
    uint64_t seq = fake_commit(sue, &e);
    fake_node_round(sue);
    says(fake_verdict_on(sue, seq), VERDICT_APPLIED, NULL);
    says(fake_verdict_on(sue, seq - 1), VERDICT_DISMISSED, "withdrawn");
    assert_true(at_hub("person", m));
    text_at_hub("held", held, "state", "withdrawn");
    verifies();
}

/* Sent again and held again: the manager may accept it, and with it what it takes the place of is settled. */
static void held_work_that_takes_other_held_work_back_can_be_accepted(void **state)
{
    uint8_t c[16], m[16], held[16], again[16];
    struct fake_edit e;
    (void)state;
    shared_case(c);
    env_new_id(&hub->env, m);
    struct op meeting = fake_new(sue, "meeting", m, c); /* not the school's to make */
    fake_value(&meeting, "kind", value_str("strategy"));
    says(send_one(sue, &meeting), VERDICT_HELD, "add this");
    everybody_pulls();
    id_of("SELECT id FROM held WHERE case_id = $1 AND state = 'waiting'", c, held);
    struct op back = fake_change("held", held);
    fake_from(&back, "state", value_str("waiting"), value_str("withdrawn"));
    fake_value(&meeting, "kind", value_str("review"));
    fake_edit_start(&e);
    fake_put(&e, &meeting);
    fake_put(&e, &back);
    uint64_t seq = fake_commit(sue, &e);
    fake_node_round(sue);
    says(fake_verdict_on(sue, seq), VERDICT_HELD, "add this");
    text_at_hub("held", held, "state", "waiting");
    everybody_pulls();
    id_of("SELECT id FROM held WHERE case_id = $1 AND state = 'waiting' AND what LIKE '%review%'", c, again);
    says(change(mona, "held", again, "state", "accepted"), VERDICT_APPLIED, NULL);
    assert_true(at_hub("meeting", m));
    text_at_hub("meeting", m, "kind", "review");
    text_at_hub("held", held, "state", "withdrawn");
    verifies();
}

int main(void)
{
    const struct CMUnitTest author[] = {
        cmocka_unit_test(the_author_reads_what_was_held),
        cmocka_unit_test(held_work_is_sent_again_with_another_value),
        cmocka_unit_test(held_work_whose_row_is_here_is_withdrawn_with_it),
        cmocka_unit_test(what_is_not_here_any_more_is_not_sent_again),
        cmocka_unit_test(only_what_was_refused_is_sent_again_or_let_go),
        cmocka_unit_test(discarded_text_is_nowhere_any_more),
    };
    const struct CMUnitTest at_the_hub[] = {
        cmocka_unit_test(the_chain_goes_on_over_a_gap),
        cmocka_unit_test(a_gap_for_what_the_hub_has_gets_its_verdict),
        cmocka_unit_test(a_gap_with_another_hash_is_a_copy_of_the_device),
        cmocka_unit_test(a_gap_that_leaves_one_out_or_is_for_another_hub_is_refused),
        cmocka_unit_test(a_revoked_device_may_still_say_that_it_lost_something),
        cmocka_unit_test(the_hub_says_what_its_backup_covers),
        cmocka_unit_test(work_sent_again_does_not_wait_for_what_it_takes_back),
        cmocka_unit_test(held_work_that_takes_other_held_work_back_can_be_accepted),
    };
    int failed = cmocka_run_group_tests(author, NULL, NULL);
    return failed + cmocka_run_group_tests(at_the_hub, intake_start, intake_stop);
}
