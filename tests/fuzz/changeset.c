/* Changesets and patchsets: the reader against the independent grammar, and what it takes against the writer. */
#include "sync/changeset.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/grammar.h"

static size_t rewrite(struct bytes in, bool patchset, struct buf *out)
{
    struct changeset_reader r;
    struct changeset_writer w;
    struct op op;
    bool end = false;
    changeset_reader_init(&r, in, rules_schema_newest());
    changeset_writer_init(&w, out, patchset, rules_schema_newest());
    for (;;) {
        HOLDS(changeset_next(&r, &op, &end, NULL) == ERR_OK);
        if (end) return r.n_ops;
        HOLDS(op_row_id(&op) != NULL);
        changeset_put(&w, &op);
    }
}

/* The reader alone, on what was refused too: it ends, and says so again. */
static void walk(struct bytes in)
{
    struct changeset_reader r;
    struct op op;
    bool end = false;
    enum err e = ERR_OK;
    changeset_reader_init(&r, in, rules_schema_newest());
    for (size_t steps = 0; e == ERR_OK && !end; steps++) {
        HOLDS(steps <= in.n);
        e = changeset_next(&r, &op, &end, NULL);
    }
    HOLDS(e == ERR_OK || e == ERR_FORMAT || e == ERR_LIMIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(data, size);
    uint8_t asked = fuzz_take(&in);
    size_t most = (asked & 4) != 0 ? 3 : CHANGESET_MAX_OPS;
    const struct changeset_limits lim = {.schema = rules_schema_newest(),
                                         .patchset = (asked & 1) != 0,
                                         .allow_delete = (asked & 2) != 0,
                                         .max_ops = most};
    const struct grammar g = {
        .schema = lim.schema, .patchset = lim.patchset, .deletes = lim.allow_delete, .most = most};
    struct why why = {0};
    enum err e = changeset_check(in, &lim, &why);
    HOLDS(e == ERR_OK || e == ERR_FORMAT || e == ERR_LIMIT);
    HOLDS((e == ERR_OK) == (why.text[0] == '\0'));
    HOLDS((e == ERR_OK) == grammar_accepts(&g, in));
    walk(in);
    if (e == ERR_OK) {
        struct buf out;
        buf_init(&out, CHANGESET_MAX_BYTES);
        HOLDS(rewrite(in, lim.patchset, &out) <= most);
        HOLDS(out.err == ERR_OK && bytes_equal(buf_bytes(&out), in));
        buf_release(&out);
    }
    return 0;
}
