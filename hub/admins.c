/* Who opened the hub, what they may do, and the acts that are theirs. hub/ADMINS.md. */
#include "hub/admins.h"

#include "hub/people.h"
#include "hub/proposal.h"

#include <stdio.h>
#include <string.h>

#define FIRST_NAME "admin"

static const struct {
    enum hub_role role;
    const char *word, *phrase;
} roles[] = {
    {ROLE_SERVICE, "service", "a service account"},
    {ROLE_VIEWER, "viewer", "a viewer"},
    {ROLE_OPERATOR, "operator", "an operator"},
    {ROLE_SECURITY, "security", "a security administrator"},
};
enum { ROLES = sizeof roles / sizeof roles[0] };

const char *hub_role_word(enum hub_role r)
{
    for (size_t i = 0; i < ROLES; i++)
        if (roles[i].role == r) return roles[i].word;
    return "none";
}

bool hub_role_from_word(const char *word, enum hub_role *out)
{
    for (size_t i = 0; i < ROLES; i++)
        if (strcmp(roles[i].word, word) == 0) {
            *out = roles[i].role;
            return true;
        }
    return false;
}

void hub_role_words(unsigned mask, char *out, size_t n)
{
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < ROLES; i++) {
        if ((mask & roles[i].role) == 0) continue;
        int put = snprintf(out + at, n - at, "%s%s", at > 0 ? " or " : "", roles[i].phrase);
        if (put < 0 || (size_t)put >= n - at) return;
        at += (size_t)put;
    }
}

/* ------------------------------------------------------------------------------------------------------- looking */

static void copy_name(char out[ADMIN_NAME_BYTES + 1], struct bytes v)
{
    (void)snprintf(out, ADMIN_NAME_BYTES + 1, "%.*s", (int)v.n, v.n > 0 ? (const char *)v.p : "");
}

#define ADMIN "SELECT name, role, added_at, coalesce(added_by, ''), slot, CASE WHEN removed_at IS NULL THEN 0 ELSE 1 END FROM h_admin "

static void read_admin(struct hub *h, struct stmt *s, struct hub_admin *out)
{
    char word[16];
    struct bytes role = db_bytes(s, 1);
    *out = (struct hub_admin){.added_ms = db_int(s, 2)};
    copy_name(out->name, db_bytes(s, 0));
    copy_name(out->added_by, db_bytes(s, 3));
    (void)snprintf(word, sizeof word, "%.*s", (int)role.n, role.n > 0 ? (const char *)role.p : "");
    if (db_int(s, 5) != 0 || !hub_role_from_word(word, &out->role)) out->role = ROLE_NONE;
    out->self = bytes_equal(db_bytes(s, 4), bytes_of(h->keys.slot, SLOT_ID_BYTES));
}

enum err admins_by_slot(struct hub *h, const uint8_t slot[SLOT_ID_BYTES], struct hub_admin *out, bool *out_found,
                        struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, ADMIN "WHERE slot = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, slot);
    e = db_step(s, out_found, why);
    if (e == ERR_OK && *out_found) read_admin(h, s, out);
    db_done(s);
    return e;
}

enum err admins_opener(struct hub *h, struct hub_admin *out, bool *out_found, struct why *why)
{
    enum err e = admins_by_slot(h, h->keys.slot, out, out_found, why);
    if (e == ERR_OK && *out_found && out->role == ROLE_NONE) *out_found = false;
    return e;
}

enum err admins_find(struct hub *h, const char *name, struct hub_admin *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db, ADMIN "WHERE name = $1 AND removed_at IS NULL", &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, name);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) read_admin(h, s, out);
    db_done(s);
    if (e != ERR_OK || row) return e;
    (void)why_set(why, ERR_NOTFOUND, "There is no administrator of this name.");
    return why_next(why, ERR_NOTFOUND, "See who there is: spoke-hub admin list");
}

static enum err number(struct hub *h, const char *sql, int64_t *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db, sql, &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) *out = db_int(s, 0);
    db_done(s);
    return e;
}

enum err admins_count_security(struct hub *h, int64_t *out, struct why *why)
{
    return number(h, "SELECT count(*) FROM h_admin WHERE role = 'security' AND removed_at IS NULL", out, why);
}

static enum err nobody(struct why *why)
{
    (void)why_set(why, ERR_REFUSED,
                  "This passphrase opens the hub's key file, but it is nobody's: its owner was removed, or adding them was cut "
                  "off. Nothing was done.");
    return why_next(why, ERR_REFUSED, "Ask a security administrator of this hub: spoke-hub admin list");
}

enum err hub_admin_self(struct hub *h, struct hub_admin *out, struct why *why)
{
    bool found = false;
    enum err e = admins_opener(h, out, &found, why);
    return e == ERR_OK && !found ? nobody(why) : e;
}

/* ---------------------------------------------------------------------------------------------------------- acting */

static enum err not_allowed(const struct hub_admin *a, unsigned may, struct why *why)
{
    char who[160], is[60];
    hub_role_words(may, who, sizeof who);
    hub_role_words((unsigned)a->role, is, sizeof is);
    (void)why_set(why, ERR_REFUSED, "This is for %s; %s is %s. Nothing was done, and that it was tried is noted.", who, a->name, is);
    return why_next(why, ERR_REFUSED, "Ask one of them: spoke-hub admin list");
}

