/* What an administrator is told beforehand is what then happens, and being told changes nothing. */
#include "hub/policy_change.h"
#include "tests/lib/hub_fixture.h"
#include "tests/lib/must.h"
#include "tests/lib/policy_variant.h"
#include "tests/lib/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PLENTY    (1u << 20)
#define CASES     5
#define MAX_LINES 64

struct play {
    struct hub_fixture *f;
    struct id c[CASES];
    struct fixture_node *gp, *idle, *station;
};
struct said {
    struct {
        char site[16], table[32];
        uint64_t appear, leave;
    } rows[MAX_LINES];
    size_t n_rows;
    struct {
        uint8_t kid[16];
        uint64_t rows;
        int64_t unsent, oldest_ms;
    } devices[MAX_LINES];
    size_t n_devices;
};

static const struct policy_variant mixed = {
    .rows =
        "WHEN tbl = 'warning' AND channel = 'face' THEN 'shared' WHEN tbl = 'referral' AND channel = 'room' THEN 'shared'",
    .less = "channel = 'shared' AND site = 'ward'"};

static int set_up(void **state)
{
    struct play *p = calloc(1, sizeof *p);
    assert_non_null(p);
    p->f = hub_fixture_new(21);
    hub_fixture_town(p->f);
    hub_fixture_step(p->f);
    for (int i = 0; i < CASES; i++) {
        p->c[i] = hub_fixture_case(p->f);
        (void)hub_fixture_share(p->f, p->c[i], "health", i == 0 ? "check" : "view");
        (void)hub_fixture_share(p->f, p->c[i], "police", "check");
        (void)hub_fixture_row(p->f, "warning", p->c[i], "council", "note", "dog", NULL);
        (void)hub_fixture_row(p->f, "referral", p->c[i], "council", "source", "school", NULL);
        (void)hub_fixture_row(p->f, "rating", p->c[i], "police", "rag", "amber", NULL);
    }
    hub_fixture_settle(p->f);
    p->gp = hub_fixture_node(p->f, "gp");
    p->idle = hub_fixture_node(p->f, "station");
    p->station = hub_fixture_node(p->f, "station");
    hub_fixture_pull(p->f, p->gp, PLENTY);
    hub_fixture_pull(p->f, p->station, PLENTY);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct play *p = *state;
    hub_fixture_node_free(p->gp);
    hub_fixture_node_free(p->idle);
    hub_fixture_node_free(p->station);
    hub_fixture_free(p->f);
    free(p);
    return 0;
}

static enum err note_rows(void *ctx, const struct hub_preview_rows *r, struct why *why)
{
    struct said *s = ctx;
    (void)why;
    assert_true(s->n_rows < MAX_LINES);
    (void)snprintf(s->rows[s->n_rows].site, 16, "%s", r->site);
    (void)snprintf(s->rows[s->n_rows].table, 32, "%s", r->table);
    s->rows[s->n_rows].appear = r->appear;
    s->rows[s->n_rows++].leave = r->leave;
    return ERR_OK;
}

static enum err note_device(void *ctx, const struct hub_preview_device *d, struct why *why)
{
    struct said *s = ctx;
    (void)why;
    assert_true(s->n_devices < MAX_LINES);
    memcpy(s->devices[s->n_devices].kid, d->kid, 16);
    s->devices[s->n_devices].unsent = d->unsent;
    s->devices[s->n_devices].oldest_ms = d->oldest_ms;
    s->devices[s->n_devices++].rows = d->rows;
    return ERR_OK;
}

static struct said preview(struct play *p, const struct policy_variant *v)
{
    struct said s = {0};
    const struct hub_preview to = {&s, note_rows, note_device};
    char *text = policy_variant_text(v);
    MUST(hub_preview_policy(&p->f->h, bytes_of_str(text), &to, &why));
    free(text);
    return s;
}

