/* Making a hub's home: keys, an empty store, and what every hub begins with. */
#include "hub/defaults.h"
#include "hub/log.h"
#include "hub/policy_change.h"
#include "hub/sight.h"
#include "hub/store.h"

#include "crypto/keyslot.h"
#include "sync/db_postgres.h"

#include <stdlib.h>
#include <string.h>

#define SECRET_ID_BYTES   96
#define SECRET_SIGN_BYTES 64 /* of them; the X25519 secret follows */

static enum err put_state(struct db *db, const char *name, struct bytes value, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(db, "INSERT INTO h_state(name, value) VALUES($1, $2)", &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, name);
    db_bind_blob(s, 2, value);
    return db_run(s, why);
}

/* The public half of the recovery secret: an identity is made around it, because only crypto/ may compute with keys. */
static enum err recovery_public(const struct identity_secret *hub, const struct secret *recovery, uint8_t out[32],
                                struct why *why)
{
    struct secret both = {0};
    struct identity_secret id = {0};
    enum err e = secret_new(&both, SECRET_ID_BYTES, why);
    if (e != ERR_OK) return e;
    identity_secret_to_bytes(hub, both.p);
    memcpy(both.p + SECRET_SIGN_BYTES, recovery->p, 32);
    e = identity_secret_from_bytes(&id, bytes_of(both.p, both.n), why);
    if (e == ERR_OK) memcpy(out, id.pub.box_pk, 32);
    identity_release(&id);
    secret_release(&both);
    return e;
}

struct newborn {
    const char *name;
    const struct secret *key, *recovery; /* data keys of hub.key and recovery.key */
};

static enum err put_identity(struct hub *h, const struct newborn *n, struct why *why)
{
    struct secret bytes = {0};
    enum err e = recovery_public(&h->id, n->recovery, h->recovery_pk, why);
    if (e == ERR_OK) e = secret_new(&bytes, SECRET_ID_BYTES, why);
    if (e != ERR_OK) return e;
    identity_secret_to_bytes(&h->id, bytes.p);
    e = store_secret_put(h->db, n->key, "identity", bytes_of(bytes.p, bytes.n), why);
    secret_release(&bytes);
    if (e == ERR_OK) e = put_state(h->db, "recovery_pk", bytes_of(h->recovery_pk, sizeof h->recovery_pk), why);
    if (e == ERR_OK) e = store_put_counter(h->db, "epoch", (int64_t)h->epoch, why);
    return e;
}

/* Everything in one transaction: the row `name` in h_state is the sign of a home that was finished. */
static enum err fill(struct db *db, const struct env *env, const struct newborn *n, struct why *why)
{
    struct hub h = {.env = env, .db = db, .epoch = 1};
    enum err e = identity_generate(&h.id, why);
    if (e == ERR_OK) e = hub_begin(&h, why);
    if (e != ERR_OK) goto out;
    e = put_identity(&h, n, why);
    if (e == ERR_OK) e = defaults_put(&h, why);
    if (e == ERR_OK) e = policy_change_first(&h, why);
    if (e == ERR_OK) e = put_state(db, "name", bytes_of_str(n->name), why);
    if (e == ERR_OK)
        e = hub_commit(&h, why);
    else
        hub_abort(&h);
out:
    sight_free(h.sight);
    free(h.tails);
    identity_release(&h.id);
    return e;
}

static enum err remove_all(const struct env *env, const struct store_place *p, struct why *why)
{
    enum err e = env->remove_file(env->ctx, p->db, why);
    if (e == ERR_OK) e = env->remove_file(env->ctx, p->wal, why);
    if (e == ERR_OK) e = env->remove_file(env->ctx, p->key, why);
    if (e == ERR_OK) e = env->remove_file(env->ctx, p->recovery, why);
    if (e == ERR_OK) e = env->remove_file(env->ctx, p->at, why);
    return e;
}

static bool present(const struct env *env, const char *path)
{
    uint64_t size;
    return env->file_size(env->ctx, path, &size, NULL) != ERR_NOTFOUND;
}

/* Is the store that of a hub which was finished? In doubt it is. */
static bool finished(const struct env *env, const char *store, const struct secret *key)
{
    struct db *db = NULL;
    struct stmt *s;
    bool row = true;
    if (store_open(&db, env, store, key, NULL) == ERR_OK &&
        db_prepare(db, "SELECT 1 FROM h_state WHERE name = 'name'", &s, NULL) == ERR_OK) {
        if (db_step(s, &row, NULL) != ERR_OK) row = true;
        db_done(s);
    }
    db_close(db);
    return row;
}

