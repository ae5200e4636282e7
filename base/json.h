/* JSON for people's tools: what the commands print and what they read back. The only room where <jansson.h> is seen.
 *
 * Building never needs a check in between: a value that could not be made (no memory) marks the value that it was put
 * into, up to the root, and json_print or json_write then fails with ERR_NOMEM instead of printing half. Strings and
 * keys need not be valid UTF-8: each bad byte becomes U+FFFD. Objects keep the order in which they were filled. */
#ifndef SPOKE_BASE_JSON_H
#define SPOKE_BASE_JSON_H

#include "base/buf.h"

#include <stdio.h>

struct json; /* opaque: one JSON value */

/* Building. Every function takes NULL for `o` and `a`. A child handed over is owned by its new parent: do not touch it
 * again. Setting a key twice replaces the value. */
struct json *json_object_new(void);                                     /* {}; NULL without memory */
struct json *json_array_new(void);                                      /* []; NULL without memory */
void json_set_str(struct json *o, const char *key, const char *s);      /* s NULL: null */
void json_set_text(struct json *o, const char *key, struct bytes text); /* zero bytes are kept */
void json_set_int(struct json *o, const char *key, int64_t v);
void json_set_real(struct json *o, const char *key, double v); /* not finite: null */
void json_set_bool(struct json *o, const char *key, bool v);
void json_set_null(struct json *o, const char *key);
void json_set_obj(struct json *o, const char *key, struct json *child); /* takes child: object or array */
void json_append(struct json *a, struct json *child);                   /* takes child: object or array */
void json_append_str(struct json *a, const char *s);                    /* s NULL: null */
void json_append_int(struct json *a, int64_t v);
void json_free(struct json *j); /* NULL is fine */

/* One line and a newline to f; does not take j. ERR_NOMEM: the value is incomplete; ERR_IO: f would not take it. */
MUST_CHECK enum err json_print(const struct json *j, FILE *f, struct why *why);
/* The same text without the newline, appended to out. ERR_NOMEM, ERR_LIMIT. */
MUST_CHECK enum err json_write(const struct json *j, struct buf *out, struct why *why);

/* Reading. One value and nothing after it, no key twice, no zero bytes in strings. ERR_FORMAT. Free *out. */
MUST_CHECK enum err json_parse(struct bytes in, struct json **out, struct why *why);
/* Looking. Everything returned is borrowed and lives as long as `j`. NULL `j`, another type, a missing key or place
 * give NULL, 0 or `absent`, so looks can be chained. */
struct json *json_get(struct json *j, const char *key);    /* member of an object */
struct json *json_at(struct json *j, size_t i);            /* item of an array */
size_t json_len(const struct json *j);                     /* members or items */
const char *json_as_str(const struct json *j);             /* j itself, if a string */
int64_t json_as_int(const struct json *j, int64_t absent); /* j itself, if an integer */
const char *json_get_str(const struct json *j, const char *key);
int64_t json_get_int(const struct json *j, const char *key, int64_t absent);
double json_get_real(const struct json *j, const char *key, double absent); /* integers too */
bool json_get_bool(const struct json *j, const char *key, bool absent);
bool json_has(const struct json *j, const char *key); /* also when it is null */
bool json_holds_null(const struct json *j);           /* j itself; NULL is none */
bool json_holds_object(const struct json *j);

#endif
