#include "cli/prom.h"

#include "base/cbor.h"

#include <inttypes.h>
#include <string.h>

void prom_family(struct buf *b, const char *name, const char *type, const char *help)
{
    buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* One character of well-formed UTF-8 at p; 0: there is none. */
static size_t utf8_one(const unsigned char *p)
{
    size_t n = strnlen((const char *)p, 4);
    for (size_t k = 1; k <= n; k++)
        if (utf8_valid(bytes_of(p, k))) return k;
    return 0;
}

/* A label's value: backslash, quote and line feed are written with a backslash. */
static void put_label(struct buf *b, const char *value)
{
    const unsigned char *p = (const unsigned char *)value;
    while (*p != '\0') {
        size_t n = utf8_one(p);
        if (n == 0) {
            buf_put_str(b, "\xef\xbf\xbd");
            p++;
            continue;
        }
        if (*p == '\n')
            buf_put_str(b, "\\n");
        else if (*p == '\\' || *p == '"')
            buf_printf(b, "\\%c", *p);
        else
            buf_put(b, p, n);
        p += n;
    }
}

static void put_head(struct buf *b, const char *name, const struct prom_label *labels)
{
    buf_put_str(b, name);
    if (labels == NULL || labels->name == NULL) return;
    for (const struct prom_label *l = labels; l->name != NULL; l++) {
        buf_printf(b, "%s%s=\"", l == labels ? "{" : ",", l->name);
        put_label(b, l->value);
        buf_put_str(b, "\"");
    }
    buf_put_str(b, "}");
}

void prom_int(struct buf *b, const char *name, const struct prom_label *labels, int64_t value)
{
    put_head(b, name, labels);
    buf_printf(b, " %" PRId64 "\n", value);
}

void prom_fixed(struct buf *b, const char *name, const struct prom_label *labels, int64_t value, unsigned digits)
{
    int64_t unit = digits == 6 ? 1000000 : 1000;
    int64_t whole = value / unit, rest = value % unit;
    put_head(b, name, labels);
    buf_printf(b, " %s%" PRId64 ".%0*" PRId64 "\n", value < 0 && whole == 0 ? "-" : "", whole, (int)digits,
               rest < 0 ? -rest : rest);
}
