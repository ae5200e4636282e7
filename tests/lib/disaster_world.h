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

#endif
