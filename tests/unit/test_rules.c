#include "base/buf.h"
#include "sync/rules.h"
#include "sync/schema_sql.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

static const char *sql_type(enum column_type type)
{
    switch (type) {
    case COL_ID:
        return "BLOB";
    case COL_TEXT:
    case COL_WORD:
    case COL_DATE:
        return "TEXT";
    case COL_TIME:
    case COL_BOOL:
    case COL_INT:
        return "INTEGER";
    case COL_REAL:
        return "REAL";
    }
    return "";
}

static sqlite3 *schema_db(void)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    char *message = NULL;
    if (sqlite3_exec(db, sync_schema_sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("schema.sql: %s", message);
    return db;
}

static sqlite3_stmt *ask(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    return s;
}

static void rules_of_version_1_and_schema_have_the_same_columns(void **state)
{
    (void)state;
    sqlite3 *db = schema_db();
    size_t n;
    const struct table_rule *t = rules_tables(&n);
    for (size_t i = 0; i < n; i++) {
        char sql[128];
        (void)snprintf(sql, sizeof sql, "SELECT name, type, \"notnull\", pk FROM pragma_table_info('%s')", t[i].name);
        sqlite3_stmt *s = ask(db, sql);
        size_t column = 0;
        for (; sqlite3_step(s) == SQLITE_ROW; column++) {
            assert_true(column < t[i].n_columns);
            const struct column_rule *c = &t[i].columns[column];
            assert_string_equal((const char *)sqlite3_column_text(s, 0), c->name);
            assert_string_equal((const char *)sqlite3_column_text(s, 1), sql_type(c->type));
            assert_int_equal(sqlite3_column_int(s, 2), c->required);
            assert_int_equal(sqlite3_column_int(s, 3), column == 0);
        }
        assert_int_equal(column, rules_columns_at(&t[i], 1));
        sqlite3_finalize(s);
    }
    sqlite3_close(db);
}

static void schema_holds_the_tables_of_the_rules_and_no_others(void **state)
{
    (void)state;
    sqlite3 *db = schema_db();
    size_t n, seen = 0;
    (void)rules_tables(&n);
    sqlite3_stmt *s = ask(db, "SELECT name, strict FROM pragma_table_list"
                              " WHERE schema = 'main' AND name NOT LIKE 'sqlite_%'");
    for (; sqlite3_step(s) == SQLITE_ROW; seen++) {
        const char *name = (const char *)sqlite3_column_text(s, 0);
        assert_true(rules_table_index(bytes_of_str(name)) >= 0);
        assert_int_equal(sqlite3_column_int(s, 1), 1);
    }
    assert_int_equal(seen, n);
    sqlite3_finalize(s);
    sqlite3_close(db);
}

static void schema_has_nothing_that_runs_or_refuses(void **state)
{
    (void)state;
    sqlite3 *db = schema_db();
    sqlite3_stmt *s = ask(db, "SELECT count(*) FROM sqlite_schema WHERE type NOT IN ('table', 'index')"
                              " OR sql LIKE '%UNIQUE%' OR sql LIKE '%REFERENCES%' OR sql LIKE '%CHECK(%'"
                              " OR sql LIKE '%DEFAULT%' OR sql LIKE '%GENERATED%'");
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(s, 0), 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
}

static void rules_tables_begin_with_the_common_columns(void **state)
{
    (void)state;
    size_t n;
    const struct table_rule *t = rules_tables(&n);
    for (size_t i = 0; i < n; i++) {
        assert_true(t[i].n_columns >= 2 && t[i].n_columns <= RULES_MAX_COLUMNS);
        assert_string_equal(t[i].columns[0].name, "id");
        assert_true(t[i].columns[0].required && t[i].columns[0].type == COL_ID);
        if (t[i].kind != TABLE_CASE)
            continue;
        assert_string_equal(t[i].columns[1].name, "case_id");
        assert_string_equal(t[i].columns[2].name, "agency");
        assert_true(t[i].columns[1].type == COL_ID && t[i].columns[1].write == WRITE_NEVER);
        assert_int_equal(t[i].columns[2].write, WRITE_NEVER);
        assert_true(rules_column_index(&t[i], bytes_of_str("voided_at")) > 0);
        assert_true(rules_column_index(&t[i], bytes_of_str("void_reason")) > 0);
    }
}

static void rules_parents_stand_before_their_children(void **state)
{
    (void)state;
    size_t n;
    const struct table_rule *t = rules_tables(&n);
    for (size_t i = 0; i < n; i++) {
        for (size_t c = 0; c < t[i].n_columns; c++) {
            if (t[i].columns[c].parent == NULL)
                continue;
            assert_int_equal(t[i].columns[c].type, COL_ID);
            int parent = rules_table_index(bytes_of_str(t[i].columns[c].parent));
            assert_true(parent >= 0);
            /* The one exception: a record may answer a request, and `request` got a later number. */
            if ((size_t)parent >= i && strcmp(t[i].columns[c].name, "request_id") != 0)
                fail_msg("%s.%s: the parent table comes later", t[i].name, t[i].columns[c].name);
        }
    }
}

/* FORMAT.md §6. A column in the middle, or one that must have a value, could not be told to a device that lacks it. */
static void rules_of_later_versions_only_add_columns_at_the_end_that_may_be_null(void **state)
{
    (void)state;
    size_t n, highest = 0;
    const struct table_rule *t = rules_tables(&n);
    for (size_t i = 0; i < n; i++) {
        uint32_t since = 1;
        for (size_t c = 0; c < t[i].n_columns; c++) {
            assert_true(t[i].columns[c].since >= since);
            since = t[i].columns[c].since;
            if (since > 1) assert_false(t[i].columns[c].required);
            if (since > highest) highest = since;
            assert_true(rules_columns_at(&t[i], since) > c && rules_columns_at(&t[i], since - 1) <= c);
        }
        assert_int_equal(rules_columns_at(&t[i], rules_schema_newest()), t[i].n_columns);
    }
    assert_int_equal(highest, rules_schema_newest());
}

static size_t count_words(const char *list, char separator)
{
    size_t n = 1;
    for (; *list != '\0'; list++)
        n += *list == separator ? 1 : 0;
    return n;
}

static void check_order(const struct column_rule *c)
{
    if (c->type == COL_BOOL) {
        assert_string_equal(c->arg, "0<1");
        return;
    }
    assert_int_equal(c->type, COL_WORD);
    assert_int_equal(count_words(c->arg, '<'), count_words(c->words, '|'));
    int at = 0;
    for (const char *p = c->arg; *p != '\0'; at++) {
        struct bytes word = bytes_of(p, strcspn(p, "<"));
        assert_true(rules_word_ok(c, word));
        assert_int_equal(rules_order(c->arg, word), at);
        p += word.n;
        p += *p == '<' ? 1 : 0;
    }
}

static void rules_orders_name_exactly_the_words_of_their_column(void **state)
{
    (void)state;
    size_t n;
    const struct table_rule *t = rules_tables(&n);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < t[i].n_columns; k++) {
            const struct column_rule *c = &t[i].columns[k];
            assert_int_equal(c->words != NULL, c->type == COL_WORD);
            if (c->policy == MERGE_MAX || c->policy == MERGE_STRICTEST)
                check_order(c);
            else if (c->policy == MERGE_AUTHORITY)
                assert_true(strcmp(c->arg, "lead") == 0 || strcmp(c->arg, "social_care") == 0);
            else
                assert_null(c->arg);
        }
    }
}

