/* Requests, releases and reference data, as lists. What a list has was asked of this site's own rows: the replica holds
 * no other site's. */
#include "node/look_list.h"
#include "node/look_internal.h"
#include "node/look_words.h"

#include <assert.h>
#include <string.h>

/* ---------------------------------------------------------------------------------------------------- shared */
int64_t look_id_time(const uint8_t id[16])
{
    int64_t ms = 0;
    if ((id[6] & 0xF0) != 0x70) return 0;
    for (int i = 0; i < 6; i++) ms = ms * 256 + id[i];
    return ms;
}

enum err look_count(struct stmt *s, int64_t *out, struct why *why)
{
    bool row = false;
    enum err e = db_step(s, &row, why);
    if (e == ERR_OK) *out = row ? db_int(s, 0) : 0;
    db_done(s);
    return e;
}

enum err look_wrap(struct json *list, const char *key, int64_t total, struct json **out, struct why *why)
{
    struct json *o = json_object_new();
    json_set_int(o, "total", total);
    json_set_obj(o, key, list);
    *out = o;
    return o != NULL ? ERR_OK : why_set(why, ERR_NOMEM, "There is not enough memory for this list.");
}

/* -------------------------------------------------------------------------------------------------- requests */
#define MINUTE_MS 60000
/* A clock that jitters between two reads of it is no chase. */
#define CHASED_MS 1000

struct requests {
    struct node *n;
    int64_t now;
};

/* What others' clocks say may be any number. */
static int64_t minutes_between(int64_t from, int64_t to)
{
    const int64_t most = INT64_C(1) << 60;
    return ((to > most ? most : to < -most ? -most : to) - from) / MINUTE_MS;
}

/* When it was asked first stands in its id; each time it is chased asked_at moves (node/act.h). */
static enum err each_request(void *ctx, struct json *o, struct stmt *s, struct why *why)
{
    const struct requests *r = ctx;
    uint8_t id[16];
    (void)why;
    bool has_id = db_id(s, 0, id);
    int asked = -1, due = -1, state = -1;
    for (int i = 0; i < db_columns(s); i++) {
        const char *name = db_column_name(s, i);
        if (strcmp(name, "asked_at") == 0) asked = i;
        if (strcmp(name, "due_at") == 0) due = i;
        if (strcmp(name, "state") == 0) state = i;
    }
    assert(asked >= 0 && due >= 0 && state >= 0);
    int64_t first = has_id ? look_id_time(id) : 0, last = db_int(s, asked);
    if (last != 0 && first > last) first = 0; /* a clock that was wrong when it was made */
    bool chased = first != 0 && last > first + CHASED_MS;
    bool open = bytes_equal(db_bytes(s, state), bytes_of_str("open"));
    look_set_time(o, "first_asked_at", first != 0 ? first : last);
    look_set_time(o, "chased_at", chased ? last : 0);
    json_set_bool(o, "overdue", open && !db_is_null(s, due) && db_int(s, due) < r->now);
    if (open && !db_is_null(s, due))
        json_set_int(o, "minutes_left", minutes_between(r->now, db_int(s, due)));
    else
        json_set_null(o, "minutes_left");
    return ERR_OK;
}

/* to, by: an agency or NULL. Those that wait are said in the very words of their index (node/later.sql). */
#define REQUESTS(to, by)                                                                                               \
    " FROM request q LEFT JOIN case_file c ON c.id = q.case_id WHERE q.voided_at IS NULL AND (" to                     \
    " IS NULL OR q.to_agency = " to ") AND (" by " IS NULL OR q.agency = " by ")"
#define WAITING " AND q.state = 'open'"
#define GRAVITY "CASE c.rag WHEN 'red' THEN 0 WHEN 'amber' THEN 1 WHEN 'green' THEN 2 WHEN 'blue' THEN 3 ELSE 4 END"
#define REQUEST_LIST                                                                                                   \
    "SELECT q.*, c.reference, c.rag AS case_rag, " LOOK_REQUEST_SAYS(                                                  \
        "$1") " AS says, EXISTS(SELECT 1 FROM n_pending u WHERE u.id = q.id AND u.tbl = $2) AS unsent"
