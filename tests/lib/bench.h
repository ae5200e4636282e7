/* For the benches: time, medians, and the line that each of them prints. What goes wrong ends the program. */
#ifndef SPOKE_TESTS_LIB_BENCH_H
#define SPOKE_TESTS_LIB_BENCH_H

#include "base/err.h"

#include <stddef.h>

#define BENCH_MAX_REPEATS 64u

void bench_must(enum err e, const struct why *why, const char *file, int line);
#define BENCH_MUST(call) bench_must(call, &why, __FILE__, __LINE__)
void bench_fail(const char *what) __attribute__((noreturn));

struct bench_time {
    double wall, cpu; /* milliseconds; cpu: of this process, which says more where other programs run beside it */
};
struct bench_time bench_now(void);
struct bench_time bench_since(struct bench_time start);
struct bench_time bench_sum(struct bench_time a, struct bench_time b);
/* The first argument of the program as a number of repeats. */
size_t bench_repeats(int argc, char **argv, size_t usual);
/* Of each of the two by itself. */
struct bench_time bench_median(const struct bench_time *v, size_t n);
struct bench_time bench_least(const struct bench_time *v, size_t n); /* likewise */

struct bench_pair { /* of each repeat */
    struct bench_time ours[BENCH_MAX_REPEATS], raw[BENCH_MAX_REPEATS];
    size_t n;
};
/* Medians, the processor's share of them, and the least of each; `aim`: how fast it should be, the raw limit being 1;
 * 0: none is set. */
void bench_print(const char *name, const struct bench_pair *p, double aim);
/* A time alone, with the time that it should not exceed; 0: none is set. */
void bench_print_time(const char *name, const struct bench_time *v, size_t n, double aim_ms);
/* How often a folder's disk syncs a page in a second: no time that ends in a commit means anything without it. */
void bench_print_syncs(const char *dir);

#endif
