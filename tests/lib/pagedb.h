/* An encrypted database in a directory of its own, for the tests of crypto/pagevfs. Every function asserts. */
#ifndef SPOKE_TESTS_LIB_PAGEDB_H
#define SPOKE_TESTS_LIB_PAGEDB_H

#include "crypto/secret.h"

#include <sqlite3.h>

struct pagedb {
    char dir[64];
    char path[72];
    char wal[80];
    struct secret key;
    sqlite3 *db; /* NULL while closed */
};

/* 2000 rows, each "MARKER of the row " and its number. */
#define PAGEDB_ROWS                                                                                \
    "CREATE TABLE t(id INTEGER PRIMARY KEY, x TEXT);"                                              \
    "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 2000) "              \
    "INSERT INTO t SELECT i, 'MARKER of the row ' || i FROM c;"

struct pagedb *pagedb_new(const char *lower); /* created, not opened; pagedb_free removes the directory */
void pagedb_free(struct pagedb *p);
void pagedb_open(struct pagedb *p, const char *lower);
void pagedb_close(struct pagedb *p);
void pagedb_fill(struct pagedb *p); /* open, PAGEDB_ROWS, close */
void pagedb_exec(struct pagedb *p, const char *sql);
int pagedb_try(struct pagedb *p, const char *sql);       /* extended result code */
sqlite3_int64 pagedb_int(struct pagedb *p, const char *sql);
void pagedb_check(struct pagedb *p);                     /* PRAGMA integrity_check says ok */

/* Files of the directory. Their content is owned by the caller (free). */
uint8_t *pagedb_read(const char *path, size_t *out_n);   /* NULL where there is no file */
void pagedb_write(const char *path, const uint8_t *data, size_t n);
void pagedb_flip(const char *path, size_t at);
bool pagedb_found(struct pagedb *p, const char *text);   /* in any file of the directory */
int pagedb_files(struct pagedb *p);                      /* how many there are */
/* What a crash at this moment would leave: copy database and log while they are open, close, put the copies back. */
void pagedb_crash(struct pagedb *p);

#endif
