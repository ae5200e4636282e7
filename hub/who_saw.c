/* Who saw a row: for the agency that wrote it, and for administrators. */
#include "hub/question.h"
#include "hub/saw.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void time_word(int64_t ms, char out[24])
{
    out[0] = '\0';
    if (ms != 0) (void)snprintf(out, 24, "%" PRId64, ms);
}

static enum err tell(void *ctx, const struct hub_saw *line, struct why *why)
{
    struct asking *a = ctx;
    char from[24], until[24], kid[37];
    (void)why;
    if (line->is_device) {
        uuid_format(line->kid, kid);
        time_word(line->since_ms, from);
        const char *const words[] = {"device", kid, line->site, line->state, from};
        asking_line(a, words, 5);
        return ERR_OK;
    }
    time_word(line->from_ms, from);
    time_word(line->until_ms, until);
    const char *const words[] = {"site", line->site, line->agency, from, until};
    asking_line(a, words, 5);
    return ERR_OK;
}

/* Who opened it at a site, in a time for which the asker is told that the site saw it (hub/saw.c, tell_span). What a
 * device dates before that, whose history may not all be told, is dated at its beginning. */
static enum err tell_looks(void *ctx, const struct hub_saw *line, struct why *why)
{
    struct asking *a = ctx;
    struct stmt *s;
    struct buf name;
    bool row = false;
    if (line->is_device) return ERR_OK;
    buf_init(&name, 4096);
    enum err e =
        db_prepare(a->h->db,
                   "SELECT v.at, coalesce(p.name, '') FROM h_view v JOIN h_node n ON n.no = v.node_no JOIN h_site k"
                   " ON k.no = n.site_no LEFT JOIN practitioner p ON p.id = v.user WHERE v.id = $1 AND v.tbl = $2"
                   " AND k.code = $3 AND v.at >= $4 AND v.at < $5 ORDER BY v.at, n.no",
                   &s, why);
    if (e != ERR_OK) return e;
    int64_t end = a->q->at != 0 ? (int64_t)a->q->at + 1 : INT64_MAX;
    db_bind_id(s, 1, a->q->id);
    db_bind_int(s, 2, (int64_t)a->q->table);
    db_bind_str(s, 3, line->site);
    db_bind_int(s, 4, line->looks_from_ms);
    db_bind_int(s, 5, line->looks_until_ms != 0 && line->looks_until_ms < end ? line->looks_until_ms : end);
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        char at[24];
        buf_reset(&name);
        buf_put_bytes(&name, db_bytes(s, 1));
        time_word(db_int(s, 0) > line->looks_floor_ms ? db_int(s, 0) : line->looks_floor_ms, at);
        const char *const words[] = {"look", line->site, buf_cstr(&name), at};
        if (words[2] == NULL) {
            e = why_set(why, ERR_NOMEM, "There is not enough memory to answer a question.");
            break;
        }
        asking_line(a, words, 4);
    }
    db_done(s);
    buf_release(&name);
    return e;
}

enum err answer_who_saw(struct asking *a, struct why *why)
{
    struct asked_row r;
    bool seen = false;
    enum err e = asking_row(a, (int)a->q->table, a->q->id, &r, &seen, why);
    if (e != ERR_OK || !seen || r.row.case_no == 0 || strcmp(r.agency, a->node->agency) != 0) return e;
    const struct saw_ask ask = {.row = r.row, .at_ms = (int64_t)a->q->at, .asker = a->node};
    e = saw_each(a->h, &ask, tell, a, why);
    if (e != ERR_OK) return e;
    const struct saw_ask looks = {.row = r.row, .asker = a->node, .sites_only = true};
    return saw_each(a->h, &looks, tell_looks, a, why); /* after the rest, where a reply is too short for all */
}

enum err hub_who_saw(struct hub *h, int table_index, const uint8_t id[16], int64_t at_ms, hub_saw_fn each, void *ctx,
                     struct why *why)
{
    struct saw_ask ask = {.at_ms = at_ms};
    bool found = false;
    enum err e = sight_row(h, table_index, id, &ask.row, &found, why);
    if (e == ERR_OK && !found) e = why_set(why, ERR_NOTFOUND, "The hub has no such row.");
    return e == ERR_OK ? saw_each(h, &ask, each, ctx, why) : e;
}
