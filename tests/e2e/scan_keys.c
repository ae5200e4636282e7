/* scan_keys HOME PASSFILE DIR...: is the data key, the passphrase or a secret key of this home in any file below the
 * folders, as it is or in hexadecimal? HOME is a node's or the hub's. Exits 1 when one is found, naming the file. */
#include "tests/lib/home.h"

#include "crypto/keyslot.h"
#include "hub/store.h"

#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEEDLES 8u

struct needle {
    const char *what;
    uint8_t bytes[64];
    size_t n;
};

struct search {
    struct needle needles[NEEDLES];
    size_t n, files, found;
};

static void add(struct search *s, const char *what, const uint8_t *p, size_t n)
{
    if (s->n + 2 > NEEDLES || n > 32) abort();
    struct needle *plain = &s->needles[s->n++], *hex = &s->needles[s->n++];
    char text[65];
    plain->what = hex->what = what;
    plain->n = n;
    memcpy(plain->bytes, p, n);
    hex_encode(text, p, n);
    hex->n = 2 * n;
    memcpy(hex->bytes, text, hex->n);
}

static void look(struct search *s, const char *path)
{
    struct buf b;
    buf_init(&b, 256u << 20);
    home_read(path, &b);
    s->files++;
    for (size_t i = 0; i < s->n; i++) {
        if (b.len == 0 || memmem(b.data, b.len, s->needles[i].bytes, s->needles[i].n) == NULL) continue;
        printf("%s is in %s\n", s->needles[i].what, path);
        s->found++;
    }
    buf_release(&b);
}

static void walk(struct search *s, char *dir)
{
    char *const roots[] = {dir, NULL};
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    FTSENT *f = NULL;
    if (tree == NULL) {
        fprintf(stderr, "scan_keys: %s cannot be walked\n", dir);
        exit(1);
    }
    while ((f = fts_read(tree)) != NULL)
        if (f->fts_info == FTS_F) look(s, f->fts_path);
    (void)fts_close(tree);
}

/* Its identity: sign_sk(64), of which the second half is public, and box_sk(32). */
static void add_secrets(struct search *to, struct bytes both)
{
    add(to, "the signing key", both.p, 32);
    add(to, "the sealing key", both.p + 64, 32);
}

/* As a device's store keeps it. */
static void add_identity(struct search *to, struct db *db)
{
    struct why why = {0};
    struct stmt *s = NULL;
    bool row = false;
    home_must(db_prepare(db, "SELECT value FROM secret_state WHERE length(value) = 96", &s, &why), &why);
    home_must(db_step(s, &row, &why), &why);
    if (!row) {
        fputs("scan_keys: this home has no identity\n", stderr);
        exit(1);
    }
    add_secrets(to, db_bytes(s, 0));
    db_done(s);
}

/* On PostgreSQL it is sealed in the store (hub/STORE.md). */
static void add_hubs(struct search *to, const char *home, const char *pass_file, const struct secret *key)
{
    struct why why = {0};
    struct secret both = {0};
    struct hub *h = home_hub(home, pass_file);
    home_must(store_secret_get(hub_db(h), key, "identity", &both, &why), &why);
    add_secrets(to, bytes_of(both.p, both.n));
    secret_release(&both);
    hub_close(h);
}

static void add_devices(struct search *to, const char *home, const struct secret *key)
{
    struct why why = {0};
    struct db *db = NULL;
    char path[4096];
    home_must(path_join(path, sizeof path, home, "replica.db", &why), &why);
    home_must(db_open(&db, env_posix(), path, key, &why), &why);
    add_identity(to, db);
    db_close(db);
}

static void add_keys(struct search *s, const char *home, const char *pass_file)
{
    struct why why = {0};
    struct keyring ring = {0};
    struct secret pass = home_passphrase(pass_file);
    const struct env *env = env_posix();
    char path[4096], device[4096];
    uint64_t size = 0;
    home_must(path_join(path, sizeof path, home, "hub.key", &why), &why);
    bool hub = env->file_size(env->ctx, path, &size, NULL) == ERR_OK;
    home_must(path_join(path, sizeof path, home, hub ? "hub.key" : "replica.key", &why), &why);
    home_must(path_join(device, sizeof device, home, "device.secret", &why), &why);
    const struct keyfile at = {path, hub ? NULL : device};
    home_must(keyslot_open(env, &at, bytes_of(pass.p, pass.n), &ring, &why), &why);
    struct secret key = keyring_data_key(&ring);
    add(s, "the data key", key.p, key.n);
    add(s, "the passphrase", pass.p, pass.n < 32 ? pass.n : 32);
    if (hub)
        add_hubs(s, home, pass_file, &key);
    else
        add_devices(s, home, &key);
    keyring_release(&ring);
    secret_release(&pass);
}

int main(int argc, char **argv)
{
    struct search s = {0};
    if (argc < 4) {
        fputs("scan_keys HOME PASSFILE DIR...\n", stderr);
        return 64;
    }
    add_keys(&s, argv[1], argv[2]);
    for (int i = 3; i < argc; i++) walk(&s, argv[i]);
    printf("%zu keys, each plain and in hexadecimal, %zu files, %zu found\n", s.n / 2, s.files, s.found);
    explicit_bzero(s.needles, sizeof s.needles);
    return s.found != 0;
}
