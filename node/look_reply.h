/* What the hub replied to a question (sync/question.h), in sentences for people. */
#ifndef SPOKE_NODE_LOOK_REPLY_H
#define SPOKE_NODE_LOOK_REPLY_H

#include "base/json.h"
#include "node/node.h"
#include "sync/question.h"

/* One line of a reply, appended to `out` as it was written: who prints it makes it plain first. Sites and agencies are
 * said by their names, or by their codes where this replica knows no name; a device by its place and the beginning of
 * its id. *out_heading: under which it stands, static; NULL: it stands alone. Nothing is appended for a line that this
 * version does not know. */
MUST_CHECK enum err look_reply_sentence(struct node *n, unsigned kind, const struct reply_line *line,
                                        const char **out_heading, struct buf *out, struct why *why);
/* The name of a site or agency of this code, appended; nothing where none is known here. */
enum look_place { LOOK_SITE, LOOK_AGENCY };
MUST_CHECK enum err look_reply_name(struct node *n, enum look_place what, struct bytes code, struct buf *out,
                                    struct why *why);
/* Word i of a line; empty past its end. */
struct bytes look_reply_word(const struct reply_line *line, size_t i);
/* A word that is a number; 0 for none. */
int64_t look_reply_number(struct bytes word);
/* {asked_at, replied_at, hub_at, lines}: the last reply to this question; `ask`: it is put, unless the same waits
 * already. */
MUST_CHECK enum err look_reply_to(struct node *n, const struct node_question *q, bool ask, struct json **out,
                                  struct why *why);

#endif
