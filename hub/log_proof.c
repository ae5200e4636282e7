/* Proofs from the hub's store. crypto/merkle says one after the other which subtrees it needs, and in a store on
 * another machine each look-up is a journey: so it is asked twice. The first time only what it needs is noted, which
 * does not depend on any hash; that is fetched in one statement; and the second time it gets it. */
#include "hub/log.h"

#include <string.h>

#define WANTS_MAX      (2 * MERKLE_MAX_PROOF + 1) /* look-ups of a proof, and a leaf */
#define LEAVES_AT_ONCE 3u                         /* of one statement */
#define TREES_AT_ONCE  28u

struct want {
    unsigned level;
    uint64_t index;
    bool found;
    uint8_t hash[MERKLE_HASH_BYTES];
};
struct wants {
    struct want all[WANTS_MAX];
    size_t n;
};

static struct want *find(struct wants *w, unsigned level, uint64_t index)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->all[i].level == level && w->all[i].index == index) return &w->all[i];
    return NULL;
}

/* ------------------------------------------------------------------------------------------------- the two sources */

static enum err note(void *ctx, unsigned level, uint64_t index, uint8_t out[MERKLE_HASH_BYTES], struct why *why)
{
    struct wants *w = ctx;
    memset(out, 0, MERKLE_HASH_BYTES);
    if (find(w, level, index) != NULL) return ERR_OK;
    if (w->n == WANTS_MAX) return why_set(why, ERR_LIMIT, "This proof is longer than any can be.");
    w->all[w->n++] = (struct want){.level = level, .index = index};
    return ERR_OK;
}

static enum err give(void *ctx, unsigned level, uint64_t index, uint8_t out[MERKLE_HASH_BYTES], struct why *why)
{
    const struct want *w = find(ctx, level, index);
    if (w == NULL || !w->found) return why_set(why, ERR_TAMPERED, "A transparency log of this hub is damaged.");
    memcpy(out, w->hash, MERKLE_HASH_BYTES);
    return ERR_OK;
}

/* -------------------------------------------------------------------------------------------------------- fetching */

#define LEAF_AT(p)    "SELECT 0 AS level, n, commitment AS hash FROM h_leaf WHERE log_no = $1 AND n = " p
#define TREE_AT(p, q) " UNION ALL SELECT level, n, hash FROM h_tree WHERE log_no = $1 AND level = " p " AND n = " q
/* clang-format off */
static const char fetch_sql[] = LEAF_AT("$2") " UNION ALL " LEAF_AT("$3") " UNION ALL " LEAF_AT("$4")
    TREE_AT("$5", "$6") TREE_AT("$7", "$8") TREE_AT("$9", "$10") TREE_AT("$11", "$12")
    TREE_AT("$13", "$14") TREE_AT("$15", "$16") TREE_AT("$17", "$18") TREE_AT("$19", "$20")
    TREE_AT("$21", "$22") TREE_AT("$23", "$24") TREE_AT("$25", "$26") TREE_AT("$27", "$28")
    TREE_AT("$29", "$30") TREE_AT("$31", "$32") TREE_AT("$33", "$34") TREE_AT("$35", "$36")
    TREE_AT("$37", "$38") TREE_AT("$39", "$40") TREE_AT("$41", "$42") TREE_AT("$43", "$44")
    TREE_AT("$45", "$46") TREE_AT("$47", "$48") TREE_AT("$49", "$50") TREE_AT("$51", "$52")
    TREE_AT("$53", "$54") TREE_AT("$55", "$56") TREE_AT("$57", "$58") TREE_AT("$59", "$60");
/* clang-format on */

/* Those from *at on that fit into one statement; what is not filled looks for what is not there. */
static void bind_some(struct stmt *s, int64_t log_no, const struct wants *w, size_t *at)
{
    unsigned leaves = 0, trees = 0;
    db_bind_int(s, 1, log_no);
    for (; *at < w->n; ++*at) {
        const struct want *v = &w->all[*at];
        if (v->level == 0 ? leaves == LEAVES_AT_ONCE : trees == TREES_AT_ONCE) break;
        if (v->level == 0) {
            db_bind_int(s, (int)(2 + leaves++), (int64_t)v->index);
        } else {
            db_bind_int(s, (int)(5 + 2 * trees), (int64_t)v->level);
            db_bind_int(s, (int)(6 + 2 * trees++), (int64_t)v->index);
        }
    }
    for (; leaves < LEAVES_AT_ONCE; leaves++) db_bind_int(s, (int)(2 + leaves), -1);
    for (; trees < TREES_AT_ONCE; trees++) {
        db_bind_int(s, (int)(5 + 2 * trees), -1);
        db_bind_int(s, (int)(6 + 2 * trees), -1);
    }
}

static enum err fetch(struct hub *h, int64_t log_no, struct wants *w, struct why *why)
{
    enum err e = ERR_OK;
    for (size_t at = 0; e == ERR_OK && at < w->n;) {
        struct stmt *s;
        bool row = false;
        e = db_prepare(h->db, fetch_sql, &s, why);
        if (e != ERR_OK) return e;
        bind_some(s, log_no, w, &at);
        while ((e = db_step(s, &row, why)) == ERR_OK && row) {
            struct want *v = find(w, (unsigned)db_int(s, 0), (uint64_t)db_int(s, 1));
            struct bytes got = db_bytes(s, 2);
            if (v == NULL || got.n != MERKLE_HASH_BYTES) continue; /* then it is not found */
            v->found = true;
            if (v->level == 0)
                merkle_leaf_hash(v->hash, got);
            else
                memcpy(v->hash, got.p, MERKLE_HASH_BYTES);
        }
        db_done(s);
    }
    return e;
}

/* --------------------------------------------------------------------------------------------------------- proofs */

enum err log_inclusion(struct hub *h, int64_t log_no, uint64_t index, uint64_t size, struct merkle_proof *out,
                       uint8_t out_leaf[MERKLE_HASH_BYTES], struct why *why)
{
    struct wants w;
    const struct merkle_source notes = {&w, note}, gives = {&w, give};
    w.n = 0;
    enum err e = merkle_inclusion(&notes, index, size, out, why);
    if (e == ERR_OK) e = note(&w, 0, index, out_leaf, why);
    if (e == ERR_OK) e = fetch(h, log_no, &w, why);
    if (e == ERR_OK) e = merkle_inclusion(&gives, index, size, out, why);
    return e == ERR_OK ? give(&w, 0, index, out_leaf, why) : e;
}

enum err log_consistency(struct hub *h, int64_t log_no, uint64_t old_size, uint64_t size, struct merkle_proof *out,
                         struct why *why)
{
    struct wants w;
    const struct merkle_source notes = {&w, note}, gives = {&w, give};
    w.n = 0;
    enum err e = merkle_consistency(&notes, old_size, size, out, why);
    if (e == ERR_OK) e = fetch(h, log_no, &w, why);
    return e == ERR_OK ? merkle_consistency(&gives, old_size, size, out, why) : e;
}
