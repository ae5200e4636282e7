/* spoke-hub invite, node: the devices of the sites. */
#include "cli/hub_commands.h"
#include "cli/hub_home.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a)        (sizeof(a) / sizeof((a)[0]))
#define DEFAULT_ADDRESS "http://127.0.0.1:8470"

/* ----------------------------------------------------------------------------------------------------- invite */
static enum err give_code(struct cli *c, struct buf *code, const char *site, const char *address, int64_t until,
                          struct why *why)
{
    const char *file = cli_flag(c, "code-file");
    char stamp[40];
    enum err e = ERR_OK;
    if (buf_cstr(code) == NULL) return why_set(why, code->err, "There is not enough memory for the code.");
    if (file != NULL) {
        buf_put_u8(code, '\n');
        e = c->env->write_file(c->env->ctx, file, buf_bytes(code), why);
    }
    if (e != ERR_OK) return e;
    if (c->json) {
        struct json *o = json_object_new();
        json_set_str(o, file != NULL ? "code_file" : "code", file != NULL ? file : buf_cstr(code));
        json_set_str(o, "site", site);
        json_set_str(o, "address", address);
        show_rfc3339(until, stamp, sizeof stamp);
        json_set_str(o, "expires_at", stamp);
        return show_json(o, why);
    }
    if (file == NULL) printf("%s\n", buf_cstr(code));
    show_time(until, stamp, sizeof stamp);
    fprintf(stderr, "The code works once, until %s, for a device of %s that reaches the hub at %s.\n", stamp, site,
            address);
    fprintf(stderr, "Give it in person or by telephone, not in the same way as the device.\n");
    return ERR_OK;
}

static enum err invite(struct cli *c, struct hub *h, struct why *why)
{
    const char *address = cli_flag(c, "address"), *expires = cli_flag(c, "expires");
    int64_t span = 0;
    struct buf code;
    buf_init(&code, 4096);
    if (address == NULL) address = DEFAULT_ADDRESS;
    enum err e = show_read_span(expires != NULL ? expires : "7d", &span, why);
    if (e == ERR_OK) e = hub_invite(h, c->args[0], address, span, &code, why);
    if (e == ERR_OK) e = give_code(c, &code, c->args[0], address, env_now(c->env) + span, why);
    buf_release(&code);
    return e;
}

/* ------------------------------------------------------------------------------------------------------ nodes */
#define NODE_COLUMNS                                                                                                   \
    "n.kid, s.code, t.agency, CASE WHEN n.state <> 'wiped' AND EXISTS(SELECT 1 FROM h_order w WHERE w.node_no = n.no " \
    "AND w.kind = 2) THEN 'to be wiped' ELSE n.state END, n.last_seen, n.unsent, "                                     \
    "(SELECT count(*) FROM h_drop d WHERE d.node_no = n.no AND d.receipt_at IS NULL), n.skew_ms, n.software "

static const struct show_column node_columns[] = {
    {"id", "Device", SHOW_ID},
    {"site", "Site", SHOW_TEXT},
    {"agency", NULL, SHOW_TEXT},
    {"state", "State", SHOW_TEXT},
    {"last_seen", "Last contact", SHOW_TIME},
    {"unsent", "Not sent", SHOW_INT},
    {"unconfirmed_drops", "To forget", SHOW_INT},
    {"skew_ms", NULL, SHOW_INT},
    {"software", "Software", SHOW_TEXT},
    /* node show alone: */
    {"enrolled_at", "Enrolled", SHOW_TIME},
    {"user", "Enrolled by", SHOW_TEXT},
    {"oldest_unsent", "Oldest unsent", SHOW_TIME},
    {"reason", "Reason", SHOW_TEXT},
    {"changes", "Changes taken", SHOW_INT},
    {"held", "Held or waiting", SHOW_INT},
    {"rounds", "Rounds", SHOW_INT},
    {"replaces", "In the place of", SHOW_ID},
    {"replaced_by", "Its place is taken by", SHOW_ID},
    {"schema", NULL, SHOW_INT},
    {"oldest_unconfirmed_drop", "To forget since", SHOW_TIME},
    {"unconfirmed_drop_age_ms", "Unconfirmed for", SHOW_AGE},
    {"confirmed_drops", "Confirmed removed", SHOW_INT},
    {"last_confirmed", "Confirmed last", SHOW_TIME},
    {"parked", "Unsent work that still names such rows", SHOW_INT},
    {"lease_days", "Locks after days without contact", SHOW_INT},
    {"lease_told", "The device has taken that", SHOW_TEXT},
    {"wipe_ordered", "To be wiped since", SHOW_TIME},
    {"wipe_at_once", "Before that, it sends", SHOW_TEXT},
    {"wipe_sent", "The device was told", SHOW_TIME},
    {"wiped_at", "Wiped on", SHOW_TIME},
    {"destroyed_unsent", "Changes destroyed unsent", SHOW_TEXT},
    {"knocked_at", "Asked for orders last", SHOW_TIME},
};

