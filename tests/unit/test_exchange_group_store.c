/* Several requests in one commit (hub/STORE.md), and a store that fails: within it, at the commit, or with the hub's
 * end. Nothing leaves before the commit. */
#include "sync/db.h"
#include "tests/lib/group_world.h"
#include "tests/lib/test_store.h"

#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void sql(const char *text)
{
    struct why why = {0};
    if (db_exec(hub_db(round_hub->hub), text, &why) != ERR_OK) fail_msg("%s", why.text);
}

/* The store refuses one row: the statement, or (how) the whole transaction, which no savepoint heals. */
static void poison(const char *how)
{
    char text[300];
    (void)snprintf(text, sizeof text, "CREATE TRIGGER poison BEFORE INSERT ON person WHEN NEW.family_name = 'Poison' BEGIN SELECT "
                   "RAISE(%s, 'no'); END", how);
    sql(test_store_sql(text, "ALTER TABLE person ADD CONSTRAINT poison CHECK (family_name <> 'Poison') NOT VALID"));
}

static void antidote(void)
{
    sql(test_store_sql("DROP TRIGGER poison", "ALTER TABLE person DROP CONSTRAINT poison"));
}

static void one_is_poisoned(const char *how, size_t bad)
{
    struct hub_asked v[GROUP_MANY];
    int64_t steps = group_version(), before = group_people();
    poison(how);
    for (size_t i = 0; i < GROUP_MANY; i++) group_pack(group_devices[i], i == bad ? "Poison" : "Smith");
    size_t taken = group_together(v, GROUP_MANY);
    assert_true(taken > bad);
    for (size_t i = 0; i < taken; i++) {
        group_must(&v[i], i == bad ? ERR_FAILED : ERR_OK);
        if (i != bad) group_read_applied(group_devices[i]);
    }
    assert_int_equal(group_devices[bad]->got.len, 0);
    assert_int_equal(group_people(), before + (int64_t)taken - 1);
    assert_int_equal(group_version(), steps + (int64_t)taken - 1);
    antidote();
    for (size_t i = 0; i < GROUP_MANY; i++)
        if (i == bad || i >= taken) assert_int_equal(fake_node_send(group_devices[i], false), ERR_OK);
    assert_int_equal(group_people(), before + GROUP_MANY);
    group_all_is_well();
    group_settle(GROUP_MANY);
}

static void a_store_error_is_that_requests_alone_wherever_it_stands(void **state)
{
    (void)state;
    one_is_poisoned("ABORT", GROUP_MANY / 2);
    one_is_poisoned("ABORT", GROUP_MANY - 1); /* what is left of it in memory would be committed */
    one_is_poisoned("ABORT", 0);
}

/* As on a full disk. */
static void where_the_store_undoes_everything_each_is_taken_alone(void **state)
{
    (void)state;
    if (test_store_file_only("only SQLite undoes a whole transaction by itself")) return;
    one_is_poisoned("ROLLBACK", GROUP_MANY / 2);
}

/* The server ends the session in the middle of the fifth. */
static void where_the_database_goes_away_all_are_told_so_and_come_again(void **state)
{
    (void)state;
    struct hub_asked v[8];
    if (!test_store_is_postgres()) return;
    int64_t steps = group_version(), before = group_people();
    sql("ALTER TABLE person ADD CONSTRAINT poison CHECK (family_name <> 'Last' OR pg_terminate_backend(pg_backend_pid())) NOT VALID");
    for (size_t i = 0; i < 8; i++) group_pack(group_devices[i], i == 4 ? "Last" : "Smith");
    size_t taken = group_together(v, 8);
    assert_int_equal(taken, 5);
    for (size_t i = 0; i < taken; i++) {
        group_must(&v[i], ERR_UNREACHABLE);
        assert_int_equal(group_devices[i]->got.len, 0);
    }
    sql("ALTER TABLE person DROP CONSTRAINT poison");
    assert_int_equal(group_people(), before);
    assert_int_equal(group_version(), steps);
    assert_int_equal(group_together(v, 8), 8);
    for (size_t i = 0; i < 8; i++) {
        group_must(&v[i], ERR_OK);
        group_read_applied(group_devices[i]);
    }
    assert_int_equal(group_version(), steps + 8);
    group_all_is_well();
    group_settle(8);
}

