/* From the common subset to PostgreSQL's SQL, token by token. Everything else passes as it is, and what PostgreSQL
 * does not understand it says itself. The texts are the hub's own, and the policies that its administrators wrote. */
#include "sync/db_postgres_internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum token { TOKEN_END, TOKEN_WORD, TOKEN_QUOTED, TOKEN_STRING, TOKEN_BLOB, TOKEN_PARAM, TOKEN_OTHER, TOKEN_BAD };

struct lexer {
    const char *at; /* what comes next */
    const char *p;  /* the token */
    size_t n;
    enum token kind;
    bool blank; /* blanks or comments before it */
};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Over blanks and comments. */
static void skip(struct lexer *l)
{
    const char *start = l->at;
    for (;;) {
        if (*l->at != '\0' && strchr(" \t\r\n\f", *l->at) != NULL) {
            l->at++;
        } else if (l->at[0] == '-' && l->at[1] == '-') {
            l->at += strcspn(l->at, "\n");
        } else if (l->at[0] == '/' && l->at[1] == '*') {
            const char *end = strstr(l->at + 2, "*/");
            l->at = end == NULL ? l->at + strlen(l->at) : end + 2;
        } else {
            break;
        }
    }
    l->blank = l->at != start;
}

/* Behind the closing quote; NULL: there is none. */
static const char *quoted_end(const char *p, char quote)
{
    for (p++; *p != '\0'; p++) {
        if (*p == quote && p[1] != quote) return p + 1;
        if (*p == quote) p++;
    }
    return NULL;
}

static enum token kind_at(const char *p)
{
    if (*p == '\0') return TOKEN_END;
    if (*p == '\'') return TOKEN_STRING;
    if (*p == '"') return TOKEN_QUOTED;
    if ((*p == 'x' || *p == 'X') && p[1] == '\'') return TOKEN_BLOB;
    if (is_letter(*p)) return TOKEN_WORD;
    if (*p == '$') return TOKEN_PARAM;
    if (*p == ':' && p[1] == ':') return TOKEN_OTHER; /* a cast, in what is asked of PostgreSQL alone */
    return *p == '`' || *p == '[' || *p == '?' || *p == ':' || *p == '@' || *p == '\\' ? TOKEN_BAD : TOKEN_OTHER;
}

static void next(struct lexer *l)
{
    const char *end = NULL;
    skip(l);
    l->p = l->at;
    l->kind = kind_at(l->p);
    switch (l->kind) {
    case TOKEN_WORD:
        for (end = l->p; is_letter(*end) || is_digit(*end);) end++;
        break;
    case TOKEN_PARAM:
        for (end = l->p + 1; is_digit(*end);) end++;
        if (is_letter(*end)) end = NULL; /* $1x is no parameter of ours */
        break;
    case TOKEN_QUOTED:
    case TOKEN_STRING: end = quoted_end(l->p, *l->p); break;
    case TOKEN_BLOB: end = quoted_end(l->p + 1, '\''); break;
    case TOKEN_OTHER:
        /* A number whole, so that its letters are no words; anything else a character at a time. */
        end = l->p + (*l->p == ':' ? 2 : 1);
        while (is_digit(*l->p) && (is_digit(*end) || is_letter(*end) || *end == '.')) end++;
        break;
    case TOKEN_END: end = l->p; break;
    case TOKEN_BAD: break;
    }
    if (end == NULL) l->kind = TOKEN_BAD;
    l->n = end == NULL ? 0 : (size_t)(end - l->p);
    l->at = end == NULL ? l->p : end;
}

static bool word(const struct lexer *l, const char *w)
{
    return l->kind == TOKEN_WORD && l->n == strlen(w) && strncasecmp(l->p, w, l->n) == 0;
}

static bool sign(const struct lexer *l, char c)
{
    return l->kind == TOKEN_OTHER && l->n == 1 && *l->p == c;
}

static struct lexer peek(const struct lexer *l)
{
    struct lexer ahead = *l;
    next(&ahead);
    return ahead;
}

/* ---- one token */

struct translation {
    struct lexer l;
    struct buf *out;
    const char *schema;
    struct pg_facts *facts;
    int depth;     /* of parentheses */
    bool after_as; /* the last token was AS */
    bool changes;  /* a word that changes rows was seen */
};

