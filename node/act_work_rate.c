/* Ratings, and disputes about a rating or a decision. */
#include "node/act_work_internal.h"
#include "node/look_case.h"

#include <string.h>

#define RATING_WORDS "A rating is red, amber, green or blue."

/* ------------------------------------------------------------------------------------------------------- rating */
/* A dispute of this agency about the same thing that nobody has decided. */
static enum err open_dispute(struct node *n, const uint8_t case_id[16], const char *about, uint8_t out_id[16],
                             bool *out_there, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(n->db,
                            "SELECT id FROM challenge WHERE case_id = $1 AND agency = $2 AND state = 'open'"
                            " AND about IN ($3, $3 || ':manager') AND voided_at IS NULL ORDER BY id LIMIT 1",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, case_id);
    db_bind_str(s, 2, n->agency);
    db_bind_str(s, 3, about);
    e = db_step(s, &row, why);
    if (e == ERR_OK) *out_there = row && db_id(s, 0, out_id);
    db_done(s);
    return e;
}

static enum err put_challenge(struct node *n, const uint8_t case_id[16], const char *about, const char *reason,
                              uint8_t out_id[16], struct why *why)
{
    struct row r;
    env_new_id(n->env, out_id);
    act_new(n, &r, "challenge", case_id, out_id);
    act_fill(&r, "about", value_str(about));
    act_fill(&r, "reason", value_str(reason));
    act_fill(&r, "state", value_str("open"));
    return act_put(n, &r, why);
}

/* Who agrees by now has nothing to dispute: nobody need decide about it. */
static enum err take_back(struct node *n, const uint8_t id[16], struct why *why)
{
    enum err e = act_set(n, "challenge", id, "voided_at", value_int(env_now(n->env)), why);
    return e == ERR_OK ? act_set(n, "challenge", id, "void_reason", value_str("Rated as the case is by now"), why) : e;
}

/* A rating of somebody who does not lead: it stands beside the case's, and never in its place. */
static enum err stand_beside(struct node *n, const struct act_rate *in, const struct act_matter *c,
                             struct act_rated *out, struct why *why)
{
    struct value rag = act_column(&c->file, "rag");
    bool there = false;
    out->disputed = rag.kind == VALUE_TEXT && !act_is(rag, in->rag);
    if (c->who.part != ACT_CONTRIBUTES) return ERR_OK;
    enum err e = open_dispute(n, in->case_id, "rating", out->challenge, &there, why);
    if (e == ERR_OK && !out->disputed && there) e = take_back(n, out->challenge, why);
    if (e == ERR_OK && out->disputed && !there)
        e = put_challenge(n, in->case_id, "rating", in->reason, out->challenge, why);
    out->challenged = e == ERR_OK && out->disputed;
    out->agreed = e == ERR_OK && !out->disputed && there;
    return e;
}

static enum err rate(struct node *n, const struct act_rate *in, const struct act_matter *c, struct act_rated *out,
                     struct why *why)
{
    struct act_opinion o = {.stage = in->stage != NULL ? in->stage : "initial",
                            .rag = value_str(in->rag),
                            .reason = in->reason,
                            .now = env_now(n->env)};
    enum err e = act_word("rating", "rag", in->rag, RATING_WORDS, why);
    if (e == ERR_OK) e = act_word("rating", "stage", o.stage, "A rating is an initial or a final one.", why);
    if (e == ERR_OK) e = act_said(in->reason, "Say why you rate it so: a rating without its reason helps nobody.", why);
    if (e == ERR_OK) e = act_put_rating(n, in->case_id, &o, out->id, why);
    if (e != ERR_OK) return e;
    out->stands = act_may_decide(&c->who);
    return out->stands ? act_set_rag(n, c, o.rag, in->reason, &out->due_at, why) : stand_beside(n, in, c, out, why);
}

enum err act_rate(struct node *n, const struct act_rate *in, struct act_rated *out, struct why *why)
{
    struct act_matter c;
    struct act_rated rated = {0};
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    e = act_matter_read(n, in->case_id, &c, why);
    if (e == ERR_OK) e = rate(n, in, &c, &rated, why);
    e = act_end(n, e, "rated a case", why);
    act_matter_release(&c);
    if (e == ERR_OK) *out = rated;
    return e;
}

