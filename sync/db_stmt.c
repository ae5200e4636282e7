/* Prepared statements: the cache, binding, stepping, reading. */
#include "sync/db_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* FNV-1a, 64 bits: our own statement texts only, so nobody can choose them to collide. */
static uint64_t hash_text(const char *s)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *s != '\0'; s++)
        h = (h ^ (uint8_t)*s) * 0x100000001b3u;
    return h;
}

/* SQLite numbers $-parameters in order of first appearance, so $2 may be its number 1: look each up once by name. */
static bool number_params(struct stmt *s)
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

enum err db_stmt_new(struct db *db, const char *sql, struct stmt **out, struct why *why)
{
    struct stmt *s = calloc(1, sizeof *s);
    if (s == NULL)
        return why_set(why, ERR_NOMEM, "There is not enough memory to ask the store.");
    s->db = db;
    int rc = sqlite3_prepare_v3(db->sql, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->sql, NULL);
    enum err e = ERR_OK;
    if (rc == SQLITE_ERROR) /* the text is ours, so its message holds nobody's values */
        e = why_set(why, ERR_FAILED, "The store does not understand a statement: %.200s.", sqlite3_errmsg(db->sql));
    else if (rc != SQLITE_OK)
        e = db_fault(db, rc, sql, why);
    else if (s->sql == NULL || !number_params(s))
        e = why_set(why, ERR_FAILED, "A statement is empty, or its parameters are not $1 to $%d.", DB_MAX_PARAMS);
    if (e != ERR_OK) {
        db_stmt_free(s);
        return e;
    }
    s->busy = true;
    *out = s;
    return ERR_OK;
}

void db_stmt_free(struct stmt *s)
{
    if (s == NULL)
        return;
    sqlite3_finalize(s->sql);
    free(s);
}

void db_stmt_free_rows(struct db *db)
{
    for (size_t i = 0; i < DB_MAX_TABLES; i++) {
        db_stmt_free(db->get[i]);
        db_stmt_free(db->put[i]);
        db->get[i] = db->put[i] = NULL;
        for (size_t c = 0; c < RULES_MAX_COLUMNS; c++) {
            db_stmt_free(db->set[i][c]);
            db->set[i][c] = NULL;
        }
    }
}

void db_stmt_free_all(struct db *db)
{
    for (size_t i = 0; i < DB_BUCKETS; i++) {
        while (db->buckets[i] != NULL) {
            struct stmt *s = db->buckets[i];
            db->buckets[i] = s->next;
            db_stmt_free(s);
        }
    }
    db->n_cached = 0;
    db_stmt_free_rows(db);
}

static void evict_one(struct db *db)
{
    struct stmt **oldest = NULL;
    for (size_t i = 0; i < DB_BUCKETS; i++) {
        for (struct stmt **p = &db->buckets[i]; *p != NULL; p = &(*p)->next) {
            if (!(*p)->busy && (oldest == NULL || (*p)->used < (*oldest)->used))
                oldest = p;
        }
    }
    if (oldest == NULL)
        return; /* all in use: the cache is over its bound until some are given back */
    struct stmt *s = *oldest;
    *oldest = s->next;
    db->n_cached--;
    db_stmt_free(s);
}

enum err db_prepare(struct db *db, const char *sql, struct stmt **out, struct why *why)
{
    uint64_t hash = hash_text(sql);
    struct stmt **bucket = &db->buckets[hash % DB_BUCKETS], *s;
    for (s = *bucket; s != NULL; s = s->next) {
        if (!s->busy && s->hash == hash && strcmp(sqlite3_sql(s->sql), sql) == 0)
            break;
    }
    if (s == NULL) {
        *out = NULL;
        enum err e = db_stmt_new(db, sql, &s, why);
        if (e != ERR_OK)
            return e;
        while (db->n_cached >= DB_MAX_CACHED) {
            size_t before = db->n_cached;
            evict_one(db);
            if (db->n_cached == before)
                break;
        }
        s->hash = hash;
        s->next = *bucket;
        *bucket = s;
        db->n_cached++;
    }
    s->busy = true;
    s->used = ++db->clock;
    *out = s;
    return ERR_OK;
}

static void reset(struct stmt *s)
{
    (void)sqlite3_reset(s->sql); /* repeats the code of the last step, which was reported */
    s->stepping = false;
    s->bind_rc = SQLITE_OK;
}

/* SQLite's number of $n. A statement that stands on a row is reset first: SQLite refuses to bind it otherwise. */
static int param(struct stmt *s, int n)
{
    if (s->stepping)
        reset(s);
    return n >= 1 && n <= DB_MAX_PARAMS ? s->param[n] : 0;
}

static void note_bind(struct stmt *s, int rc)
{
    if (s->bind_rc == SQLITE_OK)
        s->bind_rc = rc;
}

void db_bind_int(struct stmt *s, int n, int64_t v)
{
    note_bind(s, sqlite3_bind_int64(s->sql, param(s, n), v));
}

