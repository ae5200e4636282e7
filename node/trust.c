#include "node/trust.h"
#include "node/internal.h"

#include "crypto/checkpoint.h"

#include <string.h>

/* What is kept of the last checkpoint: n_state log_head (size, 8 bytes, big-endian, then the root) and log_note (the
 * note; none after a cut); n_number log_since, log_last (when the first and the last were accepted), log_asked (the
 * request that told of it), distrust (0, 1). What was ever found stands in n_distrust, and stays also when the device
 * is set up anew. */
enum { HEAD_BYTES = 8 + MERKLE_HASH_BYTES };

static void put_head(const struct merkle_head *h, uint8_t out[HEAD_BYTES])
{
    for (unsigned i = 0; i < 8; i++) out[i] = (uint8_t)(h->size >> (56 - 8 * i));
    memcpy(out + 8, h->root, sizeof h->root);
}

enum err trust_kept(struct node *n, struct merkle_head *out, struct why *why)
{
    uint8_t in[HEAD_BYTES];
    enum err e = state_fixed(n->db, "log_head", in, sizeof in, why);
    if (e != ERR_OK) return e;
    *out = (struct merkle_head){0};
    for (unsigned i = 0; i < 8; i++) out->size = out->size << 8 | in[i];
    memcpy(out->root, in + 8, sizeof out->root);
    return ERR_OK;
}

/* ---------------------------------------------------------------------------------------------------- in words */

static enum err say(struct why *why)
{
    (void)why_set(
        why, ERR_TAMPERED,
        "This device does not trust the MASH server any more: its record of what it did has been changed, or it shows "
        "different ones to different people. Nothing new is sent to it or taken from it. You can go on working here; "
        "what you wrote is kept.");
    return why_next(
        why, ERR_TAMPERED,
        "Keep this computer as it is: delete nothing, do not set it up anew. Tell your administrator and your "
        "information-governance lead. Detail for support: spoke log evidence");
}

enum err trust_state(struct node *n, bool *out, struct why *why)
{
    uint64_t distrusts = 0;
    enum err e = state_number(n->db, "distrust", &distrusts, why);
    if (e == ERR_OK) *out = distrusts == 0;
    return e;
}

enum err trust_check(struct node *n, struct why *why)
{
    bool trusts = false;
    enum err e = trust_state(n, &trusts, why);
    return e == ERR_OK && !trusts ? say(why) : e;
}

/* ------------------------------------------------------------------------------------------------------ the request */

enum err trust_put(struct node *n, struct bundle_writer *w, struct why *why)
{
    struct merkle_head kept;
    struct buf item;
    enum err e = trust_kept(n, &kept, why);
    if (e != ERR_OK || kept.size == 0) return e;
    buf_init(&item, 4096);
    message_put_seen(&item, &kept);
    e = item.err != ERR_OK ? why_set(why, item.err, "There is not enough memory for this contact.")
                           : bundle_put(w, "", buf_bytes(&item), why);
    buf_release(&item);
    return e;
}

enum err trust_asked(struct node *n, uint64_t request, struct why *why)
{
    struct merkle_head kept;
    enum err e = trust_kept(n, &kept, why);
    return e == ERR_OK ? state_set_number(n->db, "log_asked", kept.size > 0 ? request : 0, why) : e;
}

/* ------------------------------------------------------------------------------------------------------- the answer */

static const char *const missing = "The server did not say what its record is, as it had done before.";
static const char *const unreadable = "What the server says of its record is not in the form that it should have.";
static const char *const unsigned_ =
    "What the server says of its record is not signed by it, or is about another device's.";
static const char *const shorter = "The record is shorter than it was: entries were taken out of it.";
static const char *const elsewhere =
    "The record does not go on from what this device was shown before: it was changed afterwards.";

static enum err distrust(struct answer *a, const char *what, struct why *why)
{
    a->distrust = what;
    return say(why);
}

