/* The agent's process: sockets, signals and clocks around node/agent.c. */
#include "base/local.h"
#include "cli/harden.h"
#include "cli/node_agent.h"
#include "node/agent_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define CALLERS     8     /* at a time; for another, one has to make room */
#define CALLER_MS   2000  /* for a request to come whole */
#define LOOK_MS     30000 /* between two looks at its place and at the key file */
#define ALWAYS_OPEN 3     /* the listening socket, its signals and the clock's */

struct caller {
    int fd;
    size_t n;         /* bytes received */
    int64_t until_ms; /* boot_ms */
    uint8_t got[AGENT_FRAME_MAX];
};

struct server {
    struct agent agent;
    struct secret room;   /* AGENT_FRAME_MAX bytes, for answers */
    struct stat place;    /* the socket as it was made */
    struct stat home;     /* whose keys these are */
    char path[1300];      /* of the socket */
    char link[1300];      /* in the home, that leads to it; "": there is none */
    char folder[1200];    /* the home */
    char key[1300];       /* its key file */
    int fds[ALWAYS_OPEN]; /* as in the enum below */
    struct caller callers[CALLERS];
    size_t n_callers;
};
enum { FD_LISTEN, FD_SIGNAL, FD_CLOCK };

static int64_t read_ms(clockid_t clock)
{
    struct timespec t = {0};
    (void)clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct agent_clock clocks(void)
{
    return (struct agent_clock){.boot_ms = read_ms(CLOCK_BOOTTIME), .mono_ms = read_ms(CLOCK_MONOTONIC)};
}

/* The kernel cancels such a timer when the machine wakes, and whenever the clock is set: poll would otherwise sleep
 * on for as long as before the lid was closed. */
static int wake_timer(int fd)
{
    const struct itimerspec never = {.it_value = {.tv_sec = read_ms(CLOCK_REALTIME) / 1000 + 10 * 366 * 86400LL}};
    uint64_t ticks;
    if (fd < 0) fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (fd < 0) return -1;
    ssize_t got = read(fd, &ticks, sizeof ticks); /* ECANCELED, if anything */
    (void)got;
    (void)timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL);
    return fd;
}

static bool is_still(const char *path, const struct stat *was)
{
    struct stat now;
    return lstat(path, &now) == 0 && now.st_dev == was->st_dev && now.st_ino == was->st_ino;
}

/* One that an agent after this one left leads to the same place, and will do. */
static bool is_led_to(const struct server *s)
{
    char to[sizeof s->path];
    ssize_t n = readlink(s->link, to, sizeof to);
    return n > 0 && (size_t)n == strlen(s->path) && memcmp(to, s->path, (size_t)n) == 0;
}

/* Replaced or removed, or its home was wiped or put aside: nobody can use what it keeps any more, so it must not keep
 * it. Without the link not everybody who locks this home would find it. */
static bool has_no_place(const struct server *s)
{
    return !is_still(s->path, &s->place) || (s->link[0] != '\0' && !is_led_to(s)) || !is_still(s->folder, &s->home) ||
           (access(s->key, F_OK) != 0 && errno == ENOENT);
}

static void drop(struct server *s, size_t i)
{
    (void)close(s->callers[i].fd);
    s->callers[i] = s->callers[--s->n_callers];
}

/* More of a request, or all of it: then it is answered. false: done with this caller. */
static bool listen_to(struct server *s, struct caller *c)
{
    struct agent_frame f;
    ssize_t got = recv(c->fd, c->got + c->n, sizeof c->got - c->n, MSG_DONTWAIT);
    if (got < 0) return errno == EINTR || errno == EAGAIN;
    if (got == 0) return false;
    c->n += (size_t)got;
    struct bytes request = bytes_of(c->got, c->n);
    if (agent_frame_get(request, &f) == AGENT_MORE) return true;
    size_t n = agent_answer(&s->agent, clocks(), request, s->room.p);
    ssize_t sent = send(c->fd, s->room.p, n, MSG_DONTWAIT | MSG_NOSIGNAL); /* it fits, or the caller is gone */
    (void)sent;
    secret_wipe(s->room.p, s->room.n);
    return false;
}

static void let_in(struct server *s)
{
    struct ucred peer = {0};
    socklen_t n = sizeof peer;
    int fd = accept4(s->fds[FD_LISTEN], NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) != 0 || peer.uid != geteuid()) {
        (void)close(fd);
        return;
    }
    if (s->n_callers == CALLERS) drop(s, 0);
    s->callers[s->n_callers++] = (struct caller){.fd = fd, .until_ms = read_ms(CLOCK_BOOTTIME) + CALLER_MS};
}

