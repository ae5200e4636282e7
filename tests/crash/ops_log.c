/* Operations on the log, and on the files as such: opening, closing, creating. */
#include "tests/crash/crash.h"

#include "crypto/pagevfs.h"

#include <stddef.h>

/* A log that holds three transactions when the computer stops. */
static void log_prepare(struct world *w)
{
    rows_prepare(w);
    must(world_open(w) && world_sql(w, "INSERT INTO t VALUES (301, 'in the log', 1); UPDATE t SET n = 1 WHERE id < 30;"
                                       "DELETE FROM t WHERE id = 60"),
         w->fault);
}

/* The same, and behind them a part of a transaction that was never committed. */
static void torn_log_prepare(struct world *w)
{
    log_prepare(w);
    must(world_sql(w, "PRAGMA cache_size = 2; BEGIN; UPDATE t SET x = 'never', n = 0"), w->fault);
}

/* A log that was begun anew: its frames lie over older, longer ones. */
static void used_log_prepare(struct world *w)
{
    rows_prepare(w);
    must(world_open(w) && world_sql(w, "UPDATE t SET n = n + 1; UPDATE t SET n = n - 1; PRAGMA wal_checkpoint(RESTART);"
                                       "INSERT INTO t VALUES (301, 'in the second log', 1)"),
         w->fault);
}

static void nothing_prepare(struct world *w)
{
    (void)w;
}

static void create_run(struct world *w)
{
    struct why why = {0};
    enum err e = pagevfs_create(MAIN_DB, disk_vfs_name(w->disk), &w->key, &why);
    if (e == ERR_OK)
        (void)world_done(w);
    else if (!disk_is_dead(w->disk))
        (void)wrong(w, "creating gives error %d", (int)e);
}

/* The power fails in the creation; what is there is no database yet. */
static void cut_off_prepare(struct world *w)
{
    struct draw by = draw_stream(1, 8, 0);
    disk_set_faults(w->disk, &(struct disk_faults){.die_after = 5});
    (void)world_create(w, MAIN_DB);
    must(disk_is_dead(w->disk), "a creation in fewer than five steps");
    (void)disk_power_off(w->disk, &by);
}

static bool reopen(struct world *w)
{
    if (world_open(w)) return true;
    return disk_is_dead(w->disk) ? false : wrong(w, "it does not open");
}

static void open_and_write_run(struct world *w)
{
    if (reopen(w) && world_commit(w, "INSERT INTO t VALUES (401, 'after opening', 1)"))
        (void)world_commit(w, "UPDATE t SET n = n + 1 WHERE id > 90");
}

static void open_and_checkpoint_run(struct world *w)
{
    if (reopen(w) && world_same(w, "PRAGMA wal_checkpoint(FULL)"))
        (void)world_commit(w, "INSERT INTO t VALUES (402, 'after the checkpoint', 1)");
}

static void open_and_close_run(struct world *w)
{
    if (reopen(w)) world_close(w);
    /* closing moved the log into the database; nobody heard of an error, so look again */
    if (!disk_is_dead(w->disk) && reopen(w)) (void)world_commit(w, "INSERT INTO t VALUES (403, 'reopened', 1)");
}

static void close_run(struct world *w)
{
    if (!world_commit(w, "INSERT INTO t VALUES (404, 'before closing', 1)")) return;
    world_close(w);
}

static void ten_commits_run(struct world *w)
{
    char sql[120];
    for (int i = 0; i < 10; i++) {
        (void)sqlite3_snprintf(sizeof sql, sql, "UPDATE t SET n = n + %d WHERE id %% 20 = %d", i + 1, i);
        if (!world_commit(w, sql)) return;
    }
}

/* Commits that are not synced: the power may take the last ones, never one from between. A checkpoint makes them
 * last. */
static void normal_run(struct world *w)
{
    w->weak = true;
    for (int i = 0; i < 3; i++)
        if (!world_commit(w, "INSERT INTO t(x, n) VALUES ('not synced', 1)")) return;
    if (!world_same(w, "PRAGMA wal_checkpoint(FULL)")) return;
    world_durable(w);
    for (int i = 0; i < 3; i++)
        if (!world_commit(w, "INSERT INTO t(x, n) VALUES ('nor is this', 2)")) return;
}

