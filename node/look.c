/* What the looks share: rows of a question as JSON, and the note of who looked. */
#include "node/look_internal.h"

#include "base/when.h"

#include <assert.h>
#include <string.h>

#define IDS_MAX (16u << 20) /* a million rows */

/* ----------------------------------------------------------------------------------------------------- values */
void look_set_id(struct json *o, const char *key, const uint8_t id[16])
{
    char text[37];
    uuid_format(id, text);
    json_set_str(o, key, text);
}

void look_set_time(struct json *o, const char *key, int64_t ms)
{
    char text[WHEN_RFC3339] = "";
    if (ms != 0) when_rfc3339(ms, text);
    json_set_str(o, key, text[0] != '\0' ? text : NULL);
}

static void set_real(struct json *o, const char *key, struct value v)
{
    if (v.kind == VALUE_REAL)
        json_set_real(o, key, v.r);
    else if (v.kind == VALUE_INT)
        json_set_real(o, key, (double)v.i);
    else
        json_set_null(o, key);
}

void look_set(struct json *o, const char *key, struct stmt *s, int column, enum look_kind kind)
{
    uint8_t id[16];
    if (db_is_null(s, column)) {
        json_set_null(o, key);
        return;
    }
    switch (kind) {
    case LOOK_TEXT: json_set_text(o, key, db_bytes(s, column)); break;
    case LOOK_ID:
        if (db_id(s, column, id))
            look_set_id(o, key, id);
        else
            json_set_null(o, key);
        break;
    case LOOK_TIME: look_set_time(o, key, db_int(s, column)); break;
    case LOOK_INT: json_set_int(o, key, db_int(s, column)); break;
    case LOOK_REAL: set_real(o, key, db_value(s, column)); break;
    case LOOK_BOOL: json_set_bool(o, key, db_int(s, column) != 0); break;
    }
}

struct json *look_object(struct stmt *s, const struct look_column *cols, size_t n)
{
    struct json *o = json_object_new();
    for (size_t i = 0; i < n; i++) look_set(o, cols[i].name, s, (int)i, cols[i].kind);
    return o;
}

enum err look_rows(struct stmt *s, const struct look_column *cols, size_t n, struct json **out, struct why *why)
{
    struct json *list = json_array_new();
    bool row = false;
    enum err e;
    while ((e = db_step(s, &row, why)) == ERR_OK && row) json_append(list, look_object(s, cols, n));
    db_done(s);
    *out = NULL;
    if (e == ERR_OK && list == NULL) e = why_set(why, ERR_NOMEM, "There is not enough memory for this list.");
    if (e == ERR_OK)
        *out = list;
    else
        json_free(list);
    return e;
}

