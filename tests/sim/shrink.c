#include "tests/sim/shrink.h"

#include "tests/sim/seer.h"
#include "tests/sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct shrinking {
    uint64_t seed;
    unsigned n; /* planned events */
    bool oracle;
    int invariant; /* that the whole run breaks */
};

/* In a process of its own: what fails ends it. */
static _Noreturn void child(const struct shrinking *w, const bool *skip, bool loud)
{
    struct sim_options opt = {.n_events = w->n, .skip = skip, .loud = loud, .oracle_fd = -1};
    struct seer seer = {0};
    if (w->oracle && seer_start(&seer) != 0) exit(2);
    if (w->oracle) opt.oracle_fd = seer.in;
    struct sim *s = sim_new(w->seed, &opt);
    sim_run(s);
    sim_free(s);
    seer_listen(&seer, w->oracle);
    exit(0);
}

/* The invariant that a run breaks; -1: none. */
static int run(const struct shrinking *w, const bool *skip, bool loud)
{
    int from[2], status = 0, invariant = -1;
    char line[2000];
    fflush(stdout);
    if (pipe(from) != 0) abort();
    pid_t pid = fork();
    if (pid < 0) abort();
    if (pid == 0) {
        (void)dup2(from[1], 2);
        (void)close(from[0]);
        (void)close(from[1]);
        child(w, skip, loud);
    }
    (void)close(from[1]);
    FILE *f = fdopen(from[0], "r");
    if (f == NULL) abort();
    while (fgets(line, sizeof line, f) != NULL) {
        unsigned long long seed;
        unsigned event;
        (void)sscanf(line, "sim: seed %llu, event %u: invariant %d", &seed, &event, &invariant);
        if (loud) fputs(line, stderr);
    }
    (void)fclose(f);
    if (waitpid(pid, &status, 0) != pid) abort();
    if (invariant < 0 && status != 0) invariant = 99; /* it crashed */
    return invariant;
}

/* Leave out [from, to) too: does it still break? Then keep it so. */
static bool try_without(const struct shrinking *w, bool *skip, unsigned from, unsigned to)
{
    bool *more = malloc(w->n * sizeof *more);
    unsigned dropped = 0;
    if (more == NULL) abort();
    memcpy(more, skip, w->n * sizeof *more);
    for (unsigned i = from; i < to; i++) {
        dropped += !more[i];
        more[i] = true;
    }
    bool same = dropped > 0 && run(w, more, false) == w->invariant;
    if (same) memcpy(skip, more, w->n * sizeof *more);
    free(more);
    return same;
}

int shrink(uint64_t seed, unsigned n_events, bool oracle)
{
    struct plan plan;
    struct sim_options opt = {.n_events = n_events};
    plan_draw(&plan, seed, &opt);
    struct shrinking w = {.seed = seed, .n = plan.n_events, .oracle = oracle};
    bool *skip = calloc(w.n, sizeof *skip);
    unsigned left = 0;
    if (skip == NULL) abort();
    (void)template_get(plan.template_no); /* once, for all the processes to come */
    w.invariant = run(&w, skip, false);
    if (w.invariant < 0) {
        printf("sim: seed %llu breaks no promise\n", (unsigned long long)seed);
        free(skip);
        return 0;
    }
    for (unsigned size = (w.n + 1) / 2; size > 0; size /= 2) {
        bool any = true;
        while (any) { /* leaving one group out may let another go */
            any = false;
            for (unsigned at = 0; at < w.n; at += size)
                any |= try_without(&w, skip, at, at + size < w.n ? at + size : w.n);
            if (size > 8) break; /* large groups once: the small ones come anyway */
        }
    }
    (void)run(&w, skip, true);
    printf("sim: seed %llu breaks invariant %d with only these planned events:", (unsigned long long)seed, w.invariant);
    for (unsigned i = 0; i < w.n; i++) {
        if (skip[i]) continue;
        printf(" %u", i);
        left++;
    }
    printf("\nsim: %u of %u events\n", left, w.n);
    free(skip);
    return 3;
}
