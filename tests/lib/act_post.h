/* A page's act posted to its route, upon the world of act_world.h: no server, no session. */
#ifndef SPOKE_TESTS_LIB_ACT_POST_H
#define SPOKE_TESTS_LIB_ACT_POST_H

#include "cli/serve_act.h"
#include "tests/lib/act_world.h"

/* A call that was answered; end it with act_post_end, or by act_post_refused. */
struct asked {
    struct serve_call c;
    struct http_request req;
    enum err err;
};

/* To /api/acts/NAME, or to /api/answers.csv; the answer, NULL after an error. */
struct json *act_post(struct act_world *a, struct asked *k, const char *name, const char *form, ...)
    __attribute__((format(printf, 4, 5)));
void act_post_end(struct asked *k);
/* Not done, nothing written, no page told. */
void act_post_refused(struct act_world *a, struct asked *k, enum err want, const char *words);
/* Done, in one edit; pages are told. */
struct json *act_post_done(struct act_world *a, struct asked *k);

const char *act_id_text(struct act_world *a, int row, char out[37]);
void act_id_in(struct json *o, const char *key, uint8_t out[16]);
bool act_notes_say(struct json *o, const char *words);

#endif
