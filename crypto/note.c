#include "crypto/note.h"

#include "base/cbor.h"
#include "crypto/base64.h"

#include <sodium.h>
#include <string.h>

/* FORMAT.md §7. */
enum { ED25519 = 0x01, SIGNATURE_BYTES = crypto_sign_BYTES, SIGNED_BYTES = NOTE_KEY_ID_BYTES + SIGNATURE_BYTES };
static const char dash[] = "\xe2\x80\x94 "; /* em dash, space */
enum { DASH_BYTES = sizeof dash - 1 };

/* The front of `in` up to the first `end`, which is left out; *in goes on behind it. false: it is not there. */
static bool take_until(struct bytes *in, char end, struct bytes *out)
{
    const uint8_t *at = in->n > 0 ? memchr(in->p, end, in->n) : NULL;
    if (at == NULL) return false;
    size_t n = (size_t)(at - in->p);
    *out = bytes_of(in->p, n);
    *in = bytes_of(at + 1, in->n - n - 1);
    return true;
}

/* ---- keys ---- */
/* Unicode's White_Space beyond the control characters, in UTF-8. */
static const char *const spaces[] = {" ",
                                     "\xc2\x85",
                                     "\xc2\xa0",
                                     "\xe1\x9a\x80",
                                     "\xe2\x80\x80",
                                     "\xe2\x80\x81",
                                     "\xe2\x80\x82",
                                     "\xe2\x80\x83",
                                     "\xe2\x80\x84",
                                     "\xe2\x80\x85",
                                     "\xe2\x80\x86",
                                     "\xe2\x80\x87",
                                     "\xe2\x80\x88",
                                     "\xe2\x80\x89",
                                     "\xe2\x80\x8a",
                                     "\xe2\x80\xa8",
                                     "\xe2\x80\xa9",
                                     "\xe2\x80\xaf",
                                     "\xe2\x81\x9f",
                                     "\xe3\x80\x80"};

static bool has_control(struct bytes s, bool but_newline)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < 0x20 && !(but_newline && s.p[i] == '\n')) return true;
    }
    return false;
}

static bool is_name(struct bytes s)
{
    if (s.n == 0 || !utf8_valid(s) || has_control(s, false) || memchr(s.p, '+', s.n) != NULL) return false;
    for (size_t i = 0; i < sizeof spaces / sizeof spaces[0]; i++) {
        if (memmem(s.p, s.n, spaces[i], strlen(spaces[i])) != NULL) return false;
    }
    return true;
}

/* Fills in the id too. name is one. */
static void set_key(struct note_key *key, struct bytes name, const uint8_t sign_pk[32])
{
    static const uint8_t kind[] = {'\n', ED25519};
    uint8_t hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_state st;
    memset(key, 0, sizeof *key);
    memcpy(key->name, name.p, name.n);
    memcpy(key->pk, sign_pk, sizeof key->pk);
    (void)crypto_hash_sha256_init(&st);
    (void)crypto_hash_sha256_update(&st, name.p, name.n);
    (void)crypto_hash_sha256_update(&st, kind, sizeof kind);
    (void)crypto_hash_sha256_update(&st, sign_pk, sizeof key->pk);
    (void)crypto_hash_sha256_final(&st, hash);
    memcpy(key->id, hash, NOTE_KEY_ID_BYTES);
}

enum err note_key_make(struct note_key *out, struct bytes name, const uint8_t sign_pk[32], struct why *why)
{
    if (name.n > NOTE_NAME_MAX || !is_name(name))
        return why_set(why, ERR_FORMAT, "the name of a log's key is too long, or has a character that it may not have");
    if (crypto_core_ed25519_is_valid_point(sign_pk) != 1)
        return why_set(why, ERR_FORMAT, "a log's key is not sound and was not accepted");
    set_key(out, name, sign_pk);
    return ERR_OK;
}

static enum err no_key(struct why *why)
{
    return why_set(why, ERR_FORMAT, "this is not the key of a log, or a part of it is missing or was changed");
}

enum err note_key_parse(struct note_key *out, struct bytes text, struct why *why)
{
    struct bytes rest = text, name, hex;
    uint8_t id[NOTE_KEY_ID_BYTES], key[1 + 32];
    char lower[2 * NOTE_KEY_ID_BYTES + 1];
    size_t n = 0;
    struct note_key k;
    if (!take_until(&rest, '+', &name) || !take_until(&rest, '+', &hex)) return no_key(why);
    if (!hex_decode(id, sizeof id, (const char *)hex.p, hex.n)) return no_key(why);
    hex_encode(lower, id, sizeof id);
    if (memcmp(lower, hex.p, hex.n) != 0) return no_key(why); /* one key, one text */
    if (!base64_decode(rest, key, sizeof key, &n) || n != sizeof key || key[0] != ED25519) return no_key(why);
    enum err err = note_key_make(&k, name, key + 1, why);
    if (err != ERR_OK) return err;
    if (memcmp(k.id, id, sizeof id) != 0) return no_key(why);
    *out = k;
    return ERR_OK;
}

