/* What is cut off while somebody's passphrase is changed (node/people.c), and the way in for who lost everything
 * but the recovery code (node/recover.c). */
#include "tests/lib/people_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ------------------------------------------------------------------------------------------------------ crashes */

/* The process dies when the key file is written: before it, or after it. */
struct dying {
    const struct env *env;
    bool after;
};

static enum err write_and_die(void *ctx, const char *path, struct bytes content, struct why *why)
{
    const struct dying *d = ctx;
    size_t n = strlen(path);
    bool key = n > 11 && strcmp(path + n - 11, "replica.key") == 0;
    if (key && !d->after) _exit(42);
    enum err e = d->env->write_file(d->env->ctx, path, content, why);
    if (key) _exit(42);
    return e;
}

enum act { ADD, REMOVE, CHANGE, CODE };

static void do_act(struct node *n, const struct people_world *x, enum act what)
{
    char code[RECOVERY_CODE_CHARS];
    enum err e = ERR_FAILED;
    switch (what) {
    case ADD: e = node_person_add(n, x->id[SECOND_MAIR], bytes_of_str("a third passphrase"), NULL); break;
    case REMOVE: e = node_person_remove(n, x->id[GWEN], NULL); break;
    case CHANGE: e = node_person_passphrase(n, x->id[GWEN], bytes_of_str(NEXT_WORDS), NULL); break;
    case CODE: e = node_recovery_code(n, code, NULL); break;
    }
    _exit(e == ERR_OK ? 0 : 1);
}

static void dies_in(struct people_world *x, enum act what, bool after)
{
    int status = 0;
    node_close(x->w.node);
    x->w.node = NULL;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct dying d = {.env = env_posix(), .after = after};
        struct env env = *env_posix();
        struct node *n = NULL;
        env.ctx = &d;
        env.write_file = write_and_die;
        if (node_open(&n, &env, x->w.home, bytes_of_str(MOCK_PASSPHRASE), NULL) != ERR_OK) _exit(2);
        do_act(n, x, what);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 42);
}

static void what_is_cut_off_before_the_key_file_changed_never_was(void **state)
{
    struct people_world *x = *state;
    assert_int_equal(people_world_add(x, GWEN, GWEN_WORDS), ERR_OK);
    for (enum act a = ADD; a <= CODE; a++) {
        dies_in(x, a, false);
        people_open_as(x, MOCK_PASSPHRASE, "Mair Evans", MAIR);
        people_are(x, "Mair Evans*;Gwen Price;");
        assert_int_equal(mock_ask(x->w.node, "SELECT count(*) FROM n_audit"), 1);
        people_are_sound(x);
        people_open_as(x, GWEN_WORDS, "Gwen Price", GWEN);
    }
}

static void what_is_cut_off_after_the_key_file_changed_is_finished_at_the_next_opening(void **state)
{
    struct people_world *x = *state;
    assert_int_equal(people_world_add(x, GWEN, GWEN_WORDS), ERR_OK);
    dies_in(x, ADD, true);
    people_open_as(x, "a third passphrase", "Mair Evans (2)",
                   SECOND_MAIR); /* in no other name, from the first time on */
    assert_int_equal(people_audits(x, "gave somebody"), 2);
    people_are_sound(x);
    dies_in(x, CHANGE, true);
    assert_int_equal(people_open(x, GWEN_WORDS), ERR_PASSPHRASE);
    people_open_as(x, NEXT_WORDS, "Gwen Price", GWEN);
    assert_int_equal(people_audits(x, "set another"), 1);
    people_are_sound(x);
    dies_in(x, CODE, true);
    people_open_as(x, MOCK_PASSPHRASE, "Mair Evans", MAIR);
    assert_int_equal(people_audits(x, "recovery code"), 1);
    people_are_sound(x);
    dies_in(x, REMOVE, true);
    assert_int_equal(people_open(x, NEXT_WORDS), ERR_PASSPHRASE);
    people_open_as(x, MOCK_PASSPHRASE, "Mair Evans", MAIR);
    people_are(x, "Mair Evans*;Mair Evans (2);");
    assert_int_equal(people_audits(x, "took somebody"), 1);
    assert_int_equal(mock_ask(x->w.node, "SELECT count(*) FROM n_audit WHERE user IS NULL"), 0);
    people_are_sound(x);
}

/* ----------------------------------------------------------------------------------------------------- recovery */

static void put_file(struct people_world *x, const char *name, const struct buf *content)
{
    char path[160];
    mock_world_path(&x->w, name, path);
    assert_int_equal(x->w.env.write_file(x->w.env.ctx, path, buf_bytes(content), NULL), ERR_OK);
}

