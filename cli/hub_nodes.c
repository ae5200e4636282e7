#include "cli/hub_nodes.h"

#include "cli/hub_home.h"
#include "cli/plain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_LAG 10000u /* rows of lag that the list counts of a device */
#define CELL     64
#define COLUMNS  10

static void set_time(struct json *o, const char *key, int64_t ms)
{
    char stamp[40];
    show_rfc3339(ms, stamp, sizeof stamp);
    json_set_str(o, key, ms != 0 ? stamp : NULL);
}

static void set_known(struct json *o, const char *key, int64_t v)
{
    if (v >= 0)
        json_set_int(o, key, v);
    else
        json_set_null(o, key);
}

/* Keys of hub/watch.h that the list and one device have alike. */
static void put_watched(struct json *o, const struct hub_device *d, int64_t now)
{
    set_known(o, "lag_rows", d->lag_rows);
    json_set_bool(o, "lag_more", d->lag_more);
    set_time(o, "lag_since", d->lag_since);
    set_time(o, "oldest_unsent", d->unsent > 0 ? d->oldest_unsent : 0);
    set_time(o, "lease_until", d->lease_ends);
    if (d->lease_ends != 0)
        json_set_int(o, "lease_left_ms", d->lease_ends - now);
    else
        json_set_null(o, "lease_left_ms");
    set_time(o, "oldest_unconfirmed_drop", d->unconfirmed_since);
    json_set_int(o, "held", d->waiting);
    set_known(o, "rows_held", d->heard ? d->held : -1);
    set_known(o, "rows_allowed", d->heard ? d->most : -1);
    json_set_str(o, "rows",
                 !d->heard                                     ? NULL
                 : d->stopped_at != 0                          ? "stopped"
                 : d->held * 100 >= d->most * HUB_BUDGET_ALARM ? "alarm"
                                                               : "ok");
    set_time(o, "rows_stopped_at", d->stopped_at);
    json_set_str(o, "last_error", d->refused_at != 0 ? d->refused : NULL);
    set_time(o, "last_error_at", d->refused_at);
    json_set_int(o, "last_error_times", d->refused_times);
    json_set_str(o, "fate", d->fate[0] != '\0' ? d->fate : NULL);
}

static struct json *device_json(const struct hub_device *d, int64_t now)
{
    struct json *o = json_object_new();
    char uuid[37];
    uuid_format(d->kid, uuid);
    json_set_str(o, "id", uuid);
    json_set_str(o, "site", d->site);
    json_set_str(o, "agency", d->agency);
    json_set_str(o, "state", d->state);
    set_time(o, "last_seen", d->last_seen);
    set_known(o, "unsent", d->unsent);
    json_set_int(o, "unconfirmed_drops", d->unconfirmed);
    if (d->last_seen != 0)
        json_set_int(o, "skew_ms", d->skew_ms);
    else
        json_set_null(o, "skew_ms");
    json_set_str(o, "software", d->software[0] != '\0' ? d->software : NULL);
    set_known(o, "schema", d->schema != 0 ? d->schema : -1);
    put_watched(o, d, now);
    return o;
}

/* -------------------------------------------------------------------------------------------------------- the table */

static const char *const titles[COLUMNS] = {"Device",    "Site",      "State", "Last contact", "Not sent",
                                            "Behind by", "To forget", "Holds", "Locks in",     "Software"};
struct nodes_table {
    char (*cells)[COLUMNS][CELL]; /* owned */
    size_t n, cap;
};

static void say_state(const struct hub_device *d, char *out)
{
    const char *word = d->state;
    if (strcmp(word, "waiting") == 0) word = "waiting for approval";
    if (strcmp(d->fate, "lost") == 0) word = "lost";
    if (strcmp(d->fate, "retired") == 0) word = strcmp(d->state, "wiped") == 0 ? "retired" : "to be retired";
    (void)snprintf(out, CELL, "%s", word);
}

static void say_lag(const struct hub_device *d, int64_t now, char *out)
{
    char age[32];
    if (d->lag_rows <= 0) {
        (void)snprintf(out, CELL, "%s", d->lag_rows == 0 ? "nothing" : "");
        return;
    }
    show_span(now > d->lag_since ? now - d->lag_since : 0, age, sizeof age);
    (void)snprintf(out, CELL, "%lld%s row%s, %s", (long long)d->lag_rows, d->lag_more ? " and more" : "",
                   d->lag_rows == 1 ? "" : "s", age);
}

