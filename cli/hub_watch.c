#include "cli/hub_watch.h"

#include "cli/hub_gauge.h"
#include "cli/prom.h"

#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>

#define BORROW_MS     500   /* who watches waits so long for the request in hand */
#define SLICE_US      10000 /* devices wait for who watches no longer than about this */
#define ROUND_MS      2000  /* a round that takes longer goes on with the next scrape */
#define FRESH_MS      5000
#define SHARE         20    /* looking takes a twentieth of the store's time at most */
#define PROBE_MS      1000  /* whether the store works is tried no more often */
#define AWAY_MS       30000 /* a command that has the store for longer makes the server not ready */
#define DISK_LOW      (64LL << 20)
#define METRICS_BYTES ((size_t)64 << 20)
#define CLIENTS       16u
#define IDLE_SECONDS  60u

struct hub_watch {
    struct hub_watch_options opt;
    struct httpd *server;
    struct hub_gauge gauge;
    bool under_way;     /* of a round of the gauge */
    int64_t round_ms;   /* that it has taken, of the store's time */
    int64_t read_at;    /* when it ended last, CLOCK_MONOTONIC; 0: never */
    int64_t rest_until; /* no other begins before */
    const char *store;  /* what the last look found: "ok", "away", or the word of an error; static storage */
    int64_t probed_at;  /* 0: never */
    enum err probed;
};

static int64_t mono_ms(void)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* -1: not known. */
static int64_t disk_free(const struct hub_watch *w)
{
    struct statvfs fs;
    if (statvfs(w->opt.home, &fs) != 0) return -1;
    return (int64_t)((uint64_t)fs.f_bavail * fs.f_frsize);
}

static void say(struct http_reply *reply, int status, const char *text)
{
    reply->status = status;
    reply->type = "text/plain; charset=utf-8";
    buf_put_str(&reply->body, text);
    buf_put_str(&reply->body, "\n");
}

/* ----------------------------------------------------------------------------------------------------------- readyz */

/* A write with each question would be a way to keep the disk busy. */
static enum err probe(struct hub_watch *w)
{
    struct why why = {0};
    int64_t now = mono_ms();
    if (w->probed_at != 0 && now - w->probed_at < PROBE_MS) return w->probed;
    w->probed = hub_probe(w->opt.route->hub, &why);
    w->probed_at = now;
    return w->probed;
}

static void get_ready(struct hub_watch *w, struct http_reply *reply)
{
    char text[64];
    struct hub_turn_load load = {0};
    int64_t room = disk_free(w);
    if (room >= 0 && room < DISK_LOW) {
        say(reply, 503, "disk: hardly any room is left");
        return;
    }
    if (hub_route_borrow(w->opt.route, BORROW_MS)) {
        enum err e = probe(w);
        hub_route_return(w->opt.route);
        (void)snprintf(text, sizeof text, e == ERR_OK ? "ok" : "store: %s", err_word(e));
        say(reply, e == ERR_OK ? 200 : 503, text);
        return;
    }
    if (w->opt.route->turn != NULL) hub_turn_look(w->opt.route->turn, &load);
    if (load.away_ms > 0 && load.away_ms < AWAY_MS)
        say(reply, 200, "ok: a command has the store just now");
    else
        say(reply, 503, load.away_ms > 0 ? "store: a command has had it for long" : "store: busy");
}

/* ---------------------------------------------------------------------------------------------------------- metrics */

/* Between two slices a device may be answered. */
static const char *go_on(struct hub_watch *w, int64_t until)
{
    struct why why = {0};
    bool done = false;
    while (!done && mono_ms() < until) {
        struct hub_turn_load load = {0};
        if (!hub_route_borrow(w->opt.route, BORROW_MS)) {
            if (w->opt.route->turn != NULL) hub_turn_look(w->opt.route->turn, &load);
            return load.away_ms > 0 ? "away" : "busy";
        }
        int64_t began = mono_ms();
        enum err e = hub_gauge_go_on(&w->gauge, w->opt.route->hub, SLICE_US, &done, &why);
        hub_route_return(w->opt.route);
        w->round_ms += mono_ms() - began;
        if (e != ERR_OK) {
            w->under_way = false;
            return err_word(e);
        }
    }
    if (!done) return "ok";
    w->under_way = false;
    w->read_at = mono_ms();
    w->rest_until = w->read_at + w->round_ms * (SHARE - 1);
    return "ok";
}

static void refresh(struct hub_watch *w)
{
    int64_t now = mono_ms(), fresh = w->opt.fresh_ms > 0 ? w->opt.fresh_ms : FRESH_MS;
    if (!w->under_way) {
        if (w->read_at != 0 && (now - w->read_at < fresh || now < w->rest_until)) return;
        hub_gauge_begin(&w->gauge);
        w->under_way = true;
        w->round_ms = 0;
    }
    w->store = go_on(w, now + ROUND_MS);
}