#define URGENT                                                                                                         \
    " ORDER BY q.state = 'open' DESC, q.state = 'open' AND coalesce(q.due_at < $1, 0) DESC, " GRAVITY                  \
    ", q.due_at IS NULL, q.due_at, q.asked_at, q.id LIMIT $5"

static void bind_way(struct node *n, struct stmt *s, int at, enum look_way way)
{
    db_bind_str(s, at, way == LOOK_IN ? n->agency : NULL);
    db_bind_str(s, at + 1, way == LOOK_OUT ? n->agency : NULL);
}

static enum err count_requests(struct node *n, enum look_way way, bool open, int64_t *out, struct why *why)
{
    struct stmt *s = NULL;
    enum err e = db_prepare(
        n->db, open ? "SELECT count(*)" REQUESTS("$1", "$2") WAITING : "SELECT count(*)" REQUESTS("$1", "$2"), &s, why);
    if (e != ERR_OK) return e;
    bind_way(n, s, 1, way);
    return look_count(s, out, why);
}

enum err look_requests_up_to(struct node *n, enum look_way way, bool open, size_t limit, struct json **out,
                             struct why *why)
{
    static const struct look_column more[] = {
        {"reference", LOOK_TEXT}, {"case_rag", LOOK_TEXT}, {"says", LOOK_TEXT}, {"unsent", LOOK_BOOL}};
    struct requests r = {.n = n, .now = env_now(n->env)};
    const struct look_table t = {
        .table = "request", .more = more, .n_more = sizeof more / sizeof more[0], .each = each_request, .ctx = &r};
    struct stmt *s = NULL;
    struct json *list = NULL;
    int64_t total = 0;
    *out = NULL;
    enum err e = count_requests(n, way, open, &total, why);
    if (e == ERR_OK)
        e = db_prepare(
            n->db, open ? REQUEST_LIST REQUESTS("$3", "$4") WAITING URGENT : REQUEST_LIST REQUESTS("$3", "$4") URGENT,
            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, r.now);
    db_bind_int(s, 2, rules_table_index(bytes_of_str("request")));
    bind_way(n, s, 3, way);
    db_bind_int(s, 5, (int64_t)limit);
    e = look_fill_rows(n, s, &t, &list, why);
    return e == ERR_OK ? look_wrap(list, "requests", total, out, why) : e;
}

enum err look_requests(struct node *n, enum look_way way, bool open, struct json **out, struct why *why)
{
    return look_requests_up_to(n, way, open, LOOK_LIST_MAX, out, why);
}

/* -------------------------------------------------------------------------------------------------- releases */
/* The text of what was told is not in the list, nor its title and conditions (to ask for the list would be a look at
 * each of them); the chronology of its case has it. */
static enum err each_release(void *ctx, struct json *o, struct stmt *s, struct why *why)
{
    struct node *n = ctx;
    (void)s;
    (void)why;
    const char *to = json_get_str(o, "to_agency"), *state = json_get_str(o, "state");
    json_set_bool(o, "to_answer",
                  to != NULL && state != NULL && strcmp(to, n->agency) == 0 && strcmp(state, "asked") == 0);
    return ERR_OK;
}

#define RELEASES(open)                                                                                                 \
    " FROM release r LEFT JOIN case_file c ON c.id = r.case_id WHERE r.voided_at IS NULL AND (" open                   \
    " = 0 OR r.state = 'asked') AND NOT " LOOK_RELEASE_IS_REASON
#define RELEASE_COLUMNS                                                                                                \
    "r.id, r.case_id, r.agency, r.to_agency, r.pointer_id, r.state, r.how, r.asked_by, r.reason, r.decided_by,"        \
    " r.decided_at, r.expires_at"

