/* A hub that is lost and has a journal folder, in the world of disaster_world.h. Anything unexpected fails the test. */
#ifndef SPOKE_TESTS_LIB_JOURNAL_WORLD_H
#define SPOKE_TESTS_LIB_JOURNAL_WORLD_H

#include "hub/dump.h"
#include "hub/redo.h"
#include "tests/lib/disaster_world.h"

int journal_start(void **state); /* of each test: there is a journal, and a folder */
int journal_stop(void **state);
const char *journal_folder(void);
/* The part with this number of the journal that the hub keeps now, or kept when journal_remember was called last. */
const char *journal_part(int64_t number);
void journal_remember(void);
/* Into the folder, whatever waits; as by a server that was just started, where `anew`. */
void journal_write(bool anew);
enum err journal_try_write(struct why *why); /* one step and one try */
struct hub_redo_state journal_state(void);
/* Nothing is left of the hub. With `folder` (NULL: none) it comes back. */
enum err journal_try(const char *backup, const char *folder, bool until_damage, struct hub_restored *told,
                     struct why *why);
struct hub_restored journal_restored(const char *backup); /* and open */
/* Each table's rows, but of those that a restore makes anew or adds its own act to. */
struct dump_sum journal_sum(void);
void journal_same(const struct dump_sum *a, const struct dump_sum *b);

#endif
