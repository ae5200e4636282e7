/* What administrators watch: devices, the hub itself, and what wants a person. WATCH.md is the design. Nothing here
 * holds a name of a person, a text, or an id of a case or row. */
#ifndef SPOKE_HUB_WATCH_H
#define SPOKE_HUB_WATCH_H

#include "hub/redo.h"

/* ------------------------------------------------------------------------------------------------------- the budget */
#define HUB_BUDGET_ROWS  200000LL /* rows that a device may hold, unless somebody says otherwise */
#define HUB_BUDGET_MOST  1000000000LL
#define HUB_BUDGET_ALARM 80 /* per cent */
/* Say how many rows a device may hold; kid NULL: each that nothing else was said of. 0: as usual again. Where that is
 * fewer than it holds it keeps them, and gets no more. An act. ERR_USAGE, ERR_NOTFOUND. */
MUST_CHECK enum err hub_budget(struct hub *h, const uint8_t *kid, int64_t rows, const char *reason, struct why *why);

/* ---------------------------------------------------------------------------------------------------------- devices */
struct hub_device {
    int64_t no;
    uint8_t kid[16];
    char site[64], agency[64], state[24]; /* "to be wiped" too, beside the states of struct hub_node */
    char fate[16];                  /* what became of it by an administrator's word: lost, retired, refused; else "" */
    int64_t wipe_since;             /* it was ordered to wipe itself, and has not said that it did; ms, 0: no */
    bool heard;                     /* it is enrolled, and may be served; else nothing is said of lag and budget */
    int64_t enrolled_at, last_seen; /* ms; last_seen 0: never */
    int64_t unsent, oldest_unsent;  /* as it said last; unsent -1: it never said; the oldest's time in ms, 0 none */
    int64_t skew_ms;
    char software[33]; /* as it said, without what it says of items that it knows */
    int64_t schema;    /* 0: never said */
    int64_t lag_rows;  /* rows that its site sees, and that no answer told it as they stand; -1: not counted */
    bool lag_more;     /* and more: counting ended there */
    int64_t lag_since; /* since when the oldest of them waits; 0: none does */
    int64_t lease_days, lease_ends;         /* when it locks, as far as the hub knows; 0: it never was in contact */
    int64_t unconfirmed, unconfirmed_since; /* orders to forget without a receipt; ms, 0 none */
    int64_t waiting, waiting_since;         /* changes of its that wait for a manager, or for such */
    int64_t held, most;                     /* rows that it holds, and may; held -1: not counted yet */
    int64_t stopped_at; /* since when it gets nothing new, because it may hold no more; 0: it does */
    int64_t refused_at, refused_since,
        refused_times; /* what was refused last: a request, or a change; 0: nothing was */
    char refused[256]; /* in words */
};
/* The first device whose number is above `after`; *out_found false: there is none. lag_most: no more rows of lag are
 * counted. */
MUST_CHECK enum err hub_device_next(struct hub *h, int64_t after, uint64_t lag_most, struct hub_device *out,
                                    bool *out_found, struct why *why);
/* ERR_NOTFOUND. */
MUST_CHECK enum err hub_device_get(struct hub *h, const uint8_t kid[16], uint64_t lag_most, struct hub_device *out,
                                   struct why *why);

/* --------------------------------------------------------------------------------------------------- the hub itself */
struct hub_state_count {
    char state[24];
    int64_t n;
};
struct hub_status {
    uint64_t epoch, schema;
    int64_t version, now_ms;
    struct hub_state_count devices[12];
    size_t n_states;
    int64_t waiting, waiting_since; /* changes that wait for a manager, or for such */
    int64_t conflicts;              /* open ones */
    int64_t unconfirmed;            /* orders to forget */
    int64_t acts, log_leaves;
    int64_t policy_gen;
    bool policy_coming, clock_doubted;
    int64_t clock_off_ms;           /* while it is doubted: the wall clock, from the time that the hub goes by */
    int64_t backup_at, verified_at; /* 0: never */
    struct hub_redo_state journal;
};
MUST_CHECK enum err hub_status(struct hub *h, struct hub_status *out, struct why *why);
/* Write something and read it again: ERR_FULL, ERR_IO, ERR_BUSY … say why the store is not ready. */
MUST_CHECK enum err hub_probe(struct hub *h, struct why *why);
/* A verification of the whole store found all as it should be. */
MUST_CHECK enum err hub_verified(struct hub *h, struct why *why);

/* ---------------------------------------------------------------------------------------------- what wants a person */
enum hub_alarm { ALARM_PERSON, ALARM_BROKEN };
struct hub_alert {
    const char *code; /* stable: silent, unsent, … (WATCH.md) */
    enum hub_alarm alarm;
    const uint8_t *kid;      /* of a device; NULL: none */
    const char *site;        /* "": none */
    const char *what, *next; /* what happened and what it means; what to do */
};
struct hub_limits { /* ms, but for the last; 0: the usual */
    int64_t silent, unsent, unconfirmed, waiting, backup, verified;
    int64_t refused; /* times within a day */
};
typedef enum err (*hub_alert_fn)(void *ctx, const struct hub_alert *a, struct why *why);
MUST_CHECK enum err hub_alerts(struct hub *h, const struct hub_limits *limits, hub_alert_fn each, void *ctx,
                               struct why *why);

#endif
