/* Words of a block and the cases that have them, as a list in pieces (node/search.h). An entry: length and bytes of the
 * word, in order; then how many cases, and the place of each in the block in a byte; or 0, and a bit for each case of
 * the block. A piece begins with a whole entry; the head has the first word of each, with its length. */
#include "node/search.h"

#include <string.h>

#define FEWEST_AS_BITS 32u /* cases: as many bytes as there are bits in a block */

_Static_assert(SEARCH_BLOCK == 8 * FEWEST_AS_BITS, "a bit for each case, and its place in a byte");

struct entry {
    struct bytes word;
    struct search_bits cases;
};

/* ---------------------------------------------------------------------------------------------------------- reading */

static bool get_word(struct bytes *data, struct bytes *out)
{
    if (data->n == 0 || data->p[0] == 0 || data->p[0] > data->n - 1) return false;
    *out = bytes_of(data->p + 1, data->p[0]);
    *data = bytes_of(data->p + 1 + out->n, data->n - 1 - out->n);
    return true;
}

/* Past an entry's cases, which are only looked at where they are wanted. */
static bool get_cases(struct bytes *data, struct search_bits *out)
{
    size_t n = data->n == 0 ? 0 : data->p[0] == 0 ? FEWEST_AS_BITS : data->p[0];
    if (data->n == 0 || n > FEWEST_AS_BITS || n >= data->n) return false;
    const uint8_t *p = data->p + 1;
    for (size_t i = 0; out != NULL && data->p[0] == 0 && i < n; i++) out->w[i / 8] |= (uint64_t)p[i] << (8 * (i % 8));
    for (size_t i = 0; out != NULL && data->p[0] != 0 && i < n; i++) search_bits_add(out, p[i]);
    *data = bytes_of(p + n, data->n - 1 - n);
    return true;
}

/* Not before the word, and not behind what begins with it. */
static int against(struct bytes have, struct bytes word, bool prefix)
{
    if (prefix && have.n >= word.n && memcmp(have.p, word.p, word.n) == 0) return 0;
    return bytes_compare(have, word);
}

/* In one piece: *out_past: there is nothing behind it. */
static enum err look_in(struct bytes data, struct bytes word, bool prefix, struct search_bits *out, bool *out_past,
                        struct why *why)
{
    struct bytes have;
    while (data.n > 0) {
        if (!get_word(&data, &have)) return search_damaged(why);
        int c = against(have, word, prefix);
        *out_past = c > 0 || (c == 0 && !prefix);
        if (c > 0) return ERR_OK;
        if (!get_cases(&data, c == 0 ? out : NULL)) return search_damaged(why);
        if (*out_past) return ERR_OK;
    }
    return ERR_OK;
}

/* The piece in which it is, or what begins with it starts. 0: none. */
static enum err first_piece(struct node *n, int64_t at, struct bytes word, bool prefix, int64_t *out, struct why *why)
{
    struct stmt *s = NULL;
    struct bytes head, first;
    *out = 0;
    enum err e = search_piece_read(n, at, &s, &head, why);
    if (head.n > 0 && prefix) *out = 1;
    for (int64_t piece = 1; e == ERR_OK && head.n > 0; piece++) {
        if (!get_word(&head, &first)) e = search_damaged(why);
        if (e != ERR_OK || bytes_compare(first, word) > 0) break;
        *out = piece;
    }
    db_done(s);
    return e;
}

enum err search_words_find(struct node *n, int64_t block, struct bytes word, bool prefix, struct search_bits *out,
                           struct why *why)
{
    const int64_t at = search_at(block, SEARCH_WORDS);
    int64_t piece = 0;
    bool past = false;
    *out = (struct search_bits){0};
    enum err e = first_piece(n, at, word, prefix, &piece, why);
    for (; e == ERR_OK && piece > 0 && !past; piece++) {
        struct stmt *s = NULL;
        struct bytes data;
        e = search_piece_read(n, at + piece, &s, &data, why);
        past = data.p == NULL;
        if (e == ERR_OK && !past) e = look_in(data, word, prefix, out, &past, why);
        db_done(s);
    }
    return e;
}

/* ---------------------------------------------------------------------------------------------------------- writing */

static void room_for(struct search_out *o, struct bytes word, size_t len)
{
    if (search_out_len(o) + len > SEARCH_PIECE) search_out_cut(o);
    if (search_out_len(o) > 0) return;
    buf_put_u8(&o->head, (uint8_t)word.n);
    buf_put_bytes(&o->head, word);
}

