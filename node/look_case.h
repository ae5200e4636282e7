/* What the looks at one case share (node/look_case*.c, look_chronology.c, look_summary.c). */
#ifndef SPOKE_NODE_LOOK_CASE_H
#define SPOKE_NODE_LOOK_CASE_H

#include "node/look_board.h"

/* One case and how it stands. */
struct look_matter {
    struct node *n;
    const uint8_t *id;
    struct look_times times;
    struct look_state state;
    struct buf lone; /* as look_state_ask has it */
};
/* ERR_NOTFOUND: no such case here, or one that was opened by mistake. Free it also after an error. */
MUST_CHECK enum err look_matter_new(struct node *n, const uint8_t case_id[16], struct look_matter *out,
                                    struct why *why);
void look_matter_free(struct look_matter *m);

/* Does the row t of the question have changes that the hub has not judged? A column of it. */
#define LOOK_UNSENT(t) "EXISTS (SELECT 1 FROM n_pending z WHERE z.id = " t ".id) AS unsent"

/* A question about the case ($1; where the text has it, $2 is the time) whose rows go under `key` of o. */
struct look_part {
    const char *key, *table, *sql;
    look_each each; /* may be NULL; gets the matter as ctx */
};
MUST_CHECK enum err look_parts(const struct look_matter *m, const struct look_part *parts, size_t n, struct json *o,
                               struct why *why);
/* One bound question about the case, $2 and all. */
MUST_CHECK enum err look_ask_case(const struct look_matter *m, const char *sql, struct stmt **out, struct why *why);

/* look_case_people.c: `people`, with what is said of each. */
MUST_CHECK enum err look_case_people(const struct look_matter *m, struct json *o, struct why *why);
/* look_case_clock.c: `clocks`. */
MUST_CHECK enum err look_case_clocks(const struct look_matter *m, struct json *o, struct why *why);
/* look_case_may.c: `access` and `may`. */
MUST_CHECK enum err look_case_may(const struct look_matter *m, struct json *o, struct why *why);

#endif
