#include "tests/fuzz/audit.h"

#include "base/cbor.h"
#include "crypto/checkpoint.h"
#include "crypto/hash.h"
#include "hub/log_audit.h"

#include <string.h>

#define DEVICE ((const uint8_t *)"a device of fuzz")
#define OWN    3 /* leaves */
#define THEIRS 2

/* A leaf of either log; `content` is as long as it must be. */
struct leaf {
    uint8_t commitment[HASH_BYTES], salt[32];
    struct buf content;
};

static void make(struct leaf *l, unsigned n)
{
    for (size_t i = 0; i < sizeof l->salt; i++) l->salt[i] = (uint8_t)(n * 16 + i);
    hash_commit(l->commitment, l->salt, buf_bytes(&l->content));
}

static void join(struct merkle_frontier *f, const struct leaf *l)
{
    struct merkle_node done[MERKLE_LEVELS];
    uint8_t hash[MERKLE_HASH_BYTES];
    size_t n = 0;
    merkle_leaf_hash(hash, bytes_of(l->commitment, sizeof l->commitment));
    HOLDS(merkle_append(f, hash, done, &n, NULL) == ERR_OK);
}

/* [kind, time, number, 32 bytes] */
static void simple(struct leaf *l, uint64_t kind, unsigned n)
{
    static const uint8_t hash[HASH_BYTES] = {7};
    buf_init(&l->content, 1u << 10);
    cbor_put_array(&l->content, 4);
    cbor_put_uint(&l->content, kind);
    cbor_put_uint(&l->content, 1000);
    cbor_put_uint(&l->content, n);
    cbor_put_bytes(&l->content, bytes_of(hash, sizeof hash));
    make(l, n);
}

/* [32, time, device, size, root] */
static void head(struct leaf *l, const struct merkle_frontier *f, unsigned n)
{
    uint8_t root[MERKLE_HASH_BYTES];
    merkle_root(f, root);
    buf_init(&l->content, 1u << 10);
    cbor_put_array(&l->content, 5);
    cbor_put_uint(&l->content, 32);
    cbor_put_uint(&l->content, 1000);
    cbor_put_bytes(&l->content, bytes_of(DEVICE, KID_BYTES));
    cbor_put_uint(&l->content, f->size);
    cbor_put_bytes(&l->content, bytes_of(root, sizeof root));
    make(l, n);
}

static void sign(const struct merkle_frontier *f, const uint8_t *device, struct buf *out)
{
    char origin[CHECKPOINT_ORIGIN_MAX];
    struct checkpoint c = {.head.size = f->size};
    checkpoint_origin(origin, fuzz_me()->pub.kid, device);
    c.origin = bytes_of_str(origin);
    merkle_root(f, c.head.root);
    HOLDS(checkpoint_sign(fuzz_me(), &c, out, NULL) == ERR_OK);
}

static void put_log(struct buf *out, const char *line, const struct merkle_frontier *f, const uint8_t *device,
                    const struct leaf *l, size_t n)
{
    struct buf note;
    buf_init(&note, NOTE_MAX);
    sign(f, device, &note);
    buf_put_str(out, line);
    log_put_base64(out, "checkpoint", buf_bytes(&note));
    for (size_t i = 0; i < n; i++)
        log_put_leaf(out, &(struct log_leaf){l[i].commitment, l[i].salt, buf_bytes(&l[i].content)});
    buf_release(&note);
}

/* Both logs; the hub's own knows the device's at both its sizes. */
struct logs {
    struct leaf theirs[THEIRS], own[OWN];
    struct merkle_frontier f_theirs, f_own;
};

static void fill(struct logs *x)
{
    *x = (struct logs){0};
    simple(&x->own[0], 34, 1);
    for (unsigned i = 0; i < THEIRS; i++) {
        simple(&x->theirs[i], i + 2, 2 * i + 2);
        join(&x->f_theirs, &x->theirs[i]);
        head(&x->own[i + 1], &x->f_theirs, 2 * i + 3);
    }
    for (unsigned i = 0; i < OWN; i++) join(&x->f_own, &x->own[i]);
}

static void empty(struct logs *x)
{
    for (size_t i = 0; i < THEIRS; i++) buf_release(&x->theirs[i].content);
    for (size_t i = 0; i < OWN; i++) buf_release(&x->own[i].content);
}

static void device_line(char out[80], const char *word, unsigned n)
{
    char hex[2 * KID_BYTES + 1];
    hex_encode(hex, DEVICE, KID_BYTES);
    (void)snprintf(out, 80, "%s %s %u\n", word, hex, n);
}

void audit_export(struct buf *out)
{
    struct logs x;
    char line[80];
    fill(&x);
    log_put_head(out, false, &fuzz_me()->pub, "fuzz");
    put_log(out, "log - 3\n", &x.f_own, NULL, x.own, OWN);
    device_line(line, "log", THEIRS);
    put_log(out, line, &x.f_theirs, DEVICE, x.theirs, THEIRS);
    buf_put_str(out, "end\n");
    HOLDS(out->err == ERR_OK);
    empty(&x);
}

void audit_proof(struct buf *out)
{
    struct logs x;
    struct buf note;
    uint8_t other[MERKLE_HASH_BYTES];
    char line[80];
    fill(&x);
    buf_init(&note, NOTE_MAX);
    log_put_head(out, true, &fuzz_me()->pub, "fuzz");
    device_line(line, "index", 0);
    buf_put_str(out, line);
    log_put_leaf(out, &(struct log_leaf){x.theirs[0].commitment, x.theirs[0].salt, buf_bytes(&x.theirs[0].content)});
    merkle_leaf_hash(other, bytes_of(x.theirs[1].commitment, HASH_BYTES));
    log_put_base64(out, "hash", bytes_of(other, sizeof other));
    sign(&x.f_theirs, DEVICE, &note);
    log_put_base64(out, "checkpoint", buf_bytes(&note));
    buf_put_str(out, "end\n");
    HOLDS(out->err == ERR_OK);
    buf_release(&note);
    empty(&x);
}

void audit_checkpoint(struct buf *out)
{
    struct logs x;
    fill(&x);
    sign(&x.f_theirs, DEVICE, out);
    empty(&x);
}
