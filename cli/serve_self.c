/* What is asked of the service itself: sessions, events, contact with the hub, the stick. */
#include "cli/serve_launch.h"
#include "cli/serve_route.h"

#include "base/when.h"
#include "cli/node_agent.h"
#include "node/look.h"
#include "node/trouble.h"
#include "sync/bundle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void set_time(struct json *o, const char *key, int64_t ms)
{
    char t[WHEN_RFC3339];
    when_rfc3339(ms, t);
    json_set_str(o, key, ms != 0 ? t : NULL);
}

static void set_id(struct json *o, const char *key, const uint8_t id[16])
{
    char text[37];
    uuid_format(id, text);
    json_set_str(o, key, text);
}

/* ---------------------------------------------------------------------------------------------------------- session */
static void set_phone(struct json *o, const char *number)
{
    struct json *phone = json_object_new();
    json_set_str(phone, "label", "The MASH");
    json_set_str(phone, "number", number);
    json_set_bool(phone, "night", false);
    json_set_obj(o, "phone", phone);
}

static struct json *signed_out(const struct serve_own *o)
{
    static const char *const empty[] = {"people", "person", "site", "site_name",   "agency",       "agency_name", "hub",
                                        "areas",  "duties", "room", "lease_until", "idle_seconds", "events",      "stream"};
    struct json *out = json_object_new();
    json_set_bool(out, "signed_in", false);
    json_set_bool(out, "wall", false);
    for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++) json_set_null(out, empty[i]);
    set_time(out, "now", o->c->now);
    if (o->site->phone != NULL)
        set_phone(out, o->site->phone);
    else
        json_set_null(out, "phone");
    return out;
}

static enum err add_person(void *ctx, const struct node_person *p, struct why *why)
{
    static const uint8_t nobody[16];
    struct json *list = ctx, *o = json_object_new();
    (void)why;
    if (memcmp(p->id, nobody, sizeof nobody) == 0) {
        json_free(o);
        return ERR_OK;
    }
    set_id(o, "id", p->id);
    json_set_str(o, "name", p->name);
    json_append(list, o);
    return ERR_OK;
}

/* Texts that a question answers, one a row; its only parameter is a text or an id. */
static enum err add_areas(struct db *db, struct json *out, const char *site, struct why *why)
{
    struct stmt *s = NULL;
    struct json *list = json_array_new();
    bool row = false;
    enum err e = db_prepare(db,
                            "SELECT DISTINCT area FROM coverage WHERE site = $1 AND area <> '*' UNION SELECT"
                            " DISTINCT area FROM coverage WHERE area <> '*' AND EXISTS (SELECT 1 FROM coverage o"
                            " WHERE o.site = $1 AND o.area = '*') ORDER BY 1",
                            &s, why);
    if (e == ERR_OK) {
        db_bind_str(s, 1, site);
        while ((e = db_step(s, &row, why)) == ERR_OK && row) {
            struct bytes v = db_bytes(s, 0);
            char text[256];
            (void)snprintf(text, sizeof text, "%.*s", (int)v.n, (const char *)v.p);
            json_append_str(list, text);
        }
        db_done(s);
    }
    json_set_obj(out, "areas", list);
    return e;
}

static enum err add_duties(struct db *db, struct json *out, const uint8_t user[16], struct why *why)
{
    struct stmt *s = NULL;
    struct json *list = json_array_new();
    bool row = false;
    enum err e = db_prepare(db, "SELECT area, duty FROM duty WHERE practitioner = $1 ORDER BY area, duty", &s, why);
    if (e == ERR_OK) {
        db_bind_id(s, 1, user);
        while ((e = db_step(s, &row, why)) == ERR_OK && row) {
            struct json *o = json_object_new();
            json_set_text(o, "area", db_bytes(s, 0));
            json_set_text(o, "duty", db_bytes(s, 1));
            json_append(list, o);
        }
        db_done(s);
    }
    json_set_obj(out, "duties", list);
    return e;
}

static enum err add_names(struct db *db, struct json *out, const struct node_info *i, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e =
        db_prepare(db,
                   "SELECT coalesce((SELECT name FROM site WHERE code = $1), $1), coalesce((SELECT kind FROM site"
                   " WHERE code = $1), '') = 'mash', coalesce((SELECT name FROM agency WHERE code = $2), $2)",
                   &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, i->site);
    db_bind_str(s, 2, i->agency);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) {
        json_set_text(out, "site_name", db_bytes(s, 0));
        json_set_bool(out, "room", db_int(s, 1) != 0);
        json_set_text(out, "agency_name", db_bytes(s, 2));
    }
    db_done(s);
    return e;
}

