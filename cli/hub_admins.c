/* spoke-hub admin, rule: who may give commands here, and what takes two of them. */
#include "cli/confirm.h"
#include "cli/hub_commands.h"
#include "cli/hub_home.h"
#include "cli/hub_proposal.h"
#include "cli/plain.h"
#include "cli/secretin.h"
#include "hub/proposal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHUTS_OUT                                                                                                        \
    "With a copy of the key file from before, and of the store, that passphrase still opens what lay there then: if you cannot " \
    "rule that out, move this hub to a new home with a backup and a restore, which makes new keys for its store."

static enum err new_passphrase(const struct cli *c, struct secret *out, struct why *why)
{
    static const struct secretin from = {"new-passphrase-file", "new-passphrase-fd", "New passphrase", true};
    return secretin_read(c, &from, out, why);
}

static enum err read_role(const char *word, enum hub_role *out, struct why *why)
{
    if (hub_role_from_word(word, out)) return ERR_OK;
    return why_set(why, ERR_USAGE, "A role is service, viewer, operator or security.");
}

static enum err said(struct cli *c, const char *name, const char *role, const char *sentence, struct why *why)
{
    char text[140];
    if (!c->json) {
        plain_text(text, sizeof text, bytes_of_str(name));
        printf("%s %s\n", text, sentence);
        return ERR_OK;
    }
    struct json *o = json_object_new();
    json_set_str(o, "name", name);
    if (role != NULL) json_set_str(o, "role", role);
    return show_json(o, why);
}

/* ----------------------------------------------------------------------------------------------------------- admin */
static enum err add(struct cli *c, struct hub *h, struct why *why)
{
    const char *word = NULL;
    enum hub_role role = ROLE_NONE;
    struct secret pass = {0};
    enum err e = cli_need(c, "role", &word, why);
    if (e == ERR_OK) e = read_role(word, &role, why);
    if (e == ERR_OK) e = new_passphrase(c, &pass, why);
    if (e == ERR_OK) e = hub_admin_add(h, c->args[0], role, bytes_of(pass.p, pass.n), why);
    secret_release(&pass);
    if (e != ERR_OK) return e;
    return said(c, c->args[0], word,
                role == ROLE_SERVICE ? "can open this hub now to serve it, and give no act."
                                     : "can open this hub now with a passphrase of their own. What they do is noted under their name.",
                why);
}

struct listing {
    struct json *array; /* NULL: as text */
};

static enum err list_one(void *ctx, const struct hub_admin *a, struct why *why)
{
    struct listing *l = ctx;
    char t[64] = "", name[160];
    bool known = a->name[0] != '\0' && a->role != ROLE_NONE;
    (void)why;
    if (l->array == NULL) {
        plain_text(name, sizeof name, bytes_of_str(known ? a->name : "(nobody is noted for this passphrase)"));
        if (known) show_time(a->added_ms, t, sizeof t);
        printf("%-30s %-10s %-22s%s%s\n", name, known ? hub_role_word(a->role) : "", t, a->self ? " (you)" : "",
               a->has_key ? "" : " (no passphrase here)");
        return ERR_OK;
    }
    struct json *o = json_object_new();
    show_rfc3339(a->added_ms, t, sizeof t);
    json_set_str(o, "name", known ? a->name : NULL);
    json_set_str(o, "role", known ? hub_role_word(a->role) : NULL);
    json_set_str(o, "added_at", known ? t : NULL);
    json_set_str(o, "added_by", a->added_by[0] != '\0' ? a->added_by : NULL);
    json_set_bool(o, "self", a->self);
    json_set_bool(o, "has_passphrase", a->has_key);
    json_append(l->array, o);
    return ERR_OK;
}

static enum err list(struct cli *c, struct hub *h, struct why *why)
{
    struct listing l = {.array = c->json ? json_array_new() : NULL};
    enum err e = hub_admins(h, list_one, &l, why);
    if (e == ERR_OK && c->json) return show_json(l.array, why);
    json_free(l.array);
    return e;
}

