/* An answer with its record in one change; and a sheet of answers: all of it or nothing, and told line by line. */
#include "tests/lib/act_world.h"

#include "node/act_answers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEAD "request,case,asked_by,question,due,result,reason,title,body,sensitivity,needs_consent\r\n"

static int64_t count(struct act_world *a, const char *sql)
{
    return mock_ask(a->n, sql);
}

/* ---------------------------------------------------------------------------------------------- one with its record */
static void an_answer_and_what_is_known_are_one_change(void **state)
{
    struct act_world a;
    uint8_t record[16];
    struct act_record r = {.body = bytes_of_str("Seen twice."), .sensitivity = "sensitive"};
    (void)state;
    act_world_new(&a);
    struct act_answer in = {.request = a.id[TO_US], .result = "known", .add = &r, .out_record = record};
    act_done(&a, act_request_answer(a.n, &in, &a.why));
    act_is_text(&a, "request", a.id[TO_US], "state", "answered");
    act_is_text(&a, "record", record, "body", "Seen twice.");
    act_is_text(&a, "record", record, "kind", "check");
    act_is_text(&a, "record", record, "title", "Answer to a question");
    act_is_text(&a, "record", record, "request_id", ""); /* who sees a record depends on the record alone */
    act_world_free(&a);
}

static void an_answer_whose_record_does_not_fit_is_no_answer(void **state)
{
    struct act_world a;
    struct act_record r = {.body = bytes_of_str(" "), .title = "Check"};
    (void)state;
    act_world_new(&a);
    struct act_answer in = {.request = a.id[TO_US], .result = "known", .add = &r};
    act_refused(&a, act_request_answer(a.n, &in, &a.why), ERR_USAGE, "text is empty");
    r = (struct act_record){.title = "Check", .person = a.id[OTHER_CHILD]};
    act_refused(&a, act_request_answer(a.n, &in, &a.why), ERR_USAGE, "another case");
    r.person = NULL;
    in.result = "not_known";
    act_refused(&a, act_request_answer(a.n, &in, &a.why), ERR_USAGE, "goes with no record");
    in.result = "nothing_relevant";
    act_refused(&a, act_request_answer(a.n, &in, &a.why), ERR_USAGE, "goes with no record");
    act_world_free(&a);
}

/* ------------------------------------------------------------------------------------------------------- sheets */
struct told {
    char text[2048]; /* "2:message|" */
};

static void note(void *ctx, unsigned line, const char *message)
{
    struct told *t = ctx;
    size_t at = strlen(t->text);
    (void)snprintf(t->text + at, sizeof t->text - at, "%u:%s|", line, message);
}

static enum err take(struct act_world *a, const char *sheet, struct told *t, struct act_answers_done *done)
{
    *t = (struct told){0};
    return act_answers(a->n, bytes_of_str(sheet), note, t, done, &a->why);
}

static const char *id_text(struct act_world *a, int row, char out[37])
{
    uuid_format(a->id[row], out);
    return out;
}

/* A second question that waits for this agency. */
static void ask_again(struct act_world *a, int row, const char *question)
{
    struct row r = {.table = rules_table((size_t)rules_table_index(bytes_of_str("request")))};
    struct value v[] = {value_id(a->id[row]), value_id(a->id[CASE]), value_str("health"), value_str("health")};
    for (size_t i = 0; i < r.table->n_columns; i++) r.v[i] = value_null();
    memcpy(r.v, v, sizeof v);
    r.v[rules_column_index(r.table, bytes_of_str("question"))] = value_str(question);
    r.v[rules_column_index(r.table, bytes_of_str("state"))] = value_str("open");
    (void)mock_put(a->n, &r, 1);
    act_mark(a);
}

static void the_sheet_lists_what_waits_and_runs_no_formula(void **state)
{
    struct act_world a;
    struct buf b;
    char id[37], want[400];
    (void)state;
    act_world_new(&a);
    ask_again(&a, FIRST_FREE, "=HYPERLINK(\"http://evil\")");
    buf_init(&b, 1 << 16);
    assert_int_equal(act_answers_form(a.n, &b, &a.why), ERR_OK);
    const char *text = buf_cstr(&b);
    assert_ptr_equal(strstr(text, HEAD), text);
    (void)snprintf(want, sizeof want, "%s,C-AAAAAAAA,Social care,Known?,,,,,,,\r\n", id_text(&a, TO_US, id));
    assert_non_null(strstr(text, want));
    assert_null(strstr(text, id_text(&a, TO_POLICE, id)));
    assert_null(strstr(text, id_text(&a, ANSWERED, id)));
    assert_non_null(strstr(text, "\"'=HYPERLINK(\"\"http://evil\"\")\""));
    buf_release(&b);
    act_world_free(&a);
}

