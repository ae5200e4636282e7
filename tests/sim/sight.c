/* What moves who sees what: who takes part, questions and answers, permission, consent. */
#include "tests/sim/people.h"

#include <stdlib.h>
#include <string.h>

/* ---- who takes part ---- */
/* Nobody sets an end in pairs of worlds whose clocks differ: when it comes a device hides by its own. */
static struct value some_end(struct edit *e)
{
    if (e->s->opt.no_steering) return value_null();
    return value_int(e->s->clock + (int64_t)sim_random(e->s, (uint64_t)(e->s->plan.hurried ? SIM_DAY : 6 * SIM_DAY)));
}

static void unshare(struct edit *e)
{
    struct rows_row p;
    if (!people_pick(e, "participant", people_to_write(e, WRITE_LEAD), &p)) return;
    if (sim_chance(e->s, 250)) { /* it runs out by itself */
        struct value end = some_end(e);
        if (end.kind == VALUE_INT) edit_set_named(e, &p, "until", end);
        return;
    }
    edit_set_named(e, &p, "access", value_str("none"));
    if (sim_chance(e->s, 500)) edit_set_named(e, &p, "until", people_now(e));
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
        people_part(e, p.case_id, member, "", sim_chance(e->s, 500) ? "view" : "contribute");
        return;
    }
    edit_set_named(e, &p, "access", people_one(e, "view", "contribute"));
    edit_set_named(e, &p, "until", value_null());
}

static const struct sim_site *some_site(struct edit *e)
{
    return &e->s->sites[sim_random(e->s, e->s->n_sites)];
}

/* For a time, from a day on, for one site, or without the others knowing. */
static void share_somehow(struct edit *e)
{
    struct rows_row c;
    struct fresh f;
    const struct sim_site *with = some_site(e);
    if (!people_pick(e, "case_file", people_to_insert(e, INSERT_LEAD), &c)) return;
    if (!people_think_part(e, &f, c.id)) return;
    fresh_fix(&f, "member", value_str(with->agency));
    fresh_fix(&f, "site", value_str(sim_chance(e->s, 400) ? with->code : ""));
    fresh_fix(&f, "access", value_str(sim_chance(e->s, 300) ? "check" : sim_chance(e->s, 400) ? "view" : "contribute"));
    if (sim_chance(e->s, 250)) fresh_fix(&f, "quiet", value_int(1));
    if (sim_chance(e->s, 600)) fresh_fix(&f, "until", some_end(e));
    if (sim_chance(e->s, 250)) fresh_fix(&f, "since", some_end(e));
    edit_put(e, &f.r);
}

/* Longer than was said, from another day on, or with no end at all. */
static void share_longer(struct edit *e)
{
    struct rows_row p;
    const char *column = sim_chance(e->s, 750) ? "until" : "since";
    const struct choice ends = {.table = "participant", .where = "until IS NOT NULL AND voided_at IS NULL"};
    bool found = sim_chance(e->s, 600) && edit_pick(e, &ends, &p);
    if (!found && !people_pick(e, "participant", people_to_write(e, WRITE_LEAD), &p)) return;
    edit_set_named(e, &p, column, sim_chance(e->s, 400) ? value_null() : some_end(e));
}

/* For the sites that are named, and no others; or for all again. */
static void restrict_case(struct edit *e)
{
    struct rows_row c;
    if (!people_pick(e, "case_file", people_to_write(e, WRITE_DUTY), &c)) return;
    bool is = rows_int(&c, "restricted") != 0;
    edit_set_named(e, &c, "restricted", value_int(!is));
    if (is) return;
    people_part(e, c.id, people_site(e)->agency, people_site(e)->code, "contribute");
    for (uint64_t n = sim_random(e->s, 3); n > 0; n--) {
        const struct sim_site *with = some_site(e);
        people_part(e, c.id, with->agency, with->code, sim_chance(e->s, 500) ? "check" : "contribute");
    }
}

static void move_area(struct edit *e)
{
    struct rows_row c;
    const char *area = think_area(e->s);
    if (!people_pick(e, "case_file", people_to_write(e, WRITE_DUTY), &c)) return;
    edit_set_named(e, &c, "area", value_str(area));
    if (sim_chance(e->s, 500)) edit_set_named(e, &c, "lead_agency", value_str(people_lead(e->s, area)));
}

/* ---- questions, answers, permission ---- */
bool sight_note(struct edit *e, const uint8_t case_id[16])
{
    struct fresh f;
    if (!think_row(e, &f, "record", case_id)) return false;
    fresh_fix(&f, "request_id", value_null());
    edit_put(e, &f.r);
    return true;
}

