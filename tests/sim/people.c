/* People at work: mostly sensible, sometimes against the rules. edit.h is their pen. */
#include "tests/sim/people.h"

#include <stdlib.h>
#include <string.h>

/* ---- new cases ---- */

static void put_thought(struct edit *e, const char *table, const uint8_t case_id[16])
{
    struct fresh f;
    if (think_row(e, &f, table, case_id)) edit_put(e, &f.r);
}

static void new_case(struct edit *e)
{
    struct sim *s = e->s;
    struct fresh c;
    uint8_t case_id[16];
    think_id(s, case_id);
    if (!think_row(e, &c, "case_file", case_id)) return;
    const char *area = think_area(s);
    bool restricted = sim_chance(s, 60);
    fresh_fix(&c, "area", value_str(area));
    fresh_fix(&c, "lead_agency", value_str(people_social_care(e) ? people_site(e)->agency : people_lead(s, area)));
    fresh_fix(&c, "status", value_str("new"));
    fresh_fix(&c, "restricted", value_int(restricted));
    edit_put(e, &c.r);
    put_thought(e, "brief", case_id);
    put_thought(e, "referral", case_id);
    for (uint64_t i = sim_random(s, 3); i < 3; i++) put_thought(e, "person", case_id);
    if (sim_chance(s, 50))
        put_thought(e, "participant", case_id); /* whoever it may be */
    else if (restricted || !people_social_care(e) || sim_chance(s, 300))
        people_part(e, case_id, people_site(e)->agency, restricted || sim_chance(s, 500) ? people_site(e)->code : "",
                 "contribute");
    for (uint64_t i = sim_random(s, 3); people_social_care(e) && i > 0; i--)
        people_part(e, case_id, think_agency(s), "", sim_chance(s, 800) ? "contribute" : "view");
}

static void new_row(struct edit *e)
{
    static const char *const tables[] = {
        "person",   "contact", "contact",        "record",      "record",      "record",      "record",
        "consent",  "consent", "consent",        "participant", "participant", "participant", "participant",
        "warning",  "kinship", "identifier",     "identifier",  "pointer",     "request",     "request",
        "release",  "release", "release_source", "rating",      "challenge",   "meeting",     "attendance",
        "episode",  "coded",   "allocation",     "action",      "action",      "feedback",    "link",
        "referral", "brief",   "held",           "conflict"};
    struct rows_row c;
    struct fresh f;
    const char *table = tables[sim_random(e->s, sizeof tables / sizeof tables[0])];
    if (people_social_care(e) && sim_chance(e->s, 350)) table = "participant";
    enum power power = people_to_insert(e, rules_table((size_t)rows_table(table))->insert);
    if (!people_pick(e, "case_file", power, &c) || !think_row(e, &f, table, c.id)) return;
    e->forged = f.r.table->insert == INSERT_HUB;
    edit_put(e, &f.r);
    e->forged = false;
}

/* ---- changes ---- */
static void change_any(struct edit *e)
{
    struct rows_row r;
    size_t n, from = (size_t)rows_table("case_file");
    const struct table_rule *t = rules_tables(&n) + from + sim_random(e->s, n - from);
    size_t col = 3 + sim_random(e->s, t->n_columns - 3);
    if (t->columns[col].write == WRITE_NEVER) return;
    if (people_pick(e, t->name, people_to_write(e, t->columns[col].write), &r)) people_think(e, &r, col);
}

