#include "crypto/pagevfs_internal.h"

#include <sodium.h>
#include <string.h>

static uint32_t get_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int lower_read(struct page_file *f, void *out, int n, sqlite3_int64 at)
{
    sqlite3_file *low = pagevfs_lower_file(f);
    return low->pMethods->xRead(low, out, n, at);
}

static int lower_write(struct page_file *f, const void *in, int n, sqlite3_int64 at)
{
    sqlite3_file *low = pagevfs_lower_file(f);
    return low->pMethods->xWrite(low, in, n, at);
}

void pagevfs_wal_reset(struct page_file *f, sqlite3_int64 size)
{
    if (f->written > size)
        f->written = size;
    f->frame.offset = -1;
    f->frame.head_n = f->frame.body_n = 0;
}

/* What a frame is bound to. While SQLite puts off its checksums (a page of this transaction was overwritten in the log:
 * wal.c, iReCksum) it writes headers whose salts are zero and rewrites them at commit, after the body: zero therefore
 * stands for the salts of the current log (T4). */
static struct page_frame frame_of(const uint8_t log_salt[8], const uint8_t *head, sqlite3_int64 offset)
{
    static const uint8_t none[8];
    struct page_frame out = {.offset = (uint64_t)offset, .pgno = get_be32(head), .commit = get_be32(head + 4)};
    const uint8_t *salt = memcmp(head + 8, none, sizeof none) == 0 ? log_salt : head + 8;
    memcpy(out.salt, salt, sizeof out.salt);
    return out;
}

/* The log's own header holds no content: page size, sequence, salts and a checksum over just these. */
static int read_log_head(struct page_file *f, uint8_t *out, int n, sqlite3_int64 at)
{
    int rc = lower_read(f, out, n, at);
    if (at != 0)
        return rc;
    f->written = 0; /* a recovery starts here: what follows may come from a crash */
    if (rc == SQLITE_OK && n >= WAL_HEAD_BYTES) {
        if (get_be32(out + 8) != PAGE_BYTES)
            memset(out, 0, (size_t)n); /* no log of ours: SQLite takes zeros for an empty one */
        memcpy(f->salt, out + 16, sizeof f->salt);
    }
    return rc;
}

