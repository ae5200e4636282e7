#include "tests/lib/needles.h"

#include <stdlib.h>
#include <string.h>

#define BITS    18u
#define BUCKETS (1u << BITS)

static uint32_t hash_of(const uint8_t *p)
{
    uint64_t x = 0;
    memcpy(&x, p, NEEDLE_MIN);
    return (uint32_t)(x * 0x9E3779B97F4A7C15u >> (64 - BITS));
}

static void *must(void *p)
{
    if (p == NULL) abort();
    return p;
}

void needles_init(struct needles *s)
{
    *s = (struct needles){.bucket = must(calloc(BUCKETS, sizeof *s->bucket)), .filter = must(calloc(BUCKETS / 8, 1))};
}

void needles_release(struct needles *s)
{
    for (size_t i = 0; i < s->n; i++) {
        explicit_bzero(s->v[i].bytes, s->v[i].n);
        free(s->v[i].bytes);
    }
    for (size_t i = 0; i < s->n_names; i++) free(s->names[i]);
    free(s->names);
    free(s->v);
    free(s->bucket);
    free(s->filter);
    *s = (struct needles){0};
}

static void add(struct needles *s, const char *what, const char *form, struct bytes b)
{
    if (b.n < NEEDLE_MIN) return; /* a form that is too short: the others remain */
    uint32_t h = hash_of(b.p);
    for (uint32_t i = s->bucket[h]; i != 0; i = s->v[i - 1].next)
        if (s->v[i - 1].n == b.n && memcmp(s->v[i - 1].bytes, b.p, b.n) == 0) return;
    if (s->n == s->cap) {
        s->cap = s->cap != 0 ? s->cap * 2 : 1024;
        s->v = must(realloc(s->v, s->cap * sizeof *s->v));
    }
    struct needle *to = &s->v[s->n++];
    *to = (struct needle){.bytes = must(malloc(b.n)), .n = b.n, .what = what, .form = form, .next = s->bucket[h]};
    memcpy(to->bytes, b.p, b.n);
    s->bucket[h] = (uint32_t)s->n;
    s->filter[h / 8] |= (uint8_t)(1u << h % 8);
    if (b.n > s->longest) s->longest = b.n;
}

static void add_wide(struct needles *s, const char *what, struct bytes b)
{
    uint8_t little[NEEDLE_MAX] = {0}, big[NEEDLE_MAX] = {0};
    for (size_t i = 0; i < b.n; i++) little[2 * i] = big[2 * i + 1] = b.p[i];
    /* Without the zero that begins or ends it, so that both are whole wherever the text begins. */
    add(s, what, "in UTF-16 (little-endian)", bytes_of(little, 2 * b.n - 1));
    add(s, what, "in UTF-16 (big-endian)", bytes_of(big + 1, 2 * b.n - 1));
    explicit_bzero(little, sizeof little);
    explicit_bzero(big, sizeof big);
}

static void add_hex(struct needles *s, const char *what, struct bytes b)
{
    static const char *const digits[] = {"0123456789abcdef", "0123456789ABCDEF"};
    uint8_t out[NEEDLE_MAX];
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < b.n; i++) {
            out[2 * i] = (uint8_t)digits[k][b.p[i] >> 4];
            out[2 * i + 1] = (uint8_t)digits[k][b.p[i] & 15];
        }
        add(s, what, "in hexadecimal", bytes_of(out, 2 * b.n));
    }
    explicit_bzero(out, sizeof out);
}

static uint8_t bit_of(struct bytes b, size_t at)
{
    return (uint8_t)(b.p[at / 8] >> (7 - at % 8) & 1);
}

/* Of the text with 0, 1 or 2 unknown bytes before it, the letters that depend on the text alone. */
static void add_base64(struct needles *s, const char *what, struct bytes b, const char *last_two)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    static const size_t skipped[] = {0, 4, 2}; /* bits until the next letter begins */
    uint8_t out[NEEDLE_MAX];
    for (size_t k = 0; k < 3; k++) {
        size_t n = 0;
        for (size_t at = skipped[k]; at + 6 <= 8 * b.n; at += 6) {
            unsigned six = 0;
            for (size_t i = 0; i < 6; i++) six = six << 1 | bit_of(b, at + i);
            out[n++] = (uint8_t)(six < 62 ? letters[six] : last_two[six - 62]);
        }
        add(s, what, "in base64", bytes_of(out, n));
    }
    explicit_bzero(out, sizeof out);
}

bool needles_add(struct needles *s, const char *what, struct bytes secret)
{
    if (secret.n < NEEDLE_MIN || 2 * secret.n > NEEDLE_MAX) return false;
    s->names = must(realloc(s->names, (s->n_names + 1) * sizeof *s->names));
    what = s->names[s->n_names++] = must(strdup(what));
    add(s, what, "as it is", secret);
    add_wide(s, what, secret);
    add_hex(s, what, secret);
    add_base64(s, what, secret, "+/");
    add_base64(s, what, secret, "-_");
    return true;
}

void needles_look(struct needles *s, struct bytes in, needle_fn found, void *ctx)
{
    s->looks++;
    for (size_t at = 0; at + NEEDLE_MIN <= in.n; at++) {
        uint32_t h = hash_of(in.p + at);
        if ((s->filter[h / 8] >> h % 8 & 1) == 0) continue;
        for (uint32_t i = s->bucket[h]; i != 0; i = s->v[i - 1].next) {
            struct needle *x = &s->v[i - 1];
            if (x->n > in.n - at || x->seen == s->looks || memcmp(x->bytes, in.p + at, x->n) != 0) continue;
            x->seen = s->looks;
            found(ctx, x, at);
        }
    }
}
