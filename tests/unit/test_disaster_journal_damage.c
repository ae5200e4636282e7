/* Journals that must not bring a hub back, or not so: cut off, damaged, incomplete, forged, another's, too old. */
#include "crypto/hash.h"
#include "hub/redo_part.h"
#include "tests/lib/journal_world.h"
#include "tests/lib/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define FILE_MAX (64u << 20)

static void must_line(enum err e, const struct why *why, const char *what, int line)
{
    if (e != ERR_OK) fail_msg("%s (line %d): %s: %s", what, line, err_word(e), why->text);
}
#define MUST(call) must_line(call, &why, #call, __LINE__)

static struct ends_case k;
static struct dump_sum before_last, last; /* after the last write but one, and after the last */

static void load(int64_t part, struct buf *b)
{
    struct why why = {0};
    buf_init(b, FILE_MAX);
    MUST(ends_hub->env.read_file(ends_hub->env.ctx, journal_part(part), FILE_MAX, b, &why));
}

static void store(int64_t part, struct bytes content)
{
    struct why why = {0};
    MUST(ends_hub->env.write_file(ends_hub->env.ctx, journal_part(part), content, &why));
}

/* One change by each of two devices, each round a transaction. */
static void work(const char *word)
{
    (void)ends_write(pol, "person", k.person, "family_name", word);
    (void)ends_sync(pol, ERR_OK);
    journal_noted();
    (void)ends_write(sam, "person", k.person, "given_names", word);
    (void)ends_sync(sam, ERR_OK);
    journal_noted();
}

/* A backup, which has all of part 1; part 2 with some of the work, part 3 with more, part 4 with the rest; and the hub
 * is lost. */
static void lose(void)
{
    ends_case(&k);
    journal_write(false);
    (void)lost_backup("old");
    work("Archer");
    journal_write(false);
    work("Brewer");
    journal_write(true);
    work("Carter");
    journal_write(true);
    before_last = journal_sum();
    struct why why = {0};
    MUST(hub_lease(ends_hub->hub, pol->kid, 9, &why)); /* one transaction */
    journal_write(false);
    assert_int_equal(journal_state().part, 4);
    last = journal_sum();
    lost_destroy();
}

static void comes_back_as(const struct dump_sum *want)
{
    (void)journal_restored("old");
    struct dump_sum is = journal_sum();
    journal_same(want, &is);
}

static void is_refused(enum err want, const char *words)
{
    struct why why = {0};
    uint64_t size = 0;
    enum err e = journal_try("old", journal_folder(), false, NULL, &why);
    if (e != want) fail_msg("%s: %s", err_word(e), why.text);
    if (strstr(why.text, words) == NULL) fail_msg("%s", why.text);
    /* and nothing stands where the hub was to be */
    assert_int_equal(ends_hub->env.file_size(NULL, lost_home("hub.key"), &size, NULL), ERR_NOTFOUND);
    assert_int_equal(ends_hub->env.file_size(NULL, lost_home("hub.db"), &size, NULL), ERR_NOTFOUND);
}

static struct hub_restored until_damage(void)
{
    struct why why = {0};
    struct hub_restored told = {0};
    MUST(journal_try("old", journal_folder(), true, &told, &why));
    assert_true(told.damaged);
    return told;
}

/* Where each entry of a part begins; the last is the end of the file. */
static size_t entries(struct bytes part, size_t at[64])
{
    struct bytes left = part, frame;
    size_t n = 0;
    while (left.n > 0 && n < 63) {
        at[n++] = part.n - left.n;
        assert_true(redo_get_frame(&left, &frame));
    }
    at[n] = part.n;
    return n;
}

