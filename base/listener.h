/* A listening socket of our own: libmicrohttpd does not say why it could not open one, and a person must know
 * whether the port is taken or the address is wrong. */
#ifndef SPOKE_BASE_LISTENER_H
#define SPOKE_BASE_LISTENER_H

#include "base/err.h"

#include <sys/stat.h>

/* Listen at "127.0.0.1:8470", "[::1]:8470" or "localhost:8470" (numeric otherwise; port 0 picks a free one). The
 * socket is non-blocking and the caller's to close; *out_port is the port it got. ERR_USAGE: no such address here;
 * ERR_BUSY: the port is taken; ERR_IO. */
MUST_CHECK enum err listener_open(const char *listen_at, int *out_fd, unsigned *out_port, struct why *why);

/* The path of "unix:/path", NULL where it is an address. */
const char *listener_path(const char *listen_at);
/* Listen at a path in the file system (unix(7)), which only its user and its group may open (mode 0660; a folder with
 * the set-group-ID bit gives its group). The socket of a server that has ended is replaced; nothing else is. The socket
 * is non-blocking and the caller's to close; *out_made says what stands there now, so that only that is removed at the
 * end. ERR_USAGE: no such place; ERR_EXISTS: something else stands there; ERR_BUSY: a server answers there; ERR_IO. */
MUST_CHECK enum err listener_open_path(const char *path, int *out_fd, struct stat *out_made, struct why *why);

#endif
