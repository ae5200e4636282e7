/* One change that came back, taken in again. Whatever is wrong with it stops no other: it stands under its old verdict,
 * or is held, or stands as a fault with its reason, which administrators see, and is counted. */
#include "hub/intake.h"
#include "hub/restore_internal.h"
#include "hub/sight.h"

#include <stdio.h>
#include <string.h>

#define REASON_LOST                                                                                                    \
    REASON_TAKEN ", and its content is lost: a newer backup than that one has it."

enum err again_count(struct hub *h, int64_t node_no, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(h->db, "UPDATE h_awaited SET lost = lost + 1 WHERE node_no = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, node_no);
    return db_run(s, why);
}

/* ---------------------------------------------------------------------------------------------- trying, and undoing */

/* Of the machine, not of the change: the batch is undone, and tried again. */
static bool is_of_the_machine(enum err e)
{
    return e == ERR_NOMEM || e == ERR_IO || e == ERR_FULL || e == ERR_BUSY || e == ERR_UNREACHABLE || e == ERR_INTERRUPTED;
}

enum err again_begin(struct hub *h, const struct hub_node *n, struct again_before *out, struct why *why)
{
    *out = (struct again_before){.version = h->version, .node = *n};
    return db_savepoint(h->db, "returned", why);
}

enum err again_after(struct hub *h, enum err tried, const struct again_before *was, struct hub_node *n, struct why *detail,
                     bool *out_done, struct why *why)
{
    /* What was still on its way to the store is told of here. */
    if (tried == ERR_OK) tried = db_savepoint_release(h->db, "returned", detail);
    *out_done = tried == ERR_OK;
    if (tried == ERR_OK) return ERR_OK;
    if (is_of_the_machine(tried)) return why_set(why, tried, "%s", detail->text);
    sight_forget(h);
    h->version = was->version;
    *n = was->node;
    return db_savepoint_rollback(h->db, "returned", why);
}

/* ------------------------------------------------------------------------------------------------------------ aside */

/* Without its content: in the book like a gap. */
static enum err put_lost(struct hub *h, struct hub_node *n, const struct restore_event *ev, const char *reason, struct why *why)
{
    const struct lost_change lost = {.seq = (uint64_t)ev->seq,
                                     .hash = ev->was.hash,
                                     .cose = buf_bytes(&ev->cose),
                                     .received_at = ev->was.received_at,
                                     .reason = reason};
    return gap_put(h, n, &lost, why);
}

enum err again_aside(struct hub *h, struct hub_node *n, const struct restore_event *ev, const char *reason, struct why *why)
{
    struct again_before before;
    struct why detail = {0};
    bool done = false;
    enum err e = ERR_OK;
    if (reason[0] == '\0') reason = REASON_LOST;
    if (ev->item.len > 0) {
        e = again_begin(h, n, &before, why);
        if (e != ERR_OK) return e;
        e = intake_as_fault(h, n, buf_bytes(&ev->item), ev->was.received_at, reason, &detail);
        e = again_after(h, e, &before, n, &detail, &done, why);
    }
    if (e == ERR_OK && !done) e = put_lost(h, n, ev, reason, why);
    return e == ERR_OK ? again_count(h, n->no, why) : e;
}

/* ----------------------------------------------------------------------------------------------------- taking it in */

static enum err try_recorded(struct hub *h, struct hub_node *n, const struct restore_event *ev, const struct recorded *was,
                             bool *out_done, struct why *detail, struct why *why)
{
    struct again_before before;
    enum err e = again_begin(h, n, &before, why);
    if (e != ERR_OK) return e;
    return again_after(h, intake_as_recorded(h, n, buf_bytes(&ev->item), was, detail), &before, n, detail, out_done, why);
}

enum err again_take(struct hub *h, struct hub_node *n, const struct restore_event *ev, struct why *why)
{
    char reason[sizeof((struct why *)0)->text + 128];
    struct recorded held = ev->was;
    struct why detail = {0};
    bool done = false;
    if (ev->item.len == 0) return again_aside(h, n, ev, REASON_LOST, why);
    enum err e = try_recorded(h, n, ev, &ev->was, &done, &detail, why);
    if (e != ERR_OK || done) return e;
    (void)snprintf(reason, sizeof reason,
                   REASON_TAKEN ", and cannot be carried out again. %s", detail.text);
    held.verdict = VERDICT_HELD;
    held.reason = bytes_of_str(reason);
    e = try_recorded(h, n, ev, &held, &done, &detail, why);
    return e == ERR_OK && !done ? again_aside(h, n, ev, reason, why) : e;
}