static enum err fill_session(struct serve_own *o, struct node *n, struct json *out, struct why *why)
{
    struct node_info i;
    char stream[SERVE_NAME_CHARS];
    struct json *people = json_array_new(), *person = json_object_new(), *phone = NULL;
    enum err e = node_about(n, &i, why);
    const bool wall = serve_desk_is_wall(o->site->desk, o->session); /* which shows nobody's name */
    if (e == ERR_OK && !wall) e = node_people(n, add_person, people, why);
    json_set_obj(out, "people", people);
    if (e == ERR_OK) {
        set_id(person, "id", i.user);
        json_set_str(person, "name", wall ? NULL : i.user_name);
        json_set_str(person, "site", i.site);
    }
    json_set_obj(out, "person", person);
    if (e != ERR_OK) return e;
    json_set_str(out, "site", i.site);
    json_set_str(out, "agency", i.agency);
    json_set_str(out, "hub", i.hub_name);
    set_time(out, "lease_until", i.lease_until_ms);
    e = add_names(node_db(n), out, &i, why);
    if (e == ERR_OK) e = add_areas(node_db(n), out, i.site, why);
    if (e == ERR_OK && !wall) e = add_duties(node_db(n), out, i.user, why);
    if (e == ERR_OK) e = look_phone(n, NULL, &phone, why);
    if (e == ERR_OK && phone != NULL) json_set_obj(out, "phone", phone);
    json_set_int(out, "idle_seconds", serve_desk_idle_ms(o->site->desk) / 1000);
    json_set_int(out, "events", (int64_t)serve_desk_last_event(o->site->desk));
    serve_desk_name(o->site->desk, o->session, stream);
    json_set_str(out, "stream", stream);
    return e;
}

static enum err say_session(struct serve_own *o, struct why *why)
{
    struct node *n = NULL;
    struct json *out = signed_out(o);
    enum err e = serve_desk_enter(o->site->desk, o->session, &n, why);
    if (e == ERR_OK) {
        json_set_bool(out, "signed_in", true);
        json_set_bool(out, "wall", serve_desk_is_wall(o->site->desk, o->session));
        e = fill_session(o, n, out, why);
        serve_desk_leave(o->site->desk);
    }
    if (e == ERR_OK)
        o->c->out = out;
    else
        json_free(out);
    return e;
}

/* Whoever is signed in no more is told why, once, by the routes that need it; here it is no fault. */
static enum err get_session(struct serve_own *o, struct why *why)
{
    enum err e = o->session != 0 ? say_session(o, why) : ERR_LOCKED;
    if (e == ERR_OK || (o->session != 0 && !serve_desk_ended(o->site->desk, o->session))) return e;
    o->c->out = signed_out(o);
    return ERR_OK;
}

static void set_cookie(struct serve_own *o, const char *token, bool gone)
{
    char text[256];
    (void)snprintf(text, sizeof text, "%s=%s; Path=/; HttpOnly; SameSite=Strict%s%s", o->site->cookie, token,
                   gone ? "; Max-Age=0" : "", o->site->secure ? "; Secure" : "");
    http_reply_header(o->reply, "Set-Cookie", text);
    explicit_bzero(text, sizeof text);
}

/* People may not work here until there was contact, and whose passphrase fits may make it. The way out is another than
 * at a terminal. */
static enum err lend_for_contact(struct serve_own *o, struct keyring *ring, struct why *why)
{
    serve_desk_lend(o->site->desk, ring);
    if (o->site->contact != NULL) serve_contact_now(o->site->contact);
    return why_next(
        why, ERR_REFUSED,
        "This device now tries to reach the MASH. Connect it to a network, and sign in again in a minute. If that "
        "does not help, see that the date on this computer is right, and ring the MASH.");
}

/* A session for who owns the ring, once the replica opens with it. The ring is taken over. */
static enum err begin_session(struct serve_own *o, struct keyring *ring, struct why *why)
{
    char token[SERVE_TOKEN_CHARS];
    struct keyring again = {0};
    uint64_t before = o->session;
    enum err e = keyring_copy(&again, ring, why);
    if (e == ERR_OK) e = serve_desk_sign_in(o->site->desk, ring, token, &o->session, why);
    if (e == ERR_OK) {
        e = say_session(o, why);
        if (e == ERR_OK) {
            set_cookie(o, token, false);
            if (before != 0) serve_desk_end(o->site->desk, before, ERR_OK, NULL); /* this browser's */
            if (o->site->contact != NULL) serve_contact_now(o->site->contact);
        } else {
            serve_desk_end(o->site->desk, o->session, ERR_OK, NULL);
            if (e == ERR_REFUSED) e = lend_for_contact(o, &again, why);
        }
    }
    explicit_bzero(token, sizeof token);
    keyring_release(&again);
    keyring_release(ring);
    return e;
}

