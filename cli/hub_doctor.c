/* spoke-hub doctor, status: how the hub is, for people and for programs that watch it. */
#include "cli/hub_certificate.h"
#include "cli/hub_commands.h"
#include "cli/hub_home.h"
#include "cli/plain.h"
#include "hub/restore.h"
#include "hub/watch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#define DAY_MS      86400000LL
#define DISK_LITTLE (1LL << 30)
#define DISK_NONE   (64LL << 20)
#define CERT_MS     (14 * DAY_MS) /* unless --certificate-days */

/* What was found, while it is said. */
struct doctor {
    struct cli *c;
    struct json *list; /* NULL: said as lines */
    uint64_t n;
    bool broken;
};

static void put(struct doctor *x, const struct hub_alert *a)
{
    char uuid[37] = "", site[80], what[600];
    x->n++;
    x->broken |= a->alarm == ALARM_BROKEN;
    if (a->kid != NULL) uuid_format(a->kid, uuid);
    if (x->list != NULL) {
        struct json *o = json_object_new();
        json_set_str(o, "code", a->code);
        json_set_str(o, "level", a->alarm == ALARM_BROKEN ? "broken" : "person");
        json_set_str(o, "device", a->kid != NULL ? uuid : NULL);
        json_set_str(o, "site", a->site != NULL && a->site[0] != '\0' ? a->site : NULL);
        json_set_str(o, "what", a->what);
        json_set_str(o, "next", a->next);
        json_append(x->list, o);
        return;
    }
    plain_text(what, sizeof what, bytes_of_str(a->what));
    plain_text(site, sizeof site, bytes_of_str(a->site != NULL ? a->site : ""));
    printf("%s: ", a->code);
    if (a->kid != NULL) printf("%s (%s): ", uuid, site);
    printf("%s\n    %s\n", what, a->next);
}

static enum err found(void *ctx, const struct hub_alert *a, struct why *why)
{
    (void)why;
    put(ctx, a);
    return ERR_OK;
}

static enum err missing(void *ctx, const struct hub_missing *m, struct why *why)
{
    (void)why;
    put(ctx, &(struct hub_alert){
                 .code = "restore",
                 .alarm = ALARM_PERSON,
                 .kid = m->kid,
                 .site = m->site,
                 .what = m->words,
                 .next = m->next});
    return ERR_OK;
}

/* -------------------------------------------------------------------------------------------------- what is outside */

static int64_t disk_free(const struct cli *c)
{
    struct statvfs fs;
    if (statvfs(c->home, &fs) != 0) return -1;
    return (int64_t)((uint64_t)fs.f_bavail * fs.f_frsize);
}

static void look_at_disk(struct doctor *x)
{
    char what[120];
    int64_t room = disk_free(x->c);
    if (room < 0 || room >= DISK_LITTLE) return;
    (void)snprintf(what, sizeof what, "%" PRId64 " MB are left on the disk of the hub.", room >> 20);
    put(x, &(struct hub_alert){
               .code = "disk",
               .alarm = room < DISK_NONE ? ALARM_BROKEN : ALARM_PERSON,
               .what = what,
               .next = "Make room, or give it a larger one. When it is full nothing is lost, and devices are told to "
                       "come again."});
}

static void look_at_store(struct doctor *x, struct hub *h)
{
    struct why why = {0};
    char what[sizeof why.text + 40];
    if (hub_probe(h, &why) == ERR_OK) return;
    (void)snprintf(what, sizeof what, "The store cannot be written: %s", why.text);
    put(x,
        &(struct hub_alert){
            .code = "store",
            .alarm = ALARM_BROKEN,
            .what = what,
            .next = "Devices are told to come again, and nothing is lost. Look at the disk, and who may write there."});
}

static enum err look_at_certificate(struct doctor *x, struct why *why)
{
    const char *path = cli_flag(x->c, "certificate"), *within = cli_flag(x->c, "certificate-within");
    struct why found_why = {0};
    int64_t limit = CERT_MS, ends = 0, now = env_now(x->c->env);
    char what[sizeof found_why.text + 80], when[64];
    if (path == NULL) return ERR_OK;
    enum err e = within != NULL ? show_read_span(within, &limit, why) : ERR_OK;
    if (e != ERR_OK) return e;
    struct hub_alert a = {.code = "certificate",
                          .alarm = ALARM_PERSON,
                          .what = what,
                          .next = "Renew it, and have the web server take the new one."};
    if (hub_certificate_ends(x->c->env, path, &ends, &found_why) != ERR_OK) {
        (void)snprintf(what, sizeof what, "The certificate could not be read: %s", found_why.text);
        a.next = "Is --certificate the file that the web server has, and may the hub's user read it?";
    } else if (ends - now > limit) {
        return ERR_OK;
    } else {
        show_time(ends, when, sizeof when);
        (void)snprintf(what, sizeof what,
                       ends > now ? "The certificate ends on %s; then no device reaches the hub."
                                  : "The certificate ended on %s: no device reaches the hub.",
                       when);
        if (ends <= now) a.alarm = ALARM_BROKEN;
    }
    put(x, &a);
    return ERR_OK;
}

