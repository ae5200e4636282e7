/* What administrators do. Each act is one transaction with its line in h_act. */
#include "hub/people.h"
#include "hub/proposal.h"
#include "hub/sight.h"

#include "base/cbor.h"
#include "crypto/hash.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define CODE_BYTES   63u /* codes stand in struct hub_node */
#define TEXT_BYTES   200u
#define MAX_VALID_MS (366LL * 24 * 60 * 60 * 1000)

static const struct actor the_hub = {0};

/* ------------------------------------------------------------------------------------------------------ checks */

/* Codes stand in channel names and commands: lower case letters, digits, '-', '_', '.'. */
static enum err check_code(const char *what, const char *code, struct why *why)
{
    size_t n = strlen(code);
    bool good = n > 0 && n <= CODE_BYTES && isalnum((unsigned char)code[0]);
    for (size_t i = 0; good && i < n; i++)
        good = (code[i] >= 'a' && code[i] <= 'z') || isdigit((unsigned char)code[i]) || strchr("-_.", code[i]) != NULL;
    if (good) return ERR_OK;
    return why_set(why, ERR_USAGE, "%s is made of 1 to %u small letters, digits, '-', '_' and '.'.", what, CODE_BYTES);
}

static enum err check_text(const char *what, const char *text, bool needed, struct why *why)
{
    struct bytes t = bytes_of_str(text == NULL ? "" : text);
    if ((needed && t.n == 0) || t.n > TEXT_BYTES || !utf8_valid(t))
        return why_set(why, ERR_USAGE, "%s has %d to %u bytes.", what, needed ? 1 : 0, TEXT_BYTES);
    return ERR_OK;
}

static enum err one_row(struct hub *h, const char *sql, const char *a, const char *b, bool *out, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, sql, &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, a);
    if (b != NULL) db_bind_str(s, 2, b);
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

static enum err must_be(struct hub *h, const char *sql, const char *code, bool there, const char *message,
                        struct why *why)
{
    bool found = false;
    enum err e = one_row(h, sql, code, NULL, &found, why);
    if (e == ERR_OK && found != there) e = why_set(why, there ? ERR_NOTFOUND : ERR_EXISTS, "%s", message);
    return e;
}

/* ----------------------------------------------------------------------------------------------------- plumbing */

static enum err finish(struct hub *h, enum err e, struct why *why)
{
    if (e == ERR_OK) return hub_commit(h, why);
    hub_abort(h);
    return e;
}

static enum err insert(struct hub *h, const char *table, const struct value *v, size_t n, struct why *why)
{
    struct row r = {.table = rules_table((size_t)rules_table_index(bytes_of_str(table)))};
    for (size_t i = 0; i < r.table->n_columns; i++) r.v[i] = i < n ? v[i] : value_null();
    return sight_insert(h, &r, &the_hub, why);
}

/* --------------------------------------------------------------------------------------------------------- acts */

static enum err add_agency(struct hub *h, const char *code, const char *name, const char *kind, struct why *why)
{
    uint8_t id[16];
    enum err e = must_be(h, "SELECT 1 FROM agency WHERE code = $1", code, false,
                         "There is an agency of this code already.", why);
    if (e == ERR_OK) e = sight_step(h, why);
    env_new_id(h->env, id);
    const struct value v[] = {value_id(id), value_str(code), value_str(name), value_str(kind)};
    if (e == ERR_OK) e = insert(h, "agency", v, 4, why);
    if (e == ERR_OK) e = sight_settle(h, why);
    return e == ERR_OK ? admins_act(h, MAY_OPERATE, "agency add", code, NULL, why) : e;
}

enum err hub_add_agency(struct hub *h, const char *code, const char *name, const char *kind, struct why *why)
{
    enum err e = check_code("An agency's code", code, why);
    if (e == ERR_OK) e = check_text("An agency's name", name, true, why);
    if (e == ERR_OK && kind != NULL) e = check_code("A kind of agency", kind, why);
    if (e == ERR_OK) e = hub_begin(h, why);
    return e == ERR_OK ? finish(h, add_agency(h, code, name, kind, why), why) : e;
}

static enum err add_coverage(struct hub *h, const char *site, const char *area, struct why *why)
{
    uint8_t id[16];
    env_new_id(h->env, id);
    const struct value v[] = {value_id(id), value_str(site), value_str(area)};
    return insert(h, "coverage", v, 3, why);
}

