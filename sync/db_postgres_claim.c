/* What one process of several has to itself: an advisory lock of its session, which ends with it. */
#include "sync/db_postgres_internal.h"

#include "crypto/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int64_t lock_of(const struct db_pg *db, const char *what)
{
    char name[PG_NAME_MAX];
    uint8_t hash[HASH_BYTES];
    int64_t lock;
    (void)snprintf(name, sizeof name, "%s.%s", db->schema, what);
    hash_labelled(hash, "spoke/postgres/claim/1", bytes_of_str(name));
    memcpy(&lock, hash, sizeof lock);
    return lock;
}

enum err pg_claim(struct db *base, const char *what, bool *out_mine, struct why *why)
{
    struct db_pg *db = pg_of(base);
    char sql[PG_SQL];
    int64_t got = 0;
    bool none = false;
    enum err e = pg_ready(db, why);
    if (e != ERR_OK) return e;
    *out_mine = db->claimed == db->generation && strcmp(db->claim, what) == 0;
    if (*out_mine) return ERR_OK;
    pg_unclaim(base);
    (void)snprintf(sql, sizeof sql, "SELECT CASE WHEN pg_catalog.pg_try_advisory_lock(%" PRId64 ") THEN 1 ELSE 0 END",
                   lock_of(db, what));
    e = pg_number(db, sql, NULL, &got, &none, why);
    if (e != ERR_OK || got == 0) return e;
    (void)snprintf(db->claim, sizeof db->claim, "%s", what);
    db->claimed = db->generation;
    *out_mine = true;
    return ERR_OK;
}

void pg_unclaim(struct db *base)
{
    struct db_pg *db = pg_of(base);
    char sql[PG_SQL];
    if (db->claimed == 0) return;
    (void)snprintf(sql, sizeof sql, "SELECT pg_catalog.pg_advisory_unlock(%" PRId64 ")", lock_of(db, db->claim));
    /* A connection on which it cannot be said is given up, and the lock with it. */
    if (db->claimed == db->generation && db->conn != NULL && pg_run(db, sql, NULL) != ERR_OK) pg_disconnect(db);
    db->claimed = 0;
}
