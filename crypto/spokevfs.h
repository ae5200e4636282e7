/* The encrypting VFS as an extension of SQLite, for other people's programs: the stock shell, Python, test suites. It
 * is called "spoke" and, once loaded, is the only VFS for files that the process has, so that nothing in clear is
 * attached or written by mistake. Inside of crypto/spokevfs*.c and their tests only; people read README.md.
 *
 * A database is opened under the data key of a key file (crypto/keyslot.h), named by URI parameters: keyfile=PATH,
 * passphrase-file=PATH, device=PATH; else by the environment: SPOKE_VFS_KEYFILE, SPOKE_VFS_PASSPHRASE_FILE,
 * SPOKE_VFS_DEVICE; else it is the key that this process used last. A file that is not there, or empty, becomes a
 * database with a random file number (FORMAT.md §5); vacuum=1 leaves that to VACUUM INTO.
 *
 * Unlike the product's own opening (crypto/pagevfs.h), several connections and processes may have one database open.
 * The index of the log, which SQLite then keeps in shared memory, holds page numbers and a checksum of plaintext: it
 * lies on a tmpfs, in memory that is locked (spokevfs_shadow.c). The two ways exclude each other by the lock of the
 * database. */
#ifndef SPOKE_CRYPTO_SPOKEVFS_H
#define SPOKE_CRYPTO_SPOKEVFS_H

#include "crypto/pagevfs_internal.h"

/* A data key that was opened once (Argon2id takes half a second) and stays until the process ends. */
struct spoke_key {
    struct spoke_key *next;
    char *keyfile;     /* owned; as it was named */
    struct secret key; /* in locked memory */
};

/* A database file that a connection has open. Its log belongs to the same. */
struct spoke_db {
    struct pagevfs pv; /* first: files point here (page_file.owner); pv.vfs is not used */
    struct spokevfs *home;
    struct spoke_db *next;
    char *path;            /* owned */
    sqlite3_filename wal;  /* the name under which this connection will open its log; SQLite's, to compare only */
    struct page_file *log; /* while it is open */
};

struct spokevfs {
    struct pagevfs base;        /* first: base.vfs is what SQLite sees, base.lower does the work; no keys */
    sqlite3_io_methods methods; /* of shared files, version 2 */
    sqlite3_mutex *mutex;       /* around the lists */
    struct spoke_key *keys;     /* the last used first */
    struct spoke_db *dbs;       /* the last opened first */
    const char *shm;            /* where a tmpfs is: "/dev/shm" */
};

/* spokevfs.c: register "spoke" over the default VFS of the process and take all others off SQLite's list (except memdb,
 * which has no files). Once; then the same again. SQLite's codes. */
int spokevfs_register(struct spokevfs **out);

/* spokevfs_key.c: the key for a database, by its name. Borrowed. Under the mutex. */
int spokevfs_key_find(struct spokevfs *home, sqlite3_filename name, const struct secret **out);

/* spokevfs_db.c */
int spokevfs_db_open(struct spokevfs *home, const char *name, sqlite3_file *file, int flags, int *out_flags);
int spokevfs_log_open(struct spokevfs *home, const char *name, sqlite3_file *file, int flags, int *out_flags);
bool spokevfs_is_unborn(struct spokevfs *home, const char *journal); /* is this the journal of such a database? */
int spokevfs_close(sqlite3_file *file);

/* spokevfs_shadow.c: the locks of the database, with which the index is joined and left, and the xShm methods. */
int spokevfs_lock(sqlite3_file *file, int level);
int spokevfs_unlock(sqlite3_file *file, int level);
int spokevfs_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **out);
int spokevfs_shm_lock(sqlite3_file *file, int offset, int n, int flags);
void spokevfs_shm_barrier(sqlite3_file *file);
int spokevfs_shm_unmap(sqlite3_file *file, int remove);

#endif
