#include "base/csv.h"

#include "base/cbor.h"

#include <csv.h>

#include <string.h>

static const uint8_t mark[] = {0xef, 0xbb, 0xbf}; /* spreadsheets put it before UTF-8 */

/* -------------------------------------------------------------------------------------------------- reading */
struct reader {
    const struct csv_limits *max;
    csv_row_fn each;
    void *ctx;
    struct why *why;
    enum err err;             /* sticky: what stopped it */
    struct buf text;          /* cells of this row, one after the other */
    size_t ends[CSV_COLUMNS]; /* where each cell ends in it */
    size_t cells, rows;
    unsigned line; /* on which this row began */
    bool finished; /* a row ended in the piece that is being read */
};

static void on_cell(void *cell, size_t n, void *ctx)
{
    struct reader *r = ctx;
    if (r->err != ERR_OK) return;
    if (r->cells == r->max->max_columns || r->cells == CSV_COLUMNS) {
        r->err = why_set(r->why, ERR_LIMIT, "Line %u has more than %zu columns.", r->line, r->cells);
        return;
    }
    buf_put(&r->text, cell, n);
    if (r->text.err != ERR_OK)
        r->err = why_set(r->why, r->text.err, "There is not enough memory for line %u.", r->line);
    r->ends[r->cells++] = r->text.len;
}

static void on_row(int end, void *ctx)
{
    struct reader *r = ctx;
    struct bytes cells[CSV_COLUMNS];
    (void)end;
    r->finished = true;
    if (r->err != ERR_OK) return;
    if (r->rows++ == r->max->max_rows) {
        r->err = why_set(r->why, ERR_LIMIT, "There are more than %zu lines.", r->max->max_rows);
        return;
    }
    for (size_t i = 0; i < r->cells; i++) {
        size_t from = i == 0 ? 0 : r->ends[i - 1];
        cells[i] = bytes_of(r->ends[i] == from ? (const uint8_t *)"" : r->text.data + from, r->ends[i] - from);
    }
    r->err = r->each(r->ctx, r->line, cells, r->cells, r->why);
    buf_reset(&r->text);
    r->cells = 0;
}

static enum err parser_fault(struct csv_parser *p, const struct reader *r, struct why *why)
{
    if (csv_error(p) == CSV_ENOMEM || csv_error(p) == CSV_ETOOBIG)
        return why_set(why, ERR_NOMEM, "There is not enough memory for line %u.", r->line);
    (void)why_set(why, ERR_FORMAT, "Line %u cannot be read: a quotation mark stands where none may be, or is missing.",
                  r->line);
    return why_next(why, ERR_FORMAT, "Save the sheet once more as CSV (UTF-8), and try again.");
}

/* To the end of the line, whichever end it has. */
static size_t line_length(struct bytes in)
{
    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] == '\n') return i + 1;
        if (in.p[i] == '\r') return i + 1 < in.n && in.p[i + 1] == '\n' ? i + 2 : i + 1;
    }
    return in.n;
}

static bool is_blank(struct bytes piece)
{
    for (size_t i = 0; i < piece.n; i++)
        if (strchr(" \t\r\n", piece.p[i]) == NULL) return false;
    return true;
}

/* Line by line, so that a row knows where it began: one in quotation marks may go over several. */
static enum err read_lines(struct csv_parser *p, struct reader *r, struct bytes in, struct why *why)
{
    bool inside = false;
    for (unsigned line = 1; in.n != 0; line++) {
        struct bytes piece = bytes_of(in.p, line_length(in));
        if (!inside) r->line = line;
        r->finished = false;
        if (csv_parse(p, piece.p, piece.n, on_cell, on_row, r) != piece.n) return parser_fault(p, r, why);
        if (r->err != ERR_OK) return r->err;
        inside = !r->finished && (inside || !is_blank(piece));
        in = bytes_of(in.p + piece.n, in.n - piece.n);
    }
    if (csv_fini(p, on_cell, on_row, r) != 0) return parser_fault(p, r, why);
    return r->err;
}

enum err csv_read(struct bytes in, const struct csv_limits *max, csv_row_fn each, void *ctx, struct why *why)
{
    struct csv_parser p;
    struct reader r = {.max = max, .each = each, .ctx = ctx, .why = why};
    if (in.n > max->max_bytes)
        return why_set(why, ERR_LIMIT, "The file is longer than %zu KiB; this takes no more.", max->max_bytes / 1024);
    if (in.n >= sizeof mark && memcmp(in.p, mark, sizeof mark) == 0)
        in = bytes_of(in.p + sizeof mark, in.n - sizeof mark);
    if (!utf8_valid(in) || memchr(in.n != 0 ? in.p : mark, '\0', in.n) != NULL) {
        (void)why_set(why, ERR_FORMAT, "The file is not plain text (UTF-8).");
        return why_next(why, ERR_FORMAT, "Save the sheet once more as CSV (UTF-8), and try again.");
    }
    if (csv_init(&p, CSV_STRICT | CSV_STRICT_FINI) != 0) return why_set(why, ERR_FAILED, "CSV cannot be read here.");
    csv_set_blk_size(&p, in.n + 1); /* the largest cell at once: nothing is left behind in memory by growing */
    buf_init(&r.text, max->max_bytes);
    enum err e = read_lines(&p, &r, in, why);
    buf_release(&r.text);
    if (p.entry_buf != NULL) explicit_bzero(p.entry_buf, p.entry_size);
    csv_free(&p);
    return e;
}

/* -------------------------------------------------------------------------------------------------- writing */
static void put_between(struct csv_writer *w)
{
    if (w->cells++ != 0) buf_put_u8(w->out, ',');
}

/* Does a reader need the quotation marks to get back what stands here? A row of one empty cell would be an empty
 * line, and so no row; what begins like a byte order mark would be taken for one, and uncover what comes after. */
static bool wants_quotes(const struct csv_writer *w, struct bytes cell)
{
    if (cell.n == 0) return w->cells == 0;
    if (cell.p[0] == ' ' || cell.p[cell.n - 1] == ' ' || cell.p[0] == mark[0]) return true;
    for (size_t i = 0; i < cell.n; i++)
        if (strchr(",\"\r\n\t;", cell.p[i]) != NULL) return true;
    return false;
}

void csv_put(struct csv_writer *w, struct bytes cell)
{
    bool formula = cell.n != 0 && memchr("=+-@\t\r", cell.p[0], 6) != NULL;
    bool quote = formula || wants_quotes(w, cell);
    put_between(w);
    if (quote) buf_put_u8(w->out, '"');
    if (formula) buf_put_u8(w->out, '\'');
    for (size_t i = 0; i < cell.n; i++) {
        if (cell.p[i] == '"') buf_put_u8(w->out, '"');
        buf_put_u8(w->out, cell.p[i]);
    }
    if (quote) buf_put_u8(w->out, '"');
}

void csv_put_str(struct csv_writer *w, const char *cell)
{
    csv_put(w, cell != NULL ? bytes_of_str(cell) : bytes_of("", 0));
}

void csv_put_int(struct csv_writer *w, int64_t v)
{
    put_between(w);
    buf_printf(w->out, "%lld", (long long)v);
}

void csv_end_row(struct csv_writer *w)
{
    buf_put_str(w->out, "\r\n");
    w->cells = 0;
}
