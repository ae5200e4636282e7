/* Connecting, what a server must be like, and what it says in our words. */
#include "sync/db_postgres_internal.h"

#include "crypto/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------------------- faults */

static enum err away(struct why *why)
{
    (void)why_set(why, ERR_UNREACHABLE,
                  "The database of the MASH server cannot be reached just now; nothing was changed.");
    return why_next(why, ERR_UNREACHABLE,
                    "See that PostgreSQL runs and can be reached. Spoke connects again by itself.");
}

static bool state_is(const char *state, const char *code)
{
    return strncmp(state, code, strlen(code)) == 0;
}

/* Codes of the appendix "PostgreSQL Error Codes", by their beginnings. */
static enum err by_state(const char *state, struct why *why)
{
    if (state_is(state, "53100") || state_is(state, "53400"))
        return why_set(why, ERR_FULL, "The disk of the database is full; nothing was changed.");
    if (state_is(state, "53200"))
        return why_set(why, ERR_NOMEM, "The database is short of memory; nothing was changed.");
    if (state_is(state, "08") || state_is(state, "57P0") || state_is(state, "25P03")) return away(why);
    if (state_is(state, "53300"))
        return why_set(why, ERR_BUSY, "The database has too many connections just now; nothing was changed.");
    if (state_is(state, "55P03") || state_is(state, "40") || state_is(state, "57014")) {
        (void)why_set(why, ERR_BUSY, "Another program is using this hub's database just now; nothing was changed.");
        return why_next(why, ERR_BUSY, "Wait until it has finished, and try again.");
    }
    if (state_is(state, "58") || state_is(state, "25006"))
        return why_set(why, ERR_IO, "The database cannot write (PostgreSQL code %.5s); nothing was changed.", state);
    if (state_is(state, "XX")) {
        (void)why_set(why, ERR_TAMPERED, "The database found its own files damaged (PostgreSQL code %.5s).", state);
        return why_next(why, ERR_TAMPERED,
                        "Stop here, keep everything as it is, and ask the database's administrator.");
    }
    if (state_is(state, "54"))
        return why_set(why, ERR_LIMIT, "The database cannot hold something so large; nothing was changed.");
    if (state_is(state, "42501") || state_is(state, "28"))
        return why_set(why, ERR_DENIED, "The database does not allow this hub what it needs (PostgreSQL code %.5s).",
                       state);
    return ERR_OK;
}

/* A constraint's name is ours, and so is the text of a statement that is not understood. Anything else of a message
 * may hold values. */
static enum err by_message(const PGresult *r, const char *state, const char *sql, struct why *why)
{
    char kind[16];
    const char *constraint = PQresultErrorField(r, PG_DIAG_CONSTRAINT_NAME),
               *table = PQresultErrorField(r, PG_DIAG_TABLE_NAME);
    const char *column = PQresultErrorField(r, PG_DIAG_COLUMN_NAME),
               *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
    db_kind_of(sql, kind);
    if (state_is(state, "23"))
        return why_set(why, ERR_FAILED, "The store refused %s: %.64s %.64s (PostgreSQL code %.5s).", kind,
                       table == NULL ? "" : table,
                       constraint != NULL ? constraint
                       : column != NULL   ? column
                                          : "",
                       state);
    if (state_is(state, "42") || state_is(state, "0A"))
        return why_set(why, ERR_FAILED, "The store does not understand a statement: %.200s.",
                       text == NULL ? state : text);
    return why_set(why, ERR_FAILED, "The store could not do %s (PostgreSQL code %.5s).", kind, state);
}

enum err pg_refuse(struct db_pg *db, enum err e)
{
    if (db->tx_open && db->tx_err == ERR_OK) db->tx_err = e;
    return e;
}

enum err pg_fault(struct db_pg *db, const PGresult *r, const char *sql, struct why *why)
{
    const char *state = r == NULL ? NULL : PQresultErrorField(r, PG_DIAG_SQLSTATE);
    enum err e = ERR_OK;
    if (!db->tx_open || db->tx_err == ERR_OK) /* what was sent behind the first fault is not done because of it */
        db->base.refused = state != NULL && (state_is(state, "22") || state_is(state, "23"));
    if (db->conn == NULL || PQstatus(db->conn) == CONNECTION_BAD) {
        e = away(why);
        pg_disconnect(db);
    } else if (state == NULL) {
        e = r != NULL && PQresultStatus(r) != PGRES_FATAL_ERROR
                ? why_set(why, ERR_FAILED, "The database answered a statement in a way that Spoke does not know.")
                : why_set(why, ERR_NOMEM, "There is not enough memory; nothing was changed.");
    } else {
        e = by_state(state, why);
        if (e == ERR_OK) e = by_message(r, state, sql, why);
    }
    return pg_refuse(db, e);
}