static void put_word(struct search_out *o, struct bytes word, const struct search_bits *cases)
{
    size_t n = search_bits_count(cases);
    bool bits = n >= FEWEST_AS_BITS;
    uint8_t places[FEWEST_AS_BITS + 1] = {bits ? 0 : (uint8_t)n};
    size_t len = 1;
    if (n == 0) return;
    for (size_t i = 0; bits && i < FEWEST_AS_BITS; i++) places[len++] = (uint8_t)(cases->w[i / 8] >> (8 * (i % 8)));
    for (size_t i = 0; !bits && i < SEARCH_BITS; i++)
        for (uint64_t left = cases->w[i]; left != 0; left &= left - 1)
            places[len++] = (uint8_t)(64 * i + (size_t)__builtin_ctzll(left));
    room_for(o, word, 1 + word.n + len);
    buf_put_u8(&o->data, (uint8_t)word.n);
    buf_put_bytes(&o->data, word);
    buf_put(&o->data, places, len);
}

/* As it stands there. */
static void put_same(struct search_out *o, struct bytes word, const uint8_t *from, const uint8_t *to)
{
    room_for(o, word, (size_t)(to - from));
    buf_put(&o->data, from, (size_t)(to - from));
}

struct merge {
    struct search_out out;
    const struct search_bits *clear;
    bool clears; /* any */
    const struct search_posting *v;
    size_t n, at;
    const uint8_t *text;
};

static struct bytes word_of(const struct merge *m)
{
    return bytes_of(m->text + m->v[m->at].at, m->v[m->at].n);
}

static enum err merge_piece(void *ctx, struct bytes data, struct why *why)
{
    struct merge *m = ctx;
    while (data.n > 0) {
        struct entry e = {0};
        const uint8_t *from = data.p;
        int c = -1;
        if (!get_word(&data, &e.word)) return search_damaged(why);
        struct bytes cases = data;
        if (!get_cases(&data, NULL)) return search_damaged(why);
        while (m->at < m->n && (c = bytes_compare(word_of(m), e.word)) < 0) {
            put_word(&m->out, word_of(m), &m->v[m->at].cases);
            m->at++;
        }
        if (m->at == m->n) c = -1;
        if (c != 0 && !m->clears) {
            put_same(&m->out, e.word, from, data.p);
            continue;
        }
        (void)get_cases(&cases, &e.cases);
        for (size_t i = 0; i < SEARCH_BITS; i++) e.cases.w[i] &= ~m->clear->w[i];
        if (c == 0) search_bits_or(&e.cases, &m->v[m->at++].cases);
        put_word(&m->out, e.word, &e.cases);
    }
    return ERR_OK;
}

enum err search_words_merge(struct node *n, int64_t block, const struct search_bits *clear,
                            const struct search_posting *v, size_t n_v, const uint8_t *text, struct why *why)
{
    struct merge m = {.clear = clear, .v = v, .n = n_v, .text = text};
    const int64_t at = search_at(block, SEARCH_WORDS);
    m.clears = search_bits_count(clear) > 0;
    search_out_init(&m.out);
    enum err e = search_pieces_each(n, at, merge_piece, &m, why);
    for (; e == ERR_OK && m.at < m.n; m.at++) put_word(&m.out, word_of(&m), &m.v[m.at].cases);
    if (e == ERR_OK) e = search_out_write(&m.out, n, at, why);
    search_out_release(&m.out);
    return e;
}

struct listing {
    enum err (*each)(void *ctx, struct bytes word, const struct search_bits *cases);
    void *ctx;
};

static enum err list_piece(void *ctx, struct bytes data, struct why *why)
{
    const struct listing *l = ctx;
    enum err e = ERR_OK;
    while (e == ERR_OK && data.n > 0) {
        struct entry x = {0};
        if (!get_word(&data, &x.word) || !get_cases(&data, &x.cases)) return search_damaged(why);
        e = l->each(l->ctx, x.word, &x.cases);
    }
    return e;
}

enum err search_words_each(struct node *n, int64_t block,
                           enum err (*each)(void *ctx, struct bytes word, const struct search_bits *cases), void *ctx,
                           struct why *why)
{
    struct listing l = {each, ctx};
    return search_pieces_each(n, search_at(block, SEARCH_WORDS), list_piece, &l, why);
}
