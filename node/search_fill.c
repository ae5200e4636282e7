/* Filling the search index: the words of marked cases, a block at a time (node/search.h). */
#include "node/search.h"

#include "crypto/hash.h"
#include "sync/db_sum.h"

#include <stdlib.h>
#include <string.h>

#define STEP        24u                /* cases in a step, if nothing is said */
#define READY_STEP  (4 * SEARCH_BLOCK) /* and while somebody waits for all of it */
#define SOME_STEP   12u                /* or for no more than a moment */
#define ARENA_MAX   (4u << 20) /* bytes of words that are held; then they are written, whatever is still to come */
#define ARENA_LIMIT (ARENA_MAX + (1u << 12))
#define CASE_KEYS   (4 * SEARCH_CASE_PAIRS) /* pairs of a case, until those that are the same are thrown out */
#define PLACE_WORDS 3                       /* at one place: a word, and what it is besides (SEARCH_ALSO) */

/* Words of a block and who has them. */
struct words {
    struct search_posting *v; /* owned; open addressing */
    size_t n, cap;
    struct buf arena;
    uint8_t secret[HASH_TABLE_KEY_BYTES]; /* others write the texts */
};

/* Words of a place in a text, for the pairs. */
struct place {
    uint64_t word[PLACE_WORDS];
    size_t n;
    uint32_t at;
};

struct fill {
    struct node *n;
    struct words words;
    struct search_pairs pairs;
    uint32_t *keys; /* owned: CASE_KEYS, of the case that is read */
    size_t n_keys;
    struct place before, here;
    int64_t block;
    size_t no;                               /* of the case that is read, in its block */
    struct search_bits old_words, old_pairs; /* cases of the block that are still to be taken out of its lists */
    bool full;
    enum err failed;
};

/* --------------------------------------------------------------------------------------------- words of a block */

static struct search_posting *place(const struct words *w, uint32_t hash, struct bytes word)
{
    for (size_t i = hash & (w->cap - 1);; i = (i + 1) & (w->cap - 1)) {
        struct search_posting *e = &w->v[i];
        if (e->n == 0) return e;
        if (e->hash == hash && e->n == word.n && memcmp(w->arena.data + e->at, word.p, word.n) == 0) return e;
    }
}

static enum err grow(struct words *w)
{
    struct words next = {.cap = w->cap == 0 ? 4096 : w->cap * 2};
    next.v = calloc(next.cap, sizeof *next.v);
    if (next.v == NULL) return ERR_NOMEM;
    for (size_t i = 0; i < w->cap; i++) {
        size_t k = w->v[i].hash & (next.cap - 1);
        if (w->v[i].n == 0) continue;
        while (next.v[k].n != 0) k = (k + 1) & (next.cap - 1);
        next.v[k] = w->v[i];
    }
    free(w->v);
    w->v = next.v;
    w->cap = next.cap;
    return ERR_OK;
}

static enum err words_add(struct words *w, struct bytes word, size_t no)
{
    if (2 * (w->n + 1) > w->cap) {
        enum err e = grow(w);
        if (e != ERR_OK) return e;
    }
    uint32_t hash = (uint32_t)hash_keyed8(w->secret, word);
    struct search_posting *e = place(w, hash, word);
    if (e->n == 0) {
        *e = (struct search_posting){.hash = hash, .at = (uint32_t)w->arena.len, .n = (uint8_t)word.n};
        buf_put_bytes(&w->arena, word);
        w->n++;
    }
    search_bits_add(&e->cases, no);
    return w->arena.err;
}

static void words_clear(struct words *w)
{
    if (w->v != NULL) memset(w->v, 0, w->cap * sizeof *w->v);
    w->n = 0;
    w->arena.len = 0;
}

static int by_word(const void *a, const void *b, void *arena)
{
    const struct search_posting *x = a, *y = b;
    const uint8_t *text = arena;
    if (x->n == 0 || y->n == 0) return (x->n == 0) - (y->n == 0); /* free places last */
    return bytes_compare(bytes_of(text + x->at, x->n), bytes_of(text + y->at, y->n));
}

