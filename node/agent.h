/* The agent that keeps a device unlocked, without its process: the frames that it speaks, what it keeps, for how long,
 * and what it answers. Nothing here knows a socket or a clock: cli/node_agent_serve.c is the process around it, and
 * cli/node_agent.c the commands' end.
 *
 * A frame is `SPKA`, version (1), kind (1), length of the body (2, big endian), body. One request and one answer a
 * connection.
 *
 *   request   body                                   answer
 *   get       1 byte: 1, a person is at work         ring, or no
 *   lock      -                                      done, when all is wiped: the agent ends; or no
 *   status    -                                      stands: ms left (8), ms of idleness allowed (8), slot (16); or no
 *
 * `no` has one byte, enum agent_no. */
#ifndef SPOKE_NODE_AGENT_H
#define SPOKE_NODE_AGENT_H

#include "crypto/secret.h"

#define AGENT_VERSION   1
#define AGENT_HEAD      8
#define AGENT_BODY_MAX  256
#define AGENT_FRAME_MAX (AGENT_HEAD + AGENT_BODY_MAX)
#define AGENT_SLOT      16

enum agent_kind {
    AGENT_GET = 1,
    AGENT_LOCK = 2,
    AGENT_STATUS = 3,
    AGENT_RING = 0x81,
    AGENT_DONE = 0x82,
    AGENT_STANDS = 0x83,
    AGENT_NO = 0xff,
};
enum agent_no { AGENT_NO_LOCKED = 1, AGENT_NO_VERSION = 2, AGENT_NO_GARBAGE = 3 };

struct agent_frame {
    uint8_t kind;      /* enum agent_kind, or one that this version does not know */
    struct bytes body; /* borrowed from what was read */
};
/* Write a frame into room (AGENT_FRAME_MAX bytes, of locked memory where the body is secret). The body is
 * AGENT_BODY_MAX bytes at most. Gives the frame's length. */
size_t agent_frame_put(uint8_t *room, enum agent_kind kind, struct bytes body);
/* What the bytes received so far are. OTHER: a frame of a version that we do not speak. GARBAGE: no frame, one that is
 * longer than any may be, or a whole one with something behind it. */
enum agent_read { AGENT_WHOLE, AGENT_MORE, AGENT_OTHER, AGENT_GARBAGE };
enum agent_read agent_frame_get(struct bytes in, struct agent_frame *out);

/* Two readings of the machine's clocks: one that runs on while it sleeps, and one that does not. */
struct agent_clock {
    int64_t boot_ms; /* CLOCK_BOOTTIME */
    int64_t mono_ms; /* CLOCK_MONOTONIC */
};
/* Why it keeps nothing any more. */
enum agent_end { AGENT_KEEPS = 0, AGENT_IDLE, AGENT_SLEPT, AGENT_TOLD };

struct agent {
    struct secret ring;       /* what opens the home, packed; empty once it has ended */
    uint8_t slot[AGENT_SLOT]; /* whose it is */
    int64_t idle_ms;          /* so long without anybody at work, and it ends */
    int64_t until_ms;         /* when that is, by boot_ms */
    int64_t behind_ms;        /* how far mono_ms was behind boot_ms at the start: it grows in sleep alone */
    enum agent_end ended;
};

/* Begin to keep a ring, which is taken over (also on failure). ERR_LIMIT: longer than a frame's body. */
MUST_CHECK enum err agent_begin(struct agent *a, struct secret *ring, const uint8_t slot[AGENT_SLOT], int64_t idle_ms,
                                struct agent_clock now, struct why *why);
/* Wipe what is kept, and end. The first reason stands. */
void agent_stop(struct agent *a, enum agent_end why_so);
/* Look at the clocks: wipe and end when nobody was at work for too long, or when the machine slept. To be called before
 * anything else that asks the agent; agent_answer does it. */
void agent_tick(struct agent *a, struct agent_clock now);
/* For how many ms there is no need to look at the clocks, sleep aside. */
int64_t agent_wait_ms(const struct agent *a, struct agent_clock now);
/* Answer what was received (a whole request, or what came instead of one) into room (AGENT_FRAME_MAX bytes of locked
 * memory). Gives the length of the answer. */
size_t agent_answer(struct agent *a, struct agent_clock now, struct bytes request, uint8_t *room);

#endif
