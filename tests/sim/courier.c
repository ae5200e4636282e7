/* USB sticks and what people do to them: late, twice, never, to the wrong device, old ones after newer ones. */
#include "tests/sim/sim.h"

#include "node/door.h"

#include <stdlib.h>
#include <string.h>

void parcel_free(struct parcel *p)
{
    if (p == NULL) return;
    buf_release(&p->body);
    free(p);
}

static struct parcel *parcel_new(const struct device *d, uint64_t number, struct bytes body)
{
    struct parcel *p = calloc(1, sizeof *p);
    if (p == NULL) abort();
    p->device = d->no;
    p->number = number;
    buf_init(&p->body, SIM_BUNDLE);
    buf_put_bytes(&p->body, body);
    if (p->body.err != ERR_OK) abort();
    return p;
}

static int64_t draw_way(struct sim *s)
{
    int64_t most = s->plan.hurried ? SIM_HOUR : 2 * SIM_DAY;
    if (sim_chance(s, s->plan.late)) most *= 20;
    return 60000 + (int64_t)sim_random(s, (uint64_t)most);
}

/* One goes on its way, perhaps with copies that come after it; perhaps it falls out of a pocket. */
static void send_off(struct sim *s, enum sim_kind to, int at, const struct device *of, uint64_t number,
                     struct bytes body)
{
    if (!s->healing && sim_chance(s, s->plan.astray / 2)) {
        sim_note(s, "a stick of device %d is lost", of->no);
        return;
    }
    struct parcel *p = parcel_new(of, number, body);
    if (sim_chance(s, s->plan.twice)) p->copies = 1 + (unsigned)sim_random(s, 2);
    sim_queue(s, draw_way(s), to, at, p);
}

static void keep(struct sim *s, struct buf *old, struct bytes body)
{
    if (old->len > 0 && sim_chance(s, 500)) return;
    buf_reset(old);
    buf_put_bytes(old, body);
}

/* Much later somebody finds it in a drawer. Nothing is expected of its number. */
static void bring_again(struct sim *s, enum sim_kind to, const struct device *d, const struct buf *old)
{
    if (old->len == 0 || !sim_chance(s, s->plan.late)) return;
    sim_queue(s, draw_way(s) + draw_way(s), to, d->no, parcel_new(d, UINT64_MAX, buf_bytes(old)));
}

/* What is left of a parcel goes its way again. */
static void requeue(struct sim *s, struct event *e, int64_t in_ms)
{
    sim_queue(s, in_ms, e->kind, e->device, e->parcel);
    e->parcel = NULL;
}

static void next_copy(struct sim *s, struct event *e)
{
    if (e->parcel->copies == 0) return;
    e->parcel->copies--;
    requeue(s, e, draw_way(s));
}

/* ---- at the device ---- */
static void export_failed(struct sim *s, struct device *d, enum err e, bool ailing, const struct why *why)
{
    if (ailing && (e == ERR_FULL || e == ERR_IO || e == ERR_TAMPERED)) return;
    bool forged = d->hostile && (e == ERR_TAMPERED || e == ERR_FORMAT);
    if (!forged && (!d->suspect || (e != ERR_TAMPERED && e != ERR_IO)))
        sim_fail(s, 0, "device %d: export: %s: %s", d->no, err_word(e), why->text);
    s->counts[COUNT_ROTS_NOTICED] += e == ERR_TAMPERED;
    device_stuck(s, d, why->text);
}

bool courier_export(struct sim *s, struct device *d, struct buf *out)
{
    struct why why = {0};
    device_enter(s, d);
    enum err e = node_bundle_export(d->n, out, &why);
    bool died = device_leave(s, d), ailing = d->ailing;
    mishap_over(d);
    sim_note(s, "device %d exports: %s", d->no, died ? "died" : err_word(e));
    if (!died && e != ERR_OK) export_failed(s, d, e, ailing, &why);
    return !died && e == ERR_OK;
}

void courier_post(struct sim *s, struct device *d)
{
    struct buf out;
    if (d->n == NULL || d->mixed) return;
    buf_init(&out, SIM_BUNDLE);
    if (courier_export(s, d, &out)) {
        s->counts[COUNT_PARCELS]++;
        bring_again(s, SIM_AT_HUB, d, &d->old_request);
        bring_again(s, SIM_AT_DEVICE, d, &d->old_answer);
        send_off(s, SIM_AT_HUB, -1, d, d->requests, buf_bytes(&out));
        keep(s, &d->old_request, buf_bytes(&out));
    }
    buf_release(&out);
}

