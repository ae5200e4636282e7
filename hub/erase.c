/* Erasing a closed case: hub/RETENTION.md, "What erasing takes away". */
#include "hub/people.h"
#include "hub/proposal.h"
#include "hub/retention_internal.h"
#include "hub/row_cache.h"
#include "hub/store.h"

#include "base/cbor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REASON_BYTES 1000u
#define PREPARE      1000 /* envelopes looked through in one transaction */

/* ---------------------------------------------------------------------------------------------------- what is known */

enum err erase_known(struct hub *h, const uint8_t case_id[16], bool *out, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, "SELECT 1 FROM h_erased WHERE case_id = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, case_id);
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

static enum err record(struct hub *h, const struct erasing *x, struct why *why)
{
    const struct erasure *w = &x->what;
    struct stmt *s;
    enum err e = db_prepare(h->db,
                            "INSERT INTO h_erased(case_id, at, how, who, second, reason, rows, envelopes, unsettled)"
                            " VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, w->case_id);
    db_bind_int(s, 2, w->at_ms);
    db_bind_str(s, 3, w->how);
    db_bind_str(s, 4, w->who);
    db_bind_str(s, 5, w->second);
    db_bind_str(s, 6, w->reason);
    db_bind_int(s, 7, x->rows);
    db_bind_int(s, 8, x->envelopes);
    db_bind_int(s, 9, w->unsettled);
    return db_run(s, why);
}

/* ------------------------------------------------------------------------------------------------- rows of the case */

enum err erasing_add_id(struct erasing *x, const uint8_t id[16], struct why *why)
{
    if (x->n_ids == x->cap_ids) {
        size_t cap = x->cap_ids == 0 ? 256 : x->cap_ids * 2;
        uint8_t(*grown)[16] = reallocarray(x->ids, cap, sizeof *grown);
        if (grown == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to erase this case. Nothing was erased.");
        x->ids = grown;
        x->cap_ids = cap;
    }
    memcpy(x->ids[x->n_ids++], id, 16);
    return ERR_OK;
}

static enum err load_ids(struct hub *h, struct erasing *x, struct why *why)
{
    struct stmt *s;
    uint8_t id[16];
    bool row = false;
    enum err e = db_prepare(h->db, "SELECT id FROM h_row WHERE case_no = $1 ORDER BY id", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, x->case_no);
    while ((e = db_step(s, &row, why)) == ERR_OK && row)
        if (!db_id(s, 0, id) || (e = erasing_add_id(x, id, why)) != ERR_OK) break;
    db_done(s);
    x->rows = (int64_t)x->n_ids;
    return e;
}

static enum err load_reference(struct hub *h, struct erasing *x, struct why *why)
{
    struct stmt *s;
    bool row = false;
    /* Where another case has it too, nobody knows whose words they are: they stay. */
    enum err e = db_prepare(h->db,
                            "SELECT f.reference FROM case_file f WHERE f.id = $1 AND NOT EXISTS (SELECT 1 FROM case_file o WHERE"
                            " o.reference = f.reference AND o.id <> f.id)",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, x->what.case_id);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row && db_bytes(s, 0).n < sizeof x->reference)
        (void)snprintf(x->reference, sizeof x->reference, "%.*s", (int)db_bytes(s, 0).n,
                       db_bytes(s, 0).n > 0 ? (const char *)db_bytes(s, 0).p : "");
    db_done(s);
    return e;
}

/* Everything that hangs on the rows, before the rows themselves; `by_id`: $1 is the case's id, else its number. The
 * rows stay as ids alone: devices are told by them what to forget, and a late change is known by them. */
static const struct {
    bool by_id;
    const char *sql;
} beside[] = {
    {true, "DELETE FROM h_conflict WHERE conflict_id IN (SELECT id FROM conflict WHERE case_id = $1)"},
    {true, "DELETE FROM h_held_case WHERE held_id IN (SELECT id FROM held WHERE case_id = $1)"},
    {true, "DELETE FROM case_decided WHERE record_id IN (SELECT id FROM record WHERE case_id = $1)"},
    {true, "DELETE FROM case_voice WHERE case_id = $1"},
    {true, "DELETE FROM h_hold WHERE case_id = $1"},
    {true, "DELETE FROM h_part WHERE case_id = $1"},
    {false, "DELETE FROM h_held_row WHERE id IN (SELECT id FROM h_row WHERE case_no = $1)"},
    {false, "DELETE FROM h_view WHERE id IN (SELECT id FROM h_row WHERE case_no = $1)"},
    {false, "DELETE FROM h_rival WHERE row_no IN (SELECT no FROM h_row WHERE case_no = $1)"},
    {false, "DELETE FROM h_col WHERE row_no IN (SELECT no FROM h_row WHERE case_no = $1)"},
    {false, "DELETE FROM h_mask WHERE row_no IN (SELECT no FROM h_row WHERE case_no = $1)"},
    {false, "DELETE FROM h_named WHERE row_no IN (SELECT no FROM h_row WHERE case_no = $1)"},
    {false, "DELETE FROM h_until WHERE case_no = $1"},
    {false, "DELETE FROM h_due WHERE case_no = $1"},
    {false, "DELETE FROM h_turn WHERE case_no = $1"},
    {false, "DELETE FROM h_seat_log WHERE case_no = $1"},
    {false, "DELETE FROM h_seat WHERE case_no = $1"},
    {false, "UPDATE h_row SET gone = 2, mask = 0, born_hlc = 0, born_user = NULL WHERE case_no = $1"},
};

static enum err run(struct hub *h, const char *sql, const struct erasing *x, bool by_id, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, sql, &s, why);
    if (e != ERR_OK) return e;
    if (by_id)
        db_bind_id(s, 1, x->what.case_id);
    else
        db_bind_int(s, 1, x->case_no);
    return db_run(s, why);
}

static enum err delete_rows(struct hub *h, const struct erasing *x, struct why *why)
{
    size_t n;
    const struct table_rule *t = rules_tables(&n);
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < sizeof beside / sizeof beside[0]; i++) e = run(h, beside[i].sql, x, beside[i].by_id, why);
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        char sql[128];
        if (t[i].kind != TABLE_CASE) continue;
        (void)snprintf(sql, sizeof sql, "DELETE FROM \"%s\" WHERE case_id = $1", t[i].name);
        e = run(h, sql, x, true, why);
    }
    row_cache_forget(h->rows); /* nobody would be given them, but they are not to lie in memory either */
    return e == ERR_OK ? store_put_counter(h->db, "erased", h->version, why) : e; /* nor in that of another process */
}

