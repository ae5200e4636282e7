/* Prepared statements: the cache, and the way to an engine's own. */
#include "sync/db_internal.h"

#include <assert.h>
#include <string.h>

/* FNV-1a, 64 bits: our own statement texts only, so nobody can choose them to collide. */
static uint64_t hash_text(const char *s)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *s != '\0'; s++)
        h = (h ^ (uint8_t)*s) * 0x100000001b3u;
    return h;
}

enum err db_stmt_new(struct db *db, const char *sql, struct stmt **out, struct why *why)
{
    return db->engine->stmt_new(db, sql, out, why);
}

void db_stmt_free(struct stmt *s)
{
    if (s != NULL)
        s->db->engine->stmt_free(s);
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

void db_forget_statements(struct db *db)
{
    if (!db->engine->postgres) /* SQLite sees by itself that its schema changed */
        return;
    for (size_t i = 0; i < DB_BUCKETS; i++) {
        for (struct stmt **p = &db->buckets[i]; *p != NULL;) {
            struct stmt *s = *p;
            if (s->busy) {
                p = &s->next;
                continue;
            }
            *p = s->next;
            db->n_cached--;
            db_stmt_free(s);
        }
    }
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
        if (!s->busy && s->hash == hash && strcmp(s->text, sql) == 0)
            break;
    }
    if (s == NULL) {
        *out = NULL;
        enum err e = db_stmt_new(db, sql, &s, why);
        if (e != ERR_OK)
            return e;
        while (db->n_cached >= db->engine->max_cached) {
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

void db_bind_value(struct stmt *s, int n, struct value v)
{
    s->db->engine->bind(s, n, v);
}

void db_bind_int(struct stmt *s, int n, int64_t v)
{
    db_bind_value(s, n, value_int(v));
}

void db_bind_text(struct stmt *s, int n, struct bytes v)
{
    db_bind_value(s, n, value_text(v));
}

void db_bind_str(struct stmt *s, int n, const char *v)
{
    db_bind_value(s, n, v == NULL ? value_null() : value_text(bytes_of_str(v)));
}

void db_bind_blob(struct stmt *s, int n, struct bytes v)
{
    db_bind_value(s, n, value_blob(v));
}

void db_bind_id(struct stmt *s, int n, const uint8_t id[16])
{
    db_bind_value(s, n, value_id(id));
}

void db_bind_null(struct stmt *s, int n)
{
    db_bind_value(s, n, value_null());
}

enum err db_step(struct stmt *s, bool *out_row, struct why *why)
{
    return s->db->engine->step(s, out_row, why);
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
    s->db->engine->done(s);
    s->busy = false;
}

int64_t db_int(struct stmt *s, int col)
{
    return s->db->engine->col_int(s, col);
}

bool db_is_null(struct stmt *s, int col)
{
    return s->db->engine->col_is_null(s, col);
}

struct bytes db_bytes(struct stmt *s, int col)
{
    return s->db->engine->col_bytes(s, col);
}

struct value db_value(struct stmt *s, int col)
{
    return s->db->engine->col_value(s, col);
}

bool db_id(struct stmt *s, int col, uint8_t out[16])
{
    struct value v = db_value(s, col);
    if (v.kind != VALUE_BLOB || v.s.n != 16) {
        memset(out, 0, 16);
        return false;
    }
    memcpy(out, v.s.p, 16);
    return true;
}

int db_columns(struct stmt *s)
{
    return s->db->engine->columns(s);
}

const char *db_column_name(struct stmt *s, int col)
{
    return s->db->engine->column_name(s, col);
}