static enum err role(struct cli *c, struct hub *h, struct why *why)
{
    enum hub_role to = ROLE_NONE;
    bool two = false;
    char says[200], name[ADMIN_NAME_BYTES + 40];
    const struct hub_proposal p = {
        .kind = PROPOSE_ADMIN_ROLE, .text = bytes_of_str(c->args[0]), .text2 = c->args[1], .reason = cli_flag(c, "reason")};
    enum err e = read_role(c->args[1], &to, why);
    if (e == ERR_OK) e = hub_takes_two(h, &p, &two, why);
    plain_text(name, sizeof name, bytes_of_str(c->args[0]));
    (void)snprintf(says, sizeof says, "%s gets the role %s.", name, c->args[1]);
    if (e == ERR_OK && two) return hub_proposal_make(c, h, &p, says, why);
    if (e == ERR_OK) e = hub_admin_role(h, c->args[0], to, p.reason, why);
    return e == ERR_OK ? said(c, c->args[0], c->args[1], "has another role now.", why) : e;
}

static enum err remove_one(struct cli *c, struct hub *h, struct why *why)
{
    const char *reason = NULL;
    bool two = false;
    char says[200], name[ADMIN_NAME_BYTES + 40], question[300];
    enum err e = cli_need(c, "reason", &reason, why);
    const struct hub_proposal p = {.kind = PROPOSE_ADMIN_REMOVE, .text = bytes_of_str(c->args[0]), .reason = reason};
    if (e == ERR_OK) {
        e = hub_takes_two(h, &p, &two, why);
        if (e == ERR_NOTFOUND) e = ERR_OK; /* one whose removal was cut off: hub_admin_remove says */
    }
    plain_text(name, sizeof name, bytes_of_str(c->args[0]));
    (void)snprintf(says, sizeof says, "%s is removed, and cannot open this hub any more.", name);
    if (e == ERR_OK && two) return hub_proposal_make(c, h, &p, says, why);
    (void)snprintf(question, sizeof question, "Take the passphrase for this hub away from %s? Type yes:", name);
    if (e == ERR_OK && !c->no_input && !c->json) e = confirm_yes(c, question, "Nothing was changed.", why);
    if (e == ERR_OK) e = hub_admin_remove(h, c->args[0], reason, why);
    return e == ERR_OK ? said(c, c->args[0], NULL,
                              "cannot open this hub any more. Codes for devices that they gave, and nobody used, work no more. " SHUTS_OUT, why)
                       : e;
}

static enum err passwd(struct cli *c, struct hub *h, struct why *why)
{
    struct hub_admin self;
    struct secret pass = {0};
    enum err e = hub_admin_self(h, &self, why);
    if (e == ERR_OK) e = new_passphrase(c, &pass, why);
    if (e == ERR_OK) e = hub_admin_passphrase(h, c->n_args > 0 ? c->args[0] : NULL, bytes_of(pass.p, pass.n), why);
    secret_release(&pass);
    return e == ERR_OK ? said(c, c->n_args > 0 ? c->args[0] : self.name, NULL, "has another passphrase now. " SHUTS_OUT, why) : e;
}

static enum err rename_self(struct cli *c, struct hub *h, struct why *why)
{
    enum err e = hub_admin_rename(h, c->args[0], why);
    return e == ERR_OK ? said(c, c->args[0], NULL, "is your name here from now on. What you did before stays under the one before.", why) : e;
}

/* ------------------------------------------------------------------------------------------------------------ rules */
static enum err set_rule(struct cli *c, struct hub *h, const char *name, int64_t value, const char *says, struct why *why)
{
    bool two = false;
    const struct hub_proposal p = {
        .kind = PROPOSE_RULE, .text = bytes_of_str(name), .number = value, .reason = cli_flag(c, "reason")};
    enum err e = hub_takes_two(h, &p, &two, why);
    if (e == ERR_OK && two) return hub_proposal_make(c, h, &p, says, why);
    if (e == ERR_OK) e = hub_rule_set(h, name, value, p.reason, why);
    return e == ERR_OK ? hub_home_said(c, "rule", says, says, why) : e;
}

