/* Which acts are offered in a case: those that the hub would take of this person at this site, as far as this device
 * knows. The rules are those of sync/rules_tables.c; what is done all the same the hub holds for a manager. */
#include "node/look_case.h"

#include "node/act_work.h"

/* What there is to be acted upon. */
struct waiting {
    bool question, own_question;  /* waits for this agency's answer; was put by it */
    bool ask, own_ask;            /* the same for asks to tell something */
    bool feedback;                /* not acknowledged by this agency */
    bool dispute, second_dispute; /* for social care; for the operations manager */
    bool conflict, held;
};

static enum err any(const struct look_matter *m, const char *sql, bool *out, struct why *why)
{
    struct stmt *s = NULL;
    enum err e = look_ask_case(m, sql, &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

#define ANY(table, which) "SELECT 1 FROM " table " WHERE case_id = $1 AND voided_at IS NULL AND " which
static enum err look_around(const struct look_matter *m, struct waiting *w, struct why *why)
{
    const struct {
        bool *there;
        const char *sql;
    } all[] = {
        {&w->question, ANY("request", "state = 'open' AND to_agency = $3")},
        {&w->own_question, ANY("request", "state = 'open' AND agency = $3")},
        {&w->ask, ANY("release", "state = 'asked' AND to_agency = $3")},
        {&w->own_ask, ANY("release", "state = 'asked' AND agency = $3")},
        {&w->feedback, ANY("feedback", "ack_at IS NULL AND to_agency = $3")},
        {&w->dispute, ANY("challenge", "state = 'open' AND about NOT LIKE '%:manager'")},
        {&w->second_dispute, ANY("challenge", "state = 'open' AND about LIKE '%:manager'")},
        {&w->conflict, ANY("conflict", "state = 'open'")},
        {&w->held, ANY("held", "state = 'waiting'")},
    };
    enum err e = ERR_OK;
    for (size_t i = 0; i < sizeof all / sizeof all[0] && e == ERR_OK; i++) e = any(m, all[i].sql, all[i].there, why);
    return e;
}

static void put(struct json *may, const char *const *names, size_t n, bool v)
{
    for (size_t i = 0; i < n; i++) json_set_bool(may, names[i], v);
}

enum err look_case_may(const struct look_matter *m, struct json *o, struct why *why)
{
    static const char *const access[] = {"none", "check", "view", "contribute"};
    static const char *const adds[] = {"record-add",  "record-override", "pointer-add",
                                       "release-ask", "release-grant",   "rate"};
    static const char *const contributes[] = {"person-add",  "person-set", "kin-add",  "contact-add",
                                              "warning-add", "consent",    "plan-add", "plan-end",
                                              "action-add",  "action-set", "dispute",  "request-send"};
    static const char *const decides[] = {"case-set", "case-share", "case-unshare", "meeting-add",
                                          "decide",   "allocate",   "feedback-send"};
    struct act_standing st = {0};
    struct waiting w = {0};
    struct why nowhere = {0};
    enum err e = act_standing(m->n, m->id, &st, &nowhere);
    if (e == ERR_NOTFOUND) e = ERR_OK; /* of a case that is not here what was left is one's own (node/look_kept.h) */
    if (e != ERR_OK) *why = nowhere;
    if (e == ERR_OK) e = look_around(m, &w, why);
    if (e != ERR_OK) return e;
    struct json *may = json_object_new();
    const bool full = st.part == ACT_CONTRIBUTES, decide = act_may_decide(&st);
    put(may, adds, sizeof adds / sizeof adds[0], full || st.part == ACT_CHECKS);
    put(may, contributes, sizeof contributes / sizeof contributes[0], full);
    put(may, decides, sizeof decides / sizeof decides[0], decide);
    json_set_bool(may, "record-set", true);
    json_set_bool(may, "void", true); /* what one wrote oneself, whatever part one has now */
    json_set_bool(may, "request-answer", w.question);
    json_set_bool(may, "request-decline", w.question);
    json_set_bool(may, "request-cancel", w.own_question);
    json_set_bool(may, "request-chase", w.own_question);
    json_set_bool(may, "release-preview", full || st.part == ACT_CHECKS);
    json_set_bool(may, "release-refuse", w.ask);
    json_set_bool(may, "release-cancel", w.own_ask);
    json_set_bool(may, "feedback-ack", w.feedback);
    json_set_bool(may, "dispute-decide",
                  ((w.dispute || m->lone.len != 0) && (st.social_care || st.manager)) ||
                      (w.second_dispute && st.manager));
    json_set_bool(may, "conflict-settle", w.conflict && (full || decide));
    json_set_bool(may, "held-accept", w.held && st.mash && st.manager);
    json_set_bool(may, "held-dismiss", w.held && st.mash && st.manager);
    json_set_str(o, "access", access[st.part]);
    json_set_obj(o, "may", may);
    return ERR_OK;
}