static void a_last_entry_that_was_cut_off_anywhere_is_left_out(void **ctx)
{
    struct buf b;
    size_t at[64];
    (void)ctx;
    lose();
    load(4, &b);
    size_t n = entries(buf_bytes(&b), at);
    const size_t ends[] = {at[n - 1], at[n - 1] + 1, at[n - 1] + 9, at[n] - 1};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        store(4, bytes_of(b.data, ends[i]));
        comes_back_as(&before_last);
        lost_destroy();
    }
    /* What was never written reads as zeros; or as anything. */
    memset(b.data + at[n - 1], 0, at[n] - at[n - 1]);
    store(4, buf_bytes(&b));
    comes_back_as(&before_last);
    lost_destroy();
    b.data[at[n - 1]] = 0x42;
    store(4, buf_bytes(&b));
    comes_back_as(&before_last);
    buf_release(&b);
}

static void a_part_that_was_begun_and_no_more_is_left_out(void **ctx)
{
    struct buf b;
    (void)ctx;
    lose();
    load(4, &b);
    store(5, bytes_of(b.data, 7));
    comes_back_as(&last);
    lost_destroy();
    store(5, bytes_of("", 0));
    comes_back_as(&last);
    buf_release(&b);
}

/* Who writes to the folder shall not keep a restore busy for hours. */
static void an_end_that_is_full_of_what_looks_like_entries_refuses_the_whole(void **ctx)
{
    static const uint8_t look[26] = {0x58, 24, 0x83, 1};
    struct buf b;
    (void)ctx;
    lose();
    load(4, &b);
    for (int i = 0; i < 2000; i++) buf_put(&b, look, sizeof look);
    store(4, buf_bytes(&b));
    is_refused(ERR_TAMPERED, "damaged");
    buf_release(&b);
}

/* As of a hub whose machine was set back, and which went on in the same folder. */
static void the_journal_of_a_hub_that_was_this_one_once_is_refused(void **ctx)
{
    struct why why = {0};
    (void)ctx;
    ends_case(&k);
    journal_write(false);
    MUST(db_exec(hub_db(ends_hub->hub), "UPDATE h_redo_state SET chain = CAST(substr(chain, 2) || substr(chain, 1, 1) AS BLOB)", &why));
    (void)lost_backup("old");
    MUST(db_exec(hub_db(ends_hub->hub), "UPDATE h_redo_state SET chain = CAST(substr(chain, 32) || substr(chain, 1, 31) AS BLOB)", &why));
    work("Archer");
    journal_write(false);
    lost_destroy();
    is_refused(ERR_TAMPERED, "two hubs");
    assert_int_equal(unlink(journal_part(1)), 0); /* also by what follows it alone */
    is_refused(ERR_TAMPERED, "two hubs");
}

static void a_byte_that_changed_before_other_entries_refuses_the_whole_and_says_so(void **ctx)
{
    struct buf b;
    size_t at[64];
    (void)ctx;
    lose();
    load(4, &b);
    size_t n = entries(buf_bytes(&b), at);
    assert_true(n > 3);
    const size_t where[] = {3, at[1], at[1] + 1, at[1] + 30, at[2] - 1, at[2] + 100, at[n - 1] - 1};
    for (size_t i = 0; i < sizeof where / sizeof where[0]; i++) {
        b.data[where[i]] ^= 0x10;
        store(4, buf_bytes(&b));
        is_refused(ERR_TAMPERED, "damaged");
        b.data[where[i]] ^= 0x10;
    }
    /* Said that it shall: what is whole before it, and devices give the rest. */
    b.data[at[1] + 30] ^= 0x10;
    store(4, buf_bytes(&b));
    assert_true(until_damage().transactions > 0);
    fake_hub_reopen(ends_hub);
    ends_all_sync();
    ends_all_sync();
    assert_string_equal(lost_status().state, "done");
    ends_shows(ann, "person", k.person, "family_name", "Carter");
    buf_release(&b);
}

