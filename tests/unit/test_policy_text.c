/* What may be a policy, and what is refused as one (hub/policy_text.h): with the line, and in words. */
#include "hub/policy_sql.h"
#include "hub/policy_text.h"
#include "tests/lib/policy_variant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void expect_refusal(const char *text, const char *words)
{
    struct why why = {0};
    assert_int_equal(policy_text_check(env_posix(), bytes_of_str(text), &why), ERR_USAGE);
    if (strstr(why.text, words) == NULL) fail_msg("refused, but with the words: %s", why.text);
}

static void expect_refusal_of_change(const char *what, const char *by, const char *words)
{
    char *text = policy_variant_changed(what, by);
    expect_refusal(text, words);
    free(text);
}

static void nothing_but_views_may_stand_in_a_policy(void **state)
{
    (void)state;
    static const char *const others[] = {"DROP TABLE record;",
                                         "CREATE TABLE x(a);",
                                         "CREATE TEMP VIEW x AS SELECT 1;",
                                         "CREATE VIEW IF NOT EXISTS x AS SELECT 1;",
                                         "DELETE FROM record;",
                                         "PRAGMA user_version;",
                                         "ATTACH 'x' AS y;",
                                         "CREATE TRIGGER t AFTER INSERT ON record "
                                         "BEGIN SELECT 1; END;",
                                         "SELECT 1;",
                                         "; ;",
                                         "'CREATE VIEW x AS SELECT 1';"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        char text[300];
        (void)snprintf(text, sizeof text, "CREATE VIEW a AS SELECT 1;\n-- more\n%s\n", others[i]);
        expect_refusal(text, "Line 3 of the policy: only statements of the form CREATE VIEW");
    }
    expect_refusal("", "There is no view in this text");
    expect_refusal("-- nothing\n/* at all */", "There is no view in this text");
}

static void a_policy_must_be_readable_to_its_end(void **state)
{
    (void)state;
    expect_refusal("CREATE VIEW a AS\nSELECT 'x;\n", "Line 2 of the policy: a quotation begins here");
    expect_refusal("CREATE VIEW a AS\n\nSELECT 1 /* x;\n", "Line 3 of the policy: a comment begins here");
    expect_refusal("\nCREATE VIEW a AS SELECT 1\n",
                   "Line 2 of the policy: this statement does not end with a semicolon");
    expect_refusal("CREATE VIEW a(b);", "only statements of the form CREATE VIEW");
    expect_refusal("CREATE VIEW a AS SELECT 'a\xff';", "UTF-8");
    expect_refusal("CREATE VIEW a AS SELECT 1;\nCREATE VIEW A AS SELECT 2;",
                   "Line 2 of the policy: there are two views");
    struct why why = {0};
    assert_int_equal(policy_text_check(env_posix(), bytes_of("CREATE VIEW a\0AS", 16), &why), ERR_USAGE);
}

static void a_view_may_not_hide_a_table_or_point_past_its_own_policy(void **state)
{
    (void)state;
    expect_refusal("CREATE VIEW record AS SELECT 1;", "Line 1 of the policy: this name belongs to a table");
    expect_refusal("CREATE VIEW Policy_Now AS SELECT 1;", "this name belongs to a table");
    expect_refusal("CREATE VIEW h_case AS SELECT 1;", "this name belongs to a table");
    expect_refusal("CREATE VIEW main.x AS SELECT 1;", "name tables and views plainly");
    expect_refusal("CREATE VIEW a AS SELECT 1 FROM\nmain . record;",
                   "Line 2 of the policy: name tables and views plainly");
    expect_refusal("CREATE VIEW a AS SELECT 1 FROM \"Temp\".record;", "name tables and views plainly");
}

