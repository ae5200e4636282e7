/* What the oracle was told: rows of cases, each time the hub's order says that they moved. */
#include "tests/sim/judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES (64u << 20)

struct told_row {
    int tbl; /* -1: free */
    uint8_t id[16];
    uint64_t hash; /* of its line */
};
struct told {
    struct told_row *v; /* owned; a power of two */
    size_t n, cap;
    int64_t now;
    bool lost;      /* that the hub was put back is known */
    int64_t duties; /* how many of them are told */
    uint64_t checks[SIM_DEVICES + 1];
    uint64_t clean[SIM_DEVICES];
};

struct told *told_new(void)
{
    struct told *t = calloc(1, sizeof *t);
    if (t == NULL) abort();
    t->now = INT64_MIN;
    return t;
}

void told_free(struct told *t)
{
    free(t->v);
    free(t);
}

/* Looking leaves traces: what a check rolled back is searched anew with the next change, and that takes a page more. So
 * what is looked at here must not follow from what others did (twin.c). */
struct draw told_draw(struct sim *s, const struct device *d)
{
    uint64_t whose = d == NULL ? SIM_DEVICES : (uint64_t)d->no;
    return draw_stream(s->seed, 22, whose << 32 | s->ledger->told->checks[whose]++);
}

uint64_t *told_clean(struct sim *s, const struct device *d)
{
    return &s->ledger->told->clean[d->no];
}

/* ---- rows told ---- */
static struct told_row *place(const struct told *t, int tbl, const uint8_t id[16])
{
    uint64_t at;
    memcpy(&at, id + 8, sizeof at);
    for (at = (at ^ (uint64_t)tbl * 0x9E3779B97F4A7C15u) & (t->cap - 1);; at = (at + 1) & (t->cap - 1))
        if (t->v[at].tbl < 0 || (t->v[at].tbl == tbl && memcmp(t->v[at].id, id, 16) == 0)) return &t->v[at];
}

static void make_room(struct told *t)
{
    struct told old = *t;
    if (2 * (t->n + 1) <= t->cap) return;
    t->cap = t->cap == 0 ? 512 : t->cap * 2;
    t->v = malloc(t->cap * sizeof *t->v);
    if (t->v == NULL) abort();
    for (size_t i = 0; i < t->cap; i++) t->v[i].tbl = -1;
    for (size_t i = 0; i < old.cap; i++)
        if (old.v[i].tbl >= 0) *place(t, old.v[i].tbl, old.v[i].id) = old.v[i];
    free(old.v);
}

static void forget(struct told *t)
{
    free(t->v);
    t->v = NULL;
    t->n = t->cap = 0;
}

static uint64_t line_hash(const struct buf *line)
{
    uint8_t out[HASH_BYTES];
    uint64_t h;
    hash_blake2b(out, buf_bytes(line));
    memcpy(&h, out, sizeof h);
    return h;
}

/* ---- lines ---- */
void told_start(struct buf *line, const char *word)
{
    buf_init(line, LINE_MAX_BYTES);
    buf_put_str(line, word);
}

void told_id(struct buf *line, int tbl, const uint8_t id[16])
{
    char hex[33];
    hex_encode(hex, id, 16);
    buf_put_str(line, " ");
    buf_put_str(line, rules_table((size_t)tbl)->name);
    buf_put_str(line, ":");
    buf_put(line, hex, 32);
}

static void put_text(struct buf *line, struct bytes v)
{
    static const char special[] = "\\ \t\n=";
    if (v.n == 0) buf_put_str(line, "\\e");
    for (size_t i = 0, from = 0; i <= v.n; i++) {
        if (i < v.n && (v.p[i] == '\0' || strchr(special, v.p[i]) == NULL)) continue;
        buf_put(line, v.p + from, i - from);
        if (i < v.n) buf_printf(line, "\\x%02x", v.p[i]);
        from = i + 1;
    }
}