/* The orders to it that stand. */
#define LEASE "FROM h_order o WHERE o.node_no = n.no AND o.kind = 1 ORDER BY o.number DESC LIMIT 1)"
#define WIPE  "FROM h_order o WHERE o.node_no = n.no AND o.kind = 2 ORDER BY o.number DESC LIMIT 1)"
#define ORDER_COLUMNS                                                                                                  \
    ", coalesce((SELECT o.value " LEASE ", 30), coalesce((SELECT iif(o.done_at IS NULL, 'not yet', 'yes') " LEASE      \
    ", 'the usual'), (SELECT min(o.at) FROM h_order o WHERE o.node_no = n.no AND o.kind = 2), "                        \
    "(SELECT iif(o.value = 1, 'what the contact allows', 'everything unsent') " WIPE ", (SELECT o.sent_at " WIPE       \
    ", n.wiped_at, (SELECT CASE WHEN o.receipt IS NULL THEN NULL ELSE coalesce(o.unsent, 'it could not count them') "  \
    "END FROM h_order o WHERE o.node_no = n.no AND o.kind = 2 ORDER BY o.receipt IS NULL, o.number DESC LIMIT 1), "    \
    "n.knocked_at "

/* Of the orders to forget: since when the oldest waits for its receipt, and what was confirmed. $1 is the hub's clock. */
#define DROP_COLUMNS                                                                                                   \
    "(SELECT min(d.ordered_at) FROM h_drop d WHERE d.node_no = n.no AND d.receipt_at IS NULL), "                       \
    "$1 - (SELECT min(d.ordered_at) FROM h_drop d WHERE d.node_no = n.no AND d.receipt_at IS NULL), "                  \
    "(SELECT count(*) FROM h_drop d WHERE d.node_no = n.no AND d.receipt_at IS NOT NULL), "                            \
    "(SELECT max(d.receipt_at) FROM h_drop d WHERE d.node_no = n.no), "                                                \
    "(SELECT sum(o.parked) FROM h_drop_order o WHERE o.node_no = n.no) "

static enum err node_list(struct cli *c, struct hub *h, struct why *why)
{
    return hub_home_list(c, h, "SELECT " NODE_COLUMNS
                         "FROM h_node n JOIN h_site s ON s.no = n.site_no LEFT JOIN site t ON t.code = s.code "
                         "ORDER BY s.code, n.no", node_columns, 9,
                         "No device is enrolled yet.", why);
}

static enum err pick_node(struct cli *c, struct hub *h, uint8_t out_kid[16], struct why *why)
{
    return hub_home_pick(h, "SELECT kid FROM h_node WHERE substr(hex(kid), 1, length($1)) = $1", c->args[0], "device",
                         out_kid, why);
}

