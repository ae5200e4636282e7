/* base/httpd.h, with real requests over the loopback. */
#include "base/httpd.h"
#include "tests/lib/talk.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

struct site {
    struct httpd *h;
    sem_t parked;   /* posted before each parking */
    bool open;      /* what /wait waits for; set by the test between parked and wake */
    unsigned calls; /* of the handler */
};

static int64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The application under test's server. */
static void handle(void *ctx, const struct http_request *req, struct http_reply *reply)
{
    struct site *s = ctx;
    __atomic_add_fetch(&s->calls, 1, __ATOMIC_SEQ_CST);
    reply->status = 200;
    reply->type = "text/plain";
    if (strcmp(req->path, "/echo") == 0) {
        buf_printf(&reply->body, "%s %s %zu:", req->method, req->path, req->body.n);
        buf_put_bytes(&reply->body, req->body);
    } else if (strcmp(req->path, "/range") == 0) {
        buf_printf(&reply->body, "%llu", (unsigned long long)req->range_from);
        reply->status = req->range_from > 0 ? 206 : 200;
    } else if (strncmp(req->path, "/wait/", 6) == 0) {
        if (__atomic_load_n(&s->open, __ATOMIC_SEQ_CST) || req->last_chance) {
            buf_printf(&reply->body, "woken=%d last=%d body=%zu", req->woken, req->last_chance, req->body.n);
            return;
        }
        reply->status = 0;
        reply->park_ms = atoi(req->path + 6);
        (void)sem_post(&s->parked);
    } else if (strcmp(req->path, "/race") == 0) { /* the news comes while the handler still runs */
        buf_printf(&reply->body, "woken=%d", req->woken);
        if (req->woken) return;
        reply->status = 0;
        reply->park_ms = 60000;
        (void)sem_post(&s->parked);
        while (!__atomic_load_n(&s->open, __ATOMIC_SEQ_CST)) (void)poll(NULL, 0, 1);
    } else if (strcmp(req->path, "/wake") == 0) {
        httpd_wake(s->h);
        buf_put_str(&reply->body, "ok");
    } else if (strcmp(req->path, "/stubborn") == 0) {
        httpd_wake(s->h); /* its own wake must not call it again */
        reply->status = 0;
        reply->park_ms = 50;
    } else if (strcmp(req->path, "/broken") == 0) {
        buf_put_str(&reply->body, "half of it");
        reply->body.err = ERR_NOMEM;
    } else {
        reply->status = 404;
    }
}

static void say_later(void *ctx, struct http_reply *reply)
{
    (void)ctx;
    if (reply->status != 503) return;
    buf_release(&reply->body);
    buf_init(&reply->body, 100);
    buf_put_str(&reply->body, "later");
    reply->type = "text/x-words";
}

static void start(struct site *s)
{
    const struct httpd_options opt = {.listen = "127.0.0.1:0",
                                      .max_body = 100000,
                                      .max_clients = 16,
                                      .idle_seconds = 10,
                                      .handler = handle,
                                      .words = say_later,
                                      .ctx = s};
    *s = (struct site){0};
    assert_int_equal(sem_init(&s->parked, 0, 0), 0);
    assert_int_equal(httpd_start(&s->h, &opt, NULL), ERR_OK);
    assert_true(httpd_port(s->h) > 0);
}

static void stop(struct site *s)
{
    httpd_stop(s->h);
    (void)sem_destroy(&s->parked);
}

static void request(const struct site *s, const char *head, struct bytes body, struct answer *a)
{
    talk(httpd_port(s->h), head, body, a);
}

/* ---- claims ---- */

static void httpd_hands_over_method_path_and_body(void **state)
{
    (void)state;
    struct site s;
    static struct answer a;
    static char body[60000];
    start(&s);
    request(&s, "GET /echo?x=1 HTTP/1.1\r\nHost: x\r\n\r\n", bytes_of(NULL, 0), &a);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, "GET /echo 0:");
    assert_non_null(strcasestr(a.head, "Content-Type: text/plain\r\n"));
    request(&s, "GET /%65cho HTTP/1.1\r\nHost: x\r\n\r\n", bytes_of(NULL, 0), &a);
    assert_string_equal(a.body, "GET /echo 0:"); /* the path comes decoded */
    memset(body, 'b', sizeof body);
    request(&s, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n", bytes_of(body, sizeof body), &a);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.n, strlen("POST /echo 60000:") + sizeof body);
    assert_memory_equal(a.body + strlen("POST /echo 60000:"), body, sizeof body);
    request(&s, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
            bytes_of(NULL, 0), &a);
    assert_string_equal(a.body, "POST /echo 5:abcde");
    request(&s, "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n", bytes_of(NULL, 0), &a);
    assert_int_equal(a.status, 404);
    stop(&s);
}

