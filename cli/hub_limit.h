/* How much the server takes from whom, before anything is opened: token buckets in memory (hub/ADMINS.md, "Limits").
 * One thread at a time. */
#ifndef SPOKE_CLI_HUB_LIMIT_H
#define SPOKE_CLI_HUB_LIMIT_H

#include "base/env.h"

struct hub_limit; /* opaque; some 3 MB, however many devices there are, or say they are */

/* Tokens a second, and how many a full bucket holds. per_second 0: no limit. */
struct hub_rate {
    double per_second, burst;
};
struct hub_limit_rates {
    struct hub_rate device;  /* exchanges of one device */
    struct hub_rate door;    /* doors of all: such a request does not say whose it is before it is opened */
    struct hub_rate enrol;   /* enrolments of all that were refused, or only answered again */
    struct hub_rate nobody;  /* other requests of all that came from nobody: unknown devices, damaged bundles */
};
/* A device in a busy office asks a few times a second at most; a first filling is some tens of requests in a row. */
#define HUB_LIMITS_DEFAULT                                                                                               \
    {                                                                                                                    \
        .device = {20, 400}, .door = {100, 2000}, .enrol = {2, 60}, .nobody = {20, 400}                                                       \
    }

MUST_CHECK enum err hub_limit_new(struct hub_limit **out, const struct env *env, const struct hub_limit_rates *rates, struct why *why);
void hub_limit_free(struct hub_limit *l); /* NULL is fine */

/* May this request be worked on? False: *out_wait_s says after how many seconds it may be tried again (1 and more). A
 * NULL limit lets all pass. */
bool hub_limit_device(struct hub_limit *l, const uint8_t kid[16], unsigned *out_wait_s);
bool hub_limit_door(struct hub_limit *l, unsigned *out_wait_s);
bool hub_limit_enrol(struct hub_limit *l, unsigned *out_wait_s);
/* How it went. good: the device proved itself; it goes on from now on while strangers are put off. */
void hub_limit_was(struct hub_limit *l, const uint8_t kid[16], bool good);
void hub_limit_door_was(struct hub_limit *l, bool good);
void hub_limit_enrol_was(struct hub_limit *l, bool good); /* good: a device more; an answer given again is none */

/* "20", "0.5", or "20/400" with the burst; without one it is ten times the rate, and 1 at least. 0: no limit.
 * ERR_USAGE. */
MUST_CHECK enum err hub_rate_read(const char *text, struct hub_rate *out, struct why *why);

#endif
