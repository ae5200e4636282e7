/* From one policy to the next: recorded whole, carried out a few cases at a time. */
#include "hub/policy_change.h"

#include "crypto/hash.h"
#include "hub/log.h"
#include "hub/people.h"
#include "hub/proposal.h"
#include "hub/policy_check_case.h"
#include "hub/policy_sql.h"
#include "hub/policy_try.h"
#include "hub/sight_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char counter[] = "policy"; /* moves whenever a change of the policy begins, turns or ends */

static const char *const phases[] = {
    [POLICY_STANDS] = "", [POLICY_NARROWS] = "narrowing", [POLICY_WIDENS] = "widening"};

/* ---------------------------------------------------------------------------------------- the views of a connection */

static enum err changes(struct hub *h, int64_t *out, struct why *why)
{
    struct stmt *q;
    bool row = false;
    enum err e = db_prepare(h->db, "SELECT value FROM h_counter WHERE name = $1", &q, why);
    if (e != ERR_OK) return e;
    db_bind_str(q, 1, counter);
    e = db_step(q, &row, why);
    if (e == ERR_OK) *out = row ? db_int(q, 0) : 0;
    db_done(q);
    return e;
}

static enum err next_view(struct hub *h, char name[POLICY_MAX_NAME], bool *out_any, struct why *why)
{
    struct stmt *q;
    enum err e = db_prepare(h->db, "SELECT name FROM sqlite_temp_schema WHERE type = 'view' LIMIT 1", &q, why);
    if (e != ERR_OK) return e;
    e = db_step(q, out_any, why);
    if (e == ERR_OK && *out_any)
        (void)snprintf(name, POLICY_MAX_NAME, "%.*s", (int)db_bytes(q, 0).n, (const char *)db_bytes(q, 0).p);
    db_done(q);
    return e;
}

enum err policy_change_clear(struct hub *h, struct why *why)
{
    char name[POLICY_MAX_NAME], sql[POLICY_MAX_NAME + 32];
    bool any = true;
    enum err e = ERR_OK;
    db_forget_statements(h->db);
    if (db_is_postgres(h->db)) return db_exec(h->db, "DISCARD TEMP", why);
    while (e == ERR_OK) {
        e = next_view(h, name, &any, why);
        if (e != ERR_OK || !any) return e;
        (void)snprintf(sql, sizeof sql, "DROP VIEW temp.\"%s\"", name);
        e = db_exec(h->db, sql, why);
    }
    return e;
}

/* A change under way, as the store has it; phase POLICY_STANDS: there is none. */
struct change {
    int64_t gen, upto;
    enum policy_phase phase;
    struct buf text;
};

static enum err read_change(struct hub *h, struct change *c, struct why *why)
{
    struct stmt *q;
    bool row = false;
    *c = (struct change){.phase = POLICY_STANDS};
    buf_init(&c->text, POLICY_TEXT_MAX + 1);
    enum err e = db_prepare(h->db, "SELECT gen, upto, phase, text FROM h_policy WHERE state = 'coming'", &q, why);
    if (e != ERR_OK) return e;
    e = db_step(q, &row, why);
    if (e == ERR_OK && row) {
        c->gen = db_int(q, 0);
        c->upto = db_int(q, 1);
        c->phase = bytes_equal(db_bytes(q, 2), bytes_of_str(phases[POLICY_WIDENS])) ? POLICY_WIDENS : POLICY_NARROWS;
        buf_put_bytes(&c->text, db_bytes(q, 3));
        if (c->text.err != ERR_OK) e = why_set(why, c->text.err, "There is not enough memory to read the policy.");
    }
    db_done(q);
    return e;
}

/* What a change of one row may bear on (hub/sight.c, hub/sight_place.c) is known of the program's own policy alone. */
static enum err is_own(struct hub *h, bool *out, struct why *why)
{
    struct stmt *q;
    bool row = false;
    enum err e = db_prepare(
        h->db, "SELECT 1 FROM h_policy WHERE (state = 'in_force' OR state = 'coming') AND text <> $1 LIMIT 1", &q, why);
    if (e != ERR_OK) return e;
    db_bind_str(q, 1, hub_policy_sql);
    e = db_step(q, &row, why);
    if (e == ERR_OK) *out = row;
    db_done(q);
    return e;
}

