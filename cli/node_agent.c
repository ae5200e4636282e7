#include "cli/node_agent.h"

#include "base/local.h"
#include "crypto/hash.h"
#include "node/agent_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int64_t mono_ms(void)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* -------------------------------------------------------------------------------------------------------- places */
static bool ours_alone(const char *folder)
{
    struct stat st;
    return lstat(folder, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() && (st.st_mode & 077) == 0;
}

/* A name that is the same however the home is written, and tells nobody where it is. */
static void name_of(const char *real, char out[17])
{
    uint8_t hash[HASH_BYTES];
    hash_labelled(hash, "spoke/agent/1", bytes_of_str(real));
    hex_encode(out, hash, 8);
}

/* Is this the link of another home? It came along when this one was copied or moved. */
static bool leads_elsewhere(const char *path, const char *name)
{
    char to[PATH_MAX], own[32];
    ssize_t n = readlink(path, to, sizeof to - 1);
    if (n < 0) return false; /* a socket, or nothing */
    to[n] = '\0';
    (void)snprintf(own, sizeof own, "/%s.sock", name);
    const char *last = strrchr(to, '/');
    return last == NULL || strcmp(last, own) != 0;
}

enum err agent_places(const char *home, bool make, struct agent_place out[2], size_t *out_n, struct why *why)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    char real[PATH_MAX], name[17];
    size_t n = 0;
    if (realpath(home, real) == NULL) return why_set(why, ERR_UNINIT, "There is no Spoke node in this home yet.");
    name_of(real, name);
    struct agent_place *p = &out[0];
    out[0].link[0] = out[1].link[0] = '\0';
    if (runtime != NULL && runtime[0] == '/' &&
        snprintf(p->folder, sizeof p->folder, "%s/spoke", runtime) < (int)sizeof p->folder &&
        snprintf(p->path, sizeof p->path, "%s/%s.sock", p->folder, name) < (int)sizeof p->path) {
        if (make) (void)mkdir(p->folder, 0700); /* one that is there, or cannot be made, is judged next */
        n += ours_alone(p->folder);
    }
    p = &out[n];
    if (snprintf(p->folder, sizeof p->folder, "%s", real) < (int)sizeof p->folder &&
        snprintf(p->path, sizeof p->path, "%s/agent.sock", real) < (int)sizeof p->path && ours_alone(p->folder)) {
        bool foreign = leads_elsewhere(p->path, name);
        if (n > 0) memcpy(out[0].link, p->path, sizeof out[0].link);
        if (!foreign || (make && unlink(p->path) == 0)) n++;
    }
    *out_n = n;
    return ERR_OK;
}

/* ---------------------------------------------------------------------------------------------------------- line */
static enum err hangs(struct why *why)
{
    (void)why_set(why, ERR_BUSY, "What keeps this device unlocked does not answer.");
    return why_next(why, ERR_BUSY, "Type: spoke lock. Then unlock it again.");
}

static enum err who_answers(struct agent_line *l, struct why *why)
{
    struct ucred peer = {0};
    socklen_t n = sizeof peer;
    if (getsockopt(l->fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) != 0 || peer.uid != geteuid()) {
        (void)why_set(why, ERR_DENIED,
                      "What answers in the place of 'spoke unlock' belongs to another user of this computer. It was "
                      "told nothing.");
        return why_next(why, ERR_DENIED, "Tell whoever looks after this computer.");
    }
    l->pid = peer.pid;
    return ERR_OK;
}

