#include "tests/lib/perf_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int64_t clock_at; /* struct env has no place for a test's own */
static int64_t clock_of(void *ctx)
{
    (void)ctx;
    return clock_at;
}

static const struct search_tell lists[] = {
    {OP_INSERT, "agency", 101, 0, "code=health;name=Health;kind=health"},
    {OP_INSERT, "agency", 102, 0, "code=police;name=Police;kind=police"},
    {OP_INSERT, "code_list", 103, 0, "list=referral_source;code=6;label=Police"},
    {OP_INSERT, "code_list", 104, 0, "list=working_hours;code=mon;label=09:00-17:00"},
    {OP_INSERT, "code_list", 105, 0, "list=working_hours;code=tue;label=09:00-17:00"},
    {OP_INSERT, "timescale", 106, 0, "rag=red;what=decision;minutes=#240;clock=elapsed"},
    {OP_INSERT, "timescale", 107, 0, "rag=amber;what=decision;minutes=#1440;clock=elapsed"},
    {OP_INSERT, "timescale", 108, 0, "rag=green;what=decision;minutes=#480;clock=working"},
};

void perf_world_new(struct perf_world *x)
{
    search_world_new(&x->s);
    x->s.w.env.now_ms = clock_of;
    clock_at = NOON;
    x->s.now = NOON;
    x->n = x->s.w.node;
    x->next = 2000;
    search_world_tell(&x->s, lists, sizeof lists / sizeof lists[0]);
}

void perf_world_free(struct perf_world *x)
{
    search_world_free(&x->s);
}

/* A row as the hub would send it, without its contact: "column=value;…", #n an integer, @n an id. */
void perf_lay(struct perf_world *x, const char *table, const uint8_t id[16], const uint8_t case_id[16],
              const char *columns)
{
    struct row r = {.table = rules_table((size_t)rules_table_index(bytes_of_str(table)))};
    char text[600], *at = NULL;
    uint8_t points[16];
    for (size_t i = 0; i < r.table->n_columns; i++) r.v[i] = value_null();
    r.v[0] = value_id(id);
    r.v[1] = value_id(case_id);
    r.v[2] = value_str("care");
    (void)snprintf(text, sizeof text, "%s", columns);
    for (char *p = strtok_r(text, ";", &at); p != NULL; p = strtok_r(NULL, ";", &at)) {
        char *eq = strchr(p, '=');
        assert_non_null(eq);
        *eq = '\0';
        int c = rules_column_index(r.table, bytes_of_str(p));
        assert_true(c >= 0);
        r.v[c] = eq[1] == '#' ? value_int(atoll(eq + 2)) : value_str(eq + 1);
        if (eq[1] != '@') continue;
        mock_id(points, (unsigned)atoi(eq + 2));
        r.v[c] = value_id(points);
    }
    assert_int_equal(db_row_put(node_db(x->n), &r, NULL), ERR_OK);
}
void perf_put(struct perf_world *x, const char *table, const uint8_t case_id[16], const char *columns)
{
    uint8_t id[16];
    mock_id(id, x->next++);
    perf_lay(x, table, id, case_id, columns);
}

void perf_make(struct perf_world *x, const struct perf_made *m, uint8_t c[16])
{
    char text[400];
    mock_id(c, x->next++);
    (void)snprintf(text, sizeof text, "reference=C-%u;area=%s;rag=%s;subject_kind=child;received_at=#%lld", x->next,
                   m->area != NULL ? m->area : "north", m->rag, (long long)m->received);
    perf_lay(x, "case_file", c, c, text);
    int n = 0;
    text[0] = '\0';
    if (m->need != NULL) n += snprintf(text + n, sizeof text - (size_t)n, "primary_need=%s;", m->need);
    if (m->outcome != NULL) n += snprintf(text + n, sizeof text - (size_t)n, "outcome=%s;", m->outcome);
    if (m->decided != 0) n += snprintf(text + n, sizeof text - (size_t)n, "decided_at=#%lld;", (long long)m->decided);
    perf_lay(x, "brief", c, c, text);
    if (m->source != NULL) {
        (void)snprintf(text, sizeof text, "source=%s;received_at=#%lld", m->source, (long long)m->received);
        perf_put(x, "referral", c, text);
    }
    if (m->first != NULL) {
        (void)snprintf(text, sizeof text, "rag=%s;stage=initial;rated_at=#%lld", m->first, (long long)m->received);
        perf_put(x, "rating", c, text);
    }
}

struct json *perf_count(struct perf_world *x, const struct look_performance *ask)
{
    struct json *out = NULL;
    enum err e = look_performance(x->n, ask, &out, &x->s.why);
    if (e != ERR_OK) fail_msg("%s: %s", err_word(e), x->s.why.text);
    return out;
}

/* How many cases a group of a list has, by its code (NULL: those without). */
int64_t perf_cases_of(struct json *all, const char *key, const char *code)
{
    struct json *list = json_get(all, key);
    for (size_t i = 0; i < json_len(list); i++) {
        const char *got = json_get_str(json_at(list, i), "code");
        if ((code == NULL && got == NULL) || (code != NULL && got != NULL && strcmp(code, got) == 0))
            return json_get_int(json_at(list, i), "cases", 0);
    }
    return 0;
}

struct json *perf_with(struct json *all, const char *key, const char *name, const char *value)
{
    struct json *list = json_get(all, key);
    for (size_t i = 0; i < json_len(list); i++) {
        const char *got = json_get_str(json_at(list, i), name);
        if (got != NULL && strcmp(got, value) == 0) return json_at(list, i);
    }
    return NULL;
}
