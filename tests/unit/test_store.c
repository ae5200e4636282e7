/* Where a hub's store is, and what of it may be read by whoever keeps it. Also on PostgreSQL: tests/postgres/run. */
#include "hub/admins.h"
#include "hub/move.h"
#include "hub/policy_sql.h"
#include "hub/policy_text.h"
#include "hub/store.h"
#include "sync/db_postgres.h"
#include "tests/lib/fake_node.h"
#include "tests/lib/hub_fixture.h"
#include "tests/lib/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char home[256];

static int make_folder(void **state)
{
    const char *tmp = getenv("TMPDIR");
    (void)state;
    (void)snprintf(home, sizeof home, "%.200s/store-XXXXXX", tmp == NULL ? "/tmp" : tmp);
    return mkdtemp(home) == NULL ? -1 : 0;
}

static int drop_folder(void **state)
{
    static const char *const names[] = {"store", "hub.key", "hub.db", "hub.db-wal", "recovery.key"};
    char path[300];
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", home, names[i]);
        (void)unlink(path);
    }
    return rmdir(home);
}

static struct bytes passphrase(void)
{
    return bytes_of_str("a passphrase for stores");
}

static enum err find(const char *store, struct store_place *out)
{
    return store_find(out, env_posix(), &(struct hub_place){.home = home, .store = store}, NULL);
}

static void a_password_in_an_address_is_refused(void **state)
{
    static const char *const bad[] = {
        "postgres://hub:secret@db.example/spoke", "postgresql://hub:@db.example/spoke",
        "postgres://db.example/spoke?user=hub&password=secret", "postgres://db.example/spoke?PASSWORD=secret",
        "postgres://db.example/spoke?sslpassword=x", "postgres://db.example/sp oke", "mysql://db.example/spoke", "hub.db", ""};
    static const char *const good[] = {"postgres://hub@db.example/spoke?schema=north", "postgresql://db.example:5433/spoke",
                                       "postgres:///spoke?host=/run/postgresql&schema=a"};
    struct store_place p;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (find(bad[i], &p) != ERR_USAGE) fail_msg("%s was taken", bad[i]);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (find(good[i], &p) != ERR_OK || !p.shared) fail_msg("%s was refused", good[i]);
        assert_string_equal(p.store, good[i]);
    }
}

static void later_commands_find_the_store_that_was_remembered(void **state)
{
    struct store_place p, again;
    char path[300];
    (void)state;
    assert_int_equal(find(NULL, &p), ERR_OK);
    assert_false(p.shared);
    assert_string_equal(p.store, p.db);
    assert_int_equal(find("postgres://hub@db.example/spoke?schema=north", &p), ERR_OK);
    assert_int_equal(store_remember(&p, env_posix(), NULL), ERR_OK);
    assert_int_equal(find(NULL, &again), ERR_OK);
    assert_true(again.shared);
    assert_string_equal(again.store, p.store);
    assert_int_equal(find("sqlite:", &again), ERR_OK); /* said, it wins over the file */
    assert_false(again.shared);
    (void)snprintf(path, sizeof path, "%s/store", home);
    assert_int_equal(env_posix()->write_file(NULL, path, bytes_of_str("postgres://a:b@c/d\n"), NULL), ERR_OK);
    assert_int_equal(find(NULL, &again), ERR_USAGE);
    assert_int_equal(env_posix()->write_file(NULL, path, bytes_of_str("/var/lib/hub.db\n"), NULL), ERR_OK);
    assert_int_equal(find(NULL, &again), ERR_FORMAT);
}

