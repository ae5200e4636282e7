/* What was done on this device and by whom, as far as it is known here: acts, looks at what is not open to all, and
 * what was forgotten. No text of a row is in it, and of what was taken away not even the case. */
#include "node/look_audit.h"

#include "node/look_internal.h"
#include "node/look_list.h"

#include <string.h>

/* One row an entry: when, who, what, of whom, case, its reference. An act in many cases (an import) has none, unless
 * one is asked for. $1 the case that is asked for, or NULL; $2 the table of records. */
#define ACTS                                                                                                           \
    "SELECT a.at AS at, a.user AS user, a.what AS what, a.about AS about, CASE WHEN $1 IS NOT NULL THEN (SELECT"       \
    " t.case_id FROM n_touched t WHERE t.seq = a.seq AND t.case_id = $1) ELSE (SELECT t.case_id FROM n_touched t"      \
    " WHERE t.seq = a.seq AND NOT EXISTS (SELECT 1 FROM n_touched u WHERE u.seq = a.seq AND u.case_id <> t.case_id))"  \
    " END AS c, 0 AS looks, a.no AS no FROM n_audit a"
#define LOOK_WORDS(tbl)                                                                                                \
    "CASE WHEN " tbl " = $2 THEN 'looked at a sensitive record' ELSE 'looked at what was told in confidence' END"
#define LOOKS                                                                                                          \
    "SELECT v.at, v.user, " LOOK_WORDS(                                                                                \
        "v.tbl") ", NULL, coalesce((SELECT r.case_id FROM record r WHERE r.id = v.id"                                  \
                 " AND v.tbl = $2), (SELECT y.case_id FROM release y WHERE y.id = v.id)), 1, v.no FROM n_view v"
#define LOOKS_BEFORE "SELECT k.at, k.user, " LOOK_WORDS("k.tbl") ", NULL, k.case_id, k.looks, k.no FROM n_look k"
static const char question[] =
    "SELECT x.at, x.what, x.user, x.about, f.id, f.reference, x.looks FROM (" ACTS " UNION ALL " LOOKS
    " UNION ALL " LOOKS_BEFORE ") x LEFT JOIN case_file f ON f.id = x.c WHERE ($1 IS NULL OR x.c = $1)"
    " AND ($3 IS NULL OR x.user = $3) AND ($4 = 0 OR x.at >= $4) AND ($5 = 0 OR x.at < $5)"
    " ORDER BY x.at DESC, x.no DESC";

static enum err prepare(struct node *n, const struct look_audit *ask, struct stmt **out, struct why *why)
{
    enum err e = db_prepare(n->db, question, out, why);
    if (e != ERR_OK) return e;
    db_bind_value(*out, 1, ask->case_id != NULL ? value_id(ask->case_id) : value_null());
    db_bind_int(*out, 2, rules_table_index(bytes_of_str("record")));
    db_bind_value(*out, 3, ask->person != NULL ? value_id(ask->person) : value_null());
    db_bind_int(*out, 4, ask->from);
    db_bind_int(*out, 5, ask->to);
    return ERR_OK;
}

static enum err put_person(struct node *n, struct json *o, const char *key, struct stmt *s, int column, struct why *why)
{
    uint8_t id[16];
    return look_set_person(n, o, key, db_id(s, column, id) ? id : NULL, why);
}

/* The looks of one person in one hour and case are one entry. */
static void put_what(struct json *o, struct stmt *s)
{
    struct buf text;
    struct bytes what = db_bytes(s, 1);
    long long looks = (long long)db_int(s, 6);
    buf_init(&text, 4096);
    buf_put_bytes(&text, what);
    if (looks > 1) buf_printf(&text, " (%lld of them within an hour)", looks);
    json_set_text(o, "what", text.err == ERR_OK ? buf_bytes(&text) : what);
    buf_release(&text);
}

static enum err append(struct node *n, struct json *list, struct stmt *s, enum audit_kind kind, struct why *why)
{
    struct json *o = json_object_new();
    look_set(o, "at", s, 0, LOOK_TIME);
    json_set_str(o, "kind", audit_kind_word(kind));
    put_what(o, s);
    enum err e = put_person(n, o, "person", s, 2, why);
    if (e == ERR_OK) e = put_person(n, o, "about", s, 3, why);
    look_set(o, "case_id", s, 4, LOOK_ID);
    look_set(o, "reference", s, 5, LOOK_TEXT);
    json_append(list, o);
    return e;
}

enum err look_audit(struct node *n, const struct look_audit *ask, struct json **out, struct why *why)
{
    enum audit_kind wanted = AUDIT_KINDS;
    struct stmt *s = NULL;
    size_t limit = ask->limit != 0 ? ask->limit : LOOK_LIST_MAX, listed = 0;
    int64_t total = 0;
    bool row = false;
    *out = NULL;
    if (ask->kind != NULL && !audit_kind_from_word(ask->kind, &wanted)) {
        (void)why_set(why, ERR_USAGE, "There is no act of that kind.");
        return why_next(why, ERR_USAGE,
                        "Say one of: collection, alteration, consultation, disclosure, combination, erasure.");
    }
    enum err e = prepare(n, ask, &s, why);
    if (e != ERR_OK) return e;
    struct json *list = json_array_new();
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        enum audit_kind kind = audit_kind_of(db_bytes(s, 1), NULL);
        if (wanted != AUDIT_KINDS && kind != wanted) continue;
        total++;
        if (listed == limit) continue;
        listed++;
        e = append(n, list, s, kind, why);
        if (e != ERR_OK) break;
    }
    db_done(s);
    if (e == ERR_OK) return look_wrap(list, "entries", total, out, why);
    json_free(list);
    return e;
}
