/* A server and the commands beside it, in one process: who has the store when, whose word on the clocks counts, and
 * that nobody takes another's place. */
#include "cli/hub_home.h"
#include "cli/hub_turn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define HOUR (60 * 60000LL)
#define DAY  (24 * HOUR)

static const char passphrase[] = "a passphrase of the test";

struct clocks {
    int64_t wall, steady;
};

struct rig {
    char home[64], socket[96];
    struct clocks clocks;
    struct env env;
    struct hub *hub;       /* the server's */
    struct hub *beside;    /* the command's; NULL: none */
    struct hub_turn *turn; /* NULL: nobody serves */
    int fd;                /* of the command's turn */
    atomic_int backs, losts;
    char *log;
    size_t log_len;
    FILE *log_file;
};

static int64_t wall(void *ctx)
{
    return ((struct clocks *)ctx)->wall;
}

static int64_t steady(void *ctx)
{
    return ((struct clocks *)ctx)->steady;
}

static void is_back(void *ctx)
{
    atomic_fetch_add(&((struct rig *)ctx)->backs, 1);
}

static void is_lost(void *ctx)
{
    atomic_fetch_add(&((struct rig *)ctx)->losts, 1);
}

static enum err start(struct rig *r, struct hub *h, struct hub_turn **out, struct why *why)
{
    return hub_turn_start(
        out,
        &(struct hub_turn_options){
            .home = r->home, .hub = h, .env = &r->env, .log = r->log_file, .back = is_back, .lost = is_lost, .ctx = r},
        why);
}

static int set_up(void **state)
{
    struct rig *r = calloc(1, sizeof *r);
    struct why why = {0};
    assert_non_null(r);
    *state = r;
    r->fd = -1;
    snprintf(r->home, sizeof r->home, "%.40s/turnXXXXXX", getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(r->home));
    snprintf(r->socket, sizeof r->socket, "%s/serve.sock", r->home);
    r->clocks = (struct clocks){.wall = 1780000000000, .steady = 50 * DAY};
    r->env = *env_posix();
    r->env.ctx = &r->clocks; /* the real world's functions need no ctx */
    r->env.now_ms = wall;
    r->env.steady_ms = steady;
    r->env.busy_ms = 20;
    r->log_file = open_memstream(&r->log, &r->log_len);
    assert_non_null(r->log_file);
    assert_int_equal(secret_start(&why), ERR_OK);
    assert_int_equal(hub_init(&r->env, r->home, "Hub of tests", bytes_of_str(passphrase), &why), ERR_OK);
    assert_int_equal(hub_open(&r->hub, &r->env, r->home, bytes_of_str(passphrase), &why), ERR_OK);
    assert_int_equal(hub_add_agency(r->hub, "first", "First", "police", &why),
                     ERR_OK); /* it has looked at its clocks */
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;
    static const char *const names[] = {"hub.key", "hub.db", "hub.db-wal", "hub.db-shm", "recovery.key"};
    char path[128];
    hub_turn_give(r->fd, NULL);
    (void)hub_turn_end(r->turn, NULL);
    hub_turn_free(r->turn);
    hub_close(r->beside);
    hub_close(r->hub);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", r->home, names[i]);
        (void)unlink(path);
    }
    int left = rmdir(r->home);
    fclose(r->log_file);
    free(r->log);
    free(r);
    return left;
}

static void serve(struct rig *r)
{
    struct why why = {0};
    assert_int_equal(start(r, r->hub, &r->turn, &why), ERR_OK);
}

static void stop_serving(struct rig *r)
{
    assert_int_equal(hub_turn_end(r->turn, NULL), ERR_OK);
    hub_turn_free(r->turn);
    r->turn = NULL;
}

static enum err ask(void *ctx, struct hub_clock *clock, struct why *why)
{
    struct rig *r = ctx;
    return hub_turn_ask(r->home, &r->fd, clock, why);
}

