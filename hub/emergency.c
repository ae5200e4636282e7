/* Break-glass: a manager opens a case that is not his site's, for a fixed time and with a reason. Off unless
 * administrators switch it on. Whatever comes of it, the reply is the same; and every attempt is an act that they
 * see. */
#include "hub/admins.h"
#include "hub/people.h"
#include "hub/question.h"
#include "hub/retention_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define HOUR_MS   INT64_C(3600000)
#define HOURS_MAX 72

static const struct actor the_hub = {0};

/* ----------------------------------------------------------------------------------------------------- the switch */

static enum err hours_allowed(struct hub *h, int64_t *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(h->db, "SELECT value FROM h_counter WHERE name = 'emergency_hours'", &s, why);
    if (e != ERR_OK) return e;
    e = db_step(s, &row, why);
    if (e == ERR_OK) *out = row ? db_int(s, 0) : 0;
    db_done(s);
    return e;
}

static enum err put_hours(struct hub *h, int64_t hours, struct why *why)
{
    char text[40];
    struct stmt *s;
    enum err e = db_prepare(h->db,
                            "INSERT INTO h_counter(name, value) VALUES ('emergency_hours', $1)"
                            " ON CONFLICT(name) DO UPDATE SET value = $1",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, hours);
    e = db_run(s, why);
    (void)snprintf(text, sizeof text, "%" PRId64 " hours", hours);
    return e == ERR_OK
               ? admins_act(h, MAY_SECURE, hours == 0 ? "emergency off" : "emergency on", NULL, hours == 0 ? NULL : text, why)
               : e;
}

enum err hub_set_emergency(struct hub *h, int64_t hours, struct why *why)
{
    if (hours < 0 || hours > HOURS_MAX)
        return why_set(why, ERR_USAGE, "A case can be opened in an emergency for 1 to %d hours.", HOURS_MAX);
    enum err e = hub_begin(h, why);
    if (e != ERR_OK) return e;
    e = put_hours(h, hours, why);
    if (e == ERR_OK) return hub_commit(h, why);
    hub_abort(h);
    return e;
}

/* -------------------------------------------------------------------------------------------------- may it be done? */

struct glass {
    struct asking *a;
    char reference[64];
    const char *reason;
    int64_t hours;
    uint8_t case_id[16];
    int64_t case_no;
    char area[256];
    bool restricted, left; /* left: retention has taken it from the site */
    char name[256];      /* of the person */
    const char *refusal; /* for administrators; NULL: it is done */
    int64_t until;
};

static void copy(char *out, size_t n, struct bytes v)
{
    size_t k = v.n < n ? v.n : 0; /* whole or not at all */
    if (k > 0) memcpy(out, v.p, k);
    out[k] = '\0';
}

/* *out_n: how many cases have the reference; two are none, because it would not be known which one was meant. */
static enum err find_case(struct glass *g, int *out_n, struct why *why)
{
    struct stmt *s;
    bool row = false;
    *out_n = 0;
    enum err e = db_prepare(g->a->h->db,
                            "SELECT c.id, c.area, coalesce(c.restricted, 0), k.no FROM case_file c JOIN h_case k ON"
                            " k.id = c.id WHERE c.reference = $1 AND c.voided_at IS NULL LIMIT 2",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, g->reference);
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        if ((*out_n)++ > 0) continue;
        (void)db_id(s, 0, g->case_id);
        copy(g->area, sizeof g->area, db_bytes(s, 1));
        g->restricted = db_int(s, 2) != 0;
        g->case_no = db_int(s, 3);
    }
    db_done(s);
    return e;
}

static enum err find_name(struct glass *g, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(g->a->h->db, "SELECT name FROM practitioner WHERE id = $1 AND site = $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, g->a->q->user);
    db_bind_str(s, 2, g->a->node->site);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) copy(g->name, sizeof g->name, db_bytes(s, 0));
    db_done(s);
    return e;
}

/* What an agency wrote itself it keeps when its part is over: that alone is not to see the case. */
static enum err sees_it(struct glass *g, bool *out, struct why *why)
{
    struct asked_row file;
    int index = rules_table_index(bytes_of_str("case_file")), access = 0;
    int64_t mask = 0;
    enum err e = sight_seat(g->a->h, g->a->node->site_no, g->case_no, INT64_MAX, &mask, &access, why);
    if (e == ERR_OK) e = asking_row(g->a, index, g->case_id, &file, out, why);
    if (e == ERR_OK) *out = access > 0 || (*out && strcmp(g->a->node->site_kind, "out_of_hours") == 0);
    return e;
}

static enum err judge(struct glass *g, struct why *why)
{
    struct asker_duties duties = {0};
    bool seen = false;
    int n = 0;
    enum err e = hours_allowed(g->a->h, &g->hours, why);
    if (e == ERR_OK) e = find_case(g, &n, why);
    if (e == ERR_OK) e = find_name(g, why);
    if (e == ERR_OK && n == 1) e = asking_duties(g->a, g->area, &duties, why);
    if (e == ERR_OK && n == 1) e = sees_it(g, &seen, why);
    if (e == ERR_OK && n == 1) e = retention_withholds(g->a->h, g->case_no, g->a->node->site, &g->left, why);
    if (e != ERR_OK) return e;
    g->refusal = g->hours == 0                                 ? "it is switched off"
                 : g->reason[strspn(g->reason, " \n")] == '\0' ? "no reason was given"
                 : n != 1                                      ? "there is no such case"
                 : g->restricted                               ? "the case is restricted"
                 : !duties.manager                             ? "the person is no manager on duty for the area"
                 : seen                                        ? "the site sees the case already"
                 : g->left                                     ? "the case is closed and has left by its time"
                                                               : NULL;
    return ERR_OK;
}

