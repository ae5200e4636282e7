/* spoke-hub serve. */
#include "cli/hub_commands.h"
#include "cli/hub_home.h"
#include "cli/hub_journal.h"
#include "cli/hub_listen.h"
#include "cli/hub_route.h"
#include "cli/hub_turn.h"
#include "cli/hub_watch.h"
#include "sync/bundle.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Ten thousand devices that wait for news, and places for those who come with something to say. */
#define MAX_PARKED   10240u
#define OTHERS       2048u
#define OTHER_FILES  128u /* descriptors of the store, logs, sockets of commands, … */
#define IDLE_SECONDS 120u
#define HEAD_SECONDS 20u
#define MIN_RATE     256u /* bytes a second: the worst link that still is one */
#define MAX_HELD     ((size_t)4 * BUNDLE_MAX)
#define CONN_MEMORY  ((size_t)16 << 10)

/* The one line that scripts wait for. A port of 0 was picked by the system, so the real one is said. */
static enum err say_listening(const struct cli *c, const char *listen, unsigned port, struct why *why)
{
    char url[PATH_MAX + 16];
    const char *colon = strrchr(listen, ':');
    int host = colon != NULL ? (int)(colon - listen) : (int)strlen(listen);
    if (port == 0) /* at a path */
        snprintf(url, sizeof url, "%s", listen);
    else
        snprintf(url, sizeof url, "http://%.*s:%u", host, listen, port);
    if (c->json) {
        struct json *o = json_object_new();
        json_set_str(o, "listening", url);
        enum err e = show_json(o, why);
        if (e != ERR_OK) return e;
    } else {
        printf("listening on %s\n", url);
    }
    return fflush(stdout) == 0 ? ERR_OK : why_set(why, ERR_IO, "The address could not be printed.");
}

/* A command changed what parked devices may wait for. */
static void store_is_back(void *ctx)
{
    struct hub_route *route = ctx;
    struct httpd *server = atomic_load(&route->server);
    if (server != NULL) httpd_wake(server);
}

/* Nothing can be answered any more: end as by a signal, with what hub_turn_end says. */
static void store_is_lost(void *ctx)
{
    (void)ctx;
    (void)kill(getpid(), SIGTERM);
}

/* Places for connections, as many as the system grants descriptors: the limit that a program begins with is mostly
 * meant for select(2), and may be raised to the hard one (getrlimit(2)). */
static unsigned raise_limit(const struct cli *c)
{
    struct rlimit files = {0};
    const rlim_t want = MAX_PARKED + OTHERS + OTHER_FILES + HTTPD_SPARE_FILES;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) return OTHERS / 2;
    if (files.rlim_cur < want) {
        files.rlim_cur = files.rlim_max < want ? files.rlim_max : want;
        if (setrlimit(RLIMIT_NOFILE, &files) != 0) (void)getrlimit(RLIMIT_NOFILE, &files);
    }
    if (files.rlim_cur >= want) return MAX_PARKED + OTHERS;
    rlim_t left = files.rlim_cur > 2 * (OTHER_FILES + HTTPD_SPARE_FILES) ? files.rlim_cur - OTHER_FILES - HTTPD_SPARE_FILES
                                                                        : files.rlim_cur / 2;
    if (!cli_has(c, "quiet"))
        fprintf(stderr,
                "spoke-hub: This system allows %llu open files, so %llu devices can be connected at once. Give more with "
                "LimitNOFILE= (systemd) or ulimit -n.\n",
                (unsigned long long)files.rlim_cur, (unsigned long long)left);
    return (unsigned)left;
}

/* Before the line that scripts wait for: who reads that finds both. */
static enum err watch_at(const struct cli *c, struct hub_route *route, struct hub_watch **out, struct why *why)
{
    const char *listen = cli_flag(c, "watch");
    if (listen == NULL) return ERR_OK;
    enum err e = hub_watch_start(out, &(struct hub_watch_options){.listen = listen, .home = c->home, .route = route}, why);
    if (e != ERR_OK || c->json) return e;
    unsigned port = hub_watch_port(*out);
    const char *colon = strrchr(listen, ':');
    if (port == 0)
        printf("watched on %s\n", listen);
    else
        printf("watched on http://%.*s:%u\n", (int)(colon - listen), listen, port);
    return ERR_OK;
}

