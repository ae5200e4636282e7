/* What administrators say of retention: the times, holds, and how it stands. hub/RETENTION.md. */
#include "hub/retention.h"

#include "hub/people.h"
#include "hub/proposal.h"
#include "hub/retention_internal.h"

#include "base/cbor.h"
#include "crypto/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define REASON_BYTES 1000u

static const struct actor the_hub = {0};
static const char *const scopes[] = {"partners", "lead", "erase"};

static enum err must_say_why(const char *reason, struct why *why)
{
    struct bytes r = bytes_of_str(reason == NULL ? "" : reason);
    if (r.n > 0 && r.n <= REASON_BYTES && utf8_valid(r)) return ERR_OK;
    return why_set(why, ERR_USAGE, "Say why (--reason), in 1 to %u bytes. It is kept, also when the case is not: name nobody in it.",
                   REASON_BYTES);
}

/* -------------------------------------------------------------------------------------------------------- the times */

enum err hub_retention_get(struct hub *h, struct retention_days *out, struct why *why)
{
    int64_t *const days[] = {&out->partners, &out->lead, &out->erase};
    struct stmt *s;
    bool row = false;
    *out = (struct retention_days){0};
    enum err e = db_prepare(h->db, "SELECT scope, days FROM retention WHERE event = 'closed'", &s, why);
    if (e != ERR_OK) return e;
    while ((e = db_step(s, &row, why)) == ERR_OK && row)
        for (size_t i = 0; i < 3; i++)
            if (bytes_equal(db_bytes(s, 0), bytes_of_str(scopes[i]))) *days[i] = db_int(s, 1);
    db_done(s);
    return e;
}

static enum err check_days(const struct retention_days *d, struct why *why)
{
    const int64_t v[] = {d->partners, d->lead, d->erase};
    for (size_t i = 0; i < 3; i++)
        if (v[i] < 0 || v[i] > RETENTION_MAX_DAYS)
            return why_set(why, ERR_USAGE, "A time has 1 to %d days; 0 means that nothing happens.", RETENTION_MAX_DAYS);
    if (d->lead > 0 && (d->partners == 0 || d->lead < d->partners))
        return why_set(why, ERR_USAGE, "A case leaves its lead agency no sooner than the partners, and only where it leaves these.");
    if (d->erase > 0 && (d->erase < RETENTION_NOTICE_DAYS || d->erase < d->partners || d->erase < d->lead))
        return why_set(why, ERR_USAGE, "A case is erased no sooner than it leaves devices, and after %d days at the earliest.",
                       RETENTION_NOTICE_DAYS);
    return ERR_OK;
}

/* One row a scope, whoever sets it. */
static enum err put_scope(struct hub *h, const char *scope, int64_t days, struct why *why)
{
    const int index = rules_table_index(bytes_of_str("retention"));
    struct row r = {.table = rules_table((size_t)index)};
    uint8_t hash[HASH_BYTES], id[16];
    struct hub_row there;
    char seed[64];
    bool found = false;
    (void)snprintf(seed, sizeof seed, "closed|%s", scope);
    hash_labelled(hash, "spoke/retention/1", bytes_of_str(seed));
    memcpy(id, hash, sizeof id);
    enum err e = sight_row(h, index, id, &there, &found, why);
    r.v[0] = value_id(id);
    r.v[1] = value_str("closed");
    r.v[2] = value_int(days);
    r.v[3] = value_str(scope);
    if (e == ERR_OK && !found) return sight_insert(h, &r, &the_hub, why);
    return e == ERR_OK ? sight_set(h, r.table, id, 2, r.v[2], &the_hub, why) : e;
}

/* All that are closed are looked at again, a few at a time; those from before count from when they changed last. At a
 * hub whose clock was ever set back nobody knows when that was: what its steps say to be years old may be last week's.
 * There they count from now. */
static enum err look_again(struct hub *h, struct why *why)
{
    static const char *const sql[] = {
        "INSERT INTO h_retention(case_no, level, closed_at, base, due) SELECT x.no, 0, x.at, x.at, 0 FROM (SELECT k.no AS no,"
        " CASE WHEN k.news = 0 OR EXISTS (SELECT 1 FROM h_act a WHERE a.act = 'clock went back') THEN $1 ELSE coalesce((SELECT t.at FROM h_step_time t WHERE t.version >= k.news ORDER BY t.version"
        " LIMIT 1), $1) END AS at FROM case_file f JOIN h_case k ON k.id = f.id WHERE f.status = 'closed') AS x WHERE true"
        " ON CONFLICT(case_no) DO NOTHING",
        "UPDATE h_retention SET due = $1 WHERE level < 3"};
    return retention_at_now(h, sql, sizeof sql / sizeof sql[0], why);
}

