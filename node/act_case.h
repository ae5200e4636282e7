/* What people write in a case: opening it, who takes part, its people, warnings, records. As node/act.h says: each act
 * is one function for commands and pages alike, checks with words for a person, makes one edit of its own, and writes
 * nothing when it fails.
 *
 * Texts are UTF-8, borrowed; NULL: not given. Dates are ISO ("2017-03-24"). Times are Unix milliseconds, 0: not
 * given. What a text may hold at most is 1 MiB (ERR_USAGE beyond). Errors as in node/act.h. */
#ifndef SPOKE_NODE_ACT_CASE_H
#define SPOKE_NODE_ACT_CASE_H

#include "node/act.h"

/* What a person should look at again though it was done: a number whose check character does not fit, an area that
 * nobody covers by name. Whole sentences that never hold what somebody wrote. */
enum { ACT_NOTES_MAX = 8, ACT_NOTE_CHARS = 240 };
struct act_notes {
    size_t n;
    char text[ACT_NOTES_MAX][ACT_NOTE_CHARS];
};
void act_note(struct act_notes *notes, const char *text); /* NULL is fine; one that stands there is not said twice */

/* One column to be. Empty text counts as NULL: what stood there is taken away. */
struct act_change {
    const char *column; /* as in sync/schema.sql */
    struct value v;
};

/* ---------------------------------------------------------------------------------------------------- people */
struct act_person {
    const char *role; /* NULL: child */
    const char *family_name, *given_names;
    const char *born_on, *expected_on, *died_on;
    const char *sex;       /* a code of the census */
    const char *nhs, *upn; /* kept as typed; a check character that does not fit makes a note */
};
MUST_CHECK enum err act_person_add(struct node *n, const uint8_t case_id[16], const struct act_person *in,
                                   uint8_t out_id[16], struct act_notes *notes, struct why *why);
/* Columns of person; besides `nhs` and `upn`, which change this agency's own identifier, or write one. */
MUST_CHECK enum err act_person_set(struct node *n, const uint8_t person[16], const struct act_change *changes,
                                   size_t n_changes, struct act_notes *notes, struct why *why);
/* PERSON has RELATIVE as KIND: mother, half-brother, ... */
MUST_CHECK enum err act_kin_add(struct node *n, const uint8_t case_id[16], const uint8_t person[16],
                                const uint8_t relative[16], const char *kind, uint8_t out_id[16], struct why *why);
struct act_contact {
    const uint8_t *case_id; /* NULL: the person's */
    const uint8_t *person;
    const char *kind; /* address, phone, email, ... */
    const char *value;
    bool protected;
    const char *note;
};
MUST_CHECK enum err act_contact_add(struct node *n, const struct act_contact *in, uint8_t out_id[16], struct why *why);
MUST_CHECK enum err act_contact_set(struct node *n, const uint8_t contact[16], const struct act_change *changes,
                                    size_t n_changes, struct why *why);
struct act_warning {
    const uint8_t *case_id;
    const uint8_t *person; /* NULL: of the case */
    const char *kind, *note;
    int64_t until;
};
MUST_CHECK enum err act_warning_add(struct node *n, const struct act_warning *in, uint8_t out_id[16], struct why *why);

/* ----------------------------------------------------------------------------------------------------- cases */
enum { ACT_PEOPLE_MAX = 64 }; /* of one new case */
/* Somebody of a new case, with what is known at once. */
struct act_newcomer {
    struct act_person who;
    const char *address, *phone;
    const char *consent; /* given, refused, withdrawn, not_sought; NULL: nothing is noted */
    const char *consent_reason;
    const char *consent_scope; /* NULL: all */
};
struct act_case {
    const char *area;
    const char *source, *referrer, *external_ref; /* of the referral; source: a code */
    const char *primary_need, *presenting_issue, *summary;
    const char *subject_kind; /* NULL: child */
    const char *rag;          /* NULL: not rated yet */
    const char *rag_reason;
    const struct act_newcomer *people;
    size_t n_people;
};
struct act_case_opened {
    uint8_t id[16];
    char reference[16];
    int64_t due_at; /* 0: no time is set */
    bool mash;      /* a MASH room covers the area; else nobody picks the case up */
    char phone[80]; /* whom to ring when it cannot wait for contact; "": no number is known */
    struct act_notes notes;
};
/* A case reference, "C-" and 8 letters and digits: random, never counted. */
void act_reference(const struct env *env, char out[16]);
/* All of it in one edit: case, brief, referral, first rating, this agency's own part, people with numbers, contacts,
 * consent. */