static enum err on_or_off(const struct cli *c, bool *out, struct why *why)
{
    *out = strcmp(c->args[0], "on") == 0;
    if (*out || strcmp(c->args[0], "off") == 0) return ERR_OK;
    return why_set(why, ERR_USAGE, "A rule is on or off.");
}

static enum err two_person(struct cli *c, struct hub *h, struct why *why)
{
    const char *stands = cli_flag(c, "proposals-stand");
    bool on = false;
    int64_t ms = 0, now = 0;
    enum err e = on_or_off(c, &on, why);
    if (e == ERR_OK && stands != NULL) e = show_read_span(stands, &ms, why);
    if (e == ERR_OK && stands != NULL) e = hub_rule_get(h, RULE_TWO_PERSON, &now, why);
    if (e == ERR_OK && stands != NULL && on && now == 1)
        return set_rule(c, h, RULE_PROPOSAL, ms, "Proposals stand for another time from now on.", why);
    if (e == ERR_OK && stands != NULL) {
        e = hub_rule_set(h, RULE_PROPOSAL, ms, cli_flag(c, "reason"), why);
        if (e == ERR_EXISTS) e = ERR_OK;
    }
    if (e != ERR_OK) return e;
    return set_rule(c, h, RULE_TWO_PERSON, on,
                    on ? "Wipes, policies, rules and security administrators take two people from now on."
                       : "One security administrator is enough from now on, for everything.",
                    why);
}

static enum err approve_devices(struct cli *c, struct hub *h, struct why *why)
{
    bool on = false;
    enum err e = on_or_off(c, &on, why);
    if (e != ERR_OK) return e;
    return set_rule(c, h, RULE_APPROVE, on,
                    on ? "Each device that is invited from now on waits until another administrator than its inviter has approved it."
                       : "Devices that are invited from now on need no approval, unless their invitation says so.",
                    why);
}

static enum err returned(struct cli *c, struct hub *h, struct why *why)
{
    char *end = NULL;
    long long mb = strtoll(c->args[0], &end, 10);
    if (c->args[0][0] < '0' || c->args[0][0] > '9' || *end != '\0') mb = 0;
    return set_rule(c, h, RULE_RETURNED, mb, "Devices may return that much after a restore that nothing vouches for.", why);
}

static enum err list_rules(struct cli *c, struct hub *h, struct why *why)
{
    int64_t two = 0, approve = 0, stands = 0, mb = 0;
    char span[64];
    enum err e = hub_rule_get(h, RULE_TWO_PERSON, &two, why);
    if (e == ERR_OK) e = hub_rule_get(h, RULE_APPROVE, &approve, why);
    if (e == ERR_OK) e = hub_rule_get(h, RULE_PROPOSAL, &stands, why);
    if (e == ERR_OK) e = hub_rule_get(h, RULE_RETURNED, &mb, why);
    if (e != ERR_OK) return e;
    if (c->json) {
        struct json *o = json_object_new();
        json_set_bool(o, "two_person", two != 0);
        json_set_bool(o, "approve_devices", approve != 0);
        json_set_int(o, "proposals_stand_ms", stands);
        json_set_int(o, "returned_mb", mb);
        return show_json(o, why);
    }
    show_span(stands, span, sizeof span);
    printf("Two people for what reaches far   %s\nApproval of every device          %s\nProposals stand for               %s\n"
           "After a restore a device returns  %lld MB at most that nothing vouches for\n",
           two != 0 ? "on" : "off", approve != 0 ? "on" : "off", span, (long long)mb);
    return ERR_OK;
}

#define RUN(name, act)                                         \
    static enum err name(struct cli *c, struct why *why)       \
    {                                                          \
        return hub_home_run(c, act, why);                      \
    }
