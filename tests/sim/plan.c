/* What a seed is like. */
#include "tests/sim/sim.h"

#define DEFAULT_EVENTS  300u
#define DEFAULT_DEVICES 5u
#define ALL_DISASTERS   UINT64_C(1000000000000) /* seeds from here on */

const char *const sim_kind_names[SIM_KINDS] = {
    [SIM_EDIT] = "edit",
    [SIM_CLASH] = "clash",
    [SIM_HOSTILE] = "hostile",
    [SIM_SHADOW] = "shadow",
    [SIM_OFFICE] = "office",
    [SIM_SYNC] = "sync",
    [SIM_POST] = "post",
    [SIM_AT_HUB] = "parcel at the hub",
    [SIM_AT_DEVICE] = "parcel at a device",
    [SIM_CUT] = "cut",
    [SIM_MEND] = "mend",
    [SIM_POWER] = "power failure",
    [SIM_RESTART] = "restart",
    [SIM_FULL] = "full disk",
    [SIM_READ_ERROR] = "read error",
    [SIM_ROT] = "rot",
    [SIM_ROT_OUTBOX] = "rot of unsent work",
    [SIM_LIE] = "lying disk",
    [SIM_IMAGE] = "image",
    [SIM_PUT_BACK] = "put back",
    [SIM_CLONE] = "clone",
    [SIM_REJOIN] = "enrolled anew",
    [SIM_HUB_BACK] = "hub put back",
    [SIM_SKEW] = "wrong clock",
    [SIM_HUB_CLOCK] = "wrong clock at the hub",
    [SIM_POLICY] = "another policy",
    [SIM_KNOCK] = "knock of a wiped device",
    [SIM_PASS] = "silence",
    [SIM_BACKUP] = "backup",
    [SIM_DISASTER] = "disaster",
    [SIM_LOST] = "lost device",
    [SIM_RELEASE] = "release",
    [SIM_OLD_HUB] = "the old hub",
    [SIM_BAG] = "requests at one moment",
};

/* Relative rates where everything is on. What bars a device for good is rare: a world of barred devices says nothing.
 * An edit costs what it takes everybody to hear of it, and a device with nothing to say finds nothing: so there are
 * several edits for each talk, which also lets people disagree, and much of what costs nothing: time, clocks, links. */
static const unsigned usual[SIM_KINDS] = {
    [SIM_EDIT] = 240, [SIM_CLASH] = 20, [SIM_HOSTILE] = 16,   [SIM_OFFICE] = 8,   [SIM_SYNC] = 60, [SIM_POST] = 40,
    [SIM_CUT] = 30,   [SIM_MEND] = 50,  [SIM_POWER] = 20,     [SIM_RESTART] = 6,  [SIM_FULL] = 6,  [SIM_READ_ERROR] = 4,
    [SIM_ROT] = 2,    [SIM_LIE] = 2,    [SIM_IMAGE] = 5,      [SIM_PUT_BACK] = 2, [SIM_CLONE] = 2, [SIM_HUB_BACK] = 1,
    [SIM_SKEW] = 40,  [SIM_PASS] = 160, [SIM_ROT_OUTBOX] = 4,
    [SIM_HUB_CLOCK] = 6, [SIM_POLICY] = 3,
};

/* Each class is off in half of the seeds, so that what needs quiet in one corner to show gets it. */
static const enum sim_kind classes[][4] = {
    {SIM_CLASH, SIM_CLASH, SIM_CLASH, SIM_CLASH},
    {SIM_HOSTILE, SIM_HOSTILE, SIM_HOSTILE, SIM_HOSTILE},
    {SIM_OFFICE, SIM_OFFICE, SIM_OFFICE, SIM_OFFICE},
    {SIM_POST, SIM_POST, SIM_POST, SIM_POST},
    {SIM_CUT, SIM_MEND, SIM_CUT, SIM_MEND},
    {SIM_POWER, SIM_RESTART, SIM_POWER, SIM_RESTART},
    {SIM_FULL, SIM_READ_ERROR, SIM_FULL, SIM_READ_ERROR},
    {SIM_ROT, SIM_ROT, SIM_ROT, SIM_ROT},
    {SIM_ROT_OUTBOX, SIM_ROT_OUTBOX, SIM_ROT_OUTBOX, SIM_ROT_OUTBOX},
    {SIM_LIE, SIM_LIE, SIM_LIE, SIM_LIE},
    {SIM_PUT_BACK, SIM_CLONE, SIM_PUT_BACK, SIM_CLONE},
    {SIM_HUB_BACK, SIM_HUB_BACK, SIM_HUB_BACK, SIM_HUB_BACK},
    {SIM_SKEW, SIM_SKEW, SIM_SKEW, SIM_SKEW},
    {SIM_HUB_CLOCK, SIM_HUB_CLOCK, SIM_HUB_CLOCK, SIM_HUB_CLOCK},
    {SIM_POLICY, SIM_POLICY, SIM_POLICY, SIM_POLICY},
    {SIM_PASS, SIM_PASS, SIM_PASS, SIM_PASS},
};

