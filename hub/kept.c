#include "hub/kept.h"

#include <stddef.h>

/* Written to by exchanges: what one of them asked stands until one writes there. */
static const char *const within[] = {
    "h_case",      "h_site",      "h_seat",     "h_seat_log", "h_row",       "h_mask",       "h_col",       "h_cut",
    "h_node",      "h_request",   "h_envelope", "h_drop",     "h_held",      "h_held_case",  "h_held_rows", "h_as_sent",
    "h_named",     "h_log",       "h_tree",     "h_turn",     "h_retention", "h_counter",    "h_step_time", "h_hold",
    "action",      "allocation",  "attendance", "brief",      "case_file",   "challenge",    "coded",       "conflict",
    "consent",     "contact",     "episode",    "feedback",   "held",        "identifier",   "kinship",     "link",
    "meeting",     "participant", "person",     "pointer",    "rating",      "record",       "referral",    "release",
    "release_source", "request",  "warning",    NULL,
};

/* Written to by administrators, for most of them; by exchanges seldom. */
static const char *const between[] = {
    "agency",    "site",     "coverage", "practitioner", "duty",     "column_policy", "retention",
    "h_channel", "h_policy", "h_epoch",  "h_erased",     "h_order",  "h_covered",     "h_budget",
    "h_awaited", "h_due",    "h_until",  "case_voice",   NULL,
};

enum err kept_begin(struct db *db, struct why *why)
{
    return db_keep(db, within, between, why);
}
