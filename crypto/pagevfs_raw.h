/* A database file as the lower VFS has it, outside SQLite's pager: for creating, scanning and rekeying one. All through
 * the lower VFS, so that a simulator sees every step. Inside of the encrypting VFS only. */
#ifndef SPOKE_CRYPTO_PAGEVFS_RAW_H
#define SPOKE_CRYPTO_PAGEVFS_RAW_H

#include "crypto/secret.h"

#include <sqlite3.h>

#define RAW_SECTOR    512                      /* bytes that a disk writes whole or not at all */
#define RAW_LOCK_PAGE (0x40000000u / 4096 + 1) /* SQLite keeps its lock bytes there and never writes it (T12) */

struct raw {
    sqlite3_vfs *low;
    sqlite3_file *file;  /* owned; pMethods NULL while closed */
    char *full;          /* owned; absolute path */
    sqlite3_filename db; /* owned; the names in the form that xOpen wants */
};

/* All return SQLite's codes. pagevfs_raw_release also after a failure of init. */
int pagevfs_raw_init(struct raw *r, const char *path, sqlite3_vfs *lower); /* NULL: SQLITE_ERROR */
void pagevfs_raw_release(struct raw *r);
int pagevfs_raw_open(struct raw *r, sqlite3_filename name, int flags); /* closes what was open */
void pagevfs_raw_close(struct raw *r);
int pagevfs_raw_lock(struct raw *r); /* exclusively, until it is closed */
int pagevfs_raw_exists(struct raw *r, sqlite3_filename name, bool *out);
/* Bytes in the log; 0 where there is none. The database may be open in r. */
int pagevfs_raw_log_size(struct raw *r, sqlite3_int64 *out);
int pagevfs_raw_write_synced(struct raw *r, const uint8_t *p, int n, sqlite3_int64 at);
/* Make the database's name durable; leaves no log. The database must be open and locked. */
int pagevfs_raw_sync_directory(struct raw *r);
/* Init, open and lock a database that nobody has open and whose log is empty: SQLITE_BUSY otherwise. */
int pagevfs_raw_open_closed(struct raw *r, const char *path, const char *lower, sqlite3_int64 *out_size);

/* The words for a code, and for the first page that is not authentic. */
enum err pagevfs_raw_failed(int rc, struct why *why);
enum err pagevfs_raw_bad_page(uint32_t pgno, struct why *why);

#endif
