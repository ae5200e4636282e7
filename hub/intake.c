#include "hub/draft.h"
#include "hub/restore_internal.h"
#include "hub/retention_internal.h"

#include "sync/messages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Decisions on held work that an applied envelope holds; carried out after it, one after the other, because what they
 * set free may hold decisions itself. */
struct decision {
    int64_t node_no;
    uint64_t seq;
    const char *state; /* accepted, dismissed, withdrawn */
};
struct decisions {
    struct decision *all;
    size_t n, cap;
};

static enum err decisions_put(struct decisions *l, struct decision d, struct why *why)
{
    if (l->n == l->cap) {
        size_t cap = l->cap == 0 ? 4 : l->cap * 2;
        struct decision *grown = reallocarray(l->all, cap, sizeof *grown);
        if (grown == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to decide about held changes.");
        l->all = grown;
        l->cap = cap;
    }
    l->all[l->n++] = d;
    return ERR_OK;
}

static const char *decided_state(const struct op *op)
{
    static const char *const words[] = {"accepted", "dismissed", "withdrawn"};
    int c = rules_column_index(op->table, bytes_of_str("state"));
    if (op->kind != OP_UPDATE || strcmp(op->table->name, "held") != 0 || op->new_[c].kind != VALUE_TEXT) return NULL;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (bytes_equal(op->new_[c].s, bytes_of_str(words[i]))) return words[i];
    }
    return NULL;
}

static enum err note_decisions(struct hub *h, const struct draft_part *p, struct decisions *l, struct why *why)
{
    struct changeset_reader r;
    struct op op;
    bool end = false, found = false;
    enum err e;
    changeset_reader_init(&r, p->content, p->schema);
    while ((e = changeset_next(&r, &op, &end, why)) == ERR_OK && !end) {
        struct decision d = {.state = decided_state(&op)};
        if (d.state == NULL) continue;
        e = held_envelope(h, op_row_id(&op), &d.node_no, &d.seq, &found, why);
        if (e == ERR_OK && found) e = decisions_put(l, d, why);
        if (e != ERR_OK) return e;
    }
    return e;
}

/* In one step of the order: the change, its conflicts, and what it decides. */
static enum err carry_out(struct hub *h, struct draft *d, struct judgement *j, struct decisions *l, struct why *why)
{
    size_t conflicts = 0;
    enum err e = sight_step(h, why);
    if (e == ERR_OK) e = intake_apply(h, d, &conflicts, why);
    if (e == ERR_OK) e = sight_settle(h, why);
    if (e == ERR_OK && conflicts > 0) j->verdict = VERDICT_MERGED;
    for (size_t i = 0; e == ERR_OK && i < d->n_parts; i++) e = note_decisions(h, &d->decoded[i], l, why);
    return e;
}

static enum err conclude(struct hub *h, struct draft *d, struct judgement *j, struct decisions *l, struct why *why)
{
    return j->verdict == VERDICT_APPLIED ? carry_out(h, d, j, l, why) : held_put(h, d, j, why);
}

/* All of it is about erased cases: a step of its own, as rescue_skip. */
static enum err nothing_left(struct hub *h, struct why *why)
{
    enum err e = sight_step(h, why);
    return e == ERR_OK ? sight_settle(h, why) : e;
}

/* --------------------------------------------------------------------------------------------- held work decided */

/* Of what had been taken in, and what is said of it now. What others have decided since waits for nothing. */
static void taken_reason(struct judgement *j, const struct judgement *now)
{
    char said[sizeof now->reason];
    memcpy(said, now->reason, sizeof said);
    (void)snprintf(j->reason, sizeof j->reason, now->decided && !now->lacks ? REASON_TAKEN ", and others have decided since. %.180s"
                                                                            : REASON_LACKS "%.200s", said);
}

/* What had been taken in before a restore stays known as such: it follows by itself when what it builds on comes. */
static enum err keep_taken(struct hub *h, int64_t node_no, uint64_t seq, struct judgement *j, struct why *why)
{
    bool taken = false;
    enum err e = restore_was_taken(h, node_no, seq, &taken, why);
    if (e != ERR_OK || !taken) return e;
    taken_reason(j, j);
    return restore_lacks(h, node_no, seq, j, why);
}

