/* The hub's home: keys, store, transactions. HOME holds three files:
 *   hub.key       wraps the key of the store under the administrators' passphrase
 *   hub.db        the store; the hub's own keys lie in it. Or, in its place, `store`: the address of the PostgreSQL
 * database
 *                 that holds the store (hub/STORE.md)
 *   recovery.key  wraps the X25519 secret to which nodes seal what the hub acknowledged; only needed to rebuild a lost
 *                 hub, so it belongs on another machine: here it is of use to whoever steals this one. */
#include "hub/admins.h"
#include "hub/kept.h"
#include "hub/later.h"
#include "hub/log.h"
#include "hub/move.h"
#include "hub/policy_change.h"
#include "hub/redo.h"
#include "hub/restore_internal.h"
#include "hub/row_cache.h"
#include "hub/sight.h"
#include "hub/store.h"
#include "hub/tell.h"

#include "crypto/keyslot.h"
#include "hub/log_sql.h"
#include "sync/bundle.h"
#include "sync/db_postgres.h"

#include <stdlib.h>
#include <string.h>

/* Up to the version of this program, within the running transaction. */
static enum err bring_up(struct db *db, struct why *why)
{
    enum err e = db_migrate(db, rules_schema_newest(), why);
    return e == ERR_OK ? store_put_counter(db, "schema", (int64_t)rules_schema_newest(), why) : e;
}

/* -------------------------------------------------------------------------------------------------- opening one */

static enum err load_identity(struct hub *h, struct why *why)
{
    struct identity_secret id = {0};
    struct secret bytes = {0}, key = keyring_data_key(&h->keys);
    enum err e = store_secret_get(h->db, &key, "identity", &bytes, why);
    if (e == ERR_OK) e = identity_secret_from_bytes(&id, bytes_of(bytes.p, bytes.n), why);
    secret_release(&bytes);
    if (e != ERR_OK) return e;
    if (h->id.keys.p != NULL && memcmp(h->id.pub.kid, id.pub.kid, KID_BYTES) != 0) {
        identity_release(&id);
        return why_set(why, ERR_TAMPERED, "In this folder is now the store of another hub.");
    }
    identity_release(&h->id);
    h->id = id;
    return ERR_OK;
}

static enum err load_state(struct hub *h, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db,
                            "SELECT (SELECT value FROM h_state WHERE name = 'recovery_pk'), "
                            "(SELECT value FROM h_state WHERE name = 'name')",
                            &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &row, why);
    if (e != ERR_OK) goto out;
    struct bytes recovery = db_bytes(s, 0), name = db_bytes(s, 1);
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
    h->name[name.n] = '\0';
out:
    db_done(s);
    return e == ERR_OK ? load_identity(h, why) : e;
}

static enum err load_counters(struct hub *h, struct why *why)
{
    int64_t epoch = 0;
    enum err e = store_get_counter(h->db, "epoch", &epoch, why);
    if (e == ERR_OK) e = store_get_counter(h->db, "version", &h->version, why);
    h->epoch = (uint64_t)epoch;
    return e;
}

/* A hub that was made before there were logs: they begin here. No such hub was ever on PostgreSQL. */
static enum err begin_logs(struct hub *h, struct why *why)
{
    struct stmt *s;
    bool there = false;
    if (db_is_postgres(h->db)) return ERR_OK;
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
    enum err e = store_get_counter(h->db, "schema", &schema, why);
    if (e == ERR_OK) e = db_set_schema(h->db, schema <= 0 ? 1 : (uint64_t)schema, why);
    if (e != ERR_OK || db_schema(h->db) == rules_schema_newest()) return e;
    e = db_begin(h->db, why);
    if (e == ERR_OK) e = bring_up(h->db, why);
    if (e == ERR_OK) return db_commit(h->db, why);
    db_rollback(h->db);
    return e;
}

/* Tables of a later program. With them what notes their rows for a journal, so that nobody finds one without. */
static enum err bring_later(struct hub *h, struct why *why)
{
    enum err e = db_begin(h->db, why);
    if (e != ERR_OK) return e;
    e = later_bring_here(h->db, why);
    if (e == ERR_OK) e = redo_lay(h->db, true, why);
    if (e == ERR_OK) return db_commit(h->db, why);
    db_rollback(h->db);
    return e;
}

