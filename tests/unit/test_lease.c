/* The lease (node/lease.c): a device that nobody takes to the hub shows nothing any more, whatever is done to its
 * clock; and contact is the way out. */
#include "node/internal.h"
#include "tests/lib/faultvfs.h"
#include "tests/lib/mock_hub.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MINUTE INT64_C(60000)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

struct clock {
    int64_t wall, steady;
};

struct scene {
    struct mock_world w;
    struct clock c;
    int64_t t0; /* hub's time of the last contact */
    struct keyring ring;
    struct why why;
};

static int64_t wall_of(void *ctx)
{
    return ((const struct clock *)ctx)->wall;
}

static int64_t steady_of(void *ctx)
{
    return ((const struct clock *)ctx)->steady;
}

static enum err open_for(struct scene *x, enum node_for what_for)
{
    const struct node_key key = {.ring = &x->ring};
    node_close(x->w.node);
    x->w.node = NULL;
    x->why = (struct why){0};
    return node_open_as(&x->w.node, &x->w.env, x->w.home, &key, what_for, &x->why);
}

static enum err people(struct scene *x)
{
    return open_for(x, NODE_FOR_PEOPLE);
}

static void contact_at(struct scene *x, int64_t hub_ms)
{
    x->w.hub.clock_ms = (uint64_t)hub_ms;
    (void)mock_sync(&x->w, ERR_OK);
    x->t0 = hub_ms;
}

/* Time goes on, for both clocks. */
static void pass(struct scene *x, int64_t ms)
{
    x->c.wall += ms;
    x->c.steady += ms;
}

/* The computer starts anew, with its clock where the test puts it. */
static void boot(struct scene *x, int64_t wall)
{
    node_close(x->w.node);
    x->w.node = NULL;
    x->c = (struct clock){.wall = wall, .steady = 20000};
}

static int set_up(void **state)
{
    struct scene *x = calloc(1, sizeof *x);
    if (x == NULL) return -1;
    mock_world_new(&x->w);
    node_close(x->w.node);
    x->w.node = NULL;
    if (node_unlock(&x->w.env, x->w.home, bytes_of_str(MOCK_PASSPHRASE), &x->ring, &x->why) != ERR_OK) return -1;
    x->c = (struct clock){.wall = env_now(env_posix()), .steady = 5 * HOUR};
    x->w.env.ctx = &x->c; /* the others of the real world look at no ctx */
    x->w.env.now_ms = wall_of;
    x->w.env.steady_ms = steady_of;
    if (people(x) != ERR_OK) return -1;
    contact_at(x, x->c.wall);
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *x = *state;
    keyring_release(&x->ring);
    mock_world_free(&x->w);
    free(x);
    return 0;
}

static void is_locked(struct scene *x)
{
    assert_int_equal(people(x), ERR_REFUSED);
    assert_null(x->w.node);
    assert_non_null(strstr(x->why.text, "has had no contact with the MASH for"));
    assert_non_null(strstr(x->why.next, "spoke sync"));
}

static int64_t number(struct scene *x, const char *name)
{
    uint64_t v = 0;
    assert_int_equal(state_number(node_db(x->w.node), name, &v, NULL), ERR_OK);
    return (int64_t)v;
}

static void thirty_days_are_allowed_to_the_millisecond(void **state)
{
    struct scene *x = *state;
    boot(x, x->t0 + 30 * DAY);
    assert_int_equal(people(x), ERR_OK);
    boot(x, x->t0 + 30 * DAY + 1);
    is_locked(x);
    assert_non_null(strstr(x->why.text, "for 31 days; 30 are allowed, so it is locked. Nothing is lost."));
}

static void enrolment_is_the_first_contact(void **state)
{
    struct mock_world w;
    struct clock c = {.wall = env_now(env_posix()) + 31 * DAY, .steady = 1};
    struct why why = {0};
    (void)state;
    mock_world_new(&w);
    node_close(w.node);
    w.node = NULL;
    w.env.ctx = &c;
    w.env.now_ms = wall_of;
    w.env.steady_ms = steady_of;
    assert_int_equal(node_open(&w.node, &w.env, w.home, bytes_of_str(MOCK_PASSPHRASE), &why), ERR_REFUSED);
    c.wall -= 2 * DAY; /* the mark stays where it was seen */
    assert_int_equal(node_open(&w.node, &w.env, w.home, bytes_of_str(MOCK_PASSPHRASE), &why), ERR_REFUSED);
    mock_world_free(&w);
}

