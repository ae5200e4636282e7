/* Telling the outcome, its acknowledgement, and asking once more for an answer. */
#include "node/act_work_internal.h"

#include <string.h>

/* ------------------------------------------------------------------------------------------------------ feedback */
static bool by_spoke(const struct act_feedback *in)
{
    return in->channel == NULL || strcmp(in->channel, "spoke") == 0;
}

/* Would anybody there see it? A site that covers the area, or one that is named in the case; in a restricted case the
 * named ones alone. What was said by telephone or letter is noted all the same. */
static enum err reaches(struct node *n, const struct act_feedback *in, const struct act_matter *c, const char *agency,
                        struct why *why)
{
    int64_t sites = 0;
    bool part = false;
    enum err e = act_takes_part(n, in->case_id, agency, &part, why);
    if (e == ERR_OK && !part && !act_true(act_column(&c->file, "restricted")))
        e = act_count(n,
                      "SELECT count(*) FROM site s JOIN coverage v ON v.site = s.code JOIN case_file c ON c.id = $1"
                      " WHERE s.agency = $2 AND v.area IN ('*', c.area)",
                      in->case_id, agency, 0, &sites, why);
    if (e != ERR_OK || part || sites != 0 || !by_spoke(in)) return e;
    (void)why_set(why, ERR_DENIED,
                  "No site of '%.60s' can see anything of this case, so the feedback would reach nobody. Nothing was"
                  " sent.",
                  agency);
    return why_next(why, ERR_DENIED, "Tell them by telephone or letter, and note it with that channel.");
}

static enum err put_feedback(struct node *n, const struct act_feedback *in, const char *agency, const uint8_t id[16],
                             struct why *why)
{
    struct row r;
    act_new(n, &r, "feedback", in->case_id, id);
    act_fill(&r, "to_agency", value_str(agency));
    act_fill(&r, "to_name", value_str(in->to_name));
    act_fill(&r, "channel", value_str(in->channel != NULL ? in->channel : "spoke"));
    act_fill(&r, "body", value_str(in->body));
    act_fill(&r, "sent_at", value_int(env_now(n->env)));
    return act_put(n, &r, why);
}

static enum err send_one(struct node *n, const struct act_feedback *in, const struct act_matter *c, size_t i,
                         const uint8_t id[16], struct why *why)
{
    const char *agency = in->agencies[i];
    for (size_t k = 0; k < i; k++)
        if (strcmp(in->agencies[k], agency) == 0)
            return why_set(why, ERR_USAGE, "'%.60s' is named twice. Nothing was sent.", agency);
    enum err e = act_other_agency(n, agency, why);
    if (e == ERR_OK) e = reaches(n, in, c, agency, why);
    return e == ERR_OK ? put_feedback(n, in, agency, id, why) : e;
}

static enum err send_all(struct node *n, const struct act_feedback *in, uint8_t (*ids)[16], struct why *why)
{
    struct act_matter c;
    enum err e = act_matter_read(n, in->case_id, &c, why);
    if (e == ERR_OK) e = act_may(&c, "tell its outcome", why);
    if (e == ERR_OK) e = act_said(in->body, "Say what came of it: feedback without words tells nobody anything.", why);
    for (size_t i = 0; i < in->n_agencies && e == ERR_OK; i++) e = send_one(n, in, &c, i, ids[i], why);
    act_matter_release(&c);
    return e;
}

enum err act_feedback_send(struct node *n, const struct act_feedback *in, uint8_t (*out_ids)[16], struct why *why)
{
    uint8_t ids[ACT_MAX_AGENCIES][16];
    if (in->n_agencies == 0)
        return why_set(why, ERR_USAGE, "Say which agencies the feedback goes to. Nothing was sent.");
    if (in->n_agencies > ACT_MAX_AGENCIES)
        return why_set(why, ERR_LIMIT, "At most %d agencies can be told at once. Nothing was sent.", ACT_MAX_AGENCIES);
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    for (size_t i = 0; i < in->n_agencies; i++) env_new_id(n->env, ids[i]);
    e = act_end(n, send_all(n, in, ids, why), "sent feedback", why);
    if (e == ERR_OK) memcpy(out_ids, ids, in->n_agencies * sizeof ids[0]);
    return e;
}

static enum err acknowledge(struct node *n, const uint8_t id[16], struct why *why)
{
    struct act_row r;
    enum err e = act_read(n, "feedback", id, "no feedback", &r, why);
    if (e == ERR_OK && !act_is(act_column(&r, "to_agency"), n->agency))
        e = why_set(
            why, ERR_DENIED,
            "This feedback was not sent to your agency. Only the agency that it was sent to can acknowledge it.");
    if (e == ERR_OK && act_column(&r, "ack_at").kind == VALUE_INT)
        e = why_set(why, ERR_EXISTS, "Your agency has acknowledged this already.");
    act_row_release(&r);
    if (e == ERR_OK) e = act_set(n, "feedback", id, "ack_by", value_id(n->user), why);
    return e == ERR_OK ? act_set(n, "feedback", id, "ack_at", value_int(env_now(n->env)), why) : e;
}

enum err act_feedback_ack(struct node *n, const uint8_t feedback[16], struct why *why)
{
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    return act_end(n, acknowledge(n, feedback, why), "acknowledged feedback", why);
}

/* ------------------------------------------------------------------------------------------------------- chasing */
#define CHASE_PAUSE_MS INT64_C(600000)

static enum err chase(struct node *n, const uint8_t id[16], struct why *why)
{
    struct act_row r;
    int64_t now = env_now(n->env);
    enum err e = act_read(n, "request", id, "no request", &r, why);
    struct value asked = e == ERR_OK ? act_column(&r, "asked_at") : value_null();
    if (e == ERR_OK && !act_own(n, &r))
        e = why_set(why, ERR_DENIED, "Another agency asked this. Only the one that asked can ask once more.");
    if (e == ERR_OK && !act_is(act_column(&r, "state"), "open"))
        e = why_set(why, ERR_EXISTS, "This does not wait for an answer any more. There is nothing to chase.");
    /* A time to come is that of a clock which was wrong: it hinders nobody. */
    if (e == ERR_OK && asked.kind == VALUE_INT && asked.i <= now && asked.i > now - CHASE_PAUSE_MS) {
        (void)why_set(why, ERR_EXISTS, "They were asked within the last ten minutes. Nothing was sent again.");
        e = why_next(why, ERR_EXISTS, "If it cannot wait, ring them.");
    }
    act_row_release(&r);
    return e == ERR_OK ? act_set(n, "request", id, "asked_at", value_int(now), why) : e;
}

enum err act_request_chase(struct node *n, const uint8_t request[16], struct why *why)
{
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    return act_end(n, chase(n, request, why), "asked once more for an answer", why);
}
