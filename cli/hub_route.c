#include "cli/hub_route.h"

#include "base/json.h"
#include "hub/retention.h"
#include "sync/bundle.h"

#include <string.h>
#include <time.h>

#define OCTETS       "application/octet-stream"
#define RETRY_AFTER  "5" /* seconds (RFC 9110 §10.2.3) */
#define POLICY_CASES 20 /* put under a coming policy with each exchange */
#define RETENTION_CASES 20 /* closed cases looked at with an exchange */
#define RETENTION_US    ((int64_t)60 * 1000000)

static int64_t mono_us(void)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int status_of(enum err e)
{
    switch (e) {
    case ERR_OK: return 200;
    case ERR_REFUSED:
    case ERR_DENIED: return 403;
    case ERR_FORMAT:
    case ERR_TAMPERED:
    case ERR_LIMIT:
    case ERR_VERSION: return 400;
    case ERR_NOTFOUND: return 404;
    case ERR_EXISTS: return 409; /* answered before, and newer ones since: no refusal */
    case ERR_FULL:
    case ERR_IO:
    case ERR_BUSY:
    case ERR_UNREACHABLE: /* the database, of a hub that has its store in one */
    case ERR_NOMEM: return 503;
    default: return 500;
    }
}

static void fail(struct http_reply *reply, int status, const char *code, const char *message)
{
    struct json *outer = json_object_new(), *inner = json_object_new();
    buf_release(&reply->body);
    buf_init(&reply->body, 4096);
    json_set_str(inner, "code", code);
    json_set_str(inner, "message", message);
    json_set_obj(outer, "error", inner);
    reply->status = status;
    reply->park_ms = 0;
    reply->type = "application/json";
    if (json_write(outer, &reply->body, NULL) != ERR_OK)
        buf_release(&reply->body); /* no memory even for that: the status says enough */
    json_free(outer);
}

/* Hand `out` over as the body, or say why not. */
static void answer(struct http_reply *reply, enum err e, const struct why *why, struct buf *out)
{
    if (e == ERR_OK && out->err != ERR_OK) e = out->err;
    if (e != ERR_OK) {
        buf_release(out);
        fail(reply, status_of(e), err_word(e), why->text[0] != '\0' ? why->text : "The request could not be answered.");
        if (reply->status == 503) http_reply_header(reply, "Retry-After", RETRY_AFTER);
        return;
    }
    buf_release(&reply->body);
    reply->body = *out;
    reply->status = 200;
    reply->type = OCTETS;
}

static void get_hub(struct hub_route *r, const struct http_request *req, struct http_reply *reply)
{
    uint8_t public[PUBLIC_BYTES];
    struct why why = {0};
    struct buf out;
    (void)req;
    buf_init(&out, 4096);
    identity_to_bytes(hub_identity(r->hub), public);
    buf_put(&out, public, sizeof public);
    buf_put_str(&out, hub_name(r->hub));
    answer(reply, ERR_OK, &why, &out);
}

static void get_health(struct hub_route *r, const struct http_request *req, struct http_reply *reply)
{
    (void)r, (void)req;
    buf_put_str(&reply->body, "ok\n");
    reply->status = 200;
    reply->type = "text/plain; charset=utf-8";
}

static void post_enrol(struct hub_route *r, const struct http_request *req, struct http_reply *reply)
{
    struct why why = {0};
    struct buf out;
    buf_init(&out, BUNDLE_MAX);
    enum err e = hub_enrol(r->hub, req->body, &out, &why);
    answer(reply, e, &why, &out);
    /* For the words on the device alone: that it gets nothing is the hub's doing. */
    if (e == ERR_OK && reply->status == 200 && hub_enrol_waits(r->hub)) http_reply_header(reply, "Spoke-Enrolment", "waiting");
}

static void post_door(struct hub_route *r, const struct http_request *req, struct http_reply *reply)
{
    struct why why = {0};
    struct buf out;
    buf_init(&out, 1u << 20);
    enum err e = hub_door(r->hub, req->body, &out, &why);
    answer(reply, e, &why, &out);
}

