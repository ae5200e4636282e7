/* Somebody with a device's valid key sends what its agency may not. What he forges is judged by power.c and the ledger;
 * here is only what he tries. He may have learnt any id, so he reads the hub's own tables. */
#include "tests/sim/forge.h"

#include "base/cbor.h"
#include "node/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEARNT 128u

static struct value own_agency(const struct forgery *f)
{
    return value_str(f->e.s->sites[f->e.d->site].agency);
}

/* ---- what others do honestly ---- */
static bool some_case(struct forgery *f, struct rows_row *out)
{
    return edit_pick_from(&f->e, "case_file", out);
}

static bool fresh_row(struct forgery *f, const char *table, const uint8_t case_id[16], struct fresh *out)
{
    return think_row(&f->e, out, table, case_id);
}

/* A change such as honest people make: a new row, or a text. */
static bool honest(struct forgery *f)
{
    static const char *const tables[] = {"rating", "action", "person", "pointer", "record"};
    static const char *const texts[][2] = {
        {"person", "given_names"}, {"contact", "note"}, {"action", "title"}, {"brief", "summary"}, {"warning", "note"}};
    struct rows_row r;
    struct fresh n;
    const char *const *t = texts[sim_random(f->e.s, 5)];
    forge_part(f);
    if (sim_chance(f->e.s, 500) && edit_pick_from(&f->e, t[0], &r)) {
        forge_update(f, &r, (size_t)rules_column_index(r.r.table, bytes_of_str(t[1])), think_text(f->e.s));
        return true;
    }
    if (!some_case(f, &r) || !fresh_row(f, tables[sim_random(f->e.s, 5)], r.id, &n)) return false;
    forge_insert(f, &n.r);
    return true;
}

/* ---- things that are learnt ---- */

/* The n-th of a list of ids at the hub, drawn. */
static bool learn(struct forgery *f, const char *sql, const uint8_t *about, uint8_t out[16])
{
    struct stmt *st = NULL;
    uint8_t ids[LEARNT][16];
    bool row = false;
    size_t n = 0;
    if (f->e.s->hub == NULL || db_prepare(hub_db(f->e.s->hub), sql, &st, NULL) != ERR_OK) return false;
    if (about != NULL) db_bind_id(st, 1, about);
    while (n < LEARNT && db_step(st, &row, NULL) == ERR_OK && row) n += db_id(st, 0, ids[n]);
    db_done(st);
    if (n == 0) return false;
    memcpy(out, ids[sim_random(f->e.s, n)], 16);
    return true;
}

/* A row that the site may not see, and this device does not hold. */
static bool hidden_row(struct forgery *f, const char *table, uint8_t id[16])
{
    struct sim *s = f->e.s;
    struct rows_row here;
    char sql[200];
    bool by_mask = false, by_view = false;
    (void)snprintf(sql, sizeof sql, "SELECT id FROM \"%s\" ORDER BY id LIMIT %u", table, LEARNT);
    for (int tries = 0; tries < 4; tries++) {
        if (!learn(f, sql, NULL, id)) return false;
        if (edit_get(&f->e, rows_table(table), id, &here)) continue;
        enum err e = hub_sees(s->hub, s->sites[f->e.d->site].code, table, id, &by_mask, &by_view, NULL);
        if (e == ERR_OK && !by_mask && !by_view) return true;
    }
    return false;
}

static const char *any_table(struct forgery *f)
{
    size_t n, from = (size_t)rows_table("case_file"), to = (size_t)rows_table("conflict");
    const struct table_rule *t = rules_tables(&n);
    return t[from + sim_random(f->e.s, to - from)].name;
}

/* ---- content that nobody may write. Each: false when there is nothing to try it on ---- */
static bool others_name(struct forgery *f)
{
    struct rows_row c;
    struct fresh n;
    const char *other = think_agency(f->e.s);
    if (strcmp(other, f->e.s->sites[f->e.d->site].agency) == 0 || !some_case(f, &c)) return false;
    if (!fresh_row(f, sim_chance(f->e.s, 500) ? "rating" : "record", c.id, &n)) return false;
    n.r.v[2] = value_str(other);
    f->forged = true;
    forge_part(f);
    forge_insert(f, &n.r);
    return true;
}

