/* One referral of a census as the rows of a new case. */
#ifndef SPOKE_CLI_IMPORT_CIN_WRITE_H
#define SPOKE_CLI_IMPORT_CIN_WRITE_H

#include "cli/import_cin_census.h"
#include "sync/db.h"

#define CIN_EDIT_CASES 4000u   /* of one edit: an envelope has at most ENVELOPE_MAX_PARTS */
#define CIN_EDIT_ROWS 100000u  /* after which the edit is closed: keeps an envelope below a bundle's ceiling */

struct cin_writer {
    const struct env *env;
    struct db *db;
    const char *agency;      /* this node's */
    const char *area;
    size_t rows;             /* written so far */
};
/* Within an edit of the node. ref: the case's external_ref. */
MUST_CHECK enum err cin_write_case(struct cin_writer *w, const struct cin_child *child, const struct cin_referral *r,
                                   const char *ref, struct why *why);

#endif
