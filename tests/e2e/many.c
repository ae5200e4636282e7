/* many DIR STORE NODES SECONDS [SEED]: three spoke-hub serve on one store (a PostgreSQL URL), of which one, or all,
 * is killed (SIGKILL) at random moments, again and again, and started anew; NODES devices edit and exchange
 * meanwhile, each round with another of the three, and often with the very same request at two of them at once.
 * Afterwards everything is let run to its end: every edit that was committed on a device is at the hub, once; every
 * device holds exactly the rows that its site may see; hub, logs and devices verify; every order to forget is
 * confirmed (tests/lib/kill_check.c). All three keep one journal folder, and what a backup from before and the folder
 * make is the hub that they left (tests/lib/kill_journal.c). STORE ends in schema=NAME: NAME_back is used too. */
#include "tests/lib/kill.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HUBS    3u
#define WORKERS 4u

struct news { /* worker to parent, over a pipe, in one piece */
    uint32_t who;
    uint32_t rounds, failed, doubled; /* since the last */
    struct kill_report r;
};

struct many {
    struct kill_world w;
    char program[600], pass[500], far[500], back[1100]; /* far: the journal's folder; back: another schema */
    pid_t hub[HUBS], worker[WORKERS];
    unsigned port[HUBS];
    int news, stop;        /* stop: its other end is closed when the workers are to end */
    unsigned kills, again; /* again: a server that ended while it started, and was started once more */
    uint64_t rounds, failed, doubled;
};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ------------------------------------------------------------------------------------------------------- the servers
 */

static void exec_hub(const struct many *m, unsigned i, int out)
{
    char listen[32];
    (void)snprintf(listen, sizeof listen, "127.0.0.1:%u", m->port[i]);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || dup2(out, 1) < 0) _exit(71);
    execl(m->program, "spoke-hub", "--home", m->w.hub_home, "--passphrase-file", m->pass, "--no-input", "serve",
          "--listen", listen, "--journal", m->far, "--device-rate", "0", "--stranger-rate", "0", "--quiet", (char *)NULL);
    _exit(72);
}

/* Until it says that it listens; its port stays what it was at first. False: it ended instead. */
static bool try_hub(struct many *m, unsigned i)
{
    int pipes[2];
    char line[200];
    if (pipe2(pipes, O_CLOEXEC) != 0) kill_fail("pipe failed");
    m->hub[i] = fork();
    if (m->hub[i] < 0) kill_fail("fork failed");
    if (m->hub[i] == 0) exec_hub(m, i, pipes[1]);
    close(pipes[1]);
    FILE *f = fdopen(pipes[0], "r");
    bool up = f != NULL && fgets(line, sizeof line, f) != NULL &&
              sscanf(line, "listening on http://127.0.0.1:%u", &m->port[i]) == 1;
    if (f != NULL) (void)fclose(f); /* it says nothing more */
    if (!up && waitpid(m->hub[i], NULL, 0) != m->hub[i]) kill_fail("waitpid failed");
    return up;
}

/* The database may need longer than a server waits to find out that others were killed in their transactions. */
static void start_hub(struct many *m, unsigned i)
{
    for (unsigned tries = 0; !try_hub(m, i); tries++) {
        m->again++;
        if (tries == 20) kill_fail("server %u did not start", i);
    }
}

static void kill_hub(struct many *m, unsigned i)
{
    int status = 0;
    kill(m->hub[i], SIGKILL);
    if (waitpid(m->hub[i], &status, 0) != m->hub[i] || !WIFSIGNALED(status))
        kill_fail("server %u ended by itself (status %d)", i, status);
    m->kills++;
}

static void end_hub(struct many *m, unsigned i)
{
    int status = 0;
    kill(m->hub[i], SIGTERM);
    if (waitpid(m->hub[i], &status, 0) != m->hub[i] || status != 0)
        kill_fail("server %u did not end well (%d)", i, status);
}

/* ------------------------------------------------------------------------------------------------------- the devices
 */

struct link {
    struct carrier_http *http[HUBS];
    unsigned to, also; /* also == to: to one alone */
    struct bytes request;
};

static enum err nowhere(void *ctx, struct bytes piece, struct why *why)
{
    (void)ctx, (void)piece, (void)why;
    return ERR_OK;
}

