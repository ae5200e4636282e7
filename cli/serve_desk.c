#include "cli/serve_desk.h"

#include "cli/serve_desk_internal.h"
#include "node/door.h"

#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define OPEN_WAIT_MS  3000 /* for another program that has the home */
#define BUSY_AGAIN_MS 100  /* for it, when it was waited for in vain just now: others wait behind this call */
#define CLOSE_MS      500  /* the replica is closed so long after its last use */
#define STRETCH_MS    8000 /* and for a moment after so long of steady use: a command waits 10 s */
#define GAP_MS        120  /* that moment: longer than SQLite's longest pause between two tries */
#define LOOK_MS       5000 /* between two looks at what others did to the home */
#define LENT_MS       60000

static int64_t read_ms(clockid_t clock)
{
    struct timespec t = {0};
    (void)clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct agent_clock desk_clock(const struct serve_desk *d)
{
    if (d->clock != NULL) return d->clock(d->clock_ctx);
    return (struct agent_clock){.boot_ms = read_ms(CLOCK_BOOTTIME), .mono_ms = read_ms(CLOCK_MONOTONIC)};
}

enum err serve_desk_new(struct serve_desk **out, const struct serve_desk_options *opt, struct why *why)
{
    struct serve_desk *d = calloc(1, sizeof *d);
    if (d == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to serve the pages.");
    d->env = *opt->env;
    d->home = opt->home;
    d->idle_ms = opt->idle_ms;
    d->clock = opt->clock;
    d->clock_ctx = opt->clock_ctx;
    d->wake = opt->wake;
    d->wake_ctx = opt->wake_ctx;
    d->alarm = opt->alarm;
    d->alarm_ctx = opt->alarm_ctx;
    struct agent_clock now = desk_clock(d);
    d->behind_ms = now.boot_ms - now.mono_ms;
    int64_t wall = env_now(&d->env);
    d->last_event = wall > 0 ? (uint64_t)wall : 1; /* greater than any of before a restart */
    enum err e = secret_new(&d->tokens, SERVE_SESSIONS * TOKEN_BYTES, why);
    if (e == ERR_OK && (pthread_mutex_init(&d->lock, NULL) != 0 || pthread_mutex_init(&d->home_lock, NULL) != 0))
        e = why_set(why, ERR_FAILED, "The pages could not be served.");
    if (e == ERR_OK) {
        *out = d;
        return ERR_OK;
    }
    secret_release(&d->tokens);
    free(d);
    return e;
}

void serve_desk_free(struct serve_desk *d)
{
    if (d == NULL) return;
    node_close(d->node);
    for (size_t i = 0; i < SERVE_SESSIONS; i++) keyring_release(&d->sessions[i].ring);
    keyring_release(&d->lent);
    secret_release(&d->tokens);
    (void)pthread_mutex_destroy(&d->home_lock);
    (void)pthread_mutex_destroy(&d->lock);
    free(d);
}

/* ----------------------------------------------------------------------------------- the replica; home_lock is held */
/* What tells whether another program wrote to the replica since it was closed here: size and time of its files. */
static uint64_t stamp_of(const struct serve_desk *d)
{
    static const char *const names[] = {"replica.db", "replica.db-wal", "replica2.db", "replica2.db-wal"};
    uint64_t stamp = 0xcbf29ce484222325u; /* FNV-1a, word by word: nobody gains by a collision */
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct stat st = {0};
        if (path_join(path, sizeof path, d->home, names[i], NULL) != ERR_OK || stat(path, &st) != 0)
            st = (struct stat){0};
        const uint64_t words[] = {(uint64_t)st.st_ino, (uint64_t)st.st_size, (uint64_t)st.st_mtim.tv_sec,
                                  (uint64_t)st.st_mtim.tv_nsec};
        for (size_t w = 0; w < sizeof words / sizeof words[0]; w++) stamp = (stamp ^ words[w]) * 0x100000001b3u;
    }
    return stamp;
}

/* A command beside this service may have changed what pages show. Where home_lock is held and the replica is closed. */
static void tell_of_others(struct serve_desk *d)
{
    uint64_t stamp = stamp_of(d), before = d->stamp;
    d->stamp = stamp;
    if (before != 0 && before != stamp) serve_desk_tell(d, SERVE_EDIT, NULL);
}

static void close_now(struct serve_desk *d)
{
    node_close(d->node);
    d->stamp = stamp_of(d);
    d->node = NULL;
    d->node_session = 0;
    d->on_loan = false;
    d->free_until = read_ms(CLOCK_MONOTONIC) + GAP_MS;
    (void)malloc_trim(0); /* an idle service shall not hold the memory of its largest answer */
}

/* Whoever it is open as may have signed out meanwhile; what was lent may be taken back. */
static bool is_stale(struct serve_desk *d)
{
    (void)pthread_mutex_lock(&d->lock);
    bool stale = !d->on_loan || d->lent.keys.p == NULL;
    for (size_t i = 0; i < SERVE_SESSIONS; i++)
        if (d->sessions[i].serial != 0 && d->sessions[i].live && d->sessions[i].serial == d->node_session)
            stale = false;
    (void)pthread_mutex_unlock(&d->lock);
    return stale;
}

/* A program that waits for the home shall find it free once: steady use leaves a gap. */
static void leave_gap(struct serve_desk *d)
{
    int64_t left = d->free_until - read_ms(CLOCK_MONOTONIC);
    if (!d->gap || left <= 0 || left > GAP_MS) return;
    struct timespec t = {.tv_nsec = left * 1000000};
    (void)nanosleep(&t, NULL);
    d->gap = false;
}

static enum err busy(struct why *why)
{
    (void)why_set(why, ERR_BUSY, "Another Spoke program is using this device just now.");
    return why_next(why, ERR_BUSY, "Wait until it has finished, then try again. Nothing was changed.");
}

static enum err open_with(struct serve_desk *d, const struct keyring *ring, enum node_for what_for, struct why *why)
{
    const struct node_key key = {.ring = ring};
    leave_gap(d);
    tell_of_others(d);
    int64_t began = read_ms(CLOCK_MONOTONIC);
    d->env.busy_ms = began - d->busy_at < OPEN_WAIT_MS ? BUSY_AGAIN_MS : OPEN_WAIT_MS;
    enum err e = node_open_as(&d->node, &d->env, d->home, &key, what_for, why);
    if (e == ERR_BUSY) {
        d->busy_at = read_ms(CLOCK_MONOTONIC);
        return busy(why);
    }
    d->busy_at = INT64_MIN / 2;
    d->opened_ms = read_ms(CLOCK_MONOTONIC);
    if (e == ERR_OK && d->alarm != NULL) d->alarm(d->alarm_ctx);
    return e;
}

static bool ends_session(enum err e)
{
    return e == ERR_LOCKED || e == ERR_REFUSED || e == ERR_TAMPERED || e == ERR_UNINIT;
}

/* A copy of the ring, so that the session may end while it is opened. */
static enum err ring_of(struct serve_desk *d, uint64_t session, struct keyring *out, struct why *why)
{
    enum err e = ERR_LOCKED;
    (void)pthread_mutex_lock(&d->lock);
    struct session *s = desk_session(d, session);
    if (s != NULL && s->live)
        e = keyring_copy(out, &s->ring, why);
    else if (s != NULL && why != NULL)
        *why = s->said;
    (void)pthread_mutex_unlock(&d->lock);
    return e;
}

static enum err open_as(struct serve_desk *d, uint64_t session, struct why *why)
{
    struct keyring ring = {0};
    enum err e = ring_of(d, session, &ring, why);
    if (e == ERR_OK) {
        e = open_with(d, &ring, NODE_FOR_PEOPLE, why);
        keyring_release(&ring);
        d->node_session = e == ERR_OK ? session : 0;
    }
    return e;
}

enum err serve_desk_enter(struct serve_desk *d, uint64_t session, struct node **out, struct why *why)
{
    struct why said = {0};
    (void)pthread_mutex_lock(&d->home_lock);
    if (d->node != NULL && (d->node_session != session || is_stale(d))) close_now(d);
    enum err e = d->node == NULL ? open_as(d, session, &said) : ERR_OK;
    if (e == ERR_OK) e = node_tick(d->node, &said);
    if (e == ERR_OK) {
        *out = d->node;
        return ERR_OK;
    }
    if (d->node != NULL) close_now(d);
    (void)pthread_mutex_unlock(&d->home_lock);
    if (ends_session(e)) serve_desk_end(d, session, e, &said);
    if (why != NULL) *why = said;
    return e;
}

/* Who was at work last. */
static uint64_t anybody(struct serve_desk *d)
{
    const struct session *best = NULL;
    (void)pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < SERVE_SESSIONS; i++) {
        const struct session *s = &d->sessions[i];
        if (s->serial != 0 && s->live && (best == NULL || s->used_ms > best->used_ms)) best = s;
    }
    uint64_t serial = best != NULL ? best->serial : 0;
    (void)pthread_mutex_unlock(&d->lock);
    return serial;
}