static void say_rows(const struct hub_device *d, char *out)
{
    out[0] = '\0';
    if (!d->heard || d->held < 0) return;
    bool alarm = d->held * 100 >= d->most * HUB_BUDGET_ALARM;
    int n = snprintf(out, CELL, "%lld row%s", (long long)d->held, d->held == 1 ? "" : "s");
    if (d->stopped_at != 0 || alarm)
        (void)snprintf(out + n, CELL - (size_t)n, " of %lld%s", (long long)d->most,
                       d->stopped_at != 0 ? ": STOPPED" : ": nearly full");
}

static void say_lease(const struct hub_device *d, int64_t now, char *out)
{
    out[0] = '\0';
    if (!d->heard || d->lease_ends == 0) return;
    if (d->lease_ends > now)
        show_span(d->lease_ends - now, out, CELL);
    else
        (void)snprintf(out, CELL, "locked");
}

static void say_unsent(const struct hub_device *d, int64_t now, char *out)
{
    char age[32];
    out[0] = '\0';
    if (d->unsent >= 0) (void)snprintf(out, CELL, "%lld", (long long)d->unsent);
    if (d->unsent <= 0 || d->oldest_unsent == 0) return;
    show_span(now > d->oldest_unsent ? now - d->oldest_unsent : 0, age, sizeof age);
    (void)snprintf(out, CELL, "%lld, %s old", (long long)d->unsent, age);
}

static void say_forget(const struct hub_device *d, int64_t now, char *out)
{
    char age[32];
    (void)snprintf(out, CELL, "%lld", (long long)d->unconfirmed);
    if (d->unconfirmed == 0) return;
    show_span(now > d->unconfirmed_since ? now - d->unconfirmed_since : 0, age, sizeof age);
    (void)snprintf(out, CELL, "%lld, for %s", (long long)d->unconfirmed, age);
}

