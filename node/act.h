/* What people do about a case besides writing in it: ask and answer, release, point, consent, override, take back. Each
 * act is one function, for commands and pages alike: it checks with words for a person, makes one edit of its own, and
 * writes nothing when it fails. None runs within another edit.
 *
 * Rows are named by their ids, agencies by their codes. Texts are UTF-8, borrowed; NULL: not given. Times are Unix
 * milliseconds, 0: not given. ERR_NOTFOUND: no such row or agency here; ERR_USAGE: something is missing or does not
 * fit; ERR_DENIED: not for this agency to do; ERR_EXISTS: done already. */
#ifndef SPOKE_NODE_ACT_H
#define SPOKE_NODE_ACT_H

#include "node/node.h"

/* An id that two sites would make alike: first 16 bytes of a labelled hash over the parts. */
void act_derived_id(uint8_t out[16], const char *label, const struct bytes *parts, size_t n);

/* How this site takes part in a case, as far as this device knows; what it may not do so is held for a manager.
 * Requests and consent want ACT_CONTRIBUTES; records, pointers and releases ACT_CHECKS or ACT_CONTRIBUTES. */
enum act_part { ACT_NO_PART, ACT_CHECKS, ACT_VIEWS, ACT_CONTRIBUTES };
MUST_CHECK enum err act_part(struct node *n, const uint8_t case_id[16], enum act_part *out, struct why *why);

/* ------------------------------------------------------------------------------------------------- requests */
struct act_request {
    const uint8_t *case_id;
    const char *to_agency;
    const char *question;
    const char *basis; /* lawful basis */
};
struct act_request_sent {
    uint8_t id[16];
    int64_t due_at;  /* by the time scale of the case's rating; 0: none is set */
    bool brought_in; /* the asked agency takes part from now on, with `check` */
};
MUST_CHECK enum err act_request_send(struct node *n, const struct act_request *in, struct act_request_sent *out,
                                     struct why *why);

struct act_record; /* node/act_case.h */
struct act_answer {
    const uint8_t *request;
    const char *result;           /* known, not_known, nothing_relevant */
    const uint8_t (*records)[16]; /* own records of the case that say more: looked at, not linked in any row */
    size_t n_records;
    /* What is known, as a record of its own in the same change; NULL: none. case_id does not count; kind and title may
     * be NULL: "check", "Answer to a question". */
    const struct act_record *add;
    uint8_t *out_record; /* its id; NULL: not wanted */
};
MUST_CHECK enum err act_request_answer(struct node *n, const struct act_answer *in, struct why *why);
MUST_CHECK enum err act_request_decline(struct node *n, const uint8_t request[16], const char *reason, struct why *why);
/* The question is taken back by the agency that asked it, while it waits. */
MUST_CHECK enum err act_request_cancel(struct node *n, const uint8_t request[16], struct why *why);

/* ------------------------------------------------------------------------------------------------- releases */
struct act_ask {
    const uint8_t *case_id;
    const char *holder; /* agency that is asked to release */
    const char *reason;
    const uint8_t *pointer; /* NULL: none */
};
/* *out_outsider: as far as this device knows, the other agency takes no part in the case: it sees the question
 * alone. */
MUST_CHECK enum err act_release_ask(struct node *n, const struct act_ask *in, uint8_t out_id[16], bool *out_outsider,
                                    struct why *why);

struct act_grant {
    const uint8_t *record;
    const char *to_agency;
    const char *how;       /* whole, redacted, spoken */
    struct bytes redacted; /* the owner's words, when `redacted` */
    const char *title;     /* of them; NULL: "Redacted" */
    const char *conditions;
    int64_t until;
    const uint8_t *ask;   /* which ask it answers; NULL: none */
    const uint8_t *shown; /* hash of the preview that a person agreed to; NULL: none was shown */
};
/* Exactly what the other agency will get, and what its owner must know before. */
struct act_preview {
    struct value title, body, conditions, until; /* of the row to be; NULL where it says nothing */
    struct value record_title, handling;         /* of the record: not told */
    bool waits;                                  /* the record waits for consent */
    bool sensitive, restricted;
    bool outsider; /* as in act_release_ask */
    uint8_t shown[HASH_BYTES];
    struct buf store; /* what the values borrow, besides the arguments */
};
/* Checks all that the grant checks. Initialises out; release it also after an error. */
MUST_CHECK enum err act_release_preview(struct node *n, const struct act_grant *in, struct act_preview *out,
                                        struct why *why);
void act_preview_release(struct act_preview *p);
/* ERR_FAILED: what would be told is no longer what was shown. */
MUST_CHECK enum err act_release_grant(struct node *n, const struct act_grant *in, uint8_t out_id[16], struct why *why);
/* Taken back by the agency that asked, while it waits. */
MUST_CHECK enum err act_release_cancel(struct node *n, const uint8_t ask[16], struct why *why);
/* The reason goes to the asker in a row of its own. */
MUST_CHECK enum err act_release_refuse(struct node *n, const uint8_t ask[16], const char *reason, struct why *why);

/* "We hold something, ask us." */
MUST_CHECK enum err act_pointer_add(struct node *n, const uint8_t case_id[16], const char *note, const char *contact,
                                    uint8_t out_id[16], struct why *why);

/* -------------------------------------------------------------------------------------------------- consent */
struct act_consent {
    const uint8_t *case_id;
    const uint8_t *person;
    const char *scope;    /* all, or the code of the agency whose records may be told */
    const char *state;    /* given, refused, withdrawn, not_sought */
    const char *reason;   /* not_sought needs one */
    const char *capacity; /* of an adult: has, lacks, or words */
    int64_t until;
    int64_t told_at; /* when the family was told */
};
MUST_CHECK enum err act_consent(struct node *n, const struct act_consent *in, uint8_t out_id[16], struct why *why);

/* This agency's own records of a case that need consent, the newest first: does nobody else see it now (no consent in
 * force for every person it is about, no override)? */
struct act_needing {
    uint8_t id[16];
    struct bytes title; /* borrowed */
    bool waits;
    bool sensitive; /* told to the MASH room alone */
};
MUST_CHECK enum err act_needing(struct node *n, const uint8_t case_id[16],
                                enum err (*each)(void *ctx, const struct act_needing *r, struct why *why), void *ctx,
                                struct why *why);
/* Tell a record without consent. */
MUST_CHECK enum err act_override(struct node *n, const uint8_t record[16], const char *reason, struct why *why);

/* Who sees an own record besides its agency. */
enum act_sight { ACT_ALL, ACT_ROOM, ACT_NOBODY_CONSENT, ACT_NOBODY_RESTRICTED, ACT_NOBODY_VOIDED };
MUST_CHECK enum err act_record_sight(struct node *n, const uint8_t record[16], enum act_sight *out, struct why *why);
/* Does consent that is missing keep an own record back, if it needs any (no override)? And who sees one so marked. */
MUST_CHECK enum err act_record_kept(struct node *n, const uint8_t record[16], bool *out, struct why *why);
enum act_sight act_sight_of(const char *sensitivity, bool needs_consent, bool kept);

/* ----------------------------------------------------------------------------------------------------- void */
/* A row of any case table, written by mistake. `table` is its name in sync/schema.sql. */
MUST_CHECK enum err act_void(struct node *n, const char *table, const uint8_t id[16], const char *reason,
                             struct why *why);

#endif
