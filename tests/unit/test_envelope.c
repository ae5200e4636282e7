#include "base/cbor.h"
#include "sync/changeset.h"
#include "sync/envelope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct identity_secret node, other;
    struct envelope_header h;
    struct part parts[3];
    struct buf cose;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (f == NULL || secret_start(NULL) != ERR_OK || identity_generate(&f->node, NULL) != ERR_OK ||
        identity_generate(&f->other, NULL) != ERR_OK)
        return -1;
    f->h = (struct envelope_header){.epoch = 3, .seq = 70000, .schema = rules_schema_newest(), .hlc = 1ull << 60};
    memset(f->h.hub, 0xaa, sizeof f->h.hub);
    memset(f->h.base_cut, 0xbb, sizeof f->h.base_cut);
    memset(f->h.prev, 0xcc, sizeof f->h.prev);
    memset(f->h.user, 0xdd, sizeof f->h.user);
    for (size_t i = 0; i < 3; i++) memset(f->parts[i].salt, (int)i + 1, SALT_BYTES);
    f->parts[0].content = bytes_of_str("the changes to one case");
    f->parts[1].content = bytes_of_str("the changes to another!");
    f->parts[2].content = bytes_of_str("");
    buf_init(&f->cose, COSE_MAX);
    if (envelope_sign(&f->node, &f->h, f->parts, 3, &f->cose, NULL) != ERR_OK) return -1;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    identity_release(&f->node);
    identity_release(&f->other);
    buf_release(&f->cose);
    free(f);
    return 0;
}

static enum err verify(const struct fixture *f, struct bytes cose)
{
    struct envelope e;
    return envelope_verify(cose, &f->node.pub, &e, NULL);
}

static void envelope_says_what_was_signed(void **state)
{
    struct fixture *f = *state;
    struct envelope e;
    assert_int_equal(envelope_verify(buf_bytes(&f->cose), &f->node.pub, &e, NULL), ERR_OK);
    assert_memory_equal(&e.h, &f->h, sizeof e.h);
    assert_memory_equal(e.kid, f->node.pub.kid, KID_BYTES);
    assert_int_equal(e.n_parts, 3);
    for (size_t i = 0; i < 3; i++) assert_int_equal(envelope_check_part(&e, i, &f->parts[i], NULL), ERR_OK);
}

static void envelope_holds_no_content(void **state)
{
    struct fixture *f = *state;
    assert_null(memmem(f->cose.data, f->cose.len, "changes", 7));
}

static void envelope_rejects_swapped_changed_and_missing_parts(void **state)
{
    struct fixture *f = *state;
    struct envelope e;
    struct part p = f->parts[0];
    assert_int_equal(envelope_verify(buf_bytes(&f->cose), &f->node.pub, &e, NULL), ERR_OK);
    assert_int_equal(envelope_check_part(&e, 0, &f->parts[1], NULL), ERR_TAMPERED);
    assert_int_equal(envelope_check_part(&e, 1, &f->parts[0], NULL), ERR_TAMPERED);
    assert_int_equal(envelope_check_part(&e, 3, &f->parts[0], NULL), ERR_TAMPERED);
    assert_int_equal(envelope_check_part(&e, SIZE_MAX, &f->parts[0], NULL), ERR_TAMPERED);
    p.salt[31] ^= 1;
    assert_int_equal(envelope_check_part(&e, 0, &p, NULL), ERR_TAMPERED);
    p = f->parts[0];
    p.content.n--;
    assert_int_equal(envelope_check_part(&e, 0, &p, NULL), ERR_TAMPERED);
}

static void envelope_rejects_another_signer(void **state)
{
    struct fixture *f = *state;
    struct envelope e;
    assert_int_equal(envelope_verify(buf_bytes(&f->cose), &f->other.pub, &e, NULL), ERR_TAMPERED);
}

