/* Many answers at once, from a sheet that staff filled in beside another system: nothing is typed twice. The sheet
 * is CSV (RFC 4180, UTF-8) with the columns request,case,asked_by,question,due,result,reason,title,body,sensitivity,
 * needs_consent; the last six are empty in what is handed out. */
#ifndef SPOKE_NODE_ACT_ANSWERS_H
#define SPOKE_NODE_ACT_ANSWERS_H

#include "node/act_case.h"

enum { ANSWERS_MAX_ROWS = 2000, ANSWERS_MAX_BYTES = 4 << 20 };

struct act_answers_done {
    size_t answered, declined, records;
    size_t blank; /* lines without a result: left as they were */
};
/* Called for each line that cannot be taken; `message` is borrowed and holds nothing of what somebody wrote. */
typedef void (*act_answers_fault_fn)(void *ctx, unsigned line, const char *message);

/* Take a sheet: all of it in one edit, or nothing. `result` is known, not_known, nothing_relevant (a blank, a hyphen
 * or capitals do not matter) or declined, which needs a reason; a title or body makes a record of this agency, with
 * `sensitivity` (empty: open). ERR_USAGE: some lines cannot be taken, `fault` was called for each, nothing was
 * written. ERR_LIMIT: too large; ERR_FORMAT: no such sheet. */
MUST_CHECK enum err act_answers(struct node *n, struct bytes csv, act_answers_fault_fn fault, void *ctx,
                                struct act_answers_done *out, struct why *why);

/* The sheet to fill in: the questions that wait for this agency's answer, the most pressing first. */
MUST_CHECK enum err act_answers_form(struct node *n, struct buf *out, struct why *why);

#endif