static enum err node_show(struct cli *c, struct hub *h, struct why *why)
{
    static const char sql[] =
        "SELECT " NODE_COLUMNS ", n.enrolled_at, (SELECT i.user_name FROM h_invite i WHERE i.node_no = n.no), "
        "nullif(n.oldest_ms, 0), n.reason, n.last_seq, "
        "(SELECT count(*) FROM h_held x WHERE x.node_no = n.no AND x.state = 'waiting'), n.last_request, "
        "(SELECT o.kid FROM h_node o WHERE o.no = n.replaces), (SELECT o.kid FROM h_node o WHERE "
        "o.replaces = n.no ORDER BY o.no DESC LIMIT 1), "
        "n.schema, " DROP_COLUMNS ORDER_COLUMNS
        "FROM h_node n JOIN h_site s ON s.no = n.site_no LEFT JOIN site t ON t.code = s.code WHERE n.kid = $2";
    uint8_t kid[16];
    struct stmt *s = NULL;
    bool found = false;
    enum err e = pick_node(c, h, kid, why);
    if (e == ERR_OK) e = db_prepare(hub_db(h), sql, &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, env_now(c->env));
    db_bind_id(s, 2, kid);
    e = show_one(c, s, node_columns, COUNT(node_columns), &found, why);
    if (e == ERR_OK && !c->json)
        fprintf(stderr, "Confirmed means: gone from Spoke's files on that device, its log and what waits there to be taken "
                        "in. It says nothing of blocks of its disk that were freed before, nor of copies of the disk.\n");
    return e;
}

static enum err node_revoke(struct cli *c, struct hub *h, struct why *why)
{
    uint8_t kid[16];
    char uuid[37];
    const char *reason = NULL;
    enum err e = cli_need(c, "reason", &reason, why);
    if (e == ERR_OK) e = pick_node(c, h, kid, why);
    if (e == ERR_OK) e = hub_revoke(h, kid, reason, why);
    if (e != ERR_OK) return e;
    uuid_format(kid, uuid);
    return hub_home_said(c, "revoked", uuid,
                         "The device is cut off: it gets nothing more, and what it still sends is held for a manager. "
                         "What it holds already stays on it.",
                         why);
}

static enum err node_lease(struct cli *c, struct hub *h, struct why *why)
{
    uint8_t kid[16];
    char uuid[37], said[200], *end = NULL;
    const char *text = c->args[1];
    unsigned long long days = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || days == 0 || days > LEASE_MAX_DAYS)
        return why_set(why, ERR_USAGE, "DAYS is a number from 1 to %u.", LEASE_MAX_DAYS);
    enum err e = pick_node(c, h, kid, why);
    if (e == ERR_OK) e = hub_lease(h, kid, days, why);
    if (e != ERR_OK) return e;
    uuid_format(kid, uuid);
    (void)snprintf(said, sizeof said,
                   "From its next contact on, the device locks when it has had no contact for %llu %s. It is signed, and "
                   "given with each answer until the device has taken it.",
                   days, days == 1 ? "day" : "days");
    return hub_home_said(c, "lease", uuid, said, why);
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

static void say_wipe(const struct unsent_there *u, bool now)
{
    char seen[64], oldest[64];
    show_time(u->seen_ms, seen, sizeof seen);
    show_time(u->oldest_ms, oldest, sizeof oldest);
    puts("The device is cut off, and to be wiped: the signed order is given to it with its next contact, also while it is "
         "locked. Once it has it, nothing takes that back.");
    if (u->n < 0)
        puts("It was never heard, so nothing is known of work on it that was not sent.");
    else if (u->n == 0)
        printf("When it was heard last (%s), everything on it had been sent. What was written since is not known here.\n", seen);
    else
        printf("When it was heard last (%s), %lld %s on it had not been sent, the oldest written %s.\n", seen,
               (long long)u->n, u->n == 1 ? "change" : "changes", oldest);
    if (now)
        puts("It does not wait for that (--now): what the contact does not bring is destroyed with the rest.");
    else
        puts("It sends that first, and a manager decides on it; until then it is closed to people, but not wiped. With --now "
             "it would not wait, and what the contact does not bring would be destroyed.");
}

static enum err node_wipe(struct cli *c, struct hub *h, struct why *why)
{
    uint8_t kid[16];
    char uuid[37], stamp[40];
    const char *reason = NULL;
    struct unsent_there u = {.n = -1};
    bool now = cli_has(c, "now");
    enum err e = cli_need(c, "reason", &reason, why);
    if (e == ERR_OK) e = pick_node(c, h, kid, why);
    if (e == ERR_OK) e = read_unsent(h, kid, &u, why);
    if (e == ERR_OK) e = hub_wipe(h, kid, reason, now, why);
    if (e != ERR_OK) return e;
    if (!c->json) {
        say_wipe(&u, now);
        return ERR_OK;
    }
    struct json *o = json_object_new();
    uuid_format(kid, uuid);
    show_rfc3339(u.seen_ms, stamp, sizeof stamp);
    json_set_str(o, "wipe", uuid);
    json_set_bool(o, "now", now);
    if (u.n >= 0) json_set_int(o, "unsent", u.n);
    json_set_str(o, "last_seen", u.seen_ms != 0 ? stamp : NULL);
    return show_json(o, why);
}