static void rules_find_tables_and_columns_by_whole_name_only(void **state)
{
    (void)state;
    size_t n;
    (void)rules_tables(&n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(rules_table_index(bytes_of_str(rules_table(i)->name)), i);
    assert_null(rules_table(n));
    assert_int_equal(rules_table_index(bytes_of_str("perso")), -1);
    assert_int_equal(rules_table_index(bytes_of_str("persons")), -1);
    assert_int_equal(rules_table_index(bytes_of_str("PERSON")), -1);
    assert_int_equal(rules_table_index(bytes_of("person\0", 7)), -1);
    assert_int_equal(rules_table_index((struct bytes){0}), -1);
    const struct table_rule *person = rules_table((size_t)rules_table_index(bytes_of_str("person")));
    assert_int_equal(rules_column_index(person, bytes_of_str("case_id")), 1);
    assert_int_equal(rules_column_index(person, bytes_of_str("case")), -1);
    assert_int_equal(rules_column_index(person, (struct bytes){0}), -1);
}

static void rules_word_refuses_parts_lists_and_nothing(void **state)
{
    (void)state;
    struct column_rule c = {.type = COL_WORD, .words = "open|sensitive|restricted"};
    assert_true(rules_word_ok(&c, bytes_of_str("open")));
    assert_true(rules_word_ok(&c, bytes_of_str("restricted")));
    assert_false(rules_word_ok(&c, bytes_of_str("ope")));
    assert_false(rules_word_ok(&c, bytes_of_str("openx")));
    assert_false(rules_word_ok(&c, bytes_of_str("Open")));
    assert_false(rules_word_ok(&c, bytes_of_str("open|sensitive")));
    assert_false(rules_word_ok(&c, (struct bytes){0}));
    assert_false(rules_word_ok(&c, bytes_of("open\0", 5)));
}

static void rules_date_accepts_days_of_the_calendar_only(void **state)
{
    (void)state;
    static const char *const good[] = {"2026-11-22", "2024-02-29", "2000-02-29", "0001-01-01", "9999-12-31"};
    static const char *const bad[] = {"",           "2026-11-2",  "2026-11-222", "2026-13-01",
                                      "2026-00-10", "2026-01-00", "2026-04-31",  "2025-02-29",
                                      "1900-02-29", "0000-01-01", "2026/11/22",  "2026-11-2x",
                                      "-026-11-22", "20261122--", " 2026-1-22",  "2026-11-+2"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(rules_date_ok(bytes_of_str(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (rules_date_ok(bytes_of_str(bad[i])))
            fail_msg("accepted \"%s\"", bad[i]);
    }
}

static void rules_order_gives_the_place_from_the_weakest(void **state)
{
    (void)state;
    assert_int_equal(rules_order("blue<green<amber<red", bytes_of_str("blue")), 0);
    assert_int_equal(rules_order("blue<green<amber<red", bytes_of_str("red")), 3);
    assert_int_equal(rules_order("blue<green<amber<red", bytes_of_str("black")), -1);
    assert_int_equal(rules_order("blue<green<amber<red", bytes_of_str("blue<green")), -1);
    assert_int_equal(rules_order("blue<green<amber<red", (struct bytes){0}), -1);
    assert_int_equal(rules_order("", (struct bytes){0}), -1);
    assert_int_equal(rules_order(NULL, bytes_of_str("red")), -1);
    assert_int_equal(rules_order("0<1", bytes_of_str("1")), 1);
}

static void rules_policy_words_go_both_ways(void **state)
{
    (void)state;
    for (int p = MERGE_LWW; p <= MERGE_ESCALATE; p++) {
        enum merge_policy back = MERGE_LWW;
        assert_true(rules_policy_from_word(bytes_of_str(rules_policy_word((enum merge_policy)p)), &back));
        assert_int_equal(back, p);
    }
    enum merge_policy kept = MERGE_MAX;
    assert_false(rules_policy_from_word(bytes_of_str("latest"), &kept));
    assert_false(rules_policy_from_word((struct bytes){0}, &kept));
    assert_int_equal(kept, MERGE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_of_version_1_and_schema_have_the_same_columns),
        cmocka_unit_test(schema_holds_the_tables_of_the_rules_and_no_others),
        cmocka_unit_test(schema_has_nothing_that_runs_or_refuses),
        cmocka_unit_test(rules_tables_begin_with_the_common_columns),
        cmocka_unit_test(rules_parents_stand_before_their_children),
        cmocka_unit_test(rules_of_later_versions_only_add_columns_at_the_end_that_may_be_null),
        cmocka_unit_test(rules_orders_name_exactly_the_words_of_their_column),
        cmocka_unit_test(rules_find_tables_and_columns_by_whole_name_only),
        cmocka_unit_test(rules_word_refuses_parts_lists_and_nothing),
        cmocka_unit_test(rules_date_accepts_days_of_the_calendar_only),
        cmocka_unit_test(rules_order_gives_the_place_from_the_weakest),
        cmocka_unit_test(rules_policy_words_go_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
