/* What an agency contributes to a case. */
#include "node/act_internal.h"

#include "crypto/hash.h"

#include <stdio.h>
#include <string.h>

/* A clock that runs a little ahead elsewhere is no reason to refuse what just happened. */
#define AHEAD_MS 300000

static bool has_words(struct bytes text)
{
    for (size_t i = 0; i < text.n; i++)
        if (strchr(" \t\r\n", text.p[i]) == NULL) return true;
    return false;
}

static enum err check_record(struct node *n, const struct act_record *in, struct why *why)
{
    struct act_row c;
    enum err e = act_read(n, "case_file", in->case_id, "no case", &c, why);
    act_row_release(&c);
    if (e == ERR_OK && in->person != NULL) e = act_person_of(n, in->person, in->case_id, why);
    if (e == ERR_OK)
        e = act_said(in->kind, "Say what sort of record it is: a visit, a call, a check, an analysis.", why);
    if (e == ERR_OK) e = act_said(in->title, "A record needs a title: a line that says what it is.", why);
    if (e == ERR_OK && in->body.n != 0 && !has_words(in->body))
        e = why_set(why, ERR_USAGE, "The text is empty. Nothing was changed.");
    if (e == ERR_OK && in->occurred_at > env_now(n->env) + AHEAD_MS)
        e = why_set(why, ERR_USAGE, "It would have happened at a time that is still to come. Nothing was changed.");
    return e;
}

enum err act_put_record(struct node *n, const struct act_record *in, const uint8_t id[16], struct why *why)
{
    struct row r;
    int64_t now = env_now(n->env);
    enum err e = check_record(n, in, why);
    if (e != ERR_OK) return e;
    act_new(n, &r, "record", in->case_id, id);
    if (in->person != NULL) act_fill(&r, "person_id", value_id(in->person));
    act_fill(&r, "author", value_id(n->user));
    act_fill(&r, "kind", value_str(in->kind));
    act_fill(&r, "sensitivity", value_str(in->sensitivity != NULL ? in->sensitivity : "open"));
    act_fill(&r, "needs_consent", value_int(in->needs_consent));
    act_fill(&r, "handling", value_str(in->handling));
    act_fill(&r, "occurred_at", value_int(in->occurred_at != 0 ? in->occurred_at : now));
    act_fill(&r, "written_at", value_int(now));
    act_fill(&r, "title", value_str(in->title));
    act_fill(&r, "body", in->body.n != 0 ? value_text(in->body) : value_null());
    return act_put(n, &r, why);
}

enum err act_record_add(struct node *n, const struct act_record *in, uint8_t out_id[16], enum act_sight *out_sight,
                        struct why *why)
{
    uint8_t id[16];
    enum act_sight sight = ACT_ALL;
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    env_new_id(n->env, id);
    e = act_put_record(n, in, id, why);
    if (e == ERR_OK) e = act_record_sight(n, id, &sight, why);
    e = act_end(n, e, "added a record", why);
    if (e != ERR_OK) return e;
    memcpy(out_id, id, sizeof id);
    *out_sight = sight;
    return ERR_OK;
}

/* --------------------------------------------------------------------------------------------------- as it stands */
static enum err read_own(struct node *n, const uint8_t record[16], struct act_row *out, struct why *why)
{
    enum err e = act_read(n, "record", record, "no record", out, why);
    if (e == ERR_OK && !act_own(n, out))
        e = why_set(why, ERR_DENIED, "Another agency wrote this record. Only its writer can change it.");
    return e;
}

