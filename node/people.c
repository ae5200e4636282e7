/* The people of a device: whose slot of the key file (crypto/keyslot.h) a passphrase is stands in n_person.
 *
 * File and store cannot change in one step. So what is about to be done to the file is first written down in the
 * store (n_key_act) with the file's revision; then the file is changed, which is one step; then row and audit entry
 * are made and the note goes. A crash in between is settled when the store is opened next: the file has a later
 * revision than the note, and then it was done, or it has not, and then it never was. So no passphrase ever opens
 * this device in another one's name, and nothing is done to the file without its trace. */
#include "node/internal.h"

#include "crypto/device.h"

#include <stdio.h>
#include <string.h>

#define NAME_MAX_BYTES 120u

static const char *const phrase[] = {
    [KEY_ADD] = "gave somebody a passphrase on this device",
    [KEY_REMOVE] = "took somebody's passphrase on this device away",
    [KEY_PASSPHRASE] = "set another passphrase",
    [KEY_CODE] = "made a recovery code",
    [KEY_RECOVER] = "opened this device with its recovery code and set another passphrase",
    [KEY_REKEY] = "put all that this device holds under a new key",
};

/* ------------------------------------------------------------------------------------------------------- settling */

static enum err damaged(struct why *why)
{
    return why_set(why, ERR_TAMPERED, "What this device notes of its people is damaged.");
}

static enum err read_act(struct db *db, struct key_act *a, bool *out_found, struct why *why)
{
    struct stmt *s = NULL;
    enum err e = db_prepare(db, "SELECT kind, revision, at, slot, id, user, name FROM n_key_act LIMIT 1", &s, why);
    if (e == ERR_OK) e = db_step(s, out_found, why);
    if (e == ERR_OK && *out_found) {
        struct bytes name = db_bytes(s, 6);
        a->kind = (enum key_act_kind)db_int(s, 0);
        a->revision = (uint64_t)db_int(s, 1);
        a->at = db_int(s, 2);
        if (db_int(s, 0) < KEY_ADD || db_int(s, 0) > KEY_REKEY || !db_id(s, 3, a->slot) || !db_id(s, 4, a->id) ||
            !db_id(s, 5, a->user) || name.n >= sizeof a->name)
            e = damaged(why);
        else
            memcpy(a->name, name.n > 0 ? name.p : (const uint8_t *)"", name.n);
    }
    db_done(s);
    return e;
}

enum err people_audit(struct db *db, int64_t at, const uint8_t user[16], const uint8_t about[16], const char *what,
                      struct why *why)
{
    struct stmt *s = NULL;
    enum err e = db_prepare(db, "INSERT INTO n_audit(at, user, about, what) VALUES($1, $2, $3, $4)", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, at);
    db_bind_id(s, 2, user);
    if (about != NULL)
        db_bind_id(s, 3, about);
    else
        db_bind_null(s, 3);
    db_bind_str(s, 4, what);
    return db_run(s, why);
}

/* Somebody's slot that no row is of. More than one: it cannot be told whose. */
struct nameless {
    struct db *db;
    size_t n;
    uint8_t slot[SLOT_ID_BYTES];
};

