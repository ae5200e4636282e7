/* The recovery key once more, for devices that were cut off and came when nobody was waited for any longer
 * (hub/DISASTER.md). */
#include "hub/admins.h"
#include "hub/restore_internal.h"

#include "crypto/keyslot.h"
#include "crypto/recovery.h"
#include "crypto/seal.h"
#include "sync/bundle.h"

#include <stdlib.h>
#include <string.h>

static enum err open_key(struct hub *h, const struct env *env, const char *path, struct bytes passphrase,
                         struct identity_secret *out, struct why *why)
{
    struct keyring ring = {0};
    struct secret secret = {0};
    enum err e = keyslot_open(env, &(struct keyfile){.path = path}, passphrase, &ring, why);
    struct secret key = keyring_data_key(&ring);
    if (e == ERR_OK) e = secret_new(&secret, RECOVERY_BYTES, why);
    if (e == ERR_OK) memcpy(secret.p, key.p, RECOVERY_BYTES);
    if (e == ERR_OK) e = recovery_open(&secret, out, why);
    if (e == ERR_OK && memcmp(out->pub.box_pk, h->recovery_pk, sizeof h->recovery_pk) != 0)
        e = why_set(why, ERR_REFUSED, "This is the recovery key of another hub.");
    secret_release(&secret);
    keyring_release(&ring);
    return e;
}

/* What lies sealed of one change. */
struct sealed {
    int64_t node_no, seq;
    struct buf cose, content;
};

/* The one after it, in the order of devices. */
static enum err next_sealed(struct hub *h, struct sealed *x, bool *out_found, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db,
                            "SELECT s.node_no, s.seq, r.cose, s.content FROM h_sealed s JOIN h_returned r ON r.node_no = s.node_no "
                            "AND r.seq = s.seq WHERE s.node_no > $1 OR (s.node_no = $1 AND s.seq > $2) "
                            "ORDER BY s.node_no, s.seq LIMIT 1",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, x->node_no);
    db_bind_int(s, 2, x->seq);
    e = db_step(s, out_found, why);
    if (e == ERR_OK && *out_found) {
        x->node_no = db_int(s, 0);
        x->seq = db_int(s, 1);
        buf_reset(&x->cose);
        buf_reset(&x->content);
        buf_put_bytes(&x->cose, db_bytes(s, 2));
        buf_put_bytes(&x->content, db_bytes(s, 3));
        if (x->cose.err != ERR_OK || x->content.err != ERR_OK)
            e = why_set(why, ERR_NOMEM, "There is not enough memory to open what a device returned.");
    }
    db_done(s);
    return e;
}

static enum err put_item(struct hub *h, const struct sealed *x, struct bytes item, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, "UPDATE h_returned SET item = $1 WHERE node_no = $2 AND seq = $3 AND item IS NULL", &s, why);
    if (e != ERR_OK) return e;
    db_bind_blob(s, 1, item);
    db_bind_int(s, 2, x->node_no);
    db_bind_int(s, 3, x->seq);
    return db_run(s, why);
}

/* What is not what its device signed is as good as lost: it is counted when it is re-applied. */
static enum err open_one(struct hub *h, const struct sealed *x, const struct identity_secret *recovery, uint64_t *out_n,
                         struct why *why)
{
    struct hub_node n;
    struct envelope env;
    struct buf plain;
    struct why detail = {0};
    buf_init(&plain, BUNDLE_MAX_ITEM);
    enum err e = nodes_by_no(h, x->node_no, &n, why);
    enum err opened = e;
    if (e == ERR_OK) opened = envelope_verify(buf_bytes(&x->cose), &n.id, &env, &detail);
    if (opened == ERR_OK) opened = seal_box_open(buf_bytes(&x->content), recovery, &plain, &detail);
    if (opened == ERR_OK && returned_fits(buf_bytes(&plain), &env, buf_bytes(&x->cose))) {
        e = put_item(h, x, buf_bytes(&plain), why);
        *out_n += e == ERR_OK;
    } else if (opened == ERR_NOMEM) {
        e = why_set(why, opened, "%s", detail.text);
    }
    buf_release(&plain);
    return e;
}

static enum err open_all(struct hub *h, const struct identity_secret *recovery, uint64_t *out_n, struct why *why)
{
    struct sealed x = {0};
    bool found = true, any = false;
    buf_init(&x.cose, BUNDLE_MAX_ITEM);
    buf_init(&x.content, BUNDLE_MAX_ITEM);
    enum err e = ERR_OK;
    while (e == ERR_OK) {
        e = next_sealed(h, &x, &found, why);
        if (e != ERR_OK || !found) break;
        any = true;
        e = open_one(h, &x, recovery, out_n, why);
    }
    if (e == ERR_OK && !any) e = why_set(why, ERR_NOTFOUND, "Nothing that a device returned waits for the recovery key.");
    buf_release(&x.cose);
    buf_release(&x.content);
    return e;
}

enum err hub_restore_unseal(struct hub *h, const struct env *env, const char *recovery, struct bytes passphrase,
                            uint64_t *out_changes, struct why *why)
{
    struct identity_secret key = {0};
    uint64_t n = 0;
    enum err e = open_key(h, env, recovery, passphrase, &key, why);
    if (e == ERR_OK) e = hub_begin(h, why);
    if (e != ERR_OK) {
        identity_release(&key);
        return e;
    }
    e = open_all(h, &key, &n, why);
    identity_release(&key);
    if (e == ERR_OK)
        e = db_exec(h->db,
                    "UPDATE h_awaited SET state = 'reported' WHERE state = 'sealed'; "
                    "DELETE FROM h_sealed WHERE node_no IN (SELECT node_no FROM h_awaited WHERE state = 'reported')",
                    why);
    if (e == ERR_OK) e = restore_late(h, why);
    if (e == ERR_OK)
        e = admins_act(h, MAY_SECURE, "restore unseal", NULL,
                       "What devices returned that had been cut off was opened with the recovery key.", why);
    if (e == ERR_OK) e = hub_commit(h, why);
    else hub_abort(h);
    if (e == ERR_OK) *out_changes = n;
    return e;
}
