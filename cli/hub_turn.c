#include "cli/hub_turn.h"

#include "base/local.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SOCKET_NAME "serve.sock"
#define AGAIN_MS    1000 /* a store that could not be opened for want of memory or disk is tried again */

struct hub_turn {
    struct hub_turn_options opt;
    char path[PATH_MAX];
    int listener, stop; /* stop: an eventfd */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    bool in_use;        /* somebody is between enter and leave */
    bool away;          /* a command has the store, or it could not be opened again */
    bool wanted;        /* a command waits for it */
    bool served;        /* a request was answered since it came back */
    bool ended;
    unsigned waiting;   /* requests in hub_turn_enter */
    int64_t away_since; /* CLOCK_MONOTONIC, ms */
    enum err failed;    /* what `why` says */
    struct why why;
};

static int64_t mono_ms(void)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ------------------------------------------------------------------------------------------------------- who is on */

static void wait_until(struct hub_turn *t, int64_t until_ms)
{
    const struct timespec at = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    (void)pthread_cond_clockwait(&t->moved, &t->lock, CLOCK_MONOTONIC, &at);
}

/* May a request go on? Where a command waits, only the first since the last command. */
static bool may_enter(const struct hub_turn *t)
{
    return !t->in_use && !t->away && !(t->wanted && t->served);
}

bool hub_turn_enter(struct hub_turn *t)
{
    (void)pthread_mutex_lock(&t->lock);
    t->waiting++;
    int64_t until = mono_ms() + TURN_WAIT_MS;
    while (!may_enter(t)) {
        /* Those behind the first do not wait for long in their turn: one thread answers them all. */
        if (t->away && t->away_since + TURN_WAIT_MS < until) until = t->away_since + TURN_WAIT_MS;
        if (t->ended || mono_ms() >= until) break;
        wait_until(t, until);
    }
    bool ok = may_enter(t);
    t->waiting--;
    t->in_use = t->in_use || ok;
    (void)pthread_cond_broadcast(&t->moved);
    (void)pthread_mutex_unlock(&t->lock);
    return ok;
}

void hub_turn_leave(struct hub_turn *t)
{
    (void)pthread_mutex_lock(&t->lock);
    t->in_use = false;
    t->served = true;
    (void)pthread_cond_broadcast(&t->moved);
    (void)pthread_mutex_unlock(&t->lock);
}

static void take_away(struct hub_turn *t)
{
    (void)pthread_mutex_lock(&t->lock);
    t->wanted = true;
    while (t->in_use || (t->waiting > 0 && !t->served)) (void)pthread_cond_wait(&t->moved, &t->lock);
    t->wanted = false;
    t->away = true;
    t->away_since = mono_ms();
    (void)pthread_mutex_unlock(&t->lock);
    hub_pause(t->opt.hub);
}

