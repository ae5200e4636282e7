/* PostgreSQL behind sync/db.h: opening, creating, transactions. */
#include "sync/db_postgres_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What SQLite has and PostgreSQL has not, put into each hub's schema. spoke_any is the type of ANY columns: one of its
 * fields is set, and the casts let a parameter of each kind be stored in it. */
static const char prelude[] =
    "CREATE TYPE spoke_any AS (i bigint, r double precision, t text COLLATE \"C\", b bytea);"
    "CREATE FUNCTION spoke_any_of(bigint) RETURNS spoke_any LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT RETURN"
    " ROW($1, NULL, NULL, NULL)::spoke_any;"
    "CREATE FUNCTION spoke_any_of(double precision) RETURNS spoke_any LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT"
    " RETURN"
    " ROW(NULL, $1, NULL, NULL)::spoke_any;"
    "CREATE FUNCTION spoke_any_of(text) RETURNS spoke_any LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT RETURN"
    " ROW(NULL, NULL, $1, NULL)::spoke_any;"
    "CREATE FUNCTION spoke_any_of(bytea) RETURNS spoke_any LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT RETURN"
    " ROW(NULL, NULL, NULL, $1)::spoke_any;"
    "CREATE CAST (bigint AS spoke_any) WITH FUNCTION spoke_any_of(bigint) AS ASSIGNMENT;"
    "CREATE CAST (double precision AS spoke_any) WITH FUNCTION spoke_any_of(double precision) AS ASSIGNMENT;"
    "CREATE CAST (text AS spoke_any) WITH FUNCTION spoke_any_of(text) AS ASSIGNMENT;"
    "CREATE CAST (bytea AS spoke_any) WITH FUNCTION spoke_any_of(bytea) AS ASSIGNMENT;"
    "CREATE FUNCTION zeroblob(n integer) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT RETURN"
    " decode(repeat('00', n), 'hex');"
    "CREATE FUNCTION zeroblob(n bigint) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT RETURN"
    " decode(repeat('00', n::integer), 'hex');"
    "CREATE FUNCTION substr(s text, n bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT RETURN"
    " pg_catalog.substr(s, n::integer);"
    "CREATE FUNCTION substr(s text, n bigint, m bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT RETURN"
    " pg_catalog.substr(s, n::integer, m::integer);"
    "CREATE FUNCTION substr(s bytea, n bigint, m bigint) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT"
    " RETURN"
    " pg_catalog.substr(s, n::integer, m::integer);"
    "CREATE FUNCTION min(a bigint, b bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT RETURN"
    " CASE WHEN a < b THEN a ELSE b END;"
    "CREATE FUNCTION max(a bigint, b bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT RETURN"
    " CASE WHEN a > b THEN a ELSE b END;"
    "CREATE FUNCTION min(a text, b text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT RETURN"
    " CASE WHEN a COLLATE \"C\" < b COLLATE \"C\" THEN a ELSE b END;"
    "CREATE FUNCTION max(a text, b text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT RETURN"
    " CASE WHEN a COLLATE \"C\" > b COLLATE \"C\" THEN a ELSE b END;"
    "CREATE FUNCTION spoke_lower_bytes(a bytea, b bytea) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT"
    " RETURN"
    " CASE WHEN a < b THEN a ELSE b END;"
    "CREATE FUNCTION spoke_higher_bytes(a bytea, b bytea) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT"
    " RETURN"
    " CASE WHEN a > b THEN a ELSE b END;"
    "CREATE AGGREGATE min(bytea) (SFUNC = spoke_lower_bytes, STYPE = bytea, SORTOP = <);"
    "CREATE AGGREGATE max(bytea) (SFUNC = spoke_higher_bytes, STYPE = bytea, SORTOP = >);";

/* ------------------------------------------------------------------------------------------------ transactions */

/* Of one that has the lock the last statement asks for the stamps, where they are known. */
static enum err open_by(struct db_pg *db, const char *sql, bool locked, struct why *why)
{
    char text[PG_SQL];
    const char *stamps = locked ? pg_stamps_sql(db) : "";
    (void)snprintf(text, sizeof text, "%s%s", sql, stamps);
    PGresult *r = PQexec(db->conn, text);
    ExecStatusType status = PQresultStatus(r);
    enum err e = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ? ERR_OK : pg_fault(db, r, sql, why);
    if (e == ERR_OK && locked && db->kept.shape != 0) pg_kept_began(db, stamps[0] != '\0' ? r : NULL);
    PQclear(r);
    return e;
}