/* What never changes, and what the hub alone writes. */
static bool fixed_column(struct forgery *f)
{
    struct rows_row r;
    if (!edit_pick_any(&f->e, &r)) return false;
    size_t col = 1 + sim_random(f->e.s, r.r.table->n_columns - 1);
    const struct column_rule *c = &r.r.table->columns[col];
    if (c->write != WRITE_NEVER && c->write != WRITE_HUB) col = 2;
    c = &r.r.table->columns[col];
    struct value v = c->type == COL_ID ? value_id(f->e.d->kid) : think_text(f->e.s);
    if (c->type == COL_TIME) v = value_int(f->e.s->clock);
    if (value_equal(v, r.r.v[col])) return false; /* held work names its device, which may be this */
    f->forged = true;
    forge_part(f);
    forge_update(f, &r, col, v);
    return true;
}

/* A column of another agency's row that only that one may write. */
static bool others_column(struct forgery *f)
{
    static const char *const where[][2] = {{"record", "body"},       {"record", "title"},   {"pointer", "note"},
                                           {"rating", "reason"},     {"release", "reason"}, {"request", "question"},
                                           {"person", "void_reason"}};
    const char *const *w = where[sim_random(f->e.s, sizeof where / sizeof where[0])];
    const struct choice theirs = {.table = w[0], .where = "agency <> $1", .arg = own_agency(f)};
    struct rows_row r;
    if (!edit_pick(&f->e, &theirs, &r)) return false;
    f->forged = true;
    forge_part(f);
    forge_update(f, &r, (size_t)rules_column_index(r.r.table, bytes_of_str(w[1])), think_text(f->e.s));
    return true;
}

/* Whether it may depends on its role, which may be any. */
static bool beyond_its_role(struct forgery *f)
{
    static const char *const tables[] = {"participant", "meeting", "allocation", "link", "feedback"};
    struct rows_row c;
    struct fresh n;
    if (!some_case(f, &c) || !fresh_row(f, tables[sim_random(f->e.s, 5)], c.id, &n)) return false;
    forge_part(f);
    forge_insert(f, &n.r);
    return true;
}

static bool change_hidden(struct forgery *f)
{
    struct rows_row r = {0};
    const char *table = any_table(f);
    const struct table_rule *t = rules_table((size_t)rows_table(table));
    if (!hidden_row(f, table, r.id)) return false;
    r.tbl = rows_table(table);
    r.r.table = t;
    size_t col = 3;
    while (col < t->n_columns && (t->columns[col].type != COL_TEXT || t->columns[col].write == WRITE_NEVER)) col++;
    if (col == t->n_columns) return false;
    f->forged = true;
    forge_part(f);
    forge_update(f, &r, col, think_text(f->e.s));
    return true;
}

/* A case that was opened by mistake hides its case_file, and nothing else: who takes part may go on writing in it. */
static bool has_seat(struct forgery *f, const uint8_t case_id[16])
{
    struct stmt *st = NULL;
    bool row = false;
    if (db_prepare(hub_db(f->e.s->hub),
                   "SELECT 1 FROM h_seat k JOIN h_case c ON c.no = k.case_no JOIN h_site t ON t.no = k.site_no"
                   " WHERE c.id = $1 AND t.code = $2 AND k.mask <> 0",
                   &st, NULL) != ERR_OK)
        return true;
    db_bind_id(st, 1, case_id);
    db_bind_str(st, 2, f->e.s->sites[f->e.d->site].code);
    enum err e = db_step(st, &row, NULL);
    db_done(st);
    return e != ERR_OK || row;
}

static bool into_hidden_case(struct forgery *f)
{
    uint8_t id[16];
    struct fresh n;
    if (!hidden_row(f, "case_file", id) || has_seat(f, id) ||
        !fresh_row(f, sim_chance(f->e.s, 500) ? "person" : "participant", id, &n))
        return false;
    if (strcmp(n.r.table->name, "participant") == 0) {
        fresh_fix(&n, "member", own_agency(f));
        fresh_fix(&n, "access", value_str("contribute"));
    }
    f->forged = true;
    forge_part(f);
    forge_insert(f, &n.r);
    return true;
}