/* Something on fd, or its end; false: the server ends, or `patience_ms` (-1: any) is over. */
static bool wait_for(const struct hub_turn *t, int fd, int patience_ms)
{
    struct pollfd p[2] = {{.fd = t->stop, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    int got;
    while ((got = poll(p, 2, patience_ms)) < 0 && errno == EINTR) continue;
    return got > 0 && p[0].revents == 0;
}

static bool stopping(const struct hub_turn *t)
{
    struct pollfd p = {.fd = t->stop, .events = POLLIN};
    return poll(&p, 1, 0) > 0;
}

/* Want of memory, a full disk, a command that came without asking: it may pass. What is damaged stays so. */
static bool may_pass(enum err e)
{
    return e == ERR_BUSY || e == ERR_NOMEM || e == ERR_FULL || e == ERR_IO;
}

static void bring_back(struct hub_turn *t)
{
    struct why why = {0};
    enum err e;
    if (stopping(t)) return;
    while (may_pass(e = hub_resume(t->opt.hub, &why)))
        if (!wait_for(t, -1, AGAIN_MS) && stopping(t)) return;
    (void)pthread_mutex_lock(&t->lock);
    t->away = e != ERR_OK;
    t->served = false;
    t->failed = e;
    t->why = why;
    (void)pthread_cond_broadcast(&t->moved);
    (void)pthread_mutex_unlock(&t->lock);
    if (e == ERR_OK)
        t->opt.back(t->opt.ctx);
    else
        t->opt.lost(t->opt.ctx);
}

/* --------------------------------------------------------------------------------------------------- who asks for it */

static bool own_user(int fd)
{
    struct ucred peer = {0};
    socklen_t n = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 && peer.uid == geteuid();
}

static void give_turn(struct hub_turn *t, int fd)
{
    char byte;
    if (!own_user(fd)) return;
    take_away(t);
    if (send(fd, "!", 1, MSG_NOSIGNAL) == 1)
        /* It has nothing to say: whatever it says, what counts is that it ends. */
        while (wait_for(t, fd, -1) && recv(fd, &byte, 1, 0) > 0) continue;
    bring_back(t);
}

static void *take_turns(void *ctx)
{
    struct hub_turn *t = ctx;
    while (wait_for(t, t->listener, -1) && t->failed == ERR_OK) {
        int fd = accept4(t->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            give_turn(t, fd);
            (void)close(fd);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            (void)wait_for(t, -1, AGAIN_MS); /* it would be asked again at once */
        }
    }
    return NULL;
}

static enum err set_up(struct hub_turn *t, struct why *why)
{
    enum err e = path_join(t->path, sizeof t->path, t->opt.home, SOCKET_NAME, why);
    if (e != ERR_OK) return e;
    t->stop = eventfd(0, EFD_CLOEXEC);
    t->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (t->stop < 0 || t->listener < 0 || (unlink(t->path) != 0 && errno != ENOENT) ||
        local_at(t->listener, t->path, local_bind) != 0 || listen(t->listener, 16) != 0)
        return why_set(why, ERR_IO, "The place where commands ask for the store could not be made: %s.",
                       strerror(errno));
    int rc = pthread_create(&t->thread, NULL, take_turns, t);
    return rc == 0 ? ERR_OK : why_set(why, ERR_IO, "The system has no thread to spare: %s.", strerror(rc));
}

static void release(struct hub_turn *t)
{
    if (t->listener >= 0) (void)close(t->listener);
    if (t->stop >= 0) (void)close(t->stop);
    (void)pthread_cond_destroy(&t->moved);
    (void)pthread_mutex_destroy(&t->lock);
    free(t);
}

enum err hub_turn_start(struct hub_turn **out, const struct hub_turn_options *opt, struct why *why)
{
    struct hub_turn *t = calloc(1, sizeof *t);
    if (t == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to serve.");
    t->opt = *opt;
    t->listener = t->stop = -1;
    (void)pthread_mutex_init(&t->lock, NULL);
    (void)pthread_cond_init(&t->moved, NULL);
    enum err e = set_up(t, why);
    if (e == ERR_OK)
        *out = t;
    else
        release(t);
    return e;
}

enum err hub_turn_end(struct hub_turn *t, struct why *why)
{
    static const uint64_t one = 1;
    /* An eventfd that nobody else writes takes a number at once. */
    if (write(t->stop, &one, sizeof one) != (ssize_t)sizeof one) abort();
    (void)pthread_join(t->thread, NULL);
    (void)unlink(t->path);
    (void)pthread_mutex_lock(&t->lock);
    t->ended = true;
    (void)pthread_cond_broadcast(&t->moved);
    (void)pthread_mutex_unlock(&t->lock);
    if (t->failed != ERR_OK && why != NULL) *why = t->why;
    return t->failed;
}

void hub_turn_free(struct hub_turn *t)
{
    release(t);
}

/* ------------------------------------------------------------------------------------------------ the command's side */

static enum err will_not(struct why *why)
{
    (void)why_set(why, ERR_BUSY, "The server of this hub did not let go of the store within a minute. Nothing was changed.");
    return why_next(why, ERR_BUSY, "Try again. If it stays so, stop spoke-hub serve and start it again.");
}

/* The byte that says: yours. Its end without one: the server has just ended. */
static enum err wait_for_turn(int fd, bool *out_ours, struct why *why)
{
    int64_t until = mono_ms() + TURN_ASK_MS;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char byte;
    for (;;) {
        int64_t left = until - mono_ms();
        int got = left > 0 ? poll(&p, 1, (int)left) : 0;
        if (got > 0) break;
        if (got == 0) return will_not(why);
        if (errno != EINTR) return why_set(why, ERR_IO, "The server could not be waited for: %s.", strerror(errno));
    }
    *out_ours = recv(fd, &byte, 1, 0) == 1;
    return ERR_OK;
}

enum err hub_turn_ask(const char *home, int *out_fd, struct why *why)
{
    char path[PATH_MAX];
    bool ours = false;
    *out_fd = -1;
    enum err e = path_join(path, sizeof path, home, SOCKET_NAME, why);
    if (e != ERR_OK) return e;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return why_set(why, ERR_IO, "This computer has no sockets left: %s.", strerror(errno));
    if (local_at(fd, path, local_connect) == 0) {
        if (own_user(fd))
            e = wait_for_turn(fd, &ours, why);
        else
            e = why_set(why, ERR_DENIED, "What serves this hub belongs to another user of this computer.");
    } else if (errno != ENOENT && errno != ECONNREFUSED) {
        e = why_set(why, ERR_IO, "The server of this hub could not be asked: %s.", strerror(errno));
    }
    if (ours)
        *out_fd = fd;
    else
        (void)close(fd);
    return e;
}
