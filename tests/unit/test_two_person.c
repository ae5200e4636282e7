/* What takes two people is proposed by one and carried out by another, as it was proposed, or not at all. */
#include "hub/retention.h"
#include "tests/lib/admin_world.h"
#include "tests/lib/policy_variant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct why why;
static struct fake_node *node;
#define HUB admin_hub->hub
static char who[80], second[80];
static int64_t no;

/* Two security administrators, an operator, a device, and the rule. */
static int start(void **state)
{
    (void)admin_start(state);
    admin_add("Ines", ROLE_SECURITY);
    admin_add("Omar", ROLE_OPERATOR);
    node = calloc(1, sizeof *node);
    fake_node_enrol(node, admin_hub, "school-1", "school", "Sue");
    assert_int_equal(hub_rule_set(HUB, RULE_TWO_PERSON, 1, "agreed", &why), ERR_OK);
    return 0;
}

static int stop(void **state)
{
    admin_log_holds();
    fake_node_release(node);
    free(node);
    return admin_stop(state);
}

static struct hub_proposal wipe_it(void)
{
    struct hub_proposal p = {.kind = PROPOSE_WIPE, .flag = true, .text = bytes_of_str(""), .reason = "stolen"};
    memcpy(p.kid, node->id.pub.kid, 16);
    return p;
}

static void propose(const struct hub_proposal *p)
{
    if (hub_propose(HUB, p, "what it is", &no, &why) != ERR_OK) fail_msg("%s", why.text);
}

static int64_t states(const char *state)
{
    char text[120];
    (void)snprintf(text, sizeof text, "SELECT count(*) FROM h_proposal WHERE state = '%s'", state);
    return fake_hub_int(admin_hub, text);
}

static int64_t wiped(void)
{
    return fake_hub_int(admin_hub, "SELECT count(*) FROM h_order WHERE kind = 2");
}

static void a_wipe_is_done_by_two_and_both_are_in_the_log(void **state)
{
    const struct hub_proposal p = wipe_it();
    bool two = false;
    (void)state;
    assert_int_equal(hub_takes_two(HUB, &p, &two, &why), ERR_OK);
    assert_true(two);
    propose(&p);
    assert_int_equal(wiped(), 0);
    admin_as("Ines");
    assert_int_equal(hub_approve(HUB, no, NULL, &why), ERR_OK);
    assert_int_equal(wiped(), 1);
    admin_last_act("wipe now", who, second);
    assert_string_equal(who, "admin");
    assert_string_equal(second, "Ines");
    assert_int_equal(states("done"), 1);
    assert_int_equal(hub_approve(HUB, no, NULL, &why), ERR_REFUSED); /* once */
    admin_as("admin");
    assert_int_equal(hub_refuse(HUB, no, "too late", &why), ERR_REFUSED);
}

static void nobody_does_it_alone_by_any_way(void **state)
{
    const struct hub_proposal p = wipe_it();
    static const char policy[] = "SELECT 1;";
    (void)state;
    assert_int_equal(hub_wipe(HUB, p.kid, "stolen", true, &why), ERR_REFUSED);
    assert_int_equal(hub_wipe_as(HUB, p.kid, "lost", "stolen", true, &why), ERR_REFUSED);
    assert_int_equal(hub_wipe_as(HUB, p.kid, "retired", "old", false, &why), ERR_REFUSED);
    assert_int_equal(hub_revoke_site(HUB, "school-1", "all", &(uint64_t){0}, &why), ERR_REFUSED);
    assert_int_equal(hub_set_policy(HUB, "person", "given_names", "lww", NULL, &why), ERR_REFUSED);
    assert_int_not_equal(hub_policy_apply(HUB, bytes_of_str(policy), "why", &why), ERR_OK);
    assert_int_equal(hub_rule_set(HUB, RULE_TWO_PERSON, 0, "alone", &why), ERR_REFUSED);
    assert_int_equal(hub_rule_set(HUB, RULE_PROPOSAL, 60000, "alone", &why), ERR_REFUSED);
    assert_int_equal(hub_admin_remove(HUB, "Ines", "alone", &why), ERR_REFUSED);
    assert_int_equal(hub_admin_role(HUB, "Ines", ROLE_VIEWER, "alone", &why), ERR_REFUSED);
    assert_int_equal(hub_admin_role(HUB, "Omar", ROLE_SECURITY, "alone", &why), ERR_REFUSED);
    /* Nor by acting as another. */
    assert_int_equal(hub_admin_passphrase(HUB, "Ines", bytes_of_str("now it is mine"), &why), ERR_REFUSED);
    assert_int_equal(hub_admin_add(HUB, "Sam", ROLE_SECURITY, admin_pass("Sam"), &why), ERR_REFUSED);
    propose(&p);
    assert_int_equal(hub_approve(HUB, no, NULL, &why), ERR_REFUSED);
    assert_non_null(strstr(why.text, "yourself"));
    assert_int_equal(hub_admin_rename(HUB, "Sam", &why), ERR_OK); /* the same person all the same */
    assert_int_equal(hub_approve(HUB, no, NULL, &why), ERR_REFUSED);
    assert_int_equal(wiped(), 0);
    /* What one may do, one still may. */
    assert_int_equal(hub_revoke(HUB, p.kid, "one device", &why), ERR_OK);
}

