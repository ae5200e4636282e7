/* People at work: one transaction at one node, mostly sensible, sometimes hostile. */
#include "tests/lib/sim.h"

#include "crypto/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct edit {
    struct sim *s;
    struct sim_node *n;
    struct sim_rows here; /* what the node shows when the edit begins */
    size_t first_op;
    bool strange; /* the node may refuse it */
};

/* ---- writing, and remembering what was written ---- */
static char *as_text(struct value v)
{
    struct buf b;
    buf_init(&b, 1u << 20);
    if (v.kind == VALUE_NULL || v.kind == VALUE_NONE) return NULL;
    assert_int_equal(value_to_text(v, &b), ERR_OK);
    char *out = strdup(buf_cstr(&b));
    buf_release(&b);
    return out;
}

static void remember(struct edit *e, int tbl, int col, const uint8_t id[16], const uint8_t case_id[16], struct value v,
                     struct value saw, bool fresh)
{
    struct sim *s = e->s;
    if (s->n_ops == s->cap_ops) {
        s->cap_ops = s->cap_ops * 2 + 256;
        s->ops = realloc(s->ops, s->cap_ops * sizeof *s->ops);
        assert_non_null(s->ops);
    }
    struct sim_op *op = &s->ops[s->n_ops++];
    *op = (struct sim_op){
        .node = e->n->no, .tbl = tbl, .col = col, .value = as_text(v), .saw = as_text(saw), .fresh = fresh};
    memcpy(op->id, id, 16);
    memcpy(op->case_id, case_id, 16);
}

static void put(struct edit *e, const struct row *r)
{
    struct why why = {0};
    char hex[33];
    int tbl = sim_table(r->table->name);
    const uint8_t *id = r->v[0].s.p;
    sim_note(e->s, "  node %d: new %s %s", e->n->no, r->table->name, sim_hex(id, hex));
    sim_must(e->s, db_row_put(node_db(e->n->n), r, &why), "put a row", &why);
    remember(e, tbl, -1, id, r->v[1].s.p, value_null(), value_null(), true);
    for (size_t c = 3; c < r->table->n_columns; c++)
        if (r->v[c].kind != VALUE_NULL) remember(e, tbl, (int)c, id, r->v[1].s.p, r->v[c], value_null(), true);
}

static void set(struct edit *e, const struct sim_row *at, size_t col, struct value v)
{
    struct why why = {0};
    char hex[33];
    const struct table_rule *t = at->r.table;
    if (v.kind == VALUE_NONE || value_equal(v, at->r.v[col])) return;
    char *text = as_text(v);
    sim_note(e->s, "  node %d: %s %s %s = %.40s", e->n->no, t->name, sim_hex(at->id, hex), t->columns[col].name,
             text ? text : "NULL");
    free(text);
    sim_must(e->s, db_row_set(node_db(e->n->n), t, at->id, col, v, &why), "set a column", &why);
    remember(e, at->tbl, (int)col, at->id, at->case_id, v, at->r.v[col], false);
}

static void set_by_name(struct edit *e, const struct sim_row *at, const char *column, struct value v)
{
    set(e, at, (size_t)rules_column_index(at->r.table, bytes_of_str(column)), v);
}

/* ---- picking ---- */
static const struct sim_row *pick(struct edit *e, const char *table)
{
    int t = sim_table(table);
    size_t n = e->here.start[t + 1] - e->here.start[t];
    if (n == 0) return NULL;
    if (n > 3 && e->s->crowded && sim_chance(e->s, 65))
        n = 3; /* the oldest, which everybody has: that is where people meet */
    return &e->here.v[e->here.start[t] + sim_random(e->s, n)];
}

static const struct sim_row *pick_any(struct edit *e)
{
    size_t from = e->here.start[sim_table("case_file")];
    return from == e->here.n ? NULL : &e->here.v[from + sim_random(e->s, e->here.n - from)];
}

/* ---- new rows ---- */
struct fresh { /* space of a new row */
    struct row r;
    uint8_t id[16], case_id[16];
};

static bool think_row(struct edit *e, struct fresh *f, const char *table, const uint8_t case_id[16])
{
    const struct table_rule *t = rules_table((size_t)sim_table(table));
    f->r = (struct row){.table = t};
    env_new_id(&e->n->out.env, f->id);
    memcpy(f->case_id, case_id, 16);
    if (strcmp(table, "brief") == 0) memcpy(f->id, case_id, 16);
    f->r.v[0] = value_id(f->id);
    f->r.v[1] = value_id(f->case_id);
    f->r.v[2] = value_str(e->n->place->agency);
    for (size_t c = 3; c < t->n_columns; c++) {
        f->r.v[c] = sim_think(e->s, e->n, &e->here, t, c, case_id);
        if (f->r.v[c].kind == VALUE_NONE) return false;
    }
    return true;
}

