#include "tests/lib/sharedb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct sharedb *sharedb_new(void)
{
    struct sharedb *s = calloc(1, sizeof *s);
    assert_non_null(s);
    (void)snprintf(s->dir, sizeof s->dir, "/tmp/spoke-shared-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    (void)snprintf(s->shm, sizeof s->shm, "/dev/shm/spoke-test-XXXXXX");
    assert_non_null(mkdtemp(s->shm));
    (void)snprintf(s->path, sizeof s->path, "%s/r.db", s->dir);
    return s;
}

static void remove_tree(const char *path, int depth)
{
    char name[400];
    DIR *dir = depth > 0 ? opendir(path) : NULL;
    for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir)) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        (void)snprintf(name, sizeof name, "%s/%s", path, e->d_name);
        if (e->d_type == DT_DIR)
            remove_tree(name, depth - 1);
        else
            (void)unlink(name);
    }
    if (dir) (void)closedir(dir);
    (void)rmdir(path);
}

void sharedb_free(struct sharedb *s)
{
    remove_tree(s->dir, 3);
    remove_tree(s->shm, 3);
    free(s);
}

void sharedb_start(struct sharedb *s, const char *lower)
{
    struct spoke_key *k = calloc(1, sizeof *k);
    sqlite3_vfs *low = lower ? sqlite3_vfs_find(lower) : NULL;
    assert_non_null(k);
    assert_int_equal(secret_start(NULL), ERR_OK);
    assert_int_equal(secret_new(&k->key, 32, NULL), ERR_OK);
    memset(k->key.p, 42, k->key.n);
    k->keyfile = strdup("the key of this test");
    if (low) assert_int_equal(sqlite3_vfs_register(low, 1), SQLITE_OK);
    assert_int_equal(spokevfs_register(&s->home), SQLITE_OK);
    s->home->shm = s->shm;
    k->next = s->home->keys;
    s->home->keys = k;
}

sqlite3 *sharedb_open(const char *path)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_busy_timeout(db, 10000), SQLITE_OK);
    return db;
}

int sharedb_try(sqlite3 *db, const char *sql)
{
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? rc : sqlite3_extended_errcode(db);
}

void sharedb_exec(sqlite3 *db, const char *sql)
{
    int rc = sharedb_try(db, sql);
    if (rc != SQLITE_OK) print_error("%s: %s\n", sql, sqlite3_errmsg(db));
    assert_int_equal(rc, SQLITE_OK);
}

sqlite3_int64 sharedb_int(sqlite3 *db, const char *sql)
{
    char text[40];
    sharedb_text(db, sql, text, sizeof text);
    return atoll(text);
}

void sharedb_text(sqlite3 *db, const char *sql, char *out, size_t n)
{
    sqlite3_stmt *st = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    (void)snprintf(out, n, "%s", (const char *)sqlite3_column_text(st, 0));
    assert_int_equal(sqlite3_finalize(st), SQLITE_OK);
}

void sharedb_check(sqlite3 *db)
{
    char text[100];
    sharedb_text(db, "PRAGMA integrity_check", text, sizeof text);
    assert_string_equal(text, "ok");
}

/* "id" in the folder of shadows stays. */
static int count(const char *path, const char *part)
{
    int n = 0;
    DIR *dir = opendir(path);
    for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir))
        n += e->d_name[0] != '.' && strcmp(e->d_name, "id") != 0 && strstr(e->d_name, part) != NULL;
    if (dir) (void)closedir(dir);
    return n;
}

int sharedb_shadows(const struct sharedb *s)
{
    char folder[100];
    (void)snprintf(folder, sizeof folder, "%s/spoke-%u", s->shm, (unsigned)geteuid());
    return count(folder, "") + count(s->dir, "-index");
}
