/* The server's limits: who asks too much is put off, and nobody else; in memory that does not grow. And the code that
 * people hold before a camera. */
#include "cli/hub_limit.h"
#include "cli/hub_qr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int64_t now;
static int64_t fake_steady(void *ctx)
{
    (void)ctx;
    return now;
}

/* The salt decides whether ten thousand devices fit in their places, which they nearly always do: this one is such. */
static void fake_random(void *ctx, void *out, size_t n)
{
    (void)ctx;
    memset(out, 0x5a, n);
}

static struct hub_limit *make(struct env *env, struct hub_limit_rates rates)
{
    struct hub_limit *l = NULL;
    now = 1000;
    *env = *env_posix();
    env->steady_ms = fake_steady;
    env->random = fake_random;
    assert_int_equal(hub_limit_new(&l, env, &rates, NULL), ERR_OK);
    return l;
}

static const uint8_t busy[16] = {1, 2, 3}, calm[16] = {9, 9, 9};

static void a_device_that_asks_too_often_waits_and_others_go_on(void **state)
{
    struct env env;
    struct hub_limit *l = make(&env, (struct hub_limit_rates){.device = {10, 20}, .enrol = {1, 1}, .nobody = {1, 5}});
    unsigned wait = 0, passed = 0;
    (void)state;
    for (int i = 0; i < 1000; i++) passed += hub_limit_device(l, busy, &wait);
    assert_int_equal(passed, 20);
    assert_int_equal(wait, 1);
    assert_true(hub_limit_device(l, calm, &wait));
    now += 1000;
    for (int i = 0; i < 1000; i++) passed += hub_limit_device(l, busy, &wait);
    assert_int_equal(passed, 30);
    now += 1000000; /* no more than a full bucket comes of waiting */
    for (int i = 0; i < 1000; i++) passed += hub_limit_device(l, busy, &wait);
    assert_int_equal(passed, 50);
    hub_limit_free(l);
}

static void a_clock_that_stands_or_goes_back_opens_no_door(void **state)
{
    struct env env;
    struct hub_limit *l = make(&env, (struct hub_limit_rates){.device = {10, 2}});
    unsigned wait = 0;
    (void)state;
    assert_true(hub_limit_device(l, busy, &wait) && hub_limit_device(l, busy, &wait));
    now -= 900;
    assert_false(hub_limit_device(l, busy, &wait));
    now += 100;
    assert_true(hub_limit_device(l, busy, &wait));
    hub_limit_free(l);
}

static void strangers_are_put_off_together_and_known_devices_are_not(void **state)
{
    struct env env;
    struct hub_limit *l = make(&env, (struct hub_limit_rates){.device = {100, 100}, .enrol = {1, 1}, .nobody = {1, 5}});
    unsigned wait = 0, passed = 0;
    uint8_t kid[16] = {0};
    (void)state;
    assert_true(hub_limit_device(l, calm, &wait));
    hub_limit_was(l, calm, true);
    for (unsigned i = 0; i < 1000; i++) { /* another id each time */
        memcpy(kid, &i, sizeof i);
        kid[15] = 7;
        if (!hub_limit_device(l, kid, &wait)) continue;
        passed++;
        hub_limit_was(l, kid, false);
    }
    assert_int_equal(passed, 5);
    assert_true(hub_limit_device(l, calm, &wait));
    now += 3000;
    assert_true(hub_limit_device(l, busy, &wait)); /* a new one gets in again */
    hub_limit_free(l);
}

/* More devices than there is room for, all within their rate; and one who claims to be many. */
static void what_is_forgotten_is_never_what_is_over_its_rate(void **state)
{
    struct env env;
    struct hub_limit *l = make(&env, (struct hub_limit_rates){.device = {1, 50}, .enrol = {1, 1}, .nobody = {0, 0}});
    unsigned wait = 0, passed = 0;
    uint8_t kid[16] = {0};
    (void)state;
    for (int i = 0; i < 200; i++) passed += hub_limit_device(l, busy, &wait);
    assert_int_equal(passed, 50);
    hub_limit_was(l, busy, true);
    for (unsigned i = 1; i < 200000; i++) {
        memcpy(kid + 4, &i, sizeof i);
        assert_true(hub_limit_device(l, kid, &wait));
    }
    assert_false(hub_limit_device(l, busy, &wait));
    hub_limit_free(l);
}

