/* summary: the one page about a case that is read at a meeting. */
#include "base/when.h"
#include "cli/html.h"
#include "cli/node_commands.h"
#include "cli/node_work.h"
#include "cli/plain.h"
#include "node/look.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_MAX (64u << 20)

/* ---------------------------------------------------------------------------------------------------------- text */
static void one_line(FILE *f, const char *text)
{
    char line[4096];
    plain_text(line, sizeof line, bytes_of_str(text != NULL ? text : ""));
    fputs(line, f);
}

/* A value of several lines stands below its label, each after a margin: none passes for the program's own words. */
static void labelled(FILE *f, const char *label, const char *value)
{
    bool short_one = strchr(value, '\n') == NULL && strlen(value) < 2000;
    fputs("  ", f);
    one_line(f, label);
    fputs(short_one ? ": " : ":\n", f);
    if (!short_one) {
        plain_block(f, "    | ", bytes_of_str(value));
        return;
    }
    one_line(f, value);
    fputc('\n', f);
}

static const char *text_of(struct json *j)
{
    const char *s = json_as_str(j);
    return s != NULL ? s : "";
}

static void put_rows(FILE *f, struct json *columns, struct json *rows)
{
    for (size_t i = 0; i < json_len(rows); i++) {
        struct json *row = json_at(rows, i);
        for (size_t k = 0; k < json_len(row); k++)
            if (*text_of(json_at(row, k)) != '\0') labelled(f, text_of(json_at(columns, k)), text_of(json_at(row, k)));
        if (i + 1 < json_len(rows)) fputc('\n', f);
    }
}

static void put_section(FILE *f, struct json *s)
{
    struct json *facts = json_get(s, "facts"), *notes = json_get(s, "notes");
    fputc('\n', f);
    one_line(f, json_get_str(s, "heading"));
    fputc('\n', f);
    for (size_t i = 0; i < json_len(facts); i++) {
        struct json *fact = json_at(facts, i);
        labelled(f, text_of(json_get(fact, "label")), text_of(json_get(fact, "value")));
    }
    put_rows(f, json_get(s, "columns"), json_get(s, "rows"));
    for (size_t i = 0; i < json_len(notes); i++) plain_block(f, "  - ", bytes_of_str(text_of(json_at(notes, i))));
}

static void put_text(FILE *f, struct json *summary)
{
    struct json *sections = json_get(summary, "sections");
    const char *at = json_get_str(summary, "made_at"), *who = json_get_str(json_get(summary, "made_by"), "name");
    char when[64] = "";
    int64_t ms = 0;
    if (at != NULL && when_read_rfc3339(at, &ms, NULL) == ERR_OK) show_time(ms, when, sizeof when);
    one_line(f, json_get_str(summary, "title"));
    fprintf(f, "\nMade %s%s", when, who != NULL ? " by " : "");
    one_line(f, who);
    fputs(". Confidential: what your agency may see of this case at that moment, and no more.\n", f);
    for (size_t i = 0; i < json_len(sections); i++) put_section(f, json_at(sections, i));
}

static enum err write_text(struct json *summary, struct buf *out, struct why *why)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    if (f == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory for this summary.");
    put_text(f, summary);
    bool failed = ferror(f) != 0;
    failed = fclose(f) != 0 || failed;
    if (!failed) buf_put(out, text, n);
    if (text != NULL) explicit_bzero(text, n);
    free(text);
    if (failed || out->err != ERR_OK)
        return why_set(why, failed ? ERR_NOMEM : out->err, "This summary is too long to be written at once.");
    return ERR_OK;
}

/* ------------------------------------------------------------------------------------------------------- command */
static enum err give_out(struct work *w, struct buf *page, struct why *why)
{
    const char *path = cli_flag(w->c, "out");
    if (path == NULL) {
        if (fwrite(page->data, 1, page->len, stdout) != page->len)
            return why_set(why, ERR_IO, "The summary could not be written out whole.");
        return ERR_OK;
    }
    enum err e = w->c->env->write_file(w->c->env->ctx, path, buf_bytes(page), why);
    if (e == ERR_OK)
        fprintf(stderr,
                "Written. That file is not locked as this device is: keep it as you keep the case, and remove it"
                " when it is no longer needed.\n");
    return e;
}

/* The days that --from and --to name; they borrow from `text`. */
static enum err read_days(struct work *w, char text[2][SHOW_DAY], struct look_days *out, struct why *why)
{
    const char *from = cli_flag(w->c, "from"), *to = cli_flag(w->c, "to");
    enum err e = from != NULL ? show_read_day(from, text[0], why) : ERR_OK;
    if (e == ERR_OK && to != NULL) e = show_read_day(to, text[1], why);
    *out = (struct look_days){.from = from != NULL ? text[0] : NULL, .to = to != NULL ? text[1] : NULL};
    return e;
}

static enum err do_summary(struct work *w, struct why *why)
{
    const char *format = cli_flag(w->c, "format");
    const bool html = format != NULL && strcmp(format, "html") == 0;
    uint8_t id[16];
    char text[2][SHOW_DAY];
    struct look_days days;
    struct json *summary = NULL;
    struct buf page;
    if (format != NULL && !html && strcmp(format, "text") != 0)
        return why_set(why, ERR_USAGE, "--format is text or html.");
    enum err e = read_days(w, text, &days, why);
    if (e == ERR_OK) e = work_pick(w, "case_file", w->c->args[0], id, why);
    if (e == ERR_OK) e = look_summary_of_days(w->node, id, days, &summary, why);
    buf_init(&page, PAGE_MAX);
    if (e == ERR_OK && w->c->json) {
        e = json_write(summary, &page, why);
        buf_put_u8(&page, '\n');
    } else if (e == ERR_OK) {
        e = html ? html_summary(summary, &page, why) : write_text(summary, &page, why);
    }
    if (e == ERR_OK) e = give_out(w, &page, why);
    buf_release(&page);
    json_free(summary);
    return e;
}
static enum err run_summary(struct cli *c, struct why *why)
{
    return work_read(c, do_summary, why);
}

static const struct flag summary_flags[] = {{"from", "DAY", "only what happened from this day on"},
                                            {"to", "DAY", "only what happened until the end of this day"},
                                            {"format", "HOW", "text (default) or html, to be printed"},
                                            {"out", "FILE", "into this file, not to the screen"},
                                            {0}};
const struct command node_summary_commands[] = {
    {"summary", "CASE", 1, 1,
     "The one-page summary of a case for a meeting: who, what was said by whom, what is not shown, what was decided. It counts "
     "as a look at every sensitive record in it.",
     "spoke summary C-7K2M9QXD --format html --out summary.html", summary_flags, run_summary},
    {0}};
