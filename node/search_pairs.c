/* Which cases have two words side by side, for phrases: a filter as a list in pieces (node/search.h). Of a pair there
 * are 19 bits of a hash; a key is these and the place of the case in its block. Keys stand in order, as Golomb-Rice
 * codes of the gaps between them. A piece: how many low bits (1 byte), how many keys (2), the first key (4), the gaps.
 * The head: a bit for each case that has too many pairs to be told apart by them, and then the first key of each
 * piece. */
#include "node/search.h"

#include <stdlib.h>
#include <string.h>

#define HEAD      7u         /* bytes of a piece before its gaps */
#define KEYS_MAX  UINT16_MAX /* in a piece */
#define FULL      (SEARCH_BLOCK / 8)
#define KEY_BYTES 4u

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put32(uint8_t *p, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++) p[i] = (uint8_t)(v >> (8 * i));
}

uint32_t search_pair(uint64_t first, uint64_t second)
{
    uint64_t h = (first * UINT64_C(0x9e3779b97f4a7c15)) ^ (second + UINT64_C(0xd1b54a32d192ed03));
    h = (h ^ h >> 32) * UINT64_C(0xff51afd7ed558ccd);
    h = (h ^ h >> 29) * UINT64_C(0xc4ceb9fe1a85ec53);
    return (uint32_t)(h >> 45);
}

uint64_t search_pair_word(struct bytes word)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < word.n; i++) h = (h ^ word.p[i]) * UINT64_C(0x100000001b3);
    return h;
}

/* ---------------------------------------------------------------------------------------------------------- reading */

struct gaps {
    struct bytes data;
    unsigned low; /* bits */
    uint32_t left, key;
    size_t bit;
};

static bool gaps_begin(struct gaps *g, struct bytes data)
{
    if (data.n < HEAD || data.p[0] >= 32) return false;
    *g = (struct gaps){.data = bytes_of(data.p + HEAD, data.n - HEAD), .low = data.p[0], .key = get32(data.p + 3)};
    g->left = (uint32_t)data.p[1] | (uint32_t)data.p[2] << 8;
    return g->left > 0;
}

static bool get_bit(struct gaps *g, uint32_t *out)
{
    if (g->bit / 8 >= g->data.n) return false;
    *out = (uint32_t)g->data.p[g->bit / 8] >> (g->bit % 8) & 1u;
    g->bit++;
    return true;
}

static bool get_low(struct gaps *g, uint32_t *out)
{
    uint64_t v = 0;
    size_t from = g->bit / 8, skip = g->bit % 8;
    if (g->bit + g->low > 8 * g->data.n) return false;
    for (size_t i = 0; i < 5 && from + i < g->data.n; i++) v |= (uint64_t)g->data.p[from + i] << (8 * i);
    *out = (uint32_t)(v >> skip & ((UINT64_C(1) << g->low) - 1));
    g->bit += g->low;
    return true;
}

/* To the next key, while g->left > 0. */
static bool gaps_next(struct gaps *g)
{
    uint32_t high = 0, low = 0, bit = 0;
    if (--g->left == 0) return true;
    while (true) {
        if (!get_bit(g, &bit)) return false;
        if (bit != 0) break;
        high++;
    }
    if (!get_low(g, &low)) return false;
    g->key += (high << g->low) + low;
    return true;
}

/* The last piece that begins before what is sought, or the first. 0: there is none. */
static int64_t piece_of(struct bytes firsts, uint32_t key)
{
    size_t n = firsts.n / KEY_BYTES, i = 0;
    while (i + 1 < n && get32(firsts.p + KEY_BYTES * (i + 1)) <= key) i++;
    return n == 0 ? 0 : (int64_t)i + 1;
}

static enum err look_in(struct bytes data, uint32_t pair, struct search_bits *out, bool *out_past, struct why *why)
{
    struct gaps g;
    if (!gaps_begin(&g, data)) return search_damaged(why);
    while (g.left > 0) {
        *out_past = g.key / SEARCH_BLOCK > pair;
        if (*out_past) return ERR_OK;
        if (g.key / SEARCH_BLOCK == pair) search_bits_add(out, g.key % SEARCH_BLOCK);
        if (!gaps_next(&g)) return search_damaged(why);
    }
    return ERR_OK;
}

static void add_full(struct search_bits *out, const uint8_t *p)
{
    for (size_t i = 0; i < FULL; i++) out->w[i / 8] |= (uint64_t)p[i] << (8 * (i % 8));
}

enum err search_pairs_find(struct node *n, int64_t block, uint32_t pair, struct search_bits *out, struct why *why)
{
    const int64_t at = search_at(block, SEARCH_PAIRS);
    struct stmt *s = NULL;
    struct bytes data;
    int64_t piece = 0;
    bool past = false;
    *out = (struct search_bits){0};
    enum err e = search_piece_read(n, at, &s, &data, why);
    if (e == ERR_OK && data.p != NULL && data.n < FULL) e = search_damaged(why);
    if (e == ERR_OK && data.p != NULL) {
        add_full(out, data.p);
        piece = piece_of(bytes_of(data.p + FULL, data.n - FULL), pair * SEARCH_BLOCK);
    }
    db_done(s);
    for (; e == ERR_OK && piece > 0 && !past; piece++) {
        e = search_piece_read(n, at + piece, &s, &data, why);
        past = data.p == NULL;
        if (e == ERR_OK && !past) e = look_in(data, pair, out, &past, why);
        db_done(s);
    }
    return e;
}

/* ---------------------------------------------------------------------------------------------------------- writing */

