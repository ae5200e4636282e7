/* From elements in the order in which they stand to a struct cin_census: the half of the reader that knows the census
 * and no XML library. Sticky errors: after the first failure nothing more is taken; cin_build_end reports it. */
#ifndef SPOKE_CLI_IMPORT_CIN_BUILD_H
#define SPOKE_CLI_IMPORT_CIN_BUILD_H

#include "cli/import_cin_census.h"

struct cin_build; /* opaque */

MUST_CHECK enum err cin_build_new(struct cin_build **out, struct why *why);
void cin_build_free(struct cin_build *b); /* NULL is fine */
/* False: stop reading. */
bool cin_build_open(struct cin_build *b, const char *name, int line);
bool cin_build_text(struct cin_build *b, const char *text, size_t n);
bool cin_build_close(struct cin_build *b);
/* Why it stopped, or whether it was a census; hands the census over. whole: the file was well-formed to its end (else
 * it broke near `line`). */
MUST_CHECK enum err cin_build_end(struct cin_build *b, bool whole, int line, struct cin_census *out, struct why *why);

#endif