void note_key_put(const struct note_key *key, struct buf *out)
{
    uint8_t typed[1 + sizeof key->pk] = {ED25519};
    char hex[2 * NOTE_KEY_ID_BYTES + 1], base64[BASE64_CHARS(sizeof typed) + 1];
    memcpy(typed + 1, key->pk, sizeof key->pk);
    hex_encode(hex, key->id, NOTE_KEY_ID_BYTES);
    base64_encode(base64, bytes_of(typed, sizeof typed));
    buf_printf(out, "%s+%s+%s", key->name, hex, base64);
}

/* ---- signing ---- */
bool note_is_text(struct bytes s)
{
    return s.n > 0 && s.p[s.n - 1] == '\n' && utf8_valid(s) && !has_control(s, true);
}

enum err note_sign(const struct identity_secret *by, struct bytes name, struct bytes text, struct buf *out,
                   struct why *why)
{
    struct note_key key;
    uint8_t sig[SIGNED_BYTES];
    char base64[BASE64_CHARS(sizeof sig) + 1];
    size_t before = out->len;
    if (text.n > NOTE_MAX) return why_set(why, ERR_LIMIT, "a text is too long to be signed");
    if (!note_is_text(text))
        return why_set(why, ERR_FORMAT, "a text that was to be signed is not in the form it should have");
    enum err err = note_key_make(&key, name, by->pub.sign_pk, why);
    if (err != ERR_OK) return err;
    if (text.n + 1 + DASH_BYTES + name.n + 1 + sizeof base64 > NOTE_MAX)
        return why_set(why, ERR_LIMIT, "a text is too long to be signed");
    memcpy(sig, key.id, NOTE_KEY_ID_BYTES);
    (void)crypto_sign_detached(sig + NOTE_KEY_ID_BYTES, NULL, text.p, text.n, by->keys.p);
    base64_encode(base64, bytes_of(sig, sizeof sig));
    buf_put_bytes(out, text);
    buf_printf(out, "\n%s%s %s\n", dash, key.name, base64);
    if (out->err == ERR_OK) return ERR_OK;
    out->len = before;
    return why_set(why, out->err, "there is not enough room for a signed text");
}

/* ---- verifying ---- */
struct signature_line {
    struct bytes name;           /* borrowed */
    uint8_t start[SIGNED_BYTES]; /* key id and signature, or as much of it as there is room for */
    size_t n;                    /* how long they are together */
};

/* base64 of any length, so that others' signatures (of other kinds, which may be long) are held to their form: in
 * pieces, of which only the last may be padded. */
static bool read_base64(struct bytes in, struct signature_line *out)
{
    uint8_t piece[768];
    const size_t chars = BASE64_CHARS(sizeof piece);
    out->n = 0;
    while (in.n > 0) {
        size_t take = in.n < chars ? in.n : chars, got = 0;
        if (!base64_decode(bytes_of(in.p, take), piece, sizeof piece, &got)) return false;
        if (take < in.n && got != sizeof piece) return false; /* padding in the middle */
        if (out->n == 0) memcpy(out->start, piece, got < sizeof out->start ? got : sizeof out->start);
        out->n += got;
        in = bytes_of(in.p + take, in.n - take);
    }
    return out->n > NOTE_KEY_ID_BYTES;
}

static bool take_signature(struct bytes *lines, struct signature_line *out)
{
    struct bytes line;
    if (!take_until(lines, '\n', &line)) return false;
    if (line.n < DASH_BYTES || memcmp(line.p, dash, DASH_BYTES) != 0) return false;
    line = bytes_of(line.p + DASH_BYTES, line.n - DASH_BYTES);
    return take_until(&line, ' ', &out->name) && is_name(out->name) && read_base64(line, out);
}

/* The text ends with the newline before the last empty line; what follows that is signatures. */
static bool split(struct bytes in, struct bytes *text, struct bytes *lines)
{
    for (size_t i = in.n; i >= 2; i--) {
        if (in.p[i - 1] != '\n' || in.p[i - 2] != '\n') continue;
        *text = bytes_of(in.p, i - 1);
        *lines = bytes_of(in.p + i, in.n - i);
        return true;
    }
    return false;
}

static enum err malformed(struct why *why)
{
    return why_set(why, ERR_FORMAT, "a signed text is damaged: it is not in the form that it should have");
}

static enum err not_theirs(struct why *why)
{
    return why_set(why, ERR_TAMPERED, "a signature does not hold: the text was changed, or someone else signed it");
}

enum err note_verify(struct bytes in, const struct note_key *by, struct bytes *out_text, struct why *why)
{
    struct bytes text, lines;
    struct signature_line s;
    size_t n = 0, good = 0;
    if (in.n > NOTE_MAX || !note_is_text(in) || !split(in, &text, &lines) || lines.n == 0) return malformed(why);
    for (; lines.n > 0; n++) {
        if (n == NOTE_MAX_SIGNATURES || !take_signature(&lines, &s)) return malformed(why);
        if (!bytes_equal(s.name, bytes_of_str(by->name)) || memcmp(s.start, by->id, NOTE_KEY_ID_BYTES) != 0) continue;
        if (s.n != SIGNED_BYTES ||
            crypto_sign_verify_detached(s.start + NOTE_KEY_ID_BYTES, text.p, text.n, by->pk) != 0)
            return not_theirs(why);
        good++;
    }
    if (good == 0) return not_theirs(why);
    *out_text = text;
    return ERR_OK;
}
