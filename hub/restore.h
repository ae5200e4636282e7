/* A hub that was put back from a backup: making it, hearing what devices return, re-applying that, opening
 * (hub/DISASTER.md). */
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
    const char *journal;     /* its folder; NULL: none */
    bool until_damage;       /* of the journal, take what is whole before a damage */
    struct hub_restored *told; /* NULL: nobody wants to know */
};
/* What the journal gave. */
struct hub_restored {
    uint64_t transactions;
    int64_t until_ms; /* of the last one; 0: none */
    bool damaged;     /* it ended at a damage */
};
/* ERR_EXISTS: there is a hub in the home. ERR_PASSPHRASE: of the recovery key. ERR_REFUSED: the backup was sealed to
 * another recovery key. ERR_TAMPERED: cut off, or changed, or so the journal (hub/redo_apply.h). After any error there
 * is no hub in the home. */
MUST_CHECK enum err hub_restore(const struct env *env, const struct hub_restore *r, struct why *why);

struct hub_restore_status {
    bool restored; /* ever */
    uint64_t epoch;
    int64_t at_ms, backup_at_ms, journal_at_ms; /* journal_at_ms: when the last transaction of the journal was made; 0: none */
    char state[16]; /* gathering, applying, open, done */
    uint64_t devices, missing, returning, reported;
    uint64_t waiting;       /* verdicts that came back and are to be re-applied */
    uint64_t sealed;        /* devices that were cut off and came late: their work waits for the recovery key */
    uint64_t lost, strange; /* envelopes whose content is nowhere; rows on devices that the hub does not know */
};
MUST_CHECK enum err hub_restore_status(struct hub *h, struct hub_restore_status *out, struct why *why);
/* Devices of the lost hub whose work is not all here, by site: what is missing of whom, and what to do. None where the
 * hub was never put back, or all have reported. */
struct hub_missing {
    const uint8_t *kid; /* 16 bytes */
    const char *site, *words, *next;
};
typedef enum err (*hub_restore_missing_fn)(void *ctx, const struct hub_missing *m, struct why *why);
MUST_CHECK enum err hub_restore_missing(struct hub *h, hub_restore_missing_fn each, void *ctx, struct why *why);
/* Devices that were cut off may come when all the others are done and the recovery key is not at hand any more: what
 * they return lies sealed to it until it is given once more, and is then re-applied by hub_restore_continue under its
 * old verdicts. An act of a security administrator. `recovery`: path of recovery.key. ERR_NOTFOUND: nothing lies
 * sealed. ERR_REFUSED: another hub's key. ERR_PASSPHRASE. */
MUST_CHECK enum err hub_restore_unseal(struct hub *h, const struct env *env, const char *recovery, struct bytes passphrase,
                                       uint64_t *out_changes, struct why *why);
/* Open before all have reported: an act of a security administrator. ERR_NOTFOUND: it is open. ERR_USAGE: no reason. */
MUST_CHECK enum err hub_restore_release(struct hub *h, const char *reason, struct why *why);
/* Re-apply what came back, where that may begin, up to `most` events. Called before each round too. *out_done: nothing
 * is left to do now. */
MUST_CHECK enum err hub_restore_continue(struct hub *h, size_t most, bool *out_done, struct why *why);

#endif
