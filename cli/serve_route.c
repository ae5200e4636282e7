#include "cli/serve_route.h"

#include "cli/serve_once.h"
#include "sync/bundle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX    (4u << 20)  /* a record's text is 1 MiB at most, and JSON may take several bytes for one */
#define SIGN_IN_MAX (16u << 10) /* of who is not signed in */

const struct http_field serve_fields[] = {
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'none'; "
     "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Embedder-Policy", "require-corp"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {NULL, NULL}};

/* ------------------------------------------------------------------------------------------------------------ names */
enum err serve_site_name(struct serve_site *s, const char *scheme, const char *host, struct why *why)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]";
    if (*host == '\0' || strlen(host) >= sizeof s->hosts[0] || strspn(host, allowed) != strlen(host))
        return why_set(why, ERR_USAGE, "'%.60s' is no name that a browser could ask for.", host);
    size_t at = atomic_load(&s->n_names);
    if (at == SERVE_NAMES) return why_set(why, ERR_LIMIT, "There are more names than this service can have.");
    memcpy(s->hosts[at], host, strlen(host) + 1);
    (void)snprintf(s->origins[at], sizeof s->origins[0], "%s://%s", scheme, host);
    atomic_store(&s->n_names, at + 1);
    return ERR_OK;
}

static bool is_one_of(const char *v, const char *list, size_t n, size_t width)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(v, list + i * width) == 0) return true;
    return false;
}

/* DNS rebinding: a stranger's name leads here, and his page would be of one origin with what we answer. */
static bool host_is_ours(const struct serve_site *s, const struct http_request *req)
{
    const char *host = req->header[HTTP_HOST];
    return host != NULL && is_one_of(host, s->hosts[0], atomic_load(&s->n_names), sizeof s->hosts[0]);
}

static bool changes(const struct http_request *req)
{
    return strcmp(req->method, "GET") != 0 && strcmp(req->method, "HEAD") != 0;
}

/* A page of ours asks. What changes something has to say so; a browser says it of each such request. */
static bool origin_is_ours(const struct serve_site *s, const struct http_request *req)
{
    const char *origin = req->header[HTTP_ORIGIN], *site = req->header[HTTP_FETCH_SITE];
    if (site != NULL && strcmp(site, "same-origin") != 0 && (changes(req) || strcmp(site, "none") != 0)) return false;
    if (origin == NULL) return !changes(req);
    return is_one_of(origin, s->origins[0], atomic_load(&s->n_names), sizeof s->origins[0]);
}

bool serve_is_quiet(const struct http_request *req)
{
    const char *v = req->header[HTTP_SPOKE_QUIET];
    return (v != NULL && strcmp(v, "1") == 0) || strcmp(req->path, "/api/events") == 0;
}

/* The session's token in Cookie: exactly one, or none. */
static bool token_of(const struct serve_site *s, const struct http_request *req, char out[SERVE_TOKEN_CHARS])
{
    size_t n_name = strlen(s->cookie);
    bool found = false;
    for (const char *p = req->header[HTTP_COOKIE]; p != NULL && *p != '\0';) {
        p += strspn(p, " ;");
        size_t n = strcspn(p, ";");
        if (n > n_name && memcmp(p, s->cookie, n_name) == 0 && p[n_name] == '=') {
            size_t k = n - n_name - 1;
            if (found || k != SERVE_TOKEN_CHARS - 1) return false;
            memcpy(out, p + n_name + 1, k);
            out[k] = '\0';
            found = true;
        }
        p += n;
    }
    return found;
}

/* ----------------------------------------------------------------------------------------------------------- errors */
static const struct {
    enum err e;
    int status;
    const char *code;
} outcomes[] = {
    {ERR_USAGE, 400, "usage"},           {ERR_FORMAT, 400, "format"},   {ERR_LOCKED, 401, "locked"},
    {ERR_PASSPHRASE, 401, "passphrase"}, {ERR_REFUSED, 403, "refused"}, {ERR_DENIED, 403, "denied"},
    {ERR_NOTFOUND, 404, "notfound"},     {ERR_EXISTS, 409, "exists"},   {ERR_FAILED, 409, "changed"},
    {ERR_LIMIT, 413, "limit"},           {ERR_BUSY, 503, "busy"},       {ERR_UNREACHABLE, 503, "unreachable"},
};

