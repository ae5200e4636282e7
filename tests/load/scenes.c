/* What comes over the wire. */
#include <sys/resource.h>

#include "tests/load/load.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Each a head that never ends, a byte a second: for a server that only asks whether something came they are busy for
 * ever. */
void scene_loris(struct load *l, bool full)
{
    size_t n = full ? 2000 : 2300, cut = 0; /* the short one has no time to wait: more than the places of those who only came */
    int *fds = calloc(n, sizeof *fds);
    char byte;
    if (fds == NULL) load_fail("no memory");
    load_serve(l);
    load_witness(l, "before", full ? 3 : 0.15, 1000);
    for (size_t i = 0; i < n; i++) {
        if ((fds[i] = load_dial(l)) < 0) load_fail("connection %zu of %zu is refused", i, n);
        (void)load_say(fds[i], "POST /v1/exchange HTTP/1.1\r\nX", 29);
    }
    load_witness(l, "while they trickle", full ? 3 : 0.5, 1000);
    for (int s = 0; full && s < 25; s++) {
        for (size_t i = 0; i < n; i++) (void)load_say(fds[i], "x", 1);
        load_witness(l, "while they trickle", 1, 1000);
    }
    for (size_t i = 0; i < n; i++) {
        struct pollfd p = {.fd = fds[i], .events = POLLIN};
        cut += poll(&p, 1, 0) > 0 && read(fds[i], &byte, 1) <= 0;
        (void)close(fds[i]);
    }
    printf("  %zu of %zu were cut\n", cut, n);
    if (cut < (full ? n : n - 2100)) load_fail("connections that bring nothing are kept");
    free(fds);
}

/* ---------------------------------------------------------------------------------------------------------- parked */

static int send_waiting(struct load *l, struct fake_node *n)
{
    char head[300];
    n->wait_ms = 600000;
    fake_node_pack(n);
    n->wait_ms = 0;
    load_head(head, "/v1/exchange", n->sent.len, 600);
    int fd = load_dial(l);
    if (fd < 0 || !load_say(fd, head, strlen(head)) || !load_say(fd, n->sent.data, n->sent.len))
        load_fail("a device cannot wait");
    return fd;
}

static size_t answered(const int *fds, size_t n)
{
    size_t yes = 0;
    for (size_t i = 0; i < n; i++) {
        struct pollfd p = {.fd = fds[i], .events = POLLIN};
        yes += poll(&p, 1, 0) > 0;
    }
    return yes;
}

/* Fetches what there is. */
static void fetch(struct load *l, struct fake_node *n)
{
    char head[300];
    fake_node_pack(n);
    load_head(head, "/v1/exchange", n->sent.len, 0);
    int fd = load_dial(l);
    buf_reset(&n->got);
    if (fd < 0 || !load_say(fd, head, strlen(head)) || !load_say(fd, n->sent.data, n->sent.len) || load_hear(fd, &n->got) != 200)
        load_fail("a device is not answered while others wait");
    (void)close(fd);
    fake_node_read(n);
}

void scene_parked(struct load *l, bool full)
{
    size_t n = l->n_others, police = l->n_police;
    int *fds = calloc(n, sizeof *fds);
    if (fds == NULL) load_fail("no memory");
    load_serve(l);
    load_witness(l, "before", full ? 3 : 0.15, 1000);
    size_t before = load_rss_kb(l, "VmRSS:");
    for (size_t i = police; i < n; i++) fds[i] = send_waiting(l, &l->others[i]);
    load_witness(l, "they wait; edits that concern none of them", full ? 10 : 0.5, 1000);
    size_t after = load_rss_kb(l, "VmRSS:");
    printf("  %zu wait: %.1f KB each\n", n - police, (double)(after - before) / (double)(n - police));
    if (answered(fds + police, n - police) != 0) load_fail("somebody was answered whom nothing concerns");
    for (size_t i = 0; i < police; i++) {
        do fetch(l, &l->others[i]);
        while (l->others[i].hello.more);
        fds[i] = send_waiting(l, &l->others[i]);
    }
    if (!load_round(l)) load_fail("the edit was put off");
    double began = load_now_ms(), worked = load_cpu_ms(l);
    while (answered(fds, police) < police) {
        if (load_now_ms() - began > 10000) load_fail("%zu of %zu were told the news", answered(fds, police), police);
        (void)usleep(2000);
    }
    printf("  one edit reaches %zu of them after %.0f ms, %.0f of the server's processor\n", police, load_now_ms() - began,
           load_cpu_ms(l) - worked);
    if (answered(fds + police, n - police) != 0) load_fail("somebody was answered whom nothing concerns");
    for (size_t i = 0; i < n; i++) (void)close(fds[i]);
    load_witness(l, "after they left", full ? 3 : 0.15, 1000);
    free(fds);
}

