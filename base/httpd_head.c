#include "base/httpd_head.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* In the order of enum http_header. */
static const char *const header_names[HTTP_HEADERS] = {
    "Host",          "Origin",         "Cookie",        "Content-Type",  "Accept-Encoding",
    "If-None-Match", "Sec-Fetch-Site", "Last-Event-ID", "X-Spoke-Quiet", "X-Spoke-Person",
};

/* ---- of a request ---- */

void httpd_fields(struct MHD_Connection *conn, const char *out[HTTP_HEADERS])
{
    for (size_t i = 0; i < HTTP_HEADERS; i++)
        out[i] = MHD_lookup_connection_value(conn, MHD_HEADER_KIND, header_names[i]);
}

/* "bytes=N-" and nothing else (RFC 9110 §14.1.2 lets a server ignore any Range). */
uint64_t httpd_range(struct MHD_Connection *conn)
{
    static const char unit[] = "bytes=";
    const char *s = MHD_lookup_connection_value(conn, MHD_HEADER_KIND, MHD_HTTP_HEADER_RANGE);
    uint64_t from = 0;
    if (s == NULL || strncmp(s, unit, sizeof unit - 1) != 0) return 0;
    s += sizeof unit - 1;
    if (*s == '-') return 0;
    for (; *s >= '0' && *s <= '9'; s++) {
        if (from > (UINT64_MAX / 2 - 9) / 10) /* beyond any file, and nothing may overflow */
            return 0;
        from = from * 10 + (uint64_t)(*s - '0');
    }
    return strcmp(s, "-") == 0 ? from : 0;
}

/* "wait=N" and nothing else: the only preference that our client states (RFC 7240 §2 lets a server ignore any). */
uint64_t httpd_wait(struct MHD_Connection *conn)
{
    const char *s = MHD_lookup_connection_value(conn, MHD_HEADER_KIND, "Prefer");
    if (s == NULL || strncmp(s, "wait=", 5) != 0 || s[5] < '0' || s[5] > '9' || strlen(s) > 5 + 9) return 0;
    char *end = NULL;
    unsigned long n = strtoul(s + 5, &end, 10);
    return *end == '\0' ? n : 0;
}

struct count {
    const char *name;
    unsigned n;
};

static enum MHD_Result count_one(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct count *c = cls;
    (void)kind, (void)value;
    if (strcasecmp(name, c->name) == 0) c->n++;
    return MHD_YES;
}

static unsigned times(struct MHD_Connection *conn, const char *name)
{
    struct count c = {.name = name};
    (void)MHD_get_connection_values(conn, MHD_HEADER_KIND, count_one, &c);
    return c.n;
}

/* A name is a token, and a value one line of text (RFC 9110 §5.1, §5.5). MHD takes "Transfer-Encoding : chunked" for
 * a header of another name, and a zero byte for the end of a value. */
static enum MHD_Result check_one(void *cls, enum MHD_ValueKind kind, const char *name, size_t n, const char *value,
                                 size_t n_value)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";
    bool *bad = cls;
    (void)kind;
    *bad |= n == 0;
    for (size_t i = 0; i < n; i++) {
        char c = name[i], lower = (char)(c | 0x20);
        *bad |= !((lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || (c != 0 && strchr(marks, c) != NULL));
    }
    for (size_t i = 0; i < n_value; i++) *bad |= ((unsigned char)value[i] < 0x20 && value[i] != '\t') || value[i] == 0x7f;
    return MHD_YES;
}

static bool headers_are_bad(struct MHD_Connection *conn)
{
    bool bad = false;
    (void)MHD_get_connection_values_n(conn, MHD_HEADER_KIND, check_one, &bad);
    return bad;
}

/* Of this server: nothing that names another (RFC 9112 §3.2.2), no encoded zero byte, at which a path ends for who
 * reads text, and only what a target may be made of. */
static bool target_is_bad(const char *target)
{
    for (const char *c = target; *c != '\0'; c++)
        if (*c <= 0x20 || *c >= 0x7f || *c == '#') return true;
    return *target != '/' || strstr(target, "%00") != NULL;
}

/* The one coding that our server undoes, and that a program of before it would not know (RFC 9112 §6.1). */
static bool coding_is_bad(struct MHD_Connection *conn, const char *version)
{
    const char *coding = MHD_lookup_connection_value(conn, MHD_HEADER_KIND, "Transfer-Encoding");
    return coding != NULL && (strcasecmp(coding, "chunked") != 0 || strcmp(version, "HTTP/1.1") != 0);
}

bool httpd_ambiguous(struct MHD_Connection *conn, const char *target, const char *version)
{
    for (size_t i = 0; i < HTTP_HEADERS; i++)
        if (times(conn, header_names[i]) > (i == HTTP_ACCEPT_ENCODING ? 2 : 1)) return true;
    unsigned lengths = times(conn, MHD_HTTP_HEADER_CONTENT_LENGTH), codings = times(conn, "Transfer-Encoding");
    const char *host = MHD_lookup_connection_value(conn, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
    return lengths + codings > 1 || host == NULL || *host == '\0' || target_is_bad(target) || headers_are_bad(conn) ||
           coding_is_bad(conn, version);
}

/* ---- of an answer ---- */

void http_reply_header(struct http_reply *reply, const char *name, const char *value)
{
    buf_put(&reply->head, name, strlen(name) + 1);
    buf_put(&reply->head, value, strlen(value) + 1);
    if (strpbrk(name, "\r\n:") != NULL || strpbrk(value, "\r\n") != NULL) reply->head.err = ERR_FORMAT;
}

bool httpd_add_fields(struct MHD_Response *r, const struct buf *head, bool *out_cached)
{
    for (size_t at = 0; at < head->len;) {
        const char *name = (const char *)head->data + at, *value = name + strlen(name) + 1;
        at += strlen(name) + strlen(value) + 2;
        if (strcasecmp(name, MHD_HTTP_HEADER_CACHE_CONTROL) == 0) *out_cached = true;
        if (MHD_add_response_header(r, name, value) != MHD_YES) return false;
    }
    return true;
}

void httpd_add_range(struct MHD_Response *r, uint64_t from, size_t n)
{
    char text[96];
    (void)snprintf(text, sizeof text, "bytes %llu-%llu/%llu", (unsigned long long)from,
                   (unsigned long long)(from + n - 1), (unsigned long long)(from + n));
    (void)MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_RANGE, text);
}
