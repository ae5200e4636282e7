/* Seeds for the fuzzers of logs: notes, checkpoints and keys; proofs and right edges; exports. */
#include "crypto/checkpoint.h"
#include "tests/fuzz/audit.h"
#include "tests/fuzz/seeds.h"

static void notes(struct seeds *s)
{
    static const uint64_t sizes[] = {1, 0, 20852163, MERKLE_MAX_SIZE};
    static const char stranger[] = "\xe2\x80\x94 a AAAAAAA=\n";
    struct note_key key;
    struct buf b, text;
    seeds_begin(s, "note");
    buf_init(&b, 1u << 12);
    buf_init(&text, 1u << 12);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct checkpoint c = {.origin = bytes_of_str("fuzz"), .head = {.size = sizes[i], .root = {1}}};
        if (sizes[i] == 0) merkle_root(&(struct merkle_frontier){0}, c.head.root);
        if (i == 2) c.extensions = bytes_of_str("more\nand more\n");
        b.len = text.len = 0;
        HOLDS(checkpoint_put(&c, &text, NULL) == ERR_OK && checkpoint_sign(fuzz_me(), &c, &b, NULL) == ERR_OK);
        seeds_put(s, 2, buf_bytes(&text));
        for (int asked = 0; asked < 5; asked += asked == 1 ? 3 : 1) seeds_put(s, asked, buf_bytes(&b));
        buf_put_str(&b, stranger);
        seeds_put(s, 1, buf_bytes(&b));
    }
    b.len = 0;
    HOLDS(note_key_make(&key, bytes_of_str("fuzz"), fuzz_me()->pub.sign_pk, NULL) == ERR_OK);
    note_key_put(&key, &b);
    seeds_put(s, 3, buf_bytes(&b));
    buf_release(&b);
    buf_release(&text);
}

/* Two numbers, a hash, a proof: with the bit that makes the proof as long as it must be, its content may be
 * anything. */
static void proofs(struct seeds *s)
{
    static const uint64_t numbers[][2] = {{0, 1},
                                          {5, 8},
                                          {6, 7},
                                          {1, 8},
                                          {8, 9},
                                          {1000, 10000000},
                                          {1, MERKLE_MAX_SIZE},
                                          {MERKLE_MAX_SIZE - 1, MERKLE_MAX_SIZE}};
    struct merkle_frontier f = {0};
    struct merkle_node done[MERKLE_LEVELS];
    uint8_t edge[MERKLE_FRONTIER_MAX_BYTES] = {0};
    size_t n;
    struct buf b;
    seeds_begin(s, "merkle");
    buf_init(&b, 1u << 12);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        b.len = 0;
        buf_put_be64(&b, numbers[i][0]);
        buf_put_be64(&b, numbers[i][1]);
        for (uint8_t k = 0; k < 4 * MERKLE_HASH_BYTES; k++) buf_put_u8(&b, k);
        for (int asked = 0; asked < 6; asked++) seeds_put(s, asked, buf_bytes(&b));
    }
    for (int i = 0; i < 9; i++) {
        HOLDS(merkle_append(&f, edge, done, &n, NULL) == ERR_OK);
        seeds_put(s, 2, bytes_of(edge, merkle_frontier_to_bytes(&f, edge)));
    }
    buf_release(&b);
}

static void exports(struct seeds *s)
{
    struct buf b;
    seeds_begin(s, "audit");
    buf_init(&b, 1u << 14);
    audit_export(&b);
    for (int asked = 0; asked < 4; asked++) seeds_put(s, asked, buf_bytes(&b));
    b.len = 0;
    audit_proof(&b);
    for (int asked = 0; asked < 4; asked++) seeds_put(s, asked, buf_bytes(&b));
    b.len = 0;
    audit_checkpoint(&b);
    seeds_put(s, 4, buf_bytes(&b));
    buf_release(&b);
}

void seeds_of_logs(struct seeds *s)
{
    notes(s);
    proofs(s);
    exports(s);
}
