/* The text of a policy: the views that decide who sees what. hub/policy.sql is the one that a hub begins with; h_policy
 * keeps every one that it had. A text is checked before it comes near the hub's rows (policy_text_check), and its views
 * are then laid in the `main` schema (the policy in force) or the `temp` schema (one that is coming): its views name
 * each other and the tables plainly, so that those in temp find each other first and those in main know nothing of
 * them. */
#ifndef SPOKE_HUB_POLICY_TEXT_H
#define SPOKE_HUB_POLICY_TEXT_H

#include "base/env.h"
#include "sync/db.h"

#define POLICY_TEXT_MAX  (256 << 10) /* bytes of a text */
#define POLICY_MAX_VIEWS 64          /* views in it */
#define POLICY_MAX_NAME  64          /* bytes of a view's name, with its end */

/* One CREATE VIEW statement. */
struct policy_view {
    char name[POLICY_MAX_NAME];
    size_t line;         /* on which it begins, from 1 */
    struct bytes rest;   /* what follows the name: columns, AS, the question; borrowed from the text */
    struct bytes select; /* the question alone; borrowed */
    size_t select_line;  /* on which the question begins */
};

struct policy_text {
    struct policy_view views[POLICY_MAX_VIEWS];
    size_t n;
};

/* Take a text apart. ERR_USAGE, with the line: anything but CREATE VIEW and comments; a name twice. *out borrows from
 * `text`. */
MUST_CHECK enum err policy_text_read(struct bytes text, struct policy_text *out, struct why *why);

/* May a policy read the table of this name: a synced one, or one that the hub keeps for it? */
bool policy_text_reads(const char *name);
/* ERR_USAGE: "Line N of the policy: WORDS." */
enum err policy_text_fault(struct why *why, size_t line, const char *words);

/* Is the text a policy that a hub may be governed by? Lays it in an empty store that is thrown away. ERR_USAGE, in
 * words for whoever wrote it: a statement that is not CREATE VIEW, a view or column that is missing, SQL that is wrong
 * (with its line), a view that reads anything but synced tables and the policy's own (policy_now, case_voice,
 * case_decided). */
MUST_CHECK enum err policy_text_check(const struct env *env, struct bytes text, struct why *why);

/* Create the views of a text that was checked: in main, or as TEMP views, which last as long as the connection.
 * Within the caller's transaction, or each by itself. ERR_USAGE where a name is taken. */
MUST_CHECK enum err policy_text_install(struct db *db, struct bytes text, bool temp, struct why *why);
/* Drop the views that the text names, where they are there. */
MUST_CHECK enum err policy_text_remove(struct db *db, struct bytes text, bool temp, struct why *why);

/* The text in force at this hub (h_policy), appended to out, and its number. ERR_TAMPERED when there is none. */
MUST_CHECK enum err policy_text_in_force(struct db *db, struct buf *out, int64_t *out_gen, struct why *why);

#endif
