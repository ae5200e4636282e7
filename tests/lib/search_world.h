/* A device that is told rows and orders by the mock hub, and searches them: for the tests of node/search.h and
 * look_search. Anything unexpected fails the test. */
#ifndef SPOKE_TESTS_LIB_SEARCH_WORLD_H
#define SPOKE_TESTS_LIB_SEARCH_WORLD_H

#include "node/look.h"
#include "tests/lib/mock_hub.h"

/* What the next contact brings. Texts are borrowed. */
struct search_tell {
    enum op_kind kind;
    const char *table;
    unsigned id, case_id;
    const char *columns; /* "name=value;name=#1": as tests/lib/act_world.c has them; of an update those that change */
};
struct search_world {
    struct mock_world w;
    struct why why;
    int64_t now; /* Unix ms; the device's clock and the hub's */
};
void search_world_new(struct search_world *s);
void search_world_free(struct search_world *s);
void search_world_tell(struct search_world *s, const struct search_tell *rows, size_t n);
/* It goes, and the hub has the receipt. */
void search_world_drop(struct search_world *s, const char *table, unsigned id);
/* The row comes, and may be shown until then. */
void search_world_end(struct search_world *s, const struct search_tell *row, int64_t not_after);
void search_world_reopen(struct search_world *s); /* its clock says `now` from here on */

/* The answer to a search: free it. */
struct json *search_world_ask(struct search_world *s, const char *text);
/* How many hits there are. */
size_t search_world_hits(struct search_world *s, const char *text);
/* Is this row among the hits? */
bool search_world_finds(struct search_world *s, const char *text, const char *table, unsigned id);
/* How many words the index has that are this one, folded. */
int64_t search_world_in_index(struct search_world *s, const char *folded);

/* For tests that start alike: two cases with a few rows. Group set-up of cmocka, *state a struct search_world. */
extern const struct search_tell search_world_rows[6];
int search_world_set_up(void **state);
int search_world_tear_down(void **state);

#endif