static enum err table_add(struct nodes_table *t, const struct hub_device *d, int64_t now, struct why *why)
{
    if (t->n == t->cap) {
        size_t cap = t->cap == 0 ? 32 : t->cap * 2;
        void *grown = reallocarray(t->cells, cap, sizeof *t->cells);
        if (grown == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory for this list.");
        t->cells = grown;
        t->cap = cap;
    }
    char(*row)[CELL] = t->cells[t->n++];
    uuid_format(d->kid, row[0]);
    plain_text(row[1], CELL, bytes_of_str(d->site));
    say_state(d, row[2]);
    row[3][0] = '\0';
    if (d->last_seen != 0) show_time(d->last_seen, row[3], CELL);
    say_unsent(d, now, row[4]);
    say_lag(d, now, row[5]);
    say_forget(d, now, row[6]);
    say_rows(d, row[7]);
    say_lease(d, now, row[8]);
    plain_text(row[9], CELL, bytes_of_str(d->software));
    return ERR_OK;
}

static size_t width_of(const char *s)
{
    size_t w = 0;
    for (; *s != '\0'; s++) w += ((uint8_t)*s & 0xC0) != 0x80;
    return w;
}

static void table_print(const struct nodes_table *t)
{
    size_t width[COLUMNS];
    for (size_t i = 0; i < COLUMNS; i++) {
        width[i] = width_of(titles[i]);
        for (size_t r = 0; r < t->n; r++)
            if (width_of(t->cells[r][i]) > width[i]) width[i] = width_of(t->cells[r][i]);
    }
    for (size_t r = 0; r <= t->n; r++) {
        size_t gap = 0;
        for (size_t i = 0; i < COLUMNS; i++) {
            const char *cell = r == 0 ? titles[i] : t->cells[r - 1][i];
            if (cell[0] == '\0') {
                gap += width[i] + 2;
                continue;
            }
            printf("%*s%s", (int)gap, "", cell);
            gap = width[i] - width_of(cell) + 2;
        }
        putchar('\n');
    }
}

/* By site, and by number within it, as ever. */
static int by_site(const void *a, const void *b)
{
    const struct hub_device *x = a, *y = b;
    int order = strcmp(x->site, y->site);
    return order != 0 ? order : x->no < y->no ? -1 : x->no > y->no;
}

struct all {
    struct hub_device *v; /* owned */
    size_t n, cap;
};

static enum err read_all(struct hub *h, struct all *out, struct why *why)
{
    struct hub_device d = {0};
    bool found = true;
    while (found) {
        enum err e = hub_device_next(h, d.no, LIST_LAG, &d, &found, why);
        if (e != ERR_OK) return e;
        if (found && out->n == out->cap) {
            size_t cap = out->cap == 0 ? 32 : out->cap * 2;
            struct hub_device *grown = reallocarray(out->v, cap, sizeof *grown);
            if (grown == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory for this list.");
            out->v = grown;
            out->cap = cap;
        }
        if (found) out->v[out->n++] = d;
    }
    if (out->n > 0) qsort(out->v, out->n, sizeof *out->v, by_site);
    return ERR_OK;
}

enum err hub_nodes_list(struct cli *c, struct hub *h, struct why *why)
{
    struct all all = {0};
    struct nodes_table t = {0};
    struct json *list = c->json ? json_array_new() : NULL;
    int64_t now = env_now(c->env);
    enum err e = read_all(h, &all, why);
    for (size_t i = 0; e == ERR_OK && i < all.n; i++) {
        if (c->json)
            json_append(list, device_json(&all.v[i], now));
        else
            e = table_add(&t, &all.v[i], now, why);
    }
    if (e == ERR_OK && c->json) {
        e = json_print(list, stdout, why);
    } else if (e == ERR_OK && all.n == 0) {
        puts("No device is enrolled yet.");
    } else if (e == ERR_OK) {
        table_print(&t);
    }
    json_free(list);
    free(t.cells);
    free(all.v);
    return e;
}

/* ------------------------------------------------------------------------------------------------------- one device */

static void line(const char *title, const char *text)
{
    if (text[0] != '\0') printf("%-18s %s\n", title, text);
}

static void say_stop(const struct hub_device *d)
{
    if (d->stopped_at == 0) return;
    printf(
        "%-18s It holds as many rows as it may (%lld), and gets nothing new. What is written on it still comes here, and\n"
        "%-18s what it has to forget it still forgets. Give it more room with: spoke-hub node budget ID ROWS, or end its\n"
        "%-18s site's part in cases that it no longer needs.\n",
        "Stopped", (long long)d->most, "", "");
}

static void say_error(const struct hub_device *d)
{
    char when[64], text[sizeof d->refused];
    if (d->refused_at == 0) return;
    show_time(d->refused_at, when, sizeof when);
    plain_text(text, sizeof text, bytes_of_str(d->refused));
    if (d->refused_times > 1)
        printf("%-18s %s (%s; %lld times)\n", "Refused last", text, when, (long long)d->refused_times);
    else
        printf("%-18s %s (%s)\n", d->refused_times == 1 ? "Refused last" : "Not taken in last", text, when);
}

enum err hub_nodes_more(struct cli *c, struct hub *h, const uint8_t kid[16], struct json *o, struct why *why)
{
    struct hub_device d;
    char cell[CELL], spoken[64];
    int64_t now = env_now(c->env);
    enum err e = hub_device_get(h, kid, UINT64_MAX, &d, why);
    if (e != ERR_OK) return e;
    identity_spoken(kid, spoken, sizeof spoken);
    if (o != NULL) {
        put_watched(o, &d, now);
        json_set_str(o, "fingerprint", spoken);
        json_set_str(o, "software", d.software[0] != '\0' ? d.software : NULL);
        return ERR_OK;
    }
    line("Fingerprint", spoken);
    plain_text(cell, sizeof cell, bytes_of_str(d.software));
    line("Software", cell);
    say_state(&d, cell);
    if (strcmp(cell, d.state) != 0) line("That is", cell);
    say_lag(&d, now, cell);
    line("Behind by", cell);
    say_lease(&d, now, cell);
    line("Locks in", cell);
    say_rows(&d, cell);
    line("Holds", cell);
    say_stop(&d);
    say_error(&d);
    return ERR_OK;
}

/* ---------------------------------------------------------------------------------------------------------- budgets */

enum err hub_nodes_budget(struct cli *c, struct hub *h, const uint8_t *kid, const char *rows, struct why *why)
{
    char uuid[37], said[200], *end = NULL;
    const char *reason = cli_flag(c, "reason");
    bool usual = strcmp(rows, "usual") == 0;
    unsigned long long n = usual ? 0 : strtoull(rows, &end, 10);
    if (!usual && (*rows < '1' || *rows > '9' || *end != '\0' || n > (unsigned long long)HUB_BUDGET_MOST))
        return why_set(why, ERR_USAGE, "ROWS is a number from 1 to %lld, or the word usual.", HUB_BUDGET_MOST);
    enum err e = hub_budget(h, kid, (int64_t)n, reason, why);
    if (e != ERR_OK) return e;
    if (kid != NULL) uuid_format(kid, uuid);
    const char *who = kid != NULL ? "The device" : "Each device of which nothing else is said";
    if (usual)
        (void)snprintf(said, sizeof said, "%s may hold as many rows as usual.", who);
    else
        (void)snprintf(said, sizeof said,
                       "%s may hold %llu row%s. One that holds more keeps them, and gets nothing new.", who, n,
                       n == 1 ? "" : "s");
    return hub_home_said(c, "budget", kid != NULL ? uuid : "all", said, why);
}
