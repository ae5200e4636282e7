/* Whose program is at the other end of a connection on this computer? */
#ifndef SPOKE_BASE_HTTPD_PEER_H
#define SPOKE_BASE_HTTPD_PEER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

union peer_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* Does a line of /proc/net/tcp (tcp6 where the addresses are of IPv6) tell of the open connection from `from` to `to`?
 * Then *out_uid is whose it is. */
bool peer_line(const char *line, const union peer_address *from, const union peer_address *to, uint32_t *out_uid);
/* Is the connection that came from `from` to `to` a program's of the user who runs this one? false where the system
 * does not say, as for one that was closed at once. Both addresses are of one family, and of this computer. */
bool peer_is_own_user(const union peer_address *from, const union peer_address *to);

#endif
