/* The lines of an export of the transparency logs, as they are written. */
#include "hub/log_audit.h"

#include "base/cbor.h"
#include "crypto/base64.h"
#include "crypto/hash.h"

static void put_value(struct buf *out, const uint8_t *p, size_t n)
{
    char *to = p == NULL ? NULL : (char *)buf_grow(out, BASE64_CHARS(n) + 1);
    if (to == NULL) {
        buf_put_str(out, "-");
        return;
    }
    base64_encode(to, bytes_of(p, n));
    out->len--; /* its NUL */
}

void log_put_base64(struct buf *out, const char *word, struct bytes value)
{
    buf_put_str(out, word);
    buf_put_u8(out, ' ');
    put_value(out, value.p, value.n);
    buf_put_u8(out, '\n');
}

bool log_name_is_good(struct bytes name)
{
    if (name.n == 0 || !utf8_valid(name)) return false;
    for (size_t i = 0; i < name.n; i++) {
        bool c1 = name.p[i] == 0xc2 && i + 1 < name.n && name.p[i + 1] < 0xa0;
        if (name.p[i] < 0x20 || name.p[i] == 0x7f || c1) return false;
    }
    return true;
}

void log_put_head(struct buf *out, bool proof, const struct identity *hub, const char *name)
{
    uint8_t public[PUBLIC_BYTES];
    identity_to_bytes(hub, public);
    buf_put_str(out, proof ? LOG_PROOF_LINE "\nhub " : LOG_EXPORT_LINE "\nhub ");
    put_value(out, public, sizeof public);
    buf_put_u8(out, ' ');
    buf_put_str(out, log_name_is_good(bytes_of_str(name)) ? name : "?"); /* a hub of before may have another */
    buf_put_u8(out, '\n');
}

void log_put_leaf(struct buf *out, const struct log_leaf *l)
{
    buf_put_str(out, "leaf ");
    put_value(out, l->commitment, HASH_BYTES);
    buf_put_u8(out, ' ');
    put_value(out, l->salt, 32);
    buf_put_u8(out, ' ');
    put_value(out, l->salt == NULL ? NULL : l->content.p, l->content.n);
    buf_put_u8(out, '\n');
}
