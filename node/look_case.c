/* The page of one case: everything that this device holds of it but the text of records and of what was told, which the
 * chronology shows. */
#include "node/look_case.h"

#include "base/when.h"
#include "node/look_kept.h"
#include "node/look_list.h"
#include "node/look_words.h"

#include <string.h>

/* -------------------------------------------------------------------------------------------------------- matter */
enum err look_matter_new(struct node *n, const uint8_t case_id[16], struct look_matter *out, struct why *why)
{
    const struct look_state_ask ask = {.case_id = case_id, .closed = true, .allocated = true, .lone = &out->lone};
    struct look_states found = {0};
    *out = (struct look_matter){.n = n, .id = case_id};
    buf_init(&out->lone, 1u << 20);
    enum err e = look_times_new(n, &out->times, why);
    if (e == ERR_OK) e = look_states_new(n, &out->times, &ask, &found, why);
    if (e == ERR_OK && found.n == 0)
        e = why_set(why, ERR_NOTFOUND, "There is no such case on this device, or it was opened by mistake.");
    if (e == ERR_OK) e = out->lone.err;
    if (e == ERR_OK) out->state = found.list[0];
    look_states_free(&found);
    return e;
}

void look_matter_free(struct look_matter *m)
{
    look_times_free(&m->times);
    buf_release(&m->lone);
}

/* --------------------------------------------------------------------------------------------------------- parts */
static const struct look_column extras[] = {
    {"unsent", LOOK_BOOL}, {"says", LOOK_TEXT}, {"overdue", LOOK_BOOL},         {"decision_reason", LOOK_TEXT},
    {"person", LOOK_TEXT}, {"count", LOOK_INT}, {"other_reference", LOOK_TEXT}, {"source_label", LOOK_TEXT}};
enum { EXTRAS = sizeof extras / sizeof extras[0] };

enum err look_ask_case(const struct look_matter *m, const char *sql, struct stmt **out, struct why *why)
{
    enum err e = db_prepare(m->n->db, sql, out, why);
    if (e != ERR_OK) return e;
    if (strstr(sql, "$1") != NULL) db_bind_id(*out, 1, m->id);
    if (strstr(sql, "$2") != NULL) db_bind_int(*out, 2, m->times.now);
    if (strstr(sql, "$3") != NULL) db_bind_str(*out, 3, m->n->agency);
    return ERR_OK;
}

enum err look_parts(const struct look_matter *m, const struct look_part *parts, size_t n, struct json *o,
                    struct why *why)
{
    enum err e = ERR_OK;
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        const struct look_table t = {.table = parts[i].table,
                                     .more = extras,
                                     .n_more = EXTRAS,
                                     .each = parts[i].each,
                                     .ctx = (void *)(uintptr_t)m};
        struct stmt *s = NULL;
        struct json *list = NULL;
        e = look_ask_case(m, parts[i].sql, &s, why);
        if (e == ERR_OK) e = look_fill_rows(m->n, s, &t, &list, why);
        json_set_obj(o, parts[i].key, list);
    }
    return e;
}

static enum err each_meeting(void *ctx, struct json *o, struct stmt *s, struct why *why)
{
    static const struct look_table attendance = {.table = "attendance", .more = extras, .n_more = EXTRAS};
    const struct look_matter *m = ctx;
    struct stmt *q = NULL;
    struct json *list = NULL;
    uint8_t id[16];
    (void)db_id(s, 0, id);
    enum err e =
        db_prepare(m->n->db,
                   "SELECT a.*, " LOOK_UNSENT("a") " FROM attendance a WHERE a.case_id = $1 AND a.meeting_id = $2"
                                                   " AND a.voided_at IS NULL ORDER BY a.id",
                   &q, why);
    if (e != ERR_OK) return e;
    db_bind_id(q, 1, m->id);
    db_bind_id(q, 2, id);
    e = look_fill_rows(m->n, q, &attendance, &list, why);
    json_set_obj(o, "attendance", list);
    return e;
}

/* A release without its text: seeing that is a look, which the chronology notes. */
#define RELEASE                                                                                                        \
    "r.id, r.case_id, r.agency, r.to_agency, r.pointer_id, r.state, r.how, r.asked_by, r.reason, r.decided_by,"        \
    " r.decided_at, r.expires_at"
/* The decider's reason stands in a rating of the same person and moment (node/act_work.h). */
#define DECISION_REASON                                                                                                \
    "(SELECT g.reason FROM rating g WHERE g.case_id = c.case_id AND g.author = c.decided_by"                           \
    " AND g.rated_at = c.decided_at AND g.voided_at IS NULL LIMIT 1) AS decision_reason"