static void only_security_administrators_propose_and_approve(void **state)
{
    const struct hub_proposal p = wipe_it();
    (void)state;
    propose(&p);
    admin_as("Omar");
    assert_int_equal(hub_approve(HUB, no, NULL, &why), ERR_REFUSED);
    assert_int_equal(hub_refuse(HUB, no, "no", &why), ERR_REFUSED);
    assert_int_equal(hub_propose(HUB, &p, "what it is", &no, &why), ERR_REFUSED);
    assert_int_equal(states("open"), 1);
    admin_last_act("not allowed", who, second);
    assert_string_equal(who, "Omar");
}

static void a_proposal_that_was_refused_or_is_too_old_is_not_carried_out(void **state)
{
    const struct hub_proposal p = wipe_it();
    (void)state;
    propose(&p);
    admin_as("Ines");
    assert_int_equal(hub_refuse(HUB, no, "", &why), ERR_USAGE);
    assert_int_equal(hub_refuse(HUB, no, "it was found", &why), ERR_OK);
    assert_int_equal(hub_approve(HUB, no, NULL, &why), ERR_REFUSED);
    admin_as("admin");
    propose(&p);
    admin_hub->now += PROPOSAL_MS_DEFAULT;
    admin_as("Ines");
    assert_int_equal(hub_approve(HUB, no, NULL, &why), ERR_REFUSED);
    assert_non_null(strstr(why.text, "expired"));
    assert_int_equal(hub_approve(HUB, 77, NULL, &why), ERR_NOTFOUND);
    assert_int_equal(wiped(), 0);
}

/* It would be something else than what was looked at. */
static void a_proposal_is_void_when_the_hub_has_changed(void **state)
{
    const struct hub_proposal site = {.kind = PROPOSE_REVOKE_SITE, .text = bytes_of_str("school-1"), .reason = "closed"};
    const struct hub_proposal column = {
        .kind = PROPOSE_COLUMN, .text = bytes_of_str("person"), .text2 = "given_names", .text3 = "lww", .reason = "so"};
    struct fake_node *late = calloc(1, sizeof *late);
    (void)state;
    propose(&site);
    fake_node_enrol(late, admin_hub, "school-1", "school", "Lee"); /* one more than was counted */
    admin_as("Ines");
    assert_int_equal(hub_approve(HUB, no, NULL, &why), ERR_REFUSED);
    assert_non_null(strstr(why.text, "void"));
    assert_int_equal(states("void"), 1);
    assert_int_equal(fake_hub_int(admin_hub, "SELECT count(*) FROM h_node WHERE state = 'enrolled'"), 2);
    propose(&column);
    int64_t first = no;
    propose(&column);
    admin_as("admin");
    assert_int_equal(hub_approve(HUB, first, NULL, &why), ERR_OK);
    assert_int_equal(hub_approve(HUB, no, NULL, &why), ERR_REFUSED); /* it stands otherwise now */
    assert_int_equal(states("void"), 2);
    const struct hub_proposal p = wipe_it();
    propose(&p);
    assert_int_equal(hub_revoke(HUB, p.kid, "meanwhile", &why), ERR_OK);
    admin_as("Ines");
    assert_int_equal(hub_approve(HUB, no, NULL, &why), ERR_REFUSED);
    assert_int_equal(wiped(), 0);
    fake_node_release(late);
    free(late);
}

