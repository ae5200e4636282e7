#include "tests/lib/act_post.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static serve_fn find(const char *path)
{
    const struct serve_route *const tables[] = {serve_act_case_routes, serve_act_share_routes};
    for (size_t i = 0; i < 2; i++)
        for (const struct serve_route *r = tables[i]; r->method != NULL; r++)
            if (strcmp(r->path, path) == 0 && strcmp(r->method, "POST") == 0) return r->run;
    print_error("no route %s\n", path);
    fail();
    return NULL;
}

struct json *act_post(struct act_world *a, struct asked *k, const char *name, const char *form, ...)
{
    char path[64], text[8192];
    va_list args;
    va_start(args, form);
    (void)vsnprintf(text, sizeof text, form, args);
    va_end(args);
    (void)snprintf(path, sizeof path, "/api/acts/%s", name);
    k->req = (struct http_request){.method = "POST", .path = path, .body = bytes_of_str(text)};
    serve_call_begin(&k->c, a->n, &k->req, env_now(&a->w.env));
    a->why = (struct why){0};
    if (strcmp(name, "answers.csv") == 0) {
        (void)snprintf(path, sizeof path, "/api/answers.csv");
    } else {
        assert_int_equal(json_parse(bytes_of_str(text), &k->c.body, NULL), ERR_OK);
    }
    k->err = find(path)(&k->c, &a->why);
    json_free(k->c.body);
    k->c.body = NULL;
    k->req = (struct http_request){0}; /* what it borrowed is gone */
    return k->c.out;
}

void act_post_end(struct asked *k)
{
    serve_call_end(&k->c);
}

void act_post_refused(struct act_world *a, struct asked *k, enum err want, const char *words)
{
    assert_false(k->c.changed);
    serve_call_end(&k->c);
    act_refused(a, k->err, want, words);
}

/* It was done, in one edit; pages are told. */
struct json *act_post_done(struct act_world *a, struct asked *k)
{
    act_done(a, k->err);
    assert_true(k->c.changed);
    assert_true(json_get_bool(k->c.out, "unsent", false));
    return k->c.out;
}

const char *act_id_text(struct act_world *a, int row, char out[37])
{
    uuid_format(a->id[row], out);
    return out;
}

void act_id_in(struct json *o, const char *key, uint8_t out[16])
{
    const char *text = json_get_str(o, key);
    assert_non_null(text);
    assert_true(uuid_parse(out, bytes_of_str(text)));
}

bool act_notes_say(struct json *o, const char *words)
{
    struct json *notes = json_get(o, "notes");
    for (size_t i = 0; i < json_len(notes); i++)
        if (strstr(json_as_str(json_at(notes, i)), words) != NULL) return true;
    return false;
}
