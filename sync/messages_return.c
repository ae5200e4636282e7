#include "sync/messages_return.h"

#include "base/cbor.h"
#include "sync/rules.h"

#include <string.h>

static const char label[] = "spoke/epoch/1";

static enum err broken(struct why *why)
{
    return why_set(why, ERR_FORMAT, "a message about a server that was put back is not as it should be");
}

static bool begins(struct cbor_reader *r, struct bytes item, size_t n, enum message_type type)
{
    cbor_reader_init(r, item);
    return cbor_get_array(r, n) == n && cbor_get_uint(r) == type;
}

void message_put_note(struct buf *b, const struct note_item *n)
{
    cbor_put_array(b, 4);
    cbor_put_uint(b, MSG_NOTE);
    cbor_put_uint(b, n->request);
    cbor_put_uint(b, n->covered);
    cbor_put_bytes(b, n->note);
}

enum err message_get_note(struct bytes item, struct note_item *out, struct why *why)
{
    struct cbor_reader r;
    struct note_item n;
    bool good = begins(&r, item, 4, MSG_NOTE);
    n.request = cbor_get_uint(&r);
    n.covered = cbor_get_uint(&r);
    n.note = cbor_get_bytes(&r);
    if (!good || !cbor_at_end(&r) || n.note.n > NOTE_SEALED_MAX || n.request > INT64_MAX || n.covered > INT64_MAX)
        return broken(why);
    *out = n;
    return ERR_OK;
}

void message_put_statement(struct buf *b, const struct epoch_statement *m)
{
    cbor_put_array(b, 8);
    cbor_put_str(b, label);
    cbor_put_bytes(b, bytes_of(m->hub, KID_BYTES));
    cbor_put_bytes(b, bytes_of(m->device, KID_BYTES));
    cbor_put_uint(b, m->before);
    cbor_put_uint(b, m->epoch);
    cbor_put_uint(b, m->at_ms);
    cbor_put_uint(b, m->size);
    cbor_put_bytes(b, bytes_of(m->root, sizeof m->root));
}

static bool get_statement(struct bytes body, struct epoch_statement *out)
{
    struct cbor_reader r;
    cbor_reader_init(&r, body);
    bool good = cbor_get_array(&r, 8) == 8 && bytes_equal(cbor_get_text(&r), bytes_of_str(label));
    cbor_get_fixed(&r, out->hub, KID_BYTES);
    cbor_get_fixed(&r, out->device, KID_BYTES);
    out->before = cbor_get_uint(&r);
    out->epoch = cbor_get_uint(&r);
    out->at_ms = cbor_get_uint(&r);
    out->size = cbor_get_uint(&r);
    cbor_get_fixed(&r, out->root, sizeof out->root);
    return good && cbor_at_end(&r) && out->before < out->epoch && out->epoch <= INT64_MAX && out->at_ms <= INT64_MAX &&
           out->size <= INT64_MAX;
}

void message_put_epoch(struct buf *b, const struct signed_statement *m, uint64_t chain)
{
    uint8_t proof[RECOVERY_BYTES + RECOVERY_SIGNATURE];
    if (m->key.n != RECOVERY_BYTES || m->signature.n != RECOVERY_SIGNATURE) {
        b->err = ERR_FORMAT;
        return;
    }
    memcpy(proof, m->key.p, RECOVERY_BYTES);
    memcpy(proof + RECOVERY_BYTES, m->signature.p, RECOVERY_SIGNATURE);
    cbor_put_array(b, 4);
    cbor_put_uint(b, MSG_EPOCH);
    cbor_put_bytes(b, m->body);
    cbor_put_bytes(b, bytes_of(proof, sizeof proof));
    cbor_put_uint(b, chain);
}

enum err message_get_epoch(struct bytes item, const uint8_t recovery_pk[32], struct epoch_statement *out,
                           uint64_t *out_chain, struct why *why)
{
    uint8_t proof[RECOVERY_BYTES + RECOVERY_SIGNATURE];
    struct epoch_statement m;
    struct cbor_reader r;
    bool good = begins(&r, item, 4, MSG_EPOCH);
    struct bytes body = cbor_get_bytes(&r);
    cbor_get_fixed(&r, proof, sizeof proof);
    uint64_t chain = cbor_get_uint(&r);
    if (!good || !cbor_at_end(&r) || chain > INT64_MAX) return broken(why);
    enum err e = recovery_verify(recovery_pk, body, proof, proof + RECOVERY_BYTES, why);
    if (e == ERR_OK && !get_statement(body, &m)) e = broken(why);
    if (e != ERR_OK) return e;
    *out = m;
    *out_chain = chain;
    return ERR_OK;
}

void message_put_return(struct buf *b, const struct return_item *m)
{
    cbor_put_array(b, 4);
    cbor_put_uint(b, MSG_RETURN);
    cbor_put_bytes(b, m->cose);
    cbor_put_uint(b, m->kind);
    cbor_put_bytes(b, m->body);
}

enum err message_get_return(struct bytes item, struct return_item *out, struct why *why)
{
    struct cbor_reader r;
    bool good = begins(&r, item, 4, MSG_RETURN);
    struct bytes cose = cbor_get_bytes(&r);
    uint64_t kind = cbor_get_uint(&r);
    struct bytes body = cbor_get_bytes(&r);
    if (!good || !cbor_at_end(&r) || kind > RETURN_SEALED || (kind == RETURN_NONE) != (body.n == 0)) return broken(why);
    *out = (struct return_item){.cose = cose, .kind = (enum return_kind)kind, .body = body};
    return ERR_OK;
}

void message_put_holds(struct buf *b, const struct drop_item *v, size_t n)
{
    cbor_put_array(b, 2);
    cbor_put_uint(b, MSG_HOLDS);
    cbor_put_array(b, n);
    for (size_t i = 0; i < n; i++) {
        cbor_put_array(b, 2);
        cbor_put_uint(b, (uint64_t)v[i].table_index);
        cbor_put_bytes(b, bytes_of(v[i].id, sizeof v[i].id));
    }
}

static bool next_held(struct cbor_reader *r, struct drop_item *d)
{
    bool good = cbor_get_array(r, 2) == 2;
    uint64_t table = cbor_get_uint(r);
    cbor_get_fixed(r, d->id, sizeof d->id);
    d->table_index = table < INT32_MAX ? (int)table : -1;
    return good && r->err == ERR_OK && rules_table((size_t)table) != NULL;
}

enum err message_get_holds(struct bytes item, enum err (*each)(void *ctx, const struct drop_item *d, struct why *why),
                           void *ctx, struct why *why)
{
    struct drop_item d;
    for (int pass = 0; pass < 2; pass++) {
        struct cbor_reader r;
        bool good = begins(&r, item, 2, MSG_HOLDS);
        size_t n = cbor_get_array(&r, HOLDS_MAX);
        if (!good || n == 0) return broken(why);
        for (size_t i = 0; i < n; i++) {
            if (!next_held(&r, &d)) return broken(why);
            enum err e = pass == 0 ? ERR_OK : each(ctx, &d, why);
            if (e != ERR_OK) return e;
        }
        if (!cbor_at_end(&r)) return broken(why);
    }
    return ERR_OK;
}

void message_put_returned(struct buf *b)
{
    cbor_put_array(b, 1);
    cbor_put_uint(b, MSG_RETURNED);
}

enum err message_get_returned(struct bytes item, struct why *why)
{
    struct cbor_reader r;
    return begins(&r, item, 1, MSG_RETURNED) && cbor_at_end(&r) ? ERR_OK : broken(why);
}
