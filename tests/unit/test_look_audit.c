/* The log of what was done: who, when, what, in which case; and nothing of what was written. */
#include "node/internal.h"
#include "node/look_audit.h"
#include "node/look_list.h"
#include "tests/lib/search_world.h"

#include <ctype.h>
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOUR INT64_C(3600000)
#define NOON INT64_C(1793793600000) /* 4 November 2026, 12:00 UTC */

static int64_t clock_at; /* struct env has no place for a test's own */
static int64_t clock_of(void *ctx)
{
    (void)ctx;
    return clock_at;
}

enum { CASE = 1, OTHER, SECRET, TOLD, ELSEWHERE };

static const struct search_tell world[] = {
    {OP_INSERT, "agency", 101, 0, "code=health;name=Health;kind=health"},
    {OP_INSERT, "agency", 102, 0, "code=care;name=Social care;kind=social_care"},
    {OP_INSERT, "practitioner", 110, 0, "site=llanidloes;name=Hal"},
    {OP_INSERT, "practitioner", 111, 0, "site=llanidloes;name=Hanna"},
    {OP_INSERT, "case_file", CASE, CASE, "reference=C-AAAAAAAA;area=north;rag=red"},
    {OP_INSERT, "case_file", OTHER, OTHER, "reference=C-BBBBBBBB;area=north;rag=green"},
    {OP_INSERT, "participant", 121, CASE, "member=health;site=;access=contribute"},
    {OP_INSERT, "record", SECRET, CASE, "title=Needle title;body=Needle body;sensitivity=sensitive"},
    {OP_INSERT, "record", ELSEWHERE, OTHER, "title=Needle title;body=Needle body;sensitivity=sensitive"},
    {OP_INSERT, "release", TOLD, CASE, "to_agency=health;state=granted;title=Needle;body=Needle"},
};

struct scene {
    struct search_world s;
    struct node *n;
    uint8_t hal[16], hanna[16];
};

static void scene_new(struct scene *x)
{
    search_world_new(&x->s);
    x->s.w.env.now_ms = clock_of;
    clock_at = NOON;
    x->s.now = NOON;
    x->n = x->s.w.node;
    search_world_tell(&x->s, world, sizeof world / sizeof world[0]);
    mock_id(x->hal, 110);
    mock_id(x->hanna, 111);
    memcpy(x->n->user, x->hal, 16);
}

static void scene_free(struct scene *x)
{
    search_world_free(&x->s);
}

/* An edit that puts a warning into a case. */
static void edit(struct scene *x, unsigned case_no, const char *what)
{
    uint8_t id[16], c[16];
    uint64_t seq = 0;
    mock_id(c, case_no);
    env_new_id(&x->s.w.env, id);
    struct row r = {.table = rules_table((size_t)rules_table_index(bytes_of_str("warning")))};
    for (size_t i = 0; i < r.table->n_columns; i++) r.v[i] = value_null();
    r.v[0] = value_id(id);
    r.v[1] = value_id(c);
    r.v[2] = value_str("health");
    r.v[rules_column_index(r.table, bytes_of_str("note"))] = value_str("Needle note");
    assert_int_equal(node_edit_begin(x->n, NULL), ERR_OK);
    assert_int_equal(db_row_put(node_db(x->n), &r, NULL), ERR_OK);
    assert_int_equal(node_edit_commit(x->n, what, &seq, NULL), ERR_OK);
}

static void look_at(struct scene *x, const char *table, unsigned no)
{
    uint8_t id[16];
    mock_id(id, no);
    assert_int_equal(node_note_view(x->n, rules_table_index(bytes_of_str(table)), id, NULL), ERR_OK);
}

static struct json *audit(struct scene *x, const struct look_audit *ask)
{
    struct json *out = NULL;
    enum err e = look_audit(x->n, ask, &out, &x->s.why);
    if (e != ERR_OK) fail_msg("%s: %s", err_word(e), x->s.why.text);
    return out;
}

static struct json *entry(struct json *list, const char *kind, const char *what)
{
    struct json *all = json_get(list, "entries");
    for (size_t i = 0; i < json_len(all); i++) {
        struct json *o = json_at(all, i);
        if (strcmp(json_get_str(o, "kind"), kind) == 0 && strcmp(json_get_str(o, "what"), what) == 0) return o;
    }
    return NULL;
}

static int64_t total(struct scene *x, const struct look_audit *ask)
{
    struct json *out = audit(x, ask);
    int64_t n = json_get_int(out, "total", -1);
    assert_int_equal(json_len(json_get(out, "entries")), n);
    json_free(out);
    return n;
}