/* ------------------------------------------------------------------------------------------------------ disputing */
/* The newest rating of an agency in a case; NULL values where it has none. */
struct newest {
    uint8_t id[16];
    char rag[16], stage[16];
    bool found;
};

static void copy_word(char out[16], struct bytes word)
{
    if (word.n < 16 && word.n > 0) memcpy(out, word.p, word.n);
    out[word.n < 16 ? word.n : 0] = '\0';
}

static enum err newest_rating(struct node *n, const uint8_t case_id[16], struct bytes agency, struct newest *out,
                              struct why *why)
{
    struct stmt *s = NULL;
    *out = (struct newest){.found = false};
    enum err e = db_prepare(n->db,
                            "SELECT rag, stage, id FROM rating WHERE case_id = $1 AND agency = $2 AND rag IS NOT NULL"
                            " AND voided_at IS NULL ORDER BY rated_at DESC, id DESC LIMIT 1",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, case_id);
    db_bind_text(s, 2, agency);
    e = db_step(s, &out->found, why);
    if (e == ERR_OK && out->found) {
        copy_word(out->rag, db_bytes(s, 0));
        copy_word(out->stage, db_bytes(s, 1));
        out->found = db_id(s, 2, out->id);
    }
    db_done(s);
    return e;
}

/* There must be something to dispute. */
static enum err check_about(struct node *n, const struct act_dispute *in, const struct act_matter *c, struct why *why)
{
    struct newest own;
    int64_t decided = 0;
    if (strcmp(in->about, "decision") == 0) {
        enum err e = act_count(n, "SELECT count(*) FROM brief WHERE id = $1 AND decided_at IS NOT NULL", in->case_id,
                               NULL, 0, &decided, why);
        if (e == ERR_OK && decided == 0)
            e = why_set(why, ERR_USAGE,
                        "As far as this device knows nothing has been decided in this case yet. Nothing was changed.");
        return e;
    }
    enum err e = newest_rating(n, in->case_id, bytes_of_str(n->agency), &own, why);
    if (e != ERR_OK || (own.found && !act_is(act_column(&c->file, "rag"), own.rag))) return e;
    (void)why_set(why, ERR_USAGE,
                  own.found ? "Your agency rates this case as it is rated, so there is nothing to dispute."
                            : "Your agency has not rated this case, so nobody can tell what you want instead.");
    return why_next(why, ERR_USAGE, "Rate it first, with the reason: that alone opens the dispute.");
}

/* The operations manager comes second: somebody must have decided about the same thing before. */
static enum err decided_once(struct node *n, const struct act_dispute *in, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(n->db,
                            "SELECT 1 FROM challenge WHERE case_id = $1 AND agency = $2 AND about = $3"
                            " AND state IN ('upheld', 'dismissed') AND voided_at IS NULL",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, in->case_id);
    db_bind_str(s, 2, n->agency);
    db_bind_str(s, 3, in->about);
    e = db_step(s, &row, why);
    db_done(s);
    if (e != ERR_OK || row) return e;
    (void)why_set(why, ERR_DENIED,
                  "Social care decides first; the operations manager only where you do not agree with that."
                  " Nothing was changed.");
    return why_next(why, ERR_DENIED, "Raise the dispute with social care, or wait for their answer to yours.");
}

static enum err dispute(struct node *n, const struct act_dispute *in, uint8_t out_id[16], struct why *why)
{
    struct act_matter c;
    bool there = false, manager = in->to != NULL && strcmp(in->to, "manager") == 0;
    char about[32] = "";
    if (in->about == NULL || (strcmp(in->about, "rating") != 0 && strcmp(in->about, "decision") != 0))
        return why_set(why, ERR_USAGE, "A dispute is about the rating or about the decision. Nothing was changed.");
    if (in->to != NULL && !manager && strcmp(in->to, "social_care") != 0)
        return why_set(why, ERR_USAGE, "A dispute goes to social_care or to the manager. Nothing was changed.");
    enum err e = act_said(in->reason, "Say why: who decides about it must know what you see differently.", why);
    if (e != ERR_OK) return e;
    strcat(strcat(about, in->about), manager ? ":manager" : "");
    e = act_matter_read(n, in->case_id, &c, why);
    if (e == ERR_OK) e = open_dispute(n, in->case_id, in->about, out_id, &there, why);
    if (e == ERR_OK && there)
        e = why_set(why, ERR_EXISTS, "Your agency has raised this already, and nobody has decided about it yet.");
    if (e == ERR_OK) e = check_about(n, in, &c, why);
    if (e == ERR_OK && manager) e = decided_once(n, in, why);
    act_matter_release(&c);
    return e == ERR_OK ? put_challenge(n, in->case_id, about, in->reason, out_id, why) : e;
}

