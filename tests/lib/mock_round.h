/* One round by file, step by step: the request that waits, an answer to it that a test can bend, and its import. */
#ifndef SPOKE_TESTS_MOCK_ROUND_H
#define SPOKE_TESTS_MOCK_ROUND_H

#include "tests/lib/mock_hub.h"

#define MOCK_SECRET "Ystumtuen-Blaencwmystwyth" /* family name of person p */

struct mock_round {
    struct mock_world w;
    struct mock_request req; /* the pending one */
    struct mock_answer a;    /* its answer, not sealed yet: a page with a case and two persons */
    uint8_t c[16], p[16], q[16];
    struct buf sealed;
};

void mock_round_start(struct mock_round *s); /* a world, its first request, an answer with rows */
void mock_round_stop(struct mock_round *s);
void mock_round_ask(struct mock_round *s);      /* read the waiting request anew and begin an answer to it */
void mock_round_add_rows(struct mock_round *s); /* case c with persons p and q */
void mock_round_seal(struct mock_round *s);
struct round_result mock_round_import(struct mock_round *s, enum err want);
/* The import is refused with `want`; rows, cursor and numbers are as before. */
void mock_round_refuses(struct mock_round *s, enum err want);

#endif
