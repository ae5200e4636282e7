/* What takes two administrators: hub/ADMINS.md, "Two people". */
#ifndef SPOKE_HUB_PROPOSAL_H
#define SPOKE_HUB_PROPOSAL_H

#include "hub/admins.h"

enum proposal_kind {
    PROPOSE_WIPE,         /* kid; text: "", lost, retired; flag: at once */
    PROPOSE_REVOKE_SITE,  /* text: the site */
    PROPOSE_POLICY,       /* text: the policy */
    PROPOSE_COLUMN,       /* text, text2, text3, text4: table, column, policy, argument or NULL */
    PROPOSE_RULE,         /* text: name of the rule; number */
    PROPOSE_ADMIN_ROLE,   /* text: name, text2: role */
    PROPOSE_ADMIN_REMOVE, /* text: name */
    PROPOSE_RETENTION,    /* text, text2, text3: days for partners, lead, erase */
    PROPOSE_UNHOLD,       /* kid: the case */
    PROPOSE_ERASE,        /* kid: the case; flag: also what is unsettled */
    PROPOSE_ERASE_AGAIN,  /* text: ids of cases, 16 bytes each */
    PROPOSAL_KINDS
};
struct hub_proposal {
    enum proposal_kind kind;
    uint8_t kid[16];
    bool flag;
    int64_t number;
    struct bytes text; /* of the first */
    const char *text2, *text3, *text4;
    const char *reason;
};
const char *hub_proposal_word(enum proposal_kind k);

/* Rules that can be switched. */
#define RULE_TWO_PERSON "two_person"      /* 0, 1 */
#define RULE_APPROVE    "approve_devices" /* 0, 1 */
#define RULE_PROPOSAL   "proposal_ms"     /* how long a proposal stands */
#define RULE_RETURNED   "returned_mb"     /* of a device after a restore, of what nothing vouches for */
#define RETURNED_MB_DEFAULT ((int64_t)256)
#define PROPOSAL_MS_DEFAULT ((int64_t)24 * 60 * 60 * 1000)
MUST_CHECK enum err hub_rule_get(struct hub *h, const char *name, int64_t *out, struct why *why);
/* ERR_USAGE: no such rule or value. ERR_DENIED: two people, where there is one. ERR_REFUSED: the role; it takes two. */
MUST_CHECK enum err hub_rule_set(struct hub *h, const char *name, int64_t value, const char *reason, struct why *why);

/* Would this take two as the hub stands? Then propose it. */
MUST_CHECK enum err hub_takes_two(struct hub *h, const struct hub_proposal *p, bool *out, struct why *why);
/* Record it. `says`: what it would do, in words, for the second person (1 to 1000 bytes). ERR_REFUSED: the role.
 * ERR_NOTFOUND: no such device, site or administrator. ERR_LIMIT: too many are open. */
MUST_CHECK enum err hub_propose(struct hub *h, const struct hub_proposal *p, const char *says, int64_t *out_no, struct why *why);
/* Carry out what another proposed. ERR_NOTFOUND. ERR_REFUSED: one's own, the role, expired, decided, or the world
 * changed so that it would be something else. Errors of the act itself leave it open. *out_kind may be NULL. */
MUST_CHECK enum err hub_approve(struct hub *h, int64_t no, enum proposal_kind *out_kind, struct why *why);
MUST_CHECK enum err hub_refuse(struct hub *h, int64_t no, const char *reason, struct why *why);
/* `text` of a proposal as it was kept, and would be carried out: of a policy its text, of PROPOSE_ERASE_AGAIN the ids.
 * ERR_NOTFOUND: no such proposal, or of another kind than `kind`. */
MUST_CHECK enum err hub_proposal_text(struct hub *h, int64_t no, enum proposal_kind kind, struct buf *out, struct why *why);

/* ------------------------------------------------------------------------------------ for the hub's own files */

/* In the place of hub_begin, hub_commit and hub_abort around what may take two people. `needed`: it does, if the rule
 * is on. Begun with ERR_REFUSED (and no transaction) where it is not being approved. Whoever ends it with ERR_OK marks
 * the proposal as done. */
MUST_CHECK enum err two_begin(struct hub *h, bool needed, struct why *why);
MUST_CHECK enum err two_finish(struct hub *h, enum err e, struct why *why);
/* Does it take two now? The rule is on, and there are two: after a restore, which knows one administrator, that one
 * appoints others. */
MUST_CHECK enum err two_in_force(struct hub *h, bool *out, struct why *why);
/* Within a transaction. */
MUST_CHECK enum err rule_get(struct hub *h, const char *name, int64_t *out, struct why *why);

/* What is being carried out for another (struct hub). */
struct second {
    int64_t no;
    char who[ADMIN_NAME_BYTES + 1]; /* who proposed it */
    uint8_t slot[16];
    const struct hub_proposal *what;
    uint8_t hash[32];
    bool changed; /* the world is another one */
};

#endif
