/* Lists as CSV (base/csv.h), which spreadsheets read: what somebody wrote never runs as a formula. */
#include "base/csv.h"
#include "node/look_list.h"

#include <string.h>

enum cell_kind { CELL_TEXT, CELL_NUMBER, CELL_BOOL };

/* Where a cell comes from: a member of the row's object, or of an object in it. */
struct cell {
    const char *heading;
    const char *key, *within; /* within NULL: key itself */
    enum cell_kind kind;
};

static void put_cell(struct csv_writer *w, struct json *row, const struct cell *c)
{
    int64_t number = json_get_int(row, c->key, -1);
    bool yes = json_get_bool(row, c->key, false);
    const char *text = c->within == NULL ? json_get_str(row, c->key) : json_get_str(json_get(row, c->key), c->within);
    if (c->kind == CELL_NUMBER && (number != -1 || json_get_int(row, c->key, 0) == -1))
        csv_put_int(w, number);
    else if (c->kind == CELL_BOOL && yes == json_get_bool(row, c->key, true)) /* null is neither */
        csv_put_str(w, yes ? "yes" : "no");
    else
        csv_put_str(w, c->kind == CELL_TEXT ? text : NULL);
}

/* The rows under `key` of what a look gave. */
static enum err put_sheet(struct json *list, const char *key, const struct cell *cells, size_t n, struct buf *out,
                          struct why *why)
{
    struct csv_writer w = {.out = out};
    struct json *rows = json_get(list, key);
    for (size_t i = 0; i < n; i++) csv_put_str(&w, cells[i].heading);
    csv_end_row(&w);
    for (size_t r = 0; r < json_len(rows); r++) {
        struct json *row = json_at(rows, r);
        for (size_t i = 0; i < n; i++) put_cell(&w, row, &cells[i]);
        csv_end_row(&w);
    }
    if (out->err == ERR_OK) return ERR_OK;
    return why_set(why, out->err, "This list is too long for one file. Ask for a shorter time.");
}

enum err look_requests_csv(struct node *n, enum look_way way, bool open, struct buf *out, struct why *why)
{
    static const struct cell cells[] = {
        {"request", "id", NULL, CELL_TEXT},
        {"case", "reference", NULL, CELL_TEXT},
        {"asked_by", "agency_name", NULL, CELL_TEXT},
        {"asked", "to_agency_name", NULL, CELL_TEXT},
        {"question", "question", NULL, CELL_TEXT},
        {"asked_at", "asked_at", NULL, CELL_TEXT},
        {"due", "due_at", NULL, CELL_TEXT},
        {"state", "state", NULL, CELL_TEXT},
        {"overdue", "overdue", NULL, CELL_BOOL},
        {"result", "result", NULL, CELL_TEXT},
        {"reason", "reason", NULL, CELL_TEXT},
        {"answered_at", "answered_at", NULL, CELL_TEXT},
        {"answered_by", "answered_by", "name", CELL_TEXT},
    };
    struct json *list = NULL;
    enum err e = look_requests_up_to(n, way, open, LOOK_CSV_MAX, &list, why);
    if (e == ERR_OK) e = put_sheet(list, "requests", cells, sizeof cells / sizeof cells[0], out, why);
    json_free(list);
    return e;
}

enum err look_audit_csv(struct node *n, const struct look_audit *ask, struct buf *out, struct why *why)
{
    static const struct cell cells[] = {
        {"at", "at", NULL, CELL_TEXT},          {"kind", "kind", NULL, CELL_TEXT},
        {"what", "what", NULL, CELL_TEXT},      {"person", "person", "name", CELL_TEXT},
        {"site", "person", "site", CELL_TEXT},  {"about", "about", "name", CELL_TEXT},
        {"case", "reference", NULL, CELL_TEXT}, {"case_id", "case_id", NULL, CELL_TEXT},
    };
    struct look_audit all = *ask;
    struct json *list = NULL;
    all.limit = LOOK_CSV_MAX;
    enum err e = look_audit(n, &all, &list, why);
    if (e == ERR_OK) e = put_sheet(list, "entries", cells, sizeof cells / sizeof cells[0], out, why);
    json_free(list);
    return e;
}

enum err look_performance_csv(struct node *n, const struct look_performance *ask, struct buf *out, struct why *why)
{
    static const struct cell cells[] = {
        {"case", "reference", NULL, CELL_TEXT},
        {"area", "area", NULL, CELL_TEXT},
        {"subject", "subject_kind", NULL, CELL_TEXT},
        {"received_at", "received_at", NULL, CELL_TEXT},
        {"source", "source", NULL, CELL_TEXT},
        {"need", "need", NULL, CELL_TEXT},
        {"presenting_issue", "issue", NULL, CELL_TEXT},
        {"rating_before", "rating_before", NULL, CELL_TEXT},
        {"rating_after", "rating_after", NULL, CELL_TEXT},
        {"outcome", "outcome", NULL, CELL_TEXT},
        {"decided_at", "decided_at", NULL, CELL_TEXT},
        {"minutes", "minutes", NULL, CELL_NUMBER},
        {"in_time", "in_time", NULL, CELL_BOOL},
        {"re_referral", "re_referral", NULL, CELL_BOOL},
        {"asked", "asked", NULL, CELL_NUMBER},
        {"answered", "answered", NULL, CELL_NUMBER},
        {"declined", "declined", NULL, CELL_NUMBER},
        {"late", "late", NULL, CELL_NUMBER},
    };
    struct json *all = NULL;
    enum err e = look_performance_up_to(n, ask, LOOK_CSV_MAX, &all, why);
    if (e == ERR_OK) e = put_sheet(all, "rows", cells, sizeof cells / sizeof cells[0], out, why);
    json_free(all);
    return e;
}
