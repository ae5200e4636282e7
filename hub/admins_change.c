/* Administrators come, go and change: the key file and the store together (hub/ADMINS.md says in which order, and
 * why). */
#include "hub/people.h"
#include "hub/proposal.h"

#include "base/cbor.h"
#include "hub/log_audit.h"

#include <stdio.h>
#include <string.h>

#define REASON_BYTES 1000u

static struct keyfile key_of(const struct hub *h)
{
    return (struct keyfile){.path = h->keyfile};
}

static enum err check_name(const char *name, struct why *why)
{
    struct bytes n = bytes_of_str(name);
    if (n.n >= 1 && n.n <= ADMIN_NAME_BYTES && log_name_is_good(n) && n.p[0] != ' ' && n.p[n.n - 1] != ' ') return ERR_OK;
    return why_set(why, ERR_USAGE, "An administrator's name has 1 to %u bytes, on one line.", ADMIN_NAME_BYTES);
}

static enum err check_reason(const char *reason, struct why *why)
{
    if (reason == NULL || (strlen(reason) <= REASON_BYTES && utf8_valid(bytes_of_str(reason)))) return ERR_OK;
    return why_set(why, ERR_USAGE, "The reason has %u bytes at most.", REASON_BYTES);
}

/* What an act says of a role, and why. */
static const char *with_reason(enum hub_role r, const char *reason, char out[REASON_BYTES + 40])
{
    (void)snprintf(out, REASON_BYTES + 40, "%s%s%s", r == ROLE_NONE ? "removed" : hub_role_word(r),
                   reason != NULL && reason[0] != '\0' ? ": " : "", reason != NULL ? reason : "");
    return out;
}

static enum err slot_of(struct hub *h, const char *name, bool removed_too, uint8_t out[SLOT_ID_BYTES], struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db,
                            removed_too ? "SELECT slot FROM h_admin WHERE name = $1"
                                        : "SELECT slot FROM h_admin WHERE name = $1 AND removed_at IS NULL",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, name);
    e = db_step(s, &row, why);
    if (e == ERR_OK && (!row || !db_id(s, 0, out)))
        e = why_set(why, ERR_NOTFOUND, "There is no administrator of this name.");
    db_done(s);
    return e;
}

/* ------------------------------------------------------------------------------------------ slots that are nobody's */

struct strays {
    struct hub *h;
    uint8_t slots[KEYSLOT_MAX][SLOT_ID_BYTES];
    size_t n;
};

static enum err find_stray(void *ctx, const uint8_t id[SLOT_ID_BYTES], enum slot_kind kind, struct why *why)
{
    struct strays *x = ctx;
    struct stmt *s;
    bool row = false;
    if (kind != SLOT_PERSON) return ERR_OK;
    enum err e = db_prepare(x->h->db, "SELECT 1 FROM h_admin WHERE slot = $1 AND removed_at IS NULL", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, id);
    e = db_step(s, &row, why);
    db_done(s);
    if (e == ERR_OK && !row && x->n < KEYSLOT_MAX) memcpy(x->slots[x->n++], id, SLOT_ID_BYTES);
    return e;
}

/* The file as it stands, whoever changed it since; and without what a change that was cut off left in it. */
static enum err tidy(struct hub *h, struct why *why)
{
    const struct keyfile at = key_of(h);
    struct strays x = {.h = h};
    enum err e = keyslot_follow(h->env, &at, &h->keys, why);
    if (e == ERR_OK) e = keyslot_each(h->env, &at, find_stray, &x, why);
    for (size_t i = 0; e == ERR_OK && i < x.n; i++) {
        e = keyslot_remove(h->env, &at, &h->keys, x.slots[i], why);
        if (e == ERR_NOTFOUND) e = ERR_OK;
    }
    return e;
}

/* ----------------------------------------------------------------------------------------------------------- adding */

