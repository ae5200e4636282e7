#include "hub/log_audit.h"

#include "base/cbor.h"
#include "crypto/base64.h"
#include "crypto/checkpoint.h"
#include "crypto/hash.h"
#include "hub/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_KEPT    1000
#define MAX_HEADS   ((size_t)1 << 25) /* two gigabytes of them */

/* What a log had at a size, by the word of the hub's own log, or of a checkpoint that somebody kept. */
struct claim {
    uint8_t kid[KID_BYTES];
    bool met; /* of the first of a device: its log has begun */
    struct merkle_head head;
};
struct kept {
    char origin[CHECKPOINT_ORIGIN_MAX];
    struct buf note;
    struct merkle_head head;
    bool found;
};
enum state { AT_KIND, AT_HUB, AT_LOG, AT_CHECKPOINT, AT_LEAVES, AT_INDEX, AT_ONE_LEAF, AT_HASHES, AT_END };

struct log_audit {
    enum state state;
    struct log_audit_sum sum;
    struct kept kept[MAX_KEPT];
    size_t n_kept;
    struct claim *claims; /* heads, as they came; then sorted by device and size */
    size_t n_claims, cap_claims;
    size_t claim, claim_end; /* those of the running log that are still to come */
    bool own;                /* the running log is the hub's */
    bool begun;              /* a log was begun: the hub's own is the first */
    uint8_t kid[KID_BYTES], last_kid[KID_BYTES];
    char origin[CHECKPOINT_ORIGIN_MAX];
    struct merkle_head head; /* that the running log must come to */
    struct merkle_frontier frontier;
    uint8_t leaf[MERKLE_HASH_BYTES]; /* of a proof */
    struct merkle_proof proof;
    struct buf scratch;
};

/* ---------------------------------------------------------------------------------------------------- what is wrong */

static enum err no_file(struct why *why)
{
    return why_set(why, ERR_FORMAT, "This is no export of a hub's logs, and no proof from one.");
}

static enum err wrong(const struct log_audit *a, const char *what, struct why *why)
{
    if (!a->begun) return why_set(why, ERR_TAMPERED, "This proof does not hold: %s.", what);
    return why_set(why, ERR_TAMPERED, "The log %s was changed: %s (at entry %" PRIu64 ").", a->origin, what,
                   a->frontier.size);
}

/* -------------------------------------------------------------------------------------------------- parts of a line */

/* "word rest": *rest what follows it; the whole line where nothing does. */
static bool take_word(struct bytes *line, const char *word)
{
    size_t n = strlen(word);
    if (line->n < n || memcmp(line->p, word, n) != 0) return false;
    if (line->n == n) {
        *line = bytes_of(line->p + n, 0);
        return true;
    }
    if (line->p[n] != ' ') return false;
    *line = bytes_of(line->p + n + 1, line->n - n - 1);
    return true;
}

static struct bytes take_field(struct bytes *line)
{
    const uint8_t *end = line->n > 0 ? memchr(line->p, ' ', line->n) : NULL;
    struct bytes got = *line;
    if (end == NULL) {
        *line = bytes_of(line->p, 0);
        return got;
    }
    got.n = (size_t)(end - line->p);
    *line = bytes_of(end + 1, line->n - got.n - 1);
    return got;
}

static bool is_dash(struct bytes field)
{
    return field.n == 1 && field.p[0] == '-';
}

static bool fixed(struct bytes field, uint8_t *out, size_t n)
{
    size_t got = 0;
    return base64_decode(field, out, n, &got) && got == n;
}

/* Decimal, shortest form. */
static bool number(struct bytes field, uint64_t *out)
{
    uint64_t v = 0;
    if (field.n == 0 || field.n > 19 || (field.n > 1 && field.p[0] == '0')) return false;
    for (size_t i = 0; i < field.n; i++) {
        if (field.p[i] < '0' || field.p[i] > '9') return false;
        v = v * 10 + (uint64_t)(field.p[i] - '0');
    }
    *out = v;
    return v <= MERKLE_MAX_SIZE;
}

static bool kid_of(struct bytes field, uint8_t out[KID_BYTES])
{
    char back[2 * KID_BYTES + 1];
    if (field.n != (size_t)2 * KID_BYTES || !hex_decode(out, KID_BYTES, (const char *)field.p, field.n)) return false;
    hex_encode(back, out, KID_BYTES); /* small digits alone: one text for each device */
    return memcmp(back, field.p, field.n) == 0;
}

