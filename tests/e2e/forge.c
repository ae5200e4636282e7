/* forge KIND HOME PASSFILE OUT: a hostile request to the hub, signed and sealed by a node that is enrolled, as a stolen
 * or broken device could make it. HOME is used up by it: give it a copy. Kinds:
 *     envelopes about content:   session-bug unknown-table missing-key column-count big-value not-utf8 trailing
 *     envelopes about order:     twice skipped reversed (of those in HOME's outbox; skipped leaves the first out)
 *     the request as a whole:    bomb (64 MiB of zeros), foreign (sealed to the node itself), plain (harmless) */
#include "tests/lib/home.h"

#include "node/internal.h"
#include "sync/bundle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BOMB_BYTES (64u << 20)

static const uint8_t some_id[16] = {1, 0x92, 0xf3, 0xa1, 5, 6, 0x77, 8, 0x99, 10, 11, 12, 13, 14, 15, 16};

/* ------------------------------------------------------------------------------------------- hostile changesets */
/* A table header of the changeset format: 'T', columns, primary key flags, name. */
static void put_table(struct buf *b, const char *name, uint8_t columns)
{
    buf_put_u8(b, 'T');
    buf_put_u8(b, columns);
    for (uint8_t i = 0; i < columns; i++) buf_put_u8(b, i == 0);
    buf_put(b, name, strlen(name) + 1);
}

static void put_text(struct buf *b, const uint8_t *text, uint32_t n)
{
    buf_put_u8(b, VALUE_TEXT);
    for (int shift = 21; shift > 0; shift -= 7) /* SQLite's varint, for lengths below 2^28 */
        if (n >> shift != 0) buf_put_u8(b, (uint8_t)(0x80 | ((n >> shift) & 0x7F)));
    buf_put_u8(b, n & 0x7F);
    buf_put(b, text, n);
}

static void put_id(struct buf *b)
{
    buf_put_u8(b, VALUE_BLOB);
    buf_put_u8(b, 16);
    buf_put(b, some_id, 16);
}

/* INSERT of a warning: id, case_id, agency, person_id, kind, note, until, voided_at, void_reason. */
static void put_warning(struct node *n, struct buf *b, bool key, const uint8_t *note, uint32_t note_n, uint8_t columns)
{
    put_table(b, "warning", columns);
    buf_put_u8(b, OP_INSERT);
    buf_put_u8(b, 0);
    if (key)
        put_id(b);
    else
        buf_put_u8(b, VALUE_NULL);
    put_id(b);
    put_text(b, (const uint8_t *)n->agency, (uint32_t)strlen(n->agency));
    buf_put_u8(b, VALUE_NULL);
    put_text(b, (const uint8_t *)"dog", 3);
    put_text(b, note, note_n);
    for (uint8_t i = 6; i < columns; i++) buf_put_u8(b, VALUE_NULL);
}

static bool hostile_changeset(struct node *n, const char *kind, struct buf *b)
{
    static const uint8_t session_bug[] = {0x54, 0x01, 0x01}, bad_text[] = {'a', 0xC0, 0x80, 'b'};
    uint8_t *big = calloc(2, 1u << 20);
    if (big == NULL) abort();
    memset(big, 'x', 2u << 20);
    bool known = true;
    if (strcmp(kind, "session-bug") == 0) {
        buf_put(b, session_bug, sizeof session_bug); /* hangs sqlite3changeset_next of Debian's 3.40.1 */
    } else if (strcmp(kind, "unknown-table") == 0) {
        put_table(b, "sqlite_master", 1);
        buf_put_u8(b, OP_INSERT);
        buf_put_u8(b, 0);
        put_id(b);
    } else if (strcmp(kind, "missing-key") == 0) {
        put_warning(n, b, false, (const uint8_t *)"note", 4, 9);
    } else if (strcmp(kind, "column-count") == 0) {
        put_warning(n, b, true, (const uint8_t *)"note", 4, 10);
    } else if (strcmp(kind, "big-value") == 0) {
        put_warning(n, b, true, big, 2u << 20, 9);
    } else if (strcmp(kind, "not-utf8") == 0) {
        put_warning(n, b, true, bad_text, sizeof bad_text, 9);
    } else if (strcmp(kind, "trailing") == 0) {
        put_warning(n, b, true, (const uint8_t *)"note", 4, 9);
        buf_put_u8(b, 0xFF);
    } else {
        known = false;
    }
    free(big);
    return known;
}

static void append_envelope(struct node *n, struct bytes content)
{
    struct why why = {0};
    struct part part = {.content = content};
    uint64_t seq = 0;
    env_random(n->env, part.salt, sizeof part.salt);
    home_must(db_begin(n->db, &why), &why);
    home_must(outbox_next_seq(n, &seq, &why), &why);
    home_must(outbox_append(n, &part, 1, seq, "forged", &why), &why);
    home_must(db_commit(n->db, &why), &why);
}

static void fill_hello(struct node *n, struct node_hello *h)
{
    struct why why = {0};
    memcpy(h->hub, n->hub.kid, KID_BYTES);
    h->epoch = n->epoch;
    h->schema = rules_schema_newest();
    h->clock_ms = (uint64_t)env_now(n->env);
    (void)snprintf(h->software, sizeof h->software, "%s", NODE_SOFTWARE);
    home_must(state_number(n->db, "answered", &h->request, &why), &why);
    h->request++;
    home_must(state_fixed(n->db, "last_answer", h->last_answer, sizeof h->last_answer, &why), &why);
    home_must(state_fixed(n->db, "cursor", h->cursor, sizeof h->cursor, &why), &why);
}

