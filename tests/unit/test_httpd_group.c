/* base/httpd.h, requests that are answered together: with real connections over the loopback. */
#include "base/httpd.h"
#include "tests/lib/talk.h"

#include <poll.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MOST 40

struct site {
    struct httpd *h;
    sem_t held, go, parked; /* held: /hold has the server's thread; go: let it go on */
    bool one_by_one;        /* only the first is answered each time */
    unsigned slow;          /* this call of `together` is still at work when the server has waited long enough for it */
    bool open;              /* nobody is parked any more */
    unsigned alone, calls, largest, left; /* read by the test when all have their answers */
};

static bool joins(void *ctx, const struct http_request *req)
{
    (void)ctx;
    return strncmp(req->path, "/join", 5) == 0;
}

static void say_who(struct http_reply *reply, const struct http_request *req, const char *how)
{
    reply->status = 200;
    reply->type = "text/plain";
    buf_printf(&reply->body, "%s %s %.*s", how, req->path, (int)req->body.n, (const char *)req->body.p);
}

static void handle(void *ctx, const struct http_request *req, struct http_reply *reply)
{
    struct site *s = ctx;
    if (strcmp(req->path, "/hold") == 0) {
        (void)sem_post(&s->held);
        while (sem_wait(&s->go) != 0) continue;
    }
    s->alone += joins(ctx, req);
    say_who(reply, req, "alone");
}

static void together(void *ctx, struct http_turn *v, size_t n)
{
    struct site *s = ctx;
    if (++s->calls == s->slow) {
        (void)sem_post(&s->held);
        while (sem_wait(&s->go) != 0) continue;
        (void)poll(NULL, 0, 100); /* the server has said by now that it is over: nothing shows it */
    }
    if (n > s->largest) s->largest = (unsigned)n;
    for (size_t i = 0; i < n && (i == 0 || !s->one_by_one); i++) {
        v[i].done = true;
        s->left += v[i].req.left;
        if (strcmp(v[i].req.path, "/join/park") == 0 && !v[i].req.woken) {
            v[i].reply.park_ms = 60000;
            (void)sem_post(&s->parked);
            continue;
        }
        if (strcmp(v[i].req.path, "/join/wake") == 0) httpd_wake(s->h);
        say_who(&v[i].reply, &v[i].req, v[i].req.woken ? "woken" : "together");
    }
}

/* stop_ms: httpd_options. */
static void start_to_stop(struct site *s, unsigned stop_ms)
{
    const struct httpd_options opt = {.listen = "127.0.0.1:0",
                                      .max_body = 1000,
                                      .max_clients = 64,
                                      .idle_seconds = 10,
                                      .handler = handle,
                                      .joins = joins,
                                      .together = together,
                                      .stop_ms = stop_ms,
                                      .ctx = s};
    *s = (struct site){0};
    assert_int_equal(sem_init(&s->held, 0, 0), 0);
    assert_int_equal(sem_init(&s->go, 0, 0), 0);
    assert_int_equal(sem_init(&s->parked, 0, 0), 0);
    assert_int_equal(httpd_start(&s->h, &opt, NULL), ERR_OK);
}

static void start(struct site *s)
{
    start_to_stop(s, 0);
}

static void stop(struct site *s)
{
    httpd_stop(s->h);
    (void)sem_destroy(&s->held);
    (void)sem_destroy(&s->go);
    (void)sem_destroy(&s->parked);
}

static void post(int fd, const char *path, size_t no)
{
    char text[200];
    (void)snprintf(text, sizeof text, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n%02zu", path, no);
    say(fd, bytes_of_str(text));
}

/* The server's thread is at work with another request, so that what is sent now is ready when it looks again. */
static int hold(struct site *s)
{
    int fd = dial(httpd_port(s->h));
    post(fd, "/hold", 99);
    while (sem_wait(&s->held) != 0) continue;
    return fd;
}

static void let_go(struct site *s, int fd)
{
    static struct answer a;
    (void)sem_post(&s->go);
    hear(fd, &a);
    assert_int_equal(a.status, 200);
    (void)close(fd);
}

static void expect(int fd, const char *how, const char *path, size_t no)
{
    static struct answer a;
    char want[100];
    hear(fd, &a);
    (void)snprintf(want, sizeof want, "%s %s %02zu", how, path, no);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, want);
}

/* ---- claims */

static void one_that_comes_alone_is_answered_at_once_and_alone(void **state)
{
    (void)state;
    struct site s;
    start(&s);
    int fd = dial(httpd_port(s.h));
    for (size_t i = 0; i < 3; i++) {
        post(fd, "/join", i);
        expect(fd, "alone", "/join", i);
    }
    assert_int_equal(s.calls, 0);
    assert_int_equal(s.alone, 3);
    (void)close(fd);
    stop(&s);
}

static void those_that_are_ready_at_one_moment_are_answered_together(void **state)
{
    (void)state;
    struct site s;
    int fd[5];
    start(&s);
    int held = hold(&s);
    for (size_t i = 0; i < 5; i++) post(fd[i] = dial(httpd_port(s.h)), "/join", i);
    let_go(&s, held);
    for (size_t i = 0; i < 5; i++) expect(fd[i], "together", "/join", i); /* each has its own answer */
    assert_int_equal(s.calls, 1);
    assert_int_equal(s.largest, 5);
    for (size_t i = 0; i < 5; i++) post(fd[i], "/hold/not", i); /* and its connection goes on */
    for (size_t i = 0; i < 5; i++) expect(fd[i], "alone", "/hold/not", i);
    for (size_t i = 0; i < 5; i++) (void)close(fd[i]);
    stop(&s);
}

