/* spoke-hub policy apply, policy continue, preview: who will see what, before and while it changes. */
#include "cli/hub_commands.h"
#include "cli/hub_home.h"
#include "cli/hub_preview.h"
#include "cli/hub_proposal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX ((uint64_t)1 << 20)
#define AT_ONCE  100 /* cases in one transaction: a moment, should the power fail */

static enum err no_rows(void *ctx, const struct hub_preview_rows *r, struct why *why)
{
    (void)ctx, (void)r, (void)why;
    return ERR_OK;
}
static enum err no_device(void *ctx, const struct hub_preview_device *d, struct why *why)
{
    (void)ctx, (void)d, (void)why;
    return ERR_OK;
}

/* -------------------------------------------------------------------------------------------------- policy apply */
static void say_progress(const struct hub_policy_progress *p)
{
    fprintf(stderr, "\r%s %llu of %llu cases", p->widening ? "widening:  " : "narrowing: ", (unsigned long long)p->done,
            (unsigned long long)p->cases);
}

enum err hub_preview_carry_out(struct cli *c, struct hub *h, struct why *why)
{
    struct hub_policy_progress p = {0};
    bool done = false, terminal = isatty(STDERR_FILENO) == 1;
    enum err e = hub_policy_progress(h, &p, why);
    int64_t gen = p.gen;
    uint64_t cases = p.cases;
    while (e == ERR_OK && !done) {
        e = hub_policy_continue(h, AT_ONCE, &done, why);
        if (e == ERR_OK && !done) e = hub_policy_progress(h, &p, why);
        if (e == ERR_OK && terminal && !done) say_progress(&p);
        if (e == ERR_OK && !done) e = hub_home_breathe(c, h, why);
    }
    if (terminal) fputc('\n', stderr);
    if (e != ERR_OK) return e;
    if (c->json) {
        struct json *o = json_object_new();
        json_set_int(o, "policy", gen);
        json_set_int(o, "cases", (int64_t)cases);
        return show_json(o, why);
    }
    printf("Policy %lld is in force. Devices are told at their next contact what they see now, and what to forget.\n",
           (long long)gen);
    return ERR_OK;
}

static enum err go_on(struct cli *c, struct hub *h, struct why *why)
{
    struct hub_policy_progress p = {0};
    enum err e = hub_policy_progress(h, &p, why);
    if (e == ERR_OK && !p.under_way) {
        (void)why_set(why, ERR_USAGE, "No policy is coming: there is nothing to go on with.");
        return why_next(why, ERR_USAGE, "To put another one in force: spoke-hub policy apply FILE --reason TEXT");
    }
    return e == ERR_OK ? hub_preview_carry_out(c, h, why) : e;
}

/* What it would change is said, where it takes a second person. */
static enum err apply_or_propose(struct cli *c, struct hub *h, struct bytes text, const char *reason, bool *out_proposed,
                                 struct why *why)
{
    const struct hub_proposal p = {.kind = PROPOSE_POLICY, .text = text, .reason = reason};
    enum err e = hub_takes_two(h, &p, out_proposed, why);
    if (e != ERR_OK || !*out_proposed) return e == ERR_OK ? hub_policy_apply(h, text, reason, why) : e;
    const struct hub_preview nothing = {NULL, no_rows, no_device};
    e = c->json ? hub_preview_policy(h, text, &nothing, why) : hub_preview_say_policy(c, h, text, why);
    return e == ERR_OK ? hub_proposal_make(c, h, &p, "Another policy comes into force: who sees what.", why) : e;
}

static enum err apply(struct cli *c, struct hub *h, struct why *why)
{
    const char *reason = NULL;
    struct buf text;
    bool proposed = false;
    if (c->n_args == 0) return go_on(c, h, why);
    buf_init(&text, FILE_MAX);
    enum err e = cli_need(c, "reason", &reason, why);
    if (e == ERR_OK) e = c->env->read_file(c->env->ctx, c->args[0], FILE_MAX, &text, why);
    if (e == ERR_OK) e = apply_or_propose(c, h, buf_bytes(&text), reason, &proposed, why);
    buf_release(&text);
    return e == ERR_OK && !proposed ? hub_preview_carry_out(c, h, why) : e;
}

/* ------------------------------------------------------------------------------------------------------- preview */
/* Lines as they come; printed as one JSON value, or as sentences. */
struct report {
    struct cli *c;
    struct json *rows, *devices;
    uint64_t appear, leave, n_devices;
    bool revoke;   /* the first device is the one that would be revoked */
    char site[64]; /* of the last line */
};

