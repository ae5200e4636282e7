#include "crypto/pagevfs_internal.h"

#include <string.h>

static uint32_t get_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* ---- writing behind ----
 *
 * SQLite writes each frame in two calls, and a large transaction frame after frame. We gather them, sealed, and write
 * many at once. What is gathered and not yet written is only ever a part of the transaction that is going on, which a
 * crash would have undone anyway: it goes out with the frame that commits, so that a commit is as far on its way to
 * the disk as SQLite believes; with a header that is written again, which is a part of a commit too; before a sync;
 * and before anything looks at that place. Where other processes may write too, it goes out with each frame: a
 * transaction may end without a commit, and its frames would go out over what somebody else has committed since. */

int pagevfs_wal_flush(struct page_file *f)
{
    sqlite3_file *low = pagevfs_lower_file(f);
    struct page_behind *b = &f->room->behind;
    int rc = b->n > 0 ? low->pMethods->xWrite(low, b->bytes, b->n, b->at) : SQLITE_OK;
    if (rc == SQLITE_OK)
        b->n = 0; /* else it stays, to be tried again: SQLite may go on with a transaction when one read has failed */
    return rc;
}

/* Room for the next n bytes of the log, which go to `at`; gathered by gather_done. */
static int gather(struct page_file *f, int n, sqlite3_int64 at, uint8_t **out)
{
    struct page_behind *b = &f->room->behind;
    if (b->n > 0 && (at != b->at + b->n || b->n + n > (int)sizeof b->bytes)) {
        int rc = pagevfs_wal_flush(f);
        if (rc != SQLITE_OK)
            return rc;
    }
    if (b->n == 0)
        b->at = at;
    *out = b->bytes + b->n;
    return SQLITE_OK;
}

static int gather_done(struct page_file *f, int n, bool now)
{
    f->room->behind.n += n;
    return now ? pagevfs_wal_flush(f) : SQLITE_OK;
}

static int lower_read(struct page_file *f, void *out, int n, sqlite3_int64 at)
{
    sqlite3_file *low = pagevfs_lower_file(f);
    const struct page_behind *b = &f->room->behind;
    if (at < b->at + b->n && b->at < at + n) {
        int rc = pagevfs_wal_flush(f);
        if (rc != SQLITE_OK)
            return rc;
    }
    return low->pMethods->xRead(low, out, n, at);
}

void pagevfs_wal_reset(struct page_file *f)
{
    f->written = 0;
    f->frame.offset = -1;
    f->frame.head_n = f->frame.body_n = 0;
    f->room->behind.n = 0;
}

int pagevfs_wal_sync(struct page_file *f, int flags)
{
    sqlite3_file *low = pagevfs_lower_file(f);
    int rc = pagevfs_wal_flush(f);
    if (rc == SQLITE_OK)
        return low->pMethods->xSync(low, flags);
    f->room->behind.n = 0; /* as when a write fails: the transaction is taken back */
    return rc;
}

int pagevfs_wal_truncate(struct page_file *f, sqlite3_int64 size)
{
    sqlite3_file *low = pagevfs_lower_file(f);
    if (f->room->behind.at >= size)
        f->room->behind.n = 0;
    int rc = pagevfs_wal_flush(f);
    if (rc == SQLITE_OK)
        rc = low->pMethods->xTruncate(low, size);
    if (rc != SQLITE_OK)
        return rc;
    if (f->written > size)
        f->written = size;
    f->frame.offset = -1;
    f->frame.head_n = f->frame.body_n = 0;
    return SQLITE_OK;
}

/* ---- reading ---- */

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

/* SQLite knows a frame by its place alone. At the same place of an earlier log lay a frame of another page perhaps, and
 * who kept it may put it back: it would be shown as this page. Only where processes share a database may another one
 * have begun a log whose salts we do not know. */
static bool of_this_log(struct page_file *f, const uint8_t salt[8])
{
    uint8_t head[WAL_HEAD_BYTES];
    if (memcmp(salt, f->salt, sizeof f->salt) == 0)
        return true;
    if (!f->owner->shared || lower_read(f, head, WAL_HEAD_BYTES, 0) != SQLITE_OK)
        return false;
    memcpy(f->salt, head + 16, sizeof f->salt);
    return memcmp(salt, f->salt, sizeof f->salt) == 0;
}

