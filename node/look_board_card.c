/* A card of the board: one case at a glance. */
#include "node/look_board.h"

#include "base/cbor.h"

#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES (4u << 20)
#define PEOPLE_SHOWN   6 /* of a card, one a line; the rest is counted */

/* -------------------------------------------------------------------------------------------------------- names */
void look_name(struct buf *out, struct bytes given, struct bytes family)
{
    buf_put_bytes(out, given);
    if (given.n != 0 && family.n != 0) buf_put_u8(out, ' ');
    buf_put_bytes(out, family);
}

/* Bytes of the character that begins here; what is no UTF-8 counts a byte, and is shown as damage. */
static size_t character(struct bytes text)
{
    for (size_t n = 1; n <= 4 && n <= text.n; n++)
        if (utf8_valid(bytes_of(text.p, n))) return n;
    return 1;
}

static void put_first_letters(struct buf *out, struct bytes name)
{
    bool inside = false;
    for (size_t i = 0; i < name.n;) {
        size_t n = character(bytes_of(name.p + i, name.n - i));
        bool gap = name.p[i] == ' ' || name.p[i] == '-' || name.p[i] == '\t' || name.p[i] == '\n';
        if (!gap && !inside) buf_put(out, name.p + i, n);
        inside = !gap;
        i += n;
    }
}

void look_initials(struct buf *out, struct bytes given, struct bytes family)
{
    put_first_letters(out, given);
    put_first_letters(out, family);
}

void look_set_names(struct json *o, struct bytes given, struct bytes family)
{
    struct buf text;
    buf_init(&text, NAME_MAX_BYTES);
    look_name(&text, given, family);
    json_set_text(o, "name", buf_bytes(&text));
    buf_reset(&text);
    look_initials(&text, given, family);
    json_set_text(o, "initials", buf_bytes(&text));
    buf_release(&text);
}

/* A wall shows the initials, and whether it is a child. */
static struct json *person(struct stmt *s, bool wall)
{
    static const struct look_column cols[] = {{"id", LOOK_ID}, {"role", LOOK_TEXT}, {"born_on", LOOK_TEXT}};
    static const char *const hidden[] = {"id", "born_on", "name"};
    struct json *o = look_object(s, cols, 3);
    look_set_names(o, db_bytes(s, 3), db_bytes(s, 4));
    for (size_t i = 0; wall && i < sizeof hidden / sizeof hidden[0]; i++) json_set_null(o, hidden[i]);
    return o;
}

static enum err put_people(struct node *n, const uint8_t case_id[16], bool wall, struct json *card, struct why *why)
{
    struct stmt *s = NULL;
    struct json *list = json_array_new();
    bool row = false;
    int64_t all = 0;
    enum err e =
        db_prepare(n->db,
                   "SELECT id, role, born_on, given_names, family_name, count(*) OVER () FROM person WHERE case_id = $1"
                   " AND voided_at IS NULL ORDER BY CASE role WHEN 'child' THEN 0 WHEN 'adult' THEN 1 ELSE 2 END,"
                   " id LIMIT $2",
                   &s, why);
    if (e == ERR_OK) {
        db_bind_id(s, 1, case_id);
        db_bind_int(s, 2, PEOPLE_SHOWN);
        while ((e = db_step(s, &row, why)) == ERR_OK && row) {
            all = db_int(s, 5);
            json_append(list, person(s, wall));
        }
    }
    db_done(s);
    json_set_int(card, "people_more", all > PEOPLE_SHOWN ? all - PEOPLE_SHOWN : 0);
    json_set_obj(card, "people", list);
    return e;
}

