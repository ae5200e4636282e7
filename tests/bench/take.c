/* How fast a device takes what the hub sends it. Raw limits, measured alternately in the same run: the same rows by
 * prepared INSERT in order of their keys, or the same columns by prepared UPDATE, into an encrypted store of the same
 * kind, one transaction, synchronous FULL. Answers are real ones of a hub in this process, whose time is left out where
 * it is not named.
 *
 * bench_take [repeats] [only] — `only`: the first letters of one kind of work. */
#include "tests/lib/bench_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EDITS   1000u
#define PENDING 10000u
#define OVERLAP 10u

struct bench {
    struct bench_world w;
    struct node *device; /* of the edits */
    struct bench_raw raw;
    size_t repeats;
    const char *only;
};

static bool wanted(const struct bench *b, const char *name)
{
    return strncmp(name, b->only, strlen(b->only)) == 0;
}

/* ------------------------------------------------------------------------------------------------------ first sync */

static void first_sync(struct bench *b)
{
    struct bench_pair take = {.n = b->repeats}, whole = {.n = b->repeats};
    struct bench_time hub[BENCH_MAX_REPEATS];
    struct bench_rows *rows = NULL;
    uint64_t bytes = 0, rounds = 0;
    for (size_t i = 0; i < b->repeats; i++) {
        struct bench_round r;
        struct bench_raw raw;
        struct node *n = bench_world_device(&b->w);
        struct bench_time start = bench_now();
        bench_pull(&b->w, n, &r);
        whole.ours[i] = bench_since(start);
        take.ours[i] = r.taking;
        hub[i] = r.hub;
        bytes = r.result.bytes_in;
        rounds = r.result.rounds;
        if (rows == NULL) rows = bench_rows_of(node_db(n));
        if (r.result.rows_in != bench_rows_count(rows)) bench_fail("rows came twice, or not at all");
        node_close(n);
        bench_raw_open(&raw, &b->w);
        take.raw[i] = whole.raw[i] = bench_raw_insert(&raw, rows);
        bench_raw_close(&raw);
    }
    (void)printf("first sync: %zu rows, %.1f MB sealed, %u answers\n", bench_rows_count(rows), (double)bytes / 1e6,
                 (unsigned)rounds);
    bench_print("first sync, taking the answers", &take, 0.9);
    bench_print("first sync, hub and device together", &whole, 1 / 1.6);
    bench_print_time("first sync, the hub alone", hub, b->repeats, 0);
    bench_rows_free(rows);
}

/* ---------------------------------------------------------------------------------------------------- edited rows */

static void open_device(struct bench *b)
{
    struct bench_round r;
    if (b->device != NULL) return;
    b->device = bench_world_device(&b->w);
    bench_pull(&b->w, b->device, &r);
    bench_raw_open(&b->raw, &b->w);
    struct bench_rows *rows = bench_rows_of(node_db(b->device));
    (void)bench_raw_insert(&b->raw, rows);
    bench_rows_free(rows);
}

/* The next n actions of those from `from` on, ten of each case. */
static void choose(unsigned *out, unsigned n, unsigned from)
{
    for (unsigned i = 0; i < n; i++) out[i] = (from + i / 10 * 16 + i % 10) % BENCH_ACTIONS;
}

/* The author's edits of these actions wait at the hub for the device. */
static const char *edit_elsewhere(struct bench *b, const unsigned *actions, unsigned n)
{
    struct bench_round r;
    const char *note = bench_world_edit(&b->w, b->w.author, actions, n);
    bench_pull(&b->w, b->w.author, &r);
    return note;
}

static void updates(struct bench *b)
{
    struct bench_pair p = {.n = b->repeats};
    unsigned actions[EDITS];
    open_device(b);
    for (size_t i = 0; i < b->repeats; i++) {
        struct bench_round r;
        choose(actions, EDITS, (unsigned)i % 3 * (BENCH_ACTIONS / 3)); /* not the pages that were read last */
        const char *note = edit_elsewhere(b, actions, EDITS);
        bench_pull(&b->w, b->device, &r);
        if (r.result.rows_in != EDITS) bench_fail("edits are missing");
        p.ours[i] = r.taking;
        p.raw[i] = bench_raw_update(&b->raw, &b->w, actions, EDITS, note);
    }
    bench_print("1,000 one-column edits, taking the page", &p, 0.8);
}

/* What the device wrote while the answer was on its way. */
static void write_pending(struct bench *b)
{
    unsigned actions[EDITS];
    for (unsigned from = 0; from < PENDING; from += EDITS) {
        for (unsigned i = 0; i < EDITS; i++) actions[i] = from + i;
        (void)bench_world_edit(&b->w, b->device, actions, EDITS);
    }
}

static void overlap(struct bench *b)
{
    struct bench_pair p = {.n = b->repeats};
    unsigned actions[EDITS];
    open_device(b);
    for (unsigned i = 0; i < EDITS; i++) actions[i] = PENDING - OVERLAP + i;
    for (size_t i = 0; i < b->repeats; i++) {
        struct bench_round r;
        uint64_t images = 0;
        struct why why = {0};
        const char *note = edit_elsewhere(b, actions, EDITS);
        bench_ask(&r, b->device);
        bench_answer(&r, &b->w);
        write_pending(b);
        bench_take(&r, b->device);
        BENCH_MUST(state_ask(node_db(b->device), "SELECT count(*) FROM n_image", &images, &why));
        if (r.result.rows_in != EDITS || images != PENDING) bench_fail("not the page or not the edits that were meant");
        p.ours[i] = r.taking;
        p.raw[i] = bench_raw_update(&b->raw, &b->w, actions, EDITS, note);
        bench_pull(&b->w, b->device, &r);
        bench_pull(&b->w, b->w.author, &r);
    }
    bench_print("a page of 1,000 edits over 10,000 pending ones, 10 of them the same rows", &p, 0);
    bench_print_time("the same", p.ours, p.n, 25);
}

int main(int argc, char **argv)
{
    static struct bench b;
    b.repeats = bench_repeats(argc, argv, 5);
    b.only = argc > 2 ? argv[2] : "";
    bench_world_start(&b.w);
    bench_print_syncs(b.w.hub.dir);
    if (wanted(&b, "first")) first_sync(&b);
    if (wanted(&b, "updates")) updates(&b);
    if (wanted(&b, "overlap")) overlap(&b);
    bench_print_syncs(b.w.hub.dir);
    if (b.device != NULL) {
        node_close(b.device);
        bench_raw_close(&b.raw);
    }
    bench_world_stop(&b.w);
    return 0;
}
