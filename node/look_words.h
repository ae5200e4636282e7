/* Words that people read, made by SQL. */
#ifndef SPOKE_NODE_LOOK_WORDS_H
#define SPOKE_NODE_LOOK_WORDS_H

/* Requests and releases in plain words, SQL over a request q or a release r. `now` is the
 * parameter that holds the time. */
#define LOOK_REQUEST_SAYS(now)                                                                                         \
    "CASE q.state WHEN 'answered' THEN CASE q.result WHEN 'known' THEN 'known to them' WHEN 'not_known'"               \
    " THEN 'not known to them' ELSE 'nothing that bears on this' END"                                                  \
    " WHEN 'declined' THEN 'declined: ' || coalesce(q.reason, '') WHEN 'cancelled' THEN 'taken back'"                  \
    " ELSE CASE WHEN q.due_at < " now " THEN 'late: no answer yet' ELSE 'no answer yet' END END"
/* The reason of a refusal, a row beside the question that was refused. */
#define LOOK_RELEASE_IS_REASON                                                                                         \
    "(r.state = 'refused' AND r.asked_by IS NULL AND EXISTS (SELECT 1 FROM release k WHERE k.case_id = r.case_id"      \
    " AND k.asked_by IS NOT NULL AND k.state = 'refused' AND k.agency = r.to_agency AND k.to_agency = r.agency"        \
    " AND k.decided_at = r.decided_at))"
#define LOOK_RELEASE_SAYS(now)                                                                                         \
    "CASE WHEN r.asked_by IS NOT NULL THEN CASE r.state WHEN 'asked' THEN 'asked: no answer yet'"                      \
    " WHEN 'granted' THEN 'asked: granted' WHEN 'refused' THEN 'asked: refused: ' || coalesce((SELECT k.reason"        \
    " FROM release k WHERE k.case_id = r.case_id AND k.agency = r.to_agency AND k.to_agency = r.agency"                \
    " AND k.state = 'refused' AND k.asked_by IS NULL AND k.decided_at = r.decided_at AND k.voided_at IS NULL), '')"    \
    " ELSE 'asked: taken back' END"                                                                                          \
    " WHEN r.state = 'refused' THEN 'refused' WHEN r.expires_at <= " now " THEN 'told, and over now'"                  \
    " ELSE CASE r.how WHEN 'whole' THEN 'told whole' WHEN 'redacted' THEN 'told in the owner''s words'"                \
    " ELSE 'told in person' END END"

#endif
