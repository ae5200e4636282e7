/* What the agencies think of a case's rating: whose graver one disputes it, until that is decided. */
#include "node/act_work.h"
#include "node/look_state_internal.h"

#include <stdlib.h>
#include <string.h>

#define RATINGS_MAX 4000000u

/* --------------------------------------------------------------------------------------------------- disputes */
/* One about the rating; those of a case are a chain. `named`: its decision says by a row which rating it was about. */
struct dispute {
    uint8_t id[16];
    uint32_t agency; /* a number */
    uint32_t next;   /* place + 1 of another one of the case; 0: none */
    bool open, named;
    int64_t at; /* when it was decided */
};

static enum err read_disputes(struct gather *g, struct stmt *s, struct why *why)
{
    size_t cap = 0;
    bool row = false;
    enum err e;
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        struct look_state *c = look_state_find(g, s, 0);
        if (c == NULL) continue;
        struct dispute d = {
            .next = c->disputes, .open = db_int(s, 3) != 0, .at = db_int(s, 4), .named = db_int(s, 5) != 0};
        (void)db_id(s, 1, d.id);
        e = look_state_agency(&g->agencies, db_bytes(s, 2), &d.agency, why);
        if (e == ERR_OK) e = look_state_grow((void **)&g->disputes, &cap, g->n_disputes, RATINGS_MAX, sizeof d, why);
        if (e != ERR_OK) break;
        g->disputes[g->n_disputes++] = d;
        c->disputes = (uint32_t)g->n_disputes;
        c->disputed = c->disputed || d.open;
    }
    return e;
}

enum err look_state_disputes(struct gather *g, struct why *why)
{
#define DISPUTES                                                                                                       \
    "SELECT d.case_id, d.id, d.agency, coalesce(d.state, 'open') = 'open', d.decided_at, EXISTS (SELECT 1"             \
    " FROM rating k WHERE k.case_id = d.case_id AND k.author = d.decided_by AND k.rated_at = d.decided_at"             \
    " AND k.voided_at IS NULL AND substr(hex(k.id), 13, 1) = '8') FROM challenge d WHERE d.voided_at IS NULL"          \
    " AND d.about IN ('rating', 'rating:manager', 'rating:settled')"
    const uint8_t *one = g->ask->case_id;
    struct stmt *s = NULL;
    enum err e = db_prepare(g->n->db, one != NULL ? DISPUTES " AND d.case_id = $1" : DISPUTES, &s, why);
    if (e != ERR_OK) return e;
    if (one != NULL) db_bind_id(s, 1, one);
    e = read_disputes(g, s, why);
    db_done(s);
    return e;
}

/* ---------------------------------------------------------------------------------------------------- ratings */
/* Only what an agency says now counts: its newest rating. Those of a case are a chain. */
struct said {
    uint32_t agency; /* a number */
    uint32_t next;   /* place + 1 of another one of the case; 0: none */
    enum look_rag rag;
    int64_t at;
};
struct ratings {
    struct said *list;
    size_t n, cap;
};

static enum err read_ratings(struct gather *g, struct stmt *s, struct ratings *r, struct why *why)
{
    bool row = false;
    enum err e;
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        struct look_state *c = look_state_find(g, s, 0);
        if (c == NULL) continue;
        struct said said = {.next = c->ratings, .rag = look_rag(db_bytes(s, 2)), .at = db_int(s, 3)};
        e = look_state_agency(&g->agencies, db_bytes(s, 1), &said.agency, why);
        if (e == ERR_OK) e = look_state_grow((void **)&r->list, &r->cap, r->n, RATINGS_MAX, sizeof *r->list, why);
        if (e != ERR_OK) break;
        r->list[r->n++] = said;
        c->ratings = (uint32_t)r->n;
    }
    return e;
}

/* The newest of each agency in the case that is weighed; `of`: which case that was, + 1. */
struct newest {
    size_t of;
    int64_t at;
};

static void find_newest(const struct ratings *r, const struct look_state *c, size_t of, struct newest *newest)
{
    for (uint32_t i = c->ratings; i != 0; i = r->list[i - 1].next) {
        const struct said *said = &r->list[i - 1];
        struct newest *n = &newest[said->agency];
        if (n->of != of || said->at > n->at) *n = (struct newest){of, said->at};
    }
}

