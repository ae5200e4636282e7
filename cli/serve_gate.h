/* HOME/serve.sock: by it `spoke lock` ends what is open in browsers, and nobody serves a home twice. It speaks frames
 * of node/agent.h: lock → done. HOME/serve.address is where the pages are, for `spoke open`. */
#ifndef SPOKE_CLI_SERVE_GATE_H
#define SPOKE_CLI_SERVE_GATE_H

#include "base/err.h"

#include <sys/stat.h>

#define SERVE_ADDRESS_MAX 200

struct serve_gate {
    int fd; /* listening; to be polled for reading */
    struct stat place;
    char path[1300];
    char address_path[1300];
};
/* ERR_BUSY: somebody serves this home already; ERR_IO: this file system or computer has no sockets; ERR_LIMIT. */
MUST_CHECK enum err serve_gate_open(struct serve_gate *g, const char *home, const char *address, struct why *why);
void serve_gate_close(struct serve_gate *g);
/* Somebody called: true, they said to lock (and wait for what `done` answers). */
struct serve_caller {
    int fd; /* -1: nobody */
};
bool serve_gate_called(const struct serve_gate *g, struct serve_caller *out);
void serve_gate_done(struct serve_caller *c); /* everything is locked */
/* Is the socket still where `spoke lock` looks for it? */
bool serve_gate_stands(const struct serve_gate *g);

/* For commands. Lock what is open in browsers; *out_was: somebody served. */
MUST_CHECK enum err serve_gate_lock(const char *home, bool *out_was, struct why *why);
/* Where the pages of this home are. ERR_NOTFOUND: nobody serves them. */
MUST_CHECK enum err serve_gate_where(const char *home, char out[SERVE_ADDRESS_MAX], struct why *why);

#endif
