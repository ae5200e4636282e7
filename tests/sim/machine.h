/* A simulated computer: a disk, a clock that may be wrong, randomness of its own, and the struct env made of them. */
#ifndef SPOKE_TESTS_SIM_MACHINE_H
#define SPOKE_TESTS_SIM_MACHINE_H

#include "tests/sim/disk.h"

struct machine {
    struct env env;       /* ctx is this machine; handed to hub_open, node_open … */
    struct disk *disk;    /* owned */
    const int64_t *clock; /* the world's, Unix milliseconds; borrowed */
    int64_t skew_ms;      /* how far this computer's clock is off */
    int64_t seen_max;     /* the latest that its clock was ever read as (tests/sim/lease.c begins anew) */
    struct draw random;   /* what this computer draws: env, libsodium and SQLite alike */
};

/* In place: the machine must not move afterwards. */
void machine_init(struct machine *m, const int64_t *clock, uint64_t seed, uint64_t index);
void machine_release(struct machine *m);
/* From here on libsodium draws from this machine. Call before entering code that runs on it, and again after leaving
 * code that runs on another. Returns the machine that was entered before (NULL: none). */
struct machine *machine_enter(struct machine *m);
/* Once a process: libsodium draws from machines. Nothing else of the process may have drawn keys before. */
void machine_start(void);
struct bytes machine_passphrase(void); /* everybody's */
/* From here on notes (hub/note.h) are sealed with nothing in them. */
void machine_blank_notes(bool blank);

#endif
