/* spoke-hub proposal, approve, refuse: what takes two administrators. */
#include "cli/hub_proposal.h"
#include "cli/confirm.h"
#include "cli/hub_commands.h"
#include "cli/hub_home.h"
#include "cli/hub_preview.h"
#include "cli/plain.h"
#include "hub/retention.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a)   (sizeof(a) / sizeof((a)[0]))
#define POLICY_MAX ((uint64_t)1 << 20)

static enum err one(struct hub *h, int64_t no, struct stmt **out, struct why *why)
{
    enum err e = db_prepare(hub_db(h),
                            "SELECT no, kind, says, reason, who, at, expires_at, CASE WHEN state = 'open' AND expires_at <= $2 THEN "
                            "'expired' ELSE state END, decided_by, decided_at, decision FROM h_proposal WHERE no = $1",
                            out, why);
    if (e == ERR_OK) db_bind_int(*out, 1, no);
    return e;
}

static const struct show_column columns[] = {
    {"no", "Number", SHOW_INT},          {"kind", "What", SHOW_TEXT},          {"says", "What will happen", SHOW_TEXT},
    {"reason", "Why", SHOW_TEXT},        {"who", "Proposed by", SHOW_TEXT},    {"at", "On", SHOW_TIME},
    {"expires_at", "Waits until", SHOW_TIME}, {"state", "State", SHOW_TEXT},   {"decided_by", "Decided by", SHOW_TEXT},
    {"decided_at", "Decided on", SHOW_TIME},  {"decision", "Because", SHOW_TEXT}};

enum err hub_proposal_make(struct cli *c, struct hub *h, const struct hub_proposal *p, const char *says, struct why *why)
{
    int64_t no = 0, stands = 0;
    char t[64];
    enum err e = hub_propose(h, p, says, &no, why);
    if (e == ERR_OK) e = hub_rule_get(h, RULE_PROPOSAL, &stands, why);
    if (e != ERR_OK) return e;
    c->attention = true; /* it wants a second person */
    if (c->json) {
        struct json *o = json_object_new();
        json_set_int(o, "proposal", no);
        json_set_str(o, "kind", hub_proposal_word(p->kind));
        json_set_str(o, "says", says);
        show_rfc3339(env_now(c->env) + stands, t, sizeof t);
        json_set_str(o, "expires_at", t);
        return show_json(o, why);
    }
    show_time(env_now(c->env) + stands, t, sizeof t);
    printf("This takes two people: it is proposed, and nothing was done yet. Proposal %lld, until %s:\n  %s\n", (long long)no, t, says);
    printf("Another security administrator looks at it (spoke-hub proposal show %lld), and then: spoke-hub approve %lld\n", (long long)no,
           (long long)no);
    return ERR_OK;
}

static enum err read_no(const struct cli *c, int64_t *out, struct why *why)
{
    char *end = NULL;
    unsigned long long n = strtoull(c->args[0], &end, 10);
    if (c->args[0][0] < '0' || c->args[0][0] > '9' || *end != '\0' || n == 0 || n > INT64_MAX)
        return why_set(why, ERR_USAGE, "A proposal has a number: see spoke-hub proposal list");
    *out = (int64_t)n;
    return ERR_OK;
}

static enum err list(struct cli *c, struct hub *h, struct why *why)
{
    static const struct show_column cols[] = {{"no", "Number", SHOW_INT},       {"state", "State", SHOW_TEXT},
                                              {"who", "Proposed by", SHOW_TEXT}, {"at", "On", SHOW_TIME},
                                              {"expires_at", "Waits until", SHOW_TIME}, {"says", "What will happen", SHOW_TEXT},
                                              {"kind", NULL, SHOW_TEXT},         {"reason", "Why", SHOW_TEXT},
                                              {"decided_by", NULL, SHOW_TEXT}};
    struct stmt *s = NULL;
    enum err e = db_prepare(hub_db(h),
                            "SELECT no, CASE WHEN state = 'open' AND expires_at <= $1 THEN 'expired' ELSE state END, who, at, expires_at, "
                            "says, kind, reason, decided_by FROM h_proposal WHERE $2 = 1 OR (state = 'open' AND expires_at > $1) ORDER BY no",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, env_now(c->env));
    db_bind_int(s, 2, cli_has(c, "all"));
    return show_list(c, s, cols, COUNT(cols), "Nothing waits for a second person.", NULL, why);
}

static enum err say_policy(struct cli *c, struct hub *h, int64_t no, struct why *why)
{
    struct buf policy;
    buf_init(&policy, POLICY_MAX);
    enum err e = hub_proposal_text(h, no, PROPOSE_POLICY, &policy, why);
    if (e == ERR_OK) {
        puts("\nThe policy that it would put in force would change, as the hub stands now:");
        e = hub_preview_say_policy(c, h, buf_bytes(&policy), why);
        if (e == ERR_OK) printf("\nIts text:\n%.*s\n", (int)policy.len, (const char *)policy.data);
    }
    buf_release(&policy);
    return e;
}

