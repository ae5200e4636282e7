/* An envelope on its way in: its content, decoded twice over (judged first, then applied), and what was found out about
 * its author. Between hub/intake*.c, hub/held.c and hub/conflict.c only. */
#ifndef SPOKE_HUB_DRAFT_H
#define SPOKE_HUB_DRAFT_H

#include "hub/intake.h"

#include "sync/changeset.h"
#include "sync/envelope.h"

#include <string.h>

/* How an envelope's author stands towards one case. Access numbers: see site_access. */
struct standing {
    bool known;                /* the hub has the case */
    int64_t case_no;           /* 0 unless known */
    bool fresh;                /* this device made the case after its base cut, which it chooses itself */
    int64_t base;              /* version up to which the author had seen the case when writing */
    bool sees_now, sees_base;  /* the author's site holds a channel of it */
    int now, at_base;          /* access */
    bool manager, social_care; /* duties of the person for the case's area, now */
    char area[256];            /* of the case; empty when there is none or it is longer */
    char lead[64];             /* lead agency, likewise */
};
/* Access numbers of site_access. */
enum { ACCESS_NONE, ACCESS_CHECK, ACCESS_VIEW, ACCESS_CONTRIBUTE, ACCESS_ROOM, ACCESS_LEAD };
static inline bool standing_may_check(int access)
{
    return access == ACCESS_CHECK || access >= ACCESS_CONTRIBUTE;
}
struct draft_part {
    struct bytes content; /* a changeset that changeset_check accepted; borrowed */
    uint64_t schema;      /* of it: the envelope's */
    bool has_case;        /* the part says which case it is about */
    uint8_t case_id[16];
    bool makes_case; /* a case_file for a case that the hub does not know */
    int leads;       /* once asked: 1 when that case_file names the author's agency as lead, else -1 */
    unsigned n_asks; /* searches of the part for a request; each is as long as the part */
    struct standing who;
};
struct draft_row {
    uint8_t id[16];
    int table_index;
    size_t part;
};
struct chains {
    int64_t *no; /* owned: devices */
    size_t n;
};
struct draft {
    struct hub_node *node;      /* author's device, borrowed */
    struct envelope env;        /* borrows from cose */
    uint8_t hash[HASH_BYTES];   /* envelope_hash */
    struct bytes cose;          /* borrowed */
    struct part *parts;         /* owned array; contents borrowed */
    struct draft_part *decoded; /* owned; n_parts of them once decoded */
    size_t n_parts;
    struct draft_row *made; /* owned: rows that its INSERTs name, sorted by id and table */
    size_t n_made, cap_made;
    struct cut cut;     /* base cut */
    int64_t sight_at;   /* where that was thinned (hub/rescue.c): the step as of which it counts what its author was shown; else 0 */
    struct actor actor; /* clock clamped */
    int64_t received_at;
    bool user_known; /* the person is of the device's site */
    bool granted;    /* a manager accepted it: refusals for want of authority do not count */
    bool late;       /* judged out of its order in the chain: later envelopes of it may have been applied */
    bool contribution; /* new records of a site that took part when it wrote them, as far as it knew, and does no more */
    uint64_t withdraws[8]; /* envelopes of the same device that it takes back itself: it does not wait for them */
    size_t n_withdraws;
    /* Of a rescued change: the device whose place the author's took, then whose place that one took, …; and all
     * others that took such a place too, copies of the same disk. */
    struct chains line, kin;
};

/* What became of it. A refusal is hard when no manager's word could change it. */
struct judgement {
    enum verdict verdict; /* APPLIED stands for "may be applied" until it is */
    bool hard;
    bool decided; /* it decides or settles what somebody has decided otherwise, or at another time */
    bool lacks;   /* a row that it needs is nowhere at the hub: */
    int lacks_table;
    uint8_t lacks_id[16];
    char reason[320];
};
/* The worst finding stands: fault, then held (hard before soft), then waits. */
void judgement_note(struct judgement *j, enum verdict verdict, bool hard, const char *reason);
/* One wording for what is not there and for what the author may not see: nothing may tell them apart. */
#define REASON_UNKNOWN "This change is about something the hub does not know."
/* Why what waits for what it builds on cannot be dismissed or taken back (hub/DISASTER.md). */
#define REASON_STAYS                                                                                                   \
    "The hub had taken this in before it was put back from a backup, and what it builds on is not here yet. So it can be neither "  \
    "dismissed nor taken back. Leave it waiting: it takes effect by itself when that comes."

/* hub/draft.c ---------------------------------------------------------------------------------------------------
 * Begin from a verified envelope; takes `parts`. Then decode: commitments, every operation, the cases they are about.
 * What is wrong with the content ends in *j (FAULT), not in an error. */
void draft_init(struct draft *d, struct hub_node *node, const struct envelope *env, struct bytes cose,
                struct part *parts, size_t n_parts);
