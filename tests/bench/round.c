/* How long a change takes to the hub and on to another device, and how many bytes each of them sends and gets. Devices
 * and hub in one process, step by step, so without HTTP; every other duty is on: signatures, sealed bundles, encrypted
 * stores, a synchronous commit at each place. Beside it the same columns by prepared UPDATE in one transaction.
 *
 * bench_round [repeats] */
#include "tests/lib/bench_world.h"

#include <stdio.h>

struct legs {
    struct bench_time commit[BENCH_MAX_REPEATS]; /* of the edit */
    struct bench_time there[BENCH_MAX_REPEATS];  /* from its start until the hub has it for good */
    struct bench_time on[BENCH_MAX_REPEATS];     /* until the other device has it for good */
    struct bench_time raw[BENCH_MAX_REPEATS];
    size_t request, answer, request_on, answer_on; /* bytes */
};

struct bench {
    struct bench_world w;
    struct node *device;
    struct bench_raw raw;
};

static void one(struct bench *b, struct legs *l, size_t i, const unsigned *actions, unsigned n)
{
    struct bench_round here, there;
    bench_ask(&there, b->device); /* it waits at the hub before there is news */
    struct bench_time start = bench_now();
    const char *note = bench_world_edit(&b->w, b->w.author, actions, n);
    l->commit[i] = bench_since(start);
    bench_ask(&here, b->w.author);
    bench_answer(&here, &b->w);
    l->there[i] = bench_since(start);
    bench_answer(&there, &b->w);
    l->request = here.request.len;
    l->answer = here.answer.len;
    l->request_on = there.request.len;
    l->answer_on = there.answer.len;
    struct bench_time before = bench_since(start);
    bench_take(&there, b->device);
    l->on[i] = bench_sum(before, there.taking);
    bench_take(&here, b->w.author);
    l->raw[i] = bench_raw_update(&b->raw, &b->w, actions, n, note);
    bench_pull(&b->w, b->w.author, &here);
    bench_pull(&b->w, b->device, &there);
}

static void edits(struct bench *b, const char *what, unsigned n, size_t repeats, double aim_there, double aim_on)
{
    static struct legs l;
    unsigned actions[1000];
    char name[128];
    for (size_t i = 0; i < repeats; i++) {
        for (unsigned k = 0; k < n; k++)
            actions[k] = ((unsigned)i * 5000 + k / 10 * 16 + k % 10) % BENCH_ACTIONS; /* ten of each case */
        one(b, &l, i, actions, n);
    }
    (void)snprintf(name, sizeof name, "%s, the commit alone", what);
    bench_print_time(name, l.commit, repeats, 0);
    (void)snprintf(name, sizeof name, "%s, to the hub", what);
    bench_print_time(name, l.there, repeats, aim_there);
    (void)snprintf(name, sizeof name, "%s, on to another device", what);
    bench_print_time(name, l.on, repeats, aim_on);
    (void)snprintf(name, sizeof name, "%s, prepared in one store", what);
    bench_print_time(name, l.raw, repeats, 0);
    (void)printf("%s, bytes: to the hub %zu and back %zu; the other device %zu and %zu\n", what, l.request, l.answer,
                 l.request_on, l.answer_on);
}

/* Written one by one, sent together. */
static void singles(struct bench *b, size_t repeats)
{
    struct bench_time commit[BENCH_MAX_REPEATS], hub[BENCH_MAX_REPEATS];
    for (size_t i = 0; i < repeats; i++) {
        struct bench_round r;
        struct bench_time start = bench_now();
        for (unsigned k = 0; k < 1000; k++) (void)bench_world_edit(&b->w, b->w.author, &k, 1);
        commit[i] = bench_since(start);
        bench_ask(&r, b->w.author);
        bench_answer(&r, &b->w);
        hub[i] = r.hub;
        bench_take(&r, b->w.author);
        if (r.result.applied != 1000) bench_fail("not all of the thousand were applied");
        bench_pull(&b->w, b->w.author, &r);
    }
    bench_print_time("1,000 transactions of one edit, their commits at the device", commit, repeats, 0);
    bench_print_time("1,000 transactions of one edit, judged by the hub in one request", hub, repeats, 200);
}

int main(int argc, char **argv)
{
    static struct bench b;
    size_t repeats = bench_repeats(argc, argv, 7);
    struct bench_round r;
    bench_world_start(&b.w);
    b.device = bench_world_device(&b.w);
    bench_pull(&b.w, b.device, &r);
    bench_raw_open(&b.raw, &b.w);
    struct bench_rows *rows = bench_rows_of(node_db(b.device));
    (void)bench_raw_insert(&b.raw, rows);
    bench_rows_free(rows);
    bench_print_syncs(b.w.hub.dir);
    edits(&b, "1,000 edits in one transaction", 1000, repeats, 25.5, 51);
    edits(&b, "one edit", 1, repeats * 3 < BENCH_MAX_REPEATS ? repeats * 3 : repeats, 1.8, 2.55);
    singles(&b, repeats < 3 ? repeats : 3);
    bench_print_syncs(b.w.hub.dir);
    node_close(b.device);
    bench_raw_close(&b.raw);
    bench_world_stop(&b.w);
    return 0;
}
