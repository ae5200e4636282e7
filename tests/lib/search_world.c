#include "tests/lib/search_world.h"

#include "node/search.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct brought {
    const struct search_tell *rows;
    size_t n;
    const char *drop; /* table; NULL: none */
    struct end_item end;
    bool with_end;
    unsigned id;
    bool done;
};

struct laid {
    struct row row;
    uint8_t id[16], case_id[16], points[4][16];
    char text[1024];
};

static struct value value_of(struct laid *l, size_t *n_points, const char *text)
{
    if (text[0] == '#') return value_int(atoll(text + 1));
    if (text[0] != '@') return value_str(text);
    assert_true(*n_points < 4);
    mock_id(l->points[*n_points], (unsigned)atoi(text + 1));
    return value_id(l->points[(*n_points)++]);
}

static void lay(struct laid *l, const struct search_tell *t)
{
    char *at = NULL;
    size_t n_points = 0;
    int table = rules_table_index(bytes_of_str(t->table));
    assert_true(table >= 0);
    l->row = (struct row){.table = rules_table((size_t)table)};
    for (size_t c = 0; t->kind == OP_INSERT && c < l->row.table->n_columns; c++) l->row.v[c] = value_null();
    mock_id(l->id, t->id);
    mock_id(l->case_id, t->case_id);
    l->row.v[0] = value_id(l->id);
    if (t->kind == OP_INSERT) {
        l->row.v[1] = value_id(l->case_id);
        l->row.v[2] = value_str("care");
    }
    assert_true(strlen(t->columns) < sizeof l->text);
    memcpy(l->text, t->columns, strlen(t->columns) + 1);
    for (char *p = strtok_r(l->text, ";", &at); p != NULL; p = strtok_r(NULL, ";", &at)) {
        char *eq = strchr(p, '=');
        assert_non_null(eq);
        *eq = '\0';
        int c = rules_column_index(l->row.table, bytes_of_str(p));
        assert_true(c >= 0);
        l->row.v[c] = value_of(l, &n_points, eq + 1);
    }
}

static void bring(struct mock_hub *h, const struct mock_request *r, struct mock_answer *a, void *ctx)
{
    struct brought *b = ctx;
    struct laid l;
    uint8_t id[16];
    (void)h;
    for (size_t i = 0; i < r->n_envelopes; i++) mock_answer_verdict(a, r->seqs[i], VERDICT_APPLIED, "");
    if (b->done) return;
    for (size_t t = 0; rules_table(t) != NULL; t++) { /* each table once */
        for (size_t i = 0; i < b->n; i++) {
            if (strcmp(b->rows[i].table, rules_table(t)->name) != 0) continue;
            lay(&l, &b->rows[i]);
            mock_answer_op(a, b->rows[i].kind, &l.row);
        }
    }
    mock_id(id, b->id);
    if (b->drop != NULL) mock_answer_drop(a, b->drop, id);
    if (b->with_end) a->ends[a->n_ends++] = b->end;
    b->done = true;
}

static struct round_result contact(struct search_world *s, struct brought *b)
{
    s->w.hub.script = bring;
    s->w.hub.script_ctx = b;
    s->w.hub.clock_ms = (uint64_t)s->now;
    struct round_result r = mock_sync(&s->w, ERR_OK);
    s->w.hub.script = NULL;
    return r;
}

static int64_t clock_now; /* struct env has no place for a test's own */
static int64_t clock_of(void *ctx)
{
    (void)ctx;
    return clock_now;
}

void search_world_new(struct search_world *s)
{
    memset(s, 0, sizeof *s);
    mock_world_new(&s->w);
    s->now = env_now(&s->w.env);
}

void search_world_free(struct search_world *s)
{
    mock_world_free(&s->w);
}

void search_world_tell(struct search_world *s, const struct search_tell *rows, size_t n)
{
    struct brought b = {.rows = rows, .n = n};
    (void)contact(s, &b);
}

void search_world_drop(struct search_world *s, const char *table, unsigned id)
{
    struct brought b = {.drop = table, .id = id};
    struct round_result r = contact(s, &b);
    assert_int_equal(r.rows_dropped, 1);
    assert_int_equal(r.receipts, 1);
}

void search_world_end(struct search_world *s, const struct search_tell *row, int64_t not_after)
{
    struct brought b = {.rows = row, .n = 1, .with_end = true};
    b.end.table_index = rules_table_index(bytes_of_str(row->table));
    b.end.not_after = (uint64_t)not_after;
    mock_id(b.end.id, row->id);
    (void)contact(s, &b);
}

void search_world_reopen(struct search_world *s)
{
    clock_now = s->now;
    s->w.env.now_ms = clock_of;
    mock_world_reopen(&s->w);
}

struct json *search_world_ask(struct search_world *s, const char *text)
{
    struct json *found = NULL;
    enum err e = look_search(s->w.node, text, 0, &found, &s->why);
    if (e != ERR_OK) print_error("%s: %s\n", err_word(e), s->why.text);
    assert_int_equal(e, ERR_OK);
    return found;
}

size_t search_world_hits(struct search_world *s, const char *text)
{
    struct json *found = search_world_ask(s, text);
    size_t n = json_len(json_get(found, "hits"));
    json_free(found);
    return n;
}

bool search_world_finds(struct search_world *s, const char *text, const char *table, unsigned id)
{
    struct json *found = search_world_ask(s, text), *hits = json_get(found, "hits");
    uint8_t raw[16];
    char want[37];
    bool there = false;
    mock_id(raw, id);
    uuid_format(raw, want);
    for (size_t i = 0; i < json_len(hits); i++)
        there = there || (strcmp(json_get_str(json_at(hits, i), "tbl"), table) == 0 &&
                          strcmp(json_get_str(json_at(hits, i), "id"), want) == 0);
    json_free(found);
    return there;
}

int64_t search_world_in_index(struct search_world *s, const char *folded)
{
    int64_t n = 0, blocks = mock_ask(s->w.node, "SELECT coalesce(max(at) >> 20, -1) + 1 FROM n_word");
    for (int64_t b = 0; b < blocks; b++) {
        struct search_bits has;
        assert_int_equal(search_words_find(s->w.node, b, bytes_of_str(folded), false, &has, NULL), ERR_OK);
        n += search_bits_count(&has) > 0;
    }
    return n;
}

const struct search_tell search_world_rows[6] = {
    {OP_INSERT, "case_file", 1, 1, "reference=C-K7QX2M4P;area=north;rag=red;status=new"},
    {OP_INSERT, "person", 11, 1, "role=child;given_names=Jane;family_name=Zanzibarian;born_on=2015-03-02"},
    {OP_INSERT, "record", 41, 1, "title=Visit;body=Aberllefenni was mentioned;sensitivity=open"},
    {OP_INSERT, "record", 42, 1, "title=Stays;body=Machynlleth stays;sensitivity=open"},
    {OP_INSERT, "case_file", 2, 2, "reference=C-CCCCDDDD;area=north;rag=green"},
    {OP_INSERT, "record", 43, 2, "title=Other;body=Blaencwmystwyth;sensitivity=open"},
};

int search_world_set_up(void **state)
{
    struct search_world *s = calloc(1, sizeof *s);
    assert_non_null(s);
    search_world_new(s);
    search_world_tell(s, search_world_rows, 6);
    *state = s;
    return 0;
}

int search_world_tear_down(void **state)
{
    search_world_free(*state);
    free(*state);
    return 0;
}
