/* A hub whose transparency logs are looked at: their export as lines, checked and forged. Anything unexpected fails the
 * test. */
#ifndef SPOKE_TESTS_LIB_LOG_WORLD_H
#define SPOKE_TESTS_LIB_LOG_WORLD_H

#include "tests/lib/fake_node.h"

extern struct fake_hub *log_hub; /* between log_start and log_stop */
struct line {
    struct bytes text; /* with its newline */
};

int log_start(void **state);
int log_stop(void **state);
void log_export(struct buf *out);
enum err log_audit(struct bytes text, struct bytes kept, struct log_audit_sum *sum, struct why *why);
void log_holds(struct bytes text, struct bytes kept, struct log_audit_sum *sum);
void log_verifies(void);
void log_sql(const char *text);
void log_checkpoint(const uint8_t *kid, struct buf *out);
void log_acts(int n);
size_t log_lines_of(struct bytes text, struct line *out, size_t max);
void log_put_lines(struct buf *out, const struct line *l, size_t from, size_t to);

#endif