/* A policy that was left half way goes on whenever a device comes: a few cases, which keep the next one waiting for no
 * more than a moment. Devices that are parked come again when rows moved by it, and so it goes on by itself. */
static void continue_policy(struct hub_route *r, struct httpd *server)
{
    struct why why = {0};
    bool done = false;
    if (!hub_policy_is_coming(r->hub)) return;
    enum err e = hub_policy_continue(r->hub, POLICY_CASES, &done, &why);
    if (e == ERR_OK && server != NULL) httpd_wake(server);
    if (e == ERR_OK) return;
    struct logline l;
    logline_begin(&l, r->log, r->log_format, r->env, "warning", "policy");
    logline_str(&l, "policy", "stopped");
    logline_str(&l, "error", err_word(e));
    logline_end(&l);
}

/* What is due of closed cases, and old cuts, a few at a time: once a minute, and with each exchange while there is
 * more. */
static void continue_retention(struct hub_route *r, struct httpd *server)
{
    struct why why = {0};
    int64_t now = mono_us();
    size_t cases = 0;
    bool done = false;
    if (r->retention_us != 0 && now - r->retention_us < RETENTION_US) return;
    r->retention_us = now;
    enum err e = hub_retention_continue(r->hub, RETENTION_CASES, &cases, &done, &why);
    if (e == ERR_OK && done) e = hub_cuts_continue(r->hub, &done, &why);
    if (e == ERR_OK && !done) r->retention_us = 0;
    if (cases > 0 && server != NULL) httpd_wake(server);
    if (e == ERR_OK) return;
    struct logline l;
    logline_begin(&l, r->log, r->log_format, r->env, "warning", "retention");
    logline_str(&l, "retention", "stopped");
    logline_str(&l, "error", err_word(e));
    logline_end(&l);
}

bool hub_route_concerns(void *ctx, const int64_t keep[HTTP_KEEP])
{
    struct hub_route *r = ctx;
    const struct hub_waiting w = {keep[0], keep[1], keep[2], keep[3]};
    bool news = true;
    if (r->turn != NULL && !hub_turn_enter(r->turn)) return true; /* it will be told to come again */
    if (r->turn == NULL) (void)pthread_mutex_lock(&r->one);
    if (hub_policy_is_coming(r->hub) || hub_waiting_news(r->hub, &w, &news, NULL) != ERR_OK) news = true;
    if (r->turn == NULL) (void)pthread_mutex_unlock(&r->one);
    if (r->turn != NULL) hub_turn_leave(r->turn);
    return news;
}

static void park(const struct http_request *req, const struct hub_exchange_result *result, struct http_reply *reply)
{
    const struct hub_waiting *w = &result->waiting;
    const int64_t keep[HTTP_KEEP] = {w->node_no, w->request, w->version, w->acts};
    int64_t ms = (int64_t)req->wait_s * 1000;
    memcpy(reply->keep, keep, sizeof reply->keep);
    reply->park_who = (uint64_t)w->node_no;
    reply->status = 0;
    reply->park_ms = result->park_ms < ms ? result->park_ms : ms;
    if (reply->park_ms <= 0) reply->park_ms = 1;
}

/* The sealed request says how long its maker would wait; but it is sent again byte for byte by a device that may not
 * wait now, and would give up before it is answered: so the sender has to say so too. */
static bool may_park(const struct http_request *req)
{
    return req->wait_s > 0 && !req->last_chance;
}

/* What became of one exchange, once it is committed. */
static void exchanged(struct hub_route *r, const struct http_request *req, struct http_reply *reply, struct hub_asked *a)
{
    struct httpd *server = atomic_load(&r->server);
    if (a->e == ERR_OK && a->result.moved && server != NULL) httpd_wake(server);
    if (a->e == ERR_OK) hub_count_verdicts(r->count, &a->result);
    if (a->e == ERR_OK && a->result.parked) {
        buf_release(a->out);
        park(req, &a->result, reply);
        return;
    }
    answer(reply, a->e, &a->why, a->out);
}

