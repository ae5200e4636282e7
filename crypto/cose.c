#include "crypto/cose.h"

#include "base/cbor.h"

#include <sodium.h>
#include <string.h>

/* FORMAT.md §2; numbers from RFC 9052 §3.1 and §4.2, RFC 9053 §2.2. */
enum { TAG_SIGN1 = 18, LABEL_ALG = 1, LABEL_KID = 4, ALG_EDDSA = -8, SIGNATURE_BYTES = crypto_sign_BYTES };
enum { FRAMING_MAX = 64 }; /* heads of a Sig_structure or a COSE_Sign1, generously */

/* A COSE_Sign1 taken apart. */
struct sign1 {
    struct bytes protected;   /* the header's encoding, without its byte string head */
    struct bytes payload;     /* borrowed */
    const uint8_t *signature; /* SIGNATURE_BYTES of it */
    struct cose_parts parts;  /* what the protected header says */
    bool eddsa;               /* alg is EdDSA */
};

/* What is signed: Sig_structure of RFC 9052 §4.4. It is rebuilt here, never taken from the sender. */
static void put_sig_structure(struct buf *b, struct bytes protected, struct bytes aad, struct bytes payload)
{
    cbor_put_array(b, 4);
    cbor_put_str(b, "Signature1");
    cbor_put_bytes(b, protected);
    cbor_put_bytes(b, aad);
    cbor_put_bytes(b, payload);
}

static bool is_one_item(struct bytes encoded)
{
    struct cbor_reader r;
    cbor_reader_init(&r, encoded);
    (void)cbor_get_item(&r);
    return cbor_at_end(&r);
}

/* Append the COSE_Sign1 to out, or leave out as long as it was. */
static enum err put_sign1(const struct identity_secret *by, struct bytes protected, struct bytes aad,
                          struct bytes payload, struct buf *out, struct why *why)
{
    struct buf tbs;
    uint8_t signature[SIGNATURE_BYTES];
    size_t before = out->len;
    buf_init(&tbs, protected.n + aad.n + payload.n + FRAMING_MAX);
    put_sig_structure(&tbs, protected, aad, payload);
    enum err err = tbs.err;
    if (err != ERR_OK) {
        (void)why_set(why, err, "there is not enough memory to sign a message");
        goto out;
    }
    (void)crypto_sign_detached(signature, NULL, tbs.data, tbs.len, by->keys.p);
    cbor_put_tag(out, TAG_SIGN1);
    cbor_put_array(out, 4);
    cbor_put_bytes(out, protected);
    cbor_put_map(out, 0);
    cbor_put_bytes(out, payload);
    cbor_put_bytes(out, bytes_of(signature, sizeof signature));
    err = out->err;
    if (err != ERR_OK) {
        out->len = before;
        (void)why_set(why, err, "a signed message is larger than there is room for");
    }
out:
    buf_release(&tbs);
    return err;
}

enum err cose_sign(const struct identity_secret *by, size_t n_extra, struct bytes extra, struct bytes external_aad,
                   struct bytes payload, struct buf *out, struct why *why)
{
    struct buf head;
    if (payload.n > COSE_MAX || extra.n > COSE_MAX - payload.n ||
        payload.n + extra.n > COSE_MAX - FRAMING_MAX - KID_BYTES - SIGNATURE_BYTES)
        return why_set(why, ERR_LIMIT, "a message is too large to be signed");
    buf_init(&head, extra.n + KID_BYTES + FRAMING_MAX);
    cbor_put_map(&head, 2 + n_extra);
    cbor_put_uint(&head, LABEL_ALG);
    cbor_put_int(&head, ALG_EDDSA);
    cbor_put_uint(&head, LABEL_KID);
    cbor_put_bytes(&head, bytes_of(by->pub.kid, KID_BYTES));
    buf_put_bytes(&head, extra);
    enum err err = head.err;
    if (err != ERR_OK)
        (void)why_set(why, err, "there is not enough memory to sign a message");
    else if (!is_one_item(buf_bytes(&head))) /* nobody could ever verify it: better found here */
        err = why_set(why, ERR_FORMAT, "the header of a message that was to be signed is not well formed");
    else
        err = put_sign1(by, buf_bytes(&head), external_aad, payload, out, why);
    buf_release(&head);
    return err;
}

/* The protected header: {1: alg, 4: kid, …}. A label below 4 other than alg (crit, content type) is refused with
 * whatever else is not this profile. */
static bool split_protected(struct sign1 *m)
{
    struct cbor_reader r;
    if (!is_one_item(m->protected)) /* key order and doubles are judged there */
        return false;
    cbor_reader_init(&r, m->protected);
    size_t pairs = cbor_get_map(&r, SIZE_MAX);
    if (pairs < 2 || cbor_get_uint(&r) != LABEL_ALG) return false;
    if (cbor_peek(&r) == CBOR_NEGINT)
        m->eddsa = cbor_get_int(&r) == ALG_EDDSA;
    else
        (void)cbor_get_item(&r); /* some other algorithm */
    if (cbor_get_uint(&r) != LABEL_KID) return false;
    cbor_get_fixed(&r, m->parts.kid, KID_BYTES);
    if (r.err != ERR_OK) return false;
    m->parts.n_extra = pairs - 2;
    m->parts.extra = r.in;
    return true;
}

static bool split_sign1(struct bytes in, struct sign1 *out)
{
    struct cbor_reader r;
    struct sign1 m = {0};
    if (in.n > COSE_MAX) return false;
    cbor_reader_init(&r, in);
    if (cbor_get_tag(&r) != TAG_SIGN1 || cbor_get_array(&r, 4) != 4) return false;
    m.protected = cbor_get_bytes(&r);
    (void)cbor_get_map(&r, 0); /* unprotected: what nobody signed, nobody may read */
    m.payload = cbor_get_bytes(&r);
    struct bytes signature = cbor_get_bytes(&r);
    if (!cbor_at_end(&r) || signature.n != SIGNATURE_BYTES || !split_protected(&m)) return false;
    m.signature = signature.p;
    m.parts.payload = m.payload;
    *out = m;
    return true;
}

enum err cose_parse(struct bytes in, struct cose_parts *out, struct why *why)
{
    struct sign1 m;
    if (!split_sign1(in, &m) || !m.eddsa)
        return why_set(why, ERR_FORMAT, "a signed message is damaged: it is not in the form that it should have");
    *out = m.parts;
    return ERR_OK;
}

enum err cose_verify(struct bytes in, const struct identity *by, struct bytes external_aad, struct cose_parts *out,
                     struct why *why)
{
    struct sign1 m;
    struct buf tbs;
    if (!split_sign1(in, &m))
        return why_set(why, ERR_FORMAT, "a signed message is damaged: it is not in the form that it should have");
    buf_init(&tbs, m.protected.n + external_aad.n + m.payload.n + FRAMING_MAX);
    put_sig_structure(&tbs, m.protected, external_aad, m.payload);
    enum err err = tbs.err;
    if (err != ERR_OK)
        (void)why_set(why, err, "there is not enough memory to check a signature");
    else if (!m.eddsa || memcmp(m.parts.kid, by->kid, KID_BYTES) != 0 ||
             crypto_sign_verify_detached(m.signature, tbs.data, tbs.len, by->sign_pk) != 0)
        err = why_set(why, ERR_TAMPERED, "a signature does not hold: the message was changed, or someone else made it");
    else
        *out = m.parts;
    buf_release(&tbs);
    return err;
}