static void fix(struct fresh *f, const char *column, struct value v)
{
    f->r.v[rules_column_index(f->r.table, bytes_of_str(column))] = v;
}

/* Two sites may make the same consent: its id is derived from case, person and scope. */
static void consent_id(struct fresh *f)
{
    uint8_t hash[HASH_BYTES], in[16 + 16 + 32] = {0};
    struct bytes scope = f->r.v[4].s;
    memcpy(in, f->case_id, 16);
    memcpy(in + 16, f->r.v[3].s.p, 16);
    memcpy(in + 32, scope.p, scope.n);
    hash_labelled(hash, "consent", bytes_of(in, sizeof in));
    memcpy(f->id, hash, 16);
}

static void new_case(struct edit *e)
{
    struct sim *s = e->s;
    struct fresh c, f;
    uint8_t case_id[16];
    env_new_id(&e->n->out.env, case_id);
    (void)think_row(e, &c, "case_file", case_id);
    memcpy(c.id, case_id, 16);
    bool north = sim_chance(s, 60), lead = strcmp(e->n->place->kind, "social_care") == 0;
    fix(&c, "area", value_str(north ? "north" : "south"));
    fix(&c, "lead_agency", value_str(lead ? e->n->place->agency : north ? "care" : "care2"));
    fix(&c, "status", value_str("new"));
    fix(&c, "restricted", value_int(sim_chance(s, 6)));
    put(e, &c.r);
    if (think_row(e, &f, "brief", case_id)) put(e, &f.r);
    if (think_row(e, &f, "referral", case_id)) put(e, &f.r);
    for (uint64_t i = sim_random(s, 3); i < 3; i++)
        if (think_row(e, &f, "person", case_id)) put(e, &f.r);
    if (!lead || sim_chance(s, 30)) {
        (void)think_row(e, &f, "participant", case_id);
        if (!sim_chance(s, 5)) fix(&f, "member", value_str(e->n->place->agency));
        fix(&f, "site", value_str(sim_chance(s, 50) ? "" : e->n->place->site));
        fix(&f, "access", value_str("contribute"));
        fix(&f, "until", value_null());
        put(e, &f.r);
    }
}

static void new_row(struct edit *e)
{
    static const char *const tables[] = {
        "person",   "contact", "contact",        "record",      "record",      "record",      "record",
        "consent",  "consent", "consent",        "participant", "participant", "participant", "participant",
        "warning",  "kinship", "identifier",     "identifier",  "pointer",     "request",     "request",
        "release",  "release", "release_source", "rating",      "challenge",   "meeting",     "attendance",
        "episode",  "coded",   "allocation",     "action",      "action",      "feedback",    "link",
        "referral", "brief",   "held",           "conflict"};
    const struct sim_row *c = pick(e, "case_file");
    struct fresh f;
    const char *table = tables[sim_random(e->s, sizeof tables / sizeof tables[0])];
    if (strcmp(e->n->place->kind, "social_care") == 0 && sim_chance(e->s, 35)) table = "participant";
    if (c == NULL || !think_row(e, &f, table, c->id)) return;
    if (strcmp(table, "consent") == 0) consent_id(&f);
    if (sim_rows_find(&e->here, sim_table(table), f.id) == NULL) put(e, &f.r);
}

/* ---- changes ---- */
static void change_any(struct edit *e)
{
    const struct sim_row *r = pick_any(e);
    if (r == NULL) return;
    size_t col = 3 + sim_random(e->s, r->r.table->n_columns - 3);
    if (r->r.table->columns[col].write == WRITE_NEVER) {
        if (!sim_chance(e->s, 5)) return;
        e->strange = true;
    }
    set(e, r, col, sim_think(e->s, e->n, &e->here, r->r.table, col, r->case_id));
}

