/* Whom to ring at this hour. */
#include "node/look_internal.h"
#include "node/look_list.h"

/* Does a working hour's clock move in the minute that begins now? */
static enum err is_night(struct node *n, int64_t now, bool *out, struct why *why)
{
    struct look_calendar *c = NULL;
    enum err e = look_calendar_new(n, &c, why);
    if (e == ERR_OK) *out = look_calendar_minutes(c, now, now + 60000, true) == 0;
    look_calendar_free(c);
    return e;
}

/* Sites of the MASH with a number for this hour, the best first: by day the MASH room's; by night its night number, the
 * out-of-hours team's, and as a last resort the room's by day. Of several those that cover the area, or, where no area
 * is named, an area of this device's site. Without such any site of the kind. $1: by night; $2: the area or NULL; $3:
 * this site. */
static const char best[] =
    "SELECT label, number FROM (SELECT coalesce(s.name, s.code) AS label, s.code AS code, CASE"
    " WHEN $1 = 0 THEN CASE s.kind WHEN 'mash' THEN s.phone END"
    " WHEN s.kind = 'mash' THEN coalesce(s.night_phone, s.phone)"
    " ELSE coalesce(s.phone, s.night_phone) END AS number,"
    " CASE WHEN $1 = 0 THEN 0 WHEN s.kind = 'mash' AND s.night_phone IS NOT NULL THEN 0"
    " WHEN s.kind = 'out_of_hours' THEN 1 ELSE 2 END AS place,"
    " EXISTS(SELECT 1 FROM coverage v WHERE v.site = s.code AND (v.area = '*' OR ($2 IS NOT NULL AND v.area = $2)"
    " OR ($2 IS NULL AND v.area IN (SELECT o.area FROM coverage o WHERE o.site = $3)))) AS covers"
    " FROM site s WHERE s.kind IN ('mash', 'out_of_hours')) WHERE number IS NOT NULL AND number <> ''"
    " ORDER BY covers DESC, place, code LIMIT 1";

enum err look_phone(struct node *n, const char *area, struct json **out, struct why *why)
{
    static const struct look_column cols[] = {{"label", LOOK_TEXT}, {"number", LOOK_TEXT}};
    struct stmt *s = NULL;
    struct json *o = NULL;
    bool night = false, row = false;
    *out = NULL;
    enum err e = is_night(n, env_now(n->env), &night, why);
    if (e == ERR_OK) e = db_prepare(n->db, best, &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, night);
    db_bind_str(s, 2, area);
    db_bind_str(s, 3, n->site);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) {
        o = look_object(s, cols, 2);
        json_set_bool(o, "night", night);
        if (o == NULL) e = why_set(why, ERR_NOMEM, "There is not enough memory for this page.");
    }
    db_done(s);
    *out = o;
    return e;
}
