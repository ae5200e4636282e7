/* case show: every part of a case that this device holds. */
#include "cli/node_commands.h"
#include "cli/node_work.h"

#include <string.h>

enum { COLUMNS = 12 };

struct section {
    const char *key;   /* JSON key */
    const char *title; /* heading */
    const char *sql;   /* $1 is the case; where the time is asked for, that is $1 and the case $2 */
    struct show_column columns[COLUMNS];
};

static const struct section sections[] = {
    {"case",
     "Case",
     "SELECT id, reference, area, subject_kind, rag, status, lead_agency, received_at, due_at FROM case_file WHERE id = $1",
     {{"id", NULL, SHOW_ID},
      {"reference", "Reference", SHOW_TEXT},
      {"area", "Area", SHOW_TEXT},
      {"subject_kind", "About", SHOW_TEXT},
      {"rag", "Rating", SHOW_TEXT},
      {"status", "Status", SHOW_TEXT},
      {"lead_agency", "Lead", SHOW_TEXT},
      {"received_at", "Received", SHOW_TIME},
      {"due_at", "Due", SHOW_TIME}}},
    {"brief",
     "In brief",
     "SELECT primary_need, summary, basis, rag_reason, decision, outcome, closure_reason FROM brief WHERE case_id = $1 AND voided_at IS NULL",
     {{"primary_need", "Need", SHOW_TEXT},
      {"summary", "Summary", SHOW_TEXT},
      {"basis", "Basis", SHOW_TEXT},
      {"rag_reason", "Why rated so", SHOW_TEXT},
      {"decision", "Decision", SHOW_TEXT},
      {"outcome", "Outcome", SHOW_TEXT},
      {"closure_reason", "Closed because", SHOW_TEXT}}},
    {"people",
     "People",
     "SELECT id, role, family_name, given_names, born_on, sex, agency FROM person WHERE case_id = $1 AND voided_at IS NULL ORDER BY id",
     {{"id", "Id", SHOW_ID},
      {"role", "Role", SHOW_TEXT},
      {"family_name", "Family name", SHOW_TEXT},
      {"given_names", "Given names", SHOW_TEXT},
      {"born_on", "Born", SHOW_TEXT},
      {"sex", "Sex", SHOW_TEXT},
      {"agency", "Written by", SHOW_TEXT}}},
    {"contacts",
     "Contacts",
     "SELECT id, person_id, kind, value, note, agency FROM contact WHERE case_id = $1 AND voided_at IS NULL ORDER BY id",
     {{"id", "Id", SHOW_ID},
      {"person_id", NULL, SHOW_ID},
      {"kind", "Kind", SHOW_TEXT},
      {"value", "Value", SHOW_TEXT},
      {"note", "Note", SHOW_TEXT},
      {"agency", "Written by", SHOW_TEXT}}},
    {"warnings",
     "Warnings",
     "SELECT id, kind, note, until, agency FROM warning WHERE case_id = $1 AND voided_at IS NULL ORDER BY id",
     {{"id", "Id", SHOW_ID},
      {"kind", "Kind", SHOW_TEXT},
      {"note", "Note", SHOW_TEXT},
      {"until", "Until", SHOW_TIME},
      {"agency", "Written by", SHOW_TEXT}}},
    {"participants",
     "Who takes part",
     "SELECT id, member, site, access, basis, since, until FROM participant WHERE case_id = $1 AND voided_at IS NULL ORDER BY member, site",
     {{"id", NULL, SHOW_ID},
      {"member", "Agency", SHOW_TEXT},
      {"site", "Site", SHOW_TEXT},
      {"access", "May", SHOW_TEXT},
      {"basis", "Basis", SHOW_TEXT},
      {"since", "Since", SHOW_TIME},
      {"until", "Until", SHOW_TIME}}},
    {"records",
     "Records",
     "SELECT id, kind, title, sensitivity, needs_consent, occurred_at, agency, body FROM record WHERE case_id = $1 AND voided_at IS NULL ORDER BY occurred_at, id",
     {{"id", "Id", SHOW_ID},
      {"kind", "Kind", SHOW_TEXT},
      {"title", "Title", SHOW_TEXT},
      {"sensitivity", "Told to", SHOW_TEXT},
      {"needs_consent", "Needs consent", SHOW_BOOL},
      {"occurred_at", "When", SHOW_TIME},
      {"agency", "Written by", SHOW_TEXT},
      {"body", NULL, SHOW_TEXT}}},
    {"requests",
     "Asked and answered",
     "SELECT q.id, q.agency, q.to_agency, q.question, q.rag, q.asked_at, q.due_at, q.state, q.result, q.reason, "
     WORK_REQUEST_SAYS("$1") " FROM request q WHERE q.case_id = $2 AND q.voided_at IS NULL ORDER BY q.asked_at, q.id",
     {{"id", "Id", SHOW_ID},
      {"agency", "From", SHOW_TEXT},
      {"to_agency", "To", SHOW_TEXT},
      {"question", "Question", SHOW_TEXT},
      {"rag", NULL, SHOW_TEXT},
      {"asked_at", NULL, SHOW_TIME},
      {"due_at", "Due", SHOW_TIME},
      {"state", NULL, SHOW_TEXT},
      {"result", NULL, SHOW_TEXT},
      {"reason", NULL, SHOW_TEXT},
      {"says", "Answer", SHOW_TEXT}}},
    {"pointers",
     "Held by others: ask them",
     "SELECT id, agency, note, contact FROM pointer WHERE case_id = $1 AND voided_at IS NULL ORDER BY id",
     {{"id", "Id", SHOW_ID},
      {"agency", "Who", SHOW_TEXT},
      {"note", "Note", SHOW_TEXT},
      {"contact", "Whom to ask", SHOW_TEXT}}},
    {"releases",
     "Told between agencies",
     "SELECT r.id, r.agency, r.to_agency, r.state, r.how, r.reason, r.title, r.conditions, r.expires_at, r.body, "
     WORK_RELEASE_SAYS("$1") " FROM release r WHERE r.case_id = $2 AND r.voided_at IS NULL AND NOT " WORK_RELEASE_IS_REASON
     " ORDER BY r.id",
     {{"id", "Id", SHOW_ID},
      {"agency", "From", SHOW_TEXT},
      {"to_agency", "To", SHOW_TEXT},
      {"state", NULL, SHOW_TEXT},
      {"how", NULL, SHOW_TEXT},
      {"reason", "Reason", SHOW_TEXT},
      {"title", "Title", SHOW_TEXT},
      {"conditions", "Conditions", SHOW_TEXT},
      {"expires_at", "Until", SHOW_TIME},
      {"body", NULL, SHOW_TEXT},
      {"says", "What", SHOW_TEXT}}},
    {"consents",
     "Consent",
     "SELECT k.id, k.person_id, trim(coalesce(p.given_names, '') || ' ' || coalesce(p.family_name, '')), k.scope, k.state,"
     " CASE WHEN k.state = 'given' AND k.expires_at <= $1 THEN 'given, and over now' WHEN k.state = 'not_sought'"
     " THEN 'not sought' ELSE k.state END, k.reason, k.capacity, k.told_at, k.given_at, k.expires_at FROM consent k"
     " LEFT JOIN person p ON p.id = k.person_id WHERE k.case_id = $2 AND k.voided_at IS NULL ORDER BY k.person_id, k.scope",
     {{"id", NULL, SHOW_ID},
      {"person_id", NULL, SHOW_ID},
      {"person", "Person", SHOW_TEXT},
      {"scope", "For records of", SHOW_TEXT},
      {"state", NULL, SHOW_TEXT},
      {"says", "Consent", SHOW_TEXT},
      {"reason", "Reason", SHOW_TEXT},
      {"capacity", "Capacity", SHOW_TEXT},
      {"told_at", "Family told", SHOW_TIME},
      {"given_at", "Noted", SHOW_TIME},
      {"expires_at", "Until", SHOW_TIME}}},
    {"ratings",
     "Ratings",
     "SELECT id, stage, rag, reason, rated_at, agency FROM rating WHERE case_id = $1 AND voided_at IS NULL ORDER BY rated_at",
     {{"id", NULL, SHOW_ID},
      {"stage", "Stage", SHOW_TEXT},
      {"rag", "Rating", SHOW_TEXT},
      {"reason", "Why", SHOW_TEXT},
      {"rated_at", "When", SHOW_TIME},
      {"agency", "By", SHOW_TEXT}}},
    {"episodes",
     "Dates",
     "SELECT id, kind, started_at, target_at, ended_at, result FROM episode WHERE case_id = $1 AND voided_at IS NULL ORDER BY started_at",
     {{"id", NULL, SHOW_ID},
      {"kind", "What", SHOW_TEXT},
      {"started_at", "Began", SHOW_TIME},
      {"target_at", "Target", SHOW_TIME},
      {"ended_at", "Ended", SHOW_TIME},
      {"result", "Result", SHOW_TEXT}}},
    {"conflicts",
     "Two versions",
     "SELECT id, tbl, col, state, found_at FROM conflict WHERE case_id = $1 AND voided_at IS NULL ORDER BY found_at",
     {{"id", "Id", SHOW_ID},
      {"tbl", "In", SHOW_TEXT},
      {"col", "What", SHOW_TEXT},
      {"state", "State", SHOW_TEXT},
      {"found_at", "Found", SHOW_TIME}}},
};

