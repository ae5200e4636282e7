/* What devices of a lost hub hold. They had it of that hub, and the cuts of this one do not tell of it: it counts as
 * named by them, so that they are told to forget what their site may not see, now or later. */
#include "hub/restore_internal.h"
#include "hub/sight.h"

#define LACKED 0 /* in the place of a device: held work lacked that row */

static enum err name_each(struct hub *h, struct stmt *s, size_t *out_n, struct why *why)
{
    bool row = true;
    enum err e;
    while ((e = db_step(s, &row, why)) == ERR_OK && row) {
        uint8_t id[16];
        const struct table_rule *t = rules_table((size_t)db_int(s, 1));
        if (t == NULL || !db_id(s, 2, id)) continue;
        if (db_int(s, 0) == LACKED) {
            restore_came(h);
            continue;
        }
        e = sight_named(h, db_int(s, 0), t, id, why);
        if (e != ERR_OK) break;
        ++*out_n;
    }
    db_done(s);
    return e;
}

/* What a site sees, and saw when its device had its last whole answer, a later loss finds by that answer. */
enum err holds_settle(struct hub *h, struct why *why)
{
    struct stmt *s;
    size_t n = 0;
    enum err e = sight_step(h, why);
    if (e == ERR_OK)
        e = db_prepare(h->db,
                       "SELECT o.node_no, o.tbl, o.id FROM h_holds o JOIN h_awaited a ON a.node_no = o.node_no JOIN h_row r ON "
                       "r.id = o.id AND r.tbl = o.tbl JOIN h_node n ON n.no = o.node_no LEFT JOIN h_seat s ON s.site_no = "
                       "n.site_no AND s.case_no = r.case_no LEFT JOIN (SELECT node_no, max(at) AS at FROM h_cut WHERE pos_from = 0 "
                       "AND pos = $1 GROUP BY node_no) f ON f.node_no = o.node_no WHERE a.state = 'reported' AND r.case_no <> 0 AND "
                       "(s.mask IS NULL OR (r.mask & s.mask) = 0 OR f.at IS NULL OR r.mask_version > f.at OR s.version > f.at) "
                       "ORDER BY o.node_no, o.tbl, o.id",
                       &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, INT64_MAX);
    e = name_each(h, s, &n, why);
    return e == ERR_OK ? sight_settle(h, why) : e;
}

/* Before the hub opens this is asked of all rows at once. */
enum err holds_row_came(struct hub *h, int tbl, const uint8_t id[16], struct why *why)
{
    static const char *const sql[] = {
        "UPDATE h_awaited SET strange = strange - 1 WHERE strange > 0 AND node_no IN (SELECT node_no FROM h_holds WHERE tbl = $1 AND id = $2)",
        "DELETE FROM h_holds WHERE tbl = $1 AND id = $2"};
    struct stmt *s;
    size_t n = 0;
    if (h->mark == 0 || h->gathering) return ERR_OK;
    enum err e = db_prepare(h->db,
                            "SELECT node_no, tbl, id FROM h_holds WHERE tbl = $1 AND id = $2 UNION ALL "
                            "SELECT 0, tbl, id FROM h_lack WHERE tbl = $1 AND id = $2",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, tbl);
    db_bind_id(s, 2, id);
    e = name_each(h, s, &n, why);
    for (size_t i = 0; e == ERR_OK && n > 0 && i < 2; i++) {
        e = db_prepare(h->db, sql[i], &s, why);
        if (e != ERR_OK) break;
        db_bind_int(s, 1, tbl);
        db_bind_id(s, 2, id);
        e = db_run(s, why);
    }
    return e;
}
