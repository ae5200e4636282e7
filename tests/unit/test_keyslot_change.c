/* People come and go, and recovery codes: who opens the key file then, and who does not any more. */
#include "crypto/device.h"
#include "tests/lib/keyfile_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void open_as(struct keyfile_world *w, const char *passphrase, struct keyring *out)
{
    assert_int_equal(keyslot_open(&w->env, &w->at, bytes_of_str(passphrase), out, NULL), ERR_OK);
}

static void assert_slot(struct keyfile_world *w, const char *passphrase, const uint8_t id[SLOT_ID_BYTES])
{
    struct keyring r = {0};
    open_as(w, passphrase, &r);
    assert_memory_equal(r.slot, id, SLOT_ID_BYTES);
    assert_true(secret_equal(r.keys.p, w->ring.keys.p, 64));
    assert_int_equal(r.revision, w->ring.revision);
    keyring_release(&r);
}

static void make_code(struct keyfile_world *w, char code[RECOVERY_CODE_CHARS])
{
    assert_int_equal(keyslot_recovery(&w->env, &w->at, &w->ring, code, NULL), ERR_OK);
}

/* ---- people ---- */

static void keyslot_opens_for_each_person_and_tells_them_apart(void **state)
{
    struct keyfile_world *w = *state;
    uint8_t bob[SLOT_ID_BYTES], carol[SLOT_ID_BYTES], alice[SLOT_ID_BYTES];
    keyfile_make(w);
    memcpy(alice, w->ring.slot, sizeof alice);
    keyfile_add(w, BOB, bob);
    keyfile_add(w, CAROL, carol);
    assert_int_equal(w->ring.revision, 3);
    assert_memory_not_equal(alice, bob, sizeof bob);
    assert_memory_not_equal(carol, bob, sizeof bob);
    assert_slot(w, ALICE, alice);
    assert_slot(w, BOB, bob);
    assert_slot(w, CAROL, carol);
    assert_int_equal(keyfile_open(w, "nobody's passphrase"), ERR_PASSPHRASE);
}

static void keyslot_has_room_for_seven_people_and_a_recovery_code(void **state)
{
    struct keyfile_world *w = *state;
    uint8_t id[SLOT_ID_BYTES] = {0};
    char passphrase[32], code[RECOVERY_CODE_CHARS];
    struct why why = {0};
    keyfile_make(w);
    for (int i = 1; i < 7; i++) {
        (void)snprintf(passphrase, sizeof passphrase, "passphrase number %d", i);
        keyfile_add(w, passphrase, id);
    }
    memset(id, 0x55, sizeof id);
    assert_int_equal(keyslot_add(&w->env, &w->at, &w->ring, bytes_of_str(BOB), id, &why), ERR_LIMIT);
    assert_int_equal(id[0], 0x55);
    assert_true(why.next[0] != '\0');
    make_code(w, code);
    assert_int_equal(keyfile_open(w, ALICE), ERR_OK);
    assert_int_equal(keyfile_open(w, "passphrase number 6"), ERR_OK);
    assert_int_equal(keyfile_open_code(w, code), ERR_OK);
}

static void keyslot_a_new_passphrase_replaces_the_old_one_and_the_slot_stays(void **state)
{
    struct keyfile_world *w = *state;
    uint8_t bob[SLOT_ID_BYTES];
    keyfile_make(w);
    keyfile_add(w, BOB, bob);
    assert_int_equal(keyfile_change(w, bob, CAROL), ERR_OK);
    assert_int_equal(w->ring.revision, 3);
    assert_slot(w, CAROL, bob);
    assert_int_equal(keyfile_open(w, BOB), ERR_PASSPHRASE);
    assert_int_equal(keyfile_open(w, ALICE), ERR_OK);
    assert_int_equal(keyfile_change(w, bob, CAROL), ERR_OK); /* one's own may stay */
    assert_slot(w, CAROL, bob);
}

