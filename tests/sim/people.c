/* People at work: mostly sensible, sometimes against the rules. edit.h is their pen. */
#include "tests/sim/edit.h"

#include <stdlib.h>
#include <string.h>

static const struct sim_site *site_of(const struct edit *e)
{
    return &e->s->sites[e->d->site];
}

static bool social_care(const struct edit *e)
{
    return strcmp(site_of(e)->kind, "social_care") == 0;
}

static bool mash(const struct edit *e)
{
    return strcmp(site_of(e)->site_kind, "mash") == 0;
}

static struct value own_agency(const struct edit *e)
{
    return value_str(site_of(e)->agency);
}

static struct value now(const struct edit *e)
{
    return value_int(e->s->clock);
}

static struct value one(struct edit *e, const char *a, const char *b)
{
    return value_str(sim_chance(e->s, 500) ? a : b);
}

/* ---- who may do what: roughly, as people know it. What they mistake the hub holds ---- */
enum power { POWER_ANY, POWER_CHECK, POWER_CONTRIBUTE, POWER_LEAD, POWER_OWN, POWER_ASKED };

#define PARTS "SELECT case_id FROM participant WHERE member = $1 AND until IS NULL AND voided_at IS NULL AND access "
#define LED   "SELECT id FROM case_file WHERE lead_agency = $1"
static const char *const within[] = {
    [POWER_ANY] = NULL,
    [POWER_CHECK] = "case_id IN (" PARTS "IN ('check', 'contribute') UNION " LED ")",
    [POWER_CONTRIBUTE] = "case_id IN (" PARTS "= 'contribute' UNION " LED ")",
    [POWER_LEAD] = "case_id IN (" LED ")",
    [POWER_OWN] = "agency = $1",
    [POWER_ASKED] = "to_agency = $1",
};

static enum power to_write(const struct edit *e, enum write_rule rule)
{
    switch (rule) {
    case WRITE_OWN: return POWER_OWN;
    case WRITE_ASKED: return POWER_ASKED;
    case WRITE_LEAD:
    case WRITE_DUTY: return mash(e) ? POWER_ANY : POWER_LEAD;
    case WRITE_CONTRIBUTE: return mash(e) ? POWER_ANY : POWER_CONTRIBUTE;
    case WRITE_NEVER:
    case WRITE_HUB:
    case WRITE_JUDGE:
    case WRITE_SETTLE: break;
    }
    return POWER_ANY;
}

static enum power to_insert(const struct edit *e, enum insert_rule rule)
{
    if (mash(e) || rule == INSERT_HUB) return POWER_ANY;
    return rule == INSERT_CHECK ? POWER_CHECK : rule == INSERT_CONTRIBUTE ? POWER_CONTRIBUTE : POWER_LEAD;
}

/* One that the power reaches; one time in eight nobody thinks of that. */
static bool pick_within(struct edit *e, const char *table, enum power power, struct rows_row *out)
{
    const struct choice c = {.table = table, .where = within[power], .arg = own_agency(e), .meet = true};
    return sim_chance(e->s, 125) ? edit_pick_from(e, table, out) : edit_pick(e, &c, out);
}

/* ---- new cases ---- */

/* Social care's agency that covers the area; there always is one. */
static const char *lead_for(const struct sim *s, const char *area)
{
    for (unsigned i = 0; i < s->n_sites; i++) {
        const struct sim_site *p = &s->sites[i];
        if (strcmp(p->kind, "social_care") != 0 || strcmp(p->site_kind, "mash") != 0) continue;
        for (unsigned a = 0; a < p->n_areas; a++)
            if (strcmp(p->areas[a], area) == 0) return p->agency;
        if (p->n_areas == 0) return p->agency;
    }
    return s->sites[0].agency;
}

static void put_thought(struct edit *e, const char *table, const uint8_t case_id[16])
{
    struct fresh f;
    if (think_row(e, &f, table, case_id)) edit_put(e, &f.r);
}