static void put_outbox(struct node *n, struct bundle_writer *w, const char *kind)
{
    struct why why = {0};
    struct stmt *s = NULL;
    bool row = true, first = true, skip = strcmp(kind, "skipped") == 0;
    int times = strcmp(kind, "twice") == 0 ? 2 : 1;
    const char *sql = strcmp(kind, "reversed") == 0
                          ? "SELECT item FROM n_content NATURAL JOIN n_outbox WHERE state = 'unsent' ORDER BY seq DESC"
                          : "SELECT item FROM n_content NATURAL JOIN n_outbox WHERE state = 'unsent' ORDER BY seq";
    home_must(db_prepare(n->db, sql, &s, &why), &why);
    for (;;) {
        home_must(db_step(s, &row, &why), &why);
        if (!row) break;
        for (int i = 0; i < times && !(skip && first); i++)
            home_must(bundle_put(w, n->agency, db_bytes(s, 0), &why), &why);
        first = false;
    }
    db_done(s);
}

/* ---- a bomb, by hand: our own writer ends a frame before its ratio grows too large */
#define BLOCK_MAX (128u << 10)
enum { BLOCK_RAW, BLOCK_RLE };

/* Block of a zstd frame (RFC 8878 §3.1.1.2): n bytes as they are, or one byte n times. */
static void put_block(struct buf *b, unsigned type, bool last, uint32_t n, const void *p)
{
    uint32_t head = (uint32_t)last | type << 1 | n << 3;
    for (unsigned i = 0; i < 3; i++) buf_put_u8(b, (uint8_t)(head >> 8 * i));
    buf_put(b, p, type == BLOCK_RLE ? 1 : n);
}

static void put_frame_head(struct buf *b)
{
    static const uint8_t head[] = {0x28, 0xB5, 0x2F, 0xFD, 0x00, 0x38}; /* no sizes, no checksum, window of 128 KiB */
    buf_put(b, head, sizeof head);
}

static void seal_bomb(struct node *n, const struct seal_header *h, struct node_hello *hello, struct buf *out)
{
    struct why why = {0};
    struct seal_writer *w = NULL;
    struct buf item, packed;
    buf_init(&item, 1u << 16);
    buf_init(&packed, 1u << 16);
    home_must(seal_writer_new(&w, h, &n->hub, out, hello->binding, &why), &why);
    home_must(message_put_node_hello(&item, &n->self, hello, &why), &why);
    put_frame_head(&packed);
    put_block(&packed, BLOCK_RAW, true, (uint32_t)item.len, item.data);
    buf_reset(&item);
    buf_put_u8(&item, 0x82); /* [4, h'00…'] (RFC 8949) */
    buf_put_u8(&item, MSG_ENVELOPE);
    buf_put_u8(&item, 0x5A);
    buf_put_be32(&item, BOMB_BYTES);
    put_frame_head(&packed);
    put_block(&packed, BLOCK_RAW, false, (uint32_t)item.len, item.data);
    for (uint32_t at = 0; at < BOMB_BYTES; at += BLOCK_MAX)
        put_block(&packed, BLOCK_RLE, at + BLOCK_MAX == BOMB_BYTES, BLOCK_MAX, "");
    home_must(seal_write(w, buf_bytes(&packed), &why), &why);
    home_must(seal_finish(w, &why), &why);
    seal_writer_free(w);
    buf_release(&item);
    buf_release(&packed);
}

/* ------------------------------------------------------------------------------------------------- the request */
static void seal_request(struct node *n, const char *kind, struct buf *out)
{
    struct why why = {0};
    const struct identity *to = strcmp(kind, "foreign") == 0 ? &n->self.pub : &n->hub;
    struct seal_header h = {.version = 1, .kind = 1};
    struct node_hello hello = {.budget = 1u << 20};
    struct bundle_writer *w = NULL;
    struct buf item;
    buf_init(&item, 1u << 16);
    memcpy(h.recipient, to->kid, KID_BYTES);
    memcpy(h.sender, n->self.pub.kid, KID_BYTES);
    fill_hello(n, &hello);
    if (strcmp(kind, "bomb") == 0) {
        seal_bomb(n, &h, &hello, out);
        goto out;
    }
    home_must(bundle_writer_new(&w, &h, to, out, hello.binding, &why), &why);
    home_must(message_put_node_hello(&item, &n->self, &hello, &why), &why);
    home_must(bundle_put(w, "", buf_bytes(&item), &why), &why);
    put_outbox(n, w, kind);
    home_must(bundle_finish(w, &why), &why);
    bundle_writer_free(w);
out:
    buf_release(&item);
}

int main(int argc, char **argv)
{
    static const char *const whole[] = {"twice", "skipped", "reversed", "bomb", "foreign", "plain"};
    struct why why = {0};
    struct buf changes, out;
    bool known = false;
    if (argc != 5) {
        fputs("forge KIND HOME PASSFILE OUT\n", stderr);
        return 64;
    }
    struct node *n = home_node(argv[2], argv[3]);
    buf_init(&changes, 8u << 20);
    buf_init(&out, BUNDLE_MAX);
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++) known = known || strcmp(argv[1], whole[i]) == 0;
    if (!known && hostile_changeset(n, argv[1], &changes)) {
        append_envelope(n, buf_bytes(&changes));
        known = true;
    }
    if (!known) {
        fprintf(stderr, "forge: no such kind: %s\n", argv[1]);
        return 64;
    }
    seal_request(n, argv[1], &out);
    home_must(n->env->write_file(n->env->ctx, argv[4], buf_bytes(&out), &why), &why);
    buf_release(&changes);
    buf_release(&out);
    node_close(n);
    return 0;
}
