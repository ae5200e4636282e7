/* For tests of who is told of changed rows (sync/db_track.h, sync/db_note.h): a listener that writes down what it is
 * told. */
#ifndef SPOKE_TESTS_LIB_TOLD_ROWS_H
#define SPOKE_TESTS_LIB_TOLD_ROWS_H

#include "base/err.h"
#include "sync/value.h"

#include <stdbool.h>
#include <stddef.h>

struct told_rows {
    size_t n;        /* rows; all of them, though there be no place for their names */
    char said[4000]; /* "table:key,key;" of each; a blob is b and its bytes */
};

/* Both as the engines call them. `ctx` is a struct told_rows; of every table whose name begins with t_. */
enum err told_rows_hear(void *ctx, const char *table, const struct value *key, size_t n_key, struct why *why);
bool told_rows_wants(void *ctx, const char *table);

#endif
