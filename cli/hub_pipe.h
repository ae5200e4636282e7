/* The two halves of a move at once (hub_pipe of hub/move.h): one in a thread of its own, with a pair of sockets
 * between them. What goes through lies in memory alone: it holds the keys and texts of a hub. */
#ifndef SPOKE_CLI_HUB_PIPE_H
#define SPOKE_CLI_HUB_PIPE_H

#include "hub/move.h"

struct hub_pipe hub_pipe(void);

#endif