/* Columns that many people have their hands on, and that move rows between channels. */
static void change_hot(struct edit *e)
{
    static const char *const hot[][2] = {
        {"case_file", "rag"},      {"case_file", "status"},  {"brief", "summary"},         {"brief", "decision"},
        {"person", "family_name"}, {"contact", "value"},     {"contact", "protected"},     {"action", "note"},
        {"action", "sensitive"},   {"action", "state"},      {"participant", "access"},    {"participant", "access"},
        {"participant", "until"},  {"participant", "quiet"}, {"record", "sensitivity"},    {"record", "needs_consent"},
        {"record", "override_at"}, {"record", "body"},       {"consent", "state"},         {"consent", "state"},
        {"consent", "expires_at"}, {"request", "state"},     {"request", "result"},        {"release", "state"},
        {"rating", "rag"},         {"case_file", "area"},    {"case_file", "lead_agency"}, {"case_file", "restricted"}};
    const char *const *h = hot[sim_random(e->s, sizeof hot / sizeof hot[0])];
    const struct sim_row *r = pick(e, h[0]);
    if (r == NULL) return;
    size_t col = (size_t)rules_column_index(r->r.table, bytes_of_str(h[1]));
    set(e, r, col, sim_think(e->s, e->n, &e->here, r->r.table, col, r->case_id));
    if (strcmp(h[1], "override_at") == 0) set_by_name(e, r, "override_reason", value_str("significant harm"));
}

static void unshare(struct edit *e)
{
    const struct sim_row *p = pick(e, "participant");
    if (p == NULL) return;
    set_by_name(e, p, "access", value_str("none"));
    set_by_name(e, p, "until", value_int(e->s->clock));
}

static void make_void(struct edit *e)
{
    const struct sim_row *r = pick_any(e);
    if (r == NULL) return;
    bool back = !sim_null(r, "voided_at");
    set_by_name(e, r, "voided_at", back ? value_null() : value_int(e->s->clock));
    set_by_name(e, r, "void_reason", back ? value_null() : value_str("a mistake"));
}

static void settle(struct edit *e)
{
    const struct sim_row *k = pick(e, "conflict");
    if (k == NULL || sim_is(k, "state", "settled")) return;
    int tbl = rules_table_index(sim_value(k, "tbl").s);
    const struct sim_row *r = tbl < 0 ? NULL : sim_rows_find(&e->here, tbl, sim_value(k, "row_id").s.p);
    int col = r == NULL ? -1 : rules_column_index(r->r.table, sim_value(k, "col").s);
    if (col >= 0 && r->r.table->columns[col].type == COL_TEXT && sim_value(k, "lost").kind == VALUE_TEXT &&
        sim_chance(e->s, 50))
        set(e, r, (size_t)col, sim_value(k, "lost"));
    set_by_name(e, k, "state", value_str("settled"));
    set_by_name(e, k, "resolved_by", value_id(e->n->user));
    set_by_name(e, k, "resolved_at", value_int(e->s->clock));
    if (!sim_chance(e->s, 10)) set_by_name(e, k, "reason", value_str("they rang up"));
}

static void judge(struct edit *e)
{
    const struct sim_row *k = NULL;
    int t = sim_table("held");
    for (size_t i = e->here.start[t]; i < e->here.start[t + 1]; i++)
        if (sim_is(&e->here.v[i], "state", "waiting") && (k == NULL || sim_chance(e->s, 50))) k = &e->here.v[i];
    if (k == NULL) return;
    set_by_name(e, k, "state", value_str(sim_chance(e->s, 60) ? "accepted" : "dismissed"));
    set_by_name(e, k, "decided_by", value_id(e->n->user));
    set_by_name(e, k, "decided_at", value_int(e->s->clock));
}

/* ---- hostile: rows guessed, agencies borrowed ---- */
static void guess(struct edit *e)
{
    struct sim_rows hub;
    struct fresh f;
    sim_rows_read(&hub, hub_db(e->s->hub));
    size_t from = hub.start[sim_table("case_file")];
    const struct sim_row *c = pick(e, "case_file");
    if (from < hub.n && c != NULL) {
        const struct sim_row *r = &hub.v[from + sim_random(e->s, hub.n - from)];
        bool hidden_case = sim_chance(e->s, 40);
        if (sim_rows_find(&e->here, r->tbl, r->id) == NULL &&
            think_row(e, &f, r->r.table->name, hidden_case ? r->case_id : c->id)) {
            memcpy(f.id, r->id, 16);
            if (r->tbl == sim_table("case_file") || r->tbl == sim_table("brief")) memcpy(f.case_id, r->id, 16);
            e->strange = true;
            put(e, &f.r);
        }
    }
    sim_rows_free(&hub);
}

