#include "tests/lib/scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

void scene_start(struct scene *s, uint64_t seed)
{
    s->f = hub_fixture_new(seed);
    hub_fixture_town(s->f);
    hub_fixture_step(s->f);
    s->c = hub_fixture_case(s->f);
    s->person = hub_fixture_row(s->f, "person", s->c, "council", "role", "child", "family_name", "Smith", NULL);
    s->brief = hub_fixture_row(s->f, "brief", s->c, "council", "summary", "as told", NULL);
    s->record = hub_fixture_row(s->f, "record", s->c, "council", "sensitivity", "open", "title", "a", NULL);
    hub_fixture_settle(s->f);
}

void scene_stop(struct scene *s)
{
    hub_fixture_free(s->f);
}

void scene_set(struct scene *s, const char *table, struct id id, const char *column, const char *value)
{
    hub_fixture_step(s->f);
    hub_fixture_set(s->f, table, id, column, value);
    hub_fixture_settle(s->f);
}

struct id scene_part(struct scene *s, const char *member, const char *site, const char *access)
{
    hub_fixture_step(s->f);
    struct id id =
        hub_fixture_row(s->f, "participant", s->c, "council", "member", member, "site", site, "access", access, NULL);
    hub_fixture_settle(s->f);
    return id;
}

struct id scene_record(struct scene *s, const char *agency, const char *sensitivity)
{
    hub_fixture_step(s->f);
    struct id id = hub_fixture_row(s->f, "record", s->c, agency, "sensitivity", sensitivity, "title", "more", NULL);
    hub_fixture_settle(s->f);
    return id;
}

void scene_cover_as(struct scene *s, struct id id, const char *site, const char *area)
{
    hub_fixture_step(s->f);
    (void)hub_fixture_row_by(s->f, &s->f->hub, id, "coverage", s->c, "",
                             (const char *const[]){"site", site, "area", area, NULL});
    hub_fixture_settle(s->f);
}

struct id scene_cover(struct scene *s, const char *site, const char *area)
{
    struct id id = hub_fixture_id(s->f);
    scene_cover_as(s, id, site, area);
    return id;
}

void scene_uncover(struct scene *s, struct id coverage)
{
    const struct table_rule *t = rules_table((size_t)rules_table_index(bytes_of_str("coverage")));
    hub_fixture_step(s->f);
    assert_int_equal(sight_remove(&s->f->h, t, coverage.b, NULL), ERR_OK);
    hub_fixture_settle(s->f);
}

void scene_receipt(struct scene *s, struct fixture_node *n, uint64_t rows)
{
    struct receipt r = {.request = n->request, .rows = rows, .kind = 1};
    memcpy(r.node, n->n.id.kid, sizeof r.node);
    memcpy(r.drops_hash, n->drops_hash, sizeof r.drops_hash);
    hub_fixture_begin(s->f);
    assert_int_equal(drops_receipt(&s->f->h, &n->n, &r, bytes_of("signed", 6), NULL), ERR_OK);
    hub_fixture_commit(s->f);
}

uint64_t scene_take(struct scene *s, struct fixture_node *n)
{
    uint64_t rows = n->answer.n_drops;
    hub_fixture_take(s->f, n);
    if (rows == 0) return 0;
    int64_t before = scene_unconfirmed(s, n);
    assert_true(before >= (int64_t)rows); /* until the receipt, and not only until it was told */
    scene_receipt(s, n, rows);
    assert_int_equal(scene_unconfirmed(s, n), before - (int64_t)rows);
    return rows;
}

uint64_t scene_pull(struct scene *s, struct fixture_node *n, uint64_t budget)
{
    uint64_t dropped = n->answer.waiting ? scene_take(s, n) : 0;
    bool more = true;
    for (int i = 0; more; i++) {
        if (i > 10000) fail_msg("%s is never done pulling", n->n.site);
        hub_fixture_ask(s->f, n, budget);
        more = n->answer.more;
        dropped += scene_take(s, n);
    }
    hub_fixture_is_exact(s->f, n);
    assert_int_equal(scene_unconfirmed(s, n), 0);
    return dropped;
}

struct fixture_node *scene_node(struct scene *s, const char *site)
{
    struct fixture_node *n = hub_fixture_node(s->f, site);
    assert_int_equal(scene_pull(s, n, SCENE_PLENTY), 0);
    return n;
}

static int64_t count(struct scene *s, const struct fixture_node *n, const char *which)
{
    char sql[128];
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM h_drop WHERE node_no = %lld AND %s IS NULL",
                   (long long)n->n.no, which);
    return hub_fixture_number(s->f, sql);
}

int64_t scene_unconfirmed(struct scene *s, const struct fixture_node *n)
{
    return count(s, n, "receipt_at");
}

int64_t scene_waiting(struct scene *s, const struct fixture_node *n)
{
    return count(s, n, "request");
}

void scene_is_quiet(struct scene *s, struct fixture_node *n)
{
    hub_fixture_ask(s->f, n, SCENE_PLENTY);
    assert_int_equal(n->answer.n_drops, 0);
    assert_int_equal(n->answer.pages.len, 0);
    assert_memory_equal(n->answer.cut, n->cursor, 16);
    hub_fixture_take(s->f, n);
}
