/* Databases that this process has open through "spoke": making one where there is none, keys by its file number, which
 * log belongs to which connection. */
#include "crypto/pagevfs_raw.h"
#include "crypto/spokevfs.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static struct spoke_db *db_of(sqlite3_file *file)
{
    return (struct spoke_db *)(void *)((struct page_file *)(void *)file)->owner;
}

static void db_free(struct spoke_db *db)
{
    if (!db) return;
    page_keys_free(db->pv.keys);
    free(db->path);
    free(db);
}

static void enlist(struct spoke_db *db)
{
    sqlite3_mutex_enter(db->home->mutex);
    db->next = db->home->dbs;
    db->home->dbs = db;
    sqlite3_mutex_leave(db->home->mutex);
}

static void delist(struct spoke_db *db)
{
    sqlite3_mutex_enter(db->home->mutex);
    struct spoke_db **at = &db->home->dbs;
    while (*at != db) at = &(*at)->next;
    *at = db->next;
    sqlite3_mutex_leave(db->home->mutex);
}

/* What lies there before SQLite sees it. */
struct look {
    bool blank;      /* nothing, or a creation that was cut off */
    uint32_t number; /* the file number that the prefix names */
};

static int look_at(struct spokevfs *home, const char *name, struct look *out)
{
    static const uint8_t magic[] = {'S', 'P', 'K', '1', 1};
    uint8_t first[RAW_SECTOR] = {0};
    struct raw r;
    bool exists = false;
    sqlite3_int64 size = 0;
    int rc = pagevfs_raw_init(&r, name, home->base.lower);
    if (rc == SQLITE_OK) rc = pagevfs_raw_exists(&r, r.db, &exists);
    bool readable = rc == SQLITE_OK;
    if (rc == SQLITE_OK && exists) /* what cannot be read is a folder, or damage: that is for opening it to tell */
        readable = pagevfs_raw_open(&r, r.db, SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_READONLY) == SQLITE_OK &&
                   r.file->pMethods->xFileSize(r.file, &size) == SQLITE_OK &&
                   (size == 0 ||
                    r.file->pMethods->xRead(r.file, first, size < RAW_SECTOR ? (int)size : RAW_SECTOR, 0) == SQLITE_OK);
    pagevfs_raw_release(&r);
    if (rc != SQLITE_OK) return rc;
    out->blank = readable && size <= (sqlite3_int64)PAGE_BYTES && sodium_is_zero(first, sizeof first);
    /* Where the prefix is damaged, the log may prove the key: only a replica, number 0, is worth trying. */
    out->number =
        memcmp(first, magic, sizeof magic) == 0 ? (uint32_t)first[5] << 16 | (uint32_t)first[6] << 8 | first[7] : 0;
    return SQLITE_OK;
}

/* Make a database, unless another process has done so since we looked. */
static int born(struct spokevfs *home, const char *name, const struct secret *key, struct look *look)
{
    struct why why = {0};
    look->number = 1 + randombytes_uniform(PAGE_FILE_MAX);
    enum err e = pagevfs_create_numbered(name, home->base.lower, key, look->number, &why);
    if (!e) return SQLITE_OK;
    if (e == ERR_EXISTS) {
        int rc = look_at(home, name, look);
        if (rc != SQLITE_OK || !look->blank)
            return rc; /* else a log without its database: it may be all that is left of somebody's work */
    }
    sqlite3_log(SQLITE_CANTOPEN, "spoke: %s", why.text);
    return e == ERR_BUSY ? SQLITE_BUSY : e == ERR_FULL ? SQLITE_FULL : e == ERR_NOMEM ? SQLITE_NOMEM : SQLITE_CANTOPEN;
}

/* The keys of the database of that name, which is made where there is none. */
static int prepare(struct spoke_db *db, const char *name, int flags)
{
    struct look look = {0};
    struct spokevfs *home = db->home;
    const struct secret *key = NULL;
    sqlite3_mutex_enter(home->mutex);
    int rc = spokevfs_key_find(home, name, &key);
    sqlite3_mutex_leave(home->mutex);
    if (rc == SQLITE_OK) rc = look_at(home, name, &look);
    if (rc != SQLITE_OK) return rc;
    if (look.blank && flags & SQLITE_OPEN_READWRITE) {
        db->pv.unborn = sqlite3_uri_boolean(name, "vacuum", 0) != 0;
        if (db->pv.unborn)
            look.number = 1 + randombytes_uniform(PAGE_FILE_MAX);
        else
            rc = born(home, name, key, &look);
    }
    if (rc == SQLITE_OK && page_keys_new(&db->pv.keys, key, look.number, NULL) != ERR_OK) rc = SQLITE_NOMEM;
    return rc;
}

int spokevfs_db_open(struct spokevfs *home, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    struct spoke_db *db = calloc(1, sizeof *db);
    if (!db) return SQLITE_NOMEM;
    db->home = home;
    db->pv = (struct pagevfs){.lower = home->base.lower, .shared = true, .methods = &home->methods};
    db->wal = sqlite3_filename_wal(name);
    db->path = strdup(name);
    int rc = db->path ? prepare(db, name, flags) : SQLITE_NOMEM;
    if (rc == SQLITE_OK) rc = pagevfs_file_open(&db->pv, name, file, flags, out_flags);
    if (rc != SQLITE_OK) {
        db_free(db);
        return rc;
    }
    enlist(db);
    return SQLITE_OK;
}

static bool names_part(const char *name, const char *path, const char *tail)
{
    size_t n = strlen(path);
    return strncmp(name, path, n) == 0 && strcmp(name + n, tail) == 0;
}

/* SQLite asks for the log under the name that lies in one piece with that of the database. Where another VFS on top of
 * ours makes up names, the path has to do; asking SQLite for the database's file object would crash then (T10). */
static struct spoke_db *db_of_log(struct spokevfs *home, const char *name)
{
    struct spoke_db *by_path = NULL;
    for (struct spoke_db *db = home->dbs; db; db = db->next) {
        if (db->wal == name) return db;
        if (!by_path && !db->log && names_part(name, db->path, "-wal")) by_path = db;
    }
    return by_path;
}

int spokevfs_log_open(struct spokevfs *home, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    sqlite3_mutex_enter(home->mutex);
    struct spoke_db *db = db_of_log(home, name);
    int rc = db ? pagevfs_file_open(&db->pv, name, file, flags, out_flags) : SQLITE_CANTOPEN;
    if (rc == SQLITE_OK) db->log = (struct page_file *)(void *)file;
    sqlite3_mutex_leave(home->mutex);
    return rc;
}

bool spokevfs_is_unborn(struct spokevfs *home, const char *journal)
{
    bool found = false;
    sqlite3_mutex_enter(home->mutex);
    for (struct spoke_db *db = home->dbs; db && !found; db = db->next)
        found = db->pv.unborn && names_part(journal, db->path, "-journal");
    sqlite3_mutex_leave(home->mutex);
    return found;
}

int spokevfs_close(sqlite3_file *file)
{
    struct page_file *f = (struct page_file *)(void *)file;
    struct spoke_db *db = db_of(file);
    if (f->kind == PAGE_WAL) {
        sqlite3_mutex_enter(db->home->mutex);
        db->log = NULL;
        sqlite3_mutex_leave(db->home->mutex);
        return pagevfs_file_methods()->xClose(file);
    }
    (void)spokevfs_shm_unmap(file, 0); /* SQLite has done so, unless opening the log failed half-way */
    delist(db);
    int rc = pagevfs_file_methods()->xClose(file);
    db_free(db);
    return rc;
}