/* When it was put first stands in a question's id; its own time moves when it is put again (node/act_work.h). */
static enum err each_request(void *ctx, struct json *o, struct stmt *s, struct why *why)
{
    const char *asked = json_get_str(o, "asked_at");
    uint8_t id[16] = {0};
    int64_t first, last = 0;
    (void)ctx;
    (void)why;
    (void)db_id(s, 0, id);
    first = look_id_time(id);
    if (asked == NULL || when_read_rfc3339(asked, &last, NULL) != ERR_OK) last = first;
    look_set_time(o, "first_asked_at", first != 0 ? first : last);
    look_set_time(o, "chased_at", first != 0 && last > first + 60000 ? last : 0);
    return ERR_OK;
}

static enum err each_rating(void *ctx, struct json *o, struct stmt *s, struct why *why)
{
    const struct look_matter *m = ctx;
    uint8_t id[16] = {0};
    bool waits = false;
    (void)why;
    (void)db_id(s, 0, id);
    for (size_t i = 0; i < m->lone.len; i += 16) waits = waits || memcmp(m->lone.data + i, id, 16) == 0;
    json_set_bool(o, "waits", waits);
    return ERR_OK;
}

#define HERE(t) " " t " WHERE " t ".case_id = $1 AND " t ".voided_at IS NULL "
#define NAMED(key, table, rest, each)                                                                                  \
    {                                                                                                                  \
        key, table, "SELECT t.*, " LOOK_UNSENT("t") " FROM " table HERE("t") rest, each                                \
    }

static const char requests_sql[] =
    "SELECT q.*, " LOOK_REQUEST_SAYS("$2") " AS says, coalesce(q.state = 'open' AND q.due_at < $2, 0) AS overdue, " LOOK_UNSENT(
        "q") " FROM request" HERE("q") "ORDER BY q.asked_at, q.id";
static const char releases_sql[] = "SELECT " RELEASE ", " LOOK_RELEASE_SAYS("$2") " AS says, " LOOK_UNSENT(
    "r") " FROM release" HERE("r") "AND NOT " LOOK_RELEASE_IS_REASON " ORDER BY r.id";
static const char challenges_sql[] =
    "SELECT c.*, " DECISION_REASON ", " LOOK_UNSENT("c") " FROM challenge" HERE("c") "ORDER BY c.id";
/* Neither of the two versions: they may be of a record's text. */
static const char conflicts_sql[] =
    "SELECT t.id, t.case_id, t.tbl, t.row_id, t.col, t.policy, t.state, t.found_at, " LOOK_UNSENT(
        "t") " FROM conflict" HERE("t") "AND t.state = 'open' ORDER BY t.found_at, t.id";
static const char withheld_sql[] = "SELECT t.agency, count(*) AS count FROM pointer" HERE(
    "t") "AND t.agency <> $3 GROUP BY t.agency ORDER BY t.agency";

static const struct look_part parts[] = {
    NAMED("referrals", "referral", "ORDER BY t.received_at, t.id", NULL),
    NAMED("ratings", "rating", "AND t.stage IS NOT NULL ORDER BY t.rated_at, t.id", each_rating),
    NAMED("kinship", "kinship", "ORDER BY t.id", NULL),
    NAMED("warnings", "warning", "AND t.person_id IS NULL AND (t.until IS NULL OR t.until > $2) ORDER BY t.id", NULL),
    NAMED("plans", "episode", "ORDER BY t.started_at, t.id", NULL),
    NAMED("participants", "participant",
          "AND t.access IS NOT 'none' AND (t.until IS NULL OR t.until > $2) ORDER BY t.member, t.site, t.id", NULL),
    {"requests", "request", requests_sql, each_request},
    NAMED("pointers", "pointer", "ORDER BY t.id", NULL),
    {"releases", "release", releases_sql, NULL},
    NAMED("meetings", "meeting", "ORDER BY t.held_at, t.id", each_meeting),
    NAMED("feedback", "feedback", "ORDER BY t.sent_at, t.id", NULL),
    {"challenges", "challenge", challenges_sql, NULL},
    NAMED("actions", "action", "ORDER BY t.due_at IS NULL, t.due_at, t.id", NULL),
    NAMED("allocations", "allocation", "AND (t.until IS NULL OR t.until > $2) ORDER BY t.since, t.id", NULL),
    {"conflicts", "conflict", conflicts_sql, NULL},
    NAMED("held", "held", "AND t.state = 'waiting' ORDER BY t.written_at, t.id", NULL),
    {"withheld", "pointer", withheld_sql, NULL},
};

