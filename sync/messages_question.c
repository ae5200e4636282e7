#include "sync/message_item.h"
#include "sync/question.h"
#include "sync/rules.h"

#include <string.h>

/* Questions and replies. FORMAT.md §4, items 6 and 23. */
static const char reply_typ[] = "application/x-spoke-reply";

static const struct field question_fields[] = {
    FIELD(FIELD_FIXED, question, hub),   FIELD(FIELD_UINT, question, number), FIELD(FIELD_UINT, question, kind),
    FIELD(FIELD_FIXED, question, user),  FIELD(FIELD_UINT, question, table),  FIELD(FIELD_FIXED, question, id),
    FIELD(FIELD_TEXT, question, agency), FIELD(FIELD_UINT, question, at),     FIELD(FIELD_TEXT, question, text),
};
static const struct message_kind question_kind = {MSG_QUESTION, "application/x-spoke-question", question_fields,
                                                  sizeof question_fields / sizeof question_fields[0]};

/* What each kind leaves empty is empty: nothing is said in two ways, and nothing travels that nobody reads. */
static bool question_ok(const struct question *q)
{
    static const uint8_t none[16];
    bool row = q->table <= INT32_MAX && rules_table((size_t)q->table) != NULL;
    bool of_case = row && strcmp(rules_table((size_t)q->table)->name, "case_file") == 0;
    bool agency = q->agency[0] != '\0', text = q->text[0] != '\0';
    if (q->number == 0 || !utf8_valid(bytes_of_str(q->agency)) || !utf8_valid(bytes_of_str(q->text))) return false;
    switch (q->kind) {
    case QUESTION_EXPLAIN: return row && !agency && !text && q->at == 0;
    case QUESTION_WHO_SAW: return row && !agency && !text;
    case QUESTION_SHARE: return of_case && agency && text && q->at == 0;
    case QUESTION_UNSHARE: return of_case && agency && !text && q->at == 0;
    case QUESTION_EMERGENCY:
        return q->table == 0 && memcmp(q->id, none, sizeof none) == 0 && !agency && q->at == 0 &&
               strchr(q->text, '\n') != NULL;
    case QUESTION_LOGGED:
        return q->table == 0 && memcmp(q->id, none, sizeof none) == 0 && !agency && !text && q->at > 0;
    default: return false;
    }
}

enum err message_put_question(struct buf *b, const struct identity_secret *by, const struct question *m,
                              struct why *why)
{
    if (!question_ok(m)) return why_set(why, ERR_FORMAT, "This question could not be put as the hub understands it.");
    return message_item_put(b, by, &question_kind, m, why);
}

enum err message_get_question(struct bytes item, const struct identity *by, struct question *out, struct why *why)
{
    struct bytes payload;
    struct question m;
    enum err e = message_item_verify(item, by, MSG_QUESTION, question_kind.typ, &payload, NULL, why);
    if (e == ERR_OK) e = message_item_fields(payload, &question_kind, &m, why);
    if (e != ERR_OK) return e;
    if (!question_ok(&m)) return signed_broken(why);
    *out = m;
    return ERR_OK;
}

/* --------------------------------------------------------------------------------------------------------- replies */

void reply_put_line(struct buf *b, const struct bytes *words, size_t n)
{
    bool good = n >= 1 && n <= REPLY_MAX_WORDS;
    for (size_t i = 0; good && i < n; i++) good = words[i].n <= REPLY_MAX_WORD && utf8_valid(words[i]);
    if (!good) {
        if (b->err == ERR_OK) b->err = ERR_FORMAT;
        return;
    }
    cbor_put_array(b, n);
    for (size_t i = 0; i < n; i++) cbor_put_text(b, words[i]);
}

/* Sticky in r. */
static void get_line(struct cbor_reader *r, struct reply_line *out)
{
    out->n = cbor_get_array(r, REPLY_MAX_WORDS);
    for (size_t i = 0; i < out->n && r->err == ERR_OK; i++) {
        out->word[i] = cbor_get_text(r);
        if (out->word[i].n > REPLY_MAX_WORD) r->err = ERR_FORMAT;
    }
    if (out->n == 0) r->err = ERR_FORMAT;
}

bool reply_next_line(struct bytes *rest, struct reply_line *out)
{
    struct cbor_reader r;
    struct reply_line line;
    if (rest->n == 0) return false;
    cbor_reader_init(&r, *rest);
    get_line(&r, &line);
    if (r.err != ERR_OK) return false;
    *rest = r.in;
    *out = line;
    return true;
}

bool reply_lines_ok(struct bytes lines, size_t n)
{
    struct reply_line line;
    size_t found = 0;
    while (found <= n && reply_next_line(&lines, &line)) found++;
    return lines.n == 0 && found == n;
}

enum err message_put_reply(struct buf *b, const struct identity_secret *by, const struct reply *m, struct why *why)
{
    struct buf payload;
    if (m->n_lines > REPLY_MAX_LINES || !reply_lines_ok(m->lines, m->n_lines) || m->number == 0 || m->kind == 0 ||
        m->kind > QUESTION_LOGGED || m->number > INT64_MAX || m->clock_ms > INT64_MAX)
        return why_set(why, ERR_FORMAT, "A reply could not be put as devices understand it.");
    buf_init(&payload, COSE_MAX);
    cbor_put_array(&payload, 5);
    cbor_put_bytes(&payload, bytes_of(m->node, KID_BYTES));
    cbor_put_uint(&payload, m->number);
    cbor_put_uint(&payload, m->kind);
    cbor_put_uint(&payload, m->clock_ms);
    cbor_put_array(&payload, m->n_lines);
    buf_put_bytes(&payload, m->lines);
    enum err e = payload.err;
    if (e != ERR_OK)
        (void)why_set(why, e, "A message could not be made ready for signing.");
    else
        e = message_item_sign(b, by, MSG_REPLY, reply_typ, buf_bytes(&payload), why);
    buf_release(&payload);
    return e;
}

enum err message_get_reply(struct bytes item, const struct identity *by, struct reply *out, struct why *why)
{
    struct bytes payload;
    struct cbor_reader r;
    struct reply m;
    enum err e = message_item_verify(item, by, MSG_REPLY, reply_typ, &payload, NULL, why);
    if (e != ERR_OK) return e;
    cbor_reader_init(&r, payload);
    size_t n_items = cbor_get_array(&r, 5);
    cbor_get_fixed(&r, m.node, KID_BYTES);
    m.number = cbor_get_uint(&r);
    m.kind = cbor_get_uint(&r);
    m.clock_ms = cbor_get_uint(&r);
    m.n_lines = cbor_get_array(&r, REPLY_MAX_LINES);
    m.lines = r.in;
    if (r.err != ERR_OK || n_items != 5 || m.number == 0 || m.number > INT64_MAX || m.clock_ms > INT64_MAX ||
        m.kind == 0 || m.kind > QUESTION_LOGGED || !reply_lines_ok(m.lines, m.n_lines))
        return signed_broken(why);
    *out = m;
    return ERR_OK;
}
