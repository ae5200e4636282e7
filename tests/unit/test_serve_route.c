/* cli/serve_route.h: who is answered at all, and what errors become. Without a network: requests are handed over as the
 * server would. */
#include "cli/serve_route.h"
#include "tests/lib/people_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#define HOST   "127.0.0.1:8471"
#define ORIGIN "http://127.0.0.1:8471"

/* ---- routes that say what they were asked */
static enum err get_echo(struct serve_call *c, struct why *why)
{
    int64_t at = 0;
    enum err e = serve_query_time(c, "at", &at, why);
    if (e != ERR_OK) return e;
    c->out = json_object_new();
    json_set_str(c->out, "rest", c->rest);
    json_set_str(c->out, "q", serve_query(c, "q"));
    json_set_bool(c->out, "yes", serve_query_true(c, "yes"));
    json_set_int(c->out, "at", at);
    return ERR_OK;
}
static enum err get_tail(struct serve_call *c, struct why *why)
{
    (void)why;
    c->out = json_object_new();
    json_set_str(c->out, "tail_of", c->rest);
    return ERR_OK;
}
static enum err post_echo(struct serve_call *c, struct why *why)
{
    const char *text = NULL;
    const uint8_t *id = NULL;
    int64_t at = 0;
    const char *free_text = serve_text(c, "other");
    enum err e = serve_need_text(c, "text", "Say a text.", &text, why);
    if (e == ERR_OK) e = serve_id(c, "id", &id, why);
    if (e == ERR_OK) e = serve_time(c, "at", &at, why);
    if (e != ERR_OK) return e;
    c->out = json_object_new();
    json_set_str(c->out, "text", text);
    json_set_str(c->out, "other", free_text);
    json_set_bool(c->out, "has_id", id != NULL);
    json_set_int(c->out, "at", at);
    return ERR_OK;
}
static enum err post_person(struct serve_call *c, struct why *why)
{
    uint8_t case_id[16];
    mock_id(case_id, 0xc1);
    const struct row r = mock_case(case_id);
    (void)why;
    (void)mock_put(c->node, &r, 1);
    return serve_done(c, case_id, case_id, false, why);
}
static enum err post_child(struct serve_call *c, struct why *why)
{
    uint8_t case_id[16], id[16];
    mock_id(case_id, 0xc2);
    mock_id(id, 0xc3);
    const struct row both[] = {mock_case(case_id), mock_person(id, case_id, "Wren")};
    (void)mock_put(c->node, both, 2);
    (void)mock_set(c->node, "person", id, "given_names", "Ivy");
    return serve_done(c, case_id, case_id, false, why);
}
static enum err fails(struct serve_call *c, struct why *why)
{
    static const enum err all[] = {ERR_USAGE,  ERR_FORMAT, ERR_DENIED, ERR_NOTFOUND,    ERR_EXISTS,
                                   ERR_FAILED, ERR_LIMIT,  ERR_BUSY,   ERR_UNREACHABLE, ERR_IO};
    return why_set(why, all[c->rest[0] - '0'], "Words.");
}
static const struct serve_route routes[] = {{"GET", "/api/echo", NULL, get_echo},
                                            {"GET", "/api/echo/", NULL, get_echo},
                                            {"GET", "/api/echo/", "/tail", get_tail},
                                            {"GET", "/api/wide/*", NULL, get_echo},
                                            {"POST", "/api/acts/echo", NULL, post_echo},
                                            {"POST", "/api/acts/person", NULL, post_person},
                                            {"POST", "/api/acts/child", NULL, post_child},
                                            {"POST", "/api/acts/sheet.csv", NULL, post_person},
                                            {"GET", "/api/fails/", NULL, fails},
                                            {NULL, NULL, NULL, NULL}};
