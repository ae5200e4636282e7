/* For the benches: a hub that holds a hundred thousand rows and real devices, in one process; and a store of the same
 * kind that holds the same rows by prepared statements and nothing else, the raw limit. */
#ifndef SPOKE_TESTS_LIB_BENCH_WORLD_H
#define SPOKE_TESTS_LIB_BENCH_WORLD_H

#include "node/internal.h"
#include "tests/lib/bench.h"
#include "tests/lib/fake_node.h"

#define BENCH_PASSPHRASE "correct horse battery"
#define BENCH_CASES      1000u
#define BENCH_ROWS       100u /* of each case */
#define BENCH_ACTIONS    (BENCH_CASES * 16u)

struct bench_world {
    struct fake_hub hub;
    struct node *author;    /* at the MASH room's site: it made everything */
    uint8_t (*actions)[16]; /* ids, in the order in which they were made */
    unsigned n_actions, n_homes;
    unsigned turn; /* each edit writes another text */
    char note[32]; /* the last one */
    uint64_t seed;
};
void bench_world_start(struct bench_world *w); /* filled: 100,000 rows of cases at hub and author */
void bench_world_stop(struct bench_world *w);
/* Enrolled, open and empty. */
struct node *bench_world_device(struct bench_world *w);
/* Edit the notes of n actions in one transaction. Returns the text that they now have, until the next call. */
const char *bench_world_edit(struct bench_world *w, struct node *n, const unsigned *actions, unsigned n_actions);

/* One round, step by step. */
struct bench_round {
    struct buf request, answer;
    struct bench_time asking, hub, taking;
    struct round_result result;
    struct taken taken;
};
void bench_ask(struct bench_round *r, struct node *n);                           /* the request */
void bench_answer(struct bench_round *r, struct bench_world *w);                 /* the hub's answer */
void bench_take(struct bench_round *r, struct node *n);                          /* taken; releases both */
void bench_pull(struct bench_world *w, struct node *n, struct bench_round *out); /* rounds until no more; sums */
/* Rows of a store, table by table in order of their keys. */
struct bench_rows;
struct bench_rows *bench_rows_of(struct db *db);
size_t bench_rows_count(const struct bench_rows *r);
void bench_rows_free(struct bench_rows *r);
struct bench_raw {
    struct db *db;
    char path[160];
};
void bench_raw_open(struct bench_raw *raw, struct bench_world *w);                        /* empty */
struct bench_time bench_raw_insert(struct bench_raw *raw, const struct bench_rows *rows); /* in one transaction */
struct bench_time bench_raw_update(struct bench_raw *raw, const struct bench_world *w, const unsigned *actions,
                                   unsigned n, const char *note); /* in one transaction */
void bench_raw_close(struct bench_raw *raw);                      /* and remove */

#endif
