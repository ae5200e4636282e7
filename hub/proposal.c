/* Proposals: made by one administrator, carried out or refused by another. hub/ADMINS.md, "Two people". */
#include "hub/people.h"
#include "hub/proposal_internal.h"
#include "hub/retention.h"

#include "base/cbor.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPEN_MAX_PROPOSALS 100
#define SAYS_BYTES         1000u
#define REASON_BYTES       1000u
#define DETAIL_MAX         (2u << 20)

static const char *about_of(int64_t no, char out[40])
{
    (void)snprintf(out, 40, "proposal %" PRId64, no);
    return out;
}

static enum err finish(struct hub *h, enum err e, struct why *why)
{
    if (e == ERR_OK) return hub_commit(h, why);
    hub_abort(h);
    return e;
}

/* ------------------------------------------------------------------------------------------------ does it take two? */

static enum err of_security(struct hub *h, const struct hub_proposal *p, bool *out, struct why *why)
{
    char name[ADMIN_NAME_BYTES + 1];
    struct hub_admin a;
    (void)snprintf(name, sizeof name, "%.*s", (int)p->text.n, p->text.n > 0 ? (const char *)p->text.p : "");
    enum err e = admins_find(h, name, &a, why);
    if (e == ERR_OK)
        *out = a.role == ROLE_SECURITY || (p->text2 != NULL && strcmp(p->text2, hub_role_word(ROLE_SECURITY)) == 0);
    return e;
}

enum err hub_takes_two(struct hub *h, const struct hub_proposal *p, bool *out, struct why *why)
{
    enum err e = two_in_force(h, out, why);
    if (e != ERR_OK || !*out || (p->kind != PROPOSE_ADMIN_ROLE && p->kind != PROPOSE_ADMIN_REMOVE)) return e;
    return of_security(h, p, out, why);
}

/* -------------------------------------------------------------------------------------------------------- proposing */

static enum err expire(struct hub *h, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, "UPDATE h_proposal SET state = 'expired', decided_at = $1 WHERE state = 'open' AND expires_at <= $1",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, h->now_ms);
    return db_run(s, why);
}

static enum err next_no(struct hub *h, int64_t *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(
        h->db, "SELECT coalesce(max(no), 0) + 1, (SELECT count(*) FROM h_proposal WHERE state = 'open') FROM h_proposal", &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) *out = db_int(s, 0);
    if (e == ERR_OK && row && db_int(s, 1) >= OPEN_MAX_PROPOSALS)
        e = why_set(why, ERR_LIMIT, "%d proposals wait already. Have some approved or refused first.", OPEN_MAX_PROPOSALS);
    db_done(s);
    return e;
}

static enum err store(struct hub *h, const struct hub_proposal *p, const char *says, int64_t no, struct why *why)
{
    struct hub_admin self;
    struct stmt *s = NULL;
    struct buf detail;
    uint8_t hash[32];
    int64_t stands = 0;
    buf_init(&detail, DETAIL_MAX);
    proposal_put_detail(&detail, p);
    enum err e = detail.err != ERR_OK ? why_set(why, detail.err, "There is not enough memory for this proposal.") : ERR_OK;
    if (e == ERR_OK) e = proposal_hash(h, p, hash, why);
    if (e == ERR_OK) e = rule_get(h, RULE_PROPOSAL, &stands, why);
    if (e == ERR_OK) e = hub_admin_self(h, &self, why);
    if (e == ERR_OK)
        e = db_prepare(h->db,
                       "INSERT INTO h_proposal(no, at, expires_at, slot, who, kind, detail, reason, says, hash, state) "
                       "VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'open')",
                       &s, why);
    if (e == ERR_OK) {
        db_bind_int(s, 1, no);
        db_bind_int(s, 2, h->now_ms);
        db_bind_int(s, 3, h->now_ms + stands);
        db_bind_id(s, 4, h->keys.slot);
        db_bind_str(s, 5, self.name);
        db_bind_str(s, 6, hub_proposal_word(p->kind));
        db_bind_blob(s, 7, buf_bytes(&detail));
        db_bind_str(s, 8, p->reason);
        db_bind_str(s, 9, says);
        db_bind_blob(s, 10, bytes_of(hash, sizeof hash));
        e = db_run(s, why);
    }
    buf_release(&detail);
    return e;
}

