/* The deciding half of what people do about a case (node/act.h has the rules for all acts): ratings and disputes about
 * them, meetings, the decision, telling its outcome, plans, actions, who works on it, asking once more, two versions,
 * held work.
 *
 * Three kinds of refusal for want of authority. What decides (act_decide, act_dispute_decide, act_allocate,
 * act_feedback_send, act_held_decide) is refused here, with who may do it: nothing is written. What says what happened
 * or what somebody thinks (act_rate, act_dispute, act_meeting_add, act_plan_*, act_action_*) is written all the same,
 * and the hub holds it for the area's manager where the writer has no part that allows it (act_standing says so
 * beforehand). And the hub judges again: a duty or a lead that was taken away meanwhile makes it hold what was let
 * through here. */
#ifndef SPOKE_NODE_ACT_WORK_H
#define SPOKE_NODE_ACT_WORK_H

#include "node/act.h"

/* How this site, and who is signed in, stand in a case as far as this device knows. May decide: leads, manager or
 * social_care. */
struct act_standing {
    enum act_part part;
    bool leads;       /* this agency leads, and this site takes part */
    bool room;        /* this is the MASH room of the case */
    bool mash;        /* this site is of the kind mash */
    bool manager;     /* duty of the person for the case's area */
    bool social_care; /* likewise */
};
MUST_CHECK enum err act_standing(struct node *n, const uint8_t case_id[16], struct act_standing *out, struct why *why);
bool act_may_decide(const struct act_standing *s);

/* By when something is due for a case rated so, counted from `from`: on the time scale's clock (node/look_internal.h,
 * look_calendar). what: reply, meeting, decision. subject_kind NULL: any. *out 0: none is set. */
MUST_CHECK enum err act_due(struct node *n, const char *rag, const char *what, const char *subject_kind, int64_t from,
                            int64_t *out, struct why *why);

/* ------------------------------------------------------------------------------------------------- ratings */
/* Who may decide rates the case: its rating, the reason in its brief, and when the decision is due (from its receipt)
 * follow. Anybody else's rating never does so: where it differs it stands beside the case's, and where this site
 * contributes a dispute about 'rating' is opened (at most one open at a time of an agency); where it agrees by now,
 * this agency's dispute about it that waits is taken back. */
struct act_rate {
    const uint8_t *case_id;
    const char *rag; /* blue, green, amber, red */
    const char *reason;
    const char *stage; /* initial, final; NULL: initial */
};
struct act_rated {
    uint8_t id[16];        /* of the rating */
    bool stands;           /* it is the case's rating now */
    bool disputed;         /* it differs from the case's, which stays */
    bool challenged;       /* a dispute about it waits now */
    bool agreed;           /* it is as the case's by now: the dispute that waited is taken back */
    uint8_t challenge[16]; /* that one */
    int64_t due_at;        /* of the case, where it stands; 0: none */
};
MUST_CHECK enum err act_rate(struct node *n, const struct act_rate *in, struct act_rated *out, struct why *why);

/* A dispute goes to social care first, and to the operations manager only when a dispute about the same thing has been
 * decided. The row's `about` says which: "rating", "decision", "rating:manager", "decision:manager". About a rating:
 * this agency's own rating, which differs from the case's, is what it wants. ERR_EXISTS: one of this agency's waits
 * already. */
struct act_dispute {
    const uint8_t *case_id;
    const char *about; /* rating, decision */
    const char *reason;
    const char *to; /* social_care, manager; NULL: social_care */
};
MUST_CHECK enum err act_dispute(struct node *n, const struct act_dispute *in, uint8_t out_id[16], struct why *why);
/* Or, by its own id, about a rating that disputes the case's and waits under no dispute of its agency, as that of who
 * is only asked does: the decider writes the dispute, about "rating:settled", and decides it at once. ERR_EXISTS: it
 * waits for no such decision.
 *
 * state: upheld, dismissed. By a person with the duty social_care or manager for the area; one for the manager by a
 * manager. A rating that is upheld becomes the case's, as by act_rate.
 *
 * A challenge has no room for the decider's reason. It stands in a rating of the decider's own, in the same change:
 * author and rated_at are the challenge's decided_by and decided_at, rag is the case's as it stands then; its stage is
 * that of the rating in dispute, and NULL after a dispute about the decision, because it rates nothing anew. */
MUST_CHECK enum err act_dispute_decide(struct node *n, const uint8_t challenge[16], const char *state,
                                       const char *reason, struct why *why);
/* That rating's id: it says which rating of the agency the decider had before him, so that one which came later,
 * whatever its clock says, is not decided with it. A UUIDv8: those of decisions that do not say it are UUIDv7. */
void act_settled_id(uint8_t out[16], const uint8_t challenge[16], const uint8_t rating[16]);

