/* Random worlds against the oracle of tests/lib/hub_world_oracle.c: after each step every site sees exactly what the
 * matrix says, and nodes in random order of contact, with answers lost and pages cut short, hold exactly that in the
 * end. SPOKE_SEED and SPOKE_SEEDS choose which and how many worlds. */
#include "tests/lib/hub_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAX_NODES 10
#define STEPS     60

struct play {
    struct world w;
    struct fixture_node *nodes[MAX_NODES];
    int site[MAX_NODES];
    int n_nodes;
};

struct seen {
    const struct world *w;
    bool row[WORLD_ROWS];
    int site;
};

static enum err note_seen(void *ctx, const struct row *r, struct why *why)
{
    struct seen *s = ctx;
    (void)why;
    if (r->table->kind == TABLE_REFERENCE) return ERR_OK;
    for (int i = 0; i < s->w->n_rows; i++) {
        if (memcmp(s->w->rows[i].id.b, r->v[0].s.p, 16) == 0) {
            s->row[i] = true;
            return ERR_OK;
        }
    }
    fail_msg("the hub has a row of %s that nobody made", r->table->name);
    return ERR_OK;
}

static void agrees_with_oracle(struct world *w)
{
    char code[8];
    for (int site = 0; site < w->n_sites; site++) {
        struct seen s = {.w = w, .site = site};
        assert_int_equal(hub_site_rows(&w->f->h, world_site_code(site, code), note_seen, &s, NULL), ERR_OK);
        for (int i = 0; i < w->n_rows; i++)
            if (s.row[i] != world_sees(w, site, &w->rows[i]))
                fail_msg("%s (agency %d): row %d of %s (agency %d, case %d): hub %d, oracle %d", code,
                         w->sites[site].agency, i, w->rows[i].table, w->rows[i].agency, w->rows[i].case_no, s.row[i],
                         !s.row[i]);
    }
}

static uint64_t budget(struct hub_fixture *f)
{
    return hub_fixture_random(f, 2) == 0 ? 1 << 20 : 1 + hub_fixture_random(f, 3000);
}

/* A node's contact: it takes what waits; then asks; the answer may be lost on the way, and is then told again next
 * time. */
static void contact(struct play *p)
{
    struct hub_fixture *f = p->w.f;
    if (p->n_nodes == 0) return;
    struct fixture_node *n = p->nodes[hub_fixture_random(f, (uint64_t)p->n_nodes)];
    if (n->answer.waiting) hub_fixture_take(f, n);
    hub_fixture_ask(f, n, budget(f));
    if (hub_fixture_random(f, 3) != 0) hub_fixture_take(f, n);
}

static void enrol(struct play *p)
{
    char code[8];
    if (p->n_nodes == MAX_NODES) return;
    p->site[p->n_nodes] = (int)hub_fixture_random(p->w.f, (uint64_t)p->w.n_sites);
    p->nodes[p->n_nodes] = hub_fixture_node(p->w.f, world_site_code(p->site[p->n_nodes], code));
    p->n_nodes++;
}

/* A node's own work, as its envelope brings it: new rows, and changes of rows that it holds. */
static void work_of_node(struct play *p)
{
    struct world *w = &p->w;
    if (p->n_nodes == 0) return;
    uint64_t at = hub_fixture_random(w->f, (uint64_t)p->n_nodes);
    struct fixture_node *n = p->nodes[at];
    if (n->answer.waiting) hub_fixture_take(w->f, n);
    hub_fixture_step(w->f);
    int row = world_new_row(w, w->sites[p->site[at]].agency);
    if (row >= 0 && strcmp(w->rows[row].table, "conflict") != 0 && strcmp(w->rows[row].table, "held") != 0)
        hub_fixture_node_wrote(w->f, n, w->rows[row].table, w->rows[row].id);
    int other = w->n_rows == 0 ? -1 : (int)hub_fixture_random(w->f, (uint64_t)w->n_rows);
    if (other >= 0 && hub_fixture_holds(n, w->rows[other].table, w->rows[other].id)) {
        const struct table_rule *t = rules_table((size_t)rules_table_index(bytes_of_str(w->rows[other].table)));
        world_change_row(w, other);
        assert_int_equal(sight_named(&w->f->h, n->n.no, t, w->rows[other].id.b, NULL), ERR_OK);
    }
    hub_fixture_settle(w->f);
}

static void one_step(struct play *p)
{
    struct hub_fixture *f = p->w.f;
    uint64_t what = hub_fixture_random(f, 100);
    if (what < 10) {
        enrol(p);
    } else if (what < 45) {
        contact(p);
    } else if (what < 50) {
        f->clock += (int64_t)hub_fixture_random(f, 4000);
        hub_fixture_begin(f);
        hub_fixture_commit(f);
        assert_int_equal(hub_verify(&f->h, NULL), ERR_OK);
    } else if (what < 62) {
        work_of_node(p);
    } else {
        hub_fixture_step(f);
        (void)world_change(&p->w, -1);
        hub_fixture_settle(f);
    }
    agrees_with_oracle(&p->w);
}

static void end_of_play(struct play *p)
{
    for (int i = 0; i < p->n_nodes; i++) {
        hub_fixture_pull(p->w.f, p->nodes[i], budget(p->w.f));
        hub_fixture_is_exact(p->w.f, p->nodes[i]);
        hub_fixture_ask(p->w.f, p->nodes[i], 1 << 20);
        assert_int_equal(p->nodes[i]->answer.n_drops, 0);
        assert_int_equal(p->nodes[i]->answer.pages.len, 0);
        hub_fixture_node_free(p->nodes[i]);
    }
    hub_fixture_free(p->w.f);
}

static long from_env(const char *name, long otherwise)
{
    const char *v = getenv(name);
    return v == NULL ? otherwise : atol(v);
}

static void sight_agrees_with_the_matrix_in_random_worlds(void **state)
{
    (void)state;
    long seed = from_env("SPOKE_SEED", 1), n = from_env("SPOKE_SEEDS", 8);
    for (long i = 0; i < n; i++) {
        struct play *p = calloc(1, sizeof *p);
        assert_non_null(p);
        (void)fprintf(stderr, "seed %ld\n", seed + i);
        world_new(&p->w, hub_fixture_new((uint64_t)(seed + i) * 7919));
        for (int step = 0; step < STEPS; step++) one_step(p);
        end_of_play(p);
        free(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sight_agrees_with_the_matrix_in_random_worlds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
