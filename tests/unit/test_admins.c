/* Administrators have names, passphrases of their own and roles; what they do is in the log with their names. */
#include "hub/internal.h"
#include "tests/lib/admin_world.h"

#include "cli/hub_commands.h"
#include "cli/hub_role.h"
#include "tests/lib/test_store.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct why why;
#define HUB admin_hub->hub
static char who[80], second[80];

static void sql(const char *text)
{
    assert_int_equal(db_exec(hub_db(HUB), text, &why), ERR_OK);
}

static void whoever_made_the_hub_is_its_security_administrator(void **state)
{
    struct hub_admin a;
    (void)state;
    assert_int_equal(hub_admin_self(HUB, &a, &why), ERR_OK);
    assert_string_equal(a.name, "admin");
    assert_int_equal(a.role, ROLE_SECURITY);
    assert_true(a.self);
    admin_last_act("agency add", who, second);
    assert_string_equal(who, "admin");
    assert_string_equal(second, "");
    admin_log_holds();
}

/* A home that the program before this one made: no table of administrators, acts of nobody, a log without names. */
static void a_hub_of_before_opens_and_its_administrator_is_one_for_security(void **state)
{
    if (test_store_file_only("no hub of before is on PostgreSQL")) skip();
    struct hub_admin a;
    (void)state;
    sql("DROP TABLE h_log; DROP TABLE h_leaf; DROP TABLE h_tree; DROP TABLE h_log_from; DROP TABLE h_act_salt;"
        "DROP TABLE h_admin; DROP TABLE h_act_by; DROP TABLE h_rule; DROP TABLE h_proposal; DROP TABLE h_invite_by; DROP TABLE h_fate;");
    admin_as("admin");
    assert_int_equal(hub_admin_self(HUB, &a, &why), ERR_OK);
    assert_string_equal(a.name, "admin");
    assert_int_equal(a.role, ROLE_SECURITY);
    assert_int_equal(hub_set_emergency(HUB, 12, &why), ERR_OK);
    admin_last_act("emergency on", who, second);
    assert_string_equal(who, "admin");
    admin_log_holds();
    assert_int_equal(hub_admin_rename(HUB, "Sam", &why), ERR_OK);
    admin_last_act("admin name", who, second);
    assert_string_equal(who, "admin"); /* as it was when it was said */
    assert_int_equal(hub_set_emergency(HUB, 0, &why), ERR_OK);
    admin_last_act("emergency off", who, second);
    assert_string_equal(who, "Sam");
    assert_int_equal(hub_admin_add(HUB, "admin", ROLE_VIEWER, admin_pass("Vera"), &why), ERR_EXISTS); /* acts have that name */
    admin_log_holds();
}

static void each_has_a_passphrase_and_acts_under_a_name(void **state)
{
    (void)state;
    admin_add("Omar", ROLE_OPERATOR);
    admin_as("Omar");
    assert_int_equal(hub_add_agency(HUB, "housing", "Housing", "housing", &why), ERR_OK);
    admin_last_act("agency add", who, second);
    assert_string_equal(who, "Omar");
    assert_int_equal(hub_admin_passphrase(HUB, NULL, bytes_of_str("Omar has a new one"), &why), ERR_OK);
    assert_int_equal(admin_try_as("Omar", &why), ERR_PASSPHRASE);
    assert_int_equal(hub_open(&HUB, &admin_hub->env, admin_hub->dir, bytes_of_str("Omar has a new one"), &why), ERR_OK);
    admin_log_holds();
}