enum err agent_call(const char *path, struct agent_line *out, struct why *why)
{
    const struct timeval patience = {NODE_AGENT_WAIT_MS / 1000, 0};
    *out = (struct agent_line){.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
                               .until_ms = mono_ms() + NODE_AGENT_WAIT_MS};
    if (out->fd < 0) return why_set(why, ERR_IO, "This computer has no sockets left: %s.", strerror(errno));
    enum err e = ERR_OK;
    if (setsockopt(out->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0 ||
        local_at(out->fd, path, local_connect) != 0)
        e = errno == EAGAIN || errno == EINPROGRESS ? hangs(why) : ERR_NOTFOUND; /* a stale socket is nobody */
    if (e == ERR_OK) e = who_answers(out, why);
    if (e != ERR_OK) agent_hang_up(out);
    return e;
}

void agent_hang_up(struct agent_line *l)
{
    if (l->fd >= 0) (void)close(l->fd);
    l->fd = -1;
}

/* Until there is something to read or its end. */
static bool wait_for(const struct agent_line *l)
{
    struct pollfd p = {.fd = l->fd, .events = POLLIN};
    for (;;) {
        int64_t left = l->until_ms - mono_ms();
        int got = poll(&p, 1, left > 0 ? (int)left : 0);
        if (got > 0) return true;
        if (got == 0 || errno != EINTR) return false;
    }
}

static enum err no_agent(struct why *why)
{
    (void)why_set(why, ERR_FORMAT,
                  "What answers in the place of 'spoke unlock' is something else. It was told nothing.");
    return why_next(why, ERR_FORMAT, "Tell whoever looks after this computer. Meanwhile the passphrase works.");
}

static enum err other_version(struct why *why)
{
    (void)why_set(why, ERR_VERSION, "This device was unlocked by another version of Spoke.");
    return why_next(why, ERR_VERSION, "Type: spoke lock. Then unlock it again.");
}

/* The answer into room (locked memory, AGENT_FRAME_MAX bytes and one more, that tells what is too long). */
static enum err hear(const struct agent_line *l, struct secret *room, struct agent_frame *out, struct why *why)
{
    size_t n = 0;
    for (;;) {
        if (!wait_for(l)) return hangs(why);
        ssize_t got = recv(l->fd, room->p + n, room->n - n, MSG_DONTWAIT);
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (got <= 0) return n == 0 ? ERR_NOTFOUND : no_agent(why); /* it ended just now */
        n += (size_t)got;
        switch (agent_frame_get(bytes_of(room->p, n), out)) {
        case AGENT_WHOLE: return ERR_OK;
        case AGENT_MORE: break;
        case AGENT_OTHER: return other_version(why);
        case AGENT_GARBAGE: return no_agent(why);
        }
    }
}

static enum err judge(const struct agent_frame *f, enum agent_kind wanted, size_t least, struct why *why)
{
    if (f->kind == AGENT_NO && f->body.n == 1 && f->body.p[0] == AGENT_NO_LOCKED) return ERR_NOTFOUND;
    if (f->kind == AGENT_NO && f->body.n == 1 && f->body.p[0] == AGENT_NO_VERSION) return other_version(why);
    return f->kind == wanted && f->body.n >= least ? ERR_OK : no_agent(why);
}

static enum err ask(const struct agent_line *l, enum agent_kind kind, struct bytes body, struct secret *room,
                    struct agent_frame *out, struct why *why)
{
    enum err e = secret_new(room, AGENT_FRAME_MAX + 1, why);
    if (e != ERR_OK) return e;
    size_t n = agent_frame_put(room->p, kind, body);
    ssize_t sent = send(l->fd, room->p, n, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return ERR_NOTFOUND; /* it ended just now */
    return sent == (ssize_t)n ? hear(l, room, out, why) : hangs(why);
}

/* The first place where somebody answers. */
static enum err call_home(const char *home, struct agent_line *out, struct why *why)
{
    struct agent_place places[2];
    size_t n = 0;
    *out = (struct agent_line){.fd = -1};
    enum err e = agent_places(home, false, places, &n, why);
    if (e == ERR_UNINIT) return ERR_NOTFOUND;
    if (e == ERR_OK) e = ERR_NOTFOUND;
    for (size_t i = 0; i < n && e == ERR_NOTFOUND; i++) e = agent_call(places[i].path, out, why);
    return e;
}

/* ------------------------------------------------------------------------------------------------------ questions */
enum err node_agent_ring(const char *home, bool people, struct keyring *out, struct why *why)
{
    struct agent_line l;
    struct agent_frame f = {0};
    struct secret room = {0};
    const uint8_t at_work = people ? 1 : 0;
    enum err e = call_home(home, &l, why);
    if (e == ERR_OK) e = ask(&l, AGENT_GET, bytes_of(&at_work, 1), &room, &f, why);
    if (e == ERR_OK) e = judge(&f, AGENT_RING, 1, why);
    if (e == ERR_OK && agent_ring_get(f.body, out, why) != ERR_OK) e = no_agent(why);
    secret_release(&room);
    agent_hang_up(&l);
    return e;
}

static int64_t get_be64(const uint8_t *p)
{
    uint64_t v = 0;
    for (size_t i = 0; i < 8; i++) v = v << 8 | p[i];
    return (int64_t)v;
}

enum err node_agent_state(const char *home, struct node_agent_state *out, struct why *why)
{
    struct agent_line l;
    struct agent_frame f = {0};
    struct secret room = {0};
    enum err e = call_home(home, &l, why);
    if (e == ERR_OK) e = ask(&l, AGENT_STATUS, bytes_of(NULL, 0), &room, &f, why);
    if (e == ERR_OK) e = judge(&f, AGENT_STANDS, 16 + AGENT_SLOT, why);
    if (e == ERR_OK) {
        *out = (struct node_agent_state){.left_ms = get_be64(f.body.p), .idle_ms = get_be64(f.body.p + 8)};
        memcpy(out->slot, f.body.p + 16, sizeof out->slot);
    }
    secret_release(&room);
    agent_hang_up(&l);
    return e;
}

/* ----------------------------------------------------------------------------------------------------------- end */
/* Is this process an agent of ours? One that listens in its place is not to be ended for that. */
static bool is_agent(int pid)
{
    char path[64], name[32] = "";
    (void)snprintf(path, sizeof path, "/proc/%d/comm", pid);
    FILE *f = fopen(path, "re");
    if (f == NULL) return false;
    bool got = fgets(name, sizeof name, f) != NULL;
    (void)fclose(f);
    return got && strcmp(name, AGENT_PROCESS "\n") == 0;
}

/* The other end is gone when the line says so: there is a read to its end. */
static bool wait_for_end(struct agent_line *l, int64_t ms)
{
    uint8_t rest[AGENT_FRAME_MAX];
    l->until_ms = mono_ms() + ms;
    while (wait_for(l)) {
        ssize_t got = recv(l->fd, rest, sizeof rest, MSG_DONTWAIT);
        secret_wipe(rest, sizeof rest);
        if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN)) return true;
    }
    return false;
}

