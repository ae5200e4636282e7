/* cli/serve_contact.h: when a device that nobody has opened asks for orders. */
#include "cli/serve_contact.h"
#include "tests/lib/mock_hub.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOUR_MS 3600000

static void knocks_that_fail_come_again_in_seconds_and_then_less_and_less_often_up_to_an_hour(void **state)
{
    (void)state;
    int64_t before = 0;
    for (unsigned failures = 1; failures < 40; failures++) {
        int64_t least = serve_contact_knock_ms(failures, 0), most = least;
        for (uint32_t draw = 0; draw < 5000; draw++) {
            int64_t ms = serve_contact_knock_ms(failures, draw * 858993u);
            assert_true(ms >= least && ms <= 2 * least + 1 && ms <= HOUR_MS);
            if (ms > most) most = ms;
        }
        assert_true(most > least + least / 2); /* not all at one moment */
        assert_true(least >= before);
        before = least;
        if (failures == 1) assert_true(least >= 1000 && most <= 10000);
    }
    assert_int_equal(before, HOUR_MS / 2);
    assert_true(serve_contact_knock_ms(0, 0) >= HOUR_MS / 2 && serve_contact_knock_ms(0, UINT32_MAX) <= HOUR_MS);
}

/* A hub that hangs up. */
static int listen_somewhere(uint16_t *out_port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
    *out_port = ntohs(at.sin_port);
    return fd;
}

static bool somebody_comes(int fd, int within_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (poll(&p, 1, within_ms) != 1) return false;
    int got = accept(fd, NULL, NULL);
    if (got >= 0) (void)close(got);
    return got >= 0;
}

static void enrol_at(struct mock_world *w, uint16_t port)
{
    struct why why = {0};
    struct invitation code;
    struct buf request, answer;
    uint8_t keys[PUBLIC_BYTES];
    struct bytes pass = bytes_of_str(MOCK_PASSPHRASE);
    mock_world_bare(w);
    buf_init(&request, 1u << 20);
    buf_init(&answer, 1u << 20);
    mock_hub_invite(&w->hub, &code);
    (void)snprintf(code.address, sizeof code.address, "http://127.0.0.1:%u", port);
    mock_hub_public(&w->hub, keys);
    assert_int_equal(node_enrol_begin(&w->env, w->home, pass, &code, bytes_of(keys, sizeof keys), "Mair Evans", &request, &why),
                     ERR_OK);
    mock_hub_enrol(&w->hub, buf_bytes(&request), &answer);
    assert_int_equal(node_enrol_finish(&w->env, w->home, pass, buf_bytes(&answer), &why), ERR_OK);
    assert_int_equal(node_open(&w->node, &w->env, w->home, pass, &why), ERR_OK);
    node_close(w->node);
    w->node = NULL;
    buf_release(&request);
    buf_release(&answer);
}

static void device_whose_hub_hung_up_knocks_again_within_seconds(void **state)
{
    struct mock_world w;
    struct serve_desk *desk = NULL;
    struct serve_contact *c = NULL;
    uint16_t port = 0;
    int fd = listen_somewhere(&port);
    (void)state;
    enrol_at(&w, port);
    const struct serve_desk_options opt = {.env = &w.env, .home = w.home, .idle_ms = 900000};
    assert_int_equal(serve_desk_new(&desk, &opt, NULL), ERR_OK);
    assert_int_equal(serve_contact_start(&c, &w.env, w.home, desk, NULL), ERR_OK);
    assert_true(somebody_comes(fd, 30000));
    assert_true(somebody_comes(fd, 30000)); /* within some seconds as a rule: the machine may be busy */
    serve_contact_stop(c);
    serve_desk_free(desk);
    mock_world_free(&w);
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knocks_that_fail_come_again_in_seconds_and_then_less_and_less_often_up_to_an_hour),
        cmocka_unit_test(device_whose_hub_hung_up_knocks_again_within_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
