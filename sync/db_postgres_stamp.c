/* Stamps of calm tables (sync/db_postgres_kept.c): the table spoke_stamp, and a trigger on each of them that gives it
 * a new stamp within the transaction that changes it. Once a transaction: many changes of one row would leave as many
 * dead versions for each next one to pass by; a setting that ends with the transaction, or with the savepoint,
 * tells. It has the table's number in its name: one transaction may write to that table of several schemas. */
#include "sync/db_postgres_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STAMPS  "spoke_stamps" /* the prepared question */
#define DDL_MAX 16384

static const char function[] =
    "CREATE TABLE IF NOT EXISTS \"%s\".spoke_stamp(tbl text COLLATE \"C\" PRIMARY KEY, stamp uuid NOT NULL);"
    "CREATE OR REPLACE FUNCTION \"%s\".spoke_stamped() RETURNS trigger LANGUAGE plpgsql AS $spoke$BEGIN"
    " IF coalesce(pg_catalog.current_setting('spoke.stamped_' || TG_RELID, true), '') = '' THEN"
    " UPDATE \"%s\".spoke_stamp SET stamp = pg_catalog.gen_random_uuid() WHERE tbl = TG_TABLE_NAME;"
    " PERFORM pg_catalog.set_config('spoke.stamped_' || TG_RELID, '1', true); END IF; RETURN NULL; END$spoke$;";

/* ALWAYS: also with session_replication_role set. */
static const char one_table[] =
    "DROP TRIGGER IF EXISTS spoke_stamped ON \"%s\".\"%s\";"
    "CREATE TRIGGER spoke_stamped AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON \"%s\".\"%s\""
    " FOR EACH STATEMENT EXECUTE FUNCTION \"%s\".spoke_stamped();"
    "ALTER TABLE \"%s\".\"%s\" ENABLE ALWAYS TRIGGER spoke_stamped;"
    "INSERT INTO \"%s\".spoke_stamp(tbl, stamp) VALUES ('%s', gen_random_uuid()) ON CONFLICT DO NOTHING;";

/* ---- what is there */

static bool listed(const char *const *list, const char *name)
{
    for (; list != NULL && *list != NULL; list++)
        if (strcmp(*list, name) == 0) return true;
    return false;
}

/* Of very many, none: then nothing is kept. */
static enum err take_tables(struct db_pg *db, const PGresult *r, struct why *why)
{
    struct pg_kept *k = &db->kept;
    size_t n = PQntuples(r) > PG_TABLES ? 0 : (size_t)PQntuples(r);
    free(k->tables);
    k->n_tables = 0;
    k->tables = calloc(n + 1, sizeof *k->tables);
    if (k->tables == NULL) return why_set(why, pg_refuse(db, ERR_NOMEM), "There is not enough memory.");
    for (size_t i = 0; i < n; i++) {
        struct pg_table *t = &k->tables[k->n_tables++];
        (void)snprintf(t->name, sizeof t->name, "%s", PQgetvalue(r, (int)i, 0));
        bool table = strcmp(PQgetvalue(r, (int)i, 1), "r") == 0, stamped = PQgetvalue(r, (int)i, 2)[0] == 't';
        bool between = table && listed(k->between, t->name);
        t->keep = between || (table && listed(k->within, t->name));
        t->calm = between && stamped;
        k->any_calm = k->any_calm || t->calm;
    }
    return ERR_OK;
}

/* Is a trigger switched off, its table is as any other. */
static enum err ask_tables(struct db_pg *db, struct why *why)
{
    const char *const values[] = {db->schema};
    PGresult *r = PQexecParams(
        db->conn,
        "SELECT c.relname, c.relkind, EXISTS (SELECT 1 FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid"
        " AND t.tgname = 'spoke_stamped' AND t.tgenabled = 'A') FROM pg_catalog.pg_class c WHERE c.relnamespace ="
        " (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = $1) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"
        " ORDER BY c.relname COLLATE \"C\"",
        1, NULL, values, NULL, NULL, 0);
    enum err e = PQresultStatus(r) == PGRES_TUPLES_OK ? take_tables(db, r, why) : pg_fault(db, r, "SELECT", why);
    PQclear(r);
    return e;
}

