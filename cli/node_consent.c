/* consent, record override, void: what may be told, and what must be forgotten. */
#include "cli/node_commands.h"
#include "cli/node_work.h"
#include "cli/plain.h"
#include "node/act.h"

#include <string.h>

#define LISTED 8u /* waiting records that are named one by one */

enum err node_outlook(struct work *w, const uint8_t case_id[16], bool contribute, bool *out_held, struct why *why)
{
    static const char *const words[] = {"takes no part in this case", "only checks in this case",
                                        "only reads in this case", ""};
    enum act_part part = ACT_CONTRIBUTES;
    enum err e = act_part(w->node, case_id, &part, why);
    if (e != ERR_OK) return e;
    *out_held = part != ACT_CONTRIBUTES && (contribute || part != ACT_CHECKS);
    if (!*out_held) return ERR_OK;
    fprintf(stderr,
            "As far as this device knows your site %s. The MASH keeps this back until a manager accepts it; nothing"
            " changes until then.\n",
            words[part]);
    w->c->attention = true;
    return ERR_OK;
}

/* ------------------------------------------------------------------------------------------------------ effect */
struct effect {
    size_t needing, waiting,
        sensitive; /* own records that need consent; of those: wait for it; told to the room alone */
    struct {
        uint8_t id[16];
        char title[80];
    } listed[LISTED];
};

static enum err count_one(void *ctx, const struct act_needing *r, struct why *why)
{
    struct effect *f = ctx;
    (void)why;
    f->needing++;
    if (!r->waits) {
        f->sensitive += r->sensitive;
        return ERR_OK;
    }
    if (f->waiting < LISTED) {
        memcpy(f->listed[f->waiting].id, r->id, 16);
        plain_text(f->listed[f->waiting].title, sizeof f->listed[0].title, r->title);
    }
    f->waiting++;
    return ERR_OK;
}

static void say_waiting(const struct effect *f)
{
    char text[64], id[37];
    show_count(text, sizeof text, f->waiting, "record of your agency in this case waits",
               "records of your agency in this case wait");
    fprintf(stderr, "%s for consent.\n", text);
    for (size_t i = 0; i < f->waiting && i < LISTED; i++) {
        uuid_format(f->listed[i].id, id);
        fprintf(stderr, "  %s  %s\n", id, f->listed[i].title);
    }
    if (f->waiting > LISTED) fprintf(stderr, "  and %zu more\n", f->waiting - LISTED);
    fprintf(stderr,
            "Nobody else can see %s. If a child may be at risk of significant harm you may share without consent: say"
            " why.\n  spoke record override RECORD --reason \"Risk of significant harm: ...\"\n",
            f->waiting == 1 ? "this" : "these");
}

static void say_effect(const struct effect *f)
{
    char text[80];
    if (f->needing == 0)
        fprintf(stderr, "No record of your agency in this case needs consent, so none of them changes.\n");
    if (f->waiting != 0) say_waiting(f);
    if (f->needing == f->waiting) return;
    show_count(text, sizeof text, f->needing - f->waiting, "record of your agency that needs consent is",
               "records of your agency that need consent are");
    fprintf(stderr, "%s not kept back: seen by those who take part.\n", text);
    if (f->sensitive != 0)
        fprintf(stderr, "Of these %zu marked sensitive: seen by the MASH room alone.\n", f->sensitive);
}

enum err node_consent_effect(struct work *w, const uint8_t case_id[16], struct json *into, struct why *why)
{
    struct effect f = {0};
    enum act_part part = ACT_CONTRIBUTES;
    enum err e = act_needing(w->node, case_id, count_one, &f, why);
    if (e == ERR_OK) e = act_part(w->node, case_id, &part, why);
    if (e != ERR_OK) return e;
    say_effect(&f);
    if (f.waiting != 0 && (part == ACT_CHECKS || part == ACT_NO_PART)) /* consents of others are not for its eyes */
        fprintf(stderr,
                "That is as far as this device knows: it is not shown what consent others noted. 'spoke explain RECORD'"
                " asks the MASH who sees one.\n");
    json_set_int(into, "needing_consent", (int64_t)f.needing);
    json_set_int(into, "waiting_for_consent", (int64_t)f.waiting);
    return ERR_OK;
}

