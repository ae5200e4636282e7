/* Which elements of a census return stand where, and what each is read as. */
#ifndef SPOKE_CLI_IMPORT_CIN_TABLE_H
#define SPOKE_CLI_IMPORT_CIN_TABLE_H

#include "cli/import_cin_census.h"

enum place {
    TOP, MESSAGE, HEADER, COLLECTION, CHILDREN, CHILD, IDS, TRAITS, DISABILITIES, REFERRAL,
    ASSESSMENT, FACTORS, CIN_PLANS, SECTION_47, PLAN, REVIEWS,
};
enum leaf_kind {
    LEAF_DATE, LEAF_CODE, LEAF_SEX, LEAF_CODES, LEAF_ANSWER, LEAF_ID, LEAF_UPN, LEAF_COUNT, LEAF_REVIEW,
    LEAF_COLLECTION,
};
struct leaf {
    enum place in;
    const char *name;
    enum leaf_kind kind;
    size_t at;          /* offset in the struct that `in` fills */
    const char *codes;  /* LEAF_CODE, LEAF_SEX, LEAF_CODES: "|A|B|" */
    const char *fault;  /* said when the content does not fit; NULL: whoever closes the place says it */
};

/* The place that an element of this name opens within `in`; TOP: none. */
enum place cin_place(enum place in, const char *name);
/* The leaf that it is; NULL: none. Static storage. */
const struct leaf *cin_leaf(enum place in, const char *name);

#endif
