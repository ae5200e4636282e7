/* A sheet: whatever is read of it and written again says the same when it is read once more, but that no cell begins a
 * formula; lines only grow; and what is refused is refused with its words. */
#include "base/csv.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static const struct csv_limits limits = {.max_bytes = 4096, .max_rows = 64, .max_columns = 16};

struct copy {
    struct buf rows;  /* each cell with its length, each row with its count */
    struct buf sheet; /* written again */
    struct csv_writer w;
    unsigned line; /* of the last row */
    bool first;    /* reading the input, not the copy */
};

static bool runs(struct bytes cell)
{
    return cell.n != 0 && memchr("=+-@\t\r", cell.p[0], 6) != NULL;
}

static enum err note(void *ctx, unsigned line, const struct bytes *cells, size_t n, struct why *why)
{
    struct copy *c = ctx;
    (void)why;
    HOLDS(line > c->line);
    HOLDS(n >= 1 && n <= limits.max_columns);
    c->line = line;
    buf_put_be32(&c->rows, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        bool defused = c->first && runs(cells[i]);
        HOLDS(c->first || !runs(cells[i]));
        buf_put_be32(&c->rows, (uint32_t)(cells[i].n + defused));
        if (defused) buf_put_u8(&c->rows, '\'');
        buf_put_bytes(&c->rows, cells[i]);
        if (c->first) csv_put(&c->w, cells[i]);
    }
    if (c->first) csv_end_row(&c->w);
    return ERR_OK;
}

static void copy_init(struct copy *c, bool first)
{
    *c = (struct copy){.first = first};
    buf_init(&c->rows, 1u << 20);
    buf_init(&c->sheet, 1u << 20);
    c->w.out = &c->sheet;
}

static void copy_release(struct copy *c)
{
    buf_release(&c->rows);
    buf_release(&c->sheet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct csv_limits wide = {.max_bytes = 1u << 20, .max_rows = 64, .max_columns = 16};
    struct copy a, b;
    struct why why = {0};
    fuzz_start();
    copy_init(&a, true);
    copy_init(&b, false);
    enum err e = csv_read(bytes_of(data, size), &limits, note, &a, &why);
    HOLDS(e == ERR_OK || ((e == ERR_FORMAT || e == ERR_LIMIT) && why.text[0] != '\0'));
    HOLDS(a.sheet.err == ERR_OK && a.rows.err == ERR_OK);
    if (e == ERR_OK) {
        HOLDS(csv_read(buf_bytes(&a.sheet), &wide, note, &b, NULL) == ERR_OK);
        HOLDS(a.rows.len == b.rows.len && (a.rows.len == 0 || memcmp(a.rows.data, b.rows.data, a.rows.len) == 0));
    }
    copy_release(&a);
    copy_release(&b);
    return 0;
}
