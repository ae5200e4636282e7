/* The agent as a process: real sockets, signals and users. What its clocks decide is in test_agent.c. */
#include "tests/lib/agent_desk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ----------------------------------------------------------------------------------------------------------- life */
static void nobody_unlocked_and_nobody_answers(void **state)
{
    struct node_agent_state s;
    bool was = true;
    assert_int_equal(desk_get(*state, NULL), ERR_NOTFOUND);
    assert_int_equal(node_agent_state(((struct desk *)*state)->home, &s, NULL), ERR_NOTFOUND);
    assert_int_equal(node_agent_lock(((struct desk *)*state)->home, &was, NULL), ERR_OK);
    assert_false(was);
}

static void what_was_unlocked_is_there_until_it_is_locked(void **state)
{
    struct desk *d = *state;
    struct node_agent_state s;
    bool was = false;
    desk_unlock(d, 15 * MINUTE);
    assert_int_equal(desk_get(d, NULL), ERR_OK);
    assert_int_equal(desk_get(d, NULL), ERR_OK);
    assert_int_equal(node_agent_state(d->home, &s, NULL), ERR_OK);
    assert_in_range(s.left_ms, 14 * MINUTE, 15 * MINUTE);
    assert_int_equal(s.idle_ms, 15 * MINUTE);
    assert_memory_equal(s.slot, d->ring.slot, sizeof s.slot);
    struct agent_line l = desk_call(d);
    assert_int_equal(node_agent_lock(d->home, &was, NULL), ERR_OK);
    assert_true(was);
    desk_must_end(&l);
    assert_int_equal(desk_get(d, NULL), ERR_NOTFOUND);
    assert_int_equal(access(d->socket, F_OK), -1);
    assert_int_equal(node_agent_lock(d->home, &was, NULL), ERR_OK);
    assert_false(was);
}

static void the_time_without_use_ends_it(void **state)
{
    struct desk *d = *state;
    desk_unlock(d, 300);
    struct agent_line l = desk_call(d);
    assert_int_equal(desk_get(d, NULL), ERR_OK);
    desk_must_end(&l);
    assert_int_equal(desk_get(d, NULL), ERR_NOTFOUND);
}

static void socket_and_folder_are_their_owners_alone(void **state)
{
    struct desk *d = *state;
    struct stat st;
    char folder[100];
    desk_unlock(d, MINUTE);
    assert_int_equal(lstat(d->socket, &st), 0);
    assert_int_equal(st.st_mode, S_IFSOCK | 0600);
    (void)snprintf(folder, sizeof folder, "%s/spoke", d->runtime);
    assert_int_equal(lstat(folder, &st), 0);
    assert_int_equal(st.st_mode, S_IFDIR | 0700);
}

static void without_a_runtime_folder_it_listens_in_the_home(void **state)
{
    struct desk *d = *state;
    char path[100];
    struct stat st;
    assert_int_equal(unsetenv("XDG_RUNTIME_DIR"), 0);
    desk_unlock(d, MINUTE);
    (void)snprintf(path, sizeof path, "%s/agent.sock", d->home);
    assert_int_equal(lstat(path, &st), 0);
    assert_int_equal(st.st_mode, S_IFSOCK | 0600);
    assert_int_equal(desk_get(d, NULL), ERR_OK);
    /* and who has a runtime folder finds it there too */
    assert_int_equal(setenv("XDG_RUNTIME_DIR", d->runtime, 1), 0);
    assert_int_equal(desk_get(d, NULL), ERR_OK);
}

static void a_runtime_folder_that_others_may_enter_is_not_used(void **state)
{
    struct desk *d = *state;
    char folder[100], path[100];
    (void)snprintf(folder, sizeof folder, "%s/spoke", d->runtime);
    assert_int_equal(chmod(folder, 0750), 0);
    desk_unlock(d, MINUTE);
    (void)snprintf(path, sizeof path, "%s/agent.sock", d->home);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(access(d->socket, F_OK), -1);
    assert_int_equal(desk_get(d, NULL), ERR_OK);
}

static void a_home_too_deep_for_a_socket_name_can_be_unlocked(void **state)
{
    struct desk *d = *state, deep = *d;
    char home[300];
    struct keyring r = {0};
    bool was = false;
    assert_int_equal(unsetenv("XDG_RUNTIME_DIR"), 0);
    (void)snprintf(home, sizeof home, "%s/%0150d", d->home, 7);
    assert_int_equal(mkdir(home, 0700), 0);
    desk_touch(home, "replica.key");
    assert_int_equal(node_agent_start(home, &deep.ring, MINUTE, NULL), ERR_OK);
    assert_int_equal(node_agent_ring(home, true, &r, NULL), ERR_OK);
    keyring_release(&r);
    assert_int_equal(node_agent_lock(home, &was, NULL), ERR_OK);
    assert_true(was);
}

