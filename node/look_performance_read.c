/* The cases, and what is known of each: every table is read once, whole. */
#include "node/look_performance.h"

#include <stdlib.h>
#include <string.h>

#define TEXTS_MAX (64u << 20) /* bytes of codes, references, areas */

enum err perf_no_memory(struct why *why)
{
    return why_set(why, ERR_NOMEM, "There is not enough memory to count so many cases.");
}

void perf_release(struct perf *p)
{
    free(p->cases);
    free(p->requests);
    buf_release(&p->texts);
}

struct bytes perf_bytes(const struct perf *p, struct perf_text t)
{
    return t.n == PERF_NONE ? bytes_of(NULL, 0) : bytes_of(p->texts.data + t.at, t.n);
}

struct perf_text perf_keep(struct perf *p, struct stmt *s, int column)
{
    struct bytes b = db_bytes(s, column);
    struct perf_text t = {.at = (uint32_t)p->texts.len, .n = (uint32_t)b.n};
    if (db_is_null(s, column) || b.n == 0) return (struct perf_text){.n = PERF_NONE};
    buf_put_bytes(&p->texts, b);
    return p->texts.err == ERR_OK ? t : (struct perf_text){.n = PERF_NONE}; /* perf_read says so in the end */
}

static int by_id(const void *a, const void *b)
{
    return memcmp(((const struct perf_case *)a)->id, ((const struct perf_case *)b)->id, 16);
}

struct perf_case *perf_find(const struct perf *p, const uint8_t id[16])
{
    struct perf_case key;
    memcpy(key.id, id, sizeof key.id);
    return p->n_cases == 0 ? NULL : bsearch(&key, p->cases, p->n_cases, sizeof key, by_id);
}

static enum perf_rag rag_of(struct bytes word)
{
    static const char *const words[PERF_RAGS] = {"", "blue", "green", "amber", "red"};
    for (int i = 1; i < PERF_RAGS; i++)
        if (bytes_equal(word, bytes_of_str(words[i]))) return (enum perf_rag)i;
    return PERF_UNRATED;
}

/* ------------------------------------------------------------------------------------------------------ cases */
static bool counts(const struct perf *p, const struct perf_case *c)
{
    struct bytes area = perf_bytes(p, c->area);
    if (p->ask->area != NULL && !bytes_equal(area, bytes_of_str(p->ask->area))) return false;
    if (p->ask->from != 0 && (c->received_at == 0 || c->received_at < p->ask->from)) return false;
    return p->ask->to == 0 || (c->received_at != 0 && c->received_at < p->ask->to);
}

static enum err take_case(struct perf *p, struct stmt *s, struct why *why)
{
    if (p->n_cases == p->cap_cases) {
        size_t cap = p->cap_cases == 0 ? 1024 : p->cap_cases * 2;
        struct perf_case *grown = reallocarray(p->cases, cap, sizeof *grown);
        if (grown == NULL) return perf_no_memory(why);
        p->cases = grown;
        p->cap_cases = cap;
    }
    struct perf_case *c = &p->cases[p->n_cases];
    *c = (struct perf_case){.rated_at = INT64_MAX,
                            .referred_at = INT64_MAX,
                            .reference = perf_keep(p, s, 1),
                            .area = perf_keep(p, s, 2),
                            .subject_kind = perf_keep(p, s, 3),
                            .before = rag_of(db_bytes(s, 4)),
                            .received_at = db_int(s, 5),
                            .source = {.n = PERF_NONE},
                            .need = {.n = PERF_NONE},
                            .issue = {.n = PERF_NONE},
                            .outcome = {.n = PERF_NONE}};
    if (!db_id(s, 0, c->id)) return ERR_OK;
    c->after = c->before; /* as it stands; the first rating's, once that is read, is the one before */
    c->counted = counts(p, c);
    p->n_cases++;
    return ERR_OK;
}

/* Every row of a question; `take` gets the case that its first column names, where that is one of ours. */
typedef enum err (*take_fn)(struct perf *p, struct perf_case *c, struct stmt *s, struct why *why);
static enum err each_of_case(struct perf *p, const char *sql, take_fn take, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(p->n->db, sql, &s, why);
    while (e == ERR_OK && (e = db_step(s, &row, why)) == ERR_OK && row) {
        uint8_t id[16];
        struct perf_case *c = db_id(s, 0, id) ? perf_find(p, id) : NULL;
        if (c != NULL && c->counted) e = take(p, c, s, why);
    }
    db_done(s);
    return e;
}

static enum err read_cases(struct perf *p, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(
        p->n->db, "SELECT id, reference, area, subject_kind, rag, received_at FROM case_file WHERE voided_at IS NULL",
        &s, why);
    while (e == ERR_OK && (e = db_step(s, &row, why)) == ERR_OK && row) e = take_case(p, s, why);
    db_done(s);
    if (e == ERR_OK && p->n_cases > 0) qsort(p->cases, p->n_cases, sizeof p->cases[0], by_id);
    return e;
}

static enum err take_brief(struct perf *p, struct perf_case *c, struct stmt *s, struct why *why)
{
    (void)why;
    c->need = perf_keep(p, s, 1);
    c->issue = perf_keep(p, s, 2);
    c->outcome = perf_keep(p, s, 3);
    c->decided_at = db_int(s, 4);
    return ERR_OK;
}

/* The first referral says who referred. */
static enum err take_referral(struct perf *p, struct perf_case *c, struct stmt *s, struct why *why)
{
    int64_t at = db_is_null(s, 2) ? INT64_MAX - 1 : db_int(s, 2);
    (void)why;
    if (db_is_null(s, 1) || at >= c->referred_at) return ERR_OK;
    c->referred_at = at;
    c->source = perf_keep(p, s, 1);
    return ERR_OK;
}

