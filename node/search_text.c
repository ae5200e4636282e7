/* Words of a text (node/search_text.h). */
#include "node/search_text.h"

#include <string.h>

#define GROUPS_MAX 5 /* that a number is written in */
#define JOINED_MIN 6 /* bytes of a number as one word: shorter ones are years, ages and the like */
#define JOINED_MAX 16

struct group { /* one of the last words */
    uint8_t word[SEARCH_WORD_MAX];
    size_t n, from, to;
    uint32_t at;
    bool digits, outward; /* outward: the first half of a postcode may look so */
    bool follows;         /* the one before it, as groups of a number do */
};

struct scan {
    struct bytes text;
    search_word_fn each;
    void *ctx;
    uint8_t word[SEARCH_WORD_MAX];
    size_t n, from;
    size_t cut;     /* where in word the last apostrophe stood */
    size_t cut_at;  /* and in the text */
    size_t letters; /* characters since then, or from the beginning */
    size_t head;    /* letters before the first apostrophe; 0: there was none */
    bool digit;     /* there is one in it */
    uint32_t count; /* words so far */
    struct group last[GROUPS_MAX];
    size_t n_last;
};

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(uint8_t c)
{
    return c >= 'a' && c <= 'z';
}

static bool all_digits(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!is_digit(p[i])) return false;
    return n > 0;
}

/* SA1, CF10, W1A, EC1A: a letter or two, a digit, perhaps one more of either. */
static bool is_outward(const uint8_t *p, size_t n)
{
    size_t i = n > 1 && is_letter(p[1]) ? 2 : 1;
    return n >= 2 && n <= 4 && is_letter(p[0]) && i < n && is_digit(p[i]) && n <= i + 2;
}

static bool is_inward(const uint8_t *p, size_t n)
{
    return n == 3 && is_digit(p[0]) && is_letter(p[1]) && is_letter(p[2]);
}

/* Groups of a number stand apart by a space, a hyphen or a bracket, or two of them. */
static bool follows(const struct scan *s, size_t from, size_t to)
{
    if (to - from > 2) return false;
    for (size_t i = from; i < to; i++)
        if (s->text.p[i] == '\0' || strchr(" -()", s->text.p[i]) == NULL) return false;
    return true;
}

static void say(struct scan *s, enum search_word_kind kind, struct bytes word, size_t from, size_t to)
{
    const struct search_word w = {.kind = kind, .at = s->count, .span = 1, .from = from, .to = to, .word = word};
    if (word.n > 0) s->each(s->ctx, &w);
}

static void say_joined(struct scan *s, const struct group *first, size_t n)
{
    uint8_t word[SEARCH_WORD_MAX];
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        if (len + first[i].n > JOINED_MAX) return;
        memcpy(word + len, first[i].word, first[i].n);
        len += first[i].n;
    }
    const struct search_word w = {.kind = SEARCH_JOINED,
                                  .at = first->at,
                                  .span = (uint32_t)n,
                                  .from = first->from,
                                  .to = first[n - 1].to,
                                  .word = bytes_of(word, len)};
    if (len >= JOINED_MIN || !first->digits) s->each(s->ctx, &w);
}

/* The word that just ended may end a number, or a postcode. */
static void join(struct scan *s, size_t to)
{
    if (!s->digit) { /* nearly all words */
        s->n_last = 0;
        return;
    }
    if (s->n_last == GROUPS_MAX) {
        memmove(s->last, s->last + 1, sizeof s->last - sizeof s->last[0]);
        s->n_last--;
    }
    struct group *g = &s->last[s->n_last], *before = s->n_last > 0 ? g - 1 : NULL;
    *g = (struct group){.n = s->n, .from = s->from, .to = to, .at = s->count};
    memcpy(g->word, s->word, s->n);
    g->digits = all_digits(s->word, s->n);
    g->outward = is_outward(s->word, s->n);
    g->follows = before != NULL && follows(s, before->to, s->from);
    s->n_last++;
    if (!g->follows) {
        s->last[0] = *g;
        s->n_last = 1;
        return;
    }
    if (before->outward && is_inward(g->word, g->n)) say_joined(s, before, 2);
    for (size_t n = 2; g->digits && n <= s->n_last && s->last[s->n_last - n].digits; n++)
        say_joined(s, &s->last[s->n_last - n], n);
}

static void end_word(struct scan *s, size_t to)
{
    if (s->n == 0) {
        s->head = s->cut = s->letters = 0;
        return;
    }
    say(s, SEARCH_WORD, bytes_of(s->word, s->n), s->from, to);
    if (s->head > 0 && s->letters == 1) say(s, SEARCH_ALSO, bytes_of(s->word, s->cut), s->from, s->cut_at);
    if (s->head == 1 && s->letters > 1)
        say(s, SEARCH_ALSO, bytes_of(s->word + s->cut, s->n - s->cut), s->cut_at + 1, to);
    join(s, to);
    s->count++;
    s->n = s->head = s->cut = s->letters = 0;
    s->digit = false;
}

static void add(struct scan *s, const uint8_t *p, size_t n, size_t from)
{
    if (s->n == 0) s->from = from;
    s->letters++;
    s->digit = s->digit || is_digit(p[0]);
    if (s->n + n > sizeof s->word) return;
    memcpy(s->word + s->n, p, n);
    s->n += n;
}

static void apostrophe(struct scan *s, size_t at)
{
    if (s->n == 0) return;
    if (s->head == 0) s->head = s->letters;
    s->cut = s->n;
    s->cut_at = at;
    s->letters = 0;
}

/* Letters and digits of ASCII. */
static const bool plain[128] = {['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true};

void search_words(struct bytes text, search_word_fn each, void *ctx)
{
    struct scan s = {.text = text, .each = each, .ctx = ctx};
    uint8_t folded[SEARCH_FOLD_MAX];
    size_t at = 0, n = 0, end = 0; /* end: of the last letter */
    while (at < text.n) {
        size_t from = at;
        if (text.p[at] < 0x80 && plain[text.p[at]]) { /* as search_fold would, for nearly everything */
            folded[0] = text.p[at] | 0x20;
            add(&s, folded, 1, at);
            end = ++at;
            continue;
        }
        switch (search_fold(text, &at, folded, &n)) {
        case SEARCH_CHAR_LETTER:
            add(&s, folded, n, from);
            end = at;
            break;
        case SEARCH_CHAR_NOTHING: break;
        case SEARCH_CHAR_APOSTROPHE: apostrophe(&s, from); break;
        case SEARCH_CHAR_GAP: end_word(&s, end); break;
        }
    }
    end_word(&s, end);
}

size_t search_compact(struct bytes text, uint8_t out[SEARCH_WORD_MAX])
{
    uint8_t folded[SEARCH_FOLD_MAX];
    size_t at = 0, n = 0, len = 0;
    while (at < text.n) {
        if (search_fold(text, &at, folded, &n) != SEARCH_CHAR_LETTER) continue;
        if (len + n > SEARCH_WORD_MAX) return 0;
        memcpy(out + len, folded, n);
        len += n;
    }
    return len;
}