/* ----------------------------------------------------------------------------------------------------- consent */
static void say_state(const struct act_consent *in)
{
    const char *whose = strcmp(in->scope, "all") == 0 ? "every agency" : in->scope;
    if (strcmp(in->state, "given") == 0)
        fprintf(stderr, "This is about records of %s that need consent. It counts once the MASH has it.\n", whose);
    else
        fprintf(stderr, "Records of %s that need consent leave the devices of others with their next contact.\n",
                whose);
    if (strcmp(in->state, "withdrawn") == 0)
        fprintf(stderr, "What a recorded decision rests upon stays with those who were told: a decision must remain"
                        " explainable.\n");
    if (strcmp(in->state, "given") != 0)
        fprintf(stderr, "Records that were told by override stay told: there the risk decides, not the consent.\n");
}

static enum err consent(struct work *w, const char *state, struct why *why)
{
    uint8_t case_id[16], person[16], id[16];
    struct value until, told;
    bool held = false;
    char text[37];
    struct act_consent in = {.case_id = case_id,
                             .person = person,
                             .state = state,
                             .reason = cli_flag(w->c, "reason"),
                             .capacity = cli_flag(w->c, "capacity")};
    enum err e = cli_need(w->c, "scope", &in.scope, why);
    if (e == ERR_OK && strcmp(state, "not_sought") == 0) e = cli_need(w->c, "reason", &in.reason, why);
    if (e == ERR_OK) e = work_pick(w, "case_file", w->c->args[0], case_id, why);
    if (e == ERR_OK) e = work_pick(w, "person", w->c->args[1], person, why);
    if (e == ERR_OK) e = work_time_flag(w, "until", value_int(0), &until, why);
    if (e == ERR_OK) e = work_time_flag(w, "told", value_int(0), &told, why);
    if (e != ERR_OK) return e;
    in.until = until.i;
    in.told_at = told.i;
    e = act_consent(w->node, &in, id, why);
    if (e == ERR_OK) e = node_outlook(w, case_id, true, &held, why);
    if (e != ERR_OK) return e;
    if (!held) say_state(&in);
    struct json *o = w->c->json ? json_object_new() : NULL;
    uuid_format(id, text);
    json_set_str(o, "id", text);
    if (!held) e = node_consent_effect(w, case_id, o, why);
    if (e == ERR_OK && o != NULL) return show_json(o, why);
    json_free(o);
    return e == ERR_OK ? work_say_id(w, "Consent", id, why) : e;
}
static enum err do_give(struct work *w, struct why *why)
{
    return consent(w, "given", why);
}
static enum err do_refuse(struct work *w, struct why *why)
{
    return consent(w, "refused", why);
}
static enum err do_withdraw(struct work *w, struct why *why)
{
    return consent(w, "withdrawn", why);
}
static enum err do_not_sought(struct work *w, struct why *why)
{
    return consent(w, "not_sought", why);
}
static enum err run_give(struct cli *c, struct why *why)
{
    return work_read(c, do_give, why);
}
static enum err run_refuse(struct cli *c, struct why *why)
{
    return work_read(c, do_refuse, why);
}
static enum err run_withdraw(struct cli *c, struct why *why)
{
    return work_read(c, do_withdraw, why);
}
static enum err run_not_sought(struct cli *c, struct why *why)
{
    return work_read(c, do_not_sought, why);
}

