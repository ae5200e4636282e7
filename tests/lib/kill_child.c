#include "tests/lib/kill.h"

#include "sync/bundle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Over the socket: from(8) length(4) request; back: enum err(4) length(4) answer from byte `from` on. */
struct kill_question {
    uint64_t from;
    uint32_t n;
};
struct kill_reply {
    uint32_t err;
    uint32_t n;
};

static void say_open(int report)
{
    struct kill_report r = {.kind = KILL_OPEN};
    if (!kill_write(report, &r, sizeof r)) kill_fail("nobody listens");
}

static struct sockaddr_un address(const struct kill_world *w)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    (void)snprintf(a.sun_path, sizeof a.sun_path, "%s", w->socket);
    return a;
}

/* ---------------------------------------------------------------------------------------------------- the hub */
static void serve_one(struct hub *h, int fd)
{
    struct kill_question q;
    struct buf request, answer;
    struct hub_exchange_result result;
    struct why why = {0};
    buf_init(&request, BUNDLE_MAX);
    buf_init(&answer, BUNDLE_MAX);
    if (!kill_read(fd, &q, sizeof q)) goto out;
    uint8_t *p = buf_grow(&request, q.n);
    if (p == NULL || !kill_read(fd, p, q.n)) goto out;
    enum err e = hub_exchange(h, buf_bytes(&request), false, &answer, &result, &why);
    if (e != ERR_OK) fprintf(stderr, "hub: %s: %s\n", err_word(e), why.text);
    size_t from = e == ERR_OK && q.from <= answer.len ? (size_t)q.from : answer.len;
    struct kill_reply r = {.err = (uint32_t)e, .n = (uint32_t)(answer.len - from)};
    if (kill_write(fd, &r, sizeof r) && r.n > 0)
        (void)!kill_write(fd, answer.data + from, r.n); /* the node may be dead: that is the point */
out:
    buf_release(&request);
    buf_release(&answer);
}

void kill_hub_main(const struct kill_world *w, int report)
{
    struct hub *h = NULL;
    struct sockaddr_un a = address(w);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)unlink(w->socket);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(fd, 8) != 0)
        kill_fail("the hub cannot listen");
    h = kill_open_hub(w);
    say_open(report);
    close(report);
    for (;;) {
        int peer = accept(fd, NULL, NULL);
        if (peer < 0) continue;
        serve_one(h, peer);
        close(peer);
    }
}

/* --------------------------------------------------------------------------------------------------- a node */
struct link {
    const struct kill_world *w;
    bool lose; /* the answer to the next request never arrives whole */
    uint64_t random;
};

static enum err gone(struct why *why)
{
    return why_set(why, ERR_UNREACHABLE, "the hub is gone");
}

static enum err receive(struct link *l, int fd, enum err (*sink)(void *ctx, struct bytes piece, struct why *why),
                        void *ctx, struct why *why)
{
    struct kill_reply r;
    uint8_t piece[1024];
    if (!kill_read(fd, &r, sizeof r)) return gone(why);
    if (r.err != ERR_OK) return why_set(why, (enum err)r.err, "the hub refused");
    uint32_t stop = l->lose ? (uint32_t)(l->random % (r.n + 1u)) : r.n;
    for (uint32_t at = 0; at < stop;) {
        uint32_t n = stop - at < sizeof piece ? stop - at : (uint32_t)sizeof piece;
        if (!kill_read(fd, piece, n)) return gone(why);
        enum err e = sink(ctx, bytes_of(piece, n), why);
        if (e != ERR_OK) return e;
        at += n;
    }
    return l->lose ? gone(why) : ERR_OK;
}

static enum err exchange(void *ctx, struct bytes request, uint64_t from, uint64_t wait_ms,
                         enum err (*sink)(void *ctx, struct bytes piece, struct why *why), void *sink_ctx,
                         struct why *why)
{
    struct link *l = ctx;
    struct sockaddr_un a = address(l->w);
    struct kill_question q = {.from = from, .n = (uint32_t)request.n};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    enum err e = ERR_OK;
    (void)wait_ms;
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) != 0 || !kill_write(fd, &q, sizeof q) ||
        !kill_write(fd, request.p, request.n))
        e = gone(why);
    else
        e = receive(l, fd, sink, sink_ctx, why);
    if (fd >= 0) close(fd);
    return e;
}

void kill_node_main(const struct kill_world *w, size_t who, uint64_t seed, bool lose_answer, int report)
{
    struct why why = {0};
    struct node *n = NULL;
    struct kill_world random = {.random = seed};
    struct link link = {.w = w, .lose = lose_answer, .random = kill_random(&random)};
    struct carrier via = {.ctx = &link, .exchange = exchange};
    struct round_result result = {0};
    kill_must(node_open(&n, env_posix(), w->nodes[who].home, kill_passphrase(), &why), "a node after a kill", &why);
    say_open(report);
    for (uint64_t left = kill_random(&random) % 6; left > 0; left--) {
        struct kill_report r = {.kind = KILL_COMMITTED};
        kill_edit(n, &random, &r);
        if (r.seq != 0 && !kill_write(report, &r, sizeof r)) kill_fail("nobody listens");
    }
    /* Small answers, so that a kill finds a node between the pages of a series, too. */
    struct round_options options = {.budget = kill_random(&random) % 2 == 0 ? 0 : 500 + kill_random(&random) % 4000};
    enum err e = node_sync(n, &via, &options, &result, &why);
    if (e != ERR_OK && e != ERR_UNREACHABLE) fprintf(stderr, "%s: %s: %s\n", w->nodes[who].site, err_word(e), why.text);
    node_close(n);
    _exit(err_exit_code(e));
}
