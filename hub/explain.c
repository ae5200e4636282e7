/* Why a site sees a row: the channels by which it does, and how it takes part. For a row of its own agency also who
 * else sees it. */
#include "hub/question.h"
#include "hub/saw.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define WORD(a) (sizeof(a) / sizeof((a)[0]))

static const char *sentence_of(const char *channel)
{
    static const struct {
        const char *channel, *sentence;
    } all[] = {
        {"reference", "Lists that every site needs: agencies, sites, people, codes."},
        {"face", "Everybody who takes part in the case sees that there is one, who is in it and what to beware of."},
        {"shared", "The work of the case: whoever takes part with view or contribute sees it."},
        {"room", "For the MASH room of the area."},
    };
    for (size_t i = 0; i < WORD(all); i++)
        if (strcmp(channel, all[i].channel) == 0) return all[i].sentence;
    if (strncmp(channel, "agency:", 7) == 0) return "Your agency wrote it, or it is addressed to your agency.";
    if (strncmp(channel, "scheme:", 7) == 0) return "Your kind of agency may know identifiers of this scheme.";
    return "The rules of this hub show it to your site.";
}

static enum err tell_channels(struct asking *a, int64_t bits, struct why *why)
{
    struct stmt *s;
    bool row = false;
    char name[REPLY_MAX_WORD + 1];
    enum err e = db_prepare(a->h->db, "SELECT name, bit FROM h_channel ORDER BY bit", &s, why);
    if (e != ERR_OK) return e;
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        struct bytes n = db_bytes(s, 0);
        if (((uint64_t)bits >> db_int(s, 1) & 1) == 0) continue;
        (void)snprintf(name, sizeof name, "%.*s", (int)n.n, (const char *)n.p);
        const char *const words[] = {"channel", name, sentence_of(name)};
        asking_line(a, words, WORD(words));
    }
    db_done(s);
    return e;
}

static enum err tell_turn(struct asking *a)
{
    static const char *const words[] = {
        "channel", "both", "The rules of this hub are being changed: your site sees it by the old and the new."};
    asking_line(a, words, WORD(words));
    return ERR_OK;
}

/* ------------------------------------------------------------------------------------------------ how it takes part */

static void time_word(struct stmt *s, int col, char *out, size_t n)
{
    out[0] = '\0';
    if (!db_is_null(s, col)) (void)snprintf(out, n, "%" PRId64, db_int(s, col));
}

/* Shortened where a character begins. */
static void text_word(struct stmt *s, int col, char out[REPLY_MAX_WORD + 1])
{
    struct bytes v = db_bytes(s, col);
    size_t n = v.n < REPLY_MAX_WORD ? v.n : REPLY_MAX_WORD;
    while (n > 0 && n < v.n && (v.p[n] & 0xC0) == 0x80) n--;
    if (n > 0) memcpy(out, v.p, n);
    out[n] = '\0';
}

/* Parts in force that name the site or its agency; each as far as the site sees its row. */
static const char parts_sql[] =
    "SELECT p.access, p.since, p.until, p.basis FROM h_row r JOIN participant p ON p.id = r.id JOIN h_seat s"
    " ON s.site_no = $1 AND s.case_no = r.case_no WHERE r.tbl = $2 AND r.case_no = $3 AND (r.mask & s.mask) <> 0"
    " AND p.member = $4 AND coalesce(p.site, '') IN ('', $5) AND p.voided_at IS NULL AND p.access <> 'none'"
    " AND (p.since IS NULL OR p.since <= $6) AND (p.until IS NULL OR p.until > $6) ORDER BY r.no";

static enum err tell_parts(struct asking *a, int64_t case_no, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(a->h->db, parts_sql, &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, a->node->site_no);
    db_bind_int(s, 2, rules_table_index(bytes_of_str("participant")));
    db_bind_int(s, 3, case_no);
    db_bind_str(s, 4, a->node->agency);
    db_bind_str(s, 5, a->node->site);
    db_bind_int(s, 6, a->h->now_ms);
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        char access[REPLY_MAX_WORD + 1], since[24], until[24], basis[REPLY_MAX_WORD + 1];
        text_word(s, 0, access);
        time_word(s, 1, since, sizeof since);
        time_word(s, 2, until, sizeof until);
        text_word(s, 3, basis);
        const char *const words[] = {"seat", access, since, until, basis};
        asking_line(a, words, WORD(words));
    }
    db_done(s);
    return e;
}

/* What is not a part: by the area that the site covers, by the lead, or what is left of a part that is over. */
static enum err tell_seat(struct asking *a, int64_t case_no, struct why *why)
{
    int64_t mask = 0;
    int access = 0;
    size_t before = a->n_lines;
    enum err e = tell_parts(a, case_no, why);
    if (e == ERR_OK) e = sight_seat(a->h, a->node->site_no, case_no, INT64_MAX, &mask, &access, why);
    if (e != ERR_OK) return e;
    bool part = a->n_lines > before, night = strcmp(a->node->site_kind, "out_of_hours") == 0;
    if (access >= 4 || !part) {
        const char *how = access == 5 ? "lead" : access == 4 ? "room" : night ? "out_of_hours" : "own";
        const char *const words[] = {"seat", how, "", "", ""};
        asking_line(a, words, WORD(words));
    }
    return ERR_OK;
}

/* ------------------------------------------------------------------------------------------------- who else sees it */

static enum err tell_other(void *ctx, const struct hub_saw *line, struct why *why)
{
    struct asking *a = ctx;
    (void)why;
    if (line->until_ms != 0 || strcmp(line->site, a->node->site) == 0) return ERR_OK;
    const char *const words[] = {"site", line->site, line->agency};
    asking_line(a, words, WORD(words));
    return ERR_OK;
}

enum err answer_explain(struct asking *a, struct why *why)
{
    struct asked_row r;
    bool seen = false, in_turn = false;
    int64_t mask = 0;
    int access = 0;
    enum err e = asking_row(a, (int)a->q->table, a->q->id, &r, &seen, why);
    if (e != ERR_OK || !seen) return e;
    e = sight_seat(a->h, a->node->site_no, r.row.case_no, INT64_MAX, &mask, &access, why);
    if (e == ERR_OK) e = saw_in_turn(a->h, r.row.case_no, &in_turn, why);
    if (e == ERR_OK) e = in_turn ? tell_turn(a) : tell_channels(a, r.row.mask & mask, why);
    if (e == ERR_OK && r.row.case_no != 0) e = tell_seat(a, r.row.case_no, why);
    if (e != ERR_OK || r.row.case_no == 0 || strcmp(r.agency, a->node->agency) != 0) return e;
    const struct saw_ask ask = {.row = r.row, .asker = a->node, .sites_only = true};
    return saw_each(a->h, &ask, tell_other, a, why);
}
