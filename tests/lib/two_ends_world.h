/* A hub with five real devices: ann (manager for north) and ada at the MASH room care-mash, pol and pat at police-hq,
 * sam at school-1. */
#ifndef SPOKE_TESTS_LIB_TWO_ENDS_WORLD_H
#define SPOKE_TESTS_LIB_TWO_ENDS_WORLD_H

#include "tests/lib/two_ends.h"

extern struct fake_hub *ends_hub;
extern struct ends_node *ann, *ada, *pol, *pat, *sam;
int ends_start(void **state); /* group set-up and tear-down */
int ends_stop(void **state);

struct ends_node *ends_device(const char *site, const char *agency, const char *user);
void ends_gone(struct ends_node *n);
void ends_all_sync(void);
/* A case of care that police and school contribute to, with one person "Smith", at all five; `parts`: of the police and
 * of the school. */
struct ends_case {
    uint8_t c[16], person[16], parts[2][16];
};
void ends_case(struct ends_case *k);
/* Commits the edit and sends it: the hub applies it. */
void ends_send(struct ends_node *n);
void ends_person(struct ends_node *n, const uint8_t case_id[16], uint8_t id[16], const char *family);
/* A round that brings `applied` of its own and gets `rows` from the hub; then both ends are the same. */
void ends_round(struct ends_node *n, uint64_t applied, uint64_t rows);
/* Nothing more comes, the cut stays, and a request waits at the hub. */
void ends_is_quiet(struct ends_node *n);
int64_t ends_count(const char *sql, const uint8_t id[16]); /* at the hub */
/* The newest held row of the case: ann accepts it. */
void ends_accept(const uint8_t case_id[16]);

#endif
