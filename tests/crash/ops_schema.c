/* Operations on the schema and on the database as a whole. */
#include "tests/crash/crash.h"

#include <stddef.h>

static void indexed_prepare(struct world *w)
{
    rows_prepare(w);
    must(world_open(w) && world_sql(w, "CREATE TABLE u(a, b, c); INSERT INTO u SELECT id, x, n FROM t;"
                                       "CREATE INDEX ub ON u(b); CREATE INDEX uc ON u(c) WHERE c > 20"),
         w->fault);
    world_close(w);
}

/* Holes everywhere: every second page is free. */
static void holes_prepare(struct world *w)
{
    indexed_prepare(w);
    must(world_open(w) && world_sql(w, "DELETE FROM t WHERE id % 30 < 20; DROP TABLE u"), w->fault);
    world_close(w);
}

static void copy(struct world *w, int pages_at_a_time)
{
    sqlite3_backup *b = sqlite3_backup_init(w->other, "main", w->db, "main");
    int rc = b == NULL ? sqlite3_errcode(w->other) : SQLITE_OK;
    while (b != NULL && (rc = sqlite3_backup_step(b, pages_at_a_time)) == SQLITE_OK) continue;
    int end = sqlite3_backup_finish(b);
    if (rc == SQLITE_DONE && end == SQLITE_OK)
        (void)world_done(w);
    else if (!disk_is_dead(w->disk))
        (void)wrong(w, "a copy gives error %d, %d", rc, end);
}

/* The second database is there, empty, and then it is the first one's double. */
static void backup_run(struct world *w)
{
    if (world_create(w, SECOND_DB) && world_done(w) && world_open_other(w))
        copy(w, 5);
    else if (!disk_is_dead(w->disk))
        (void)wrong(w, "no second database could be made");
}

static void backup_prepare(struct world *w)
{
    rows_prepare(w);
    must(world_create(w, SECOND_DB) && world_open_other(w), "creating");
    must(sqlite3_exec(w->other, "CREATE TABLE old(x); INSERT INTO old VALUES (zeroblob(50000))", NULL, NULL, NULL) ==
             SQLITE_OK,
         "rows of the second one");
    world_close(w);
}

static void backup_over_run(struct world *w)
{
    if (world_open_other(w)) copy(w, 4);
}

/* The first database has its row, the second one is as it was; in a copy it cannot be asked. */
static void note_row(struct world *w, uint64_t second)
{
    uint64_t first = 0;
    w->floor = ++w->at;
    if (!w->recording) return;
    must(db_digest(w, w->db, &first), w->fault);
    w->states[w->at] = mix(mix(2, first), second);
    w->n_states = w->at + 1;
}

/* A row is written when half of the pages are copied: the copy begins anew, and has it. */
static void backup_busy_run(struct world *w)
{
    uint64_t second = 0;
    if (!world_open_other(w) || (w->recording && !db_digest(w, w->other, &second))) return;
    sqlite3_backup *b = sqlite3_backup_init(w->other, "main", w->db, "main");
    int rc = b == NULL ? SQLITE_ERROR : sqlite3_backup_step(b, 6);
    bool written = rc == SQLITE_OK && world_sql(w, "INSERT INTO t VALUES (2000, 'while it is copied', 1)");
    if (written) note_row(w, second);
    while (written && (rc = sqlite3_backup_step(b, 6)) == SQLITE_OK) continue;
    int end = sqlite3_backup_finish(b);
    if (written && rc == SQLITE_DONE && end == SQLITE_OK) (void)world_done(w);
}

static const struct script table[] = {
    {.name = "tables and indexes are made",
     .list = {"CREATE TABLE c(id INTEGER PRIMARY KEY, x UNIQUE)", "CREATE INDEX tx ON t(x, n)",
              "CREATE UNIQUE INDEX tid ON t(id, n) WHERE n > 10"}},
    {.name = "a table is made of a query",
     .setup = "PRAGMA cache_size = 4",
     .list = {"CREATE TABLE c AS SELECT x, n FROM t ORDER BY n"}},
    {.name = "a table is dropped", .prepare = indexed_prepare, .list = {"DROP TABLE u", "CREATE TABLE v(x)"}},
    {.name = "an index is dropped", .prepare = indexed_prepare, .list = {"DROP INDEX ub", "DROP INDEX uc"}},
    {.name = "indexes are built anew",
     .prepare = indexed_prepare,
     .setup = "PRAGMA cache_size = 4",
     .list = {"=REINDEX"}},
    {.name = "a column is added",
     .list = {"ALTER TABLE t ADD COLUMN extra TEXT DEFAULT 'none'", "UPDATE t SET extra = id WHERE id % 2"}},
    {.name = "a column is dropped, and every row written anew",
     .prepare = indexed_prepare,
     .list = {"ALTER TABLE u DROP COLUMN a"}},
    {.name = "a table and a column get other names",
     .prepare = indexed_prepare,
     .list = {"ALTER TABLE u RENAME TO renamed", "ALTER TABLE renamed RENAME COLUMN c TO d"}},
    {.name = "views and triggers are made and dropped",
     .list = {"CREATE VIEW v AS SELECT x FROM t WHERE n > 3", "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END",
              "DROP VIEW v", "DROP TRIGGER g"}},
    {.name = "a generated column and its index",
     .list = {"CREATE TABLE g(a, b AS (a * 2) STORED, c AS (length(b)))", "INSERT INTO g(a) SELECT id FROM t",
              "CREATE INDEX gc ON g(c)"}},
    {.name = "statistics are gathered", .prepare = indexed_prepare, .list = {"ANALYZE"}},
    {.name = "the schema gets another version in one transaction with its change",
     .list = {"BEGIN; PRAGMA user_version = 2; CREATE TABLE second(x); INSERT INTO second VALUES (1); COMMIT",
              "PRAGMA user_version = 3"}},
    {.name = "the database is made compact", .prepare = holes_prepare, .list = {"=VACUUM"}},
    {.name = "the database is made compact with little memory",
     .prepare = holes_prepare,
     .setup = "PRAGMA cache_size = 3",
     .list = {"INSERT INTO t VALUES (2000, 'before', 1)", "=VACUUM", "INSERT INTO t VALUES (2001, 'after', 1)"}},
    {.name = "the file becomes shorter after it was made compact",
     .prepare = holes_prepare,
     .list = {"=VACUUM", "=PRAGMA wal_checkpoint(TRUNCATE)", "INSERT INTO t VALUES (2001, 'after', 1)"}},
    {.name = "the database is copied into a new one", .run = backup_run},
    {.name = "the database is copied over another one", .prepare = backup_prepare, .run = backup_over_run},
    {.name = "a row is written while the database is copied", .prepare = backup_prepare, .run = backup_busy_run},
};

struct scripts ops_schema(void)
{
    return (struct scripts){table, sizeof table / sizeof table[0]};
}