void serve_fail(struct serve_call *c, enum err e, const struct why *why, int64_t wait_s)
{
    struct json *inner = json_object_new();
    const char *code = err_word(e);
    c->status = 500;
    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
        if (outcomes[i].e != e) continue;
        c->status = outcomes[i].status;
        code = outcomes[i].code;
    }
    json_set_str(inner, "code", code);
    json_set_str(inner, "message", why->text[0] != '\0' ? why->text : "That could not be done. Nothing was changed.");
    json_set_str(inner, "next", why->next[0] != '\0' ? why->next : NULL);
    if (wait_s >= 0) json_set_int(inner, "wait_seconds", wait_s);
    json_free(c->out);
    c->out = json_object_new();
    json_set_obj(c->out, "error", inner);
    c->type = NULL;
}

static void refuse(struct serve_call *c, int status, enum err e, const char *message, const char *next)
{
    struct why why = {0};
    (void)why_set(&why, e, "%s", message);
    if (next != NULL) (void)why_next(&why, e, "%s", next);
    serve_fail(c, e, &why, -1);
    c->status = status;
}

/* What was asked may have been done: whoever reads this looks before doing it once more. */
static void too_much(struct serve_call *c, enum err e)
{
    refuse(c, e == ERR_LIMIT ? 413 : 500, e, "This is more than this device could put together at once.",
           "Load the page again to see what stands now. If it was a list or a file, choose less of it.");
}

/* The server ends, has no room, or takes no such request: no route was asked. */
void serve_words(void *ctx, struct http_reply *reply)
{
    struct serve_call c = {0};
    (void)ctx;
    if (reply->status == 503)
        refuse(&c, 503, ERR_BUSY, "Spoke is ending on this device, or has too much to do just now. Nothing was changed.",
               "Try once more in a moment. If it happens again, start Spoke again on this device.");
    else if (reply->status < 500)
        refuse(&c, reply->status, reply->status == 413 ? ERR_LIMIT : ERR_USAGE,
               "This was not asked in a way that Spoke takes. Nothing was changed.",
               "If it was a file, choose a smaller one. Otherwise load the page again.");
    else
        too_much(&c, ERR_NOMEM);
    buf_release(&reply->body);
    buf_init(&reply->body, 4096);
    reply->type = "application/json";
    if (c.out == NULL || json_write(c.out, &reply->body, NULL) != ERR_OK) buf_release(&reply->body); /* the status alone */
    json_free(c.out);
}

/* What the call has to say, as the answer: whole, or not at all. */
static void answer(struct serve_call *c, struct http_reply *reply)
{
    char name[160];
    if (c->type != NULL && c->status == 200 && c->raw.err != ERR_OK) too_much(c, c->raw.err);
    if (c->type != NULL && c->status == 200) {
        buf_release(&reply->body);
        reply->body = c->raw;
        buf_init(&c->raw, 0);
    } else if (c->out != NULL && json_write(c->out, &reply->body, NULL) != ERR_OK) {
        too_much(c, reply->body.err == ERR_LIMIT ? ERR_LIMIT : ERR_NOMEM);
        buf_reset(&reply->body);
        enum err e = json_write(c->out, &reply->body, NULL);
        (void)e; /* then the status stands alone */
    }
    reply->status = c->status;
    reply->type = c->type != NULL ? c->type : "application/json";
    if (c->file_name == NULL || c->status != 200) return;
    (void)snprintf(name, sizeof name, "attachment; filename=\"%s\"", c->file_name);
    http_reply_header(reply, "Content-Disposition", name);
}

/* ----------------------------------------------------------------------------------------------------------- routes */
/* Does the path fit? Then c->rest is what follows a prefix, less the tail. */
static bool fits(struct serve_call *c, const struct serve_route *r, bool with_tail)
{
    const char *path = c->req->path;
    size_t n = strlen(r->path), all = strlen(path), tail = r->tail != NULL ? strlen(r->tail) : 0;
    if (r->path[n - 1] == '*') n--; /* a rest that holds a slash */
    if (r->path[n - 1] != '/') return r->tail == NULL && strcmp(path, r->path) == 0;
    if ((r->tail != NULL) != with_tail || strncmp(path, r->path, n) != 0 || all <= n + tail) return false;
    if (tail > 0 && strcmp(path + all - tail, r->tail) != 0) return false;
    if (tail > 0 && memchr(path + n, '/', all - n - tail) != NULL) return false;
    buf_reset(&c->raw);
    buf_put(&c->raw, path + n, all - n - tail);
    return true;
}

/* Those with a tail first: what follows another prefix may hold a slash. *out_other: there is one of another method. */
static const struct serve_route *find(struct serve_call *c, const struct serve_route *const *tables, bool *out_other)
{
    const char *method = changes(c->req) ? c->req->method : "GET";
    *out_other = false;
    for (int pass = 0; pass < 2; pass++)
        for (const struct serve_route *const *t = tables; *t != NULL; t++)
            for (const struct serve_route *r = *t; r->method != NULL; r++) {
                if (!fits(c, r, pass == 0)) continue;
                if (strcmp(r->method, method) == 0) return r;
                *out_other = true;
            }
    return NULL;
}

