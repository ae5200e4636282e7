/* What routes read from a call, and how an act is answered. */
#include "cli/serve.h"

#include "base/cbor.h"
#include "base/when.h"
#include "cli/show.h"
#include "node/act.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STORE_MAX (8u << 20)
#define RAW_MAX   (64u << 20)

/* Memory that never moves: what was given out stays where it is until the call ends. */
struct serve_chunk {
    struct serve_chunk *next;
    size_t n;
    char room[];
};

static void *keep(struct serve_call *c, size_t n)
{
    struct serve_chunk *k = malloc(sizeof *k + n);
    if (k == NULL) return NULL;
    k->n = n;
    k->next = c->chunks;
    c->chunks = k;
    return k->room;
}

static enum err no_memory(struct why *why)
{
    return why_set(why, ERR_NOMEM, "This device has not enough memory for that. Nothing was changed.");
}

void serve_call_begin(struct serve_call *c, struct node *n, const struct http_request *req, int64_t now)
{
    *c = (struct serve_call){.node = n, .req = req, .rest = "", .now = now, .status = 200};
    buf_init(&c->raw, RAW_MAX);
    buf_init(&c->store, STORE_MAX);
}

void serve_call_end(struct serve_call *c)
{
    while (c->chunks != NULL) {
        struct serve_chunk *k = c->chunks;
        c->chunks = k->next;
        explicit_bzero(k->room, k->n);
        free(k);
    }
    json_free(c->out);
    c->out = NULL;
    buf_release(&c->raw);
    buf_release(&c->store);
}

/* -------------------------------------------------------------------------------------------------------- the query */
/* application/x-www-form-urlencoded, `n` bytes at `in`; out has room for as many and a NUL. SIZE_MAX: broken. */
static size_t decode(const char *in, size_t n, char *out)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        uint8_t byte = (uint8_t)in[i];
        if (byte == '+') {
            byte = ' ';
        } else if (byte == '%') {
            if (n - i < 3 || !hex_decode(&byte, 1, in + i + 1, 2)) return SIZE_MAX;
            i += 2;
        }
        if (byte < ' ' || byte == 0x7f) return SIZE_MAX;
        out[k++] = (char)byte;
    }
    out[k] = '\0';
    return k;
}

bool serve_query_ok(const char *query)
{
    size_t n = strlen(query);
    char *out = malloc(n + 1);
    if (out == NULL) return false;
    size_t k = decode(query, n, out);
    bool ok = k != SIZE_MAX && utf8_valid(bytes_of(out, k));
    explicit_bzero(out, n + 1);
    free(out);
    return ok;
}

const char *serve_query(struct serve_call *c, const char *name)
{
    size_t n_name = strlen(name);
    for (const char *at = c->req->query; at != NULL && *at != '\0';) {
        size_t n = strcspn(at, "&");
        if (n > n_name + 1 && at[n_name] == '=' && memcmp(at, name, n_name) == 0) {
            char *out = keep(c, n - n_name);
            return out != NULL && decode(at + n_name + 1, n - n_name - 1, out) != SIZE_MAX ? out : NULL;
        }
        at += n + (at[n] == '&');
    }
    return NULL;
}

bool serve_query_true(struct serve_call *c, const char *name)
{
    const char *v = serve_query(c, name);
    return v != NULL && (strcmp(v, "1") == 0 || strcmp(v, "true") == 0);
}

enum err serve_query_time(struct serve_call *c, const char *name, int64_t *out, struct why *why)
{
    const char *v = serve_query(c, name);
    int64_t ms = 0;
    enum err e = ERR_OK;
    if (v != NULL && strlen(v) == 10)
        e = show_read_time(v, c->now, &ms, NULL);
    else if (v != NULL)
        e = when_read_rfc3339(v, &ms, NULL);
    if (e != ERR_OK) return why_set(why, ERR_USAGE, "'%s' takes a day like 2026-11-03, or a whole time.", name);
    *out = ms;
    return ERR_OK;
}

/* --------------------------------------------------------------------------------------------------------- the body */
enum err serve_sound(struct serve_call *c, struct why *why)
{
    return c->wrong == NULL ? ERR_OK : why_set(why, ERR_USAGE, "'%s' takes a text.", c->wrong);
}

const char *serve_text(struct serve_call *c, const char *name)
{
    struct json *v = json_get(c->body, name);
    const char *text = json_as_str(v);
    if (text == NULL) {
        if (v != NULL && !json_holds_null(v)) c->wrong = name;
        return NULL;
    }
    for (const char *p = text; *p != '\0'; p++)
        if (!isspace((unsigned char)*p)) return text;
    return NULL;
}

enum err serve_need_text(struct serve_call *c, const char *name, const char *complaint, const char **out,
                         struct why *why)
{
    const char *text = serve_text(c, name);
    enum err e = serve_sound(c, why);
    if (e == ERR_OK && text == NULL) e = why_set(why, ERR_USAGE, "%s", complaint);
    if (e == ERR_OK) *out = text;
    return e;
}

enum err serve_id(struct serve_call *c, const char *name, const uint8_t **out, struct why *why)
{
    const char *text = serve_text(c, name);
    uint8_t *id = NULL;
    enum err e = serve_sound(c, why);
    if (e == ERR_OK && text != NULL) {
        id = keep(c, 16);
        if (id == NULL) return no_memory(why);
        if (!uuid_parse(id, bytes_of_str(text)))
            e = why_set(why, ERR_USAGE, "What was named as '%s' is nothing that this device could hold.", name);
    }
    if (e == ERR_OK) *out = id;
    return e;
}

