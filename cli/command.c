#include "cli/command.h"

#include "base/json.h"
#include "cli/harden.h"
#include "cli/plain.h"
#include "crypto/secret.h"

#include <argp.h>
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { KEY_HOME = 0x100, KEY_JSON, KEY_NO_INPUT, KEY_PASS_FILE, KEY_PASS_FD, KEY_COLOR, KEY_DEVICE, KEY_STORE, KEY_FLAGS = 0x200 };

static const struct argp_option global_options[] = {
    {"home", KEY_HOME, "DIR", 0, "where keys and data lie", 90},
    {"json", KEY_JSON, NULL, 0, "print one JSON value", 90},
    {"no-input", KEY_NO_INPUT, NULL, 0, "never ask on the terminal", 90},
    {"passphrase-file", KEY_PASS_FILE, "FILE", 0, "read the passphrase from the first line of FILE", 90},
    {"passphrase-fd", KEY_PASS_FD, "N", 0, "read the passphrase from descriptor N", 90},
    {"color", KEY_COLOR, "WHEN", 0, "auto, always or never (this version prints no colours)", 90},
    {"device-secret", KEY_DEVICE, "FILE", 0, "this device's part of its keys (default: in the home)", 90},
    {"store", KEY_STORE, "URL", 0, "postgres://…: the database with the hub's store (default: as at init)", 90},
};
/* Of the last two a program has one: --device-secret if it has that, else --store. */
enum { N_GLOBAL = sizeof global_options / sizeof global_options[0] - 1 };

const char *cli_flag_at(const struct cli *c, const char *name, int i)
{
    for (int k = 0; k < c->n_given; k++)
        if (strcmp(c->given[k].flag->name, name) == 0 && i-- == 0) return c->given[k].value;
    return NULL;
}

const char *cli_flag(const struct cli *c, const char *name)
{
    return cli_flag_at(c, name, 0);
}

bool cli_has(const struct cli *c, const char *name)
{
    return cli_flag(c, name) != NULL;
}

enum err cli_need(const struct cli *c, const char *name, const char **out, struct why *why)
{
    const char *v = cli_flag(c, name);
    if (v == NULL) {
        (void)why_set(why, ERR_USAGE, "'%s %s' needs --%s.", c->program->name, c->command->name, name);
        return why_next(why, ERR_USAGE, "Try: %s", c->command->example);
    }
    *out = v;
    return ERR_OK;
}

/* A call that is wrong in itself: said at once as argp does, or with --json kept for print_error. */
static error_t wrong_use(struct cli *c, struct argp_state *state, const char *what, const char *detail)
{
    if (!c->json) argp_error(state, "%s%s", what, detail); /* does not return */
    (void)why_set(&c->usage, ERR_USAGE, "%s%s", what, detail);
    return EINVAL;
}

