/* Administrators agree upon another policy: it comes a few cases at a time, while people work. For the oracle: under
 * which policy, or which two, each case stands. */
#include "tests/sim/judge.h"

#include "hub/policy_sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Policy 1 is the design's but for these tables: one is told to fewer, one to more, one to the room alone. */
static const struct {
    const char *table, *usual, *other;
} moved[] = {{"warning", "face", "shared"}, {"episode", "shared", "face"}, {"rating", "shared", "room"}};
#define MOVED (sizeof moved / sizeof moved[0])

static void replace(struct buf *text, const char *old, const char *new)
{
    const char *all = buf_cstr(text), *at = all == NULL ? NULL : strstr(all, old);
    struct buf out;
    if (at == NULL || strstr(at + 1, old) != NULL) abort(); /* the policy is written otherwise now */
    buf_init(&out, 1u << 20);
    buf_put(&out, all, (size_t)(at - all));
    buf_put_str(&out, new);
    buf_put_str(&out, at + strlen(old));
    buf_release(text);
    *text = out;
}

static void policy_text(unsigned no, struct buf *out)
{
    char old[120], new[120];
    buf_init(out, 1u << 20);
    buf_put_str(out, hub_policy_sql);
    for (size_t i = 0; no == 1 && i < MOVED; i++) {
        (void)snprintf(old, sizeof old, "'%s', id, case_id, agency, voided_at, '%s'", moved[i].table, moved[i].usual);
        (void)snprintf(new, sizeof new, "'%s', id, case_id, agency, voided_at, '%s'", moved[i].table, moved[i].other);
        replace(out, old, new);
    }
}

static unsigned number_of(struct bytes text)
{
    struct buf usual;
    policy_text(0, &usual);
    bool is = bytes_equal(text, buf_bytes(&usual));
    buf_release(&usual);
    return is ? 0 : 1;
}

/* -1: there is none of that state. */
static int number_in(struct sim *s, const char *state)
{
    struct stmt *st = ask(s, hub_db(s->hub), "SELECT text FROM h_policy WHERE state = $1");
    db_bind_str(st, 1, state);
    int out = ask_next(s, st) ? (int)number_of(db_bytes(st, 0)) : -1;
    db_done(st);
    return out;
}

/* ---- for the oracle ---- */
static void put_names(struct buf *line, int64_t stands, int in_force, int coming)
{
    if (stands == 0 || coming < 0)
        buf_printf(line, " %d", in_force);
    else if (stands == 1)
        buf_printf(line, " %d|%d", in_force, coming);
    else
        buf_printf(line, " %d", coming);
}

static void tell_matrix(struct sim *s)
{
    struct buf line;
    buf_init(&line, 1024);
    buf_put_str(&line, "matrix 1");
    for (size_t i = 0; i < MOVED; i++) buf_printf(&line, " %s:%s", moved[i].table, moved[i].other);
    sim_tell(s, &line);
    buf_release(&line);
}

void policy_tell(struct sim *s)
{
    struct buf line;
    uint8_t id[16];
    char hex[33];
    if (!s->policies || s->hub == NULL) return;
    int in_force = number_in(s, "in_force"), coming = number_in(s, "coming");
    bool widening =
        ask_number(s, hub_db(s->hub), "SELECT phase = 'widening' FROM h_policy WHERE state = 'coming'") != 0;
    buf_init(&line, 1024);
    buf_put_str(&line, "policy *");
    put_names(&line, coming < 0 ? 0 : widening ? 2 : 1, in_force, coming);
    sim_tell(s, &line);
    struct stmt *st = ask(s, hub_db(s->hub), "SELECT id, policy FROM h_case WHERE no > 0 ORDER BY no");
    while (coming >= 0 && ask_next(s, st)) {
        if (!db_id(st, 0, id)) sim_fail(s, 7, "a case without an id");
        buf_printf(&line, "policy %s", ids_hex(id, hex));
        put_names(&line, db_int(st, 1), in_force, coming);
        sim_tell(s, &line);
    }
    db_done(st);
    buf_release(&line);
}

/* ---- the change ---- */
static enum err apply(struct sim *s, struct why *why)
{
    struct buf text;
    unsigned no = number_in(s, "in_force") == 0 ? 1 : 0;
    sim_note(s, "policy %u is agreed upon", no);
    policy_text(no, &text);
    if (!s->policies) tell_matrix(s);
    s->policies = true;
    hub_enter(s);
    enum err e = hub_policy_apply(s->hub, buf_bytes(&text), "the partners agreed upon it", why);
    buf_release(&text);
    return e;
}

static enum err go_on(struct sim *s, bool *out_done, struct why *why)
{
    size_t cases = 1 + (size_t)sim_random(s, 4);
    hub_enter(s);
    return hub_policy_continue(s->hub, cases, out_done, why);
}

static bool under_way(struct sim *s)
{
    return ask_number(s, hub_db(s->hub), "SELECT EXISTS(SELECT 1 FROM h_policy WHERE state = 'coming')") != 0;
}

void policy_event(struct sim *s, const struct event *e)
{
    struct why why = {0};
    bool done = false;
    bool able = s->hub != NULL && !s->hub_ailing && !disk_is_dead(s->hub_machine.disk);
    if (able) wire_hub_is_back(s);
    if (able && !e->queued && under_way(s)) return; /* that one goes on by itself */
    if (able && e->queued && !under_way(s)) return; /* the hub was put back, and knows nothing of it */
    if (!able && !e->queued) return;
    if (able) {
        enum err err = e->queued ? go_on(s, &done, &why) : apply(s, &why);
        if (!hub_leave(s)) {
            sim_must(s, err, "change the policy", &why);
            check_hub(s);
        }
    }
    if (!done)
        sim_queue(s, 60000 + (int64_t)sim_random(s, (uint64_t)(s->plan.hurried ? SIM_HOUR : SIM_DAY)), SIM_POLICY, -1,
                  NULL);
}
