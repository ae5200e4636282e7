/* What a hub's transparency logs cost. First beside the intake that they are part of: exchanges of one edit each,
 * whole; of these the leaves (change, verdict, and the head of that log in the hub's own), and what is told of it in
 * the answer (proof and signature; asked for by a device that takes it). Then proofs in a long log that lies in a
 * store.
 *
 * bench_log [leaves of the long log: 1000000]      10000000 take some minutes and 3 GB of disk. */
#include "hub/log.h"
#include "crypto/checkpoint.h"
#include "tests/lib/bench.h"
#include "tests/lib/fake_node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define EXCHANGES 200u
#define TIMES     400u
#define PROOFS    2000u
#define LONG_LOG  1000000 /* number of the long log: of no device */
#define LONG_MAX  100000000u

static double per(struct bench_time t, unsigned n)
{
    return t.cpu * 1000 / n; /* microseconds of the processor */
}

static double exchanges(struct fake_node *n, const uint8_t case_id[16])
{
    double sum = 0;
    for (unsigned i = 0; i < EXCHANGES; i++) {
        struct fake_edit edit;
        uint8_t id[16];
        fake_edit_start(&edit);
        struct op op = fake_person(n, id, case_id, "Nobody");
        fake_put(&edit, &op);
        (void)fake_commit(n, &edit);
        fake_node_pack(n);
        struct bench_time start = bench_now();
        if (fake_node_send(n, false) != ERR_OK) bench_fail("an exchange was refused");
        sum += bench_since(start).cpu;
    }
    return sum * 1000 / EXCHANGES;
}

/* In one transaction, which is undone. */
static double leaves(struct hub *h, int64_t node_no)
{
    static const uint8_t hash[HASH_BYTES] = {1};
    struct why why = {0};
    BENCH_MUST(hub_begin(h, &why));
    struct bench_time start = bench_now();
    for (unsigned i = 0; i < TIMES; i++) {
        BENCH_MUST(log_note(h, node_no, LOG_ENVELOPE, i, bytes_of(hash, sizeof hash), &why));
        BENCH_MUST(log_verdict(h, node_no, i, VERDICT_APPLIED, &why));
        BENCH_MUST(log_heads(h, &why));
    }
    double took = per(bench_since(start), TIMES);
    hub_abort(h);
    return took;
}

/* Proof, signature and item, as log_tell makes them; what the device said is not compared here. */
static double tell(struct hub *h, const struct hub_node *n)
{
    static const struct merkle_head none = {0};
    struct why why = {0};
    struct merkle_frontier f;
    struct bench_time sum = {0};
    BENCH_MUST(hub_begin(h, &why));
    BENCH_MUST(log_frontier(h, n->no, &f, &why));
    for (unsigned i = 0; i < TIMES; i++) {
        struct seal_header head = {.version = 1, .kind = 2};
        struct bundle_writer *w = NULL;
        struct merkle_proof proof;
        struct buf out;
        uint8_t binding[32];
        const char *refusal = NULL;
        buf_init(&out, BUNDLE_MAX);
        BENCH_MUST(bundle_writer_new(&w, &head, &n->id, &out, binding, &why));
        struct bench_time start = bench_now();
        BENCH_MUST(log_consistency(h, n->no, f.size - 1 - i % 7, f.size, &proof, &why));
        BENCH_MUST(log_tell(h, n, &none, w, &refusal, &why));
        sum = bench_sum(sum, bench_since(start));
        bundle_writer_free(w);
        buf_release(&out);
    }
    hub_abort(h);
    return per(sum, TIMES);
}

static double sign(struct hub *h, const struct hub_node *n)
{
    char origin[CHECKPOINT_ORIGIN_MAX];
    struct why why = {0};
    checkpoint_origin(origin, h->id.pub.kid, n->id.kid);
    const struct checkpoint c = {.origin = bytes_of_str(origin), .head.size = 77};
    struct bench_time start = bench_now();
    for (unsigned i = 0; i < TIMES; i++) {
        struct buf note;
        buf_init(&note, NOTE_MAX);
        BENCH_MUST(checkpoint_sign(&h->id, &c, &note, &why));
        buf_release(&note);
    }
    return per(bench_since(start), TIMES);
}

/* ---------------------------------------------------------------------------------------------------- a long log */

