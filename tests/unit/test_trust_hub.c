/* A real hub and real devices: what each answer says of the log, what a hub does whose log is not what it was, and
 * whether a change can be proved. */
#include "hub/log.h"
#include "node/trust.h"
#include "tests/lib/ends_share.h"
#include "tests/lib/mock_hub.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* node/trust_logged.c, beside headers of the hub whose names meet those of the node's own. */
enum err trust_logged(struct node *n, uint64_t seq, const struct reply *r, struct buf *lines, size_t *out_n,
                      struct why *why);

static struct node_trust trust_of(struct ends_node *n)
{
    struct node_trust t;
    assert_int_equal(node_trust(n->n, &t, NULL), ERR_OK);
    return t;
}

static void at_hub(const char *sql)
{
    struct why why = {0};
    if (db_exec(hub_db(pol->f->hub), sql, &why) != ERR_OK) fail_msg("%s: %s", sql, why.text);
}

static uint64_t size_at_hub(struct ends_node *n)
{
    return (uint64_t)ends_count("SELECT size FROM h_log WHERE no = (SELECT no FROM h_node WHERE kid = $1)", n->kid);
}

static int64_t refusals(void)
{
    return fake_hub_int(pol->f,
                        "SELECT count(*) FROM h_act WHERE reason LIKE '%not the one that the device was shown%' OR "
                        "about LIKE '%not the one that the device was shown%'");
}

static void devices_of_a_hub_know_all_of_their_own_log_after_each_contact(void **state)
{
    struct ends_case k;
    uint8_t id[16];
    (void)state;
    ends_case(&k);
    for (int i = 0; i < 12; i++) {
        ends_note(pol, k.c, id, "open", "Seen at the door");
        (void)ends_sync(pol, ERR_OK);
        (void)ends_sync(ann, ERR_OK);
        assert_int_equal(trust_of(pol).kept.size, size_at_hub(pol));
        assert_int_equal(trust_of(ann).kept.size, size_at_hub(ann));
    }
    assert_false(trust_of(pol).distrusts || trust_of(ann).distrusts);
    assert_true(trust_of(pol).kept.size > 24);
    assert_int_equal(trust_of(pol).untold, 0); /* however many contacts there were */
}

/* Answered before, and brought again; and with work beside it. */
static void same_request_gets_the_same_checkpoint_and_what_came_beside_it_is_proved_with_the_next(void **state)
{
    struct ends_case k;
    struct buf file;
    uint8_t id[16];
    (void)state;
    ends_case(&k);
    pol->lose_answer = true;
    ends_note(pol, k.c, id, "open", "Before the try");
    (void)ends_sync(pol, ERR_UNREACHABLE);
    uint64_t size = size_at_hub(pol);
    ends_note(pol, k.c, id, "open", "After the try");
    buf_init(&file, 1u << 24);
    ends_export(pol, &file);
    (void)ends_import(pol, buf_bytes(&file));
    assert_int_equal(trust_of(pol).kept.size, size); /* as it was then */
    assert_true(size_at_hub(pol) > size);
    (void)ends_sync(pol, ERR_OK);
    assert_int_equal(trust_of(pol).kept.size, size_at_hub(pol));
    assert_false(trust_of(pol).distrusts);
    buf_release(&file);
}

