/* Bits flip where a change waits to be sent: of the one page that holds some of it, and of no other. */
#include "tests/sim/judge.h"

#include "crypto/page.h"
#include "sync/envelope.h"

#include <stdlib.h>
#include <string.h>

#define MOST_PLACES 8u

struct target {
    uint8_t mark[16]; /* of the salt of one of its parts: it stands nowhere else */
    int64_t seq;
    size_t at[MOST_PLACES]; /* pages that hold it, of use or not */
    size_t n;
};

static bool can_rot(const struct device *d)
{
    return d != NULL && d->n != NULL && d->state == DEVICE_LIVE && !d->lying && !d->mixed && !d->suspect &&
           !d->hostile && !d->damaged;
}

static bool choose(struct sim *s, const struct device *d, struct target *out)
{
    struct part *parts = calloc(ENVELOPE_MAX_PARTS, sizeof *parts);
    size_t n = 0;
    bool found = false;
    if (parts == NULL) abort();
    int64_t unsent = ask_number(s, node_db(d->n), "SELECT count(*) FROM n_outbox WHERE state = 'unsent'");
    struct stmt *st = ask(s, node_db(d->n),
                          "SELECT seq, item FROM n_content NATURAL JOIN n_outbox WHERE state = 'unsent' ORDER BY seq "
                          "LIMIT 1 OFFSET $1");
    db_bind_int(st, 1, unsent == 0 ? 0 : (int64_t)sim_random(s, (uint64_t)unsent));
    if (ask_next(s, st)) {
        struct why why = {0};
        struct bytes cose;
        sim_must(s, message_get_envelope(db_bytes(st, 1), &cose, parts, ENVELOPE_MAX_PARTS, &n, &why),
                 "read an envelope", &why);
        out->seq = db_int(st, 0);
        found = n > 0;
        if (found) memcpy(out->mark, parts[sim_random(s, n)].salt + 8, sizeof out->mark);
    }
    db_done(st);
    free(parts);
    return found;
}

static void find_places(struct sim *s, struct device *d, const char *path, struct target *t)
{
    uint8_t plain[PAGE_BYTES];
    struct page_keys *keys = canary_keys(s, d);
    struct bytes in = disk_file(d->m.disk, path);
    for (size_t at = 0; t->n < MOST_PLACES && at + PAGE_BYTES <= in.n; at += PAGE_BYTES)
        if (page_open_db(keys, (uint32_t)(at / PAGE_BYTES) + 1, in.p + at, plain) &&
            memmem(plain, sizeof plain, t->mark, sizeof t->mark) != NULL)
            t->at[t->n++] = at;
    page_keys_free(keys);
}

static bool reads(struct device *d, int64_t seq)
{
    struct stmt *st = NULL;
    bool row = false;
    if (db_prepare(node_db(d->n), "SELECT item FROM n_content WHERE seq = $1", &st, NULL) != ERR_OK) return false;
    db_bind_int(st, 1, seq);
    bool good = db_step(st, &row, NULL) == ERR_OK && row && db_bytes(st, 0).n > 0;
    db_done(st);
    return good;
}

/* Copies on pages that are free or of older trees are left alone. */
static bool spoil(struct sim *s, struct device *d, const char *path, const struct target *t)
{
    for (size_t i = 0; i < t->n; i++) {
        size_t at = t->at[i] + (size_t)sim_random(s, PAGE_BYTES);
        uint8_t bit = (uint8_t)(1u << sim_random(s, 8));
        disk_flip(d->m.disk, path, at, bit);
        device_on(s, d);
        if (d->n == NULL || !reads(d, t->seq)) return d->n != NULL;
        device_off(s, d, true);
        disk_flip(d->m.disk, path, at, bit);
    }
    return false;
}

bool outbox_rot_lurks(const struct device *d)
{
    struct stmt *st = NULL;
    bool row = true, good = db_prepare(node_db(d->n), "SELECT item FROM n_content", &st, NULL) == ERR_OK;
    while (good && row) good = db_step(st, &row, NULL) == ERR_OK && (!row || db_bytes(st, 0).n > 0);
    db_done(st);
    return !good;
}

void outbox_rot(struct sim *s)
{
    struct device *d = sim_any_device(s);
    struct target t = {0};
    char path[64];
    struct why why = {0};
    if (!can_rot(d) || !choose(s, d, &t)) return;
    sim_must(s, path_join(path, sizeof path, d->home, canary_store(s, d), &why), "name a store", &why);
    device_off(s, d, true);
    find_places(s, d, path, &t);
    if (spoil(s, d, path, &t)) {
        sim_note(s, "bits flip at device %d in what it wrote as envelope %lld, which was not sent", d->no,
                 (long long)t.seq);
        s->counts[COUNT_SPOILT]++;
        d->damaged = true;
        ledger_rotten(s, d);
    }
    device_on(s, d);
}