/* Everything that the hub keeps of who sees what, in one number. */
static int64_t fingerprint(struct hub_fixture *f)
{
    return hub_fixture_number(f, "SELECT (SELECT sum(no * 31 + mask * 7 + version) FROM h_row)"
                                 " + (SELECT sum(site_no * 31 + mask * 7 + version + access + news) FROM h_seat)"
                                 " + 1000003 * (SELECT count(*) FROM h_mask) + 1009 * (SELECT count(*) FROM h_seat_log)"
                                 " + 17 * (SELECT count(*) FROM h_drop) + (SELECT sum(bit) FROM h_channel)"
                                 " + 100 * (SELECT value FROM h_counter WHERE name = 'version')"
                                 " + (SELECT count(*) FROM h_policy)") +
           hub_fixture_number(f, test_store_sql("SELECT count(*) FROM sqlite_temp_schema",
                                                "SELECT count(*) FROM pg_catalog.pg_class WHERE relnamespace ="
                                                " pg_catalog.pg_my_temp_schema()"));
}

static int64_t visible(struct hub_fixture *f, const char *site, const char *table)
{
    char sql[512];
    (void)snprintf(
        sql, sizeof sql,
        "SELECT count(*) FROM h_site s JOIN h_seat t ON t.site_no = s.no JOIN h_row r ON r.case_no = t.case_no"
        " AND (r.mask & t.mask) <> 0 JOIN \"%s\" x ON x.id = r.id WHERE s.code = '%s' AND r.tbl = %d",
        table, site, rules_table_index(bytes_of_str(table)));
    return hub_fixture_number(f, sql);
}

static void a_preview_of_a_policy_says_what_then_happens_and_changes_nothing(void **state)
{
    static const char *const sites[] = {"mash", "office", "gp", "ward", "far", "station", "class", "night"};
    struct play *p = *state;
    size_t n_tables, n_sites = sizeof sites / sizeof sites[0];
    const struct table_rule *t = rules_tables(&n_tables);
    int64_t before[8][64], print = fingerprint(p->f);
    struct said s = preview(p, &mixed);
    assert_int_equal(fingerprint(p->f), print);
    policy_variant_agrees(p->f);
    for (size_t i = 0; i < n_sites; i++)
        for (size_t k = 0; k < n_tables; k++) before[i][k] = visible(p->f, sites[i], t[k].name);
    policy_variant_begin(p->f, &mixed);
    policy_variant_finish(p->f);
    for (size_t i = 0; i < n_sites; i++)
        for (size_t k = 0; k < n_tables; k++) {
            int64_t more = 0;
            for (size_t j = 0; j < s.n_rows; j++)
                if (strcmp(s.rows[j].site, sites[i]) == 0 && strcmp(s.rows[j].table, t[k].name) == 0)
                    more += (int64_t)s.rows[j].appear - (int64_t)s.rows[j].leave;
            assert_int_equal(visible(p->f, sites[i], t[k].name) - before[i][k], more);
        }
    assert_true(s.n_rows > 4);
    /* The devices: those that hold such rows, with as many as they are then told to forget; not the one that never
     * pulled. */
    assert_int_equal(s.n_devices, 2);
    hub_fixture_ask(p->f, p->gp, PLENTY);
    hub_fixture_ask(p->f, p->station, PLENTY);
    hub_fixture_ask(p->f, p->idle, PLENTY);
    assert_memory_equal(s.devices[0].kid, p->gp->n.id.kid, 16);
    assert_int_equal(s.devices[0].rows, p->gp->answer.n_drops);
    assert_memory_equal(s.devices[1].kid, p->station->n.id.kid, 16);
    assert_int_equal(s.devices[1].rows, p->station->answer.n_drops);
    assert_int_equal(p->station->answer.n_drops, CASES);
    assert_int_equal(p->idle->answer.n_drops, 0);
    hub_fixture_take(p->f, p->gp);
    hub_fixture_take(p->f, p->station);
    hub_fixture_is_exact(p->f, p->gp);
    hub_fixture_is_exact(p->f, p->station);
}

static void a_policy_that_says_the_same_in_other_words_moves_nothing(void **state)
{
    struct play *p = *state;
    struct said s = preview(p, &(struct policy_variant){0});
    assert_int_equal(s.n_rows + s.n_devices, 0);
}