static enum err rejudge(struct hub *h, int64_t node_no, uint64_t seq, struct decisions *l, struct why *why)
{
    struct hub_node node;
    struct draft d = {0};
    struct judgement j = {0};
    struct buf store;
    buf_init(&store, 160u << 20);
    enum err e = journal_draft(h, node_no, seq, &node, &d, &store, &j, why);
    const bool nothing = e == ERR_OK && erase_left_nothing(&d, &j);
    if (e == ERR_OK && !nothing && j.verdict != VERDICT_FAULT) e = intake_authorise(h, &d, &j, why);
    if (e == ERR_OK) rescue_hold(&d, &j);
    if (e == ERR_OK) erase_hold(&d, &j);
    if (e == ERR_OK && j.verdict == VERDICT_HELD) e = keep_taken(h, node_no, seq, &j, why);
    if (e == ERR_OK && j.verdict != VERDICT_WAITS) {
        e = held_forget(h, node_no, seq, why);
        if (e == ERR_OK) e = nothing ? nothing_left(h, why) : conclude(h, &d, &j, l, why);
        if (e == ERR_OK) e = journal_judge(h, node_no, seq, &j, why);
    }
    draft_release(&d);
    buf_release(&store);
    return e;
}

/* What waited is judged again, in the order in which it was written. */
static enum err rejudge_waiting(struct hub *h, int64_t node_no, uint64_t after, struct decisions *l, struct why *why)
{
    struct stmt *s;
    bool row = true;
    enum err e = db_prepare(h->db,
                            "SELECT seq FROM h_envelope WHERE node_no = $1 AND seq > $2 AND verdict = $3 "
                            "ORDER BY seq LIMIT 1",
                            &s, why);
    if (e != ERR_OK) return e;
    while (row) { /* asked anew each time: the table changes underneath */
        db_bind_int(s, 1, node_no);
        db_bind_int(s, 2, (int64_t)after);
        db_bind_int(s, 3, VERDICT_WAITS);
        e = db_step(s, &row, why);
        if (e != ERR_OK || !row) break;
        after = (uint64_t)db_int(s, 0);
        e = rejudge(h, node_no, after, l, why);
        if (e != ERR_OK) break;
    }
    db_done(s);
    return e;
}

/* Work that was rescued from this device may wait for it too, in the chains of those that took its place. */
static enum err rejudge_rescued(struct hub *h, int64_t node_no, struct decisions *l, struct why *why)
{
    int64_t kin = 0;
    enum err e = rescue_next_kin(h, node_no, 0, &kin, why);
    while (e == ERR_OK && kin != 0) {
        e = rejudge_waiting(h, kin, 0, l, why);
        if (e == ERR_OK) e = rescue_next_kin(h, node_no, kin, &kin, why);
    }
    return e;
}

static enum err held_waiting(struct hub *h, int64_t node_no, uint64_t seq, bool *out, struct why *why)
{
    struct stmt *s;
    enum err e = db_prepare(
        h->db, "SELECT 1 FROM h_held WHERE node_no = $1 AND seq = $2 AND state = 'waiting' AND fault = 0", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, node_no);
    db_bind_int(s, 2, (int64_t)seq);
    e = db_step(s, out, why);
    db_done(s);
    return e;
}

static enum err try_accept(struct hub *h, int64_t node_no, uint64_t seq, struct hub_node *node, struct draft *d,
                           struct buf *store, struct judgement *j, struct why *why)
{
    enum err e = journal_draft(h, node_no, seq, node, d, store, j, why);
    d->granted = true;
    if (e == ERR_OK && j->verdict != VERDICT_FAULT) e = intake_authorise(h, d, j, why);
    return e;
}

enum err intake_try(struct hub *h, int64_t node_no, uint64_t seq, struct judgement *j, struct why *why)
{
    struct hub_node node;
    struct draft d = {0};
    struct buf store;
    buf_init(&store, 160u << 20);
    enum err e = try_accept(h, node_no, seq, &node, &d, &store, j, why);
    draft_release(&d);
    buf_release(&store);
    return e;
}

enum err intake_acceptable(struct hub *h, int64_t node_no, uint64_t seq, struct judgement *j, struct why *why)
{
    struct judgement now = {0};
    enum err e = intake_try(h, node_no, seq, &now, why);
    if (e == ERR_OK && now.verdict != VERDICT_APPLIED)
        judgement_note(j, VERDICT_HELD, true, "This held change cannot be taken in, not even on a manager's word.");
    return e;
}

