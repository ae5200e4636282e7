#include "base/json.h"

#include "base/cbor.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX ((size_t)1 << 30) /* bytes of one string or one printed value */

struct json {
    json_t *value;      /* one reference of jansson's is ours */
    bool failed;        /* something that belongs into it could not be made */
    struct json *views; /* what json_get and json_at gave out, freed with this */
    struct json *next;  /* next view of the same parent */
};

/* Takes `value`, also on failure. */
static struct json *wrap(json_t *value)
{
    struct json *j = value == NULL ? NULL : calloc(1, sizeof *j);
    if (j == NULL)
        json_decref(value);
    else
        j->value = value;
    return j;
}

struct json *json_object_new(void)
{
    return wrap(json_object());
}

struct json *json_array_new(void)
{
    return wrap(json_array());
}

void json_free(struct json *j)
{
    if (j == NULL) return;
    for (struct json *v = j->views, *next; v != NULL; v = next) {
        next = v->next;
        json_free(v); /* as deep as the looks were chained by code, never as deep as the data */
    }
    json_decref(j->value);
    free(j);
}

/* jansson refuses invalid UTF-8; a name typed on a broken terminal must still be shown, with the damage visible. */
static void put_scrubbed(struct buf *b, struct bytes s)
{
    for (size_t i = 0; i < s.n;) {
        size_t take = s.p[i] < 0x80 ? 1 : 0;
        for (size_t n = 2; take == 0 && n <= 4 && n <= s.n - i; n++) {
            if (utf8_valid(bytes_of(s.p + i, n))) take = n;
        }
        if (take == 0)
            buf_put_str(b, "\xef\xbf\xbd");
        else
            buf_put(b, s.p + i, take);
        i += take == 0 ? 1 : take;
    }
}

/* NULL without memory. */
static json_t *text_value(struct bytes s)
{
    struct buf clean;
    buf_init(&clean, TEXT_MAX);
    put_scrubbed(&clean, s);
    const char *text = buf_cstr(&clean); /* NULL when the buf is in error */
    json_t *v = text == NULL ? NULL : json_stringn(text, clean.len);
    buf_release(&clean);
    return v;
}

static json_t *str_value(const char *s)
{
    return s == NULL ? json_null() : text_value(bytes_of_str(s));
}

/* Takes `value`; NULL is one that could not be made. */
static void set(struct json *o, const char *key, json_t *value)
{
    struct buf clean;
    if (o == NULL) {
        json_decref(value);
        return;
    }
    buf_init(&clean, TEXT_MAX);
    put_scrubbed(&clean, bytes_of_str(key));
    const char *k = buf_cstr(&clean);
    if (k == NULL) json_decref(value);
    if (k == NULL || json_object_set_new(o->value, k, value) != 0) /* takes value also when it fails */
        o->failed = true;
    buf_release(&clean);
}

static void append(struct json *a, json_t *value)
{
    if (a == NULL)
        json_decref(value);
    else if (json_array_append_new(a->value, value) != 0)
        a->failed = true;
}

void json_set_str(struct json *o, const char *key, const char *s)
{
    set(o, key, str_value(s));
}

void json_set_text(struct json *o, const char *key, struct bytes text)
{
    set(o, key, text_value(text));
}

void json_set_int(struct json *o, const char *key, int64_t v)
{
    set(o, key, json_integer(v));
}

void json_set_real(struct json *o, const char *key, double v)
{
    set(o, key, isfinite(v) ? json_real(v) : json_null());
}

void json_set_bool(struct json *o, const char *key, bool v)
{
    set(o, key, json_boolean(v));
}

void json_set_null(struct json *o, const char *key)
{
    set(o, key, json_null());
}

/* What the wrapper held, with the parent told of what went wrong inside. */
static json_t *unwrap_into(struct json *parent, struct json *child)
{
    if (parent != NULL && (child == NULL || child->failed)) parent->failed = true;
    json_t *value = child == NULL ? NULL : json_incref(child->value);
    json_free(child);
    return value;
}

void json_set_obj(struct json *o, const char *key, struct json *child)
{
    set(o, key, unwrap_into(o, child));
}

void json_append(struct json *a, struct json *child)
{
    append(a, unwrap_into(a, child));
}