/* ---------------------------------------------------------------------------------------------------- override */
static enum err do_override(struct work *w, struct why *why)
{
    uint8_t id[16];
    enum act_sight sight = ACT_ALL;
    const char *reason = NULL;
    enum err e = cli_need(w->c, "reason", &reason, why);
    if (e == ERR_OK) e = work_pick(w, "record", w->c->args[0], id, why);
    if (e == ERR_OK) e = act_override(w->node, id, reason, why);
    if (e == ERR_OK) e = act_record_sight(w->node, id, &sight, why);
    if (e != ERR_OK) return e;
    if (sight == ACT_NOBODY_RESTRICTED)
        fprintf(stderr, "It is still restricted to your agency. To tell it to one other: spoke release grant\n");
    else
        fprintf(stderr, "With the next contact %s. Your other records stay as they are.\n",
                sight == ACT_ROOM ? "the MASH room sees it" : "those who take part see it");
    return work_say_id(w, "Told without consent: record", id, why);
}
static enum err run_override(struct cli *c, struct why *why)
{
    return work_read(c, do_override, why);
}

/* -------------------------------------------------------------------------------------------------------- void */
static enum err find_anywhere(struct work *w, const char *typed, const char **out_table, uint8_t out_id[16],
                              struct why *why)
{
    size_t n = 0;
    const struct table_rule *all = rules_tables(&n);
    for (size_t i = 0; i < n; i++) {
        if (all[i].kind != TABLE_CASE || all[i].insert == INSERT_HUB) continue;
        enum err e = work_pick(w, all[i].name, typed, out_id, why);
        if (e != ERR_NOTFOUND) {
            *out_table = all[i].name;
            return e;
        }
    }
    return ERR_NOTFOUND; /* why is set by the last look */
}

static enum err do_void(struct work *w, struct why *why)
{
    uint8_t id[16];
    const char *reason = NULL, *table = NULL;
    enum err e = cli_need(w->c, "reason", &reason, why);
    if (e == ERR_OK) e = find_anywhere(w, w->c->args[0], &table, id, why);
    if (e == ERR_OK) e = act_void(w->node, table, id, reason, why);
    if (e != ERR_OK) return e;
    fprintf(stderr, "With the next contact it leaves everybody but your agency, and the MASH room if that had it.\n");
    return work_say_id(w, "Marked as written by mistake:", id, why);
}
static enum err run_void(struct cli *c, struct why *why)
{
    return work_read(c, do_void, why);
}

static const struct flag reason_flags[] = {{"reason", "TEXT", "why; stays on record"}, {0}};
static const struct flag consent_flags[] = {
    {"scope", "SCOPE", "whose records may be told: all, or the code of one agency"},
    {"until", "TIME", "ends by itself then; of a refusal: when to ask again"},
    {"capacity", "TEXT", "of an adult: has, lacks, or what was found"},
    {"told", "TIME", "when the family was told that records are shared"},
    {"reason", "TEXT", "in whose words, why; 'not-sought' needs it"},
    {0}};

const struct command node_consent_commands[] = {
    {"consent give", "CASE PERSON", 2, 2, "Note that a person consents.",
     "spoke consent give C-7K2M9QXD 0192f3a1 --scope health --told 2026-11-03", consent_flags, run_give},
    {"consent refuse", "CASE PERSON", 2, 2, "Note that a person does not consent.",
     "spoke consent refuse C-7K2M9QXD 0192f3a1 --scope health --reason \"Wants to talk to the school first\"",
     consent_flags, run_refuse},
    {"consent withdraw", "CASE PERSON", 2, 2,
     "Note that a person takes consent back. What was told because of it leaves the other devices, but for what a recorded"
     " decision rests upon.",
     "spoke consent withdraw C-7K2M9QXD 0192f3a1 --scope health", consent_flags, run_withdraw},
    {"consent not-sought", "CASE PERSON", 2, 2, "Note that consent was not sought, and why.",
     "spoke consent not-sought C-7K2M9QXD 0192f3a1 --scope all --reason \"Asking would put the child at risk\"",
     consent_flags, run_not_sought},
    {"record override", "RECORD", 1, 1,
     "Tell a record without consent, because a child may be at risk of significant harm.",
     "spoke record override 0192f3c4 --reason \"Risk of significant harm: injury under 1\"", reason_flags,
     run_override},
    {"void", "ID", 1, 1, "Mark a row of your own agency as written by mistake. Then only you and the MASH room see it.",
     "spoke void 0192f3c4 --reason \"Wrong child\"", reason_flags, run_void},
    {0}};
