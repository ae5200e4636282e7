/* request export, import: questions as a sheet to fill in beside another system, and its answers. */
#include "cli/node_commands.h"
#include "cli/node_work.h"
#include "node/act_answers.h"

#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------------------ export */
static enum err hand_out(struct work *w, struct buf *sheet, struct why *why)
{
    const char *file = cli_flag(w->c, "out");
    struct json *o = w->c->json ? json_object_new() : NULL;
    if (file != NULL) {
        enum err e = w->c->env->write_file(w->c->env->ctx, file, buf_bytes(sheet), why);
        if (e != ERR_OK) {
            json_free(o);
            return e;
        }
        fprintf(
            stderr,
            "The sheet is not encrypted, and says what was asked of your agency. Delete it once you have handed it in"
            " (spoke request import).\n");
        json_set_str(o, "file", file);
    } else if (o != NULL) {
        json_set_text(o, "csv", buf_bytes(sheet));
    } else if (fwrite(sheet->data, 1, sheet->len, stdout) != sheet->len) {
        return why_set(why, ERR_IO, "The sheet could not be written.");
    }
    return o != NULL ? show_json(o, why) : ERR_OK;
}

static enum err do_export(struct work *w, struct why *why)
{
    struct buf sheet;
    buf_init(&sheet, 64u << 20);
    enum err e = act_answers_form(w->node, &sheet, why);
    if (e == ERR_OK) e = hand_out(w, &sheet, why);
    buf_release(&sheet);
    return e;
}
static enum err run_export(struct cli *c, struct why *why)
{
    return work_read(c, do_export, why);
}

/* ------------------------------------------------------------------------------------------------------ import */
struct faults {
    bool json; /* then nothing but the error goes to stderr */
    size_t n;
    char first[200];
};

static void say_fault(void *ctx, unsigned line, const char *message)
{
    struct faults *f = ctx;
    if (f->n++ == 0) (void)snprintf(f->first, sizeof f->first, "Line %u: %.160s", line, message);
    if (!f->json) fprintf(stderr, "Line %u: %s\n", line, message);
}

static enum err say_taken(struct work *w, const struct act_answers_done *d, struct why *why)
{
    char answered[48], declined[48], records[48];
    if (w->c->json) {
        struct json *o = json_object_new();
        json_set_int(o, "answered", (int64_t)d->answered);
        json_set_int(o, "declined", (int64_t)d->declined);
        json_set_int(o, "records", (int64_t)d->records);
        json_set_int(o, "blank", (int64_t)d->blank);
        return show_json(o, why);
    }
    show_count(answered, sizeof answered, d->answered, "request answered", "requests answered");
    show_count(declined, sizeof declined, d->declined, "declined", "declined");
    show_count(records, sizeof records, d->records, "record added", "records added");
    printf("%s, %s, %s. They go out with the next contact.\n", answered, declined, records);
    if (d->blank != 0) fprintf(stderr, "%zu without a result: still to be answered.\n", d->blank);
    return ERR_OK;
}

static enum err read_sheet(struct work *w, struct buf *sheet, struct why *why)
{
    const char *path = strcmp(w->c->args[0], "-") == 0 ? "/dev/stdin" : w->c->args[0];
    enum err e = w->c->env->read_file(w->c->env->ctx, path, ANSWERS_MAX_BYTES, sheet, why);
    return e == ERR_LIMIT ? why_set(why, e, "The sheet is longer than 4 MiB. Hand it in in parts.") : e;
}

static enum err do_import(struct work *w, struct why *why)
{
    struct buf sheet;
    struct faults f = {.json = w->c->json};
    struct act_answers_done done;
    buf_init(&sheet, ANSWERS_MAX_BYTES + 1);
    enum err e = read_sheet(w, &sheet, why);
    if (e == ERR_OK) e = act_answers(w->node, buf_bytes(&sheet), say_fault, &f, &done, why);
    if (e == ERR_USAGE && f.n != 0 && f.json) e = why_next(why, e, "%s", f.first);
    buf_release(&sheet);
    return e == ERR_OK ? say_taken(w, &done, why) : e;
}
static enum err run_import(struct cli *c, struct why *why)
{
    return work_read(c, do_import, why);
}

static const struct flag export_flags[] = {{"out", "FILE", "where to (default: standard output)"}, {0}};

const struct command node_request_csv_commands[] = {
    {"request export", "", 0, 0, "The questions that wait for your agency's answer, as a sheet (CSV) to fill in.",
     "spoke request export --out questions.csv", export_flags, run_export},
    {"request import", "FILE", 1, 1, "Hand in such a sheet, filled in: all of it, or nothing. - reads standard input.",
     "spoke request import questions.csv", NULL, run_import},
    {0}};
