/* spoke-hub invite, node: the devices of the sites. */
#include "cli/hub_commands.h"
#include "cli/hub_home.h"

#include <stdio.h>
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
    "n.kid, s.code, t.agency, n.state, n.last_seen, n.unsent, "                                                        \
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
};

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
        "n.schema, " DROP_COLUMNS
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
     "anew with a new invitation (spoke enrol --again). One that is 'replaced' was: its successor stands beside it.",
     "spoke-hub node list", NULL, run_node_list},
    {"node show", "ID", 1, 1,
     "Show one device: when it was last in contact, what it has not sent, and what it was told to forget and has not "
     "confirmed, with how long that has waited.",
     "spoke-hub node show 3f2a90c1", NULL, run_node_show},
    {"node revoke", "ID", 1, 1,
     "Cut a device off, for instance one that was stolen. What it sends afterwards is held, not lost.",
     "spoke-hub node revoke 3f2a90c1 --reason \"left on a train\"", revoke_flags, run_node_revoke},
    {0}};
