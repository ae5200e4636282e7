#include "tests/lib/pagedb.h"

#include "crypto/pagevfs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct pagedb *pagedb_new(const char *lower)
{
    struct pagedb *p = calloc(1, sizeof *p);
    assert_non_null(p);
    assert_int_equal(secret_start(NULL), ERR_OK);
    (void)snprintf(p->dir, sizeof p->dir, "/tmp/spoke-pagevfs-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    (void)snprintf(p->path, sizeof p->path, "%s/r.db", p->dir);
    (void)snprintf(p->wal, sizeof p->wal, "%s-wal", p->path);
    assert_int_equal(secret_new(&p->key, 32, NULL), ERR_OK);
    for (size_t i = 0; i < p->key.n; i++)
        p->key.p[i] = (uint8_t)(200 - i);
    assert_int_equal(pagevfs_create(p->path, lower, &p->key, NULL), ERR_OK);
    return p;
}

void pagedb_free(struct pagedb *p)
{
    char name[400];
    pagevfs_close(p->db);
    DIR *dir = opendir(p->dir);
    for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir)) {
        (void)snprintf(name, sizeof name, "%s/%s", p->dir, e->d_name);
        (void)unlink(name);
    }
    if (dir)
        (void)closedir(dir);
    (void)rmdir(p->dir);
    secret_release(&p->key);
    free(p);
}

void pagedb_open(struct pagedb *p, const char *lower)
{
    struct why why = {0};
    enum err e = pagevfs_open(&p->db, p->path, lower, &p->key, &why);
    assert_string_equal(why.text, "");
    assert_int_equal(e, ERR_OK);
}

void pagedb_close(struct pagedb *p)
{
    pagevfs_close(p->db);
    p->db = NULL;
}

int pagedb_try(struct pagedb *p, const char *sql)
{
    int rc = sqlite3_exec(p->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? rc : sqlite3_extended_errcode(p->db);
}

void pagedb_exec(struct pagedb *p, const char *sql)
{
    int rc = pagedb_try(p, sql);
    if (rc != SQLITE_OK)
        print_error("%s: %s\n", sql, sqlite3_errmsg(p->db));
    assert_int_equal(rc, SQLITE_OK);
}

void pagedb_fill(struct pagedb *p)
{
    pagedb_open(p, NULL);
    pagedb_exec(p, PAGEDB_ROWS);
    pagedb_close(p);
}

sqlite3_int64 pagedb_int(struct pagedb *p, const char *sql)
{
    sqlite3_stmt *st = NULL;
    assert_int_equal(sqlite3_prepare_v2(p->db, sql, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    sqlite3_int64 v = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return v;
}

void pagedb_check(struct pagedb *p)
{
    sqlite3_stmt *st = NULL;
    assert_int_equal(sqlite3_prepare_v2(p->db, "PRAGMA integrity_check", -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(st, 0), "ok");
    sqlite3_finalize(st);
}

uint8_t *pagedb_read(const char *path, size_t *out_n)
{
    FILE *f = fopen(path, "rb");
    *out_n = 0;
    if (!f)
        return NULL;
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    size_t n = (size_t)ftell(f);
    rewind(f);
    uint8_t *data = malloc(n + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, n, f), n);
    (void)fclose(f);
    *out_n = n;
    return data;
}

void pagedb_write(const char *path, const uint8_t *data, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

void pagedb_flip(const char *path, size_t at)
{
    size_t n = 0;
    uint8_t *data = pagedb_read(path, &n);
    assert_true(at < n);
    data[at] ^= 1;
    pagedb_write(path, data, n);
    free(data);
}

bool pagedb_found(struct pagedb *p, const char *text)
{
    char name[400];
    bool found = false;
    DIR *dir = opendir(p->dir);
    assert_non_null(dir);
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        size_t n = 0;
        if (e->d_name[0] == '.')
            continue;
        (void)snprintf(name, sizeof name, "%s/%s", p->dir, e->d_name);
        uint8_t *data = pagedb_read(name, &n);
        if (data && memmem(data, n, text, strlen(text)))
            found = true;
        free(data);
    }
    (void)closedir(dir);
    return found;
}

int pagedb_files(struct pagedb *p)
{
    int n = 0;
    DIR *dir = opendir(p->dir);
    assert_non_null(dir);
    for (struct dirent *e = readdir(dir); e; e = readdir(dir))
        n += e->d_name[0] != '.';
    (void)closedir(dir);
    return n;
}

void pagedb_crash(struct pagedb *p)
{
    size_t db_n = 0, wal_n = 0;
    uint8_t *db = pagedb_read(p->path, &db_n), *wal = pagedb_read(p->wal, &wal_n);
    pagedb_close(p);
    assert_non_null(db);
    pagedb_write(p->path, db, db_n);
    if (wal)
        pagedb_write(p->wal, wal, wal_n);
    free(db);
    free(wal);
}