/* A part for an agency, or for a site of it. */
static void put_part(struct edit *e, const uint8_t case_id[16], const char *member, const char *site,
                     const char *access)
{
    struct fresh f;
    if (!think_row(e, &f, "participant", case_id)) return;
    fresh_fix(&f, "member", value_str(member));
    fresh_fix(&f, "site", value_str(site));
    fresh_fix(&f, "access", value_str(access));
    fresh_fix(&f, "quiet", value_int(0));
    fresh_fix(&f, "since", value_null());
    fresh_fix(&f, "until", value_null());
    edit_put(e, &f.r);
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
    fresh_fix(&c, "lead_agency", value_str(social_care(e) ? site_of(e)->agency : lead_for(s, area)));
    fresh_fix(&c, "status", value_str("new"));
    fresh_fix(&c, "restricted", value_int(restricted));
    edit_put(e, &c.r);
    put_thought(e, "brief", case_id);
    put_thought(e, "referral", case_id);
    for (uint64_t i = sim_random(s, 3); i < 3; i++) put_thought(e, "person", case_id);
    if (sim_chance(s, 50))
        put_thought(e, "participant", case_id); /* whoever it may be */
    else if (restricted || !social_care(e) || sim_chance(s, 300))
        put_part(e, case_id, site_of(e)->agency, restricted || sim_chance(s, 500) ? site_of(e)->code : "",
                 "contribute");
    for (uint64_t i = sim_random(s, 3); social_care(e) && i > 0; i--)
        put_part(e, case_id, think_agency(s), "", sim_chance(s, 800) ? "contribute" : "view");
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
    if (social_care(e) && sim_chance(e->s, 350)) table = "participant";
    enum power power = to_insert(e, rules_table((size_t)rows_table(table))->insert);
    if (!pick_within(e, "case_file", power, &c) || !think_row(e, &f, table, c.id)) return;
    e->forged = f.r.table->insert == INSERT_HUB;
    edit_put(e, &f.r);
    e->forged = false;
}

/* ---- changes ---- */
static void think_into(struct edit *e, const struct rows_row *r, size_t col)
{
    const struct subject of = {r->r.table, r->id, r->case_id};
    edit_set(e, r, col, think(e, &of, col));
}

static void change_any(struct edit *e)
{
    struct rows_row r;
    size_t n, from = (size_t)rows_table("case_file");
    const struct table_rule *t = rules_tables(&n) + from + sim_random(e->s, n - from);
    size_t col = 3 + sim_random(e->s, t->n_columns - 3);
    if (t->columns[col].write == WRITE_NEVER) return;
    if (pick_within(e, t->name, to_write(e, t->columns[col].write), &r)) think_into(e, &r, col);
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
    if (!pick_within(e, h[0], to_write(e, t->columns[col].write), &r)) return;
    think_into(e, &r, col);
    if (strcmp(h[1], "override_at") == 0) edit_set_named(e, &r, "override_reason", value_str("significant harm"));
}

static void make_void(struct edit *e)
{
    struct rows_row r;
    if (e->s->opt.no_steering || !edit_pick_any(e, &r) || strcmp(r.r.table->name, "release_source") == 0) return;
    if (!rows_is(&r, "agency", site_of(e)->agency) && !sim_chance(e->s, 200)) return;
    bool back = !rows_null(&r, "voided_at");
    if (rules_column_index(r.r.table, bytes_of_str("voided_at")) < 0) return;
    edit_set_named(e, &r, "voided_at", back ? value_null() : now(e));
    edit_set_named(e, &r, "void_reason", back ? value_null() : value_str("a mistake"));
}

/* ---- who takes part ---- */
static void unshare(struct edit *e)
{
    struct rows_row p;
    if (!pick_within(e, "participant", to_write(e, WRITE_LEAD), &p)) return;
    edit_set_named(e, &p, "access", value_str("none"));
    if (sim_chance(e->s, 500)) edit_set_named(e, &p, "until", now(e));
}

/* Back in, in the old part or with a new one. */
static void share_again(struct edit *e)
{
    struct rows_row p;
    char member[64] = "";
    const struct choice out = {.table = "participant", .where = "access = 'none'"};
    if (!edit_pick(e, &out, &p)) return;
    struct bytes was = rows_value(&p, "member").s;
    if (was.n < sizeof member) memcpy(member, was.p, was.n);
    if (sim_chance(e->s, 400)) {
        put_part(e, p.case_id, member, "", sim_chance(e->s, 500) ? "view" : "contribute");
        return;
    }
    edit_set_named(e, &p, "access", one(e, "view", "contribute"));
    edit_set_named(e, &p, "until", value_null());
}

/* For the sites that are named, and no others; or for all again. */
static void restrict_case(struct edit *e)
{
    struct rows_row c;
    if (!pick_within(e, "case_file", to_write(e, WRITE_DUTY), &c)) return;
    bool is = rows_int(&c, "restricted") != 0;
    edit_set_named(e, &c, "restricted", value_int(!is));
    if (!is) put_part(e, c.id, site_of(e)->agency, site_of(e)->code, "contribute");
}

