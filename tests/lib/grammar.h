/* Which bytes are a changeset or patchset that a hub or node may take: a recogniser written from sync/FORMAT.md §1 and
 * the tables of sync/rules.h alone, apart from sync/changeset.c, so that the two can be held against each other. */
#ifndef SPOKE_TESTS_LIB_GRAMMAR_H
#define SPOKE_TESTS_LIB_GRAMMAR_H

#include "base/buf.h"

struct grammar {
    uint64_t schema; /* version of the tables */
    bool patchset;
    bool deletes; /* is DELETE a word of the language? */
    size_t most;  /* operations */
};

bool grammar_accepts(const struct grammar *g, struct bytes text);

#endif
