/* The lists of the pages, and their CSV. */
#include "cli/serve.h"
#include "cli/show.h"
#include "node/act_answers.h"
#include "node/look_audit.h"
#include "node/look_list.h"
#include "node/look_preview.h"

#include <string.h>

/* A file is saved, not shown. */
static void as_csv(struct serve_call *c, const char *name)
{
    c->type = "text/csv; charset=utf-8; header=present";
    c->file_name = name;
}

/* --------------------------------------------------------------------------------------- requests, releases … */
static enum err read_way(struct serve_call *c, enum look_way *out, struct why *why)
{
    const char *way = serve_query(c, "way");
    *out = LOOK_BOTH;
    if (way == NULL) return ERR_OK;
    if (strcmp(way, "in") != 0 && strcmp(way, "out") != 0)
        return why_set(why, ERR_USAGE, "Requests go in (to answer) or out (asked by your agency).");
    *out = strcmp(way, "in") == 0 ? LOOK_IN : LOOK_OUT;
    return ERR_OK;
}

static enum err get_requests(struct serve_call *c, struct why *why)
{
    enum look_way way;
    enum err e = read_way(c, &way, why);
    return e == ERR_OK ? look_requests(c->node, way, serve_query_true(c, "open"), &c->out, why) : e;
}

/* Those to this agency are a form to be filled in (POST /api/answers.csv); others are a list. */
static enum err get_requests_csv(struct serve_call *c, struct why *why)
{
    enum look_way way;
    enum err e = read_way(c, &way, why);
    if (e != ERR_OK) return e;
    as_csv(c, "requests.csv");
    if (way == LOOK_IN) return act_answers_form(c->node, &c->raw, why);
    return look_requests_csv(c->node, way, serve_query_true(c, "open"), &c->raw, why);
}

static enum err get_releases(struct serve_call *c, struct why *why)
{
    return look_releases(c->node, serve_query_true(c, "open"), &c->out, why);
}

static enum err get_conflicts(struct serve_call *c, struct why *why)
{
    return look_conflicts(c->node, serve_query_true(c, "all"), &c->out, why);
}

static enum err get_held(struct serve_call *c, struct why *why)
{
    return look_held(c->node, serve_query_true(c, "all"), &c->out, why);
}

static enum err get_reference(struct serve_call *c, struct why *why)
{
    return look_reference(c->node, &c->out, why);
}

/* ----------------------------------------------------------------------------------------------------- search */
#define HITS_MAX 50

static enum err get_search(struct serve_call *c, struct why *why)
{
    const char *text = serve_query(c, "q");
    if (text == NULL) return why_set(why, ERR_USAGE, "Type what to look for.");
    return look_search_soon(c->node, text, HITS_MAX, &c->out, why);
}

static enum err get_duplicates(struct serve_call *c, struct why *why)
{
    return look_duplicates(c->node, serve_query(c, "family"), serve_query(c, "given"), serve_query(c, "born"), &c->out,
                           why);
}

/* ------------------------------------------------------------------------------------ why here, and who saw it */
/* "TBL/ID" is what follows the route. */
static enum err get_reply(struct serve_call *c, unsigned kind, struct why *why)
{
    char table[64];
    const char *rest = c->rest, *slash = rest == NULL ? NULL : strchr(rest, '/');
    size_t n = slash == NULL ? 0 : (size_t)(slash - rest);
    uint8_t id[16];
    if (n == 0 || n >= sizeof table) return why_set(why, ERR_NOTFOUND, "There is nothing of that kind here.");
    memcpy(table, rest, n);
    table[n] = '\0';
    if (rules_table_index(bytes_of_str(table)) < 0)
        return why_set(why, ERR_NOTFOUND, "There is nothing of that kind here.");
    c->rest = slash + 1;
    enum err e = serve_pick(c, table, id, why);
    c->rest = rest;
    return e == ERR_OK ? look_reply(c->node, kind, table, id, serve_query_true(c, "ask"), &c->out, why) : e;
}

static enum err get_who_saw(struct serve_call *c, struct why *why)
{
    return get_reply(c, QUESTION_WHO_SAW, why);
}

static enum err get_explain(struct serve_call *c, struct why *why)
{
    return get_reply(c, QUESTION_EXPLAIN, why);
}

/* What sharing a case, or ending that, would do: of the case that follows the route. */
static enum err get_preview(struct serve_call *c, bool unshare, struct why *why)
{
    uint8_t id[16];
    const struct look_preview in = {.case_id = id,
                                    .agency = serve_query(c, "agency"),
                                    .site = serve_query(c, "site"),
                                    .access = serve_query(c, "access"),
                                    .unshare = unshare};
    enum err e = serve_pick(c, "case_file", id, why);
    return e == ERR_OK ? look_preview(c->node, &in, serve_query_true(c, "ask"), &c->out, why) : e;
}

