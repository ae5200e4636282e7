/* A hub's home and its administrators' acts. */
#include "tests/lib/fake_node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct fake_hub *hub;
static const char passphrase[] = "correct horse battery";

static int start(void **state)
{
    (void)state;
    hub = calloc(1, sizeof *hub);
    fake_hub_start(hub);
    fake_hub_people(hub);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fake_hub_stop(hub);
    free(hub);
    return 0;
}

static void verifies(void)
{
    struct why why = {0};
    if (hub_verify(hub->hub, &why) != ERR_OK) fail_msg("%s", why.text);
}

static void a_hub_is_made_once_and_opens_with_its_passphrase_only(void **state)
{
    struct why why = {0};
    struct hub *again = NULL;
    uint8_t kid[16];
    (void)state;
    memcpy(kid, hub_identity(hub->hub)->kid, 16);
    assert_string_equal(hub_name(hub->hub), "Test MASH");
    hub_close(hub->hub);
    hub->hub = NULL;
    assert_int_equal(hub_init(&hub->env, hub->dir, "Other", bytes_of_str(passphrase), &why), ERR_EXISTS);
    assert_int_equal(hub_init(&hub->env, hub->dir, "Other", bytes_of_str("another passphrase"), &why), ERR_EXISTS);
    assert_int_equal(hub_open(&again, &hub->env, hub->dir, bytes_of_str("another passphrase"), &why), ERR_PASSPHRASE);
    assert_null(again);
    assert_int_equal(hub_open(&hub->hub, &hub->env, hub->dir, bytes_of_str(passphrase), &why), ERR_OK);
    assert_memory_equal(kid, hub_identity(hub->hub)->kid, 16);
}

static void no_hub_is_made_over_a_key_without_its_store(void **state)
{
    char dir[64], key[96];
    struct why why = {0};
    struct hub *none = NULL;
    (void)state;
    (void)snprintf(dir, sizeof dir, "%.40s/half", hub->dir);
    (void)snprintf(key, sizeof key, "%s/hub.key", dir);
    assert_int_equal(hub_open(&none, &hub->env, dir, bytes_of_str(passphrase), &why), ERR_UNINIT);
    assert_int_equal(hub->env.make_dir(hub->env.ctx, dir, &why), ERR_OK);
    assert_int_equal(hub->env.write_file(hub->env.ctx, key, bytes_of_str("somebody's"), &why), ERR_OK);
    assert_int_equal(hub_init(&hub->env, dir, "New", bytes_of_str(passphrase), &why), ERR_EXISTS);
    assert_int_equal(access(key, F_OK), 0);
    (void)unlink(key);
    assert_int_equal(hub_init(&hub->env, dir, "", bytes_of_str(passphrase), &why), ERR_USAGE);
    assert_int_equal(hub_init(&hub->env, dir, "New", bytes_of_str("short"), &why), ERR_DENIED);
    assert_int_not_equal(access(key, F_OK), 0); /* nothing is left behind */
    assert_int_equal(rmdir(dir), 0);
}

static void a_new_hub_has_the_census_lists_and_timescales(void **state)
{
    (void)state;
    assert_int_equal(fake_hub_int(hub, "SELECT count(*) FROM code_list WHERE list = 'referral_source'"), 22);
    assert_int_equal(fake_hub_int(hub, "SELECT count(*) FROM code_list WHERE list = 'primary_need'"), 10);
    assert_int_equal(fake_hub_int(hub, "SELECT count(*) FROM code_list WHERE list = 'closure_reason'"), 9);
    assert_int_equal(fake_hub_int(hub, "SELECT minutes FROM timescale WHERE rag = 'red' AND what = 'decision'"), 240);
    assert_int_equal(fake_hub_int(hub, "SELECT count(*) FROM column_policy"), 0); /* only what differs */
}

