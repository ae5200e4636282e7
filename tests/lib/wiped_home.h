/* What is left of a home after a wipe, faults at each of its steps, and the door of the hub of
 * tests/lib/intake_fixture.h. */
#ifndef SPOKE_TESTS_LIB_WIPED_HOME_H
#define SPOKE_TESTS_LIB_WIPED_HOME_H

#include "node/door.h"
#include "tests/lib/real_device.h"

/* Nothing but `wipe`, and empty folders. */
void home_is_gone(const char *home);
/* The name of a file that is there, or NULL. Static storage. */
const char *home_has(const char *home, const char *name);

/* An env whose changes of files fail, from one of them on. */
enum home_fault {
    HOME_FAIL,       /* this one fails, the others do not */
    HOME_CUT_BEFORE, /* the power goes before it */
    HOME_CUT_AFTER,  /* the power goes when it is done */
    HOME_CUT_WITHIN, /* a file is overwritten, and not removed yet; else as before */
};
struct faulty {
    struct env real;
    enum home_fault kind;
    uint64_t at;          /* which change, from 1; 0: none */
    uint64_t n;           /* changes so far */
    const char *stubborn; /* NULL, or the name of a file that cannot be overwritten or removed */
};
/* *env becomes the faulty one, which must outlive it. */
void faulty_start(struct faulty *f, struct env *env, enum home_fault kind, uint64_t at);
void faulty_stop(struct faulty *f, struct env *env);

/* The hub's door; counts the visits. */
struct real_door {
    unsigned visits;
    bool down;
    struct buf answer; /* the last one, kept */
};
struct door_way real_door(struct real_door *d);

/* ---- a device of the school, with the hub of intake_fixture.h. Enrolled, in step and open; its key id. */
void home_join(struct real_device *d, uint8_t out_kid[KID_BYTES]);
void home_order_wipe(const uint8_t kid[KID_BYTES], bool at_once);
void home_is_state(const uint8_t kid[KID_BYTES], const char *want);
void home_open_for_hub(struct real_device *d);
/* A contact that breaks off after so many exchanges. */
enum err home_sync_over(struct real_device *d, unsigned exchanges);
/* The hub learns that it is wiped, and says so; once is enough. */
void home_report(struct real_device *d, const uint8_t kid[KID_BYTES]);

#endif
