/* Schema versions for tests: of each version the product's own columns up to it and, from 2 on, a few more. A program
 * with versions.c among its objects has these tables in place of sync/rules_tables.c. Version 1 is the product's. */
#ifndef SPOKE_TESTS_SCHEMA_VERSIONS_H
#define SPOKE_TESTS_SCHEMA_VERSIONS_H

#include "sync/rules.h"

#define VERSIONS_NEWEST 4

/* From now on this program is one that knows the versions up to this one. What is open speaks the version that it was
 * opened in: say it before every call. */
void versions_speak(uint64_t newest);

#endif
