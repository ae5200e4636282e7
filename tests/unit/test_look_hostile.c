/* What another agency's broken or hostile device may write (times that no calendar has, texts of a mebibyte, thousands
 * of rows that look alike) neither breaks what people look at here, nor keeps them waiting. */
#include "node/look_audit.h"
#include "node/look_case.h"
#include "node/look_list.h"
#include "tests/lib/look_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static int start(void **state)
{
    struct look_world *l = calloc(1, sizeof *l);
    assert_non_null(l);
    look_world_new(l);
    *state = l;
    return 0;
}

static int stop(void **state)
{
    look_world_free(*state);
    free(*state);
    return 0;
}

static void done(struct look_world *l, enum err e, struct json **out)
{
    json_free(look_got(l, e, *out));
    *out = NULL;
}

/* Everything that reads times, one after the other. */
static void look_at_all(struct look_world *l)
{
    struct json *out = NULL;
    struct buf csv;
    uint8_t id[16];
    const struct look_board board = {.all = true};
    const struct look_performance count = {0};
    const struct look_audit audit = {0};
    look_id(1, id);
    const struct look_chronology entries = {.case_id = id};
    buf_init(&csv, 1u << 24);
    done(l, look_board(l->n, &board, &out, &l->why), &out);
    done(l, look_case(l->n, id, &out, &l->why), &out);
    done(l, look_chronology(l->n, &entries, &out, &l->why), &out);
    done(l, look_summary(l->n, id, &out, &l->why), &out);
    done(l, look_requests(l->n, LOOK_BOTH, false, &out, &l->why), &out);
    done(l, look_releases(l->n, false, &out, &l->why), &out);
    done(l, look_conflicts(l->n, true, &out, &l->why), &out);
    done(l, look_held(l->n, true, &out, &l->why), &out);
    done(l, look_performance(l->n, &count, &out, &l->why), &out);
    done(l, look_audit(l->n, &audit, &out, &l->why), &out);
    done(l, look_search(l->n, "wren", 0, &out, &l->why), &out);
    assert_int_equal(look_requests_csv(l->n, LOOK_BOTH, false, &csv, &l->why), ERR_OK);
    buf_release(&csv);
}

#define LEAST "(-9223372036854775807 - 1)"
#define MOST  "9223372036854775807"

static void times_that_no_calendar_has_are_looked_at_like_any_other(void **state)
{
    struct look_world *l = *state;
    static const char *const times[] = {LEAST, "-1", MOST, "253402300800000"};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        char sql[6000];
        (void)snprintf(
            sql, sizeof sql,
            "DELETE FROM request; DELETE FROM conflict; DELETE FROM link; DELETE FROM release; DELETE FROM held;"
            "DELETE FROM rating; DELETE FROM meeting; DELETE FROM episode; DELETE FROM feedback; DELETE FROM case_file"
            " WHERE id IN (@4, @5);"
            "INSERT INTO case_file(id, case_id, agency, rag, received_at, due_at) VALUES(@4, @4, 'care', 'red', %1$s, %1$s),"
            " (@5, @5, 'care', 'green', " MOST ", " LEAST ");"
            "INSERT INTO link(id, case_id, agency, other_case_id) VALUES(randomblob(16), @4, 'care', @5),"
            " (randomblob(16), @5, 'care', @1);"
            "INSERT INTO person(id, case_id, agency, family_name, given_names, born_on) VALUES"
            " (randomblob(16), @4, 'care', 'Wren', 'Ada', '2019-03-02'), (randomblob(16), @5, 'care', 'Wren', 'Ada',"
            " '2019-03-02');"
            "UPDATE brief SET decided_at = %1$s WHERE id = @1;"
            "INSERT INTO request(id, case_id, agency, to_agency, question, state, asked_at, due_at, answered_at) VALUES"
            " (@20, @1, 'care', 'health', 'A', 'open', %1$s, %1$s, NULL), (@21, @1, 'care', 'police', 'B', 'answered',"
            " %1$s, %1$s, " MOST "), (x'00', @1, 'care', 'health', 'C', 'answered', " LEAST ", " LEAST ", " MOST "),"
            " (randomblob(16), @4, 'care', 'health', 'D', 'answered', " LEAST ", %1$s, " MOST ");"
            "INSERT INTO conflict(id, case_id, agency, tbl, row_id, col, policy, kept, lost, state, found_at) VALUES"
            " (@30, @1, 'care', 'brief', @1, 'decided_at', 'lww', '" MOST "', '-9223372036854775808', 'open', %1$s);"
            "INSERT INTO release(id, case_id, agency, to_agency, state, decided_at, expires_at) VALUES"
            " (@31, @1, 'care', 'health', 'granted', %1$s, " MOST ");"
            "INSERT INTO held(id, case_id, agency, node, what, reason, state, written_at) VALUES(@32, @1, 'care', @7, '[]', 'x',"
            " 'waiting', %1$s);"
            "INSERT INTO rating(id, case_id, agency, stage, rag, rated_at) VALUES(@33, @1, 'police', 'initial', 'red', %1$s),"
            " (@34, @4, 'police', 'initial', 'red', " LEAST ");"
            "INSERT INTO meeting(id, case_id, agency, held_at) VALUES(@35, @1, 'care', %1$s);"
            "INSERT INTO episode(id, case_id, agency, started_at, ended_at) VALUES(@36, @1, 'care', %1$s, " MOST ");"
            "INSERT INTO feedback(id, case_id, agency, to_agency, sent_at) VALUES(@37, @1, 'care', 'health', %1$s)",
            times[i]);
        look_sql(l, sql);
        look_at_all(l);
    }
}

