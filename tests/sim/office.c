/* Administrators at the hub, and what the oracle is told of their acts. */
#include "tests/sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- for the oracle ---- */
static void tell_agency(struct sim *s, struct buf *line, const struct sim_site *p)
{
    buf_printf(line, "agency %s %s", p->agency, p->kind);
    sim_tell(s, line);
}

static void tell_site(struct sim *s, struct buf *line, const struct sim_site *p)
{
    buf_printf(line, "site %s %s %s ", p->code, p->agency, p->site_kind);
    for (unsigned a = 0; a < p->n_areas; a++) buf_printf(line, "%s%s", a > 0 ? "," : "", p->areas[a]);
    if (p->n_areas == 0) buf_put_str(line, "*");
    sim_tell(s, line);
}

static void tell_person(struct sim *s, struct buf *line, const uint8_t id[16], struct bytes site)
{
    char hex[33];
    buf_printf(line, "practitioner %s ", ids_hex(id, hex));
    buf_put_bytes(line, site);
    sim_tell(s, line);
}

static void tell_people(struct sim *s, struct buf *line)
{
    struct why why = {0};
    struct stmt *st = NULL;
    uint8_t id[16];
    bool row = true;
    sim_must(s, db_prepare(hub_db(s->hub), "SELECT id, site FROM practitioner ORDER BY site, name, id", &st, &why),
             "list people", &why);
    for (;;) {
        sim_must(s, db_step(st, &row, &why), "list people", &why);
        if (!row) break;
        if (!db_id(st, 0, id)) sim_fail(s, 0, "a person without an id");
        tell_person(s, line, id, db_bytes(st, 1));
    }
    db_done(st);
}

void office_tell_all(struct sim *s)
{
    struct buf line;
    buf_init(&line, 4096);
    for (unsigned i = 0; i < s->n_sites; i++) {
        bool told = false;
        for (unsigned k = 0; k < i; k++) told |= strcmp(s->sites[k].agency, s->sites[i].agency) == 0;
        if (!told) tell_agency(s, &line, &s->sites[i]);
    }
    for (unsigned i = 0; i < s->n_sites; i++) tell_site(s, &line, &s->sites[i]);
    hub_enter(s);
    tell_people(s, &line);
    (void)hub_leave(s);
    buf_release(&line);
}

/* ---- acts ---- */

/* An act between hub_enter and here. true: it was done. A hub put back from an old image may not know what it is about,
 * or know it already. */
static bool done(struct sim *s, enum err e, const char *what, const struct why *why)
{
    if (hub_leave(s)) return false; /* it may have been done; then nobody makes use of it */
    if (e == ERR_OK) return true;
    bool lost = s->hub_lost_time && (e == ERR_NOTFOUND || e == ERR_EXISTS);
    bool ill = s->hub_ailing && !s->healing && (e == ERR_FULL || e == ERR_IO);
    if (!lost && !ill) sim_must(s, e, what, why);
    sim_note(s, "  %s: not done: %s", what, why->text);
    return false;
}

static bool put_person(struct sim *s, const struct sim_site *at, const char *name)
{
    struct why why = {0};
    struct buf line;
    uint8_t id[16];
    sim_note(s, "%s works at %s", name, at->code);
    hub_enter(s);
    enum err e = hub_add_practitioner(s->hub, at->code, name, NULL, id, &why);
    if (!done(s, e, "add a person", &why)) return false;
    buf_init(&line, 256);
    tell_person(s, &line, id, bytes_of_str(at->code));
    buf_release(&line);
    return true;
}

static void more_people(struct sim *s)
{
    char name[40];
    (void)snprintf(name, sizeof name, "Colleague %llx", (unsigned long long)draw_word(&s->draw));
    (void)put_person(s, &s->sites[sim_random(s, s->n_sites)], name);
}