static void nobody_does_what_is_not_of_their_role(void **state)
{
    uint8_t kid[16] = {1}, id[16];
    struct buf code;
    (void)state;
    buf_init(&code, 4096);
    admin_add("Omar", ROLE_OPERATOR);
    admin_add("Vera", ROLE_VIEWER);
    admin_add("robot", ROLE_SERVICE);
    struct fake_node *n = calloc(1, sizeof *n);
    fake_node_enrol(n, admin_hub, "school-1", "school", "Sue");
    memcpy(kid, n->id.pub.kid, 16);
    admin_as("Omar");
    assert_int_equal(hub_wipe(HUB, kid, "lost", false, &why), ERR_REFUSED);
    assert_non_null(strstr(why.text, "security administrator"));
    assert_int_equal(hub_set_emergency(HUB, 12, &why), ERR_REFUSED);
    assert_int_equal(hub_set_policy(HUB, "person", "given_names", "lww", NULL, &why), ERR_REFUSED);
    assert_int_equal(hub_revoke_site(HUB, "school-1", "all of it", &(uint64_t){0}, &why), ERR_REFUSED);
    assert_int_equal(hub_admin_add(HUB, "Ines", ROLE_VIEWER, admin_pass("Ines"), &why), ERR_REFUSED);
    assert_int_equal(hub_admin_role(HUB, "Omar", ROLE_SECURITY, NULL, &why), ERR_REFUSED);
    assert_int_equal(hub_admin_remove(HUB, "admin", "a coup", &why), ERR_REFUSED);
    assert_int_equal(hub_admin_passphrase(HUB, "admin", bytes_of_str("mine from now on"), &why), ERR_REFUSED);
    assert_int_equal(hub_rule_set(HUB, RULE_APPROVE, 1, NULL, &why), ERR_REFUSED);
    assert_int_equal(hub_lease(HUB, kid, 9, &why), ERR_OK);
    admin_as("Vera");
    assert_int_equal(hub_invite(HUB, "school-1", "http://127.0.0.1:1", 1000, &code, &why), ERR_REFUSED);
    assert_int_equal(hub_revoke(HUB, kid, "why not", &why), ERR_REFUSED);
    assert_int_equal(hub_add_practitioner(HUB, "school-1", "Eve", NULL, id, &why), ERR_REFUSED);
    admin_as("robot");
    assert_int_equal(hub_add_agency(HUB, "mine", "Mine", NULL, &why), ERR_REFUSED);
    assert_int_equal(hub_admin_may(HUB, MAY_VIEW, "node list", &why), ERR_REFUSED);
    assert_int_equal(hub_admin_may(HUB, MAY_SERVE, "serve", &why), ERR_OK);
    fake_node_round(n); /* it serves all the same */
    admin_last_act("not allowed", who, second);
    assert_string_equal(who, "robot");
    admin_as("admin");
    assert_int_equal(fake_hub_int(admin_hub, "SELECT count(*) FROM agency WHERE code = 'mine'"), 0);
    assert_int_equal(fake_hub_int(admin_hub, "SELECT count(*) FROM h_admin WHERE role = 'security'"), 1);
    assert_int_equal(fake_hub_int(admin_hub, "SELECT count(*) FROM h_node WHERE state = 'enrolled'"), 1);
    admin_log_holds();
    buf_release(&code);
    fake_node_release(n);
    free(n);
}

/* The number of the newest invitation, as spoke-hub invitation list shows it. */
static int64_t newest_invitation(void)
{
    return fake_hub_int(admin_hub, "SELECT max(no) FROM h_act WHERE act = 'invite'");
}

static enum err enrols(const struct buf *code)
{
    struct fake_node n = {0};
    struct buf request, answer;
    buf_init(&request, 1u << 20);
    buf_init(&answer, 1u << 20);
    assert_int_equal(identity_generate(&n.id, &why), ERR_OK);
    fake_node_ask(&n, admin_hub, buf_bytes(code), "Sue", &request);
    enum err e = hub_enrol(HUB, buf_bytes(&request), &answer, &why);
    buf_release(&request);
    buf_release(&answer);
    fake_node_release(&n);
    return e;
}

static void an_invitation_that_went_to_the_wrong_person_is_withdrawn(void **state)
{
    struct buf wrong, right;
    (void)state;
    buf_init(&wrong, 4096);
    buf_init(&right, 4096);
    admin_add("Omar", ROLE_OPERATOR);
    admin_add("Vera", ROLE_VIEWER);
    assert_int_equal(hub_invite(HUB, "school-1", "http://127.0.0.1:1", 3600000, &wrong, &why), ERR_OK);
    int64_t no = newest_invitation();
    assert_int_equal(hub_invite(HUB, "school-1", "http://127.0.0.1:1", 3600000, &right, &why), ERR_OK);
    int64_t other = newest_invitation();
    admin_as("Vera");
    assert_int_equal(hub_invite_withdraw(HUB, no, "not mine to say", &why), ERR_REFUSED);
    admin_as("Omar"); /* who did not give it */
    assert_int_equal(hub_invite_withdraw(HUB, no, "", &why), ERR_USAGE);
    assert_int_equal(hub_invite_withdraw(HUB, other + 100, "which?", &why), ERR_NOTFOUND);
    assert_int_equal(hub_invite_withdraw(HUB, no, "sent to a wrong address", &why), ERR_OK);
    admin_last_act("invite withdraw", who, second);
    assert_string_equal(who, "Omar");
    assert_int_equal(enrols(&wrong), ERR_REFUSED);
    assert_int_equal(enrols(&right), ERR_OK);
    assert_int_equal(hub_invite_withdraw(HUB, no, "again", &why), ERR_EXISTS);
    assert_int_equal(hub_invite_withdraw(HUB, other, "too late", &why), ERR_EXISTS); /* a device has it */
    assert_non_null(strstr(why.text, "used"));
    assert_int_equal(admin_acts("invite withdraw"), 1);
    admin_log_holds();
    buf_release(&wrong);
    buf_release(&right);
}