static void hub_of_before_is_asked_nothing_and_trusted(void **state)
{
    struct mock_world w;
    struct node_trust t;
    uint8_t c[16];
    (void)state;
    mock_world_new(&w);
    mock_id(c, 0x0101);
    const struct row rows[] = {mock_case(c)};
    (void)mock_put(w.node, rows, 1);
    (void)mock_sync(&w, ERR_OK);
    (void)mock_set(w.node, "case_file", c, "rag", "red");
    (void)mock_sync(&w, ERR_OK);
    assert_int_equal(w.hub.seen.seen.size, 0);
    assert_true(message_knows(w.hub.seen.hello.software, "log"));
    assert_int_equal(node_trust(w.node, &t, NULL), ERR_OK);
    assert_true(t.kept.size == 0 && !t.distrusts);
    const uint64_t before = t.untold;
    assert_true(before > 0 && before < NODE_UNTOLD_MANY);
    for (uint64_t i = before; i < NODE_UNTOLD_MANY; i++) (void)mock_sync(&w, ERR_OK);
    assert_int_equal(node_trust(w.node, &t, NULL), ERR_OK);
    assert_true(t.untold >= NODE_UNTOLD_MANY && !t.distrusts); /* spoke verify warns */
    const struct node_question q = {.kind = QUESTION_LOGGED, .at_ms = 1};
    uint64_t number = 0;
    assert_int_equal(node_ask(w.node, &q, &number, NULL), ERR_NOTFOUND); /* it would take no request with it */
    mock_world_free(&w);
}

static void program_of_before_gets_no_checkpoint(void **state)
{
    struct fake_node old = {0};
    struct bundle_reader *r = NULL;
    struct seal_header head;
    struct bytes item;
    uint8_t binding[32];
    bool end = false;
    (void)state;
    fake_node_enrol(&old, pol->f, "school-1", "school", "Lou");
    fake_node_round(&old);
    assert_int_equal(bundle_reader_new(&r, buf_bytes(&old.got), &old.id, &head, binding, NULL), ERR_OK);
    while (bundle_next(r, &item, &end, NULL) == ERR_OK && !end)
        assert_int_not_equal(message_type(item), MSG_CHECKPOINT);
    assert_true(end);
    bundle_reader_free(r);
    fake_node_release(&old);
}

static void queue_seen(struct fake_node *n, uint64_t size)
{
    struct merkle_head head = {.size = size};
    struct buf item;
    memset(head.root, 7, sizeof head.root);
    buf_init(&item, 4096);
    message_put_seen(&item, &head);
    fake_node_queue(n, buf_bytes(&item));
    buf_release(&item);
}

static void what_no_log_of_this_hub_ever_was_is_refused_and_administrators_hear_of_it(void **state)
{
    static const uint64_t sizes[] = {1, 2, 3, 4000, INT64_MAX};
    struct fake_node n = {0};
    (void)state;
    int64_t before = refusals();
    fake_node_enrol(&n, pol->f, "school-1", "school", "Max");
    fake_node_round(&n);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        queue_seen(&n, sizes[i]);
        assert_int_equal(fake_node_try(&n), ERR_REFUSED);
        buf_reset(&n.queue);
    }
    assert_true(refusals() > before);
    queue_seen(&n, 1);
    queue_seen(&n, 1);
    assert_int_equal(fake_node_try(&n), ERR_FORMAT); /* said twice */
    buf_reset(&n.queue);
    fake_node_round(&n);
    fake_node_release(&n);
}

/* A size from which a proof needs hashes of what was there before. */
static void uneven(struct ends_node *n, const struct ends_case *k)
{
    uint8_t id[16];
    do {
        ends_note(n, k->c, id, "open", "Seen at the door");
        (void)ends_sync(n, ERR_OK);
    } while ((size_at_hub(n) & (size_at_hub(n) - 1)) == 0);
}

/* Who has the hub's disk changes its log: the hub finds that it cannot prove what it said, and answers nobody wrongly.
 * Mended, it is trusted as before. */