/* ------------------------------------------------------------------------------------- what is decided of them */
/* Its id is asked for only where somebody decided: the board's own question has it not (n_rating_now). */
static enum err id_of(const struct gather *g, const struct look_state *c, const struct said *said, uint8_t out[16],
                      struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(g->n->db,
                            "SELECT id FROM rating WHERE case_id = $1 AND agency = $2 AND rag = $3 AND rated_at IS $4"
                            " AND voided_at IS NULL AND stage IS NOT NULL ORDER BY id DESC",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, c->id);
    db_bind_text(s, 2, bytes_of(g->agencies.code[said->agency], strnlen(g->agencies.code[said->agency], 64)));
    db_bind_str(s, 3, look_rag_word(said->rag));
    if (said->at != 0)
        db_bind_int(s, 4, said->at);
    else
        db_bind_null(s, 4);
    e = db_step(s, &row, why);
    if (e == ERR_OK && (!row || !db_id(s, 0, out))) memset(out, 0, 16);
    db_done(s);
    return e;
}

/* Did the decision have this rating before it? It says so by a row (act_settled_id); where it has none, or none that
 * may be seen here, by the clocks: not later than now, lest one that is ahead silence all that comes until then. */
static enum err had_seen(const struct gather *g, const struct dispute *d, const struct said *said,
                         const uint8_t rating[16], bool *out, struct why *why)
{
    uint8_t id[16];
    struct stmt *s = NULL;
    *out = !d->named && d->agency == said->agency && said->at <= (d->at < g->now ? d->at : g->now);
    if (!d->named) return ERR_OK;
    act_settled_id(id, d->id, rating);
    enum err e = db_prepare(g->n->db,
                            "SELECT 1 FROM rating k JOIN challenge d ON d.id = $2 WHERE k.id = $1"
                            " AND k.author = d.decided_by AND k.rated_at = d.decided_at AND k.voided_at IS NULL",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, id);
    db_bind_id(s, 2, d->id);
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

static enum err is_settled(const struct gather *g, const struct look_state *c, const struct said *said, bool *out,
                           struct why *why)
{
    uint8_t rating[16] = {0};
    bool own = false; /* it waits under a dispute of its agency */
    enum err e = ERR_OK;
    *out = false;
    if (c->disputes != 0 || g->ask->lone != NULL) e = id_of(g, c, said, rating, why);
    for (uint32_t i = c->disputes; i != 0 && e == ERR_OK; i = g->disputes[i - 1].next) {
        const struct dispute *d = &g->disputes[i - 1];
        if (d->open)
            own = own || d->agency == said->agency;
        else if (!*out)
            e = had_seen(g, d, said, rating, out, why);
    }
    if (own) *out = false;
    if (e == ERR_OK && !own && !*out && g->ask->lone != NULL) buf_put(g->ask->lone, rating, sizeof rating);
    return e;
}

/* After the disputes. The lead agency's rating is the case's. */
static enum err weigh(const struct gather *g, const struct ratings *r, const struct newest *newest,
                      struct look_state *c, struct why *why)
{
    enum err e = ERR_OK;
    for (uint32_t i = c->ratings; i != 0 && e == ERR_OK; i = r->list[i - 1].next) {
        const struct said *said = &r->list[i - 1];
        bool settled = false;
        if (said->rag <= c->rag || said->agency == c->lead || said->at < newest[said->agency].at) continue;
        e = is_settled(g, c, said, &settled, why);
        if (e != ERR_OK || settled) continue;
        c->disputed = true;
        if (said->rag > c->shown) c->shown = said->rag;
    }
    return e;
}

static enum err weigh_all(const struct gather *g, const struct ratings *r, struct why *why)
{
    struct newest *newest = calloc(g->agencies.n + 1, sizeof *newest);
    if (newest == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory for the board.");
    enum err e = ERR_OK;
    for (size_t i = 0; i < g->all->n && e == ERR_OK; i++) {
        if (g->all->list[i].ratings == 0) continue;
        find_newest(r, &g->all->list[i], i + 1, newest);
        e = weigh(g, r, newest, &g->all->list[i], why);
    }
    free(newest);
    return e;
}

enum err look_state_ratings(struct gather *g, struct why *why)
{
#define RATINGS "SELECT case_id, agency, rag, rated_at FROM rating WHERE voided_at IS NULL AND stage IS NOT NULL"
    const uint8_t *one = g->ask->case_id;
    struct ratings r = {0};
    struct stmt *s = NULL;
    enum err e = db_prepare(g->n->db, one != NULL ? RATINGS " AND case_id = $1" : RATINGS, &s, why);
    if (e != ERR_OK) return e;
    if (one != NULL) db_bind_id(s, 1, one);
    e = read_ratings(g, s, &r, why);
    db_done(s);
    if (e == ERR_OK) e = weigh_all(g, &r, why);
    free(r.list);
    return e;
}
