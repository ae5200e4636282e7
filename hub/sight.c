#include "hub/policy_change.h"
#include "hub/restore_internal.h"
#include "hub/sight_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum err sight_new(struct sight **out, struct why *why)
{
    struct sight *s = calloc(1, sizeof *s);
    if (s == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to open the hub.");
    s->last.tbl = -1;
    *out = s;
    return ERR_OK;
}

void sight_free(struct sight *s)
{
    if (s == NULL) return;
    free(s->rows);
    free(s->work);
    free(s->cases);
    free(s->named);
    free(s->seats);
    free(s->nodes);
    free(s);
}

void sight_forget(struct hub *h)
{
    struct sight *s = h->sight;
    if (s == NULL)
        return;
    s->open = s->all = s->channels_known = false;
    s->n_rows = s->n_cases = s->n_named = s->n_seats = s->n_nodes = 0;
    s->last = (struct sight_last){.tbl = -1};
}

enum err sight_grow(void *array, size_t *cap, size_t n, size_t size, struct why *why)
{
    void *old, *grown;
    if (n < *cap) return ERR_OK;
    size_t want = *cap == 0 ? 64 : *cap * 2;
    memcpy(&old, array, sizeof old);
    grown = want > SIZE_MAX / size ? NULL : realloc(old, want * size);
    if (grown == NULL)
        return why_set(why, ERR_NOMEM, "There is not enough memory for so large a change; nothing was changed.");
    memcpy(array, &grown, sizeof grown);
    *cap = want;
    return ERR_OK;
}

/* An exchange on PostgreSQL: the number was read when the transaction had the lock, and hub_commit writes it. */
bool sight_counts_here(const struct hub *h)
{
    return h->routine && db_is_postgres(h->db) && db_era(h->db) != 0;
}

enum err sight_step(struct hub *h, struct why *why)
{
    struct stmt *s;
    bool row = false;
    int64_t version = 0;
    if (h->gathering && !h->replaying) {
        (void)why_set(why, ERR_BUSY, "This hub was put back from a backup and waits until its devices have returned their work. Until "
                                     "then nothing can be changed. Nothing was changed.");
        return why_next(why, ERR_BUSY, "spoke-hub restore status says which devices are missing.");
    }
    sight_forget(h);
    if (sight_counts_here(h)) {
        h->version++;
        h->sight->open = true;
        return ERR_OK;
    }
    enum err e = db_prepare(h->db,
                            "INSERT INTO h_counter(name, value) VALUES ('version', 1)"
                            " ON CONFLICT(name) DO UPDATE SET value = h_counter.value + 1 RETURNING value",
                            &s, why);
    if (e != ERR_OK) return e;
    while ((e = db_step(s, &row, why)) == ERR_OK && row) version = db_int(s, 0);
    db_done(s);
    if (e == ERR_OK) {
        h->version = version;
        h->sight->open = true;
    }
    return e;
}

/* ------------------------------------------------------------------------------------------------- what was touched */

enum err sight_touch_case(struct hub *h, const struct sight_case *c, struct why *why)
{
    struct sight *s = h->sight;
    struct sight_case *last = s->n_cases == 0 ? NULL : &s->cases[s->n_cases - 1];
    if (last != NULL && last->no == c->no) {
        last->content |= c->content;
        last->seats |= c->seats;
        last->consents |= c->consents;
        last->all |= c->all;
        last->decided |= c->decided;
        return ERR_OK;
    }
    enum err e = sight_grow(&s->cases, &s->cap_cases, s->n_cases, sizeof *s->cases, why);
    if (e == ERR_OK) s->cases[s->n_cases++] = *c;
    return e;
}

static bool is_table(const struct table_rule *t, const char *name)
{
    return strcmp(t->name, name) == 0;
}

/* A row that is put, changed or taken away: what else may be seen otherwise because of it? The views are not asked here
 * which columns they read, so every change of these tables counts. */
static enum err touch_row(struct hub *h, const struct table_rule *t, const struct sight_row *r, struct why *why)
{
    struct sight *s = h->sight;
    struct sight_case c = {.no = r->case_no, .content = true};
    c.seats = is_table(t, "case_file") || is_table(t, "participant");
    c.consents = is_table(t, "consent") || is_table(t, "person");
    enum err e = sight_grow(&s->rows, &s->cap_rows, s->n_rows, sizeof *s->rows, why);
    if (e == ERR_OK) e = sight_touch_case(h, &c, why);
    if (e == ERR_OK) s->rows[s->n_rows++] = *r;
    return e;
}

static enum err touch_decided(struct hub *h, int64_t case_no, struct why *why)
{
    const struct sight_case c = {.no = case_no, .decided = true};
    return sight_touch_case(h, &c, why);
}

static struct value column(const struct row *r, const char *name)
{
    int at = rules_column_index(r->table, bytes_of_str(name));
    return at < 0 ? value_none() : r->v[at];
}

/* Times at which the views will say something else, although nobody writes. */
static enum err remember_due(struct hub *h, int64_t case_no, struct value at, struct why *why)
{
    struct stmt *s;
    if (at.kind != VALUE_INT || at.i <= h->now_ms) return ERR_OK;
    enum err e = db_prepare(h->db, "INSERT INTO h_due(at, case_no) VALUES ($1, $2) ON CONFLICT DO NOTHING", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, at.i);
    db_bind_int(s, 2, case_no);
    return db_run(s, why);
}

static bool column_is_due(const struct table_rule *t, size_t col)
{
    const char *name = t->columns[col].name;
    if (is_table(t, "participant")) return strcmp(name, "since") == 0 || strcmp(name, "until") == 0;
    return (is_table(t, "consent") || is_table(t, "release")) && strcmp(name, "expires_at") == 0;
}

/* ---------------------------------------------------------------------------------------------------- the changes */

static enum err need_step(struct hub *h, struct why *why)
{
    return h->sight->open ? ERR_OK
                          : why_set(why, ERR_FAILED, "A row was to be changed outside a step of the hub's order.");
}

static enum err case_of(struct hub *h, const struct row *r, const struct actor *by, int64_t *out_no, struct why *why)
{
    struct hub_case c = {0};
    struct stmt *s;
    bool found = true;
    enum err e = ERR_OK;
    *out_no = 0;
    if (r->table->kind == TABLE_REFERENCE) return ERR_OK;
    if (r->v[1].kind != VALUE_BLOB || r->v[1].s.n != 16 || r->v[2].kind != VALUE_TEXT)
        return why_set(why, ERR_FORMAT, "A row of a case came without its case or agency.");
    e = sight_case(h, r->v[1].s.p, &c, &found, why);
    if (e != ERR_OK || found) {
        *out_no = c.no;
        return e == ERR_OK && c.no == 0 ? why_set(why, ERR_FORMAT, "A row of a case names no case.") : e;
    }
    if (!is_table(r->table, "case_file") || !value_equal(r->v[0], r->v[1]))
        return why_set(why, ERR_NOTFOUND, "There is no such case.");
    e = db_prepare(h->db, "INSERT INTO h_case(id, born, born_node, policy) VALUES ($1, $2, $3, $4)", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, r->v[1].s.p);
    db_bind_int(s, 2, h->version);
    db_bind_int(s, 3, by->node_no);
    db_bind_int(s, 4, policy_change_newborn(h));
    e = db_run(s, why);
    if (e == ERR_OK) e = sight_case(h, r->v[1].s.p, &c, &found, why);
    if (e == ERR_OK && policy_change_newborn(h) == CASE_BOTH) e = sight_note_turn(h, c.no, CASE_BOTH, why);
    *out_no = c.no;
    return e;
}

/* A reference row that was taken away and comes again keeps its number; its masks' history shows the gap. */
static enum err write_row_entry(struct hub *h, const struct sight_row *r, const struct actor *by, bool again,
                                struct why *why)
{
    struct stmt *s;
    h->sight->last.tbl = -1;
    enum err e = db_prepare(
        h->db,
        again ? "UPDATE h_row SET version = $1, born = $1, born_node = $2, born_hlc = $3, born_user = $4, gone = 0"
                " WHERE id = $5 AND tbl = $6"
              : "INSERT INTO h_row(mask, mask_version, version, born, born_node, born_hlc, born_user, id, tbl, case_no)"
                " VALUES (0, $1, $1, $1, $2, $3, $4, $5, $6, $7)",
        &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, h->version);
    db_bind_int(s, 2, by->node_no);
    db_bind_int(s, 3, (int64_t)by->hlc);
    db_bind_id(s, 4, by->user);
    db_bind_id(s, 5, r->id);
    db_bind_int(s, 6, r->tbl);
    if (!again) db_bind_int(s, 7, r->case_no);
    e = db_run(s, why);
    if (e != ERR_OK || !again) return e;
    e = db_prepare(h->db, "DELETE FROM h_col WHERE row_no = (SELECT no FROM h_row WHERE id = $1 AND tbl = $2)", &s,
                   why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, r->id);
    db_bind_int(s, 2, r->tbl);
    return db_run(s, why);
}

static enum err add_site(struct hub *h, struct value code, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, "INSERT INTO h_site(code) VALUES ($1) ON CONFLICT DO NOTHING", &s, why);
    if (e != ERR_OK) return e;
    db_bind_value(s, 1, code);
    return db_run(s, why);
}

