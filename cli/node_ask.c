/* explain, who-saw, preview share|unshare, break-glass: what the hub is asked, and what it replied. */
#include "cli/node_commands.h"
#include "cli/node_reply.h"
#include "node/look_preview.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------------------ the contact */

enum err node_reply_waits(struct work *w, uint64_t number, struct why *why)
{
    if (!w->c->json) {
        puts("The question is kept here. It goes with the next contact, by network or by USB stick; the answer stands "
             "after that.");
        return ERR_OK;
    }
    struct json *o = json_object_new();
    json_set_int(o, "question", (int64_t)number);
    json_set_bool(o, "replied", false);
    return show_json(o, why);
}

static enum err unreachable(struct work *w, struct why *why)
{
    (void)why_set(
        why, ERR_UNREACHABLE,
        "The MASH server cannot be reached now. Your question is kept here and goes with the next contact, by "
        "network or by USB stick; the answer stands here after that.");
    return why_next(why, ERR_UNREACHABLE, "After the next contact, type: spoke %s ... --offline", w->c->command->name);
}

enum err node_reply_ask(struct work *w, const struct node_question *q, uint64_t *out_number, bool *out_replied,
                        struct why *why)
{
    struct carrier_http *http = NULL;
    struct round_result r;
    struct node_reply head = {0};
    bool offline = cli_has(w->c, "offline");
    enum err e = offline ? node_reply_to(w->node, q, out_number, NULL) : ERR_NOTFOUND;
    if (e == ERR_NOTFOUND) e = node_ask(w->node, q, out_number, why);
    if (e == ERR_OK && !offline) e = carrier_http_new(&http, w->info.hub_address, why);
    if (e == ERR_OK && !offline) {
        struct carrier via = carrier_http(http);
        e = node_sync(w->node, &via, NULL, &r, why);
        if (e == ERR_UNREACHABLE) e = unreachable(w, why);
    }
    carrier_http_free(http);
    if (e != ERR_OK) return e;
    e = node_reply(w->node, *out_number, &head, NULL, NULL, why);
    if (e == ERR_NOTFOUND)
        e = why_set(why, ERR_NOTFOUND, "What you asked about was taken away from this device just now.");
    *out_replied = head.replied;
    return e;
}

static enum err ask(struct work *w, const struct node_question *q, const char *none, struct why *why)
{
    uint64_t number = 0;
    bool replied = false;
    enum err e = node_reply_ask(w, q, &number, &replied, why);
    if (e != ERR_OK) return e;
    if (!replied) return node_reply_waits(w, number, why);
    return node_reply_show(w, (enum question_kind)q->kind, number, none, why);
}

/* ------------------------------------------------------------------------------------------------------ about a row */

/* A row of any table that is here: by its id, the beginning of it, or a case's reference. A case and what it has
 * once bear one id: then the case is meant. */
static enum err pick_any(struct work *w, const char *typed, int *out_table, uint8_t out_id[16], struct why *why)
{
    struct why said = {0}, found_twice = {0};
    uint8_t id[16];
    size_t n = 0;
    bool found = false;
    (void)rules_tables(&n);
    int file = rules_table_index(bytes_of_str("case_file"));
    for (size_t i = 0; i <= n; i++) { /* cases first */
        int t = i == 0 ? file : (int)i - 1;
        enum err e = i > 0 && t == file
                         ? ERR_NOTFOUND
                         : work_pick(w, rules_table((size_t)t)->name, typed, id, i == 0 ? &said : &found_twice);
        if (e == ERR_NOTFOUND) continue;
        if (e == ERR_OK && found && memcmp(id, out_id, 16) == 0) continue;
        if (e == ERR_OK && found) e = ERR_USAGE;
        if (e != ERR_OK) return why_set(why, e, "Several begin like that. Type more of it.");
        found = true;
        *out_table = t;
        memcpy(out_id, id, 16);
    }
    if (found) return ERR_OK;
    (void)why_set(why, ERR_NOTFOUND, "%s", said.text);
    return why_next(why, ERR_NOTFOUND, "%s", said.next);
}

static enum err do_explain(struct work *w, struct why *why)
{
    struct node_question q = {.kind = QUESTION_EXPLAIN};
    enum err e = pick_any(w, w->c->args[0], &q.table_index, q.id, why);
    return e == ERR_OK ? ask(w, &q, "The MASH server has nothing to say about this.", why) : e;
}
static enum err run_explain(struct cli *c, struct why *why)
{
    return work_read(c, do_explain, why);
}