struct merge {
    const struct search_bits *clear;
    struct buf keys; /* uint32_t */
};

static enum err keep_piece(void *ctx, struct bytes data, struct why *why)
{
    struct merge *m = ctx;
    struct gaps g;
    if (!gaps_begin(&g, data)) return search_damaged(why);
    while (g.left > 0) {
        if (!search_bits_has(m->clear, g.key % SEARCH_BLOCK)) buf_put(&m->keys, &g.key, sizeof g.key);
        if (!gaps_next(&g)) return search_damaged(why);
    }
    return m->keys.err == ERR_OK
               ? ERR_OK
               : why_set(why, m->keys.err, "There is not enough memory to note what can be searched.");
}

static enum err keep_full(struct node *n, int64_t at, const struct search_bits *clear, struct search_bits *full,
                          struct why *why)
{
    struct stmt *s = NULL;
    struct bytes data;
    struct search_bits before = {0};
    enum err e = search_piece_read(n, at, &s, &data, why);
    if (e == ERR_OK && data.p != NULL && data.n < FULL) e = search_damaged(why);
    if (e == ERR_OK && data.p != NULL) add_full(&before, data.p);
    db_done(s);
    for (size_t i = 0; i < SEARCH_BITS; i++) full->w[i] |= before.w[i] & ~clear->w[i];
    return e;
}

static int by_key(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

size_t search_pairs_sort(uint32_t *v, size_t n)
{
    size_t kept = 0;
    if (n == 0) return 0;
    qsort(v, n, sizeof *v, by_key);
    for (size_t i = 1; i < n; i++)
        if (v[i] != v[kept]) v[++kept] = v[i];
    return kept + 1;
}

/* Bits of the piece that is being written. */
struct piece {
    uint8_t data[SEARCH_PIECE];
    size_t bit; /* behind HEAD */
    uint32_t n, last;
    unsigned low;
};

static void piece_end(struct piece *p, struct search_out *o)
{
    if (p->n == 0) return;
    p->data[0] = (uint8_t)p->low;
    p->data[1] = (uint8_t)p->n;
    p->data[2] = (uint8_t)(p->n >> 8);
    buf_put(&o->data, p->data, HEAD + (p->bit + 7) / 8);
    search_out_cut(o);
    *p = (struct piece){.low = p->low};
}

static void put_key(struct piece *p, struct search_out *o, uint32_t key)
{
    uint32_t gap = key - p->last;
    if (p->n == KEYS_MAX || p->bit + (gap >> p->low) + 1 + p->low > 8 * (SEARCH_PIECE - HEAD)) piece_end(p, o);
    if (p->n++ == 0) {
        put32(p->data + 3, key);
        buf_put(&o->head, p->data + 3, KEY_BYTES);
    } else {
        p->bit += gap >> p->low;
        p->data[HEAD + p->bit / 8] |= (uint8_t)(1u << (p->bit % 8));
        p->bit++;
        for (unsigned i = 0; i < p->low; i++, p->bit++)
            p->data[HEAD + p->bit / 8] |= (uint8_t)((gap >> i & 1u) << (p->bit % 8));
    }
    p->last = key;
}

/* Where gaps are as long as those of numbers drawn at random, this many low bits make them shortest. */
static unsigned low_bits(size_t n)
{
    unsigned low = 0;
    while (low < 26 && ((uint64_t)n << (low + 1)) <= UINT64_C(1) << 27) low++;
    return low;
}

static uint32_t key_at(const struct buf *keys, size_t i)
{
    uint32_t key = UINT32_MAX; /* behind all of them */
    if (i < keys->len / KEY_BYTES) memcpy(&key, keys->data + i * KEY_BYTES, KEY_BYTES);
    return key;
}

/* Both stand in order. */
static enum err write_keys(struct node *n, int64_t at, const struct buf *old, const struct buf *add,
                           const struct search_bits *full, struct why *why)
{
    struct search_out o;
    size_t keys = (old->len + add->len) / KEY_BYTES;
    struct piece *p = calloc(1, sizeof *p);
    if (p == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to note what can be searched.");
    p->low = low_bits(keys);
    search_out_init(&o);
    for (size_t i = 0; (keys > 0 || search_bits_count(full) > 0) && i < FULL; i++)
        buf_put_u8(&o.head, (uint8_t)(full->w[i / 8] >> (8 * (i % 8))));
    for (size_t i = 0, k = 0; i + k < keys;) {
        uint32_t x = key_at(old, i), y = key_at(add, k);
        put_key(p, &o, x < y ? x : y);
        i += x <= y;
        k += y <= x;
    }
    piece_end(p, &o);
    enum err e = search_out_write(&o, n, at, why);
    search_out_release(&o);
    free(p);
    return e;
}

enum err search_pairs_merge(struct node *n, int64_t block, const struct search_bits *clear,
                            const struct search_pairs *add, struct why *why)
{
    const int64_t at = search_at(block, SEARCH_PAIRS);
    struct merge m = {.clear = clear};
    struct search_bits full = {0};
    const struct buf none = {0};
    if (add != NULL) full = add->full;
    buf_init(&m.keys, SEARCH_PAIRS_MAX);
    enum err e = keep_full(n, at, clear, &full, why);
    if (e == ERR_OK) e = search_pieces_each(n, at, keep_piece, &m, why);
    if (e == ERR_OK) e = write_keys(n, at, &m.keys, add != NULL ? &add->keys : &none, &full, why);
    buf_release(&m.keys);
    return e;
}