static void a_clock_that_is_set_back_brings_no_time_back(void **state)
{
    struct scene *x = *state;
    boot(x, x->t0 + 20 * DAY);
    assert_int_equal(people(x), ERR_OK);
    boot(x, x->t0 + DAY);
    assert_int_equal(people(x), ERR_OK);
    assert_true(number(x, "lease_high") == x->t0 + 20 * DAY);
    boot(x, x->t0 + 31 * DAY);
    is_locked(x);
    boot(x, x->t0 + DAY);
    is_locked(x);
    boot(x, 0);
    is_locked(x);
}

static void a_clock_that_is_frozen_at_each_start_does_not_stop_the_hours_that_it_runs(void **state)
{
    struct scene *x = *state;
    int days = 0;
    for (; days < 200; days++) { /* eight hours a day */
        boot(x, x->t0);
        if (people(x) != ERR_OK) break;
        for (int h = 0; h < 8; h++) {
            x->c.steady += HOUR;
            if (node_tick(x->w.node, &x->why) != ERR_OK) break;
        }
    }
    assert_in_range(days, 85, 91);
    is_locked(x);
}

static void hours_asleep_count_too(void **state)
{
    struct scene *x = *state;
    x->c.steady += 31 * DAY; /* a clock that runs on in suspend, while the other one stood */
    is_locked(x);
}

static void a_mark_that_a_fast_clock_left_is_mended_by_contact(void **state)
{
    struct scene *x = *state;
    boot(x, x->t0 + 4000 * DAY);
    is_locked(x);
    boot(x, x->t0 + DAY);
    is_locked(x); /* right again, but the mark stands */
    assert_int_equal(open_for(x, NODE_FOR_HUB), ERR_OK);
    contact_at(x, x->t0 + DAY);
    assert_int_equal(people(x), ERR_OK);
    boot(x, x->t0 + 30 * DAY);
    assert_int_equal(people(x), ERR_OK);
}

static void contact_by_a_carried_file_is_contact(void **state)
{
    struct scene *x = *state;
    struct mock_request req;
    struct mock_answer a;
    struct round_result r;
    struct buf out, answer;
    buf_init(&out, BUNDLE_MAX);
    buf_init(&answer, BUNDLE_MAX);
    boot(x, x->t0 + 40 * DAY);
    is_locked(x);
    assert_int_equal(open_for(x, NODE_FOR_HUB), ERR_OK);
    assert_int_equal(node_bundle_export(x->w.node, &out, &x->why), ERR_OK);
    x->w.hub.clock_ms = (uint64_t)(x->t0 + 38 * DAY); /* by the hub's time, however long the courier took */
    mock_hub_read(&x->w.hub, buf_bytes(&out), &req);
    mock_answer_begin(&a, &x->w.hub, &req);
    mock_answer_seal(&a, &x->w.hub, &answer);
    is_locked(x);
    assert_int_equal(open_for(x, NODE_FOR_HUB), ERR_OK);
    assert_int_equal(node_bundle_import(x->w.node, buf_bytes(&answer), &r, &x->why), ERR_OK);
    assert_int_equal(people(x), ERR_OK);
    boot(x, x->t0 + 68 * DAY);
    assert_int_equal(people(x), ERR_OK);
    boot(x, x->t0 + 68 * DAY + 1);
    is_locked(x);
    mock_request_release(&req);
    buf_release(&out);
    buf_release(&answer);
}

static void revoke(struct mock_hub *h, const struct mock_request *r, struct mock_answer *a, void *ctx)
{
    (void)h, (void)r, (void)ctx;
    a->hello.revoked = true;
}

static void contact_of_a_revoked_device_gives_it_no_time(void **state)
{
    struct scene *x = *state;
    pass(x, 29 * DAY);
    assert_int_equal(people(x), ERR_OK);
    x->w.hub.script = revoke;
    x->w.hub.clock_ms = (uint64_t)x->c.wall;
    assert_true(mock_sync(&x->w, ERR_REFUSED).revoked);
    assert_int_equal(people(x), ERR_OK);
    pass(x, 2 * DAY);
    is_locked(x);
}

