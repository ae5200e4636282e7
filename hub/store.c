/* The hub's home: keys, store, transactions. HOME holds three files:
 *   hub.key       wraps the key of the store under the administrators' passphrase
 *   hub.db        the store; the hub's own keys lie in it
 *   recovery.key  wraps the X25519 secret to which nodes seal what the hub acknowledged; only needed to rebuild a lost
 *                 hub, so it belongs on another machine: here it is of use to whoever steals this one. */
#include "hub/defaults.h"
#include "hub/later.h"
#include "hub/log.h"
#include "hub/policy_change.h"
#include "hub/sight.h"

#include "crypto/keyslot.h"
#include "hub/policy_sql.h"
#include "hub/log_sql.h"
#include "hub/store_sql.h"
#include "sync/schema_sql.h"

#include <stdlib.h>
#include <string.h>

#define PATH_BYTES        4096
#define SECRET_ID_BYTES   96
#define SECRET_SIGN_BYTES 64 /* of them; the X25519 secret follows */

struct home {
    char key[PATH_BYTES], db[PATH_BYTES], wal[PATH_BYTES], recovery[PATH_BYTES];
};

static enum err home_paths(struct home *p, const char *home, struct why *why)
{
    enum err e = path_join(p->key, sizeof p->key, home, "hub.key", why);
    if (e == ERR_OK) e = path_join(p->db, sizeof p->db, home, "hub.db", why);
    if (e == ERR_OK) e = path_join(p->wal, sizeof p->wal, home, "hub.db-wal", why);
    if (e == ERR_OK) e = path_join(p->recovery, sizeof p->recovery, home, "recovery.key", why);
    return e;
}

static enum err put_state(struct db *db, bool secret, const char *name, struct bytes value, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(db,
                            secret ? "INSERT INTO secret_state(name, value) VALUES($1, $2)"
                                   : "INSERT INTO h_state(name, value) VALUES($1, $2)",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, name);
    db_bind_blob(s, 2, value);
    return db_run(s, why);
}

static enum err put_counter(struct db *db, const char *name, int64_t value, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(db,
                            "INSERT INTO h_counter(name, value) VALUES($1, $2) "
                            "ON CONFLICT(name) DO UPDATE SET value = excluded.value",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, name);
    db_bind_int(s, 2, value);
    return db_run(s, why);
}

