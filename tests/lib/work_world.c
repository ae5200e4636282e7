#include "tests/lib/work_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct why work_why;

int work_start(void **state)
{
    int bad = ends_start(state);
    if (bad != 0) return bad;
    if (hub_add_duty(ends_hub->hub, ada->user, "north", "social_care", &work_why) != ERR_OK) return -1;
    ends_all_sync();
    return 0;
}

int work_stop(void **state)
{
    return ends_stop(state);
}

void work_case(struct ends_case *k)
{
    ends_case(k);
    ends_begin(ann);
    ends_set(ann, "case_file", k->c, "rag", value_str("amber"));
    ends_set(ann, "case_file", k->c, "status", value_str("gathering"));
    ends_set(ann, "case_file", k->c, "subject_kind", value_str("child"));
    ends_set(ann, "case_file", k->c, "received_at", value_int(env_now(&ends_hub->env)));
    ends_send(ann);
    ends_all_sync();
}

void work_access(const struct ends_case *k, int member, const char *access)
{
    (void)ends_write(ann, "participant", k->parts[member], "access", access);
    ends_all_sync();
}

void work_led_by_school(const struct ends_case *k)
{
    (void)ends_write(ann, "case_file", k->c, "lead_agency", "school");
    ends_all_sync();
}

void work_lead_taken_back(const struct ends_case *k)
{
    (void)ends_write(ann, "case_file", k->c, "lead_agency", "care");
    assert_int_equal(ends_sync(ann, ERR_OK).applied, 1);
}

/* One edit more than before, or none. */
static int64_t edits(struct ends_node *n)
{
    struct node_info info;
    assert_int_equal(node_get_info(n->n, &info, NULL), ERR_OK);
    return (int64_t)info.unsent;
}

void work_refused(struct ends_node *n, enum err got, enum err want, const char *words)
{
    if (got != want) print_error("%s, not %s: %s\n", err_word(got), err_word(want), work_why.text);
    assert_int_equal(got, want);
    if (strstr(work_why.text, words) == NULL && strstr(work_why.next, words) == NULL)
        fail_msg("no '%s' in: %s\n%s", words, work_why.text, work_why.next);
    assert_int_equal(edits(n), 0);
    assert_int_equal(node_edit_begin(n->n, NULL), ERR_OK); /* none was left open */
    node_edit_cancel(n->n);
    work_why = (struct why){0};
}

static void sent(struct ends_node *n, enum err got, uint64_t applied, uint64_t held)
{
    if (got != ERR_OK) fail_msg("%s: %s", err_word(got), work_why.text);
    assert_int_equal(edits(n), 1);
    n->f->now += 1000;
    struct round_result r = ends_sync(n, ERR_OK);
    assert_int_equal(r.applied, applied);
    assert_int_equal(r.held, held);
    ends_same(n);
}

void work_applied(struct ends_node *n, enum err got)
{
    sent(n, got, 1, 0);
}

void work_held(struct ends_node *n, enum err got)
{
    sent(n, got, 0, 1);
}

void work_says(struct ends_node *n, const char *sql, const uint8_t id[16], const char *want)
{
    struct stmt *s = NULL;
    struct buf text;
    bool row = false;
    char got[256];
    buf_init(&text, 1u << 16);
    assert_int_equal(db_prepare(node_db(n->n), sql, &s, &work_why), ERR_OK);
    db_bind_id(s, 1, id);
    assert_int_equal(db_step(s, &row, NULL), ERR_OK);
    if (row) assert_int_equal(value_to_text(db_value(s, 0), &text), ERR_OK);
    (void)snprintf(got, sizeof got, "%s", !row ? "-" : text.len == 0 ? "" : buf_cstr(&text));
    db_done(s);
    buf_release(&text);
    if (strcmp(got, want) != 0) print_error("at %s: %s\n", n->site, sql);
    assert_string_equal(got, want);
}

void work_sees(struct ends_node *n, const char *table, const uint8_t id[16], const char *column, const char *want)
{
    char sql[160];
    (void)ends_sync(n, ERR_OK);
    (void)snprintf(sql, sizeof sql, "SELECT %s FROM %s WHERE id = $1", column, table);
    work_says(n, sql, id, want);
}
