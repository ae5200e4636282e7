/* A copy of a hub's store on its way into a store that does not take it: what is the copy's fault is told as such, and
 * what is the store's is not. hub/DUMP.md. */
#include "hub/dump.h"

#include "tests/lib/dump_tape.h"
#include "tests/lib/must.h"
#include "tests/lib/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The copy of a hub's store, with these rows in it. */
static struct hub_fixture *copied(struct dump_tape *t, const char *sql)
{
    struct hub_fixture *f = hub_fixture_new(7);
    dump_tape_init(t);
    hub_fixture_sql(f, "INSERT INTO h_counter(name, value) VALUES('schema', 1) ON CONFLICT(name) DO NOTHING");
    hub_fixture_sql(f, sql);
    dump_tape_write(f, t, NULL);
    return f;
}

/* The last row of its table: on PostgreSQL nobody waits for what becomes of that by itself. */
static void a_row_that_its_table_does_not_take_is_damage_of_the_copy(void **state)
{
    struct why said = {0};
    struct dump_tape t;
    (void)state;
    struct hub_fixture *f = copied(&t, "INSERT INTO h_step_time(version, at) VALUES(1001, 7), (1002, 7)");
    struct db *db = dump_tape_store(f, test_store_is_postgres());
    MUST(db_exec(db, "CREATE UNIQUE INDEX stricter ON h_step_time(at)", &why));
    assert_int_equal(dump_tape_read(f, db, &t, NULL, &said), ERR_TAMPERED);
    assert_non_null(strstr(said.text, "copy"));
    MUST(db_exec(db, "DROP INDEX stricter", &why));
    MUST(dump_tape_read(f, db, &t, NULL, &why));
    buf_release(&t.buf);
    db_close(db);
    hub_fixture_free(f);
}

static void a_fault_of_the_store_that_is_filled_is_no_damage_of_the_copy(void **state)
{
    struct why said = {0};
    struct dump_tape t;
    (void)state;
    struct hub_fixture *f = copied(&t, "INSERT INTO h_step_time(version, at) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
                                       "WHERE i < 20000) SELECT 1000 + i, i FROM n");
    struct db *db = dump_tape_store(f, test_store_is_postgres());
    t.spoil = db;
    assert_int_equal(dump_tape_read(f, db, &t, NULL, &said), ERR_FAILED);
    assert_null(t.spoil);
    assert_null(strstr(said.text, "copy"));
    MUST(dump_tape_read(f, db, &t, NULL, &why)); /* of the table's going nothing is left either */
    buf_release(&t.buf);
    db_close(db);
    hub_fixture_free(f);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_that_its_table_does_not_take_is_damage_of_the_copy),
        cmocka_unit_test(a_fault_of_the_store_that_is_filled_is_no_damage_of_the_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
