/* A hub from a backup: the store, its next epoch, and what the recovery key signs of it. */
#include "hub/log.h"
#include "hub/people.h"
#include "hub/restore_internal.h"

#include "crypto/keyslot.h"
#include "crypto/recovery.h"
#include "crypto/seal.h"
#include "hub/move.h"
#include "hub/redo_apply.h"
#include "hub/sight.h"
#include "hub/store.h"
#include "sync/db_postgres.h"
#include "sync/messages_return.h"

#include <stdlib.h>
#include <string.h>

#define BACKUP_MAX   ((size_t)64 << 30)
#define KEY_FILE_MAX (64u << 10)

struct restoring {
    const struct env *env;
    const struct hub_restore *r;
    struct buf file;      /* the backup as it lies there */
    struct buf key_file;  /* recovery.key */
    struct secret secret; /* of it */
    struct identity_secret recovery;
    struct seal_reader *in;
    struct seal_header head;
    struct bytes left; /* of the frame that was read last */
    int64_t at_ms;
    bool ended;
    struct redo_applied journal;
};

static enum err source_read(void *ctx, uint8_t *out, size_t n, size_t *out_got, struct why *why)
{
    struct restoring *x = ctx;
    *out_got = 0;
    while (n > 0) {
        if (x->left.n == 0) {
            if (x->ended) break;
            enum err e = seal_read(x->in, &x->left, &x->ended, why);
            if (e != ERR_OK) return e;
            continue;
        }
        size_t k = n < x->left.n ? n : x->left.n;
        memcpy(out, x->left.p, k);
        x->left = bytes_of(x->left.p + k, x->left.n - k);
        out += k;
        n -= k;
        *out_got += k;
    }
    return ERR_OK;
}

static enum err open_recovery(struct restoring *x, struct why *why)
{
    struct keyring ring = {0};
    enum err e = keyslot_open(x->env, &(struct keyfile){.path = x->r->recovery}, x->r->recovery_passphrase, &ring, why);
    struct secret key = keyring_data_key(&ring);
    if (e == ERR_OK) e = secret_new(&x->secret, RECOVERY_BYTES, why);
    if (e == ERR_OK) memcpy(x->secret.p, key.p, RECOVERY_BYTES);
    if (e == ERR_OK) e = recovery_open(&x->secret, &x->recovery, why);
    if (e == ERR_OK) e = x->env->read_file(x->env->ctx, x->r->recovery, KEY_FILE_MAX, &x->key_file, why);
    keyring_release(&ring);
    return e;
}

static enum err open_backup(struct restoring *x, struct why *why)
{
    uint8_t binding[32], at[8];
    struct seal_header head;
    size_t got = 0;
    enum err e = x->env->read_file(x->env->ctx, x->r->backup, BACKUP_MAX, &x->file, why);
    if (e == ERR_OK) e = seal_peek(buf_bytes(&x->file), &head, why);
    if (e == ERR_OK && head.kind != BACKUP_KIND) e = why_set(why, ERR_FORMAT, "This file is no backup of a hub.");
    if (e == ERR_OK && memcmp(head.recipient, x->recovery.pub.kid, KID_BYTES) != 0) {
        (void)why_set(why, ERR_REFUSED, "This backup was sealed to another recovery key.");
        e = why_next(why, ERR_REFUSED, "Use the recovery.key of the hub that made it.");
    }
    if (e == ERR_OK) e = seal_reader_new(&x->in, buf_bytes(&x->file), &x->recovery, &x->head, binding, why);
    if (e == ERR_OK) e = source_read(x, at, sizeof at, &got, why);
    if (e == ERR_OK && got != sizeof at) e = why_set(why, ERR_TAMPERED, "This backup is damaged.");
    for (size_t i = 0; e == ERR_OK && i < 8; i++) x->at_ms = (int64_t)((uint64_t)x->at_ms << 8 | at[i]);
    return e;
}

/* To its end, so that every frame was authenticated. */
static enum err load(struct restoring *x, struct db *db, const struct secret *key, struct why *why)
{
    struct dump_source source = {.ctx = x, .read = source_read};
    struct dump_keeper keeper = move_keeper(db, key);
    struct dump_sum sum;
    uint8_t more;
    size_t got = 0;
    enum err e = dump_read(x->env, db, &keeper, &source, &sum, why);
    if (e == ERR_OK) e = source_read(x, &more, 1, &got, why);
    if (e == ERR_OK && got > 0) e = why_set(why, ERR_TAMPERED, "This backup goes on after its end.");
    return e;
}

