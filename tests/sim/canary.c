/* Canaries in texts, and the search for them, and for ids, in everything that a device keeps. */
#include "tests/sim/judge.h"

#include "crypto/keyslot.h"
#include "crypto/page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CANARY_CHARS 26u /* 128 bits, five a letter, behind a mark */
#define LOG_HEAD     32u
#define FRAME_HEAD   24u
#define FRAME        (FRAME_HEAD + PAGE_BYTES)
static const uint8_t nobody[16]; /* a free place in a set of ids */
static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";

struct mark {
    uint8_t bits[16];
    uint8_t row[16];
    int tbl;
};
struct canary {
    struct mark *v; /* owned */
    size_t n, cap;
    uint32_t *slot; /* owned; index + 1 by bits, 0: free */
    size_t n_slots; /* a power of two */
};

struct canary *canary_new(void)
{
    struct canary *c = calloc(1, sizeof *c);
    if (c == NULL) abort();
    return c;
}

void canary_free(struct canary *c)
{
    if (c == NULL) return;
    free(c->v);
    free(c->slot);
    free(c);
}

static uint32_t *slot_of(const struct canary *c, const uint8_t bits[16])
{
    size_t at;
    memcpy(&at, bits, sizeof at);
    for (at &= c->n_slots - 1; c->slot[at] != 0; at = (at + 1) & (c->n_slots - 1))
        if (memcmp(c->v[c->slot[at] - 1].bits, bits, 16) == 0) break;
    return &c->slot[at];
}

static void grow(struct canary *c)
{
    free(c->slot);
    c->n_slots = c->n_slots == 0 ? 1024 : c->n_slots * 2;
    c->slot = calloc(c->n_slots, sizeof *c->slot);
    if (c->slot == NULL) abort();
    for (size_t i = 0; i < c->n; i++) *slot_of(c, c->v[i].bits) = (uint32_t)i + 1;
}

static void write_mark(const uint8_t bits[16], char out[CANARY_CHARS + 2])
{
    unsigned have = 0, word = 0;
    char *to = out;
    *to++ = '~';
    for (size_t i = 0; i < 16; i++) {
        word = (word << 8 | bits[i]) & 0xFFFF;
        for (have += 8; have >= 5; have -= 5) *to++ = letters[word >> (have - 5) & 31];
    }
    *to++ = letters[word << (5 - have) & 31];
    *to = '\0';
}

static bool read_mark(const uint8_t *p, uint8_t bits[16])
{
    unsigned have = 0, word = 0;
    size_t n = 0;
    for (size_t i = 0; i < CANARY_CHARS; i++) {
        unsigned five;
        if (p[i] >= 'a' && p[i] <= 'z')
            five = p[i] - 'a';
        else if (p[i] >= '2' && p[i] <= '7')
            five = p[i] - '2' + 26u;
        else
            return false;
        word = (word << 5 | five) & 0xFFFF;
        have += 5;
        if (have < 8) continue;
        have -= 8;
        bits[n++] = (uint8_t)(word >> have);
    }
    return true;
}

void canary_text(struct sim *s, const uint8_t id[16], int tbl, char *out, size_t n)
{
    struct canary *c = s->canary;
    struct mark m = {.tbl = tbl};
    if (n < CANARY_CHARS + 2) abort();
    draw_bytes(&s->draw, m.bits, sizeof m.bits);
    memcpy(m.row, id, sizeof m.row);
    c->v = judge_room(c->v, c->n, &c->cap, sizeof *c->v);
    c->v[c->n++] = m;
    if (c->n * 2 > c->n_slots)
        grow(c);
    else
        *slot_of(c, m.bits) = (uint32_t)c->n;
    write_mark(m.bits, out);
}

/* ------------------------------------------------------------------------------------------------- the search */
struct search {
    struct sim *s;
    struct device *d;
    const struct canary *c;
    const struct ids *hidden;
    unsigned invariant;
    struct ids named;   /* hidden ids that it may know: a row that it holds points at them */
    struct ids quoted;  /* hidden rows whose texts it may know */
    bool *spared;       /* owned; of each canary: it is of a row held here, or in one, or in an unsent edit */
    bool sparing;       /* looking at what it may know */
    bool bare;          /* it may know nothing, and has no store to decrypt */
    bool pair[1 << 16]; /* which pairs of bytes 14, 15 occur in hidden: most places are passed over at once */
    const char *file;
    size_t at;
    const struct page_keys *keys;
    char store[16], log[20]; /* its files: another pair with each new data key */
};

static void found_id(struct search *q, const uint8_t *id)
{
    char hex[33];
    if (q->sparing)
        ids_add(&q->named, id);
    else if (!ids_has(&q->named, id))
        sim_fail(
            q->s, q->invariant,
            "device %d (%s): %s at %zu holds %s, the id of a row that it may not know, or a salt of what was taken in",
            q->d->no, q->s->sites[q->d->site].code, q->file, q->at, ids_hex(id, hex));
}