static enum err note_of(struct node *n, struct bytes note, struct checkpoint *out, struct why *why)
{
    char origin[CHECKPOINT_ORIGIN_MAX];
    struct note_key key;
    checkpoint_origin(origin, n->hub.kid, n->self.pub.kid);
    enum err e = note_key_make(&key, bytes_of_str(origin), n->hub.sign_pk, why);
    return e == ERR_OK ? checkpoint_verify(note, &key, out, why) : e;
}

/* From `base` (size 0: from nothing) to what the item says. */
static enum err judge(struct node *n, struct answer *a, const struct merkle_head *base, struct why *why)
{
    struct checkpoint_item item;
    struct checkpoint c;
    if (message_get_checkpoint(buf_bytes(&a->checkpoint), &item, NULL) != ERR_OK) return distrust(a, unreadable, why);
    enum err e = note_of(n, item.note, &c, why);
    if (e == ERR_NOMEM) return e;
    if (e == ERR_FORMAT) return distrust(a, unreadable, why);
    if (e != ERR_OK) return distrust(a, unsigned_, why);
    if (base->size == 0 && item.proof.n != 0) return distrust(a, unreadable, why);
    if (base->size > c.head.size) return distrust(a, shorter, why);
    if (base->size > 0 && merkle_verify_consistency(base, &c.head, item.proof, NULL) != ERR_OK)
        return distrust(a, elsewhere, why);
    a->log = c.head;
    return ERR_OK;
}

enum err trust_judge(struct node *n, struct answer *a, struct why *why)
{
    struct merkle_head kept;
    uint64_t asked = 0;
    bool newer = a->has_epoch_cut && a->hello.epoch > n->epoch;
    /* What was found stands: only the recovery key, which is above the hub's, can say that a new time has begun. */
    enum err e = newer ? ERR_OK : trust_check(n, why);
    if (e == ERR_OK) e = trust_kept(n, &kept, why);
    if (e == ERR_OK) e = state_number(n->db, "log_asked", &asked, why);
    if (e != ERR_OK) return e;
    /* An answer with a statement has no effects but that of a new epoch (node/epoch.c), and needs no checkpoint. */
    if (a->checkpoint.len == 0 && (a->has_epoch_cut || kept.size == 0 || asked != a->hello.request)) return ERR_OK;
    if (a->checkpoint.len == 0) return distrust(a, missing, why);
    /* A statement that was taken before explains nothing again: what was shown since then stands. */
    if (newer) return judge(n, a, &a->epoch_cut, why);
    /* A request that a program made which knew of no logs: what is proved then is not proved from here. The next one
     * asks. */
    if (kept.size > 0 && asked != a->hello.request) return ERR_OK;
    return judge(n, a, &kept, why);
}

/* ---------------------------------------------------------------------------------------------------------- keeping */

static enum err keep(struct node *n, const struct merkle_head *head, struct bytes note, struct why *why)
{
    uint8_t bytes[HEAD_BYTES];
    put_head(head, bytes);
    enum err e = state_put(n->db, "log_head", bytes_of(bytes, sizeof bytes), why);
    return e == ERR_OK ? state_put(n->db, "log_note", note, why) : e;
}

enum err trust_keep(struct node *n, const struct answer *a, struct why *why)
{
    struct checkpoint_item item;
    uint64_t since = 0, now = env_now(n->env) < 0 ? 0 : (uint64_t)env_now(n->env);
    if (a->log.size == 0) return ERR_OK;
    enum err e = message_get_checkpoint(buf_bytes(&a->checkpoint), &item, why);
    if (e == ERR_OK) e = keep(n, &a->log, item.note, why);
    if (e == ERR_OK) e = state_number(n->db, "log_since", &since, why);
    if (e == ERR_OK && since == 0) e = state_set_number(n->db, "log_since", now, why);
    return e == ERR_OK ? state_set_number(n->db, "log_last", now, why) : e;
}

/* ----------------------------------------------------------------------------------------------------- the evidence */

struct finding {
    const char *reason;
    uint64_t request;
    const uint8_t *answer; /* hash of it; NULL: none */
    struct bytes item;     /* MSG_CHECKPOINT; empty: none */
    struct bytes statement;
    uint64_t epoch; /* 0: it is not explained */
};