static const struct serve_route *const tables[] = {routes, serve_look_routes, NULL};
static const unsigned char page[] = "<!DOCTYPE html>page", script[] = "let a;", packed[] = "\x1f\x8b";
static const struct serve_asset assets[] = {{"/app-0A1B2C3D.js", script, script + 6, packed, packed + 2},
                                            {"/index.html", page, page + sizeof page - 1, packed, packed + 2},
                                            {NULL, NULL, NULL, NULL, NULL}};

struct site_world {
    struct people_world *x;
    struct serve_site s;
    char token[2][100]; /* cookies of two people */
    uint64_t session[2];
    int status;
    char body[20000], head[20000];
};

static int start(void **state)
{
    static const char *const words[] = {MOCK_PASSPHRASE, GWEN_WORDS};
    static struct site_world k;
    void *start = NULL;
    k = (struct site_world){0};
    assert_int_equal(people_world_start(&start), 0);
    k.x = start;
    assert_int_equal(people_world_add(k.x, GWEN, GWEN_WORDS), ERR_OK);
    node_close(k.x->w.node);
    k.x->w.node = NULL;
    k.s = (struct serve_site){
        .env = &k.x->w.env, .home = k.x->w.home, .tables = tables, .assets = assets, .cookie = "spoke_session_8471"};
    const struct serve_desk_options opt = {.env = &k.x->w.env, .home = k.x->w.home, .idle_ms = 900000};
    assert_int_equal(serve_desk_new(&k.s.desk, &opt, NULL), ERR_OK);
    assert_int_equal(serve_site_name(&k.s, "http", HOST, NULL), ERR_OK);
    for (int i = 0; i < 2; i++) {
        char token[SERVE_TOKEN_CHARS];
        struct keyring ring = {0};
        assert_int_equal(node_unlock(&k.x->w.env, k.x->w.home, bytes_of_str(words[i]), &ring, NULL), ERR_OK);
        assert_int_equal(serve_desk_sign_in(k.s.desk, &ring, token, &k.session[i], NULL), ERR_OK);
        (void)snprintf(k.token[i], sizeof k.token[i], "spoke_session_8471=%s", token);
    }
    *state = &k;
    return 0;
}

static int stop(void **state)
{
    struct site_world *k = *state;
    void *x = k->x;
    serve_desk_free(k->s.desk);
    mock_world_reopen(&k->x->w);
    return people_world_stop(&x);
}

/* One request; header values that are not set are as a page of ours sends them, as the first person. */
static int ask(struct site_world *k, const char *method, const char *target, const char *body, struct http_request in)
{
    char path[4096];
    struct http_reply reply = {0};
    (void)snprintf(path, sizeof path, "%.*s", (int)strcspn(target, "?"), target);
    in.method = method;
    in.path = path;
    in.target = target;
    in.query = strchr(target, '?') != NULL ? strchr(target, '?') + 1 : "";
    in.body = bytes_of_str(body);
    buf_init(&reply.body, 1u << 20);
    buf_init(&reply.head, 1u << 16);
    serve_handle(&k->s, &in, &reply);
    k->status = reply.status;
    assert_true(reply.body.len < sizeof k->body && reply.head.len < sizeof k->head);
    memcpy(k->body, reply.body.len > 0 ? (const char *)reply.body.data : "", reply.body.len);
    k->body[reply.body.len] = '\0';
    memset(k->head, 0, sizeof k->head);
    for (size_t i = 0; i < reply.head.len; i++) k->head[i] = reply.head.data[i] != 0 ? (char)reply.head.data[i] : '\n';
    buf_release(&reply.body);
    buf_release(&reply.head);
    return k->status;
}
#define HEADERS(...) ((struct http_request){.header = {[HTTP_HOST] = HOST, __VA_ARGS__}})
#define OURS(k)      HEADERS([HTTP_ORIGIN] = ORIGIN, [HTTP_COOKIE] = (k)->token[0], [HTTP_CONTENT_TYPE] = "application/json")