static void a_proposal_whose_bytes_were_changed_is_not_carried_out(void **state)
{
    const struct hub_proposal site = {.kind = PROPOSE_REVOKE_SITE, .text = bytes_of_str("police-hq"), .reason = "closed"};
    struct fake_node *other = calloc(1, sizeof *other);
    (void)state;
    fake_node_enrol(other, admin_hub, "police-hq", "police", "Pat");
    propose(&site);
    assert_int_equal(db_exec(hub_db(HUB), "UPDATE h_proposal SET reason = 'another reason'", &why), ERR_OK);
    admin_as("Ines");
    assert_int_equal(hub_approve(HUB, no, NULL, &why), ERR_REFUSED);
    assert_int_equal(fake_hub_int(admin_hub, "SELECT count(*) FROM h_node WHERE state = 'enrolled'"), 2);
    fake_node_release(other);
    free(other);
}

static void a_whole_site_is_cut_off_by_two(void **state)
{
    const struct hub_proposal site = {.kind = PROPOSE_REVOKE_SITE, .text = bytes_of_str("school-1"), .reason = "closed"};
    const struct hub_proposal none = {.kind = PROPOSE_REVOKE_SITE, .text = bytes_of_str("police-hq"), .reason = "closed"};
    int64_t n = 0;
    (void)state;
    assert_int_equal(hub_propose(HUB, &none, "nothing", &n, &why), ERR_NOTFOUND);
    propose(&site);
    admin_as("Ines");
    assert_int_equal(hub_approve(HUB, no, NULL, &why), ERR_OK);
    assert_int_equal(fake_hub_int(admin_hub, "SELECT count(*) FROM h_node WHERE state = 'revoked'"), 1);
    admin_last_act("revoke site", who, second);
    assert_string_equal(who, "admin");
    assert_string_equal(second, "Ines");
}

/* Cases that no backup had, and open ones: nothing reaches further, so one person alone does not do it. */
static void what_a_restored_hub_must_erase_again_takes_two(void **state)
{
    static const uint8_t ids[32] = "the first case--the second case";
    const struct hub_proposal p = {.kind = PROPOSE_ERASE_AGAIN, .text = bytes_of(ids, sizeof ids), .reason = "as before the fire"};
    struct buf read;
    uint64_t n = 0;
    (void)state;
    assert_int_equal(hub_propose(HUB, &p, "two cases", &no, &why), ERR_NOTFOUND); /* this hub was never put back */
    assert_int_equal(db_exec(hub_db(HUB), "INSERT INTO h_epoch(epoch, at, backup_at, version, state) VALUES(1, 1, 1, 1, 'gathering')", &why),
                     ERR_OK);
    assert_int_equal(hub_erase_again(HUB, p.text, "alone", &n, &why), ERR_REFUSED);
    assert_int_equal(fake_hub_int(admin_hub, "SELECT count(*) FROM h_erased"), 0);
    propose(&p);
    assert_int_equal(hub_approve(HUB, no, NULL, &why), ERR_REFUSED); /* one's own */
    admin_as("Ines");
    buf_init(&read, 64); /* she reads which, as they were named: a number is all that "says" has */
    assert_int_equal(hub_proposal_text(HUB, no, PROPOSE_POLICY, &read, &why), ERR_NOTFOUND);
    if (hub_proposal_text(HUB, no, PROPOSE_ERASE_AGAIN, &read, &why) != ERR_OK) fail_msg("%s", why.text);
    assert_int_equal(read.len, sizeof ids);
    assert_memory_equal(read.data, ids, sizeof ids);
    buf_release(&read);
    if (hub_approve(HUB, no, NULL, &why) != ERR_OK) fail_msg("%s", why.text);
    assert_int_equal(fake_hub_int(admin_hub, "SELECT count(*) FROM h_erased WHERE who = 'admin' AND second = 'Ines'"), 2);
    admin_last_act("erase again", who, second);
    assert_string_equal(who, "admin");
    assert_string_equal(second, "Ines");
    assert_int_equal(states("done"), 1);
}

