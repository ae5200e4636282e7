/* The cases that policy_check lays before a policy. For its own files. */
#ifndef SPOKE_HUB_POLICY_CHECK_CASE_H
#define SPOKE_HUB_POLICY_CHECK_CASE_H

#include "hub/policy_check.h"

enum laid_case { LAID_OPEN, LAID_CLOSED, LAID_NAMED, LAID_CASES };

/* Agencies, sites and the three cases, with their rows; fills in lines (table and state), kinds and schemes. */
MUST_CHECK enum err policy_check_lay(struct db *db, struct policy_check *p, struct why *why);
/* Id of the row of a line in one of the cases. */
void policy_check_id(const struct policy_line *l, enum laid_case c, uint8_t out[16]);
/* Which way a site stands for in that case; WAY_OTHER for all that have no part in it. */
enum policy_way policy_check_way(struct bytes site, enum laid_case c);
/* The kind that a site stands for, or -1. */
int policy_check_kind(const struct policy_check *p, struct bytes site);

#endif
