/* The array behind rules.h; only sync/rules.c reads it. A program that brings an object of its own with these three
 * names has other tables: the library's is then not linked. So tests speak later schema versions. */
#ifndef SPOKE_SYNC_RULES_TABLES_H
#define SPOKE_SYNC_RULES_TABLES_H

#include "sync/rules.h"

extern const struct table_rule rules_all[];
extern const size_t rules_count;
extern const uint64_t rules_newest; /* the highest `since` */

#endif
