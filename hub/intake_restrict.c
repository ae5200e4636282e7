/* A restricted case is for the sites that are named in it, and no others. With none named it would be gone from every
 * device, also from the one that could lift the restriction: so one site stays named to contribute, without an end.
 * What would break that is refused hard, because no manager's word could make it good. */
#include "hub/draft.h"

#include <string.h>

/* Parts in a restricted case that one change may end: each named part is looked up among them. */
#define ENDED_MAX 64u

struct restriction {
    bool sets, lifts;              /* the change restricts the case, or lifts the restriction */
    bool names;                    /* it names a site that contributes without an end */
    uint8_t ended[ENDED_MAX][16];  /* parts that it ends, or gives an end */
    size_t n_ended;
};

static struct value column(const struct op *op, const char *name)
{
    return op->new_[rules_column_index(op->table, bytes_of_str(name))];
}

static bool is_set(struct value v)
{
    return v.kind != VALUE_NONE && v.kind != VALUE_NULL;
}

static bool contributes(struct value access)
{
    return access.kind == VALUE_TEXT && bytes_equal(access.s, bytes_of_str("contribute"));
}

static enum err names_site(struct hub *h, const struct op *op, bool *out, struct why *why)
{
    struct stmt *s;
    if (!contributes(column(op, "access")) || is_set(column(op, "until")) || is_set(column(op, "voided_at")))
        return ERR_OK;
    enum err e = db_prepare(h->db, "SELECT 1 FROM site WHERE code = $1 AND agency = $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_value(s, 1, column(op, "site"));
    db_bind_value(s, 2, column(op, "member"));
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

static bool ends_part(const struct op *op)
{
    struct value access = column(op, "access");
    return (access.kind != VALUE_NONE && !contributes(access)) || is_set(column(op, "until")) ||
           is_set(column(op, "voided_at"));
}

static enum err note_op(struct hub *h, const struct op *op, struct restriction *r, struct why *why)
{
    if (strcmp(op->table->name, "case_file") == 0) {
        struct value v = column(op, "restricted");
        r->sets = r->sets || (v.kind == VALUE_INT && v.i != 0);
        r->lifts = r->lifts || (op->kind == OP_UPDATE && (v.kind == VALUE_NULL || (v.kind == VALUE_INT && v.i == 0)));
    }
    if (strcmp(op->table->name, "participant") != 0) return ERR_OK;
    if (op->kind == OP_INSERT) return r->names ? ERR_OK : names_site(h, op, &r->names, why);
    if (ends_part(op)) {
        if (r->n_ended < ENDED_MAX) memcpy(r->ended[r->n_ended], op_row_id(op), 16);
        r->n_ended++;
    }
    return ERR_OK;
}

static enum err read_part(struct hub *h, const struct draft_part *p, struct restriction *r, struct why *why)
{
    struct changeset_reader reader;
    struct op op;
    bool end = false;
    enum err e;
    changeset_reader_init(&reader, p->content, p->schema);
    while ((e = changeset_next(&reader, &op, &end, why)) == ERR_OK && !end) {
        e = note_op(h, &op, r, why);
        if (e != ERR_OK) return e;
    }
    return e;
}

static enum err is_restricted(struct hub *h, const uint8_t case_id[16], bool *out, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, "SELECT 1 FROM case_file WHERE id = $1 AND restricted = 1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, case_id);
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

static bool ends(const struct restriction *r, const uint8_t id[16])
{
    size_t n = r->n_ended < ENDED_MAX ? r->n_ended : ENDED_MAX;
    for (size_t i = 0; i < n; i++)
        if (memcmp(r->ended[i], id, 16) == 0) return true;
    return r->n_ended > ENDED_MAX; /* not known: as if it ended them all */
}

/* Is a part left that names a site, contributes and has no end? */
static enum err part_left(struct hub *h, const uint8_t case_id[16], const struct restriction *r, bool *out,
                          struct why *why)
{
    struct stmt *s;
    uint8_t id[16];
    bool row = false;
    enum err e = db_prepare(h->db,
                            "SELECT p.id FROM participant p JOIN site s ON s.code = p.site AND s.agency = p.member WHERE "
                            "p.case_id = $1 AND p.access = 'contribute' AND p.until IS NULL AND p.voided_at IS NULL",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, case_id);
    while (!*out && (e = db_step(s, &row, why)) == ERR_OK && row) *out = db_id(s, 0, id) && !ends(r, id);
    db_done(s);
    return e;
}

enum err intake_restriction(struct hub *h, const struct draft_part *p, struct judgement *j, struct why *why)
{
    struct restriction r = {0};
    bool shut = false;
    enum err e = read_part(h, p, &r, why);
    if (e != ERR_OK || (!r.sets && (r.lifts || r.n_ended == 0))) return e;
    shut = r.sets;
    if (!shut && p->who.known) e = is_restricted(h, p->case_id, &shut, why);
    if (e != ERR_OK || !shut || r.names) return e;
    bool left = false;
    e = part_left(h, p->case_id, &r, &left, why);
    if (e == ERR_OK && !left)
        judgement_note(j, VERDICT_HELD, true,
                       "This would leave a restricted case to nobody: it names no site that goes on taking part in it.");
    return e;
}
