/* What somebody looks for, and whether a text has it. Nothing in a query is a command: two quotation marks hold words
 * that stand side by side, everything else is words. */
#ifndef SPOKE_NODE_SEARCH_QUERY_H
#define SPOKE_NODE_SEARCH_QUERY_H

#include "node/search_text.h"

#define SEARCH_QUERY_BYTES 200
#define SEARCH_QUERY_WORDS 16

struct search_folded {
    uint8_t p[SEARCH_WORD_MAX];
    size_t n;
};
enum search_term_kind {
    SEARCH_TERM_WORD,
    SEARCH_TERM_PHRASE,
    SEARCH_TERM_NUMBER, /* written in groups: as one, or all of them */
};
struct search_term {
    enum search_term_kind kind;
    size_t first, n;             /* of the query's words */
    bool prefix;                 /* its last word, and a number as a whole, may go on */
    struct search_folded joined; /* of SEARCH_TERM_NUMBER */
};
struct search_query {
    struct search_folded word[SEARCH_QUERY_WORDS];
    struct search_term term[SEARCH_QUERY_WORDS];
    size_t n_words, n_terms;
    struct search_folded exact; /* all of it, compact */
};
/* ERR_USAGE: no word, or no UTF-8; ERR_LIMIT. */
MUST_CHECK enum err search_query_read(struct search_query *out, struct bytes text, struct why *why);
/* All terms: what search_match gives when nothing is missing. */
uint32_t search_query_all(const struct search_query *q);

#define SEARCH_RANGES_MAX 24
struct search_ranges { /* bytes of a text, in order, apart from each other */
    size_t from[SEARCH_RANGES_MAX], to[SEARCH_RANGES_MAX];
    size_t n;
};
/* Which terms the text has, a bit each, and where. */
uint32_t search_match(const struct search_query *q, struct bytes text, struct search_ranges *out);

#endif