static enum err post_session(struct serve_own *o, struct why *why)
{
    struct secret pass = {0};
    struct keyring ring = {0};
    char *text = (char *)json_get_str(o->c->body, "passphrase");
    if (text == NULL || *text == '\0') return why_set(why, ERR_USAGE, "Type your passphrase.");
    enum err e = secret_take(&pass, text, strlen(text), why); /* wiped where it was */
    if (e == ERR_OK) e = node_unlock(o->site->env, o->site->home, bytes_of(pass.p, pass.n), &ring, why);
    secret_release(&pass);
    if (e == ERR_PASSPHRASE) serve_fail(o->c, e, why, (node_unlock_wait_ms(o->site->env, o->site->home) + 999) / 1000);
    return e == ERR_OK ? begin_session(o, &ring, why) : e;
}

static enum err post_launch(struct serve_own *o, struct why *why)
{
    struct keyring ring = {0};
    const char *token = json_get_str(o->c->body, "token");
    enum err e = serve_launch_take(o->site->env, o->site->home, token != NULL ? token : "", why);
    if (e == ERR_OK) e = node_agent_ring(o->site->home, true, &ring, why);
    if (e == ERR_NOTFOUND) {
        (void)why_set(why, ERR_LOCKED, "This device was locked meanwhile.");
        e = why_next(why, ERR_LOCKED, "Sign in with your passphrase.");
    }
    return e == ERR_OK ? begin_session(o, &ring, why) : e;
}

static enum err delete_session(struct serve_own *o, struct why *why)
{
    (void)why;
    serve_desk_end(o->site->desk, o->session, ERR_OK, NULL);
    set_cookie(o, "", true);
    o->c->out = signed_out(o);
    return ERR_OK;
}

/* A big screen on the wall: it may show the board and nothing else, and so it may stand there all day. */
static enum err post_wall(struct serve_own *o, struct why *why)
{
    struct node *n = NULL;
    enum err e = serve_desk_enter(o->site->desk, o->session, &n, why);
    if (e != ERR_OK) return e;
    e = serve_whose_page(o->req, n, why);
    serve_desk_leave(o->site->desk);
    if (e != ERR_OK) return e;
    serve_desk_make_wall(o->site->desk, o->session);
    return say_session(o, why);
}

static enum err post_lock(struct serve_own *o, struct why *why)
{
    struct why said = {0};
    bool was = false;
    (void)why_set(&said, ERR_LOCKED, "This device was locked.");
    (void)why_next(&said, ERR_LOCKED, "Sign in with your passphrase.");
    serve_desk_end(o->site->desk, 0, ERR_LOCKED, &said);
    set_cookie(o, "", true);
    o->c->out = signed_out(o);
    return node_agent_lock(o->site->home, &was, why);
}

/* ----------------------------------------------------------------------------------------------------------- events */
static bool is_online(const struct serve_own *o)
{
    struct serve_contact_state st = {0};
    if (o->site->contact != NULL) serve_contact_get(o->site->contact, &st);
    return st.online;
}

/* The browser's own word for where it was wins: it knows what it has seen. */
static uint64_t seen_until(const struct serve_own *o)
{
    const char *text = o->req->header[HTTP_LAST_EVENT_ID];
    if (text == NULL) text = serve_query(o->c, "after");
    char *end = NULL;
    unsigned long long n = text != NULL ? strtoull(text, &end, 10) : 0;
    return text == NULL || *text < '0' || *text > '9' || *end != '\0' ? 0 : (uint64_t)n;
}

/* Does the page that asks belong to this session? The cookie is one for all windows, and may be another's by now. */
static enum err is_own_stream(const struct serve_own *o, struct why *why)
{
    char name[SERVE_NAME_CHARS];
    const char *of = serve_query(o->c, "of");
    serve_desk_name(o->site->desk, o->session, name);
    return of == NULL || strcmp(of, name) == 0 ? ERR_OK : why_set(why, ERR_LOCKED, "Somebody has signed in here since.");
}

/* One event and its end, or none within a while: the browser comes again. The request is parked meanwhile. */
static enum err get_events(struct serve_own *o, struct why *why)
{
    enum err e = is_own_stream(o, why);
    if (e != ERR_OK) return e;
    uint64_t after = seen_until(o);
    if (after == 0 && o->req->woken && !o->req->last_chance) after = serve_desk_last_event(o->site->desk) - 1;
    buf_put_str(&o->c->raw, "retry: 250\n\n");
    size_t empty = o->c->raw.len;
    e = serve_desk_events(o->site->desk, after, is_online(o), &o->c->raw, why);
    if (e != ERR_OK) return e;
    if (o->c->raw.len == empty && !o->req->last_chance) {
        o->reply->status = 0;
        o->reply->park_ms = SERVE_WAIT_MS;
        return ERR_OK;
    }
    if (o->c->raw.len == empty) buf_put_str(&o->c->raw, ": nothing\n\n");
    o->c->type = "text/event-stream";
    return ERR_OK;
}

