/* One request at the hub, and what everybody who judges wants to know of it. */
#include "sync/courier.h"
#include "tests/sim/judge.h"

#include <stdlib.h>
#include <string.h>

bool wire_ask(struct db *db, const char *sql, const uint8_t id[16], int64_t *out)
{
    struct stmt *st = NULL;
    bool row = false;
    if (db_prepare(db, sql, &st, NULL) != ERR_OK) return false;
    if (id != NULL) db_bind_id(st, 1, id);
    bool good = db_step(st, &row, NULL) == ERR_OK && row;
    if (good) *out = db_int(st, 0);
    db_done(st);
    return good;
}

uint64_t wire_last_request(struct sim *s, const struct device *d)
{
    int64_t out = 0; /* none, and of a device that this hub does not know */
    (void)wire_ask(hub_db(s->hub), "SELECT last_request FROM h_node WHERE kid = $1", d->kid, &out);
    return (uint64_t)out;
}

/* Computers with one key share their answers: each of them may get this one, by sending the same request. Whom an
 * administrator cut off gets nothing new. */
static void tell_meeting(struct sim *s, const struct device *d)
{
    struct buf line;
    int64_t revoked = 0;
    if (!disaster_serves(s)) return;
    if (wire_ask(hub_db(s->hub), "SELECT state IN ('revoked', 'wiped') FROM h_node WHERE kid = $1", d->kid, &revoked) &&
        revoked)
        return;
    buf_init(&line, 1024);
    for (unsigned i = 0; i < s->n_devices; i++) {
        const struct device *o = &s->devices[i];
        if (o->state == DEVICE_NONE || memcmp(o->kid, d->kid, sizeof o->kid) != 0) continue;
        buf_printf(&line, "meets %d %s", o->no, s->sites[o->site].code);
        sim_tell(s, &line);
    }
    buf_release(&line);
}

static void note_number(struct sim *s, struct device *d, uint64_t number)
{
    for (unsigned i = 0; i < s->n_devices; i++) {
        struct device *o = &s->devices[i];
        if (o->state != DEVICE_NONE && memcmp(o->kid, d->kid, sizeof o->kid) == 0) o->requests = number;
    }
}

/* It may have committed answers in its last moment: they are given to whoever asks again. Nothing has moved there
 * since. */
void wire_hub_is_back(struct sim *s)
{
    uint32_t devices = s->hub_died_for;
    if (s->hub == NULL || devices == 0) return;
    s->hub_died_for = 0;
    check_hub(s);
    ledger_at_hub(s);
    int64_t now = told_time(s);
    told_now_is(s, now < s->hub_died_at ? now : s->hub_died_at);
    for (unsigned i = 0; i < s->n_devices; i++) {
        if ((devices >> i & 1) == 0) continue;
        note_number(s, &s->devices[i], wire_last_request(s, &s->devices[i]));
        tell_meeting(s, &s->devices[i]);
    }
    told_now_is(s, now);
}

/* The same request gets the same answer, for ever or until a newer one was answered. */
static void same_again(struct sim *s, struct device *d, struct bytes request, struct bytes answer, bool fresh)
{
    uint8_t asked[HASH_BYTES], told[HASH_BYTES];
    hash_blake2b(asked, request);
    hash_blake2b(told, answer);
    bool before = memcmp(asked, d->asked, sizeof asked) == 0;
    if (before && fresh && !s->hub_lost_time) sim_fail(s, 3, "device %d: the same request counted twice", d->no);
    if (before && memcmp(told, d->told, sizeof told) != 0 && !s->hub_lost_time)
        sim_fail(s, 3, "device %d: the same request got another answer", d->no);
    memcpy(d->asked, asked, sizeof asked);
    memcpy(d->told, told, sizeof told);
}

static enum err unreachable(struct buf *out, size_t before, struct why *why)
{
    out->len = before;
    return why_set(why, ERR_UNREACHABLE, "the hub does not answer");
}

bool wire_brings_more(struct bytes file)
{
    struct bytes request, more;
    return courier_split(file, &request, &more, NULL) == ERR_OK && more.n > 0;
}

bool wire_count(struct sim *s, struct device *d, struct bytes request, struct bytes answer, uint64_t before)
{
    uint64_t number = wire_last_request(s, d);
    sim_traffic(s, d, false, answer);
    same_again(s, d, request, answer, number != before);
    note_number(s, d, number);
    return number != before || wire_brings_more(request);
}

void wire_tell(struct sim *s, const uint32_t devices)
{
    if (devices == 0) return;
    if (!disaster_replays(s)) told_wrote(s);
    check_hub(s);
    disaster_look(s);
    for (unsigned i = 0; i < s->n_devices; i++)
        if ((devices >> i & 1) != 0) tell_meeting(s, &s->devices[i]);
    ledger_at_hub(s);
}

/* For two worlds that must say the same: what the hub draws for an answer follows from the request alone, not from what
 * it drew for others before. */
