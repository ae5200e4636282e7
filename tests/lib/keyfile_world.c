#include "tests/lib/keyfile_world.h"

#include "crypto/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const struct keyslot_cost cheap = {.passes = 1, .kib = 8};

static int64_t world_now(void *ctx)
{
    return ((const struct keyfile_world *)ctx)->now;
}

int keyfile_world_start(void **state)
{
    struct keyfile_world *w = calloc(1, sizeof *w);
    if (w == NULL || secret_start(NULL) != ERR_OK) return -1;
    (void)snprintf(w->dir, sizeof w->dir, "/tmp/spoke-keyfile-XXXXXX");
    if (mkdtemp(w->dir) == NULL) return -1;
    (void)snprintf(w->path, sizeof w->path, "%s/replica.key", w->dir);
    (void)snprintf(w->device, sizeof w->device, "%s/device.secret", w->dir);
    (void)snprintf(w->tries, sizeof w->tries, "%s.tries", w->path);
    w->now = 1780000000000;
    w->env = *env_posix();
    w->env.ctx = w; /* the real functions do not look at it */
    w->env.now_ms = world_now;
    w->at = (struct keyfile){w->path, w->device};
    *state = w;
    return device_make(&w->env, w->device, NULL) == ERR_OK ? 0 : -1;
}

int keyfile_world_stop(void **state)
{
    struct keyfile_world *w = *state;
    keyring_release(&w->ring);
    (void)unlink(w->path);
    (void)unlink(w->device);
    (void)unlink(w->tries);
    int rc = rmdir(w->dir);
    free(w);
    return rc;
}

void keyfile_make(struct keyfile_world *w)
{
    struct why why = {0};
    (void)unlink(w->path);
    keyring_release(&w->ring);
    assert_int_equal(keyslot_create_cost(&w->env, &w->at, bytes_of_str(ALICE), cheap, &w->ring, &why), ERR_OK);
}

void keyfile_add(struct keyfile_world *w, const char *passphrase, uint8_t id[SLOT_ID_BYTES])
{
    const struct keyslot_words words = {.secret = bytes_of_str(passphrase), .cost = cheap};
    memset(id, 0, SLOT_ID_BYTES);
    assert_int_equal(keyslot_put_cost(&w->env, &w->at, &w->ring, &words, id, NULL), ERR_OK);
}

enum err keyfile_change(struct keyfile_world *w, const uint8_t id[SLOT_ID_BYTES], const char *passphrase)
{
    const struct keyslot_words words = {.secret = bytes_of_str(passphrase), .cost = cheap};
    uint8_t same[SLOT_ID_BYTES];
    memcpy(same, id, sizeof same);
    enum err e = keyslot_put_cost(&w->env, &w->at, &w->ring, &words, same, NULL);
    assert_memory_equal(same, id, sizeof same);
    return e;
}

static enum err opened(enum err e, struct keyring *ring, const struct why *why)
{
    assert_int_equal(e == ERR_OK, ring->keys.p != NULL); /* outputs change only on success */
    assert_int_equal(e == ERR_OK, why->text[0] == '\0');
    keyring_release(ring);
    return e;
}

enum err keyfile_open(struct keyfile_world *w, const char *passphrase)
{
    struct keyring ring = {0};
    struct why why = {0};
    enum err e = keyslot_open(&w->env, &w->at, bytes_of_str(passphrase), &ring, &why);
    return opened(e, &ring, &why);
}

enum err keyfile_open_code(struct keyfile_world *w, const char *code)
{
    struct keyring ring = {0};
    struct why why = {0};
    enum err e = keyslot_open_code(&w->env, &w->at, bytes_of_str(code), &ring, &why);
    return opened(e, &ring, &why);
}

void keyfile_rekey(struct keyfile_world *w)
{
    struct keyring next = {0};
    assert_int_equal(keyring_next(&next, &w->env, &w->ring, NULL), ERR_OK);
    assert_int_equal(keyslot_rekey(&w->env, &w->at, &w->ring, &next, NULL), ERR_OK);
    keyring_release(&w->ring);
    w->ring = next;
}

void keyfile_load(struct keyfile_world *w, uint8_t file[KEYFILE_BYTES])
{
    struct buf b;
    buf_init(&b, 1 << 16);
    assert_int_equal(env_posix()->read_file(NULL, w->path, 1 << 16, &b, NULL), ERR_OK);
    assert_int_equal(b.len, KEYFILE_BYTES);
    memcpy(file, b.data, KEYFILE_BYTES);
    buf_release(&b);
}

void keyfile_store(struct keyfile_world *w, const uint8_t *file, size_t n)
{
    FILE *f = fopen(w->path, "wb"); /* without a sync: tests write thousands */
    assert_non_null(f);
    assert_int_equal(fwrite(file, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

void keyfile_store_summed(struct keyfile_world *w, uint8_t file[KEYFILE_BYTES])
{
    keyslot_checksum(file + KEYFILE_SUM_AT, bytes_of(file, KEYFILE_SUM_AT));
    keyfile_store(w, file, KEYFILE_BYTES);
}

bool keyfile_there(const char *path)
{
    return access(path, F_OK) == 0;
}
