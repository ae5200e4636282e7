/* The pages themselves: files that were compiled in (cmake/web.cmake). */
#ifndef SPOKE_CLI_SERVE_FILES_H
#define SPOKE_CLI_SERVE_FILES_H

#include "base/httpd.h"

/* One file and its twin, compressed with gzip. */
struct serve_asset {
    const char *path; /* "/app-0f3c9a2b.js"; NULL ends the list */
    const unsigned char *plain, *plain_end;
    const unsigned char *gz, *gz_end;
};
extern const struct serve_asset serve_assets[];

/* A path that may be looked for: as it came, still encoded, without the query. Encoded or doubled slashes, "..",
 * control bytes and what is longer than any of ours are no paths. */
bool serve_path_ok(const char *target);
/* Answer GET of a page: a file of this name, else the page itself, which finds its way by the address. */
void serve_file(const struct serve_asset *assets, const struct http_request *req, struct http_reply *reply);

#endif
