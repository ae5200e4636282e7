#include "sync/db_view.h"

#include "sync/db_sqlite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ------------------------------------------------------------------------------------------------ a store in memory */

static enum err harden(struct db_sqlite *db, struct why *why)
{
    int rc = sqlite3_db_config(db->sql, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_db_config(db->sql, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_db_config(db->sql, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_exec(db->sql, "PRAGMA temp_store=MEMORY", NULL, NULL, NULL);
    if (rc != SQLITE_OK) return db_sqlite_fault(db, rc, NULL, why);
    sqlite3_limit(db->sql, SQLITE_LIMIT_SQL_LENGTH, DB_MAX_SQL);
    sqlite3_limit(db->sql, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_limit(db->sql, SQLITE_LIMIT_WORKER_THREADS, 0);
    sqlite3_extended_result_codes(db->sql, 1);
    return db_register_functions(db, why);
}

enum err db_open_memory(struct db **out, const struct env *env, const char *schema, struct why *why)
{
    struct db_sqlite *db = db_sqlite_new(env);
    if (db == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to try this.");
    db->in_memory = true;
    int rc =
        sqlite3_open_v2(":memory:", &db->sql, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    enum err e = rc == SQLITE_OK ? harden(db, why) : why_set(why, ERR_NOMEM, "There is not enough memory to try this.");
    if (e == ERR_OK) e = db_exec(&db->base, schema, why);
    if (e == ERR_OK)
        *out = &db->base;
    else
        db_close(&db->base);
    return e;
}

/* ---------------------------------------------------------------------------------------------------------- judging */

struct judge {
    const char *sql;      /* the text that is judged */
    db_may_read may_read; /* NULL: a view is being created, and nothing is read */
    const void *ctx;
    struct db_view_fault *fault;
};

static int refuse(struct judge *j, const char *words, const char *name)
{
    if (j->fault->words[0] == '\0') {
        (void)snprintf(j->fault->words, sizeof j->fault->words, words, name == NULL ? "" : name);
        const char *at = name == NULL ? NULL : strcasestr(j->sql, name); /* SQLite does not say where */
        j->fault->offset = at == NULL ? 0 : (size_t)(at - j->sql);
    }
    return SQLITE_DENY;
}

static int judge_read(struct judge *j, const char *table)
{
    if (table == NULL || j->may_read(j->ctx, table)) return SQLITE_OK;
    return refuse(
        j,
        "it reads \"%.80s\"; a policy reads the tables that are shared with the sites, policy_now, case_voice "
        "and case_decided, and nothing else",
        table);
}

/* The same answer to the same question, on every engine. */
static int judge_function(struct judge *j, const char *name)
{
    static const char *const allowed[] = {"coalesce", "nullif", "substr", "length", "lower", "upper", "trim",
                                          "like",     "min",    "max",    "count",  "sum",   "abs",   "zeroblob"};
    for (size_t i = 0; name != NULL && i < sizeof allowed / sizeof allowed[0]; i++)
        if (strcasecmp(name, allowed[i]) == 0) return SQLITE_OK;
    return refuse(j, "it uses the function %.80s, which a policy may not", name);
}

static int judge_question(void *ctx, int action, const char *a, const char *b, const char *database,
                          const char *trigger)
{
    (void)database;
    (void)trigger;
    switch (action) {
    case SQLITE_SELECT: return SQLITE_OK;
    case SQLITE_READ: return judge_read(ctx, a);
    case SQLITE_FUNCTION: return judge_function(ctx, b);
    case SQLITE_RECURSIVE: return refuse(ctx, "it repeats itself (WITH RECURSIVE), which a policy may not%s", "");
    default: return refuse(ctx, "it does something else than ask%s", "");
    }
}

static bool is_schema(const char *table)
{
    return table != NULL && (strcmp(table, "sqlite_master") == 0 || strcmp(table, "sqlite_temp_master") == 0);
}

/* Creating a view is a row in SQLite's own list. */
static int judge_creation(void *ctx, int action, const char *a, const char *b, const char *database,
                          const char *trigger)
{
    (void)b;
    (void)database;
    (void)trigger;
    switch (action) {
    case SQLITE_CREATE_VIEW:
    case SQLITE_CREATE_TEMP_VIEW: return SQLITE_OK;
    case SQLITE_INSERT:
    case SQLITE_UPDATE:
    case SQLITE_READ:
        if (is_schema(a)) return SQLITE_OK;
        break;
    default: break;
    }
    return refuse(ctx, "it does something else than create a view%s", "");
}

/* Prepares exactly one statement under the judge. *out NULL unless ERR_OK. */
static enum err prepare(struct db_sqlite *db, const char *sql, struct judge *j, sqlite3_stmt **out, struct why *why)
{
    const char *tail = sql;
    memset(j->fault, 0, sizeof *j->fault);
    *out = NULL;
    sqlite3_set_authorizer(db->sql, j->may_read == NULL ? judge_creation : judge_question, j);
    int rc = sqlite3_prepare_v2(db->sql, sql, -1, out, &tail);
    int offset = rc == SQLITE_OK ? -1 : sqlite3_error_offset(db->sql);
    if (rc != SQLITE_OK && j->fault->words[0] == '\0' && (rc & 0xff) != SQLITE_ERROR && (rc & 0xff) != SQLITE_AUTH) {
        sqlite3_set_authorizer(db->sql, NULL, NULL);
        return db_sqlite_fault(db, rc, NULL, why);
    }
    if (rc != SQLITE_OK && j->fault->words[0] == '\0')
        (void)snprintf(j->fault->words, sizeof j->fault->words, "%s", sqlite3_errmsg(db->sql));
    else if (rc == SQLITE_OK && (*out == NULL || tail[strspn(tail, "; \t\r\n")] != '\0'))
        (void)snprintf(j->fault->words, sizeof j->fault->words, "there must be one statement, and nothing after it");
    sqlite3_set_authorizer(db->sql, NULL, NULL);
    if (j->fault->words[0] == '\0') return ERR_OK;
    if (offset > 0) j->fault->offset = (size_t)offset;
    sqlite3_finalize(*out);
    *out = NULL;
    return why_set(why, ERR_USAGE, "This SQL cannot be used: %s.", j->fault->words);
}

enum err db_view_create(struct db *db, const char *sql, struct db_view_fault *fault, struct why *why)
{
    return db->engine->view_create(db, sql, fault, why);
}

enum err db_sqlite_view_create(struct db *base, const char *sql, struct db_view_fault *fault, struct why *why)
{
    struct db_sqlite *db = db_sqlite_of(base);
    struct judge j = {.sql = sql, .fault = fault};
    sqlite3_stmt *s;
    enum err e = prepare(db, sql, &j, &s, why);
    if (e != ERR_OK) return e;
    int rc = sqlite3_step(s);
    if (rc != SQLITE_DONE) e = db_sqlite_fault(db, rc, NULL, why);
    sqlite3_finalize(s);
    return e;
}

enum err db_view_judge(struct db *db, const char *select, db_may_read may_read, const void *ctx,
                       struct db_view_fault *fault, struct why *why)
{
    struct judge j = {.sql = select, .may_read = may_read, .ctx = ctx, .fault = fault};
    sqlite3_stmt *s;
    if (db_sqlite_of(db) == NULL) return db_not_here(why);
    enum err e = prepare(db_sqlite_of(db), select, &j, &s, why);
    sqlite3_finalize(s);
    return e;
}
