/* A hub that is destroyed, and put back from a backup: what everybody asks of it. Part of tests/sim/sim.h, which
 * includes it. */
#ifndef SPOKE_TESTS_SIM_LOST_H
#define SPOKE_TESTS_SIM_LOST_H

#include "tests/sim/sim.h"

/* disaster.c: a hub that is destroyed, and put back from a backup. Promise 14. */
void disaster_event(struct sim *s, const struct event *e);
void disaster_look(struct sim *s);               /* after each request at the hub, and once it was judged by the others */
bool disaster_was(const struct sim *s);          /* ever, in this world */
bool disaster_serves(const struct sim *s);       /* it does not gather */
bool disaster_replays(const struct sim *s);      /* it may take in what came back */
bool disaster_strange(struct sim *s, const uint8_t id[16]); /* a row that nobody can bring back: its device is lost */
/* Of rows that it holds, those that the hub has ordered it to forget because it had them of the lost hub. */
void disaster_ordered(struct sim *s, const struct device *d, struct ids *out);
/* After each contact of it: verdicts that it knows. */
void disaster_learns(struct sim *s, const struct device *d);
void disaster_heal(struct sim *s);
void disaster_at_rest(struct sim *s);
void disaster_world(struct sim *s); /* before the first event: nobody is waited for who is not in this world */
void disaster_free(struct sim *s);

#endif