/* An agency needs a bit before anything of it can be seen; better refused here than when its first record comes. */
static enum err add_agency_channel(struct hub *h, struct value code, struct why *why)
{
    char name[SIGHT_MAX_CHANNEL];
    int bit, n = snprintf(name, sizeof name, "agency:%.*s", (int)code.s.n, (const char *)code.s.p);
    if (n < 0 || (size_t)n >= sizeof name) return why_set(why, ERR_LIMIT, "The agency's code is too long.");
    return sight_channel_bit(h, bytes_of_str(name), &bit, why);
}

/* What else the hub keeps of a new row: voices, due times, its site's number, its agency's channel. */
static enum err after_insert(struct hub *h, const struct row *r, const struct sight_row *noted, struct why *why)
{
    enum err e = r->table->kind == TABLE_CASE ? sight_add_voices(h, r, noted, why)
                                              : sight_place_touch(h, r->table, noted->id, why);
    for (size_t i = 0; e == ERR_OK && i < r->table->n_columns; i++) {
        if (decided_says(r->table, i, r->v[i])) e = touch_decided(h, noted->case_no, why);
        if (e == ERR_OK && column_is_due(r->table, i)) e = remember_due(h, noted->case_no, r->v[i], why);
    }
    if (e == ERR_OK && is_table(r->table, "site")) e = add_site(h, column(r, "code"), why);
    if (e == ERR_OK && is_table(r->table, "agency")) e = add_agency_channel(h, column(r, "code"), why);
    return e;
}

