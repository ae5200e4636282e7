/* Why something is here, and who saw it: what the hub replied. What the words of a line are: hub/RULES.md. */
#include "node/look_reply.h"

#include "node/look_internal.h"
#include "node/look_list.h"
#include "node/look_preview.h"

#include <stdlib.h>
#include <string.h>

struct bytes look_reply_word(const struct reply_line *line, size_t i)
{
    return i < line->n ? line->word[i] : bytes_of(NULL, 0);
}

int64_t look_reply_number(struct bytes word)
{
    char text[24] = "";
    if (word.n < sizeof text && word.n > 0) memcpy(text, word.p, word.n);
    return strtoll(text, NULL, 10);
}

/* ------------------------------------------------------------------------------------------------- sentences */
static bool is(struct bytes word, const char *text)
{
    return bytes_equal(word, bytes_of_str(text));
}

static void put_time(struct buf *out, const char *before, struct bytes word)
{
    char text[LOOK_TIME_TEXT];
    if (word.n == 0) return;
    look_time_text(look_reply_number(word), text);
    buf_put_str(out, before);
    buf_put_str(out, text);
}

struct phrase {
    const char *word, *says;
};

/* A word that this version does not know stands for itself. */
static void put_phrase(struct buf *out, const struct phrase *all, size_t n, struct bytes word)
{
    for (size_t i = 0; i < n; i++)
        if (is(word, all[i].word)) {
            buf_put_str(out, all[i].says);
            return;
        }
    buf_put_bytes(out, word);
}

enum err look_reply_name(struct node *n, enum look_place what, struct bytes code, struct buf *out, struct why *why)
{
    static const char *const asks[] = {"SELECT name FROM site WHERE code = $1 AND name <> ''",
                                       "SELECT name FROM agency WHERE code = $1 AND name <> ''"};
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(n->db, asks[what], &s, why);
    if (e != ERR_OK) return e;
    db_bind_text(s, 1, code);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row) buf_put_bytes(out, db_bytes(s, 0));
    db_done(s);
    return e;
}

/* A sentence in the making; what goes wrong with it is told at its end. */
struct saying {
    struct node *n;
    struct buf *out;
    enum err err;
    struct why *why;
};

/* A place that is not known here is said by its code. */
static void put_name(struct saying *t, enum look_place what, struct bytes code)
{
    const size_t before = t->out->len;
    if (t->err == ERR_OK) t->err = look_reply_name(t->n, what, code, t->out, t->why);
    if (t->out->len == before) buf_put_bytes(t->out, code);
}

static void put_place(struct saying *t, struct bytes site, struct bytes agency)
{
    put_name(t, LOOK_SITE, site);
    buf_put_str(t->out, " (");
    put_name(t, LOOK_AGENCY, agency);
    buf_put_str(t->out, ")");
}

/* Devices have no names: where it is, and as much of its id as tells it from others there. */
static void put_device(struct saying *t, struct bytes id, struct bytes site)
{
    enum { SHOWN = 8 };
    buf_put_str(t->out, "a device at ");
    put_name(t, LOOK_SITE, site);
    buf_put_str(t->out, " (");
    buf_put(t->out, id.p, id.n < SHOWN ? id.n : SHOWN);
    buf_put_str(t->out, id.n > SHOWN ? "\xe2\x80\xa6)" : ")");
}

static void put_seat(struct buf *out, const struct reply_line *l)
{
    static const struct phrase parts[] = {
        {"check", "It is asked to check what it knows"},
        {"view", "It may read the case"},
        {"contribute", "It works on the case"},
        {"room", "It is the MASH room of the area"},
        {"lead", "It leads the case"},
        {"out_of_hours", "It serves the area out of hours"},
        {"own", "It keeps what its agency wrote and was told"},
    };
    put_phrase(out, parts, sizeof parts / sizeof parts[0], look_reply_word(l, 1));
    put_time(out, ", since ", look_reply_word(l, 2));
    put_time(out, ", until ", look_reply_word(l, 3));
    if (look_reply_word(l, 4).n == 0) return;
    buf_put_str(out, "; basis: ");
    buf_put_bytes(out, look_reply_word(l, 4));
}

static const char *explain(struct saying *t, struct bytes what, const struct reply_line *l)
{
    if (is(what, "channel")) {
        buf_put_bytes(t->out, look_reply_word(l, 2)); /* a sentence; the channel's name is for programs */
        return "Why it is here";
    }
    if (is(what, "seat")) {
        put_seat(t->out, l);
        return "How your site takes part";
    }
    if (!is(what, "site")) return NULL;
    put_place(t, look_reply_word(l, 1), look_reply_word(l, 2));
    return "Who else sees it";
}

static const char *who_saw(struct saying *t, struct bytes what, const struct reply_line *l)
{
    struct buf *out = t->out;
    static const char heading[] = "Who could see it";
    static const struct phrase states[] = {
        {"holds", "could hold it since"},
        {"confirmed", "confirmed having forgotten it on"},
        {"unconfirmed", "was told to forget it, and has not confirmed that, since"},
    };
    if (is(what, "device")) {
        put_device(t, look_reply_word(l, 1), look_reply_word(l, 2));
        buf_put_str(out, " ");
        put_phrase(out, states, sizeof states / sizeof states[0], look_reply_word(l, 3));
        put_time(out, " ", look_reply_word(l, 4));
        return heading;
    }
    if (is(what, "look")) {
        struct bytes name = look_reply_word(l, 2);
        buf_put_bytes(out, name.n > 0 ? name : bytes_of_str("somebody whom the MASH does not know by name"));
        buf_put_str(out, " at ");
        put_name(t, LOOK_SITE, look_reply_word(l, 1));
        put_time(out, ", ", look_reply_word(l, 3));
        return "Who opened it, or found it by searching for its words";
    }
    if (!is(what, "site")) return NULL;
    put_place(t, look_reply_word(l, 1), look_reply_word(l, 2));
    put_time(out, " from ", look_reply_word(l, 3));
    put_time(out, " until ", look_reply_word(l, 4));
    if (look_reply_word(l, 4).n == 0) buf_put_str(out, ", and sees it still");
    return heading;
}