static unsigned up_to(struct draw *d, unsigned most)
{
    return (unsigned)draw_below(d, most + 1);
}

static void draw_weights(struct plan *p, struct draw *d)
{
    for (size_t k = 0; k < SIM_MISHAP_KINDS; k++) p->weight[k] = usual[k] / 2 + up_to(d, usual[k]);
    for (size_t c = 0; c < sizeof classes / sizeof classes[0]; c++) {
        if (draw_chance(d, 500)) continue;
        for (size_t i = 0; i < 4; i++) p->weight[classes[c][i]] = 0;
    }
}

/* For pairs of worlds: nothing whose place depends on how many bytes were written or drawn before. */
static void calm(struct plan *p)
{
    for (size_t k = SIM_CARRIAGE_KINDS; k < SIM_PASS; k++) p->weight[k] = 0;
    p->weight[SIM_HOSTILE] = p->weight[SIM_OFFICE] = 0;
    p->small_budget = 0;
    p->clocks_wrong = 1000;
}

/* A hub that is destroyed: in a fifth of the worlds, and in all with high numbers; then without what a restored hub
 * cannot know (acts of administrators) and what would let a device say that it is another (disks that rot, lie or are
 * put back). Drawn apart, so that other worlds stay as they were. */
static void disasters(struct plan *p, uint64_t seed)
{
    static const enum sim_kind without[] = {SIM_HOSTILE, SIM_OFFICE, SIM_ROT, SIM_ROT_OUTBOX, SIM_LIE, SIM_IMAGE,
                                            SIM_PUT_BACK, SIM_CLONE, SIM_HUB_BACK, SIM_HUB_CLOCK, SIM_POLICY};
    struct draw d = draw_stream(seed, 24, 0);
    p->disasters = draw_chance(&d, 200) || seed >= ALL_DISASTERS;
    if (!p->disasters) return;
    for (size_t i = 0; i < sizeof without / sizeof without[0]; i++) p->weight[without[i]] = 0;
    p->weight[SIM_BACKUP] = 8 + up_to(&d, 16);
    p->weight[SIM_DISASTER] = 4 + up_to(&d, 8);
}

/* Several devices' requests at one moment: in a quarter of the worlds, drawn apart as well. */
static void bags(struct plan *p, uint64_t seed)
{
    struct draw d = draw_stream(seed, 25, 0);
    if (draw_chance(&d, 250)) p->weight[SIM_BAG] = 15 + up_to(&d, 30);
}

void plan_draw(struct plan *out, uint64_t seed, const struct sim_options *opt)
{
    struct draw d = draw_stream(seed, 3, 0);
    struct plan p = {.n_events = opt->n_events == 0 ? DEFAULT_EVENTS : opt->n_events};
    p.template_no = (unsigned)draw_below(&d, SIM_TEMPLATES);
    p.n_devices = DEFAULT_DEVICES - 1 + up_to(&d, 2);
    p.crowded = draw_chance(&d, 700);
    p.hurried = draw_chance(&d, 400);
    draw_weights(&p, &d);
    bool wire = draw_chance(&d, 500), courier = draw_chance(&d, 500);
    p.lose = wire ? up_to(&d, 250) : 0;
    p.cut = wire ? up_to(&d, 250) : 0;
    p.lose_answer = wire ? up_to(&d, 250) : 0;
    p.repeat = wire ? up_to(&d, 200) : 0;
    p.late = courier ? up_to(&d, 400) : 0;
    p.twice = courier ? up_to(&d, 400) : 0;
    p.astray = courier ? up_to(&d, 200) : 0;
    p.small_budget = draw_chance(&d, 500) ? up_to(&d, 600) : 0;
    p.clocks_wrong = draw_chance(&d, 500) ? 300 + up_to(&d, 700) : 0;
    p.skew_max_ms = draw_chance(&d, 500) ? 6 * (int64_t)SIM_HOUR : 3653 * SIM_DAY;
    p.few_rows = draw_chance(&d, 300) && !opt->calm;
    if (opt->calm) {
        calm(&p);
    } else {
        disasters(&p, seed);
        bags(&p, seed);
    }
    /* An answer that holds one conflict more may take one round more, which would draw what the next was to draw. */
    if (opt->no_steering) p.lose = p.cut = p.lose_answer = p.repeat = 0;
    if (opt->shadowed) p.weight[SIM_SHADOW] = 100;
    *out = p;
}
