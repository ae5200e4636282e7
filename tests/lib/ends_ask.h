/* Questions of the devices of two_ends.h, and what was replied. */
#ifndef SPOKE_TESTS_LIB_ENDS_ASK_H
#define SPOKE_TESTS_LIB_ENDS_ASK_H

#include "tests/lib/two_ends.h"

struct ends_reply {
    uint64_t number;
    struct node_reply head;
    size_t n;        /* lines */
    struct buf text; /* "word|word\n" a line, ended by NUL */
};
struct node_question ends_question(enum question_kind kind, const char *table, const uint8_t id[16]);
uint64_t ends_put_question(struct ends_node *n, const struct node_question *q);
/* What stands here; released by ends_reply_release. */
struct ends_reply ends_read(struct ends_node *n, uint64_t number);
/* Ask, one contact, read. */
struct ends_reply ends_ask(struct ends_node *n, const struct node_question *q);
void ends_reply_release(struct ends_reply *r);
/* Is there a line that begins so? */
bool ends_says(const struct ends_reply *r, const char *line);

#endif
