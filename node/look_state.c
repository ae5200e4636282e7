/* How all cases stand, from a few questions to the whole replica: one a card and fact would be thousands. */
#include "node/look_state_internal.h"

#include <stdlib.h>
#include <string.h>

#define CASES_MAX    1000000u
#define AGENCIES_MAX 100000u

/* ------------------------------------------------------------------------------------------------------ words */
static const char *const rag_words[] = {NULL, "blue", "green", "amber", "red"};
static const char *const status_words[] = {"new", "gathering", "ready", "decided", "closed"};
static const char *const due_words[] = {NULL, "reply", "meeting", "decision"};

static size_t word_at(const char *const *words, size_t from, size_t n, struct bytes word)
{
    for (size_t i = from; i < n; i++)
        if (bytes_equal(word, bytes_of_str(words[i]))) return i;
    return 0;
}

enum look_rag look_rag(struct bytes word)
{
    return (enum look_rag)word_at(rag_words, 1, RAG_RED + 1, word);
}

const char *look_rag_word(enum look_rag r)
{
    return rag_words[r];
}

const char *look_status_word(enum look_status s)
{
    return status_words[s];
}

const char *look_due_word(enum look_due d)
{
    return due_words[d];
}

/* ------------------------------------------------------------------------------------------------------ times */
enum err look_times_new(struct node *n, struct look_times *out, struct why *why)
{
    static const char *const subjects[] = {"child", "adult"};
    *out = (struct look_times){.now = env_now(n->env)};
    enum err e = look_calendar_new(n, &out->calendar, why);
    for (int rag = RAG_BLUE; rag <= RAG_RED; rag++)
        for (int due = DUE_REPLY; due < DUES; due++)
            for (int adult = 0; adult < 2 && e == ERR_OK; adult++)
                e = look_scale(n, rag_words[rag], due_words[due], subjects[adult], &out->scale[rag][due][adult], why);
    if (e != ERR_OK) look_times_free(out);
    return e;
}

void look_times_free(struct look_times *t)
{
    look_calendar_free(t->calendar);
    t->calendar = NULL;
}

