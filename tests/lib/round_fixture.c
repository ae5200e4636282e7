#include "tests/lib/round_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

struct fake_hub *round_hub;
const char *const round_nobody[] = {NULL};

int round_start(void **state)
{
    (void)state;
    round_hub = calloc(1, sizeof *round_hub);
    assert_non_null(round_hub);
    fake_hub_start(round_hub);
    fake_hub_people(round_hub);
    return 0;
}

int round_stop(void **state)
{
    (void)state;
    fake_hub_stop(round_hub);
    free(round_hub);
    return 0;
}

struct fake_node *round_device(const char *site, const char *agency, const char *user)
{
    struct fake_node *n = calloc(1, sizeof *n);
    assert_non_null(n);
    fake_node_enrol(n, round_hub, site, agency, user);
    return n;
}

void round_gone(struct fake_node *n)
{
    fake_node_release(n);
    free(n);
}

/* Sends what is packed; the store must be as it was. */
void round_refused(struct fake_node *n, enum err want)
{
    uint8_t before[32], after[32];
    int64_t envelopes = fake_hub_int(round_hub, "SELECT count(*) FROM h_envelope");
    int64_t version = fake_hub_int(round_hub, "SELECT value FROM h_counter WHERE name = 'version'");
    int64_t cuts = fake_hub_int(round_hub, "SELECT count(*) FROM h_cut");
    fake_hub_hash(round_hub, before);
    assert_int_equal(fake_node_send(n, false), want);
    fake_hub_hash(round_hub, after);
    assert_memory_equal(before, after, 32);
    assert_int_equal(fake_hub_int(round_hub, "SELECT count(*) FROM h_envelope"), envelopes);
    assert_int_equal(fake_hub_int(round_hub, "SELECT value FROM h_counter WHERE name = 'version'"), version);
    assert_int_equal(fake_hub_int(round_hub, "SELECT count(*) FROM h_cut"), cuts);
    assert_int_equal(n->got.len, 0);
}

void round_queue_person(struct fake_node *n, const uint8_t case_id[16])
{
    struct fake_edit e;
    uint8_t id[16];
    fake_edit_start(&e);
    struct op p = fake_person(n, id, case_id, "Smith");
    fake_put(&e, &p);
    (void)fake_commit(n, &e);
}