static int read_frame(struct page_file *f, uint8_t *out, int n, int rel, sqlite3_int64 offset)
{
    uint8_t *head = f->room->cipher;
    bool whole_body = rel <= FRAME_HEAD_BYTES && rel + n == FRAME_BYTES; /* nearly always: no copy then */
    uint8_t *body = whole_body ? out + FRAME_HEAD_BYTES - rel : f->room->plain + FRAME_HEAD_BYTES;
    int rc = lower_read(f, f->room->cipher, FRAME_BYTES, offset);
    if (rc != SQLITE_OK) {
        memset(out, 0, (size_t)n);
        return rc;
    }
    struct page_frame id = frame_of(f->salt, head, offset);
    if (of_this_log(f, id.salt) && page_open_wal(f->owner->keys, &id, head + FRAME_HEAD_BYTES, body)) {
        if (rel < FRAME_HEAD_BYTES)
            page_mask_checksum(f->owner->keys, (uint64_t)offset, head, head + 16, true);
        if (whole_body) {
            memcpy(out, head + rel, (size_t)(FRAME_HEAD_BYTES - rel));
        } else {
            memcpy(f->room->plain, head, FRAME_HEAD_BYTES);
            memcpy(out, f->room->plain + rel, (size_t)n);
        }
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

/* ---- writing ---- */

static int write_log_head(struct page_file *f, const uint8_t *in, int n, sqlite3_int64 at)
{
    sqlite3_file *low = pagevfs_lower_file(f);
    if (at != 0 || n != WAL_HEAD_BYTES || get_be32(in + 8) != PAGE_BYTES)
        return SQLITE_IOERR_WRITE;
    pagevfs_wal_reset(f); /* frames behind it belong to the log before: stale, not ours */
    memcpy(f->salt, in + 16, sizeof f->salt);
    return low->pMethods->xWrite(low, in, n, at);
}

/* The salts of the log that we are writing: another process may have begun it, and a header without salts stands behind
 * one with them in every transaction (T4). */
static void learn_salt(struct page_file *f)
{
    static const uint8_t none[8];
    const uint8_t *salt = f->frame.head + 8;
    if (memcmp(salt, none, sizeof none) != 0)
        memcpy(f->salt, salt, sizeof f->salt);
}

static int write_frame_head(struct page_file *f, const uint8_t *in, int n, int rel, sqlite3_int64 offset)
{
    struct frame_write *w = &f->frame;
    uint8_t head[FRAME_HEAD_BYTES], *out = NULL;
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
    memcpy(head, w->head, (size_t)w->head_n);
    if (w->head_n == FRAME_HEAD_BYTES) {
        learn_salt(f);
        page_mask_checksum(f->owner->keys, (uint64_t)offset, head, head + 16, false);
    }
    int rc = gather(f, n, offset + rel, &out);
    if (rc != SQLITE_OK)
        return rc;
    memcpy(out, head + rel, (size_t)n);
    /* A frame that is there already: its header is written again at commit, and no body follows (T4). */
    return gather_done(f, n, offset + FRAME_BYTES <= f->written);
}

static int frame_done(struct page_file *f, int n, sqlite3_int64 offset)
{
    bool commits = get_be32(f->frame.head + 4) != 0;
    f->frame.body_n = 0;
    if (offset + FRAME_BYTES > f->written)
        f->written = offset + FRAME_BYTES;
    return gather_done(f, n, commits || f->owner->shared);
}

static int write_body(struct page_file *f, const uint8_t *in, sqlite3_int64 offset)
{
    struct frame_write *w = &f->frame;
    uint8_t *out = NULL;
    if (w->offset != offset || w->head_n != FRAME_HEAD_BYTES) {
        /* A page of this transaction is overwritten in the log (cache spill): its header was written before. */
        int rc = lower_read(f, w->head, FRAME_HEAD_BYTES, offset);
        if (rc != SQLITE_OK)
            return SQLITE_IOERR_WRITE;
        w->offset = offset;
        w->head_n = FRAME_HEAD_BYTES;
    }
    if (!pagevfs_page_storable(get_be32(w->head), in))
        return SQLITE_IOERR_WRITE;
    int rc = gather(f, (int)PAGE_BYTES, offset + FRAME_HEAD_BYTES, &out);
    if (rc != SQLITE_OK)
        return rc;
    struct page_frame id = frame_of(f->salt, w->head, offset);
    page_seal_wal(f->owner->keys, &id, NULL, in, out);
    return frame_done(f, (int)PAGE_BYTES, offset);
}

/* Without POWERSAFE_OVERWRITE SQLite cuts a page where a sync falls. What comes before the sync must be on disk when it
 * returns and never be touched again, so the nonce is fixed at the first piece and the ciphertext of each piece goes
 * out as it is then: the cipher is a stream, later bytes do not change earlier ones (T5). */
static int write_body_piece(struct page_file *f, const uint8_t *in, int n, int rel, sqlite3_int64 offset)
{
    struct frame_write *w = &f->frame;
    uint8_t *out = NULL;
    int from = rel - FRAME_HEAD_BYTES;
    if (w->offset != offset || w->head_n != FRAME_HEAD_BYTES || w->body_n != from)
        return SQLITE_IOERR_WRITE;
    if (from == 0) {
        page_nonce(w->nonce);
        memset(f->room->body, 0, sizeof f->room->body);
    }
    memcpy(f->room->body + from, in, (size_t)n);
    w->body_n = from + n;
    /* The tag covers all content; it stands behind the content, so it never leaves before that is whole. */
    if (w->body_n > (int)PAGE_CONTENT && !pagevfs_page_storable(get_be32(w->head), f->room->body))
        return SQLITE_IOERR_WRITE;
    int rc = gather(f, n, offset + rel, &out);
    if (rc != SQLITE_OK)
        return rc;
    struct page_frame id = frame_of(f->salt, w->head, offset);
    page_seal_wal(f->owner->keys, &id, w->nonce, f->room->body, f->room->cipher);
    memcpy(out, f->room->cipher + from, (size_t)n);
    return w->body_n == (int)PAGE_BYTES ? frame_done(f, n, offset) : gather_done(f, n, false);
}

static int write_any(struct page_file *f, const uint8_t *in, int n, sqlite3_int64 at)
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

int pagevfs_wal_write(struct page_file *f, const uint8_t *in, int n, sqlite3_int64 at)
{
    int rc = write_any(f, in, n, at);
    /* SQLite takes the transaction back now. Least of all may a commit go out later that it was told has failed. */
    if (rc != SQLITE_OK)
        f->room->behind.n = 0;
    return rc;
}