static void the_rule_itself_and_its_people_take_two(void **state)
{
    const struct hub_proposal up = {
        .kind = PROPOSE_ADMIN_ROLE, .text = bytes_of_str("Omar"), .text2 = "security", .reason = "a third"};
    const struct hub_proposal gone = {.kind = PROPOSE_ADMIN_REMOVE, .text = bytes_of_str("admin"), .reason = "has left"};
    const struct hub_proposal off = {.kind = PROPOSE_RULE, .text = bytes_of_str(RULE_TWO_PERSON), .number = 0, .reason = "too small"};
    int64_t on = 1;
    (void)state;
    propose(&gone);
    int64_t early = no;
    propose(&up);
    admin_as("Ines");
    assert_int_equal(hub_approve(HUB, early, NULL, &why), ERR_DENIED); /* there would be one */
    assert_int_equal(hub_approve(HUB, no, NULL, &why), ERR_OK);
    assert_int_equal(hub_approve(HUB, early, NULL, &why), ERR_OK);
    assert_int_equal(admin_try_as("admin", &why), ERR_PASSPHRASE);
    admin_as("Omar");
    propose(&off);
    admin_as("Ines");
    assert_int_equal(hub_approve(HUB, no, NULL, &why), ERR_OK);
    assert_int_equal(hub_rule_get(HUB, RULE_TWO_PERSON, &on, &why), ERR_OK);
    assert_int_equal(on, 0);
    assert_int_equal(hub_wipe(HUB, node->id.pub.kid, "alone again", true, &why), ERR_OK);
}

static void a_policy_comes_into_force_by_two_as_it_was_read(void **state)
{
    char *text = policy_variant_text(&(struct policy_variant){.less = "channel = 'shared' AND site = 'school-1'"});
    char *other = policy_variant_text(&(struct policy_variant){.less = "channel = 'shared' AND site = 'police-hq'"});
    const struct hub_proposal first = {.kind = PROPOSE_POLICY, .text = bytes_of_str(text), .reason = "agreed"};
    const struct hub_proposal second_one = {.kind = PROPOSE_POLICY, .text = bytes_of_str(other), .reason = "agreed"};
    enum proposal_kind kind = PROPOSAL_KINDS;
    struct buf read;
    int64_t a = 0, b = 0;
    bool done = false;
    (void)state;
    buf_init(&read, 1u << 20);
    propose(&first);
    a = no;
    propose(&second_one);
    b = no;
    assert_int_equal(fake_hub_int(admin_hub, "SELECT count(*) FROM h_policy"), 1);
    admin_as("Ines");
    assert_int_equal(hub_proposal_text(HUB, a, PROPOSE_POLICY, &read, &why), ERR_OK);
    assert_true(bytes_equal(buf_bytes(&read), bytes_of_str(text)));
    if (hub_approve(HUB, a, &kind, &why) != ERR_OK) fail_msg("%s", why.text);
    assert_int_equal(kind, PROPOSE_POLICY);
    while (!done) assert_int_equal(hub_policy_continue(HUB, 100, &done, &why), ERR_OK);
    assert_int_equal(fake_hub_int(admin_hub, "SELECT count(*) FROM h_policy"), 2);
    admin_last_act("policy apply", who, second);
    assert_string_equal(who, "admin");
    assert_string_equal(second, "Ines");
    assert_int_equal(hub_approve(HUB, b, NULL, &why), ERR_REFUSED); /* it was read against the one before */
    assert_int_equal(states("void"), 1);
    buf_release(&read);
    free(text);
    free(other);
}

static void a_proposal_of_somebody_who_is_no_security_administrator_any_more_is_none(void **state)
{
    const struct hub_proposal p = wipe_it();
    (void)state;
    propose(&p);
    assert_int_equal(db_exec(hub_db(HUB), "UPDATE h_admin SET role = 'viewer' WHERE name = 'admin'", &why), ERR_OK);
    admin_as("Ines");
    assert_int_equal(hub_approve(HUB, no, NULL, &why), ERR_REFUSED);
    assert_non_null(strstr(why.text, "no security administrator"));
    assert_int_equal(wiped(), 0);
    assert_int_equal(states("open"), 1);
    /* Put back, for the log tells of roles too. */
    assert_int_equal(db_exec(hub_db(HUB), "UPDATE h_admin SET role = 'security' WHERE name = 'admin'", &why), ERR_OK);
}

/* Another name is not another person. */
static void who_has_another_name_since_has_proposed_it_all_the_same(void **state)
{
    const struct hub_proposal p = wipe_it();
    (void)state;
    propose(&p);
    assert_int_equal(hub_admin_rename(HUB, "Sam", &why), ERR_OK);
    admin_as("Ines");
    if (hub_approve(HUB, no, NULL, &why) != ERR_OK) fail_msg("%s", why.text);
    assert_int_equal(wiped(), 1);
}

