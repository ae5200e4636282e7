#include "tests/lib/policy_variant.h"

#include "base/buf.h"
#include "hub/policy_change.h"
#include "hub/policy_sql.h"
#include "tests/lib/hub_fixture.h"
#include "tests/lib/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The text with each of these views named …0 where it is made; what reads them reads what is put over them. */
static void put_renamed(struct buf *out)
{
    static const char *const names[] = {"CREATE VIEW plain_channel(", "CREATE VIEW site_channel(",
                                        "CREATE VIEW site_access("};
    const char *from = strstr(hub_policy_sql, "CREATE VIEW "), *at;
    assert_non_null(from);
    for (at = from; *at != '\0';) {
        bool renamed = false;
        for (size_t i = 0; i < sizeof names / sizeof names[0] && !renamed; i++) {
            size_t n = strlen(names[i]);
            if (strncmp(at, names[i], n) != 0) continue;
            buf_put(out, names[i], n - 1);
            buf_put_str(out, "0(");
            at += n;
            renamed = true;
        }
        if (!renamed) buf_put(out, at++, 1);
    }
}

char *policy_variant_text(const struct policy_variant *v)
{
    struct buf out;
    buf_init(&out, 1u << 20);
    put_renamed(&out);
    buf_put_str(&out, "\nCREATE VIEW plain_channel(tbl, id, case_id, channel) AS SELECT tbl, id, case_id, ");
    if (v->rows != NULL)
        buf_printf(&out, "CASE %s ELSE channel END", v->rows);
    else
        buf_put_str(&out, "channel");
    buf_put_str(&out, " FROM plain_channel0;\n");
    buf_printf(&out,
               "CREATE VIEW site_channel(site, case_id, channel) AS SELECT site, case_id, channel"
               " FROM site_channel0 WHERE NOT (%s)",
               v->less == NULL ? "site IS NULL" : v->less);
    if (v->more != NULL) buf_printf(&out, " UNION ALL %s", v->more);
    buf_printf(&out,
               ";\nCREATE VIEW site_access(site, case_id, access) AS SELECT site, case_id, %s FROM site_access0;\n",
               v->access == NULL ? "access" : v->access);
    const char *text = buf_cstr(&out);
    assert_non_null(text);
    char *copy = strdup(text);
    assert_non_null(copy);
    buf_release(&out);
    return copy;
}

char *policy_variant_changed(const char *what, const char *by)
{
    const char *at = strstr(hub_policy_sql, what);
    if (at == NULL) fail_msg("the policy does not say: %s", what);
    size_t n = strlen(hub_policy_sql) + strlen(by) + 1;
    char *text = malloc(n);
    assert_non_null(text);
    (void)snprintf(text, n, "%.*s%s%s", (int)(at - hub_policy_sql), hub_policy_sql, by, at + strlen(what));
    return text;
}

void policy_variant_begin(struct hub_fixture *f, const struct policy_variant *v)
{
    char *text = policy_variant_text(v);
    MUST(hub_policy_apply(&f->h, bytes_of_str(text), "agreed by the partners", &why));
    free(text);
}

void policy_variant_finish(struct hub_fixture *f)
{
    for (bool done = false; !done;) MUST(hub_policy_continue(&f->h, 50, &done, &why));
}

/* Names of tables for their numbers, as a list that joins. */
static void put_tables(struct buf *out)
{
    size_t n;
    const struct table_rule *t = rules_tables(&n);
    buf_put_str(out, "tables(no, name) AS (VALUES ");
    for (size_t i = 0; i < n; i++) buf_printf(out, "%s(%zu, '%s')", i == 0 ? "" : ", ", i, t[i].name);
    buf_put_str(out, ")");
}

/* Rows of (site, table, id) of the cases that stand under `policy`. */
static void put_shown(struct buf *out, int policy)
{
    buf_printf(out,
               "shown AS (SELECT s.code, t.name, r.id FROM h_case c JOIN h_seat x ON x.case_no = c.no"
               " JOIN h_row r ON r.case_no = c.no AND (r.mask & x.mask) <> 0 JOIN h_site s ON s.no = x.site_no"
               " JOIN tables t ON t.no = r.tbl WHERE c.policy = %d AND r.gone = 0)",
               policy);
}

