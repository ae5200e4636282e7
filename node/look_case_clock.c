/* The clocks of a case: what was due, and whether it was in time. */
#include "node/look_case.h"

/* What happened: when the last of it was done, and when it was due. 0: not, or no time is set. */
struct deed {
    enum look_due what;
    int64_t due_at, done_at;
    bool all;  /* nothing of it is left to do */
    bool late; /* something of it was done after its time */
};

static enum err read_deed(const struct look_matter *m, const char *sql, struct deed *d, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = look_ask_case(m, sql, &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) {
        d->done_at = db_int(s, 0);
        d->all = db_int(s, 1) != 0;
        if (d->due_at == 0) d->due_at = db_int(s, 2);
        d->late = db_int(s, 3) != 0;
    }
    db_done(s);
    return e;
}

/* Answers: due is the first that is missing, else the last one that came. */
static enum err read_reply(const struct look_matter *m, struct deed *d, struct why *why)
{
    d->due_at = m->state.asked ? m->state.reply_due : 0;
    enum err e = read_deed(m,
                           "SELECT max(q.answered_at), count(*) > 0 AND sum(q.state = 'open') = 0, max(q.due_at),"
                           " coalesce(max(q.answered_at > q.due_at), 0) FROM request q WHERE q.case_id = $1"
                           " AND q.voided_at IS NULL AND q.state IN ('open', 'answered', 'declined')",
                           d, why);
    if (m->state.asked) d->done_at = 0;
    return e;
}

static const char *state_of(const struct look_matter *m, const struct deed *d)
{
    bool over = m->state.status == STATUS_DECIDED || m->state.status == STATUS_CLOSED;
    if (d->due_at == 0) return "none";
    if (d->all && d->done_at != 0) return d->late || d->done_at > d->due_at ? "missed" : "met";
    if (over) return "none"; /* nobody waits for it any more */
    return d->due_at < m->times.now ? "late" : "running";
}

static void put_clock(const struct look_matter *m, const struct deed *d, struct json *list)
{
    const struct look_scale *scale = &m->times.scale[m->state.rag][d->what][m->state.adult];
    struct json *o = json_object_new();
    json_set_str(o, "what", look_due_word(d->what));
    json_set_int(o, "minutes", scale->minutes);
    json_set_str(o, "clock", scale->working ? "working" : "elapsed");
    look_set_time(o, "due_at", d->due_at);
    look_set_time(o, "done_at", d->done_at);
    json_set_str(o, "state", state_of(m, d));
    json_append(list, o);
}

/* From the receipt of the case, by its rating. */
static int64_t due_of(const struct look_matter *m, enum look_due what)
{
    const struct look_scale *scale = &m->times.scale[m->state.rag][what][m->state.adult];
    if (scale->minutes == 0 || m->state.received_at == 0) return 0;
    return look_calendar_due(m->times.calendar, m->state.received_at, scale->minutes, scale->working);
}

enum err look_case_clocks(const struct look_matter *m, struct json *o, struct why *why)
{
    struct deed reply = {.what = DUE_REPLY};
    struct deed meeting = {.what = DUE_MEETING, .due_at = due_of(m, DUE_MEETING)};
    struct deed decision = {.what = DUE_DECISION, .due_at = due_of(m, DUE_DECISION)};
    struct json *list = json_array_new();
    enum err e = read_reply(m, &reply, why);
    if (e == ERR_OK)
        e = read_deed(m,
                      "SELECT min(t.held_at), count(*) > 0, 0, 0 FROM meeting t WHERE t.case_id = $1"
                      " AND t.voided_at IS NULL AND t.held_at <= $2",
                      &meeting, why);
    if (e == ERR_OK)
        e = read_deed(m,
                      "SELECT max(b.decided_at), count(*) > 0, 0, 0 FROM brief b WHERE b.case_id = $1"
                      " AND b.voided_at IS NULL AND b.decided_at IS NOT NULL",
                      &decision, why);
    put_clock(m, &reply, list);
    put_clock(m, &meeting, list);
    put_clock(m, &decision, list);
    json_set_obj(o, "clocks", list);
    return e;
}