static const char *preview(struct saying *t, struct bytes what, const struct reply_line *l)
{
    struct buf *out = t->out;
    long long n = (long long)look_reply_number(look_reply_word(l, 2));
    if (!is(what, "rows") && !is(what, "site")) return NULL;
    if (is(what, "site")) {
        put_name(t, LOOK_SITE, look_reply_word(l, 1));
        buf_printf(out, ": %lld of its devices %s the case now", n, n == 1 ? "holds" : "hold");
        return "Where";
    }
    look_preview_count(out, look_reply_word(l, 1), n);
    buf_put_str(out, " would ");
    buf_put_bytes(out, look_reply_word(l, 3));
    return "What it would do, of what your site sees";
}

enum err look_reply_sentence(struct node *n, unsigned kind, const struct reply_line *line, const char **out_heading,
                             struct buf *out, struct why *why)
{
    struct saying t = {.n = n, .out = out, .why = why};
    struct bytes what = look_reply_word(line, 0);
    *out_heading = NULL;
    if (is(what, "more"))
        buf_put_str(out, "There is more, but a reply takes no more lines.");
    else if (kind == QUESTION_EXPLAIN)
        *out_heading = explain(&t, what, line);
    else if (kind == QUESTION_WHO_SAW)
        *out_heading = who_saw(&t, what, line);
    else if (kind == QUESTION_SHARE || kind == QUESTION_UNSHARE)
        *out_heading = preview(&t, what, line);
    if (t.err != ERR_OK) return t.err;
    return out->err == ERR_OK ? ERR_OK : why_set(why, out->err, "There is not enough memory for this answer.");
}

/* ------------------------------------------------------------------------------------------------ as a list */
struct lines {
    struct node *n;
    unsigned kind;
    struct json *list;
};

static void append_word(struct json *list, struct bytes word, struct buf *scratch)
{
    buf_reset(scratch);
    buf_put_bytes(scratch, word);
    json_append_str(list, buf_cstr(scratch));
}

static enum err each_line(void *ctx, const struct reply_line *l, struct why *why)
{
    struct lines *lines = ctx;
    const char *heading = NULL;
    struct buf text;
    struct json *o = json_object_new(), *words = json_array_new();
    buf_init(&text, (size_t)REPLY_MAX_WORDS * (REPLY_MAX_WORD + 128));
    for (size_t i = 1; i < l->n; i++) append_word(words, l->word[i], &text);
    buf_reset(&text);
    enum err e = look_reply_sentence(lines->n, lines->kind, l, &heading, &text, why);
    json_set_text(o, "kind", look_reply_word(l, 0));
    json_set_str(o, "heading", heading);
    json_set_obj(o, "words", words);
    json_set_text(o, "text", buf_bytes(&text));
    json_append(lines->list, o);
    buf_release(&text);
    return e;
}

/* The reply that is here, and what was asked last. */
static enum err fill(struct node *n, const struct node_question *q, bool ask, struct json *o, struct why *why)
{
    struct lines lines = {.n = n, .kind = q->kind, .list = json_array_new()};
    struct node_reply said = {0}, asked = {0};
    uint64_t number = 0, new_number = 0;
    enum err e = ask ? node_ask(n, q, &new_number, why) : ERR_OK;
    if (e == ERR_OK && ask) e = node_reply(n, new_number, &asked, NULL, NULL, why);
    if (e == ERR_OK) {
        e = node_reply_to(n, q, &number, why);
        if (e == ERR_OK) e = node_reply(n, number, &said, each_line, &lines, why);
        if (e == ERR_NOTFOUND) e = ERR_OK; /* nobody asked yet, or it is too long ago */
    }
    look_set_time(o, "asked_at", ask ? asked.asked_ms : said.asked_ms);
    look_set_time(o, "replied_at", said.replied ? said.replied_ms : 0);
    look_set_time(o, "hub_at", said.replied ? said.hub_ms : 0);
    json_set_obj(o, "lines", lines.list);
    return e;
}

enum err look_reply(struct node *n, unsigned kind, const char *table, const uint8_t id[16], bool ask, struct json **out,
                    struct why *why)
{
    struct node_question q = {.kind = kind, .table_index = rules_table_index(bytes_of_str(table))};
    *out = NULL;
    if (q.table_index < 0 || (kind != QUESTION_EXPLAIN && kind != QUESTION_WHO_SAW))
        return why_set(why, ERR_USAGE, "There is nothing of that kind to ask about.");
    memcpy(q.id, id, sizeof q.id);
    return look_reply_to(n, &q, ask, out, why);
}

enum err look_reply_to(struct node *n, const struct node_question *q, bool ask, struct json **out, struct why *why)
{
    struct json *o = json_object_new();
    *out = NULL;
    enum err e = fill(n, q, ask, o, why);
    if (e == ERR_OK && o == NULL) e = why_set(why, ERR_NOMEM, "There is not enough memory for this answer.");
    if (e == ERR_OK)
        *out = o;
    else
        json_free(o);
    return e;
}