/* ----------------------------------------------------------------------------------------------------------- doctor */

static enum err read_limits(const struct cli *c, struct hub_limits *out, struct why *why)
{
    const struct {
        const char *flag;
        int64_t *to;
    } spans[] = {{"silent", &out->silent},   {"unsent", &out->unsent}, {"unconfirmed", &out->unconfirmed},
                 {"waiting", &out->waiting}, {"backup", &out->backup}, {"verified", &out->verified}};
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < sizeof spans / sizeof spans[0]; i++)
        if (cli_flag(c, spans[i].flag) != NULL) e = show_read_span(cli_flag(c, spans[i].flag), spans[i].to, why);
    return e;
}

static enum err finish(struct doctor *x, struct why *why)
{
    struct cli *c = x->c;
    enum err e = ERR_OK;
    c->attention = x->n > 0;
    if (x->list != NULL) {
        struct json *o = json_object_new();
        json_set_str(o, "state", x->broken ? "broken" : x->n > 0 ? "person" : "ok");
        json_set_obj(o, "alerts", x->list);
        x->list = NULL;
        e = show_json(o, why);
    } else if (x->n == 0) {
        puts("Nothing wants a person.");
    }
    if (e != ERR_OK || !x->broken) return e;
    (void)why_set(why, ERR_FAILED, "Something is broken.");
    return why_next(why, ERR_FAILED, "See above; what is called broken keeps devices from being answered.");
}

static enum err doctor(struct cli *c, struct hub *h, struct why *why)
{
    struct doctor x = {.c = c, .list = c->json ? json_array_new() : NULL};
    struct hub_limits limits = {0};
    enum err e = read_limits(c, &limits, why);
    if (e == ERR_OK) {
        look_at_disk(&x);
        look_at_store(&x, h);
        e = look_at_certificate(&x, why);
    }
    if (e == ERR_OK) e = hub_restore_missing(h, missing, &x, why);
    if (e == ERR_OK) e = hub_alerts(h, &limits, found, &x, why);
    if (e == ERR_OK) return finish(&x, why);
    json_free(x.list);
    return e;
}

/* ----------------------------------------------------------------------------------------------------------- status */

static void say_age(const char *title, int64_t at, int64_t now, const char *never)
{
    char age[40], when[64];
    if (at == 0) {
        printf("%-18s %s\n", title, never);
        return;
    }
    show_span(now > at ? now - at : 0, age, sizeof age);
    show_time(at, when, sizeof when);
    printf("%-18s %s ago (%s)\n", title, age, when);
}

static void say_status(const struct cli *c, struct hub *h, const struct hub_status *s)
{
    char spoken[64], text[160];
    int64_t room = disk_free(c);
    identity_spoken(hub_identity(h)->kid, spoken, sizeof spoken);
    plain_text(text, sizeof text, bytes_of_str(hub_name(h)));
    printf("%-18s %s\n%-18s %s\n%-18s %llu\n", "Hub", text, "Fingerprint", spoken, "Epoch",
           (unsigned long long)s->epoch);
    printf("%-18s %s\n%-18s %lld\n", "Store", db_is_postgres(hub_db(h)) ? "PostgreSQL" : "SQLite", "Steps",
           (long long)s->version);
    printf("%-18s", "Devices");
    for (size_t i = 0; i < s->n_states; i++)
        printf("%s%lld %s", i > 0 ? ", " : " ", (long long)s->devices[i].n, s->devices[i].state);
    printf("%s\n", s->n_states == 0 ? " none" : "");
    printf("%-18s %lld\n", "Waiting work", (long long)s->waiting);
    if (s->waiting > 0) say_age("the oldest", s->waiting_since, s->now_ms, "");
    printf("%-18s %lld\n%-18s %lld\n", "Two versions", (long long)s->conflicts, "To be forgotten",
           (long long)s->unconfirmed);
    say_age("Last backup", s->backup_at, s->now_ms, "never");
    if (!s->journal.on)
        printf("%-18s none\n", "Journal");
    else if (s->journal.waiting == 0)
        printf("%-18s nothing waits for its folder\n", "Journal");
    else
        say_age("Journal waits", s->journal.waiting_since, s->now_ms, "");
    say_age("Last verified", s->verified_at, s->now_ms, "never");
    printf("%-18s number %lld%s\n", "Policy", (long long)s->policy_gen,
           s->policy_coming ? "; another one is coming" : "");
    printf("%-18s %s\n", "Clock", s->clock_doubted ? "it jumped, and is not believed yet" : "believed");
    printf("%-18s %lld leaves, %lld acts\n", "Log", (long long)s->log_leaves, (long long)s->acts);
    if (room >= 0) printf("%-18s %" PRId64 " MB free\n", "Disk", room >> 20);
}

