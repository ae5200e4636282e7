/* A whole MASH in one process: a hub and some nodes with real encrypted stores, a clock that moves by steps, carriers
 * that lose, cut, delay and repeat, and random people at work. From one seed. What must hold is judged by an oracle that
 * was written from the design, not from the code: sim_sight.c (who sees what), sim_check.c (nothing leaks, nothing is lost).
 * Everything asserts: what should not happen ends the test with seed, step and a trace. */
#ifndef SPOKE_TESTS_LIB_SIM_H
#define SPOKE_TESTS_LIB_SIM_H

#include "hub/hub.h"
#include "node/node.h"

#define SIM_PLACES 8u
#define SIM_NODES  10u
#define SIM_TABLES 40u
#define SIM_BUNDLE (64u << 20)

/* ---- rows of a store, read with plain SELECTs ---- */
struct sim_row {
    int tbl;
    struct row r; /* values borrow from mem */
    uint8_t id[16];
    uint8_t case_id[16]; /* zeros: reference data */
    uint8_t *mem;        /* owned */
};
struct sim_rows {
    struct sim_row *v; /* owned; by table, then id */
    size_t n, cap;
    size_t start[SIM_TABLES + 1]; /* rows of table t: start[t] .. start[t + 1] */
};
void sim_rows_read(struct sim_rows *out, struct db *db);
void sim_rows_free(struct sim_rows *rows);
const struct sim_row *sim_rows_find(const struct sim_rows *rows, int tbl, const uint8_t id[16]);
int sim_table(const char *name);
struct value sim_value(const struct sim_row *r, const char *column);
bool sim_is(const struct sim_row *r, const char *column, const char *text); /* NULL counts as "" */
int64_t sim_int(const struct sim_row *r, const char *column);               /* NULL counts as 0 */
bool sim_null(const struct sim_row *r, const char *column);

/* ---- a set of row ids ---- */
struct sim_ids {
    uint8_t (*v)[16]; /* owned; zeros: free */
    size_t n, cap;
};
void sim_ids_add(struct sim_ids *s, const uint8_t id[16]);
bool sim_ids_has(const struct sim_ids *s, const uint8_t id[16]);
void sim_ids_clear(struct sim_ids *s);

/* ---- the world ---- */
struct sim_place {
    const char *agency, *kind, *site, *site_kind;
    const char *area; /* NULL: all */
};
extern const struct sim_place sim_places[SIM_PLACES];
extern const char *const sim_agencies[];
#define SIM_AGENCIES 5u

struct sim_outside { /* what a struct env hands to our clock and randomness */
    struct env env;
    const int64_t *clock;
    int64_t skew;
    uint64_t rng;
    uint64_t full_after; /* so many pieces of files until the disk is full; 0: never */
    uint8_t drawn[136];  /* the last random bytes given out: sim_home.c makes cheap key files from them */
};

struct sim_node {
    int no;
    const struct sim_place *place;
    char home[300];
    struct sim_outside out;
    struct node *n; /* NULL: not here (yet) */
    bool there;     /* belongs to this seed */
    bool late;      /* enrolled while the world runs */
    bool revoked;
    bool hostile; /* it wrote rows under guessed ids: its envelopes may be faults */
    uint8_t user[16], kid[16];
    struct buf request, answer, old_request, old_answer; /* on USB sticks */
    struct sim_ids allowed;                              /* ids it may hold since its last complete sync */
    struct sim_ids own;                                  /* ids of rows it wrote itself */
};

struct sim_op { /* one column that somebody wrote */
    int node;
    uint64_t seq;
    int tbl, col; /* col -1: the row itself */
    uint8_t id[16], case_id[16];
    char *value; /* as text; NULL: SQL NULL; owned */
    char *saw;   /* what stood there before; owned */
    bool fresh;  /* part of a new row: nothing was there before */
};

enum sim_count {
    SIM_EDITS,
    SIM_DENIED,
    SIM_SYNCS,
    SIM_BROKEN,
    SIM_USB,
    SIM_HELD,
    SIM_CONFLICTS,
    SIM_DROPPED,
    SIM_JUDGED,
    SIM_MERGED,
    SIM_WAITS,
    SIM_COUNTS
};

struct sim {
    char dir[256];
    char hub_home[300];
    uint64_t seed, rng;
    int64_t clock;
    int step;
    bool crowded;           /* people work at the same few rows */
    unsigned words;         /* texts written so far: each is new */
    struct sim_outside out; /* the hub's */
    struct hub *hub;
    struct sim_node nodes[SIM_NODES];
    struct sim_op *ops; /* owned */
    size_t n_ops, cap_ops;
    char arena[1 << 14]; /* texts of the edit in hand */
    size_t used;
    struct buf trace;
    uint64_t counts[SIM_COUNTS];
};

/* sim_home.c: the template is made once a process (keys cost); each world starts from a copy of it. */
void sim_template(const char *dir);
struct sim *sim_new(const char *template_dir, const char *dir, uint64_t seed);
void sim_free(struct sim *s); /* closes and removes */
void sim_enrol_late(struct sim *s, struct sim_node *n);
void sim_restart_hub(struct sim *s);
void sim_restart_node(struct sim *s, struct sim_node *n);
struct bytes sim_passphrase(void);
void sim_remove(const char *dir);

/* sim.c */
uint64_t sim_random(struct sim *s, uint64_t below);
bool sim_chance(struct sim *s, unsigned percent);
void sim_note(struct sim *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
void sim_fail(struct sim *s, const char *fmt, ...) PRINTF_LIKE(2, 3) __attribute__((noreturn));
void sim_must(struct sim *s, enum err e, const char *what, const struct why *why);
struct sim_node *sim_any_node(struct sim *s); /* one that is here */
const char *sim_hex(const uint8_t id[16], char out[33]);

/* sim_edit.c */
void sim_edit(struct sim *s, struct sim_node *n);
void sim_clash(struct sim *s);
/* sim_value.c: a value somebody might write there; VALUE_NONE: none can be thought of. */
struct value sim_think(struct sim *s, struct sim_node *n, const struct sim_rows *here, const struct table_rule *t,
                       size_t col, const uint8_t case_id[16]);
/* sim_carry.c */
void sim_sync(struct sim *s, struct sim_node *n, bool flaky);
bool sim_sync_clean(struct sim *s, struct sim_node *n); /* true: something moved */
void sim_usb(struct sim *s, struct sim_node *n);
/* sim_sight.c: the matrix. */
bool sim_sees(const struct sim_rows *hub, const struct sim_place *site, const struct sim_row *r, int64_t now);
/* sim_check.c */
void sim_check_subset(struct sim *s, struct sim_node *n);
void sim_check_equal(struct sim *s, struct sim_node *n);
void sim_allow(struct sim *s, struct sim_node *n, bool anew);
void sim_check_end(struct sim *s, bool scan);
/* sim_loss.c */
void sim_check_no_loss(struct sim *s);
/* sim_power.c: an operation that was applied. */
void sim_check_power(struct sim *s, const struct sim_rows *hub, const struct sim_op *op);
/* sim_files.c */
void sim_check_files(struct sim *s, struct sim_node *n);

#endif