/* Which cases, from what would be carried out: in `says` there is their number. into: for programs, or NULL. */
static enum err say_cases(struct hub *h, int64_t no, struct json *into, struct why *why)
{
    struct json *list = NULL;
    struct buf ids;
    char uuid[37];
    buf_init(&ids, 16 * ERASE_AGAIN_MAX);
    enum err e = hub_proposal_text(h, no, PROPOSE_ERASE_AGAIN, &ids, why);
    if (e == ERR_OK && into != NULL)
        list = json_array_new();
    else if (e == ERR_OK)
        puts("\nThe cases that would be erased for good:");
    for (size_t at = 0; e == ERR_OK && at + 16 <= ids.len; at += 16) {
        uuid_format(ids.data + at, uuid);
        if (into != NULL)
            json_append_str(list, uuid);
        else
            puts(uuid);
    }
    if (e == ERR_OK && into != NULL) json_set_obj(into, "cases", list);
    buf_release(&ids);
    return e;
}

static enum err show_for_programs(struct hub *h, struct stmt *s, int64_t no, struct why *why)
{
    bool found = false;
    enum err e = db_step(s, &found, why);
    struct json *o = e == ERR_OK && found ? show_object(s, columns, COUNT(columns)) : NULL;
    db_done(s);
    if (e != ERR_OK) return e;
    if (!found) return why_set(why, ERR_NOTFOUND, "There is no proposal of this number.");
    if (o == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to show a proposal.");
    e = say_cases(h, no, o, why);
    if (e == ERR_OK || e == ERR_NOTFOUND) return show_json(o, why);
    json_free(o);
    return e;
}

static enum err show(struct cli *c, struct hub *h, struct why *why)
{
    struct stmt *s = NULL;
    int64_t no = 0;
    bool found = false;
    enum err e = read_no(c, &no, why);
    if (e == ERR_OK) e = one(h, no, &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 2, env_now(c->env));
    if (c->json) return show_for_programs(h, s, no, why);
    e = show_one(c, s, columns, COUNT(columns), &found, why);
    if (e == ERR_OK && !found) e = why_set(why, ERR_NOTFOUND, "There is no proposal of this number.");
    if (e != ERR_OK) return e;
    e = say_policy(c, h, no, why);
    if (e == ERR_NOTFOUND) e = say_cases(h, no, NULL, why);
    return e == ERR_NOTFOUND ? ERR_OK : e;
}

/* What it is, before it is done: whoever approves shall not have to believe a number. */
static enum err ask(struct cli *c, struct hub *h, int64_t no, struct why *why)
{
    struct stmt *s = NULL;
    char says[1100] = "", question[1300];
    bool row = false;
    if (!confirm_asks(c) || c->json) return ERR_OK;
    enum err e = one(h, no, &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 2, env_now(c->env));
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) plain_text(says, sizeof says, db_bytes(s, 2));
    db_done(s);
    (void)snprintf(question, sizeof question, "%s Do it? Type yes:", says);
    return e == ERR_OK && row ? confirm_yes(c, question, "Nothing was done.", why) : e;
}

static enum err approve(struct cli *c, struct hub *h, struct why *why)
{
    enum proposal_kind kind = PROPOSAL_KINDS;
    int64_t no = 0;
    enum err e = read_no(c, &no, why);
    if (e == ERR_OK) e = ask(c, h, no, why);
    if (e == ERR_OK) e = hub_approve(h, no, &kind, why);
    if (e == ERR_OK && kind == PROPOSE_POLICY) return hub_preview_carry_out(c, h, why);
    if (e != ERR_OK || !c->json)
        return e == ERR_OK ? hub_home_said(c, "approved", c->args[0], "It is done, as it was proposed. Both names are noted.", why) : e;
    struct json *o = json_object_new();
    json_set_int(o, "approved", no);
    json_set_str(o, "kind", hub_proposal_word(kind));
    return show_json(o, why);
}

static enum err refuse(struct cli *c, struct hub *h, struct why *why)
{
    const char *reason = NULL;
    int64_t no = 0;
    enum err e = cli_need(c, "reason", &reason, why);
    if (e == ERR_OK) e = read_no(c, &no, why);
    if (e == ERR_OK) e = hub_refuse(h, no, reason, why);
    return e == ERR_OK ? hub_home_said(c, "refused", c->args[0], "It is refused, and will not be done.", why) : e;
}

static enum err run_list(struct cli *c, struct why *why)
{
    return hub_home_run(c, list, why);
}
static enum err run_show(struct cli *c, struct why *why)
{
    return hub_home_run(c, show, why);
}
static enum err run_approve(struct cli *c, struct why *why)
{
    return hub_home_run(c, approve, why);
}
static enum err run_refuse(struct cli *c, struct why *why)
{
    return hub_home_run(c, refuse, why);
}

static const struct flag list_flags[] = {{"all", NULL, "also what is decided or expired"}, {0}};
static const struct flag approve_flags[] = {{"yes", NULL, "do not ask"}, {0}};
static const struct flag refuse_flags[] = {{"reason", "TEXT", "why; it is kept"}, {0}};

const struct command hub_proposal_commands[] = {
    {"proposal list", "", 0, 0, "List what one administrator proposed and waits for another.", "spoke-hub proposal list", list_flags, run_list},
    {"proposal show", "N", 1, 1, "Show a proposal: what would happen, who wants it and why; of a policy also what it would change, of cases which.",
     "spoke-hub proposal show 4", NULL, run_show},
    {"approve", "N", 1, 1,
     "Carry out what another security administrator proposed, exactly as it was proposed. If the hub has changed since so that it would "
     "be something else, it is void.",
     "spoke-hub approve 4", approve_flags, run_approve},
    {"refuse", "N", 1, 1, "Refuse what is proposed, also what you proposed yourself.", "spoke-hub refuse 4 --reason \"the device was found\"",
     refuse_flags, run_refuse},
    {0}};