static void *send_also(void *ctx)
{
    struct link *l = ctx;
    struct carrier c = carrier_http(l->http[l->also]);
    enum err e = c.exchange(c.ctx, l->request, 0, 0, nowhere, NULL, NULL);
    if (e != ERR_OK && e != ERR_UNREACHABLE && e != ERR_EXISTS)
        fprintf(stderr, "many: the second of two: %s\n", err_word(e));
    return NULL;
}

static enum err exchange(void *ctx, struct bytes request, uint64_t from, uint64_t wait_ms,
                         enum err (*sink)(void *ctx, struct bytes piece, struct why *why), void *sink_ctx,
                         struct why *why)
{
    struct link *l = ctx;
    struct carrier c = carrier_http(l->http[l->to]);
    pthread_t thread;
    l->request = request;
    if (l->also != l->to && pthread_create(&thread, NULL, send_also, l) != 0) kill_fail("no thread");
    enum err e = c.exchange(c.ctx, request, from, wait_ms, sink, sink_ctx, why);
    if (l->also != l->to) (void)pthread_join(thread, NULL);
    return e;
}

static bool told_to_stop(const struct many *m)
{
    struct pollfd p = {.fd = m->stop, .events = POLLIN};
    return poll(&p, 1, 0) > 0;
}

static void tell(const struct many *m, struct news *n)
{
    if (!kill_write(m->news, n, sizeof *n)) kill_fail("nobody listens");
    *n = (struct news){0};
}

static void turn(struct many *m, struct node *n, uint32_t who, struct kill_world *random, struct link *l)
{
    struct carrier via = {.ctx = l, .exchange = exchange};
    struct round_result result = {0};
    struct news news = {0};
    struct why why = {0};
    for (uint64_t left = kill_random(random) % 4; left > 0; left--) {
        news.who = who;
        news.r.kind = KILL_COMMITTED;
        kill_edit(n, random, &news.r);
        if (news.r.seq != 0) tell(m, &news);
    }
    l->to = (unsigned)(kill_random(random) % HUBS);
    l->also = (unsigned)(kill_random(random) % 3 == 0 ? kill_random(random) % HUBS : l->to);
    struct round_options options = {.budget = kill_random(random) % 2 == 0 ? 0 : 500 + kill_random(random) % 4000,
                                    .max_rounds = 20};
    enum err e = node_sync(n, &via, &options, &result, &why);
    if (e != ERR_OK && e != ERR_UNREACHABLE) kill_fail("%s: %s: %s", m->w.nodes[who].site, err_word(e), why.text);
    news.r.kind = KILL_OPEN;
    news.rounds = (uint32_t)result.rounds;
    news.failed = e != ERR_OK;
    news.doubled = l->also != l->to;
    tell(m, &news);
}

static void worker_main(struct many *m, unsigned k, uint64_t seed)
{
    struct why why = {0};
    struct node *nodes[KILL_MOST] = {0};
    struct kill_world random = {.random = seed};
    struct link l = {.to = 0};
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) _exit(71);
    for (unsigned i = 0; i < HUBS; i++) {
        char url[64];
        (void)snprintf(url, sizeof url, "http://127.0.0.1:%u", m->port[i]);
        kill_must(carrier_http_new(&l.http[i], url, &why), "a carrier", &why);
    }
    for (size_t i = k; i < m->w.n_nodes; i += WORKERS)
        kill_must(node_open(&nodes[i], env_posix(), m->w.nodes[i].home, kill_passphrase(), &why), m->w.nodes[i].site,
                  &why);
    size_t mine = (m->w.n_nodes - k + WORKERS - 1) / WORKERS;
    while (mine > 0 && !told_to_stop(m)) {
        size_t who = k + WORKERS * (kill_random(&random) % mine);
        turn(m, nodes[who], (uint32_t)who, &random, &l);
    }
    for (size_t i = 0; i < m->w.n_nodes; i++) node_close(nodes[i]);
    for (unsigned i = 0; i < HUBS; i++) carrier_http_free(l.http[i]);
    _exit(0);
}

/* --------------------------------------------------------------------------------------------------------- the whole
 */

/* False: nobody has anything more to say. */
static bool hear(struct many *m, int wait_ms)
{
    struct pollfd p = {.fd = m->news, .events = POLLIN};
    struct news n;
    if (poll(&p, 1, wait_ms) <= 0) return true;
    if (!kill_read(m->news, &n, sizeof n)) return false;
    if (n.r.kind == KILL_COMMITTED) kill_note(&m->w, n.who, &n.r);
    m->rounds += n.rounds;
    m->failed += n.failed;
    m->doubled += n.doubled;
    return true;
}

