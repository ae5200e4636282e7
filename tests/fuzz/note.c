/* Signed notes, checkpoints and verifier keys: what is read and written again is the same text, and a note that is
 * taken holds a signature by the key. With signatures tried as they are, and with every one taken for good. */
#include "base/cbor.h"
#include "crypto/checkpoint.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

enum asked { NOTE = 0, BELIEVED = 1, CHECKPOINT = 2, KEY = 3, SIGNED_CHECKPOINT = 4 };

static bool refusal(enum err e)
{
    return e == ERR_FORMAT || e == ERR_TAMPERED;
}

static struct note_key my_key(void)
{
    struct note_key key;
    HOLDS(note_key_make(&key, bytes_of_str("fuzz"), fuzz_me()->pub.sign_pk, NULL) == ERR_OK);
    return key;
}

/* The form, read in another way: the text, an empty line, and then none but signature lines. */
static void assert_form(struct bytes in, struct bytes text)
{
    size_t lines = 0;
    HOLDS(text.p == in.p && text.n > 0 && text.n < in.n && text.p[text.n - 1] == '\n' && in.p[text.n] == '\n');
    HOLDS(utf8_valid(in) && in.p[in.n - 1] == '\n');
    for (size_t i = text.n + 1; i < in.n; lines++) {
        HOLDS(in.n - i > 4 && memcmp(in.p + i, "\xe2\x80\x94 ", 4) == 0);
        while (in.p[i] != '\n') i++;
        i++;
    }
    HOLDS(lines >= 1 && lines <= NOTE_MAX_SIGNATURES);
}

static void note(struct bytes in, bool believed)
{
    const struct note_key key = my_key();
    struct bytes text;
    struct buf again;
    fuzz_believe(believed);
    enum err e = note_verify(in, &key, &text, NULL);
    if (e != ERR_OK) {
        HOLDS(refusal(e));
        return;
    }
    assert_form(in, text);
    buf_init(&again, 2 * NOTE_MAX);
    HOLDS(note_sign(fuzz_me(), bytes_of_str("fuzz"), text, &again, NULL) == ERR_OK);
    /* The same line; when every signature is good, at least up to the id: name, three bytes in four characters. */
    size_t line = strlen("\xe2\x80\x94 fuzz ") + (believed ? 4 : 92), from = text.n + 1;
    HOLDS(again.len > from + line && memmem(in.p + from, in.n - from, again.data + from, line) != NULL);
    buf_release(&again);
}

static void signed_checkpoint(struct bytes in)
{
    const struct note_key key = my_key();
    struct checkpoint c;
    fuzz_believe(true);
    enum err e = checkpoint_verify(in, &key, &c, NULL);
    HOLDS(e == ERR_OK || refusal(e));
    if (e == ERR_OK) HOLDS(bytes_equal(c.origin, bytes_of_str("fuzz")) && c.head.size <= MERKLE_MAX_SIZE);
}

static void checkpoint(struct bytes in)
{
    struct checkpoint c;
    struct buf again;
    enum err e = checkpoint_parse(in, &c, NULL);
    if (e != ERR_OK) {
        HOLDS(e == ERR_FORMAT);
        return;
    }
    buf_init(&again, NOTE_MAX);
    HOLDS(checkpoint_put(&c, &again, NULL) == ERR_OK);
    HOLDS(bytes_equal(buf_bytes(&again), in));
    buf_release(&again);
}

static void key(struct bytes in)
{
    struct note_key k;
    struct buf again;
    enum err e = note_key_parse(&k, in, NULL);
    if (e != ERR_OK) {
        HOLDS(e == ERR_FORMAT);
        return;
    }
    buf_init(&again, 1u << 10);
    note_key_put(&k, &again);
    HOLDS(again.err == ERR_OK && bytes_equal(buf_bytes(&again), in));
    buf_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(data, size);
    fuzz_start();
    uint8_t asked = fuzz_take(&in);
    switch (asked % 5) {
    case NOTE: note(in, false); break;
    case BELIEVED: note(in, true); break;
    case CHECKPOINT: checkpoint(in); break;
    case KEY: key(in); break;
    case SIGNED_CHECKPOINT: signed_checkpoint(in); break;
    default: break;
    }
    return 0;
}
