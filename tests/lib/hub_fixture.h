/* A hub's store in a temporary directory, with agencies, sites, rows and simulated nodes, below the protocol: sight,
 * serving and drops are driven directly. Everything asserts: a failure of the fixture is a failure of the test. */
#ifndef SPOKE_TESTS_LIB_HUB_FIXTURE_H
#define SPOKE_TESTS_LIB_HUB_FIXTURE_H

#include "hub/sight.h"

struct id {
    uint8_t b[16];
};

struct hub_fixture {
    char dir[256];
    char path[320];
    char store[640]; /* path, or the URL of a schema (tests/lib/test_store.h) */
    struct secret key;
    struct env env;
    int64_t clock;  /* what env says the time is */
    int64_t steady; /* what its steady clock says, from hub_fixture_steady on; until then it has none */
    uint64_t rng;  /* what env's randomness comes from */
    int next_id;
    struct hub h;
    struct actor hub; /* the hub itself */
};
/* Every random byte of hub and fixture comes from `seed`. Keys are real ones. */
struct hub_fixture *hub_fixture_new(uint64_t seed);
void hub_fixture_free(struct hub_fixture *f);
/* As after a kill: what was not committed is gone, and so are the views that lay beside the store. */
void hub_fixture_kill(struct hub_fixture *f);
uint64_t hub_fixture_random(struct hub_fixture *f, uint64_t below);

/* From here the hub has a steady clock. */
void hub_fixture_steady(struct hub_fixture *f);

/* A transaction as hub_begin and hub_commit make it. */
void hub_fixture_begin(struct hub_fixture *f);
void hub_fixture_commit(struct hub_fixture *f);
/* Transaction and step together; settle ends both and then verifies the whole hub. */
void hub_fixture_step(struct hub_fixture *f);
void hub_fixture_settle(struct hub_fixture *f);
int64_t hub_fixture_number(struct hub_fixture *f, const char *sql); /* first column of the first row; 0 without one */
void hub_fixture_sql(struct hub_fixture *f, const char *sql);

/* Within a step. */
void hub_fixture_agency(struct hub_fixture *f, const char *code, const char *kind);
void hub_fixture_site(struct hub_fixture *f, const char *code, const char *agency, const char *kind, const char *area);
struct id hub_fixture_id(struct hub_fixture *f);
/* "column", "value", …, NULL: text columns as they are, "#n" an integer, "@" followed by 32 hex digits an id. A
 * case_file with case zero becomes its own case. */
struct id hub_fixture_row(struct hub_fixture *f, const char *table, struct id case_id, const char *agency, ...);
struct id hub_fixture_row_by(struct hub_fixture *f, const struct actor *by, struct id id, const char *table,
                             struct id case_id, const char *agency, const char *const *pairs);
void hub_fixture_set(struct hub_fixture *f, const char *table, struct id id, const char *column, const char *value);
const char *hub_fixture_hex(struct id id, char out[34]); /* "@…" for pairs */

/* A small town, in a step of its own. Agencies council (social_care), health, police, school (education). Sites:
 * mash (council, covers all), office (council, partner, all), gp and ward (health, north), far (health, south),
 * station (police, all), class (school, north), night (council, out of hours, all). */
void hub_fixture_town(struct hub_fixture *f);
/* A case in the north, led by the council, status new; within a step. */
struct id hub_fixture_case(struct hub_fixture *f);
struct id hub_fixture_share(struct hub_fixture *f, struct id case_id, const char *member, const char *access);

/* By mask, after asserting that the view says the same. */
bool hub_fixture_sees(struct hub_fixture *f, const char *site, const char *table, struct id id);

/* ---- simulated nodes: what a device holds when it does what it is told ---- */
struct fixture_row {
    int tbl;
    uint8_t id[16];
    struct buf cbor; /* row_put_cbor */
    uint64_t not_after; /* 0: no end was told */
};
struct fixture_answer {
    bool waiting; /* made by the hub, not yet taken by the node */
    struct buf drops, pages;
    uint8_t cut[16];
    bool more;
    uint64_t request, n_drops;
};
struct fixture_node {
    struct hub_node n;
    uint64_t request;
    uint8_t cursor[16];
    struct fixture_answer answer;
    struct fixture_row *rows;
    size_t n_rows, cap_rows;
    uint64_t got_rows, got_columns, got_drops; /* operations taken so far */
    uint8_t drops_hash[32];
};
/* Enrols: outside a transaction. */
struct fixture_node *hub_fixture_node(struct hub_fixture *f, const char *site);
void hub_fixture_node_free(struct fixture_node *n);
/* The hub makes an answer (drops, then a page), which waits at the node. Asserts that each row sent is one that the
 * site may see, by mask and by view. Only when none waits. */
void hub_fixture_ask(struct hub_fixture *f, struct fixture_node *n, uint64_t budget);
/* The node takes it: verifies, drops first, then pages, then the cursor. */
void hub_fixture_take(struct hub_fixture *f, struct fixture_node *n);
/* Ask and take until there is no more. */
void hub_fixture_pull(struct hub_fixture *f, struct fixture_node *n, uint64_t budget);
bool hub_fixture_holds(const struct fixture_node *n, const char *table, struct id id);
/* The node wrote the row itself: into its tables now, and named at the hub (within the step). */
void hub_fixture_node_wrote(struct hub_fixture *f, struct fixture_node *n, const char *table, struct id id);
/* Holds exactly the rows that its site may see, as the hub has them. */
void hub_fixture_is_exact(struct hub_fixture *f, struct fixture_node *n);

#endif
