#include "tests/lib/kept_fixture.h"

#include "sync/db_postgres.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

void kept_fixture_keep(struct db *db)
{
    static const char *const within[] = {"note", NULL}, *const between[] = {"rule", "other_rule", NULL};
    struct why why = {0};
    if (db_keep(db, within, between, &why) != ERR_OK) fail_msg("%s", why.text);
}

struct db_fixture *kept_fixture_start(void **state, const char *tables, struct other_session **out_psql)
{
    assert_int_equal(db_fixture_set_up_bare(state), 0);
    struct db_fixture *f = *state;
    db_fixture_run(f->db, tables);
    kept_fixture_keep(f->db);
    *out_psql = other_session_open(f->url, f->schema);
    return f;
}

int kept_fixture_stop(void **state, struct other_session *psql)
{
    other_session_close(psql);
    return db_fixture_tear_down_postgres(state);
}
