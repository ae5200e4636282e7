-- What all agencies said of a case ($1), one line an entry (node/look_chronology.c). $2 is now, $3 this agency; $4 to $6
-- are an agency, a kind and a sensitivity, or NULL. written_at NULL: the row's id says it.
SELECT e.*, EXISTS (SELECT 1 FROM n_pending z WHERE z.id = e.id), p.given_names, p.family_name FROM (
    SELECT 'record' AS tbl, r.id AS id, coalesce(r.occurred_at, r.written_at) AS at, r.written_at AS written_at,
           r.agency AS agency, r.author AS author, r.kind AS kind, r.title AS title, r.body AS body,
           r.sensitivity AS sensitivity, r.handling AS handling, r.person_id AS person_id
      FROM record r WHERE r.case_id = $1 AND r.voided_at IS NULL
    -- what was told to this agency; its title, text and conditions are what its owner wrote for it
    UNION ALL
    SELECT 'release', r.id, r.decided_at, r.decided_at, r.agency, r.decided_by, 'release', r.title, r.body, NULL,
           r.conditions, NULL
      FROM release r
     WHERE r.case_id = $1 AND r.voided_at IS NULL AND r.to_agency = $3 AND r.state = 'granted' AND r.asked_by IS NULL
       AND (r.expires_at IS NULL OR r.expires_at > $2)
    -- a rating without a stage rates nothing anew: it is the reason of a dispute's decision
    UNION ALL
    SELECT 'rating', r.id, r.rated_at, r.rated_at, r.agency, r.author, 'rating', 'Rated ' || r.rag, r.reason, NULL, NULL,
           NULL
      FROM rating r WHERE r.case_id = $1 AND r.voided_at IS NULL AND r.stage IS NOT NULL
    UNION ALL
    SELECT 'request', q.id, q.asked_at, NULL, q.agency, NULL, 'request',
           'Asked ' || coalesce((SELECT a.name FROM agency a WHERE a.code = q.to_agency), q.to_agency), q.question, NULL,
           NULL, NULL
      FROM request q WHERE q.case_id = $1 AND q.voided_at IS NULL
    UNION ALL
    SELECT 'request', q.id, q.answered_at, q.answered_at, q.to_agency, q.answered_by, 'answer',
           CASE WHEN q.state = 'declined' THEN 'Declined to answer'
                WHEN q.result = 'known' THEN 'Answered: known to them'
                WHEN q.result = 'not_known' THEN 'Answered: not known to them'
                ELSE 'Answered: nothing that bears on this' END, q.reason, NULL, NULL, NULL
      FROM request q WHERE q.case_id = $1 AND q.voided_at IS NULL AND q.state IN ('answered', 'declined')
    UNION ALL
    SELECT 'meeting', m.id, m.held_at, NULL, m.agency, NULL, 'meeting',
           'Meeting' || coalesce(': ' || replace(m.kind, '_', ' '), ''), m.outcome, NULL, NULL, NULL
      FROM meeting m WHERE m.case_id = $1 AND m.voided_at IS NULL
    UNION ALL
    SELECT 'brief', b.id, b.decided_at, b.decided_at, b.agency, NULL, 'decision', 'Decision', b.decision, NULL, NULL, NULL
      FROM brief b WHERE b.case_id = $1 AND b.voided_at IS NULL AND b.decided_at IS NOT NULL
    UNION ALL
    SELECT 'episode', p.id, p.started_at, NULL, p.agency, NULL, 'plan',
           'Plan' || coalesce(': ' || replace(p.kind, '_', ' '), ''), NULL, NULL, NULL, p.person_id
      FROM episode p WHERE p.case_id = $1 AND p.voided_at IS NULL
    UNION ALL
    SELECT 'episode', p.id, p.ended_at, NULL, p.agency, NULL, 'plan-end',
           'Plan ended' || coalesce(': ' || replace(p.kind, '_', ' '), ''), p.result, NULL, NULL, p.person_id
      FROM episode p WHERE p.case_id = $1 AND p.voided_at IS NULL AND p.ended_at IS NOT NULL
    UNION ALL
    SELECT 'feedback', f.id, f.sent_at, f.sent_at, f.agency, NULL, 'feedback', 'Outcome told to '
           || coalesce(f.to_name || ', ', '')
           || coalesce((SELECT a.name FROM agency a WHERE a.code = f.to_agency), f.to_agency), f.body, NULL, NULL, NULL
      FROM feedback f WHERE f.case_id = $1 AND f.voided_at IS NULL
) e LEFT JOIN person p ON p.id = e.person_id AND p.voided_at IS NULL
 WHERE ($4 IS NULL OR e.agency = $4) AND ($5 IS NULL OR e.kind = $5) AND ($6 IS NULL OR e.sensitivity = $6)
