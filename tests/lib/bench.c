#include "tests/lib/bench.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void bench_must(enum err e, const struct why *why, const char *file, int line)
{
    if (e == ERR_OK) return;
    (void)fprintf(stderr, "%s:%d: %s: %s\n", file, line, err_word(e), why->text);
    exit(1);
}

void bench_fail(const char *what)
{
    (void)fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

static double read_clock(clockid_t clock)
{
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

struct bench_time bench_now(void)
{
    return (struct bench_time){read_clock(CLOCK_MONOTONIC), read_clock(CLOCK_PROCESS_CPUTIME_ID)};
}

struct bench_time bench_since(struct bench_time start)
{
    struct bench_time now = bench_now();
    return (struct bench_time){now.wall - start.wall, now.cpu - start.cpu};
}

struct bench_time bench_sum(struct bench_time a, struct bench_time b)
{
    return (struct bench_time){a.wall + b.wall, a.cpu + b.cpu};
}

size_t bench_repeats(int argc, char **argv, size_t usual)
{
    long n = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    return n >= 1 && n <= (long)BENCH_MAX_REPEATS ? (size_t)n : usual;
}

static int by_size(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static double middle(double *v, size_t n)
{
    qsort(v, n, sizeof *v, by_size);
    return n % 2 == 1 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

struct bench_time bench_median(const struct bench_time *v, size_t n)
{
    double wall[BENCH_MAX_REPEATS], cpu[BENCH_MAX_REPEATS];
    if (n == 0 || n > BENCH_MAX_REPEATS) bench_fail("no repeats, or too many");
    for (size_t i = 0; i < n; i++) {
        wall[i] = v[i].wall;
        cpu[i] = v[i].cpu;
    }
    return (struct bench_time){middle(wall, n), middle(cpu, n)};
}

struct bench_time bench_least(const struct bench_time *v, size_t n)
{
    struct bench_time t = v[0];
    for (size_t i = 1; i < n; i++) {
        if (v[i].wall < t.wall) t.wall = v[i].wall;
        if (v[i].cpu < t.cpu) t.cpu = v[i].cpu;
    }
    return t;
}

void bench_print(const char *name, const struct bench_pair *p, double aim)
{
    struct bench_time ours = bench_median(p->ours, p->n), raw = bench_median(p->raw, p->n);
    (void)printf("%s: ours %.2f ms, raw %.2f ms, ratio %.2f", name, ours.wall, raw.wall, raw.wall / ours.wall);
    if (aim > 0) (void)printf(" (aim %.2f)", aim);
    (void)printf("; processor %.2f ms, %.2f ms, %.2f", ours.cpu, raw.cpu, raw.cpu / ours.cpu);
    ours = bench_least(p->ours, p->n);
    raw = bench_least(p->raw, p->n);
    (void)printf("; least %.2f ms, %.2f ms, %.2f; processor %.2f ms, %.2f ms, %.2f\n", ours.wall, raw.wall,
                 raw.wall / ours.wall, ours.cpu, raw.cpu, raw.cpu / ours.cpu);
    (void)fflush(stdout);
}

void bench_print_time(const char *name, const struct bench_time *v, size_t n, double aim_ms)
{
    struct bench_time t = bench_median(v, n);
    (void)printf("%s: ours %.2f ms", name, t.wall);
    if (aim_ms > 0) (void)printf(" (aim at most %.1f ms)", aim_ms);
    (void)printf("; processor %.2f ms\n", t.cpu);
    (void)fflush(stdout);
}

void bench_print_syncs(const char *dir)
{
    char path[256];
    uint8_t page[4096] = {1};
    int n = 0;
    (void)snprintf(path, sizeof path, "%s/sync", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct bench_time start = bench_now();
    double ms = 0;
    while (fd >= 0 && n < 500 && ms < 500) {
        if (pwrite(fd, page, sizeof page, (off_t)n * 4096) != (ssize_t)sizeof page || fdatasync(fd) != 0) break;
        n++;
        ms = bench_since(start).wall;
    }
    if (fd >= 0) (void)close(fd);
    (void)unlink(path);
    (void)printf("the disk syncs %.0f times a second\n", ms > 0 ? n * 1e3 / ms : 0);
}
