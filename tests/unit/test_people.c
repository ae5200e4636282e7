/* Several people on one device (node/people.c): each opens it in his own name and no other's, and who was removed
 * stays out. */
#include "tests/lib/people_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void who_joined_is_its_first_person(void **state)
{
    struct people_world *x = *state;
    people_are(x, "Mair Evans*;");
    people_open_as(x, MOCK_PASSPHRASE, "Mair Evans", MAIR);
    people_are_sound(x);
}

/* The person in the header of the newest envelope. */
static void author_is(struct people_world *x, int who)
{
    struct stmt *s = NULL;
    struct envelope e;
    bool row = false;
    assert_int_equal(db_prepare(node_db(x->w.node), "SELECT cose FROM n_outbox ORDER BY seq DESC LIMIT 1", &s, NULL),
                     ERR_OK);
    assert_int_equal(db_step(s, &row, NULL), ERR_OK);
    assert_int_equal(envelope_verify(db_bytes(s, 0), &x->w.node->self.pub, &e, &x->why), ERR_OK);
    assert_memory_equal(e.h.user, x->id[who], 16);
    db_done(s);
}

static void each_writes_in_their_own_name(void **state)
{
    struct people_world *x = *state;
    struct row row;
    uint8_t c[16];
    mock_id(c, 1);
    row = mock_case(c);
    assert_int_equal(people_world_add(x, GWEN, GWEN_WORDS), ERR_OK);
    people_are(x, "Mair Evans*;Gwen Price;");
    people_open_as(x, GWEN_WORDS, "Gwen Price", GWEN);
    people_are(x, "Mair Evans;Gwen Price*;");
    (void)mock_put(x->w.node, &row, 1);
    author_is(x, GWEN);
    people_open_as(x, MOCK_PASSPHRASE, "Mair Evans", MAIR);
    (void)mock_set(x->w.node, "case_file", c, "area", "north");
    author_is(x, MAIR);
    assert_int_equal(mock_ask(x->w.node,
                              "SELECT count(*) FROM n_audit a JOIN n_person p ON p.id = a.user WHERE a.seq = 1 AND "
                              "p.name = 'Gwen Price' OR a.seq = 2 AND p.name = 'Mair Evans'"),
                     2);
    assert_int_equal(mock_ask(x->w.node,
                              "SELECT count(*) FROM n_audit a JOIN n_person p ON p.id = a.about JOIN n_person q "
                              "ON q.id = a.user WHERE p.name = 'Gwen Price' AND q.name = 'Mair Evans'"),
                     1);
    people_are_sound(x);
}

static void only_people_whom_the_hub_has_here_are_added(void **state)
{
    struct people_world *x = *state;
    uint8_t nobody[16] = {9};
    assert_int_equal(node_person_add(x->w.node, nobody, bytes_of_str(GWEN_WORDS), &x->why), ERR_NOTFOUND);
    assert_int_equal(people_world_add(x, ELSEWHERE, GWEN_WORDS), ERR_NOTFOUND);
    assert_int_equal(people_world_add(x, GONE, GWEN_WORDS), ERR_NOTFOUND);
    assert_int_equal(people_world_add(x, MAIR, GWEN_WORDS), ERR_EXISTS);
    assert_int_equal(people_world_add(x, GWEN, "short"), ERR_DENIED);
    people_are(x, "Mair Evans*;");
    assert_int_equal(people_audits(x, "passphrase"), 0);
    people_are_sound(x);
    assert_int_equal(people_world_add(x, GWEN, GWEN_WORDS), ERR_OK);
    assert_int_equal(people_world_add(x, GWEN, NEXT_WORDS), ERR_EXISTS);
}

static void two_of_one_name_are_told_apart(void **state)
{
    struct people_world *x = *state;
    assert_int_equal(people_world_add(x, SECOND_MAIR, GWEN_WORDS), ERR_OK);
    people_are(x, "Mair Evans*;Mair Evans (2);");
    people_open_as(x, GWEN_WORDS, "Mair Evans (2)", SECOND_MAIR);
}

