#include "tests/lib/people_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void put_person(struct mock_answer *a, const uint8_t id[16], const char *site, const char *name, int64_t active)
{
    struct row r = {.table = rules_table((size_t)rules_table_index(bytes_of_str("practitioner")))};
    for (size_t i = 0; i < r.table->n_columns; i++) r.v[i] = value_null();
    r.v[0] = value_id(id);
    r.v[rules_column_index(r.table, bytes_of_str("site"))] = value_str(site);
    r.v[rules_column_index(r.table, bytes_of_str("name"))] = value_str(name);
    r.v[rules_column_index(r.table, bytes_of_str("active"))] = value_int(active);
    mock_answer_op(a, OP_INSERT, &r);
}

static void serve_people(struct mock_hub *h, const struct mock_request *r, struct mock_answer *a, void *ctx)
{
    struct people_world *x = ctx;
    (void)h, (void)r;
    put_person(a, x->id[MAIR], "llanidloes", "Mair Evans", 1);
    put_person(a, x->id[GWEN], "llanidloes", "Gwen Price", 1);
    put_person(a, x->id[SECOND_MAIR], "llanidloes", "Mair Evans", 1);
    put_person(a, x->id[ELSEWHERE], "newtown", "Huw Rees", 1);
    put_person(a, x->id[GONE], "llanidloes", "Ianto Ellis", 0);
    for (int i = MORE; i < N_IDS; i++) put_person(a, x->id[i], "llanidloes", "One More", 1);
}

int people_world_start(void **state)
{
    struct people_world *x = calloc(1, sizeof *x);
    if (x == NULL) return -1;
    mock_world_new(&x->w);
    for (unsigned i = 0; i < N_IDS; i++) mock_id(x->id[i], 100 + i);
    memset(x->id[MAIR], 3, 16);
    x->w.hub.script = serve_people;
    x->w.hub.script_ctx = x;
    (void)mock_sync(&x->w, ERR_OK);
    x->w.hub.script = NULL;
    *state = x;
    return 0;
}

int people_world_stop(void **state)
{
    struct people_world *x = *state;
    mock_world_free(&x->w);
    free(x);
    return 0;
}

enum err people_open(struct people_world *x, const char *words)
{
    node_close(x->w.node);
    x->w.node = NULL;
    return node_open(&x->w.node, &x->w.env, x->w.home, bytes_of_str(words), &x->why);
}

void people_open_as(struct people_world *x, const char *words, const char *name, int who)
{
    struct node_info i;
    if (people_open(x, words) != ERR_OK) fail_msg("%s", x->why.text);
    assert_int_equal(node_get_info(x->w.node, &i, &x->why), ERR_OK);
    assert_string_equal(i.user_name, name);
    assert_memory_equal(i.user, x->id[who], 16);
}

enum err people_world_add(struct people_world *x, int who, const char *words)
{
    return node_person_add(x->w.node, x->id[who], bytes_of_str(words), &x->why);
}

struct listed {
    size_t n;
    char names[200]; /* each with '*' for who has it open, and ';' */
};

static enum err list_one(void *ctx, const struct node_person *p, struct why *why)
{
    struct listed *l = ctx;
    size_t at = strlen(l->names);
    (void)why;
    l->n++;
    (void)snprintf(l->names + at, sizeof l->names - at, "%s%s;", p->name, p->self ? "*" : "");
    return ERR_OK;
}

void people_are(struct people_world *x, const char *want)
{
    struct listed l = {0};
    assert_int_equal(node_people(x->w.node, list_one, &l, &x->why), ERR_OK);
    assert_string_equal(l.names, want);
}

int64_t people_audits(struct people_world *x, const char *like)
{
    char sql[200];
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM n_audit WHERE what LIKE '%%%s%%'", like);
    return mock_ask(x->w.node, sql);
}

void people_are_sound(struct people_world *x)
{
    struct verify_result v;
    if (node_verify(x->w.node, &v, &x->why) != ERR_OK) fail_msg("%s", x->why.text);
    assert_int_equal(mock_ask(x->w.node, "SELECT count(*) FROM n_key_act"), 0);
}