/* For the person of a device: others never write. At a MASH, where duties are. */
static void new_duty(struct sim *s)
{
    struct why why = {0};
    struct device *d = sim_any_device(s);
    if (d == NULL || strcmp(s->sites[d->site].site_kind, "mash") != 0) return;
    const struct sim_site *p = &s->sites[d->site];
    const char *area = p->n_areas == 0 || sim_chance(s, 200) ? "*" : p->areas[sim_random(s, p->n_areas)];
    const char *duty = sim_chance(s, 500) ? "manager" : "social_care";
    sim_note(s, "the person at %s is %s for %s", p->code, duty, area);
    hub_enter(s);
    enum err e = hub_add_duty(s->hub, d->user, area, duty, &why);
    if (e == ERR_EXISTS) e = ERR_OK;
    (void)done(s, e, "add a duty", &why);
}

static bool put_site(struct sim *s, const struct sim_site *p)
{
    struct why why = {0};
    struct buf line;
    char name[40];
    const char *areas[] = {p->areas[0], p->areas[1]};
    const struct hub_site site = {p->code, p->agency, p->code, p->site_kind, NULL, areas, p->n_areas};
    sim_note(s, "a new site: %s of %s", p->code, p->agency);
    hub_enter(s);
    enum err e = hub_add_site(s->hub, &site, &why);
    if (!done(s, e, "add a site", &why)) return false;
    buf_init(&line, 256);
    tell_site(s, &line, p);
    buf_release(&line);
    s->sites[s->n_sites++] = *p;
    (void)snprintf(name, sizeof name, "Person %s", p->code);
    return s->hub != NULL && put_person(s, p, name);
}

/* Not while the hub's disk is failing, or is of another time: enrolment has tests of its own for that. */
static void enrol_at(struct sim *s, int site)
{
    if (s->hub == NULL || s->hub_ailing || s->hub_lost_time) return;
    (void)device_enrol(s, site);
}

static void draw_site(struct sim *s, struct sim_site *p)
{
    static const char *const kinds[] = {"partner", "partner", "partner", "out_of_hours", "mash"};
    (void)snprintf(p->code, sizeof p->code, "s%llx", (unsigned long long)(draw_word(&s->draw) >> 4));
    (void)snprintf(p->site_kind, sizeof p->site_kind, "%s", kinds[sim_random(s, sizeof kinds / sizeof kinds[0])]);
    p->n_areas = (unsigned)sim_random(s, 3);
    for (unsigned a = 0; a < p->n_areas; a++)
        (void)snprintf(p->areas[a], sizeof p->areas[a], "%s", (a == 0) == sim_chance(s, 500) ? "north" : "south");
    if (p->n_areas == 2 && strcmp(p->areas[0], p->areas[1]) == 0) p->n_areas = 1;
}

/* A site of an agency that is there; half of them get a device at once. */
static void new_site(struct sim *s)
{
    struct sim_site p = {0};
    const struct sim_site *like = &s->sites[sim_random(s, s->n_sites)];
    if (s->n_sites == SIM_SITES) return;
    memcpy(p.agency, like->agency, sizeof p.agency);
    memcpy(p.kind, like->kind, sizeof p.kind);
    draw_site(s, &p);
    if (put_site(s, &p) && sim_chance(s, 500)) enrol_at(s, (int)s->n_sites - 1);
}

static void new_agency(struct sim *s)
{
    static const char *const kinds[] = {"health", "police", "probation", "education", "housing", "social_care"};
    struct why why = {0};
    struct sim_site p = {0};
    struct buf line;
    if (s->n_sites == SIM_SITES) return;
    (void)snprintf(p.agency, sizeof p.agency, "a%llx", (unsigned long long)(draw_word(&s->draw) >> 16));
    (void)snprintf(p.kind, sizeof p.kind, "%s", kinds[sim_random(s, sizeof kinds / sizeof kinds[0])]);
    sim_note(s, "a new agency: %s, %s", p.agency, p.kind);
    hub_enter(s);
    enum err e = hub_add_agency(s->hub, p.agency, p.agency, p.kind, &why);
    if (!done(s, e, "add an agency", &why)) return;
    buf_init(&line, 256);
    tell_agency(s, &line, &p);
    buf_release(&line);
    draw_site(s, &p);
    if (put_site(s, &p)) enrol_at(s, (int)s->n_sites - 1);
}

