/* Who takes part in a case. */
#include "node/act_internal.h"
#include "node/act_work.h"

#include <string.h>

/* Two devices of one agency make the same row. Of several agencies each has its own, or a part that one of them
 * keeps quiet would be met, unseen, by the row of another. */
void act_participant_id(struct node *n, uint8_t out[16], const uint8_t case_id[16], const char *member,
                        const char *site)
{
    const struct bytes parts[] = {bytes_of(case_id, 16), bytes_of_str(member), bytes_of_str(site),
                                  bytes_of_str(n->agency)};
    act_derived_id(out, "spoke/participant/1", parts, 4);
}

static enum err check_member(struct node *n, const char *agency, const char *site, struct why *why)
{
    struct stmt *s = NULL;
    bool known = false;
    enum err e = act_said(agency, "Say which agency.", why);
    if (e == ERR_OK && strcmp(agency, n->agency) != 0) e = act_other_agency(n, agency, why);
    if (e != ERR_OK || *site == '\0') return e;
    e = db_prepare(n->db, "SELECT 1 FROM site WHERE code = $1 AND agency = $2", &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, site);
    db_bind_str(s, 2, agency);
    e = db_step(s, &known, why);
    db_done(s);
    if (e != ERR_OK || known) return e;
    e = why_set(why, ERR_NOTFOUND, "That agency has no site with the code '%.60s'. Nothing was changed.", site);
    return act_next_codes(n, "SELECT code FROM site WHERE agency = $1 ORDER BY code", agency, "Its sites", why, e);
}

enum { PARTS_MAX = 256 };
struct parts {
    uint8_t ids[PARTS_MAX][16];
    size_t n;
};

/* Parts of an agency in a case that stand here; those at one site ("": at all that cover the area), or with site
 * NULL all. */
static enum err list_parts(struct node *n, const uint8_t case_id[16], const char *member, const char *site,
                           struct parts *out, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    out->n = 0;
    enum err e = db_prepare(n->db,
                            "SELECT id FROM participant WHERE case_id = $1 AND member = $2 AND voided_at IS NULL"
                            " AND ($3 IS NULL OR coalesce(site, '') = $3) AND (access IS NOT 'none' OR $3 IS NOT NULL)",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, case_id);
    db_bind_str(s, 2, member);
    db_bind_str(s, 3, site);
    while ((e = db_step(s, &row, why)) == ERR_OK && row && out->n < PARTS_MAX) db_id(s, 0, out->ids[out->n++]);
    db_done(s);
    if (e == ERR_OK && row) /* half of an agency's parts must not be left standing */
        e = why_set(why, ERR_LIMIT, "That agency takes part in more than %d ways. Nothing was changed.", PARTS_MAX);
    return e;
}

