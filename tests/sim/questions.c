/* What people ask the hub beside their work: why is this here, who saw it, what would come of sharing. And, in an
 * emergency, a case that is not theirs. What is replied may tell nothing: canary.c and twin.c look at that. */
#include "tests/sim/judge.h"
#include "tests/sim/people.h"

#include <stdio.h>
#include <string.h>

static bool put(struct edit *e, const struct node_question *q)
{
    uint64_t number = 0;
    enum err err = node_ask(e->d->n, q, &number, &e->why);
    if (err == ERR_LIMIT) return false; /* it asked enough */
    return edit_ok(e, err);
}

static void about_row(struct edit *e)
{
    struct rows_row r;
    struct node_question q = {.kind = sim_chance(e->s, 500) ? QUESTION_EXPLAIN : QUESTION_WHO_SAW};
    if (!edit_pick_any(e, &r)) return;
    q.table_index = r.tbl;
    memcpy(q.id, r.id, sizeof q.id);
    if (q.kind == QUESTION_WHO_SAW && sim_chance(e->s, 500))
        q.at_ms = e->s->clock - (int64_t)sim_random(e->s, (uint64_t)(10 * SIM_DAY));
    (void)put(e, &q);
}

static void about_sharing(struct edit *e)
{
    static const char *const access[] = {"check", "view", "contribute"};
    const struct sim_site *with = &e->s->sites[sim_random(e->s, e->s->n_sites)];
    char text[64];
    struct rows_row c;
    struct node_question q = {.kind = sim_chance(e->s, 600) ? QUESTION_SHARE : QUESTION_UNSHARE,
                              .agency = with->agency};
    if (!people_pick(e, "case_file", people_to_write(e, WRITE_LEAD), &c)) return;
    q.table_index = c.tbl;
    memcpy(q.id, c.id, sizeof q.id);
    const char *how = access[sim_random(e->s, 3)];
    bool named = sim_chance(e->s, 300);
    (void)snprintf(text, sizeof text, "%s%s%s", how, named ? "\n" : "", named ? with->code : "");
    if (q.kind == QUESTION_SHARE) q.text = text;
    (void)put(e, &q);
}

/* The reference was read out over the telephone by whoever has the case; mostly there is none of that name. */
static void in_emergency(struct edit *e)
{
    char text[128] = "H-00000000\nhe did not come home";
    struct sim *s = e->s;
    bool known = !s->opt.calm && s->hub != NULL && !disk_is_dead(s->hub_machine.disk) && sim_chance(s, 800);
    if (s->opt.no_steering) return; /* what it opens ends by itself, and is hidden by each clock on its own */
    if (known) {
        struct stmt *st =
            ask(s, hub_db(s->hub), "SELECT reference FROM case_file WHERE reference IS NOT NULL ORDER BY id");
        uint64_t skip = sim_random(s, 20);
        while (ask_next(s, st)) {
            struct bytes r = db_bytes(st, 0);
            if (r.n < 60) (void)snprintf(text, sizeof text, "%.*s\nhe did not come home", (int)r.n, (const char *)r.p);
            if (skip-- == 0) break;
        }
        db_done(st);
    }
    const struct node_question q = {.kind = QUESTION_EMERGENCY, .text = text};
    if (put(e, &q)) (void)snprintf(e->d->typed[e->d->n_typed++ % SIM_TYPED], sizeof e->d->typed[0], "%.63s", text);
}

void question_ask(struct sim *s, struct device *d)
{
    struct edit e;
    uint64_t what = sim_random(s, 100);
    edit_look(&e, s, d);
    if (edit_ok(&e, node_tick(d->n, &e.why))) {
        sim_note(s, "device %d asks the hub something", d->no);
        if (what < 55)
            about_row(&e);
        else if (what < 85)
            about_sharing(&e);
        else
            in_emergency(&e);
    }
    bool died = device_leave(s, d);
    buf_release(&e.row);
    edit_failed(&e, died);
}

void question_world(struct sim *s)
{
    struct why why = {0};
    struct draw by = draw_stream(s->seed, 8, 0);
    if (!draw_chance(&by, 500)) return;
    hub_enter(s);
    sim_must(s, hub_set_emergency(s->hub, 1 + (int64_t)draw_below(&by, 72), &why), "switch emergencies on", &why);
    (void)hub_leave(s);
}

static enum err read_line(void *ctx, const struct reply_line *line, struct why *why)
{
    struct sim *s = ctx;
    (void)why;
    if (line->n == 0 || line->word[0].n == 0) sim_fail(s, 0, "a reply has a line without a word");
    return ERR_OK;
}

/* Everything that was asked has its reply, and each can be read. */
void question_at_rest(struct sim *s, const struct device *d)
{
    struct why why = {0};
    struct stmt *st =
        ask(s, node_db(d->n), "SELECT number, replied_ms IS NOT NULL, replied_ms FROM n_question WHERE kind <> 0");
    while (ask_next(s, st)) {
        struct node_reply r;
        if (db_int(st, 1) == 0)
            sim_fail(s, 0, "device %d: question %lld has no reply at rest", d->no, (long long)db_int(st, 0));
        enum err e = node_reply(d->n, (uint64_t)db_int(st, 0), &r, read_line, s, &why);
        if (e == ERR_NOTFOUND && db_int(st, 2) < s->clock - 30 * SIM_DAY) continue;
        sim_must(s, e, "read a reply", &why);
        s->counts[COUNT_REPLIES]++;
    }
    db_done(st);
}