static enum err set(struct hub *h, const struct retention_days *d, const char *reason, struct why *why)
{
    const int64_t v[] = {d->partners, d->lead, d->erase};
    struct retention_days now;
    char about[120];
    enum err e = hub_retention_get(h, &now, why);
    if (e == ERR_OK && now.partners == d->partners && now.lead == d->lead && now.erase == d->erase)
        e = why_set(why, ERR_EXISTS, "The times stand like that already.");
    if (e == ERR_OK) e = sight_step(h, why);
    for (size_t i = 0; e == ERR_OK && i < 3; i++) e = put_scope(h, scopes[i], v[i], why);
    if (e == ERR_OK) e = sight_settle(h, why);
    if (e == ERR_OK) e = look_again(h, why);
    (void)snprintf(about, sizeof about, "partners %" PRId64 " lead %" PRId64 " erase %" PRId64, v[0], v[1], v[2]);
    return e == ERR_OK ? admins_act(h, MAY_SECURE, "retention set", about, reason, why) : e;
}

enum err hub_retention_set(struct hub *h, const struct retention_days *d, const char *reason, struct why *why)
{
    enum err e = must_say_why(reason, why);
    if (e == ERR_OK) e = check_days(d, why);
    if (e == ERR_OK) e = two_begin(h, true, why);
    return e == ERR_OK ? two_finish(h, set(h, d, reason, why), why) : e;
}

/* ------------------------------------------------------------------------------------------------------------ holds */

enum err hub_case_find(struct hub *h, const char *word, uint8_t out[16], struct why *why)
{
    struct stmt *s;
    uint8_t id[16] = {0};
    bool row = false, is_id = uuid_parse(id, bytes_of_str(word));
    int n = 0;
    enum err e = db_prepare(h->db,
                            is_id ? "SELECT id FROM case_file WHERE id = $1 LIMIT 2" : "SELECT id FROM case_file WHERE reference = $1 LIMIT 2",
                            &s, why);
    if (e != ERR_OK) return e;
    if (is_id)
        db_bind_id(s, 1, id);
    else
        db_bind_str(s, 1, word);
    while ((e = db_step(s, &row, why)) == ERR_OK && row)
        if (db_id(s, 0, id)) n++;
    db_done(s);
    if (e == ERR_OK && n != 1)
        e = why_set(why, ERR_NOTFOUND, n == 0 ? "There is no case of this id or reference." : "There are two cases of this reference: give the id.");
    if (e == ERR_OK) memcpy(out, id, sizeof id);
    return e;
}

static enum err look_at_case(struct hub *h, const uint8_t case_id[16], struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(
        h->db, "UPDATE h_retention SET due = $1 WHERE level < 3 AND case_no = (SELECT no FROM h_case WHERE id = $2)", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, h->now_ms);
    db_bind_id(s, 2, case_id);
    return db_run(s, why);
}