/* In a case of its own, under the id of a row of another case. */
static bool under_hidden_id(struct forgery *f)
{
    struct rows_row c;
    struct fresh n;
    uint8_t id[16];
    const struct choice own = {.table = "case_file", .where = "agency = $1", .arg = own_agency(f)};
    if (!edit_pick(&f->e, &own, &c) || !hidden_row(f, "person", id) || !fresh_row(f, "person", c.id, &n)) return false;
    char sql[] = "SELECT case_id FROM person WHERE id = $1";
    uint8_t there[16];
    if (!learn(f, sql, id, there) || memcmp(there, c.id, 16) == 0) return false;
    memcpy(n.id, id, sizeof n.id);
    f->forged = true;
    forge_part(f);
    forge_insert(f, &n.r);
    return true;
}

/* As if it had made what is there: each column that differs must be judged as a change. */
static bool over_a_row(struct forgery *f)
{
    struct rows_row r;
    struct fresh n;
    static const char *const tables[] = {"person", "contact", "action", "consent"};
    if (!edit_pick_from(&f->e, tables[sim_random(f->e.s, 4)], &r)) return false;
    if (!fresh_row(f, r.r.table->name, r.case_id, &n)) return false;
    memcpy(n.id, r.id, sizeof n.id);
    for (size_t c = 3; c < r.r.table->n_columns; c++) /* its ends stay: another person's would be refused for that */
        if (r.r.table->columns[c].write == WRITE_NEVER) n.r.v[c] = r.r.v[c];
    forge_part(f);
    forge_insert(f, &n.r);
    return true;
}

/* A duty for himself; a site; his agency of another kind. */
static bool reference_row(struct forgery *f)
{
    struct fresh n = {.r = {.table = rules_table((size_t)rows_table("duty"))}};
    think_id(f->e.s, n.id);
    n.r.v[0] = value_id(n.id);
    n.r.v[1] = value_id(f->e.d->user);
    n.r.v[2] = value_str("*");
    n.r.v[3] = value_str("manager");
    f->forged = true;
    forge_part(f);
    forge_insert(f, &n.r);
    return true;
}

static bool hubs_row(struct forgery *f)
{
    struct rows_row c;
    struct fresh n;
    if (!some_case(f, &c) || !fresh_row(f, sim_chance(f->e.s, 500) ? "held" : "conflict", c.id, &n)) return false;
    f->forged = true;
    forge_part(f);
    forge_insert(f, &n.r);
    return true;
}

static bool case_zero(struct forgery *f)
{
    static const uint8_t zeros[16];
    struct fresh n;
    if (!fresh_row(f, sim_chance(f->e.s, 500) ? "person" : "case_file", zeros, &n)) return false;
    f->forged = true;
    forge_part(f);
    forge_insert(f, &n.r);
    return true;
}

/* ---- bytes that are no change ---- */

/* The ledger keeps each change of an envelope once, so it is left to find these in the hub's journal. */
static bool one_row_twice(struct forgery *f)
{
    struct rows_row c;
    struct fresh n;
    if (!some_case(f, &c) || !fresh_row(f, "person", c.id, &n)) return false;
    forge_part(f);
    forge_insert(f, &n.r);
    if (sim_chance(f->e.s, 500)) forge_part(f);
    forge_insert(f, &n.r);
    f->untold = true;
    return true;
}

static bool garbage(struct forgery *f)
{
    uint8_t bytes[200];
    size_t n = 1 + sim_random(f->e.s, sizeof bytes);
    draw_bytes(&f->e.s->draw, bytes, n);
    if (sim_chance(f->e.s, 500)) bytes[0] = 'T'; /* as a changeset begins */
    f->forged = true;
    forge_part(f);
    buf_put(&f->content, bytes, n);
    f->end[0] = f->content.len;
    return true;
}