static const char *type_of(const struct lexer *l)
{
    static const char *const types[][2] = {{"INTEGER", "BIGINT"}, {"INT", "BIGINT"},
                                           {"BLOB", "BYTEA"},     {"REAL", "DOUBLE PRECISION"},
                                           {"ANY", "spoke_any"},  {"TEXT", "TEXT COLLATE \"C\""}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (word(l, types[i][0])) return types[i][1];
    return NULL;
}

static void put_blob(struct translation *t)
{
    buf_put_str(t->out, "'\\x");
    buf_put(t->out, t->l.p + 2, t->l.n - 3);
    buf_put_str(t->out, "'::bytea");
}

static void put_word(struct translation *t)
{
    const struct lexer *l = &t->l;
    struct lexer ahead = peek(l);
    if (word(l, "user") && !sign(&ahead, '(')) {
        buf_put_str(t->out, "\"user\""); /* bare, it is whoever logged in to the database */
    } else if (word(l, "main") && sign(&ahead, '.')) {
        buf_printf(t->out, "\"%s\"", t->schema);
    } else if (word(l, "temp") && sign(&ahead, '.')) {
        buf_put_str(t->out, "pg_temp");
    } else if (t->after_as && sign(&ahead, ')') && type_of(l) != NULL && !word(l, "TEXT")) {
        buf_put_str(t->out, type_of(l)); /* CAST(… AS INTEGER) */
    } else {
        buf_put(t->out, l->p, l->n);
    }
    if (word(l, "INSERT") || word(l, "UPDATE") || word(l, "DELETE")) t->changes = true;
}

static bool put_param(struct translation *t)
{
    long n = strtol(t->l.p + 1, NULL, 10);
    if (t->l.n < 2 || t->l.n > 3 || n < 1 || n > DB_MAX_PARAMS) return false;
    if (n > t->facts->n_params) t->facts->n_params = (int)n;
    buf_put(t->out, t->l.p, t->l.n);
    return true;
}

/* The token that the lexer stands on, and on to the next. False: it is none of the subset. */
static bool put_token(struct translation *t)
{
    bool ok = true;
    if (t->l.blank) buf_put_u8(t->out, ' ');
    switch (t->l.kind) {
    case TOKEN_WORD: put_word(t); break;
    case TOKEN_BLOB: put_blob(t); break;
    case TOKEN_PARAM: ok = put_param(t); break;
    case TOKEN_QUOTED:
    case TOKEN_STRING: buf_put(t->out, t->l.p, t->l.n); break;
    case TOKEN_OTHER:
        t->depth += sign(&t->l, '(') ? 1 : sign(&t->l, ')') ? -1 : 0;
        buf_put(t->out, t->l.p, t->l.n);
        break;
    case TOKEN_END:
    case TOKEN_BAD: ok = false; break;
    }
    t->after_as = word(&t->l, "AS");
    next(&t->l);
    return ok;
}

static bool at_end(const struct translation *t)
{
    return t->l.kind == TOKEN_END || (t->depth == 0 && sign(&t->l, ';'));
}

/* ---- CREATE TABLE, ALTER TABLE */

/* A name as it stands, without quotes, for the function that numbers its rows. */
static bool copy_name(const struct lexer *l, char out[PG_NAME_MAX])
{
    bool quoted = l->kind == TOKEN_QUOTED;
    size_t n = quoted ? l->n - 2 : l->n;
    const char *p = quoted ? l->p + 1 : l->p;
    if ((l->kind != TOKEN_WORD && !quoted) || n == 0 || n > 50 || memchr(p, '"', n) != NULL) return false;
    memcpy(out, p, n);
    out[n] = '\0';
    return true;
}

/* SQLite numbers the rows of such a column by itself, one above the highest. A sequence would not do: it leaves gaps
 * where a transaction was undone, and knows nothing of rows that came with their numbers. One transaction writes at a
 * time. */
static void put_numbering(struct buf *before, const char *table, const char *column)
{
    buf_printf(
        before,
        "DO $spoke$BEGIN IF to_regprocedure('\"spoke_next_%s\"()') IS NULL THEN "
        "CREATE FUNCTION \"spoke_next_%s\"() RETURNS bigint LANGUAGE plpgsql VOLATILE AS "
        "$number$BEGIN RETURN (SELECT coalesce(max(\"%s\"), 0) + 1 FROM \"%s\"); END$number$; END IF; END$spoke$;\n",
        table, table, column, table);
}

/* The lexer stands on the first word of what may be a column: its name and type, if it is one. */
static bool put_column(struct translation *t, const char *table, struct buf *before)
{
    char column[PG_NAME_MAX];
    static const char *const others[] = {"PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "CONSTRAINT"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (word(&t->l, others[i])) return true;
    if (!copy_name(&t->l, column) || !put_token(t)) return false;
    const char *type = type_of(&t->l);
    if (type == NULL) return false;
    bool whole = word(&t->l, "INTEGER");
    buf_printf(t->out, " %s", type);
    next(&t->l);
    struct lexer ahead = peek(&t->l);
    if (before == NULL || !whole || !word(&t->l, "PRIMARY") || !word(&ahead, "KEY")) return true;
    put_numbering(before, table, column);
    buf_printf(t->out, " DEFAULT \"spoke_next_%s\"()", table);
    return true;
}

/* What stands behind the columns is about how SQLite keeps the rows. */
static bool skip_options(struct translation *t)
{
    for (; !at_end(t); next(&t->l))
        if (!word(&t->l, "STRICT") && !word(&t->l, "WITHOUT") && !word(&t->l, "ROWID") && !sign(&t->l, ','))
            return false;
    return true;
}

/* Behind CREATE TABLE; `before`: NULL for a temporary one, whose rows number themselves nowhere. */
static bool put_table(struct translation *t, struct buf *before)
{
    char table[PG_NAME_MAX];
    while (word(&t->l, "IF") || word(&t->l, "NOT") || word(&t->l, "EXISTS"))
        if (!put_token(t)) return false;
    if (!copy_name(&t->l, table) || !put_token(t)) return false;
    if (word(&t->l, "AS")) {
        while (!at_end(t))
            if (!put_token(t)) return false;
        return true;
    }
    if (!sign(&t->l, '(') || !put_token(t)) return false;
    bool column = true;
    while (t->depth > 0) {
        if (column && !put_column(t, table, before)) return false;
        column = t->depth == 1 && sign(&t->l, ',');
        if (!put_token(t)) return false;
    }
    return skip_options(t);
}

/* ALTER TABLE … ADD COLUMN name type */
static bool put_alter(struct translation *t)
{
    bool column = false;
    while (!at_end(t)) {
        if (column && !put_column(t, "", NULL)) return false;
        column = word(&t->l, "COLUMN");
        if (!at_end(t) && !put_token(t)) return false;
    }
    return true;
}

static bool put_statement(struct translation *t, struct buf *before)
{
    bool create = word(&t->l, "CREATE"), alter = word(&t->l, "ALTER");
    t->facts->select = word(&t->l, "SELECT") || word(&t->l, "VALUES") || word(&t->l, "WITH");
    t->l.blank = false;
    if (create || alter) {
        if (!put_token(t)) return false;
        bool temporary = word(&t->l, "TEMP") || word(&t->l, "TEMPORARY");
        if (temporary && !put_token(t)) return false;
        if (word(&t->l, "TABLE")) {
            if (!put_token(t)) return false;
            return create ? put_table(t, temporary ? NULL : before) : put_alter(t);
        }
    }
    while (!at_end(t))
        if (!put_token(t)) return false;
    return true;
}

enum err pg_translate(const char **sql, const char *schema, struct buf *out, struct pg_facts *out_facts,
                      struct why *why)
{
    struct buf before;
    struct pg_facts facts = {0};
    struct translation t = {.l = {.at = *sql}, .out = out, .schema = schema, .facts = &facts};
    buf_reset(out);
    buf_init(&before, DB_MAX_SQL);
    do /* statements of nothing but a semicolon */
        next(&t.l);
    while (sign(&t.l, ';'));
    facts.empty = t.l.kind == TOKEN_END;
    bool ok = facts.empty || put_statement(&t, &before);
    enum err e = ok ? ERR_OK : why_set(why, ERR_FAILED, "A statement is not of the SQL that Spoke's databases share.");
    facts.select = facts.select && !t.changes;
    if (e == ERR_OK && before.len > 0) { /* it must be there first */
        buf_put_bytes(&before, buf_bytes(out));
        buf_reset(out);
        buf_put_bytes(out, buf_bytes(&before));
        if (out->err == ERR_OK) out->err = before.err;
    }
    if (e == ERR_OK && out->err != ERR_OK) e = why_set(why, out->err, "A statement is too long for the database.");
    if (e == ERR_OK) {
        *sql = t.l.kind == TOKEN_END ? t.l.p : t.l.at;
        *out_facts = facts;
    }
    buf_release(&before);
    return e;
}