static enum err run_invite(struct cli *c, struct why *why)
{
    return hub_home_run(c, invite, why);
}
static enum err run_node_list(struct cli *c, struct why *why)
{
    return hub_home_run(c, node_list, why);
}
static enum err run_node_show(struct cli *c, struct why *why)
{
    return hub_home_run(c, node_show, why);
}
static enum err run_node_revoke(struct cli *c, struct why *why)
{
    return hub_home_run(c, node_revoke, why);
}

static enum err run_node_lease(struct cli *c, struct why *why)
{
    return hub_home_run(c, node_lease, why);
}
static enum err run_node_wipe(struct cli *c, struct why *why)
{
    return hub_home_run(c, node_wipe, why);
}

static const struct flag wipe_flags[] = {
    {"reason", "TEXT", "why; it is kept"},
    {"now", NULL, "do not wait until everything unsent on it has been sent: what the contact does not bring is destroyed"},
    {0}};
static const struct flag invite_flags[] = {
    {"expires", "SPAN", "how long the code works: 12h, 7d (default), 2w"},
    {"address", "URL", "where the device reaches this hub (default " DEFAULT_ADDRESS ")"},
    {"code-file", "FILE", "write the code into FILE, readable by you alone, instead of printing it"},
    {0}};
static const struct flag revoke_flags[] = {{"reason", "TEXT", "why; it is kept"}, {0}};

const struct command hub_device_commands[] = {
    {"invite", "SITE", 1, 1,
     "Make a code with which one device of a site can enrol, once. The code carries the hub's address (" DEFAULT_ADDRESS
     " unless --address says another) and its fingerprint, so that the device knows it speaks to this hub.",
     "spoke-hub invite csc-mash --expires 2d --address https://hub.example.org", invite_flags, run_invite},
    {"node list", "", 0, 0,
     "List the devices, when each was last in contact, what it has not sent and has not confirmed to have forgotten. A "
     "device that is 'forked' was put back from an old copy, or a copy of it is in use: it is not heard until it is set up "
     "anew with a new invitation (spoke enrol --again). One that is 'replaced' was: its successor stands beside it. "
     "One that is 'to be wiped' was ordered to destroy what is on it; 'wiped', it has said that it did.",
     "spoke-hub node list", NULL, run_node_list},
    {"node show", "ID", 1, 1,
     "Show one device: when it was last in contact, what it has not sent, and what it was told to forget and has not "
     "confirmed, with how long that has waited.",
     "spoke-hub node show 3f2a90c1", NULL, run_node_show},
    {"node revoke", "ID", 1, 1,
     "Cut a device off, for instance one that was stolen. What it sends afterwards is held, not lost.",
     "spoke-hub node revoke 3f2a90c1 --reason \"left on a train\"", revoke_flags, run_node_revoke},
    {"node lease", "ID DAYS", 2, 2,
     "Say after how many days without contact a device locks (30 unless you say otherwise; 1 to 3650). It stays open to "
     "contact, and opens again with it.",
     "spoke-hub node lease 3f2a90c1 14", NULL, run_node_lease},
    {"node wipe", "ID", 1, 1,
     "Have a device destroy everything on it, at its next contact, also while it is locked; it is cut off at once. It first "
     "sends what was written on it and not sent yet, unless you say --now. It confirms with a signed receipt: see node show. "
     "Once the device has the order, it cannot be taken back. One that is refused because it was put back from an old copy "
     "sends nothing before it is set up anew: give its site an invitation after this order (spoke enrol --again); it is "
     "wiped then.",
     "spoke-hub node wipe 3f2a90c1 --reason \"stolen from a car\"", wipe_flags, run_node_wipe},
    {0}};
