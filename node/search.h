/* The search index of a replica (node/search.sql): which words stand in which case, and of which two words side by side
 * this may be said, no more. A search reads the rows of the cases
 * that it names before anything is shown, so an index that is behind, or a page of it that was put back, shows nothing
 * that is not here.
 *
 * It is filled when somebody searches, or while nobody does anything, in steps of a transaction each. From then on a
 * case whose rows change is marked in the transaction that changes them, and its words are written anew at the next
 * step. The sum over all rows (sync/db_sum.h) that it knew last stands with it: when the rows are others, it is made
 * anew. Before a receipt for forgetting is signed, the words of all marked cases are taken out.
 *
 * Why not FTS5: before SQLite 3.42 it keeps deleted words in its segments until these are merged. */
#ifndef SPOKE_NODE_SEARCH_H
#define SPOKE_NODE_SEARCH_H

#include "node/internal.h"
#include "node/search_text.h"

/* ------------------------------------------------------------------------------------------------- search.c */
MUST_CHECK enum err search_open(struct node *n, struct why *why); /* once, when the sum is followed. Writes nothing. */
void search_close(struct node *n);                                /* after the store is closed */
/* Within a transaction that changed rows, before it commits: mark their cases. */
MUST_CHECK enum err search_note(struct node *n, const uint8_t sum[16], struct why *why);
/* No word of a row that changed or went stands in the index afterwards. Nothing due costs a question. Outside a
 * transaction. */
MUST_CHECK enum err search_forget(struct node *n, struct why *why);
/* Nothing of the index stands afterwards; whoever searches next makes it anew. Outside a transaction. */
MUST_CHECK enum err search_forget_all(struct node *n, struct why *why);

/* ------------------------------------------------------------------------------------------- search_piece.c */
#define SEARCH_BLOCK 256 /* cases */
#define SEARCH_BITS  (SEARCH_BLOCK / 64)
struct search_bits { /* a bit for each case of a block */
    uint64_t w[SEARCH_BITS];
};
static inline void search_bits_add(struct search_bits *b, size_t i)
{
    b->w[i / 64 % SEARCH_BITS] |= UINT64_C(1) << (i % 64);
}
static inline bool search_bits_has(const struct search_bits *b, size_t i)
{
    return (b->w[i / 64 % SEARCH_BITS] >> (i % 64) & 1) != 0;
}
static inline void search_bits_or(struct search_bits *b, const struct search_bits *with)
{
    for (size_t i = 0; i < SEARCH_BITS; i++) b->w[i] |= with->w[i];
}
/* Is there any left? */
static inline bool search_bits_and(struct search_bits *b, const struct search_bits *with)
{
    uint64_t any = 0;
    for (size_t i = 0; i < SEARCH_BITS; i++) any |= b->w[i] &= with->w[i];
    return any != 0;
}
static inline size_t search_bits_count(const struct search_bits *b)
{
    size_t n = 0;
    for (size_t i = 0; i < SEARCH_BITS; i++) n += (size_t)__builtin_popcountll(b->w[i]);
    return n;
}

/* Lists of a block in pieces, each of which fills a page. */
#define SEARCH_PIECE 3950u /* bytes at most */
enum search_list { SEARCH_WORDS, SEARCH_PAIRS };
int64_t search_at(int64_t block, enum search_list list); /* where its head stands; piece 1 one later, and so on */
enum err search_damaged(struct why *why);
/* ERR_OK and no statement, no data: there is none. Else give the statement back after the data. */
MUST_CHECK enum err search_piece_read(struct node *n, int64_t at, struct stmt **out, struct bytes *data,
                                      struct why *why);
MUST_CHECK enum err search_pieces_each(struct node *n, int64_t at,
                                       enum err (*each)(void *ctx, struct bytes data, struct why *why), void *ctx,
                                       struct why *why);
/* A list that is written anew: in memory until all of the old one was read. */
struct search_out {
    struct buf data, ends, head;
    size_t from; /* where the piece begins */
};
void search_out_init(struct search_out *o);
void search_out_release(struct search_out *o);
size_t search_out_len(const struct search_out *o); /* of the piece so far */
void search_out_cut(struct search_out *o);         /* what comes is of the next piece */
/* In the place of the old one. Without a head there is none. */
MUST_CHECK enum err search_out_write(struct search_out *o, struct node *n, int64_t at, struct why *why);

/* ------------------------------------------------------------------------------------------- search_words.c */
struct search_posting {
    struct search_bits cases;
    uint32_t hash, at; /* at: of the word, in a text of all of them */
    uint8_t n;         /* its bytes; 0: there is none */
};
/* Cases out of all words, and then those added whose words these are, in order. */
MUST_CHECK enum err search_words_merge(struct node *n, int64_t block, const struct search_bits *clear,
                                       const struct search_posting *v, size_t n_v, const uint8_t *text,
                                       struct why *why);
/* Cases with a word, or with one that begins so. */
MUST_CHECK enum err search_words_find(struct node *n, int64_t block, struct bytes word, bool prefix,
                                      struct search_bits *out, struct why *why);
MUST_CHECK enum err search_words_each(struct node *n, int64_t block,
                                      enum err (*each)(void *ctx, struct bytes word, const struct search_bits *cases),
                                      void *ctx, struct why *why);