static int get(struct site_world *k, const char *target)
{
    return ask(k, "GET", target, "", HEADERS([HTTP_COOKIE] = k->token[0]));
}

/* ---- claims */
static void route_refuses_every_name_but_its_own(void **state)
{
    struct site_world *k = *state;
    static const char *const hosts[] = {"attacker.example", "127.0.0.1",      "127.0.0.1:8472",    "127.0.0.1:8471.",
                                        "127.0.0.1:08471",  "localhost:8471", "127.0.0.1:8471, x", " 127.0.0.1:8471"};
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        struct http_request r = OURS(k);
        r.header[HTTP_HOST] = hosts[i];
        if (ask(k, "GET", "/api/echo", "", r) != 403) fail_msg("%s is ours", hosts[i]);
        if (ask(k, "GET", "/", "", r) != 403) fail_msg("%s has the page", hosts[i]);
    }
    assert_int_equal(get(k, "/api/echo"), 200);
}

static void route_changes_nothing_for_another_origin(void **state)
{
    struct site_world *k = *state;
    static const char *const origins[] = {
        "http://attacker.example", "null", "https://127.0.0.1:8471", "http://127.0.0.1:8472", "http://127.0.0.1:8471/",
        "HTTP://127.0.0.1:8471",   NULL};
    for (size_t i = 0; i < sizeof origins / sizeof origins[0]; i++) {
        struct http_request r = OURS(k);
        r.header[HTTP_ORIGIN] = origins[i];
        assert_int_equal(ask(k, "POST", "/api/acts/echo", "{\"text\":\"x\"}", r), 403);
    }
    struct http_request r = OURS(k);
    r.header[HTTP_FETCH_SITE] = "cross-site";
    assert_int_equal(ask(k, "POST", "/api/acts/echo", "{\"text\":\"x\"}", r), 403);
    r.header[HTTP_FETCH_SITE] = "none";
    assert_int_equal(ask(k, "POST", "/api/acts/echo", "{\"text\":\"x\"}", r), 403);
    r.header[HTTP_FETCH_SITE] = "same-origin";
    assert_int_equal(ask(k, "POST", "/api/acts/echo", "{\"text\":\"x\"}", r), 200);
    r = HEADERS([HTTP_COOKIE] = k->token[0], [HTTP_ORIGIN] = "http://attacker.example");
    assert_int_equal(ask(k, "GET", "/api/echo", "", r), 403); /* reading too, where the browser says who asks */
    r = HEADERS([HTTP_COOKIE] = k->token[0], [HTTP_FETCH_SITE] = "same-site");
    assert_int_equal(ask(k, "GET", "/api/echo", "", r), 403);
}

static void route_takes_no_form(void **state)
{
    struct site_world *k = *state;
    static const char *const types[] = {"text/plain",        "application/x-www-form-urlencoded", "multipart/form-data",
                                        "application/jsonx", "text/plain; application/json",      NULL};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct http_request r = OURS(k);
        r.header[HTTP_CONTENT_TYPE] = types[i];
        assert_int_equal(ask(k, "POST", "/api/acts/echo", "{\"text\":\"x\"}", r), 403);
    }
    struct http_request r = OURS(k);
    r.header[HTTP_CONTENT_TYPE] = "application/json; charset=utf-8";
    assert_int_equal(ask(k, "POST", "/api/acts/echo", "{\"text\":\"x\"}", r), 200);
    r.header[HTTP_CONTENT_TYPE] = "application/json";
    assert_int_equal(ask(k, "POST", "/api/acts/sheet.csv", "a,b", r), 403);
}

