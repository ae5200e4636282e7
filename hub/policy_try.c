/* A policy tried in a store in memory: can it be asked what a hub asks, and does it read only what it may? */
#include "hub/policy_try.h"

#include "hub/log_sql.h"
#include "hub/store_sql.h"
#include "sync/db_view.h"
#include "sync/rules.h"
#include "sync/schema_sql.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MAX_ASKED 6

/* What the hub asks of a policy: these views, with these columns. */
static const struct {
    const char *view;
    const char *columns[MAX_ASKED];
} asked[] = {
    {"row_channel", {"tbl", "id", "case_id", "channel"}},
    {"site_channel", {"site", "case_id", "channel"}},
    {"site_access", {"site", "case_id", "access"}},
    {"plain_channel", {"tbl", "id", "case_id", "channel"}},
    {"conflict_channel", {"id", "case_id", "tbl", "row_id", "channel"}},
    {"conflict_author", {"conflict_id", "agency"}},
    {"scheme_kind", {"scheme", "kind"}},
    {"record_free", {"record_id"}}, /* what a decision may rest upon: hub/decided.c */
};

static enum err empty_store(const struct env *env, struct db **out, struct why *why)
{
    struct buf schema;
    buf_init(&schema, 1u << 20);
    buf_put_str(&schema, sync_schema_sql);
    buf_put_str(&schema, hub_store_sql);
    buf_put_str(&schema, hub_log_sql);
    const char *text = buf_cstr(&schema);
    struct db *db = NULL;
    enum err e = text == NULL ? why_set(why, schema.err, "There is not enough memory to try a policy.")
                              : db_open_memory(&db, env, text, why);
    buf_release(&schema);
    if (e == ERR_OK) e = db_begin(db, why);
    if (e == ERR_OK) e = db_migrate(db, rules_schema_newest(), why);
    if (e == ERR_OK) e = db_commit(db, why);
    if (e == ERR_OK)
        *out = db;
    else
        db_close(db);
    return e;
}

/* Tables that a policy may read, and its own views. */
static bool may_read(const void *ctx, const char *name)
{
    const struct policy_text *p = ctx;
    for (size_t i = 0; i < p->n; i++)
        if (strcasecmp(p->views[i].name, name) == 0) return true;
    return policy_text_reads(name);
}

static enum err judge(struct db *db, const struct policy_text *p, const struct policy_view *v, struct why *why)
{
    struct db_view_fault fault = {0};
    struct buf sql;
    buf_init(&sql, POLICY_TEXT_MAX + 1);
    buf_put_bytes(&sql, v->select);
    const char *text = buf_cstr(&sql);
    enum err e = text == NULL ? why_set(why, sql.err, "There is not enough memory to try a policy.")
                              : db_view_judge(db, text, may_read, p, &fault, why);
    if (e == ERR_USAGE) {
        size_t line = v->select_line;
        for (size_t i = 0; i < fault.offset && i < sql.len; i++) line += sql.data[i] == '\n';
        e = policy_text_fault(why, line, fault.words);
    }
    buf_release(&sql);
    return e;
}

/* The view by that name has these columns, maybe others too. */
static enum err has_columns(struct db *db, const char *view, const char *const columns[MAX_ASKED], struct why *why)
{
    char sql[POLICY_MAX_NAME + 32];
    struct stmt *q;
    (void)snprintf(sql, sizeof sql, "SELECT * FROM main.%s LIMIT 0", view);
    enum err e = db_prepare(db, sql, &q, why);
    if (e != ERR_OK)
        return why_set(why, ERR_USAGE, "The view %s cannot be asked: it does not have as many columns as it names.",
                       view);
    for (size_t i = 0; e == ERR_OK && i < MAX_ASKED && columns[i] != NULL; i++) {
        bool found = false;
        for (int c = 0; c < db_columns(q); c++) found |= strcasecmp(db_column_name(q, c), columns[i]) == 0;
        if (!found)
            e = why_set(why, ERR_USAGE, "The view %s must have a column %s; this policy has none.", view, columns[i]);
    }
    db_done(q);
    return e;
}

static enum err has_views(struct db *db, const struct policy_text *p, struct why *why)
{
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        bool found = false;
        for (size_t k = 0; k < p->n; k++) found |= strcasecmp(p->views[k].name, asked[i].view) == 0;
        if (!found) {
            (void)why_set(why, ERR_USAGE, "This policy has no view %s, and the hub asks it.", asked[i].view);
            return why_next(why, ERR_USAGE, "Begin with the policy in force (spoke-hub policy text) and change that.");
        }
        enum err e = has_columns(db, asked[i].view, asked[i].columns, why);
        if (e != ERR_OK) return e;
    }
    return ERR_OK;
}

enum err policy_try_open(const struct env *env, struct bytes text, struct db **out, struct why *why)
{
    struct policy_text p;
    struct db *db = NULL;
    enum err e = policy_text_read(text, &p, why);
    if (e == ERR_OK) e = empty_store(env, &db, why);
    if (e == ERR_OK) e = policy_text_install(db, text, false, why);
    for (size_t i = 0; e == ERR_OK && i < p.n; i++) e = judge(db, &p, &p.views[i], why);
    if (e == ERR_OK) e = has_views(db, &p, why);
    if (e == ERR_OK)
        *out = db;
    else
        db_close(db);
    return e;
}

enum err policy_text_check(const struct env *env, struct bytes text, struct why *why)
{
    struct db *db = NULL;
    enum err e = policy_try_open(env, text, &db, why);
    db_close(db);
    return e;
}
