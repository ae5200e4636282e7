#include "tests/lib/rot.h"

#include "crypto/keyslot.h"
#include "crypto/page.h"
#include "node/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define LOG_HEAD   32u
#define FRAME_HEAD 24u
#define FRAME      (FRAME_HEAD + PAGE_BYTES)

static struct page_keys *keys_of(struct mock_world *w)
{
    struct keyring ring = {0};
    struct page_keys *keys = NULL;
    char path[160], device[160];
    mock_world_path(w, "replica.key", path);
    mock_world_path(w, "device.secret", device);
    const struct keyfile at = {path, device};
    assert_int_equal(keyslot_open(&w->env, &at, bytes_of_str(MOCK_PASSPHRASE), &ring, NULL), ERR_OK);
    struct secret key = keyring_data_key(&ring);
    assert_int_equal(page_keys_new(&keys, &key, 0, NULL), ERR_OK);
    keyring_release(&ring);
    return keys;
}

/* Whole file; empty where there is none. */
static void slurp(struct mock_world *w, const char *name, struct buf *out)
{
    char path[160];
    uint8_t piece[PAGE_BYTES];
    size_t n;
    buf_init(out, 256u << 20);
    mock_world_path(w, name, path);
    FILE *f = fopen(path, "rb");
    if (f == NULL) return;
    while ((n = fread(piece, 1, sizeof piece, f)) > 0) buf_put(out, piece, n);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(out->err, ERR_OK);
}

static void add_store(struct mock_world *w, const struct page_keys *keys, struct buf *out)
{
    struct buf in;
    slurp(w, "replica.db", &in);
    for (size_t at = 0; at + PAGE_BYTES <= in.len; at += PAGE_BYTES) {
        uint8_t *to = buf_grow(out, PAGE_BYTES);
        assert_non_null(to);
        memset(to, 0, PAGE_BYTES);
        (void)page_open_db(keys, (uint32_t)(at / PAGE_BYTES) + 1, in.data + at, to);
    }
    buf_release(&in);
}

static uint32_t get_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Old frames behind the end of the log too: they are as readable as the others to whoever has the key. */
static void add_log(struct mock_world *w, const struct page_keys *keys, struct buf *out)
{
    static const uint8_t none[8];
    struct buf in;
    uint8_t plain[PAGE_BYTES];
    slurp(w, "replica.db-wal", &in);
    for (size_t at = LOG_HEAD; at + FRAME <= in.len; at += FRAME) {
        const uint8_t *head = in.data + at;
        struct page_frame f = {.offset = at, .pgno = get_be32(head), .commit = get_be32(head + 4)};
        memcpy(f.salt, memcmp(head + 8, none, sizeof none) == 0 ? in.data + 16 : head + 8, sizeof f.salt);
        if (page_open_wal(keys, &f, head + FRAME_HEAD, plain)) buf_put(out, plain, sizeof plain);
    }
    buf_release(&in);
}

void rot_read(struct mock_world *w, struct buf *out)
{
    struct page_keys *keys = keys_of(w);
    buf_init(out, 512u << 20);
    add_store(w, keys, out);
    add_log(w, keys, out);
    assert_int_equal(out->err, ERR_OK);
    page_keys_free(keys);
}

void rot_salt(struct node *n, uint64_t seq, uint8_t out[SALT_BYTES])
{
    struct part part[4];
    struct bytes cose;
    struct buf item;
    size_t n_parts = 0;
    bool found = false;
    buf_init(&item, CONTENT_MAX_ITEM);
    assert_int_equal(content_get(n, seq, &item, &found, NULL), ERR_OK);
    assert_true(found);
    assert_int_equal(message_get_envelope(buf_bytes(&item), &cose, part, 4, &n_parts, NULL), ERR_OK);
    memcpy(out, part[0].salt, SALT_BYTES);
    buf_release(&item);
}

static void flip(const char *path, size_t at)
{
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, (long)at, SEEK_SET), 0);
    int c = fgetc(f);
    assert_int_not_equal(c, EOF);
    assert_int_equal(fseek(f, (long)at, SEEK_SET), 0);
    assert_int_not_equal(fputc(c ^ 4, f), EOF);
    assert_int_equal(fclose(f), 0);
}

size_t rot_pages(struct mock_world *w, struct bytes what)
{
    struct buf plain;
    char path[160];
    size_t n = 0;
    assert_int_equal(db_truncate_log(node_db(w->node), NULL), ERR_OK);
    node_close(w->node);
    w->node = NULL;
    rot_read(w, &plain);
    mock_world_path(w, "replica.db", path);
    for (size_t at = 0; at < plain.len; at += PAGE_BYTES) {
        if (memmem(plain.data + at, PAGE_BYTES, what.p, what.n) == NULL) continue;
        flip(path, at + 1000);
        n++;
    }
    buf_release(&plain);
    mock_world_reopen(w);
    return n;
}

size_t rot_find(struct mock_world *w, struct bytes what)
{
    struct buf plain;
    size_t n = 0;
    rot_read(w, &plain);
    for (size_t at = 0; at < plain.len; at += PAGE_BYTES)
        n += memmem(plain.data + at, PAGE_BYTES, what.p, what.n) != NULL;
    buf_release(&plain);
    return n;
}