static void route_wants_exactly_one_live_session(void **state)
{
    struct site_world *k = *state;
    char two[300], cut[100];
    (void)snprintf(two, sizeof two, "%s; %s", k->token[0], k->token[1]);
    (void)snprintf(cut, sizeof cut, "%.60s", k->token[0]);
    const char *const bad[] = {NULL, "", "spoke_session_8471=", "spoke_session=00", two, cut, k->token[0] + 1};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(ask(k, "GET", "/api/echo", "", HEADERS([HTTP_COOKIE] = bad[i])), 401);
        assert_non_null(strstr(k->body, "\"locked\""));
        assert_int_equal(ask(k, "GET", "/api/events", "", HEADERS([HTTP_COOKIE] = bad[i])), 401);
        assert_int_equal(ask(k, "GET", "/api/session", "", HEADERS([HTTP_COOKIE] = bad[i])), 200);
        assert_non_null(strstr(k->body, "\"signed_in\":false"));
        assert_null(strstr(k->body, "Mair"));
    }
    (void)snprintf(two, sizeof two, "a=b; %s; c=d", k->token[0]);
    assert_int_equal(ask(k, "GET", "/api/echo", "", HEADERS([HTTP_COOKIE] = two)), 200);
    serve_desk_end(k->s.desk, k->session[0], ERR_OK, NULL);
    assert_int_equal(get(k, "/api/echo"), 401);
    assert_int_equal(ask(k, "GET", "/api/echo", "", HEADERS([HTTP_COOKIE] = k->token[1])), 200);
}