static enum err note(struct hub *h, const struct table_rule *t, const uint8_t id[16], const struct hub_row *found,
                     struct why *why)
{
    struct sight_row r = {.no = found->no,
                          .case_no = found->case_no,
                          .tbl = rules_table_index(bytes_of_str(t->name)),
                          .old_mask = found->mask,
                          .fresh = found->mask_version == h->version};
    memcpy(r.id, id, 16);
    return touch_row(h, t, &r, why);
}

static enum err find_row(struct hub *h, const struct table_rule *t, const uint8_t id[16], struct hub_row *out,
                         struct why *why)
{
    bool found = false;
    enum err e = sight_row(h, rules_table_index(bytes_of_str(t->name)), id, out, &found, why);
    return e == ERR_OK && !found ? why_set(why, ERR_NOTFOUND, "There is no such row.") : e;
}

enum err sight_insert(struct hub *h, const struct row *r, const struct actor *by, struct why *why)
{
    struct sight_row noted = {.tbl = rules_table_index(bytes_of_str(r->table->name))};
    struct hub_row entry = {0};
    bool known = false, gone = false;
    enum err e = need_step(h, why);
    if (e == ERR_OK && (r->v[0].kind != VALUE_BLOB || r->v[0].s.n != 16))
        e = why_set(why, ERR_FORMAT, "A row came without its id.");
    if (e != ERR_OK) return e;
    memcpy(noted.id, r->v[0].s.p, 16);
    e = sight_row_gone(h, noted.tbl, noted.id, &known, &gone, why);
    if (e == ERR_OK && known && !gone) e = why_set(why, ERR_EXISTS, "There is a row of this id already.");
    if (e == ERR_OK) e = case_of(h, r, by, &noted.case_no, why);
    if (e == ERR_OK) e = db_row_put(h->db, r, why);
    if (e == ERR_OK) e = write_row_entry(h, &noted, by, known, why);
    if (e == ERR_OK) e = find_row(h, r->table, noted.id, &entry, why);
    if (e == ERR_OK) e = note(h, r->table, noted.id, &entry, why);
    noted.no = entry.no;
    if (e == ERR_OK && r->table->kind == TABLE_CASE) e = holds_row_came(h, noted.tbl, noted.id, why);
    return e == ERR_OK ? after_insert(h, r, &noted, why) : e;
}

