/* A Children in Need census return (XML, Department for Education) as cases of this agency. */
#ifndef SPOKE_CLI_IMPORT_CIN_H
#define SPOKE_CLI_IMPORT_CIN_H

#include "cli/command.h"
#include "node/node.h"

/* Read the return in `file`, check all of it, then make a case of each referral (CINdetails) that is not here yet. One
 * edit, all or nothing; a very long return takes several edits, in order, and says so. area NULL: the one area that the
 * node's site covers. dry_run: nothing is written. Prints counts on stdout, what was left out (by line number, never
 * its content) on stderr, and sets c->attention when anything was left out. Repeatable: a referral that is here already
 * is skipped. ERR_FORMAT: no well-formed census, nothing taken. ERR_NOTFOUND, ERR_LIMIT, ERR_USAGE. */
MUST_CHECK enum err import_cin_run(struct cli *c, struct node *n, const char *file, const char *area, bool dry_run,
                                   struct why *why);

#endif
