/* Lines of a server's log: one event each, one write each, in logfmt (key=value, values quoted where they must be) or
 * as JSON objects. Never in it: names of people, texts, ids of cases and rows, values of SQL, passphrases. Who adds a
 * key thinks of that. */
#ifndef SPOKE_CLI_LOGLINE_H
#define SPOKE_CLI_LOGLINE_H

#include "base/env.h"

#include <stdio.h>

enum log_format { LOG_LOGFMT, LOG_JSON };

#define LOGLINE_MAX 1024u
struct logline {
    FILE *out; /* NULL: none is written */
    enum log_format format;
    size_t n;
    char text[LOGLINE_MAX]; /* a line that is longer loses its last keys, never half of one */
};
/* Time (RFC 3339, UTC), level (info, warning, error), and what happened. out NULL is fine, and writes nothing. */
void logline_begin(struct logline *l, FILE *out, enum log_format format, const struct env *env, const char *level,
                   const char *event);
void logline_str(struct logline *l, const char *key, const char *value);
void logline_int(struct logline *l, const char *key, int64_t value);
void logline_id(struct logline *l, const char *key, const uint8_t id[16]); /* as a hyphenated UUID */
void logline_end(struct logline *l);
/* "logfmt", "json". */
bool log_format_from(const char *word, enum log_format *out);

#endif
