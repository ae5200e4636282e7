/* The synced tables of the newest schema version in a bare SQLite database: what schema.sql makes, which is version 1,
 * and the columns that the rules added since. Of stores db_migrate takes care. */
#ifndef SPOKE_TESTS_LIB_TABLES_H
#define SPOKE_TESTS_LIB_TABLES_H

#include <sqlite3.h>

sqlite3 *tables_in_memory(void); /* fails the test; sqlite3_close */

#endif
