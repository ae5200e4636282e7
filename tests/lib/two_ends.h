/* Real devices with a replica each, and a real hub, in one process: what a device shows after a round is compared with
 * what the hub has for its site. Goes with fake_hub (fake_node.h); anything unexpected fails the test. */
#ifndef SPOKE_TESTS_LIB_TWO_ENDS_H
#define SPOKE_TESTS_LIB_TWO_ENDS_H

#include "node/node.h"
#include "tests/lib/fake_node.h"

struct ends_node {
    struct fake_hub *f;
    struct node *n;
    char dir[64], home[80];
    char site[64], agency[64];
    uint8_t user[16], kid[KID_BYTES];
    bool lose_answer; /* the next one, once the hub has given it */
    bool parked;      /* the hub kept the last request for a while: it had nothing to say */
    uint64_t budget;  /* of page content; 0: the usual */
    unsigned rounds;  /* of the next sync at most; 0: until all is done */
};
void ends_enrol(struct ends_node *n, struct fake_hub *f, const char *site, const char *agency, const char *user);
void ends_release(struct ends_node *n); /* removes its folder */
/* Keep a copy of the home in `to`, an empty folder; put it back from there. The device is closed and opened. */
void ends_keep(struct ends_node *n, const char *to);
void ends_put_back(struct ends_node *n, const char *from);

/* Once: a result as asked for, or no answer. */
struct round_result ends_sync(struct ends_node *n, enum err want);
/* Request out, answer in, as a courier takes them. */
void ends_export(struct ends_node *n, struct buf *request);
struct round_result ends_import(struct ends_node *n, struct bytes request);

/* A new row of this device's agency, all else NULL; a text of it. Values borrow from their arguments. */
struct row ends_row(const struct ends_node *n, const char *table, const uint8_t id[16], const uint8_t case_id[16]);
void ends_text(struct row *r, const char *column, const char *v);
/* One edit: begun, filled, committed. */
void ends_begin(struct ends_node *n);
void ends_put(struct ends_node *n, const struct row *r);
void ends_set(struct ends_node *n, const char *table, const uint8_t id[16], const char *column, struct value v);
uint64_t ends_commit(struct ends_node *n);
/* All three in one. */
uint64_t ends_write(struct ends_node *n, const char *table, const uint8_t id[16], const char *column, const char *v);

/* The device holds exactly the rows that its site may see, value for value, and its overlay is sound. */
void ends_same_line(struct ends_node *n, const char *file, int line);
#define ends_same(n) ends_same_line(n, __FILE__, __LINE__)
void ends_shows(struct ends_node *n, const char *table, const uint8_t id[16], const char *column, const char *want);
void ends_cursor(struct ends_node *n, uint8_t out[CUT_BYTES]);

#endif
