#include "cli/hub_route.h"

#include "base/json.h"
#include "sync/bundle.h"

#include <string.h>

#define OCTETS       "application/octet-stream"
#define RETRY_AFTER  "5" /* seconds (RFC 9110 §10.2.3) */
#define POLICY_CASES 20 /* put under a coming policy with each exchange */

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
}

static void post_door(struct hub_route *r, const struct http_request *req, struct http_reply *reply)
{
    struct why why = {0};
    struct buf out;
    buf_init(&out, 1u << 20);
    enum err e = hub_door(r->hub, req->body, &out, &why);
    answer(reply, e, &why, &out);
}

/* A policy that was left half way goes on whenever a device comes: a few cases, which keep the next one waiting for no more
 * than a moment. Devices that are parked come again when rows moved by it, and so it goes on by itself. */
static void continue_policy(struct hub_route *r, struct httpd *server)
{
    struct why why = {0};
    bool done = false;
    if (!hub_policy_is_coming(r->hub)) return;
    enum err e = hub_policy_continue(r->hub, POLICY_CASES, &done, &why);
    if (e == ERR_OK && server != NULL) httpd_wake(server);
    if (e != ERR_OK && r->log != NULL)
        fprintf(r->log, "time=%lld policy=stopped error=%s\n", (long long)(env_now(r->env) / 1000), err_word(e));
}

static void post_exchange(struct hub_route *r, const struct http_request *req, struct http_reply *reply)
{
    struct why why = {0};
    struct hub_exchange_result result = {0};
    struct buf out;
    buf_init(&out, BUNDLE_MAX);
    /* The sealed request says how long its maker would wait; but it is sent again byte for byte by a device that may
     * not wait now, and would give up before it is answered: so the sender has to say so too. */
    bool may_park = req->wait_s > 0 && !req->last_chance;
    continue_policy(r, atomic_load(&r->server));
    enum err e = hub_exchange(r->hub, req->body, may_park, &out, &result, &why);
    struct httpd *server = atomic_load(&r->server);
    if (e == ERR_OK && result.moved && server != NULL) httpd_wake(server);
    if (e == ERR_OK && result.parked) {
        buf_release(&out);
        reply->status = 0;
        int64_t now_ms = (int64_t)req->wait_s * 1000;
        reply->park_ms = result.park_ms < now_ms ? result.park_ms : now_ms;
        if (reply->park_ms <= 0) reply->park_ms = 1;
        return;
    }
    answer(reply, e, &why, &out);
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

/* The path is not logged: a stranger may write anything there. The key id is the one the bundle claims. */
static void log_line(const struct hub_route *r, const struct route *route, const struct http_request *req,
                     const struct http_reply *reply, int64_t began)
{
    struct seal_header h;
    char kid[9] = "-";
    if (r->log == NULL || reply->status == 0) return;
    if (req->body.n > 0 && seal_peek(req->body, &h, NULL) == ERR_OK) hex_encode(kid, h.sender, 4);
    int64_t now = env_now(r->env);
    struct json *body = NULL;
    if (reply->status >= 400 && json_parse(buf_bytes(&reply->body), &body, NULL) != ERR_OK) body = NULL;
    const char *error = json_get_str(json_get(body, "error"), "code");
    fprintf(r->log, "time=%lld.%03d route=%s status=%d in=%zu out=%zu ms=%lld node=%s%s%s\n", (long long)(now / 1000),
            (int)(now % 1000), route != NULL ? route->name : "none", reply->status, req->body.n, reply->body.len,
            (long long)(now - began), kid, error != NULL ? " error=" : "", error != NULL ? error : "");
    json_free(body);
}

/* A command beside the server may have the store. */
static void in_turn(struct hub_route *r, const struct route *route, const struct http_request *req,
                    struct http_reply *reply)
{
    if (r->turn != NULL && !hub_turn_enter(r->turn)) {
        fail(reply, 503, err_word(ERR_BUSY), "Somebody is at work with the hub's store just now. Nothing was changed.");
        http_reply_header(reply, "Retry-After", RETRY_AFTER);
        return;
    }
    route->run(r, req, reply);
    if (r->turn != NULL) hub_turn_leave(r->turn);
}

void hub_route(void *ctx, const struct http_request *req, struct http_reply *reply)
{
    struct hub_route *r = ctx;
    int64_t began = env_now(r->env);
    bool method_ok = false;
    const struct route *route = find(req, &method_ok);
    if (route == NULL)
        fail(reply, 404, err_word(ERR_NOTFOUND), "There is nothing here. A Spoke device finds its way by itself.");
    else if (!method_ok)
        fail(reply, 405, err_word(ERR_USAGE), "That is asked in another way.");
    else if (route->hub)
        in_turn(r, route, req, reply);
    else
        route->run(r, req, reply);
    log_line(r, route, req, reply, began);
}
