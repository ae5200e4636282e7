/* What the pages read: the board, a case, its chronology and its summary. */
#include "cli/serve.h"

#include "node/look.h"

static enum err board(struct serve_call *c, struct why *why)
{
    const struct look_board ask = {
        .mine = serve_query_true(c, "mine"),
        .overdue = serve_query_true(c, "overdue"),
        .all = serve_query_true(c, "all"),
        .subject = serve_query(c, "subject"),
        .rag = serve_query(c, "rag"),
        .area = serve_query(c, "area"),
    };
    return look_board(c->node, &ask, &c->out, why);
}

static enum err one_case(struct serve_call *c, struct why *why)
{
    uint8_t id[16];
    enum err e = serve_pick(c, "case_file", id, why);
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
    };
    enum err e = serve_pick(c, "case_file", id, why);
    return e == ERR_OK ? look_chronology(c->node, &ask, &c->out, why) : e;
}

static enum err summary(struct serve_call *c, struct why *why)
{
    uint8_t id[16];
    enum err e = serve_pick(c, "case_file", id, why);
    return e == ERR_OK ? look_summary(c->node, id, &c->out, why) : e;
}

const struct serve_route serve_look_routes[] = {{"GET", "/api/board", NULL, board},
                                                {"GET", "/api/cases/", NULL, one_case},
                                                {"GET", "/api/cases/", "/chronology", chronology},
                                                {"GET", "/api/cases/", "/summary", summary},
                                                {0}};