/* What a database's administrator reads of the hub's own keys. */
static void a_hubs_own_keys_do_not_lie_readable_in_a_database(void **state)
{
    struct hub *hub = NULL;
    struct db *db = NULL;
    struct stmt *s;
    struct store_place p;
    struct why why = {0};
    bool row = false;
    (void)state;
    if (!test_store_is_postgres()) skip();
    assert_int_equal(hub_init(env_posix(), home, "Hub", passphrase(), &why), ERR_OK);
    assert_int_equal(find(NULL, &p), ERR_OK);
    assert_true(p.shared);
    assert_int_not_equal(access(p.db, F_OK), 0);
    assert_int_equal(db_open_postgres(&db, env_posix(), p.store, NULL, &why), ERR_OK);
    assert_int_equal(db_prepare(db, "SELECT value FROM secret_state WHERE name = 'identity'", &s, &why), ERR_OK);
    assert_int_equal(db_step(s, &row, &why), ERR_OK);
    assert_true(row);
    struct bytes v = db_bytes(s, 0);
    assert_true(v.n == 8 + 24 + 96 + 16 && memcmp(v.p, "SPKB\1\0\0\0", 8) == 0);
    db_done(s);
    /* One bit of it, and it is nobody's; so it is with another hub's key. */
    assert_int_equal(db_exec(db, "UPDATE secret_state SET value = substr(value, 1, 143) || x'00'", &why), ERR_OK);
    db_close(db);
    assert_int_equal(hub_open(&hub, env_posix(), home, passphrase(), &why), ERR_TAMPERED);
    assert_non_null(strstr(why.text, "not sealed under this hub's key file"));
}

static void a_finished_hub_is_not_made_again_and_its_schema_not_taken_by_another(void **state)
{
    struct store_place p;
    struct why why = {0};
    struct hub *hub = NULL;
    char other[300];
    (void)state;
    if (!test_store_is_postgres()) skip();
    assert_int_equal(hub_init(env_posix(), home, "Hub", passphrase(), &why), ERR_OK);
    assert_int_equal(find(NULL, &p), ERR_OK);
    const struct hub_place same = {.home = home, .store = p.store};
    assert_int_equal(hub_init_at(env_posix(), &same, "Again", passphrase(), &why), ERR_EXISTS);
    assert_int_equal(hub_init_at(env_posix(), &(struct hub_place){.home = home}, "Again", passphrase(), &why), ERR_EXISTS);
    (void)snprintf(other, sizeof other, "%s/other", home);
    const struct hub_place elsewhere = {.home = other, .store = p.store};
    assert_int_equal(hub_init_at(env_posix(), &elsewhere, "Other", passphrase(), &why), ERR_EXISTS);
    assert_int_equal(rmdir(other), 0); /* nothing is left of the try */
    assert_int_equal(hub_open(&hub, env_posix(), home, passphrase(), &why), ERR_OK);
    assert_string_equal(hub_name(hub), "Hub");
    hub_close(hub);
}

static enum err not_now(void *ctx, struct hub_clock *clock, struct why *why)
{
    (void)ctx, (void)clock;
    return why_set(why, ERR_DENIED, "Not you.");
}

/* It is only by its mark that a store is taken for one that moved. */
static void a_move_that_is_not_let_in_ends_there(void **state)
{
    const struct hub_pipe pipe = {0};
    struct why why = {0};
    struct hub *hub = NULL;
    struct dump_sum sum;
    (void)state;
    assert_int_equal(hub_init(env_posix(), home, "Hub", passphrase(), &why), ERR_OK);
    const struct hub_place from = {.home = home},
                           to = {.home = home, .store = test_store_is_postgres() ? "sqlite:" : "postgres:///none?schema=a"};
    assert_int_equal(hub_move(env_posix(), &from, &to, passphrase(), not_now, NULL, &pipe, &sum, &why), ERR_DENIED);
    assert_string_equal(why.text, "Not you.");
    assert_int_equal(hub_open(&hub, env_posix(), home, passphrase(), &why), ERR_OK);
    hub_close(hub);
}

