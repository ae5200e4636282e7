/* What a proposal says, and what that means in the store as it stands: hub/ADMINS.md, "Two people". */
#include "hub/proposal_internal.h"

#include "base/cbor.h"
#include "crypto/hash.h"

#include <stdio.h>
#include <string.h>

#define DETAIL_MAX (2u << 20)

static const char *const words[PROPOSAL_KINDS] = {
    [PROPOSE_WIPE] = "wipe",
    [PROPOSE_REVOKE_SITE] = "revoke site",
    [PROPOSE_POLICY] = "policy apply",
    [PROPOSE_COLUMN] = "policy set",
    [PROPOSE_RULE] = "rule",
    [PROPOSE_ADMIN_ROLE] = "admin role",
    [PROPOSE_ADMIN_REMOVE] = "admin remove",
    [PROPOSE_RETENTION] = "retention set",
    [PROPOSE_UNHOLD] = "retention release",
    [PROPOSE_ERASE] = "erase",
    [PROPOSE_ERASE_AGAIN] = "erase again",
};
const char *hub_proposal_word(enum proposal_kind k)
{
    return k < PROPOSAL_KINDS ? words[k] : "";
}

/* ---------------------------------------------------------------------------------------------------------- details */

static void put_text(struct buf *b, const char *s)
{
    if (s == NULL)
        cbor_put_null(b);
    else
        cbor_put_str(b, s);
}

void proposal_put_detail(struct buf *out, const struct hub_proposal *p)
{
    cbor_put_array(out, 8);
    cbor_put_uint(out, (uint64_t)p->kind);
    cbor_put_bytes(out, bytes_of(p->kid, sizeof p->kid));
    cbor_put_bool(out, p->flag);
    cbor_put_int(out, p->number);
    cbor_put_bytes(out, p->text);
    put_text(out, p->text2);
    put_text(out, p->text3);
    put_text(out, p->text4);
}

static const char *get_text(struct cbor_reader *r, char out[512])
{
    if (cbor_peek(r) == CBOR_NULL) {
        cbor_get_null(r);
        return NULL;
    }
    struct bytes t = cbor_get_text(r);
    if (t.n >= 512) r->err = ERR_FORMAT;
    (void)snprintf(out, 512, "%.*s", r->err == ERR_OK ? (int)t.n : 0, (const char *)t.p);
    return out;
}

enum err proposal_get_detail(struct bytes detail, struct hub_proposal *out, struct proposal_words *w, struct why *why)
{
    struct cbor_reader r;
    struct hub_proposal p = {0};
    cbor_reader_init(&r, detail);
    size_t n = cbor_get_array(&r, 8);
    uint64_t kind = cbor_get_uint(&r);
    cbor_get_fixed(&r, p.kid, sizeof p.kid);
    p.flag = cbor_get_bool(&r);
    p.number = cbor_get_int(&r);
    p.text = cbor_get_bytes(&r);
    p.text2 = get_text(&r, w->word[0]);
    p.text3 = get_text(&r, w->word[1]);
    p.text4 = get_text(&r, w->word[2]);
    if (n != 8 || !cbor_at_end(&r) || kind >= PROPOSAL_KINDS)
        return why_set(why, ERR_TAMPERED, "What this hub stored of a proposal is damaged.");
    p.kind = (enum proposal_kind)kind;
    *out = p;
    return ERR_OK;
}

/* -------------------------------------------------------------------------------------------------------- the world */

/* $1 is the device or the first text, $2 and $3 the next; of a device $2: what it has not sent goes too. Texts, blobs
 * and nulls alone. None: nothing is there that is meant. */
