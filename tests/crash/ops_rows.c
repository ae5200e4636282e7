/* Operations on rows. Page caches are made small so that transactions spill into the log. */
/* the session extension's declarations, which its header holds back without these */
#define SQLITE_ENABLE_SESSION
#define SQLITE_ENABLE_PREUPDATE_HOOK

#include "tests/crash/crash.h"

#include <stdlib.h>
#include <string.h>

#define MANY(n) "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < " #n ") "

static void empty_prepare(struct world *w)
{
    must(world_create(w, MAIN_DB), "creating");
}

static void with(struct world *w, const char *sql)
{
    rows_prepare(w);
    must(world_open(w) && world_sql(w, sql), w->fault);
    world_close(w);
}

static void related_prepare(struct world *w)
{
    with(w, "BEGIN; CREATE TABLE parent(id INTEGER PRIMARY KEY, n INTEGER);"
            "CREATE TABLE child(id INTEGER PRIMARY KEY, parent REFERENCES parent ON DELETE CASCADE, x TEXT);"
            "CREATE TABLE count(n INTEGER); INSERT INTO count VALUES (0);"
            "CREATE TRIGGER gone AFTER DELETE ON child BEGIN UPDATE count SET n = n + 1; END;" MANY(
                30) "INSERT INTO parent SELECT i, i FROM s;" MANY(60) "INSERT INTO child SELECT i, i / 2 + 1 - i / 60,"
                                                                      " format('%0*d', 200, i) FROM s; COMMIT");
}

static void keyed_prepare(struct world *w)
{
    with(w, "BEGIN; CREATE TABLE k(a TEXT, b INTEGER, x TEXT, PRIMARY KEY(a, b)) WITHOUT ROWID;" MANY(
                60) "INSERT INTO k SELECT 'key ' || i % 9, i, format('%0*d', 150, i) FROM s; COMMIT");
}

static void blobs_prepare(struct world *w)
{
    with(w, "CREATE TABLE b(id INTEGER PRIMARY KEY, x BLOB); INSERT INTO b VALUES (1, zeroblob(30000))");
}

static void search_prepare(struct world *w)
{
    with(w, "BEGIN; CREATE VIRTUAL TABLE f USING fts5(x);" MANY(
                40) "INSERT INTO f(rowid, x) SELECT i, 'visit ' || i || ' school report ' || i * 37 FROM s; COMMIT;"
                    "INSERT INTO f(f, rank) VALUES ('automerge', 0)");
}

/* Three transactions, each one stretch of a blob; the connection's own way of writing without SQL. */
static void blob_run(struct world *w)
{
    uint8_t stretch[5000];
    for (int i = 0; i < 3; i++) {
        sqlite3_blob *blob = NULL;
        memset(stretch, 'a' + i, sizeof stretch);
        if (!world_sql(w, "BEGIN")) return;
        int rc = sqlite3_blob_open(w->db, "main", "b", "x", 1, 1, &blob);
        if (rc == SQLITE_OK) rc = sqlite3_blob_write(blob, stretch, sizeof stretch, 7000 * i + 11);
        (void)sqlite3_blob_close(blob);
        if (rc != SQLITE_OK && !disk_is_dead(w->disk)) (void)wrong(w, "writing into a blob gives error %d", rc);
        if (rc != SQLITE_OK || !world_commit(w, "COMMIT")) return;
    }
}

static int keep(void *ctx, int type, sqlite3_changeset_iter *it)
{
    (void)ctx, (void)type, (void)it;
    return SQLITE_CHANGESET_OMIT;
}

/* Changes of a session, made on a transaction that is taken back, then applied from their bytes. */
static void changeset_run(struct world *w)
{
    sqlite3_session *session = NULL;
    void *changes = NULL;
    int n = 0;
    bool ok = sqlite3session_create(w->db, "main", &session) == SQLITE_OK &&
              sqlite3session_attach(session, "t") == SQLITE_OK &&
              world_sql(w, "BEGIN; UPDATE t SET x = 'changed ' || id WHERE id % 3 = 0; DELETE FROM t WHERE id > 100;"
                           "INSERT INTO t VALUES (500, format('%0*d', 9000, 1), 1)") &&
              sqlite3session_changeset(session, &n, &changes) == SQLITE_OK;
    sqlite3session_delete(session);
    ok = ok && world_sql(w, "ROLLBACK") && sqlite3changeset_apply(w->db, n, changes, NULL, keep, NULL) == SQLITE_OK;
    sqlite3_free(changes);
    if (!ok && !disk_is_dead(w->disk)) (void)wrong(w, "a changeset could not be applied");
    if (ok) (void)world_done(w);
}

#define SPILL "PRAGMA cache_size = 4"

