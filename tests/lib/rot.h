/* Rot on a device's disk: pages of the store that hold given bytes, found in the closed store as an auditor would, and
 * made unreadable. And the search through every byte of the store, free pages and the log included. */
#ifndef SPOKE_TESTS_LIB_ROT_H
#define SPOKE_TESTS_LIB_ROT_H

#include "tests/lib/mock_hub.h"

/* Salt of the first part of an envelope whose content is still readable here. */
void rot_salt(struct node *n, uint64_t seq, uint8_t out[SALT_BYTES]);
/* Turn one bit in each page that holds `what`; how many there were. The node is closed for it and opened again. */
size_t rot_pages(struct mock_world *w, struct bytes what);
/* Every page of the store, free ones and leftovers within pages too, and every frame of the log, as the files lie on
 * the disk at this moment. */
void rot_read(struct mock_world *w, struct buf *out);
/* How many of them hold `what`. */
size_t rot_find(struct mock_world *w, struct bytes what);

#endif
