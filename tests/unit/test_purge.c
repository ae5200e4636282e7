/* Purged content is nowhere on the node in readable form: not in a page, not in a free one, not in the gaps of one, not
 * in the log. And what its author may still want is kept until then. */
#include "tests/lib/rot.h"

#include "crypto/seal.h"
#include "node/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MANY 40

struct say {
    enum verdict verdict;
    uint64_t only; /* judge this one alone; 0 all */
    uint64_t covered;
    const uint8_t *drop; /* a person */
};
struct start {
    struct mock_world w;
    struct say say;
    uint8_t c[16];
};

static void script(struct mock_hub *h, const struct mock_request *r, struct mock_answer *a, void *ctx)
{
    const struct say *say = ctx;
    (void)h;
    a->hello.covered = say->covered;
    for (size_t i = 0; i < r->n_envelopes; i++)
        if (say->only == 0 || say->only == r->seqs[i])
            mock_answer_verdict(a, r->seqs[i], say->verdict, say->verdict < VERDICT_HELD ? "" : "because");
    if (say->drop != NULL) mock_answer_drop(a, "person", say->drop);
}

static void start(struct start *s)
{
    memset(s, 0, sizeof *s);
    mock_world_new(&s->w);
    mock_id(s->c, 1);
    struct row row = mock_case(s->c);
    (void)mock_put(s->w.node, &row, 1);
    (void)mock_sync(&s->w, ERR_OK);
    s->w.hub.script = script;
    s->w.hub.script_ctx = &s->say;
}

static uint64_t add(struct start *s, unsigned no, const char *name)
{
    uint8_t id[16];
    mock_id(id, no);
    struct row row = mock_person(id, s->c, name);
    return mock_put(s->w.node, &row, 1);
}

/* So many contents of many sizes that balancing moves them about. */
static void add_many(struct start *s, unsigned from)
{
    static const size_t sizes[] = {40, 900, 2500, 200, 1500, 6000, 12};
    char *name = malloc(8192);
    assert_non_null(name);
    for (unsigned i = 0; i < MANY; i++) {
        size_t n = sizes[i % 7];
        memset(name, 'a' + (int)(i % 26), n);
        name[n] = '\0';
        (void)add(s, from + i, name);
    }
    free(name);
}

static void salts_of(struct start *s, uint64_t from, uint8_t (*out)[SALT_BYTES])
{
    for (unsigned i = 0; i < MANY; i++) rot_salt(s->w.node, from + i, out[i]);
}

static size_t found(struct start *s, uint8_t (*salts)[SALT_BYTES])
{
    struct buf plain;
    size_t n = 0;
    rot_read(&s->w, &plain);
    for (unsigned i = 0; i < MANY; i++) n += memmem(plain.data, plain.len, salts[i], SALT_BYTES) != NULL;
    buf_release(&plain);
    return n;
}

static void applied_content_is_in_no_page_and_not_in_the_log(void **state)
{
    struct start s;
    uint8_t salts[MANY][SALT_BYTES];
    (void)state;
    start(&s);
    add_many(&s, 100);
    salts_of(&s, 2, salts);
    assert_int_equal(db_truncate_log(node_db(s.w.node), NULL), ERR_OK);
    assert_int_equal(found(&s, salts), MANY); /* the search finds what is there */
    (void)mock_sync(&s.w, ERR_OK);
    assert_int_equal(found(&s, salts), 0);
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM n_outbox WHERE sealed IS NULL AND seq > 1"), 0);
    mock_world_free(&s.w);
}

static void what_is_judged_goes_while_what_is_not_stays(void **state)
{
    struct start s;
    uint8_t salts[MANY][SALT_BYTES];
    struct verify_result v;
    (void)state;
    start(&s);
    add_many(&s, 100);
    salts_of(&s, 2, salts);
    s.say.only = 20;
    (void)mock_sync(&s.w, ERR_OK);
    assert_int_equal(rot_find(&s.w, bytes_of(salts[18], SALT_BYTES)), 0);
    assert_int_equal(found(&s, salts), MANY - 1);
    assert_int_equal(node_verify(s.w.node, &v, NULL), ERR_OK);
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM n_content"), MANY - 1);
    mock_world_free(&s.w);
}

