/* What both engines do alike: transactions, and the way to an engine's own. */
#include "sync/db_internal.h"

#include <assert.h>
#include <string.h>

void db_kind_of(const char *sql, char out[16])
{
    size_t n = 0;
    while (sql != NULL && (*sql == ' ' || *sql == '\n' || *sql == '\t'))
        sql++;
    for (; sql != NULL && n < 15 && ((*sql >= 'a' && *sql <= 'z') || (*sql >= 'A' && *sql <= 'Z')); sql++)
        out[n++] = (char)(*sql & ~0x20);
    out[n] = '\0';
    if (n == 0)
        memcpy(out, "this step", 10);
}

enum err db_not_here(struct why *why)
{
    return why_set(why, ERR_FAILED, "The database that this hub's records are kept in cannot do this.");
}

void db_close(struct db *db)
{
    if (db == NULL)
        return;
    db_stmt_free_all(db);
    db->engine->close(db);
}

static enum err began(struct db *db, enum err e)
{
    db->in_tx = e == ERR_OK;
    db->tx_schema = db->schema;
    db->era++;
    return e;
}

uint64_t db_era(const struct db *db)
{
    return db->in_tx ? db->era : 0;
}

enum err db_begin(struct db *db, struct why *why)
{
    if (db->in_tx)
        return why_set(why, ERR_FAILED, "A transaction is open already.");
    return began(db, db->engine->begin(db, why));
}

enum err db_begin_read(struct db *db, struct why *why)
{
    if (db->in_tx)
        return why_set(why, ERR_FAILED, "A transaction is open already.");
    return began(db, db->engine->begin_read(db, why));
}

enum err db_begin_still(struct db *db, struct why *why)
{
    if (db->in_tx)
        return why_set(why, ERR_FAILED, "A transaction is open already.");
    return began(db, db->engine->begin_still == NULL ? db->engine->begin(db, why) : db->engine->begin_still(db, why));
}

enum err db_commit(struct db *db, struct why *why)
{
    if (!db->in_tx)
        return why_set(why, ERR_FAILED, "There is no transaction to commit.");
    enum err e = db->engine->commit(db, why);
    if (e != ERR_OK)
        db_rollback(db);
    db->in_tx = false;
    db->tx_schema = db->schema;
    db->era++;
    return e;
}

void db_rollback(struct db *db)
{
    db->engine->rollback(db);
    db->in_tx = false;
    db->era++;
    db_schema_rolled_back(db);
}

/* Savepoints are named by literals of ours: no name needs quoting. */
static void check_name(const char *name)
{
    assert(name[0] != '\0' && strspn(name, "abcdefghijklmnopqrstuvwxyz_0123456789") == strlen(name));
    assert(strlen(name) < 60);
    (void)name;
}

enum err db_savepoint(struct db *db, const char *name, struct why *why)
{
    check_name(name);
    return db->engine->savepoint(db, name, why);
}

enum err db_savepoint_release(struct db *db, const char *name, struct why *why)
{
    check_name(name);
    return db->engine->savepoint_release(db, name, why);
}

enum err db_savepoint_rollback(struct db *db, const char *name, struct why *why)
{
    check_name(name);
    db->era++;
    return db->engine->savepoint_rollback(db, name, why);
}

enum err db_exec(struct db *db, const char *sql, struct why *why)
{
    return db->engine->exec(db, sql, why);
}

int64_t db_changes(struct db *db)
{
    return db->engine->changes(db);
}

bool db_refused(const struct db *db)
{
    return db->refused;
}

enum err db_vacuum(struct db *db, struct why *why)
{
    return db->engine->vacuum(db, why);
}

enum err db_truncate_log(struct db *db, struct why *why)
{
    return db->engine->truncate_log(db, why);
}

enum err db_check(struct db *db, struct why *why)
{
    return db->engine->check(db, why);
}

bool db_is_postgres(const struct db *db)
{
    return db->engine->postgres;
}

enum err db_keep(struct db *db, const char *const *within, const char *const *between, struct why *why)
{
    return db->engine->keep == NULL ? ERR_OK : db->engine->keep(db, within, between, why);
}

uint64_t db_generation(const struct db *db)
{
    return db->engine->generation(db);
}

static bool channel_ok(const char *name)
{
    size_t n = strlen(name);
    return n >= 1 && n <= 20 && strspn(name, "abcdefghijklmnopqrstuvwxyz_") == n;
}

static enum err no_channel(struct why *why)
{
    return why_set(why, ERR_FAILED, "The name of a channel has 1 to 20 letters a to z.");
}

enum err db_notify(struct db *db, const char *channel, const char *payload, struct why *why)
{
    if (!channel_ok(channel))
        return no_channel(why);
    if (payload != NULL && strlen(payload) > 7000)
        return why_set(why, ERR_LIMIT, "A word between the processes of the hub is too long.");
    return db->engine->notify(db, channel, payload, why);
}

enum err db_listen(struct db *db, const char *channel, struct why *why)
{
    if (!channel_ok(channel))
        return no_channel(why);
    return db->engine->listen(db, channel, why);
}

enum err db_wait(struct db *db, int timeout_ms, int wake_fd, db_told_fn each, void *ctx, struct why *why)
{
    return db->engine->wait(db, timeout_ms, wake_fd, each, ctx, why);
}

enum err db_claim(struct db *db, const char *what, bool *out_mine, struct why *why)
{
    if (!channel_ok(what))
        return no_channel(why);
    *out_mine = true;
    return db->engine->claim == NULL ? ERR_OK : db->engine->claim(db, what, out_mine, why);
}

void db_unclaim(struct db *db)
{
    if (db->engine->unclaim != NULL)
        db->engine->unclaim(db);
}

/* ---- sync/db_note.h */

enum err db_note_lay(struct db *db, const struct db_note_options *opt, size_t *out_laid, struct why *why)
{
    if (db->engine->note_lay == NULL || !db->in_tx)
        return db_not_here(why);
    return db->engine->note_lay(db, opt, out_laid, why);
}

enum err db_note_lift(struct db *db, struct why *why)
{
    if (db->engine->note_lift == NULL || !db->in_tx)
        return db_not_here(why);
    return db->engine->note_lift(db, why);
}

enum err db_note_holds(struct db *db, const struct db_note_options *opt, bool *out, struct why *why)
{
    return db->engine->note_holds == NULL ? db_not_here(why) : db->engine->note_holds(db, opt, out, why);
}

enum err db_note_waits(struct db *db, int64_t *out_since_ms, struct why *why)
{
    return db->engine->note_waits == NULL ? db_not_here(why) : db->engine->note_waits(db, out_since_ms, why);
}

enum err db_note_take(struct db *db, db_track_fn each, void *ctx, struct why *why)
{
    if (db->engine->note_take == NULL || !db->in_tx)
        return db_not_here(why);
    return db->engine->note_take(db, each, ctx, why);
}