MUST_CHECK enum err act_case_new(struct node *n, const struct act_case *in, struct act_case_opened *out,
                                 struct why *why);
/* Columns of case_file and brief. A status `closed` notes when, any other takes that away. *out_held: not this
 * person's to decide, as far as this device knows; the hub keeps it back. */
MUST_CHECK enum err act_case_set(struct node *n, const uint8_t case_id[16], const struct act_change *changes,
                                 size_t n_changes, bool *out_held, struct act_notes *notes, struct why *why);

struct act_share {
    const uint8_t (*cases)[16]; /* one or several, alike */
    size_t n_cases;
    const char *agency;
    const char *site;   /* NULL or "": all of theirs that cover the area */
    const char *access; /* check, view, contribute; NULL: contribute */
    const char *basis;
    int64_t until;
    bool quiet; /* that they take part is told to nobody else */
};
/* out_ids: a participant for each case. *out_held: this person does not lead one of them, and the hub keeps it back. */
MUST_CHECK enum err act_case_share(struct node *n, const struct act_share *in, uint8_t (*out_ids)[16], bool *out_held,
                                   struct why *why);
MUST_CHECK enum err act_case_unshare(struct node *n, const uint8_t case_id[16], const char *agency, bool *out_held,
                                     struct why *why);

/* --------------------------------------------------------------------------------------------------- records */
struct act_record {
    const uint8_t *case_id;
    const uint8_t *person; /* whom it is about; NULL: the case */
    const char *kind;      /* visit, call, check, analysis, ... */
    const char *title;
    struct bytes body;       /* may be empty */
    const char *sensitivity; /* open, sensitive, restricted; NULL: open */
    bool needs_consent;
    const char *handling;
    int64_t occurred_at; /* 0: now */
};
/* *out_sight: who sees it besides this agency. */
MUST_CHECK enum err act_record_add(struct node *n, const struct act_record *in, uint8_t out_id[16],
                                   enum act_sight *out_sight, struct why *why);

/* What a person has before them who would change a record of this agency. */
struct act_record_now {
    enum act_sight sight;      /* who sees it besides this agency */
    bool kept;                 /* consent that is missing keeps it back, if it needs any */
    bool told;                 /* by permission, to somebody who keeps what was told */
    uint8_t shown[HASH_BYTES]; /* of all of it: for act_record_edit */
};
/* ERR_DENIED: another agency's. */
MUST_CHECK enum err act_record_now(struct node *n, const uint8_t record[16], struct act_record_now *out,
                                   struct why *why);
/* What comes of it when `to` see what `from` saw, for its owner to read. "": nobody gains or loses it. */
enum { ACT_SIGHT_CHARS = 320 };
#define ACT_RECORD_TOLD                                                                                                \
    "An agency that was told about this by permission keeps what it was told then. If it must know more, tell it anew."
void act_sight_change(enum act_sight from, enum act_sight to, char out[ACT_SIGHT_CHARS]);

struct act_record_edit {
    const uint8_t *record;
    const struct act_change *changes; /* those that say what stands already are left out */
    size_t n_changes;
    const uint8_t *shown; /* of act_record_now, as the person had it before them; NULL: nothing was shown */
};
struct act_record_edited {
    enum act_sight before, after;
    bool told; /* as in act_record_now */
};
/* Columns of a record of this agency. ERR_FAILED: it is no longer what was shown. ERR_USAGE also where nothing
 * differs. */
MUST_CHECK enum err act_record_set(struct node *n, const struct act_record_edit *in, struct act_record_edited *out,
                                   struct why *why);

#endif
