#include "sync/bundle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void padme_is_at_least_n_and_at_most_12_percent_more(void **state)
{
    (void)state;
    static const uint64_t known[][2] = {{0, 0},
                                        {1, 1},
                                        {2, 2},
                                        {9, 10},
                                        {100, 104},
                                        {1000, 1024},
                                        {10000, 10240},
                                        {1000001, 1015808},
                                        {1u << 20, 1u << 20}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) assert_int_equal(padme(known[i][0]), known[i][1]);
    for (uint64_t n = 1; n < 1ull << 40; n += 1 + n / 7) {
        assert_true(padme(n) >= n && padme(n) - n <= n * 12 / 100 + 1);
        assert_int_equal(padme(padme(n)), padme(n));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(padme_is_at_least_n_and_at_most_12_percent_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