static void start_workers(struct many *m, int *out_stop)
{
    int news[2], stop[2];
    if (pipe2(news, O_CLOEXEC) != 0 || pipe2(stop, O_CLOEXEC) != 0) kill_fail("pipe failed");
    for (unsigned k = 0; k < WORKERS; k++) {
        uint64_t seed = kill_random(&m->w);
        m->worker[k] = fork();
        if (m->worker[k] < 0) kill_fail("fork failed");
        if (m->worker[k] > 0) continue;
        close(news[0]);
        close(stop[1]);
        m->news = news[1];
        m->stop = stop[0];
        worker_main(m, k, seed);
    }
    close(news[1]);
    close(stop[0]);
    m->news = news[0];
    *out_stop = stop[1];
}

/* On a busy machine longer, so that it is worth something. */
static void harm(struct many *m, int64_t until)
{
    int64_t patience = until + 60000;
    while (now_ms() < until || ((m->kills < 4 || m->w.n_notes < 30) && now_ms() < patience)) {
        int64_t next = now_ms() + (int64_t)(kill_random(&m->w) % 700);
        while (now_ms() < next)
            if (!hear(m, 20)) kill_fail("the devices have ended");
        bool all = kill_random(&m->w) % 10 == 0;
        unsigned one = (unsigned)(kill_random(&m->w) % HUBS);
        for (unsigned i = 0; i < HUBS; i++)
            if (all || i == one) kill_hub(m, i);
        for (unsigned i = 0; i < HUBS; i++)
            if (all || i == one) start_hub(m, i);
    }
}

static void set_up(struct many *m, char **argv, int argc)
{
    const char *slash = strrchr(argv[0], '/');
    (void)snprintf(m->program, sizeof m->program, "%.*s/spoke-hub", slash != NULL ? (int)(slash - argv[0]) : 1,
                   slash != NULL ? argv[0] : ".");
    m->w.random = argc == 6 ? strtoull(argv[5], NULL, 10) : (uint64_t)now_ms();
    m->w.n_nodes = strtoul(argv[3], NULL, 10);
    if (m->w.n_nodes < KILL_NODES || m->w.n_nodes > KILL_MOST)
        kill_fail("between %u and %u devices", KILL_NODES, KILL_MOST);
    (void)snprintf(m->w.store, sizeof m->w.store, "%s", argv[2]);
    printf("seed %llu\n", (unsigned long long)m->w.random);
    kill_set_up(&m->w, argv[1]);
    (void)snprintf(m->back, sizeof m->back, "%s_back", m->w.store);
    m->w.store[0] = '\0'; /* its home remembers */
    kill_journal_begin(&m->w, argv[1]);
    struct why why = {0};
    kill_must(path_join(m->pass, sizeof m->pass, argv[1], "pass", &why), "path", &why);
    kill_must(path_join(m->far, sizeof m->far, argv[1], "far", &why), "path", &why);
    kill_must(env_posix()->write_file(NULL, m->pass, kill_passphrase(), &why), "passphrase", &why);
}

int main(int argc, char **argv)
{
    static struct many m;
    int stop = -1;
    if (argc < 5 || argc > 6) {
        fputs("many DIR STORE NODES SECONDS [SEED]\n", stderr);
        return 64;
    }
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    set_up(&m, argv, argc);
    for (unsigned i = 0; i < HUBS; i++) start_hub(&m, i);
    start_workers(&m, &stop);
    int64_t from = now_ms();
    harm(&m, from + strtol(argv[4], NULL, 10) * 1000);
    close(stop);
    while (hear(&m, 60000)) continue;
    for (unsigned k = 0; k < WORKERS; k++) {
        int status = 0;
        if (waitpid(m.worker[k], &status, 0) != m.worker[k] || status != 0)
            kill_fail("a worker ended with status %d", status);
    }
    for (unsigned i = 0; i < HUBS; i++) end_hub(&m, i);
    printf(
        "%u times one of %u servers killed in %lld s, %u started twice; %zu devices, "
        "%llu rounds, %llu of them broken off, %llu with two servers at once; "
        "%zu edits committed\n",
        m.kills, HUBS, (long long)(now_ms() - from) / 1000, m.again, m.w.n_nodes, (unsigned long long)m.rounds,
        (unsigned long long)m.failed, (unsigned long long)m.doubled, m.w.n_notes);
    kill_journal_check(&m.w, argv[1], m.back);
    kill_check(&m.w);
    kill_release(&m.w);
    return 0;
}