/* Each list is worked out once, or the join would ask the views for every row. */
static void put_said(struct buf *out, const char *schema, int policy)
{
    buf_printf(out,
               "%s_rows AS MATERIALIZED (SELECT r.case_id, r.tbl, r.id, r.channel FROM h_case c"
               " CROSS JOIN %s.row_channel r WHERE r.case_id = c.id AND c.policy = %d),"
               " %s_sites AS MATERIALIZED (SELECT DISTINCT s.case_id, s.site, s.channel FROM h_case c"
               " CROSS JOIN %s.site_channel s WHERE s.case_id = c.id AND c.policy = %d),"
               " %s_says AS MATERIALIZED (SELECT DISTINCT s.site, r.tbl, r.id FROM %s_rows r"
               " JOIN %s_sites s ON s.case_id = r.case_id AND s.channel = r.channel)",
               schema, schema, policy, schema, schema, policy, schema, schema, schema);
}

int64_t policy_variant_differs(struct hub_fixture *f, int policy, bool too_much)
{
    static const char *const said[] = {
        [CASE_IN_FORCE] = "SELECT * FROM main_says",
        [CASE_BOTH] = "SELECT * FROM (SELECT * FROM main_says INTERSECT SELECT * FROM temp_says) AS b",
        [CASE_COMING] = "SELECT * FROM temp_says",
    };
    static const char shown[] = "SELECT * FROM shown";
    struct buf sql;
    buf_init(&sql, 1u << 20);
    buf_put_str(&sql, "WITH ");
    put_tables(&sql);
    buf_put_str(&sql, ", ");
    put_shown(&sql, policy);
    buf_put_str(&sql, ", ");
    put_said(&sql, "main", policy);
    if (policy != CASE_IN_FORCE) buf_put_str(&sql, ", ");
    if (policy != CASE_IN_FORCE) put_said(&sql, "temp", policy);
    buf_printf(&sql, " SELECT count(*) FROM (%s EXCEPT %s) AS d", too_much ? shown : said[policy],
               too_much ? said[policy] : shown);
    const char *text = buf_cstr(&sql);
    assert_non_null(text);
    int64_t n = hub_fixture_number(f, text);
    buf_release(&sql);
    return n;
}

/* How far sites may write, other than the policy says, or the lesser of the two. */
static int64_t access_differs(struct hub_fixture *f, int policy)
{
    static const char *const said[] = {
        [CASE_IN_FORCE] = "coalesce((SELECT max(a.access) FROM main.site_access a WHERE a.case_id = c.id"
                          " AND a.site = s.code), 0)",
        [CASE_COMING] = "coalesce((SELECT max(a.access) FROM temp.site_access a WHERE a.case_id = c.id"
                        " AND a.site = s.code), 0)",
    };
    char sql[1024], both[512];
    (void)snprintf(both, sizeof both, "min(%s, %s)", said[CASE_IN_FORCE], said[CASE_COMING]);
    (void)snprintf(
        sql, sizeof sql,
        "SELECT count(*) FROM h_case c CROSS JOIN h_seat t JOIN h_site s ON s.no = t.site_no"
        " WHERE t.case_no = c.no AND c.policy = %d AND t.access <> %s",
        policy, policy == CASE_BOTH ? both : said[policy]);
    return hub_fixture_number(f, sql);
}

void policy_variant_agrees(struct hub_fixture *f)
{
    struct hub_policy_progress progress;
    MUST(hub_verify(&f->h, &why));
    MUST(hub_policy_progress(&f->h, &progress, &why));
    if (!progress.under_way)
        assert_int_equal(hub_fixture_number(f, "SELECT count(*) FROM h_case WHERE policy <> 0"), 0);
    for (int policy = CASE_IN_FORCE; policy <= (progress.under_way ? CASE_COMING : CASE_IN_FORCE); policy++) {
        assert_int_equal(policy_variant_differs(f, policy, true), 0);
        assert_int_equal(policy_variant_differs(f, policy, false), 0);
        assert_int_equal(access_differs(f, policy), 0);
    }
}
