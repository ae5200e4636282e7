/* base/httpd.h where strangers reach it: who is slow is cut, who waits keeps his place, and memory has a bound. */
#include "base/httpd.h"
#include "base/listener.h"
#include "tests/lib/talk.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define BODY 200000

struct site {
    struct httpd *h;
    int64_t concerned;  /* whose keep[0] has news; -1: nobody */
    unsigned calls;
    bool stuck, asks; /* `concerns` does not come back while stuck; it is in there */
};

static int64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* GET /wait/N: parked as N until it is woken; others are answered. */
static void handle(void *ctx, const struct http_request *req, struct http_reply *reply)
{
    struct site *s = ctx;
    __atomic_add_fetch(&s->calls, 1, __ATOMIC_SEQ_CST);
    reply->status = 200;
    reply->type = "text/plain";
    if (strncmp(req->path, "/wait/", 6) != 0) {
        buf_printf(&reply->body, "%zu", req->body.n);
    } else if (req->woken && !req->last_chance && __atomic_load_n(&s->concerned, __ATOMIC_SEQ_CST) == req->kept[0]) {
        buf_printf(&reply->body, "news %lld", (long long)req->kept[0]);
    } else if (req->last_chance) {
        buf_put_str(&reply->body, "no news");
    } else {
        reply->status = 0;
        reply->park_ms = 60000;
        reply->keep[0] = atoi(req->path + 6);
        reply->park_who = (uint64_t)reply->keep[0];
    }
}

static bool concerns(void *ctx, const int64_t keep[HTTP_KEEP])
{
    struct site *s = ctx;
    int64_t until = now_ms() + 20000;
    __atomic_store_n(&s->asks, true, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&s->stuck, __ATOMIC_SEQ_CST) && now_ms() < until) (void)poll(NULL, 0, 2);
    return __atomic_load_n(&s->concerned, __ATOMIC_SEQ_CST) == keep[0];
}

static struct httpd_options options(struct site *s)
{
    *s = (struct site){.concerned = -1};
    return (struct httpd_options){.listen = "127.0.0.1:0",
                                  .max_body = BODY,
                                  .max_clients = 16,
                                  .max_parked = 8,
                                  .idle_seconds = 1,
                                  .head_seconds = 1,
                                  .min_rate = 1000,
                                  .concerns = concerns,
                                  .handler = handle,
                                  .ctx = s};
}

static void start(struct site *s, const struct httpd_options *opt)
{
    struct why why = {0};
    if (httpd_start(&s->h, opt, &why) != ERR_OK) fail_msg("%s", why.text);
}

static void parked(const struct site *s, size_t n)
{
    struct httpd_load load = {0};
    int64_t until = now_ms() + 4000;
    do httpd_load(s->h, &load);
    while (load.parked != n && now_ms() < until && poll(NULL, 0, 5) == 0);
    assert_int_equal(load.parked, n);
}

static int wait_as(const struct site *s, int who)
{
    char head[80];
    int fd = dial(httpd_port(s->h));
    (void)snprintf(head, sizeof head, "GET /wait/%d HTTP/1.1\r\nHost: x\r\n\r\n", who);
    say(fd, bytes_of_str(head));
    return fd;
}

static bool is_cut(int fd)
{
    char byte;
    return recv(fd, &byte, 1, 0) <= 0;
}

static bool is_silent(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 0;
}

static void guard_cuts_who_never_brings_a_request(void **state)
{
    (void)state;
    struct site s;
    struct httpd_options opt = options(&s);
    start(&s, &opt);
    int64_t begun = now_ms();
    int trickle = dial(httpd_port(s.h)), mute = dial(httpd_port(s.h)), waits = wait_as(&s, 1);
    struct pollfd p = {.fd = trickle, .events = POLLIN};
    say(trickle, bytes_of_str("GET / HTTP/1.1\r\nX: "));
    while (poll(&p, 1, 100) == 0 && now_ms() - begun < 6000) say(trickle, bytes_of_str("x"));
    assert_true(is_cut(trickle));
    assert_true(is_cut(mute));
    assert_true(now_ms() - begun < 4000);
    assert_true(is_silent(waits)); /* as long as it may */
    assert_int_equal(__atomic_load_n(&s.calls, __ATOMIC_SEQ_CST), 1);
    (void)close(trickle);
    (void)close(mute);
    (void)close(waits);
    httpd_stop(s.h);
}