static error_t parse_global(int key, char *arg, struct cli *c, struct argp_state *state)
{
    switch (key) {
    case KEY_HOME:
        if (snprintf(c->home, sizeof c->home, "%s", arg) >= (int)sizeof c->home)
            return wrong_use(c, state, "the home's path is too long", "");
        return 0;
    case KEY_JSON: c->json = true; return 0;
    case KEY_NO_INPUT: c->no_input = true; return 0;
    case KEY_DEVICE: c->device_secret = arg; return 0;
    case KEY_STORE: c->store = arg; return 0;
    case KEY_PASS_FILE: c->passphrase_file = arg; return 0;
    case KEY_PASS_FD: {
        char *end = NULL;
        long fd = strtol(arg, &end, 10);
        if (*arg == '\0' || *end != '\0' || fd < 0 || fd > 1 << 20)
            return wrong_use(c, state, "--passphrase-fd takes the number of an open descriptor", "");
        c->passphrase_fd = (int)fd;
        return 0;
    }
    case KEY_COLOR:
        if (strcmp(arg, "auto") != 0 && strcmp(arg, "always") != 0 && strcmp(arg, "never") != 0)
            return wrong_use(c, state, "--color takes auto, always or never", "");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_command(int key, char *arg, struct argp_state *state)
{
    struct cli *c = state->input;
    if (key >= KEY_FLAGS && key < KEY_FLAGS + CLI_MAX_FLAGS) {
        if (c->n_given == (int)(sizeof c->given / sizeof c->given[0])) return wrong_use(c, state, "too many options", "");
        c->given[c->n_given].flag = &c->command->flags[key - KEY_FLAGS];
        c->given[c->n_given++].value = arg != NULL ? arg : "";
        return 0;
    }
    if (key == ARGP_KEY_ARG) {
        if (c->n_args >= c->command->max_args || c->n_args == CLI_MAX_ARGS)
            return wrong_use(c, state, "too many words: ", arg);
        c->args[c->n_args++] = arg;
        return 0;
    }
    if (key == ARGP_KEY_END && c->n_args < c->command->min_args)
        return wrong_use(c, state, "something is missing: it takes ", c->command->args);
    return parse_global(key, arg, c, state);
}

static void print_error(const struct cli *c, enum err e, struct why *why)
{
    plain_line(why->text); /* some of the words come from the other end of a network */
    plain_line(why->next);
    const char *text = why->text[0] != '\0' ? why->text : "The command failed.";
    if (!c->json) {
        fprintf(stderr, "%s: %s\n", c->program->name, text);
        if (why->next[0] != '\0') fprintf(stderr, "%s\n", why->next);
        return;
    }
    struct json *outer = json_object_new(), *inner = json_object_new();
    json_set_str(inner, "code", err_word(e));
    json_set_str(inner, "message", text);
    json_set_str(inner, "next", why->next);
    json_set_obj(outer, "error", inner);
    if (json_print(outer, stderr, NULL) != ERR_OK) fprintf(stderr, "{\"error\":{\"code\":\"%s\"}}\n", err_word(e));
    json_free(outer);
}

/* --json may stand anywhere, also after what is wrong; but not as the value of an option or after "--". */
static bool wants_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0) return true;
    return false;
}

static _Noreturn void wrong_call(struct cli *c, const char *title)
{
    if (c->usage.text[0] == '\0')
        (void)why_set(&c->usage, ERR_USAGE, "An option of '%s' is not known, or its value is missing.", title);
    (void)why_next(&c->usage, ERR_USAGE, "'%s --help' explains it.", title);
    if (c->json) print_error(c, ERR_USAGE, &c->usage);
    exit(EX_USAGE);
}

static void put_global(struct argp_option out[N_GLOBAL], const struct program *p)
{
    memcpy(out, global_options, N_GLOBAL * sizeof global_options[0]);
    if (!p->device_secret) out[N_GLOBAL - 1] = global_options[N_GLOBAL];
}

static struct argp_option one_option(const struct flag *f, int key)
{
    bool optional = f->arg != NULL && f->arg[0] == '[';
    return (struct argp_option){f->name, key, optional ? "WHEN" : f->arg, optional ? OPTION_ARG_OPTIONAL : 0, f->help, 10};
}

/* Hand argv[first..] to argp with the command's own options before the common ones. */
static void parse_rest(struct cli *c, int argc, char **argv, int first)
{
    struct argp_option options[CLI_MAX_FLAGS + N_GLOBAL + 1] = {0};
    size_t n = 0;
    for (const struct flag *f = c->command->flags; f != NULL && f->name != NULL && n < CLI_MAX_FLAGS; f++, n++)
        options[n] = one_option(f, KEY_FLAGS + (int)n);
    put_global(options + n, c->program);

    char doc[2048], who[200] = "";
    if (c->program->who != NULL) c->program->who(c->command, who, sizeof who);
    snprintf(doc, sizeof doc, "%s\v%s%sExample:\n  %s", c->command->help, who, who[0] != '\0' ? "\n\n" : "", c->command->example);
    char title[128];
    snprintf(title, sizeof title, "%s %s", c->program->name, c->command->name);
    struct argp argp = {.options = options, .parser = parse_command, .args_doc = c->command->args, .doc = doc};
    argv[first] = title; /* argp prints argv[0] as the program's name */
    unsigned quiet = c->json ? ARGP_NO_ERRS : 0;
    if (argp_parse(&argp, argc - first, argv + first, quiet, NULL, c) != 0) wrong_call(c, title);
}

