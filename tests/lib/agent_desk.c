#include "tests/lib/agent_desk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

void desk_touch(const char *folder, const char *name)
{
    char path[300];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
}

int desk_set_up(void **state)
{
    struct desk *d = calloc(1, sizeof *d);
    assert_non_null(d);
    strcpy(d->runtime, "/tmp/spoke-agent-XXXXXX");
    strcpy(d->home, "/tmp/spoke-home-XXXXXX");
    assert_non_null(mkdtemp(d->runtime));
    assert_non_null(mkdtemp(d->home));
    assert_int_equal(setenv("XDG_RUNTIME_DIR", d->runtime, 1), 0);
    desk_touch(d->home, "replica.key");
    d->ring = (struct keyring){.kind = SLOT_PERSON, .revision = 7, .generation = 2};
    assert_int_equal(secret_new(&d->ring.keys, 64, NULL), ERR_OK);
    memset(d->ring.keys.p, 0x5a, 64);
    memset(d->ring.slot, 3, sizeof d->ring.slot);
    struct agent_place places[2];
    size_t n = 0;
    assert_int_equal(agent_places(d->home, true, places, &n, NULL), ERR_OK);
    assert_int_equal(n, 2);
    (void)snprintf(d->socket, sizeof d->socket, "%s", places[0].path);
    *state = d;
    return 0;
}

void desk_empty(const char *path)
{
    DIR *f = opendir(path);
    char name[600];
    for (struct dirent *e = NULL; f != NULL && (e = readdir(f)) != NULL;) {
        if (e->d_name[0] == '.') continue;
        (void)snprintf(name, sizeof name, "%s/%s", path, e->d_name);
        if (unlink(name) != 0) desk_empty(name);
    }
    if (f != NULL) (void)closedir(f);
    (void)rmdir(path);
}

int desk_tear_down(void **state)
{
    struct desk *d = *state;
    bool was;
    if (node_agent_lock(d->home, &was, NULL) != ERR_OK) return -1;
    keyring_release(&d->ring);
    desk_empty(d->runtime);
    desk_empty(d->home);
    free(d);
    return 0;
}

int64_t desk_now_ms(void)
{
    struct timespec t;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &t), 0);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void desk_unlock(struct desk *d, int64_t idle_ms)
{
    struct why why = {0};
    if (node_agent_start(d->home, &d->ring, idle_ms, &why) != ERR_OK) fail_msg("%s", why.text);
}

enum err desk_get(struct desk *d, struct why *why)
{
    struct keyring r = {0};
    enum err e = node_agent_ring(d->home, true, &r, why);
    if (e == ERR_OK) {
        assert_memory_equal(r.keys.p, d->ring.keys.p, 64);
        assert_memory_equal(r.slot, d->ring.slot, sizeof r.slot);
        assert_int_equal(r.revision, d->ring.revision);
        assert_int_equal(r.generation, d->ring.generation);
    }
    keyring_release(&r);
    return e;
}

struct agent_line desk_call(const struct desk *d)
{
    struct agent_line l;
    assert_int_equal(agent_call(d->socket, &l, NULL), ERR_OK);
    return l;
}

/* Until the process at the other end has gone: its connections close. */
void desk_must_end(struct agent_line *l)
{
    struct pollfd p = {.fd = l->fd, .events = POLLIN};
    char byte;
    assert_int_equal(poll(&p, 1, 20000), 1);
    assert_true(recv(l->fd, &byte, 1, 0) <= 0);
    agent_hang_up(l);
}
