/* Everything that a world decides by chance comes from here: splitmix64 (Steele, Lea, Flood 2014), one stream for each
 * purpose, so that taking one event out of a run leaves what the others draw as it was. */
#ifndef SPOKE_TESTS_SIM_DRAW_H
#define SPOKE_TESTS_SIM_DRAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct draw {
    uint64_t state;
};
/* A stream of its own for (seed, purpose, index). */
struct draw draw_stream(uint64_t seed, uint64_t purpose, uint64_t index);
uint64_t draw_word(struct draw *d);
uint64_t draw_below(struct draw *d, uint64_t below); /* below > 0 */
bool draw_chance(struct draw *d, unsigned per_mille);
void draw_bytes(struct draw *d, void *out, size_t n);

#endif
