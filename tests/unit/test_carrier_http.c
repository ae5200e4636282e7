/* The hub over HTTP: what is asked, how a broken answer goes on, and what a refusal says. */
#include "node/node.h"

#include "base/httpd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ANSWER_BYTES 5000u

/* A server that gives one answer, and what it saw. Only its own thread writes while it runs a request. */
struct server {
    struct httpd *httpd;
    struct carrier_http *carrier;
    char address[64];
    char last[128]; /* "POST /v1/exchange" */
    uint64_t range;
    size_t body;
    size_t requests;
    bool no_ranges; /* gives the whole answer always */
    bool forgets;   /* has no answer by hash */
    int refuse;     /* with this status */
    uint8_t answer[ANSWER_BYTES];
};

static void serve(void *ctx, const struct http_request *req, struct http_reply *reply)
{
    struct server *s = ctx;
    bool again = strncmp(req->path, "/v1/answer/", 11) == 0;
    (void)snprintf(s->last, sizeof s->last, "%s %s", req->method, req->path);
    s->range = req->range_from;
    s->body = req->body.n;
    s->requests++;
    reply->type = "application/octet-stream";
    reply->status = 200;
    if (s->refuse != 0 || (again && s->forgets)) {
        reply->status = s->refuse != 0 ? s->refuse : 404;
        buf_put_str(&reply->body, "{\"error\":{\"code\":\"refused\",\"message\":\"You are\\u001b[31m unknown.\"}}");
        return;
    }
    if (strcmp(req->path, "/v1/hub") == 0) {
        buf_put(&reply->body, s->answer, PUBLIC_BYTES);
        buf_put_str(&reply->body, "Powys MASH");
        return;
    }
    size_t from = s->no_ranges ? 0 : (size_t)req->range_from;
    if (again && from >= ANSWER_BYTES) {
        reply->status = 416;
        return;
    }
    reply->status = from > 0 ? 206 : 200;
    buf_put(&reply->body, s->answer + from, ANSWER_BYTES - from);
}

static void start(struct server *s)
{
    struct why why = {0};
    memset(s, 0, sizeof *s);
    for (size_t i = 0; i < sizeof s->answer; i++) s->answer[i] = (uint8_t)(i * 31 >> 3);
    struct httpd_options opt = {
        .listen = "127.0.0.1:0", .max_body = 1u << 20, .max_clients = 4, .idle_seconds = 5, .handler = serve, .ctx = s};
    assert_int_equal(httpd_start(&s->httpd, &opt, &why), ERR_OK);
    (void)snprintf(s->address, sizeof s->address, "http://127.0.0.1:%u/", httpd_port(s->httpd));
    assert_int_equal(carrier_http_new(&s->carrier, s->address, &why), ERR_OK);
}

static void stop(struct server *s)
{
    carrier_http_free(s->carrier);
    httpd_stop(s->httpd);
}

static enum err into(void *ctx, struct bytes piece, struct why *why)
{
    (void)why;
    buf_put_bytes(ctx, piece);
    return ERR_OK;
}

static enum err ask(struct server *s, uint64_t from, struct buf *out, struct why *why)
{
    struct carrier via = carrier_http(s->carrier);
    buf_init(out, 1u << 20);
    return via.exchange(via.ctx, bytes_of("sealed", 6), from, 0, into, out, why);
}

static void an_exchange_posts_the_request_and_streams_the_answer(void **state)
{
    struct server s;
    struct buf b;
    (void)state;
    start(&s);
    assert_int_equal(ask(&s, 0, &b, NULL), ERR_OK);
    assert_string_equal(s.last, "POST /v1/exchange");
    assert_int_equal(s.body, 6);
    assert_int_equal(b.len, ANSWER_BYTES);
    assert_memory_equal(b.data, s.answer, ANSWER_BYTES);
    buf_release(&b);
    stop(&s);
}

static void a_resumed_answer_is_asked_for_by_hash_from_that_byte(void **state)
{
    struct server s;
    struct buf b;
    uint8_t hash[HASH_BYTES];
    char want[128] = "GET /v1/answer/";
    (void)state;
    start(&s);
    hash_blake2b(hash, bytes_of("sealed", 6));
    hex_encode(want + strlen(want), hash, sizeof hash);
    assert_int_equal(ask(&s, 1234, &b, NULL), ERR_OK);
    assert_string_equal(s.last, want);
    assert_int_equal(s.range, 1234);
    assert_int_equal(b.len, ANSWER_BYTES - 1234);
    assert_memory_equal(b.data, s.answer + 1234, b.len);
    buf_release(&b);
    stop(&s);
}

static void a_server_without_ranges_is_read_past_what_is_here(void **state)
{
    struct server s;
    struct buf b;
    (void)state;
    start(&s);
    s.no_ranges = true;
    assert_int_equal(ask(&s, 1234, &b, NULL), ERR_OK);
    assert_int_equal(b.len, ANSWER_BYTES - 1234);
    assert_memory_equal(b.data, s.answer + 1234, b.len);
    buf_release(&b);
    stop(&s);
}