static void seven_people_have_room_and_a_recovery_code_besides(void **state)
{
    struct people_world *x = *state;
    char words[40], code[RECOVERY_CODE_CHARS];
    for (int i = 0; i < 6; i++) {
        (void)snprintf(words, sizeof words, "passphrase of number %d", i);
        assert_int_equal(people_world_add(x, MORE + i, words), ERR_OK);
    }
    assert_int_equal(people_world_add(x, GWEN, GWEN_WORDS), ERR_LIMIT);
    assert_int_equal(node_recovery_code(x->w.node, code, &x->why), ERR_OK);
    people_open_as(x, words, "One More (6)", MORE + 5);
    people_are_sound(x);
}

static void who_was_removed_does_not_come_in_and_the_last_cannot_be(void **state)
{
    struct people_world *x = *state;
    struct keyring ring = {0};
    const struct node_key key = {.ring = &ring};
    assert_int_equal(node_person_remove(x->w.node, x->id[MAIR], &x->why), ERR_DENIED);
    assert_int_equal(node_person_remove(x->w.node, x->id[GWEN], &x->why), ERR_NOTFOUND);
    assert_int_equal(people_world_add(x, GWEN, GWEN_WORDS), ERR_OK);
    assert_int_equal(node_unlock(&x->w.env, x->w.home, bytes_of_str(GWEN_WORDS), &ring, &x->why), ERR_OK);
    assert_int_equal(node_person_remove(x->w.node, x->id[GWEN], &x->why), ERR_OK);
    people_are(x, "Mair Evans*;");
    people_are_sound(x);
    assert_int_equal(people_open(x, GWEN_WORDS), ERR_PASSPHRASE);
    assert_int_equal(node_open_as(&x->w.node, &x->w.env, x->w.home, &key, NODE_FOR_PEOPLE, &x->why), ERR_LOCKED);
    people_open_as(x, MOCK_PASSPHRASE, "Mair Evans", MAIR);
    assert_int_equal(people_audits(x, "took somebody"), 1);
    keyring_release(&ring);
}

static void who_takes_away_his_own_passphrase_can_still_finish(void **state)
{
    struct people_world *x = *state;
    assert_int_equal(people_world_add(x, GWEN, GWEN_WORDS), ERR_OK);
    assert_int_equal(node_person_remove(x->w.node, x->id[MAIR], &x->why), ERR_OK);
    people_are_sound(x);
    assert_int_equal(node_person_passphrase(x->w.node, x->id[GWEN], bytes_of_str(NEXT_WORDS), &x->why), ERR_OK);
    assert_int_equal(people_open(x, MOCK_PASSPHRASE), ERR_PASSPHRASE);
    people_open_as(x, NEXT_WORDS, "Gwen Price", GWEN);
}

static void a_changed_passphrase_replaces_the_old_one(void **state)
{
    struct people_world *x = *state;
    assert_int_equal(node_person_passphrase(x->w.node, x->id[MAIR], bytes_of_str("short"), &x->why), ERR_DENIED);
    assert_int_equal(node_person_passphrase(x->w.node, x->id[MAIR], bytes_of_str(NEXT_WORDS), &x->why), ERR_OK);
    assert_int_equal(people_open(x, MOCK_PASSPHRASE), ERR_PASSPHRASE);
    people_open_as(x, NEXT_WORDS, "Mair Evans", MAIR);
    assert_int_equal(people_audits(x, "set another passphrase"), 1);
    people_are_sound(x);
}

static void a_ring_that_was_kept_goes_on_when_others_change_theirs(void **state)
{
    struct people_world *x = *state;
    struct keyring ring = {0};
    const struct node_key key = {.ring = &ring};
    assert_int_equal(node_unlock(&x->w.env, x->w.home, bytes_of_str(MOCK_PASSPHRASE), &ring, &x->why), ERR_OK);
    assert_int_equal(people_world_add(x, GWEN, GWEN_WORDS), ERR_OK);
    node_close(x->w.node);
    x->w.node = NULL;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(node_open_as(&x->w.node, &x->w.env, x->w.home, &key, NODE_FOR_PEOPLE, &x->why), ERR_OK);
        people_are(x, "Mair Evans*;Gwen Price;");
        node_close(x->w.node);
        x->w.node = NULL;
    }
    keyring_release(&ring);
}