static enum err propose(struct hub *h, const struct hub_proposal *p, const char *says, int64_t *out_no, struct why *why)
{
    char about[40];
    enum err e = expire(h, why);
    if (e == ERR_OK) e = next_no(h, out_no, why);
    if (e == ERR_OK) e = store(h, p, says, *out_no, why);
    return e == ERR_OK ? admins_act(h, MAY_SECURE, "propose", about_of(*out_no, about), says, why) : e;
}

/* What nobody could carry out costs a second person's time, and is found out a day later. */
static enum err can_be(const struct hub_proposal *p, struct why *why)
{
    char name[64];
    if (p->kind != PROPOSE_RULE) return ERR_OK;
    (void)snprintf(name, sizeof name, "%.*s", (int)p->text.n, p->text.n > 0 ? (const char *)p->text.p : "");
    return rule_check(name, p->number, why);
}

enum err hub_propose(struct hub *h, const struct hub_proposal *p, const char *says, int64_t *out_no, struct why *why)
{
    struct bytes t = bytes_of_str(says), r = bytes_of_str(p->reason != NULL ? p->reason : "");
    int64_t no = 0;
    if (t.n == 0 || t.n > SAYS_BYTES || !utf8_valid(t)) return why_set(why, ERR_USAGE, "What is proposed has 1 to %u bytes.", SAYS_BYTES);
    if (r.n > REASON_BYTES || !utf8_valid(r)) return why_set(why, ERR_USAGE, "The reason has %u bytes at most.", REASON_BYTES);
    enum err e = can_be(p, why);
    if (e == ERR_OK) e = hub_begin(h, why);
    if (e == ERR_OK) e = finish(h, propose(h, p, says, &no, why), why);
    if (e == ERR_OK) *out_no = no;
    return e;
}

/* --------------------------------------------------------------------------------------------------------- deciding */

enum err proposal_still_stands(struct hub *h, int64_t no, struct why *why)
{
    char state[16] = "";
    struct stmt *s;
    bool row = false, late = false;
    enum err e = db_prepare(h->db, "SELECT state, expires_at FROM h_proposal WHERE no = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, no);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) {
        struct bytes v = db_bytes(s, 0);
        (void)snprintf(state, sizeof state, "%.*s", (int)v.n, (const char *)v.p);
        late = db_int(s, 1) <= h->now_ms;
    }
    db_done(s);
    if (e != ERR_OK) return e;
    if (!row) return why_set(why, ERR_NOTFOUND, "There is no proposal of this number.");
    if (strcmp(state, "open") == 0 && !late) return ERR_OK;
    (void)why_set(why, ERR_REFUSED, "This proposal is %s. Nothing was done.", late && strcmp(state, "open") == 0 ? "expired" : state);
    return why_next(why, ERR_REFUSED, "If it is still wanted, it has to be proposed anew.");
}

enum err proposal_decide(struct hub *h, int64_t no, const char *state, const char *reason, struct why *why)
{
    struct hub_admin self = {0};
    struct stmt *s;
    bool found = false, open = false;
    enum err e = admins_opener(h, &self, &found, why);
    if (e == ERR_OK)
        e = db_prepare(h->db,
                       "UPDATE h_proposal SET state = $1, decided_at = $2, decided_by = $3, decision = $4 WHERE no = $5 AND state = 'open' RETURNING no",
                       &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, state);
    db_bind_int(s, 2, h->now_ms);
    db_bind_str(s, 3, found ? self.name : NULL);
    db_bind_str(s, 4, reason);
    db_bind_int(s, 5, no);
    e = db_step(s, &open, why);
    db_done(s);
    if (e == ERR_OK && !open) e = why_set(why, ERR_REFUSED, "This proposal was decided meanwhile.");
    return e;
}

