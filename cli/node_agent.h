/* The agent as commands see it (node/agent.h says what it is): one process a home, reached by a socket that only its
 * owner can open, at `$XDG_RUNTIME_DIR/spoke/HASH.sock`, else `agent.sock` in the home. In the first case `agent.sock`
 * in the home is a link that leads there, for those of the same user who have no such folder (su, ssh, cron). */
#ifndef SPOKE_CLI_NODE_AGENT_H
#define SPOKE_CLI_NODE_AGENT_H

#include "crypto/keyslot.h"
#include "node/agent.h"

#define NODE_AGENT_IDLE_MINUTES     15
#define NODE_AGENT_IDLE_MINUTES_MAX 720
#define NODE_AGENT_WAIT_MS          2000 /* what one that hangs costs a command, at most */
#define AGENT_PROCESS               "spoke-agent"

/* What keeps `home` unlocked gives what opens it. `people`: for a command that a person is at work with, so that the
 * time without use begins anew. ERR_NOTFOUND: nothing keeps it. With words: ERR_BUSY: it hangs; ERR_DENIED: it is
 * another user's; ERR_VERSION: of another version of Spoke; ERR_FORMAT: what answers there is no agent. */
MUST_CHECK enum err node_agent_ring(const char *home, bool people, struct keyring *out, struct why *why);

struct node_agent_state {
    int64_t left_ms;             /* until it locks when nothing is done */
    int64_t idle_ms;             /* so much is allowed */
    uint8_t slot[SLOT_ID_BYTES]; /* who unlocked */
};
/* Same errors. */
MUST_CHECK enum err node_agent_state(const char *home, struct node_agent_state *out, struct why *why);

/* Make whatever keeps this home unlocked forget it. *out_was: something did. An agent that does not answer is ended.
 * Same errors but ERR_NOTFOUND, where it could not be ended. */
MUST_CHECK enum err node_agent_lock(const char *home, bool *out_was, struct why *why);

/* Keep the home unlocked by a process of its own, in the place of any before. The ring stays the caller's. ERR_IO,
 * ERR_NOMEM, ERR_UNINIT: there is no such home. */
MUST_CHECK enum err node_agent_start(const char *home, const struct keyring *ring, int64_t idle_ms, struct why *why);

/* ---- between cli/node_agent.c and cli/node_agent_serve.c */
struct agent_place {
    char folder[1200]; /* has to be ours alone */
    char path[1300];   /* of the socket */
    char link[1300];   /* in the home, that leads to it; "": none is wanted */
};
/* Where the agent of this home may be: out[0] is where it is to be. Folders that are not ours alone are left out;
 * `make`: make the one of the runtime folder. ERR_UNINIT: no such home. */
MUST_CHECK enum err agent_places(const char *home, bool make, struct agent_place out[2], size_t *out_n,
                                 struct why *why);

/* A connection to an agent. fd -1: there is none. */
struct agent_line {
    int fd;
    int pid;          /* of the agent */
    int64_t until_ms; /* CLOCK_MONOTONIC: it has to be done by then */
};
/* ERR_NOTFOUND: nobody answers there; ERR_BUSY, ERR_DENIED. Close with agent_hang_up. */
MUST_CHECK enum err agent_call(const char *path, struct agent_line *out, struct why *why);
void agent_hang_up(struct agent_line *l);
/* Make the agent at the other end forget, or end it. As node_agent_lock. */
MUST_CHECK enum err agent_end_line(struct agent_line *l, bool *out_was, struct why *why);

#endif