static void held_text_is_kept_for_its_author(void **state)
{
    struct start s;
    uint8_t salt[SALT_BYTES];
    static const enum verdict kept[] = {VERDICT_HELD, VERDICT_WAITS, VERDICT_FAULT, VERDICT_DISMISSED};
    (void)state;
    start(&s);
    for (unsigned i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        uint64_t seq = add(&s, 100 + i, "Rees-Tregaron");
        s.say.verdict = kept[i];
        (void)mock_sync(&s.w, ERR_OK);
        rot_salt(s.w.node, seq, salt);
    }
    mock_world_free(&s.w);
}

static void judge_again(struct start *s, uint64_t seq, enum verdict verdict)
{
    struct verdict_item v = {.seq = seq, .verdict = verdict, .reason = bytes_of_str("")};
    bool first = false;
    assert_int_equal(db_begin(node_db(s->w.node), NULL), ERR_OK);
    assert_int_equal(outbox_judge(s->w.node, &v, &first, NULL), ERR_OK);
    assert_int_equal(db_commit(node_db(s->w.node), NULL), ERR_OK);
    assert_int_equal(purge_run(s->w.node, NULL), ERR_OK);
}

static void held_text_goes_once_a_manager_accepted_it(void **state)
{
    struct start s;
    uint8_t salt[SALT_BYTES];
    (void)state;
    start(&s);
    uint64_t seq = add(&s, 100, "Rees-Tregaron");
    rot_salt(s.w.node, seq, salt);
    s.say.verdict = VERDICT_HELD;
    (void)mock_sync(&s.w, ERR_OK);
    judge_again(&s, seq, VERDICT_APPLIED);
    assert_int_equal(rot_find(&s.w, bytes_of(salt, SALT_BYTES)), 0);
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM n_outbox WHERE seq = 2 AND sealed IS NOT NULL"), 1);
    mock_world_free(&s.w);
}

/* The row of a held edit is dropped: neither its id nor the kept text may stay. */
static void a_drop_takes_kept_text_that_names_the_row_before_its_receipt(void **state)
{
    struct start s;
    uint8_t salt[SALT_BYTES], id[16];
    (void)state;
    start(&s);
    mock_id(id, 0xbeef);
    memset(id + 8, 0x5a, 8);
    struct row row = mock_person(id, s.c, "Rees-Tregaron");
    (void)mock_put(s.w.node, &row, 1);
    (void)mock_sync(&s.w, ERR_OK);
    s.say.verdict = VERDICT_HELD;
    uint64_t seq = mock_set(s.w.node, "person", id, "family_name", "Ystumtuen-Blaencwm");
    (void)mock_sync(&s.w, ERR_OK);
    rot_salt(s.w.node, seq, salt);
    s.say.drop = id;
    struct round_options once = {.max_rounds = 1};
    struct carrier via = mock_hub_carrier(&s.w.hub);
    struct round_result r;
    assert_int_equal(node_sync(s.w.node, &via, &once, &r, NULL), ERR_OK);
    assert_int_equal(rot_find(&s.w, bytes_of(salt, SALT_BYTES)), 0);
    assert_int_equal(rot_find(&s.w, bytes_of(id, 16)), 0);
    assert_int_equal(rot_find(&s.w, bytes_of_str("Ystumtuen-Blaencwm")), 0);
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM n_receipt WHERE kind = 1"), 1);
    mock_world_free(&s.w);
}

/* Parked, then held: its text names what was taken away, and nobody here may read it any more. */
static void parked_work_that_is_held_is_not_kept(void **state)
{
    struct start s;
    uint8_t salt[SALT_BYTES], id[16];
    (void)state;
    start(&s);
    mock_id(id, 0xbeef);
    struct row row = mock_person(id, s.c, "Rees-Tregaron");
    (void)mock_put(s.w.node, &row, 1);
    (void)mock_sync(&s.w, ERR_OK);
    uint64_t seq = mock_set(s.w.node, "person", id, "family_name", "Ystumtuen-Blaencwm");
    rot_salt(s.w.node, seq, salt);
    s.say.only = 99; /* judges nothing */
    s.say.drop = id;
    struct round_options once = {.max_rounds = 1};
    struct carrier via = mock_hub_carrier(&s.w.hub);
    struct round_result r;
    assert_int_equal(node_sync(s.w.node, &via, &once, &r, NULL), ERR_OK);
    assert_true(rot_find(&s.w, bytes_of(salt, SALT_BYTES)) > 0);
    s.say = (struct say){.verdict = VERDICT_HELD};
    (void)mock_sync(&s.w, ERR_OK);
    assert_int_equal(rot_find(&s.w, bytes_of(salt, SALT_BYTES)), 0);
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM n_content"), 0);
    mock_world_free(&s.w);
}

