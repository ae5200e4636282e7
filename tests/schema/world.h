/* One hub and three nodes, each a program of its own version, and every value that anybody wrote. */
#ifndef SPOKE_TESTS_SCHEMA_WORLD_H
#define SPOKE_TESTS_SCHEMA_WORLD_H

#include "hub/hub.h"
#include "node/node.h"
#include "tests/schema/versions.h"

#define WORLD_NODES 3u

struct world_node {
    const char *site, *agency, *user;
    char home[300];
    struct node *node;
    uint64_t speaks; /* newest version that its program knows; 0: not enrolled yet */
};

/* A value that was saved, and where. Nobody writes the same place twice. */
struct world_cell {
    int table;
    size_t column;
    uint8_t id[16];
    int64_t number; /* the value is made from it */
};

struct world {
    char dir[256], hub_home[300];
    struct hub *hub;
    uint64_t hub_speaks;
    struct world_node nodes[WORLD_NODES];
    struct world_cell *cells; /* owned */
    size_t n_cells, cap;
    uint64_t random;
    int64_t next_number;
    size_t n_pages; /* answers that carried rows */
};

/* A hub of that version, with agencies, sites and people; no device yet. */
void world_new(struct world *w, uint64_t seed, uint64_t hub_speaks);
void world_free(struct world *w);
uint64_t world_random(struct world *w);

/* A device whose program is of that version joins. The first makes the cases, as soon as it is there. */
void world_enrol(struct world *w, size_t who, uint64_t speaks);
void world_cases(struct world *w);
/* The program is updated. */
void world_update_hub(struct world *w, uint64_t speaks);
void world_update_node(struct world *w, size_t who, uint64_t speaks);

/* A few entries and changes, in whatever columns the store has; a column that its program knows and its store does not
 * have yet must be refused. */
void world_edit(struct world *w, size_t who);
/* Rounds with the hub: all that there is to say; or one round of little content. */
enum err world_sync(struct world *w, size_t who, struct why *why);
enum err world_short_round(struct world *w, size_t who, struct why *why);

/* Rounds whose verdicts and conflicts nobody asks for. */
enum err world_sync_any(struct world *w, size_t who, struct why *why);
/* The one number that a question to a node's store, or to the hub's (who = WORLD_NODES), answers. */
int64_t world_ask(struct world *w, size_t who, const char *sql);
/* Run a person's statements on a node, as one edit. */
void world_write(struct world *w, size_t who, const char *const *sql, size_t n);

/* The version of a node's store. */
uint64_t world_schema(struct world *w, size_t who);
uint64_t world_unsent(struct world *w, size_t who);
/* How many of the saved values are not at the hub (who = WORLD_NODES) or at a node, or not as they were saved. */
size_t world_missing(struct world *w, size_t who);
/* Everybody exchanges everything; then every value must be everywhere, and all stores sound. */
void world_settle_and_judge(struct world *w);

#endif
