/* The rules that administrators switch, and the gate before what takes two of them. hub/ADMINS.md, "Two people". */
#include "hub/people.h"
#include "hub/proposal.h"
#include "hub/proposal_internal.h"

#include <stdio.h>
#include <string.h>

#define DAY_MS (24LL * 60 * 60 * 1000)

/* ---------------------------------------------------------------------------------------------------------- rules */

static int64_t default_of(const char *name)
{
    return strcmp(name, RULE_PROPOSAL) == 0 ? PROPOSAL_MS_DEFAULT : strcmp(name, RULE_RETURNED) == 0 ? RETURNED_MB_DEFAULT : 0;
}

enum err rule_get(struct hub *h, const char *name, int64_t *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db, "SELECT value FROM h_rule WHERE name = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, name);
    e = db_step(s, &row, why);
    if (e == ERR_OK) *out = row ? db_int(s, 0) : default_of(name);
    db_done(s);
    return e;
}

enum err hub_rule_get(struct hub *h, const char *name, int64_t *out, struct why *why)
{
    return rule_get(h, name, out, why);
}

static enum err put(struct hub *h, const char *name, int64_t value, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db,
                            "INSERT INTO h_rule(name, value) VALUES($1, $2) "
                            "ON CONFLICT(name) DO UPDATE SET value = excluded.value",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, name);
    db_bind_int(s, 2, value);
    return db_run(s, why);
}

enum err rule_check(const char *name, int64_t value, struct why *why)
{
    bool known = strcmp(name, RULE_TWO_PERSON) == 0 || strcmp(name, RULE_APPROVE) == 0;
    if (known && (value == 0 || value == 1)) return ERR_OK;
    if (strcmp(name, RULE_PROPOSAL) == 0 && value >= 60 * 1000 && value <= 30 * DAY_MS) return ERR_OK;
    if (strcmp(name, RULE_PROPOSAL) == 0) return why_set(why, ERR_USAGE, "A proposal stands for a minute to 30 days.");
    if (strcmp(name, RULE_RETURNED) == 0 && value >= 1 && value <= 1000000) return ERR_OK;
    if (strcmp(name, RULE_RETURNED) == 0) return why_set(why, ERR_USAGE, "A device may return 1 to 1000000 MB that nothing vouches for.");
    return why_set(why, ERR_USAGE, "A rule is on or off.");
}

static enum err must_be_two(struct hub *h, const char *name, int64_t value, struct why *why)
{
    int64_t there = 0;
    if (strcmp(name, RULE_TWO_PERSON) != 0 || value == 0) return ERR_OK;
    enum err e = admins_count_security(h, &there, why);
    if (e != ERR_OK || there >= 2) return e;
    (void)why_set(why, ERR_DENIED, "There is only one security administrator: nobody could approve what that one proposes.");
    return why_next(why, ERR_DENIED, "Appoint a second first: spoke-hub admin add NAME --role security");
}

static enum err set_rule(struct hub *h, const char *name, int64_t value, const char *reason, struct why *why)
{
    char about[64];
    int64_t now = 0;
    enum err e = rule_get(h, name, &now, why);
    if (e == ERR_OK && now == value) e = why_set(why, ERR_EXISTS, "It stands like that already.");
    if (e == ERR_OK) e = must_be_two(h, name, value, why);
    if (e == ERR_OK) e = put(h, name, value, why);
    (void)snprintf(about, sizeof about, "%s %lld", name, (long long)value);
    return e == ERR_OK ? admins_act(h, MAY_SECURE, "rule", about, reason, why) : e;
}

enum err hub_rule_set(struct hub *h, const char *name, int64_t value, const char *reason, struct why *why)
{
    enum err e = rule_check(name, value, why);
    if (e == ERR_OK) e = two_begin(h, true, why);
    return e == ERR_OK ? two_finish(h, set_rule(h, name, value, reason, why), why) : e;
}

/* --------------------------------------------------------------------------------------------------------- the gate */

static enum err takes_two(struct why *why)
{
    (void)why_set(why, ERR_REFUSED, "Here this takes two people: it is proposed by one, and another approves it. Nothing was done.");
    return why_next(why, ERR_REFUSED, "See what is proposed: spoke-hub proposal list");
}

/* Is it still what was proposed? */
static enum err must_mean_the_same(struct hub *h, struct why *why)
{
    uint8_t hash[32];
    bool wrong = false;
    enum err e = proposal_hash(h, h->second->what, hash, why);
    if (e == ERR_NOTFOUND) wrong = true;
    if (e == ERR_OK && memcmp(hash, h->second->hash, sizeof hash) != 0) wrong = true;
    if (!wrong) return e;
    h->second->changed = true;
    (void)why_set(why, ERR_REFUSED,
                  "Something has changed since this was proposed, so that it would be something else now. It is void, and nothing "
                  "was done.");
    return why_next(why, ERR_REFUSED, "Look at it again, and propose it anew if it is still wanted.");
}

/* Under any name. */
static enum err must_still_be_one(struct hub *h, struct why *why)
{
    struct hub_admin first = {0};
    bool found = false;
    enum err e = admins_by_slot(h, h->second->slot, &first, &found, why);
    if (e != ERR_OK || (found && first.role == ROLE_SECURITY)) return e;
    return why_set(why, ERR_REFUSED, "%s, who proposed this, is no security administrator any more.", h->second->who);
}

enum err two_in_force(struct hub *h, bool *out, struct why *why)
{
    int64_t on = 0, there = 0;
    enum err e = rule_get(h, RULE_TWO_PERSON, &on, why);
    if (e == ERR_OK) e = admins_count_security(h, &there, why);
    *out = e == ERR_OK && on != 0 && there >= 2;
    return e;
}

static enum err gate(struct hub *h, bool needed, struct why *why)
{
    bool on = false;
    if (h->second != NULL) {
        enum err e = proposal_still_stands(h, h->second->no, why);
        if (e == ERR_OK) e = must_still_be_one(h, why);
        return e == ERR_OK ? must_mean_the_same(h, why) : e;
    }
    if (!needed) return ERR_OK;
    enum err e = two_in_force(h, &on, why);
    return e == ERR_OK && on ? takes_two(why) : e;
}

enum err two_begin(struct hub *h, bool needed, struct why *why)
{
    enum err e = hub_begin(h, why);
    if (e != ERR_OK) return e;
    e = gate(h, needed, why);
    if (e != ERR_OK) hub_abort(h);
    return e;
}

enum err two_finish(struct hub *h, enum err e, struct why *why)
{
    if (e == ERR_OK && h->second != NULL) e = proposal_decide(h, h->second->no, "done", NULL, why);
    if (e == ERR_OK) return hub_commit(h, why);
    hub_abort(h);
    return e;
}