static void post_exchange(struct hub_route *r, const struct http_request *req, struct http_reply *reply)
{
    struct buf out;
    struct hub_asked a = {.request = req->body, .may_park = may_park(req), .out = &out};
    buf_init(&out, BUNDLE_MAX);
    continue_policy(r, atomic_load(&r->server));
    continue_retention(r, atomic_load(&r->server));
    a.e = hub_exchange(r->hub, a.request, a.may_park, &out, &a.result, &a.why);
    exchanged(r, req, reply, &a);
}

static void get_answer(struct hub_route *r, const struct http_request *req, struct http_reply *reply)
{
    uint8_t hash[32];
    const char *hex = strrchr(req->path, '/') + 1;
    struct why why = {0};
    struct buf out;
    if (!hex_decode(hash, sizeof hash, hex, strlen(hex))) {
        fail(reply, 404, err_word(ERR_NOTFOUND), "There is no such answer.");
        return;
    }
    buf_init(&out, BUNDLE_MAX);
    enum err e = hub_answer_again(r->hub, hash, &out, &why);
    if (e == ERR_OK && req->range_from >= out.len && req->range_from > 0) {
        buf_release(&out);
        fail(reply, 416, err_word(ERR_USAGE), "The answer is not that long.");
        return;
    }
    answer(reply, e, &why, &out);
    if (e != ERR_OK || req->range_from == 0 || reply->status != 200) return;
    size_t from = (size_t)req->range_from;
    memmove(reply->body.data, reply->body.data + from, reply->body.len - from);
    reply->body.len -= from;
    reply->status = 206;
}

struct route {
    const char *name, *method, *path;
    bool prefix; /* path is how it begins */
    bool hub;    /* it asks the hub */
    void (*run)(struct hub_route *r, const struct http_request *req, struct http_reply *reply);
};
static const struct route routes[] = {
    {"hub", "GET", "/v1/hub", false, true, get_hub},
    {"enrol", "POST", "/v1/enrol", false, true, post_enrol},
    {"exchange", "POST", "/v1/exchange", false, true, post_exchange},
    {"door", "POST", "/v1/door", false, true, post_door},
    {"answer", "GET", "/v1/answer/", true, true, get_answer},
    {"health", "GET", "/healthz", false, false, get_health},
};

/* The route of a path; *out_method_ok: and of the method. */
static const struct route *find(const struct http_request *req, bool *out_method_ok)
{
    *out_method_ok = false;
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        const struct route *r = &routes[i];
        if (r->prefix ? strncmp(req->path, r->path, strlen(r->path)) != 0 : strcmp(req->path, r->path) != 0) continue;
        *out_method_ok = strcmp(req->method, r->method) == 0;
        return r;
    }
    return NULL;
}

/* The path is not logged: a stranger may write anything there. The device is the one that the bundle claims to be
 * of. */
static void log_line(const struct hub_route *r, const struct http_request *req, const struct hub_counted *c)
{
    struct seal_header h;
    struct logline l;
    if (r->log == NULL || c->status == 0) return;
    logline_begin(&l, r->log, r->log_format, r->env, c->status < 500 ? "info" : "error", "request");
    logline_str(&l, "route", c->kind);
    logline_int(&l, "status", c->status);
    logline_int(&l, "in", (int64_t)c->in);
    logline_int(&l, "out", (int64_t)c->out);
    logline_int(&l, "ms", c->us / 1000);
    if (req->body.n > 0 && seal_peek(req->body, &h, NULL) == ERR_OK) logline_id(&l, "node", h.sender);
    if (c->error != NULL) logline_str(&l, "error", c->error);
    logline_end(&l);
}