static void ask(struct edit *e)
{
    struct rows_row c;
    struct fresh f;
    const char *to = think_agency(e->s);
    if (!people_pick(e, "case_file", people_to_insert(e, INSERT_CONTRIBUTE), &c)) return;
    if (!think_row(e, &f, "request", c.id)) return;
    fresh_fix(&f, "to_agency", value_str(to));
    fresh_fix(&f, "state", value_str("open"));
    edit_put(e, &f.r);
    if (sim_chance(e->s, 800)) people_part(e, c.id, to, "", "check");
}

static void answer(struct edit *e)
{
    struct rows_row q;
    const struct choice open = {
        .table = "request", .where = "to_agency = $1 AND state = 'open'", .arg = people_agency(e)};
    if (!edit_pick(e, &open, &q)) return;
    edit_set_named(e, &q, "state", people_one(e, "answered", "declined"));
    people_think(e, &q, (size_t)rules_column_index(q.r.table, bytes_of_str("result")));
    edit_set_named(e, &q, "answered_by", value_id(e->d->user));
    edit_set_named(e, &q, "answered_at", people_now(e));
    if (sim_chance(e->s, 600)) (void)sight_note(e, q.case_id);
}

static void clear(struct fresh *f, const char *const *columns, size_t n)
{
    for (size_t i = 0; i < n; i++) fresh_fix(f, columns[i], value_null());
}

/* May this be told? Asked of the agency that says it holds something, or of one that is thought to. */
static void ask_release(struct edit *e)
{
    static const char *const asking[] = {"how", "title", "body", "conditions", "decided_by", "decided_at"};
    struct rows_row c, p;
    struct fresh f;
    const char *holder = think_agency(e->s);
    const struct choice pointers = {.table = "pointer", .where = "agency <> $1", .arg = people_agency(e)};
    bool pointed = sim_chance(e->s, 500) && edit_pick(e, &pointers, &p);
    if (!pointed && !people_pick(e, "case_file", people_to_insert(e, INSERT_CHECK), &c)) return;
    if (!think_row(e, &f, "release", pointed ? p.case_id : c.id)) return;
    fresh_fix(&f, "to_agency", pointed ? p.r.v[2] : value_str(holder));
    fresh_fix(&f, "pointer_id", pointed ? value_id(p.id) : value_null());
    fresh_fix(&f, "state", value_str("asked"));
    fresh_fix(&f, "asked_by", value_id(e->d->user));
    clear(&f, asking, sizeof asking / sizeof asking[0]);
    fresh_fix(&f, "expires_at", sim_chance(e->s, 300) ? some_end(e) : value_null());
    edit_put(e, &f.r);
}

/* What is told comes in a release of its own, with its text: of a record that the teller wrote. */
static void tell(struct edit *e, const struct rows_row *record, struct value to)
{
    struct fresh f, source;
    if (!think_row(e, &f, "release", record->case_id)) return;
    if (to.kind != VALUE_NONE) fresh_fix(&f, "to_agency", to);
    fresh_fix(&f, "state", value_str("granted"));
    fresh_fix(&f, "asked_by", value_null());
    fresh_fix(&f, "decided_by", value_id(e->d->user));
    fresh_fix(&f, "how", sim_chance(e->s, 200) ? value_str("spoken") : people_one(e, "whole", "redacted"));
    fresh_fix(&f, "pointer_id", value_null());
    fresh_fix(&f, "expires_at", sim_chance(e->s, 500) ? some_end(e) : value_null());
    edit_put(e, &f.r);
    if (!think_row(e, &source, "release_source", record->case_id)) return;
    fresh_fix(&source, "release_id", value_id(f.id));
    fresh_fix(&source, "record_id", value_id(record->id));
    edit_put(e, &source.r);
}

/* Who is asked answers, and tells. Now and then somebody answers his own question. */
static void answer_release(struct edit *e)
{
    struct rows_row q, r;
    const struct choice asked = {
        .table = "release", .where = "to_agency = $1 AND state = 'asked'", .arg = people_agency(e)};
    const struct choice mine = {
        .table = "release", .where = "agency = $1 AND state = 'asked'", .arg = people_agency(e)};
    bool own = sim_chance(e->s, 150);
    if (!edit_pick(e, own ? &mine : &asked, &q)) return;
    bool grants = sim_chance(e->s, 650);
    edit_set_named(e, &q, "state", value_str(grants ? "granted" : "refused"));
    edit_set_named(e, &q, "decided_by", value_id(e->d->user));
    edit_set_named(e, &q, "decided_at", people_now(e));
    if (own || !grants || sim_chance(e->s, 300)) return;
    const struct choice records = {
        .table = "record", .where = "agency = $1 AND voided_at IS NULL", .arg = people_agency(e)};
    if (edit_pick(e, &records, &r) && memcmp(r.case_id, q.case_id, sizeof r.case_id) == 0) tell(e, &r, q.r.v[2]);
}