static int patience(const struct server *s)
{
    struct agent_clock now = clocks();
    int64_t ms = agent_wait_ms(&s->agent, now);
    if (ms > LOOK_MS) ms = LOOK_MS;
    for (size_t i = 0; i < s->n_callers; i++)
        if (s->callers[i].until_ms - now.boot_ms < ms) ms = s->callers[i].until_ms - now.boot_ms;
    return ms > 0 ? (int)ms : 0;
}

static void turn(struct server *s)
{
    struct pollfd p[ALWAYS_OPEN + CALLERS];
    size_t callers = s->n_callers;
    for (size_t i = 0; i < ALWAYS_OPEN; i++) p[i] = (struct pollfd){.fd = s->fds[i], .events = POLLIN};
    for (size_t i = 0; i < callers; i++) p[ALWAYS_OPEN + i] = (struct pollfd){.fd = s->callers[i].fd, .events = POLLIN};
    if (poll(p, ALWAYS_OPEN + callers, patience(s)) < 0 && errno != EINTR) agent_stop(&s->agent, AGENT_TOLD);
    agent_tick(&s->agent, clocks());
    if ((p[FD_SIGNAL].revents & POLLIN) != 0 || has_no_place(s)) agent_stop(&s->agent, AGENT_TOLD);
    if (s->agent.ended != AGENT_KEEPS) return;
    if (p[FD_CLOCK].revents != 0) (void)wake_timer(s->fds[FD_CLOCK]);
    int64_t now = read_ms(CLOCK_BOOTTIME);
    for (size_t i = callers; i-- > 0;) {
        bool stays = p[ALWAYS_OPEN + i].revents == 0 || listen_to(s, &s->callers[i]);
        if (!stays || s->callers[i].until_ms <= now) drop(s, i);
    }
    if ((p[FD_LISTEN].revents & POLLIN) != 0) let_in(s);
}

static int signals_in_line(void)
{
    static const int ends[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGPWR};
    sigset_t set;
    (void)sigemptyset(&set);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) (void)sigaddset(&set, ends[i]);
    if (sigprocmask(SIG_SETMASK, &set, NULL) != 0) return -1;
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* No terminal, no folder, no file of whoever started it. */
static bool leave(int *listening, int *ready)
{
    int nothing = open("/dev/null", O_RDWR);
    int at = fcntl(*listening, F_DUPFD, 64), to = fcntl(*ready, F_DUPFD, 64);
    bool ok = nothing >= 0 && at >= 0 && to >= 0 && setsid() >= 0 && chdir("/") == 0;
    for (int fd = 0; fd <= 2; fd++) ok = ok && dup2(nothing, fd) == fd;
    *listening = 3;
    *ready = 4;
    return ok && dup2(at, *listening) == *listening && dup2(to, *ready) == *ready && close_range(5, ~0u, 0) == 0;
}

struct start {
    const char *made; /* where the socket was bound, until it takes its place */
    const struct keyring *ring;
    int64_t idle_ms;
    int listening, ready;
};

/* In the place of what an agent before left there. A file system that knows no links (EPERM: a USB stick) has none. */
static bool leave_link(struct server *s)
{
    char made[1330];
    if (s->link[0] == '\0') return true;
    (void)snprintf(made, sizeof made, "%s.%d", s->link, (int)getpid());
    (void)unlink(made);
    if (symlink(s->path, made) != 0) {
        s->link[0] = '\0';
        return errno == EPERM;
    }
    if (rename(made, s->link) == 0) return true;
    (void)unlink(made);
    return false;
}

/* Its socket in its place, and the way to it. */
static bool take_place(struct server *s, const char *made)
{
    if (rename(made, s->path) != 0) return false;
    if (lstat(s->path, &s->place) == 0 && leave_link(s)) return true;
    (void)unlink(s->path); /* one that nobody answers at */
    return false;
}

/* A child inherits neither the locks on memory nor its keeping off the disk: everything anew. */
static bool begin(struct server *s, struct start *b)
{
    struct secret ring = {0};
    if (!leave(&b->listening, &b->ready)) return false;
    (void)prctl(PR_SET_NAME, AGENT_PROCESS);
    if (secret_start(NULL) != ERR_OK) return false;
    (void)harden_memory();
    if (secret_new(&s->room, AGENT_FRAME_MAX, NULL) != ERR_OK || agent_ring_put(b->ring, &ring, NULL) != ERR_OK)
        return false;
    if (agent_begin(&s->agent, &ring, b->ring->slot, b->idle_ms, clocks(), NULL) != ERR_OK) return false;
    s->fds[FD_LISTEN] = b->listening;
    s->fds[FD_SIGNAL] = signals_in_line();
    s->fds[FD_CLOCK] = wake_timer(-1);
    if (s->fds[FD_SIGNAL] < 0 || listen(b->listening, 16) != 0) return false;
    return take_place(s, b->made);
}