/* -------------------------------------------------------------------------------------------------- growing lists */
enum err look_state_grow(void **list, size_t *cap, size_t n, size_t max, size_t each, struct why *why)
{
    if (n < *cap) return ERR_OK;
    size_t cap_new = *cap != 0 ? *cap * 2 : 256;
    if (n >= max) return why_set(why, ERR_LIMIT, "There are more cases on this device than a board can show.");
    void *p = realloc(*list, cap_new * each);
    if (p == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory for the board.");
    *list = p;
    *cap = cap_new;
    return ERR_OK;
}

enum err look_state_agency(struct agencies *a, struct bytes code, uint32_t *out, struct why *why)
{
    char text[64] = {0};
    if (code.n != 0) memcpy(text, code.p, code.n < sizeof text ? code.n : sizeof text);
    for (size_t i = 0; i < a->n; i++)
        if (memcmp(a->code[i], text, sizeof text) == 0) {
            *out = (uint32_t)i;
            return ERR_OK;
        }
    enum err e = look_state_grow((void **)&a->code, &a->cap, a->n, AGENCIES_MAX, sizeof *a->code, why);
    if (e != ERR_OK) return e;
    *out = (uint32_t)a->n;
    memcpy(a->code[a->n++], text, sizeof text);
    return ERR_OK;
}

/* ------------------------------------------------------------------------------------------------ all the cases */
static size_t slot_of(const struct lookup *l, const uint8_t id[16])
{
    return (size_t)hash_keyed8(l->secret, bytes_of(id, 16)) & l->mask;
}

static enum err lookup_new(struct lookup *l, const struct env *env, const struct look_states *all, struct why *why)
{
    size_t n = 64;
    while (n < all->n * 2) n *= 2;
    l->mask = n - 1;
    env_random(env, l->secret, sizeof l->secret);
    l->place = calloc(n, sizeof *l->place);
    if (l->place == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory for the board.");
    for (size_t i = 0; i < all->n; i++) {
        size_t at = slot_of(l, all->list[i].id);
        while (l->place[at] != 0) at = (at + 1) & l->mask;
        l->place[at] = (uint32_t)i + 1;
    }
    return ERR_OK;
}

struct look_state *look_state_find(const struct gather *g, struct stmt *s, int column)
{
    uint8_t id[16];
    if (!db_id(s, column, id)) return NULL;
    for (size_t at = slot_of(&g->lookup, id); g->lookup.place[at] != 0; at = (at + 1) & g->lookup.mask) {
        struct look_state *c = &g->all->list[g->lookup.place[at] - 1];
        if (memcmp(c->id, id, sizeof id) == 0) return c;
    }
    return NULL;
}

static void read_case(struct look_state *c, struct stmt *s)
{
    *c = (struct look_state){.status = (enum look_status)word_at(status_words, 0, STATUSES, db_bytes(s, 1)),
                             .rag = look_rag(db_bytes(s, 2)),
                             .adult = bytes_equal(db_bytes(s, 3), bytes_of_str("adult")),
                             .received_at = db_int(s, 4),
                             .set_due = db_int(s, 5),
                             .closed_at = db_int(s, 6)};
    c->shown = c->rag;
    db_id(s, 0, c->id);
}

static enum err ask_cases(struct node *n, const struct look_state_ask *ask, struct stmt **out, struct why *why)
{
#define CASES                                                                                                          \
    "SELECT id, status, rag, subject_kind, received_at, due_at, closed_at, lead_agency, agency FROM case_file"         \
    " WHERE voided_at IS NULL"
#define CHOSEN " AND ($1 IS NULL OR area = $1) AND ($2 IS NULL OR subject_kind = $2)"
    const char *sql = CASES " AND id = $1";
    if (ask->case_id == NULL && ask->closed) sql = CASES CHOSEN;
    if (ask->case_id == NULL && !ask->closed)
        sql = CASES " AND status IS NOT 'closed'" CHOSEN; /* n_case_open has it all */
    enum err e = db_prepare(n->db, sql, out, why);
    if (e != ERR_OK) return e;
    if (ask->case_id != NULL) {
        db_bind_id(*out, 1, ask->case_id);
        return ERR_OK;
    }
    db_bind_str(*out, 1, ask->area);
    db_bind_str(*out, 2, ask->subject);
    return ERR_OK;
}

static enum err load_cases(struct gather *g, struct why *why)
{
    struct look_states *all = g->all;
    struct stmt *s = NULL;
    size_t cap = 0;
    bool row = false;
    enum err e = ask_cases(g->n, g->ask, &s, why);
    if (e != ERR_OK) return e;
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        e = look_state_grow((void **)&all->list, &cap, all->n, CASES_MAX, sizeof *all->list, why);
        if (e != ERR_OK) break;
        struct look_state *c = &all->list[all->n++];
        read_case(c, s);
        c->leads = bytes_equal(db_bytes(s, 7), bytes_of_str(g->n->agency));
        c->mine = c->leads || (g->ask->opened && bytes_equal(db_bytes(s, 8), bytes_of_str(g->n->agency)));
        e = look_state_agency(&g->agencies, db_bytes(s, 7), &c->lead, why);
        if (e != ERR_OK) break;
    }
    db_done(s);
    return e == ERR_OK ? lookup_new(&g->lookup, g->n->env, all, why) : e;
}

/* -------------------------------------------------------------------------------------------- what waits in them */
/* `each` gets the rows of cases that are looked at. Where the question has them $2 is this
 * agency, $3 this person and $4 the time. */
typedef void (*each_row)(const struct gather *g, struct look_state *c, struct stmt *s);
#define BOTH(sql) sql, sql " AND case_id = $1"
static enum err gather(const struct gather *g, const char *all_sql, const char *one_sql, each_row each, struct why *why)
{
    const uint8_t *one = g->ask->case_id;
    const char *sql = one != NULL ? one_sql : all_sql;
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(g->n->db, sql, &s, why);
    if (e != ERR_OK) return e;
    if (one != NULL) db_bind_id(s, 1, one);
    if (strstr(sql, "$2") != NULL) db_bind_str(s, 2, g->n->agency);
    if (strstr(sql, "$3") != NULL) db_bind_id(s, 3, g->n->user);
    if (strstr(sql, "$4") != NULL) db_bind_int(s, 4, g->now);
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        struct look_state *c = look_state_find(g, s, 0);
        if (c != NULL) each(g, c, s);
    }
    db_done(s);
    return e;
}

