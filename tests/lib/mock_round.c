#include "tests/lib/mock_round.h"

#include "sync/bundle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

void mock_round_ask(struct mock_round *s)
{
    struct buf b;
    buf_init(&b, BUNDLE_MAX);
    assert_int_equal(node_bundle_export(s->w.node, &b, NULL), ERR_OK);
    mock_request_release(&s->req);
    mock_hub_read(&s->w.hub, buf_bytes(&b), &s->req);
    buf_release(&b);
    buf_release(&s->a.patchset);
    mock_answer_begin(&s->a, &s->w.hub, &s->req);
    buf_reset(&s->sealed);
}

void mock_round_add_rows(struct mock_round *s)
{
    struct row rows[3];
    rows[0] = mock_case(s->c);
    rows[1] = mock_person(s->p, s->c, MOCK_SECRET);
    rows[2] = mock_person(s->q, s->c, "Pritchard");
    for (size_t i = 0; i < 3; i++) mock_answer_op(&s->a, OP_INSERT, &rows[i]);
}

void mock_round_start(struct mock_round *s)
{
    memset(s, 0, sizeof *s);
    mock_world_new(&s->w);
    buf_init(&s->sealed, BUNDLE_MAX);
    mock_id(s->c, 0x0101);
    mock_id(s->p, 0xbeef);
    mock_id(s->q, 0x0303);
    mock_round_ask(s);
    mock_round_add_rows(s);
}

void mock_round_stop(struct mock_round *s)
{
    mock_request_release(&s->req);
    buf_release(&s->a.patchset);
    buf_release(&s->sealed);
    mock_world_free(&s->w);
}

void mock_round_seal(struct mock_round *s)
{
    buf_reset(&s->sealed);
    mock_answer_seal(&s->a, &s->w.hub, &s->sealed);
}

struct round_result mock_round_import(struct mock_round *s, enum err want)
{
    struct round_result r;
    struct why why = {0};
    enum err e = node_bundle_import(s->w.node, buf_bytes(&s->sealed), &r, &why);
    if (e != want) print_error("%s: %s\n", err_word(e), why.text);
    assert_int_equal(e, want);
    assert_true(e == ERR_OK || why.text[0] != '\0');
    return r;
}

void mock_round_refuses(struct mock_round *s, enum err want)
{
    uint8_t before[32], after[32];
    struct node_info i, j;
    assert_int_equal(db_content_hash(node_db(s->w.node), before, NULL), ERR_OK);
    assert_int_equal(node_get_info(s->w.node, &i, NULL), ERR_OK);
    (void)mock_round_import(s, want);
    assert_int_equal(db_content_hash(node_db(s->w.node), after, NULL), ERR_OK);
    assert_int_equal(node_get_info(s->w.node, &j, NULL), ERR_OK);
    assert_memory_equal(before, after, 32);
    assert_memory_equal(i.cursor, j.cursor, CUT_BYTES);
    assert_int_equal(i.last_request, j.last_request);
    assert_int_equal(i.last_contact_ms, j.last_contact_ms);
}
