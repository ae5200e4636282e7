/* An envelope that no honest device would write: signed with the device's own key and put into its outbox by hand, past
 * everything that node_edit_commit refuses. */
#ifndef SPOKE_TESTS_SIM_FORGE_H
#define SPOKE_TESTS_SIM_FORGE_H

#include "sync/changeset.h"
#include "sync/envelope.h"
#include "tests/sim/edit.h"

#define FORGE_PARTS 320u

struct forgery {
    struct edit e;            /* the device is entered; no transaction of its own runs */
    struct envelope_header h; /* as an honest one would have it, until somebody changes it */
    struct buf content;       /* of all parts */
    struct part part[FORGE_PARTS];
    size_t end[FORGE_PARTS]; /* of each part in content */
    size_t n_parts;
    struct changeset_writer w;
    bool forged;  /* ledger_op.forged of all that it does */
    bool untold;  /* the ledger is to find it in the hub's journal */
    bool unlucky; /* the hub will talk to this device no more */
};

/* forge.c */
void forge_start(struct forgery *f, struct sim *s, struct device *d);
void forge_part(struct forgery *f); /* the next part begins */
void forge_insert(struct forgery *f, const struct row *r);
void forge_update(struct forgery *f, const struct rows_row *at, size_t col, struct value v);
void forge_finish(struct forgery *f, bool send); /* leaves the device */

/* forge_lay.c: within the transaction that puts it into the outbox. */
bool forge_lay(struct forgery *f, uint64_t seq);

#endif