/* ------------------------------------------------------------------------------------------- search_pairs.c */
#define SEARCH_PAIRS_MAX  (48u << 20) /* bytes of keys of a block */
#define SEARCH_CASE_PAIRS 16384u      /* with more, a case counts as one that has any */
struct search_pairs {
    struct buf keys;         /* uint32_t: search_pair * SEARCH_BLOCK + the case's place; each once, in order */
    struct search_bits full; /* cases that have too many */
};
uint64_t search_pair_word(struct bytes word);
uint32_t search_pair(uint64_t first, uint64_t second);
size_t search_pairs_sort(uint32_t *v, size_t n); /* each once: how many there are */
MUST_CHECK enum err search_pairs_merge(struct node *n, int64_t block, const struct search_bits *clear,
                                       const struct search_pairs *add, struct why *why);
/* Cases that may have it, never one too few. */
MUST_CHECK enum err search_pairs_find(struct node *n, int64_t block, uint32_t pair, struct search_bits *out,
                                      struct why *why);

/* -------------------------------------------------------------------------------------------- search_fill.c */
/* One step towards an index that has everything: at most so many cases (0: a usual number). Outside a transaction.
 * *out_more: there is more to do. For idle moments; look_search does what is left. */
MUST_CHECK enum err search_fill(struct node *n, size_t cases, bool *out_more, struct why *why);

/* All steps, before a search. Where they cannot be written (the disk is full), or while an edit is being made, what the
 * index has is enough: marked cases are read without it. But there must be one that knows of all cases. */
MUST_CHECK enum err search_ready(struct node *n, struct why *why);
/* The same for about so many ms at most: small steps, of which there may be more to do afterwards. *out_all: it knows
 * of all cases. */
MUST_CHECK enum err search_some(struct node *n, int64_t ms, bool *out_all, struct why *why);

/* ---- for node/search*.c and looks that search */
#define SEARCH_EXACT "\1" /* before what search_compact gives of a number or reference */
#define SEARCH_BORN  "\2" /* before a date as digits */
#define SEARCH_NAME  "\3" /* before search_name */

bool search_in_force(const struct node *n);
/* Its tables stand; within a transaction. From here on changes are marked. */
MUST_CHECK enum err search_begin(struct node *n, struct why *why);
/* Which cases there are, table by table, for that alone takes a while: how many of SEARCH_SOURCES were gone through. */
MUST_CHECK enum err search_listed(struct node *n, uint64_t *out, struct why *why);
MUST_CHECK enum err search_list_next(struct node *n, uint64_t listed, struct why *why);
/* search_begin's transaction was rolled back. */
void search_not_begun(struct node *n);
/* Cases of a block out of all its lists. */
MUST_CHECK enum err search_clear(struct node *n, int64_t block, const struct search_bits *cases, struct why *why);

/* Family and given names as one folded word: empty without either. */
size_t search_name(struct bytes family, struct bytes given, uint8_t out[2 * SEARCH_WORD_MAX + 1]);

/* -------------------------------------------------------------------------------------------- search_rows.c */
/* Rows of a case that may be found, each with its texts. */
#define SEARCH_TEXTS_MAX 6
struct search_row {
    const char *table;
    const char *what; /* "a record" */
    bool secret;      /* its text is not to be shown in a list */
    bool noted;       /* and looking at it is noted (node_note_view) */
    uint8_t id[16];
    bool has_person;
    uint8_t person[16];
    int64_t at;
    struct bytes text[SEARCH_TEXTS_MAX]; /* empty ones too; borrowed until the call returns */
    size_t n_texts;
    unsigned exact;                   /* a bit for each text that is a number or reference */
    struct bytes family, given, born; /* of a person */
};
typedef enum err (*search_row_fn)(void *ctx, const struct search_row *r, struct why *why);
/* A case that was voided has none. *out_rows (may be NULL) counts on. */
MUST_CHECK enum err search_rows(struct node *n, const uint8_t case_id[16], search_row_fn each, void *ctx,
                                uint64_t *out_rows, struct why *why);
bool search_has_table(int table_index);
/* Do any rows of the case stand here, found or not? */
MUST_CHECK enum err search_case_here(struct node *n, const uint8_t case_id[16], bool *out, struct why *why);
/* So many cases of a table into n_search, in order. `after` moves on. */
#define SEARCH_SOURCES 14
MUST_CHECK enum err search_list_cases(struct node *n, size_t source, uint8_t after[16], size_t cases, bool *out_more,
                                      struct why *why);

/* ------------------------------------------------------------------------------------------- search_find.c */
/* Numbers of cases as bits. */
struct search_set {
    struct search_bits *block; /* owned */
    size_t n;
};
MUST_CHECK enum err search_set_new(struct node *n, struct search_set *out, struct why *why);
void search_set_release(struct search_set *s);

struct search_case {
    uint8_t id[16];
    int64_t rank;
};
/* Those of the set; those that the index knows too little of and that are not in the set; or both. Best first. Free
 * *out. */
enum search_which { SEARCH_IN_SET = 1, SEARCH_MARKED = 2, SEARCH_BOTH = SEARCH_IN_SET | SEARCH_MARKED };
MUST_CHECK enum err search_cases(struct node *n, const struct search_set *in, enum search_which which,
                                 struct search_case **out, size_t *out_n, struct why *why);

#endif
