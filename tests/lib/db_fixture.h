/* For tests: an encrypted store in a directory of its own, with the synced tables and two of its own, `note` and
 * `secret_key`. Use db_fixture_set_up and db_fixture_tear_down as cmocka's; *state is the fixture. */
#ifndef SPOKE_TESTS_LIB_DB_FIXTURE_H
#define SPOKE_TESTS_LIB_DB_FIXTURE_H

#include "sync/db.h"

/* On PostgreSQL (db_fixture_set_up_postgres) the same tables are in a schema of their own, and dir, path and key are
 * not used. */
struct db_fixture {
    char dir[256];     /* removed at the end; must be empty then but for the store */
    char path[300];    /* of the store */
    struct secret key; /* its key */
    struct db *db;     /* open; a test that closes it sets NULL */
    const char *url;   /* of the database; NULL: SQLite */
    char schema[64];   /* in it */
};

extern const uint8_t db_fixture_ids[3][16]; /* three row ids in ascending order */

int db_fixture_set_up(void **state);
int db_fixture_tear_down(void **state);
/* As cmocka's, with db_fixture_tear_down_postgres: in the database that tests/postgres/run started. */
int db_fixture_set_up_postgres(void **state);
int db_fixture_set_up_bare(void **state); /* with its own two tables alone, which is quicker */
int db_fixture_tear_down_postgres(void **state);
const char *db_fixture_url(void);         /* its URL; fails the test where there is none */
void db_fixture_new_schema(char out[64]); /* a name that nobody has used */
/* The store once more: another connection to it. On SQLite only one process at a time may, so only on PostgreSQL. */
struct db *db_fixture_another(struct db_fixture *f, const struct env *env);
struct db *db_fixture_db(void **state);
const struct table_rule *db_fixture_table(const char *name);
/* The server ends the connection `victim`, as an administrator may; it has ended when this returns. */
void db_fixture_kill(struct db_fixture *f, struct db *victim);

/* These fail the test when the store refuses. */
struct stmt *db_fixture_prepare(struct db *db, const char *sql);
void db_fixture_run(struct db *db, const char *sql);
int64_t db_fixture_number(struct db *db, const char *sql); /* the one integer of the answer */

#endif
