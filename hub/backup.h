/* Backups of a hub: the whole store, sealed to the recovery key (hub/DISASTER.md). */
#ifndef SPOKE_HUB_BACKUP_H
#define SPOKE_HUB_BACKUP_H

#include "hub/hub.h"

struct hub_backup {
    uint64_t bytes, rows; /* of the file; of all tables */
    int64_t at_ms;        /* what it is a picture of */
    uint64_t covered;     /* envelopes in it */
};
/* Of an open store, as it is at one moment, while others read and write it as far as its engine lets them. Written
 * beside `path`, read back and compared, and only then put in its place; then what is in it counts as covered and the
 * time is noted. After any error `path` is as it was, and nothing counts as covered. */
MUST_CHECK enum err hub_backup(struct hub *h, const char *path, struct hub_backup *out, struct why *why);
/* When the last verified backup was a picture of the store; 0: never. */
MUST_CHECK enum err hub_backup_at(struct hub *h, int64_t *out_ms, struct why *why);

#endif