static void a_move_that_was_cut_off_is_ended_by_a_security_administrator_alone(void **state)
{
    static const char hers[] = "a viewer's own passphrase";
    const struct hub_pipe pipe = {0};
    struct why why = {0};
    struct hub *hub = NULL;
    struct dump_sum sum;
    (void)state;
    assert_int_equal(hub_init(env_posix(), home, "Hub", passphrase(), &why), ERR_OK);
    assert_int_equal(hub_open(&hub, env_posix(), home, passphrase(), &why), ERR_OK);
    assert_int_equal(hub_admin_add(hub, "Vera", ROLE_VIEWER, bytes_of_str(hers), &why), ERR_OK);
    /* As such a move leaves the old store. */
    assert_int_equal(db_exec(hub_db(hub), "INSERT INTO h_counter(name, value) VALUES('moved', 1)", &why), ERR_OK);
    hub_close(hub);
    const struct hub_place from = {.home = home},
                           to = {.home = home, .store = test_store_is_postgres() ? "sqlite:" : "postgres:///none?schema=a"};
    assert_int_equal(hub_move(env_posix(), &from, &to, bytes_of_str(hers), NULL, NULL, &pipe, &sum, &why), ERR_REFUSED);
    assert_non_null(strstr(why.text, "security administrator"));
    assert_int_equal(hub_move(env_posix(), &from, &to, passphrase(), NULL, NULL, &pipe, &sum, &why), ERR_DENIED); /* not there */
}

struct copied {
    struct buf bytes;
};

static enum err keep_piece(void *ctx, struct bytes piece, struct why *why)
{
    (void)why;
    buf_put_bytes(&((struct copied *)ctx)->bytes, piece);
    return ERR_OK;
}

static enum err copy_and_stop(void *ctx, enum err (*write)(void *, const struct dump_sink *, struct why *),
                              enum err (*read)(void *, const struct dump_source *, struct why *), void *arg, struct why *why)
{
    const struct dump_sink sink = {ctx, keep_piece};
    (void)read;
    enum err e = write(arg, &sink, why);
    return e == ERR_OK ? why_set(why, ERR_FAILED, "The power went.") : e;
}

/* The last act of a move is given in the new store, after its end: a crash before it must not leave a move that nobody
 * logged. */
static void that_a_store_is_to_move_is_in_the_log_that_is_copied(void **state)
{
    struct copied got;
    const struct hub_pipe pipe = {&got, copy_and_stop};
    const bool back = test_store_is_postgres(); /* a test of files alone has no database to reach */
    struct why why = {0};
    struct hub *hub = NULL;
    struct stmt *s = NULL;
    bool row = false;
    (void)state;
    buf_init(&got.bytes, 64u << 20);
    assert_int_equal(hub_init(env_posix(), home, "Hub", passphrase(), &why), ERR_OK);
    const struct hub_place from = {.home = home}, to = {.home = home, .store = back ? "sqlite:" : "postgres:///none?host=/nowhere&schema=a"};
    assert_int_equal(hub_move(env_posix(), &from, &to, passphrase(), NULL, NULL, &pipe, NULL, &why), back ? ERR_FAILED : ERR_UNREACHABLE);
    if (back) assert_non_null(memmem(got.bytes.data, got.bytes.len, "store moving", 12));
    assert_int_equal(hub_open(&hub, env_posix(), home, passphrase(), &why), ERR_OK); /* where it was */
    assert_int_equal(db_prepare(hub_db(hub), "SELECT count(*) FROM h_act WHERE act = 'store moving'", &s, &why), ERR_OK);
    assert_int_equal(db_step(s, &row, &why), ERR_OK);
    assert_int_equal(db_int(s, 0), 1);
    db_done(s);
    hub_close(hub);
    buf_release(&got.bytes);
}