static size_t width(const struct section *s)
{
    size_t n = 0;
    while (n < COLUMNS && s->columns[n].name != NULL) n++;
    return n;
}

static enum err show_section(struct work *w, const struct section *sec, const uint8_t id[16], struct json *into,
                             struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(w->db, sec->sql, &s, why);
    if (e != ERR_OK) return e;
    bool timed = strstr(sec->sql, "$2") != NULL;
    if (timed) db_bind_int(s, 1, w->now);
    db_bind_id(s, timed ? 2 : 1, id);
    if (into == NULL) {
        printf("\n%s\n", sec->title);
        return show_list(w->c, s, sec->columns, width(sec), "Nothing.", NULL, why);
    }
    struct json *list = json_array_new();
    while ((e = db_step(s, &row, why)) == ERR_OK && row) json_append(list, show_object(s, sec->columns, width(sec)));
    db_done(s);
    json_set_obj(into, sec->key, list);
    return e;
}

/* As a table a case shows titles, and how what was told must be handled; as JSON it has everything. */
static enum err note_views(struct work *w, const uint8_t id[16], struct why *why)
{
    enum err e = node_viewed(w, "record", "SELECT id FROM record WHERE case_id = $1 AND voided_at IS NULL", id, why);
    if (e != ERR_OK) return e;
    return node_viewed(w, "release",
                       "SELECT id FROM release WHERE case_id = $1 AND voided_at IS NULL"
                       " AND coalesce(title, body, conditions) IS NOT NULL",
                       id, why);
}

static enum err do_show(struct work *w, struct why *why)
{
    uint8_t id[16];
    enum err e = work_pick(w, "case_file", w->c->args[0], id, why);
    if (e == ERR_OK) e = note_views(w, id, why);
    struct json *o = w->c->json ? json_object_new() : NULL;
    for (size_t i = 0; i < sizeof sections / sizeof sections[0] && e == ERR_OK; i++)
        e = show_section(w, &sections[i], id, o, why);
    if (e == ERR_OK && w->c->json) return show_json(o, why);
    json_free(o);
    return e;
}

enum err node_case_show(struct cli *c, struct why *why)
{
    return work_read(c, do_show, why);
}