static const struct serve_own_route *find_own(const struct http_request *req, bool *out_other)
{
    const char *method = changes(req) ? req->method : "GET";
    *out_other = false;
    for (const struct serve_own_route *r = serve_own_routes; r->method != NULL; r++) {
        if (strcmp(r->path, req->path) != 0) continue;
        if (strcmp(r->method, method) == 0) return r;
        *out_other = true;
    }
    return NULL;
}

static bool ends_with(const char *text, const char *tail)
{
    size_t n = strlen(text), k = strlen(tail);
    return n >= k && strcmp(text + n - k, tail) == 0;
}

/* The type that a body has to have: none that a form of a stranger's page could send. */
static bool type_is(const struct http_request *req, const char *want)
{
    const char *got = req->header[HTTP_CONTENT_TYPE];
    size_t n = strlen(want);
    return got != NULL && strncasecmp(got, want, n) == 0 &&
           (got[n] == '\0' || strcasecmp(got + n, "; charset=utf-8") == 0 ||
            strcasecmp(got + n, ";charset=utf-8") == 0);
}

static enum err read_body(struct serve_call *c, struct json **out, struct why *why)
{
    if (!type_is(c->req, "application/json"))
        return why_set(why, ERR_DENIED, "That did not come from one of Spoke's own pages. Nothing was done.");
    if (c->req->body.n == 0) return ERR_OK;
    enum err e = json_parse(c->req->body, out, NULL);
    if (e == ERR_OK && !json_holds_object(*out)) e = ERR_FORMAT;
    return e == ERR_OK ? e : why_set(why, e, "What the page sent could not be read. Nothing was changed.");
}

/* All windows of a browser have one cookie: what stands in one that was left open would be done under the name of
 * whoever signed in since in another. So a page says whose it is. */
enum err serve_whose_page(const struct http_request *req, struct node *n, struct why *why)
{
    const char *said = req->header[HTTP_SPOKE_PERSON];
    struct node_info info;
    uint8_t id[16];
    if (said == NULL) return ERR_OK;
    enum err e = node_about(n, &info, why);
    if (e != ERR_OK || (uuid_parse(id, bytes_of_str(said)) && memcmp(id, info.user, sizeof id) == 0)) return e;
    (void)why_set(why, ERR_LOCKED, "Somebody else has signed in here since, in another window. Nothing was done.");
    return why_next(why, ERR_LOCKED, "Sign in with your passphrase.");
}

/* Within the replica, as the person who is signed in. */
static enum err run_route(struct serve_site *s, struct serve_call *c, const struct serve_route *r, uint64_t session,
                          struct why *why)
{
    struct json *body = NULL;
    enum err e = ERR_OK;
    if (strcmp(r->method, "POST") == 0) {
        if (!ends_with(c->req->path, ".csv"))
            e = read_body(c, &body, why);
        else if (!type_is(c->req, "text/csv"))
            e = why_set(why, ERR_DENIED, "That did not come from one of Spoke's own pages. Nothing was done.");
    }
    struct buf rest = c->raw; /* of fits() */
    buf_init(&c->raw, rest.max);
    c->rest = rest.len > 0 ? buf_cstr(&rest) : "";
    c->body = body;
    bool changed = false;
    if (e == ERR_OK && c->rest == NULL) e = ERR_NOMEM;
    if (e == ERR_OK) e = serve_desk_enter(s->desk, session, &c->node, why);
    if (e == ERR_OK) {
        e = serve_whose_page(c->req, c->node, why);
        if (e == ERR_OK) e = serve_once(c, r->run, why);
        changed = c->changed;
        serve_desk_leave(s->desk);
        c->node = NULL;
    }
    if (changed) {
        static const uint8_t none[16] = {0};
        serve_desk_tell(s->desk, SERVE_EDIT, memcmp(c->case_id, none, 16) != 0 ? c->case_id : NULL);
        if (s->contact != NULL) serve_contact_soon(s->contact);
    }
    c->rest = "";
    c->body = NULL;
    buf_release(&rest);
    json_free(body);
    return e;
}

/* ---------------------------------------------------------------------------------------------------------- the API */
static bool allowed(const struct serve_site *s, struct serve_call *c)
{
    if (!origin_is_ours(s, c->req))
        refuse(c, 403, ERR_DENIED, "That did not come from one of Spoke's own pages. Nothing was done.",
               "Open Spoke's page itself, and do it there.");
    else if (!serve_query_ok(c->req->query))
        refuse(c, 400, ERR_USAGE, "The page asked for something that cannot be read.", NULL);
    else
        return true;
    return false;
}