static void tie_randomness(struct sim *s, struct bytes request)
{
    uint8_t hash[HASH_BYTES];
    uint64_t word;
    hash_blake2b(hash, request);
    memcpy(&word, hash, sizeof word);
    s->hub_machine.random = draw_stream(s->seed, 21, word);
}

/* ---- together with others */

#define COMPANY 3

/* Requests of other devices that a courier has, perhaps still to come: the last frame does not open, and what was
 * carried out before it is undone within the transaction of those beside it. */
static size_t find_company(struct sim *s, const struct device *d, struct draw *by, struct buf *damaged)
{
    size_t n = 0;
    for (unsigned i = 0; i < s->n_devices && n < COMPANY; i++) {
        const struct device *o = &s->devices[i];
        if (o->state == DEVICE_NONE || memcmp(o->kid, d->kid, sizeof o->kid) == 0 || o->old_request.len == 0) continue;
        struct bytes request, more;
        if (courier_split(buf_bytes(&o->old_request), &request, &more, NULL) != ERR_OK || !draw_chance(by, 500)) continue;
        buf_init(&damaged[n], SIM_BUNDLE);
        buf_put_bytes(&damaged[n], request);
        if (damaged[n].err != ERR_OK) abort();
        damaged[n++].data[request.n - 1] ^= 1;
    }
    return n;
}

/* In one commit with them (hub/STORE.md, "Several requests in one transaction"). */
static enum err among(struct sim *s, struct bytes request, struct buf *company, size_t n, size_t place, struct buf *out, struct why *why)
{
    struct hub_asked v[COMPANY + 1] = {0};
    struct buf nothing;
    buf_init(&nothing, SIM_BUNDLE);
    for (size_t i = 0, k = 0; i <= n; i++)
        v[i] = i == place ? (struct hub_asked){.request = request, .out = out}
                          : (struct hub_asked){.request = buf_bytes(&company[k++]), .out = &nothing};
    for (size_t at = 0; at <= n && !disk_is_dead(s->hub_machine.disk);) at += hub_exchange_all(s->hub, v + at, n + 1 - at);
    for (size_t i = 0; i <= n; i++)
        if (i != place && (v[i].e == ERR_OK || nothing.len > 0) && !disk_is_dead(s->hub_machine.disk))
            sim_fail(s, 0, "the hub answers a damaged request");
    buf_release(&nothing);
    *why = v[place].why;
    return v[place].e;
}

static enum err exchange(struct sim *s, const struct device *d, struct bytes file, struct buf *out, struct why *why)
{
    struct draw by = draw_stream(s->seed, 31, disk_steps(s->hub_machine.disk));
    struct buf company[COMPANY];
    struct bytes request, more;
    /* Two worlds that must say the same draw nothing beside each other. */
    bool alone = s->opt.shadowed || courier_split(file, &request, &more, NULL) != ERR_OK || more.n > 0 || draw_chance(&by, 400);
    size_t n = alone ? 0 : find_company(s, d, &by, company);
    if (n == 0) return hub_exchange_file(s->hub, file, out, why);
    size_t place = (size_t)draw_below(&by, n + 1);
    s->counts[COUNT_TOGETHER]++;
    enum err e = among(s, request, company, n, place, out, why);
    for (size_t i = 0; i < n; i++) buf_release(&company[i]);
    return e;
}

enum err wire_at_hub(struct sim *s, struct device *d, struct bytes request, struct buf *out, struct why *why)
{
    size_t at = out->len;
    sim_traffic(s, d, true, request);
    if (s->hub == NULL) return unreachable(out, at, why);
    wire_hub_is_back(s);
    uint64_t before = wire_last_request(s, d);
    if (s->opt.shadowed) tie_randomness(s, request);
    machine_blank_notes(s->opt.shadowed);
    hub_enter(s);
    enum err e = exchange(s, d, request, out, why);
    if (hub_leave(s)) {
        s->hub_died_for = UINT32_C(1) << d->no;
        s->hub_died_at = s->clock;
        return unreachable(out, at, why);
    }
    switch (e) {
    case ERR_OK:
        if (wire_count(s, d, request, bytes_of(out->data + at, out->len - at), before)) wire_tell(s, UINT32_C(1) << d->no);
        return ERR_OK;
    case ERR_REFUSED:
    case ERR_EXISTS: /* these very bytes were answered, and newer ones since */
    case ERR_FORMAT:
    case ERR_TAMPERED:
    case ERR_LIMIT: break; /* for the caller to judge */
    default:
        if (!s->hub_ailing) sim_fail(s, 0, "device %d at the hub: %s: %s", d->no, err_word(e), why->text);
        return unreachable(out, at, why);
    }
    if (wire_last_request(s, d) != before) sim_fail(s, 3, "device %d: a refused request counted", d->no);
    out->len = at;
    return e;
}