/* Columns that many people have their hands on, and that move rows between channels. */
static void change_hot(struct edit *e)
{
    static const char *const hot[][2] = {
        {"case_file", "rag"},      {"case_file", "status"},  {"brief", "summary"},         {"brief", "decision"},
        {"person", "family_name"}, {"contact", "value"},     {"contact", "protected"},     {"action", "note"},
        {"person", "family_name"}, {"person", "born_on"},    {"person", "given_names"},    {"person", "role"},
        {"action", "sensitive"},   {"action", "state"},      {"participant", "access"},    {"participant", "access"},
        {"participant", "until"},  {"participant", "quiet"}, {"record", "sensitivity"},    {"record", "needs_consent"},
        {"record", "override_at"}, {"record", "body"},       {"consent", "state"},         {"consent", "state"},
        {"consent", "expires_at"}, {"request", "state"},     {"request", "result"},        {"release", "state"},
        {"rating", "rag"},         {"case_file", "area"},    {"case_file", "lead_agency"}, {"case_file", "restricted"}};
    const char *const *h = hot[sim_random(e->s, sizeof hot / sizeof hot[0])];
    struct rows_row r;
    const struct table_rule *t = rules_table((size_t)rows_table(h[0]));
    size_t col = (size_t)rules_column_index(t, bytes_of_str(h[1]));
    if (!people_pick(e, h[0], people_to_write(e, t->columns[col].write), &r)) return;
    people_think(e, &r, col);
    if (strcmp(h[1], "override_at") == 0) edit_set_named(e, &r, "override_reason", value_str("significant harm"));
}

static void make_void(struct edit *e)
{
    struct rows_row r;
    if (e->s->opt.no_steering || !edit_pick_any(e, &r) || strcmp(r.r.table->name, "release_source") == 0) return;
    if (!rows_is(&r, "agency", people_site(e)->agency) && !sim_chance(e->s, 200)) return;
    bool back = !rows_null(&r, "voided_at");
    if (rules_column_index(r.r.table, bytes_of_str("voided_at")) < 0) return;
    edit_set_named(e, &r, "voided_at", back ? value_null() : people_now(e));
    edit_set_named(e, &r, "void_reason", back ? value_null() : value_str("a mistake"));
}

/* ---- deciding ---- */
static void decide(struct edit *e)
{
    struct rows_row b, c;
    if (!people_pick(e, "brief", people_to_write(e, WRITE_LEAD), &b)) return;
    edit_set_named(e, &b, "decision", think_canary(e->s, b.id, b.tbl));
    edit_set_named(e, &b, "decided_at", people_now(e));
    edit_set_named(e, &b, "outcome", think_text(e->s));
    if (edit_get(e, rows_table("case_file"), b.id, &c)) edit_set_named(e, &c, "status", people_one(e, "decided", "closed"));
}

static void settle(struct edit *e)
{
    struct rows_row k, r;
    const struct choice unsettled = {.table = "conflict", .where = "state <> 'settled'"};
    if (!edit_pick(e, &unsettled, &k)) return;
    int tbl = rules_table_index(rows_value(&k, "tbl").s);
    struct value id = rows_value(&k, "row_id"), lost = rows_value(&k, "lost");
    if (tbl >= 0 && id.s.n == 16 && edit_get(e, tbl, id.s.p, &r)) {
        int col = rules_column_index(r.r.table, rows_value(&k, "col").s);
        if (col >= 0 && r.r.table->columns[col].type == COL_TEXT && lost.kind == VALUE_TEXT && sim_chance(e->s, 500))
            edit_set(e, &r, (size_t)col, lost);
    }
    edit_set_named(e, &k, "state", value_str("settled"));
    edit_set_named(e, &k, "resolved_by", value_id(e->d->user));
    edit_set_named(e, &k, "resolved_at", people_now(e));
    if (!sim_chance(e->s, 100)) edit_set_named(e, &k, "reason", value_str("they rang up"));
}