void draft_release(struct draft *d);
MUST_CHECK enum err draft_decode(struct hub *h, struct draft *d, struct judgement *j, struct why *why);
bool draft_makes(const struct draft *d, int table_index, const uint8_t id[16], size_t part);

/* hub/rescue.c: what was rescued from a device that was put back or copied ----------------------------------------- */
static inline bool draft_rescued(const struct draft *d)
{
    static const uint8_t none[HASH_BYTES];
    return memcmp(d->env.h.rescued, none, sizeof none) != 0;
}
/* d->line and d->kin (which has all of line), for a rescued change; FAULT when its device takes nobody's place. */
MUST_CHECK enum err rescue_load(struct hub *h, struct draft *d, struct judgement *j, struct why *why);
/* Is this the author's device, in this life or another? */
bool draft_own(const struct draft *d, int64_t node_no);
/* The base cut: of the author's device, or of one whose place it took; where that was thinned, what stands for it.
 * ERR_REFUSED as cut_get. */
MUST_CHECK enum err rescue_cut(struct hub *h, struct draft *d, struct why *why);
/* Was the content here before, in the chain that it was rescued from or rescued from there already, by whichever copy?
 * Then it is merged without effect: rescue_skip. */
MUST_CHECK enum err rescue_known(struct hub *h, const struct draft *d, bool *out, struct why *why);
MUST_CHECK enum err rescue_skip(struct hub *h, struct judgement *j, struct why *why);
/* Whatever could be applied is held for a manager. */
void rescue_hold(const struct draft *d, struct judgement *j);
MUST_CHECK enum err rescue_note(struct hub *h, const struct draft *d, struct why *why);
/* Devices that are one in several lives, or copies: the next one by number, other than this; 0: none. */
MUST_CHECK enum err rescue_next_kin(struct hub *h, int64_t node_no, int64_t after, int64_t *out, struct why *why);

/* hub/standing.c ------------------------------------------------------------------------------------------------ */
MUST_CHECK enum err standing_of(struct hub *h, const struct draft *d, const uint8_t case_id[16], struct standing *out,
                                struct why *why);
/* Duties of a person for an area, and whether the person is of the site at all. */
MUST_CHECK enum err standing_duties(struct hub *h, const struct draft *d, struct standing *s, struct why *why);
MUST_CHECK enum err standing_user(struct hub *h, struct draft *d, struct why *why);
/* Has nobody but the author's device decided yet who takes part in the case, or restricted it? */
MUST_CHECK enum err standing_untouched(struct hub *h, const struct draft *d, int64_t case_no, bool *out,
                                       struct why *why);
/* Does the author's site see the row now; did it when the change was written? */
struct view {
    bool now, base;
};
MUST_CHECK enum err standing_view(struct hub *h, const struct draft *d, const struct hub_row *r, struct view *out,
                                  struct why *why);
static inline bool view_any(struct view v)
{
    return v.now || v.base;
}

/* hub/intake_authorise.c ----------------------------------------------------------------------------------------
 * Judge every operation; nothing is written. */
MUST_CHECK enum err intake_authorise(struct hub *h, struct draft *d, struct judgement *j, struct why *why);
/* hub/intake_late.c: d->contribution. And the envelope's place in the device's word about its cuts, once it is
 * judged. */
MUST_CHECK enum err late_judge(struct hub *h, struct draft *d, struct why *why);
void late_note(const struct draft *d);
/* hub/intake_restrict.c: does a restricted case keep a site that is named in it? */
MUST_CHECK enum err intake_restriction(struct hub *h, const struct draft_part *p, struct judgement *j, struct why *why);
/* hub/intake_write.c: may the author change this column of the stored row to this value? Findings go to *j. */
struct column_write {
    const struct draft_part *part;
    const struct table_rule *table;
    const struct row *stored;
    const struct op *op; /* the operation it stands in */
    size_t column;
    struct value value;
    bool merging; /* an INSERT that met a row: judged by what holds now */
};
MUST_CHECK enum err intake_may_write(struct hub *h, struct draft *d, const struct column_write *w, struct judgement *j,
                                     struct why *why);
/* hub/intake_release.c: columns of the rule WRITE_RELEASE; and a new release. */
void intake_release(const struct draft *d, const struct column_write *w, struct judgement *j);
void intake_new_release(const struct draft *d, const struct op *op, struct judgement *j);
/* What would be said of this held envelope if a manager accepted it now? Nothing is written. */
MUST_CHECK enum err intake_try(struct hub *h, int64_t node_no, uint64_t seq, struct judgement *j, struct why *why);
/* Could it be taken in on a manager's word? Why not goes to *j. */
MUST_CHECK enum err intake_acceptable(struct hub *h, int64_t node_no, uint64_t seq, struct judgement *j,
                                      struct why *why);
