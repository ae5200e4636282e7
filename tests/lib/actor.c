#include "tests/lib/actor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

struct actor actor_start(struct sharedb *s, act_fn act, void *arg)
{
    int out[2], in[2];
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    struct actor a = {.pid = fork()};
    if (a.pid == 0) {
        (void)close(out[0]);
        (void)close(in[1]);
        act(s, arg, out[1], in[0]);
        _exit(0);
    }
    assert_true(a.pid > 0);
    (void)close(out[1]);
    (void)close(in[0]);
    a.says = out[0];
    a.told = in[1];
    return a;
}

void actor_hear(struct actor *a)
{
    char word = 0;
    assert_int_equal(read(a->says, &word, 1), 1);
}

void actor_end(struct actor *a, int sig)
{
    int status = 0;
    if (sig)
        assert_int_equal(kill(a->pid, sig), 0);
    else
        assert_int_equal(write(a->told, "x", 1), 1);
    assert_int_equal(waitpid(a->pid, &status, 0), a->pid);
    if (sig)
        assert_true(WIFSIGNALED(status));
    else
        assert_int_equal(status, 0);
    (void)close(a->says);
    (void)close(a->told);
}

void actor_wait(struct actor *a)
{
    int status = 0;
    assert_int_equal(waitpid(a->pid, &status, 0), a->pid);
    assert_int_equal(status, 0);
    (void)close(a->says);
    (void)close(a->told);
}

void actor_run(struct sharedb *s, act_fn act, void *arg)
{
    struct actor a = actor_start(s, act, arg);
    actor_wait(&a);
}

void actor_say_and_wait(int out, int in)
{
    char c;
    MUST(write(out, "o", 1) == 1);
    MUST(read(in, &c, 1) == 1);
}

sqlite3 *actor_open(struct sharedb *s)
{
    sharedb_start(s, NULL);
    return sharedb_open(s->path);
}
