/* spoke-hub invite: a code with which one device of a site enrols. */
#include "cli/hub_commands.h"
#include "cli/hub_home.h"
#include "cli/hub_qr.h"
#include "hub/proposal.h"

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

const struct command hub_invite_commands[] = {
    {"invite", "SITE", 1, 1,
     "Make a code with which one device of a site can enrol, once. The code carries the hub's address (" DEFAULT_ADDRESS
     " unless --address says another) and its fingerprint, so that the device knows it speaks to this hub.",
     "spoke-hub invite csc-mash --expires 2d --address https://hub.example.org", invite_flags, run_invite},
    {0}};