static enum err add_site(struct hub *h, const struct hub_site *s, struct why *why)
{
    uint8_t id[16];
    enum err e =
        must_be(h, "SELECT 1 FROM site WHERE code = $1", s->code, false, "There is a site of this code already.", why);
    if (e == ERR_OK)
        e = must_be(h, "SELECT 1 FROM agency WHERE code = $1", s->agency, true, "There is no agency of this code.",
                    why);
    if (e == ERR_OK) e = sight_step(h, why);
    env_new_id(h->env, id);
    const struct value v[] = {value_id(id),
                              value_str(s->code),
                              value_str(s->agency),
                              value_str(s->name),
                              value_str(s->kind == NULL ? "partner" : s->kind),
                              value_str(s->phone)};
    if (e == ERR_OK) e = insert(h, "site", v, 6, why);
    for (size_t i = 0; e == ERR_OK && i < s->n_areas; i++) e = add_coverage(h, s->code, s->areas[i], why);
    if (e == ERR_OK && s->n_areas == 0) e = add_coverage(h, s->code, "*", why);
    if (e == ERR_OK) e = sight_settle(h, why);
    return e == ERR_OK ? admins_act(h, MAY_OPERATE, "site add", s->code, NULL, why) : e;
}

enum err hub_add_site(struct hub *h, const struct hub_site *s, struct why *why)
{
    enum err e = check_code("A site's code", s->code, why);
    if (e == ERR_OK) e = check_text("A site's name", s->name, true, why);
    if (e == ERR_OK) e = check_text("A phone number", s->phone, false, why);
    for (size_t i = 0; e == ERR_OK && i < s->n_areas; i++) e = check_text("An area's name", s->areas[i], true, why);
    if (e == ERR_OK && s->kind != NULL && strcmp(s->kind, "partner") != 0 && strcmp(s->kind, "mash") != 0 &&
        strcmp(s->kind, "out_of_hours") != 0)
        e = why_set(why, ERR_USAGE, "A site is of kind partner, mash or out_of_hours.");
    if (e == ERR_OK) e = hub_begin(h, why);
    return e == ERR_OK ? finish(h, add_site(h, s, why), why) : e;
}

static enum err add_practitioner(struct hub *h, const char *site, const char *name, const char *role,
                                 uint8_t out_id[16], struct why *why)
{
    uint8_t id[16];
    bool found = false;
    enum err e = must_be(h, "SELECT 1 FROM site WHERE code = $1", site, true, "There is no site of this code.", why);
    if (e == ERR_OK) e = people_find(h, site, name, id, &found, why);
    if (e == ERR_OK && found) e = why_set(why, ERR_EXISTS, "There is a person of this name at the site already.");
    if (e == ERR_OK) e = people_add(h, site, name, role, out_id, why);
    return e == ERR_OK ? admins_act(h, MAY_OPERATE, "practitioner add", site, NULL, why) : e;
}

enum err hub_add_practitioner(struct hub *h, const char *site, const char *name, const char *role, uint8_t out_id[16],
                              struct why *why)
{
    uint8_t id[16];
    enum err e = check_text("A person's name", name, true, why);
    if (e == ERR_OK) e = check_text("A role", role, false, why);
    if (e == ERR_OK) e = hub_begin(h, why);
    if (e == ERR_OK) e = finish(h, add_practitioner(h, site, name, role, id, why), why);
    if (e == ERR_OK) memcpy(out_id, id, sizeof id);
    return e;
}

static enum err check_duty_new(struct hub *h, const uint8_t person[16], const char *area, const char *duty,
                               struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e =
        db_prepare(h->db,
                   "SELECT CASE WHEN EXISTS (SELECT 1 FROM duty d WHERE d.practitioner = $1 AND d.area = $2 AND "
                   "d.duty = $3) THEN 1 ELSE 0 END FROM practitioner WHERE id = $1",
                   &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, person);
    db_bind_str(s, 2, area);
    db_bind_str(s, 3, duty);
    e = db_step(s, &row, why);
    if (e == ERR_OK && !row)
        e = why_set(why, ERR_NOTFOUND, "There is no such person.");
    else if (e == ERR_OK && db_int(s, 0) != 0)
        e = why_set(why, ERR_EXISTS, "This person has the duty already.");
    db_done(s);
    return e;
}

