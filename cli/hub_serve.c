/* spoke-hub serve. */
#include "cli/hub_commands.h"
#include "cli/hub_home.h"
#include "cli/hub_route.h"
#include "cli/hub_turn.h"
#include "sync/bundle.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_CLIENTS  256u
#define IDLE_SECONDS 120u

/* The one line that scripts wait for. A port of 0 was picked by the system, so the real one is said. */
static enum err say_listening(const struct cli *c, const char *listen, unsigned port, struct why *why)
{
    char url[160];
    const char *colon = strrchr(listen, ':');
    int host = colon != NULL ? (int)(colon - listen) : (int)strlen(listen);
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

static enum err listen_at(struct cli *c, struct hub_route *route, struct httpd **out, struct why *why)
{
    const char *listen = cli_flag(c, "listen");
    if (listen == NULL) listen = "127.0.0.1:8470";
    enum err e = httpd_start(out,
                             &(struct httpd_options){.listen = listen,
                                                     .max_body = BUNDLE_MAX,
                                                     .max_clients = MAX_CLIENTS,
                                                     .idle_seconds = IDLE_SECONDS,
                                                     .handler = hub_route,
                                                     .ctx = route},
                             why);
    if (e != ERR_OK) return e;
    atomic_store(&route->server, *out);
    httpd_wake(*out); /* whoever parked before the server was known */
    return say_listening(c, listen, httpd_port(*out), why);
}

/* Devices matter more than that commands work meanwhile: where a folder can have no socket, they wait until the server ends. */
static enum err take_turns(const struct cli *c, struct hub_route *route, struct why *why)
{
    const struct hub_turn_options opt = {.home = c->home,
                                         .hub = route->hub,
                                         .env = c->env,
                                         .log = route->log,
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

static enum err serve(struct cli *c, struct hub *h, const sigset_t *end, struct why *why)
{
    struct hub_route route = {.env = c->env, .hub = h, .log = cli_has(c, "quiet") ? NULL : stderr};
    struct httpd *server = NULL;
    struct why lost = {0};
    int signal_no = 0;
    enum err e = take_turns(c, &route, why);
    if (e != ERR_OK) return e;
    e = listen_at(c, &route, &server, why);
    while (e == ERR_OK && sigwait(end, &signal_no) != 0) continue;
    /* In this order: turns wake the server, and requests ask for turns. */
    enum err gone = hub_turn_end(route.turn, &lost);
    httpd_stop(server);
    hub_turn_free(route.turn);
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
    {"listen", "ADDRESS", "address and port (default 127.0.0.1:8470); port 0 picks a free one"},
    {"quiet", NULL, "no line on standard error for each request"},
    {0}};

const struct command hub_serve_commands[] = {
    {"serve", "", 0, 0,
     "Answer devices over HTTP until it is stopped. It prints one line when it is ready and ends cleanly on SIGTERM or "
     "Ctrl-C. Bundles are sealed end to end; still, put a reverse proxy with TLS before it on any open network. Other "
     "commands may be given meanwhile: devices wait for the moment that one takes.",
     "spoke-hub serve --listen 127.0.0.1:8470 --passphrase-file /etc/spoke/hub.pass", serve_flags, run_serve},
    {0}};
