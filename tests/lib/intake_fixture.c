#include "tests/lib/intake_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fake_hub *hub;
struct fake_node *carla, *mona, *paul, *sue;
static const char *const all[] = {"police:contribute", "school:contribute", NULL};

struct fake_node *device(const char *site, const char *agency, const char *user)
{
    struct fake_node *n = calloc(1, sizeof *n);
    assert_non_null(n);
    fake_node_enrol(n, hub, site, agency, user);
    return n;
}

int intake_start(void **state)
{
    struct why why = {0};
    (void)state;
    hub = calloc(1, sizeof *hub);
    fake_hub_start(hub);
    fake_hub_people(hub);
    carla = device("care-mash", "care", "Carla");
    mona = device("care-mash", "care", "Mona");
    paul = device("police-hq", "police", "Paul");
    sue = device("school-1", "school", "Sue");
    if (hub_add_duty(hub->hub, mona->user, "north", "manager", &why) != ERR_OK) return -1;
    return 0;
}

int intake_stop(void **state)
{
    struct fake_node *nodes[] = {carla, mona, paul, sue};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        fake_node_release(nodes[i]);
        free(nodes[i]);
    }
    fake_hub_stop(hub);
    free(hub);
    return 0;
}

void everybody_pulls(void)
{
    fake_node_pull(carla);
    fake_node_pull(mona);
    fake_node_pull(paul);
    fake_node_pull(sue);
}

/* A case that police and school contribute to, known to all four. */
void shared_case(uint8_t id[16])
{
    fake_node_pull(carla);
    fake_case(carla, id, "care", all);
    everybody_pulls();
}

void says(const struct fake_verdict *v, enum verdict want, const char *words)
{
    if (v->verdict != want) fail_msg("%s instead of %s: %s", verdict_word(v->verdict), verdict_word(want), v->reason);
    if (words != NULL && strstr(v->reason, words) == NULL) fail_msg("it says: %s", v->reason);
}

const struct fake_verdict *send_one(struct fake_node *n, const struct op *op)
{
    struct fake_edit e;
    fake_edit_start(&e);
    fake_put(&e, op);
    return fake_send(n, &e);
}

const struct fake_verdict *change(struct fake_node *n, const char *table, const uint8_t id[16], const char *column,
                                  const char *v)
{
    struct op op = fake_change(table, id);
    fake_value(&op, column, value_str(v));
    return send_one(n, &op);
}

const struct fake_verdict *change_from(struct fake_node *n, const char *table, const uint8_t id[16], const char *column,
                                       const char *old, const char *v)
{
    struct op op = fake_change(table, id);
    fake_from(&op, column, value_str(old), value_str(v));
    return send_one(n, &op);
}

void text_at_hub(const char *table, const uint8_t id[16], const char *column, const char *want)
{
    struct why why = {0};
    struct buf store;
    struct row r;
    bool found = false;
    const struct table_rule *t = rules_table((size_t)rules_table_index(bytes_of_str(table)));
    buf_init(&store, 16u << 20);
    assert_int_equal(db_row_get(hub_db(hub->hub), t, id, &store, &r, &found, &why), ERR_OK);
    assert_true(found);
    struct value v = r.v[rules_column_index(t, bytes_of_str(column))];
    if (!value_equal(v, value_str(want)))
        fail_msg("%s.%s is %.*s", table, column, v.kind == VALUE_TEXT ? (int)v.s.n : 4,
                 v.kind == VALUE_TEXT ? (const char *)v.s.p : "null");
    buf_release(&store);
}

bool at_hub(const char *table, const uint8_t id[16])
{
    struct why why = {0};
    struct buf store;
    struct row r;
    bool found = false;
    buf_init(&store, 16u << 20);
    assert_int_equal(db_row_get(hub_db(hub->hub), rules_table((size_t)rules_table_index(bytes_of_str(table))), id,
                                &store, &r, &found, &why),
                     ERR_OK);
    buf_release(&store);
    return found;
}

void id_of(const char *sql, const uint8_t case_id[16], uint8_t out[16])
{
    struct why why = {0};
    struct stmt *s;
    bool row = false;
    assert_int_equal(db_prepare(hub_db(hub->hub), sql, &s, &why), ERR_OK);
    db_bind_id(s, 1, case_id);
    assert_int_equal(db_step(s, &row, &why), ERR_OK);
    assert_true(row);
    assert_true(db_id(s, 0, out));
    db_done(s);
}

int64_t count_in(const char *sql, const uint8_t case_id[16])
{
    struct why why = {0};
    struct stmt *s;
    bool row = false;
    assert_int_equal(db_prepare(hub_db(hub->hub), sql, &s, &why), ERR_OK);
    db_bind_id(s, 1, case_id);
    assert_int_equal(db_step(s, &row, &why), ERR_OK);
    int64_t n = row ? db_int(s, 0) : -1;
    db_done(s);
    return n;
}

void verifies(void)
{
    struct why why = {0};
    if (hub_verify(hub->hub, &why) != ERR_OK) fail_msg("%s", why.text);
}

/* A person of the case by `n`, applied. */
void put_person(struct fake_node *n, const uint8_t case_id[16], uint8_t id[16])
{
    struct op p = fake_person(n, id, case_id, "Smith");
    says(send_one(n, &p), VERDICT_APPLIED, NULL);
}

struct op new_record(const struct fake_node *n, uint8_t id[16], const uint8_t case_id[16], const char *sensitivity)
{
    env_new_id(&hub->env, id);
    struct op r = fake_new(n, "record", id, case_id);
    fake_value(&r, "sensitivity", value_str(sensitivity));
    fake_value(&r, "title", value_str("Visit"));
    fake_value(&r, "body", value_str("quiet words"));
    return r;
}

struct op part_of(const struct fake_node *n, uint8_t id[16], const uint8_t case_id[16], const char *member,
                  const char *access)
{
    env_new_id(&hub->env, id);
    struct op p = fake_new(n, "participant", id, case_id);
    fake_value(&p, "member", value_str(member));
    fake_value(&p, "site", value_str(""));
    fake_value(&p, "access", value_str(access));
    return p;
}