static void move_area(struct edit *e)
{
    struct rows_row c;
    const char *area = think_area(e->s);
    if (!pick_within(e, "case_file", to_write(e, WRITE_DUTY), &c)) return;
    edit_set_named(e, &c, "area", value_str(area));
    if (sim_chance(e->s, 500)) edit_set_named(e, &c, "lead_agency", value_str(lead_for(e->s, area)));
}

/* ---- questions, answers, permission ---- */
static void ask(struct edit *e)
{
    struct rows_row c;
    struct fresh f;
    const char *to = think_agency(e->s);
    if (!pick_within(e, "case_file", to_insert(e, INSERT_CONTRIBUTE), &c)) return;
    if (!think_row(e, &f, "request", c.id)) return;
    fresh_fix(&f, "to_agency", value_str(to));
    fresh_fix(&f, "state", value_str("open"));
    edit_put(e, &f.r);
    if (sim_chance(e->s, 800)) put_part(e, c.id, to, "", "check");
}

static void answer(struct edit *e)
{
    struct rows_row q;
    struct fresh f;
    const struct choice open = {.table = "request", .where = "to_agency = $1 AND state = 'open'", .arg = own_agency(e)};
    if (!edit_pick(e, &open, &q)) return;
    edit_set_named(e, &q, "state", one(e, "answered", "declined"));
    think_into(e, &q, (size_t)rules_column_index(q.r.table, bytes_of_str("result")));
    edit_set_named(e, &q, "answered_by", value_id(e->d->user));
    edit_set_named(e, &q, "answered_at", now(e));
    if (!sim_chance(e->s, 600) || !think_row(e, &f, "record", q.case_id)) return;
    fresh_fix(&f, "request_id", value_null());
    edit_put(e, &f.r);
}

/* The owner's answer whether a record may be told: with the record as its source, when it is new. */
static void release(struct edit *e)
{
    struct rows_row r;
    struct fresh f, source;
    const struct choice asked = {.table = "release", .where = "agency = $1 AND state = 'asked'", .arg = own_agency(e)};
    const struct choice mine = {.table = "record", .where = "agency = $1", .arg = own_agency(e)};
    if (sim_chance(e->s, 500) && edit_pick(e, &asked, &r)) {
        edit_set_named(e, &r, "state", one(e, "granted", "refused"));
        edit_set_named(e, &r, "decided_by", value_id(e->d->user));
        edit_set_named(e, &r, "decided_at", now(e));
        return;
    }
    if (!edit_pick(e, &mine, &r) || !think_row(e, &f, "release", r.case_id)) return;
    fresh_fix(&f, "state", one(e, "granted", "asked"));
    edit_put(e, &f.r);
    if (!think_row(e, &source, "release_source", r.case_id)) return;
    fresh_fix(&source, "release_id", value_id(f.id));
    fresh_fix(&source, "record_id", value_id(r.id));
    edit_put(e, &source.r);
}

/* ---- consent ---- */
static void consents(struct edit *e, const struct rows_row *person)
{
    struct rows_row there;
    struct fresh f;
    if (!think_consent(e, &f, person)) return;
    if (!edit_get(e, rows_table("consent"), f.id, &there)) {
        edit_put(e, &f.r);
        return;
    }
    edit_set_named(e, &there, "state", value_str("given"));
    edit_set_named(e, &there, "expires_at", value_null());
    edit_set_named(e, &there, "voided_at", value_null());
    edit_set_named(e, &there, "void_reason", value_null());
}

#define SUBJECT "voided_at IS NULL AND role IN ('child', 'adult')"

/* A record that names nobody and needs the consent of everybody whom the case is about: all of them are asked. */
static void seek_consent(struct edit *e)
{
    struct rows_row c, person;
    struct fresh f;
    if (!pick_within(e, "case_file", to_insert(e, INSERT_CONTRIBUTE), &c) || !think_row(e, &f, "record", c.id)) return;
    fresh_fix(&f, "person_id", value_null());
    fresh_fix(&f, "request_id", value_null());
    fresh_fix(&f, "needs_consent", value_int(1));
    fresh_fix(&f, "override_at", value_null());
    fresh_fix(&f, "sensitivity", value_str("open"));
    edit_put(e, &f.r);
    const struct choice unasked = {
        .table = "person",
        .where = "case_id = $1 AND " SUBJECT " AND id NOT IN (SELECT person_id FROM consent WHERE case_id = $1 AND "
                 "scope = 'all' AND state = 'given' AND expires_at IS NULL AND voided_at IS NULL)",
        .arg = value_id(c.id)};
    for (int n = 0; n < 6 && !edit_full(e) && edit_pick(e, &unasked, &person); n++) consents(e, &person);
}