static enum err is_held(struct hub *h, const uint8_t case_id[16], bool *out, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, "SELECT 1 FROM h_hold WHERE case_id = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, case_id);
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

static enum err hold(struct hub *h, const uint8_t case_id[16], const char *reason, struct why *why)
{
    struct hub_admin self = {0};
    struct hub_row file;
    struct stmt *s = NULL;
    char about[37];
    bool held = false, found = false, known = false;
    enum err e = sight_row(h, rules_table_index(bytes_of_str("case_file")), case_id, &file, &found, why);
    if (e == ERR_OK && !found) e = why_set(why, ERR_NOTFOUND, "There is no such case.");
    if (e == ERR_OK) e = is_held(h, case_id, &held, why);
    if (e == ERR_OK && held) e = why_set(why, ERR_EXISTS, "This case is held already.");
    if (e == ERR_OK) e = admins_opener(h, &self, &known, why);
    if (e == ERR_OK) e = db_prepare(h->db, "INSERT INTO h_hold(case_id, at, who, reason) VALUES($1, $2, $3, $4)", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, case_id);
    db_bind_int(s, 2, h->now_ms);
    db_bind_str(s, 3, known ? self.name : NULL);
    db_bind_str(s, 4, reason);
    e = db_run(s, why);
    if (e == ERR_OK) e = look_at_case(h, case_id, why);
    uuid_format(case_id, about);
    return e == ERR_OK ? admins_act(h, MAY_OPERATE, "retention hold", about, reason, why) : e;
}

enum err hub_retention_hold(struct hub *h, const uint8_t case_id[16], const char *reason, struct why *why)
{
    enum err e = must_say_why(reason, why);
    if (e == ERR_OK) e = hub_begin(h, why);
    if (e != ERR_OK) return e;
    e = hold(h, case_id, reason, why);
    if (e == ERR_OK) return hub_commit(h, why);
    hub_abort(h);
    return e;
}

static enum err let_go(struct hub *h, const uint8_t case_id[16], const char *reason, struct why *why)
{
    struct stmt *s;
    char about[37];
    bool held = false;
    enum err e = db_prepare(h->db, "DELETE FROM h_hold WHERE case_id = $1 RETURNING case_id", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, case_id);
    e = db_step(s, &held, why);
    db_done(s);
    if (e == ERR_OK && !held) e = why_set(why, ERR_NOTFOUND, "This case is not held.");
    if (e == ERR_OK) e = look_at_case(h, case_id, why);
    uuid_format(case_id, about);
    return e == ERR_OK ? admins_act(h, MAY_SECURE, "retention release", about, reason, why) : e;
}

enum err hub_retention_release(struct hub *h, const uint8_t case_id[16], const char *reason, struct why *why)
{
    enum err e = must_say_why(reason, why);
    if (e == ERR_OK) e = two_begin(h, true, why);
    return e == ERR_OK ? two_finish(h, let_go(h, case_id, reason, why), why) : e;
}

/* ---------------------------------------------------------------------------------------------------- how it stands */

static enum err count(struct hub *h, const char *sql, uint64_t *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db, sql, &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &row, why);
    if (e == ERR_OK) *out = row ? (uint64_t)db_int(s, 0) : 0;
    db_done(s);
    return e;
}

enum err hub_retention_overdue(struct hub *h, uint64_t *out, struct why *why)
{
    return count(h, "SELECT count(*) FROM h_retention WHERE level < 3 AND told_at IS NOT NULL AND due IS NULL", out, why);
}

enum err hub_retention_state(struct hub *h, struct retention_state *out, struct why *why)
{
    uint64_t first = 0;
    *out = (struct retention_state){0};
    const struct {
        const char *sql;
        uint64_t *to;
    } counts[] = {
        {"SELECT count(*) FROM case_file WHERE status = 'closed'", &out->closed},
        {"SELECT count(*) FROM h_retention WHERE level = 1", &out->left},
        {"SELECT count(*) FROM h_retention WHERE level = 2", &out->gone},
        {"SELECT count(*) FROM h_retention WHERE level < 3 AND told_at IS NOT NULL", &out->announced},
        {"SELECT min(due) FROM h_retention WHERE level < 3 AND told_at IS NOT NULL", &first},
        {"SELECT count(*) FROM case_file f WHERE f.status = 'closed' AND (EXISTS (SELECT 1 FROM held x WHERE x.case_id = f.id AND"
         " x.state = 'waiting') OR EXISTS (SELECT 1 FROM conflict c WHERE c.case_id = f.id AND c.state = 'open'))",
         &out->unsettled},
        {"SELECT count(*) FROM h_hold", &out->holds},
        {"SELECT count(*) FROM h_erased", &out->erased},
        {"SELECT count(*) FROM h_erased x JOIN h_case k ON k.id = x.case_id WHERE EXISTS (SELECT 1 FROM h_row r JOIN h_drop d ON"
         " d.row_no = r.no JOIN h_node n ON n.no = d.node_no WHERE r.case_no = k.no AND d.receipt_at IS NULL AND n.state <> 'wiped')",
         &out->unconfirmed},
    };
    enum err e = hub_retention_get(h, &out->days, why);
    if (e == ERR_OK) e = hub_retention_overdue(h, &out->overdue, why);
    for (size_t i = 0; e == ERR_OK && i < sizeof counts / sizeof counts[0]; i++) e = count(h, counts[i].sql, counts[i].to, why);
    out->first_ms = (int64_t)first;
    return e;
}
