/* How a MASH does: the counts, from what was read of each case (node/look_performance.h). */
#include "node/look_performance.h"

#include <stdlib.h>
#include <string.h>

#define GROUPS_MAX 60 /* of one list: codes are fewer; what people wrote freely may be any number */

static const char *const rag_words[PERF_RAGS] = {NULL, "blue", "green", "amber", "red"};

/* --------------------------------------------------------------------------------------------------- numbers */
static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* The middle one, of an even number the mean of the two; null of none. Sorts them. */
static void put_median(struct json *o, const char *key, int64_t *v, size_t n)
{
    if (n == 0) {
        json_set_null(o, key);
        return;
    }
    qsort(v, n, sizeof v[0], by_value);
    json_set_int(o, key, n % 2 == 1 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2);
}

static void put_share(struct json *o, const char *key, uint64_t part, uint64_t of)
{
    if (of == 0)
        json_set_null(o, key);
    else
        json_set_real(o, key, (double)part / (double)of);
}

/* ---------------------------------------------------------------------------------------------------- groups */
typedef struct perf_text (*field_fn)(const struct perf_case *c);
static struct perf_text source_of(const struct perf_case *c)
{
    return c->source;
}
static struct perf_text need_of(const struct perf_case *c)
{
    return c->need;
}
static struct perf_text issue_of(const struct perf_case *c)
{
    return c->issue;
}
static struct perf_text outcome_of(const struct perf_case *c)
{
    return c->outcome;
}

static int by_text(const void *a, const void *b, void *ctx)
{
    const struct perf_text *x = a, *y = b;
    if (x->n == PERF_NONE || y->n == PERF_NONE) return (x->n == PERF_NONE) - (y->n == PERF_NONE);
    return bytes_compare(perf_bytes(ctx, *x), perf_bytes(ctx, *y));
}

struct group {
    struct perf_text text;
    int64_t cases;
};
static int by_size(const void *a, const void *b)
{
    const struct group *x = a, *y = b;
    if (x->cases != y->cases) return x->cases > y->cases ? -1 : 1;
    return x->text.at < y->text.at ? -1 : x->text.at > y->text.at;
}

static enum err put_label(struct perf *p, struct json *o, const char *list, struct perf_text code, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    if (code.n == PERF_NONE) {
        json_set_str(o, "label", "Not recorded");
        return ERR_OK;
    }
    json_set_text(o, "label", perf_bytes(p, code));
    enum err e = db_prepare(p->n->db, "SELECT label FROM code_list WHERE list = $1 AND code = $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, list);
    db_bind_text(s, 2, perf_bytes(p, code));
    e = db_step(s, &row, why);
    if (e == ERR_OK && row && !db_is_null(s, 0)) json_set_text(o, "label", db_bytes(s, 0));
    db_done(s);
    return e;
}

static enum err put_groups(struct perf *p, const char *list, const struct group *groups, size_t n, struct json *out,
                           struct why *why)
{
    enum err e = ERR_OK;
    int64_t rest = 0;
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        if (i >= GROUPS_MAX) {
            rest += groups[i].cases;
            continue;
        }
        struct json *o = json_object_new();
        json_set_null(o, "code");
        if (groups[i].text.n != PERF_NONE) json_set_text(o, "code", perf_bytes(p, groups[i].text));
        e = put_label(p, o, list, groups[i].text, why);
        json_set_int(o, "cases", groups[i].cases);
        json_append(out, o);
    }
    if (rest == 0) return e;
    struct json *o = json_object_new();
    json_set_null(o, "code");
    json_set_str(o, "label", "All others");
    json_set_int(o, "cases", rest);
    json_append(out, o);
    return e;
}

/* [{code, label, cases}], the most cases first. */
static enum err put_by(struct perf *p, struct json *o, const char *key, const char *list, field_fn field,
                       struct why *why)
{
    struct perf_text *texts = calloc(p->n_cases + 1, sizeof *texts);
    struct group *groups = calloc(p->n_cases + 1, sizeof *groups);
    struct json *out = json_array_new();
    size_t n = 0, n_groups = 0;
    enum err e = texts == NULL || groups == NULL ? perf_no_memory(why) : ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < p->n_cases; i++)
        if (p->cases[i].counted) texts[n++] = field(&p->cases[i]);
    if (e == ERR_OK && n > 0) qsort_r(texts, n, sizeof texts[0], by_text, p);
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        if (i == 0 || by_text(&texts[i - 1], &texts[i], p) != 0) groups[n_groups++].text = texts[i];
        groups[n_groups - 1].cases++;
    }
    if (e == ERR_OK && n_groups > 0) qsort(groups, n_groups, sizeof groups[0], by_size);
    if (e == ERR_OK) e = put_groups(p, list, groups, n_groups, out, why);
    free(texts);
    free(groups);
    json_set_obj(o, key, out);
    return e;
}

