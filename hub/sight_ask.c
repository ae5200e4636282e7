/* Questions about sight: now and at any version of the hub's order. */
#include "hub/sight_internal.h"

#include <string.h>

enum err sight_version(struct hub *h, int64_t *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    if (sight_counts_here(h)) {
        *out = h->version;
        return ERR_OK;
    }
    enum err e = db_prepare(h->db, "SELECT value FROM h_counter WHERE name = 'version'", &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &row, why);
    if (e == ERR_OK) *out = row ? db_int(s, 0) : 0;
    db_done(s);
    return e;
}

/* Where the running step keeps what was asked last; NULL outside one. */
static struct sight_last *last_of(struct hub *h)
{
    return h->sight != NULL && h->sight->open ? &h->sight->last : NULL;
}

/* Also of one that was taken away. *out is to be given back, unless this fails. */
static enum err ask_row(struct hub *h, int table_index, const uint8_t id[16], struct stmt **out, bool *out_row,
                        struct why *why)
{
    enum err e = db_prepare(h->db,
                            "SELECT no, case_no, mask, mask_version, version, born, born_node, born_hlc, born_user, gone"
                            " FROM h_row WHERE id = $1 AND tbl = $2",
                            out, why);
    if (e != ERR_OK) return e;
    db_bind_id(*out, 1, id);
    db_bind_int(*out, 2, table_index);
    e = db_step(*out, out_row, why);
    if (e != ERR_OK) db_done(*out);
    return e;
}

enum err sight_row_gone(struct hub *h, int table_index, const uint8_t id[16], bool *out_known, bool *out_gone,
                        struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = ask_row(h, table_index, id, &s, &row, why);
    if (e != ERR_OK) return e;
    *out_known = row;
    *out_gone = row && db_int(s, 9) != 0;
    db_done(s);
    return e;
}

enum err sight_row(struct hub *h, int table_index, const uint8_t id[16], struct hub_row *out, bool *out_found,
                   struct why *why)
{
    struct sight_last *last = last_of(h);
    struct stmt *s;
    bool row = false;
    if (last != NULL && last->tbl >= 0 && last->tbl == table_index && memcmp(last->id, id, 16) == 0) {
        *out = last->row;
        *out_found = true;
        return ERR_OK;
    }
    enum err e = ask_row(h, table_index, id, &s, &row, why);
    if (e != ERR_OK) return e;
    row = row && db_int(s, 9) == 0;
    if (row) {
        *out = (struct hub_row){.no = db_int(s, 0),
                                .case_no = db_int(s, 1),
                                .mask = db_int(s, 2),
                                .mask_version = db_int(s, 3),
                                .version = db_int(s, 4),
                                .born = db_int(s, 5),
                                .born_node = db_int(s, 6),
                                .born_hlc = (uint64_t)db_int(s, 7)};
        (void)db_id(s, 8, out->born_user);
        if (last != NULL) {
            last->tbl = table_index;
            memcpy(last->id, id, 16);
            last->row = *out;
        }
    }
    if (e == ERR_OK) *out_found = row;
    db_done(s);
    return e;
}

