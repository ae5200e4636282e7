#include "tests/lib/talk.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

int dial(unsigned port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval patience = {.tv_sec = 4};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

void say(int fd, struct bytes v)
{
    while (v.n > 0) {
        ssize_t put = send(fd, v.p, v.n, MSG_NOSIGNAL);
        if (put <= 0) return; /* the server has hung up: what it said is for hear() */
        v.p += put;
        v.n -= (size_t)put;
    }
}

void hear(int fd, struct answer *a)
{
    size_t n = 0;
    *a = (struct answer){0};
    while (n < sizeof a->head - 1 && strstr(a->head, "\r\n\r\n") == NULL) {
        if (recv(fd, a->head + n, 1, 0) != 1) return;
        n++;
    }
    const char *length = strcasestr(a->head, "\r\ncontent-length:");
    size_t want = length == NULL ? 0 : (size_t)strtoul(length + 17, NULL, 10);
    assert_true(want < sizeof a->body);
    while (a->n < want) {
        ssize_t got = recv(fd, a->body + a->n, want - a->n, 0);
        if (got <= 0) return;
        a->n += (size_t)got;
    }
    (void)sscanf(a->head, "HTTP/1.1 %d", &a->status);
}

void talk(unsigned port, const char *head, struct bytes body, struct answer *a)
{
    int fd = dial(port);
    say(fd, bytes_of_str(head));
    say(fd, body);
    hear(fd, a);
    (void)close(fd);
}