enum err look_case_kept_parts(const struct look_matter *m, struct json *o, struct why *why)
{
    static const char *const kept[] = {"requests", "releases", "feedback", "held"};
    enum err e = ERR_OK;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && e == ERR_OK; i++)
        for (size_t k = 0; k < sizeof kept / sizeof kept[0] && e == ERR_OK; k++)
            if (strcmp(parts[i].key, kept[k]) == 0) e = look_parts(m, &parts[i], 1, o, why);
    return e == ERR_OK ? look_note_held(m->n, json_get(o, "held"), why) : e;
}

/* ---------------------------------------------------------------------------------------------------------- head */
static enum err put_file(const struct look_matter *m, struct json *o, struct why *why)
{
    struct json *file = json_object_new();
    struct stmt *s = NULL;
    bool row = false;
    enum err e = look_ask_case(m, "SELECT c.*, " LOOK_UNSENT("c") " FROM case_file c WHERE c.id = $1", &s, why);
    if (e == ERR_OK) e = db_step(s, &row, why);
    if (e == ERR_OK && row) e = look_fill(m->n, file, s, "case_file", extras, EXTRAS, why);
    db_done(s);
    look_state_put(file, &m->state, &m->times);
    json_set_bool(file, "mine", m->state.mine);
    json_set_obj(o, "case", file);
    return e;
}

static enum err put_brief(const struct look_matter *m, struct json *o, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    json_set_null(o, "brief");
    enum err e = look_ask_case(
        m, "SELECT b.*, " LOOK_UNSENT("b") " FROM brief" HERE("b") "ORDER BY b.id = b.case_id DESC LIMIT 1", &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) {
        struct json *brief = json_object_new();
        e = look_fill(m->n, brief, s, "brief", extras, EXTRAS, why);
        json_set_obj(o, "brief", brief);
    }
    db_done(s);
    return e;
}

/* How it was rated first; how it is rated since it was decided. */
static enum err put_before_and_after(const struct look_matter *m, struct json *o, struct why *why)
{
    static const struct look_column cols[] = {{"rating_before", LOOK_TEXT}, {"rating_after", LOOK_TEXT}};
    struct stmt *s = NULL;
    bool row = false;
    enum err e = look_ask_case(
        m,
        "SELECT (SELECT r.rag FROM rating r WHERE r.case_id = c.id AND r.voided_at IS NULL AND r.stage IS NOT NULL"
        " ORDER BY r.rated_at, r.id LIMIT 1), (SELECT c.rag FROM brief b WHERE b.case_id = c.id AND b.voided_at IS NULL"
        " AND b.decided_at IS NOT NULL LIMIT 1) FROM case_file c WHERE c.id = $1",
        &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &row, why);
    for (int i = 0; e == ERR_OK && row && i < 2; i++) look_set(o, cols[i].name, s, i, cols[i].kind);
    db_done(s);
    return e;
}

static enum err put_case(const struct look_matter *m, struct json *o, struct why *why)
{
    bool repeat = false;
    enum err e = put_file(m, o, why);
    if (e == ERR_OK) e = put_brief(m, o, why);
    if (e == ERR_OK) e = put_before_and_after(m, o, why);
    if (e == ERR_OK) e = look_case_clocks(m, o, why);
    if (e == ERR_OK) e = look_case_people(m, o, why);
    if (e == ERR_OK) e = look_parts(m, parts, sizeof parts / sizeof parts[0], o, why);
    if (e == ERR_OK) e = look_note_held(m->n, json_get(o, "held"), why);
    if (e == ERR_OK) e = look_repeat(m->n, &m->state, &repeat, why);
    json_set_bool(o, "repeat", repeat);
    return e == ERR_OK ? look_case_may(m, o, why) : e;
}

enum err look_case(struct node *n, const uint8_t case_id[16], struct json **out, struct why *why)
{
    struct look_matter m;
    bool kept = false;
    *out = NULL;
    enum err e = look_kept(n, case_id, &kept, why);
    if (e != ERR_OK || kept) return e == ERR_OK ? look_bare_case(n, case_id, out, why) : e;
    struct json *o = json_object_new();
    e = look_matter_new(n, case_id, &m, why);
    json_set_bool(o, "bare", false);
    if (e == ERR_OK && o == NULL) e = why_set(why, ERR_NOMEM, "There is not enough memory for this case.");
    if (e == ERR_OK) e = put_case(&m, o, why);
    if (e == ERR_OK)
        *out = o;
    else
        json_free(o);
    look_matter_free(&m);
    return e;
}
