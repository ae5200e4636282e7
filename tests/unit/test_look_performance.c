/* How a MASH does: counted by the device, and by this test in another way. */
#include "tests/lib/perf_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ------------------------------------------------------------------------------------------- against a naive count */
static const char *const rags[] = {"red", "amber", "green", "blue"};
static const char *const sources[] = {"6", "3B", "10", NULL};
static const char *const needs[] = {"N1", "N2", NULL};
static const char *const outcomes[] = {"O1", "O2", NULL};
enum { CASES = 240 };

struct book {
    struct perf_made cases[CASES];
    size_t n;
};

static void keep_book(struct perf_world *x, struct book *b)
{
    uint32_t seed = 7;
    for (size_t i = 0; i < CASES; i++) {
        uint8_t c[16];
        uint32_t r = seed = seed * 1664525u + 1013904223u;
        struct perf_made *m = &b->cases[i];
        m->area = (r >> 4) % 3 == 0 ? "south" : "north";
        m->first = rags[(r >> 6) % 4];
        m->rag = rags[(r >> 9) % 4];
        m->source = sources[(r >> 12) % 4];
        m->need = needs[(r >> 15) % 3];
        m->outcome = outcomes[(r >> 18) % 3];
        m->received = NOON - HOUR - (int64_t)i * 3 * HOUR;
        m->decided = (r >> 21) % 4 == 0 ? 0 : m->received + (int64_t)((r >> 23) % 500) * MINUTE;
        if (m->decided > NOON) m->decided = 0;
        if (i == 0) *m = (struct perf_made){.area = "north", .first = "red", .rag = "red", .received = m->received};
        perf_make(x, m, c);
    }
    b->n = CASES;
}

static bool same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void check_ratings(const struct book *b, struct json *all)
{
    struct json *list = json_get(all, "by_rating");
    int64_t sum = 0;
    for (size_t i = 0; i < json_len(list); i++) {
        const char *before = json_get_str(json_at(list, i), "before"), *after = json_get_str(json_at(list, i), "after");
        int64_t n = 0;
        for (size_t k = 0; k < b->n; k++)
            n += same(before, b->cases[k].first) && same(after, b->cases[k].decided != 0 ? b->cases[k].rag : NULL);
        assert_int_equal(json_get_int(json_at(list, i), "cases", -1), n);
        sum += n;
    }
    assert_int_equal(sum, b->n);
}

static void check_reds(const struct book *b, struct json *all)
{
    int64_t judged = 0, within = 0, red = 0;
    for (size_t k = 0; k < b->n; k++) {
        const struct perf_made *m = &b->cases[k];
        if (strcmp(m->first, "red") != 0) continue;
        red++;
        within += m->decided != 0 && m->decided - m->received <= 4 * HOUR;
        judged += m->decided != 0 || NOON - m->received > 4 * HOUR;
    }
    assert_true(within > 0 && within < judged && judged < red);
    struct json *got = json_get(all, "red_in_time"), *times = perf_with(all, "times", "rag", "red");
    assert_int_equal(json_get_int(got, "cases", -1), judged);
    assert_int_equal(json_get_int(got, "within", -1), within);
    assert_true(json_get_real(got, "share", -1) > (double)within / (double)judged - 1e-9);
    assert_true(json_get_real(got, "share", -1) < (double)within / (double)judged + 1e-9);
    assert_int_equal(json_get_int(times, "cases", -1), red);
    assert_int_equal(json_get_int(times, "within", -1), within);
}

/* The middle of the times, by throwing away the ends. */
static void check_median(const struct book *b, struct json *all, const char *rag)
{
    int64_t left[CASES];
    size_t n = 0;
    for (size_t k = 0; k < b->n; k++)
        if (b->cases[k].decided != 0 && strcmp(b->cases[k].first, rag) == 0)
            left[n++] = (b->cases[k].decided - b->cases[k].received) / MINUTE;
    while (n > 2) {
        size_t low = 0, high = 0;
        for (size_t i = 1; i < n; i++) low = left[i] < left[low] ? i : low;
        left[low] = left[--n];
        for (size_t i = 1; i < n; i++) high = left[i] > left[high] ? i : high;
        left[high] = left[--n];
    }
    int64_t want = n == 1 ? left[0] : (left[0] + left[1]) / 2;
    assert_int_equal(json_get_int(perf_with(all, "times", "rag", rag), "median_minutes", -1), want);
}

