/* What the files of sight share: what the running step touched, and the channels' bits. Nobody else includes this. */
#ifndef SPOKE_HUB_SIGHT_INTERNAL_H
#define SPOKE_HUB_SIGHT_INTERNAL_H

#include "hub/sight.h"

#define SIGHT_MAX_BIT     62 /* masks are signed 64-bit integers in SQL; the sign bit stays clear */
#define SIGHT_MAX_CHANNEL 128

/* The views of the policy in force are in `main`, those of one that is coming in `temp`. A plain name would mean the
 * latter as soon as there is one: whoever asks says which. */
enum sight_views { VIEWS_IN_FORCE, VIEWS_COMING };

/* A row of the step: noted when touched, or found to depend on one that was. */
struct sight_row {
    int64_t no;
    int64_t case_no;
    int tbl;
    uint8_t id[16];
    int64_t old_mask; /* as the hub has kept it until now */
    int64_t new_mask; /* as the views say; filled in by settling */
    int64_t first_mask; /* as the policy in force says, while a coming one is asked too (sight_both.c) */
    int64_t mask_version; /* when old_mask came to be; 0: not asked */
    bool fresh;       /* put in this step: it has no mask yet that could be history */
};

/* A case of the step. */
struct sight_case {
    int64_t no;
    bool content;  /* a row of it was put, changed or taken away: its readers have news */
    bool seats;    /* who takes part may have changed */
    bool consents; /* masks of records that need consent may have changed */
    bool all;      /* every mask and seat of it */
    bool decided;  /* a decision was recorded in its brief */
    int turn;      /* it is put under this policy (enum case_policy); 0: it stays where it is */
};

struct sight_named {
    int64_t row_no;
    int64_t node_no;
};

struct sight_channel {
    int bit;
    char name[SIGHT_MAX_CHANNEL];
};

/* A site's seat in the case being settled. */
struct sight_seat {
    int64_t site_no;
    int64_t old_mask, new_mask;
    int old_access, new_access;
    int64_t first_mask; /* as in struct sight_row */
    int first_access;
    int64_t version; /* when its mask changed last, before this step */
    int64_t news;    /* as it was before this step */
    bool is_new;
};

/* A node that may have to forget rows, as needed while one step is settled. */
struct sight_node {
    int64_t site_no;
    int64_t node_no; /* 0: the site has none (so that it is asked only once) */
    int64_t full_at; /* `at` of its newest cut over all rows; 0 none */
};

/* What was asked last within the running step: one operation asks for the same row and case up to four times. */
struct sight_last {
    int tbl; /* -1: no row */
    uint8_t id[16];
    struct hub_row row;
    struct hub_case in; /* no = 0: no case */
    uint8_t case_id[16];
    int64_t voice_case; /* case_voice is known to hold this one; 0: none */
    char voice[64];
};

struct sight {
    enum sight_views views; /* which the questions of sight_mask.c are put to */
    bool open; /* a step is running */
    bool all;  /* every case: sight_settle_all, and a clock that went back */
    bool channels_known;
    struct sight_row *rows;
    size_t n_rows, cap_rows;
    struct sight_row *work; /* rows of the case being settled: touched ones, then those that depend on them */
    size_t n_work, cap_work;
    struct sight_case *cases;
    size_t n_cases, cap_cases;
    struct sight_named *named;
    size_t n_named, cap_named;
    struct sight_seat *seats; /* of the case being settled, by site number */
    size_t n_seats, cap_seats;
    struct sight_node *nodes;
    size_t n_nodes, cap_nodes;
    struct sight_channel channels[SIGHT_MAX_BIT + 1];
    size_t n_channels;
    struct sight_last last;
};

/* For qsort: by case, table, id. */
int sight_row_order(const void *a, const void *b);
/* Room for one more element. */
MUST_CHECK enum err sight_grow(void *array, size_t *cap, size_t n, size_t size, struct why *why);

/* sight_mask.c: what the views say, as masks. A channel that nobody can hold (an agency that the hub does not know)
 * has no bit and is left out. */
MUST_CHECK enum err sight_mask_row(struct hub *h, struct sight_row *r, struct why *why); /* fills new_mask */
/* new_mask of n rows of one case, sorted by table and id (sight_row_order). */
MUST_CHECK enum err sight_mask_case(struct hub *h, int64_t case_no, struct sight_row *rows, size_t n, struct why *why);
/* Fills h->sight->seats: those kept (old) and what the views say (new). */
MUST_CHECK enum err sight_mask_seats(struct hub *h, int64_t case_no, bool recompute, struct why *why);
/* What `views` say of the seats that are there, and of others (new_mask, new_access). */
MUST_CHECK enum err sight_ask_seats(struct hub *h, int64_t case_no, struct why *why);
/* Bit of a channel; -1: none. Gives a bit to a scheme or a known agency that has none yet; ERR_LIMIT when all are
 * given. */
MUST_CHECK enum err sight_channel_bit(struct hub *h, struct bytes name, int *out_bit, struct why *why);

/* Every row of a case into h->sight->work, sorted. */
MUST_CHECK enum err sight_all_rows(struct hub *h, int64_t case_no, struct why *why);