static enum err add_duty(struct hub *h, const uint8_t person[16], const char *area, const char *duty, struct why *why)
{
    uint8_t id[16];
    char about[37];
    enum err e = check_duty_new(h, person, area, duty, why);
    if (e == ERR_OK) e = sight_step(h, why);
    env_new_id(h->env, id);
    const struct value v[] = {value_id(id), value_id(person), value_str(area), value_str(duty)};
    if (e == ERR_OK) e = insert(h, "duty", v, 4, why);
    if (e == ERR_OK) e = sight_settle(h, why);
    uuid_format(person, about);
    return e == ERR_OK ? admins_act(h, MAY_OPERATE, "duty add", about, duty, why) : e;
}

enum err hub_add_duty(struct hub *h, const uint8_t practitioner[16], const char *area, const char *duty,
                      struct why *why)
{
    enum err e = check_text("An area's name", area, true, why);
    if (e == ERR_OK && strcmp(duty, "manager") != 0 && strcmp(duty, "social_care") != 0 &&
        strcmp(duty, "caldicott") != 0)
        e = why_set(why, ERR_USAGE, "A duty is manager, social_care or caldicott.");
    if (e == ERR_OK) e = hub_begin(h, why);
    return e == ERR_OK ? finish(h, add_duty(h, practitioner, area, duty, why), why) : e;
}

/* -------------------------------------------------------------------------------------------------- invitations */

static enum err note_inviter(struct hub *h, const uint8_t hash[HASH_BYTES], bool approve, struct why *why)
{
    struct stmt *s;
    int64_t all = 0;
    enum err e = rule_get(h, RULE_APPROVE, &all, why);
    if (e == ERR_OK)
        e = db_prepare(h->db, "INSERT INTO h_invite_by(token_hash, slot, approve) VALUES($1, $2, $3)", &s, why);
    if (e != ERR_OK) return e;
    db_bind_blob(s, 1, bytes_of(hash, HASH_BYTES));
    db_bind_id(s, 2, h->keys.slot);
    db_bind_int(s, 3, approve || all != 0);
    return db_run(s, why);
}

static enum err put_invite(struct hub *h, const char *site, const uint8_t token[16], int64_t expires_at, bool approve,
                           struct why *why)
{
    uint8_t hash[HASH_BYTES];
    struct stmt *s;
    enum err e = must_be(h, "SELECT 1 FROM site WHERE code = $1", site, true, "There is no site of this code.", why);
    if (e == ERR_OK)
        e = db_prepare(h->db,
                       "INSERT INTO h_invite(token_hash, site_no, expires_at, after_act) "
                       "SELECT $1, no, $2, coalesce((SELECT max(no) FROM h_act), 0) FROM h_site WHERE code = $3",
                       &s, why);
    if (e != ERR_OK) return e;
    hash_blake2b(hash, bytes_of(token, 16));
    db_bind_blob(s, 1, bytes_of(hash, sizeof hash));
    db_bind_int(s, 2, expires_at);
    db_bind_str(s, 3, site);
    e = db_run(s, why);
    if (e == ERR_OK) e = note_inviter(h, hash, approve, why);
    return e == ERR_OK ? admins_act(h, MAY_OPERATE, "invite", site, NULL, why) : e;
}

/* Expired, not deleted: of a code that comes later it can still be said whose it was. */
enum err invites_end_by(struct hub *h, const uint8_t slot[16], struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db,
                            "UPDATE h_invite SET expires_at = $1 WHERE used_at IS NULL AND expires_at > $1 AND token_hash IN "
                            "(SELECT b.token_hash FROM h_invite_by b WHERE b.slot = $2)",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, h->now_ms);
    db_bind_id(s, 2, slot);
    return db_run(s, why);
}

enum err invites_end_at(struct hub *h, const char *site, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db,
                            "UPDATE h_invite SET expires_at = $1 WHERE used_at IS NULL AND expires_at > $1 AND site_no IN "
                            "(SELECT k.no FROM h_site k WHERE k.code = $2)",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, h->now_ms);
    db_bind_str(s, 2, site);
    return db_run(s, why);
}

