/* The product's own version 2: a conflict says when its two versions were written. Hub first, devices after it. */
#include "tests/schema/world.h"

#include "node/look_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { A, B, C };

#define MUST(call)                                                                                                     \
    do {                                                                                                               \
        struct why why_ = {0}, *why = &why_;                                                                           \
        enum err e_ = (call);                                                                                          \
        if (e_ != ERR_OK) fail_msg("%s: %s: %s %s", #call, err_word(e_), why->text, why->next);                        \
    } while (0)

/* Two devices write one column of a person differently, without hearing of each other; then everybody hears of both. */
static void two_versions(struct world *w, const char *column)
{
    char of_a[100], of_b[100];
    const char *const a[] = {of_a}, *const b[] = {of_b};
    (void)snprintf(of_a, sizeof of_a, "UPDATE person SET %s = 'of a' WHERE family_name = 'Twice'", column);
    (void)snprintf(of_b, sizeof of_b, "UPDATE person SET %s = 'of b' WHERE family_name = 'Twice'", column);
    world_write(w, A, a, 1);
    world_write(w, B, b, 1);
    for (size_t i = 0; i < 2 * WORLD_NODES; i++) MUST(world_sync_any(w, i % WORLD_NODES, why));
}

/* As the pages get them, once the program knows the times, and its store does not. */
static void shows_without_times(struct world *w, size_t who)
{
    struct json *list = NULL;
    versions_speak(2);
    MUST(look_conflicts(w->nodes[who].node, true, &list, why));
    assert_int_equal(json_get_int(list, "total", 0), 2);
    for (size_t i = 0; i < 2; i++) {
        struct json *one = json_at(json_get(list, "conflicts"), i);
        assert_string_equal(json_get_str(one, "kept_text"), "of a");
        assert_true(json_holds_null(json_get(one, "kept_at")) && json_holds_null(json_get(one, "lost_at")));
    }
    json_free(list);
}

static void when_two_versions_were_written_is_told_from_version_2_on_and_of_earlier_ones_stays_unknown(void **state)
{
    (void)state;
    static const char *const person[] = {"INSERT INTO person(id, case_id, agency, family_name) SELECT "
                                         "new_id(), id, 'a', 'Twice' FROM case_file ORDER BY id LIMIT 1"};
    static const char all[] = "SELECT count(*) FROM conflict",
                      unknown[] = "SELECT count(*) FROM conflict WHERE col = 'given_names' AND kept = 'of a' AND "
                                  "kept_at IS NULL AND lost_at IS NULL",
                      known[] = "SELECT count(*) FROM conflict WHERE col = 'sex' AND kept = 'of a' AND "
                                "kept_at BETWEEN found_at - 600000 AND found_at AND "
                                "lost_at BETWEEN kept_at AND found_at",
                      columns[] =
                          "SELECT count(*) FROM pragma_table_info('conflict') WHERE name IN ('kept_at', 'lost_at')";
    struct world w;
    world_new(&w, 61, 1);
    for (size_t i = A; i <= C; i++) world_enrol(&w, i, 1);
    world_cases(&w);
    world_write(&w, A, person, 1);
    for (size_t i = 0; i < WORLD_NODES; i++) MUST(world_sync_any(&w, i, why));
    two_versions(&w, "given_names");
    world_update_hub(&w, 2);
    world_update_node(&w, A, 2);
    MUST(world_sync_any(&w, A, why));
    assert_int_equal(world_ask(&w, A, unknown), 1);
    two_versions(&w, "sex");
    assert_int_equal(world_ask(&w, WORLD_NODES, known), 1);
    assert_int_equal(world_ask(&w, A, known), 1);
    for (size_t who = B; who <= C; who++) {
        assert_int_equal(world_ask(&w, who, columns), 0);
        assert_int_equal(world_ask(&w, who, all), 2);
        world_update_node(&w, who, 2);
        shows_without_times(&w, who);
        MUST(world_sync_any(&w, who, why));
        assert_int_equal(world_ask(&w, who, all), 2);
        assert_int_equal(world_ask(&w, who, unknown), 1);
        assert_int_equal(world_ask(&w, who, known), 1);
    }
    world_settle_and_judge(&w);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(when_two_versions_were_written_is_told_from_version_2_on_and_of_earlier_ones_stays_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
