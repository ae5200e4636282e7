/* spoke serve: the pages' service on this device. What its files share; web/API.md says what it answers.
 *
 * One process. Its threads: the one that waits for signals and the clock and opens the replica, base/httpd's, and one
 * for contact with the hub. cli/serve_desk.c holds the replica and the sessions behind one lock: the replica is open
 * for as long as somebody uses it and for a moment after, so that commands beside it find it free. */
#ifndef SPOKE_CLI_SERVE_H
#define SPOKE_CLI_SERVE_H

#include "base/httpd.h"
#include "base/json.h"
#include "node/node.h"

/* ------------------------------------------------------------------------------------------------- routes */
struct serve_call {
    struct node *node;              /* open as the person who is signed in; held for the call */
    const struct http_request *req; /* its query is read by serve_query */
    const char *rest;  /* what follows a route that ends in '/': "0192f3c4…" of "/api/cases/0192f3c4…" */
    struct json *body; /* of a POST: an object; NULL for GET */
    int64_t now;       /* Unix ms */
    int status;        /* 200 unless the route sets another */
    struct json *out;  /* what is answered; the caller frees it */
    const char *type;  /* NULL: JSON from out; else the type of `raw` */
    struct buf raw;
    const char *file_name;      /* NULL: shown; else saved under this name */
    bool wall;                  /* asked by a screen on the wall, which gets what it shows and no more */
    bool changed;               /* pages are told: the route wrote */
    uint8_t case_id[16];        /* in which case; zeros: none */
    struct buf store;           /* what values borrow; lives as long as the call */
    struct serve_chunk *chunks; /* what serve_query and serve_id give out */
    const char *wrong;          /* a member of the body that was asked for as something else than it is */
};
/* For whoever calls a route (cli/serve_route.c, tests). What is borrowed by the call must outlive it; the end frees
 * out, raw and the rest, but neither body nor node. */
void serve_call_begin(struct serve_call *c, struct node *n, const struct http_request *req, int64_t now);
void serve_call_end(struct serve_call *c);
typedef enum err (*serve_fn)(struct serve_call *c, struct why *why);
struct serve_route {
    const char *method; /* "GET", "POST" */
    const char *path;   /* "/api/board"; "/api/cases/" takes a rest without a slash */
    const char *tail;   /* NULL, or what must follow the rest: "/chronology" */
    serve_fn run;
};
/* Tables end with method NULL. */
extern const struct serve_route serve_look_routes[];      /* serve_look.c: board, cases, lists */
extern const struct serve_route serve_list_routes[];      /* serve_list.c: lists, search, audit, performance, CSV */
extern const struct serve_route serve_act_case_routes[];  /* serve_act_case.c */
extern const struct serve_route serve_act_share_routes[]; /* serve_act_share.c: requests, releases, consent */
extern const struct serve_route serve_act_work_routes[];  /* serve_act_work.c */

/* --------------------------------------------------------------------------------------- reading a call */
/* A parameter of the query, decoded; NULL: not given, or nothing in it. Borrowed from the call. */
const char *serve_query(struct serve_call *c, const char *name);
/* Is it one at all: what is encoded is whole, UTF-8, and without control characters? Asked before any route runs. */
bool serve_query_ok(const char *query);
bool serve_query_true(struct serve_call *c, const char *name); /* "1" or "true" */
/* A time (RFC 3339) or a day ("2026-11-03": its first moment here). *out 0 where it is not given. */
MUST_CHECK enum err serve_query_time(struct serve_call *c, const char *name, int64_t *out, struct why *why);
/* Members of the body. Texts: NULL where null, missing or blank. ERR_USAGE names the field in words that people know. A
 * text asked for that is no text makes every later serve_need_text, serve_id, serve_need_id, serve_time and serve_sound
 * fail. */
MUST_CHECK enum err serve_sound(struct serve_call *c, struct why *why);
const char *serve_text(struct serve_call *c, const char *name);
MUST_CHECK enum err serve_need_text(struct serve_call *c, const char *name, const char *complaint, const char **out,
                                    struct why *why);
/* 16 bytes kept in c->store; *out NULL where null or missing. */
MUST_CHECK enum err serve_id(struct serve_call *c, const char *name, const uint8_t **out, struct why *why);
MUST_CHECK enum err serve_need_id(struct serve_call *c, const char *name, const uint8_t **out, struct why *why);
/* RFC 3339; 0 where null or missing. */
MUST_CHECK enum err serve_time(struct serve_call *c, const char *name, int64_t *out, struct why *why);
/* A row that c->rest names: id, unique prefix of 8 hex digits or more, for cases also the reference. ERR_NOTFOUND. */
MUST_CHECK enum err serve_pick(struct serve_call *c, const char *table, uint8_t out[16], struct why *why);
/* After an act: out = {id, reference, held, unsent, notes}; case_id and id may be NULL. `contribute`: as node_outlook.
 * Sets changed and case_id. */
MUST_CHECK enum err serve_done(struct serve_call *c, const uint8_t case_id[16], const uint8_t *id, bool contribute,
                               struct why *why);
void serve_note(struct serve_call *c, const char *text); /* one more line of `notes`, after serve_done */

#endif
