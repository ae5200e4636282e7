/* crypto/checkpoint.h. Known answers: tests/vectors/note.txt. */
#include "crypto/checkpoint.h"
#include "tests/lib/vector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROOT "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
#define NONE "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" /* of no leaves */

struct desk {
    struct identity_secret id; /* of RFC 8032 §7.1, test 1 */
    struct buf b;
};

static int setup(void **state)
{
    struct desk *d = calloc(1, sizeof *d);
    uint8_t secret[96];
    memset(secret, 0xa5, sizeof secret);
    if (d == NULL || secret_start(NULL) != ERR_OK) return -1;
    if (!hex_decode(secret, 64,
                    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
                    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
                    128))
        return -1;
    if (identity_secret_from_bytes(&d->id, bytes_of(secret, sizeof secret), NULL) != ERR_OK) return -1;
    buf_init(&d->b, NOTE_MAX);
    *state = d;
    return 0;
}

static int teardown(void **state)
{
    struct desk *d = *state;
    identity_release(&d->id);
    buf_release(&d->b);
    free(d);
    return 0;
}

static const struct {
    const char *name;
    uint64_t size;
} known[] = {{"some", 20852163}, {"most", MERKLE_MAX_SIZE}, {"none", 0}};

static struct bytes read_known(const char *name, const char *what, char out[1024])
{
    char both[32];
    (void)snprintf(both, sizeof both, "%s_%s", name, what);
    return bytes_of(out, vector_read("note.txt", both, (uint8_t *)out, 1024));
}

static void checkpoints_are_those_that_another_program_signed(void **state)
{
    struct desk *d = *state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        char note[1024], text[1024];
        struct bytes in = read_known(known[i].name, "note", note);
        struct note_key key;
        struct checkpoint c;
        assert_int_equal(note_key_parse(&key, read_known(known[i].name, "key", text), NULL), ERR_OK);
        assert_int_equal(checkpoint_verify(in, &key, &c, NULL), ERR_OK);
        assert_true(bytes_equal(c.origin, bytes_of_str(key.name)));
        assert_true(c.head.size == known[i].size);
        assert_int_equal(c.extensions.n, 0);
        if (known[i].size > 0) assert_int_equal(c.head.root[1], known[i].size == MERKLE_MAX_SIZE ? 0xff : 1);
        buf_reset(&d->b);
        assert_int_equal(checkpoint_sign(&d->id, &c, &d->b, NULL), ERR_OK);
        assert_true(bytes_equal(buf_bytes(&d->b), in));
    }
}

/* The example of C2SP's tlog-checkpoint: another's, whose key nobody gave us. */
static void the_published_checkpoint_is_read_and_not_believed(void **state)
{
    struct desk *d = *state;
    static const char note[] =
        "example.com/behind-the-sofa\n20852163\n" ROOT "\n\n"
        "\xe2\x80\x94 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URY"
        "N7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n";
    const size_t text_n = strlen("example.com/behind-the-sofa\n20852163\n" ROOT "\n");
    struct checkpoint c;
    struct note_key key;
    assert_int_equal(checkpoint_parse(bytes_of(note, text_n), &c, NULL), ERR_OK);
    assert_true(c.head.size == 20852163);
    assert_true(bytes_equal(c.origin, bytes_of_str("example.com/behind-the-sofa")));
    assert_int_equal(c.head.root[0], 0x0a);
    assert_int_equal(note_key_make(&key, c.origin, d->id.pub.sign_pk, NULL), ERR_OK);
    assert_int_equal(checkpoint_verify(bytes_of_str(note), &key, &c, NULL), ERR_TAMPERED);
}