/* In the order of their keys; the hash table is none afterwards. */
static enum err words_write(struct fill *f, struct why *why)
{
    struct words *w = &f->words;
    struct search_bits clear = f->old_words;
    f->old_words = (struct search_bits){0};
    if (w->n > 0) qsort_r(w->v, w->cap, sizeof *w->v, by_word, w->arena.data);
    enum err e = search_words_merge(f->n, f->block, &clear, w->v, w->n, w->arena.data, why);
    words_clear(w);
    return e;
}

/* -------------------------------------------------------------------------------------------------- pairs of a case */

static void add_pair(struct fill *f, uint64_t first, uint64_t second)
{
    if (f->full) return;
    if (f->n_keys == CASE_KEYS) f->n_keys = search_pairs_sort(f->keys, f->n_keys);
    if (f->n_keys > SEARCH_CASE_PAIRS && f->n_keys == CASE_KEYS) f->full = true;
    if (!f->full) f->keys[f->n_keys++] = search_pair(first, second) * SEARCH_BLOCK + (uint32_t)f->no;
}

static void pairs_word(struct fill *f, const struct search_word *w)
{
    uint64_t word = search_pair_word(w->word);
    if (w->kind == SEARCH_JOINED) return;
    if (f->here.n > 0 && w->at != f->here.at) {
        f->before = f->here;
        f->here.n = 0;
    }
    f->here.at = w->at;
    for (size_t i = 0; i < f->before.n && w->at == f->before.at + 1; i++) add_pair(f, f->before.word[i], word);
    if (f->here.n < PLACE_WORDS) f->here.word[f->here.n++] = word;
}

static void pairs_end_case(struct fill *f)
{
    f->n_keys = search_pairs_sort(f->keys, f->n_keys);
    if (f->full || f->n_keys > SEARCH_CASE_PAIRS)
        search_bits_add(&f->pairs.full, f->no);
    else
        buf_put(&f->pairs.keys, f->keys, f->n_keys * sizeof *f->keys);
    f->n_keys = 0;
    f->full = false;
}

static enum err pairs_write(struct fill *f, struct why *why)
{
    struct buf *keys = &f->pairs.keys;
    struct search_bits clear = f->old_pairs;
    if (keys->err == ERR_OK)
        keys->len = sizeof *f->keys * search_pairs_sort((uint32_t *)(void *)keys->data, keys->len / sizeof *f->keys);
    f->old_pairs = (struct search_bits){0};
    if (keys->err != ERR_OK) return why_set(why, keys->err, "There is not enough memory to note what can be searched.");
    enum err e = search_pairs_merge(f->n, f->block, &clear, &f->pairs, why);
    buf_reset(keys);
    f->pairs.full = (struct search_bits){0};
    return e;
}

/* ------------------------------------------------------------------------------------------------- words of a row */

static void add_word(void *ctx, const struct search_word *w)
{
    struct fill *f = ctx;
    if (f->failed == ERR_OK) f->failed = words_add(&f->words, w->word, f->no);
    pairs_word(f, w);
}

static void add_special(struct fill *f, const char *what, const uint8_t *p, size_t n)
{
    uint8_t word[2 * SEARCH_WORD_MAX + 2];
    if (n == 0 || f->failed != ERR_OK) return;
    word[0] = (uint8_t)what[0];
    memcpy(word + 1, p, n);
    f->failed = words_add(&f->words, bytes_of(word, n + 1), f->no);
}

static enum err add_row(void *ctx, const struct search_row *r, struct why *why)
{
    struct fill *f = ctx;
    uint8_t special[2 * SEARCH_WORD_MAX + 1];
    for (size_t i = 0; i < r->n_texts; i++) {
        f->before.n = f->here.n = 0;
        search_words(r->text[i], add_word, f);
        if ((r->exact >> i & 1) != 0) add_special(f, SEARCH_EXACT, special, search_compact(r->text[i], special));
        if (f->failed == ERR_OK && f->words.arena.len > ARENA_MAX) f->failed = words_write(f, why);
    }
    add_special(f, SEARCH_BORN, special, search_compact(r->born, special));
    add_special(f, SEARCH_NAME, special, search_name(r->family, r->given, special));
    return f->failed == ERR_OK ? ERR_OK
                               : why_set(why, f->failed, "There is not enough memory to note what can be searched.");
}

