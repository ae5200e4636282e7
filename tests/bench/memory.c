/* The memory that a device needs for its first copy of a hundred thousand rows: a process of its own opens the home and
 * takes the answers of a hub in this one. Opening derives a key from the passphrase, which is meant to need much
 * memory; so the peak is told for both apart. */
#include "tests/lib/bench_world.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void move(int fd, void *p, size_t n, bool out)
{
    for (size_t at = 0; at < n;) {
        ssize_t got = out ? write(fd, (char *)p + at, n - at) : read(fd, (char *)p + at, n - at);
        if (got <= 0) bench_fail("the other process is gone");
        at += (size_t)got;
    }
}

/* Kilobytes on a line of /proc/self/status. */
static long status(const char *name)
{
    char line[256];
    long kb = 0;
    FILE *f = fopen("/proc/self/status", "re");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, name, strlen(name)) == 0) kb = strtol(line + strlen(name), NULL, 10);
    if (f != NULL) (void)fclose(f);
    return kb;
}

static void forget_peak(void)
{
    int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "5", 1) != 1) bench_fail("the peak cannot be set back");
    (void)close(fd);
}

static enum err over_socket(void *ctx, struct bytes request, uint64_t from, uint64_t wait_ms,
                            enum err (*sink)(void *sink_ctx, struct bytes piece, struct why *why), void *sink_ctx,
                            struct why *why)
{
    int fd = *(int *)ctx;
    static uint8_t piece[65536];
    uint64_t n = request.n;
    enum err e = ERR_OK;
    (void)from;
    (void)wait_ms;
    move(fd, &n, sizeof n, true);
    move(fd, (void *)(uintptr_t)request.p, request.n, true);
    move(fd, &n, sizeof n, false);
    for (uint64_t at = 0; e == ERR_OK && at < n;) {
        size_t k = n - at < sizeof piece ? (size_t)(n - at) : sizeof piece;
        move(fd, piece, k, false);
        e = sink(sink_ctx, bytes_of(piece, k), why);
        at += k;
    }
    return e;
}

static int device(const char *home, int fd)
{
    struct why why = {0};
    struct node *n = NULL;
    struct round_result r;
    uint64_t end = 0;
    const struct carrier via = {.ctx = &fd, .exchange = over_socket};
    BENCH_MUST(secret_start(&why));
    BENCH_MUST(node_open(&n, env_posix(), home, bytes_of_str(BENCH_PASSPHRASE), &why));
    long opening = status("VmHWM:");
    forget_peak();
    long before = status("VmRSS:");
    BENCH_MUST(node_sync(n, &via, NULL, &r, &why));
    (void)printf(
        "a first copy of %llu rows: at most %.1f MB while it came (aim 24), %.1f MB after it (aim 16), %.1f MB "
        "before; %.1f MB while the passphrase was judged\n",
        (unsigned long long)r.rows_in, (double)status("VmHWM:") / 1e3, (double)status("VmRSS:") / 1e3,
        (double)before / 1e3, (double)opening / 1e3);
    (void)fflush(stdout);
    move(fd, &end, sizeof end, true);
    node_close(n);
    return 0;
}

static void serve(struct bench_world *w, int fd)
{
    for (;;) {
        struct bench_round r = {0};
        uint64_t n = 0;
        move(fd, &n, sizeof n, false);
        if (n == 0) return;
        buf_init(&r.request, BUNDLE_MAX);
        buf_init(&r.answer, BUNDLE_MAX);
        uint8_t *p = buf_grow(&r.request, (size_t)n);
        if (p == NULL) bench_fail("no memory");
        move(fd, p, (size_t)n, false);
        bench_answer(&r, w);
        n = r.answer.len;
        move(fd, &n, sizeof n, true);
        move(fd, r.answer.data, r.answer.len, true);
        buf_release(&r.request);
        buf_release(&r.answer);
    }
}

int main(int argc, char **argv)
{
    static struct bench_world w;
    int pair[2], status_of = 0;
    char home[128], fd[16];
    if (argc == 3) return device(argv[1], atoi(argv[2]));
    bench_world_start(&w);
    node_close(bench_world_device(&w));
    (void)snprintf(home, sizeof home, "%s/home-%u", w.hub.dir, w.n_homes - 1);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) bench_fail("no socket");
    (void)snprintf(fd, sizeof fd, "%d", pair[1]);
    pid_t child = fork();
    if (child == 0) {
        (void)execl("/proc/self/exe", argv[0], home, fd, (char *)NULL);
        _exit(1);
    }
    (void)close(pair[1]);
    serve(&w, pair[0]);
    (void)waitpid(child, &status_of, 0);
    bench_world_stop(&w);
    return status_of == 0 ? 0 : 1;
}