/* ---------------------------------------------------------------------------------------------------- the six */
static void audit_tells_each_of_the_six_and_no_content(void **state)
{
    static const char *const done[][2] = {{"collection", "added a warning"},
                                          {"alteration", "changed a record"},
                                          {"disclosure", "released a record to an agency"},
                                          {"combination", "imported a census return"}};
    struct scene x;
    struct buf text;
    (void)state;
    scene_new(&x);
    for (size_t i = 0; i < 4; i++) edit(&x, CASE, done[i][1]);
    look_at(&x, "record", SECRET);
    look_at(&x, "release", TOLD);
    search_world_drop(&x.s, "release", TOLD);
    struct json *all = audit(&x, &(struct look_audit){0});
    for (size_t i = 0; i < 4; i++) {
        struct json *e = entry(all, done[i][0], done[i][1]);
        assert_non_null(e);
        assert_string_equal(json_get_str(json_get(e, "person"), "name"), "Hal");
        assert_string_equal(json_get_str(e, "reference"), "C-AAAAAAAA");
        assert_string_equal(json_get_str(e, "at"), "2026-11-04T12:00:00.000Z");
    }
    struct json *seen = entry(all, "consultation", "looked at a sensitive record");
    assert_non_null(seen);
    assert_string_equal(json_get_str(seen, "reference"), "C-AAAAAAAA");
    assert_non_null(entry(all, "consultation", "looked at what was told in confidence"));
    assert_non_null(entry(all, "erasure", "forgot what was taken away: 1 entry"));
    buf_init(&text, 1u << 20);
    assert_int_equal(json_write(all, &text, NULL), ERR_OK);
    assert_null(strstr(buf_cstr(&text), "Needle"));
    buf_reset(&text);
    assert_int_equal(look_audit_csv(x.n, &(struct look_audit){0}, &text, NULL), ERR_OK);
    assert_non_null(strstr(buf_cstr(&text), "disclosure,released a record to an agency,Hal,llanidloes,,C-AAAAAAAA,"));
    assert_null(strstr(buf_cstr(&text), "Needle"));
    buf_release(&text);
    json_free(all);
    scene_free(&x);
}

static void audit_can_be_asked_by_time_case_person_and_kind(void **state)
{
    struct scene x;
    uint8_t c[16];
    struct json *out = NULL;
    (void)state;
    scene_new(&x);
    mock_id(c, CASE);
    edit(&x, CASE, "added a warning");
    edit(&x, OTHER, "added a warning");
    clock_at += HOUR;
    memcpy(x.n->user, x.hanna, 16);
    edit(&x, CASE, "shared a case with an agency");
    look_at(&x, "record", SECRET);
    look_at(&x, "record", ELSEWHERE);
    assert_int_equal(total(&x, &(struct look_audit){0}), 5);
    assert_int_equal(total(&x, &(struct look_audit){.case_id = c}), 3);
    assert_int_equal(total(&x, &(struct look_audit){.person = x.hal}), 2);
    assert_int_equal(total(&x, &(struct look_audit){.person = x.hanna, .case_id = c}), 2);
    assert_int_equal(total(&x, &(struct look_audit){.from = NOON + 1}), 3);
    assert_int_equal(total(&x, &(struct look_audit){.to = NOON + 1}), 2);
    assert_int_equal(total(&x, &(struct look_audit){.kind = "disclosure"}), 1);
    assert_int_equal(total(&x, &(struct look_audit){.kind = "consultation", .case_id = c}), 1);
    assert_int_equal(look_audit(x.n, &(struct look_audit){.kind = "gossip"}, &out, &x.s.why), ERR_USAGE);
    assert_null(out);
    struct json *few = audit(&x, &(struct look_audit){.limit = 2});
    assert_int_equal(json_len(json_get(few, "entries")), 2);
    assert_int_equal(json_get_int(few, "total", 0), 5);
    json_free(few);
    scene_free(&x);
}

/* ------------------------------------------------------------------------------------------------- what stays */
static void a_look_stays_in_the_audit_when_the_hub_has_it_and_its_hour_is_over(void **state)
{
    struct scene x;
    uint8_t c[16];
    (void)state;
    scene_new(&x);
    mock_id(c, CASE);
    look_at(&x, "record", SECRET);
    look_at(&x, "record", ELSEWHERE);
    search_world_tell(&x.s, NULL, 0);
    clock_at += 2 * HOUR;
    search_world_tell(&x.s, NULL, 0);
    assert_int_equal(mock_ask(x.n, "SELECT count(*) FROM n_view"), 0);
    assert_int_equal(total(&x, &(struct look_audit){.kind = "consultation"}), 2);
    struct json *mine = audit(&x, &(struct look_audit){.case_id = c, .kind = "consultation"});
    struct json *e = json_at(json_get(mine, "entries"), 0);
    assert_string_equal(json_get_str(e, "at"), "2026-11-04T12:00:00.000Z");
    assert_string_equal(json_get_str(json_get(e, "person"), "name"), "Hal");
    json_free(mine);
    scene_free(&x);
}