static void performance_counts_match_a_naive_count(void **state)
{
    struct perf_world x;
    struct book b;
    (void)state;
    perf_world_new(&x);
    keep_book(&x, &b);
    struct json *all = perf_count(&x, &(struct look_performance){0});
    assert_int_equal(json_get_int(all, "cases", 0), CASES);
    for (size_t i = 0; i < 4; i++) {
        int64_t n = 0;
        for (size_t k = 0; k < b.n; k++) n += same(sources[i], b.cases[k].source);
        assert_int_equal(perf_cases_of(all, "by_source", sources[i]), n);
    }
    for (size_t i = 0; i < 3; i++) {
        int64_t n = 0, o = 0;
        for (size_t k = 0; k < b.n; k++) {
            n += same(needs[i], b.cases[k].need);
            o += same(outcomes[i], b.cases[k].outcome);
        }
        assert_int_equal(perf_cases_of(all, "by_need", needs[i]), n);
        assert_int_equal(perf_cases_of(all, "by_outcome", outcomes[i]), o);
    }
    check_ratings(&b, all);
    check_reds(&b, all);
    check_median(&b, all, "red");
    check_median(&b, all, "amber");
    assert_string_equal(json_get_str(perf_with(all, "by_source", "code", "6"), "label"), "Police");
    assert_int_equal(json_len(json_get(all, "rows")), CASES);
    json_free(all);
    perf_world_free(&x);
}

static void only_cases_of_the_time_and_area_are_counted(void **state)
{
    struct perf_world x;
    struct book b;
    int64_t in = 0;
    (void)state;
    perf_world_new(&x);
    keep_book(&x, &b);
    const struct look_performance ask = {.from = NOON - 10 * DAY, .to = NOON - 5 * DAY, .area = "south"};
    for (size_t k = 0; k < b.n; k++)
        in += b.cases[k].received >= ask.from && b.cases[k].received < ask.to && strcmp(b.cases[k].area, "south") == 0;
    struct json *some = perf_count(&x, &ask);
    assert_true(in > 0 && in < CASES);
    assert_int_equal(json_get_int(some, "cases", 0), in);
    assert_int_equal(json_len(json_get(some, "rows")), in);
    assert_string_equal(json_get_str(some, "area"), "south");
    json_free(some);
    perf_world_free(&x);
}

static void of_no_cases_there_is_no_share_and_no_median(void **state)
{
    struct perf_world x;
    (void)state;
    perf_world_new(&x);
    struct json *all = perf_count(&x, &(struct look_performance){0});
    assert_int_equal(json_get_int(all, "cases", -1), 0);
    assert_int_equal(json_len(json_get(all, "by_source")), 0);
    struct json *red = perf_with(all, "times", "rag", "red");
    assert_true(json_has(red, "share") && json_get_real(red, "share", -7) == -7);
    assert_true(json_has(red, "median_minutes") && json_get_int(red, "median_minutes", -7) == -7);
    json_free(all);
    perf_world_free(&x);
}

/* ------------------------------------------------------------------------------------------------------ clocks */
static void a_time_scale_in_working_hours_stands_still_at_night(void **state)
{
    struct perf_world x;
    uint8_t c[16];
    (void)state;
    perf_world_new(&x);
    int64_t monday = NOON - 2 * DAY; /* 12:00; 8 working hours end at 12:00 on Tuesday */
    perf_make(&x,
              &(struct perf_made){.rag = "green", .first = "green", .received = monday, .decided = monday + 23 * HOUR},
              c);
    perf_make(&x,
              &(struct perf_made){.rag = "green", .first = "green", .received = monday, .decided = monday + 25 * HOUR},
              c);
    struct json *all = perf_count(&x, &(struct look_performance){0}), *green = perf_with(all, "times", "rag", "green");
    assert_int_equal(json_get_int(green, "within", 0), 1);
    assert_int_equal(json_get_int(green, "median_minutes", 0), 8 * 60); /* the mean of 7 and 9 */
    json_free(all);
    perf_world_free(&x);
}

/* -------------------------------------------------------------------------------------------------- re-referrals */
static void ask_again(struct perf_world *x, int64_t received, const char *person, const char *number, uint8_t c[16])
{
    char text[200];
    uint8_t id[16];
    perf_make(x, &(struct perf_made){.rag = "red", .first = "red", .received = received}, c);
    mock_id(id, x->next++);
    perf_lay(x, "person", id, c, person);
    if (number == NULL) return;
    (void)snprintf(text, sizeof text, "person_id=@%u;scheme=nhs;value=%s", x->next - 1, number);
    perf_put(x, "identifier", c, text);
}

