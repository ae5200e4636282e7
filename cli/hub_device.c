/* spoke-hub node list, show, lease: the devices of the sites. What cuts them off: cli/hub_node_act.c. */
#include "cli/hub_commands.h"
#include "cli/hub_home.h"
#include "cli/hub_nodes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a)        (sizeof(a) / sizeof((a)[0]))

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
    {"software", NULL, SHOW_TEXT},
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
    ", coalesce((SELECT o.value " LEASE ", 30), coalesce((SELECT CASE WHEN o.done_at IS NULL THEN 'not yet' "          \
    "ELSE 'yes' END " LEASE ", 'the usual'), "                                                                         \
    "(SELECT min(o.at) FROM h_order o WHERE o.node_no = n.no AND o.kind = 2), "                                        \
    "(SELECT CASE WHEN o.value = 1 THEN 'what the contact allows' ELSE 'everything unsent' END " WIPE                  \
    ", (SELECT o.sent_at " WIPE ", n.wiped_at, (SELECT CASE WHEN o.receipt IS NULL THEN NULL "                         \
    "ELSE coalesce(CAST(o.unsent AS TEXT), 'it could not count them') END FROM h_order o "                             \
    "WHERE o.node_no = n.no AND o.kind = 2 ORDER BY o.receipt IS NULL, o.number DESC LIMIT 1), "                       \
    "n.knocked_at "

/* Of the orders to forget: since when the oldest waits for its receipt, and what was confirmed. $1 is the hub's
 * clock. */
#define DROP_COLUMNS                                                                                                   \
    "(SELECT min(d.ordered_at) FROM h_drop d WHERE d.node_no = n.no AND d.receipt_at IS NULL), "                       \
    "$1 - (SELECT min(d.ordered_at) FROM h_drop d WHERE d.node_no = n.no AND d.receipt_at IS NULL), "                  \
    "(SELECT count(*) FROM h_drop d WHERE d.node_no = n.no AND d.receipt_at IS NOT NULL), "                            \
    "(SELECT max(d.receipt_at) FROM h_drop d WHERE d.node_no = n.no), "                                                \
    "(SELECT sum(o.parked) FROM h_drop_order o WHERE o.node_no = n.no) "

static enum err pick_node(struct cli *c, struct hub *h, uint8_t out_kid[16], struct why *why)
{
    return hub_home_pick(h, "SELECT kid FROM h_node WHERE kid >= $1 AND kid <= $2", c->args[0], "device",
                         out_kid, why);
}

/* What the store has of it, and what is watched of it. */
static enum err node_json(struct cli *c, struct hub *h, struct stmt *s, const uint8_t kid[16], struct why *why)
{
    bool row = false;
    struct json *o = NULL;
    enum err e = db_step(s, &row, why);
    if (e == ERR_OK && row) o = show_object(s, node_columns, COUNT(node_columns));
    db_done(s);
    if (e == ERR_OK && row) e = hub_nodes_more(c, h, kid, o, why);
    if (e == ERR_OK && row) return show_json(o, why);
    json_free(o);
    return e;
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
    e = c->json ? node_json(c, h, s, kid, why) : show_one(c, s, node_columns, COUNT(node_columns), &found, why);
    if (e == ERR_OK && !c->json) e = hub_nodes_more(c, h, kid, NULL, why);
    if (e == ERR_OK && !c->json)
        fprintf(stderr, "Confirmed means: gone from Spoke's files on that device, its log and what waits there to be taken "
                        "in. It says nothing of blocks of its disk that were freed before, nor of copies of the disk.\n");
    return e;
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

static enum err node_budget(struct cli *c, struct hub *h, struct why *why)
{
    uint8_t kid[16];
    bool all = strcmp(c->args[0], "all") == 0;
    enum err e = all ? ERR_OK : pick_node(c, h, kid, why);
    return e == ERR_OK ? hub_nodes_budget(c, h, all ? NULL : kid, c->args[1], why) : e;
}

static enum err run_node_list(struct cli *c, struct why *why)
{
    return hub_home_run(c, hub_nodes_list, why);
}
static enum err run_node_show(struct cli *c, struct why *why)
{
    return hub_home_run(c, node_show, why);
}
static enum err run_node_budget(struct cli *c, struct why *why)
{
    return hub_home_run(c, node_budget, why);
}

static enum err run_node_lease(struct cli *c, struct why *why)
{
    return hub_home_run(c, node_lease, why);
}
static const struct flag budget_flags[] = {{"reason", "TEXT", "why; it is kept"}, {0}};

const struct command hub_device_commands[] = {
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
    {"node budget", "ID ROWS", 2, 2,
     "Say how many rows a device may hold (200,000 unless you say otherwise); for ID, 'all' means each of which nothing else was "
     "said; for ROWS, 'usual' takes back what was. A device that holds as many gets nothing new until there is room: it is told so, "
     "what is written on it still comes here, and what it has to forget it still forgets. Four fifths of it raise an alarm "
     "(spoke-hub doctor).",
     "spoke-hub node budget 3f2a90c1 300000 --reason \"county office\"", budget_flags, run_node_budget},
    {"node lease", "ID DAYS", 2, 2,
     "Say after how many days without contact a device locks (30 unless you say otherwise; 1 to 3650). It stays open to "
     "contact, and opens again with it.",
     "spoke-hub node lease 3f2a90c1 14", NULL, run_node_lease},
    {0}};