static void put_value(struct buf *line, const char *column, struct value v)
{
    char hex[33];
    if (v.kind == VALUE_NULL) return;
    buf_put_str(line, " ");
    buf_put_str(line, column);
    buf_put_str(line, "=");
    if (v.kind == VALUE_INT) buf_printf(line, "i%lld", (long long)v.i);
    if (v.kind == VALUE_BLOB) buf_put_str(line, "x");
    if (v.kind == VALUE_BLOB && v.s.n == 16) buf_put_str(line, ids_hex(v.s.p, hex));
    if (v.kind != VALUE_TEXT) return;
    buf_put_str(line, "t");
    put_text(line, v.s);
}

static void put_row(struct buf *line, const struct row *r)
{
    const struct table_rule *t = r->table;
    char id[33], case_id[33];
    buf_printf(line, "row %s %s %s ", t->name, ids_hex(r->v[0].s.p, id), ids_hex(r->v[1].s.p, case_id));
    put_text(line, r->v[2].s);
    for (size_t c = 3; c < t->n_columns; c++) put_value(line, t->columns[c].name, r->v[c]);
}

/* ---- telling ---- */
static void tell_row(struct sim *s, int tbl, const uint8_t id[16])
{
    const struct table_rule *rule = rules_table((size_t)tbl);
    struct told *t = s->ledger->told;
    struct buf store, line;
    struct row r;
    struct why why = {0};
    bool found = false;
    if (rule->kind != TABLE_CASE) return;
    buf_init(&store, (RULES_MAX_COLUMNS + 1) * (size_t)RULES_MAX_VALUE);
    buf_init(&line, LINE_MAX_BYTES);
    sim_must(s, db_row_get(hub_db(s->hub), rule, id, &store, &r, &found, &why), "read a row of the hub", &why);
    if (!found) sim_fail(s, 7, "the hub's order has a row of %s that is not there", rule->name);
    put_row(&line, &r);
    make_room(t);
    struct told_row *to = place(t, tbl, id);
    t->n += to->tbl < 0;
    to->tbl = tbl;
    memcpy(to->id, id, 16);
    to->hash = line_hash(&line);
    sim_tell(s, &line);
    buf_release(&line);
    buf_release(&store);
}

void told_hub_lost(struct sim *s)
{
    s->ledger->told->now = INT64_MIN;
}

/* By what the hub judges ends: its wall clock, unless that jumped. */
int64_t told_time(struct sim *s)
{
    return ask_number(s, hub_db(s->hub), "SELECT now FROM policy_now");
}

void told_now_is(struct sim *s, int64_t now)
{
    struct buf line;
    s->ledger->told->now = now;
    told_start(&line, "now ");
    buf_printf(&line, "%lld", (long long)now);
    sim_tell(s, &line);
    buf_release(&line);
}

static void tell_now(struct sim *s)
{
    const struct told *t = s->ledger->told;
    int64_t now = told_time(s);
    if (now > s->clock) sim_fail(s, 4, "the hub takes a time for come that has not come");
    if (now < t->now && !s->hub_lost_time) sim_fail(s, 4, "the hub's time went back: what had ended is shown again");
    if (t->now != now) told_now_is(s, now);
}

static void tell_lost(struct sim *s)
{
    struct buf line;
    forget(s->ledger->told);
    told_start(&line, "lost");
    sim_tell(s, &line);
    buf_release(&line);
}

void told_hub(struct sim *s)
{
    if (s->hub == NULL || disk_is_dead(s->hub_machine.disk)) return;
    tell_now(s);
    if (s->hub_lost_time && !s->ledger->told->lost) s->hub_version = -1;
    s->ledger->told->lost = s->hub_lost_time;
    int64_t version = ask_number(s, hub_db(s->hub), "SELECT value FROM h_counter WHERE name = 'version'");
    bool moved = version != s->hub_version;
    if (s->hub_version < 0) tell_lost(s);
    struct stmt *st = ask(s, hub_db(s->hub), "SELECT tbl, id FROM h_row WHERE version > $1 ORDER BY no");
    db_bind_int(st, 1, s->hub_version);
    while (ask_next(s, st)) {
        uint8_t id[16];
        if (!db_id(st, 1, id)) sim_fail(s, 7, "the hub's list of rows is damaged");
        tell_row(s, (int)db_int(st, 0), id);
    }
    db_done(st);
    policy_tell(s);
    if (!moved) return;
    s->hub_version = version;
    struct buf line;
    told_start(&line, "version ");
    buf_printf(&line, "%lld", (long long)version);
    sim_tell(s, &line);
    buf_release(&line);
}

