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
    int64_t waiting, waiting_since, pending; /* entries; hub's time of the oldest, 0: none; bytes */
    int64_t began_at, gave_up; /* gave_up 0: never since it was begun */
    int64_t parts;             /* in the folder */
    bool joined;               /* a verified backup was made since it began: there is something to re-apply it to */
    char fault[REDO_FAULT_BYTES];
};
MUST_CHECK enum err hub_redo_state(struct hub *h, struct hub_redo_state *out, struct why *why);
/* Begin one, or end it and begin anew: an act of a security administrator, or, where `reason` is NULL, of whoever
 * starts a server, and then only where none is. Outside a transaction. ERR_FAILED: the store is on PostgreSQL. */
MUST_CHECK enum err hub_redo_begin(struct hub *h, const char *reason, struct why *why);
MUST_CHECK enum err hub_redo_end(struct hub *h, const char *reason, struct why *why); /* ERR_NOTFOUND: there is none */

/* ------------------------------------------------------------------------------------ who writes it into the folder */
struct hub_redo_writer; /* opaque; of one process at a time */
MUST_CHECK enum err hub_redo_writer_new(struct hub_redo_writer **out, const struct env *env, const char *dir,
                                        struct why *why);
void hub_redo_writer_free(struct hub_redo_writer *w); /* NULL is fine */
/* With the hub, outside a transaction: note what was put, and make ready what is to be put next. *out_more: there is
 * something. */
MUST_CHECK enum err hub_redo_step(struct hub *h, struct hub_redo_writer *w, bool *out_more, struct why *why);
/* Without the hub, for a folder may be slow: put it there, durable, and remove parts that are not needed any more.
 * After an error nothing counts as written, and hub_redo_step may be called again. */
MUST_CHECK enum err hub_redo_put(struct hub_redo_writer *w, struct why *why);
/* With the hub: say why it waits, for doctor. */
MUST_CHECK enum err hub_redo_fault(struct hub *h, const char *words, struct why *why);

/* ------------------------------------------------------------------------------------------ for the hub's own files */
struct redo; /* opaque: of a hub that keeps a journal */

/* When the store is opened, before anything is written to it. Nothing where there is no journal. */
MUST_CHECK enum err redo_open(struct hub *h, struct why *why);
/* Tables may have come since. */
MUST_CHECK enum err redo_again(struct hub *h, struct why *why);
void redo_close(struct hub *h); /* before the store is closed */
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
