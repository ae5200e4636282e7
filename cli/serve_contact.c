#include "cli/serve_contact.h"

#include "cli/node_agent.h"
#include "crypto/hash.h"
#include "node/door.h"
#include "node/search.h"
#include "node/trouble.h"
#include "sync/bundle.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SOON_MS        1000    /* acts that follow each other go together */
#define EVERY_MS       60000   /* between two contacts without anything to send */
#define WAIT_MS        50000   /* the hub may keep a request so long, until there is something to say */
#define PARKED_MS      20000   /* an answer that took so long was waited for */
#define EARLY_MS       1000    /* after one that came earlier and brought nothing, then twice as long each time up to EVERY_MS */
#define RETRY_MS       2000    /* after a failure, then twice as long each time … */
#define RETRY_MAX_MS   60000   /* … up to this */
#define KNOCK_EVERY_MS 3600000 /* while nobody is signed in */
#define KNOCK_RETRY_MS 4000    /* after one that failed, then twice as long each time up to that */
#define ROUNDS_MAX     10000u

struct serve_contact {
    struct env env;
    const char *home;
    struct serve_desk *desk;
    pthread_t thread;
    pthread_mutex_t lock;   /* over the next five */
    pthread_cond_t changed; /* monotonic */
    bool stopping;
    bool asked;      /* somebody wants to hear what comes of the next contact */
    int64_t work_ms; /* mono_ms: when a contact is due; INT64_MAX: none is */
    struct serve_contact_state state;
    bool waiting; /* what travels waits at the hub for news, and gives way to what is due */

    /* of the thread alone */
    struct node_round round;
    struct buf answer;           /* as far as it has come */
    uint8_t answers[HASH_BYTES]; /* the request that it answers */
    unsigned failures;           /* in a row */
    unsigned early;              /* waits for news in a row that ended early and brought nothing */
    int64_t news_ms;             /* mono_ms: when to wait for news again; INT64_MAX: only after a contact */
    int64_t knock_ms;            /* mono_ms: when to ask for orders next */
    unsigned knock_failures;     /* in a row */
    bool brought;                /* this contact brought something */
};

static int64_t mono_ms(void)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ------------------------------------------------------------------------------------------------ from any thread */
static void want(struct serve_contact *c, int64_t in_ms, bool asked)
{
    int64_t at = mono_ms() + in_ms;
    (void)pthread_mutex_lock(&c->lock);
    if (at < c->work_ms) c->work_ms = at;
    c->asked = c->asked || asked;
    (void)pthread_cond_broadcast(&c->changed);
    (void)pthread_mutex_unlock(&c->lock);
}

void serve_contact_soon(struct serve_contact *c)
{
    want(c, SOON_MS, false);
}

void serve_contact_now(struct serve_contact *c)
{
    want(c, 0, true);
}

void serve_contact_get(struct serve_contact *c, struct serve_contact_state *out)
{
    (void)pthread_mutex_lock(&c->lock);
    *out = c->state;
    (void)pthread_mutex_unlock(&c->lock);
}

/* ---------------------------------------------------------------------------------------------------------- a round */
static bool stop_now(void *ctx)
{
    struct serve_contact *c = ctx;
    (void)pthread_mutex_lock(&c->lock);
    bool stop = c->stopping || (c->waiting && mono_ms() >= c->work_ms);
    (void)pthread_mutex_unlock(&c->lock);
    return stop || !serve_desk_may_contact(c->desk);
}

static enum err take_piece(void *ctx, struct bytes piece, struct why *why)
{
    struct serve_contact *c = ctx;
    buf_put_bytes(&c->answer, piece);
    return c->answer.err == ERR_OK
               ? ERR_OK
               : why_set(why, c->answer.err, "The MASH server's answer is larger than any that this device takes.");
}

static void drop_answer(struct serve_contact *c)
{
    buf_release(&c->answer);
    buf_init(&c->answer, BUNDLE_MAX);
}

static enum err make_request(struct serve_contact *c, uint64_t wait_ms, char address[200], struct why *why)
{
    const struct round_options opt = {.wait_ms = wait_ms};
    struct node *n = NULL;
    struct node_info info;
    uint8_t hash[HASH_BYTES];
    enum err e = serve_desk_enter_any(c->desk, &n, why);
    if (e != ERR_OK) return e;
    e = node_about(n, &info, why);
    if (e == ERR_OK) e = node_round_begin(n, &opt, &c->round, why);
    serve_desk_leave(c->desk);
    if (e != ERR_OK) return e;
    memcpy(address, info.hub_address, sizeof info.hub_address);
    hash_blake2b(hash, buf_bytes(&c->round.request));
    if (memcmp(hash, c->answers, sizeof hash) != 0) drop_answer(c); /* of another request */
    memcpy(c->answers, hash, sizeof hash);
    return ERR_OK;
}

