/* release, pointer: what an agency holds and others may not see: asked for, told, refused. */
#include "cli/confirm.h"
#include "cli/node_commands.h"
#include "cli/node_work.h"
#include "cli/plain.h"
#include "node/act.h"

#include <string.h>

static enum err agency_name(struct work *w, const char *code, char *out, size_t n, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(w->db, "SELECT coalesce(name, code) FROM agency WHERE code = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, code);
    e = db_step(s, &row, why);
    if (e == ERR_OK) plain_text(out, n, row ? db_bytes(s, 0) : bytes_of_str(code));
    db_done(s);
    return e;
}

/* --------------------------------------------------------------------------------------------------------- ask */
static enum err do_ask(struct work *w, struct why *why)
{
    uint8_t case_id[16], pointer[16], id[16];
    bool outsider = false, held = false;
    struct act_ask in = {.case_id = case_id, .holder = w->c->args[1]};
    enum err e = cli_need(w->c, "reason", &in.reason, why);
    if (e == ERR_OK) e = work_pick(w, "case_file", w->c->args[0], case_id, why);
    if (e == ERR_OK && cli_has(w->c, "pointer")) {
        in.pointer = pointer;
        e = work_pick(w, "pointer", cli_flag(w->c, "pointer"), pointer, why);
    }
    if (e == ERR_OK) e = act_release_ask(w->node, &in, id, &outsider, why);
    if (e == ERR_OK) e = node_outlook(w, case_id, false, &held, why);
    if (e != ERR_OK) return e;
    if (outsider)
        fprintf(stderr,
                "As far as this device knows they take no part in this case: they get your question, but do not see"
                " the case. 'spoke request send' brings them in.\n");
    return work_say_id(w, "Asked; release", id, why);
}
static enum err run_ask(struct cli *c, struct why *why)
{
    return work_read(c, do_ask, why);
}

/* ----------------------------------------------------------------------------------------------------- preview */
static void say_field(FILE *f, const char *title, struct value v)
{
    char text[2048];
    if (v.kind == VALUE_INT) {
        show_time(v.i, text, sizeof text);
        fprintf(f, "  %-12s%s\n", title, text);
    } else if (v.kind == VALUE_TEXT && v.s.n < sizeof text) {
        plain_text(text, sizeof text, v.s);
        fprintf(f, "  %-12s%s\n", title, text);
    } else if (v.kind == VALUE_TEXT) {
        fprintf(f, "  %s\n", title);
        plain_block(f, "    | ", v.s);
    }
}

static void say_cautions(FILE *f, const struct act_preview *p, const char *name)
{
    if (p->waits)
        fprintf(f,
                "Take care: as far as this device knows the record waits for consent, and nobody else can see it. You"
                " would tell it to them without consent.\n");
    if (p->restricted) fprintf(f, "Take care: this record is restricted to your own agency.\n");
    if (p->sensitive)
        fprintf(f, "Take care: this record is sensitive: besides your agency only the MASH room sees it.\n");
    if (p->handling.kind == VALUE_TEXT && p->conditions.kind != VALUE_TEXT) {
        fprintf(f, "How the record must be handled is not told with it, unless you say so with --conditions:\n");
        plain_block(f, "    | ", p->handling.s);
    }
    if (p->outsider)
        fprintf(f,
                "As far as this device knows, %s takes no part in this case: they get what stands above, and do not see"
                " the case.\n",
                name);
}

static void say_preview(FILE *f, struct work *w, const struct act_grant *in, const struct act_preview *p,
                        const char *name)
{
    char mine[128];
    plain_text(mine, sizeof mine, bytes_of_str(w->info.user_name));
    if (strcmp(in->how, "spoken") == 0)
        fprintf(f, "This records that you told %s (%s) in person. They get no text with it.\n", name, in->to_agency);
    else
        fprintf(f, "%s (%s) will get exactly this:\n", name, in->to_agency);
    say_field(f, "Title", p->title);
    if (p->body.kind == VALUE_TEXT && p->body.s.n > 0) {
        fprintf(f, "  Text\n");
        plain_block(f, "    | ", p->body.s);
    } else if (strcmp(in->how, "spoken") != 0) {
        fprintf(f, "  (no text: the record has none)\n");
    }
    say_field(f, "Conditions", p->conditions);
    say_field(f, "Until", p->until);
    if (p->until.kind != VALUE_INT) fprintf(f, "  Until       no end: they keep it\n");
    fprintf(f, "With it they see that your agency (%s) told it, how, by whom (%s) and when.\n", w->info.agency, mine);
    fprintf(f, "That is all they get: not the record, and no later change of it. No other agency gets it.\n");
    say_cautions(f, p, name);
}

static void put_value(struct json *o, const char *key, struct value v)
{
    char text[40];
    if (v.kind == VALUE_TEXT) {
        json_set_text(o, key, v.s);
    } else if (v.kind == VALUE_INT) {
        show_rfc3339(v.i, text, sizeof text);
        json_set_str(o, key, text);
    } else {
        json_set_null(o, key);
    }
}

static enum err print_preview(struct work *w, const struct act_grant *in, const struct act_preview *p, const char *name,
                              struct why *why)
{
    char id[37];
    if (!w->c->json) {
        say_preview(stdout, w, in, p, name);
        printf("Nothing was released: this was --dry-run.\n");
        return ERR_OK;
    }
    struct json *o = json_object_new();
    uuid_format(in->record, id);
    json_set_str(o, "record_id", id);
    json_set_str(o, "agency", w->info.agency);
    json_set_str(o, "to_agency", in->to_agency);
    json_set_str(o, "how", in->how);
    put_value(o, "title", p->title);
    put_value(o, "body", p->body);
    put_value(o, "conditions", p->conditions);
    put_value(o, "expires_at", p->until);
    json_set_bool(o, "waits_for_consent", p->waits);
    json_set_bool(o, "sensitive", p->sensitive);
    json_set_bool(o, "restricted", p->restricted);
    json_set_bool(o, "outsider", p->outsider);
    return show_json(o, why);
}

/* ------------------------------------------------------------------------------------------------------- grant */
struct grant_ids {
    uint8_t record[16], ask[16];
};

static enum err read_how(struct work *w, struct act_grant *in, struct why *why)
{
    const char *file = cli_flag(w->c, "redacted-file");
    struct value text;
    bool whole = cli_has(w->c, "whole"), spoken = cli_has(w->c, "spoken");
    if (whole + spoken + (file != NULL) != 1) {
        (void)why_set(why, ERR_USAGE,
                      "Say how they are told: --whole, --redacted-file FILE or --spoken, and one of them only.");
        return why_next(why, ERR_USAGE, "Try: %s", w->c->command->example);
    }
    in->how = whole ? "whole" : spoken ? "spoken" : "redacted";
    if (file == NULL) return ERR_OK;
    enum err e = work_file(w, file, &text, why);
    if (e == ERR_OK) in->redacted = text.s;
    return e;
}

static enum err read_grant(struct work *w, struct act_grant *in, struct grant_ids *ids, struct why *why)
{
    struct value until;
    *in = (struct act_grant){.record = ids->record,
                             .to_agency = w->c->args[1],
                             .title = cli_flag(w->c, "title"),
                             .conditions = cli_flag(w->c, "conditions")};
    enum err e = read_how(w, in, why);
    if (e == ERR_OK) e = work_time_flag(w, "until", value_int(0), &until, why);
    if (e == ERR_OK) e = work_pick(w, "record", w->c->args[0], ids->record, why);
    if (e == ERR_OK && cli_has(w->c, "for")) {
        in->ask = ids->ask;
        e = work_pick(w, "release", cli_flag(w->c, "for"), ids->ask, why);
    }
    if (e == ERR_OK) in->until = until.i;
    return e;
}

static enum err grant(struct work *w, struct act_grant *in, const struct act_preview *p, const char *name,
                      struct why *why)
{
    uint8_t id[16], case_id[16];
    bool held = false;
    if (confirm_asks(w->c) || !w->c->json) say_preview(stderr, w, in, p, name);
    enum err e = confirm_yes(w->c, "Type yes to release it:", "Nothing was released.", why);
    in->shown = p->shown;
    if (e == ERR_OK) e = act_release_grant(w->node, in, id, why);
    if (e == ERR_OK) e = work_case_of(w, "record", in->record, case_id, why);
    if (e == ERR_OK) e = node_outlook(w, case_id, false, &held, why);
    return e == ERR_OK
               ? work_say_id(w, held ? "Not released yet; release" : "Released with the next contact; release", id, why)
               : e;
}

static enum err do_grant(struct work *w, struct why *why)
{
    struct act_grant in;
    struct grant_ids ids;
    struct act_preview p;
    char name[200];
    enum err e = read_grant(w, &in, &ids, why);
    if (e != ERR_OK) return e;
    if (cli_has(w->c, "whole")) e = node_viewed(w, "record", "SELECT id FROM record WHERE id = $1", ids.record, why);
    if (e != ERR_OK) return e;
    e = act_release_preview(w->node, &in, &p, why);
    if (e == ERR_OK) e = agency_name(w, in.to_agency, name, sizeof name, why);
    if (e == ERR_OK) e = cli_has(w->c, "dry-run") ? print_preview(w, &in, &p, name, why) : grant(w, &in, &p, name, why);
    act_preview_release(&p);
    return e;
}
static enum err run_grant(struct cli *c, struct why *why)
{
    return work_read(c, do_grant, why);
}

static enum err do_refuse(struct work *w, struct why *why)
{
    uint8_t id[16];
    const char *reason = NULL;
    enum err e = cli_need(w->c, "reason", &reason, why);
    if (e == ERR_OK) e = work_pick(w, "release", w->c->args[0], id, why);
    if (e == ERR_OK) e = act_release_refuse(w->node, id, reason, why);
    return e == ERR_OK ? work_say_id(w, "Refused; release", id, why) : e;
}
static enum err run_refuse(struct cli *c, struct why *why)
{
    return work_read(c, do_refuse, why);
}

static enum err do_cancel(struct work *w, struct why *why)
{
    uint8_t id[16];
    enum err e = work_pick(w, "release", w->c->args[0], id, why);
    if (e == ERR_OK) e = act_release_cancel(w->node, id, why);
    return e == ERR_OK ? work_say_id(w, "Took back; release", id, why) : e;
}
static enum err run_cancel(struct cli *c, struct why *why)
{
    return work_read(c, do_cancel, why);
}

/* ----------------------------------------------------------------------------------------------------- pointer */
static enum err do_pointer(struct work *w, struct why *why)
{
    uint8_t case_id[16], id[16];
    const char *note = NULL;
    bool held = false;
    enum err e = cli_need(w->c, "note", &note, why);
    if (e == ERR_OK) e = work_pick(w, "case_file", w->c->args[0], case_id, why);
    if (e == ERR_OK) e = act_pointer_add(w->node, case_id, note, cli_flag(w->c, "contact"), id, why);
    if (e == ERR_OK) e = node_outlook(w, case_id, false, &held, why);
    if (e != ERR_OK) return e;
    if (!held)
        fprintf(stderr,
                "Everybody who takes part in this case will see this note and that your agency holds something, and"
                " nothing of what it holds.\n");
    return work_say_id(w, "Pointer", id, why);
}
static enum err run_pointer(struct cli *c, struct why *why)
{
    return work_read(c, do_pointer, why);
}

static const struct flag ask_flags[] = {{"reason", "TEXT", "what you need it for: the owner decides by that"},
                                        {"pointer", "ID", "the pointer that says they hold something"},
                                        {0}};
static const struct flag grant_flags[] = {
    {"whole", NULL, "the record's title and text as they stand now"},
    {"redacted-file", "FILE", "these words instead; - reads standard input"},
    {"spoken", NULL, "you told them in person: only that is recorded, no text goes"},
    {"title", "TEXT", "title of the redacted text (default: Redacted)"},
    {"for", "ASK", "the question it answers (spoke release list --waiting)"},
    {"until", "TIME", "leaves their devices then"},
    {"conditions", "TEXT", "on what conditions they are told"},
    {"dry-run", NULL, "only show what they would get"},
    {"yes", NULL, "do not ask before it goes"},
    {0}};
static const struct flag refuse_flags[] = {{"reason", "TEXT", "why: they are told"}, {0}};
static const struct flag pointer_flags[] = {{"note", "TEXT", "what to ask you about, in a line"},
                                            {"contact", "TEXT", "whom to ask: a name, a telephone number"},
                                            {0}};

const struct command node_release_commands[] = {
    {"release ask", "CASE AGENCY", 2, 2, "Ask an agency to tell you what it holds and you may not see.",
     "spoke release ask C-7K2M9QXD health --reason \"Strategy meeting on 4 November\"", ask_flags, run_ask},
    {"release grant", "RECORD AGENCY", 2, 2,
     "Tell one agency what one of your records says. Before it goes you see exactly what they will get. They get a copy, not"
     " the record.",
     "spoke release grant 0192f3c4 police --redacted-file told.txt --conditions \"Not to be told to the family\" --until 30d",
     grant_flags, run_grant},
    {"release refuse", "ASK", 1, 1, "Refuse to tell what your agency was asked for, and say why.",
     "spoke release refuse 0192f3d7 --reason \"Part of a criminal investigation\"", refuse_flags, run_refuse},
    {"release cancel", "ASK", 1, 1, "Take back a question of your agency that waits for its answer.",
     "spoke release cancel 0192f3d7", NULL, run_cancel},
    {"release list", "", 0, 0, "What was asked for, told and refused between agencies, questions that wait first.",
     "spoke release list --waiting", node_release_list_flags, node_release_list},
    {"release show", "RELEASE", 1, 1, "One question or answer in full: what was told, on what conditions, until when.",
     "spoke release show 0192f3d7", NULL, node_release_show},
    {"pointer add", "CASE", 1, 1, "Say that your agency holds something and may be asked. What it holds stays hidden.",
     "spoke pointer add C-7K2M9QXD --note \"Ask the safeguarding nurse\" --contact \"01632 960003\"", pointer_flags,
     run_pointer},
    {0}};