/* --------------------------------------------------------------------------------------------------- connecting */

static void say_nothing(void *ctx, const char *message)
{
    (void)ctx;
    (void)message; /* only cli/ prints, and a notice may hold values */
}

void pg_disconnect(struct db_pg *db)
{
    pg_cursors_gone(db, 0, true);
    if (db->conn != NULL) PQfinish(db->conn);
    db->conn = NULL;
    db->n_flying = 0;
    pg_kept_forget(db);
    buf_reset(&db->doomed);
}

/* What libpq says of a failed try names host, port, role and database, which are the administrator's own words. */
static enum err not_connected(struct db_pg *db, struct why *why)
{
    char text[200];
    (void)snprintf(text, sizeof text, "%s", PQerrorMessage(db->conn));
    text[strcspn(text, "\n")] = '\0';
    bool password = PQconnectionNeedsPassword(db->conn) || PQconnectionUsedPassword(db->conn);
    bool denied = strstr(text, "authentication failed") != NULL || strstr(text, "does not exist") != NULL ||
                  strstr(text, "no pg_hba.conf entry") != NULL || strstr(text, "permission denied") != NULL ||
                  (password && strstr(text, "password") != NULL);
    pg_disconnect(db);
    if (denied) {
        (void)why_set(why, ERR_DENIED, "The database does not let the MASH server in: %s.", text);
        return why_next(why, ERR_DENIED, "Check the name of the user, of the database, and the password.");
    }
    (void)why_set(why, ERR_UNREACHABLE, "The database of the MASH server cannot be reached: %s.", text);
    return why_next(why, ERR_UNREACHABLE,
                    "See that PostgreSQL runs and can be reached, and that the address is right.");
}

/* A pooler between us and the server gives our sessions to others, with the views and prepared statements in them: a
 * question could be put to the views of another policy. It has process numbers of its own. */
static enum err check_direct(struct db_pg *db, struct why *why)
{
    char pid[24];
    int64_t n = 0;
    bool direct = false;
    (void)snprintf(pid, sizeof pid, "%d", PQbackendPID(db->conn));
    enum err e = pg_number(db, "SELECT 1 WHERE pg_catalog.pg_backend_pid()::text <> $1", pid, &n, &direct, why);
    if (e != ERR_OK || direct) return e;
    (void)why_set(why, ERR_FAILED,
                  "Between the hub and its database stands a pooler of connections, which Spoke cannot use.");
    return why_next(why, ERR_FAILED, "Name the address of PostgreSQL itself.");
}

/* What a hub's promises rest upon: what was said to be written is on the disk. */
static enum err check_server(struct db_pg *db, struct why *why)
{
    int64_t n = 0;
    bool null = false;
    const char *encoding = PQparameterStatus(db->conn, "server_encoding");
    if (PQserverVersion(db->conn) < 150000) {
        (void)why_set(why, ERR_VERSION, "The database is PostgreSQL %d; Spoke needs 15 or later.",
                      PQserverVersion(db->conn) / 10000);
        return why_next(why, ERR_VERSION, "Bring PostgreSQL up to date, or use another server.");
    }
    if (encoding == NULL || strcmp(encoding, "UTF8") != 0) {
        (void)why_set(why, ERR_FAILED, "The database keeps texts in the encoding %.20s; Spoke needs UTF8.",
                      encoding == NULL ? "unknown" : encoding);
        return why_next(why, ERR_FAILED, "Create one with: createdb --encoding=UTF8 --template=template0 NAME");
    }
    enum err e =
        pg_number(db,
                  "SELECT 1 WHERE (current_setting('fsync') = 'off' OR current_setting('full_page_writes') = 'off')"
                  " AND coalesce(current_setting('spoke.unsafe', true), '') <> $1",
                  "on", &n, &null, why);
    if (e != ERR_OK || null) return e;
    (void)why_set(why, ERR_FAILED,
                  "This database server does not write to its disk what it says it wrote (fsync or "
                  "full_page_writes is off): after a power failure notes would be missing.");
    return why_next(why, ERR_FAILED, "Switch both on in postgresql.conf.");
}

/* Plans are made once, often while tables are empty, and nearly every question is about one case or one row: so they go
 * by the indices, as SQLite's do. With the costs that PostgreSQL assumes of itself, what one case's sites may see was
 * asked by reading the tables whole, which took a hundred times as long where there were a thousand cases. */