/* Who signed the journal is who made the backup. */
static enum err load_journal(struct restoring *x, struct db *db, const struct secret *key, struct why *why)
{
    struct secret bytes = {0};
    struct identity_secret hub = {0};
    if (x->r->journal == NULL) return ERR_OK;
    enum err e = store_secret_get(db, key, "identity", &bytes, why);
    if (e == ERR_OK) e = identity_secret_from_bytes(&hub, bytes_of(bytes.p, bytes.n), why);
    const struct redo_source from = {.env = x->env,
                                     .dir = x->r->journal,
                                     .hub = &hub.pub,
                                     .recovery = &x->recovery,
                                     .key = key,
                                     .until_damage = x->r->until_damage};
    if (e == ERR_OK) e = redo_apply(db, &from, &x->journal, why);
    secret_release(&bytes);
    identity_release(&hub);
    return e;
}

/* --------------------------------------------------------------------------------------------------- the next epoch */

static enum err put_statement(struct hub *h, const struct restoring *x, struct epoch_statement *m, int64_t log_no,
                              struct why *why)
{
    uint8_t key[RECOVERY_BYTES], signature[RECOVERY_SIGNATURE];
    struct merkle_frontier f = {0};
    struct buf body;
    struct stmt *s;
    buf_init(&body, 4096);
    enum err e = log_frontier(h, log_no, &f, why);
    if (e == ERR_NOTFOUND) e = ERR_OK; /* nothing was written to it yet */
    m->size = f.size;
    memset(m->root, 0, sizeof m->root);
    if (e == ERR_OK) merkle_root(&f, m->root);
    message_put_statement(&body, m);
    if (e == ERR_OK && body.err != ERR_OK)
        e = why_set(why, body.err, "There is not enough memory to put this hub back.");
    if (e == ERR_OK) e = recovery_sign(&x->secret, buf_bytes(&body), key, signature, why);
    if (e == ERR_OK)
        e = db_prepare(h->db, "INSERT INTO h_statement(log_no, body, pk, signature) VALUES($1, $2, $3, $4)", &s, why);
    if (e == ERR_OK) {
        db_bind_int(s, 1, log_no);
        db_bind_blob(s, 2, buf_bytes(&body));
        db_bind_blob(s, 3, bytes_of(key, sizeof key));
        db_bind_blob(s, 4, bytes_of(signature, sizeof signature));
        e = db_run(s, why);
    }
    buf_release(&body);
    return e;
}

static enum err put_statements(struct hub *h, const struct restoring *x, struct epoch_statement *m, struct why *why)
{
    struct stmt *s;
    bool row = true;
    enum err e = put_statement(h, x, m, LOG_HUB, why);
    if (e == ERR_OK) e = db_prepare(h->db, "SELECT no, kid FROM h_node ORDER BY no", &s, why);
    if (e != ERR_OK) return e;
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        if (!db_id(s, 1, m->device)) continue;
        e = put_statement(h, x, m, db_int(s, 0), why);
        if (e != ERR_OK) break;
    }
    db_done(s);
    return e;
}

/* Answers of before say nothing any more: each device begins with its next request. The new key file has one
 * administrator, who names the others anew. */
static const char begin_sql[] =
    "DELETE FROM h_statement; DELETE FROM h_awaited; DELETE FROM h_returned; DELETE FROM h_sealed; DELETE FROM h_outcome; DELETE FROM h_cut_back;"
    "DELETE FROM h_holds; DELETE FROM h_return_load; DELETE FROM h_answer; DELETE FROM h_held_rows; DELETE FROM h_admin; UPDATE h_epoch SET secret = NULL;"
    "DELETE FROM h_redo_state; DELETE FROM h_redo; DELETE FROM h_redo_part; DELETE FROM h_redo_backup;"
    "DELETE FROM h_state WHERE name = 'journal_at';"
    "INSERT INTO h_awaited(node_no, state, chain) SELECT no, 'missing', last_seq FROM h_node;";

