/* The computer of the scripted operations: its disk, its connections, and what a reader sees. */
#include "tests/crash/crash.h"

#include "crypto/pagevfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_DATABASE 0x6e6f6e65u /* the digest of a database that is not there */

void must(bool ok, const char *what)
{
    if (ok) return;
    (void)fprintf(stderr, "crash: cannot go on: %s\n", what);
    abort();
}

bool wrong(struct world *w, const char *format, ...)
{
    va_list args;
    if (w->fault[0] != '\0') return false; /* the first one says most */
    va_start(args, format);
    (void)vsnprintf(w->fault, sizeof w->fault, format, args);
    va_end(args);
    return false;
}

/* ---- struct env over the disk ---- */

static struct disk *disk_of(void *ctx)
{
    return ((struct world *)ctx)->disk;
}

static int64_t now_ms(void *ctx)
{
    return ((struct world *)ctx)->now;
}

static void random_bytes(void *ctx, void *out, size_t n)
{
    draw_bytes(&((struct world *)ctx)->random, out, n);
}

static enum err read_file(void *ctx, const char *path, size_t max, struct buf *out, struct why *why)
{
    return disk_read_file(disk_of(ctx), path, max, out, why);
}

static enum err write_file(void *ctx, const char *path, struct bytes content, struct why *why)
{
    return disk_write_file(disk_of(ctx), path, content, why);
}

static enum err append_file(void *ctx, const char *path, uint64_t offset, struct bytes content, bool sync,
                            struct why *why)
{
    return disk_append_file(disk_of(ctx), path, offset, content, sync, why);
}

static enum err file_size(void *ctx, const char *path, uint64_t *out_size, struct why *why)
{
    return disk_file_size(disk_of(ctx), path, out_size, why);
}

static enum err remove_file(void *ctx, const char *path, struct why *why)
{
    return disk_remove_file(disk_of(ctx), path, why);
}

static enum err shred_file(void *ctx, const char *path, struct why *why)
{
    return disk_shred_file(disk_of(ctx), path, why);
}

static enum err make_dir(void *ctx, const char *path, struct why *why)
{
    (void)ctx, (void)path, (void)why; /* names imply folders here */
    return ERR_OK;
}

struct world *world_new(void)
{
    struct world *w = calloc(1, sizeof *w);
    must(w != NULL, "memory");
    must(secret_start(NULL) == ERR_OK && secret_new(&w->key, 32, NULL) == ERR_OK, "secrets");
    memset(w->key.p, 7, w->key.n);
    w->disk = disk_new();
    disk_set_scatter(w->disk, true);
    w->now = NOON;
    w->random = draw_stream(1, 5, 0);
    w->env = (struct env){
        .ctx = w,
        .now_ms = now_ms,
        .random = random_bytes,
        .vfs = disk_vfs_name(w->disk),
        .read_file = read_file,
        .write_file = write_file,
        .append_file = append_file,
        .file_size = file_size,
        .remove_file = remove_file,
        .shred_file = shred_file,
        .make_dir = make_dir,
    };
    return w;
}

void world_close(struct world *w)
{
    pagevfs_close(w->db);
    pagevfs_close(w->other);
    w->db = w->other = NULL;
}

void world_clear(struct world *w)
{
    world_close(w);
    disk_set_faults(w->disk, NULL);
    struct draw by = draw_stream(1, 6, 0);
    (void)disk_power_off(w->disk, &by);
    struct disk *empty = disk_new();
    struct disk_image *nothing = disk_image_take(empty);
    disk_put_back(w->disk, nothing);
    disk_image_free(nothing);
    disk_free(empty);
    w->at = w->floor = w->n_states = 0;
    w->weak = w->recording = false;
}

void world_free(struct world *w)
{
    if (w == NULL) return;
    world_close(w);
    device_free(w);
    secret_release(&w->key);
    disk_free(w->disk);
    free(w);
}

bool world_create(struct world *w, const char *path)
{
    return pagevfs_create(path, disk_vfs_name(w->disk), &w->key, NULL) == ERR_OK;
}

bool world_open(struct world *w)
{
    return w->db != NULL || pagevfs_open(&w->db, MAIN_DB, disk_vfs_name(w->disk), &w->key, NULL) == ERR_OK;
}

bool world_open_other(struct world *w)
{
    return w->other != NULL || pagevfs_open(&w->other, SECOND_DB, disk_vfs_name(w->disk), &w->key, NULL) == ERR_OK;
}

/* An error that the power does not explain is remembered. */
bool world_sql(struct world *w, const char *sql)
{
    char *message = NULL;
    int rc = sqlite3_exec(w->db, sql, NULL, NULL, &message);
    if (rc != SQLITE_OK && !disk_is_dead(w->disk)) (void)wrong(w, "\"%.60s\": %s", sql, message == NULL ? "" : message);
    sqlite3_free(message);
    return rc == SQLITE_OK;
}

/* ---- what a reader sees ---- */

uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9E3779B97F4A7C15u;
    return h ^ h >> 29;
}

uint64_t mix_bytes(uint64_t h, const void *p, size_t n)
{
    const uint8_t *at = p;
    h = mix(h, n);
    for (; n >= 8; at += 8, n -= 8) {
        uint64_t v;
        memcpy(&v, at, sizeof v);
        h = mix(h, v);
    }
    uint64_t last = 0;
    if (n > 0) memcpy(&last, at, n);
    return mix(h, last);
}

