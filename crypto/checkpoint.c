#include "crypto/checkpoint.h"

#include "crypto/base64.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void checkpoint_origin(char out[CHECKPOINT_ORIGIN_MAX], const uint8_t hub[KID_BYTES], const uint8_t *device)
{
    char h[2 * KID_BYTES + 1], d[2 * KID_BYTES + 1] = "";
    hex_encode(h, hub, KID_BYTES);
    if (device != NULL) hex_encode(d, device, KID_BYTES);
    (void)snprintf(out, CHECKPOINT_ORIGIN_MAX, "spoke/%s%s%s", h, device == NULL ? "" : "/", d);
}

/* FORMAT.md §7. */
static enum err malformed(struct why *why)
{
    return why_set(why, ERR_FORMAT, "what a log says of itself is not in the form that it should have");
}

/* The front line of *in, which is not empty and loses it. */
static bool take_line(struct bytes *in, struct bytes *out)
{
    const uint8_t *end = in->n > 0 ? memchr(in->p, '\n', in->n) : NULL;
    if (end == NULL || end == in->p) return false;
    *out = bytes_of(in->p, (size_t)(end - in->p));
    *in = bytes_of(end + 1, in->n - out->n - 1);
    return true;
}

static bool read_size(struct bytes digits, uint64_t *out)
{
    uint64_t v = 0;
    if (digits.n > 19 || (digits.n > 1 && digits.p[0] == '0')) return false; /* 2^63 - 1 has 19 digits */
    for (size_t i = 0; i < digits.n; i++) {
        if (digits.p[i] < '0' || digits.p[i] > '9') return false;
        v = 10 * v + (uint64_t)(digits.p[i] - '0');
    }
    *out = v;
    return v <= MERKLE_MAX_SIZE;
}

static bool read_root(struct bytes text, uint8_t out[MERKLE_HASH_BYTES])
{
    size_t n = 0;
    return base64_decode(text, out, MERKLE_HASH_BYTES, &n) && n == MERKLE_HASH_BYTES;
}

/* A log of no leaves has one root only. */
static bool is_root(const struct merkle_head *head)
{
    const struct merkle_frontier none = {0};
    uint8_t root[MERKLE_HASH_BYTES];
    if (head->size > 0) return true;
    merkle_root(&none, root);
    return memcmp(head->root, root, sizeof root) == 0;
}

enum err checkpoint_parse(struct bytes text, struct checkpoint *out, struct why *why)
{
    struct checkpoint c = {0};
    struct bytes rest = text, size, root, line;
    if (!note_is_text(text) || !take_line(&rest, &c.origin) || !take_line(&rest, &size) || !take_line(&rest, &root) ||
        !read_size(size, &c.head.size) || !read_root(root, c.head.root) || !is_root(&c.head))
        return malformed(why);
    c.extensions = rest;
    while (rest.n > 0) {
        if (!take_line(&rest, &line)) return malformed(why);
    }
    *out = c;
    return ERR_OK;
}

/* Read again before it is given away: nothing is signed that nobody would take, and no origin or extension brings a
 * line that makes another checkpoint of it. */
enum err checkpoint_put(const struct checkpoint *c, struct buf *out, struct why *why)
{
    struct checkpoint again;
    char root[BASE64_CHARS(MERKLE_HASH_BYTES) + 1];
    size_t before = out->len;
    base64_encode(root, bytes_of(c->head.root, MERKLE_HASH_BYTES));
    buf_put_bytes(out, c->origin);
    buf_printf(out, "\n%" PRIu64 "\n%s\n", c->head.size, root);
    buf_put_bytes(out, c->extensions);
    enum err err = out->err;
    if (err != ERR_OK)
        (void)why_set(why, err, "there is not enough room for what a log says of itself");
    else
        err = checkpoint_parse(bytes_of(out->data + before, out->len - before), &again, why);
    if (err == ERR_OK && !bytes_equal(again.origin, c->origin)) err = malformed(why); /* it had a line end */
    if (err != ERR_OK) out->len = before;
    return err;
}

enum err checkpoint_sign(const struct identity_secret *by, const struct checkpoint *c, struct buf *out, struct why *why)
{
    struct buf text;
    buf_init(&text, NOTE_MAX);
    enum err err = checkpoint_put(c, &text, why);
    if (err == ERR_OK) err = note_sign(by, c->origin, buf_bytes(&text), out, why);
    buf_release(&text);
    return err;
}

enum err checkpoint_verify(struct bytes in, const struct note_key *by, struct checkpoint *out, struct why *why)
{
    struct checkpoint c;
    struct bytes text;
    enum err err = note_verify(in, by, &text, why);
    if (err == ERR_OK) err = checkpoint_parse(text, &c, why);
    if (err != ERR_OK) return err;
    if (!bytes_equal(c.origin, bytes_of_str(by->name)))
        return why_set(why, ERR_TAMPERED, "what was signed is of another log");
    *out = c;
    return ERR_OK;
}
