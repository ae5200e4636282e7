/* A policy's text on PostgreSQL (hub/STORE.md): what SQLite has judged must mean the same there. Between hub/policy*.c
 * only. */
#ifndef SPOKE_HUB_POLICY_PLAIN_H
#define SPOKE_HUB_POLICY_PLAIN_H

#include "hub/policy_text.h"

/* ERR_USAGE, with the line: it uses something that the two engines take differently, or not alike in every case. */
MUST_CHECK enum err policy_plain_check(const struct policy_text *p, struct why *why);
/* Numbers of the views, those first that others ask. ERR_USAGE: some ask each other in a circle. */
MUST_CHECK enum err policy_plain_order(const struct policy_text *p, size_t out[POLICY_MAX_VIEWS], struct why *why);
/* What follows the view's name, appended: without comments, which the two end at different places; lines stay. */
void policy_plain_put(const struct policy_view *v, struct buf *out);

#endif