enum err look_releases(struct node *n, bool open, struct json **out, struct why *why)
{
    static const struct look_column more[] = {
        {"reference", LOOK_TEXT}, {"case_rag", LOOK_TEXT}, {"says", LOOK_TEXT}, {"unsent", LOOK_BOOL}};
    const struct look_table t = {
        .table = "release", .more = more, .n_more = sizeof more / sizeof more[0], .each = each_release, .ctx = n};
    struct stmt *s = NULL;
    struct json *list = NULL;
    int64_t total = 0;
    *out = NULL;
    enum err e = db_prepare(n->db, "SELECT count(*)" RELEASES("$1"), &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, open);
    e = look_count(s, &total, why);
    if (e == ERR_OK)
        e = db_prepare(
            n->db,
            "SELECT " RELEASE_COLUMNS ", c.reference, c.rag AS case_rag, " LOOK_RELEASE_SAYS(
                "$1") " AS says, EXISTS(SELECT 1 FROM n_pending u WHERE u.id = r.id AND u.tbl = $2)"
                      " AS unsent" RELEASES(
                          "$3") " ORDER BY r.state = 'asked' DESC, r.state = 'asked' AND r.to_agency = $4 DESC,"
                                " CASE WHEN r.state = 'asked' THEN " GRAVITY " END,"
                                " coalesce(r.decided_at, 0) DESC, r.id LIMIT $5",
            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, env_now(n->env));
    db_bind_int(s, 2, rules_table_index(bytes_of_str("release")));
    db_bind_int(s, 3, open);
    db_bind_str(s, 4, n->agency);
    db_bind_int(s, 5, LOOK_LIST_MAX);
    e = look_fill_rows(n, s, &t, &list, why);
    return e == ERR_OK ? look_wrap(list, "releases", total, out, why) : e;
}

/* ------------------------------------------------------------------------------------------------- reference */
static enum err put_rows(struct node *n, struct json *o, const char *key, const char *sql,
                         const struct look_column *cols, size_t n_cols, struct why *why)
{
    struct stmt *s = NULL;
    struct json *list = NULL;
    enum err e = db_prepare(n->db, sql, &s, why);
    if (e == ERR_OK) e = look_rows(s, cols, n_cols, &list, why);
    if (e == ERR_OK) json_set_obj(o, key, list);
    return e;
}

/* The first column of each row as an array of texts under `key`; $1 is `of` (NULL: not in the question). */
static enum err put_texts(struct node *n, struct json *o, const char *key, const char *sql, const char *of,
                          struct why *why)
{
    struct stmt *s = NULL;
    struct buf text;
    struct json *list = json_array_new();
    bool row = false;
    buf_init(&text, RULES_MAX_VALUE + 1);
    enum err e = db_prepare(n->db, sql, &s, why);
    if (e == ERR_OK && of != NULL) db_bind_str(s, 1, of);
    while (e == ERR_OK && (e = db_step(s, &row, why)) == ERR_OK && row) {
        buf_reset(&text);
        buf_put_bytes(&text, db_bytes(s, 0));
        json_append_str(list, buf_cstr(&text));
        if (text.err != ERR_OK) e = why_set(why, text.err, "There is not enough memory for this list.");
    }
    db_done(s);
    buf_release(&text);
    json_set_obj(o, key, list);
    return e;
}

/* A site's object, with the areas that it covers. */
static enum err append_site(struct node *n, struct json *sites, struct stmt *s, struct why *why)
{
    static const struct look_column cols[] = {{"code", LOOK_TEXT}, {"agency", LOOK_TEXT}, {"name", LOOK_TEXT},
                                              {"kind", LOOK_TEXT}, {"phone", LOOK_TEXT},  {"night_phone", LOOK_TEXT}};
    struct json *o = look_object(s, cols, sizeof cols / sizeof cols[0]);
    struct bytes code = db_bytes(s, 0);
    struct buf copy;
    buf_init(&copy, RULES_MAX_VALUE + 1);
    buf_put_bytes(&copy, code);
    const char *text = buf_cstr(&copy);
    enum err e = text == NULL
                     ? why_set(why, copy.err, "There is not enough memory for this list.")
                     : put_texts(n, o, "areas", "SELECT area FROM coverage WHERE site = $1 ORDER BY area", text, why);
    buf_release(&copy);
    json_append(sites, o);
    return e;
}

