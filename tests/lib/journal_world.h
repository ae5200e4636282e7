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
void journal_words(enum err e, const struct why *why, char out[REDO_FAULT_BYTES]); /* of its fault */
enum err journal_try_new(struct why *why);   /* the same by a server that was just started */
struct hub_redo_state journal_state(void);
/* On PostgreSQL an entry is what changed since the last one: what was done until now becomes one. */
void journal_noted(void);
/* Nothing is left of the hub. With `folder` (NULL: none) it comes back. */
enum err journal_try(const char *backup, const char *folder, bool until_damage, struct hub_restored *told,
                     struct why *why);
enum err journal_try_file(const char *backup, const char *folder, struct why *why); /* into a file, on either engine */
struct hub_restored journal_restored(const char *backup); /* and open */
/* Each table's rows, but of those that a restore makes anew or adds its own act to. */
struct dump_sum journal_sum(void);
void journal_same(const struct dump_sum *a, const struct dump_sum *b);

#endif