enum err sight_case(struct hub *h, const uint8_t id[16], struct hub_case *out, bool *out_found, struct why *why)
{
    struct sight_last *last = last_of(h);
    struct stmt *s;
    bool row = false;
    if (last != NULL && last->in.no != 0 && memcmp(last->case_id, id, 16) == 0) {
        *out = last->in;
        *out_found = true;
        return ERR_OK;
    }
    enum err e = db_prepare(h->db, "SELECT no, born, born_node FROM h_case WHERE id = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, id);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row)
        *out = (struct hub_case){.no = db_int(s, 0), .born = db_int(s, 1), .born_node = db_int(s, 2)};
    if (e == ERR_OK && row && last != NULL) {
        last->in = *out;
        memcpy(last->case_id, id, 16);
    }
    if (e == ERR_OK) *out_found = row;
    db_done(s);
    return e;
}

enum err sight_column(struct hub *h, const struct hub_row *r, size_t col, struct column_version *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    struct column_version v = {.version = r->born, .node_no = r->born_node, .hlc = r->born_hlc};
    memcpy(v.user, r->born_user, sizeof v.user);
    enum err e =
        db_prepare(h->db, "SELECT version, node_no, hlc, user FROM h_col WHERE row_no = $1 AND col = $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, r->no);
    db_bind_int(s, 2, (int64_t)col);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) {
        v = (struct column_version){.version = db_int(s, 0), .node_no = db_int(s, 1), .hlc = (uint64_t)db_int(s, 2)};
        (void)db_id(s, 3, v.user);
    }
    if (e == ERR_OK) *out = v;
    db_done(s);
    return e;
}

enum err sight_seat(struct hub *h, int64_t site_no, int64_t case_no, int64_t version, int64_t *out_mask,
                    int *out_access, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e =
        db_prepare(h->db,
                   version == INT64_MAX
                       ? "SELECT mask, access FROM h_seat WHERE site_no = $1 AND case_no = $2"
                       : "SELECT mask, access FROM h_seat_log WHERE site_no = $1 AND case_no = $2 AND version <= $3"
                         " ORDER BY version DESC LIMIT 1",
                   &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, site_no);
    db_bind_int(s, 2, case_no);
    if (version != INT64_MAX) db_bind_int(s, 3, version);
    e = db_step(s, &row, why);
    if (e == ERR_OK) {
        *out_mask = row ? db_int(s, 0) : 0;
        *out_access = row ? (int)db_int(s, 1) : 0;
    }
    db_done(s);
    return e;
}

/* The mask that stands, and since when. */
static enum err mask_now(struct hub *h, int64_t row_no, int64_t *out_version, int64_t *out_mask, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db, "SELECT mask_version, mask FROM h_row WHERE no = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, row_no);
    e = db_step(s, &row, why);
    if (e == ERR_OK) {
        *out_version = row ? db_int(s, 0) : 0;
        *out_mask = row ? db_int(s, 1) : 0;
    }
    db_done(s);
    return e;
}

enum err sight_mask(struct hub *h, int64_t row_no, int64_t version, int64_t *out_mask, struct why *why)
{
    struct stmt *s;
    bool row = false;
    int64_t since = 0, mask = 0;
    enum err e = mask_now(h, row_no, &since, &mask, why);
    if (e != ERR_OK || since <= version) {
        if (e == ERR_OK) *out_mask = mask;
        return e;
    }
    e = db_prepare(h->db, "SELECT mask FROM h_mask WHERE row_no = $1 AND version <= $2 ORDER BY version DESC LIMIT 1",
                   &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, row_no);
    db_bind_int(s, 2, version);
    e = db_step(s, &row, why);
    if (e == ERR_OK) *out_mask = row ? db_int(s, 0) : 0;
    db_done(s);
    return e;
}

/* ------------------------------------------------------------------------------------- since when, without a break */

/* One of the two histories, newest first. Before its first entry a mask is 0. */
struct history {
    struct stmt *s;
    int64_t version;
    int64_t mask;
};

static enum err history_back(struct history *p, struct why *why)
{
    bool row = false;
    enum err e = p->s == NULL ? ERR_OK : db_step(p->s, &row, why);
    if (e == ERR_OK) {
        p->version = row ? db_int(p->s, 0) : 0;
        p->mask = row ? db_int(p->s, 1) : 0;
        if (!row) {
            db_done(p->s);
            p->s = NULL;
        }
    }
    return e;
}

static enum err open_histories(struct hub *h, int64_t site_no, int64_t case_no, int64_t row_no, struct history *row,
                               struct history *seat, struct why *why)
{
    enum err e = mask_now(h, row_no, &row->version, &row->mask, why);
    if (e == ERR_OK)
        e = db_prepare(h->db, "SELECT version, mask FROM h_mask WHERE row_no = $1 ORDER BY version DESC", &row->s, why);
    if (e == ERR_OK)
        e = db_prepare(h->db,
                       "SELECT version, mask FROM h_seat_log WHERE site_no = $1 AND case_no = $2 ORDER BY version DESC",
                       &seat->s, why);
    if (e != ERR_OK) return e;
    db_bind_int(row->s, 1, row_no);
    db_bind_int(seat->s, 1, site_no);
    db_bind_int(seat->s, 2, case_no);
    return history_back(seat, why);
}

enum err sight_unbroken(struct hub *h, int64_t site_no, int64_t case_no, int64_t row_no, int64_t *out, struct why *why)
{
    struct history row = {0}, seat = {0};
    int64_t since = 0;
    enum err e = open_histories(h, site_no, case_no, row_no, &row, &seat, why);
    while (e == ERR_OK && (row.mask & seat.mask) != 0) {
        /* The younger of the two made it so; what was before that one? */
        bool row_back = row.version >= seat.version, seat_back = seat.version >= row.version;
        since = row_back ? row.version : seat.version;
        if (row_back) e = history_back(&row, why);
        if (e == ERR_OK && seat_back) e = history_back(&seat, why);
    }
    db_done(row.s);
    db_done(seat.s);
    if (e == ERR_OK) *out = since;
    return e;
}

enum err sight_since(struct hub *h, int64_t site_no, const struct hub_row *r, int64_t *out_version, struct why *why)
{
    return sight_unbroken(h, site_no, r->case_no, r->no, out_version, why);
}
