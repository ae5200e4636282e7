/* How fast a device finds things among many cases: searches, duplicates, board and case page, beside a raw scan (LIKE
 * over record.body of the same store). Also what the search index costs: on taking the rows, to fill, and in bytes.
 *
 * bench_look [cases] [records] — 20000 and 400000 if nothing is said.
 * bench_look --home DIR [cases] [records] — make such a home instead, and leave it there for tests/bench/pages.
 * Prints its passphrase. */
#include "node/look.h"
#include "node/search.h"
#include "tests/lib/bench_cases.h"
#include "tests/lib/mock_hub.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define REPEATS 15u

struct bench {
    struct mock_world w;
    struct bench_cases c;
};

/* -------------------------------------------------------------------------------------------------------- measured */

static int64_t number(struct bench *b, const char *sql)
{
    uint64_t v = 0;
    struct why why = {0};
    BENCH_MUST(state_ask(node_db(b->w.node), sql, &v, &why));
    return (int64_t)v;
}

static double megabytes(struct bench *b)
{
    return (double)number(b, "PRAGMA page_count") * 4096 / 1e6;
}

static void search(struct bench *b, const char *what, const char *text)
{
    char sql[256], name[128];
    struct bench_pair p = {.n = REPEATS};
    struct why why = {0};
    int64_t hits = 0;
    bool truncated = false;
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM record WHERE body LIKE '%%%s%%'", text);
    for (size_t i = 0; i < REPEATS; i++) {
        struct json *found = NULL;
        struct bench_time start = bench_now();
        BENCH_MUST(look_search(b->w.node, text, 0, &found, &why));
        p.ours[i] = bench_since(start);
        hits = json_get_int(found, "total", 0);
        truncated = json_get_bool(found, "truncated", false);
        json_free(found);
        start = bench_now();
        if (i == 0 || b->c.records <= 50000) (void)number(b, sql); /* the raw scan says the same each time */
        p.raw[i] = i == 0 || b->c.records <= 50000 ? bench_since(start) : p.raw[0];
    }
    (void)snprintf(name, sizeof name, "search, %s (%lld hits%s)", what, (long long)hits, truncated ? ", more" : "");
    bench_print(name, &p, 0);
    bench_print_time("  of it", p.ours, p.n, 50);
}

static void duplicates(struct bench *b)
{
    struct bench_time v[REPEATS];
    struct why why = {0};
    char family[64], given[64];
    (void)bench_cases_word(family, 3456);
    (void)bench_cases_word(given, 777);
    for (size_t i = 0; i < REPEATS; i++) {
        struct json *found = NULL;
        struct bench_time start = bench_now();
        BENCH_MUST(look_duplicates(b->w.node, family, given, "2001-02-03", &found, &why));
        v[i] = bench_since(start);
        json_free(found);
    }
    bench_print_time("duplicates of a person", v, REPEATS, 50);
}

static void pages(struct bench *b)
{
    struct bench_time board[REPEATS], page[REPEATS];
    struct why why = {0};
    for (size_t i = 0; i < REPEATS; i++) {
        const struct look_board ask = {0};
        struct json *found = NULL;
        struct bench_time start = bench_now();
        BENCH_MUST(look_board(b->w.node, &ask, &found, &why));
        board[i] = bench_since(start);
        json_free(found);
        start = bench_now();
        BENCH_MUST(look_case(b->w.node, b->c.ids[(i * 7919) % b->c.cases], &found, &why));
        page[i] = bench_since(start);
        json_free(found);
    }
    bench_print_time("the board", board, REPEATS, 50);
    bench_print_time("a case", page, REPEATS, 50);
}

/* One edit, then the search that has to know of it. */
static void after_edit(struct bench *b)
{
    struct bench_time v[REPEATS];
    struct why why = {0};
    for (size_t i = 0; i < REPEATS; i++) {
        struct json *found = NULL;
        char body[64];
        (void)snprintf(body, sizeof body, "zephyr%u and nothing else", (unsigned)i);
        bench_cases_add(&b->c, (unsigned)i * 104729, body);
        body[strcspn(body, " ")] = '\0';
        struct bench_time start = bench_now();
        BENCH_MUST(look_search(b->w.node, body, 0, &found, &why));
        v[i] = bench_since(start);
        if (json_get_int(found, "total", 0) != 1) bench_fail("what was written just now was not found");
        json_free(found);
    }
    bench_print_time("search, for a word written just before", v, REPEATS, 50);
}

