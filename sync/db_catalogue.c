#include "sync/db_catalogue.h"

#include <string.h>

#define NAME_BYTES 128

static const char sqlite[] =
    "SELECT m.name, c.name, c.type, c.pk FROM sqlite_schema AS m, pragma_table_info(m.name) AS c "
    "WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY m.name, c.cid";

/* The key's columns are counted from 0 there. */
static const char postgres[] =
    "SELECT CAST(c.relname AS TEXT), CAST(a.attname AS TEXT), CAST(t.typname AS TEXT), "
    "coalesce(array_position(CAST(i.indkey AS pg_catalog._int2), a.attnum) + 1, 0) FROM pg_catalog.pg_class AS c "
    "JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
    "JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid "
    "LEFT JOIN pg_catalog.pg_index AS i ON i.indrelid = c.oid AND i.indisprimary "
    "WHERE c.relkind IN ('r', 'p') AND NOT starts_with(c.relname, 'spoke_') AND c.relnamespace = (SELECT n.oid FROM pg_catalog.pg_namespace AS n "
    "WHERE n.nspname = current_schema()) ORDER BY c.relname, a.attnum";

static bool take_name(char out[NAME_BYTES], struct bytes name)
{
    if (name.n == 0 || name.n >= NAME_BYTES || memchr(name.p, 0, name.n) != NULL) return false;
    memcpy(out, name.p, name.n);
    out[name.n] = '\0';
    return true;
}

static enum err tell(struct stmt *s, db_column_fn each, void *ctx, struct why *why)
{
    char table[NAME_BYTES], name[NAME_BYTES], type[NAME_BYTES];
    if (!take_name(table, db_bytes(s, 0)) || !take_name(name, db_bytes(s, 1)) || !take_name(type, db_bytes(s, 2)))
        return why_set(why, ERR_TAMPERED, "The store has a table or column whose name is none of ours.");
    return each(ctx, &(struct db_column){.table = table, .name = name, .type = type, .key = (int)db_int(s, 3)}, why);
}

enum err db_catalogue(struct db *db, db_column_fn each, void *ctx, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(db, db_is_postgres(db) ? postgres : sqlite, &s, why);
    if (e != ERR_OK) return e;
    while ((e = db_step(s, &row, why)) == ERR_OK && row && (e = tell(s, each, ctx, why)) == ERR_OK) continue;
    db_done(s);
    return e;
}
