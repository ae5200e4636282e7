/* cli/serve_desk.h: who is signed in, how that ends, and as whom the replica is open. */
#include "cli/serve_desk.h"
#include "cli/serve_files.h"
#include "cli/serve_launch.h"
#include "tests/lib/people_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#define MINUTE_MS 60000

struct desk_world {
    struct mock_world w;
    struct serve_desk *d;
    struct agent_clock now;
    unsigned woken;
};

static struct agent_clock clock_now(void *ctx)
{
    return ((struct desk_world *)ctx)->now;
}

static void woken(void *ctx)
{
    ((struct desk_world *)ctx)->woken++;
}

static void begin(struct desk_world *k)
{
    *k = (struct desk_world){.now = {.boot_ms = 1000000, .mono_ms = 1000000}};
    mock_world_new(&k->w);
    node_close(k->w.node);
    k->w.node = NULL;
    const struct serve_desk_options opt = {.env = &k->w.env,
                                           .home = k->w.home,
                                           .idle_ms = 15 * MINUTE_MS,
                                           .clock = clock_now,
                                           .clock_ctx = k,
                                           .wake = woken,
                                           .wake_ctx = k};
    assert_int_equal(serve_desk_new(&k->d, &opt, NULL), ERR_OK);
}

static void end(struct desk_world *k)
{
    serve_desk_free(k->d);
    mock_world_free(&k->w);
}

static uint64_t sign_in(struct desk_world *k, char token[SERVE_TOKEN_CHARS])
{
    struct keyring ring = {0};
    uint64_t session = 0;
    assert_int_equal(node_unlock(&k->w.env, k->w.home, bytes_of_str(MOCK_PASSPHRASE), &ring, NULL), ERR_OK);
    assert_int_equal(serve_desk_sign_in(k->d, &ring, token, &session, NULL), ERR_OK);
    assert_null(ring.keys.p); /* taken over */
    assert_int_not_equal(session, 0);
    return session;
}

static void desk_knows_a_session_by_its_whole_token_alone(void **state)
{
    (void)state;
    struct desk_world k;
    char token[SERVE_TOKEN_CHARS], other[SERVE_TOKEN_CHARS];
    uint64_t found = 0;
    begin(&k);
    uint64_t session = sign_in(&k, token);
    assert_int_equal(strlen(token), 64);
    assert_int_equal(serve_desk_find(k.d, token, false, &found, NULL), ERR_OK);
    assert_int_equal(found, session);
    memcpy(other, token, sizeof other);
    other[63] = other[63] == '0' ? '1' : '0';
    assert_int_equal(serve_desk_find(k.d, other, false, &found, NULL), ERR_LOCKED);
    other[63] = '\0';
    assert_int_equal(serve_desk_find(k.d, other, false, &found, NULL), ERR_LOCKED);
    memset(other, '0', 64); /* what an empty place holds */
    other[64] = '\0';
    assert_int_equal(serve_desk_find(k.d, other, false, &found, NULL), ERR_LOCKED);
    assert_int_equal(serve_desk_find(k.d, "", false, &found, NULL), ERR_LOCKED);
    end(&k);
}

static void desk_ends_who_is_not_at_work_and_says_so(void **state)
{
    (void)state;
    struct desk_world k;
    char token[SERVE_TOKEN_CHARS];
    uint64_t found = 0;
    struct why why = {0};
    begin(&k);
    (void)sign_in(&k, token);
    k.now.boot_ms += 14 * MINUTE_MS;
    k.now.mono_ms += 14 * MINUTE_MS;
    assert_int_equal(serve_desk_find(k.d, token, true, &found, NULL), ERR_OK); /* a page by itself */
    k.now.boot_ms += 2 * MINUTE_MS;
    k.now.mono_ms += 2 * MINUTE_MS;
    unsigned before = k.woken;
    assert_int_equal(serve_desk_find(k.d, token, false, &found, &why), ERR_LOCKED);
    assert_non_null(strstr(why.text, "Nobody was at work"));
    assert_true(k.woken > before);
    assert_int_equal(serve_desk_count(k.d), 0);
    end(&k);
}

static void desk_keeps_who_is_at_work(void **state)
{
    (void)state;
    struct desk_world k;
    char token[SERVE_TOKEN_CHARS];
    uint64_t found = 0;
    begin(&k);
    (void)sign_in(&k, token);
    for (int i = 0; i < 5; i++) {
        k.now.boot_ms += 14 * MINUTE_MS;
        k.now.mono_ms += 14 * MINUTE_MS;
        assert_int_equal(serve_desk_find(k.d, token, false, &found, NULL), ERR_OK);
    }
    end(&k);
}