static void begin_command(struct rig *r)
{
    struct why why = {0};
    assert_int_equal(hub_open_in_turn(&r->beside, &r->env, r->home, bytes_of_str(passphrase), ask, r, &why), ERR_OK);
    assert_true(r->fd >= 0);
}

static void end_command(struct rig *r)
{
    struct hub_clock clock;
    hub_clock_get(r->beside, &clock);
    hub_close(r->beside);
    r->beside = NULL;
    hub_turn_give(r->fd, &clock);
    r->fd = -1;
}

/* It ends as by a signal. */
static void kill_command(struct rig *r)
{
    hub_close(r->beside);
    r->beside = NULL;
    hub_turn_give(r->fd, NULL);
    r->fd = -1;
}

static void a_moment(void)
{
    (void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
}

/* The server's own thread writes there too. */
static bool logged(struct rig *r, const char *text)
{
    flockfile(r->log_file);
    bool there = fflush(r->log_file) == 0 && strstr(r->log, text) != NULL;
    funlockfile(r->log_file);
    return there;
}

static void await_line(struct rig *r, const char *text)
{
    for (int i = 0; i < 1000; i++) {
        if (logged(r, text)) return;
        a_moment();
    }
    fail_msg("the log never said %s", text);
}

static void enter(struct rig *r)
{
    for (int i = 0; i < 1000; i++) {
        if (hub_turn_enter(r->turn)) return;
        a_moment();
    }
    fail_msg("the server did not get its store back");
}

static void add(struct hub *h, const char *code)
{
    struct why why = {0};
    if (hub_add_agency(h, code, "An agency", "police", &why) != ERR_OK) fail_msg("%s", why.text);
}

/* The server adds an agency between two turns. */
static void server_adds(struct rig *r, const char *code)
{
    enter(r);
    add(r->hub, code);
    hub_turn_leave(r->turn);
}

static int64_t number(struct hub *h, const char *sql)
{
    struct stmt *s = NULL;
    bool row = false;
    assert_int_equal(db_prepare(hub_db(h), sql, &s, NULL), ERR_OK);
    assert_int_equal(db_step(s, &row, NULL), ERR_OK);
    int64_t n = db_int(s, 0);
    db_done(s);
    return n;
}

static int64_t hub_time(struct hub *h)
{
    return number(h, "SELECT now FROM policy_now");
}

static int64_t doubts(struct hub *h)
{
    return number(h, "SELECT count(*) FROM h_act WHERE act LIKE 'clock went%'");
}

static void go_on(struct rig *r, int64_t ms)
{
    r->clocks.wall += ms;
    r->clocks.steady += ms;
}

/* ------------------------------------------------------------------------------------------------------- the clocks */

static void a_command_doubts_a_jump_of_the_clock_as_the_server_beside_it_would(void **state)
{
    struct rig *r = *state;
    int64_t before = r->clocks.wall;
    serve(r);
    r->clocks.wall += 20 * DAY;
    begin_command(r);
    add(r->beside, "second");
    assert_int_equal(hub_time(r->beside), before);
    assert_int_equal(doubts(r->beside), 1);
    end_command(r);
    server_adds(r, "third");
    assert_int_equal(hub_time(r->hub), before);
    assert_int_equal(doubts(r->hub), 1);
}

/* Why it has to be told. */
static void a_process_that_knows_nothing_of_the_clocks_believes_an_absence_of_twenty_days(void **state)
{
    struct rig *r = *state;
    struct why why = {0};
    hub_pause(r->hub);
    r->clocks.wall += 20 * DAY;
    assert_int_equal(hub_open(&r->beside, &r->env, r->home, bytes_of_str(passphrase), &why), ERR_OK);
    add(r->beside, "second");
    assert_int_equal(hub_time(r->beside), r->clocks.wall);
}

static void what_a_command_believes_after_an_hour_the_server_doubts_no_more(void **state)
{
    struct rig *r = *state;
    serve(r);
    r->clocks.wall += 20 * DAY;
    server_adds(r, "second");
    go_on(r, 2 * HOUR);
    begin_command(r);
    add(r->beside, "third");
    assert_int_equal(hub_time(r->beside), r->clocks.wall);
    end_command(r);
    go_on(r, HOUR);
    server_adds(r, "fourth");
    assert_int_equal(hub_time(r->hub), r->clocks.wall);
    assert_int_equal(doubts(r->hub), 1);
}

static void a_clock_that_a_command_saw_set_back_is_no_lead_for_the_server(void **state)
{
    struct rig *r = *state;
    serve(r);
    r->clocks.wall -= 5 * DAY;
    server_adds(r, "second");
    go_on(r, 2 * HOUR);
    begin_command(r);
    add(r->beside, "third");
    assert_int_equal(hub_time(r->beside), r->clocks.wall);
    end_command(r);
    go_on(r, 2 * DAY);
    server_adds(r, "fourth");
    int64_t believed = r->clocks.wall;
    r->clocks.wall += 3 * DAY; /* less than it was set back by: doubted only by who knows that */
    server_adds(r, "fifth");
    assert_int_equal(hub_time(r->hub), believed);
}

static void a_command_that_ends_without_its_whole_word_teaches_the_server_nothing(void **state)
{
    struct rig *r = *state;
    static const char *const words[] = {
        "", "!", "!\1\1\1\1", "?\1abcdefgh", "!\7abcdefgh", "!\1abcdefghi", "!\1abcdefgh, and more"};
    struct hub_clock before, after, told;
    hub_clock_get(r->hub, &before);
    assert_true(before.known);
    serve(r);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        assert_int_equal(hub_turn_ask(r->home, &r->fd, &told, NULL), ERR_OK);
        assert_true(told.known && told.ahead_ms == before.ahead_ms);
        assert_int_equal(send(r->fd, words[i], strlen(words[i]), MSG_NOSIGNAL), strlen(words[i]));
        hub_turn_give(r->fd, NULL);
        r->fd = -1;
        enter(r);
        hub_clock_get(r->hub, &after);
        hub_turn_leave(r->turn);
        assert_true(after.known && after.ahead_ms == before.ahead_ms);
    }
}

