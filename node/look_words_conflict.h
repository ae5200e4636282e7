/* Two versions in words, made by SQL: over a conflict x, its case c, and the column's policy p. */
#ifndef SPOKE_NODE_LOOK_WORDS_CONFLICT_H
#define SPOKE_NODE_LOOK_WORDS_CONFLICT_H

#define LOOK_CONFLICT_RULE                                                                                             \
    "CASE x.policy WHEN 'lww' THEN 'the later one stands'"                                                             \
    " WHEN 'max' THEN 'the graver one stands until it is reviewed'"                                                    \
    " WHEN 'strictest' THEN 'the more protective one stands'"                                                          \
    " WHEN 'authority' THEN CASE WHEN x.state = 'open' THEN 'both have an equal say, so somebody must decide'"         \
    " WHEN p.arg = 'lead' THEN 'the lead agency''s or the manager''s stands'"                                          \
    " WHEN p.arg = 'social_care' THEN 'social care''s stands'"                                                         \
    " ELSE 'the one of the agency that answers for it stands' END"                                                     \
    " WHEN 'escalate' THEN 'somebody must decide' ELSE x.policy END"
#define LOOK_CONFLICT_STAGE                                                                                            \
    "CASE x.state WHEN 'open' THEN 'to be decided' WHEN 'ruled' THEN 'decided by the rule' ELSE 'settled' END"
#define LOOK_CONFLICT_RED "coalesce(c.rag = 'red', 0)"
/* Where the author of a version is, joined as k (of the one that was kept) and l: the person, the site, the agency. */
#define LOOK_CONFLICT_PLACE(p)                                                                                         \
    " LEFT JOIN site " p "s ON " p "s.code = " p ".site LEFT JOIN agency " p "a ON " p "a.code = " p "s.agency"
#define LOOK_CONFLICT_AUTHORS                                                                                          \
    " LEFT JOIN practitioner k ON k.id = x.kept_by" LOOK_CONFLICT_PLACE(                                               \
        "k") " LEFT JOIN practitioner l ON l.id = x.lost_by" LOOK_CONFLICT_PLACE("l")

#endif