static void httpd_serves_several_requests_on_one_connection(void **state)
{
    (void)state;
    struct site s;
    static struct answer a;
    start(&s);
    int fd = dial(httpd_port(s.h));
    for (int i = 0; i < 5; i++) {
        say(fd, bytes_of_str("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"));
        hear(fd, &a);
        assert_string_equal(a.body, "POST /echo 2:hi");
    }
    (void)close(fd);
    stop(&s);
}

static void httpd_refuses_a_body_that_is_too_large(void **state)
{
    (void)state;
    struct site s;
    static struct answer a;
    static char body[100001];
    start(&s);
    /* announced: refused before a byte of it was sent */
    request(&s, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100001\r\n\r\n", bytes_of(NULL, 0), &a);
    assert_int_equal(a.status, 413);
    request(&s, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999999\r\n\r\n", bytes_of(NULL, 0), &a);
    assert_int_equal(a.status, 413);
    request(&s, "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 100001\r\n\r\n",
            bytes_of(NULL, 0), &a);
    assert_int_equal(a.status, 413);
    /* not announced: one byte too much */
    int fd = dial(httpd_port(s.h));
    memset(body, 'b', sizeof body);
    say(fd, bytes_of_str("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n186a1\r\n"));
    say(fd, bytes_of(body, sizeof body));
    say(fd, bytes_of_str("\r\n0\r\n\r\n"));
    hear(fd, &a);
    assert_int_equal(a.status, 413);
    (void)close(fd);
    assert_int_equal(__atomic_load_n(&s.calls, __ATOMIC_SEQ_CST), 0); /* the handler saw none of them */
    /* not announced and without end: cut */
    fd = dial(httpd_port(s.h));
    say(fd, bytes_of_str("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"));
    for (int i = 0; i < 5; i++) {
        say(fd, bytes_of_str("186a1\r\n"));
        say(fd, bytes_of(body, sizeof body));
        say(fd, bytes_of_str("\r\n"));
    }
    hear(fd, &a);
    assert_int_not_equal(a.status, 200);
    (void)close(fd);
    /* exactly as much as allowed */
    request(&s, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", bytes_of(body, 100000), &a);
    assert_int_equal(a.status, 200);
    stop(&s);
}

static void httpd_understands_one_kind_of_range(void **state)
{
    (void)state;
    struct site s;
    static struct answer a;
    static const struct {
        const char *range, *from;
    } cases[] = {{"bytes=17-", "17"},
                 {"bytes=0-", "0"},
                 {"bytes=17-20", "0"},
                 {"bytes=-5", "0"},
                 {"bytes=", "0"},
                 {"bytes=1-,5-", "0"},
                 {"bytes=99999999999999999999-", "0"},
                 {"items=3-", "0"},
                 {"bytes=5", "0"},
                 {"bytes=5x-", "0"},
                 {"bytes= 5-", "0"},
                 {"bytes=5000000000-", "5000000000"}};
    start(&s);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char head[200];
        (void)snprintf(head, sizeof head, "GET /range HTTP/1.1\r\nHost: x\r\nRange: %s\r\n\r\n", cases[i].range);
        request(&s, head, bytes_of(NULL, 0), &a);
        assert_string_equal(a.body, cases[i].from);
        assert_int_equal(a.status, strcmp(cases[i].from, "0") == 0 ? 200 : 206);
    }
    request(&s, "GET /range HTTP/1.1\r\nHost: x\r\nRange: bytes=17-\r\n\r\n", bytes_of(NULL, 0), &a);
    assert_non_null(strcasestr(a.head, "Content-Range: bytes 17-18/19\r\n"));
    stop(&s);
}

static void httpd_hands_a_parked_request_over_when_woken(void **state)
{
    (void)state;
    struct site s;
    static struct answer a;
    start(&s);
    int first = dial(httpd_port(s.h)), second = dial(httpd_port(s.h));
    say(first, bytes_of_str("POST /wait/60000 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"));
    say(second, bytes_of_str("GET /wait/60000 HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_int_equal(sem_wait(&s.parked), 0);
    assert_int_equal(sem_wait(&s.parked), 0);
    request(&s, "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n", bytes_of(NULL, 0), &a); /* others are served meanwhile */
    assert_int_equal(a.status, 200);
    httpd_wake(s.h); /* nothing moved yet: they park again */
    assert_int_equal(sem_wait(&s.parked), 0);
    assert_int_equal(sem_wait(&s.parked), 0);
    __atomic_store_n(&s.open, true, __ATOMIC_SEQ_CST);
    request(&s, "GET /wake HTTP/1.1\r\nHost: x\r\n\r\n", bytes_of(NULL, 0), &a); /* from the handler */
    assert_int_equal(a.status, 200);
    hear(first, &a);
    assert_string_equal(a.body, "woken=1 last=0 body=3");
    hear(second, &a);
    assert_string_equal(a.body, "woken=1 last=0 body=0");
    (void)close(first);
    (void)close(second);
    stop(&s);
}

static void httpd_parking_ends_in_a_last_chance(void **state)
{
    (void)state;
    struct site s;
    static struct answer a;
    start(&s);
    int64_t begun = now_ms();
    request(&s, "GET /wait/120 HTTP/1.1\r\nHost: x\r\n\r\n", bytes_of(NULL, 0), &a);
    int64_t took = now_ms() - begun;
    assert_string_equal(a.body, "woken=1 last=1 body=0");
    assert_true(took >= 119 && took < 2000);
    stop(&s);
}

static void httpd_waking_wins_no_more_time(void **state)
{
    (void)state;
    struct site s;
    static struct answer a;
    start(&s);
    int64_t begun = now_ms();
    int fd = dial(httpd_port(s.h));
    struct pollfd answered = {.fd = fd, .events = POLLIN};
    say(fd, bytes_of_str("GET /wait/300 HTTP/1.1\r\nHost: x\r\n\r\n"));
    while (poll(&answered, 1, 40) == 0 && now_ms() - begun < 3000) httpd_wake(s.h);
    hear(fd, &a);
    assert_string_equal(a.body, "woken=1 last=1 body=0");
    assert_true(now_ms() - begun < 2000);
    (void)close(fd);
    stop(&s);
}

static void httpd_loses_no_wake_that_comes_before_the_parking(void **state)
{
    (void)state;
    struct site s;
    static struct answer a;
    start(&s);
    int fd = dial(httpd_port(s.h));
    say(fd, bytes_of_str("GET /race HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_int_equal(sem_wait(&s.parked), 0); /* the handler runs and has made up its mind */
    httpd_wake(s.h);
    __atomic_store_n(&s.open, true, __ATOMIC_SEQ_CST);
    hear(fd, &a);
    assert_string_equal(a.body, "woken=1");
    (void)close(fd);
    stop(&s);
}

static void httpd_answers_for_a_handler_that_will_not(void **state)
{
    (void)state;
    struct site s;
    static struct answer a;
    start(&s);
    request(&s, "GET /stubborn HTTP/1.1\r\nHost: x\r\n\r\n", bytes_of(NULL, 0), &a);
    assert_int_equal(a.status, 500);
    assert_int_equal(__atomic_load_n(&s.calls, __ATOMIC_SEQ_CST), 2); /* once, and the last chance */
    request(&s, "GET /broken HTTP/1.1\r\nHost: x\r\n\r\n", bytes_of(NULL, 0), &a);
    assert_int_equal(a.status, 500); /* half an answer is none */
    assert_int_equal(a.n, 0);
    stop(&s);
}

static void httpd_stop_answers_parked_requests(void **state)
{
    (void)state;
    struct site s;
    static struct answer a;
    start(&s);
    int fd[3];
    for (int i = 0; i < 3; i++) {
        fd[i] = dial(httpd_port(s.h));
        say(fd[i], bytes_of_str("GET /wait/60000 HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_int_equal(sem_wait(&s.parked), 0);
    }
    int idle = dial(httpd_port(s.h));
    int64_t begun = now_ms();
    stop(&s);
    assert_true(now_ms() - begun < 2000);
    for (int i = 0; i < 3; i++) {
        hear(fd[i], &a);
        assert_int_equal(a.status, 503);
        assert_string_equal(a.body, "later"); /* no handler could say it */
        assert_non_null(strcasestr(a.head, "Content-Type: text/x-words\r\n"));
        (void)close(fd[i]);
    }
    (void)close(idle);
    httpd_stop(NULL);
}

static void httpd_survives_clients_that_leave_while_parked(void **state)
{
    (void)state;
    struct site s;
    static struct answer a;
    start(&s);
    for (int i = 0; i < 8; i++) {
        int fd = dial(httpd_port(s.h));
        say(fd, bytes_of_str("GET /wait/60000 HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_int_equal(sem_wait(&s.parked), 0);
        (void)close(fd);
    }
    __atomic_store_n(&s.open, true, __ATOMIC_SEQ_CST);
    httpd_wake(s.h);
    request(&s, "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n", bytes_of(NULL, 0), &a);
    assert_int_equal(a.status, 200);
    stop(&s);
}

static void *waker(void *arg)
{
    struct site *s = arg;
    for (int i = 0; i < 2000; i++) httpd_wake(s->h);
    return NULL;
}

static void httpd_wakes_from_many_threads_hurt_nothing(void **state)
{
    (void)state;
    struct site s;
    static struct answer a;
    pthread_t threads[3];
    int fd[6];
    start(&s);
    for (int i = 0; i < 6; i++) {
        fd[i] = dial(httpd_port(s.h));
        say(fd[i], bytes_of_str("GET /wait/400 HTTP/1.1\r\nHost: x\r\n\r\n"));
    }
    for (int i = 0; i < 3; i++) assert_int_equal(pthread_create(&threads[i], NULL, waker, &s), 0);
    for (int i = 0; i < 3; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < 6; i++) {
        hear(fd[i], &a);
        assert_int_equal(a.status, 200);
        (void)close(fd[i]);
    }
    stop(&s);
}

static void httpd_start_says_what_is_wrong_with_an_address(void **state)
{
    (void)state;
    struct site s;
    struct httpd *h = NULL;
    struct why why = {0};
    struct httpd_options opt = {.max_body = 10, .max_clients = 2, .idle_seconds = 1, .handler = handle, .ctx = &s};
    static const char *const bad[] = {"",
                                      ":80",
                                      "127.0.0.1",
                                      "127.0.0.1:",
                                      "127.0.0.1:70000",
                                      "host.example:80",
                                      "::1:80",
                                      "[::1]",
                                      "[127.0.0.1]:80",
                                      "203.0.113.7:0",
                                      "127.0.0.1: 80",
                                      "1111111111111111111111111111111111111111111111111111111111111111111111111:80"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        opt.listen = bad[i];
        if (httpd_start(&h, &opt, &why) != ERR_USAGE) fail_msg("%s was taken for an address", bad[i]);
        assert_null(h);
        assert_true(strlen(why.text) > 0);
    }
    char taken[40];
    start(&s);
    (void)snprintf(taken, sizeof taken, "127.0.0.1:%u", httpd_port(s.h));
    opt.listen = taken;
    assert_int_equal(httpd_start(&h, &opt, &why), ERR_BUSY);
    assert_null(h);
    assert_true(strlen(why.next) > 0);
    stop(&s);
    assert_int_equal(httpd_start(&h, &opt, NULL), ERR_OK); /* free again at once */
    httpd_stop(h);
    opt.listen = "localhost:0";
    assert_int_equal(httpd_start(&h, &opt, NULL), ERR_OK);
    httpd_stop(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(httpd_hands_over_method_path_and_body),
        cmocka_unit_test(httpd_serves_several_requests_on_one_connection),
        cmocka_unit_test(httpd_refuses_a_body_that_is_too_large),
        cmocka_unit_test(httpd_understands_one_kind_of_range),
        cmocka_unit_test(httpd_hands_a_parked_request_over_when_woken),
        cmocka_unit_test(httpd_parking_ends_in_a_last_chance),
        cmocka_unit_test(httpd_waking_wins_no_more_time),
        cmocka_unit_test(httpd_loses_no_wake_that_comes_before_the_parking),
        cmocka_unit_test(httpd_answers_for_a_handler_that_will_not),
        cmocka_unit_test(httpd_stop_answers_parked_requests),
        cmocka_unit_test(httpd_survives_clients_that_leave_while_parked),
        cmocka_unit_test(httpd_wakes_from_many_threads_hurt_nothing),
        cmocka_unit_test(httpd_start_says_what_is_wrong_with_an_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
