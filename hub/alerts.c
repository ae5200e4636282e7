/* What wants a person. WATCH.md has the list. */
#include "hub/watch.h"

#include "hub/internal.h"
#include "hub/retention.h"

#include <stdio.h>
#include <string.h>

#define HOUR_MS 3600000LL
#define DAY_MS  (24 * HOUR_MS)

struct alerting {
    struct hub *h;
    struct hub_limits limits;
    int64_t now, born; /* born: when the hub was made */
    hub_alert_fn each;
    void *ctx;
};

static struct hub_limits usual(const struct hub_limits *given)
{
    struct hub_limits l = given != NULL ? *given : (struct hub_limits){0};
    if (l.silent == 0) l.silent = 7 * DAY_MS;
    if (l.unsent == 0) l.unsent = DAY_MS;
    if (l.unconfirmed == 0) l.unconfirmed = 7 * DAY_MS;
    if (l.waiting == 0) l.waiting = 3 * DAY_MS;
    if (l.backup == 0) l.backup = 2 * DAY_MS;
    if (l.verified == 0) l.verified = 30 * DAY_MS;
    if (l.refused == 0) l.refused = 5;
    return l;
}

static void span(int64_t ms, char out[40])
{
    int64_t days = ms / DAY_MS, hours = ms / HOUR_MS;
    if (days > 1)
        (void)snprintf(out, 40, "%lld days", (long long)days);
    else if (hours > 1)
        (void)snprintf(out, 40, "%lld hours", (long long)hours);
    else
        (void)snprintf(out, 40, "%lld minutes", (long long)(ms / 60000));
}

/* ---------------------------------------------------------------------------------------------------------- devices */

static enum err say(const struct alerting *a, const struct hub_device *d, const char *code, const char *what,
                    const char *next, struct why *why)
{
    const struct hub_alert x = {.code = code,
                                .alarm = ALARM_PERSON,
                                .kid = d != NULL ? d->kid : NULL,
                                .site = d != NULL ? d->site : "",
                                .what = what,
                                .next = next};
    return a->each(a->ctx, &x, why);
}

static enum err silent(const struct alerting *a, const struct hub_device *d, struct why *why)
{
    char what[200], since[40];
    int64_t last = d->last_seen != 0 ? d->last_seen : d->enrolled_at;
    if (!d->heard || a->now - last <= a->limits.silent) return ERR_OK;
    span(a->now - last, since);
    (void)snprintf(what, sizeof what,
                   d->last_seen != 0 ? "The device has had no contact for %s."
                                     : "The device was set up %s ago and has had no contact since.",
                   since);
    return say(
        a, d, "silent", what,
        "Call its site: is it in use, and does it reach the network? One that is not used any more should be retired "
        "(spoke-hub node retire); one that is lost, cut off and wiped (spoke-hub node lost).",
        why);
}

static enum err unsent(const struct alerting *a, const struct hub_device *d, struct why *why)
{
    char what[200], age[40];
    if (!d->heard || d->unsent <= 0 || d->oldest_unsent == 0 || a->now - d->oldest_unsent <= a->limits.unsent)
        return ERR_OK;
    span(a->now - d->oldest_unsent, age);
    (void)snprintf(what, sizeof what,
                   "When it was heard last, %lld change%s on it had not been sent; the oldest is %s old by now.",
                   (long long)d->unsent, d->unsent == 1 ? "" : "s", age);
    return say(a, d, "unsent", what,
               "Others wait for what was written there. Call its site, and have it make contact, or bring a file.",
               why);
}

static enum err unconfirmed(const struct alerting *a, const struct hub_device *d, struct why *why)
{
    char what[200], age[40];
    if (d->unconfirmed == 0 || strcmp(d->state, "wiped") == 0 || a->now - d->unconfirmed_since <= a->limits.unconfirmed)
        return ERR_OK;
    span(a->now - d->unconfirmed_since, age);
    (void)snprintf(what, sizeof what, "It was told to forget %lld row%s and has not confirmed that, the oldest for %s.",
                   (long long)d->unconfirmed, d->unconfirmed == 1 ? "" : "s", age);
    return say(a, d, "unconfirmed", what,
               "Its site may still read what it should not. Have it make contact; if that cannot be had, wipe it "
               "(spoke-hub node wipe) and record the breach.",
               why);
}

/* Also of one that was cut off, and is silent for good: somebody has to know what may still be on it. */
static enum err wipe(const struct alerting *a, const struct hub_device *d, struct why *why)
{
    char what[200], age[40];
    if (d->wipe_since == 0 || a->now - d->wipe_since <= a->limits.unconfirmed) return ERR_OK;
    span(a->now - d->wipe_since, age);
    (void)snprintf(what, sizeof what, "It was ordered to wipe itself %s ago%s, and has not confirmed that it did.", age,
                   strcmp(d->fate, "lost") == 0 ? ", as it was lost" : "");
    return say(a, d, "wipe", what,
               "What it held may still be on it. One that is at hand: have it unlocked and make contact (spoke sync). One that is out of "
               "your hands: record the breach.",
               why);
}

