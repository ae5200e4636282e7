#include "base/err.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

static const struct {
    int exit_code;    /* of cli.md */
    const char *word; /* for --json */
} err_rows[] = {
#define ERR_ROW(name, code, text) {code, text},
    ERR_TABLE(ERR_ROW)
#undef ERR_ROW
};

#define ERR_COUNT (sizeof err_rows / sizeof err_rows[0])

enum err why_set(struct why *why, enum err e, const char *fmt, ...)
{
    if (why == NULL) return e;
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(why->text, sizeof why->text, fmt, args); /* a long message is cut, never refused */
    va_end(args);
    why->next[0] = '\0';
    return e;
}

enum err why_next(struct why *why, enum err e, const char *fmt, ...)
{
    if (why == NULL) return e;
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(why->next, sizeof why->next, fmt, args);
    va_end(args);
    return e;
}

int err_exit_code(enum err e)
{
    return (size_t)e < ERR_COUNT ? err_rows[e].exit_code : 1;
}

const char *err_word(enum err e)
{
    return (size_t)e < ERR_COUNT ? err_rows[e].word : "failed";
}
