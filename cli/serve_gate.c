#include "cli/serve_gate.h"

#include "base/env.h"
#include "base/local.h"
#include "cli/node_agent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CALLER_MS 200 /* for a request of 8 bytes; only this user can call */

static enum err paths(const char *home, char sock[1300], char address[1300], struct why *why)
{
    enum err e = path_join(sock, 1300, home, "serve.sock", why);
    return e == ERR_OK ? path_join(address, 1300, home, "serve.address", why) : e;
}

static enum err no_socket(struct why *why)
{
    return why_set(why, ERR_IO, "This computer or its disk did not let the pages be served: %s.", strerror(errno));
}

static bool somebody_answers(const char *path)
{
    struct agent_line l;
    enum err e = agent_call(path, &l, NULL);
    agent_hang_up(&l);
    return e == ERR_OK;
}

enum err serve_gate_open(struct serve_gate *g, const char *home, const char *address, struct why *why)
{
    char made[1330];
    const struct env *env = env_posix();
    *g = (struct serve_gate){.fd = -1};
    enum err e = paths(home, g->path, g->address_path, why);
    if (e != ERR_OK) return e;
    if (somebody_answers(g->path)) {
        (void)why_set(why, ERR_BUSY, "The pages of this device are being served already.");
        return why_next(why, ERR_BUSY, "Type: spoke open");
    }
    (void)snprintf(made, sizeof made, "%s.%d", g->path, (int)getpid());
    g->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (g->fd < 0) return no_socket(why);
    (void)unlink(made);
    if (local_at(g->fd, made, local_bind) != 0 || listen(g->fd, 8) != 0 || rename(made, g->path) != 0 ||
        lstat(g->path, &g->place) != 0)
        e = no_socket(why);
    if (e == ERR_OK) e = env->write_file(env->ctx, g->address_path, bytes_of_str(address), why);
    if (e != ERR_OK) {
        (void)unlink(made);
        serve_gate_close(g);
    }
    return e;
}

void serve_gate_close(struct serve_gate *g)
{
    if (g->fd < 0) return;
    if (serve_gate_stands(g)) {
        (void)unlink(g->address_path);
        (void)unlink(g->path);
    }
    (void)close(g->fd);
    g->fd = -1;
}

bool serve_gate_stands(const struct serve_gate *g)
{
    struct stat now;
    return lstat(g->path, &now) == 0 && now.st_dev == g->place.st_dev && now.st_ino == g->place.st_ino;
}

/* A whole request that says lock. */
static bool says_lock(int fd)
{
    const struct timeval patience = {.tv_usec = CALLER_MS * 1000};
    uint8_t got[AGENT_FRAME_MAX];
    struct agent_frame f;
    size_t n = 0;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0) return false;
    for (;;) {
        ssize_t k = recv(fd, got + n, sizeof got - n, 0);
        if (k <= 0) return false;
        n += (size_t)k;
        enum agent_read r = agent_frame_get(bytes_of(got, n), &f);
        if (r != AGENT_MORE) return r == AGENT_WHOLE && f.kind == AGENT_LOCK && f.body.n == 0;
    }
}

bool serve_gate_called(const struct serve_gate *g, struct serve_caller *out)
{
    struct ucred peer = {0};
    socklen_t n = sizeof peer;
    *out = (struct serve_caller){.fd = accept4(g->fd, NULL, NULL, SOCK_CLOEXEC)};
    if (out->fd < 0) return false;
    if (getsockopt(out->fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 && peer.uid == geteuid() && says_lock(out->fd))
        return true;
    (void)close(out->fd);
    out->fd = -1;
    return false;
}

void serve_gate_done(struct serve_caller *c)
{
    uint8_t room[AGENT_FRAME_MAX];
    size_t n = agent_frame_put(room, AGENT_DONE, bytes_of(NULL, 0));
    ssize_t sent = send(c->fd, room, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)sent;
    (void)close(c->fd);
    c->fd = -1;
}

/* ---------------------------------------------------------------------------------------------------- for commands */
enum err serve_gate_lock(const char *home, bool *out_was, struct why *why)
{
    char path[1300], address[1300];
    struct agent_line l = {.fd = -1};
    *out_was = false;
    enum err e = paths(home, path, address, why);
    if (e == ERR_OK) e = agent_call(path, &l, why);
    if (e == ERR_OK) e = agent_end_line(&l, out_was, why);
    agent_hang_up(&l);
    if (e == ERR_BUSY) {
        (void)why_set(why, e, "What serves this device's pages does not answer: it may still be open in a browser.");
        return why_next(why, e, "End the program 'spoke serve', or close the browser.");
    }
    return e == ERR_NOTFOUND ? ERR_OK : e;
}

enum err serve_gate_where(const char *home, char out[SERVE_ADDRESS_MAX], struct why *why)
{
    char path[1300], address[1300];
    const struct env *env = env_posix();
    struct buf text;
    buf_init(&text, SERVE_ADDRESS_MAX - 1);
    enum err e = paths(home, path, address, why);
    if (e == ERR_OK && !somebody_answers(path)) e = ERR_NOTFOUND;
    if (e == ERR_OK) e = env->read_file(env->ctx, address, SERVE_ADDRESS_MAX - 1, &text, why);
    if (e == ERR_OK) {
        memcpy(out, text.data, text.len);
        out[text.len] = '\0';
    }
    buf_release(&text);
    if (e != ERR_NOTFOUND) return e;
    (void)why_set(why, e, "The pages of this device are not being served.");
    return why_next(why, e, "Type in another window, and leave it open: spoke serve");
}
