/* Writers on the encrypted pages alone: plain tables, small caches (so that much of a transaction is in the log
 * before its commit) and frequent checkpoints. One after the other as the product opens its store, or all at the same
 * time as the extension for other people's programs does. */
#include "tests/lib/writers.h"

#include "base/env.h"
#include "crypto/keyslot.h"
#include "crypto/pagevfs.h"

#include <libgen.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ACCOUNTS   10u
#define PASSPHRASE "a passphrase for three writers"

static const char settings[] = "PRAGMA cache_size=5; PRAGMA wal_autocheckpoint=20;";
static const char tables[] = "CREATE TABLE entry(id BLOB NOT NULL PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;"
                             "CREATE TABLE account(no INTEGER PRIMARY KEY, held INTEGER NOT NULL);"
                             "WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i < 9) "
                             "INSERT INTO account SELECT i, 100 FROM c;";

struct world {
    char db[500], keyfile[500], passphrase[500];
    struct keyring ring;
    struct secret key; /* borrowed from it */
};

static void must(sqlite3 *db, const char *sql)
{
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    if (rc != SQLITE_OK) writers_fail("%s: %s (%d)", sql, sqlite3_errmsg(db), sqlite3_extended_errcode(db));
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *st = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK) writers_fail("%s: %s", sql, sqlite3_errmsg(db));
    return st;
}

/* The one row of a question. */
static sqlite3_stmt *ask(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *st = prepare(db, sql);
    if (sqlite3_step(st) != SQLITE_ROW)
        writers_fail("%s: %s (%d)", sql, sqlite3_errmsg(db), sqlite3_extended_errcode(db));
    return st;
}

/* ---- making and opening ---- */

static void make(struct writers *w)
{
    struct why why = {0};
    struct world *x = calloc(1, sizeof *x);
    const struct env *env = env_posix();
    if (!x) abort();
    w->world = x;
    writers_must(path_join(x->db, sizeof x->db, w->dir, "writers.db", &why), "path", &why);
    writers_must(path_join(x->keyfile, sizeof x->keyfile, w->dir, "writers.key", &why), "path", &why);
    writers_must(path_join(x->passphrase, sizeof x->passphrase, w->dir, "writers.pass", &why), "path", &why);
    const struct keyfile at = {x->keyfile, NULL};
    struct bytes passphrase = bytes_of_str(PASSPHRASE);
    writers_must(secret_start(&why), "start", &why);
    writers_must(env->write_file(env->ctx, x->passphrase, passphrase, &why), "passphrase", &why);
    writers_must(keyslot_create(env, &at, passphrase, &x->ring, &why), "key file", &why);
    x->key = keyring_data_key(&x->ring);
    writers_must(pagevfs_create(x->db, NULL, &x->key, &why), "create", &why);
    sqlite3 *db = NULL;
    writers_must(pagevfs_open(&db, x->db, NULL, &x->key, &why), "open", &why);
    must(db, tables);
    pagevfs_close(db);
}

static void *open_alone(const struct writers *w)
{
    const struct world *x = w->world;
    struct why why = {0};
    sqlite3 *db = NULL;
    enum err e = pagevfs_open(&db, x->db, NULL, &x->key, &why);
    if (e == ERR_BUSY) return NULL;
    writers_must(e, "open the database", &why);
    must(db, settings);
    return db;
}

static void close_alone(void *store)
{
    pagevfs_close(store);
}

/* spokevfs.so lies beside the program. Once it is there, it lets no other in. */
static void load_extension(void)
{
    char program[400] = "", path[500];
    char *message = NULL;
    sqlite3 *db = NULL;
    if (sqlite3_vfs_find("spoke")) return;
    if (readlink("/proc/self/exe", program, sizeof program - 1) <= 0)
        writers_fail("where this program lies is not known");
    (void)snprintf(path, sizeof path, "%s/spokevfs.so", dirname(program));
    if (sqlite3_open(":memory:", &db) != SQLITE_OK ||
        sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, NULL) != SQLITE_OK ||
        sqlite3_load_extension(db, path, NULL, &message) != SQLITE_OK)
        writers_fail("%s: %s", path, message ? message : sqlite3_errmsg(db));
    (void)sqlite3_close(db);
}

static void *open_shared(const struct writers *w)
{
    const struct world *x = w->world;
    char uri[1600];
    sqlite3 *db = NULL;
    load_extension();
    (void)snprintf(uri, sizeof uri, "file:%s?keyfile=%s&passphrase-file=%s", x->db, x->keyfile, x->passphrase);
    int rc = sqlite3_open_v2(uri, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI, NULL);
    if (rc != SQLITE_OK) writers_fail("open together: %s (%d)", sqlite3_errmsg(db), sqlite3_extended_errcode(db));
    (void)sqlite3_busy_timeout(db, 20000);
    must(db, "PRAGMA synchronous=FULL");
    must(db, settings);
    return db;
}