static void a_sheet_is_taken_in_one_change(void **state)
{
    struct act_world a;
    struct told t;
    struct act_answers_done done;
    char sheet[1024], one[37], two[37], got[256];
    (void)state;
    act_world_new(&a);
    ask_again(&a, FIRST_FREE, "And before?");
    (void)snprintf(sheet, sizeof sheet,
                   HEAD "%s,C-AAAAAAAA,Social care,Known?,, Known ,,Clinic,\"Seen twice,\nonce alone\",Sensitive\r\n"
                        "%s,,,,,declined,No basis given,,,\r\n",
                   id_text(&a, TO_US, one), id_text(&a, FIRST_FREE, two));
    act_done(&a, take(&a, sheet, &t, &done));
    assert_int_equal(done.answered, 1);
    assert_int_equal(done.declined, 1);
    assert_int_equal(done.records, 1);
    assert_int_equal(done.blank, 0);
    act_is_text(&a, "request", a.id[TO_US], "result", "known");
    act_is_text(&a, "request", a.id[FIRST_FREE], "state", "declined");
    act_is_text(&a, "request", a.id[FIRST_FREE], "reason", "No basis given");
    assert_string_equal(act_ask(&a,
                                "SELECT body || sensitivity FROM record WHERE title = 'Clinic' AND person_id IS NULL"
                                " AND sensitivity = 'sensitive' AND case_id = $1",
                                a.id[CASE], got),
                        "Seen twice,\nonce alonesensitive");
    act_world_free(&a);
}

static void columns_may_come_in_any_order_and_words_as_people_write_them(void **state)
{
    struct act_world a;
    struct told t;
    struct act_answers_done done;
    char sheet[256], one[37];
    (void)state;
    act_world_new(&a);
    (void)snprintf(sheet, sizeof sheet, "Result,note,REQUEST\nNot known,mine,%s\n", id_text(&a, TO_US, one));
    act_done(&a, take(&a, sheet, &t, &done));
    act_is_text(&a, "request", a.id[TO_US], "result", "not_known");
    act_world_free(&a);
}

static void a_sheet_that_nobody_filled_in_changes_nothing(void **state)
{
    struct act_world a;
    struct told t;
    struct act_answers_done done;
    struct buf b;
    (void)state;
    act_world_new(&a);
    buf_init(&b, 1 << 16);
    assert_int_equal(act_answers_form(a.n, &b, &a.why), ERR_OK);
    int64_t edits = a.edits;
    assert_int_equal(take(&a, buf_cstr(&b), &t, &done), ERR_OK);
    assert_int_equal(done.blank, 1);
    assert_int_equal(done.answered + done.declined + done.records, 0);
    assert_int_equal(count(&a, "SELECT coalesce(max(seq), 0) FROM n_outbox"), edits);
    buf_release(&b);
    act_world_free(&a);
}

/* All faults at once, each with its line, and nothing of the good lines is written. */
static void one_bad_line_keeps_the_whole_sheet_out_and_each_is_named(void **state)
{
    struct act_world a;
    struct told t;
    struct act_answers_done done;
    char sheet[4096], us[37], police[37], old[37], gone[37], none[37];
    (void)state;
    act_world_new(&a);
    (void)snprintf(sheet, sizeof sheet,
                   HEAD "%s,,,,,known,,,\"two\nlines\",open\n" /* 2, 3: good */
                        "%s,,,,,known,,,,\n"                   /* 4: not ours */
                        "%s,,,,,known,,,,\n"                   /* 5: answered */
                        "%s,,,,,known,,,,\n"                   /* 6: taken back */
                        "%s,,,,,known,,,,\n"                   /* 7: nothing of that id */
                        "C-AAAAAAAA,,,,,known,,,,\n"           /* 8 */
                        "%s,,,,,,,,text,\n"                    /* 9: no result */
                        "%s,,,,,perhaps,,,,\n"                 /* 10 */
                        "%s,,,,,declined,,,,\n"                /* 11: no reason; answered above by then */
                        "%s,,,,,known,,,,secret\n",            /* 12: twice */
                   id_text(&a, TO_US, us), id_text(&a, TO_POLICE, police), id_text(&a, ANSWERED, old),
                   id_text(&a, CANCELLED, gone), id_text(&a, FIRST_FREE, none), us, us, us, us);
    act_refused(&a, take(&a, sheet, &t, &done), ERR_USAGE, "9 lines of the sheet cannot be taken");
    assert_non_null(strstr(t.text, "4:This was not asked of your agency"));
    assert_non_null(strstr(t.text, "|5:Your agency has answered this already"));
    assert_non_null(strstr(t.text, "|6:The question was taken back"));
    assert_non_null(strstr(t.text, "|7:There is no request with that id"));
    assert_non_null(strstr(t.text, "|8:The column 'request' does not say"));
    assert_non_null(strstr(t.text, "|9:There is no result"));
    assert_non_null(strstr(t.text, "|10:"));
    assert_non_null(strstr(t.text, "|12:Your agency has answered this already"));
    assert_int_equal(strncmp(t.text, "4:", 2), 0); /* the good line is not named */
    act_world_free(&a);
}

