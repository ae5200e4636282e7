/* What kept this device from the MASH, in words for people: what happened, what it means, what to do next.
 *
 * What only whoever looks after Spoke can use stands apart from that, at the end of `next` behind TROUBLE_DETAIL:
 * the word of the library below, a status, the name of a command. */
#ifndef SPOKE_NODE_TROUBLE_H
#define SPOKE_NODE_TROUBLE_H

#include "base/err.h"

#include <stddef.h>

#define TROUBLE_DETAIL "Detail for support: "

enum trouble {
    TROUBLE_NO_NETWORK,  /* this computer has none */
    TROUBLE_NO_NAME,     /* nobody knows the hub's name there */
    TROUBLE_REFUSED,     /* a computer is there, and no hub on it */
    TROUBLE_TIMEOUT,     /* silence */
    TROUBLE_CERTIFICATE, /* the other end does not prove who it is, or this clock is wrong */
    TROUBLE_BROKE,       /* in the middle */
    TROUBLE_BUSY,        /* the hub is there and takes nothing in */
    TROUBLE_STRANGER,    /* something answers in the hub's place */
    TROUBLE_ADDRESS,     /* what was given as the address is none */
    TROUBLE_OTHER,
    TROUBLES
};

/* Sets the words and returns ERR_UNREACHABLE. `detail` may be NULL. */
enum err trouble_say(enum trouble t, const char *detail, struct why *why);
/* What layers below say in half sentences, or in words of theirs ("the disk is full: FILE could not be written"),
 * becomes a sentence of the kind above by its code, and stands behind it as the detail. Whole sentences stay.
 * Returns `e`. */
enum err trouble_plain(enum err e, struct why *why);
/* Where the detail begins in `next`; NULL: there is none. */
const char *trouble_detail(const char *next);
/* Bytes of `next` before that: what is to be done. */
size_t trouble_advice(const char *next);

#endif