static enum err do_who_saw(struct work *w, struct why *why)
{
    struct node_question q = {.kind = QUESTION_WHO_SAW};
    struct value at = value_null();
    enum err e = pick_any(w, w->c->args[0], &q.table_index, q.id, why);
    if (e == ERR_OK) e = work_time_flag(w, "at", value_null(), &at, why);
    if (e == ERR_OK && at.kind == VALUE_INT && (at.i <= 0 || at.i > w->now))
        e = why_set(why, ERR_USAGE, "--at is a time that has been.");
    if (e == ERR_OK && at.kind == VALUE_INT) q.at_ms = at.i;
    return e == ERR_OK
               ? ask(w, &q,
                     "The MASH server has nothing to say about this: that is told of what your own agency wrote.", why)
               : e;
}
static enum err run_who_saw(struct cli *c, struct why *why)
{
    return work_read(c, do_who_saw, why);
}

/* --------------------------------------------------------------------------------------------------------- previews */

/* Until the hub has said what holds for this case. */
static void say_rule(const struct look_preview *in)
{
    puts("By the rules that a MASH begins with:");
    for (const char *const *one = look_preview_rule(in); *one != NULL; one++) printf("  %s\n", *one);
}

static enum err preview(struct work *w, bool unshare, struct why *why)
{
    char text[LOOK_PREVIEW_CHARS];
    uint8_t id[16];
    uint64_t number = 0;
    bool replied = false;
    struct node_question q;
    const struct look_preview in = {.case_id = id,
                                    .agency = w->c->args[1],
                                    .site = unshare ? NULL : cli_flag(w->c, "site"),
                                    .access = unshare ? NULL : cli_flag(w->c, "access"),
                                    .unshare = unshare};
    enum err e = work_pick(w, "case_file", w->c->args[0], id, why);
    if (e == ERR_OK) e = look_preview_question(&in, text, &q, why);
    if (e == ERR_OK) e = node_reply_ask(w, &q, &number, &replied, why);
    if ((e == ERR_UNREACHABLE || (e == ERR_OK && !replied)) && !w->c->json) say_rule(&in);
    if (e != ERR_OK) return e;
    if (!replied) return node_reply_waits(w, number, why);
    return node_reply_show(
        w, (enum question_kind)q.kind, number,
        "Nothing would change, or it is not yours to change: the lead agency, or a manager or social "
        "worker on duty for the area, decides who takes part.",
        why);
}
static enum err do_preview_share(struct work *w, struct why *why)
{
    return preview(w, false, why);
}
static enum err run_preview_share(struct cli *c, struct why *why)
{
    return work_read(c, do_preview_share, why);
}
static enum err do_preview_unshare(struct work *w, struct why *why)
{
    return preview(w, true, why);
}
static enum err run_preview_unshare(struct cli *c, struct why *why)
{
    return work_read(c, do_preview_unshare, why);
}

/* ------------------------------------------------------------------------------------------------------ break-glass */

/* Is the case here at all; does the part stand that breaking the glass gives? */
struct glass {
    bool here, open;
};
static enum err look(struct work *w, const char *reference, struct glass *out, struct why *why)
{
    struct stmt *s = NULL;
    enum err e = db_prepare(w->db,
                            "SELECT EXISTS(SELECT 1 FROM participant p WHERE p.case_id = c.id AND p.member = $1 AND"
                            " p.site = $2 AND p.agency = '' AND p.basis LIKE 'emergency:%' AND p.until > $3) FROM"
                            " case_file c WHERE c.reference = $4",
                            &s, why);
    *out = (struct glass){0};
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, w->info.agency);
    db_bind_str(s, 2, w->info.site);
    db_bind_int(s, 3, w->now);
    db_bind_str(s, 4, reference);
    e = db_step(s, &out->here, why);
    out->open = e == ERR_OK && out->here && db_int(s, 0) != 0;
    db_done(s);
    return e;
}

