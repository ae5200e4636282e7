/* A home's replica: key file, encrypted store, and the opening of both. */
#include "node/search.h"
#include "node/wipe.h"

#include "crypto/device.h"
#include "crypto/keyslot.h"
#include "node/later_sql.h"
#include "node/store_sql.h"
#include "sync/schema_sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum err not_enrolled(struct why *why)
{
    (void)why_set(why, ERR_UNINIT, "This device has not joined a MASH yet, or joining it was not finished.");
    return why_next(why, ERR_UNINIT, "Run spoke enrol with your invitation code; the same code may be used again.");
}

/* ----------------------------------------------------------------------------------------------- where it lies */

enum err replica_files(struct replica_files *f, const struct env *env, const char *home, struct why *why)
{
    enum err e = path_join(f->key, sizeof f->key, home, "replica.key", why);
    if (e == ERR_OK) e = path_join(f->device, sizeof f->device, home, "device.secret", why);
    f->keyfile = (struct keyfile){f->key, env->device_secret != NULL ? env->device_secret : f->device};
    return e;
}

enum err replica_path(char out[NODE_PATH_MAX], const char *home, uint32_t generation, struct why *why)
{
    return path_join(out, NODE_PATH_MAX, home, generation % 2 == 0 ? "replica.db" : "replica2.db", why);
}

enum err replica_shred(const struct env *env, const char *home, uint32_t generation, struct why *why)
{
    char path[NODE_PATH_MAX], log[NODE_PATH_MAX + 8];
    enum err e = replica_path(path, home, generation, why);
    if (e != ERR_OK) return e;
    (void)snprintf(log, sizeof log, "%s-wal", path);
    e = env->shred_file(env->ctx, log, why);
    return e == ERR_OK ? env->shred_file(env->ctx, path, why) : e;
}

static bool is_there(const struct env *env, const char *path)
{
    uint64_t size;
    return env->file_size(env->ctx, path, &size, NULL) != ERR_NOTFOUND;
}

enum err replica_leftover(const struct env *env, const char *home, uint32_t generation, bool *out, struct why *why)
{
    char path[NODE_PATH_MAX], log[NODE_PATH_MAX + 8];
    enum err e = replica_path(path, home, generation + 1, why);
    if (e != ERR_OK) return e;
    (void)snprintf(log, sizeof log, "%s-wal", path);
    *out = is_there(env, path) || is_there(env, log);
    return ERR_OK;
}

/* The key file once more as it stands. If the switch to it was cut off before it was durable, it is now: before
 * that the old store may be all that survives a power failure. */
static enum err confirm_switch(const struct env *env, const char *key_path, struct why *why)
{
    struct buf file;
    buf_init(&file, 1u << 16);
    enum err e = env->read_file(env->ctx, key_path, 1u << 16, &file, why);
    if (e == ERR_OK) e = env->write_file(env->ctx, key_path, buf_bytes(&file), why);
    buf_release(&file);
    return e;
}

/* What a rekey left that was cut off: its copy, or the store before it. Under the lock of the store that is in use,
 * so that nobody else's rekey is at work. Only where this store knows of such a rekey, by its note, or because clearing
 * away failed before: else what lies there may be newer, and all that is left of somebody's work, where an older key
 * file and its store were put back from a backup. */
static enum err clear_leftover(struct replica *r, const struct env *env, const char *home, const char *key_path,
                               struct why *why)
{
    _Static_assert(KEY_REKEY == 6, "asked for below");
    bool left = false;
    uint64_t noted = 0, due = 0;
    enum err e = state_ask(r->db, "SELECT count(*) FROM n_key_act WHERE kind = 6", &noted, why);
    if (e == ERR_OK) e = state_number(r->db, "leftover", &due, why);
    if (e != ERR_OK || (noted == 0 && due == 0)) return e;
    e = replica_leftover(env, home, r->ring.generation, &left, why);
    if (e == ERR_OK && left) e = confirm_switch(env, key_path, why);
    if (e == ERR_OK && left) e = replica_shred(env, home, r->ring.generation + 1, why);
    if ((e != ERR_OK) == (due != 0)) return e;
    enum err kept = state_set_number(r->db, "leftover", e != ERR_OK, e == ERR_OK ? why : NULL);
    return e != ERR_OK ? e : kept;
}

/* --------------------------------------------------------------------------------------------------- opening */

void replica_close(struct replica *r)
{
    db_close(r->db);
    keyring_release(&r->ring);
    r->db = NULL;
}

static enum err keys_changed(struct why *why)
{
    (void)why_set(why, ERR_LOCKED, "The keys of this device were changed since it was unlocked.");
    return why_next(why, ERR_LOCKED, "Unlock it again with your passphrase.");
}