static enum err get_preview_share(struct serve_call *c, struct why *why)
{
    return get_preview(c, false, why);
}

static enum err get_preview_unshare(struct serve_call *c, struct why *why)
{
    return get_preview(c, true, why);
}

/* ------------------------------------------------------------------------------------------ audit, performance */
/* Of a day that is named as the last one, its end. */
static enum err read_end(struct serve_call *c, const char *name, bool last, int64_t *out, struct why *why)
{
    const char *text = serve_query(c, name);
    enum err e = serve_query_time(c, name, out, why);
    if (e == ERR_OK && last && text != NULL && rules_date_ok(bytes_of_str(text))) *out = show_day_end(*out);
    return e;
}

struct audit_ask {
    struct look_audit ask;
    uint8_t case_id[16], person[16];
};
static enum err read_audit(struct serve_call *c, struct audit_ask *a, struct why *why)
{
    const char *case_id = serve_query(c, "case"), *who = serve_query(c, "who"), *rest = c->rest;
    enum audit_kind kind;
    enum err e = read_end(c, "from", false, &a->ask.from, why);
    if (e == ERR_OK) e = read_end(c, "to", true, &a->ask.to, why);
    if (e != ERR_OK) return e;
    a->ask.kind = serve_query(c, "kind");
    if (a->ask.kind != NULL && !audit_kind_from_word(a->ask.kind, &kind))
        return why_set(why, ERR_USAGE, "There is no act of that kind.");
    if (case_id != NULL) {
        c->rest = case_id;
        e = serve_pick(c, "case_file", a->case_id, why);
        a->ask.case_id = a->case_id;
    }
    if (e == ERR_OK && who != NULL) {
        c->rest = who;
        e = serve_pick(c, "practitioner", a->person, why);
        a->ask.person = a->person;
    }
    c->rest = rest;
    return e;
}

static enum err get_audit(struct serve_call *c, struct why *why)
{
    struct audit_ask a = {0};
    enum err e = read_audit(c, &a, why);
    return e == ERR_OK ? look_audit(c->node, &a.ask, &c->out, why) : e;
}

static enum err get_audit_csv(struct serve_call *c, struct why *why)
{
    struct audit_ask a = {0};
    enum err e = read_audit(c, &a, why);
    if (e != ERR_OK) return e;
    as_csv(c, "audit.csv");
    return look_audit_csv(c->node, &a.ask, &c->raw, why);
}

static enum err read_performance(struct serve_call *c, struct look_performance *out, struct why *why)
{
    *out = (struct look_performance){.area = serve_query(c, "area")};
    enum err e = read_end(c, "from", false, &out->from, why);
    return e == ERR_OK ? read_end(c, "to", true, &out->to, why) : e;
}

static enum err get_performance(struct serve_call *c, struct why *why)
{
    struct look_performance ask;
    enum err e = read_performance(c, &ask, why);
    return e == ERR_OK ? look_performance(c->node, &ask, &c->out, why) : e;
}

static enum err get_performance_csv(struct serve_call *c, struct why *why)
{
    struct look_performance ask;
    enum err e = read_performance(c, &ask, why);
    if (e != ERR_OK) return e;
    as_csv(c, "performance.csv");
    return look_performance_csv(c->node, &ask, &c->raw, why);
}

const struct serve_route serve_list_routes[] = {
    {"GET", "/api/requests", NULL, get_requests},
    {"GET", "/api/requests.csv", NULL, get_requests_csv},
    {"GET", "/api/releases", NULL, get_releases},
    {"GET", "/api/conflicts", NULL, get_conflicts},
    {"GET", "/api/held", NULL, get_held},
    {"GET", "/api/reference", NULL, get_reference},
    {"GET", "/api/search", NULL, get_search},
    {"GET", "/api/duplicates", NULL, get_duplicates},
    {"GET", "/api/who-saw/*", NULL, get_who_saw},
    {"GET", "/api/explain/*", NULL, get_explain},
    {"GET", "/api/preview/share/", NULL, get_preview_share},
    {"GET", "/api/preview/unshare/", NULL, get_preview_unshare},
    {"GET", "/api/audit", NULL, get_audit},
    {"GET", "/api/audit.csv", NULL, get_audit_csv},
    {"GET", "/api/performance", NULL, get_performance},
    {"GET", "/api/performance.csv", NULL, get_performance_csv},
    {NULL, NULL, NULL, NULL},
};
