/* A device's store that an older program made, opened while the disk is full: nobody is kept out, and what came since
 * is made when there is room again, without anybody's opening it anew. */
#include "node/internal.h"
#include "tests/lib/faultvfs.h"
#include "tests/lib/mock_round.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define TABLES "SELECT count(*) FROM sqlite_schema WHERE name IN ('n_gap_kept', 'n_end_before')"

static void one_change_waits(struct mock_world *w)
{
    uint8_t id[16];
    mock_id(id, 1);
    struct row row = mock_case(id);
    (void)mock_put(w->node, &row, 1);
}

static void as_an_older_program_left_it(struct mock_world *w)
{
    struct why why = {0};
    const enum err e = db_exec(node_db(w->node), "DROP TABLE n_gap_kept; DROP TABLE n_end_before; UPDATE n_number SET value = 5 WHERE name = 'store'", &why);
    assert_int_equal(e, ERR_OK);
    node_close(w->node);
    w->node = NULL;
}

static void a_device_opened_on_a_full_disk_has_contact_when_there_is_room_again(void **state)
{
    struct mock_world w;
    struct why why = {0};
    (void)state;
    mock_world_new(&w);
    one_change_waits(&w);
    as_an_older_program_left_it(&w);
    struct faultvfs *v = faultvfs_new();
    w.env.vfs = "fault";
    v->full_after = 0;
    enum err e = node_open(&w.node, &w.env, w.home, bytes_of_str(MOCK_PASSPHRASE), &why);
    if (e != ERR_OK) fail_msg("%s", why.text);
    assert_int_equal(mock_ask(w.node, TABLES), 0);
    v->full_after = -1;
    (void)mock_sync(&w, ERR_OK);
    assert_int_equal(mock_ask(w.node, TABLES), 2);
    assert_int_equal(mock_ask(w.node, "SELECT count(*) FROM n_outbox WHERE state = 'unsent'"), 0);
    node_close(w.node);
    w.node = NULL;
    w.env.vfs = NULL;
    faultvfs_free(v);
    mock_world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_opened_on_a_full_disk_has_contact_when_there_is_room_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
