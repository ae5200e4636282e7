#include "sync/message_item.h"

#include <string.h>

/* What is said of transparency logs, and of what a program knows. FORMAT.md §4. */

bool message_knows(const char *software, const char *word)
{
    const size_t n = strlen(word);
    const char *at = strstr(software, " +");
    while (at != NULL && (at = strchr(at, '+')) != NULL) {
        at++;
        if (strncmp(at, word, n) == 0 && (at[n] == '\0' || at[n] == '+')) return true;
    }
    return false;
}

void message_put_seen(struct buf *b, const struct merkle_head *m)
{
    cbor_put_array(b, 3);
    cbor_put_uint(b, MSG_SEEN);
    cbor_put_uint(b, m->size);
    cbor_put_bytes(b, bytes_of(m->root, sizeof m->root));
}

enum err message_get_seen(struct bytes item, struct merkle_head *out, struct why *why)
{
    struct cbor_reader r;
    struct merkle_head m = {0};
    cbor_reader_init(&r, item);
    size_t n = cbor_get_array(&r, 3);
    uint64_t type = cbor_get_uint(&r);
    m.size = cbor_get_uint(&r);
    cbor_get_fixed(&r, m.root, sizeof m.root);
    if (!cbor_at_end(&r) || n != 3 || type != MSG_SEEN || m.size == 0 || m.size > MERKLE_MAX_SIZE)
        return signed_broken(why);
    *out = m;
    return ERR_OK;
}

void message_put_checkpoint(struct buf *b, const struct checkpoint_item *m)
{
    cbor_put_array(b, 3);
    cbor_put_uint(b, MSG_CHECKPOINT);
    cbor_put_text(b, m->note);
    cbor_put_bytes(b, m->proof);
}

enum err message_get_checkpoint(struct bytes item, struct checkpoint_item *out, struct why *why)
{
    struct cbor_reader r;
    cbor_reader_init(&r, item);
    size_t n = cbor_get_array(&r, 3);
    uint64_t type = cbor_get_uint(&r);
    struct bytes note = cbor_get_text(&r), proof = cbor_get_bytes(&r);
    if (!cbor_at_end(&r) || n != 3 || type != MSG_CHECKPOINT || note.n > MESSAGE_NOTE_MAX ||
        proof.n > MERKLE_MAX_PROOF * MERKLE_HASH_BYTES)
        return signed_broken(why);
    *out = (struct checkpoint_item){note, proof};
    return ERR_OK;
}