/* ---- who wrote ---- */
struct wrote { /* an envelope that counts since the rows were told last */
    struct sim *s;
    int64_t node_no, version;
    const struct sim_site *by;
    char user[33];
    int64_t lo, hi; /* versions of its base cut; -1: the hub has it no more */
    bool accepted;
    bool notes;       /* it does nothing but add records */
    struct buf asked; /* agencies to which it sends a request, each between spaces */
};

/* Duties are given and never taken away, so their number says whether there are new ones. */
static void tell_duties(struct sim *s)
{
    struct told *t = s->ledger->told;
    int64_t n = ask_number(s, hub_db(s->hub), "SELECT count(*) FROM duty");
    struct buf line;
    if (n == t->duties) return;
    t->duties = n;
    buf_init(&line, 1024);
    struct stmt *st = ask(s, hub_db(s->hub), "SELECT practitioner, area, duty FROM duty ORDER BY id");
    while (ask_next(s, st)) {
        uint8_t id[16];
        char hex[33];
        if (!db_id(st, 0, id)) sim_fail(s, 0, "a duty of nobody");
        buf_printf(&line, "duty %s ", ids_hex(id, hex));
        put_text(&line, db_bytes(st, 1));
        buf_put_str(&line, " ");
        put_text(&line, db_bytes(st, 2));
        sim_tell(s, &line);
    }
    db_done(st);
    buf_release(&line);
}

static struct value new_value(const struct op *op, const char *column)
{
    int c = rules_column_index(op->table, bytes_of_str(column));
    return c < 0 ? value_none() : op->new_[c];
}

static bool says(struct value v, const char *text)
{
    return v.kind == VALUE_TEXT && bytes_equal(v.s, bytes_of_str(text));
}

static void note_asked(void *ctx, const struct op *op)
{
    struct wrote *w = ctx;
    struct value to = new_value(op, "to_agency");
    w->notes &= op->kind == OP_INSERT && strcmp(op->table->name, "record") == 0;
    if (op->kind != OP_INSERT || strcmp(op->table->name, "request") != 0 || to.kind != VALUE_TEXT) return;
    buf_put_str(&w->asked, " ");
    buf_put_bytes(&w->asked, to.s);
    buf_put_str(&w->asked, " ");
}

static bool is_asked(const struct wrote *w, struct value member)
{
    char key[80];
    if (member.kind != VALUE_TEXT || w->asked.len == 0) return false;
    int n = snprintf(key, sizeof key, " %.*s ", (int)member.s.n, (const char *)member.s.p);
    return n > 0 && (size_t)n < sizeof key && memmem(w->asked.data, w->asked.len, key, (size_t)n) != NULL;
}

struct place_of { /* where the row of an operation stands */
    char case_id[33];
    bool own_case; /* the device made the case */
    bool made;     /* it made the case, or the row that it changes, after its base cut: what it made itself it knew */
};

static bool find_place(const struct wrote *w, const struct op *op, struct place_of *out)
{
    uint8_t id[16];
    static const char sql[] = "SELECT c.id, c.born_node = $3, "
                              "c.born * (c.born_node = $3), r.born * (r.born_node = $3) "
                              "FROM h_row r JOIN h_case c ON c.no = r.case_no WHERE r.id = $1 AND r.tbl = $2";
    struct stmt *st = ask(w->s, hub_db(w->s->hub), sql);
    db_bind_id(st, 1, op_row_id(op));
    db_bind_int(st, 2, op->table_index);
    db_bind_int(st, 3, w->node_no);
    bool found = ask_next(w->s, st) && db_id(st, 0, id);
    if (found) {
        (void)ids_hex(id, out->case_id);
        out->own_case = db_int(st, 1) != 0;
        out->made = db_int(st, 2) > w->lo || (op->kind != OP_INSERT && db_int(st, 3) > w->lo);
    }
    db_done(st);
    return found;
}