enum err agent_end_line(struct agent_line *l, bool *out_was, struct why *why)
{
    struct agent_frame f = {0};
    struct secret room = {0};
    enum err e = ask(l, AGENT_LOCK, bytes_of(NULL, 0), &room, &f, why);
    if (e == ERR_OK) e = judge(&f, AGENT_DONE, 0, why);
    secret_release(&room);
    *out_was = e == ERR_OK;
    if (e == ERR_OK || e == ERR_NOTFOUND) return ERR_OK;
    if (!is_agent(l->pid)) return e;
    /* It hangs, or speaks otherwise: asked as any process is, it wipes; stopped, it cannot. */
    if (kill(l->pid, SIGTERM) != 0 && errno != ESRCH) return e;
    if (!wait_for_end(l, NODE_AGENT_WAIT_MS / 2) && kill(l->pid, SIGKILL) != 0 && errno != ESRCH) return e;
    if (!wait_for_end(l, NODE_AGENT_WAIT_MS / 2)) return e;
    *out_was = true;
    return ERR_OK;
}

enum err node_agent_lock(const char *home, bool *out_was, struct why *why)
{
    struct agent_place places[2];
    size_t n = 0;
    enum err e = agent_places(home, false, places, &n, why), first = ERR_OK;
    *out_was = false;
    if (e != ERR_OK) return e == ERR_UNINIT ? ERR_OK : e;
    for (size_t i = 0; i < n; i++) {
        struct agent_line l;
        bool was = false;
        e = agent_call(places[i].path, &l, why);
        if (e == ERR_OK) e = agent_end_line(&l, &was, why);
        agent_hang_up(&l);
        *out_was = *out_was || was;
        if (e != ERR_OK && e != ERR_NOTFOUND && first == ERR_OK) first = e;
    }
    return first;
}
