/* At rest: nothing a person wrote is lost. Every change is the hub's value, or was replaced by somebody who had seen
 * it, or stands in a conflict, or its envelope is kept whole, or it has not left its device. */
#include "tests/sim/judge.h"

#include "sync/envelope.h"

#include <stdlib.h>
#include <string.h>

enum lot {
    LOT_UNKNOWN,
    LOT_ASKED /* being asked just now */,
    LOT_LOST,
    LOT_AWAY /* not at the hub */,
    LOT_REFUSED,
    LOT_APPLIED,
    LOT_CONFLICTED,
    LOT_SUPERSEDED,
    LOTS
};

struct verdicts {
    struct sim *s;
    struct ledger *l;
    struct rows hub;
    size_t *order;  /* owned; ops by table, row, column, then time */
    size_t *place;  /* owned; of each op in order */
    enum lot *lot;  /* owned; of each op */
    int64_t *knows; /* owned; of each envelope: the hub's version that its author had heard of at most */
};

/* ---- ops on the same column of the same row ---- */
static int by_column(const struct written *a, const struct written *b)
{
    if (a->tbl != b->tbl) return a->tbl < b->tbl ? -1 : 1;
    int c = memcmp(a->id, b->id, sizeof a->id);
    return c != 0 ? c : a->col < b->col ? -1 : a->col > b->col;
}

static int compare(const void *a, const void *b, void *ctx)
{
    const struct ledger *l = ctx;
    size_t i = *(const size_t *)a, j = *(const size_t *)b;
    int c = by_column(&l->ops[i], &l->ops[j]);
    return c != 0 ? c : i < j ? -1 : i > j;
}

static void sort(struct verdicts *v)
{
    size_t n = v->l->n_ops;
    v->order = calloc(n + 1, sizeof *v->order);
    v->place = calloc(n + 1, sizeof *v->place);
    v->lot = calloc(n + 1, sizeof *v->lot);
    if (v->order == NULL || v->place == NULL || v->lot == NULL) abort();
    for (size_t i = 0; i < n; i++) v->order[i] = i;
    qsort_r(v->order, n, sizeof *v->order, compare, v->l);
    for (size_t i = 0; i < n; i++) v->place[v->order[i]] = i;
}

static struct same same_column(const struct verdicts *v, const struct written *w, size_t place)
{
    size_t from = place, to = place;
    while (from > 0 && by_column(&v->l->ops[v->order[from - 1]], w) == 0) from--;
    while (to < v->l->n_ops && by_column(&v->l->ops[v->order[to]], w) == 0) to++;
    return (struct same){v->order + from, to - from};
}

