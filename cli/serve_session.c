/* Who is signed in, and what pages are told. Everything here is short and under desk.lock. */
#include "cli/serve_desk_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SLEPT_MS 3000 /* as node/agent.c */

static void lock(struct serve_desk *d)
{
    (void)pthread_mutex_lock(&d->lock);
}

static void unlock(struct serve_desk *d)
{
    (void)pthread_mutex_unlock(&d->lock);
}

static uint8_t *token_of(struct serve_desk *d, const struct session *s)
{
    return d->tokens.p + (size_t)(s - d->sessions) * TOKEN_BYTES;
}

struct session *desk_session(struct serve_desk *d, uint64_t serial)
{
    for (size_t i = 0; serial != 0 && i < SERVE_SESSIONS; i++)
        if (d->sessions[i].serial == serial) return &d->sessions[i];
    return NULL;
}

static void end_one(struct serve_desk *d, struct session *s, enum err e, const struct why *said)
{
    keyring_release(&s->ring);
    s->live = false;
    s->used_ms = desk_clock(d).boot_ms;
    s->over = e;
    s->said = said != NULL ? *said : (struct why){0};
}

static void forget(struct serve_desk *d, struct session *s)
{
    keyring_release(&s->ring);
    secret_wipe(token_of(d, s), TOKEN_BYTES);
    *s = (struct session){0};
}

/* An empty place, else that of one that has ended, else of one who was not at work for longest. */
static struct session *place_for(struct serve_desk *d)
{
    struct session *best = &d->sessions[0];
    for (size_t i = 1; i < SERVE_SESSIONS; i++) {
        struct session *s = &d->sessions[i];
        int a = s->serial == 0 ? 0 : s->live ? 2 : 1, b = best->serial == 0 ? 0 : best->live ? 2 : 1;
        if (a < b || (a == b && s->used_ms < best->used_ms)) best = s;
    }
    return best;
}

enum err serve_desk_sign_in(struct serve_desk *d, struct keyring *ring, char out_token[SERVE_TOKEN_CHARS],
                            uint64_t *out_session, struct why *why)
{
    uint8_t name[(SERVE_NAME_CHARS - 1) / 2];
    if (ring->keys.p == NULL) return why_set(why, ERR_LOCKED, "There is nothing that opens this device.");
    lock(d);
    struct session *s = place_for(d);
    forget(d, s);
    s->serial = ++d->last_serial;
    s->live = true;
    s->ring = *ring;
    *ring = (struct keyring){0};
    s->used_ms = desk_clock(d).boot_ms;
    env_random(&d->env, token_of(d, s), TOKEN_BYTES);
    hex_encode(out_token, token_of(d, s), TOKEN_BYTES);
    env_random(&d->env, name, sizeof name);
    hex_encode(s->name, name, sizeof name);
    *out_session = s->serial;
    unlock(d);
    if (d->alarm != NULL) d->alarm(d->alarm_ctx);
    return ERR_OK;
}

enum err serve_desk_find(struct serve_desk *d, const char *token, bool quiet, uint64_t *out_session, struct why *why)
{
    uint8_t given[TOKEN_BYTES];
    struct session *found = NULL;
    enum err e = ERR_LOCKED;
    if (!hex_decode(given, sizeof given, token, strlen(token)))
        return why_set(why, ERR_LOCKED, "Nobody is signed in here.");
    (void)desk_end_due(d, desk_clock(d)); /* no call comes too late for that */
    lock(d);
    for (size_t i = 0; i < SERVE_SESSIONS; i++) { /* all of them, whichever it is */
        bool same = secret_equal(given, d->tokens.p + i * TOKEN_BYTES, TOKEN_BYTES);
        if (same && d->sessions[i].serial != 0) found = &d->sessions[i];
    }
    if (found != NULL && found->live) {
        if (!quiet) found->used_ms = desk_clock(d).boot_ms;
        *out_session = found->serial;
        e = ERR_OK;
    } else if (found != NULL) {
        e = found->over;
        if (why != NULL) *why = found->said;
    } else {
        (void)why_set(why, e, "Nobody is signed in here.");
        (void)why_next(why, e, "Sign in with your passphrase.");
    }
    unlock(d);
    secret_wipe(given, sizeof given);
    return e;
}

/* Who waits for an event with an ended session is answered then; for the others one person's going is none. */
static void wake(struct serve_desk *d)
{
    if (d->wake != NULL) d->wake(d->wake_ctx);
}

/* One, or all (0), and what was lent. The lock is held. Was there any? */
static bool end_live(struct serve_desk *d, uint64_t session, enum err e, const struct why *said)
{
    bool any = false;
    for (size_t i = 0; i < SERVE_SESSIONS; i++) {
        struct session *s = &d->sessions[i];
        if (s->serial == 0 || !s->live || (session != 0 && s->serial != session)) continue;
        any = true;
        if (said != NULL)
            end_one(d, s, e, said);
        else
            forget(d, s);
    }
    if (session == 0) keyring_release(&d->lent);
    return any;
}

void serve_desk_end(struct serve_desk *d, uint64_t session, enum err e, const struct why *said)
{
    lock(d);
    bool any = end_live(d, session, e, said);
    unlock(d);
    if (any && session == 0) serve_desk_tell(d, SERVE_LOCKED, NULL);
    if (any && session != 0) wake(d);
}

