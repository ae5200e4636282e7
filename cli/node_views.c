/* Who looked at what: before a text is shown that is not for everybody, the look is noted (node_note_view). */
#include "cli/node_work.h"

#include <stdio.h>

#define IDS_MAX (16u << 20) /* a million rows */

/* All ids that the question gives are collected first: it is open while it is answered, and noting writes. Gives the
 * statement back. */
static enum err note_all(struct work *w, const char *table, struct stmt *s, struct why *why)
{
    int index = rules_table_index(bytes_of_str(table));
    struct buf ids;
    bool row = false;
    uint8_t id[16];
    enum err e = ERR_OK;
    buf_init(&ids, IDS_MAX);
    while ((e = db_step(s, &row, why)) == ERR_OK && row)
        if (db_id(s, 0, id)) buf_put(&ids, id, sizeof id);
    db_done(s);
    if (e == ERR_OK && ids.err != ERR_OK)
        e = why_set(why, ids.err, "There are too many rows here to be shown at once.");
    for (size_t i = 0; i < ids.len && e == ERR_OK; i += 16) e = node_note_view(w->node, index, ids.data + i, why);
    buf_release(&ids);
    return e;
}

enum err node_viewed(struct work *w, const char *table, const char *sql, const uint8_t id[16], struct why *why)
{
    struct stmt *s = NULL;
    enum err e = db_prepare(w->db, sql, &s, why);
    if (e != ERR_OK) return e;
    if (id != NULL) db_bind_id(s, 1, id);
    return note_all(w, table, s, why);
}

enum err node_viewed_conflicts(struct work *w, const char *state, const uint8_t *id, struct why *why)
{
    static const char *const tables[] = {"record", "release"};
    enum err e = ERR_OK;
    for (size_t i = 0; i < 2 && e == ERR_OK; i++) {
        char sql[256];
        struct stmt *s = NULL;
        (void)snprintf(
            sql, sizeof sql,
            "SELECT row_id FROM conflict WHERE tbl = '%s' AND voided_at IS NULL AND ($1 IS NULL OR state = $1)"
            " AND ($2 IS NULL OR id = $2) AND row_id IN (SELECT id FROM %s)",
            tables[i], tables[i]);
        e = db_prepare(w->db, sql, &s, why);
        if (e != ERR_OK) return e;
        db_bind_str(s, 1, state);
        db_bind_value(s, 2, id == NULL ? value_null() : value_id(id));
        e = note_all(w, tables[i], s, why);
    }
    return e;
}
