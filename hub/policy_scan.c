#include "hub/policy_scan.h"

#include <ctype.h>

static bool is_word(int c)
{
    return isalnum(c) || c == '_' || c == '$' || c >= 0x80;
}

static int peek(const struct scan *s, size_t ahead)
{
    return s->at + ahead < s->text.n ? s->text.p[s->at + ahead] : -1;
}

static void step(struct scan *s)
{
    if (peek(s, 0) == '\n') s->line++;
    s->at++;
}

/* Past blanks and comments. False: a comment without an end, which begins on s->on_line. */
static bool skip(struct scan *s)
{
    for (;;) {
        int c = peek(s, 0);
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
            step(s);
        } else if (c == '-' && peek(s, 1) == '-') {
            while (peek(s, 0) >= 0 && peek(s, 0) != '\n') step(s);
        } else if (c == '/' && peek(s, 1) == '*') {
            s->at += 2;
            s->on_line = s->line;
            while (peek(s, 0) >= 0 && !(peek(s, 0) == '*' && peek(s, 1) == '/')) step(s);
            if (peek(s, 0) < 0) return false;
            s->at += 2;
        } else {
            return true;
        }
    }
}

static enum token quoted(struct scan *s, int end)
{
    for (step(s); peek(s, 0) >= 0; step(s)) {
        if (peek(s, 0) != end) continue;
        if (end == ']' || peek(s, 1) != end) {
            step(s);
            return TOKEN_QUOTED;
        }
        step(s);
    }
    return TOKEN_OPEN_QUOTE;
}

enum token scan_next(struct scan *s)
{
    enum token t = TOKEN_MARK;
    bool closed = skip(s);
    s->from = s->at;
    if (!closed) return TOKEN_OPEN_COMMENT;
    s->on_line = s->line;
    int c = peek(s, 0);
    if (c < 0) {
        t = TOKEN_END;
    } else if (c == '\'' || c == '"' || c == '`' || c == '[') {
        t = quoted(s, c == '[' ? ']' : c);
    } else if (is_word(c)) {
        while (peek(s, 0) >= 0 && is_word(peek(s, 0))) step(s);
        t = TOKEN_WORD;
    } else {
        step(s);
    }
    s->last = bytes_of(s->text.p + s->from, s->at - s->from);
    return t;
}
