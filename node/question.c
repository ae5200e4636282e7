/* Questions to the hub and what it replied. A question waits until a request takes it along; a reply stays until the
 * same is asked again, or for 30 days. Both go with the row that they name, before its order to forget is confirmed:
 * of one that is under way only the number is kept until then, so that its answer still fits. */
#include "node/internal.h"

#include <string.h>

#define KEEP_MS (INT64_C(30) * 86400000)

static int64_t now_of(const struct node *n)
{
    return env_now(n->env);
}

/* ---------------------------------------------------------------------------------------------------------- asking */

static bool of_row(unsigned kind)
{
    return kind != QUESTION_EMERGENCY && kind != QUESTION_LOGGED;
}

/* The case of a row that is here; *out_here false: it is not. Of reference data zeros. */
static enum err case_of(struct node *n, int table_index, const uint8_t id[16], uint8_t out[16], bool *out_here,
                        struct why *why)
{
    const struct table_rule *t = rules_table((size_t)table_index);
    struct stmt *s = NULL;
    struct buf sql;
    buf_init(&sql, 256);
    buf_printf(&sql, "SELECT %s FROM %s WHERE id = $1", t->kind == TABLE_CASE ? "case_id" : "NULL", t->name);
    const char *text = buf_cstr(&sql);
    enum err e =
        text == NULL ? why_set(why, ERR_NOMEM, "There is not enough memory.") : db_prepare(n->db, text, &s, why);
    if (e == ERR_OK) {
        db_bind_id(s, 1, id);
        e = db_step(s, out_here, why);
        memset(out, 0, 16);
        if (e == ERR_OK && *out_here) (void)db_id(s, 0, out);
    }
    db_done(s);
    buf_release(&sql);
    return e;
}

/* Bound from $1: what makes two questions the same. */
#define SAME "kind = $1 AND tbl = $2 AND id = $3 AND agency = $4 AND at = $5 AND text = $6"
static void bind_same(struct stmt *s, const struct node_question *q)
{
    db_bind_int(s, 1, q->kind);
    db_bind_int(s, 2, of_row(q->kind) ? q->table_index : 0);
    db_bind_id(s, 3, q->id);
    db_bind_str(s, 4, q->agency != NULL ? q->agency : "");
    db_bind_int(s, 5, q->at_ms);
    db_bind_str(s, 6, q->text != NULL ? q->text : "");
}

static enum err find_same(struct node *n, const char *sql, const struct node_question *q, uint64_t *out_number,
                          struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(n->db, sql, &s, why);
    if (e != ERR_OK) return e;
    bind_same(s, q);
    e = db_step(s, &row, why);
    if (e == ERR_OK) *out_number = row ? (uint64_t)db_int(s, 0) : 0;
    db_done(s);
    return e;
}

static bool copy(char *out, size_t n, struct bytes v)
{
    if (v.n >= n) return false;
    if (v.n > 0) memcpy(out, v.p, v.n);
    out[v.n] = '\0';
    return true;
}

/* What cannot be put into a request, or what the hub could not read there, would keep every later contact from it. */
static enum err can_be_put(struct node *n, const struct node_question *q, struct why *why)
{
    struct question m = {.number = 1, .kind = q->kind, .at = (uint64_t)q->at_ms};
    struct buf item;
    if (q->at_ms < 0 || !copy(m.agency, sizeof m.agency, bytes_of_str(q->agency != NULL ? q->agency : "")) ||
        !copy(m.text, sizeof m.text, bytes_of_str(q->text != NULL ? q->text : "")))
        return why_set(why, ERR_LIMIT, "This is longer than what can be asked.");
    if (of_row(q->kind)) m.table = (uint64_t)q->table_index;
    memcpy(m.id, q->id, sizeof m.id);
    buf_init(&item, 1u << 16);
    enum err e = message_put_question(&item, &n->self, &m, why);
    buf_release(&item);
    if (e != ERR_FORMAT) return e;
    (void)why_set(
        why, ERR_USAGE,
        "This cannot be asked like that: a word is missing, or has letters that cannot be read. Nothing was asked.");
    return why_next(why, ERR_USAGE, "Type it again, with plain letters only.");
}