/* --------------------------------------------------------------------------------------------------------- a case */

#define RANK_TIME ((INT64_C(1) << 50) - 1)

/* Open ones first, then by rating, then the newest. What is not known comes last. */
static enum err rank_of(struct node *n, const uint8_t case_id[16], int64_t *out, struct why *why)
{
    static const char *const rags[] = {"red", "amber", "green", "blue"};
    struct stmt *s = NULL;
    bool row = false;
    int64_t rag = 0;
    *out = INT64_MAX;
    enum err e = db_prepare(
        n->db, "SELECT rag, status IS 'closed', coalesce(received_at, 0) FROM case_file WHERE id = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, case_id);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) {
        int64_t at = db_int(s, 2);
        while (rag < 4 && !bytes_equal(db_bytes(s, 0), bytes_of_str(rags[rag]))) rag++;
        *out = (db_int(s, 1) * 8 + rag) << 50 | (RANK_TIME - (at < 0 ? 0 : at > RANK_TIME ? RANK_TIME : at));
    }
    db_done(s);
    return e;
}

struct due {
    int64_t no;
    uint8_t id[16];
    bool words; /* some of its words stand in the index */
};

static enum err fill_case(struct fill *f, const struct due *d, struct why *why)
{
    struct stmt *s = NULL;
    int64_t rank = 0;
    bool here = false;
    const int64_t no[] = {d->no};
    f->no = (size_t)(d->no % SEARCH_BLOCK);
    enum err e = search_rows(f->n, d->id, add_row, f, NULL, why);
    pairs_end_case(f);
    if (e == ERR_OK) e = search_case_here(f->n, d->id, &here, why);
    if (e == ERR_OK && !here) return state_run(f->n->db, "DELETE FROM n_search WHERE no = $1", no, 1, why);
    if (e == ERR_OK) e = rank_of(f->n, d->id, &rank, why);
    if (e == ERR_OK) e = db_prepare(f->n->db, "UPDATE n_search SET due = 0, rank = $1 WHERE no = $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, rank);
    db_bind_int(s, 2, d->no);
    return db_run(s, why);
}

/* What stood there of these cases is taken out as the new is written. */
static enum err fill_block(struct fill *f, const struct due *d, size_t n, struct why *why)
{
    struct search_bits old = {0};
    enum err e = ERR_OK;
    f->block = d[0].no / SEARCH_BLOCK;
    for (size_t i = 0; i < n; i++)
        if (d[i].words) search_bits_add(&old, (size_t)(d[i].no % SEARCH_BLOCK));
    f->old_words = f->old_pairs = old;
    for (size_t i = 0; e == ERR_OK && i < n; i++) e = fill_case(f, &d[i], why);
    if (e == ERR_OK) e = words_write(f, why);
    return e == ERR_OK ? pairs_write(f, why) : e;
}

/* The next that are due, of one block. */
static enum err next_due(struct node *n, struct due out[SEARCH_BLOCK], size_t *out_n, struct why *why)
{
    struct stmt *s = NULL;
    bool row = true;
    *out_n = 0;
    enum err e =
        db_prepare(n->db, "SELECT no, case_id, due FROM n_search WHERE due > 0 ORDER BY no LIMIT 256", &s, why);
    while (e == ERR_OK) {
        e = db_step(s, &row, why);
        if (e != ERR_OK || !row) break;
        struct due d = {.no = db_int(s, 0), .words = db_int(s, 2) == 1};
        if (d.no < 0 || !db_id(s, 1, d.id))
            e = why_set(why, ERR_TAMPERED, "What this device keeps for searching is damaged.");
        if (*out_n > 0 && d.no / SEARCH_BLOCK != out[0].no / SEARCH_BLOCK) break;
        out[(*out_n)++] = d;
    }
    db_done(s);
    return e;
}
_Static_assert(SEARCH_BLOCK == 256, "as next_due has it");

static enum err step(struct fill *f, size_t cases, struct why *why)
{
    struct due due[SEARCH_BLOCK];
    size_t done = 0, n = 1;
    uint64_t listed = 0;
    enum err e = search_in_force(f->n) ? ERR_OK : search_begin(f->n, why);
    if (e == ERR_OK) e = search_listed(f->n, &listed, why);
    if (e == ERR_OK && listed < SEARCH_SOURCES) return search_list_next(f->n, listed, why);
    while (e == ERR_OK && done < cases) {
        e = next_due(f->n, due, &n, why);
        if (e != ERR_OK || n == 0) break;
        if (n > cases - done) n = cases - done;
        e = fill_block(f, due, n, why);
        done += n;
    }
    return e;
}

static enum err any_due(struct node *n, bool *out, struct why *why)
{
    uint64_t due = 0, listed = 0;
    enum err e = search_listed(n, &listed, why);
    if (e == ERR_OK && listed == SEARCH_SOURCES)
        e = state_ask(n->db, "SELECT EXISTS(SELECT 1 FROM n_search WHERE due > 0)", &due, why);
    *out = due != 0 || listed < SEARCH_SOURCES;
    return e;
}

static enum err fill_new(struct fill *f, struct why *why)
{
    buf_init(&f->words.arena, ARENA_LIMIT);
    buf_init(&f->pairs.keys, SEARCH_PAIRS_MAX);
    env_random(f->n->env, f->words.secret, sizeof f->words.secret);
    f->keys = calloc(CASE_KEYS, sizeof *f->keys);
    return f->keys != NULL ? ERR_OK
                           : why_set(why, ERR_NOMEM, "There is not enough memory to note what can be searched.");
}

static void fill_release(struct fill *f)
{
    buf_release(&f->words.arena);
    buf_release(&f->pairs.keys);
    free(f->words.v);
    free(f->keys);
}

enum err search_fill(struct node *n, size_t cases, bool *out_more, struct why *why)
{
    struct fill f = {.n = n};
    bool before = search_in_force(n);
    *out_more = true;
    if (before) {
        enum err e = any_due(n, out_more, why);
        if (e != ERR_OK || !*out_more) return e;
    }
    enum err e = db_begin(n->db, why);
    if (e != ERR_OK) return e;
    e = fill_new(&f, why);
    if (e == ERR_OK) e = step(&f, cases == 0 ? STEP : cases, why);
    fill_release(&f);
    if (e == ERR_OK)
        e = db_commit(n->db, why);
    else
        db_rollback(n->db);
    if (e != ERR_OK && !before) search_not_begun(n);
    return e == ERR_OK ? any_due(n, out_more, why) : e;
}

/* What there is must be enough where no more can be written. */
static enum err fill_until(struct node *n, size_t cases, int64_t until, bool need_all, bool *out_all, struct why *why)
{
    bool more = true;
    uint64_t listed = 0;
    enum err e = ERR_OK;
    while (n->capture == NULL && e == ERR_OK && more) {
        e = search_fill(n, cases, &more, why);
        if (env_steady(n->env) >= until) break;
    }
    enum err asked = search_listed(n, &listed, e == ERR_OK ? why : NULL);
    if (asked != ERR_OK) return e == ERR_OK ? asked : e;
    *out_all = listed == SEARCH_SOURCES;
    if (search_in_force(n) && (*out_all || !need_all))
        return e == ERR_FULL || e == ERR_IO || e == ERR_BUSY ? ERR_OK : e;
    if (e != ERR_OK || n->capture == NULL) return e;
    return why_set(why, ERR_BUSY, "A change is being made just now; search again after it.");
}

enum err search_ready(struct node *n, struct why *why)
{
    bool all = false;
    return fill_until(n, READY_STEP, INT64_MAX, true, &all, why);
}

enum err search_some(struct node *n, int64_t ms, bool *out_all, struct why *why)
{
    return fill_until(n, SOME_STEP, env_steady(n->env) + ms, false, out_all, why);
}