/* A proposal as it is kept. `detail` is what `what` borrows from. */
struct kept {
    struct second second;
    struct hub_proposal what;
    struct buf detail;
    struct proposal_words words;
    char reason[REASON_BYTES + 1];
};

static enum err read_row(struct stmt *s, struct kept *k, struct why *why)
{
    struct bytes hash = db_bytes(s, 2), who = db_bytes(s, 1), reason = db_bytes(s, 4);
    if (!db_id(s, 0, k->second.slot) || hash.n != sizeof k->second.hash || who.n > ADMIN_NAME_BYTES || reason.n > REASON_BYTES)
        return why_set(why, ERR_TAMPERED, "What this hub stored of a proposal is damaged.");
    memcpy(k->second.hash, hash.p, hash.n);
    (void)snprintf(k->second.who, sizeof k->second.who, "%.*s", (int)who.n, (const char *)who.p);
    (void)snprintf(k->reason, sizeof k->reason, "%.*s", (int)reason.n, reason.n > 0 ? (const char *)reason.p : "");
    buf_put_bytes(&k->detail, db_bytes(s, 3));
    bool has_reason = !db_is_null(s, 4);
    if (k->detail.err != ERR_OK) return why_set(why, k->detail.err, "There is not enough memory for this proposal.");
    enum err e = proposal_get_detail(buf_bytes(&k->detail), &k->what, &k->words, why);
    k->what.reason = has_reason ? k->reason : NULL;
    return e;
}

