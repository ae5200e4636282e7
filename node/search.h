/* The search index of a replica (node/search.sql): which words stand in which case, no more. A search reads the rows of the cases
 * that it names before anything is shown, so an index that is behind, or a page of it that was put back, shows nothing that
 * is not here.
 *
 * It is filled when somebody searches, or while nobody does anything, in steps of a transaction each. From then on a case whose
 * rows change is marked in the transaction that changes them, and its words are written anew at the next step. The sum over
 * all rows (sync/db_sum.h) that it knew last stands with it: when the rows are others, it is made anew. Before a receipt
 * for forgetting is signed, the words of all marked cases are taken out.
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

/* -------------------------------------------------------------------------------------------- search_fill.c */
/* One step towards an index that has everything: at most so many cases (0: a usual number). Outside a transaction. *out_more:
 * there is more to do. For idle moments; look_search does what is left. */
MUST_CHECK enum err search_fill(struct node *n, size_t cases, bool *out_more, struct why *why);

/* All steps, before a search. Where they cannot be written (the disk is full), or while an edit is being made, what the index has
 * is enough: marked cases are read without it. But there must be one. */
MUST_CHECK enum err search_ready(struct node *n, struct why *why);
/* The same for about so many ms at most: small steps, of which there may be more to do afterwards. */
MUST_CHECK enum err search_some(struct node *n, int64_t ms, struct why *why);

/* ---- for node/search*.c and looks that search */
#define SEARCH_BLOCK 48   /* cases: SQLite keeps that many bits in six bytes */
#define SEARCH_EXACT "\1" /* before what search_compact gives of a number or reference */
#define SEARCH_BORN  "\2" /* before a date as digits */
#define SEARCH_NAME  "\3" /* before search_name */

bool search_in_force(const struct node *n);
/* Its tables stand, with every case marked; within a transaction. From here on changes are marked. */
MUST_CHECK enum err search_begin(struct node *n, struct why *why);
/* search_begin's transaction was rolled back. */
void search_not_begun(struct node *n);
/* Bits of a block out of all its words. */
MUST_CHECK enum err search_clear(struct node *n, int64_t block, uint64_t bits, struct why *why);

/* Family and given names as one folded word: empty without either. */
size_t search_name(struct bytes family, struct bytes given, uint8_t out[2 * SEARCH_WORD_MAX + 1]);

/* -------------------------------------------------------------------------------------------- search_rows.c */
/* Rows of a case that may be found, each with its texts. */
#define SEARCH_TEXTS_MAX 6
struct search_row {
    const char *table;
    const char *what; /* "a record" */
    bool secret;      /* its text is not to be shown in a list */
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
/* A statement that puts every case of these tables into n_search. */
MUST_CHECK enum err search_all_cases(struct node *n, struct why *why);

/* ------------------------------------------------------------------------------------------- search_find.c */
/* Numbers of cases as bits. */
struct search_set {
    uint64_t *block; /* owned; SEARCH_BLOCK bits each */
    size_t n;
};
MUST_CHECK enum err search_set_new(struct node *n, struct search_set *out, struct why *why);
void search_set_release(struct search_set *s);
/* Cases with a word, or with one that begins so, of this block. */
MUST_CHECK enum err search_look_up(struct node *n, int64_t block, struct bytes word, bool prefix, uint64_t *out,
                                   struct why *why);

struct search_case {
    uint8_t id[16];
    int64_t rank;
};
/* Those of the set; those that the index knows too little of and that are not in the set; or both. Best first. Free *out. */
enum search_which { SEARCH_IN_SET = 1, SEARCH_MARKED = 2, SEARCH_BOTH = SEARCH_IN_SET | SEARCH_MARKED };
MUST_CHECK enum err search_cases(struct node *n, const struct search_set *in, enum search_which which,
                                 struct search_case **out, size_t *out_n, struct why *why);

#endif
