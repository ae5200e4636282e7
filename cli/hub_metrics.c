/* spoke-hub metrics: figures for a monitoring program, in the text exposition format of Prometheus (version 0.0.4).
 * Devices are named by their site and key, never anything of a case. A server says them too, with what it counts: serve
 * --watch. */
#include "cli/hub_commands.h"
#include "cli/hub_gauge.h"
#include "cli/hub_home.h"

#include <stdio.h>

#define TEXT_BYTES ((size_t)256 << 20)

static enum err say(struct cli *c, const struct hub_gauge *g, struct why *why)
{
    struct buf text;
    if (c->json) {
        struct json *list = json_array_new();
        hub_gauge_json(g, env_now(c->env), list);
        return show_json(list, why);
    }
    buf_init(&text, TEXT_BYTES);
    hub_gauge_put(g, env_now(c->env), &text);
    enum err e = text.err != ERR_OK ? why_set(why, text.err, "There is not enough memory for the figures.") : ERR_OK;
    if (e == ERR_OK && fwrite(text.data, 1, text.len, stdout) != text.len)
        e = why_set(why, ERR_IO, "The figures could not be printed.");
    buf_release(&text);
    return e;
}

static enum err metrics(struct cli *c, struct hub *h, struct why *why)
{
    struct hub_gauge g = {0};
    bool done = false;
    enum err e = ERR_OK;
    hub_gauge_begin(&g);
    while (e == ERR_OK && !done) e = hub_gauge_go_on(&g, h, INT64_MAX / 2, &done, why);
    if (e == ERR_OK) e = say(c, &g, why);
    hub_gauge_release(&g);
    return e;
}

static enum err run_metrics(struct cli *c, struct why *why)
{
    return hub_home_run(c, metrics, why);
}

const struct command hub_metrics_commands[] = {
    {"metrics", "", 0, 0,
     "Print figures about the devices for a monitoring program, in Prometheus' text format: last contact, changes not sent and "
     "held, how far each is behind, what it was told to forget and has not confirmed, rows held, and more. A server gives them "
     "without holding devices up: spoke-hub serve --watch 127.0.0.1:9471.",
     "spoke-hub metrics", NULL, run_metrics},
    {0}};