static void guard_cuts_a_body_that_trickles(void **state)
{
    (void)state;
    struct site s;
    struct httpd_options opt = options(&s);
    start(&s, &opt);
    int64_t begun = now_ms();
    int fd = dial(httpd_port(s.h));
    struct pollfd p = {.fd = fd, .events = POLLIN};
    say(fd, bytes_of_str("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"));
    while (poll(&p, 1, 100) == 0 && now_ms() - begun < 6000) say(fd, bytes_of_str("x"));
    assert_true(is_cut(fd));
    assert_true(now_ms() - begun < 4500);
    (void)close(fd);
    httpd_stop(s.h);
}

static void guard_makes_place_for_the_next(void **state)
{
    (void)state;
    struct site s;
    static struct answer a;
    struct httpd_options opt = options(&s);
    int mute[40], waits[8];
    opt.head_seconds = 60;
    opt.idle_seconds = 60;
    start(&s, &opt);
    for (int i = 0; i < 8; i++) waits[i] = wait_as(&s, i + 1);
    parked(&s, 8);
    for (int i = 0; i < 40; i++) {
        mute[i] = dial(httpd_port(s.h));
        talk(httpd_port(s.h), "GET / HTTP/1.1\r\nHost: x\r\n\r\n", bytes_of(NULL, 0), &a);
        assert_int_equal(a.status, 200);
    }
    assert_true(is_cut(mute[0]));
    for (int i = 0; i < 8; i++) assert_true(is_silent(waits[i]));
    talk(httpd_port(s.h), "GET /wait/9 HTTP/1.1\r\nHost: x\r\n\r\n", bytes_of(NULL, 0), &a);
    assert_int_equal(a.status, 503); /* no more places for those who wait */
    assert_non_null(strcasestr(a.head, "\r\nRetry-After: "));
    for (int i = 0; i < 40; i++) (void)close(mute[i]);
    for (int i = 0; i < 8; i++) (void)close(waits[i]);
    httpd_stop(s.h);
}

