#include "cli/serve_act.h"

#include "base/when.h"

#include <stdio.h>
#include <string.h>

enum err serve_bool(struct serve_call *c, const char *name, bool absent, bool *out, struct why *why)
{
    struct json *v = json_get(c->body, name);
    bool said = json_get_bool(c->body, name, false);
    if (v == NULL || json_holds_null(v)) {
        *out = absent;
        return ERR_OK;
    }
    if (said != json_get_bool(c->body, name, true)) return why_set(why, ERR_USAGE, "'%s' is true or false.", name);
    *out = said;
    return ERR_OK;
}

enum err serve_items(struct serve_call *c, const char *name, size_t *out_n, struct why *why)
{
    struct json *v = json_get(c->body, name);
    size_t n = json_len(v);
    *out_n = 0;
    if (v == NULL || json_holds_null(v)) return ERR_OK;
    /* An empty list and an empty object cannot be told apart here, and say the same. */
    if (json_as_str(v) != NULL || (n != 0 && json_at(v, 0) == NULL) || (n == 0 && json_as_int(v, -1) != -1))
        return why_set(why, ERR_USAGE, "'%s' is a list.", name);
    *out_n = n;
    return ERR_OK;
}

enum err serve_texts(struct serve_call *c, const char *name, const char **out, size_t max, size_t *out_n,
                     struct why *why)
{
    size_t n = 0;
    enum err e = serve_items(c, name, &n, why);
    if (e == ERR_OK && n > max) e = why_set(why, ERR_USAGE, "'%s' takes %zu at once.", name, max);
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        out[i] = json_as_str(json_at(json_get(c->body, name), i));
        if (out[i] == NULL) e = why_set(why, ERR_USAGE, "'%s' is a list of texts.", name);
    }
    if (e == ERR_OK) *out_n = n;
    return e;
}

enum err serve_shown(struct serve_call *c, const char *complaint, uint8_t out[HASH_BYTES], struct why *why)
{
    const char *text = NULL;
    enum err e = serve_need_text(c, "shown", complaint, &text, why);
    if (e == ERR_OK && !hex_decode(out, HASH_BYTES, text, strlen(text)))
        e = why_set(why, ERR_USAGE, "What was shown to you cannot be told from this. Look once more.");
    return e;
}

/* ---------------------------------------------------------------------------------------------------- changes */
static const struct column_rule *column_of(const char *table, const char *name)
{
    const struct table_rule *t = rules_table((size_t)rules_table_index(bytes_of_str(table)));
    int i = rules_column_index(t, bytes_of_str(name));
    return i >= 0 ? &t->columns[i] : NULL;
}

static enum err read_value(struct serve_call *c, const struct column_rule *rule, const char *name, struct value *out,
                           struct why *why)
{
    const char *text = json_as_str(json_get(c->body, name));
    bool yes = false;
    int64_t ms = 0;
    enum err e = ERR_OK;
    if (rule != NULL && rule->type == COL_BOOL) {
        e = serve_bool(c, name, false, &yes, why);
        *out = value_int(yes);
        return e;
    }
    if (text == NULL) return why_set(why, ERR_USAGE, "'%s' takes a text.", name);
    if (rule != NULL && rule->type == COL_TIME) {
        e = serve_time(c, name, &ms, why);
        *out = ms != 0 ? value_int(ms) : value_null();
        return e;
    }
    *out = value_str(text[strspn(text, " \t\r\n")] != '\0' ? text : "");
    return ERR_OK;
}

enum err serve_changes(struct serve_call *c, const char *table, const char *const *names, struct act_change *out,
                       size_t max, size_t *n, struct why *why)
{
    enum err e = ERR_OK;
    for (; *names != NULL && e == ERR_OK; names++) {
        struct json *v = json_get(c->body, *names);
        if (v == NULL || json_holds_null(v)) continue;
        if (*n == max) return why_set(why, ERR_LIMIT, "That is too much to change at once.");
        out[*n].column = *names;
        e = read_value(c, column_of(table, *names), *names, &out[(*n)++].v, why);
    }
    return e;
}

/* -------------------------------------------------------------------------------------------------- after an act */
enum err serve_case_of(struct serve_call *c, const char *table, const uint8_t id[16], const char *what, uint8_t out[16],
                       struct why *why)
{
    char sql[128];
    struct stmt *s = NULL;
    bool row = false;
    int t = rules_table_index(bytes_of_str(table));
    if (t < 0 || rules_table((size_t)t)->kind != TABLE_CASE)
        return why_set(why, ERR_USAGE, "There is nothing of that kind in a case.");
    (void)snprintf(sql, sizeof sql, "SELECT case_id FROM %s WHERE id = $1", rules_table((size_t)t)->name);
    enum err e = db_prepare(node_db(c->node), sql, &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, id);
    e = db_step(s, &row, why);
    if (e == ERR_OK && (!row || !db_id(s, 0, out)))
        e = why_set(why, ERR_NOTFOUND, "There is %s with that id on this device.", what);
    db_done(s);
    return e;
}

void serve_notes(struct serve_call *c, const struct act_notes *notes)
{
    for (size_t i = 0; i < notes->n; i++) serve_note(c, notes->text[i]);
}

void serve_held(struct serve_call *c, bool held)
{
    if (!held || json_get_bool(c->out, "held", false)) return; /* said already */
    json_set_bool(c->out, "held", true);
    serve_note(c,
               "This is not for you alone to decide. It is sent, and kept back at the MASH until a manager accepts it;"
               " nothing changes for others until then.");
}

const char *serve_sight_word(enum act_sight s)
{
    static const char *const words[] = {"all", "room", "nobody_consent", "nobody_restricted", "nobody_voided"};
    return words[s];
}

void serve_set_time(struct json *o, const char *key, int64_t ms)
{
    char text[WHEN_RFC3339] = "";
    if (ms != 0) when_rfc3339(ms, text);
    json_set_str(o, key, text[0] != '\0' ? text : NULL);
}
