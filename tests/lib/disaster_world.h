/* A hub that is lost, and put back from a backup, in the world of two_ends_world.h. Anything unexpected fails the
 * test. */
#ifndef SPOKE_TESTS_LIB_DISASTER_WORLD_H
#define SPOKE_TESTS_LIB_DISASTER_WORLD_H

#include "crypto/hash.h"
#include "hub/backup.h"
#include "hub/restore.h"
#include "tests/lib/ends_share.h"

int lost_start(void **state); /* of each test */
int lost_stop(void **state);
const char *
lost_file(const char *name); /* in a folder apart from the hub: "old", "new", "cut", "recovery.key", "other.key" */
const char *lost_home(const char *name); /* in the hub's home */
void lost_copy(const char *from, const char *to);
struct hub_backup lost_backup(const char *name);
/* Nothing is left of the hub but its recovery key, which is kept apart. */
void lost_destroy(void);
enum err lost_try(const char *name, const char *key, struct why *why);
void lost_restored(const char *name); /* and open */
struct hub_restore_status lost_status(void);
/* What the hub has, and what was decided of each change. */
struct lost_state {
    uint8_t content[HASH_BYTES], verdicts[HASH_BYTES];
};
struct lost_state lost_state(void);
bool lost_holds(struct ends_node *n, const char *table, const uint8_t id[16]);
void lost_sync_but(const struct ends_node *but); /* all devices have a contact, one after the other; NULL: all five */
void lost_continued(void);                       /* what came back is re-applied */
/* Opened before all have reported, and what came back re-applied. */
void lost_released(const char *reason);
void lost_is_done(int64_t lost); /* everybody's work is here again, but for so many changes */

/* What Sam wrote of this case, shared as ends_case does it, is held, and then accepted; the answer that says so is
 * lost. Returns the number of that change. */
uint64_t lost_verdict_on_its_way(const uint8_t c[16]);
/* What the device knows of a change of its own: "held", "applied", … */
void lost_outbox_says(const struct ends_node *n, uint64_t seq, const char *state);

/* A case of care, with a note that the school may read for a while. At all devices that may see it. */
void lost_case(uint8_t c[16]);
/* The school is to take part. Not sent. */
void lost_shares(struct ends_node *n, const uint8_t c[16], uint8_t part[16]);
/* The school has the case; `n` hears of that, and takes it back: then the school has it no more. */
void lost_withdrawn_by(struct ends_node *n, const uint8_t c[16], const uint8_t part[16]);
/* In one change with a note: so it is known as the case's, and shown among its held work, where the part is lost. */
void lost_access_with_note(struct ends_node *n, const uint8_t c[16], const uint8_t part[16], const char *access);
/* The one change that waits for a manager, as `n` has it. */
void lost_waiting(struct ends_node *n, uint8_t held[16]);
/* The share is at the hub, and nobody sees anything by it: at no moment, also not in the round in which it came. */
void lost_stays_withdrawn(const uint8_t c[16], const uint8_t part[16]);
/* The hub is destroyed and put back from "old", and everybody comes: the school has the case at no moment, and every
 * change is here. */
void lost_comes_back_withdrawn(const uint8_t c[16], const uint8_t part[16]);
/* Rows that a device holds, as the hub counts them; and that its site sees. */
int64_t lost_rows_held(const struct ends_node *n);
int64_t lost_rows_seen(const struct ends_node *n);

#endif