/* ---------------------------------------------------------------------------------------------- older files */

static void keep_file(struct people_world *x, const char *name, struct buf *out)
{
    char path[160];
    mock_world_path(&x->w, name, path);
    buf_reset(out);
    assert_int_equal(x->w.env.read_file(x->w.env.ctx, path, 1u << 20, out, NULL), ERR_OK);
}

static void put_file(struct people_world *x, const char *name, const struct buf *content)
{
    char path[160];
    mock_world_path(&x->w, name, path);
    assert_int_equal(x->w.env.write_file(x->w.env.ctx, path, buf_bytes(content), NULL), ERR_OK);
}

static void an_older_key_file_is_refused_to_everybody(void **state)
{
    struct people_world *x = *state;
    struct verify_result v;
    struct buf old;
    buf_init(&old, 1u << 20);
    assert_int_equal(people_world_add(x, GWEN, GWEN_WORDS), ERR_OK);
    keep_file(x, "replica.key", &old);
    assert_int_equal(node_person_remove(x->w.node, x->id[GWEN], &x->why), ERR_OK);
    put_file(x, "replica.key", &old);
    assert_int_equal(node_verify(x->w.node, &v, &x->why), ERR_TAMPERED); /* open or not */
    assert_int_equal(people_open(x, GWEN_WORDS), ERR_TAMPERED);
    assert_non_null(strstr(x->why.text, "An older key file was put in the place"));
    assert_int_equal(people_open(x, MOCK_PASSPHRASE), ERR_TAMPERED);
    buf_release(&old);
}

static void verify_finds_people_and_slots_that_do_not_fit(void **state)
{
    struct people_world *x = *state;
    struct verify_result v;
    assert_int_equal(people_world_add(x, GWEN, GWEN_WORDS), ERR_OK);
    assert_int_equal(
        db_exec(node_db(x->w.node), "UPDATE n_person SET slot = zeroblob(16) WHERE name = 'Gwen Price'", NULL), ERR_OK);
    assert_int_equal(node_verify(x->w.node, &v, &x->why), ERR_TAMPERED);
    assert_int_equal(db_exec(node_db(x->w.node), "DELETE FROM n_person WHERE name = 'Gwen Price'", NULL), ERR_OK);
    assert_int_equal(node_verify(x->w.node, &v, &x->why), ERR_TAMPERED);
    people_are(x, "Mair Evans*;;");
}

static void a_slot_of_nobody_writes_in_nobody_s_name(void **state)
{
    struct people_world *x = *state;
    struct node_info i;
    static const uint8_t nobody[16];
    assert_int_equal(people_world_add(x, GWEN, GWEN_WORDS), ERR_OK);
    assert_int_equal(db_exec(node_db(x->w.node), "DELETE FROM n_person WHERE name = 'Gwen Price'", NULL), ERR_OK);
    assert_int_equal(people_open(x, GWEN_WORDS), ERR_OK);
    assert_int_equal(node_get_info(x->w.node, &i, &x->why), ERR_OK);
    assert_memory_equal(i.user, nobody, 16);
    /* of a store that noted nobody at all it can only be the one who joined */
    assert_int_equal(db_exec(node_db(x->w.node), "DELETE FROM n_person", NULL), ERR_OK);
    people_open_as(x, MOCK_PASSPHRASE, "Mair Evans", MAIR);
}

#define T(name) cmocka_unit_test_setup_teardown(name, people_world_start, people_world_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(who_joined_is_its_first_person),
        T(each_writes_in_their_own_name),
        T(only_people_whom_the_hub_has_here_are_added),
        T(two_of_one_name_are_told_apart),
        T(seven_people_have_room_and_a_recovery_code_besides),
        T(who_was_removed_does_not_come_in_and_the_last_cannot_be),
        T(who_takes_away_his_own_passphrase_can_still_finish),
        T(a_changed_passphrase_replaces_the_old_one),
        T(a_ring_that_was_kept_goes_on_when_others_change_theirs),
        T(an_older_key_file_is_refused_to_everybody),
        T(verify_finds_people_and_slots_that_do_not_fit),
        T(a_slot_of_nobody_writes_in_nobody_s_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
