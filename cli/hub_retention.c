/* spoke-hub retention, erase: when closed cases leave, and what is destroyed. hub/RETENTION.md. */
#include "cli/confirm.h"
#include "cli/hub_commands.h"
#include "cli/hub_erase_list.h"
#include "cli/hub_home.h"
#include "cli/hub_proposal.h"
#include "hub/retention.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define CASES    1000 /* looked at in one go */

/* ---------------------------------------------------------------------------------------------------------- showing */

static void say_days(const char *what, int64_t days)
{
    if (days == 0)
        printf("%s never\n", what);
    else
        printf("%s %" PRId64 " %s\n", what, days, days == 1 ? "day" : "days");
}

static enum err state_json(const struct retention_state *s, struct why *why)
{
    char at[40];
    struct json *o = json_object_new();
    show_rfc3339(s->first_ms, at, sizeof at);
    json_set_int(o, "partners", s->days.partners);
    json_set_int(o, "lead", s->days.lead);
    json_set_int(o, "erase", s->days.erase);
    json_set_int(o, "closed", (int64_t)s->closed);
    json_set_int(o, "left_partners", (int64_t)s->left);
    json_set_int(o, "left_all", (int64_t)s->gone);
    json_set_int(o, "announced", (int64_t)s->announced);
    json_set_str(o, "first_erasure", s->announced > 0 && s->first_ms > 0 ? at : NULL);
    json_set_int(o, "unsettled", (int64_t)s->unsettled);
    json_set_int(o, "held", (int64_t)s->holds);
    json_set_int(o, "erased", (int64_t)s->erased);
    json_set_int(o, "unconfirmed", (int64_t)s->unconfirmed);
    return show_json(o, why);
}

static enum err show(struct cli *c, struct hub *h, struct why *why)
{
    struct retention_state s;
    char at[64];
    enum err e = hub_retention_state(h, &s, why);
    if (e != ERR_OK) return e;
    c->attention = s.overdue > 0;
    if (c->json) return state_json(&s, why);
    puts("After a case is closed,");
    say_days("  it leaves partners' devices after          ", s.days.partners);
    say_days("  and those of its lead agency and the MASH  ", s.days.lead);
    say_days("  and is erased after                        ", s.days.erase);
    printf("%" PRIu64 " closed cases are here; %" PRIu64 " of them only with their lead agency and the MASH, %" PRIu64 " only here.\n",
           s.closed, s.left, s.gone);
    if (s.announced > 0) {
        show_time(s.first_ms, at, sizeof at);
        printf("%" PRIu64 " will be erased%s%s. Hold what must be kept: spoke-hub retention hold CASE --reason TEXT\n", s.announced,
               s.first_ms > 0 ? ", the first " : "", s.first_ms > 0 ? at : "");
    }
    if (s.unsettled > 0)
        printf("%" PRIu64 " wait for a person, and are not erased before: a change that is held, or two versions of a value.\n", s.unsettled);
    if (s.holds > 0) printf("%" PRIu64 " are held: spoke-hub retention holds\n", s.holds);
    if (s.erased > 0)
        printf("%" PRIu64 " were erased; of %" PRIu64 " of them devices have not confirmed yet that all is forgotten.\n", s.erased,
               s.unconfirmed);
    return ERR_OK;
}

static enum err list_holds(struct cli *c, struct hub *h, struct why *why)
{
    static const struct show_column cols[] = {{"case_id", "Case", SHOW_ID},
                                              {"at", "Held since", SHOW_TIME},
                                              {"who", "By", SHOW_TEXT},
                                              {"reason", "Why", SHOW_TEXT}};
    return hub_home_list(c, h, "SELECT case_id, at, who, reason FROM h_hold ORDER BY at, case_id", cols, COUNT(cols),
                         "No case is held.", why);
}

static enum err list_erased(struct cli *c, struct hub *h, struct why *why)
{
    static const struct show_column cols[] = {{"case_id", "Case", SHOW_ID},      {"at", "Erased", SHOW_TIME},
                                              {"how", "By", SHOW_TEXT},          {"who", "Ordered by", SHOW_TEXT},
                                              {"second", "Approved by", SHOW_TEXT}, {"reason", "Why", SHOW_TEXT},
                                              {"rows", "Rows", SHOW_INT},        {"envelopes", "Changes", SHOW_INT},
                                              {"unconfirmed", "Not confirmed", SHOW_INT}};
    return hub_home_list(c, h,
                         "SELECT x.case_id, x.at, x.how, x.who, x.second, x.reason, x.rows, x.envelopes, (SELECT count(*) FROM h_case k"
                         " JOIN h_row r ON r.case_no = k.no JOIN h_drop d ON d.row_no = r.no JOIN h_node n ON n.no = d.node_no WHERE"
                         " k.id = x.case_id AND d.receipt_at IS NULL AND n.state <> 'wiped') FROM h_erased x ORDER BY x.at, x.case_id",
                         cols, COUNT(cols), "No case was erased.", why);
}

