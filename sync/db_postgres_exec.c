/* Several statements at once, and views that come as text. */
#include "sync/db_postgres_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PASSES 64 /* views in the wrong order: each pass makes at least one of them */

static bool state_is(const PGresult *r, const char *code)
{
    const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
    return state != NULL && strncmp(state, code, strlen(code)) == 0;
}

static bool went_well(const PGresult *r)
{
    return PQresultStatus(r) == PGRES_COMMAND_OK || PQresultStatus(r) == PGRES_TUPLES_OK;
}

static enum err exec_one(struct db_pg *db, const char *sql, struct why *why)
{
    PGresult *r = PQexec(db->conn, sql);
    enum err e = went_well(r) ? ERR_OK : pg_fault(db, r, sql, why);
    if (e == ERR_OK && PQcmdTuples(r)[0] != '\0' && strncmp(PQcmdStatus(r), "SELECT", 6) != 0)
        db->changes = strtoll(PQcmdTuples(r), NULL, 10);
    PQclear(r);
    return e;
}

/* ---- views in any order */

/* For SQLite a view may name what comes later; PostgreSQL wants it there. So one that names something unknown waits
 * until the others are made. Texts with NUL between them. */
struct waiting {
    struct buf texts;
    size_t n;
};

static enum err later(struct waiting *w, const char *sql, struct why *why)
{
    buf_put(&w->texts, sql, strlen(sql) + 1);
    w->n++;
    return w->texts.err == ERR_OK ? ERR_OK : why_set(why, w->texts.err, "There are too many views to make at once.");
}

static enum err view_one(struct db_pg *db, const char *sql, struct waiting *w, struct why *why)
{
    enum err e = pg_run(db, "SAVEPOINT spoke_view", why);
    if (e != ERR_OK) return e;
    PGresult *r = PQexec(db->conn, sql);
    if (went_well(r)) {
        e = pg_run(db, "RELEASE SAVEPOINT spoke_view", why);
    } else if (state_is(r, "42P01")) {
        e = pg_run(db, "ROLLBACK TO SAVEPOINT spoke_view; RELEASE SAVEPOINT spoke_view", why);
        if (e == ERR_OK) e = later(w, sql, why);
    } else {
        e = pg_fault(db, r, sql, why);
    }
    PQclear(r);
    return e;
}

/* What waits, until nothing does, or nothing is made any more: then the first says what it misses. */
static enum err finish_views(struct db_pg *db, struct waiting *w, struct why *why)
{
    enum err e = ERR_OK;
    for (int pass = 0; e == ERR_OK && w->n > 0 && pass < PASSES; pass++) {
        struct waiting again = {0};
        buf_init(&again.texts, w->texts.max);
        const char *at = (const char *)w->texts.data;
        for (size_t i = 0; e == ERR_OK && i < w->n; i++, at += strlen(at) + 1) e = view_one(db, at, &again, why);
        bool stuck = again.n == w->n;
        buf_release(&w->texts);
        *w = again;
        if (e == ERR_OK && stuck) break;
    }
    return e == ERR_OK && w->n > 0 ? exec_one(db, (const char *)w->texts.data, why) : e;
}

static bool makes_view(const char *sql)
{
    static const char *const starts[] = {"CREATE VIEW", "CREATE TEMP VIEW", "CREATE TEMPORARY VIEW"};
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++)
        if (strncasecmp(sql, starts[i], strlen(starts[i])) == 0) return true;
    return false;
}

static enum err exec_all(struct db_pg *db, const char *sql, struct why *why)
{
    struct buf text;
    struct waiting views = {0};
    struct pg_facts facts = {0};
    buf_init(&text, DB_MAX_SQL);
    buf_init(&views.texts, DB_MAX_SQL);
    enum err e = pg_ready(db, why);
    pg_kept_forget(db);
    while (e == ERR_OK) {
        e = pg_translate(&sql, db->schema, &text, &facts, why);
        if (e != ERR_OK || facts.empty) break;
        const char *one = buf_cstr(&text);
        if (one == NULL)
            e = why_set(why, ERR_NOMEM, "There is not enough memory.");
        else
            e = makes_view(one) ? view_one(db, one, &views, why) : exec_one(db, one, why);
    }
    if (e == ERR_OK) e = finish_views(db, &views, why);
    buf_release(&views.texts);
    buf_release(&text);
    return e == ERR_OK ? e : pg_refuse(db, e);
}

/* Outside a transaction: all of it or nothing, with the hub's lock. */
enum err pg_exec(struct db *base, const char *sql, struct why *why)
{
    struct db_pg *db = pg_of(base);
    if (db->tx_open) return exec_all(db, sql, why);
    enum err e = pg_begin(base, why);
    if (e == ERR_OK) e = exec_all(db, sql, why);
    if (e == ERR_OK) e = pg_commit(base, why);
    if (e != ERR_OK) pg_rollback(base);
    return e;
}

/* By the extended protocol, in which nothing can follow the one statement. */
enum err pg_view_create(struct db *base, const char *sql, struct db_view_fault *fault, struct why *why)
{
    struct db_pg *db = pg_of(base);
    struct buf text;
    struct pg_facts facts;
    const char *rest = sql;
    memset(fault, 0, sizeof *fault);
    pg_kept_forget(db);
    buf_init(&text, DB_MAX_SQL);
    enum err e = pg_ready(db, why);
    if (e == ERR_OK) e = pg_translate(&rest, db->schema, &text, &facts, why);
    const char *one = e == ERR_OK ? buf_cstr(&text) : NULL;
    PGresult *r = one == NULL ? NULL : PQexecParams(db->conn, one, 0, NULL, NULL, NULL, NULL, 0);
    if (e == ERR_OK && PQresultStatus(r) != PGRES_COMMAND_OK) {
        const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE),
                   *words = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
        bool theirs = state != NULL && (strncmp(state, "42", 2) == 0 || strncmp(state, "0A", 2) == 0) &&
                      strcmp(state, "42501") != 0;
        (void)snprintf(fault->words, sizeof fault->words, "%s", theirs && words != NULL ? words : "");
        e = pg_fault(db, r, sql, why);
        if (theirs) e = why_set(why, ERR_USAGE, "This SQL cannot be used: %s.", fault->words);
    }
    PQclear(r);
    buf_release(&text);
    return e == ERR_OK ? e : pg_refuse(db, e);
}