/* Base64 of any length into the scratch. */
static bool decoded(struct log_audit *a, struct bytes field, struct bytes *out)
{
    size_t n = 0;
    a->scratch.len = 0;
    uint8_t *to = buf_grow(&a->scratch, field.n + 1);
    if (to == NULL || !base64_decode(field, to, field.n + 1, &n)) return false;
    *out = bytes_of(to, n);
    return true;
}

/* ----------------------------------------------------------------------------------------------------------- claims */

static int claim_order(const void *x, const void *y)
{
    const struct claim *a = x, *b = y;
    int by_kid = memcmp(a->kid, b->kid, KID_BYTES);
    if (by_kid != 0) return by_kid;
    return a->head.size < b->head.size ? -1 : a->head.size > b->head.size;
}

static enum err add_claim(struct log_audit *a, const struct claim *c, struct why *why)
{
    if (a->n_claims == a->cap_claims) {
        size_t cap = a->cap_claims == 0 ? 64 : a->cap_claims * 2;
        if (cap > MAX_HEADS) return why_set(why, ERR_LIMIT, "These logs are too long to be checked at once.");
        struct claim *more = realloc(a->claims, cap * sizeof *more);
        if (more == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to check these logs.");
        a->claims = more;
        a->cap_claims = cap;
    }
    a->claims[a->n_claims++] = *c;
    return ERR_OK;
}

unsigned log_kind_of(struct bytes content)
{
    struct cbor_reader r;
    cbor_reader_init(&r, content);
    (void)cbor_get_array(&r, 16);
    uint64_t kind = cbor_get_uint(&r);
    return r.err == ERR_OK && kind <= LOG_POLICY ? (unsigned)kind : 0;
}

/* [32, time, device, size, root] */
static enum err note_head(struct log_audit *a, struct bytes content, struct why *why)
{
    struct claim c = {0};
    struct cbor_reader r;
    cbor_reader_init(&r, content);
    size_t n = cbor_get_array(&r, 16);
    if (cbor_get_uint(&r) != LOG_HEAD || r.err != ERR_OK) return ERR_OK;
    (void)cbor_get_uint(&r);
    cbor_get_fixed(&r, c.kid, KID_BYTES);
    c.head.size = cbor_get_uint(&r);
    cbor_get_fixed(&r, c.head.root, MERKLE_HASH_BYTES);
    return n == 5 && cbor_at_end(&r) ? add_claim(a, &c, why) : wrong(a, "a head in it cannot be read", why);
}

/* Those of the log that begins, by its device. */
static enum err find_claims(struct log_audit *a, struct why *why)
{
    size_t from = 0, to = a->n_claims;
    while (from < to) {
        size_t mid = from + (to - from) / 2;
        if (memcmp(a->claims[mid].kid, a->kid, KID_BYTES) < 0)
            from = mid + 1;
        else
            to = mid;
    }
    a->claim = a->claim_end = from;
    while (a->claim_end < a->n_claims && memcmp(a->claims[a->claim_end].kid, a->kid, KID_BYTES) == 0) a->claim_end++;
    if (a->claim == a->claim_end) return wrong(a, "the hub's own log does not know it", why);
    if (a->claims[from].met) return wrong(a, "it is in this file twice", why);
    a->claims[from].met = true;
    return ERR_OK;
}

/* The log has the size that it has now: is its root what was said of that size? */
static enum err hold_against(struct log_audit *a, struct why *why)
{
    uint8_t root[MERKLE_HASH_BYTES];
    for (size_t i = 0; i < a->n_kept; i++) {
        struct kept *k = &a->kept[i];
        if (k->head.size != a->frontier.size || strcmp(k->origin, a->origin) != 0) continue;
        merkle_root(&a->frontier, root);
        if (memcmp(root, k->head.root, sizeof root) != 0) return wrong(a, "a checkpoint that was kept says otherwise", why);
        a->sum.kept += !k->found;
        k->found = true;
    }
    for (; !a->own && a->claim < a->claim_end && a->claims[a->claim].head.size == a->frontier.size; a->claim++) {
        merkle_root(&a->frontier, root);
        if (memcmp(root, a->claims[a->claim].head.root, sizeof root) != 0)
            return wrong(a, "the hub's own log says otherwise", why);
    }
    return ERR_OK;
}

/* ----------------------------------------------------------------------------------------------------- line by line */

static enum err take_hub(struct log_audit *a, struct bytes line, struct why *why)
{
    uint8_t public[PUBLIC_BYTES];
    if (!take_word(&line, "hub") || !fixed(take_field(&line), public, sizeof public) || line.n == 0 ||
        line.n >= sizeof a->sum.name || !log_name_is_good(line) ||
        identity_from_bytes(&a->sum.hub, bytes_of(public, sizeof public), NULL) != ERR_OK)
        return no_file(why);
    memcpy(a->sum.name, line.p, line.n);
    a->state = a->sum.proof ? AT_INDEX : AT_LOG;
    return ERR_OK;
}

/* A kept checkpoint is worth something only if this hub signed it. */
static enum err check_kept(struct log_audit *a, struct why *why)
{
    for (size_t i = 0; i < a->n_kept; i++) {
        struct kept *k = &a->kept[i];
        struct note_key key;
        struct checkpoint c;
        if (note_key_make(&key, bytes_of_str(k->origin), a->sum.hub.sign_pk, NULL) != ERR_OK ||
            checkpoint_verify(buf_bytes(&k->note), &key, &c, NULL) != ERR_OK)
            return why_set(why, ERR_TAMPERED, "A checkpoint that was kept was not signed by the hub of this file.");
    }
    return ERR_OK;
}

static enum err begin_log(struct log_audit *a, struct bytes line, struct why *why)
{
    struct bytes whose = take_field(&line);
    bool first = !a->begun;
    if (!number(line, &a->head.size)) return no_file(why);
    a->own = is_dash(whose);
    if (a->own != first || (!a->own && !kid_of(whose, a->kid))) return no_file(why);
    if (first) {
        enum err e = check_kept(a, why);
        if (e != ERR_OK) return e;
    }
    checkpoint_origin(a->origin, a->sum.hub.kid, a->own ? NULL : a->kid);
    a->begun = true;
    a->frontier = (struct merkle_frontier){0};
    a->state = AT_CHECKPOINT;
    return a->own ? ERR_OK : find_claims(a, why);
}

static enum err take_log(struct log_audit *a, struct bytes line, struct why *why)
{
    if (!a->sum.proof && take_word(&line, "log")) return begin_log(a, line, why);
    if (!take_word(&line, "end") || line.n != 0 || !a->begun) return no_file(why);
    a->state = AT_END;
    return ERR_OK;
}

static enum err verify_checkpoint(struct log_audit *a, struct bytes line, struct checkpoint *out, struct why *why)
{
    struct note_key key;
    struct bytes note;
    if (!decoded(a, line, &note)) return no_file(why);
    enum err e = note_key_make(&key, bytes_of_str(a->origin), a->sum.hub.sign_pk, why);
    if (e != ERR_OK) return e;
    return checkpoint_verify(note, &key, out, NULL) == ERR_OK ? ERR_OK
                                                              : wrong(a, "its checkpoint is not the hub's", why);
}

static enum err end_log(struct log_audit *a, struct why *why)
{
    uint8_t root[MERKLE_HASH_BYTES];
    merkle_root(&a->frontier, root);
    if (memcmp(root, a->head.root, sizeof root) != 0)
        return wrong(a, "its entries are not those of its checkpoint", why);
    for (size_t i = 0; i < a->n_kept; i++)
        if (strcmp(a->kept[i].origin, a->origin) == 0 && a->kept[i].head.size > a->frontier.size)
            return wrong(a, "it is shorter than a checkpoint that was kept", why);
    if (!a->own && a->claim != a->claim_end) return wrong(a, "it is shorter than the hub's own log says", why);
    if (!a->own && a->claims[a->claim - 1].head.size != a->frontier.size)
        return wrong(a, "the hub's own log does not know its end", why);
    if (a->own && a->n_claims > 0) qsort(a->claims, a->n_claims, sizeof *a->claims, claim_order);
    a->sum.logs++;
    a->state = AT_LOG;
    return ERR_OK;
}

static enum err take_checkpoint(struct log_audit *a, struct bytes line, struct why *why)
{
    struct checkpoint c;
    if (!take_word(&line, "checkpoint")) return no_file(why);
    enum err e = verify_checkpoint(a, line, &c, why);
    if (e != ERR_OK) return e;
    if (c.head.size != a->head.size) return wrong(a, "its checkpoint is of another size", why);
    a->head = c.head;
    a->state = AT_LEAVES;
    return a->head.size == 0 ? end_log(a, why) : ERR_OK;
}

static enum err read_leaf(struct log_audit *a, struct bytes line, uint8_t out[MERKLE_HASH_BYTES], struct why *why)
{
    uint8_t commitment[HASH_BYTES], salt[32], made[HASH_BYTES];
    struct bytes content = {0};
    if (!take_word(&line, "leaf") || !fixed(take_field(&line), commitment, sizeof commitment)) return no_file(why);
    struct bytes salt_text = take_field(&line);
    merkle_leaf_hash(out, bytes_of(commitment, sizeof commitment));
    if (is_dash(salt_text) && is_dash(line)) {
        /* In the hub's own log are the heads of all others, and nothing of anybody: what could be left out there could
         * hide the end of any of them. */
        if (a->own) return wrong(a, "something in the hub's own log was erased", why);
        a->sum.erased++;
        return ERR_OK;
    }
    if (!fixed(salt_text, salt, sizeof salt) || !decoded(a, line, &content)) return no_file(why);
    hash_commit(made, salt, content);
    if (memcmp(made, commitment, sizeof made) != 0) return wrong(a, "an entry says what it did not say", why);
    a->sum.kind = log_kind_of(content);
    return a->own && a->begun ? note_head(a, content, why) : ERR_OK;
}

static enum err take_leaf(struct log_audit *a, struct bytes line, struct why *why)
{
    uint8_t leaf[MERKLE_HASH_BYTES];
    struct merkle_node done[MERKLE_LEVELS];
    size_t n = 0;
    enum err e = read_leaf(a, line, leaf, why);
    if (e == ERR_OK) e = merkle_append(&a->frontier, leaf, done, &n, why);
    if (e == ERR_OK) e = hold_against(a, why);
    if (e != ERR_OK) return e;
    a->sum.leaves++;
    return a->frontier.size == a->head.size ? end_log(a, why) : ERR_OK;
}

/* ----------------------------------------------------------------------------------------------------------- proofs */

static enum err take_proof_line(struct log_audit *a, struct bytes line, struct why *why)
{
    struct checkpoint c;
    if (take_word(&line, "hash")) {
        if (a->proof.n == MERKLE_MAX_PROOF || !fixed(line, a->proof.hashes[a->proof.n], MERKLE_HASH_BYTES))
            return no_file(why);
        a->proof.n++;
        return ERR_OK;
    }
    if (!take_word(&line, "checkpoint")) return no_file(why);
    enum err e = verify_checkpoint(a, line, &c, why);
    if (e == ERR_OK && merkle_verify_inclusion(&c.head, a->sum.index, a->leaf, merkle_proof_bytes(&a->proof), NULL) != ERR_OK)
        e = wrong(a, "its hashes do not lead to the checkpoint", why);
    if (e != ERR_OK) return e;
    for (size_t i = 0; i < a->n_kept; i++) {
        struct kept *k = &a->kept[i];
        if (strcmp(k->origin, a->origin) != 0 || k->head.size != c.head.size) continue;
        if (memcmp(k->head.root, c.head.root, MERKLE_HASH_BYTES) != 0)
            return wrong(a, "a checkpoint that was kept says otherwise", why);
        a->sum.kept += !k->found;
        k->found = true;
    }
    a->sum.size = c.head.size;
    a->sum.leaves = 1;
    a->state = AT_LOG;
    a->begun = true; /* now only the end may follow */
    return ERR_OK;
}

static enum err take_index(struct log_audit *a, struct bytes line, struct why *why)
{
    if (!take_word(&line, "index")) return no_file(why);
    struct bytes whose = take_field(&line);
    if (!number(line, &a->sum.index) || (!is_dash(whose) && !kid_of(whose, a->kid))) return no_file(why);
    a->own = is_dash(whose);
    checkpoint_origin(a->origin, a->sum.hub.kid, a->own ? NULL : a->kid);
    memcpy(a->sum.origin, a->origin, sizeof a->origin);
    a->state = AT_ONE_LEAF;
    return check_kept(a, why);
}

/* ------------------------------------------------------------------------------------------------------ the outside */

enum err log_audit_new(struct log_audit **out, struct why *why)
{
    struct log_audit *a = calloc(1, sizeof *a);
    if (a == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to check these logs.");
    buf_init(&a->scratch, LOG_LINE_MAX + 1);
    *out = a;
    return ERR_OK;
}

void log_audit_free(struct log_audit *a)
{
    if (a == NULL) return;
    for (size_t i = 0; i < a->n_kept; i++) buf_release(&a->kept[i].note);
    buf_release(&a->scratch);
    free(a->claims);
    free(a);
}

enum err log_audit_keep(struct log_audit *a, struct bytes note, struct why *why)
{
    struct checkpoint c;
    if (a->n_kept == MAX_KEPT) return why_set(why, ERR_LIMIT, "No more than %d checkpoints can be looked at.", MAX_KEPT);
    /* Who signed it is asked when the file says whose it is; here only what it says. */
    const uint8_t *blank = memmem(note.p, note.n, "\n\n", 2);
    if (blank == NULL || checkpoint_parse(bytes_of(note.p, (size_t)(blank - note.p) + 1), &c, NULL) != ERR_OK ||
        c.origin.n >= CHECKPOINT_ORIGIN_MAX)
        return why_set(why, ERR_FORMAT, "This is no checkpoint of a hub's log.");
    struct kept *k = &a->kept[a->n_kept];
    buf_init(&k->note, NOTE_MAX);
    buf_put_bytes(&k->note, note);
    if (k->note.err != ERR_OK) {
        buf_release(&k->note);
        return why_set(why, k->note.err, "There is not enough memory to check these logs.");
    }
    memcpy(k->origin, c.origin.p, c.origin.n);
    k->head = c.head;
    a->n_kept++;
    return ERR_OK;
}

static enum err take_kind(struct log_audit *a, struct bytes line, struct why *why)
{
    a->sum.proof = bytes_equal(line, bytes_of_str(LOG_PROOF_LINE));
    if (!a->sum.proof && !bytes_equal(line, bytes_of_str(LOG_EXPORT_LINE))) return no_file(why);
    a->state = AT_HUB;
    return ERR_OK;
}

enum err log_audit_line(struct log_audit *a, struct bytes line, struct why *why)
{
    enum err e = ERR_OK;
    switch (a->state) {
    case AT_KIND: return take_kind(a, line, why);
    case AT_HUB: return take_hub(a, line, why);
    case AT_LOG: return take_log(a, line, why);
    case AT_CHECKPOINT: return take_checkpoint(a, line, why);
    case AT_LEAVES: return take_leaf(a, line, why);
    case AT_INDEX: return take_index(a, line, why);
    case AT_ONE_LEAF:
        e = read_leaf(a, line, a->leaf, why);
        if (e == ERR_OK) a->state = AT_HASHES;
        return e;
    case AT_HASHES: return take_proof_line(a, line, why);
    case AT_END: return no_file(why);
    }
    return no_file(why);
}

static enum err all_claims_met(const struct log_audit *a, struct why *why)
{
    for (size_t i = 0; i < a->n_claims; i++)
        if ((i == 0 || memcmp(a->claims[i].kid, a->claims[i - 1].kid, KID_BYTES) != 0) && !a->claims[i].met)
            return why_set(why, ERR_TAMPERED, "The log of a device is missing, which the hub's own log knows.");
    return ERR_OK;
}

enum err log_audit_end(struct log_audit *a, struct log_audit_sum *out, struct why *why)
{
    if (a->state != AT_END) {
        if (a->state == AT_KIND) return no_file(why);
        return why_set(why, ERR_TAMPERED, "The file ends early: something of it is missing.");
    }
    enum err e = all_claims_met(a, why);
    for (size_t i = 0; e == ERR_OK && i < a->n_kept; i++)
        if (!a->kept[i].found && a->sum.proof)
            e = why_set(why, ERR_USAGE, "A proof leads to one checkpoint, and the one that was kept, %s, is of another log or size.",
                        a->kept[i].origin);
        else if (!a->kept[i].found && a->kept[i].head.size > 0)
            e = why_set(why, ERR_TAMPERED, "The log of a checkpoint that was kept, %s, is not in this file.",
                        a->kept[i].origin);
    if (e == ERR_OK) *out = a->sum;
    return e;
}