/* A manager decides; others may take back what is their own. Sometimes somebody decides who may not. */
static void judge(struct edit *e)
{
    struct rows_row k;
    const struct choice any = {.table = "held", .where = "state = 'waiting'"};
    const struct choice mine = {.table = "held", .where = "state = 'waiting' AND agency = $1", .arg = people_agency(e)};
    bool decides = people_mash(e) || sim_chance(e->s, 100);
    if (!edit_pick(e, decides ? &any : &mine, &k)) return;
    const char *word = sim_chance(e->s, 650) ? "accepted" : "dismissed";
    edit_set_named(e, &k, "state", value_str(decides ? word : "withdrawn"));
    edit_set_named(e, &k, "decided_by", value_id(e->d->user));
    edit_set_named(e, &k, "decided_at", people_now(e));
    if (sim_chance(e->s, 300)) edit_set_named(e, &k, "decision_reason", think_text(e->s));
}

/* ---- against the rules ---- */
static void borrow_agency(struct edit *e)
{
    struct rows_row c;
    struct fresh f;
    const char *other = think_agency(e->s);
    if (strcmp(other, people_site(e)->agency) == 0 || !edit_pick_from(e, "case_file", &c)) return;
    if (!think_row(e, &f, "rating", c.id)) return;
    f.r.v[2] = value_str(other);
    e->strange = e->forged = true;
    edit_put(e, &f.r);
    e->forged = false;
}

/* What never changes, written all the same: the device itself must say no, to all of the transaction. */
static void change_fixed(struct edit *e)
{
    struct rows_row r;
    size_t before = e->n_touched, n = 0, fixed[RULES_MAX_COLUMNS];
    if (!edit_pick_any(e, &r)) return;
    for (size_t c = 3; c < r.r.table->n_columns; c++)
        if (r.r.table->columns[c].write == WRITE_NEVER) fixed[n++] = c;
    if (n == 0) return;
    e->forged = true;
    people_think(e, &r, fixed[sim_random(e->s, n)]);
    e->forged = false;
    e->strange |= e->n_touched > before;
}

/* ---- one transaction ---- */
static const struct {
    unsigned weight;
    void (*act)(struct edit *e);
} acts[] = {
    {70, new_case}, {180, new_row}, {220, change_hot},   {80, change_any},   {25, make_void},
    {50, settle},   {60, judge},    {25, decide},        {7, borrow_agency}, {10, change_fixed},
    {273, sight_act},
};

static void act(struct edit *e)
{
    static const struct choice any = {.table = "case_file"};
    struct rows_row c;
    uint64_t at = sim_random(e->s, 1000);
    size_t i = 0;
    if (!edit_pick(e, &any, &c)) {
        if (e->err == ERR_OK) new_case(e);
        return;
    }
    if (e->s->plan.crowded && at < 30) at += 70; /* fewer cases, more of everything in them */
    while (at >= acts[i].weight) at -= acts[i++].weight;
    acts[i].act(e);
}

/* What cannot be done here is not thought of for long. */
static void act_somehow(struct edit *e)
{
    size_t before = e->n_touched;
    for (int tries = 0; tries < 4 && e->n_touched == before && !edit_full(e); tries++) act(e);
}

/* Such is taken in even when its author's agency has been removed meanwhile. */
static bool only_a_note(struct edit *e)
{
    struct rows_row c;
    enum power power = sim_chance(e->s, 400) ? POWER_ANY : people_to_insert(e, INSERT_CHECK); /* who only looks on, too */
    return people_pick(e, "case_file", power, &c) && sight_note(e, c.id);
}

void people_edit(struct sim *s, struct device *d)
{
    struct edit e;
    if (d == NULL || d->n == NULL || !lease_lets_in(s, d) || (sim_chance(s, 40) && people_resend(s, d))) return;
    if (sim_chance(s, 80)) question_ask(s, d);
    if (d->n == NULL) return;
    edit_start(&e, s, d);
    bool note = e.err == ERR_OK && sim_chance(s, 60) && only_a_note(&e);
    if (e.err == ERR_OK && !note) act_somehow(&e);
    for (uint64_t more = note ? 0 : sim_random(s, 8); more > 5 && !edit_full(&e); more--) act_somehow(&e);
    edit_finish(&e, !sim_chance(s, 30));
}
