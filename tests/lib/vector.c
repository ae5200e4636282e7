#include "tests/lib/vector.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *file, const char *what)
{
    (void)fprintf(stderr, "tests/vectors/%s: %s\n", file, what);
    abort();
}

void vector_each(const char *file, void (*fn)(void *ctx, const char *name, struct bytes v), void *ctx)
{
    char path[4096], *line = NULL;
    size_t room = 0, dir = (size_t)(strrchr(__FILE__, '/') - __FILE__);
    (void)snprintf(path, sizeof path, "%.*s/../vectors/%s", (int)dir, __FILE__, file);
    FILE *in = fopen(path, "r");
    if (in == NULL) {
        fail(file, "is not there");
        return;
    }
    while (getline(&line, &room, in) > 0) {
        char *hex = strchr(line, ' ');
        uint8_t v[8192];
        if (line[0] == '#') continue;
        line[strcspn(line, "\n")] = '\0';
        size_t n = hex == NULL ? 0 : strlen(hex + 1) / 2;
        if (n == 0 || n > sizeof v || !hex_decode(v, n, hex + 1, 2 * n)) fail(file, line);
        *hex = '\0';
        fn(ctx, line, bytes_of(v, n));
    }
    free(line);
    (void)fclose(in);
}

struct wanted {
    const char *name;
    uint8_t *out;
    size_t max, n;
};

static void take_wanted(void *ctx, const char *name, struct bytes v)
{
    struct wanted *w = ctx;
    if (strcmp(name, w->name) != 0) return;
    if (v.n > w->max) fail(name, "is longer than there is room for");
    memcpy(w->out, v.p, v.n);
    w->n = v.n;
}

size_t vector_read(const char *file, const char *name, uint8_t *out, size_t max)
{
    struct wanted w = {.name = name, .out = out, .max = max};
    vector_each(file, take_wanted, &w);
    if (w.n == 0) fail(file, name);
    return w.n;
}