static void found_mark(struct search *q, size_t i)
{
    const struct mark *m = &q->c->v[i];
    char hex[33];
    if (q->sparing)
        q->spared[i] = true;
    else if (q->bare || (!q->spared[i] && ids_has(q->hidden, m->row) && !ids_has(&q->quoted, m->row)))
        sim_fail(q->s, q->invariant, "device %d (%s): %s at %zu holds text of %s %s, which it may not know", q->d->no,
                 q->s->sites[q->d->site].code, q->file, q->at, rules_table((size_t)m->tbl)->name, ids_hex(m->row, hex));
}

/* Also where their sign is not before them: a search index has words alone. */
static void look_for_marks(struct search *q, struct bytes in)
{
    uint8_t bits[16];
    for (size_t at = 0; q->c->n > 0 && at + CANARY_CHARS <= in.n; at++) {
        if (!read_mark(in.p + at, bits)) continue;
        uint32_t i = *slot_of(q->c, bits);
        if (i != 0) found_mark(q, i - 1);
    }
}

static void look(struct search *q, struct bytes in)
{
    for (size_t i = 0; i + 16 <= in.n; i++)
        if (q->pair[in.p[i + 14] << 8 | in.p[i + 15]] && ids_has(q->hidden, in.p + i)) found_id(q, in.p + i);
    look_for_marks(q, in);
}

/* ---- what it may know ---- */
static void spare_row(struct search *q, const struct rows_row *r)
{
    for (size_t c = 0; c < r->r.table->n_columns; c++) {
        struct value v = r->r.v[c];
        if (v.kind == VALUE_BLOB || v.kind == VALUE_TEXT) look(q, v.s);
    }
    if (r->tbl == rows_table("conflict")) ids_add(&q->quoted, rows_value(r, "row_id").s.p);
    /* It said what was asked for until that was accepted. A value replaced lasts in the log until that is cut. */
    if (r->tbl == rows_table("held") && rows_is(r, "state", "accepted")) ledger_accepted(q->s, r->id, &q->quoted);
}

static void spare(struct search *q)
{
    struct rows here;
    struct stmt *st;
    q->sparing = true;
    rows_read_held(&here, node_db(q->d->n));
    for (size_t i = 0; i < here.n; i++) spare_row(q, &here.v[i]);
    /* Also what such a row said before. Its id tells less: a brief has that of its case. */
    for (size_t i = 0; i < q->c->n; i++) q->spared[i] |= rows_find(&here, q->c->v[i].tbl, q->c->v[i].row) != NULL;
    rows_free(&here);
    st = ask(q->s, node_db(q->d->n), "SELECT item FROM n_content");
    while (ask_next(q->s, st)) look(q, db_bytes(st, 0));
    db_done(st);
    /* In an emergency somebody was told a case's reference, and typed it here. The reply takes it out of its table; in
     * the log it stands until that is cut. */
    for (size_t i = 0; i < SIM_TYPED; i++) look(q, bytes_of_str(q->d->typed[i]));
    for (size_t i = 0; i < q->s->asked.cap; i++)
        if (memcmp(q->s->asked.v[i], nobody, 16) != 0) ids_add(&q->named, q->s->asked.v[i]);
    ledger_guessed(q->s->ledger, q->d, &q->named);
    ledger_named(q->s->ledger, q->d, &q->named);
    ledger_guessed(q->s->ledger, q->d, &q->quoted);
    q->sparing = false;
}

/* ---- its files ---- */
static void look_store(struct search *q, struct bytes in)
{
    uint8_t plain[PAGE_BYTES];
    for (size_t at = 0; at + PAGE_BYTES <= in.n; at += PAGE_BYTES) {
        bool good = page_open_db(q->keys, (uint32_t)(at / PAGE_BYTES) + 1, in.p + at, plain);
        q->at = at;
        look(q, good ? bytes_of(plain, sizeof plain) : bytes_of(in.p + at, PAGE_BYTES));
    }
}

static uint32_t get_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Old frames behind the end of the log too: they are as readable as the others to whoever has the key. */
static void look_log(struct search *q, struct bytes in)
{
    static const uint8_t none[8];
    uint8_t plain[PAGE_BYTES];
    for (size_t at = LOG_HEAD; at + FRAME <= in.n; at += FRAME) {
        const uint8_t *head = in.p + at;
        struct page_frame f = {.offset = at, .pgno = get_be32(head), .commit = get_be32(head + 4)};
        memcpy(f.salt, memcmp(head + 8, none, sizeof none) == 0 ? in.p + 16 : head + 8, sizeof f.salt);
        q->at = at;
        if (page_open_wal(q->keys, &f, head + FRAME_HEAD, plain)) look(q, bytes_of(plain, sizeof plain));
    }
}

static bool ends_in(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n >= m && strcmp(name + n - m, end) == 0;
}

static void look_file(void *ctx, const char *name, struct bytes content)
{
    struct search *q = ctx;
    q->file = name;
    q->at = 0;
    if (q->bare)
        look(q, content);
    else if (ends_in(name, q->store))
        look_store(q, content);
    else if (ends_in(name, q->log))
        look_log(q, content);
    else
        look(q, content);
}