static enum err open_tx(struct db_pg *db, const char *sql, bool locked, struct why *why)
{
    if (db->doomed.len > 0) {
        const char *text = buf_cstr(&db->doomed);
        if (text != NULL && pg_run(db, text, NULL) != ERR_OK && db->conn == NULL) return ERR_UNREACHABLE;
        if (db->conn != NULL) buf_reset(&db->doomed);
    }
    enum err e = open_by(db, sql, locked, why);
    /* BEGIN was done, and the lock was not to be had. */
    if (e != ERR_OK && db->conn != NULL && PQtransactionStatus(db->conn) != PQTRANS_IDLE &&
        pg_run(db, "ROLLBACK", NULL) != ERR_OK)
        pg_disconnect(db);
    return e;
}

/* Nothing was done yet when the connection turns out to be broken: once more, on a new one. */
static enum err begin_by(struct db_pg *db, const char *sql, bool locked, struct why *why)
{
    enum err e = pg_ready(db, why);
    if (e != ERR_OK) return e;
    e = open_tx(db, sql, locked, why);
    if (e == ERR_UNREACHABLE && db->conn == NULL) {
        e = pg_ready(db, why);
        if (e == ERR_OK) e = open_tx(db, sql, locked, why);
    }
    db->tx_open = e == ERR_OK;
    db->tx_err = ERR_OK;
    db->n_savepoints = 0;
    return e;
}

enum err pg_begin(struct db *base, struct why *why)
{
    struct db_pg *db = pg_of(base);
    char sql[PG_SQL];
    /* The lock is asked for by a statement of its own: those after it see what its last holder committed. */
    (void)snprintf(sql, sizeof sql,
                   "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SELECT pg_catalog.pg_advisory_xact_lock(%" PRId64
                   ")",
                   db->lock);
    enum err e = begin_by(db, sql, true, why);
    if (e == ERR_OK && db->kept.shape == 0) e = pg_stamps_learn(db, why);
    if (e != ERR_OK) pg_rollback(base);
    return e;
}

/* The moment of which everything is seen is that of the first question, and a question that waits for the lock would be
 * of before: so the session waits for it first, and the transaction finds it free. */
static enum err begin_still(struct db *base, struct why *why)
{
    struct db_pg *db = pg_of(base);
    char wait[PG_SQL], begin[PG_SQL], leave[PG_SQL];
    (void)snprintf(wait, sizeof wait, "SELECT pg_catalog.pg_advisory_lock(%" PRId64 ")", db->lock);
    (void)snprintf(leave, sizeof leave, "SELECT pg_catalog.pg_advisory_unlock(%" PRId64 ")", db->lock);
    (void)snprintf(begin, sizeof begin,
                   "BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE; SELECT pg_catalog.pg_advisory_xact_lock(%" PRId64 "); %.80s",
                   db->lock, leave);
    enum err e = pg_ready(db, why);
    if (e == ERR_OK) e = open_tx(db, wait, false, why);
    if (e == ERR_UNREACHABLE && db->conn == NULL) {
        e = pg_ready(db, why);
        if (e == ERR_OK) e = open_tx(db, wait, false, why);
    }
    if (e != ERR_OK) return e;
    e = open_tx(db, begin, false, why);
    if (e != ERR_OK && db->conn != NULL && pg_run(db, leave, NULL) != ERR_OK) pg_disconnect(db);
    db->tx_open = e == ERR_OK;
    db->tx_err = ERR_OK;
    db->n_savepoints = 0;
    return e;
}

static enum err begin_read(struct db *base, struct why *why)
{
    return begin_by(pg_of(base), "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1", false, why);
}

static void tx_gone(struct db_pg *db)
{
    db->tx_open = false;
    db->tx_err = ERR_OK;
    db->n_savepoints = 0;
    pg_cursors_gone(db, 0, false);
    pg_kept_ended(db);
}

void pg_rollback(struct db *base)
{
    struct db_pg *db = pg_of(base);
    if (!db->tx_open) return;
    (void)!pg_land(db, NULL); /* a fault in it is undone with the rest */
    if (db->conn != NULL && PQtransactionStatus(db->conn) != PQTRANS_IDLE && pg_run(db, "ROLLBACK", NULL) != ERR_OK)
        pg_disconnect(db); /* the server undoes it when the connection ends */
    tx_gone(db);
}

static enum err in_doubt(struct why *why)
{
    (void)why_set(why, ERR_UNREACHABLE,
                  "The database went away before it said whether this was saved. It may be, or may not.");
    return why_next(why, ERR_UNREACHABLE, "Look whether it is there before you do it again.");
}

static enum err take_commit(void *ctx, PGresult *r, struct why *why)
{
    enum err e = ERR_OK;
    if (PQresultStatus(r) != PGRES_COMMAND_OK)
        e = pg_fault(ctx, r, "COMMIT", why);
    else if (strcmp(PQcmdStatus(r), "COMMIT") != 0)
        e = why_set(why, ERR_FAILED, "The database undid this whole step; nothing was changed.");
    PQclear(r);
    return e;
}