static enum err changed_meanwhile(const struct node_key *key, struct why *why)
{
    if (key->ring != NULL) return keys_changed(why);
    (void)why_set(why, ERR_BUSY, "The keys of this device were being changed just now.");
    return why_next(why, ERR_BUSY, "Try again.");
}

static enum err open_ring(const struct env *env, const struct keyfile *at, const struct node_key *key,
                          struct keyring *out, struct why *why)
{
    uint32_t generation = 0;
    if (key->ring == NULL) return keyslot_open(env, at, key->passphrase, out, why);
    enum err e = keyslot_generation(env, at, &generation, why);
    if (e == ERR_OK && generation != key->ring->generation) return keys_changed(why);
    return e == ERR_OK ? keyring_copy(out, key->ring, why) : e;
}

/* Another process may have changed the key file before the store was ours. From here on nobody else does. */
static enum err still_in_force(const struct env *env, const struct keyfile *at, const struct node_key *key,
                               struct replica *r, struct why *why)
{
    enum err e = keyslot_follow(env, at, &r->ring, why);
    if (e == ERR_LOCKED) return changed_meanwhile(key, why);
    if (e != ERR_NOTFOUND) return e;
    (void)why_set(why, ERR_LOCKED, "The passphrase that this device was unlocked with was taken away since.");
    return why_next(why, ERR_LOCKED, "Ask somebody who can open it to run: spoke user add.");
}

static enum err older_key_file(struct why *why)
{
    (void)why_set(why, ERR_TAMPERED, "An older key file was put in the place of this device's.");
    return why_next(why, ERR_TAMPERED, "Stop here, keep the files as they are, and ask your administrator.");
}

/* An older key file is as authentic as the newest, and would let in again who was removed since. A disk that is
 * full must keep nobody out: the revision is noted another time. */
static enum err check_revision(struct replica *r, struct why *why)
{
    uint64_t noted = 0;
    enum err e = state_number(r->db, "key_revision", &noted, why);
    if (e != ERR_OK) return e;
    if (r->ring.revision < noted) return older_key_file(why);
    if (r->ring.revision == noted) return ERR_OK;
    e = state_set_number(r->db, "key_revision", r->ring.revision, why);
    return e == ERR_FULL || e == ERR_IO ? ERR_OK : e;
}

static enum err has_tables(struct db *db, bool *out, struct why *why)
{
    uint64_t there = 0;
    enum err e = state_ask(db, "SELECT count(*) FROM sqlite_schema WHERE name = 'n_audit'", &there, why);
    *out = there != 0;
    return e;
}

enum err replica_open_ring(struct replica *r, const struct env *env, const char *home, const struct node_key *key,
                           struct why *why)
{
    struct replica_files f;
    char path[NODE_PATH_MAX];
    bool tables = false, other = false;
    uint32_t generation = 0;
    const struct secret data_key = keyring_data_key(&r->ring);
    enum err e = replica_files(&f, env, home, why);
    if (e == ERR_OK) e = replica_path(path, home, r->ring.generation, why);
    if (e == ERR_OK) e = db_open(&r->db, env, path, &data_key, why);
    if (e != ERR_OK) {
        if (keyslot_generation(env, &f.keyfile, &generation, NULL) == ERR_OK && generation != r->ring.generation)
            e = changed_meanwhile(key, why);
        else if (e == ERR_UNINIT && replica_leftover(env, home, r->ring.generation, &other, NULL) == ERR_OK && other)
            e = older_key_file(why); /* the store is there, under a key that was made after this file */
        return e;
    }
    e = wipe_check(env, home, NODE_FOR_HUB, why); /* once more: it may have been begun while the store was waited for */
    if (e == ERR_OK) e = still_in_force(env, &f.keyfile, key, r, why);
    if (e == ERR_OK) e = has_tables(r->db, &tables, why);
    /* What cannot be cleared away keeps nobody out: verify tells of it, and the next opening tries again. */
    if (e == ERR_OK && tables) (void)!clear_leftover(r, env, home, f.key, NULL);
    if (e == ERR_OK && tables) e = check_revision(r, why);
    if (e == ERR_OK && tables) e = people_settle(r, env, &f.keyfile, why);
    return e;
}

enum err replica_open(struct replica *out, const struct env *env, const char *home, const struct node_key *key,
                      struct why *why)
{
    struct replica_files f;
    struct replica r = {0};
    enum err e = replica_files(&f, env, home, why);
    if (e == ERR_OK) e = open_ring(env, &f.keyfile, key, &r.ring, why);
    if (e == ERR_OK) e = replica_open_ring(&r, env, home, key, why);
    if (e == ERR_OK)
        *out = r;
    else
        replica_close(&r);
    return e == ERR_UNINIT ? not_enrolled(why) : e;
}