/* The first rating; what a dispute was decided with rates nothing (node/act_work.h). */
static enum err take_rating(struct perf *p, struct perf_case *c, struct stmt *s, struct why *why)
{
    int64_t at = db_is_null(s, 2) ? INT64_MAX - 1 : db_int(s, 2);
    enum perf_rag rag = rag_of(db_bytes(s, 1));
    (void)p;
    (void)why;
    if (rag == PERF_UNRATED || at >= c->rated_at) return ERR_OK;
    c->rated_at = at;
    c->before = rag;
    return ERR_OK;
}

/* --------------------------------------------------------------------------------------------------- requests */
static enum err take_request(struct perf *p, struct perf_case *c, struct stmt *s, struct why *why)
{
    uint8_t id[16];
    struct bytes state = db_bytes(s, 3);
    bool has_id = db_id(s, 1, id);
    int64_t asked = has_id ? look_id_time(id) : 0, done = db_int(s, 6), due = db_int(s, 5);
    if (bytes_equal(state, bytes_of_str("cancelled"))) return ERR_OK; /* nobody waits for it */
    if (p->n_requests == p->cap_requests) {
        size_t cap = p->cap_requests == 0 ? 1024 : p->cap_requests * 2;
        struct perf_request *grown = reallocarray(p->requests, cap, sizeof *grown);
        if (grown == NULL) return perf_no_memory(why);
        p->requests = grown;
        p->cap_requests = cap;
    }
    struct perf_request *r = &p->requests[p->n_requests++];
    *r = (struct perf_request){.agency = perf_keep(p, s, 2),
                               .answered = bytes_equal(state, bytes_of_str("answered")),
                               .declined = bytes_equal(state, bytes_of_str("declined")),
                               .minutes = -1};
    if (asked == 0 || (!db_is_null(s, 4) && asked > db_int(s, 4))) asked = db_int(s, 4);
    bool replied = r->answered || r->declined;
    if (replied && asked > 0 && done >= asked) r->minutes = (done - asked) / 60000;
    r->late = due != 0 && (replied ? done > due : p->now > due);
    c->asked++;
    c->answered += r->answered;
    c->declined += r->declined;
    c->late += r->late;
    return ERR_OK;
}

/* ----------------------------------------------------------------------------------------------- time taken */
struct scales {
    struct look_calendar *calendar;
    struct {
        bool known;
        struct look_scale scale;
    } of[PERF_RAGS][3]; /* child, adult, neither */
};

static enum err scale_of(struct perf *p, struct scales *k, const struct perf_case *c, struct look_scale *out,
                         struct why *why)
{
    static const char *const rags[PERF_RAGS] = {NULL, "blue", "green", "amber", "red"};
    static const char *const kinds[] = {"child", "adult", NULL};
    size_t kind = 0;
    *out = (struct look_scale){0};
    if (c->before == PERF_UNRATED) return ERR_OK;
    while (kinds[kind] != NULL && !bytes_equal(perf_bytes(p, c->subject_kind), bytes_of_str(kinds[kind]))) kind++;
    enum err e = ERR_OK;
    if (!k->of[c->before][kind].known)
        e = look_scale(p->n, rags[c->before], "decision", kinds[kind], &k->of[c->before][kind].scale, why);
    k->of[c->before][kind].known = e == ERR_OK;
    *out = k->of[c->before][kind].scale;
    return e;
}

static enum err take_times(struct perf *p, struct why *why)
{
    struct scales k = {0};
    enum err e = look_calendar_new(p->n, &k.calendar, why);
    for (size_t i = 0; i < p->n_cases && e == ERR_OK; i++) {
        struct perf_case *c = &p->cases[i];
        struct look_scale scale;
        if (c->decided_at == 0) c->after = PERF_UNRATED; /* no rating is one after a decision yet */
        if (!c->counted || c->received_at == 0) continue;
        e = scale_of(p, &k, c, &scale, why);
        if (e != ERR_OK) break;
        if (c->decided_at != 0)
            c->minutes = look_calendar_minutes(k.calendar, c->received_at, c->decided_at, scale.working);
        if (scale.minutes == 0) continue;
        int64_t due = look_calendar_due(k.calendar, c->received_at, scale.minutes, scale.working);
        if (c->decided_at != 0)
            c->time = c->decided_at <= due ? PERF_WITHIN : PERF_LATE;
        else
            c->time = p->now > due ? PERF_LATE : PERF_NOT_DUE;
    }
    look_calendar_free(k.calendar);
    return e;
}

enum err perf_read(struct perf *p, struct why *why)
{
    buf_init(&p->texts, TEXTS_MAX);
    enum err e = read_cases(p, why);
    if (e == ERR_OK)
        e = each_of_case(p,
                         "SELECT case_id, primary_need, presenting_issue, outcome, decided_at FROM brief WHERE"
                         " voided_at IS NULL",
                         take_brief, why);
    if (e == ERR_OK)
        e = each_of_case(p, "SELECT case_id, source, received_at FROM referral WHERE voided_at IS NULL", take_referral,
                         why);
    if (e == ERR_OK)
        e = each_of_case(p, "SELECT case_id, rag, rated_at FROM rating WHERE voided_at IS NULL AND stage IS NOT NULL",
                         take_rating, why);
    if (e == ERR_OK)
        e = each_of_case(p,
                         "SELECT case_id, id, to_agency, state, asked_at, due_at, answered_at FROM request WHERE"
                         " voided_at IS NULL",
                         take_request, why);
    if (e == ERR_OK) e = take_times(p, why);
    if (e == ERR_OK) e = perf_again(p, why);
    return e == ERR_OK && p->texts.err != ERR_OK ? perf_no_memory(why) : e;
}