/* Its act was the next after those that h_invite says were before it: nobody else acts within one transaction. */
static enum err must_be_open(struct hub *h, int64_t no, char out_site[CODE_BYTES + 1], struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db,
                            "SELECT k.code, CASE WHEN i.used_at IS NOT NULL THEN 2 WHEN i.expires_at <= $2 THEN 1 ELSE 0 END "
                            "FROM h_invite i JOIN h_site k ON k.no = i.site_no WHERE i.after_act = $1 - 1",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, no);
    db_bind_int(s, 2, h->now_ms);
    e = db_step(s, &row, why);
    int64_t state = e == ERR_OK && row ? db_int(s, 1) : 0;
    struct bytes code = e == ERR_OK && row ? db_bytes(s, 0) : (struct bytes){0};
    if (code.n > CODE_BYTES) e = why_set(why, ERR_TAMPERED, "What this hub stored about a site is damaged.");
    if (e == ERR_OK) (void)snprintf(out_site, CODE_BYTES + 1, "%.*s", (int)code.n, code.n > 0 ? (const char *)code.p : "");
    db_done(s);
    if (e != ERR_OK || (row && state == 0)) return e;
    e = row ? ERR_EXISTS : ERR_NOTFOUND;
    (void)why_set(why, e, !row         ? "There is no invitation of this number."
                          : state == 1 ? "This invitation works no more already. Nothing was changed."
                                       : "A device has used this invitation already. Nothing was changed.");
    return why_next(why, e, state == 2 ? "Cut that device off, if it is not meant: spoke-hub node list, spoke-hub node revoke"
                                       : "See which there are: spoke-hub invitation list");
}

static enum err withdraw(struct hub *h, int64_t no, const char *reason, struct why *why)
{
    char site[CODE_BYTES + 1], about[CODE_BYTES + 40];
    struct stmt *s;
    enum err e = must_be_open(h, no, site, why);
    if (e == ERR_OK) e = db_prepare(h->db, "UPDATE h_invite SET expires_at = $1 WHERE after_act = $2 - 1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, h->now_ms);
    db_bind_int(s, 2, no);
    e = db_run(s, why);
    (void)snprintf(about, sizeof about, "%s, invitation %lld", site, (long long)no);
    return e == ERR_OK ? admins_act(h, MAY_OPERATE, "invite withdraw", about, reason, why) : e;
}

enum err hub_invite_withdraw(struct hub *h, int64_t no, const char *reason, struct why *why)
{
    enum err e = check_text("The reason", reason, true, why);
    if (e == ERR_OK) e = hub_begin(h, why);
    return e == ERR_OK ? finish(h, withdraw(h, no, reason, why), why) : e;
}

enum err hub_invite(struct hub *h, const char *site, const char *address, int64_t valid_ms, struct buf *out_code,
                    struct why *why)
{
    return hub_invite_approved(h, site, address, valid_ms, false, out_code, why);
}

enum err hub_invite_approved(struct hub *h, const char *site, const char *address, int64_t valid_ms, bool approve,
                             struct buf *out_code, struct why *why)
{
    struct invitation i = {0};
    struct buf code;
    size_t n = strlen(address);
    if (n == 0 || n >= sizeof i.address)
        return why_set(why, ERR_USAGE, "The hub's address has 1 to %zu bytes.", sizeof i.address - 1);
    if (valid_ms <= 0 || valid_ms > MAX_VALID_MS)
        return why_set(why, ERR_USAGE, "An invitation is good for a moment to a year.");
    memcpy(i.address, address, n);
    identity_fingerprint(&h->id.pub, i.fingerprint);
    env_random(h->env, i.token, sizeof i.token);
    buf_init(&code, 4096);
    enum err e = invitation_put(&code, &i, why);
    if (e == ERR_OK) e = hub_begin(h, why);
    if (e == ERR_OK) e = finish(h, put_invite(h, site, i.token, h->now_ms + valid_ms, approve, why), why);
    if (e == ERR_OK) buf_put_bytes(out_code, buf_bytes(&code));
    if (e == ERR_OK && out_code->err != ERR_OK)
        e = why_set(why, out_code->err, "There is not enough memory for the code.");
    buf_release(&code);
    secret_wipe(&i, sizeof i);
    return e;
}