static void set_time(struct json *o, const char *key, int64_t ms)
{
    char stamp[40];
    show_rfc3339(ms, stamp, sizeof stamp);
    json_set_str(o, key, ms != 0 ? stamp : NULL);
}

static struct json *status_json(const struct cli *c, struct hub *h, const struct hub_status *s)
{
    struct json *o = json_object_new(), *devices = json_object_new();
    char uuid[37], spoken[64];
    int64_t room = disk_free(c);
    uuid_format(hub_identity(h)->kid, uuid);
    identity_spoken(hub_identity(h)->kid, spoken, sizeof spoken);
    json_set_str(o, "name", hub_name(h));
    json_set_str(o, "id", uuid);
    json_set_str(o, "fingerprint", spoken);
    json_set_int(o, "epoch", (int64_t)s->epoch);
    json_set_str(o, "store", db_is_postgres(hub_db(h)) ? "postgres" : "sqlite");
    json_set_int(o, "version", s->version);
    json_set_int(o, "schema", (int64_t)s->schema);
    for (size_t i = 0; i < s->n_states; i++) json_set_int(devices, s->devices[i].state, s->devices[i].n);
    json_set_obj(o, "devices", devices);
    json_set_int(o, "waiting", s->waiting);
    set_time(o, "waiting_since", s->waiting_since);
    json_set_int(o, "conflicts", s->conflicts);
    json_set_int(o, "unconfirmed_drops", s->unconfirmed);
    set_time(o, "backup_at", s->backup_at);
    set_time(o, "verified_at", s->verified_at);
    json_set_bool(o, "journal", s->journal.on);
    json_set_int(o, "journal_waiting", s->journal.waiting);
    set_time(o, "journal_waiting_since", s->journal.waiting_since);
    json_set_bool(o, "journal_joined", s->journal.joined);
    json_set_int(o, "policy", s->policy_gen);
    json_set_bool(o, "policy_coming", s->policy_coming);
    json_set_bool(o, "clock_doubted", s->clock_doubted);
    json_set_int(o, "log_leaves", s->log_leaves);
    json_set_int(o, "acts", s->acts);
    if (room >= 0)
        json_set_int(o, "disk_free", room);
    else
        json_set_null(o, "disk_free");
    return o;
}

static enum err status(struct cli *c, struct hub *h, struct why *why)
{
    struct hub_status s;
    enum err e = hub_status(h, &s, why);
    if (e != ERR_OK) return e;
    if (c->json) return show_json(status_json(c, h, &s), why);
    say_status(c, h, &s);
    return ERR_OK;
}

static enum err run_doctor(struct cli *c, struct why *why)
{
    return hub_home_run(c, doctor, why);
}
static enum err run_status(struct cli *c, struct why *why)
{
    return hub_home_run(c, status, why);
}

static const struct flag doctor_flags[] = {
    {"silent", "SPAN", "a device without contact for so long (7d)"},
    {"unsent", "SPAN", "a change that was written so long ago and not sent (1d)"},
    {"unconfirmed", "SPAN", "an order to forget that is not confirmed for so long (7d)"},
    {"waiting", "SPAN", "work that waits for a manager for so long (3d)"},
    {"backup", "SPAN", "how old the last backup may be (2d)"},
    {"verified", "SPAN", "how long ago the store may have been verified (30d)"},
    {"certificate", "FILE", "the certificate (PEM) of the web server before the hub; it is not looked at unless given"},
    {"certificate-within", "SPAN", "and it ends within this time (14d)"},
    {0}};

const struct command hub_doctor_commands[] = {
    {"doctor", "", 0, 0,
     "Say what wants a person, and what to do about it: devices that are silent, unsent work, orders to forget that are not "
     "confirmed, room on the disk, age of the backup, and more. Exit code 0: nothing; 3: a person should look; 1: something is "
     "broken. Each kind has a code of its own, which stays (--json).",
     "spoke-hub doctor --silent 14d --certificate /etc/ssl/hub.pem", doctor_flags, run_doctor},
    {"status", "", 0, 0,
     "Say how the hub is: its name and fingerprint, epoch, store, devices by state, waiting work, last backup, policy, clock, log, "
     "and room on the disk.",
     "spoke-hub status", NULL, run_status},
    {0}};
