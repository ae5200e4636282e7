#include "tests/lib/db_fixture.h"

#include "sync/db_postgres.h"
#include "sync/schema_sql.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

const uint8_t db_fixture_ids[3][16] = {
    {0x01, 0x93, 0x4f, 0x00, 0, 0, 0x70, 0x01, 0x80, 0, 0, 0, 0, 0, 0, 0x0a},
    {0x01, 0x93, 0x4f, 0x00, 0, 0, 0x70, 0x01, 0x80, 0, 0, 0, 0, 0, 0, 0x0b},
    {0x01, 0x93, 0x4f, 0x00, 0, 0, 0x70, 0x01, 0x80, 0, 0, 0, 0, 0, 0, 0xfc},
};

static const char own_tables[] = "CREATE TABLE note(n INTEGER PRIMARY KEY, t TEXT, b BLOB, r REAL);"
                                 "CREATE TABLE secret_key(k BLOB);"
                                 "INSERT INTO secret_key VALUES(x'00112233');";

int db_fixture_set_up(void **state)
{
    struct db_fixture *f = calloc(1, sizeof *f);
    struct buf schema;
    struct why why = {0};
    const char *tmp = getenv("TMPDIR");
    assert_non_null(f);
    (void)snprintf(f->dir, sizeof f->dir, "%s/spoke_db_XXXXXX", tmp == NULL ? "/tmp" : tmp);
    assert_non_null(mkdtemp(f->dir));
    (void)snprintf(f->path, sizeof f->path, "%s/store.db", f->dir);
    assert_int_equal(secret_start(NULL), ERR_OK);
    assert_int_equal(secret_new(&f->key, 32, NULL), ERR_OK);
    memset(f->key.p, 7, 32);
    buf_init(&schema, 1 << 20);
    buf_put_str(&schema, sync_schema_sql);
    buf_put_str(&schema, own_tables);
    if (db_create(env_posix(), f->path, &f->key, buf_cstr(&schema), &why) != ERR_OK)
        fail_msg("%s", why.text);
    buf_release(&schema);
    assert_int_equal(db_open(&f->db, env_posix(), f->path, &f->key, NULL), ERR_OK);
    *state = f;
    return 0;
}

int db_fixture_tear_down(void **state)
{
    struct db_fixture *f = *state;
    char wal[320];
    db_close(f->db);
    (void)snprintf(wal, sizeof wal, "%s-wal", f->path);
    (void)unlink(wal);
    (void)unlink(f->path);
    assert_int_equal(rmdir(f->dir), 0); /* nothing else may have been left behind */
    secret_release(&f->key);
    free(f);
    return 0;
}

const char *db_fixture_url(void)
{
    const char *url = getenv("SPOKE_TEST_POSTGRES");
    if (url == NULL) fail_msg("Start this test with tests/postgres/run.");
    return url;
}

void db_fixture_new_schema(char out[64])
{
    uint8_t random[8];
    char hex[17];
    env_random(env_posix(), random, sizeof random);
    hex_encode(hex, random, sizeof random);
    (void)snprintf(out, 64, "t_%s", hex);
}

static int set_up_postgres(void **state, const char *synced)
{
    struct db_fixture *f = calloc(1, sizeof *f);
    struct buf schema;
    struct why why = {0};
    assert_non_null(f);
    f->url = db_fixture_url();
    db_fixture_new_schema(f->schema);
    buf_init(&schema, 1 << 20);
    buf_put_str(&schema, synced);
    buf_put_str(&schema, own_tables);
    if (db_create_postgres(env_posix(), f->url, f->schema, buf_cstr(&schema), &why) != ERR_OK ||
        db_open_postgres(&f->db, env_posix(), f->url, f->schema, &why) != ERR_OK)
        fail_msg("%s", why.text);
    buf_release(&schema);
    *state = f;
    return 0;
}

int db_fixture_set_up_postgres(void **state)
{
    return set_up_postgres(state, sync_schema_sql);
}

int db_fixture_set_up_bare(void **state)
{
    return set_up_postgres(state, "");
}

int db_fixture_tear_down_postgres(void **state)
{
    struct db_fixture *f = *state;
    struct why why = {0};
    db_close(f->db);
    if (db_drop_postgres(env_posix(), f->url, f->schema, &why) != ERR_OK) fail_msg("%s", why.text);
    free(f);
    return 0;
}

struct db *db_fixture_another(struct db_fixture *f, const struct env *env)
{
    struct db *db = NULL;
    struct why why = {0};
    if (db_open_postgres(&db, env, f->url, f->schema, &why) != ERR_OK) fail_msg("%s", why.text);
    return db;
}

struct db *db_fixture_db(void **state)
{
    return ((struct db_fixture *)*state)->db;
}

const struct table_rule *db_fixture_table(const char *name)
{
    int i = rules_table_index(bytes_of_str(name));
    assert_true(i >= 0);
    return rules_table((size_t)i);
}

struct stmt *db_fixture_prepare(struct db *db, const char *sql)
{
    struct stmt *s = NULL;
    struct why why = {0};
    if (db_prepare(db, sql, &s, &why) != ERR_OK)
        fail_msg("%s: %s", sql, why.text);
    return s;
}

void db_fixture_run(struct db *db, const char *sql)
{
    struct why why = {0};
    if (db_exec(db, sql, &why) != ERR_OK)
        fail_msg("%s: %s", sql, why.text);
}

int64_t db_fixture_number(struct db *db, const char *sql)
{
    bool row = false;
    struct stmt *s = db_fixture_prepare(db, sql);
    assert_int_equal(db_step(s, &row, NULL), ERR_OK);
    assert_true(row);
    int64_t v = db_int(s, 0);
    db_done(s);
    return v;
}

void db_fixture_kill(struct db_fixture *f, struct db *victim)
{
    char sql[160];
    int64_t pid = db_fixture_number(victim, "SELECT pg_backend_pid()");
    struct db *other = db_fixture_another(f, env_posix());
    (void)snprintf(sql, sizeof sql, "SELECT CASE WHEN pg_terminate_backend(%lld, 10000) THEN 1 ELSE 0 END",
                   (long long)pid);
    assert_int_equal(db_fixture_number(other, sql), 1);
    db_close(other);
}