static const char *const worlds[PROPOSAL_KINDS] = {
    [PROPOSE_WIPE] = "SELECT n.kid, n.state, k.code, (SELECT CAST(max(o.number) AS TEXT) FROM h_order o WHERE o.node_no = n.no "
                     "AND o.kind = 2), CASE WHEN $2 = 1 THEN CAST(n.unsent AS TEXT) END FROM h_node n JOIN h_site k ON k.no = n.site_no WHERE n.kid = $1",
    [PROPOSE_REVOKE_SITE] = "SELECT n.kid FROM h_node n JOIN h_site k ON k.no = n.site_no WHERE k.code = $1 AND n.state IN "
                            "('enrolled', 'waiting', 'forked') ORDER BY n.no",
    [PROPOSE_POLICY] = "SELECT CAST(gen AS TEXT), state FROM h_policy ORDER BY gen DESC LIMIT 1",
    [PROPOSE_COLUMN] = "SELECT (SELECT CAST(max(gen) AS TEXT) FROM h_policy), (SELECT policy FROM column_policy WHERE tbl = $1 AND "
                       "col = $2 LIMIT 1), (SELECT arg FROM column_policy WHERE tbl = $1 AND col = $2 LIMIT 1)",
    [PROPOSE_RULE] = "SELECT (SELECT CAST(value AS TEXT) FROM h_rule WHERE name = $1)",
    [PROPOSE_ADMIN_ROLE] = "SELECT slot, role FROM h_admin WHERE name = $1 AND removed_at IS NULL",
    [PROPOSE_ADMIN_REMOVE] = "SELECT slot, role FROM h_admin WHERE name = $1 AND removed_at IS NULL",
    [PROPOSE_RETENTION] = "SELECT '', (SELECT CAST(max(t.days) AS TEXT) FROM retention t WHERE t.scope = 'partners'), (SELECT "
                          "CAST(max(t.days) AS TEXT) FROM retention t WHERE t.scope = 'lead'), (SELECT CAST(max(t.days) AS TEXT) FROM "
                          "retention t WHERE t.scope = 'erase')",
    [PROPOSE_UNHOLD] = "SELECT x.reason, x.who, CAST(x.at AS TEXT) FROM h_hold x WHERE x.case_id = $1",
    [PROPOSE_ERASE] = "SELECT f.status, CAST(k.news AS TEXT), CAST(f.hold_until AS TEXT), (SELECT CAST(x.at AS TEXT) FROM h_hold x WHERE "
                      "x.case_id = f.id) FROM h_case k JOIN case_file f ON f.id = k.id WHERE k.id = $1",
    [PROPOSE_ERASE_AGAIN] = "SELECT CAST(epoch AS TEXT), state FROM h_epoch WHERE epoch = (SELECT max(epoch) FROM h_epoch) AND state IN "
                            "('gathering', 'applying')",
};

static void bind(struct stmt *s, const struct hub_proposal *p)
{
    switch (p->kind) {
    case PROPOSE_WIPE:
        db_bind_id(s, 1, p->kid);
        db_bind_int(s, 2, p->flag ? 1 : 0);
        break;
    case PROPOSE_POLICY:
    case PROPOSE_RETENTION:
    case PROPOSE_ERASE_AGAIN: break;
    case PROPOSE_UNHOLD:
    case PROPOSE_ERASE: db_bind_id(s, 1, p->kid); break;
    case PROPOSE_COLUMN: db_bind_str(s, 2, p->text2); /* fall through */
    default: db_bind_text(s, 1, p->text);
    }
}

static enum err put_world(struct hub *h, const struct hub_proposal *p, struct buf *out, struct why *why)
{
    struct stmt *s;
    bool row = false, any = false;
    enum err e = db_prepare(h->db, worlds[p->kind], &s, why);
    if (e != ERR_OK) return e;
    bind(s, p);
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        int n = db_columns(s);
        any = true;
        cbor_put_array(out, (size_t)n);
        for (int i = 0; i < n; i++) {
            if (db_is_null(s, i))
                cbor_put_null(out);
            else
                cbor_put_bytes(out, db_bytes(s, i));
        }
    }
    db_done(s);
    if (e == ERR_OK && !any) e = why_set(why, ERR_NOTFOUND, "There is nothing of that name or id here to which this could be done.");
    return e;
}

enum err proposal_hash(struct hub *h, const struct hub_proposal *p, uint8_t out[32], struct why *why)
{
    static const char label[] = "spoke/proposal/1";
    struct buf all;
    buf_init(&all, DETAIL_MAX);
    buf_put(&all, label, sizeof label);
    proposal_put_detail(&all, p);
    put_text(&all, p->reason);
    enum err e = put_world(h, p, &all, why);
    if (e == ERR_OK && all.err != ERR_OK) e = why_set(why, all.err, "There is not enough memory for this proposal.");
    if (e == ERR_OK) hash_blake2b(out, buf_bytes(&all));
    buf_release(&all);
    return e;
}
