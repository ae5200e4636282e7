/* What a held change would do, as JSON text that a manager can read: an array of {table, id, new, columns}. What the
 * room would not see if it were accepted (restricted records, those that need consent, what is between two agencies) is
 * named and not shown. */
#include "hub/draft.h"

#include "base/json.h"

#include <string.h>

#define SHOWN_BYTES 4096u        /* of one value; the whole envelope is kept */
#define SHOWN_TOTAL (512u << 10) /* of one held row, before escapes */

struct showing {
    struct hub *h;
    const struct draft *d;
    struct json *all;
    size_t total, left_out;
    bool hide_all; /* it would make a restricted case */
};

static bool word_is(struct value v, const char *want)
{
    return v.kind == VALUE_TEXT && bytes_equal(v.s, bytes_of_str(want));
}

static bool owner_only(const struct table_rule *t, const struct value *v)
{
    int sensitivity = rules_column_index(t, bytes_of_str("sensitivity"));
    int consent = rules_column_index(t, bytes_of_str("needs_consent"));
    static const char *const never_in_the_room[] = {"release", "release_source", "request", "feedback"};
    for (size_t i = 0; i < sizeof never_in_the_room / sizeof never_in_the_room[0]; i++) {
        if (strcmp(t->name, never_in_the_room[i]) == 0) return true;
    }
    if (sensitivity < 0 || consent < 0) return false;
    return word_is(v[sensitivity], "restricted") || (v[consent].kind == VALUE_INT && v[consent].i != 0);
}

/* Either as it is stored or as it would become. The author reads this too: a row that is hidden from it counts as one
 * that is not there. */
static enum err is_private(struct hub *h, const struct draft *d, const struct op *op, bool *out, struct why *why)
{
    struct hub_row known;
    struct view v = {0};
    struct buf store;
    struct row r;
    bool found = false;
    /* A change of a record that is there: it may be restricted, or its consent withdrawn, while this is still held. */
    *out = owner_only(op->table, op->new_) || (op->kind == OP_UPDATE && strcmp(op->table->name, "record") == 0);
    if (*out || op->kind == OP_INSERT) return ERR_OK;
    enum err e = sight_row(h, op->table_index, op_row_id(op), &known, &found, why);
    if (e == ERR_OK && found) e = standing_view(h, d, &known, &v, why);
    *out = true;
    if (e != ERR_OK || !found || !view_any(v)) return e;
    buf_init(&store, 64u << 20);
    e = db_row_get(h->db, op->table, op_row_id(op), &store, &r, &found, why);
    if (e == ERR_OK) *out = !found || owner_only(op->table, r.v);
    buf_release(&store);
    return e;
}

static void show_value(struct showing *s, struct json *columns, const char *name, struct value v)
{
    struct buf text;
    buf_init(&text, RULES_MAX_VALUE);
    if (v.kind == VALUE_NULL || value_to_text(v, &text) != ERR_OK) {
        json_set_null(columns, name);
    } else {
        struct bytes t = buf_bytes(&text);
        if (t.n > SHOWN_BYTES) {
            t.n = SHOWN_BYTES;
            while (t.n > 0 && (text.data[t.n] & 0xc0) == 0x80) /* never half a character */
                t.n--;
        }
        s->total += t.n;
        json_set_text(columns, name, t);
    }
    buf_release(&text);
}

static enum err show_op(struct showing *s, const struct op *op, struct why *why)
{
    char id[37];
    bool hide = false;
    if (s->total > SHOWN_TOTAL) {
        s->left_out++;
        return ERR_OK;
    }
    enum err e = is_private(s->h, s->d, op, &hide, why);
    if (e != ERR_OK) return e;
    hide = hide || s->hide_all;
    struct json *o = json_object_new(), *columns = json_object_new();
    uuid_format(op_row_id(op), id);
    json_set_str(o, "table", op->table->name);
    json_set_str(o, "id", id);
    json_set_bool(o, "new", op->kind == OP_INSERT);
    if (hide) json_set_bool(o, "withheld", true);
    for (size_t c = 1; c < rules_columns_at(op->table, s->d->env.h.schema); c++) {
        const char *name = op->table->columns[c].name;
        if (op->new_[c].kind == VALUE_NONE) continue;
        if (hide || strcmp(name, "request_id") == 0) /* the room need not know of the request */
            json_set_null(columns, name);
        else
            show_value(s, columns, name, op->new_[c]);
    }
    s->total += 64 + 24 * op->table->n_columns;
    json_set_obj(o, "columns", columns);
    json_append(s->all, o);
    return ERR_OK;
}

enum err held_what(struct hub *h, const struct draft *d, const struct draft_part *p, struct buf *out, struct why *why)
{
    struct showing s = {.h = h, .d = d, .all = json_array_new()};
    struct changeset_reader r;
    struct op op;
    bool end = false;
    enum err e = held_case_restricted(p, &s.hide_all, why);
    if (e != ERR_OK) goto out;
    changeset_reader_init(&r, p->content, p->schema);
    while ((e = changeset_next(&r, &op, &end, why)) == ERR_OK && !end) {
        e = show_op(&s, &op, why);
        if (e != ERR_OK) break;
    }
    if (e == ERR_OK && s.left_out > 0) {
        struct json *rest = json_object_new();
        json_set_int(rest, "left_out", (int64_t)s.left_out);
        json_append(s.all, rest);
    }
    if (e == ERR_OK) e = json_write(s.all, out, why);
out:
    json_free(s.all);
    return e;
}
