#include "tests/lib/ends_share.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

void ends_days(int64_t n)
{
    ends_hub->now += n * 86400000;
}

void ends_value(struct row *r, const char *column, struct value v)
{
    int at = rules_column_index(r->table, bytes_of_str(column));
    assert_true(at >= 0);
    r->v[at] = v;
}

void ends_note(struct ends_node *n, const uint8_t c[16], uint8_t id[16], const char *sensitivity, const char *body)
{
    env_new_id(&n->f->env, id);
    ends_begin(n);
    struct row r = ends_row(n, "record", id, c);
    ends_text(&r, "sensitivity", sensitivity);
    ends_text(&r, "body", body);
    ends_put(n, &r);
    (void)ends_commit(n);
}

void ends_part(struct ends_node *by, const uint8_t c[16], uint8_t id[16], const char *member, const char *site)
{
    env_new_id(&by->f->env, id);
    struct row r = ends_row(by, "participant", id, c);
    ends_text(&r, "member", member);
    ends_text(&r, "site", site);
    ends_text(&r, "access", "contribute");
    ends_put(by, &r);
}

void ends_own_case(uint8_t c[16], bool restricted)
{
    uint8_t id[16];
    env_new_id(&ends_hub->env, c);
    ends_begin(ann);
    struct row file = ends_row(ann, "case_file", c, c);
    ends_text(&file, "area", "north");
    ends_text(&file, "status", "new");
    ends_text(&file, "lead_agency", "care");
    if (restricted) ends_value(&file, "restricted", value_int(1));
    ends_put(ann, &file);
    if (restricted) ends_part(ann, c, id, "care", "care-mash");
    (void)ends_commit(ann);
}

void ends_brief(const uint8_t c[16], const char *summary)
{
    ends_begin(ann);
    struct row r = ends_row(ann, "brief", c, c);
    ends_text(&r, "summary", summary);
    ends_put(ann, &r);
    (void)ends_commit(ann);
}

static void applied_by_ann(void)
{
    struct round_result r = ends_sync(ann, ERR_OK);
    assert_true(r.applied > 0);
    assert_int_equal(r.held + r.waits + r.fault, 0);
}

void ends_share(const uint8_t c[16], uint8_t id[16], const char *member, const char *site)
{
    ends_begin(ann);
    ends_part(ann, c, id, member, site);
    (void)ends_commit(ann);
    applied_by_ann();
}

void ends_access(const uint8_t part[16], const char *access)
{
    (void)ends_sync(ann, ERR_OK);
    (void)ends_write(ann, "participant", part, "access", access);
    applied_by_ann();
}
