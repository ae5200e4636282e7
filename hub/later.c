#include "hub/later.h"

#include "hub/admins_sql.h"
#include "hub/budget_sql.h"
#include "hub/disaster_sql.h"
#include "hub/lack_sql.h"
#include "hub/redo_sql.h"
#include "hub/request_sql.h"
#include "hub/retention_sql.h"
#include "hub/returned_sql.h"

#include "hub/watch_sql.h"

#include <stddef.h>

/* One line a file: hub_NAME_sql of hub/NAME.sql. */
static const char *const later[] = {
    hub_admins_sql,
    hub_disaster_sql,
    hub_redo_sql,
    hub_retention_sql,
    hub_budget_sql,
    hub_watch_sql,
    hub_request_sql,
    hub_returned_sql,
    hub_lack_sql,
    NULL,
};

void later_schema(struct buf *out)
{
    for (const char *const *sql = later; *sql != NULL; sql++) buf_put_str(out, *sql);
}

enum err later_bring_here(struct db *db, struct why *why)
{
    enum err e = ERR_OK;
    for (const char *const *sql = later; e == ERR_OK && *sql != NULL; sql++) e = db_exec(db, *sql, why);
    return e;
}

enum err later_bring(struct db *db, struct why *why)
{
    enum err e = db_begin(db, why);
    if (e != ERR_OK) return e;
    e = later_bring_here(db, why);
    if (e == ERR_OK) return db_commit(db, why);
    db_rollback(db);
    return e;
}