static enum err put_sites(struct node *n, struct json *o, struct why *why)
{
    struct json *sites = json_array_new();
    struct stmt *s = NULL;
    bool row = false;
    enum err e =
        db_prepare(n->db, "SELECT code, agency, name, kind, phone, night_phone FROM site ORDER BY code", &s, why);
    while (e == ERR_OK && (e = db_step(s, &row, why)) == ERR_OK && row) e = append_site(n, sites, s, why);
    db_done(s);
    json_set_obj(o, "sites", sites);
    return e;
}

/* {list: [{code, label}]}, of rows in the order of their lists. */
static enum err put_codes(struct node *n, struct json *o, struct why *why)
{
    static const struct look_column cols[] = {{"code", LOOK_TEXT}, {"label", LOOK_TEXT}};
    struct json *codes = json_object_new(), *list = NULL;
    struct stmt *s = NULL;
    char name[128] = "";
    bool row = false;
    enum err e = db_prepare(n->db, "SELECT code, label, list FROM code_list ORDER BY list, rowid", &s, why);
    while (e == ERR_OK && (e = db_step(s, &row, why)) == ERR_OK && row) {
        struct bytes of = db_bytes(s, 2);
        if (of.n == 0 || of.n >= sizeof name) continue; /* a name that no page asks for */
        if (list == NULL || !bytes_equal(of, bytes_of_str(name))) {
            if (list != NULL) json_set_obj(codes, name, list);
            memcpy(name, of.p, of.n);
            name[of.n] = '\0';
            list = json_array_new();
        }
        json_append(list, look_object(s, cols, 2));
    }
    db_done(s);
    if (list != NULL) json_set_obj(codes, name, list);
    json_set_obj(o, "codes", codes);
    return e;
}

static enum err put_reference(struct node *n, struct json *o, struct why *why)
{
    static const struct look_column agency[] = {{"code", LOOK_TEXT}, {"name", LOOK_TEXT}, {"kind", LOOK_TEXT}};
    static const struct look_column people[] = {
        {"id", LOOK_ID}, {"name", LOOK_TEXT}, {"role", LOOK_TEXT}, {"site", LOOK_TEXT}, {"agency", LOOK_TEXT}};
    static const struct look_column scale[] = {{"rag", LOOK_TEXT},
                                               {"what", LOOK_TEXT},
                                               {"subject_kind", LOOK_TEXT},
                                               {"minutes", LOOK_INT},
                                               {"clock", LOOK_TEXT}};
    enum err e = put_rows(n, o, "agencies", "SELECT code, name, kind FROM agency ORDER BY coalesce(name, code), code",
                          agency, 3, why);
    if (e == ERR_OK) e = put_sites(n, o, why);
    if (e == ERR_OK)
        e = put_rows(n, o, "people",
                     "SELECT p.id, p.name, p.role, p.site, s.agency FROM practitioner p LEFT JOIN site s ON"
                     " s.code = p.site WHERE coalesce(p.active, 1) = 1 ORDER BY p.name, p.id",
                     people, 5, why);
    if (e == ERR_OK)
        e = put_texts(n, o, "areas",
                      "SELECT area FROM coverage WHERE area <> '*' UNION SELECT area FROM duty WHERE area <> '*'"
                      " ORDER BY 1",
                      NULL, why);
    if (e == ERR_OK) e = put_codes(n, o, why);
    if (e == ERR_OK)
        e = put_rows(n, o, "timescales",
                     "SELECT rag, what, subject_kind, minutes, coalesce(clock, 'elapsed') FROM timescale ORDER BY"
                     " CASE rag WHEN 'red' THEN 0 WHEN 'amber' THEN 1 WHEN 'green' THEN 2 ELSE 3 END, what, minutes",
                     scale, 5, why);
    return e;
}

enum err look_reference(struct node *n, struct json **out, struct why *why)
{
    struct json *o = json_object_new();
    enum err e = put_reference(n, o, why);
    *out = NULL;
    if (e == ERR_OK && o == NULL) e = why_set(why, ERR_NOMEM, "There is not enough memory for this list.");
    if (e == ERR_OK)
        *out = o;
    else
        json_free(o);
    return e;
}