/* The second person said yes to nothing being destroyed. */
static void a_wipe_at_once_is_void_when_the_device_has_more_to_lose(void **state)
{
    struct hub_proposal p = wipe_it();
    (void)state;
    propose(&p);
    assert_int_equal(db_exec(hub_db(HUB), "UPDATE h_node SET unsent = 40", &why), ERR_OK);
    admin_as("Ines");
    assert_int_equal(hub_approve(HUB, no, NULL, &why), ERR_REFUSED);
    assert_int_equal(states("void"), 1);
    assert_int_equal(wiped(), 0);
    p.flag = false; /* this one waits for it */
    propose(&p);
    assert_int_equal(db_exec(hub_db(HUB), "UPDATE h_node SET unsent = 41", &why), ERR_OK);
    admin_as("admin");
    assert_int_equal(hub_approve(HUB, no, NULL, &why), ERR_OK);
}

static void what_can_be_proposed_can_be_carried_out(void **state)
{
    static char reason[1001];
    const struct hub_proposal site = {.kind = PROPOSE_REVOKE_SITE, .text = bytes_of_str("school-1"), .reason = reason};
    const struct hub_proposal up = {
        .kind = PROPOSE_ADMIN_ROLE, .text = bytes_of_str("Omar"), .text2 = "security", .reason = reason};
    const struct hub_proposal rule = {.kind = PROPOSE_RULE, .text = bytes_of_str(RULE_PROPOSAL), .number = 1};
    (void)state;
    memset(reason, 'r', sizeof reason - 1);
    assert_int_equal(hub_propose(HUB, &rule, "for a millisecond", &no, &why), ERR_USAGE);
    propose(&site);
    int64_t first = no;
    propose(&up);
    admin_as("Ines");
    assert_int_equal(hub_approve(HUB, first, NULL, &why), ERR_OK);
    assert_int_equal(hub_approve(HUB, no, NULL, &why), ERR_OK);
}

static void the_rule_wants_two_people_to_begin_with(void **state)
{
    int64_t on = 1;
    (void)state;
    assert_int_equal(hub_rule_set(HUB, RULE_TWO_PERSON, 1, NULL, &why), ERR_DENIED);
    assert_int_equal(hub_rule_get(HUB, RULE_TWO_PERSON, &on, &why), ERR_OK);
    assert_int_equal(on, 0);
    assert_int_equal(hub_rule_set(HUB, "any_rule", 1, NULL, &why), ERR_USAGE);
    assert_int_equal(hub_rule_set(HUB, RULE_APPROVE, 2, NULL, &why), ERR_USAGE);
    assert_int_equal(hub_rule_set(HUB, RULE_PROPOSAL, 1, NULL, &why), ERR_USAGE);
}

/* A restore makes a new key file for one. */
static void who_restored_the_hub_appoints_a_second_and_then_it_takes_two_again(void **state)
{
    const struct hub_proposal p = wipe_it();
    struct hub_admin self;
    bool two = true;
    (void)state;
    assert_int_equal(db_exec(hub_db(HUB), "DELETE FROM h_admin", &why), ERR_OK);
    admin_as("admin");
    assert_int_equal(hub_admin_self(HUB, &self, &why), ERR_OK);
    assert_string_equal(self.name, "admin 2"); /* acts of another are under the first */
    assert_int_equal(hub_takes_two(HUB, &p, &two, &why), ERR_OK);
    assert_false(two);
    admin_add("Sam", ROLE_SECURITY);
    assert_int_equal(hub_takes_two(HUB, &p, &two, &why), ERR_OK);
    assert_true(two);
    assert_int_equal(hub_wipe(HUB, p.kid, "alone", true, &why), ERR_REFUSED);
}

static void no_more_proposals_wait_than_can_be_read(void **state)
{
    const struct hub_proposal p = wipe_it();
    int64_t n = 0;
    (void)state;
    for (int i = 0; i < 100; i++) propose(&p);
    assert_int_equal(hub_propose(HUB, &p, "one more", &n, &why), ERR_LIMIT);
    admin_hub->now += PROPOSAL_MS_DEFAULT;
    propose(&p); /* those are expired */
}