enum err policy_change_load(struct hub *h, struct why *why)
{
    struct change c = {0};
    bool own = false;
    int64_t now = 0;
    enum err e = changes(h, &now, why);
    if (e != ERR_OK || now == h->policy_seen) return e;
    h->policy_moved = true;
    e = read_change(h, &c, why);
    if (e == ERR_OK) e = is_own(h, &own, why);
    if (e == ERR_OK) e = policy_change_clear(h, why);
    if (e == ERR_OK && c.phase != POLICY_STANDS) e = policy_text_install(h->db, buf_bytes(&c.text), true, why);
    if (e == ERR_OK) {
        h->policy_seen = now;
        h->policy_phase = c.phase;
        h->policy_own = own;
    }
    buf_release(&c.text);
    return e;
}

enum err policy_change_first(struct hub *h, struct why *why)
{
    uint8_t hash[HASH_BYTES];
    struct stmt *q;
    enum err e = db_prepare(h->db,
                            "INSERT INTO h_policy(gen, text, state, at, reason) VALUES (1, $1, 'in_force', $2, NULL)"
                            " ON CONFLICT DO NOTHING",
                            &q, why);
    if (e != ERR_OK) return e;
    db_bind_str(q, 1, hub_policy_sql);
    db_bind_int(q, 2, h->now_ms);
    e = db_run(q, why);
    hash_sha256(hash, bytes_of_str(hub_policy_sql));
    return e == ERR_OK ? log_note(h, LOG_HUB, LOG_POLICY, 1, bytes_of(hash, sizeof hash), why) : e;
}

enum case_policy policy_change_newborn(const struct hub *h)
{
    switch (h->policy_phase) {
    case POLICY_STANDS: return CASE_IN_FORCE;
    case POLICY_NARROWS: return CASE_BOTH;
    case POLICY_WIDENS: return CASE_COMING;
    }
    return CASE_BOTH;
}

void policy_change_forget(struct hub *h)
{
    if (!h->policy_moved) return;
    h->policy_seen = -1;
    h->policy_phase = POLICY_STANDS;
    h->policy_moved = false;
}

/* -------------------------------------------------------------------------------------------------------- beginning */

static enum err must_stand(struct hub *h, struct why *why)
{
    if (h->policy_phase == POLICY_STANDS) return ERR_OK;
    (void)why_set(why, ERR_EXISTS, "Another policy is coming already, and not every case is under it yet.");
    return why_next(why, ERR_EXISTS, "Let it come to its end first: spoke-hub policy continue");
}

static enum err must_differ(struct hub *h, struct bytes text, struct why *why)
{
    struct buf now;
    int64_t gen = 0;
    buf_init(&now, POLICY_TEXT_MAX + 1);
    enum err e = policy_text_in_force(h->db, &now, &gen, why);
    if (e == ERR_OK && bytes_equal(buf_bytes(&now), text))
        e = why_set(why, ERR_EXISTS, "This is the policy that is in force already. Nothing was changed.");
    buf_release(&now);
    return e;
}

static enum err record(struct hub *h, struct bytes text, const char *reason, int64_t *out_gen, struct why *why)
{
    uint8_t hash[HASH_BYTES];
    struct stmt *q;
    bool row = false;
    enum err e =
        db_prepare(h->db,
                   "INSERT INTO h_policy(gen, text, state, at, reason, phase, upto)"
                   " SELECT coalesce(max(gen), 0) + 1, $1, 'coming', $2, $3, $4, -1 FROM h_policy RETURNING gen",
                   &q, why);
    if (e != ERR_OK) return e;
    db_bind_text(q, 1, text);
    db_bind_int(q, 2, h->now_ms);
    db_bind_str(q, 3, reason);
    db_bind_str(q, 4, phases[POLICY_NARROWS]);
    while ((e = db_step(q, &row, why)) == ERR_OK && row) *out_gen = db_int(q, 0);
    db_done(q);
    hash_sha256(hash, text);
    return e == ERR_OK ? log_note(h, LOG_HUB, LOG_POLICY, (uint64_t)*out_gen, bytes_of(hash, sizeof hash), why) : e;
}

static enum err moved_on(struct hub *h, struct why *why)
{
    struct stmt *q;
    enum err e = db_prepare(h->db,
                            "INSERT INTO h_counter(name, value) VALUES ($1, 1)"
                            " ON CONFLICT(name) DO UPDATE SET value = h_counter.value + 1",
                            &q, why);
    if (e != ERR_OK) return e;
    db_bind_str(q, 1, counter);
    e = db_run(q, why);
    return e == ERR_OK ? policy_change_load(h, why) : e;
}

