/* Who looked at a record that is not open to all who see its case, or at what was told in confidence. A look is
 * noted here, goes to the hub with the next request, and is kept for an hour at least, in which looking again is
 * the same look. One that waits goes to the hub also when its row is taken away meanwhile: else a file carried by
 * hand would be a way to read unseen. */
#include "node/internal.h"
#include "sync/changeset.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HOUR_MS INT64_C(3600000)
#define TOLD    "-1" /* in the place of the request: the hub has it */

static enum err refuse_row(struct why *why)
{
    return why_set(why, ERR_NOTFOUND, "This device holds no such row.");
}

/* Is looking at this row to be noted? */
static enum err is_sensitive(struct node *n, int table_index, const uint8_t id[16], bool *out, struct why *why)
{
    const struct table_rule *t = table_index < 0 ? NULL : rules_table((size_t)table_index);
    const bool record = t != NULL && strcmp(t->name, "record") == 0;
    const bool release = t != NULL && strcmp(t->name, "release") == 0;
    struct stmt *s = NULL;
    bool row = false;
    *out = false;
    if (t == NULL) return refuse_row(why);
    if (!record && !release) return ERR_OK;
    enum err e = db_prepare(n->db,
                            record ? "SELECT sensitivity IS NOT 'open' FROM record WHERE id = $1"
                                   : "SELECT 1 FROM release WHERE id = $1",
                            &s, why);
    if (e == ERR_OK) {
        db_bind_id(s, 1, id);
        e = db_step(s, &row, why);
    }
    if (e == ERR_OK && !row) e = refuse_row(why);
    if (e == ERR_OK) *out = db_int(s, 0) != 0;
    db_done(s);
    return e;
}