static void hub_whose_log_was_changed_refuses_and_costs_no_device_its_trust(void **state)
{
    static const char *const spoil[] = {
        "UPDATE h_tree SET hash = zeroblob(32); UPDATE h_leaf SET commitment = zeroblob(32)",
        "DELETE FROM h_tree; DELETE FROM h_leaf",
        "DELETE FROM h_log; INSERT INTO h_log SELECT * FROM older_log; DELETE FROM h_leaf WHERE EXISTS(SELECT 1 FROM h_log l "
        "WHERE l.no = log_no AND n >= l.size); DELETE FROM h_tree",
    };
    struct ends_case k;
    uint8_t id[16];
    (void)state;
    ends_case(&k);
    (void)ends_sync(pol, ERR_OK);
    at_hub("CREATE TEMP TABLE older_log AS SELECT * FROM h_log");
    for (int i = 0; i < 4; i++) uneven(pol, &k);
    at_hub("CREATE TEMP TABLE kept_tree AS SELECT * FROM h_tree; CREATE TEMP TABLE kept_leaf AS SELECT * FROM h_leaf;"
           "CREATE TEMP TABLE kept_log AS SELECT * FROM h_log");
    for (size_t i = 0; i < sizeof spoil / sizeof spoil[0]; i++) {
        at_hub(spoil[i]);
        ends_note(pol, k.c, id, "open", "While it was broken");
        (void)ends_sync(pol, ERR_REFUSED);
        assert_false(trust_of(pol).distrusts);
        at_hub(
            "DELETE FROM h_tree; INSERT INTO h_tree SELECT * FROM kept_tree; DELETE FROM h_leaf; INSERT INTO h_leaf SELECT * "
            "FROM kept_leaf; DELETE FROM h_log; INSERT INTO h_log SELECT * FROM kept_log");
    }
    at_hub("DROP TABLE kept_tree; DROP TABLE kept_leaf; DROP TABLE kept_log; DROP TABLE older_log");
    (void)ends_sync(pol, ERR_OK);
    assert_int_equal(trust_of(pol).kept.size, size_at_hub(pol));
}

/* ---------------------------------------------------------------------------------------------------- one change */
static struct node_logged logged(struct ends_node *n, uint64_t seq, uint64_t *out_number)
{
    const struct node_question q = {.kind = QUESTION_LOGGED, .at_ms = (int64_t)seq};
    struct node_logged l = {0};
    assert_int_equal(node_ask(n->n, &q, out_number, NULL), ERR_OK);
    (void)ends_sync(n, ERR_OK);
    assert_int_equal(node_logged(n->n, *out_number, &l, NULL), ERR_OK);
    return l;
}

static uint64_t noted(struct ends_node *n, struct ends_case *k)
{
    uint8_t id[16];
    ends_case(k);
    ends_note(n, k->c, id, "open", "To be proved");
    (void)ends_sync(n, ERR_OK);
    (void)ends_sync(n, ERR_OK); /* the checkpoint that is asked about has it */
    return (uint64_t)ends_count("SELECT last_seq FROM h_node WHERE kid = $1", n->kid);
}

static void own_change_and_its_verdict_are_proved_under_the_checkpoint_that_the_device_has(void **state)
{
    struct ends_case k;
    uint64_t number = 0;
    (void)state;
    uint64_t seq = noted(pol, &k);
    struct node_trust t = trust_of(pol);
    struct node_logged l = logged(pol, seq, &number);
    assert_true(l.found && l.proved);
    assert_int_equal(l.size, t.kept.size);
    assert_true(l.entry < l.size && l.verdict_entry < l.size && l.verdict_entry > l.entry);
    assert_string_equal(l.verdict, "applied");
    l = logged(pol, seq + 100, &number); /* nothing of that number: nothing to say */
    assert_false(l.found);
}

static void entry_that_was_erased_is_not_shown_and_nothing_follows_from_that(void **state)
{
    struct ends_case k;
    uint64_t number = 0;
    (void)state;
    uint64_t seq = noted(pol, &k);
    struct node_logged l = logged(pol, seq, &number);
    char sql[200];
    (void)snprintf(sql, sizeof sql, "UPDATE h_leaf SET salt = NULL, content = NULL WHERE n = %llu AND log_no = %lld",
                   (unsigned long long)l.entry,
                   (long long)ends_count("SELECT no FROM h_node WHERE kid = $1", pol->kid));
    at_hub(sql);
    l = logged(pol, seq, &number);
    assert_false(l.found);
    (void)ends_sync(pol, ERR_OK); /* the log is what it was */
    assert_false(trust_of(pol).distrusts);
}

