/* Comma-separated values (RFC 4180) in and out. The only room where <csv.h> (libcsv) is seen.
 *
 * Reading is bounded in bytes, rows and columns; the text must be UTF-8 (a byte order mark is skipped). Writing
 * makes every cell harmless that a spreadsheet would run as a formula. */
#ifndef SPOKE_BASE_CSV_H
#define SPOKE_BASE_CSV_H

#include "base/buf.h"

struct csv_limits {
    size_t max_bytes;   /* of the whole text */
    size_t max_rows;    /* the heading is one */
    size_t max_columns; /* at most CSV_COLUMNS */
};
enum { CSV_COLUMNS = 64 };

/* A row: `line` is the line of the file on which it begins, from 1. Cells are borrowed; blanks around one that is
 * not quoted are gone. Empty lines are no rows. */
typedef enum err (*csv_row_fn)(void *ctx, unsigned line, const struct bytes *cells, size_t n, struct why *why);
/* ERR_LIMIT, ERR_FORMAT (with the line), ERR_NOMEM, or what `each` says. */
MUST_CHECK enum err csv_read(struct bytes in, const struct csv_limits *max, csv_row_fn each, void *ctx,
                             struct why *why);

/* Writing: cells one after the other, rows end with CR LF. Errors stick in the buf. A cell that begins with = + - @,
 * a tab or a carriage return gets an apostrophe in front, so that no spreadsheet runs what somebody wrote. */
struct csv_writer {
    struct buf *out;
    size_t cells; /* in this row */
};
void csv_put(struct csv_writer *w, struct bytes cell);
void csv_put_str(struct csv_writer *w, const char *cell); /* NULL: empty */
void csv_put_int(struct csv_writer *w, int64_t v);        /* as it is: a number runs nothing */
void csv_end_row(struct csv_writer *w);

#endif
