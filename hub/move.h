/* A hub's store moves from one engine to the other (spoke-hub migrate), with the same key file.
 *
 * Whatever is cut off on the way, at most one of the two stores can be served, and the work can be given again: the
 * new one bears the mark `arriving` from the moment at which it is written whole until the old one bears the mark
 * `moved` and HOME/store names the new one. A store with either mark is opened by nobody but hub_move (move_check).
 * Both marks are counters of the store; they are not in what is copied. */
#ifndef SPOKE_HUB_MOVE_H
#define SPOKE_HUB_MOVE_H

#include "hub/dump.h"
#include "hub/hub.h"

/* Runs two halves at once, `write` with a sink whose bytes come out of the source of `read`, and waits for both. Who
 * calls brings it, because the core has no threads. The error of either ends both; that of `write` is told before
 * that of `read`. */
struct hub_pipe {
    void *ctx;
    enum err (*run)(void *ctx, enum err (*write)(void *arg, const struct dump_sink *sink, struct why *why),
                    enum err (*read)(void *arg, const struct dump_source *source, struct why *why), void *arg,
                    struct why *why);
};

/* `from` and `to`: of one home, with different stores; nobody else has the SQLite one open. `turn` as in hub_open_at.
 * What is left at `to` of an earlier try, or of a store that moved away from there, is removed. *out_sum: what was
 * moved. ERR_EXISTS: a hub's store is there. ERR_UNINIT: there is none at `from`. ERR_TAMPERED: the two are not the
 * same; nothing was changed. */
MUST_CHECK enum err hub_move(const struct env *env, const struct hub_place *from, const struct hub_place *to,
                             struct bytes passphrase, hub_turn_fn turn, void *ctx, const struct hub_pipe *pipe,
                             struct dump_sum *out_sum, struct why *why);

/* ERR_DENIED, with words, where the store bears a mark: whoever opens a hub asks, and, on a store that others have
 * open too, at the beginning of each transaction. */
MUST_CHECK enum err move_check(struct db *db, struct why *why);

/* The views of the policy in force, in a store into which a copy was read: its own are those of the program. Within the
 * caller's transaction. */
MUST_CHECK enum err move_lay_policy(struct db *db, struct why *why);

/* How secret_state is kept by the engine of this store: for dump_write and dump_read. `key` is borrowed. */
struct dump_keeper move_keeper(const struct db *db, const struct secret *key);

#endif
