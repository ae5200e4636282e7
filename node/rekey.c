/* Everything here under a new data key: that, and not taking a slot away, shuts out who has a copy of the files and
 * a passphrase that was good then.
 *
 * The closed store is copied under the new key to its other name; when that is durable, the key file is replaced by
 * one with the next generation, which is the switch; then the old store is overwritten. Power may fail at any step:
 * the key file says which of the two stores is whole, and the other one is cleared away at the next opening.
 *
 * Another process must not change the store between the copy and the switch, for that would be lost. While a store
 * is open, nobody else has it; but it is closed while it is copied. So a mark is left in it, which every opening
 * takes away, and before the switch both stores are opened again: both must have the mark, and as long as they are
 * open they keep it. */
#include "node/internal.h"

#include "crypto/pagevfs.h"

#include <string.h>

struct rekey {
    const struct env *env;
    char home[NODE_PATH_MAX];
    struct replica_files files;
    char from[NODE_PATH_MAX], to[NODE_PATH_MAX];
    struct keyring ring, next; /* owned */
    struct keyring give;       /* owned: for the caller */
    struct key_act act;
    struct db *old, *copy;
};

/* What lies under the other name and was not left by a rekey of this store may be newer than it, and all that there is
 * of somebody's work (node/replica.c, clear_leftover). */
static enum err must_be_free(struct node *n, struct why *why)
{
    bool left = false;
    uint64_t due = 0;
    enum err e = replica_leftover(n->env, n->home, n->ring.generation, &left, why);
    if (e == ERR_OK && left) e = state_number(n->db, "leftover", &due, why);
    if (e != ERR_OK || !left || due != 0) return e;
    (void)why_set(why, ERR_DENIED,
                  "Beside the records of this device lie others, of which it knows nothing. They may be newer, so they were not "
                  "overwritten, and nothing was given new keys.");
    return why_next(why, ERR_DENIED,
                    "Ask your administrator. If they are not wanted, move the other replica file out of the folder first.");
}

static enum err prepare(struct rekey *x, struct node *n, bool give, struct why *why)
{
    x->env = n->env;
    memcpy(x->home, n->home, sizeof x->home);
    env_random(n->env, x->act.id, sizeof x->act.id);
    enum err e = replica_files(&x->files, x->env, x->home, why);
    if (e == ERR_OK) e = replica_path(x->from, x->home, n->ring.generation, why);
    if (e == ERR_OK) e = replica_path(x->to, x->home, n->ring.generation + 1, why);
    if (e == ERR_OK) e = keyring_next(&x->next, x->env, &n->ring, why);
    if (e == ERR_OK && give) e = keyring_copy(&x->give, &x->next, why);
    if (e == ERR_OK) e = must_be_free(n, why);
    if (e == ERR_OK) e = people_begin(n, &x->files.keyfile, &x->act, why);
    if (e == ERR_OK) e = people_check(n, why); /* the new key is sealed to every slot: none that nobody knows of */
    if (e == ERR_OK) e = keyring_copy(&x->ring, &n->ring, why);
    if (e == ERR_OK) e = replica_shred(x->env, x->home, n->ring.generation + 1, why); /* a log there would be its log */
    return e == ERR_OK ? db_truncate_log(n->db, why) : e;
}

static enum err used_meanwhile(struct why *why)
{
    (void)why_set(why, ERR_BUSY, "Another program used this device just now, so it has its old key still.");
    return why_next(why, ERR_BUSY, "Lock this device, see that nothing else uses it, and try again.");
}

static enum err has_mark(struct db *db, const struct key_act *a, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(db, "SELECT 1 FROM n_key_act WHERE kind = $1 AND id = $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, KEY_REKEY);
    db_bind_id(s, 2, a->id);
    e = db_step(s, &row, why);
    db_done(s);
    return e == ERR_OK && !row ? used_meanwhile(why) : e;
}

/* The old one first: under its lock nobody clears the copy away. */
static enum err hold_both(struct rekey *x, struct why *why)
{
    const struct secret old_key = keyring_data_key(&x->ring), new_key = keyring_data_key(&x->next);
    enum err e = db_open(&x->old, x->env, x->from, &old_key, why);
    if (e == ERR_UNINIT || e == ERR_BUSY) return used_meanwhile(why);
    if (e == ERR_OK) e = has_mark(x->old, &x->act, why);
    if (e == ERR_OK) e = db_open(&x->copy, x->env, x->to, &new_key, why);
    if (e == ERR_UNINIT) return used_meanwhile(why);
    return e == ERR_OK ? has_mark(x->copy, &x->act, why) : e;
}

static enum err switch_over(struct rekey *x, struct why *why)
{
    const struct secret old_key = keyring_data_key(&x->ring), new_key = keyring_data_key(&x->next);
    enum err e = pagevfs_rekey(x->from, &old_key, x->to, &new_key, x->env->vfs, why);
    if (e == ERR_OK) e = hold_both(x, why);
    return e == ERR_OK ? keyslot_rekey(x->env, &x->files.keyfile, &x->ring, &x->next, why) : e;
}

/* Which store is not wanted any more, if that is sure: the copy while the old one is held, so that it is nobody
 * else's. What cannot be cleared away now is at the next opening, and verify says so until then. */
static void clear_away(struct rekey *x, enum err done)
{
    uint32_t now = 0;
    db_close(x->copy);
    if (done != ERR_OK && x->old != NULL && keyslot_generation(x->env, &x->files.keyfile, &now, NULL) == ERR_OK &&
        now == x->ring.generation)
        (void)!replica_shred(x->env, x->home, x->next.generation, NULL);
    db_close(x->old);
    if (done == ERR_OK) (void)!replica_shred(x->env, x->home, x->ring.generation, NULL);
}

enum err node_rekey(struct node *n, struct keyring *out, struct why *why)
{
    struct rekey x = {.act = {.kind = KEY_REKEY}};
    enum err e = n->capture != NULL ? why_set(why, ERR_FAILED, "A change is being made just now.") : ERR_OK;
    if (e == ERR_OK) e = prepare(&x, n, out != NULL, why);
    node_close(n);
    if (e == ERR_OK) {
        e = switch_over(&x, why);
        clear_away(&x, e);
    }
    if (e == ERR_OK && out != NULL) {
        *out = x.give;
        x.give = (struct keyring){0};
        out->revision = x.next.revision;
    }
    keyring_release(&x.ring);
    keyring_release(&x.next);
    keyring_release(&x.give);
    return e;
}