static enum err travel(struct serve_contact *c, const char *address, uint64_t wait_ms, struct why *why)
{
    struct carrier_http *http = NULL;
    enum err e = carrier_http_new(&http, address, why);
    if (e == ERR_OK) {
        struct carrier via = carrier_http(http);
        carrier_http_until(http, stop_now, c);
        e = via.exchange(via.ctx, buf_bytes(&c->round.request), c->answer.len, wait_ms, take_piece, c, why);
    }
    carrier_http_free(http);
    if (e != ERR_OK && e != ERR_UNREACHABLE && e != ERR_INTERRUPTED) drop_answer(c);
    return e;
}

/* At the door: it gives way to whoever signs in. */
static bool stop_knocking(void *ctx)
{
    struct serve_contact *c = ctx;
    (void)pthread_mutex_lock(&c->lock);
    bool stop = c->stopping;
    (void)pthread_mutex_unlock(&c->lock);
    return stop || serve_desk_may_contact(c->desk);
}

static enum err post(void *ctx, const char *address, struct bytes request, struct buf *answer, struct why *why)
{
    struct carrier_http *http = NULL;
    enum err e = carrier_http_new(&http, address, why);
    if (e == ERR_OK) {
        carrier_http_until(http, stop_knocking, ctx);
        e = carrier_http_door(http, request, answer, why);
    }
    carrier_http_free(http);
    return e;
}

/* `ms` doubled for each time but the first. */
static int64_t grown(int64_t ms, unsigned times, int64_t most)
{
    for (unsigned i = 1; i < times && ms < most; i++) ms *= 2;
    return ms < most ? ms : most;
}

/* Devices that lost their hub at one moment do not come back to it at one moment. */
int64_t serve_contact_knock_ms(unsigned failures, uint32_t draw)
{
    int64_t most = failures == 0 ? KNOCK_EVERY_MS : grown(KNOCK_RETRY_MS, failures, KNOCK_EVERY_MS);
    return most / 2 + (int64_t)(draw % (uint32_t)(most / 2 + 1));
}

/* Ask for orders without a key. What keeps a wiped device unlocked opens nothing any more, and is a key all the
 * same. */
static void knock(struct serve_contact *c)
{
    const struct door_way via = {.ctx = c, .post = post};
    struct knock_result r = {0};
    struct why said = {0};
    bool was = false;
    uint32_t draw = 0;
    enum err e = node_knock(&c->env, c->home, &via, &r, &said);
    env_random(&c->env, &draw, sizeof draw);
    if (e == ERR_OK)
        c->knock_failures = 0;
    else if (e != ERR_INTERRUPTED && c->knock_failures < 32) /* by somebody who signs in */
        c->knock_failures++;
    /* A wipe that waits for the hub must not wait an hour because a line was down for a moment. */
    c->knock_ms = mono_ms() + serve_contact_knock_ms(c->knock_failures, draw);
    if (!r.wiped) return;
    (void)!node_agent_lock(c->home, &was, NULL);
    serve_desk_end(c->desk, 0, e, &said);
}

static enum err bring_in(struct serve_contact *c, enum err e, struct round_result *out, bool *out_more, struct why *why)
{
    struct node *n = NULL;
    struct why said = {0};
    enum err entered = serve_desk_enter_any(c->desk, &n, &said);
    if (entered != ERR_OK) { /* what came stays: the same request is made again, and its answer is here already */
        if (e == ERR_OK) *why = said;
        return e == ERR_OK ? entered : e;
    }
    bool whole = e == ERR_OK;
    if (whole) {
        e = node_round_end(n, &c->round, buf_bytes(&c->answer), out, out_more, why);
        drop_answer(c);
    } else {
        e = node_round_broke(n, e, why);
    }
    bool wiped = serve_desk_wiped(c->desk, why);
    serve_desk_leave(c->desk);
    if (wiped) { /* the hub has to hear it, as far as it can be reached */
        knock(c);
        return ERR_REFUSED;
    }
    if (whole && e == ERR_EXISTS) { /* another program made this round meanwhile */
        *out_more = true;
        e = ERR_OK;
    }
    return e;
}

