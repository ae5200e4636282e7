/* When steps of the order were made: the hub's order is by numbers, people ask by the clock. One row a transaction,
 * whose steps all have its time. Times rise with the order, so that they are searched without an index, which every
 * write would pay for. */
#include "hub/internal.h"

struct made {
    int64_t version, at;
    bool found;
};

static enum err ask(struct hub *h, const char *sql, int64_t version, struct made *out, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, sql, &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, version);
    e = db_step(s, &out->found, why);
    if (e == ERR_OK && out->found) {
        out->version = db_int(s, 0);
        out->at = db_int(s, 1);
    }
    db_done(s);
    return e;
}

static enum err first_from(struct hub *h, int64_t version, struct made *out, struct why *why)
{
    return ask(h, "SELECT version, at FROM h_step_time WHERE version >= $1 ORDER BY version LIMIT 1", version, out,
               why);
}

static enum err last_before(struct hub *h, int64_t version, struct made *out, struct why *why)
{
    return ask(h, "SELECT version, at FROM h_step_time WHERE version < $1 ORDER BY version DESC LIMIT 1", version, out,
               why);
}

/* What was made while the clock ran ahead was made before now. */
static enum err put_right(struct hub *h, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, "UPDATE h_step_time SET at = $1 WHERE at > $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, h->now_ms);
    return db_run(s, why);
}

enum err step_time_note(struct hub *h, struct why *why)
{
    struct made last = {0};
    struct stmt *s;
    enum err e = last_before(h, INT64_MAX, &last, why);
    if (e == ERR_OK && last.found && last.at > h->now_ms) e = put_right(h, why);
    if (e != ERR_OK || (last.found && last.version >= h->version)) return e;
    e = db_prepare(h->db, "INSERT INTO h_step_time(version, at) VALUES ($1, $2)", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, h->version);
    db_bind_int(s, 2, h->now_ms);
    return db_run(s, why);
}

enum err step_time_find(struct hub *h, int64_t at_ms, int64_t *out_version, struct why *why)
{
    struct made last = {0}, m = {0};
    int64_t low = 1;
    enum err e = last_before(h, INT64_MAX, &last, why);
    if (e == ERR_OK && (!last.found || last.at <= at_ms)) *out_version = last.found ? last.version : 0;
    if (e != ERR_OK || !last.found || last.at <= at_ms) return e;
    for (int64_t high = last.version;
         e == ERR_OK && low < high;) { /* the first that is later than at_ms is not below low */
        int64_t middle = low + (high - low) / 2;
        e = first_from(h, middle, &m, why);
        if (e == ERR_OK && m.found && m.at <= at_ms)
            low = m.version + 1;
        else
            high = middle;
    }
    if (e == ERR_OK) e = first_from(h, low, &m, why);
    if (e == ERR_OK) e = last_before(h, m.found ? m.version : low, &last, why);
    if (e == ERR_OK) *out_version = last.found ? last.version : 0;
    return e;
}

enum err step_time_of(struct hub *h, int64_t version, int64_t *out_ms, struct why *why)
{
    struct made m = {.at = h->now_ms}; /* a step of the running transaction */
    enum err e = first_from(h, version, &m, why);
    if (e == ERR_OK) *out_ms = m.at;
    return e;
}
