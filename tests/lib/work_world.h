/* Cases on real devices at a real hub (two_ends_world.h), for the tests of what is decided in them (node/act_work.h):
 * ann has the duty manager and ada social_care, both at the MASH room of care; pol and pat are the police, sam is the
 * school. */
#ifndef SPOKE_TESTS_LIB_WORK_WORLD_H
#define SPOKE_TESTS_LIB_WORK_WORLD_H

#include "node/act_work.h"
#include "tests/lib/two_ends_world.h"

extern struct why work_why; /* of the act that was called last */
int work_start(void **state);
int work_stop(void **state);

/* A case of care as ends_case makes it, rated amber, received now, at all five. */
void work_case(struct ends_case *k);
/* The police or the school takes part with this access from now on (0: police, 1: school), at all five. */
void work_access(const struct ends_case *k, int member, const char *access);
/* The school leads from now on, at all five. */
void work_led_by_school(const struct ends_case *k);
/* care leads again, but only ann and the hub have heard of it. */
void work_lead_taken_back(const struct ends_case *k);

/* The act was refused with these words, and wrote nothing (nothing else waits to be sent). */
void work_refused(struct ends_node *n, enum err got, enum err want, const char *words);
/* The act was done; with the next contact the hub applies it, or holds it. Then both ends are the same. */
void work_applied(struct ends_node *n, enum err got);
void work_held(struct ends_node *n, enum err got);
/* Contact, and then the row's column says this ("-": the row is not there, "": nothing). */
void work_sees(struct ends_node *n, const char *table, const uint8_t id[16], const char *column, const char *want);
/* First column of the first row, as text; $1 is the id. "-": no row. */
void work_says(struct ends_node *n, const char *sql, const uint8_t id[16], const char *want);

#endif
