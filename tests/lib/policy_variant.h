/* Policies for tests: the one that a hub begins with, and something put over three of its views. */
#ifndef SPOKE_TESTS_LIB_POLICY_VARIANT_H
#define SPOKE_TESTS_LIB_POLICY_VARIANT_H

#include <stdbool.h>
#include <stdint.h>

/* Each a piece of SQL; NULL: as it was. */
struct policy_variant {
    const char *rows;   /* "WHEN tbl = 'warning' AND channel = 'face' THEN 'shared'": channels of rows */
    const char *less;   /* "channel = 'room' AND site = 'mash'": channels that sites do not hold any more */
    const char *more;   /* "SELECT site, case_id, 'room' FROM site_access0 WHERE access = 3": that they hold besides */
    const char *access; /* "CASE WHEN site = 'gp' THEN 1 ELSE access END": how far they may write */
};
/* To be freed. */
char *policy_variant_text(const struct policy_variant *v);
/* The policy that a hub begins with, `by` in place of the first `what`. To be freed. */
char *policy_variant_changed(const char *what, const char *by);

struct hub_fixture;
/* Put it in force, whole or only begun. */
void policy_variant_begin(struct hub_fixture *f, const struct policy_variant *v);
void policy_variant_finish(struct hub_fixture *f);
/* What the masks show every site of every case is what the views say of the policy or policies that stand over the
 * case. Asked of the views by joins of this test's own, not by the hub's code. */
void policy_variant_agrees(struct hub_fixture *f);
/* Of the cases under `policy` (enum case_policy): how many (site, row) the masks show and the views do not, or the
 * other way round. Slow: for small worlds. */
int64_t policy_variant_differs(struct hub_fixture *f, int policy, bool too_much);

#endif