static void a_policy_must_have_what_the_hub_asks_of_it(void **state)
{
    (void)state;
    expect_refusal("CREATE VIEW a AS SELECT 1;", "This policy has no view row_channel");
    expect_refusal_of_change("CREATE VIEW site_access(site, case_id, access)",
                             "CREATE VIEW site_access2(site, case_id, access)", "This policy has no view site_access");
    expect_refusal_of_change("CREATE VIEW site_access(site, case_id, access)",
                             "CREATE VIEW site_access(site, case_id, how_far)",
                             "The view site_access must have a column access");
    expect_refusal_of_change("CREATE VIEW site_access(site, case_id, access)", "CREATE VIEW site_access(site, case_id)",
                             "The view site_access cannot be asked");
}

static void wrong_sql_is_refused_with_its_line(void **state)
{
    (void)state;
    static const char head[] = "\n-- a comment; with a semicolon\nCREATE VIEW a(x) AS\n    SELECT id\n      FROM ";
    char text[400];
    (void)snprintf(text, sizeof text, "%snowhere;", head);
    expect_refusal(text, "no such table");
    (void)snprintf(text, sizeof text, "%srecord WHERE colour = 'red';", head);
    expect_refusal(text, "Line 5 of the policy: no such column: colour");
    (void)snprintf(text, sizeof text, "%srecord WHEER 1;", head);
    expect_refusal(text, "Line 5 of the policy: ");
    expect_refusal("CREATE VIEW a AS SELECT * FROM b;\nCREATE VIEW b AS SELECT * FROM a;", "circularly defined");
}

static void a_policy_reads_what_is_shared_and_no_more(void **state)
{
    (void)state;
    static const char *const kept[] = {"h_node",     "secret_state",  "h_state",
                                       "h_envelope", "sqlite_schema", "h_case",
                                       "h_policy",   "sqlite_master", "pragma_table_info('record')"};
    char text[200];
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        (void)snprintf(text, sizeof text, "CREATE VIEW a(x) AS\n    SELECT 1 WHERE EXISTS (SELECT * FROM %s);",
                       kept[i]);
        expect_refusal(text, "Line 2 of the policy: it ");
    }
    expect_refusal("CREATE VIEW a AS SELECT x.public FROM record JOIN h_node x;", "it reads \"h_node\"");
}

/* Else the same case would be judged now so, now otherwise; or the hub would never be done. */
static void a_policy_gives_the_same_answer_to_the_same_question(void **state)
{
    (void)state;
    static const char *const functions[] = {"random()",
                                            "now_ms()",
                                            "new_id()",
                                            "date('now')",
                                            "load_extension('x')",
                                            "changes()",
                                            "total_changes()",
                                            "hex(randomblob(1000000000))"};
    char text[200];
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        (void)snprintf(text, sizeof text, "CREATE VIEW a AS SELECT %s;", functions[i]);
        expect_refusal(text, "which a policy may not");
    }
    expect_refusal("CREATE VIEW a AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n;",
                   "it repeats itself");
}

static void a_policy_may_be_written_in_any_case_with_comments_and_quotes(void **state)
{
    (void)state;
    char *text = policy_variant_changed("CREATE VIEW row_channel(", "create /* the; first */ view ROW_channel --\n (");
    struct why why = {0};
    if (policy_text_check(env_posix(), bytes_of_str(text), &why) != ERR_OK) fail_msg("%s", why.text);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_but_views_may_stand_in_a_policy),
        cmocka_unit_test(a_policy_must_be_readable_to_its_end),
        cmocka_unit_test(a_view_may_not_hide_a_table_or_point_past_its_own_policy),
        cmocka_unit_test(a_policy_must_have_what_the_hub_asks_of_it),
        cmocka_unit_test(wrong_sql_is_refused_with_its_line),
        cmocka_unit_test(a_policy_reads_what_is_shared_and_no_more),
        cmocka_unit_test(a_policy_gives_the_same_answer_to_the_same_question),
        cmocka_unit_test(a_policy_may_be_written_in_any_case_with_comments_and_quotes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
