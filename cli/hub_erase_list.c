#include "cli/hub_erase_list.h"

#include "base/json.h"
#include "sync/value.h"

#include <string.h>

#define LIST_MAX (4u << 20)
#define UUID_N   36u

static enum err put(struct buf *out, struct bytes word, const char *what, size_t at, struct why *why)
{
    uint8_t id[16];
    if (!uuid_parse(id, word))
        return why_set(why, ERR_USAGE, "The list of erased cases has no whole id of a case in its %s %zu. Nothing was erased.", what, at);
    for (size_t i = 0; i + 16 <= out->len; i += 16)
        if (memcmp(out->data + i, id, 16) == 0) return ERR_OK;
    buf_put(out, id, sizeof id);
    return out->err == ERR_OK ? ERR_OK : why_set(why, out->err, "The list of erased cases is too long. Give it in parts.");
}

static enum err from_json(struct bytes text, struct buf *out, struct why *why)
{
    struct json *list = NULL;
    enum err e = json_parse(text, &list, why);
    if (e != ERR_OK) return why_set(why, ERR_USAGE, "The list of erased cases is cut off, or no list. Nothing was erased.");
    for (size_t i = 0; e == ERR_OK && i < json_len(list); i++) {
        const char *id = json_get_str(json_at(list, i), "case_id");
        e = put(out, bytes_of_str(id != NULL ? id : ""), "entry", i + 1, why);
    }
    json_free(list);
    return e;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static enum err from_lines(struct bytes text, struct buf *out, struct why *why)
{
    const char *at = (const char *)text.p, *end = at + text.n;
    enum err e = ERR_OK;
    for (size_t line = 1; e == ERR_OK && at < end; line++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (stop == NULL) stop = end;
        while (at < stop && is_blank(*at)) at++;
        size_t left = (size_t)(stop - at), word = left < UUID_N ? left : UUID_N;
        bool alone = left <= UUID_N || is_blank(at[UUID_N]) || at[UUID_N] == ',' || at[UUID_N] == ';';
        if (left > 0 && *at != '#') e = put(out, bytes_of(at, alone ? word : 0), "line", line, why);
        at = stop < end ? stop + 1 : end;
    }
    return e;
}

enum err hub_erase_list_read(const struct env *env, const char *path, struct buf *out, struct why *why)
{
    struct buf text;
    buf_init(&text, LIST_MAX);
    enum err e = env->read_file(env->ctx, path, LIST_MAX, &text, why);
    size_t i = 0;
    while (e == ERR_OK && i < text.len && (is_blank((char)text.data[i]) || text.data[i] == '\n')) i++;
    const struct bytes all = bytes_of(text.data + i, text.len - i);
    if (e == ERR_OK) e = all.n > 0 && all.p[0] == '[' ? from_json(all, out, why) : from_lines(buf_bytes(&text), out, why);
    if (e == ERR_OK && out->len == 0) e = why_set(why, ERR_USAGE, "The list of erased cases is empty. Nothing was erased.");
    buf_release(&text);
    return e;
}
