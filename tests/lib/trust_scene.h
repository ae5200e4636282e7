/* A device and a hub whose log of it a test can bend (told_log.h). */
#ifndef SPOKE_TESTS_LIB_TRUST_SCENE_H
#define SPOKE_TESTS_LIB_TRUST_SCENE_H

#include "node/trust.h"
#include "tests/lib/told_log.h"

struct scene {
    struct mock_world w;
    struct told_log log;
    uint8_t c[16], p[16]; /* a case and a person in it */
};
int scene_begin(void **state); /* of each test: with work of its own and two checkpoints behind it */
int scene_finish(void **state);
struct node_trust scene_trust(struct scene *s);
void scene_write(struct scene *s, const char *name); /* the person's given name: another one each time */
uint64_t scene_unsent(struct scene *s);
bool scene_evidence_has(struct scene *s, const char *words);
/* The next contact brings what cannot be: nothing of it is applied; what is sent from then on is that request again and
 * nothing else, by network or file, and what comes changes nothing; work goes on, and all of that is so after the
 * program was ended too. `reason`: some of the words that say why. */
void scene_finds_out(struct scene *s, const char *reason);

#endif