static void each_question(const struct gather *g, struct look_state *c, struct stmt *s)
{
    int64_t due = db_int(s, 1);
    bool us = db_int(s, 3) != 0;
    (void)g;
    c->asked = true;
    c->to_answer += us;
    c->mine = c->mine || us;
    if (due == 0 || (c->reply_due != 0 && due >= c->reply_due)) return;
    c->reply_due = due;
    c->reply_rag = look_rag(db_bytes(s, 2));
}

/* One that is only planned has not brought anybody together. */
static void each_meeting(const struct gather *g, struct look_state *c, struct stmt *s)
{
    c->met = c->met || db_int(s, 1) <= g->now;
}

static void each_allocation(const struct gather *g, struct look_state *c, struct stmt *s)
{
    (void)g;
    (void)s;
    c->mine = true;
}

/* --------------------------------------------------------------------------------------------------- what is due */
static void set_due(struct look_state *c, enum look_due what, int64_t at, bool working, const struct look_times *t)
{
    c->due = what;
    c->due_at = at;
    c->working = working;
    c->overdue = at != 0 && at < t->now;
}

/* The meeting, once it was held the decision. */
static void find_step_due(struct look_state *c, const struct look_times *t)
{
    for (enum look_due what = c->met ? DUE_DECISION : DUE_MEETING; what < DUES; what++) {
        const struct look_scale *scale = &t->scale[c->rag][what][c->adult];
        if (scale->minutes == 0 || c->received_at == 0) continue;
        set_due(c, what, look_calendar_due(t->calendar, c->received_at, scale->minutes, scale->working), scale->working,
                t);
        return;
    }
    if (c->set_due != 0) set_due(c, DUE_DECISION, c->set_due, false, t);
}

/* What comes first: a question that has no time, or a later one than the meeting, must not hide when that is due. */
static void find_due(struct look_state *c, const struct look_times *t)
{
    if (c->status == STATUS_DECIDED || c->status == STATUS_CLOSED) return;
    find_step_due(c, t);
    if (!c->asked || (c->due_at != 0 && (c->reply_due == 0 || c->reply_due > c->due_at))) return;
    enum look_rag rag = c->reply_rag != RAG_NONE ? c->reply_rag : c->rag;
    set_due(c, DUE_REPLY, c->reply_due, t->scale[rag][DUE_REPLY][c->adult].working, t);
}

enum err look_states_new(struct node *n, const struct look_times *t, const struct look_state_ask *ask,
                         struct look_states *out, struct why *why)
{
    struct gather g = {.n = n, .ask = ask, .now = t->now, .all = out};
    *out = (struct look_states){0};
    enum err e = load_cases(&g, why);
    if (e == ERR_OK)
        e = gather(&g,
                   BOTH("SELECT case_id, due_at, rag, to_agency = $2 FROM request WHERE state = 'open'"
                        " AND voided_at IS NULL"),
                   each_question, why);
    if (e == ERR_OK)
        e = gather(&g, BOTH("SELECT case_id, held_at FROM meeting WHERE voided_at IS NULL AND held_at IS NOT NULL"),
                   each_meeting, why);
    if (e == ERR_OK) e = look_state_disputes(&g, why);
    if (e == ERR_OK && ask->allocated)
        e = gather(&g,
                   BOTH("SELECT case_id FROM allocation WHERE practitioner = $3 AND voided_at IS NULL"
                        " AND (until IS NULL OR until > $4)"),
                   each_allocation, why);
    if (e == ERR_OK) e = look_state_ratings(&g, why);
    for (size_t i = 0; e == ERR_OK && i < out->n; i++) find_due(&out->list[i], t);
    free(g.agencies.code);
    free(g.disputes);
    free(g.lookup.place);
    if (e != ERR_OK) look_states_free(out);
    return e;
}

void look_states_free(struct look_states *s)
{
    free(s->list);
    *s = (struct look_states){0};
}

void look_state_put(struct json *o, const struct look_state *s, const struct look_times *t)
{
    json_set_str(o, "shown_rag", look_rag_word(s->shown));
    json_set_bool(o, "disputed", s->disputed);
    json_set_str(o, "due_what", look_due_word(s->due));
    look_set_time(o, "due_at", s->due_at);
    json_set_bool(o, "overdue", s->overdue);
    if (s->due_at != 0)
        json_set_int(o, "minutes_left", look_calendar_minutes(t->calendar, t->now, s->due_at, s->working));
    else
        json_set_null(o, "minutes_left");
}
