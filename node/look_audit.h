/* The six acts of section 62 of the Data Protection Act 2018, of which a log is kept. */
#ifndef SPOKE_NODE_LOOK_AUDIT_H
#define SPOKE_NODE_LOOK_AUDIT_H

#include "base/buf.h"

enum audit_kind {
    AUDIT_COLLECTION,
    AUDIT_ALTERATION,
    AUDIT_CONSULTATION,
    AUDIT_DISCLOSURE,
    AUDIT_COMBINATION,
    AUDIT_ERASURE,
    AUDIT_KINDS,
};
const char *audit_kind_word(enum audit_kind kind);
bool audit_kind_from_word(const char *word, enum audit_kind *out);
/* Which act a phrase of the audit (n_audit.what) tells of. *out_known (may be NULL): it stands in the list; one that
 * does not, as of a later version, counts as an alteration. */
enum audit_kind audit_kind_of(struct bytes what, bool *out_known);

#endif