static enum err approval(const struct alerting *a, const struct hub_device *d, struct why *why)
{
    char what[200], age[40];
    if (strcmp(d->state, "waiting") != 0 || a->now - d->enrolled_at <= a->limits.waiting) return ERR_OK;
    span(a->now - d->enrolled_at, age);
    (void)snprintf(what, sizeof what, "It joined %s ago, and waits until somebody has approved it. It gets nothing, and sends nothing.", age);
    return say(a, d, "approval", what,
               "Have its fingerprint read aloud and compare it, then: spoke-hub node approve ID. One that nobody knows: spoke-hub node "
               "refuse ID --reason TEXT",
               why);
}

static enum err rows(const struct alerting *a, const struct hub_device *d, struct why *why)
{
    char what[200];
    static const char next[] =
        "Give it more room (spoke-hub node budget ID ROWS), or end its site's part in cases that it no "
        "longer needs.";
    if (!d->heard || d->held < 0) return ERR_OK;
    if (d->stopped_at != 0) {
        (void)snprintf(what, sizeof what, "It holds %lld rows of the %lld that it may, and gets nothing new.",
                       (long long)d->held, (long long)d->most);
        return say(a, d, "rows-stopped", what, next, why);
    }
    if (d->held * 100 < d->most * HUB_BUDGET_ALARM) return ERR_OK;
    (void)snprintf(what, sizeof what, "It holds %lld rows of the %lld that it may. At that number it gets nothing new.",
                   (long long)d->held, (long long)d->most);
    return say(a, d, "rows", what, next, why);
}

static enum err refused(const struct alerting *a, const struct hub_device *d, struct why *why)
{
    char what[400];
    if (d->refused_times < a->limits.refused || a->now - d->refused_at > DAY_MS) return ERR_OK;
    (void)snprintf(what, sizeof what, "The hub refused it %lld times: %s.", (long long)d->refused_times, d->refused);
    return say(a, d, "refused", what,
               "It does not help itself. Look at it with spoke-hub node show, and call its site.", why);
}

static enum err held(const struct alerting *a, const struct hub_device *d, struct why *why)
{
    char what[200], age[40];
    if (d->waiting == 0 || a->now - d->waiting_since <= a->limits.waiting) return ERR_OK;
    span(a->now - d->waiting_since, age);
    (void)snprintf(what, sizeof what, "%lld change%s of its %s for a manager's decision, the oldest for %s.",
                   (long long)d->waiting, d->waiting == 1 ? "" : "s", d->waiting == 1 ? "waits" : "wait", age);
    return say(a, d, "waiting", what,
               "Tell the manager of the area: the work stands in their list at the MASH's own devices.", why);
}

static enum err of_devices(const struct alerting *a, struct why *why)
{
    static enum err (*const rules[])(const struct alerting *a, const struct hub_device *d,
                                     struct why *why) = {silent, unsent, unconfirmed, wipe, approval, rows, refused, held};
    struct hub_device d = {0};
    bool found = true;
    enum err e = ERR_OK;
    while (e == ERR_OK && found) {
        e = hub_device_next(a->h, d.no, 0, &d, &found, why);
        for (size_t i = 0; e == ERR_OK && found && i < sizeof rules / sizeof rules[0]; i++) e = rules[i](a, &d, why);
    }
    return e;
}

/* --------------------------------------------------------------------------------------------------- the hub itself */

/* A referral there would reach nobody. */
static enum err areas(const struct alerting *a, struct why *why)
{
    struct stmt *s;
    char what[200];
    bool row = false;
    enum err e =
        db_prepare(a->h->db,
                   "SELECT x.area FROM (SELECT area FROM coverage WHERE area <> '*' UNION SELECT area FROM case_file "
                   "WHERE area IS NOT NULL) AS x WHERE NOT EXISTS (SELECT 1 FROM coverage c JOIN site t ON t.code = "
                   "c.site WHERE t.kind = 'mash' AND (c.area = x.area OR c.area = '*')) ORDER BY x.area",
                   &s, why);
    if (e != ERR_OK) return e;
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        struct bytes area = db_bytes(s, 0);
        (void)snprintf(what, sizeof what,
                       "The area %.*s has no MASH room: a referral there reaches nobody who decides.",
                       (int)(area.n < 60 ? area.n : 60), (const char *)area.p);
        e = say(a, NULL, "area", what, "Add one: spoke-hub site add CODE AGENCY NAME --kind mash --area AREA", why);
        if (e != ERR_OK) break;
    }
    db_done(s);
    return e;
}

