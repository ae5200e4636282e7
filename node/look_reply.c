/* Why something is here, and who saw it: what the hub replied. What the words of a line are: hub/RULES.md. */
#include "node/look_reply.h"

#include "node/look_internal.h"
#include "node/look_list.h"

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

static void put_place(struct buf *out, struct bytes site, struct bytes agency)
{
    buf_put_bytes(out, site);
    buf_put_str(out, " (");
    buf_put_bytes(out, agency);
    buf_put_str(out, ")");
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

static const char *explain(struct bytes what, const struct reply_line *l, struct buf *out)
{
    if (is(what, "channel")) {
        put_place(out, look_reply_word(l, 2), look_reply_word(l, 1)); /* a sentence, and the channel's name */
        return "Why it is here";
    }
    if (is(what, "seat")) {
        put_seat(out, l);
        return "How your site takes part";
    }
    if (!is(what, "site")) return NULL;
    put_place(out, look_reply_word(l, 1), look_reply_word(l, 2));
    return "Who else sees it";
}

static const char *who_saw(struct bytes what, const struct reply_line *l, struct buf *out)
{
    static const char heading[] = "Who could see it";
    static const struct phrase states[] = {
        {"holds", "could hold it since"},
        {"confirmed", "confirmed having forgotten it on"},
        {"unconfirmed", "was told to forget it, and has not confirmed that, since"},
    };
    if (is(what, "device")) {
        buf_put_str(out, "device ");
        buf_put_bytes(out, look_reply_word(l, 1));
        buf_put_str(out, " ");
        put_phrase(out, states, sizeof states / sizeof states[0], look_reply_word(l, 3));
        put_time(out, " ", look_reply_word(l, 4));
        return heading;
    }
    if (is(what, "look")) {
        struct bytes name = look_reply_word(l, 2);
        buf_put_bytes(out, name.n > 0 ? name : bytes_of_str("somebody whom the MASH does not know by name"));
        buf_put_str(out, " at ");
        buf_put_bytes(out, look_reply_word(l, 1));
        put_time(out, ", ", look_reply_word(l, 3));
        return "Who opened it";
    }
    if (!is(what, "site")) return NULL;
    put_place(out, look_reply_word(l, 1), look_reply_word(l, 2));
    put_time(out, " from ", look_reply_word(l, 3));
    put_time(out, " until ", look_reply_word(l, 4));
    if (look_reply_word(l, 4).n == 0) buf_put_str(out, ", and sees it still");
    return heading;
}

static const char *preview(struct bytes what, const struct reply_line *l, struct buf *out)
{
    long long n = (long long)look_reply_number(look_reply_word(l, 2));
    if (!is(what, "rows") && !is(what, "site")) return NULL;
    buf_put_bytes(out, look_reply_word(l, 1));
    if (is(what, "site")) {
        buf_printf(out, ": %lld of its devices %s the case now", n, n == 1 ? "holds" : "hold");
        return "Where";
    }
    buf_printf(out, ": %lld would ", n);
    buf_put_bytes(out, look_reply_word(l, 3));
    return "What it would do, of what your site sees";
}

void look_reply_sentence(unsigned kind, const struct reply_line *line, const char **out_heading, struct buf *out)
{
    struct bytes what = look_reply_word(line, 0);
    *out_heading = NULL;
    if (is(what, "more"))
        buf_put_str(out, "There is more, but a reply takes no more lines.");
    else if (kind == QUESTION_EXPLAIN)
        *out_heading = explain(what, line, out);
    else if (kind == QUESTION_WHO_SAW)
        *out_heading = who_saw(what, line, out);
    else if (kind == QUESTION_SHARE || kind == QUESTION_UNSHARE)
        *out_heading = preview(what, line, out);
}

/* ------------------------------------------------------------------------------------------------ as a list */
struct lines {
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
    look_reply_sentence(lines->kind, l, &heading, &text);
    json_set_text(o, "kind", look_reply_word(l, 0));
    json_set_str(o, "heading", heading);
    json_set_obj(o, "words", words);
    json_set_text(o, "text", buf_bytes(&text));
    json_append(lines->list, o);
    enum err e = text.err;
    buf_release(&text);
    return e == ERR_OK ? ERR_OK : why_set(why, e, "There is not enough memory for this answer.");
}

/* The reply that is here, and what was asked last. */
static enum err fill(struct node *n, const struct node_question *q, bool ask, struct json *o, struct why *why)
{
    struct lines lines = {.kind = q->kind, .list = json_array_new()};
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
    struct json *o = NULL;
    *out = NULL;
    if (q.table_index < 0 || (kind != QUESTION_EXPLAIN && kind != QUESTION_WHO_SAW))
        return why_set(why, ERR_USAGE, "There is nothing of that kind to ask about.");
    memcpy(q.id, id, sizeof q.id);
    o = json_object_new();
    enum err e = fill(n, &q, ask, o, why);
    if (e == ERR_OK && o == NULL) e = why_set(why, ERR_NOMEM, "There is not enough memory for this answer.");
    if (e == ERR_OK)
        *out = o;
    else
        json_free(o);
    return e;
}
