#include "cli/serve_files.h"

#include <string.h>
#include <strings.h>

#define PATH_BYTES 2048 /* longer than any that we give out, with the longest search for an id */

/* One decoded byte of a path; advances *p. -1: not encoded as it should be. */
static int next_byte(const char **p)
{
    uint8_t byte = (uint8_t) * *p;
    if (byte == '%') {
        if (!hex_decode(&byte, 1, *p + 1, strnlen(*p + 1, 2))) return -1;
        *p += 2;
        if (byte == '/') return -1; /* one that hides from whoever looks at the path as it came */
    }
    (*p)++;
    return byte;
}

bool serve_path_ok(const char *target)
{
    size_t n = 0, dots = 0, in_segment = 0;
    if (*target != '/') return false;
    for (const char *p = target + 1; *p != '\0' && *p != '?'; n++) {
        bool slash = *p == '/';
        int byte = next_byte(&p);
        if (byte < ' ' || byte == 0x7f || byte == '\\' || n > PATH_BYTES) return false;
        if (slash) {
            if (in_segment == 0 || (dots == in_segment && dots <= 2)) return false; /* "//", "/./", "/../" */
            in_segment = dots = 0;
        } else {
            in_segment++;
            dots += byte == '.';
        }
    }
    return in_segment == 0 || dots != in_segment || dots > 2;
}

static const char *type_of(const char *path)
{
    static const char *const types[][2] = {{".html", "text/html; charset=utf-8"},
                                           {".js", "text/javascript; charset=utf-8"},
                                           {".css", "text/css; charset=utf-8"},
                                           {".svg", "image/svg+xml"},
                                           {".png", "image/png"},
                                           {".txt", "text/plain; charset=utf-8"},
                                           {".json", "application/json"},
                                           {".woff2", "font/woff2"}};
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot != NULL && i < sizeof types / sizeof types[0]; i++)
        if (strcmp(dot, types[i][0]) == 0) return types[i][1];
    return "application/octet-stream";
}

/* "app-0F3C9A2B.js": another content has another name. */
static bool has_hash(const char *path)
{
    const char *dot = strrchr(path, '.'), *dash = strrchr(path, '-');
    if (dot == NULL || dash == NULL || dot - dash != 9) return false;
    return strspn(dash + 1, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 8;
}

static bool takes_gzip(const struct http_request *req)
{
    const char *v = req->header[HTTP_ACCEPT_ENCODING];
    const char *at = v != NULL ? strcasestr(v, "gzip") : NULL;
    return at != NULL && strncmp(at + 4, ";q=0", 4) != 0;
}

static const struct serve_asset *asset_of(const struct serve_asset *assets, const char *path)
{
    for (; assets->path != NULL; assets++)
        if (strcmp(assets->path, path) == 0) return assets;
    return NULL;
}

void serve_file(const struct serve_asset *assets, const struct http_request *req, struct http_reply *reply)
{
    const struct serve_asset *a = asset_of(assets, req->path);
    const char *name = strrchr(req->path, '/');
    reply->type = "text/plain; charset=utf-8";
    if (a == NULL && strchr(name != NULL ? name : "", '.') != NULL) { /* a file of another version, not a page */
        reply->status = 404;
        buf_put_str(&reply->body, "There is no such file here.\n");
        return;
    }
    if (a == NULL) a = asset_of(assets, "/index.html");
    reply->status = a != NULL ? 200 : 404;
    if (a == NULL) {
        buf_put_str(&reply->body,
                    "This copy of Spoke was built without its pages. The commands do the same: type spoke "
                    "--help.\n");
        return;
    }
    bool small = takes_gzip(req) && a->gz_end - a->gz < a->plain_end - a->plain;
    reply->type = type_of(a->path);
    http_reply_header(reply, "Vary", "Accept-Encoding");
    if (small) http_reply_header(reply, "Content-Encoding", "gzip");
    if (has_hash(a->path)) http_reply_header(reply, "Cache-Control", "private, max-age=31536000, immutable");
    if (small)
        buf_put(&reply->body, a->gz, (size_t)(a->gz_end - a->gz));
    else
        buf_put(&reply->body, a->plain, (size_t)(a->plain_end - a->plain));
}
