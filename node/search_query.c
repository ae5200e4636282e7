/* Queries, read and matched (node/search_query.h). */
#include "node/search_query.h"

#include "base/cbor.h"

#include <stdlib.h>
#include <string.h>

#define PREFIX_MIN 2 /* bytes: one letter stands for itself */

/* ------------------------------------------------------------------------------------------------------- reading */

struct piece { /* between quotation marks, or not */
    struct search_query *q;
    size_t first; /* word of the query that it begins with */
    bool too_many;
    struct search_folded joined[SEARCH_QUERY_WORDS]; /* the longest that begins with each word */
    size_t span[SEARCH_QUERY_WORDS];
};

static void take_word(void *ctx, const struct search_word *w)
{
    struct piece *p = ctx;
    struct search_query *q = p->q;
    if (w->kind == SEARCH_ALSO) return;
    if (w->kind == SEARCH_JOINED) {
        size_t i = p->first + w->at;
        if (i >= SEARCH_QUERY_WORDS || w->span <= p->span[i]) return;
        p->span[i] = w->span;
        p->joined[i].n = w->word.n;
        memcpy(p->joined[i].p, w->word.p, w->word.n);
        return;
    }
    p->too_many = p->too_many || q->n_words == SEARCH_QUERY_WORDS;
    if (p->too_many) return;
    q->word[q->n_words].n = w->word.n;
    memcpy(q->word[q->n_words].p, w->word.p, w->word.n);
    q->n_words++;
}

static void put_terms(struct piece *p, bool quoted)
{
    struct search_query *q = p->q;
    size_t n = 0;
    for (size_t i = p->first; i < q->n_words; i += n) {
        struct search_term *t = &q->term[q->n_terms++];
        bool number = !quoted && p->span[i] > 1 && i + p->span[i] <= q->n_words;
        n = quoted ? q->n_words - i : number ? p->span[i] : 1;
        *t = (struct search_term){.kind = n == 1   ? SEARCH_TERM_WORD
                                          : quoted ? SEARCH_TERM_PHRASE
                                                   : SEARCH_TERM_NUMBER,
                                  .first = i,
                                  .n = n};
        if (number) t->joined = p->joined[i];
    }
}

static bool read_piece(struct search_query *q, struct bytes text, bool quoted)
{
    struct piece p = {.q = q, .first = q->n_words};
    search_words(text, take_word, &p);
    put_terms(&p, quoted);
    return !p.too_many;
}

static enum err too_long(struct why *why)
{
    (void)why_set(why, ERR_LIMIT, "That is too long to be searched for: %d words at most.", SEARCH_QUERY_WORDS);
    return why_next(why, ERR_LIMIT, "Leave words out and search again.");
}

/* The last word may be one that somebody is still typing, unless it stands in quotation marks. */
static void allow_prefix(struct search_query *q)
{
    if (q->n_terms == 0) return;
    struct search_term *t = &q->term[q->n_terms - 1];
    t->prefix = t->kind == SEARCH_TERM_NUMBER || q->word[t->first].n >= PREFIX_MIN;
}

enum err search_query_read(struct search_query *out, struct bytes text, struct why *why)
{
    bool quoted = false, fits = true;
    memset(out, 0, sizeof *out);
    if (text.n > SEARCH_QUERY_BYTES) return too_long(why);
    if (!utf8_valid(text)) {
        (void)why_set(why, ERR_USAGE, "What you search for has characters that cannot be read.");
        return why_next(why, ERR_USAGE, "Type it again.");
    }
    for (size_t at = 0; fits && at <= text.n;) {
        const uint8_t *end = at < text.n ? memchr(text.p + at, '"', text.n - at) : NULL;
        bool pair = quoted || (end != NULL && memchr(end + 1, '"', text.n - (size_t)(end + 1 - text.p)) != NULL);
        size_t to =
            end != NULL && pair ? (size_t)(end - text.p) : text.n; /* a mark without its other half is no mark */
        if (to > at) fits = read_piece(out, bytes_of(text.p + at, to - at), quoted);
        if (to == text.n && !quoted && to > at) allow_prefix(out);
        quoted = !quoted;
        at = to + 1;
    }
    if (!fits) return too_long(why);
    out->exact.n = search_compact(text, out->exact.p);
    if (out->n_words > 0) return ERR_OK;
    (void)why_set(why, ERR_USAGE, "There is nothing to search for.");
    return why_next(why, ERR_USAGE, "Type a name, a word, a number or a reference.");
}