static void desk_ends_all_when_the_machine_slept(void **state)
{
    (void)state;
    struct desk_world k;
    char one[SERVE_TOKEN_CHARS], wall[SERVE_TOKEN_CHARS];
    uint64_t found = 0;
    struct why why = {0};
    struct node *n = NULL;
    begin(&k);
    uint64_t first = sign_in(&k, one);
    serve_desk_make_wall(k.d, sign_in(&k, wall));
    k.now.boot_ms += 10000; /* and mono_ms stood still */
    (void)serve_desk_tick(k.d);
    assert_int_equal(serve_desk_find(k.d, one, false, &found, &why), ERR_LOCKED);
    assert_non_null(strstr(why.text, "slept"));
    assert_int_equal(serve_desk_find(k.d, wall, false, &found, NULL), ERR_LOCKED);
    assert_int_equal(serve_desk_enter(k.d, first, &n, NULL), ERR_LOCKED);
    (void)sign_in(&k, one); /* and once is enough */
    (void)serve_desk_tick(k.d);
    assert_int_equal(serve_desk_find(k.d, one, false, &found, NULL), ERR_OK);
    end(&k);
}

static void desk_lets_a_wall_stand_until_it_is_locked(void **state)
{
    (void)state;
    struct desk_world k;
    char token[SERVE_TOKEN_CHARS];
    uint64_t found = 0;
    begin(&k);
    uint64_t wall = sign_in(&k, token);
    serve_desk_make_wall(k.d, wall);
    k.now.boot_ms += 600 * MINUTE_MS;
    k.now.mono_ms += 600 * MINUTE_MS;
    (void)serve_desk_tick(k.d);
    assert_int_equal(serve_desk_find(k.d, token, true, &found, NULL), ERR_OK);
    assert_true(serve_desk_is_wall(k.d, wall));
    serve_desk_end(k.d, 0, ERR_LOCKED, NULL);
    assert_int_equal(serve_desk_find(k.d, token, true, &found, NULL), ERR_LOCKED);
    end(&k);
}

static void desk_has_eight_sessions_and_gives_up_the_least_used(void **state)
{
    (void)state;
    struct desk_world k;
    char tokens[SERVE_SESSIONS + 1][SERVE_TOKEN_CHARS];
    uint64_t found = 0;
    begin(&k);
    for (int i = 0; i < SERVE_SESSIONS; i++) {
        (void)sign_in(&k, tokens[i]);
        k.now.boot_ms += 1000;
        k.now.mono_ms += 1000;
    }
    assert_int_equal(serve_desk_find(k.d, tokens[0], false, &found, NULL), ERR_OK); /* at work: the second is it now */
    (void)sign_in(&k, tokens[SERVE_SESSIONS]);
    assert_int_equal(serve_desk_count(k.d), SERVE_SESSIONS);
    assert_int_equal(serve_desk_find(k.d, tokens[0], false, &found, NULL), ERR_OK);
    assert_int_equal(serve_desk_find(k.d, tokens[1], false, &found, NULL), ERR_LOCKED);
    assert_int_equal(serve_desk_find(k.d, tokens[SERVE_SESSIONS], false, &found, NULL), ERR_OK);
    end(&k);
}

static void desk_opens_the_replica_and_frees_it_again(void **state)
{
    (void)state;
    struct desk_world k;
    char token[SERVE_TOKEN_CHARS];
    struct node *n = NULL, *other = NULL;
    begin(&k);
    uint64_t session = sign_in(&k, token);
    assert_int_equal(serve_desk_enter(k.d, session, &n, NULL), ERR_OK);
    serve_desk_leave(k.d);
    serve_desk_end(k.d, session, ERR_OK, NULL); /* whose it was is gone: it is closed with the next look at the clock */
    (void)serve_desk_tick(k.d);
    assert_int_equal(node_open(&other, &k.w.env, k.w.home, bytes_of_str(MOCK_PASSPHRASE), NULL), ERR_OK);
    node_close(other);
    end(&k);
}

