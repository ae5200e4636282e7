/* Permission to share. A release either asks (it names who asks: its writer wants to know, its to_agency holds what is
 * asked for) or it tells, or refuses to (its writer holds it). Which of the two it is never changes: nobody makes a
 * grant out of his own question, not even with a manager's word, because what is told is its owner's to decide. */
#include "hub/draft.h"

#include <string.h>

#define ONLY_ASKED "Only the agency that is asked may say whether this may be shared."
#define NO_TEXT                                                                                                         \
    "A question whether something may be shared carries no text and no answer: what is told comes in a release of its " \
    "own, from the agency that holds it."
#define OWN_NAME  "A decision stands under the name of the person who makes it."
#define STAYS_ASK "What asks and what tells are two releases: one does not become the other."

static bool text_is(struct value v, const char *want)
{
    return v.kind == VALUE_TEXT && bytes_equal(v.s, bytes_of_str(want));
}

static bool set(struct value v)
{
    return v.kind != VALUE_NONE && v.kind != VALUE_NULL;
}

static int place(const struct column_write *w, const char *name)
{
    return rules_column_index(w->table, bytes_of_str(name));
}

static bool is(const struct column_write *w, const char *name)
{
    return strcmp(w->table->columns[w->column].name, name) == 0;
}

static void hard(struct judgement *j, const char *reason)
{
    judgement_note(j, VERDICT_HELD, true, reason);
}

static void soft(const struct draft *d, struct judgement *j, const char *reason)
{
    if (!d->granted) judgement_note(j, VERDICT_HELD, false, reason);
}

/* As it will stand. */
static struct value after(const struct column_write *w, const char *name)
{
    struct value v = w->op->new_[place(w, name)];
    return v.kind == VALUE_NONE ? w->stored->v[place(w, name)] : v;
}

static void judge_answer(const struct draft *d, const struct column_write *w, struct judgement *j)
{
    if (!text_is(w->stored->v[place(w, "to_agency")], d->node->agency)) {
        hard(j, ONLY_ASKED);
        return;
    }
    if (!value_equal(after(w, "decided_by"), value_id(d->env.h.user))) hard(j, OWN_NAME);
    if (after(w, "decided_at").kind != VALUE_INT) hard(j, "An answer says when it was given.");
}

/* Given up by who asked: as long as he has not been answered, or had not heard of it. Of two that crossed, the more
 * protective stands and both are kept. */
static void judge_taking_back(const struct draft *d, const struct column_write *w, struct judgement *j)
{
    struct value stored = w->stored->v[w->column];
    struct value seen = w->op->kind == OP_UPDATE ? w->op->old[w->column] : stored;
    if (!text_is(w->stored->v[2], d->node->agency))
        soft(d, j, "Only the agency that wrote this may change it.");
    else if (!text_is(stored, "asked") && !text_is(stored, "expired") && !text_is(seen, "asked"))
        hard(j, "This question has been answered: the answer is not its asker's to take back.");
}

static void judge_asking(const struct draft *d, const struct column_write *w, struct judgement *j)
{
    bool answers = text_is(w->value, "granted") || text_is(w->value, "refused");
    if (is(w, "how") || is(w, "title") || is(w, "body") || is(w, "conditions")) {
        hard(j, NO_TEXT);
    } else if (is(w, "asked_by")) {
        hard(j, "A question stands under the name of the person who asked it.");
    } else if (is(w, "reason")) {
        if (!text_is(w->stored->v[2], d->node->agency))
            soft(d, j, "Only the agency that wrote this may change it.");
        else if (!text_is(w->stored->v[place(w, "state")], "asked"))
            soft(d, j, "This question has been answered: it stays as it was asked.");
    } else if (is(w, "state") && text_is(w->value, "expired")) {
        judge_taking_back(d, w, j);
    } else if (is(w, "state") && !answers) {
        hard(j, "A question whether something may be shared is answered with granted or refused.");
    } else {
        judge_answer(d, w, j);
    }
}

static void judge_telling(const struct draft *d, const struct column_write *w, struct judgement *j)
{
    bool how = set(w->stored->v[place(w, "how")]);
    if (!text_is(w->stored->v[2], d->node->agency)) soft(d, j, "Only the agency that wrote this may change it.");
    if (is(w, "decided_by") && set(w->value) && !value_equal(w->value, value_id(d->env.h.user))) hard(j, OWN_NAME);
    if ((is(w, "how") && set(w->value) != how) || is(w, "asked_by") ||
        (is(w, "state") && (!set(w->value) || text_is(w->value, "asked") || (!how && text_is(w->value, "granted")))))
        hard(j, STAYS_ASK);
}

static bool asks(const struct column_write *w)
{
    return set(w->stored->v[place(w, "asked_by")]);
}

void intake_release(const struct draft *d, const struct column_write *w, struct judgement *j)
{
    const char *owner = !asks(w) || is(w, "reason") ? "agency" : "to_agency";
    if (w->value.kind == VALUE_NONE) { /* two versions are settled: the operation is of another table */
        if (!text_is(w->stored->v[place(w, owner)], d->node->agency))
            soft(d, j, "Only somebody who may change the value itself may settle its two versions.");
    } else if (asks(w)) {
        judge_asking(d, w, j);
    } else {
        judge_telling(d, w, j);
    }
}

static void judge_new_question(const struct draft *d, const struct op *op, struct judgement *j)
{
    static const char *const left_open[] = {"how", "title", "body", "conditions", "decided_by", "decided_at"};
    const struct table_rule *t = op->table;
    for (size_t i = 0; i < sizeof left_open / sizeof left_open[0]; i++)
        if (set(op->new_[rules_column_index(t, bytes_of_str(left_open[i]))])) hard(j, NO_TEXT);
    if (!value_equal(op->new_[rules_column_index(t, bytes_of_str("asked_by"))], value_id(d->env.h.user)))
        hard(j, "A question stands under the name of the person who asked it.");
    if (text_is(op->new_[rules_column_index(t, bytes_of_str("to_agency"))], d->node->agency))
        hard(j, "No agency asks itself whether something may be shared.");
}

void intake_new_release(const struct draft *d, const struct op *op, struct judgement *j)
{
    const struct table_rule *t = op->table;
    struct value state = op->new_[rules_column_index(t, bytes_of_str("state"))];
    struct value by = op->new_[rules_column_index(t, bytes_of_str("decided_by"))];
    if (text_is(state, "asked")) {
        judge_new_question(d, op, j);
        return;
    }
    if (!set(state)) hard(j, "A release says whether it asks for permission or gives it.");
    if (set(op->new_[rules_column_index(t, bytes_of_str("asked_by"))])) hard(j, STAYS_ASK);
    if (text_is(state, "granted") && !set(op->new_[rules_column_index(t, bytes_of_str("how"))]))
        hard(j, "A release that tells something says how: whole, redacted or spoken.");
    if (set(by) && !value_equal(by, value_id(d->env.h.user))) hard(j, OWN_NAME);
}
