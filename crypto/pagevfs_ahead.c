/* Pages of the database read before SQLite asks for them. It reads one at a time, also in a scan of the whole file,
 * where we ask the file below for many at once. What is kept is ciphertext, as it came; each page is judged when it is
 * asked for. It may be kept only while no other process can write the file: pagevfs_ahead_forget. */
#include "crypto/pagevfs_internal.h"

#define FIRST 4 /* pages read at once where a scan seems to begin; then twice as many each time */
#define NEAR  4 /* pages that a scan may leap over: those of the tree above it, or of another */

static bool in_scan(const struct page_ahead *a, sqlite3_int64 at)
{
    return a->next > 0 && at >= a->next && at < a->next + NEAR * (sqlite3_int64)PAGE_BYTES;
}

/* How many whole pages from `at` on to read, at most: 0 where that cannot be told. */
static int scan_pages(struct page_file *f, sqlite3_int64 at)
{
    sqlite3_file *low = pagevfs_lower_file(f);
    struct page_ahead *a = &f->room->ahead;
    sqlite3_int64 size = 0;
    if (low->pMethods->xFileSize(low, &size) != SQLITE_OK || size < at) return 0;
    a->pages = a->pages < FIRST ? FIRST : 2 * a->pages;
    if (a->pages > PAGE_AHEAD_MAX) a->pages = PAGE_AHEAD_MAX;
    sqlite3_int64 left = (size - at) / PAGE_BYTES;
    return left < a->pages ? (int)left : a->pages;
}

int pagevfs_ahead_read(struct page_file *f, sqlite3_int64 at, const uint8_t **out)
{
    sqlite3_file *low = pagevfs_lower_file(f);
    struct page_ahead *a = &f->room->ahead;
    bool kept = at >= a->at && at + (sqlite3_int64)PAGE_BYTES <= a->at + a->n;
    bool scan = !kept && in_scan(a, at);
    int pages = scan ? scan_pages(f, at) : 0;
    a->next = at + PAGE_BYTES;
    if (pages > 1) {
        a->at = at;
        a->n = pages * (int)PAGE_BYTES;
        /* Where one of them cannot be read, only the page that was asked for is SQLite's concern. */
        kept = low->pMethods->xRead(low, a->bytes, a->n, at) == SQLITE_OK;
        if (!kept) a->n = 0;
    }
    if (!kept && !scan) a->pages = 0;
    *out = kept ? a->bytes + (at - a->at) : f->room->cipher;
    return kept ? SQLITE_OK : low->pMethods->xRead(low, f->room->cipher, (int)PAGE_BYTES, at);
}
