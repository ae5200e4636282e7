/* A program as a table of commands: one struct per command, parsed by glibc's argp, so that help, usage and the exit
 * code for a wrong call are alike everywhere. */
#ifndef SPOKE_CLI_COMMAND_H
#define SPOKE_CLI_COMMAND_H

#include "base/env.h"
#include "cli/config.h"

#define CLI_MAX_ARGS  64
#define CLI_MAX_FLAGS 24

struct cli;

struct flag {
    const char *name; /* "rag" for --rag */
    const char *arg;  /* name of its value in help, in brackets if it may be left out; NULL: a switch */
    const char *help;
};

struct command {
    const char *name; /* "case new" */
    const char *args; /* "CASE AGENCY"; "" for none */
    int min_args, max_args;
    const char *help;         /* what it does, one plain paragraph */
    const char *example;      /* one line to type */
    const struct flag *flags; /* ends with name NULL; NULL: none */
    enum err (*run)(struct cli *c, struct why *why);
};

struct program {
    const char *name;                    /* "spoke" */
    const char *about;                   /* first paragraph of its help */
    const char *home_env;                /* "SPOKE_HOME" */
    const struct command *const *groups; /* command tables, each ended by name NULL; the list ended by NULL */
    bool device_secret;                  /* its keys are mixed with one: --device-secret; else it has --store */
    /* A line for the help of a command, who may give it; NULL: nothing is said of that. */
    void (*who)(const struct command *command, char *out, size_t n);
};

/* For commands that set a passphrase: struct env takes it as unlock_ms. */
#define CLI_UNLOCK_TIME_FLAG                                                                                           \
    {                                                                                                                  \
        "unlock-time", "SECONDS",                                                                                      \
            "how long checking the passphrase takes on this device: the longer, the harder to guess (default: 0.5)"    \
    }
#define CLI_UNLOCK_MS 500

/* What a command gets. */
struct cli {
    const struct program *program;
    const struct command *command;
    const struct env *env; /* the world, with what options and files say of it */
    struct env world;
    char home[1024];
    const char *device_secret;   /* --device-secret */
    const char *store;           /* --store; NULL: as the home says */
    bool json;                   /* --json */
    bool no_input;               /* --no-input */
    bool attention;              /* done, but something wants a person: exit 3 */
    const char *passphrase_file; /* --passphrase-file */
    int passphrase_fd;           /* --passphrase-fd, -1 without */
    int n_args;
    const char *args[CLI_MAX_ARGS];
    struct {
        const struct flag *flag;
        const char *value;
    } given[CLI_MAX_FLAGS * 4];
    int n_given;
    int hub_turn;         /* held while the store of a hub that is served beside us is ours; -1 without */
    struct why usage;     /* what is wrong with the call itself */
    struct config config; /* what stands in files; the options above win */
};

/* Value of --name, NULL when it was not given ("" for a switch that was). */
const char *cli_flag(const struct cli *c, const char *name);
bool cli_has(const struct cli *c, const char *name);
/* The i-th value of a flag given several times; NULL past the last. */
const char *cli_flag_at(const struct cli *c, const char *name, int i);
/* As cli_flag, but a missing one is ERR_USAGE with a plain message. */
MUST_CHECK enum err cli_need(const struct cli *c, const char *name, const char **out, struct why *why);

/* Parse and run; returns the exit code of the program. */
int cli_main(const struct program *p, int argc, char **argv);

#endif