/* Once for the log and for who counts. */
static void note(struct hub_route *r, const struct route *route, const struct http_request *req,
                 const struct http_reply *reply, int64_t began)
{
    struct json *body = NULL;
    struct hub_counted c = {.kind = route != NULL ? route->name : "none",
                            .status = reply->status,
                            .in = req->body.n,
                            .out = reply->body.len,
                            .us = mono_us() - began};
    if (reply->status >= 400 && json_parse(buf_bytes(&reply->body), &body, NULL) != ERR_OK) body = NULL;
    c.error = json_get_str(json_get(body, "error"), "code");
    log_line(r, req, &c);
    if (reply->status < 500) c.error = NULL;
    hub_count_request(r->count, &c);
    json_free(body);
}

/* The device that a sealed request claims to be of; zeros: none that can be read. */
static void claimed(const struct http_request *req, uint8_t kid[KID_BYTES])
{
    struct seal_header h;
    memset(kid, 0, KID_BYTES);
    if (seal_peek(req->body, &h, NULL) == ERR_OK) memcpy(kid, h.sender, KID_BYTES);
}

/* Before anything is opened, and before the store is asked for. What was parked passed already. */
static bool within_limits(struct hub_route *r, const struct route *route, const struct http_request *req, struct http_reply *reply)
{
    uint8_t kid[KID_BYTES];
    unsigned wait_s = 1;
    char text[16];
    if (r->limit == NULL || req->woken || req->left) return true;
    if (route->run == post_enrol) {
        if (hub_limit_enrol(r->limit, &wait_s)) return true;
    } else if (route->run == post_door) {
        if (hub_limit_door(r->limit, &wait_s)) return true;
    } else if (route->run == post_exchange) {
        claimed(req, kid);
        if (hub_limit_device(r->limit, kid, &wait_s)) return true;
    } else {
        return true;
    }
    (void)snprintf(text, sizeof text, "%u", wait_s);
    fail(reply, 503, err_word(ERR_BUSY), "Too many requests. Nothing was changed. A device tries again by itself.");
    http_reply_header(reply, "Retry-After", text);
    return false;
}

/* 403 and 400: whoever it was did not prove himself. A device that waits for approval is known, and so is one that came
 * late; what went wrong here (5xx) is nobody's fault. */
static void was(struct hub_route *r, const struct route *route, const struct http_request *req, const struct http_reply *reply)
{
    uint8_t kid[KID_BYTES];
    struct json *body = NULL;
    bool good = reply->status == 200 || reply->status == 0, bad = reply->status == 400 || reply->status == 403;
    if (r->limit == NULL || req->woken || (!good && !bad)) return;
    if (bad && json_parse(buf_bytes(&reply->body), &body, NULL) != ERR_OK) body = NULL;
    const char *code = json_get_str(json_get(body, "error"), "code");
    bool waits = code != NULL && strcmp(code, err_word(ERR_DENIED)) == 0;
    json_free(body);
    if (waits) return;
    if (route->run == post_enrol) hub_limit_enrol_was(r->limit, good && !hub_enrol_again(r->hub));
    if (route->run == post_door) hub_limit_door_was(r->limit, good);
    if (route->run != post_exchange) return;
    claimed(req, kid);
    hub_limit_was(r->limit, kid, good);
}

/* A command beside the server may have the store. */
static bool enter(struct hub_route *r)
{
    if (r->turn != NULL) return hub_turn_enter(r->turn);
    (void)pthread_mutex_lock(&r->one);
    return true;
}

static void leave(struct hub_route *r)
{
    bool moved = hub_has_moved(r->hub);
    if (r->turn == NULL) (void)pthread_mutex_unlock(&r->one);
    if (r->turn != NULL) hub_turn_leave(r->turn);
    if (moved && r->lost != NULL) r->lost(r); /* to another place: this process has nothing to serve any more */
}

static void not_now(struct http_reply *reply)
{
    fail(reply, 503, err_word(ERR_BUSY), "Somebody is at work with the hub's store just now. Nothing was changed.");
    http_reply_header(reply, "Retry-After", RETRY_AFTER);
}

