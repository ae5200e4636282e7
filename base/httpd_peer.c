#include "base/httpd_peer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 512
#define ADDRESS_CHARS  40 /* of IPv6 in hex, ':', the port, and the NUL */

/* As the kernel writes it: each 32 bits of the address as this machine reads them, then the port. */
static void print_address(char out[ADDRESS_CHARS], const union peer_address *a)
{
    uint32_t w[4] = {a->v4.sin_addr.s_addr};
    unsigned port = ntohs(a->v4.sin_port);
    if (a->any.sa_family != AF_INET6) {
        (void)snprintf(out, ADDRESS_CHARS, "%08" PRIX32 ":%04X", w[0], port);
        return;
    }
    memcpy(w, &a->v6.sin6_addr, sizeof w);
    port = ntohs(a->v6.sin6_port);
    (void)snprintf(out, ADDRESS_CHARS, "%08" PRIX32 "%08" PRIX32 "%08" PRIX32 "%08" PRIX32 ":%04X", w[0], w[1], w[2],
                   w[3], port);
}

/* Of an open one alone (state 01): what its owner has closed is told as root's. */
bool peer_line(const char *line, const union peer_address *from, const union peer_address *to, uint32_t *out_uid)
{
    char local[ADDRESS_CHARS] = "", remote[ADDRESS_CHARS] = "", want_local[ADDRESS_CHARS], want_remote[ADDRESS_CHARS];
    unsigned state = 0;
    uint32_t uid = 0;
    print_address(want_local, from);
    print_address(want_remote, to);
    if (sscanf(line, " %*u: %39[0-9A-F:] %39[0-9A-F:] %2X %*8X:%*8X %*2X:%*8X %*8X %" SCNu32, local, remote, &state,
               &uid) != 4)
        return false;
    if (state != 1 || strcmp(local, want_local) != 0 || strcmp(remote, want_remote) != 0) return false;
    *out_uid = uid;
    return true;
}

static bool look_up(const char *path, const union peer_address *from, const union peer_address *to, uint32_t *out_uid)
{
    char line[LINE_MAX_BYTES];
    bool found = false;
    FILE *f = fopen(path, "re");
    if (f == NULL) return false;
    while (!found && fgets(line, sizeof line, f) != NULL) found = peer_line(line, from, to, out_uid);
    (void)fclose(f);
    return found;
}

/* A program may reach an IPv4 address by a socket of IPv6. */
static union peer_address mapped(const union peer_address *a)
{
    union peer_address m = {.v6 = {.sin6_family = AF_INET6, .sin6_port = a->v4.sin_port}};
    m.v6.sin6_addr.s6_addr[10] = m.v6.sin6_addr.s6_addr[11] = 0xff;
    memcpy(&m.v6.sin6_addr.s6_addr[12], &a->v4.sin_addr, 4);
    return m;
}

bool peer_is_own_user(const union peer_address *from, const union peer_address *to)
{
    uint32_t uid = 0;
    bool found = false;
    if (from->any.sa_family != to->any.sa_family) return false;
    if (from->any.sa_family == AF_INET) {
        const union peer_address from6 = mapped(from), to6 = mapped(to);
        found = look_up("/proc/net/tcp", from, to, &uid) || look_up("/proc/net/tcp6", &from6, &to6, &uid);
    } else if (from->any.sa_family == AF_INET6) {
        found = look_up("/proc/net/tcp6", from, to, &uid);
    }
    return found && uid == (uint32_t)geteuid();
}
