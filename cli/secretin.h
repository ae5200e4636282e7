/* Where passphrases come from: a file, a descriptor, the service manager's credentials, or the terminal with echo off.
 * Never an argument, never an environment value. */
#ifndef SPOKE_CLI_SECRETIN_H
#define SPOKE_CLI_SECRETIN_H

#include "cli/command.h"
#include "crypto/secret.h"

/* Was a passphrase given, by an option, a file of options or the service manager? Then nothing else is asked. */
bool secretin_is_given(const struct cli *c);
/* Without its line end. `confirm`: a new one, asked twice on a terminal. ERR_LOCKED when there is none to be had. */
MUST_CHECK enum err secretin_passphrase(const struct cli *c, bool confirm, struct secret *out, struct why *why);

/* A secret beside the passphrase: a new one, a recovery code. */
struct secretin {
    const char *file_flag; /* "code-file": an option of the command that names a file */
    const char *fd_flag;   /* an option with the number of a descriptor; NULL: there is none */
    const char *prompt;    /* what the terminal is asked */
    bool confirm;          /* asked twice there */
};
/* Same errors; ERR_USAGE where it has to be given by an option and was not. */
MUST_CHECK enum err secretin_read(const struct cli *c, const struct secretin *from, struct secret *out, struct why *why);

#endif