static void copy_home(const struct scene *x, const char *from, const char *to)
{
    static const char *const files[] = {"replica.key", "device.secret", "replica.db", "replica.db-wal"};
    char a[200], b[200];
    const struct env *e = env_posix();
    assert_int_equal(e->make_dir(e->ctx, to, NULL), ERR_OK);
    (void)x;
    for (size_t i = 0; i < 4; i++) {
        struct buf content;
        buf_init(&content, 64u << 20);
        (void)snprintf(a, sizeof a, "%s/%s", from, files[i]);
        (void)snprintf(b, sizeof b, "%s/%s", to, files[i]);
        enum err got = e->read_file(e->ctx, a, 64u << 20, &content, NULL);
        if (got == ERR_OK)
            assert_int_equal(e->write_file(e->ctx, b, buf_bytes(&content), NULL), ERR_OK);
        else
            assert_int_equal(e->remove_file(e->ctx, b, NULL), ERR_OK);
        buf_release(&content);
    }
}

static void an_image_that_is_put_back_has_no_lease_of_its_own(void **state)
{
    struct scene *x = *state;
    char image[100];
    (void)snprintf(image, sizeof image, "%s/image", x->w.dir);
    boot(x, x->t0 + HOUR);
    copy_home(x, x->w.home, image);
    boot(x, x->t0 + 31 * DAY);
    is_locked(x);
    copy_home(x, image, x->w.home);
    is_locked(x); /* what the image does not know the clock says */
}

static void what_is_written_after_the_lease_ended_is_not_saved_and_contact_ends_that(void **state)
{
    struct scene *x = *state;
    struct row row;
    uint8_t c[16];
    uint64_t seq = 0;
    mock_id(c, 1);
    row = mock_case(c);
    pass(x, 29 * DAY);
    assert_int_equal(people(x), ERR_OK);
    (void)mock_put(x->w.node, &row, 1);
    pass(x, 2 * DAY);
    assert_int_equal(node_tick(x->w.node, &x->why), ERR_REFUSED);
    assert_int_equal(node_edit_begin(x->w.node, &x->why), ERR_OK);
    mock_id(c, 2);
    assert_int_equal(db_row_put(node_db(x->w.node), &row, &x->why), ERR_OK);
    x->why = (struct why){0};
    assert_int_equal(node_edit_commit(x->w.node, "made a case", &seq, &x->why), ERR_REFUSED);
    assert_non_null(strstr(x->why.text, "This change was not saved; all before it is kept."));
    assert_null(strstr(x->why.text, "Nothing is lost"));
    assert_non_null(strstr(x->why.next, "spoke sync"));
    assert_int_equal(mock_ask(x->w.node, "SELECT count(*) FROM case_file"), 1);
    x->w.hub.clock_ms = (uint64_t)x->c.wall;
    assert_int_equal(mock_sync(&x->w, ERR_OK).sent, 1); /* an open device goes to the hub when its time is over */
    assert_int_equal(node_tick(x->w.node, &x->why), ERR_OK);
    row = mock_case(c);
    (void)mock_put(x->w.node, &row, 1);
}

static void the_hub_sets_how_long(void **state)
{
    struct scene *x = *state;
    struct node_info i;
    assert_int_equal(node_get_info(x->w.node, &i, &x->why), ERR_OK);
    assert_int_equal(i.lease_days, 30);
    assert_true(i.lease_until_ms == x->t0 + 30 * DAY);
    assert_int_equal(lease_set(x->w.node, 0, &x->why), ERR_LIMIT);
    assert_int_equal(lease_set(x->w.node, LEASE_MAX_DAYS + 1, &x->why), ERR_LIMIT);
    assert_int_equal(lease_set(x->w.node, 1, &x->why), ERR_OK);
    assert_int_equal(node_get_info(x->w.node, &i, &x->why), ERR_OK);
    assert_int_equal(i.lease_days, 1);
    pass(x, DAY);
    assert_int_equal(people(x), ERR_OK);
    assert_int_equal(node_get_info(x->w.node, &i, &x->why), ERR_OK);
    assert_true(i.lease_until_ms == x->c.wall);
    pass(x, 1);
    is_locked(x);
    assert_non_null(strstr(x->why.text, "for 2 days; 1 is allowed"));
    assert_int_equal(open_for(x, NODE_FOR_HUB), ERR_OK);
    assert_int_equal(lease_set(x->w.node, 60, &x->why), ERR_OK); /* as an order says */
    pass(x, 50 * DAY);
    assert_int_equal(people(x), ERR_OK);
}

