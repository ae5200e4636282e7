/* A world of agencies, sites, people and cases in plain C, and who may see what in it by the matrix of the design.
 * Written apart from hub/policy.sql, so that the two can be held against each other. */
#ifndef SPOKE_TESTS_LIB_HUB_WORLD_H
#define SPOKE_TESTS_LIB_HUB_WORLD_H

#include "tests/lib/hub_fixture.h"

#define WORLD_AGENCIES 7
#define WORLD_SITES    12
#define WORLD_PEOPLE   8
#define WORLD_CASES    4
#define WORLD_ROWS     160

enum world_field {
    F_AREA,
    F_STATUS,
    F_LEAD,
    F_RESTRICTED,
    F_MEMBER,
    F_SITE,
    F_ACCESS,
    F_QUIET,
    F_SINCE,
    F_UNTIL,
    F_ROLE,
    F_PERSON,
    F_SENSITIVITY,
    F_NEEDS,
    F_OVERRIDE_AT,
    F_OVERRIDE_REASON,
    F_PROTECTED,
    F_SENSITIVE,
    F_SCHEME,
    F_TO,
    F_CONSENT,
    F_SCOPE,
    F_EXPIRES,
    F_ABOUT,
    F_SETTLED,
    F_KEPT,
    F_LOST,
    F_VOID,
    F_TEXT,
    F_COUNT
};
enum world_kind { KIND_SOCIAL, KIND_HEALTH, KIND_POLICE, KIND_EDUCATION, KIND_PROBATION, KIND_HOUSING };
enum world_site_kind { SITE_PARTNER, SITE_MASH, SITE_OUT_OF_HOURS };

struct world_row {
    const char *table;
    struct id id;
    int case_no;        /* in world.cases */
    int agency;         /* who wrote it */
    int64_t v[F_COUNT]; /* -1: NULL */
};
struct world_site {
    int agency;
    enum world_site_kind kind;
    unsigned areas;        /* bits; bit 7: all */
    struct id coverage[8]; /* rows of the bits that are set */
};
struct world {
    struct hub_fixture *f;
    enum world_kind agencies[WORLD_AGENCIES];
    int n_agencies;
    struct world_site sites[WORLD_SITES];
    int n_sites;
    struct {
        struct id id;
        int site;
    } people[WORLD_PEOPLE];
    int n_people;
    struct id cases[WORLD_CASES]; /* rows[case_row] is its case_file */
    int case_row[WORLD_CASES];
    int n_cases;
    struct world_row rows[WORLD_ROWS];
    int n_rows;
};

void world_new(struct world *w, struct hub_fixture *f);
/* A few random changes, within a step. `author`: the agency of the node that makes them, or -1. Returns the row that
 * was put or changed last, or -1. */
int world_change(struct world *w, int author);
int world_new_row(struct world *w, int author); /* -1: no case yet, or full */
void world_change_row(struct world *w, int at);
const char *world_site_code(int site, char out[8]);
/* The oracle. */
bool world_sees(const struct world *w, int site, const struct world_row *r);

#endif
