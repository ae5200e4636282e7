/* A device with cases as a test makes them, and what it counts of them (node/look_performance.c): it is noon on
 * Wednesday 4 November 2026. Decisions are due 4 hours after receipt of a red case, a day after that of an amber one,
 * and 8 working hours after that of a green one. Anything unexpected fails the test. */
#ifndef SPOKE_TESTS_LIB_PERF_WORLD_H
#define SPOKE_TESTS_LIB_PERF_WORLD_H

#include "node/look_list.h"
#include "tests/lib/search_world.h"

#define MINUTE INT64_C(60000)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define NOON   INT64_C(1793793600000)

struct perf_world {
    struct search_world s;
    struct node *n;
    unsigned next; /* id of the next row */
};
void perf_world_new(struct perf_world *x);
void perf_world_free(struct perf_world *x);

/* A row as the hub would send it, without its contact: "column=value;…", #n an integer, @n an id. */
void perf_lay(struct perf_world *x, const char *table, const uint8_t id[16], const uint8_t case_id[16],
              const char *columns);
void perf_put(struct perf_world *x, const char *table, const uint8_t case_id[16],
              const char *columns); /* the next id */

/* What a case is made of; texts NULL: nothing. */
struct perf_made {
    const char *area, *rag, *first, *source, *need, *outcome;
    int64_t received, decided;
};
void perf_make(struct perf_world *x, const struct perf_made *m, uint8_t c[16]);

/* What is counted: free it. */
struct json *perf_count(struct perf_world *x, const struct look_performance *ask);
/* How many cases a group of a list has, by its code (NULL: those without). */
int64_t perf_cases_of(struct json *all, const char *key, const char *code);
/* The member of a list that has this text there; NULL: none. */
struct json *perf_with(struct json *all, const char *key, const char *name, const char *value);

#endif
