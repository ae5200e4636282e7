/* What the pages read: the board, a case, its chronology and its summary. */
#include "cli/serve.h"

#include "node/look_kept.h"

static enum err board(struct serve_call *c, struct why *why)
{
    const struct look_board ask = {
        .mine = serve_query_true(c, "mine"),
        .overdue = serve_query_true(c, "overdue"),
        .all = serve_query_true(c, "all"),
        .subject = serve_query(c, "subject"),
        .rag = serve_query(c, "rag"),
        .area = serve_query(c, "area"),
        .wall = c->wall || serve_query_true(c, "wall"),
    };
    return look_board(c->node, &ask, &c->out, why);
}

/* A case, or one of which this agency keeps something: that is known by nothing but its whole id. */
static enum err pick_case(struct serve_call *c, uint8_t out[16], struct why *why)
{
    struct why found = {0};
    bool kept = false;
    enum err e = serve_pick(c, "case_file", out, why);
    if (e != ERR_NOTFOUND || !uuid_parse(out, bytes_of_str(c->rest))) return e;
    if ((e = look_kept(c->node, out, &kept, &found)) == ERR_OK) return kept ? ERR_OK : ERR_NOTFOUND;
    *why = found;
    return e;
}

static enum err one_case(struct serve_call *c, struct why *why)
{
    uint8_t id[16];
    enum err e = pick_case(c, id, why);
    return e == ERR_OK ? look_case(c->node, id, &c->out, why) : e;
}

static enum err chronology(struct serve_call *c, struct why *why)
{
    uint8_t id[16];
    const struct look_chronology ask = {
        .case_id = id,
        .agency = serve_query(c, "agency"),
        .kind = serve_query(c, "kind"),
        .sensitivity = serve_query(c, "sensitivity"),
        .days = {.from = serve_query(c, "from"), .to = serve_query(c, "to")},
    };
    enum err e = pick_case(c, id, why);
    return e == ERR_OK ? look_chronology(c->node, &ask, &c->out, why) : e;
}

static enum err summary(struct serve_call *c, struct why *why)
{
    uint8_t id[16];
    enum err e = serve_pick(c, "case_file", id, why);
    const struct look_days days = {.from = serve_query(c, "from"), .to = serve_query(c, "to")};
    return e == ERR_OK ? look_summary_of_days(c->node, id, days, &c->out, why) : e;
}

static enum err own_record(struct serve_call *c, struct why *why)
{
    uint8_t id[16];
    enum err e = serve_pick(c, "record", id, why);
    return e == ERR_OK ? look_record(c->node, id, &c->out, why) : e;
}

const struct serve_route serve_look_routes[] = {{"GET", "/api/board", NULL, board},
                                                {"GET", "/api/cases/", NULL, one_case},
                                                {"GET", "/api/cases/", "/chronology", chronology},
                                                {"GET", "/api/cases/", "/summary", summary},
                                                {"GET", "/api/records/", NULL, own_record},
                                                {0}};