static void route_reads_paths_and_queries(void **state)
{
    struct site_world *k = *state;
    assert_int_equal(get(k, "/api/echo/0192f3c4?q=a+b%26%c3%a9&yes=1"), 200);
    assert_non_null(strstr(k->body, "\"rest\":\"0192f3c4\",\"q\":\"a b&\303\251\",\"yes\":true"));
    assert_int_equal(get(k, "/api/echo/0192f3c4/tail"), 200);
    assert_non_null(strstr(k->body, "\"tail_of\":\"0192f3c4\""));
    assert_int_equal(get(k, "/api/wide/record/0192f3c4"), 200);
    assert_non_null(strstr(k->body, "\"rest\":\"record/0192f3c4\""));
    assert_int_equal(get(k, "/api/echo?at=2026-11-03T14:05:00Z"), 200);
    assert_non_null(strstr(k->body, "\"at\":1793714700000"));
    static const char *const bad[] = {"/api/echo?q=%",   "/api/echo?q=%zz", "/api/echo?q=%00",
                                      "/api/echo?q=%ff", "/api/echo?q=%0a", "/api/echo?at=soon",
                                      "/api//echo",      "/api/echo/..",    "/api/echo%2fx"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (get(k, bad[i]) != 400) fail_msg("%s: %d", bad[i], k->status);
    assert_int_equal(get(k, "/api/nothing"), 404);
    assert_int_equal(get(k, "/api/echo/"), 404);
    assert_int_equal(get(k, "/api/acts/echo"), 405);
    assert_int_equal(ask(k, "PUT", "/api/echo", "{}", OURS(k)), 405);
    assert_int_equal(ask(k, "HEAD", "/api/echo", "", HEADERS([HTTP_COOKIE] = k->token[0])), 200);
}

static void route_reads_bodies_and_says_what_is_wrong(void **state)
{
    struct site_world *k = *state;
    assert_int_equal(ask(k, "POST", "/api/acts/echo", "{\"text\":\"x\",\"other\":\"  \",\"id\":null}", OURS(k)), 200);
    assert_non_null(strstr(k->body, "\"other\":null,\"has_id\":false"));
    static const char *const bad[] = {"",
                                      "[]",
                                      "{",
                                      "null",
                                      "{\"text\":\"a\",\"text\":\"b\"}",
                                      "{\"text\":\"\"}",
                                      "{}",
                                      "{\"text\":1}",
                                      "{\"text\":\"x\",\"other\":true}",
                                      "{\"text\":\"x\",\"id\":\"1\"}",
                                      "{\"text\":\"x\",\"at\":\"today\"}",
                                      "{\"text\":\"x\\u0000\"}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (ask(k, "POST", "/api/acts/echo", bad[i], OURS(k)) != 400) fail_msg("%s: %d", bad[i], k->status);
        assert_null(strstr(k->body, "stack"));
    }
}

static void route_gives_each_error_its_status(void **state)
{
    struct site_world *k = *state;
    static const struct {
        int status;
        const char *code;
    } want[] = {{400, "\"usage\""},       {400, "\"format\""},  {403, "\"denied\""}, {404, "\"notfound\""},
                {409, "\"exists\""},      {409, "\"changed\""}, {413, "\"limit\""},  {503, "\"busy\""},
                {503, "\"unreachable\""}, {500, "\"io\""}};
    for (int i = 0; i < 10; i++) {
        char path[32];
        (void)snprintf(path, sizeof path, "/api/fails/%d", i);
        assert_int_equal(get(k, path), want[i].status);
        assert_non_null(strstr(k->body, want[i].code));
        assert_non_null(strstr(k->body, "\"message\":\"Words.\",\"next\":null"));
    }
}

static void route_writes_as_who_is_signed_in_and_tells_the_pages(void **state)
{
    struct site_world *k = *state;
    struct buf out;
    uint64_t before = serve_desk_last_event(k->s.desk);
    struct node *n = NULL;
    struct http_request r = OURS(k);
    r.header[HTTP_COOKIE] = k->token[1];
    assert_int_equal(ask(k, "POST", "/api/acts/person", "{}", r), 200);
    assert_non_null(strstr(k->body, "\"unsent\":true"));
    buf_init(&out, 1u << 16);
    assert_int_equal(serve_desk_events(k->s.desk, before, true, &out, NULL), ERR_OK);
    assert_non_null(strstr(buf_cstr(&out), "\"reason\":\"edit\",\"online\":true,\"cases\":[\""));
    buf_release(&out);
    assert_int_equal(serve_desk_enter(k->s.desk, k->session[0], &n, NULL), ERR_OK);
    struct stmt *s = NULL;
    bool row = false;
    uint8_t who[16];
    assert_int_equal(db_prepare(node_db(n), "SELECT user FROM n_audit ORDER BY rowid DESC LIMIT 1", &s, NULL), ERR_OK);
    assert_int_equal(db_step(s, &row, NULL), ERR_OK);
    assert_true(row && db_id(s, 0, who));
    db_done(s);
    serve_desk_leave(k->s.desk);
    assert_memory_equal(who, k->x->id[GWEN], 16);
}

static void route_lets_a_wall_see_the_board_alone(void **state)
{
    struct site_world *k = *state;
    assert_int_equal(ask(k, "POST", "/api/session/wall", "{}", OURS(k)), 200);
    assert_non_null(strstr(k->body, "\"wall\":true"));
    assert_int_equal(get(k, "/api/echo"), 403);
    assert_int_equal(ask(k, "POST", "/api/acts/echo", "{\"text\":\"x\"}", OURS(k)), 403);
    assert_int_equal(ask(k, "POST", "/api/bundle/export", "{}", OURS(k)), 403);
    assert_int_equal(get(k, "/api/session"), 200);
    assert_int_equal(get(k, "/api/sync"), 200);
    assert_int_equal(ask(k, "DELETE", "/api/session", "", OURS(k)), 200);
    assert_int_equal(get(k, "/api/sync"), 401);
}

/* Nobody works at it, and everybody walks past: what it is sent holds no name, neither of a case nor of a colleague. */
static void route_tells_a_wall_no_names(void **state)
{
    static const char *const paths[] = {"/api/session", "/api/board", "/api/board?wall=0", "/api/sync"};
    static const char *const names[] = {"Mair", "Gwen", "Wren", "Ivy"};
    struct site_world *k = *state;
    struct http_request r = OURS(k);
    assert_int_equal(ask(k, "POST", "/api/acts/child", "{}", r), 200);
    assert_int_equal(get(k, "/api/session"), 200);
    assert_non_null(strstr(k->body, "\"name\":\"Mair"));
    assert_int_equal(get(k, "/api/board"), 200);
    assert_non_null(strstr(k->body, "Ivy Wren"));
    assert_int_equal(get(k, "/api/board?wall=1"), 200); /* who puts the board on a big screen without giving it to the wall */
    assert_null(strstr(k->body, "Wren"));
    assert_int_equal(ask(k, "POST", "/api/session/wall", "{}", r), 200);
    for (size_t p = 0; p < sizeof paths / sizeof paths[0]; p++) {
        if (p > 0) assert_int_equal(get(k, paths[p]), 200);
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) assert_null(strstr(k->body, names[i]));
        if (strncmp(paths[p], "/api/board", 10) == 0) assert_non_null(strstr(k->body, "\"initials\":\"IW\""));
    }
    assert_int_equal(get(k, "/api/session"), 200);
    assert_non_null(strstr(k->body, "\"people\":[]"));
    assert_int_equal(get(k, "/api/sync"), 200);
    assert_non_null(strstr(k->body, "\"outbox\":[]"));
    assert_null(strstr(k->body, "\"unsent\":0"));
}

