#include "tests/lib/log_world.h"

#include "crypto/note.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fake_hub *log_hub;


int log_start(void **state)
{
    (void)state;
    log_hub = calloc(1, sizeof *log_hub);
    fake_hub_start(log_hub);
    fake_hub_people(log_hub);
    return 0;
}

int log_stop(void **state)
{
    (void)state;
    fake_hub_stop(log_hub);
    free(log_hub);
    return 0;
}

static enum err put_text(void *ctx, struct bytes text, struct why *why)
{
    buf_put_bytes(ctx, text);
    return ((struct buf *)ctx)->err == ERR_OK ? ERR_OK : why_set(why, ERR_NOMEM, "no memory");
}

void log_export(struct buf *out)
{
    struct why why = {0};
    buf_init(out, 64u << 20);
    if (hub_log_export(log_hub->hub, put_text, out, &why) != ERR_OK) fail_msg("%s", why.text);
}

/* A text of lines, checked; `kept` is a checkpoint or empty. */
enum err log_audit(struct bytes text, struct bytes kept, struct log_audit_sum *sum, struct why *why)
{
    struct log_audit *a = NULL;
    struct log_audit_sum none;
    enum err e = log_audit_new(&a, why);
    if (e == ERR_OK && kept.n > 0) e = log_audit_keep(a, kept, why);
    while (e == ERR_OK && text.n > 0) {
        const uint8_t *end = memchr(text.p, '\n', text.n);
        size_t n = end == NULL ? text.n : (size_t)(end - text.p);
        e = log_audit_line(a, bytes_of(text.p, n), why);
        text = bytes_of(text.p + n + (end != NULL), text.n - n - (end != NULL));
    }
    if (e == ERR_OK) e = log_audit_end(a, sum == NULL ? &none : sum, why);
    log_audit_free(a);
    return e;
}

void log_holds(struct bytes text, struct bytes kept, struct log_audit_sum *sum)
{
    struct why why = {0};
    if (log_audit(text, kept, sum, &why) != ERR_OK) fail_msg("%s", why.text);
}

void log_verifies(void)
{
    struct log_audit_sum sum;
    struct why why = {0};
    if (hub_log_verify(log_hub->hub, &sum, &why) != ERR_OK) fail_msg("%s", why.text);
}

void log_sql(const char *text)
{
    struct why why = {0};
    if (db_exec(hub_db(log_hub->hub), text, &why) != ERR_OK) fail_msg("%s", why.text);
}

void log_checkpoint(const uint8_t *kid, struct buf *out)
{
    struct why why = {0};
    buf_init(out, NOTE_MAX);
    if (hub_log_checkpoint(log_hub->hub, kid, out, &why) != ERR_OK) fail_msg("%s", why.text);
}

void log_acts(int n)
{
    for (int i = 0; i < n; i++) assert_int_equal(hub_set_emergency(log_hub->hub, i % 2 == 0 ? 24 : 0, NULL), ERR_OK);
}

size_t log_lines_of(struct bytes text, struct line *out, size_t max)
{
    size_t n = 0;
    while (text.n > 0 && n < max) {
        const uint8_t *end = memchr(text.p, '\n', text.n);
        size_t len = (size_t)(end - text.p) + 1;
        out[n++].text = bytes_of(text.p, len);
        text = bytes_of(text.p + len, text.n - len);
    }
    return n;
}

void log_put_lines(struct buf *out, const struct line *l, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) buf_put_bytes(out, l[i].text);
}