static int64_t again(struct perf_world *x, const uint8_t c[16])
{
    char want[37];
    struct json *all = perf_count(x, &(struct look_performance){0});
    uuid_format(c, want);
    bool yes = json_get_bool(perf_with(all, "rows", "case_id", want), "re_referral", false);
    json_free(all);
    return yes;
}

static void a_person_who_comes_again_within_a_year_is_a_re_referral(void **state)
{
    static const char ada[] = "role=child;family_name=Jones;given_names=Ada;born_on=2019-05-01";
    struct perf_world x;
    uint8_t first[16], second[16], late[16], other[16], number[16];
    (void)state;
    perf_world_new(&x);
    ask_again(&x, NOON - 500 * DAY, ada, NULL, first);
    ask_again(&x, NOON - 100 * DAY, ada, "9434765919", late); /* more than a year after the first */
    ask_again(&x, NOON - 50 * DAY, "role=child;family_name=JONES;given_names=ada;born_on=2019-05-01", NULL, second);
    ask_again(&x, NOON - 40 * DAY, "role=child;family_name=Jones;given_names=Ada;born_on=2018-05-01", NULL, other);
    ask_again(&x, NOON - 30 * DAY, "role=child;family_name=Smith;given_names=A;born_on=2019-05-01", "9434765919",
              number);
    assert_false(again(&x, first));
    assert_false(again(&x, late));
    assert_true(again(&x, second)); /* however the name is written */
    assert_false(again(&x, other)); /* another child */
    assert_true(again(&x, number));
    struct json *all = perf_count(&x, &(struct look_performance){.from = NOON - 60 * DAY});
    assert_int_equal(json_get_int(json_get(all, "re_referrals"), "cases", 0),
                     2); /* of cases that are not counted themselves */
    assert_int_equal(json_get_int(json_get(all, "re_referrals"), "of", 0), 3);
    json_free(all);
    perf_world_free(&x);
}

static void one_family_with_two_people_of_a_name_in_one_case_is_no_re_referral(void **state)
{
    static const char ada[] = "role=child;family_name=Jones;given_names=Ada;born_on=2019-05-01";
    struct perf_world x;
    uint8_t c[16];
    (void)state;
    perf_world_new(&x);
    ask_again(&x, NOON - 50 * DAY, ada, NULL, c);
    perf_put(&x, "person", c, ada);
    assert_false(again(&x, c));
    perf_world_free(&x);
}

/* ------------------------------------------------------------------------------------------------------ partners */
/* A UUIDv7 of that moment. */
static void id_of_time(int64_t ms, uint8_t n, uint8_t id[16])
{
    memset(id, 0, 16);
    for (int i = 0; i < 6; i++) id[i] = (uint8_t)(ms >> (8 * (5 - i)));
    id[6] = 0x70;
    id[8] = 0x80;
    id[15] = n;
}

static void an_answer_counts_from_when_it_was_asked_first_however_often_it_was_chased(void **state)
{
    struct perf_world x;
    uint8_t c[16], id[16];
    char text[300];
    int64_t asked = NOON - 10 * HOUR;
    (void)state;
    perf_world_new(&x);
    perf_make(&x, &(struct perf_made){.rag = "red", .first = "red", .received = asked}, c);
    id_of_time(asked, 1, id);
    (void)snprintf(text, sizeof text, "to_agency=health;state=answered;asked_at=#%lld;due_at=#%lld;answered_at=#%lld",
                   (long long)(asked + 5 * HOUR), (long long)(asked + 2 * HOUR), (long long)(asked + 6 * HOUR));
    perf_lay(&x, "request", id, c, text);
    id_of_time(asked, 2, id);
    (void)snprintf(text, sizeof text, "to_agency=health;state=declined;asked_at=#%lld;due_at=#%lld;answered_at=#%lld",
                   (long long)asked, (long long)(asked + 2 * HOUR), (long long)(asked + HOUR));
    perf_lay(&x, "request", id, c, text);
    id_of_time(asked, 3, id); /* no answer, and late */
    (void)snprintf(text, sizeof text, "to_agency=health;state=open;asked_at=#%lld;due_at=#%lld", (long long)asked,
                   (long long)(asked + 2 * HOUR));
    perf_lay(&x, "request", id, c, text);
    id_of_time(asked, 4, id); /* no answer, not due */
    (void)snprintf(text, sizeof text, "to_agency=police;state=open;asked_at=#%lld;due_at=#%lld", (long long)asked,
                   (long long)(NOON + HOUR));
    perf_lay(&x, "request", id, c, text);
    id_of_time(asked, 5, id); /* nobody waits for it */
    perf_lay(&x, "request", id, c, "to_agency=police;state=cancelled;asked_at=#5;due_at=#6");
    struct json *all = perf_count(&x, &(struct look_performance){0}),
                *health = perf_with(all, "partners", "agency", "health");
    assert_string_equal(json_get_str(health, "agency_name"), "Health");
    assert_int_equal(json_get_int(health, "asked", 0), 3);
    assert_int_equal(json_get_int(health, "answered", 0), 1);
    assert_int_equal(json_get_int(health, "declined", 0), 1);
    assert_int_equal(json_get_int(health, "late", 0), 2);
    assert_int_equal(json_get_int(health, "median_minutes", 0), (6 * 60 + 60) / 2);
    assert_true(json_get_real(health, "share_in_time", 0) > 0.333 && json_get_real(health, "share_in_time", 0) < 0.334);
    struct json *police = perf_with(all, "partners", "agency", "police");
    assert_int_equal(json_get_int(police, "asked", 0), 1);
    assert_int_equal(json_get_int(police, "late", -1), 0);
    assert_true(json_get_real(police, "share_in_time", -7) == -7);
    json_free(all);
    perf_world_free(&x);
}

