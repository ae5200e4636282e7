/* Sites' people, as reference rows; and the book of what administrators did. */
#ifndef SPOKE_HUB_PEOPLE_H
#define SPOKE_HUB_PEOPLE_H

#include "hub/internal.h"

/* Inside a transaction. The practitioner of exactly this name at the site, or a new one, active. ERR_USAGE: no name. */
MUST_CHECK enum err people_find_or_add(struct hub *h, const char *site, const char *name, uint8_t out_id[16],
                                       struct why *why);
/* A new one in its own step of the order. */
MUST_CHECK enum err people_add(struct hub *h, const char *site, const char *name, const char *role, uint8_t out_id[16],
                               struct why *why);
MUST_CHECK enum err people_find(struct hub *h, const char *site, const char *name, uint8_t out_id[16], bool *out_found,
                                struct why *why);
/* Into h_act; about and reason may be NULL. Never content of cases. */
MUST_CHECK enum err people_act(struct hub *h, const char *act, const char *about, const char *reason, struct why *why);
/* The same, given by somebody (hub/admins.h: admins_act); NULL: by nobody. */
struct act_by {
    const char *who, *second; /* second: who approved it; NULL: nobody had to */
};
MUST_CHECK enum err people_act_by(struct hub *h, const char *act, const char *about, const char *reason,
                                  const struct act_by *by, struct why *why);

#endif