static bool mutated(struct forgery *f)
{
    if (!honest(f)) return false;
    for (uint64_t i = 1 + sim_random(f->e.s, 4); i > 0 && f->content.err == ERR_OK; i--)
        f->content.data[sim_random(f->e.s, f->content.len)] ^= (uint8_t)(1 << sim_random(f->e.s, 8));
    return true;
}

static bool many_parts(struct forgery *f)
{
    struct rows_row nowhere = {.tbl = rows_table("person")};
    nowhere.r.table = rules_table((size_t)nowhere.tbl);
    f->forged = true;
    for (uint64_t n = 50 + sim_random(f->e.s, FORGE_PARTS - 50); n > 0; n--) {
        think_id(f->e.s, nowhere.id);
        forge_part(f);
        forge_update(f, &nowhere, 11, value_str("x"));
    }
    return true;
}

/* ---- headers ---- */
static bool old_cut(struct forgery *f)
{
    return honest(f) && learn(f,
                              "SELECT c.name FROM h_cut c JOIN h_node n ON n.no = c.node_no WHERE n.kid = $1"
                              " ORDER BY c.at, c.pos, c.name",
                              f->e.d->kid, f->h.base_cut);
}

static bool foreign_cut(struct forgery *f)
{
    f->forged = true;
    if (!honest(f)) return false;
    if (!learn(f,
               "SELECT c.name FROM h_cut c JOIN h_node n ON n.no = c.node_no WHERE n.kid <> $1"
               " ORDER BY c.node_no, c.at, c.pos, c.name",
               f->e.d->kid, f->h.base_cut))
        draw_bytes(&f->e.s->draw, f->h.base_cut, CUT_BYTES);
    return true;
}

static bool wrong_clock(struct forgery *f)
{
    uint64_t off = (uint64_t)sim_random(f->e.s, (uint64_t)(3653 * SIM_DAY)) << 16;
    f->h.hlc = sim_chance(f->e.s, 500) || f->h.hlc < off ? f->h.hlc + off : f->h.hlc - off;
    return honest(f);
}

static bool others_user(struct forgery *f)
{
    return honest(f) && learn(f, "SELECT id FROM practitioner ORDER BY site, name, id", NULL, f->h.user);
}

static bool low_epoch(struct forgery *f)
{
    f->h.epoch = 0;
    return honest(f);
}

/* After one of these the hub can take nothing more from the device. */
static bool broken_chain(struct forgery *f)
{
    f->unlucky = true;
    switch (sim_random(f->e.s, 4)) {
    case 0: f->h.seq += 1 + sim_random(f->e.s, 3); break;
    case 1: draw_bytes(&f->e.s->draw, f->h.prev, HASH_BYTES); break;
    case 2: draw_bytes(&f->e.s->draw, f->h.hub, KID_BYTES); break;
    default: f->h.schema = 0; break;
    }
    return honest(f);
}

/* ---- what was judged long ago ---- */

/* Does the device have every row that this content is about? What it must forget, its store may not tell again. */
static bool still_has(struct forgery *f, struct bytes content)
{
    struct changeset_reader r;
    struct rows_row here;
    struct op op;
    bool end = false;
    changeset_reader_init(&r, content, rules_schema_newest());
    while (changeset_next(&r, &op, &end, NULL) == ERR_OK) {
        if (end) return true;
        if (!edit_get(&f->e, op.table_index, op_row_id(&op), &here)) return false;
        f->e.s->used = 0;
    }
    return false;
}

/* The parts of an envelope as the hub's journal keeps them. */
static bool read_parts(struct forgery *f, struct bytes kept)
{
    struct cbor_reader r;
    cbor_reader_init(&r, kept);
    f->n_parts = cbor_get_array(&r, ENVELOPE_MAX_PARTS);
    if (r.err != ERR_OK || f->n_parts > FORGE_PARTS) return false;
    for (size_t i = 0; i < f->n_parts; i++) {
        if (cbor_get_array(&r, 2) != 2) return false;
        cbor_get_fixed(&r, f->part[i].salt, SALT_BYTES);
        f->part[i].content = cbor_get_bytes(&r);
        if (r.err != ERR_OK || !still_has(f, f->part[i].content)) return false;
    }
    return f->n_parts > 0;
}

