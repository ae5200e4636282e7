#include "sync/message_item.h"

#include <string.h>

/* Enrolment: a node that the hub does not know yet, and the hub's answer. FORMAT.md §4. */
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct field enrol_fields[] = {
    FIELD(FIELD_FIXED, enrol_request, token),    FIELD(FIELD_FIXED, enrol_request, node),
    FIELD(FIELD_FIXED, enrol_request, door),     FIELD(FIELD_FIXED, enrol_request, hub_fingerprint),
    FIELD(FIELD_TEXT, enrol_request, user),      FIELD(FIELD_TEXT, enrol_request, software),
    FIELD(FIELD_FIXED, enrol_request, binding),  FIELD(FIELD_UINT, enrol_request, schema),
};
static const struct field enrolled_fields[] = {
    FIELD(FIELD_FIXED, enrol_answer, node),    FIELD(FIELD_FIXED, enrol_answer, token_hash),
    FIELD(FIELD_TEXT, enrol_answer, hub_name), FIELD(FIELD_UINT, enrol_answer, epoch),
    FIELD(FIELD_TEXT, enrol_answer, site),     FIELD(FIELD_TEXT, enrol_answer, agency),
    FIELD(FIELD_FIXED, enrol_answer, user),    FIELD(FIELD_FIXED, enrol_answer, recovery_pk),
    FIELD(FIELD_UINT, enrol_answer, clock_ms), FIELD(FIELD_FIXED, enrol_answer, binding),
    FIELD(FIELD_UINT, enrol_answer, schema),
};
static const struct field replaces_fields[] = {
    FIELD(FIELD_FIXED, replaces, token),
    FIELD(FIELD_FIXED, replaces, node),
    FIELD(FIELD_FIXED, replaces, hub_fingerprint),
};

static const struct message_kind enrol_kind = {MSG_ENROL, "application/x-spoke-enrol", enrol_fields,
                                               COUNT(enrol_fields)};
static const struct message_kind enrolled_kind = {MSG_ENROLLED, "application/x-spoke-enrolled", enrolled_fields,
                                                  COUNT(enrolled_fields)};
static const struct message_kind replaces_kind = {MSG_REPLACES, "application/x-spoke-replaces", replaces_fields,
                                                  COUNT(replaces_fields)};

enum err message_put_enrol(struct buf *b, const struct identity_secret *by, const struct enrol_request *m,
                           struct why *why)
{
    return message_item_put(b, by, &enrol_kind, m, why);
}

/* The key that the message names is not believed until it is seen to have signed the message: only then is what else it
 * says looked at. Who holds the key is for the token to say. */
enum err message_get_enrol(struct bytes item, struct enrol_request *out, struct identity *out_node, struct why *why)
{
    struct bytes cose, payload;
    struct cose_parts claimed;
    struct enrol_request m;
    struct identity node;
    enum err e = message_item_cose(item, MSG_ENROL, &cose, why);
    if (e == ERR_OK) e = cose_parse(cose, &claimed, why);
    if (e == ERR_OK) e = message_item_fields(claimed.payload, &enrol_kind, &m, why);
    if (e == ERR_OK) e = identity_from_bytes(&node, bytes_of(m.node, sizeof m.node), why);
    if (e == ERR_OK) e = message_item_verify(item, &node, MSG_ENROL, enrol_kind.typ, &payload, NULL, why);
    if (e == ERR_OK && m.schema == 0) e = signed_broken(why);
    if (e == ERR_OK) {
        *out = m; /* payload is claimed.payload: both are borrowed from the one item */
        *out_node = node;
    }
    secret_wipe(m.token, sizeof m.token);
    return e;
}

enum err message_put_enrolled(struct buf *b, const struct identity_secret *by, const struct enrol_answer *m,
                              struct why *why)
{
    return message_item_put(b, by, &enrolled_kind, m, why);
}

enum err message_get_enrolled(struct bytes item, const struct identity *by, struct enrol_answer *out, struct why *why)
{
    struct bytes payload;
    struct enrol_answer m;
    enum err e = message_item_verify(item, by, MSG_ENROLLED, enrolled_kind.typ, &payload, NULL, why);
    if (e == ERR_OK) e = message_item_fields(payload, &enrolled_kind, &m, why);
    if (e != ERR_OK) return e;
    if (m.schema == 0) return signed_broken(why);
    *out = m;
    return ERR_OK;
}

enum err message_put_replaces(struct buf *b, const struct identity_secret *by, const struct replaces *m,
                              struct why *why)
{
    return message_item_put(b, by, &replaces_kind, m, why);
}

enum err message_replaces_kid(struct bytes item, uint8_t out_kid[KID_BYTES], struct why *why)
{
    struct bytes cose;
    struct cose_parts claimed;
    enum err e = message_item_cose(item, MSG_REPLACES, &cose, why);
    if (e == ERR_OK) e = cose_parse(cose, &claimed, why);
    if (e == ERR_OK) memcpy(out_kid, claimed.kid, KID_BYTES);
    return e;
}

enum err message_get_replaces(struct bytes item, const struct identity *by, struct replaces *out, struct why *why)
{
    struct bytes payload;
    struct replaces m;
    enum err e = message_item_verify(item, by, MSG_REPLACES, replaces_kind.typ, &payload, NULL, why);
    if (e == ERR_OK) e = message_item_fields(payload, &replaces_kind, &m, why);
    if (e != ERR_OK) return e;
    *out = m;
    return ERR_OK;
}
