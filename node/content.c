/* Readable content of own envelopes: kept while it is unsent or its author may still want the text, then exchanged for
 * the same under the hub's recovery key, which this device can give back and not read. */
#include "node/internal.h"

#include "crypto/seal.h"

#include <stdlib.h>
#include <string.h>

enum err content_put(struct node *n, uint64_t seq, struct bytes item, struct why *why)
{
    struct stmt *s = NULL;
    enum err e = db_prepare(n->db, "INSERT INTO n_content(seq, item) VALUES($1, $2)", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, (int64_t)seq);
    db_bind_blob(s, 2, item);
    return db_run(s, why);
}

enum err content_get(struct node *n, uint64_t seq, struct buf *out, bool *out_found, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(n->db, "SELECT item FROM n_content WHERE seq = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, (int64_t)seq);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) {
        buf_put_bytes(out, db_bytes(s, 0));
        if (out->err != ERR_OK) e = why_set(why, out->err, "There is not enough memory for a change of yours.");
    }
    db_done(s);
    if (e == ERR_OK) *out_found = row;
    return e;
}

enum err content_read(struct node *n, uint64_t seq, struct buf *out, bool *out_found, struct why *why)
{
    enum err e = content_get(n, seq, out, out_found, why);
    return e == ERR_TAMPERED ? content_get(n, seq, out, out_found, why) : e;
}

enum err content_purge_due(struct node *n, enum purge due, struct why *why)
{
    uint64_t was = 0;
    enum err e = state_number(n->db, "purge_due", &was, why);
    return e == ERR_OK && was < (uint64_t)due ? state_set_number(n->db, "purge_due", (uint64_t)due, why) : e;
}

static enum err put_sealed(struct node *n, uint64_t seq, struct bytes item, struct why *why)
{
    struct stmt *s = NULL;
    struct buf sealed;
    buf_init(&sealed, CONTENT_MAX_ITEM + 1024);
    enum err e = seal_box(item, n->recovery_pk, &sealed, why);
    if (e == ERR_OK) e = db_prepare(n->db, "UPDATE n_outbox SET sealed = $1 WHERE seq = $2", &s, why);
    if (e == ERR_OK) {
        db_bind_blob(s, 1, buf_bytes(&sealed));
        db_bind_int(s, 2, (int64_t)seq);
        e = db_run(s, why);
    }
    buf_release(&sealed);
    return e;
}

enum err content_seal(struct node *n, uint64_t seq, enum purge due, struct why *why)
{
    const int64_t args[] = {(int64_t)seq};
    struct buf item;
    bool found = false;
    buf_init(&item, CONTENT_MAX_ITEM);
    enum err e = content_get(n, seq, &item, &found, why);
    if (e == ERR_OK && found) e = put_sealed(n, seq, buf_bytes(&item), why);
    if (e == ERR_OK && found) e = state_run(n->db, "DELETE FROM n_content WHERE seq = $1", args, 1, why);
    if (e == ERR_OK && found) e = content_purge_due(n, due, why);
    buf_release(&item);
    return e;
}

/* What was signed under this number. */
static enum err signed_hash(struct node *n, uint64_t seq, uint8_t out[HASH_BYTES], struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(n->db, "SELECT hash FROM n_outbox WHERE seq = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, (int64_t)seq);
    e = db_step(s, &row, why);
    if (e == ERR_OK && (!row || db_bytes(s, 0).n != HASH_BYTES))
        e = why_set(why, ERR_FAILED, "A change of yours is not in the list of this device's changes.");
    if (e == ERR_OK) memcpy(out, db_bytes(s, 0).p, HASH_BYTES);
    db_done(s);
    return e;
}

static enum err check_parts(struct node *n, struct bytes item, const uint8_t want[HASH_BYTES], struct part *parts,
                            enum content_state *out, struct why *why)
{
    struct envelope env;
    struct bytes cose;
    uint8_t have[HASH_BYTES];
    size_t n_parts = 0;
    *out = CONTENT_ALTERED;
    enum err e = message_get_envelope(item, &cose, parts, ENVELOPE_MAX_PARTS, &n_parts, why);
    if (e != ERR_OK) return e == ERR_FORMAT ? ERR_OK : e;
    envelope_hash(cose, have);
    if (memcmp(have, want, HASH_BYTES) != 0) return ERR_OK;
    e = envelope_verify(cose, &n->self.pub, &env, why);
    if (e != ERR_OK || env.n_parts != n_parts) return e;
    for (size_t i = 0; i < n_parts; i++) {
        e = envelope_check_part(&env, i, &parts[i], why);
        if (e != ERR_OK) return e == ERR_TAMPERED ? ERR_OK : e;
    }
    *out = CONTENT_SOUND;
    return ERR_OK;
}

enum err content_check(struct node *n, uint64_t seq, enum content_state *out, struct why *why)
{
    struct buf item;
    uint8_t want[HASH_BYTES];
    bool found = false;
    struct part *parts = calloc(ENVELOPE_MAX_PARTS, sizeof *parts);
    if (parts == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to look at a change of yours.");
    buf_init(&item, CONTENT_MAX_ITEM);
    *out = CONTENT_ALTERED; /* also when there is nothing */
    enum err e = signed_hash(n, seq, want, why);
    if (e == ERR_OK) {
        e = content_read(n, seq, &item, &found, why);
        if (e == ERR_TAMPERED) {
            *out = CONTENT_UNREADABLE;
            e = ERR_OK;
        }
    }
    if (e == ERR_OK && found) e = check_parts(n, buf_bytes(&item), want, parts, out, why);
    buf_release(&item);
    free(parts);
    return e;
}