static enum err listen_at(struct cli *c, struct hub_route *route, struct httpd **out, struct why *why)
{
    const char *listen = cli_flag(c, "listen");
    if (listen == NULL) listen = "127.0.0.1:8470";
    unsigned places = raise_limit(c), others = places < 2 * OTHERS ? places / 2 : OTHERS;
    enum err e = httpd_start(out,
                             &(struct httpd_options){.listen = listen,
                                                     .max_body = BUNDLE_MAX,
                                                     .max_clients = places,
                                                     .max_parked = places - others,
                                                     .idle_seconds = IDLE_SECONDS,
                                                     .head_seconds = HEAD_SECONDS,
                                                     .min_rate = MIN_RATE,
                                                     .max_held = MAX_HELD,
                                                     .conn_memory = CONN_MEMORY,
                                                     .handler = hub_route,
                                                     .joins = hub_route_joins,
                                                     .together = hub_route_together,
                                                     .concerns = hub_route_concerns,
                                                     .ctx = route},
                             why);
    if (e != ERR_OK) return e;
    atomic_store(&route->server, *out);
    httpd_wake(*out); /* whoever parked before the server was known */
    return say_listening(c, listen, httpd_port(*out), why);
}

/* Devices matter more than that commands work meanwhile: where a folder can have no socket, they wait until the server
 * ends. */
static enum err take_turns(const struct cli *c, struct hub_route *route, struct why *why)
{
    const struct hub_turn_options opt = {.home = c->home,
                                         .hub = route->hub,
                                         .env = c->env,
                                         .log = route->log,
                                         .log_format = route->log_format,
                                         .back = store_is_back,
                                         .lost = store_is_lost,
                                         .ctx = route};
    enum err e = hub_turn_start(&route->turn, &opt, why);
    if (e != ERR_NOTFOUND) return e;
    fprintf(stderr,
            "spoke-hub: %s Devices are answered all the same, but no other command works with this hub meanwhile.\n"
            "Stop the server for each of them, or keep the hub on a disk of this computer.\n",
            why->text);
    return ERR_OK;
}

/* Of a store that other servers have open too: what they move is heard of in place of turns. */
static enum err take_part(const struct cli *c, struct hub_route *route, struct hub_listen **out, struct why *why)
{
    const struct hub_listen_options opt = {.hub = route->hub,
                                           .env = c->env,
                                           .log = route->log,
                                           .log_format = route->log_format,
                                           .moved = store_is_back,
                                           .ctx = route};
    return hub_is_shared(route->hub) ? hub_listen_start(out, &opt, why) : take_turns(c, route, why);
}

/* Devices that were in contact before: a server that is started again amid a flood of strangers does not take them for
 * such. */
static enum err remember_devices(struct hub *h, struct hub_limit *limit, struct why *why)
{
    struct stmt *s = NULL;
    uint8_t kid[16];
    bool row = false;
    enum err e = db_prepare(hub_db(h), "SELECT kid FROM h_node WHERE last_request > 0", &s, why);
    if (e != ERR_OK) return e;
    while ((e = db_step(s, &row, why)) == ERR_OK && row)
        if (db_id(s, 0, kid)) hub_limit_was(limit, kid, true);
    db_done(s);
    return e;
}

static enum err make_limits(const struct cli *c, struct hub *h, struct hub_limit **out, struct why *why)
{
    struct hub_limit_rates rates = HUB_LIMITS_DEFAULT;
    const char *device = cli_flag(c, "device-rate"), *enrol = cli_flag(c, "enrol-rate"), *stranger = cli_flag(c, "stranger-rate"),
               *door = cli_flag(c, "door-rate");
    enum err e = device != NULL ? hub_rate_read(device, &rates.device, why) : ERR_OK;
    if (e == ERR_OK && door != NULL) e = hub_rate_read(door, &rates.door, why);
    if (e == ERR_OK && enrol != NULL) e = hub_rate_read(enrol, &rates.enrol, why);
    if (e == ERR_OK && stranger != NULL) e = hub_rate_read(stranger, &rates.nobody, why);
    if (e == ERR_OK) e = hub_limit_new(out, c->env, &rates, why);
    return e == ERR_OK ? remember_devices(h, *out, why) : e;
}

static enum err log_format(const struct cli *c, struct hub_route *route, struct why *why)
{
    const char *word = cli_flag(c, "log-format");
    if (word == NULL || log_format_from(word, &route->log_format)) return ERR_OK;
    return why_set(why, ERR_USAGE, "A log is written as logfmt or json, not as '%.40s'.", word);
}