static _Noreturn void serve(struct server *s, struct start *b)
{
    bool begun = begin(s, b);
    keyring_release((struct keyring *)b->ring); /* this process's own copy */
    if (begun) begun = write(b->ready, "k", 1) == 1;
    (void)close(b->ready);
    while (begun && s->agent.ended == AGENT_KEEPS) turn(s);
    agent_stop(&s->agent, AGENT_TOLD);
    secret_release(&s->room);
    if (begun && is_still(s->path, &s->place)) {
        if (s->link[0] != '\0' && is_led_to(s)) (void)unlink(s->link);
        (void)unlink(s->path);
    }
    _exit(begun ? 0 : 1);
}

/* ---------------------------------------------------------------------------------------------------------- start */
static enum err could_not(struct why *why)
{
    return why_set(why, ERR_IO, "This computer could not start what keeps the device unlocked: %s.", strerror(errno));
}

static enum err fork_server(struct server *s, struct start *b, struct why *why)
{
    int ready[2];
    uint8_t word = 0;
    ssize_t got = -1;
    if (pipe2(ready, O_CLOEXEC) != 0) return could_not(why);
    b->ready = ready[1];
    pid_t pid = fork();
    if (pid == 0) serve(s, b);
    (void)close(ready[1]);
    while (pid > 0 && (got = read(ready[0], &word, 1)) != 0) /* to the end: it holds nothing of ours any more */
        if (got < 0 && errno != EINTR) break;
    (void)close(ready[0]);
    if (pid < 0) return could_not(why);
    return word == 'k' ? ERR_OK : why_set(why, ERR_IO, "What was to keep the device unlocked ended at once.");
}

/* Bound under another name: whoever asks meanwhile reaches the agent before. */
static enum err bind_beside(const char *path, char *made, size_t n, int *out_fd, struct why *why)
{
    if (snprintf(made, n, "%s.%d", path, (int)getpid()) >= (int)n)
        return why_set(why, ERR_LIMIT, "The home's path is too long.");
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return could_not(why);
    (void)unlink(made); /* of a process with this number that was killed here */
    if (local_at(fd, made, local_bind) == 0) {
        *out_fd = fd;
        return ERR_OK;
    }
    enum err e = could_not(why);
    (void)close(fd);
    return e;
}

static enum err start_at(const char *home, const struct agent_place *at, const struct keyring *ring, int64_t idle_ms,
                         struct why *why)
{
    struct server s = {.n_callers = 0};
    struct start b = {.ring = ring, .idle_ms = idle_ms, .listening = -1};
    char made[1330], real[PATH_MAX];
    if (realpath(home, real) == NULL || lstat(real, &s.home) != 0 ||
        snprintf(s.folder, sizeof s.folder, "%s", real) >= (int)sizeof s.folder ||
        snprintf(s.key, sizeof s.key, "%s/replica.key", real) >= (int)sizeof s.key)
        return why_set(why, ERR_LIMIT, "The home's path is too long.");
    memcpy(s.path, at->path, sizeof s.path);
    memcpy(s.link, at->link, sizeof s.link);
    enum err e = bind_beside(at->path, made, sizeof made, &b.listening, why);
    if (e != ERR_OK) return e;
    b.made = made;
    e = fork_server(&s, &b, why);
    (void)close(b.listening);
    if (e != ERR_OK) (void)unlink(made);
    return e;
}

enum err node_agent_start(const char *home, const struct keyring *ring, int64_t idle_ms, struct why *why)
{
    struct agent_place places[2];
    struct agent_line before[2] = {{.fd = -1}, {.fd = -1}};
    size_t n = 0;
    enum err e = agent_places(home, true, places, &n, why);
    if (e == ERR_OK && n == 0)
        e = why_set(why, ERR_DENIED, "There is no folder here that is yours alone, so nothing can be kept unlocked.");
    /* called before the new one takes the place, or nobody would know where they are */
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        e = agent_call(places[i].path, &before[i], why);
        if (e == ERR_NOTFOUND || e == ERR_DENIED) e = ERR_OK; /* what is no agent of ours loses its place */
    }
    if (e == ERR_OK) e = start_at(home, &places[0], ring, idle_ms, why);
    for (size_t i = 0; i < n; i++) {
        bool was = false;
        if (e == ERR_OK && before[i].fd >= 0) e = agent_end_line(&before[i], &was, why);
        if (e == ERR_FORMAT) e = ERR_OK;
        agent_hang_up(&before[i]);
    }
    return e;
}
