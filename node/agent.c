#include "node/agent.h"

#include <assert.h>
#include <string.h>

/* The clocks are read one after the other, and a busy machine may pause between: that is no sleep. */
#define SLEPT_MS 3000

static const uint8_t magic[4] = {'S', 'P', 'K', 'A'};

static void put_be64(uint8_t *out, uint64_t v)
{
    for (size_t i = 0; i < 8; i++) out[i] = (uint8_t)(v >> (56 - 8 * i));
}

size_t agent_frame_put(uint8_t *room, enum agent_kind kind, struct bytes body)
{
    assert(body.n <= AGENT_BODY_MAX);
    memcpy(room, magic, sizeof magic);
    room[4] = AGENT_VERSION;
    room[5] = (uint8_t)kind;
    room[6] = (uint8_t)(body.n >> 8);
    room[7] = (uint8_t)body.n;
    if (body.n > 0) memcpy(room + AGENT_HEAD, body.p, body.n);
    return AGENT_HEAD + body.n;
}

enum agent_read agent_frame_get(struct bytes in, struct agent_frame *out)
{
    size_t seen = in.n < sizeof magic ? in.n : sizeof magic;
    if (seen > 0 && memcmp(in.p, magic, seen) != 0) return AGENT_GARBAGE;
    if (in.n > 4 && in.p[4] != AGENT_VERSION) return AGENT_OTHER; /* what follows may be anything */
    if (in.n < AGENT_HEAD) return AGENT_MORE;
    size_t n = (size_t)in.p[6] << 8 | in.p[7];
    if (n > AGENT_BODY_MAX || in.n > AGENT_HEAD + n) return AGENT_GARBAGE;
    if (in.n < AGENT_HEAD + n) return AGENT_MORE;
    *out = (struct agent_frame){in.p[5], bytes_of(in.p + AGENT_HEAD, n)};
    return AGENT_WHOLE;
}

enum err agent_begin(struct agent *a, struct secret *ring, const uint8_t slot[AGENT_SLOT], int64_t idle_ms,
                     struct agent_clock now, struct why *why)
{
    *a = (struct agent){
        .ring = *ring, .idle_ms = idle_ms, .until_ms = now.boot_ms + idle_ms, .behind_ms = now.boot_ms - now.mono_ms};
    *ring = (struct secret){0};
    memcpy(a->slot, slot, AGENT_SLOT);
    if (a->ring.n <= AGENT_BODY_MAX) return ERR_OK;
    agent_stop(a, AGENT_TOLD);
    return why_set(why, ERR_LIMIT, "The keys of this device are larger than the agent can keep.");
}

void agent_stop(struct agent *a, enum agent_end why_so)
{
    secret_release(&a->ring);
    if (a->ended == AGENT_KEEPS) a->ended = why_so;
}

void agent_tick(struct agent *a, struct agent_clock now)
{
    if (now.boot_ms - now.mono_ms - a->behind_ms > SLEPT_MS)
        agent_stop(a, AGENT_SLEPT);
    else if (now.boot_ms >= a->until_ms)
        agent_stop(a, AGENT_IDLE);
}

int64_t agent_wait_ms(const struct agent *a, struct agent_clock now)
{
    return a->ended != AGENT_KEEPS || now.boot_ms >= a->until_ms ? 0 : a->until_ms - now.boot_ms;
}

static size_t refuse(uint8_t *room, enum agent_no no)
{
    const uint8_t body = (uint8_t)no;
    return agent_frame_put(room, AGENT_NO, bytes_of(&body, 1));
}

static size_t give(struct agent *a, struct agent_clock now, struct bytes body, uint8_t *room)
{
    if (body.n != 1 || body.p[0] > 1) return refuse(room, AGENT_NO_GARBAGE);
    if (body.p[0] == 1) a->until_ms = now.boot_ms + a->idle_ms;
    return agent_frame_put(room, AGENT_RING, bytes_of(a->ring.p, a->ring.n));
}

static size_t tell(const struct agent *a, struct agent_clock now, uint8_t *room)
{
    uint8_t body[16 + AGENT_SLOT];
    put_be64(body, (uint64_t)agent_wait_ms(a, now));
    put_be64(body + 8, (uint64_t)a->idle_ms);
    memcpy(body + 16, a->slot, AGENT_SLOT);
    return agent_frame_put(room, AGENT_STANDS, bytes_of(body, sizeof body));
}

size_t agent_answer(struct agent *a, struct agent_clock now, struct bytes request, uint8_t *room)
{
    struct agent_frame f = {0};
    agent_tick(a, now);
    switch (agent_frame_get(request, &f)) {
    case AGENT_WHOLE: break;
    case AGENT_OTHER: return refuse(room, AGENT_NO_VERSION);
    default: return refuse(room, AGENT_NO_GARBAGE);
    }
    bool known = f.kind == AGENT_GET || ((f.kind == AGENT_LOCK || f.kind == AGENT_STATUS) && f.body.n == 0);
    if (!known) return refuse(room, AGENT_NO_GARBAGE);
    if (a->ended != AGENT_KEEPS) return refuse(room, AGENT_NO_LOCKED);
    if (f.kind == AGENT_GET) return give(a, now, f.body, room);
    if (f.kind == AGENT_STATUS) return tell(a, now, room);
    agent_stop(a, AGENT_TOLD);
    return agent_frame_put(room, AGENT_DONE, bytes_of(NULL, 0));
}
