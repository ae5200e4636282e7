/* spoke-hub node revoke, wipe, lost, retire: what cuts devices off. */
#include "cli/confirm.h"
#include "cli/hub_commands.h"
#include "cli/hub_home.h"
#include "cli/hub_proposal.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static enum err pick_node(struct cli *c, struct hub *h, uint8_t out_kid[16], struct why *why)
{
    return hub_home_pick(h, "SELECT kid FROM h_node WHERE kid >= $1 AND kid <= $2", c->args[0], "device",
                         out_kid, why);
}

static enum err count_of_site(struct hub *h, const char *site, int64_t *out, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(hub_db(h),
                            "SELECT count(*) FROM h_node n JOIN h_site k ON k.no = n.site_no WHERE k.code = $1 AND n.state IN "
                            "('enrolled', 'waiting', 'forked')",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, site);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) *out = db_int(s, 0);
    db_done(s);
    return e;
}

/* More than one at once reaches far. */
static enum err revoke_site(struct cli *c, struct hub *h, const char *site, const char *reason, struct why *why)
{
    const struct hub_proposal p = {.kind = PROPOSE_REVOKE_SITE, .text = bytes_of_str(site), .reason = reason};
    bool two = false;
    uint64_t n = 0;
    int64_t there = 0;
    char says[200];
    enum err e = hub_takes_two(h, &p, &two, why);
    if (e == ERR_OK) e = count_of_site(h, site, &there, why);
    (void)snprintf(says, sizeof says, "All devices of the site %.60s are cut off: %lld of them.", site, (long long)there);
    if (e == ERR_OK && two) return hub_proposal_make(c, h, &p, says, why);
    if (e == ERR_OK) e = hub_revoke_site(h, site, reason, &n, why);
    if (e != ERR_OK) return e;
    if (c->json) {
        struct json *o = json_object_new();
        json_set_str(o, "site", site);
        json_set_int(o, "revoked", (int64_t)n);
        return show_json(o, why);
    }
    printf("%llu %s of %s cut off: they get nothing more, and what they still send is held for a manager. What they hold already "
           "stays on them. Codes that were given for the site before, and not used, work no more.\n",
           (unsigned long long)n, n == 1 ? "device is" : "devices are", site);
    return ERR_OK;
}

static enum err node_revoke(struct cli *c, struct hub *h, struct why *why)
{
    uint8_t kid[16];
    char uuid[37];
    const char *reason = NULL;
    enum err e = cli_need(c, "reason", &reason, why);
    if (cli_has(c, "site") != (c->n_args == 0))
        return why_set(why, ERR_USAGE, "Name one device, or with --site all of a site.");
    if (e == ERR_OK && cli_has(c, "site")) return revoke_site(c, h, cli_flag(c, "site"), reason, why);
    if (e == ERR_OK) e = pick_node(c, h, kid, why);
    if (e == ERR_OK) e = hub_revoke(h, kid, reason, why);
    if (e != ERR_OK) return e;
    uuid_format(kid, uuid);
    return hub_home_said(c, "revoked", uuid,
                         "The device is cut off: it gets nothing more, and what it still sends is held for a manager. "
                         "What it holds already stays on it.",
                         why);
}

/* What is known of work there, before it is destroyed. */
struct unsent_there {
    int64_t n, oldest_ms, seen_ms; /* n -1: it was never heard */
};

