/* The journal of a hub on PostgreSQL, with several processes: one writes the folder at a time, another one goes on when
 * it is gone, and nothing that any of them did, or anybody behind their backs, is missing. */
#include "cli/hub_pipe.h"
#include "sync/db_note.h"
#include "sync/db_postgres.h"
#include "tests/lib/journal_world.h"
#include "tests/lib/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char passphrase[] = "correct horse battery";

static void must_line(enum err e, const struct why *why, const char *what, int line)
{
    if (e != ERR_OK) fail_msg("%s (line %d): %s: %s", what, line, err_word(e), why->text);
}
#define MUST(call) must_line(call, &why, #call, __LINE__)

/* A process of the hub: the world's own, and another one. */
struct process {
    struct hub *hub;
    struct hub_redo_writer *writer;
};
static struct process one, two;
static struct ends_case k;
static struct db *psql; /* somebody at the database, who knows nothing of the hub's lock */
static char other_folder[320];

static int start(void **state)
{
    char url[TEST_STORE_URL];
    struct why why = {0};
    struct buf at;
    if (journal_start(state) != 0) return 1;
    one = (struct process){.hub = ends_hub->hub};
    MUST(hub_open(&two.hub, &ends_hub->env, ends_hub->dir, bytes_of_str(passphrase), &why));
    MUST(hub_redo_writer_new(&one.writer, &ends_hub->env, journal_folder(), &why));
    MUST(hub_redo_writer_new(&two.writer, &ends_hub->env, journal_folder(), &why));
    buf_init(&at, sizeof url);
    MUST(ends_hub->env.read_file(NULL, lost_home("store"), sizeof url - 1, &at, &why));
    (void)snprintf(url, sizeof url, "%.*s", (int)strcspn(buf_cstr(&at), "\n"), buf_cstr(&at));
    buf_release(&at);
    MUST(db_open_postgres(&psql, env_posix(), url, NULL, &why));
    MUST(db_exec(
        psql, "CREATE FUNCTION by_hand(sql TEXT) RETURNS bigint LANGUAGE plpgsql AS 'BEGIN EXECUTE sql; RETURN 1; END'",
        &why));
    (void)snprintf(other_folder, sizeof other_folder, "%s", lost_file("folder2"));
    if (mkdir(other_folder, 0700) != 0) return 1;
    ends_case(&k);
    (void)lost_backup("old");
    return 0;
}

static int stop(void **state)
{
    char command[400];
    db_close(psql);
    psql = NULL;
    hub_redo_writer_free(one.writer);
    hub_redo_writer_free(two.writer);
    hub_close(two.hub);
    one = two = (struct process){0};
    (void)snprintf(command, sizeof command, "rm -rf '%s'", other_folder);
    assert_int_equal(system(command), 0);
    return journal_stop(state);
}

/* Of the devices through the first process, and an act through the second. */
static void work(unsigned n)
{
    struct why why = {0};
    char word[40];
    (void)snprintf(word, sizeof word, "word %u", n);
    (void)ends_write(pol, "person", k.person, "family_name", word);
    (void)ends_sync(pol, ERR_OK);
    (void)ends_write(sam, "person", k.person, "given_names", word);
    MUST(hub_lease(two.hub, sam->kid, 9 + n % 5, &why));
    (void)ends_sync(sam, ERR_OK);
}

static enum err try_write(struct process *p, bool *out_more, struct why *why)
{
    enum err e = hub_redo_step(p->hub, p->writer, out_more, why);
    return e == ERR_OK && *out_more ? hub_redo_put(p->writer, why) : e;
}

static void write_all(struct process *p)
{
    struct why why = {0};
    for (bool more = true; more;) MUST(try_write(p, &more, &why));
}

/* As PostgreSQL sees the end of a process. */
static void kill_connection(struct process *p)
{
    char sql[160];
    struct stmt *s = NULL;
    struct why why = {0};
    bool row = false;
    MUST(db_prepare(hub_db(p->hub), "SELECT pg_backend_pid()", &s, &why));
    MUST(db_step(s, &row, &why));
    (void)snprintf(sql, sizeof sql, "SELECT CASE WHEN pg_terminate_backend(%lld, 10000) THEN 1 ELSE 0 END",
                   (long long)db_int(s, 0));
    db_done(s);
    MUST(db_prepare(psql, sql, &s, &why));
    MUST(db_step(s, &row, &why));
    assert_int_equal(db_int(s, 0), 1);
    db_done(s);
}