/* Two windows of one browser share their cookie: the first was left open, and somebody else signed in in the second. */
static void route_does_nothing_under_another_name_than_the_page_shows(void **state)
{
    static const char *const own[] = {"/api/sync", "/api/bundle/export", "/api/bundle/import", "/api/session/wall"};
    struct site_world *k = *state;
    char mair[37], gwen[37];
    uuid_format(k->x->id[MAIR], mair);
    uuid_format(k->x->id[GWEN], gwen);
    struct http_request r = OURS(k);
    r.header[HTTP_SPOKE_PERSON] = mair;
    assert_int_equal(ask(k, "POST", "/api/acts/person", "{}", r), 200);
    assert_int_equal(ask(k, "GET", "/api/echo", "", r), 200);
    r.header[HTTP_COOKIE] = k->token[1]; /* Gwen's now, the page still Mair's */
    uint64_t before = serve_desk_last_event(k->s.desk);
    assert_int_equal(ask(k, "POST", "/api/acts/person", "{}", r), 401);
    assert_non_null(strstr(k->body, "\"locked\""));
    assert_non_null(strstr(k->body, "Somebody else"));
    assert_int_equal(serve_desk_last_event(k->s.desk), before); /* nothing was written */
    assert_int_equal(ask(k, "GET", "/api/echo", "", r), 401);
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        r.header[HTTP_CONTENT_TYPE] = i == 2 ? "application/octet-stream" : "application/json";
        if (ask(k, i == 0 ? "GET" : "POST", own[i], i == 0 ? "" : "{}", r) != 401) fail_msg("%s: %d", own[i], k->status);
        assert_non_null(strstr(k->body, "Somebody else"));
    }
    assert_false(serve_desk_is_wall(k->s.desk, k->session[1]));
    r.header[HTTP_SPOKE_PERSON] = "nobody";
    assert_int_equal(ask(k, "GET", "/api/echo", "", r), 401);
    r.header[HTTP_SPOKE_PERSON] = gwen;
    assert_int_equal(ask(k, "GET", "/api/echo", "", r), 200); /* which ends nobody's session */
}