static enum err say_opened(struct work *w, const char *reference, uint64_t number, struct why *why)
{
    struct glass g;
    enum err e = look(w, reference, &g, why);
    if (e != ERR_OK) return e;
    w->c->attention = !g.open;
    if (w->c->json) {
        struct json *o = json_object_new();
        json_set_int(o, "question", (int64_t)number);
        json_set_bool(o, "replied", true);
        json_set_bool(o, "opened", g.open);
        return show_json(o, why);
    }
    if (g.open)
        printf(
            "The case %s is open here now, for a fixed time. The agencies that take part have been told who opened it "
            "and why.\nRead it with: spoke case show %s\n",
            reference, reference);
    else if (g.here)
        printf("Nothing was opened. What your site sees of the case is here already: spoke case show %s\n", reference);
    else
        puts("The case is not here. The MASH server does not say why: it may have no case of this reference, or it may "
             "not be opened like this. Phone the MASH.");
    return ERR_OK;
}

static enum err do_break_glass(struct work *w, struct why *why)
{
    char reference[64], text[1024];
    const char *reason = NULL;
    struct node_question q = {.kind = QUESTION_EMERGENCY, .text = text};
    uint64_t number = 0;
    struct glass g = {0};
    bool replied = false;
    size_t k = 0;
    for (const char *p = w->c->args[0]; *p != '\0' && k + 1 < sizeof reference; p++)
        if (!isspace((unsigned char)*p)) reference[k++] = (char)toupper((unsigned char)*p);
    reference[k] = '\0';
    enum err e = cli_need(w->c, "reason", &reason, why);
    if (e == ERR_OK && reason[strspn(reason, " \t\n")] == '\0')
        e = why_set(why, ERR_USAGE, "Say why: the agencies that take part in the case will read it.");
    if (e == ERR_OK && snprintf(text, sizeof text, "%s\n%s", reference, reason) >= (int)sizeof text)
        e = why_set(why, ERR_USAGE, "The reason is too long: at most about 900 letters.");
    if (e == ERR_OK) e = look(w, reference, &g, why);
    if (e == ERR_OK && g.open) return say_opened(w, reference, 0, why);
    if (e == ERR_OK) e = node_reply_ask(w, &q, &number, &replied, why);
    if (e != ERR_OK) return e;
    return replied ? say_opened(w, reference, number, why) : node_reply_waits(w, number, why);
}
static enum err run_break_glass(struct cli *c, struct why *why)
{
    return work_read(c, do_break_glass, why);
}

#define OFFLINE                                                                                                        \
    {                                                                                                                  \
        "offline", NULL, "do not contact the hub: show what was replied, or keep the question until the next contact"  \
    }

static const struct flag explain_flags[] = {OFFLINE, {0}};
static const struct flag who_saw_flags[] = {
    {"at", "TIME", "who could see it at that time (default: ever)"}, OFFLINE, {0}};
static const struct flag share_flags[] = {{"site", "SITE", "only this site of the agency"},
                                          {"access", "HOW", "check, view or contribute (default)"},
                                          OFFLINE,
                                          {0}};
static const struct flag glass_flags[] = {
    {"reason", "TEXT", "why it cannot wait; the agencies that take part will read it"}, OFFLINE, {0}};

const struct command node_ask_commands[] = {
    {"explain", "ID", 1, 1, "Why this is on this device, and, of what your agency wrote, who else sees it.",
     "spoke explain C-7K2M9QXD", explain_flags, run_explain},
    {"who-saw", "ID", 1, 1,
     "Who could see something that your agency wrote, which devices held it, and whether they confirmed forgetting it.",
     "spoke who-saw 0192f3e6 --at 2026-11-03", who_saw_flags, run_who_saw},
    {"preview share", "CASE AGENCY", 2, 2,
     "What would appear at an agency if you shared the case with it. Nothing is shared.",
     "spoke preview share C-7K2M9QXD probation --access view", share_flags, run_preview_share},
    {"preview unshare", "CASE AGENCY", 2, 2,
     "What would leave an agency's devices if you stopped sharing the case. Nothing is changed.",
     "spoke preview unshare C-7K2M9QXD probation", explain_flags, run_preview_unshare},
    {"break-glass", "REFERENCE", 1, 1,
     "Open a case that is not your site's, in an emergency: for a manager on duty, for a fixed time. Everybody who "
     "takes part is told. Your MASH's administrators have to allow it.",
     "spoke break-glass C-7K2M9QXD --reason \"Child at the hospital, mother cannot be reached\"", glass_flags,
     run_break_glass},
    {0}};
