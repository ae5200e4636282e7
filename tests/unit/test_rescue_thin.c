/* An image of a device lies in a drawer for months, with work on it that nobody has. Meanwhile the hub thins the cuts
 * of long ago (hub/STORE.md, "Cuts"), also the one upon which that work was made. Real replicas, a real hub. */
#include "tests/lib/intake_fixture.h"
#include "tests/lib/mock_hub.h"
#include "tests/lib/must.h"
#include "tests/lib/real_device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DAY    (24LL * 60 * 60 * 1000)
#define PEOPLE "SELECT count(*) FROM person WHERE case_id = $1"
#define FAULTS "SELECT count(*) FROM h_held WHERE fault = 1 AND state = 'waiting'"

static void thins(void)
{
    bool done = false;
    while (!done) MUST(hub_cuts_continue(hub->hub, &done, &why));
}

/* So many contacts, a minute apart, each of which brings the device something. */
static void hears(struct real_device *d, const uint8_t c[16], int times)
{
    uint8_t p[16];
    for (int i = 0; i < times; i++) {
        put_person(mona, c, p);
        (void)real_sync(d, ERR_OK);
        hub->now += 60000;
        d->env = hub->env;
    }
}

struct story {
    struct real_device d;
    uint8_t c[16], p[16], added[16];
};

/* Tina adds somebody and corrects a name on a device whose image goes into the drawer; the device itself was put back
 * to just before, and goes on. */
static void into_the_drawer(struct story *s)
{
    uint8_t other[16];
    struct node_info i;
    shared_case(other);
    real_join(&s->d, "school-1", "school", "Tina");
    (void)real_sync(&s->d, ERR_OK); /* the first cut of all is from before the case */
    shared_case(s->c);
    (void)real_sync(&s->d, ERR_OK);
    MUST(node_get_info(s->d.n, &i, &why));
    MUST(hub_lease(hub->hub, i.self.kid, 365, &why));
    put_person(mona, s->c, s->p); /* its site has written nothing there that would stay with it */
    hears(&s->d, s->c, 5);
    real_image(&s->d, "before");
    (void)real_person(&s->d, s->c, "Added", s->added);
    (void)mock_set(s->d.n, "person", s->p, "given_names", "Corrected");
    real_image(&s->d, "drawer");
    real_put_back(&s->d, "before");
    real_open(&s->d);
    hears(&s->d, s->c, 5);
}

static void months_pass(struct story *s, bool heard)
{
    for (int i = 0; i < 12; i++) {
        hub->now += 10 * DAY;
        s->d.env = hub->env;
        if (heard) hears(&s->d, s->c, 1);
    }
    int64_t before = fake_hub_int(hub, "SELECT count(*) FROM h_cut");
    thins();
    assert_true(!heard || fake_hub_int(hub, "SELECT count(*) FROM h_cut") < before - 5);
}

/* What nobody had comes to a manager, and to nobody else. */
static void out_of_the_drawer(struct story *s)
{
    int64_t people = count_in(PEOPLE, s->c), held = count_in(HELD, s->c);
    real_put_back(&s->d, "drawer");
    (void)real_sync(&s->d, ERR_REFUSED);
    real_again(&s->d);
    assert_int_equal(real_sync(&s->d, ERR_OK).held, 2);
    assert_int_equal(count_in(PEOPLE, s->c), people);
    assert_int_equal(count_in(HELD, s->c), held + 2);
    assert_int_equal(fake_hub_int(hub, FAULTS), 0);
}

static void accept(const uint8_t c[16], const char *word)
{
    uint8_t held[16];
    char sql[160];
    fake_node_pull(mona);
    (void)snprintf(sql, sizeof sql,
                   "SELECT id FROM held WHERE case_id = $1 AND state = 'waiting' AND what LIKE '%%%s%%'", word);
    id_of(sql, c, held);
    says(change_from(mona, "held", held, "state", "waiting", "accepted"), VERDICT_APPLIED, NULL);
}

static void work_from_an_image_of_long_ago_is_shown_to_a_manager_and_can_be_accepted(void **state)
{
    struct story s;
    (void)state;
    into_the_drawer(&s);
    months_pass(&s, true);
    out_of_the_drawer(&s);
    accept(s.c, "Added");
    assert_true(at_hub("person", s.added));
    accept(s.c, "Corrected"); /* of a row that counts as unseen: what stands there and what comes are both shown */
    assert_int_equal(count_in(CONFLICTS, s.c), 1);
    (void)real_sync(&s.d, ERR_OK);
    verifies();
    real_gone(&s.d);
}

/* It counts as having seen nothing of what others wrote since the first of all cuts: both values are kept. */
static void it_never_overwrites_what_others_wrote_meanwhile(void **state)
{
    struct story s;
    (void)state;
    into_the_drawer(&s);
    fake_node_pull(mona);
    says(change(mona, "person", s.p, "given_names", "Meanwhile"), VERDICT_APPLIED, NULL);
    months_pass(&s, true);
    out_of_the_drawer(&s);
    accept(s.c, "Corrected");
    assert_int_equal(count_in(CONFLICTS, s.c), 1);
    verifies();
    real_gone(&s.d);
}

/* Its site has lost the case since: who is responsible is shown the work all the same. */
static void work_on_a_case_that_its_site_lost_meanwhile_is_shown_too(void **state)
{
    struct story s;
    uint8_t part[16];
    (void)state;
    into_the_drawer(&s);
    months_pass(&s, true);
    id_of("SELECT id FROM participant WHERE case_id = $1 AND member = 'school'", s.c, part);
    fake_node_pull(mona);
    says(change_from(mona, "participant", part, "access", "contribute", "none"), VERDICT_APPLIED, NULL);
    out_of_the_drawer(&s);
    verifies();
    real_gone(&s.d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_from_an_image_of_long_ago_is_shown_to_a_manager_and_can_be_accepted),
        cmocka_unit_test(it_never_overwrites_what_others_wrote_meanwhile),
        cmocka_unit_test(work_on_a_case_that_its_site_lost_meanwhile_is_shown_too),
    };
    return cmocka_run_group_tests(tests, intake_start, intake_stop);
}
