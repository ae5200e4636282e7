#include "hub/policy_text.h"

#include "hub/policy_plain.h"
#include "hub/policy_scan.h"
#include "base/cbor.h"
#include "sync/db_view.h"
#include "sync/rules.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ------------------------------------------------------------------------------------------------- taking it apart */

static bool says(struct bytes token, const char *word)
{
    return token.n == strlen(word) && strncasecmp((const char *)token.p, word, token.n) == 0;
}

enum err policy_text_fault(struct why *why, size_t line, const char *words)
{
    (void)why_set(why, ERR_USAGE, "Line %zu of the policy: %s.", line, words);
    return why_next(why, ERR_USAGE, "Nothing was changed. Mend the text and try again: spoke-hub policy check FILE");
}

static enum err broken(struct why *why, const struct scan *s, enum token t)
{
    if (t == TOKEN_OPEN_COMMENT) return policy_text_fault(why, s->on_line, "a comment begins here and does not end");
    if (t == TOKEN_OPEN_QUOTE) return policy_text_fault(why, s->on_line, "a quotation begins here and does not end");
    return policy_text_fault(why, s->on_line,
                             "only statements of the form CREATE VIEW name(columns) AS SELECT … may stand in a policy");
}

bool policy_text_reads(const char *name)
{
    static const char *const kept[] = {"policy_now", "case_voice", "case_decided"};
    size_t n;
    const struct table_rule *t = rules_tables(&n);
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        if (strcasecmp(name, kept[i]) == 0) return true;
    for (size_t i = 0; i < n; i++)
        if (strcasecmp(name, t[i].name) == 0) return true;
    return false;
}

/* Names that belong to the store: a view of such a name in temp would hide the table. */
static bool is_taken(const char *name)
{
    return policy_text_reads(name) || strncasecmp(name, "h_", 2) == 0 || strncasecmp(name, "secret_", 7) == 0 ||
           strncasecmp(name, "sqlite_", 7) == 0;
}

static enum err take_name(const struct scan *s, struct policy_text *p, struct why *why)
{
    struct policy_view *v = &p->views[p->n];
    if (s->last.n >= sizeof v->name) return policy_text_fault(why, s->on_line, "the name of this view is too long");
    memcpy(v->name, s->last.p, s->last.n);
    v->name[s->last.n] = '\0';
    if (is_taken(v->name)) return policy_text_fault(why, s->on_line, "this name belongs to a table of the store");
    for (size_t i = 0; i < p->n; i++)
        if (strcasecmp(p->views[i].name, v->name) == 0)
            return policy_text_fault(why, s->on_line, "there are two views of this name");
    return ERR_OK;
}

/* Also in quotes. */
static bool says_schema(struct bytes token)
{
    if (token.n == 6) token = bytes_of(token.p + 1, 4);
    return says(token, "main") || says(token, "temp");
}

/* From behind the name to the end of the statement. The views of two policies stand side by side in two schemas, so
 * none may say which it means. */
static enum err take_rest(struct scan *s, struct policy_view *v, struct why *why)
{
    size_t from = s->at;
    bool schema = says_schema(s->last), begins = false;
    enum token t;
    for (;;) {
        t = scan_next(s);
        if (t == TOKEN_OPEN_QUOTE || t == TOKEN_OPEN_COMMENT) return broken(why, s, t);
        if (t == TOKEN_END || (t == TOKEN_MARK && s->last.p[0] == ';')) break;
        if (schema && t == TOKEN_MARK && s->last.p[0] == '.')
            return policy_text_fault(why, s->on_line, "name tables and views plainly, without main or temp");
        schema = says_schema(s->last);
        if (begins && v->select.p == NULL) {
            v->select = bytes_of(s->last.p, 0);
            v->select_line = s->on_line;
        }
        begins |= t == TOKEN_WORD && says(s->last, "as");
    }
    if (t == TOKEN_END) return policy_text_fault(why, v->line, "this statement does not end with a semicolon");
    if (v->select.p == NULL) return broken(why, s, t);
    v->rest = bytes_of(s->text.p + from, s->from - from);
    v->select.n = (size_t)(s->text.p + s->from - v->select.p);
    return ERR_OK;
}

static enum err take_view(struct scan *s, struct policy_text *p, struct why *why)
{
    enum token t = TOKEN_WORD;
    if (!says(s->last, "create")) return broken(why, s, t);
    if (p->n == POLICY_MAX_VIEWS) return policy_text_fault(why, s->on_line, "there are too many views");
    p->views[p->n].line = s->on_line;
    if ((t = scan_next(s)) != TOKEN_WORD || !says(s->last, "view")) return broken(why, s, t);
    if ((t = scan_next(s)) != TOKEN_WORD || says(s->last, "if")) return broken(why, s, t);
    enum err e = take_name(s, p, why);
    if (e == ERR_OK) e = take_rest(s, &p->views[p->n], why);
    if (e == ERR_OK) p->n++;
    return e;
}