static void put_wrote(const struct wrote *w, const struct op *op, const struct place_of *at, const char *rule)
{
    struct buf line;
    bool known = w->lo >= 0 && !at->made;
    told_start(&line, "wrote ");
    buf_printf(&line, "%lld %s %s %lld %lld %s %s %s", (long long)w->version, w->by->code, w->user,
               (long long)(known ? w->lo : -1), (long long)(known ? w->hi : -1),
               op->kind == OP_INSERT ? "insert" : "change", w->accepted ? "any" : rule, at->case_id);
    told_id(&line, op->table_index, op_row_id(op));
    sim_tell(w->s, &line);
    buf_release(&line);
}

/* The maker of a case may put its own agency in. Whoever may contribute may bring in, to check, whom he asks. */
static const char *rule_of_part(const struct wrote *w, const struct op *op, const struct place_of *at)
{
    struct value member = new_value(op, "member"), quiet = new_value(op, "quiet");
    if (at->own_case && says(member, w->by->agency)) return "any";
    bool loud = quiet.kind != VALUE_INT || quiet.i == 0;
    return loud && says(new_value(op, "access"), "check") && is_asked(w, member) ? "bring" : "lead";
}

static void tell_insert(const struct wrote *w, const struct op *op, const struct place_of *at)
{
    const struct table_rule *t = op->table;
    bool decides = false, weak = t->insert == INSERT_CONTRIBUTE || t->insert == INSERT_CHECK;
    const char *rule = weak ? (t->insert == INSERT_CHECK ? "check" : "contribute") : "lead";
    if (strcmp(t->name, "participant") == 0) rule = rule_of_part(w, op, at);
    if (w->notes) rule = "late";
    put_wrote(w, op, at, rule);
    for (size_t c = 3; weak && c < t->n_columns; c++)
        decides |= t->columns[c].write == WRITE_LEAD && op->new_[c].kind != VALUE_NULL && !says(op->new_[c], "open");
    if (decides) put_wrote(w, op, at, "lead");
}

/* Granted or refused, by whom and when, is the answer; the rest is its writer's. */
static const char *rule_of_release(const struct op *op, size_t c)
{
    const char *name = op->table->columns[c].name;
    bool decided = strcmp(name, "decided_by") == 0 || strcmp(name, "decided_at") == 0;
    bool answered = strcmp(name, "state") == 0 && (says(op->new_[c], "granted") || says(op->new_[c], "refused"));
    return decided || answered ? "release" : "own";
}

/* Decisions are told once, with the column `state`. Who may settle a conflict follows from what it is about: that is
 * not judged here, nor is what power.c judges. */
static const char *rule_of_column(const struct op *op, size_t c)
{
    switch (op->table->columns[c].write) {
    case WRITE_OWN: return "own";
    case WRITE_LEAD: return "lead";
    case WRITE_DUTY: return "duty";
    case WRITE_CONTRIBUTE: return "contribute";
    case WRITE_ASKED: return "asked";
    case WRITE_RELEASE: return rule_of_release(op, c);
    case WRITE_JUDGE:
        if (strcmp(op->table->columns[c].name, "state") != 0) return "see";
        return says(op->new_[c], "withdrawn") ? "own" : "judge";
    case WRITE_NEVER:
    case WRITE_HUB:
    case WRITE_SETTLE: break;
    }
    return "see";
}

static void tell_change(const struct wrote *w, const struct op *op, const struct place_of *at)
{
    const char *told[RULES_MAX_COLUMNS];
    size_t n = 0;
    for (size_t c = 1; c < op->table->n_columns; c++) {
        if (op->new_[c].kind == VALUE_NONE) continue;
        const char *rule = rule_of_column(op, c);
        size_t i = 0;
        while (i < n && strcmp(told[i], rule) != 0) i++;
        if (i < n) continue;
        told[n++] = rule;
        put_wrote(w, op, at, rule);
    }
}

static void tell_op(void *ctx, const struct op *op)
{
    const struct wrote *w = ctx;
    struct place_of at;
    if (op->table->kind != TABLE_CASE || !find_place(w, op, &at)) return;
    if (op->kind == OP_INSERT)
        tell_insert(w, op, &at);
    else
        tell_change(w, op, &at);
}

