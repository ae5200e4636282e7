/* Agencies that have a voice in a case (case_voice): by what they wrote, or were asked and told. */
#include "hub/sight_internal.h"

#include <string.h>

/* Where its answer is kept (hub/kept.h), asking is cheaper than trying to write it. */
static enum err has_voice(struct hub *h, const uint8_t case_id[16], struct bytes agency, bool *out, struct why *why)
{
    struct stmt *s;
    if (!db_is_postgres(h->db)) return ERR_OK;
    enum err e = db_prepare(h->db, "SELECT 1 FROM case_voice WHERE case_id = $1 AND agency = $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, case_id);
    db_bind_text(s, 2, agency);
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

static void remember_voice(struct sight_last *last, int64_t case_no, struct bytes agency)
{
    if (agency.n == 0 || agency.n >= sizeof last->voice) return;
    memcpy(last->voice, agency.p, agency.n);
    last->voice[agency.n] = '\0';
    last->voice_case = case_no;
}

/* An agency that wrote in a case, or is addressed there, has a channel of its own in it, and so perhaps a seat. */
static enum err add_voice(struct hub *h, int64_t case_no, const uint8_t case_id[16], struct value agency,
                          struct why *why)
{
    struct sight_case c = {.no = case_no, .seats = true};
    struct sight_last *last = &h->sight->last;
    struct stmt *s;
    bool fresh = false, known = false;
    if (agency.kind != VALUE_TEXT) return ERR_OK;
    if (last->voice_case == case_no && bytes_equal(agency.s, bytes_of_str(last->voice))) return ERR_OK;
    enum err e = has_voice(h, case_id, agency.s, &known, why);
    if (e == ERR_OK && known) remember_voice(last, case_no, agency.s);
    if (e != ERR_OK || known) return e;
    e = db_prepare(h->db,
                   "INSERT INTO case_voice(case_id, agency) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING agency",
                   &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, case_id);
    db_bind_text(s, 2, agency.s);
    e = db_step(s, &fresh, why);
    db_done(s);
    if (e == ERR_OK && fresh) e = sight_touch_case(h, &c, why);
    if (e == ERR_OK) remember_voice(last, case_no, agency.s);
    return e;
}

static struct value column(const struct row *r, const char *name)
{
    int at = rules_column_index(r->table, bytes_of_str(name));
    return at < 0 ? value_none() : r->v[at];
}

/* The two people whose values met in a conflict may have written nothing else in the case: their agencies have a
 * voice. */
enum err sight_author_voice(struct hub *h, int64_t case_no, const uint8_t case_id[16], struct bytes person,
                            struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db, "SELECT s.agency FROM practitioner p JOIN site s ON s.code = p.site WHERE p.id = $1",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_blob(s, 1, person);
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        e = add_voice(h, case_no, case_id, value_text(db_bytes(s, 0)), why);
        if (e != ERR_OK) break;
    }
    db_done(s);
    return e;
}

enum err sight_author_voice_of(struct hub *h, const struct sight_row *r, const uint8_t case_id[16], struct value person,
                               struct why *why)
{
    if (person.kind != VALUE_BLOB) return ERR_OK;
    return sight_author_voice(h, r->case_no, case_id, person.s, why);
}

enum err sight_add_voices(struct hub *h, const struct row *r, const struct sight_row *noted, struct why *why)
{
    const uint8_t *case_id = r->v[1].s.p;
    enum err e = add_voice(h, noted->case_no, case_id, r->v[2], why);
    if (e == ERR_OK) e = add_voice(h, noted->case_no, case_id, column(r, "to_agency"), why);
    if (e == ERR_OK) e = add_voice(h, noted->case_no, case_id, column(r, "member"), why);
    if (e == ERR_OK) e = sight_author_voice_of(h, noted, case_id, column(r, "kept_by"), why);
    if (e == ERR_OK) e = sight_author_voice_of(h, noted, case_id, column(r, "lost_by"), why);
    return e;
}
