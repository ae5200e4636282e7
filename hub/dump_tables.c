#include "hub/dump_tables.h"

#include "hub/store.h"
#include "sync/db_catalogue.h"
#include "sync/db_view.h"

#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------------------------- what the program's tables are */

static enum err no_memory(struct why *why)
{
    return why_set(why, ERR_NOMEM, "There is not enough memory to copy the store.");
}

/* As store_make leaves one. */
static enum err open_model(struct db **out, const struct env *env, struct why *why)
{
    struct buf schema;
    buf_init(&schema, 1u << 20);
    enum err e = store_schema(&schema, why);
    const char *text = buf_cstr(&schema);
    if (e == ERR_OK) e = text == NULL ? no_memory(why) : db_open_memory(out, env, text, why);
    buf_release(&schema);
    if (e == ERR_OK) e = db_begin(*out, why);
    if (e == ERR_OK) e = db_migrate(*out, rules_schema_newest(), why);
    if (e == ERR_OK) e = store_put_counter(*out, "schema", (int64_t)rules_schema_newest(), why);
    return e == ERR_OK ? db_commit(*out, why) : e;
}

static bool copy_name(char out[DUMP_NAME_BYTES], const char *name)
{
    size_t n = strlen(name);
    if (n >= DUMP_NAME_BYTES || strchr(name, '"') != NULL) return false;
    memcpy(out, name, n + 1);
    return true;
}

static bool kind_of(const char *type, enum value_kind *out)
{
    static const struct {
        const char *type;
        enum value_kind kind;
    } kinds[] = {{"INTEGER", VALUE_INT}, {"TEXT", VALUE_TEXT}, {"BLOB", VALUE_BLOB}, {"ANY", VALUE_NONE},
                 {"int8", VALUE_INT},    {"text", VALUE_TEXT}, {"bytea", VALUE_BLOB}, {"spoke_any", VALUE_NONE}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(type, kinds[i].type) == 0) {
            *out = kinds[i].kind;
            return true;
        }
    return false;
}

/* What only a programmer can put right. */
static enum err no_shape(const char *table, struct why *why)
{
    return why_set(why, ERR_VERSION,
                   "The table %.60s of this program has more columns, or others, than a copy can hold.", table);
}

static enum err take_column(void *ctx, const struct db_column *c, struct why *why)
{
    struct dump_shapes *t = ctx;
    if (t->n == 0 || strcmp(t->table[t->n - 1].name, c->table) != 0) {
        if (t->n == DUMP_MAX_TABLES || !copy_name(t->table[t->n].name, c->table)) return no_shape(c->table, why);
        t->n++;
    }
    struct dump_shape *s = &t->table[t->n - 1];
    size_t k = s->n_columns;
    if (k == DUMP_MAX_COLUMNS || c->key > DUMP_MAX_KEY || !copy_name(s->column[k].name, c->name) ||
        !kind_of(c->type, &s->column[k].kind))
        return no_shape(c->table, why);
    s->n_columns++;
    if (c->key <= 0) return ERR_OK;
    s->key[c->key - 1] = k;
    s->n_key++;
    return ERR_OK;
}

/* ------------------------------------------------------------------------------------------ and those of the store */

const struct dump_shape *dump_shape_find(const struct dump_shapes *t, struct bytes name)
{
    for (size_t i = 0; i < t->n; i++)
        if (bytes_equal(bytes_of_str(t->table[i].name), name)) return &t->table[i];
    return NULL;
}

static enum err other_tables(const char *what, const char *table, const char *column, struct why *why)
{
    (void)why_set(
        why, ERR_VERSION,
        "The store %s the table or column %.40s%s%.40s, and this program does not know it so. A copy would not be "
        "whole.",
        what, table, column[0] != '\0' ? "." : "", column);
    return why_next(why, ERR_VERSION, "Use the program that this store was last opened with. Nothing was copied.");
}

static enum err meet_column(void *ctx, const struct db_column *c, struct why *why)
{
    struct dump_shapes *t = ctx;
    for (size_t i = 0; i < t->n; i++) {
        struct dump_shape *s = &t->table[i];
        if (strcmp(s->name, c->table) != 0) continue;
        size_t k = 0;
        while (k < s->n_columns && strcmp(s->column[k].name, c->name) != 0) k++;
        bool in_place = c->key > 0 ? (size_t)c->key <= s->n_key && s->key[c->key - 1] == k : true;
        if (k == s->n_columns || !in_place) return other_tables("has", c->table, c->name, why);
        s->seen++;
        return ERR_OK;
    }
    return other_tables("has", c->table, "", why);
}

enum err dump_shapes_load(struct dump_shapes *out, struct db *db, const struct env *env, struct why *why)
{
    *out = (struct dump_shapes){.table = calloc(DUMP_MAX_TABLES, sizeof *out->table)};
    if (out->table == NULL) return no_memory(why);
    enum err e = open_model(&out->model, env, why);
    if (e == ERR_OK) e = db_catalogue(out->model, take_column, out, why);
    if (e == ERR_OK) e = db_catalogue(db, meet_column, out, why);
    for (size_t i = 0; e == ERR_OK && i < out->n; i++)
        if (out->table[i].seen != out->table[i].n_columns)
            e = other_tables("lacks something of", out->table[i].name, "", why);
    return e;
}

enum err dump_shapes_here(struct dump_shapes *out, struct db *db, struct why *why)
{
    *out = (struct dump_shapes){.table = calloc(DUMP_MAX_TABLES, sizeof *out->table)};
    return out->table == NULL ? no_memory(why) : db_catalogue(db, take_column, out, why);
}

void dump_shapes_release(struct dump_shapes *t)
{
    db_close(t->model);
    free(t->table);
    *t = (struct dump_shapes){0};
}