static void an_answer_forgotten_by_hash_is_got_by_the_request(void **state)
{
    struct server s;
    struct buf b;
    (void)state;
    start(&s);
    s.forgets = true;
    assert_int_equal(ask(&s, 1234, &b, NULL), ERR_OK);
    assert_string_equal(s.last, "POST /v1/exchange");
    assert_int_equal(s.requests, 2);
    assert_int_equal(b.len, ANSWER_BYTES - 1234);
    assert_memory_equal(b.data, s.answer + 1234, b.len);
    buf_release(&b);
    stop(&s);
}

static void an_answer_that_is_all_here_needs_nothing_more(void **state)
{
    struct server s;
    struct buf b;
    (void)state;
    start(&s);
    assert_int_equal(ask(&s, ANSWER_BYTES, &b, NULL), ERR_OK);
    assert_int_equal(b.len, 0);
    assert_int_equal(s.requests, 1);
    buf_release(&b);
    stop(&s);
}

static void a_refusal_says_the_hubs_words_made_harmless(void **state)
{
    struct server s;
    struct buf b;
    struct why why = {0};
    (void)state;
    start(&s);
    s.refuse = 403;
    assert_int_equal(ask(&s, 0, &b, &why), ERR_REFUSED);
    assert_string_equal(why.text, "The MASH server refused: You are [31m unknown.");
    assert_int_equal(b.len, 0);
    buf_release(&b);
    assert_int_equal(ask(&s, 700, &b, &why), ERR_REFUSED);
    assert_int_equal(b.len, 0);
    buf_release(&b);
    s.refuse = 503;
    assert_int_equal(ask(&s, 0, &b, &why), ERR_UNREACHABLE);
    assert_int_equal(b.len, 0);
    buf_release(&b);
    stop(&s);
}

static void a_hub_that_has_had_newer_requests_does_not_refuse(void **state)
{
    struct server s;
    struct buf b;
    struct why why = {0};
    (void)state;
    start(&s);
    s.refuse = 409;
    assert_int_equal(ask(&s, 0, &b, &why), ERR_EXISTS);
    assert_int_equal(b.len, 0);
    buf_release(&b);
    stop(&s);
}

static enum err no_room(void *ctx, struct bytes piece, struct why *why)
{
    (void)ctx;
    (void)piece;
    return why_set(why, ERR_FULL, "The disk is full.");
}

static void what_the_sink_says_is_the_error(void **state)
{
    struct server s;
    struct why why = {0};
    (void)state;
    start(&s);
    struct carrier via = carrier_http(s.carrier);
    assert_int_equal(via.exchange(via.ctx, bytes_of("sealed", 6), 0, 0, no_room, NULL, &why), ERR_FULL);
    assert_string_equal(why.text, "The disk is full.");
    stop(&s);
}

static void nobody_there_is_unreachable(void **state)
{
    struct server s;
    struct buf b;
    struct why why = {0};
    (void)state;
    start(&s);
    httpd_stop(s.httpd);
    s.httpd = NULL;
    assert_int_equal(ask(&s, 0, &b, &why), ERR_UNREACHABLE);
    assert_true(why.text[0] != '\0');
    buf_release(&b);
    stop(&s);
}

static void the_hubs_keys_and_enrolment_come_over_the_same_address(void **state)
{
    struct server s;
    struct buf b;
    uint8_t keys[PUBLIC_BYTES];
    (void)state;
    start(&s);
    assert_int_equal(carrier_http_hub(s.carrier, keys, NULL), ERR_OK);
    assert_memory_equal(keys, s.answer, PUBLIC_BYTES);
    buf_init(&b, 1u << 20);
    assert_int_equal(carrier_http_enrol(s.carrier, bytes_of("please", 6), &b, NULL), ERR_OK);
    assert_string_equal(s.last, "POST /v1/enrol");
    assert_int_equal(b.len, ANSWER_BYTES);
    s.refuse = 403;
    assert_int_equal(carrier_http_enrol(s.carrier, bytes_of("please", 6), &b, NULL), ERR_REFUSED);
    assert_int_equal(carrier_http_hub(s.carrier, keys, NULL), ERR_REFUSED);
    buf_release(&b);
    stop(&s);
}

static void only_web_addresses_are_taken(void **state)
{
    struct carrier_http *c = NULL;
    (void)state;
    assert_int_equal(carrier_http_new(&c, "file:///etc/passwd", NULL), ERR_USAGE);
    assert_int_equal(carrier_http_new(&c, "", NULL), ERR_USAGE);
    assert_null(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_exchange_posts_the_request_and_streams_the_answer),
        cmocka_unit_test(a_resumed_answer_is_asked_for_by_hash_from_that_byte),
        cmocka_unit_test(a_server_without_ranges_is_read_past_what_is_here),
        cmocka_unit_test(an_answer_forgotten_by_hash_is_got_by_the_request),
        cmocka_unit_test(an_answer_that_is_all_here_needs_nothing_more),
        cmocka_unit_test(a_refusal_says_the_hubs_words_made_harmless),
        cmocka_unit_test(a_hub_that_has_had_newer_requests_does_not_refuse),
        cmocka_unit_test(what_the_sink_says_is_the_error),
        cmocka_unit_test(nobody_there_is_unreachable),
        cmocka_unit_test(the_hubs_keys_and_enrolment_come_over_the_same_address),
        cmocka_unit_test(only_web_addresses_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