static void codes_are_unique_and_well_made(void **state)
{
    struct why why = {0};
    struct hub_site s = {"school-1", "school", "Again", "partner", NULL, NULL, 0};
    (void)state;
    assert_int_equal(hub_add_agency(hub->hub, "school", "School", "education", &why), ERR_EXISTS);
    assert_int_equal(hub_add_agency(hub->hub, "", "School", "education", &why), ERR_USAGE);
    assert_int_equal(hub_add_agency(hub->hub, "a:b", "School", "education", &why), ERR_USAGE);
    assert_int_equal(hub_add_agency(hub->hub, "Bad Code", "School", "education", &why), ERR_USAGE);
    assert_int_equal(hub_add_agency(hub->hub, "good", "", "education", &why), ERR_USAGE);
    assert_int_equal(hub_add_agency(hub->hub, "good", "Good", "Social Care!", &why), ERR_USAGE);
    assert_int_equal(hub_add_site(hub->hub, &s, &why), ERR_EXISTS);
    s.code = "school-2";
    s.agency = "nobody";
    assert_int_equal(hub_add_site(hub->hub, &s, &why), ERR_NOTFOUND);
    s.agency = "school";
    s.kind = "castle";
    assert_int_equal(hub_add_site(hub->hub, &s, &why), ERR_USAGE);
    s.kind = NULL; /* a partner, of all areas */
    assert_int_equal(hub_add_site(hub->hub, &s, &why), ERR_OK);
    assert_int_equal(fake_hub_int(hub, "SELECT count(*) FROM coverage WHERE site = 'school-2' AND area = '*'"), 1);
    assert_int_equal(fake_hub_int(hub, "SELECT count(*) FROM site WHERE code = 'school-2' AND kind = 'partner'"), 1);
    verifies();
}

static void people_and_duties_are_checked(void **state)
{
    struct why why = {0};
    uint8_t id[16], nobody[16] = {1};
    (void)state;
    assert_int_equal(hub_add_practitioner(hub->hub, "nowhere", "Ann", NULL, id, &why), ERR_NOTFOUND);
    assert_int_equal(hub_add_practitioner(hub->hub, "school-1", "", NULL, id, &why), ERR_USAGE);
    assert_int_equal(hub_add_practitioner(hub->hub, "school-1", "Ann", "head", id, &why), ERR_OK);
    assert_int_equal(hub_add_practitioner(hub->hub, "school-1", "Ann", "head", nobody, &why), ERR_EXISTS);
    nobody[0] = 1;
    assert_int_equal(hub_add_duty(hub->hub, id, "north", "king", &why), ERR_USAGE);
    assert_int_equal(hub_add_duty(hub->hub, id, "", "manager", &why), ERR_USAGE);
    memset(nobody, 1, sizeof nobody);
    assert_int_equal(hub_add_duty(hub->hub, nobody, "north", "manager", &why), ERR_NOTFOUND);
    assert_int_equal(hub_add_duty(hub->hub, id, "north", "manager", &why), ERR_OK);
    assert_int_equal(hub_add_duty(hub->hub, id, "north", "manager", &why), ERR_EXISTS);
    assert_int_equal(hub_add_duty(hub->hub, id, "north", "caldicott", &why), ERR_OK);
}

static void invitations_need_a_site_an_address_and_an_end(void **state)
{
    struct why why = {0};
    struct buf code;
    (void)state;
    buf_init(&code, 4096);
    assert_int_equal(hub_invite(hub->hub, "nowhere", "http://x", 1000, &code, &why), ERR_NOTFOUND);
    assert_int_equal(hub_invite(hub->hub, "school-1", "", 1000, &code, &why), ERR_USAGE);
    assert_int_equal(hub_invite(hub->hub, "school-1", "http://x", 0, &code, &why), ERR_USAGE);
    assert_int_equal(code.len, 0);
    assert_int_equal(hub_invite(hub->hub, "school-1", "http://x", 1000, &code, &why), ERR_OK);
    struct invitation i;
    assert_int_equal(invitation_get(buf_bytes(&code), &i, &why), ERR_OK);
    assert_int_equal(fake_hub_int(hub, "SELECT length(token_hash) FROM h_invite"), 32); /* never the token */
    buf_release(&code);
}