static enum err serve(struct cli *c, struct hub *h, const sigset_t *end, struct why *why)
{
    struct hub_route route = {.env = c->env, .hub = h, .lost = store_is_lost, .log = cli_has(c, "quiet") ? NULL : stderr};
    struct httpd *server = NULL;
    struct hub_watch *watch = NULL;
    struct hub_listen *heard = NULL;
    struct hub_journal *journal = NULL;
    struct why lost = {0};
    int signal_no = 0;
    (void)pthread_mutex_init(&route.one, NULL);
    enum err e = log_format(c, &route, why);
    if (e == ERR_OK) e = hub_count_new(&route.count, why);
    if (e == ERR_OK) e = make_limits(c, h, &route.limit, why);
    if (e == ERR_OK) e = take_part(c, &route, &heard, why);
    if (e == ERR_OK && (cli_flag(c, "journal") != NULL || hub_is_shared(h)))
        e = hub_journal_start(&journal, &route, cli_flag(c, "journal"), why);
    if (e == ERR_OK) e = watch_at(c, &route, &watch, why);
    if (e == ERR_OK) e = listen_at(c, &route, &server, why);
    while (e == ERR_OK && sigwait(end, &signal_no) != 0) continue;
    /* In this order: turns wake the server, and requests ask for turns. */
    hub_watch_stop(watch);
    hub_journal_stop(journal);
    hub_listen_end(heard);
    enum err gone = hub_turn_end(route.turn, &lost);
    httpd_stop(server);
    if (gone == ERR_OK && hub_has_moved(h))
        gone = why_set(&lost, ERR_DENIED, "The hub's store has moved to another place. Start the server again: it finds it.");
    hub_turn_free(route.turn);
    hub_limit_free(route.limit);
    hub_count_free(route.count);
    (void)pthread_mutex_destroy(&route.one);
    if (e != ERR_OK || gone == ERR_OK) return e;
    *why = lost;
    return gone;
}

static enum err run_serve(struct cli *c, struct why *why)
{
    sigset_t end;
    struct hub *h = NULL;
    enum err e = hub_home_open(c, &h, why);
    if (e != ERR_OK) return e;
    /* Blocked before the server's threads are made, which inherit it: the signals wait for sigwait alone. A closed
     * standard error must not end the server either. */
    sigemptyset(&end);
    sigaddset(&end, SIGTERM);
    sigaddset(&end, SIGINT);
    if (sigprocmask(SIG_BLOCK, &end, NULL) != 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        e = why_set(why, ERR_IO, "The system refused to set up signals: %s.", strerror(errno));
    if (e == ERR_OK) e = serve(c, h, &end, why);
    hub_close(h);
    return e;
}

static const struct flag serve_flags[] = {
    {"listen", "ADDRESS", "address and port (default 127.0.0.1:8470; port 0 picks a free one), or unix:/path of a socket"},
    {"device-rate", "N[/BURST]", "requests a second of one device, and how many at once (default 20/400); 0: any"},
    {"door-rate", "N[/BURST]", "asking for orders, a second, of all locked devices (default 100/2000); 0: any"},
    {"enrol-rate", "N[/BURST]", "refused enrolments a second, of all (default 2/60); 0: any"},
    {"stranger-rate", "N[/BURST]", "other requests of nobody a second, of all (default 20/400); 0: any"},
    {"watch", "ADDRESS",
     "also answer /healthz, /readyz and /metrics to who watches the hub, at this address of this computer alone, such as "
     "127.0.0.1:9471 (not at all unless given)"},
    {"journal", "FOLDER",
     "also write, within a second as a rule, what each transaction changed to this folder, which belongs on another machine: sealed to the "
     "recovery key, for spoke-hub restore --journal. Of several servers of one hub, give it to each that can reach the folder: one of "
     "them writes, and another goes on when that one ends"},
    {"log-format", "logfmt|json", "how each line on standard error is written (default logfmt)"},
    {"quiet", NULL, "no line on standard error for each request"},
    {0}};

const struct command hub_serve_commands[] = {
    {"serve", "", 0, 0,
     "Answer devices over HTTP until it is stopped. It prints one line when it is ready and ends cleanly on SIGTERM or "
     "Ctrl-C. Bundles are sealed end to end; still, put a reverse proxy with TLS before it on any open network. Other "
     "commands may be given meanwhile: devices wait for the moment that one takes.",
     "spoke-hub serve --listen 127.0.0.1:8470 --passphrase-file /etc/spoke/hub.pass", serve_flags, run_serve},
    {0}};
