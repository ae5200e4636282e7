/* A hub's store as the fuzzers of what is read into one have it: new, in memory, and nobody's. */
#ifndef SPOKE_TESTS_FUZZ_STORE_H
#define SPOKE_TESTS_FUZZ_STORE_H

#include "hub/dump_tables.h"
#include "tests/fuzz/fuzz.h"

#define STORE_NOTE_LABEL "spoke/note/1"

struct env store_env(void);
struct db *store_new(void);

/* A copy of a store in short: a CBOR sequence in which [1, table, column…] is a table by its number in `t`, without
 * these columns, by number, and everything else is a frame as it stands. The stream has the frames, the head, and at
 * the end of each table and of all what belongs there: so a fuzzer need not guess hashes. */
void store_stream(struct bytes in, const struct dump_shapes *t, uint64_t schema, struct buf *out);
struct dump_sink store_sink(struct buf *out);

/* How the hub of fuzz_me notes a verdict and a cut for the device FUZZ_NODE, in a store that holds nothing else;
 * sealed, appended. With nothing drawn before, always the same. */
void store_note(struct db *db, struct buf *out);

#endif