static void lose_all(void)
{
    hub_close(two.hub);
    two.hub = NULL;
    lost_destroy();
}

/* Into PostgreSQL and into a file: the same, row for row. */
static void comes_back(const struct dump_sum *want)
{
    struct why why = {0};
    struct dump_sum is;
    lose_all();
    (void)journal_restored("old");
    assert_true(db_is_postgres(hub_db(ends_hub->hub)));
    is = journal_sum();
    journal_same(want, &is);
    lost_destroy();
    MUST(journal_try_file("old", journal_folder(), &why));
    fake_hub_reopen(ends_hub);
    assert_false(db_is_postgres(hub_db(ends_hub->hub)));
    is = journal_sum();
    journal_same(want, &is);
    MUST(hub_verify(ends_hub->hub, &why));
}

static void one_process_writes_and_another_goes_on_where_it_was_killed(void **ctx)
{
    struct process *all[] = {&one, &two};
    struct why why = {0};
    (void)ctx;
    for (unsigned i = 0; i < 6; i++) {
        struct process *a = all[i % 2], *b = all[1 - i % 2];
        bool more = true;
        write_all(a); /* it is the one that writes */
        work(i);
        MUST(try_write(b, &more, &why));
        assert_false(more);
        MUST(try_write(a, &more, &why));
        assert_true(more);
        if (i > 2) MUST(hub_redo_step(a->hub, a->writer, &more, &why)); /* killed before it is noted, or after */
        kill_connection(a);
        work(i + 100);
        write_all(b);
        assert_int_equal(journal_state().waiting, 0);
    }
    struct dump_sum rows = journal_sum();
    comes_back(&rows);
}

/* Its network was away, not it: what it had at hand it writes all the same, late. */
static void what_one_writes_that_was_taken_over_from_meanwhile_counts_for_nothing(void **ctx)
{
    struct why why = {0};
    (void)ctx;
    write_all(&one);
    for (unsigned i = 0; i < 4; i++) {
        bool more = false;
        work(i);
        MUST(hub_redo_step(one.hub, one.writer, &more, &why));
        assert_true(more);
        kill_connection(&one);
        work(i + 100);
        if (i < 2) MUST(hub_redo_put(one.writer, &why)); /* before the other one writes, or after */
        write_all(&two);
        if (i >= 2) MUST(hub_redo_put(one.writer, &why));
        work(i + 200);
        MUST(try_write(&one, &more, &why));
        assert_false(more); /* it finds out */
        write_all(&two);
        kill_connection(&two);
        work(i + 300);
        write_all(&one); /* and goes on where the other one was */
    }
    struct dump_sum rows = journal_sum();
    comes_back(&rows);
}

static void is_refused(const char *words)
{
    struct why why = {0};
    bool more = false;
    char fault[REDO_FAULT_BYTES];
    enum err e = try_write(&two, &more, &why);
    if (e != ERR_NOTFOUND || strstr(why.text, words) == NULL) fail_msg("%s: %s", err_word(e), why.text);
    hub_redo_words(two.writer, e, &why, fault);
    assert_non_null(strstr(fault, other_folder));
    assert_true(journal_state().waiting > 0);
}

static void who_sees_another_folder_refuses_and_makes_no_gap(void **ctx)
{
    char command[800];
    struct why why = {0};
    (void)ctx;
    hub_redo_writer_free(two.writer);
    two.writer = NULL;
    MUST(hub_redo_writer_new(&two.writer, &ends_hub->env, other_folder, &why));
    work(1);
    write_all(&one);
    /* An empty one, and a copy that fell behind. */
    (void)snprintf(command, sizeof command, "cp '%s'/* '%s'", journal_folder(), other_folder);
    kill_connection(&one);
    work(2);
    is_refused("does not hold");
    hub_redo_rest(two.hub);
    write_all(&one);
    assert_int_equal(system(command), 0);
    work(3);
    write_all(&one); /* in the same part */
    work(4);
    kill_connection(&one);
    is_refused("does not hold the end of");
    hub_redo_rest(two.hub);
    write_all(&one); /* who has the folder goes on */
    assert_int_equal(journal_state().waiting, 0);
    struct dump_sum rows = journal_sum();
    comes_back(&rows);
}

