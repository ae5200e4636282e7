/* Random worlds (tests/lib/sim.h): a hub and several nodes, people who edit, carriers that fail, rules that are tried. At
 * every contact and at the end an oracle that knows only the design judges what each node holds.
 * WORLD_SEEDS and WORLD_FIRST choose how many and which; WORLD_STEPS how long; WORLD_LOUD prints as it goes. */
#include "tests/lib/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *v = getenv(name);
    return v != NULL ? strtoull(v, NULL, 10) : otherwise;
}

static void revoke(struct sim *s)
{
    struct why why = {0};
    struct sim_node *n = sim_any_node(s);
    if (n->no == 0 || n->revoked) return;
    sim_note(s, "node %d is revoked", n->no);
    sim_must(s, hub_revoke(s->hub, n->kid, "lost", &why), "revoke", &why);
    n->revoked = true;
}

static void more_people(struct sim *s)
{
    struct why why = {0};
    uint8_t id[16];
    char name[40];
    const char *site = sim_places[sim_random(s, SIM_PLACES)].site;
    (void)snprintf(name, sizeof name, "Colleague %d", s->step);
    sim_note(s, "a new colleague at %s", site);
    sim_must(s, hub_add_practitioner(s->hub, site, name, NULL, id, &why), "add a practitioner", &why);
}

static void other_policy(struct sim *s)
{
    static const char *const where[][2] = {
        {"person", "family_name"}, {"person", "given_names"}, {"contact", "value"}, {"brief", "summary"}};
    static const char *const what[] = {"lww", "escalate", "authority"};
    struct why why = {0};
    uint64_t w = sim_random(s, 4), p = sim_random(s, 3);
    sim_note(s, "%s.%s is %s from now on", where[w][0], where[w][1], what[p]);
    sim_must(s, hub_set_policy(s->hub, where[w][0], where[w][1], what[p], p == 2 ? "lead" : NULL, &why), "set a policy",
             &why);
}

static void move_clock(struct sim *s)
{
    int64_t by = sim_chance(s, 25) ? (int64_t)sim_random(s, 2 * 86400000) : (int64_t)sim_random(s, 600000);
    s->clock += by;
    sim_note(s, "%lld s pass", (long long)(by / 1000));
}

static void one_step(struct sim *s)
{
    uint64_t d = sim_random(s, 1000);
    struct sim_node *n = sim_any_node(s);
    s->step++;
    s->clock += (int64_t)sim_random(s, 2000);
    if (d < 40)
        sim_clash(s);
    else if (d < 620)
        sim_edit(s, n);
    else if (d < 740)
        sim_sync(s, n, false);
    else if (d < 830)
        sim_sync(s, n, true);
    else if (d < 910)
        sim_usb(s, n);
    else if (d < 975)
        move_clock(s);
    else if (d < 981)
        sim_restart_hub(s);
    else if (d < 990)
        sim_restart_node(s, n);
    else if (d < 992)
        revoke(s);
    else if (d < 995)
        other_policy(s);
    else
        more_people(s);
}

static void live(const char *template_dir, const char *base, uint64_t seed, uint64_t steps, uint64_t counts[SIM_COUNTS])
{
    char dir[256];
    (void)snprintf(dir, sizeof dir, "%s/world%llu", base, (unsigned long long)seed);
    struct sim *s = sim_new(template_dir, dir, seed);
    uint64_t late = sim_random(s, steps);
    for (uint64_t i = 0; i < steps; i++) {
        for (size_t k = 0; i == late && k < SIM_NODES; k++)
            if (s->nodes[k].late) sim_enrol_late(s, &s->nodes[k]);
        one_step(s);
    }
    sim_check_end(s, seed % 2 == 0);
    for (int i = 0; i < SIM_COUNTS; i++) counts[i] += s->counts[i];
    sim_free(s);
}

static void every_world_ends_as_the_matrix_says(void **state)
{
    (void)state;
    char base[200], template_dir[256];
    const char *tmp = getenv("TMPDIR");
    uint64_t first = setting("WORLD_FIRST", 1), seeds = setting("WORLD_SEEDS", 8), steps = setting("WORLD_STEPS", 150);
    uint64_t c[SIM_COUNTS] = {0};
    /* In memory where that can be had: what a crash leaves on a disk is tested elsewhere. */
    (void)snprintf(base, sizeof base, "%s/spoke-world-XXXXXX", tmp != NULL ? tmp : "/dev/shm");
    if (mkdtemp(base) == NULL) {
        (void)snprintf(base, sizeof base, "/tmp/spoke-world-XXXXXX");
        assert_non_null(mkdtemp(base));
    }
    (void)snprintf(template_dir, sizeof template_dir, "%s/template", base);
    sim_template(template_dir);
    for (uint64_t seed = first; seed < first + seeds; seed++) live(template_dir, base, seed, steps, c);
    sim_remove(base);
    static const char *const words[SIM_COUNTS] = {
        "edits",     "refused at the device", "complete syncs", "broken off", "by USB", "held",
        "conflicts", "rows dropped",          "judged",         "merged",     "waiting"};
    print_message("%llu worlds:", (unsigned long long)seeds);
    for (int i = 0; i < SIM_COUNTS; i++)
        print_message(" %llu %s%s", (unsigned long long)c[i], words[i], i + 1 < SIM_COUNTS ? "," : "\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_world_ends_as_the_matrix_says)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