static const struct script table[] = {
    {.name = "a database is made", .prepare = nothing_prepare, .run = create_run, .opens = true},
    {.name = "a database is made where a creation was cut off",
     .prepare = cut_off_prepare,
     .run = create_run,
     .opens = true},
    {.name = "a log is left and opened again", .prepare = log_prepare, .run = open_and_write_run, .opens = true},
    {.name = "a log with an unfinished end is opened again",
     .prepare = torn_log_prepare,
     .run = open_and_write_run,
     .opens = true},
    {.name = "a log over an older one is opened again",
     .prepare = used_log_prepare,
     .run = open_and_write_run,
     .opens = true},
    {.name = "a log is opened again and moved into the database",
     .prepare = log_prepare,
     .run = open_and_checkpoint_run,
     .opens = true},
    {.name = "a log is opened, closed and opened", .prepare = log_prepare, .run = open_and_close_run, .opens = true},
    {.name = "closing moves the log into the database", .setup = "UPDATE t SET n = n + 1", .run = close_run},
    {.name = "a checkpoint that waits for nobody",
     .setup = "UPDATE t SET n = n + 1",
     .list = {"=PRAGMA wal_checkpoint(PASSIVE)", "INSERT INTO t VALUES (405, 'after', 1)"}},
    {.name = "a full checkpoint",
     .setup = "UPDATE t SET n = n + 1; INSERT INTO t SELECT id + 600, x, n FROM t",
     .list = {"=PRAGMA wal_checkpoint(FULL)", "INSERT INTO t VALUES (405, 'after', 1)"}},
    {.name = "a checkpoint begins the log anew",
     .setup = "UPDATE t SET n = n + 1",
     .list = {"=PRAGMA wal_checkpoint(RESTART)", "INSERT INTO t VALUES (405, 'after', 1)",
              "DELETE FROM t WHERE id < 9"}},
    {.name = "a checkpoint empties the log",
     .setup = "UPDATE t SET n = n + 1",
     .list = {"=PRAGMA wal_checkpoint(TRUNCATE)", "INSERT INTO t VALUES (405, 'after', 1)",
              "DELETE FROM t WHERE id < 9"}},
    {.name = "the log begins anew over older frames, again and again",
     .list = {"UPDATE t SET n = n + 1", "=PRAGMA wal_checkpoint(RESTART)",
              "INSERT INTO t VALUES (405, 'second log', 1)", "=PRAGMA wal_checkpoint(RESTART)",
              "UPDATE t SET n = 2 WHERE id < 50", "=PRAGMA wal_checkpoint(RESTART)",
              "INSERT INTO t VALUES (406, 'fourth log', 1)", "UPDATE t SET x = 'changed' WHERE id = 4"}},
    {.name = "ten commits, with checkpoints of their own accord",
     .setup = "PRAGMA wal_autocheckpoint = 3",
     .run = ten_commits_run},
    {.name = "a transaction that spills, with a checkpoint behind it",
     .setup = "PRAGMA cache_size = 3; PRAGMA wal_autocheckpoint = 5",
     .list = {"UPDATE t SET x = x || 'longer', n = n + 1", "UPDATE t SET n = n - 1 WHERE id % 2"}},
    {.name = "the log is cut to a limit",
     .setup = "PRAGMA journal_size_limit = 20000; UPDATE t SET n = n + 1",
     .list = {"=PRAGMA wal_checkpoint(RESTART)", "INSERT INTO t VALUES (405, 'after', 1)", "UPDATE t SET n = 4"}},
    {.name = "commits that are not synced", .setup = "PRAGMA synchronous = NORMAL", .run = normal_run},
    {.name = "commits that are synced twice",
     .setup = "PRAGMA synchronous = EXTRA; PRAGMA checkpoint_fullfsync = ON; PRAGMA fullfsync = ON",
     .list = {"UPDATE t SET n = n + 1", "=PRAGMA wal_checkpoint", "UPDATE t SET n = n + 1"}},
};

struct scripts ops_log(void)
{
    return (struct scripts){table, sizeof table / sizeof table[0]};
}
