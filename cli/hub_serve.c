/* spoke-hub serve. */
#include "cli/hub_commands.h"
#include "cli/hub_home.h"
#include "cli/hub_route.h"
#include "sync/bundle.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

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

static enum err serve(struct cli *c, struct hub *h, const sigset_t *end, struct why *why)
{
    const char *listen = cli_flag(c, "listen");
    struct hub_route route = {.env = c->env, .hub = h, .log = cli_has(c, "quiet") ? NULL : stderr};
    struct httpd *server = NULL;
    int signal_no = 0;
    if (listen == NULL) listen = "127.0.0.1:8470";
    enum err e = httpd_start(&server,
                             &(struct httpd_options){.listen = listen,
                                                     .max_body = BUNDLE_MAX,
                                                     .max_clients = MAX_CLIENTS,
                                                     .idle_seconds = IDLE_SECONDS,
                                                     .handler = hub_route,
                                                     .ctx = &route},
                             why);
    if (e != ERR_OK) return e;
    atomic_store(&route.server, server);
    httpd_wake(server); /* whoever parked before the server was known */
    e = say_listening(c, listen, httpd_port(server), why);
    while (e == ERR_OK && sigwait(end, &signal_no) != 0) continue;
    httpd_stop(server);
    return e;
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
     "commands that need the store have to wait until it is stopped.",
     "spoke-hub serve --listen 127.0.0.1:8470 --passphrase-file /etc/spoke/hub.pass", serve_flags, run_serve},
    {0}};
