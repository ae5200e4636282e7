/* For tests: an encrypted store in a directory of its own, with the synced tables and two of its own, `note` and
 * `secret_key`. Use db_fixture_set_up and db_fixture_tear_down as cmocka's; *state is the fixture. */
#ifndef SPOKE_TESTS_LIB_DB_FIXTURE_H
#define SPOKE_TESTS_LIB_DB_FIXTURE_H

#include "sync/db.h"

struct db_fixture {
    char dir[256];     /* removed at the end; must be empty then but for the store */
    char path[300];    /* of the store */
    struct secret key; /* its key */
    struct db *db;     /* open; a test that closes it sets NULL */
};

extern const uint8_t db_fixture_ids[3][16]; /* three row ids in ascending order */

int db_fixture_set_up(void **state);
int db_fixture_tear_down(void **state);
struct db *db_fixture_db(void **state);
const struct table_rule *db_fixture_table(const char *name);

/* These fail the test when the store refuses. */
struct stmt *db_fixture_prepare(struct db *db, const char *sql);
void db_fixture_run(struct db *db, const char *sql);
int64_t db_fixture_number(struct db *db, const char *sql); /* the one integer of the answer */

#endif
