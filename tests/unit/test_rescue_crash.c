/* Power that fails while a device is set up anew: before it is the old one whole, afterwards the new one whole, and the
 * same code leads on. */
#include "tests/lib/faultvfs.h"
#include "tests/lib/intake_fixture.h"
#include "tests/lib/mock_hub.h"
#include "tests/lib/real_device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct scene {
    struct real_device d;
    struct node_info old;
    struct invitation code;
    struct buf request, answer;
    uint8_t keys[PUBLIC_BYTES];
    uint8_t p[16]; /* a person of an unsent change */
};

static int set_up(void **state)
{
    struct scene *x = calloc(1, sizeof *x);
    uint8_t c[16], q[16];
    if (x == NULL) return -1;
    buf_init(&x->request, 1u << 20);
    buf_init(&x->answer, 1u << 20);
    shared_case(c);
    real_join(&x->d, "school-1", "school", "Tina");
    (void)real_sync(&x->d, ERR_OK);
    (void)real_person(&x->d, c, "Sent", q);
    (void)real_sync(&x->d, ERR_OK);
    (void)real_person(&x->d, c, "Unsent", x->p);
    if (node_get_info(x->d.n, &x->old, NULL) != ERR_OK) return -1;
    real_invite(&x->d, &x->code);
    identity_to_bytes(hub_identity(hub->hub), x->keys);
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *x = *state;
    real_gone(&x->d);
    buf_release(&x->request);
    buf_release(&x->answer);
    free(x);
    return 0;
}

static enum err begin(const struct scene *x, const struct env *env, struct buf *out)
{
    return node_enrol_again(env, x->d.home, bytes_of_str(REAL_PASSPHRASE), &x->code, bytes_of(x->keys, sizeof x->keys),
                            NULL, out, NULL);
}

static enum err finish(const struct scene *x, const struct env *env)
{
    return node_enrol_finish(env, x->d.home, bytes_of_str(REAL_PASSPHRASE), buf_bytes(&x->answer), NULL);
}

/* In a process that dies in the middle of its k-th write. false: it came to its end before. */
static bool dies(struct scene *x, int k, bool at_begin)
{
    int status = 0;
    real_close(&x->d);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct env env = x->d.env;
        struct buf out;
        buf_init(&out, 1u << 20);
        faultvfs_new()->die_after = k;
        env.vfs = "fault";
        _exit((at_begin ? begin(x, &env, &out) : finish(x, &env)) == ERR_OK ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_true(WEXITSTATUS(status) == 42 || WEXITSTATUS(status) == 0);
    return WEXITSTATUS(status) == 42;
}

static struct node_info info_of(struct scene *x)
{
    struct node_info i;
    struct verify_result r;
    struct why why = {0};
    real_open(&x->d);
    assert_int_equal(node_get_info(x->d.n, &i, &why), ERR_OK);
    if (node_verify(x->d.n, &r, &why) != ERR_OK) fail_msg("%s", why.text);
    return i;
}

static void must_be_old(struct scene *x, const struct node_info *i)
{
    char name[128];
    assert_memory_equal(i->self.kid, x->old.self.kid, KID_BYTES);
    assert_int_equal(i->rows, x->old.rows);
    assert_int_equal(i->unsent, 1);
    mock_get(x->d.n, "person", x->p, "family_name", name);
    assert_string_equal(name, "Unsent");
}

static void must_be_new(struct scene *x, const struct node_info *i)
{
    assert_memory_not_equal(i->self.kid, x->old.self.kid, KID_BYTES);
    assert_int_equal(i->rows, 0);
    assert_int_equal(i->unsent, 1);
    assert_int_equal(i->rescued, 1);
    assert_int_equal(mock_ask(x->d.n, "SELECT count(*) FROM n_former"), 1);
    assert_int_equal(mock_ask(x->d.n, "SELECT count(*) FROM secret_state WHERE name IN ('identity', 'next_identity')"), 1);
    assert_int_equal(mock_ask(x->d.n, "SELECT value FROM n_number WHERE name = 'purge_due'"), 0); /* by opening it */
}

static void power_that_fails_while_the_request_is_made_leaves_the_old_device(void **state)
{
    struct scene *x = *state;
    struct buf again;
    buf_init(&again, 1u << 20);
    real_image(&x->d, "before");
    for (int k = 0;; k += 3 + k) {
        bool died = dies(x, k, true);
        struct node_info i = info_of(x);
        must_be_old(x, &i);
        real_close(&x->d);
        buf_reset(&x->request);
        buf_reset(&again);
        assert_int_equal(begin(x, &x->d.env, &x->request), ERR_OK);
        assert_int_equal(begin(x, &x->d.env, &again), ERR_OK);
        assert_true(x->request.len > 0 && bytes_equal(buf_bytes(&x->request), buf_bytes(&again)));
        real_put_back(&x->d, "before");
        if (!died) break;
        assert_true(k < 1000);
    }
    buf_release(&again);
}

static void power_that_fails_while_the_answer_is_taken_leaves_the_old_device_or_the_new_one(void **state)
{
    struct scene *x = *state;
    int olds = 0, news = 0;
    real_close(&x->d);
    assert_int_equal(begin(x, &x->d.env, &x->request), ERR_OK);
    assert_int_equal(real_at_hub(&x->d, &x->request, &x->answer), ERR_OK);
    real_image(&x->d, "before");
    for (int k = 0;; k += 3 + k / 3) {
        bool died = dies(x, k, false);
        struct node_info i = info_of(x);
        bool is_old = memcmp(i.self.kid, x->old.self.kid, KID_BYTES) == 0;
        olds += is_old;
        news += died && !is_old;
        if (is_old) {
            assert_true(died);
            must_be_old(x, &i);
            real_close(&x->d);
            assert_int_equal(finish(x, &x->d.env), ERR_OK);
            i = info_of(x);
        }
        must_be_new(x, &i);
        if (!died) break;
        real_put_back(&x->d, "before");
        assert_true(k < 1000);
    }
    assert_true(olds > 1);
    assert_true(news > 1); /* also while it cleans up */
    assert_int_equal(real_sync(&x->d, ERR_OK).held, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(power_that_fails_while_the_request_is_made_leaves_the_old_device, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(power_that_fails_while_the_answer_is_taken_leaves_the_old_device_or_the_new_one,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, intake_start, intake_stop);
}