static void a_preview_is_refused_while_a_policy_is_coming(void **state)
{
    struct play *p = *state;
    struct said s = {0};
    struct why said = {0};
    const struct hub_preview to = {&s, note_rows, note_device};
    char *text = policy_variant_text(&(struct policy_variant){.less = "site = 'night'"});
    assert_int_equal(hub_preview_policy(&p->f->h, bytes_of_str("SELECT 1;"), &to, &said), ERR_USAGE);
    policy_variant_begin(p->f, &mixed);
    assert_int_equal(hub_preview_policy(&p->f->h, bytes_of_str(text), &to, &said), ERR_EXISTS);
    policy_variant_agrees(p->f); /* the coming one's views are there still */
    policy_variant_finish(p->f);
    assert_int_equal(hub_preview_policy(&p->f->h, bytes_of_str(text), &to, &said), ERR_OK);
    assert_true(s.n_rows > 0);
    free(text);
}

static void a_preview_of_revoking_says_what_the_device_holds_and_has_not_sent(void **state)
{
    struct play *p = *state;
    struct said s = {0};
    struct hub_preview_revoke r;
    const struct hub_preview to = {&s, note_rows, note_device};
    char sql[256];
    uint64_t rows = 0;
    (void)snprintf(sql, sizeof sql, "UPDATE h_node SET unsent = 3, oldest_ms = 77 WHERE no = %lld",
                   (long long)p->station->n.no);
    hub_fixture_sql(p->f, sql);
    (void)snprintf(sql, sizeof sql,
                   "INSERT INTO h_held(node_no, seq, state, found_at, fault) VALUES (%lld, 1, 'waiting', 1, 0)",
                   (long long)p->station->n.no);
    hub_fixture_sql(p->f, sql);
    hub_fixture_step(p->f);
    hub_fixture_set(p->f, "case_file", p->c[4], "restricted", "#1"); /* it leaves the station, which does not confirm */
    hub_fixture_settle(p->f);
    int64_t lost = hub_fixture_number(p->f, "SELECT count(*) FROM h_drop d JOIN h_node n ON n.no = d.node_no"
                                            " JOIN h_site s ON s.no = n.site_no WHERE s.code = 'station'");
    int64_t print = fingerprint(p->f);
    MUST(hub_preview_revoke(&p->f->h, p->station->n.id.kid, &to, &r, &why));
    assert_int_equal(fingerprint(p->f), print);
    for (size_t i = 0; i < s.n_rows; i++) {
        assert_string_equal(s.rows[i].site, "station");
        rows += s.rows[i].leave;
    }
    assert_true(lost > 0);
    assert_int_equal(rows, (int64_t)p->station->n_rows - lost);
    assert_int_equal(r.unconfirmed, lost);
    assert_int_equal(r.waiting, 1);
    assert_int_equal(r.cases, CASES - 1);
    assert_int_equal(s.n_devices, 2); /* itself first */
    assert_memory_equal(s.devices[0].kid, p->station->n.id.kid, 16);
    assert_int_equal(s.devices[0].rows, rows);
    assert_int_equal(s.devices[0].unsent, 3);
    assert_int_equal(s.devices[0].oldest_ms, 77);
    assert_memory_equal(s.devices[1].kid, p->idle->n.id.kid, 16);
    s = (struct said){0};
    MUST(hub_preview_revoke(&p->f->h, p->idle->n.id.kid, &to, &r, &why));
    assert_int_equal(s.n_rows, 0); /* it never pulled */
    struct why said = {0};
    uint8_t nobody[16] = {1};
    assert_int_equal(hub_preview_revoke(&p->f->h, nobody, &to, &r, &said), ERR_NOTFOUND);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_preview_of_a_policy_says_what_then_happens_and_changes_nothing),
        TEST(a_policy_that_says_the_same_in_other_words_moves_nothing),
        TEST(a_preview_is_refused_while_a_policy_is_coming),
        TEST(a_preview_of_revoking_says_what_the_device_holds_and_has_not_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
