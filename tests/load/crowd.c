/* Many at one moment: the server takes them together, and is killed in the middle of it. */
#include <sys/resource.h>

#include "tests/load/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct crowd {
    struct fake_node *n; /* of the police, who see the case */
    size_t count;
    int *fd;
    bool *waits; /* its request is unanswered: it goes again as it is */
    size_t sent, acknowledged;
};

static void next_edit(struct load *l, struct fake_node *n)
{
    struct fake_edit e;
    uint8_t id[16];
    fake_edit_start(&e);
    struct op p = fake_person(n, id, l->case_id, "Crowd");
    fake_put(&e, &p);
    (void)fake_commit(n, &e);
    n->budget = 1; /* what counts here is the verdict */
    fake_node_pack(n);
}

/* All of them ask before any of them listens. */
static void ask(struct load *l, struct crowd *c)
{
    char head[300];
    for (size_t i = 0; i < c->count; i++) {
        struct fake_node *n = &c->n[i];
        if (!c->waits[i]) {
            next_edit(l, n);
            c->sent++;
        }
        c->waits[i] = true;
        if (c->fd[i] < 0) c->fd[i] = load_dial(l);
        load_head(head, "/v1/exchange", n->sent.len, 0);
        if (c->fd[i] < 0 || !load_say(c->fd[i], head, strlen(head)) || !load_say(c->fd[i], n->sent.data, n->sent.len))
            load_fail("a device cannot ask");
    }
}

static void listen_to(struct crowd *c, size_t i)
{
    struct fake_node *n = &c->n[i];
    buf_reset(&n->got);
    int status = load_hear(c->fd[i], &n->got);
    if (status == 200) {
        fake_node_read(n);
        if (n->n_verdicts != 1 || n->verdicts[0].verdict != VERDICT_APPLIED) load_fail("an edit of the crowd was not applied");
        c->waits[i] = false;
        c->acknowledged++;
        return;
    }
    if (status != 0) load_fail("one of the crowd was answered %d", status);
    (void)close(c->fd[i]);
    c->fd[i] = -1;
}

static void hang_up(struct crowd *c)
{
    for (size_t i = 0; i < c->count; i++) {
        if (c->fd[i] >= 0) (void)close(c->fd[i]);
        c->fd[i] = -1;
    }
}

static int64_t count(struct load *l, const char *sql)
{
    return fake_hub_int(&l->hub, sql);
}

void scene_crowd(struct load *l, bool full)
{
    static const char edits[] = "SELECT count(*) FROM person WHERE family_name = 'Crowd'", commits[] = "SELECT count(*) FROM h_step_time";
    struct crowd c = {.n = l->others, .count = l->n_police};
    size_t rounds = full ? 30 : 4;
    double took = 0;
    c.fd = calloc(c.count, sizeof *c.fd);
    c.waits = calloc(c.count, sizeof *c.waits);
    if (c.fd == NULL || c.waits == NULL) load_fail("no memory");
    load_stop_server(l);
    int64_t before = count(l, edits), commits_before = count(l, commits);
    for (size_t i = 0; i < c.count; i++) c.fd[i] = -1;
    for (size_t r = 0; r < rounds; r++) {
        bool dies = r % 3 == 1;
        load_serve(l);
        double began = load_now_ms();
        ask(l, &c);
        for (size_t i = 0; i < c.count; i++) {
            if (dies && i == c.count / 3) load_kill_server(l);
            listen_to(&c, i);
        }
        if (dies) hang_up(&c);
        if (!dies) took += load_now_ms() - began;
    }
    load_stop_server(l);
    int64_t there = count(l, edits) - before, made = count(l, commits) - commits_before;
    size_t whole = 0, left = 0;
    for (size_t r = 0; r < rounds; r++) whole += r % 3 != 1;
    for (size_t i = 0; i < c.count; i++) left += c.waits[i];
    printf("  %zu edits of %zu devices, %.0f a second, %zu acknowledged, %lld in the store, in %lld commits\n", c.sent, c.count,
           (double)(whole * c.count) * 1e3 / took, c.acknowledged, (long long)there, (long long)made);
    if (there < (int64_t)c.acknowledged || there > (int64_t)(c.acknowledged + left)) load_fail("the store does not hold what was acknowledged");
    if (made >= there) load_fail("those who come at one moment are not taken together");
    for (size_t i = 0; i < c.count; i++) c.n[i].budget = 0;
    hang_up(&c);
    free(c.fd);
    free(c.waits);
}
