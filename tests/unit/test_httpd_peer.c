/* httpd_options.own_user: who else works on this computer reaches nothing. */
#include "base/httpd.h"
#include "base/httpd_peer.h"
#include "tests/lib/talk.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define ASK    "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
#define NOBODY 65534

static void handle(void *ctx, const struct http_request *req, struct http_reply *reply)
{
    (void)ctx, (void)req;
    reply->status = 200;
    buf_put_str(&reply->body, "told");
}

static struct httpd *start(const char *listen, bool own_user)
{
    struct httpd *h = NULL;
    const struct httpd_options opt = {.listen = listen,
                                      .max_body = 100,
                                      .max_clients = 4,
                                      .idle_seconds = 10,
                                      .handler = handle,
                                      .own_user = own_user};
    assert_int_equal(httpd_start(&h, &opt, NULL), ERR_OK);
    return h;
}

static bool is_answered(unsigned port)
{
    static struct answer a;
    talk(port, ASK, bytes_of(NULL, 0), &a);
    return a.status == 200;
}

/* Whoever runs this may try as somebody else if it is root. */
static bool stranger_is_answered(unsigned port)
{
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (setuid(NOBODY) != 0) _exit(2);
        _exit(is_answered(port) ? 1 : 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
    return WEXITSTATUS(status) == 1;
}

static void peer_of_the_same_user_is_answered(void **state)
{
    (void)state;
    struct httpd *h = start("127.0.0.1:0", true);
    for (int i = 0; i < 20; i++) assert_true(is_answered(httpd_port(h)));
    httpd_stop(h);
}

static void peer_of_another_user_is_hung_up_on(void **state)
{
    (void)state;
    if (geteuid() != 0) skip(); /* only root can be somebody else */
    struct httpd *all = start("127.0.0.1:0", false), *h = start("127.0.0.1:0", true);
    assert_true(stranger_is_answered(httpd_port(all)));
    assert_false(stranger_is_answered(httpd_port(h)));
    assert_true(is_answered(httpd_port(h)));
    httpd_stop(h);
    httpd_stop(all);
}

/* Nor can they take all places: there are four here. */
static void peer_of_another_user_takes_nobodys_place(void **state)
{
    (void)state;
    int ready[2], done[2], status = 0;
    char byte = 0;
    if (geteuid() != 0) skip();
    struct httpd *h = start("127.0.0.1:0", true);
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(done), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(done[1]);
        if (setuid(NOBODY) != 0) _exit(2);
        for (int i = 0; i < 16; i++) (void)dial(httpd_port(h));
        if (write(ready[1], "x", 1) != 1) _exit(2);
        _exit(read(done[0], &byte, 1) == 0 ? 0 : 2);
    }
    (void)close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_true(is_answered(httpd_port(h)));
    (void)close(done[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    (void)close(ready[0]);
    (void)close(done[0]);
    httpd_stop(h);
}

/* ---- what the system says */
static union peer_address v4(const char *host, uint16_t port)
{
    union peer_address a = {.v4 = {.sin_family = AF_INET, .sin_port = htons(port)}};
    assert_int_equal(inet_pton(AF_INET, host, &a.v4.sin_addr), 1);
    return a;
}

static void peer_is_known_by_both_ends_of_an_open_connection(void **state)
{
    (void)state;
    const union peer_address from = v4("127.0.0.1", 0x9C40), to = v4("127.0.0.1", 0x2117);
    const union peer_address other = v4("127.0.0.2", 0x2117);
    char line[256], local[16], remote[16], elsewhere[16];
    uint32_t uid = 7;
    (void)snprintf(local, sizeof local, "%08X:%04X", from.v4.sin_addr.s_addr, 0x9C40u);
    (void)snprintf(remote, sizeof remote, "%08X:%04X", to.v4.sin_addr.s_addr, 0x2117u);
    (void)snprintf(elsewhere, sizeof elsewhere, "%08X:%04X", other.v4.sin_addr.s_addr, 0x2117u);
    const struct {
        const char *local, *remote, *state;
        bool fits;
    } lines[] = {
        {local, remote, "01", true},     {remote, local, "01", false}, /* our own end */
        {local, elsewhere, "01", false},                               /* the same port of theirs, another address */
        {local, remote, "06", false},    {local, remote, "04", false}, /* closed: told as root's */
        {local, remote, "0A", false},
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        (void)snprintf(line, sizeof line, "   3: %s %s %s 00000000:00000000 00:00000000 00000000  1000        0 52 1\n",
                       lines[i].local, lines[i].remote, lines[i].state);
        if (peer_line(line, &from, &to, &uid) != lines[i].fits) fail_msg("line %zu", i);
    }
    assert_int_equal(uid, 1000);
    assert_false(peer_line("", &from, &to, &uid));
    assert_false(peer_line("  sl  local_address rem_address   st tx_queue", &from, &to, &uid));
    (void)snprintf(line, sizeof line, "   3: %s %s 01 00000000:0000", local, remote); /* cut short */
    assert_false(peer_line(line, &from, &to, &uid));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(peer_of_the_same_user_is_answered),
        cmocka_unit_test(peer_of_another_user_is_hung_up_on),
        cmocka_unit_test(peer_of_another_user_takes_nobodys_place),
        cmocka_unit_test(peer_is_known_by_both_ends_of_an_open_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