/* ------------------------------------------------------------------------------------------------------ partners */
/* Each agency that was asked, once: by what it still owes, else by its last answer. */
static enum err put_partners(struct node *n, const uint8_t case_id[16], int64_t now, struct json *card, struct why *why)
{
    struct stmt *s = NULL;
    struct json *list = json_array_new();
    bool row = false;
    enum err e = db_prepare(
        n->db,
        "SELECT to_agency, CASE rank WHEN 0 THEN 'late' WHEN 1 THEN 'asked' WHEN 2 THEN 'declined' ELSE 'answered' END,"
        " due_at, min(rank * 9007199254740992 + CASE WHEN rank < 2 THEN coalesce(due_at, 9007199254740991)"
        " ELSE -coalesce(answered_at, 0) END) FROM (SELECT to_agency, due_at, answered_at,"
        " CASE WHEN state = 'open' THEN CASE WHEN due_at < $1 THEN 0 ELSE 1 END WHEN state = 'declined' THEN 2 ELSE 3 END"
        " AS rank FROM request WHERE case_id = $2 AND voided_at IS NULL AND state IN ('open', 'answered', 'declined'))"
        " GROUP BY to_agency ORDER BY 4",
        &s, why);
    if (e == ERR_OK) {
        db_bind_int(s, 1, now);
        db_bind_id(s, 2, case_id);
        while ((e = db_step(s, &row, why)) == ERR_OK && row) {
            struct json *o = json_object_new();
            e = look_set_agency(n, o, "agency", db_bytes(s, 0), why);
            look_set(o, "state", s, 1, LOOK_TEXT);
            look_set(o, "due_at", s, 2, LOOK_TIME);
            json_append(list, o);
            if (e != ERR_OK) break;
        }
    }
    db_done(s);
    json_set_obj(card, "partners", list);
    return e;
}

/* --------------------------------------------------------------------------------------------------------- facts */
static enum err ask_bool(struct node *n, const char *sql, const uint8_t case_id[16], int64_t at, bool *out,
                         struct why *why)
{
    struct stmt *s = NULL;
    enum err e = db_prepare(n->db, sql, &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, case_id);
    if (at != 0) db_bind_int(s, 2, at);
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

/* The same person by name and date of birth, or by a number, or linked by somebody; each question on its own, so that
 * each has its index. A case in which thousands are called alike asks once. */
enum err look_repeat(struct node *n, const struct look_state *c, bool *out, struct why *why)
{
#define EARLIER                                                                                                        \
    " AND EXISTS (SELECT 1 FROM case_file c WHERE c.id = o.case_id AND c.voided_at IS NULL AND c.received_at < $2)"
    *out = false;
    if (c->received_at == 0) return ERR_OK;
    enum err e = ask_bool(
        n,
        "SELECT 1 FROM (SELECT DISTINCT family_name, given_names, born_on FROM person WHERE case_id = $1"
        " AND voided_at IS NULL) p JOIN person o ON o.family_name = p.family_name COLLATE NOCASE AND o.born_on = p.born_on"
        " WHERE o.case_id <> $1 AND o.given_names = p.given_names COLLATE NOCASE AND o.voided_at IS NULL" EARLIER,
        c->id, c->received_at, out, why);
    if (e == ERR_OK && !*out)
        e = ask_bool(n,
                     "SELECT 1 FROM link p JOIN case_file c ON c.id = p.other_case_id WHERE p.case_id = $1"
                     " AND p.voided_at IS NULL AND c.voided_at IS NULL AND c.id <> p.case_id AND c.received_at < $2",
                     c->id, c->received_at, out, why);
    if (e != ERR_OK || *out) return e;
    return ask_bool(
        n,
        "SELECT 1 FROM (SELECT DISTINCT scheme, value FROM identifier WHERE case_id = $1 AND voided_at IS NULL"
        " AND value <> '') p JOIN identifier o ON o.value = p.value"
        " WHERE o.scheme = p.scheme AND o.case_id <> $1 AND o.voided_at IS NULL" EARLIER,
        c->id, c->received_at, out, why);
}

static enum err put_facts(struct node *n, const uint8_t case_id[16], struct json *card, struct why *why)
{
    static const struct look_column cols[] = {
        {"reference", LOOK_TEXT}, {"area", LOOK_TEXT}, {"subject_kind", LOOK_TEXT}, {"rag", LOOK_TEXT},
        {"status", LOOK_TEXT},    {"need", LOOK_TEXT}, {"conflicts", LOOK_INT}};
    struct stmt *s = NULL;
    bool row = false;
    enum err e =
        db_prepare(n->db,
                   "SELECT c.reference, c.area, c.subject_kind, c.rag, coalesce(c.status, 'new'),"
                   " (SELECT b.primary_need FROM brief b WHERE b.case_id = c.id AND b.voided_at IS NULL LIMIT 1),"
                   " (SELECT count(*) FROM conflict x WHERE x.case_id = c.id AND x.state = 'open'"
                   " AND x.voided_at IS NULL), c.lead_agency FROM case_file c WHERE c.id = $1",
                   &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, case_id);
    e = db_step(s, &row, why);
    for (size_t i = 0; e == ERR_OK && row && i < sizeof cols / sizeof cols[0]; i++)
        look_set(card, cols[i].name, s, (int)i, cols[i].kind);
    if (e == ERR_OK && row)
        e = look_set_agency(n, card, "lead_agency", db_is_null(s, 7) ? bytes_of(NULL, 0) : db_bytes(s, 7), why);
    db_done(s);
    return e;
}

/* What no wall shows of a case. */
static void hide_facts(struct json *card)
{
    static const char *const hidden[] = {"area", "need", "lead_agency", "lead_agency_name", "received_at"};
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++) json_set_null(card, hidden[i]);
}