static enum err load(struct hub *h, int64_t no, struct kept *k, struct why *why)
{
    struct stmt *s;
    bool row = false;
    *k = (struct kept){.second = {.no = no, .what = &k->what}};
    buf_init(&k->detail, DETAIL_MAX);
    enum err e = db_prepare(h->db, "SELECT slot, who, hash, detail, reason FROM h_proposal WHERE no = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, no);
    e = db_step(s, &row, why);
    if (e == ERR_OK) e = row ? read_row(s, k, why) : why_set(why, ERR_NOTFOUND, "There is no proposal of this number.");
    db_done(s);
    return e;
}

/* A security administrator, and another person than who proposed it; that this one still is one is asked when it is
 * carried out. */
static enum err check_people(struct hub *h, const struct kept *k, struct why *why)
{
    struct hub_admin self;
    enum err e = hub_admin_may(h, MAY_SECURE, "approve", why);
    if (e == ERR_OK) e = hub_admin_self(h, &self, why);
    if (e != ERR_OK) return e;
    if (memcmp(k->second.slot, h->keys.slot, SLOT_ID_BYTES) == 0 || strcmp(self.name, k->second.who) == 0) {
        (void)why_set(why, ERR_REFUSED, "You proposed this yourself: another security administrator has to approve it.");
        return why_next(why, ERR_REFUSED, "See who there is: spoke-hub admin list");
    }
    return ERR_OK;
}

static enum err set_retention(struct hub *h, const struct hub_proposal *p, const char *partners, struct why *why)
{
    const char *const said[] = {partners, p->text2, p->text3};
    int64_t days[3];
    for (size_t i = 0; i < 3; i++) {
        char *end = NULL;
        days[i] = said[i] != NULL ? strtoll(said[i], &end, 10) : -1;
        if (end == NULL || end == said[i] || *end != '\0')
            return why_set(why, ERR_TAMPERED, "What this hub stored of a proposal is damaged.");
    }
    return hub_retention_set(h, &(struct retention_days){days[0], days[1], days[2]}, p->reason, why);
}

static enum err carry_out(struct hub *h, const struct kept *k, struct why *why)
{
    const struct hub_proposal *p = &k->what;
    char text[512];
    uint64_t n = 0;
    enum hub_role role = ROLE_NONE;
    (void)snprintf(text, sizeof text, "%.*s", (int)(p->text.n < sizeof text ? p->text.n : 0), p->text.n > 0 ? (const char *)p->text.p : "");
    switch (p->kind) {
    case PROPOSE_WIPE: return hub_wipe_as(h, p->kid, text, p->reason, p->flag, why);
    case PROPOSE_REVOKE_SITE: return hub_revoke_site(h, text, p->reason, &n, why);
    case PROPOSE_POLICY: return hub_policy_apply(h, p->text, p->reason, why);
    case PROPOSE_COLUMN: return hub_set_policy(h, text, p->text2, p->text3, p->text4, why);
    case PROPOSE_RULE: return hub_rule_set(h, text, p->number, p->reason, why);
    case PROPOSE_ADMIN_ROLE:
        if (!hub_role_from_word(p->text2, &role)) break;
        return hub_admin_role(h, text, role, p->reason, why);
    case PROPOSE_RETENTION: return set_retention(h, p, text, why);
    case PROPOSE_UNHOLD: return hub_retention_release(h, p->kid, p->reason, why);
    case PROPOSE_ERASE: return hub_erase(h, p->kid, p->flag, p->reason, why);
    case PROPOSE_ERASE_AGAIN: return hub_erase_again(h, p->text, p->reason, NULL, why);
    case PROPOSE_ADMIN_REMOVE: return hub_admin_remove(h, text, p->reason, why);
    case PROPOSAL_KINDS: break;
    }
    return why_set(why, ERR_TAMPERED, "What this hub stored of a proposal is damaged.");
}

static enum err end_without(struct hub *h, int64_t no, const char *state, const char *act, const char *reason, struct why *why)
{
    char about[40];
    enum err e = hub_begin(h, why);
    if (e != ERR_OK) return e;
    e = expire(h, why);
    if (e == ERR_OK) e = proposal_still_stands(h, no, why);
    if (e == ERR_OK) e = proposal_decide(h, no, state, reason, why);
    if (e == ERR_OK) e = admins_act(h, MAY_SECURE, act, about_of(no, about), reason, why);
    return finish(h, e, why);
}

enum err hub_approve(struct hub *h, int64_t no, enum proposal_kind *out_kind, struct why *why)
{
    struct kept k;
    enum err e = load(h, no, &k, why);
    if (e == ERR_OK) e = check_people(h, &k, why);
    if (e == ERR_OK) {
        h->second = &k.second;
        e = carry_out(h, &k, why);
        h->second = NULL;
    }
    if (k.second.changed) { /* what failed is what a person needs to know; that it is noted is beside it */
        enum err noted = end_without(h, no, "void", "proposal void", "the hub is not as it was when this was proposed", NULL);
        if (noted != ERR_OK) e = why_set(why, noted, "This proposal does not fit any more, and that could not be noted.");
    }
    if (e == ERR_OK && out_kind != NULL) *out_kind = k.what.kind;
    buf_release(&k.detail);
    return e;
}

enum err hub_refuse(struct hub *h, int64_t no, const char *reason, struct why *why)
{
    struct bytes r = bytes_of_str(reason == NULL ? "" : reason);
    if (r.n == 0 || r.n > REASON_BYTES || !utf8_valid(r)) return why_set(why, ERR_USAGE, "The reason has 1 to %u bytes.", REASON_BYTES);
    enum err e = hub_admin_may(h, MAY_SECURE, "refuse", why);
    return e == ERR_OK ? end_without(h, no, "refused", "refuse", reason, why) : e;
}

enum err hub_proposal_text(struct hub *h, int64_t no, enum proposal_kind kind, struct buf *out, struct why *why)
{
    struct kept k;
    enum err e = load(h, no, &k, why);
    if (e == ERR_OK && k.what.kind != kind) e = why_set(why, ERR_NOTFOUND, "This proposal is of another kind.");
    if (e == ERR_OK) buf_put_bytes(out, k.what.text);
    if (e == ERR_OK && out->err != ERR_OK) e = why_set(why, out->err, "There is not enough memory for what is proposed.");
    buf_release(&k.detail);
    return e;
}
