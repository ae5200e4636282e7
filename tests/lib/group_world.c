#include "tests/lib/group_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

struct fake_node *group_devices[GROUP_MANY];
uint8_t group_case[16]; /* a case that all of them see and may write in */
struct fake_node *group_room;

int group_start(void **state)
{
    static const char *const members[] = {"police:contribute", NULL};
    (void)round_start(state);
    group_room = round_device("care-mash", "care", "Carla");
    fake_node_pull(group_room);
    fake_case(group_room, group_case, "care", members);
    fake_node_pull(group_room);
    for (size_t i = 0; i < GROUP_MANY; i++) {
        group_devices[i] = round_device("police-hq", "police", "Paul");
        fake_node_pull(group_devices[i]);
    }
    return 0;
}

int group_stop(void **state)
{
    for (size_t i = 0; i < GROUP_MANY; i++) round_gone(group_devices[i]);
    round_gone(group_room);
    return round_stop(state);
}

void group_person(struct fake_node *n, const char *family)
{
    struct fake_edit e;
    uint8_t id[16];
    fake_edit_start(&e);
    struct op p = fake_person(n, id, group_case, family);
    fake_put(&e, &p);
    (void)fake_commit(n, &e);
}

void group_pack(struct fake_node *n, const char *family)
{
    if (family != NULL) group_person(n, family);
    fake_node_pack(n);
}

void group_ask(struct hub_asked *a, struct fake_node *n, bool may_park)
{
    buf_reset(&n->got);
    *a = (struct hub_asked){.request = buf_bytes(&n->sent), .may_park = may_park, .out = &n->got};
}

/* Those that were taken; the first n of the devices. */
size_t group_together(struct hub_asked *v, size_t n)
{
    for (size_t i = 0; i < n; i++) group_ask(&v[i], group_devices[i], false);
    return hub_exchange_all(round_hub->hub, v, n);
}

void group_must(const struct hub_asked *a, enum err want)
{
    if (a->e != want) fail_msg("%s: %s", err_word(a->e), a->why.text);
}

void group_read_applied(struct fake_node *n)
{
    fake_node_read(n);
    assert_int_equal(n->n_verdicts, 1);
    assert_int_equal(n->verdicts[0].verdict, VERDICT_APPLIED);
}

int64_t group_count(const char *question)
{
    return fake_hub_int(round_hub, question);
}

int64_t group_people(void)
{
    return group_count("SELECT count(*) FROM person");
}

int64_t group_version(void)
{
    return group_count("SELECT value FROM h_counter WHERE name = 'version'");
}

void group_all_is_well(void)
{
    struct why why = {0};
    struct log_audit_sum sum;
    if (hub_verify(round_hub->hub, &why) != ERR_OK) fail_msg("%s", why.text);
    if (hub_log_verify(round_hub->hub, &sum, &why) != ERR_OK) fail_msg("%s", why.text);
}

/* What they did not send before comes alone, so that each test begins with devices that have nothing to say. */
void group_settle(size_t n)
{
    for (size_t i = 0; i < n; i++) fake_node_pull(group_devices[i]);
}
