/* The encrypting SQLite VFS: database and WAL sealed page by page (crypto/page.h), temporary files in memory, rollback
 * journals refused, WAL only, wal-index on the heap. ../shared/notes/pagevfs.md lists the traps it avoids. */
#ifndef SPOKE_CRYPTO_PAGEVFS_H
#define SPOKE_CRYPTO_PAGEVFS_H

#include "crypto/secret.h"

struct sqlite3;

/* Refuse SQLite below 3.40.1 or without session, preupdate hook and thread safety: ERR_VERSION with a clear message. */
MUST_CHECK enum err pagevfs_check_library(struct why *why);

/* Create an empty encrypted database at `path` under data_key: journal_mode WAL, page size 4096, secure_delete on,
 * auto_vacuum none; one page, its first sector written last, so that a crash leaves either a database or a blank file
 * that create takes over (and open takes for none). ERR_EXISTS. `lower` names the VFS underneath (NULL = default). */
MUST_CHECK enum err pagevfs_create(const char *path, const char *lower, const struct secret *data_key, struct why *why);

/* Open. The key check value is judged before the WAL is ever looked at (T2). ERR_UNINIT: no file, or one whose
 * creation was cut off; ERR_TAMPERED: wrong key or not our database (one clear message); ERR_IO; ERR_BUSY: another
 * process has it open (one at a time; waits 10 s). The connection comes hardened: DEFENSIVE on, trusted_schema off,
 * temp_store memory, secure_delete on, synchronous FULL, no loadable extensions, busy timeout 10 s, wal_autocheckpoint
 * as default, cell_size_check on. ATTACH is refused. One thread at a time may use it. Close with pagevfs_close. */
MUST_CHECK enum err pagevfs_open(struct sqlite3 **out, const char *path, const char *lower,
                                 const struct secret *data_key, struct why *why);
/* The same, waiting so long for another process. */
MUST_CHECK enum err pagevfs_open_waiting(struct sqlite3 **out, const char *path, const char *lower,
                                         const struct secret *data_key, int wait_ms, struct why *why);
#define PAGEVFS_WAIT_MS 10000
/* Close connection and forget the key when it was the last of that path. All statements must be finalised. */
void pagevfs_close(struct sqlite3 *db);

/* Keep everybody from a database, also who has its key, until it is let go. Needs no key itself. ERR_BUSY: somebody
 * has it open. ERR_OK with *out NULL: there is no file. */
struct pagevfs_hold;
MUST_CHECK enum err pagevfs_hold(struct pagevfs_hold **out, const char *path, const char *lower, struct why *why);
void pagevfs_let_go(struct pagevfs_hold *h); /* NULL: nothing */

/* Decrypt the whole database file page by page and hand each plaintext page to `each` (verification, and the tests that
 * search every byte, free pages included). The database must be closed and its WAL empty: ERR_BUSY otherwise.
 * ERR_TAMPERED names the first bad page. */
MUST_CHECK enum err pagevfs_scan(const char *path, const struct secret *data_key,
                                 enum err (*each)(void *ctx, uint32_t pgno, const uint8_t page[4096]), void *ctx,
                                 struct why *why);

/* Copy a database page by page under another data key into `to`, which is made anew (what lies there is overwritten).
 * `from` must be closed and its log empty: ERR_BUSY otherwise; it is not touched. When this returns, `to` is whole and
 * durable, its directory too; a crash before leaves something that pagevfs_create takes over or that proves neither
 * key. ERR_TAMPERED names the first bad page. `lower` as for pagevfs_create. */
MUST_CHECK enum err pagevfs_rekey(const char *from, const struct secret *from_key, const char *to,
                                  const struct secret *to_key, const char *lower, struct why *why);

#endif