static enum err has_participant(struct node *n, const uint8_t id[16], bool *out, struct why *why)
{
    struct stmt *s = NULL;
    enum err e = db_prepare(n->db, "SELECT 1 FROM participant WHERE id = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, id);
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

static enum err put_part(struct node *n, const struct act_share *in, const uint8_t case_id[16], const uint8_t id[16],
                         struct why *why)
{
    struct row r;
    act_new(n, &r, "participant", case_id, id);
    act_fill(&r, "member", value_str(in->agency));
    act_fill(&r, "site", value_str(in->site));
    act_fill(&r, "access", value_str(in->access));
    act_fill(&r, "basis", value_str(in->basis));
    act_fill(&r, "until", act_time(in->until));
    if (in->quiet) act_fill(&r, "quiet", value_int(1));
    /* No `since`: a part begins when the hub takes it in; by this device's clock it might begin next year. */
    return act_put(n, &r, why);
}

/* The part was there before: ended, narrower, or written off as a mistake. */
static enum err renew_part(struct node *n, const struct act_share *in, const uint8_t id[16], struct why *why)
{
    static const char table[] = "participant";
    enum err e = act_set(n, table, id, "access", value_str(in->access), why);
    if (e == ERR_OK) e = act_set(n, table, id, "until", act_time(in->until), why);
    if (e == ERR_OK) e = act_set(n, table, id, "voided_at", value_null(), why);
    if (e == ERR_OK) e = act_set(n, table, id, "void_reason", value_null(), why);
    if (e == ERR_OK && in->quiet) e = act_set(n, table, id, "quiet", value_int(1), why);
    return e == ERR_OK && in->basis != NULL ? act_set(n, table, id, "basis", value_str(in->basis), why) : e;
}

static enum err held_here(struct node *n, const uint8_t case_id[16], bool *held, struct why *why)
{
    struct act_standing st;
    enum err e = act_standing(n, case_id, &st, why);
    if (e == ERR_OK) *held = *held || !act_may_decide(&st);
    return e;
}

/* Every part that stands here is what was said now, whoever wrote it: the widest would count. Else a row of this
 * agency. */
static enum err share_one(struct node *n, const struct act_share *in, const uint8_t case_id[16], uint8_t out_id[16],
                          struct why *why)
{
    struct act_row c;
    struct parts p;
    bool there = true;
    enum err e = act_read(n, "case_file", case_id, "no case", &c, why);
    act_row_release(&c);
    if (e == ERR_OK) e = list_parts(n, case_id, in->agency, in->site, &p, why);
    if (e == ERR_OK && p.n == 0) {
        act_participant_id(n, p.ids[p.n++], case_id, in->agency, in->site);
        e = has_participant(n, p.ids[0], &there, why);
    }
    for (size_t i = 0; e == ERR_OK && there && i < p.n; i++) e = renew_part(n, in, p.ids[i], why);
    if (e == ERR_OK && !there) e = put_part(n, in, case_id, p.ids[0], why);
    if (e == ERR_OK) memcpy(out_id, p.ids[0], 16);
    return e;
}

static enum err check_share(struct node *n, const struct act_share *in, struct why *why)
{
    if (in->n_cases == 0) return why_set(why, ERR_USAGE, "Say which case. Nothing was shared.");
    if (strcmp(in->access, "none") == 0)
        return why_set(why, ERR_USAGE, "To share is to give 'check', 'view' or 'contribute'. Nothing was shared.");
    if (in->until != 0 && in->until <= env_now(n->env))
        return why_set(why, ERR_USAGE, "It would end at a time that is past. Nothing was shared.");
    return check_member(n, in->agency, in->site, why);
}

enum err act_case_share(struct node *n, const struct act_share *in, uint8_t (*out_ids)[16], bool *out_held,
                        struct why *why)
{
    struct act_share sh = *in;
    bool held = false;
    if (sh.site == NULL) sh.site = "";
    if (sh.access == NULL) sh.access = "contribute";
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    e = check_share(n, &sh, why);
    for (size_t i = 0; i < sh.n_cases && e == ERR_OK; i++) {
        e = share_one(n, &sh, sh.cases[i], out_ids[i], why);
        if (e == ERR_OK) e = held_here(n, sh.cases[i], &held, why);
    }
    e = act_end(n, e, "shared a case with an agency", why);
    if (e == ERR_OK) *out_held = held;
    return e;
}

static enum err unshare(struct node *n, const uint8_t case_id[16], const char *agency, struct why *why)
{
    struct act_row c;
    struct parts p;
    int64_t now = env_now(n->env);
    enum err e = act_read(n, "case_file", case_id, "no case", &c, why);
    act_row_release(&c);
    if (e == ERR_OK) e = act_said(agency, "Say which agency.", why);
    if (e == ERR_OK) e = list_parts(n, case_id, agency, NULL, &p, why);
    if (e == ERR_OK && p.n == 0)
        e = why_set(why, ERR_NOTFOUND, "As far as this device knows that agency takes no part in this case.");
    for (size_t i = 0; e == ERR_OK && i < p.n; i++) {
        e = act_set(n, "participant", p.ids[i], "access", value_str("none"), why);
        if (e == ERR_OK) e = act_set(n, "participant", p.ids[i], "until", value_int(now), why);
    }
    return e;
}

enum err act_case_unshare(struct node *n, const uint8_t case_id[16], const char *agency, bool *out_held,
                          struct why *why)
{
    bool held = false;
    enum err e = node_edit_begin(n, why);
    if (e != ERR_OK) return e;
    e = unshare(n, case_id, agency, why);
    if (e == ERR_OK) e = held_here(n, case_id, &held, why);
    e = act_end(n, e, "stopped sharing a case with an agency", why);
    if (e == ERR_OK) *out_held = held;
    return e;
}
