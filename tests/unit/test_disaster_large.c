/* Changes that are as large as a device makes them: a hub that took one in can still be backed up, and comes back with
 * it, from the backup and from the folder of its journal. */
#include "tests/lib/journal_world.h"
#include "tests/lib/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOTE_BYTES ((size_t)1000000)

/* One change of so many notes of a megabyte, as an import is. What is in them cannot be packed much smaller. */
static void large_change(const uint8_t c[16], size_t notes)
{
    char *body = malloc(NOTE_BYTES + 1);
    uint8_t id[16];
    assert_non_null(body);
    ends_begin(ann);
    for (size_t i = 0; i < notes; i++) {
        env_random(&ends_hub->env, body, NOTE_BYTES);
        for (size_t at = 0; at < NOTE_BYTES; at++) body[at] = (char)('0' + (uint8_t)body[at] % 64);
        body[NOTE_BYTES] = '\0';
        env_new_id(&ends_hub->env, id);
        struct row r = ends_row(ann, "record", id, c);
        ends_text(&r, "sensitivity", "open");
        ends_text(&r, "body", body);
        ends_put(ann, &r);
    }
    free(body);
    ends_send(ann);
    journal_noted();
}

static void comes_back(struct lost_state before)
{
    lost_sync_but(NULL);
    assert_string_equal(lost_status().state, "done");
    assert_int_equal(lost_status().lost, 0);
    struct lost_state after = lost_state();
    assert_memory_equal(after.verdicts, before.verdicts, HASH_BYTES);
    assert_memory_equal(after.content, before.content, HASH_BYTES);
    MUST(hub_verify(ends_hub->hub, &why));
}

static void a_hub_with_large_changes_is_backed_up_and_comes_back(void **state)
{
    uint8_t c[16];
    (void)state;
    env_new_id(&ends_hub->env, c);
    ends_own_case(c, false);
    (void)ends_sync(ann, ERR_OK);
    large_change(c, 12);
    large_change(c, 30);
    ends_all_sync();
    (void)lost_backup("old");
    struct lost_state before = lost_state();
    lost_destroy();
    lost_restored("old");
    comes_back(before);
}

static void what_came_since_the_backup_comes_back_from_the_folder(void **state)
{
    uint8_t c[16];
    (void)state;
    (void)lost_backup("old");
    env_new_id(&ends_hub->env, c);
    ends_own_case(c, false);
    (void)ends_sync(ann, ERR_OK);
    large_change(c, 12);
    ends_all_sync();
    journal_noted();
    journal_write(false);
    struct lost_state before = lost_state();
    lost_destroy();
    assert_false(journal_restored("old").damaged);
    comes_back(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_hub_with_large_changes_is_backed_up_and_comes_back, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(what_came_since_the_backup_comes_back_from_the_folder, journal_start,
                                        journal_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
