#include "crypto/keyslot.h"
#include "crypto/spokevfs.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PASSPHRASE_MAX 1024

/* Of the URI; else of the environment, which holds names of files, never secrets. NULL: not given. */
static const char *parameter(sqlite3_filename name, const char *uri, const char *variable)
{
    const char *v = sqlite3_uri_parameter(name, uri);
    if (!v) v = secure_getenv(variable);
    return v && *v ? v : NULL;
}

static int refuse(int rc, const char *text)
{
    sqlite3_log(rc, "spoke: %s", text);
    return rc;
}

/* Locked memory would be better than a buf, but it is wiped at once. */
static enum err read_passphrase(const char *path, struct buf *out, struct why *why)
{
    const struct env *env = env_posix();
    enum err e = env->read_file(env->ctx, path, PASSPHRASE_MAX, out, why);
    if (!e && out->len > 0 && out->data[out->len - 1] == '\n') out->len--;
    if (!e && out->len > 0 && out->data[out->len - 1] == '\r') out->len--;
    return e;
}

/* "device.secret" beside the key file, if there is one: a slot that wants none ignores it. */
static const char *device_beside(const char *keyfile, char out[PATH_MAX])
{
    const struct env *env = env_posix();
    const char *slash = strrchr(keyfile, '/');
    uint64_t size = 0;
    int n = snprintf(out, PATH_MAX, "%.*sdevice.secret", slash ? (int)(slash - keyfile + 1) : 0, keyfile);
    return n > 0 && n < PATH_MAX && env->file_size(env->ctx, out, &size, NULL) == ERR_OK ? out : NULL;
}

static enum err unwrap(struct spoke_key *k, const char *passphrase_file, const char *device, struct why *why)
{
    char beside[PATH_MAX];
    struct buf passphrase;
    struct keyring ring = {0};
    struct keyfile at = {.path = k->keyfile, .device = device ? device : device_beside(k->keyfile, beside)};
    buf_init(&passphrase, PASSPHRASE_MAX);
    enum err e = secret_start(why);
    if (!e) e = read_passphrase(passphrase_file, &passphrase, why);
    if (!e) e = keyslot_open(env_posix(), &at, buf_bytes(&passphrase), &ring, why);
    if (!e) {
        struct secret key = keyring_data_key(&ring);
        e = secret_new(&k->key, key.n, why);
        if (!e) memcpy(k->key.p, key.p, key.n);
    }
    keyring_release(&ring);
    buf_release(&passphrase);
    return e;
}

static void key_free(struct spoke_key *k)
{
    secret_release(&k->key);
    free(k->keyfile);
    free(k);
}

static int key_new(struct spokevfs *home, const char *keyfile, sqlite3_filename name)
{
    struct why why = {0};
    const char *passphrase = parameter(name, "passphrase-file", "SPOKE_VFS_PASSPHRASE_FILE");
    if (!passphrase) return refuse(SQLITE_AUTH, "a key file is named and no passphrase-file: name both");
    struct spoke_key *k = calloc(1, sizeof *k);
    if (k) k->keyfile = strdup(keyfile);
    if (!k || !k->keyfile) {
        free(k);
        return SQLITE_NOMEM;
    }
    enum err e = unwrap(k, passphrase, parameter(name, "device", "SPOKE_VFS_DEVICE"), &why);
    if (e) {
        key_free(k);
        return refuse(e == ERR_NOMEM ? SQLITE_NOMEM : SQLITE_AUTH, why.text);
    }
    k->next = home->keys;
    home->keys = k;
    return SQLITE_OK;
}

int spokevfs_key_find(struct spokevfs *home, sqlite3_filename name, const struct secret **out)
{
    const char *keyfile = parameter(name, "keyfile", "SPOKE_VFS_KEYFILE");
    struct spoke_key **at = &home->keys;
    while (keyfile && *at && strcmp((*at)->keyfile, keyfile) != 0) at = &(*at)->next;
    if (*at) { /* to the front: what is named nowhere gets the key used last */
        struct spoke_key *k = *at;
        *at = k->next;
        k->next = home->keys;
        home->keys = k;
    } else if (!keyfile) {
        return refuse(SQLITE_AUTH, "no key is named: open file:PATH?keyfile=KEYFILE&passphrase-file=FILE");
    } else {
        int rc = key_new(home, keyfile, name);
        if (rc != SQLITE_OK) return rc;
    }
    *out = &home->keys->key;
    return SQLITE_OK;
}