/* What a screen on the wall may ask. */
static bool on_wall(const struct http_request *req)
{
    static const char *const paths[] = {"/api/session", "/api/board", "/api/events", "/api/sync"};
    if (changes(req) && (strcmp(req->path, "/api/session") != 0 || strcmp(req->method, "DELETE") != 0)) return false;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        if (strcmp(req->path, paths[i]) == 0) return true;
    return false;
}

static void no_such(struct serve_call *c, bool other)
{
    refuse(c, other ? 405 : 404, other ? ERR_USAGE : ERR_NOTFOUND,
           other ? "That is asked in another way." : "There is nothing here.", NULL);
}

static void api(struct serve_site *s, struct serve_call *c, struct http_reply *reply)
{
    char token[SERVE_TOKEN_CHARS];
    struct why why = {0};
    uint64_t session = 0;
    bool other_own = false, other = false;
    if (!allowed(s, c)) return;
    const struct serve_own_route *own = find_own(c->req, &other_own);
    enum err e = token_of(s, c->req, token) ? serve_desk_find(s->desk, token, serve_is_quiet(c->req), &session, &why)
                                            : why_set(&why, ERR_LOCKED, "Nobody is signed in here.");
    explicit_bzero(token, sizeof token);
    if (e != ERR_OK && (own == NULL || !own->open)) {
        serve_fail(c, ERR_LOCKED, &why, -1);
        return;
    }
    const struct serve_route *route = own == NULL ? find(c, s->tables, &other) : NULL;
    c->wall = session != 0 && serve_desk_is_wall(s->desk, session);
    if (c->wall && !on_wall(c->req)) {
        refuse(c, 403, ERR_DENIED, "This screen shows the board alone.", "Sign out here, then sign in to work.");
        return;
    }
    struct serve_own o = {.site = s, .req = c->req, .reply = reply, .session = session, .c = c};
    if (own == NULL && route == NULL) {
        no_such(c, other || other_own);
        return;
    }
    why = (struct why){0};
    if (route != NULL) {
        e = run_route(s, c, route, session, &why);
    } else {
        struct json *body = NULL;
        e = ERR_OK;
        if (strcmp(own->method, "POST") == 0 && own->takes == NULL) e = read_body(c, &body, &why);
        if (own->takes != NULL && !type_is(c->req, own->takes))
            e = why_set(&why, ERR_DENIED, "That did not come from one of Spoke's own pages. Nothing was done.");
        c->body = body;
        if (e == ERR_OK) e = own->run(&o, &why);
        c->body = NULL;
        json_free(body);
    }
    /* the session ended in this very call: whoever reads 401 asks for the passphrase */
    if (e != ERR_OK && session != 0 && (e == ERR_REFUSED || e == ERR_TAMPERED || e == ERR_UNINIT) &&
        serve_desk_ended(s->desk, session))
        e = ERR_LOCKED;
    if (e != ERR_OK && c->status == 200) serve_fail(c, e, &why, -1);
}

void serve_handle(void *ctx, const struct http_request *req, struct http_reply *reply)
{
    struct serve_site *s = ctx;
    struct serve_call c;
    bool is_api = strncmp(req->path, "/api/", 5) == 0;
    serve_call_begin(&c, NULL, req, env_now(s->env));
    if (!host_is_ours(s, req)) {
        refuse(&c, 403, ERR_DENIED, "This service is not reached by that name.",
               "Use the address that 'spoke open' shows.");
    } else if (!serve_path_ok(req->target)) {
        refuse(&c, 400, ERR_USAGE, "There is no such address.", NULL);
    } else if (is_api) {
        api(s, &c, reply);
    } else if (changes(req)) {
        no_such(&c, true);
    } else {
        serve_file(s->assets, req, reply);
        serve_call_end(&c);
        return;
    }
    if (reply->status == 0 && reply->park_ms == 0) answer(&c, reply);
    serve_call_end(&c);
}

size_t serve_room(void *ctx, const struct http_request *req)
{
    struct serve_site *s = ctx;
    char token[SERVE_TOKEN_CHARS];
    uint64_t session = 0;
    bool known = host_is_ours(s, req) && origin_is_ours(s, req) && token_of(s, req, token) &&
                 serve_desk_find(s->desk, token, true, &session, NULL) == ERR_OK;
    explicit_bzero(token, sizeof token);
    if (!known) return SIGN_IN_MAX;
    return strcmp(req->path, "/api/bundle/import") == 0 ? BUNDLE_MAX : BODY_MAX;
}
