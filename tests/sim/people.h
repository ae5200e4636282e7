/* What people know of themselves and of the rules: people_power.c. And the acts about sight: sight.c, scenes.c. */
#ifndef SPOKE_TESTS_SIM_PEOPLE_H
#define SPOKE_TESTS_SIM_PEOPLE_H

#include "tests/sim/edit.h"

const struct sim_site *people_site(const struct edit *e);
bool people_social_care(const struct edit *e);
bool people_mash(const struct edit *e);
struct value people_agency(const struct edit *e);
struct value people_now(const struct edit *e);
struct value people_one(struct edit *e, const char *a, const char *b); /* of two words */

/* Who may do what: roughly, as people know it. What they mistake the hub holds. */
enum power { POWER_ANY, POWER_CHECK, POWER_CONTRIBUTE, POWER_LEAD, POWER_OWN, POWER_ASKED };
enum power people_to_write(const struct edit *e, enum write_rule rule);
enum power people_to_insert(const struct edit *e, enum insert_rule rule);
/* One that the power reaches; one time in eight nobody thinks of that. */
bool people_pick(struct edit *e, const char *table, enum power power, struct rows_row *out);

/* Social care's agency that covers the area; there always is one. */
const char *people_lead(const struct sim *s, const char *area);
/* A part in a case that is open and without an end, for whom and how far is still to be fixed. */
bool people_think_part(struct edit *e, struct fresh *f, const uint8_t case_id[16]);
/* A part in a case, for an agency or for a site of it ("": all that cover the area). */
void people_part(struct edit *e, const uint8_t case_id[16], const char *member, const char *site, const char *access);

/* Some other value into a column of a row. */
void people_think(struct edit *e, const struct rows_row *r, size_t col);

/* sight.c: one act that moves what somebody sees, or may be told. */
void sight_act(struct edit *e);
/* A record of one's own and nothing else: true: there was a case for it. */
bool sight_note(struct edit *e, const uint8_t case_id[16]);

/* An open record that needs the consent of everybody whom the case is about, who all give it. */
bool sight_with_consent(struct edit *e, const uint8_t case_id[16]);

/* clash.c: a talk with the hub, by one who can be relied upon. */
void clash_meet(struct sim *s, struct device *d);
bool clash_can_meet(const struct sim *s, const struct device *d);
/* A request made by hand, and its answer. true: it was. */
bool clash_export(struct sim *s, struct device *d, struct buf *out);
bool clash_import(struct sim *s, struct device *d, struct bytes answer);

/* questions.c */
void question_ask(struct sim *s, struct device *d);

/* scenes.c: several people, one after the other. false: those who would be needed are not there. */
bool scene_late(struct sim *s);    /* a note comes after its author's agency was removed */
bool scene_decided(struct sim *s); /* a consent is withdrawn after the decision that rests upon it */

#endif
