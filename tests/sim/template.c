#include "tests/sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MADE_AT (SIM_START - SIM_DAY)

static const struct sim_site possible[] = {
    {"care", "social_care", "care-mash", "mash", {"north", ""}, 1},
    {"prob", "probation", "prob-office", "partner", {"", ""}, 0},
    {"care2", "social_care", "south-mash", "mash", {"south", ""}, 1},
    {"health", "health", "gp", "partner", {"north", ""}, 1},
    {"health", "health", "ward", "partner", {"south", ""}, 1},
    {"police", "police", "station", "partner", {"", ""}, 0},
    {"care", "social_care", "night", "out_of_hours", {"", ""}, 0},
    {"care", "social_care", "desk", "partner", {"north", "south"}, 2},
    {"school", "education", "school", "partner", {"north", ""}, 1},
};
#define POSSIBLE (sizeof possible / sizeof possible[0])

struct making {
    struct template *t;
    int64_t clock;
    struct machine m;
    struct hub *hub;
    struct draw draw;
};

static void must(enum err e, const char *what, const struct why *why)
{
    if (e == ERR_OK) return;
    fprintf(stderr, "sim: a template: %s: %s: %s\n", what, err_word(e), why->text);
    exit(2);
}

static void choose_sites(struct making *w)
{
    struct template *t = w->t;
    bool south = false;
    for (size_t i = 0; i < POSSIBLE; i++) {
        if (i > 1 && !draw_chance(&w->draw, 600)) continue;
        t->sites[t->n_sites++] = possible[i];
        south |= strcmp(possible[i].code, "south-mash") == 0;
    }
    if (!south) t->sites[0].n_areas = 0; /* one MASH for all: no referral may reach nobody */
}

static void add_site(struct making *w, const struct sim_site *p)
{
    struct why why = {0};
    const char *areas[] = {p->areas[0], p->areas[1]};
    struct hub_site site = {p->code, p->agency, p->code, p->site_kind, NULL, areas, p->n_areas};
    uint8_t id[16];
    char name[40];
    enum err e = hub_add_agency(w->hub, p->agency, p->agency, p->kind, &why);
    if (e != ERR_EXISTS) must(e, "an agency", &why);
    must(hub_add_site(w->hub, &site, &why), "a site", &why);
    (void)snprintf(name, sizeof name, "Person %s", p->code);
    must(hub_add_practitioner(w->hub, p->code, name, NULL, id, &why), "a person", &why);
    if (strcmp(p->site_kind, "mash") != 0) return;
    for (unsigned a = 0; a < p->n_areas || a == 0; a++) {
        const char *area = p->n_areas == 0 ? "*" : p->areas[a];
        must(hub_add_duty(w->hub, id, area, "manager", &why), "a duty", &why);
        must(hub_add_duty(w->hub, id, area, "social_care", &why), "a duty", &why);
    }
}

static void make_hub(struct making *w)
{
    struct why why = {0};
    machine_enter(&w->m);
    must(hub_init(&w->m.env, "/hub", "A small MASH", machine_passphrase(), &why), "the hub", &why);
    must(hub_open(&w->hub, &w->m.env, "/hub", machine_passphrase(), &why), "the hub", &why);
    for (unsigned i = 0; i < w->t->n_sites; i++) add_site(w, &w->t->sites[i]);
}

static void enrol(struct making *w, int site)
{
    struct template *t = w->t;
    struct machine m;
    struct why why = {0};
    int no = (int)t->n_devices++;
    machine_init(&m, &w->clock, 10, (uint64_t)no);
    must(template_enrol(w->hub, &w->m, &m, &t->sites[site], &why), "enrol", &why);
    disk_settle(m.disk);
    t->site_of[no] = site;
    t->device[no] = disk_image_take(m.disk);
    machine_release(&m);
}

enum err template_enrol(struct hub *hub, struct machine *at_hub, struct machine *m, const struct sim_site *site,
                        struct why *why)
{
    struct buf code, request, answer;
    struct invitation invitation;
    uint8_t keys[PUBLIC_BYTES];
    char user[40];
    buf_init(&code, 4096);
    buf_init(&request, 1u << 20);
    buf_init(&answer, 1u << 20);
    identity_to_bytes(hub_identity(hub), keys);
    (void)snprintf(user, sizeof user, "Person %s", site->code);
    struct machine *before = machine_enter(at_hub);
    enum err e = hub_invite(hub, site->code, "http://127.0.0.1:1", SIM_HOUR, &code, why);
    machine_enter(m);
    if (e == ERR_OK) e = invitation_get(buf_bytes(&code), &invitation, why);
    if (e == ERR_OK)
        e = node_enrol_begin(&m->env, "/home", machine_passphrase(), &invitation, bytes_of(keys, sizeof keys), user,
                             &request, why);
    machine_enter(at_hub);
    if (e == ERR_OK) e = hub_enrol(hub, buf_bytes(&request), &answer, why);
    machine_enter(m);
    if (e == ERR_OK) e = node_enrol_finish(&m->env, "/home", machine_passphrase(), buf_bytes(&answer), why);
    machine_enter(before);
    buf_release(&code);
    buf_release(&request);
    buf_release(&answer);
    return e;
}

static void make(struct template *t, unsigned no)
{
    struct making w = {.t = t, .clock = MADE_AT, .draw = draw_stream(no, 5, 0)};
    machine_init(&w.m, &w.clock, 10, 1000 + no);
    choose_sites(&w);
    make_hub(&w);
    for (unsigned i = 0; i < t->n_sites; i++) enrol(&w, (int)i);
    enrol(&w, 1 + (int)draw_below(&w.draw, t->n_sites - 1)); /* a second device at some site */
    hub_close(w.hub);
    disk_settle(w.m.disk);
    t->hub = disk_image_take(w.m.disk);
    machine_enter(NULL);
    machine_release(&w.m);
}

/* Made once for all worlds of this process: the one thing that they share, and it never changes. */
static struct template *made[SIM_TEMPLATES];

const struct template *template_get(unsigned no)
{
    if (made[no] == NULL) {
        made[no] = calloc(1, sizeof *made[no]);
        if (made[no] == NULL) abort();
        make(made[no], no);
    }
    return made[no];
}

void templates_free(void)
{
    for (unsigned i = 0; i < SIM_TEMPLATES; i++) {
        if (made[i] == NULL) continue;
        disk_image_free(made[i]->hub);
        for (unsigned d = 0; d < made[i]->n_devices; d++) disk_image_free(made[i]->device[d]);
        free(made[i]);
        made[i] = NULL;
    }
}
