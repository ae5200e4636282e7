/* The thread that writes the journal's folder (cli/hub_journal.h), when the store is not to be had just when it has
 * something to say there. */
#include "cli/hub_journal.h"
#include "tests/lib/journal_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define PATIENCE_S 60 /* nothing here takes so long */

/* Each time that the store is asked for, in their order: 1 when the journal begins, 2 to write, 3 to say the fault. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t change;
    int asked, given_back;
    int refused; /* the one for which a command has it */
} turns = {.lock = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER};

bool __real_hub_route_borrow(struct hub_route *r, int64_t wait_ms);
void __real_hub_route_return(struct hub_route *r);
bool __wrap_hub_route_borrow(struct hub_route *r, int64_t wait_ms);
void __wrap_hub_route_return(struct hub_route *r);

bool __wrap_hub_route_borrow(struct hub_route *r, int64_t wait_ms)
{
    (void)pthread_mutex_lock(&turns.lock);
    bool refused = ++turns.asked == turns.refused;
    (void)pthread_cond_broadcast(&turns.change);
    (void)pthread_mutex_unlock(&turns.lock);
    return !refused && __real_hub_route_borrow(r, wait_ms);
}

void __wrap_hub_route_return(struct hub_route *r)
{
    __real_hub_route_return(r);
    (void)pthread_mutex_lock(&turns.lock);
    turns.given_back++;
    (void)pthread_cond_broadcast(&turns.change);
    (void)pthread_mutex_unlock(&turns.lock);
}

static void until(const int *counter, int n)
{
    struct timespec end = {0};
    int rc = 0;
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += PATIENCE_S;
    (void)pthread_mutex_lock(&turns.lock);
    while (*counter < n && rc == 0) rc = pthread_cond_clockwait(&turns.change, &turns.lock, CLOCK_MONOTONIC, &end);
    (void)pthread_mutex_unlock(&turns.lock);
    assert_int_equal(rc, 0);
}

static enum err full(void *ctx, const char *path, uint64_t offset, struct bytes content, bool sync, struct why *why)
{
    (void)ctx, (void)path, (void)offset, (void)content, (void)sync;
    return why_set(why, ERR_FULL, "There is no room on the disk.");
}

/* A server whose journal's folder is full, from the beginning. */
struct scene {
    struct env env;
    struct hub_route route;
    struct hub_journal *journal;
    struct ends_case k;
};

static void begin(struct scene *x, int refused)
{
    struct why why = {0};
    memset(x, 0, sizeof *x);
    ends_case(&x->k); /* something to write */
    x->env = ends_hub->env;
    x->env.append_file = full;
    x->route = (struct hub_route){.env = &x->env, .hub = ends_hub->hub, .log = tmpfile()};
    assert_non_null(x->route.log);
    assert_int_equal(pthread_mutex_init(&x->route.one, NULL), 0);
    turns.asked = turns.given_back = 0;
    turns.refused = refused;
    if (hub_journal_start(&x->journal, &x->route, journal_folder(), &why) != ERR_OK) fail_msg("%s", why.text);
}

static void end(struct scene *x)
{
    hub_journal_stop(x->journal);
    assert_int_equal(fclose(x->route.log), 0);
    assert_int_equal(pthread_mutex_destroy(&x->route.one), 0);
}

static void fault_is(struct scene *x, const char *want)
{
    assert_true(__real_hub_route_borrow(&x->route, PATIENCE_S * 1000));
    struct hub_redo_state s = journal_state();
    __real_hub_route_return(&x->route);
    if (strstr(s.fault, want) == NULL) fail_msg("The store says \"%s\" of the folder.", s.fault);
}

/* How often the log says so. */
static int logged(struct scene *x, const char *what)
{
    char line[1024];
    int n = 0;
    rewind(x->route.log);
    while (fgets(line, sizeof line, x->route.log) != NULL) n += strstr(line, what) != NULL;
    return n;
}

static void a_fault_is_said_once_a_command_has_given_the_store_back(void **state)
{
    struct scene x;
    (void)state;
    begin(&x, 3);
    until(&turns.given_back, 4); /* the second try has failed too, and had the store */
    fault_is(&x, "is full");
    end(&x);
}

/* That nobody could write is no sign that the folder is well again. */
static void a_store_that_is_away_does_not_mend_a_folder(void **state)
{
    struct scene x;
    (void)state;
    begin(&x, 4);
    until(&turns.asked, 5);
    fault_is(&x, "is full");
    hub_journal_stop(x.journal);
    x.journal = NULL;
    assert_int_equal(logged(&x, "stopped"), 1);
    assert_int_equal(logged(&x, "again"), 0);
    end(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_fault_is_said_once_a_command_has_given_the_store_back, journal_start, journal_stop),
        cmocka_unit_test_setup_teardown(a_store_that_is_away_does_not_mend_a_folder, journal_start, journal_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
