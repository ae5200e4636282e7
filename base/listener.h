/* A listening TCP socket of our own: libmicrohttpd does not say why it could not open one, and a person must know
 * whether the port is taken or the address is wrong. */
#ifndef SPOKE_BASE_LISTENER_H
#define SPOKE_BASE_LISTENER_H

#include "base/err.h"

/* Listen at "127.0.0.1:8470", "[::1]:8470" or "localhost:8470" (numeric otherwise; port 0 picks a free one). The
 * socket is non-blocking and the caller's to close; *out_port is the port it got. ERR_USAGE: no such address here;
 * ERR_BUSY: the port is taken; ERR_IO. */
MUST_CHECK enum err listener_open(const char *listen_at, int *out_fd, unsigned *out_port, struct why *why);

#endif
