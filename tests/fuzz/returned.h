/* What a hub that was put back says of itself: what fuzz_cose begins with, and what nothing forged may be taken for. */
#ifndef SPOKE_TESTS_FUZZ_RETURNED_H
#define SPOKE_TESTS_FUZZ_RETURNED_H

#include "tests/fuzz/fuzz.h"

/* The recovery key that the fuzzers' device pinned. */
void returned_key(uint8_t out_pk[32]);
/* Always the same item 27 for this number of a chain (which is not signed), appended. Calls fuzz_start. */
void returned_epoch(struct buf *out, uint64_t chain);

#endif
