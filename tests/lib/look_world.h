/* A device of health (site llanidloes) whose rows a test writes as SQL, at a fixed hour: what people then see of them
 * (node/look.h). */
#ifndef SPOKE_TESTS_LIB_LOOK_WORLD_H
#define SPOKE_TESTS_LIB_LOOK_WORLD_H

#include "node/look.h"
#include "tests/lib/mock_hub.h"

/* Wednesday, in winter, noon in London. */
#define LOOK_NOW "2026-11-25T12:00:00.000Z"

struct look_world {
    struct mock_world w;
    struct node *n;
    struct why why;
    uint8_t user[16]; /* who has the device open */
};
/* With health, care (which leads), police and school, one case (1: amber, gathering, led by care, received an hour
 * ago, health contributes), its child (10: Ada Wren) and the time scales: reply 2 h, meeting 4 h and decision 8 h,
 * elapsed for red and in working hours else. */
void look_world_new(struct look_world *l);
void look_world_free(struct look_world *l);
void look_world_at(struct look_world *l, const char *rfc3339); /* the clock is set */

/* Statements in which "@7" is the id of row 7, "#-90" the time 90 minutes before LOOK_NOW, and "@me" who is signed
 * in. */
void look_sql(struct look_world *l, const char *sql);
void look_id(unsigned n, uint8_t out[16]);
void look_id_text(unsigned n, char out[37]);

/* The answer, or the test fails. Free it. */
struct json *look_got(struct look_world *l, enum err e, struct json *got);
/* Member by a path like "columns.1.cases.0.partners"; NULL: none. */
struct json *look_at(struct json *j, const char *path);
/* Text there; "-" for null or none. */
const char *look_text(struct json *j, const char *path);
int64_t look_int(struct json *j, const char *path); /* -999 when it is none */
bool look_true(struct json *j, const char *path);   /* fails unless it is true or false */
/* How often the text occurs anywhere in it. */
size_t look_count_text(struct json *j, const char *text);

#endif