static void put_by_rating(const struct perf *p, struct json *o)
{
    int64_t cases[PERF_RAGS][PERF_RAGS] = {{0}};
    struct json *out = json_array_new();
    for (size_t i = 0; i < p->n_cases; i++)
        if (p->cases[i].counted) cases[p->cases[i].before][p->cases[i].after]++;
    for (int b = PERF_RED; b >= PERF_UNRATED; b--)
        for (int a = PERF_RED; a >= PERF_UNRATED; a--) {
            if (cases[b][a] == 0) continue;
            struct json *cell = json_object_new();
            json_set_str(cell, "before", rag_words[b]);
            json_set_str(cell, "after", rag_words[a]);
            json_set_int(cell, "cases", cases[b][a]);
            json_append(out, cell);
        }
    json_set_obj(o, "by_rating", out);
}

/* ------------------------------------------------------------------------------------------------------ times */
/* Of the cases that were rated so at first. `share`: of those that were decided or whose time is over. */
static enum err put_times(const struct perf *p, struct json *o, struct why *why)
{
    int64_t *minutes = calloc(p->n_cases + 1, sizeof *minutes);
    struct json *out = json_array_new(), *red = json_object_new();
    if (minutes == NULL) {
        json_free(out);
        json_free(red);
        return perf_no_memory(why);
    }
    for (int rag = PERF_RED; rag > PERF_UNRATED; rag--) {
        uint64_t cases = 0, within = 0, judged = 0;
        size_t n = 0;
        for (size_t i = 0; i < p->n_cases; i++) {
            const struct perf_case *c = &p->cases[i];
            if (!c->counted || (int)c->before != rag) continue;
            cases++;
            within += c->time == PERF_WITHIN;
            judged += c->time != PERF_NOT_DUE;
            if (c->decided_at != 0 && c->received_at != 0) minutes[n++] = c->minutes;
        }
        struct json *t = json_object_new();
        json_set_str(t, "rag", rag_words[rag]);
        json_set_int(t, "cases", (int64_t)cases);
        put_median(t, "median_minutes", minutes, n);
        json_set_int(t, "within", (int64_t)within);
        put_share(t, "share", within, judged);
        json_append(out, t);
        if (rag != PERF_RED) continue;
        json_set_int(red, "cases", (int64_t)judged);
        json_set_int(red, "within", (int64_t)within);
        put_share(red, "share", within, judged);
    }
    free(minutes);
    json_set_obj(o, "times", out);
    json_set_obj(o, "red_in_time", red);
    return ERR_OK;
}

static void put_again(const struct perf *p, struct json *o)
{
    int64_t cases = 0, of = 0;
    struct json *out = json_object_new();
    for (size_t i = 0; i < p->n_cases; i++) {
        of += p->cases[i].counted;
        cases += p->cases[i].counted && p->cases[i].again;
    }
    json_set_int(out, "cases", cases);
    json_set_int(out, "of", of);
    json_set_int(o, "cases", of);
    json_set_obj(o, "re_referrals", out);
}

/* --------------------------------------------------------------------------------------------------- partners */
static int by_agency(const void *a, const void *b, void *ctx)
{
    return by_text(&((const struct perf_request *)a)->agency, &((const struct perf_request *)b)->agency, ctx);
}

/* One agency's requests, next to each other. What nobody can call late yet is not in the share. */
static enum err put_partner(struct perf *p, const struct perf_request *r, size_t n, int64_t *minutes, struct json *out,
                            struct why *why)
{
    struct json *o = json_object_new();
    uint64_t answered = 0, declined = 0, late = 0, in_time = 0;
    size_t timed = 0;
    for (size_t i = 0; i < n; i++) {
        answered += r[i].answered;
        declined += r[i].declined;
        late += r[i].late;
        in_time += (r[i].answered || r[i].declined) && !r[i].late;
        if (r[i].minutes >= 0) minutes[timed++] = r[i].minutes;
    }
    enum err e = look_set_agency(p->n, o, "agency", perf_bytes(p, r[0].agency), why);
    json_set_int(o, "asked", (int64_t)n);
    json_set_int(o, "answered", (int64_t)answered);
    json_set_int(o, "declined", (int64_t)declined);
    json_set_int(o, "late", (int64_t)late);
    put_median(o, "median_minutes", minutes, timed);
    put_share(o, "share_in_time", in_time, in_time + late);
    json_append(out, o);
    return e;
}