static void to_be_sent(struct forgery *f, int64_t seq, struct bytes cose)
{
    struct edit *e = &f->e;
    struct stmt *st = NULL;
    struct buf item;
    const int64_t args[] = {seq};
    buf_init(&item, 4u << 20);
    message_put_envelope(&item, cose, f->part, f->n_parts);
    if (edit_ok(e, item.err) && edit_ok(e, db_prepare(e->d->n->db,
                                                      "INSERT INTO n_content(seq, item) SELECT seq, $1 FROM n_outbox "
                                                      "WHERE seq = $2 AND cose = $3 ON CONFLICT DO NOTHING",
                                                      &st, &e->why))) {
        db_bind_blob(st, 1, buf_bytes(&item));
        db_bind_int(st, 2, seq);
        db_bind_blob(st, 3, cose);
        if (edit_ok(e, db_run(st, &e->why)) && db_changes(e->d->n->db) == 1)
            (void)edit_ok(e, state_run(e->d->n->db,
                                       "UPDATE n_outbox SET sealed = NULL, state = 'unsent' WHERE seq = $1", args, 1,
                                       &e->why));
        e->d->hostile = true;
    }
    buf_release(&item);
}

/* In a new request, what an earlier one brought. No envelope is made. */
static bool sent_again(struct forgery *f)
{
    struct sim *s = f->e.s;
    struct stmt *st = NULL;
    bool row = false;
    if (s->hub == NULL || db_prepare(hub_db(s->hub),
                                     "SELECT e.seq, e.cose, e.parts FROM h_envelope e "
                                     "JOIN h_node n ON n.no = e.node_no WHERE n.kid = $1 "
                                     "ORDER BY e.seq DESC LIMIT 1 OFFSET $2",
                                     &st, NULL) != ERR_OK)
        return false;
    db_bind_id(st, 1, f->e.d->kid);
    db_bind_int(st, 2, (int64_t)sim_random(s, 6));
    if (db_step(st, &row, NULL) == ERR_OK && row && read_parts(f, db_bytes(st, 2)))
        to_be_sent(f, db_int(st, 0), db_bytes(st, 1));
    db_done(st);
    f->n_parts = 0;
    return false;
}

static const struct {
    unsigned weight;
    const char *name;
    bool (*attack)(struct forgery *f);
} attacks[] = {
    {70, "in another agency's name", others_name},
    {60, "what never changes", fixed_column},
    {60, "another agency's column", others_column},
    {40, "what was judged long ago", sent_again},
    {70, "beyond its role", beyond_its_role},
    {70, "a hidden row", change_hidden},
    {70, "into a hidden case", into_hidden_case},
    {50, "under a hidden row's id", under_hidden_id},
    {60, "over a row that is there", over_a_row},
    {40, "a row of reference data", reference_row},
    {40, "a row that the hub makes", hubs_row},
    {30, "a row of no case", case_zero},
    {30, "one row twice", one_row_twice},
    {30, "bytes that mean nothing", garbage},
    {50, "mutated bytes", mutated},
    {15, "many small parts", many_parts},
    {60, "upon an old cut", old_cut},
    {30, "upon another's cut", foreign_cut},
    {40, "with a clock years off", wrong_clock},
    {25, "under another user's name", others_user},
    {15, "of an older epoch", low_epoch},
    {45, "out of its chain", broken_chain},
};

void hostile_act(struct sim *s, struct device *d)
{
    /* In a pair of worlds he would learn other things in each. */
    if (d == NULL || d->n == NULL || s->opt.calm || d->damaged) return;
    struct forgery *f = calloc(1, sizeof *f);
    uint64_t at = sim_random(s, 1000);
    size_t i = 0;
    if (f == NULL) abort();
    while (at >= attacks[i].weight) at -= attacks[i++].weight;
    forge_start(f, s, d);
    sim_note(s, "device %d forges: %s", d->no, attacks[i].name);
    forge_finish(f, f->e.err == ERR_OK && attacks[i].attack(f));
    free(f);
}