static void envelope_rejects_swapped_signature_and_commitments(void **state)
{
    struct fixture *f = *state;
    struct buf second;
    struct envelope_header h = f->h;
    h.seq++;
    buf_init(&second, COSE_MAX);
    assert_int_equal(envelope_sign(&f->node, &h, f->parts, 3, &second, NULL), ERR_OK);
    assert_int_equal(verify(f, buf_bytes(&second)), ERR_OK);
    memcpy(second.data + second.len - 64, f->cose.data + f->cose.len - 64, 64);
    assert_int_equal(verify(f, buf_bytes(&second)), ERR_TAMPERED);
    buf_release(&second);

    uint8_t one[HASH_BYTES], two[HASH_BYTES];
    hash_commit(one, f->parts[0].salt, f->parts[0].content);
    hash_commit(two, f->parts[1].salt, f->parts[1].content);
    uint8_t *at = memmem(f->cose.data, f->cose.len, one, sizeof one);
    uint8_t *to = memmem(f->cose.data, f->cose.len, two, sizeof two);
    assert_non_null(at);
    assert_non_null(to);
    memcpy(at, two, sizeof two);
    memcpy(to, one, sizeof one);
    assert_int_equal(verify(f, buf_bytes(&f->cose)), ERR_TAMPERED);
}

static void envelope_rejects_a_flip_of_any_bit_and_any_truncation(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < f->cose.len; i++) {
        for (unsigned bit = 0; bit < 8; bit += 3) {
            f->cose.data[i] ^= (uint8_t)(1u << bit);
            assert_int_not_equal(verify(f, buf_bytes(&f->cose)), ERR_OK);
            f->cose.data[i] ^= (uint8_t)(1u << bit);
        }
        assert_int_equal(verify(f, bytes_of(f->cose.data, i)), ERR_FORMAT);
    }
    buf_put_u8(&f->cose, 0);
    assert_int_equal(verify(f, buf_bytes(&f->cose)), ERR_FORMAT);
}

static void a_page_never_passes_for_an_envelope(void **state)
{
    struct fixture *f = *state;
    struct page_header h = {.epoch = 3, .schema = rules_schema_newest()};
    struct signed_page p;
    struct buf page;
    memset(h.node, 0x11, sizeof h.node);
    memset(h.to_cut, 0x22, sizeof h.to_cut);
    buf_init(&page, COSE_MAX);
    assert_int_equal(page_sign(&f->node, &h, f->parts, 3, &page, NULL), ERR_OK);
    assert_int_equal(page_verify(buf_bytes(&page), &f->node.pub, &p, NULL), ERR_OK);
    assert_memory_equal(&p.h, &h, sizeof h);
    for (size_t i = 0; i < 3; i++) assert_int_equal(page_check_part(&p, i, &f->parts[i], NULL), ERR_OK);
    assert_int_equal(page_check_part(&p, 0, &f->parts[1], NULL), ERR_TAMPERED);
    assert_int_equal(page_check_part(&p, 3, &f->parts[2], NULL), ERR_TAMPERED);
    assert_int_equal(page_verify(buf_bytes(&page), &f->other.pub, &p, NULL), ERR_TAMPERED);
    assert_int_equal(verify(f, buf_bytes(&page)), ERR_FORMAT);
    assert_int_equal(page_verify(buf_bytes(&f->cose), &f->node.pub, &p, NULL), ERR_FORMAT);
    buf_release(&page);
}

static void a_newer_schema_is_told_apart_from_damage(void **state)
{
    struct fixture *f = *state;
    struct envelope e = {.n_parts = 77};
    struct why why = {0};
    struct envelope_header h = f->h;
    h.schema = rules_schema_newest() + 1;
    buf_reset(&f->cose);
    assert_int_equal(envelope_sign(&f->node, &h, f->parts, 1, &f->cose, NULL), ERR_OK);
    assert_int_equal(envelope_verify(buf_bytes(&f->cose), &f->node.pub, &e, &why), ERR_VERSION);
    assert_true(why.next[0] != '\0');
    assert_int_equal(e.n_parts, 77); /* outputs change only on success */
}

