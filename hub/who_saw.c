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

enum err answer_who_saw(struct asking *a, struct why *why)
{
    struct asked_row r;
    bool seen = false;
    enum err e = asking_row(a, (int)a->q->table, a->q->id, &r, &seen, why);
    if (e != ERR_OK || !seen || r.row.case_no == 0 || strcmp(r.agency, a->node->agency) != 0) return e;
    const struct saw_ask ask = {.row = r.row, .at_ms = (int64_t)a->q->at, .asker = a->node};
    return saw_each(a->h, &ask, tell, a, why);
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
