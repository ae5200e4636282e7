/* How replies of the hub are shown. */
#ifndef SPOKE_CLI_NODE_REPLY_H
#define SPOKE_CLI_NODE_REPLY_H

#include "cli/node_work.h"

/* Print the reply to a question that is replied to: {"question", "as_of", "lines"}, or sentences under a heading each;
 * `none` when the hub has nothing to say. */
MUST_CHECK enum err node_reply_show(struct work *w, enum question_kind kind, uint64_t number, const char *none,
                                    struct why *why);

/* Ask the hub in a contact of its own, unless --offline was given. *out_number: of the question. *out_replied: there is
 * something to show; else node_reply_waits says that it goes with the next contact. cli/node_ask.c. */
MUST_CHECK enum err node_reply_ask(struct work *w, const struct node_question *q, uint64_t *out_number, bool *out_replied,
                                   struct why *why);
MUST_CHECK enum err node_reply_waits(struct work *w, uint64_t number, struct why *why);

#endif
