/* For tests of a hub's store as a stream (hub/DUMP.md): the stream in memory, as it was written or with a fault, and
 * what it is read into. What nobody asked for to fail fails the test. */
#ifndef SPOKE_TESTS_LIB_DUMP_TAPE_H
#define SPOKE_TESTS_LIB_DUMP_TAPE_H

#include "hub/dump.h"
#include "tests/lib/hub_fixture.h"

struct dump_tape {
    struct buf buf;
    size_t at, end;   /* read so far, and what there is */
    size_t flip;      /* the byte of which a bit is other; SIZE_MAX none */
    uint8_t mask;
    size_t fail_at;   /* the place where reading or writing fails; 0 never */
    size_t largest;   /* piece that was written */
    struct db *spoil; /* this store's h_step_time goes as soon as a hundred of its rows are there; NULL: none does */
};

void dump_tape_init(struct dump_tape *t); /* buf_release(&t->buf) */
struct dump_sink dump_tape_sink(struct dump_tape *t);
struct dump_source dump_tape_source(struct dump_tape *t); /* from its beginning */

/* The whole of its store; `keeper` NULL: keys as they are. */
void dump_tape_write(struct hub_fixture *f, struct dump_tape *t, const struct dump_keeper *keeper);
/* A store that was just made: in a schema of PostgreSQL (test_store.h), or in memory. db_close */
struct db *dump_tape_store(struct hub_fixture *f, bool postgres);
/* In one transaction, undone where it is refused. */
enum err dump_tape_read(struct hub_fixture *f, struct db *db, struct dump_tape *t, const struct dump_keeper *keeper, struct why *why);

#endif
