/* Cases that ann makes, shares and takes back, in the world of two_ends_world.h. */
#ifndef SPOKE_TESTS_LIB_ENDS_SHARE_H
#define SPOKE_TESTS_LIB_ENDS_SHARE_H

#include "tests/lib/two_ends_world.h"

void ends_days(int64_t n); /* pass */
void ends_value(struct row *r, const char *column, struct value v);
/* A case of care in the north that nobody else takes part in; restricted ones name the MASH room. Not sent. */
void ends_own_case(uint8_t c[16], bool restricted);
void ends_brief(const uint8_t c[16], const char *summary); /* by ann, not sent */
/* A record of the device's agency. Not sent. */
void ends_note(struct ends_node *n, const uint8_t c[16], uint8_t id[16], const char *sensitivity, const char *body);
/* Within an edit. */
void ends_part(struct ends_node *by, const uint8_t c[16], uint8_t id[16], const char *member, const char *site);
/* By ann, sent and applied. `id` of the part; site "": all of the agency's. */
void ends_share(const uint8_t c[16], uint8_t id[16], const char *member, const char *site);
void ends_access(const uint8_t part[16], const char *access);

#endif
