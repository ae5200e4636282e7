/* What the hub replied to a question (sync/question.h), in sentences for people. */
#ifndef SPOKE_NODE_LOOK_REPLY_H
#define SPOKE_NODE_LOOK_REPLY_H

#include "sync/question.h"

/* One line of a reply, appended to `out` as it was written: who prints it makes it plain first. *out_heading: under which it
 * stands, static; NULL: it stands alone. Nothing is appended for a line that this version does not know. */
void look_reply_sentence(unsigned kind, const struct reply_line *line, const char **out_heading, struct buf *out);
/* Word i of a line; empty past its end. */
struct bytes look_reply_word(const struct reply_line *line, size_t i);
/* A word that is a number; 0 for none. */
int64_t look_reply_number(struct bytes word);

#endif