static void keyslot_refuses_passphrases_that_are_short_or_somebody_elses(void **state)
{
    struct keyfile_world *w = *state;
    uint8_t bob[SLOT_ID_BYTES], id[SLOT_ID_BYTES];
    struct why why = {0};
    keyfile_make(w);
    keyfile_add(w, BOB, bob);
    assert_int_equal(keyslot_add(&w->env, &w->at, &w->ring, bytes_of_str("seven77"), id, NULL), ERR_DENIED);
    assert_int_equal(keyfile_change(w, bob, "seven77"), ERR_DENIED);
    assert_int_equal(keyslot_add(&w->env, &w->at, &w->ring, bytes_of_str(BOB), id, &why), ERR_DENIED);
    assert_true(why.next[0] != '\0');
    assert_int_equal(keyfile_change(w, bob, ALICE), ERR_DENIED);
    assert_int_equal(w->ring.revision, 2);
    assert_slot(w, BOB, bob);
}

static void keyslot_knows_no_slots_but_those_that_are_there(void **state)
{
    struct keyfile_world *w = *state;
    static const uint8_t zeros[SLOT_ID_BYTES];
    uint8_t none[SLOT_ID_BYTES];
    char code[RECOVERY_CODE_CHARS];
    struct keyring by_code = {0};
    keyfile_make(w);
    make_code(w, code);
    memset(none, 7, sizeof none);
    assert_int_equal(keyfile_change(w, none, BOB), ERR_NOTFOUND);
    assert_int_equal(keyslot_change(&w->env, &w->at, &w->ring, zeros, bytes_of_str(BOB), NULL), ERR_NOTFOUND);
    assert_int_equal(keyslot_remove(&w->env, &w->at, &w->ring, none, NULL), ERR_NOTFOUND);
    assert_int_equal(keyslot_remove(&w->env, &w->at, &w->ring, zeros, NULL), ERR_NOTFOUND);
    assert_int_equal(keyslot_open_code(&w->env, &w->at, bytes_of_str(code), &by_code, NULL), ERR_OK);
    assert_int_equal(by_code.kind, SLOT_RECOVERY);
    assert_int_equal(keyfile_change(w, by_code.slot, BOB), ERR_NOTFOUND); /* a code is made anew, not chosen */
    assert_int_equal(w->ring.revision, 2);
    keyring_release(&by_code);
}

static void keyslot_removes_a_person_but_never_the_last(void **state)
{
    struct keyfile_world *w = *state;
    uint8_t bob[SLOT_ID_BYTES], alice[SLOT_ID_BYTES];
    char code[RECOVERY_CODE_CHARS];
    struct why why = {0};
    keyfile_make(w);
    memcpy(alice, w->ring.slot, sizeof alice);
    make_code(w, code);
    assert_int_equal(keyslot_remove(&w->env, &w->at, &w->ring, alice, &why), ERR_DENIED); /* the code is nobody */
    keyfile_add(w, BOB, bob);
    assert_int_equal(keyslot_remove(&w->env, &w->at, &w->ring, alice, NULL), ERR_OK);
    assert_int_equal(keyfile_open(w, ALICE), ERR_PASSPHRASE);
    assert_slot(w, BOB, bob);
    assert_int_equal(keyslot_remove(&w->env, &w->at, &w->ring, bob, NULL), ERR_DENIED);
    assert_int_equal(keyfile_open_code(w, code), ERR_OK);
    keyfile_add(w, CAROL, alice); /* in the room that was left */
    assert_slot(w, CAROL, alice);
}

/* ---- the recovery code ---- */

