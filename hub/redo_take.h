/* What changed, as the journal has it (hub/DISASTER.md, Bytes): for hub/redo_take.c and hub/redo_frame.c alone. */
#ifndef SPOKE_HUB_REDO_TAKE_H
#define SPOKE_HUB_REDO_TAKE_H

#include "hub/dump_tables.h"
#include "hub/redo.h"

#define REDO_KEYS 32 /* rows that are asked for at once, at most */

/* Rows of one table, as they stand, one after the other. */
struct redo_frames {
    struct hub *h;
    struct dump_shapes shapes;
    uint64_t schema;                /* of the store when they were read; 0: not yet */
    const struct dump_shape *table; /* of which rows are being put; NULL: none */
    struct buf one, many;           /* how one row of it is asked for, and `most` at once */
    size_t most;
    struct value key[REDO_KEYS][DUMP_MAX_KEY]; /* of rows that are to be asked for; borrowed */
    bool found[REDO_KEYS];
    size_t n_keys;
    struct buf item; /* the frame that is made */
    struct buf body; /* of the transaction */
    struct buf open; /* a value of secret_state */
};
void redo_frames_init(struct redo_frames *r, struct hub *h);
void redo_frames_release(struct redo_frames *r);
/* From the beginning of a transaction; shapes of tables are read where they may be others. */
MUST_CHECK enum err redo_frames_begin(struct redo_frames *r, struct why *why);
/* As db_track_fn; ctx is a struct redo_frames. Keys are borrowed until redo_frames_end. */
MUST_CHECK enum err redo_frames_row(void *ctx, const char *table, const struct value *key, size_t n_key,
                                    struct why *why);
MUST_CHECK enum err redo_frames_end(struct redo_frames *r, struct why *why); /* all of it is in r->body */
void redo_frames_wipe(struct redo_frames *r);

#endif