void db_bind_text(struct stmt *s, int n, struct bytes v)
{
    /* A NULL pointer would bind NULL where empty text is meant. */
    const char *p = v.p == NULL ? "" : (const char *)v.p;
    note_bind(s, sqlite3_bind_text64(s->sql, param(s, n), p, v.n, SQLITE_STATIC, SQLITE_UTF8));
}

void db_bind_str(struct stmt *s, int n, const char *v)
{
    if (v == NULL)
        db_bind_null(s, n);
    else
        db_bind_text(s, n, bytes_of_str(v));
}

void db_bind_blob(struct stmt *s, int n, struct bytes v)
{
    const void *p = v.p == NULL ? "" : (const void *)v.p;
    note_bind(s, sqlite3_bind_blob64(s->sql, param(s, n), p, v.n, SQLITE_STATIC));
}

void db_bind_id(struct stmt *s, int n, const uint8_t id[16])
{
    db_bind_blob(s, n, bytes_of(id, 16));
}

void db_bind_null(struct stmt *s, int n)
{
    note_bind(s, sqlite3_bind_null(s->sql, param(s, n)));
}

void db_bind_value(struct stmt *s, int n, struct value v)
{
    switch (v.kind) {
    case VALUE_INT:
        db_bind_int(s, n, v.i);
        return;
    case VALUE_REAL:
        note_bind(s, sqlite3_bind_double(s->sql, param(s, n), v.r));
        return;
    case VALUE_TEXT:
        db_bind_text(s, n, v.s);
        return;
    case VALUE_BLOB:
        db_bind_blob(s, n, v.s);
        return;
    case VALUE_NONE:
    case VALUE_NULL:
        break;
    }
    db_bind_null(s, n);
}

enum err db_step(struct stmt *s, bool *out_row, struct why *why)
{
    enum err e = db_still_in_tx(s->db, why);
    if (e != ERR_OK) {
        reset(s);
        return e;
    }
    int rc = s->bind_rc;
    if (rc == SQLITE_RANGE || rc == SQLITE_MISUSE)
        e = why_set(why, ERR_FAILED, "A statement was given a parameter that it does not have.");
    else if (rc != SQLITE_OK)
        e = db_fault(s->db, rc, sqlite3_sql(s->sql), why);
    if (e == ERR_OK) {
        rc = sqlite3_step(s->sql);
        if (rc != SQLITE_ROW && rc != SQLITE_DONE)
            e = db_fault(s->db, rc, sqlite3_sql(s->sql), why);
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

enum err db_run(struct stmt *s, struct why *why)
{
    bool row = true;
    enum err e = ERR_OK;
    while (e == ERR_OK && row)
        e = db_step(s, &row, why);
    db_done(s);
    return e;
}

void db_done(struct stmt *s)
{
    if (s == NULL)
        return;
    assert(s->busy);
    reset(s);
    (void)sqlite3_clear_bindings(s->sql); /* what was borrowed may now go */
    s->busy = false;
}

int64_t db_int(struct stmt *s, int col)
{
    return sqlite3_column_int64(s->sql, col);
}

bool db_is_null(struct stmt *s, int col)
{
    return sqlite3_column_type(s->sql, col) == SQLITE_NULL;
}

struct bytes db_bytes(struct stmt *s, int col)
{
    int type = sqlite3_column_type(s->sql, col);
    if (type == SQLITE_NULL)
        return (struct bytes){0};
    const void *p = type == SQLITE_BLOB ? sqlite3_column_blob(s->sql, col) : sqlite3_column_text(s->sql, col);
    /* Empty blobs come back as NULL: kept apart from SQL NULL. */
    return p == NULL ? bytes_of("", 0) : bytes_of(p, (size_t)sqlite3_column_bytes(s->sql, col));
}

bool db_id(struct stmt *s, int col, uint8_t out[16])
{
    struct bytes v = db_bytes(s, col);
    if (v.n != 16 || sqlite3_column_type(s->sql, col) != SQLITE_BLOB) {
        memset(out, 0, 16);
        return false;
    }
    memcpy(out, v.p, 16);
    return true;
}

struct value db_value(struct stmt *s, int col)
{
    switch (sqlite3_column_type(s->sql, col)) {
    case SQLITE_INTEGER:
        return value_int(db_int(s, col));
    case SQLITE_FLOAT:
        return (struct value){.kind = VALUE_REAL, .r = sqlite3_column_double(s->sql, col)};
    case SQLITE_TEXT:
        return value_text(db_bytes(s, col));
    case SQLITE_BLOB:
        return value_blob(db_bytes(s, col));
    default:
        return value_null();
    }
}

int db_columns(struct stmt *s)
{
    return sqlite3_column_count(s->sql);
}

const char *db_column_name(struct stmt *s, int col)
{
    return sqlite3_column_name(s->sql, col);
}