/* One hub, one key, many logs. */
static void the_checkpoint_of_one_log_is_not_taken_for_anothers(void **state)
{
    struct desk *d = *state;
    struct checkpoint c = {.origin = bytes_of_str("hub/one"), .head = {.size = 5}}, got;
    struct note_key one, two;
    assert_int_equal(note_key_make(&one, bytes_of_str("hub/one"), d->id.pub.sign_pk, NULL), ERR_OK);
    assert_int_equal(note_key_make(&two, bytes_of_str("hub/two"), d->id.pub.sign_pk, NULL), ERR_OK);
    buf_reset(&d->b);
    assert_int_equal(checkpoint_sign(&d->id, &c, &d->b, NULL), ERR_OK);
    assert_int_equal(checkpoint_verify(buf_bytes(&d->b), &one, &got, NULL), ERR_OK);
    assert_int_equal(checkpoint_verify(buf_bytes(&d->b), &two, &got, NULL), ERR_TAMPERED);
    /* not even when the hub's key has signed log one's text under log two's name */
    struct buf text;
    buf_init(&text, NOTE_MAX);
    assert_int_equal(checkpoint_put(&c, &text, NULL), ERR_OK);
    buf_reset(&d->b);
    assert_int_equal(note_sign(&d->id, bytes_of_str("hub/two"), buf_bytes(&text), &d->b, NULL), ERR_OK);
    assert_int_equal(checkpoint_verify(buf_bytes(&d->b), &two, &got, NULL), ERR_TAMPERED);
    assert_int_equal(checkpoint_verify(buf_bytes(&d->b), &one, &got, NULL), ERR_TAMPERED);
    buf_release(&text);
}

static void no_bit_of_a_checkpoint_can_be_flipped(void **state)
{
    struct note_key key;
    struct checkpoint c;
    char note[1024], text[1024];
    (void)state;
    struct bytes in = read_known("some", "note", note);
    assert_int_equal(note_key_parse(&key, read_known("some", "key", text), NULL), ERR_OK);
    for (size_t bit = 0; bit < 8 * in.n; bit++) {
        note[bit / 8] = (char)(note[bit / 8] ^ (1 << bit % 8));
        enum err e = checkpoint_verify(in, &key, &c, NULL);
        assert_true(e == ERR_TAMPERED || e == ERR_FORMAT);
        note[bit / 8] = (char)(note[bit / 8] ^ (1 << bit % 8));
    }
    assert_int_equal(checkpoint_verify(in, &key, &c, NULL), ERR_OK);
}

static void each_number_and_root_has_one_spelling(void **state)
{
    static const char *const bad[] = {
        "a\n00\n" NONE "\n",
        "a\n01\n" ROOT "\n",
        "a\n+1\n" ROOT "\n",
        "a\n-1\n" ROOT "\n",
        "a\n 1\n" ROOT "\n",
        "a\n1 \n" ROOT "\n",
        "a\n1.0\n" ROOT "\n",
        "a\n0x1\n" ROOT "\n",
        "a\n\xd9\xa1\n" ROOT "\n",
        "a\n9223372036854775808\n" ROOT "\n", /* 2^63 */
        "a\n18446744073709551617\n" ROOT "\n",
        "a\n99999999999999999999999999\n" ROOT "\n",
        "a\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n", /* a bit that means nothing */
        "a\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I\n",
        "a\n1\nCsUYapGGPo4dkMgIAUqom_Xajj7h2fB2MPA3j2jxq2I=\n",
        "a\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxqw==\n",
        "a\n1\n" ROOT "A===\n",
        "a\n1\n" ROOT " \n",
        "a\n1\n\n",
        "a\n\n" ROOT "\n",
        "\n1\n" ROOT "\n",
        "a\n1\n" ROOT,
        "a\n1\n",
        "a\n",
        "",
        "a\n1\n" ROOT "\n\n",
        "a\n1\n" ROOT "\nb\n\nc\n",
        "a\n1\n" ROOT "\nb",
        "a\n1\r\n" ROOT "\r\n",
        "a\t\n1\n" ROOT "\n",
        "\xff\n1\n" ROOT "\n",
        "a\n1\n" ROOT "\n\x01\n",
        "a\n0\n" ROOT "\n", /* a log of no leaves has another root */
    };
    struct checkpoint c = {.origin = bytes_of_str("untouched")};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(checkpoint_parse(bytes_of_str(bad[i]), &c, NULL), ERR_FORMAT);
    assert_true(bytes_equal(c.origin, bytes_of_str("untouched")));
    assert_int_equal(checkpoint_parse(bytes_of_str("a\n0\n" NONE "\n"), &c, NULL), ERR_OK);
    assert_int_equal(checkpoint_parse(bytes_of_str("a b+c\n9223372036854775807\n" ROOT "\n"), &c, NULL), ERR_OK);
    assert_true(c.head.size == MERKLE_MAX_SIZE);
}

