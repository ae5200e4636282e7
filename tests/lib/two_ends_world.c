#include "tests/lib/two_ends_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

struct fake_hub *ends_hub;
struct ends_node *ann, *ada, *pol, *pat, *sam;

struct ends_node *ends_device(const char *site, const char *agency, const char *user)
{
    struct ends_node *n = calloc(1, sizeof *n);
    assert_non_null(n);
    ends_enrol(n, ends_hub, site, agency, user);
    return n;
}

void ends_gone(struct ends_node *n)
{
    ends_release(n);
    free(n);
}

int ends_start(void **state)
{
    struct why why = {0};
    (void)state;
    ends_hub = calloc(1, sizeof *ends_hub);
    assert_non_null(ends_hub);
    fake_hub_start(ends_hub);
    fake_hub_people(ends_hub);
    ann = ends_device("care-mash", "care", "Ann");
    ada = ends_device("care-mash", "care", "Ada");
    pol = ends_device("police-hq", "police", "Pol");
    pat = ends_device("police-hq", "police", "Pat");
    sam = ends_device("school-1", "school", "Sam");
    if (hub_add_duty(ends_hub->hub, ann->user, "north", "manager", &why) != ERR_OK) return -1;
    ends_all_sync();
    return 0;
}

int ends_stop(void **state)
{
    struct ends_node *nodes[] = {ann, ada, pol, pat, sam};
    (void)state;
    for (size_t i = 0; i < 5; i++) ends_gone(nodes[i]);
    fake_hub_stop(ends_hub);
    free(ends_hub);
    return 0;
}

void ends_all_sync(void)
{
    struct ends_node *nodes[] = {ann, ada, pol, pat, sam};
    for (size_t i = 0; i < 5; i++) (void)ends_sync(nodes[i], ERR_OK);
}

void ends_send(struct ends_node *n)
{
    (void)ends_commit(n);
    assert_int_equal(ends_sync(n, ERR_OK).applied, 1);
}

void ends_person(struct ends_node *n, const uint8_t case_id[16], uint8_t id[16], const char *family)
{
    env_new_id(&n->f->env, id);
    struct row r = ends_row(n, "person", id, case_id);
    ends_text(&r, "role", "child");
    ends_text(&r, "family_name", family);
    ends_put(n, &r);
}

void ends_case(struct ends_case *k)
{
    static const char *const members[] = {"police", "school"};
    ends_all_sync();
    env_new_id(&ends_hub->env, k->c);
    ends_begin(ann);
    struct row file = ends_row(ann, "case_file", k->c, k->c);
    ends_text(&file, "area", "north");
    ends_text(&file, "lead_agency", "care");
    ends_put(ann, &file);
    for (size_t i = 0; i < 2; i++) {
        env_new_id(&ends_hub->env, k->parts[i]);
        struct row part = ends_row(ann, "participant", k->parts[i], k->c);
        ends_text(&part, "member", members[i]);
        ends_text(&part, "site", "");
        ends_text(&part, "access", "contribute");
        ends_put(ann, &part);
    }
    ends_person(ann, k->c, k->person, "Smith");
    (void)ends_commit(ann);
    ends_round(ann, 1, 0);
    ends_all_sync();
}

void ends_round(struct ends_node *n, uint64_t applied, uint64_t rows)
{
    struct round_result r = ends_sync(n, ERR_OK);
    assert_int_equal(r.applied, applied);
    assert_int_equal(r.rows_in, rows);
    ends_same(n);
}

void ends_is_quiet(struct ends_node *n)
{
    uint8_t before[CUT_BYTES], after[CUT_BYTES];
    ends_cursor(n, before);
    struct round_result r = ends_sync(n, ERR_OK);
    ends_cursor(n, after);
    assert_int_equal(r.rounds, 1);
    assert_int_equal(r.rows_in + r.rows_dropped + r.sent, 0);
    assert_memory_equal(before, after, CUT_BYTES);
    assert_true(n->parked);
    ends_same(n);
}

int64_t ends_count(const char *sql, const uint8_t id[16])
{
    struct why why = {0};
    struct stmt *s;
    bool row = false;
    assert_int_equal(db_prepare(hub_db(ends_hub->hub), sql, &s, &why), ERR_OK);
    db_bind_id(s, 1, id);
    assert_int_equal(db_step(s, &row, &why), ERR_OK);
    int64_t n = row ? db_int(s, 0) : -1;
    db_done(s);
    return n;
}

void ends_accept(const uint8_t case_id[16])
{
    struct why why = {0};
    struct stmt *s;
    bool row = false;
    uint8_t held[16];
    (void)ends_sync(ann, ERR_OK);
    assert_int_equal(db_prepare(node_db(ann->n),
                                "SELECT id FROM held WHERE case_id = $1 AND state = 'waiting' ORDER BY rowid DESC "
                                "LIMIT 1",
                                &s, &why),
                     ERR_OK);
    db_bind_id(s, 1, case_id);
    assert_int_equal(db_step(s, &row, &why), ERR_OK);
    assert_true(row);
    assert_true(db_id(s, 0, held));
    db_done(s);
    (void)ends_write(ann, "held", held, "state", "accepted");
    assert_int_equal(ends_sync(ann, ERR_OK).applied, 1);
    ends_same(ann);
    assert_int_equal(ends_count("SELECT state = 'accepted' FROM held WHERE id = $1", held), 1);
}
