/* Administrators: who opened the hub, and what they may do. hub/ADMINS.md is the design. */
#ifndef SPOKE_HUB_ADMINS_H
#define SPOKE_HUB_ADMINS_H

#include "hub/hub.h"

#define ADMIN_NAME_BYTES 64u

enum hub_role { ROLE_NONE = 0, ROLE_SERVICE = 1, ROLE_VIEWER = 2, ROLE_OPERATOR = 4, ROLE_SECURITY = 8 };
/* Sets of them. */
#define MAY_SECURE  ((unsigned)ROLE_SECURITY)
#define MAY_OPERATE (MAY_SECURE | ROLE_OPERATOR)
#define MAY_VIEW    (MAY_OPERATE | ROLE_VIEWER)
#define MAY_SERVE   (MAY_OPERATE | ROLE_SERVICE)
#define MAY_ANY     (MAY_VIEW | ROLE_SERVICE)

const char *hub_role_word(enum hub_role r); /* "none" */
bool hub_role_from_word(const char *word, enum hub_role *out);
/* "an operator or a security administrator" */
void hub_role_words(unsigned roles, char *out, size_t n);

struct hub_admin {
    char name[ADMIN_NAME_BYTES + 1]; /* "": nobody is noted for this slot */
    enum hub_role role;              /* ROLE_NONE: removed, or nobody */
    int64_t added_ms;
    char added_by[ADMIN_NAME_BYTES + 1];
    bool self;    /* whoever has the hub open */
    bool has_key; /* a passphrase of theirs opens the key file */
};
/* Who has the hub open. ERR_REFUSED: nobody that the store knows, or somebody who was removed. */
MUST_CHECK enum err hub_admin_self(struct hub *h, struct hub_admin *out, struct why *why);
/* ERR_REFUSED unless they have one of these roles; that they tried `what` is noted as an act then. */
MUST_CHECK enum err hub_admin_may(struct hub *h, unsigned roles, const char *what, struct why *why);
/* All that are not removed, by name; and slots of the key file of which nobody is noted. */
typedef enum err (*hub_admin_fn)(void *ctx, const struct hub_admin *a, struct why *why);
MUST_CHECK enum err hub_admins(struct hub *h, hub_admin_fn each, void *ctx, struct why *why);

/* The acts of security administrators. ERR_REFUSED: the role; or it takes two people (hub/proposal.h). ERR_USAGE: a
 * name that is none. ERR_EXISTS: the name was given before. ERR_LIMIT: seven have a passphrase. ERR_DENIED: the
 * passphrase is too short, or somebody's already; the last security administrator. ERR_NOTFOUND. */
MUST_CHECK enum err hub_admin_add(struct hub *h, const char *name, enum hub_role role, struct bytes passphrase,
                                  struct why *why);
MUST_CHECK enum err hub_admin_role(struct hub *h, const char *name, enum hub_role role, const char *reason, struct why *why);
/* Also again, where the slot stayed in the file when it was cut off. */
MUST_CHECK enum err hub_admin_remove(struct hub *h, const char *name, const char *reason, struct why *why);
/* One's own (name NULL), whatever the role; another's by a security administrator. */
MUST_CHECK enum err hub_admin_passphrase(struct hub *h, const char *name, struct bytes passphrase, struct why *why);
/* Another name for oneself. */
MUST_CHECK enum err hub_admin_rename(struct hub *h, const char *name, struct why *why);

/* ------------------------------------------------------------------------------------ for the hub's own files */

/* When the store is opened: a hub without administrators gets its first; who opened it must be one. ERR_REFUSED. */
MUST_CHECK enum err admins_known(struct hub *h, struct why *why);
/* Within a transaction: an act that somebody gives, who must have one of these roles (ERR_REFUSED). As people_act
 * otherwise. */
MUST_CHECK enum err admins_act(struct hub *h, unsigned roles, const char *act, const char *about, const char *reason,
                               struct why *why);
/* Within a transaction: of this name, not removed. ERR_NOTFOUND. */
MUST_CHECK enum err admins_find(struct hub *h, const char *name, struct hub_admin *out, struct why *why);
/* Whose slot this is, whatever their name is now; ROLE_NONE: they were removed. *out_found false: nobody's. */
MUST_CHECK enum err admins_by_slot(struct hub *h, const uint8_t slot[16], struct hub_admin *out, bool *out_found, struct why *why);
/* Of the slot that opened the hub. *out_found false: nobody's, or of somebody who was removed. */
MUST_CHECK enum err admins_opener(struct hub *h, struct hub_admin *out, bool *out_found, struct why *why);
/* Within a transaction: codes that nobody has used are good no more: those that the bearer of this slot gave, or of
 * this site. */
MUST_CHECK enum err invites_end_by(struct hub *h, const uint8_t slot[16], struct why *why);
MUST_CHECK enum err invites_end_at(struct hub *h, const char *site, struct why *why);
MUST_CHECK enum err admins_count_security(struct hub *h, int64_t *out, struct why *why);

#endif