static enum err recover(struct people_world *x, const char *code, const char *name, const char *words)
{
    node_close(x->w.node);
    x->w.node = NULL;
    x->why = (struct why){0};
    return node_recover(&x->w.env, x->w.home, bytes_of_str(code), name, bytes_of_str(words), &x->why);
}

static void the_recovery_code_gives_a_new_passphrase_and_leaves_its_trace(void **state)
{
    struct people_world *x = *state;
    char code[RECOVERY_CODE_CHARS], second[RECOVERY_CODE_CHARS];
    assert_int_equal(node_recovery_code(x->w.node, code, &x->why), ERR_OK);
    assert_int_equal(recover(x, code, NULL, "short"), ERR_DENIED);
    assert_int_equal(recover(x, "AAAA-BBBB", NULL, NEXT_WORDS), ERR_USAGE);
    assert_int_equal(recover(x, code, "Gwen Price", NEXT_WORDS), ERR_NOTFOUND);
    assert_int_equal(recover(x, code, NULL, NEXT_WORDS), ERR_OK);
    assert_int_equal(people_open(x, MOCK_PASSPHRASE), ERR_PASSPHRASE);
    people_open_as(x, NEXT_WORDS, "Mair Evans", MAIR);
    assert_int_equal(people_audits(x, "with its recovery code"), 1);
    people_are_sound(x);
    assert_int_equal(node_recovery_code(x->w.node, second, &x->why), ERR_OK);
    assert_int_equal(recover(x, code, NULL, GWEN_WORDS), ERR_PASSPHRASE); /* worthless since */
    assert_int_equal(recover(x, second, "Mair Evans", GWEN_WORDS), ERR_OK);
    people_open_as(x, GWEN_WORDS, "Mair Evans", MAIR);
}

static void of_several_people_it_must_be_said_who(void **state)
{
    struct people_world *x = *state;
    char code[RECOVERY_CODE_CHARS];
    assert_int_equal(people_world_add(x, GWEN, GWEN_WORDS), ERR_OK);
    assert_int_equal(node_recovery_code(x->w.node, code, &x->why), ERR_OK);
    assert_int_equal(recover(x, code, NULL, NEXT_WORDS), ERR_NOTFOUND);
    assert_int_equal(recover(x, code, "Gwen Price", NEXT_WORDS), ERR_OK);
    people_open_as(x, NEXT_WORDS, "Gwen Price", GWEN);
    people_open_as(x, MOCK_PASSPHRASE, "Mair Evans", MAIR);
}

static void without_its_device_secret_only_the_recovery_code_opens_it(void **state)
{
    struct people_world *x = *state;
    char code[RECOVERY_CODE_CHARS], path[160];
    struct buf junk;
    buf_init(&junk, 100);
    buf_put_bytes(&junk, bytes_of_str("no secret at all"));
    assert_int_equal(people_world_add(x, GWEN, GWEN_WORDS), ERR_OK);
    assert_int_equal(node_recovery_code(x->w.node, code, &x->why), ERR_OK);
    mock_world_path(&x->w, "device.secret", path);
    assert_int_equal(x->w.env.remove_file(x->w.env.ctx, path, NULL), ERR_OK);
    assert_int_equal(people_open(x, MOCK_PASSPHRASE), ERR_TAMPERED);
    assert_int_equal(recover(x, code, "Mair Evans", NEXT_WORDS), ERR_OK);
    people_open_as(x, NEXT_WORDS, "Mair Evans", MAIR);
    assert_int_equal(people_open(x, GWEN_WORDS), ERR_PASSPHRASE); /* the others get theirs from who is in */
    people_open_as(x, NEXT_WORDS, "Mair Evans", MAIR);
    assert_int_equal(node_person_passphrase(x->w.node, x->id[GWEN], bytes_of_str(GWEN_WORDS), &x->why), ERR_OK);
    people_open_as(x, GWEN_WORDS, "Gwen Price", GWEN);
    put_file(x, "device.secret", &junk); /* damaged is as good as lost */
    assert_int_equal(recover(x, code, "Gwen Price", GWEN_WORDS), ERR_OK);
    people_open_as(x, GWEN_WORDS, "Gwen Price", GWEN);
    buf_release(&junk);
}

#define T(name) cmocka_unit_test_setup_teardown(name, people_world_start, people_world_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_is_cut_off_before_the_key_file_changed_never_was),
        T(what_is_cut_off_after_the_key_file_changed_is_finished_at_the_next_opening),
        T(the_recovery_code_gives_a_new_passphrase_and_leaves_its_trace),
        T(of_several_people_it_must_be_said_who),
        T(without_its_device_secret_only_the_recovery_code_opens_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
