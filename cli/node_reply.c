#include "cli/node_reply.h"

#include "cli/plain.h"
#include "node/look_reply.h"

#include <string.h>

enum word_kind { WORD_TEXT, WORD_TIME, WORD_NUMBER };

/* What the words of a line are called, after the first: hub/RULES.md. */
struct line_form {
    enum question_kind kind;
    const char *what;
    struct {
        const char *name;
        enum word_kind kind;
    } words[4];
};
static const struct line_form forms[] = {
    {QUESTION_EXPLAIN, "channel", {{"channel", WORD_TEXT}, {"sentence", WORD_TEXT}}},
    {QUESTION_EXPLAIN,
     "seat",
     {{"access", WORD_TEXT}, {"since", WORD_TIME}, {"until", WORD_TIME}, {"basis", WORD_TEXT}}},
    {QUESTION_EXPLAIN, "site", {{"site", WORD_TEXT}, {"agency", WORD_TEXT}}},
    {QUESTION_WHO_SAW, "site", {{"site", WORD_TEXT}, {"agency", WORD_TEXT}, {"from", WORD_TIME}, {"until", WORD_TIME}}},
    {QUESTION_WHO_SAW,
     "device",
     {{"device", WORD_TEXT}, {"site", WORD_TEXT}, {"state", WORD_TEXT}, {"since", WORD_TIME}}},
    {QUESTION_WHO_SAW, "look", {{"site", WORD_TEXT}, {"name", WORD_TEXT}, {"at", WORD_TIME}}},
    {QUESTION_SHARE, "rows", {{"table", WORD_TEXT}, {"count", WORD_NUMBER}, {"effect", WORD_TEXT}}},
    {QUESTION_SHARE, "site", {{"site", WORD_TEXT}, {"devices", WORD_NUMBER}}},
};

static const struct line_form *form_of(enum question_kind kind, struct bytes what)
{
    if (kind == QUESTION_UNSHARE) kind = QUESTION_SHARE;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (forms[i].kind == kind && bytes_equal(what, bytes_of_str(forms[i].what))) return &forms[i];
    return NULL;
}

struct showing {
    struct node *node;
    enum question_kind kind;
    struct json *list;   /* NULL: as text */
    const char *heading; /* the last one printed */
    size_t n;
};

/* Beside the code of a site or an agency its name; null where this device knows none. */
static enum err add_name(const struct showing *s, struct json *o, const char *key, struct bytes code, struct why *why)
{
    const bool site = strcmp(key, "site") == 0;
    const char *name_key = site ? "site_name" : "agency_name";
    struct buf name;
    if (!site && strcmp(key, "agency") != 0) return ERR_OK;
    buf_init(&name, 1u << 20);
    enum err e = look_reply_name(s->node, site ? LOOK_SITE : LOOK_AGENCY, code, &name, why);
    if (name.len > 0)
        json_set_text(o, name_key, buf_bytes(&name));
    else
        json_set_null(o, name_key);
    if (e == ERR_OK && name.err != ERR_OK)
        e = why_set(why, name.err, "There is not enough memory to show this answer.");
    buf_release(&name);
    return e;
}

static enum err add_json(struct showing *s, const struct line_form *f, const struct reply_line *l, struct why *why)
{
    struct json *o = json_object_new();
    enum err e = ERR_OK;
    char text[40];
    json_set_text(o, "what", look_reply_word(l, 0));
    for (size_t i = 0; f != NULL && i < 4 && f->words[i].name != NULL; i++) {
        struct bytes w = look_reply_word(l, i + 1);
        show_rfc3339(look_reply_number(w), text, sizeof text);
        if (f->words[i].kind == WORD_NUMBER)
            json_set_int(o, f->words[i].name, look_reply_number(w));
        else if (w.n == 0)
            json_set_null(o, f->words[i].name);
        else if (f->words[i].kind == WORD_TIME)
            json_set_str(o, f->words[i].name, text);
        else
            json_set_text(o, f->words[i].name, w);
        if (e == ERR_OK) e = add_name(s, o, f->words[i].name, w, why);
    }
    json_append(s->list, o);
    return e;
}

/* As sentences, each under its heading. */
static enum err say_text(struct showing *s, const struct reply_line *l, struct why *why)
{
    const char *heading = NULL;
    struct buf text;
    buf_init(&text, (size_t)REPLY_MAX_WORDS * (REPLY_MAX_WORD + 128));
    enum err e = look_reply_sentence(s->node, s->kind, l, &heading, &text, why);
    const char *line = buf_cstr(&text);
    if (e == ERR_OK && text.err != ERR_OK)
        e = why_set(why, text.err, "There is not enough memory to show this answer.");
    if (e == ERR_OK && line != NULL && text.len > 0) {
        plain_line((char *)text.data);
        if (heading != NULL && (s->heading == NULL || strcmp(s->heading, heading) != 0)) puts(heading);
        bool device = bytes_equal(look_reply_word(l, 0), bytes_of_str("device")); /* below its site */
        printf("%s%s\n", heading == NULL ? "" : device ? "    " : "  ", line);
        if (heading != NULL) s->heading = heading;
    }
    buf_release(&text);
    return e;
}

static enum err each_line(void *ctx, const struct reply_line *l, struct why *why)
{
    struct showing *s = ctx;
    s->n++;
    if (s->list == NULL) return say_text(s, l, why);
    return add_json(s, form_of(s->kind, look_reply_word(l, 0)), l, why);
}

enum err node_reply_show(struct work *w, enum question_kind kind, uint64_t number, const char *none, struct why *why)
{
    struct showing s = {.node = w->node, .kind = kind, .list = w->c->json ? json_array_new() : NULL};
    struct node_reply head;
    char text[64];
    enum err e = node_reply(w->node, number, &head, each_line, &s, why);
    if (e != ERR_OK) {
        json_free(s.list);
        return e;
    }
    if (!w->c->json) {
        if (s.n == 0) puts(none);
        show_time(head.hub_ms, text, sizeof text);
        fprintf(stderr, "As the MASH server knew it on %s.\n", text);
        return ERR_OK;
    }
    struct json *o = json_object_new();
    show_rfc3339(head.hub_ms, text, sizeof text);
    json_set_int(o, "question", (int64_t)number);
    json_set_bool(o, "replied", true);
    json_set_str(o, "as_of", text);
    json_set_obj(o, "lines", s.list);
    return show_json(o, why);
}
