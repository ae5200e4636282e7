/* The two halves of a move (cli/hub_pipe.h): whichever fails, the other ends too, and whoever asked learns why. */
#include "cli/hub_pipe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WHOLE (3u << 20) /* bytes; more than any socket holds */

struct halves {
    size_t write_until, read_until; /* bytes after which a half fails; WHOLE: it does not */
    size_t got;
    bool same;
};

static uint8_t byte_at(size_t i)
{
    return (uint8_t)(i * 31 ^ i >> 8);
}

static enum err write_half(void *arg, const struct dump_sink *sink, struct why *why)
{
    const struct halves *h = arg;
    uint8_t piece[5000];
    for (size_t at = 0; at < h->write_until;) {
        size_t n = h->write_until - at < sizeof piece ? h->write_until - at : sizeof piece;
        for (size_t i = 0; i < n; i++) piece[i] = byte_at(at + i);
        enum err e = sink->write(sink->ctx, bytes_of(piece, n), why);
        if (e != ERR_OK) return e;
        at += n;
    }
    return h->write_until < WHOLE ? why_set(why, ERR_NOTFOUND, "the writing half") : ERR_OK;
}

static enum err read_half(void *arg, const struct dump_source *source, struct why *why)
{
    struct halves *h = arg;
    uint8_t piece[7001];
    size_t n = sizeof piece;
    h->same = true;
    while (n == sizeof piece) {
        enum err e = source->read(source->ctx, piece, sizeof piece, &n, why);
        if (e != ERR_OK) return e;
        for (size_t i = 0; i < n; i++) h->same = h->same && piece[i] == byte_at(h->got + i);
        h->got += n;
        if (h->got > h->read_until) return why_set(why, ERR_FULL, "the reading half");
    }
    return h->got == WHOLE ? ERR_OK : why_set(why, ERR_TAMPERED, "it ended too early");
}

static enum err run(struct halves *h, struct why *why)
{
    const struct hub_pipe p = hub_pipe();
    return p.run(p.ctx, write_half, read_half, h, why);
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    struct halves h = {.write_until = WHOLE, .read_until = WHOLE};
    assert_int_equal(run(&h, NULL), ERR_OK);
    assert_true(h.same);
    assert_int_equal(h.got, WHOLE);
}

static void the_writer_says_why_the_reader_got_too_little(void **state)
{
    (void)state;
    struct halves h = {.write_until = WHOLE / 2, .read_until = WHOLE};
    struct why why = {0};
    assert_int_equal(run(&h, &why), ERR_NOTFOUND);
    assert_string_equal(why.text, "the writing half");
}

static void the_reader_says_why_the_writer_could_not_go_on(void **state)
{
    (void)state;
    struct halves h = {.write_until = WHOLE, .read_until = 100};
    struct why why = {0};
    assert_int_equal(run(&h, &why), ERR_FULL);
    assert_string_equal(why.text, "the reading half");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(the_writer_says_why_the_reader_got_too_little),
        cmocka_unit_test(the_reader_says_why_the_writer_could_not_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