/* sight_both.c: which policy stands over a case (enum case_policy); asks the store only while one is coming. */
MUST_CHECK enum err sight_policy_of(struct hub *h, int64_t case_no, int *out, struct why *why);
/* Every row and seat of a case, as the store keeps it (old) and as the policies that stand over it say (new): into
 * h->sight->work and seats. */
MUST_CHECK enum err sight_whole_case(struct hub *h, int64_t case_no, int policy, struct why *why);
/* The same, for a case that is put under another policy; says so in h_case. */
MUST_CHECK enum err sight_turn(struct hub *h, const struct sight_case *c, int policy, struct why *why);
/* It stands under `policy` from this step on: remembers from when until when it stood under both (h_turn). */
MUST_CHECK enum err sight_note_turn(struct hub *h, int64_t case_no, int policy, struct why *why);
/* Touch a case so that settling puts it under `turn`. Within a step. */
MUST_CHECK enum err sight_turn_case(struct hub *h, int64_t case_no, int turn, struct why *why);
/* Every row and seat of a case as the store keeps it (old, first) and as the coming policy would have it (new). */
MUST_CHECK enum err sight_beside_kept(struct hub *h, int64_t case_no, struct why *why);
/* Are there bits enough for the case under both policies? Changes nothing. */
MUST_CHECK enum err sight_fits(struct hub *h, int64_t case_no, bool *out, struct why *why);
/* Does the seat show a row that it did not show before? Of work and seats as they are. */
bool sight_gains(const struct sight *s, const struct sight_seat *seat);

/* Since when mask and seat have met without a break, by the logs alone; 0: they do not meet at the end of the logs. */
MUST_CHECK enum err sight_unbroken(struct hub *h, int64_t site_no, int64_t case_no, int64_t row_no, int64_t *out,
                                   struct why *why);

/* A case that the step touched. */
MUST_CHECK enum err sight_touch_case(struct hub *h, const struct sight_case *c, struct why *why);
/* sight_voice.c. Those that a new row of a case gives a voice to. */
MUST_CHECK enum err sight_add_voices(struct hub *h, const struct row *r, const struct sight_row *noted, struct why *why);
/* The agency of a conflict's author, where a column names one. */
MUST_CHECK enum err sight_author_voice_of(struct hub *h, const struct sight_row *r, const uint8_t case_id[16],
                                          struct value person, struct why *why);
/* The agency of a conflict's author has a voice in the case. */
MUST_CHECK enum err sight_author_voice(struct hub *h, int64_t case_no, const uint8_t case_id[16], struct bytes person,
                                       struct why *why);

/* sight_place.c: touches the cases that a reference row bears on, as it stands now. Nothing where it is not there. */
MUST_CHECK enum err sight_place_touch(struct hub *h, const struct table_rule *t, const uint8_t id[16], struct why *why);
bool sight_place_reads(const struct table_rule *t, size_t column); /* may the views read it? */

/* ends.c: until when each site sees the rows of a case that the running step touched; in `work` as it was settled.
 * After masks and seats are written; `work` and `seats` are other ones afterwards. */
MUST_CHECK enum err ends_settle(struct hub *h, const struct sight_case *c, struct why *why);
/* Is what the store has of this as the views say now? ERR_TAMPERED. Changes nothing. */
MUST_CHECK enum err ends_verify(struct hub *h, struct why *why);

/* sight_clock.c: h->now_ms, as the wall clock says, becomes the time that is believed, and policy_now with it.
 * went_back: what ended by a clock that ran ahead has not ended. was: the hub's time before; 0: it had none. */
MUST_CHECK enum err sight_clock(struct hub *h, bool *out_went_back, int64_t *out_was, struct why *why);

/* decided.c: does this value record a decision? And what it rests upon, at the end of the step. */
bool decided_says(const struct table_rule *t, size_t column, struct value v);
MUST_CHECK enum err decided_note(struct hub *h, struct why *why);

/* sight_drop.c. `r` left the sight of the seat's site in this step: drops for its nodes that could hold it. */
MUST_CHECK enum err sight_drop_lost(struct hub *h, const struct sight_row *r, const struct sight_seat *seat,
                                    struct why *why);
/* Every node of a site, whatever its state, into h->sight->nodes. */
MUST_CHECK enum err sight_load_nodes(struct hub *h, int64_t site_no, struct why *why);
/* Could the node hold a row that its site sees, by what is kept? *since is kept for the next node of the site; 0: not
 * known yet. */
MUST_CHECK enum err sight_could_hold(struct hub *h, const struct sight_row *r, const struct sight_node *n,
                                     int64_t *since, bool *out, struct why *why);
/* Authors of this step whose site does not see what they named. */
MUST_CHECK enum err sight_drop_named(struct hub *h, struct why *why);

/* sight_ask.c: is there a row of this key, here now or taken away? */
MUST_CHECK enum err sight_row_gone(struct hub *h, int table_index, const uint8_t id[16], bool *out_known, bool *out_gone,
                                   struct why *why);
/* Is the number of the hub's order counted in memory, and written when the transaction ends? */
bool sight_counts_here(const struct hub *h);
/* Number of the hub's order as it stands in the store: unlike h->version it cannot be ahead of what was kept. */
MUST_CHECK enum err sight_version(struct hub *h, int64_t *out, struct why *why);

#endif
