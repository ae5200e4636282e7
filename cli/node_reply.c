#include "cli/node_reply.h"

#include "cli/plain.h"

#include <stdlib.h>
#include <string.h>

enum word_kind { WORD_TEXT, WORD_TIME, WORD_NUMBER };

/* What the words of a line are, after the first: hub/RULES.md. */
struct line_form {
    enum question_kind kind;
    const char *what;
    struct {
        const char *name;
        enum word_kind kind;
    } words[4];
    const char *heading;
};
static const struct line_form forms[] = {
    {QUESTION_EXPLAIN, "channel", {{"channel", WORD_TEXT}, {"sentence", WORD_TEXT}}, "Why it is here"},
    {QUESTION_EXPLAIN,
     "seat",
     {{"access", WORD_TEXT}, {"since", WORD_TIME}, {"until", WORD_TIME}, {"basis", WORD_TEXT}},
     "How your site takes part"},
    {QUESTION_EXPLAIN, "site", {{"site", WORD_TEXT}, {"agency", WORD_TEXT}}, "Who else sees it"},
    {QUESTION_WHO_SAW,
     "site",
     {{"site", WORD_TEXT}, {"agency", WORD_TEXT}, {"from", WORD_TIME}, {"until", WORD_TIME}},
     "Who could see it"},
    {QUESTION_WHO_SAW,
     "device",
     {{"device", WORD_TEXT}, {"site", WORD_TEXT}, {"state", WORD_TEXT}, {"since", WORD_TIME}},
     "Who could see it"},
    {QUESTION_SHARE,
     "rows",
     {{"table", WORD_TEXT}, {"count", WORD_NUMBER}, {"effect", WORD_TEXT}},
     "What it would do, of what your site sees"},
    {QUESTION_SHARE, "site", {{"site", WORD_TEXT}, {"devices", WORD_NUMBER}}, "Where"},
};

static const struct line_form *form_of(enum question_kind kind, struct bytes what)
{
    if (kind == QUESTION_UNSHARE) kind = QUESTION_SHARE;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (forms[i].kind == kind && bytes_equal(what, bytes_of_str(forms[i].what))) return &forms[i];
    return NULL;
}

struct showing {
    enum question_kind kind;
    struct json *list;   /* NULL: as text */
    const char *heading; /* the last one printed */
    size_t n;
};

static struct bytes word(const struct reply_line *l, size_t i)
{
    return i < l->n ? l->word[i] : (struct bytes){0};
}

/* Unix milliseconds; 0 for none. */
static int64_t number(struct bytes w)
{
    char text[24] = "";
    if (w.n < sizeof text && w.n > 0) memcpy(text, w.p, w.n);
    return strtoll(text, NULL, 10);
}

static void add_json(struct showing *s, const struct line_form *f, const struct reply_line *l)
{
    struct json *o = json_object_new();
    char text[40];
    json_set_text(o, "what", word(l, 0));
    for (size_t i = 0; f != NULL && i < 4 && f->words[i].name != NULL; i++) {
        struct bytes w = word(l, i + 1);
        show_rfc3339(number(w), text, sizeof text);
        if (f->words[i].kind == WORD_NUMBER)
            json_set_int(o, f->words[i].name, number(w));
        else if (w.n == 0)
            json_set_null(o, f->words[i].name);
        else if (f->words[i].kind == WORD_TIME)
            json_set_str(o, f->words[i].name, text);
        else
            json_set_text(o, f->words[i].name, w);
    }
    json_append(s->list, o);
}

/* ---------------------------------------------------------------------------------------------------------- as text */

static void say_time(const char *before, struct bytes w)
{
    char text[64];
    if (w.n == 0) return;
    show_time(number(w), text, sizeof text);
    printf("%s%s", before, text);
}

static const char *seat_words(const char *access)
{
    static const struct {
        const char *access, *words;
    } all[] = {
        {"check", "It is asked to check what it knows"},
        {"view", "It may read the case"},
        {"contribute", "It works on the case"},
        {"room", "It is the MASH room of the area"},
        {"lead", "It leads the case"},
        {"out_of_hours", "It serves the area out of hours"},
        {"own", "It keeps what its agency wrote and was told"},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (strcmp(access, all[i].access) == 0) return all[i].words;
    return access;
}

static const char *state_words(const char *state)
{
    if (strcmp(state, "holds") == 0) return "could hold it since";
    if (strcmp(state, "confirmed") == 0) return "confirmed having forgotten it on";
    if (strcmp(state, "unconfirmed") == 0) return "was told to forget it, and has not confirmed that, since";
    return state;
}

static void say_explain(const struct line_form *f, const struct reply_line *l, const char *first, const char *second)
{
    char basis[REPLY_MAX_WORD + 1];
    if (strcmp(f->what, "channel") == 0) printf("  %s (%s)", second, first);
    if (strcmp(f->what, "site") == 0) printf("  %s (%s)", first, second);
    if (strcmp(f->what, "seat") != 0) return;
    printf("  %s", seat_words(first));
    say_time(", since ", word(l, 2));
    say_time(", until ", word(l, 3));
    plain_text(basis, sizeof basis, word(l, 4));
    if (basis[0] != '\0') printf("; basis: %s", basis);
}

static void say_saw(const struct line_form *f, const struct reply_line *l, const char *first, const char *second)
{
    char state[REPLY_MAX_WORD + 1];
    plain_text(state, sizeof state, word(l, 3));
    if (strcmp(f->what, "device") == 0) {
        printf("    device %s %s", first, state_words(state));
        say_time(" ", word(l, 4));
        return;
    }
    printf("  %s (%s)", first, second);
    say_time(" from ", word(l, 3));
    say_time(" until ", word(l, 4));
    if (word(l, 4).n == 0) printf(", and sees it still");
}

static void say_preview(const struct line_form *f, const struct reply_line *l, const char *first, const char *second)
{
    char effect[REPLY_MAX_WORD + 1];
    long long n = strtoll(second, NULL, 10);
    plain_text(effect, sizeof effect, word(l, 3));
    if (strcmp(f->what, "rows") == 0)
        printf("  %s: %lld would %s", first, n, effect);
    else
        printf("  %s: %lld of its devices %s the case now", first, n, n == 1 ? "holds" : "hold");
}

static void say_text(struct showing *s, const struct line_form *f, const struct reply_line *l)
{
    char first[REPLY_MAX_WORD + 1], second[REPLY_MAX_WORD + 1];
    plain_text(first, sizeof first, word(l, 1));
    plain_text(second, sizeof second, word(l, 2));
    if (f == NULL) {
        if (bytes_equal(word(l, 0), bytes_of_str("more"))) puts("There is more, but a reply takes no more lines.");
        return;
    }
    if (s->heading == NULL || strcmp(s->heading, f->heading) != 0) puts(f->heading);
    s->heading = f->heading;
    if (s->kind == QUESTION_EXPLAIN)
        say_explain(f, l, first, second);
    else if (s->kind == QUESTION_WHO_SAW)
        say_saw(f, l, first, second);
    else
        say_preview(f, l, first, second);
    putchar('\n');
}

static enum err each_line(void *ctx, const struct reply_line *l, struct why *why)
{
    struct showing *s = ctx;
    const struct line_form *f = form_of(s->kind, word(l, 0));
    (void)why;
    s->n++;
    if (s->list != NULL)
        add_json(s, f, l);
    else
        say_text(s, f, l);
    return ERR_OK;
}

enum err node_reply_show(struct work *w, enum question_kind kind, uint64_t number, const char *none, struct why *why)
{
    struct showing s = {.kind = kind, .list = w->c->json ? json_array_new() : NULL};
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
