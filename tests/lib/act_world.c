#include "tests/lib/act_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define EDITS "SELECT coalesce(max(seq), 0) FROM n_outbox"

/* Columns as "name=value" with ";" between them; #n an integer, @n the id of row n. Parents before children, tables in
 * the order of sync/rules_tables.c, each once. */
static const struct {
    const char *table;
    int id, case_id;
    const char *agency, *columns;
} rows[] = {
    {"agency", 101, 0, NULL, "code=health;name=Health;kind=health"},
    {"agency", 102, 0, NULL, "code=care;name=Social care;kind=social_care"},
    {"agency", 103, 0, NULL, "code=police;name=Police;kind=police"},
    {"agency", 104, 0, NULL, "code=school;name=School;kind=education"},
    {"site", 105, 0, NULL, "code=llanidloes;agency=health;kind=partner"},
    {"site", 106, 0, NULL, "code=room;agency=care;name=MASH room;kind=mash;phone=01632 960100;night_phone=01632 960100"},
    {"coverage", 107, 0, NULL, "site=llanidloes;area=north"},
    {"coverage", 108, 0, NULL, "site=llanidloes;area=south"}, /* which has no MASH room */
    {"coverage", 109, 0, NULL, "site=room;area=north"},
    {"code_list", 114, 0, NULL, "list=referral_source;code=3B;label=Health visitor"},
    {"code_list", 115, 0, NULL, "list=referral_source;code=6;label=Police"},
    {"code_list", 116, 0, NULL, "list=primary_need;code=N1;label=Abuse or neglect"},
    {"code_list", 117, 0, NULL, "list=sex;code=1;label=Male"},
    {"code_list", 118, 0, NULL, "list=sex;code=2;label=Female"},
    {"timescale", 111, 0, NULL, "rag=red;what=reply;minutes=#120;clock=elapsed"},
    {"timescale", 112, 0, NULL, "rag=red;what=meeting;minutes=#10;clock=elapsed"},
    {"timescale", 113, 0, NULL, "rag=red;what=decision;minutes=#240;clock=elapsed"},
    {"case_file", CASE, CASE, "care", "reference=C-AAAAAAAA;area=north;subject_kind=child;rag=red;status=new"},
    {"case_file", SECRET_CASE, SECRET_CASE, "care", "reference=C-BBBBBBBB;area=north;restricted=#1"},
    {"case_file", CHECKED_CASE, CHECKED_CASE, "care", "reference=C-CCCCCCCC;area=north;rag=green"},
    {"case_file", ELSEWHERE, ELSEWHERE, "care", "reference=C-DDDDDDDD;area=north;rag=green"},
    {"participant", 121, CASE, "care", "member=health;site=;access=contribute"},
    {"participant", 122, CASE, "care", "member=police;site=;access=view"},
    {"participant", 123, CASE, "care", "member=school;site=;access=contribute;until=#1000"},
    {"participant", 124, SECRET_CASE, "care", "member=health;site=llanidloes;access=contribute"},
    {"participant", 125, SECRET_CASE, "care", "member=school;site=;access=contribute"},
    {"participant", 126, SECRET_CASE, "care", "member=police;site=hq;access=check"},
    {"participant", 127, CHECKED_CASE, "care", "member=health;site=;access=check"},
    {"participant", 128, ELSEWHERE, "care", "member=health;site=ward;access=contribute"},
    {"participant", 129, ELSEWHERE, "care", "member=health;site=;access=view;until=#9"},
    {"person", CHILD, CASE, "care", "role=child;given_names=Ada"},
    {"person", ADULT, CASE, "care", "role=adult;given_names=Eve"},
    {"person", OTHER_CHILD, SECRET_CASE, "care", "role=child"},
    {"record", OPEN_RECORD, CASE, "health",
     "title=Visit;body=First line\nSecond line;sensitivity=open;needs_consent=#0;handling=By hand"},
    {"record", WAITING_RECORD, CASE, "health",
     "person_id=@3;title=Clinic;body=Text;sensitivity=open;needs_consent=#1;written_at=#5"},
    {"record", FREE_RECORD, CASE, "health", "title=Call;sensitivity=sensitive;needs_consent=#0"},
    {"record", OWN_RECORD, CASE, "health", "title=Note;sensitivity=restricted;needs_consent=#1"},
    {"record", POLICE_RECORD, CASE, "police", "title=Incident;sensitivity=open;needs_consent=#1"},
    {"record", SECRET_RECORD, SECRET_CASE, "health", "title=Secret;sensitivity=open;needs_consent=#0"},
    {"record", VOID_RECORD, CASE, "health", "title=Wrong;sensitivity=open;needs_consent=#1;voided_at=#7"},
    {"pointer", POINTER, CASE, "police", "note=Ask us"},
    {"request", TO_US, CASE, "care", "to_agency=health;question=Known?;state=open"},
    {"request", TO_POLICE, CASE, "care", "to_agency=police;question=Known?;state=open"},
    {"request", ANSWERED, CASE, "care", "to_agency=health;question=Old?;state=answered;result=known"},
    {"request", CANCELLED, CASE, "care", "to_agency=health;question=Never mind;state=cancelled"},
    {"release", ASK_US, CASE, "care", "to_agency=health;state=asked;asked_by=@4;reason=Meeting"},
    {"release", ASK_POLICE, CASE, "care", "to_agency=police;state=asked;asked_by=@4;reason=Meeting"},
    {"release", TOLD_US, CASE, "police", "to_agency=health;state=granted;how=whole;title=Told"},
    {"release", ASK_SECRET, SECRET_CASE, "care", "to_agency=health;state=asked;asked_by=@4;reason=Meeting"},
};
enum { N_ROWS = sizeof rows / sizeof rows[0] };

