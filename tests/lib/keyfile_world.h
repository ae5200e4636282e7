/* A key file and a device secret in a folder of their own, under a clock that the test holds, at a cost that nobody has
 * to wait for. */
#ifndef SPOKE_TESTS_LIB_KEYFILE_WORLD_H
#define SPOKE_TESTS_LIB_KEYFILE_WORLD_H

#include "crypto/keyslot_internal.h"

struct keyfile_world {
    struct env env; /* the real one, but for clock and faults; its ctx is this struct */
    int64_t now;    /* wall clock */
    char dir[64], path[96], device[96], tries[128];
    struct keyfile at;   /* path and device */
    struct keyring ring; /* of the last keyfile_make */
};

#define ALICE "seven small words of mine"
#define BOB   "another eight words of somebody"
#define CAROL "and these are hers alone"

/* For cmocka: the state of the test. There is a device secret, but no key file yet. */
int keyfile_world_start(void **state);
int keyfile_world_stop(void **state);

void keyfile_make(struct keyfile_world *w); /* with one slot, Alice's; w->ring has it open */
/* One more person; the id comes back. */
void keyfile_add(struct keyfile_world *w, const char *passphrase, uint8_t id[SLOT_ID_BYTES]);
MUST_CHECK enum err keyfile_change(struct keyfile_world *w, const uint8_t id[SLOT_ID_BYTES], const char *passphrase);
/* Open and release. Checks that what comes out, and the words, fit the error. */
enum err keyfile_open(struct keyfile_world *w, const char *passphrase);
enum err keyfile_open_code(struct keyfile_world *w, const char *code);
void keyfile_rekey(struct keyfile_world *w); /* w->ring is of the new data key then */

void keyfile_load(struct keyfile_world *w, uint8_t file[KEYFILE_BYTES]);
void keyfile_store(struct keyfile_world *w, const uint8_t *file, size_t n);
/* As somebody who knows the format, but no secret: the checksum is made right again. */
void keyfile_store_summed(struct keyfile_world *w, uint8_t file[KEYFILE_BYTES]);
bool keyfile_there(const char *path);

#endif
