#include "crypto/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void secret_start_forbids_core_dumps_and_may_be_called_twice(void **state)
{
    (void)state;
    struct rlimit core = {1, 1};
    assert_int_equal(secret_start(NULL), ERR_OK);
    assert_int_equal(secret_start(NULL), ERR_OK);
    assert_int_equal(getrlimit(RLIMIT_CORE, &core), 0);
    assert_int_equal(core.rlim_cur, 0);
    assert_int_equal(core.rlim_max, 0);
#ifndef __SANITIZE_ADDRESS__
    assert_int_equal(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 0);
#endif
}

static void secret_new_is_zeroed(void **state)
{
    (void)state;
    struct secret s = {0};
    const uint8_t zeros[100] = {0};
    assert_int_equal(secret_new(&s, sizeof zeros, NULL), ERR_OK);
    assert_int_equal(s.n, sizeof zeros);
    assert_memory_equal(s.p, zeros, sizeof zeros);
    secret_release(&s);
    assert_null(s.p);
    assert_int_equal(s.n, 0);
}

static void secret_take_copies_and_wipes_the_source(void **state)
{
    (void)state;
    struct secret s = {0};
    uint8_t from[] = "correct horse battery";
    const uint8_t zeros[sizeof from] = {0};
    assert_int_equal(secret_take(&s, from, sizeof from, NULL), ERR_OK);
    assert_string_equal((const char *)s.p, "correct horse battery");
    assert_memory_equal(from, zeros, sizeof from);
    secret_release(&s);
}

static void secret_take_wipes_the_source_even_when_there_is_no_memory(void **state)
{
    (void)state;
    static uint8_t from[4096];
    static const uint8_t zeros[sizeof from];
    struct secret s = {0};
    struct why why = {0};
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit none = {0, 0};
        memset(from, 'x', sizeof from);
        if (setrlimit(RLIMIT_AS, &none) != 0)
            _exit(2);
        enum err e = secret_take(&s, from, sizeof from, &why);
        _exit(e == ERR_NOMEM && !s.p && memcmp(from, zeros, sizeof from) == 0 && why.text[0] ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void secret_release_accepts_nothing(void **state)
{
    (void)state;
    struct secret empty = {0};
    secret_release(NULL);
    secret_release(&empty);
    secret_release(&empty);
}

static long locked_kib(void)
{
    char line[200];
    long kib = 0;
    FILE *f = fopen("/proc/self/status", "re");
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL && sscanf(line, "VmLck: %ld kB", &kib) != 1) {}
    (void)fclose(f);
    return kib;
}

static void secrets_lie_in_memory_that_is_never_swapped(void **state)
{
    (void)state;
    struct secret s = {0};
    struct rlimit l;
    assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &l), 0);
    if (l.rlim_cur < 65536) skip();
#ifdef __SANITIZE_ADDRESS__
    skip(); /* locks nothing there */
#endif
    long before = locked_kib();
    assert_int_equal(secret_new(&s, 100, NULL), ERR_OK);
    assert_true(locked_kib() > before);
    secret_release(&s);
    assert_int_equal(locked_kib(), before);
}

static void secret_of_no_bytes_is_fine(void **state)
{
    (void)state;
    struct secret s = {0};
    assert_int_equal(secret_take(&s, NULL, 0, NULL), ERR_OK);
    assert_int_equal(s.n, 0);
    secret_release(&s);
}

static void secret_wipe_leaves_zeros(void **state)
{
    (void)state;
    uint8_t b[16], zeros[16] = {0};
    memset(b, 7, sizeof b);
    secret_wipe(b, sizeof b);
    assert_memory_equal(b, zeros, sizeof b);
    secret_wipe(NULL, 0);
}

static void secret_equal_compares_every_byte(void **state)
{
    (void)state;
    uint8_t a[32] = {0}, b[32] = {0};
    assert_true(secret_equal(a, b, sizeof a));
    for (size_t i = 0; i < sizeof a; i++) {
        b[i] = 1;
        assert_false(secret_equal(a, b, sizeof a));
        b[i] = 0;
    }
    assert_true(secret_equal(NULL, NULL, 0));
}

/* A guard page follows: reading past a key kills the program rather than leaking what lies behind. */
static void secret_overrun_is_fatal(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        struct secret s = {0};
        signal(SIGSEGV, SIG_DFL);
        if (secret_new(&s, 32, NULL) != ERR_OK)
            _exit(0);
        volatile uint8_t *p = s.p;
        _exit(p[32] == 0 ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secret_start_forbids_core_dumps_and_may_be_called_twice),
        cmocka_unit_test(secret_new_is_zeroed),
        cmocka_unit_test(secret_take_copies_and_wipes_the_source),
        cmocka_unit_test(secret_take_wipes_the_source_even_when_there_is_no_memory),
        cmocka_unit_test(secret_release_accepts_nothing),
        cmocka_unit_test(secrets_lie_in_memory_that_is_never_swapped),
        cmocka_unit_test(secret_of_no_bytes_is_fine),
        cmocka_unit_test(secret_wipe_leaves_zeros),
        cmocka_unit_test(secret_equal_compares_every_byte),
        cmocka_unit_test(secret_overrun_is_fatal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