/* The verdict is committed, then the power goes: opening carries the purge out. */
static void a_purge_that_was_cut_off_is_carried_out_at_the_next_opening(void **state)
{
    struct start s;
    uint8_t salt[SALT_BYTES];
    (void)state;
    start(&s);
    uint64_t seq = add(&s, 100, "Rees-Tregaron");
    rot_salt(s.w.node, seq, salt);
    struct verdict_item v = {.seq = seq, .verdict = VERDICT_APPLIED, .reason = bytes_of_str("")};
    bool first = false;
    assert_int_equal(db_begin(node_db(s.w.node), NULL), ERR_OK);
    assert_int_equal(outbox_judge(s.w.node, &v, &first, NULL), ERR_OK);
    assert_int_equal(db_commit(node_db(s.w.node), NULL), ERR_OK);
    assert_int_equal(mock_ask(s.w.node, "SELECT value FROM n_number WHERE name = 'purge_due'"), PURGE_PAGES);
    mock_world_reopen(&s.w);
    assert_int_equal(mock_ask(s.w.node, "SELECT value FROM n_number WHERE name = 'purge_due'"), PURGE_NOTHING);
    assert_int_equal(rot_find(&s.w, bytes_of(salt, SALT_BYTES)), 0);
    mock_world_free(&s.w);
}

static void sealed_copies_go_once_a_backup_covers_them_and_no_others(void **state)
{
    struct start s;
    (void)state;
    start(&s);
    for (unsigned i = 0; i < 3; i++) (void)add(&s, 100 + i, "Rees");
    (void)mock_sync(&s.w, ERR_OK);
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM n_outbox WHERE sealed IS NOT NULL"), 4);
    s.say.covered = 3;
    (void)mock_sync(&s.w, ERR_OK);
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM n_outbox WHERE sealed IS NOT NULL"), 1);
    assert_int_equal(mock_ask(s.w.node, "SELECT seq FROM n_outbox WHERE sealed IS NOT NULL"), 4);
    mock_world_free(&s.w);
}

static void what_is_covered_and_not_decided_is_kept(void **state)
{
    struct start s;
    uint8_t salt[SALT_BYTES];
    (void)state;
    start(&s);
    s.say.verdict = VERDICT_HELD;
    uint64_t seq = add(&s, 100, "Rees");
    (void)mock_sync(&s.w, ERR_OK);
    s.say.covered = seq;
    (void)mock_sync(&s.w, ERR_OK);
    rot_salt(s.w.node, seq, salt);
    mock_world_free(&s.w);
}

static void a_hub_that_covers_more_than_was_ever_sent_is_not_believed(void **state)
{
    struct start s;
    (void)state;
    start(&s);
    (void)add(&s, 100, "Rees");
    s.say.covered = 3; /* 1 and 2 are sent with this contact */
    (void)mock_sync(&s.w, ERR_TAMPERED);
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM n_outbox WHERE sealed IS NOT NULL"), 1);
    assert_int_equal(mock_ask(s.w.node, "SELECT count(*) FROM n_outbox WHERE state = 'unsent'"), 1);
    mock_world_free(&s.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(applied_content_is_in_no_page_and_not_in_the_log),
        cmocka_unit_test(what_is_judged_goes_while_what_is_not_stays),
        cmocka_unit_test(held_text_is_kept_for_its_author),
        cmocka_unit_test(held_text_goes_once_a_manager_accepted_it),
        cmocka_unit_test(a_drop_takes_kept_text_that_names_the_row_before_its_receipt),
        cmocka_unit_test(parked_work_that_is_held_is_not_kept),
        cmocka_unit_test(a_purge_that_was_cut_off_is_carried_out_at_the_next_opening),
        cmocka_unit_test(sealed_copies_go_once_a_backup_covers_them_and_no_others),
        cmocka_unit_test(what_is_covered_and_not_decided_is_kept),
        cmocka_unit_test(a_hub_that_covers_more_than_was_ever_sent_is_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
