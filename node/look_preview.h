/* What would come of sharing a case, or of ending that: the question to the hub (sync/question.h), its reply, and what
 * can be said without contact. For commands and pages alike. */
#ifndef SPOKE_NODE_LOOK_PREVIEW_H
#define SPOKE_NODE_LOOK_PREVIEW_H

#include "base/json.h"
#include "node/node.h"

struct look_preview {
    const uint8_t *case_id;
    const char *agency;
    const char *site;   /* NULL: all of theirs that cover the area */
    const char *access; /* check, view, contribute; NULL: contribute */
    bool unshare;       /* the end of it: site and access do not count */
};

/* The question; `text` is kept by it. ERR_USAGE: an access that is none, no agency, a site of too long a name. */
enum { LOOK_PREVIEW_CHARS = 200 };
MUST_CHECK enum err look_preview_question(const struct look_preview *in, char text[LOOK_PREVIEW_CHARS],
                                          struct node_question *out, struct why *why);

/* Sentences that hold by the rules that a hub begins with (hub/policy.sql): what an agency sees with this access, and
 * what it does not see. They say nothing of this case. NULL ends them; static. */
const char *const *look_preview_rule(const struct look_preview *in);

/* "3 records", "1 person"; a table that this version does not know by its name: "colour: 2". */
void look_preview_count(struct buf *out, struct bytes table, long long n);

/* {asked_at, replied_at, hub_at, lines, rule}; `ask` as in look_reply. ERR_NOTFOUND: the case is not here. */
MUST_CHECK enum err look_preview(struct node *n, const struct look_preview *in, bool ask, struct json **out,
                                 struct why *why);

#endif