static void closed_case(uint8_t c[16])
{
    static const char *const nobody[] = {NULL};
    fake_case(node, c, "school", nobody);
    assert_int_equal(db_exec(hub_db(HUB), "UPDATE case_file SET status = 'closed'", &why), ERR_OK);
}

static void a_case_is_erased_by_two_and_only_as_it_was_when_it_was_proposed(void **state)
{
    struct hub_proposal p = {.kind = PROPOSE_ERASE, .reason = "agreed"};
    struct hub_proposal unhold = {.kind = PROPOSE_UNHOLD, .reason = "over"};
    (void)state;
    closed_case(p.kid);
    memcpy(unhold.kid, p.kid, 16);
    assert_int_equal(hub_erase(HUB, p.kid, true, "alone", &why), ERR_REFUSED);
    propose(&p);
    assert_int_equal(hub_retention_hold(HUB, p.kid, "an inquiry", &why), ERR_OK); /* keeping takes one */
    admin_as("Ines");
    assert_int_equal(hub_approve(HUB, no, NULL, &why), ERR_REFUSED);
    assert_int_equal(states("void"), 1);
    admin_as("admin");
    assert_int_equal(hub_retention_release(HUB, p.kid, "alone", &why), ERR_REFUSED);
    propose(&unhold);
    admin_as("Ines");
    assert_int_equal(hub_approve(HUB, no, NULL, &why), ERR_OK);
    propose(&p);
    assert_int_equal(hub_approve(HUB, no, NULL, &why), ERR_REFUSED); /* one's own */
    assert_int_equal(fake_hub_int(admin_hub, "SELECT count(*) FROM h_erased"), 0);
    admin_as("admin");
    assert_int_equal(hub_approve(HUB, no, NULL, &why), ERR_OK);
    assert_int_equal(fake_hub_int(admin_hub, "SELECT count(*) FROM h_erased WHERE who = 'Ines' AND second = 'admin'"), 1);
    assert_int_equal(fake_hub_int(admin_hub, "SELECT count(*) FROM case_file"), 0);
    admin_last_act("erase", who, second);
    assert_string_equal(who, "Ines");
    assert_string_equal(second, "admin");
}

static void times_of_retention_are_set_by_two(void **state)
{
    const struct retention_days d = {90, 365, 2190};
    struct hub_proposal p = {.kind = PROPOSE_RETENTION, .text = bytes_of_str("90"), .text2 = "365", .text3 = "2190", .reason = "schedule"};
    struct retention_days now;
    (void)state;
    assert_int_equal(hub_retention_set(HUB, &d, "alone", &why), ERR_REFUSED);
    propose(&p);
    admin_as("Ines");
    assert_int_equal(hub_approve(HUB, no, NULL, &why), ERR_OK);
    assert_int_equal(hub_retention_get(HUB, &now, &why), ERR_OK);
    assert_true(now.partners == 90 && now.lead == 365 && now.erase == 2190);
    admin_as("Omar");
    assert_int_equal(hub_retention_set(HUB, &(struct retention_days){0, 0, 30}, "an operator", &why), ERR_REFUSED);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)
    const struct CMUnitTest tests[] = {
        T(a_wipe_is_done_by_two_and_both_are_in_the_log),
        T(nobody_does_it_alone_by_any_way),
        T(only_security_administrators_propose_and_approve),
        T(a_proposal_that_was_refused_or_is_too_old_is_not_carried_out),
        T(a_proposal_is_void_when_the_hub_has_changed),
        T(a_proposal_whose_bytes_were_changed_is_not_carried_out),
        T(a_whole_site_is_cut_off_by_two),
        T(what_a_restored_hub_must_erase_again_takes_two),
        T(the_rule_itself_and_its_people_take_two),
        T(a_policy_comes_into_force_by_two_as_it_was_read),
        T(a_proposal_of_somebody_who_is_no_security_administrator_any_more_is_none),
        T(who_has_another_name_since_has_proposed_it_all_the_same),
        T(a_wipe_at_once_is_void_when_the_device_has_more_to_lose),
        T(what_can_be_proposed_can_be_carried_out),
        T(who_restored_the_hub_appoints_a_second_and_then_it_takes_two_again),
        T(a_case_is_erased_by_two_and_only_as_it_was_when_it_was_proposed),
        T(times_of_retention_are_set_by_two),
        T(no_more_proposals_wait_than_can_be_read),
        cmocka_unit_test_setup_teardown(the_rule_wants_two_people_to_begin_with, admin_start, admin_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
