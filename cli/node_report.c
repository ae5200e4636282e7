/* report, audit list: what was done, and how well. */
#include "base/csv.h"
#include "cli/node_commands.h"
#include "cli/node_work.h"
#include "cli/plain.h"
#include "node/look_list.h"

#include <stdio.h>
#include <string.h>

#define FILE_MAX (64u << 20) /* bytes of a CSV file */

/* --from D --to D: whole days. The last one counts too, so a day that is named ends with the next one. */
static enum err read_period(struct work *w, int64_t *from, int64_t *to, struct why *why)
{
    struct value a = value_int(0), b = value_int(0);
    const char *last = cli_flag(w->c, "to");
    enum err e = work_time_flag(w, "from", value_int(0), &a, why);
    if (e == ERR_OK) e = work_time_flag(w, "to", value_int(0), &b, why);
    if (e != ERR_OK) return e;
    *from = a.i;
    *to = b.i;
    if (last != NULL && rules_date_ok(bytes_of_str(last))) *to = show_day_end(*to);
    if (*from != 0 && *to != 0 && *from >= *to)
        return why_set(why, ERR_USAGE, "--from is later than --to: no time lies between them.");
    return ERR_OK;
}

/* Into a file of the person's choice, "-" for standard output. */
static enum err put_file(struct work *w, const char *path, const struct buf *csv, struct why *why)
{
    if (strcmp(path, "-") != 0) return w->c->env->write_file(w->c->env->ctx, path, buf_bytes(csv), why);
    if (csv->len == fwrite(csv->data, 1, csv->len, stdout) && fflush(stdout) == 0) return ERR_OK;
    return why_set(why, ERR_IO, "The list could not be written to where it should go.");
}

static enum err say_written(struct work *w, const char *path, const struct buf *csv, struct why *why)
{
    if (strcmp(path, "-") == 0) return ERR_OK;
    if (!w->c->json) {
        printf("Written: %zu bytes. It names cases: keep it where only those may read it who may read them here.\n",
               csv->len);
        return ERR_OK;
    }
    struct json *o = json_object_new();
    json_set_int(o, "bytes", (int64_t)csv->len);
    return show_json(o, why);
}

/* ------------------------------------------------------------------------------------------------------ report */
static void plain_str(char *out, size_t n, const char *text)
{
    plain_text(out, n, bytes_of_str(text != NULL ? text : ""));
}

static void print_groups(struct json *all, const char *key, const char *heading)
{
    char label[200];
    struct json *list = json_get(all, key);
    if (json_len(list) == 0) return;
    printf("\n%s\n", heading);
    for (size_t i = 0; i < json_len(list); i++) {
        struct json *g = json_at(list, i);
        plain_str(label, sizeof label, json_get_str(g, "label"));
        printf("  %6lld  %s\n", (long long)json_get_int(g, "cases", 0), label);
    }
}

static void print_share(struct json *o, const char *key)
{
    double share = json_get_real(o, key, -1);
    if (share >= 0) printf(", %.0f%% in time", share * 100);
}

static void print_span(const char *before, struct json *o)
{
    char span[64];
    int64_t minutes = json_get_int(o, "median_minutes", -1);
    if (minutes < 0) return;
    show_span(minutes * 60000, span, sizeof span);
    printf("%s%s", before, span);
}

static const char *or_none(const char *rag)
{
    return rag != NULL ? rag : "none";
}

static void print_ratings(struct json *all)
{
    struct json *list = json_get(all, "by_rating"), *times = json_get(all, "times");
    if (json_len(list) != 0) puts("\nRating before and after the decision");
    for (size_t i = 0; i < json_len(list); i++) {
        struct json *g = json_at(list, i);
        printf("  %6lld  %s, then %s\n", (long long)json_get_int(g, "cases", 0), or_none(json_get_str(g, "before")),
               or_none(json_get_str(g, "after")));
    }
    puts("\nTime to a decision, by the first rating");
    for (size_t i = 0; i < json_len(times); i++) {
        struct json *t = json_at(times, i);
        printf("  %6lld  %s", (long long)json_get_int(t, "cases", 0), or_none(json_get_str(t, "rag")));
        print_span(", half of them within ", t);
        print_share(t, "share");
        putchar('\n');
    }
}

static void print_partners(struct json *all)
{
    char name[200];
    struct json *list = json_get(all, "partners");
    if (json_len(list) == 0) return;
    puts("\nAnswers of partners");
    for (size_t i = 0; i < json_len(list); i++) {
        struct json *p = json_at(list, i);
        const char *said = json_get_str(p, "agency_name");
        plain_str(name, sizeof name, said != NULL ? said : json_get_str(p, "agency"));
        printf("  %6lld  asked of %s: %lld answered, %lld declined, %lld late", (long long)json_get_int(p, "asked", 0),
               name, (long long)json_get_int(p, "answered", 0), (long long)json_get_int(p, "declined", 0),
               (long long)json_get_int(p, "late", 0));
        print_span(", half of them within ", p);
        print_share(p, "share_in_time");
        putchar('\n');
    }
}

static void print_report(struct json *all)
{
    struct json *again = json_get(all, "re_referrals"), *red = json_get(all, "red_in_time");
    printf("Cases: %lld. With somebody who had been referred within the year before: %lld.\n",
           (long long)json_get_int(all, "cases", 0), (long long)json_get_int(again, "cases", 0));
    if (json_get_int(red, "cases", 0) != 0)
        printf("Red cases decided within their time: %lld of %lld.\n", (long long)json_get_int(red, "within", 0),
               (long long)json_get_int(red, "cases", 0));
    print_groups(all, "by_source", "Who referred");
    print_groups(all, "by_need", "Primary need");
    print_groups(all, "by_issue", "Presenting issue");
    print_groups(all, "by_outcome", "Outcome");
    print_ratings(all);
    print_partners(all);
}

