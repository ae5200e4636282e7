/* What an agency contributes to a case. */
#include "node/act_internal.h"

#include <string.h>

/* A clock that runs a little ahead elsewhere is no reason to refuse what just happened. */
#define AHEAD_MS 300000

static bool has_words(struct bytes text)
{
    for (size_t i = 0; i < text.n; i++)
        if (strchr(" \t\r\n", text.p[i]) == NULL) return true;
    return false;
}

static enum err check_record(struct node *n, const struct act_record *in, struct why *why)
{
    struct act_row c;
    enum err e = act_read(n, "case_file", in->case_id, "no case", &c, why);
    act_row_release(&c);
    if (e == ERR_OK && in->person != NULL) e = act_person_of(n, in->person, in->case_id, why);
    if (e == ERR_OK)
        e = act_said(in->kind, "Say what sort of record it is: a visit, a call, a check, an analysis.", why);
    if (e == ERR_OK) e = act_said(in->title, "A record needs a title: a line that says what it is.", why);
    if (e == ERR_OK && in->body.n != 0 && !has_words(in->body))
        e = why_set(why, ERR_USAGE, "The text is empty. Nothing was changed.");
    if (e == ERR_OK && in->occurred_at > env_now(n->env) + AHEAD_MS)
        e = why_set(why, ERR_USAGE, "It would have happened at a time that is still to come. Nothing was changed.");
    return e;
}

enum err act_put_record(struct node *n, const struct act_record *in, const uint8_t id[16], struct why *why)
{
    struct row r;
    int64_t now = env_now(n->env);
    enum err e = check_record(n, in, why);
    if (e != ERR_OK) return e;
    act_new(n, &r, "record", in->case_id, id);
    if (in->person != NULL) act_fill(&r, "person_id", value_id(in->person));
    act_fill(&r, "author", value_id(n->user));
    act_fill(&r, "kind", value_str(in->kind));
    act_fill(&r, "sensitivity", value_str(in->sensitivity != NULL ? in->sensitivity : "open"));
    act_fill(&r, "needs_consent", value_int(in->needs_consent));
    act_fill(&r, "handling", value_str(in->handling));
    act_fill(&r, "occurred_at", value_int(in->occurred_at != 0 ? in->occurred_at : now));
    act_fill(&r, "written_at", value_int(now));
    act_fill(&r, "title", value_str(in->title));
    act_fill(&r, "body", in->body.n != 0 ? value_text(in->body) : value_null());
    return act_put(n, &r, why);
}

enum err act_record_add(struct node *n, const struct act_record *in, uint8_t out_id[16], enum act_sight *out_sight,
                        struct why *why)
{
    uint8_t id[16];
    enum act_sight sight = ACT_ALL;
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    env_new_id(n->env, id);
    e = act_put_record(n, in, id, why);
    if (e == ERR_OK) e = act_record_sight(n, id, &sight, why);
    e = act_end(n, e, "added a record", why);
    if (e != ERR_OK) return e;
    memcpy(out_id, id, sizeof id);
    *out_sight = sight;
    return ERR_OK;
}

/* An override is an act of its own, with its reason, author and time. */
static enum err check_change(struct node *n, const struct act_row *r, const char *column, struct value v,
                             struct act_notes *notes, struct why *why)
{
    bool gone = v.kind == VALUE_NULL;
    (void)r;
    (void)notes;
    if (strncmp(column, "override_", 9) == 0 && !gone)
        return why_set(why, ERR_DENIED, "A record is told without consent by an act of its own, with its reason.");
    if (gone && (strcmp(column, "title") == 0 || strcmp(column, "kind") == 0 || strcmp(column, "sensitivity") == 0))
        return why_set(why, ERR_USAGE, "A record cannot be without its %s. Nothing was changed.", column);
    if (strcmp(column, "occurred_at") == 0 && v.kind == VALUE_INT && v.i > env_now(n->env) + AHEAD_MS)
        return why_set(why, ERR_USAGE, "It would have happened at a time that is still to come. Nothing was changed.");
    return ERR_OK;
}

enum err act_record_set(struct node *n, const uint8_t record[16], const struct act_change *changes, size_t n_changes,
                        struct why *why)
{
    struct act_row r;
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    e = act_read(n, "record", record, "no record", &r, why);
    if (e == ERR_OK && !act_own(n, &r))
        e = why_set(why, ERR_DENIED, "Another agency wrote this record. Only its writer can change it.");
    if (e == ERR_OK && n_changes == 0) e = why_set(why, ERR_USAGE, "There is nothing to change.");
    for (size_t i = 0; i < n_changes && e == ERR_OK; i++) e = act_alter(n, &r, &changes[i], check_change, NULL, why);
    act_row_release(&r);
    return act_end(n, e, "changed a record", why);
}
