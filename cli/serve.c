/* spoke serve. */
#include "cli/node_commands.h"
#include "cli/node_work.h"
#include "cli/serve_gate.h"
#include "cli/serve_route.h"
#include "sync/bundle.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define LISTEN       "127.0.0.1:8471"
#define MAX_CLIENTS  64u
#define IDLE_SECONDS 60u
#define IDLE_MINUTES 15
#define IDLE_MOST    720 /* minutes */

struct service {
    struct serve_site site;
    struct serve_gate gate;
    _Atomic(struct httpd *) server; /* NULL until it has started, and when it stops */
    int alarm;                      /* eventfd: the clock is to be looked at */
    int signals;                    /* signalfd */
    int clock;                      /* timerfd that ends when the machine wakes */
    char home[1024];
    char address[SERVE_ADDRESS_MAX];
};

/* ---------------------------------------------------------------------------------------------------------- options */
/* Minutes; for tests also seconds: "2s". */
static enum err idle_of(const struct cli *c, int64_t *out_ms, struct why *why)
{
    const char *text = cli_flag(c, "idle");
    char *end = NULL;
    long n = text != NULL ? strtol(text, &end, 10) : IDLE_MINUTES;
    bool seconds = text != NULL && strcmp(end, "s") == 0;
    if (text != NULL && (*text < '0' || *text > '9' || (*end != '\0' && !seconds) || n < 1 || n > IDLE_MOST))
        return why_set(why, ERR_USAGE, "--idle takes a number of minutes, at most %d.", IDLE_MOST);
    *out_ms = n * (seconds ? 1000 : 60000);
    return ERR_OK;
}

static bool is_loopback(const char *listen)
{
    return strncmp(listen, "127.", 4) == 0 || strncmp(listen, "localhost:", 10) == 0 ||
           strncmp(listen, "[::1]:", 6) == 0;
}

static enum err check_listen(const struct cli *c, const char *listen, struct why *why)
{
    if (cli_has(c, "behind-proxy") && !cli_has(c, "host")) {
        (void)why_set(why, ERR_USAGE, "Behind a proxy the pages are reached by the proxy's name.");
        return why_next(why, ERR_USAGE, "Say which: --host mash.example.org");
    }
    if (is_loopback(listen) || cli_has(c, "behind-proxy")) return ERR_OK;
    (void)why_set(why, ERR_USAGE, "The pages are about children: they travel no network in clear.");
    return why_next(why, ERR_USAGE,
                    "Listen at 127.0.0.1, or put a proxy with TLS before it and say so: --behind-proxy --host NAME");
}

/* Every name by which a browser may know this service. */
static enum err name_site(struct service *v, const struct cli *c, const char *listen, unsigned port, struct why *why)
{
    const char *const own[] = {"127.0.0.1", "localhost", "[::1]"};
    int n_host = (int)(strrchr(listen, ':') - listen); /* httpd_start took it */
    bool proxied = cli_has(c, "behind-proxy");
    char text[300];
    enum err e = ERR_OK;
    /* with that prefix no neighbour of the name (another host of the same domain) can set one beside it */
    (void)snprintf(v->site.cookie, sizeof v->site.cookie, "%sspoke_session_%u", proxied ? "__Host-" : "", port);
    for (size_t i = 0; e == ERR_OK && i < sizeof own / sizeof own[0]; i++) {
        (void)snprintf(text, sizeof text, "%s:%u", own[i], port);
        e = serve_site_name(&v->site, "http", text, why);
    }
    const char *name = NULL;
    for (int i = 0; e == ERR_OK && (name = cli_flag_at(c, "host", i)) != NULL; i++) {
        int n = snprintf(text, sizeof text, proxied || strchr(name, ':') != NULL ? "%s" : "%s:%u", name, port);
        e = n < (int)sizeof text ? serve_site_name(&v->site, proxied ? "https" : "http", text, why)
                                 : why_set(why, ERR_USAGE, "A name is too long.");
    }
    (void)snprintf(text, sizeof text, "%.*s:%u", n_host, listen, port);
    if (e == ERR_OK && is_loopback(listen)) e = serve_site_name(&v->site, "http", text, why);
    if (proxied)
        (void)snprintf(v->address, sizeof v->address, "https://%.180s", cli_flag(c, "host"));
    else
        (void)snprintf(v->address, sizeof v->address, "http://%.180s", text);
    return e;
}