/* ---------------------------------------------------------------------------------------------------------- setting */

/* "never", or a number of days. Without the flag it stays. */
static enum err read_days(const struct cli *c, const char *flag, int64_t *days, struct why *why)
{
    const char *text = cli_flag(c, flag);
    char *end = NULL;
    if (text == NULL) return ERR_OK;
    if (strcmp(text, "never") == 0) {
        *days = 0;
        return ERR_OK;
    }
    long long v = strtoll(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || (*end != '\0' && strcmp(end, "d") != 0) || v < 1 || v > RETENTION_MAX_DAYS)
        return why_set(why, ERR_USAGE, "--%s is a number of days, 1 to %d, or never.", flag, RETENTION_MAX_DAYS);
    *days = v;
    return ERR_OK;
}

static void word_of(int64_t days, char out[40])
{
    (void)snprintf(out, 40, days == 0 ? "never" : days == 1 ? "after %" PRId64 " day" : "after %" PRId64 " days", days);
}

static enum err set(struct cli *c, struct hub *h, struct why *why)
{
    struct retention_days d;
    const char *reason = NULL;
    char v[3][24], words[3][40], says[300];
    bool two = false;
    struct hub_proposal p = {.kind = PROPOSE_RETENTION, .text2 = v[1], .text3 = v[2]};
    enum err e = cli_need(c, "reason", &reason, why);
    if (e == ERR_OK) e = hub_retention_get(h, &d, why);
    if (e == ERR_OK) e = read_days(c, "partners", &d.partners, why);
    if (e == ERR_OK) e = read_days(c, "lead", &d.lead, why);
    if (e == ERR_OK) e = read_days(c, "erase", &d.erase, why);
    if (e != ERR_OK) return e;
    const int64_t days[] = {d.partners, d.lead, d.erase};
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(v[i], sizeof v[i], "%" PRId64, days[i]);
        word_of(days[i], words[i]);
    }
    p.text = bytes_of_str(v[0]);
    p.reason = reason;
    (void)snprintf(says, sizeof says,
                   "Closed cases leave partners' devices %s, those of the lead agency and the MASH %s, and are erased %s.", words[0],
                   words[1], words[2]);
    e = hub_takes_two(h, &p, &two, why);
    if (e == ERR_OK && two) return hub_proposal_make(c, h, &p, says, why);
    if (e == ERR_OK) e = hub_retention_set(h, &d, reason, why);
    return e == ERR_OK ? hub_home_said(c, "says", says, says, why) : e;
}

static enum err go_on(struct cli *c, struct hub *h, struct why *why)
{
    bool done = false;
    enum err e = ERR_OK;
    while (e == ERR_OK && !done) e = hub_retention_continue(h, CASES, NULL, &done, why);
    return e == ERR_OK ? hub_home_said(c, "done", "retention", "What was due is done.", why) : e;
}

/* --------------------------------------------------------------------------------------------------------- one case */

static enum err pick(struct cli *c, struct hub *h, uint8_t id[16], char uuid[37], struct why *why)
{
    enum err e = hub_case_find(h, c->args[0], id, why);
    if (e == ERR_OK) uuid_format(id, uuid);
    return e;
}

static enum err hold(struct cli *c, struct hub *h, struct why *why)
{
    const char *reason = NULL;
    uint8_t id[16];
    char uuid[37];
    enum err e = cli_need(c, "reason", &reason, why);
    if (e == ERR_OK) e = pick(c, h, id, uuid, why);
    if (e == ERR_OK) e = hub_retention_hold(h, id, reason, why);
    return e == ERR_OK ? hub_home_said(c, "held", uuid, "The case is held: it leaves nobody further and is not erased until it is released.", why)
                       : e;
}

static enum err release(struct cli *c, struct hub *h, struct why *why)
{
    struct hub_proposal p = {.kind = PROPOSE_UNHOLD};
    char uuid[37], says[120];
    bool two = false;
    enum err e = cli_need(c, "reason", &p.reason, why);
    if (e == ERR_OK) e = pick(c, h, p.kid, uuid, why);
    if (e == ERR_OK) e = hub_takes_two(h, &p, &two, why);
    if (e != ERR_OK) return e;
    (void)snprintf(says, sizeof says, "The case %s is held no longer: it leaves, and is erased, by the times.", uuid);
    if (two) return hub_proposal_make(c, h, &p, says, why);
    e = hub_retention_release(h, p.kid, p.reason, why);
    return e == ERR_OK ? hub_home_said(c, "released", uuid, "The case is held no longer.", why) : e;
}

