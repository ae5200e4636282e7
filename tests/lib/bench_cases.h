/* For the benches: a device that holds as many cases as a large MASH has in years, filled through the node's own way of
 * taking rows. Texts are drawn from an invented vocabulary of which few words are frequent and many are rare (Zipf). */
#ifndef SPOKE_TESTS_LIB_BENCH_CASES_H
#define SPOKE_TESTS_LIB_BENCH_CASES_H

#include "node/internal.h"
#include "tests/lib/bench.h"

#define BENCH_RARE "quixotic" /* stands in one record */

struct bench_cases {
    struct node *n;          /* borrowed; set before filling */
    unsigned cases, records; /* likewise */
    uint64_t seed;
    uint8_t (*ids)[16]; /* of the cases */
    double *sums;       /* of the weights of words */
    unsigned in_round;
    int64_t at; /* Unix ms: what is made now was written then */
};
void bench_cases_new(struct bench_cases *b, unsigned cases, unsigned records);
void bench_cases_free(struct bench_cases *b);
/* Agencies, people, time scales; cases with what belongs to them; records. The cases were received over the two years
 * before `now`. */
struct bench_time bench_cases_fill(struct bench_cases *b, int64_t now);
/* One record more, in a transaction of its own. */
void bench_cases_add(struct bench_cases *b, unsigned no, const char *body);
size_t bench_cases_word(char *out, unsigned no); /* the more frequent the lower its number; how long it is */

#endif