static const struct script table[] = {
    {.name = "the first table and its first row",
     .prepare = empty_prepare,
     .list = {"CREATE TABLE a(id INTEGER PRIMARY KEY, x TEXT)", "INSERT INTO a VALUES (1, 'first')"}},
    {.name = "a row is added",
     .list = {"INSERT INTO t VALUES (999, 'one', 1)", "INSERT INTO t VALUES (1000, 'two', 2)"}},
    {.name = "ten rows are added, a transaction each",
     .list = {"INSERT INTO t VALUES (201, 'a', 1)", "INSERT INTO t VALUES (202, 'b', 1)",
              "INSERT INTO t VALUES (203, 'c', 1)", "INSERT INTO t VALUES (204, 'd', 1)",
              "INSERT INTO t VALUES (205, 'e', 1)", "INSERT INTO t VALUES (206, 'f', 1)",
              "INSERT INTO t VALUES (207, 'g', 1)", "INSERT INTO t VALUES (208, 'h', 1)",
              "INSERT INTO t VALUES (209, 'i', 1)"}},
    {.name = "many rows are added, and the transaction spills",
     .setup = SPILL,
     .list = {"INSERT INTO t SELECT id + 1000, x, n FROM t"}},
    {.name = "rows change in place", .list = {"UPDATE t SET n = n + 1 WHERE id % 4 = 0", "UPDATE t SET n = 50 - n"}},
    {.name = "rows grow over many pages, and the transaction spills",
     .setup = SPILL,
     .list = {"UPDATE t SET x = format('%0*d', 9000, id) WHERE id % 30 = 1",
              "UPDATE t SET x = 'short again' WHERE id % 30 = 1"}},
    {.name = "half of the rows go", .list = {"DELETE FROM t WHERE id % 2 = 0", "DELETE FROM t WHERE id < 40"}},
    {.name = "all rows go at once", .list = {"DELETE FROM t", "INSERT INTO t VALUES (1, 'new', 1)"}},
    {.name = "a transaction goes back to its savepoint and commits",
     .list = {"BEGIN; INSERT INTO t VALUES (700, 'stays', 1); SAVEPOINT s; UPDATE t SET x = 'never'; ROLLBACK TO s;"
              "UPDATE t SET n = 3 WHERE id = 5; COMMIT"}},
    {.name = "savepoints within savepoints go back while the transaction spills",
     .setup = SPILL,
     .list = {"BEGIN; SAVEPOINT a; UPDATE t SET n = n + 1; SAVEPOINT b; UPDATE t SET x = 'never'; ROLLBACK TO b;"
              "SAVEPOINT c; DELETE FROM t WHERE id % 3 = 0; RELEASE c; UPDATE t SET n = n - 2; RELEASE a; COMMIT"}},
    {.name = "a transaction is taken back",
     .list = {"=BEGIN; UPDATE t SET x = 'never'; ROLLBACK", "DELETE FROM t WHERE id = 7"}},
    {.name = "a transaction that spilled is taken back, and another follows",
     .setup = SPILL,
     .list = {"=BEGIN; UPDATE t SET x = format('%0*d', 400, id); INSERT INTO t SELECT id + 900, x, n FROM t; ROLLBACK",
              "INSERT INTO t VALUES (3000, 'after', 1)", "UPDATE t SET n = 9 WHERE id < 20"}},
    {.name = "a page is written again and again within a transaction that spills",
     .setup = "PRAGMA cache_size = 2",
     .list =
         {"BEGIN; UPDATE t SET n = n + 1; UPDATE t SET n = n * 2; UPDATE t SET n = n - 1; UPDATE t SET n = n % 40; COMMIT",
          "INSERT INTO t VALUES (3001, 'after', 1)"}},
    {.name = "rows replace others by their key",
     .list =
         {"INSERT INTO t SELECT id, 'replaced', n FROM t WHERE id % 5 = 0 ON CONFLICT(id) DO UPDATE SET x = excluded.x",
          "REPLACE INTO t SELECT id, 'again', 1 FROM t WHERE id % 11 = 0"}},
    {.name = "foreign keys and triggers take other rows along",
     .prepare = related_prepare,
     .setup = "PRAGMA foreign_keys = ON",
     .list = {"DELETE FROM parent WHERE id % 3 = 0", "DELETE FROM parent WHERE id > 10"}},
    {.name = "a table without row numbers changes",
     .prepare = keyed_prepare,
     .setup = SPILL,
     .list = {"UPDATE k SET b = b + 1000 WHERE b % 4 = 0", "DELETE FROM k WHERE a = 'key 3'",
              "INSERT INTO k SELECT 'other ' || b, b, x FROM k"}},
    {.name = "a blob is written piece by piece", .prepare = blobs_prepare, .run = blob_run},
    {.name = "a long blob is put in the place of another",
     .prepare = blobs_prepare,
     .setup = SPILL,
     .list = {"UPDATE b SET x = CAST(format('%0*d', 45000, 3) AS BLOB)", "UPDATE b SET x = x'01'"}},
    {.name = "texts enter the search index",
     .prepare = search_prepare,
     .list = {"INSERT INTO f(rowid, x) VALUES (100, 'a new report of a visit')",
              "INSERT INTO f(rowid, x) SELECT rowid + 200, x || ' copied' FROM f"}},
    {.name = "the search index is merged",
     .prepare = search_prepare,
     .setup =
         "INSERT INTO f(rowid, x) VALUES (101, 'one more visit'); INSERT INTO f(rowid, x) VALUES (102, 'and more')",
     .list = {"INSERT INTO f(f) VALUES ('optimize')", "=INSERT INTO f(f) VALUES ('integrity-check')"}},
    {.name = "texts leave the search index",
     .prepare = search_prepare,
     .list = {"DELETE FROM f WHERE rowid % 3 = 0", "UPDATE f SET x = 'another text' WHERE rowid % 7 = 1",
              "=INSERT INTO f(f) VALUES ('integrity-check')"}},
    {.name = "changes of a session are applied", .run = changeset_run},
    {.name = "temporary tables and a long sort leave nothing on the disk",
     .setup = SPILL,
     .list = {"=CREATE TEMP TABLE s AS SELECT x, n FROM t ORDER BY x DESC, n",
              "INSERT INTO t SELECT rowid + 4000, x, n FROM s ORDER BY n, x LIMIT 30"}},
};

struct scripts ops_rows(void)
{
    return (struct scripts){table, sizeof table / sizeof table[0]};
}