struct page_keys *canary_keys(struct sim *s, struct device *d)
{
    struct keyring ring = {0};
    struct page_keys *keys = NULL;
    struct why why = {0};
    char path[64], device[64];
    sim_must(s, path_join(path, sizeof path, d->home, "replica.key", &why), "name a key file", &why);
    sim_must(s, path_join(device, sizeof device, d->home, "device.secret", &why), "name a device secret", &why);
    const struct keyfile at = {path, device};
    sim_must(s, keyslot_open(&d->m.env, &at, machine_passphrase(), &ring, &why), "open a key file", &why);
    struct secret key = keyring_data_key(&ring);
    sim_must(s, page_keys_new(&keys, &key, 0, &why), "make keys", &why);
    keyring_release(&ring);
    return keys;
}

static struct search *search_new(struct sim *s, struct device *d, const struct ids *must_not, unsigned invariant)
{
    struct search *q = calloc(1, sizeof *q);
    if (q == NULL || (q->spared = calloc(s->canary->n + 1, sizeof *q->spared)) == NULL) abort();
    q->s = s;
    q->d = d;
    q->c = s->canary;
    q->hidden = must_not;
    q->invariant = invariant;
    for (size_t i = 0; i < must_not->cap; i++)
        if (memcmp(must_not->v[i], nobody, 16) != 0) q->pair[must_not->v[i][14] << 8 | must_not->v[i][15]] = true;
    return q;
}

const char *canary_store(struct sim *s, struct device *d)
{
    struct why why = {0};
    char path[64];
    uint32_t generation = 0;
    sim_must(s, path_join(path, sizeof path, d->home, "replica.key", &why), "name a key file", &why);
    const struct keyfile at = {.path = path};
    sim_must(s, keyslot_generation(&d->m.env, &at, &generation, &why), "look at a key file", &why);
    return generation % 2 == 0 ? "replica.db" : "replica2.db";
}

static void search_end(struct search *q)
{
    q->s->counts[COUNT_SCANS]++;
    ids_clear(&q->named);
    ids_clear(&q->quoted);
    free(q->spared);
    free(q);
}

void canary_bare(struct sim *s, struct device *d)
{
    struct ids all = {0};
    struct rows hub;
    if (s->hub != NULL && !disk_is_dead(s->hub_machine.disk)) {
        rows_read(&hub, hub_db(s->hub));
        for (size_t i = 0; i < hub.n; i++) ids_add(&all, hub.v[i].id);
        rows_free(&hub);
    }
    struct search *q = search_new(s, d, &all, 12);
    q->bare = true;
    disk_each(d->m.disk, look_file, q);
    search_end(q);
    ids_clear(&all);
}

static void search_all(struct search *q) /* and is done with it */
{
    struct page_keys *keys = canary_keys(q->s, q->d);
    const char *store = canary_store(q->s, q->d);
    (void)snprintf(q->store, sizeof q->store, "/%s", store);
    (void)snprintf(q->log, sizeof q->log, "/%s-wal", store);
    q->keys = keys;
    disk_each(q->d->m.disk, look_file, q);
    page_keys_free(keys);
    search_end(q);
}

void canary_search(struct sim *s, struct device *d, const struct ids *must_not, unsigned invariant)
{
    if (must_not->n == 0 || d->n == NULL || disk_is_dead(d->m.disk) || d->damaged) return;
    struct search *q = search_new(s, d, must_not, invariant);
    spare(q);
    search_all(q);
}

/* Of an envelope that is kept in readable form, because its author may want the text again, it may stand anywhere. */
void canary_salts(struct sim *s, struct device *d)
{
    struct ids salts = {0};
    if (d->n == NULL || disk_is_dead(d->m.disk) || d->damaged) return;
    if (ask_number(s, node_db(d->n),
                   "SELECT count(*) FROM n_content NATURAL JOIN n_outbox WHERE state IN ('applied', 'merged')") != 0)
        sim_fail(s, 6, "device %d keeps in readable form what the hub has taken in", d->no);
    struct stmt *st = ask(s, node_db(d->n),
                          "SELECT seq FROM n_outbox WHERE state IN ('applied', 'merged', 'dismissed') AND "
                          "seq NOT IN (SELECT seq FROM n_content) ORDER BY seq");
    while (ask_next(s, st)) {
        for (size_t i = 0; i < s->ledger->n_envelopes; i++) {
            const struct posted *e = &s->ledger->envelopes[i];
            bool is = e->device == d->no && e->seq == (uint64_t)db_int(st, 0) && !e->gone;
            if (is && memcmp(e->salt, nobody, sizeof nobody) != 0) ids_add(&salts, e->salt);
        }
    }
    db_done(st);
    if (salts.n > 0) search_all(search_new(s, d, &salts, 6));
    ids_clear(&salts);
}

void canary_scan(struct sim *s, struct device *d, const struct ids *must_not)
{
    canary_search(s, d, must_not, 6);
}