static enum err put_epoch(struct hub *h, const struct restoring *x, uint64_t epoch, struct why *why)
{
    struct buf sealed;
    struct stmt *s;
    buf_init(&sealed, 4096);
    enum err e = seal_box(bytes_of(x->secret.p, x->secret.n), h->id.pub.box_pk, &sealed, why);
    if (e == ERR_OK)
        e = db_prepare(
            h->db,
            "INSERT INTO h_epoch(epoch, at, backup_at, version, state, secret) VALUES($1, $2, $3, $4, 'gathering', $5)",
            &s, why);
    if (e == ERR_OK) {
        db_bind_int(s, 1, (int64_t)epoch);
        db_bind_int(s, 2, h->now_ms);
        db_bind_int(s, 3, x->at_ms);
        db_bind_int(s, 4, h->version);
        db_bind_blob(s, 5, buf_bytes(&sealed));
        e = db_run(s, why);
    }
    buf_release(&sealed);
    if (e == ERR_OK) e = db_prepare(h->db, "UPDATE h_counter SET value = $1 WHERE name = 'epoch'", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, (int64_t)epoch);
    return db_run(s, why);
}

static enum err put_journal_at(struct hub *h, const struct restoring *x, struct why *why)
{
    uint8_t be[8];
    struct stmt *s;
    if (x->journal.at_ms == 0) return ERR_OK;
    for (int i = 0; i < 8; i++) be[i] = (uint8_t)((uint64_t)x->journal.at_ms >> (56 - 8 * i));
    enum err e = db_prepare(h->db, "INSERT INTO h_state(name, value) VALUES('journal_at', $1)", &s, why);
    if (e != ERR_OK) return e;
    db_bind_blob(s, 1, bytes_of(be, sizeof be));
    return db_run(s, why);
}

static enum err read_hub(struct hub *h, const struct secret *key, struct why *why)
{
    struct secret identity = {0};
    struct stmt *s;
    bool row = false;
    int64_t epoch = 0;
    enum err e = store_secret_get(h->db, key, "identity", &identity, why);
    if (e == ERR_OK) e = identity_secret_from_bytes(&h->id, bytes_of(identity.p, identity.n), why);
    secret_release(&identity);
    if (e == ERR_OK) e = store_get_counter(h->db, "epoch", &epoch, why);
    if (e == ERR_OK) e = store_get_counter(h->db, "version", &h->version, why);
    if (e == ERR_OK) e = db_prepare(h->db, "SELECT value FROM h_state WHERE name = 'recovery_pk'", &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &row, why);
    if (e == ERR_OK && (!row || db_bytes(s, 0).n != sizeof h->recovery_pk))
        e = why_set(why, ERR_TAMPERED, "This backup is damaged.");
    if (e == ERR_OK) memcpy(h->recovery_pk, db_bytes(s, 0).p, sizeof h->recovery_pk);
    db_done(s);
    h->epoch = (uint64_t)epoch;
    return e;
}

/* No two restores of one backup may begin the same epoch: devices that followed one must not take the other for it.
 * Seconds are further on than any count of epochs. */
static enum err begin_epoch(struct hub *h, const struct restoring *x, struct why *why)
{
    const uint64_t now = h->now_ms < 0 ? 0 : (uint64_t)h->now_ms;
    struct epoch_statement m = {.before = h->epoch, .epoch = now / 1000, .at_ms = now};
    if (m.epoch <= h->epoch) m.epoch = h->epoch + 1;
    memcpy(m.hub, h->id.pub.kid, KID_BYTES);
    if (memcmp(x->head.sender, m.hub, KID_BYTES) != 0 ||
        memcmp(h->recovery_pk, x->recovery.pub.box_pk, sizeof h->recovery_pk) != 0)
        return why_set(why, ERR_TAMPERED, "This backup is not of the hub that it says.");
    enum err e = db_exec(h->db, begin_sql, why);
    if (e == ERR_OK) e = put_statements(h, x, &m, why);
    if (e == ERR_OK) e = put_epoch(h, x, m.epoch, why);
    if (e == ERR_OK) e = put_journal_at(h, x, why);
    if (e == ERR_OK)
        e = people_act(h, "restore", NULL,
                       x->journal.at_ms != 0
                           ? "This hub was put back from a backup and its journal. Acts that the journal did not have yet are not known here."
                           : "This hub was put back from a backup. Acts since then are not known here.",
                       why);
    return e == ERR_OK ? log_heads(h, why) : e;
}