enum err look_card(struct node *n, const struct look_card_ask *ask, const struct look_state *c, struct json **out,
                   struct why *why)
{
    struct json *card = json_object_new();
    bool repeat = false;
    look_set_id(card, "id", c->id);
    enum err e = put_facts(n, c->id, card, why);
    look_state_put(card, c, ask->times);
    look_set_time(card, "received_at", c->received_at);
    json_set_int(card, "to_answer", c->to_answer);
    json_set_bool(card, "unsent", look_unsent(&ask->unsent, c->id));
    if (ask->wall) hide_facts(card);
    if (e == ERR_OK) e = put_people(n, c->id, ask->wall, card, why);
    if (e == ERR_OK) e = put_partners(n, c->id, ask->times->now, card, why);
    if (e == ERR_OK) e = look_repeat(n, c, &repeat, why);
    json_set_bool(card, "repeat", repeat);
    *out = NULL;
    if (e == ERR_OK)
        *out = card;
    else
        json_free(card);
    return e;
}

/* -------------------------------------------------------------------------------------------------------- unsent */
static int by_id(const void *a, const void *b)
{
    return memcmp(a, b, 16);
}

/* A row's case stands in the row; of a case and its brief it is their own id. */
static enum err case_of(struct node *n, size_t table, const uint8_t id[16], uint8_t out[16], bool *out_found,
                        struct why *why)
{
    char sql[96];
    struct stmt *s = NULL;
    const struct table_rule *t = rules_table(table);
    *out_found = false;
    if (t == NULL || t->kind != TABLE_CASE) return ERR_OK;
    (void)snprintf(sql, sizeof sql, "SELECT case_id FROM %s WHERE id = $1", t->name);
    enum err e = db_prepare(n->db, sql, &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, id);
    e = db_step(s, out_found, why);
    if (e == ERR_OK && *out_found) *out_found = db_id(s, 0, out);
    db_done(s);
    return e;
}

enum err look_unsent_new(struct node *n, struct look_unsent *out, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    uint8_t id[16], case_id[16];
    buf_init(&out->ids, 64u << 20);
    enum err e = db_prepare(n->db, "SELECT DISTINCT id, tbl FROM n_pending", &s, why);
    if (e != ERR_OK) return e;
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        bool found = false;
        db_id(s, 0, id);
        e = case_of(n, (size_t)db_int(s, 1), id, case_id, &found, why);
        if (e != ERR_OK) break;
        if (found) buf_put(&out->ids, case_id, 16);
    }
    db_done(s);
    if (e == ERR_OK && out->ids.err != ERR_OK)
        e = why_set(why, out->ids.err, "There is not enough memory for the board.");
    if (e == ERR_OK && out->ids.len > 16) qsort(out->ids.data, out->ids.len / 16, 16, by_id);
    return e;
}

bool look_unsent(const struct look_unsent *u, const uint8_t case_id[16])
{
    return u->ids.len != 0 && bsearch(case_id, u->ids.data, u->ids.len / 16, 16, by_id) != NULL;
}

void look_unsent_free(struct look_unsent *u)
{
    buf_release(&u->ids);
}
