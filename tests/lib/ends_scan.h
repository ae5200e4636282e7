/* What lies in a device's home, in every byte of every file (two_ends.h); what a courier carries; what the hub waits
 * for. */
#ifndef SPOKE_TESTS_LIB_ENDS_SCAN_H
#define SPOKE_TESTS_LIB_ENDS_SCAN_H

#include "tests/lib/two_ends.h"

/* How often each is found: pages of the store in clear, free ones too, and files as they are. Closes the device and
 * opens it again. */
void ends_find(struct ends_node *n, const struct bytes *what, size_t n_what, size_t *found);
/* Sticks go to and fro until the device has sent all and signed for all. */
struct round_result ends_by_usb(struct ends_node *n);
/* Rows that the hub told the device to forget: `confirmed`, or without a receipt. */
int64_t ends_drops(struct ends_node *n, bool confirmed);
bool ends_has(struct ends_node *n, const char *table, const uint8_t id[16]);

#endif
