/* Text as words, alike for what is written and for what is looked for: case and accents folded for Latin letters, case
 * for Greek and Cyrillic ones. An apostrophe does not part a word; a number or postcode that is written in groups is
 * also one. */
#ifndef SPOKE_NODE_SEARCH_TEXT_H
#define SPOKE_NODE_SEARCH_TEXT_H

#include "base/buf.h"

#define SEARCH_WORD_MAX 48 /* bytes of a folded word; what is longer is cut there, in queries too */

enum search_word_kind {
    SEARCH_WORD,   /* as it is written */
    SEARCH_ALSO,   /* "child" of "child's", "brien" of "O'Brien": stands at the same place */
    SEARCH_JOINED, /* "9434765919" of "943 476 5919": `span` words as one, from the first of them on */
};
struct search_word {
    enum search_word_kind kind;
    uint32_t at;       /* number of the word in the text, from 0 */
    uint32_t span;     /* words that it is made of: 1 but for SEARCH_JOINED */
    size_t from, to;   /* bytes of the text */
    struct bytes word; /* folded; borrowed until the call returns */
};
typedef void (*search_word_fn)(void *ctx, const struct search_word *w);
/* In order of their ends. Bytes that are no UTF-8 part words. */
void search_words(struct bytes text, search_word_fn each, void *ctx);

/* Letters and digits alone, folded: how numbers and references are compared whatever stands between their groups. Empty
 * when it would be longer than SEARCH_WORD_MAX. */
size_t search_compact(struct bytes text, uint8_t out[SEARCH_WORD_MAX]);

/* ---- search_fold.c */
enum search_char {
    SEARCH_CHAR_LETTER,
    SEARCH_CHAR_NOTHING, /* accents that combine, marks without width: as if they were not there */
    SEARCH_CHAR_APOSTROPHE,
    SEARCH_CHAR_GAP,
};
#define SEARCH_FOLD_MAX 4
/* One character of the text at *at, which moves on. Letters and digits: *n folded bytes in out. */
enum search_char search_fold(struct bytes text, size_t *at, uint8_t out[SEARCH_FOLD_MAX], size_t *n);

#endif
