/* The agent as a process among others that hang, lie, or want what is not theirs. */
#include "base/local.h"
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

/* ------------------------------------------------------------------------------------------------- what hangs, lies */
static void an_agent_that_hangs_costs_two_seconds_and_can_be_locked(void **state)
{
    struct desk *d = *state;
    struct why why = {0};
    bool was = false;
    desk_unlock(d, MINUTE);
    struct agent_line l = desk_call(d);
    assert_int_equal(kill(l.pid, SIGSTOP), 0);
    int64_t begun = desk_now_ms();
    assert_int_equal(desk_get(d, &why), ERR_BUSY);
    assert_in_range(desk_now_ms() - begun, 1900, 6000);
    assert_non_null(strstr(why.next, "spoke lock"));
    assert_int_equal(node_agent_lock(d->home, &was, NULL), ERR_OK);
    assert_true(was);
    desk_must_end(&l);
}

static void callers_that_say_nothing_keep_nobody_out(void **state)
{
    struct desk *d = *state;
    struct agent_line silent[20];
    desk_unlock(d, MINUTE);
    for (size_t i = 0; i < 20; i++) {
        silent[i] = desk_call(d);
        assert_int_equal(send(silent[i].fd, "SPKA", 4, MSG_NOSIGNAL), 4);
    }
    int64_t begun = desk_now_ms();
    assert_int_equal(desk_get(d, NULL), ERR_OK);
    assert_true(desk_now_ms() - begun < 1500);
    for (size_t i = 0; i < 20; i++) desk_must_end(&silent[i]); /* in their turn */
}

static void garbage_ends_the_call_and_not_the_agent(void **state)
{
    struct desk *d = *state;
    desk_unlock(d, MINUTE);
    for (unsigned i = 0; i < 200; i++) {
        struct agent_line l = desk_call(d);
        uint8_t garbage[300];
        for (size_t k = 0; k < sizeof garbage; k++) garbage[k] = (uint8_t)(i * 37 + k * 11);
        if (i % 2 == 0) memcpy(garbage, "SPKA\1", 5);
        (void)send(l.fd, garbage, sizeof garbage, MSG_NOSIGNAL);
        agent_hang_up(&l);
    }
    assert_int_equal(desk_get(d, NULL), ERR_OK);
}

/* Something else listens in the agent's place, says `words` to whoever calls, and waits. */
static pid_t impostor(const struct desk *d, const char *words, size_t n)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(local_at(fd, d->socket, local_bind), 0);
    assert_int_equal(listen(fd, 4), 0);
    pid_t pid = fork();
    if (pid == 0) {
        for (;;) {
            int c = accept(fd, NULL, NULL);
            char request[300];
            if (c < 0 || recv(c, request, sizeof request, 0) <= 0) continue;
            (void)send(c, words, n, MSG_NOSIGNAL);
            if (n == 0) pause();
            (void)close(c);
        }
    }
    (void)close(fd);
    return pid;
}

static void must_be_said(struct desk *d, const char *words, size_t n, enum err wanted)
{
    struct why why = {0};
    bool was = true;
    pid_t pid = impostor(d, words, n);
    assert_int_equal(desk_get(d, &why), wanted);
    assert_true(why.text[0] != '\0' && why.next[0] != '\0');
    assert_int_equal(node_agent_lock(d->home, &was, NULL), wanted);
    assert_false(was);
    assert_int_equal(kill(pid, 0), 0); /* it is not an agent, and nobody ends it for that */
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(unlink(d->socket), 0);
}

static void an_impostor_is_told_nothing_and_believed_nothing(void **state)
{
    static const char ring[] = "SPKA\1\x81\0\1x", empty[] = "SPKA\1\x81\0", stands[] = "SPKA\1\x83\0",
                      later[] = "SPKA\2";
    char flood[AGENT_FRAME_MAX + 40];
    memset(flood, 'x', sizeof flood);
    must_be_said(*state, "HTTP/1.1 400 Bad Request\r\n", 26, ERR_FORMAT);
    must_be_said(*state, ring, 9, ERR_FORMAT);
    must_be_said(*state, empty, 8, ERR_FORMAT);
    must_be_said(*state, stands, 8, ERR_FORMAT);
    must_be_said(*state, "SPKA\1", 5, ERR_FORMAT); /* and hangs up */
    must_be_said(*state, later, 5, ERR_VERSION);
    must_be_said(*state, flood, sizeof flood, ERR_FORMAT);
    must_be_said(*state, "", 0, ERR_BUSY);
}