struct laid {
    struct row row;
    uint8_t id[16], case_id[16], points[16];
    char text[256];
};

static struct value value_of(struct laid *l, const char *text)
{
    if (text[0] == '#') return value_int(atoll(text + 1));
    if (text[0] != '@') return value_str(text);
    mock_id(l->points, (unsigned)atoi(text + 1));
    return value_id(l->points);
}

static void lay(struct laid *l, size_t i)
{
    char *at = NULL;
    l->row = (struct row){.table = rules_table((size_t)rules_table_index(bytes_of_str(rows[i].table)))};
    for (size_t c = 0; c < l->row.table->n_columns; c++) l->row.v[c] = value_null();
    mock_id(l->id, (unsigned)rows[i].id);
    l->row.v[0] = value_id(l->id);
    if (rows[i].case_id != 0) {
        mock_id(l->case_id, (unsigned)rows[i].case_id);
        l->row.v[1] = value_id(l->case_id);
        l->row.v[2] = value_str(rows[i].agency);
    }
    (void)snprintf(l->text, sizeof l->text, "%s", rows[i].columns);
    for (char *p = strtok_r(l->text, ";", &at); p != NULL; p = strtok_r(NULL, ";", &at)) {
        char *eq = strchr(p, '=');
        assert_non_null(eq);
        *eq = '\0';
        int c = rules_column_index(l->row.table, bytes_of_str(p));
        assert_true(c >= 0);
        l->row.v[c] = value_of(l, eq + 1);
    }
}

static void serve(struct mock_hub *h, const struct mock_request *r, struct mock_answer *a, void *ctx)
{
    struct laid l;
    bool *served = ctx;
    (void)h;
    (void)r;
    for (size_t i = 0; i < N_ROWS && !*served; i++) {
        lay(&l, i);
        mock_answer_op(a, OP_INSERT, &l.row);
    }
    *served = true;
}

void act_world_new(struct act_world *a)
{
    bool served = false;
    memset(a, 0, sizeof *a);
    mock_world_new(&a->w);
    for (unsigned i = 0; i < sizeof a->id / sizeof a->id[0]; i++) mock_id(a->id[i], i);
    a->w.hub.script = serve;
    a->w.hub.script_ctx = &served;
    (void)mock_sync(&a->w, ERR_OK);
    a->w.hub.script = NULL;
    a->n = a->w.node;
    act_mark(a);
}

void act_world_free(struct act_world *a)
{
    mock_world_free(&a->w);
}

void act_mark(struct act_world *a)
{
    assert_int_equal(db_content_hash(node_db(a->n), a->before, NULL), ERR_OK);
    a->edits = mock_ask(a->n, EDITS);
}

void act_refused(struct act_world *a, enum err got, enum err want, const char *words)
{
    uint8_t now[32];
    if (got != want) print_error("%s, not %s: %s\n", err_word(got), err_word(want), a->why.text);
    assert_int_equal(got, want);
    if (strstr(a->why.text, words) == NULL && strstr(a->why.next, words) == NULL)
        print_error("no '%s' in: %s\n%s\n", words, a->why.text, a->why.next);
    assert_true(strstr(a->why.text, words) != NULL || strstr(a->why.next, words) != NULL);
    assert_int_equal(db_content_hash(node_db(a->n), now, NULL), ERR_OK);
    assert_memory_equal(now, a->before, sizeof now);
    assert_int_equal(mock_ask(a->n, EDITS), a->edits);
    assert_int_equal(node_edit_begin(a->n, NULL), ERR_OK); /* none was left open */
    node_edit_cancel(a->n);
    a->why = (struct why){0};
}

void act_done(struct act_world *a, enum err got)
{
    int64_t edits = a->edits;
    if (got != ERR_OK) print_error("%s: %s\n", err_word(got), a->why.text);
    assert_int_equal(got, ERR_OK);
    act_mark(a);
    assert_int_equal(a->edits, edits + 1);
}

const char *act_ask(struct act_world *a, const char *sql, const uint8_t id[16], char out[256])
{
    struct stmt *s = NULL;
    struct buf text;
    bool row = false;
    buf_init(&text, 4096);
    assert_int_equal(db_prepare(node_db(a->n), sql, &s, NULL), ERR_OK);
    db_bind_id(s, 1, id);
    assert_int_equal(db_step(s, &row, NULL), ERR_OK);
    if (row) assert_int_equal(value_to_text(db_value(s, 0), &text), ERR_OK);
    (void)snprintf(out, 256, "%s", !row ? "-" : text.len == 0 ? "" : buf_cstr(&text));
    db_done(s);
    buf_release(&text);
    return out;
}

void act_is_text(struct act_world *a, const char *table, const uint8_t id[16], const char *column, const char *want)
{
    char sql[128], got[256];
    (void)snprintf(sql, sizeof sql, "SELECT %s FROM %s WHERE id = $1", column, table);
    assert_string_equal(act_ask(a, sql, id, got), want);
}