static void other_policy(struct sim *s)
{
    static const char *const where[][2] = {
        {"person", "family_name"}, {"person", "given_names"}, {"contact", "value"}, {"brief", "summary"}};
    static const char *const what[] = {"lww", "escalate", "authority"};
    struct why why = {0};
    uint64_t w = sim_random(s, 4), p = sim_random(s, 3);
    sim_note(s, "%s.%s is %s from now on", where[w][0], where[w][1], what[p]);
    hub_enter(s);
    enum err e = hub_set_policy(s->hub, where[w][0], where[w][1], what[p], p == 2 ? "lead" : NULL, &why);
    (void)done(s, e, "set a policy", &why);
}

static void enrol_one(struct sim *s)
{
    int site = (int)sim_random(s, s->n_sites);
    enrol_at(s, site);
}

/* Its clones have its keys. */
static void is_cut_off(struct sim *s, const struct device *d)
{
    for (unsigned i = 0; i < s->n_devices; i++) {
        struct device *k = &s->devices[i];
        if (k->state == DEVICE_LIVE && memcmp(k->kid, d->kid, sizeof k->kid) == 0) k->state = DEVICE_REVOKED;
    }
}

/* Never device 0, the MASH room's: somebody must be left to decide. */
static void revoke(struct sim *s)
{
    struct why why = {0};
    struct device *d = sim_any_device(s);
    if (d == NULL || d->no == 0 || d->state != DEVICE_LIVE) return;
    sim_note(s, "device %d is revoked", d->no);
    hub_enter(s);
    enum err e = hub_revoke(s->hub, d->kid, "lost", &why);
    if (done(s, e, "revoke", &why)) is_cut_off(s, d);
}

static void wipe(struct sim *s)
{
    struct why why = {0};
    struct device *d = sim_any_device(s);
    bool at_once = sim_chance(s, 300);
    if (d == NULL || !wipe_may_be_ordered(s, d, at_once)) return;
    sim_note(s, "device %d is to be wiped%s", d->no, at_once ? " at once" : "");
    hub_enter(s);
    enum err e = hub_wipe(s->hub, d->kid, "stolen", at_once, &why);
    if (done(s, e, "order a wipe", &why)) is_cut_off(s, d);
}

void office_wipe_put_back(struct sim *s, const struct device *d)
{
    struct why why = {0};
    struct draw by = draw_stream(s->seed, 16, (uint64_t)d->no);
    bool wanted = draw_chance(&by, 300), at_once = draw_chance(&by, 300);
    if (!wanted || d->no == 0 || wipe_is_ordered(s, d)) return;
    sim_note(s, "device %d, which was put back, is to be wiped%s", d->no, at_once ? " at once" : "");
    hub_enter(s);
    enum err e = hub_wipe(s->hub, d->kid, "stolen", at_once, &why);
    if (done(s, e, "order a wipe", &why)) is_cut_off(s, d);
}

void office_act(struct sim *s)
{
    static const struct {
        unsigned weight;
        void (*act)(struct sim *s);
    } acts[] = {{100, more_people},  {180, new_duty},  {130, new_site}, {60, new_agency},
                {180, other_policy}, {150, enrol_one}, {50, revoke},    {150, wipe}};
    if (s->hub == NULL || s->plan.disasters) return; /* a hub that is put back knows nothing of it */
    uint64_t at = sim_random(s, 1000);
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
        if (at < acts[i].weight) {
            acts[i].act(s);
            return;
        }
        at -= acts[i].weight;
    }
    abort();
}
