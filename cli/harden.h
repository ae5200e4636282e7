/* What every program does before it touches a secret: nothing it makes is open to others, no other user's folder is
 * trusted, and where the computer allows it no memory goes to the disk. crypto/secret.h forbids core dumps. */
#ifndef SPOKE_CLI_HARDEN_H
#define SPOKE_CLI_HARDEN_H

#include "base/buf.h"

/* Descriptors 0 to 2 are open (a file that got one of these numbers would be written into by a message), and new
 * files are their owner's alone. ERR_IO. */
MUST_CHECK enum err harden_start(struct why *why);

/* Keep all memory of this process off the disk, now and later. Only where there is no limit to it: with one,
 * allocations would begin to fail. false: it is not allowed here, and only what crypto/secret.h gives out is kept off
 * the disk. Children do not inherit it. */
bool harden_memory(void);

/* Is there swap space that is written in clear? `swaps` is the text of /proc/swaps; each(ctx, name) says whether what
 * lies at this path is encrypted or no disk at all. */
typedef bool (*harden_safe_fn)(void *ctx, const char *path);
bool harden_swap_is_plain(struct bytes swaps, harden_safe_fn safe, void *ctx);
/* The same of this computer. */
bool harden_swaps_in_clear(void);

/* A home has to be its owner's alone: ERR_DENIED with what to type where others may read, write or enter it, or where
 * it is another user's. One that is not there yet is fine. `program` is for the words. */
MUST_CHECK enum err harden_home(const char *home, const char *program, struct why *why);

#endif