/* A question, for which nobody waits for the hub's lock. */
static void at_psql(const char *sql)
{
    struct stmt *s = NULL;
    struct why why = {0};
    bool row = false;
    MUST(db_prepare(psql, "SELECT by_hand($1)", &s, &why));
    db_bind_str(s, 1, sql);
    MUST(db_step(s, &row, &why));
    assert_true(row);
    db_done(s);
}

static void a_row_that_was_changed_behind_the_hubs_back_is_in_the_journal(void **ctx)
{
    struct why why = {0};
    bool more = false;
    (void)ctx;
    write_all(&one);
    at_psql("UPDATE agency SET name = 'Renamed at the database' WHERE code = 'school'");
    at_psql("INSERT INTO h_state(name, value) VALUES('by_hand', '1')");
    at_psql("TRUNCATE h_held_case");
    /* No transaction of the hub follows: it is found all the same. */
    assert_int_equal(journal_state().waiting, 1);
    assert_true(journal_state().waiting_since > 0);
    MUST(try_write(&one, &more, &why));
    assert_true(more);
    write_all(&one);
    struct dump_sum rows = journal_sum();
    comes_back(&rows);
    assert_int_equal(fake_hub_int(ends_hub, "SELECT count(*) FROM agency WHERE name = 'Renamed at the database'"), 1);
    assert_int_equal(fake_hub_int(ends_hub, "SELECT count(*) FROM h_state WHERE name = 'by_hand'"), 1);
}

/* Processes that were open before hear of it by nobody, and are not asked to. */
static void a_journal_that_one_process_begins_has_what_all_of_them_do_and_after_its_end_nothing_is_noted(void **ctx)
{
    struct why why = {0};
    bool more = true;
    (void)ctx;
    MUST(hub_redo_end(two.hub, "to begin with", &why));
    work(1);
    MUST(try_write(&one, &more, &why));
    assert_false(more);
    assert_int_equal(fake_hub_int(ends_hub, "SELECT count(*) FROM spoke_touched"), 0);
    assert_int_equal(
        fake_hub_int(ends_hub, "SELECT count(*) FROM pg_catalog.pg_trigger WHERE tgrelid = to_regclass('person') AND "
                               "CAST(tgname AS TEXT) IN ('spoke_note', 'spoke_note_all')"),
        0);
    MUST(hub_redo_begin(two.hub, "now", &why));
    MUST(hub_redo_begin(one.hub, NULL, &why)); /* as a server that starts: it is there */
    journal_remember();
    (void)lost_backup("old");
    work(2);
    write_all(&one);
    struct dump_sum rows = journal_sum();
    comes_back(&rows);
}

static void gathered_by_any_process_it_waits_for_who_writes(void **ctx)
{
    struct why why = {0};
    (void)ctx;
    write_all(&one);
    int64_t made = journal_state().made;
    work(1);
    MUST(hub_redo_gather(two.hub, &why));
    assert_int_equal(journal_state().made, made + 1);
    assert_int_equal(journal_state().waiting, 1);
    MUST(hub_redo_gather(two.hub, &why)); /* nothing changed since */
    assert_int_equal(journal_state().made, made + 1);
    write_all(&one);
    assert_int_equal(journal_state().written, made + 1);
}

static void move(const char *to)
{
    const struct hub_pipe pipe = hub_pipe();
    const struct hub_place from = {.home = ends_hub->dir}, there = {.home = ends_hub->dir, .store = to};
    struct why why = {0};
    hub_close(ends_hub->hub);
    ends_hub->hub = NULL;
    MUST(hub_move(&ends_hub->env, &from, &there, bytes_of_str(passphrase), NULL, NULL, &pipe, NULL, &why));
    fake_hub_reopen(ends_hub);
}

static void work_alone(const char *word)
{
    (void)ends_write(pol, "person", k.person, "family_name", word);
    (void)ends_sync(pol, ERR_OK);
}

static struct hub *ends_it; /* when the next hub that is opened looks whether its tables are noted; NULL: nobody */
enum err __real_db_note_holds(struct db *db, const struct db_note_options *opt, bool *out, struct why *why);
enum err __wrap_db_note_holds(struct db *db, const struct db_note_options *opt, bool *out, struct why *why);
enum err __wrap_db_note_holds(struct db *db, const struct db_note_options *opt, bool *out, struct why *why)
{
    struct hub *h = ends_it;
    ends_it = NULL;
    if (h != NULL) must_line(hub_redo_end(h, "the folder's machine is given up", why), why, "the end", __LINE__);
    return __real_db_note_holds(db, opt, out, why);
}