static enum err set_up(struct db_pg *db, struct why *why)
{
    char sql[PG_SQL * 2];
    unsigned wait_ms = db->base.env->busy_ms != 0 ? db->base.env->busy_ms : 10000;
    int n = snprintf(sql, sizeof sql,
                     "SET search_path = \"%s\"; SET lock_timeout = %u; SET client_min_messages = error;"
                     "SET default_transaction_isolation = 'read committed'; SET standard_conforming_strings = on;"
                     "SET jit = off; SET max_parallel_workers_per_gather = 0; SET plan_cache_mode = force_generic_plan;"
                     "SET seq_page_cost = 100; SET random_page_cost = 1;"
                     "SET cursor_tuple_fraction = 1; SET idle_in_transaction_session_timeout = '2min';"
                     "SET idle_session_timeout = 0; SET statement_timeout = 0;"
                     "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3;"
                     "SELECT set_config('synchronous_commit', 'on', false)"
                     " WHERE current_setting('synchronous_commit') IN ('off', 'local')",
                     db->schema, wait_ms);
    if (n < 0 || (size_t)n >= sizeof sql) return why_set(why, ERR_FAILED, "The database's settings are too long.");
    return pg_run(db, sql, why);
}

static enum err try_connect(struct db_pg *db, struct why *why)
{
    /* Those before the URL may be overruled by it; those behind it may not. A server that went without a word is
     * noticed within a minute, and of several in a URL the one that can be written is taken. */
    static const char *const keys[] = {"target_session_attrs",      "connect_timeout",
                                       "keepalives_idle",           "keepalives_interval",
                                       "keepalives_count",          "tcp_user_timeout",
                                       "fallback_application_name", "dbname",
                                       "client_encoding",           NULL};
    const char *const values[] = {"read-write", PG_CONNECT_S, "30",    "10",   "3",
                                  "60000",      "spoke-hub",  db->url, "UTF8", NULL};
    db->conn = PQconnectdbParams(keys, values, 1);
    if (db->conn == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to reach the database.");
    if (PQstatus(db->conn) != CONNECTION_OK) return not_connected(db, why);
    (void)PQsetNoticeProcessor(db->conn, say_nothing, NULL);
    db->generation++;
    enum err e = check_server(db, why);
    if (e == ERR_OK) e = check_direct(db, why);
    if (e == ERR_OK) e = set_up(db, why);
    if (e == ERR_OK) e = pg_listen_again(db, why);
    if (e != ERR_OK) pg_disconnect(db);
    return e;
}

enum err pg_connect(struct db_pg *db, struct why *why)
{
    int64_t now = env_steady(db->base.env);
    if (db->conn != NULL && PQstatus(db->conn) == CONNECTION_OK) return ERR_OK;
    pg_disconnect(db);
    if (db->pause_ms > 0 && now >= db->failed_at && now - db->failed_at < db->pause_ms) return away(why);
    enum err e = try_connect(db, why);
    if (e == ERR_OK) {
        db->pause_ms = 0;
        return e;
    }
    db->failed_at = env_steady(db->base.env);
    db->pause_ms = db->pause_ms == 0 ? PG_PAUSE_MIN_MS : db->pause_ms * 2;
    if (db->pause_ms > PG_PAUSE_MAX_MS) db->pause_ms = PG_PAUSE_MAX_MS;
    return e;
}

enum err pg_ready(struct db_pg *db, struct why *why)
{
    enum err e = pg_able(db, why);
    return e == ERR_OK ? pg_land(db, why) : e;
}

enum err pg_able(struct db_pg *db, struct why *why)
{
    if (db->tx_open && db->tx_err != ERR_OK)
        return why_set(why, db->tx_err, "An earlier fault undid this whole step; nothing was changed.");
    if (db->tx_open) return ERR_OK;
    bool fresh = db->conn == NULL || PQstatus(db->conn) != CONNECTION_OK;
    enum err e = pg_connect(db, why);
    if (e != ERR_OK || !fresh) return e;
    e = pg_learn(db, why);
    if (e != ERR_OK) pg_disconnect(db); /* so that the next call looks again */
    return e;
}

/* --------------------------------------------------------------------------------------------- short statements */

enum err pg_run(struct db_pg *db, const char *sql, struct why *why)
{
    enum err e = pg_land(db, why);
    if (e != ERR_OK) return e;
    PGresult *r = PQexec(db->conn, sql);
    ExecStatusType status = PQresultStatus(r);
    e = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ? ERR_OK : pg_fault(db, r, sql, why);
    PQclear(r);
    return e;
}

enum err pg_number(struct db_pg *db, const char *sql, const char *param, int64_t *out, bool *out_null, struct why *why)
{
    const char *const values[] = {param};
    PGresult *r = PQexecParams(db->conn, sql, param == NULL ? 0 : 1, NULL, values, NULL, NULL, 0);
    enum err e = PQresultStatus(r) == PGRES_TUPLES_OK ? ERR_OK : pg_fault(db, r, sql, why);
    if (e == ERR_OK) {
        *out_null = PQntuples(r) == 0 || PQgetisnull(r, 0, 0);
        *out = *out_null ? 0 : strtoll(PQgetvalue(r, 0, 0), NULL, 10);
    }
    PQclear(r);
    return e;
}

enum err pg_learn(struct db_pg *db, struct why *why)
{
    int64_t n = 0;
    bool null = false;
    enum err e =
        pg_number(db,
                  "SELECT t.oid FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace"
                  " WHERE t.typname = 'spoke_any' AND n.nspname = $1",
                  db->schema, &n, &null, why);
    if (e == ERR_OK && null) {
        (void)why_set(why, ERR_UNINIT, "There is no hub in the schema %s of this database.", db->schema);
        return why_next(why, ERR_UNINIT, "Make one with spoke-hub init, or name the schema it is in.");
    }
    if (e == ERR_OK) db->any_type = (Oid)n;
    return e;
}

/* -------------------------------------------------------------------------------------------- URL and schema */

bool db_postgres_is_url(const char *url)
{
    return url != NULL && (strncmp(url, "postgres://", 11) == 0 || strncmp(url, "postgresql://", 13) == 0);
}

bool db_postgres_schema_ok(const char *schema)
{
    size_t n = strlen(schema);
    return n >= 1 && n <= DB_POSTGRES_SCHEMA_MAX && schema[0] >= 'a' && schema[0] <= 'z' &&
           strspn(schema, "abcdefghijklmnopqrstuvwxyz0123456789_") == n && strncmp(schema, "pg_", 3) != 0 &&
           strcmp(schema, "public") != 0 && strcmp(schema, "information_schema") != 0;
}

/* Takes schema=NAME out of the options of a URL, which libpq would not know. */
static void take_schema(char *url, char out[DB_POSTGRES_SCHEMA_MAX + 2])
{
    char *option = strchr(url, '?');
    while (option != NULL && strncmp(option + 1, "schema=", 7) != 0) option = strchr(option + 1, '&');
    if (option == NULL) return;
    const char *name = option + 8;
    size_t n = strcspn(name, "&");
    (void)snprintf(out, DB_POSTGRES_SCHEMA_MAX + 2, "%.*s", (int)(n < 100 ? n : 100), name);
    const char *rest = name + n;
    if (*rest == '&') {
        option++; /* the ? or & before it stays for what follows */
        rest++;
    }
    memmove(option, rest, strlen(rest) + 1);
}

static enum err no_url(struct why *why)
{
    (void)why_set(why, ERR_USAGE, "This is not the address of a PostgreSQL database.");
    return why_next(why, ERR_USAGE, "Write it as postgres://USER@HOST/DATABASE, or see libpq's connection URIs.");
}

static enum err check_url(const char *url, struct why *why)
{
    char *fault = NULL;
    PQconninfoOption *all = PQconninfoParse(url, &fault);
    enum err e = all != NULL ? ERR_OK : no_url(why); /* libpq's words repeat the text, which may hold a password */
    PQfreemem(fault);
    PQconninfoFree(all);
    return e;
}

static void name_lock(struct db_pg *db)
{
    uint8_t hash[HASH_BYTES];
    hash_labelled(hash, "spoke/postgres/lock/1", bytes_of_str(db->schema));
    memcpy(&db->lock, hash, sizeof db->lock);
}

enum err pg_new(struct db_pg **out, const struct env *env, const char *url, const char *schema, struct why *why)
{
    char name[DB_POSTGRES_SCHEMA_MAX + 2] = "spoke"; /* one more, so that one too long is seen to be */
    struct db_pg *db = calloc(1, sizeof *db);
    if (db == NULL || (db->url = strdup(url)) == NULL) {
        free(db);
        return why_set(why, ERR_NOMEM, "There is not enough memory to reach the database.");
    }
    db->base.engine = &db_postgres_engine;
    db->base.env = env;
    db->base.schema = db->base.tx_schema = 1;
    buf_init(&db->doomed, 1 << 20);
    env_random(env, db->kept.secret, sizeof db->kept.secret);
    if (db_postgres_is_url(url)) take_schema(db->url, name);
    if (schema != NULL) (void)snprintf(name, sizeof name, "%s", schema);
    enum err e = check_url(db->url, why);
    if (e == ERR_OK && !db_postgres_schema_ok(name))
        e = why_set(why, ERR_USAGE,
                    "The name of a hub's schema has 1 to %d letters a to z, digits and _, and begins with a letter.",
                    DB_POSTGRES_SCHEMA_MAX);
    if (e == ERR_OK) {
        memcpy(db->schema, name, strlen(name) + 1);
        name_lock(db);
        *out = db;
    } else {
        db_close(&db->base);
    }
    return e;
}