static void a_device_is_revoked_once_and_with_a_reason(void **state)
{
    struct fake_node *n = calloc(1, sizeof *n);
    struct why why = {0};
    uint8_t nobody[16] = {9};
    (void)state;
    fake_node_enrol(n, hub, "school-1", "school", "Sue");
    assert_int_equal(hub_revoke(hub->hub, n->id.pub.kid, "", &why), ERR_USAGE);
    assert_int_equal(hub_revoke(hub->hub, nobody, "lost", &why), ERR_NOTFOUND);
    assert_int_equal(hub_revoke(hub->hub, n->id.pub.kid, "lost", &why), ERR_OK);
    assert_int_equal(hub_revoke(hub->hub, n->id.pub.kid, "lost", &why), ERR_EXISTS);
    assert_int_equal(fake_hub_int(hub, "SELECT count(*) FROM h_act WHERE act = 'revoke' AND reason = 'lost'"), 1);
    fake_node_release(n);
    free(n);
}

static void policies_are_checked_against_the_column(void **state)
{
    struct why why = {0};
    struct hub *h = hub->hub;
    (void)state;
    assert_int_equal(hub_set_policy(h, "nowhere", "sex", "lww", NULL, &why), ERR_NOTFOUND);
    assert_int_equal(hub_set_policy(h, "person", "soul", "lww", NULL, &why), ERR_NOTFOUND);
    assert_int_equal(hub_set_policy(h, "person", "sex", "loudest", NULL, &why), ERR_USAGE);
    assert_int_equal(hub_set_policy(h, "person", "id", "lww", NULL, &why), ERR_USAGE);
    assert_int_equal(hub_set_policy(h, "site", "kind", "lww", NULL, &why), ERR_USAGE);
    assert_int_equal(hub_set_policy(h, "case_file", "rag", "max", "blue<green", &why),
                     ERR_USAGE); /* not all its words */
    assert_int_equal(hub_set_policy(h, "person", "sex", "max", "1<2", &why), ERR_USAGE);
    assert_int_equal(hub_set_policy(h, "person", "sex", "authority", "me", &why), ERR_USAGE);
    assert_int_equal(hub_set_policy(h, "person", "sex", "lww", "x", &why), ERR_USAGE);
    assert_int_equal(hub_set_policy(h, "person", "sex", "lww", NULL, &why), ERR_OK);
    assert_int_equal(hub_set_policy(h, "person", "sex", "authority", "lead", &why), ERR_OK);
    assert_int_equal(hub_set_policy(h, "case_file", "rag", "max", NULL, &why), ERR_OK); /* its own order */
    assert_int_equal(fake_hub_int(hub, "SELECT count(*) FROM column_policy"), 2);
    assert_int_equal(fake_hub_int(hub, "SELECT count(*) FROM column_policy WHERE col = 'sex' AND policy = 'authority' "
                                       "AND arg = 'lead'"),
                     1);
}

/* A site that comes later sees the cases that it covers, and everything agrees with the views. */
static void a_new_site_sees_what_is_there_already(void **state)
{
    static const char *const members[] = {"police:contribute", NULL}, *const areas[] = {"north"};
    const struct hub_site s = {"police-2", "police", "Second", "partner", NULL, areas, 1};
    struct fake_node *n = calloc(1, sizeof *n), *late = calloc(1, sizeof *late);
    struct why why = {0};
    uint8_t c[16];
    (void)state;
    fake_node_enrol(n, hub, "care-mash", "care", "Carla");
    fake_node_pull(n);
    fake_case(n, c, "care", members);
    assert_int_equal(hub_add_site(hub->hub, &s, &why), ERR_OK);
    fake_node_enrol(late, hub, "police-2", "police", "Pete");
    fake_node_round(late);
    assert_true(fake_node_got(late, "case_file", c));
    verifies();
    fake_node_release(n);
    fake_node_release(late);
    free(n);
    free(late);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hub_is_made_once_and_opens_with_its_passphrase_only),
        cmocka_unit_test(no_hub_is_made_over_a_key_without_its_store),
        cmocka_unit_test(a_new_hub_has_the_census_lists_and_timescales),
        cmocka_unit_test(codes_are_unique_and_well_made),
        cmocka_unit_test(people_and_duties_are_checked),
        cmocka_unit_test(invitations_need_a_site_an_address_and_an_end),
        cmocka_unit_test(a_device_is_revoked_once_and_with_a_reason),
        cmocka_unit_test(policies_are_checked_against_the_column),
        cmocka_unit_test(a_new_site_sees_what_is_there_already),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
