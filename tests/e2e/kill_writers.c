/* kill_writers DIR WAY KILLS [SEED | --early]: three processes write into one database, and are killed (SIGKILL) at
 * random moments, one of them or all three, KILLS processes in all; each is started again. WAY: node (the product's
 * replica, by people's edits), pages (crypto/pagevfs under plain tables), shared (the same by the extension, all at the
 * same time). After each kill the one started again looks for its last transaction; again and again, and at the end,
 * everything is checked: what was acknowledged is there with its content, no transaction is there in part,
 * integrity_check and verify are content. --early: writers that acknowledge before they commit, which this test has to
 * find out. */
#include "tests/lib/writers.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHECK_EVERY 25u
#define SLOW_US     60000 /* the longest wait between two kills */

struct run {
    struct writers w;
    pid_t pid[WRITERS];
    int news[WRITERS];
    uint64_t random;
    unsigned kills, checks, found_more;
    unsigned hit[WRITER_DOINGS]; /* what each kill interrupted */
};

static uint64_t draw(struct run *r)
{
    return writers_mix(r->random++);
}

static void take_news(struct run *r, unsigned who, const struct writer_ack *a)
{
    unsigned acked = r->w.acked[who];
    if (a->news == WRITER_FOUND) {
        if (a->group < acked || a->group > acked + 1)
            writers_fail("writer %u found group %u last, and group %u was acknowledged", who, a->group, acked);
        r->found_more += a->group != acked; /* committed, and killed before it could say so */
    } else if (a->group != acked + 1) {
        writers_fail("writer %u acknowledged group %u after group %u", who, a->group, acked);
    }
    r->w.acked[who] = a->group;
}

/* What its pipe holds now. A writer that ended by itself has said why. */
static void hear(struct run *r, unsigned who)
{
    struct writer_ack a;
    for (;;) {
        ssize_t n = read(r->news[who], &a, sizeof a);
        if (n == (ssize_t)sizeof a)
            take_news(r, who, &a);
        else if (n >= 0)
            return;
        else if (errno == EAGAIN)
            return;
        else if (errno != EINTR)
            writers_fail("the pipe of writer %u failed", who);
    }
}

static void start(struct run *r, unsigned who)
{
    int pipes[2];
    uint64_t seed = draw(r);
    if (pipe(pipes) != 0) writers_fail("pipe failed");
    pid_t pid = fork();
    if (pid < 0) writers_fail("fork failed");
    if (pid == 0) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) writers_fail("prctl failed"); /* none outlives a failed test */
        close(pipes[0]);
        for (unsigned i = 0; i < WRITERS; i++)
            if (r->news[i] >= 0) close(r->news[i]);
        writers_main(&r->w, who, seed, pipes[1]);
    }
    close(pipes[1]);
    if (fcntl(pipes[0], F_SETFL, O_NONBLOCK) != 0) writers_fail("fcntl failed");
    r->pid[who] = pid;
    r->news[who] = pipes[0];
}

static void bury(struct run *r, unsigned who)
{
    int status = 0;
    if (waitpid(r->pid[who], &status, 0) != r->pid[who]) writers_fail("waitpid failed");
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        writers_fail("writer %u ended by itself (status %d)", who, status);
    hear(r, who); /* what it could still say before it died */
    close(r->news[who]);
    r->news[who] = -1;
    r->hit[r->w.board->doing[who]]++;
    r->kills++;
}

/* Until some time has gone, hearing what writers say. A moment that does not depend on what they are doing. */
static void let_write(struct run *r)
{
    int64_t left_us = (int64_t)(draw(r) % SLOW_US);
    while (left_us > 0) {
        const struct timespec step = {.tv_nsec = (long)(left_us < 5000 ? left_us : 5000) * 1000};
        nanosleep(&step, NULL);
        left_us -= 5000;
        for (unsigned who = 0; who < WRITERS; who++) hear(r, who);
    }
}

/* Whoever it may be, or, as often, one that has the database open: where there can be only one, the others wait. */
static unsigned choose(struct run *r)
{
    unsigned one = (unsigned)(draw(r) % WRITERS);
    bool any = draw(r) % 2 == 0;
    for (unsigned i = 0; i < WRITERS && !any && r->w.board->doing[one] == WRITER_OPENS; i++) one = (one + 1) % WRITERS;
    return one;
}