/* A hub that never told of its logs would take no request with such a question. */
static enum err can_be_shown(struct node *n, struct why *why)
{
    struct merkle_head kept;
    enum err e = trust_kept(n, &kept, why);
    if (e != ERR_OK || kept.size > 0) return e;
    (void)why_set(why, ERR_NOTFOUND, "The MASH server has not told this device yet what its record is.");
    return why_next(why, ERR_NOTFOUND, "Try again after the next contact. If it stays so, the server's Spoke is too old.");
}

static enum err check(struct node *n, const struct node_question *q, uint8_t out_case[16], struct why *why)
{
    bool here = true;
    memset(out_case, 0, 16);
    if (of_row(q->kind) && (q->table_index < 0 || rules_table((size_t)q->table_index) == NULL))
        return why_set(why, ERR_NOTFOUND, "This device holds nothing of that kind.");
    enum err e = can_be_put(n, q, why);
    if (e == ERR_OK && q->kind == QUESTION_LOGGED) e = can_be_shown(n, why);
    if (e == ERR_OK && of_row(q->kind)) e = case_of(n, q->table_index, q->id, out_case, &here, why);
    return e == ERR_OK && !here ? why_set(why, ERR_NOTFOUND, "This device holds no such row.") : e;
}

static enum err insert(struct node *n, const struct node_question *q, const uint8_t case_id[16], uint64_t number,
                       struct why *why)
{
    struct stmt *s = NULL;
    enum err e = db_prepare(n->db,
                            "INSERT INTO n_question(kind, tbl, id, agency, at, text, case_id, number, asked_ms)"
                            " VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                            &s, why);
    if (e != ERR_OK) return e;
    bind_same(s, q);
    db_bind_id(s, 7, case_id);
    db_bind_int(s, 8, (int64_t)number);
    db_bind_int(s, 9, now_of(n));
    e = db_run(s, why);
    return e == ERR_OK ? state_set_number(n->db, "last_question", number, why) : e;
}

static enum err forget_old(struct node *n, struct why *why)
{
    const int64_t before[] = {now_of(n) - KEEP_MS};
    return state_run(n->db, "DELETE FROM n_question WHERE replied_ms < $1", before, 1, why);
}

static enum err queue(struct node *n, const struct node_question *q, const uint8_t case_id[16], uint64_t *out_number,
                      struct why *why)
{
    uint64_t number = 0, last = 0;
    enum err e = forget_old(n, why);
    if (e == ERR_OK)
        e = find_same(n, "SELECT number FROM n_question WHERE " SAME " AND replied_ms IS NULL", q, &number, why);
    if (e == ERR_OK && number == 0) {
        e = state_number(n->db, "last_question", &last, why);
        number = last + 1;
        if (e == ERR_OK) e = insert(n, q, case_id, number, why);
    }
    if (e == ERR_OK) *out_number = number;
    return e;
}

enum err node_ask(struct node *n, const struct node_question *q, uint64_t *out_number, struct why *why)
{
    uint8_t case_id[16];
    if (n->capture != NULL) return why_set(why, ERR_FAILED, "A change is being made just now.");
    enum err e = check(n, q, case_id, why);
    if (e == ERR_OK) e = db_begin(n->db, why);
    if (e != ERR_OK) return e;
    e = queue(n, q, case_id, out_number, why);
    if (e == ERR_OK) return db_commit(n->db, why);
    db_rollback(n->db);
    return e;
}

/* --------------------------------------------------------------------------------------------------------- reading */

static enum err each_line(struct stmt *s, reply_line_fn each, void *ctx, struct why *why)
{
    struct bytes rest = db_bytes(s, 3);
    struct reply_line line;
    enum err e = ERR_OK;
    while (e == ERR_OK && reply_next_line(&rest, &line)) e = each(ctx, &line, why);
    if (e == ERR_OK && rest.n > 0) e = why_set(why, ERR_TAMPERED, "A reply that this device keeps is damaged.");
    return e;
}

enum err node_reply(struct node *n, uint64_t number, struct node_reply *out, reply_line_fn each, void *ctx,
                    struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(n->db,
                            "SELECT asked_ms, replied_ms, hub_ms, lines, request FROM n_question WHERE number = $1 AND"
                            " kind <> 0 AND (replied_ms IS NULL OR replied_ms >= $2)",
                            &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, (int64_t)number);
    db_bind_int(s, 2, now_of(n) - KEEP_MS);
    e = db_step(s, &row, why);
    if (e == ERR_OK && !row) e = why_set(why, ERR_NOTFOUND, "This question is not kept here any more.");
    if (e == ERR_OK) {
        *out = (struct node_reply){.number = number,
                                   .asked_ms = db_int(s, 0),
                                   .replied = !db_is_null(s, 1),
                                   .replied_ms = db_int(s, 1),
                                   .hub_ms = db_int(s, 2)};
        if (out->replied && each != NULL) e = each_line(s, each, ctx, why);
    }
    db_done(s);
    return e;
}

enum err node_reply_to(struct node *n, const struct node_question *q, uint64_t *out_number, struct why *why)
{
    uint64_t number = 0;
    enum err e = find_same(n, "SELECT number FROM n_question WHERE " SAME " ORDER BY replied_ms IS NULL, number DESC",
                           q, &number, why);
    if (e == ERR_OK && number == 0) e = why_set(why, ERR_NOTFOUND, "This has not been asked on this device.");
    if (e == ERR_OK) *out_number = number;
    return e;
}

/* --------------------------------------------------------------------------------------------------------- sending */

/* No question goes out about a row that is not here any more. */
static enum err forget_absent(struct node *n, struct why *why)
{
    struct stmt *s = NULL;
    bool row = true;
    int64_t after[] = {0};
    enum err e = ERR_OK;
    while (e == ERR_OK) {
        uint8_t id[16] = {0}, case_id[16];
        bool here = true;
        int tbl = 0;
        e = db_prepare(n->db,
                       "SELECT number, tbl, id, kind FROM n_question WHERE replied_ms IS NULL AND number > $1 ORDER BY"
                       " number LIMIT 1",
                       &s, why);
        if (e != ERR_OK) break;
        db_bind_int(s, 1, after[0]);
        e = db_step(s, &row, why);
        if (e == ERR_OK && row) {
            after[0] = db_int(s, 0);
            tbl = (int)db_int(s, 1);
            (void)db_id(s, 2, id);
            here = !of_row((unsigned)db_int(s, 3));
        }
        db_done(s);
        if (e != ERR_OK || !row) break;
        if (!here && rules_table((size_t)tbl) != NULL) e = case_of(n, tbl, id, case_id, &here, why);
        if (e == ERR_OK && !here) e = state_run(n->db, "DELETE FROM n_question WHERE number = $1", after, 1, why);
    }
    return e;
}

/* Before a request is made: none is under way, so that what stood for one goes too. */
enum err question_clear(struct node *n, struct why *why)
{
    uint64_t any = 0;
    enum err e = state_ask(n->db, "SELECT EXISTS(SELECT 1 FROM n_question)", &any, why);
    if (e != ERR_OK || any == 0) return e;
    e = db_begin(n->db, why);
    if (e != ERR_OK) return e;
    e = db_exec(n->db, "DELETE FROM n_question WHERE kind = 0", why);
    if (e == ERR_OK) e = forget_old(n, why);
    if (e == ERR_OK) e = forget_absent(n, why);
    if (e == ERR_OK) return db_commit(n->db, why);
    db_rollback(n->db);
    return e;
}

static enum err put_one(struct node *n, struct bundle_writer *w, struct stmt *s, struct buf *item, struct why *why)
{
    struct question q = {.number = (uint64_t)db_int(s, 0),
                         .kind = (uint64_t)db_int(s, 1),
                         .table = (uint64_t)db_int(s, 2),
                         .at = (uint64_t)db_int(s, 5)};
    memcpy(q.hub, n->hub.kid, KID_BYTES);
    memcpy(q.user, n->user, sizeof q.user);
    if (!db_id(s, 3, q.id) || !copy(q.agency, sizeof q.agency, db_bytes(s, 4)) ||
        !copy(q.text, sizeof q.text, db_bytes(s, 6)))
        return why_set(why, ERR_TAMPERED, "A question that this device keeps is damaged.");
    buf_reset(item);
    enum err e = message_put_question(item, &n->self, &q, why);
    return e == ERR_OK ? bundle_put(w, "", buf_bytes(item), why) : e;
}

enum err question_put(struct node *n, struct bundle_writer *w, struct why *why)
{
    struct stmt *s = NULL;
    struct buf item;
    bool row = true;
    buf_init(&item, 1u << 16);
    enum err e = db_prepare(n->db,
                            "SELECT number, kind, tbl, id, agency, at, text FROM n_question WHERE replied_ms IS NULL"
                            " ORDER BY number LIMIT $1",
                            &s, why);
    if (e == ERR_OK) db_bind_int(s, 1, QUESTIONS_MAX);
    while (e == ERR_OK) {
        e = db_step(s, &row, why);
        if (e != ERR_OK || !row) break;
        e = put_one(n, w, s, &item, why);
    }
    db_done(s);
    buf_release(&item);
    return e;
}

enum err question_sent(struct node *n, uint64_t request, struct why *why)
{
    const int64_t args[] = {(int64_t)request, QUESTIONS_MAX};
    return state_run(
        n->db,
        "UPDATE n_question SET request = $1 WHERE number IN (SELECT number FROM n_question WHERE replied_ms"
        " IS NULL ORDER BY number LIMIT $2)",
        args, 2, why);
}

enum err question_waiting(struct node *n, uint64_t *out, struct why *why)
{
    return state_ask(n->db, "SELECT count(*) FROM n_question WHERE replied_ms IS NULL AND request = 0", out, why);
}

/* -------------------------------------------------------------------------------------------------------- replies */

enum err question_check(struct node *n, uint64_t request, const struct reply *r, uint64_t *last, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    if (memcmp(r->node, n->self.pub.kid, KID_BYTES) != 0)
        return why_set(why, ERR_REFUSED,
                       "This answer holds a reply meant for another device. Nothing was changed here.");
    enum err e =
        db_prepare(n->db,
                   "SELECT 1 FROM n_question WHERE number = $1 AND request = $2 AND replied_ms IS NULL AND kind IN"
                   " (0, $3)",
                   &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, (int64_t)r->number);
    db_bind_int(s, 2, (int64_t)request);
    db_bind_int(s, 3, (int64_t)r->kind);
    e = db_step(s, &row, why);
    db_done(s);
    if (e == ERR_OK && (!row || r->number <= *last))
        e = why_set(why, ERR_FORMAT,
                    "This answer cannot be used: it replies to what was not asked. Nothing was changed here.");
    if (e == ERR_OK) *last = r->number;
    return e;
}

enum err question_check_end(struct node *n, uint64_t request, uint64_t replies, struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    if (replies == 0) return ERR_OK; /* this device is cut off, or too old to be answered */
    enum err e =
        db_prepare(n->db, "SELECT count(*) FROM n_question WHERE request = $1 AND replied_ms IS NULL", &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, (int64_t)request);
    e = db_step(s, &row, why);
    bool whole = e == ERR_OK && row && (uint64_t)db_int(s, 0) == replies;
    db_done(s);
    if (e == ERR_OK && !whole)
        e = why_set(why, ERR_FORMAT,
                    "This answer cannot be used: replies are missing from it. Nothing was changed here.");
    return e;
}

static enum err keep(struct node *n, const struct reply *r, struct why *why)
{
    struct stmt *s = NULL;
    /* Of an emergency nothing more is needed, and the reference may be of a case that is taken away again. */
    enum err e =
        db_prepare(n->db,
                   "UPDATE n_question SET replied_ms = $1, hub_ms = $2, lines = $3, text = CASE kind WHEN $4 THEN"
                   " '' ELSE text END WHERE number = $5 AND kind <> 0",
                   &s, why);
    if (e != ERR_OK) return e;
    db_bind_int(s, 1, now_of(n));
    db_bind_int(s, 2, (int64_t)r->clock_ms);
    db_bind_blob(s, 3, r->lines);
    db_bind_int(s, 4, QUESTION_EMERGENCY);
    db_bind_int(s, 5, (int64_t)r->number);
    return db_run(s, why);
}

/* Checked at once: what it leads to is the checkpoint that this very answer takes the place of. */
static enum err keep_logged(struct node *n, const struct reply *r, struct why *why)
{
    struct stmt *s = NULL;
    struct reply checked = *r;
    struct buf lines;
    bool row = false;
    uint64_t seq = 0;
    buf_init(&lines, 1u << 20);
    enum err e = db_prepare(n->db, "SELECT at FROM n_question WHERE number = $1 AND kind = $2", &s, why);
    if (e == ERR_OK) {
        db_bind_int(s, 1, (int64_t)r->number);
        db_bind_int(s, 2, QUESTION_LOGGED);
        e = db_step(s, &row, why);
        seq = e == ERR_OK && row ? (uint64_t)db_int(s, 0) : 0;
        db_done(s);
    }
    if (e == ERR_OK) e = trust_logged(n, seq, r, &lines, &checked.n_lines, why);
    checked.lines = buf_bytes(&lines);
    if (e == ERR_OK) e = keep(n, &checked, why);
    buf_release(&lines);
    return e;
}

enum err question_replied(struct node *n, const struct reply *r, struct why *why)
{
    const int64_t number[] = {(int64_t)r->number};
    enum err e = state_run(n->db, "DELETE FROM n_question WHERE number = $1 AND kind = 0", number, 1, why);
    if (e == ERR_OK) e = r->kind == QUESTION_LOGGED ? keep_logged(n, r, why) : keep(n, r, why);
    return e == ERR_OK
               ? state_run(n->db,
                           "DELETE FROM n_question WHERE number < $1 AND replied_ms IS NOT NULL AND EXISTS (SELECT 1"
                           " FROM n_question q WHERE q.number = $1 AND q.kind = n_question.kind AND q.tbl ="
                           " n_question.tbl AND q.id = n_question.id AND q.agency = n_question.agency AND q.at ="
                           " n_question.at AND q.text = n_question.text)",
                           number, 1, why)
               : e;
}

/* ------------------------------------------------------------------------------------------------- orders to forget */

/* What names the row; what counts rows of its case; all about the case, when that goes. */
#define NAMES_IT "(id = $1 OR (case_id = $2 AND (kind IN (3, 4) OR $3 = 1)))"

static enum err forget_one(struct node *n, const struct drop_item *d, struct why *why)
{
    static const char *const both[] = {
        "DELETE FROM n_question WHERE " NAMES_IT " AND (replied_ms IS NOT NULL OR request = 0)",
        "UPDATE n_question SET kind = 0, tbl = 0, id = zeroblob(16), case_id = zeroblob(16), agency = '', text = '',"
        " at = 0 WHERE " NAMES_IT,
    };
    uint8_t case_id[16];
    bool here = false, file = strcmp(rules_table((size_t)d->table_index)->name, "case_file") == 0;
    enum err e = case_of(n, d->table_index, d->id, case_id, &here, why);
    if (e == ERR_OK && !here) e = ends_case_of(n, d->table_index, d->id, case_id, &here, why); /* its time is over */
    for (size_t i = 0; e == ERR_OK && i < 2; i++) {
        struct stmt *s = NULL;
        e = db_prepare(n->db, both[i], &s, why);
        if (e != ERR_OK) break;
        db_bind_id(s, 1, d->id);
        if (here)
            db_bind_id(s, 2, case_id);
        else
            db_bind_null(s, 2);
        db_bind_int(s, 3, file);
        e = db_run(s, why);
    }
    return e;
}

enum err question_forget(struct node *n, const struct answer *a, struct why *why)
{
    uint64_t any = 0;
    enum err e = state_ask(n->db, "SELECT EXISTS(SELECT 1 FROM n_question)", &any, why);
    for (size_t i = 0; e == ERR_OK && any != 0 && i < a->n_drops; i++) {
        struct drop_item d;
        memcpy(&d, a->drops.data + i * sizeof d, sizeof d);
        e = forget_one(n, &d, why);
    }
    return e;
}
