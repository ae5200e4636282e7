#include "cli/serve_once.h"

#include "base/cbor.h"

#include <string.h>

static enum err again(struct serve_call *c, enum node_once known, struct bytes answer, struct why *why)
{
    if (known == NODE_ONCE_ANSWERED) return json_parse(answer, &c->out, why);
    if (known == NODE_ONCE_OTHER)
        return why_set(why, ERR_USAGE, "The page mixed up two things that were to be done. Nothing was changed.");
    (void)why_set(why, ERR_EXISTS, "This was saved already, when no answer came. It was not saved once more.");
    return why_next(why, ERR_EXISTS, "Look at the case: what you wrote stands there.");
}

static enum err run_new(struct serve_call *c, serve_fn run, struct why *why)
{
    struct why forgotten = {0};
    struct buf answer;
    buf_init(&answer, 48u << 10);
    enum err e = run(c, why);
    bool whole = e == ERR_OK && c->out != NULL && json_write(c->out, &answer, &forgotten) == ERR_OK;
    /* Without it, asking again says that it was done: no reason to call what is saved a failure. */
    if (node_once_end(c->node, whole ? buf_bytes(&answer) : bytes_of(NULL, 0), &forgotten) != ERR_OK) whole = false;
    buf_release(&answer);
    return e;
}

enum err serve_once(struct serve_call *c, serve_fn run, struct why *why)
{
    static const char acts[] = "/api/acts/";
    const char *text = json_get_str(c->body, "once");
    uint8_t id[16], hash[HASH_BYTES];
    enum node_once known = NODE_ONCE_NEW;
    struct buf b;
    if (text == NULL || strncmp(c->req->path, acts, sizeof acts - 1) != 0) return run(c, why);
    if (strlen(text) != 32 || !hex_decode(id, sizeof id, text, 32))
        return why_set(why, ERR_USAGE, "What the page sent could not be read. Nothing was changed.");
    buf_init(&b, (8u << 20));
    buf_put_str(&b, c->req->path);
    buf_put_u8(&b, 0);
    buf_put_bytes(&b, c->req->body);
    enum err e = b.err == ERR_OK ? ERR_OK : why_set(why, b.err, "That is too much at once. Nothing was changed.");
    if (e == ERR_OK) hash_labelled(hash, "spoke/once/1", buf_bytes(&b));
    buf_reset(&b);
    if (e == ERR_OK) e = node_once_begin(c->node, id, hash, &b, &known, why);
    if (e == ERR_OK) e = known == NODE_ONCE_NEW ? run_new(c, run, why) : again(c, known, buf_bytes(&b), why);
    buf_release(&b);
    return e;
}
