/* Purging: content that was sealed must be nowhere here in readable form. A deleted row leaves copies: balancing moves
 * cells from page to page and leaves the old bytes in the gaps, and the log keeps whole pages. So content lives in a
 * table of its own (and pending edits in another), which is emptied at one stroke: every page of it is freed and, with
 * secure_delete, overwritten, the root too. What is still kept is put back into fresh pages, and the log is cut. */
#include "node/internal.h"

/* Emptied whole and filled anew. No WHERE: that would delete cell by cell and leave the gaps as they are. */
static const char wipe_sql[] = "CREATE TEMP TABLE t_content AS SELECT * FROM n_content;"
                               "CREATE TEMP TABLE t_pending AS SELECT * FROM n_pending;"
                               "DELETE FROM n_content;"
                               "DELETE FROM n_pending;"
                               "INSERT INTO n_content SELECT * FROM temp.t_content;"
                               "INSERT INTO n_pending SELECT * FROM temp.t_pending;"
                               "DROP TABLE temp.t_content;"
                               "DROP TABLE temp.t_pending;";

static enum err wipe_pages(struct node *n, struct why *why)
{
    enum err e = db_begin(n->db, why);
    if (e != ERR_OK) return e;
    e = db_exec(n->db, wipe_sql, why);
    if (e == ERR_OK) return db_commit(n->db, why);
    db_rollback(n->db);
    return e;
}

/* What the hub took in, and what names rows that this device had to forget. */
#define DECIDED                                                                                                        \
    "SELECT seq FROM n_content NATURAL JOIN n_outbox o WHERE state IN ('applied', 'merged') OR (state <> 'unsent' "    \
    "AND EXISTS(SELECT 1 FROM n_parked p WHERE p.seq = o.seq)) ORDER BY seq"

static enum err seal_all(struct node *n, const struct seqs *decided, struct why *why)
{
    enum err e = db_begin(n->db, why);
    if (e != ERR_OK) return e;
    for (size_t i = 0; e == ERR_OK && i < seqs_count(decided); i++)
        e = content_seal(n, seqs_at(decided, i), PURGE_PAGES, why);
    if (e == ERR_OK) return db_commit(n->db, why);
    db_rollback(n->db);
    return e;
}

static enum err seal_decided(struct node *n, struct why *why)
{
    struct seqs decided;
    enum err e = seqs_ask(n, DECIDED, &decided, why);
    if (e == ERR_OK && seqs_count(&decided) > 0) e = seal_all(n, &decided, why);
    buf_release(&decided.list);
    return e;
}

/* Where contents cannot all be read, a store without them; where anything else cannot, db_mend refuses. */
static enum err rewrite(struct node *n, uint64_t due, struct why *why)
{
    enum err e = due == PURGE_PAGES ? wipe_pages(n, why) : due == PURGE_STORE ? db_vacuum(n->db, why) : ERR_TAMPERED;
    if (e != ERR_TAMPERED) return e;
    e = due == PURGE_DAMAGED ? ERR_OK : aside_run(n, why);
    return e == ERR_OK ? db_mend(n->db, DAMAGED_TABLES, why) : e;
}

enum err purge_run(struct node *n, struct why *why)
{
    uint64_t due = 0;
    enum err e = state_number(n->db, "purge_due", &due, why);
    if (e != ERR_OK || due == PURGE_NOTHING) return e;
    e = seal_decided(n, why);
    if (e == ERR_TAMPERED) {
        e = aside_run(n, why);
        if (e == ERR_OK) e = seal_decided(n, why);
    }
    if (e == ERR_OK) e = state_number(n->db, "purge_due", &due, why); /* more, if something stands aside */
    if (e == ERR_OK) e = rewrite(n, due, why);
    if (e == ERR_OK) e = db_truncate_log(n->db, why);
    return e == ERR_OK ? state_set_number(n->db, "purge_due", PURGE_NOTHING, why) : e;
}
