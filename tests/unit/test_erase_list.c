/* The list of erased cases that is kept beside the backups: all of it is taken, or none. hub/RETENTION.md. */
#include "cli/hub_erase_list.h"

#include "sync/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define A "01890a5d-ac96-774b-bcce-b302099a8057"
#define B "01890a5d-ac96-774b-bcce-b302099a8058"

static char path[300];

static enum err reads(const char *text, struct buf *out, struct why *why)
{
    buf_reset(out);
    assert_int_equal(env_posix()->write_file(NULL, path, bytes_of_str(text), NULL), ERR_OK);
    return hub_erase_list_read(env_posix(), path, out, why);
}

static void are_a_and_b(const struct buf *out)
{
    char id[37];
    assert_int_equal(out->len, 32);
    uuid_format(out->data, id);
    assert_string_equal(id, A);
    uuid_format(out->data + 16, id);
    assert_string_equal(id, B);
}

static void what_the_hub_printed_is_read_and_so_is_a_list_of_ones_own(void **state)
{
    static const char *const good[] = {
        "[{\"case_id\": \"" A "\", \"at\": \"2026-11-03T10:00:00Z\", \"how\": \"order\"}, {\"case_id\": \"" B "\"}]\n",
        "\n [{\"case_id\":\"" A "\"},{\"case_id\":\"" B "\"},{\"case_id\":\"" A "\"}]",
        A "\n" B "\n",
        "# from the book\n\n  " A "  3 November, by order\r\n" B ",retention\n" A,
    };
    struct buf out;
    struct why why = {0};
    (void)state;
    buf_init(&out, 16000);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (reads(good[i], &out, &why) != ERR_OK) fail_msg("%zu: %s", i, why.text);
        are_a_and_b(&out);
    }
    buf_release(&out);
}

/* An id that was cut off, or read wrongly, would leave a case standing that nobody looks for again. */
static void a_list_that_is_not_whole_is_refused(void **state)
{
    static const struct {
        const char *text, *says;
    } bad[] = {{"", "empty"},
               {"# nothing\n", "empty"},
               {"[]", "empty"},
               {"[{\"case_id\": \"" A "\"}, {\"case", "cut off"},
               {"[{\"case_id\": \"" A "\"}, {\"case\": \"" B "\"}]", "entry 2"},
               {A "\n01890a5d-ac96-774b\n", "line 2"},
               {A "0\n", "line 1"},
               {A "\n\n" "Case      Erased\n", "line 3"},
               {"7K2M-93QD\n", "line 1"}};
    struct buf out;
    (void)state;
    buf_init(&out, 16000);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct why why = {0};
        assert_int_equal(reads(bad[i].text, &out, &why), ERR_USAGE);
        if (strstr(why.text, bad[i].says) == NULL) fail_msg("%zu: %s", i, why.text);
    }
    struct buf small;
    struct why why = {0};
    buf_init(&small, 16);
    assert_int_equal(reads(A "\n" B "\n", &small, &why), ERR_LIMIT);
    buf_release(&small);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_hub_printed_is_read_and_so_is_a_list_of_ones_own),
        cmocka_unit_test(a_list_that_is_not_whole_is_refused),
    };
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(path, sizeof path, "%.200s/erased-%ld", tmp != NULL ? tmp : "/tmp", (long)getpid());
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)unlink(path);
    return failed;
}