/* -------------------------------------------------------------------------------------------------------- callbacks */
static void wake(void *ctx)
{
    struct service *v = ctx;
    struct httpd *server = atomic_load(&v->server);
    if (server != NULL) httpd_wake(server);
}

static void alarm_clock(void *ctx)
{
    struct service *v = ctx;
    const uint64_t one = 1;
    ssize_t n = write(v->alarm, &one, sizeof one);
    (void)n; /* full: it rings already */
}

/* The kernel cancels such a timer when the machine wakes: poll would sleep on for as long as before the lid was
 * closed. */
static int wake_timer(int fd)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    const struct itimerspec never = {.it_value = {.tv_sec = now.tv_sec + 10 * 366 * 86400LL}};
    uint64_t ticks;
    if (fd < 0) fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (fd < 0) return -1;
    ssize_t got = read(fd, &ticks, sizeof ticks); /* ECANCELED, if anything */
    (void)got;
    (void)timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL);
    return fd;
}

/* ------------------------------------------------------------------------------------------------------------- life */
static void lock_all(struct service *v)
{
    struct why said = {0};
    (void)why_set(&said, ERR_LOCKED, "This device was locked.");
    (void)why_next(&said, ERR_LOCKED, "Sign in with your passphrase.");
    serve_desk_end(v->site.desk, 0, ERR_LOCKED, &said);
}

/* Where `spoke lock` does not find us, nothing may be open. */
static enum err keep_gate(struct service *v, struct why *why)
{
    if (serve_gate_stands(&v->gate)) return ERR_OK;
    lock_all(v);
    serve_gate_close(&v->gate);
    return serve_gate_open(&v->gate, v->home, v->address, why);
}

#define LARGE (64 * 1024)
/* What is freed goes back to the system: answers are large and rare, and threads hardly allocate at the same time.
 * Large pieces are mapped by themselves; one heap, the end of which can be given back also where all memory is locked
 * (cli/harden.h). */
static void share_one_heap(void)
{
    (void)mallopt(M_ARENA_MAX, 1);
    (void)mallopt(M_MMAP_THRESHOLD, LARGE);
    (void)mallopt(M_TRIM_THRESHOLD, 2 * LARGE);
}

/* Until a signal ends it. */
static enum err stand_by(struct service *v, struct why *why)
{
    for (;;) {
        struct pollfd p[] = {{.fd = v->signals, .events = POLLIN},
                             {.fd = v->gate.fd, .events = POLLIN},
                             {.fd = v->alarm, .events = POLLIN},
                             {.fd = v->clock, .events = POLLIN}};
        struct signalfd_siginfo got;
        struct serve_caller caller;
        uint64_t rings;
        int64_t ms = serve_desk_tick(v->site.desk);
        if (poll(p, sizeof p / sizeof p[0], ms > 0 ? (int)ms : 0) < 0 && errno != EINTR)
            return why_set(why, ERR_IO, "The system stopped the service: %s.", strerror(errno));
        if ((p[0].revents & POLLIN) != 0 && read(v->signals, &got, sizeof got) == (ssize_t)sizeof got) {
            if (got.ssi_signo != SIGUSR1 && got.ssi_signo != SIGHUP) return ERR_OK;
            lock_all(
                v); /* before sleep (packaging/lock-on-suspend), or when the person's session on the computer ends */
        }
        if ((p[1].revents & POLLIN) != 0 && serve_gate_called(&v->gate, &caller)) {
            lock_all(v);
            serve_gate_done(&caller);
        }
        if (p[2].revents != 0 && read(v->alarm, &rings, sizeof rings) < 0 && errno != EAGAIN)
            return why_set(why, ERR_IO, "The system stopped the service: %s.", strerror(errno));
        if (p[3].revents != 0) (void)wake_timer(v->clock);
        enum err e = keep_gate(v, why);
        if (e != ERR_OK) return e;
    }
}

static enum err say_ready(const struct cli *c, const struct service *v, struct why *why)
{
    if (c->json) {
        struct json *o = json_object_new();
        json_set_str(o, "listening", v->address);
        enum err e = show_json(o, why);
        if (e != ERR_OK) return e;
    } else {
        printf("listening on %s\n", v->address);
    }
    return fflush(stdout) == 0 ? ERR_OK : why_set(why, ERR_IO, "The address could not be printed.");
}