enum err admins_act(struct hub *h, unsigned may, const char *act, const char *about, const char *reason, struct why *why)
{
    struct hub_admin self;
    struct act_by by = {0};
    /* Put together by hand below the protocol: nobody opened it. */
    if (h->keys.keys.p == NULL) return people_act(h, act, about, reason, why);
    enum err e = hub_admin_self(h, &self, why);
    if (e == ERR_OK && ((unsigned)self.role & may) == 0) e = not_allowed(&self, may, why);
    if (e != ERR_OK) return e;
    by.who = h->second != NULL ? h->second->who : self.name;
    by.second = h->second != NULL ? self.name : NULL;
    return people_act_by(h, act, about, reason, &by, why);
}

static enum err note_attempt(struct hub *h, const struct hub_admin *self, const char *what, struct why *why)
{
    const struct act_by by = {.who = self->name};
    enum err e = hub_begin(h, why);
    if (e != ERR_OK) return e;
    e = people_act_by(h, "not allowed", what, hub_role_word(self->role), &by, why);
    if (e == ERR_OK) return hub_commit(h, why);
    hub_abort(h);
    return e;
}

enum err hub_admin_may(struct hub *h, unsigned may, const char *what, struct why *why)
{
    struct hub_admin self;
    enum err e = hub_admin_self(h, &self, why);
    if (e != ERR_OK || ((unsigned)self.role & may) != 0) return e;
    e = note_attempt(h, &self, what, why);
    return e == ERR_OK ? not_allowed(&self, may, why) : e;
}

/* ------------------------------------------------------------------------------------------------- the first of all */

/* After a restore, acts of another may be under that name. */
static enum err free_name(struct hub *h, char out[ADMIN_NAME_BYTES + 1], struct why *why)
{
    bool taken = true;
    enum err e = ERR_OK;
    for (unsigned i = 1; e == ERR_OK && taken; i++) {
        struct stmt *s;
        if (i == 1)
            (void)snprintf(out, ADMIN_NAME_BYTES + 1, "%s", FIRST_NAME);
        else
            (void)snprintf(out, ADMIN_NAME_BYTES + 1, "%s %u", FIRST_NAME, i);
        e = db_prepare(h->db, "SELECT 1 FROM h_act_by WHERE who = $1 OR second = $1 LIMIT 1", &s, why);
        if (e != ERR_OK) return e;
        db_bind_str(s, 1, out);
        e = db_step(s, &taken, why);
        db_done(s);
    }
    return e;
}

static enum err put_first(struct hub *h, struct why *why)
{
    char name[ADMIN_NAME_BYTES + 1];
    const struct act_by by = {.who = name};
    struct stmt *s;
    int64_t there = 0;
    enum err e = number(h, "SELECT count(*) FROM h_admin", &there, why); /* another process may have been first */
    if (e != ERR_OK || there > 0) return e;
    e = free_name(h, name, why);
    if (e != ERR_OK) return e;
    e = db_prepare(h->db, "INSERT INTO h_admin(slot, name, role, added_at) VALUES($1, $2, 'security', $3)", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, h->keys.slot);
    db_bind_str(s, 2, name);
    db_bind_int(s, 3, h->now_ms);
    e = db_run(s, why);
    return e == ERR_OK ? people_act_by(h, "admin add", name, "security", &by, why) : e;
}

enum err admins_known(struct hub *h, struct why *why)
{
    struct hub_admin self;
    int64_t there = 0;
    enum err e = number(h, "SELECT count(*) FROM h_admin", &there, why);
    if (e == ERR_OK && there == 0) {
        e = hub_begin(h, why);
        if (e != ERR_OK) return e;
        e = put_first(h, why);
        if (e == ERR_OK)
            e = hub_commit(h, why);
        else
            hub_abort(h);
    }
    return e == ERR_OK ? hub_admin_self(h, &self, why) : e;
}

/* --------------------------------------------------------------------------------------------------------- the list */

struct listing {
    struct hub *h;
    hub_admin_fn each;
    void *ctx;
    uint8_t slots[KEYSLOT_MAX][SLOT_ID_BYTES];
    size_t n;
};

static enum err keep_slot(void *ctx, const uint8_t id[SLOT_ID_BYTES], enum slot_kind kind, struct why *why)
{
    struct listing *l = ctx;
    (void)kind, (void)why;
    if (l->n < KEYSLOT_MAX) memcpy(l->slots[l->n++], id, SLOT_ID_BYTES);
    return ERR_OK;
}

static bool has_key(const struct listing *l, struct bytes slot)
{
    for (size_t i = 0; i < l->n; i++)
        if (bytes_equal(slot, bytes_of(l->slots[i], SLOT_ID_BYTES))) return true;
    return false;
}

static enum err list_nameless(struct listing *l, struct why *why)
{
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < l->n; i++) {
        struct hub_admin a = {0};
        bool found = false;
        e = admins_by_slot(l->h, l->slots[i], &a, &found, why);
        if (e != ERR_OK || (found && a.role != ROLE_NONE)) continue;
        a.has_key = true;
        e = l->each(l->ctx, &a, why);
    }
    return e;
}

enum err hub_admins(struct hub *h, hub_admin_fn each, void *ctx, struct why *why)
{
    struct listing l = {.h = h, .each = each, .ctx = ctx};
    struct stmt *s = NULL;
    bool row = false;
    enum err e = keyslot_each(h->env, &(struct keyfile){.path = h->keyfile}, keep_slot, &l, why);
    if (e == ERR_OK) e = db_prepare(h->db, ADMIN "WHERE removed_at IS NULL ORDER BY name", &s, why);
    while (e == ERR_OK && (e = db_step(s, &row, why)) == ERR_OK && row) {
        struct hub_admin a;
        read_admin(h, s, &a);
        a.has_key = has_key(&l, db_bytes(s, 4));
        e = each(ctx, &a, why);
    }
    db_done(s);
    return e == ERR_OK ? list_nameless(&l, why) : e;
}
