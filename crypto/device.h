/* The device secret: 32 random bytes that this machine has and a copy of its other files has not. It is mixed into
 * people's slots (crypto/keyslot.h), and opens small things without a person (the door). crypto/FORMAT.md §4. */
#ifndef SPOKE_CRYPTO_DEVICE_H
#define SPOKE_CRYPTO_DEVICE_H

#include "base/env.h"
#include "crypto/secret.h"

#define DEVICE_SECRET_BYTES 32

/* Make it where there is none; one that is there stays. ERR_IO, ERR_FULL; ERR_FORMAT: something else lies there. */
MUST_CHECK enum err device_make(const struct env *env, const char *path, struct why *why);
/* ERR_UNINIT: not there; ERR_FORMAT: damaged. */
MUST_CHECK enum err device_load(const struct env *env, const char *path, struct secret *out, struct why *why);
/* Seal content into a device box under the label (ASCII), appended to out. */
MUST_CHECK enum err device_seal(const struct secret *device, const char *label, struct bytes content, struct buf *out,
                                struct why *why);
/* Open one, appended to out (the caller wipes it: buf_release does). ERR_TAMPERED: another device's, another label,
 * changed; ERR_FORMAT: no device box. */
MUST_CHECK enum err device_open(const struct secret *device, const char *label, struct bytes box, struct buf *out,
                                struct why *why);

#endif
