#include "tests/lib/disk_fixture.h"

int disk_fixture_start(void **state)
{
    *state = disk_new();
    return 0;
}

int disk_fixture_stop(void **state)
{
    disk_free(*state);
    return 0;
}

uint64_t disk_fixture_power_off(struct disk *d, uint64_t seed)
{
    struct draw by = draw_stream(seed, 7, 0);
    return disk_power_off(d, &by);
}

static void count_file(void *ctx, const char *name, struct bytes content)
{
    (void)name;
    (void)content;
    ++*(unsigned *)ctx;
}

unsigned disk_fixture_files(struct disk *d)
{
    unsigned n = 0;
    disk_each(d, count_file, &n);
    return n;
}