/* Unlocked by a user who is not root; the socket is in the home. */
static void unlock_as_nobody(struct desk *d)
{
    int status = 0;
    assert_int_equal(chown(d->home, 65534, 65534), 0);
    assert_int_equal(unsetenv("XDG_RUNTIME_DIR"), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (setgroups(0, NULL) != 0 || setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0)
            _exit(2);
        _exit(node_agent_start(d->home, &d->ring, MINUTE, NULL) == ERR_OK ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    (void)snprintf(d->socket, sizeof d->socket, "%s/agent.sock", d->home);
}

/* The agent's process, at the other end of fd. */
static int peer_of(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len), 0);
    assert_int_equal(peer.uid, 65534);
    return peer.pid;
}

/* Root may connect to anybody's socket: the agent of a user has nothing for it, nor for anyone else. */
static void another_user_gets_nothing_even_root(void **state)
{
    struct desk *d = *state;
    if (geteuid() != 0) skip();
    unlock_as_nobody(d);
    /* as a command would: told, and asks nothing */
    struct agent_line l = {.fd = -1};
    struct why why = {0};
    assert_int_equal(agent_call(d->socket, &l, &why), ERR_DENIED);
    assert_non_null(strstr(why.text, "another user"));
    /* as a thief would */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    uint8_t frame[AGENT_FRAME_MAX];
    assert_int_equal(local_at(fd, d->socket, local_connect), 0);
    size_t n = agent_frame_put(frame, AGENT_GET, bytes_of_str("\1"));
    (void)send(fd, frame, n, MSG_NOSIGNAL);
    assert_true(recv(fd, frame, sizeof frame, 0) <= 0);
    assert_int_equal(kill(peer_of(fd), SIGTERM), 0);
    (void)close(fd);
}

static void no_debugger_of_the_same_user_can_look_into_it(void **state)
{
#ifdef __SANITIZE_ADDRESS__
    (void)state;
    skip(); /* dumps stay allowed there: crypto/secret.c */
#else
    struct desk *d = *state;
    char path[64], line[200];
    struct stat st;
    bool none = false;
    if (geteuid() != 0) skip(); /* only root can tell a process of a user that is his from one that is not */
    unlock_as_nobody(d);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(local_at(fd, d->socket, local_connect), 0);
    int pid = peer_of(fd);
    (void)snprintf(path, sizeof path, "/proc/%d/mem", pid);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_uid, 0); /* not dumpable: its files in /proc are root's, not its user's */
    (void)snprintf(path, sizeof path, "/proc/%d/limits", pid);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL)
        none = none || (strncmp(line, "Max core file size", 18) == 0 && strstr(line, " 0 ") != NULL);
    (void)fclose(f);
    assert_true(none);
    assert_int_equal(kill(pid, SIGTERM), 0);
    (void)close(fd);
#endif
}

static void it_holds_no_file_and_no_folder_of_whoever_started_it(void **state)
{
    struct desk *d = *state;
    char path[64], to[300];
    int kept = open("/etc/passwd", O_RDONLY); /* inherited by every child */
    desk_unlock(d, MINUTE);
    assert_int_equal(close(kept), 0);
    struct agent_line l = desk_call(d);
    (void)snprintf(path, sizeof path, "/proc/%d/fd", l.pid);
    DIR *f = opendir(path);
    if (f == NULL) { /* only root may look */
        agent_hang_up(&l);
        skip();
    }
    for (struct dirent *e = NULL; (e = readdir(f)) != NULL;) {
        ssize_t n = readlinkat(dirfd(f), e->d_name, to, sizeof to - 1);
        if (n < 0) continue;
        to[n] = '\0';
        assert_true(strcmp(to, "/dev/null") == 0 || strncmp(to, "socket:", 7) == 0 ||
                    strncmp(to, "anon_inode:", 11) == 0);
    }
    (void)closedir(f);
    (void)snprintf(path, sizeof path, "/proc/%d/cwd", l.pid);
    assert_int_equal(readlink(path, to, sizeof to), 1);
    assert_int_equal(getpgid(l.pid), l.pid);
    assert_int_equal(getsid(l.pid), l.pid);
    agent_hang_up(&l);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, desk_set_up, desk_tear_down)
    const struct CMUnitTest tests[] = {
        T(an_agent_that_hangs_costs_two_seconds_and_can_be_locked),
        T(callers_that_say_nothing_keep_nobody_out),
        T(garbage_ends_the_call_and_not_the_agent),
        T(an_impostor_is_told_nothing_and_believed_nothing),
        T(another_user_gets_nothing_even_root),
        T(no_debugger_of_the_same_user_can_look_into_it),
        T(it_holds_no_file_and_no_folder_of_whoever_started_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