static void more_than_the_most_come_in_two(void **state)
{
    (void)state;
    struct site s;
    int fd[MOST];
    start(&s);
    int held = hold(&s);
    for (size_t i = 0; i < MOST; i++) post(fd[i] = dial(httpd_port(s.h)), "/join", i);
    let_go(&s, held);
    for (size_t i = 0; i < MOST; i++) expect(fd[i], "together", "/join", i);
    assert_true(s.largest <= HTTP_TOGETHER);
    assert_true(s.calls >= 2);
    for (size_t i = 0; i < MOST; i++) (void)close(fd[i]);
    stop(&s);
}

static void those_that_are_left_come_again_and_say_so(void **state)
{
    (void)state;
    struct site s;
    int fd[4];
    start(&s);
    s.one_by_one = true;
    int held = hold(&s);
    for (size_t i = 0; i < 4; i++) post(fd[i] = dial(httpd_port(s.h)), "/join", i);
    let_go(&s, held);
    for (size_t i = 0; i < 3; i++) expect(fd[i], "together", "/join", i);
    expect(fd[3], "alone", "/join", 3); /* nobody is left beside it */
    assert_int_equal(s.calls, 3);
    assert_int_equal(s.left, 2);
    for (size_t i = 0; i < 4; i++) (void)close(fd[i]);
    stop(&s);
}

static void what_one_of_them_moves_is_news_to_another_that_was_parked_with_it(void **state)
{
    (void)state;
    struct site s;
    start(&s);
    int held = hold(&s), parks = dial(httpd_port(s.h)), wakes = dial(httpd_port(s.h)), other = dial(httpd_port(s.h));
    post(parks, "/join/park", 1);
    post(wakes, "/join/wake", 2);
    let_go(&s, held);
    expect(wakes, "together", "/join/wake", 2);
    assert_int_equal(sem_trywait(&s.parked), 0);
    expect(parks, "alone", "/join/park", 1); /* it was handed over once more, by itself */
    assert_int_equal(s.calls, 1);
    (void)close(parks);
    (void)close(wakes);
    (void)close(other);
    stop(&s);
}

static void a_client_that_leaves_takes_nobody_with_it(void **state)
{
    (void)state;
    struct site s;
    int fd[4];
    for (size_t gone = 0; gone < 4; gone++) {
        start(&s);
        int held = hold(&s);
        for (size_t i = 0; i < 4; i++) post(fd[i] = dial(httpd_port(s.h)), "/join", i);
        (void)close(fd[gone]);
        let_go(&s, held);
        for (size_t i = 0; i < 4; i++)
            if (i != gone) expect(fd[i], "together", "/join", i);
        for (size_t i = 0; i < 4; i++)
            if (i != gone) (void)close(fd[i]);
        stop(&s);
    }
}

static void a_server_that_stops_answers_those_that_wait(void **state)
{
    (void)state;
    struct site s;
    int fd[4];
    static struct answer a;
    start(&s);
    int parks = dial(httpd_port(s.h)), held = hold(&s);
    post(parks, "/join/park", 1);
    post(fd[0] = dial(httpd_port(s.h)), "/join", 0);
    let_go(&s, held);
    expect(fd[0], "together", "/join", 0);
    while (sem_wait(&s.parked) != 0) continue;
    stop(&s);
    hear(parks, &a);
    assert_int_equal(a.status, 503);
    (void)close(parks);
    (void)close(fd[0]);
}

/* It answers no more: but neither does it fall over those who wait behind what takes long. */
static void a_server_that_stops_while_one_of_them_takes_long_ends_all_the_same(void **state)
{
    (void)state;
    struct site s;
    int fd[5];
    start_to_stop(&s, 1);
    s.one_by_one = true;
    s.slow = 2;
    int held = hold(&s);
    for (size_t i = 0; i < 5; i++) post(fd[i] = dial(httpd_port(s.h)), "/join", i);
    let_go(&s, held);
    expect(fd[0], "together", "/join", 0);
    while (sem_wait(&s.held) != 0) continue;
    (void)sem_post(&s.go);
    stop(&s);
    for (size_t i = 0; i < 5; i++) (void)close(fd[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_comes_alone_is_answered_at_once_and_alone),
        cmocka_unit_test(those_that_are_ready_at_one_moment_are_answered_together),
        cmocka_unit_test(more_than_the_most_come_in_two),
        cmocka_unit_test(those_that_are_left_come_again_and_say_so),
        cmocka_unit_test(what_one_of_them_moves_is_news_to_another_that_was_parked_with_it),
        cmocka_unit_test(a_client_that_leaves_takes_nobody_with_it),
        cmocka_unit_test(a_server_that_stops_answers_those_that_wait),
        cmocka_unit_test(a_server_that_stops_while_one_of_them_takes_long_ends_all_the_same),
    };
    return cmocka_run_group_tests_name("httpd_group", tests, NULL, NULL);
}