static const struct sim_site *site_of(const struct sim *s, struct bytes kid)
{
    for (unsigned i = 0; i < s->n_devices; i++) {
        const struct device *d = &s->devices[i];
        if (d->state != DEVICE_NONE && bytes_equal(bytes_of(d->kid, sizeof d->kid), kid)) return &s->sites[d->site];
    }
    return NULL;
}

/* What a device sends again that the hub has already changes nothing. */
static bool is_known(const struct sim *s, struct bytes hash)
{
    const struct ledger *l = s->ledger;
    for (size_t i = 0; i < l->n_envelopes; i++) {
        const struct posted *e = &l->envelopes[i];
        if (bytes_equal(bytes_of(e->hash, sizeof e->hash), hash)) return e->again > 0 && rescue_had(l, e);
    }
    return false;
}

static void tell_wrote(struct sim *s, struct stmt *st)
{
    static const uint8_t none[CUT_BYTES];
    struct wrote w = {.s = s, .node_no = db_int(st, 0), .version = db_int(st, 1), .by = site_of(s, db_bytes(st, 2))};
    struct bytes parts = db_bytes(st, 4);
    uint8_t user[16];
    if (w.by == NULL || !db_id(st, 3, user) || parts.n == 0) return;
    (void)ids_hex(user, w.user);
    w.accepted = db_int(st, 5) != 0;
    if (!w.accepted && is_known(s, db_bytes(st, 9))) return;
    w.lo = db_int(st, 6);
    w.hi = db_int(st, 7);
    if (bytes_equal(db_bytes(st, 8), bytes_of(none, sizeof none))) w.lo = w.hi = 0;
    w.notes = true;
    buf_init(&w.asked, 1u << 20);
    struct why why = {0};
    sim_must(s, journal_each(parts, note_asked, &w, &why), "read the hub's journal", &why);
    sim_must(s, journal_each(parts, tell_op, &w, &why), "read the hub's journal", &why);
    buf_release(&w.asked);
}

/* Versions of a hub that was put back mean two things: then nothing is told. */
void told_wrote(struct sim *s)
{
    if (s->hub == NULL || disk_is_dead(s->hub_machine.disk) || s->hub_lost_time || s->hub_version < 0) return;
    tell_now(s);
    tell_duties(s);
    struct stmt *st = ask(s, hub_db(s->hub),
                          "SELECT e.node_no, e.version, n.kid, e.user, e.parts, EXISTS(SELECT 1 FROM h_held h WHERE "
                          "h.node_no = e.node_no AND h.seq = e.seq AND h.state = 'accepted'), coalesce(c.lo, -1), "
                          "coalesce(c.hi, -1), e.base_cut, e.hash FROM h_envelope e JOIN h_node n ON n.no = e.node_no "
                          "LEFT JOIN h_cut c ON c.name = e.base_cut AND c.node_no = e.node_no "
                          "WHERE e.version > $1 AND e.verdict IN ($2, $3) ORDER BY e.version");
    db_bind_int(st, 1, s->hub_version);
    db_bind_int(st, 2, VERDICT_APPLIED);
    db_bind_int(st, 3, VERDICT_MERGED);
    while (ask_next(s, st)) tell_wrote(s, st);
    db_done(st);
}

void told_is_all(struct sim *s, const struct rows *hub)
{
    const struct told *t = s->ledger->told;
    struct buf line;
    size_t n = 0;
    char hex[33];
    buf_init(&line, LINE_MAX_BYTES);
    for (size_t i = 0; i < hub->n; i++) {
        const struct rows_row *r = &hub->v[i];
        if (r->r.table->kind != TABLE_CASE) continue;
        line.len = 0;
        put_row(&line, &r->r);
        const struct told_row *was = t->cap > 0 ? place(t, r->tbl, r->id) : NULL;
        if (was == NULL || was->tbl < 0 || was->hash != line_hash(&line))
            sim_fail(s, 1, "%s %s changed at the hub, and its order does not say so", r->r.table->name,
                     ids_hex(r->id, hex));
        n++;
    }
    if (n != t->n) sim_fail(s, 1, "%zu rows went from the hub", t->n - n);
    buf_release(&line);
}
