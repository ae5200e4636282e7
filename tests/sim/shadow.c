/* Work that no other agency may see, at a device that takes part in nothing else: cases of its own that are restricted
 * to its site, and restricted records in cases that it shares with others. Two worlds, one with this work and one
 * without, must look the same to everybody else. It is done between two syncs with nobody else in between, so that the
 * hub has no reason to hold any of it: held work would be shown to the MASH room, rightly. */
#include "tests/sim/people.h"

#include <string.h>

/* The only device of its agency among those here, so that no colleague meets its rows and works on them. */
void shadow_choose(struct sim *s)
{
    for (unsigned i = 1; i < s->n_devices; i++) {
        const char *agency = s->sites[s->devices[i].site].agency;
        unsigned same = 0;
        for (unsigned k = 0; k < s->n_devices; k++) same += strcmp(s->sites[s->devices[k].site].agency, agency) == 0;
        if (same == 1 && strcmp(s->sites[s->devices[i].site].site_kind, "partner") == 0) s->shadow = (int)i;
    }
}

struct hidden { /* space of a new row */
    struct row r;
    uint8_t id[16], case_id[16];
    char text[64];
};

static void set(struct hidden *f, const char *column, struct value v)
{
    f->r.v[rules_column_index(f->r.table, bytes_of_str(column))] = v;
}

static void begin_row(struct sim *s, struct hidden *f, const char *table, const uint8_t *case_id)
{
    const struct device *d = &s->devices[s->shadow];
    int tbl = rows_table(table);
    *f = (struct hidden){.r = {.table = rules_table((size_t)tbl)}};
    think_id(s, f->id);
    memcpy(f->case_id, case_id == NULL ? f->id : case_id, sizeof f->case_id);
    for (size_t c = 0; c < f->r.table->n_columns; c++) f->r.v[c] = value_null();
    canary_text(s, f->id, tbl, f->text, sizeof f->text);
    set(f, "id", value_id(f->id));
    set(f, "case_id", value_id(f->case_id));
    set(f, "agency", value_str(s->sites[d->site].agency));
}

static void put(struct sim *s, struct hidden *f)
{
    struct why why = {0};
    sim_must(s, db_row_put(node_db(s->devices[s->shadow].n), &f->r, &why), "put a hidden row", &why);
}

static void hidden_record(struct sim *s, const uint8_t case_id[16], const uint8_t id[16])
{
    struct hidden f;
    begin_row(s, &f, "record", case_id);
    memcpy(f.id, id, sizeof f.id);
    set(&f, "sensitivity", value_str("restricted"));
    set(&f, "body", value_str(f.text));
    put(s, &f);
}

static void hidden_case(struct sim *s, const uint8_t record[16])
{
    const struct sim_site *site = &s->sites[s->devices[s->shadow].site];
    struct hidden c, f;
    begin_row(s, &c, "case_file", NULL);
    set(&c, "area", value_str("north"));
    set(&c, "restricted", value_int(1));
    set(&c, "lead_agency", value_str(site->agency));
    put(s, &c);
    begin_row(s, &f, "participant", c.id);
    set(&f, "member", value_str(site->agency));
    set(&f, "site", value_str(site->code));
    set(&f, "access", value_str("contribute"));
    put(s, &f);
    begin_row(s, &f, "person", c.id);
    set(&f, "family_name", value_str(f.text));
    put(s, &f);
    hidden_record(s, c.id, record);
}

/* A case that it may contribute to, if it holds any; not one of its own. */
static bool shared_case(struct sim *s, uint8_t out[16])
{
    struct stmt *st = NULL;
    struct why why = {0};
    bool row = false;
    const struct sim_site *site = &s->sites[s->devices[s->shadow].site];
    enum err e = db_prepare(node_db(s->devices[s->shadow].n),
                            "SELECT p.case_id FROM participant p JOIN case_file c ON c.id = p.case_id"
                            " WHERE p.member = $1 AND p.access = 'contribute' AND p.until IS NULL AND p.since IS NULL"
                            " AND p.voided_at IS NULL AND c.voided_at IS NULL AND p.agency <> $1 AND (p.site = $2 OR"
                            " (coalesce(p.site, '') = '' AND coalesce(c.restricted, 0) = 0 AND EXISTS"
                            " (SELECT 1 FROM coverage v WHERE v.site = $2 AND v.area IN ('*', c.area))))"
                            " ORDER BY p.case_id LIMIT 1",
                            &st, &why);
    sim_must(s, e, "look for a shared case", &why);
    db_bind_str(st, 1, site->agency);
    db_bind_str(st, 2, site->code);
    sim_must(s, db_step(st, &row, &why), "look for a shared case", &why);
    bool found = row && db_id(st, 0, out);
    db_done(st);
    return found;
}

/* Somebody asks about a row of which he has no more than the id: in one of the worlds it is there. Such a question no
 * device puts by itself, so a row of that id is here until it is asked. */
static void ask_about(struct sim *s, struct device *d, const struct node_question *q)
{
    struct buf request, answer;
    struct row r = {.table = rules_table((size_t)q->table_index)};
    struct why why = {0};
    uint64_t number;
    if (!clash_can_meet(s, d)) return;
    for (size_t c = 0; c < r.table->n_columns; c++) r.v[c] = value_null();
    r.v[0] = r.v[1] = value_id(q->id);
    r.v[2] = value_str(s->sites[d->site].agency);
    buf_init(&request, SIM_BUNDLE);
    buf_init(&answer, SIM_BUNDLE);
    ids_add(&s->asked, q->id);
    device_enter(s, d);
    sim_must(s, db_row_put(node_db(d->n), &r, &why), "lay a row", &why);
    sim_must(s, node_ask(d->n, q, &number, &why), "ask", &why);
    (void)device_leave(s, d);
    bool made = clash_export(s, d, &request);
    device_enter(s, d);
    sim_must(s, db_row_delete(node_db(d->n), r.table, q->id, &why), "take the row away", &why);
    (void)device_leave(s, d);
    if (made && wire_at_hub(s, d, buf_bytes(&request), &answer, &why) == ERR_OK)
        (void)clash_import(s, d, buf_bytes(&answer));
    buf_release(&request);
    buf_release(&answer);
}

static void works(struct sim *s, struct device *d, const uint8_t id[16])
{
    struct why why = {0};
    uint64_t seq = 0;
    uint8_t shared[16];
    device_enter(s, d);
    sim_must(s, node_edit_begin(d->n, &why), "begin a hidden edit", &why);
    if (shared_case(s, shared) && sim_chance(s, 600))
        hidden_record(s, shared, id);
    else
        hidden_case(s, id);
    sim_must(s, node_edit_commit(d->n, "worked in private", &seq, &why), "commit a hidden edit", &why);
    (void)device_leave(s, d);
    (void)wire_sync_clean(s, d);
}

void shadow_act(struct sim *s)
{
    if (s->shadow < 0 || s->hub == NULL) return;
    struct device *d = &s->devices[s->shadow], *asker = sim_any_device(s);
    struct node_question q = {.table_index = rows_table("record")};
    think_id(s, q.id);
    q.kind = sim_chance(s, 500) ? QUESTION_EXPLAIN : QUESTION_WHO_SAW;
    bool asks = sim_chance(s, 300);
    if (d->n == NULL || d->state != DEVICE_LIVE) return;
    d->link_up = true;
    (void)wire_sync_clean(s, d);
    if (s->opt.shadow_works) works(s, d, q.id);
    if (asks && asker != NULL) ask_about(s, asker, &q);
}