/* Somebody gave acts under this name before. ERR_EXISTS. */
static enum err had_name(struct hub *h, const char *name, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db, "SELECT 1 FROM h_act_by WHERE who = $1 OR second = $1 LIMIT 1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, name);
    e = db_step(s, &row, why);
    db_done(s);
    return e == ERR_OK && row ? ERR_EXISTS : e;
}

static enum err must_be_new(struct hub *h, const char *name, struct why *why)
{
    uint8_t slot[SLOT_ID_BYTES];
    enum err e = slot_of(h, name, true, slot, why);
    if (e == ERR_OK) e = ERR_EXISTS;
    if (e == ERR_NOTFOUND) e = had_name(h, name, why);
    if (e != ERR_EXISTS) return e;
    (void)why_set(why, ERR_EXISTS, "An administrator of this hub has, or had, this name: acts keep names, so none is given twice.");
    return why_next(why, ERR_EXISTS, "Choose another name, or with 'spoke-hub admin role' another role.");
}

static enum err put(struct hub *h, const char *name, enum hub_role role, const uint8_t slot[SLOT_ID_BYTES], struct why *why)
{
    struct hub_admin self;
    struct stmt *s;
    enum err e = hub_admin_self(h, &self, why);
    if (e == ERR_OK)
        e = db_prepare(h->db, "INSERT INTO h_admin(slot, name, role, added_at, added_by) VALUES($1, $2, $3, $4, $5)", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, slot);
    db_bind_str(s, 2, name);
    db_bind_str(s, 3, hub_role_word(role));
    db_bind_int(s, 4, h->now_ms);
    db_bind_str(s, 5, self.name);
    return db_run(s, why);
}

/* The act first: it says who may not before the file is touched. The file last but the end of the transaction. */
static enum err add(struct hub *h, const char *name, enum hub_role role, struct bytes passphrase, struct why *why)
{
    const struct keyfile at = key_of(h);
    uint8_t slot[SLOT_ID_BYTES];
    enum err e = must_be_new(h, name, why);
    if (e == ERR_OK) e = admins_act(h, MAY_SECURE, "admin add", name, hub_role_word(role), why);
    if (e == ERR_OK) e = tidy(h, why);
    if (e == ERR_OK) e = keyslot_add(h->env, &at, &h->keys, passphrase, slot, why);
    return e == ERR_OK ? put(h, name, role, slot, why) : e;
}

static enum err refuse_alone(struct hub *h, enum hub_role role, struct why *why)
{
    bool two = false;
    enum err e = two_in_force(h, &two, why);
    if (e != ERR_OK || !two || role != ROLE_SECURITY) return e;
    (void)why_set(why, ERR_REFUSED, "Here it takes two people to make somebody a security administrator.");
    return why_next(why, ERR_REFUSED, "Add them as an operator, then: spoke-hub admin role NAME security, which a second approves.");
}

enum err hub_admin_add(struct hub *h, const char *name, enum hub_role role, struct bytes passphrase, struct why *why)
{
    enum err e = check_name(name, why);
    if (e == ERR_OK) e = two_begin(h, false, why);
    if (e != ERR_OK) return e;
    e = refuse_alone(h, role, why);
    if (e == ERR_OK) e = add(h, name, role, passphrase, why);
    return two_finish(h, e, why);
}

/* -------------------------------------------------------------------------------------------- another role, or none */

/* One must stay; two where it takes two. */
static enum err must_leave_enough(struct hub *h, const struct hub_admin *a, struct why *why)
{
    int64_t two = 0, there = 0;
    if (a->role != ROLE_SECURITY) return ERR_OK;
    enum err e = rule_get(h, RULE_TWO_PERSON, &two, why);
    if (e == ERR_OK) e = admins_count_security(h, &there, why);
    if (e != ERR_OK || there > (two != 0 ? 2 : 1)) return e;
    if (two == 0)
        return why_set(why, ERR_DENIED, "This is the only security administrator: nobody could appoint one any more.");
    (void)why_set(why, ERR_DENIED, "There are only two security administrators, and the rule of two people needs two.");
    return why_next(why, ERR_DENIED, "Appoint a third first, or switch the rule off: spoke-hub rule two-person off");
}

