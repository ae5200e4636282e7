/* The hub's time: what its wall clock says, as far as that can be believed. Ends are judged by it, and all that the hub
 * writes a time into bears it, also while a jump is doubted: one time that never goes back by itself is worth more in a
 * record of what was received and forgotten than a date that may be ten years off.
 *
 * Believed are the wall clock as it runs beside the steady one, which nobody sets, and, of a hub that was off, a
 * month's absence. What goes further is doubted for an hour by both clocks. Meanwhile time goes on from where it was.
 * It all lies in the store, so that a hub that is started for every command does not begin that hour anew each time. */
#include "hub/people.h"
#include "hub/sight_internal.h"

#include <stdio.h>

#define HOUR_MS 3600000LL
#define DAY_MS  (24 * HOUR_MS)
#define AWAY_MS (31 * DAY_MS) /* a hub may have been off for so long, and its clock is right */

struct clock {
    int64_t now;                      /* the hub's time as it was last; 0: never */
    int64_t doubt_wall, doubt_steady; /* both clocks when the jump was seen first; doubt_wall 0: none is doubted */
    int64_t doubt_now;                /* and the hub's time */
    int64_t high, low;                /* set back: from here to there; 0: never */
    bool moved;                       /* any but now */
    bool went_back, began_to_doubt;
};

static enum err load(struct hub *h, struct clock *c, struct why *why)
{
    struct stmt *q;
    bool row = false;
    enum err e = db_prepare(
        h->db, "SELECT p.now, c.doubt_wall, c.doubt_steady, c.doubt_now, c.high, c.low FROM policy_now p, h_clock c",
        &q, why);
    if (e != ERR_OK) return e;
    e = db_step(q, &row, why);
    if (e == ERR_OK && !row) e = why_set(why, ERR_TAMPERED, "The hub lost what it knew of the time.");
    if (e == ERR_OK)
        *c = (struct clock){.now = db_int(q, 0),
                            .doubt_wall = db_int(q, 1),
                            .doubt_steady = db_int(q, 2),
                            .doubt_now = db_int(q, 3),
                            .high = db_int(q, 4),
                            .low = db_int(q, 5)};
    db_done(q);
    return e;
}

static enum err save(struct hub *h, const struct clock *c, struct why *why)
{
    struct stmt *q;
    enum err e = db_prepare(h->db, "UPDATE policy_now SET now = $1 WHERE now <> $1", &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, c->now);
    e = db_run(q, why);
    if (e != ERR_OK || !c->moved) return e;
    e = db_prepare(h->db, "UPDATE h_clock SET doubt_wall = $1, doubt_steady = $2, doubt_now = $3, high = $4, low = $5",
                   &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, c->doubt_wall);
    db_bind_int(q, 2, c->doubt_steady);
    db_bind_int(q, 3, c->doubt_now);
    db_bind_int(q, 4, c->high);
    db_bind_int(q, 5, c->low);
    return db_run(q, why);
}

/* A clock whose battery is flat starts in a year long past and is put right minutes later: back where it was, it need
 * not be doubted, and what had ended must not be shown for another hour. */
static bool came_back(const struct clock *c, int64_t wall)
{
    return c->high > c->now && c->now - c->low < DAY_MS && wall <= c->high + AWAY_MS;
}

static bool ran_ahead(const struct hub *h, const struct clock *c, int64_t wall, int64_t steady)
{
    if (c->now == 0 || came_back(c, wall)) return false;
    return h->clock_known ? wall - steady - h->clock_ahead > HOUR_MS : wall - c->now > AWAY_MS;
}

/* Set back by more: a flat battery, or a clock that had run ahead and would keep everything ended for as long. An hour
 * tells; until then what had ended is not shown again. */
static bool fell_back(const struct clock *c, int64_t wall)
{
    return c->now - wall > HOUR_MS;
}

/* A machine with a flat battery begins in the same year each time that it is started: it is behind where it was before
 * the first time, until it is there again. A clock that is set back to before the first place was ahead there. */
static void note_fall(struct clock *c, int64_t wall)
{
    const bool again = c->high > c->now && wall >= c->low - DAY_MS;
    c->high = again ? c->high : c->now;
    c->low = again && c->low < wall ? c->low : wall;
    c->moved = true;
}

/* Set back by less than an hour, time stands still until it is reached again: an end that was acted upon is not
 * undone. */
static void believe(struct hub *h, struct clock *c, int64_t wall, int64_t steady)
{
    int64_t ahead = wall - steady;
    c->went_back = fell_back(c, wall);
    if (c->went_back) note_fall(c, wall);
    if (c->now < wall || c->went_back) c->now = wall;
    /* Else it stays: many small steps forward are together a jump. */
    if (!h->clock_known || c->went_back || ahead - h->clock_ahead > HOUR_MS) h->clock_ahead = ahead;
}

