/* h_envelope: every envelope that came, whole, with its verdict. */
#include "hub/draft.h"
#include "hub/log.h"
#include "hub/retention_internal.h"

#include "base/cbor.h"

#include <stdlib.h>
#include <string.h>

/* One of the array that lies beside the signature: [salt, content], or two nulls where it was erased (RETENTION.md). */
void journal_put_part(struct buf *b, const struct part *p)
{
    cbor_put_array(b, 2);
    if (p->content.p == NULL) {
        cbor_put_null(b);
        cbor_put_null(b);
        return;
    }
    cbor_put_bytes(b, bytes_of(p->salt, SALT_BYTES));
    cbor_put_bytes(b, p->content);
}

void journal_get_part(struct cbor_reader *r, struct part *out)
{
    *out = (struct part){0};
    if (cbor_get_array(r, 2) != 2) r->err = ERR_FORMAT;
    if (cbor_peek(r) == CBOR_NULL) {
        cbor_get_null(r);
        cbor_get_null(r);
        return;
    }
    cbor_get_fixed(r, out->salt, SALT_BYTES);
    out->content = cbor_get_bytes(r);
}

static void put_parts(struct buf *b, const struct draft *d)
{
    cbor_put_array(b, d->n_parts);
    for (size_t i = 0; i < d->n_parts; i++) journal_put_part(b, &d->parts[i]);
}

static enum err get_parts(struct bytes in, struct part **out, size_t *out_n, struct why *why)
{
    struct cbor_reader r;
    cbor_reader_init(&r, in);
    size_t n = cbor_get_array(&r, ENVELOPE_MAX_PARTS);
    struct part *parts = calloc(n == 0 ? 1 : n, sizeof *parts);
    if (parts == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to read a stored change.");
    for (size_t i = 0; i < n; i++) journal_get_part(&r, &parts[i]);
    if (!cbor_at_end(&r)) {
        free(parts);
        return why_set(why, ERR_TAMPERED, "A change that this hub stored is damaged.");
    }
    *out = parts;
    *out_n = n;
    return ERR_OK;
}

static void bind_verdict(struct stmt *s, int from, const struct hub *h, const struct judgement *j)
{
    db_bind_int(s, from, h->version);
    db_bind_int(s, from + 1, (int64_t)j->verdict);
    db_bind_str(s, from + 2, j->reason[0] == '\0' ? NULL : j->reason);
}

enum err journal_put(struct hub *h, const struct draft *d, const struct judgement *j, struct why *why)
{
    struct stmt *s;
    struct buf parts;
    buf_init(&parts, 80u << 20);
    put_parts(&parts, d);
    enum err e = parts.err != ERR_OK
                     ? why_set(why, parts.err, "A change is too large to be stored.")
                     : db_prepare(h->db,
                                  "INSERT INTO h_envelope(node_no, seq, hash, cose, parts, base_cut, hlc, "
                                  "user, received_at, version, verdict, reason) "
                                  "VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
                                  &s, why);
    if (e == ERR_OK) {
        db_bind_int(s, 1, d->node->no);
        db_bind_int(s, 2, (int64_t)d->env.h.seq);
        db_bind_blob(s, 3, bytes_of(d->hash, sizeof d->hash));
        db_bind_blob(s, 4, d->cose);
        db_bind_blob(s, 5, buf_bytes(&parts));
        db_bind_id(s, 6, d->env.h.base_cut);
        db_bind_int(s, 7, (int64_t)d->env.h.hlc);
        db_bind_id(s, 8, d->env.h.user);
        db_bind_int(s, 9, d->received_at);
        bind_verdict(s, 10, h, j);
        e = db_run(s, why);
    }
    buf_release(&parts);
    if (e == ERR_OK) e = parts_note(h, d, j, why);
    if (e == ERR_OK) h->verdicts[j->verdict]++;
    if (e == ERR_OK) e = log_note(h, d->node->no, LOG_ENVELOPE, d->env.h.seq, bytes_of(d->hash, sizeof d->hash), why);
    return e == ERR_OK ? log_verdict(h, d->node->no, d->env.h.seq, j->verdict, why) : e;
}

enum err journal_as_sent(struct hub *h, const struct draft *d, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, "INSERT INTO h_as_sent(version, node_no, base) VALUES($1, $2, $3)", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, h->version);
    db_bind_int(s, 2, d->node->no);
    db_bind_int(s, 3, d->cut.lo);
    return db_run(s, why);
}

/* A new verdict has a new place in the order, that of the running step; so has one that says "held" again. What a lost
 * hub had taken in keeps its old place by that (hub/restore_follow.c tries in that order): while it is re-applied the
 * running step is the one of then, what is tried later and fails is undone to its savepoint, and a manager's word for
 * it is refused before it is carried out. Nobody is between these: a transaction has the hub's lock from its begin. */
enum err journal_judge(struct hub *h, int64_t node_no, uint64_t seq, const struct judgement *j, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db,
                            "UPDATE h_envelope SET version = $1, verdict = $2, reason = $3, told = 0 "
                            "WHERE node_no = $4 AND seq = $5",
                            &s, why);
    if (e != ERR_OK) return e;
    bind_verdict(s, 1, h, j);
    db_bind_int(s, 4, node_no);
    db_bind_int(s, 5, (int64_t)seq);
    e = db_run(s, why);
    return e == ERR_OK ? log_verdict(h, node_no, seq, j->verdict, why) : e;
}

/* Copy out of the statement: what follows asks the store again. */
static enum err read_stored(struct stmt *s, struct buf *store, struct bytes *cose, struct bytes *parts,
                            int64_t *received, struct why *why)
{
    struct bytes a = db_bytes(s, 0), b = db_bytes(s, 1);
    uint8_t *to = buf_grow(store, a.n + b.n);
    if (to == NULL)
        return why_set(why, store->err == ERR_OK ? ERR_TAMPERED : store->err, "A stored change could not be read.");
    memcpy(to, a.p, a.n);
    memcpy(to + a.n, b.p, b.n);
    *cose = bytes_of(to, a.n);
    *parts = bytes_of(to + a.n, b.n);
    *received = db_int(s, 2);
    return ERR_OK;
}

enum err journal_draft(struct hub *h, int64_t node_no, uint64_t seq, struct hub_node *node, struct draft *d,
                       struct buf *store, struct judgement *j, struct why *why)
{
    struct stmt *s;
    struct bytes cose = {0}, content = {0};
    struct envelope env;
    struct part *parts = NULL;
    size_t n = 0;
    int64_t received = 0;
    bool row = false;
    enum err e = nodes_by_no(h, node_no, node, why);
    if (e == ERR_OK)
        e = db_prepare(h->db, "SELECT cose, parts, received_at FROM h_envelope WHERE node_no = $1 AND seq = $2", &s,
                       why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, node_no);
    db_bind_int(s, 2, (int64_t)seq);
    e = db_step(s, &row, why);
    if (e == ERR_OK)
        e = row ? read_stored(s, store, &cose, &content, &received, why)
                : why_set(why, ERR_NOTFOUND, "The hub does not know this change.");
    db_done(s);
    if (e == ERR_OK) e = envelope_verify(cose, &node->id, &env, why);
    if (e == ERR_OK) e = get_parts(content, &parts, &n, why);
    if (e != ERR_OK) return e;
    draft_init(d, node, &env, cose, parts, n);
    d->received_at = received;
    d->late = true;
    return draft_decode(h, d, j, why);
}