static void guard_lets_large_bodies_share_their_room(void **state)
{
    (void)state;
    struct site s;
    static struct answer a;
    static char body[BODY];
    struct httpd_options opt = options(&s);
    opt.max_held = 250000;
    opt.head_seconds = 60;
    start(&s, &opt);
    int half = dial(httpd_port(s.h));
    struct httpd_load load = {0};
    say(half, bytes_of_str("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n"));
    say(half, bytes_of(body, 150000));
    for (int64_t until = now_ms() + 4000; load.held < 150000 && now_ms() < until; (void)poll(NULL, 0, 5)) httpd_load(s.h, &load);
    assert_int_equal(load.held, 150000);
    talk(httpd_port(s.h), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 150000\r\n\r\n", bytes_of(NULL, 0), &a);
    assert_int_equal(a.status, 503);
    assert_non_null(strcasestr(a.head, "\r\nRetry-After: "));
    talk(httpd_port(s.h), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n", bytes_of(body, 60000), &a);
    assert_int_equal(a.status, 200); /* small ones always have room */
    say(half, bytes_of(body, 50000));
    hear(half, &a);
    assert_int_equal(a.status, 200);
    (void)close(half);
    talk(httpd_port(s.h), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 150000\r\n\r\n", bytes_of(body, 150000), &a);
    assert_int_equal(a.status, 200); /* and what was given back is there for the next */
    httpd_stop(s.h);
}

static void a_body_that_stalls_keeps_nobody_out_for_long(void **state)
{
    (void)state;
    struct site s;
    static struct answer a;
    static char body[BODY];
    struct httpd_options opt = options(&s);
    opt.max_held = 250000;
    opt.min_rate = 10; /* by which it would have hours */
    opt.idle_seconds = 60;
    start(&s, &opt);
    int half = dial(httpd_port(s.h));
    say(half, bytes_of_str("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n"));
    say(half, bytes_of(body, 150000));
    struct httpd_load load = {0};
    for (int64_t until = now_ms() + 4000; load.held < 150000 && now_ms() < until; (void)poll(NULL, 0, 5)) httpd_load(s.h, &load);
    int64_t until = now_ms() + 6000;
    do talk(httpd_port(s.h), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 150000\r\n\r\n", bytes_of(body, 150000), &a);
    while (a.status != 200 && now_ms() < until && poll(NULL, 0, 100) == 0);
    assert_int_equal(a.status, 200);
    assert_true(is_cut(half));
    (void)close(half);
    httpd_stop(s.h);
}

static void parked_ones_are_asked_only_about_their_own_news(void **state)
{
    (void)state;
    struct site s;
    static struct answer a;
    struct httpd_options opt = options(&s);
    int fd[8];
    start(&s, &opt);
    for (int i = 0; i < 8; i++) fd[i] = wait_as(&s, i + 1);
    parked(&s, 8);
    unsigned before = __atomic_load_n(&s.calls, __ATOMIC_SEQ_CST);
    __atomic_store_n(&s.concerned, 6, __ATOMIC_SEQ_CST);
    httpd_wake(s.h);
    hear(fd[5], &a);
    assert_string_equal(a.body, "news 6");
    parked(&s, 7);
    assert_true(__atomic_load_n(&s.calls, __ATOMIC_SEQ_CST) <= before + 4); /* not one call for each */
    for (int i = 0; i < 8; i++)
        if (i != 5) assert_true(is_silent(fd[i]));
    for (int i = 0; i < 8; i++) (void)close(fd[i]);
    parked(&s, 0); /* that they left is seen without anybody asking */
    httpd_stop(s.h);
}

/* The store is away just then. Whoever wakes, counts, or looks whether clients have left does not wait for it; what
 * woke meanwhile is asked about again. */
static void nobody_waits_for_a_store_that_is_asked_about_news(void **state)
{
    (void)state;
    struct site s;
    static struct answer a;
    struct httpd_options opt = options(&s);
    struct httpd_load load = {0};
    int fd[8];
    start(&s, &opt);
    for (int i = 0; i < 8; i++) fd[i] = wait_as(&s, i + 1);
    parked(&s, 8);
    __atomic_store_n(&s.asks, false, __ATOMIC_SEQ_CST);
    __atomic_store_n(&s.stuck, true, __ATOMIC_SEQ_CST);
    httpd_wake(s.h);
    int64_t until = now_ms() + 20000;
    while (!__atomic_load_n(&s.asks, __ATOMIC_SEQ_CST) && now_ms() < until) (void)poll(NULL, 0, 2);
    int64_t began = now_ms();
    httpd_load(s.h, &load);
    __atomic_store_n(&s.concerned, 5, __ATOMIC_SEQ_CST);
    httpd_wake(s.h);
    (void)close(fd[7]);
    assert_true(load.parked >= 6 && load.parked <= 8); /* those that are to be handed over next wait for the server's thread */
    parked(&s, load.parked - 1);                       /* its client left */
    assert_true(now_ms() - began < 10000);
    __atomic_store_n(&s.stuck, false, __ATOMIC_SEQ_CST);
    hear(fd[4], &a);
    assert_string_equal(a.body, "news 5");
    parked(&s, 6);
    for (int i = 0; i < 7; i++)
        if (i != 4) assert_true(is_silent(fd[i]));
    for (int i = 0; i < 7; i++) (void)close(fd[i]);
    httpd_stop(s.h);
}

static void parked_again_on_another_connection_holds_one_place(void **state)
{
    (void)state;
    struct site s;
    struct httpd_options opt = options(&s);
    start(&s, &opt);
    int first = wait_as(&s, 3), second;
    parked(&s, 1);
    second = wait_as(&s, 3);
    assert_true(is_cut(first));
    parked(&s, 1);
    assert_true(is_silent(second));
    (void)close(first);
    (void)close(second);
    httpd_stop(s.h);
}

static void httpd_listens_at_a_path(void **state)
{
    (void)state;
    struct site s, other;
    struct httpd_options opt = options(&s), second = options(&other);
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    static struct answer a;
    char dir[] = "/tmp/spoke-XXXXXX", path[60], listen_at[80];
    struct why why = {0};
    struct stat st;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/s", dir);
    (void)snprintf(listen_at, sizeof listen_at, "unix:%s", path);
    opt.listen = second.listen = listen_at;
    start(&s, &opt);
    assert_int_equal(httpd_port(s.h), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0660);
    (void)snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    say(fd, bytes_of_str("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
    hear(fd, &a);
    assert_int_equal(a.status, 200);
    (void)close(fd);
    assert_int_equal(httpd_start(&other.h, &second, &why), ERR_BUSY);
    httpd_stop(s.h);
    assert_int_not_equal(stat(path, &st), 0);
    second.listen = "unix:relative/path";
    assert_int_equal(httpd_start(&other.h, &second, &why), ERR_USAGE);
    second.listen = "unix:/nowhere/at/all/s";
    assert_int_equal(httpd_start(&other.h, &second, &why), ERR_USAGE);
    (void)rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guard_cuts_who_never_brings_a_request),
        cmocka_unit_test(guard_cuts_a_body_that_trickles),
        cmocka_unit_test(guard_makes_place_for_the_next),
        cmocka_unit_test(guard_lets_large_bodies_share_their_room),
        cmocka_unit_test(a_body_that_stalls_keeps_nobody_out_for_long),
        cmocka_unit_test(parked_ones_are_asked_only_about_their_own_news),
        cmocka_unit_test(nobody_waits_for_a_store_that_is_asked_about_news),
        cmocka_unit_test(parked_again_on_another_connection_holds_one_place),
        cmocka_unit_test(httpd_listens_at_a_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
