/* Inside of the encrypting VFS, shared by crypto/pagevfs*.c and its tests only.
 *
 * One sqlite3_vfs object is registered for each open database, under a name of its own, and carries that database's
 * keys; closing the database unregisters it. So SQLite's own list of VFSes, which SQLite guards with its mutex, is the
 * only registry: there is no table of ours to lock, and a log finds its keys without asking SQLite for the database's
 * file object (pagevfs.md, T10). */
#ifndef SPOKE_CRYPTO_PAGEVFS_INTERNAL_H
#define SPOKE_CRYPTO_PAGEVFS_INTERNAL_H

#include "crypto/page.h"

#include <sqlite3.h>

#define WAL_HEAD_BYTES 32
#define FRAME_HEAD_BYTES 24
#define FRAME_BYTES (FRAME_HEAD_BYTES + (int)PAGE_BYTES)

struct pagevfs {
    sqlite3_vfs vfs;        /* what SQLite sees; pAppData points back here */
    sqlite3_vfs *lower;     /* does the real work; not ours */
    struct page_keys *keys; /* of this one database */
    bool main_open;         /* the database file is open: no second one (ATTACH) */
    bool shared;            /* other processes may have it open at the same time (crypto/spokevfs.h) */
    bool unborn;            /* shared: an empty file that SQLite fills itself, page 1 too (VACUUM INTO) */
    const sqlite3_io_methods *methods; /* of its files; NULL: those of one process at a time */
    char name[32];          /* the VFS's name, from the address of this struct: unique while registered */
};

enum page_kind { PAGE_DB, PAGE_WAL };

/* A frame as it is being written, which SQLite may do in several pieces (T5). */
struct frame_write {
    sqlite3_int64 offset;         /* of the frame in the log; -1: none */
    int head_n;                   /* bytes of head known */
    int body_n;                   /* bytes of body gathered, 0 unless the body comes in pieces */
    uint8_t head[FRAME_HEAD_BYTES];
    uint8_t nonce[24];            /* fixed from the first piece of the body to the last */
};

/* Frames of the log that were sealed and not yet written: the end of what was written since the last commit. */
struct page_behind {
    sqlite3_int64 at;             /* of the first byte in the file */
    int n;                        /* bytes; 0: none */
    uint8_t bytes[16 * FRAME_BYTES];
};

#define PAGE_AHEAD_MAX 16

/* Pages of the database that were read ahead: ciphertext. */
struct page_ahead {
    sqlite3_int64 at;             /* of the first byte in the file */
    sqlite3_int64 next;           /* behind the page that was asked for last; 0: none was */
    int n;                        /* bytes; 0: none */
    int pages;                    /* how many were read at once; 0: no scan is going on */
    uint8_t bytes[PAGE_AHEAD_MAX * PAGE_BYTES];
};

/* What a file needs while a page passes through. Apart from the file object, because SQLite sets aside and clears room
 * for three of those with each temporary table, which it makes by the dozen and never opens a file for. */
struct page_room {
    uint8_t cipher[FRAME_BYTES];  /* as on disk */
    uint8_t plain[FRAME_BYTES];   /* scratch for pieces */
    uint8_t body[PAGE_BYTES];     /* of the frame being written: plaintext so far, zeros behind */
    union {
        struct page_ahead ahead;  /* PAGE_DB */
        struct page_behind behind; /* PAGE_WAL */
    };
};

/* A database or log file. The lower file follows in the same allocation. */
struct page_file {
    sqlite3_file base;            /* first: SQLite casts */
    enum page_kind kind;
    struct pagevfs *owner;
    bool locked;                  /* PAGE_DB: we hold the exclusive lock */
    sqlite3_int64 written;        /* PAGE_WAL: end of the frames written since this handle last read the header */
    uint8_t salt[8];              /* PAGE_WAL: of the current log */
    struct frame_write frame;     /* PAGE_WAL */
    struct page_room *room;       /* while it is open */
    void *shadow;                 /* PAGE_DB, shared: crypto/spokevfs_shadow.c owns it */
};
_Static_assert(sizeof(struct page_file) <= 256, "every temporary table of SQLite clears three of these");

static inline sqlite3_file *pagevfs_lower_file(struct page_file *f)
{
    return (sqlite3_file *)(void *)(f + 1);
}

/* pagevfs_file.c: the file methods of databases and logs, and reads and writes of the database. */
int pagevfs_file_open(struct pagevfs *v, const char *name, sqlite3_file *file, int flags, int *out_flags);
int pagevfs_db_read(struct page_file *f, uint8_t *out, int n, sqlite3_int64 at);
int pagevfs_db_write(struct page_file *f, const uint8_t *in, int n, sqlite3_int64 at);
/* A page that we could not give back as it is: content in the reserve (T1) or a foreign geometry. */
bool pagevfs_page_storable(uint32_t pgno, const uint8_t *page);

/* pagevfs_ahead.c: read one page, and perhaps those behind it. *out points into f->room. */
int pagevfs_ahead_read(struct page_file *f, sqlite3_int64 at, const uint8_t **out);
/* The file changes, or another process may have changed it: each time before SQLite takes a snapshot of it. */
static inline void pagevfs_ahead_forget(struct page_file *f)
{
    f->room->ahead.n = 0;
}

/* pagevfs_wal.c: reads and writes of the log. */
int pagevfs_wal_read(struct page_file *f, uint8_t *out, int n, sqlite3_int64 at);
int pagevfs_wal_write(struct page_file *f, const uint8_t *in, int n, sqlite3_int64 at);
int pagevfs_wal_sync(struct page_file *f, int flags);
int pagevfs_wal_truncate(struct page_file *f, sqlite3_int64 size);
void pagevfs_wal_reset(struct page_file *f); /* opened, or about to begin anew */
int pagevfs_wal_flush(struct page_file *f); /* write what has gathered */
/* Shared: the transaction has ended. What could not be written of it must not go out later. */
static inline void pagevfs_wal_forget(struct page_file *f)
{
    f->room->behind.n = 0;
}

/* Is the first frame of this log, if there is one, authentic under the keys of v? */
bool pagevfs_wal_proves_key(const struct pagevfs *v, const char *wal_name);

/* pagevfs_temp.c: temporary files, in memory. */
int pagevfs_temp_open(sqlite3_file *file);
int pagevfs_temp_size(void); /* bytes of such a file object */

/* The methods of one process at a time, version 1: no shared memory, no mmap. */
const sqlite3_io_methods *pagevfs_file_methods(void);

/* pagevfs_pragma.c: SQLITE_FCNTL_PRAGMA. SQLITE_NOTFOUND lets SQLite go on. Shared: what cannot be had is not refused
 * but answered as it is, because programs that know nothing of us ask for it. */
int pagevfs_pragma(char **args);
int pagevfs_pragma_shared(char **args);

/* pagevfs_vfs.c: the VFS object. */
enum err pagevfs_vfs_new(struct pagevfs **out, const char *lower, const struct secret *data_key, struct why *why);
void pagevfs_vfs_free(struct pagevfs *v); /* unregisters; no file of it may be open */
void pagevfs_vfs_fill(struct pagevfs *v); /* v->vfs, over v->lower and named v->name */

/* pagevfs_create.c: is this a database whose creation was cut off, so that it never held anything? */
bool pagevfs_cut_off(const char *path, const char *lower);
/* As pagevfs_create, with a file number. */
MUST_CHECK enum err pagevfs_create_numbered(const char *path, sqlite3_vfs *lower, const struct secret *data_key,
                                            uint32_t file, struct why *why);

#endif
