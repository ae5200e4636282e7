/* The people of a case, with their numbers, contacts, warnings and consents, and what each consent does to sharing. */
#include "node/look_case.h"

#include "node/act.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------------ identifiers */
static bool is_nhs(struct bytes scheme, struct bytes digits)
{
    return digits.n == 10 && bytes_equal(scheme, bytes_of_str("nhs"));
}

/* Enough to recognise it by, not enough to copy: "943 *** **19". The first three and the last two characters stay. */
static void mask(struct buf *out, struct bytes scheme, struct bytes value)
{
    uint8_t kept[64];
    struct bytes text = {kept, 0};
    for (size_t i = 0; i < value.n && text.n < sizeof kept; i++)
        if (value.p[i] > ' ' && value.p[i] < 0x7f && value.p[i] != '-') kept[text.n++] = value.p[i];
    const bool grouped = is_nhs(scheme, text);
    for (size_t i = 0; i < text.n; i++) {
        bool shown = text.n >= 8 && (i < 3 || i + 2 >= text.n);
        if (grouped && (i == 3 || i == 6)) buf_put_u8(out, ' ');
        buf_put_u8(out, shown ? kept[i] : '*');
    }
}

static enum err each_identifier(void *ctx, struct json *o, struct stmt *s, struct why *why)
{
    struct buf text;
    struct bytes scheme = {0}, value = {0};
    (void)ctx;
    (void)why;
    for (int i = 0; i < db_columns(s); i++) {
        if (strcmp(db_column_name(s, i), "scheme") == 0) scheme = db_bytes(s, i);
        if (strcmp(db_column_name(s, i), "value") == 0) value = db_bytes(s, i);
    }
    buf_init(&text, 256);
    mask(&text, scheme, value);
    json_set_text(o, "masked", buf_bytes(&text));
    buf_release(&text);
    return ERR_OK;
}

/* ----------------------------------------------------------------------------------------------------- consents */
/* Own records of the case that need consent: what keeps back those of others is not for this device to know. */
struct needing {
    struct {
        uint8_t id[16], person[16];
        bool of_all;      /* about no one person: about each child and adult of the case */
        bool waits, told; /* told: although nobody consented */
    } list[256];
    size_t n;
    bool more; /* there are others: numbers are not whole */
};

static enum err read_needing(const struct look_matter *m, struct needing *r, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    *r = (struct needing){0};
    enum err e = look_ask_case(m,
                               "SELECT id, person_id, override_at IS NOT NULL AND coalesce(override_reason, '') <> ''"
                               " FROM record WHERE case_id = $1 AND agency = $3 AND needs_consent = 1"
                               " AND voided_at IS NULL AND sensitivity IS NOT 'restricted'",
                               &s, why);
    if (e != ERR_OK) return e;
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        enum act_sight sight = ACT_ALL;
        r->more = r->n == sizeof r->list / sizeof r->list[0];
        if (r->more) break;
        db_id(s, 0, r->list[r->n].id);
        r->list[r->n].of_all = !db_id(s, 1, r->list[r->n].person);
        r->list[r->n].told = db_int(s, 2) != 0;
        e = act_record_sight(m->n, r->list[r->n].id, &sight, why);
        r->list[r->n++].waits = sight == ACT_NOBODY_CONSENT;
        if (e != ERR_OK) break;
    }
    db_done(s);
    return e;
}

struct consent {
    bool given, over, withdrawn;
    bool of_ours; /* its scope has this agency's records */
    size_t needing, waiting, told;
};

static void count_needing(const struct needing *all, const uint8_t person[16], bool subject, struct consent *c)
{
    for (size_t i = 0; i < all->n && c->of_ours; i++) {
        bool about = all->list[i].of_all ? subject : memcmp(all->list[i].person, person, 16) == 0;
        if (!about) continue;
        c->needing++;
        c->told += all->list[i].told;
        c->waiting += all->list[i].waits;
    }
}

/* "the 2 records of your agency that need it." */
static void records(struct buf *b, const struct needing *all, size_t n, const char *of, const char *what)
{
    bool one = n == 1 && !all->more;
    buf_printf(b, "the %s%zu record%s%s that %s %s.", all->more ? "more than " : "", n, one ? "" : "s", of,
               one ? "needs" : "need", what);
}

/* One or two sentences about what this state of consent does to sharing. */
static void say_effect(struct buf *b, const struct needing *all, const struct consent *c)
{
    if (!c->of_ours) {
        buf_put_str(b, c->given ? "Records of that agency that need it may be seen by those who take part."
                                : "Nobody else can see records of that agency that need it.");
    } else if (c->needing == 0) {
        buf_put_str(b, "No record of your agency here needs it, so none of them is kept back.");
    } else if (c->given && c->waiting == 0) {
        buf_put_str(b, "Those who take part can see ");
        records(b, all, c->needing, " of your agency", "it");
    } else if (c->given) {
        buf_put_str(b, "It is given, but nobody else can see ");
        records(b, all, c->waiting, "", "the consent of somebody else too");
    } else if (c->waiting != 0) {
        buf_put_str(b, c->over ? "It is over now. Nobody else can see " : "Nobody else can see ");
        records(b, all, c->waiting, " of your agency", "it");
    }
    if (!c->given && c->of_ours && c->told != 0) {
        if (b->len != 0) buf_put_u8(b, ' ');
        buf_printf(b, "%zu %s told without consent, for the reason that was noted.", c->told,
                   c->told == 1 ? "is" : "are");
    }
    if (c->withdrawn) buf_put_str(b, " What a decision rests upon stays with those who were told.");
}

