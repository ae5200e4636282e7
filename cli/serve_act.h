/* What the acts' routes share beside cli/serve.h: members of other kinds, sets of columns, which case a row is of. */
#ifndef SPOKE_CLI_SERVE_ACT_H
#define SPOKE_CLI_SERVE_ACT_H

#include "cli/serve.h"
#include "node/act_case.h"

/* true or false; `absent` where null or missing. Anything else is ERR_USAGE: "yes" must not count as no. */
MUST_CHECK enum err serve_bool(struct serve_call *c, const char *name, bool absent, bool *out, struct why *why);
/* An array of at most `max` texts, each borrowed; *out_n 0 where null or missing. */
MUST_CHECK enum err serve_texts(struct serve_call *c, const char *name, const char **out, size_t max, size_t *out_n,
                                struct why *why);
/* Is the member an array (or null, or missing: no items)? */
MUST_CHECK enum err serve_items(struct serve_call *c, const char *name, size_t *out_n, struct why *why);

/* What the body says about these columns of a table, as changes: a member that is null or missing says nothing, an
 * empty text takes away. `names` ends with NULL; a name that is no column is a text. Adds to out[*n]. */
MUST_CHECK enum err serve_changes(struct serve_call *c, const char *table, const char *const *names,
                                  struct act_change *out, size_t max, size_t *n, struct why *why);

/* The case that a row is of. ERR_NOTFOUND, with "There is WHAT with that id on this device."; ERR_USAGE: no case
 * table. */
MUST_CHECK enum err serve_case_of(struct serve_call *c, const char *table, const uint8_t id[16], const char *what,
                                  uint8_t out[16], struct why *why);

/* After serve_done: what the act noted; that the hub keeps it back, as far as this device knows. */
void serve_notes(struct serve_call *c, const struct act_notes *notes);
void serve_held(struct serve_call *c, bool held);
const char *serve_sight_word(enum act_sight s); /* all, room, nobody_consent, nobody_restricted, nobody_voided */
/* `shown` of the body: what a person had before them (64 hex digits). ERR_USAGE with `complaint` where it is
 * missing. */
MUST_CHECK enum err serve_shown(struct serve_call *c, const char *complaint, uint8_t out[HASH_BYTES], struct why *why);
void serve_set_time(struct json *o, const char *key, int64_t ms); /* 0: null */

#endif