static bool brought(const struct round_result *r)
{
    return r->rows_in + r->rows_dropped + r->applied + r->merged + r->held + r->waits + r->fault + r->conflicts_new +
               r->receipts >
           0;
}

static void set_busy(struct serve_contact *c, bool busy, bool waiting)
{
    (void)pthread_mutex_lock(&c->lock);
    c->state.busy = busy;
    c->waiting = waiting;
    (void)pthread_mutex_unlock(&c->lock);
}

/* One request and its answer. *out_more: another is to follow at once. */
static enum err one_round(struct serve_contact *c, uint64_t wait_ms, bool *out_more, struct why *why)
{
    char address[200] = "";
    struct round_result r = {0};
    *out_more = false;
    set_busy(c, wait_ms == 0, wait_ms > 0);
    enum err e = make_request(c, wait_ms, address, why);
    if (e != ERR_OK) return e;
    e = travel(c, address, wait_ms, why);
    if (e == ERR_INTERRUPTED) return e;
    set_busy(c, true, false);
    e = bring_in(c, e, &r, out_more, why);
    if (brought(&r) || r.sent > 0) {
        (void)pthread_mutex_lock(&c->lock);
        c->state.bytes_in = c->brought ? c->state.bytes_in + r.bytes_in : r.bytes_in;
        c->state.bytes_out = c->brought ? c->state.bytes_out + r.bytes_out : r.bytes_out;
        (void)pthread_mutex_unlock(&c->lock);
        c->brought = true;
        serve_desk_tell(c->desk, SERVE_SYNC, NULL);
    }
    return e;
}

/* -------------------------------------------------------------------------------------------------------- a contact */

/* How it went, for pages. */
static void tell_state(struct serve_contact *c, enum err e, const struct why *said)
{
    bool online = e == ERR_OK || e == ERR_REFUSED || e == ERR_EXISTS;
    (void)pthread_mutex_lock(&c->lock);
    bool tell = c->asked || online != c->state.online || (e != ERR_OK) != c->state.failed;
    c->state.online = online;
    c->state.failed = e != ERR_OK;
    c->state.said = *said;
    c->asked = false;
    (void)pthread_mutex_unlock(&c->lock);
    if (tell) serve_desk_tell(c->desk, SERVE_SYNC, NULL);
}

/* When the next is due. */
static void plan(struct serve_contact *c, enum err e, bool for_news, int64_t began)
{
    int64_t now = mono_ms(), next = now;
    if (e == ERR_INTERRUPTED) return; /* by what is due, or by the end */
    c->failures = e == ERR_OK ? 0 : c->failures + 1;
    c->news_ms = e != ERR_OK ? INT64_MAX : now;
    /* A hub that keeps no request waiting must not be asked without pause; one that woke for what another site gets has
     * more to say soon. */
    c->early = e == ERR_OK && for_news && !c->brought && now - began < PARKED_MS ? c->early + 1 : 0;
    if (c->early > 0) c->news_ms = now + grown(EARLY_MS, c->early, EVERY_MS);
    if (e == ERR_OK) return;
    next += grown(RETRY_MS, c->failures, RETRY_MAX_MS);
    (void)pthread_mutex_lock(&c->lock);
    if (next < c->work_ms) c->work_ms = next;
    (void)pthread_mutex_unlock(&c->lock);
}

static bool is_due(struct serve_contact *c)
{
    (void)pthread_mutex_lock(&c->lock);
    bool due = c->stopping || mono_ms() >= c->work_ms;
    (void)pthread_mutex_unlock(&c->lock);
    return due || !serve_desk_may_contact(c->desk);
}

/* After what was new came: search knows it before anybody asks. Others who want the replica meanwhile go first, and so
 * does what waits to be sent: the contact that takes it along goes on with this. */
static void fill_search(struct serve_contact *c)
{
    static const struct timespec breath = {.tv_nsec = 20000000}; /* time enough also where other programs are busy */
    struct node *n = NULL;
    bool more = true;
    while (more && !is_due(c) && serve_desk_enter_any(c->desk, &n, NULL) == ERR_OK) {
        if (search_fill(n, 0, &more, NULL) != ERR_OK)
            more = false; /* a search does what is left, and says what is wrong */
        serve_desk_leave(c->desk);
        (void)nanosleep(&breath, NULL); /* a lock is given to whoever asks first, which would be this thread */
    }
}