/* What SQLite has judged must mean the same: hub/STORE.md, "A policy". */
static void a_policy_that_would_mean_something_else_is_refused_with_its_line(void **state)
{
    static const char *const differing[] = {
        "SELECT id FROM agency WHERE code LIKE 'a%'",
        "SELECT id FROM agency WHERE length(code) / 0 = 1",
        "SELECT id FROM agency WHERE length(code) + 1 > 2",
        "SELECT id FROM agency LIMIT 1",
        "SELECT CAST(code AS INTEGER) FROM agency",
        "SELECT substr(code, -1) FROM agency",
        "SELECT x'00' FROM agency",
        "SELECT code /* /* */ FROM agency WHERE code LIKE 'b' -- */",
        "SELECT [code] FROM agency",
        "SELECT $1 FROM agency",
        "SELECT id FROM agency WHERE id < 'zz'",          /* never there; here a text would be taken for bytes */
        "SELECT id FROM agency WHERE id = '\\x00'",
        "SELECT id FROM agency WHERE version < '9'",      /* a number there, and here too, unless it is none: then the end */
        "SELECT id FROM agency UNION SELECT id FROM site INTERSECT SELECT id FROM site", /* of all, or of the last two */
        "SELECT a.id FROM agency a, site s RIGHT JOIN duty d ON d.id = s.id",            /* likewise */
        "SELECT a.id FROM agency a, site s FULL JOIN duty d ON d.id = s.id",
        "SELECT code || 'a'\n'b' FROM agency",            /* a name there; here the two are one text */
    };
    struct hub_fixture *f = hub_fixture_new(1);
    char text[400];
    (void)state;
    for (size_t i = 0; i < sizeof differing / sizeof differing[0]; i++) {
        struct why why = {0};
        (void)snprintf(text, sizeof text, "CREATE VIEW one(id) AS SELECT id FROM agency;\nCREATE VIEW two(id) AS %s\n;\n",
                       differing[i]);
        assert_int_equal(db_begin(f->h.db, &why), ERR_OK);
        enum err e = policy_text_install(f->h.db, bytes_of_str(text), true, &why);
        db_rollback(f->h.db);
        if (!test_store_is_postgres()) continue; /* it means there what it was judged to mean */
        if (e != ERR_USAGE || strncmp(why.text, "Line 2 of the policy: ", 22) != 0)
            fail_msg("%s: %s", differing[i], why.text);
    }
    hub_fixture_free(f);
}

/* Texts of the policy itself are compared by their bytes too: the order of a database's own language is another. */
static void a_policys_own_texts_compare_by_bytes(void **state)
{
    static const char text[] = "CREATE VIEW ranks(rank) AS SELECT 'Z' FROM policy_now UNION ALL SELECT 'a' FROM policy_now;\n"
                               "CREATE VIEW lower_ones(rank) AS SELECT rank FROM ranks WHERE rank < 'a' AND 'Z' < 'a';\n";
    struct hub_fixture *f = hub_fixture_new(1);
    struct why why = {0};
    (void)state;
    assert_int_equal(db_begin(f->h.db, &why), ERR_OK);
    if (policy_text_install(f->h.db, bytes_of_str(text), true, &why) != ERR_OK) fail_msg("%s", why.text);
    assert_int_equal(hub_fixture_number(f, "SELECT count(*) FROM temp.lower_ones WHERE rank = 'Z'"), 1);
    db_rollback(f->h.db);
    hub_fixture_free(f);
}

static void views_may_stand_in_any_order_and_have_comments(void **state)
{
    static const char text[] = "CREATE VIEW first(id) AS -- 'it asks the next\n SELECT id /* \" */ FROM second;\n"
                               "CREATE VIEW second(id) AS SELECT id FROM agency WHERE code||'x' <> 'a;b';\n";
    struct hub_fixture *f = hub_fixture_new(1);
    struct why why = {0};
    (void)state;
    assert_int_equal(db_begin(f->h.db, &why), ERR_OK);
    if (policy_text_install(f->h.db, bytes_of_str(text), true, &why) != ERR_OK) fail_msg("%s", why.text);
    assert_int_equal(hub_fixture_number(f, "SELECT count(*) FROM temp.first"), 0);
    db_rollback(f->h.db);
    hub_fixture_free(f);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, drop_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_password_in_an_address_is_refused),
        TEST(later_commands_find_the_store_that_was_remembered),
        TEST(a_hubs_own_keys_do_not_lie_readable_in_a_database),
        TEST(a_finished_hub_is_not_made_again_and_its_schema_not_taken_by_another),
        TEST(a_move_that_is_not_let_in_ends_there),
        TEST(a_move_that_was_cut_off_is_ended_by_a_security_administrator_alone),
        TEST(that_a_store_is_to_move_is_in_the_log_that_is_copied),
        TEST(a_policy_that_would_mean_something_else_is_refused_with_its_line),
        TEST(a_policys_own_texts_compare_by_bytes),
        TEST(views_may_stand_in_any_order_and_have_comments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