bool pagevfs_wal_proves_key(const struct pagevfs *v, const char *wal_name)
{
    uint8_t head[WAL_HEAD_BYTES], frame[FRAME_BYTES], plain[PAGE_BYTES];
    bool proven = false;
    int exists = 0;
    sqlite3_file *low = sqlite3_malloc(v->lower->szOsFile);
    if (!low)
        return false;
    memset(low, 0, (size_t)v->lower->szOsFile);
    if (v->lower->xAccess(v->lower, wal_name, SQLITE_ACCESS_EXISTS, &exists) != SQLITE_OK || !exists)
        goto out;
    if (v->lower->xOpen(v->lower, wal_name, low, SQLITE_OPEN_WAL | SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
        goto out;
    if (low->pMethods->xRead(low, head, sizeof head, 0) == SQLITE_OK &&
        low->pMethods->xRead(low, frame, sizeof frame, WAL_HEAD_BYTES) == SQLITE_OK) {
        struct page_frame id = frame_of(head + 16, frame, WAL_HEAD_BYTES);
        proven = page_open_wal(v->keys, &id, frame + FRAME_HEAD_BYTES, plain);
        secret_wipe(plain, sizeof plain);
    }
out:
    if (low->pMethods)
        low->pMethods->xClose(low);
    sqlite3_free(low);
    return proven;
}

static int read_frame_head(struct page_file *f, uint8_t *out, int n, int rel, sqlite3_int64 offset)
{
    uint8_t head[FRAME_HEAD_BYTES];
    int rc = lower_read(f, head, FRAME_HEAD_BYTES, offset);
    if (rc != SQLITE_OK) {
        memset(out, 0, (size_t)n);
        return rc;
    }
    page_mask_checksum(f->owner->keys, (uint64_t)offset, head, head + 16, true);
    memcpy(out, head + rel, (size_t)n);
    return SQLITE_OK;
}

static int read_frame(struct page_file *f, uint8_t *out, int n, int rel, sqlite3_int64 offset)
{
    int rc = lower_read(f, f->room->cipher, FRAME_BYTES, offset);
    if (rc != SQLITE_OK) {
        memset(out, 0, (size_t)n);
        return rc;
    }
    struct page_frame id = frame_of(f->salt, f->room->cipher, offset);
    if (page_open_wal(f->owner->keys, &id, f->room->cipher + FRAME_HEAD_BYTES, f->room->plain + FRAME_HEAD_BYTES)) {
        memcpy(f->room->plain, f->room->cipher, FRAME_HEAD_BYTES);
        page_mask_checksum(f->owner->keys, (uint64_t)offset, f->room->plain, f->room->plain + 16, true);
        memcpy(out, f->room->plain + rel, (size_t)n);
        return SQLITE_OK;
    }
    memset(out, 0, (size_t)n);
    /* A whole frame of which we wrote nothing: the recovery scan has met a torn or stale one. SQLite's checksums are
     * unkeyed, so it must never see unauthenticated bytes; page number 0 ends the log there (T6). */
    if (rel == 0 && n == FRAME_BYTES && offset >= f->written)
        return SQLITE_OK;
    sqlite3_log(SQLITE_IOERR_DATA, "spoke: log frame at %lld is not authentic", (long long)offset);
    return SQLITE_IOERR_DATA;
}

int pagevfs_wal_read(struct page_file *f, uint8_t *out, int n, sqlite3_int64 at)
{
    if (at < WAL_HEAD_BYTES)
        return at + n > WAL_HEAD_BYTES ? SQLITE_IOERR_READ : read_log_head(f, out, n, at);
    int rel = (int)((at - WAL_HEAD_BYTES) % FRAME_BYTES);
    if (rel + n <= FRAME_HEAD_BYTES)
        return read_frame_head(f, out, n, rel, at - rel);
    if (rel + n > FRAME_BYTES)
        return SQLITE_IOERR_READ;
    return read_frame(f, out, n, rel, at - rel);
}

static int write_log_head(struct page_file *f, const uint8_t *in, int n, sqlite3_int64 at)
{
    if (at != 0 || n != WAL_HEAD_BYTES || get_be32(in + 8) != PAGE_BYTES)
        return SQLITE_IOERR_WRITE;
    pagevfs_wal_reset(f, 0); /* frames behind it belong to the log before: stale, not ours */
    memcpy(f->salt, in + 16, sizeof f->salt);
    return lower_write(f, in, n, at);
}

static int write_frame_head(struct page_file *f, const uint8_t *in, int n, int rel, sqlite3_int64 offset)
{
    struct frame_write *w = &f->frame;
    uint8_t out[FRAME_HEAD_BYTES];
    if (rel == 0) {
        w->offset = offset;
        w->head_n = w->body_n = 0;
    }
    /* The masked words need the 16 bytes before them and each other, so a piece may end before or behind them, not
     * within. Syncs fall on sectors and frames on multiples of eight: SQLite never does otherwise. */
    if (w->offset != offset || w->head_n != rel || (rel + n > 16 && rel + n < FRAME_HEAD_BYTES))
        return SQLITE_IOERR_WRITE;
    memcpy(w->head + rel, in, (size_t)n);
    w->head_n = rel + n;
    memcpy(out, w->head, (size_t)w->head_n);
    if (w->head_n == FRAME_HEAD_BYTES)
        page_mask_checksum(f->owner->keys, (uint64_t)offset, out, out + 16, false);
    return lower_write(f, out + rel, n, offset + rel);
}

static void frame_done(struct page_file *f, sqlite3_int64 offset)
{
    f->frame.body_n = 0;
    if (offset + FRAME_BYTES > f->written)
        f->written = offset + FRAME_BYTES;
}

static int write_body(struct page_file *f, const uint8_t *in, sqlite3_int64 offset)
{
    struct frame_write *w = &f->frame;
    if (w->offset != offset || w->head_n != FRAME_HEAD_BYTES) {
        /* A page of this transaction is overwritten in the log (cache spill): its header is on disk. */
        int rc = lower_read(f, w->head, FRAME_HEAD_BYTES, offset);
        if (rc != SQLITE_OK)
            return SQLITE_IOERR_WRITE;
        w->offset = offset;
        w->head_n = FRAME_HEAD_BYTES;
    }
    if (!pagevfs_page_storable(get_be32(w->head), in))
        return SQLITE_IOERR_WRITE;
    struct page_frame id = frame_of(f->salt, w->head, offset);
    page_seal_wal(f->owner->keys, &id, NULL, in, f->room->cipher);
    frame_done(f, offset);
    return lower_write(f, f->room->cipher, (int)PAGE_BYTES, offset + FRAME_HEAD_BYTES);
}

/* Without POWERSAFE_OVERWRITE SQLite cuts a page where a sync falls. What comes before the sync must be on disk when it
 * returns and never be touched again, so the nonce is fixed at the first piece and the ciphertext of each piece goes
 * out at once: the cipher is a stream, later bytes do not change earlier ones (T5). */
static int write_body_piece(struct page_file *f, const uint8_t *in, int n, int rel, sqlite3_int64 offset)
{
    struct frame_write *w = &f->frame;
    int from = rel - FRAME_HEAD_BYTES;
    if (w->offset != offset || w->head_n != FRAME_HEAD_BYTES || w->body_n != from)
        return SQLITE_IOERR_WRITE;
    if (from == 0) {
        randombytes_buf(w->nonce, sizeof w->nonce);
        memset(f->room->body, 0, sizeof f->room->body);
    }
    memcpy(f->room->body + from, in, (size_t)n);
    w->body_n = from + n;
    /* The tag covers all content; it stands behind the content, so it never leaves before that is whole. */
    if (w->body_n > (int)PAGE_CONTENT && !pagevfs_page_storable(get_be32(w->head), f->room->body))
        return SQLITE_IOERR_WRITE;
    struct page_frame id = frame_of(f->salt, w->head, offset);
    page_seal_wal(f->owner->keys, &id, w->nonce, f->room->body, f->room->cipher);
    if (w->body_n == (int)PAGE_BYTES)
        frame_done(f, offset);
    return lower_write(f, f->room->cipher + from, n, offset + rel);
}

int pagevfs_wal_write(struct page_file *f, const uint8_t *in, int n, sqlite3_int64 at)
{
    if (at < WAL_HEAD_BYTES)
        return write_log_head(f, in, n, at);
    int rel = (int)((at - WAL_HEAD_BYTES) % FRAME_BYTES);
    if (rel + n > FRAME_BYTES || (rel < FRAME_HEAD_BYTES && rel + n > FRAME_HEAD_BYTES))
        return SQLITE_IOERR_WRITE;
    if (rel < FRAME_HEAD_BYTES)
        return write_frame_head(f, in, n, rel, at - rel);
    if (rel == FRAME_HEAD_BYTES && n == (int)PAGE_BYTES)
        return write_body(f, in, at - rel);
    return write_body_piece(f, in, n, rel, at - rel);
}