/* Told without having been asked; or told no longer, or longer. */
static void release(struct edit *e)
{
    struct rows_row r;
    const struct choice told = {
        .table = "release", .where = "agency = $1 AND state = 'granted'", .arg = people_agency(e)};
    const struct choice mine = {.table = "record", .where = "agency = $1", .arg = people_agency(e)};
    if (sim_chance(e->s, 350) && edit_pick(e, &told, &r)) {
        edit_set_named(e, &r, "expires_at", sim_chance(e->s, 300) ? value_null() : some_end(e));
        return;
    }
    if (edit_pick(e, &mine, &r)) tell(e, &r, value_none());
}

static void point(struct edit *e)
{
    struct rows_row c;
    struct fresh f;
    if (!people_pick(e, "case_file", people_to_insert(e, INSERT_CHECK), &c)) return;
    if (think_row(e, &f, "pointer", c.id)) edit_put(e, &f.r);
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
bool sight_with_consent(struct edit *e, const uint8_t case_id[16])
{
    struct rows_row person;
    struct fresh f;
    if (!think_row(e, &f, "record", case_id)) return false;
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
        .arg = value_id(case_id)};
    for (int n = 0; n < 6 && !edit_full(e) && edit_pick(e, &unasked, &person); n++) consents(e, &person);
    return true;
}

static void seek_consent(struct edit *e)
{
    struct rows_row c;
    if (people_pick(e, "case_file", people_to_insert(e, INSERT_CONTRIBUTE), &c)) (void)sight_with_consent(e, c.id);
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
        edit_set_named(e, &person, "voided_at", people_now(e));
        edit_set_named(e, &person, "void_reason", value_str("a mistake"));
        return;
    }
    if (!think_row(e, &f, "person", r.case_id)) return;
    fresh_fix(&f, "role", people_one(e, "child", "adult"));
    edit_put(e, &f.r);
}

/* No longer, not at all, nobody asked, or until a day. Mostly where a decision may rest upon it. */
static void take_consent_back(struct edit *e)
{
    struct rows_row c;
    const struct choice given = {.table = "consent", .where = "state = 'given' AND voided_at IS NULL"};
    const struct choice decided = {.table = "consent",
                                   .where = "state = 'given' AND voided_at IS NULL AND case_id IN (SELECT id FROM "
                                            "brief WHERE decided_at IS NOT NULL)"};
    if (!edit_pick(e, sim_chance(e->s, 700) ? &decided : &given, &c) && !edit_pick(e, &given, &c)) return;
    if (sim_chance(e->s, 150)) {
        edit_set_named(e, &c, "expires_at", some_end(e));
        return;
    }
    edit_set_named(e, &c, "state",
                   sim_chance(e->s, 700) ? value_str("withdrawn") : people_one(e, "refused", "not_sought"));
    if (sim_chance(e->s, 500)) edit_set_named(e, &c, "reason", think_text(e->s));
}

/* A record that needs consent is told without it, for a reason; or its owner thinks better of that. */
static void override(struct edit *e)
{
    struct rows_row r;
    const struct choice mine = {
        .table = "record", .where = "needs_consent = 1 AND agency = $1", .arg = people_agency(e)};
    const struct choice any = {.table = "record", .where = "needs_consent = 1"};
    if (!edit_pick(e, sim_chance(e->s, 900) ? &mine : &any, &r)) return;
    bool back = !rows_null(&r, "override_at");
    edit_set_named(e, &r, "override_reason", back ? value_null() : value_str("significant harm"));
    edit_set_named(e, &r, "override_by", back ? value_null() : value_id(e->d->user));
    edit_set_named(e, &r, "override_at", back ? value_null() : people_now(e));
}

/* A decision that rests upon what was told with consent. */
static void decide_upon(struct edit *e)
{
    struct rows_row r, b;
    const struct choice told = {.table = "record", .where = "needs_consent = 1 AND voided_at IS NULL"};
    if (!edit_pick(e, &told, &r) || !edit_get(e, rows_table("brief"), r.case_id, &b)) return;
    bool undone = !rows_null(&b, "decided_at") && sim_chance(e->s, 200);
    edit_set_named(e, &b, "decision", undone ? value_null() : think_canary(e->s, b.id, b.tbl));
    edit_set_named(e, &b, "decided_at", undone ? value_null() : people_now(e));
}

void sight_act(struct edit *e)
{
    static const struct {
        unsigned weight;
        void (*act)(struct edit *e);
    } acts[] = {
        {110, unshare},  {95, share_again}, {90, share_somehow}, {60, share_longer},   {35, restrict_case},
        {35, move_area}, {95, ask},         {95, answer},        {45, ask_release},    {45, answer_release},
        {50, release},   {15, point},       {80, seek_consent},  {45, other_subjects}, {50, take_consent_back},
        {25, override},  {30, decide_upon},
    };
    uint64_t at = sim_random(e->s, 1000);
    size_t i = 0;
    while (at >= acts[i].weight) at -= acts[i++].weight;
    acts[i].act(e);
}