static void contact(struct serve_contact *c, bool for_news)
{
    struct why said = {0};
    bool more = true;
    int64_t began = mono_ms();
    enum err e = ERR_OK;
    (void)pthread_mutex_lock(&c->lock);
    if (!for_news) c->work_ms = INT64_MAX; /* what is wanted from here on is for the next */
    c->state.last_try_ms = env_now(&c->env);
    (void)pthread_mutex_unlock(&c->lock);
    c->brought = false;
    for (unsigned i = 0; e == ERR_OK && more && i < ROUNDS_MAX; i++)
        e = one_round(c, i == 0 && for_news ? WAIT_MS : 0, &more, &said);
    set_busy(c, false, false);
    if (e != ERR_INTERRUPTED && e != ERR_LOCKED) tell_state(c, trouble_plain(e, &said), &said);
    plan(c, e, for_news, began);
    if (c->brought || !for_news) fill_search(c);
}

/* What is due; waits until something is. */
enum todo { TODO_STOP, TODO_CONTACT, TODO_NEWS, TODO_KNOCK };
static enum todo wait_for_work(struct serve_contact *c)
{
    enum todo todo = TODO_STOP;
    (void)pthread_mutex_lock(&c->lock);
    while (!c->stopping) {
        bool signed_in = serve_desk_may_contact(c->desk);
        int64_t now = mono_ms(), at = !signed_in ? c->knock_ms : c->work_ms < c->news_ms ? c->work_ms : c->news_ms;
        if (now >= at) {
            todo = !signed_in ? TODO_KNOCK : now >= c->work_ms ? TODO_CONTACT : TODO_NEWS;
            break;
        }
        struct timespec t = {.tv_sec = at / 1000, .tv_nsec = at % 1000 * 1000000};
        if (at == INT64_MAX)
            (void)pthread_cond_wait(&c->changed, &c->lock);
        else
            (void)pthread_cond_timedwait(&c->changed, &c->lock, &t);
    }
    (void)pthread_mutex_unlock(&c->lock);
    return todo;
}

static void *thread_main(void *arg)
{
    struct serve_contact *c = arg;
    for (;;) {
        switch (wait_for_work(c)) {
        case TODO_STOP: return NULL;
        case TODO_KNOCK: knock(c); break;
        case TODO_NEWS: contact(c, true); break;
        case TODO_CONTACT: contact(c, false); break;
        }
    }
}

/* ------------------------------------------------------------------------------------------------------------- life */
static bool make_locks(struct serve_contact *c)
{
    pthread_condattr_t attr;
    if (pthread_mutex_init(&c->lock, NULL) != 0) return false;
    bool ok = pthread_condattr_init(&attr) == 0 && pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 &&
              pthread_cond_init(&c->changed, &attr) == 0;
    (void)pthread_condattr_destroy(&attr);
    if (!ok) (void)pthread_mutex_destroy(&c->lock);
    return ok;
}

static void free_all(struct serve_contact *c)
{
    (void)pthread_cond_destroy(&c->changed);
    (void)pthread_mutex_destroy(&c->lock);
    node_round_release(&c->round);
    buf_release(&c->answer);
    free(c);
}

enum err serve_contact_start(struct serve_contact **out, const struct env *env, const char *home,
                             struct serve_desk *desk, struct why *why)
{
    sigset_t all, before;
    struct serve_contact *c = calloc(1, sizeof *c);
    if (c == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to serve the pages.");
    if (!make_locks(c)) {
        free(c);
        return why_set(why, ERR_FAILED, "Contact with the MASH could not be started.");
    }
    c->env = *env;
    c->home = home;
    c->desk = desk;
    c->work_ms = c->news_ms = INT64_MAX;
    node_round_init(&c->round);
    buf_init(&c->answer, BUNDLE_MAX);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&c->thread, NULL, thread_main, c) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!started) {
        free_all(c);
        return why_set(why, ERR_FAILED, "Contact with the MASH could not be started.");
    }
    *out = c;
    return ERR_OK;
}

void serve_contact_stop(struct serve_contact *c)
{
    if (c == NULL) return;
    (void)pthread_mutex_lock(&c->lock);
    c->stopping = true;
    (void)pthread_cond_broadcast(&c->changed);
    (void)pthread_mutex_unlock(&c->lock);
    (void)pthread_join(c->thread, NULL);
    free_all(c);
}
