/* spoke-hub who-saw, emergency. */
#include "cli/hub_commands.h"
#include "cli/hub_home.h"

#include "cli/plain.h"

#include <string.h>

/* --------------------------------------------------------------------------------------------------------- who-saw */

struct saw_list {
    struct json *array; /* NULL: as text */
    size_t n;
};

static void set_time(struct json *o, const char *key, int64_t ms)
{
    char text[40];
    show_rfc3339(ms, text, sizeof text);
    json_set_str(o, key, ms != 0 ? text : NULL);
}

static void add_json(struct saw_list *l, const struct hub_saw *s)
{
    struct json *o = json_object_new();
    char kid[37];
    json_set_str(o, "what", s->is_device ? "device" : "site");
    json_set_str(o, "site", s->site);
    json_set_str(o, "agency", s->agency);
    if (s->is_device) {
        uuid_format(s->kid, kid);
        json_set_str(o, "device", kid);
        json_set_str(o, "state", s->state);
        set_time(o, "since", s->since_ms);
    } else {
        set_time(o, "from", s->from_ms);
        set_time(o, "until", s->until_ms);
    }
    json_append(l->array, o);
}

static void say_site(const struct hub_saw *s)
{
    char from[64], until[64];
    show_time(s->from_ms, from, sizeof from);
    show_time(s->until_ms, until, sizeof until);
    printf("%s (%s) could see it from %s%s%s\n", s->site, s->agency, from,
           s->until_ms != 0 ? " until " : ", and sees it still", s->until_ms != 0 ? until : "");
}

static void say_device(const struct hub_saw *s)
{
    char since[64], kid[37];
    uuid_format(s->kid, kid);
    show_time(s->since_ms, since, sizeof since);
    printf("    %s: device %s %s %s\n", s->site, kid,
           strcmp(s->state, "holds") == 0       ? "could hold it since"
           : strcmp(s->state, "confirmed") == 0 ? "confirmed having forgotten it on"
                                                : "was told to forget it, and has not confirmed that, since",
           since);
}

static enum err each_look(void *ctx, const struct hub_looked *s, struct why *why)
{
    struct saw_list *l = ctx;
    char when[64], kid[37], name[200];
    (void)why;
    l->n++;
    uuid_format(s->kid, kid);
    if (l->array == NULL) {
        show_time(s->at_ms, when, sizeof when);
        plain_text(name, sizeof name, bytes_of_str(s->name));
        printf("    %s: %s looked at it on device %s, %s\n", s->site, name[0] != '\0' ? name : "somebody", kid, when);
        return ERR_OK;
    }
    struct json *o = json_object_new();
    json_set_str(o, "what", "look");
    json_set_str(o, "site", s->site);
    json_set_str(o, "device", kid);
    uuid_format(s->user, kid);
    json_set_str(o, "user", kid);
    json_set_str(o, "name", s->name[0] != '\0' ? s->name : NULL);
    set_time(o, "at", s->at_ms);
    json_append(l->array, o);
    return ERR_OK;
}

static enum err each_line(void *ctx, const struct hub_saw *s, struct why *why)
{
    struct saw_list *l = ctx;
    (void)why;
    l->n++;
    if (l->array != NULL)
        add_json(l, s);
    else if (s->is_device)
        say_device(s);
    else
        say_site(s);
    return ERR_OK;
}