RUN(run_add, add)
RUN(run_list, list)
RUN(run_role, role)
RUN(run_remove, remove_one)
RUN(run_passwd, passwd)
RUN(run_name, rename_self)
RUN(run_two, two_person)
RUN(run_approve, approve_devices)
RUN(run_returned, returned)
RUN(run_rules, list_rules)

#define NEW_PASSPHRASE_FLAGS                                                                                           \
    {"new-passphrase-file", "FILE",                                                                                    \
     "read the new passphrase from the first line of FILE (default: asked on the terminal)"},                          \
        {"new-passphrase-fd", "N", "read it from descriptor N"}, CLI_UNLOCK_TIME_FLAG

static const struct flag add_flags[] = {{"role", "ROLE", "service, viewer, operator or security"}, NEW_PASSPHRASE_FLAGS, {0}};
static const struct flag reason_flags[] = {{"reason", "TEXT", "why; it is kept"}, {0}};
static const struct flag remove_flags[] = {{"reason", "TEXT", "why; it is kept"}, {"yes", NULL, "do not ask"}, {0}};
static const struct flag passwd_flags[] = {NEW_PASSPHRASE_FLAGS, {0}};
static const struct flag two_flags[] = {{"reason", "TEXT", "why; it is kept"},
                                        {"proposals-stand", "SPAN", "how long a proposal waits for its second: 1m to 30d (default 24h)"},
                                        {0}};

const struct command hub_admins_commands[] = {
    {"admin add", "NAME", 1, 1,
     "Let another person administer this hub, with a passphrase of their own. viewer: looks; operator: the daily work; security: also "
     "wipes, policies, administrators. service: an account under which the server runs, which can give no act. Seven have room.",
     "spoke-hub admin add \"Ines Varga\" --role operator", add_flags, run_add},
    {"admin list", "", 0, 0, "Who administers this hub, and in which role.", "spoke-hub admin list", NULL, run_list},
    {"admin role", "NAME ROLE", 2, 2, "Give an administrator another role.", "spoke-hub admin role \"Ines Varga\" security", reason_flags,
     run_role},
    {"admin remove", "NAME", 1, 1,
     "Take somebody's passphrase for this hub away. The last security administrator stays. Who has a copy of the key file and the store "
     "from before can still read that copy.",
     "spoke-hub admin remove \"Ines Varga\" --reason \"has left the council\"", remove_flags, run_remove},
    {"admin passwd", "[NAME]", 0, 1, "Set another passphrase, for yourself or for somebody who forgot theirs.", "spoke-hub admin passwd",
     passwd_flags, run_passwd},
    {"admin name", "NAME", 1, 1, "Say under which name you administer this hub. A hub from before there were names calls you 'admin'.",
     "spoke-hub admin name \"Sam Okafor\"", NULL, run_name},
    {"rule list", "", 0, 0, "Which rules are on.", "spoke-hub rule list", NULL, run_rules},
    {"rule two-person", "on|off", 1, 1,
     "Have what reaches far or cannot be taken back proposed by one security administrator and approved by another: wipes, revoking "
     "a site, policies, rules, security administrators. It needs two of them. Once it is on, switching it off takes two as well.",
     "spoke-hub rule two-person on --reason \"agreed on 3 November\"", two_flags, run_two},
    {"rule approve-devices", "on|off", 1, 1,
     "Have each new device approved by another administrator than the one who invited it, after its fingerprint was compared.",
     "spoke-hub rule approve-devices on", reason_flags, run_approve},
    {"rule returned", "MB", 1, 1,
     "After a restore, how much a device may return that no note of the hub that was lost vouches for (default 256); all together eight "
     "times as much. What is over it stays on the device. spoke-hub doctor names a device that is.",
     "spoke-hub rule returned 1024 --reason \"the school's device holds a great deal\"", reason_flags, run_returned},
    {0}};
