/* The array behind rules.h; only sync/rules.c reads it. */
#ifndef SPOKE_SYNC_RULES_TABLES_H
#define SPOKE_SYNC_RULES_TABLES_H

#include "sync/rules.h"

extern const struct table_rule rules_all[];
extern const size_t rules_count;

#endif
