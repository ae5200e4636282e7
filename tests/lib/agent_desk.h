/* A home and a runtime folder for an agent as a process: unlocked, asked, watched until it ends. */
#ifndef SPOKE_TESTS_LIB_AGENT_DESK_H
#define SPOKE_TESTS_LIB_AGENT_DESK_H

#include "cli/node_agent.h"

#define MINUTE 60000

struct desk {
    char runtime[64]; /* $XDG_RUNTIME_DIR */
    char home[64];
    char socket[1300]; /* where the agent listens */
    struct keyring ring;
};

int desk_set_up(void **state); /* of cmocka: *state is a struct desk */
int desk_tear_down(void **state);
void desk_touch(const char *folder, const char *name);
void desk_empty(const char *path); /* the folder and all in it */
int64_t desk_now_ms(void);
void desk_unlock(struct desk *d, int64_t idle_ms);
/* Ask for the ring: if it is given, it is the right one. */
enum err desk_get(struct desk *d, struct why *why);
struct agent_line desk_call(const struct desk *d);
/* Until the process at the other end has gone: its connections close. */
void desk_must_end(struct agent_line *l);

#endif