/* A decision that could not be carried out is not undone in silence: who made it reads why. */
static enum err close_held(struct hub *h, const struct decision *what, const struct judgement *j, struct why *why)
{
    static const char failed[] = "A manager accepted this, but it could not be taken in. ";
    char reason[sizeof j->reason + sizeof failed];
    const char *rest = j->reason;
    size_t first = 0; /* by these words devices know it: they stay in front */
    struct held_end end = {.state = what->state};
    if (verdict_lacks(bytes_of_str(rest))) first = sizeof REASON_LACKS - 1;
    if (strcmp(what->state, "waiting") == 0) {
        (void)snprintf(reason, sizeof reason, "%.*s%s%s", (int)first, rest, failed, rest + first);
        end.reason = reason;
    }
    enum err e = sight_step(h, why);
    if (e == ERR_OK) e = held_close(h, what->node_no, what->seq, &end, why);
    return e == ERR_OK ? sight_settle(h, why) : e;
}

/* Between the manager's look and now another acceptance may have made it impossible: then it goes on waiting. */
static enum err accept(struct hub *h, struct decision *what, struct judgement *j, struct decisions *l, struct why *why)
{
    struct hub_node node;
    struct draft d = {0};
    struct buf store;
    buf_init(&store, 160u << 20);
    enum err e = try_accept(h, what->node_no, what->seq, &node, &d, &store, j, why);
    if (e == ERR_OK && j->verdict == VERDICT_APPLIED) {
        e = carry_out(h, &d, j, l, why);
    } else {
        what->state = "waiting";
        j->verdict =
            j->verdict == VERDICT_FAULT ? VERDICT_FAULT : VERDICT_HELD; /* not "waits": nothing would wake it */
        if (e == ERR_OK) e = keep_taken(h, what->node_no, what->seq, j, why);
    }
    draft_release(&d);
    buf_release(&store);
    return e;
}

/* REASON_STAYS. Said all the same by a word that is not judged again, for a hub of before had taken it in. */
static enum err stay(struct hub *h, const struct decision *what, struct why *why)
{
    const struct held_end end = {.state = "waiting"};
    enum err e = sight_step(h, why);
    if (e == ERR_OK) e = held_close(h, what->node_no, what->seq, &end, why);
    return e == ERR_OK ? sight_settle(h, why) : e;
}

static enum err decide(struct hub *h, struct decision what, struct decisions *l, struct why *why)
{
    struct judgement j = {0};
    bool waiting = false, stays = false;
    enum err e = held_waiting(h, what.node_no, what.seq, &waiting, why);
    if (e == ERR_OK && waiting && strcmp(what.state, "accepted") != 0) e = restore_stays(h, what.node_no, what.seq, &stays, why);
    if (e != ERR_OK || !waiting) return e;
    if (stays) return stay(h, &what, why);
    if (strcmp(what.state, "accepted") == 0)
        e = accept(h, &what, &j, l, why);
    else
        judgement_note(&j, VERDICT_DISMISSED, true,
                       strcmp(what.state, "withdrawn") == 0 ? "This change was withdrawn by the agency that made it."
                                                            : "A manager decided not to take this change in.");
    if (e == ERR_OK) e = journal_judge(h, what.node_no, what.seq, &j, why);
    if (e == ERR_OK) e = close_held(h, &what, &j, why);
    if (e != ERR_OK || strcmp(what.state, "waiting") == 0) return e;
    e = held_forget(h, what.node_no, what.seq, why);
    if (e == ERR_OK) e = rejudge_waiting(h, what.node_no, what.seq, l, why);
    return e == ERR_OK ? rejudge_rescued(h, what.node_no, l, why) : e;
}

static enum err decide_all(struct hub *h, struct decisions *l, struct why *why)
{
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < l->n; i++) e = decide(h, l->all[i], l, why);
    free(l->all);
    *l = (struct decisions){0};
    return e;
}

enum err intake_waiting(struct hub *h, int64_t node_no, struct why *why)
{
    struct decisions l = {0};
    enum err e = rejudge_waiting(h, node_no, 0, &l, why);
    if (e == ERR_OK) e = decide_all(h, &l, why);
    free(l.all);
    restore_came(h);
    return e;
}

enum err intake_decide(struct hub *h, int64_t node_no, uint64_t seq, bool accepted, struct why *why)
{
    struct decisions l = {0};
    bool waiting = false;
    enum err e = held_waiting(h, node_no, seq, &waiting, why);
    if (e == ERR_OK && !waiting) e = why_set(why, ERR_NOTFOUND, "No such change is waiting for a decision.");
    if (e == ERR_OK) e = decisions_put(&l, (struct decision){node_no, seq, accepted ? "accepted" : "dismissed"}, why);
    if (e != ERR_OK) return e;
    return decide_all(h, &l, why);
}

