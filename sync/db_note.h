/* Which rows changed, noted by the database itself, for who keeps a journal of them: sync/db_track.h of a store that
 * several processes write to. Only on PostgreSQL; on SQLite everything here is ERR_FAILED.
 *
 * Triggers write table and primary key of each row that is inserted, changed, deleted or truncated into a table beside
 * it (spoke_touched), within the transaction that does it. So whoever wrote it is seen: this program, another process
 * of the hub, an older program, psql. What was rolled back, to a savepoint too, is not noted. A transaction that notes
 * waits for nobody on that account and fails for nothing of it but a full disk, or TRUNCATE of a table with a key in
 * REPEATABLE READ or SERIALIZABLE, where it does not see all rows that go.
 *
 * Notes stay until somebody takes them, however long that is; a row that changes often is noted each time. */
#ifndef SPOKE_SYNC_DB_NOTE_H
#define SPOKE_SYNC_DB_NOTE_H

#include "sync/db_track.h"

struct db_note_options {
    void *ctx;
    bool (*wants)(void *ctx, const char *table); /* of a table: are its rows to be noted? */
    bool rows; /* of a table that was not until now: also all rows that it holds already */
};
/* Within a transaction: the tables that are wanted, as they are now, are noted from here on, and no others. *out_laid:
 * how many of them were not until now. Nothing is done where all is as it should be; what an older program left to
 * note them is renewed. ERR_LIMIT: a table has a key that cannot be noted. ERR_BUSY: somebody works with a table for
 * long. */
MUST_CHECK enum err db_note_lay(struct db *db, const struct db_note_options *opt, size_t *out_laid, struct why *why);
/* Within a transaction: nothing is noted any more, and what was is forgotten. Fine where nothing was. */
MUST_CHECK enum err db_note_lift(struct db *db, struct why *why);
/* Is every wanted table noted, also for who switches triggers off for a session? */
MUST_CHECK enum err db_note_holds(struct db *db, const struct db_note_options *opt, bool *out, struct why *why);
/* Since when a note waits, by the database's clock; 0: none does. Only where db_note_lay was called once. */
MUST_CHECK enum err db_note_waits(struct db *db, int64_t *out_since_ms, struct why *why);
/* Within a transaction of db_begin_still: each row that was noted, table by table and once each, and then the notes are
 * gone. Keys are borrowed until the next db_note_take. ERR_LIMIT: they were too many to remember; none is told, and
 * they are gone all the same. */
MUST_CHECK enum err db_note_take(struct db *db, db_track_fn each, void *ctx, struct why *why);

#endif