enum err act_dispute(struct node *n, const struct act_dispute *in, uint8_t out_id[16], struct why *why)
{
    uint8_t id[16] = {0};
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    e = act_end(n, dispute(n, in, id, why), "raised a dispute", why);
    if (e == ERR_OK) memcpy(out_id, id, sizeof id);
    return e;
}

/* ------------------------------------------------------------------------------------------- deciding about it */
void act_settled_id(uint8_t out[16], const uint8_t challenge[16], const uint8_t rating[16])
{
    const struct bytes parts[] = {bytes_of(challenge, 16), bytes_of(rating, 16)};
    act_derived_id(out, "spoke/settled/1", parts, 2);
    out[6] = (uint8_t)(0x80 | (out[6] & 0x0f));
    out[8] = (uint8_t)(0x80 | (out[8] & 0x3f));
}

/* challenge NULL: there is none yet. */
static enum err may_judge(const struct act_row *challenge, const struct act_matter *c, struct why *why)
{
    struct value about = challenge != NULL ? act_column(challenge, "about") : value_null();
    bool manager = act_is(about, "rating:manager") || act_is(about, "decision:manager");
    if (c->who.manager || (c->who.social_care && !manager)) return ERR_OK;
    return why_set(why, ERR_DENIED, "%s may decide about this dispute. Nothing was changed.",
                   manager ? "Only a manager on duty for the area"
                           : "Only a manager or social worker on duty for the area");
}

/* What the case is rated from now on, and at which stage that was in dispute. */
static enum err outcome(struct node *n, const struct act_row *challenge, const struct act_matter *c, bool upheld,
                        struct newest *out, struct why *why)
{
    struct value about = act_column(challenge, "about"), rag = act_column(&c->file, "rag");
    *out = (struct newest){.found = false};
    if (act_is(about, "rating") || act_is(about, "rating:manager")) {
        enum err e = newest_rating(n, challenge->row.v[1].s.p, challenge->row.v[2].s, out, why);
        if (e != ERR_OK) return e;
        if (upheld && !out->found)
            return why_set(why, ERR_DENIED,
                           "The rating that was in dispute has been taken back as a mistake. Nothing was changed:"
                           " dismiss the dispute, or rate the case yourself.");
    }
    if (!upheld || !out->found) copy_word(out->rag, rag.kind == VALUE_TEXT ? rag.s : bytes_of("", 0));
    return ERR_OK;
}

/* `after` is what the case is rated from now on; found: it was the rating of this id that was in dispute. */
static enum err judge(struct node *n, const uint8_t challenge[16], const struct act_matter *c,
                      const struct newest *after, const char *state, const char *reason, struct why *why)
{
    uint8_t id[16];
    const uint8_t *case_id = c->file.row.v[0].s.p;
    bool upheld = strcmp(state, "upheld") == 0;
    int64_t now = env_now(n->env), due = 0;
    struct act_opinion o = {.stage = after->found && after->stage[0] != '\0' ? after->stage : NULL,
                            .rag = value_str(after->rag[0] != '\0' ? after->rag : NULL),
                            .reason = reason,
                            .now = now};
    if (after->found)
        act_settled_id(id, challenge, after->id);
    else
        env_new_id(n->env, id);
    enum err e = act_put_rating_as(n, case_id, &o, id, why);
    if (e == ERR_OK && upheld && after->found) e = act_set_rag(n, c, o.rag, reason, &due, why);
    if (e == ERR_OK) e = act_set(n, "challenge", challenge, "state", value_str(state), why);
    if (e == ERR_OK) e = act_set(n, "challenge", challenge, "decided_by", value_id(n->user), why);
    return e == ERR_OK ? act_set(n, "challenge", challenge, "decided_at", value_int(now), why) : e;
}