/* ------------------------------------------------------------------------------------------ people and agencies */
enum err look_set_person(struct node *n, struct json *o, const char *key, const uint8_t *id, struct why *why)
{
    static const struct look_column cols[] = {{"id", LOOK_ID}, {"name", LOOK_TEXT}, {"site", LOOK_TEXT}};
    struct stmt *s = NULL;
    bool row = false;
    json_set_null(o, key);
    if (id == NULL) return ERR_OK;
    enum err e = db_prepare(n->db, "SELECT id, name, site FROM practitioner WHERE id = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, id);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) json_set_obj(o, key, look_object(s, cols, 3));
    db_done(s);
    return e;
}

enum err look_set_agency(struct node *n, struct json *o, const char *key, struct bytes code, struct why *why)
{
    char name_key[64];
    struct stmt *s = NULL;
    bool row = false;
    assert(strlen(key) + sizeof "_name" <= sizeof name_key);
    (void)snprintf(name_key, sizeof name_key, "%s_name", key);
    json_set_null(o, key);
    json_set_null(o, name_key);
    if (code.p == NULL) return ERR_OK;
    json_set_text(o, key, code);
    enum err e = db_prepare(n->db, "SELECT name FROM agency WHERE code = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_text(s, 1, code);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) look_set(o, name_key, s, 0, LOOK_TEXT);
    db_done(s);
    return e;
}

/* -------------------------------------------------------------------------------------------------- whole rows */
/* Ids of practitioners have no table that they point at within the case; nor have those of rows of any table, and of
 * devices. */
static bool is_person(const struct column_rule *c)
{
    static const char *const names[] = {"author", "override_by", "answered_by", "asked_by",    "decided_by",
                                        "ack_by", "kept_by",     "lost_by",     "resolved_by", "practitioner"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (c->type == COL_ID && strcmp(c->name, names[i]) == 0) return true;
    return false;
}

static bool is_agency(const struct column_rule *c)
{
    static const char *const names[] = {"agency", "to_agency", "lead_agency", "member"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (c->type == COL_TEXT && strcmp(c->name, names[i]) == 0) return true;
    return false;
}

static enum look_kind kind_of(const struct column_rule *c)
{
    switch (c->type) {
    case COL_ID: return LOOK_ID;
    case COL_TIME: return LOOK_TIME;
    case COL_BOOL: return LOOK_BOOL;
    case COL_INT: return LOOK_INT;
    case COL_REAL: return LOOK_REAL;
    case COL_TEXT:
    case COL_WORD:
    case COL_DATE: break;
    }
    return LOOK_TEXT;
}

static enum err fill_column(struct node *n, struct json *o, struct stmt *s, int i, const struct column_rule *c,
                            struct why *why)
{
    uint8_t id[16];
    if (strcmp(c->name, "voided_at") == 0 || strcmp(c->name, "void_reason") == 0) return ERR_OK;
    if (is_person(c)) return look_set_person(n, o, c->name, db_id(s, i, id) ? id : NULL, why);
    if (is_agency(c)) return look_set_agency(n, o, c->name, db_is_null(s, i) ? bytes_of(NULL, 0) : db_bytes(s, i), why);
    look_set(o, c->name, s, i, kind_of(c));
    return ERR_OK;
}

enum err look_fill(struct node *n, struct json *o, struct stmt *s, const char *table, const struct look_column *more,
                   size_t n_more, struct why *why)
{
    int index = rules_table_index(bytes_of_str(table));
    assert(index >= 0);
    const struct table_rule *t = rules_table((size_t)index);
    enum err e = ERR_OK;
    for (int i = 0; i < db_columns(s) && e == ERR_OK; i++) {
        const char *name = db_column_name(s, i);
        int c = rules_column_index(t, bytes_of_str(name));
        if (c >= 0) e = fill_column(n, o, s, i, &t->columns[c], why);
        for (size_t k = 0; c < 0 && k < n_more; k++)
            if (strcmp(more[k].name, name) == 0) look_set(o, name, s, i, more[k].kind);
    }
    return e;
}

enum err look_fill_rows(struct node *n, struct stmt *s, const struct look_table *t, struct json **out, struct why *why)
{
    struct json *list = json_array_new();
    bool row = false;
    enum err e;
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        struct json *o = json_object_new();
        e = look_fill(n, o, s, t->table, t->more, t->n_more, why);
        if (e == ERR_OK && t->each != NULL) e = t->each(t->ctx, o, s, why);
        json_append(list, o);
        if (e != ERR_OK) break;
    }
    db_done(s);
    *out = NULL;
    if (e == ERR_OK && list == NULL) e = why_set(why, ERR_NOMEM, "There is not enough memory for this list.");
    if (e == ERR_OK)
        *out = list;
    else
        json_free(list);
    return e;
}

/* ------------------------------------------------------------------------------------------------------ the note */
enum err look_note_ids(struct node *n, const char *table, const struct buf *ids, struct why *why)
{
    int table_index = rules_table_index(bytes_of_str(table));
    if (ids->err != ERR_OK) return why_set(why, ids->err, "There are too many rows here to be shown at once.");
    if (ids->len == 0) return ERR_OK;
    enum err e = db_begin(n->db, why); /* all, or none: and one commit, however many there are */
    for (size_t i = 0; i < ids->len && e == ERR_OK; i += 16) e = node_note_view(n, table_index, ids->data + i, why);
    if (e == ERR_OK) return db_commit(n->db, why);
    db_rollback(n->db);
    return e;
}

enum err look_note(struct node *n, const char *table, const char *sql, const uint8_t case_id[16], struct why *why)
{
    struct stmt *s = NULL;
    struct buf ids; /* first, because noting writes: the question is closed by then */
    bool row = false;
    uint8_t id[16];
    enum err e = db_prepare(n->db, sql, &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, case_id);
    buf_init(&ids, IDS_MAX);
    while ((e = db_step(s, &row, why)) == ERR_OK && row)
        if (db_id(s, 0, id)) buf_put(&ids, id, sizeof id);
    db_done(s);
    if (e == ERR_OK) e = look_note_ids(n, table, &ids, why);
    buf_release(&ids);
    return e;
}
