#include "hub/tell.h"

#include <string.h>

const char *hub_teller(struct hub *h)
{
    uint8_t name[16];
    if (h->teller[0] == '\0') {
        env_random(h->env, name, sizeof name);
        hex_encode(h->teller, name, sizeof name);
    }
    return h->teller;
}

enum err tell_moved(struct hub *h, struct why *why)
{
    if (!db_is_postgres(h->db) || (h->routine && !h->moved)) return ERR_OK;
    return db_notify(h->db, TELL_MOVED, hub_teller(h), why);
}

enum err hub_hear(struct db *beside, struct why *why)
{
    return db_listen(beside, TELL_MOVED, why);
}
