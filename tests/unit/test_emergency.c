/* Break-glass: a manager opens a case that is not his site's. Off by default; what fails looks like what does not
 * exist; it ends by itself; everybody who takes part is told. */
#include "tests/lib/ends_ask.h"
#include "tests/lib/two_ends_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define HOUR INT64_C(3600000)

static struct ends_node *may; /* at the school, manager for north */

static struct node_question glass(const char *reference, const char *reason, char text[1024])
{
    struct node_question q = ends_question(QUESTION_EMERGENCY, NULL, NULL);
    (void)snprintf(text, 1024, "%s\n%s", reference, reason);
    q.text = text;
    return q;
}

static int64_t attempts(const char *like)
{
    char sql[256];
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM h_act WHERE act = 'emergency' AND reason LIKE '%%%s%%'",
                   like);
    return fake_hub_int(ends_hub, sql);
}

#define CASE   "SELECT 1 FROM case_file WHERE id = $1"
#define PERSON "SELECT 1 FROM person WHERE id = $1"

static bool shows(struct ends_node *n, const char *sql, const uint8_t id[16])
{
    struct stmt *s;
    bool row = false;
    assert_int_equal(db_prepare(node_db(n->n), sql, &s, NULL), ERR_OK);
    db_bind_id(s, 1, id);
    assert_int_equal(db_step(s, &row, NULL), ERR_OK);
    db_done(s);
    return row;
}

/* A case with a reference that the police contribute to; the school takes no part, if not quietly. */
struct locked {
    uint8_t c[16];
    char reference[16];
};
static void lock_up(struct locked *l, bool restricted, bool quiet_school)
{
    static unsigned count;
    ends_all_sync();
    env_new_id(&ends_hub->env, l->c);
    (void)snprintf(l->reference, sizeof l->reference, "C-TEST%04u", ++count % 10000);
    ends_begin(ann);
    struct row file = ends_row(ann, "case_file", l->c, l->c);
    ends_text(&file, "reference", l->reference);
    ends_text(&file, "area", "north");
    ends_text(&file, "lead_agency", "care");
    file.v[rules_column_index(file.table, bytes_of_str("restricted"))] = value_int(restricted);
    ends_put(ann, &file);
    for (int i = 0; i < 3; i++) {
        uint8_t id[16];
        if (i == 2 && !quiet_school) continue;
        env_new_id(&ends_hub->env, id);
        struct row part = ends_row(ann, "participant", id, l->c);
        ends_text(&part, "member", i == 0 ? "care" : i == 1 ? "police" : "probation");
        ends_text(&part, "site", i == 0 ? "care-mash" : i == 1 ? "police-hq" : "probation-1");
        ends_text(&part, "access", "contribute");
        part.v[rules_column_index(part.table, bytes_of_str("quiet"))] = value_int(i == 2);
        ends_put(ann, &part);
    }
    (void)ends_commit(ann);
    struct round_result r = ends_sync(ann, ERR_OK);
    assert_int_equal(r.applied, 1);
    ends_all_sync();
    (void)ends_sync(may, ERR_OK);
}

static void switch_it(int64_t hours)
{
    struct why why = {0};
    assert_int_equal(hub_set_emergency(ends_hub->hub, hours, &why), ERR_OK);
}

/* Asks, and is told nothing in so many words. */
static void try_it(struct ends_node *n, const char *reference, const char *reason)
{
    char text[1024];
    struct node_question q = glass(reference, reason, text);
    struct ends_reply r = ends_ask(n, &q);
    assert_int_equal(r.n, 0);
    ends_reply_release(&r);
}