/* ----------------------------------------------------------------------------------------------- who waits for what */

static void devices_are_woken_when_a_command_changed_something_and_only_then(void **state)
{
    struct rig *r = *state;
    serve(r);
    begin_command(r);
    assert_int_equal(number(r->beside, "SELECT count(*) FROM agency"), 1);
    end_command(r);
    enter(r);
    hub_turn_leave(r->turn);
    stop_serving(r); /* nothing is told after this */
    assert_int_equal(atomic_load(&r->backs), 0);

    serve(r);
    begin_command(r);
    add(r->beside, "second");
    kill_command(r);
    enter(r);
    hub_turn_leave(r->turn);
    stop_serving(r);
    assert_int_equal(atomic_load(&r->backs), 1);
    assert_int_equal(atomic_load(&r->losts), 0);
}

static void a_store_that_stays_away_or_shut_is_told_in_the_log_once(void **state)
{
    struct rig *r = *state;
    struct why why = {0};
    serve(r);
    begin_command(r);
    assert_false(hub_turn_enter(r->turn));
    await_line(r, "store=away");
    hub_turn_give(r->fd, NULL); /* and its store is still open: whoever came without asking */
    r->fd = -1;
    await_line(r, "store=closed error=busy");
    assert_false(hub_turn_enter(r->turn));
    assert_int_equal(hub_add_agency(r->beside, "second", "An agency", "police", &why), ERR_OK);
    hub_close(r->beside);
    r->beside = NULL;
    server_adds(r, "third");
    stop_serving(r);
    fflush(r->log_file);
    const char *away = strstr(r->log, "store=away"), *shut = strstr(r->log, "store=closed error=busy");
    assert_non_null(away);
    assert_non_null(shut);
    assert_null(strstr(away + 1, "store=away"));
    assert_null(strstr(shut + 1, "store=closed"));
    assert_non_null(strstr(shut, "store=back"));
}