/* Its windows know the name of their session, and the browser sends whichever cookie it has. */
static void route_tells_no_events_to_a_page_of_another_session(void **state)
{
    struct site_world *k = *state;
    char name[2][SERVE_NAME_CHARS], target[2][100];
    uint64_t last = serve_desk_last_event(k->s.desk);
    for (int i = 0; i < 2; i++) {
        serve_desk_name(k->s.desk, k->session[i], name[i]);
        (void)snprintf(target[i], sizeof target[i], "/api/events?of=%s&after=%llu", name[i], (unsigned long long)last);
        assert_int_equal(ask(k, "GET", "/api/session", "", HEADERS([HTTP_COOKIE] = k->token[i])), 200);
        assert_int_equal(strlen(name[i]), SERVE_NAME_CHARS - 1);
        assert_non_null(strstr(k->body, name[i]));
        assert_null(strstr(k->token[i], name[i])); /* of what opens it nothing is told */
    }
    serve_desk_tell(k->s.desk, SERVE_EDIT, NULL);
    for (int of = 0; of < 2; of++)
        for (int i = 0; i < 2; i++) {
            assert_int_equal(ask(k, "GET", target[of], "", HEADERS([HTTP_COOKIE] = k->token[i])), of == i ? 200 : 401);
            assert_int_equal(strstr(k->body, "event: change") != NULL, of == i);
        }
    serve_desk_end(k->s.desk, k->session[0], ERR_OK, NULL);
    serve_desk_name(k->s.desk, k->session[0], name[1]);
    assert_string_equal(name[1], "");
    assert_int_equal(ask(k, "GET", target[0], "", HEADERS([HTTP_COOKIE] = k->token[0])), 401);
}

static void route_gives_pages_and_files(void **state)
{
    struct site_world *k = *state;
    assert_int_equal(get(k, "/"), 200);
    assert_string_equal(k->body, "<!DOCTYPE html>page");
    assert_int_equal(get(k, "/case/C-12345678/people"), 200);
    assert_string_equal(k->body, "<!DOCTYPE html>page");
    assert_null(strstr(k->head, "immutable"));
    assert_int_equal(get(k, "/app-0A1B2C3D.js"), 200);
    assert_string_equal(k->body, "let a;");
    assert_non_null(strstr(k->head, "immutable"));
    struct http_request r = HEADERS([HTTP_ACCEPT_ENCODING] = "br, gzip");
    assert_int_equal(ask(k, "GET", "/app-0A1B2C3D.js", "", r), 200);
    assert_non_null(strstr(k->head, "Content-Encoding\ngzip"));
    assert_string_equal(k->body, "\x1f\x8b");
    assert_int_equal(get(k, "/app-FFFFFFFF.js"), 404);
    assert_int_equal(ask(k, "POST", "/", "{}", OURS(k)), 405);
}

static void route_leaves_strangers_little_room(void **state)
{
    struct site_world *k = *state;
    struct http_request r = OURS(k);
    r.path = "/api/bundle/import";
    r.method = "POST";
    assert_true(serve_room(&k->s, &r) > 1000000);
    r.path = "/api/acts/echo";
    assert_in_range(serve_room(&k->s, &r), 2u << 20, 8u << 20);
    r.header[HTTP_COOKIE] = NULL;
    assert_true(serve_room(&k->s, &r) <= 16384);
    r = OURS(k);
    r.path = "/api/bundle/import";
    r.method = "POST";
    r.header[HTTP_ORIGIN] = "http://attacker.example";
    assert_true(serve_room(&k->s, &r) <= 16384);
}

#define CLAIM(f) cmocka_unit_test_setup_teardown(f, start, stop)
int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(route_refuses_every_name_but_its_own),
        CLAIM(route_changes_nothing_for_another_origin),
        CLAIM(route_takes_no_form),
        CLAIM(route_wants_exactly_one_live_session),
        CLAIM(route_reads_paths_and_queries),
        CLAIM(route_reads_bodies_and_says_what_is_wrong),
        CLAIM(route_gives_each_error_its_status),
        CLAIM(route_writes_as_who_is_signed_in_and_tells_the_pages),
        CLAIM(route_lets_a_wall_see_the_board_alone),
        CLAIM(route_tells_a_wall_no_names),
        CLAIM(route_does_nothing_under_another_name_than_the_page_shows),
        CLAIM(route_tells_no_events_to_a_page_of_another_session),
        CLAIM(route_gives_pages_and_files),
        CLAIM(route_leaves_strangers_little_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
