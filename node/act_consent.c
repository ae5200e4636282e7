/* Consent, what it keeps back, and telling without it. */
#include "node/act_internal.h"

#include <string.h>

/* ---------------------------------------------------------------------------------------------------- consent */
static enum err known_scope(struct node *n, const char *scope, struct why *why)
{
    struct stmt *s = NULL;
    bool known = false;
    enum err e = act_said(scope, "Say whose records the consent is for: all, or the code of one agency.", why);
    if (e != ERR_OK || strcmp(scope, "all") == 0) return e;
    e = db_prepare(n->db, "SELECT 1 FROM agency WHERE code = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, scope);
    e = db_step(s, &known, why);
    db_done(s);
    if (e != ERR_OK || known) return e;
    (void)why_set(why, ERR_NOTFOUND,
                  "'%.60s' is the code of no agency, so this consent would bear on nothing."
                  " Nothing was noted.",
                  scope);
    return why_next(why, ERR_NOTFOUND, "The scope is 'all', or an agency's code: its records are meant.");
}

/* What was noted of this person's capacity last, or in the row that would say "given" now: does it say "lacks"? */
static enum err lacked_before(struct node *n, const struct act_consent *in, bool *out, struct why *why)
{
    struct stmt *s = NULL;
    enum err e =
        db_prepare(n->db,
                   "SELECT 1 FROM (SELECT capacity, scope, row_number() OVER (ORDER BY given_at DESC, id) AS last"
                   " FROM consent WHERE case_id = $1 AND person_id = $2 AND voided_at IS NULL"
                   " AND capacity IS NOT NULL) WHERE capacity = 'lacks' AND (last = 1 OR scope = $3)",
                   &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, in->case_id);
    db_bind_id(s, 2, in->person);
    db_bind_str(s, 3, in->scope);
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

/* Nobody else may consent for an adult who lacks the capacity (Mental Capacity Act 2005). */
static enum err check_capacity(struct node *n, const struct act_consent *in, const struct act_row *person,
                               struct why *why)
{
    bool lacked = false;
    bool lacks = in->capacity != NULL && strcmp(in->capacity, "lacks") == 0;
    if (strcmp(in->state, "given") != 0 || !act_is(act_column(person, "role"), "adult")) return ERR_OK;
    enum err e = in->capacity == NULL ? lacked_before(n, in, &lacked, why) : ERR_OK;
    if (e != ERR_OK || (!lacks && !lacked)) return e;
    if (lacked) {
        (void)why_set(why, ERR_DENIED,
                      "It was noted before that this adult lacks the capacity to consent. Nothing was noted.");
        return why_next(why, ERR_DENIED,
                        "If they have it by now, note that with the consent. If not, note that consent was not sought,"
                        " and why.");
    }
    (void)why_set(why, ERR_DENIED, "An adult who lacks the capacity cannot consent. Nothing was noted.");
    return why_next(why, ERR_DENIED,
                    "Note 'consent not-sought' with the reason, and tell the record by 'record override' when"
                    " somebody decides so in their best interests.");
}

static enum err check_consent(struct node *n, const struct act_consent *in, const struct act_row *person,
                              struct why *why)
{
    int64_t now = env_now(n->env);
    if (!act_same_case(person, in->case_id))
        return why_set(why, ERR_USAGE, "That person belongs to another case. Nothing was noted.");
    enum err e = known_scope(n, in->scope, why);
    if (e == ERR_OK && strcmp(in->state, "not_sought") == 0)
        e = act_said(in->reason, "Say why consent was not sought.", why);
    if (e == ERR_OK && in->until != 0 && in->until <= now)
        e = why_set(why, ERR_USAGE, "It would end at a time that is past. Nothing was noted.");
    if (e == ERR_OK && in->told_at > now)
        e = why_set(why, ERR_USAGE,
                    "The family cannot have been told at a time that is still to come. Nothing was noted.");
    return e == ERR_OK ? check_capacity(n, in, person, why) : e;
}

/* Which row says it: two sites that ask the same person the same thing write the same one. One that its writer took
 * back as a mistake is his; others begin a second one. */
static enum err find_consent(struct node *n, const struct act_consent *in, uint8_t out_id[16], bool *out_there,
                             struct why *why)
{
    static const char *const labels[] = {"spoke/consent/1", "spoke/consent/2"};
    const struct bytes parts[] = {bytes_of(in->case_id, 16), bytes_of(in->person, 16), bytes_of_str(in->scope)};
    const struct table_rule *t = rules_table((size_t)rules_table_index(bytes_of_str("consent")));
    enum err e = ERR_OK;
    bool taken = true;
    for (size_t i = 0; i < 2 && e == ERR_OK && taken; i++) {
        struct act_row r = {.row.table = t};
        act_derived_id(out_id, labels[i], parts, 3);
        buf_init(&r.store, (size_t)RULES_MAX_COLUMNS * (RULES_MAX_VALUE + 64));
        e = db_row_get(n->db, t, out_id, &r.store, &r.row, out_there, why);
        taken = e == ERR_OK && *out_there && act_column(&r, "voided_at").kind == VALUE_INT && !act_own(n, &r);
        act_row_release(&r);
    }
    if (e == ERR_OK && taken)
        e = why_set(why, ERR_DENIED,
                    "Two agencies took this consent back as a mistake. Ask one of them to note it anew.");
    return e;
}

static enum err put_consent(struct node *n, const struct act_consent *in, const uint8_t id[16], struct why *why)
{
    struct row r;
    act_new(n, &r, "consent", in->case_id, id);
    act_fill(&r, "person_id", value_id(in->person));
    act_fill(&r, "scope", value_str(in->scope));
    act_fill(&r, "state", value_str(in->state));
    act_fill(&r, "reason", value_str(in->reason));
    act_fill(&r, "capacity", value_str(in->capacity));
    act_fill(&r, "told_at", act_time(in->told_at));
    act_fill(&r, "given_at", value_int(env_now(n->env)));
    act_fill(&r, "expires_at", act_time(in->until));
    return act_put(n, &r, why);
}

/* What was said before and is not said now stays, but for what belongs to the state alone. */
static enum err change_consent(struct node *n, const struct act_consent *in, const uint8_t id[16], struct why *why)
{
    static const char table[] = "consent";
    enum err e = act_set(n, table, id, "state", value_str(in->state), why);
    if (e == ERR_OK) e = act_set(n, table, id, "given_at", value_int(env_now(n->env)), why);
    if (e == ERR_OK) e = act_set(n, table, id, "expires_at", act_time(in->until), why);
    if (e == ERR_OK) e = act_set(n, table, id, "reason", value_str(in->reason), why);
    if (e == ERR_OK && in->capacity != NULL) e = act_set(n, table, id, "capacity", value_str(in->capacity), why);
    if (e == ERR_OK && in->told_at != 0) e = act_set(n, table, id, "told_at", value_int(in->told_at), why);
    if (e == ERR_OK) e = act_set(n, table, id, "voided_at", value_null(), why);
    return e == ERR_OK ? act_set(n, table, id, "void_reason", value_null(), why) : e;
}

enum err act_put_consent(struct node *n, const struct act_consent *in, uint8_t out_id[16], struct why *why)
{
    struct act_row person, c;
    bool there = false;
    enum err e = act_read(n, "case_file", in->case_id, "no case", &c, why);
    act_row_release(&c);
    if (e != ERR_OK) return e;
    e = act_read(n, "person", in->person, "no person", &person, why);
    if (e == ERR_OK) e = check_consent(n, in, &person, why);
    act_row_release(&person);
    if (e == ERR_OK) e = find_consent(n, in, out_id, &there, why);
    if (e != ERR_OK) return e;
    return there ? change_consent(n, in, out_id, why) : put_consent(n, in, out_id, why);
}

enum err act_consent(struct node *n, const struct act_consent *in, uint8_t out_id[16], struct why *why)
{
    uint8_t id[16] = {0};
    const char *what = strcmp(in->state, "given") == 0       ? "noted consent given"
                       : strcmp(in->state, "refused") == 0   ? "noted consent refused"
                       : strcmp(in->state, "withdrawn") == 0 ? "noted consent withdrawn"
                                                             : "noted that consent was not sought";
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    e = act_end(n, act_put_consent(n, in, id, why), what, why);
    if (e == ERR_OK) memcpy(out_id, id, sizeof id);
    return e;
}

/* --------------------------------------------------------------------------------------------- what waits for it */
/* hub/policy.sql (record_subject, record_consent, record_free) decides; this says the same beforehand, from the rows
 * that this device has. */
#define BEARS                                                                                                          \
    " FROM consent k WHERE k.case_id = r.case_id AND k.person_id = p.id AND k.voided_at IS NULL"                       \
    " AND (k.scope = 'all' OR k.scope = r.agency)"
#define SUBJECTS                                                                                                       \
    " FROM person p WHERE p.case_id = r.case_id AND (p.id = r.person_id"                                               \
    " OR (r.person_id IS NULL AND p.voided_at IS NULL AND p.role IN ('child', 'adult')))"
/* Consent would keep it back, if the record needed any. */
#define KEPT                                                                                                           \
    " (r.override_at IS NULL OR coalesce(r.override_reason, '') = '')"                                                 \
    " AND (NOT EXISTS (SELECT 1" SUBJECTS ") OR EXISTS (SELECT 1" SUBJECTS " AND (NOT EXISTS (SELECT 1" BEARS ")"      \
    " OR EXISTS (SELECT 1" BEARS " AND NOT (coalesce(k.state, '') = 'given'"                                           \
    " AND (k.expires_at IS NULL OR k.expires_at > $1))))))"
#define WAITS " coalesce(r.needs_consent, 0) <> 0 AND" KEPT

enum err act_needing(struct node *n, const uint8_t case_id[16],
                     enum err (*each)(void *ctx, const struct act_needing *r, struct why *why), void *ctx,
                     struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e =
        db_prepare(n->db,
                   "SELECT r.id, r.title, r.sensitivity = 'sensitive', " WAITS
                   " FROM record r WHERE r.case_id = $2 AND r.agency = $3 AND r.voided_at IS NULL"
                   " AND r.needs_consent = 1 AND r.sensitivity IS NOT 'restricted' ORDER BY r.written_at DESC, r.id",
                   &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, env_now(n->env));
    db_bind_id(s, 2, case_id);
    db_bind_str(s, 3, n->agency);
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        struct act_needing r = {.title = db_bytes(s, 1), .sensitive = db_int(s, 2) != 0, .waits = db_int(s, 3) != 0};
        db_id(s, 0, r.id);
        e = each(ctx, &r, why);
        if (e != ERR_OK) break;
    }
    db_done(s);
    return e;
}

enum err act_record_sight(struct node *n, const uint8_t record[16], enum act_sight *out, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(n->db,
                            "SELECT CASE WHEN r.voided_at IS NOT NULL THEN 4 WHEN r.sensitivity = 'restricted' THEN 3"
                            " WHEN " WAITS " THEN 2 WHEN r.sensitivity = 'sensitive' THEN 1"
                            " WHEN r.sensitivity = 'open' THEN 0 ELSE 3 END FROM record r WHERE r.id = $2",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, env_now(n->env));
    db_bind_id(s, 2, record);
    e = db_step(s, &row, why);
    if (e == ERR_OK && !row) e = why_set(why, ERR_NOTFOUND, "There is no record with that id on this device.");
    if (e == ERR_OK) *out = (enum act_sight)db_int(s, 0);
    db_done(s);
    return e;
}

enum err act_record_kept(struct node *n, const uint8_t record[16], bool *out, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(n->db, "SELECT " KEPT " FROM record r WHERE r.id = $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, env_now(n->env));
    db_bind_id(s, 2, record);
    e = db_step(s, &row, why);
    if (e == ERR_OK && !row) e = why_set(why, ERR_NOTFOUND, "There is no record with that id on this device.");
    if (e == ERR_OK) *out = db_int(s, 0) != 0;
    db_done(s);
    return e;
}

enum act_sight act_sight_of(const char *sensitivity, bool needs_consent, bool kept)
{
    if (strcmp(sensitivity, "open") != 0 && strcmp(sensitivity, "sensitive") != 0) return ACT_NOBODY_RESTRICTED;
    if (needs_consent && kept) return ACT_NOBODY_CONSENT;
    return strcmp(sensitivity, "open") == 0 ? ACT_ALL : ACT_ROOM;
}

/* --------------------------------------------------------------------------------------------------- override */
static enum err set_override(struct node *n, const uint8_t id[16], const char *reason, struct why *why)
{
    struct act_row r;
    int64_t now = env_now(n->env);
    enum err e = act_read(n, "record", id, "no record", &r, why);
    if (e == ERR_OK && !act_own(n, &r))
        e = why_set(why, ERR_DENIED, "Another agency wrote this record. Only its owner may tell it without consent.");
    if (e == ERR_OK && !act_true(act_column(&r, "needs_consent")))
        e = why_set(why, ERR_DENIED, "This record does not wait for consent. Nothing was changed.");
    if (e == ERR_OK && act_column(&r, "override_at").kind == VALUE_INT)
        e = why_set(why, ERR_EXISTS, "Your agency has decided already to tell this without consent.");
    act_row_release(&r);
    if (e == ERR_OK) e = act_said(reason, "Say why you tell it without consent: the reason stays on record.", why);
    if (e == ERR_OK) e = act_set(n, "record", id, "override_reason", value_str(reason), why);
    if (e == ERR_OK) e = act_set(n, "record", id, "override_by", value_id(n->user), why);
    return e == ERR_OK ? act_set(n, "record", id, "override_at", value_int(now), why) : e;
}

enum err act_override(struct node *n, const uint8_t record[16], const char *reason, struct why *why)
{
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    return act_end(n, set_override(n, record, reason, why), "told a record without consent", why);
}