static enum err check_verdict(const char *state, const char *reason, struct why *why)
{
    if (state == NULL || (strcmp(state, "upheld") != 0 && strcmp(state, "dismissed") != 0))
        return why_set(why, ERR_USAGE, "A dispute is upheld or dismissed. Nothing was changed.");
    return act_said(reason, "Say why you decide so: who raised it will read it.", why);
}

/* Does the rating dispute the case's under no dispute of its agency, by what this device shows? */
static enum err check_lone(struct node *n, const uint8_t case_id[16], const uint8_t rating[16], struct why *why)
{
    struct look_matter m;
    bool lone = false;
    enum err e = look_matter_new(n, case_id, &m, why);
    for (size_t i = 0; e == ERR_OK && i < m.lone.len; i += 16) lone = lone || memcmp(m.lone.data + i, rating, 16) == 0;
    look_matter_free(&m);
    if (e != ERR_OK || lone) return e;
    return why_set(
        why, ERR_EXISTS,
        "This rating waits for no decision of its own: it is decided already, is not graver than the case's, or"
        " its agency's dispute about it is to be decided. Nothing was changed.");
}

/* Who is only asked may rate and raises no dispute. The decider's own row stands for it. */
static enum err settle_rating(struct node *n, const uint8_t id[16], const char *state, const char *reason,
                              struct why *why)
{
    struct act_row rating;
    struct act_matter c = {0};
    struct newest after = {.found = true};
    uint8_t challenge[16];
    enum err e = act_read(n, "rating", id, "no dispute", &rating, why);
    if (e == ERR_OK) e = act_matter_read(n, rating.row.v[1].s.p, &c, why);
    if (e == ERR_OK) e = may_judge(NULL, &c, why);
    if (e == ERR_OK) e = check_verdict(state, reason, why);
    if (e == ERR_OK) e = check_lone(n, rating.row.v[1].s.p, id, why);
    if (e == ERR_OK) {
        struct value case_rag = act_column(&c.file, "rag"), rag = act_column(&rating, "rag");
        struct value stage = act_column(&rating, "stage");
        if (strcmp(state, "upheld") != 0) rag = case_rag;
        memcpy(after.id, id, 16);
        copy_word(after.rag, rag.kind == VALUE_TEXT ? rag.s : bytes_of("", 0));
        copy_word(after.stage, stage.kind == VALUE_TEXT ? stage.s : bytes_of("", 0));
        e = put_challenge(n, rating.row.v[1].s.p, "rating:settled", NULL, challenge, why);
    }
    if (e == ERR_OK) e = judge(n, challenge, &c, &after, state, reason, why);
    act_row_release(&rating);
    act_matter_release(&c);
    return e;
}

static enum err decide_dispute(struct node *n, const uint8_t id[16], const char *state, const char *reason,
                               struct why *why)
{
    struct act_row challenge;
    struct act_matter c = {0};
    struct newest after = {.found = false};
    struct why none = {0};
    enum err e = act_read(n, "challenge", id, "no dispute", &challenge, &none);
    if (e == ERR_NOTFOUND) {
        act_row_release(&challenge);
        return settle_rating(n, id, state, reason, why);
    }
    if (e != ERR_OK) *why = none;
    if (e == ERR_OK) e = act_matter_read(n, challenge.row.v[1].s.p, &c, why);
    if (e == ERR_OK && !act_is(act_column(&challenge, "state"), "open"))
        e = why_set(why, ERR_EXISTS, "Somebody has decided about this dispute already. Nothing was changed.");
    if (e == ERR_OK) e = may_judge(&challenge, &c, why);
    if (e == ERR_OK) e = check_verdict(state, reason, why);
    if (e == ERR_OK) e = outcome(n, &challenge, &c, strcmp(state, "upheld") == 0, &after, why);
    if (e == ERR_OK) e = judge(n, id, &c, &after, state, reason, why);
    act_row_release(&challenge);
    act_matter_release(&c);
    return e;
}

enum err act_dispute_decide(struct node *n, const uint8_t challenge[16], const char *state, const char *reason,
                            struct why *why)
{
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    return act_end(n, decide_dispute(n, challenge, state, reason, why), "decided about a dispute", why);
}
