#include "tests/lib/trust_scene.h"

#include "sync/bundle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A device that has work of its own and two checkpoints behind it. */
int scene_begin(void **state)
{
    struct scene *s = calloc(1, sizeof *s);
    assert_non_null(s);
    mock_world_new(&s->w);
    assert_int_equal(identity_generate(&s->log.other, NULL), ERR_OK);
    s->log.grow = 3;
    s->w.hub.script = told_log_script;
    s->w.hub.script_ctx = &s->log;
    mock_id(s->c, 0x0101);
    mock_id(s->p, 0xbeef);
    const struct row rows[] = {mock_case(s->c), mock_person(s->p, s->c, "Pritchard")};
    told_log_add(&s->log, 7);
    (void)mock_put(s->w.node, rows, 2);
    (void)mock_sync(&s->w, ERR_OK);
    (void)mock_set(s->w.node, "person", s->p, "given_names", "Carys");
    (void)mock_sync(&s->w, ERR_OK);
    *state = s;
    return 0;
}

int scene_finish(void **state)
{
    struct scene *s = *state;
    mock_world_free(&s->w);
    told_log_release(&s->log);
    free(s);
    return 0;
}

struct node_trust scene_trust(struct scene *s)
{
    struct node_trust t;
    assert_int_equal(node_trust(s->w.node, &t, NULL), ERR_OK);
    return t;
}

void scene_write(struct scene *s, const char *name)
{
    assert_true(mock_set(s->w.node, "person", s->p, "given_names", name) > 0);
}

uint64_t scene_unsent(struct scene *s)
{
    struct node_info i;
    assert_int_equal(node_get_info(s->w.node, &i, NULL), ERR_OK);
    return i.unsent;
}

/* What evidence has: a line that begins so. */
bool scene_evidence_has(struct scene *s, const char *line)
{
    struct buf b;
    buf_init(&b, 1u << 20);
    assert_int_equal(node_trust_evidence(s->w.node, &b, NULL), ERR_OK);
    const char *text = buf_cstr(&b);
    assert_non_null(text);
    bool has = strstr(text, line) != NULL;
    buf_release(&b);
    return has;
}

static void only_the_known_request(struct scene *s, const uint8_t known[HASH_BYTES])
{
    struct round_result r;
    struct buf file;
    uint8_t hash[HASH_BYTES];
    (void)mock_sync(&s->w, ERR_TAMPERED);
    assert_memory_equal(s->w.hub.seen.hash, known, HASH_BYTES);
    buf_init(&file, BUNDLE_MAX);
    assert_int_equal(node_bundle_export(s->w.node, &file, NULL), ERR_OK);
    hash_blake2b(hash, buf_bytes(&file));
    assert_memory_equal(hash, known, HASH_BYTES);
    buf_release(&file);
    assert_int_equal(node_bundle_import(s->w.node, buf_bytes(&s->w.hub.last), &r, NULL), ERR_TAMPERED);
    s->w.hub.down = true;
    (void)mock_sync(&s->w, ERR_TAMPERED); /* that is what a person has to know first */
    s->w.hub.down = false;
}

void scene_finds_out(struct scene *s, const char *reason)
{
    char name[128];
    uint8_t known[HASH_BYTES];
    struct node_trust before = scene_trust(s), after;
    scene_write(s, "Mair");
    (void)mock_sync(&s->w, ERR_TAMPERED);
    after = scene_trust(s);
    assert_true(after.distrusts && after.findings == before.findings + 1);
    assert_non_null(strstr(after.reason, reason));
    assert_int_equal(after.kept.size, before.kept.size);
    assert_memory_equal(after.kept.root, before.kept.root, MERKLE_HASH_BYTES);
    assert_int_equal(scene_unsent(s), 1); /* the verdict of that answer was not taken */
    memcpy(known, s->w.hub.seen.hash, sizeof known);
    for (unsigned again = 0; again < 2; again++) {
        only_the_known_request(s, known);
        assert_true(scene_trust(s).distrusts && scene_evidence_has(s, reason));
        mock_world_reopen(&s->w);
    }
    scene_write(s, "Nest");
    only_the_known_request(s, known);
    assert_int_equal(scene_trust(s).findings, before.findings + 1); /* the same again is no other finding */
    mock_get(s->w.node, "person", s->p, "given_names", name);
    assert_string_equal(name, "Nest");
    assert_int_equal(scene_unsent(s), 2);
    assert_int_equal(node_verify(s->w.node, &(struct verify_result){0}, NULL), ERR_OK);
}
