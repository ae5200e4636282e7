#include "hub/known.h"

#include "crypto/seal.h"

#include <string.h>

enum err known_refused(struct why *why)
{
    (void)why_set(why, ERR_REFUSED, "This device's request is not accepted.");
    return why_next(why, ERR_REFUSED,
                    "Ask the MASH's administrators. If this device was put back from a copy, it must be "
                    "enrolled anew.");
}

enum err known_sender(const struct hub *h, struct bytes request, uint8_t out_kid[KID_BYTES], struct why *why)
{
    struct seal_header head;
    enum err e = seal_peek(request, &head, why);
    if (e != ERR_OK) return e;
    if (head.kind != KIND_REQUEST || memcmp(head.recipient, h->id.pub.kid, KID_BYTES) != 0) return known_refused(why);
    memcpy(out_kid, head.sender, KID_BYTES);
    return ERR_OK;
}

static enum err looked_up(enum err e, struct why *why)
{
    return e == ERR_NOTFOUND ? known_refused(why)
           : e == ERR_OK     ? e
                             : why_set(why, e, "The hub could not look a device up.");
}

enum err known_node(struct hub *h, struct bytes request, struct hub_node *out, struct why *why)
{
    uint8_t kid[KID_BYTES];
    enum err e = known_sender(h, request, kid, why);
    return e == ERR_OK ? looked_up(nodes_by_kid(h, kid, out, NULL), why) : e;
}

enum err known_asking(struct hub *h, struct bytes request, const uint8_t hash[32], struct hub_node *out, bool *out_had,
                      struct why *why)
{
    uint8_t kid[KID_BYTES];
    enum err e = known_sender(h, request, kid, why);
    return e == ERR_OK ? looked_up(nodes_asking(h, kid, hash, out, out_had, NULL), why) : e;
}

enum err known_again(struct hub *h, struct bytes request, struct hub_node *inout, bool *out_overtaken, struct why *why)
{
    struct hub_node now;
    *out_overtaken = false;
    if (!db_is_postgres(h->db)) return ERR_OK;
    enum err e = known_node(h, request, &now, why);
    if (e != ERR_OK) return e;
    *out_overtaken =
        now.last_request != inout->last_request || memcmp(now.request_hash, inout->request_hash, HASH_BYTES) != 0;
    *inout = now;
    return ERR_OK;
}

enum err known_answer(struct hub *h, const uint8_t request_hash[32], struct buf *out, bool *out_found, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db, "SELECT answer FROM h_answer WHERE request_hash = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_blob(s, 1, bytes_of(request_hash, HASH_BYTES));
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) {
        buf_put_bytes(out, db_bytes(s, 0));
        if (out->err != ERR_OK) e = why_set(why, out->err, "There is not enough memory to answer.");
    }
    db_done(s);
    if (e == ERR_OK) *out_found = row;
    return e;
}

enum err hub_answer_again(struct hub *h, const uint8_t request_hash[32], struct buf *out, struct why *why)
{
    bool found = false;
    enum err e = known_answer(h, request_hash, out, &found, why);
    return e == ERR_OK && !found ? why_set(why, ERR_NOTFOUND, "The hub has no answer to this request.") : e;
}

enum err known_refuse_late(struct hub *h, const struct hub_node *n, const uint8_t hash[32], struct why *why)
{
    bool had = false;
    enum err e = nodes_had_request(h, n->no, hash, &had, why);
    return e == ERR_OK && had ? known_late(why) : e;
}

enum err known_late(struct why *why)
{
    (void)why_set(why, ERR_EXISTS,
                  "This came late: everything in it had been taken in already, and newer requests of the same device since. "
                  "Nothing was changed, and no answer is needed.");
    return why_next(why, ERR_EXISTS, "Carry on with the newest file of that device.");
}