struct each_consent {
    const struct look_matter *m;
    const struct needing *needing;
    const uint8_t *person;
    bool subject;
};
static enum err each_consent(void *ctx, struct json *o, struct stmt *s, struct why *why)
{
    const struct each_consent *x = ctx;
    struct consent c = {0};
    struct buf text;
    (void)why;
    for (int i = 0; i < db_columns(s); i++) {
        const char *name = db_column_name(s, i);
        struct bytes v = db_bytes(s, i);
        if (strcmp(name, "state") == 0) {
            c.given = bytes_equal(v, bytes_of_str("given"));
            c.withdrawn = bytes_equal(v, bytes_of_str("withdrawn"));
        }
        if (strcmp(name, "expires_at") == 0) c.over = !db_is_null(s, i) && db_int(s, i) <= x->m->times.now;
        if (strcmp(name, "scope") == 0)
            c.of_ours = bytes_equal(v, bytes_of_str("all")) || bytes_equal(v, bytes_of_str(x->m->n->agency));
    }
    c.over = c.over && c.given;
    c.given = c.given && !c.over;
    count_needing(x->needing, x->person, x->subject, &c);
    buf_init(&text, 1024);
    say_effect(&text, x->needing, &c);
    json_set_text(o, "effect", buf_bytes(&text));
    buf_release(&text);
    return ERR_OK;
}

/* ------------------------------------------------------------------------------------------------------- person */
static const struct look_column extras[] = {{"unsent", LOOK_BOOL}, {"says", LOOK_TEXT}};

static enum err put_rows(const struct look_matter *m, const char *key, const char *table, const char *sql,
                         const uint8_t person[16], look_each each, void *ctx, struct json *o, struct why *why)
{
    const struct look_table t = {.table = table, .more = extras, .n_more = 2, .each = each, .ctx = ctx};
    struct stmt *s = NULL;
    struct json *list = NULL;
    enum err e = look_ask_case(m, sql, &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 4, person);
    e = look_fill_rows(m->n, s, &t, &list, why);
    json_set_obj(o, key, list);
    return e;
}

#define OF(t, table)                                                                                                   \
    "SELECT " t ".*, " LOOK_UNSENT(t) " FROM " table " " t " WHERE " t ".case_id = $1 AND " t ".person_id = $4"        \
                                      " AND " t ".voided_at IS NULL"

static enum err put_about(struct each_consent *x, struct json *o, struct why *why)
{
    const struct look_matter *m = x->m;
    enum err e = put_rows(m, "identifiers", "identifier", OF("t", "identifier") " ORDER BY t.scheme, t.id", x->person,
                          each_identifier, NULL, o, why);
    if (e == ERR_OK)
        e = put_rows(m, "contacts", "contact", OF("t", "contact") " ORDER BY t.kind, t.id", x->person, NULL, NULL, o,
                     why);
    if (e == ERR_OK)
        e = put_rows(m, "warnings", "warning",
                     OF("t", "warning") " AND (t.until IS NULL OR t.until > $2) ORDER BY t.id", x->person, NULL, NULL,
                     o, why);
    if (e == ERR_OK)
        e = put_rows(m, "consents", "consent",
                     "SELECT k.*, CASE WHEN k.state = 'given' AND k.expires_at <= $2 THEN 'given, and over now'"
                     " WHEN k.state = 'not_sought' THEN 'not sought' ELSE k.state END AS says, " LOOK_UNSENT(
                         "k") " FROM consent k WHERE k.case_id = $1 AND k.person_id = $4 AND k.voided_at IS NULL"
                              " ORDER BY k.scope <> 'all', k.scope, k.id",
                     x->person, each_consent, x, o, why);
    return e;
}

static enum err each_person(void *ctx, struct json *o, struct stmt *s, struct why *why)
{
    struct each_consent *x = ctx;
    uint8_t id[16] = {0};
    struct bytes given = {0}, family = {0};
    (void)db_id(s, 0, id);
    x->person = id;
    for (int i = 0; i < db_columns(s); i++) {
        const char *name = db_column_name(s, i);
        if (strcmp(name, "given_names") == 0) given = db_bytes(s, i);
        if (strcmp(name, "family_name") == 0) family = db_bytes(s, i);
        if (strcmp(name, "role") == 0)
            x->subject = bytes_equal(db_bytes(s, i), bytes_of_str("child")) ||
                         bytes_equal(db_bytes(s, i), bytes_of_str("adult"));
    }
    look_set_names(o, given, family);
    return put_about(x, o, why);
}

enum err look_case_people(const struct look_matter *m, struct json *o, struct why *why)
{
    struct needing *needing = malloc(sizeof *needing);
    struct each_consent x = {.m = m, .needing = needing};
    const struct look_table t = {.table = "person", .more = extras, .n_more = 2, .each = each_person, .ctx = &x};
    struct stmt *s = NULL;
    struct json *list = NULL;
    if (needing == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory for this case.");
    enum err e = read_needing(m, needing, why);
    if (e == ERR_OK)
        e = look_ask_case(m,
                          "SELECT p.*, " LOOK_UNSENT(
                              "p") " FROM person p WHERE p.case_id = $1 AND p.voided_at IS NULL"
                                   " ORDER BY CASE p.role WHEN 'child' THEN 0 WHEN 'adult' THEN 1 ELSE 2 END, p.id",
                          &s, why);
    if (e == ERR_OK) e = look_fill_rows(m->n, s, &t, &list, why);
    json_set_obj(o, "people", list);
    free(needing);
    return e;
}