static void in_turn(struct hub_route *r, const struct route *route, const struct http_request *req,
                    struct http_reply *reply)
{
    if (!enter(r)) {
        not_now(reply);
        return;
    }
    route->run(r, req, reply);
    was(r, route, req, reply);
    leave(r);
}

bool hub_route_borrow(struct hub_route *r, int64_t wait_ms)
{
    struct timespec until = {0};
    if (r->turn != NULL) return hub_turn_try(r->turn, wait_ms);
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(wait_ms / 1000);
    until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    return pthread_mutex_clocklock(&r->one, CLOCK_MONOTONIC, &until) == 0;
}

void hub_route_return(struct hub_route *r)
{
    if (r->turn != NULL)
        hub_turn_put_back(r->turn);
    else
        (void)pthread_mutex_unlock(&r->one);
}

void hub_route(void *ctx, const struct http_request *req, struct http_reply *reply)
{
    struct hub_route *r = ctx;
    int64_t began = mono_us();
    bool method_ok = false;
    const struct route *route = find(req, &method_ok);
    if (route == NULL)
        fail(reply, 404, err_word(ERR_NOTFOUND), "There is nothing here. A Spoke device finds its way by itself.");
    else if (!method_ok)
        fail(reply, 405, err_word(ERR_USAGE), "That is asked in another way.");
    else if (!within_limits(r, route, req, reply))
        ; /* it is told when to come again, and nothing of it was looked at */
    else if (route->hub)
        in_turn(r, route, req, reply);
    else
        route->run(r, req, reply);
    note(r, route, req, reply, began);
}

/* -------------------------------------------------------------------------------------------------- several at once */

bool hub_route_joins(void *ctx, const struct http_request *req)
{
    bool method_ok = false;
    const struct route *route = find(req, &method_ok);
    (void)ctx;
    return route != NULL && method_ok && route->run == post_exchange && req->body.n <= HUB_TOGETHER_BYTES;
}

struct together {
    struct hub_asked asked[HTTP_TOGETHER];
    struct buf out[HTTP_TOGETHER];
    struct http_turn *turn[HTTP_TOGETHER]; /* whose each is */
    size_t n;
};

/* Those that the hub takes in one commit; the others come again. */
static void exchange_together(struct hub_route *r, const struct route *route, struct together *t)
{
    continue_policy(r, atomic_load(&r->server));
    continue_retention(r, atomic_load(&r->server));
    size_t taken = hub_exchange_all(r->hub, t->asked, t->n);
    for (size_t i = 0; i < taken; i++) {
        exchanged(r, &t->turn[i]->req, &t->turn[i]->reply, &t->asked[i]);
        was(r, route, &t->turn[i]->req, &t->turn[i]->reply);
        t->turn[i]->done = true;
    }
    for (size_t i = taken; i < t->n; i++) buf_release(&t->out[i]);
}

void hub_route_together(void *ctx, struct http_turn *v, size_t n)
{
    struct hub_route *r = ctx;
    const int64_t began = mono_us();
    bool method_ok = false;
    const struct route *route = find(&v[0].req, &method_ok); /* the same for all: hub_route_joins */
    struct together t = {0};
    for (size_t i = 0; i < n && t.n < HTTP_TOGETHER; i++) {
        v[i].done = !within_limits(r, route, &v[i].req, &v[i].reply);
        if (v[i].done) continue;
        t.asked[t.n] = (struct hub_asked){.request = v[i].req.body, .may_park = may_park(&v[i].req), .out = &t.out[t.n]};
        buf_init(&t.out[t.n], BUNDLE_MAX);
        t.turn[t.n++] = &v[i];
    }
    if (t.n > 0 && enter(r)) {
        exchange_together(r, route, &t);
        leave(r);
    } else {
        for (size_t i = 0; i < t.n; i++) {
            not_now(&t.turn[i]->reply);
            t.turn[i]->done = true;
        }
    }
    for (size_t i = 0; i < n; i++)
        if (v[i].done) note(r, route, &v[i].req, &v[i].reply, began);
}
