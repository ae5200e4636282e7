/* Between the files that make seeds. */
#ifndef SPOKE_TESTS_FUZZ_SEEDS_H
#define SPOKE_TESTS_FUZZ_SEEDS_H

#include "tests/fuzz/fuzz.h"

struct seeds {
    const char *folder, *fuzzer;
    unsigned n;
};

/* What follows is for this fuzzer. */
void seeds_begin(struct seeds *s, const char *fuzzer);
/* A file of the byte that says what is asked, and the bytes; without that byte when it is below zero. */
void seeds_put(struct seeds *s, int asked, struct bytes v);

/* Of signed notes and of proofs about logs: seeds_log.c. */
void seeds_of_logs(struct seeds *s);
/* Of what concerns a hub that is put back: seeds_return.c. The messages go to the fuzzer that has begun. */
void seeds_of_returns(struct seeds *s);
void seeds_of_stores(struct seeds *s);

#endif
