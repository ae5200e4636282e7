#include "sync/message_item.h"
#include "sync/rules.h"

#include <string.h>

/* Verdicts, drops and ends: [node, request, [entry, …]], signed by the hub. A list is walked whole before any entry
 * is handed out, so that nothing is done for a message that ends in nonsense. FORMAT.md §4. */
enum { VERDICTS_MAX = 65536, DROPS_MAX = 20000, REASON_MAX = 4096 };

static const char verdicts_typ[] = "application/x-spoke-verdicts";
static const char drops_typ[] = "application/x-spoke-drops";
static const char ends_typ[] = "application/x-spoke-ends";

static const char *const verdict_words[] = {
    [VERDICT_APPLIED] = "applied", [VERDICT_MERGED] = "merged", [VERDICT_HELD] = "held",
    [VERDICT_WAITS] = "waits",     [VERDICT_FAULT] = "fault",     [VERDICT_DISMISSED] = "dismissed",
};
#define VERDICTS_KNOWN (sizeof verdict_words / sizeof verdict_words[0])

const char *verdict_word(enum verdict v)
{
    return (size_t)v < VERDICTS_KNOWN ? verdict_words[v] : "unknown";
}

bool verdict_lacks(struct bytes reason)
{
    return reason.n >= sizeof REASON_LACKS - 1 && memcmp(reason.p, REASON_LACKS, sizeof REASON_LACKS - 1) == 0;
}

static bool verdict_ok(const struct verdict_item *v)
{
    bool plain = v->verdict == VERDICT_APPLIED || v->verdict == VERDICT_MERGED;
    return v->seq > 0 && v->seq <= INT64_MAX && (size_t)v->verdict < VERDICTS_KNOWN && v->reason.n <= REASON_MAX &&
           utf8_valid(v->reason) && (!plain || v->reason.n == 0);
}

static void put_list_head(struct buf *b, const uint8_t node[KID_BYTES], uint64_t request, size_t n)
{
    cbor_put_array(b, 3);
    cbor_put_bytes(b, bytes_of(node, KID_BYTES));
    cbor_put_uint(b, request);
    cbor_put_array(b, n);
}

/* ERR_TAMPERED: a list for another node, or of another answer, laid into this one. */
static enum err get_list_head(struct cbor_reader *r, const uint8_t node[KID_BYTES], uint64_t request, size_t max,
                              size_t *out_n, struct why *why)
{
    uint8_t to[KID_BYTES];
    size_t n_items = cbor_get_array(r, 3);
    cbor_get_fixed(r, to, KID_BYTES);
    uint64_t answers = cbor_get_uint(r);
    size_t n = cbor_get_array(r, max);
    if (r->err != ERR_OK || n_items != 3) return signed_broken(why);
    if (memcmp(to, node, KID_BYTES) != 0 || answers != request)
        return why_set(why, ERR_TAMPERED, "The answer holds a message that belongs to another answer.");
    *out_n = n;
    return ERR_OK;
}

static enum err finish(struct buf *payload, struct buf *b, const struct identity_secret *by, enum message_type type,
                       const char *typ, struct why *why)
{
    enum err e = payload->err;
    if (e != ERR_OK)
        (void)why_set(why, e, "A message could not be made ready for signing.");
    else
        e = message_item_sign(b, by, type, typ, buf_bytes(payload), why);
    buf_release(payload);
    return e;
}

enum err message_put_verdicts(struct buf *b, const struct identity_secret *by, const uint8_t node[KID_BYTES],
                              uint64_t request, const struct verdict_item *v, size_t n, struct why *why)
{
    struct buf payload;
    if (n > VERDICTS_MAX) return why_set(why, ERR_LIMIT, "There are too many verdicts for one message.");
    buf_init(&payload, COSE_MAX);
    put_list_head(&payload, node, request, n);
    for (size_t i = 0; i < n; i++) {
        if (!verdict_ok(&v[i]) && payload.err == ERR_OK) payload.err = ERR_FORMAT;
        cbor_put_array(&payload, 3);
        cbor_put_uint(&payload, v[i].seq);
        cbor_put_uint(&payload, v[i].verdict);
        cbor_put_text(&payload, v[i].reason);
    }
    return finish(&payload, b, by, MSG_VERDICTS, verdicts_typ, why);
}

static void get_verdict(struct cbor_reader *r, struct verdict_item *out)
{
    size_t n_items = cbor_get_array(r, 3);
    out->seq = cbor_get_uint(r);
    uint64_t verdict = cbor_get_uint(r);
    out->reason = cbor_get_text(r);
    out->verdict = verdict < VERDICTS_KNOWN ? (enum verdict)verdict : VERDICT_FAULT;
    if (n_items != 3 || verdict >= VERDICTS_KNOWN || !verdict_ok(out)) r->err = ERR_FORMAT;
}

enum err message_get_verdicts(struct bytes item, const struct identity *by, const uint8_t node[KID_BYTES],
                              uint64_t request,
                              enum err (*each)(void *ctx, const struct verdict_item *v, struct why *why), void *ctx,
                              struct why *why)
{
    struct bytes payload;
    struct cbor_reader r;
    struct verdict_item v;
    size_t n = 0;
    enum err e = message_item_verify(item, by, MSG_VERDICTS, verdicts_typ, &payload, NULL, why);
    if (e != ERR_OK) return e;
    cbor_reader_init(&r, payload);
    e = get_list_head(&r, node, request, VERDICTS_MAX, &n, why);
    if (e != ERR_OK) return e;
    struct cbor_reader again = r;
    for (size_t i = 0; i < n && r.err == ERR_OK; i++) get_verdict(&r, &v);
    if (!cbor_at_end(&r)) return signed_broken(why);
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        get_verdict(&again, &v);
        e = each(ctx, &v, why);
    }
    return e;
}

