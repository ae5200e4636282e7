/* A visit at the hub's door by a device made by hand (fake_node.h): a knock, its word that it was wiped, and what the
 * hub says. Anything unexpected fails the test. */
#ifndef SPOKE_TESTS_LIB_DOOR_VISIT_H
#define SPOKE_TESTS_LIB_DOOR_VISIT_H

#include "tests/lib/fake_node.h"

struct visit {
    struct buf request, answer, items;
    struct seal_header head;
    struct bundle_writer *w;
    uint8_t binding[32];
    struct door_answer said;
    struct order orders[8];
    size_t n_orders;
    struct bytes cose; /* of the last order, in answer */
};
void visit_start(struct visit *v, struct fake_node *n);
void visit_knock(struct visit *v, struct fake_node *n, const struct identity_secret *by);
void visit_wiped(struct visit *v, struct fake_node *n, const struct order *o, struct bytes cose, uint64_t unsent);
/* Once more, if it was sent. An answer is checked and read. */
enum err visit_send(struct visit *v, struct fake_node *n);
void visit_end(struct visit *v);
/* A whole one that is a knock. */
enum err visit_once(struct visit *v, struct fake_node *n, const struct identity_secret *by);
/* The wipe that this device is told of, and its word that it is done. */
enum err visit_confirm(struct fake_node *n, uint64_t unsent, struct visit *out);

/* Orders, and the device's state at the hub. */
void visit_order_lease(struct fake_node *n, uint64_t days);
void visit_order_wipe(struct fake_node *n, bool at_once);
const char *visit_state(struct fake_node *n, char out[16]);

#endif
