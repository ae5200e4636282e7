/* Requests of several devices that are at the hub at one moment: it takes them in one commit (hub/STORE.md, "Several
 * requests in one transaction"). Some are damaged, so that what was carried out of them is undone between the others;
 * sometimes the store fails at the commit, or the power. Often the same requests are also put, one after the other, to
 * a copy of the hub: what it decides and keeps must be the same. */
#include "sync/courier.h"
#include "tests/sim/bag.h"

#include <stdlib.h>
#include <string.h>

static void guest_release(struct guest *g)
{
    buf_release(&g->request);
    buf_release(&g->answer);
}

/* As over a wire: the request alone, without what was written since. */
static bool ask_in(struct sim *s, struct guest *g)
{
    struct buf file;
    struct bytes request, more;
    buf_init(&file, SIM_BUNDLE);
    bool good = courier_export(s, g->d, &file);
    if (good && courier_split(buf_bytes(&file), &request, &more, NULL) != ERR_OK) sim_fail(s, 0, "an export cannot be read");
    if (good) buf_put_bytes(&g->request, request);
    if (g->request.err != ERR_OK) abort();
    buf_release(&file);
    return good;
}

static bool may_come(const struct sim *s, const struct bag *b, const struct device *d)
{
    for (size_t i = 0; i < b->n; i++)
        if (memcmp(b->v[i].d->kid, d->kid, sizeof d->kid) == 0) return false;
    return d->state == DEVICE_LIVE && d->n != NULL && !d->mixed && !d->lying && !d->ailing && d->no != s->shadow;
}

/* Some people write just before. One request may be there twice; one may be damaged: its last frame does not open. */
static void fill(struct sim *s, struct bag *b)
{
    uint64_t at = sim_random(s, s->n_devices), most = 2 + sim_random(s, BAG_MOST - 2);
    for (unsigned i = 0; i < s->n_devices && b->n < most; i++) {
        struct device *d = &s->devices[(at + i) % s->n_devices];
        struct guest *g = &b->v[b->n];
        if (!may_come(s, b, d)) continue;
        if (sim_chance(s, 500)) people_edit(s, d);
        if (!may_come(s, b, d)) continue;
        *g = (struct guest){.d = d};
        buf_init(&g->request, SIM_BUNDLE);
        buf_init(&g->answer, SIM_BUNDLE);
        if (ask_in(s, g))
            b->n++;
        else
            guest_release(g);
    }
    if (b->n < 2) return;
    if (b->n < BAG_MOST && sim_chance(s, 150)) {
        struct guest *again = &b->v[b->n], *of = &b->v[sim_random(s, b->n)];
        *again = (struct guest){.d = of->d, .again = true};
        buf_init(&again->request, SIM_BUNDLE);
        buf_init(&again->answer, SIM_BUNDLE);
        buf_put_bytes(&again->request, buf_bytes(&of->request));
        b->n++;
    }
    if (!sim_chance(s, 400)) return;
    struct guest *bad = &b->v[sim_random(s, b->n)];
    bad->damaged = true;
    bad->request.data[bad->request.len - 1] ^= 1;
}

/* A commit is a handful of writes into the log. */
static void arm(struct sim *s, struct bag *b)
{
    struct disk_faults f = {0};
    uint64_t what = sim_random(s, 10);
    if (what < 2)
        f.die_after = 1 + sim_random(s, 60);
    else if (what < 4)
        f.full_after = 1 + sim_random(s, 40);
    else if (what < 5)
        f.read_error = 1 + sim_random(s, 40);
    else
        return;
    b->faults = true;
    s->hub_ailing = what >= 2;
    disk_set_faults(s->hub_machine.disk, &f);
}

/* false: its power failed. */
static bool put(struct sim *s, struct bag *b)
{
    struct hub_asked v[BAG_MOST] = {0};
    for (size_t i = 0; i < b->n; i++) {
        sim_traffic(s, b->v[i].d, true, buf_bytes(&b->v[i].request));
        b->v[i].before = wire_last_request(s, b->v[i].d);
        v[i] = (struct hub_asked){.request = buf_bytes(&b->v[i].request), .out = &b->v[i].answer};
    }
    machine_blank_notes(false);
    arm(s, b);
    hub_enter(s);
    for (size_t at = 0; at < b->n && !disk_is_dead(s->hub_machine.disk);) at += hub_exchange_all(s->hub, v + at, b->n - at);
    bool died = hub_leave(s);
    if (!died) disk_set_faults(s->hub_machine.disk, NULL);
    s->hub_ailing = false;
    for (size_t i = 0; i < b->n; i++) {
        b->v[i].e = v[i].e;
        b->v[i].why = v[i].why;
        s->hub_died_for |= died ? UINT32_C(1) << b->v[i].d->no : 0;
    }
    if (died) s->hub_died_at = s->clock;
    return !died;
}