/* hub/intake.c: what of this device waits is judged again. */
MUST_CHECK enum err intake_waiting(struct hub *h, int64_t node_no, struct why *why);
/* hub/intake_apply.c: in a step of the order. *out_conflicts counts the values that met others. */
MUST_CHECK enum err intake_apply(struct hub *h, struct draft *d, size_t *out_conflicts, struct why *why);

/* hub/conflict.c ------------------------------------------------------------------------------------------------ */
struct clash {
    const struct table_rule *table;
    const uint8_t *row_id, *case_id;
    size_t column;
    enum merge_policy policy;
    bool open;
    struct value kept, lost;
    uint8_t kept_by[16], lost_by[16]; /* zeros: the hub */
    uint64_t kept_hlc, lost_hlc;      /* when they wrote it: clamped clocks; 0: not known */
    const char *lost_agency;
    int64_t node_no; /* whose word met another, and which envelope of the chain it was */
    uint64_t seq;
    bool risen; /* it was there before: what it had met stands no longer */
};
MUST_CHECK enum err conflict_put(struct hub *h, const struct draft *d, const struct clash *c, struct why *why);
/* Did a later change of the same chain meet another's value in this column? */
MUST_CHECK enum err conflict_later(struct hub *h, const struct draft *d, const struct op *op, size_t column, bool *out,
                                   struct why *why);

/* hub/journal.c: h_envelope --------------------------------------------------------------------------------------- */
MUST_CHECK enum err journal_put(struct hub *h, const struct draft *d, const struct judgement *j, struct why *why);
/* The running step stands as the draft's device sent it: it gets nothing of it back. */
MUST_CHECK enum err journal_as_sent(struct hub *h, const struct draft *d, struct why *why);
MUST_CHECK enum err journal_judge(struct hub *h, int64_t node_no, uint64_t seq, const struct judgement *j,
                                  struct why *why);
/* A stored envelope as a draft again, decoded; `store` keeps its bytes and must outlive it. *node is filled. */
MUST_CHECK enum err journal_draft(struct hub *h, int64_t node_no, uint64_t seq, struct hub_node *node, struct draft *d,
                                  struct buf *store, struct judgement *j, struct why *why);

/* One part of those that are stored beside an envelope; content.p NULL: it was erased. */
struct cbor_reader;
void journal_put_part(struct buf *b, const struct part *p);
void journal_get_part(struct cbor_reader *r, struct part *out);

/* hub/held.c ------------------------------------------------------------------------------------------------------ */
MUST_CHECK enum err held_put(struct hub *h, struct draft *d, const struct judgement *j, struct why *why);
/* Of the `held` row that stands for a part of the envelope with this hash. */
void held_id(const uint8_t envelope[HASH_BYTES], size_t part, uint8_t out[16]);
/* Note which held work of its own device the draft withdraws. */
MUST_CHECK enum err held_withdrawn(struct hub *h, struct draft *d, struct why *why);
/* Would held or waiting work of this device make the row? */
MUST_CHECK enum err held_makes(struct hub *h, const struct draft *d, int table_index, const uint8_t id[16], bool *out,
                               struct why *why);
/* The envelope that a held row stands for. */
MUST_CHECK enum err held_envelope(struct hub *h, const uint8_t held_id[16], int64_t *out_node, uint64_t *out_seq,
                                  bool *out_found, struct why *why);
/* May this person decide in every area that the held envelope touches? */
MUST_CHECK enum err held_decidable(struct hub *h, const struct draft *d, int64_t node_no, uint64_t seq, bool *out,
                                   struct why *why);
/* State of h_held and of every held row of the envelope, in a step of the order. */
struct held_end {
    const char *state;  /* waiting: the decision could not be carried out */
    const char *reason; /* why it goes on waiting; NULL: as before */
};
MUST_CHECK enum err held_close(struct hub *h, int64_t node_no, uint64_t seq, const struct held_end *end,
                               struct why *why);
/* Rows that it would have made are no longer awaited. */
MUST_CHECK enum err held_forget(struct hub *h, int64_t node_no, uint64_t seq, struct why *why);
/* hub/held_what.c: the operations of a part as JSON text for the manager. */
MUST_CHECK enum err held_what(struct hub *h, const struct draft *d, const struct draft_part *p, struct buf *out,
                              struct why *why);

/* hub/held_case.c: a case of the hub's own in which a held new referral is seen and decided. *out_open false: the
 * claimed area has no MASH room. Within a step. */
MUST_CHECK enum err held_case_open(struct hub *h, const struct draft *d, size_t part, uint8_t out_id[16], bool *out_open,
                                   struct why *why);
MUST_CHECK enum err held_case_close(struct hub *h, int64_t node_no, uint64_t seq, struct why *why);
/* Would the case be a restricted one? Then not even the room may read what is held. */
MUST_CHECK enum err held_case_restricted(const struct draft_part *p, bool *out, struct why *why);

#endif
