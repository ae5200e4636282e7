/* On which engine the hubs of tests keep their stores. SPOKE_TEST_POSTGRES, the URL of a database (tests/postgres/run
 * sets it): each hub that a test makes gets a schema of its own there, which is removed when the process ends. Without
 * it: files.
 *
 * hub_init is wrapped (tests/CMakeLists.txt: --wrap=hub_init), so that no test has to know. What a test makes by itself
 * asks test_store_url. */
#ifndef SPOKE_TESTS_TEST_STORE_H
#define SPOKE_TESTS_TEST_STORE_H

#include <stdbool.h>
#include <stddef.h>

#define TEST_STORE_URL 512 /* bytes */

bool test_store_is_postgres(void);
/* The URL of a schema that nobody else has, and that is removed at the end of this process; "" without PostgreSQL. */
void test_store_url(char *out, size_t n);
/* For tests of what only a file has (pages, damage, locks between processes): true, and says so, on PostgreSQL. */
bool test_store_file_only(const char *why);

/* A question that each engine is asked in its own words: what only its catalogue or its functions can say. */
const char *test_store_sql(const char *sqlite, const char *postgres);

#endif