static void two_homes_have_an_agent_each(void **state)
{
    struct desk *d = *state;
    char other[] = "/tmp/spoke-other-XXXXXX";
    struct keyring r = {0};
    assert_non_null(mkdtemp(other));
    desk_touch(other, "replica.key");
    desk_unlock(d, MINUTE);
    assert_int_equal(node_agent_ring(other, true, &r, NULL), ERR_NOTFOUND);
    desk_empty(other);
}

/* ------------------------------------------------------------------------------------------------------- replaced */
static void a_second_unlock_takes_the_place_of_the_first(void **state)
{
    struct desk *d = *state;
    desk_unlock(d, MINUTE);
    struct agent_line first = desk_call(d);
    d->ring.revision = 8;
    memset(d->ring.keys.p, 0x77, 64);
    desk_unlock(d, 2 * MINUTE);
    desk_must_end(&first);
    assert_int_equal(desk_get(d, NULL), ERR_OK); /* compares */
}

static void an_agent_whose_place_was_taken_away_ends(void **state)
{
    struct desk *d = *state;
    desk_unlock(d, MINUTE);
    struct agent_line l = desk_call(d);
    assert_int_equal(unlink(d->socket), 0);
    assert_int_equal(send(l.fd, "x", 1, MSG_NOSIGNAL), 1); /* anything that makes it look */
    desk_must_end(&l);
}

static void an_agent_whose_home_was_wiped_gives_nothing_more(void **state)
{
    struct desk *d = *state;
    char key[100];
    desk_unlock(d, MINUTE);
    (void)snprintf(key, sizeof key, "%s/replica.key", d->home);
    assert_int_equal(unlink(key), 0);
    assert_int_equal(desk_get(d, NULL), ERR_NOTFOUND);
}

static void an_agent_whose_home_was_put_aside_gives_nothing_to_the_one_in_its_place(void **state)
{
    struct desk *d = *state;
    char aside[80];
    desk_unlock(d, MINUTE);
    (void)snprintf(aside, sizeof aside, "%s.aside", d->home);
    assert_int_equal(rename(d->home, aside), 0);
    assert_int_equal(mkdir(d->home, 0700), 0);
    desk_touch(d->home, "replica.key");
    assert_int_equal(desk_get(d, NULL), ERR_NOTFOUND);
    desk_empty(aside);
}

static void signals_of_suspend_and_shutdown_wipe_it(void **state)
{
    static const int signals[] = {SIGTERM, SIGHUP, SIGUSR1, SIGINT};
    struct desk *d = *state;
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        desk_unlock(d, MINUTE);
        struct agent_line l = desk_call(d);
        assert_int_equal(kill(l.pid, signals[i]), 0);
        desk_must_end(&l);
        assert_int_equal(desk_get(d, NULL), ERR_NOTFOUND);
        assert_int_equal(access(d->socket, F_OK), -1);
    }
}

static void a_killed_agent_leaves_a_socket_that_is_nobody(void **state)
{
    struct desk *d = *state;
    bool was = true;
    desk_unlock(d, MINUTE);
    struct agent_line l = desk_call(d);
    assert_int_equal(kill(l.pid, SIGKILL), 0);
    desk_must_end(&l);
    assert_int_equal(access(d->socket, F_OK), 0);
    assert_int_equal(desk_get(d, NULL), ERR_NOTFOUND);
    assert_int_equal(node_agent_lock(d->home, &was, NULL), ERR_OK);
    assert_false(was);
    desk_unlock(d, MINUTE); /* over the stale one */
    assert_int_equal(desk_get(d, NULL), ERR_OK);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, desk_set_up, desk_tear_down)
    const struct CMUnitTest tests[] = {
        T(nobody_unlocked_and_nobody_answers),
        T(what_was_unlocked_is_there_until_it_is_locked),
        T(the_time_without_use_ends_it),
        T(socket_and_folder_are_their_owners_alone),
        T(without_a_runtime_folder_it_listens_in_the_home),
        T(a_runtime_folder_that_others_may_enter_is_not_used),
        T(a_home_too_deep_for_a_socket_name_can_be_unlocked),
        T(two_homes_have_an_agent_each),
        T(a_second_unlock_takes_the_place_of_the_first),
        T(an_agent_whose_place_was_taken_away_ends),
        T(an_agent_whose_home_was_wiped_gives_nothing_more),
        T(an_agent_whose_home_was_put_aside_gives_nothing_to_the_one_in_its_place),
        T(signals_of_suspend_and_shutdown_wipe_it),
        T(a_killed_agent_leaves_a_socket_that_is_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