/* --------------------------------------------------------------------------------------------------------- doing it */

struct cell {
    const char *column;
    struct value v;
};

static enum err insert(struct glass *g, const char *table, const struct cell *cells, size_t n, struct why *why)
{
    struct row r = {.table = rules_table((size_t)rules_table_index(bytes_of_str(table)))};
    uint8_t id[16];
    env_new_id(g->a->h->env, id);
    for (size_t i = 0; i < r.table->n_columns; i++) r.v[i] = value_null();
    r.v[0] = value_id(id);
    r.v[1] = value_id(g->case_id);
    r.v[2] = value_str(""); /* the hub's own, as in hub/held_case.c */
    for (size_t i = 0; i < n; i++) r.v[rules_column_index(r.table, bytes_of_str(cells[i].column))] = cells[i].v;
    return sight_insert(g->a->h, &r, &the_hub, why);
}

/* Agencies whose sites take part now: each reads its own line alone, so that none learns of the others. */
static const char owners_sql[] =
    "SELECT DISTINCT t.agency FROM h_seat s JOIN h_site h ON h.no = s.site_no JOIN site t ON"
    " t.code = h.code WHERE s.case_no = $1 AND s.access > 0 AND t.agency <> $2 AND t.agency"
    " > $3 ORDER BY t.agency LIMIT 1";

static enum err next_owner(struct glass *g, char agency[64], bool *out_found, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(g->a->h->db, owners_sql, &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, g->case_no);
    db_bind_str(s, 2, g->a->node->agency);
    db_bind_str(s, 3, agency);
    e = db_step(s, out_found, why);
    if (e == ERR_OK && *out_found) copy(agency, 64, db_bytes(s, 0));
    db_done(s);
    return e == ERR_OK && *out_found && agency[0] == '\0'
               ? why_set(why, ERR_TAMPERED, "The hub's list of sites is damaged.")
               : e;
}

static enum err tell_owners(struct glass *g, struct why *why)
{
    char agency[64] = "", until[40];
    struct buf body;
    bool found = true;
    buf_init(&body, 1u << 16);
    utc_text(g->until, until);
    buf_printf(&body, "%s at %s opened this case in an emergency. Their site sees it until %s. The reason given: %s",
               g->name[0] != '\0' ? g->name : "A manager", g->a->node->site, until, g->reason);
    enum err e =
        body.err == ERR_OK ? ERR_OK : why_set(why, body.err, "There is not enough memory to answer a question.");
    while (e == ERR_OK) {
        e = next_owner(g, agency, &found, why);
        if (e != ERR_OK || !found) break;
        const struct cell cells[] = {{"to_agency", value_str(agency)},
                                     {"channel", value_str("emergency")},
                                     {"body", value_text(buf_bytes(&body))},
                                     {"sent_at", value_int(g->a->h->now_ms)}};
        e = insert(g, "feedback", cells, sizeof cells / sizeof cells[0], why);
    }
    buf_release(&body);
    return e;
}

static enum err open_case(struct glass *g, struct why *why)
{
    struct buf basis;
    buf_init(&basis, 1u << 16);
    g->until = g->a->h->now_ms + g->hours * HOUR_MS;
    buf_printf(&basis, "emergency: %s", g->reason);
    const struct cell part[] = {{"member", value_str(g->a->node->agency)},
                                {"site", value_str(g->a->node->site)},
                                {"access", value_str("view")},
                                {"basis", value_text(buf_bytes(&basis))},
                                {"until", value_int(g->until)}};
    enum err e = basis.err == ERR_OK ? sight_step(g->a->h, why)
                                     : why_set(why, basis.err, "There is not enough memory to answer a question.");
    if (e == ERR_OK)
        e = tell_owners(g, why); /* before the part is there: whom it makes take part is not told of itself */
    if (e == ERR_OK) e = insert(g, "participant", part, sizeof part / sizeof part[0], why);
    if (e == ERR_OK) e = sight_settle(g->a->h, why);
    buf_release(&basis);
    return e;
}

/* What administrators read: who, which case, why, and what came of it. */
static enum err note(struct glass *g, struct why *why)
{
    char kid[37], until[40] = "";
    struct buf said;
    uuid_format(g->a->node->id.kid, kid);
    if (g->refusal == NULL) utc_text(g->until, until);
    buf_init(&said, 4096);
    buf_printf(&said, "%s at %s, %s: %s%s. Reason given: %s", g->name[0] != '\0' ? g->name : "an unknown person",
               g->a->node->site, g->reference, g->refusal == NULL ? "opened until " : "not opened, ",
               g->refusal == NULL ? until : g->refusal, g->reason);
    const char *text = buf_cstr(&said);
    enum err e = text == NULL ? why_set(why, said.err, "There is not enough memory to answer a question.")
                              : people_act(g->a->h, "emergency", kid, text, why);
    buf_release(&said);
    return e;
}

enum err answer_emergency(struct asking *a, struct why *why)
{
    struct glass g = {.a = a, .reason = ""};
    const char *end = strchrnul(a->q->text, '\n');
    copy(g.reference, sizeof g.reference, bytes_of(a->q->text, (size_t)(end - a->q->text)));
    if (*end != '\0') g.reason = end + 1;
    enum err e = judge(&g, why);
    if (e == ERR_OK && g.refusal == NULL) e = open_case(&g, why);
    return e == ERR_OK ? note(&g, why) : e;
}