/* ------------------------------------------------------------------------------------------------- one envelope */

enum err intake_forked(struct hub_node *node, struct why *why)
{
    static const char state[] = "forked";
    memcpy(node->state, state, sizeof state);
    return why_set(why, ERR_REFUSED, "This device's history is not the one that the hub knows.");
}

/* An envelope that the hub has: its verdict is told again. With the same number and other bytes, a copy of the device
 * was in use. */
enum err intake_known_again(struct hub *h, struct hub_node *node, uint64_t seq, const uint8_t hash[HASH_BYTES],
                            struct why *why)
{
    struct stmt *s;
    bool row = false;
    enum err e = db_prepare(
        h->db, "UPDATE h_envelope SET told = 0 WHERE node_no = $1 AND seq = $2 AND hash = $3 RETURNING seq", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, node->no);
    db_bind_int(s, 2, (int64_t)seq);
    db_bind_blob(s, 3, bytes_of(hash, HASH_BYTES));
    e = db_step(s, &row, why);
    db_done(s);
    return e == ERR_OK && !row ? intake_forked(node, why) : e;
}

static enum err check_place(const struct hub *h, struct hub_node *node, const struct envelope *env, struct why *why)
{
    if (memcmp(env->h.hub, h->id.pub.kid, KID_BYTES) != 0)
        return why_set(why, ERR_TAMPERED, "A change was made for another hub.");
    if (env->h.epoch > h->epoch || env->h.seq > node->last_seq + 1)
        return why_set(why, ERR_REFUSED, "A change is missing before this one.");
    if (env->h.seq == node->last_seq + 1 && memcmp(env->h.prev, node->last_hash, HASH_BYTES) != 0)
        return intake_forked(node, why);
    return ERR_OK;
}

/* The first time that it is judged, and what follows from it. */
static enum err settle_new(struct hub *h, struct draft *d, struct judgement *j, struct decisions *l, struct why *why)
{
    bool known = false;
    enum err e = draft_decode(h, d, j, why);
    if (e == ERR_OK && erase_left_nothing(d, j)) return nothing_left(h, why);
    if (e == ERR_OK && j->verdict != VERDICT_FAULT) e = rescue_known(h, d, &known, why);
    if (e != ERR_OK) return e;
    if (known) return rescue_skip(h, j, why);
    if (nodes_cut_off(d->node))
        judgement_note(j, VERDICT_HELD, true, "This device was revoked before the change arrived.");
    else if (j->verdict != VERDICT_FAULT)
        e = intake_authorise(h, d, j, why);
    rescue_hold(d, j);
    erase_hold(d, j);
    return e == ERR_OK ? conclude(h, d, j, l, why) : e;
}

/* It was judged before, by this hub before it was lost: by that verdict, whatever would be said today. But what its
 * rows build on may be lost: then it cannot be carried out, and is held with that reason. */
static enum err settle_recorded(struct hub *h, struct draft *d, const struct recorded *was, struct judgement *j, struct decisions *l,
                                struct why *why)
{
    struct judgement now = {0};
    bool known = false, taken = was->verdict == VERDICT_APPLIED || was->verdict == VERDICT_MERGED;
    enum err e = draft_decode(h, d, &now, why);
    if (e == ERR_OK && erase_left_nothing(d, j)) return nothing_left(h, why);
    if (e == ERR_OK && now.verdict != VERDICT_FAULT) e = rescue_known(h, d, &known, why);
    if (e == ERR_OK && known) return rescue_skip(h, j, why);
    if (e == ERR_OK && now.verdict != VERDICT_FAULT) e = intake_authorise(h, d, &now, why);
    if (e != ERR_OK) return e;
    j->hard = now.hard;
    j->verdict = was->verdict == VERDICT_DISMISSED ? VERDICT_HELD : was->verdict;
    (void)snprintf(j->reason, sizeof j->reason, "%.*s", (int)was->reason.n, (const char *)was->reason.p);
    /* Who comes after the hub was opened without him finds decided what others have decided since: that stands. */
    bool overtaken = !h->gathering && now.decided;
    if (now.verdict == VERDICT_FAULT ||
        (taken && (overtaken || now.verdict == VERDICT_WAITS || strcmp(now.reason, REASON_UNKNOWN) == 0))) {
        j->verdict = now.verdict == VERDICT_FAULT ? VERDICT_FAULT : VERDICT_HELD;
        taken_reason(j, &now);
        e = restore_lacks(h, d->node->no, d->env.h.seq, &now, why);
    } else if (taken) {
        j->verdict = VERDICT_APPLIED;
        j->reason[0] = '\0';
    }
    return e == ERR_OK ? conclude(h, d, j, l, why) : e;
}

