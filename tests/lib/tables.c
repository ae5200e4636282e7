#include "tests/lib/tables.h"

#include "sync/rules.h"
#include "sync/schema_sql.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static const char *sql_type(enum column_type type)
{
    switch (type) {
    case COL_ID: return "BLOB";
    case COL_TEXT:
    case COL_WORD:
    case COL_DATE: return "TEXT";
    case COL_TIME:
    case COL_BOOL:
    case COL_INT: return "INTEGER";
    case COL_REAL: return "REAL";
    }
    return "";
}

static void add_column(sqlite3 *db, const struct table_rule *t, const struct column_rule *c)
{
    char sql[200], *why = NULL;
    (void)snprintf(sql, sizeof sql, "ALTER TABLE %s ADD COLUMN %s %s", t->name, c->name, sql_type(c->type));
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK) fail_msg("%s: %s", sql, why);
}

sqlite3 *tables_in_memory(void)
{
    size_t n;
    const struct table_rule *t = rules_tables(&n);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sync_schema_sql, NULL, NULL, NULL), SQLITE_OK);
    for (size_t i = 0; i < n; i++)
        for (size_t c = rules_columns_at(&t[i], 1); c < t[i].n_columns; c++) add_column(db, &t[i], &t[i].columns[c]);
    return db;
}
