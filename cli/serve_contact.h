/* The thread that keeps a device in step with the hub while somebody is signed in, and asks for the hub's orders while
 * nobody is. The replica is only taken to make a request and to take an answer: pages stay quick on a bad line. */
#ifndef SPOKE_CLI_SERVE_CONTACT_H
#define SPOKE_CLI_SERVE_CONTACT_H

#include "cli/serve_desk.h"

struct serve_contact; /* opaque */

/* Both outlive it. Signals are left to other threads. */
MUST_CHECK enum err serve_contact_start(struct serve_contact **out, const struct env *env, const char *home,
                                        struct serve_desk *desk, struct why *why);
void serve_contact_stop(struct serve_contact *c); /* breaks off what runs; NULL is fine */

/* Something was written (`soon`: with what comes in the next second), or somebody asked: then what comes of it is told
 * as an event in any case. From any thread. */
void serve_contact_soon(struct serve_contact *c);
void serve_contact_now(struct serve_contact *c);

struct serve_contact_state {
    bool online;         /* the last try reached the hub */
    bool busy;           /* bytes travel, or an answer is taken */
    int64_t last_try_ms; /* Unix ms; 0: none yet */
    bool failed;         /* the last try; then said says how */
    struct why said;
    uint64_t bytes_in, bytes_out; /* of the last contact that brought or took anything */
};
void serve_contact_get(struct serve_contact *c, struct serve_contact_state *out);

/* In so many ms orders are asked for again while nobody is signed in, after so many tries in a row that failed: within
 * the hour, or within seconds and then twice as long each time. `draw`: random. */
int64_t serve_contact_knock_ms(unsigned failures, uint32_t draw);

#endif
