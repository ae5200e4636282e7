/* What a preview of sharing a case says, and what then happens: the same. */
#include "tests/lib/ends_ask.h"
#include "tests/lib/two_ends_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct node_question about(const uint8_t case_id[16], const char *agency, const char *access)
{
    struct node_question q = ends_question(access == NULL ? QUESTION_UNSHARE : QUESTION_SHARE, "case_file", case_id);
    q.agency = agency;
    q.text = access;
    return q;
}

/* How many rows of the case each table of a device has. */
struct holdings {
    int64_t rows[64];
};

static struct holdings count_at(struct ends_node *n, const uint8_t case_id[16])
{
    struct holdings h = {0};
    for (size_t t = 0; rules_table(t) != NULL; t++) {
        char sql[160];
        struct stmt *s;
        bool row = false;
        if (rules_table(t)->kind != TABLE_CASE) continue;
        (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM %s WHERE case_id = $1", rules_table(t)->name);
        assert_int_equal(db_prepare(node_db(n->n), sql, &s, NULL), ERR_OK);
        db_bind_id(s, 1, case_id);
        assert_int_equal(db_step(s, &row, NULL), ERR_OK);
        h.rows[t] = db_int(s, 0);
        db_done(s);
    }
    return h;
}

/* The table that a `rows` line is about. */
static size_t table_of_line(const char *line)
{
    size_t t = 0;
    for (; rules_table(t) != NULL; t++) {
        size_t n = strlen(rules_table(t)->name);
        if (strncmp(line + 5, rules_table(t)->name, n) == 0 && line[5 + n] == '|') break;
    }
    assert_non_null(rules_table(t));
    return t;
}

/* Every `rows` line is what came or went at the device, and nothing else did, but for the part itself. */
static void same_as(const struct ends_reply *r, const struct holdings *before, const struct holdings *after)
{
    char line[128];
    size_t lines = 0;
    for (size_t t = 0; rules_table(t) != NULL; t++) {
        int64_t more = after->rows[t] - before->rows[t];
        const char *name = rules_table(t)->name;
        if (strcmp(name, "participant") == 0 || more == 0) continue;
        (void)snprintf(line, sizeof line, "rows|%s|%lld|%s", name, (long long)llabs(more),
                       more > 0 ? "appear" : "leave");
        if (!ends_says(r, line)) fail_msg("it does not say %s but: %s", line, (char *)r->text.data);
    }
    for (const char *p = (const char *)r->text.data; (p = strstr(p, "rows|")) != NULL; p++) {
        size_t t = table_of_line(p);
        if (strcmp(rules_table(t)->name, "participant") != 0 && after->rows[t] == before->rows[t])
            fail_msg("nothing of %s moved, but it says: %s", rules_table(t)->name, (char *)r->text.data);
        lines++;
    }
    assert_true(lines > 0);
}

static void add_records(const uint8_t case_id[16])
{
    static const char *const how[] = {"open", "open", "open", "sensitive", "restricted"};
    ends_begin(ann);
    for (size_t i = 0; i < 5; i++) {
        uint8_t id[16];
        env_new_id(&ends_hub->env, id);
        struct row r = ends_row(ann, "record", id, case_id);
        ends_text(&r, "kind", "note");
        ends_text(&r, "title", "seen");
        ends_text(&r, "sensitivity", how[i]);
        ends_put(ann, &r);
    }
    (void)ends_commit(ann);
    ends_all_sync();
}

static void do_share(struct ends_case *k, const char *access)
{
    ends_begin(ann);
    ends_set(ann, "participant", k->parts[1], "access", value_str(access));
    (void)ends_commit(ann);
    (void)ends_sync(ann, ERR_OK);
    (void)ends_sync(sam, ERR_OK);
}

static void a_preview_of_unsharing_is_what_then_leaves(void **state)
{
    static const char version[] = "SELECT value FROM h_counter WHERE name = 'version'";
    struct ends_case k;
    uint8_t hash[2][32];
    (void)state;
    ends_case(&k);
    add_records(k.c);
    struct holdings before = count_at(sam, k.c);
    struct node_question q = about(k.c, "school", NULL);
    fake_hub_hash(ends_hub, hash[0]);
    int64_t was = fake_hub_int(ends_hub, version);
    struct ends_reply r = ends_ask(ann, &q);
    fake_hub_hash(ends_hub, hash[1]);
    assert_memory_equal(hash[0], hash[1], 32); /* nothing of it stayed */
    assert_int_equal(was, fake_hub_int(ends_hub, version));
    assert_int_equal(fake_hub_int(ends_hub, "SELECT count(*) FROM h_drop WHERE request IS NULL"), 0);
    ends_is_quiet(sam);
    assert_true(ends_says(&r, "site|school-1|1"));
    do_share(&k, "none");
    struct holdings after = count_at(sam, k.c);
    same_as(&r, &before, &after);
    ends_reply_release(&r);
    ends_all_sync();
}

static void a_preview_of_sharing_is_what_then_appears(void **state)
{
    static const char *const access[] = {"check", "view", "contribute"};
    struct ends_case k;
    (void)state;
    ends_case(&k);
    add_records(k.c);
    for (size_t i = 0; i < 3; i++) {
        do_share(&k, "none");
        struct holdings before = count_at(sam, k.c);
        struct node_question q = about(k.c, "school", access[i]);
        struct ends_reply r = ends_ask(ann, &q);
        assert_true(ends_says(&r, "site|school-1|0"));
        do_share(&k, access[i]);
        struct holdings after = count_at(sam, k.c);
        same_as(&r, &before, &after);
        ends_reply_release(&r);
    }
    ends_all_sync();
}

static void a_narrower_share_tells_what_leaves(void **state)
{
    struct ends_case k;
    (void)state;
    ends_case(&k);
    add_records(k.c);
    struct holdings before = count_at(sam, k.c);
    struct node_question q = about(k.c, "school", "check");
    struct ends_reply r = ends_ask(ann, &q);
    assert_true(ends_says(&r, "rows|record|3|leave"));
    do_share(&k, "check");
    struct holdings after = count_at(sam, k.c);
    same_as(&r, &before, &after);
    ends_reply_release(&r);
    ends_all_sync();
}

/* As `case share` does it: every part that stands is what was said now, and one that was voided stays so. */
static void a_narrower_share_tells_what_leaves_an_agency_that_takes_part_twice(void **state)
{
    struct ends_case k;
    uint8_t more[3][16];
    (void)state;
    ends_case(&k);
    add_records(k.c);
    ends_begin(ann);
    for (size_t i = 0; i < 3; i++) {
        env_new_id(&ends_hub->env, more[i]);
        struct row part = ends_row(ann, "participant", more[i], k.c);
        ends_text(&part, "member", "school");
        ends_text(&part, "site", "");
        ends_text(&part, "access", "contribute");
        ends_put(ann, &part);
    }
    (void)ends_commit(ann);
    ends_begin(ann);
    ends_set(ann, "participant", k.parts[1], "voided_at", value_int(ends_hub->now));
    (void)ends_commit(ann);
    ends_all_sync();
    struct holdings before = count_at(sam, k.c);
    struct node_question q = about(k.c, "school", "check");
    struct ends_reply r = ends_ask(ann, &q);
    ends_begin(ann);
    for (size_t i = 0; i < 3; i++) ends_set(ann, "participant", more[i], "access", value_str("check"));
    (void)ends_commit(ann);
    ends_all_sync();
    struct holdings after = count_at(sam, k.c);
    same_as(&r, &before, &after);
    ends_reply_release(&r);
}

/* The site is one of another area, which takes part by name. */
static void a_share_with_one_site_tells_of_that_site(void **state)
{
    struct ends_case k;
    (void)state;
    ends_case(&k);
    struct node_question q = about(k.c, "probation", "view");
    struct ends_reply r = ends_ask(ann, &q);
    assert_int_equal(r.n, 0); /* none of its sites covers the area */
    ends_reply_release(&r);
    q.text = "view\nprobation-1";
    r = ends_ask(ann, &q);
    assert_true(ends_says(&r, "site|probation-1|0"));
    assert_true(ends_says(&r, "rows|person|1|appear"));
    ends_reply_release(&r);
    q.text = "view\nschool-1"; /* not one of theirs */
    r = ends_ask(ann, &q);
    assert_int_equal(r.n, 0);
    ends_reply_release(&r);
}

static void only_who_decides_who_takes_part_is_told(void **state)
{
    struct ends_case k;
    (void)state;
    ends_case(&k);
    struct node_question qs[] = {about(k.c, "school", NULL), about(k.c, "probation", "view\nprobation-1"),
                                 about(k.c, "nobody", "view"), about(k.c, "school", "rule")};
    for (size_t i = 0; i < 2; i++) {
        struct ends_reply r = ends_ask(pol, &qs[i]);
        assert_int_equal(r.n, 0);
        ends_reply_release(&r);
        r = ends_ask(ann, &qs[i + 2]);
        assert_int_equal(r.n, 0);
        ends_reply_release(&r);
    }
}

static void put_quiet_part(const uint8_t case_id[16])
{
    uint8_t quiet[16];
    env_new_id(&ends_hub->env, quiet);
    ends_begin(ann);
    struct row part = ends_row(ann, "participant", quiet, case_id);
    ends_text(&part, "member", "school");
    ends_text(&part, "site", "school-1");
    ends_text(&part, "access", "contribute");
    part.v[rules_column_index(part.table, bytes_of_str("quiet"))] = value_int(1);
    ends_put(ann, &part);
    (void)ends_commit(ann);
    ends_all_sync();
}

/* The police lead, and may not know that the school has a quiet part: what a share would do is told as if it had
 * none. */
static void a_quiet_part_does_not_show_in_a_preview(void **state)
{
    struct ends_case k;
    (void)state;
    ends_case(&k);
    do_share(&k, "none");
    ends_begin(ann);
    ends_set(ann, "case_file", k.c, "lead_agency", value_str("police"));
    (void)ends_commit(ann);
    ends_all_sync();
    struct node_question qs[] = {about(k.c, "school", "view"), about(k.c, "school", NULL)};
    struct ends_reply before[2] = {ends_ask(pol, &qs[0]), ends_ask(pol, &qs[1])};
    assert_true(ends_says(&before[0], "rows|person|1|appear"));
    assert_int_equal(before[1].n, 0);
    put_quiet_part(k.c);
    ends_shows(sam, "person", k.person, "family_name", "Smith");
    for (size_t i = 0; i < 2; i++) {
        struct ends_reply r = ends_ask(pol, &qs[i]);
        assert_string_equal((char *)r.text.data, (char *)before[i].text.data);
        ends_reply_release(&r);
        ends_reply_release(&before[i]);
    }
    struct ends_reply r = ends_ask(ann, &qs[1]); /* the room knows */
    assert_true(ends_says(&r, "rows|person|1|leave"));
    ends_reply_release(&r);
    ends_all_sync();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_preview_of_unsharing_is_what_then_leaves),
        cmocka_unit_test(a_preview_of_sharing_is_what_then_appears),
        cmocka_unit_test(a_narrower_share_tells_what_leaves),
        cmocka_unit_test(a_narrower_share_tells_what_leaves_an_agency_that_takes_part_twice),
        cmocka_unit_test(a_share_with_one_site_tells_of_that_site),
        cmocka_unit_test(only_who_decides_who_takes_part_is_told),
        cmocka_unit_test(a_quiet_part_does_not_show_in_a_preview),
    };
    return cmocka_run_group_tests(tests, ends_start, ends_stop);
}