/* ------------------------------------------------------------------------------------ meetings, the decision */
struct act_attendance {
    const uint8_t *practitioner; /* NULL: nobody that the hub knows; then say who in `dissent` */
    bool present;
    const char *dissent; /* what they did not agree with */
};
struct act_meeting {
    const uint8_t *case_id;
    const char *kind; /* such as mash, strategy */
    int64_t held_at;  /* 0: now */
    const char *mode; /* such as room, video, telephone */
    const char *chair;
    const char *outcome;
    const struct act_attendance *attendance;
    size_t n_attendance; /* at most ACT_MAX_ATTENDANCE */
};
enum { ACT_MAX_ATTENDANCE = 100, ACT_MAX_AGENCIES = 100 };
MUST_CHECK enum err act_meeting_add(struct node *n, const struct act_meeting *in, uint8_t out_id[16], struct why *why);

/* Decision and outcome, or closing what was decided before (then both may be left out). */
struct act_decision {
    const uint8_t *case_id;
    const char *decision;       /* words */
    const char *outcome;        /* a code of the lists referral_outcome and contact_outcome */
    const char *closure_reason; /* a code of the list closure_reason; closing needs one */
    bool nfa;                   /* no further action */
    bool close;
    const char *rag; /* final rating, with its reason; NULL: as it is */
    const char *rag_reason;
};
/* What is still open although it was decided: to be told to who decides, hinders nothing. */
struct act_decided {
    bool closed;
    int64_t unanswered; /* questions that this device knows of */
    int64_t disputes;
    int64_t untold; /* agencies that take part or referred, and have had no feedback since the decision */
};
MUST_CHECK enum err act_decide(struct node *n, const struct act_decision *in, struct act_decided *out, struct why *why);
/* The same in sentences, each given to `say`. */
void act_decided_words(const struct act_decided *d, void (*say)(void *ctx, const char *sentence), void *ctx);

/* ------------------------------------------------------------------------------------------------ feedback */
/* Each agency gets a row of its own, all in one change. By who may decide. */
struct act_feedback {
    const uint8_t *case_id;
    const char *const *agencies; /* codes, each once; not this one */
    size_t n_agencies;           /* 1 to ACT_MAX_AGENCIES */
    const char *body;
    const char *to_name; /* a person there, such as the referrer; NULL: the agency */
    const char *channel; /* NULL: spoke */
};
/* out_ids: one for each agency, in their order. */
MUST_CHECK enum err act_feedback_send(struct node *n, const struct act_feedback *in, uint8_t (*out_ids)[16],
                                      struct why *why);
/* By the agency that it was sent to, once. */
MUST_CHECK enum err act_feedback_ack(struct node *n, const uint8_t feedback[16], struct why *why);

/* ------------------------------------------------------------------------- plans, actions, who works on it */
struct act_plan {
    const uint8_t *case_id;
    const uint8_t *person; /* NULL: the case's */
    const char *kind;      /* such as cin, cp, eh */
    int64_t started_at;    /* 0: now */
    int64_t target_at;     /* 0: none */
};
MUST_CHECK enum err act_plan_add(struct node *n, const struct act_plan *in, uint8_t out_id[16], struct why *why);
/* ended_at 0: now. */
MUST_CHECK enum err act_plan_end(struct node *n, const uint8_t plan[16], int64_t ended_at, const char *result,
                                 struct why *why);

struct act_action {
    const uint8_t *case_id;
    const char *title;
    int64_t due_at;
    bool sensitive; /* for the MASH room and this agency alone */
    const char *note;
};
MUST_CHECK enum err act_action_add(struct node *n, const struct act_action *in, uint8_t out_id[16], struct why *why);
/* state: open, done, cancelled; NULL: as it is. note NULL: as it is. One of them must be given. */
MUST_CHECK enum err act_action_set(struct node *n, const uint8_t action[16], const char *state, const char *note,
                                   struct why *why);

/* A person the hub knows works on the case from now on. Who had the same role in it has it no longer. role NULL:
 * "worker". By who may decide. */
MUST_CHECK enum err act_allocate(struct node *n, const uint8_t case_id[16], const uint8_t practitioner[16],
                                 const char *role, uint8_t out_id[16], struct why *why);

/* ------------------------------------------------------------------------------------------------- chasing */
/* Ask again for the answer to an own question that waits: asked_at becomes now. When it was asked first is the time in
 * its id (UUIDv7), and due_at stays. ERR_EXISTS: asked within the last ten minutes. */
MUST_CHECK enum err act_request_chase(struct node *n, const uint8_t request[16], struct why *why);

/* -------------------------------------------------------------------------------- two versions, held work */
struct act_settle {
    const uint8_t *conflict;
    const char *keep; /* kept, lost, now: what stands by now, value: another one */
    struct bytes
        value; /* as conflicts keep values (value_to_text); for `value` alone; empty: nothing is to stand there */
    const char *reason;
};
MUST_CHECK enum err act_conflict_settle(struct node *n, const struct act_settle *in, struct why *why);
/* By a person with the duty manager for the case's area, at a site of kind mash. Dismissing needs a reason. */
MUST_CHECK enum err act_held_decide(struct node *n, const uint8_t held[16], bool accept, const char *reason,
                                    struct why *why);

#endif
