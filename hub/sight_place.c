/* Sites, what they cover, agencies and people: which cases it concerns when one of them comes, goes or changes. Each of
 * these is asked with the row as it stood before the change and as it stands after it, so that whatever a change takes
 * away or gives is among what one of them finds. Nothing is decided here: settling asks the views about what is found.
 * Finding too many costs time, finding too few would leave a site its sight. */
#include "hub/sight_internal.h"

#include <string.h>

static bool is_table(const struct table_rule *t, const char *name)
{
    return strcmp(t->name, name) == 0;
}

bool sight_place_reads(const struct table_rule *t, size_t column)
{
    static const char *const for_people[] = {"name", "phone", "night_phone", "role", "active"};
    for (size_t i = 0; i < sizeof for_people / sizeof for_people[0]; i++)
        if (strcmp(t->columns[column].name, for_people[i]) == 0) return false;
    return true;
}

/* Touches the cases of a bound statement (column 0) and gives it back. */
static enum err touch_found(struct hub *h, struct stmt *q, bool all, struct why *why)
{
    bool row = false;
    enum err e;
    while ((e = db_step(q, &row, why)) == ERR_OK && row) {
        const struct sight_case c = {.no = db_int(q, 0), .seats = true, .all = all};
        if ((e = sight_touch_case(h, &c, why)) != ERR_OK) break;
    }
    db_done(q);
    return e;
}

/* Cases of one area in which the site has a seat, or may have one: any, unless it is a partner's, which takes part
 * where its agency has a voice. */
static enum err touch_area(struct hub *h, struct bytes site, struct bytes area, struct why *why)
{
    struct stmt *q;
    enum err e = db_prepare(
        h->db,
        "SELECT k.no FROM case_file c CROSS JOIN h_case k WHERE k.id = c.id AND c.area = $1"
        " AND (EXISTS (SELECT 1 FROM site s WHERE s.code = $2 AND (coalesce(s.kind, '') <> 'partner'"
        "              OR EXISTS (SELECT 1 FROM case_voice v WHERE v.case_id = c.id AND v.agency = s.agency)))"
        "      OR EXISTS (SELECT 1 FROM h_site n CROSS JOIN h_seat t WHERE t.site_no = n.no AND t.case_no = k.no"
        "                  AND n.code = $2 AND (t.mask <> 0 OR t.access <> 0)))",
        &q, why);
    if (e != ERR_OK) return e;
    db_bind_text(q, 1, area);
    db_bind_text(q, 2, site);
    return touch_found(h, q, false, why);
}

/* The same for a site that covers everything: by what it has, and by what its agency has a voice in. */
static enum err touch_everywhere(struct hub *h, struct bytes site, struct why *why)
{
    static const char *const all[] = {
        ("SELECT t.case_no FROM h_site n CROSS JOIN h_seat t WHERE t.site_no = n.no AND n.code = $1"
         " AND (t.mask <> 0 OR t.access <> 0)"),
        "SELECT k.no FROM site s CROSS JOIN case_voice v CROSS JOIN h_case k WHERE v.agency = s.agency AND k.id = v.case_id"
        " AND s.code = $1 AND s.kind = 'partner'",
        "SELECT no FROM h_case WHERE EXISTS (SELECT 1 FROM site s WHERE s.code = $1"
        " AND coalesce(s.kind, '') <> 'partner')",
    };
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < sizeof all / sizeof all[0]; i++) {
        struct stmt *q;
        e = db_prepare(h->db, all[i], &q, why);
        if (e != ERR_OK) break;
        db_bind_text(q, 1, site);
        e = touch_found(h, q, false, why);
    }
    return e;
}

/* Of a bound statement with site and area, and gives it back. */
static enum err touch_coverage(struct hub *h, struct stmt *q, struct why *why)
{
    bool row = false;
    enum err e;
    while ((e = db_step(q, &row, why)) == ERR_OK && row) {
        struct bytes site = db_bytes(q, 0), area = db_bytes(q, 1);
        e = bytes_equal(area, bytes_of_str("*")) ? touch_everywhere(h, site, why) : touch_area(h, site, area, why);
        if (e != ERR_OK) break;
    }
    db_done(q);
    return e;
}

