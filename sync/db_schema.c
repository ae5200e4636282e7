/* The schema version of a store. schema.sql is version 1 for ever; what later ones added is made here from the rules,
 * so that columns stand in a store in the order of the rules whenever it was brought up. */
#include "sync/db_internal.h"

uint64_t db_schema(const struct db *db)
{
    return db->schema;
}

bool db_has_column(const struct db *db, const char *table, const char *column)
{
    int t = rules_table_index(bytes_of_str(table));
    const struct table_rule *rule = t < 0 ? NULL : rules_table((size_t)t);
    int c = rule == NULL ? -1 : rules_column_index(rule, bytes_of_str(column));
    return c >= 0 && rule->columns[c].since <= db->schema;
}

static void set(struct db *db, uint64_t schema)
{
    if (db->schema != schema) db_stmt_free_rows(db);
    db->schema = schema;
}

static enum err unknown(struct why *why)
{
    (void)why_set(why, ERR_VERSION, "These records were made by a newer version of Spoke than this one.");
    return why_next(why, ERR_VERSION, "Use the newer version, or update Spoke. Nothing was changed.");
}

enum err db_set_schema(struct db *db, uint64_t schema, struct why *why)
{
    if (schema == 0 || schema > rules_schema_newest()) return unknown(why);
    set(db, schema);
    db->tx_schema = schema;
    return ERR_OK;
}

void db_schema_rolled_back(struct db *db)
{
    set(db, db->tx_schema);
}

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

static enum err add_column(struct db *db, const struct table_rule *t, const struct column_rule *c, struct why *why)
{
    struct buf sql;
    buf_init(&sql, 512);
    buf_printf(&sql, "ALTER TABLE \"%s\" ADD COLUMN \"%s\" %s", t->name, c->name, sql_type(c->type));
    const char *text = buf_cstr(&sql);
    enum err e = text == NULL ? why_set(why, sql.err, "There is not enough memory to bring the store up to date.")
                              : db_exec(db, text, why);
    buf_release(&sql);
    return e;
}

enum err db_migrate(struct db *db, uint64_t to, struct why *why)
{
    size_t n;
    const struct table_rule *t = rules_tables(&n);
    enum err e = to > rules_schema_newest() ? unknown(why) : ERR_OK;
    if (e != ERR_OK || to <= db->schema) return e;
    if (!db->in_tx) /* half of it would be neither version */
        return why_set(why, ERR_FAILED, "A store can only be brought up to date within a transaction.");
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        size_t there = rules_columns_at(&t[i], db->schema), want = rules_columns_at(&t[i], to);
        for (size_t c = there; e == ERR_OK && c < want; c++) e = add_column(db, &t[i], &t[i].columns[c], why);
    }
    if (e == ERR_OK) set(db, to);
    return e;
}
