/* When everything has come to rest. */
#include "hub/restore_internal.h"
#include "tests/sim/judge.h"

#include <stdlib.h>
#include <string.h>

/* ---- sites: what the hub says, the oracle is told, and each device there holds ---- */
struct listing {
    struct sim *s;
    const struct sim_site *site;
    struct buf line;
    struct device *d[SIM_DEVICES]; /* live ones of this site */
    struct rows here[SIM_DEVICES]; /* their rows */
    size_t next[SIM_DEVICES];      /* of each, the row that must come */
    unsigned n;
};

/* What was lost with the hub and a device stays where it is. */
static void skip_strange(struct listing *l, unsigned i)
{
    while (l->next[i] < l->here[i].n && disaster_strange(l->s, l->here[i].v[l->next[i]].id)) l->next[i]++;
}

static void expect(struct listing *l, unsigned i, int tbl, const struct row *r)
{
    const struct rows *here = &l->here[i];
    skip_strange(l, i);
    const struct rows_row *at = l->next[i] < here->n ? &here->v[l->next[i]] : NULL;
    char hex[33];
    if (at != NULL && (at->tbl < tbl || (at->tbl == tbl && memcmp(at->id, r->v[0].s.p, sizeof at->id) < 0)))
        sim_fail(l->s, 1, "device %d (%s) holds %s %s, which its site does not see", l->d[i]->no, l->site->code, at->r.table->name,
                 ids_hex(at->id, hex));
    if (at == NULL || at->tbl != tbl || memcmp(at->id, r->v[0].s.p, sizeof at->id) != 0)
        sim_fail(l->s, 1, "device %d (%s) does not hold %s %s", l->d[i]->no,
                 l->site->code, r->table->name, ids_hex(r->v[0].s.p, hex));
    for (size_t c = 0; c < r->table->n_columns; c++)
        if (!value_equal(at->r.v[c], r->v[c]))
            sim_fail(l->s, 1, "device %d (%s): %s %s differs from the hub in %s", l->d[i]->no, l->site->code,
                     r->table->name, ids_hex(at->id, hex), r->table->columns[c].name);
    l->next[i]++;
}

static enum err list_row(void *ctx, const struct row *r, struct why *why)
{
    struct listing *l = ctx;
    (void)why;
    if (r->table->kind != TABLE_CASE) return ERR_OK;
    int tbl = rules_table_index(bytes_of_str(r->table->name));
    told_id(&l->line, tbl, r->v[0].s.p);
    for (unsigned i = 0; i < l->n; i++) expect(l, i, tbl, r);
    return ERR_OK;
}

static bool hub_has_site(struct sim *s, const char *code)
{
    struct stmt *st = ask(s, hub_db(s->hub), "SELECT 1 FROM h_site WHERE code = $1");
    db_bind_str(st, 1, code);
    bool out = ask_next(s, st);
    db_done(st);
    return out;
}

static void check_site(struct sim *s, unsigned site)
{
    struct listing *l = calloc(1, sizeof *l);
    struct why why = {0};
    if (l == NULL) abort();
    l->s = s;
    l->site = &s->sites[site];
    for (unsigned i = 0; i < s->n_devices; i++) {
        struct device *d = &s->devices[i];
        if (d->state != DEVICE_LIVE || d->site != (int)site) continue;
        rows_read_cases(&l->here[l->n], node_db(d->n));
        l->d[l->n++] = d;
    }
    told_start(&l->line, "sees ");
    buf_put_str(&l->line, l->site->code);
    sim_must(s, hub_site_rows(s->hub, l->site->code, list_row, l, &why), "list a site's rows", &why);
    for (unsigned i = 0; i < l->n; i++) {
        skip_strange(l, i);
        if (l->next[i] < l->here[i].n)
            sim_fail(s, 1, "device %d (%s) holds %zu rows more than its site sees", l->d[i]->no, l->site->code,
                     l->here[i].n - l->next[i]);
        rows_free(&l->here[i]);
    }
    sim_tell(s, &l->line);
    buf_release(&l->line);
    free(l);
}

