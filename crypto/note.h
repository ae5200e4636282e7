/* Signed notes: text with Ed25519 signatures under it, in the form that transparency logs and their witnesses share.
 * crypto/FORMAT.md §7; C2SP signed-note (c2sp.org/signed-note), which took it from Go's golang.org/x/mod/sumdb/note.
 *
 * The text of a note must not be looked at before note_verify has taken it. */
#ifndef SPOKE_CRYPTO_NOTE_H
#define SPOKE_CRYPTO_NOTE_H

#include "crypto/identity.h"

#define NOTE_MAX            (256u << 10) /* bytes of a whole note; room for 16 signatures of 5 kB and more */
#define NOTE_MAX_SIGNATURES 64u          /* the specification asks for 16 at least */
#define NOTE_NAME_MAX       255u         /* bytes in the name of a key that we know */
#define NOTE_KEY_ID_BYTES   4

/* A public key and the name that it signs under. Plain data. */
struct note_key {
    char name[NOTE_NAME_MAX + 1];
    uint8_t id[NOTE_KEY_ID_BYTES]; /* first bytes of SHA-256(name ‖ 0x0a ‖ 0x01 ‖ pk) */
    uint8_t pk[32];                /* Ed25519 */
};

/* ERR_FORMAT: no name for a key (empty, too long, not UTF-8, with white space, control characters or a plus), or a key
 * that is not sound. */
MUST_CHECK enum err note_key_make(struct note_key *out, struct bytes name, const uint8_t sign_pk[32], struct why *why);
/* The verifier key that others' programs take: name, id in hexadecimal and base64 of 0x01 ‖ pk, with a plus between
 * them; one line without a newline. ERR_FORMAT. */
MUST_CHECK enum err note_key_parse(struct note_key *out, struct bytes text, struct why *why);
void note_key_put(const struct note_key *key, struct buf *out); /* appends */

/* Can this be signed: not empty, UTF-8, a newline at its end, and no other control characters (below U+0020)? */
bool note_is_text(struct bytes text);
/* Append the note of `text` with one signature, made under `name`. ERR_FORMAT: no text for a note, or no name for a
 * key; ERR_LIMIT: larger than NOTE_MAX. */
MUST_CHECK enum err note_sign(const struct identity_secret *by, struct bytes name, struct bytes text, struct buf *out,
                              struct why *why);

/* Verify: every line by the name and id of `by` is a good signature, and there is one. Lines by others are only held to
 * their form. `in` is borrowed; *out_text, with the newline at its end, borrows from it and is set only on success.
 * ERR_FORMAT: no signed note; ERR_TAMPERED: one, which that key has not signed. */
MUST_CHECK enum err note_verify(struct bytes in, const struct note_key *by, struct bytes *out_text, struct why *why);

#endif
