/* A hub with four devices, for the tests of intake: what they send, and what became of it. */
#ifndef SPOKE_TESTS_LIB_INTAKE_FIXTURE_H
#define SPOKE_TESTS_LIB_INTAKE_FIXTURE_H

#include "tests/lib/fake_node.h"

extern struct fake_hub *hub;
/* At the MASH room care-mash: carla, and mona who is manager for north. paul at police-hq, sue at school-1. */
extern struct fake_node *carla, *mona, *paul, *sue;
int intake_start(void **state); /* group set-up and tear-down */
int intake_stop(void **state);

struct fake_node *device(const char *site, const char *agency, const char *user);
void everybody_pulls(void);
void shared_case(uint8_t id[16]); /* led by care; police and school contribute; all four have it */
void put_person(struct fake_node *n, const uint8_t case_id[16], uint8_t id[16]);
struct op new_record(const struct fake_node *n, uint8_t id[16], const uint8_t case_id[16], const char *sensitivity);
struct op part_of(const struct fake_node *n, uint8_t id[16], const uint8_t case_id[16], const char *member,
                  const char *access);

const struct fake_verdict *send_one(struct fake_node *n, const struct op *op);
/* One column, from NULL. */
const struct fake_verdict *change(struct fake_node *n, const char *table, const uint8_t id[16], const char *column,
                                  const char *v);
/* The same from the value that the author saw. */
const struct fake_verdict *change_from(struct fake_node *n, const char *table, const uint8_t id[16], const char *column,
                                       const char *old, const char *v);
void says(const struct fake_verdict *v, enum verdict want, const char *words);

bool at_hub(const char *table, const uint8_t id[16]);
void text_at_hub(const char *table, const uint8_t id[16], const char *column, const char *want);
void id_of(const char *sql, const uint8_t case_id[16], uint8_t out[16]);
int64_t count_in(const char *sql, const uint8_t case_id[16]);
void verifies(void); /* masks and views agree */
#define CONFLICTS "SELECT count(*) FROM conflict WHERE case_id = $1"
#define HELD      "SELECT count(*) FROM held WHERE case_id = $1 AND state = 'waiting'"

#endif