/* ---- devices ---- */
static void check_drops_confirmed(struct sim *s, const struct device *d)
{
    struct stmt *st =
        ask(s, hub_db(s->hub), "SELECT count(*), count(request) FROM h_drop WHERE node_no = $1 AND receipt_at IS NULL");
    db_bind_int(st, 1, ask_node(s, d));
    if (ask_next(s, st) && db_int(st, 0) != 0)
        sim_fail(s, 6, "device %d (%s): %lld drops are not confirmed, %lld of them were ordered", d->no,
                 s->sites[d->site].code, (long long)db_int(st, 0), (long long)db_int(st, 1));
    db_done(st);
    st = ask(s, hub_db(s->hub), "SELECT count(*) FROM h_drop_order WHERE node_no = $1 AND parked > 0");
    db_bind_int(st, 1, ask_node(s, d));
    if (ask_next(s, st) && db_int(st, 0) != 0)
        sim_fail(s, 6, "device %d: %lld orders to forget have parked edits for ever", d->no, (long long)db_int(st, 0));
    db_done(st);
    int64_t due = ask_number(s, node_db(d->n),
                             "SELECT (SELECT count(*) FROM n_receipt) + "
                             "(SELECT count(*) FROM n_order) "
                             "+ (SELECT count(*) FROM n_parked)");
    if (due != 0) sim_fail(s, 6, "device %d has %lld receipts to sign or send at rest", d->no, (long long)due);
}

static void check_store(struct sim *s, struct device *d, bool whole)
{
    struct why why = {0};
    struct verify_result v = {0};
    device_enter(s, d);
    enum err e = whole ? node_verify(d->n, &v, &why) : db_check(node_db(d->n), &why);
    (void)device_leave(s, d);
    bool forged = d->hostile && (e == ERR_TAMPERED || e == ERR_FORMAT); /* its own program finds what it sends */
    if (e != ERR_OK && !forged) sim_fail(s, 7, "the store of device %d: %s: %s", d->no, err_word(e), why.text);
    if (v.pending_rows != 0)
        sim_fail(s, 7, "device %d has %llu pending rows at rest", d->no, (unsigned long long)v.pending_rows);
}

/* What was not taken in its author may want again: its text is here, unless the device had to forget something. Of what
 * a hub ordered that was lost since, the device alone knows. */
static void check_texts(struct sim *s, const struct device *d)
{
    struct stmt *st = ask(s, hub_db(s->hub), "SELECT 1 FROM h_drop WHERE node_no = $1 LIMIT 1");
    db_bind_int(st, 1, ask_node(s, d));
    bool forgot = ask_next(s, st);
    db_done(st);
    if (forgot || (disaster_was(s) && d->forgot)) return;
    /* What had been taken in was sealed then; the hub that was put back has it whole. */
    st = ask(s, node_db(d->n),
             "SELECT seq FROM n_outbox WHERE state IN ('held', 'waits') AND seq NOT IN (SELECT seq FROM n_content) AND "
             "coalesce(reason, '') NOT LIKE '" REASON_TAKEN "%'");
    while (ask_next(s, st)) {
        const struct posted *e = ledger_of(s->ledger, d, (uint64_t)db_int(st, 0));
        if (e != NULL && !e->let_go && !e->rotten)
            sim_fail(s, 2, "device %d: the text of envelope %llu, which was not taken in, is not kept", d->no,
                     (unsigned long long)e->seq);
    }
    db_done(st);
}

/* Every change of its own has come back with the verdict that the hub has now. */
static void check_verdicts(struct sim *s, const struct device *d)
{
    struct stmt *here = ask(s, node_db(d->n), "SELECT seq, state FROM n_outbox ORDER BY seq");
    struct stmt *hub = ask(s, hub_db(s->hub), "SELECT seq, verdict FROM h_envelope WHERE node_no = $1 ORDER BY seq");
    db_bind_int(hub, 1, ask_node(s, d));
    while (ask_next(s, here)) {
        int64_t seq = db_int(here, 0);
        if (!ask_next(s, hub) || db_int(hub, 0) != seq)
            sim_fail(s, 2, "device %d: envelope %lld is not at the hub at rest", d->no, (long long)seq);
        const char *word = verdict_word((enum verdict)db_int(hub, 1));
        if (!bytes_equal(db_bytes(here, 1), bytes_of_str(word)))
            sim_fail(s, 1, "device %d: envelope %lld is %.*s there, and %s at the hub", d->no, (long long)seq,
                     (int)db_bytes(here, 1).n, (const char *)db_bytes(here, 1).p, word);
    }
    db_done(here);
    db_done(hub);
}

/* Every row of a case that it does not hold: its site may not see it, or check_site would have missed it there. */
static void search_disk(struct sim *s, struct device *d, const struct rows *hub, const struct rows *here)
{
    struct ids hidden = {0};
    for (size_t i = 0; i < hub->n; i++) {
        const struct rows_row *r = &hub->v[i];
        if (r->r.table->kind == TABLE_CASE && rows_find(here, r->tbl, r->id) == NULL) ids_add(&hidden, r->id);
    }
    canary_search(s, d, &hidden, 4);
    ids_clear(&hidden);
}