/* Whoever opened the hub knew of a journal, and finds nothing noted: that is no gap in it. */
static void a_journal_that_is_ended_while_somebody_opens_the_hub_stays_ended(void **ctx)
{
    struct why why = {0};
    (void)ctx;
    hub_close(two.hub);
    two.hub = NULL;
    ends_it = one.hub;
    MUST(hub_open(&two.hub, &ends_hub->env, ends_hub->dir, bytes_of_str(passphrase), &why));
    assert_null(ends_it);
    assert_int_equal(fake_hub_int(ends_hub, "SELECT count(*) FROM h_act WHERE act = 'journal ended'"), 1);
    assert_false(journal_state().on);
    assert_int_equal(fake_hub_int(ends_hub, "SELECT count(*) FROM pg_catalog.pg_trigger WHERE tgrelid = to_regclass('person')"
                                            " AND CAST(tgname AS TEXT) LIKE 'spoke_note%'"),
                     0);
    work(1);
    MUST(hub_redo_gather(two.hub, &why));
    assert_int_equal(fake_hub_int(ends_hub, "SELECT count(*) FROM h_redo"), 0);
    MUST(hub_redo_begin(two.hub, "another machine has it", &why)); /* and can be begun again */
    assert_true(journal_state().on);
    assert_int_equal(journal_state().gave_up, 0);
}

/* One journal: from a backup of the first store everything that was done in all three. */
static void a_hub_that_moves_from_store_to_store_takes_its_journal_along(void **ctx)
{
    char store[TEST_STORE_URL];
    (void)ctx;
    struct why why = {0};
    uint64_t size = 0;
    bool more = true;
    struct hub_redo_state was = journal_state();
    work(1);
    write_all(&one);
    was = journal_state();
    work(2); /* and this is not written, nor even gathered, when it moves */
    kill_connection(&one);
    move("sqlite:");
    /* A server of the old store that has not found out yet writes nothing. */
    MUST(try_write(&two, &more, &why));
    assert_false(more);
    assert_int_equal(ends_hub->env.file_size(NULL, journal_part(was.part + 1), &size, &why), ERR_NOTFOUND);
    assert_false(db_is_postgres(hub_db(ends_hub->hub)));
    assert_memory_equal(journal_state().id, was.id, sizeof was.id);
    assert_int_equal(journal_state().gave_up, 0);
    assert_true(journal_state().waiting > 0);
    work_alone("in a file");
    journal_write(true);
    work_alone("in a file still");
    test_store_url(store, sizeof store);
    move(store);
    assert_true(db_is_postgres(hub_db(ends_hub->hub)));
    assert_memory_equal(journal_state().id, was.id, sizeof was.id);
    assert_int_equal(journal_state().gave_up, 0);
    work_alone("back");
    journal_write(true);
    struct dump_sum rows = journal_sum();
    lost_destroy();
    (void)journal_restored("old");
    struct dump_sum is = journal_sum();
    journal_same(&rows, &is);
    assert_int_equal(fake_hub_int(ends_hub, "SELECT count(*) FROM person WHERE family_name = 'back'"), 1);
    assert_int_equal(fake_hub_int(ends_hub, "SELECT count(*) FROM h_act WHERE act = 'store moved'"), 2);
}

int main(void)
{
#define CLAIM(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        CLAIM(one_process_writes_and_another_goes_on_where_it_was_killed),
        CLAIM(what_one_writes_that_was_taken_over_from_meanwhile_counts_for_nothing),
        CLAIM(who_sees_another_folder_refuses_and_makes_no_gap),
        CLAIM(a_row_that_was_changed_behind_the_hubs_back_is_in_the_journal),
        CLAIM(a_journal_that_one_process_begins_has_what_all_of_them_do_and_after_its_end_nothing_is_noted),
        CLAIM(gathered_by_any_process_it_waits_for_who_writes),
        CLAIM(a_journal_that_is_ended_while_somebody_opens_the_hub_stays_ended),
        CLAIM(a_hub_that_moves_from_store_to_store_takes_its_journal_along),
    };
    if (!test_store_is_postgres()) {
        puts("Only on PostgreSQL (tests/postgres/run): one process at a time has a file.");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
