/* orders: what the MASH orders this device to do, asked for without anybody's passphrase. */
#include "cli/node_orders.h"

#include "cli/node_agent.h"
#include "cli/node_commands.h"
#include "cli/show.h"
#include "node/door.h"

#include <stdio.h>

static enum err post(void *ctx, const char *address, struct bytes request, struct buf *answer, struct why *why)
{
    struct carrier_http *http = NULL;
    (void)ctx;
    enum err e = carrier_http_new(&http, address, why);
    if (e == ERR_OK) e = carrier_http_door(http, request, answer, why);
    carrier_http_free(http);
    return e;
}

/* What keeps a wiped device unlocked opens nothing any more, and is a key all the same. */
static enum err knock(struct cli *c, struct knock_result *r, struct why *why)
{
    const struct door_way via = {.post = post};
    bool was = false;
    enum err e = node_knock(c->env, c->home, &via, r, why);
    if (r->wiped) (void)!node_agent_lock(c->home, &was, NULL);
    return e;
}

enum err node_orders_after(struct cli *c, enum err e, struct why *why)
{
    struct knock_result r = {0};
    struct why said = {0};
    if (e != ERR_LOCKED && e != ERR_PASSPHRASE && e != ERR_REFUSED) return e;
    (void)!knock(c, &r, &said); /* it is beside what was asked for, which failed already */
    if (r.waits && e == ERR_LOCKED)
        fprintf(stderr,
                "This device is to be wiped by order of the MASH. Unlock it and run spoke sync, so that what was "
                "written on it is sent first.\n");
    if (!r.wiped) return e;
    *why = said;
    return ERR_REFUSED;
}

static enum err say(struct cli *c, const struct knock_result *r, struct why *why)
{
    c->attention = r->waits;
    if (c->json) {
        struct json *o = json_object_new();
        json_set_bool(o, "to_be_wiped", r->waits);
        json_set_bool(o, "lease_changed", r->lease);
        return show_json(o, why);
    }
    if (r->waits)
        puts(
            "This device is to be wiped by order of the MASH. Unlock it and run spoke sync, so that what was written on it "
            "is sent first.");
    else if (r->lease)
        puts(
            "The MASH changed how long this device may be opened without contact. That holds from when it is opened next.");
    else
        puts("The MASH has no orders for this device.");
    return ERR_OK;
}

static enum err run_orders(struct cli *c, struct why *why)
{
    struct knock_result r = {0};
    enum err e = knock(c, &r, why);
    return e == ERR_OK ? say(c, &r, why) : e;
}

const struct command node_orders_commands[] = {
    {"orders", "", 0, 0,
     "Ask the MASH for its orders to this device, without anybody's passphrase: to destroy what is on it, or how long it may "
     "be opened without contact. A device that stands locked should do that from time to time (a timer of the system calls "
     "it); spoke sync does it by itself.",
     "spoke orders", NULL, run_orders},
    {0}};
