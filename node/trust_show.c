/* What people and auditors are told of how this device and its hub stand: node/trust.h. */
#include "node/internal.h"
#include "node/trust.h"

#include "crypto/base64.h"

#include <stdlib.h>
#include <string.h>

static enum err last_finding(struct node *n, struct node_trust *t, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(
        n->db, "SELECT found_ms, reason FROM n_distrust WHERE ended_ms IS NULL ORDER BY no DESC LIMIT 1", &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) {
        struct bytes reason = db_bytes(s, 1);
        size_t len = reason.n < sizeof t->reason ? reason.n : sizeof t->reason - 1;
        t->found_ms = db_int(s, 0);
        if (len > 0) memcpy(t->reason, reason.p, len);
    }
    db_done(s);
    return e;
}

enum err node_trust(struct node *n, struct node_trust *out, struct why *why)
{
    struct node_trust t = {0};
    uint64_t distrusts = 0, since = 0, last = 0, explained = 0;
    enum err e = trust_kept(n, &t.kept, why);
    if (e == ERR_OK && t.kept.size == 0) e = state_number(n->db, "answered", &t.untold, why);
    if (e == ERR_OK) e = state_number(n->db, "distrust", &distrusts, why);
    if (e == ERR_OK) e = state_number(n->db, "log_since", &since, why);
    if (e == ERR_OK) e = state_number(n->db, "log_last", &last, why);
    if (e == ERR_OK) e = state_ask(n->db, "SELECT count(*) FROM n_distrust", &t.findings, why);
    /* A request: found in an answer. A cut that a statement told of is no finding against anybody. */
    if (e == ERR_OK)
        e = state_ask(n->db, "SELECT coalesce(max(ended_ms), 0) FROM n_distrust WHERE request > 0", &explained, why);
    if (e == ERR_OK && distrusts != 0) e = last_finding(n, &t, why);
    if (e != ERR_OK) return e;
    t.distrusts = distrusts != 0;
    t.since_ms = (int64_t)since;
    t.last_ms = (int64_t)last;
    t.explained_ms = (int64_t)explained;
    *out = t;
    return ERR_OK;
}

enum err node_trust_note(struct node *n, struct buf *out, struct why *why)
{
    size_t before = out->len;
    enum err e = state_bytes(n->db, "log_note", out, why);
    if (e != ERR_OK || out->len > before) return e;
    return why_set(why, ERR_NOTFOUND, "The MASH server has not told this device yet what its record is.");
}

/* ------------------------------------------------------------------------------------------------------ evidence */

static void put_base64(struct buf *out, const char *word, struct bytes v)
{
    if (v.n == 0) return;
    buf_printf(out, "%s ", word);
    char *to = (char *)buf_grow(out, BASE64_CHARS(v.n) + 1);
    if (to == NULL) return;
    base64_encode(to, v);
    out->data[out->len - 1] = '\n'; /* in the place of its NUL */
}

static void put_finding(struct node *n, struct stmt *s, struct buf *out)
{
    char hub[2 * KID_BYTES + 1], self[2 * KID_BYTES + 1];
    struct bytes reason = db_bytes(s, 1), head = db_bytes(s, 5);
    struct checkpoint_item item;
    hex_encode(hub, n->hub.kid, KID_BYTES);
    hex_encode(self, n->self.pub.kid, KID_BYTES);
    buf_printf(out, "spoke/log-evidence/1\nhub %s\ndevice %s\nfound %lld\nreason %.*s\nrequest %lld\n", hub, self,
               (long long)db_int(s, 0), (int)reason.n, (const char *)reason.p, (long long)db_int(s, 2));
    put_base64(out, "answer", db_bytes(s, 3));
    put_base64(out, "kept", head);
    put_base64(out, "kept-note", db_bytes(s, 6));
    if (message_get_checkpoint(db_bytes(s, 4), &item, NULL) == ERR_OK) {
        put_base64(out, "note", item.note);
        put_base64(out, "proof", item.proof);
    } else {
        put_base64(out, "item", db_bytes(s, 4));
    }
    if (!db_is_null(s, 7)) buf_printf(out, "explained %lld %lld\n", (long long)db_int(s, 7), (long long)db_int(s, 8));
    put_base64(out, "statement", db_bytes(s, 9));
    buf_put_str(out, "end\n");
}

enum err node_trust_evidence(struct node *n, struct buf *out, struct why *why)
{
    struct stmt *s = NULL;
    size_t before = out->len;
    bool row = false;
    enum err e = db_prepare(
        n->db,
        "SELECT found_ms, reason, request, answer, item, head, note, ended_ms, epoch, statement FROM n_distrust "
        "ORDER BY no",
        &s, why);
    if (e != ERR_OK) return e;
    while ((e = db_step(s, &row, why)) == ERR_OK && row) put_finding(n, s, out);
    db_done(s);
    if (e == ERR_OK && out->err != ERR_OK)
        e = why_set(why, out->err, "There is not enough memory for all that was found.");
    if (e == ERR_OK && out->len == before)
        e = why_set(why, ERR_NOTFOUND, "This device found nothing against its MASH server.");
    return e;
}