static void kill_some(struct run *r)
{
    bool all = draw(r) % 8 == 0;
    unsigned one = choose(r);
    for (unsigned who = 0; who < WRITERS; who++)
        if (all || who == one) kill(r->pid[who], SIGKILL);
    for (unsigned who = 0; who < WRITERS; who++)
        if (all || who == one) bury(r, who);
}

static void check(struct run *r, bool over)
{
    unsigned top[WRITERS];
    for (unsigned who = 0; who < WRITERS; who++)
        if (r->news[who] >= 0) hear(r, who);
    r->w.board->checking = true;
    writers_check(&r->w, top);
    r->w.board->checking = false;
    for (unsigned who = 0; over && who < WRITERS; who++)
        if (top[who] > r->w.acked[who] + 1)
            writers_fail("writer %u did not acknowledge groups %u to %u", who, r->w.acked[who] + 1, top[who]);
    r->checks++;
}

static void work(struct run *r, unsigned kills)
{
    unsigned next = CHECK_EVERY;
    for (unsigned who = 0; who < WRITERS; who++) start(r, who);
    while (r->kills < kills) {
        let_write(r);
        kill_some(r);
        if (r->kills >= next) {
            check(r, false);
            next += CHECK_EVERY;
        }
        for (unsigned who = 0; who < WRITERS; who++)
            if (r->news[who] < 0) start(r, who);
    }
    let_write(r);
    for (unsigned who = 0; who < WRITERS; who++) kill(r->pid[who], SIGKILL);
    for (unsigned who = 0; who < WRITERS; who++) bury(r, who);
    check(r, true);
}

static const struct writers_way *find_way(const char *name)
{
    static const struct {
        const char *name;
        const struct writers_way *way;
    } all[] = {{"node", &writers_of_node}, {"pages", &writers_of_pages}, {"shared", &writers_of_shared}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (strcmp(name, all[i].name) == 0) return all[i].way;
    return NULL;
}

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void report(const struct run *r, uint64_t from_ms)
{
    unsigned long long acked = 0;
    for (unsigned who = 0; who < WRITERS; who++) acked += r->w.acked[who];
    printf(
        "%s: %u kills: %u while a commit ran, %u while a transaction was written, %u while it was told, %u while the "
        "database was opened or waited for, %u while it was closed\n",
        r->w.way->name, r->kills, r->hit[WRITER_COMMITS], r->hit[WRITER_WRITES], r->hit[WRITER_TELLS],
        r->hit[WRITER_OPENS], r->hit[WRITER_CLOSES]);
    printf(
        "%llu transactions acknowledged, 0 lost, 0 in part; %u committed whose writer died before it could say so; %u "
        "times waited too long; %u checks of everything; %llu ms\n",
        acked, r->found_more, (unsigned)r->w.board->busy, r->checks, (unsigned long long)(now_ms() - from_ms));
}

int main(int argc, char **argv)
{
    struct run r = {.news = {-1, -1, -1}};
    uint64_t from_ms = now_ms();
    if (argc < 4 || argc > 5 || (r.w.way = find_way(argv[2])) == NULL || strlen(argv[1]) >= sizeof r.w.dir) {
        fputs("kill_writers DIR node|pages|shared KILLS [SEED | --early]\n", stderr);
        return 64;
    }
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    memcpy(r.w.dir, argv[1], strlen(argv[1]) + 1);
    r.w.early = argc == 5 && strcmp(argv[4], "--early") == 0;
    r.w.run = argc == 5 && !r.w.early ? strtoull(argv[4], NULL, 10) : writers_mix((uint64_t)getpid() << 32 ^ from_ms);
    r.random = writers_mix(r.w.run ^ 0x5EED);
    r.w.board = mmap(NULL, sizeof *r.w.board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (r.w.board == MAP_FAILED) writers_fail("mmap failed");
    printf("seed %llu\n", (unsigned long long)r.w.run);
    r.w.way->make(&r.w);
    work(&r, (unsigned)strtoul(argv[3], NULL, 10));
    report(&r, from_ms);
    r.w.way->release(&r.w);
    return 0;
}
