/* One transaction of a person at a device: rows read as they are needed, columns written, all of it told to the ledger.
 *
 * What is picked depends only on what people made, never on ids or times that a hub or a device's clock gave: rows are
 * picked in the order of their ids, which are think_id's; `conflict` rows by the column that they are about, `held`
 * rows by case, state and words. What the hub made (cases for held referrals) is never picked. So a world with other
 * clocks picks the same rows. */
#ifndef SPOKE_TESTS_SIM_EDIT_H
#define SPOKE_TESTS_SIM_EDIT_H

#include "tests/sim/sim.h"

#define EDIT_TOUCHED 160u

struct edit {
    struct sim *s;
    struct device *d;
    enum err err; /* the first failure of the store; nothing more is asked of it then */
    struct why why;
    bool strange; /* the device itself may refuse it */
    bool hides;   /* some rows stand aside here, because their time is over */
    bool forged;  /* what is written now is such as nobody could write honestly */
    struct {
        int tbl, col; /* col -1: a row made here */
        uint8_t id[16];
    } touched[EDIT_TOUCHED];
    size_t n_touched;
    struct buf row; /* scratch */
};

/* edit.c. Between edit_start and edit_finish the device is entered. */
void edit_start(struct edit *e, struct sim *s, struct device *d);
void edit_finish(struct edit *e, bool keep); /* keep: commit; else cancel */
bool edit_full(const struct edit *e);        /* no room for one more act */

/* The same parts for those who bring no transaction of a node's: hostile.c. */
void edit_look(struct edit *e, struct sim *s, struct device *d);
/* After the device was left with that: what may be is passed over, what may not ends the world. */
void edit_failed(struct edit *e, bool died);
bool edit_ok(struct edit *e, enum err err); /* notes the first failure */

/* Rows of a table here. `where` with at most $1; NULL: all. Values of *out live in s->arena. */
struct choice {
    const char *table, *where;
    struct value arg;
    bool meet; /* where it is crowded: mostly one of the oldest, which everybody has */
};
bool edit_pick(struct edit *e, const struct choice *c, struct rows_row *out);
bool edit_pick_from(struct edit *e, const char *table, struct rows_row *out); /* any, to meet */
bool edit_pick_any(struct edit *e, struct rows_row *out);                     /* of any case table */
bool edit_get(struct edit *e, int tbl, const uint8_t id[16], struct rows_row *out);

void edit_put(struct edit *e, const struct row *r);
/* Does nothing when v is VALUE_NONE, stands there already, or the column was written in this transaction. */
void edit_set(struct edit *e, const struct rows_row *at, size_t col, struct value v);
void edit_set_named(struct edit *e, const struct rows_row *at, const char *column, struct value v);

/* think.c */
struct subject { /* whose column is thought about */
    const struct table_rule *t;
    const uint8_t *id, *case_id;
};
/* A value that somebody might write there; VALUE_NONE: none can be thought of. */
struct value think(struct edit *e, const struct subject *of, size_t col);
struct value think_keep(struct sim *s, struct value v); /* a copy in s->arena */
struct value think_text(struct sim *s);                 /* one that nobody wrote before */
struct value think_canary(struct sim *s, const uint8_t id[16], int tbl);
const char *think_area(struct sim *s);
const char *think_agency(struct sim *s);

struct fresh { /* a new row; must not move */
    struct row r;
    uint8_t id[16], case_id[16];
};
/* Every column thought of, as somebody who means well would. false: it cannot be made here. */
bool think_row(struct edit *e, struct fresh *f, const char *table, const uint8_t case_id[16]);
void fresh_fix(struct fresh *f, const char *column, struct value v);
/* A person's consent to everything, given. *person must live as long as *f. */
bool think_consent(struct edit *e, struct fresh *f, const struct rows_row *person);

#endif