/* With the table, its file and its trigger: one in place of another, rewritten, or changed while its trigger was
 * switched off, is not what it was, and one without its trigger is not in the answer. */
static enum err prepare(struct db_pg *db, struct why *why)
{
    struct pg_kept *k = &db->kept;
    char sql[PG_SQL];
    if (k->prepared == db->generation || !k->any_calm) return ERR_OK;
    (void)snprintf(sql, sizeof sql,
                   "SELECT s.tbl, concat(s.stamp, '/', c.oid, '/', c.relfilenode, '/', t.xmin) FROM \"%s\".spoke_stamp s"
                   " JOIN pg_catalog.pg_class c ON c.relname = s.tbl::name AND c.relnamespace ="
                   " (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = '%s') JOIN pg_catalog.pg_trigger t"
                   " ON t.tgrelid = c.oid AND t.tgname = 'spoke_stamped' AND t.tgenabled = 'A' ORDER BY s.tbl",
                   db->schema, db->schema);
    PGresult *r = PQprepare(db->conn, STAMPS, sql, 0, NULL);
    enum err e = PQresultStatus(r) == PGRES_COMMAND_OK ? ERR_OK : pg_fault(db, r, "SELECT", why);
    if (e == ERR_OK) k->prepared = db->generation;
    PQclear(r);
    return e;
}

static enum err ask_stamps(struct db_pg *db, struct why *why)
{
    if (!db->kept.any_calm) {
        pg_kept_began(db, NULL);
        return ERR_OK;
    }
    PGresult *r = PQexecPrepared(db->conn, STAMPS, 0, NULL, NULL, NULL, 0);
    enum err e = PQresultStatus(r) == PGRES_TUPLES_OK ? ERR_OK : pg_fault(db, r, "SELECT", why);
    if (e == ERR_OK) pg_kept_began(db, r);
    PQclear(r);
    return e;
}

const char *pg_stamps_sql(const struct db_pg *db)
{
    const struct pg_kept *k = &db->kept;
    return k->shape != 0 && k->any_calm && k->prepared == db->generation ? "; EXECUTE " STAMPS : "";
}

enum err pg_stamps_learn(struct db_pg *db, struct why *why)
{
    struct pg_kept *k = &db->kept;
    if (k->within == NULL && k->between == NULL) return ERR_OK;
    k->any_calm = false;
    enum err e = ask_tables(db, why);
    if (e == ERR_OK) e = prepare(db, why);
    if (e == ERR_OK) k->shape = ++k->n_shapes;
    return e == ERR_OK ? ask_stamps(db, why) : e;
}

/* ---- making them */

static enum err put_triggers(struct db_pg *db, struct why *why)
{
    const char *s = db->schema;
    struct buf sql;
    buf_init(&sql, DDL_MAX);
    buf_printf(&sql, function, s, s, s);
    for (const char *const *t = db->kept.between; *t != NULL; t++)
        buf_printf(&sql, one_table, s, *t, s, *t, s, s, *t, s, *t);
    const char *text = buf_cstr(&sql);
    enum err e = ERR_OK;
    if (text == NULL)
        e = why_set(why, pg_refuse(db, ERR_NOMEM), "There is not enough memory.");
    else
        e = pg_run(db, text, why);
    buf_release(&sql);
    return e;
}

static bool all_there(const struct db_pg *db)
{
    const struct pg_kept *k = &db->kept;
    size_t n = 0, there = 0;
    for (const char *const *t = k->between; *t != NULL; t++) n++;
    for (size_t i = 0; i < k->n_tables; i++) there += k->tables[i].calm && k->tables[i].stamp[0] != '\0';
    return there == n;
}

enum err pg_keep(struct db *base, const char *const *within, const char *const *between, struct why *why)
{
    struct db_pg *db = pg_of(base);
    db->kept.within = within;
    db->kept.between = between;
    pg_kept_forget(db);
    enum err e = pg_begin(base, why);
    if (e == ERR_OK && db->kept.n_tables > 0 && !all_there(db)) {
        e = put_triggers(db, why);
        pg_kept_forget(db);
    }
    if (e == ERR_OK) e = pg_commit(base, why);
    if (e != ERR_OK) pg_rollback(base);
    return e;
}
