#include "tests/sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MADE_AT   (SIM_START - SIM_DAY)
#define MADE_SEED UINT64_MAX /* of no world: or its computers would draw again what these drew */

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
    machine_init(&m, &w->clock, MADE_SEED, (uint64_t)no);
    const struct joining j = {.hub = w->hub, .at_hub = &w->m, .m = &m, .site = &t->sites[site]};
    must(template_enrol(&j, &why), "enrol", &why);
    disk_settle(m.disk);
    t->site_of[no] = site;
    t->device[no] = disk_image_take(m.disk);
    machine_release(&m);
}

struct enrolment { /* what its tries have in common */
    struct invitation code;
    uint8_t hub[PUBLIC_BYTES];
    char user[40];
    struct buf answer; /* the hub's first */
};

static enum err invite(const struct joining *j, struct enrolment *x, struct why *why)
{
    struct buf code;
    buf_init(&code, 4096);
    buf_init(&x->answer, 1u << 20);
    identity_to_bytes(hub_identity(j->hub), x->hub);
    (void)snprintf(x->user, sizeof x->user, "Person %s", j->site->code);
    machine_enter(j->at_hub);
    enum err e = hub_invite(j->hub, j->site->code, "http://127.0.0.1:1", SIM_HOUR, &code, why);
    if (e == ERR_OK) e = invitation_get(buf_bytes(&code), &x->code, why);
    buf_release(&code);
    return e;
}

/* The same request every time, for which the hub must have the same answer. */
static enum err ask_hub(const struct joining *j, struct enrolment *x, struct bytes request, struct why *why)
{
    struct buf answer;
    buf_init(&answer, 1u << 20);
    machine_enter(j->at_hub);
    enum err e = hub_enrol(j->hub, request, &answer, why);
    if (e == ERR_OK && x->answer.len == 0)
        buf_put_bytes(&x->answer, buf_bytes(&answer));
    else if (e == ERR_OK && !bytes_equal(buf_bytes(&answer), buf_bytes(&x->answer)))
        e = why_set(why, ERR_FAILED, "The hub answers the same request to join otherwise than before.");
    buf_release(&answer);
    return e;
}

static enum err join(const struct joining *j, struct enrolment *x, struct why *why)
{
    struct buf request;
    buf_init(&request, 1u << 20);
    machine_enter(j->m);
    enum err e = (j->again ? node_enrol_again : node_enrol_begin)(
        &j->m->env, "/home", machine_passphrase(), &x->code, bytes_of(x->hub, sizeof x->hub), x->user, &request, why);
    if (e == ERR_OK && request.len == 0) e = ERR_EXISTS; /* this code has done its work already */
    if (e == ERR_OK) e = ask_hub(j, x, buf_bytes(&request), why);
    machine_enter(j->m);
    if (e == ERR_OK) e = node_enrol_finish(&j->m->env, "/home", machine_passphrase(), buf_bytes(&x->answer), why);
    buf_release(&request);
    return e;
}

enum err template_enrol(const struct joining *j, struct why *why)
{
    struct enrolment x = {0};
    bool died = j->mishaps != NULL;
    struct machine *before = machine_enter(j->at_hub);
    enum err e = invite(j, &x, why);
    for (int tries = 0; e == ERR_OK && died; tries++) { /* with the power failing */
        /* It takes some 400 steps, and those of the checkpoint at its end are the hardest to be torn from. */
        const struct disk_faults f = {.die_after = 1 + draw_below(j->mishaps, 450)};
        disk_set_faults(j->m->disk, tries < 6 ? &f : NULL);
        e = join(j, &x, why);
        died = disk_is_dead(j->m->disk);
        if (died) {
            (void)disk_power_off(j->m->disk, j->mishaps);
            e = ERR_OK;
        } else if (e == ERR_EXISTS && tries > 0) {
            e = ERR_OK; /* it had joined, and only did not live to say so */
        }
        disk_set_faults(j->m->disk, NULL);
    }
    if (e == ERR_OK && j->mishaps == NULL) e = join(j, &x, why);
    machine_enter(before);
    buf_release(&x.answer);
    return e;
}

static void make(struct template *t, unsigned no)
{
    struct making w = {.t = t, .clock = MADE_AT, .draw = draw_stream(no, 5, 0)};
    machine_init(&w.m, &w.clock, MADE_SEED, 1000 + no);
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
