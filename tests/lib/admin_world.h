/* A hub of several administrators, opened in turns. Anything unexpected fails the test. */
#ifndef SPOKE_TESTS_LIB_ADMIN_WORLD_H
#define SPOKE_TESTS_LIB_ADMIN_WORLD_H

#include "hub/proposal.h"
#include "tests/lib/fake_node.h"

extern struct fake_hub *admin_hub; /* between admin_start and admin_stop; opened by "admin" */

int admin_start(void **state);
int admin_stop(void **state);
/* The passphrase of somebody, who is added under it. */
struct bytes admin_pass(const char *name);
void admin_add(const char *name, enum hub_role role);
/* Close the hub, and open it as somebody. */
void admin_as(const char *name);
enum err admin_try_as(const char *name, struct why *why);
/* Of the last act of this kind: who gave it, and who approved it ("" nobody). */
void admin_last_act(const char *act, char who[80], char second[80]);
void admin_log_holds(void);
int64_t admin_acts(const char *act);

#endif