static void desk_waits_for_a_command_only_so_long(void **state)
{
    (void)state;
    struct desk_world k;
    char token[SERVE_TOKEN_CHARS];
    struct node *n = NULL, *command = NULL;
    struct why why = {0};
    uint64_t found = 0;
    begin(&k);
    uint64_t session = sign_in(&k, token);
    assert_int_equal(node_open(&command, &k.w.env, k.w.home, bytes_of_str(MOCK_PASSPHRASE), NULL), ERR_OK);
    assert_int_equal(serve_desk_enter(k.d, session, &n, &why), ERR_BUSY);
    assert_non_null(strstr(why.text, "Another Spoke program"));
    assert_int_equal(serve_desk_find(k.d, token, false, &found, NULL), ERR_OK); /* which ends nobody's session */
    node_close(command);
    assert_int_equal(serve_desk_enter(k.d, session, &n, NULL), ERR_OK);
    serve_desk_leave(k.d);
    end(&k);
}

/* The lease is over, say: who knows the passphrase may let the device make contact, and no more. */
static void desk_lets_a_lent_ring_make_contact_alone(void **state)
{
    (void)state;
    struct desk_world k;
    struct keyring ring = {0};
    struct node *n = NULL;
    begin(&k);
    assert_false(serve_desk_may_contact(k.d));
    assert_int_equal(serve_desk_enter_any(k.d, &n, NULL), ERR_LOCKED);
    assert_int_equal(node_unlock(&k.w.env, k.w.home, bytes_of_str(MOCK_PASSPHRASE), &ring, NULL), ERR_OK);
    serve_desk_lend(k.d, &ring);
    assert_true(serve_desk_may_contact(k.d));
    assert_int_equal(serve_desk_enter(k.d, 1, &n, NULL), ERR_LOCKED); /* nobody's session */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(serve_desk_enter_any(k.d, &n, NULL), ERR_OK);
        assert_int_equal(n->what_for, NODE_FOR_HUB);
        serve_desk_leave(k.d);
    }
    k.now.boot_ms += MINUTE_MS;
    k.now.mono_ms += MINUTE_MS;
    (void)serve_desk_tick(k.d);
    assert_false(serve_desk_may_contact(k.d));
    end(&k);
}

/* Edits and looks carry who has it open. */
static void desk_shows_each_person_as_themselves(void **state)
{
    void *start = NULL;
    (void)state;
    assert_int_equal(people_world_start(&start), 0);
    struct people_world *x = start;
    assert_int_equal(people_world_add(x, GWEN, GWEN_WORDS), ERR_OK);
    node_close(x->w.node);
    x->w.node = NULL;
    const struct serve_desk_options opt = {.env = &x->w.env, .home = x->w.home, .idle_ms = MINUTE_MS};
    static const char *const words[] = {MOCK_PASSPHRASE, GWEN_WORDS};
    const int turns[] = {0, 1, 0, 0, 1};
    const int who[] = {MAIR, GWEN};
    struct serve_desk *d = NULL;
    uint64_t session[2] = {0};
    assert_int_equal(serve_desk_new(&d, &opt, NULL), ERR_OK);
    for (int i = 0; i < 2; i++) {
        char token[SERVE_TOKEN_CHARS];
        struct keyring ring = {0};
        assert_int_equal(node_unlock(&x->w.env, x->w.home, bytes_of_str(words[i]), &ring, NULL), ERR_OK);
        assert_int_equal(serve_desk_sign_in(d, &ring, token, &session[i], NULL), ERR_OK);
    }
    for (size_t i = 0; i < sizeof turns / sizeof turns[0]; i++) {
        struct node *n = NULL;
        struct node_info info;
        assert_int_equal(serve_desk_enter(d, session[turns[i]], &n, NULL), ERR_OK);
        assert_int_equal(node_about(n, &info, NULL), ERR_OK);
        serve_desk_leave(d);
        assert_memory_equal(info.user, x->id[who[turns[i]]], 16);
    }
    serve_desk_free(d);
    mock_world_reopen(&x->w);
    assert_int_equal(people_world_stop(&start), 0);
}

