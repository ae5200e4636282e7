/* spoke-hub invite, invitation: a code with which one device of a site enrols, and those that nobody has used yet. */
#include "cli/hub_commands.h"
#include "cli/hub_home.h"
#include "cli/hub_qr.h"
#include "hub/proposal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_ADDRESS "http://127.0.0.1:8470"

/* --qr: on a terminal; --qr=always: wherever it goes. */
static bool wants_qr(const struct cli *c)
{
    const char *when = cli_flag(c, "qr");
    return when != NULL && (strcmp(when, "always") == 0 || isatty(STDOUT_FILENO) == 1);
}

static bool in_colour(void)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(STDOUT_FILENO) == 1 && (no == NULL || *no == '\0') && term != NULL && strcmp(term, "dumb") != 0;
}

static enum err give_code(struct cli *c, struct buf *code, const char *site, const char *address, int64_t until,
                          bool approve, struct why *why)
{
    const char *file = cli_flag(c, "code-file");
    char stamp[40], code_text[1024];
    enum err e = ERR_OK;
    if (buf_cstr(code) == NULL) return why_set(why, code->err, "There is not enough memory for the code.");
    (void)snprintf(code_text, sizeof code_text, "%s", buf_cstr(code));
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
        json_set_bool(o, "approve", approve);
        return show_json(o, why);
    }
    if (file == NULL) printf("%s\n", buf_cstr(code));
    if (wants_qr(c)) {
        e = hub_qr_print(stdout, code_text, in_colour(), why);
        if (e != ERR_OK) return e;
    }
    show_time(until, stamp, sizeof stamp);
    fprintf(stderr, "The code works once, until %s, for a device of %s that reaches the hub at %s.\n", stamp, site,
            address);
    fprintf(stderr, "Give it in person or by telephone, not in the same way as the device.\n");
    if (approve) fprintf(stderr, "The device then waits until another administrator has approved it: spoke-hub node approve ID\n");
    return ERR_OK;
}

static enum err invite(struct cli *c, struct hub *h, struct why *why)
{
    const char *address = cli_flag(c, "address"), *expires = cli_flag(c, "expires");
    int64_t span = 0, all = 0;
    struct buf code;
    buf_init(&code, 4096);
    if (address == NULL) address = DEFAULT_ADDRESS;
    const char *when = cli_flag(c, "qr");
    if (when != NULL && when[0] != '\0' && strcmp(when, "always") != 0 && strcmp(when, "auto") != 0)
        return why_set(why, ERR_USAGE, "--qr takes auto or always.");
    enum err e = show_read_span(expires != NULL ? expires : "7d", &span, why);
    if (e == ERR_OK) e = hub_rule_get(h, RULE_APPROVE, &all, why);
    const bool approve = all != 0 || cli_has(c, "approve");
    if (e == ERR_OK) e = hub_invite_approved(h, c->args[0], address, span, approve, &code, why);
    if (e == ERR_OK) e = give_code(c, &code, c->args[0], address, env_now(c->env) + span, approve, why);
    buf_release(&code);
    return e;
}

/* ------------------------------------------------------------------------------------ those that were given */

/* By the number of the act: the code itself is not kept. */
static enum err list(struct cli *c, struct hub *h, struct why *why)
{
    static const struct show_column cols[] = {
        {"no", "Number", SHOW_INT},        {"state", "State", SHOW_TEXT},          {"site", "For a device of", SHOW_TEXT},
        {"who", "Given by", SHOW_TEXT},    {"at", "On", SHOW_TIME},                {"expires_at", "Works until", SHOW_TIME},
        {"approve", "Needs approval", SHOW_BOOL}, {"user", "Used by", SHOW_TEXT}};
    struct stmt *s = NULL;
    enum err e = db_prepare(hub_db(h),
                            "SELECT i.after_act + 1, CASE WHEN i.used_at IS NOT NULL THEN 'used' WHEN i.expires_at <= $1 THEN 'ended' "
                            "ELSE 'open' END, k.code, y.who, a.at, i.expires_at, coalesce(b.approve, 0), i.user_name FROM h_invite i "
                            "JOIN h_site k ON k.no = i.site_no LEFT JOIN h_invite_by b ON b.token_hash = i.token_hash "
                            "LEFT JOIN h_act a ON a.no = i.after_act + 1 AND a.act = 'invite' LEFT JOIN h_act_by y ON y.act_no = a.no "
                            "WHERE $2 = 1 OR (i.used_at IS NULL AND i.expires_at > $1) ORDER BY i.after_act",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, env_now(c->env));
    db_bind_int(s, 2, cli_has(c, "all"));
    return show_list(c, s, cols, sizeof cols / sizeof cols[0], "No invitation is open.", NULL, why);
}

static enum err withdraw(struct cli *c, struct hub *h, struct why *why)
{
    const char *reason = NULL;
    char *end = NULL;
    errno = 0;
    long long no = strtoll(c->args[0], &end, 10);
    if (c->args[0][0] < '1' || c->args[0][0] > '9' || *end != '\0' || errno != 0)
        return why_set(why, ERR_USAGE, "An invitation has a number: see spoke-hub invitation list");
    enum err e = cli_need(c, "reason", &reason, why);
    if (e == ERR_OK) e = hub_invite_withdraw(h, no, reason, why);
    return e == ERR_OK ? hub_home_said(c, "withdrawn", c->args[0], "The code works no more, wherever it is.", why) : e;
}

static enum err run_list(struct cli *c, struct why *why)
{
    return hub_home_run(c, list, why);
}
static enum err run_withdraw(struct cli *c, struct why *why)
{
    return hub_home_run(c, withdraw, why);
}
static enum err run_invite(struct cli *c, struct why *why)
{
    return hub_home_run(c, invite, why);
}
static const struct flag invite_flags[] = {
    {"expires", "SPAN", "how long the code works: 12h, 7d (default), 2w"},
    {"address", "URL", "where the device reaches this hub (default " DEFAULT_ADDRESS ")"},
    {"code-file", "FILE", "write the code into FILE, readable by you alone, instead of printing it"},
    {"approve", NULL, "the device waits until another administrator has approved it"},
    {"qr", "[WHEN]", "also as a QR code, on a terminal alone unless --qr=always"},
    {0}};

static const struct flag list_flags[] = {{"all", NULL, "also those that were used, or work no more"}, {0}};
static const struct flag withdraw_flags[] = {{"reason", "TEXT", "why; it is kept"}, {0}};

const struct command hub_invite_commands[] = {
    {"invite", "SITE", 1, 1,
     "Make a code with which one device of a site can enrol, once. The code carries the hub's address (" DEFAULT_ADDRESS
     " unless --address says another) and its fingerprint, so that the device knows it speaks to this hub.",
     "spoke-hub invite csc-mash --expires 2d --address https://hub.example.org", invite_flags, run_invite},
    {"invitation list", "", 0, 0,
     "List the invitations that nobody has used yet: for which site, who gave them, until when they work. The codes themselves are not kept.",
     "spoke-hub invitation list", list_flags, run_list},
    {"invitation withdraw", "N", 1, 1,
     "End an invitation that went to the wrong person, or is not wanted any more. One that a device has used already is not ended by it: "
     "that device is cut off with node revoke.",
     "spoke-hub invitation withdraw 12 --reason 'sent to a wrong address'", withdraw_flags, run_withdraw},
    {0}};