static enum err get_counter(struct db *db, const char *name, int64_t *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(db, "SELECT value FROM h_counter WHERE name = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, name);
    e = db_step(s, &row, why);
    if (e == ERR_OK) *out = row ? db_int(s, 0) : 0;
    db_done(s);
    return e;
}

/* ------------------------------------------------------------------------------------------------ making a home */

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

static enum err put_identity(struct hub *h, const struct secret *recovery, struct why *why)
{
    struct secret bytes = {0};
    enum err e = recovery_public(&h->id, recovery, h->recovery_pk, why);
    if (e == ERR_OK) e = secret_new(&bytes, SECRET_ID_BYTES, why);
    if (e != ERR_OK) return e;
    identity_secret_to_bytes(&h->id, bytes.p);
    e = put_state(h->db, true, "identity", bytes_of(bytes.p, bytes.n), why);
    secret_release(&bytes);
    if (e == ERR_OK) e = put_state(h->db, false, "recovery_pk", bytes_of(h->recovery_pk, sizeof h->recovery_pk), why);
    if (e == ERR_OK) e = put_counter(h->db, "epoch", (int64_t)h->epoch, why);
    return e;
}

/* Up to the version of this program, within the running transaction. */
static enum err bring_up(struct db *db, struct why *why)
{
    enum err e = db_migrate(db, rules_schema_newest(), why);
    return e == ERR_OK ? put_counter(db, "schema", (int64_t)rules_schema_newest(), why) : e;
}

/* Everything in one transaction: the row `name` in h_state is the sign of a home that was finished. */
static enum err fill(struct db *db, const struct env *env, const char *name, const struct secret *recovery,
                     struct why *why)
{
    struct hub h = {.env = env, .db = db, .epoch = 1};
    enum err e = identity_generate(&h.id, why);
    if (e == ERR_OK) e = hub_begin(&h, why);
    if (e != ERR_OK) goto out;
    e = bring_up(db, why);
    if (e == ERR_OK) e = put_identity(&h, recovery, why);
    if (e == ERR_OK) e = defaults_put(&h, why);
    if (e == ERR_OK) e = policy_change_first(&h, why);
    if (e == ERR_OK) e = put_state(db, false, "name", bytes_of_str(name), why);
    if (e == ERR_OK)
        e = hub_commit(&h, why);
    else
        hub_abort(&h);
out:
    sight_free(h.sight);
    identity_release(&h.id);
    return e;
}

static enum err create_store(const struct env *env, const struct home *p, const struct secret *key, struct why *why)
{
    struct buf schema;
    buf_init(&schema, 1u << 20);
    buf_put_str(&schema, sync_schema_sql);
    buf_put_str(&schema, hub_policy_sql);
    buf_put_str(&schema, hub_store_sql);
    buf_put_str(&schema, hub_log_sql);
    const char *text = buf_cstr(&schema);
    enum err e = text == NULL ? why_set(why, schema.err, "There is not enough memory to make the store.")
                              : db_create(env, p->db, key, text, why);
    buf_release(&schema);
    return e;
}

static enum err remove_all(const struct env *env, const struct home *p, struct why *why)
{
    enum err e = env->remove_file(env->ctx, p->db, why);
    if (e == ERR_OK) e = env->remove_file(env->ctx, p->wal, why);
    if (e == ERR_OK) e = env->remove_file(env->ctx, p->key, why);
    if (e == ERR_OK) e = env->remove_file(env->ctx, p->recovery, why);
    return e;
}

static bool present(const struct env *env, const char *path)
{
    uint64_t size;
    return env->file_size(env->ctx, path, &size, NULL) != ERR_NOTFOUND;
}

/* Is this somebody's hub, and not a home whose making was cut off by a crash? In doubt it is: a key file whose store is
 * missing may be all that can read a backup. */
static bool taken(const struct env *env, const struct home *p, struct bytes passphrase)
{
    struct keyring ring = {0};
    struct db *db = NULL;
    struct stmt *s;
    bool row = true;
    if (!present(env, p->db)) return present(env, p->key) || present(env, p->recovery);
    bool opened = keyslot_open(env, &(struct keyfile){.path = p->key}, passphrase, &ring, NULL) == ERR_OK;
    struct secret key = keyring_data_key(&ring);
    if (opened && db_open(&db, env, p->db, &key, NULL) == ERR_OK &&
        db_prepare(db, "SELECT 1 FROM h_state WHERE name = 'name'", &s, NULL) == ERR_OK) {
        if (db_step(s, &row, NULL) != ERR_OK) row = true;
        db_done(s);
    }
    db_close(db);
    keyring_release(&ring);
    return row;
}

static enum err check_name(const char *name, struct why *why)
{
    struct bytes n = bytes_of_str(name);
    if (n.n == 0 || n.n >= sizeof((struct hub *)NULL)->name || !log_name_is_good(n))
        return why_set(why, ERR_USAGE, "A hub's name has 1 to 127 bytes, on one line.");
    return ERR_OK;
}

enum err hub_init(const struct env *env, const char *home, const char *name, struct bytes passphrase, struct why *why)
{
    struct home p;
    struct keyring store = {0}, rescue = {0};
    struct db *db = NULL;
    enum err e = check_name(name, why);
    if (e == ERR_OK) e = home_paths(&p, home, why);
    if (e == ERR_OK) e = env->make_dir(env->ctx, home, why);
    if (e != ERR_OK) return e;
    if (taken(env, &p, passphrase)) {
        (void)why_set(why, ERR_EXISTS, "There is a hub in this folder already.");
        return why_next(
            why, ERR_EXISTS,
            "Use it, or choose another folder with --home. If an earlier try was cut off, move its files away.");
    }
    e = remove_all(env, &p, why);
    if (e == ERR_OK) e = keyslot_create(env, &(struct keyfile){.path = p.recovery}, passphrase, &rescue, why);
    if (e == ERR_OK) e = keyslot_create(env, &(struct keyfile){.path = p.key}, passphrase, &store, why);
    struct secret key = keyring_data_key(&store), recovery = keyring_data_key(&rescue);
    if (e == ERR_OK) e = create_store(env, &p, &key, why);
    if (e == ERR_OK) e = db_open(&db, env, p.db, &key, why);
    if (e == ERR_OK) e = later_bring(db, why);
    if (e == ERR_OK) e = fill(db, env, name, &recovery, why);
    db_close(db);
    keyring_release(&store);
    keyring_release(&rescue);
    if (e != ERR_OK) (void)remove_all(env, &p, NULL);
    return e;
}

/* -------------------------------------------------------------------------------------------------- opening one */

static enum err load_state(struct hub *h, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db,
                            "SELECT (SELECT value FROM secret_state WHERE name = 'identity'), "
                            "(SELECT value FROM h_state WHERE name = 'recovery_pk'), "
                            "(SELECT value FROM h_state WHERE name = 'name')",
                            &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &row, why);
    if (e != ERR_OK) goto out;
    struct bytes recovery = db_bytes(s, 1), name = db_bytes(s, 2);
    if (name.n == 0) {
        (void)why_set(why, ERR_UNINIT, "This hub was never finished: making it was cut off.");
        e = why_next(why, ERR_UNINIT, "Run spoke-hub init again with the same folder.");
        goto out;
    }
    if (recovery.n != sizeof h->recovery_pk || name.n >= sizeof h->name) {
        e = why_set(why, ERR_TAMPERED, "What this hub stored about itself is damaged.");
        goto out;
    }
    memcpy(h->recovery_pk, recovery.p, recovery.n);
    memcpy(h->name, name.p, name.n);
    struct identity_secret id = {0};
    e = identity_secret_from_bytes(&id, db_bytes(s, 0), why);
    if (e != ERR_OK) goto out;
    if (h->id.keys.p != NULL && memcmp(h->id.pub.kid, id.pub.kid, KID_BYTES) != 0) {
        e = why_set(why, ERR_TAMPERED, "In this folder is now the store of another hub.");
        identity_release(&id);
        goto out;
    }
    identity_release(&h->id);
    h->id = id;
out:
    db_done(s);
    return e;
}