static void it_is_off_until_it_is_switched_on(void **state)
{
    struct locked l;
    (void)state;
    lock_up(&l, false, false);
    try_it(may, l.reference, "A child at the door.");
    assert_false(shows(may, CASE, l.c));
    assert_int_equal(attempts("switched off"), 1);
    assert_int_equal(hub_set_emergency(ends_hub->hub, 73, NULL), ERR_USAGE);
    assert_int_equal(hub_set_emergency(ends_hub->hub, -1, NULL), ERR_USAGE);
    switch_it(6);
    try_it(may, l.reference, "A child at the door.");
    assert_true(shows(may, CASE, l.c));
    assert_int_equal(fake_hub_int(ends_hub, "SELECT count(*) FROM h_act WHERE act = 'emergency on'"), 1);
    switch_it(0);
}

static void owners_are_told_who_why_and_until_when(void **state)
{
    struct locked l;
    char until[64];
    (void)state;
    switch_it(6);
    lock_up(&l, false, true);
    try_it(may, l.reference, "Mother cannot be reached.");
    assert_true(shows(may, CASE, l.c));
    /* care, police, and probation, which has a quiet part; not the school, whose device it is. */
    assert_int_equal(ends_count("SELECT count(*) FROM feedback WHERE case_id = $1", l.c), 3);
    assert_int_equal(ends_count("SELECT count(*) FROM feedback WHERE case_id = $1 AND to_agency IN ('care', 'police',"
                                " 'probation')",
                                l.c),
                     3);
    assert_int_equal(
        ends_count("SELECT count(*) FROM feedback WHERE case_id = $1 AND body LIKE '%May%school-1%Mother cannot be"
                   " reached.%'",
                   l.c),
        3);
    time_t t = (time_t)((ends_hub->now + 6 * HOUR) / 1000);
    struct tm tm;
    assert_true(gmtime_r(&t, &tm) != NULL && strftime(until, sizeof until, "%-d %b %Y at %H:%M UTC", &tm) > 0);
    char sql[256];
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM feedback WHERE case_id = $1 AND body LIKE '%%until %s%%'",
                   until);
    assert_int_equal(ends_count(sql, l.c), 3);
    (void)ends_sync(pol, ERR_OK);
    /* Each reads its own line alone. */
    struct stmt *s;
    bool row = false;
    assert_int_equal(
        db_prepare(node_db(pol->n), "SELECT count(*), min(to_agency) FROM feedback WHERE case_id = $1", &s, NULL),
        ERR_OK);
    db_bind_id(s, 1, l.c);
    assert_int_equal(db_step(s, &row, NULL), ERR_OK);
    assert_int_equal(db_int(s, 0), 1);
    assert_true(bytes_equal(db_bytes(s, 1), bytes_of_str("police")));
    db_done(s);
    ends_same(pol);
    ends_same(may);
    /* What has been opened tells whoever opened it of no quiet part. */
    assert_int_equal(db_prepare(node_db(may->n),
                                "SELECT count(*) FROM participant WHERE case_id = $1 AND member ="
                                " 'probation'",
                                &s, NULL),
                     ERR_OK);
    db_bind_id(s, 1, l.c);
    assert_int_equal(db_step(s, &row, NULL), ERR_OK);
    assert_int_equal(db_int(s, 0), 0);
    db_done(s);
    switch_it(0);
}

static void it_ends_by_itself(void **state)
{
    struct locked l;
    (void)state;
    switch_it(1);
    lock_up(&l, false, false);
    try_it(may, l.reference, "A child at the door.");
    assert_true(shows(may, CASE, l.c));
    ends_hub->now += HOUR / 2;
    (void)ends_sync(may, ERR_OK);
    assert_true(shows(may, CASE, l.c));
    ends_hub->now += HOUR / 2;
    (void)ends_sync(may, ERR_OK);
    assert_false(shows(may, CASE, l.c));
    ends_all_sync();
    switch_it(0);
}

static void a_second_use_while_one_runs_makes_nothing_new(void **state)
{
    struct locked l;
    (void)state;
    switch_it(6);
    lock_up(&l, false, false);
    try_it(may, l.reference, "Once.");
    int64_t parts = ends_count("SELECT count(*) FROM participant WHERE case_id = $1", l.c);
    try_it(may, l.reference, "Twice.");
    assert_int_equal(ends_count("SELECT count(*) FROM participant WHERE case_id = $1", l.c), parts);
    assert_int_equal(ends_count("SELECT count(*) FROM feedback WHERE case_id = $1", l.c), 2);
    assert_int_equal(attempts("Twice."), 1);
    switch_it(0);
}