/* Signed by the right key and yet not what an envelope is. */
static enum err verify_forged(struct fixture *f, const struct envelope_header *h, const char *typ, size_t extra_pairs)
{
    struct buf extra, payload;
    buf_init(&extra, 4096);
    buf_init(&payload, 4096);
    cbor_put_uint(&extra, 16);
    cbor_put_str(&extra, typ);
    cbor_put_int(&extra, -70001);
    cbor_put_array(&extra, 9);
    cbor_put_bytes(&extra, bytes_of(h->hub, 16));
    cbor_put_uint(&extra, h->epoch);
    cbor_put_bytes(&extra, bytes_of(h->base_cut, 16));
    cbor_put_uint(&extra, h->seq);
    cbor_put_bytes(&extra, bytes_of(h->prev, 32));
    cbor_put_uint(&extra, h->schema);
    cbor_put_uint(&extra, h->hlc);
    cbor_put_bytes(&extra, bytes_of(h->user, 16));
    cbor_put_bytes(&extra, bytes_of(h->rescued, 32));
    for (size_t i = 2; i < extra_pairs; i++) {
        cbor_put_int(&extra, -70000 - (int64_t)i);
        cbor_put_null(&extra);
    }
    cbor_put_array(&payload, 1);
    cbor_put_array(&payload, 2);
    cbor_put_bytes(&payload, bytes_of(h->prev, 32));
    cbor_put_uint(&payload, 5);
    buf_reset(&f->cose);
    assert_int_equal(
        cose_sign(&f->node, extra_pairs, buf_bytes(&extra), bytes_of(NULL, 0), buf_bytes(&payload), &f->cose, NULL),
        ERR_OK);
    buf_release(&extra);
    buf_release(&payload);
    return verify(f, buf_bytes(&f->cose));
}

static void signed_nonsense_is_refused(void **state)
{
    struct fixture *f = *state;
    static const char typ[] = "application/x-spoke-envelope";
    struct envelope_header h = f->h;
    assert_int_equal(verify_forged(f, &h, typ, 2), ERR_OK); /* the hand-made one is right until something is not */
    assert_int_equal(verify_forged(f, &h, "application/x-spoke-page", 2), ERR_FORMAT);
    assert_int_equal(verify_forged(f, &h, "x-spoke-envelope", 2), ERR_FORMAT);
    assert_int_equal(verify_forged(f, &h, typ, 3), ERR_FORMAT);
    h.seq = 0;
    assert_int_equal(verify_forged(f, &h, typ, 2), ERR_FORMAT);
    h.seq = UINT64_MAX;
    assert_int_equal(verify_forged(f, &h, typ, 2), ERR_FORMAT);
    h = f->h;
    h.schema = 0;
    assert_int_equal(verify_forged(f, &h, typ, 2), ERR_FORMAT);
}

static void an_envelope_has_1_to_4096_parts(void **state)
{
    struct fixture *f = *state;
    struct part *parts = calloc(ENVELOPE_MAX_PARTS + 1, sizeof *parts);
    struct envelope e;
    assert_non_null(parts);
    for (size_t i = 0; i <= ENVELOPE_MAX_PARTS; i++) {
        memcpy(parts[i].salt, &i, sizeof i);
        parts[i].content = bytes_of(parts, i * i % 300); /* lengths of one, two and three bytes */
    }
    buf_reset(&f->cose);
    assert_int_equal(envelope_sign(&f->node, &f->h, parts, 0, &f->cose, NULL), ERR_FORMAT);
    assert_int_equal(envelope_sign(&f->node, &f->h, parts, ENVELOPE_MAX_PARTS + 1, &f->cose, NULL), ERR_LIMIT);
    assert_int_equal(f->cose.len, 0);
    assert_int_equal(envelope_sign(&f->node, &f->h, parts, ENVELOPE_MAX_PARTS, &f->cose, NULL), ERR_OK);
    assert_int_equal(envelope_verify(buf_bytes(&f->cose), &f->node.pub, &e, NULL), ERR_OK);
    for (size_t i = 0; i < ENVELOPE_MAX_PARTS; i++)
        assert_int_equal(envelope_check_part(&e, i, &parts[i], NULL), ERR_OK);
    assert_int_equal(envelope_check_part(&e, 17, &parts[18], NULL), ERR_TAMPERED);
    free(parts);
}

