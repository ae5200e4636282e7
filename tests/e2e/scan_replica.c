/* scan_replica HOME PASSFILE FORBIDDEN ALLOWED: is any forbidden byte string in any byte of HOME/replica.db, once
 * decrypted, free pages and leftovers within pages included? Both lists have one string a line, in hexadecimal. Strings
 * are cut into pieces, because a long text may lie in parts on overflow pages; a piece that also stands in an allowed
 * string proves nothing and is left out. Prints what it did; exits 1 when something was found, 0 when nothing was. */
#include "tests/lib/home.h"

#include "crypto/keyslot.h"
#include "crypto/pagevfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE_MIN 6u /* shorter strings stand anywhere by chance */
#define PIECE_MAX 24u
#define BUCKETS   (1u << 20)

struct piece {
    uint8_t bytes[PIECE_MAX];
    uint8_t n;
    bool allowed;
    bool found;
    uint32_t next; /* index + 1 in the same bucket */
};

struct search {
    struct piece *pieces;
    size_t n, cap;
    uint32_t *bucket; /* index + 1 of the first */
    bool marking;     /* looking through allowed strings */
    size_t found;
    size_t pages;
};

static uint32_t bucket_of(const uint8_t *p)
{
    uint64_t x = 0;
    memcpy(&x, p, PIECE_MIN);
    return (uint32_t)(x * 0x9E3779B97F4A7C15u >> 44) & (BUCKETS - 1);
}

static void *grown(void *p, size_t n)
{
    p = realloc(p, n);
    if (p == NULL) abort();
    return p;
}

static void add_piece(struct search *s, const uint8_t *p, size_t n)
{
    uint32_t *b = &s->bucket[bucket_of(p)];
    for (uint32_t i = *b; i != 0; i = s->pieces[i - 1].next)
        if (s->pieces[i - 1].n == n && memcmp(s->pieces[i - 1].bytes, p, n) == 0) return;
    if (s->n == s->cap) {
        s->cap = s->cap != 0 ? s->cap * 2 : 4096;
        s->pieces = grown(s->pieces, s->cap * sizeof *s->pieces);
    }
    struct piece *to = &s->pieces[s->n++];
    *to = (struct piece){.n = (uint8_t)n, .next = *b};
    memcpy(to->bytes, p, n);
    *b = (uint32_t)s->n;
}

static void add(struct search *s, const uint8_t *p, size_t n)
{
    for (; n > 2 * PIECE_MAX; p += PIECE_MAX, n -= PIECE_MAX) add_piece(s, p, PIECE_MAX);
    if (n > PIECE_MAX) {
        add_piece(s, p, n / 2);
        p += n / 2;
        n -= n / 2;
    }
    if (n >= PIECE_MIN) add_piece(s, p, n);
}

static void look(struct search *s, const uint8_t *p, size_t n)
{
    for (size_t at = 0; at + PIECE_MIN <= n; at++) {
        for (uint32_t i = s->bucket[bucket_of(p + at)]; i != 0; i = s->pieces[i - 1].next) {
            struct piece *x = &s->pieces[i - 1];
            if (x->n > n - at || memcmp(x->bytes, p + at, x->n) != 0) continue;
            if (s->marking) {
                x->allowed = true;
            } else if (!x->allowed && !x->found) {
                char hex[2 * PIECE_MAX + 1];
                hex_encode(hex, x->bytes, x->n);
                printf("found on page %zu: %s (%.*s)\n", s->pages, hex, (int)x->n, (const char *)x->bytes);
                x->found = true;
                s->found++;
            }
        }
    }
}

static enum err look_at_page(void *ctx, uint32_t pgno, const uint8_t page[4096])
{
    struct search *s = ctx;
    s->pages = pgno;
    look(s, page, 4096);
    return ERR_OK;
}

/* Calls `each` for every line of a file of hexadecimal strings. */
static void lines(struct search *s, const char *file, void (*each)(struct search *s, const uint8_t *p, size_t n))
{
    struct buf text;
    buf_init(&text, 256u << 20);
    home_read(file, &text);
    for (size_t at = 0; at < text.len;) {
        const uint8_t *end = memchr(text.data + at, '\n', text.len - at);
        size_t n = (end != NULL ? (size_t)(end - text.data) : text.len) - at;
        uint8_t *p = grown(NULL, n / 2 + 1);
        if (!hex_decode(p, n / 2, (const char *)text.data + at, n)) {
            fprintf(stderr, "%s: a line is not hexadecimal\n", file);
            exit(64);
        }
        each(s, p, n / 2);
        free(p);
        at += n + 1;
    }
    buf_release(&text);
}

int main(int argc, char **argv)
{
    struct why why = {0};
    struct keyring ring = {0};
    struct search s = {0};
    char path[4096], device[4096];
    if (argc != 5) {
        fputs("scan_replica HOME PASSFILE FORBIDDEN ALLOWED\n", stderr);
        return 64;
    }
    s.bucket = calloc(BUCKETS, sizeof *s.bucket);
    if (s.bucket == NULL) abort();
    lines(&s, argv[3], add);
    s.marking = true;
    lines(&s, argv[4], look);
    s.marking = false;
    struct secret pass = home_passphrase(argv[2]);
    home_must(path_join(path, sizeof path, argv[1], "replica.key", &why), &why);
    home_must(path_join(device, sizeof device, argv[1], "device.secret", &why), &why);
    const struct keyfile at = {path, device};
    home_must(keyslot_open(env_posix(), &at, bytes_of(pass.p, pass.n), &ring, &why), &why);
    struct secret key = keyring_data_key(&ring);
    secret_release(&pass);
    home_must(path_join(path, sizeof path, argv[1], "replica.db", &why), &why);
    home_must(pagevfs_scan(path, &key, look_at_page, &s, &why), &why);
    keyring_release(&ring);
    size_t left = 0;
    for (size_t i = 0; i < s.n; i++) left += !s.pieces[i].allowed;
    printf("%zu pieces of forbidden strings, %zu pages, %zu found\n", left, s.pages, s.found);
    free(s.pieces);
    free(s.bucket);
    return s.found != 0;
}