static void who_was_removed_gets_in_no_more_and_their_name_stays_theirs(void **state)
{
    (void)state;
    admin_add("Omar", ROLE_OPERATOR);
    assert_int_equal(hub_admin_remove(HUB, "Omar", "has left", &why), ERR_OK);
    assert_int_equal(admin_try_as("Omar", &why), ERR_PASSPHRASE);
    admin_as("admin");
    assert_int_equal(hub_admin_add(HUB, "Omar", ROLE_VIEWER, admin_pass("Vera"), &why), ERR_EXISTS);
    assert_int_equal(hub_admin_role(HUB, "Omar", ROLE_SECURITY, NULL, &why), ERR_NOTFOUND);
    assert_int_equal(hub_admin_remove(HUB, "Omar", "has left", &why), ERR_NOTFOUND);
    admin_log_holds();
}

static void the_last_security_administrator_stays(void **state)
{
    (void)state;
    assert_int_equal(hub_admin_remove(HUB, "admin", "tired", &why), ERR_DENIED);
    assert_int_equal(hub_admin_role(HUB, "admin", ROLE_VIEWER, NULL, &why), ERR_DENIED);
    admin_add("Ines", ROLE_SECURITY);
    assert_int_equal(hub_admin_role(HUB, "admin", ROLE_VIEWER, "a new post", &why), ERR_OK);
    assert_int_equal(hub_set_emergency(HUB, 12, &why), ERR_REFUSED); /* at once */
    admin_as("Ines");
    assert_int_equal(hub_admin_remove(HUB, "Ines", "tired", &why), ERR_DENIED);
}

/* The key file was changed, and the power failed before the store was; or the other way round. */
static void a_slot_that_the_store_does_not_know_opens_nothing(void **state)
{
    (void)state;
    admin_add("Omar", ROLE_OPERATOR);
    sql("DELETE FROM h_admin WHERE name = 'Omar'");
    assert_int_equal(admin_try_as("Omar", &why), ERR_REFUSED);
    assert_non_null(strstr(why.text, "nobody's"));
    admin_as("admin");
    admin_add("Vera", ROLE_VIEWER); /* takes it out of the file */
    assert_int_equal(admin_try_as("Omar", &why), ERR_PASSPHRASE);
    admin_as("admin");
    sql("UPDATE h_admin SET removed_at = 1 WHERE name = 'Vera'");
    assert_int_equal(admin_try_as("Vera", &why), ERR_REFUSED);
    admin_as("admin");
    assert_int_equal(hub_admin_remove(HUB, "Vera", "again", &why), ERR_OK); /* what was cut off is finished */
    assert_int_equal(admin_try_as("Vera", &why), ERR_PASSPHRASE);
}

static void names_and_passphrases_are_looked_at(void **state)
{
    static const char *const bad[] = {"", " x", "x ", "a\nb", "\x1b[1m",
                                      "a name that is far longer than any name of a person could be, and then some more of it"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(hub_admin_add(HUB, bad[i], ROLE_VIEWER, admin_pass("Vera"), &why), ERR_USAGE);
    assert_int_equal(hub_admin_add(HUB, "Vera", ROLE_VIEWER, bytes_of_str("short"), &why), ERR_DENIED);
    assert_int_equal(hub_admin_add(HUB, "Vera", ROLE_VIEWER, admin_pass("admin"), &why), ERR_DENIED);
    assert_int_equal(fake_hub_int(admin_hub, "SELECT count(*) FROM h_admin"), 1);
    assert_int_equal(admin_acts("admin add"), 1); /* what did not happen is no act */
    for (int i = 0; i < 6; i++) {
        char name[24], pass[32];
        (void)snprintf(name, sizeof name, "Viewer %d", i);
        (void)snprintf(pass, sizeof pass, "a passphrase of %d", i);
        assert_int_equal(hub_admin_add(HUB, name, ROLE_VIEWER, bytes_of_str(pass), &why), ERR_OK);
    }
    assert_int_equal(hub_admin_add(HUB, "Vera", ROLE_VIEWER, admin_pass("Vera"), &why), ERR_LIMIT);
    assert_int_equal(fake_hub_int(admin_hub, "SELECT count(*) FROM h_admin"), 7);
}

/* Who has the disk and the passphrase would put an act in another's name. */
static void a_name_that_was_changed_beside_the_log_is_found(void **state)
{
    static const char *const changes[] = {"UPDATE h_act_by SET who = 'Omar' WHERE act_no = (SELECT max(act_no) FROM h_act_by)",
                                          "UPDATE h_act_by SET second = 'Omar' WHERE act_no = (SELECT max(act_no) FROM h_act_by)",
                                          "DELETE FROM h_act_by WHERE act_no = (SELECT max(act_no) FROM h_act_by)",
                                          "INSERT INTO h_act_by(act_no, who) VALUES(100000, 'Omar')"};
    struct log_audit_sum sum;
    (void)state;
    assert_int_equal(hub_set_emergency(HUB, 12, &why), ERR_OK);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        assert_int_equal(db_begin(hub_db(HUB), &why), ERR_OK);
        sql(changes[i]);
        assert_int_equal(db_commit(hub_db(HUB), &why), ERR_OK);
        if (hub_log_verify(HUB, &sum, &why) != ERR_TAMPERED) fail_msg("%s was not found", changes[i]);
        if (i + 1 == sizeof changes / sizeof changes[0]) break;
        (void)admin_stop(state);
        (void)admin_start(state);
        assert_int_equal(hub_set_emergency(HUB, 12, &why), ERR_OK);
        admin_log_holds();
    }
}