static uint64_t mix_column(uint64_t h, sqlite3_stmt *st, int i)
{
    int type = sqlite3_column_type(st, i);
    h = mix(h, (uint64_t)type);
    if (type == SQLITE_NULL) return h;
    if (type == SQLITE_INTEGER) return mix(h, (uint64_t)sqlite3_column_int64(st, i));
    const void *p = sqlite3_column_blob(st, i); /* a float as its text */
    return mix_bytes(h, p, (size_t)sqlite3_column_bytes(st, i));
}

static bool mix_query(sqlite3 *db, const char *sql, uint64_t *h)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
    if (rc == SQLITE_OK)
        while ((rc = sqlite3_step(st)) == SQLITE_ROW)
            for (int i = 0; i < sqlite3_column_count(st); i++) *h = mix_column(*h, st, i);
    sqlite3_finalize(st);
    return rc == SQLITE_DONE;
}

bool db_digest(struct world *w, sqlite3 *db, uint64_t *out)
{
    uint64_t h = 1;
    sqlite3_stmt *st = NULL;
    bool ok = mix_query(db, "PRAGMA user_version", &h) &&
              mix_query(db, "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name", &h);
    ok = ok && sqlite3_prepare_v2(db,
                                  "SELECT format('SELECT * FROM \"%w\" NOT INDEXED', name) FROM sqlite_schema"
                                  " WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name",
                                  -1, &st, NULL) == SQLITE_OK;
    while (ok && sqlite3_step(st) == SQLITE_ROW) ok = mix_query(db, (const char *)sqlite3_column_text(st, 0), &h);
    if (sqlite3_finalize(st) != SQLITE_OK) ok = false;
    *out = h;
    return ok || wrong(w, "reading gives \"%s\" (%d)", sqlite3_errmsg(db), sqlite3_extended_errcode(db));
}

static bool observe_one(struct world *w, sqlite3 **db, const char *path, uint64_t *h)
{
    struct why why = {0};
    uint64_t one = NO_DATABASE;
    enum err e =
        disk_file(w->disk, path).n == 0 ? ERR_UNINIT : pagevfs_open(db, path, disk_vfs_name(w->disk), &w->key, &why);
    if (e != ERR_OK && e != ERR_UNINIT) return wrong(w, "opening %s gives error %d", path, (int)e);
    if (e == ERR_OK && !db_digest(w, *db, &one)) return false;
    *h = mix(*h, one);
    return true;
}

bool world_observe(struct world *w, uint64_t *out)
{
    world_close(w);
    *out = 2;
    return observe_one(w, &w->db, MAIN_DB, out) && observe_one(w, &w->other, SECOND_DB, out);
}

static bool intact(struct world *w, sqlite3 *db)
{
    sqlite3_stmt *st = NULL;
    if (db == NULL) return true;
    bool ok =
        sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW;
    const char *text = ok ? (const char *)sqlite3_column_text(st, 0) : sqlite3_errmsg(db);
    ok = ok && strcmp(text, "ok") == 0;
    if (!ok) (void)wrong(w, "integrity_check says \"%.150s\"", text);
    sqlite3_finalize(st);
    return ok;
}

bool world_intact(struct world *w)
{
    return intact(w, w->db) && intact(w, w->other);
}

/* ---- transactions of an operation ---- */

/* Looking at keys counts wrong tries, and may finish what was begun: it is undone. */
static bool look_aside(struct world *w, uint64_t *out)
{
    world_close(w);
    struct disk_image *image = disk_image_take(w->disk);
    bool ok = w->op->observe(w, out);
    world_close(w);
    disk_put_back(w->disk, image);
    disk_image_free(image);
    return ok;
}

bool world_look(struct world *w, uint64_t *out)
{
    uint64_t one = NO_DATABASE;
    if (w->op->observe != NULL) return look_aside(w, out);
    *out = 2;
    if (w->db == NULL) return world_observe(w, out);
    if (!db_digest(w, w->db, &one)) return false;
    *out = mix(*out, one);
    if (w->other == NULL) return observe_one(w, &w->other, SECOND_DB, out);
    if (!db_digest(w, w->other, &one)) return false;
    *out = mix(*out, one);
    return true;
}

bool world_done(struct world *w)
{
    w->at++;
    must(w->at < MAX_STATES, "too many transactions");
    if (!w->weak) w->floor = w->at;
    if (!w->recording) return true;
    w->n_states = w->at + 1;
    return world_look(w, &w->states[w->at]);
}

void world_durable(struct world *w)
{
    w->floor = w->at;
}

bool world_commit(struct world *w, const char *sql)
{
    return world_sql(w, sql) && world_done(w);
}

bool world_same(struct world *w, const char *sql)
{
    uint64_t now = 0;
    if (!world_sql(w, sql)) return false;
    if (!w->recording) return true;
    return world_look(w, &now) && (now == w->states[w->at] || wrong(w, "\"%.60s\" changed what a reader sees", sql));
}

void rows_prepare(struct world *w)
{
    must(world_create(w, MAIN_DB) && world_open(w), "creating");
    must(world_sql(w, "BEGIN; CREATE TABLE t(id INTEGER PRIMARY KEY, x TEXT, n INTEGER); CREATE INDEX tn ON t(n);"
                      "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 80)"
                      "INSERT INTO t SELECT i, format('%0*d', 250 + i % 7, i), i * 7 % 50 FROM s; COMMIT"),
         "the first rows");
    world_close(w);
}
