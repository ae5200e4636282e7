/* Random policies one after the other in random worlds, with writes, devices and crashes while they come: at every
 * moment each site sees exactly what the policies show that stand over each case, and in the end devices hold exactly
 * that. SPOKE_SEED and SPOKE_SEEDS choose which and how many worlds. */
#include "hub/policy_change.h"
#include "tests/lib/hub_world.h"
#include "tests/lib/must.h"
#include "tests/lib/policy_variant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAX_NODES 8
#define POLICIES  3

struct play {
    struct world w;
    struct fixture_node *nodes[MAX_NODES];
    int n_nodes;
};

static uint64_t roll(struct play *p, uint64_t below)
{
    return hub_fixture_random(p->w.f, below);
}

static const char *one_of(struct play *p, const char *const *words, size_t n)
{
    return words[roll(p, n)];
}
#define ONE_OF(p, words) one_of(p, words, sizeof(words) / sizeof(words)[0])

static const char *const channels[] = {"face", "shared", "room"};

/* Some tables move to other channels; now and then by what another row says. */
static void draw_rows(struct play *p, char out[1024])
{
    static const char *const tables[] = {"warning", "pointer", "rating", "brief",   "referral", "participant",
                                         "action",  "contact", "record", "consent", "link",     "case_file"};
    static const char *const also[] = {"", "",
                                       " AND EXISTS (SELECT 1 FROM rating x WHERE x.case_id = plain_channel0.case_id)"};
    size_t n = 0;
    for (uint64_t left = 1 + roll(p, 3); left > 0; left--)
        n += (size_t)snprintf(out + n, 1024 - n, " WHEN tbl = '%s' AND channel = '%s'%s THEN '%s'", ONE_OF(p, tables),
                              ONE_OF(p, channels), ONE_OF(p, also), ONE_OF(p, channels));
}

static void draw_variant(struct play *p)
{
    static const char *const wider[] = {
        "SELECT site, case_id, 'room' FROM site_access0 WHERE access = 3",
        "SELECT site, case_id, 'shared' FROM site_access0",
        "SELECT v.site, c.id, 'face' FROM coverage v JOIN case_file c ON c.area = v.area",
        "SELECT v.site, c.id, 'scheme:local' FROM coverage v JOIN case_file c ON c.area = v.area WHERE c.restricted = 0",
    };
    static const char *const access[] = {"CASE access WHEN 2 THEN 1 WHEN 1 THEN 2 ELSE access END",
                                         "CASE WHEN site < 's4' THEN min(access, 2) ELSE max(access, 3) END"};
    struct policy_variant v = {0};
    char rows[1024], less[256];
    draw_rows(p, rows);
    (void)snprintf(less, sizeof less, "channel = '%s' AND (site = 's%d' OR site = 's%d')", ONE_OF(p, channels),
                   (int)roll(p, 6), (int)roll(p, 6));
    if (roll(p, 4) != 0) v.rows = rows;
    if (roll(p, 2) != 0) v.less = less;
    if (roll(p, 2) != 0) v.more = ONE_OF(p, wider);
    if (roll(p, 3) == 0) v.access = ONE_OF(p, access);
    policy_variant_begin(p->w.f, &v);
}

static void contact(struct play *p)
{
    if (p->n_nodes == 0) return;
    struct fixture_node *n = p->nodes[roll(p, (uint64_t)p->n_nodes)];
    if (n->answer.waiting) hub_fixture_take(p->w.f, n);
    hub_fixture_ask(p->w.f, n, roll(p, 2) == 0 ? 1 << 20 : 1 + roll(p, 3000));
    if (roll(p, 3) != 0) hub_fixture_take(p->w.f, n);
}

static void one_step(struct play *p)
{
    struct hub_fixture *f = p->w.f;
    uint64_t what = roll(p, 100);
    char code[8];
    if (what < 10 && p->n_nodes < MAX_NODES) {
        p->nodes[p->n_nodes++] = hub_fixture_node(f, world_site_code((int)roll(p, (uint64_t)p->w.n_sites), code));
    } else if (what < 45) {
        contact(p);
    } else if (what < 50) {
        hub_fixture_kill(f);
    } else if (what < 55) {
        f->clock += (int64_t)roll(p, 4000);
        hub_fixture_begin(f);
        hub_fixture_commit(f);
    } else {
        hub_fixture_step(f);
        (void)world_change(&p->w, -1);
        hub_fixture_settle(f);
    }
    policy_variant_agrees(f);
}

static void one_policy(struct play *p)
{
    draw_variant(p);
    for (bool done = false; !done;) {
        for (uint64_t n = roll(p, 4); n > 0; n--) one_step(p);
        MUST(hub_policy_continue(&p->w.f->h, 1 + roll(p, 2), &done, &why));
        policy_variant_agrees(p->w.f);
    }
    for (int i = 0; i < p->n_nodes; i++) {
        hub_fixture_pull(p->w.f, p->nodes[i], 1 << 20);
        hub_fixture_is_exact(p->w.f, p->nodes[i]);
    }
}

static long from_env(const char *name, long otherwise)
{
    const char *v = getenv(name);
    return v == NULL ? otherwise : atol(v);
}

static void sites_see_exactly_what_the_policies_over_each_case_show_while_they_change(void **state)
{
    (void)state;
    long seed = from_env("SPOKE_SEED", 1), n = from_env("SPOKE_SEEDS", 2);
    for (long i = 0; i < n; i++) {
        struct play *p = calloc(1, sizeof *p);
        assert_non_null(p);
        (void)fprintf(stderr, "seed %ld\n", seed + i);
        world_new(&p->w, hub_fixture_new((uint64_t)(seed + i) * 104729));
        for (int step = 0; step < 15; step++) one_step(p);
        for (int k = 0; k < POLICIES; k++) one_policy(p);
        for (int k = 0; k < p->n_nodes; k++) hub_fixture_node_free(p->nodes[k]);
        hub_fixture_free(p->w.f);
        free(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sites_see_exactly_what_the_policies_over_each_case_show_while_they_change)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
