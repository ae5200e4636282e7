/* Statements that nobody waits for: libpq's pipeline mode.
 *
 * A third of what a hub says to its database within a transaction writes, and answers nothing that anybody looks at.
 * Such a statement is sent and not waited for. What came of it is looked at with the next statement that is waited for:
 * a question that is put to the server, which flies with them, a savepoint, COMMIT. A fault among them is that
 * statement's fault then, and so it is the transaction's: PostgreSQL does nothing that comes after a fault, COMMIT last
 * of all, until it is told to go back to a savepoint; and what it is told about savepoints is told when all that flew
 * before has landed. So nothing can be committed as if a write had been done that was not, nor does the server answer
 * anything as if it had.
 *
 * A question whose answer stands already (sync/db_postgres_kept.c) is not put to the server, and may be answered while
 * a fault is under way of which nobody has heard. The answer is right all the same: since it was asked, this
 * transaction has written to nothing that it is about. What is done upon it is undone with the rest when the fault is
 * told.
 *
 * Whether a statement answers nothing is known from its first run, which is waited for. Outside a transaction nothing
 * flies. */
#include "sync/db_postgres_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The answers of a statement: several (rows one by one) or one. Each to `take`; the first fault is returned. */
static enum err answers(struct db_pg *db, pg_take_fn take, void *ctx, struct why *why)
{
    enum err e = ERR_OK;
    PGresult *r;
    while (db->conn != NULL && (r = PQgetResult(db->conn)) != NULL) {
        enum err one = take(ctx, r, e == ERR_OK ? why : NULL);
        if (e == ERR_OK) e = one;
    }
    return e;
}

/* Of one that flew. Takes r over. */
static enum err take_landed(void *ctx, PGresult *r, struct why *why)
{
    struct db_pg *db = ctx;
    enum err e = ERR_OK;
    if (PQresultStatus(r) == PGRES_COMMAND_OK)
        db->changes = PQcmdTuples(r)[0] != '\0' ? strtoll(PQcmdTuples(r), NULL, 10) : db->changes;
    else
        e = pg_fault(db, r, db->flying[db->landed], why);
    PQclear(r);
    return e;
}

/* All that flew, but for the last where somebody else looks at that. */
static enum err land_all(struct db_pg *db, unsigned n, struct why *why)
{
    enum err e = ERR_OK;
    for (db->landed = 0; db->conn != NULL && db->landed < n; db->landed++) {
        enum err one = answers(db, take_landed, db, e == ERR_OK ? why : NULL);
        if (e == ERR_OK) e = one;
    }
    return e;
}

/* The sync, which ends what was undone with a fault; from here on the connection is as any other. */
static enum err touch_down(struct db_pg *db, struct why *why)
{
    db->n_flying = 0;
    if (db->conn == NULL) return ERR_OK; /* said by whoever noticed */
    PGresult *r = PQgetResult(db->conn);
    enum err e = PQresultStatus(r) == PGRES_PIPELINE_SYNC ? ERR_OK : pg_fault(db, r, NULL, why);
    PQclear(r);
    if (e == ERR_OK && PQexitPipelineMode(db->conn) == 0) e = pg_fault(db, NULL, NULL, why);
    return e;
}

/* One that cannot go on is of no use: what the server made of it all is not known. */
static enum err astray(struct db_pg *db, struct why *why)
{
    enum err e = pg_fault(db, NULL, NULL, why);
    pg_disconnect(db);
    return e;
}

enum err pg_land(struct db_pg *db, struct why *why)
{
    if (db->n_flying == 0) return ERR_OK;
    if (PQpipelineSync(db->conn) == 0) return astray(db, why);
    enum err e = land_all(db, db->n_flying, why);
    enum err last = touch_down(db, e == ERR_OK ? why : NULL);
    return e == ERR_OK ? last : e;
}

enum err pg_fly(struct stmt_pg *s, const struct pg_variant *v, const struct pg_sent *sent, struct why *why)
{
    struct db_pg *db = pg_of(s->base.db);
    char name[32];
    enum err e = db->n_flying == PG_IN_FLIGHT ? pg_land(db, why) : ERR_OK;
    if (e != ERR_OK) return e;
    if (db->n_flying == 0 && PQenterPipelineMode(db->conn) == 0) return pg_fault(db, NULL, s->sql, why);
    (void)snprintf(name, sizeof name, "s%" PRIu64, v->name);
    if (PQsendQueryPrepared(db->conn, name, s->facts.n_params, sent->values, sent->lengths, sent->formats, 1) == 0)
        return astray(db, why);
    db_kind_of(s->sql, db->flying[db->n_flying++]);
    return ERR_OK;
}

enum err pg_fly_text(struct db_pg *db, const char *sql, struct why *why)
{
    if (PQenterPipelineMode(db->conn) == 0) return pg_fault(db, NULL, sql, why);
    if (PQsendQueryParams(db->conn, sql, 0, NULL, NULL, NULL, NULL, 0) == 0) return astray(db, why);
    db_kind_of(sql, db->flying[db->n_flying++]);
    return ERR_OK;
}

enum err pg_fly_and_land(struct db_pg *db, bool rows_one_by_one, pg_take_fn take, void *ctx, struct why *why)
{
    unsigned n = db->n_flying;
    if (PQpipelineSync(db->conn) == 0) return astray(db, why);
    enum err e = land_all(db, n, why);
    if (rows_one_by_one && db->conn != NULL) (void)PQsetSingleRowMode(db->conn);
    enum err one = answers(db, take, ctx, e == ERR_OK ? why : NULL);
    if (e == ERR_OK) e = one;
    one = touch_down(db, e == ERR_OK ? why : NULL);
    return e == ERR_OK ? one : e;
}

enum err pg_say(struct db_pg *db, const char *sql, pg_take_fn take, void *ctx, struct why *why)
{
    if (db->n_flying == 0) return take(ctx, PQexec(db->conn, sql), why);
    if (PQsendQueryParams(db->conn, sql, 0, NULL, NULL, NULL, NULL, 0) == 0) return astray(db, why);
    return pg_fly_and_land(db, false, take, ctx, why);
}