static enum err set_role(struct hub *h, const char *name, enum hub_role role, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db,
                            role == ROLE_NONE ? "UPDATE h_admin SET removed_at = $2 WHERE name = $1"
                                              : "UPDATE h_admin SET role = $2 WHERE name = $1",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, name);
    if (role == ROLE_NONE)
        db_bind_int(s, 2, h->now_ms);
    else
        db_bind_str(s, 2, hub_role_word(role));
    return db_run(s, why);
}

/* Who may invite nobody any more leaves no way in behind. */
static enum err end_invites(struct hub *h, const char *name, enum hub_role role, struct why *why)
{
    uint8_t slot[SLOT_ID_BYTES];
    if (((unsigned)role & MAY_OPERATE) != 0) return ERR_OK;
    enum err e = slot_of(h, name, true, slot, why);
    return e == ERR_OK ? invites_end_by(h, slot, why) : e;
}

static enum err change_role(struct hub *h, const char *name, enum hub_role role, const char *reason, struct why *why)
{
    struct hub_admin a;
    char words[REASON_BYTES + 40];
    enum err e = admins_find(h, name, &a, why);
    /* Before the change: whoever gives their own role away may do this. */
    if (e == ERR_OK)
        e = admins_act(h, MAY_SECURE, role == ROLE_NONE ? "admin remove" : "admin role", name, with_reason(role, reason, words), why);
    if (e == ERR_OK && a.role == role) e = why_set(why, ERR_EXISTS, "That is their role already.");
    if (e == ERR_OK) e = must_leave_enough(h, &a, why);
    if (e == ERR_OK) e = end_invites(h, name, role, why);
    return e == ERR_OK ? set_role(h, name, role, why) : e;
}

/* Does it concern a security administrator, as they are or are to be? */
static enum err concerns_security(struct hub *h, const char *name, enum hub_role role, bool *out, struct why *why)
{
    struct hub_admin a;
    enum err e = admins_find(h, name, &a, why);
    if (e == ERR_OK) *out = a.role == ROLE_SECURITY || role == ROLE_SECURITY;
    return e;
}

enum err hub_admin_role(struct hub *h, const char *name, enum hub_role role, const char *reason, struct why *why)
{
    bool needed = false;
    enum err e = check_reason(reason, why);
    if (e == ERR_OK) e = concerns_security(h, name, role, &needed, why);
    if (e == ERR_OK) e = two_begin(h, needed, why);
    return e == ERR_OK ? two_finish(h, change_role(h, name, role, reason, why), why) : e;
}

/* The slot of somebody who is noted as removed opens nothing; out of the file all the same. In a transaction that
 * writes nothing: the file is written whole, and its lock keeps out who else would write it just now, from another
 * process of this hub. */
static enum err take_key(struct hub *h, const char *name, struct why *why)
{
    const struct keyfile at = key_of(h);
    uint8_t slot[SLOT_ID_BYTES];
    enum err e = hub_begin(h, why);
    if (e != ERR_OK) return e;
    e = slot_of(h, name, true, slot, why);
    if (e == ERR_OK) e = keyslot_follow(h->env, &at, &h->keys, why);
    if (e == ERR_OK) e = keyslot_remove(h->env, &at, &h->keys, slot, why);
    hub_abort(h);
    return e;
}

static enum err was_removed(struct hub *h, const char *name, bool *out, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, "SELECT 1 FROM h_admin WHERE name = $1 AND removed_at IS NOT NULL", &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, name);
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