static void a_closed_case_opens_too(void **state)
{
    struct locked l;
    (void)state;
    switch_it(6);
    lock_up(&l, false, false);
    (void)ends_write(ann, "case_file", l.c, "status", "closed");
    (void)ends_sync(ann, ERR_OK);
    try_it(may, l.reference, "It begins again.");
    assert_true(shows(may, CASE, l.c));
    switch_it(0);
}

/* The agency that wrote of it keeps what it wrote when its part is over: the rest opens to it as to any other. */
static void who_keeps_only_what_it_wrote_may_open_the_case(void **state)
{
    struct locked l;
    uint8_t own[16], theirs[16], part[16];
    (void)state;
    switch_it(6);
    lock_up(&l, false, false);
    env_new_id(&ends_hub->env, part);
    ends_begin(ann);
    struct row school = ends_row(ann, "participant", part, l.c);
    ends_text(&school, "member", "school");
    ends_text(&school, "site", "");
    ends_text(&school, "access", "contribute");
    ends_put(ann, &school);
    ends_person(ann, l.c, theirs, "Smith");
    (void)ends_commit(ann);
    (void)ends_sync(ann, ERR_OK);
    (void)ends_sync(may, ERR_OK);
    ends_begin(may);
    ends_person(may, l.c, own, "Ours");
    (void)ends_commit(may);
    (void)ends_sync(may, ERR_OK);
    (void)ends_sync(ann, ERR_OK);
    (void)ends_write(ann, "participant", part, "access", "none");
    (void)ends_sync(ann, ERR_OK);
    (void)ends_sync(may, ERR_OK);
    ends_shows(may, "person", own, "family_name", "Ours");
    assert_false(shows(may, PERSON, theirs));
    try_it(may, l.reference, "A child at the door.");
    assert_true(shows(may, PERSON, theirs));
    switch_it(0);
}

/* Size of the last answer, with the question of `n`. */
struct trial {
    size_t bytes, lines, rows;
};
static struct trial measure(struct fake_node *n, uint64_t number, const char *reference)
{
    struct question q = {.number = number, .kind = QUESTION_EMERGENCY};
    struct bundle_reader *in = NULL;
    struct seal_header head;
    struct buf item;
    struct bytes got;
    uint8_t binding[32];
    bool end = false;
    struct trial t = {.lines = SIZE_MAX};
    buf_init(&item, 1u << 16);
    memcpy(q.hub, hub_identity(n->f->hub)->kid, 16);
    memcpy(q.user, n->user, 16);
    (void)snprintf(q.text, sizeof q.text, "%s\nA child at the door.", reference);
    assert_int_equal(message_put_question(&item, &n->id, &q, NULL), ERR_OK);
    fake_node_queue(n, buf_bytes(&item));
    fake_node_round(n);
    t.bytes = n->got.len;
    t.rows = n->n_rows;
    assert_int_equal(bundle_reader_new(&in, buf_bytes(&n->got), &n->id, &head, binding, NULL), ERR_OK);
    while (bundle_next(in, &got, &end, NULL) == ERR_OK && !end) {
        struct reply r;
        if (message_type(got) != MSG_REPLY) continue;
        assert_int_equal(message_get_reply(got, hub_identity(n->f->hub), &r, NULL), ERR_OK);
        t.lines = r.n_lines;
    }
    bundle_reader_free(in);
    buf_release(&item);
    return t;
}

