#include "hub/note.h"
#include "hub/intake.h"

#include "base/cbor.h"
#include "crypto/device.h"
#include "crypto/hash.h"
#include "sync/bundle.h"
#include "sync/messages_return.h"

#include <string.h>

#define NOTE_LABEL   "spoke/note/1"
#define CUT_NUMBERS  8u
#define NOTE_MAX_ALL 1000000u /* verdicts in one */

static enum err no_memory(struct why *why)
{
    return why_set(why, ERR_NOMEM, "There is not enough memory to answer.");
}

/* A key that is in every backup, and nowhere but here. */
static enum err note_key(struct hub *h, struct why *why)
{
    struct secret keys = {0};
    if (h->note_key.p != NULL) return ERR_OK;
    enum err e = secret_new(&keys, 96, why);
    if (e == ERR_OK) e = secret_new(&h->note_key, DEVICE_SECRET_BYTES, why);
    if (e == ERR_OK) {
        identity_secret_to_bytes(&h->id, keys.p);
        hash_labelled(h->note_key.p, NOTE_LABEL, bytes_of(keys.p, keys.n));
    }
    secret_release(&keys);
    return e;
}

static void put_number(struct buf *b, uint64_t v)
{
    uint8_t be[8];
    for (int i = 7; i >= 0; i--, v >>= 8) be[i] = (uint8_t)v;
    cbor_put_bytes(b, bytes_of(be, sizeof be));
}

static bool get_number(struct cbor_reader *r, uint64_t *out)
{
    uint8_t be[8];
    cbor_get_fixed(r, be, sizeof be);
    *out = 0;
    for (int i = 0; i < 8; i++) *out = *out << 8 | be[i];
    return r->err == ERR_OK && *out <= INT64_MAX;
}

static void put_cut(struct buf *b, const struct cut *c, int64_t served_at)
{
    struct buf all;
    if (c == NULL) {
        cbor_put_bytes(b, bytes_of("", 0));
        return;
    }
    const int64_t numbers[CUT_NUMBERS] = {
        c->lo, c->hi, c->pos, c->pos_from, c->at, (int64_t)c->schema, (int64_t)c->schema_lo, served_at};
    buf_init(&all, 256);
    buf_put(&all, c->name, sizeof c->name);
    for (size_t i = 0; i < CUT_NUMBERS; i++) buf_put_be64(&all, (uint64_t)numbers[i]);
    cbor_put_bytes(b, buf_bytes(&all));
    if (all.err != ERR_OK) b->err = all.err;
    buf_release(&all);
}

static bool get_cut(struct bytes in, struct note_cut *out)
{
    int64_t v[CUT_NUMBERS];
    *out = (struct note_cut){0};
    if (in.n == 0) return true;
    if (in.n != 16 + 8 * CUT_NUMBERS) return false;
    memcpy(out->cut.name, in.p, 16);
    for (size_t i = 0; i < CUT_NUMBERS; i++) {
        uint64_t n = 0;
        for (size_t k = 0; k < 8; k++) n = n << 8 | in.p[16 + 8 * i + k];
        if (n > INT64_MAX) return false;
        v[i] = (int64_t)n;
    }
    out->cut.lo = v[0];
    out->cut.hi = v[1];
    out->cut.pos = v[2];
    out->cut.pos_from = v[3];
    out->cut.at = v[4];
    out->cut.schema = (uint64_t)v[5];
    out->cut.schema_lo = (uint64_t)v[6];
    out->served_at = v[7];
    return true;
}

/* Verdicts that this answer tells, into `list`. */
static enum err put_outcomes(struct hub *h, int64_t node_no, struct buf *list, size_t *out_n, struct why *why)
{
    struct stmt *s;
    bool row = true, few = false;
    *out_n = 0;
    enum err e = answer_few_untold(h, node_no, &few, why);
    if (e == ERR_OK) e = answer_untold(h, node_no, few ? VERDICTS_AN_ITEM : ANSWER_VERDICTS, &s, why);
    if (e != ERR_OK) return e;
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        cbor_put_array(list, 6);
        put_number(list, (uint64_t)db_int(s, 0));
        cbor_put_bytes(list, db_bytes(s, 1));
        for (int i = 2; i < 5; i++) put_number(list, (uint64_t)db_int(s, i));
        cbor_put_text(list, db_bytes(s, 5));
        ++*out_n;
    }
    db_done(s);
    return e;
}

static enum err covered_of(struct hub *h, int64_t node_no, uint64_t *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db, "SELECT request FROM h_covered WHERE node_no = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, node_no);
    e = db_step(s, &row, why);
    if (e == ERR_OK) *out = row ? (uint64_t)db_int(s, 0) : 0;
    db_done(s);
    return e;
}

