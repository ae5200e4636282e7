/* Asking to be told, and the owner's answer: whole, redacted, spoken, or not at all. */
#include "node/act_internal.h"

#include "crypto/hash.h"

#include <string.h>

/* ------------------------------------------------------------------------------------------------------- ask */
static enum err check_pointer(struct node *n, const struct act_ask *in, struct why *why)
{
    struct act_row p;
    if (in->pointer == NULL) return ERR_OK;
    enum err e = act_read(n, "pointer", in->pointer, "no pointer", &p, why);
    if (e == ERR_OK && !act_same_case(&p, in->case_id))
        e = why_set(why, ERR_USAGE, "That pointer is about another case. Nothing was asked.");
    if (e == ERR_OK && !act_is(p.row.v[2], in->holder))
        e = why_set(why, ERR_USAGE, "Another agency than '%.60s' wrote that pointer. Ask the one that did.",
                    in->holder);
    act_row_release(&p);
    return e;
}

static enum err put_ask(struct node *n, const struct act_ask *in, const uint8_t id[16], struct why *why)
{
    struct act_row c;
    struct row r;
    enum err e = act_read(n, "case_file", in->case_id, "no case", &c, why);
    act_row_release(&c);
    if (e == ERR_OK) e = act_other_agency(n, in->holder, why);
    if (e == ERR_OK) e = act_said(in->reason, "Say what you need it for: the owner decides by that.", why);
    if (e == ERR_OK) e = check_pointer(n, in, why);
    if (e != ERR_OK) return e;
    act_new(n, &r, "release", in->case_id, id);
    act_fill(&r, "to_agency", value_str(in->holder));
    act_fill(&r, "state", value_str("asked"));
    act_fill(&r, "asked_by", value_id(n->user));
    act_fill(&r, "reason", value_str(in->reason));
    if (in->pointer != NULL) act_fill(&r, "pointer_id", value_id(in->pointer));
    return act_put(n, &r, why);
}

enum err act_release_ask(struct node *n, const struct act_ask *in, uint8_t out_id[16], bool *out_outsider,
                         struct why *why)
{
    uint8_t id[16];
    bool outsider = false;
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    env_new_id(n->env, id);
    e = put_ask(n, in, id, why);
    if (e == ERR_OK) e = act_outsider(n, in->case_id, in->holder, &outsider, why);
    e = act_end(n, e, "asked an agency for permission to share", why);
    if (e != ERR_OK) return e;
    memcpy(out_id, id, sizeof id);
    *out_outsider = outsider;
    return ERR_OK;
}

/* ---------------------------------------------------------------------------------------------------- answers */
/* An ask of this agency that waits. */
static enum err read_ask(struct node *n, const uint8_t id[16], struct act_row *out, struct why *why)
{
    enum err e = act_read(n, "release", id, "no such question", out, why);
    if (e != ERR_OK) return e;
    if (!act_is(act_column(out, "to_agency"), n->agency))
        return why_set(why, ERR_DENIED, "This was not asked of your agency. Only the agency that holds it can answer.");
    if (act_is(act_column(out, "state"), "asked")) return ERR_OK;
    if (act_is(act_column(out, "state"), "expired"))
        return why_set(why, ERR_DENIED, "The question was taken back. Nothing needs to be answered.");
    if (act_column(out, "asked_by").kind == VALUE_BLOB)
        return why_set(why, ERR_EXISTS, "Your agency has answered this already.");
    return why_set(why, ERR_USAGE, "This is what your agency was told, not a question. Nothing was changed.");
}

/* The state, who and when: no more than that is the owner's to write in the asker's row. */
static enum err set_decision(struct node *n, const uint8_t ask[16], const char *state, int64_t now, struct why *why)
{
    enum err e = act_set(n, "release", ask, "state", value_str(state), why);
    if (e == ERR_OK) e = act_set(n, "release", ask, "decided_by", value_id(n->user), why);
    return e == ERR_OK ? act_set(n, "release", ask, "decided_at", value_int(now), why) : e;
}

static enum err put_refusal(struct node *n, const struct act_row *ask, const char *reason, int64_t now, struct why *why)
{
    struct row r;
    uint8_t id[16];
    env_new_id(n->env, id);
    act_new(n, &r, "release", ask->row.v[1].s.p, id);
    act_fill(&r, "to_agency", ask->row.v[2]);
    act_fill(&r, "pointer_id", act_column(ask, "pointer_id"));
    act_fill(&r, "state", value_str("refused"));
    act_fill(&r, "reason", value_str(reason));
    act_fill(&r, "decided_by", value_id(n->user));
    act_fill(&r, "decided_at", value_int(now));
    return act_put(n, &r, why);
}

