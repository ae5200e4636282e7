/* What a recorded decision rests upon: records that need consent and were free to be told when the decision was taken
 * in (case_decided). A consent that is withdrawn later does not take these back. */
#include "hub/policy_change.h"
#include "hub/sight_internal.h"

#include <string.h>

#define NOTE                                                                                                           \
    "INSERT INTO case_decided(record_id) SELECT r.id FROM h_case c JOIN record r ON r.case_id = c.id"                  \
    " WHERE c.no = $1 AND r.needs_consent = 1"
#define FREE(views) " AND EXISTS (SELECT 1 FROM " views ".record_free f WHERE f.record_id = r.id)"
#define ONCE        " ON CONFLICT DO NOTHING"

/* Of a case under two policies, what both let go. */
static const char *const note[] = {
    [CASE_IN_FORCE] = NOTE FREE("main") ONCE,
    [CASE_BOTH] = NOTE FREE("main") FREE("temp") ONCE,
    [CASE_COMING] = NOTE FREE("temp") ONCE,
};

static enum err note_case(struct hub *h, int64_t case_no, struct why *why)
{
    struct stmt *s;
    int policy = CASE_IN_FORCE;
    enum err e = sight_policy_of(h, case_no, &policy, why);
    if (e == ERR_OK) e = db_prepare(h->db, note[policy], &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, case_no);
    return db_run(s, why);
}

bool decided_says(const struct table_rule *t, size_t column, struct value v)
{
    return v.kind == VALUE_INT && strcmp(t->columns[column].name, "decided_at") == 0 && strcmp(t->name, "brief") == 0;
}

/* At the end of the step: the records that came with the decision count, and so does what took a consent away. */
enum err decided_note(struct hub *h, struct why *why)
{
    const struct sight *s = h->sight;
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < s->n_cases; i++)
        if (s->cases[i].decided) e = note_case(h, s->cases[i].no, why);
    return e;
}