static enum err do_report(struct work *w, struct why *why)
{
    struct look_performance ask = {.area = cli_flag(w->c, "area")};
    const char *path = cli_flag(w->c, "csv");
    struct json *all = NULL;
    struct buf csv;
    enum err e = read_period(w, &ask.from, &ask.to, why);
    if (e != ERR_OK) return e;
    if (path != NULL) {
        buf_init(&csv, FILE_MAX);
        e = look_performance_csv(w->node, &ask, &csv, why);
        if (e == ERR_OK) e = put_file(w, path, &csv, why);
        if (e == ERR_OK) e = say_written(w, path, &csv, why);
        buf_release(&csv);
        return e;
    }
    e = look_performance(w->node, &ask, &all, why);
    if (e == ERR_OK && w->c->json) return show_json(all, why);
    if (e == ERR_OK) print_report(all);
    json_free(all);
    return e;
}
static enum err run_report(struct cli *c, struct why *why)
{
    return work_read(c, do_report, why);
}

/* ------------------------------------------------------------------------------------------------------- audit */
static enum err read_ask(struct work *w, struct look_audit *ask, uint8_t case_id[16], struct why *why)
{
    enum err e = read_period(w, &ask->from, &ask->to, why);
    if (e == ERR_OK && cli_has(w->c, "case")) {
        e = work_pick(w, "case_file", cli_flag(w->c, "case"), case_id, why);
        ask->case_id = case_id;
    }
    ask->kind = cli_flag(w->c, "kind");
    return e;
}

static enum err print_audit(struct json *all, struct why *why)
{
    char at[64], what[300], name[160];
    struct json *list = json_get(all, "entries");
    enum err e = ERR_OK;
    for (size_t i = 0; i < json_len(list) && e == ERR_OK; i++) {
        struct json *o = json_at(list, i);
        const char *said = json_get_str(o, "at"); /* none by a clock that was beyond all calendars */
        int64_t ms = 0;
        if (said != NULL) e = show_read_time(said, 0, &ms, why);
        if (e != ERR_OK) break;
        show_time(ms, at, sizeof at);
        plain_str(what, sizeof what, json_get_str(o, "what"));
        plain_str(name, sizeof name, json_get_str(json_get(o, "person"), "name"));
        const char *reference = json_get_str(o, "reference");
        printf("%-21s %-13s %-12s %s%s%s\n", said != NULL ? at : "?", json_get_str(o, "kind"),
               reference != NULL ? reference : "", name, name[0] != '\0' ? ": " : "", what);
    }
    if (e != ERR_OK) return e;
    if (json_len(list) == 0) puts("Nothing of that kind was done on this device.");
    if ((int64_t)json_len(list) < json_get_int(all, "total", 0))
        printf("These are the newest %zu of %lld. All of them: spoke audit list --csv FILE\n", json_len(list),
               (long long)json_get_int(all, "total", 0));
    return ERR_OK;
}

static enum err do_audit(struct work *w, struct why *why)
{
    struct look_audit ask = {0};
    uint8_t case_id[16];
    const char *path = cli_flag(w->c, "csv");
    struct json *all = NULL;
    struct buf csv;
    enum err e = read_ask(w, &ask, case_id, why);
    if (e != ERR_OK) return e;
    if (path != NULL) {
        buf_init(&csv, FILE_MAX);
        e = look_audit_csv(w->node, &ask, &csv, why);
        if (e == ERR_OK) e = put_file(w, path, &csv, why);
        if (e == ERR_OK) e = say_written(w, path, &csv, why);
        buf_release(&csv);
        return e;
    }
    e = look_audit(w->node, &ask, &all, why);
    if (e == ERR_OK && w->c->json) return show_json(all, why);
    if (e == ERR_OK) e = print_audit(all, why);
    json_free(all);
    return e;
}
static enum err run_audit(struct cli *c, struct why *why)
{
    return work_read(c, do_audit, why);
}

static const struct flag report_flags[] = {{"from", "DAY", "cases received since then (default: all)"},
                                           {"to", "DAY", "and until the end of that day"},
                                           {"area", "AREA", "only cases of this area"},
                                           {"csv", "FILE", "one line a case, for a spreadsheet; - for standard output"},
                                           {0}};
static const struct flag audit_flags[] = {
    {"from", "DAY", "since then (default: all)"},
    {"to", "DAY", "and until the end of that day"},
    {"case", "CASE", "only what was done in this case"},
    {"kind", "KIND", "collection, alteration, consultation, disclosure, combination or erasure"},
    {"csv", "FILE", "all of it, for a spreadsheet; - for standard output"},
    {0}};

const struct command node_report_commands[] = {
    {"report", "", 0, 0,
     "How the MASH does, counted from the cases on this device: who referred, needs, ratings before and after, outcomes, "
     "times, people referred again, answers of partners.",
     "spoke report --from 2026-10-01 --to 2026-12-31 --csv quarter.csv", report_flags, run_report},
    {"audit list", "", 0, 0,
     "What was done on this device, by whom and when, newest first: the six acts of which the law wants a log. It has no "
     "text of any record.",
     "spoke audit list --kind disclosure --from 2026-11-01", audit_flags, run_audit},
    {0}};
