/* feedback: telling those who referred or took part what came of it. */
#include "cli/node_commands.h"
#include "cli/node_work.h"
#include "node/act_work.h"

#include <stdio.h>
#include <string.h>

static enum err show_sent(struct work *w, const struct act_feedback *in, uint8_t (*ids)[16], struct why *why)
{
    char text[37];
    struct json *list = w->c->json ? json_array_new() : NULL;
    for (size_t i = 0; i < in->n_agencies; i++) {
        uuid_format(ids[i], text);
        if (list == NULL) {
            printf("Feedback %s to %s\n", text, in->agencies[i]);
            continue;
        }
        struct json *o = json_object_new();
        json_set_str(o, "id", text);
        json_set_str(o, "to_agency", in->agencies[i]);
        json_append(list, o);
    }
    return list != NULL ? show_json(list, why) : ERR_OK;
}

static enum err do_send(struct work *w, struct why *why)
{
    uint8_t case_id[16], ids[CLI_MAX_ARGS][16];
    struct value body = value_null();
    const char *file = NULL;
    struct buf text;
    struct act_feedback in = {.case_id = case_id,
                              .agencies = &w->c->args[1],
                              .n_agencies = (size_t)w->c->n_args - 1,
                              .to_name = cli_flag(w->c, "to"),
                              .channel = cli_flag(w->c, "channel")};
    buf_init(&text, RULES_MAX_VALUE + 1);
    enum err e = cli_need(w->c, "body-file", &file, why);
    if (e == ERR_OK) e = work_pick(w, "case_file", w->c->args[0], case_id, why);
    if (e == ERR_OK) e = work_file(w, file, &body, why);
    if (e == ERR_OK) {
        buf_put_bytes(&text, body.s);
        in.body = text.len > 0 ? buf_cstr(&text) : "";
        if (in.body == NULL)
            e = why_set(why, ERR_NOMEM, "There is not enough memory for this feedback.");
        else if (strlen(in.body) != text.len)
            e = why_set(why, ERR_USAGE, "The file is not plain text. Nothing was sent.");
    }
    if (e == ERR_OK) e = act_feedback_send(w->node, &in, ids, why);
    if (e == ERR_OK) e = show_sent(w, &in, ids, why);
    buf_release(&text);
    return e;
}
static enum err run_send(struct cli *c, struct why *why)
{
    return work_read(c, do_send, why);
}

static enum err do_ack(struct work *w, struct why *why)
{
    uint8_t id[16];
    enum err e = work_pick(w, "feedback", w->c->args[0], id, why);
    if (e == ERR_OK) e = act_feedback_ack(w->node, id, why);
    return e == ERR_OK ? work_say_id(w, "Acknowledged feedback", id, why) : e;
}
static enum err run_ack(struct cli *c, struct why *why)
{
    return work_read(c, do_ack, why);
}

static const struct show_column columns[] = {
    {"id", "Id", SHOW_ID},
    {"case_id", NULL, SHOW_ID},
    {"reference", "Case", SHOW_TEXT},
    {"agency", "From", SHOW_TEXT},
    {"to_agency", "To", SHOW_TEXT},
    {"to_name", "for", SHOW_TEXT},
    {"channel", "By", SHOW_TEXT},
    {"body", "Says", SHOW_TEXT},
    {"sent_at", "Sent", SHOW_TIME},
    {"ack_by", NULL, SHOW_ID},
    {"ack_name", "Acknowledged by", SHOW_TEXT},
    {"ack_at", "at", SHOW_TIME},
};
enum { N_COLUMNS = sizeof columns / sizeof columns[0] };

/* What this agency is to acknowledge comes first. */
static enum err do_list(struct work *w, struct why *why)
{
    struct stmt *s = NULL;
    bool in = cli_has(w->c, "in");
    enum err e = db_prepare(w->db,
                            "SELECT f.id, f.case_id, c.reference, f.agency, f.to_agency, f.to_name, f.channel, f.body,"
                            " f.sent_at, f.ack_by, p.name, f.ack_at FROM feedback f LEFT JOIN case_file c"
                            " ON c.id = f.case_id LEFT JOIN practitioner p ON p.id = f.ack_by WHERE f.voided_at IS NULL"
                            " AND ($2 = 0 OR (f.to_agency = $1 AND f.ack_at IS NULL))"
                            " ORDER BY f.to_agency = $1 AND f.ack_at IS NULL DESC, f.sent_at DESC, f.id",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, w->info.agency);
    db_bind_int(s, 2, in);
    return show_list(w->c, s, columns, N_COLUMNS,
                     in ? "There is no feedback to acknowledge." : "There is no feedback on this device.", NULL, why);
}
static enum err run_list(struct cli *c, struct why *why)
{
    return work_read(c, do_list, why);
}

static const struct flag send_flags[] = {{"body-file", "FILE", "what came of it; - is standard input"},
                                         {"to", "NAME", "a person there, such as the referrer"},
                                         {"channel", "HOW", "telephone, letter, ...: what was said otherwise"},
                                         {0}};
static const struct flag list_flags[] = {{"in", NULL, "only what your agency is to acknowledge"}, {0}};

const struct command node_feedback_commands[] = {
    {"feedback send", "CASE AGENCY...", 2, CLI_MAX_ARGS,
     "Tell agencies what came of a case, those too that take no part in it. For who leads it, or is on duty for its area.",
     "spoke feedback send C-7K2M9QXD health school --body-file outcome.txt", send_flags, run_send},
    {"feedback ack", "FEEDBACK", 1, 1, "Say that your agency has read it.", "spoke feedback ack 0192f3e8", NULL,
     run_ack},
    {"feedback list", "", 0, 0, "What was told to whom, and who has acknowledged it.", "spoke feedback list --in",
     list_flags, run_list},
    {0}};