enum err act_release_refuse(struct node *n, const uint8_t ask[16], const char *reason, struct why *why)
{
    struct act_row r;
    int64_t now = env_now(n->env);
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    e = read_ask(n, ask, &r, why);
    if (e == ERR_OK) e = act_said(reason, "Say why you refuse: they are told.", why);
    if (e == ERR_OK) e = put_refusal(n, &r, reason, now, why);
    if (e == ERR_OK) e = set_decision(n, ask, "refused", now, why);
    e = act_end(n, e, "refused to release a record", why);
    act_row_release(&r);
    return e;
}

static enum err cancel(struct node *n, const uint8_t id[16], struct why *why)
{
    struct act_row r;
    enum err e = act_read(n, "release", id, "no such question", &r, why);
    if (e == ERR_OK && !act_own(n, &r))
        e = why_set(why, ERR_DENIED, "Another agency wrote this. Only the one that asked can take it back.");
    if (e == ERR_OK && act_column(&r, "asked_by").kind != VALUE_BLOB) {
        (void)why_set(why, ERR_USAGE, "This is what your agency told, not a question. Nothing was changed.");
        e = why_next(why, ERR_USAGE, "If it was told by mistake, mark it as written by mistake, and say why.");
    }
    if (e == ERR_OK && !act_is(act_column(&r, "state"), "asked"))
        e = why_set(why, ERR_EXISTS, "This does not wait for an answer any more. There is nothing to take back.");
    act_row_release(&r);
    return e == ERR_OK ? act_set(n, "release", id, "state", value_str("expired"), why) : e;
}

enum err act_release_cancel(struct node *n, const uint8_t ask[16], struct why *why)
{
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    return act_end(n, cancel(n, ask, why), "took back a question for a release", why);
}

/* ------------------------------------------------------------------------------------------------------ grant */
static enum err check_ask(struct node *n, const struct act_grant *in, const struct act_row *record, struct why *why)
{
    struct act_row a;
    if (in->ask == NULL) return ERR_OK;
    enum err e = read_ask(n, in->ask, &a, why);
    if (e == ERR_OK && !act_is(a.row.v[2], in->to_agency))
        e = why_set(why, ERR_USAGE, "Another agency than '%.60s' asked for that. Nothing was released.", in->to_agency);
    if (e == ERR_OK && !act_same_case(&a, record->row.v[1].s.p))
        e = why_set(why, ERR_USAGE, "They asked about another case. Nothing was released.");
    act_row_release(&a);
    return e;
}

static enum err check_how(struct node *n, const struct act_grant *in, struct why *why)
{
    bool redacted = strcmp(in->how, "redacted") == 0;
    size_t blank = 0;
    if (!redacted && strcmp(in->how, "whole") != 0 && strcmp(in->how, "spoken") != 0)
        return why_set(why, ERR_USAGE, "A record is told whole, redacted, or spoken. Nothing was released.");
    while (blank < in->redacted.n && strchr(" \t\r\n", in->redacted.p[blank]) != NULL) blank++;
    if (redacted && blank == in->redacted.n)
        return why_set(why, ERR_USAGE, "The redacted text is empty. Write what they may know. Nothing was released.");
    if (in->title != NULL && !redacted)
        return why_set(why, ERR_USAGE, "Only a redacted text has a title of its own. Nothing was released.");
    if (in->until != 0 && in->until <= env_now(n->env))
        return why_set(why, ERR_USAGE, "It would end at a time that is past. Nothing was released.");
    return ERR_OK;
}

static enum err check_grant(struct node *n, const struct act_grant *in, const struct act_row *record, struct why *why)
{
    if (!act_own(n, record))
        return why_set(why, ERR_DENIED, "Another agency wrote this record. Only its owner decides who is told.");
    enum err e = act_other_agency(n, in->to_agency, why);
    if (e == ERR_OK) e = check_how(n, in, why);
    return e == ERR_OK ? check_ask(n, in, record, why) : e;
}

/* What the other agency gets, all but its id and time: those are nobody's choice. */
static void fill_release(struct node *n, const struct act_grant *in, const struct act_row *record, const uint8_t id[16],
                         struct row *out)
{
    act_new(n, out, "release", record->row.v[1].s.p, id);
    act_fill(out, "to_agency", value_str(in->to_agency));
    act_fill(out, "state", value_str("granted"));
    act_fill(out, "how", value_str(in->how));
    act_fill(out, "decided_by", value_id(n->user));
    act_fill(out, "expires_at", act_time(in->until));
    act_fill(out, "conditions", value_str(in->conditions));
    if (strcmp(in->how, "whole") == 0) {
        act_fill(out, "title", act_column(record, "title"));
        act_fill(out, "body", act_column(record, "body"));
    } else if (strcmp(in->how, "redacted") == 0) {
        act_fill(out, "title", value_str(in->title != NULL ? in->title : "Redacted"));
        act_fill(out, "body", value_text(in->redacted));
    }
}