static enum err record(struct node *n, const struct finding *f, struct why *why)
{
    struct stmt *s = NULL;
    enum err e =
        db_prepare(n->db,
                   "INSERT INTO n_distrust(found_ms, reason, request, answer, item, head, note, ended_ms, epoch, "
                   "statement) VALUES($1, $2, $3, $4, $5, (SELECT value FROM n_state WHERE name = 'log_head'), "
                   "(SELECT value FROM n_state WHERE name = 'log_note'), $6, $7, $8)",
                   &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, env_now(n->env));
    db_bind_str(s, 2, f->reason);
    db_bind_int(s, 3, (int64_t)f->request);
    db_bind_blob(s, 4, f->answer != NULL ? bytes_of(f->answer, HASH_BYTES) : (struct bytes){0});
    db_bind_blob(s, 5, f->item);
    if (f->epoch != 0)
        db_bind_int(s, 6, env_now(n->env));
    else
        db_bind_null(s, 6);
    db_bind_int(s, 7, (int64_t)f->epoch);
    db_bind_blob(s, 8, f->statement);
    return db_run(s, why);
}

enum err trust_end(struct node *n, const struct answer *a, struct why *why)
{
    const struct finding f = {
        .reason = a->distrust, .request = a->hello.request, .answer = a->hash, .item = buf_bytes(&a->checkpoint)};
    enum err e = db_begin(n->db, why);
    if (e != ERR_OK) return e;
    e = record(n, &f, why);
    if (e == ERR_OK) e = state_set_number(n->db, "distrust", 1, why);
    if (e == ERR_OK) e = people_audit(n->db, env_now(n->env), n->user, NULL, "stopped trusting the MASH server", why);
    if (e == ERR_OK) e = db_commit(n->db, why);
    if (e == ERR_OK) return say(why);
    db_rollback(n->db); /* the answer is not applied in any case, and the same one is found out again */
    return e;
}

static enum err explained(struct node *n, uint64_t epoch, struct bytes statement, struct why *why)
{
    struct stmt *s = NULL;
    enum err e = db_prepare(
        n->db, "UPDATE n_distrust SET ended_ms = $1, epoch = $2, statement = $3 WHERE ended_ms IS NULL", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, env_now(n->env));
    db_bind_int(s, 2, (int64_t)epoch);
    db_bind_blob(s, 3, statement);
    e = db_run(s, why);
    return e == ERR_OK ? state_set_number(n->db, "distrust", 0, why) : e;
}

enum err trust_cut(struct node *n, uint64_t epoch, const struct merkle_head *cut, struct bytes statement,
                   struct why *why)
{
    struct merkle_head kept;
    const struct finding f = {
        .reason = "The MASH server was put back from a backup, and its statement says where its record was cut.",
        .statement = statement,
        .epoch = epoch};
    enum err e = explained(n, epoch, statement, why);
    if (e == ERR_OK) e = trust_kept(n, &kept, why);
    if (e == ERR_OK && kept.size > 0) e = record(n, &f, why); /* the checkpoint that it had until then */
    return e == ERR_OK ? keep(n, cut, (struct bytes){0}, why) : e;
}

enum err trust_verify(struct node *n, struct why *why)
{
    struct merkle_head kept;
    struct checkpoint c;
    struct buf note;
    buf_init(&note, MESSAGE_NOTE_MAX);
    enum err e = trust_kept(n, &kept, why);
    if (e == ERR_OK) e = state_bytes(n->db, "log_note", &note, why);
    if (e == ERR_OK && note.len > 0) {
        e = note_of(n, buf_bytes(&note), &c, why);
        bool same = e == ERR_OK && c.head.size == kept.size && memcmp(c.head.root, kept.root, sizeof kept.root) == 0;
        if (e != ERR_NOMEM && !same)
            e = why_set(why, ERR_TAMPERED, "What this device keeps of the MASH server's record was altered here.");
    }
    buf_release(&note);
    return e;
}