/* ---- the commit fails */

static int no_commit(void *ctx)
{
    (void)ctx;
    return 1; /* sqlite3_commit_hook: a rollback */
}

/* On PostgreSQL a number that is written at the end is to be found elsewhere, which is looked at when the transaction
 * commits. */
static void commits_fail(void)
{
    if (!test_store_is_postgres()) {
        (void)sqlite3_commit_hook(db_sqlite(hub_db(round_hub->hub)), no_commit, NULL);
        return;
    }
    sql("CREATE TABLE at_commit(x INTEGER PRIMARY KEY)");
    sql("ALTER TABLE h_step_time ADD CONSTRAINT no_commit FOREIGN KEY (version) REFERENCES at_commit(x) DEFERRABLE INITIALLY DEFERRED "
        "NOT VALID");
}

static void commits_work_again(void)
{
    if (!test_store_is_postgres()) {
        (void)sqlite3_commit_hook(db_sqlite(hub_db(round_hub->hub)), NULL, NULL);
        return;
    }
    sql("ALTER TABLE h_step_time DROP CONSTRAINT no_commit");
    sql("DROP TABLE at_commit");
}

static void when_the_commit_fails_no_answer_leaves_and_all_come_again(void **state)
{
    (void)state;
    struct hub_asked v[4];
    uint8_t before[32], after[32];
    for (size_t i = 0; i < 2; i++) group_pack(group_devices[i], "Smith");
    group_devices[2]->wait_ms = 1000;
    group_pack(group_devices[2], NULL);
    group_pack(group_devices[3], "Smith");
    group_devices[3]->sent.data[group_devices[3]->sent.len - 1] ^= 1;
    int64_t steps = group_version(), leaves = group_count("SELECT count(*) FROM h_leaf");
    fake_hub_hash(round_hub, before);
    commits_fail();
    for (size_t i = 0; i < 4; i++) group_ask(&v[i], group_devices[i], i == 2);
    assert_int_equal(hub_exchange_all(round_hub->hub, v, 4), 4);
    commits_work_again();
    for (size_t i = 0; i < 4; i++) {
        assert_int_not_equal(v[i].e, ERR_OK);
        assert_int_equal(v[i].e, v[0].e); /* also who would have been parked, or refused */
        assert_int_equal(group_devices[i]->got.len, 0);
        assert_false(v[i].result.parked || v[i].result.moved);
        assert_int_equal(v[i].result.verdicts[VERDICT_APPLIED], 0);
    }
    fake_hub_hash(round_hub, after);
    assert_memory_equal(before, after, 32);
    assert_int_equal(group_version(), steps);
    assert_int_equal(group_count("SELECT count(*) FROM h_leaf"), leaves);
    assert_int_equal(group_count("SELECT count(*) FROM h_act WHERE act = 'forked'"), 0);
    for (size_t i = 0; i < 4; i++) group_ask(&v[i], group_devices[i], i == 2);
    assert_int_equal(hub_exchange_all(round_hub->hub, v, 4), 4); /* the very same bytes */
    for (size_t i = 0; i < 2; i++) {
        group_must(&v[i], ERR_OK);
        group_read_applied(group_devices[i]);
    }
    group_must(&v[2], ERR_OK);
    assert_false(v[2].result.parked); /* it has news now, of those before it */
    fake_node_read(group_devices[2]);
    group_must(&v[3], ERR_TAMPERED);
    assert_int_equal(group_version(), steps + 2);
    group_devices[2]->wait_ms = 0;
    group_devices[3]->sent.data[group_devices[3]->sent.len - 1] ^= 1;
    assert_int_equal(fake_node_send(group_devices[3], false), ERR_OK);
    group_all_is_well();
    group_settle(4);
}

static int die(void *ctx)
{
    (void)ctx;
    _exit(42);
}

