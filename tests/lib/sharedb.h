/* A database that several connections and processes share through the VFS "spoke" (crypto/spokevfs.h), in a directory
 * of its own, for tests. Each process calls sharedb_start once, before it touches SQLite: from then on it has no other
 * VFS. Every function asserts, but those whose result tells. */
#ifndef SPOKE_TESTS_LIB_SHAREDB_H
#define SPOKE_TESTS_LIB_SHAREDB_H

#include "crypto/spokevfs.h"

struct sharedb {
    char dir[64];
    char shm[64];          /* a folder on a tmpfs, in the place of /dev/shm */
    char path[72];         /* of the database; its log, index file and shadow are beside it and in shm */
    struct spokevfs *home; /* of this process; NULL: not started */
};

struct sharedb *sharedb_new(void); /* makes the folders; SQLite is not touched */
void sharedb_free(struct sharedb *s);
void sharedb_start(struct sharedb *s, const char *lower); /* one key for everything; lower NULL: the default VFS */
sqlite3 *sharedb_open(const char *path);                  /* busy timeout 10 s */
int sharedb_try(sqlite3 *db, const char *sql);            /* extended result code */
void sharedb_exec(sqlite3 *db, const char *sql);
sqlite3_int64 sharedb_int(sqlite3 *db, const char *sql);
void sharedb_text(sqlite3 *db, const char *sql, char *out, size_t n);
void sharedb_check(sqlite3 *db);              /* PRAGMA integrity_check says ok */
int sharedb_shadows(const struct sharedb *s); /* shadows and index files that lie about */

#endif
