/* What the judges share: ledger*.c (what people wrote), canary.c (what is left on disks), told.c (what the oracle was
 * told), check*.c (after contacts and at rest), power.c (who could write it). Not for the others. */
#ifndef SPOKE_TESTS_SIM_JUDGE_H
#define SPOKE_TESTS_SIM_JUDGE_H

#include "sync/changeset.h"
#include "sync/envelope.h"
#include "tests/sim/sim.h"

/* ---- ask.c: questions to a store that must be answered. */
struct stmt *ask(struct sim *s, struct db *db, const char *sql); /* give back with db_done */
bool ask_next(struct sim *s, struct stmt *st);
int64_t ask_number(struct sim *s, struct db *db, const char *sql); /* one integer; NULL and no row give 0 */
int64_t ask_node(struct sim *s, const struct device *d);           /* its number at the hub; 0: none */
void *judge_room(void *p, size_t n, size_t *cap, size_t size); /* p grown for one more than n; aborts without memory */

/* ---- ledger.c */
struct written { /* what an envelope does to one column, or that it makes a row (col -1) */
    size_t by;   /* index of its envelope */
    int tbl, col;
    uint8_t id[16], case_id[16]; /* the case of a new row; zeros: not known */
    struct value value, saw;     /* borrow from the ledger's memory */
    bool fresh;                  /* part of a new row */
    bool forged;
    bool gone; /* its envelope rotted, and its row had been taken away before */
};
struct posted { /* an envelope */
    int device;
    uint8_t kid[16]; /* of a clone the same as of its original */
    uint64_t seq;
    uint8_t hash[HASH_BYTES];
    size_t first, n; /* what it does: ops[first] … */
    bool gone;       /* with a disk that was put back */
    bool found; /* nobody noted it: the power failed when it was committed. Its content is from the hub's journal */
    /* as the hub has it */
    bool at_hub, kept /* its content */, accepted /* by a manager */;
    bool late;    /* its device had been cut off when it came, or it was rescued: a manager must accept it */
    size_t again; /* index + 1 of the one whose content it has again, in the place of a device that was put back */
    bool let_go;  /* its author sent it again or let its text go */
    bool rotten;  /* bits of its content flipped, or may have */
    bool gap;     /* it came as a gap: its hash and nothing else */
    bool known;   /* the hub had that one when this came: it changes nothing */
    int64_t node_no, version;
    enum verdict verdict;
    bool learnt;       /* its device knows a verdict, in worlds with disasters … */
    enum verdict told; /* … and this is it */
    uint8_t salt[16]; /* a piece of its first part's salt, which stands nowhere but in its content; zeros: not known */
};
struct chain { /* a device at the hub: its envelopes up to last_seq were looked at */
    int64_t no;
    uint64_t last_seq;
    uint8_t head[HASH_BYTES]; /* hash of that one */
};
struct owed {        /* an envelope that had not been sent when its device was refused */
    int device, now; /* which it was; as which it was enrolled anew, -1: not yet */
    uint64_t seq;
    uint8_t hash[HASH_BYTES];
};
struct ledger {
    struct written *ops; /* owned */
    size_t n_ops, cap_ops;
    size_t in_hand;           /* ops from here on are of the edit in hand */
    struct posted *envelopes; /* owned */
    size_t n_envelopes, cap_envelopes;
    struct chain *chains; /* owned */
    size_t n_chains, cap_chains;
    struct owed *owed; /* owned */
    size_t n_owed, cap_owed;
    struct ids unsure; /* of rows made by transactions in whose commit the power failed */
    struct ledger_block *mem;
    struct told *told;
};
static inline bool posted_counts(const struct posted *e)
{
    return e->at_hub && !e->known && (e->verdict == VERDICT_APPLIED || e->verdict == VERDICT_MERGED);
}
struct written *ledger_add(struct ledger *l, const struct written *op);                 /* values are copied */
struct posted *ledger_of(const struct ledger *l, const struct device *d, uint64_t seq); /* NULL: nobody noted it */
size_t ledger_post(struct ledger *l, const struct posted *e);                           /* its index */
/* Ids of rows that this device, or its original, made. */
void ledger_made(const struct ledger *l, const struct device *d, struct ids *out);
/* Ids that this device may know without having been told them: guessed, or derived from what two devices know. */
void ledger_guessed(const struct ledger *l, const struct device *d, struct ids *out);
/* Ids that work of its own named which was not taken: it went from its tables without an order to forget. */
void ledger_named(const struct ledger *l, const struct device *d, struct ids *out);
/* Rows that the work is about of which this row of `held` tells. */
void ledger_accepted(struct sim *s, const uint8_t held_id[16], struct ids *out);
void ledger_record_all(struct sim *s); /* every envelope of the hub's journal, anew */
/* Did a manager accept this envelope, by its place in the hub's journal? */
bool ledger_is_accepted(struct sim *s, const struct posted *e);
/* What came late, as the hub has it now, counts only when it was known or a manager accepted it. Invariant 10. */
void ledger_must_wait(struct sim *s, const struct posted *e);

