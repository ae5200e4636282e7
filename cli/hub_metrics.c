/* spoke-hub metrics: figures for a monitoring program, in the text exposition format of Prometheus (version 0.0.4). Devices
 * are named by their site and key, never anything of a case. */
#include "cli/hub_commands.h"
#include "cli/hub_home.h"

#include <inttypes.h>
#include <stdio.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* One family: `sql` gives kid, site, value; a NULL value is left out. $1 is the hub's clock. */
struct family {
    const char *name, *help, *sql;
    int64_t divide; /* milliseconds to seconds, as the format asks for base units */
};

#define OF_NODES "FROM h_node n JOIN h_site s ON s.no = n.site_no"
#define OPEN     "FROM h_drop d WHERE d.node_no = n.no AND d.receipt_at IS NULL"
static const struct family families[] = {
    {"spoke_unconfirmed_drops", "Rows that the device was told to forget and has not confirmed.",
     "SELECT n.kid, s.code, (SELECT count(*) " OPEN ") + 0 * $1 " OF_NODES, 1},
    {"spoke_oldest_unconfirmed_drop_age_seconds", "How long the oldest unconfirmed order to forget has waited.",
     "SELECT n.kid, s.code, (SELECT $1 - min(d.ordered_at) " OPEN ") " OF_NODES, 1000},
    {"spoke_last_contact_age_seconds", "How long ago the device was last in contact.",
     "SELECT n.kid, s.code, $1 - n.last_seen " OF_NODES, 1000},
    {"spoke_unsent_changes", "Changes that the device had not sent, as it last said.",
     "SELECT n.kid, s.code, n.unsent + 0 * $1 " OF_NODES, 1},
    {"spoke_held_changes", "Changes of the device that wait for a manager.",
     "SELECT n.kid, s.code, (SELECT count(*) FROM h_held x WHERE x.node_no = n.no AND x.state = 'waiting') + 0 * $1 " OF_NODES,
     1},
};

/* A label's value: backslash, quote and line feed are written with a backslash. */
static void put_label(struct bytes v)
{
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] == '\n') {
            fputs("\\n", stdout);
            continue;
        }
        if (v.p[i] == '\\' || v.p[i] == '"') putchar('\\');
        putchar(v.p[i]);
    }
}

/* One sample: for --json into list, else as a line. A clock that was set back makes no negative age. */
static void put_sample(struct json *list, const struct family *f, struct stmt *s)
{
    struct bytes kid = db_bytes(s, 0);
    int64_t value = db_int(s, 2) < 0 ? 0 : db_int(s, 2);
    char hex[65] = "";
    for (size_t i = 0; i < kid.n && i < 32; i++) (void)snprintf(hex + 2 * i, 3, "%02x", kid.p[i]);
    if (list != NULL) {
        struct json *o = json_object_new();
        json_set_str(o, "name", f->name);
        json_set_str(o, "node", hex);
        json_set_text(o, "site", db_bytes(s, 1));
        json_set_int(o, "value", value / f->divide);
        json_append(list, o);
        return;
    }
    printf("%s{node=\"%s\",site=\"", f->name, hex);
    put_label(db_bytes(s, 1));
    if (f->divide == 1)
        printf("\"} %" PRId64 "\n", value);
    else
        printf("\"} %" PRId64 ".%03" PRId64 "\n", value / f->divide, value % f->divide);
}

static enum err put_family(struct hub *h, struct json *list, const struct family *f, int64_t now, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(hub_db(h), f->sql, &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, now);
    if (list == NULL) printf("# HELP %s %s\n# TYPE %s gauge\n", f->name, f->help, f->name);
    while ((e = db_step(s, &row, why)) == ERR_OK && row)
        if (!db_is_null(s, 2)) put_sample(list, f, s);
    db_done(s);
    return e;
}

static enum err metrics(struct cli *c, struct hub *h, struct why *why)
{
    struct json *list = c->json ? json_array_new() : NULL;
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < COUNT(families); i++)
        e = put_family(h, list, &families[i], env_now(c->env), why);
    if (e == ERR_OK && c->json) return show_json(list, why);
    json_free(list);
    return e;
}

static enum err run_metrics(struct cli *c, struct why *why)
{
    return hub_home_run(c, metrics, why);
}

const struct command hub_metrics_commands[] = {
    {"metrics", "", 0, 0,
     "Print figures about the devices for a monitoring program, in Prometheus' text format: what each was told to forget "
     "and has not confirmed, for how long; last contact; changes not sent, and held.",
     "spoke-hub metrics", NULL, run_metrics},
    {0}};
