/* cli/serve_route.h: an answer is whole, or it is none and says so; half a list or file never passes for a whole
 * one. */
#include "cli/serve_route.h"
#include "tests/lib/people_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOST "127.0.0.1:8471"
#define ROOM 4096 /* of the server for an answer */

static enum err get_list(struct serve_call *c, struct why *why)
{
    char text[64];
    (void)why;
    c->out = json_object_new();
    json_set_obj(c->out, "list", json_array_new());
    for (long i = 0; i < strtol(c->rest, NULL, 10); i++) {
        (void)snprintf(text, sizeof text, "line %ld of what stands here", i);
        json_append_str(json_get(c->out, "list"), text);
    }
    return ERR_OK;
}
/* A route that does not look whether all of it found room. */
static enum err get_file(struct serve_call *c, struct why *why)
{
    (void)why;
    buf_init(&c->raw, 20);
    for (long i = 0; i < strtol(c->rest, NULL, 10); i++) buf_put_str(&c->raw, "a,b,c\r\n");
    c->type = "text/csv";
    c->file_name = "list.csv";
    return ERR_OK;
}
static const struct serve_route routes[] = {
    {"GET", "/api/list/", NULL, get_list}, {"GET", "/api/file/", NULL, get_file}, {NULL, NULL, NULL, NULL}};
static const struct serve_route *const tables[] = {routes, NULL};
static const struct serve_asset no_assets[] = {{NULL, NULL, NULL, NULL, NULL}};

struct desk_world {
    struct people_world *x;
    struct serve_site s;
    char cookie[100];
    int status;
    char body[2 * ROOM], head[ROOM];
};

static int start(void **state)
{
    static struct desk_world k;
    void *world = NULL;
    char token[SERVE_TOKEN_CHARS];
    struct keyring ring = {0};
    uint64_t session = 0;
    k = (struct desk_world){0};
    assert_int_equal(people_world_start(&world), 0);
    k.x = world;
    node_close(k.x->w.node);
    k.x->w.node = NULL;
    k.s = (struct serve_site){
        .env = &k.x->w.env, .home = k.x->w.home, .tables = tables, .assets = no_assets, .cookie = "s"};
    const struct serve_desk_options opt = {.env = &k.x->w.env, .home = k.x->w.home, .idle_ms = 900000};
    assert_int_equal(serve_desk_new(&k.s.desk, &opt, NULL), ERR_OK);
    assert_int_equal(serve_site_name(&k.s, "http", HOST, NULL), ERR_OK);
    assert_int_equal(node_unlock(&k.x->w.env, k.x->w.home, bytes_of_str(MOCK_PASSPHRASE), &ring, NULL), ERR_OK);
    assert_int_equal(serve_desk_sign_in(k.s.desk, &ring, token, &session, NULL), ERR_OK);
    (void)snprintf(k.cookie, sizeof k.cookie, "s=%s", token);
    *state = &k;
    return 0;
}

static int stop(void **state)
{
    struct desk_world *k = *state;
    void *x = k->x;
    serve_desk_free(k->s.desk);
    mock_world_reopen(&k->x->w);
    return people_world_stop(&x);
}

static int get(struct desk_world *k, const char *path)
{
    struct http_reply reply = {0};
    const struct http_request in = {.method = "GET",
                                    .path = path,
                                    .target = path,
                                    .query = "",
                                    .header = {[HTTP_HOST] = HOST, [HTTP_COOKIE] = k->cookie}};
    buf_init(&reply.body, ROOM);
    buf_init(&reply.head, ROOM - 1);
    serve_handle(&k->s, &in, &reply);
    assert_int_equal(reply.body.err, ERR_OK);
    k->status = reply.status;
    (void)snprintf(k->body, sizeof k->body, "%.*s", (int)reply.body.len, (const char *)reply.body.data);
    memset(k->head, 0, sizeof k->head);
    for (size_t i = 0; i < reply.head.len; i++) k->head[i] = reply.head.data[i] != 0 ? (char)reply.head.data[i] : '\n';
    buf_release(&reply.body);
    buf_release(&reply.head);
    return k->status;
}

static void says_that_it_is_too_much(struct desk_world *k)
{
    assert_int_equal(k->status, 413);
    assert_non_null(strstr(k->body, "\"code\":\"limit\""));
    assert_non_null(strstr(k->body, "see what stands now")); /* it may have been an act */
    assert_null(strstr(k->body, "Nothing was changed"));
    assert_null(strstr(k->head, "attachment"));
}

static void a_list_that_finds_no_room_is_refused_in_words_and_not_cut_off(void **state)
{
    struct desk_world *k = *state;
    assert_int_equal(get(k, "/api/list/3"), 200);
    assert_non_null(strstr(k->body, "line 2 of"));
    (void)get(k, "/api/list/1000");
    says_that_it_is_too_much(k);
    assert_null(strstr(k->body, "line 0 of"));
}

static void a_file_that_finds_no_room_is_refused_in_words_and_not_saved(void **state)
{
    struct desk_world *k = *state;
    assert_int_equal(get(k, "/api/file/2"), 200);
    assert_string_equal(k->body, "a,b,c\r\na,b,c\r\n");
    assert_non_null(strstr(k->head, "attachment; filename=\"list.csv\""));
    (void)get(k, "/api/file/3");
    says_that_it_is_too_much(k);
    assert_null(strstr(k->body, "a,b,c"));
}

/* web/openapi.json: whatever goes wrong is told as JSON, with words, also by a service that is just ending. */
static void what_the_server_refuses_by_itself_is_told_in_words(void **state)
{
    static const struct {
        int status;
        const char *code;
    } cases[] = {{503, "busy"}, {413, "limit"}, {414, "usage"}, {400, "usage"}, {500, "out_of_memory"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_reply reply = {.status = cases[i].status};
        struct json *said = NULL;
        serve_words(NULL, &reply);
        assert_int_equal(reply.status, cases[i].status);
        assert_string_equal(reply.type, "application/json");
        assert_int_equal(json_parse(buf_bytes(&reply.body), &said, NULL), ERR_OK);
        struct json *error = json_get(said, "error");
        assert_string_equal(json_get_str(error, "code"), cases[i].code);
        assert_true(strlen(json_get_str(error, "message")) > 20);
        assert_true(strlen(json_get_str(error, "next")) > 20);
        json_free(said);
        buf_release(&reply.body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_that_finds_no_room_is_refused_in_words_and_not_cut_off),
        cmocka_unit_test(a_file_that_finds_no_room_is_refused_in_words_and_not_saved),
        cmocka_unit_test(what_the_server_refuses_by_itself_is_told_in_words),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
