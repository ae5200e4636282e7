/* A copy of a hub's store on its way into a store that does not take it: what is the copy's fault is told as such, and
 * what is the store's is not. hub/DUMP.md. */
#include "hub/dump.h"

#include "hub/store.h"
#include "sync/db_view.h"
#include "tests/lib/hub_fixture.h"
#include "tests/lib/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MUST(call)                                                                                                     \
    do {                                                                                                               \
        struct why why = {0};                                                                                          \
        enum err err_ = (call);                                                                                        \
        if (err_ != ERR_OK) fail_msg("%s: %s (%s)", #call, err_word(err_), why.text);                                  \
    } while (0)

struct tape {
    struct buf buf;
    size_t at;
    struct db *spoil; /* a table of this store goes while it is being filled; NULL: none does */
};

static enum err tape_write(void *ctx, struct bytes piece, struct why *why)
{
    struct tape *t = ctx;
    (void)why;
    buf_put_bytes(&t->buf, piece);
    return t->buf.err;
}

/* As soon as some of its rows are there. */
static void spoil(struct tape *t)
{
    struct stmt *s = NULL;
    bool row = false;
    MUST(db_prepare(t->spoil, "SELECT count(*) FROM h_step_time", &s, &why));
    MUST(db_step(s, &row, &why));
    int64_t n = row ? db_int(s, 0) : 0;
    db_done(s);
    if (n < 100) return;
    MUST(db_exec(t->spoil, "DROP TABLE h_step_time", &why));
    t->spoil = NULL;
}

static enum err tape_read(void *ctx, uint8_t *out, size_t n, size_t *out_got, struct why *why)
{
    struct tape *t = ctx;
    size_t got = t->buf.len - t->at < n ? t->buf.len - t->at : n;
    (void)why;
    if (t->spoil != NULL) spoil(t);
    if (got > 0) memcpy(out, t->buf.data + t->at, got);
    t->at += got;
    *out_got = got;
    return ERR_OK;
}

/* The copy of a hub's store, with these rows in it. */
static struct hub_fixture *copied(struct tape *t, const char *sql)
{
    struct hub_fixture *f = hub_fixture_new(7);
    struct dump_sink sink = {t, tape_write};
    *t = (struct tape){0};
    buf_init(&t->buf, 64u << 20);
    hub_fixture_sql(f, "INSERT INTO h_counter(name, value) VALUES('schema', 1) ON CONFLICT(name) DO NOTHING");
    hub_fixture_sql(f, sql);
    MUST(db_begin_read(f->h.db, &why));
    MUST(dump_write(&f->env, f->h.db, NULL, &sink, NULL, &why));
    db_rollback(f->h.db);
    return f;
}

/* One that was just made, of the engine that the tests run on. */
static struct db *store_to_fill(struct hub_fixture *f)
{
    char url[1024];
    struct db *db = NULL;
    struct buf sql;
    if (test_store_is_postgres()) {
        test_store_url(url, sizeof url);
        MUST(store_make(&f->env, url, &f->key, &why));
        MUST(store_open(&db, &f->env, url, &f->key, &why));
        return db;
    }
    buf_init(&sql, 1u << 20);
    MUST(store_schema(&sql, &why));
    MUST(db_open_memory(&db, &f->env, buf_cstr(&sql), &why));
    buf_release(&sql);
    MUST(db_begin(db, &why));
    MUST(db_migrate(db, rules_schema_newest(), &why));
    MUST(store_put_counter(db, "schema", (int64_t)rules_schema_newest(), &why));
    MUST(db_commit(db, &why));
    return db;
}

static enum err read_into(struct hub_fixture *f, struct db *db, struct tape *t, struct why *out_why)
{
    struct dump_source source = {t, tape_read};
    t->at = 0;
    MUST(db_begin(db, &why));
    enum err e = dump_read(&f->env, db, NULL, &source, NULL, out_why);
    if (e == ERR_OK) return db_commit(db, out_why);
    db_rollback(db);
    return e;
}

/* The last row of its table: on PostgreSQL nobody waits for what becomes of that by itself. */
static void a_row_that_its_table_does_not_take_is_damage_of_the_copy(void **state)
{
    struct why said = {0};
    struct tape t;
    (void)state;
    struct hub_fixture *f = copied(&t, "INSERT INTO h_step_time(version, at) VALUES(1001, 7), (1002, 7)");
    struct db *db = store_to_fill(f);
    MUST(db_exec(db, "CREATE UNIQUE INDEX stricter ON h_step_time(at)", &why));
    assert_int_equal(read_into(f, db, &t, &said), ERR_TAMPERED);
    assert_non_null(strstr(said.text, "copy"));
    MUST(db_exec(db, "DROP INDEX stricter", &why));
    MUST(read_into(f, db, &t, &why));
    buf_release(&t.buf);
    db_close(db);
    hub_fixture_free(f);
}

static void a_fault_of_the_store_that_is_filled_is_no_damage_of_the_copy(void **state)
{
    struct why said = {0};
    struct tape t;
    (void)state;
    struct hub_fixture *f = copied(&t, "INSERT INTO h_step_time(version, at) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
                                       "WHERE i < 20000) SELECT 1000 + i, i FROM n");
    struct db *db = store_to_fill(f);
    t.spoil = db;
    assert_int_equal(read_into(f, db, &t, &said), ERR_FAILED);
    assert_null(t.spoil);
    assert_null(strstr(said.text, "copy"));
    MUST(read_into(f, db, &t, &why)); /* of the table's going nothing is left either */
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
