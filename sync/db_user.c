/* A person's SQL (spoke sql). The authoriser stands only while the statement is prepared: what SQLite itself, FTS5 or
 * the session extension ask for while it runs (PRAGMA table_xinfo) is not the person's doing. Nothing can be slipped in
 * between, because schema changes are refused and a statement is prepared again only after one. The authoriser that the
 * connection came with (no ATTACH) is gone afterwards: db_open's limit of no attached databases does its work. */
#include "sync/db_sqlite.h"

#include <string.h>
#include <strings.h>

struct judge {
    bool write;          /* INSERT and UPDATE of case tables allowed */
    bool touched;        /* something that reads or writes rows was seen: VACUUM and the like ask for nothing */
    const char *refused; /* the first reason to say no */
    db_read_fn reads;    /* told of every column that is read; may be NULL */
    void *ctx;
};

static int refuse(struct judge *j, const char *reason)
{
    if (j->refused == NULL)
        j->refused = reason;
    return SQLITE_DENY;
}

static bool starts_with(const char *name, const char *prefix)
{
    return name != NULL && strncasecmp(name, prefix, strlen(prefix)) == 0;
}

static int judge_read(struct judge *j, const char *table, const char *column)
{
    if (starts_with(table, "secret_"))
        return refuse(j, "Keys are kept in that table; nobody may read it.");
    if (starts_with(table, "pragma_") || starts_with(table, "sqlite_dbpage") || starts_with(table, "dbstat"))
        return refuse(j, "This command reads rows of tables, not the settings or raw pages of the store.");
    if (starts_with(table, "n_hidden") || starts_with(table, "n_image"))
        return refuse(j, "Entries whose time is over, and what others wrote under your own changes, are not for reading.");
    if (j->reads != NULL && table != NULL && column != NULL)
        j->reads(j->ctx, table, column);
    return SQLITE_OK;
}

static int judge_write(struct judge *j, const char *table)
{
    if (!j->write)
        return refuse(j, "This command only reads. Add --write if you mean to change something.");
    int i = table == NULL ? -1 : rules_table_index(bytes_of_str(table));
    if (i < 0)
        return refuse(j, "That table belongs to Spoke itself and cannot be changed here.");
    if (rules_table((size_t)i)->kind != TABLE_CASE)
        return refuse(j, "Agencies, sites and other lists are kept by the administrators of the hub.");
    j->touched = true;
    return SQLITE_OK;
}

static int judge_function(struct judge *j, const char *name)
{
    static const char *const barred[] = {"load_extension", "fts3_tokenizer", "readfile", "writefile", "edit",
                                         "sqlite_attach",  "sqlite_detach",  "sqlite_log"};
    for (size_t i = 0; i < sizeof barred / sizeof barred[0]; i++) {
        if (name == NULL || strcasecmp(name, barred[i]) == 0)
            return refuse(j, "That function reaches outside the store and is not allowed here.");
    }
    return SQLITE_OK;
}

static int authorise(void *ctx, int action, const char *a, const char *b, const char *database, const char *trigger)
{
    struct judge *j = ctx;
    (void)database;
    (void)trigger;
    switch (action) {
    case SQLITE_SELECT:
        j->touched = true;
        return SQLITE_OK;
    case SQLITE_READ:
        return judge_read(j, a, b);
    case SQLITE_RECURSIVE:
        return SQLITE_OK;
    case SQLITE_FUNCTION:
        return judge_function(j, b);
    case SQLITE_INSERT:
    case SQLITE_UPDATE:
        if (starts_with(a, "sqlite_")) /* CREATE, DROP and ANALYZE begin with a write to SQLite's own tables */
            return refuse(j, "Only rows can be read and changed here, not the shape of the store.");
        return judge_write(j, a);
    case SQLITE_DELETE:
        return refuse(j, "Nothing is deleted: void the row instead (set voided_at and void_reason).");
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
        return refuse(j, "Each statement is a transaction of its own here; leave BEGIN, COMMIT and the like out.");
    default:
        return refuse(j, "Only SELECT, and with --write also INSERT and UPDATE, are allowed here.");
    }
}

/* Is there nothing but blanks, comments and semicolons left? */
static bool is_blank(struct db_sqlite *db, const char *tail)
{
    while (*tail != '\0') {
        sqlite3_stmt *more = NULL;
        const char *end = tail;
        int rc = sqlite3_prepare_v2(db->sql, tail, -1, &more, &end);
        bool something = rc != SQLITE_OK || more != NULL;
        sqlite3_finalize(more);
        if (something || end == tail)
            return !something;
        tail = end;
    }
    return true;
}

static enum err prepare_fault(struct db_sqlite *db, int rc, const struct judge *j, const char *sql, struct why *why)
{
    if (j->refused != NULL)
        return why_set(why, ERR_DENIED, "%s", j->refused);
    if (rc == SQLITE_ERROR) /* about the text that the person has just typed, to that person */
        return why_set(why, ERR_USAGE, "This SQL cannot be understood: %.200s.", sqlite3_errmsg(db->sql));
    return db_sqlite_fault(db, rc, sql, why);
}

/* Exactly one statement, judged. *out is set only on success. */
static enum err prepare_judged(struct db_sqlite *db, const char *sql, struct judge j, sqlite3_stmt **out, struct why *why)
{
    sqlite3_stmt *s = NULL;
    const char *tail = sql;
    enum err e = ERR_OK;
    sqlite3_set_authorizer(db->sql, authorise, &j);
    int rc = sqlite3_prepare_v2(db->sql, sql, -1, &s, &tail);
    if (rc != SQLITE_OK)
        e = prepare_fault(db, rc, &j, sql, why);
    else if (s == NULL)
        e = why_set(why, ERR_USAGE, "There is no SQL statement here.");
    else if (!is_blank(db, tail))
        e = why_set(why, ERR_USAGE, "Give one SQL statement at a time.");
    else if (sqlite3_bind_parameter_count(s) > 0)
        e = why_set(why, ERR_USAGE, "Write the values into the statement: nothing can fill its parameters.");
    else if (!j.touched || (!j.write && !sqlite3_stmt_readonly(s)))
        e = why_set(why, ERR_DENIED, "Only SELECT, and with --write also INSERT and UPDATE, are allowed here.");
    sqlite3_set_authorizer(db->sql, NULL, NULL);
    if (e != ERR_OK)
        sqlite3_finalize(s);
    else
        *out = s;
    return e;
}

enum err db_user_sql(struct db *db, const char *sql, bool write, db_row_fn each, void *ctx, struct why *why)
{
    struct stmt_sqlite s = {.base = {.db = db, .busy = true}};
    bool row = true;
    if (db_sqlite_of(db) == NULL)
        return db_not_here(why);
    enum err e = prepare_judged(db_sqlite_of(db), sql, (struct judge){.write = write}, &s.sql, why);
    while (e == ERR_OK) {
        e = db_step(&s.base, &row, why);
        if (e != ERR_OK || !row)
            break;
        e = each == NULL ? ERR_OK : each(ctx, &s.base, why);
    }
    sqlite3_finalize(s.sql);
    return e;
}

enum err db_user_sql_reads(struct db *db, const char *sql, bool write, db_read_fn each, void *ctx, struct why *why)
{
    sqlite3_stmt *s = NULL;
    if (db_sqlite_of(db) == NULL)
        return db_not_here(why);
    enum err e = prepare_judged(db_sqlite_of(db), sql, (struct judge){.write = write, .reads = each, .ctx = ctx}, &s, why);
    sqlite3_finalize(s);
    return e;
}
