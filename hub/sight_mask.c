/* What the views of policy.sql say, as masks. The only file that knows which bit stands for which channel. */
#include "hub/retention_internal.h"
#include "hub/sight_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum err load_channels(struct hub *h, struct why *why)
{
    struct sight *s = h->sight;
    struct stmt *q;
    bool row = false;
    if (s->channels_known) return ERR_OK;
    s->n_channels = 0;
    enum err e = db_prepare(h->db, "SELECT bit, name FROM h_channel", &q, why);
    if (e != ERR_OK) return e;
    while ((e = db_step(q, &row, why)) == ERR_OK && row) {
        struct bytes name = db_bytes(q, 1);
        int64_t bit = db_int(q, 0);
        if (s->n_channels > SIGHT_MAX_BIT || name.n >= SIGHT_MAX_CHANNEL || bit < 0 || bit > SIGHT_MAX_BIT) {
            e = why_set(why, ERR_TAMPERED, "The hub's list of channels is damaged.");
            break;
        }
        struct sight_channel *c = &s->channels[s->n_channels++];
        c->bit = (int)bit;
        memcpy(c->name, name.p, name.n);
        c->name[name.n] = '\0';
    }
    db_done(q);
    s->channels_known = e == ERR_OK;
    return e;
}

static int known_bit(const struct sight *s, struct bytes name)
{
    for (size_t i = 0; i < s->n_channels; i++)
        if (strlen(s->channels[i].name) == name.n && memcmp(s->channels[i].name, name.p, name.n) == 0)
            return s->channels[i].bit;
    return -1;
}

/* Words in rows name agencies freely (to_agency, member). Only those that the hub knows, the schemes of the policy and
 * channels that stand in its text, word for word, may use up bits: else one partner could exhaust them for
 * everybody. */
static enum err may_have_bit(struct hub *h, struct bytes name, bool *out, struct why *why)
{
    static const char agency[] = "agency:", scheme[] = "scheme:";
    struct stmt *q;
    bool row = false, is_agency = name.n > 7 && memcmp(name.p, agency, 7) == 0,
         is_scheme = name.n > 7 && memcmp(name.p, scheme, 7) == 0;
    *out = false;
    if (name.n == 0 || name.n >= SIGHT_MAX_CHANNEL) return ERR_OK;
    const char *schemes = h->sight->views == VIEWS_COMING ? "SELECT 1 FROM temp.scheme_kind WHERE scheme = $1 LIMIT 1"
                                                          : "SELECT 1 FROM main.scheme_kind WHERE scheme = $1 LIMIT 1";
    const char *words = "SELECT 1 FROM h_policy WHERE (state = 'in_force' OR state = 'coming')"
                        " AND replace(text, '''' || $1 || '''', '') <> text LIMIT 1";
    enum err e = db_prepare(h->db,
                            is_agency   ? "SELECT 1 FROM agency WHERE code = $1 LIMIT 1"
                            : is_scheme ? schemes
                                        : words,
                            &q, why);
    if (e != ERR_OK) return e;
    db_bind_text(q, 1, is_agency || is_scheme ? bytes_of(name.p + 7, name.n - 7) : name);
    e = db_step(q, &row, why);
    *out = e == ERR_OK && row;
    db_done(q);
    return e;
}

static enum err give_bit(struct hub *h, struct bytes name, int *out_bit, struct why *why)
{
    struct sight *s = h->sight;
    struct stmt *q;
    int bit = 0;
    for (size_t i = 0; i < s->n_channels; i++)
        if (s->channels[i].bit >= bit) bit = s->channels[i].bit + 1;
    if (bit > SIGHT_MAX_BIT) {
        (void)why_set(why, ERR_LIMIT,
                      "This hub cannot hold another agency: it can tell no more than %d channels apart.",
                      SIGHT_MAX_BIT + 1);
        return why_next(why, ERR_LIMIT,
                        "Add the new partner as a site of an agency that is here already, if that is right, "
                        "or use a second hub.");
    }
    enum err e = db_prepare(h->db, "INSERT INTO h_channel(bit, name) VALUES ($1, $2)", &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, bit);
    db_bind_text(q, 2, name);
    e = db_run(q, why);
    if (e != ERR_OK) return e;
    struct sight_channel *c = &s->channels[s->n_channels++];
    c->bit = bit;
    memcpy(c->name, name.p, name.n);
    c->name[name.n] = '\0';
    *out_bit = bit;
    return ERR_OK;
}

enum err sight_channel_bit(struct hub *h, struct bytes name, int *out_bit, struct why *why)
{
    bool may = false;
    enum err e = load_channels(h, why);
    if (e != ERR_OK) return e;
    int bit = known_bit(h->sight, name);
    if (bit < 0) {
        e = may_have_bit(h, name, &may, why);
        if (e == ERR_OK && may) e = give_bit(h, name, &bit, why);
    }
    if (e == ERR_OK) *out_bit = bit;
    return e;
}