/* Everybody loses it first, while the histories still say who could hold what: that writes the orders to forget. */
static enum err take_from_all(struct hub *h, const struct erasing *x, struct why *why)
{
    enum err e = sight_step(h, why);
    if (e == ERR_OK) e = retention_put_level(h, x->case_no, LEVEL_ERASED, why);
    return e == ERR_OK ? sight_settle(h, why) : e;
}

/* A case that this hub never had, or lost, is known as erased too. */
static enum err case_number(struct hub *h, struct erasing *x, struct why *why)
{
    struct hub_case c = {0};
    struct stmt *s;
    bool found = false;
    enum err e = db_prepare(h->db, "INSERT INTO h_case(id, born, born_node) VALUES($1, $2, 0) ON CONFLICT DO NOTHING", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, x->what.case_id);
    db_bind_int(s, 2, h->version);
    e = db_run(s, why);
    if (e == ERR_OK) e = sight_case(h, x->what.case_id, &c, &found, why);
    if (e == ERR_OK && (!found || c.no == 0)) e = why_set(why, ERR_NOTFOUND, "There is no such case.");
    x->case_no = c.no;
    return e;
}

enum err erase_case(struct hub *h, const struct erasure *what, struct why *why)
{
    struct erasing x = {.what = *what};
    enum err e = case_number(h, &x, why);
    if (e == ERR_OK) e = load_reference(h, &x, why);
    if (e == ERR_OK) e = take_from_all(h, &x, why);
    if (e == ERR_OK) e = load_ids(h, &x, why);
    if (e == ERR_OK) e = erase_parts(h, &x, why);
    if (e == ERR_OK) e = erase_looks(h, &x, why);
    if (e == ERR_OK) e = erase_words(h, &x, why);
    if (e == ERR_OK) e = delete_rows(h, &x, why);
    if (e == ERR_OK) e = record(h, &x, why);
    for (size_t i = 0; e == ERR_OK && !h->gathering && i < x.n_nodes; i++) e = intake_waiting(h, x.nodes[i], why);
    free(x.ids);
    free(x.nodes);
    return e;
}