static void entries_that_were_taken_out_or_changed_places_are_found(void **ctx)
{
    struct buf b, changed;
    size_t at[64];
    (void)ctx;
    lose();
    load(4, &b);
    size_t n = entries(buf_bytes(&b), at);
    assert_true(n > 3);
    buf_init(&changed, FILE_MAX);
    buf_put(&changed, b.data, at[1]);
    buf_put(&changed, b.data + at[2], at[n] - at[2]);
    store(4, buf_bytes(&changed));
    is_refused(ERR_TAMPERED, "missing");
    buf_reset(&changed);
    buf_put(&changed, b.data, at[1]);
    buf_put(&changed, b.data + at[2], at[3] - at[2]);
    buf_put(&changed, b.data + at[1], at[2] - at[1]);
    buf_put(&changed, b.data + at[3], at[n] - at[3]);
    store(4, buf_bytes(&changed));
    is_refused(ERR_TAMPERED, "missing");
    /* One twice: it is behind what it follows. */
    buf_reset(&changed);
    buf_put(&changed, b.data, at[2]);
    buf_put(&changed, b.data + at[1], at[n] - at[1]);
    store(4, buf_bytes(&changed));
    is_refused(ERR_TAMPERED, "missing");
    buf_release(&changed);
    buf_release(&b);
}

static void a_part_that_is_missing_refuses_the_whole(void **ctx)
{
    struct why why = {0};
    struct buf b;
    (void)ctx;
    lose();
    load(2, &b);
    assert_int_equal(unlink(journal_part(1)), 0); /* nothing of it is missed */
    assert_int_equal(unlink(journal_part(3)), 0);
    is_refused(ERR_TAMPERED, "missing");
    assert_true(until_damage().transactions > 0);
    lost_copy(lost_home("recovery.key"), lost_file("recovery.key"));
    fake_hub_reopen(ends_hub);
    lost_destroy();
    assert_int_equal(unlink(journal_part(2)), 0);
    is_refused(ERR_NOTFOUND, "begins later");
    assert_int_equal(unlink(journal_part(4)), 0);
    is_refused(ERR_NOTFOUND, "does not hold");
    assert_int_equal(journal_try("old", lost_file("nowhere"), false, NULL, &why), ERR_NOTFOUND);
    store(2, buf_bytes(&b));
    (void)journal_restored("old"); /* its end alone is missing: as if it lagged */
    buf_release(&b);
}

/* Whoever may write into the folder knows all but the hub's signing key. */
static void what_another_signed_is_refused(void **ctx)
{
    struct identity_secret other;
    struct why why = {0};
    struct redo_head head;
    struct redo_entry m;
    struct buf b, forged;
    uint8_t after[HASH_BYTES];
    (void)ctx;
    struct identity hub = *hub_identity(ends_hub->hub);
    lose();
    MUST(identity_generate(&other, &why));
    load(4, &b);
    struct bytes left = buf_bytes(&b);
    MUST(redo_get_head(&left, &hub, &head, &why));
    MUST(redo_get_entry(&left, &hub, &m, &why));
    buf_init(&forged, FILE_MAX);
    MUST(redo_put_head(&forged, &other, &head, &why));
    buf_put_bytes(&forged, bytes_of(b.data + forged.len, b.len - forged.len));
    store(4, buf_bytes(&forged));
    is_refused(ERR_TAMPERED, "damaged");
    /* The hub's own beginning, and one entry of somebody else before the rest. */
    size_t first = b.len - left.n; /* behind that entry */
    left = buf_bytes(&b);
    MUST(redo_get_head(&left, &hub, &head, &why));
    buf_reset(&forged);
    buf_put(&forged, b.data, b.len - left.n);
    MUST(redo_put_entry(&forged, &other, &m, after, &why));
    buf_put(&forged, b.data + first, b.len - first);
    store(4, buf_bytes(&forged));
    is_refused(ERR_TAMPERED, "not from this hub");
    identity_release(&other);
    buf_release(&forged);
    buf_release(&b);
}

static void the_journal_of_another_hub_is_none(void **ctx)
{
    struct why why = {0};
    (void)ctx;
    ends_case(&k);
    (void)lost_backup("old");
    work("Archer");
    journal_write(false);
    /* This journal ends, and another begins, as a hub in the same folder would have one. */
    MUST(hub_redo_begin(ends_hub->hub, "the disk was replaced", &why));
    assert_false(journal_state().joined);
    journal_write(false);
    assert_int_equal(unlink(journal_part(1)), 0);
    assert_int_equal(unlink(journal_part(2)), 0);
    lost_destroy();
    is_refused(ERR_NOTFOUND, "does not hold");
    MUST(journal_try("old", NULL, false, NULL, &why)); /* the backup alone */
    fake_hub_reopen(ends_hub);
}