uint32_t search_query_all(const struct search_query *q)
{
    return (UINT32_C(1) << q->n_terms) - 1;
}

/* ------------------------------------------------------------------------------------------------------ matching */

struct match {
    const struct search_query *q;
    struct search_ranges *ranges;
    uint32_t terms;                  /* found */
    uint32_t words;                  /* words of the query that were seen */
    uint32_t here, before;           /* words of phrases that fit up to this place, and up to the one before */
    uint32_t at;                     /* this place */
    size_t from[SEARCH_QUERY_WORDS]; /* where such a phrase began */
};

static bool equals(const struct search_folded *f, struct bytes w, bool prefix)
{
    return f->n > 0 && f->p[0] == w.p[0] && (prefix ? w.n >= f->n : w.n == f->n) && memcmp(f->p, w.p, f->n) == 0;
}

/* Ranges come in the order of their ends, numbers after their groups: what lies within the new one gives way. */
static void note(struct search_ranges *r, size_t from, size_t to)
{
    while (r->n > 0 && r->from[r->n - 1] >= from) r->n--;
    if (r->n > 0 && r->to[r->n - 1] > from) return;
    if (r->n == SEARCH_RANGES_MAX) return;
    r->from[r->n] = from;
    r->to[r->n++] = to;
}

static void match_phrase(struct match *m, size_t term, const struct search_word *w)
{
    const struct search_term *t = &m->q->term[term];
    for (size_t i = t->n; i-- > 0;) {
        size_t k = t->first + i;
        if (!equals(&m->q->word[k], w->word, false)) continue;
        if (i > 0 && (m->before >> (k - 1) & 1) == 0) continue;
        m->here |= UINT32_C(1) << k;
        m->from[k] = i == 0 ? w->from : m->from[k - 1];
        if (i + 1 < t->n) continue;
        m->terms |= UINT32_C(1) << term;
        note(m->ranges, m->from[k], w->to);
    }
}

static void match_plain(struct match *m, size_t term, const struct search_word *w)
{
    const struct search_term *t = &m->q->term[term];
    uint32_t all = ((UINT32_C(1) << t->n) - 1) << t->first;
    bool found = t->kind == SEARCH_TERM_NUMBER && equals(&t->joined, w->word, t->prefix);
    if (found) m->terms |= UINT32_C(1) << term;
    for (size_t i = 0; w->kind != SEARCH_JOINED && i < t->n; i++) {
        if (!equals(&m->q->word[t->first + i], w->word, t->prefix && i + 1 == t->n)) continue;
        m->words |= UINT32_C(1) << (t->first + i);
        found = true;
    }
    if ((m->words & all) == all) m->terms |= UINT32_C(1) << term;
    if (found || (t->n == 1 && equals(&m->q->word[t->first], w->word, t->prefix))) {
        if (t->n == 1) m->terms |= UINT32_C(1) << term; /* typed without gaps, written with them */
        note(m->ranges, w->from, w->to);
    }
}

static void match_word(void *ctx, const struct search_word *w)
{
    struct match *m = ctx;
    if (w->kind != SEARCH_JOINED && w->at != m->at) {
        m->before = w->at == m->at + 1 ? m->here : 0;
        m->here = 0;
        m->at = w->at;
    }
    for (size_t i = 0; i < m->q->n_terms; i++) {
        if (m->q->term[i].kind != SEARCH_TERM_PHRASE)
            match_plain(m, i, w);
        else if (w->kind != SEARCH_JOINED)
            match_phrase(m, i, w);
    }
}

uint32_t search_match(const struct search_query *q, struct bytes text, struct search_ranges *out)
{
    struct match m = {.q = q, .ranges = out};
    out->n = 0;
    search_words(text, match_word, &m);
    return m.terms;
}