static const struct command *find_command(const struct program *p, const char *first, const char *second)
{
    char two[96];
    snprintf(two, sizeof two, "%s %s", first, second != NULL ? second : "");
    for (size_t g = 0; p->groups[g] != NULL; g++)
        for (const struct command *k = p->groups[g]; k->name != NULL; k++)
            if (strcmp(k->name, two) == 0 || strcmp(k->name, first) == 0) return k;
    return NULL;
}

static void print_help(const struct program *p, FILE *f)
{
    fprintf(f, "%s\n\nUsage: %s [--home DIR] COMMAND ...\n", p->about, p->name);
    for (size_t g = 0; p->groups[g] != NULL; g++) {
        fputc('\n', f);
        for (const struct command *k = p->groups[g]; k->name != NULL; k++) {
            int width = (int)strcspn(k->help, ".");
            fprintf(f, "  %-18s %.*s\n", k->name, width, k->help);
        }
    }
    fprintf(f, "\n'%s COMMAND --help' explains one command and shows an example.\n", p->name);
    fprintf(f, "home, passphrase-file, %sunlock-time may also stand in ~/.config/spoke/config or\n"
               "/etc/spoke/config, as 'key = value' under [%s].\n", p->device_secret ? "device-secret and " : "and ", p->name);
}

static error_t parse_leading(int key, char *arg, struct argp_state *state)
{
    struct cli *c = state->input;
    if (key == ARGP_KEY_ARG) { /* the command's first word: leave the rest to it */
        state->next--;
        c->n_args = state->next;
        state->next = state->argc;
        return 0;
    }
    if (key == '?') {
        print_help(c->program, stdout);
        exit(0);
    }
    return parse_global(key, arg, c, state);
}

/* Common options before the command; returns the index of its first word, argc when there is none. */
static int parse_front(struct cli *c, int argc, char **argv)
{
    struct argp_option options[N_GLOBAL + 2] = {{"help", '?', NULL, 0, "this help", 99}};
    put_global(options + 1, c->program);
    struct argp argp = {.options = options, .parser = parse_leading};
    c->n_args = argc;
    unsigned quiet = c->json ? ARGP_NO_ERRS : 0;
    if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER | ARGP_NO_HELP | quiet, NULL, c) != 0) wrong_call(c, c->program->name);
    int first = c->n_args;
    c->n_args = 0;
    return first;
}

static void default_home(struct cli *c)
{
    if (c->home[0] != '\0') return;
    const char *h = getenv(c->program->home_env), *x = getenv("XDG_DATA_HOME"), *u = getenv("HOME");
    if (h != NULL && *h != '\0')
        snprintf(c->home, sizeof c->home, "%s", h);
    else if (c->config.home[0] != '\0')
        snprintf(c->home, sizeof c->home, "%s", c->config.home);
    else if (strcmp(c->program->name, "spoke-hub") == 0)
        snprintf(c->home, sizeof c->home, "/var/lib/spoke-hub");
    else if (x != NULL && *x != '\0')
        snprintf(c->home, sizeof c->home, "%s/spoke", x);
    else
        snprintf(c->home, sizeof c->home, "%s/.local/share/spoke", u != NULL ? u : "");
}