enum err hub_admin_remove(struct hub *h, const char *name, const char *reason, struct why *why)
{
    bool needed = false, before = false;
    enum err e = check_reason(reason, why);
    if (e == ERR_OK) e = was_removed(h, name, &before, why);
    if (e == ERR_OK && before) e = hub_admin_may(h, MAY_SECURE, "admin remove", why);
    if (e == ERR_OK && !before) e = concerns_security(h, name, ROLE_NONE, &needed, why);
    if (e == ERR_OK && !before) e = two_begin(h, needed, why);
    if (e == ERR_OK && !before) e = two_finish(h, change_role(h, name, ROLE_NONE, reason, why), why);
    if (e != ERR_OK) return e;
    e = take_key(h, name, why);
    if (e == ERR_NOTFOUND)
        return before ? why_set(why, e, "This administrator was removed, and has no passphrase here any more.") : ERR_OK;
    return e;
}

/* ---------------------------------------------------------------------------------------------- passphrase and name */

static enum err must_be_theirs(struct hub *h, const struct hub_admin *self, const struct hub_admin *a, struct why *why)
{
    if (strcmp(self->name, a->name) == 0 || self->role == ROLE_SECURITY) return ERR_OK;
    return hub_admin_may(h, MAY_SECURE, "admin passwd", why);
}

/* As the store stands in this transaction: somebody may have become one meanwhile. */
static enum err must_not_act_as_second(struct hub *h, const char *name, struct why *why)
{
    struct hub_admin a;
    bool two = false;
    enum err e = admins_find(h, name, &a, why);
    if (e == ERR_OK) e = two_in_force(h, &two, why);
    if (e != ERR_OK || !two || a.role != ROLE_SECURITY) return e;
    (void)why_set(why, ERR_REFUSED,
                  "Here it takes two people to act as a security administrator, and setting another's passphrase is that.");
    return why_next(why, ERR_REFUSED, "They set it themselves; or remove them and appoint them anew under another name, by two.");
}

static enum err set_passphrase(struct hub *h, const char *name, bool own, struct bytes passphrase, struct why *why)
{
    const struct keyfile at = key_of(h);
    uint8_t slot[SLOT_ID_BYTES];
    enum err e = own ? ERR_OK : must_not_act_as_second(h, name, why);
    if (e == ERR_OK) e = slot_of(h, name, false, slot, why);
    if (e == ERR_OK) e = admins_act(h, own ? MAY_ANY : MAY_SECURE, "admin passwd", name, NULL, why);
    if (e == ERR_OK) e = keyslot_follow(h->env, &at, &h->keys, why);
    return e == ERR_OK ? keyslot_change(h->env, &at, &h->keys, slot, passphrase, why) : e;
}

enum err hub_admin_passphrase(struct hub *h, const char *name, struct bytes passphrase, struct why *why)
{
    struct hub_admin self, a;
    enum err e = hub_admin_self(h, &self, why);
    if (e == ERR_OK) e = admins_find(h, name != NULL ? name : self.name, &a, why);
    if (e == ERR_OK) e = must_be_theirs(h, &self, &a, why);
    if (e == ERR_OK) e = two_begin(h, false, why);
    if (e != ERR_OK) return e;
    return two_finish(h, set_passphrase(h, a.name, strcmp(self.name, a.name) == 0, passphrase, why), why);
}

static enum err rename_self(struct hub *h, const char *name, struct why *why)
{
    struct hub_admin self;
    struct stmt *s;
    enum err e = hub_admin_self(h, &self, why);
    if (e == ERR_OK) e = must_be_new(h, name, why);
    if (e == ERR_OK) e = admins_act(h, MAY_VIEW, "admin name", self.name, name, why); /* under the name from before */
    if (e == ERR_OK) e = db_prepare(h->db, "UPDATE h_admin SET name = $1 WHERE slot = $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, name);
    db_bind_id(s, 2, h->keys.slot);
    return db_run(s, why);
}

enum err hub_admin_rename(struct hub *h, const char *name, struct why *why)
{
    enum err e = check_name(name, why);
    if (e == ERR_OK) e = two_begin(h, false, why);
    return e == ERR_OK ? two_finish(h, rename_self(h, name, why), why) : e;
}