static void put(struct hub *h, const char *sql, int64_t a, int64_t b, const uint8_t *hash)
{
    struct why why = {0};
    struct stmt *s;
    BENCH_MUST(db_prepare(h->db, sql, &s, &why));
    db_bind_int(s, 1, LONG_LOG);
    db_bind_int(s, 2, a);
    db_bind_int(s, 3, b);
    db_bind_blob(s, 4, bytes_of(hash, MERKLE_HASH_BYTES));
    BENCH_MUST(db_run(s, &why));
}

static void fill(struct hub *h, uint64_t n)
{
    struct why why = {0};
    struct merkle_frontier f = {0};
    BENCH_MUST(db_begin(h->db, &why));
    for (uint64_t i = 0; i < n; i++) {
        struct merkle_node done[MERKLE_LEVELS];
        uint8_t commitment[MERKLE_HASH_BYTES] = {0}, leaf[MERKLE_HASH_BYTES];
        size_t n_done = 0;
        memcpy(commitment, &i, sizeof i);
        merkle_leaf_hash(leaf, bytes_of(commitment, sizeof commitment));
        BENCH_MUST(merkle_append(&f, leaf, done, &n_done, &why));
        put(h,
            "INSERT INTO h_leaf(log_no, n, salt, content, commitment) VALUES($1, $2 + 0 * $3, zeroblob(32), zeroblob(48), $4)",
            (int64_t)i, 0, commitment);
        for (size_t k = 1; k < n_done; k++)
            put(h, "INSERT INTO h_tree(log_no, level, n, hash) VALUES($1, $2, $3, $4)", (int64_t)done[k].level,
                (int64_t)done[k].index, done[k].hash);
        if (i % 500000 != 499999) continue;
        BENCH_MUST(db_commit(h->db, &why));
        BENCH_MUST(db_begin(h->db, &why));
    }
    BENCH_MUST(db_commit(h->db, &why));
}

static uint64_t scattered(uint64_t i)
{
    uint64_t x = i * 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    return x ^ x >> 27;
}

static void long_log(struct hub *h, uint64_t n)
{
    struct merkle_proof p;
    struct why why = {0};
    uint8_t leaf[MERKLE_HASH_BYTES];
    struct bench_time start;
    fill(h, n);
    BENCH_MUST(db_begin(h->db, &why));
    start = bench_now();
    for (uint64_t i = 0; i < PROOFS; i++) BENCH_MUST(log_inclusion(h, LONG_LOG, scattered(i) % n, n, &p, leaf, &why));
    struct bench_time inclusion = bench_since(start);
    start = bench_now();
    for (uint64_t i = 0; i < PROOFS; i++)
        BENCH_MUST(log_consistency(h, LONG_LOG, 1 + scattered(i) % (n - 1), n, &p, &why));
    struct bench_time consistency = bench_since(start);
    db_rollback(h->db);
    printf("a log of %llu entries in a store: inclusion %.3f ms (processor %.3f), consistency %.3f ms (%.3f); aim: 1 ms\n",
           (unsigned long long)n, inclusion.wall / PROOFS, inclusion.cpu / PROOFS, consistency.wall / PROOFS,
           consistency.cpu / PROOFS);
}

int main(int argc, char **argv)
{
    static const char *const nobody[] = {NULL};
    struct fake_hub f = {0};
    struct fake_node care = {0};
    struct hub_node n;
    struct why why = {0};
    uint8_t case_id[16];
    uint64_t size = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    if (size < 2 || size > LONG_MAX) bench_fail("bench_log [leaves of the long log]");
    fake_hub_start(&f);
    fake_hub_people(&f);
    fake_node_enrol(&care, &f, "care-mash", "care", "Ann");
    fake_case(&care, case_id, "care", nobody);
    double whole = exchanges(&care, case_id);
    BENCH_MUST(nodes_by_kid(f.hub, care.id.pub.kid, &n, &why));
    double append = leaves(f.hub, n.no), told = tell(f.hub, &n), signing = sign(f.hub, &n);
    printf("an exchange of one edit, without a checkpoint: %.0f us of the processor\n", whole);
    printf(
        "  of these, change and verdict in the device's log, and its head in the hub's: %.0f us, %.1f %% of the rest (aim: 10 %%)\n",
        append, 100 * append / (whole - append));
    printf("  on top, checkpoint and proof in the answer: %.0f us, %.1f %% (the signature alone: %.0f us)\n", told,
           100 * told / whole, signing);
    long_log(f.hub, size);
    fake_node_release(&care);
    fake_hub_stop(&f);
    return 0;
}
