/* search: everything that stands on this device (node/search.h). */
#include "cli/node_commands.h"
#include "cli/node_work.h"
#include "cli/plain.h"
#include "node/look.h"

#include <stdio.h>
#include <string.h>

#define TEXT_MAX 4096 /* bytes: more than is ever searched for, so that the refusal is of the search */
#define LINE_MAX 512

static void print_plain(const char *text)
{
    char line[LINE_MAX];
    plain_text(line, sizeof line, bytes_of_str(text == NULL ? "" : text));
    (void)fputs(line, stdout);
}

static void print_snippet(struct json *snippet)
{
    for (size_t i = 0; i < json_len(snippet); i++) print_plain(json_get_str(json_at(snippet, i), "text"));
}

/* Of a sensitive record, or of what was told in confidence, there is an agency: it learns that this was found. */
static void print_secret(struct json *hit)
{
    const char *code = json_get_str(hit, "agency"), *name = json_get_str(hit, "agency_name");
    (void)fputs("Its text is shown when you open the case.", stdout);
    if (code == NULL) return;
    (void)fputs(" It is of ", stdout);
    print_plain(name != NULL ? name : code);
    (void)fputs("; that you found it is noted.", stdout);
}

static void print_hit(struct json *hit)
{
    const char *reference = json_get_str(hit, "reference"), *rag = json_get_str(hit, "rag"),
               *status = json_get_str(hit, "status"), *person = json_get_str(hit, "person");
    print_plain(reference != NULL ? reference : json_get_str(hit, "case_id"));
    if (rag != NULL) (void)printf("  %s", rag);
    if (status != NULL) (void)printf("  %s", status);
    (void)printf("  %s", json_get_str(hit, "where"));
    if (person != NULL && strcmp(json_get_str(hit, "tbl"), "person") != 0) {
        (void)fputs(" about ", stdout);
        print_plain(person);
    }
    (void)fputs("\n    ", stdout);
    if (json_len(json_get(hit, "snippet")) > 0)
        print_snippet(json_get(hit, "snippet"));
    else
        print_secret(hit);
    (void)fputs("\n", stdout);
}

static void print_found(struct json *found)
{
    struct json *hits = json_get(found, "hits");
    for (size_t i = 0; i < json_len(hits); i++) print_hit(json_at(hits, i));
    if (json_len(hits) == 0) (void)puts("Nothing of this is on this device.");
    if (json_get_bool(found, "truncated", false)) (void)puts("There is more. Add a word to find fewer.");
}

static enum err join_args(const struct cli *c, struct buf *out, struct why *why)
{
    for (int i = 0; i < c->n_args; i++) {
        if (i > 0) buf_put_str(out, " ");
        buf_put_str(out, c->args[i]);
    }
    if (buf_cstr(out) != NULL) return ERR_OK;
    if (out->err == ERR_LIMIT) return why_set(why, ERR_LIMIT, "That is too long to be searched for.");
    return why_set(why, out->err, "There is not enough memory for this search.");
}

static enum err do_search(struct work *w, struct why *why)
{
    struct json *found = NULL;
    struct buf text;
    buf_init(&text, TEXT_MAX);
    enum err e = join_args(w->c, &text, why);
    if (e == ERR_OK) e = look_search(w->node, buf_cstr(&text), 0, &found, why);
    buf_release(&text);
    if (e != ERR_OK) return e;
    if (w->c->json) return show_json(found, why);
    print_found(found);
    json_free(found);
    return ERR_OK;
}

static enum err run_search(struct cli *c, struct why *why)
{
    return work_read(c, do_search, why);
}

const struct command node_search_commands[] = {
    {"search", "WORD...", 1, CLI_MAX_ARGS,
     "Search all cases on this device: names, numbers, references and texts. Words in any order, large or small letters, with "
     "or without accents; the last may be the beginning of one. Words within quotation marks have to stand side by side. Texts "
     "of sensitive records are searched too, but not shown in the list; that you found one is noted, as opening it is.",
     "spoke search smith broken arm", NULL, run_search},
    {0},
};