enum err pg_commit(struct db *base, struct why *why)
{
    struct db_pg *db = pg_of(base);
    enum err e = pg_able(db, why); /* COMMIT after a fault would be a ROLLBACK that calls itself well done */
    if (e != ERR_OK) return e;
    e = pg_say(db, "COMMIT", take_commit, db, why);
    if (e != ERR_OK && db->conn == NULL) e = in_doubt(why);
    if (e == ERR_OK) tx_gone(db);
    return e;
}

static enum err take_said(void *ctx, PGresult *r, struct why *why)
{
    enum err e = PQresultStatus(r) == PGRES_COMMAND_OK ? ERR_OK : pg_fault(ctx, r, "SAVEPOINT", why);
    PQclear(r);
    return e;
}

static struct pg_savepoint *find_savepoint(struct db_pg *db, const char *name)
{
    for (size_t i = db->n_savepoints; i-- > 0;)
        if (strcmp(db->savepoints[i].name, name) == 0) return &db->savepoints[i];
    return NULL;
}

static enum err savepoint(struct db *base, const char *name, struct why *why)
{
    struct db_pg *db = pg_of(base);
    char sql[PG_SQL];
    if (!db->tx_open) return why_set(why, ERR_FAILED, "A part of a transaction needs one to be open.");
    enum err e = pg_able(db, why);
    if (e != ERR_OK) return e;
    if (db->n_savepoints == PG_SAVEPOINTS)
        return why_set(why, pg_refuse(db, ERR_LIMIT), "Too many parts of one transaction are open.");
    (void)snprintf(sql, sizeof sql, "SAVEPOINT \"%s\"", name);
    /* As the first of a flight it need not be waited for: a fault before it has been told already. */
    e = db->n_flying == 0 ? pg_fly_text(db, sql, why) : pg_say(db, sql, take_said, db, why);
    if (e != ERR_OK) return e;
    struct pg_savepoint *s = &db->savepoints[db->n_savepoints++];
    (void)snprintf(s->name, sizeof s->name, "%s", name);
    s->at = ++db->moment;
    return e;
}

/* Nothing was sent, so nothing is lost. */
static enum err no_savepoint(struct why *why)
{
    return why_set(why, ERR_FAILED, "This part of the transaction was not begun.");
}

static enum err savepoint_release(struct db *base, const char *name, struct why *why)
{
    struct db_pg *db = pg_of(base);
    char sql[PG_SQL];
    enum err e = pg_able(db, why);
    struct pg_savepoint *s = find_savepoint(db, name);
    if (e != ERR_OK) return e;
    if (s == NULL) return no_savepoint(why);
    (void)snprintf(sql, sizeof sql, "RELEASE SAVEPOINT \"%s\"", name);
    e = pg_say(db, sql, take_said, db, why);
    if (e == ERR_OK) db->n_savepoints = (size_t)(s - db->savepoints);
    return e;
}

/* What heals a transaction in which a statement failed, unless the fault lies before the savepoint or the connection
 * is gone. */
static enum err savepoint_rollback(struct db *base, const char *name, struct why *why)
{
    struct db_pg *db = pg_of(base);
    char sql[PG_SQL];
    struct pg_savepoint *s = find_savepoint(db, name);
    (void)!pg_land(db, NULL); /* what flew was sent after the savepoint was set, so a fault in it is healed */
    if (s == NULL || db->conn == NULL) {
        enum err e = pg_ready(db, why);
        return e != ERR_OK ? e : no_savepoint(why);
    }
    (void)snprintf(sql, sizeof sql, "ROLLBACK TO SAVEPOINT \"%s\"; RELEASE SAVEPOINT \"%s\"", name, name);
    enum err e = pg_run(db, sql, why);
    if (e != ERR_OK) return e;
    db->tx_err = ERR_OK;
    pg_kept_undone(db);
    pg_cursors_gone(db, s->at, false);
    db->n_savepoints = (size_t)(s - db->savepoints);
    return e;
}

/* A fault in what lands is the transaction's, and the next call says so. */
static int64_t changes(struct db *base)
{
    struct db_pg *db = pg_of(base);
    return pg_land(db, NULL) == ERR_OK ? db->changes : 0;
}

/* What an administrator of the database does: autovacuum, checkpoints, data checksums. */
static enum err nothing(struct db *db, struct why *why)
{
    (void)db;
    (void)why;
    return ERR_OK;
}

static uint64_t generation(const struct db *db)
{
    return ((const struct db_pg *)db)->generation;
}

/* --------------------------------------------------------------------------------------------- open, create, drop */

static void close_pg(struct db *base)
{
    struct db_pg *db = pg_of(base);
    pg_disconnect(db);
    pg_kept_release(db);
    pg_note_release(db);
    buf_release(&db->doomed);
    if (db->url != NULL) secret_wipe(db->url, strlen(db->url));
    free(db->url);
    free(db);
}

