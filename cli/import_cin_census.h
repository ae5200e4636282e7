/* A Children in Need census return as read: what of it we take, checked, before anything is written.
 *
 * Element names and codes follow CIN_schema_2024 (Department for Education); older returns use the same names. */
#ifndef SPOKE_CLI_IMPORT_CIN_CENSUS_H
#define SPOKE_CLI_IMPORT_CIN_CENSUS_H

#include "base/buf.h"

#define CIN_MAX_FILE (64u << 20)  /* bytes of a return */
#define CIN_MAX_EVENTS 1000u      /* episodes of one referral: bounds the rows of a case */

struct cin_date {
    char iso[11]; /* "YYYY-MM-DD"; "" when absent */
    int64_t ms;   /* midnight UTC; 0 when absent */
};
struct cin_code { char v[8]; };   /* "" when absent */
enum cin_answer { CIN_UNSAID, CIN_NO, CIN_YES };
struct cin_codes {
    struct cin_code *v; /* owned */
    size_t n, cap;
};

enum cin_kind { CIN_CONFERENCE, CIN_ASSESSMENT, CIN_SECTION_47, CIN_PLAN, CIN_PLAN_REVIEW, CIN_CIN_PLAN };
/* Something dated that happened within a referral. */
struct cin_episode {
    enum cin_kind kind;
    struct cin_date start, target, end;
    enum cin_answer no_conference;          /* section 47: a conference was not required */
    struct cin_code first_abuse, last_abuse; /* plan: categories */
    struct cin_code previous;               /* plan: number of earlier plans */
    struct cin_codes factors;               /* assessment */
};
/* One CINdetails: one referral, one case. */
struct cin_referral {
    int line;
    struct cin_date received, closed, conference;
    struct cin_code source, need, closure;
    enum cin_answer nfa;
    struct cin_episode *episodes; /* owned */
    size_t n, cap;
};
struct cin_child {
    int line;
    char la_id[64];      /* number of the child at the local authority; never empty in a finished census */
    char upn[16], former_upn[16];
    struct cin_code upn_unknown, sex, ethnicity;
    struct cin_date born, expected, died;
    struct cin_codes disabilities;
    struct cin_referral *referrals; /* owned */
    size_t n, cap;
};
/* Something left out, or worth a look. */
struct cin_note {
    int line;
    const char *what; /* static text, no content */
};
struct cin_notes {
    struct cin_note *v; /* owned */
    size_t n, cap;
};
struct cin_census {
    struct cin_child *children; /* owned */
    size_t n, cap;
    size_t referrals;           /* in all children */
    struct cin_notes left_out;  /* each an item or a referral that is not taken */
    struct cin_notes warnings;  /* UPNs that fail their check letter: taken as they stand */
};

/* Read a return. On failure *out is untouched. ERR_FORMAT: not well-formed, with a document type or entities, or no
 * Children in Need census; ERR_LIMIT: over CIN_MAX_FILE. Release with cin_release. */
MUST_CHECK enum err cin_read(struct bytes xml, struct cin_census *out, struct why *why);
void cin_release(struct cin_census *c);

/* Does a unique pupil number have its shape and check letter? */
bool cin_upn_ok(const char *upn);
/* "assessment", "section_47", ...: episode.kind */
const char *cin_kind_word(enum cin_kind k);

#endif