/* ---------------------------------------------------------------------------------------------------------- contact */
/* What went wrong; what only whoever looks after Spoke can use is apart. */
static struct json *said(const struct why *w)
{
    struct json *o = json_object_new();
    const char *detail = trouble_detail(w->next);
    size_t n = trouble_advice(w->next);
    json_set_str(o, "message", w->text);
    json_set_null(o, "next");
    if (n > 0) json_set_text(o, "next", bytes_of(w->next, n));
    json_set_str(o, "detail", detail);
    return o;
}

static enum err get_sync(struct serve_own *o, struct why *why)
{
    struct serve_contact_state st = {0};
    struct node *n = NULL;
    enum err e = serve_desk_enter(o->site->desk, o->session, &n, why);
    if (e != ERR_OK) return e;
    e = serve_whose_page(o->req, n, why);
    if (e == ERR_OK) e = look_sync(n, &o->c->out, why);
    serve_desk_leave(o->site->desk);
    if (e != ERR_OK) return e;
    if (o->site->contact != NULL) serve_contact_get(o->site->contact, &st);
    struct json *out = o->c->out;
    json_set_bool(out, "online", st.online);
    json_set_bool(out, "busy", st.busy);
    set_time(out, "last_try", st.last_try_ms);
    json_set_int(out, "bytes_in", (int64_t)st.bytes_in);
    json_set_int(out, "bytes_out", (int64_t)st.bytes_out);
    if (o->c->wall) json_set_obj(out, "outbox", json_array_new()); /* a wall shows how many, not what */
    if (st.failed && !o->c->wall)
        json_set_obj(out, "last_error", said(&st.said));
    else
        json_set_null(out, "last_error");
    return ERR_OK;
}

static enum err post_sync(struct serve_own *o, struct why *why)
{
    (void)why;
    if (o->site->contact != NULL) serve_contact_now(o->site->contact);
    o->c->out = json_object_new();
    json_set_bool(o->c->out, "asked", true);
    o->c->status = 202;
    return ERR_OK;
}

static enum err post_export(struct serve_own *o, struct why *why)
{
    struct node *n = NULL;
    enum err e = serve_desk_enter(o->site->desk, o->session, &n, why);
    if (e != ERR_OK) return e;
    buf_init(&o->c->raw, BUNDLE_MAX);
    e = serve_whose_page(o->req, n, why);
    if (e == ERR_OK) e = node_bundle_export(n, &o->c->raw, why);
    serve_desk_leave(o->site->desk);
    o->c->type = e == ERR_OK ? "application/octet-stream" : NULL;
    o->c->file_name = "to-mash.spoke";
    return e;
}

static void say_round(struct json *out, const struct round_result *r)
{
    const struct {
        const char *key;
        uint64_t n;
    } f[] = {{"rows_in", r->rows_in},
             {"rows_dropped", r->rows_dropped},
             {"sent", r->sent},
             {"applied", r->applied},
             {"merged", r->merged},
             {"held", r->held + r->waits + r->fault},
             {"conflicts_new", r->conflicts_new}};
    for (size_t i = 0; i < sizeof f / sizeof f[0]; i++) json_set_int(out, f[i].key, (int64_t)f[i].n);
}

static enum err post_import(struct serve_own *o, struct why *why)
{
    struct node *n = NULL;
    struct round_result r = {0};
    enum err e = serve_desk_enter(o->site->desk, o->session, &n, why);
    if (e != ERR_OK) return e;
    e = serve_whose_page(o->req, n, why);
    if (e == ERR_OK) e = node_bundle_import(n, o->req->body, &r, why);
    bool wiped = serve_desk_wiped(o->site->desk, why);
    serve_desk_leave(o->site->desk);
    if (wiped) return e;
    if (e == ERR_OK || r.rows_dropped > 0) serve_desk_tell(o->site->desk, SERVE_SYNC, NULL);
    if (e != ERR_OK) return e;
    o->c->out = json_object_new();
    say_round(o->c->out, &r);
    return ERR_OK;
}

const struct serve_own_route serve_own_routes[] = {
    {"GET", "/api/session", true, NULL, get_session},
    {"POST", "/api/session", true, NULL, post_session},
    {"POST", "/api/session/launch", true, NULL, post_launch},
    {"DELETE", "/api/session", false, NULL, delete_session},
    {"POST", "/api/session/wall", false, NULL, post_wall},
    {"POST", "/api/lock", false, NULL, post_lock},
    {"GET", "/api/events", false, NULL, get_events},
    {"GET", "/api/sync", false, NULL, get_sync},
    {"POST", "/api/sync", false, NULL, post_sync},
    {"POST", "/api/bundle/export", false, NULL, post_export},
    {"POST", "/api/bundle/import", false, "application/octet-stream", post_import},
    {NULL, NULL, false, NULL, NULL}};