static enum err clock_and_policy(const struct alerting *a, const struct hub_status *s, struct why *why)
{
    char what[200], by[40];
    enum err e = ERR_OK;
    if (s->clock_doubted) {
        span(s->clock_off_ms < 0 ? -s->clock_off_ms : s->clock_off_ms, by);
        (void)snprintf(what, sizeof what, "The hub's clock jumped by %s, and is not believed for an hour.", by);
        e = say(a, NULL, "clock", what, "Is it right? If not, put it right now. If it is, wait.", why);
    }
    if (e == ERR_OK && s->policy_coming)
        e = say(a, NULL, "policy", "A change of the policy is not carried out to its end.",
                "A server goes on with it whenever a device comes. Or: spoke-hub policy continue", why);
    return e;
}

static enum err old(const struct alerting *a, const char *code, int64_t at, int64_t limit, const char *const says[3],
                    struct why *why)
{
    char what[200], age[40];
    int64_t since = at != 0 ? at : a->born;
    if (a->now - since <= limit) return ERR_OK;
    span(a->now - since, age);
    if (at != 0)
        (void)snprintf(what, sizeof what, "%s %s ago.", says[0], age);
    else
        (void)snprintf(what, sizeof what, "%s", says[1]);
    return say(a, NULL, code, what, says[2], why);
}

static enum err upkeep(const struct alerting *a, const struct hub_status *s, struct why *why)
{
    static const char *const backup[] = {"The last backup was made", "No backup was ever made of this hub.",
                                         "Make one, onto another machine: spoke-hub backup FILE"};
    static const char *const verify[] = {"The whole store was last verified", "The whole store was never verified.",
                                         "At a quiet hour: spoke-hub verify"};
    enum err e = old(a, "backup", s->backup_at, a->limits.backup, backup, why);
    return e == ERR_OK ? old(a, "verify", s->verified_at, a->limits.verified, verify, why) : e;
}

/* What it writes within a second in peace may take a while after a large change. */
#define JOURNAL_MS (5 * 60000)

static enum err journal(const struct alerting *a, const struct hub_redo_state *j, struct why *why)
{
    char what[REDO_FAULT_BYTES + 200], age[40];
    enum err e = ERR_OK;
    if (!j->on) return ERR_OK;
    if (j->waiting > 0 && (j->fault[0] != '\0' || a->now - j->waiting_since > JOURNAL_MS)) {
        span(a->now - j->waiting_since, age);
        (void)snprintf(what, sizeof what, "%lld entries of the journal wait for its folder, the oldest for %s. %s",
                       (long long)j->waiting, age, j->fault);
        e = say(a, NULL, "journal", what,
                "Work goes on and nothing is lost, but what waits would be lost with this machine. Is a server running with --journal, "
                "and does the folder have room?",
                why);
    }
    if (e == ERR_OK && !j->joined)
        e = say(a, NULL, "journal-apart",
                j->gave_up != 0 ? "The journal had to be given up and begun anew, and goes on from no backup."
                                : "The journal goes on from no backup.",
                "Without one it cannot be put back. Make one: spoke-hub backup FILE", why);
    return e;
}

/* What retention would have erased by now, and does not while somebody has to decide something in it. */
static enum err overdue(const struct alerting *a, struct why *why)
{
    char what[120];
    uint64_t n = 0;
    enum err e = hub_retention_overdue(a->h, &n, why);
    if (e != ERR_OK || n == 0) return e;
    (void)snprintf(what, sizeof what, "%llu closed %s should have been erased: something in %s waits for a person.", (unsigned long long)n,
                   n == 1 ? "case" : "cases", n == 1 ? "it" : "them");
    return say(a, NULL, "retention", what,
               "The MASH decides what is held, and settles what is there in two versions; then they are erased. See spoke-hub retention.",
               why);
}

static enum err read_born(struct hub *h, int64_t *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db, "SELECT coalesce(min(at), 0) FROM h_policy", &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) *out = db_int(s, 0);
    db_done(s);
    return e;
}

enum err hub_alerts(struct hub *h, const struct hub_limits *limits, hub_alert_fn each, void *ctx, struct why *why)
{
    struct alerting a = {.h = h, .limits = usual(limits), .now = env_now(h->env), .each = each, .ctx = ctx};
    struct hub_status s;
    enum err e = read_born(h, &a.born, why);
    if (e == ERR_OK) e = hub_status(h, &s, why);
    if (e == ERR_OK) e = clock_and_policy(&a, &s, why);
    if (e == ERR_OK) e = upkeep(&a, &s, why);
    if (e == ERR_OK) e = journal(&a, &s.journal, why);
    if (e == ERR_OK) e = overdue(&a, why);
    if (e == ERR_OK) e = areas(&a, why);
    return e == ERR_OK ? of_devices(&a, why) : e;
}
