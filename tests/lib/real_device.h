/* A device with a real replica at the hub of tests/lib/intake_fixture.h, whose home can be copied away and put back, as
 * backups of whole disks do. Anything unexpected fails the test. */
#ifndef SPOKE_TESTS_LIB_REAL_DEVICE_H
#define SPOKE_TESTS_LIB_REAL_DEVICE_H

#include "node/node.h"

#define REAL_PASSPHRASE "a quiet valley farm"

struct real_device {
    char dir[64];   /* of its own; removed at the end */
    char home[100]; /* in it */
    char agency[32], site[32];
    struct env env;
    struct node *n;
    struct why why; /* of the last sync or enrolment that failed */
};
/* Enrolled and open. */
void real_join(struct real_device *d, const char *site, const char *agency, const char *user);
void real_gone(struct real_device *d);
void real_open(struct real_device *d);
void real_close(struct real_device *d);
/* Copy the home to or from a name beside it. The device is closed meanwhile. */
void real_image(struct real_device *d, const char *name);
void real_put_back(struct real_device *d, const char *name);
/* A second device that is a copy of this one, byte for byte. */
void real_clone(struct real_device *d, struct real_device *copy);
struct round_result real_sync(struct real_device *d, enum err want);

/* An invitation for the device's site. */
void real_invite(const struct real_device *d, struct invitation *out);
/* Set up anew, step by step: the request; the hub's answer; taking it (the device is open again afterwards). */
enum err real_ask(struct real_device *d, const struct invitation *code, struct buf *request);
enum err real_at_hub(struct real_device *d, const struct buf *request, struct buf *answer);
enum err real_take(struct real_device *d, const struct buf *answer);
/* All of it with a new invitation. */
void real_again(struct real_device *d);

/* A new person in the case, in an edit of its own; its number in the chain. */
uint64_t real_person(struct real_device *d, const uint8_t case_id[16], const char *family, uint8_t out_id[16]);
/* State of a device at the hub. */
const char *real_state(const uint8_t kid[16], char out[16]);

#endif
