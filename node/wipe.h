/* Orders of the hub to this device, the wipe, and the door that stays open to orders while nobody has unlocked it.
 * Between node's own files. crypto/FORMAT.md §4 (device boxes), sync/FORMAT.md §4.1 and §4.2. */
#ifndef SPOKE_NODE_WIPE_H
#define SPOKE_NODE_WIPE_H

#include "node/internal.h"

/* ---- wipe.c: HOME/wipe, which says how far a wipe is. What stands in it is finished at the next start of anything. */
enum wipe_state {
    WIPE_WAITS = 1, /* ordered: for what is not sent yet, or for the end of the contact */
    WIPE_BEGUN,     /* everything is being destroyed */
    WIPE_DONE,      /* nothing is left; the hub has not heard yet */
    WIPE_RECORDED,  /* the hub has */
};
struct wipe_note {
    enum wipe_state state;
    struct buf order;   /* MSG_ORDER as it came */
    struct buf receipt; /* MSG_WIPED; empty while it waits */
    uint8_t hub[PUBLIC_BYTES];
    char address[200]; /* of the hub */
    uint64_t at_ms;    /* when it was begun */
    struct order said; /* what the order says, once it was found to be the hub's: wipe_load */
};
void wipe_note_init(struct wipe_note *w);
void wipe_note_release(struct wipe_note *w);
/* ERR_NOTFOUND: there is none. ERR_FORMAT: damaged, or no order of the hub that it names. */
MUST_CHECK enum err wipe_load(const struct env *env, const char *home, struct wipe_note *out, struct why *why);
/* Atomic and durable. */
MUST_CHECK enum err wipe_save(const struct env *env, const char *home, const struct wipe_note *w, struct why *why);
/* Sign the receipt with `by` and note, durably, that it is begun. After a failure nothing was. */
MUST_CHECK enum err wipe_begin(const struct env *env, const char *home, struct wipe_note *w,
                               const struct identity_secret *by, uint64_t unsent, struct why *why);
/* Destroy what is left, with the store closed; again, where it was done. What it fails at is left to the next start. */
MUST_CHECK enum err wipe_finish(const struct env *env, const char *home, struct wipe_note *w, struct why *why);
/* Before anything else is looked at in a home. ERR_REFUSED: it was wiped (and is, when this returns); or it is to be,
 * and this is not contact with the hub. */
MUST_CHECK enum err wipe_check(const struct env *env, const char *home, enum node_for what_for, struct why *why);
enum err wipe_words(const struct wipe_note *w, const char *home,
                    struct why *why); /* of one that was begun: ERR_REFUSED */

/* ---- orders.c: within rounds. */
/* The orders of an answer: each in its turn, in a transaction of its own. One to wipe is noted in HOME/wipe. */
MUST_CHECK enum err orders_carry_out(struct node *n, const struct answer *a, struct why *why);
/* One that came to the door, before the lease is judged; and the door itself. Nothing here may keep anybody out. */
void orders_kept(struct node *n);
/* At the start and at the end of a contact. start: is it to be wiped? end: `e` is how the contact ended; what is to be
 * wiped is, if nothing is unsent or the order says at once. ERR_REFUSED, with words; after a wipe n has no store any
 * more (n->db NULL) and can only be closed. */
MUST_CHECK enum err orders_start(struct node *n, struct why *why);
MUST_CHECK enum err orders_end(struct node *n, enum err e, struct why *why);

/* HOME/unsent: there, durably, before the first unsent change is committed; gone when the device is closed after a
 * contact that left none (not before: who writes and sends all day would wait for the disk twice with each change). */
MUST_CHECK enum err unsent_mark(struct node *n, struct why *why);
void unsent_close(struct node *n);
bool unsent_is_marked(const struct env *env, const char *home);

/* ---- door.c: HOME/door. */
struct door {
    struct identity_secret keys;
    uint8_t node[KID_BYTES]; /* the device's own key id */
    struct identity hub;
    char address[200];
    uint64_t order; /* number of the last order carried out, when it was written */
};
void door_release(struct door *d);
/* ERR_UNINIT: no door, or no device secret; ERR_TAMPERED, ERR_FORMAT: damaged, or another machine's. */
MUST_CHECK enum err door_load(const struct env *env, const char *home, struct door *out, struct why *why);
/* The keys of a device's door ("door"; "next_door" as long as it is being set up anew), made where there are none.
 * Within the caller's transaction. */
MUST_CHECK enum err door_keys(struct db *db, const char *name, struct identity_secret *out, struct why *why);
/* Write HOME/door from what the store says, if it is not so already. What keeps it from being written keeps nobody from
 * working: the next opening tries again. */
void door_keep(const struct env *env, const char *home, struct db *db);

#endif
