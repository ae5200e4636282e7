#include "hub/question.h"
#include "hub/draft.h"

#include <stdio.h>
#include <string.h>

#define REPLY_BYTES (1u << 20)

enum err questions_take(struct hub *h, const struct hub_node *n, struct bytes item, struct questions *q,
                        struct why *why)
{
    if (q->n == QUESTIONS_MAX) return why_set(why, ERR_FORMAT, "The request asks more than one may at once.");
    struct question *m = &q->all[q->n];
    enum err e = message_get_question(item, &n->id, m, why);
    if (e != ERR_OK) return e;
    if (memcmp(m->hub, h->id.pub.kid, KID_BYTES) != 0)
        return why_set(why, ERR_TAMPERED, "A question was put to another hub.");
    if (q->n > 0 && m->number <= q->all[q->n - 1].number)
        return why_set(why, ERR_FORMAT, "The questions of the request are not in their order.");
    q->n++;
    return ERR_OK;
}

/* ------------------------------------------------------------------------------------------------ for the answerers */

void asking_line(struct asking *a, const char *const *words, size_t n)
{
    struct bytes w[REPLY_MAX_WORDS];
    if (a->n_lines == REPLY_MAX_LINES) return;
    if (a->n_lines == REPLY_MAX_LINES - 1) {
        w[0] = bytes_of_str("more");
        n = 1;
    } else {
        for (size_t i = 0; i < n && i < REPLY_MAX_WORDS; i++) w[i] = bytes_of_str(words[i]);
    }
    reply_put_line(&a->lines, w, n);
    a->n_lines++;
}

static enum err agency_of(struct hub *h, const struct table_rule *t, const uint8_t id[16], char *out, size_t n,
                          struct why *why)
{
    char sql[128];
    struct stmt *s;
    bool row = false;
    out[0] = '\0';
    if (t->kind != TABLE_CASE) return ERR_OK;
    (void)snprintf(sql, sizeof sql, "SELECT agency FROM %s WHERE id = $1", t->name);
    enum err e = db_prepare(h->db, sql, &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, id);
    e = db_step(s, &row, why);
    struct bytes agency = e == ERR_OK && row ? db_bytes(s, 0) : (struct bytes){0};
    if (agency.n > 0 && agency.n < n) {
        memcpy(out, agency.p, agency.n);
        out[agency.n] = '\0';
    }
    db_done(s);
    return e;
}

enum err asking_row(struct asking *a, int table_index, const uint8_t id[16], struct asked_row *out, bool *out_seen,
                    struct why *why)
{
    bool found = false;
    int64_t seat = 0;
    int access = 0;
    *out_seen = false;
    enum err e = sight_row(a->h, table_index, id, &out->row, &found, why);
    if (e == ERR_OK && found) e = sight_seat(a->h, a->node->site_no, out->row.case_no, INT64_MAX, &seat, &access, why);
    if (e != ERR_OK || !found || (out->row.mask & seat) == 0) return e;
    *out_seen = true;
    return agency_of(a->h, rules_table((size_t)table_index), id, out->agency, sizeof out->agency, why);
}

enum err asking_duties(struct asking *a, const char *area, struct asker_duties *out, struct why *why)
{
    struct hub_node node = *a->node;
    struct draft d = {.node = &node};
    struct standing st = {0};
    memcpy(d.env.h.user, a->q->user, sizeof d.env.h.user);
    if (strlen(area) < sizeof st.area) memcpy(st.area, area, strlen(area));
    enum err e = standing_duties(a->h, &d, &st, why);
    if (e == ERR_OK) *out = (struct asker_duties){.manager = st.manager, .social_care = st.social_care};
    return e;
}

/* ------------------------------------------------------------------------------------------------------- answering */

static enum err dispatch(struct asking *a, struct why *why)
{
    switch ((enum question_kind)a->q->kind) {
    case QUESTION_EXPLAIN: return answer_explain(a, why);
    case QUESTION_WHO_SAW: return answer_who_saw(a, why);
    case QUESTION_SHARE:
    case QUESTION_UNSHARE: return answer_preview(a, why);
    case QUESTION_EMERGENCY: return answer_emergency(a, why);
    case QUESTION_LOGGED: return answer_logged(a, why);
    }
    return ERR_OK;
}

static enum err answer_one(struct asking *a, struct buf *items, struct why *why)
{
    struct buf item;
    buf_init(&item, REPLY_BYTES);
    enum err e = dispatch(a, why);
    struct reply r = {.number = a->q->number,
                      .kind = a->q->kind,
                      .clock_ms = (uint64_t)a->h->now_ms,
                      .n_lines = a->n_lines,
                      .lines = buf_bytes(&a->lines)};
    memcpy(r.node, a->node->id.kid, KID_BYTES);
    if (e == ERR_OK && a->lines.err != ERR_OK) e = why_set(why, a->lines.err, "There is not enough memory to answer.");
    if (e == ERR_OK) e = message_put_reply(&item, &a->h->id, &r, why);
    if (e == ERR_OK) {
        buf_put_be32(items, 0); /* of no agency */
        buf_put_be32(items, (uint32_t)item.len);
        buf_put_bytes(items, buf_bytes(&item));
        if (item.err != ERR_OK || items->err != ERR_OK)
            e = why_set(why, ERR_NOMEM, "There is not enough memory to answer.");
    }
    buf_release(&item);
    return e;
}

enum err questions_answer(struct hub *h, const struct hub_node *n, const struct questions *q, struct buf *items,
                          struct why *why)
{
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < q->n; i++) {
        struct asking a = {.h = h, .node = n, .q = &q->all[i], .seen = q->seen};
        buf_init(&a.lines, REPLY_BYTES);
        e = answer_one(&a, items, why);
        buf_release(&a.lines);
    }
    return e;
}
