/* What the oracle was told: rows of cases, each time the hub's order says that they moved. */
#include "tests/sim/judge.h"

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
    bool lost; /* that the hub was put back is known */
    uint64_t checks;
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

struct draw told_draw(struct sim *s)
{
    return draw_stream(s->seed, 21, s->ledger->told->checks++);
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

static void tell_now(struct sim *s)
{
    struct told *t = s->ledger->told;
    struct buf line;
    if (t->now == s->clock) return;
    t->now = s->clock;
    told_start(&line, "now ");
    buf_printf(&line, "%lld", (long long)t->now);
    sim_tell(s, &line);
    buf_release(&line);
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
    if (version == s->hub_version) return;
    if (s->hub_version < 0) tell_lost(s);
    struct stmt *st = ask(s, hub_db(s->hub), "SELECT tbl, id FROM h_row WHERE version > $1 ORDER BY no");
    db_bind_int(st, 1, s->hub_version);
    while (ask_next(s, st)) {
        uint8_t id[16];
        if (!db_id(st, 1, id)) sim_fail(s, 7, "the hub's list of rows is damaged");
        tell_row(s, (int)db_int(st, 0), id);
    }
    db_done(st);
    s->hub_version = version;
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