/* All in one transaction: there is never a store that could be taken for the hub of before. */
static enum err fill(struct restoring *x, struct db *db, const struct secret *key, struct why *why)
{
    struct hub h = {.env = x->env, .db = db, .now_ms = env_now(x->env), .policy_seen = -1};
    enum err e = db_begin(db, why);
    if (e != ERR_OK) return e;
    e = load(x, db, key, why);
    if (e == ERR_OK) e = load_journal(x, db, key, why);
    if (e == ERR_OK) e = move_lay_policy(db, why);
    if (e == ERR_OK) e = read_hub(&h, key, why);
    if (e == ERR_OK) e = begin_epoch(&h, x, why);
    free(h.tails);
    identity_release(&h.id);
    if (e == ERR_OK) return db_commit(db, why);
    db_rollback(db);
    return e;
}

static bool present(const struct env *env, const char *path)
{
    uint64_t size;
    return env->file_size(env->ctx, path, &size, NULL) != ERR_NOTFOUND;
}

static enum err remove_made(const struct env *env, const struct store_place *p, bool store, struct why *why)
{
    enum err e = store && p->shared ? db_drop_postgres(env, p->store, NULL, why) : ERR_OK;
    if (e == ERR_OK) e = env->remove_file(env->ctx, p->db, why);
    if (e == ERR_OK) e = env->remove_file(env->ctx, p->wal, why);
    if (e == ERR_OK) e = env->remove_file(env->ctx, p->key, why);
    if (e == ERR_OK) e = env->remove_file(env->ctx, p->recovery, why);
    return e == ERR_OK ? env->remove_file(env->ctx, p->at, why) : e;
}

static enum err make(struct restoring *x, const struct store_place *p, struct why *why)
{
    const struct env *env = x->env;
    struct keyring ring = {0};
    struct db *db = NULL;
    bool store = false;
    enum err e = keyslot_create(env, &(struct keyfile){.path = p->key}, x->r->passphrase, &ring, why);
    struct secret key = keyring_data_key(&ring);
    if (e == ERR_OK) e = env->write_file(env->ctx, p->recovery, buf_bytes(&x->key_file), why);
    if (e == ERR_OK) e = store_make(env, p->store, &key, why);
    store = e == ERR_OK;
    if (e == ERR_OK) e = store_open(&db, env, p->store, &key, why);
    if (e == ERR_OK) e = db_set_schema(db, rules_schema_newest(), why);
    if (e == ERR_OK) e = fill(x, db, &key, why);
    if (e == ERR_OK) e = store_remember(p, env, why);
    db_close(db);
    keyring_release(&ring);
    if (e != ERR_OK) (void)remove_made(env, p, store, NULL);
    return e;
}

static enum err make_in_home(struct restoring *x, struct why *why)
{
    struct store_place p;
    enum err e = store_find(&p, x->env, &(struct hub_place){.home = x->r->home, .store = x->r->store}, why);
    if (e == ERR_OK) e = x->env->make_dir(x->env->ctx, x->r->home, why);
    if (e != ERR_OK) return e;
    if (present(x->env, p.key) || present(x->env, p.db) || present(x->env, p.recovery) || present(x->env, p.at)) {
        (void)why_set(why, ERR_EXISTS,
                      "There is a hub in this folder already, or what is left of one. Nothing was changed.");
        return why_next(why, ERR_EXISTS, "Choose an empty folder with --home.");
    }
    return make(x, &p, why);
}

enum err hub_restore(const struct env *env, const struct hub_restore *r, struct why *why)
{
    struct restoring x = {.env = env, .r = r};
    buf_init(&x.file, BACKUP_MAX);
    buf_init(&x.key_file, KEY_FILE_MAX);
    enum err e = open_recovery(&x, why);
    if (e == ERR_OK) e = open_backup(&x, why);
    if (e == ERR_OK) e = make_in_home(&x, why);
    if (e == ERR_OK && r->told != NULL)
        *r->told = (struct hub_restored){
            .transactions = x.journal.transactions, .until_ms = x.journal.at_ms, .damaged = x.journal.damaged};
    seal_reader_free(x.in);
    identity_release(&x.recovery);
    secret_release(&x.secret);
    buf_release(&x.file);
    buf_release(&x.key_file);
    return e;
}
