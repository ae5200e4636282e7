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
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SOCKET_NAME "serve.sock"
#define AGAIN_MS    1000 /* a store that could not be opened for want of memory or disk is tried again */
#define WORD_BYTES  10   /* "!", is the clock known, by how much it is ahead */

/* Numbers that only rise: what one of these moved may be what a device waits for. */
struct stand {
    int64_t version, acts, orders, heard;
};

struct hub_turn {
    struct hub_turn_options opt;
    char path[PATH_MAX];
    dev_t dev; /* of the socket that we made: another's is not ours to remove */
    ino_t ino;
    struct stand stand; /* when the store was given away */
    bool stand_known;
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
    int64_t away_total; /* ms */
    uint64_t turns;
    enum err failed;    /* what `why` says */
    struct why why;
};

static int64_t mono_ms(void)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* -------------------------------------------------------------------------------------------- what both sides say */

static void put_word(uint8_t out[WORD_BYTES], const struct hub_clock *c)
{
    uint64_t ahead = (uint64_t)c->ahead_ms;
    out[0] = '!';
    out[1] = c->known ? 1 : 0;
    for (unsigned i = 0; i < 8; i++) out[2 + i] = (uint8_t)(ahead >> (8 * i) & 0xff);
}

static bool take_word(const uint8_t *in, size_t n, struct hub_clock *out)
{
    uint64_t ahead = 0;
    if (n != WORD_BYTES || in[0] != '!' || in[1] > 1) return false;
    for (unsigned i = 0; i < 8; i++) ahead |= (uint64_t)in[2 + i] << (8 * i);
    *out = (struct hub_clock){.known = in[1] == 1, .ahead_ms = (int64_t)ahead};
    return true;
}

static bool say_word(int fd, const struct hub_clock *c)
{
    uint8_t word[WORD_BYTES];
    put_word(word, c);
    return send(fd, word, sizeof word, MSG_NOSIGNAL) == (ssize_t)sizeof word;
}

