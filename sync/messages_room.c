#include "sync/message_item.h"

/* How many rows a device holds and may hold. FORMAT.md §4, item 29. */

static const struct field room_fields[] = {
    FIELD(FIELD_FIXED, room, node), FIELD(FIELD_UINT, room, request), FIELD(FIELD_UINT, room, held),
    FIELD(FIELD_UINT, room, most),  FIELD(FIELD_BOOL, room, stopped),
};
static const struct message_kind room_kind = {MSG_ROOM, "application/x-spoke-room", room_fields,
                                              sizeof room_fields / sizeof room_fields[0]};

enum err message_put_room(struct buf *b, const struct identity_secret *by, const struct room *m, struct why *why)
{
    return m->most > 0 ? message_item_put(b, by, &room_kind, m, why) : signed_broken(why);
}

enum err message_get_room(struct bytes item, const struct identity *by, struct room *out, struct why *why)
{
    struct bytes payload;
    struct room m;
    enum err e = message_item_verify(item, by, MSG_ROOM, room_kind.typ, &payload, NULL, why);
    if (e == ERR_OK) e = message_item_fields(payload, &room_kind, &m, why);
    if (e != ERR_OK) return e;
    if (m.most == 0) return signed_broken(why);
    *out = m;
    return ERR_OK;
}