static enum err put_partners(struct perf *p, struct json *o, struct why *why)
{
    int64_t *minutes = calloc(p->n_requests + 1, sizeof *minutes);
    struct json *out = json_array_new();
    enum err e = minutes == NULL ? perf_no_memory(why) : ERR_OK;
    if (p->n_requests > 0) qsort_r(p->requests, p->n_requests, sizeof p->requests[0], by_agency, p);
    for (size_t from = 0, to = 0; e == ERR_OK && from < p->n_requests; from = to) {
        while (to < p->n_requests && by_agency(&p->requests[from], &p->requests[to], p) == 0) to++;
        e = put_partner(p, &p->requests[from], to - from, minutes, out, why);
    }
    free(minutes);
    json_set_obj(o, "partners", out);
    return e;
}

/* ------------------------------------------------------------------------------------------------------- rows */
static void put_text(const struct perf *p, struct json *o, const char *key, struct perf_text t)
{
    if (t.n == PERF_NONE)
        json_set_null(o, key);
    else
        json_set_text(o, key, perf_bytes(p, t));
}

static struct json *row_of(const struct perf *p, const struct perf_case *c)
{
    struct json *o = json_object_new();
    look_set_id(o, "case_id", c->id);
    put_text(p, o, "reference", c->reference);
    put_text(p, o, "area", c->area);
    put_text(p, o, "subject_kind", c->subject_kind);
    look_set_time(o, "received_at", c->received_at);
    put_text(p, o, "source", c->source);
    put_text(p, o, "need", c->need);
    put_text(p, o, "issue", c->issue);
    json_set_str(o, "rating_before", rag_words[c->before]);
    json_set_str(o, "rating_after", rag_words[c->after]);
    put_text(p, o, "outcome", c->outcome);
    look_set_time(o, "decided_at", c->decided_at);
    if (c->decided_at != 0 && c->received_at != 0)
        json_set_int(o, "minutes", c->minutes);
    else
        json_set_null(o, "minutes");
    if (c->time == PERF_NOT_DUE)
        json_set_null(o, "in_time");
    else
        json_set_bool(o, "in_time", c->time == PERF_WITHIN);
    json_set_bool(o, "re_referral", c->again);
    json_set_int(o, "asked", c->asked);
    json_set_int(o, "answered", c->answered);
    json_set_int(o, "declined", c->declined);
    json_set_int(o, "late", c->late);
    return o;
}

static int newest_first(const void *a, const void *b)
{
    const struct perf_case *x = *(const struct perf_case *const *)a, *y = *(const struct perf_case *const *)b;
    if (x->received_at != y->received_at) return x->received_at > y->received_at ? -1 : 1;
    return memcmp(x->id, y->id, sizeof x->id);
}

static enum err put_rows(const struct perf *p, size_t limit, struct json *o, struct why *why)
{
    const struct perf_case **order = calloc(p->n_cases + 1, sizeof(const struct perf_case *));
    struct json *out = json_array_new();
    size_t n = 0;
    for (size_t i = 0; order != NULL && i < p->n_cases; i++)
        if (p->cases[i].counted) order[n++] = &p->cases[i];
    if (n > 0) qsort(order, n, sizeof order[0], newest_first);
    for (size_t i = 0; i < n && i < limit; i++) json_append(out, row_of(p, order[i]));
    json_set_obj(o, "rows", out);
    if (order == NULL) return perf_no_memory(why);
    free(order);
    return ERR_OK;
}

/* -------------------------------------------------------------------------------------------------------- all */
static enum err count(struct perf *p, size_t limit, struct json *o, struct why *why)
{
    enum err e = perf_read(p, why);
    if (e != ERR_OK) return e;
    look_set_time(o, "from", p->ask->from);
    look_set_time(o, "to", p->ask->to);
    json_set_str(o, "area", p->ask->area);
    put_again(p, o);
    e = put_by(p, o, "by_source", "referral_source", source_of, why);
    if (e == ERR_OK) e = put_by(p, o, "by_need", "primary_need", need_of, why);
    if (e == ERR_OK) e = put_by(p, o, "by_issue", "presenting_issue", issue_of, why);
    if (e == ERR_OK) e = put_by(p, o, "by_outcome", "referral_outcome", outcome_of, why);
    put_by_rating(p, o);
    if (e == ERR_OK) e = put_times(p, o, why);
    if (e == ERR_OK) e = put_partners(p, o, why);
    return e == ERR_OK ? put_rows(p, limit, o, why) : e;
}

enum err look_performance_up_to(struct node *n, const struct look_performance *ask, size_t limit, struct json **out,
                                struct why *why)
{
    struct perf p = {.n = n, .ask = ask, .now = env_now(n->env)};
    struct json *o = json_object_new();
    enum err e = count(&p, limit, o, why);
    perf_release(&p);
    *out = NULL;
    if (e == ERR_OK && o == NULL) e = perf_no_memory(why);
    if (e == ERR_OK)
        *out = o;
    else
        json_free(o);
    return e;
}

enum err look_performance(struct node *n, const struct look_performance *ask, struct json **out, struct why *why)
{
    return look_performance_up_to(n, ask, LOOK_LIST_MAX, out, why);
}