/* ---- at the hub ---- */
static void hash_of(struct sim *s, struct db *db, uint8_t out[HASH_BYTES])
{
    struct why why = {0};
    sim_must(s, db_content_hash(db, out, &why), "hash a store", &why);
}

static uint64_t hub_number(struct sim *s, const struct device *d)
{
    int64_t out = 0;
    (void)wire_ask(hub_db(s->hub), "SELECT last_request FROM h_node WHERE kid = $1", d->kid, &out);
    return (uint64_t)out;
}

/* The next one must be taken, unless there is something against its device. */
void courier_judge(struct sim *s, const struct device *d, uint64_t number, uint64_t before, enum err e, const struct why *why)
{
    bool good = !d->suspect && !d->hostile && !s->hub_lost_time && !disaster_was(s);
    /* An envelope of no known form makes its request one of no known form; a hub that was put back does not know what
     * it ordered, and what was confirmed to it. */
    bool odd = (d->hostile && d->suspect) || s->hub_lost_time;
    if (e != ERR_OK && e != ERR_REFUSED && e != ERR_EXISTS && !(odd && (e == ERR_FORMAT || e == ERR_TAMPERED)))
        sim_fail(s, 0, "a courier's request of device %d: %s: %s", d->no, err_word(e), why->text);
    if ((e == ERR_REFUSED || e == ERR_EXISTS) && good && number == before)
        sim_fail(s, 0, "a courier's request of device %d is refused, and is the next: %s", d->no, why->text);
    if (e == ERR_REFUSED && good && number < before)
        sim_fail(s, 0, "a courier's request of device %d came late, and is taken for that of a copy: %s", d->no,
                 why->text);
}

void courier_answer(struct sim *s, struct device *d, struct bytes answer)
{
    uint64_t number = hub_number(s, d);
    int to = d->no;
    if (!s->healing && sim_chance(s, s->plan.astray)) {
        to = (int)sim_random(s, s->n_devices);
        send_off(s, SIM_AT_DEVICE, d->no, d, number, answer); /* and the right one gets another copy */
    }
    send_off(s, SIM_AT_DEVICE, to, d, number, answer);
    keep(s, &d->old_answer, answer);
}

/* false: the hub did not answer. */
static bool at_hub(struct sim *s, struct device *d, const struct parcel *p)
{
    struct why why = {0};
    struct buf out;
    uint8_t hash[2][HASH_BYTES];
    wire_hub_is_back(s);
    bool sample = sim_chance(s, 250), again = sim_chance(s, 250);
    uint64_t before = hub_number(s, d);
    if (sample) hash_of(s, hub_db(s->hub), hash[0]);
    buf_init(&out, SIM_BUNDLE);
    enum err e = wire_at_hub(s, d, buf_bytes(&p->body), &out, &why);
    sim_note(s, "a courier's request of device %d at the hub: %s", d->no, err_word(e));
    if (e == ERR_UNREACHABLE) {
        buf_release(&out);
        return false;
    }
    courier_judge(s, d, p->number, before, e, &why);
    bool more = e == ERR_OK && wire_brings_more(buf_bytes(&p->body));
    /* What came back is taken in before anything that is asked, whoever asks. */
    if (sample && hub_number(s, d) == before && !more && !disaster_replays(s)) {
        hash_of(s, hub_db(s->hub), hash[1]);
        if (memcmp(hash[0], hash[1], HASH_BYTES) != 0)
            sim_fail(s, 3, "an old or refused request of device %d changed the hub", d->no);
    }
    if (e == ERR_OK) courier_answer(s, d, buf_bytes(&out));
    buf_reset(&out);
    if (e == ERR_OK && again) { /* two copies at once; wire_at_hub compares the answers */
        e = wire_at_hub(s, d, buf_bytes(&p->body), &out, &why);
        if (e != ERR_OK && e != ERR_UNREACHABLE)
            sim_fail(s, 3, "device %d: the same request again: %s: %s", d->no, err_word(e), why.text);
    }
    buf_release(&out);
    return true;
}

void courier_at_hub(struct sim *s, struct event *e)
{
    struct device *d = &s->devices[e->parcel->device];
    if (s->hub == NULL || !at_hub(s, d, e->parcel))
        requeue(s, e, SIM_HOUR + (int64_t)sim_random(s, SIM_DAY));
    else
        next_copy(s, e);
}

/* ---- an answer at a device ---- */
struct arrival {
    struct sim *s;
    struct device *d;
    const struct parcel *p;
    bool mine;                 /* for a device with this key */
    int64_t answered, pending; /* requests of the device, before */
    bool known;                /* they could be read */
};

