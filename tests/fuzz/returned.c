#include "tests/fuzz/returned.h"

#include "sync/messages_return.h"

#include <string.h>

static void make(struct secret *out)
{
    HOLDS(secret_new(out, RECOVERY_BYTES, NULL) == ERR_OK);
    memset(out->p, 0x42, RECOVERY_BYTES);
}

void returned_key(uint8_t out_pk[32])
{
    struct secret recovery = {0};
    struct identity_secret id;
    make(&recovery);
    HOLDS(recovery_open(&recovery, &id, NULL) == ERR_OK);
    memcpy(out_pk, id.pub.box_pk, RECOVERY_BYTES);
    identity_release(&id);
    secret_release(&recovery);
}

void returned_epoch(struct buf *out, uint64_t chain)
{
    struct epoch_statement m = {.before = 1, .epoch = 2, .at_ms = FUZZ_NOW, .size = 300, .root = {7}};
    struct secret recovery = {0};
    uint8_t key[RECOVERY_BYTES], signature[RECOVERY_SIGNATURE];
    struct buf body;
    fuzz_start();
    make(&recovery);
    memcpy(m.hub, fuzz_me()->pub.kid, KID_BYTES);
    memcpy(m.device, FUZZ_NODE, KID_BYTES);
    buf_init(&body, 1u << 10);
    message_put_statement(&body, &m);
    HOLDS(recovery_sign(&recovery, buf_bytes(&body), key, signature, NULL) == ERR_OK);
    message_put_epoch(
        out,
        &(struct signed_statement){buf_bytes(&body), bytes_of(key, sizeof key), bytes_of(signature, sizeof signature)},
        chain);
    HOLDS(out->err == ERR_OK);
    buf_release(&body);
    secret_release(&recovery);
}