static void a_backup_from_before_the_journal_says_so(void **ctx)
{
    struct why why = {0};
    (void)ctx;
    MUST(hub_redo_end(ends_hub->hub, "to begin with", &why));
    assert_false(journal_state().on);
    ends_case(&k);
    (void)lost_backup("old");
    MUST(hub_redo_begin(ends_hub->hub, NULL, &why));
    journal_remember();
    work("Archer");
    journal_write(false);
    lost_destroy();
    is_refused(ERR_NOTFOUND, "before the hub kept a journal");
}

/* The folder fell behind, and then the backup was made. */
static void a_journal_that_ends_before_the_backup_adds_nothing(void **ctx)
{
    (void)ctx;
    ends_case(&k);
    journal_write(false);
    work("Archer");
    (void)lost_backup("old");
    struct dump_sum rows = journal_sum();
    lost_destroy();
    struct hub_restored told = journal_restored("old");
    assert_int_equal(told.transactions, 0);
    assert_int_equal(told.until_ms, 0);
    assert_int_equal(lost_status().journal_at_ms, 0);
    struct dump_sum is = journal_sum();
    for (size_t i = 0; i < rows.n; i++) /* what is noted of a backup comes after it */
        if (strcmp(rows.table[i].name, "h_covered") == 0 || strcmp(rows.table[i].name, "h_node") == 0)
            memcpy(is.table[i].hash, rows.table[i].hash, HASH_BYTES);
    journal_same(&rows, &is);
}

static void a_restored_hub_begins_a_journal_of_its_own(void **ctx)
{
    struct hub_redo_state was;
    struct why why = {0};
    (void)ctx;
    ends_case(&k);
    (void)lost_backup("old");
    was = journal_state();
    journal_write(false);
    lost_destroy();
    (void)journal_restored("old");
    assert_false(journal_state().on);
    ends_hub->now += 60000;
    MUST(hub_redo_begin(ends_hub->hub, NULL, &why));
    assert_memory_not_equal(journal_state().id, was.id, sizeof was.id);
    assert_false(journal_state().joined);
    journal_remember();
    ends_all_sync();
    (void)lost_backup("new");
    assert_true(journal_state().joined);
    work("Dyer");
    journal_write(true);
    lost_destroy();
    ends_hub->now += 60000;
    (void)journal_restored("new");
    ends_all_sync();
    ends_all_sync();
    assert_string_equal(lost_status().state, "done");
    ends_shows(ann, "person", k.person, "family_name", "Dyer");
}

static void what_would_fill_the_disk_gives_the_journal_up_and_says_so(void **ctx)
{
    struct why why = {0};
    (void)ctx;
    ends_case(&k);
    (void)lost_backup("old");
    MUST(db_exec(hub_db(ends_hub->hub), "UPDATE h_redo_state SET pending = 268435400", &why)); /* as if the folder were gone for long */
    work("Archer"); /* nobody is kept from it */
    struct hub_redo_state s = journal_state();
    assert_true(s.gave_up > 0);
    assert_false(s.joined);
    assert_true(s.pending < 1 << 20);
    (void)lost_backup("new");
    assert_true(journal_state().joined);
}