static enum err add_channel(struct hub *h, struct bytes name, int64_t *mask, struct why *why)
{
    int bit = -1;
    enum err e = sight_channel_bit(h, name, &bit, why);
    if (e == ERR_OK && bit >= 0) *mask |= (int64_t)1 << bit;
    return e;
}

/* Runs a bound statement whose column 0 is a channel, and gives it back. */
static enum err take_mask(struct hub *h, struct stmt *q, int64_t *out, struct why *why)
{
    bool row = false;
    int64_t mask = 0;
    enum err e;
    while ((e = db_step(q, &row, why)) == ERR_OK && row)
        if ((e = add_channel(h, db_bytes(q, 0), &mask, why)) != ERR_OK) break;
    db_done(q);
    if (e == ERR_OK) *out = mask;
    return e;
}

/* The row that a conflict is about goes into the question as constants, so that SQLite looks up that one row. */
static enum err mask_conflict(struct hub *h, struct sight_row *r, struct why *why)
{
    struct stmt *about, *q = NULL;
    bool row = false;
    enum err e = db_prepare(h->db, "SELECT tbl, row_id FROM conflict WHERE id = $1", &about, why);
    if (e != ERR_OK) return e;
    db_bind_id(about, 1, r->id);
    e = db_step(about, &row, why);
    r->new_mask = 0;
    if (e == ERR_OK && row) {
        e = db_prepare(h->db,
                       h->sight->views == VIEWS_COMING
                           ? "SELECT channel FROM temp.conflict_channel WHERE id = $1 AND tbl = $2 AND row_id = $3"
                           : "SELECT channel FROM main.conflict_channel WHERE id = $1 AND tbl = $2 AND row_id = $3",
                       &q, why);
        if (e == ERR_OK) {
            db_bind_id(q, 1, r->id);
            db_bind_text(q, 2, db_bytes(about, 0));
            db_bind_blob(q, 3, db_bytes(about, 1));
            e = take_mask(h, q, &r->new_mask, why);
        }
    }
    db_done(about);
    return e;
}

static bool is_conflict(int tbl)
{
    return tbl == rules_table_index(bytes_of_str("conflict"));
}

/* PostgreSQL makes ready every table that the view has for each question, unless the text names the one. */
static enum err mask_by_name(struct hub *h, struct sight_row *r, struct why *why)
{
    struct stmt *q;
    char sql[160];
    (void)snprintf(sql, sizeof sql, "SELECT channel FROM %s.plain_channel WHERE tbl = '%s' AND id = $1",
                   h->sight->views == VIEWS_COMING ? "temp" : "main", rules_table((size_t)r->tbl)->name);
    enum err e = db_prepare(h->db, sql, &q, why);
    if (e != ERR_OK) return e;
    db_bind_id(q, 1, r->id);
    return take_mask(h, q, &r->new_mask, why);
}

enum err sight_mask_row(struct hub *h, struct sight_row *r, struct why *why)
{
    struct stmt *q;
    if (is_conflict(r->tbl)) return mask_conflict(h, r, why);
    if (db_is_postgres(h->db)) return mask_by_name(h, r, why);
    enum err e = db_prepare(h->db,
                            h->sight->views == VIEWS_COMING
                                ? "SELECT channel FROM temp.plain_channel WHERE tbl = $1 AND id = $2"
                                : "SELECT channel FROM main.plain_channel WHERE tbl = $1 AND id = $2",
                            &q, why);
    if (e != ERR_OK) return e;
    db_bind_str(q, 1, rules_table((size_t)r->tbl)->name);
    db_bind_id(q, 2, r->id);
    return take_mask(h, q, &r->new_mask, why);
}

static enum err case_id(struct hub *h, int64_t case_no, uint8_t out[16], struct why *why)
{
    struct stmt *q;
    bool row = false;
    enum err e = db_prepare(h->db, "SELECT id FROM h_case WHERE no = $1", &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, case_no);
    e = db_step(q, &row, why);
    if (e == ERR_OK && (!row || !db_id(q, 0, out)))
        e = why_set(why, ERR_TAMPERED, "The hub's list of cases is damaged.");
    db_done(q);
    return e;
}

/* Takes one row of the case-wide question into the sorted array. */
static enum err take_case_row(struct hub *h, struct stmt *q, int64_t case_no, struct sight_row *rows, size_t n,
                              struct why *why)
{
    struct sight_row key = {.case_no = case_no, .tbl = rules_table_index(db_bytes(q, 0))};
    if (!db_id(q, 1, key.id)) return ERR_OK;
    struct sight_row *r = bsearch(&key, rows, n, sizeof *rows, sight_row_order);
    return r == NULL ? ERR_OK : add_channel(h, db_bytes(q, 2), &r->new_mask, why);
}

