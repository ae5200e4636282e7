/* With or without the case an agency keeps what it wrote, what it was told, and the outcome: a page without a head, and
 * a line on the board that leads there. */
#include "node/look_kept.h"

#include <stdio.h>
#include <string.h>

#define TOLD_MAX 40

/* -------------------------------------------------------------------------------------------------- what is kept */
static enum err any_row(struct node *n, const char *sql, const uint8_t case_id[16], bool *out, struct why *why)
{
    struct stmt *s = NULL;
    enum err e = db_prepare(n->db, sql, &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, case_id);
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

/* That it once took part tells an agency nothing it could read. */
static bool tells(const struct table_rule *t)
{
    return t->kind == TABLE_CASE && strcmp(t->name, "case_file") != 0 && strcmp(t->name, "participant") != 0;
}

enum err look_kept(struct node *n, const uint8_t case_id[16], bool *out, struct why *why)
{
    const struct table_rule *t;
    char sql[128];
    bool here = false, found = false;
    *out = false;
    enum err e = any_row(n, "SELECT 1 FROM case_file WHERE id = $1", case_id, &here, why);
    for (size_t i = 0; e == ERR_OK && !here && !found && (t = rules_table(i)) != NULL; i++) {
        if (!tells(t)) continue;
        (void)snprintf(sql, sizeof sql, "SELECT 1 FROM %s WHERE case_id = $1 AND voided_at IS NULL", t->name);
        e = any_row(n, sql, case_id, &found, why);
    }
    if (e == ERR_OK) *out = found;
    return e;
}

/* ------------------------------------------------------------------------------------------------------ the page */
enum err look_bare_case(struct node *n, const uint8_t case_id[16], struct json **out, struct why *why)
{
    const struct look_matter m = {.n = n, .id = case_id, .times = {.now = env_now(n->env)}};
    struct json *o = json_object_new(), *head = json_object_new();
    *out = NULL;
    json_set_bool(o, "bare", true);
    look_set_id(head, "id", case_id);
    look_set_id(head, "case_id", case_id);
    json_set_null(head, "reference");
    json_set_obj(o, "case", head);
    enum err e = look_case_kept_parts(&m, o, why);
    if (e == ERR_OK) e = look_case_may(&m, o, why);
    if (e == ERR_OK && o == NULL) e = why_set(why, ERR_NOMEM, "There is not enough memory for this case.");
    if (e == ERR_OK)
        *out = o;
    else
        json_free(o);
    return e;
}

/* ----------------------------------------------------------------------------------------------------- the board */
static const char told_sql[] =
    "SELECT t.case_id, max(t.at), t.agency, sum(t.outcome), sum(t.waits), count(*) OVER () FROM ("
    "SELECT f.case_id, f.sent_at AS at, f.agency, 1 AS outcome, f.ack_at IS NULL AS waits FROM feedback f"
    " WHERE f.to_agency = $1 AND f.voided_at IS NULL"
    " UNION ALL SELECT r.case_id, r.decided_at, r.agency, 0, 0 FROM release r WHERE r.to_agency = $1"
    " AND r.state = 'granted' AND r.asked_by IS NULL AND r.voided_at IS NULL"
    " AND (r.expires_at IS NULL OR r.expires_at > $2)) t"
    " WHERE NOT EXISTS (SELECT 1 FROM case_file c WHERE c.id = t.case_id)"
    " GROUP BY t.case_id ORDER BY sum(t.waits) > 0 DESC, max(t.at) DESC, t.case_id LIMIT $3";

static enum err put_told(struct node *n, struct stmt *s, struct json *list, int64_t *total, struct why *why)
{
    static const struct look_column cols[] = {{"case_id", LOOK_ID}, {"at", LOOK_TIME}};
    bool row = false;
    enum err e;
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        struct json *o = look_object(s, cols, 2);
        *total = db_int(s, 5);
        json_set_bool(o, "outcome", db_int(s, 3) != 0);
        json_set_int(o, "to_confirm", db_int(s, 4));
        e = look_set_agency(n, o, "agency", db_bytes(s, 2), why);
        json_append(list, o);
        if (e != ERR_OK) break;
    }
    return e;
}

enum err look_told(struct node *n, struct json *board, struct why *why)
{
    struct json *told = json_object_new(), *list = json_array_new();
    struct stmt *s = NULL;
    int64_t total = 0;
    enum err e = db_prepare(n->db, told_sql, &s, why);
    if (e == ERR_OK) {
        db_bind_str(s, 1, n->agency);
        db_bind_int(s, 2, env_now(n->env));
        db_bind_int(s, 3, TOLD_MAX);
        e = put_told(n, s, list, &total, why);
    }
    db_done(s);
    json_set_int(told, "total", total);
    json_set_obj(told, "cases", list);
    json_set_obj(board, "told", told);
    return e;
}
