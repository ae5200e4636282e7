/* A hub's logs as an auditor gets them: what fuzz_audit begins with, and what nothing forged may be taken for. */
#ifndef SPOKE_TESTS_FUZZ_AUDIT_H
#define SPOKE_TESTS_FUZZ_AUDIT_H

#include "tests/fuzz/fuzz.h"

/* Always the same, by the keys of fuzz_me: the hub's own log and a device's, in one export; an entry of the device's
 * log, proved; a checkpoint of that log. All append. */
void audit_export(struct buf *out);
void audit_proof(struct buf *out);
void audit_checkpoint(struct buf *out);

#endif
