/* What stays with an agency without the case (node/look_kept.c): what it wrote, what it was told, the outcome. */
#ifndef SPOKE_NODE_LOOK_KEPT_H
#define SPOKE_NODE_LOOK_KEPT_H

#include "node/look_case.h"

/* Do rows of the case stand here though the case itself does not? */
MUST_CHECK enum err look_kept(struct node *n, const uint8_t case_id[16], bool *out, struct why *why);
/* The page of such a case: {bare: true, case: {id, case_id, reference: null}, requests, releases, feedback, held,
 * access, may}. Texts of records and of what was told are the chronology's. */
MUST_CHECK enum err look_bare_case(struct node *n, const uint8_t case_id[16], struct json **out, struct why *why);
/* Of the cases that are not here: those of which something was told to this agency, what waits for its word first;
 * under `told` of a board. */
MUST_CHECK enum err look_told(struct node *n, struct json *board, struct why *why);

/* node/look_case.c: of the parts of a case's page those that an agency may have without the case. */
MUST_CHECK enum err look_case_kept_parts(const struct look_matter *m, struct json *o, struct why *why);

#endif