static enum err has_row(struct db *db, const uint8_t slot[SLOT_ID_BYTES], bool *out, struct why *why)
{
    struct stmt *s = NULL;
    enum err e = db_prepare(db, "SELECT 1 FROM n_person WHERE slot = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, slot);
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

static enum err find_nameless(void *ctx, const uint8_t id[SLOT_ID_BYTES], enum slot_kind kind, struct why *why)
{
    struct nameless *x = ctx;
    bool row = false;
    if (kind != SLOT_PERSON) return ERR_OK;
    enum err e = has_row(x->db, id, &row, why);
    if (e == ERR_OK && !row) {
        memcpy(x->slot, id, SLOT_ID_BYTES);
        x->n++;
    }
    return e;
}

static enum err put_person(struct db *db, const struct key_act *a, struct why *why)
{
    struct stmt *s = NULL;
    enum err e = db_prepare(
        db, "INSERT OR REPLACE INTO n_person(slot, id, name, added_at, added_by) VALUES($1, $2, $3, $4, $5)", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, a->slot);
    db_bind_id(s, 2, a->id);
    db_bind_str(s, 3, a->name);
    db_bind_int(s, 4, a->at);
    db_bind_id(s, 5, a->user);
    return db_run(s, why);
}

static enum err forget_person(struct db *db, const uint8_t slot[SLOT_ID_BYTES], struct why *why)
{
    struct stmt *s = NULL;
    enum err e = db_prepare(db, "DELETE FROM n_person WHERE slot = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, slot);
    return db_run(s, why);
}

/* The file has been changed as the note says. */
static enum err complete(struct replica *r, const struct env *env, const struct keyfile *at, struct key_act *a,
                         struct why *why)
{
    struct nameless x = {.db = r->db};
    enum err e = ERR_OK;
    if (a->kind == KEY_ADD) {
        e = keyslot_each(env, at, find_nameless, &x, why);
        if (e == ERR_OK && x.n == 1) {
            memcpy(a->slot, x.slot, SLOT_ID_BYTES);
            e = put_person(r->db, a, why);
        }
    }
    if (e == ERR_OK && a->kind == KEY_REMOVE) e = forget_person(r->db, a->slot, why);
    if (e == ERR_OK) e = state_set_number(r->db, "key_revision", r->ring.revision, why);
    bool of_all = a->kind == KEY_CODE || a->kind == KEY_REKEY;
    return e == ERR_OK ? people_audit(r->db, a->at, a->user, of_all ? NULL : a->id, phrase[a->kind], why) : e;
}

enum err people_settle(struct replica *r, const struct env *env, const struct keyfile *at, struct why *why)
{
    struct key_act a = {0};
    bool found = false;
    enum err e = read_act(r->db, &a, &found, why);
    if (e != ERR_OK || !found) return e;
    e = db_begin(r->db, why);
    if (e != ERR_OK) return e;
    if (r->ring.revision > a.revision) e = complete(r, env, at, &a, why);
    if (e == ERR_OK) e = db_exec(r->db, "DELETE FROM n_key_act", why);
    if (e == ERR_OK) return db_commit(r->db, why);
    db_rollback(r->db);
    return e;
}

/* What stands noted, against the file as it stands now. */
static enum err settle(struct node *n, const struct keyfile *at, struct why *why)
{
    enum err e = keyslot_follow(n->env, at, &n->ring, why);
    if (e == ERR_NOTFOUND) e = ERR_OK; /* who has it open has taken away his own passphrase */
    struct replica lent = {.db = n->db, .ring = n->ring};
    return e == ERR_OK ? people_settle(&lent, n->env, at, why) : e;
}

enum err people_begin(struct node *n, const struct keyfile *at, struct key_act *a, struct why *why)
{
    struct stmt *s = NULL;
    if (n->capture != NULL) return why_set(why, ERR_FAILED, "A change is being made just now.");
    enum err e = settle(n, at, why);
    if (e == ERR_OK)
        e = db_prepare(
            n->db, "INSERT INTO n_key_act(kind, revision, at, slot, id, user, name) VALUES($1, $2, $3, $4, $5, $6, $7)",
            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, a->kind);
    db_bind_int(s, 2, (int64_t)n->ring.revision);
    db_bind_int(s, 3, env_now(n->env));
    db_bind_id(s, 4, a->slot);
    db_bind_id(s, 5, a->id);
    db_bind_id(s, 6, n->user);
    db_bind_str(s, 7, a->name);
    return db_run(s, why);
}

enum err people_end(struct node *n, const struct keyfile *at, enum err done, struct why *why)
{
    enum err e = settle(n, at, done == ERR_OK ? why : NULL);
    return done == ERR_OK ? e : done;
}

/* ----------------------------------------------------------------------------------------------------------- who */

static enum err first_person(struct db *db, uint8_t id[16], char name[128], struct why *why)
{
    enum err e = state_fixed(db, "user", id, 16, why);
    return e == ERR_OK ? state_text(db, "user_name", name, 128, why) : e;
}

enum err people_who(struct db *db, const struct keyring *ring, uint8_t id[16], char name[128], struct why *why)
{
    struct stmt *s = NULL;
    uint64_t known = 0;
    bool row = false;
    memset(id, 0, 16);
    name[0] = '\0';
    enum err e = db_prepare(db, "SELECT id, name FROM n_person WHERE slot = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, ring->slot);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) {
        struct bytes v = db_bytes(s, 1);
        if (!db_id(s, 0, id) || v.n >= 128) e = damaged(why);
        if (e == ERR_OK) (void)snprintf(name, 128, "%.*s", (int)v.n, (const char *)v.p);
    }
    db_done(s);
    if (e != ERR_OK || row) return e;
    /* Rather nobody than another: what is written so is held for a manager, who sees that its author is not known. */
    if (ring->kind == SLOT_PERSON) e = state_ask(db, "SELECT count(*) FROM n_person", &known, why);
    return e == ERR_OK && known == 0 ? first_person(db, id, name, why) : e;
}

enum err people_first(struct db *db, const struct env *env, const uint8_t slot[SLOT_ID_BYTES], const uint8_t id[16],
                      const char *name, struct why *why)
{
    struct key_act a = {.at = env_now(env)};
    memcpy(a.slot, slot, sizeof a.slot);
    memcpy(a.id, id, sizeof a.id);
    memcpy(a.user, id, sizeof a.user);
    (void)snprintf(a.name, sizeof a.name, "%s", name);
    return put_person(db, &a, why);
}

struct listing {
    struct node *n;
    node_person_fn each;
    void *ctx;
};

static enum err list_one(void *ctx, const uint8_t slot[SLOT_ID_BYTES], enum slot_kind kind, struct why *why)
{
    struct listing *l = ctx;
    struct node_person p = {.name = "", .self = memcmp(slot, l->n->ring.slot, SLOT_ID_BYTES) == 0};
    struct stmt *s = NULL;
    char name[128] = "";
    bool row = false;
    if (kind == SLOT_RECOVERY) return ERR_OK;
    memcpy(p.slot, slot, SLOT_ID_BYTES);
    enum err e = db_prepare(l->n->db, "SELECT id, name, added_at FROM n_person WHERE slot = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, slot);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) {
        (void)snprintf(name, sizeof name, "%.*s", (int)db_bytes(s, 1).n, (const char *)db_bytes(s, 1).p);
        (void)db_id(s, 0, p.id);
        p.name = name;
        p.added_ms = db_int(s, 2);
    }
    db_done(s);
    return e == ERR_OK ? l->each(l->ctx, &p, why) : e;
}

enum err node_people(struct node *n, node_person_fn each, void *ctx, struct why *why)
{
    struct replica_files f;
    struct listing l = {.n = n, .each = each, .ctx = ctx};
    enum err e = replica_files(&f, n->env, n->home, why);
    return e == ERR_OK ? keyslot_each(n->env, &f.keyfile, list_one, &l, why) : e;
}

/* Which slots are there, against the rows. */
struct tally {
    uint64_t slots, rows; /* of people; of those that have a row */
};

static enum err count_slot(void *ctx, const struct node_person *p, struct why *why)
{
    static const uint8_t nobody[16];
    struct tally *t = ctx;
    (void)why;
    t->slots++;
    t->rows += memcmp(p->id, nobody, sizeof nobody) != 0;
    return ERR_OK;
}

enum err people_check(struct node *n, struct why *why)
{
    struct tally t = {0};
    uint64_t rows = 0;
    enum err e = node_people(n, count_slot, &t, why);
    if (e == ERR_OK) e = state_ask(n->db, "SELECT count(*) FROM n_person", &rows, why);
    if (e != ERR_OK || (rows == t.rows && rows == t.slots)) return e;
    (void)why_set(why, ERR_TAMPERED,
                  rows > t.rows ? "Somebody is noted for this device who has no passphrase here any more."
                                : "Somebody has a passphrase on this device of whom nothing is noted here.");
    return why_next(why, ERR_TAMPERED, "Stop here, keep the files as they are, and ask your administrator.");
}

/* ---------------------------------------------------------------------------------------------------------- acts */

static enum err nobody(struct why *why)
{
    return why_set(why, ERR_NOTFOUND, "Nobody of that name can open this device.");
}

/* The slot of a person. ERR_NOTFOUND. */
static enum err slot_of(struct node *n, const uint8_t id[16], uint8_t out[SLOT_ID_BYTES], struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(n->db, "SELECT slot FROM n_person WHERE id = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, id);
    e = db_step(s, &row, why);
    if (e == ERR_OK && (!row || !db_id(s, 0, out))) e = row ? damaged(why) : nobody(why);
    db_done(s);
    return e;
}

/* Short enough to be kept, and cut between letters. */
static void keep_name(char out[128], struct bytes name)
{
    size_t n = name.n;
    if (n > NAME_MAX_BYTES) {
        n = NAME_MAX_BYTES;
        while (n > 0 && (name.p[n] & 0xc0) == 0x80) n--;
    }
    (void)snprintf(out, 128, "%.*s", (int)n, (const char *)name.p);
}

static enum err as_the_hub_has_them(struct node *n, const uint8_t id[16], char out_name[128], struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e =
        db_prepare(n->db, "SELECT name FROM practitioner WHERE id = $1 AND site = $2 AND active IS NOT 0", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, id);
    db_bind_str(s, 2, n->site);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) keep_name(out_name, db_bytes(s, 0));
    db_done(s);
    if (e != ERR_OK || row) return e;
    (void)why_set(why, ERR_NOTFOUND, "The MASH has nobody of that name at this device's site.");
    return why_next(why, ERR_NOTFOUND,
                    "Ask your administrator to add them at the MASH, run spoke sync, and try again.");
}

/* Two of one name are told apart by a number, or a passphrase that was forgotten could not be replaced. */
static enum err tell_apart(struct node *n, char name[128], struct why *why)
{
    char plain[NAME_MAX_BYTES + 1];
    (void)snprintf(plain, sizeof plain, "%.*s", (int)NAME_MAX_BYTES, name);
    for (unsigned i = 2;; i++) {
        struct stmt *s = NULL;
        bool taken = false;
        enum err e = db_prepare(n->db, "SELECT 1 FROM n_person WHERE name = $1", &s, why);
        if (e != ERR_OK) return e;
        db_bind_str(s, 1, name);
        e = db_step(s, &taken, why);
        db_done(s);
        if (e != ERR_OK || !taken) return e;
        (void)snprintf(name, 128, "%s (%u)", plain, i);
    }
}

static enum err must_be_new(struct node *n, const uint8_t id[16], struct why *why)
{
    uint8_t slot[SLOT_ID_BYTES];
    enum err e = slot_of(n, id, slot, why);
    if (e == ERR_NOTFOUND) return ERR_OK;
    return e == ERR_OK ? why_set(why, ERR_EXISTS, "This person can open this device already.") : e;
}

enum err node_person_add(struct node *n, const uint8_t id[16], struct bytes passphrase, struct why *why)
{
    struct replica_files f;
    struct key_act a = {.kind = KEY_ADD};
    uint8_t slot[SLOT_ID_BYTES];
    memcpy(a.id, id, sizeof a.id);
    enum err e = replica_files(&f, n->env, n->home, why);
    if (e == ERR_OK) e = as_the_hub_has_them(n, id, a.name, why);
    if (e == ERR_OK) e = must_be_new(n, id, why);
    if (e == ERR_OK) e = tell_apart(n, a.name, why);
    if (e == ERR_OK) e = people_begin(n, &f.keyfile, &a, why);
    if (e != ERR_OK) return e;
    e = keyslot_add(n->env, &f.keyfile, &n->ring, passphrase, slot, why);
    return people_end(n, &f.keyfile, e, why);
}

enum err node_person_remove(struct node *n, const uint8_t id[16], struct why *why)
{
    struct replica_files f;
    struct key_act a = {.kind = KEY_REMOVE};
    memcpy(a.id, id, sizeof a.id);
    enum err e = replica_files(&f, n->env, n->home, why);
    if (e == ERR_OK) e = slot_of(n, id, a.slot, why);
    if (e == ERR_OK) e = people_begin(n, &f.keyfile, &a, why);
    if (e != ERR_OK) return e;
    e = keyslot_remove(n->env, &f.keyfile, &n->ring, a.slot, why);
    return people_end(n, &f.keyfile, e, why);
}

static enum err change(struct node *n, struct key_act *a, const struct replica_files *f, struct bytes passphrase,
                       struct why *why)
{
    enum err e = people_begin(n, &f->keyfile, a, why);
    if (e != ERR_OK) return e;
    e = keyslot_change(n->env, &f->keyfile, &n->ring, a->slot, passphrase, why);
    return people_end(n, &f->keyfile, e, why);
}

enum err node_person_passphrase(struct node *n, const uint8_t id[16], struct bytes passphrase, struct why *why)
{
    struct replica_files f;
    struct key_act a = {.kind = KEY_PASSPHRASE};
    memcpy(a.id, id, sizeof a.id);
    enum err e = replica_files(&f, n->env, n->home, why);
    if (e == ERR_OK) e = slot_of(n, id, a.slot, why);
    return e == ERR_OK ? change(n, &a, &f, passphrase, why) : e;
}

enum err node_recovery_code(struct node *n, char out[RECOVERY_CODE_CHARS], struct why *why)
{
    struct replica_files f;
    struct key_act a = {.kind = KEY_CODE};
    char code[RECOVERY_CODE_CHARS] = "";
    enum err e = replica_files(&f, n->env, n->home, why);
    if (e == ERR_OK) e = people_begin(n, &f.keyfile, &a, why);
    if (e != ERR_OK) return e;
    e = keyslot_recovery(n->env, &f.keyfile, &n->ring, code, why);
    e = people_end(n, &f.keyfile, e, why);
    if (e == ERR_OK) memcpy(out, code, sizeof code);
    secret_wipe(code, sizeof code);
    return e;
}
