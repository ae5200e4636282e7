/* For the tools of tests/e2e: open a home by a passphrase file, as the programs do, or end with a message. */
#ifndef SPOKE_TESTS_LIB_HOME_H
#define SPOKE_TESTS_LIB_HOME_H

#include "hub/hub.h"
#include "node/node.h"

/* Print what went wrong and exit with its code; nothing on ERR_OK. */
void home_must(enum err e, const struct why *why);
/* First line of a file, in locked memory. */
struct secret home_passphrase(const char *file);
/* Whole file, appended. */
void home_read(const char *file, struct buf *out);
struct node *home_node(const char *home, const char *passphrase_file);
struct hub *home_hub(const char *home, const char *passphrase_file);

#endif