static void check_resting(struct sim *s, struct device *d, const struct rows *hub, bool drawn)
{
    struct rows here;
    check_cursor(s, d);
    check_drops(s, d);
    check_drops_confirmed(s, d);
    check_store(s, d, drawn);
    if (!s->hub_lost_time && !d->suspect) budget_at_rest(s, d);
    if (!d->suspect) check_verdicts(s, d);
    if (!d->suspect) check_texts(s, d);
    if (!d->suspect) question_at_rest(s, d);
    rows_read_held(&here, node_db(d->n));
    check_same_rows(s, d, hub, &here);
    if (drawn) search_disk(s, d, hub, &here);
    rows_free(&here);
}

static void check_devices(struct sim *s, const struct rows *hub)
{
    struct draw by = told_draw(s, NULL);
    unsigned drawn = (unsigned)draw_below(&by, s->n_devices);
    for (unsigned i = 0; i < s->n_devices; i++) {
        struct device *d = &s->devices[i];
        if (d->state == DEVICE_LIVE) check_resting(s, d, hub, i == drawn);
    }
}

static void count(struct sim *s, const struct rows *hub)
{
    int held = rows_table("held"), conflict = rows_table("conflict");
    s->counts[COUNT_DISPUTED] = hub->start[conflict] < hub->start[conflict + 1]; /* settled ones stay */
    for (size_t i = hub->start[held]; i < hub->start[held + 1]; i++)
        s->counts[COUNT_JUDGED] += !rows_is(&hub->v[i], "state", "waiting");
}

static void check_resting_hub(struct sim *s)
{
    struct log_audit_sum logs;
    struct why why = {0};
    hub_enter(s);
    enum err e = hub_verify(s->hub, &why);
    if (e == ERR_OK) e = db_check(hub_db(s->hub), &why);
    if (e == ERR_OK) e = hub_log_verify(s->hub, &logs, &why);
    (void)hub_leave(s);
    if (e != ERR_OK) sim_fail(s, 7, "the hub: %s: %s", err_word(e), why.text);
}

static void tell_end(struct sim *s)
{
    struct buf line;
    told_start(&line, "end");
    sim_tell(s, &line);
    buf_release(&line);
}

/* What a hub that was put back does not know, it tells nothing of: of that the lost hub's word stands. */
static bool hides_known(struct sim *s, struct device *d)
{
    bool any = false;
    struct stmt *hidden = ask(s, node_db(d->n), "SELECT id FROM n_hidden");
    while (ask_next(s, hidden)) {
        uint8_t id[16];
        if (!db_id(hidden, 0, id)) sim_fail(s, 0, "device %d hides a row of no number", d->no);
        struct stmt *known = ask(s, hub_db(s->hub), "SELECT 1 FROM h_row WHERE id = $1");
        db_bind_id(known, 1, id);
        any = ask_next(s, known) || any;
        db_done(known);
    }
    db_done(hidden);
    return any;
}

/* Its clock is put right: what it hid because of that comes back. */
static void put_clock_right(struct sim *s, struct device *d)
{
    struct why why = {0};
    d->m.skew_ms = 0;
    device_enter(s, d);
    sim_must(s, node_tick(d->n, &why), "look at the clock", &why);
    (void)device_leave(s, d);
    check_shown(s, d);
    if (hides_known(s, d))
        sim_fail(s, 1, "device %d hides rows that its site may see, and its clock is right", d->no);
}

void check_at_rest(struct sim *s)
{
    struct rows hub;
    bool asked = false;
    if (s->hub == NULL) sim_fail(s, 0, "the hub does not come back");
    disaster_at_rest(s);
    for (unsigned i = 0; i < s->n_devices; i++) {
        struct device *d = &s->devices[i];
        asked |= d->state == DEVICE_LIVE;
        if (d->state == DEVICE_LIVE && d->n == NULL) sim_fail(s, 0, "device %d does not come back", d->no);
        if (d->state == DEVICE_LIVE) put_clock_right(s, d);
    }
    check_resting_hub(s);
    told_hub(s);
    rows_read(&hub, hub_db(s->hub));
    told_is_all(s, &hub);
    for (unsigned i = 0; asked && i < s->n_sites; i++) /* with nobody to ask it, the hub does not look at its clock */
        if (hub_has_site(s, s->sites[i].code)) check_site(s, i);
    check_devices(s, &hub);
    count(s, &hub);
    rows_free(&hub);
    ledger_at_rest(s);
    wipe_at_rest(s);
    follow_at_rest(s); /* last: whoever was lied to talks no more */
    tell_end(s);
}