static void told_of(struct act_world *a, const char *cells, const char *words)
{
    struct told t;
    struct act_answers_done done;
    char sheet[512], us[37];
    (void)snprintf(sheet, sizeof sheet, HEAD "%s,,,,,%s\n", id_text(a, TO_US, us), cells);
    act_refused(a, take(a, sheet, &t, &done), ERR_USAGE, "1 line of the sheet cannot be taken");
    if (strstr(t.text, words) == NULL) print_error("no '%s' in: %s\n", words, t.text);
    assert_non_null(strstr(t.text, words));
}

static void each_line_is_judged_like_a_single_answer(void **state)
{
    struct act_world a;
    (void)state;
    act_world_new(&a);
    told_of(&a, "perhaps,,,,", "known, not_known or nothing_relevant");
    told_of(&a, "declined,,,,", "Say why you do not answer");
    told_of(&a, "declined,No basis,Title,,", "Who declines tells nothing");
    told_of(&a, "declined,No basis,,Text,", "Who declines tells nothing");
    told_of(&a, "known,Because,,Text,", "A reason goes with 'declined' alone");
    told_of(&a, ",Because,,,", "There is no result");
    told_of(&a, "not_known,,,Text,open", "goes with no record");
    told_of(&a, "known,,,Text,secret", "sensitivity is one of");
    act_world_free(&a);
}

/* Who sees it is for a person to say: a column left empty must not mean everybody. */
static void what_is_told_says_who_may_see_it_and_whether_it_needs_consent(void **state)
{
    struct act_world a;
    struct told t;
    struct act_answers_done done;
    char sheet[512], us[37];
    (void)state;
    act_world_new(&a);
    told_of(&a, "known,,,Text,", "Say who may see it");
    told_of(&a, "known,,Title,, ", "Say who may see it");
    told_of(&a, "known,,,Text,open,perhaps", "needs_consent is yes or no");
    told_of(&a, "not_known,,,,,yes", "goes with a title and a text");
    (void)snprintf(sheet, sizeof sheet, HEAD "%s,,,,,known,,Twice,Text,open,Yes\n", id_text(&a, TO_US, us));
    act_done(&a, take(&a, sheet, &t, &done));
    assert_int_equal(count(&a, "SELECT needs_consent FROM record WHERE title = 'Twice'"), 1);
    act_world_free(&a);
}

static void what_is_no_such_sheet_is_refused(void **state)
{
    struct act_world a;
    struct told t;
    struct act_answers_done done;
    (void)state;
    act_world_new(&a);
    act_refused(&a, take(&a, "", &t, &done), ERR_FORMAT, "empty");
    act_refused(&a, take(&a, "name,age\nAda,3\n", &t, &done), ERR_FORMAT, "does not name the columns");
    act_refused(&a, take(&a, "request;result\n", &t, &done), ERR_FORMAT, "does not name the columns");
    act_refused(&a, take(&a, "request,result,result\n", &t, &done), ERR_FORMAT, "two columns 'result'");
    act_refused(&a, take(&a, HEAD "\"open", &t, &done), ERR_FORMAT, "Line 2");
    act_refused(&a, take(&a, HEAD "\xff", &t, &done), ERR_FORMAT, "plain text");
    char *large = malloc(ANSWERS_MAX_BYTES + 2);
    assert_non_null(large);
    memset(large, '\n', ANSWERS_MAX_BYTES + 1);
    large[ANSWERS_MAX_BYTES + 1] = '\0';
    act_refused(&a, take(&a, large, &t, &done), ERR_LIMIT, "longer");
    size_t at = (size_t)sprintf(large, HEAD);
    for (int i = 0; i <= ANSWERS_MAX_ROWS; i++) at += (size_t)sprintf(large + at, ",,\n");
    act_refused(&a, take(&a, large, &t, &done), ERR_LIMIT, "more than 2001 lines");
    free(large);
    act_world_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_and_what_is_known_are_one_change),
        cmocka_unit_test(an_answer_whose_record_does_not_fit_is_no_answer),
        cmocka_unit_test(the_sheet_lists_what_waits_and_runs_no_formula),
        cmocka_unit_test(a_sheet_is_taken_in_one_change),
        cmocka_unit_test(columns_may_come_in_any_order_and_words_as_people_write_them),
        cmocka_unit_test(a_sheet_that_nobody_filled_in_changes_nothing),
        cmocka_unit_test(one_bad_line_keeps_the_whole_sheet_out_and_each_is_named),
        cmocka_unit_test(each_line_is_judged_like_a_single_answer),
        cmocka_unit_test(what_is_told_says_who_may_see_it_and_whether_it_needs_consent),
        cmocka_unit_test(what_is_no_such_sheet_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