/* ---------------------------------------------------------------------------------------------------- making */

#define STORE_VERSION 6u /* node/later.sql; 0: made before there was one */

/* Within a transaction. */
static enum err make_later(struct db *db, struct why *why)
{
    enum err e = db_exec(db, node_later_sql, why);
    return e == ERR_OK ? state_set_number(db, "store", STORE_VERSION, why) : e;
}

/* A store of an older program gets what came since. A disk that is full must keep nobody out of it: it is tried again
 * at each opening, and with each contact: that wants the tables that came since. */
enum err replica_bring_up(struct db *db, struct why *why)
{
    uint64_t version = 0;
    enum err e = state_number(db, "store", &version, why);
    if (e != ERR_OK || version >= STORE_VERSION) return e;
    e = db_begin(db, why);
    if (e != ERR_OK) return e;
    e = make_later(db, why);
    if (e == ERR_OK)
        e = db_commit(db, why);
    else
        db_rollback(db);
    return e == ERR_FULL || e == ERR_IO ? ERR_OK : e;
}

/* Tables are made in one transaction, so the last one is there or none is. */
static enum err make_tables(struct db *db, struct why *why)
{
    bool there = false;
    enum err e = has_tables(db, &there, why);
    if (e != ERR_OK || there) return e;
    e = db_begin(db, why);
    if (e == ERR_OK) e = db_exec(db, sync_schema_sql, why);
    if (e == ERR_OK) e = db_exec(db, node_store_sql, why);
    if (e == ERR_OK) e = make_later(db, why);
    if (e == ERR_OK)
        e = db_commit(db, why);
    else
        db_rollback(db);
    return e;
}

/* The device secret only with the key file: one that was lost must not be replaced unnoticed. */
static enum err make_ring(const struct env *env, const struct keyfile *at, struct bytes passphrase, struct keyring *out,
                          struct why *why)
{
    enum err e = keyslot_open(env, at, passphrase, out, why);
    if (e != ERR_UNINIT) return e;
    e = device_make(env, at->device, why);
    return e == ERR_OK ? keyslot_create(env, at, passphrase, out, why) : e;
}

static enum err make_store(struct replica *r, const struct env *env, const char *home, struct bytes passphrase,
                           struct why *why)
{
    const struct node_key key = {.passphrase = passphrase};
    const struct secret data_key = keyring_data_key(&r->ring);
    char path[NODE_PATH_MAX];
    enum err e = replica_open_ring(r, env, home, &key, why);
    if (e != ERR_UNINIT) return e;
    e = replica_path(path, home, r->ring.generation, why);
    if (e == ERR_OK) e = db_create(env, path, &data_key, "", why);
    return e == ERR_OK ? replica_open_ring(r, env, home, &key, why) : e;
}

enum err replica_make(struct replica *out, const struct env *env, const char *home, struct bytes passphrase,
                      struct why *why)
{
    char spool[NODE_PATH_MAX];
    struct replica_files f;
    struct replica r = {0};
    enum err e = replica_files(&f, env, home, why);
    if (e == ERR_OK) e = path_join(spool, sizeof spool, home, "spool", why);
    if (e == ERR_OK) e = env->make_dir(env->ctx, spool, why);
    if (e == ERR_OK) e = make_ring(env, &f.keyfile, passphrase, &r.ring, why);
    if (e == ERR_OK) e = make_store(&r, env, home, passphrase, why);
    if (e == ERR_OK) e = make_tables(r.db, why);
    if (e == ERR_OK)
        *out = r;
    else
        replica_close(&r);
    return e;
}

/* ---------------------------------------------------------------------------------------------------- a node */

static enum err load_hub(struct node *n, struct why *why)
{
    uint8_t keys[PUBLIC_BYTES];
    enum err e = state_fixed(n->db, "hub", keys, sizeof keys, why);
    if (e == ERR_OK) e = identity_stored(&n->hub, bytes_of(keys, sizeof keys), why);
    if (e == ERR_OK) e = state_text(n->db, "hub_name", n->hub_name, sizeof n->hub_name, why);
    if (e == ERR_OK) e = state_text(n->db, "hub_address", n->hub_address, sizeof n->hub_address, why);
    if (e == ERR_OK) e = state_fixed(n->db, "recovery_pk", n->recovery_pk, sizeof n->recovery_pk, why);
    return e;
}

