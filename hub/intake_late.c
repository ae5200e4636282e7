/* Late but honest work: new records of a site that took part when they were written, and had been removed before they
 * arrived. What they say may be what protects the child. */
#include "hub/draft.h"

#include <string.h>

/* A cut tells of the order up to its `at`, by drops if not by pages: a device that was given one after the removal knew
 * of it, wherever in the middle of its pages it stood. */
static int64_t known_at(const struct draft *d, const struct hub_case *c)
{
    return draft_own(d, c->born_node) && c->born > d->cut.at ? c->born : d->cut.at;
}

static enum err took_part(struct hub *h, const struct draft *d, const struct draft_part *p, bool *out, struct why *why)
{
    struct hub_case c;
    bool found = false;
    int64_t mask = 0;
    int then = 0;
    enum err e = sight_case(h, p->case_id, &c, &found, why);
    if (e == ERR_OK && found) e = sight_seat(h, d->node->site_no, c.no, known_at(d, &c), &mask, &then, why);
    if (e == ERR_OK) *out = found && standing_may_check(then) && standing_may_check(p->who.at_base);
    return e;
}

/* A row that is there already would be changed. */
static enum err only_new_records(struct hub *h, const struct draft_part *p, bool *out, struct why *why)
{
    struct changeset_reader r;
    struct hub_row row;
    struct op op;
    bool end = false, found = false;
    enum err e;
    changeset_reader_init(&r, p->content, p->schema);
    *out = true;
    while ((e = changeset_next(&r, &op, &end, why)) == ERR_OK && !end && *out) {
        *out = op.kind == OP_INSERT && strcmp(op.table->name, "record") == 0;
        if (*out) e = sight_row(h, op.table_index, op_row_id(&op), &row, &found, why);
        if (e != ERR_OK) return e;
        *out = *out && !found;
    }
    return e;
}

static bool takes_part_still(const struct draft *d)
{
    for (size_t i = 0; i < d->n_parts; i++) {
        const struct standing *w = &d->decoded[i].who;
        if (!w->sees_now || !standing_may_check(w->now)) return false;
    }
    return true;
}

enum err late_judge(struct hub *h, struct draft *d, struct why *why)
{
    bool yes = d->cut.at >= d->node->base_at && !takes_part_still(d);
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && yes && i < d->n_parts; i++) {
        const struct draft_part *p = &d->decoded[i];
        yes = p->has_case && p->who.known;
        if (yes) e = only_new_records(h, p, &yes, why);
        if (e == ERR_OK && yes) e = took_part(h, d, p, &yes, why);
    }
    d->contribution = e == ERR_OK && yes;
    return e;
}

static void move_on(struct hub_node *node, const struct cut *to)
{
    if (to->at > node->base_at) node->base_at = to->at;
}

/* Its chain grows at the end: nothing that comes after was written before. Rescued work names another device's cut. */
void late_note(const struct draft *d)
{
    if (!draft_rescued(d)) move_on(d->node, &d->cut);
}

void late_all_sent(struct hub_node *node, const struct cut *at, bool everything)
{
    if (everything) move_on(node, at);
}
