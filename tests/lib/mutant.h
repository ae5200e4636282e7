/* Changesets with one thing or another wrong: made as a tree of tables, operations and values, which is changed and
 * then written out as bytes. Knows FORMAT.md §1 and the rules alone, nothing of sync/changeset.c. */
#ifndef SPOKE_TESTS_LIB_MUTANT_H
#define SPOKE_TESTS_LIB_MUTANT_H

#include "base/buf.h"
#include "sync/rules.h"

#define MUTANT_TABLES 4u
#define MUTANT_OPS    4u

/* A row that is there, or the next one that is not. */
struct mutant_row {
    uint8_t id[16], case_id[16];
    int table;
};
/* What changesets are about. */
struct mutant_subject {
    const char *agency;            /* the author's */
    const struct mutant_row *rows; /* that are there */
    size_t n_rows;
    const uint8_t (*cases)[16];
    size_t n_cases;
    const uint8_t *user;
};

/* *out is reset and written. The same state of *random gives the same bytes. Returns whether anything was done to it
 * that the grammar has no word for; the grammar alone knows what is right. */
bool mutant_make(const struct mutant_subject *about, uint64_t *random, struct buf *out);

uint64_t mutant_random(uint64_t *state);

#endif
