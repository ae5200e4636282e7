/* What a hub has, table by table, as far as a restore with a journal must bring it back. */
#ifndef SPOKE_TESTS_LIB_JOURNAL_SUM_H
#define SPOKE_TESTS_LIB_JOURNAL_SUM_H

#include "hub/dump.h"
#include "hub/hub.h"

/* Each table's rows, but of those that a restore makes anew or adds its own act to. */
MUST_CHECK enum err journal_sum_of(struct hub *h, const struct env *env, struct dump_sum *out, struct why *why);
/* ERR_FAILED, with words: they are not the same. */
MUST_CHECK enum err journal_sum_same(const struct dump_sum *a, const struct dump_sum *b, struct why *why);

#endif