static void note(const struct hub_turn *t, const char *what, enum err e)
{
    if (t->opt.log == NULL) return;
    struct logline l;
    logline_begin(&l, t->opt.log, t->opt.log_format, t->opt.env, e == ERR_OK ? "info" : "error", "store");
    logline_str(&l, "store", what);
    if (e != ERR_OK) logline_str(&l, "error", err_word(e));
    logline_end(&l);
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

bool hub_turn_try(struct hub_turn *t, int64_t wait_ms)
{
    int64_t until = mono_ms() + wait_ms;
    (void)pthread_mutex_lock(&t->lock);
    while (!may_enter(t) && !t->away && !t->ended && mono_ms() < until) wait_until(t, until);
    bool ok = may_enter(t);
    t->in_use = t->in_use || ok;
    (void)pthread_mutex_unlock(&t->lock);
    return ok;
}

void hub_turn_put_back(struct hub_turn *t)
{
    (void)pthread_mutex_lock(&t->lock);
    t->in_use = false;
    (void)pthread_cond_broadcast(&t->moved);
    (void)pthread_mutex_unlock(&t->lock);
}

void hub_turn_look(struct hub_turn *t, struct hub_turn_load *out)
{
    (void)pthread_mutex_lock(&t->lock);
    *out = (struct hub_turn_load){.turns = t->turns, .total_ms = t->away_total};
    if (t->away) {
        out->away_ms = mono_ms() - t->away_since;
        if (out->away_ms < 1) out->away_ms = 1;
        out->total_ms += out->away_ms;
    }
    (void)pthread_mutex_unlock(&t->lock);
}

static bool take_stand(struct hub *h, struct stand *out)
{
    struct stmt *s = NULL;
    bool row = false;
    if (db_prepare(hub_db(h),
                   "SELECT (SELECT max(value) FROM h_counter WHERE name = 'version'), (SELECT max(no) FROM h_act), "
                   "(SELECT count(*) FROM h_order), (SELECT CAST(sum(last_request + last_seq) AS INTEGER) FROM h_node)",
                   &s, NULL) != ERR_OK)
        return false;
    bool ok = db_step(s, &row, NULL) == ERR_OK && row;
    if (ok) *out = (struct stand){db_int(s, 0), db_int(s, 1), db_int(s, 2), db_int(s, 3)};
    db_done(s);
    return ok;
}

/* In doubt it was changed. */
static bool was_changed(struct hub_turn *t)
{
    struct stand now = {0};
    if (!t->stand_known || !take_stand(t->opt.hub, &now)) return true;
    return now.version != t->stand.version || now.acts != t->stand.acts || now.orders != t->stand.orders ||
           now.heard != t->stand.heard;
}

static void take_away(struct hub_turn *t)
{
    (void)pthread_mutex_lock(&t->lock);
    t->wanted = true;
    while (t->in_use || (t->waiting > 0 && !t->served)) (void)pthread_cond_wait(&t->moved, &t->lock);
    t->wanted = false;
    t->away = true;
    t->away_since = mono_ms();
    t->turns++;
    (void)pthread_mutex_unlock(&t->lock);
    t->stand_known = take_stand(t->opt.hub, &t->stand);
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
    bool noted = false;
    if (stopping(t)) return;
    while (may_pass(e = hub_resume(t->opt.hub, &why))) {
        if (!noted) note(t, "closed", e);
        noted = true;
        if (!wait_for(t, -1, AGAIN_MS) && stopping(t)) return;
    }
    if (noted && e == ERR_OK) note(t, "back", e);
    bool changed = e == ERR_OK && was_changed(t);
    (void)pthread_mutex_lock(&t->lock);
    t->away = e != ERR_OK;
    if (!t->away) t->away_total += mono_ms() - t->away_since;
    t->served = false;
    t->failed = e;
    t->why = why;
    (void)pthread_cond_broadcast(&t->moved);
    (void)pthread_mutex_unlock(&t->lock);
    if (changed) t->opt.back(t->opt.ctx);
    if (e != ERR_OK) t->opt.lost(t->opt.ctx);
}

/* -------------------------------------------------------------------------------------------------- who asks for it */

static bool own_user(int fd)
{
    struct ucred peer = {0};
    socklen_t n = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 && peer.uid == geteuid();
}

/* Until the command has ended. What it says at its end is believed only as a whole: of one that was killed nothing
 * is. */
static void await_end(struct hub_turn *t, int fd, struct hub_clock *clock)
{
    uint8_t word[WORD_BYTES + 1];
    size_t n = 0;
    ssize_t got = 1;
    bool noted = false;
    while (got > 0) {
        if (!wait_for(t, fd, noted ? -1 : TURN_WAIT_MS)) {
            if (noted || stopping(t)) return;
            note(t, "away", ERR_OK);
            noted = true;
            continue;
        }
        got = recv(fd, word + n, sizeof word - n, 0);
        if (got > 0) n += (size_t)got;
        if (n < sizeof word) continue;
        word[0] = 0; /* too long to be one; what counts is that it ends */
        n--;
    }
    if (noted) note(t, "back", ERR_OK);
    if (got == 0) (void)take_word(word, n, clock);
}

static void give_turn(struct hub_turn *t, int fd)
{
    struct hub_clock clock;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (!own_user(fd) || poll(&p, 1, 0) > 0) return; /* it has given up meanwhile, or only asked who is there */
    take_away(t);
    hub_clock_get(t->opt.hub, &clock);
    if (say_word(fd, &clock)) await_end(t, fd, &clock);
    hub_clock_set(t->opt.hub, &clock);
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

/* We have the store open. If a server answers nevertheless, it is between two turns. */
static enum err be_there(struct hub_turn *t, struct why *why)
{
    struct stat made;
    enum err e = hub_turn_nobody(t->opt.home, why);
    if (e != ERR_OK) return e;
    if ((unlink(t->path) != 0 && errno != ENOENT) || local_at(t->listener, t->path, local_bind) != 0 ||
        lstat(t->path, &made) != 0)
        return why_set(why, ERR_NOTFOUND, "The place where commands ask for the store could not be made: %s.",
                       strerror(errno));
    t->dev = made.st_dev;
    t->ino = made.st_ino;
    return listen(t->listener, 16) == 0 ? ERR_OK : why_set(why, ERR_IO, "Commands cannot be heard: %s.", strerror(errno));
}

/* Only what we made: whoever moved it away and put another there serves now. */
static void be_gone(const struct hub_turn *t)
{
    struct stat there;
    if (lstat(t->path, &there) == 0 && there.st_dev == t->dev && there.st_ino == t->ino) (void)unlink(t->path);
}

static enum err set_up(struct hub_turn *t, struct why *why)
{
    enum err e = path_join(t->path, sizeof t->path, t->opt.home, SOCKET_NAME, why);
    if (e != ERR_OK) return e;
    t->stop = eventfd(0, EFD_CLOEXEC);
    t->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (t->stop < 0 || t->listener < 0)
        return why_set(why, ERR_IO, "This computer has no sockets left: %s.", strerror(errno));
    e = be_there(t, why);
    if (e != ERR_OK) return e;
    int rc = pthread_create(&t->thread, NULL, take_turns, t);
    if (rc == 0) return ERR_OK;
    be_gone(t);
    return why_set(why, ERR_IO, "The system has no thread to spare: %s.", strerror(rc));
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
    if (t == NULL) return ERR_OK;
    /* An eventfd that nobody else writes takes a number at once. */
    if (write(t->stop, &one, sizeof one) != (ssize_t)sizeof one) abort();
    (void)pthread_join(t->thread, NULL);
    be_gone(t);
    (void)pthread_mutex_lock(&t->lock);
    t->ended = true;
    (void)pthread_cond_broadcast(&t->moved);
    (void)pthread_mutex_unlock(&t->lock);
    if (t->failed != ERR_OK && why != NULL) *why = t->why;
    return t->failed;
}

void hub_turn_free(struct hub_turn *t)
{
    if (t != NULL) release(t);
}

/* ----------------------------------------------------------------------------------------------- the command's side */

static enum err will_not(struct why *why)
{
    (void)why_set(why, ERR_BUSY,
                  "The store could not be had within a minute: another command is still at work with it, or the server of "
                  "this hub hangs. Nothing was changed.");
    return why_next(why, ERR_BUSY,
                    "Try again when other commands have ended. If it stays so, stop spoke-hub serve and start it again.");
}

/* The word that says: yours. Its end without one: the server has just ended. */
static enum err wait_for_turn(int fd, int64_t until, bool *out_ours, struct hub_clock *clock, struct why *why)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    uint8_t word[WORD_BYTES];
    for (;;) {
        int64_t left = until - mono_ms();
        int got = left > 0 ? poll(&p, 1, (int)left) : 0;
        if (got > 0) break;
        if (got == 0) return will_not(why);
        if (errno != EINTR) return why_set(why, ERR_IO, "The server could not be waited for: %s.", strerror(errno));
    }
    ssize_t n = recv(fd, word, sizeof word, MSG_WAITALL);
    *out_ours = n > 0 && take_word(word, (size_t)n, clock);
    return ERR_OK;
}

enum err hub_turn_ask(const char *home, int *out_fd, struct hub_clock *clock, struct why *why)
{
    const struct timeval patience = {TURN_ASK_MS / 1000, 0}; /* connect waits too, when many have come before */
    int64_t until = mono_ms() + TURN_ASK_MS;
    char path[PATH_MAX];
    bool ours = false;
    *out_fd = -1;
    enum err e = path_join(path, sizeof path, home, SOCKET_NAME, why);
    if (e != ERR_OK) return e;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0) {
        e = why_set(why, ERR_IO, "This computer has no sockets left: %s.", strerror(errno));
    } else if (local_at(fd, path, local_connect) == 0) {
        if (own_user(fd))
            e = wait_for_turn(fd, until, &ours, clock, why);
        else
            e = why_set(why, ERR_DENIED, "What serves this hub belongs to another user of this computer.");
    } else if (errno == EAGAIN || errno == EINPROGRESS) {
        e = will_not(why);
    } else if (errno != ENOENT && errno != ECONNREFUSED) {
        e = why_set(why, ERR_IO, "The server of this hub could not be asked: %s.", strerror(errno));
    }
    if (ours)
        *out_fd = fd;
    else if (fd >= 0)
        (void)close(fd);
    return e;
}

void hub_turn_give(int fd, const struct hub_clock *clock)
{
    if (fd < 0) return;
    if (clock != NULL) (void)say_word(fd, clock); /* a server that has ended meanwhile wants none */
    (void)close(fd);
}

enum err hub_turn_nobody(const char *home, struct why *why)
{
    char path[PATH_MAX];
    enum err e = path_join(path, sizeof path, home, SOCKET_NAME, why);
    if (e != ERR_OK) return e;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return why_set(why, ERR_IO, "This computer has no sockets left: %s.", strerror(errno));
    bool there = local_at(fd, path, local_connect) == 0 || errno == EAGAIN || errno == EINPROGRESS;
    (void)close(fd);
    if (!there) return ERR_OK;
    (void)why_set(why, ERR_BUSY, "This hub is served already. Nothing was changed.");
    return why_next(why, ERR_BUSY, "Stop the other server first.");
}
