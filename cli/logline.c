#include "cli/logline.h"

#include "cli/show.h"

#include <inttypes.h>
#include <string.h>

/* Room for the end of a line is always kept. */
static void put(struct logline *l, const char *text, size_t n)
{
    if (l->n + n > sizeof l->text) {
        l->n = sizeof l->text + 1; /* too long: the key that is being written is taken back */
        return;
    }
    memcpy(l->text + l->n, text, n);
    l->n += n;
}

static void put_str(struct logline *l, const char *text)
{
    put(l, text, strlen(text));
}

/* Bytes that could end a line, or colour a terminal, are escaped; so is what is no ASCII, or a stranger could write
 * what looks like something else. */
static void put_quoted(struct logline *l, const char *value)
{
    char hex[8];
    put_str(l, "\"");
    for (const unsigned char *p = (const unsigned char *)value; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\') put_str(l, "\\");
        if (*p >= 0x20 && *p < 0x7f) {
            put(l, (const char *)p, 1);
        } else {
            (void)snprintf(hex, sizeof hex, "\\u%04x", *p);
            put_str(l, hex);
        }
    }
    put_str(l, "\"");
}

static bool plain(const char *value)
{
    if (*value == '\0') return false;
    for (const unsigned char *p = (const unsigned char *)value; *p != '\0'; p++)
        if (*p <= ' ' || *p >= 0x7f || *p == '"' || *p == '=' || *p == '\\') return false;
    return true;
}

static void key_value(struct logline *l, const char *key, const char *value, bool number)
{
    const size_t room = 2; /* "}\n" */
    size_t before = l->n;
    if (l->out == NULL) return;
    if (l->format == LOG_JSON) {
        put_str(l, l->n == 1 ? "\"" : ",\"");
        put_str(l, key);
        put_str(l, "\":");
    } else {
        if (l->n > 0) put_str(l, " ");
        put_str(l, key);
        put_str(l, "=");
    }
    if (number || (l->format == LOG_LOGFMT && plain(value)))
        put_str(l, value);
    else
        put_quoted(l, value);
    if (l->n + room > sizeof l->text) l->n = before;
}

void logline_begin(struct logline *l, FILE *out, enum log_format format, const struct env *env, const char *level,
                   const char *event)
{
    char stamp[40];
    l->out = out;
    l->format = format;
    l->n = 0;
    if (out == NULL) return;
    if (format == LOG_JSON) put_str(l, "{");
    show_rfc3339(env_now(env), stamp, sizeof stamp);
    logline_str(l, "time", stamp);
    logline_str(l, "level", level);
    logline_str(l, "event", event);
}

void logline_str(struct logline *l, const char *key, const char *value)
{
    key_value(l, key, value, false);
}

void logline_int(struct logline *l, const char *key, int64_t value)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRId64, value);
    key_value(l, key, text, true);
}

void logline_id(struct logline *l, const char *key, const uint8_t id[16])
{
    char uuid[37];
    uuid_format(id, uuid);
    key_value(l, key, uuid, false);
}

void logline_end(struct logline *l)
{
    if (l->out == NULL) return;
    if (l->format == LOG_JSON) put_str(l, "}");
    put_str(l, "\n");
    (void)fwrite(l->text, 1, l->n, l->out); /* a log that cannot be written stops nobody */
    (void)fflush(l->out);
}

bool log_format_from(const char *word, enum log_format *out)
{
    if (strcmp(word, "logfmt") != 0 && strcmp(word, "json") != 0) return false;
    *out = strcmp(word, "json") == 0 ? LOG_JSON : LOG_LOGFMT;
    return true;
}
