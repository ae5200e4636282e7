/* import, sql: data in bulk, and a person's own questions. */
#include "cli/import_cin.h"
#include "cli/node_commands.h"
#include "cli/node_work.h"

/* ------------------------------------------------------------------------------------------------------ import */
static enum err do_import(struct work *w, struct why *why)
{
    return import_cin_run(w->c, w->node, w->c->args[0], cli_flag(w->c, "area"), cli_has(w->c, "dry-run"), why);
}
static enum err run_import(struct cli *c, struct why *why)
{
    return work_read(c, do_import, why);
}

/* --------------------------------------------------------------------------------------------------------- sql */
static void put_value(struct json *o, struct stmt *s, int i)
{
    const char *name = db_column_name(s, i);
    struct value v = db_value(s, i);
    struct buf hex;
    switch (v.kind) {
    case VALUE_INT: json_set_int(o, name, v.i); break;
    case VALUE_REAL: json_set_real(o, name, v.r); break;
    case VALUE_TEXT: json_set_text(o, name, v.s); break;
    case VALUE_BLOB:
        buf_init(&hex, v.s.n * 2 + 2);
        if (buf_grow(&hex, v.s.n * 2 + 1) != NULL) {
            hex_encode((char *)hex.data, v.s.p, v.s.n);
            json_set_text(o, name, bytes_of(hex.data, v.s.n * 2));
        }
        buf_release(&hex);
        break;
    case VALUE_NONE:
    case VALUE_NULL: json_set_null(o, name); break;
    }
}

static enum err sql_row(void *ctx, struct stmt *s, struct why *why)
{
    struct json *o = json_object_new();
    (void)why;
    for (int i = 0; i < db_columns(s); i++) put_value(o, s, i);
    json_append(ctx, o);
    return ERR_OK;
}

static enum err ask_sql(struct work *w, bool write, struct why *why)
{
    enum err e = node_note_sql(w->node, w->c->args[0], write, why);
    if (e != ERR_OK) return e;
    struct json *rows = json_array_new();
    e = db_user_sql(w->db, w->c->args[0], write, sql_row, rows, why);
    if (e == ERR_OK) return show_json(rows, why);
    json_free(rows);
    return e;
}
static enum err do_sql(struct work *w, struct why *why)
{
    return ask_sql(w, false, why);
}
static enum err do_sql_write(struct work *w, struct why *why)
{
    return ask_sql(w, true, why);
}
static enum err run_sql(struct cli *c, struct why *why)
{
    return cli_has(c, "write") ? work_edit(c, "wrote by SQL", do_sql_write, why) : work_read(c, do_sql, why);
}

static const struct flag import_flags[] = {{"area", "AREA", "the area the cases are in (default: that of this site)"},
                                           {"dry-run", NULL, "only say what would be taken"},
                                           {"verbose", NULL, "say each doubtful number, line by line"},
                                           {0}};
static const struct flag sql_flags[] = {{"write", NULL, "a change, captured, signed and sent like any other"}, {0}};

const struct command node_data_commands[] = {
    {"import cin", "FILE", 1, 1,
     "Take a Children in Need census return as cases of this agency. It can be repeated: what is here is not taken twice.",
     "spoke import cin return.xml --area north", import_flags, run_import},
    {"sql", "SQL", 1, 1, "Ask the replica in SQL. Prints JSON; blobs as hex.",
     "spoke sql \"select reference, rag from case_file\"", sql_flags, run_sql},
    {0}};