static void extensions_are_handed_on_as_they_are(void **state)
{
    struct desk *d = *state;
    struct checkpoint c = {
        .origin = bytes_of_str("hub"), .head = {.size = 1}, .extensions = bytes_of_str("epoch 2\n and \xc3\xa9\n")};
    struct checkpoint got;
    struct note_key key;
    assert_int_equal(note_key_make(&key, c.origin, d->id.pub.sign_pk, NULL), ERR_OK);
    buf_reset(&d->b);
    assert_int_equal(checkpoint_sign(&d->id, &c, &d->b, NULL), ERR_OK);
    assert_int_equal(checkpoint_verify(buf_bytes(&d->b), &key, &got, NULL), ERR_OK);
    assert_true(bytes_equal(got.extensions, c.extensions));
    assert_true(got.head.size == 1);
}

/* Nothing that would read back as another checkpoint, or as none. */
static void what_no_checkpoint_can_say_is_not_signed(void **state)
{
    struct desk *d = *state;
    const struct checkpoint bad[] = {
        {.origin = bytes_of_str(""), .head = {.size = 1}},
        {.origin = bytes_of_str("a\n9"), .head = {.size = 1}},
        {.origin = bytes_of_str("a\n9\n" ROOT), .head = {.size = 1}},
        {.origin = bytes_of_str("\xff"), .head = {.size = 1}},
        {.origin = bytes_of_str("a b"), .head = {.size = 1}}, /* no name for a key */
        {.origin = bytes_of_str("a+b"), .head = {.size = 1}},
        {.origin = bytes_of_str("a"), .head = {.size = 0}}, /* with a root of zeros */
        {.origin = bytes_of_str("a"), .head = {.size = MERKLE_MAX_SIZE + 1}},
        {.origin = bytes_of_str("a"), .head = {.size = 1}, .extensions = bytes_of_str("b")},
        {.origin = bytes_of_str("a"), .head = {.size = 1}, .extensions = bytes_of_str("\n")},
        {.origin = bytes_of_str("a"), .head = {.size = 1}, .extensions = bytes_of_str("b\n\nc\n")},
        {.origin = bytes_of_str("a"), .head = {.size = 1}, .extensions = bytes_of_str("\x02\n")},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        buf_reset(&d->b);
        buf_put_str(&d->b, "before");
        assert_int_equal(checkpoint_sign(&d->id, &bad[i], &d->b, NULL), ERR_FORMAT);
        assert_int_equal(d->b.len, 6);
        bool only_no_name = bad[i].origin.n == 3 && bad[i].origin.p[2] == 'b';
        assert_int_equal(checkpoint_put(&bad[i], &d->b, NULL), only_no_name ? ERR_OK : ERR_FORMAT);
        if (!only_no_name) assert_int_equal(d->b.len, 6);
    }
}

static void a_signed_text_that_is_no_checkpoint_is_told_apart(void **state)
{
    struct desk *d = *state;
    struct checkpoint c;
    struct note_key key;
    assert_int_equal(note_key_make(&key, bytes_of_str("hub"), d->id.pub.sign_pk, NULL), ERR_OK);
    buf_reset(&d->b);
    assert_int_equal(note_sign(&d->id, bytes_of_str("hub"), bytes_of_str("hub\n5\nsoon\n"), &d->b, NULL), ERR_OK);
    assert_int_equal(checkpoint_verify(buf_bytes(&d->b), &key, &c, NULL), ERR_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checkpoints_are_those_that_another_program_signed),
        cmocka_unit_test(the_published_checkpoint_is_read_and_not_believed),
        cmocka_unit_test(the_checkpoint_of_one_log_is_not_taken_for_anothers),
        cmocka_unit_test(no_bit_of_a_checkpoint_can_be_flipped),
        cmocka_unit_test(each_number_and_root_has_one_spelling),
        cmocka_unit_test(extensions_are_handed_on_as_they_are),
        cmocka_unit_test(what_no_checkpoint_can_say_is_not_signed),
        cmocka_unit_test(a_signed_text_that_is_no_checkpoint_is_told_apart),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
