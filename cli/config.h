/* Options that stand in a file: INI, `key = value` under [spoke] or [spoke-hub], comments after #. */
#ifndef SPOKE_CLI_CONFIG_H
#define SPOKE_CLI_CONFIG_H

#include "base/env.h"

struct config {
    char home[1024];            /* `home`; "" when it is not there */
    char passphrase_file[1024]; /* `passphrase-file` */
    char device_secret[1024];   /* `device-secret` */
    unsigned unlock_ms;         /* `unlock-time`, in seconds there; as it was where the key is absent */
};

/* A length of time as people write it for that: "0.5", "2"; 10 seconds at most. false: it is none. */
bool config_seconds(struct bytes text, unsigned *out_ms);

/* The lines of `text` for this program, over what *out holds. ERR_USAGE names `path` and the line that is wrong, in
 * whichever section it stands. */
MUST_CHECK enum err config_parse(struct bytes text, const char *path, const char *program, struct config *out,
                                 struct why *why);
/* /etc/spoke/config, then $XDG_CONFIG_HOME/spoke/config (else ~/.config/spoke/config), which wins, over what *out
 * holds. Absent files are fine. */
MUST_CHECK enum err config_read(const struct env *env, const char *program, struct config *out, struct why *why);

#endif
