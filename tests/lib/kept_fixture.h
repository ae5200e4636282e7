/* For tests of answers that are kept (sync/db_postgres_kept.c): a store on PostgreSQL that keeps those of `note` within
 * a transaction, and of `rule` and `other_rule` also between them; and beside it a session that asks for no lock of
 * the hub's. Anything unexpected fails the test. */
#ifndef SPOKE_TESTS_LIB_KEPT_FIXTURE_H
#define SPOKE_TESTS_LIB_KEPT_FIXTURE_H

#include "tests/lib/db_fixture.h"
#include "tests/lib/other_session.h"

/* `tables` makes rule and other_rule, and fills them; *state and what comes back are the fixture that db_fixture.h
 * describes, with its own two tables. */
struct db_fixture *kept_fixture_start(void **state, const char *tables, struct other_session **out_psql);
int kept_fixture_stop(void **state, struct other_session *psql);
void kept_fixture_keep(struct db *db); /* so does this connection to it */

#endif
