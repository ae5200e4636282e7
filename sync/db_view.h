/* Views that come as text from an administrator (hub/policy_text.h), and a store in memory to try them in. Such a text
 * is judged while SQLite takes it apart, by its authoriser: what it may read is said by the caller, and all else that a
 * statement could do is refused. */
#ifndef SPOKE_SYNC_DB_VIEW_H
#define SPOKE_SYNC_DB_VIEW_H

#include "sync/db.h"

/* An empty store in memory with `schema` (several statements) run in it. Close with db_close. */
MUST_CHECK enum err db_open_memory(struct db **out, const struct env *env, const char *schema, struct why *why);

struct db_view_fault {
    char words[256]; /* what is wrong, as part of a sentence */
    size_t offset;   /* where in the text, in bytes */
};

/* Create one view; `sql` is the whole statement, and nothing else of it would be done. ERR_USAGE fills in *fault. */
MUST_CHECK enum err db_view_create(struct db *db, const char *sql, struct db_view_fault *fault, struct why *why);

/* Is `select` a question that can be asked of this store, and one that reads nothing but what `may_read` allows (it is
 * asked about tables and views of the store), calls no function but those that give the same answer to the same
 * question, and does not repeat itself? It is not run. ERR_USAGE fills in *fault. */
typedef bool (*db_may_read)(const void *ctx, const char *name);
MUST_CHECK enum err db_view_judge(struct db *db, const char *select, db_may_read may_read, const void *ctx,
                                  struct db_view_fault *fault, struct why *why);

#endif
