/* A device with a small case on it, for the tests of what people do (node/act.h): the mock hub serves the rows of other
 * agencies and lists. The device is health's, at llanidloes. */
#ifndef SPOKE_TESTS_LIB_ACT_WORLD_H
#define SPOKE_TESTS_LIB_ACT_WORLD_H

#include "node/act.h"
#include "tests/lib/mock_hub.h"

/* Rows of the world, by number; ids by mock_id. */
enum {
    CASE = 1,    /* red, led by care; health contributes, police views; school's part is over */
    SECRET_CASE, /* restricted to health's site */
    CHILD,
    ADULT,
    OTHER_CHILD,    /* of the secret case */
    OPEN_RECORD,    /* of health, in CASE */
    WAITING_RECORD, /* needs consent of CHILD */
    FREE_RECORD,    /* needs no consent, sensitive */
    OWN_RECORD,     /* restricted */
    POLICE_RECORD,
    SECRET_RECORD, /* of health, in the secret case */
    VOID_RECORD,   /* of health, taken back */
    TO_US,         /* care asks health */
    TO_POLICE,     /* care asks police */
    ANSWERED,      /* by health */
    CANCELLED,
    ASK_US, /* care asks health to release */
    ASK_POLICE,
    ASK_SECRET,   /* care asks health, in the secret case */
    TOLD_US,      /* what police told health */
    POINTER,      /* of police */
    CHECKED_CASE, /* where health only checks, and sees nobody's part but its own */
    ELSEWHERE,    /* a case where health is named at another site, and its part without a site is over */
    FIRST_FREE,   /* ids of nothing */
};

struct act_world {
    struct mock_world w;
    struct node *n;
    struct why why;
    uint8_t id[FIRST_FREE + 4][16];
    uint8_t before[32]; /* hash of all rows since act_done or act_mark */
    int64_t edits;      /* made by then */
};
void act_world_new(struct act_world *a);
void act_world_free(struct act_world *a);

/* Remember what stands here; the last act failed so, with these words, and nothing was written. */
void act_mark(struct act_world *a);
void act_refused(struct act_world *a, enum err got, enum err want, const char *words);
/* The last act succeeded, in one edit. */
void act_done(struct act_world *a, enum err got);

/* One row of a question with one case or row id: its first column as text ("" for NULL, "-" for no row). */
const char *act_ask(struct act_world *a, const char *sql, const uint8_t id[16], char out[256]);
void act_is_text(struct act_world *a, const char *table, const uint8_t id[16], const char *column, const char *want);

#endif
