/* How cases stand: what the board sorts by, and what the page of one case says at its head. node/look_state.c. */
#ifndef SPOKE_NODE_LOOK_BOARD_H
#define SPOKE_NODE_LOOK_BOARD_H

#include "node/look_internal.h"

enum look_rag { RAG_NONE, RAG_BLUE, RAG_GREEN, RAG_AMBER, RAG_RED };
enum look_rag look_rag(struct bytes word);
const char *look_rag_word(enum look_rag r); /* NULL for none */

enum look_status { STATUS_NEW, STATUS_GATHERING, STATUS_READY, STATUS_DECIDED, STATUS_CLOSED, STATUSES };
const char *look_status_word(enum look_status s);

enum look_due { DUE_NOTHING, DUE_REPLY, DUE_MEETING, DUE_DECISION, DUES };
const char *look_due_word(enum look_due d); /* NULL for nothing */

struct look_state {
    uint8_t id[16];
    enum look_status status;
    enum look_rag rag, shown;
    bool adult, leads, mine;
    uint32_t lead; /* a number for the lead agency */
    bool disputed;
    bool met; /* a meeting was held */
    int64_t received_at;
    int64_t set_due; /* case_file.due_at: when no time scale says anything */
    int64_t closed_at;
    int64_t to_answer;  /* questions that wait for this agency's answer */
    bool asked;         /* a question waits, whoever is asked */
    int64_t reply_due;  /* the earliest of these; 0: none has a time */
    enum look_rag reply_rag;
    enum look_due due; /* what is due next */
    int64_t due_at;    /* 0: no time is set */
    bool working;      /* its clock */
    bool overdue;
    uint32_t ratings, disputes; /* while they are gathered: the first of a chain */
};

struct look_states {
    struct look_state *list; /* owned */
    size_t n;
};

/* What all questions about one clock share. */
struct look_times {
    int64_t now;
    struct look_calendar *calendar;                /* owned */
    struct look_scale scale[RAG_RED + 1][DUES][2]; /* [rating][what][adult] */
};
MUST_CHECK enum err look_times_new(struct node *n, struct look_times *out, struct why *why);
void look_times_free(struct look_times *t);

/* Which cases; zeros: all that are open. */
struct look_state_ask {
    const uint8_t *case_id; /* this one alone, closed or not */
    bool closed;            /* those too */
    bool allocated;         /* find out which are allocated to who has this device open: they are `mine` */
    bool opened;    /* what this agency opened is `mine` too */
    struct buf *lone; /* NULL, or gets the ids of the ratings that dispute, and wait under no dispute of their agency */
    const char *area, *subject;
};
MUST_CHECK enum err look_states_new(struct node *n, const struct look_times *t, const struct look_state_ask *ask,
                                    struct look_states *out, struct why *why);
void look_states_free(struct look_states *s);

/* The same facts in an object: shown_rag, disputed, due_what, due_at, overdue, minutes_left. */
void look_state_put(struct json *o, const struct look_state *s, const struct look_times *t);

/* Cases with changes that the hub has not judged yet. Zeroed: none. Free it also after an error. */
struct look_unsent {
    struct buf ids;
};
MUST_CHECK enum err look_unsent_new(struct node *n, struct look_unsent *out, struct why *why);
bool look_unsent(const struct look_unsent *u, const uint8_t case_id[16]);
void look_unsent_free(struct look_unsent *u);

/* A card of the board: all that a glance needs. */
struct look_card_ask {
    const struct look_times *times;
    struct look_unsent unsent;
    bool wall; /* look.h */
};
MUST_CHECK enum err look_card(struct node *n, const struct look_card_ask *ask, const struct look_state *s,
                              struct json **out, struct why *why);
/* Does one of its people stand in another, earlier case here? */
MUST_CHECK enum err look_repeat(struct node *n, const struct look_state *c, bool *out, struct why *why);

/* "Ada Wren", and "AW": first letters of each name. Appended. */
void look_name(struct buf *out, struct bytes given, struct bytes family);
void look_initials(struct buf *out, struct bytes given, struct bytes family);
/* Both, under `name` and `initials`. */
void look_set_names(struct json *o, struct bytes given, struct bytes family);

#endif
