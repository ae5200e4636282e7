/* Known answers: the files in tests/vectors, a name and hexadecimal digits in each line. */
#ifndef SPOKE_TESTS_LIB_VECTOR_H
#define SPOKE_TESTS_LIB_VECTOR_H

#include "base/buf.h"

/* The bytes behind `name` in tests/vectors/FILE; they must be there and not more than max. Returns how many. */
size_t vector_read(const char *file, const char *name, uint8_t *out, size_t max);
/* Every line, one after the other; bytes are borrowed until the function returns. */
void vector_each(const char *file, void (*fn)(void *ctx, const char *name, struct bytes v), void *ctx);

#endif
