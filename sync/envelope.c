#include "sync/envelope.h"

#include "sync/rules.h"
#include "sync/signed.h"

#include <string.h>

/* FORMAT.md §2. An envelope and a page differ in type and header; their payload is the same list of commitments. */
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char envelope_type[] = "application/x-spoke-envelope";
static const char page_type[] = "application/x-spoke-page";

static const struct field envelope_fields[] = {
    FIELD(FIELD_FIXED, envelope_header, hub),      FIELD(FIELD_UINT, envelope_header, epoch),
    FIELD(FIELD_FIXED, envelope_header, base_cut), FIELD(FIELD_UINT, envelope_header, seq),
    FIELD(FIELD_FIXED, envelope_header, prev),     FIELD(FIELD_UINT, envelope_header, schema),
    FIELD(FIELD_UINT, envelope_header, hlc),       FIELD(FIELD_FIXED, envelope_header, user),
    FIELD(FIELD_FIXED, envelope_header, rescued),
};
static const struct field page_fields[] = {
    FIELD(FIELD_FIXED, page_header, node),   FIELD(FIELD_FIXED, page_header, from_cut),
    FIELD(FIELD_FIXED, page_header, to_cut), FIELD(FIELD_UINT, page_header, epoch),
    FIELD(FIELD_UINT, page_header, schema),
};

static void put_commitments(struct buf *b, const struct part *parts, size_t n)
{
    cbor_put_array(b, n);
    for (size_t i = 0; i < n; i++) {
        uint8_t commitment[HASH_BYTES];
        hash_commit(commitment, parts[i].salt, parts[i].content);
        cbor_put_array(b, 2);
        cbor_put_bytes(b, bytes_of(commitment, sizeof commitment));
        cbor_put_uint(b, parts[i].content.n);
    }
}

/* What is signed, as data. */
struct signed_kind {
    const char *type;
    const struct field *fields;
    size_t n_fields;
    size_t min_parts;
};
static const struct signed_kind envelope_kind = {envelope_type, envelope_fields, COUNT(envelope_fields), 1};
static const struct signed_kind page_kind = {page_type, page_fields, COUNT(page_fields), 0};

static enum err sign_parts(const struct identity_secret *by, const struct signed_kind *k, const void *h,
                           const struct part *parts, size_t n_parts, struct buf *out, struct why *why)
{
    struct buf header, payload;
    buf_init(&header, COSE_MAX);
    buf_init(&payload, COSE_MAX);
    enum err e = ERR_OK;
    if (n_parts > ENVELOPE_MAX_PARTS) {
        e = why_set(why, ERR_LIMIT, "One change touches more than %u cases.", ENVELOPE_MAX_PARTS);
        goto out;
    }
    if (n_parts < k->min_parts) {
        e = why_set(why, ERR_FORMAT, "A change that changes nothing is not signed.");
        goto out;
    }
    cbor_put_array(&header, k->n_fields);
    fields_put(&header, k->fields, k->n_fields, h);
    put_commitments(&payload, parts, n_parts);
    e = header.err != ERR_OK ? header.err : payload.err;
    if (e != ERR_OK) {
        (void)why_set(why, e, "A change could not be made ready for signing.");
        goto out;
    }
    e = signed_put(by, k->type, buf_bytes(&header), buf_bytes(&payload), out, why);
out:
    buf_release(&header);
    buf_release(&payload);
    return e;
}

/* Take the next [commitment, length]. */
static void get_commitment(struct cbor_reader *r, uint8_t out[HASH_BYTES], uint64_t *out_length)
{
    if (cbor_get_array(r, 2) != 2) r->err = ERR_FORMAT;
    cbor_get_fixed(r, out, HASH_BYTES);
    *out_length = cbor_get_uint(r);
}

static enum err verify_parts(struct bytes cose, const struct identity *by, const struct signed_kind *k, void *out_h,
                             size_t *out_n, struct bytes *out_payload, struct why *why)
{
    struct signed_parts s;
    struct cbor_reader h, p;
    uint8_t commitment[HASH_BYTES];
    uint64_t length;
    enum err e = signed_get(cose, by, k->type, true, &s, why);
    if (e != ERR_OK) return e;
    cbor_reader_init(&h, s.header);
    if (cbor_get_array(&h, k->n_fields) != k->n_fields) return signed_broken(why);
    fields_get(&h, k->fields, k->n_fields, out_h);
    cbor_reader_init(&p, s.payload);
    size_t n = cbor_get_array(&p, ENVELOPE_MAX_PARTS);
    for (size_t i = 0; i < n && p.err == ERR_OK; i++) get_commitment(&p, commitment, &length);
    if (!cbor_at_end(&h) || !cbor_at_end(&p) || n < k->min_parts) return signed_broken(why);
    *out_n = n;
    *out_payload = s.payload;
    return ERR_OK;
}