static void a_policy_that_loses_its_turn_half_way_says_what_has_become_of_it(void **state)
{
    struct rig *r = *state;
    struct why why = {0};
    struct cli c = {.env = &r->env};
    int pair[2];
    (void)snprintf(c.home, sizeof c.home, "%s", r->home);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    hub_pause(r->hub);
    assert_int_equal(hub_open(&r->beside, &r->env, r->home, bytes_of_str(passphrase), &why), ERR_OK);
    c.hub_turn = pair[0];
    assert_int_equal(hub_home_breathe(&c, r->hub, &why), ERR_BUSY);
    (void)close(pair[1]);
    assert_non_null(strstr(why.text, "recorded"));
    assert_null(strstr(why.text, "Nothing"));
    assert_non_null(strstr(why.next, "policy continue"));
}

/* ----------------------------------------------------------------------------------------------- whose socket it is */

static void a_second_server_that_finds_the_store_open_between_two_turns_takes_nothing(void **state)
{
    struct rig *r = *state;
    struct hub_turn *second = NULL;
    struct stat before, after;
    struct why why = {0};
    serve(r);
    assert_int_equal(stat(r->socket, &before), 0);
    begin_command(r);
    assert_int_equal(hub_turn_nobody(r->home, &why), ERR_BUSY);
    assert_int_equal(start(r, r->beside, &second, &why), ERR_BUSY);
    assert_non_null(strstr(why.text, "served already"));
    assert_null(second);
    assert_int_equal(stat(r->socket, &after), 0);
    assert_true(before.st_ino == after.st_ino);
    end_command(r);
    server_adds(r, "second");
    begin_command(r); /* commands still find it */
    end_command(r);
    stop_serving(r);
    assert_int_equal(hub_turn_nobody(r->home, &why), ERR_OK);
}

static void a_server_that_ends_removes_its_own_socket_and_no_other(void **state)
{
    struct rig *r = *state;
    struct stat there;
    serve(r);
    stop_serving(r);
    assert_int_not_equal(stat(r->socket, &there), 0);
    serve(r);
    assert_int_equal(unlink(r->socket), 0);
    FILE *f = fopen(r->socket, "w");
    assert_non_null(f);
    fclose(f);
    stop_serving(r);
    assert_int_equal(unlink(r->socket), 0);
}

static void a_folder_that_takes_no_socket_is_told_apart_from_what_keeps_a_server_from_starting(void **state)
{
    struct rig *r = *state;
    struct why why = {0};
    assert_int_equal(mkdir(r->socket, 0700), 0);
    assert_int_equal(start(r, r->hub, &r->turn, &why), ERR_NOTFOUND);
    assert_null(r->turn);
    assert_int_equal(rmdir(r->socket), 0);
    assert_int_equal(hub_turn_end(NULL, &why), ERR_OK);
    hub_turn_free(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_command_doubts_a_jump_of_the_clock_as_the_server_beside_it_would),
        TEST(a_process_that_knows_nothing_of_the_clocks_believes_an_absence_of_twenty_days),
        TEST(what_a_command_believes_after_an_hour_the_server_doubts_no_more),
        TEST(a_clock_that_a_command_saw_set_back_is_no_lead_for_the_server),
        TEST(a_command_that_ends_without_its_whole_word_teaches_the_server_nothing),
        TEST(devices_are_woken_when_a_command_changed_something_and_only_then),
        TEST(a_store_that_stays_away_or_shut_is_told_in_the_log_once),
        TEST(a_policy_that_loses_its_turn_half_way_says_what_has_become_of_it),
        TEST(a_second_server_that_finds_the_store_open_between_two_turns_takes_nothing),
        TEST(a_server_that_ends_removes_its_own_socket_and_no_other),
        TEST(a_folder_that_takes_no_socket_is_told_apart_from_what_keeps_a_server_from_starting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
