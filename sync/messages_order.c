#include "sync/message_item.h"

#include <string.h>

/* Orders to one device, and what is said at the door. FORMAT.md §4 (items 7, 8, 19, 25), §4.1. */
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct field order_fields[] = {
    FIELD(FIELD_FIXED, order, node), FIELD(FIELD_UINT, order, number), FIELD(FIELD_UINT, order, kind),
    FIELD(FIELD_UINT, order, value), FIELD(FIELD_UINT, order, at_ms),
};
static const struct field wiped_fields[] = {
    FIELD(FIELD_FIXED, wiped, node), FIELD(FIELD_UINT, wiped, number), FIELD(FIELD_FIXED, wiped, order_hash),
    FIELD(FIELD_UINT, wiped, at_ms), FIELD(FIELD_UINT, wiped, unsent),
};
static const struct field knock_fields[] = {
    FIELD(FIELD_FIXED, knock, binding), FIELD(FIELD_FIXED, knock, hub),     FIELD(FIELD_FIXED, knock, node),
    FIELD(FIELD_UINT, knock, order),    FIELD(FIELD_UINT, knock, clock_ms),
};
static const struct field door_fields[] = {
    FIELD(FIELD_FIXED, door_answer, request_hash),
    FIELD(FIELD_UINT, door_answer, clock_ms),
    FIELD(FIELD_UINT, door_answer, wiped),
};

static const struct message_kind order_message = {MSG_ORDER, "application/x-spoke-order", order_fields,
                                                  COUNT(order_fields)};
static const struct message_kind wiped_kind = {MSG_WIPED, "application/x-spoke-wiped", wiped_fields,
                                               COUNT(wiped_fields)};
static const struct message_kind knock_kind = {MSG_KNOCK, "application/x-spoke-knock", knock_fields,
                                               COUNT(knock_fields)};
static const struct message_kind door_kind = {MSG_DOOR, "application/x-spoke-door", door_fields, COUNT(door_fields)};

/* A kind that a later version may add is nothing that this one could carry out: it is refused, not skipped, so that the
 * hub's administrators see that the device must be updated. */
static bool order_ok(const struct order *m)
{
    if (m->number == 0) return false;
    switch (m->kind) {
    case ORDER_LEASE: return m->value >= 1 && m->value <= LEASE_MAX_DAYS;
    case ORDER_WIPE: return m->value == ORDER_WHEN_SENT || m->value == ORDER_AT_ONCE;
    default: return false;
    }
}

enum err message_put_order(struct buf *b, const struct identity_secret *by, const struct order *m, struct why *why)
{
    return order_ok(m) ? message_item_put(b, by, &order_message, m, why) : signed_broken(why);
}

enum err message_get_order(struct bytes item, const struct identity *by, struct order *out, struct bytes *out_cose,
                           struct why *why)
{
    struct bytes payload, cose;
    struct order m;
    enum err e = message_item_verify(item, by, MSG_ORDER, order_message.typ, &payload, &cose, why);
    if (e == ERR_OK) e = message_item_fields(payload, &order_message, &m, why);
    if (e != ERR_OK) return e;
    if (!order_ok(&m)) return signed_broken(why);
    *out = m;
    if (out_cose != NULL) *out_cose = cose;
    return ERR_OK;
}

enum err message_put_wiped(struct buf *b, const struct identity_secret *by, const struct wiped *m, struct why *why)
{
    return m->number != 0 ? message_item_put(b, by, &wiped_kind, m, why) : signed_broken(why);
}

enum err message_get_wiped(struct bytes item, const struct identity *by, struct wiped *out, struct bytes *out_cose,
                           struct why *why)
{
    struct bytes payload, cose;
    struct wiped m;
    enum err e = message_item_verify(item, by, MSG_WIPED, wiped_kind.typ, &payload, &cose, why);
    if (e == ERR_OK) e = message_item_fields(payload, &wiped_kind, &m, why);
    if (e != ERR_OK) return e;
    if (m.number == 0) return signed_broken(why);
    *out = m;
    if (out_cose != NULL) *out_cose = cose;
    return ERR_OK;
}

enum err message_put_knock(struct buf *b, const struct identity_secret *by, const struct knock *m, struct why *why)
{
    return message_item_put(b, by, &knock_kind, m, why);
}

enum err message_get_knock(struct bytes item, const struct identity *by, struct knock *out, struct why *why)
{
    struct bytes payload;
    struct knock m;
    enum err e = message_item_verify(item, by, MSG_KNOCK, knock_kind.typ, &payload, NULL, why);
    if (e == ERR_OK) e = message_item_fields(payload, &knock_kind, &m, why);
    if (e == ERR_OK) *out = m;
    return e;
}

enum err message_put_door(struct buf *b, const struct identity_secret *by, const struct door_answer *m, struct why *why)
{
    return message_item_put(b, by, &door_kind, m, why);
}

enum err message_get_door(struct bytes item, const struct identity *by, struct door_answer *out, struct why *why)
{
    struct bytes payload;
    struct door_answer m;
    enum err e = message_item_verify(item, by, MSG_DOOR, door_kind.typ, &payload, NULL, why);
    if (e == ERR_OK) e = message_item_fields(payload, &door_kind, &m, why);
    if (e == ERR_OK) *out = m;
    return e;
}

enum err message_door_kid(struct bytes item, uint8_t out_kid[KID_BYTES], struct why *why)
{
    struct bytes cose;
    struct cose_parts claimed;
    unsigned type = message_type(item);
    if (type != MSG_KNOCK && type != MSG_WIPED) return signed_broken(why);
    enum err e = message_item_cose(item, type, &cose, why);
    if (e == ERR_OK) e = cose_parse(cose, &claimed, why);
    if (e == ERR_OK) memcpy(out_kid, claimed.kid, KID_BYTES);
    return e;
}