void json_append_str(struct json *a, const char *s)
{
    append(a, str_value(s));
}

void json_append_int(struct json *a, int64_t v)
{
    append(a, json_integer(v));
}

static int put_chunk(const char *p, size_t n, void *out)
{
    struct buf *b = out;
    buf_put(b, p, n);
    return b->err == ERR_OK ? 0 : -1;
}

enum err json_write(const struct json *j, struct buf *out, struct why *why)
{
    size_t before = out->len;
    if (j == NULL || j->failed) return why_set(why, ERR_NOMEM, "there was not enough memory for the whole answer");
    if (json_dump_callback(j->value, put_chunk, out, JSON_COMPACT | JSON_ENCODE_ANY) == 0) return ERR_OK;
    out->len = before;
    return why_set(why, out->err == ERR_OK ? ERR_NOMEM : out->err, "there was not enough room for the whole answer");
}

enum err json_print(const struct json *j, FILE *f, struct why *why)
{
    struct buf text; /* whole before the first byte leaves: a reader gets one value or none */
    buf_init(&text, TEXT_MAX);
    enum err err = json_write(j, &text, why);
    buf_put_u8(&text, '\n');
    if (err == ERR_OK && text.err != ERR_OK)
        err = why_set(why, text.err, "there was not enough memory for the whole answer");
    if (err == ERR_OK && (fwrite(text.data, 1, text.len, f) != text.len || fflush(f) != 0))
        err = why_set(why, ERR_IO, "the result could not be written to where it should go");
    buf_release(&text);
    return err;
}

enum err json_parse(struct bytes in, struct json **out, struct why *why)
{
    json_error_t where;
    json_t *value =
        json_loadb(in.n == 0 ? "" : (const char *)in.p, in.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &where);
    if (value == NULL) /* jansson's own message may quote the text, which may be about somebody */
        return why_set(why, ERR_FORMAT, "this is not valid JSON (line %d, column %d)", where.line, where.column);
    struct json *j = wrap(value);
    if (j == NULL) return why_set(why, ERR_NOMEM, "this device is out of memory");
    *out = j;
    return ERR_OK;
}

static struct json *view(struct json *parent, json_t *value)
{
    struct json *v = value == NULL ? NULL : wrap(json_incref(value));
    if (v != NULL) {
        v->next = parent->views;
        parent->views = v;
    }
    return v;
}

struct json *json_get(struct json *j, const char *key)
{
    return j == NULL ? NULL : view(j, json_object_get(j->value, key));
}

struct json *json_at(struct json *j, size_t i)
{
    return j == NULL ? NULL : view(j, json_array_get(j->value, i));
}

size_t json_len(const struct json *j)
{
    if (j == NULL) return 0;
    return json_is_array(j->value) ? json_array_size(j->value) : json_object_size(j->value);
}

const char *json_as_str(const struct json *j)
{
    return j == NULL ? NULL : json_string_value(j->value);
}

int64_t json_as_int(const struct json *j, int64_t absent)
{
    return j != NULL && json_is_integer(j->value) ? json_integer_value(j->value) : absent;
}

static json_t *member(const struct json *j, const char *key)
{
    return j == NULL ? NULL : json_object_get(j->value, key);
}

const char *json_get_str(const struct json *j, const char *key)
{
    return json_string_value(member(j, key));
}

int64_t json_get_int(const struct json *j, const char *key, int64_t absent)
{
    json_t *v = member(j, key);
    return json_is_integer(v) ? json_integer_value(v) : absent;
}

double json_get_real(const struct json *j, const char *key, double absent)
{
    json_t *v = member(j, key);
    return json_is_number(v) ? json_number_value(v) : absent;
}

bool json_get_bool(const struct json *j, const char *key, bool absent)
{
    json_t *v = member(j, key);
    return json_is_boolean(v) ? json_is_true(v) : absent;
}

bool json_has(const struct json *j, const char *key)
{
    return member(j, key) != NULL;
}

bool json_holds_null(const struct json *j)
{
    return j != NULL && json_is_null(j->value);
}

bool json_holds_object(const struct json *j)
{
    return j != NULL && json_is_object(j->value);
}