/* Everything that a hub knows from its store. */
static enum err open_store(struct hub *h, struct why *why)
{
    struct secret key = keyring_data_key(&h->keys);
    enum err e = store_open(&h->db, h->env, h->store, &key, why);
    if (e == ERR_OK) e = move_check(h->db, why);
    if (e == ERR_OK) e = redo_open(h, why);
    if (e == ERR_OK) e = load_state(h, why);
    if (e == ERR_OK) h->generation = db_generation(h->db);
    if (e == ERR_OK) e = lead(h, why);
    if (e == ERR_OK) e = begin_logs(h, why);
    if (e == ERR_OK) e = bring_later(h, why);
    if (e == ERR_OK) e = redo_again(h, why);
    if (e == ERR_OK) e = kept_begin(h->db, why);
    if (e == ERR_OK) e = load_counters(h, why);
    if (e == ERR_OK) e = sight_new(&h->sight, why);
    if (e == ERR_OK) h->rows = row_cache_new();
    if (e == ERR_OK) e = policy_change_load(h, why);
    if (e == ERR_OK) e = admins_known(h, why);
    return e;
}

void hub_pause(struct hub *h)
{
    sight_free(h->sight);
    h->sight = NULL;
    row_cache_free(h->rows);
    h->rows = NULL;
    free(h->tails); /* db_era counts anew in the next store */
    h->tails = NULL;
    redo_close(h);
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

/* Whoever begins to serve need not end because somebody else is at work: that passes. What `turn` says does not. */
static enum err open_when_free(struct hub *h, const struct hub_opening *how, struct why *why)
{
    struct hub_clock clock = {0};
    enum err e = ERR_BUSY;
    do {
        enum err turn = how != NULL && how->turn != NULL ? how->turn(how->ctx, &clock, why) : ERR_OK;
        hub_clock_set(h, &clock);
        if (turn != ERR_OK) return turn;
        e = open_store(h, why);
        if (e == ERR_BUSY) hub_pause(h);
    } while (e == ERR_BUSY && how != NULL && how->again != NULL && how->again(how->again_ctx));
    return e;
}

enum err hub_open_at(struct hub **out, const struct env *env, const struct hub_place *at, struct bytes passphrase,
                     const struct hub_opening *how, struct why *why)
{
    struct store_place p = {0};
    struct hub *h = calloc(1, sizeof *h);
    if (h == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to open the hub.");
    h->env = env;
    h->policy_seen = -1;
    enum err e = store_find(&p, env, at, why);
    h->shared = p.shared;
    if (e == ERR_OK && ((h->store = strdup(p.store)) == NULL || (h->keyfile = strdup(p.key)) == NULL))
        e = why_set(why, ERR_NOMEM, "There is not enough memory to open the hub.");
    if (e == ERR_OK) e = keyslot_open(env, &(struct keyfile){.path = p.key}, passphrase, &h->keys, why);
    if (e == ERR_OK) e = open_when_free(h, how, why);
    if (e == ERR_OK)
        *out = h;
    else
        hub_close(h);
    return e;
}

enum err hub_open_in_turn(struct hub **out, const struct env *env, const char *home, struct bytes passphrase,
                          hub_turn_fn turn, void *ctx, struct why *why)
{
    return hub_open_at(out, env, &(struct hub_place){.home = home}, passphrase, &(struct hub_opening){.turn = turn, .ctx = ctx}, why);
}

enum err hub_open(struct hub **out, const struct env *env, const char *home, struct bytes passphrase, struct why *why)
{
    return hub_open_at(out, env, &(struct hub_place){.home = home}, passphrase, NULL, why);
}

enum err hub_open_beside(const struct hub *h, struct db **out, struct why *why)
{
    if (!h->shared) return why_set(why, ERR_FAILED, "This hub's store can be open only once.");
    return db_open_postgres(out, h->env, h->store, NULL, why);
}

bool hub_has_moved(const struct hub *h)
{
    return h->moved_away;
}

bool hub_is_shared(const struct hub *h)
{
    return h->shared;
}

enum err hub_place_store(const struct env *env, const struct hub_place *at, struct buf *out_url, struct why *why)
{
    struct store_place p;
    enum err e = store_find(&p, env, at, why);
    if (e == ERR_OK && p.shared) buf_put_str(out_url, p.store);
    return e == ERR_OK && out_url->err != ERR_OK ? why_set(why, out_url->err, "There is not enough memory.") : e;
}

void hub_close(struct hub *h)
{
    if (h == NULL) return;
    hub_pause(h);
    bundle_reader_free(h->reader);
    bundle_writer_free(h->writer);
    identity_release(&h->id);
    secret_release(&h->note_key);
    keyring_release(&h->keys);
    free(h->store);
    free(h->keyfile);
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

/* A program of a later version was here, on another machine. */
static enum err must_know_schema(struct hub *h, int64_t schema, struct why *why)
{
    if (schema <= 0 || (uint64_t)schema == db_schema(h->db)) return ERR_OK;
    if ((uint64_t)schema <= rules_schema_newest()) return db_set_schema(h->db, (uint64_t)schema, why);
    (void)why_set(why, ERR_VERSION, "This hub's store was brought up to date by a newer version of Spoke than this one.");
    return why_next(why, ERR_VERSION, "Nothing was changed. Update Spoke on this machine too, and start it again.");
}

/* What this process knows of the store may be another's past: all of it is read anew (hub/STORE.md). */
static enum err look_again(struct hub *h, struct why *why)
{
    struct stmt *s;
    bool row = false;
    int64_t schema = 0, epoch = 0, version = 0, moved = 0, erased = 0;
    sight_forget(h);
    enum err e = db_prepare(h->db, "SELECT name, value FROM h_counter WHERE name IN ('version', 'epoch', 'schema', "
                            "'moved', 'erased') UNION ALL SELECT 'acts', coalesce(max(no), 0) FROM h_act",
                            &s, why);
    if (e != ERR_OK) return e;
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        struct bytes name = db_bytes(s, 0);
        int64_t *to = bytes_equal(name, bytes_of_str("version"))  ? &version
                      : bytes_equal(name, bytes_of_str("epoch"))  ? &epoch
                      : bytes_equal(name, bytes_of_str("moved"))  ? &moved
                      : bytes_equal(name, bytes_of_str("erased")) ? &erased
                      : bytes_equal(name, bytes_of_str("acts"))   ? &h->begun_act
                                                                  : &schema;
        *to = db_int(s, 1);
    }
    db_done(s);
    if (e == ERR_OK && moved != 0) {
        h->moved_away = true; /* ERR_BUSY: whoever is answered shall come again, and then meets the new one */
        e = move_check(h->db, why) == ERR_DENIED ? ERR_BUSY : ERR_IO;
    }
    if (e == ERR_OK) e = must_know_schema(h, schema, why);
    if (e != ERR_OK) return e;
    bool other = h->generation != db_generation(h->db); /* its views went with the connection */
    if (other) h->policy_seen = -1;
    /* Another server may have taken over that did not have the newest steps yet, or the store was put back: what
     * follows gives their numbers anew. */
    if (other || version < h->version || erased != h->erased || (epoch != 0 && (uint64_t)epoch != h->epoch))
        row_cache_forget(h->rows);
    h->erased = erased;
    h->version = version;
    if (epoch != 0) h->epoch = (uint64_t)epoch; /* 0: of a hub that is being made */
    h->generation = db_generation(h->db);
    return ERR_OK;
}

static enum err last_act(struct hub *h, int64_t *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db, "SELECT coalesce(max(no), 0) FROM h_act", &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) *out = db_int(s, 0);
    db_done(s);
    return e;
}

enum err hub_begin(struct hub *h, struct why *why)
{
    enum err e = h->sight == NULL ? sight_new(&h->sight, why) : ERR_OK;
    if (e == ERR_OK) e = db_begin(h->db, why);
    if (e != ERR_OK) return e;
    h->now_ms = env_now(h->env);
    h->moved = h->routine = h->follows = false;
    h->returned = 0;
    memset(h->verdicts, 0, sizeof h->verdicts);
    e = db_is_postgres(h->db) ? look_again(h, why) : last_act(h, &h->begun_act, why);
    h->begun = h->version;
    if (e == ERR_OK) e = restore_look(h, why);
    if (e == ERR_OK) e = h->gathering ? policy_change_load(h, why) : sight_sweep(h, why);
    if (e != ERR_OK) hub_abort(h);
    return e;
}

enum err hub_commit(struct hub *h, struct why *why)
{
    enum err e = restore_follow_due(h, why);
    if (e == ERR_OK) e = store_put_counter(h->db, "version", h->version, why);
    if (e == ERR_OK) e = step_time_note(h, why);
    if (e == ERR_OK) e = log_heads(h, why);
    if (e == ERR_OK) e = tell_moved(h, why);
    if (e == ERR_OK) e = db_commit(h->db, why);
    if (e != ERR_OK)
        hub_abort(h);
    else
        h->policy_moved = h->routine = false;
    return e;
}

void hub_abort(struct hub *h)
{
    int64_t version = h->version;
    db_rollback(h->db);
    /* Should even this read fail, a number too high only leaves a gap in the order. */
    if (store_get_counter(h->db, "version", &version, NULL) == ERR_OK) {
        h->version = version;
    } else {
        row_cache_free(h->rows); /* what is certain is not known any more */
        h->rows = NULL;
    }
    h->moved = h->routine = h->follows = false;
    policy_change_forget(h);
    sight_free(h->sight);
    h->sight = NULL; /* hub_begin makes a new one */
}