bool serve_desk_ended(struct serve_desk *d, uint64_t session)
{
    lock(d);
    const struct session *s = desk_session(d, session);
    bool ended = s == NULL || !s->live;
    unlock(d);
    return ended;
}

void serve_desk_name(struct serve_desk *d, uint64_t session, char out[SERVE_NAME_CHARS])
{
    lock(d);
    const struct session *s = desk_session(d, session);
    memcpy(out, s != NULL && s->live ? s->name : (char[SERVE_NAME_CHARS]){0}, SERVE_NAME_CHARS);
    unlock(d);
}

int64_t serve_desk_idle_ms(const struct serve_desk *d)
{
    return d->idle_ms;
}

void serve_desk_make_wall(struct serve_desk *d, uint64_t session)
{
    lock(d);
    struct session *s = desk_session(d, session);
    if (s != NULL && s->live) s->wall = true;
    unlock(d);
}

bool serve_desk_is_wall(struct serve_desk *d, uint64_t session)
{
    lock(d);
    const struct session *s = desk_session(d, session);
    bool wall = s != NULL && s->wall;
    unlock(d);
    return wall;
}

size_t serve_desk_count(struct serve_desk *d)
{
    size_t n = 0;
    lock(d);
    for (size_t i = 0; i < SERVE_SESSIONS; i++) n += d->sessions[i].serial != 0 && d->sessions[i].live;
    unlock(d);
    return n;
}

static bool end_who_slept(struct serve_desk *d, struct agent_clock now)
{
    struct why said = {0};
    (void)why_set(&said, ERR_LOCKED, "This computer slept, so everybody was signed out.");
    (void)why_next(&said, ERR_LOCKED, "Sign in with your passphrase.");
    lock(d);
    int64_t behind = now.boot_ms - now.mono_ms;
    bool slept = behind - d->behind_ms > SLEPT_MS;
    bool any = slept && end_live(d, 0, ERR_LOCKED, &said);
    if (slept) d->behind_ms = behind;
    unlock(d);
    return any;
}

int64_t desk_end_due(struct serve_desk *d, struct agent_clock now)
{
    struct why said = {0};
    int64_t next = INT64_MAX;
    bool any = false;
    (void)why_set(&said, ERR_LOCKED, "Nobody was at work here for a while, so you were signed out.");
    (void)why_next(&said, ERR_LOCKED, "Sign in with your passphrase.");
    if (end_who_slept(d, now)) serve_desk_tell(d, SERVE_LOCKED, NULL);
    lock(d);
    for (size_t i = 0; i < SERVE_SESSIONS; i++) {
        struct session *s = &d->sessions[i];
        if (s->serial == 0 || !s->live || s->wall) continue;
        int64_t left = s->used_ms + d->idle_ms - now.boot_ms;
        if (left <= 0) {
            end_one(d, s, ERR_LOCKED, &said);
            any = true;
        } else if (left < next) {
            next = left;
        }
    }
    unlock(d);
    if (any) wake(d);
    return next;
}

/* -------------------------------------------------------------------------------------------------------- events */
void serve_desk_tell(struct serve_desk *d, enum serve_reason reason, const uint8_t *case_id)
{
    lock(d);
    struct event *v = &d->events[d->n_events++ % EVENTS];
    *v = (struct event){.id = ++d->last_event, .reason = reason, .has_case = case_id != NULL};
    if (case_id != NULL) memcpy(v->case_id, case_id, 16);
    unlock(d);
    wake(d);
}

uint64_t serve_desk_last_event(struct serve_desk *d)
{
    lock(d);
    uint64_t last = d->last_event;
    unlock(d);
    return last;
}

static enum err put_event(const struct event *v, bool online, struct buf *out, struct why *why)
{
    static const char *const reasons[] = {[SERVE_SYNC] = "sync", [SERVE_EDIT] = "edit", [SERVE_LOCKED] = "locked"};
    char text[37];
    struct json *o = json_object_new(), *cases = json_array_new();
    json_set_str(o, "reason", reasons[v->reason]);
    json_set_bool(o, "online", online);
    if (v->has_case) {
        uuid_format(v->case_id, text);
        json_append_str(cases, text);
    }
    json_set_obj(o, "cases", cases);
    buf_printf(out, "event: change\nid: %" PRIu64 "\ndata: ", v->id);
    enum err e = json_write(o, out, why);
    buf_put_str(out, "\n\n");
    json_free(o);
    return e == ERR_OK && out->err != ERR_OK ? why_set(why, out->err, "There is not enough memory.") : e;
}

enum err serve_desk_events(struct serve_desk *d, uint64_t after, bool online, struct buf *out, struct why *why)
{
    struct event list[EVENTS];
    size_t n = 0;
    lock(d);
    size_t kept = d->n_events < EVENTS ? d->n_events : EVENTS;
    uint64_t last = d->last_event;
    for (size_t i = d->n_events - kept; after != 0 && i < d->n_events; i++)
        if (d->events[i % EVENTS].id > after) list[n++] = d->events[i % EVENTS];
    unlock(d);
    /* of before a restart, or so long ago that it is not known what came since: anything may have changed */
    if (after > last || (after != 0 && after + n < last))
        return put_event(&(struct event){.id = last, .reason = SERVE_SYNC}, online, out, why);
    enum err e = ERR_OK;
    for (size_t i = 0; i < n && e == ERR_OK; i++) e = put_event(&list[i], online, out, why);
    return e;
}