/* Operations that make this row. */
static struct same makers(const struct verdicts *v, const struct written *w)
{
    struct written key = *w;
    size_t lo = 0, hi = v->l->n_ops;
    key.col = -1;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (by_column(&v->l->ops[v->order[mid]], &key) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return same_column(v, &key, lo);
}

/* ---- an envelope that the hub does not have ---- */
static bool in_outbox(struct sim *s, struct device *d, const struct posted *e)
{
    uint8_t hash[HASH_BYTES] = {0};
    struct stmt *st = ask(s, node_db(d->n), "SELECT cose FROM n_outbox WHERE seq = $1");
    db_bind_int(st, 1, (int64_t)e->seq);
    if (ask_next(s, st)) envelope_hash(db_bytes(st, 0), hash);
    db_done(st);
    return memcmp(hash, e->hash, sizeof hash) == 0;
}

/* Nobody can judge what was only on a disk that is out of use, was put back, rotted or lied. */
static bool is_away(struct sim *s, const struct posted *e)
{
    struct device *d = &s->devices[e->device];
    if (e->gone || d->suspect || d->state == DEVICE_STUCK || d->state == DEVICE_NONE) return true;
    /* What is gone from a hub that was put back a device that was wiped cannot send again. */
    if (d->state == DEVICE_WIPED) return d->at_once || s->hub_lost_time;
    if (d->n == NULL) return d->state == DEVICE_REVOKED;
    return in_outbox(s, d, e);
}

/* ---- one change ---- */
static bool text_is(struct value v, struct bytes text, bool null)
{
    return v.kind == VALUE_NULL ? null : !null && bytes_equal(v.s, text);
}

static bool in_conflict(const struct verdicts *v, const struct written *w)
{
    const struct table_rule *t = rules_table((size_t)w->tbl);
    int conflict = rows_table("conflict");
    bool null = w->value.kind == VALUE_NULL, out = false;
    struct buf text;
    buf_init(&text, RULES_MAX_VALUE + 1);
    if (!null && value_to_text(w->value, &text) != ERR_OK) abort();
    for (size_t i = v->hub.start[conflict]; !out && i < v->hub.start[conflict + 1]; i++) {
        const struct rows_row *k = &v->hub.v[i];
        out = memcmp(rows_value(k, "row_id").s.p, w->id, sizeof w->id) == 0 && rows_is(k, "tbl", t->name) &&
              rows_is(k, "col", t->columns[w->col].name) &&
              (text_is(rows_value(k, "kept"), buf_bytes(&text), null) ||
               text_is(rows_value(k, "lost"), buf_bytes(&text), null));
    }
    buf_release(&text);
    return out;
}

/* What a device knew when it wrote, by the cut that it names. A hub that was put back counts its versions anew. */
static void read_knowledge(struct verdicts *v)
{
    const struct ledger *l = v->l;
    v->knows = calloc(l->n_envelopes + 1, sizeof *v->knows);
    if (v->knows == NULL) abort();
    for (size_t i = 0; i < l->n_envelopes; i++) v->knows[i] = INT64_MAX;
    if (v->s->hub_lost_time) return;
    struct stmt *st = ask(v->s, hub_db(v->s->hub),
                          "SELECT e.hash, max(c.at, c.hi) FROM h_envelope e "
                          "JOIN h_cut c ON c.name = e.base_cut AND c.node_no = e.node_no");
    while (ask_next(v->s, st)) {
        struct bytes hash = db_bytes(st, 0);
        for (size_t i = 0; i < l->n_envelopes; i++)
            if (memcmp(l->envelopes[i].hash, hash.p, HASH_BYTES) == 0) v->knows[i] = db_int(st, 1);
    }
    db_done(st);
}

/* Op i put back what another value had stood in for: the same device wrote both, both counted as they were, and the
 * author of the envelope had heard of neither. The value that he saw, though equal, is not this one. */
static bool came_back(const struct verdicts *v, const struct same *all, size_t envelope, size_t i)
{
    const struct ledger *l = v->l;
    const struct posted *mine = &l->envelopes[l->ops[i].by];
    int64_t knew = v->knows[envelope];
    if (mine->verdict != VERDICT_APPLIED || rules_table((size_t)l->ops[i].tbl)->insert == INSERT_HUB) return false;
    for (size_t k = 0; k < all->n; k++) {
        const struct written *o = &l->ops[all->v[k]];
        const struct posted *e = &l->envelopes[o->by];
        if (e->at_hub && e->verdict == VERDICT_APPLIED && e->node_no == mine->node_no && e->seq < mine->seq &&
            e->version > knew && e->version < mine->version && !value_equal(o->value, l->ops[i].value))
            return true;
    }
    return false;
}

/* Had the author of op j the value of op i before his eyes, then or while he wrote what came before, or had he written
 * it himself? */
static bool had_seen(const struct verdicts *v, const struct same *all, size_t j, size_t i)
{
    const struct ledger *l = v->l;
    int author = l->envelopes[l->ops[j].by].device;
    for (size_t k = 0; k < all->n && all->v[k] <= j; k++) {
        const struct written *o = &l->ops[all->v[k]];
        if (l->envelopes[o->by].device != author) continue;
        if (all->v[k] > i && !o->fresh && value_equal(o->saw, l->ops[i].value) && !came_back(v, all, o->by, i))
            return true;
        if (all->v[k] < j && value_equal(o->value, l->ops[i].value)) return true;
    }
    return false;
}

static enum lot lot_of(struct verdicts *v, size_t i);

/* The same device made the row once more, when it had forgotten it: a consent, whose id is derived. Then it proposed
 * nothing for this column, which is as much a value as any. */
static bool made_anew(const struct verdicts *v, const struct written *w)
{
    const struct posted *mine = &v->l->envelopes[w->by];
    struct same all = makers(v, w);
    for (size_t k = 0; k < all.n; k++) {
        const struct posted *e = &v->l->envelopes[v->l->ops[all.v[k]].by];
        if (posted_counts(e) && e->node_no == mine->node_no && e->seq > mine->seq) return true;
    }
    return false;
}

/* Later in the same chain, or by somebody who had seen it; and what he wrote must itself be accounted for. */
static bool replaced(struct verdicts *v, size_t i)
{
    const struct written *w = &v->l->ops[i];
    const struct posted *mine = &v->l->envelopes[w->by];
    struct same all = same_column(v, w, v->place[i]);
    for (size_t k = 0; k < all.n; k++) {
        size_t j = all.v[k];
        const struct posted *his = &v->l->envelopes[v->l->ops[j].by];
        if (j == i || !posted_counts(his)) continue;
        bool same_chain = his->node_no == mine->node_no;
        /* By the hub's order: what was written earlier may come later, and still knows the value. */
        if (same_chain ? his->seq < mine->seq : his->version < mine->version || !had_seen(v, &all, j, i)) continue;
        enum lot other = lot_of(v, j);
        if (other == LOT_APPLIED || other == LOT_CONFLICTED || other == LOT_SUPERSEDED) return true;
    }
    return false;
}

static bool said_since(const struct verdicts *v, const struct same *all, const struct posted *mine)
{
    for (size_t k = 0; k < all->n; k++) {
        const struct posted *e = &v->l->envelopes[v->l->ops[all->v[k]].by];
        if (e->at_hub && e->node_no == mine->node_no && e->seq > mine->seq) return true;
    }
    return false;
}

/* It came as a gap: its device wrote it again, as far as it stood, or had written over it since. A new row says nothing
 * of what is NULL in it. */
static bool written_again(const struct verdicts *v, size_t i)
{
    const struct written *w = &v->l->ops[i];
    const struct posted *mine = &v->l->envelopes[w->by];
    struct same all = same_column(v, w, v->place[i]), made = makers(v, w);
    return said_since(v, &all, mine) || (w->value.kind == VALUE_NULL && said_since(v, &made, mine));
}

/* What was forged its device finds before the hub does, and nobody wants it again. */
static bool is_answered_for(const struct verdicts *v, size_t i)
{
    const struct written *w = &v->l->ops[i];
    const struct posted *e = &v->l->envelopes[w->by];
    bool forged = !e->rotten || v->s->devices[e->device].hostile;
    return forged || w->gone || written_again(v, i);
}

/* Held work in two cases has a row in each. Is `k` the other row of the work that `r` shows, and did somebody say of it
 * what both say now? */
static bool ended_there(const struct verdicts *v, const struct rows_row *r, const struct rows_row *k)
{
    if (k == r || !value_equal(rows_value(k, "node"), rows_value(r, "node")) ||
        !value_equal(rows_value(k, "written_at"), rows_value(r, "written_at")))
        return false;
    for (size_t i = 0; i < v->l->n_ops; i++) {
        const struct written *o = &v->l->ops[i];
        if (o->tbl == k->tbl && o->col >= 0 && strcmp(k->r.table->columns[o->col].name, "state") == 0 &&
            memcmp(o->id, k->id, sizeof o->id) == 0 && v->l->envelopes[o->by].at_hub &&
            value_equal(o->value, rows_value(r, "state")))
            return true;
    }
    return false;
}

/* A decision on held work that the hub could not carry out: it says so in the row, to whoever decided. It waits from
 * then on, until it ends by what somebody says of it in its other case. */
static bool sent_back(const struct verdicts *v, const struct written *w, const struct rows_row *r)
{
    static const char says[] = "A manager accepted this, but it could not be taken in.";
    if (strcmp(r->r.table->name, "held") != 0 || strcmp(r->r.table->columns[w->col].name, "state") != 0) return false;
    struct value reason = rows_value(r, "reason");
    if (reason.kind != VALUE_TEXT || reason.s.n < sizeof says - 1 || memcmp(reason.s.p, says, sizeof says - 1) != 0)
        return false;
    bool ended = rows_is(r, "state", "waiting");
    for (size_t i = v->hub.start[w->tbl]; !ended && i < v->hub.start[w->tbl + 1]; i++) ended = ended_there(v, r, &v->hub.v[i]);
    return ended;
}

/* Held work in two cases has a row in each: who decided one way in the one and another way in the other, in the same
 * change, decided once, and both rows say how. */
static bool decided_both_ways(const struct verdicts *v, const struct written *w, const struct rows_row *r)
{
    if (strcmp(r->r.table->name, "held") != 0 || strcmp(r->r.table->columns[w->col].name, "state") != 0) return false;
    for (size_t k = 0; k < v->l->n_ops; k++) {
        const struct written *o = &v->l->ops[k];
        if (o->by == w->by && o->tbl == w->tbl && o->col == w->col && memcmp(o->id, w->id, sizeof o->id) != 0 &&
            value_equal(o->value, r->r.v[w->col]))
            return true;
    }
    return false;
}

static enum lot find_lot(struct verdicts *v, size_t i)
{
    const struct written *w = &v->l->ops[i];
    const struct posted *e = &v->l->envelopes[w->by];
    if (!e->at_hub) return is_away(v->s, e) ? LOT_AWAY : LOT_LOST;
    if (e->gap) return is_answered_for(v, i) ? LOT_REFUSED : LOT_LOST;
    if (e->known) return rescue_had(v->l, e) ? LOT_SUPERSEDED : LOT_LOST;
    if (!posted_counts(e)) return e->kept ? LOT_REFUSED : LOT_LOST;
    const struct rows_row *r = rows_find(&v->hub, w->tbl, w->id);
    if (r == NULL) return LOT_LOST;
    if (w->col < 0 || value_equal(r->r.v[w->col], w->value)) return LOT_APPLIED;
    if (in_conflict(v, w)) return LOT_CONFLICTED;
    if (r->r.v[w->col].kind == VALUE_NULL && made_anew(v, w)) return LOT_SUPERSEDED;
    if (sent_back(v, w, r)) return LOT_REFUSED;
    if (decided_both_ways(v, w, r)) return LOT_SUPERSEDED;
    return replaced(v, i) ? LOT_SUPERSEDED : LOT_LOST;
}

static enum lot lot_of(struct verdicts *v, size_t i)
{
    if (v->lot[i] == LOT_UNKNOWN) {
        v->lot[i] = LOT_ASKED;
        v->lot[i] = find_lot(v, i);
    }
    return v->lot[i];
}

/* ---- telling ---- */
static void as_text(struct value v, struct buf *out)
{
    buf_reset(out);
    if (v.kind == VALUE_NULL) buf_put_str(out, "NULL");
    if (v.kind != VALUE_NULL && value_to_text(v, out) != ERR_OK) buf_put_str(out, "?");
}

static void note_conflicts(const struct verdicts *v, const struct written *w)
{
    const struct table_rule *t = rules_table((size_t)w->tbl);
    int tbl = rows_table("conflict");
    for (size_t i = v->hub.start[tbl]; i < v->hub.start[tbl + 1]; i++) {
        const struct rows_row *k = &v->hub.v[i];
        if (memcmp(rows_value(k, "row_id").s.p, w->id, sizeof w->id) != 0 || w->col < 0 ||
            !rows_is(k, "col", t->columns[w->col].name))
            continue;
        struct value kept = rows_value(k, "kept"), lost = rows_value(k, "lost"), state = rows_value(k, "state");
        sim_note(v->s, "its conflict: %.*s, kept %.*s, lost %.*s", (int)state.s.n, (const char *)state.s.p,
                 kept.kind == VALUE_TEXT ? (int)kept.s.n : 0, (const char *)kept.s.p,
                 lost.kind == VALUE_TEXT ? (int)lost.s.n : 0, (const char *)lost.s.p);
    }
}

static void fail_lost(const struct verdicts *v, size_t i)
{
    const struct written *w = &v->l->ops[i];
    const struct table_rule *t = rules_table((size_t)w->tbl);
    struct same all = same_column(v, w, v->place[i]);
    struct buf value, saw;
    char hex[33];
    buf_init(&value, RULES_MAX_VALUE + 16);
    buf_init(&saw, RULES_MAX_VALUE + 16);
    for (size_t k = 0; k < all.n; k++) {
        const struct written *o = &v->l->ops[all.v[k]];
        const struct posted *e = &v->l->envelopes[o->by];
        as_text(o->value, &value);
        as_text(o->saw, &saw);
        sim_note(v->s, "history: device %d, envelope %llu (%s): %.60s, saw %.60s", e->device,
                 (unsigned long long)e->seq, e->at_hub ? verdict_word(e->verdict) : "not at the hub", buf_cstr(&value),
                 o->fresh ? "nothing" : buf_cstr(&saw));
    }
    const struct rows_row *now = rows_find(&v->hub, w->tbl, w->id);
    for (size_t c = 0; now != NULL && c < t->n_columns; c++) {
        as_text(now->r.v[c], &value);
        if (now->r.v[c].kind != VALUE_NULL)
            sim_note(v->s, "the hub's row: %s = %.200s", t->columns[c].name, buf_cstr(&value));
    }
    note_conflicts(v, w);
    const struct posted *e = &v->l->envelopes[w->by];
    sim_fail(v->s, 2, "device %d, envelope %llu: %s %s %s is lost", e->device, (unsigned long long)e->seq, t->name,
             ids_hex(w->id, hex), w->col < 0 ? "(row)" : t->columns[w->col].name);
}

/* ---- once at the hub, every change is one of four things ---- */
static uint64_t proposed(struct sim *s)
{
    uint64_t sum = 0;
    struct stmt *st = ask(s, hub_db(s->hub), "SELECT hash, parts FROM h_envelope ORDER BY node_no, seq");
    while (ask_next(s, st)) {
        struct bytes hash = db_bytes(st, 0);
        for (size_t i = 0; i < s->ledger->n_envelopes; i++) {
            const struct posted *e = &s->ledger->envelopes[i];
            if (memcmp(e->hash, hash.p, HASH_BYTES) == 0) sum += journal_compare(s, e, db_bytes(st, 1));
        }
    }
    db_done(st);
    return sum;
}

static void balance(const struct verdicts *v)
{
    uint64_t n[LOTS] = {0}, all = proposed(v->s);
    for (size_t i = 0; i < v->l->n_ops; i++) n[v->lot[i]]++;
    sim_note(v->s, "changes proposed %llu: applied %llu, superseded %llu, conflicted %llu, refused %llu; not sent %llu",
             (unsigned long long)all, (unsigned long long)n[LOT_APPLIED], (unsigned long long)n[LOT_SUPERSEDED],
             (unsigned long long)n[LOT_CONFLICTED], (unsigned long long)n[LOT_REFUSED],
             (unsigned long long)n[LOT_AWAY]);
    if (n[LOT_APPLIED] + n[LOT_SUPERSEDED] + n[LOT_CONFLICTED] + n[LOT_REFUSED] != all)
        sim_fail(v->s, 5, "the hub was sent %llu changes and accounts for others", (unsigned long long)all);
}

/* A value that had lost rises when the one that stood is taken back by whoever wrote it: it stands in its own author's
 * name since the step in which that happened. */
static bool has_risen(const struct verdicts *v, struct stmt *st, bool step_counts)
{
    uint8_t id[16];
    int tbl = (int)db_int(st, 3), col = (int)db_int(st, 5);
    if (!step_counts || col < 0 || !db_id(st, 4, id)) return false;
    const struct rows_row *r = rows_find(&v->hub, tbl, id);
    for (size_t i = 0; r != NULL && i < v->l->n_ops; i++) {
        const struct written *w = &v->l->ops[i];
        const struct posted *e = &v->l->envelopes[w->by];
        if (w->tbl == tbl && w->col == col && memcmp(w->id, id, sizeof id) == 0 && posted_counts(e) &&
            e->node_no == db_int(st, 0) && e->version < db_int(st, 1) && value_equal(w->value, r->r.v[col]))
            return true;
    }
    return false;
}

/* What stands at the hub in a device's name was put there by an envelope of it that counts, when that was judged. */
static void trace_columns(const struct verdicts *v)
{
    struct stmt *st =
        ask(v->s, hub_db(v->s->hub),
            "SELECT k.node_no, k.version, k.row_no, r.tbl, r.id, k.col FROM h_col k JOIN h_row r ON r.no = "
            "k.row_no WHERE k.node_no <> 0 UNION ALL "
            "SELECT born_node, born, no, tbl, id, -1 FROM h_row WHERE born_node <> 0");
    while (ask_next(v->s, st)) {
        int64_t no = db_int(st, 0), version = db_int(st, 1);
        bool found = false, step_counts = false;
        for (size_t i = 0; !found && i < v->l->n_envelopes; i++) {
            const struct posted *e = &v->l->envelopes[i];
            if (!posted_counts(e) || e->version != version) continue;
            step_counts = true;
            found = e->node_no == no;
        }
        if (!found && !has_risen(v, st, step_counts))
            sim_fail(v->s, 3,
                     "row %lld changed at version %lld in the name of node %lld, of which no envelope counts then",
                     (long long)db_int(st, 2), (long long)version, (long long)no);
    }
    db_done(st);
}

/* The clock of a change counts from when its author was served what he changed until it came, whatever it said. */
static void clocks_between(struct sim *s)
{
    struct stmt *st = ask(s, hub_db(s->hub),
                          "SELECT w.row_no, w.node_no, e.seq, w.hlc, e.received_at, coalesce(c.served_at, 0) FROM "
                          "(SELECT row_no, node_no, version, hlc FROM h_col WHERE node_no <> 0 UNION ALL "
                          "SELECT no, born_node, born, born_hlc FROM h_row WHERE born_node <> 0) w "
                          "JOIN h_envelope e ON e.node_no = w.node_no AND e.version = w.version "
                          "AND e.verdict IN ($1, $2) "
                          "LEFT JOIN h_cut c ON c.name = e.base_cut");
    db_bind_int(st, 1, VERDICT_APPLIED);
    db_bind_int(st, 2, VERDICT_MERGED);
    while (ask_next(s, st)) {
        int64_t hlc = db_int(st, 3), latest = db_int(st, 4) << 16 | 0xffff, served = db_int(st, 5) << 16;
        if (hlc > latest || (hlc < served && served <= latest))
            sim_fail(s, 9, "node %lld, envelope %lld: row %lld has a clock %s", (long long)db_int(st, 1),
                     (long long)db_int(st, 2), (long long)db_int(st, 0),
                     hlc > latest ? "after the change came" : "before what it was made upon");
    }
    db_done(st);
}

void ledger_at_rest(struct sim *s)
{
    struct verdicts v = {.s = s, .l = s->ledger};
    ledger_cancel(s);
    ledger_record_all(s);
    rescue_at_rest(s);
    rows_read(&v.hub, hub_db(s->hub));
    sort(&v);
    read_knowledge(&v);
    for (size_t i = 0; i < v.l->n_ops; i++) {
        if (lot_of(&v, i) == LOT_LOST) fail_lost(&v, i);
        const struct written *w = &v.l->ops[i];
        struct same made = makers(&v, w);
        if (posted_counts(&v.l->envelopes[w->by])) power_check(s, &v.hub, w, &made);
    }
    balance(&v);
    trace_columns(&v);
    clocks_between(s);
    times_at_rest(s, &v.hub);
    rows_free(&v.hub);
    free(v.order);
    free(v.place);
    free(v.lot);
    free(v.knows);
}