static void what_fails_is_alike_and_all_of_it_is_on_record(void **state)
{
    static const char *const why[] = {"no such case", "restricted", "no manager on duty", "already", "another area's"};
    struct locked open, restricted, seen;
    struct fake_node *manager = calloc(1, sizeof *manager), *other = calloc(1, sizeof *other);
    struct why w = {0};
    (void)state;
    assert_true(manager != NULL && other != NULL);
    switch_it(6);
    lock_up(&open, false, false);
    lock_up(&restricted, true, false);
    lock_up(&seen, false, false);
    fake_node_enrol(manager, ends_hub, "school-1", "school", "Max");
    fake_node_enrol(other, ends_hub, "school-1", "school", "Sue");
    assert_int_equal(hub_add_duty(ends_hub->hub, manager->user, "north", "manager", &w), ERR_OK);
    assert_int_equal(hub_add_duty(ends_hub->hub, other->user, "south", "manager", &w), ERR_OK);
    fake_node_pull(manager);
    fake_node_pull(other);
    (void)measure(manager, 1, seen.reference);
    fake_node_pull(manager);
    fake_node_pull(other);
    int64_t before = fake_hub_int(ends_hub, "SELECT count(*) FROM h_act WHERE act = 'emergency'");
    const struct trial all[] = {measure(manager, 2, "C-TEST9999"), measure(manager, 3, restricted.reference),
                                measure(other, 2, open.reference), measure(manager, 4, seen.reference)};
    for (size_t i = 0; i < 4; i++) {
        if (all[i].bytes != all[0].bytes) fail_msg("%s: %zu bytes, not %zu", why[i], all[i].bytes, all[0].bytes);
        assert_int_equal(all[i].lines, 0);
        assert_int_equal(all[i].rows, 0);
        assert_true(attempts(why[i]) >= 1);
    }
    assert_int_equal(fake_hub_int(ends_hub, "SELECT count(*) FROM h_act WHERE act = 'emergency'"), before + 4);
    /* The person is not the device's to choose: a manager elsewhere is none here. */
    memcpy(other->user, ann->user, 16);
    struct trial t = measure(other, 3, open.reference);
    assert_int_equal(t.rows, 0);
    fake_node_release(manager);
    fake_node_release(other);
    free(manager);
    free(other);
    switch_it(0);
    ends_all_sync();
}

static void no_reason_no_case(void **state)
{
    struct locked l;
    (void)state;
    switch_it(6);
    lock_up(&l, false, false);
    try_it(may, l.reference, " ");
    assert_false(shows(may, CASE, l.c));
    assert_int_equal(attempts("no reason was given"), 1);
    switch_it(0);
}

/* Nothing of the reference stays on the device once the hub has spoken. */
static void the_reference_is_not_kept(void **state)
{
    struct stmt *s;
    bool row = false;
    (void)state;
    try_it(may, "C-TEST8888", "A child at the door.");
    assert_int_equal(db_prepare(node_db(may->n), "SELECT count(*) FROM n_question WHERE text LIKE '%8888%'", &s, NULL),
                     ERR_OK);
    assert_int_equal(db_step(s, &row, NULL), ERR_OK);
    assert_int_equal(db_int(s, 0), 0);
    db_done(s);
}

static int start(void **state)
{
    struct why why = {0};
    if (ends_start(state) != 0) return -1;
    may = ends_device("school-1", "school", "May");
    return hub_add_duty(ends_hub->hub, may->user, "north", "manager", &why) == ERR_OK ? 0 : -1;
}
static int stop(void **state)
{
    ends_gone(may);
    return ends_stop(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_off_until_it_is_switched_on),
        cmocka_unit_test(owners_are_told_who_why_and_until_when),
        cmocka_unit_test(it_ends_by_itself),
        cmocka_unit_test(a_second_use_while_one_runs_makes_nothing_new),
        cmocka_unit_test(a_closed_case_opens_too),
        cmocka_unit_test(who_keeps_only_what_it_wrote_may_open_the_case),
        cmocka_unit_test(what_fails_is_alike_and_all_of_it_is_on_record),
        cmocka_unit_test(no_reason_no_case),
        cmocka_unit_test(the_reference_is_not_kept),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
