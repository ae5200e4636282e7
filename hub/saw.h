/* Who could see a row, from the logs that the hub keeps of masks and seats, and which devices could hold it, from cuts,
 * names and orders to forget. Between hub/saw*.c, hub/explain.c and hub/who_saw.c. */
#ifndef SPOKE_HUB_SAW_H
#define SPOKE_HUB_SAW_H

#include "hub/sight.h"

/* What a mask was from a version on. */
struct moment {
    int64_t version, mask;
};
struct track {
    struct moment *all; /* owned; by version */
    size_t n, cap;
};
void track_release(struct track *t);
MUST_CHECK enum err track_put(struct track *t, int64_t version, int64_t mask, struct why *why);
int64_t track_at(const struct track *t, int64_t version); /* 0 before its first moment */

/* Versions in which a site saw the row: [from, until); until INT64_MAX: still. */
struct span {
    int64_t from, until;
};
struct spans {
    struct span *all; /* owned; by version */
    size_t n, cap;
};

struct saw_site {
    int64_t no;
    char code[64], agency[64], kind[16];
};

/* ---- saw_quiet.c: parts in a case that the asker may not know of. */
struct quiet_part;
struct quiet {
    struct quiet_part *parts; /* owned */
    size_t n, cap;
    struct spans turns; /* when the case stood under two policies */
    bool all;           /* the asker may know of every part */
    bool in_turn;       /* the case stands under two policies */
};
MUST_CHECK enum err saw_in_turn(struct hub *h, int64_t case_no, bool *out, struct why *why);
/* As `asker` may know them: NULL is the hub itself. */
MUST_CHECK enum err quiet_load(struct hub *h, int64_t case_no, const struct hub_node *asker, struct quiet *out,
                               struct why *why);
void quiet_release(struct quiet *q);
/* Which channels of the site's seat (both[1]) the asker may know of, at each version: as if no quiet part had ever
 * been. *out_whole: all of them, always. both[0] is the row's track: while the bits of a case are no channels, the
 * asker knows of the site what he knew of it just before. */
MUST_CHECK enum err quiet_track(struct hub *h, const struct quiet *q, const struct saw_site *site,
                                const struct track *const both[2], struct track *out, bool *out_whole, struct why *why);

/* ---- saw_device.c */
struct saw_row {
    struct hub_row row;
    struct saw_site site; /* being looked at */
    struct spans spans;   /* of that site */
    bool whole;           /* the asker may know all of how it takes part */
    int64_t version;      /* asked about; INT64_MAX: now */
    int64_t at_ms;        /* asked about; INT64_MAX: now */
};
const struct span *saw_span(const struct saw_row *r); /* the one that `version` is in; NULL: none */
MUST_CHECK enum err saw_devices(struct hub *h, const struct saw_row *r, hub_saw_fn each, void *ctx, struct why *why);

/* ---- saw.c */
struct saw_ask {
    struct hub_row row;
    int64_t at_ms;                /* 0: ever */
    const struct hub_node *asker; /* NULL: the hub's administrators */
    bool sites_only;
};
/* Each site that saw it, and after its lines those of its devices. */
MUST_CHECK enum err saw_each(struct hub *h, const struct saw_ask *ask, hub_saw_fn each, void *ctx, struct why *why);

#endif
