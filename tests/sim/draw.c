#include "tests/sim/draw.h"

#include <string.h>

uint64_t draw_word(struct draw *d)
{
    uint64_t x = d->state += 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

struct draw draw_stream(uint64_t seed, uint64_t purpose, uint64_t index)
{
    struct draw d = {.state = seed};
    d.state = draw_word(&d) ^ purpose * 0xD1B54A32D192ED03u;
    d.state = draw_word(&d) ^ index * 0x8CB92BA72F3D8DD7u;
    d.state = draw_word(&d);
    return d;
}

uint64_t draw_below(struct draw *d, uint64_t below)
{
    return draw_word(d) % below; /* the bias of 2^-40 for small ranges matters to no test */
}

bool draw_chance(struct draw *d, unsigned per_mille)
{
    return draw_below(d, 1000) < per_mille;
}

void draw_bytes(struct draw *d, void *out, size_t n)
{
    uint8_t *p = out;
    while (n > 0) {
        uint64_t x = draw_word(d);
        size_t some = n < sizeof x ? n : sizeof x;
        memcpy(p, &x, some);
        p += some;
        n -= some;
    }
}
