/* The headers of a request and of its answer; between base/httpd.c and libmicrohttpd. */
#ifndef SPOKE_BASE_HTTPD_HEAD_H
#define SPOKE_BASE_HTTPD_HEAD_H

#include "base/httpd.h"

#include <microhttpd.h>

/* Could two programs read this request as two different ones? MHD takes all of these as they come. */
bool httpd_ambiguous(struct MHD_Connection *conn, const char *target, const char *version);
uint64_t httpd_range(struct MHD_Connection *conn); /* http_request.range_from */
uint64_t httpd_wait(struct MHD_Connection *conn);  /* http_request.wait_s */
void httpd_fields(struct MHD_Connection *conn, const char *out[HTTP_HEADERS]);

/* What the handler set. *out_cached becomes true when it said how long the answer may be kept. false: no memory. */
bool httpd_add_fields(struct MHD_Response *r, const struct buf *head, bool *out_cached);
/* RFC 9110 §14.4. What a 206 carries runs from `from` to the end. */
void httpd_add_range(struct MHD_Response *r, uint64_t from, size_t n);

#endif