struct kept {
    struct reply_line line[64];
    char word[64][REPLY_MAX_WORDS][REPLY_MAX_WORD + 1];
    size_t n;
};
static enum err keep_line(void *ctx, const struct reply_line *l, struct why *why)
{
    struct kept *k = ctx;
    (void)why;
    assert_true(k->n < 64);
    k->line[k->n] = *l;
    for (size_t i = 0; i < l->n; i++) {
        memcpy(k->word[k->n][i], l->word[i].p, l->word[i].n);
        k->line[k->n].word[i].p = (const uint8_t *)k->word[k->n][i];
    }
    k->n++;
    return ERR_OK;
}

/* What the check makes of these lines, the first of which is its own from before: "proved" or "failed". */
static bool proves(uint64_t seq, const struct kept *k, size_t skip)
{
    struct buf lines, out;
    struct reply r = {.kind = QUESTION_LOGGED};
    struct reply_line first;
    size_t n = 0;
    buf_init(&lines, 1u << 20);
    buf_init(&out, 1u << 20);
    for (size_t i = 1; i < k->n; i++) {
        if (i == skip) continue;
        reply_put_line(&lines, k->line[i].word, k->line[i].n);
        r.n_lines++;
    }
    r.lines = buf_bytes(&lines);
    assert_int_equal(lines.err, ERR_OK);
    assert_int_equal(trust_logged(pol->n, seq, &r, &out, &n, NULL), ERR_OK);
    struct bytes rest = buf_bytes(&out);
    bool proved = reply_next_line(&rest, &first) && bytes_equal(first.word[0], bytes_of_str("proved"));
    buf_release(&lines);
    buf_release(&out);
    return proved;
}

static void reply_with_any_word_changed_or_any_line_left_out_proves_nothing(void **state)
{
    struct ends_case k;
    struct node_reply head;
    uint64_t number = 0, seq;
    struct kept *kept = calloc(1, sizeof *kept);
    (void)state;
    assert_non_null(kept);
    seq = noted(pol, &k);
    struct node_logged l = logged(pol, seq, &number);
    assert_true(l.proved);
    assert_int_equal(trust_of(pol).kept.size,
                     l.size); /* nothing came since: the checkpoint is the one that was asked about */
    assert_int_equal(node_reply(pol->n, number, &head, keep_line, kept, NULL), ERR_OK);
    assert_true(kept->n >= 4);
    assert_true(proves(seq, kept, 0));
    assert_false(proves(seq - 1, kept, 0)); /* of another change */
    for (size_t i = 1; i < kept->n; i++) {
        if (i > 1 && kept->line[i].n == 4 && i + 2 >= kept->n) continue;
        for (size_t w = 0; w < kept->line[i].n; w++) {
            char *c = &kept->word[i][w][kept->line[i].word[w].n / 2], was = *c;
            *c = was == 'A' || was == '1' ? 'B' : 'A';
            assert_false(proves(seq, kept, 0));
            *c = was;
        }
        assert_false(proves(seq, kept, i));
    }
    free(kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_of_a_hub_know_all_of_their_own_log_after_each_contact),
        cmocka_unit_test(same_request_gets_the_same_checkpoint_and_what_came_beside_it_is_proved_with_the_next),
        cmocka_unit_test(hub_of_before_is_asked_nothing_and_trusted),
        cmocka_unit_test(program_of_before_gets_no_checkpoint),
        cmocka_unit_test(what_no_log_of_this_hub_ever_was_is_refused_and_administrators_hear_of_it),
        cmocka_unit_test(hub_whose_log_was_changed_refuses_and_costs_no_device_its_trust),
        cmocka_unit_test(own_change_and_its_verdict_are_proved_under_the_checkpoint_that_the_device_has),
        cmocka_unit_test(entry_that_was_erased_is_not_shown_and_nothing_follows_from_that),
        cmocka_unit_test(reply_with_any_word_changed_or_any_line_left_out_proves_nothing),
    };
    return cmocka_run_group_tests(tests, ends_start, ends_stop);
}