/* ---- events */
static void desk_tells_what_came_after_and_no_more(void **state)
{
    (void)state;
    struct desk_world k;
    uint8_t id[16];
    struct buf out;
    begin(&k);
    mock_id(id, 7);
    uint64_t last = serve_desk_last_event(k.d);
    buf_init(&out, 1u << 20);
    assert_int_equal(serve_desk_events(k.d, last, true, &out, NULL), ERR_OK);
    assert_int_equal(out.len, 0);
    serve_desk_tell(k.d, SERVE_EDIT, id);
    serve_desk_tell(k.d, SERVE_SYNC, NULL);
    assert_int_equal(serve_desk_events(k.d, last, true, &out, NULL), ERR_OK);
    const char *text = buf_cstr(&out);
    assert_non_null(strstr(text, "\"reason\":\"edit\""));
    assert_non_null(strstr(text, "\"reason\":\"sync\""));
    buf_reset(&out);
    assert_int_equal(serve_desk_events(k.d, last + 1, true, &out, NULL), ERR_OK);
    assert_null(strstr(buf_cstr(&out), "\"reason\":\"edit\""));
    buf_reset(&out);
    for (int i = 0; i < 100; i++) serve_desk_tell(k.d, SERVE_EDIT, id); /* more than are kept */
    assert_int_equal(serve_desk_events(k.d, last, false, &out, NULL), ERR_OK);
    assert_non_null(strstr(buf_cstr(&out), "{\"reason\":\"sync\",\"online\":false,\"cases\":[]}"));
    buf_reset(&out);
    assert_int_equal(serve_desk_events(k.d, last + 1000000, true, &out, NULL), ERR_OK); /* of a clock that went back */
    assert_non_null(strstr(buf_cstr(&out), "\"cases\":[]"));
    buf_release(&out);
    end(&k);
}

/* What was lent is gone with a lock, also where it has the replica open just then. */
static void desk_takes_back_what_was_lent_when_it_is_locked(void **state)
{
    (void)state;
    struct desk_world k;
    struct keyring ring = {0};
    struct node *n = NULL, *other = NULL;
    begin(&k);
    assert_int_equal(node_unlock(&k.w.env, k.w.home, bytes_of_str(MOCK_PASSPHRASE), &ring, NULL), ERR_OK);
    serve_desk_lend(k.d, &ring);
    assert_int_equal(serve_desk_enter_any(k.d, &n, NULL), ERR_OK);
    serve_desk_leave(k.d);
    serve_desk_end(k.d, 0, ERR_LOCKED, NULL);
    assert_int_equal(serve_desk_enter_any(k.d, &n, NULL), ERR_LOCKED);
    assert_int_equal(node_unlock(&k.w.env, k.w.home, bytes_of_str(MOCK_PASSPHRASE), &ring, NULL), ERR_OK);
    serve_desk_lend(k.d, &ring);
    assert_int_equal(serve_desk_enter_any(k.d, &n, NULL), ERR_OK);
    serve_desk_end(k.d, 0, ERR_LOCKED, NULL); /* while it is in use: who uses it closes it when leaving */
    serve_desk_leave(k.d);
    assert_int_equal(node_open(&other, &k.w.env, k.w.home, bytes_of_str(MOCK_PASSPHRASE), NULL), ERR_OK);
    node_close(other);
    end(&k);
}

/* The first call after the lid was opened may come before anything looked at the clocks. */
static void desk_answers_nobody_who_slept_before_it_looked_at_the_clock(void **state)
{
    (void)state;
    struct desk_world k;
    char token[SERVE_TOKEN_CHARS];
    uint64_t found = 0;
    struct why why = {0};
    begin(&k);
    uint64_t session = sign_in(&k, token);
    k.now.boot_ms += 10000;
    assert_int_equal(serve_desk_find(k.d, token, true, &found, &why), ERR_LOCKED);
    assert_non_null(strstr(why.text, "slept"));
    assert_true(serve_desk_ended(k.d, session));
    end(&k);
}

/* One person's going is no event for the others, whose pages would be put away; a lock of all is. */
static void desk_tells_others_nothing_when_one_signs_out(void **state)
{
    (void)state;
    struct desk_world k;
    char one[SERVE_TOKEN_CHARS], two[SERVE_TOKEN_CHARS];
    uint64_t found = 0;
    struct buf out;
    begin(&k);
    buf_init(&out, 1u << 20);
    (void)sign_in(&k, one);
    uint64_t second = sign_in(&k, two);
    uint64_t last = serve_desk_last_event(k.d);
    unsigned before = k.woken;
    serve_desk_end(k.d, second, ERR_OK, NULL);
    assert_true(k.woken > before); /* whoever waits with it is answered */
    assert_int_equal(serve_desk_events(k.d, last, true, &out, NULL), ERR_OK);
    assert_int_equal(out.len, 0);
    k.now.boot_ms += 14 * MINUTE_MS;
    k.now.mono_ms += 14 * MINUTE_MS;
    (void)sign_in(&k, two);
    k.now.boot_ms += 2 * MINUTE_MS;
    k.now.mono_ms += 2 * MINUTE_MS;
    before = k.woken;
    assert_int_equal(serve_desk_find(k.d, one, true, &found, NULL), ERR_LOCKED); /* by the clock */
    assert_true(k.woken > before);
    assert_int_equal(serve_desk_events(k.d, last, true, &out, NULL), ERR_OK);
    assert_int_equal(out.len, 0);
    serve_desk_end(k.d, 0, ERR_LOCKED, NULL);
    assert_int_equal(serve_desk_events(k.d, last, true, &out, NULL), ERR_OK);
    assert_non_null(strstr(buf_cstr(&out), "\"reason\":\"locked\""));
    buf_release(&out);
    end(&k);
}