/* With what was lent: a contact opens it several times, as its bytes travel. */
static enum err open_lent(struct serve_desk *d, struct why *why)
{
    struct keyring ring = {0};
    (void)pthread_mutex_lock(&d->lock);
    enum err e = d->lent.keys.p == NULL || desk_clock(d).boot_ms >= d->lent_until
                     ? why_set(why, ERR_LOCKED, "Nobody is signed in on this device.")
                     : keyring_copy(&ring, &d->lent, why);
    (void)pthread_mutex_unlock(&d->lock);
    if (e == ERR_OK) e = open_with(d, &ring, NODE_FOR_HUB, why);
    d->on_loan = e == ERR_OK;
    keyring_release(&ring);
    return e;
}

enum err serve_desk_enter_any(struct serve_desk *d, struct node **out, struct why *why)
{
    struct why said = {0};
    (void)pthread_mutex_lock(&d->home_lock);
    if (d->node != NULL && is_stale(d)) close_now(d);
    enum err e = ERR_OK;
    uint64_t who = 0;
    if (d->node == NULL) {
        who = anybody(d);
        e = who != 0 ? open_as(d, who, &said) : open_lent(d, &said);
    }
    if (e == ERR_OK) {
        *out = d->node;
        return ERR_OK;
    }
    (void)pthread_mutex_unlock(&d->home_lock);
    if (who != 0 && ends_session(e)) serve_desk_end(d, who, e, &said);
    if (why != NULL) *why = said;
    return e;
}