static enum err give_bits_to(struct hub *h, struct db *db, const char *channels, struct why *why)
{
    struct stmt *q;
    bool row = false;
    int bit;
    enum err e = db_prepare(db, channels, &q, why);
    if (e != ERR_OK) return e;
    h->sight->views = VIEWS_COMING;
    while ((e = db_step(q, &row, why)) == ERR_OK && row)
        if ((e = sight_channel_bit(h, db_bytes(q, 0), &bit, why)) != ERR_OK) break;
    h->sight->views = VIEWS_IN_FORCE;
    db_done(q);
    if (e != ERR_LIMIT) return e;
    (void)why_set(why, e,
                  "With this policy the hub would have to tell more than %d channels apart, those of its agencies "
                  "included. Nothing was changed.",
                  SIGHT_MAX_BIT + 1);
    return why_next(why, e, "Let the policy do with channels and schemes that the one in force has too.");
}

/* Every channel that a site will hold has a bit before anything moves: one too many must not be found out when half of
 * the cases are under the new policy, and then again with every write. Nor months later, when somebody takes part as
 * nobody does now: so the cases of `policy check` are asked too, where sites take part in every way. */
static enum err give_bits(struct hub *h, struct bytes text, struct why *why)
{
    struct policy_check *laid = calloc(1, sizeof *laid);
    struct db *db = NULL;
    if (laid == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to change the policy.");
    enum err e = policy_try_open(h->env, text, &db, why);
    if (e == ERR_OK) e = policy_check_lay(db, laid, why);
    if (e == ERR_OK)
        e = give_bits_to(h, db, "SELECT channel FROM row_channel UNION SELECT channel FROM site_channel", why);
    if (e == ERR_OK)
        e = give_bits_to(h, h->db,
                         "SELECT channel FROM temp.site_channel UNION SELECT 'scheme:' || scheme FROM temp.scheme_kind",
                         why);
    db_close(db);
    free(laid);
    return e;
}

/* Only a case of more seats than there are bits can have too many kinds of them. */
static enum err check_sizes(struct hub *h, struct why *why)
{
    struct stmt *q;
    bool row = false, fits = true;
    enum err e =
        db_prepare(h->db, "SELECT case_no FROM h_seat WHERE mask <> 0 GROUP BY case_no HAVING count(*) > $1", &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, SIGHT_MAX_BIT + 1);
    while ((e = db_step(q, &row, why)) == ERR_OK && row) {
        e = sight_fits(h, db_int(q, 0), &fits, why);
        if (e == ERR_OK && !fits) {
            (void)why_set(why, ERR_LIMIT,
                          "In one case the sites that take part would see it in too many different ways under the old "
                          "and the new policy together. Nothing was changed.");
            e = why_next(why, ERR_LIMIT, "Make the change in two smaller ones.");
        }
        if (e != ERR_OK) break;
    }
    db_done(q);
    return e;
}

static enum err begin_change(struct hub *h, struct bytes text, const char *reason, struct why *why)
{
    char about[32];
    int64_t gen = 0;
    enum err e = must_stand(h, why);
    if (e == ERR_OK) e = must_differ(h, text, why);
    if (e == ERR_OK) e = record(h, text, reason, &gen, why);
    if (e == ERR_OK) e = moved_on(h, why);
    if (e == ERR_OK) e = give_bits(h, text, why);
    if (e == ERR_OK) e = check_sizes(h, why);
    sight_forget(h);
    (void)snprintf(about, sizeof about, "policy %lld", (long long)gen);
    return e == ERR_OK ? admins_act(h, MAY_SECURE, "policy apply", about, reason, why) : e;
}

enum err hub_policy_apply(struct hub *h, struct bytes text, const char *reason, struct why *why)
{
    if (reason == NULL || reason[0] == '\0')
        return why_set(why, ERR_USAGE, "A policy is changed for a reason, which is kept. Say it.");
    enum err e = policy_text_check(h->env, text, why);
    if (e == ERR_OK) e = two_begin(h, true, why);
    return e == ERR_OK ? two_finish(h, begin_change(h, text, reason, why), why) : e;
}

/* --------------------------------------------------------------------------------------------------------- going on */

/* The next cases that are not yet as this phase wants them; those made meanwhile began so. */
static enum err pick(struct hub *h, struct change *c, size_t max_cases, size_t *out_n, struct why *why)
{
    struct stmt *q;
    bool row = false;
    enum err e = db_prepare(h->db,
                            c->phase == POLICY_NARROWS
                                ? "SELECT no FROM h_case WHERE no > $1 AND policy = 0 ORDER BY no LIMIT $2"
                                : "SELECT no FROM h_case WHERE no > $1 AND policy <> 2 ORDER BY no LIMIT $2",
                            &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, c->upto);
    db_bind_int(q, 2, max_cases > INT64_MAX ? INT64_MAX : (int64_t)max_cases);
    *out_n = 0;
    while ((e = db_step(q, &row, why)) == ERR_OK && row) {
        c->upto = db_int(q, 0);
        e = sight_turn_case(h, c->upto, c->phase == POLICY_NARROWS ? CASE_BOTH : CASE_COMING, why);
        if (e != ERR_OK) break;
        ++*out_n;
    }
    db_done(q);
    return e;
}

static enum err note_progress(struct hub *h, const struct change *c, struct why *why)
{
    struct stmt *q;
    enum err e = db_prepare(h->db, "UPDATE h_policy SET phase = $1, upto = $2 WHERE gen = $3", &q, why);
    if (e != ERR_OK) return e;
    db_bind_str(q, 1, phases[c->phase]);
    db_bind_int(q, 2, c->upto);
    db_bind_int(q, 3, c->gen);
    return db_run(q, why);
}

/* Every case is under the new policy: it takes the place of the old one. No mask says anything else by it. */
static enum err finish(struct hub *h, const struct change *c, struct why *why)
{
    struct buf old;
    struct stmt *q;
    int64_t gen = 0;
    buf_init(&old, POLICY_TEXT_MAX + 1);
    enum err e = policy_text_in_force(h->db, &old, &gen, why);
    /* PostgreSQL takes the names of a new view's tables as they stand when it is created: not those of the temporary
     * ones. */
    if (e == ERR_OK) e = policy_change_clear(h, why);
    if (e == ERR_OK) e = policy_text_remove(h->db, buf_bytes(&old), false, why);
    if (e == ERR_OK) e = policy_text_install(h->db, buf_bytes(&c->text), false, why);
    buf_release(&old);
    if (e == ERR_OK) e = db_exec(h->db, "UPDATE h_policy SET state = 'former' WHERE state = 'in_force'", why);
    if (e == ERR_OK) e = db_exec(h->db, "UPDATE h_case SET policy = 0 WHERE policy <> 0", why);
    if (e == ERR_OK)
        e = db_prepare(h->db, "UPDATE h_policy SET state = 'in_force', phase = NULL, upto = NULL WHERE gen = $1", &q,
                       why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, c->gen);
    e = db_run(q, why);
    return e == ERR_OK ? moved_on(h, why) : e;
}

static enum err some_cases(struct hub *h, struct change *c, size_t max_cases, bool *out_done, struct why *why)
{
    size_t n = 0;
    enum err e = sight_step(h, why);
    if (e == ERR_OK) e = pick(h, c, max_cases, &n, why);
    if (e == ERR_OK) e = sight_settle(h, why);
    if (e != ERR_OK || n == max_cases) return e == ERR_OK ? note_progress(h, c, why) : e;
    if (c->phase == POLICY_WIDENS) {
        *out_done = true;
        return finish(h, c, why);
    }
    c->phase = POLICY_WIDENS;
    c->upto = -1;
    e = note_progress(h, c, why);
    return e == ERR_OK ? moved_on(h, why) : e;
}

enum err hub_policy_continue(struct hub *h, size_t max_cases, bool *out_done, struct why *why)
{
    struct change c = {0};
    bool done = false;
    if (max_cases == 0) return why_set(why, ERR_USAGE, "At least one case at a time.");
    enum err e = hub_begin(h, why);
    if (e != ERR_OK) return e;
    e = read_change(h, &c, why);
    if (e == ERR_OK && c.phase == POLICY_STANDS)
        done = true;
    else if (e == ERR_OK)
        e = some_cases(h, &c, max_cases, &done, why);
    buf_release(&c.text);
    if (e == ERR_OK)
        e = hub_commit(h, why);
    else
        hub_abort(h);
    if (e == ERR_OK) *out_done = done;
    return e;
}

bool hub_policy_is_coming(const struct hub *h)
{
    return h->policy_phase != POLICY_STANDS;
}

enum err hub_policy_progress(struct hub *h, struct hub_policy_progress *out, struct why *why)
{
    struct stmt *q;
    bool row = false;
    *out = (struct hub_policy_progress){0};
    enum err e =
        db_prepare(h->db,
                   "SELECT p.gen, CASE WHEN p.phase = 'widening' THEN 1 ELSE 0 END, (SELECT count(*) FROM h_case),"
                   " (SELECT count(*) FROM h_case WHERE no <= p.upto) FROM h_policy p WHERE p.state = 'coming'",
                   &q, why);
    if (e != ERR_OK) return e;
    e = db_step(q, &row, why);
    if (e == ERR_OK && row)
        *out = (struct hub_policy_progress){.under_way = true,
                                            .gen = db_int(q, 0),
                                            .widening = db_int(q, 1) != 0,
                                            .cases = (uint64_t)db_int(q, 2),
                                            .done = (uint64_t)db_int(q, 3)};
    db_done(q);
    return e;
}