static enum err load_counters(struct hub *h, struct why *why)
{
    int64_t epoch = 0;
    enum err e = get_counter(h->db, "epoch", &epoch, why);
    if (e == ERR_OK) e = get_counter(h->db, "version", &h->version, why);
    h->epoch = (uint64_t)epoch;
    return e;
}

/* A hub that was made before there were logs: they begin here. */
static enum err begin_logs(struct hub *h, struct why *why)
{
    struct stmt *s;
    bool there = false;
    enum err e = db_prepare(h->db, "SELECT 1 FROM sqlite_schema WHERE name = 'h_log'", &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &there, why);
    db_done(s);
    if (e != ERR_OK || there) return e;
    e = db_begin(h->db, why);
    if (e != ERR_OK) return e;
    e = db_exec(h->db, hub_log_sql, why);
    if (e == ERR_OK)
        e = db_exec(h->db,
                    "INSERT INTO h_log_from(node_no, older) SELECT node_no, count(*) FROM h_envelope GROUP BY node_no "
                    "UNION ALL SELECT 0, count(*) FROM h_act",
                    why);
    if (e == ERR_OK) return db_commit(h->db, why);
    db_rollback(h->db);
    return e;
}

/* The hub leads: its store has the version of its program from the moment that the program opens it. */
static enum err lead(struct hub *h, struct why *why)
{
    int64_t schema = 0;
    enum err e = get_counter(h->db, "schema", &schema, why);
    if (e == ERR_OK) e = db_set_schema(h->db, schema <= 0 ? 1 : (uint64_t)schema, why);
    if (e != ERR_OK || db_schema(h->db) == rules_schema_newest()) return e;
    e = db_begin(h->db, why);
    if (e == ERR_OK) e = bring_up(h->db, why);
    if (e == ERR_OK) return db_commit(h->db, why);
    db_rollback(h->db);
    return e;
}