void serve_desk_leave(struct serve_desk *d)
{
    int64_t now = read_ms(CLOCK_MONOTONIC);
    d->node_used_ms = now;
    d->gap = now - d->opened_ms > STRETCH_MS;
    if (d->node != NULL && (d->gap || is_stale(d))) close_now(d);
    (void)pthread_mutex_unlock(&d->home_lock);
}

bool serve_desk_wiped(struct serve_desk *d, const struct why *said)
{
    if (d->node == NULL || !node_was_wiped(d->node)) return false;
    close_now(d);
    serve_desk_end(d, 0, ERR_REFUSED, said);
    return true;
}

void serve_desk_lend(struct serve_desk *d, struct keyring *ring)
{
    (void)pthread_mutex_lock(&d->lock);
    keyring_release(&d->lent);
    d->lent = *ring;
    *ring = (struct keyring){0};
    d->lent_until = desk_clock(d).boot_ms + LENT_MS;
    (void)pthread_mutex_unlock(&d->lock);
}

bool serve_desk_may_contact(struct serve_desk *d)
{
    (void)pthread_mutex_lock(&d->lock);
    bool may = d->lent.keys.p != NULL;
    for (size_t i = 0; i < SERVE_SESSIONS; i++) may = may || (d->sessions[i].serial != 0 && d->sessions[i].live);
    (void)pthread_mutex_unlock(&d->lock);
    return may;
}

/* -------------------------------------------------------------------------------------------------------- the clock */
/* Close it unless somebody is using it: who does closes it when leaving. Its lock is never waited for here. */
static void put_away(struct serve_desk *d)
{
    d->home_open = true; /* by whoever uses it, or opens it just now */
    if (pthread_mutex_trylock(&d->home_lock) != 0) return;
    bool idle = read_ms(CLOCK_MONOTONIC) - d->node_used_ms >= CLOSE_MS;
    if (d->node != NULL && (idle || is_stale(d))) close_now(d);
    d->home_open = d->node != NULL;
    (void)pthread_mutex_unlock(&d->home_lock);
}

/* While it is open here nobody can wipe it. */
static void look_at_home(struct serve_desk *d, int64_t now)
{
    struct why said = {0};
    if (d->home_open || now - d->looked_ms < LOOK_MS || serve_desk_count(d) == 0) return;
    d->looked_ms = now;
    enum err e = node_check(&d->env, d->home, NODE_FOR_PEOPLE, &said);
    if (e == ERR_REFUSED) serve_desk_end(d, 0, e, &said);
    if (pthread_mutex_trylock(&d->home_lock) != 0) return; /* who holds it opens or closes the replica, and looks */
    if (d->node == NULL) tell_of_others(d);
    (void)pthread_mutex_unlock(&d->home_lock);
}

int64_t serve_desk_tick(struct serve_desk *d)
{
    struct agent_clock now = desk_clock(d);
    int64_t next = desk_end_due(d, now);
    (void)pthread_mutex_lock(&d->lock);
    if (d->lent.keys.p != NULL && now.boot_ms >= d->lent_until) keyring_release(&d->lent);
    (void)pthread_mutex_unlock(&d->lock);
    put_away(d);
    look_at_home(d, now.boot_ms);
    if (d->home_open && next > CLOSE_MS) next = CLOSE_MS;
    return next < LOOK_MS ? next : LOOK_MS;
}
