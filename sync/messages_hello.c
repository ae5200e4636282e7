#include "sync/message_item.h"

/* The hellos, the receipt and the gap: signed structs of fixed fields. FORMAT.md §4. */
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct field node_hello_fields[] = {
    FIELD(FIELD_FIXED, node_hello, binding),     FIELD(FIELD_FIXED, node_hello, hub),
    FIELD(FIELD_UINT, node_hello, epoch),        FIELD(FIELD_UINT, node_hello, request),
    FIELD(FIELD_FIXED, node_hello, last_answer), FIELD(FIELD_FIXED, node_hello, cursor),
    FIELD(FIELD_UINT, node_hello, schema),       FIELD(FIELD_TEXT, node_hello, software),
    FIELD(FIELD_UINT, node_hello, clock_ms),     FIELD(FIELD_UINT, node_hello, unsent),
    FIELD(FIELD_UINT, node_hello, oldest_ms),    FIELD(FIELD_UINT, node_hello, budget),
    FIELD(FIELD_UINT, node_hello, wait_ms),      FIELD(FIELD_UINT, node_hello, order),
};
static const struct field hub_hello_fields[] = {
    FIELD(FIELD_FIXED, hub_hello, binding),      FIELD(FIELD_FIXED, hub_hello, node),
    FIELD(FIELD_UINT, hub_hello, epoch),         FIELD(FIELD_UINT, hub_hello, request),
    FIELD(FIELD_FIXED, hub_hello, request_hash), FIELD(FIELD_UINT, hub_hello, clock_ms),
    FIELD(FIELD_FIXED, hub_hello, cut),          FIELD(FIELD_BOOL, hub_hello, more),
    FIELD(FIELD_BOOL, hub_hello, revoked),       FIELD(FIELD_UINT, hub_hello, drops),
    FIELD(FIELD_UINT, hub_hello, schema),        FIELD(FIELD_UINT, hub_hello, covered),
};
static const struct field receipt_fields[] = {
    FIELD(FIELD_FIXED, receipt, node), FIELD(FIELD_UINT, receipt, request), FIELD(FIELD_FIXED, receipt, drops_hash),
    FIELD(FIELD_UINT, receipt, rows),  FIELD(FIELD_UINT, receipt, done_ms), FIELD(FIELD_UINT, receipt, parked),
    FIELD(FIELD_UINT, receipt, kind),
};

static const struct field gap_fields[] = {
    FIELD(FIELD_FIXED, gap, hub),
    FIELD(FIELD_UINT, gap, seq),
    FIELD(FIELD_FIXED, gap, hash),
};

static const struct message_kind node_hello_kind = {MSG_NODE_HELLO, "application/x-spoke-node-hello", node_hello_fields,
                                                    COUNT(node_hello_fields)};
static const struct message_kind hub_hello_kind = {MSG_HUB_HELLO, "application/x-spoke-hub-hello", hub_hello_fields,
                                                   COUNT(hub_hello_fields)};
static const struct message_kind gap_kind = {MSG_GAP, "application/x-spoke-gap", gap_fields, COUNT(gap_fields)};
static const struct message_kind receipt_kind = {MSG_RECEIPT, "application/x-spoke-receipt", receipt_fields,
                                                 COUNT(receipt_fields)};

enum err message_put_node_hello(struct buf *b, const struct identity_secret *by, const struct node_hello *m,
                                struct why *why)
{
    return message_item_put(b, by, &node_hello_kind, m, why);
}

enum err message_get_node_hello(struct bytes item, const struct identity *by, struct node_hello *out, struct why *why)
{
    struct bytes payload;
    struct node_hello m;
    enum err e = message_item_verify(item, by, MSG_NODE_HELLO, node_hello_kind.typ, &payload, NULL, why);
    if (e == ERR_OK) e = message_item_fields(payload, &node_hello_kind, &m, why);
    if (e != ERR_OK) return e;
    if (m.request == 0 || m.schema == 0) /* both count from 1; 0 is "none yet" in a store */
        return signed_broken(why);
    *out = m;
    return ERR_OK;
}

enum err message_put_hub_hello(struct buf *b, const struct identity_secret *by, const struct hub_hello *m,
                               struct why *why)
{
    return message_item_put(b, by, &hub_hello_kind, m, why);
}

enum err message_get_hub_hello(struct bytes item, const struct identity *by, struct hub_hello *out, struct why *why)
{
    struct bytes payload;
    struct hub_hello m;
    enum err e = message_item_verify(item, by, MSG_HUB_HELLO, hub_hello_kind.typ, &payload, NULL, why);
    if (e == ERR_OK) e = message_item_fields(payload, &hub_hello_kind, &m, why);
    if (e != ERR_OK) return e;
    if (m.schema == 0) return signed_broken(why);
    *out = m;
    return ERR_OK;
}

enum err message_put_receipt(struct buf *b, const struct identity_secret *by, const struct receipt *m, struct why *why)
{
    return message_item_put(b, by, &receipt_kind, m, why);
}

enum err message_get_receipt(struct bytes item, const struct identity *by, struct receipt *out, struct bytes *out_cose,
                             struct why *why)
{
    struct bytes payload, cose;
    struct receipt m;
    enum err e = message_item_verify(item, by, MSG_RECEIPT, receipt_kind.typ, &payload, &cose, why);
    if (e == ERR_OK) e = message_item_fields(payload, &receipt_kind, &m, why);
    if (e != ERR_OK) return e;
    if (m.kind != 1 && m.kind != 2) return signed_broken(why);
    *out = m;
    if (out_cose != NULL) *out_cose = cose;
    return ERR_OK;
}

enum err message_put_gap(struct buf *b, const struct identity_secret *by, const struct gap *m, struct why *why)
{
    return message_item_put(b, by, &gap_kind, m, why);
}

enum err message_get_gap(struct bytes item, const struct identity *by, struct gap *out, struct bytes *out_cose,
                         struct why *why)
{
    struct bytes payload, cose;
    struct gap m;
    enum err e = message_item_verify(item, by, MSG_GAP, gap_kind.typ, &payload, &cose, why);
    if (e == ERR_OK) e = message_item_fields(payload, &gap_kind, &m, why);
    if (e != ERR_OK) return e;
    if (m.seq == 0) return signed_broken(why);
    *out = m;
    if (out_cose != NULL) *out_cose = cose;
    return ERR_OK;
}