/* Who has the disk and a passphrase would give it another role, or somebody a name. */
static void administrators_who_are_not_those_of_the_log_are_found(void **state)
{
    static const char *const changes[] = {"UPDATE h_admin SET role = 'security' WHERE name = 'Omar'",
                                          "UPDATE h_admin SET role = 'viewer' WHERE name = 'Ines Varga'",
                                          "UPDATE h_admin SET name = 'Zoe' WHERE name = 'Omar'",
                                          "UPDATE h_admin SET removed_at = NULL WHERE name = 'Vera'",
                                          "UPDATE h_admin SET removed_at = 5 WHERE name = 'Omar'",
                                          "UPDATE h_admin SET added_by = 'Omar' WHERE name = 'Vera'",
                                          "INSERT INTO h_admin(slot, name, role, added_at) VALUES(zeroblob(16), 'Zoe', 'security', 5)",
                                          "DELETE FROM h_admin WHERE name = 'Vera'",
                                          "DELETE FROM h_admin WHERE name = 'Omar'"};
    struct log_audit_sum sum;
    (void)state;
    admin_add("Omar", ROLE_VIEWER);
    admin_add("Vera", ROLE_VIEWER);
    assert_int_equal(hub_admin_role(HUB, "Omar", ROLE_OPERATOR, "she is back: half of the week", &why), ERR_OK);
    assert_int_equal(hub_admin_role(HUB, "Vera", ROLE_OPERATOR, NULL, &why), ERR_OK);
    assert_int_equal(hub_admin_rename(HUB, "Ines Varga", &why), ERR_OK);
    assert_int_equal(hub_admin_remove(HUB, "Vera", "she left", &why), ERR_OK);
    admin_log_holds();
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        sql("CREATE TEMP TABLE kept_admin AS SELECT * FROM h_admin");
        sql(changes[i]);
        if (hub_log_verify(HUB, &sum, &why) != ERR_TAMPERED) fail_msg("%s was not found", changes[i]);
        sql("DELETE FROM h_admin");
        sql("INSERT INTO h_admin SELECT * FROM kept_admin");
        sql("DROP TABLE kept_admin");
    }
    admin_log_holds();
}

/* ------------------------------------------------------------------- another process of the hub, at the same moment */

static struct {
    struct hub *hub;
    pthread_t thread;
    atomic_bool done;
    bool armed;
    enum err added;
    enum err (*write_file)(void *ctx, const char *path, struct bytes content, struct why *why);
} other;

static void *add_ines(void *arg)
{
    struct why their_why = {0};
    (void)arg;
    other.added = hub_admin_add(other.hub, "Ines", ROLE_SECURITY, admin_pass("Ines"), &their_why);
    atomic_store(&other.done, true);
    return NULL;
}

/* The file was read, and is about to be written. Whoever may not come between has a moment to come between. */
static enum err write_late(void *ctx, const char *path, struct bytes content, struct why *w)
{
    if (other.armed && strstr(path, "hub.key") != NULL) {
        other.armed = false;
        assert_int_equal(pthread_create(&other.thread, NULL, add_ines, NULL), 0);
        for (int i = 0; i < 30 && !atomic_load(&other.done); i++) (void)usleep(10000);
    }
    return other.write_file(ctx, path, content, w);
}