enum err db_open_postgres(struct db **out, const struct env *env, const char *url, const char *schema, struct why *why)
{
    struct db_pg *db = NULL;
    enum err e = pg_new(&db, env, url, schema, why);
    if (e != ERR_OK) return e;
    e = pg_ready(db, why);
    if (e == ERR_OK)
        *out = &db->base;
    else
        db_close(&db->base);
    return e;
}

static enum err exists(struct why *why, const char *schema)
{
    (void)why_set(why, ERR_EXISTS, "There is something in the schema %s of this database already.", schema);
    return why_next(why, ERR_EXISTS, "Use it, or name another schema for a new hub.");
}

/* Within the transaction. An administrator may have made the schema, and gives no right to make others. */
static enum err make_schema(struct db_pg *db, struct why *why)
{
    int64_t n = 0;
    bool absent = false, empty = false;
    char sql[PG_SQL];
    enum err e =
        pg_number(db, "SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1", db->schema, &n, &absent, why);
    if (e == ERR_OK && absent) {
        (void)snprintf(sql, sizeof sql, "CREATE SCHEMA \"%s\"", db->schema);
        return pg_run(db, sql, why);
    }
    if (e == ERR_OK)
        e = pg_number(
            db,
            "SELECT 1 FROM pg_catalog.pg_namespace s WHERE s.nspname = $1 AND (EXISTS (SELECT 1 FROM "
            "pg_catalog.pg_class c WHERE c.relnamespace = s.oid) OR EXISTS (SELECT 1 FROM pg_catalog.pg_proc p "
            "WHERE p.pronamespace = s.oid) OR EXISTS (SELECT 1 FROM pg_catalog.pg_type t WHERE t.typnamespace = "
            "s.oid))",
            db->schema, &n, &empty, why);
    return e != ERR_OK || empty ? e : exists(why, db->schema);
}

enum err db_create_postgres(const struct env *env, const char *url, const char *schema, const char *sql,
                            struct why *why)
{
    struct db_pg *db = NULL;
    enum err e = pg_new(&db, env, url, schema, why);
    if (e != ERR_OK) return e;
    e = pg_connect(db, why);
    if (e == ERR_OK) e = db_begin(&db->base, why);
    if (e == ERR_OK) e = make_schema(db, why);
    if (e == ERR_OK) e = pg_run(db, prelude, why);
    if (e == ERR_OK) e = db_exec(&db->base, sql, why);
    if (e == ERR_OK) e = db_commit(&db->base, why);
    db_close(&db->base);
    return e;
}

enum err db_drop_postgres(const struct env *env, const char *url, const char *schema, struct why *why)
{
    struct db_pg *db = NULL;
    char sql[PG_SQL];
    enum err e = pg_new(&db, env, url, schema, why);
    if (e != ERR_OK) return e;
    e = pg_connect(db, why);
    if (e == ERR_OK) e = db_begin(&db->base, why);
    (void)snprintf(sql, sizeof sql, "DROP SCHEMA IF EXISTS \"%s\" CASCADE", db->schema);
    if (e == ERR_OK) e = pg_run(db, sql, why);
    if (e == ERR_OK) e = db_commit(&db->base, why);
    db_close(&db->base);
    return e;
}

const struct db_engine db_postgres_engine = {
    .postgres = true,
    .max_cached = 2048, /* preparing costs a round trip, and views are planned again */
    .close = close_pg,
    .begin = pg_begin,
    .begin_read = begin_read,
    .begin_still = begin_still,
    .commit = pg_commit,
    .rollback = pg_rollback,
    .savepoint = savepoint,
    .savepoint_release = savepoint_release,
    .savepoint_rollback = savepoint_rollback,
    .exec = pg_exec,
    .changes = changes,
    .vacuum = nothing,
    .truncate_log = nothing,
    .check = nothing,
    .view_create = pg_view_create,
    .generation = generation,
    .keep = pg_keep,
    .notify = pg_notify,
    .listen = pg_listen,
    .wait = pg_wait,
    .claim = pg_claim,
    .unclaim = pg_unclaim,
    .note_lay = pg_note_lay,
    .note_lift = pg_note_lift,
    .note_holds = pg_note_holds,
    .note_waits = pg_note_waits,
    .note_take = pg_note_take,
    .stmt_new = pg_stmt_new,
    .stmt_free = pg_stmt_free,
    .bind = pg_bind,
    .step = pg_step,
    .done = pg_done,
    .col_int = pg_int,
    .col_is_null = pg_is_null,
    .col_bytes = pg_bytes,
    .col_value = pg_value,
    .columns = pg_columns,
    .column_name = pg_column_name,
};
