/* The text exposition format of Prometheus, version 0.0.4: families of samples. */
#ifndef SPOKE_CLI_PROM_H
#define SPOKE_CLI_PROM_H

#include "base/buf.h"

/* A family begins; its samples follow without others between them. type: counter, gauge, histogram. Neither text may
 * hold a line end or a backslash. */
void prom_family(struct buf *b, const char *name, const char *type, const char *help);
struct prom_label {
    const char *name, *value; /* the value may be anything: it is escaped, and what is no UTF-8 becomes U+FFFD */
};
/* labels end with name NULL; NULL: none. */
void prom_int(struct buf *b, const char *name, const struct prom_label *labels, int64_t value);
/* So many thousandths, or millionths (`digits` 3 or 6) of a unit. */
void prom_fixed(struct buf *b, const char *name, const struct prom_label *labels, int64_t value, unsigned digits);

#endif
