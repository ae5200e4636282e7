/* What must not bring a hub back, or not so: other keys, altered files, forged words, hubs of before. */
#include "tests/lib/disaster_world.h"

#include "crypto/keyslot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char passphrase[] = "correct horse battery";

static void must_line(enum err e, const struct why *why, const char *what, int line)
{
    if (e != ERR_OK) fail_msg("%s (line %d): %s: %s", what, line, err_word(e), why->text);
}
#define MUST(call) must_line(call, &why, #call, __LINE__)

static void the_old_hub_beside_the_new_one_is_refused_and_refuses(void **ctx)
{
    struct ends_case k;
    struct buf answer, request;
    struct why why = {0};
    (void)ctx;
    buf_init(&answer, 1u << 24);
    buf_init(&request, 1u << 24);
    ends_case(&k);
    (void)lost_backup("old");
    lost_destroy();
    lost_restored("old");
    ends_all_sync();
    ends_all_sync();
    /* A hub of the first epoch: the newer device's request is refused, and nothing of the device changes. */
    hub_close(ends_hub->hub);
    ends_hub->hub = NULL;
    (void)unlink(lost_home("hub.db"));
    (void)unlink(lost_home("hub.db-wal"));
    (void)unlink(lost_home("store"));
    (void)unlink(lost_home("hub.key"));
    (void)unlink(lost_home("recovery.key"));
    ends_hub->now -= 86400000; /* an earlier epoch than the one that the devices are in */
    lost_restored("old");
    MUST(node_bundle_export(pol->n, &request, &why));
    assert_int_equal(hub_exchange_file(ends_hub->hub, buf_bytes(&request), &answer, &why), ERR_REFUSED);
    ends_hub->now += 86400000;
    buf_release(&answer);
    buf_release(&request);
}

static void a_device_that_kept_no_notes_returns_its_work_all_the_same(void **ctx)
{
    struct ends_case k;
    struct why why = {0};
    (void)ctx;
    ends_case(&k);
    (void)lost_backup("old");
    (void)ends_write(pol, "person", k.person, "family_name", "Judged");
    ends_all_sync();
    (void)ends_write(pol, "person", k.person, "given_names",
                     "Unsent");                                 /* upon a cut that only its note could tell of */
    MUST(db_exec(node_db(pol->n), "DELETE FROM n_note", &why)); /* as with a program from before there were any */
    lost_destroy();
    lost_restored("old");
    ends_all_sync();
    ends_all_sync();
    assert_string_equal(lost_status().state, "done");
    assert_int_equal(lost_status().lost, 0);
    ends_all_sync();
    assert_int_equal(fake_hub_int(ends_hub, "SELECT count(*) FROM h_envelope WHERE verdict > 1"), 0);
    ends_shows(sam, "person", k.person, "family_name", "Judged");
    ends_shows(sam, "person", k.person, "given_names", "Unsent");
    ends_same(sam);
    ends_same(pol);
}

static void a_statement_that_the_recovery_key_did_not_sign_or_of_another_device_is_not_believed(void **ctx)
{
    static const char *const lies[] = {
        "UPDATE h_statement SET signature = (SELECT signature FROM h_statement WHERE log_no = 0)",
        "UPDATE h_statement SET body = (SELECT o.body FROM h_statement o WHERE o.log_no = 0), "
        "signature = (SELECT o.signature FROM h_statement o WHERE o.log_no = 0)",
    };
    struct node_info before, after;
    struct why why = {0};
    (void)ctx;
    for (size_t i = 0; i < 2; i++) {
        (void)lost_backup("old");
        MUST(node_get_info(pol->n, &before, &why));
        lost_destroy();
        ends_hub->now += 60000;
        lost_restored("old");
        MUST(db_exec(hub_db(ends_hub->hub), lies[i], &why));
        (void)ends_sync(pol, ERR_TAMPERED);
        MUST(node_get_info(pol->n, &after, &why));
        assert_int_equal(after.epoch, before.epoch);
        lost_destroy();
        ends_hub->now += 60000;
        lost_restored("old");
        (void)ends_sync(pol, ERR_OK); /* an honest one, later */
        MUST(node_get_info(pol->n, &after, &why));
        assert_true(after.epoch > before.epoch);
        ends_all_sync();
        ends_all_sync();
        assert_string_equal(lost_status().state, "done");
    }
}

static void altered(const char *name, size_t at, size_t cut)
{
    struct why why = {0};
    struct buf b;
    buf_init(&b, 256u << 20);
    MUST(ends_hub->env.read_file(ends_hub->env.ctx, lost_file("old"), 256u << 20, &b, &why));
    if (cut > 0)
        b.len = cut < b.len ? b.len - cut : b.len / 2;
    else
        b.data[at % b.len] ^= 1;
    MUST(ends_hub->env.write_file(ends_hub->env.ctx, lost_file(name), buf_bytes(&b), &why));
    buf_release(&b);
}

static void a_backup_that_was_cut_off_or_altered_or_sealed_to_another_key_makes_no_hub(void **ctx)
{
    struct why why = {0};
    struct keyring other = {0};
    uint64_t size = 0;
    (void)ctx;
    assert_true(lost_backup("old").bytes > 1000);
    assert_int_equal(lost_try("old", "recovery.key", &why), ERR_UNINIT); /* no such key file */
    lost_copy(lost_home("recovery.key"), lost_file("recovery.key"));
    assert_int_equal(lost_try("old", "recovery.key", &why), ERR_EXISTS); /* a hub is here */
    lost_destroy();
    MUST(keyslot_create(&ends_hub->env, &(struct keyfile){.path = lost_file("other.key")}, bytes_of_str(passphrase),
                        &other, &why));
    keyring_release(&other);
    assert_int_equal(lost_try("old", "other.key", &why), ERR_REFUSED);
    for (size_t i = 0; i < 12; i++) {
        altered("cut", 140 + i * 7919, 0); /* past the header */
        assert_int_equal(lost_try("cut", "recovery.key", &why), ERR_TAMPERED);
    }
    const size_t ends[] = {1, 17, 65553, 131106};
    for (size_t i = 0; i < 4; i++) {
        altered("cut", 0, ends[i]);
        assert_int_equal(lost_try("cut", "recovery.key", &why), ERR_TAMPERED);
    }
    assert_int_equal(ends_hub->env.file_size(ends_hub->env.ctx, lost_home("hub.key"), &size, &why), ERR_NOTFOUND);
    assert_int_equal(ends_hub->env.file_size(ends_hub->env.ctx, lost_home("hub.db"), &size, &why), ERR_NOTFOUND);
    lost_restored("old");
    ends_all_sync();
    ends_all_sync();
    assert_string_equal(lost_status().state, "done");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_old_hub_beside_the_new_one_is_refused_and_refuses, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(a_device_that_kept_no_notes_returns_its_work_all_the_same, lost_start,
                                        lost_stop),
        cmocka_unit_test_setup_teardown(
            a_statement_that_the_recovery_key_did_not_sign_or_of_another_device_is_not_believed, lost_start, lost_stop),
        cmocka_unit_test_setup_teardown(a_backup_that_was_cut_off_or_altered_or_sealed_to_another_key_makes_no_hub,
                                        lost_start, lost_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
