/* Figures of devices and of the hub as they stand in its store, kept between two looks so that looking costs the store
 * little. One thread. */
#ifndef SPOKE_CLI_HUB_GAUGE_H
#define SPOKE_CLI_HUB_GAUGE_H

#include "base/json.h"
#include "hub/watch.h"

#define GAUGE_LAG_MOST 1000u /* rows of lag that are counted of a device */

struct hub_gauge {
    struct hub_device *devices; /* owned; by number */
    size_t n, cap;
    struct hub_status status;
    bool known;    /* all was read at least once */
    int64_t after; /* the round goes on behind the device of this number */
    size_t kept;   /* devices of this round, at the front */
};
void hub_gauge_release(struct hub_gauge *g);
/* Begin a round; then go on until *out_done, each time for about slice_us of the steady clock. What was read before
 * stays until it is read anew. A failure ends the round. */
void hub_gauge_begin(struct hub_gauge *g);
MUST_CHECK enum err hub_gauge_go_on(struct hub_gauge *g, struct hub *h, int64_t slice_us, bool *out_done,
                                    struct why *why);
/* As families of the text exposition format; now_ms: for ages. */
void hub_gauge_put(const struct hub_gauge *g, int64_t now_ms, struct buf *out);
/* Those of devices, as objects {name, node, site, value}; seconds whole. */
void hub_gauge_json(const struct hub_gauge *g, int64_t now_ms, struct json *list);

#endif