/* ---- ledger_times.c */
void times_at_rest(struct sim *s, const struct rows *hub);

/* ---- ledger_rescue.c */
/* The envelope with this index, which nobody noted: is it one that has another's content again? */
void rescue_link(struct ledger *l, size_t at, struct bytes cose, struct bytes public);
void rescue_arrives(struct sim *s, struct posted *e, const struct posted *now);
void rescue_listed(struct sim *s); /* all envelopes of a hub that was put back: which of them did it know already? */
bool rescue_had(const struct ledger *l, const struct posted *e); /* another chain brought the hub the same content */
void rescue_at_rest(struct sim *s);                              /* everything that was to be rescued came */

/* ---- ledger_gap.c */
bool gap_is(struct bytes parts, enum verdict v); /* of an envelope in the hub's journal */
/* Signed by this device, for this number and hash. */
void gap_must_follow(struct sim *s, int64_t node_no, struct stmt *st, const struct identity *by);
/* It came as a gap: for a reason? */
void gap_arrives(struct sim *s, const struct posted *e);

/* ---- ledger_journal.c: the content of an envelope, from the hub's journal. */
enum err journal_each(struct bytes parts, void (*each)(void *ctx, const struct op *op), void *ctx, struct why *why);
void journal_adopt(struct sim *s, size_t envelope, struct bytes parts); /* its ops, where nobody noted it */
/* An envelope that the engine made of another of this device: it proposes what its outbox says. */
void journal_take(struct sim *s, const struct device *d, uint64_t seq);
/* Does it hold exactly what was noted? Returns how many changes it proposes. Invariant 5. */
uint64_t journal_compare(struct sim *s, const struct posted *e, struct bytes parts);

/* ---- power.c: an operation that counts. */
struct same {        /* all operations on one column of one row (or: that make it), oldest first */
    const size_t *v; /* borrowed: indices of ops */
    size_t n;
};
void power_check(struct sim *s, const struct rows *hub, const struct written *op, const struct same *makers);

/* ---- canary.c */
struct page_keys *canary_keys(struct sim *s, struct device *d); /* of its store; page_keys_free */
const char *canary_store(struct sim *s, struct device *d);      /* name of its store's file */
/* What the hub has taken in is nowhere in readable form: the salts of its own envelopes. Invariant 6. */
void canary_salts(struct sim *s, struct device *d);
/* Nothing readable, nor the id of any row, is on the disk of a device that was wiped. */
void canary_bare(struct sim *s, struct device *d);
void canary_search(struct sim *s, struct device *d, const struct ids *must_not, unsigned invariant);

/* ---- told.c: rows of cases as the oracle was told them. */
struct told *told_new(void);
void told_free(struct told *t);
void told_hub(struct sim *s);                            /* rows that moved since, and the clock */
int64_t told_time(struct sim *s);                        /* by which the hub judges ends */
void told_now_is(struct sim *s, int64_t now);            /* for what was done then */
void told_wrote(struct sim *s);                          /* who wrote what counts since then; before told_hub */
void told_hub_lost(struct sim *s);                             /* it was put back: everything is told anew */
void told_is_all(struct sim *s, const struct rows *hub); /* nothing moved without the hub's order saying so */
void told_start(struct buf *line, const char *word);
void told_id(struct buf *line, int tbl, const uint8_t id[16]); /* " TABLE:ID" */
struct draw told_draw(struct sim *s, const struct device *d);  /* a stream for its next check; NULL: nobody's */
uint64_t *told_clean(struct sim *s, const struct device *d);   /* request up to which its drops were searched for */

/* ---- policies.c */
void policy_tell(struct sim *s); /* under which of them each case stands; after its rows */

/* ---- questions.c */
void question_world(struct sim *s); /* is break-glass switched on? */
void question_at_rest(struct sim *s, const struct device *d);

/* ---- check.c */
void check_shown(struct sim *s, struct device *d); /* after it looked at its clock */
void check_cursor(struct sim *s, const struct device *d); /* of one that was told that it is up to date */

/* ---- check_rows.c */
/* Rows of cases that are here and at the hub must be equal; those of reference data exactly the same ones. */
void check_same_rows(struct sim *s, const struct device *d, const struct rows *hub, const struct rows *here);
void check_drops(struct sim *s, struct device *d);

/* ---- follow.c: devices and the log that the hub keeps of them */
void follow_check(struct sim *s, struct device *d, bool whole); /* of one that is up to date; whole: hash and all */
void follow_at_rest(struct sim *s);

#endif