static void until_when_is_told_by_this_device_s_clock(void **state)
{
    struct scene *x = *state;
    struct node_info i;
    contact_at(x, x->c.wall + 5 * DAY); /* ours is slow */
    assert_int_equal(node_get_info(x->w.node, &i, &x->why), ERR_OK);
    assert_true(i.lease_until_ms == x->c.wall + 30 * DAY);
}

static void a_command_that_only_reads_writes_nothing_within_a_minute(void **state)
{
    struct scene *x = *state;
    int64_t high = number(x, "lease_high"), ran = number(x, "lease_ran");
    for (int i = 0; i < 5; i++) {
        pass(x, 10000);
        assert_int_equal(people(x), ERR_OK);
    }
    assert_true(number(x, "lease_high") == high && number(x, "lease_ran") == ran);
    pass(x, 20000);
    assert_int_equal(people(x), ERR_OK);
    assert_true(number(x, "lease_high") == x->t0 + 70000 && number(x, "lease_ran") == 70000);
}

static void a_full_disk_keeps_nobody_out_and_lets_nobody_in(void **state)
{
    struct scene *x = *state;
    struct faultvfs *v = faultvfs_new();
    x->w.env.vfs = "fault";
    pass(x, 29 * DAY);
    v->full_after = 0;
    assert_int_equal(people(x), ERR_OK);
    pass(x, 2 * DAY);
    v->full_after = 0;
    assert_int_equal(node_tick(x->w.node, &x->why), ERR_REFUSED);
    v->full_after = 0;
    is_locked(x);
    v->full_after = -1;
    x->w.env.vfs = NULL;
    faultvfs_free(v);
}

static void a_store_that_never_had_contact_has_no_lease(void **state)
{
    struct scene *x = *state;
    struct node_info i;
    assert_int_equal(db_exec(node_db(x->w.node), "DELETE FROM n_number WHERE name LIKE 'lease%'", &x->why), ERR_OK);
    boot(x, x->t0 + 4000 * DAY);
    assert_int_equal(people(x), ERR_OK);
    assert_int_equal(node_get_info(x->w.node, &i, &x->why), ERR_OK);
    assert_true(i.lease_until_ms == 0);
}

static void without_a_steady_clock_the_wall_clock_alone_counts(void **state)
{
    struct scene *x = *state;
    x->w.env.steady_ms = NULL;
    assert_int_equal(people(x), ERR_OK);
    contact_at(x, x->c.wall);
    boot(x, x->t0 - 5 * DAY);
    assert_int_equal(people(x), ERR_OK);
    boot(x, x->t0 + 30 * DAY);
    assert_int_equal(people(x), ERR_OK);
    boot(x, x->t0 + 31 * DAY);
    is_locked(x);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(thirty_days_are_allowed_to_the_millisecond),
        cmocka_unit_test(enrolment_is_the_first_contact),
        T(a_clock_that_is_set_back_brings_no_time_back),
        T(a_clock_that_is_frozen_at_each_start_does_not_stop_the_hours_that_it_runs),
        T(hours_asleep_count_too),
        T(a_mark_that_a_fast_clock_left_is_mended_by_contact),
        T(contact_by_a_carried_file_is_contact),
        T(contact_of_a_revoked_device_gives_it_no_time),
        T(an_image_that_is_put_back_has_no_lease_of_its_own),
        T(what_is_written_after_the_lease_ended_is_not_saved_and_contact_ends_that),
        T(the_hub_sets_how_long),
        T(until_when_is_told_by_this_device_s_clock),
        T(a_command_that_only_reads_writes_nothing_within_a_minute),
        T(a_full_disk_keeps_nobody_out_and_lets_nobody_in),
        T(a_store_that_never_had_contact_has_no_lease),
        T(without_a_steady_clock_the_wall_clock_alone_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
