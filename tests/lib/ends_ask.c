#include "tests/lib/ends_ask.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct node_question ends_question(enum question_kind kind, const char *table, const uint8_t id[16])
{
    struct node_question q = {.kind = kind, .table_index = table == NULL ? 0 : rules_table_index(bytes_of_str(table))};
    assert_true(q.table_index >= 0);
    if (id != NULL) memcpy(q.id, id, 16);
    return q;
}

uint64_t ends_put_question(struct ends_node *n, const struct node_question *q)
{
    struct why why = {0};
    uint64_t number = 0;
    enum err e = node_ask(n->n, q, &number, &why);
    if (e != ERR_OK) fail_msg("%s: %s", err_word(e), why.text);
    return number;
}

static enum err add_line(void *ctx, const struct reply_line *l, struct why *why)
{
    struct ends_reply *r = ctx;
    (void)why;
    r->n++;
    for (size_t i = 0; i < l->n; i++) {
        if (i > 0) buf_put_str(&r->text, "|");
        buf_put_bytes(&r->text, l->word[i]);
    }
    buf_put_str(&r->text, "\n");
    return ERR_OK;
}

struct ends_reply ends_read(struct ends_node *n, uint64_t number)
{
    struct ends_reply r = {.number = number};
    struct why why = {0};
    buf_init(&r.text, 1u << 20);
    enum err e = node_reply(n->n, number, &r.head, add_line, &r, &why);
    if (e != ERR_OK) fail_msg("%s: %s", err_word(e), why.text);
    assert_non_null(buf_cstr(&r.text));
    return r;
}

struct ends_reply ends_ask(struct ends_node *n, const struct node_question *q)
{
    uint64_t number = ends_put_question(n, q);
    (void)ends_sync(n, ERR_OK);
    struct ends_reply r = ends_read(n, number);
    assert_true(r.head.replied);
    return r;
}

void ends_reply_release(struct ends_reply *r)
{
    buf_release(&r->text);
}

bool ends_says(const struct ends_reply *r, const char *line)
{
    const char *text = (const char *)r->text.data;
    size_t n = strlen(line);
    for (const char *p = text; p != NULL && *p != '\0'; p = strchr(p, '\n') == NULL ? NULL : strchr(p, '\n') + 1)
        if (strncmp(p, line, n) == 0 && strchr("|\n", p[n]) != NULL) return true;
    return false;
}