static void look(struct arrival *a)
{
    struct db *db = node_db(a->d->n);
    a->mine = memcmp(a->s->devices[a->p->device].kid, a->d->kid, sizeof a->d->kid) == 0;
    a->known = a->p->number != UINT64_MAX;
    if (!wire_ask(db, "SELECT value FROM n_number WHERE name = 'answered'", NULL, &a->answered)) a->answered = 0;
    if (!wire_ask(db, "SELECT value FROM n_number WHERE name = 'pending'", NULL, &a->pending)) a->pending = 0;
}

/* What a device that nothing happened to must say to this answer. */
static enum err expected(const struct arrival *a)
{
    if ((int64_t)a->p->number <= a->answered) return ERR_EXISTS;
    return (int64_t)a->p->number == a->pending ? ERR_OK : ERR_FORMAT;
}

static void judge_at_device(const struct arrival *a, enum err e, bool ailing, const struct why *why)
{
    struct sim *s = a->s;
    struct device *d = a->d;
    bool good = !d->suspect && !s->hub_lost_time && !disaster_was(s);
    if (e == ERR_REFUSED && a->mine && wipe_is_noted(d)) return; /* taken or not, it goes on to be wiped */
    if (e == ERR_REFUSED && disaster_was(s)) return;             /* of the hub of before */
    if (ailing && (e == ERR_FULL || e == ERR_IO || e == ERR_TAMPERED)) return;
    if (!a->mine) {
        if (e == ERR_REFUSED || e == ERR_TAMPERED) return;
        sim_fail(s, 0, "device %d: an answer for another: %s: %s", d->no, err_word(e), why->text);
    }
    if (good && a->known && e != expected(a))
        sim_fail(s, e == ERR_OK ? 3 : 0, "device %d: answer %llu after %lld with %lld waiting: %s: %s", d->no,
                 (unsigned long long)a->p->number, (long long)a->answered, (long long)a->pending, err_word(e),
                 why->text);
    if (e == ERR_OK || e == ERR_EXISTS || e == ERR_FORMAT) return;
    if (good || (e != ERR_TAMPERED && e != ERR_IO))
        sim_fail(s, 0, "device %d: import: %s: %s", d->no, err_word(e), why->text);
    s->counts[COUNT_ROTS_NOTICED] += e == ERR_TAMPERED;
    device_stuck(s, d, why->text);
}

static void at_device(struct sim *s, struct device *d, const struct parcel *p)
{
    struct arrival a = {.s = s, .d = d, .p = p};
    struct why why = {0};
    struct round_result r = {0};
    uint8_t hash[2][HASH_BYTES];
    bool sample = sim_chance(s, 250) && !d->suspect && !d->ailing && !d->damaged;
    look(&a);
    device_enter(s, d);
    if (sample) hash_of(s, node_db(d->n), hash[0]);
    enum err e = node_bundle_import(d->n, buf_bytes(&p->body), &r, &why);
    bool wiped = node_was_wiped(d->n);
    if (sample && e != ERR_OK && !wiped && !wipe_is_noted(d)) {
        hash_of(s, node_db(d->n), hash[1]);
        if (memcmp(hash[0], hash[1], HASH_BYTES) != 0)
            sim_fail(s, 0, "device %d: an answer that it did not take changed its rows", d->no);
    }
    bool died = device_leave(s, d), ailing = d->ailing;
    if (died || (e == ERR_OK && !r.revoked)) lease_contact(s, d, !died);
    mishap_over(d);
    sim_note(s, "a courier's answer for device %d at device %d: %s, in %llu, dropped %llu", p->device, d->no,
             died ? "died" : err_word(e), (unsigned long long)r.rows_in, (unsigned long long)r.rows_dropped);
    d->forgot |= died;
    if (died) return;
    if (wiped) {
        wipe_done(s, d);
        return;
    }
    judge_at_device(&a, e, ailing, &why);
    if (d->n == NULL) return;
    wire_result(s, d, &r);
    if ((e == ERR_OK || r.rows_dropped > 0) && !d->unproven) check_device(s, d, false);
}

void courier_deliver(struct sim *s, struct device *d, struct bytes answer)
{
    struct parcel *p = parcel_new(d, hub_number(s, d), answer);
    at_device(s, d, p);
    parcel_free(p);
}

void courier_at_device(struct sim *s, struct event *e)
{
    struct device *d = &s->devices[e->device];
    if (d->state == DEVICE_NONE || d->state == DEVICE_STUCK || d->state == DEVICE_WIPED || d->mixed) return;
    if (d->n == NULL) {
        if (!s->healing) requeue(s, e, SIM_DAY);
        return;
    }
    at_device(s, d, e->parcel);
    next_copy(s, e);
}