enum err note_put(struct hub *h, const struct hub_node *n, uint64_t request, const struct cut *served, struct buf *out,
                  struct why *why)
{
    struct note_item item = {.request = request};
    struct buf list, plain, sealed;
    size_t n_list = 0;
    buf_init(&list, NOTE_SEALED_MAX);
    buf_init(&plain, NOTE_SEALED_MAX);
    buf_init(&sealed, NOTE_SEALED_MAX);
    enum err e = put_outcomes(h, n->no, &list, &n_list, why);
    if (e != ERR_OK || (n_list == 0 && served == NULL)) goto out;
    cbor_put_array(&plain, 4);
    cbor_put_bytes(&plain, bytes_of(n->id.kid, KID_BYTES));
    put_number(&plain, request);
    put_cut(&plain, served, h->now_ms);
    cbor_put_array(&plain, n_list);
    buf_put_bytes(&plain, buf_bytes(&list));
    if (list.err != ERR_OK || plain.err != ERR_OK) e = no_memory(why);
    if (e == ERR_OK) e = note_key(h, why);
    if (e == ERR_OK) e = device_seal(&h->note_key, NOTE_LABEL, buf_bytes(&plain), &sealed, why);
    if (e == ERR_OK) e = covered_of(h, n->no, &item.covered, why);
    item.note = buf_bytes(&sealed);
    if (e == ERR_OK) message_put_note(out, &item);
    if (e == ERR_OK && out->err != ERR_OK) e = no_memory(why);
out:
    buf_release(&list);
    buf_release(&plain);
    buf_release(&sealed);
    return e;
}

enum err note_tell(struct hub *h, const struct hub_node *n, uint64_t request, const struct cut *served,
                   struct bundle_writer *w, struct why *why)
{
    struct buf item;
    buf_init(&item, NOTE_SEALED_MAX + 64);
    enum err e = note_put(h, n, request, served, &item, why);
    if (e == ERR_OK && item.len > 0) e = bundle_put(w, "", buf_bytes(&item), why);
    buf_release(&item);
    return e;
}

static enum err damaged(struct why *why)
{
    return why_set(why, ERR_TAMPERED, "A note that a device returned is not one that this hub gave it.");
}

static bool get_outcome(struct cbor_reader *r, struct note_outcome *o)
{
    uint64_t version = 0, verdict = 0, received = 0;
    bool good = cbor_get_array(r, 6) == 6 && get_number(r, &o->seq);
    cbor_get_fixed(r, o->hash, HASH_BYTES);
    good = get_number(r, &version) && get_number(r, &verdict) && get_number(r, &received) && good;
    o->version = (int64_t)version;
    o->verdict = (enum verdict)verdict;
    o->received_at = (int64_t)received;
    o->reason = cbor_get_text(r);
    return good && r->err == ERR_OK && verdict <= VERDICT_DISMISSED && o->seq > 0;
}

static enum err read_note(const struct hub_node *n, struct bytes plain, struct note_cut *out_cut, note_fn each,
                          void *ctx, struct why *why)
{
    for (int pass = 0; pass < 2; pass++) {
        uint8_t kid[KID_BYTES];
        uint64_t request = 0;
        struct cbor_reader r;
        cbor_reader_init(&r, plain);
        bool good = cbor_get_array(&r, 4) == 4;
        cbor_get_fixed(&r, kid, sizeof kid);
        good = get_number(&r, &request) && good;
        good = get_cut(cbor_get_bytes(&r), out_cut) && good;
        size_t count = cbor_get_array(&r, NOTE_MAX_ALL);
        if (!good || memcmp(kid, n->id.kid, sizeof kid) != 0) return damaged(why);
        for (size_t i = 0; i < count; i++) {
            struct note_outcome o;
            if (!get_outcome(&r, &o)) return damaged(why);
            enum err e = pass == 0 ? ERR_OK : each(ctx, &o, why);
            if (e != ERR_OK) return e;
        }
        if (!cbor_at_end(&r)) return damaged(why);
    }
    return ERR_OK;
}

enum err note_open(struct hub *h, const struct hub_node *n, struct bytes note, struct note_cut *out_cut, note_fn each,
                   void *ctx, struct why *why)
{
    struct buf plain;
    buf_init(&plain, NOTE_SEALED_MAX);
    enum err e = note_key(h, why);
    if (e == ERR_OK) {
        e = device_open(&h->note_key, NOTE_LABEL, note, &plain, NULL);
        if (e != ERR_OK && e != ERR_NOMEM) e = damaged(why);
    }
    if (e == ERR_OK) e = read_note(n, buf_bytes(&plain), out_cut, each, ctx, why);
    buf_release(&plain);
    return e;
}
