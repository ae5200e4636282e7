/* The journal folder: what each transaction of the hub changed, sealed, in a folder of another machine
 * (hub/DISASTER.md). */
#ifndef SPOKE_HUB_REDO_H
#define SPOKE_HUB_REDO_H

#include "hub/hub.h"

#define REDO_ID_BYTES     16
#define REDO_PENDING_MAX  (256 << 20) /* bytes that wait in the store; above it the journal begins anew */
#define REDO_PART_BYTES   (16u << 20) /* a part that has so many is followed by another */
#define REDO_FAULT_BYTES  256

struct hub_redo_state {
    bool on;
    uint8_t id[REDO_ID_BYTES];
    int64_t made, written, part;
    /* Entries, what PostgreSQL noted and nobody gathered yet being one; time of the oldest, 0: none; bytes. */
    int64_t waiting, waiting_since, pending;
    int64_t began_at, gave_up; /* gave_up 0: never since it was begun */
    int64_t parts;             /* in the folder */
    bool joined;               /* a verified backup was made since it began: there is something to re-apply it to */
    char fault[REDO_FAULT_BYTES];
};
MUST_CHECK enum err hub_redo_state(struct hub *h, struct hub_redo_state *out, struct why *why);
/* Begin one, or end it and begin anew: an act of a security administrator, or, where `reason` is NULL, of whoever
 * starts a server, and then only where none is. Outside a transaction. On PostgreSQL ERR_BUSY: somebody works with a
 * table for long. */
MUST_CHECK enum err hub_redo_begin(struct hub *h, const char *reason, struct why *why);
MUST_CHECK enum err hub_redo_end(struct hub *h, const char *reason, struct why *why); /* ERR_NOTFOUND: there is none */

/* On PostgreSQL: what the database noted since the last time becomes an entry. Outside a transaction, by any process of
 * the hub; hub_redo_step does it too. On a file each transaction is an entry of its own, and there is nothing to do. */
MUST_CHECK enum err hub_redo_gather(struct hub *h, struct why *why);

/* ------------------------------------------------------------------------------------ who writes it into the folder */
struct hub_redo_writer; /* opaque */
MUST_CHECK enum err hub_redo_writer_new(struct hub_redo_writer **out, const struct env *env, const char *dir,
                                        struct why *why);
void hub_redo_writer_free(struct hub_redo_writer *w); /* NULL is fine */
/* With the hub, outside a transaction: note what was put, and make ready what is to be put next. *out_more: there is
 * something. Of several processes on PostgreSQL one writes, until it ends or gives it up (hub_redo_rest); for the
 * others there is never anything. */
MUST_CHECK enum err hub_redo_step(struct hub *h, struct hub_redo_writer *w, bool *out_more, struct why *why);
/* Without the hub, for a folder may be slow: put it there, durable, and remove parts that are not needed any more.
 * After an error nothing counts as written, and hub_redo_step may be called again. */
MUST_CHECK enum err hub_redo_put(struct hub_redo_writer *w, struct why *why);
/* With the hub: let another process write, which may have the folder where this one does not. Not after each of many
 * faults: each process that takes over begins a part. */
void hub_redo_rest(struct hub *h);
/* What hub_redo_step or hub_redo_put failed of, in words for who looks after the hub. */
void hub_redo_words(const struct hub_redo_writer *w, enum err e, const struct why *why, char out[REDO_FAULT_BYTES]);
/* With the hub: say why it waits, for doctor. */
MUST_CHECK enum err hub_redo_fault(struct hub *h, const char *words, struct why *why);

/* ------------------------------------------------------------------------------------------ for the hub's own files */
struct redo; /* opaque: of a hub that keeps a journal */

/* When the store is opened, before anything is written to it. Nothing where there is no journal. */
MUST_CHECK enum err redo_open(struct hub *h, struct why *why);
/* Tables may have come since. */
MUST_CHECK enum err redo_again(struct hub *h, struct why *why);
void redo_close(struct hub *h); /* before the store is closed */
/* Within a transaction, after tables came to a store on PostgreSQL: where it keeps a journal they are noted too, and
 * with `rows` what they hold by now. */
MUST_CHECK enum err redo_lay(struct db *db, bool rows, struct why *why);
/* Within a transaction of db_begin_still: as hub_redo_gather. Not of a store that has moved. */
MUST_CHECK enum err redo_gather(struct hub *h, struct why *why);
/* Since when something waits to be gathered; 0: nothing does. */
MUST_CHECK enum err redo_noted(struct hub *h, int64_t *out_since_ms, struct why *why);
/* Where the journal stands, within the transaction of a backup's picture; on false where there is none. */
struct redo_position {
    bool on;
    uint8_t id[REDO_ID_BYTES];
    int64_t entry;
};
MUST_CHECK enum err redo_position(struct hub *h, struct redo_position *out, struct why *why);
/* Within a transaction: a verified backup has it up to there. */
MUST_CHECK enum err redo_covered(struct hub *h, const struct redo_position *p, int64_t at_ms, struct why *why);

#endif