static bool table_ok(int64_t table_index)
{
    size_t n_tables;
    (void)rules_tables(&n_tables);
    return table_index >= 0 && (uint64_t)table_index < n_tables;
}

enum err message_put_drops(struct buf *b, const struct identity_secret *by, const uint8_t node[KID_BYTES],
                           uint64_t request, const struct drop_item *v, size_t n, struct why *why)
{
    struct buf payload;
    if (n > DROPS_MAX) return why_set(why, ERR_LIMIT, "There are too many drops for one message.");
    buf_init(&payload, COSE_MAX);
    put_list_head(&payload, node, request, n);
    for (size_t i = 0; i < n; i++) {
        if (!table_ok(v[i].table_index) && payload.err == ERR_OK) payload.err = ERR_FORMAT;
        cbor_put_array(&payload, 2);
        cbor_put_int(&payload, v[i].table_index);
        cbor_put_bytes(&payload, bytes_of(v[i].id, sizeof v[i].id));
    }
    return finish(&payload, b, by, MSG_DROPS, drops_typ, why);
}

static void get_drop(struct cbor_reader *r, struct drop_item *out)
{
    size_t n_items = cbor_get_array(r, 2);
    int64_t index = cbor_get_int(r);
    cbor_get_fixed(r, out->id, sizeof out->id);
    if (n_items != 2 || !table_ok(index)) {
        r->err = ERR_FORMAT;
        index = 0;
    }
    out->table_index = (int)index;
}

enum err message_get_drops(struct bytes item, const struct identity *by, const uint8_t node[KID_BYTES],
                           uint64_t request, enum err (*each)(void *ctx, const struct drop_item *d, struct why *why),
                           void *ctx, struct bytes *out_cose, struct why *why)
{
    struct bytes payload, cose;
    struct cbor_reader r;
    struct drop_item d;
    size_t n = 0;
    enum err e = message_item_verify(item, by, MSG_DROPS, drops_typ, &payload, &cose, why);
    if (e != ERR_OK) return e;
    cbor_reader_init(&r, payload);
    e = get_list_head(&r, node, request, DROPS_MAX, &n, why);
    if (e != ERR_OK) return e;
    struct cbor_reader again = r;
    for (size_t i = 0; i < n && r.err == ERR_OK; i++) get_drop(&r, &d);
    if (!cbor_at_end(&r)) return signed_broken(why);
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        get_drop(&again, &d);
        e = each(ctx, &d, why);
    }
    if (e == ERR_OK && out_cose != NULL) *out_cose = cose;
    return e;
}

enum err message_put_ends(struct buf *b, const struct identity_secret *by, const uint8_t node[KID_BYTES],
                          uint64_t request, const struct end_item *v, size_t n, struct why *why)
{
    struct buf payload;
    if (n > ENDS_MAX) return why_set(why, ERR_LIMIT, "There are too many ends for one message.");
    buf_init(&payload, COSE_MAX);
    put_list_head(&payload, node, request, n);
    for (size_t i = 0; i < n; i++) {
        bool ok = table_ok(v[i].table_index) && v[i].not_after <= INT64_MAX;
        if (!ok && payload.err == ERR_OK) payload.err = ERR_FORMAT;
        cbor_put_array(&payload, 3);
        cbor_put_int(&payload, v[i].table_index);
        cbor_put_bytes(&payload, bytes_of(v[i].id, sizeof v[i].id));
        cbor_put_uint(&payload, v[i].not_after);
    }
    return finish(&payload, b, by, MSG_ENDS, ends_typ, why);
}

static void get_end(struct cbor_reader *r, struct end_item *out)
{
    size_t n_items = cbor_get_array(r, 3);
    int64_t index = cbor_get_int(r);
    cbor_get_fixed(r, out->id, sizeof out->id);
    out->not_after = cbor_get_uint(r);
    if (n_items != 3 || !table_ok(index) || out->not_after > INT64_MAX) {
        r->err = ERR_FORMAT;
        index = 0;
    }
    out->table_index = (int)index;
}

enum err message_get_ends(struct bytes item, const struct identity *by, const uint8_t node[KID_BYTES], uint64_t request,
                          enum err (*each)(void *ctx, const struct end_item *d, struct why *why), void *ctx,
                          struct why *why)
{
    struct bytes payload;
    struct cbor_reader r;
    struct end_item d;
    size_t n = 0;
    enum err e = message_item_verify(item, by, MSG_ENDS, ends_typ, &payload, NULL, why);
    if (e != ERR_OK) return e;
    cbor_reader_init(&r, payload);
    e = get_list_head(&r, node, request, ENDS_MAX, &n, why);
    if (e != ERR_OK) return e;
    struct cbor_reader again = r;
    for (size_t i = 0; i < n && r.err == ERR_OK; i++) get_end(&r, &d);
    if (!cbor_at_end(&r)) return signed_broken(why);
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        get_end(&again, &d);
        e = each(ctx, &d, why);
    }
    return e;
}