/* A clock that was set back since makes none the same. */
static enum err noted_already(struct node *n, int table_index, const uint8_t id[16], bool *out, struct why *why)
{
    struct stmt *s = NULL;
    int64_t now = env_now(n->env);
    enum err e = db_prepare(
        n->db, "SELECT 1 FROM n_view WHERE user = $1 AND tbl = $2 AND id = $3 AND at BETWEEN $4 AND $5", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, n->user);
    db_bind_int(s, 2, table_index);
    db_bind_id(s, 3, id);
    db_bind_int(s, 4, now - HOUR_MS + 1);
    db_bind_int(s, 5, now);
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

static enum err note_once(struct node *n, int table_index, const uint8_t id[16], struct why *why)
{
    struct stmt *s = NULL;
    bool before = false;
    enum err e = noted_already(n, table_index, id, &before, why);
    if (e != ERR_OK || before) return e;
    e = db_prepare(n->db, "INSERT INTO n_view(user, tbl, id, at) VALUES($1, $2, $3, $4)", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, n->user);
    db_bind_int(s, 2, table_index);
    db_bind_id(s, 3, id);
    db_bind_int(s, 4, env_now(n->env));
    return db_run(s, why);
}

enum err node_note_view(struct node *n, int table_index, const uint8_t id[16], struct why *why)
{
    bool sensitive = false;
    enum err e = is_sensitive(n, table_index, id, &sensitive, why);
    return e == ERR_OK && sensitive ? note_once(n, table_index, id, why) : e;
}

enum err node_note_view_of_held(struct node *n, int table_index, const uint8_t id[16], struct why *why)
{
    if (table_index < 0) return refuse_row(why);
    return note_once(n, table_index, id, why);
}

/* Where texts of records and releases stand: `conflict` and the changes that are not sent yet hold them too. */
static void is_text(void *ctx, const char *table, const char *column)
{
    static const char *const texts[][2] = {
        {"record", "title"},        {"record", "body"},       {"record", "handling"},    {"record", "override_reason"},
        {"record", "void_reason"},  {"release", "title"},     {"release", "body"},       {"release", "conditions"},
        {"release", "reason"},      {"conflict", "kept"},     {"conflict", "lost"},      {"conflict", "reason"},
        {"release", "void_reason"}, {"n_content", "item"},    {"n_pending", "vals"},     {"n_outbox", "cose"},
        {"n_outbox", "sealed"},   {"n_word", "data"},
    };
    bool *seen = ctx;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        *seen = *seen || (strcasecmp(table, texts[i][0]) == 0 && strcasecmp(column, texts[i][1]) == 0);
}

/* Which rows a statement shows in the end nobody can tell from it: all count. One statement, so all are noted or
 * none. */
static enum err note_all(struct node *n, struct why *why)
{
    struct stmt *s = NULL;
    int64_t now = env_now(n->env);
    enum err e = db_prepare(n->db,
                            "INSERT INTO n_view(user, tbl, id, at) SELECT $1, w.tbl, w.id, $2 FROM"
                            " (SELECT $3 AS tbl, id FROM record WHERE sensitivity IS NOT 'open'"
                            " UNION ALL SELECT $4, id FROM release) w WHERE NOT EXISTS (SELECT 1 FROM n_view v"
                            " WHERE v.id = w.id AND v.tbl = w.tbl AND v.user = $1 AND v.at BETWEEN $5 AND $2)",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, n->user);
    db_bind_int(s, 2, now);
    db_bind_int(s, 3, rules_table_index(bytes_of_str("record")));
    db_bind_int(s, 4, rules_table_index(bytes_of_str("release")));
    db_bind_int(s, 5, now - HOUR_MS + 1);
    return db_run(s, why);
}

enum err node_note_sql(struct node *n, const char *sql, bool write, struct why *why)
{
    bool texts = false;
    enum err e = db_user_sql_reads(n->db, sql, write, is_text, &texts, why);
    return e == ERR_OK && texts ? note_all(n, why) : e;
}

/* Oldest first; what does not fit goes with the request after. So does a look at what was written here and is not
 * judged yet: the hub passes over a row that it does not have. */
#define NEXT                                                                                                           \
    "FROM n_view v WHERE request = 0 AND NOT EXISTS (SELECT 1 FROM n_pending p WHERE p.id = v.id AND p.tbl = v.tbl "   \
    "AND p.op = 18) ORDER BY no LIMIT 4096"
_Static_assert(VIEWS_MAX == 4096 && OP_INSERT == 18, "as NEXT has them");

static enum err collect(struct node *n, struct view_item *v, size_t *out_n, struct why *why)
{
    struct stmt *s = NULL;
    bool row = true;
    enum err e = db_prepare(n->db, "SELECT user, tbl, id, at " NEXT, &s, why);
    while (e == ERR_OK) {
        e = db_step(s, &row, why);
        if (e != ERR_OK || !row) break;
        struct view_item *i = &v[*out_n];
        int64_t at = db_int(s, 3);
        i->table_index = (int)db_int(s, 1);
        i->at_ms = at < 0 ? 0 : (uint64_t)at;
        if (!db_id(s, 0, i->user) || !db_id(s, 2, i->id))
            e = why_set(why, ERR_TAMPERED, "What this device notes of who looked at records is damaged.");
        ++*out_n;
    }
    db_done(s);
    return e;
}

enum err views_put(struct node *n, struct bundle_writer *w, struct why *why)
{
    uint64_t waiting = 0;
    size_t count = 0;
    struct buf item;
    enum err e = state_ask(n->db, "SELECT count(*) FROM (SELECT 1 " NEXT ")", &waiting, why);
    if (e != ERR_OK || waiting == 0) return e;
    struct view_item *v = calloc(waiting, sizeof *v);
    if (v == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory for this request.");
    buf_init(&item, 1u << 20);
    e = collect(n, v, &count, why);
    if (e == ERR_OK) e = message_put_views(&item, &n->self, n->self.pub.kid, v, count, why);
    if (e == ERR_OK) e = bundle_put(w, "", buf_bytes(&item), why);
    buf_release(&item);
    free(v);
    return e;
}

enum err views_sent(struct node *n, uint64_t request, struct why *why)
{
    const int64_t args[] = {(int64_t)request};
    return state_run(n->db, "UPDATE n_view SET request = $1 WHERE no IN (SELECT no " NEXT ")", args, 1, why);
}

/* Before looks that the hub has are cleaned away: how many there were stays, by person, hour and case, for the audit;
 * of a row or a case that is gone not which. `those`: which of n_view v. */
#define SUM_UP(those)                                                                                                  \
    "INSERT INTO n_look(user, at, tbl, case_id, looks) SELECT user, min(at), tbl, c, count(*) FROM"                    \
    " (SELECT v.user, v.at, v.tbl, (SELECT k.id FROM case_file k WHERE k.id = coalesce("                               \
    "(SELECT r.case_id FROM record r WHERE r.id = v.id), (SELECT y.case_id FROM release y WHERE y.id = v.id))) AS c"   \
    " FROM n_view v WHERE v.request = " TOLD                                                                           \
    " AND " those ") GROUP BY user, tbl, c, at / 3600000"

/* Its hour is over ($1 an hour ago, $2 now), or its row is not here any more: an id is not kept for a look. */
#define OVER                                                                                                           \
    "(v.at <= $1 OR v.at > $2 OR NOT EXISTS (SELECT 1 FROM record r WHERE r.id = v.id UNION ALL"                       \
    " SELECT 1 FROM release y WHERE y.id = v.id))"

enum err views_answered(struct node *n, uint64_t request, struct why *why)
{
    const int64_t args[] = {(int64_t)request};
    const int64_t hour[] = {env_now(n->env) - HOUR_MS, env_now(n->env)};
    enum err e = state_run(n->db, "UPDATE n_view SET request = " TOLD " WHERE request = $1", args, 1, why);
    if (e == ERR_OK) e = state_run(n->db, SUM_UP(OVER), hour, 2, why);
    if (e != ERR_OK) return e;
    return state_run(n->db, "DELETE FROM n_view AS v WHERE v.request = " TOLD " AND " OVER, hour, 2, why);
}

enum err views_waiting(struct node *n, uint64_t *out, struct why *why)
{
    return state_ask(n->db, "SELECT count(*) FROM n_view WHERE request = 0", out, why);
}

enum err views_forget(struct node *n, int table_index, const uint8_t id[16], struct why *why)
{
    static const char *const sql[] = {SUM_UP("v.tbl = $1 AND v.id = $2"),
                                      "DELETE FROM n_view WHERE request = " TOLD " AND tbl = $1 AND id = $2"};
    enum err e = ERR_OK;
    for (size_t i = 0; i < 2 && e == ERR_OK; i++) {
        struct stmt *s = NULL;
        e = db_prepare(n->db, sql[i], &s, why);
        if (e != ERR_OK) break;
        db_bind_int(s, 1, table_index);
        db_bind_id(s, 2, id);
        e = db_run(s, why);
    }
    return e;
}