static bool is_of_the_store(enum err e)
{
    return e == ERR_FULL || e == ERR_IO;
}

/* Nothing that was read in a transaction that came to nothing is told to anybody, and nothing of it stays. */
static void must_be_nothing(struct sim *s, const struct bag *b, const struct guest *g)
{
    bool twice = false;
    for (size_t i = 0; i < b->n; i++) twice |= &b->v[i] != g && b->v[i].d == g->d;
    if (g->answer.len > 0) sim_fail(s, 3, "device %d is told something, and its request failed: %s", g->d->no, err_word(g->e));
    if (!twice && wire_last_request(s, g->d) != g->before)
        sim_fail(s, 3, "device %d: a request that failed counted: %s", g->d->no, err_word(g->e));
}

static void judge(struct sim *s, struct bag *b)
{
    bool failed = false;
    for (size_t i = 0; i < b->n; i++) {
        const struct guest *g = &b->v[i];
        if (g->e == ERR_OK && g->damaged) sim_fail(s, 0, "the hub answers a damaged request of device %d", g->d->no);
        failed |= is_of_the_store(g->e);
        if (g->e != ERR_OK) must_be_nothing(s, b, g);
        if (g->e == ERR_OK || g->damaged || g->again || (b->faults && is_of_the_store(g->e))) continue;
        courier_judge(s, g->d, g->d->requests, g->before, g->e, &g->why);
    }
    s->counts[COUNT_UNDONE] += failed;
}

/* The oracle is told of all of them at once. What a device was told before others were taken in it may hold still,
 * though its site does not see it any more: until it is up to date again, nothing is said of that. */
static void tell(struct sim *s, struct bag *b, bool died)
{
    uint32_t devices = 0, heard = 0;
    int64_t version = s->hub_version;
    for (size_t i = 0; !died && i < b->n; i++) {
        struct guest *g = &b->v[i];
        if (g->e != ERR_OK) continue;
        s->counts[COUNT_BAGS]++;
        uint32_t bit = UINT32_C(1) << g->d->no;
        uint64_t before = (heard & bit) != 0 ? wire_last_request(s, g->d) : g->before; /* the same once more */
        if (wire_count(s, g->d, buf_bytes(&g->request), buf_bytes(&g->answer), before)) devices |= bit;
        heard |= bit;
    }
    wire_tell(s, devices);
    for (size_t i = 0; i < b->n; i++) b->v[i].d->unproven |= died || s->hub_version != version;
}

static void hand_out(struct sim *s, struct bag *b)
{
    for (size_t i = 0; i < b->n; i++) {
        struct guest *g = &b->v[i];
        if (g->e != ERR_OK || g->again || g->d->n == NULL || g->d->state != DEVICE_LIVE || sim_chance(s, 150)) continue;
        if (sim_chance(s, 250))
            courier_answer(s, g->d, buf_bytes(&g->answer));
        else
            courier_deliver(s, g->d, buf_bytes(&g->answer));
    }
}

void bag_event(struct sim *s)
{
    struct bag b = {0};
    struct copy *copy = NULL;
    if (s->hub == NULL || s->healing || s->hub_ailing) return;
    wire_hub_is_back(s);
    fill(s, &b);
    if (b.n >= 2 && s->hub != NULL) {
        if (sim_chance(s, 350) && !disaster_replays(s)) copy = bag_copy(s);
        bool lives = s->hub != NULL && put(s, &b);
        sim_note(s, "the hub takes %zu requests at one moment: %s", b.n, lives ? err_word(b.v[0].e) : "died");
        if (lives) judge(s, &b);
        if (lives && !b.faults && copy != NULL) bag_compare(s, copy, &b);
        tell(s, &b, !lives);
        if (lives) hand_out(s, &b);
    }
    bag_copy_free(copy);
    for (size_t i = 0; i < b.n; i++) guest_release(&b.v[i]);
}