static enum err check_schema(uint64_t schema, struct why *why)
{
    if (schema == 0) return signed_broken(why);
    if (schema <= rules_schema_newest()) return ERR_OK;
    (void)why_set(why, ERR_VERSION, "These changes were made by a newer version of Spoke than this one.");
    return why_next(why, ERR_VERSION, "Update Spoke on this device. Nothing is lost until then.");
}

/* Step over one commitment by the width of its length alone: decoding all before the i-th would make a page of 4096
 * parts cost eight million decodings. verify_parts has judged every byte. */
static void skip_commitment(struct cbor_reader *r)
{
    size_t at = 1 + 2 + HASH_BYTES; /* array head, byte string head, hash: then the head of the length */
    unsigned info = r->in.n > at ? r->in.p[at] & 31u : 31u;
    size_t n = info < 24 ? at + 1 : info <= 27 ? at + 1 + ((size_t)1 << (info - 24)) : SIZE_MAX;
    if (n > r->in.n)
        r->err = ERR_FORMAT;
    else
        r->in = bytes_of(r->in.p + n, r->in.n - n);
}

/* Stand at the i-th commitment. */
static void seek(struct cbor_reader *r, struct bytes payload, struct part_cursor *c, size_t i)
{
    bool from_start = c->at == 0 || c->i > i;
    size_t k = from_start ? 0 : c->i, at = from_start ? 0 : c->at;
    cbor_reader_init(r, bytes_of(payload.p + at, payload.n - at));
    if (from_start) (void)cbor_get_array(r, ENVELOPE_MAX_PARTS);
    for (; k < i && r->err == ERR_OK; k++) skip_commitment(r);
    if (r->err == ERR_OK) *c = (struct part_cursor){.i = i, .at = payload.n - r->in.n};
}

static enum err check_part(struct bytes payload, size_t n, struct part_cursor *c, size_t i, const struct part *p,
                           struct why *why)
{
    struct cbor_reader r;
    uint8_t want[HASH_BYTES] = {0}, have[HASH_BYTES];
    uint64_t length = 0;
    seek(&r, payload, c, i < n ? i : 0);
    get_commitment(&r, want, &length);
    hash_commit(have, p->salt, p->content);
    if (i >= n || r.err != ERR_OK || length != p->content.n || memcmp(want, have, HASH_BYTES) != 0)
        return why_set(why, ERR_TAMPERED, "The content of a change is not what was signed.");
    return ERR_OK;
}

enum err envelope_sign(const struct identity_secret *by, const struct envelope_header *h, const struct part *parts,
                       size_t n_parts, struct buf *out, struct why *why)
{
    return sign_parts(by, &envelope_kind, h, parts, n_parts, out, why);
}

enum err envelope_verify(struct bytes cose, const struct identity *by, struct envelope *out, struct why *why)
{
    struct envelope v = {0};
    enum err e = verify_parts(cose, by, &envelope_kind, &v.h, &v.n_parts, &v.payload, why);
    if (e == ERR_OK && v.h.seq == 0) e = signed_broken(why);
    if (e == ERR_OK) e = check_schema(v.h.schema, why);
    if (e != ERR_OK) return e;
    memcpy(v.kid, by->kid, KID_BYTES);
    *out = v;
    return ERR_OK;
}

enum err envelope_check_part(struct envelope *e, size_t i, const struct part *p, struct why *why)
{
    return check_part(e->payload, e->n_parts, &e->cursor, i, p, why);
}

void envelope_hash(struct bytes cose, uint8_t out[HASH_BYTES])
{
    hash_labelled(out, "spoke/envelope/1", cose);
}

enum err page_sign(const struct identity_secret *hub, const struct page_header *h, const struct part *parts,
                   size_t n_parts, struct buf *out, struct why *why)
{
    return sign_parts(hub, &page_kind, h, parts, n_parts, out, why);
}

enum err page_verify(struct bytes cose, const struct identity *hub, struct signed_page *out, struct why *why)
{
    struct signed_page v = {0};
    enum err e = verify_parts(cose, hub, &page_kind, &v.h, &v.n_parts, &v.payload, why);
    if (e == ERR_OK) e = check_schema(v.h.schema, why);
    if (e != ERR_OK) return e;
    *out = v;
    return ERR_OK;
}

enum err page_check_part(struct signed_page *p, size_t i, const struct part *part, struct why *why)
{
    return check_part(p->payload, p->n_parts, &p->cursor, i, part, why);
}