/* ---------------------------------------------------------------------------------------------------------- giant */

#define MB ((size_t)1 << 20)

/* How many of the n bytes were taken before the server had enough. */
static size_t pour(int fd, const char *megabyte, size_t n)
{
    size_t sent = 0;
    while (sent < n && load_say(fd, megabyte, MB)) sent += MB;
    return sent;
}

void scene_giant(struct load *l, bool full)
{
    static const char chunked[] = "POST /v1/exchange HTTP/1.1\r\nHost: hub\r\nTransfer-Encoding: chunked\r\n\r\n40000000\r\n";
    char head[300], *megabyte = calloc(1, MB);
    size_t n = full ? 12 : 3, each = (full ? 100 : 10) * MB;
    int fds[12];
    if (megabyte == NULL) load_fail("no memory");
    load_serve(l);
    load_witness(l, "before", 0.15, 1000);
    load_head(head, "/v1/exchange", 1024 * MB, 0);
    int fd = load_dial(l);
    if (!load_say(fd, head, strlen(head)) || load_hear(fd, NULL) != 413) load_fail("1 GB that was announced is not refused");
    (void)close(fd);
    fd = load_dial(l);
    (void)load_say(fd, chunked, sizeof chunked - 1);
    size_t sent = full ? pour(fd, megabyte, 1024 * MB) : 0;
    (void)close(fd);
    printf("  1 GB without its length: cut after %zu MB\n", sent / MB);
    if (sent > 400 * MB) load_fail("1 GB is taken");
    for (size_t i = 0; i < n; i++) {
        fds[i] = load_dial(l);
        load_head(head, "/v1/exchange", each + 10, 0);
        if (load_say(fds[i], head, strlen(head))) (void)pour(fds[i], megabyte, each);
    }
    load_witness(l, "while large requests hang half way", full ? 3 : 0.5, 1000);
    size_t most = load_rss_kb(l, "VmHWM:") / 1024;
    printf("  %zu of %zu MB each: the server had %zu MB at most\n", n, each / MB, most);
    if (most > 900) load_fail("memory is not bounded");
    for (size_t i = 0; i < n; i++) (void)close(fds[i]);
    load_witness(l, "after", 0.5, 1000);
    free(megabyte);
}

/* ---------------------------------------------------------------------------------------------------------- flood */

void scene_flood(struct load *l, bool full)
{
    struct fake_node *n = &l->others[l->n_others - 1];
    double seconds = full ? 20 : 1;
    size_t sent = 0, refused = 0;
    char head[300];
    load_serve(l);
    load_witness(l, "before", full ? 3 : 0.15, 1000);
    fake_node_pack(n);
    load_head(head, "/v1/exchange", n->sent.len, 0);
    /* The same request again and again is answered without work; so its beginning is right, and the rest is not. */
    n->sent.data[n->sent.len - 1] ^= 1;
    int fd = load_dial(l);
    for (double until = load_now_ms() + seconds * 1000, next = 0; load_now_ms() < until; sent++) {
        if (fd < 0) fd = load_dial(l);
        int status = load_say(fd, head, strlen(head)) && load_say(fd, n->sent.data, n->sent.len) ? load_hear(fd, NULL) : 0;
        if (status == 200) load_fail("a damaged request is taken");
        refused += status == 503;
        if (status == 0) {
            (void)close(fd);
            fd = -1;
        }
        if (load_now_ms() < next) continue;
        (void)load_round(l);
        next = load_now_ms() + 60;
    }
    if (fd >= 0) (void)close(fd);
    printf("  %.0f bundles a second, %zu of %zu told to come later\n", (double)sent / seconds, refused, sent);
    load_witness(l, "after", full ? 3 : 0.15, 1000);
}
