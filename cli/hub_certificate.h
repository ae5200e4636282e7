/* When a certificate of TLS ends. */
#ifndef SPOKE_CLI_HUB_CERTIFICATE_H
#define SPOKE_CLI_HUB_CERTIFICATE_H

#include "base/env.h"

/* notAfter of the first certificate in a PEM file, which is the server's own where a chain follows. ERR_NOTFOUND,
 * ERR_IO; ERR_FORMAT: no certificate is in it. */
MUST_CHECK enum err hub_certificate_ends(const struct env *env, const char *path, int64_t *out_ms, struct why *why);

#endif
