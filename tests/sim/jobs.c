#include "tests/sim/jobs.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct job {
    pid_t pid; /* 0: it has ended */
    int from;  /* where its numbers come from, when it has ended well */
};

static _Noreturn void broken(const char *what)
{
    perror(what);
    exit(2);
}

/* A pipe takes so few bytes whole before anybody reads them, so nobody waits for anybody. */
static _Noreturn void child(const struct jobs_work *w, const uint64_t range[2], int to)
{
    size_t n = w->n_numbers * sizeof(uint64_t);
    uint64_t *numbers = calloc(w->n_numbers, sizeof *numbers);
    if (numbers == NULL) abort();
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM); /* whoever ends sim ends all of it */
    w->run(w->ctx, range[0], range[1], numbers);
    fflush(stdout);
    if (write(to, numbers, n) != (ssize_t)n) broken("sim: a job could not say what it counted");
    free(numbers);
    exit(0);
}

static void start(const struct jobs_work *w, const uint64_t range[2], struct job *j)
{
    int ends[2];
    fflush(NULL); /* or both would print what is still in hand */
    if (pipe(ends) != 0) broken("sim: a job could not be started");
    j->pid = fork();
    if (j->pid < 0) broken("sim: a job could not be started");
    if (j->pid == 0) {
        (void)close(ends[0]);
        child(w, range, ends[1]);
    }
    (void)close(ends[1]);
    j->from = ends[0];
}

static void take(const struct jobs_work *w, struct job *j, uint64_t *numbers)
{
    for (unsigned i = 0; i < w->n_numbers; i++) {
        uint64_t v;
        if (read(j->from, &v, sizeof v) != (ssize_t)sizeof v) broken("sim: a job did not say what it counted");
        numbers[i] += v;
    }
    (void)close(j->from);
}

/* One failed: what the others would find can wait. */
static _Noreturn void end_all(const struct job *jobs, unsigned n, int status)
{
    for (unsigned i = 0; i < n; i++)
        if (jobs[i].pid != 0) (void)kill(jobs[i].pid, SIGTERM);
    while (wait(NULL) > 0 || errno == EINTR) {
    }
    if (WIFSIGNALED(status)) fprintf(stderr, "sim: a job was ended by signal %d\n", WTERMSIG(status));
    exit(WIFEXITED(status) ? WEXITSTATUS(status) : 2);
}

void jobs_run(const struct jobs_work *w, unsigned jobs, const uint64_t range[2], uint64_t *numbers)
{
    struct job all[JOBS_MOST] = {0};
    if (jobs == 0 || jobs > JOBS_MOST) abort();
    if (jobs == 1) {
        w->run(w->ctx, range[0], range[1], numbers);
        return;
    }
    for (unsigned i = 0; i < jobs; i++) {
        uint64_t from = range[1] * i / jobs, to = range[1] * (i + 1) / jobs;
        start(w, (const uint64_t[2]){range[0] + from, to - from}, &all[i]);
    }
    for (unsigned left = jobs; left > 0; left--) {
        int status = 0;
        pid_t pid = wait(&status);
        if (pid < 0) broken("sim: a job is lost");
        unsigned i = 0;
        while (i < jobs && all[i].pid != pid) i++;
        if (i == jobs) abort();
        all[i].pid = 0;
        if (status != 0) end_all(all, jobs, status);
        take(w, &all[i], numbers);
    }
}
