#include "tests/lib/home.h"

#include "crypto/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX (256u << 20)

void home_must(enum err e, const struct why *why)
{
    if (e == ERR_OK) return;
    fprintf(stderr, "%s: %s %s\n", err_word(e), why->text, why->next);
    exit(err_exit_code(e));
}

void home_read(const char *file, struct buf *out)
{
    struct why why = {0};
    const struct env *env = env_posix();
    home_must(env->read_file(env->ctx, file, FILE_MAX, out, &why), &why);
}

struct secret home_passphrase(const char *file)
{
    struct why why = {0};
    struct secret out = {0};
    struct buf text;
    buf_init(&text, FILE_MAX);
    home_must(secret_start(&why), &why);
    home_read(file, &text);
    const uint8_t *end = text.len != 0 ? memchr(text.data, '\n', text.len) : NULL;
    home_must(secret_take(&out, text.data, end != NULL ? (size_t)(end - text.data) : text.len, &why), &why);
    buf_release(&text);
    return out;
}

struct node *home_node(const char *home, const char *passphrase_file)
{
    struct why why = {0};
    struct node *n = NULL;
    struct secret pass = home_passphrase(passphrase_file);
    enum err e = node_open(&n, env_posix(), home, bytes_of(pass.p, pass.n), &why);
    secret_release(&pass);
    home_must(e, &why);
    return n;
}

struct hub *home_hub(const char *home, const char *passphrase_file)
{
    struct why why = {0};
    struct hub *h = NULL;
    struct secret pass = home_passphrase(passphrase_file);
    enum err e = hub_open(&h, env_posix(), home, bytes_of(pass.p, pass.n), &why);
    secret_release(&pass);
    home_must(e, &why);
    return h;
}