enum err sight_mask_case(struct hub *h, int64_t case_no, struct sight_row *rows, size_t n, struct why *why)
{
    struct stmt *q;
    uint8_t id[16];
    bool row = false;
    for (size_t i = 0; i < n; i++) rows[i].new_mask = 0;
    enum err e = case_id(h, case_no, id, why);
    if (e == ERR_OK)
        e = db_prepare(h->db,
                       h->sight->views == VIEWS_COMING
                           ? "SELECT tbl, id, channel FROM temp.plain_channel WHERE case_id = $1"
                           : "SELECT tbl, id, channel FROM main.plain_channel WHERE case_id = $1",
                       &q, why);
    if (e != ERR_OK) return e;
    db_bind_id(q, 1, id);
    while ((e = db_step(q, &row, why)) == ERR_OK && row)
        if ((e = take_case_row(h, q, case_no, rows, n, why)) != ERR_OK) break;
    db_done(q);
    for (size_t i = 0; e == ERR_OK && i < n; i++)
        if (is_conflict(rows[i].tbl)) e = mask_conflict(h, &rows[i], why);
    return e;
}

/* ------------------------------------------------------------------------------------------------------------ seats */

static enum err load_seats(struct hub *h, int64_t case_no, struct why *why)
{
    struct sight *s = h->sight;
    struct stmt *q;
    bool row = false;
    s->n_seats = 0;
    enum err e = db_prepare(h->db, "SELECT site_no, mask, access, version, news FROM h_seat WHERE case_no = $1", &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, case_no);
    while ((e = db_step(q, &row, why)) == ERR_OK && row) {
        if ((e = sight_grow(&s->seats, &s->cap_seats, s->n_seats, sizeof *s->seats, why)) != ERR_OK) break;
        struct sight_seat *seat = &s->seats[s->n_seats++];
        *seat = (struct sight_seat){.site_no = db_int(q, 0),
                                    .old_mask = db_int(q, 1),
                                    .old_access = (int)db_int(q, 2),
                                    .version = db_int(q, 3),
                                    .news = db_int(q, 4)};
        seat->new_mask = seat->old_mask;
        seat->new_access = seat->old_access;
    }
    db_done(q);
    return e;
}

static enum err seat_of(struct hub *h, int64_t site_no, struct sight_seat **out, struct why *why)
{
    struct sight *s = h->sight;
    for (size_t i = s->n_seats; i > 0; i--) {
        if (s->seats[i - 1].site_no == site_no) {
            *out = &s->seats[i - 1];
            return ERR_OK;
        }
    }
    enum err e = sight_grow(&s->seats, &s->cap_seats, s->n_seats, sizeof *s->seats, why);
    if (e != ERR_OK) return e;
    *out = &s->seats[s->n_seats++];
    **out = (struct sight_seat){.site_no = site_no, .is_new = true};
    return ERR_OK;
}

static enum err take_seat(struct hub *h, struct stmt *q, bool access, struct why *why)
{
    struct sight_seat *seat;
    if (db_is_null(q, 0)) return ERR_OK; /* a site without a number has no nodes */
    enum err e = seat_of(h, db_int(q, 0), &seat, why);
    if (e != ERR_OK) return e;
    if (!access) return add_channel(h, db_bytes(q, 1), &seat->new_mask, why);
    if (seat->new_access < (int)db_int(q, 1)) seat->new_access = (int)db_int(q, 1);
    return ERR_OK;
}

static enum err ask_seats(struct hub *h, const char *sql, const uint8_t id[16], bool access, struct why *why)
{
    struct stmt *q;
    bool row = false;
    enum err e = db_prepare(h->db, sql, &q, why);
    if (e != ERR_OK) return e;
    db_bind_id(q, 1, id);
    while ((e = db_step(q, &row, why)) == ERR_OK && row)
        if ((e = take_seat(h, q, access, why)) != ERR_OK) break;
    db_done(q);
    return e;
}

enum err sight_ask_seats(struct hub *h, int64_t case_no, struct why *why)
{
    struct sight *s = h->sight;
    bool coming = s->views == VIEWS_COMING;
    uint8_t id[16];
    for (size_t j = 0; j < s->n_seats; j++) s->seats[j].new_mask = s->seats[j].new_access = 0;
    enum err e = case_id(h, case_no, id, why);
    if (e == ERR_OK)
        e = ask_seats(h,
                      coming ? "SELECT (SELECT no FROM h_site WHERE code = site), channel FROM temp.site_channel"
                               " WHERE case_id = $1"
                             : "SELECT (SELECT no FROM h_site WHERE code = site), channel FROM main.site_channel"
                               " WHERE case_id = $1",
                      id, false, why);
    if (e == ERR_OK)
        e = ask_seats(h,
                      coming ? "SELECT (SELECT no FROM h_site WHERE code = site), access FROM temp.site_access"
                               " WHERE case_id = $1"
                             : "SELECT (SELECT no FROM h_site WHERE code = site), access FROM main.site_access"
                               " WHERE case_id = $1",
                      id, true, why);
    return e == ERR_OK ? retention_narrow(h, case_no, why) : e;
}

enum err sight_mask_seats(struct hub *h, int64_t case_no, bool recompute, struct why *why)
{
    enum err e = load_seats(h, case_no, why);
    return e == ERR_OK && recompute ? sight_ask_seats(h, case_no, why) : e;
}