/* Everything that a hub knows from its store. */
static enum err open_store(struct hub *h, struct why *why)
{
    struct secret key = keyring_data_key(&h->keys);
    enum err e = db_open(&h->db, h->env, h->store, &key, why);
    if (e == ERR_OK) e = load_state(h, why);
    if (e == ERR_OK) e = lead(h, why);
    if (e == ERR_OK) e = begin_logs(h, why);
    if (e == ERR_OK) e = later_bring(h->db, why);
    if (e == ERR_OK) e = load_counters(h, why);
    if (e == ERR_OK) e = sight_new(&h->sight, why);
    if (e == ERR_OK) e = policy_change_load(h, why);
    return e;
}

void hub_pause(struct hub *h)
{
    sight_free(h->sight);
    h->sight = NULL;
    db_close(h->db);
    h->db = NULL;
    h->policy_seen = -1; /* its views were those of that connection */
    h->policy_phase = POLICY_STANDS;
    h->policy_moved = false;
}

enum err hub_resume(struct hub *h, struct why *why)
{
    enum err e = open_store(h, why);
    if (e != ERR_OK) hub_pause(h);
    return e;
}

enum err hub_open_in_turn(struct hub **out, const struct env *env, const char *home, struct bytes passphrase,
                          hub_turn_fn turn, void *ctx, struct why *why)
{
    struct home p;
    struct hub_clock clock = {0};
    struct hub *h = calloc(1, sizeof *h);
    if (h == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to open the hub.");
    h->env = env;
    h->policy_seen = -1;
    enum err e = home_paths(&p, home, why);
    if (e == ERR_OK && (h->store = strdup(p.db)) == NULL)
        e = why_set(why, ERR_NOMEM, "There is not enough memory to open the hub.");
    if (e == ERR_OK) e = keyslot_open(env, &(struct keyfile){.path = p.key}, passphrase, &h->keys, why);
    if (e == ERR_OK && turn != NULL) e = turn(ctx, &clock, why);
    hub_clock_set(h, &clock);
    if (e == ERR_OK) e = open_store(h, why);
    if (e == ERR_OK)
        *out = h;
    else
        hub_close(h);
    return e;
}

enum err hub_open(struct hub **out, const struct env *env, const char *home, struct bytes passphrase, struct why *why)
{
    return hub_open_in_turn(out, env, home, passphrase, NULL, NULL, why);
}

void hub_close(struct hub *h)
{
    if (h == NULL) return;
    hub_pause(h);
    identity_release(&h->id);
    keyring_release(&h->keys);
    free(h->store);
    free(h);
}

struct db *hub_db(struct hub *h)
{
    return h->db;
}

const struct identity *hub_identity(const struct hub *h)
{
    return &h->id.pub;
}

const char *hub_name(const struct hub *h)
{
    return h->name;
}

/* ------------------------------------------------------------------------------------------------- transactions */

enum err hub_begin(struct hub *h, struct why *why)
{
    enum err e = h->sight == NULL ? sight_new(&h->sight, why) : ERR_OK;
    if (e == ERR_OK) e = db_begin(h->db, why);
    if (e != ERR_OK) return e;
    h->now_ms = env_now(h->env);
    h->moved = false;
    e = sight_sweep(h, why);
    if (e != ERR_OK) hub_abort(h);
    return e;
}

enum err hub_commit(struct hub *h, struct why *why)
{
    enum err e = put_counter(h->db, "version", h->version, why);
    if (e == ERR_OK) e = step_time_note(h, why);
    if (e == ERR_OK) e = log_heads(h, why);
    if (e == ERR_OK) e = db_commit(h->db, why);
    if (e != ERR_OK)
        hub_abort(h);
    else
        h->policy_moved = false;
    return e;
}

void hub_abort(struct hub *h)
{
    int64_t version = h->version;
    db_rollback(h->db);
    /* Should even this read fail, a number too high only leaves a gap in the order. */
    if (get_counter(h->db, "version", &version, NULL) == ERR_OK) h->version = version;
    h->moved = false;
    policy_change_forget(h);
    sight_free(h->sight);
    h->sight = NULL; /* hub_begin makes a new one */
}