static void report_init(struct report *r, struct cli *c, bool revoke)
{
    *r = (struct report){.c = c, .revoke = revoke};
    if (!c->json) return;
    r->rows = json_array_new();
    r->devices = json_array_new();
}

static void report_release(struct report *r)
{
    json_free(r->rows);
    json_free(r->devices);
    *r = (struct report){0};
}

static enum err print_rows(void *ctx, const struct hub_preview_rows *line, struct why *why)
{
    struct report *r = ctx;
    (void)why;
    r->appear += line->appear;
    r->leave += line->leave;
    if (r->c->json) {
        struct json *o = json_object_new();
        json_set_str(o, "site", line->site);
        json_set_str(o, "table", line->table);
        if (!r->revoke) json_set_int(o, "appear", (int64_t)line->appear);
        json_set_int(o, r->revoke ? "rows" : "leave", (int64_t)line->leave);
        json_append(r->rows, o);
        return ERR_OK;
    }
    if (r->revoke) {
        printf("  %-16s %llu\n", line->table, (unsigned long long)line->leave);
        return ERR_OK;
    }
    if (strcmp(r->site, line->site) != 0) printf("%s\n", line->site);
    (void)snprintf(r->site, sizeof r->site, "%s", line->site);
    printf("  %-16s", line->table);
    if (line->appear > 0) printf("  %llu appear", (unsigned long long)line->appear);
    if (line->leave > 0) printf("  %llu leave", (unsigned long long)line->leave);
    putchar('\n');
    return ERR_OK;
}

static void device_json(struct report *r, const struct hub_preview_device *d)
{
    struct json *o = json_object_new();
    char uuid[37], stamp[40];
    uuid_format(d->kid, uuid);
    json_set_str(o, "device", uuid);
    json_set_str(o, "site", d->site);
    json_set_str(o, "state", d->state);
    if (!r->revoke) json_set_int(o, "rows", (int64_t)d->rows);
    if (d->unsent < 0)
        json_set_null(o, "unsent");
    else
        json_set_int(o, "unsent", d->unsent);
    if (d->oldest_ms > 0) {
        show_rfc3339(d->oldest_ms, stamp, sizeof stamp);
        json_set_str(o, "oldest_unsent", stamp);
    }
    if (d->last_seen > 0) {
        show_rfc3339(d->last_seen, stamp, sizeof stamp);
        json_set_str(o, "last_seen", stamp);
    }
    json_append(r->devices, o);
}

static void device_text(struct report *r, const struct hub_preview_device *d)
{
    char uuid[37], text[64] = "never";
    uuid_format(d->kid, uuid);
    if (d->last_seen > 0) show_time(d->last_seen, text, sizeof text);
    if (r->n_devices == 1) puts(r->revoke ? "\nThe device:" : "\nDevices that would be told to forget rows:");
    if (r->n_devices == 2 && r->revoke) puts("\nOther devices of its site, which stay as they are:");
    printf("  %s  %s  %s  last contact %s", uuid, d->site, d->state, text);
    if (!r->revoke) printf("  %llu rows", (unsigned long long)d->rows);
    if (d->unsent > 0) {
        show_span(env_now(r->c->env) - d->oldest_ms, text, sizeof text);
        printf("  not sent: %lld, the oldest for %s", (long long)d->unsent, text);
    }
    putchar('\n');
}

static enum err print_device(void *ctx, const struct hub_preview_device *d, struct why *why)
{
    struct report *r = ctx;
    (void)why;
    r->n_devices++;
    if (r->c->json)
        device_json(r, d);
    else
        device_text(r, d);
    return ERR_OK;
}

enum err hub_preview_say_policy(struct cli *c, struct hub *h, struct bytes text, struct why *why)
{
    struct report r;
    report_init(&r, c, false);
    const struct hub_preview p = {&r, print_rows, print_device};
    enum err e = hub_preview_policy(h, text, &p, why);
    if (e == ERR_OK && c->json) {
        struct json *o = json_object_new();
        json_set_obj(o, "rows", r.rows);
        json_set_obj(o, "devices", r.devices);
        r.rows = r.devices = NULL;
        e = show_json(o, why);
    } else if (e == ERR_OK && r.appear + r.leave == 0) {
        puts("Nobody would see more or less than now.");
    } else if (e == ERR_OK) {
        puts("\nNothing was changed. Rows count once for each site. What leaves a site goes first, what appears comes "
             "after; what its devices have not sent yet is taken in all the same.");
    }
    report_release(&r);
    return e;
}