static enum err serve(struct service *v, struct cli *c, const char *listen, struct why *why)
{
    struct httpd *server = NULL;
    const struct httpd_options opt = {.listen = listen,
                                      .max_body = BUNDLE_MAX,
                                      .max_clients = MAX_CLIENTS,
                                      .idle_seconds = IDLE_SECONDS,
                                      .own_user = !cli_has(c, "behind-proxy"),
                                      .handler = serve_handle,
                                      .ctx = &v->site,
                                      .fields = serve_fields,
                                      .words = serve_words,
                                      .room = serve_room};
    enum err e = serve_contact_start(&v->site.contact, c->env, v->home, v->site.desk, why);
    if (e == ERR_OK) e = httpd_start(&server, &opt, why);
    if (e == ERR_OK) e = name_site(v, c, listen, httpd_port(server), why); /* until then no name is ours */
    if (e == ERR_OK) e = serve_gate_open(&v->gate, v->home, v->address, why);
    if (e == ERR_OK) {
        atomic_store(&v->server, server);
        e = say_ready(c, v, why);
        if (e == ERR_OK) e = stand_by(v, why);
        serve_gate_close(&v->gate);
    }
    atomic_store(&v->server, NULL);
    httpd_stop(server);
    serve_contact_stop(v->site.contact);
    return e;
}

static enum err set_up_signals(struct service *v, struct why *why)
{
    static const int ends[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGQUIT};
    sigset_t set;
    (void)sigemptyset(&set);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) (void)sigaddset(&set, ends[i]);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR ||
        (v->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0 ||
        (v->alarm = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0 || (v->clock = wake_timer(-1)) < 0)
        return why_set(why, ERR_IO, "The system refused to set up signals: %s.", strerror(errno));
    return ERR_OK;
}

static enum err run_serve(struct cli *c, struct why *why)
{
    static const struct serve_route *const tables[] = {serve_look_routes,     serve_list_routes,
                                                       serve_act_case_routes, serve_act_share_routes,
                                                       serve_act_work_routes, NULL};
    struct service v = {.gate = {.fd = -1}, .signals = -1, .alarm = -1, .clock = -1};
    const char *listen = cli_flag(c, "listen") != NULL ? cli_flag(c, "listen") : LISTEN;
    struct serve_desk_options opt = {
        .env = c->env, .home = v.home, .wake = wake, .wake_ctx = &v, .alarm = alarm_clock, .alarm_ctx = &v};
    share_one_heap();
    memcpy(v.home, c->home, sizeof v.home);
    v.site = (struct serve_site){.env = c->env,
                                 .home = v.home,
                                 .assets = serve_assets,
                                 .tables = tables,
                                 .phone = cli_flag(c, "phone"),
                                 .secure = cli_has(c, "behind-proxy")};
    enum err e = idle_of(c, &opt.idle_ms, why);
    if (e == ERR_OK) e = check_listen(c, listen, why);
    if (e == ERR_OK) e = work_has_home(c, why);
    if (e == ERR_OK) e = set_up_signals(&v, why);
    if (e == ERR_OK) e = serve_desk_new(&v.site.desk, &opt, why);
    if (e == ERR_OK) e = serve(&v, c, listen, why);
    serve_desk_free(v.site.desk);
    int fds[] = {v.signals, v.alarm, v.clock};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
        if (fds[i] >= 0) (void)close(fds[i]);
    return e;
}

static const struct flag serve_flags[] = {
    {"listen", "ADDRESS", "address and port (default 127.0.0.1:8471); port 0 picks a free one"},
    {"idle", "MINUTES", "sign a person out when they do nothing for so long (default: 15, at most 720)"},
    {"host", "NAME", "one more name by which browsers reach it; may be given several times"},
    {"phone", "NUMBER", "whom to ring, shown before anybody has signed in"},
    {"behind-proxy", NULL,
     "a proxy with TLS stands before it (nginx-spoke-node.conf): it may listen wider than this computer"},
    {0}};

const struct command serve_commands[] = {
    {"serve", "", 0, 0,
     "Serve this device's pages to a browser on this computer, and keep in step with the MASH while somebody is signed in. It "
     "prints one line when it is ready and ends cleanly on SIGTERM or Ctrl-C. Type spoke open in another window to go there.",
     "spoke serve", serve_flags, run_serve},
    {0}};
