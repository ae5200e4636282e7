/* An act that a page asks for again, because the first answer was lost, is done once. */
#ifndef SPOKE_CLI_SERVE_ONCE_H
#define SPOKE_CLI_SERVE_ONCE_H

#include "cli/serve.h"

/* Runs the route; an act whose body has an id of its own (`once`: 32 hex digits) only if it was not done before: then
 * it is answered as it was. ERR_EXISTS: it was done, and what was answered is not known. ERR_USAGE: no such id, or one
 * under which something else was asked. */
MUST_CHECK enum err serve_once(struct serve_call *c, serve_fn run, struct why *why);

#endif
