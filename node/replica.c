/* A home's replica: key file, encrypted store, and the opening of both. */
#include "node/internal.h"

#include "crypto/keyslot.h"
#include "node/store_sql.h"
#include "sync/schema_sql.h"

#include <stdlib.h>
#include <string.h>

static enum err not_enrolled(struct why *why)
{
    (void)why_set(why, ERR_UNINIT, "This device has not joined a MASH yet, or joining it was not finished.");
    return why_next(why, ERR_UNINIT, "Run spoke enrol with your invitation code; the same code may be used again.");
}

enum err replica_open(struct db **out, const struct env *env, const char *home, struct bytes passphrase,
                      struct why *why)
{
    char key_path[NODE_PATH_MAX], db_path[NODE_PATH_MAX];
    struct secret key = {0};
    enum err e = path_join(key_path, sizeof key_path, home, "replica.key", why);
    if (e == ERR_OK) e = path_join(db_path, sizeof db_path, home, "replica.db", why);
    if (e == ERR_OK) e = keyslot_open(env, key_path, passphrase, &key, why);
    if (e == ERR_OK) e = db_open(out, env, db_path, &key, why);
    secret_release(&key);
    return e == ERR_UNINIT ? not_enrolled(why) : e;
}

/* Tables are made in one transaction, so the last one is there or none is. */
static enum err make_tables(struct db *db, struct why *why)
{
    uint64_t there = 0;
    enum err e = state_ask(db, "SELECT count(*) FROM sqlite_schema WHERE name = 'n_audit'", &there, why);
    if (e != ERR_OK || there > 0) return e;
    e = db_begin(db, why);
    if (e == ERR_OK) e = db_exec(db, sync_schema_sql, why);
    if (e == ERR_OK) e = db_exec(db, node_store_sql, why);
    if (e == ERR_OK)
        e = db_commit(db, why);
    else
        db_rollback(db);
    return e;
}

enum err replica_make(struct db **out, const struct env *env, const char *home, struct bytes passphrase,
                      struct why *why)
{
    char key_path[NODE_PATH_MAX], db_path[NODE_PATH_MAX], spool[NODE_PATH_MAX];
    struct secret key = {0};
    struct db *db = NULL;
    enum err e = path_join(key_path, sizeof key_path, home, "replica.key", why);
    if (e == ERR_OK) e = path_join(db_path, sizeof db_path, home, "replica.db", why);
    if (e == ERR_OK) e = path_join(spool, sizeof spool, home, "spool", why);
    if (e == ERR_OK) e = env->make_dir(env->ctx, spool, why);
    if (e == ERR_OK) e = keyslot_open(env, key_path, passphrase, &key, why);
    if (e == ERR_UNINIT) e = keyslot_create(env, key_path, passphrase, &key, why);
    if (e == ERR_OK) e = db_open(&db, env, db_path, &key, why);
    if (e == ERR_UNINIT) {
        e = db_create(env, db_path, &key, "", why);
        if (e == ERR_OK) e = db_open(&db, env, db_path, &key, why);
    }
    if (e == ERR_OK) e = make_tables(db, why);
    secret_release(&key);
    if (e == ERR_OK)
        *out = db;
    else
        db_close(db);
    return e;
}

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
    bool found = false;
    uint64_t there = 0, enrolled = 0;
    enum err e = state_ask(n->db, "SELECT count(*) FROM sqlite_schema WHERE name = 'n_audit'", &there, why);
    if (e == ERR_OK && there > 0) e = state_number(n->db, "enrolled", &enrolled, why);
    if (e == ERR_OK && enrolled == 0) return not_enrolled(why);
    if (e == ERR_OK) e = state_load_schema(n->db, why);
    if (e == ERR_OK) e = state_load_identity(n->db, "identity", &n->self, &found, why);
    if (e == ERR_OK && !found) e = why_set(why, ERR_TAMPERED, "The keys of this device are missing from its store.");
    if (e == ERR_OK) e = load_hub(n, why);
    if (e == ERR_OK) e = state_text(n->db, "site", n->site, sizeof n->site, why);
    if (e == ERR_OK) e = state_text(n->db, "agency", n->agency, sizeof n->agency, why);
    if (e == ERR_OK) e = state_fixed(n->db, "user", n->user, sizeof n->user, why);
    if (e == ERR_OK) e = state_text(n->db, "user_name", n->user_name, sizeof n->user_name, why);
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

enum err replica_node(struct node **out, const struct env *env, const char *home, struct db *db, struct why *why)
{
    uint64_t pending = 0;
    struct node *n = calloc(1, sizeof *n);
    if (n == NULL) {
        db_close(db);
        return why_set(why, ERR_NOMEM, "There is not enough memory to open this device's records.");
    }
    n->env = env;
    n->db = db;
    enum err e = ERR_OK;
    if (strlen(home) >= sizeof n->home)
        e = why_set(why, ERR_LIMIT, "The path of this home is too long.");
    else
        memcpy(n->home, home, strlen(home) + 1);
    if (e == ERR_OK) e = load(n, why);
    if (e == ERR_OK) e = sum_follow(n, why);
    if (e == ERR_OK) e = state_number(n->db, "pending", &pending, why);
    if (e == ERR_OK) make_good(n, pending != 0);
    if (e == ERR_OK) e = node_tick(n, why);
    if (e == ERR_OK)
        *out = n;
    else
        node_close(n);
    return e;
}

enum err node_open(struct node **out, const struct env *env, const char *home, struct bytes passphrase, struct why *why)
{
    struct db *db = NULL;
    enum err e = replica_open(&db, env, home, passphrase, why);
    return e == ERR_OK ? replica_node(out, env, home, db, why) : e;
}

void node_close(struct node *n)
{
    if (n == NULL) return;
    node_edit_cancel(n);
    db_close(n->db);
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