/* Somebody more whose consent such a record needs, or one less. */
static void other_subjects(struct edit *e)
{
    struct rows_row r, person;
    struct fresh f;
    const struct choice told = {.table = "record",
                                .where = "needs_consent = 1 AND person_id IS NULL AND voided_at IS NULL"};
    if (!edit_pick(e, &told, &r)) return;
    const struct choice subjects = {
        .table = "person", .where = "case_id = $1 AND " SUBJECT, .arg = value_id(r.case_id)};
    if (sim_chance(e->s, 300)) {
        if (e->s->opt.no_steering || !edit_pick(e, &subjects, &person)) return;
        edit_set_named(e, &person, "voided_at", now(e));
        edit_set_named(e, &person, "void_reason", value_str("a mistake"));
        return;
    }
    if (!think_row(e, &f, "person", r.case_id)) return;
    fresh_fix(&f, "role", one(e, "child", "adult"));
    edit_put(e, &f.r);
}

/* ---- deciding ---- */
static void decide(struct edit *e)
{
    struct rows_row b, c;
    if (!pick_within(e, "brief", to_write(e, WRITE_LEAD), &b)) return;
    edit_set_named(e, &b, "decision", think_canary(e->s, b.id, b.tbl));
    edit_set_named(e, &b, "decided_at", now(e));
    edit_set_named(e, &b, "outcome", think_text(e->s));
    if (edit_get(e, rows_table("case_file"), b.id, &c)) edit_set_named(e, &c, "status", one(e, "decided", "closed"));
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
    edit_set_named(e, &k, "resolved_at", now(e));
    if (!sim_chance(e->s, 100)) edit_set_named(e, &k, "reason", value_str("they rang up"));
}

/* A manager decides; others may take back what is their own. Sometimes somebody decides who may not. */
static void judge(struct edit *e)
{
    struct rows_row k;
    const struct choice any = {.table = "held", .where = "state = 'waiting'"};
    const struct choice mine = {.table = "held", .where = "state = 'waiting' AND agency = $1", .arg = own_agency(e)};
    bool decides = mash(e) || sim_chance(e->s, 100);
    if (!edit_pick(e, decides ? &any : &mine, &k)) return;
    const char *word = sim_chance(e->s, 650) ? "accepted" : "dismissed";
    edit_set_named(e, &k, "state", value_str(decides ? word : "withdrawn"));
    edit_set_named(e, &k, "decided_by", value_id(e->d->user));
    edit_set_named(e, &k, "decided_at", now(e));
    if (sim_chance(e->s, 300)) edit_set_named(e, &k, "decision_reason", think_text(e->s));
}

/* ---- against the rules ---- */
static void borrow_agency(struct edit *e)
{
    struct rows_row c;
    struct fresh f;
    const char *other = think_agency(e->s);
    if (strcmp(other, site_of(e)->agency) == 0 || !edit_pick_from(e, "case_file", &c)) return;
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
    think_into(e, &r, fixed[sim_random(e->s, n)]);
    e->forged = false;
    e->strange |= e->n_touched > before;
}

/* ---- one transaction ---- */
static const struct {
    unsigned weight;
    void (*act)(struct edit *e);
} acts[] = {
    {70, new_case},     {203, new_row},     {250, change_hot},  {90, change_any},     {35, unshare},
    {25, share_again},  {25, make_void},    {50, settle},       {60, judge},          {30, decide},
    {30, ask},          {30, answer},       {20, release},      {8, move_area},       {7, restrict_case},
    {7, borrow_agency}, {10, change_fixed}, {25, seek_consent}, {25, other_subjects},
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

void people_edit(struct sim *s, struct device *d)
{
    struct edit e;
    if (d == NULL || d->n == NULL || (sim_chance(s, 40) && people_resend(s, d))) return;
    edit_start(&e, s, d);
    if (e.err == ERR_OK) act_somehow(&e);
    for (uint64_t more = sim_random(s, 8); more > 5 && !edit_full(&e); more--) act_somehow(&e);
    edit_finish(&e, !sim_chance(s, 30));
}