static enum err read_unsent(struct hub *h, const uint8_t kid[16], struct unsent_there *out, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(hub_db(h), "SELECT coalesce(unsent, -1), coalesce(oldest_ms, 0), coalesce(last_seen, 0) FROM "
                            "h_node WHERE kid = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, kid);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) *out = (struct unsent_there){db_int(s, 0), db_int(s, 1), db_int(s, 2)};
    db_done(s);
    return e;
}

static void say_unsent(const struct unsent_there *u)
{
    char seen[64], oldest[64];
    show_time(u->seen_ms, seen, sizeof seen);
    show_time(u->oldest_ms, oldest, sizeof oldest);
    if (u->n < 0)
        puts("It was never heard, so nothing is known of work on it that was not sent.");
    else if (u->n == 0)
        printf("When it was heard last (%s), everything on it had been sent. What was written since is not known here.\n", seen);
    else
        printf("When it was heard last (%s), %lld %s on it had not been sent, the oldest written %s.\n", seen,
               (long long)u->n, u->n == 1 ? "change" : "changes", oldest);
}

/* A kind of wiping: what it is called, and what is said. */
struct ending {
    const char *fate; /* "": nothing but the wipe */
    bool at_once;
    const char *said, *more;
};

static void say_ending(const struct ending *x, const struct unsent_there *u)
{
    puts(x->said);
    say_unsent(u);
    puts(x->more);
}

static enum err ending_json(const uint8_t kid[16], const struct ending *x, const struct unsent_there *u, struct why *why)
{
    char uuid[37], stamp[40];
    struct json *o = json_object_new();
    uuid_format(kid, uuid);
    show_rfc3339(u->seen_ms, stamp, sizeof stamp);
    json_set_str(o, x->fate[0] != '\0' ? x->fate : "wipe", uuid);
    json_set_bool(o, "now", x->at_once);
    if (u->n >= 0) json_set_int(o, "unsent", u->n);
    json_set_str(o, "last_seen", u->seen_ms != 0 ? stamp : NULL);
    return show_json(o, why);
}

static enum err end(struct cli *c, struct hub *h, const struct ending *x, struct why *why)
{
    struct hub_proposal p = {.kind = PROPOSE_WIPE, .flag = x->at_once, .text = bytes_of_str(x->fate)};
    struct unsent_there u = {.n = -1};
    char uuid[37], says[400], unsent[100];
    bool two = false;
    enum err e = cli_need(c, "reason", &p.reason, why);
    if (e == ERR_OK) e = pick_node(c, h, p.kid, why);
    if (e == ERR_OK) e = read_unsent(h, p.kid, &u, why);
    if (e == ERR_OK) e = hub_takes_two(h, &p, &two, why);
    if (e != ERR_OK) return e;
    uuid_format(p.kid, uuid);
    if (u.n >= 0)
        (void)snprintf(unsent, sizeof unsent, "changes on it that it said it had not sent: %lld", (long long)u.n);
    else
        (void)snprintf(unsent, sizeof unsent, "it was never heard, so nobody knows what on it was not sent");
    (void)snprintf(says, sizeof says, "The device %s is %s%s wiped%s; %s.", uuid, x->fate, x->fate[0] != '\0' ? ", and" : "",
                   x->at_once ? " at once, with what it has not sent" : " once it has sent everything", unsent);
    if (two) return hub_proposal_make(c, h, &p, says, why);
    e = hub_wipe_as(h, p.kid, x->fate, p.reason, x->at_once, why);
    if (e != ERR_OK || c->json) return e == ERR_OK ? ending_json(p.kid, x, &u, why) : e;
    say_ending(x, &u);
    return ERR_OK;
}

static enum err node_wipe(struct cli *c, struct hub *h, struct why *why)
{
    static const char said[] = "The device is cut off, and to be wiped: the signed order is given to it with its next contact, also "
                               "while it is locked. Once it has it, nothing takes that back.";
    static const struct ending now = {"", true, said,
                                      "It does not wait for that (--now): what the contact does not bring is destroyed with the rest."};
    static const struct ending sent = {"", false, said,
                                       "It sends that first, and a manager decides on it; until then it is closed to people, but not "
                                       "wiped. With --now it would not wait, and what the contact does not bring would be destroyed."};
    return end(c, h, cli_has(c, "now") ? &now : &sent, why);
}

static enum err node_lost(struct cli *c, struct hub *h, struct why *why)
{
    static const char said[] = "The device is noted as lost. It is cut off, and to be wiped as soon as it asks, also while it is locked.";
    static const struct ending now = {"lost", true, said,
                                      "It does not wait for that: what the contact does not bring is destroyed with the rest."};
    static const struct ending sent = {"lost", false, said,
                                       "It sends that first (--when-sent), which it can only while somebody has it open: until then it is "
                                       "closed to people, but not wiped."};
    return end(c, h, cli_has(c, "when-sent") ? &sent : &now, why);
}

static enum err node_retire(struct cli *c, struct hub *h, struct why *why)
{
    static const struct ending x = {"retired", false,
                                    "The device is to be retired: with its next contact it is closed to people, sends what it has not sent, "
                                    "which is taken in as ever, and is then wiped.",
                                    "Have it unlocked and in contact once more (spoke sync). It is listed as retired when it has confirmed "
                                    "that nothing is left on it."};
    return end(c, h, &x, why);
}

/* --------------------------------------------------------------------------------------------- devices that wait */
static enum err say_fingerprint(struct cli *c, struct hub *h, const uint8_t kid[16], char spoken[48], struct why *why)
{
    char ours[48], question[400];
    identity_spoken(kid, spoken, 48);
    identity_spoken(hub_identity(h)->kid, ours, sizeof ours);
    if (c->json || !confirm_asks(c)) return ERR_OK;
    (void)snprintf(question, sizeof question,
                   "This device     %s\nThe MASH server %s\nHave both groups been read aloud from the device, and are they the same? Type yes:",
                   spoken, ours);
    return confirm_yes(c, question, "The device still waits.", why);
}

/* What somebody heard, in any spelling of groups. */
static bool same_groups(const char *typed, const char *spoken)
{
    for (;; typed++, spoken++) {
        while (*typed == ' ' || *typed == '-') typed++;
        while (*spoken == ' ' || *spoken == '-') spoken++;
        if (*typed == '\0' || *spoken == '\0') return *typed == *spoken;
        if (tolower((unsigned char)*typed) != tolower((unsigned char)*spoken)) return false;
    }
}

static enum err node_approve(struct cli *c, struct hub *h, struct why *why)
{
    uint8_t kid[16];
    char spoken[48], uuid[37];
    const char *heard = cli_flag(c, "fingerprint");
    enum err e = pick_node(c, h, kid, why);
    if (e != ERR_OK) return e;
    identity_spoken(kid, spoken, sizeof spoken);
    if (heard != NULL && !same_groups(heard, spoken)) {
        (void)why_set(why, ERR_REFUSED, "That is not the fingerprint of the device that joined here. It still waits.");
        return why_next(why, ERR_REFUSED, "Have it read once more. If it stays another: spoke-hub node refuse ID --reason TEXT");
    }
    if (heard == NULL) e = say_fingerprint(c, h, kid, spoken, why);
    if (e == ERR_OK) e = hub_device_approve(h, kid, why);
    if (e != ERR_OK) return e;
    uuid_format(kid, uuid);
    return hub_home_said(c, "approved", uuid, "The device is approved: with its next contact it gets what its site may see.", why);
}

static enum err node_refuse(struct cli *c, struct hub *h, struct why *why)
{
    uint8_t kid[16];
    char uuid[37];
    const char *reason = NULL;
    enum err e = cli_need(c, "reason", &reason, why);
    if (e == ERR_OK) e = pick_node(c, h, kid, why);
    if (e == ERR_OK) e = hub_device_refuse(h, kid, reason, why);
    if (e != ERR_OK) return e;
    uuid_format(kid, uuid);
    return hub_home_said(c, "refused", uuid,
                         "The device is refused: it never got anything, gets nothing, and nothing that it sends is taken.", why);
}

static enum err run_node_revoke(struct cli *c, struct why *why)
{
    return hub_home_run(c, node_revoke, why);
}

static enum err run_node_wipe(struct cli *c, struct why *why)
{
    return hub_home_run(c, node_wipe, why);
}

static enum err run_node_lost(struct cli *c, struct why *why)
{
    return hub_home_run(c, node_lost, why);
}
static enum err run_node_retire(struct cli *c, struct why *why)
{
    return hub_home_run(c, node_retire, why);
}
static enum err run_node_approve(struct cli *c, struct why *why)
{
    return hub_home_run(c, node_approve, why);
}
static enum err run_node_refuse(struct cli *c, struct why *why)
{
    return hub_home_run(c, node_refuse, why);
}

static const struct flag lost_flags[] = {
    {"reason", "TEXT", "why; it is kept"},
    {"when-sent", NULL, "let it send what it has not sent first, should somebody open it"},
    {0}};
static const struct flag approve_flags[] = {
    {"fingerprint", "GROUPS", "as it was read aloud from the device: compared here"}, {"yes", NULL, "it was compared: do not ask"}, {0}};
static const struct flag wipe_flags[] = {
    {"reason", "TEXT", "why; it is kept"},
    {"now", NULL, "do not wait until everything unsent on it has been sent: what the contact does not bring is destroyed"},
    {0}};
static const struct flag revoke_flags[] = {
    {"reason", "TEXT", "why; it is kept"}, {"site", "SITE", "all devices of this site, instead of one"}, {0}};
static const struct flag reason_flags[] = {{"reason", "TEXT", "why; it is kept"}, {0}};

const struct command hub_node_act_commands[] = {
    {"node revoke", "[ID]", 0, 1,
     "Cut a device off, or with --site all of a site. What they send afterwards is held, not lost. See what is on it before: "
     "spoke-hub preview revoke ID. One that is out of your hands: spoke-hub node lost ID.",
     "spoke-hub node revoke 3f2a90c1 --reason \"left on a train\"", revoke_flags, run_node_revoke},
    {"node wipe", "ID", 1, 1,
     "Have a device destroy everything on it, at its next contact, also while it is locked; it is cut off at once. It first "
     "sends what was written on it and not sent yet, unless you say --now. It confirms with a signed receipt: see node show. "
     "Once the device has the order, it cannot be taken back. One that is refused because it was put back from an old copy "
     "sends nothing before it is set up anew: give its site an invitation after this order (spoke enrol --again); it is "
     "wiped then.",
     "spoke-hub node wipe 3f2a90c1 --reason \"stolen from a car\"", wipe_flags, run_node_wipe},
    {"node lost", "ID", 1, 1,
     "Note that a device was lost or stolen: it is cut off, and destroys everything on it as soon as it asks for orders, which it does "
     "also while it is locked. What was written on it and not sent goes with it.",
     "spoke-hub node lost 3f2a90c1 --reason \"left on a train\"", lost_flags, run_node_lost},
    {"node retire", "ID", 1, 1,
     "Have a device send everything that is left on it, and then wipe itself, so that it can be given away.",
     "spoke-hub node retire 3f2a90c1 --reason \"replaced by a new laptop\"", reason_flags, run_node_retire},
    {"node approve", "ID", 1, 1,
     "Approve a device that waits, after its fingerprint was read aloud and is the same on both sides. Not by who gave its invitation.",
     "spoke-hub node approve 3f2a90c1", approve_flags, run_node_approve},
    {"node refuse", "ID", 1, 1, "Refuse a device that waits for approval: it gets nothing, and nothing of it is taken, now or later.",
     "spoke-hub node refuse 3f2a90c1 --reason \"nobody at the site knows it\"", reason_flags, run_node_refuse},
    {0}};