static void two_processes_do_not_write_the_key_file_over_each_other(void **state)
{
    struct env theirs = admin_hub->env;
    (void)state;
    if (!test_store_is_postgres()) skip(); /* commands beside each other take turns there */
    admin_add("Omar", ROLE_OPERATOR);
    assert_int_equal(hub_open(&other.hub, &theirs, admin_hub->dir, admin_pass("admin"), &why), ERR_OK);
    other.write_file = admin_hub->env.write_file;
    admin_hub->env.write_file = write_late;
    other.armed = true;
    assert_int_equal(hub_admin_remove(HUB, "Omar", "has left", &why), ERR_OK);
    assert_false(other.armed);
    assert_int_equal(pthread_join(other.thread, NULL), 0);
    admin_hub->env.write_file = other.write_file;
    hub_close(other.hub);
    assert_int_equal(other.added, ERR_OK);
    assert_int_equal(admin_try_as("Omar", &why), ERR_PASSPHRASE);
    assert_int_equal(admin_try_as("Ines", &why), ERR_OK);
}

static void *set_for_omar(void *arg)
{
    struct why their_why = {0};
    (void)arg;
    other.added = hub_admin_passphrase(other.hub, "Omar", bytes_of_str("known to another"), &their_why);
    return NULL;
}

/* He becomes one of those whose passphrase nobody sets, while somebody who is about to set it waits for the store. */
static void a_passphrase_is_not_set_by_what_its_bearer_was_a_moment_ago(void **state)
{
    (void)state;
    if (!test_store_is_postgres()) skip();
    admin_add("Omar", ROLE_OPERATOR);
    admin_add("Ines", ROLE_SECURITY);
    assert_int_equal(hub_rule_set(HUB, RULE_TWO_PERSON, 1, "agreed", &why), ERR_OK);
    assert_int_equal(hub_open(&other.hub, &admin_hub->env, admin_hub->dir, admin_pass("admin"), &why), ERR_OK);
    assert_int_equal(hub_begin(HUB, &why), ERR_OK);
    assert_int_equal(pthread_create(&other.thread, NULL, set_for_omar, NULL), 0);
    (void)usleep(300000); /* too little, and he is refused before he waits: then this proves less */
    sql("UPDATE h_admin SET role = 'security' WHERE name = 'Omar'");
    assert_int_equal(hub_commit(HUB, &why), ERR_OK);
    assert_int_equal(pthread_join(other.thread, NULL), 0);
    hub_close(other.hub);
    assert_int_equal(other.added, ERR_REFUSED);
    assert_int_equal(admin_try_as("Omar", &why), ERR_OK);
}

static void every_command_says_once_who_may_give_it(void **state)
{
    static const struct command *const groups[] = {
        hub_place_commands,  hub_invite_commands,  hub_device_commands,  hub_node_act_commands, hub_admins_commands, hub_proposal_commands,
        hub_store_commands,  hub_policy_commands,  hub_calendar_commands, hub_serve_commands,   hub_preview_commands,
        hub_metrics_commands, hub_log_commands,    hub_saw_commands};
    (void)state;
    for (size_t g = 0; g < sizeof groups / sizeof groups[0]; g++)
        for (const struct command *k = groups[g]; k->name != NULL; k++)
            if (hub_role_lines(k->name) != 1) fail_msg("'%s' has %zu lines in cli/hub_role.c", k->name, hub_role_lines(k->name));
    assert_int_equal(hub_role_of("what nobody listed"), MAY_SECURE);
    assert_int_equal(hub_role_of("node wipe"), MAY_SECURE);
    assert_int_equal(hub_role_of("node list"), MAY_VIEW);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, admin_start, admin_stop)
    const struct CMUnitTest tests[] = {
        T(whoever_made_the_hub_is_its_security_administrator),
        T(a_hub_of_before_opens_and_its_administrator_is_one_for_security),
        T(each_has_a_passphrase_and_acts_under_a_name),
        T(nobody_does_what_is_not_of_their_role),
        T(an_invitation_that_went_to_the_wrong_person_is_withdrawn),
        T(who_was_removed_gets_in_no_more_and_their_name_stays_theirs),
        T(the_last_security_administrator_stays),
        T(a_slot_that_the_store_does_not_know_opens_nothing),
        T(names_and_passphrases_are_looked_at),
        T(a_name_that_was_changed_beside_the_log_is_found),
        T(two_processes_do_not_write_the_key_file_over_each_other),
        T(a_passphrase_is_not_set_by_what_its_bearer_was_a_moment_ago),
        T(administrators_who_are_not_those_of_the_log_are_found),
        cmocka_unit_test(every_command_says_once_who_may_give_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