static void fill_index(struct bench *b, const char *name)
{
    struct why why = {0};
    struct bench_time all, longest = {0}, start = bench_now();
    double before = megabytes(b);
    bool more = true;
    unsigned steps = 0;
    for (; more; steps++) {
        struct bench_time step = bench_now();
        BENCH_MUST(search_fill(b->w.node, 0, &more, &why));
        step = bench_since(step);
        if (step.wall > longest.wall) longest = step;
    }
    all = bench_since(start);
    bench_print_time(name, &all, 1, 0);
    (void)printf("  %u steps, the longest %.0f ms; %lld pieces; store %.1f MB before, %.1f MB after\n", steps,
                 longest.wall, (long long)number(b, "SELECT count(*) FROM n_word"), before, megabytes(b));
}

static struct bench_time fill(struct bench *b)
{
    b->c.n = b->w.node;
    return bench_cases_fill(&b->c, env_now(&b->w.env));
}

/* Rows taken while there is an index, beside the same without. */
static void first_sync(unsigned cases, unsigned records)
{
    struct bench_pair p = {.n = 3};
    for (size_t i = 0; i < 2 * p.n; i++) {
        struct bench b;
        struct why why = {0};
        bool more = true;
        bench_cases_new(&b.c, cases, records);
        mock_world_new(&b.w);
        if (i % 2 == 0) BENCH_MUST(search_fill(b.w.node, 0, &more, &why));
        struct bench_time t = fill(&b);
        if (i % 2 == 0)
            p.ours[i / 2] = t;
        else
            p.raw[i / 2] = t;
        mock_world_free(&b.w);
        bench_cases_free(&b.c);
    }
    bench_print("first rows, cases marked for the index (raw: nobody has searched yet)", &p, 0.95);
}

static void measure(struct bench *b)
{
    first_sync(500, 10000);
    mock_world_new(&b->w);
    struct bench_time taken = fill(b);
    bench_print_time("taking the rows", &taken, 1, 0);
    fill_index(b, "filling the index");
    mock_world_reopen(&b->w);
    b->c.n = b->w.node;
    search(b, "a rare word", BENCH_RARE);
    search(b, "a common word", "bace");
    search(b, "two words", "chandren gufo");
    search(b, "the beginning of a word", "sterlin");
    search(b, "two letters", "mi");
    search(b, "an NHS number", "100 003 7000");
    search(b, "a phrase", "\"chandren gufo\"");
    search(b, "a phrase of common words", "\"bace cece\"");
    search(b, "nothing", "zzyzx");
    search(b, "sixteen common words",
           "bace cece dice foce guce hace lece mice noce puce race sece tice voce wyce chance");
    duplicates(b);
    after_edit(b);
    pages(b);
}

/* As a device stands after its first contact: nobody has searched yet. */
static void leave_home(struct bench *b, const char *dir)
{
    mock_world_new(&b->w);
    (void)fill(b);
    node_close(b->w.node);
    b->w.node = NULL;
    if (rename(b->w.home, dir) != 0) bench_fail("the home could not be moved there: is TMPDIR on another disk?");
    (void)printf("%s\n", MOCK_PASSPHRASE);
}

static unsigned argument(int argc, char **argv, int i, unsigned usual)
{
    return argc > i ? (unsigned)strtoul(argv[i], NULL, 10) : usual;
}

int main(int argc, char **argv)
{
    const char *home = argc > 2 && strcmp(argv[1], "--home") == 0 ? argv[2] : NULL;
    int first = home != NULL ? 3 : 1;
    unsigned cases = argument(argc, argv, first, 20000), records = argument(argc, argv, first + 1, 400000);
    struct bench b;
    if (cases == 0 || records == 0) bench_fail("no cases, or no records");
    bench_cases_new(&b.c, cases, records);
    if (home != NULL)
        leave_home(&b, home);
    else
        measure(&b);
    mock_world_free(&b.w);
    bench_cases_free(&b.c);
    return 0;
}
