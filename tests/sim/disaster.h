/* What the files of disasters share: disaster.c (what happens), disaster_judge.c and disaster_known.c (what must hold).
 * Not for the others. */
#ifndef SPOKE_TESTS_SIM_DISASTER_H
#define SPOKE_TESTS_SIM_DISASTER_H

#include "tests/sim/judge.h"

struct known { /* an envelope of which its device knew a verdict when the hub was lost */
    int64_t node_no, seq;
    uint8_t hash[HASH_BYTES];
    enum verdict verdict; /* as the hub had it; its device may have known an earlier one */
    bool stands;          /* it was looked at since the hub was put back */
    int64_t received_at;
};
struct dropped { /* a row that a device had lost before */
    int device, tbl;
    uint8_t id[16];
};
enum phase { PHASE_CALM, PHASE_GATHERS, PHASE_RELEASED, PHASE_DONE }; /* numbers as in disaster_judge.c */
struct calamity {
    enum phase phase; /* at the last look */
    bool strict;      /* nobody opened the hub before all had reported */
    bool whole;       /* of all that the lost hub had judged its devices knew a verdict */
    bool gaps;        /* they did not, at one of the disasters */
    bool rests;       /* at the end of the world */
    bool unjudged;    /* it is to be looked at what became of verdicts */
    bool owes;        /* it is to be looked at whether what was lost is seen again */
    unsigned times, gone;
    struct buf backup, recovery; /* files; empty: none yet */
    struct known *known;         /* owned */
    size_t n_known, cap_known;
    struct dropped *dropped; /* owned */
    size_t n_dropped, cap_dropped;
    uint64_t last_seq; /* of all devices together, at the hub that was lost */
    struct machine old; /* what is left of the hub that was lost */
    bool has_old;
    int64_t old_epoch;
};

bool calamity_hub_is_there(const struct sim *s); /* switched on, and nothing is wrong with its disk */
void calamity_look_before(struct sim *s);        /* at the moment before it is destroyed */
/* disaster_known.c: verdicts. pure: nothing but what came back has been judged since. */
void known_look_before(struct sim *s);
void known_must_stand(struct sim *s, bool pure);

#endif
