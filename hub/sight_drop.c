/* Orders to forget, written where sight is lost. Rule 4: for every node that could hold the row, and for no other,
 * because an order names the row and would tell a node that never had it that there is one. */
#include "hub/sight_internal.h"

#include <string.h>

static enum err note_node(struct sight *s, const struct sight_node *n, struct why *why)
{
    enum err e = sight_grow(&s->nodes, &s->cap_nodes, s->n_nodes, sizeof *s->nodes, why);
    if (e == ERR_OK) s->nodes[s->n_nodes++] = *n;
    return e;
}

/* Every node of a site, whatever its state: a revoked one holds its rows still. */
enum err sight_load_nodes(struct hub *h, int64_t site_no, struct why *why)
{
    struct sight *s = h->sight;
    struct stmt *q;
    bool row = false;
    for (size_t i = 0; i < s->n_nodes; i++)
        if (s->nodes[i].site_no == site_no) return ERR_OK;
    enum err e = note_node(s, &(struct sight_node){.site_no = site_no}, why);
    if (e == ERR_OK)
        e = db_prepare(h->db,
                       "SELECT n.no, (SELECT c.at FROM h_cut c WHERE c.node_no = n.no AND c.pos_from = 0 AND c.pos = $1"
                       " ORDER BY c.at DESC LIMIT 1) FROM h_node n WHERE n.site_no = $2",
                       &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, INT64_MAX);
    db_bind_int(q, 2, site_no);
    while ((e = db_step(q, &row, why)) == ERR_OK && row) {
        e = note_node(s, &(struct sight_node){.site_no = site_no, .node_no = db_int(q, 0), .full_at = db_int(q, 1)},
                      why);
        if (e != ERR_OK) break;
    }
    db_done(q);
    return e;
}

/* Was a page that covered this row made for the node at `since` or later? An answer counts as received the moment it
 * may have left. */
static enum err was_served(struct hub *h, int64_t node_no, int64_t row_no, int64_t since, bool *out, struct why *why)
{
    struct stmt *q;
    bool row = false;
    enum err e = db_prepare(
        h->db, "SELECT 1 FROM h_cut WHERE node_no = $1 AND at >= $2 AND pos_from < $3 AND pos >= $3 LIMIT 1", &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, node_no);
    db_bind_int(q, 2, since);
    db_bind_int(q, 3, row_no);
    e = db_step(q, &row, why);
    if (e == ERR_OK) *out = row;
    db_done(q);
    return e;
}

/* Did an accepted envelope of the node name the row, and was it not told to forget it since? */
static enum err was_named(struct hub *h, int64_t node_no, int64_t row_no, bool *out, struct why *why)
{
    struct stmt *q;
    bool row = false;
    enum err e = db_prepare(
        h->db,
        "SELECT 1 FROM h_named n WHERE n.row_no = $1 AND n.node_no = $2 AND NOT EXISTS (SELECT 1 FROM h_drop d"
        " WHERE d.row_no = $1 AND d.node_no = $2 AND d.version >= n.version)",
        &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, row_no);
    db_bind_int(q, 2, node_no);
    e = db_step(q, &row, why);
    if (e == ERR_OK) *out = row;
    db_done(q);
    return e;
}

/* One order at a time waits for the node's next answer; a second loss before that only makes it younger. A device that
 * was wiped holds nothing. */
static enum err order_drop(struct hub *h, int64_t node_no, int64_t row_no, struct why *why)
{
    struct stmt *q;
    enum err e = db_prepare(h->db,
                            "INSERT INTO h_drop(version, node_no, row_no, ordered_at) SELECT $1, $2, $3, $4"
                            " WHERE NOT EXISTS (SELECT 1 FROM h_node WHERE no = $2 AND state = 'wiped')"
                            " ON CONFLICT(node_no, row_no) WHERE request IS NULL DO UPDATE SET version = $1",
                            &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, h->version);
    db_bind_int(q, 2, node_no);
    db_bind_int(q, 3, row_no);
    db_bind_int(q, 4, h->now_ms);
    return db_run(q, why);
}

/* `since` is 0 until it is needed: mostly the node's newest whole page is younger than anything that moved here. */
enum err sight_could_hold(struct hub *h, const struct sight_row *r, const struct sight_node *n, int64_t *since,
                          bool *out, struct why *why)
{
    enum err e = ERR_OK;
    if (*since == 0) e = sight_unbroken(h, n->site_no, r->case_no, r->no, since, why);
    *out = e == ERR_OK && *since != 0 && n->full_at >= *since;
    if (e == ERR_OK && !*out) e = was_served(h, n->node_no, r->no, *since, out, why);
    if (e == ERR_OK && !*out) e = was_named(h, n->node_no, r->no, out, why);
    return e;
}

enum err sight_drop_lost(struct hub *h, const struct sight_row *r, const struct sight_seat *seat, struct why *why)
{
    struct sight *s = h->sight;
    /* Since the younger of the two changed last they have met without a break: mostly that is all there is to know. */
    int64_t since = 0, younger = r->mask_version > seat->version ? r->mask_version : seat->version;
    int64_t met = r->mask_version == 0 ? INT64_MAX : younger;
    bool holds = false;
    enum err e = sight_load_nodes(h, seat->site_no, why);
    for (size_t i = 0; e == ERR_OK && i < s->n_nodes; i++) {
        struct sight_node n = s->nodes[i];
        if (n.site_no != seat->site_no || n.node_no == 0) continue;
        holds = n.full_at >= met;
        if (!holds) e = sight_could_hold(h, r, &n, &since, &holds, why);
        if (e == ERR_OK && holds) e = order_drop(h, n.node_no, r->no, why);
    }
    return e;
}

static enum err sees_now(struct hub *h, const struct sight_named *n, bool *out, struct why *why)
{
    struct stmt *q;
    bool row = false;
    enum err e = db_prepare(h->db,
                            "SELECT 1 FROM h_row r JOIN h_node n ON n.no = $1 JOIN h_seat s ON s.site_no = n.site_no"
                            " AND s.case_no = r.case_no WHERE r.no = $2 AND (r.mask & s.mask) <> 0",
                            &q, why);
    if (e != ERR_OK) return e;
    db_bind_int(q, 1, n->node_no);
    db_bind_int(q, 2, n->row_no);
    e = db_step(q, &row, why);
    if (e == ERR_OK) *out = row;
    db_done(q);
    return e;
}

enum err sight_drop_named(struct hub *h, struct why *why)
{
    struct sight *s = h->sight;
    bool sees = false;
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < s->n_named; i++) {
        e = sees_now(h, &s->named[i], &sees, why);
        if (e == ERR_OK && !sees) e = order_drop(h, s->named[i].node_no, s->named[i].row_no, why);
    }
    return e;
}
