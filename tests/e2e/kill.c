/* kill DIR COUNT [SEED]: three nodes edit and exchange with one hub while node or hub are killed (SIGKILL) at random
 * moments, or the answer is lost after the hub committed; COUNT times. Afterwards everything is let run to its end:
 * every edit that was committed is at the hub; every node holds exactly the rows that its site may see; hub and nodes
 * verify; every order to forget is confirmed. Hub and nodes are processes of their own over a socket in DIR, as spoke
 * and spoke-hub are, so that a kill takes memory and locks with it; without HTTP, so that it hits the exchange. */
#include "tests/lib/kill.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum harm { KILL_NODE, KILL_HUB, LOSE_ANSWER, NO_HARM, N_HARMS };

struct tally {
    unsigned killed_nodes, killed_hubs, lost, left_alone;
    unsigned early; /* kills that came when the victim had finished already */
};

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void wait_us(int64_t us)
{
    struct timespec t = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    nanosleep(&t, NULL);
}

/* The process `pid` is ours: forked here, or not at all. */
static int reap(pid_t pid)
{
    int status = 0;
    if (waitpid(pid, &status, 0) != pid) kill_fail("waitpid failed");
    return status;
}

/* A child tells through a pipe that its home is open; from then on kills count. */
static void wait_open(int fd, const char *who)
{
    struct kill_report r;
    if (!kill_read(fd, &r, sizeof r) || r.kind != KILL_OPEN) kill_fail("%s did not open its home", who);
}

static pid_t start_hub(const struct kill_world *w)
{
    int pipes[2];
    if (pipe(pipes) != 0) kill_fail("pipe failed");
    pid_t pid = fork();
    if (pid == 0) {
        close(pipes[0]);
        kill_hub_main(w, pipes[1]);
    }
    close(pipes[1]);
    wait_open(pipes[0], "the hub");
    close(pipes[0]);
    return pid;
}

/* One node's turn: it edits, then exchanges. Commits are noted as they are reported. *took_us: how long it lived when
 * nobody killed it. */
static void turn(struct kill_world *w, pid_t *hub, size_t who, enum harm harm, int64_t *usual_us, struct tally *t)
{
    int pipes[2];
    if (pipe(pipes) != 0) kill_fail("pipe failed");
    uint64_t seed = kill_random(w);
    pid_t pid = fork();
    if (pid == 0) {
        close(pipes[0]);
        kill_node_main(w, who, seed, harm == LOSE_ANSWER, pipes[1]);
    }
    close(pipes[1]);
    wait_open(pipes[0], w->nodes[who].site);
    int64_t from = now_us();
    if (harm == KILL_NODE || harm == KILL_HUB) wait_us((int64_t)(kill_random(w) % (uint64_t)(*usual_us + 1)));
    if (harm == KILL_NODE) kill(pid, SIGKILL);
    if (harm == KILL_HUB) {
        kill(*hub, SIGKILL);
        (void)reap(*hub);
    }
    struct kill_report r;
    while (kill_read(pipes[0], &r, sizeof r))
        if (r.kind == KILL_COMMITTED) kill_note(w, who, &r);
    close(pipes[0]);
    int status = reap(pid);
    if (harm == KILL_NODE && WIFEXITED(status)) t->early++;
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != err_exit_code(ERR_UNREACHABLE))
        kill_fail("%s ended with exit code %d", w->nodes[who].site, WEXITSTATUS(status));
    if (WIFSIGNALED(status) && !(harm == KILL_NODE && WTERMSIG(status) == SIGKILL))
        kill_fail("%s ended by signal %d", w->nodes[who].site, WTERMSIG(status));
    if (harm == NO_HARM) /* the next kills fall anywhere within what a turn takes now */
        *usual_us = (*usual_us * 3 + (now_us() - from)) / 4;
    if (harm == KILL_HUB) *hub = start_hub(w);
}

int main(int argc, char **argv)
{
    struct kill_world w = {0};
    struct tally t = {0};
    int64_t usual_us = 60000;
    if (argc < 3 || argc > 4) {
        fputs("kill DIR COUNT [SEED]\n", stderr);
        return 64;
    }
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    unsigned count = (unsigned)strtoul(argv[2], NULL, 10);
    w.random = argc == 4 ? strtoull(argv[3], NULL, 10) : (uint64_t)now_us();
    printf("seed %llu\n", (unsigned long long)w.random);
    kill_set_up(&w, argv[1]);
    pid_t hub = start_hub(&w);
    for (size_t who = 0; who < KILL_NODES; who++) turn(&w, &hub, who, NO_HARM, &usual_us, &t);
    for (unsigned done = 0; done < count;) {
        enum harm harm = (enum harm)(kill_random(&w) % N_HARMS);
        turn(&w, &hub, kill_random(&w) % KILL_NODES, harm, &usual_us, &t);
        t.killed_nodes += harm == KILL_NODE;
        t.killed_hubs += harm == KILL_HUB;
        t.lost += harm == LOSE_ANSWER;
        t.left_alone += harm == NO_HARM;
        done += harm == KILL_NODE || harm == KILL_HUB || harm == LOSE_ANSWER;
    }
    kill(hub, SIGKILL);
    (void)reap(hub);
    printf(
        "%u nodes and %u hubs killed (%u nodes had just finished), %u answers lost, %u turns left alone, %zu commits\n",
        t.killed_nodes, t.killed_hubs, t.early, t.lost, t.left_alone, w.n_notes);
    kill_check(&w);
    kill_release(&w);
    return 0;
}
