/* SQLite's prepared statements: binding, stepping, reading. */
#include "sync/db_sqlite.h"

#include <stdlib.h>

static struct stmt_sqlite *own(struct stmt *s)
{
    return (struct stmt_sqlite *)s;
}

static struct db_sqlite *connection(const struct stmt_sqlite *s)
{
    return (struct db_sqlite *)s->base.db;
}

/* SQLite numbers $-parameters in order of first appearance, so $2 may be its number 1: look each up once by name. */
static bool number_params(struct stmt_sqlite *s)
{
    int n = sqlite3_bind_parameter_count(s->sql);
    for (int i = 1; i <= n; i++) {
        const char *name = sqlite3_bind_parameter_name(s->sql, i);
        if (i > DB_MAX_PARAMS || name == NULL || name[0] != '$' || name[1] < '1' || name[1] > '9')
            return false;
        char *end;
        long number = strtol(name + 1, &end, 10);
        if (*end != '\0' || number > DB_MAX_PARAMS)
            return false;
        s->param[number] = (uint8_t)i;
    }
    return true;
}

enum err db_sqlite_stmt_new(struct db *base, const char *sql, struct stmt **out, struct why *why)
{
    struct db_sqlite *db = db_sqlite_of(base);
    struct stmt_sqlite *s = calloc(1, sizeof *s);
    if (s == NULL)
        return why_set(why, ERR_NOMEM, "There is not enough memory to ask the store.");
    s->base.db = base;
    int rc = sqlite3_prepare_v3(db->sql, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->sql, NULL);
    enum err e = ERR_OK;
    if (rc == SQLITE_ERROR) /* the text is ours, so its message holds nobody's values */
        e = why_set(why, ERR_FAILED, "The store does not understand a statement: %.200s.", sqlite3_errmsg(db->sql));
    else if (rc != SQLITE_OK)
        e = db_sqlite_fault(db, rc, sql, why);
    else if (s->sql == NULL || !number_params(s))
        e = why_set(why, ERR_FAILED, "A statement is empty, or its parameters are not $1 to $%d.", DB_MAX_PARAMS);
    if (e != ERR_OK) {
        db_sqlite_stmt_free(&s->base);
        return e;
    }
    s->base.text = sqlite3_sql(s->sql);
    s->base.busy = true;
    *out = &s->base;
    return ERR_OK;
}

void db_sqlite_stmt_free(struct stmt *s)
{
    sqlite3_finalize(own(s)->sql);
    free(s);
}

static void reset(struct stmt_sqlite *s)
{
    (void)sqlite3_reset(s->sql); /* repeats the code of the last step, which was reported */
    s->stepping = false;
    s->bind_rc = SQLITE_OK;
}

/* SQLite's number of $n. A statement that stands on a row is reset first: SQLite refuses to bind it otherwise. */
static int param(struct stmt_sqlite *s, int n)
{
    if (s->stepping)
        reset(s);
    return n >= 1 && n <= DB_MAX_PARAMS ? s->param[n] : 0;
}

static int bind(struct stmt_sqlite *s, int i, struct value v)
{
    /* A NULL pointer would bind NULL where empty text or bytes are meant. */
    const char *p = v.kind == VALUE_TEXT || v.kind == VALUE_BLOB ? (const char *)v.s.p : "";
    switch (v.kind) {
    case VALUE_INT:
        return sqlite3_bind_int64(s->sql, i, v.i);
    case VALUE_REAL:
        return sqlite3_bind_double(s->sql, i, v.r);
    case VALUE_TEXT:
        return sqlite3_bind_text64(s->sql, i, p == NULL ? "" : p, v.s.n, SQLITE_STATIC, SQLITE_UTF8);
    case VALUE_BLOB:
        return sqlite3_bind_blob64(s->sql, i, p == NULL ? "" : p, v.s.n, SQLITE_STATIC);
    case VALUE_NONE:
    case VALUE_NULL:
        break;
    }
    return sqlite3_bind_null(s->sql, i);
}

void db_sqlite_bind(struct stmt *base, int n, struct value v)
{
    struct stmt_sqlite *s = own(base);
    int rc = bind(s, param(s, n), v);
    if (s->bind_rc == SQLITE_OK)
        s->bind_rc = rc;
}

enum err db_sqlite_step(struct stmt *base, bool *out_row, struct why *why)
{
    struct stmt_sqlite *s = own(base);
    enum err e = db_sqlite_still_in_tx(connection(s), why);
    if (e != ERR_OK) {
        reset(s);
        return e;
    }
    int rc = s->bind_rc;
    if (rc == SQLITE_RANGE || rc == SQLITE_MISUSE)
        e = why_set(why, ERR_FAILED, "A statement was given a parameter that it does not have.");
    else if (rc != SQLITE_OK)
        e = db_sqlite_fault(connection(s), rc, sqlite3_sql(s->sql), why);
    if (e == ERR_OK) {
        rc = sqlite3_step(s->sql);
        if (rc != SQLITE_ROW && rc != SQLITE_DONE)
            e = db_sqlite_fault(connection(s), rc, sqlite3_sql(s->sql), why);
    }
    if (e != ERR_OK || rc == SQLITE_DONE) {
        reset(s);
        if (e == ERR_OK)
            *out_row = false;
        return e;
    }
    s->stepping = true;
    *out_row = true;
    return ERR_OK;
}

void db_sqlite_done(struct stmt *s)
{
    reset(own(s));
    (void)sqlite3_clear_bindings(own(s)->sql); /* what was borrowed may now go */
}

int64_t db_sqlite_int(struct stmt *s, int col)
{
    return sqlite3_column_int64(own(s)->sql, col);
}

bool db_sqlite_is_null(struct stmt *s, int col)
{
    return sqlite3_column_type(own(s)->sql, col) == SQLITE_NULL;
}

struct bytes db_sqlite_bytes(struct stmt *base, int col)
{
    sqlite3_stmt *s = own(base)->sql;
    int type = sqlite3_column_type(s, col);
    if (type == SQLITE_NULL)
        return (struct bytes){0};
    const void *p = type == SQLITE_BLOB ? sqlite3_column_blob(s, col) : sqlite3_column_text(s, col);
    /* Empty blobs come back as NULL: kept apart from SQL NULL. */
    return p == NULL ? bytes_of("", 0) : bytes_of(p, (size_t)sqlite3_column_bytes(s, col));
}

struct value db_sqlite_value(struct stmt *s, int col)
{
    switch (sqlite3_column_type(own(s)->sql, col)) {
    case SQLITE_INTEGER:
        return value_int(db_sqlite_int(s, col));
    case SQLITE_FLOAT:
        return (struct value){.kind = VALUE_REAL, .r = sqlite3_column_double(own(s)->sql, col)};
    case SQLITE_TEXT:
        return value_text(db_sqlite_bytes(s, col));
    case SQLITE_BLOB:
        return value_blob(db_sqlite_bytes(s, col));
    default:
        return value_null();
    }
}

int db_sqlite_columns(struct stmt *s)
{
    return sqlite3_column_count(own(s)->sql);
}

const char *db_sqlite_column_name(struct stmt *s, int col)
{
    return sqlite3_column_name(own(s)->sql, col);
}
