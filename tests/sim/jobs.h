/* A range of seeds shared out among processes. */
#ifndef SPOKE_TESTS_SIM_JOBS_H
#define SPOKE_TESTS_SIM_JOBS_H

#include <stdint.h>

#define JOBS_MOST 64u

struct jobs_work {
    void *ctx;
    /* Runs n seeds from first and adds to the numbers. What fails says so on stderr and ends the process. */
    void (*run)(void *ctx, uint64_t first, uint64_t n, uint64_t *numbers);
    unsigned n_numbers;
};

/* n seeds from first, by that many processes at once, each with a stretch of its own; the sum of what they counted
 * comes into numbers. One job is this process. The first that fails ends the others, and this process with its exit
 * code. */
void jobs_run(const struct jobs_work *w, unsigned jobs, const uint64_t range[2], uint64_t *numbers);

#endif