/* What the store itself says of it: what had been announced when the backup was made. */
static enum err say_announced(struct cli *c, struct hub *h, struct why *why)
{
    static const struct show_column cols[] = {{"case_id", "Case", SHOW_ID}, {"closed_at", "Closed", SHOW_TIME}};
    c->attention = true;
    if (!c->json)
        puts("Nothing was erased. Which cases were erased between the backup and the loss of this hub, the hub cannot know: the erasure took "
             "away what would tell. It is in the list of spoke-hub retention erased --json, if one was kept elsewhere: give it with --list "
             "FILE; and in the hub's log, as auditors got it last.\nTheir erasure had been announced when the backup was made; those of "
             "them whose time came before the loss are erased again by --again ID, the others by their time:");
    return hub_home_list(c, h,
                         "SELECT k.id, r.closed_at FROM h_retention r JOIN h_case k ON k.no = r.case_no WHERE r.told_at IS NOT NULL AND"
                         " r.level < 3 ORDER BY r.closed_at, k.no",
                         cols, COUNT(cols), "None.", why);
}

static enum err read_again(struct cli *c, struct buf *ids, struct why *why)
{
    uint8_t id[16];
    const char *list = cli_flag(c, "list");
    if (list != NULL && c->n_args > 0) return why_set(why, ERR_USAGE, "Name one case, or a list of them (--list), not both.");
    if (list != NULL) return hub_erase_list_read(c->env, list, ids, why);
    if (!uuid_parse(id, bytes_of_str(c->args[0]))) return why_set(why, ERR_USAGE, "With --again the case is named by its whole id.");
    buf_put(ids, id, sizeof id);
    return ids->err == ERR_OK ? ERR_OK : why_set(why, ids->err, "There is not enough memory.");
}

/* In a hub that was put back: the cases may be any, or not there. */
static enum err erase_those(struct cli *c, struct hub *h, const struct buf *ids, const char *reason, struct why *why)
{
    const size_t n = ids->len / 16;
    struct hub_proposal p = {.kind = PROPOSE_ERASE_AGAIN, .text = buf_bytes(ids), .reason = reason};
    uint64_t done = 0;
    char says[400], number[24], uuid[37];
    bool two = false;
    uuid_format(ids->data, uuid);
    (void)snprintf(says, sizeof says, "%zu %s (the first is %s) %s erased for good in this hub that was put back, also where open in the backup.", n,
                   n == 1 ? "case" : "cases", uuid, n == 1 ? "is" : "are");
    enum err e = hub_takes_two(h, &p, &two, why);
    if (e == ERR_OK && two) return hub_proposal_make(c, h, &p, says, why);
    if (e == ERR_OK && confirm_asks(c)) {
        char question[500];
        (void)snprintf(question, sizeof question, "%s Do it? Type yes:", says);
        e = confirm_yes(c, question, "Nothing was erased.", why);
    }
    if (e == ERR_OK) e = hub_erase_again(h, buf_bytes(ids), reason, &done, why);
    (void)snprintf(number, sizeof number, "%" PRIu64, done);
    (void)snprintf(says, sizeof says,
                   "%zu named, %" PRIu64 " erased here now, the others were known as erased. Nothing of them is taken from what devices return.", n,
                   done);
    return e == ERR_OK ? hub_home_said(c, "erased", c->n_args > 0 ? c->args[0] : number, says, why) : e;
}

static enum err erase_again(struct cli *c, struct hub *h, struct why *why)
{
    const char *reason = NULL;
    struct buf ids;
    if (c->n_args == 0 && cli_flag(c, "list") == NULL) return say_announced(c, h, why);
    buf_init(&ids, 16 * ERASE_AGAIN_MAX);
    enum err e = cli_need(c, "reason", &reason, why);
    if (e == ERR_OK) e = read_again(c, &ids, why);
    if (e == ERR_OK) e = erase_those(c, h, &ids, reason, why);
    buf_release(&ids);
    return e;
}

