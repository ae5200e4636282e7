/* base/httpd.h: headers of requests and answers, and requests that nobody should answer. */
#include "base/httpd.h"
#include "tests/lib/talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

struct site {
    struct httpd *h;
    unsigned calls; /* of the handler */
};

static void handle(void *ctx, const struct http_request *req, struct http_reply *reply)
{
    struct site *s = ctx;
    __atomic_add_fetch(&s->calls, 1, __ATOMIC_SEQ_CST);
    reply->status = 200;
    reply->type = "text/plain";
    if (strcmp(req->path, "/echo") == 0) {
        buf_put_str(&reply->body, "echo");
    } else if (strcmp(req->path, "/heads") == 0) {
        buf_printf(&reply->body, "%s|%s|", req->target, req->query);
        for (int i = 0; i < HTTP_HEADERS; i++)
            buf_printf(&reply->body, "%s;", req->header[i] != NULL ? req->header[i] : "-");
        http_reply_header(reply, "Set-Cookie", "a=b; HttpOnly");
        http_reply_header(reply, "Cache-Control", "immutable");
    } else if (strcmp(req->path, "/split") == 0) {
        http_reply_header(reply, "X-Text", "one\r\nSet-Cookie: stolen=1");
    } else if (strcmp(req->path, "/broken") == 0) {
        buf_put_str(&reply->body, "half of it");
        reply->body.err = ERR_NOMEM;
    } else {
        reply->status = 404;
    }
}

static const struct http_field always[] = {{"X-Frame-Options", "DENY"}, {NULL, NULL}};

static size_t room(void *ctx, const struct http_request *req)
{
    (void)ctx;
    return strcmp(req->path, "/small") == 0 ? 10 : 1000000;
}

static void start(struct site *s)
{
    const struct httpd_options opt = {.listen = "127.0.0.1:0",
                                      .max_body = 100000,
                                      .max_clients = 16,
                                      .idle_seconds = 10,
                                      .handler = handle,
                                      .ctx = s,
                                      .fields = always,
                                      .room = room};
    *s = (struct site){0};
    assert_int_equal(httpd_start(&s->h, &opt, NULL), ERR_OK);
}

static void stop(struct site *s)
{
    httpd_stop(s->h);
}

static void request(const struct site *s, const char *head, struct bytes body, struct answer *a)
{
    talk(httpd_port(s->h), head, body, a);
}

static int status_of(const struct site *s, const char *head)
{
    static struct answer a;
    request(s, head, bytes_of(NULL, 0), &a);
    return a.status;
}

static void httpd_hands_over_headers_query_and_target_as_they_came(void **state)
{
    (void)state;
    struct site s;
    static struct answer a;
    start(&s);
    request(&s,
            "GET /h%65ads?a=%20b&c HTTP/1.1\r\nhost: one\r\nORIGIN: two\r\nCookie: three\r\nContent-Type: four\r\n"
            "Accept-Encoding: five\r\nIf-None-Match: six\r\nSec-Fetch-Site: seven\r\nLast-Event-ID: eight\r\n"
            "X-Spoke-Quiet: nine\r\nx-spoke-person: ten\r\n\r\n",
            bytes_of(NULL, 0), &a);
    assert_string_equal(a.body, "/h%65ads?a=%20b&c|a=%20b&c|one;two;three;four;five;six;seven;eight;nine;ten;");
    assert_non_null(strcasestr(a.head, "\r\nSet-Cookie: a=b; HttpOnly\r\n"));
    assert_non_null(strcasestr(a.head, "\r\nCache-Control: immutable\r\n"));
    assert_null(strcasestr(a.head, "no-store"));
    request(&s, "GET /heads HTTP/1.1\r\nHost: x\r\n\r\n", bytes_of(NULL, 0), &a);
    assert_string_equal(a.body, "/heads||x;-;-;-;-;-;-;-;-;-;");
    stop(&s);
}

static void httpd_refuses_requests_that_can_be_read_in_two_ways(void **state)
{
    (void)state;
    struct site s;
    start(&s);
    assert_int_equal(status_of(&s, "GET /echo HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), 400);
    assert_int_equal(status_of(&s, "GET /echo HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n"), 400);
    assert_int_equal(status_of(&s, "GET /echo HTTP/1.1\r\n\r\n"), 400);
    assert_int_equal(status_of(&s, "GET /echo HTTP/1.1\r\nHost:\r\n\r\n"), 400);
    assert_int_equal(status_of(&s, "GET /echo HTTP/1.1\r\nHost : a\r\n\r\n"), 400);
    assert_int_equal(status_of(&s, "GET /echo HTTP/1.1\r\nHost: a\r\nOrigin: b\r\nOrigin: c\r\n\r\n"), 400);
    assert_int_equal(status_of(&s, "GET /echo HTTP/1.1\r\nHost: a\r\nCookie: b\r\nCookie: c\r\n\r\n"), 400);
    assert_int_equal(status_of(&s, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n"),
                     400);
    assert_int_equal(status_of(&s, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n"
                                   "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
                     400);
    assert_int_equal(status_of(&s, "GET /echo%00/x HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    assert_int_equal(__atomic_load_n(&s.calls, __ATOMIC_SEQ_CST), 0); /* the handler saw none of them */
    stop(&s);
}

static void httpd_puts_its_headers_on_every_answer(void **state)
{
    (void)state;
    struct site s;
    static struct answer a;
    static const char *const heads[] = {"GET /echo HTTP/1.1\r\nHost: a\r\n\r\n",
                                        "GET /broken HTTP/1.1\r\nHost: a\r\n\r\n", "GET /echo HTTP/1.1\r\n\r\n",
                                        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\n\r\n"};
    start(&s);
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        request(&s, heads[i], bytes_of(NULL, 0), &a);
        assert_non_null(strcasestr(a.head, "\r\nX-Frame-Options: DENY\r\n"));
    }
    stop(&s);
}

static void httpd_sends_no_header_that_holds_another(void **state)
{
    (void)state;
    struct site s;
    static struct answer a;
    start(&s);
    request(&s, "GET /split HTTP/1.1\r\nHost: a\r\n\r\n", bytes_of(NULL, 0), &a);
    assert_int_equal(a.status, 500);
    assert_null(strcasestr(a.head, "stolen"));
    stop(&s);
}

static void httpd_gives_a_request_no_more_room_than_it_is_told(void **state)
{
    (void)state;
    struct site s;
    start(&s);
    assert_int_equal(status_of(&s, "POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n"), 413);
    assert_int_equal(status_of(&s, "POST /small HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n"
                                   "12345678901\r\n0\r\n\r\n"),
                     413);
    assert_int_equal(status_of(&s, "POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"), 404);
    stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(httpd_hands_over_headers_query_and_target_as_they_came),
        cmocka_unit_test(httpd_refuses_requests_that_can_be_read_in_two_ways),
        cmocka_unit_test(httpd_puts_its_headers_on_every_answer),
        cmocka_unit_test(httpd_sends_no_header_that_holds_another),
        cmocka_unit_test(httpd_gives_a_request_no_more_room_than_it_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