/* Ids that nobody has, as fast as strangers may. */
static void no_stranger_takes_the_place_of_a_device_that_proved_itself(void **state)
{
    struct env env;
    struct hub_limit *l = make(&env, (struct hub_limit_rates){.device = {20, 400}, .nobody = {20, 400}});
    unsigned wait = 0, lost = 0;
    uint8_t kid[16] = {0};
    (void)state;
    for (unsigned i = 0; i < 10000; i++) {
        memcpy(kid, &i, sizeof i);
        hub_limit_was(l, kid, true);
    }
    kid[15] = 7;
    for (unsigned i = 0; i < 400000; i++, now += i % 20 == 0 ? 1000 : 0) {
        memcpy(kid, &i, sizeof i);
        if (hub_limit_device(l, kid, &wait)) hub_limit_was(l, kid, false);
    }
    kid[15] = 0;
    for (unsigned i = 400; i > 0; i--) hub_limit_was(l, busy, false); /* strangers have used up theirs */
    for (unsigned i = 0; i < 10000; i++) {
        memcpy(kid, &i, sizeof i);
        lost += !hub_limit_device(l, kid, &wait);
    }
    assert_int_equal(lost, 0);
    hub_limit_free(l);
}

static void requests_in_anothers_name_are_strangers_first(void **state)
{
    struct env env;
    struct hub_limit *l = make(&env, (struct hub_limit_rates){.device = {1, 5}, .nobody = {20, 400}});
    unsigned wait = 0;
    (void)state;
    hub_limit_was(l, calm, true);
    for (int i = 0; i < 399; i++) {
        assert_true(hub_limit_device(l, calm, &wait)); /* forged: it cannot be opened */
        hub_limit_was(l, calm, false);
    }
    for (int i = 0; i < 5; i++) assert_true(hub_limit_device(l, calm, &wait));
    assert_false(hub_limit_device(l, calm, &wait));
    hub_limit_free(l);
}

static void doors_have_a_limit_of_their_own(void **state)
{
    struct env env;
    struct hub_limit *l = make(&env, (struct hub_limit_rates){.device = {1, 5}, .door = {10, 20}, .nobody = {1, 5}});
    unsigned wait = 0, passed = 0;
    (void)state;
    for (int i = 0; i < 100; i++) passed += hub_limit_door(l, &wait);
    assert_int_equal(passed, 20);
    assert_true(hub_limit_device(l, calm, &wait));
    now += 1000;
    for (int i = 0; i < 5; i++) {
        assert_true(hub_limit_door(l, &wait));
        hub_limit_door_was(l, false);
    }
    assert_false(hub_limit_door(l, &wait)); /* five of them were nobody's */
    hub_limit_free(l);
}

static void wrong_codes_are_slowed_down_and_good_ones_cost_nothing(void **state)
{
    struct env env;
    struct hub_limit *l = make(&env, (struct hub_limit_rates){.device = {1, 1}, .enrol = {0.5, 3}, .nobody = {1, 1}});
    unsigned wait = 0;
    (void)state;
    for (int i = 0; i < 100; i++) {
        assert_true(hub_limit_enrol(l, &wait));
        hub_limit_enrol_was(l, true);
    }
    for (int i = 0; i < 3; i++) {
        assert_true(hub_limit_enrol(l, &wait));
        hub_limit_enrol_was(l, false);
    }
    assert_false(hub_limit_enrol(l, &wait));
    assert_true(wait >= 1 && wait <= 3);
    now += 2000;
    assert_true(hub_limit_enrol(l, &wait));
    hub_limit_free(l);
}

static void a_rate_is_read_as_people_write_it(void **state)
{
    static const char *const bad[] = {"", "-1", "x", "1e9", "20/", "/20", "20/0", "20/0.5", "1.2.3", "20 ", " 20", "1,5", "99999999"};
    struct hub_rate r;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (hub_rate_read(bad[i], &r, NULL) != ERR_USAGE) fail_msg("'%s' was taken", bad[i]);
    assert_int_equal(hub_rate_read("20", &r, NULL), ERR_OK);
    assert_true(r.per_second == 20 && r.burst == 200);
    assert_int_equal(hub_rate_read("0.5/60", &r, NULL), ERR_OK);
    assert_true(r.per_second == 0.5 && r.burst == 60);
    assert_int_equal(hub_rate_read("0", &r, NULL), ERR_OK);
    assert_true(r.per_second == 0);
    struct env env;
    struct hub_limit *l = make(&env, (struct hub_limit_rates){0});
    unsigned wait = 0;
    for (int i = 0; i < 5000; i++) assert_true(hub_limit_device(l, busy, &wait) && hub_limit_enrol(l, &wait));
    hub_limit_free(l);
}