/* A conflict that is settled is seen by the agencies of its two authors, and these by the sites that people are at. */
static enum err touch_author(struct hub *h, const uint8_t person[16], struct why *why)
{
    struct sight *s = h->sight;
    struct stmt *q;
    bool row = false;
    enum err e = db_prepare(h->db,
                            "SELECT r.no, r.case_no, r.tbl, r.id, r.mask, r.mask_version, c.case_id"
                            " FROM conflict c CROSS JOIN h_row r WHERE r.id = c.id AND r.tbl = $1"
                            " AND (c.kept_by = $2 OR c.lost_by = $2)",
                            &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, rules_table_index(bytes_of_str("conflict")));
    db_bind_id(q, 2, person);
    while ((e = db_step(q, &row, why)) == ERR_OK && row) {
        uint8_t case_id[16];
        struct sight_row r = {.no = db_int(q, 0),
                              .case_no = db_int(q, 1),
                              .tbl = (int)db_int(q, 2),
                              .old_mask = db_int(q, 4),
                              .fresh = db_int(q, 5) == h->version};
        if (!db_id(q, 3, r.id) || !db_id(q, 6, case_id))
            e = why_set(why, ERR_TAMPERED, "The hub's list of rows is damaged.");
        if (e == ERR_OK) e = sight_touch_case(h, &(struct sight_case){.no = r.case_no}, why);
        if (e == ERR_OK) e = sight_grow(&s->rows, &s->cap_rows, s->n_rows, sizeof *s->rows, why);
        if (e == ERR_OK) s->rows[s->n_rows++] = r;
        if (e == ERR_OK) e = sight_author_voice(h, r.case_no, case_id, bytes_of(person, 16), why);
        if (e != ERR_OK) break;
    }
    db_done(q);
    return e;
}

static enum err touch_people(struct hub *h, struct bytes site, struct why *why)
{
    struct stmt *q;
    bool row = false;
    uint8_t id[16];
    enum err e = db_prepare(h->db, "SELECT id FROM practitioner WHERE site = $1", &q, why);
    if (e != ERR_OK) return e;
    db_bind_text(q, 1, site);
    while ((e = db_step(q, &row, why)) == ERR_OK && row)
        if (db_id(q, 0, id) && (e = touch_author(h, id, why)) != ERR_OK) break;
    db_done(q);
    return e;
}

/* What it has, what it covers, where it is named; what its people settled; and the reference data, where every site
 * sits. */
static enum err touch_site(struct hub *h, struct bytes code, struct why *why)
{
    static const char *const by_code[] = {
        "SELECT 0",
        ("SELECT t.case_no FROM h_site n CROSS JOIN h_seat t WHERE t.site_no = n.no AND n.code = $1"
         " AND (t.mask <> 0 OR t.access <> 0)"),
        "SELECT k.no FROM participant p CROSS JOIN h_case k WHERE k.id = p.case_id AND p.site = $1 AND p.site <> ''",
    };
    struct stmt *q;
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < sizeof by_code / sizeof by_code[0]; i++) {
        e = db_prepare(h->db, by_code[i], &q, why);
        if (e != ERR_OK) break;
        if (i > 0) db_bind_text(q, 1, code);
        e = touch_found(h, q, false, why);
    }
    if (e == ERR_OK) e = db_prepare(h->db, "SELECT site, area FROM coverage WHERE site = $1", &q, why);
    if (e != ERR_OK) return e;
    db_bind_text(q, 1, code);
    e = touch_coverage(h, q, why);
    return e == ERR_OK ? touch_people(h, code, why) : e;
}

/* Its kind says which identifiers its sites may know. Where it has no channel yet it is new to this hub, and rows that
 * name it, written before it came, are to be in its channel from now on. */
static enum err touch_agency(struct hub *h, struct bytes code, struct why *why)
{
    struct stmt *q;
    bool known = false;
    enum err e = db_prepare(h->db, "SELECT 1 FROM h_channel WHERE name = 'agency:' || $1", &q, why);
    if (e != ERR_OK) return e;
    db_bind_text(q, 1, code);
    e = db_step(q, &known, why);
    db_done(q);
    if (e == ERR_OK)
        e = db_prepare(h->db,
                       "SELECT k.no FROM case_voice v CROSS JOIN h_case k WHERE k.id = v.case_id AND v.agency = $1", &q,
                       why);
    if (e != ERR_OK) return e;
    db_bind_text(q, 1, code);
    return touch_found(h, q, !known, why);
}

enum err sight_place_touch(struct hub *h, const struct table_rule *t, const uint8_t id[16], struct why *why)
{
    bool site = is_table(t, "site"), coverage = is_table(t, "coverage"), row = false;
    struct stmt *q;
    if (is_table(t, "practitioner")) return touch_author(h, id, why);
    if (!site && !coverage && !is_table(t, "agency")) return ERR_OK;
    if (h->policy_own)
        h->sight->all = true; /* what another policy than the program's own reads of them is not known here */
    enum err e = db_prepare(h->db,
                            site       ? "SELECT code FROM site WHERE id = $1"
                            : coverage ? "SELECT site, area FROM coverage WHERE id = $1"
                                       : "SELECT code FROM agency WHERE id = $1",
                            &q, why);
    if (e != ERR_OK) return e;
    db_bind_id(q, 1, id);
    if (coverage) return touch_coverage(h, q, why);
    e = db_step(q, &row, why);
    if (e == ERR_OK && row) e = site ? touch_site(h, db_bytes(q, 0), why) : touch_agency(h, db_bytes(q, 0), why);
    db_done(q);
    return e;
}
