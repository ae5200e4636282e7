#include "sync/messages.h"

#include "sync/changeset.h"
#include "sync/message_item.h"

#include <string.h>

unsigned message_type(struct bytes item)
{
    struct cbor_reader r;
    cbor_reader_init(&r, item);
    (void)cbor_get_array(&r, 4);
    uint64_t type = cbor_get_uint(&r);
    if (r.err != ERR_OK) return 0;
    switch (type) {
    case MSG_NODE_HELLO:
    case MSG_RECEIPT:
    case MSG_VIEWS:
    case MSG_ENVELOPE:
    case MSG_GAP:
    case MSG_QUESTION:
    case MSG_WIPED:
    case MSG_RETURN:
    case MSG_HOLDS:
    case MSG_RETURNED:
    case MSG_NOTE:
    case MSG_EPOCH:
    case MSG_SEEN:
    case MSG_CHECKPOINT:
    case MSG_ROOM:
    case MSG_KNOCK:
    case MSG_REPLY:
    case MSG_HUB_HELLO:
    case MSG_VERDICTS:
    case MSG_ORDER:
    case MSG_DROPS:
    case MSG_PAGE:
    case MSG_PART:
    case MSG_ENDS:
    case MSG_DOOR:
    case MSG_ENROL:
    case MSG_REPLACES:
    case MSG_ENROLLED: return (unsigned)type;
    default: return 0;
    }
}

static void get_part(struct cbor_reader *r, struct part *out)
{
    cbor_get_fixed(r, out->salt, SALT_BYTES);
    out->content = cbor_get_bytes(r);
    if (out->content.n > CHANGESET_MAX_BYTES) r->err = ERR_FORMAT;
}

void message_put_envelope(struct buf *b, struct bytes cose, const struct part *parts, size_t n_parts)
{
    cbor_put_array(b, 3);
    cbor_put_uint(b, MSG_ENVELOPE);
    buf_put_bytes(b, cose);
    cbor_put_array(b, n_parts);
    for (size_t i = 0; i < n_parts; i++) {
        cbor_put_array(b, 2);
        cbor_put_bytes(b, bytes_of(parts[i].salt, SALT_BYTES));
        cbor_put_bytes(b, parts[i].content);
    }
}

enum err message_get_envelope(struct bytes item, struct bytes *out_cose, struct part *parts, size_t max, size_t *out_n,
                              struct why *why)
{
    struct cbor_reader r;
    cbor_reader_init(&r, item);
    size_t n_items = cbor_get_array(&r, 3);
    uint64_t type = cbor_get_uint(&r);
    struct bytes cose = cbor_get_item(&r);
    size_t n = cbor_get_array(&r, max < ENVELOPE_MAX_PARTS ? max : ENVELOPE_MAX_PARTS);
    for (size_t i = 0; i < n && r.err == ERR_OK; i++) {
        if (cbor_get_array(&r, 2) != 2) r.err = ERR_FORMAT;
        get_part(&r, &parts[i]);
    }
    if (!cbor_at_end(&r) || n_items != 3 || type != MSG_ENVELOPE) return signed_broken(why);
    *out_cose = cose;
    *out_n = n;
    return ERR_OK;
}

void message_put_page(struct buf *b, struct bytes cose, size_t n_parts)
{
    cbor_put_array(b, 3);
    cbor_put_uint(b, MSG_PAGE);
    buf_put_bytes(b, cose);
    cbor_put_uint(b, n_parts);
}

enum err message_get_page(struct bytes item, struct bytes *out_cose, size_t *out_n_parts, struct why *why)
{
    struct cbor_reader r;
    cbor_reader_init(&r, item);
    size_t n_items = cbor_get_array(&r, 3);
    uint64_t type = cbor_get_uint(&r);
    struct bytes cose = cbor_get_item(&r);
    uint64_t n = cbor_get_uint(&r);
    if (!cbor_at_end(&r) || n_items != 3 || type != MSG_PAGE || n > ENVELOPE_MAX_PARTS) return signed_broken(why);
    *out_cose = cose;
    *out_n_parts = (size_t)n;
    return ERR_OK;
}

void message_put_part(struct buf *b, const struct part *p)
{
    cbor_put_array(b, 3);
    cbor_put_uint(b, MSG_PART);
    cbor_put_bytes(b, bytes_of(p->salt, SALT_BYTES));
    cbor_put_bytes(b, p->content);
}

enum err message_get_part(struct bytes item, struct part *out, struct why *why)
{
    struct cbor_reader r;
    struct part p;
    cbor_reader_init(&r, item);
    size_t n_items = cbor_get_array(&r, 3);
    uint64_t type = cbor_get_uint(&r);
    get_part(&r, &p);
    if (!cbor_at_end(&r) || n_items != 3 || type != MSG_PART) return signed_broken(why);
    *out = p;
    return ERR_OK;
}