static void a_hub_that_dies_at_the_commit_has_told_nobody_and_takes_all_of_it_again(void **state)
{
    (void)state;
    struct hub_asked v[8];
    int status = 0;
    if (test_store_file_only("tests/postgres/kill kills hubs on PostgreSQL")) return;
    int64_t before = group_people(), steps = group_version();
    for (size_t i = 0; i < 8; i++) group_pack(group_devices[i], "Smith");
    hub_close(round_hub->hub);
    round_hub->hub = NULL;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        fake_hub_reopen(round_hub);
        (void)sqlite3_commit_hook(db_sqlite(hub_db(round_hub->hub)), die, NULL);
        (void)group_together(v, 8);
        _exit(1); /* it came past its commit */
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 42);
    fake_hub_reopen(round_hub);
    assert_int_equal(group_people(), before);
    assert_int_equal(group_version(), steps);
    assert_int_equal(group_together(v, 8), 8);
    for (size_t i = 0; i < 8; i++) {
        group_must(&v[i], ERR_OK);
        group_read_applied(group_devices[i]);
    }
    assert_int_equal(group_people(), before + 8);
    group_all_is_well();
    group_settle(8);
}

/* ---- refusals */

static int count_commit(void *ctx)
{
    ++*(int *)ctx;
    return 0;
}

/* Each time as a device that was put back would ask: with a number that was answered. */
static void ask_as_a_copy(struct hub_asked *a, struct fake_node *n, struct buf *request)
{
    buf_init(request, 1u << 20);
    n->request--;
    fake_node_pack(n);
    n->request++;
    buf_put_bytes(request, buf_bytes(&n->sent));
    group_ask(a, n, false);
    a->request = buf_bytes(request);
}

/* Whoever knows a device's id, or has a copy of it, makes nobody else wait for commits. */
static void refusals_are_written_in_the_same_commit_also_where_a_device_asks_twice(void **state)
{
    struct fake_node *copy = group_devices[GROUP_MANY - 1], *other = group_devices[GROUP_MANY - 2];
    struct hub_asked v[5];
    struct buf request[3];
    int commits = 0;
    (void)state;
    int64_t refused = group_count("SELECT count(*) FROM h_act WHERE act = 'refused'");
    group_pack(group_devices[0], "Smith");
    group_pack(group_devices[1], "Smith");
    group_ask(&v[0], group_devices[0], false);
    ask_as_a_copy(&v[1], copy, &request[0]);
    ask_as_a_copy(&v[2], copy, &request[1]);
    ask_as_a_copy(&v[3], other, &request[2]);
    group_ask(&v[4], group_devices[1], false);
    if (!test_store_is_postgres()) (void)sqlite3_commit_hook(db_sqlite(hub_db(round_hub->hub)), count_commit, &commits);
    assert_int_equal(hub_exchange_all(round_hub->hub, v, 5), 5);
    if (!test_store_is_postgres()) (void)sqlite3_commit_hook(db_sqlite(hub_db(round_hub->hub)), NULL, NULL);
    group_must(&v[0], ERR_OK);
    for (size_t i = 1; i < 4; i++) group_must(&v[i], ERR_REFUSED);
    group_must(&v[4], ERR_OK);
    if (!test_store_is_postgres()) assert_int_equal(commits, 1);
    assert_true(group_count("SELECT count(*) FROM h_act WHERE act = 'refused'") >= refused + 2);
    assert_int_equal(group_count("SELECT count(*) FROM h_node WHERE state = 'forked'"), 2);
    for (size_t i = 0; i < 3; i++) buf_release(&request[i]);
    for (size_t i = 0; i < 2; i++) group_read_applied(group_devices[i]);
    group_all_is_well();
    group_settle(2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_error_is_that_requests_alone_wherever_it_stands),
        cmocka_unit_test(where_the_store_undoes_everything_each_is_taken_alone),
        cmocka_unit_test(where_the_database_goes_away_all_are_told_so_and_come_again),
        cmocka_unit_test(when_the_commit_fails_no_answer_leaves_and_all_come_again),
        cmocka_unit_test(a_hub_that_dies_at_the_commit_has_told_nobody_and_takes_all_of_it_again),
        cmocka_unit_test(refusals_are_written_in_the_same_commit_also_where_a_device_asks_twice), /* the copies are of no use after it */
    };
    return cmocka_run_group_tests_name("exchange_group_store", tests, group_start, group_stop);
}