static void when_a_case_is_taken_away_what_was_done_stays_and_in_which_case_does_not(void **state)
{
    struct scene x;
    uint8_t c[16];
    (void)state;
    scene_new(&x);
    mock_id(c, CASE);
    edit(&x, CASE, "changed a record");
    look_at(&x, "record", SECRET);
    search_world_tell(&x.s, NULL, 0);
    search_world_drop(&x.s, "record", SECRET);
    search_world_drop(&x.s, "case_file", CASE);
    assert_int_equal(total(&x, &(struct look_audit){.case_id = c}), 0);
    struct json *all = audit(&x, &(struct look_audit){0});
    struct json *e = entry(all, "alteration", "changed a record");
    assert_non_null(e);
    assert_true(json_has(e, "case_id"));
    assert_null(json_get_str(e, "case_id"));
    e = entry(all, "consultation", "looked at a sensitive record");
    assert_non_null(e);
    assert_null(json_get_str(e, "case_id"));
    json_free(all);
    assert_int_equal(mock_ask(x.n, "SELECT count(*) FROM n_touched t WHERE NOT EXISTS(SELECT 1 FROM case_file c"
                                   " WHERE c.id = t.case_id)"),
                     0);
    assert_int_equal(mock_ask(x.n, "SELECT count(*) FROM n_look WHERE case_id IS NOT NULL"), 0);
    scene_free(&x);
}

/* ---------------------------------------------------------------------------------------------- no phrase forgotten */
static void an_unknown_act_counts_as_an_alteration(void **state)
{
    bool known = true;
    (void)state;
    assert_int_equal(audit_kind_of(bytes_of_str("did something new"), &known), AUDIT_ALTERATION);
    assert_false(known);
    assert_int_equal(audit_kind_of(bytes_of_str("looked at anything"), &known), AUDIT_CONSULTATION);
    assert_true(known);
}

/* A statement in which a phrase of the audit may stand. */
static bool names_a_phrase(const char *statement)
{
    static const char *const calls[] = {"act_end(",      "node_edit_commit(", "work_edit(",
                                        "people_audit(", "*what =",           "phrase[] ="};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if (strstr(statement, calls[i]) != NULL) return true;
    return false;
}

/* Plain words with a blank among them: what stands there besides are names of roles and columns. */
static bool is_phrase(const char *text)
{
    if (!islower((unsigned char)text[0]) || strchr(text, ' ') == NULL) return false;
    for (const char *p = text; *p != '\0'; p++)
        if (!isalpha((unsigned char)*p) && *p != ' ' && *p != '\'') return false;
    return true;
}

static void check_statement(const char *file, char *statement, size_t *n)
{
    if (!names_a_phrase(statement)) return;
    for (char *p = strchr(statement, '"'); p != NULL;) {
        char *end = strchr(p + 1, '"');
        bool known = false;
        if (end == NULL) return;
        *end = '\0';
        if (is_phrase(p + 1)) {
            ++*n;
            (void)audit_kind_of(bytes_of_str(p + 1), &known);
            if (!known) fail_msg("%s: the audit does not know what kind of act this is: '%s'", file, p + 1);
        }
        p = strchr(end + 1, '"');
    }
}

static void check_file(const char *folder, const char *name, size_t *n)
{
    char path[1024], *at = NULL;
    struct buf text;
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    buf_init(&text, 4u << 20);
    for (int c; (c = fgetc(f)) != EOF;) buf_put_u8(&text, (uint8_t)c);
    (void)fclose(f);
    assert_non_null(buf_cstr(&text));
    for (char *s = strtok_r((char *)text.data, ";", &at); s != NULL; s = strtok_r(NULL, ";", &at))
        check_statement(name, s, n);
    buf_release(&text);
}

static void every_phrase_of_the_sources_has_its_kind(void **state)
{
    static const char *const folders[] = {"node", "cli"};
    char root[512], folder[560];
    size_t n = 0;
    (void)state;
    (void)snprintf(root, sizeof root, "%s", __FILE__);
    char *tests = strstr(root, "tests/unit/");
    assert_non_null(tests);
    *tests = '\0';
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(folder, sizeof folder, "%s%s", root, folders[i]);
        DIR *d = opendir(folder);
        assert_non_null(d);
        for (struct dirent *e; (e = readdir(d)) != NULL;) {
            size_t len = strlen(e->d_name);
            if (len > 2 && strcmp(e->d_name + len - 2, ".c") == 0) check_file(folder, e->d_name, &n);
        }
        (void)closedir(d);
    }
    if (n < 45) fail_msg("only %zu phrases were found: this test does not see them any more", n);
}

int main(void)
{
#define T(name) cmocka_unit_test(name)
    const struct CMUnitTest tests[] = {
        T(audit_tells_each_of_the_six_and_no_content),
        T(audit_can_be_asked_by_time_case_person_and_kind),
        T(a_look_stays_in_the_audit_when_the_hub_has_it_and_its_hour_is_over),
        T(when_a_case_is_taken_away_what_was_done_stays_and_in_which_case_does_not),
        T(an_unknown_act_counts_as_an_alteration),
        T(every_phrase_of_the_sources_has_its_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