/* --------------------------------------------------------------------------------------------------------- by order */

struct asked {
    bool found, closed, held, unsettled, awaits;
    int64_t hold_until;
};

static enum err look(struct hub *h, const uint8_t case_id[16], struct asked *out, struct why *why)
{
    struct stmt *s;
    *out = (struct asked){0};
    enum err e = db_prepare(h->db,
                            "SELECT f.status, coalesce(f.hold_until, 0), CASE WHEN EXISTS (SELECT 1 FROM h_hold x WHERE x.case_id = f.id)"
                            " THEN 1 ELSE 0 END FROM case_file f WHERE f.id = $1",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, case_id);
    e = db_step(s, &out->found, why);
    if (e == ERR_OK && out->found) {
        out->closed = bytes_equal(db_bytes(s, 0), bytes_of_str("closed"));
        out->hold_until = db_int(s, 1);
        out->held = db_int(s, 2) != 0;
    }
    db_done(s);
    if (e == ERR_OK) e = retention_awaits(h, &out->awaits, why);
    return e == ERR_OK && out->found ? retention_unsettled(h, case_id, &out->unsettled, why) : e;
}

static enum err may_be_erased(struct hub *h, const uint8_t case_id[16], bool unsettled, struct why *why)
{
    struct asked a;
    bool erased = false;
    enum err e = erase_known(h, case_id, &erased, why);
    if (e == ERR_OK && erased) return why_set(why, ERR_EXISTS, "This case is erased already.");
    if (e == ERR_OK) e = look(h, case_id, &a, why);
    if (e != ERR_OK) return e;
    if (!a.found) return why_set(why, ERR_NOTFOUND, "There is no such case.");
    if (!a.closed) return why_set(why, ERR_DENIED, "This case is open: only a closed one can be erased. Nothing was erased.");
    if (a.held) {
        (void)why_set(why, ERR_DENIED, "This case is held for an inquiry, and must not be erased. Nothing was erased.");
        return why_next(why, ERR_DENIED, "Who held it may release it: spoke-hub retention release");
    }
    if (a.hold_until > h->now_ms)
        return why_set(why, ERR_DENIED, "Its lead agency has said until when this case must be kept, and that time has not come. Nothing was erased.");
    if (a.awaits && !unsettled) {
        (void)why_set(why, ERR_DENIED,
                      "This hub was put back from a backup, and not all devices have reported: one may have opened this case again. "
                      "Nothing was erased.");
        return why_next(why, ERR_DENIED, "See spoke-hub restore status; or say --unsettled, and it is erased all the same.");
    }
    if (!a.unsettled || unsettled) return ERR_OK;
    (void)why_set(why, ERR_DENIED,
                  "Something in this case waits for a person: a change that is held, or two versions of a value. Nothing was erased.");
    return why_next(why, ERR_DENIED, "Have it decided first; or say --unsettled, and it is erased too.");
}

static enum err erase(struct hub *h, const uint8_t case_id[16], bool unsettled, const char *reason, struct why *why)
{
    struct hub_admin self = {0};
    char about[37];
    bool known = false;
    struct erasure what = {.at_ms = h->now_ms, .how = "order", .reason = reason, .unsettled = unsettled};
    enum err e = may_be_erased(h, case_id, unsettled, why);
    if (e == ERR_OK) e = admins_opener(h, &self, &known, why);
    if (known) what.who = h->second != NULL ? h->second->who : self.name;
    if (known && h->second != NULL) what.second = self.name;
    memcpy(what.case_id, case_id, 16);
    if (e == ERR_OK) e = erase_case(h, &what, why);
    uuid_format(case_id, about);
    return e == ERR_OK ? admins_act(h, MAY_SECURE, "erase", about, reason, why) : e;
}

