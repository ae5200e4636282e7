/* release list, release show. */
#include "cli/node_commands.h"
#include "cli/node_work.h"
#include "cli/plain.h"

#include <string.h>

static const struct show_column columns[] = {
    {"id", "Id", SHOW_ID},
    {"case_id", NULL, SHOW_ID},
    {"reference", "Case", SHOW_TEXT},
    {"agency", "From", SHOW_TEXT},
    {"to_agency", "To", SHOW_TEXT},
    {"pointer_id", NULL, SHOW_ID},
    {"state", NULL, SHOW_TEXT},
    {"how", NULL, SHOW_TEXT},
    {"asked_by", NULL, SHOW_ID},
    {"asked_name", NULL, SHOW_TEXT},
    {"says", "What", SHOW_TEXT},
    {"reason", "Reason", SHOW_TEXT},
    {"title", "Title", SHOW_TEXT},
    {"conditions", "Conditions", SHOW_TEXT},
    {"expires_at", "Until", SHOW_TIME},
    {"decided_by", NULL, SHOW_ID},
    {"decided_name", "Decided by", SHOW_TEXT},
    {"decided_at", "Decided", SHOW_TIME},
    {"body", NULL, SHOW_TEXT},
};
enum { N_COLUMNS = sizeof columns / sizeof columns[0], BODY = N_COLUMNS - 1 };

/* The reason of a refusal is a row of its own (node/act.h); a list has it with the question that it answers. */
#define RELEASE_SQL                                                                                                                     \
    "SELECT r.id, r.case_id, c.reference, r.agency, r.to_agency, r.pointer_id, r.state, r.how, r.asked_by, a.name, " WORK_RELEASE_SAYS( \
        "$1") ", r.reason, r.title, r.conditions, r.expires_at, r.decided_by, d.name, r.decided_at, r.body"                             \
              " FROM release r LEFT JOIN case_file c ON c.id = r.case_id LEFT JOIN practitioner a ON a.id = r.asked_by"                 \
              " LEFT JOIN practitioner d ON d.id = r.decided_by WHERE r.voided_at IS NULL"

#define HAS_TEXT "coalesce(title, body, conditions) IS NOT NULL"

static enum err note_views(struct work *w, struct why *why)
{
    return node_viewed(w, "release",
                       cli_has(w->c, "waiting")
                           ? "SELECT id FROM release WHERE " HAS_TEXT " AND voided_at IS NULL AND state = 'asked'"
                           : "SELECT id FROM release WHERE " HAS_TEXT " AND voided_at IS NULL",
                       NULL, why);
}

static enum err do_list(struct work *w, struct why *why)
{
    struct stmt *s = NULL;
    enum err e = note_views(w, why);
    if (e != ERR_OK) return e;
    e = db_prepare(w->db,
                            RELEASE_SQL " AND NOT " WORK_RELEASE_IS_REASON
                                        " AND ($2 IS NULL OR (r.state = 'asked' AND r.to_agency = $2))"
                                        " ORDER BY r.state = 'asked' DESC, coalesce(r.decided_at, 0) DESC, r.id",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, w->now);
    db_bind_str(s, 2, cli_has(w->c, "waiting") ? w->info.agency : NULL);
    return show_list(w->c, s, columns, w->c->json ? N_COLUMNS : BODY, "Nothing was asked for or told.", NULL, why);
}
enum err node_release_list(struct cli *c, struct why *why)
{
    return work_read(c, do_list, why);
}

/* Which own records it was made of: only their owner has these rows. */
static enum err put_sources(struct work *w, const uint8_t id[16], struct json *o, struct why *why)
{
    struct stmt *s = NULL;
    struct json *list = o != NULL ? json_array_new() : NULL;
    bool row = false;
    enum err e = db_prepare(
        w->db, "SELECT record_id FROM release_source WHERE release_id = $1 AND voided_at IS NULL ORDER BY id", &s, why);
    if (e == ERR_OK) db_bind_id(s, 1, id);
    while (e == ERR_OK && (e = db_step(s, &row, why)) == ERR_OK && row) {
        uint8_t record[16];
        char text[37];
        if (!db_id(s, 0, record)) continue;
        uuid_format(record, text);
        if (o != NULL)
            json_append_str(list, text);
        else
            printf("%-18s %s\n", "From your record", text);
    }
    db_done(s);
    json_set_obj(o, "records", list);
    return e;
}

static void print_row(struct stmt *s)
{
    static const int order[] = {2, 3, 4, 10, 9, 11, 12, 13, 14, 16, 17};
    static const char *const titles[] = {"Case",  "From",       "To",    "What",       "Asked by", "Reason",
                                         "Title", "Conditions", "Until", "Decided by", "Decided"};
    char text[4096];
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        if (db_is_null(s, order[i])) continue;
        if (columns[order[i]].kind == SHOW_TIME)
            show_time(db_int(s, order[i]), text, sizeof text);
        else
            plain_text(text, sizeof text, db_bytes(s, order[i]));
        printf("%-18s %s\n", titles[i], text);
    }
    if (db_is_null(s, BODY)) return;
    puts("Text");
    plain_block(stdout, "  | ", db_bytes(s, BODY));
}

static enum err do_show(struct work *w, struct why *why)
{
    struct stmt *s = NULL;
    struct json *o = NULL;
    uint8_t id[16];
    bool row = false;
    enum err e = work_pick(w, "release", w->c->args[0], id, why);
    if (e == ERR_OK)
        e = node_viewed(w, "release", "SELECT id FROM release WHERE id = $1 AND " HAS_TEXT, id, why);
    if (e == ERR_OK) e = db_prepare(w->db, RELEASE_SQL " AND r.id = $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, w->now);
    db_bind_id(s, 2, id);
    e = db_step(s, &row, why);
    if (e == ERR_OK && !row) e = why_set(why, ERR_NOTFOUND, "This was marked as written by mistake.");
    if (e == ERR_OK && w->c->json) o = show_object(s, columns, N_COLUMNS);
    if (e == ERR_OK && !w->c->json) print_row(s);
    db_done(s);
    if (e == ERR_OK) e = put_sources(w, id, o, why);
    if (e == ERR_OK && o != NULL) return show_json(o, why);
    json_free(o);
    return e;
}
enum err node_release_show(struct cli *c, struct why *why)
{
    return work_read(c, do_show, why);
}

const struct flag node_release_list_flags[] = {{"waiting", NULL, "only questions that your agency must answer"}, {0}};
