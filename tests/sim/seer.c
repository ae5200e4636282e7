#include "tests/sim/seer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int seer_start(struct seer *v)
{
    int to[2], from[2];
    *v = (struct seer){0};
    if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0) goto failed;
    v->pid = fork();
    if (v->pid < 0) goto failed;
    if (v->pid == 0) {
        (void)dup2(to[0], 0);
        (void)dup2(from[1], 1);
        (void)execlp("python3", "python3", SIM_ORACLE, (char *)NULL);
        fprintf(stderr, "sim: python3 could not be started: %s\n", strerror(errno));
        _exit(2);
    }
    (void)close(to[0]);
    (void)close(from[1]);
    v->in = to[1];
    v->out = from[0];
    (void)signal(SIGPIPE, SIG_IGN); /* a write that fails says so */
    return 0;
failed:
    fprintf(stderr, "sim: the oracle could not be started: %s\n", strerror(errno));
    return -1;
}

static void judge(struct seer *v, const char *line)
{
    unsigned long long seed, number;
    int at = 0;
    if (sscanf(line, "ok %llu %llu", &seed, &number) == 2) {
        v->worlds++;
        v->decisions += number;
        return;
    }
    fflush(stdout);
    if (sscanf(line, "bad %llu %llu %n", &seed, &number, &at) == 2 && at > 0)
        fprintf(stderr,
                "sim: seed %llu, event %llu: invariant %d: the oracle says: %s\nsim: commit %s; see it with: sim "
                "--replay %llu; shorten it with: sim --shrink %llu\n",
                seed, number, strstr(line, " wrote ") != NULL ? 10 : 4, line + at, SIM_COMMIT, seed, seed);
    else
        fprintf(stderr, "sim: seed 0, event 0: invariant 0: the oracle said: %s\n", line);
    exit(3);
}

static void take_lines(struct seer *v)
{
    char *end;
    while ((end = memchr(v->line, '\n', v->have)) != NULL) {
        *end = '\0';
        judge(v, v->line);
        size_t used = (size_t)(end + 1 - v->line);
        memmove(v->line, end + 1, v->have - used);
        v->have -= used;
    }
    if (v->have == sizeof v->line) v->have = sizeof v->line - 1; /* a line that long is cut; its start says enough */
}

void seer_listen(struct seer *v, bool to_end)
{
    if (v->pid == 0) return;
    if (to_end) (void)close(v->in);
    for (;;) {
        struct pollfd p = {.fd = v->out, .events = POLLIN};
        if (poll(&p, 1, to_end ? -1 : 0) <= 0) break;
        ssize_t n = read(v->out, v->line + v->have, sizeof v->line - v->have);
        if (n <= 0) break;
        v->have += (size_t)n;
        take_lines(v);
    }
    if (!to_end) return;
    int status = 0;
    (void)close(v->out);
    if (waitpid(v->pid, &status, 0) != v->pid || status != 0) {
        fprintf(stderr, "sim: seed 0, event 0: invariant 0: the oracle ended with status %d\n", status);
        exit(3);
    }
    v->pid = 0;
}