static double seconds(clock_t since)
{
    return (double)(clock() - since) / CLOCKS_PER_SEC;
}

#define MANY(n) "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < " n ")"

static void thousands_who_look_alike_are_counted_in_no_time(void **state)
{
    struct look_world *l = *state;
    struct json *out = NULL;
    const struct look_performance ask = {0};
    look_sql(l, MANY("60000") "INSERT INTO person(id, case_id, agency, family_name, given_names, born_on)"
                              " SELECT randomblob(16), @1, 'care', 'Wren', 'Ada', '2019-03-02' FROM c");
    clock_t began = clock();
    done(l, look_performance(l->n, &ask, &out, &l->why), &out);
    assert_true(seconds(began) < 5);
}

static void thousands_of_one_name_in_a_case_hold_up_no_board(void **state)
{
    struct look_world *l = *state;
    struct json *out = NULL;
    const struct look_board ask = {0};
    look_sql(l, MANY("6000") "INSERT INTO person(id, case_id, agency, family_name, given_names, born_on)"
                             " SELECT randomblob(16), @1, 'care', 'Wren', 'Ada', '2019-03-02' FROM c;" MANY(
                                 "6000") "INSERT INTO identifier(id, case_id, agency, person_id, scheme, value)"
                                         " SELECT randomblob(16), @1, 'care', @10, 'upn', 'unknown' FROM c");
    clock_t began = clock();
    done(l, look_board(l->n, &ask, &out, &l->why), &out);
    assert_true(seconds(began) < 5);
}

static void thousands_of_ratings_of_one_agency_hold_up_no_board(void **state)
{
    struct look_world *l = *state;
    struct json *out = NULL;
    const struct look_board ask = {0};
    look_sql(l, MANY("60000") "INSERT INTO rating(id, case_id, agency, stage, rag, rated_at)"
                              " SELECT randomblob(16), @1, 'police', 'initial', 'red', #-30 FROM c");
    clock_t began = clock();
    enum err e = look_board(l->n, &ask, &out, &l->why);
    out = look_got(l, e, out);
    assert_true(seconds(began) < 5);
    assert_string_equal(look_text(out, "columns.1.cases.0.shown_rag"), "red");
    json_free(out);
}

/* Sixty-four mebibytes of areas are more than is counted by: that is said, and nothing is read beyond them. */
static void more_text_than_can_be_counted_by_is_refused_whole(void **state)
{
    struct look_world *l = *state;
    struct json *out = NULL;
    const struct look_performance ask = {.area = "north"};
    look_sql(
        l,
        MANY("64") "INSERT INTO case_file(id, case_id, agency, rag, subject_kind, received_at, area)"
                   " SELECT randomblob(16), randomblob(16), 'care', 'green', 'child', #-60,"
                   " replace(hex(zeroblob(524287)), '0', 'a') FROM c;" MANY(
                       "40") "INSERT INTO case_file(id, case_id, agency, rag, subject_kind, received_at, area)"
                             " SELECT randomblob(16), randomblob(16), 'care', 'green', 'child', #-60, 'north' FROM c");
    assert_int_equal(look_performance(l->n, &ask, &out, &l->why), ERR_NOMEM);
    assert_null(out);
}

#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(times_that_no_calendar_has_are_looked_at_like_any_other),
        T(thousands_who_look_alike_are_counted_in_no_time),
        T(thousands_of_one_name_in_a_case_hold_up_no_board),
        T(thousands_of_ratings_of_one_agency_hold_up_no_board),
        T(more_text_than_can_be_counted_by_is_refused_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
