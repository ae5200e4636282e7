/* A device whose request is parked is asked for whenever anything moved. Opening its request and looking through its
 * cases each time would keep a hub with thousands of them busy with nothing else, so the store is first asked whether
 * anything at all happened that may concern it: too much is harmless, for then the request itself is asked; too little
 * would leave it waiting.
 *
 * Everything that should_park (hub/round.c) looks at is here: rows by the last version of anything that its site sees,
 * of its seats and of ends (as serve_collect and serve_ends_any find them), orders to forget, untold verdicts, orders,
 * and what became of the device itself. What an administrator does is an act, and after one everybody is asked. */
#include "hub/internal.h"

/* By the numbers that were committed before: steps and acts of the running transaction will be undone, and theirs are
 * given again. */
struct hub_waiting waiting_since(const struct hub *h, const struct hub_node *n)
{
    return (struct hub_waiting){n->no, (int64_t)n->last_request, h->begun, h->begun_act};
}

enum err hub_waiting_news(struct hub *h, const struct hub_waiting *w, bool *out, struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(
        h->db,
        "SELECT 1 FROM h_node n JOIN h_site s ON s.no = n.site_no WHERE n.no = $1 AND n.state = 'enrolled'"
        " AND n.last_request = $2 AND s.news <= $3"
        " AND NOT EXISTS (SELECT 1 FROM h_seat t WHERE t.site_no = n.site_no AND t.news > $3)"
        " AND NOT EXISTS (SELECT 1 FROM h_until u WHERE u.site_no = n.site_no AND u.version > $3)"
        " AND NOT EXISTS (SELECT 1 FROM h_drop d WHERE d.node_no = n.no AND d.request IS NULL)"
        " AND NOT EXISTS (SELECT 1 FROM h_envelope e WHERE e.told = 0 AND e.node_no = n.no)"
        " AND NOT EXISTS (SELECT 1 FROM h_order o WHERE o.node_no = n.no AND o.sent_at IS NULL AND o.number > n.ordered)"
        " AND NOT EXISTS (SELECT 1 FROM h_node m WHERE m.replaces = n.no)"
        " AND NOT EXISTS (SELECT 1 FROM h_act a WHERE a.no > $4)",
        &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, w->node_no);
    db_bind_int(s, 2, w->request);
    db_bind_int(s, 3, w->version);
    db_bind_int(s, 4, w->acts);
    e = db_step(s, &row, why);
    if (e == ERR_OK) *out = !row;
    db_done(s);
    return e;
}
