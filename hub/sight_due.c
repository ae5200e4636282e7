/* Times that have come. Which time it is: hub/sight_clock.c. */
#include "hub/policy_change.h"
#include "hub/retention_internal.h"
#include "hub/sight_internal.h"

/* Due times that were swept too early stand in the rows still. */
static enum err learn_due_again(struct hub *h, struct why *why)
{
    static const char *const all[] = {
        "INSERT INTO h_due(at, case_no) SELECT x.expires_at, c.no FROM consent x JOIN h_case c ON c.id = x.case_id"
        " WHERE x.expires_at > $1 ON CONFLICT DO NOTHING",
        "INSERT INTO h_due(at, case_no) SELECT x.expires_at, c.no FROM release x JOIN h_case c ON c.id = x.case_id"
        " WHERE x.expires_at > $1 ON CONFLICT DO NOTHING",
        "INSERT INTO h_due(at, case_no) SELECT x.since, c.no FROM participant x JOIN h_case c ON c.id = x.case_id"
        " WHERE x.since > $1 ON CONFLICT DO NOTHING",
        "INSERT INTO h_due(at, case_no) SELECT x.until, c.no FROM participant x JOIN h_case c ON c.id = x.case_id"
        " WHERE x.until > $1 ON CONFLICT DO NOTHING",
    };
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < sizeof all / sizeof all[0]; i++) {
        struct stmt *q;
        e = db_prepare(h->db, all[i], &q, why);
        if (e != ERR_OK) break;
        db_bind_int(q, 1, h->now_ms);
        e = db_run(q, why);
    }
    return e;
}

static enum err find_due(struct hub *h, bool *out_any, struct why *why)
{
    struct stmt *q;
    bool row = false;
    enum err e = db_prepare(h->db, "SELECT min(at) FROM h_due", &q, why);
    if (e != ERR_OK) return e;
    e = db_step(q, &row, why);
    *out_any = e == ERR_OK && row && !db_is_null(q, 0) && db_int(q, 0) <= h->now_ms;
    db_done(q);
    return e;
}

static enum err touch_due(struct hub *h, struct why *why)
{
    struct sight *s = h->sight;
    struct stmt *q;
    bool row = false;
    enum err e = db_prepare(h->db, "SELECT DISTINCT case_no FROM h_due WHERE at <= $1", &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, h->now_ms);
    while ((e = db_step(q, &row, why)) == ERR_OK && row) {
        if ((e = sight_grow(&s->cases, &s->cap_cases, s->n_cases, sizeof *s->cases, why)) != ERR_OK) break;
        s->cases[s->n_cases++] = (struct sight_case){.no = db_int(q, 0), .all = true};
    }
    db_done(q);
    if (e == ERR_OK) e = db_prepare(h->db, "DELETE FROM h_due WHERE at <= $1", &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, h->now_ms);
    return db_run(q, why);
}

enum err sight_sweep(struct hub *h, struct why *why)
{
    bool due = false, went_back = false;
    enum err e = policy_change_load(h, why);
    if (e == ERR_OK) e = sight_clock(h, &went_back, &h->was_ms, why);
    if (e == ERR_OK) e = retention_clock_forward(h, why);
    if (e == ERR_OK) e = find_due(h, &due, why);
    if (e != ERR_OK || (!due && !went_back)) return e;
    e = sight_step(h, why);
    if (e == ERR_OK) e = touch_due(h, why);
    if (e == ERR_OK && went_back) {
        h->sight->all = true;
        e = learn_due_again(h, why);
        if (e == ERR_OK) e = retention_clock_back(h, why);
    }
    return e == ERR_OK ? sight_settle(h, why) : e;
}

enum err sight_sweep_at(struct hub *h, int64_t at_ms, struct why *why)
{
    struct stmt *q;
    bool due = false;
    h->now_ms = at_ms;
    enum err e = db_prepare(h->db, "UPDATE policy_now SET now = $1 WHERE now < $1", &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, at_ms);
    e = db_run(q, why);
    if (e == ERR_OK) e = find_due(h, &due, why);
    if (e != ERR_OK || !due) return e;
    e = sight_step(h, why);
    if (e == ERR_OK) e = touch_due(h, why);
    return e == ERR_OK ? sight_settle(h, why) : e;
}
