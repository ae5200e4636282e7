/* Cuts that nobody can need any more: hub/STORE.md, "Cuts". Each answer with news leaves one, for ever otherwise. */
#include "hub/intake.h"
#include "hub/sight_internal.h"
#include "hub/store.h"

#include <stdlib.h>
#include <string.h>

#define DAY_MS    (24LL * 60 * 60 * 1000)
#define KEEP_DAYS 90   /* all of them */
#define MOST      500 /* taken away in one transaction: others wait meanwhile */
/* Counters: the day on which this was done last, or is being done; up to which step; which device was the last. */
#define DAY  "cuts_day"
#define UPTO "cuts_upto"
#define NODE "cuts_node"

struct thinning {
    int64_t from, to; /* steps: of cuts between the two */
    int64_t node_no, base_at, full_at;
    uint8_t cursor[16];
    uint8_t (*names)[16]; /* owned: MOST of them */
    size_t n;
    uint8_t (*bases)[16]; /* owned, sorted: upon which work was made that is held or waits, and is judged again */
    size_t n_bases, cap;
};

static int by_name(const void *a, const void *b)
{
    return memcmp(a, b, 16);
}

/* A device that somebody may rescue something from is left alone, and it gets no more of them. */
static enum err next_node(struct hub *h, struct thinning *t, bool *out_found, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db,
                            "SELECT n.no, n.base_at, n.cursor, coalesce((SELECT max(c.at) FROM h_cut c WHERE c.node_no = n.no AND c.pos_from = 0 "
                            "AND c.pos = $2), 0) FROM h_node n WHERE n.no > $1 AND n.state = 'enrolled' AND NOT EXISTS(SELECT 1 FROM h_node x "
                            "WHERE x.replaces = n.no) ORDER BY n.no LIMIT 1",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, t->node_no);
    db_bind_int(s, 2, INT64_MAX);
    e = db_step(s, out_found, why);
    if (e == ERR_OK && *out_found) {
        t->node_no = db_int(s, 0);
        t->base_at = db_int(s, 1);
        t->full_at = db_int(s, 3);
        (void)db_id(s, 2, t->cursor);
    }
    db_done(s);
    return e;
}

/* Once for all its cuts: a device may have sent very many envelopes. */
static enum err find_bases(struct hub *h, struct thinning *t, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db, "SELECT DISTINCT base_cut FROM h_envelope WHERE node_no = $1 AND verdict IN ($2, $3)", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, t->node_no);
    db_bind_int(s, 2, VERDICT_HELD);
    db_bind_int(s, 3, VERDICT_WAITS);
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        e = sight_grow(&t->bases, &t->cap, t->n_bases, sizeof *t->bases, why);
        if (e != ERR_OK) break;
        t->n_bases += db_id(s, 0, t->bases[t->n_bases]);
    }
    db_done(s);
    if (e == ERR_OK && t->n_bases > 0) qsort(t->bases, t->n_bases, sizeof *t->bases, by_name);
    return e;
}

static bool is_needed(const struct thinning *t, const uint8_t name[16])
{
    return memcmp(name, t->cursor, sizeof t->cursor) == 0 ||
           (t->n_bases > 0 && bsearch(name, t->bases, t->n_bases, sizeof *t->bases, by_name) != NULL);
}

/* Of each day the first that covered all rows stays, so that it can be told to a day since when a device held a row;
 * and with it, from which on the device was told of all that it had been given before. */
static enum err find(struct hub *h, struct thinning *t, struct why *why)
{
    struct stmt *s;
    bool row = false;
    int64_t day = -1;
    enum err e = db_prepare(h->db,
                            "SELECT name, at, pos_from, pos, served_at FROM h_cut WHERE node_no = $1 AND at > $2 AND at <= $3 ORDER BY at, "
                            "served_at, name",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, t->node_no);
    db_bind_int(s, 2, t->from);
    db_bind_int(s, 3, t->to);
    while (t->n < MOST && (e = db_step(s, &row, why)) == ERR_OK && row) {
        uint8_t name[16];
        const bool whole = db_int(s, 2) == 0 && db_int(s, 3) == INT64_MAX, again = db_int(s, 4) / DAY_MS == day;
        if (!again && whole) day = db_int(s, 4) / DAY_MS;
        if (!again || db_int(s, 1) >= t->base_at || !db_id(s, 0, name) || is_needed(t, name)) continue;
        memcpy(t->names[t->n++], name, sizeof name);
    }
    db_done(s);
    return e;
}

static enum err take_away(struct hub *h, const uint8_t name[16], struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, "DELETE FROM h_cut WHERE name = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, name);
    return db_run(s, why);
}

/* One device, in the running transaction. */
static enum err thin(struct hub *h, struct thinning *t, bool *out_found, struct why *why)
{
    enum err e = next_node(h, t, out_found, why);
    if (e != ERR_OK || !*out_found) return e;
    if (t->full_at > t->to) { /* it was told everything since: what it has of before is in that */
        e = find_bases(h, t, why);
        if (e == ERR_OK) e = find(h, t, why);
    }
    for (size_t i = 0; e == ERR_OK && i < t->n; i++) e = take_away(h, t->names[i], why);
    if (e != ERR_OK || t->n == MOST) return e; /* it has more: once more */
    return store_put_counter(h->db, NODE, t->node_no, why);
}

static enum err end_of_day(struct hub *h, int64_t day, const struct thinning *t, struct why *why)
{
    enum err e = store_put_counter(h->db, DAY, day, why);
    if (e == ERR_OK) e = store_put_counter(h->db, UPTO, t->to > t->from ? t->to : t->from, why);
    return e == ERR_OK ? store_put_counter(h->db, NODE, 0, why) : e;
}

static enum err go_on(struct hub *h, bool *out_done, struct why *why)
{
    struct thinning t = {0};
    const int64_t day = h->now_ms / DAY_MS;
    int64_t last = 0;
    bool found = false;
    enum err e = store_get_counter(h->db, DAY, &last, why);
    *out_done = e == ERR_OK && last == day;
    if (e != ERR_OK || *out_done) return e;
    e = store_get_counter(h->db, NODE, &t.node_no, why);
    if (e == ERR_OK) e = store_get_counter(h->db, UPTO, &t.from, why);
    if (e == ERR_OK) e = step_time_find(h, (day - KEEP_DAYS) * DAY_MS, &t.to, why);
    if (e == ERR_OK && (t.names = calloc(MOST, sizeof *t.names)) == NULL)
        e = why_set(why, ERR_NOMEM, "There is not enough memory to look through the cuts of devices.");
    if (e == ERR_OK) e = thin(h, &t, &found, why);
    if (e == ERR_OK && !found) e = end_of_day(h, day, &t, why);
    free(t.names);
    free(t.bases);
    return e;
}

enum err hub_cuts_continue(struct hub *h, bool *out_done, struct why *why)
{
    enum err e = hub_begin(h, why);
    if (e != ERR_OK) return e;
    *out_done = h->gathering; /* which of them are of use is not known before all have returned */
    if (!h->gathering) e = go_on(h, out_done, why);
    if (e == ERR_OK && !*out_done) return hub_commit(h, why);
    hub_abort(h);
    return e;
}