static void borrow_agency(struct edit *e)
{
    const struct sim_row *c = pick(e, "case_file");
    struct fresh f;
    if (c == NULL || !think_row(e, &f, "rating", c->id)) return;
    f.r.v[2] = value_str(strcmp(e->n->place->agency, "police") == 0 ? "care" : "police");
    e->strange = true;
    put(e, &f.r);
}

static void act(struct edit *e)
{
    uint64_t d = sim_random(e->s, 100);
    if (e->here.start[sim_table("case_file")] == e->here.n || d < (e->s->crowded ? 5 : 9))
        new_case(e);
    else if (d < 42)
        new_row(e);
    else if (d < 65)
        change_hot(e);
    else if (d < 79)
        change_any(e);
    else if (d < 83)
        unshare(e);
    else if (d < 86)
        make_void(e);
    else if (d < 91)
        settle(e);
    else if (d < 96)
        judge(e);
    else if (d < 99)
        guess(e);
    else
        borrow_agency(e);
}

/* ---- one transaction ---- */
static void forget(struct edit *e)
{
    while (e->s->n_ops > e->first_op) {
        struct sim_op *op = &e->s->ops[--e->s->n_ops];
        free(op->value);
        free(op->saw);
    }
}

static void commit(struct edit *e)
{
    struct sim *s = e->s;
    struct why why = {0};
    uint64_t seq = 0;
    enum err err = node_edit_commit(e->n->n, "worked on a case", &seq, &why);
    if (err == ERR_DENIED && e->strange) {
        sim_note(s, "  refused here: %s", why.text);
        s->counts[SIM_DENIED]++;
        forget(e);
        return;
    }
    sim_must(s, err, "commit an edit", &why);
    s->counts[SIM_EDITS]++;
    e->n->hostile |= e->strange;
    sim_note(s, "  node %d: envelope %llu", e->n->no, (unsigned long long)seq);
    for (size_t i = e->first_op; i < s->n_ops; i++) {
        s->ops[i].seq = seq;
        if (s->ops[i].col < 0) sim_ids_add(&e->n->own, s->ops[i].id);
    }
}

void sim_edit(struct sim *s, struct sim_node *n)
{
    struct edit e = {.s = s, .n = n, .first_op = s->n_ops};
    struct why why = {0};
    s->used = 0;
    sim_rows_read(&e.here, node_db(n->n));
    sim_must(s, node_edit_begin(n->n, &why), "begin an edit", &why);
    act(&e);
    for (uint64_t more = sim_random(s, 8); more > 5 && s->used < sizeof s->arena / 2; more--) {
        struct sim_rows before = e.here; /* what a person sees in an edit includes the edit */
        sim_rows_read(&e.here, node_db(n->n));
        sim_rows_free(&before);
        act(&e);
    }
    if (sim_chance(s, 3)) {
        node_edit_cancel(n->n);
        forget(&e);
    } else {
        commit(&e);
    }
    sim_rows_free(&e.here);
}

/* The same column of the same row, by everybody who has it, before they hear of each other. */
void sim_clash(struct sim *s)
{
    static const char *const where[][2] = {
        {"person", "family_name"}, {"person", "given_names"}, {"contact", "value"},    {"action", "note"},
        {"consent", "state"},      {"consent", "reason"},     {"brief", "summary"},    {"brief", "decision"},
        {"case_file", "rag"},      {"case_file", "status"},   {"case_file", "due_at"}, {"contact", "protected"},
        {"warning", "note"},       {"participant", "access"}, {"record", "body"}};
    const char *const *h = where[sim_random(s, sizeof where / sizeof where[0])];
    uint8_t id[16];
    bool chosen = false;
    for (size_t at = sim_random(s, SIM_NODES), i = 0; i < SIM_NODES; i++) {
        struct sim_node *n = &s->nodes[(at + i) % SIM_NODES];
        struct edit e = {.s = s, .n = n, .first_op = s->n_ops};
        struct why why = {0};
        if (n->n == NULL) continue;
        s->used = 0;
        sim_rows_read(&e.here, node_db(n->n));
        const struct sim_row *r = chosen ? sim_rows_find(&e.here, sim_table(h[0]), id) : pick(&e, h[0]);
        if (r != NULL) {
            size_t col = (size_t)rules_column_index(r->r.table, bytes_of_str(h[1]));
            memcpy(id, r->id, 16);
            chosen = true;
            sim_must(s, node_edit_begin(n->n, &why), "begin an edit", &why);
            set(&e, r, col, sim_think(s, n, &e.here, r->r.table, col, r->case_id));
            commit(&e);
        }
        sim_rows_free(&e.here);
    }
}
