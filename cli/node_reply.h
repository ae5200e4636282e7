/* How replies of the hub are shown. */
#ifndef SPOKE_CLI_NODE_REPLY_H
#define SPOKE_CLI_NODE_REPLY_H

#include "cli/node_work.h"

/* Print the reply to a question that is replied to: {"question", "as_of", "lines"}, or sentences under a heading each;
 * `none` when the hub has nothing to say. */
MUST_CHECK enum err node_reply_show(struct work *w, enum question_kind kind, uint64_t number, const char *none,
                                    struct why *why);

#endif