static enum err was_told(struct node *n, const uint8_t record[16], bool *out, struct why *why)
{
    struct stmt *s = NULL;
    enum err e =
        db_prepare(n->db,
                   "SELECT 1 FROM release_source s JOIN release r ON r.id = s.release_id WHERE s.record_id = $1"
                   " AND s.voided_at IS NULL AND r.voided_at IS NULL AND r.state = 'granted'"
                   " AND r.how IN ('whole', 'redacted') AND (r.expires_at IS NULL OR r.expires_at > $2)",
                   &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, record);
    db_bind_int(s, 2, env_now(n->env));
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

/* Whoever agrees to a change agrees to who will see it: what consent does to that is bound as well. */
static enum err hash_now(const struct row *r, const struct act_record_now *now, uint8_t out[HASH_BYTES],
                         struct why *why)
{
    struct buf b;
    buf_init(&b, (size_t)RULES_MAX_COLUMNS * (RULES_MAX_VALUE + 64));
    buf_put_u8(&b, (uint8_t)now->sight);
    buf_put_u8(&b, now->kept);
    row_put_cbor(&b, r);
    enum err e = b.err;
    if (e == ERR_OK) hash_labelled(out, "spoke/record-shown/1", buf_bytes(&b));
    buf_release(&b);
    return e == ERR_OK ? ERR_OK : why_set(why, e, "There is not enough memory to look at this record.");
}

static enum err stands(struct node *n, const struct act_row *r, struct act_record_now *out, struct why *why)
{
    const uint8_t *id = r->row.v[0].s.p;
    enum err e = act_record_sight(n, id, &out->sight, why);
    if (e == ERR_OK) e = act_record_kept(n, id, &out->kept, why);
    if (e == ERR_OK) e = was_told(n, id, &out->told, why);
    return e == ERR_OK ? hash_now(&r->row, out, out->shown, why) : e;
}

enum err act_record_now(struct node *n, const uint8_t record[16], struct act_record_now *out, struct why *why)
{
    struct act_row r;
    struct act_record_now now = {0};
    enum err e = read_own(n, record, &r, why);
    if (e == ERR_OK) e = stands(n, &r, &now, why);
    if (e == ERR_OK) *out = now;
    act_row_release(&r);
    return e;
}

void act_sight_change(enum act_sight from, enum act_sight to, char out[ACT_SIGHT_CHARS])
{
    static const struct {
        const char *who;
        int reach;
    } sights[] = {[ACT_ALL] = {"everybody who takes part", 2},
                  [ACT_ROOM] = {"your agency and the MASH", 1},
                  [ACT_NOBODY_CONSENT] = {"your agency alone, until there is consent", 0},
                  [ACT_NOBODY_RESTRICTED] = {"your agency alone", 0},
                  [ACT_NOBODY_VOIDED] = {"your agency alone, as a mistake", 0}};
    out[0] = '\0';
    if (from == to) return;
    (void)snprintf(out, ACT_SIGHT_CHARS, "Until now it is for %s. With this change it is for %s.%s", sights[from].who,
                   sights[to].who,
                   sights[to].reach < sights[from].reach
                       ? " At their next contact with the MASH the devices of all others are told to forget it, and"
                         " confirm that. What their people have read, they know."
                   : sights[to].reach > sights[from].reach
                       ? " They see it after their next contact with the MASH. What somebody has read cannot be taken"
                         " back."
                       : "");
}

/* ------------------------------------------------------------------------------------------------------- changes */
/* An override is an act of its own, with its reason, author and time. */
static enum err check_change(struct node *n, const struct act_row *r, const char *column, struct value v,
                             struct act_notes *notes, struct why *why)
{
    bool gone = v.kind == VALUE_NULL || (v.kind == VALUE_TEXT && !has_words(v.s));
    (void)r;
    (void)notes;
    if (strncmp(column, "override_", 9) == 0 && v.kind != VALUE_NULL)
        return why_set(why, ERR_DENIED, "A record is told without consent by an act of its own, with its reason.");
    if (gone && (strcmp(column, "title") == 0 || strcmp(column, "kind") == 0 || strcmp(column, "sensitivity") == 0))
        return why_set(why, ERR_USAGE, "A record cannot be without its %s. Nothing was changed.", column);
    if (gone && v.kind != VALUE_NULL && strcmp(column, "body") == 0)
        return why_set(why, ERR_USAGE, "The text is empty. Nothing was changed.");
    if (strcmp(column, "occurred_at") == 0 && v.kind == VALUE_INT && v.i > env_now(n->env) + AHEAD_MS)
        return why_set(why, ERR_USAGE, "It would have happened at a time that is still to come. Nothing was changed.");
    return ERR_OK;
}

/* Saying again what stands would move the column, and so meet what a colleague writes elsewhere as if it were a second
 * answer. */
static bool says_that(const struct act_row *r, const struct act_change *c)
{
    if (!act_has_column(r, c->column)) return false;
    struct value v = c->v.kind == VALUE_TEXT && c->v.s.n == 0 ? value_null() : c->v;
    return value_equal(act_column(r, c->column), v);
}

static enum err alter_all(struct node *n, const struct act_row *r, const struct act_record_edit *in, struct why *why)
{
    size_t done = 0;
    enum err e = ERR_OK;
    for (size_t i = 0; i < in->n_changes && e == ERR_OK; i++) {
        if (says_that(r, &in->changes[i])) continue;
        e = act_alter(n, r, &in->changes[i], check_change, NULL, why);
        done++;
    }
    if (e == ERR_OK && done == 0)
        e = why_set(why, ERR_USAGE, "There is nothing to change: the record says that already.");
    return e;
}

static enum err unchanged(const struct act_record_edit *in, const struct act_record_now *now, struct why *why)
{
    if (in->shown == NULL || memcmp(in->shown, now->shown, HASH_BYTES) == 0) return ERR_OK;
    (void)why_set(why, ERR_FAILED,
                  "Somebody changed this since you opened it: what it says, or who may see it. Nothing was saved.");
    return why_next(why, ERR_FAILED, "Read what it says now, then decide whether your change is still right.");
}

enum err act_record_set(struct node *n, const struct act_record_edit *in, struct act_record_edited *out,
                        struct why *why)
{
    struct act_row r;
    struct act_record_now now = {0};
    enum act_sight after = ACT_ALL;
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    e = read_own(n, in->record, &r, why);
    if (e == ERR_OK) e = stands(n, &r, &now, why);
    if (e == ERR_OK) e = unchanged(in, &now, why);
    if (e == ERR_OK) e = alter_all(n, &r, in, why);
    if (e == ERR_OK) e = act_record_sight(n, in->record, &after, why);
    act_row_release(&r);
    e = act_end(n, e, "changed a record", why);
    if (e == ERR_OK) *out = (struct act_record_edited){.before = now.sight, .after = after, .told = now.told};
    return e;
}