/* Once a command. What is in memory may be text about a child: it belongs on no disk in clear. */
static void warn_of_swap(const struct cli *c)
{
    static const char what[] = "This computer may write parts of its memory to the disk unencrypted (swap), and Spoke is not "
                               "allowed to forbid it.";
    static const char next[] = "Ask whoever looks after this computer to encrypt its swap space or switch it off, or to let "
                               "Spoke lock its memory (ulimit -l unlimited).";
    if (harden_memory() || !harden_swaps_in_clear()) return;
    if (!c->json) {
        fprintf(stderr, "%s: %s\n%s\n", c->program->name, what, next);
        return;
    }
    struct json *outer = json_object_new(), *inner = json_object_new();
    json_set_str(inner, "code", "swap");
    json_set_str(inner, "message", what);
    json_set_str(inner, "next", next);
    json_set_obj(outer, "warning", inner);
    if (json_print(outer, stderr, NULL) != ERR_OK) fprintf(stderr, "{\"warning\":{\"code\":\"swap\"}}\n");
    json_free(outer);
}

/* What files and options say of the home and the world. Options win. */
static enum err settle(struct cli *c, struct why *why)
{
    const char *time = cli_flag(c, "unlock-time");
    c->config.unlock_ms = CLI_UNLOCK_MS;
    enum err e = config_read(c->env, c->program->name, &c->config, why);
    if (e != ERR_OK) return e;
    default_home(c);
    if (c->config.passphrase_file[0] != '\0' && c->passphrase_file == NULL && c->passphrase_fd < 0)
        c->passphrase_file = c->config.passphrase_file;
    if (c->config.device_secret[0] != '\0' && c->device_secret == NULL && c->program->device_secret)
        c->device_secret = c->config.device_secret;
    c->world.unlock_ms = c->config.unlock_ms;
    c->world.device_secret = c->device_secret;
    if (time != NULL && !config_seconds(bytes_of_str(time), &c->world.unlock_ms))
        return why_set(why, ERR_USAGE, "--unlock-time takes seconds, like 0.5, and 10 at most.");
    return ERR_OK;
}

static enum err run(struct cli *c, struct why *why)
{
    enum err e = secret_start(why);
    if (e == ERR_OK) e = settle(c, why);
    if (e == ERR_OK) e = harden_home(c->home, c->program->name, why);
    if (e != ERR_OK) return e;
    warn_of_swap(c);
    e = c->command->run(c, why);
    if (e == ERR_OK && (fflush(stdout) != 0 || ferror(stdout)))
        e = why_set(why, ERR_IO, "The results could not be written.");
    return e;
}

int cli_main(const struct program *p, int argc, char **argv)
{
    struct cli c = {.program = p, .world = *env_posix(), .passphrase_fd = -1, .hub_turn = -1};
    struct why why = {0};
    c.env = &c.world;
    setlocale(LC_ALL, "");
    setlocale(LC_NUMERIC, "C"); /* numbers in JSON keep their point */

    c.json = wants_json(argc, argv); /* before anything can be wrong */
    enum err e = harden_start(&why);
    if (e != ERR_OK) {
        print_error(&c, e, &why);
        return err_exit_code(e);
    }
    int first = parse_front(&c, argc, argv);
    if (first >= argc && c.json) {
        (void)why_set(&c.usage, ERR_USAGE, "There is no command here.");
        wrong_call(&c, p->name);
    }
    if (first >= argc) {
        print_help(p, stderr);
        return EX_USAGE;
    }
    c.command = find_command(p, argv[first], first + 1 < argc ? argv[first + 1] : NULL);
    if (c.command == NULL) {
        (void)why_set(&why, ERR_USAGE, "There is no command '%s'.", argv[first]);
        (void)why_next(&why, ERR_USAGE, "'%s --help' lists them all.", p->name);
        print_error(&c, ERR_USAGE, &why);
        return EX_USAGE;
    }
    parse_rest(&c, argc, argv, strchr(c.command->name, ' ') != NULL ? first + 1 : first);

    e = run(&c, &why);
    if (e != ERR_OK) {
        print_error(&c, e, &why);
        return err_exit_code(e);
    }
    return c.attention ? 3 : 0;
}
