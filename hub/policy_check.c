#include "hub/policy_check.h"

#include "hub/policy_check_case.h"
#include "hub/policy_try.h"
#include "sync/rules.h"

#include <stdio.h>
#include <string.h>

/* ----------------------------------------------------------------------------------------------------------- asking */

/* The views are asked once for everything: these cases are all that there is. */
static enum err ask_views(struct db *db, struct why *why)
{
    enum err e = db_exec(db,
                         "CREATE TABLE check_row AS SELECT DISTINCT tbl, id, case_id, channel FROM row_channel"
                         " WHERE channel IS NOT NULL;"
                         "CREATE INDEX check_row_id ON check_row(tbl, id);"
                         "CREATE TABLE check_site AS SELECT DISTINCT site, case_id, channel FROM site_channel;"
                         "CREATE INDEX check_site_channel ON check_site(case_id, channel)",
                         why);
    return e == ERR_OK ? ERR_OK
                       : why_next(why, e, "The policy was asked about cases made up for this, and gave no answer.");
}

static void seen_by(const struct policy_check *p, struct policy_line *l, enum laid_case c, struct bytes site)
{
    uint32_t *ways[LAID_CASES] = {&l->open, &l->closed, &l->named};
    int kind = policy_check_kind(p, site);
    if (kind < 0)
        *ways[c] |= 1u << policy_check_way(site, c);
    else if (c == LAID_OPEN)
        l->kinds |= 1u << kind;
}

static enum err ask_line(struct db *db, const struct policy_check *p, struct policy_line *l, enum laid_case c,
                         struct why *why)
{
    struct stmt *q;
    uint8_t id[16];
    bool row = false;
    enum err e = db_prepare(db,
                            "SELECT s.site FROM check_row r LEFT JOIN check_site s ON s.case_id = r.case_id"
                            " AND s.channel = r.channel WHERE r.tbl = $1 AND r.id = $2",
                            &q, why);
    if (e != ERR_OK) return e;
    policy_check_id(l, c, id);
    db_bind_str(q, 1, l->table);
    db_bind_id(q, 2, id);
    while ((e = db_step(q, &row, why)) == ERR_OK && row) {
        l->placed = true;
        if (!db_is_null(q, 0)) seen_by(p, l, c, db_bytes(q, 0));
    }
    db_done(q);
    return e;
}

/* --------------------------------------------------------------------------------------------------------- warnings */

static void warn(struct policy_check *p, const char *before, const char *name, const char *after)
{
    if (p->n_warnings == POLICY_MAX_WARNINGS) return;
    char *w = p->warnings[p->n_warnings++];
    (void)snprintf(w, sizeof p->warnings[0], "%s%.100s%s", before, name, after);
}

static void warn_of_table(struct policy_check *p, const struct table_rule *t)
{
    bool placed = false, seen = false, others = false;
    for (size_t i = 0; i < p->n; i++) {
        const struct policy_line *l = &p->lines[i];
        if (strcmp(l->table, t->name) != 0) continue;
        placed |= l->placed;
        seen |= (l->open | l->closed | l->named) != 0;
        others |= ((l->open | l->closed | l->named) & 1u << WAY_OTHER) != 0;
    }
    if (!placed)
        warn(p, "Rows of ", t->name, " are in no channel: nobody would see them, not even who writes them.");
    else if (!seen)
        warn(p, "Rows of ", t->name, " are only in channels that no site holds: nobody would see them.");
    if (others && t->kind == TABLE_CASE)
        warn(p, "Rows of ", t->name, " would be seen by sites that have no part in the case.");
}

static enum err warn_of_channels(struct db *db, struct policy_check *p, struct why *why)
{
    struct stmt *q;
    bool row = false;
    enum err e = db_prepare(db,
                            "SELECT DISTINCT tbl, channel FROM check_row r WHERE NOT EXISTS"
                            " (SELECT 1 FROM check_site s WHERE s.channel = r.channel) ORDER BY channel, tbl",
                            &q, why);
    if (e != ERR_OK) return e;
    while ((e = db_step(q, &row, why)) == ERR_OK && row) {
        char table[64], channel[160];
        (void)snprintf(table, sizeof table, "Rows of %.*s", (int)db_bytes(q, 0).n, (const char *)db_bytes(q, 0).p);
        (void)snprintf(channel, sizeof channel, " are put into the channel \"%.*s", (int)db_bytes(q, 1).n,
                       (const char *)db_bytes(q, 1).p);
        warn(p, table, channel, "\", which no site can hold.");
    }
    db_done(q);
    return e;
}

enum err policy_check(const struct env *env, struct bytes text, struct policy_check *out, struct why *why)
{
    struct db *db = NULL;
    size_t n;
    const struct table_rule *t = rules_tables(&n);
    memset(out, 0, sizeof *out);
    enum err e = policy_try_open(env, text, &db, why);
    if (e == ERR_OK) e = policy_check_lay(db, out, why);
    if (e == ERR_OK) e = ask_views(db, why);
    for (size_t i = 0; i < out->n; i++)
        for (enum laid_case c = LAID_OPEN; e == ERR_OK && c < LAID_CASES; c++)
            e = ask_line(db, out, &out->lines[i], c, why);
    for (size_t i = 0; e == ERR_OK && i < n; i++) warn_of_table(out, &t[i]);
    if (e == ERR_OK) e = warn_of_channels(db, out, why);
    db_close(db);
    return e;
}