static void put_server(struct hub_watch *w, struct buf *b)
{
    struct hub_turn_load turns = {0};
    struct httpd_load load = {0};
    struct httpd *server = atomic_load(&w->opt.route->server);
    int64_t room = disk_free(w);
    if (w->opt.route->turn != NULL) hub_turn_look(w->opt.route->turn, &turns);
    if (server != NULL) httpd_load(server, &load);
    prom_family(b, "spoke_store_turns_total", "counter", "How often a command had the store while devices waited.");
    prom_int(b, "spoke_store_turns_total", NULL, (int64_t)turns.turns);
    prom_family(b, "spoke_store_away_seconds_total", "counter", "How long commands had the store, in all.");
    prom_fixed(b, "spoke_store_away_seconds_total", NULL, turns.total_ms, 3);
    prom_family(b, "spoke_store_away", "gauge", "1: a command has the store just now; figures are those of before.");
    prom_int(b, "spoke_store_away", NULL, turns.away_ms > 0);
    prom_family(b, "spoke_store_readable", "gauge",
                "1: the figures of devices could be read when they were last to be.");
    prom_int(b, "spoke_store_readable", NULL, strcmp(w->store, "ok") == 0);
    prom_family(b, "spoke_figures_age_seconds", "gauge",
                "How old the figures of devices are; none: they were never read.");
    if (w->read_at != 0) prom_fixed(b, "spoke_figures_age_seconds", NULL, mono_ms() - w->read_at, 3);
    prom_family(b, "spoke_connections", "gauge", "Connections of devices.");
    prom_int(b, "spoke_connections", NULL, (int64_t)load.connections);
    prom_family(b, "spoke_parked_requests", "gauge", "Requests that wait until there is something to say.");
    prom_int(b, "spoke_parked_requests", NULL, (int64_t)load.parked);
    prom_family(b, "spoke_disk_free_bytes", "gauge", "Room that is left on the disk of the hub's home.");
    if (room >= 0) prom_int(b, "spoke_disk_free_bytes", NULL, room);
}

static void get_metrics(struct hub_watch *w, struct http_reply *reply)
{
    buf_release(&reply->body);
    buf_init(&reply->body, METRICS_BYTES);
    refresh(w);
    put_server(w, &reply->body);
    hub_count_put(w->opt.route->count, &reply->body);
    hub_gauge_put(&w->gauge, env_now(w->opt.route->env), &reply->body);
    reply->status = 200;
    reply->type = "text/plain; version=0.0.4; charset=utf-8";
    if (reply->body.err == ERR_OK) return;
    buf_release(&reply->body);
    buf_init(&reply->body, 4096);
    say(reply, 503, "memory");
}

void hub_watch_answer(void *ctx, const struct http_request *req, struct http_reply *reply)
{
    struct hub_watch *w = ctx;
    bool metrics = strcmp(req->path, "/metrics") == 0, ready = strcmp(req->path, "/readyz") == 0;
    if (!metrics && !ready && strcmp(req->path, "/healthz") != 0)
        say(reply, 404, "there is nothing here but /healthz, /readyz and /metrics");
    else if (strcmp(req->method, "GET") != 0)
        say(reply, 405, "that is asked with GET");
    else if (metrics)
        get_metrics(w, reply);
    else if (ready)
        get_ready(w, reply);
    else
        say(reply, 200, "ok");
}

/* ------------------------------------------------------------------------------------------------ beginning and end */

/* Who watches is on this computer; what it says is not for others, and it has no TLS. */
static bool of_this_computer(const char *listen)
{
    return strncmp(listen, "127.", 4) == 0 || strncmp(listen, "[::1]:", 6) == 0 ||
           strncmp(listen, "localhost:", 10) == 0 || strncmp(listen, "unix:/", 6) == 0;
}

enum err hub_watch_new(struct hub_watch **out, const struct hub_watch_options *opt, struct why *why)
{
    struct hub_watch *w = calloc(1, sizeof *w);
    if (w == NULL) return why_set(why, ERR_NOMEM, "There is not enough memory to serve.");
    w->opt = *opt;
    w->store = "never";
    *out = w;
    return ERR_OK;
}

enum err hub_watch_start(struct hub_watch **out, const struct hub_watch_options *opt, struct why *why)
{
    struct hub_watch *w = NULL;
    if (!of_this_computer(opt->listen)) {
        (void)why_set(why, ERR_USAGE, "What the hub says of itself is for this computer alone: %.100s is not.",
                      opt->listen);
        return why_next(why, ERR_USAGE, "Give --watch 127.0.0.1:9471, and let the monitoring program ask from here.");
    }
    enum err e = hub_watch_new(&w, opt, why);
    if (e != ERR_OK) return e;
    e = httpd_start(&w->server,
                    &(struct httpd_options){.listen = opt->listen,
                                            .max_body = 4096,
                                            .max_clients = CLIENTS,
                                            .idle_seconds = IDLE_SECONDS,
                                            .handler = hub_watch_answer,
                                            .ctx = w},
                    why);
    if (e == ERR_OK)
        *out = w;
    else
        hub_watch_stop(w);
    return e;
}

unsigned hub_watch_port(const struct hub_watch *w)
{
    return httpd_port(w->server);
}

void hub_watch_stop(struct hub_watch *w)
{
    if (w == NULL) return;
    httpd_stop(w->server);
    hub_gauge_release(&w->gauge);
    free(w);
}
