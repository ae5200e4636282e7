/* case new, list, show, set, share, unshare. */
#include "cli/node_commands.h"
#include "cli/node_work.h"
#include "cli/plain.h"

#include <string.h>

/* --------------------------------------------------------------------------------------------------------- new */
/* Who leads a new case: the agency of the area's MASH room, social care's first. NULL: no MASH room covers the area. */
static enum err mash_of(struct work *w, const char *area, struct buf *out_agency, struct buf *out_phone,
                        struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(
        w->db,
        "SELECT s.agency, coalesce(s.phone, '') FROM site s JOIN coverage v ON v.site = s.code"
        " LEFT JOIN agency a ON a.code = s.agency"
        " WHERE s.kind = 'mash' AND v.area IN ('*', $1) ORDER BY a.kind = 'social_care' DESC, s.code LIMIT 1",
        &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, area);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) {
        buf_put_bytes(out_agency, db_bytes(s, 0));
        buf_put_bytes(out_phone, db_bytes(s, 1));
    }
    db_done(s);
    return e;
}

static enum err due_after(struct work *w, const char *rag, int64_t *out_ms, bool *out_any, struct why *why)
{
    struct stmt *s = NULL;
    enum err e = db_prepare(
        w->db, "SELECT minutes FROM timescale WHERE rag = $1 AND what = 'reply' ORDER BY minutes LIMIT 1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, rag);
    e = db_step(s, out_any, why);
    if (e == ERR_OK && *out_any) *out_ms = w->now + db_int(s, 0) * 60000;
    db_done(s);
    return e;
}

static enum err put_case(struct work *w, const uint8_t id[16], const char *reference, const char *lead, struct why *why)
{
    struct row r;
    uint8_t same[16];
    int64_t due = 0;
    bool any = false;
    const char *rag = cli_flag(w->c, "rag"), *subject = cli_flag(w->c, "subject");
    enum err e = rag != NULL ? due_after(w, rag, &due, &any, why) : ERR_OK;
    if (e != ERR_OK) return e;
    work_row(w, &r, "case_file", id, id, same);
    work_set(&r, "reference", value_str(reference));
    work_set(&r, "area", work_text_flag(w, "area"));
    work_set(&r, "subject_kind", value_str(subject != NULL ? subject : "child"));
    work_set(&r, "rag", value_str(rag));
    work_set(&r, "status", value_str("new"));
    work_set(&r, "lead_agency", value_str(lead));
    work_set(&r, "restricted", value_int(0));
    work_set(&r, "received_at", value_int(w->now));
    if (any) work_set(&r, "due_at", value_int(due));
    e = work_put(w, &r, why);
    if (e != ERR_OK) return e;
    work_row(w, &r, "brief", id, id, same);
    work_set(&r, "primary_need", work_text_flag(w, "need"));
    work_set(&r, "summary", work_text_flag(w, "summary"));
    work_set(&r, "rag_reason", work_text_flag(w, "reason"));
    return work_put(w, &r, why);
}

/* One for each agency that lets it take part: two devices of one agency make the same row. Of several agencies each has its
 * own, or a part that one of them keeps quiet would be met, unseen, by the row of another. */
static void participant_id(const struct work *w, uint8_t out[16], const uint8_t case_id[16], const char *member,
                           const char *site)
{
    const struct bytes parts[] = {bytes_of(case_id, 16), bytes_of_str(member), bytes_of_str(site),
                                  bytes_of_str(w->info.agency)};
    work_derived_id(out, "spoke/participant/1", parts, 4);
}

/* Beside the case: where it came from, who opened it, and the first rating with its reason. */
static enum err put_origin(struct work *w, const uint8_t case_id[16], struct why *why)
{
    struct row r;
    uint8_t id[16];
    work_row(w, &r, "referral", case_id, NULL, id);
    work_set(&r, "source", work_text_flag(w, "source"));
    work_set(&r, "received_at", value_int(w->now));
    enum err e = work_put(w, &r, why);
    if (e != ERR_OK) return e;
    participant_id(w, id, case_id, w->info.agency, "");
    work_row(w, &r, "participant", case_id, id, id);
    work_set(&r, "member", value_str(w->info.agency));
    work_set(&r, "site", value_str(""));
    work_set(&r, "access", value_str("contribute"));
    /* No `since`: a part begins when the hub takes it in; by this device's clock it might begin next year. */
    e = work_put(w, &r, why);
    if (e != ERR_OK || !cli_has(w->c, "rag")) return e;
    work_row(w, &r, "rating", case_id, NULL, id);
    work_set(&r, "author", value_id(w->info.user));
    work_set(&r, "stage", value_str("initial"));
    work_set(&r, "rag", work_text_flag(w, "rag"));
    work_set(&r, "reason", work_text_flag(w, "reason"));
    work_set(&r, "rated_at", value_int(w->now));
    return work_put(w, &r, why);
}

static enum err say_new(struct work *w, const uint8_t id[16], const char *reference, bool mash, const char *phone,
                        struct why *why)
{
    char text[37], call[80];
    uuid_format(id, text);
    plain_text(call, sizeof call, bytes_of_str(phone));
    if (!mash) {
        fprintf(stderr,
                "No MASH room covers this area, so nobody will pick this case up. Tell the hub's administrator now.\n");
        w->c->attention = true;
    }
    const char *rag = cli_flag(w->c, "rag");
    if (rag != NULL && strcmp(rag, "red") == 0)
        fprintf(stderr, "The MASH does NOT have this yet: it goes with the next contact (spoke sync).%s%s\n",
                *phone != '\0' ? " If a child may be at risk now, phone "
                               : " If a child may be at risk now, phone the MASH.",
                call);
    if (!w->c->json) {
        printf("Case %s (%s)\n", reference, text);
        return ERR_OK;
    }
    struct json *o = json_object_new();
    json_set_str(o, "id", text);
    json_set_str(o, "reference", reference);
    return show_json(o, why);
}

static enum err do_new(struct work *w, struct why *why)
{
    static const char *const needed[] = {"area", "source", "need", "summary"};
    const char *v = NULL;
    enum err e = ERR_OK;
    for (size_t i = 0; i < sizeof needed / sizeof needed[0] && e == ERR_OK; i++) e = cli_need(w->c, needed[i], &v, why);
    if (e == ERR_OK && cli_has(w->c, "rag")) e = cli_need(w->c, "reason", &v, why);
    if (e != ERR_OK) return e;
    uint8_t id[16];
    char reference[16];
    struct buf lead, phone;
    buf_init(&lead, 4096);
    buf_init(&phone, 4096);
    env_new_id(w->c->env, id);
    work_reference(w, reference);
    e = mash_of(w, cli_flag(w->c, "area"), &lead, &phone, why);
    bool mash = lead.len != 0;
    if (e == ERR_OK) e = put_case(w, id, reference, mash ? buf_cstr(&lead) : w->info.agency, why);
    if (e == ERR_OK) e = put_origin(w, id, why);
    if (e == ERR_OK) e = say_new(w, id, reference, mash, phone.len != 0 ? buf_cstr(&phone) : "", why);
    buf_release(&lead);
    buf_release(&phone);
    return e;
}
static enum err run_new(struct cli *c, struct why *why)
{
    return work_edit(c, "opened a case", do_new, why);
}

/* -------------------------------------------------------------------------------------------------------- list */
static const struct show_column list_columns[] = {
    {"id", NULL, SHOW_ID},
    {"reference", "Reference", SHOW_TEXT},
    {"area", "Area", SHOW_TEXT},
    {"rag", "Rating", SHOW_TEXT},
    {"status", "Status", SHOW_TEXT},
    {"lead_agency", "Lead", SHOW_TEXT},
    {"received_at", "Received", SHOW_TIME},
    {"due_at", "Due", SHOW_TIME},
    {"unsent", "Unsent", SHOW_BOOL},
};

/* A slip in --rag must not look like a quiet day. */
static enum err check_word(struct work *w, const char *column, struct why *why)
{
    const struct table_rule *t = rules_table((size_t)rules_table_index(bytes_of_str("case_file")));
    const char *text = cli_flag(w->c, column);
    struct value v;
    if (text == NULL) return ERR_OK;
    if (*text == '\0') return why_set(why, ERR_USAGE, "--%s needs a word.", column);
    return work_read_value(w, &t->columns[rules_column_index(t, bytes_of_str(column))], text, &v, why);
}

static enum err do_list(struct work *w, struct why *why)
{
    struct stmt *s = NULL;
    enum err e = check_word(w, "rag", why);
    if (e == ERR_OK) e = check_word(w, "status", why);
    if (e != ERR_OK) return e;
    e = db_prepare(
        w->db,
        "SELECT c.id, c.reference, c.area, c.rag, c.status, c.lead_agency, c.received_at, c.due_at,"
        " EXISTS (SELECT 1 FROM n_pending p WHERE p.id = c.id)"
        " FROM case_file c WHERE c.voided_at IS NULL AND ($1 IS NULL OR c.rag = $1) AND ($2 IS NULL OR c.status = $2)"
        " AND ($3 = 0 OR (c.due_at < $4 AND c.status IS NOT 'closed')) AND ($5 IS NULL OR c.agency = $5)"
        " ORDER BY CASE c.rag WHEN 'red' THEN 0 WHEN 'amber' THEN 1 WHEN 'green' THEN 2 WHEN 'blue' THEN 3 ELSE 4 END,"
        " c.due_at, c.reference",
        &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, cli_flag(w->c, "rag"));
    db_bind_str(s, 2, cli_flag(w->c, "status"));
    db_bind_int(s, 3, cli_has(w->c, "overdue"));
    db_bind_int(s, 4, w->now);
    db_bind_str(s, 5, cli_has(w->c, "mine") ? w->info.agency : NULL);
    return show_list(w->c, s, list_columns, sizeof list_columns / sizeof list_columns[0],
                     "No such case on this device.", NULL, why);
}
static enum err run_list(struct cli *c, struct why *why)
{
    return work_read(c, do_list, why);
}

/* --------------------------------------------------------------------------------------------------------- set */
static enum err do_set(struct work *w, struct why *why)
{
    static const char *const tables[] = {"case_file", "brief"};
    uint8_t ids[2][16];
    enum err e = work_pick(w, "case_file", w->c->args[0], ids[0], why);
    memcpy(ids[1], ids[0], 16); /* a case's brief has the case's own id */
    for (int i = 1; i < w->c->n_args && e == ERR_OK; i++)
        e = work_assign(w, tables, (const uint8_t(*)[16])ids, 2, w->c->args[i], why);
    return e == ERR_OK ? work_say_id(w, "Changed case", ids[0], why) : e;
}
static enum err run_set(struct cli *c, struct why *why)
{
    return work_edit(c, "changed a case", do_set, why);
}

/* ------------------------------------------------------------------------------------------------------- share */
static enum err check_member(struct work *w, const char *agency, const char *site, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(w->db,
                            "SELECT 1 FROM agency a WHERE a.code = $1 AND ($2 = '' OR EXISTS"
                            " (SELECT 1 FROM site s WHERE s.code = $2 AND s.agency = a.code))",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_str(s, 1, agency);
    db_bind_str(s, 2, site);
    e = db_step(s, &row, why);
    db_done(s);
    if (e == ERR_OK && !row) e = why_set(why, ERR_NOTFOUND, "The hub knows no such agency or site.");
    return e;
}

/* What sharing says, alike for every case named. */
struct share {
    const char *agency, *site, *access;
    struct value until;
};

static enum err put_participant(struct work *w, const struct share *sh, const uint8_t case_id[16], const uint8_t id[16],
                                struct why *why)
{
    struct row r;
    uint8_t same[16];
    work_row(w, &r, "participant", case_id, id, same);
    work_set(&r, "member", value_str(sh->agency));
    work_set(&r, "site", value_str(sh->site));
    work_set(&r, "access", value_str(sh->access));
    work_set(&r, "basis", work_text_flag(w, "basis"));
    work_set(&r, "until", sh->until);
    return work_put(w, &r, why);
}

/* The part was there before: ended, narrower, or written off as a mistake. */
static enum err renew_participant(struct work *w, const struct share *sh, const uint8_t id[16], struct why *why)
{
    enum err e = work_update(w, "participant", id, "access", value_str(sh->access), why);
    if (e == ERR_OK) e = work_update(w, "participant", id, "until", sh->until, why);
    if (e == ERR_OK) e = work_update(w, "participant", id, "voided_at", value_null(), why);
    if (e == ERR_OK) e = work_update(w, "participant", id, "void_reason", value_null(), why);
    if (e == ERR_OK && cli_has(w->c, "basis"))
        e = work_update(w, "participant", id, "basis", work_text_flag(w, "basis"), why);
    return e;
}

/* Only the lead agency, or somebody on duty for the area, may say who takes part; of others the hub holds it. */
static enum err say_who_decides(struct work *w, const uint8_t case_id[16], struct why *why)
{
    struct stmt *s = NULL;
    bool may = false;
    enum err e = db_prepare(w->db,
                            "SELECT 1 FROM case_file c WHERE c.id = $1 AND (c.lead_agency = $2 OR EXISTS (SELECT 1 FROM"
                            " duty d WHERE d.practitioner = $3 AND d.area IN ('*', c.area)"
                            " AND d.duty IN ('manager', 'social_care')))",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, case_id);
    db_bind_str(s, 2, w->info.agency);
    db_bind_id(s, 3, w->info.user);
    e = db_step(s, &may, why);
    db_done(s);
    if (e != ERR_OK || may) return e;
    fprintf(stderr,
            "Your agency does not lead this case. The MASH keeps this back until a manager accepts it; nobody sees "
            "more or less until then.\n");
    w->c->attention = true;
    return ERR_OK;
}

enum { PARTS_MAX = 256 };

/* Parts of an agency in a case that stand here; those at one site ("": at all that cover the area), or with site NULL all. */
static enum err list_parts(struct work *w, const uint8_t case_id[16], const char *member, const char *site,
                           uint8_t ids[PARTS_MAX][16], size_t *out_n, struct why *why)
{
    struct stmt *s = NULL;
    size_t n = 0;
    bool row = false;
    enum err e = db_prepare(w->db,
                            "SELECT id FROM participant WHERE case_id = $1 AND member = $2 AND voided_at IS NULL"
                            " AND ($3 IS NULL OR coalesce(site, '') = $3) AND (access IS NOT 'none' OR $3 IS NOT NULL)",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, case_id);
    db_bind_str(s, 2, member);
    db_bind_str(s, 3, site);
    while ((e = db_step(s, &row, why)) == ERR_OK && row && n < PARTS_MAX) db_id(s, 0, ids[n++]);
    db_done(s);
    if (e == ERR_OK && row) /* half of an agency's parts must not be left standing */
        e = why_set(why, ERR_LIMIT, "That agency takes part in more than %d ways. Nothing was changed.", PARTS_MAX);
    *out_n = n;
    return e;
}

/* Every part that stands here is what was said now, whoever wrote it: the widest would count. Else a row of this agency. */
static enum err share_one(struct work *w, const struct share *sh, const char *typed, struct json *list, struct why *why)
{
    uint8_t case_id[16], ids[PARTS_MAX][16];
    char text[37];
    size_t n = 0;
    bool there = true;
    enum err e = work_pick(w, "case_file", typed, case_id, why);
    if (e == ERR_OK) e = list_parts(w, case_id, sh->agency, sh->site, ids, &n, why);
    if (e == ERR_OK && n == 0) {
        participant_id(w, ids[n++], case_id, sh->agency, sh->site);
        e = work_has(w, "participant", ids[0], &there, why);
    }
    for (size_t i = 0; e == ERR_OK && there && i < n; i++) e = renew_participant(w, sh, ids[i], why);
    if (e == ERR_OK && !there) e = put_participant(w, sh, case_id, ids[0], why);
    if (e == ERR_OK) e = say_who_decides(w, case_id, why);
    if (e != ERR_OK) return e;
    if (list == NULL) return work_say_id(w, "Shared with the next contact; participant", ids[0], why);
    struct json *o = json_object_new();
    uuid_format(ids[0], text);
    json_set_str(o, "id", text);
    json_append(list, o);
    return ERR_OK;
}

static enum err do_share(struct work *w, struct why *why)
{
    int n = w->c->n_args - 1;
    const char *site = cli_flag(w->c, "site"), *access = cli_flag(w->c, "access");
    struct share sh = {
        .agency = w->c->args[n], .site = site != NULL ? site : "", .access = access != NULL ? access : "contribute"};
    struct json *list = w->c->json && n > 1 ? json_array_new() : NULL;
    enum err e = check_member(w, sh.agency, sh.site, why);
    if (e == ERR_OK) e = work_time_flag(w, "until", value_null(), &sh.until, why);
    if (e == ERR_OK && sh.until.kind == VALUE_INT && sh.until.i <= w->now)
        e = why_set(why, ERR_USAGE, "--until is a time that is past. Nothing was shared.");
    for (int i = 0; i < n && e == ERR_OK; i++) e = share_one(w, &sh, w->c->args[i], list, why);
    if (e == ERR_OK && list != NULL) return show_json(list, why);
    json_free(list);
    return e;
}
static enum err run_share(struct cli *c, struct why *why)
{
    return work_edit(c, "shared a case with an agency", do_share, why);
}

static enum err do_unshare(struct work *w, struct why *why)
{
    uint8_t case_id[16], ids[PARTS_MAX][16];
    size_t n = 0;
    enum err e = work_pick(w, "case_file", w->c->args[0], case_id, why);
    if (e == ERR_OK) e = list_parts(w, case_id, w->c->args[1], NULL, ids, &n, why);
    if (e == ERR_OK && n == 0) e = why_set(why, ERR_NOTFOUND, "That agency takes no part in this case.");
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        e = work_update(w, "participant", ids[i], "access", value_str("none"), why);
        if (e == ERR_OK) e = work_update(w, "participant", ids[i], "until", value_int(w->now), why);
    }
    if (e == ERR_OK) e = say_who_decides(w, case_id, why);
    return e == ERR_OK ? work_say_id(w, "No longer shared once the MASH has heard of it: case", case_id, why) : e;
}
static enum err run_unshare(struct cli *c, struct why *why)
{
    return work_edit(c, "stopped sharing a case with an agency", do_unshare, why);
}

static const struct flag new_flags[] = {
    {"area", "AREA", "the area it is in"},
    {"source", "CODE", "who referred: a code of the list referral_source, like 3B for a health visitor"},
    {"need", "CODE", "primary need, like N1"},
    {"summary", "TEXT", "what has happened, in a sentence or two"},
    {"subject", "KIND", "child (default) or adult"},
    {"rag", "RATING", "red, amber, green or blue; needs --reason"},
    {"reason", "TEXT", "why that rating"},
    {0}};
static const struct flag list_flags[] = {{"rag", "RATING", "only this rating"},
                                         {"overdue", NULL, "only what is past its time"},
                                         {"mine", NULL, "only what this agency opened"},
                                         {"status", "STATUS", "new, gathering, ready, decided or closed"},
                                         {0}};
static const struct flag share_flags[] = {{"site", "SITE", "only this site of the agency"},
                                          {"access", "HOW", "check, view or contribute (default)"},
                                          {"basis", "TEXT", "on what basis it is shared"},
                                          {"until", "TIME", "ends by itself then"},
                                          {0}};

const struct command node_case_commands[] = {
    {"case new", "", 0, 0,
     "Open a case: a new referral. The MASH room of the area gets it with the next contact, named or not.",
     "spoke case new --area north --source 3B --need N1 --summary \"Bruising seen at visit\" --rag red --reason \"Injury, child under 1\"",
     new_flags, run_new},
    {"case list", "", 0, 0, "Cases on this device, the gravest and most pressing first.", "spoke case list --rag red",
     list_flags, run_list},
    {"case show", "CASE", 1, 1, "Everything this device holds about a case.", "spoke case show C-7K2M9QXD", NULL,
     node_case_show},
    {"case set", "CASE COLUMN=VALUE...", 2, CLI_MAX_ARGS,
     "Change what is said about a case: rag, status, summary, decision and the like.",
     "spoke case set C-7K2M9QXD rag=amber status=gathering", NULL, run_set},
    {"case share", "CASE... AGENCY", 2, CLI_MAX_ARGS, "Let an agency take part in a case, or in several.",
     "spoke case share C-7K2M9QXD probation --basis \"Working Together\"", share_flags, run_share},
    {"case unshare", "CASE AGENCY", 2, 2,
     "End an agency's part in a case. What it wrote stays with it; all else leaves its devices.",
     "spoke case unshare C-7K2M9QXD probation", NULL, run_unshare},
    {0}};