static void keyslot_recovery_code_opens_as_people_type_it(void **state)
{
    struct keyfile_world *w = *state;
    char code[RECOVERY_CODE_CHARS], typed[128];
    size_t n = 0;
    keyfile_make(w);
    make_code(w, code);
    assert_int_equal(strlen(code), 39);
    assert_int_equal(strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567-"), 39);
    for (size_t i = 4; i < 39; i += 5) assert_int_equal(code[i], '-');
    assert_int_equal(keyfile_open_code(w, code), ERR_OK);
    for (size_t i = 0; i < 39; i++) {
        if (code[i] == '-') continue;
        typed[n++] = code[i] == 'O' ? '0' : code[i] == 'I' ? '1' : code[i] == 'B' ? '8' : code[i];
        if (i % 3 == 0) typed[n++] = ' ';
        if (code[i] >= 'A' && code[i] <= 'Z' && typed[n - 1] == code[i]) typed[n - 1] = (char)(code[i] | 0x20);
    }
    typed[n] = '\0';
    assert_int_equal(keyfile_open_code(w, typed), ERR_OK);
}

static void keyslot_notices_every_mistyped_recovery_code(void **state)
{
    struct keyfile_world *w = *state;
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    char code[RECOVERY_CODE_CHARS], typed[RECOVERY_CODE_CHARS + 2];
    keyfile_make(w);
    make_code(w, code);
    for (size_t i = 0; i < 39; i++) {
        for (const char *c = alphabet; *c != '\0' && code[i] != '-'; c++) {
            memcpy(typed, code, sizeof code);
            typed[i] = *c;
            if (*c != code[i]) assert_int_equal(keyfile_open_code(w, typed), ERR_USAGE);
        }
        memcpy(typed, code, sizeof code);
        typed[i] = code[i + 1]; /* two in the wrong order; with the stroke, that is nothing */
        typed[i + 1] = code[i];
        if (i < 38 && code[i] != code[i + 1] && code[i] != '-' && code[i + 1] != '-')
            assert_int_equal(keyfile_open_code(w, typed), ERR_USAGE);
    }
    assert_int_equal(keyfile_open_code(w, ""), ERR_USAGE);
    (void)snprintf(typed, sizeof typed, "%.38s", code);
    assert_int_equal(keyfile_open_code(w, typed), ERR_USAGE);
    (void)snprintf(typed, sizeof typed, "%sA", code);
    assert_int_equal(keyfile_open_code(w, typed), ERR_USAGE);
    typed[39] = '9'; /* not in the alphabet, nor like anything in it */
    assert_int_equal(keyfile_open_code(w, typed), ERR_USAGE);
    assert_int_equal(keyfile_open_code(w, ALICE), ERR_USAGE);
    assert_int_equal(keyfile_open(w, code), ERR_PASSPHRASE); /* and it is no passphrase */
}

static void keyslot_a_new_recovery_code_makes_the_old_one_worthless(void **state)
{
    struct keyfile_world *w = *state;
    char first[RECOVERY_CODE_CHARS], second[RECOVERY_CODE_CHARS];
    struct keyring old = {0}, new = {0};
    keyfile_make(w);
    make_code(w, first);
    assert_int_equal(keyslot_open_code(&w->env, &w->at, bytes_of_str(first), &old, NULL), ERR_OK);
    make_code(w, second);
    assert_string_not_equal(first, second);
    assert_int_equal(keyslot_open_code(&w->env, &w->at, bytes_of_str(second), &new, NULL), ERR_OK);
    assert_memory_equal(old.slot, new.slot, SLOT_ID_BYTES);
    keyring_release(&old);
    keyring_release(&new);
    assert_int_equal(keyfile_open_code(w, first), ERR_PASSPHRASE);
    assert_int_equal(keyfile_open_code(w, second), ERR_OK);
    keyfile_make(w); /* another file, without any */
    assert_int_equal(keyfile_open_code(w, second), ERR_PASSPHRASE);
    assert_false(keyfile_there(w->tries));
}

static void keyslot_whoever_lost_the_device_secret_begins_anew_with_the_recovery_code(void **state)
{
    struct keyfile_world *w = *state;
    char code[RECOVERY_CODE_CHARS];
    uint8_t alice[SLOT_ID_BYTES], id[SLOT_ID_BYTES];
    struct keyring by_code = {0};
    keyfile_make(w);
    memcpy(alice, w->ring.slot, sizeof alice);
    keyfile_add(w, CAROL, id);
    make_code(w, code);
    assert_int_equal(unlink(w->device), 0);
    assert_int_equal(keyslot_open_code(&w->env, &w->at, bytes_of_str(code), &by_code, NULL), ERR_OK);
    keyring_release(&w->ring);
    w->ring = by_code;
    assert_int_equal(keyfile_change(w, alice, BOB), ERR_TAMPERED); /* not half protected */
    assert_int_equal(keyslot_add(&w->env, &w->at, &w->ring, bytes_of_str(BOB), id, NULL), ERR_TAMPERED);
    assert_int_equal(device_make(&w->env, w->device, NULL), ERR_OK);
    assert_int_equal(keyfile_change(w, alice, BOB), ERR_OK);
    assert_slot(w, BOB, alice);
    assert_int_equal(keyfile_open(w, CAROL), ERR_PASSPHRASE); /* hers needs the one that is lost */
}

/* ---- what a change is made upon ---- */

static void keyslot_an_older_file_opens_and_says_how_old_it_is(void **state)
{
    struct keyfile_world *w = *state;
    uint8_t old[KEYFILE_BYTES], bob[SLOT_ID_BYTES], id[SLOT_ID_BYTES];
    struct keyring r = {0};
    char code[RECOVERY_CODE_CHARS];
    keyfile_make(w);
    keyfile_load(w, old);
    keyfile_add(w, BOB, bob);
    keyfile_store(w, old, sizeof old);
    open_as(w, ALICE, &r); /* its MAC is good: the replica compares the revision */
    assert_int_equal(r.revision, 1);
    assert_true(r.revision < w->ring.revision);
    /* and nothing is built on it by who has the newer one open */
    assert_int_equal(keyslot_add(&w->env, &w->at, &w->ring, bytes_of_str(CAROL), id, NULL), ERR_TAMPERED);
    assert_int_equal(keyfile_change(w, w->ring.slot, CAROL), ERR_TAMPERED);
    assert_int_equal(keyslot_remove(&w->env, &w->at, &w->ring, bob, NULL), ERR_TAMPERED);
    assert_int_equal(keyslot_recovery(&w->env, &w->at, &w->ring, code, NULL), ERR_TAMPERED);
    keyring_release(&r);
}

static void keyslot_two_who_have_it_open_change_it_in_turn(void **state)
{
    struct keyfile_world *w = *state;
    uint8_t bob[SLOT_ID_BYTES];
    struct keyring other = {0};
    char code[RECOVERY_CODE_CHARS];
    keyfile_make(w);
    open_as(w, ALICE, &other);
    keyfile_add(w, BOB, bob);
    assert_int_equal(keyslot_recovery(&w->env, &w->at, &other, code, NULL), ERR_OK); /* keeps what the first did */
    assert_int_equal(other.revision, 3);
    assert_int_equal(keyfile_open(w, BOB), ERR_OK);
    assert_int_equal(keyfile_open_code(w, code), ERR_OK);
    keyring_release(&other);
}

static void keyslot_builds_nothing_on_a_file_that_a_stranger_changed(void **state)
{
    struct keyfile_world *w = *state;
    uint8_t file[KEYFILE_BYTES], after[KEYFILE_BYTES], bob[SLOT_ID_BYTES], id[SLOT_ID_BYTES];
    char code[RECOVERY_CODE_CHARS];
    struct keyring next = {0};
    keyfile_make(w);
    keyfile_add(w, BOB, bob);
    keyfile_load(w, file);
    assert_int_equal(keyring_next(&next, &w->env, &w->ring, NULL), ERR_OK);
    for (size_t i = 5; i < KEYFILE_SUM_AT; i += 3) {
        file[i] ^= 2;
        keyfile_store_summed(w, file);
        assert_int_equal(keyslot_add(&w->env, &w->at, &w->ring, bytes_of_str(CAROL), id, NULL), ERR_TAMPERED);
        assert_int_equal(keyfile_change(w, bob, CAROL), ERR_TAMPERED);
        assert_int_equal(keyslot_remove(&w->env, &w->at, &w->ring, bob, NULL), ERR_TAMPERED);
        assert_int_equal(keyslot_recovery(&w->env, &w->at, &w->ring, code, NULL), ERR_TAMPERED);
        assert_int_equal(keyslot_rekey(&w->env, &w->at, &w->ring, &next, NULL), ERR_TAMPERED);
        keyfile_load(w, after);
        assert_memory_equal(file, after, sizeof file);
        file[i] ^= 2;
    }
    keyring_release(&next);
}

/* Whoever unlocked this device some time ago: is he still to be let in with what he was given? */
static void keyslot_a_ring_follows_its_file_until_its_slot_or_its_data_key_is_gone(void **state)
{
    struct keyfile_world *w = *state;
    uint8_t bob[SLOT_ID_BYTES], old[KEYFILE_BYTES], file[KEYFILE_BYTES];
    struct keyring his = {0}, by_code = {0};
    char code[RECOVERY_CODE_CHARS];
    keyfile_make(w);
    keyfile_add(w, BOB, bob);
    make_code(w, code);
    open_as(w, BOB, &his);
    assert_int_equal(keyslot_open_code(&w->env, &w->at, bytes_of_str(code), &by_code, NULL), ERR_OK);
    keyfile_load(w, old);
    assert_int_equal(keyfile_change(w, bob, CAROL), ERR_OK); /* his slot all the same */
    assert_int_equal(keyslot_follow(&w->env, &w->at, &his, NULL), ERR_OK);
    assert_int_equal(his.revision, w->ring.revision);
    keyfile_load(w, file);
    keyfile_store(w, old, sizeof old);
    assert_int_equal(keyslot_follow(&w->env, &w->at, &his, NULL), ERR_TAMPERED);
    memcpy(old, file, sizeof old);
    old[KEYFILE_REVISION_AT + 7]++;
    keyfile_store_summed(w, old);
    assert_int_equal(keyslot_follow(&w->env, &w->at, &his, NULL), ERR_TAMPERED);
    keyfile_store(w, file, sizeof file);
    assert_int_equal(keyslot_remove(&w->env, &w->at, &w->ring, bob, NULL), ERR_OK);
    assert_int_equal(keyslot_follow(&w->env, &w->at, &his, NULL), ERR_NOTFOUND);
    assert_int_equal(keyslot_follow(&w->env, &w->at, &by_code, NULL), ERR_OK);
    keyfile_rekey(w);
    assert_int_equal(keyslot_follow(&w->env, &w->at, &by_code, NULL), ERR_LOCKED);
    assert_int_equal(keyslot_follow(&w->env, &w->at, &w->ring, NULL), ERR_OK);
    assert_int_equal(unlink(w->path), 0);
    assert_int_equal(keyslot_follow(&w->env, &w->at, &w->ring, NULL), ERR_UNINIT);
    keyring_release(&his);
    keyring_release(&by_code);
}

/* ---- who is there ---- */

struct list {
    size_t n, people, codes;
    uint8_t ids[KEYSLOT_MAX][SLOT_ID_BYTES];
};

static enum err note(void *ctx, const uint8_t id[SLOT_ID_BYTES], enum slot_kind kind, struct why *why)
{
    struct list *l = ctx;
    (void)why;
    l->people += kind == SLOT_PERSON;
    l->codes += kind == SLOT_RECOVERY;
    memcpy(l->ids[l->n++], id, SLOT_ID_BYTES);
    return ERR_OK;
}

static enum err no_more(void *ctx, const uint8_t id[SLOT_ID_BYTES], enum slot_kind kind, struct why *why)
{
    (void)id, (void)kind;
    ++*(int *)ctx;
    return why_set(why, ERR_LIMIT, "one is enough");
}

static void keyslot_lists_its_slots_without_any_key(void **state)
{
    struct keyfile_world *w = *state;
    uint8_t bob[SLOT_ID_BYTES];
    char code[RECOVERY_CODE_CHARS];
    struct list l = {0};
    int calls = 0;
    keyfile_make(w);
    keyfile_add(w, BOB, bob);
    make_code(w, code);
    assert_int_equal(keyslot_each(&w->env, &w->at, note, &l, NULL), ERR_OK);
    assert_int_equal(l.n, 3);
    assert_int_equal(l.people, 2);
    assert_int_equal(l.codes, 1);
    assert_memory_equal(l.ids[0], w->ring.slot, SLOT_ID_BYTES);
    assert_memory_equal(l.ids[1], bob, SLOT_ID_BYTES);
    assert_int_equal(keyslot_each(&w->env, &w->at, no_more, &calls, NULL), ERR_LIMIT);
    assert_int_equal(calls, 1);
}

/* ---- a disk that fails ---- */

static enum err disk_is_full(void *ctx, const char *path, struct bytes content, struct why *why)
{
    (void)ctx, (void)path, (void)content;
    return why_set(why, ERR_FULL, "full");
}

static void keyslot_a_change_that_cannot_be_written_changes_nothing(void **state)
{
    struct keyfile_world *w = *state;
    uint8_t before[KEYFILE_BYTES], after[KEYFILE_BYTES], bob[SLOT_ID_BYTES], id[SLOT_ID_BYTES] = {0};
    char code[RECOVERY_CODE_CHARS] = "as it was";
    struct keyring next = {0};
    keyfile_make(w);
    keyfile_add(w, BOB, bob);
    keyfile_load(w, before);
    assert_int_equal(keyring_next(&next, &w->env, &w->ring, NULL), ERR_OK);
    w->env.write_file = disk_is_full;
    assert_int_equal(keyslot_add(&w->env, &w->at, &w->ring, bytes_of_str(CAROL), id, NULL), ERR_FULL);
    assert_int_equal(keyfile_change(w, bob, CAROL), ERR_FULL);
    assert_int_equal(keyslot_remove(&w->env, &w->at, &w->ring, bob, NULL), ERR_FULL);
    assert_int_equal(keyslot_recovery(&w->env, &w->at, &w->ring, code, NULL), ERR_FULL);
    assert_int_equal(keyslot_rekey(&w->env, &w->at, &w->ring, &next, NULL), ERR_FULL);
    w->env.write_file = env_posix()->write_file;
    keyfile_load(w, after);
    assert_memory_equal(before, after, sizeof before);
    assert_true(sodium_is_zero(id, sizeof id));
    assert_string_equal(code, "as it was");
    assert_int_equal(w->ring.revision, 2);
    assert_int_equal(keyslot_rekey(&w->env, &w->at, &w->ring, &next, NULL), ERR_OK); /* the next try does it */
    assert_int_equal(next.revision, 3);
    assert_int_equal(keyfile_open(w, BOB), ERR_OK);
    keyring_release(&next);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, keyfile_world_start, keyfile_world_stop)
    const struct CMUnitTest tests[] = {
        T(keyslot_opens_for_each_person_and_tells_them_apart),
        T(keyslot_has_room_for_seven_people_and_a_recovery_code),
        T(keyslot_a_new_passphrase_replaces_the_old_one_and_the_slot_stays),
        T(keyslot_refuses_passphrases_that_are_short_or_somebody_elses),
        T(keyslot_knows_no_slots_but_those_that_are_there),
        T(keyslot_removes_a_person_but_never_the_last),
        T(keyslot_recovery_code_opens_as_people_type_it),
        T(keyslot_notices_every_mistyped_recovery_code),
        T(keyslot_a_new_recovery_code_makes_the_old_one_worthless),
        T(keyslot_whoever_lost_the_device_secret_begins_anew_with_the_recovery_code),
        T(keyslot_an_older_file_opens_and_says_how_old_it_is),
        T(keyslot_two_who_have_it_open_change_it_in_turn),
        T(keyslot_builds_nothing_on_a_file_that_a_stranger_changed),
        T(keyslot_a_ring_follows_its_file_until_its_slot_or_its_data_key_is_gone),
        T(keyslot_lists_its_slots_without_any_key),
        T(keyslot_a_change_that_cannot_be_written_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
