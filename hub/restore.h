/* A hub that was put back from a backup: making it, hearing what devices return, re-applying that, opening (hub/DISASTER.md). */
#ifndef SPOKE_HUB_RESTORE_H
#define SPOKE_HUB_RESTORE_H

#include "hub/hub.h"

#define BACKUP_KIND 7 /* of a sealed stream */

struct hub_restore {
    const char *home;     /* empty, or not there */
    const char *store;    /* NULL: in it; or the URL of a PostgreSQL database */
    const char *backup;   /* file */
    const char *recovery; /* path of recovery.key; copied into the home */
    struct bytes recovery_passphrase;
    struct bytes passphrase; /* of the new hub.key */
};
/* ERR_EXISTS: there is a hub in the home. ERR_PASSPHRASE: of the recovery key. ERR_REFUSED: the backup was sealed to another recovery key.
 * ERR_TAMPERED: cut off, or changed. After any error there is no hub in the home. */
MUST_CHECK enum err hub_restore(const struct env *env, const struct hub_restore *r, struct why *why);

struct hub_restore_status {
    bool restored; /* ever */
    uint64_t epoch;
    int64_t at_ms, backup_at_ms;
    char state[16]; /* gathering, applying, open, done */
    uint64_t devices, missing, returning, reported;
    uint64_t waiting;       /* verdicts that came back and are to be re-applied */
    uint64_t lost, strange; /* envelopes whose content is nowhere; rows on devices that the hub does not know */
};
MUST_CHECK enum err hub_restore_status(struct hub *h, struct hub_restore_status *out, struct why *why);
/* Devices of the lost hub that have not returned everything, by site: kid 16 bytes; words: what is missing. None where the hub was
 * never put back, or all have reported. */
typedef enum err (*hub_restore_missing_fn)(void *ctx, const uint8_t kid[16], const char *site, const char *words,
                                           struct why *why);
MUST_CHECK enum err hub_restore_missing(struct hub *h, hub_restore_missing_fn each, void *ctx, struct why *why);
/* Open before all have reported: an act of a security administrator. ERR_NOTFOUND: it is open. ERR_USAGE: no reason. */
MUST_CHECK enum err hub_restore_release(struct hub *h, const char *reason, struct why *why);
/* Re-apply what came back, where that may begin, up to `most` events. Called before each round too. *out_done: nothing is left to do now. */
MUST_CHECK enum err hub_restore_continue(struct hub *h, size_t most, bool *out_done, struct why *why);

#endif
