/* A device that is set up anew begins with nothing of what it held before: nor has the search any word of it, or the
 * number of any case. */
#include "node/look.h"
#include "tests/lib/intake_fixture.h"
#include "tests/lib/mock_hub.h"
#include "tests/lib/real_device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static size_t hits(struct real_device *d, const char *text)
{
    struct json *out = NULL;
    struct why why = {0};
    enum err e = look_search(d->n, text, 0, &out, &why);
    if (e != ERR_OK) fail_msg("%s: %s", err_word(e), why.text);
    size_t n = json_len(json_get(out, "hits"));
    json_free(out);
    return n;
}

static int64_t kept(struct real_device *d)
{
    if (mock_ask(d->n, "SELECT count(*) FROM sqlite_schema WHERE name IN ('n_word', 'n_search')") == 0) return 0;
    return mock_ask(d->n, "SELECT (SELECT count(*) FROM n_word) + (SELECT count(*) FROM n_search)");
}

static void a_device_set_up_anew_keeps_no_word_of_what_it_held(void **state)
{
    struct real_device d;
    uint8_t c[16], p[16];
    (void)state;
    shared_case(c);
    real_join(&d, "school-1", "school", "Tina");
    (void)real_sync(&d, ERR_OK);
    (void)real_person(&d, c, "Aberllefenni", p);
    (void)real_sync(&d, ERR_OK);
    assert_int_equal(hits(&d, "aberllefenni"), 1);
    assert_true(kept(&d) > 0);
    real_image(&d, "old");
    (void)real_person(&d, c, "Second", p);
    (void)real_sync(&d, ERR_OK);
    real_put_back(&d, "old");
    (void)real_sync(&d, ERR_REFUSED);
    real_again(&d);
    assert_int_equal(kept(&d), 0);
    (void)real_sync(&d, ERR_OK);
    assert_int_equal(hits(&d, "aberllefenni"), 1); /* what came back is found again */
    assert_int_equal(hits(&d, "second"), 1);
    real_gone(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_set_up_anew_keeps_no_word_of_what_it_held),
    };
    return cmocka_run_group_tests(tests, intake_start, intake_stop);
}