enum err erase_prepare(struct hub *h, size_t most, bool *out_done, struct why *why)
{
    enum err e = hub_begin(h, why);
    if (e != ERR_OK) return e;
    e = parts_note_older(h, most, out_done, why);
    if (e == ERR_OK) return hub_commit(h, why);
    hub_abort(h);
    return e;
}

static enum err prepare_all(struct hub *h, struct why *why)
{
    enum err e = ERR_OK;
    for (bool done = false; e == ERR_OK && !done;) e = erase_prepare(h, PREPARE, &done, why);
    return e;
}

static enum err must_say_why(const char *reason, struct why *why)
{
    struct bytes r = bytes_of_str(reason == NULL ? "" : reason);
    if (r.n > 0 && r.n <= REASON_BYTES && utf8_valid(r)) return ERR_OK;
    return why_set(why, ERR_USAGE, "Say why (--reason), in 1 to %u bytes. It is kept when the case is not: name nobody in it.",
                   REASON_BYTES);
}

enum err hub_erase(struct hub *h, const uint8_t case_id[16], bool unsettled, const char *reason, struct why *why)
{
    enum err e = must_say_why(reason, why);
    if (e == ERR_OK) e = prepare_all(h, why);
    if (e == ERR_OK) e = two_begin(h, true, why);
    if (e == ERR_OK) e = two_finish(h, erase(h, case_id, unsettled, reason, why), why);
    return e == ERR_OK ? db_truncate_log(h->db, why) : e;
}

static enum err must_gather(const struct hub *h, struct why *why)
{
    if (h->gathering) return ERR_OK;
    (void)why_set(why, ERR_DENIED, "This hub is open: here a case is erased as any other. Nothing was erased.");
    return why_next(why, ERR_DENIED, "Say it without --again: spoke-hub erase CASE --reason TEXT");
}

/* Whoever it was that erased it first: who says so now answers for it. */
static enum err again(struct hub *h, const uint8_t case_id[16], const char *reason, uint64_t *n, struct why *why)
{
    struct erasure what = {.at_ms = h->now_ms, .how = "order", .reason = reason, .unsettled = true};
    struct hub_admin self = {0};
    char about[37];
    bool known = false, found = false;
    enum err e = erase_known(h, case_id, &known, why);
    if (e != ERR_OK || known) return e;
    e = must_gather(h, why);
    if (e == ERR_OK) e = admins_opener(h, &self, &found, why);
    if (found) what.who = h->second != NULL ? h->second->who : self.name;
    if (found && h->second != NULL) what.second = self.name;
    memcpy(what.case_id, case_id, 16);
    h->replaying = true; /* it widens nobody's sight: it may be done before the hub opens */
    if (e == ERR_OK) e = erase_case(h, &what, why);
    h->replaying = false;
    uuid_format(case_id, about);
    if (e == ERR_OK) ++*n;
    return e == ERR_OK ? admins_act(h, MAY_SECURE, "erase again", about, reason, why) : e;
}

enum err hub_erase_again(struct hub *h, struct bytes ids, const char *reason, uint64_t *out_n, struct why *why)
{
    uint64_t n = 0;
    enum err e = must_say_why(reason, why);
    if (e == ERR_OK && (ids.n == 0 || ids.n % 16 != 0 || ids.n / 16 > ERASE_AGAIN_MAX))
        e = why_set(why, ERR_USAGE, "Name 1 to %d cases that are to be erased again, by their ids. Nothing was erased.", ERASE_AGAIN_MAX);
    if (e == ERR_OK) e = prepare_all(h, why);
    if (e == ERR_OK) e = two_begin(h, true, why);
    if (e != ERR_OK) return e;
    for (size_t i = 0; e == ERR_OK && i < ids.n; i += 16) e = again(h, ids.p + i, reason, &n, why);
    e = two_finish(h, e, why);
    if (e == ERR_OK && out_n != NULL) *out_n = n;
    return e == ERR_OK ? db_truncate_log(h->db, why) : e;
}
