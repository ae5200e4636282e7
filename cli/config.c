#include "cli/config.h"

#include "base/cbor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_MAX 65536u

struct place {
    const char *path;
    const char *program;
    int line;
    bool known; /* a section has begun */
    bool ours;  /* it is this program's */
};

static enum err wrong(const struct place *at, const char *what, struct why *why)
{
    (void)why_set(why, ERR_USAGE, "%.160s, line %d: %s.", at->path, at->line, what);
    return why_next(why, ERR_USAGE, "Mend that line. Lines are '[spoke]', '[spoke-hub]', 'key = value' or '# remark'.");
}

static struct bytes trim(struct bytes s)
{
    while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) s = bytes_of(s.p + 1, s.n - 1);
    while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t' || s.p[s.n - 1] == '\r')) s.n--;
    return s;
}

static enum err take_section(struct place *at, struct bytes name, struct why *why)
{
    at->known = bytes_equal(name, bytes_of_str("[spoke]")) || bytes_equal(name, bytes_of_str("[spoke-hub]"));
    if (!at->known) return wrong(at, "there is no such section", why);
    at->ours = name.n == strlen(at->program) + 2 && memcmp(name.p + 1, at->program, name.n - 2) == 0;
    return ERR_OK;
}

bool config_seconds(struct bytes text, unsigned *out_ms)
{
    unsigned ms = 0, unit = 1000, digits = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '.' && unit == 1000) {
            unit = 100;
            continue;
        }
        if (text.p[i] < '0' || text.p[i] > '9' || unit == 0 || ms > 10000) return false;
        unsigned d = text.p[i] - (unsigned)'0';
        ms = unit == 1000 ? ms * 10 + d * 1000 : ms + d * unit;
        if (unit < 1000) unit /= 10;
        digits++;
    }
    if (digits == 0 || ms > 10000) return false;
    *out_ms = ms;
    return true;
}

static enum err take_pair(const struct place *at, struct bytes key, struct bytes v, struct config *out,
                          struct why *why)
{
    char *to = NULL;
    if (bytes_equal(key, bytes_of_str("home"))) to = out->home;
    if (bytes_equal(key, bytes_of_str("passphrase-file"))) to = out->passphrase_file;
    if (bytes_equal(key, bytes_of_str("device-secret"))) to = out->device_secret;
    bool time = bytes_equal(key, bytes_of_str("unlock-time"));
    if (to == NULL && !time) return wrong(at, "there is no such key", why);
    if (!at->known) return wrong(at, "it stands before any section", why);
    if (v.n == 0) return wrong(at, "the value is missing", why);
    if (time) {
        unsigned ms;
        if (!config_seconds(v, &ms)) return wrong(at, "it takes seconds, like 0.5, and 10 at most", why);
        if (at->ours) out->unlock_ms = ms;
        return ERR_OK;
    }
    /* from anywhere else than the root it would mean another place in every folder */
    if (v.p[0] != '/') return wrong(at, "a path must begin with /", why);
    if (v.n >= sizeof out->home) return wrong(at, "the value is too long", why);
    if (!at->ours) return ERR_OK;
    memcpy(to, v.p, v.n);
    to[v.n] = '\0';
    return ERR_OK;
}

static enum err take_line(struct place *at, struct bytes line, struct config *out, struct why *why)
{
    struct bytes s = trim(line);
    if (s.n == 0 || s.p[0] == '#') return ERR_OK;
    if (s.p[0] == '[') return take_section(at, s, why);
    const uint8_t *eq = memchr(s.p, '=', s.n);
    if (eq == NULL) return wrong(at, "there is no '='", why);
    size_t n = (size_t)(eq - s.p);
    return take_pair(at, trim(bytes_of(s.p, n)), trim(bytes_of(eq + 1, s.n - n - 1)), out, why);
}

enum err config_parse(struct bytes text, const char *path, const char *program, struct config *out, struct why *why)
{
    struct place at = {.path = path, .program = program};
    struct config c = *out;
    if (!utf8_valid(text)) return wrong(&at, "this is not plain text (UTF-8)", why);
    while (text.n > 0) {
        const uint8_t *end = memchr(text.p, '\n', text.n);
        size_t n = end != NULL ? (size_t)(end - text.p) : text.n;
        at.line++;
        enum err e = take_line(&at, bytes_of(text.p, n), &c, why);
        if (e != ERR_OK) return e;
        n += end != NULL;
        text = bytes_of(text.p + n, text.n - n);
    }
    *out = c;
    return ERR_OK;
}

static enum err read_one(const struct env *env, const char *path, const char *program, struct config *out,
                         struct why *why)
{
    struct buf text;
    uint64_t size;
    if (env->file_size(env->ctx, path, &size, NULL) != ERR_OK) return ERR_OK; /* also where HOME is no folder */
    buf_init(&text, CONFIG_MAX);
    enum err e = env->read_file(env->ctx, path, CONFIG_MAX, &text, why);
    if (e == ERR_OK) e = config_parse(buf_bytes(&text), path, program, out, why);
    buf_release(&text);
    return e;
}

enum err config_read(const struct env *env, const char *program, struct config *out, struct why *why)
{
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    char path[1100] = "";
    struct config c = *out;
    enum err e = read_one(env, "/etc/spoke/config", program, &c, why);
    int n = 0;
    if (xdg != NULL && xdg[0] == '/')
        n = snprintf(path, sizeof path, "%s/spoke/config", xdg);
    else if (home != NULL && home[0] == '/')
        n = snprintf(path, sizeof path, "%s/.config/spoke/config", home);
    if (e == ERR_OK && n > 0 && (size_t)n < sizeof path) e = read_one(env, path, program, &c, why);
    if (e == ERR_OK) *out = c;
    return e;
}