/* tests/vectors: lines "name hex" between comments. */
static void vector(const char *file, const char *name, struct buf *out)
{
    char path[4096], line[4096];
    const char *slash = strrchr(__FILE__, '/');
    assert_non_null(slash);
    snprintf(path, sizeof path, "%.*s/../vectors/%s", (int)(slash - __FILE__), __FILE__, file);
    FILE *in = fopen(path, "r");
    if (in == NULL) fail_msg("no %s", file);
    buf_init(out, 4096);
    while (fgets(line, sizeof line, in) != NULL) {
        size_t n = strlen(name), hex = strcspn(line, "\r\n");
        if (line[0] == '#' || strncmp(line, name, n) != 0 || line[n] != ' ') continue;
        uint8_t *to = buf_grow(out, (hex - n - 1) / 2);
        assert_true(hex_decode(to, (hex - n - 1) / 2, line + n + 1, hex - n - 1));
    }
    fclose(in);
    assert_true(out->len > 0);
}

static void the_known_changeset_is_read_and_written(void **state)
{
    (void)state;
    struct buf changeset, patchset, out;
    struct changeset_limits lim = {.schema = 1, .allow_delete = true, .max_ops = 10};
    vector("changeset.txt", "changeset", &changeset);
    vector("changeset.txt", "patchset", &patchset);
    assert_int_equal(changeset_check(buf_bytes(&changeset), &lim, NULL), ERR_OK);
    lim.patchset = true;
    assert_int_equal(changeset_check(buf_bytes(&patchset), &lim, NULL), ERR_OK);
    struct changeset_reader r;
    struct changeset_writer w;
    struct op op;
    bool end = false;
    buf_init(&out, 4096);
    changeset_reader_init(&r, buf_bytes(&changeset), rules_schema_newest());
    changeset_writer_init(&w, &out, true, rules_schema_newest());
    while (changeset_next(&r, &op, &end, NULL) == ERR_OK && !end)
        changeset_put(&w, &op); /* the patchset of a changeset: less of the same */
    assert_true(bytes_equal(buf_bytes(&out), buf_bytes(&patchset)));
    buf_release(&changeset);
    buf_release(&patchset);
    buf_release(&out);
}

static void the_known_envelope_is_signed_and_verified(void **state)
{
    (void)state;
    struct identity_secret id = {0};
    struct buf secret, salt, changeset, cose, chain, out;
    uint8_t hash[HASH_BYTES];
    struct envelope_header h = {.epoch = 1, .seq = 1, .schema = 1, .hlc = 0x019a00000000ull << 16 | 7};
    struct part part = {0};
    struct envelope e;
    vector("envelope.txt", "secret", &secret);
    vector("envelope.txt", "salt", &salt);
    vector("envelope.txt", "cose", &cose);
    vector("envelope.txt", "hash", &chain);
    vector("changeset.txt", "changeset", &changeset);
    memset(h.hub, 0xa0, sizeof h.hub);
    memset(h.user, 0xa1, sizeof h.user);
    memcpy(part.salt, salt.data, SALT_BYTES);
    part.content = buf_bytes(&changeset);
    assert_int_equal(identity_secret_from_bytes(&id, buf_bytes(&secret), NULL), ERR_OK);
    buf_init(&out, COSE_MAX);
    assert_int_equal(envelope_sign(&id, &h, &part, 1, &out, NULL), ERR_OK);
    assert_true(bytes_equal(buf_bytes(&out), buf_bytes(&cose)));
    assert_int_equal(envelope_verify(buf_bytes(&cose), &id.pub, &e, NULL), ERR_OK);
    assert_int_equal(envelope_check_part(&e, 0, &part, NULL), ERR_OK);
    envelope_hash(buf_bytes(&cose), hash);
    assert_true(bytes_equal(bytes_of(hash, sizeof hash), buf_bytes(&chain)));
    identity_release(&id);
    buf_release(&chain);
    buf_release(&secret);
    buf_release(&salt);
    buf_release(&changeset);
    buf_release(&cose);
    buf_release(&out);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(envelope_says_what_was_signed),
        TEST(envelope_holds_no_content),
        TEST(envelope_rejects_swapped_changed_and_missing_parts),
        TEST(envelope_rejects_another_signer),
        TEST(envelope_rejects_swapped_signature_and_commitments),
        TEST(envelope_rejects_a_flip_of_any_bit_and_any_truncation),
        TEST(a_page_never_passes_for_an_envelope),
        TEST(a_newer_schema_is_told_apart_from_damage),
        TEST(signed_nonsense_is_refused),
        TEST(an_envelope_has_1_to_4096_parts),
        TEST(the_known_changeset_is_read_and_written),
        TEST(the_known_envelope_is_signed_and_verified),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
