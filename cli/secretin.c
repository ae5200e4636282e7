#include "cli/secretin.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#define PASSPHRASE_MAX 1024u

/* First line of a descriptor, straight into locked memory. */
static enum err read_line(int fd, struct secret *out, struct why *why)
{
    struct secret room = {0};
    enum err e = secret_new(&room, PASSPHRASE_MAX, why);
    if (e != ERR_OK) return e;
    size_t n = 0;
    bool ended = false;
    while (n < PASSPHRASE_MAX && !ended) {
        ssize_t got = read(fd, room.p + n, 1);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            e = why_set(why, ERR_LOCKED, "The passphrase could not be read: %s.", strerror(errno));
            goto out;
        }
        ended = got == 0 || room.p[n] == '\n';
        n += ended ? 0 : 1;
    }
    while (n > 0 && room.p[n - 1] == '\r') n--;
    if (!ended)
        e = why_set(why, ERR_LIMIT, "The passphrase is longer than %u bytes.", PASSPHRASE_MAX);
    else if (n == 0)
        e = why_set(why, ERR_LOCKED, "The passphrase is empty.");
    else
        e = secret_take(out, room.p, n, why);
out:
    secret_release(&room);
    return e;
}

static enum err from_file(const char *path, struct secret *out, struct why *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return why_set(why, ERR_LOCKED, "The passphrase file %.200s could not be opened: %s.", path, strerror(errno));
    enum err e = read_line(fd, out, why);
    close(fd);
    return e;
}

/* The signals that end or stop a program, which would leave the terminal without its echo. */
static void hold_signals(sigset_t *out_ends, sigset_t *out_before)
{
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
    (void)sigemptyset(out_ends);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) (void)sigaddset(out_ends, ends[i]);
    (void)sigprocmask(SIG_BLOCK, out_ends, out_before);
}

/* Until there is a line to read, or one of these signals waits. */
static enum err wait_for_line(int fd, const sigset_t *ends, struct why *why)
{
    struct pollfd p[2] = {{.fd = fd, .events = POLLIN},
                          {.fd = signalfd(-1, ends, SFD_CLOEXEC | SFD_NONBLOCK), .events = POLLIN}};
    enum err e = ERR_OK;
    while (poll(p, 2, -1) < 0 && errno == EINTR) {}
    if ((p[1].revents & POLLIN) != 0) e = why_set(why, ERR_INTERRUPTED, "Stopped; nothing was changed.");
    if (p[1].fd >= 0) close(p[1].fd);
    return e;
}

static enum err ask(const char *prompt, struct secret *out, struct why *why)
{
    struct termios old, quiet;
    sigset_t ends, before;
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
    if (fd < 0 || tcgetattr(fd, &old) != 0) {
        if (fd >= 0) close(fd);
        (void)why_set(why, ERR_LOCKED, "A passphrase is needed and there is no terminal to ask on.");
        return why_next(why, ERR_LOCKED, "Give --passphrase-file FILE or --passphrase-fd N.");
    }
    quiet = old;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    hold_signals(&ends, &before);
    tcsetattr(fd, TCSAFLUSH, &quiet);
    dprintf(fd, "%s: ", prompt);
    enum err e = wait_for_line(fd, &ends, why);
    if (e == ERR_OK) e = read_line(fd, out, why);
    tcsetattr(fd, TCSAFLUSH, &old);
    dprintf(fd, "\n");
    close(fd);
    (void)sigprocmask(SIG_SETMASK, &before, NULL); /* a signal that came takes its course here */
    return e;
}

/* The service manager's, if there is one. */
static bool credential(char *out, size_t n)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    return dir != NULL && *dir != '\0' && snprintf(out, n, "%s/spoke", dir) < (int)n && access(out, R_OK) == 0;
}

bool secretin_is_given(const struct cli *c)
{
    char path[1100];
    return c->passphrase_file != NULL || c->passphrase_fd >= 0 || credential(path, sizeof path);
}

static enum err ask_twice(const char *prompt, bool confirm, struct secret *out, struct why *why)
{
    struct secret first = {0}, again = {0};
    enum err e = ask(prompt, &first, why);
    if (e == ERR_OK && confirm) e = ask("The same again", &again, why);
    if (e == ERR_OK && confirm && (first.n != again.n || !secret_equal(first.p, again.p, first.n)))
        e = why_set(why, ERR_USAGE, "What you typed is not the same twice. Nothing was changed.");
    if (e == ERR_OK) {
        *out = first;
        first = (struct secret){0};
    }
    secret_release(&first);
    secret_release(&again);
    return e;
}

enum err secretin_passphrase(const struct cli *c, bool confirm, struct secret *out, struct why *why)
{
    char path[1100];
    if (c->passphrase_file != NULL) return from_file(c->passphrase_file, out, why);
    if (c->passphrase_fd >= 0) return read_line(c->passphrase_fd, out, why);
    if (credential(path, sizeof path)) return from_file(path, out, why);
    if (c->no_input) {
        (void)why_set(why, ERR_LOCKED, "A passphrase is needed, and --no-input forbids asking.");
        return why_next(why, ERR_LOCKED, "Give --passphrase-file FILE or --passphrase-fd N.");
    }
    return ask_twice(confirm ? "New passphrase" : "Passphrase", confirm, out, why);
}

static enum err from_fd(const char *text, const char *flag, struct secret *out, struct why *why)
{
    char *end = NULL;
    long fd = strtol(text, &end, 10);
    if (*text == '\0' || *end != '\0' || fd < 0 || fd > 1 << 20)
        return why_set(why, ERR_USAGE, "--%s takes the number of an open descriptor.", flag);
    return read_line((int)fd, out, why);
}

enum err secretin_read(const struct cli *c, const struct secretin *from, struct secret *out, struct why *why)
{
    const char *file = cli_flag(c, from->file_flag), *fd = from->fd_flag != NULL ? cli_flag(c, from->fd_flag) : NULL;
    if (file != NULL && fd != NULL)
        return why_set(why, ERR_USAGE, "Give --%s or --%s, not both.", from->file_flag, from->fd_flag);
    if (file != NULL) return from_file(strcmp(file, "-") == 0 ? "/dev/stdin" : file, out, why);
    if (fd != NULL) return from_fd(fd, from->fd_flag, out, why);
    if (c->no_input) {
        (void)why_set(why, ERR_USAGE, "%s: it is needed, and --no-input forbids asking.", from->prompt);
        return why_next(why, ERR_USAGE, "Give --%s FILE.", from->file_flag);
    }
    return ask_twice(from->prompt, from->confirm, out, why);
}
