/* A tiny HTTP client: bytes as a test writes them, and the answer by its Content-Length. */
#ifndef SPOKE_TESTS_LIB_TALK_H
#define SPOKE_TESTS_LIB_TALK_H

#include "base/buf.h"

struct answer {
    int status;        /* 0: none came */
    char head[1024];   /* status line and header lines */
    char body[200000]; /* with a NUL behind it */
    size_t n;          /* bytes of body */
};
int dial(unsigned port);
void say(int fd, struct bytes v);
void hear(int fd, struct answer *a);
/* All three on a connection of its own. */
void talk(unsigned port, const char *head, struct bytes body, struct answer *a);

#endif
