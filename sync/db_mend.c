/* A store with a page that cannot be read: everything else is saved from it. Nothing of SQLite deletes a table whose
 * pages fail, nor does VACUUM write over a page that it cannot read first. So the table is struck from the schema, its
 * bad pages are overwritten with blank ones, and the store is rewritten. */
#include "sync/db_sqlite.h"

#define PAGE 4096

/* Every other table must be readable to its last byte, or the damage is not what the caller takes it for. */
static enum err check_table(struct db *db, struct bytes name, struct why *why)
{
    struct stmt *s = NULL;
    struct buf sql;
    bool row = false;
    buf_init(&sql, 1024);
    buf_put_str(&sql, "PRAGMA integrity_check(");
    buf_put_bytes(&sql, name);
    buf_put_str(&sql, ")");
    const char *text = buf_cstr(&sql);
    enum err e = text != NULL ? db_prepare(db, text, &s, why) : why_set(why, ERR_NOMEM, "There is not enough memory.");
    if (e == ERR_OK) e = db_step(s, &row, why);
    if (e == ERR_OK && (!row || !bytes_equal(db_bytes(s, 0), bytes_of_str("ok")))) {
        (void)why_set(why, ERR_TAMPERED, "The store on this computer is damaged in more than one place.");
        e = why_next(why, ERR_TAMPERED, "Stop here, keep the files as they are, and ask your administrator.");
    }
    db_done(s);
    buf_release(&sql);
    return e;
}

static enum err check_others(struct db *db, const char *prefix, struct why *why)
{
    struct stmt *s = NULL;
    bool row = true;
    enum err e = db_prepare(db,
                            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND "
                            "substr(name, 1, length($1)) <> $1",
                            &s, why);
    if (e == ERR_OK) db_bind_str(s, 1, prefix);
    while (e == ERR_OK) {
        e = db_step(s, &row, why);
        if (e != ERR_OK || !row) break;
        e = check_table(db, db_bytes(s, 0), why);
    }
    db_done(s);
    return e;
}

static enum err delete_tables(struct db *db, const char *prefix, struct why *why)
{
    struct stmt *s = NULL;
    enum err e = db_begin(db, why);
    if (e != ERR_OK) return e;
    e = db_prepare(db, "DELETE FROM sqlite_schema WHERE substr(tbl_name, 1, length($1)) = $1", &s, why);
    if (e == ERR_OK) {
        db_bind_str(s, 1, prefix);
        e = db_run(s, why);
    }
    if (e == ERR_OK) return db_commit(db, why);
    db_rollback(db);
    return e;
}

/* The connection is hardened against just this: for one statement it is not. */
static enum err strike(struct db_sqlite *db, const char *prefix, struct why *why)
{
    int rc = sqlite3_db_config(db->sql, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_db_config(db->sql, SQLITE_DBCONFIG_WRITABLE_SCHEMA, 1, NULL);
    enum err e = rc == SQLITE_OK ? delete_tables(&db->base, prefix, why) : db_sqlite_fault(db, rc, "MEND", why);
    rc = sqlite3_db_config(db->sql, SQLITE_DBCONFIG_WRITABLE_SCHEMA, 0, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_db_config(db->sql, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return e == ERR_OK && rc != SQLITE_OK ? db_sqlite_fault(db, rc, "MEND", why) : e;
}

/* Through the encrypting layer, so that what stands there is an authentic page of nothing. */
static enum err blank_bad_pages(struct db_sqlite *db, struct why *why)
{
    static const uint8_t blank[PAGE];
    uint8_t page[PAGE];
    sqlite3_file *f = NULL;
    sqlite3_int64 size = 0;
    int rc = sqlite3_file_control(db->sql, "main", SQLITE_FCNTL_FILE_POINTER, &f);
    if (rc == SQLITE_OK) rc = f->pMethods->xFileSize(f, &size);
    for (sqlite3_int64 at = PAGE; rc == SQLITE_OK && at + PAGE <= size; at += PAGE) {
        rc = f->pMethods->xRead(f, page, PAGE, at);
        /* Only what is there and is not authentic, twice over: a disk that fails for a moment has lost nothing. */
        if (rc == SQLITE_IOERR_DATA) rc = f->pMethods->xRead(f, page, PAGE, at);
        if (rc == SQLITE_IOERR_DATA) rc = f->pMethods->xWrite(f, blank, PAGE, at);
    }
    if (rc == SQLITE_OK) rc = f->pMethods->xSync(f, SQLITE_SYNC_NORMAL);
    secret_wipe(page, sizeof page);
    return rc == SQLITE_OK ? ERR_OK : db_sqlite_fault(db, rc, "MEND", why);
}

enum err db_mend(struct db *db, const char *prefix, struct why *why)
{
    struct db_sqlite *own = db_sqlite_of(db);
    if (own == NULL) return db_not_here(why);
    enum err e = check_others(db, prefix, why);
    if (e == ERR_OK) e = strike(own, prefix, why);
    if (e == ERR_OK) e = db_truncate_log(db, why);
    if (e == ERR_OK) e = blank_bad_pages(own, why);
    return e == ERR_OK ? db_vacuum(db, why) : e;
}