static void close_shared(void *store)
{
    if (sqlite3_close(store) != SQLITE_OK) writers_fail("close: %s", sqlite3_errmsg(store));
}

/* The parent has the key open from the start, and its writers have it from the parent: Argon2id would be most of
 * their life. */
static void make_shared(struct writers *w)
{
    make(w);
    close_shared(open_shared(w));
}

static void hold(void *store)
{
    must(store, "BEGIN");
}

/* ---- writing ---- */

static void put_entry(sqlite3 *db, const uint8_t id[16], const char *text, size_t n)
{
    sqlite3_stmt *st = prepare(db, "INSERT INTO entry VALUES($1, $2)");
    sqlite3_bind_blob(st, 1, id, 16, SQLITE_STATIC);
    sqlite3_bind_text(st, 2, text, (int)n, SQLITE_STATIC);
    if (sqlite3_step(st) != SQLITE_DONE)
        writers_fail("an entry: %s (%d)", sqlite3_errmsg(db), sqlite3_extended_errcode(db));
    sqlite3_finalize(st);
}

/* What one account loses another gets: half a transaction would show in the sum. */
static void move(sqlite3 *db, const struct writers *w, unsigned who, unsigned group)
{
    char sql[200];
    uint64_t x = writers_mix(w->run ^ writers_mix((uint64_t)who << 32 | group));
    unsigned from = (unsigned)(x % ACCOUNTS), amount = (unsigned)(x >> 8) % 50 + 1;
    unsigned to = (from + 1 + (unsigned)((x >> 16) % (ACCOUNTS - 1))) % ACCOUNTS;
    (void)snprintf(sql, sizeof sql, "UPDATE account SET held = held - %u WHERE no = %u", amount, from);
    must(db, sql);
    (void)snprintf(sql, sizeof sql, "UPDATE account SET held = held + %u WHERE no = %u", amount, to);
    must(db, sql);
}

static void write_group(void *store, const struct writers *w, unsigned who, unsigned group)
{
    int rc = SQLITE_BUSY;
    while ((rc = sqlite3_exec(store, "BEGIN IMMEDIATE", NULL, NULL, NULL)) == SQLITE_BUSY) w->board->busy++;
    if (rc != SQLITE_OK) writers_fail("begin: %s (%d)", sqlite3_errmsg(store), sqlite3_extended_errcode(store));
    for (unsigned row = 0; row < writers_rows(w, who, group); row++) {
        char text[WRITERS_TEXT_MAX];
        uint8_t id[16];
        size_t n = writers_text(w, who, group, row, text);
        writers_id(w, who, group, row, id);
        put_entry(store, id, text, n);
    }
    move(store, w, who, group);
}

static void commit(void *store)
{
    must(store, "COMMIT");
}

/* ---- judging ---- */

static bool get(void *store, const uint8_t id[16], struct buf *out)
{
    sqlite3_stmt *st = prepare(store, "SELECT body FROM entry WHERE id = $1");
    sqlite3_bind_blob(st, 1, id, 16, SQLITE_STATIC);
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        buf_put(out, sqlite3_column_text(st, 0), (size_t)sqlite3_column_bytes(st, 0));
    else if (rc != SQLITE_DONE)
        writers_fail("an entry: %s (%d)", sqlite3_errmsg(store), sqlite3_extended_errcode(store));
    sqlite3_finalize(st);
    return rc == SQLITE_ROW;
}

static uint64_t count(void *store)
{
    sqlite3_stmt *st = ask(store, "SELECT count(*) FROM entry");
    uint64_t n = (uint64_t)sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return n;
}

static void check(void *store)
{
    sqlite3_stmt *st = ask(store, "PRAGMA integrity_check");
    if (strcmp((const char *)sqlite3_column_text(st, 0), "ok") != 0)
        writers_fail("integrity_check: %s", sqlite3_column_text(st, 0));
    sqlite3_finalize(st);
    st = ask(store, "SELECT sum(held) FROM account");
    if (sqlite3_column_int64(st, 0) != 100 * (int)ACCOUNTS)
        writers_fail("the accounts add up to %lld", sqlite3_column_int64(st, 0));
    sqlite3_finalize(st);
}

static void release(struct writers *w)
{
    struct world *x = w->world;
    keyring_release(&x->ring);
    free(x);
    w->world = NULL;
}

const struct writers_way writers_of_pages = {.name = "encrypted pages, one at a time",
                                             .stay = 20,
                                             .make = make,
                                             .open = open_alone,
                                             .write = write_group,
                                             .commit = commit,
                                             .get = get,
                                             .count = count,
                                             .check = check,
                                             .close = close_alone,
                                             .release = release};
const struct writers_way writers_of_shared = {.name = "encrypted pages, all at the same time",
                                              .stay = 200,
                                              .make = make_shared,
                                              .open = open_shared,
                                              .write = write_group,
                                              .commit = commit,
                                              .get = get,
                                              .count = count,
                                              .hold = hold,
                                              .check = check,
                                              .close = close_shared,
                                              .release = release};
