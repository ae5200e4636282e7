/* The journal put back into the store of a backup (hub/DISASTER.md, Restoring from it). */
#ifndef SPOKE_HUB_REDO_APPLY_H
#define SPOKE_HUB_REDO_APPLY_H

#include "crypto/identity.h"
#include "hub/redo_part.h"
#include "sync/db.h"

struct redo_source {
    const struct env *env;
    const char *dir;
    const struct identity *hub;             /* who signed it: that of the backup */
    const struct identity_secret *recovery; /* to whom it is sealed */
    const struct secret *key;               /* data key of the store that is filled */
    bool until_damage;                      /* take what is whole before a damage */
};
struct redo_applied {
    uint64_t transactions, last; /* that were put; the last entry that was read: the backup's, if there was none */
    int64_t at_ms;               /* when the last of them was made; 0: none was put */
    bool damaged;                /* it ended at a damage */
};
/* Within the transaction that fills the store, after the backup. After any error the caller undoes all of it.
 * ERR_NOTFOUND: the backup knows of no journal, or the folder does not have what follows it. ERR_TAMPERED: damaged,
 * or another's. ERR_VERSION: a newer program wrote it. */
MUST_CHECK enum err redo_apply(struct db *db, const struct redo_source *from, struct redo_applied *out,
                               struct why *why);

/* hub/redo_rows.c: one transaction, as its entries hold it, into a store. */
struct redo_rows; /* opaque */
MUST_CHECK enum err redo_rows_new(struct redo_rows **out, const struct env *env, struct db *db, const struct secret *key,
                                  struct why *why);
MUST_CHECK enum err redo_rows_put(struct redo_rows *r, struct bytes transaction, struct why *why);
void redo_rows_free(struct redo_rows *r); /* NULL is fine */

#endif