/* A database that was put back from an older state of its own: the folder has what the store has no more. */
static void a_part_that_the_store_knows_nothing_of_is_not_written_over(void **ctx)
{
    struct why why = {0};
    struct buf was, is;
    (void)ctx;
    ends_case(&k);
    journal_write(false);
    work("Archer");
    journal_write(true);
    int64_t part = journal_state().part;
    load(part, &was);
    MUST(db_exec(hub_db(ends_hub->hub), "UPDATE h_redo_state SET part = part - 1; DELETE FROM h_redo_part WHERE part > (SELECT part FROM h_redo_state)", &why));
    struct buf file;
    struct redo_head head;
    struct identity hub = *hub_identity(ends_hub->hub);
    load(part, &file);
    struct bytes left = buf_bytes(&file);
    MUST(redo_get_head(&left, &hub, &head, &why));
    struct stmt *s;
    MUST(db_prepare(hub_db(ends_hub->hub), "UPDATE h_redo_state SET written = $1, chain = $2", &s, &why));
    db_bind_int(s, 1, (int64_t)head.first - 1);
    db_bind_blob(s, 2, bytes_of(head.chain, sizeof head.chain));
    MUST(db_run(s, &why));
    work("Brewer");
    fake_hub_reopen(ends_hub);
    enum err e = journal_try_new(&why);
    if (e != ERR_EXISTS || strstr(why.text, "knows nothing of") == NULL) fail_msg("%s: %s", err_word(e), why.text);
    load(part, &is);
    assert_true(bytes_equal(buf_bytes(&was), buf_bytes(&is)));
    buf_release(&was);
    buf_release(&is);
    buf_release(&file);
}

/* A program from before there were journals had the store open meanwhile; or somebody took away what notes a table's
 * rows. */
static void a_store_that_was_written_without_the_journal_is_found_when_it_is_opened(void **ctx)
{
    struct why why = {0};
    (void)ctx;
    ends_case(&k);
    (void)lost_backup("old");
    struct hub_redo_state s = journal_state();
    fake_hub_reopen(ends_hub);
    assert_int_equal(journal_state().gave_up, 0);
    MUST(db_exec(hub_db(ends_hub->hub),
                 test_store_sql("UPDATE h_redo_state SET log_size = log_size - 1", "DROP TRIGGER spoke_note ON person"), &why));
    fake_hub_reopen(ends_hub);
    assert_true(journal_state().gave_up > 0);
    assert_memory_not_equal(journal_state().id, s.id, sizeof s.id);
}

static void who_is_not_a_security_administrator_neither_begins_nor_ends_it(void **ctx)
{
    struct why why = {0};
    (void)ctx;
    assert_int_equal(hub_redo_end(ends_hub->hub, "", &why), ERR_USAGE);
    MUST(db_exec(hub_db(ends_hub->hub), "UPDATE h_admin SET role = 'operator'", &why));
    assert_int_equal(hub_redo_end(ends_hub->hub, "no use for it", &why), ERR_REFUSED);
    assert_int_equal(hub_redo_begin(ends_hub->hub, "another", &why), ERR_REFUSED);
    assert_true(journal_state().on);
}

int main(void)
{
#define CLAIM(name) cmocka_unit_test_setup_teardown(name, journal_start, journal_stop)
    const struct CMUnitTest tests[] = {
        CLAIM(a_last_entry_that_was_cut_off_anywhere_is_left_out),
        CLAIM(a_part_that_was_begun_and_no_more_is_left_out),
        CLAIM(a_byte_that_changed_before_other_entries_refuses_the_whole_and_says_so),
        CLAIM(entries_that_were_taken_out_or_changed_places_are_found),
        CLAIM(a_part_that_is_missing_refuses_the_whole),
        CLAIM(what_another_signed_is_refused),
        CLAIM(an_end_that_is_full_of_what_looks_like_entries_refuses_the_whole),
        CLAIM(the_journal_of_a_hub_that_was_this_one_once_is_refused),
        CLAIM(the_journal_of_another_hub_is_none),
        CLAIM(a_backup_from_before_the_journal_says_so),
        CLAIM(a_journal_that_ends_before_the_backup_adds_nothing),
        CLAIM(a_restored_hub_begins_a_journal_of_its_own),
        CLAIM(what_would_fill_the_disk_gives_the_journal_up_and_says_so),
        CLAIM(a_part_that_the_store_knows_nothing_of_is_not_written_over),
        CLAIM(a_store_that_was_written_without_the_journal_is_found_when_it_is_opened),
        CLAIM(who_is_not_a_security_administrator_neither_begins_nor_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
