/* Between cli/serve_desk.c (the replica) and cli/serve_session.c (sessions and events). */
#ifndef SPOKE_CLI_SERVE_DESK_INTERNAL_H
#define SPOKE_CLI_SERVE_DESK_INTERNAL_H

#include "cli/serve_desk.h"

#include <pthread.h>

#define TOKEN_BYTES 32
#define EVENTS      64 /* of the past that are still told */

struct session {
    uint64_t serial;     /* 0: empty. Its token is in desk.tokens */
    char name[SERVE_NAME_CHARS]; /* serve_desk_name */
    bool live;           /* else it has ended, and is kept for what its next call is told */
    bool wall;           /* serve_desk_make_wall */
    struct keyring ring; /* empty once it has ended */
    int64_t used_ms;     /* boot_ms when somebody was at work last, or when it ended */
    enum err over;       /* why it ended */
    struct why said;
};

struct event {
    uint64_t id;
    enum serve_reason reason;
    bool has_case;
    uint8_t case_id[16];
};

struct serve_desk {
    struct env env;
    const char *home;
    int64_t idle_ms;
    struct agent_clock (*clock)(void *ctx);
    void *clock_ctx;
    void (*wake)(void *ctx);
    void *wake_ctx;
    void (*alarm)(void *ctx);
    void *alarm_ctx;

    pthread_mutex_t lock; /* over what follows; never held over anything slow */
    struct secret tokens; /* of all sessions */
    struct session sessions[SERVE_SESSIONS];
    uint64_t last_serial;
    struct keyring lent; /* serve_desk_lend; empty: none */
    int64_t lent_until;  /* boot_ms */
    struct event events[EVENTS];
    int64_t behind_ms; /* boot_ms - mono_ms: grows while the machine sleeps */
    size_t n_events;   /* ever told: the newest is at (n_events - 1) % EVENTS */
    uint64_t last_event;

    pthread_mutex_t home_lock; /* over what follows; taken before `lock` where both are. Times are mono_ms */
    struct node *node;         /* NULL: closed */
    uint64_t node_session;     /* as whom it is open */
    bool on_loan;              /* open for contact alone, by a ring that was lent */
    int64_t node_used_ms, opened_ms, free_until;
    int64_t busy_at; /* another program kept it from being opened */
    bool gap;        /* it was closed so that others may have it */
    uint64_t stamp;  /* of the replica's files when it was closed here; 0: it was not open yet */

    bool home_open; /* of the clock's thread alone, as the next */
    int64_t looked_ms;
};

struct agent_clock desk_clock(const struct serve_desk *d);
struct session *desk_session(struct serve_desk *d, uint64_t serial); /* lock is held; NULL: forgotten */
/* End everybody when the machine slept, and who was not at work for too long. Gives ms until the next could be. */
int64_t desk_end_due(struct serve_desk *d, struct agent_clock now);

#endif