static enum err preview_policy(struct cli *c, struct hub *h, struct why *why)
{
    struct buf text;
    buf_init(&text, FILE_MAX);
    enum err e = c->env->read_file(c->env->ctx, c->args[0], FILE_MAX, &text, why);
    if (e == ERR_OK) e = hub_preview_say_policy(c, h, buf_bytes(&text), why);
    buf_release(&text);
    return e;
}

static enum err revoke_json(struct report *r, const struct hub_preview_revoke *x, struct why *why)
{
    struct json *o = json_object_new();
    json_set_int(o, "cases", (int64_t)x->cases);
    json_set_int(o, "rows_held", (int64_t)r->leave);
    json_set_int(o, "unconfirmed_drops", (int64_t)x->unconfirmed);
    json_set_int(o, "held", (int64_t)x->waiting);
    json_set_obj(o, "rows", r->rows);
    json_set_obj(o, "devices", r->devices);
    r->rows = r->devices = NULL;
    return show_json(o, why);
}

static enum err preview_revoke(struct cli *c, struct hub *h, struct why *why)
{
    struct hub_preview_revoke x = {0};
    struct report r;
    uint8_t kid[16];
    report_init(&r, c, true);
    const struct hub_preview p = {&r, print_rows, print_device};
    enum err e = hub_home_pick(h, "SELECT kid FROM h_node WHERE kid >= $1 AND kid <= $2", c->args[0],
                               "device", kid, why);
    if (e == ERR_OK && !c->json) puts("Rows that the device could hold now, and would keep:");
    if (e == ERR_OK) e = hub_preview_revoke(h, kid, &p, &x, why);
    if (e == ERR_OK && c->json) {
        e = revoke_json(&r, &x, why);
    } else if (e == ERR_OK) {
        printf("\nIn all %llu rows of %llu cases. Told to forget and not confirmed: %llu rows. Held for a manager, or "
               "waiting for that: %llu of its changes.\n",
               (unsigned long long)r.leave, (unsigned long long)x.cases, (unsigned long long)x.unconfirmed,
               (unsigned long long)x.waiting);
        puts(
            "Nothing was changed. A device that is revoked gets nothing more, not even orders to forget; what it still "
            "sends is held for a manager.");
    }
    report_release(&r);
    return e;
}

static enum err run_apply(struct cli *c, struct why *why)
{
    return hub_home_run(c, apply, why);
}
static enum err run_continue(struct cli *c, struct why *why)
{
    return hub_home_run(c, go_on, why);
}
static enum err run_preview_policy(struct cli *c, struct why *why)
{
    return hub_home_run(c, preview_policy, why);
}
static enum err run_preview_revoke(struct cli *c, struct why *why)
{
    return hub_home_run(c, preview_revoke, why);
}

static const struct flag apply_flags[] = {{"reason", "TEXT", "why; it is kept with the policy"}, {0}};

const struct command hub_preview_commands[] = {
    {"policy apply", "[FILE]", 0, 1,
     "Put the policy in FILE in force: who sees what from now on. Every case is narrowed first to what both the old and "
     "the new policy show, and only then widened, so that nobody sees for a moment what neither meant. Should it be "
     "stopped half way, the server goes on with it as devices come, and so does this command without a FILE. Look at it "
     "before: spoke-hub preview policy FILE.",
     "spoke-hub policy apply new-policy.sql --reason \"Schools see ratings, agreed on 3 November\"", apply_flags,
     run_apply},
    {"policy continue", "", 0, 0, "Go on with a policy that is coming and was stopped half way.",
     "spoke-hub policy continue", NULL, run_continue},
    {"preview policy", "FILE", 1, 1,
     "Say what the policy in FILE would change, and change nothing: rows that would appear at each site and rows that "
     "would leave it, by table, and the devices there that hold such rows.",
     "spoke-hub preview policy new-policy.sql", NULL, run_preview_policy},
    {"preview revoke", "DEVICE", 1, 1,
     "Say what is on a device before it is revoked, and change nothing: rows that it could hold, by table, what it was "
     "told to forget and did not confirm, work that it has not sent, and the other devices of its site.",
     "spoke-hub preview revoke 1f0c27a3", NULL, run_preview_revoke},
    {0}};