static enum err erase(struct cli *c, struct hub *h, struct why *why)
{
    if (cli_has(c, "again")) return erase_again(c, h, why);
    if (c->n_args == 0 || cli_flag(c, "list") != NULL)
        return why_set(why, ERR_USAGE, "Name the case. A list (--list) is taken with --again alone, in a hub that was put back.");
    struct hub_proposal p = {.kind = PROPOSE_ERASE, .flag = cli_has(c, "unsettled")};
    char uuid[37], says[200], question[300];
    bool two = false;
    enum err e = cli_need(c, "reason", &p.reason, why);
    if (e == ERR_OK) e = pick(c, h, p.kid, uuid, why);
    if (e == ERR_OK) e = hub_takes_two(h, &p, &two, why);
    if (e != ERR_OK) return e;
    (void)snprintf(says, sizeof says, "The case %s is erased for good, here and on every device%s.", uuid,
                   p.flag ? ", with what waits for a person in it" : "");
    if (two) return hub_proposal_make(c, h, &p, says, why);
    (void)snprintf(question, sizeof question, "%s Nobody can bring it back. Do it? Type yes:", says);
    if (confirm_asks(c)) e = confirm_yes(c, question, "Nothing was erased.", why);
    if (e == ERR_OK) e = hub_erase(h, p.kid, p.flag, p.reason, why);
    return e == ERR_OK ? hub_home_said(c, "erased", uuid,
                                       "The case is erased here, and every device that could hold it is told to forget it. Backups from "
                                       "before hold it as long as they are kept.",
                                       why)
                       : e;
}

static enum err run_show(struct cli *c, struct why *why)
{
    return hub_home_run(c, show, why);
}
static enum err run_set(struct cli *c, struct why *why)
{
    return hub_home_run(c, set, why);
}
static enum err run_go_on(struct cli *c, struct why *why)
{
    return hub_home_run(c, go_on, why);
}
static enum err run_holds(struct cli *c, struct why *why)
{
    return hub_home_run(c, list_holds, why);
}
static enum err run_erased(struct cli *c, struct why *why)
{
    return hub_home_run(c, list_erased, why);
}
static enum err run_hold(struct cli *c, struct why *why)
{
    return hub_home_run(c, hold, why);
}
static enum err run_release(struct cli *c, struct why *why)
{
    return hub_home_run(c, release, why);
}
static enum err run_erase(struct cli *c, struct why *why)
{
    return hub_home_run(c, erase, why);
}

static const struct flag set_flags[] = {{"partners", "DAYS", "when a closed case leaves partners' devices; never (default)"},
                                        {"lead", "DAYS", "when it leaves its lead agency and the MASH room too; never (default)"},
                                        {"erase", "DAYS", "when it is erased, 30 at least; never (default)"},
                                        {"reason", "TEXT", "why; it is kept"},
                                        {0}};
static const struct flag reason_flags[] = {{"reason", "TEXT", "why; it is kept"}, {0}};
static const struct flag erase_flags[] = {{"reason", "TEXT", "why; it is kept when the case is not: name nobody in it"},
                                          {"unsettled", NULL, "also when something in it waits for a person; that is lost"},
                                          {"again", NULL, "once more, in a hub that was put back from an older backup and gathers; of no "
                                                          "CASE and no list: say what is known of such"},
                                          {"list", "FILE", "with --again: all of a list that spoke-hub retention erased --json printed, or of "
                                                           "one with an id a line"},
                                          {"yes", NULL, "do not ask"},
                                          {0}};

const struct command hub_retention_commands[] = {
    {"retention set", "", 0, 0,
     "Set when closed cases leave devices and are erased, in days from the closing. What is not named stays. Before a case is erased it is "
     "announced for 30 days.",
     "spoke-hub retention set --partners 90 --lead 365 --erase 2190 --reason \"retention schedule 2027\"", set_flags, run_set},
    {"retention hold", "CASE", 1, 1, "Keep a case from leaving and from being erased, for an inquiry. CASE is an id or a reference.",
     "spoke-hub retention hold 7K2M-93QD --reason \"public inquiry\"", reason_flags, run_hold},
    {"retention release", "CASE", 1, 1, "Take a hold back.", "spoke-hub retention release 7K2M-93QD --reason \"the inquiry is over\"",
     reason_flags, run_release},
    {"retention holds", "", 0, 0, "List cases that are held.", "spoke-hub retention holds", NULL, run_holds},
    {"retention erased", "", 0, 0, "List what was erased, and what devices have not confirmed of it.", "spoke-hub retention erased", NULL,
     run_erased},
    {"retention run", "", 0, 0, "Do now what is due. A server does it by itself.", "spoke-hub retention run", NULL, run_go_on},
    {"retention", "", 0, 0, "Show when closed cases leave devices and are erased, and how many have been.", "spoke-hub retention", NULL,
     run_show},
    {"erase", "[CASE]", 0, 1,
     "Erase a closed case for good: its rows, their history and what changes said of it, here and on every device. What is left is that "
     "it was erased, when, by whom and why. CASE is an id or a reference.",
     "spoke-hub erase 7K2M-93QD --reason \"court order\"", erase_flags, run_erase},
    {0}};
