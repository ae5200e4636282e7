/* spoke-hub bundle, held, conflict, act, verify: what lies in the store. */
#include "cli/hub_commands.h"
#include "cli/hub_home.h"
#include "hub/watch.h"
#include "sync/bundle.h"

#include <stdio.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ----------------------------------------------------------------------------------------------------- bundle */
/* Not a failure: a courier was slow. */
static enum err say_late(struct cli *c, struct why *why)
{
    c->attention = true; /* there is no answer to carry back */
    if (c->json) {
        struct json *o = json_object_new();
        json_set_bool(o, "late", true);
        return show_json(o, why);
    }
    puts("This file came late: newer ones of the same device came before it, and everything in it had been taken in "
         "already. Nothing was changed, and no answer was written. Carry on with the device's newest file.");
    return ERR_OK;
}

static enum err exchange(struct cli *c, struct hub *h, struct why *why)
{
    struct buf in, out;
    buf_init(&in, BUNDLE_MAX);
    buf_init(&out, BUNDLE_MAX);
    enum err e = c->env->read_file(c->env->ctx, c->args[0], BUNDLE_MAX, &in, why);
    if (e == ERR_OK) e = hub_exchange_file(h, buf_bytes(&in), &out, why);
    if (e == ERR_EXISTS) {
        e = say_late(c, why);
        goto out;
    }
    if (e == ERR_OK) e = c->env->write_file(c->env->ctx, c->args[1], buf_bytes(&out), why);
    if (e == ERR_OK && c->json) {
        struct json *o = json_object_new();
        json_set_int(o, "bytes_in", (int64_t)in.len);
        json_set_int(o, "bytes_out", (int64_t)out.len);
        e = show_json(o, why);
    } else if (e == ERR_OK) {
        printf("The answer is in %s (%zu bytes). Take it to the same device: spoke bundle import FILE\n", c->args[1],
               out.len);
    }
out:
    buf_release(&in);
    buf_release(&out);
    return e;
}

/* ------------------------------------------------------------------------------------------ held and conflicts */
static enum err list_held(struct cli *c, struct hub *h, struct why *why)
{
    static const struct show_column cols[] = {{"node", "Device", SHOW_ID},   {"seq", "Change", SHOW_INT},
                                              {"site", "Site", SHOW_TEXT},   {"agency", "Agency", SHOW_TEXT},
                                              {"state", "State", SHOW_TEXT}, {"found_at", "Since", SHOW_TIME},
                                              {"age_ms", "For", SHOW_AGE},   {"fault", "Fault", SHOW_BOOL}};
    struct stmt *s = NULL;
    enum err e = db_prepare(hub_db(h),
                            "SELECT n.kid, x.seq, s.code, t.agency, x.state, x.found_at, $1 - x.found_at, x.fault "
                            "FROM h_held x JOIN h_node n ON n.no = x.node_no JOIN h_site s ON s.no = n.site_no "
                            "LEFT JOIN site t ON t.code = s.code WHERE $2 = 1 OR x.state = 'waiting' "
                            "ORDER BY x.found_at, n.no, x.seq",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, env_now(c->env));
    db_bind_int(s, 2, cli_has(c, "all"));
    return show_list(c, s, cols, COUNT(cols), "Nothing is held.", NULL, why);
}

static enum err list_conflicts(struct cli *c, struct hub *h, struct why *why)
{
    static const struct show_column cols[] = {{"tbl", "Table", SHOW_TEXT},
                                              {"state", "State", SHOW_TEXT},
                                              {"count", "Count", SHOW_INT},
                                              {"oldest", "Oldest", SHOW_TIME},
                                              {"newest", "Newest", SHOW_TIME}};
    return hub_home_list(
        c, h,
        "SELECT tbl, state, count(*), min(found_at), max(found_at) FROM conflict WHERE voided_at IS NULL "
        "GROUP BY tbl, state ORDER BY tbl, state",
        cols, COUNT(cols), "There are no conflicts.", why);
}

/* Each contact may bring attempts to open a case: the newest are what is looked for. */
static enum err list_acts(struct cli *c, struct hub *h, struct why *why)
{
    static const struct show_column cols[] = {{"no", NULL, SHOW_INT},
                                              {"at", "When", SHOW_TIME},
                                              {"act", "What", SHOW_TEXT},
                                              {"about", "About", SHOW_TEXT},
                                              {"reason", "Why, and what came of it", SHOW_TEXT},
                                              {"who", "Who", SHOW_TEXT},
                                              {"second", "Approved by", SHOW_TEXT}};
    struct stmt *s = NULL;
    enum err e =
        db_prepare(hub_db(h), "SELECT a.no, a.at, a.act, a.about, a.reason, b.who, b.second FROM h_act a LEFT JOIN h_act_by b ON "
                   "b.act_no = a.no ORDER BY a.no DESC LIMIT $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, cli_has(c, "all") ? INT64_MAX : 100);
    return show_list(c, s, cols, COUNT(cols), "Nothing was done yet.", NULL, why);
}

static enum err verify(struct cli *c, struct hub *h, struct why *why)
{
    enum err e = hub_verify(h, why);
    if (e == ERR_OK) e = hub_verified(h, why);
    if (e != ERR_OK) return e;
    if (!c->json) {
        puts("Who sees what was worked out anew for every row, and agrees with what is stored.");
        return ERR_OK;
    }
    struct json *o = json_object_new();
    json_set_bool(o, "verified", true);
    return show_json(o, why);
}

static enum err run_exchange(struct cli *c, struct why *why)
{
    return hub_home_run(c, exchange, why);
}
static enum err run_held(struct cli *c, struct why *why)
{
    return hub_home_run(c, list_held, why);
}
static enum err run_conflicts(struct cli *c, struct why *why)
{
    return hub_home_run(c, list_conflicts, why);
}
static enum err run_acts(struct cli *c, struct why *why)
{
    return hub_home_run(c, list_acts, why);
}
static enum err run_verify(struct cli *c, struct why *why)
{
    return hub_home_run(c, verify, why);
}

static const struct flag held_flags[] = {{"all", NULL, "also what a manager has decided already"}, {0}};
static const struct flag act_flags[] = {{"all", NULL, "also those before the last 100"}, {0}};

const struct command hub_store_commands[] = {
    {"bundle exchange", "IN OUT", 2, 2,
     "Answer a bundle that a device brought as a file, for instance on a USB stick. "
     "IN is its request, OUT gets the answer.",
     "spoke-hub bundle exchange /media/usb/request.spoke /media/usb/answer.spoke", NULL, run_exchange},
    {"held list", "", 0, 0,
     "List the changes that were not accepted: whose, since when, and whether something was wrong with them. What they "
     "say is shown to the area's manager at a MASH device alone.",
     "spoke-hub held list", held_flags, run_held},
    {"conflict list", "", 0, 0, "Count the conflicts by table and state.", "spoke-hub conflict list", NULL,
     run_conflicts},
    {"act list", "", 0, 0,
     "List what administrators did, and what the hub noted for them: devices refused, clocks that jumped, every attempt "
     "to open a case in an emergency. The newest first.",
     "spoke-hub act list", act_flags, run_acts},
    {"verify", "", 0, 0, "Check the store. Who sees what is worked out anew for every row and compared.",
     "spoke-hub verify", NULL, run_verify},
    {0}};