static enum err by_reference(struct hub *h, const char *typed, uint8_t out[16], bool *out_found, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(hub_db(h), "SELECT id FROM case_file WHERE reference = upper($1) LIMIT 1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, typed);
    e = db_step(s, &row, why);
    *out_found = e == ERR_OK && row && db_id(s, 0, out);
    db_done(s);
    return e;
}

/* A case and what it has once bear one id: then the case is meant. */
static enum err table_of(struct hub *h, const uint8_t id[16], int *out, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(hub_db(h), "SELECT min(tbl) FROM h_row WHERE id = $1 AND gone = 0", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, id);
    e = db_step(s, &row, why);
    if (e == ERR_OK) *out = (int)db_int(s, 0);
    db_done(s);
    return e;
}

static enum err who_saw(struct cli *c, struct hub *h, struct why *why)
{
    struct saw_list l = {0};
    const char *at = cli_flag(c, "at");
    int64_t at_ms = 0;
    uint8_t id[16];
    bool found = false;
    int table = 0;
    enum err e = at != NULL ? show_read_time(at, env_now(c->env), &at_ms, why) : ERR_OK;
    if (e == ERR_OK && at != NULL && at_ms <= 0) e = why_set(why, ERR_USAGE, "--at is a time that has been.");
    if (e == ERR_OK) e = by_reference(h, c->args[0], id, &found, why);
    if (e == ERR_OK && !found)
        e = hub_home_pick(h, "SELECT DISTINCT id FROM h_row WHERE id >= $1 AND id <= $2 AND gone = 0",
                          c->args[0], "row", id, why);
    if (e == ERR_OK) e = table_of(h, id, &table, why);
    l.array = c->json ? json_array_new() : NULL;
    if (e == ERR_OK) e = hub_who_saw(h, table, id, at_ms, each_line, &l, why);
    if (e == ERR_OK) e = hub_who_looked(h, table, id, at_ms, each_look, &l, why);
    if (e == ERR_OK && c->json) return show_json(l.array, why);
    if (e == ERR_OK && l.n == 0) puts("Nobody could see it then.");
    json_free(l.array);
    return e;
}
static enum err run_who_saw(struct cli *c, struct why *why)
{
    return hub_home_run(c, who_saw, why);
}

/* ------------------------------------------------------------------------------------------------------- emergency */

enum { HOURS_DEFAULT = 12 };

static enum err emergency(struct cli *c, struct hub *h, struct why *why)
{
    const char *text = cli_flag(c, "hours");
    bool on = strcmp(c->args[0], "on") == 0;
    int64_t hours = on ? HOURS_DEFAULT : 0;
    char said[200];
    if (!on && strcmp(c->args[0], "off") != 0) return why_set(why, ERR_USAGE, "It is switched on or off.");
    if (on && text != NULL) {
        hours = 0;
        for (const char *p = text; *p >= '0' && *p <= '9' && hours < 1000; p++) hours = hours * 10 + (*p - '0');
        if (hours == 0 || text[strspn(text, "0123456789")] != '\0')
            return why_set(why, ERR_USAGE, "--hours takes a number of hours, 1 to 72.");
    }
    enum err e = hub_set_emergency(h, hours, why);
    if (e != ERR_OK) return e;
    (void)snprintf(
        said, sizeof said,
        on ? "A manager on duty can now open a case in an emergency, for %d hours. Each attempt is on record here."
           : "No case can be opened in an emergency any more. What is open ends by itself.",
        (int)hours);
    return hub_home_said(c, "emergency", on ? "on" : "off", said, why);
}
static enum err run_emergency(struct cli *c, struct why *why)
{
    return hub_home_run(c, emergency, why);
}

static const struct flag who_saw_flags[] = {{"at", "TIME", "who could see it at that time (default: ever)"}, {0}};
static const struct flag emergency_flags[] = {
    {"hours", "N", "how long a case opened so stays open: 1 to 72, default 12"}, {0}};

const struct command hub_saw_commands[] = {
    {"who-saw", "ID", 1, 1,
     "Which sites could see a row, which devices held it, since when, and whether they confirmed forgetting it.",
     "spoke-hub who-saw 0192f3e6 --at 2026-11-03", who_saw_flags, run_who_saw},
    {"emergency", "on|off", 1, 1,
     "Whether a manager on duty may open a case that is not his site's, in an emergency, for a fixed time. Off at "
     "first.",
     "spoke-hub emergency on --hours 12", emergency_flags, run_emergency},
    {0}};