static struct value row_value(const struct row *r, const char *column)
{
    return r->v[rules_column_index(r->table, bytes_of_str(column))];
}

/* The record is bound as well: another one with the same words is another answer. */
static enum err hash_shown(const struct row *r, const uint8_t record[16], uint8_t out[HASH_BYTES], struct why *why)
{
    struct buf b;
    buf_init(&b, 4u * RULES_MAX_VALUE + 4096);
    buf_put(&b, record, 16);
    row_put_cbor(&b, r);
    enum err e = b.err;
    if (e == ERR_OK) hash_labelled(out, "spoke/shown/1", buf_bytes(&b));
    buf_release(&b);
    return e == ERR_OK ? ERR_OK : why_set(why, e, "This is too long to be released.");
}

enum err act_release_preview(struct node *n, const struct act_grant *in, struct act_preview *out, struct why *why)
{
    static const uint8_t nobody[16] = {0};
    struct act_row record;
    struct row r;
    enum act_sight sight = ACT_ALL;
    *out = (struct act_preview){0};
    enum err e = act_read(n, "record", in->record, "no record", &record, why);
    if (e == ERR_OK) e = check_grant(n, in, &record, why);
    if (e == ERR_OK) e = act_record_sight(n, in->record, &sight, why);
    if (e == ERR_OK) e = act_outsider(n, record.row.v[1].s.p, in->to_agency, &out->outsider, why);
    if (e == ERR_OK) {
        fill_release(n, in, &record, nobody, &r);
        e = hash_shown(&r, in->record, out->shown, why);
    }
    if (e == ERR_OK) {
        out->title = row_value(&r, "title");
        out->body = row_value(&r, "body");
        out->conditions = row_value(&r, "conditions");
        out->until = row_value(&r, "expires_at");
        out->record_title = act_column(&record, "title");
        out->handling = act_column(&record, "handling");
        out->waits = sight == ACT_NOBODY_CONSENT;
        out->sensitive = act_is(act_column(&record, "sensitivity"), "sensitive");
        out->restricted = act_is(act_column(&record, "sensitivity"), "restricted");
    }
    out->store = record.store; /* what the values borrow from goes on living */
    return e;
}

void act_preview_release(struct act_preview *p)
{
    buf_release(&p->store);
}

static enum err put_source(struct node *n, const struct row *release, const uint8_t record[16], struct why *why)
{
    struct row r;
    uint8_t id[16];
    env_new_id(n->env, id);
    act_new(n, &r, "release_source", release->v[1].s.p, id);
    act_fill(&r, "release_id", release->v[0]);
    act_fill(&r, "record_id", value_id(record));
    return act_put(n, &r, why);
}

static enum err grant(struct node *n, const struct act_grant *in, const struct act_row *record, const uint8_t id[16],
                      struct why *why)
{
    static const uint8_t nobody[16] = {0};
    struct row r;
    uint8_t shown[HASH_BYTES];
    int64_t now = env_now(n->env);
    enum err e = check_grant(n, in, record, why);
    if (e != ERR_OK) return e;
    fill_release(n, in, record, nobody, &r);
    e = hash_shown(&r, in->record, shown, why);
    if (e == ERR_OK && in->shown != NULL && memcmp(in->shown, shown, sizeof shown) != 0)
        e = why_set(why, ERR_FAILED,
                    "The record has changed since you saw what they would get. Nothing was released: look"
                    " at it again.");
    r.v[0] = value_id(id);
    act_fill(&r, "decided_at", value_int(now));
    if (e == ERR_OK) e = act_put(n, &r, why);
    if (e == ERR_OK) e = put_source(n, &r, in->record, why);
    return e == ERR_OK && in->ask != NULL ? set_decision(n, in->ask, "granted", now, why) : e;
}

enum err act_release_grant(struct node *n, const struct act_grant *in, uint8_t out_id[16], struct why *why)
{
    struct act_row record;
    uint8_t id[16];
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    env_new_id(n->env, id);
    e = act_read(n, "record", in->record, "no record", &record, why);
    if (e == ERR_OK) e = grant(n, in, &record, id, why);
    e = act_end(n, e, "released a record to an agency", why);
    act_row_release(&record);
    if (e == ERR_OK) memcpy(out_id, id, sizeof id);
    return e;
}