/* The chain goes on from here. */
static void note_place(struct draft *d)
{
    if (d->env.h.seq <= d->node->last_seq) return;
    d->node->last_seq = d->env.h.seq;
    memcpy(d->node->last_hash, d->hash, HASH_BYTES);
}

static enum err take_in(struct hub *h, struct draft *d, const struct recorded *was, struct why *why)
{
    struct judgement j = {0};
    struct decisions l = {0};
    d->received_at = was != NULL ? was->received_at : h->now_ms;
    enum err e = was != NULL ? settle_recorded(h, d, was, &j, &l, why) : settle_new(h, d, &j, &l, why);
    /* Here only: what is accepted later, its device has taken back from its screen by then and must be sent. So must
     * what comes back after a restore: the lost hub may have told its device to forget it. */
    if (e == ERR_OK && j.verdict == VERDICT_APPLIED && !h->replaying) e = journal_as_sent(h, d, why);
    if (e == ERR_OK) e = journal_put(h, d, &j, why);
    if (e == ERR_OK) e = rescue_note(h, d, why);
    if (e == ERR_OK) {
        note_place(d);
        late_note(d);
        /* Written for a hub that was lost, which may have taken it in without its device's ever learning of that; or it
         * decides about such a change. Others may have answered it since, and be here already. */
        if (was == NULL && (l.n > 0 || d->env.h.epoch < h->epoch)) restore_came(h);
        e = decide_all(h, &l, why);
    }
    free(l.all);
    return e;
}

/* A change as it came, once its signature was found good. *d is to be released, also on failure. */
static enum err open_item(struct hub_node *node, struct bytes item, struct draft *d, struct why *why)
{
    struct envelope env;
    struct bytes cose;
    size_t n = 0;
    struct part *parts = calloc(ENVELOPE_MAX_PARTS, sizeof *parts);
    if (parts == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to take in a change.");
    enum err e = message_get_envelope(item, &cose, parts, ENVELOPE_MAX_PARTS, &n, why);
    if (e == ERR_OK) e = envelope_verify(cose, &node->id, &env, why);
    if (e != ERR_OK) {
        free(parts);
        return e;
    }
    draft_init(d, node, &env, cose, parts, n);
    return ERR_OK;
}

enum err intake_as_recorded(struct hub *h, struct hub_node *node, struct bytes item, const struct recorded *was, struct why *why)
{
    struct draft d = {0};
    enum err e = open_item(node, item, &d, why);
    if (e == ERR_OK && was != NULL && memcmp(d.hash, was->hash, sizeof d.hash) != 0)
        e = why_set(why, ERR_TAMPERED, "A device returned another change than the hub had of it.");
    if (e == ERR_OK) e = take_in(h, &d, was, why);
    draft_release(&d);
    return e;
}

enum err intake_as_fault(struct hub *h, struct hub_node *node, struct bytes item, int64_t received_at, const char *reason,
                         struct why *why)
{
    struct draft d = {0};
    struct judgement j = {.verdict = VERDICT_FAULT, .hard = true}, unread = {0};
    struct why detail = {0};
    enum err e = open_item(node, item, &d, why);
    d.received_at = received_at;
    /* What it says of an erased case goes, as ever; what cannot be read is kept as it is. */
    if (e == ERR_OK && draft_decode(h, &d, &unread, &detail) == ERR_NOMEM) e = why_set(why, ERR_NOMEM, "%s", detail.text);
    (void)snprintf(j.reason, sizeof j.reason, "%s", reason);
    if (e == ERR_OK) e = held_put(h, &d, &j, why);
    if (e == ERR_OK) e = journal_put(h, &d, &j, why);
    if (e == ERR_OK) note_place(&d);
    draft_release(&d);
    return e;
}

enum err intake_envelope(struct hub *h, struct hub_node *node, struct bytes item, struct why *why)
{
    struct draft d = {0};
    enum err e = open_item(node, item, &d, why);
    if (e == ERR_OK) e = check_place(h, node, &d.env, why);
    if (e == ERR_OK && d.env.h.seq <= node->last_seq)
        e = intake_known_again(h, node, d.env.h.seq, d.hash, why);
    else if (e == ERR_OK)
        e = take_in(h, &d, NULL, why);
    draft_release(&d);
    return e;
}
