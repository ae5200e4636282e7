/* How this device stands with the MASH: what waits, and what the MASH does not have. */
#include "node/look_internal.h"
#include "node/look_list.h"
#include "node/trust.h"

/* Cases that were opened here, rated red, and that the MASH has not taken note of in any way: their first change
 * waits. */
static enum err put_red(struct node *n, struct json *o, struct why *why)
{
    static const struct look_column cols[] = {{"case_id", LOOK_ID}, {"reference", LOOK_TEXT}};
    struct stmt *s = NULL;
    struct json *list = NULL;
    enum err e = db_prepare(n->db,
                            "SELECT c.id, c.reference FROM n_pending p JOIN case_file c ON c.id = p.id WHERE p.tbl = $1"
                            " AND p.op = $2 AND c.rag = 'red' AND c.voided_at IS NULL GROUP BY c.id, c.reference"
                            " ORDER BY min(p.seq) LIMIT $3",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, rules_table_index(bytes_of_str("case_file")));
    db_bind_int(s, 2, OP_INSERT);
    db_bind_int(s, 3, LOOK_LIST_MAX);
    e = look_rows(s, cols, 2, &list, why);
    if (e == ERR_OK) json_set_obj(o, "red_unsent", list);
    return e;
}

/* What wants attention first, then the newest. The case, where a change is about one. */
static enum err put_outbox(struct node *n, struct json *o, struct why *why)
{
    static const struct look_column cols[] = {
        {"seq", LOOK_INT},    {"written_at", LOOK_TIME}, {"what", LOOK_TEXT},
        {"state", LOOK_TEXT}, {"reason", LOOK_TEXT},     {"parked", LOOK_BOOL},
        {"bytes", LOOK_INT},  {"case_id", LOOK_ID},      {"reference", LOOK_TEXT},
        {"kept", LOOK_TEXT}};
    struct stmt *s = NULL;
    struct json *list = NULL;
    enum err e =
        db_prepare(n->db,
                   "SELECT o.seq, o.written_ms, o.what, o.state, o.reason, EXISTS(SELECT 1 FROM n_parked p"
                   " WHERE p.seq = o.seq) AND o.state = 'unsent', o.bytes, t.case_id, c.reference, " OUTBOX_KEPT " FROM n_outbox o"
                   " LEFT JOIN n_touched t ON t.seq = o.seq AND NOT EXISTS(SELECT 1 FROM n_touched u"
                   " WHERE u.seq = o.seq AND u.case_id <> t.case_id) LEFT JOIN case_file c ON c.id = t.case_id"
                   " ORDER BY o.state IN ('applied', 'merged', 'dismissed'), o.seq DESC LIMIT $1",
                   &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, LOOK_LIST_MAX);
    e = look_rows(s, cols, sizeof cols / sizeof cols[0], &list, why);
    if (e == ERR_OK) json_set_obj(o, "outbox", list);
    return e;
}

static enum err fill(struct node *n, struct json *o, struct why *why)
{
    struct node_info i;
    struct node_trust t;
    enum err e = node_get_info(n, &i, why);
    if (e == ERR_OK) e = node_trust(n, &t, why);
    if (e != ERR_OK) return e;
    look_set_time(o, "last_contact", i.last_contact_ms);
    look_set_time(o, "lease_until", i.lease_until_ms);
    look_set_time(o, "oldest_unsent", i.oldest_unsent_ms);
    json_set_bool(o, "revoked", i.revoked);
    json_set_bool(o, "hub_trusted", !t.distrusts);
    json_set_str(o, "hub_distrust", t.distrusts ? t.reason : NULL);
    const struct {
        const char *key;
        uint64_t v;
    } counts[] = {{"unsent", i.unsent},   {"rescued", i.rescued},          {"held", i.held},
                  {"waiting", i.waiting}, {"conflicts", i.conflicts},      {"rows", i.rows},
                  {"hidden", i.hidden},   {"receipts_due", i.receipts_due}};
    for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++) json_set_int(o, counts[k].key, (int64_t)counts[k].v);
    e = put_red(n, o, why);
    return e == ERR_OK ? put_outbox(n, o, why) : e;
}

enum err look_sync(struct node *n, struct json **out, struct why *why)
{
    struct json *o = json_object_new();
    enum err e = fill(n, o, why);
    *out = NULL;
    if (e == ERR_OK && o == NULL) e = why_set(why, ERR_NOMEM, "There is not enough memory for this page.");
    if (e == ERR_OK)
        *out = o;
    else
        json_free(o);
    return e;
}