enum err serve_need_id(struct serve_call *c, const char *name, const uint8_t **out, struct why *why)
{
    const uint8_t *id = NULL;
    enum err e = serve_id(c, name, &id, why);
    if (e == ERR_OK && id == NULL) e = why_set(why, ERR_USAGE, "It was not said what this is about ('%s').", name);
    if (e == ERR_OK) *out = id;
    return e;
}

enum err serve_time(struct serve_call *c, const char *name, int64_t *out, struct why *why)
{
    const char *text = serve_text(c, name);
    int64_t ms = 0;
    enum err e = serve_sound(c, why);
    if (e == ERR_OK && text != NULL && when_read_rfc3339(text, &ms, NULL) != ERR_OK)
        e = why_set(why, ERR_USAGE, "'%s' takes a time like 2026-11-03T14:05:00Z.", name);
    if (e == ERR_OK) *out = ms;
    return e;
}

/* --------------------------------------------------------------------------------------------------- what is named */
/* Rows whose key is exactly or begins with this: at most two are looked at. Table names come from the program. */
static enum err find(struct serve_call *c, const char *form, const char *table, struct value key, uint8_t out[16],
                     int *out_n, struct why *why)
{
    char sql[256];
    struct stmt *s = NULL;
    bool row = false;
    snprintf(sql, sizeof sql, form, table);
    enum err e = db_prepare(node_db(c->node), sql, &s, why);
    if (e != ERR_OK) return e;
    db_bind_value(s, 1, key);
    *out_n = 0;
    while (*out_n < 2 && (e = db_step(s, &row, why)) == ERR_OK && row)
        if ((*out_n)++ == 0) (void)db_id(s, 0, out);
    db_done(s);
    return e;
}

/* Hex digits of an id as far as they were given, upper case; 0 where it is none. */
static size_t digits_of(const char *typed, char hex[33])
{
    size_t k = 0;
    for (const char *p = typed; *p != '\0'; p++) {
        if (*p == '-') continue;
        if (!isxdigit((unsigned char)*p) || k == 32) return 0;
        hex[k++] = (char)toupper((unsigned char)*p);
    }
    hex[k] = '\0';
    return k;
}

enum err serve_pick(struct serve_call *c, const char *table, uint8_t out[16], struct why *why)
{
    char hex[33];
    uint8_t id[16], found[16];
    int n = 0;
    size_t k = digits_of(c->rest, hex);
    enum err e = ERR_OK;
    if (k == 32 && hex_decode(id, sizeof id, hex, 32)) /* the usual one, by the key */
        e = find(c, "SELECT id FROM %s WHERE id = $1", table, value_blob(bytes_of(id, 16)), found, &n, why);
    else if (strcmp(table, "case_file") == 0)
        e = find(c, "SELECT id FROM %s WHERE upper(reference) = upper($1)", table, value_str(c->rest), found, &n, why);
    if (e == ERR_OK && n == 0 && k >= 8 && k < 32)
        e = find(c, "SELECT id FROM %s WHERE substr(hex(id), 1, length($1)) = $1", table, value_text(bytes_of(hex, k)),
                 found, &n, why);
    if (e != ERR_OK) return e;
    if (n > 1) return why_set(why, ERR_USAGE, "Several begin like that. Give more of it.");
    if (n == 0) {
        (void)why_set(why, ERR_NOTFOUND, "This device does not hold what you are looking for, or not any more.");
        return why_next(
            why, ERR_NOTFOUND,
            "It may have been taken away since, or not come yet. Look for it on the board, or ring the MASH.");
    }
    memcpy(out, found, 16);
    return ERR_OK;
}

/* ----------------------------------------------------------------------------------------------------- after an act */
static enum err reference_of(struct serve_call *c, const uint8_t case_id[16], struct why *why)
{
    struct stmt *s = NULL;
    bool row = false;
    enum err e = db_prepare(node_db(c->node), "SELECT reference FROM case_file WHERE id = $1", &s, why);
    if (e != ERR_OK) return e;
    db_bind_id(s, 1, case_id);
    e = db_step(s, &row, why);
    if (e == ERR_OK && row && !db_is_null(s, 0)) json_set_text(c->out, "reference", db_bytes(s, 0));
    db_done(s);
    return e;
}

static enum err outlook(struct serve_call *c, const uint8_t case_id[16], bool contribute, bool *out_held,
                        struct why *why)
{
    enum act_part part = ACT_CONTRIBUTES;
    enum err e = act_part(c->node, case_id, &part, why);
    *out_held = e == ERR_OK && part != ACT_CONTRIBUTES && (contribute || part != ACT_CHECKS);
    return e;
}

enum err serve_done(struct serve_call *c, const uint8_t case_id[16], const uint8_t *id, bool contribute,
                    struct why *why)
{
    char text[37];
    bool held = false;
    enum err e = case_id != NULL ? outlook(c, case_id, contribute, &held, why) : ERR_OK;
    c->changed = true;
    if (case_id != NULL) memcpy(c->case_id, case_id, 16);
    if (e != ERR_OK) return e;
    json_free(c->out);
    c->out = json_object_new();
    if (id != NULL) uuid_format(id, text);
    json_set_str(c->out, "id", id != NULL ? text : NULL);
    json_set_null(c->out, "reference");
    if (case_id != NULL) e = reference_of(c, case_id, why);
    json_set_bool(c->out, "held", held);
    json_set_bool(c->out, "unsent", true);
    json_set_obj(c->out, "notes", json_array_new());
    if (held)
        serve_note(
            c, "As far as this device knows, your site's part in this case does not cover that. It is sent, and kept "
               "back at the MASH until a manager accepts it; nothing changes until then.");
    return e;
}

void serve_note(struct serve_call *c, const char *text)
{
    json_append_str(json_get(c->out, "notes"), text);
}