static enum err load(struct node *n, struct why *why)
{
    bool found = false, tables = false;
    uint64_t enrolled = 0;
    enum err e = has_tables(n->db, &tables, why);
    if (e == ERR_OK && tables) e = state_number(n->db, "enrolled", &enrolled, why);
    if (e == ERR_OK && enrolled == 0) return not_enrolled(why);
    if (e == ERR_OK) e = state_load_schema(n->db, why);
    if (e == ERR_OK) e = state_load_identity(n->db, "identity", &n->self, &found, why);
    if (e == ERR_OK && !found) e = why_set(why, ERR_TAMPERED, "The keys of this device are missing from its store.");
    if (e == ERR_OK) e = load_hub(n, why);
    if (e == ERR_OK) e = state_text(n->db, "site", n->site, sizeof n->site, why);
    if (e == ERR_OK) e = state_text(n->db, "agency", n->agency, sizeof n->agency, why);
    if (e == ERR_OK) e = people_who(n->db, &n->ring, n->user, n->user_name, why);
    if (e == ERR_OK) e = state_number(n->db, "epoch", &n->epoch, why);
    return e;
}

/* A crash after an answer was taken leaves its files, or a receipt unsigned. That must keep nobody from opening the
 * replica (the disk may be full): the next contact tries again and says what is wrong. */
static void make_good(struct node *n, bool pending)
{
    enum err e = pending ? ERR_OK : spool_drop_answer(n, NULL);
    if (e == ERR_OK) e = drops_confirm(n, NULL);
    if (e == ERR_OK) e = purge_run(n, NULL);
    (void)e;
}

enum err replica_node(struct node **out, const struct env *env, const char *home, struct replica *r,
                      enum node_for what_for, struct why *why)
{
    uint64_t pending = 0;
    struct node *n = calloc(1, sizeof *n);
    if (n == NULL) {
        replica_close(r);
        return why_set(why, ERR_NOMEM, "There is not enough memory to open this device's records.");
    }
    n->env = env;
    n->what_for = what_for;
    n->db = r->db;
    n->ring = r->ring;
    *r = (struct replica){0};
    enum err e = ERR_OK;
    if (strlen(home) >= sizeof n->home)
        e = why_set(why, ERR_LIMIT, "The path of this home is too long.");
    else
        memcpy(n->home, home, strlen(home) + 1);
    if (e == ERR_OK) e = load(n, why);
    if (e == ERR_OK) e = replica_bring_up(n->db, why);
    if (e == ERR_OK) e = sum_follow(n, why);
    if (e == ERR_OK) e = search_open(n, why);
    if (e == ERR_OK) e = state_number(n->db, "pending", &pending, why);
    if (e == ERR_OK) make_good(n, pending != 0);
    if (e == ERR_OK) orders_kept(n);
    if (e == ERR_OK) e = node_tick(n, why);
    if (e == ERR_OK)
        *out = n;
    else
        node_close(n);
    return e;
}

enum err node_open_as(struct node **out, const struct env *env, const char *home, const struct node_key *key,
                      enum node_for what_for, struct why *why)
{
    struct replica r = {0};
    enum err e = wipe_check(env, home, what_for, why);
    if (e == ERR_OK) e = replica_open(&r, env, home, key, why);
    return e == ERR_OK ? replica_node(out, env, home, &r, what_for, why) : e;
}

enum err node_open(struct node **out, const struct env *env, const char *home, struct bytes passphrase, struct why *why)
{
    const struct node_key key = {.passphrase = passphrase};
    return node_open_as(out, env, home, &key, NODE_FOR_PEOPLE, why);
}

enum err node_unlock(const struct env *env, const char *home, struct bytes passphrase, struct keyring *out,
                     struct why *why)
{
    struct replica_files f;
    enum err e = wipe_check(env, home, NODE_FOR_HUB, why);
    if (e == ERR_OK) e = replica_files(&f, env, home, why);
    if (e == ERR_OK) e = keyslot_open(env, &f.keyfile, passphrase, out, why);
    return e == ERR_UNINIT ? not_enrolled(why) : e;
}

int64_t node_unlock_wait_ms(const struct env *env, const char *home)
{
    struct replica_files f;
    return replica_files(&f, env, home, NULL) == ERR_OK ? keyslot_wait_ms(env, &f.keyfile) : 0;
}

void node_close(struct node *n)
{
    if (n == NULL) return;
    node_edit_cancel(n);
    unsent_close(n);
    db_close(n->db);
    search_close(n);
    keyring_release(&n->ring);
    identity_release(&n->self);
    free(n);
}

struct db *node_db(struct node *n)
{
    return n->db;
}

const struct env *node_env(const struct node *n)
{
    return n->env;
}