/* ---- the way in from the terminal */
static void launch_token_is_good_once_within_its_minute(void **state)
{
    (void)state;
    struct desk_world k;
    char token[LAUNCH_CHARS], wrong[LAUNCH_CHARS], second[LAUNCH_CHARS];
    struct why why = {0};
    begin(&k);
    assert_int_equal(serve_launch_take(&k.w.env, k.w.home, "", &why), ERR_LOCKED);
    assert_int_equal(serve_launch_leave(&k.w.env, k.w.home, token, NULL), ERR_OK);
    memcpy(wrong, token, sizeof wrong);
    wrong[0] = wrong[0] == '0' ? '1' : '0';
    assert_int_equal(serve_launch_take(&k.w.env, k.w.home, wrong, &why), ERR_LOCKED);
    assert_int_equal(serve_launch_take(&k.w.env, k.w.home, token, NULL), ERR_OK);
    assert_int_equal(serve_launch_take(&k.w.env, k.w.home, token, &why), ERR_LOCKED);
    assert_int_equal(serve_launch_leave(&k.w.env, k.w.home, token, NULL), ERR_OK);
    assert_int_equal(serve_launch_leave(&k.w.env, k.w.home, second, NULL), ERR_OK);
    assert_int_equal(serve_launch_take(&k.w.env, k.w.home, token, &why), ERR_LOCKED); /* the newer took its place */
    assert_int_equal(serve_launch_take(&k.w.env, k.w.home, second, NULL), ERR_OK);
    end(&k);
}

/* ---- paths */
static void paths_that_hide_something_are_none(void **state)
{
    (void)state;
    static const char *const bad[] = {"",      "x",     "/..",    "/a/../b", "/%2e%2e/b", "/a%2fb", "/a%2Fb",
                                      "//a",   "/a//b", "/./a",   "/a/.",    "/a%",       "/a%2",   "/a%zz",
                                      "/a%0a", "/a\\b", "/a%5cb", "/%7f",    "/.%2e/a",   "/a%00"};
    static const char *const good[] = {"/",    "/a",    "/a/b", "/a/", "/app-0123ABCD.js", "/case/C-12345678?x=//..",
                                       "/...", "/a%20b"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (serve_path_ok(bad[i])) fail_msg("%s is a path", bad[i]);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (!serve_path_ok(good[i])) fail_msg("%s is no path", good[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(desk_knows_a_session_by_its_whole_token_alone),
        cmocka_unit_test(desk_ends_who_is_not_at_work_and_says_so),
        cmocka_unit_test(desk_keeps_who_is_at_work),
        cmocka_unit_test(desk_ends_all_when_the_machine_slept),
        cmocka_unit_test(desk_lets_a_wall_stand_until_it_is_locked),
        cmocka_unit_test(desk_has_eight_sessions_and_gives_up_the_least_used),
        cmocka_unit_test(desk_opens_the_replica_and_frees_it_again),
        cmocka_unit_test(desk_waits_for_a_command_only_so_long),
        cmocka_unit_test(desk_lets_a_lent_ring_make_contact_alone),
        cmocka_unit_test(desk_takes_back_what_was_lent_when_it_is_locked),
        cmocka_unit_test(desk_answers_nobody_who_slept_before_it_looked_at_the_clock),
        cmocka_unit_test(desk_tells_others_nothing_when_one_signs_out),
        cmocka_unit_test(desk_shows_each_person_as_themselves),
        cmocka_unit_test(desk_tells_what_came_after_and_no_more),
        cmocka_unit_test(launch_token_is_good_once_within_its_minute),
        cmocka_unit_test(paths_that_hide_something_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