/* --------------------------------------------------------------------------------------------------------------- QR */

/* Is a module of the printed code dark? `light`: blocks are the light ones. */
static bool dark_at(char *const *line, int x, int y)
{
    const char *p = line[y / 2];
    for (int i = 0; i < x; i++) p += (unsigned char)*p >= 0xe0 ? 3 : 1;
    bool whole = strncmp(p, "\u2588", 3) == 0, top = whole || strncmp(p, "\u2580", 3) == 0, bottom = whole || strncmp(p, "\u2584", 3) == 0;
    return !(y % 2 == 0 ? top : bottom);
}

/* A finder pattern: rings of 7, 5 and 3 modules (ISO/IEC 18004 §6.3.3). */
static void is_finder(char *const *line, int x0, int y0)
{
    for (int y = 0; y < 7; y++)
        for (int x = 0; x < 7; x++) {
            int ring = abs(x - 3) > abs(y - 3) ? abs(x - 3) : abs(y - 3);
            if (dark_at(line, x0 + x, y0 + y) != (ring != 2)) fail_msg("module %d,%d of the pattern at %d,%d", x, y, x0, y0);
        }
}

static void the_code_is_square_has_its_marks_and_its_quiet_zone(void **state)
{
    static const char code[] = "AFQ2W3-XK7TZ4-5J6MBA-QRSTUV-234567-ABCDEF-GHIJKL-MNOPQR-STUVWX-YZ2345";
    char *text = NULL, *line[200] = {0};
    size_t len = 0;
    int n = 0, width = 0;
    FILE *f = open_memstream(&text, &len);
    (void)state;
    assert_int_equal(hub_qr_print(f, code, false, NULL), ERR_OK);
    fclose(f);
    for (char *p = strtok(text, "\n"); p != NULL && n < 200; p = strtok(NULL, "\n")) line[n++] = p;
    for (const char *p = line[0]; *p != '\0'; p += (unsigned char)*p >= 0xe0 ? 3 : 1) width++;
    int side = width - 8;
    assert_true(side >= 21 && (side - 17) % 4 == 0 && n == (width + 1) / 2);
    for (int i = 0; i < width; i++)
        for (int q = 0; q < 4; q++) assert_false(dark_at(line, i, q) || dark_at(line, q, i) || dark_at(line, side + 4 + q, i));
    is_finder(line, 4, 4);
    is_finder(line, 4 + side - 7, 4);
    is_finder(line, 4, 4 + side - 7);
    for (int i = 8; i < side - 8; i++) /* the timing pattern */
        assert_true(dark_at(line, 4 + i, 4 + 6) == (i % 2 == 0) && dark_at(line, 4 + 6, 4 + i) == (i % 2 == 0));
    free(text);
}

static void what_fits_in_no_code_is_said(void **state)
{
    static char text[4000];
    FILE *f = fopen("/dev/null", "w");
    (void)state;
    memset(text, 'a', sizeof text - 1);
    assert_int_equal(hub_qr_print(f, text, false, NULL), ERR_LIMIT);
    fclose(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_that_asks_too_often_waits_and_others_go_on),
        cmocka_unit_test(a_clock_that_stands_or_goes_back_opens_no_door),
        cmocka_unit_test(strangers_are_put_off_together_and_known_devices_are_not),
        cmocka_unit_test(what_is_forgotten_is_never_what_is_over_its_rate),
        cmocka_unit_test(no_stranger_takes_the_place_of_a_device_that_proved_itself),
        cmocka_unit_test(requests_in_anothers_name_are_strangers_first),
        cmocka_unit_test(doors_have_a_limit_of_their_own),
        cmocka_unit_test(wrong_codes_are_slowed_down_and_good_ones_cost_nothing),
        cmocka_unit_test(a_rate_is_read_as_people_write_it),
        cmocka_unit_test(the_code_is_square_has_its_marks_and_its_quiet_zone),
        cmocka_unit_test(what_fits_in_no_code_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