static enum err write_column_entry(struct hub *h, int64_t row_no, size_t col, const struct actor *by, struct why *why)
{
    struct stmt *s;
    enum err e =
        db_prepare(h->db,
                   "INSERT INTO h_col(row_no, col, version, node_no, hlc, user) VALUES ($1, $2, $3, $4, $5, $6)"
                   " ON CONFLICT(row_no, col) DO UPDATE SET version = $3, node_no = $4, hlc = $5, user = $6",
                   &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, row_no);
    db_bind_int(s, 2, (int64_t)col);
    db_bind_int(s, 3, h->version);
    db_bind_int(s, 4, by->node_no);
    db_bind_int(s, 5, (int64_t)by->hlc);
    db_bind_id(s, 6, by->user);
    e = db_run(s, why);
    struct sight_last *last = &h->sight->last;
    if (last->tbl >= 0 && last->row.no == row_no) {
        if (last->row.version == h->version) return e; /* another column of it, or its birth, said so already */
        last->row.version = h->version;
    }
    if (e == ERR_OK) e = db_prepare(h->db, "UPDATE h_row SET version = $1 WHERE no = $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, h->version);
    db_bind_int(s, 2, row_no);
    return db_run(s, why);
}

static enum err after_set(struct hub *h, const struct table_rule *t, const struct hub_row *r, const uint8_t id[16],
                          size_t col, struct value v, struct why *why)
{
    const char *name = t->columns[col].name;
    struct sight_row noted = {.no = r->no, .case_no = r->case_no};
    uint8_t case_id[16];
    if (decided_says(t, col, v)) return touch_decided(h, r->case_no, why);
    if (column_is_due(t, col)) return remember_due(h, r->case_no, v, why);
    if (is_table(t, "site") && strcmp(name, "code") == 0) return add_site(h, v, why);
    if (is_table(t, "agency") && strcmp(name, "code") == 0) return add_agency_channel(h, v, why);
    if (!is_table(t, "conflict") || (strcmp(name, "kept_by") != 0 && strcmp(name, "lost_by") != 0)) return ERR_OK;
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db, "SELECT case_id FROM conflict WHERE id = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, id);
    e = db_step(s, &row, why);
    bool known = e == ERR_OK && row && db_id(s, 0, case_id);
    db_done(s);
    return known ? sight_author_voice_of(h, &noted, case_id, v, why) : e;
}

enum err sight_set(struct hub *h, const struct table_rule *t, const uint8_t id[16], size_t col, struct value v,
                   const struct actor *by, struct why *why)
{
    struct hub_row r = {0};
    enum err e = need_step(h, why);
    if (e == ERR_OK && (col == 0 || (t->kind == TABLE_CASE && col <= 2)))
        e = why_set(why, ERR_DENIED, "The id, case and agency of a row never change.");
    if (e == ERR_OK) e = find_row(h, t, id, &r, why);
    bool place = t->kind == TABLE_REFERENCE && sight_place_reads(t, col);
    if (e == ERR_OK && place) e = sight_place_touch(h, t, id, why);
    if (e == ERR_OK) e = db_row_set(h->db, t, id, col, v, why);
    if (e == ERR_OK && place) e = sight_place_touch(h, t, id, why);
    if (e == ERR_OK) e = write_column_entry(h, r.no, col, by, why);
    if (e == ERR_OK) e = note(h, t, id, &r, why);
    return e == ERR_OK ? after_set(h, t, &r, id, col, v, why) : e;
}

enum err sight_remove(struct hub *h, const struct table_rule *t, const uint8_t id[16], struct why *why)
{
    struct hub_row r = {0};
    struct stmt *s;
    enum err e = need_step(h, why);
    if (e == ERR_OK && t->kind != TABLE_REFERENCE)
        e = why_set(why, ERR_DENIED, "A row of a case is voided, never taken away.");
    if (e == ERR_OK) e = find_row(h, t, id, &r, why);
    h->sight->last.tbl = -1;
    if (e == ERR_OK) e = sight_place_touch(h, t, id, why);
    if (e == ERR_OK) e = db_row_delete(h->db, t, id, why);
    if (e == ERR_OK) e = db_prepare(h->db, "UPDATE h_row SET gone = 1, version = $1 WHERE no = $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, h->version);
    db_bind_int(s, 2, r.no);
    e = db_run(s, why);
    return e == ERR_OK ? note(h, t, id, &r, why) : e;
}

/* Also of one that was taken away, or erased: a device may hold it still. */
static enum err number_of(struct hub *h, const struct table_rule *t, const uint8_t id[16], int64_t *out, struct why *why)
{
    struct hub_row r = {0};
    struct stmt *s;
    const int tbl = rules_table_index(bytes_of_str(t->name));
    bool found = false;
    enum err e = sight_row(h, tbl, id, &r, &found, why);
    *out = r.no;
    if (e != ERR_OK || found) return e;
    e = db_prepare(h->db, "SELECT no FROM h_row WHERE id = $1 AND tbl = $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, id);
    db_bind_int(s, 2, tbl);
    e = db_step(s, &found, why);
    if (e == ERR_OK && found) *out = db_int(s, 0);
    db_done(s);
    return e == ERR_OK && !found ? why_set(why, ERR_NOTFOUND, "There is no such row.") : e;
}

enum err sight_named(struct hub *h, int64_t node_no, const struct table_rule *t, const uint8_t id[16], struct why *why)
{
    struct sight *sight = h->sight;
    struct hub_row r = {0};
    struct stmt *s;
    enum err e = need_step(h, why);
    if (e == ERR_OK) e = number_of(h, t, id, &r.no, why);
    if (e == ERR_OK) e = sight_grow(&sight->named, &sight->cap_named, sight->n_named, sizeof *sight->named, why);
    if (e == ERR_OK)
        e = db_prepare(h->db,
                       "INSERT INTO h_named(row_no, node_no, first, version) VALUES ($1, $2, $3, $3)"
                       " ON CONFLICT(row_no, node_no) DO UPDATE SET version = $3",
                       &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, r.no);
    db_bind_int(s, 2, node_no);
    db_bind_int(s, 3, h->version);
    e = db_run(s, why);
    if (e == ERR_OK) sight->named[sight->n_named++] = (struct sight_named){.row_no = r.no, .node_no = node_no};
    return e;
}