static void doubt(struct clock *c, int64_t wall, int64_t steady)
{
    c->doubt_wall = wall;
    c->doubt_steady = steady;
    c->doubt_now = c->now;
    c->moved = c->began_to_doubt = true;
}

/* How long the steady clock says that the doubt has lasted. Where it was another machine's that noted it, ours is ahead
 * of that or behind by anything: only what went by on our own since we met the doubt counts, and before that what the
 * wall clock says. */
static int64_t steady_since(struct hub *h, const struct clock *c, int64_t wall, int64_t steady)
{
    int64_t by_wall = wall - c->doubt_wall, by_steady = steady - c->doubt_steady;
    if (by_steady < 0) by_steady = by_wall; /* the machine was started anew, and its steady clock with it */
    if (!h->clock_known || h->doubt_met.wall != c->doubt_wall || h->doubt_met.steady > steady) {
        h->doubt_met.wall = c->doubt_wall;
        h->doubt_met.waited = by_wall < by_steady ? by_wall : by_steady;
        h->doubt_met.steady = steady;
    }
    int64_t own = h->doubt_met.waited + (steady - h->doubt_met.steady);
    return own < by_steady ? own : by_steady;
}

/* A jump that was doubted already. It is believed after an hour by both clocks. Set forward again, the hour begins
 * anew; set back, the clock is judged as if there had been no jump. One that had fallen back and is where it was is
 * right again. */
static bool still_doubted(struct hub *h, struct clock *c, int64_t wall, int64_t steady, bool *out_believed)
{
    int64_t by_wall = wall - c->doubt_wall, by_steady = steady_since(h, c, wall, steady);
    int64_t waited = by_wall < by_steady ? by_wall : by_steady;
    *out_believed = false;
    if (c->doubt_wall < c->doubt_now && !fell_back(c, wall)) {
        *out_believed = wall <= c->now + AWAY_MS;
        c->doubt_wall = 0;
        c->moved = true;
        return false;
    }
    if (by_wall >= 0 && by_wall - by_steady > HOUR_MS) {
        doubt(c, wall, steady);
        return true;
    }
    if (by_wall >= 0 && waited < HOUR_MS) {
        if (c->doubt_now + waited > c->now) c->now = c->doubt_now + waited;
        return true;
    }
    *out_believed = by_wall >= 0;
    c->doubt_wall = 0;
    c->moved = true;
    return false;
}

static void judge(struct hub *h, struct clock *c, int64_t wall, int64_t steady)
{
    bool believed = false, doubted = c->doubt_wall != 0 && still_doubted(h, c, wall, steady, &believed);
    if (!doubted && !believed && (fell_back(c, wall) || ran_ahead(h, c, wall, steady))) {
        if (h->clock_known && steady + h->clock_ahead > c->now) c->now = steady + h->clock_ahead;
        doubt(c, wall, steady);
        doubted = true;
    }
    if (!doubted) believe(h, c, wall, steady);
    /* The lead that a process begins with is that of the time which is believed. */
    if (doubted && !h->clock_known) h->clock_ahead = c->now - steady;
    h->clock_known = true;
}

static enum err tell(struct hub *h, int64_t ahead, struct why *why)
{
    char about[64];
    (void)snprintf(about, sizeof about, "%lld hours", (long long)((ahead < 0 ? -ahead : ahead) / HOUR_MS));
    return ahead < 0 ? people_act(h, "clock went back", about,
                                  "The hub's clock was set back by this much. What had ended stays so for an hour; put "
                                  "the clock right by then if it is wrong.",
                                  why)
                     : people_act(h, "clock went forward", about,
                                  "The hub's clock was set forward by this much. Times that it makes end wait for an "
                                  "hour; put the clock right by then if it is wrong.",
                                  why);
}

enum err sight_clock(struct hub *h, bool *out_went_back, int64_t *out_was, struct why *why)
{
    struct clock c;
    int64_t wall = h->now_ms;
    enum err e = load(h, &c, why);
    if (e != ERR_OK) return e;
    *out_was = c.now;
    judge(h, &c, wall, env_steady(h->env));
    h->now_ms = c.now;
    *out_went_back = c.went_back;
    e = save(h, &c, why);
    return e == ERR_OK && c.began_to_doubt ? tell(h, wall - c.now, why) : e;
}

void hub_clock_get(const struct hub *h, struct hub_clock *out)
{
    *out = (struct hub_clock){.known = h->clock_known, .ahead_ms = h->clock_ahead};
}

void hub_clock_set(struct hub *h, const struct hub_clock *c)
{
    h->clock_known = c->known;
    h->clock_ahead = c->ahead_ms;
}