/* Does HOME/store name the store that is asked for? */
static bool remembers(const struct env *env, const char *home, const struct store_place *p)
{
    struct store_place there;
    return store_find(&there, env, &(struct hub_place){.home = home}, NULL) == ERR_OK && there.shared == p->shared &&
           strcmp(there.store, p->store) == 0;
}

/* Is this somebody's hub, and not a home whose making was cut off by a crash? In doubt it is: a key file whose store is
 * missing may be all that can read a backup. */
static bool taken(const struct env *env, const char *home, const struct store_place *p, struct bytes passphrase)
{
    struct keyring ring = {0};
    bool db = present(env, p->db), at = present(env, p->at);
    if (!db && !at) return present(env, p->key) || present(env, p->recovery);
    if (db == p->shared || !remembers(env, home, p)) return true; /* a store elsewhere than the one that is asked for */
    bool opened = keyslot_open(env, &(struct keyfile){.path = p->key}, passphrase, &ring, NULL) == ERR_OK;
    struct secret key = keyring_data_key(&ring);
    bool is = !opened || finished(env, p->store, &key);
    keyring_release(&ring);
    return is;
}

static enum err check_name(const char *name, struct why *why)
{
    struct bytes n = bytes_of_str(name);
    if (n.n == 0 || n.n >= sizeof((struct hub *)NULL)->name || !log_name_is_good(n))
        return why_set(why, ERR_USAGE, "A hub's name has 1 to 127 bytes, on one line.");
    return ERR_OK;
}

/* What an earlier try left, which was cut off; then the keys, and where the store will be. */
static enum err begin_home(const struct env *env, const struct store_place *p, struct bytes passphrase,
                           struct keyring *store, struct keyring *rescue, struct why *why)
{
    bool again = p->shared && present(env, p->at);
    enum err e = again ? db_drop_postgres(env, p->store, NULL, why) : ERR_OK;
    if (e == ERR_OK) e = remove_all(env, p, why);
    if (e == ERR_OK) e = keyslot_create(env, &(struct keyfile){.path = p->recovery}, passphrase, rescue, why);
    if (e == ERR_OK) e = keyslot_create(env, &(struct keyfile){.path = p->key}, passphrase, store, why);
    return e;
}

static enum err make_hub(const struct env *env, const struct store_place *p, const struct newborn *n, struct why *why)
{
    struct db *db = NULL;
    enum err e = store_make(env, p->store, n->key, why);
    if (e != ERR_OK) return e;
    e = store_remember(p, env, why); /* from here on the schema is ours, and another try may take it away */
    if (e == ERR_OK) e = store_open(&db, env, p->store, n->key, why);
    if (e == ERR_OK) e = db_set_schema(db, rules_schema_newest(), why);
    if (e == ERR_OK) e = fill(db, env, n, why);
    db_close(db);
    if (e != ERR_OK) store_discard(env, p->store);
    return e;
}

enum err hub_init_at(const struct env *env, const struct hub_place *at, const char *name, struct bytes passphrase,
                     struct why *why)
{
    struct store_place p;
    struct keyring store = {0}, rescue = {0};
    enum err e = check_name(name, why);
    if (e == ERR_OK) e = store_find(&p, env, at, why);
    if (e == ERR_OK) e = env->make_dir(env->ctx, at->home, why);
    if (e != ERR_OK) return e;
    if (taken(env, at->home, &p, passphrase)) {
        (void)why_set(why, ERR_EXISTS, "There is a hub in this folder already.");
        return why_next(
            why, ERR_EXISTS,
            "Use it, or choose another folder with --home. If an earlier try was cut off, move its files away.");
    }
    e = begin_home(env, &p, passphrase, &store, &rescue, why);
    struct secret key = keyring_data_key(&store), recovery = keyring_data_key(&rescue);
    if (e == ERR_OK) e = make_hub(env, &p, &(struct newborn){name, &key, &recovery}, why);
    keyring_release(&store);
    keyring_release(&rescue);
    if (e != ERR_OK) (void)remove_all(env, &p, NULL);
    return e;
}

enum err hub_init(const struct env *env, const char *home, const char *name, struct bytes passphrase, struct why *why)
{
    return hub_init_at(env, &(struct hub_place){.home = home}, name, passphrase, why);
}