static void csv_has_one_row_a_case(void **state)
{
    struct perf_world x;
    struct buf csv;
    uint8_t c[16];
    size_t lines = 0;
    (void)state;
    perf_world_new(&x);
    perf_make(&x,
              &(struct perf_made){.rag = "amber",
                                  .first = "red",
                                  .source = "6",
                                  .need = "=N1",
                                  .received = NOON - DAY,
                                  .decided = NOON - DAY + 3 * HOUR},
              c);
    perf_make(&x, &(struct perf_made){.rag = "blue", .first = "blue", .received = NOON - HOUR}, c);
    buf_init(&csv, 1u << 20);
    assert_int_equal(look_performance_csv(x.n, &(struct look_performance){0}, &csv, &x.s.why), ERR_OK);
    const char *text = buf_cstr(&csv);
    for (const char *p = text; *p != '\0'; p++) lines += *p == '\n';
    assert_int_equal(lines, 3);
    assert_non_null(strstr(
        text, ",2026-11-03T12:00:00.000Z,6,\"'=N1\",,red,amber,,2026-11-03T15:00:00.000Z,180,yes,no,0,0,0,0\r\n"));
    assert_non_null(strstr(text, ",,,,blue,,,,,,no,0,0,0,0\r\n"));
    buf_release(&csv);
    perf_world_free(&x);
}

static void voided_rows_count_for_nothing(void **state)
{
    struct perf_world x;
    uint8_t c[16];
    (void)state;
    perf_world_new(&x);
    perf_make(&x, &(struct perf_made){.rag = "red", .first = "amber", .received = NOON - DAY}, c);
    perf_put(&x, "rating", c, "rag=blue;stage=initial;rated_at=#5;voided_at=#9");
    perf_put(&x, "referral", c, "source=9;received_at=#5;voided_at=#9");
    struct json *all = perf_count(&x, &(struct look_performance){0});
    assert_int_equal(perf_cases_of(all, "by_source", NULL), 1);
    assert_string_equal(json_get_str(json_at(json_get(all, "by_rating"), 0), "before"), "amber");
    json_free(all);
    assert_int_equal(db_exec(node_db(x.n), "UPDATE case_file SET voided_at = 9", NULL), ERR_OK);
    all = perf_count(&x, &(struct look_performance){0});
    assert_int_equal(json_get_int(all, "cases", -1), 0);
    json_free(all);
    perf_world_free(&x);
}

int main(void)
{
#define T(name) cmocka_unit_test(name)
    const struct CMUnitTest tests[] = {
        T(performance_counts_match_a_naive_count),
        T(only_cases_of_the_time_and_area_are_counted),
        T(of_no_cases_there_is_no_share_and_no_median),
        T(a_time_scale_in_working_hours_stands_still_at_night),
        T(a_person_who_comes_again_within_a_year_is_a_re_referral),
        T(one_family_with_two_people_of_a_name_in_one_case_is_no_re_referral),
        T(an_answer_counts_from_when_it_was_asked_first_however_often_it_was_chased),
        T(csv_has_one_row_a_case),
        T(voided_rows_count_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