enum err policy_text_read(struct bytes text, struct policy_text *out, struct why *why)
{
    struct scan s = {.text = text, .line = 1};
    enum token t;
    memset(out, 0, sizeof *out);
    if (text.n > POLICY_TEXT_MAX) return why_set(why, ERR_USAGE, "This text is too long for a policy.");
    if (text.n > 0 && memchr(text.p, 0, text.n) != NULL) return why_set(why, ERR_USAGE, "This is not a text.");
    /* Its channels are told to devices (explain), and what is no text could not be: they would ask again for ever. */
    if (!utf8_valid(text)) return why_set(why, ERR_USAGE, "This is not a text: save it as UTF-8.");
    while ((t = scan_next(&s)) == TOKEN_WORD) {
        enum err e = take_view(&s, out, why);
        if (e != ERR_OK) return e;
    }
    if (t != TOKEN_END) return broken(why, &s, t);
    return out->n > 0 ? ERR_OK : why_set(why, ERR_USAGE, "There is no view in this text, so it is not a policy.");
}

/* --------------------------------------------------------------------------------------------------- laying it down */

static enum err create(struct db *db, const struct policy_view *v, bool temp, struct why *why)
{
    struct db_view_fault fault;
    struct buf sql;
    char words[320];
    buf_init(&sql, 8 * POLICY_TEXT_MAX); /* policy_plain_put makes more of it, of a text in quotes most */
    buf_printf(&sql, "CREATE %sVIEW %s%s", temp ? "TEMP " : "", temp ? "" : "main.", v->name);
    size_t head = sql.len;
    if (db_is_postgres(db))
        policy_plain_put(v, &sql);
    else
        buf_put_bytes(&sql, v->rest);
    const char *text = buf_cstr(&sql);
    enum err e = text == NULL ? why_set(why, sql.err, "There is not enough memory to read the policy.")
                              : db_view_create(db, text, &fault, why);
    if (e == ERR_USAGE) {
        size_t line = v->line;
        for (size_t i = head; i < fault.offset && i < sql.len; i++) line += sql.data[i] == '\n';
        (void)snprintf(words, sizeof words, "%s", fault.words);
        e = policy_text_fault(why, line, words);
    }
    buf_release(&sql);
    return e;
}

/* In which order: as they stand, or those first that others ask. */
static enum err read_for(struct db *db, struct bytes text, struct policy_text *p, size_t order[POLICY_MAX_VIEWS],
                         struct why *why)
{
    enum err e = policy_text_read(text, p, why);
    if (e == ERR_OK && db_is_postgres(db)) return policy_plain_order(p, order, why);
    for (size_t i = 0; i < POLICY_MAX_VIEWS; i++) order[i] = i;
    return e;
}

enum err policy_text_install(struct db *db, struct bytes text, bool temp, struct why *why)
{
    struct policy_text p;
    size_t order[POLICY_MAX_VIEWS];
    enum err e = read_for(db, text, &p, order, why);
    if (e == ERR_OK && db_is_postgres(db)) e = policy_plain_check(&p, why);
    db_forget_statements(db);
    for (size_t i = 0; e == ERR_OK && i < p.n; i++) e = create(db, &p.views[order[i]], temp, why);
    return e;
}

enum err policy_text_remove(struct db *db, struct bytes text, bool temp, struct why *why)
{
    struct policy_text p;
    size_t order[POLICY_MAX_VIEWS];
    char sql[POLICY_MAX_NAME + 40];
    enum err e = read_for(db, text, &p, order, why);
    db_forget_statements(db);
    for (size_t i = p.n; e == ERR_OK && i > 0; i--) {
        (void)snprintf(sql, sizeof sql, "DROP VIEW IF EXISTS %s.%s", temp ? "temp" : "main", p.views[order[i - 1]].name);
        e = db_exec(db, sql, why);
    }
    return e;
}

enum err policy_text_in_force(struct db *db, struct buf *out, int64_t *out_gen, struct why *why)
{
    struct stmt *q;
    bool row = false;
    enum err e = db_prepare(db, "SELECT gen, text FROM h_policy WHERE state = 'in_force'", &q, why);
    if (e != ERR_OK) return e;
    e = db_step(q, &row, why);
    if (e == ERR_OK && !row) e = why_set(why, ERR_TAMPERED, "This hub has no policy in force.");
    if (e == ERR_OK) {
        *out_gen = db_int(q, 0);
        buf_put_bytes(out, db_bytes(q, 1));
        if (out->err != ERR_OK) e = why_set(why, out->err, "There is not enough memory to read the policy.");
    }
    db_done(q);
    return e;
}
