/* Many short secrets, searched for in many bytes: each as it is and in the forms in which programs tend to write text
 * (UTF-16, hexadecimal, base64 at each of its three offsets). Aborts without memory. */
#ifndef SPOKE_TESTS_LIB_NEEDLES_H
#define SPOKE_TESTS_LIB_NEEDLES_H

#include "base/buf.h"

#define NEEDLE_MIN 6u    /* bytes: shorter strings stand anywhere by chance */
#define NEEDLE_MAX 1024u /* bytes of any form */

struct needle {
    uint8_t *bytes; /* owned */
    size_t n;
    const char *what; /* what it is: never the secret itself */
    const char *form; /* "as it is", "in base64", … */
    uint64_t seen;    /* the look that found it last */
    uint32_t next;    /* index + 1 in the same bucket */
};

struct needles {
    struct needle *v; /* owned */
    size_t n, cap;
    char **names; /* owned, with the strings */
    size_t n_names;
    size_t longest;
    uint64_t looks;
    uint32_t *bucket; /* owned; index + 1 of the first */
    uint8_t *filter;  /* owned; a bit for each hash of the first bytes of a needle */
};

void needles_init(struct needles *s);
void needles_release(struct needles *s); /* wipes */
/* Add a secret in all its forms; `what` is copied. false: too short or too long to be searched for. */
bool needles_add(struct needles *s, const char *what, struct bytes secret);
/* Each needle that stands in `in` is reported once, with the place of its first occurrence. */
typedef void (*needle_fn)(void *ctx, const struct needle *x, size_t at);
void needles_look(struct needles *s, struct bytes in, needle_fn found, void *ctx);

#endif
