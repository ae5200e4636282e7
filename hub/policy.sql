-- Who sees what. These views alone decide: row_channel says which channels a row is in, site_channel which channels of
-- a case a site holds; a site sees a row when they meet. Read it with the design's matrix beside you, and with
-- `spoke-hub policy check`, which asks these views and prints what they answer.
-- ================================================================================ 1. rows and the channels they are in
-- People whose consent a record needs: the one that it is about, or else every subject of the case.
CREATE VIEW record_subject(record_id, person_id) AS
    SELECT r.id, p.id FROM record r JOIN person p ON p.case_id = r.case_id
     WHERE p.id = r.person_id OR (r.person_id IS NULL AND p.voided_at IS NULL AND p.role IN ('child', 'adult'));
-- Consents that bear on a record: to tell all, or what its agency wrote. In force while given and until its end; one
-- that was withdrawn still covers, until its end, what a recorded decision rests upon.
CREATE VIEW record_consent(record_id, person_id, in_force) AS
    SELECT r.id, c.person_id,
           CASE WHEN c.expires_at <= (SELECT now FROM policy_now) THEN 0 WHEN c.state = 'given' THEN 1
                WHEN c.state = 'withdrawn' AND r.id IN (SELECT record_id FROM case_decided) THEN 1 ELSE 0 END
      FROM record r JOIN consent c ON c.case_id = r.case_id
     WHERE c.voided_at IS NULL AND (c.scope = 'all' OR c.scope = r.agency);
-- Records that may be told although they need consent: the owner overrode it and said why, or every person that it is
-- about has a consent in force and none that is not (the most protective stands).
CREATE VIEW record_free(record_id) AS
    SELECT r.id FROM record r
     WHERE (r.override_at IS NOT NULL AND coalesce(r.override_reason, '') <> '')
        OR (EXISTS (SELECT 1 FROM record_subject s WHERE s.record_id = r.id)
            AND NOT EXISTS (SELECT 1 FROM record_subject s WHERE s.record_id = r.id AND coalesce((SELECT min(c.in_force)
                              FROM record_consent c WHERE c.record_id = r.id AND c.person_id = s.person_id), 0) = 0));
-- One line a table of cases: the channel of its rows; NULL: for the writer alone. Conflicts follow other rows: below.
CREATE VIEW case_row(tbl, id, case_id, agency, voided_at, channel) AS
    -- face: that there is a case, who is in it, what to beware of, whom to ask
              SELECT 'case_file', id, case_id, agency, voided_at, 'face' FROM case_file
    UNION ALL SELECT 'person', id, case_id, agency, voided_at, 'face' FROM person
    UNION ALL SELECT 'kinship', id, case_id, agency, voided_at, 'face' FROM kinship
    UNION ALL SELECT 'warning', id, case_id, agency, voided_at, 'face' FROM warning
    UNION ALL SELECT 'pointer', id, case_id, agency, voided_at, 'face' FROM pointer
    -- shared: the work of the case
    UNION ALL SELECT 'brief', id, case_id, agency, voided_at, 'shared' FROM brief
    UNION ALL SELECT 'participant', id, case_id, agency, voided_at,
                     CASE WHEN coalesce(quiet, 0) = 0 THEN 'shared' ELSE 'room' END FROM participant
    UNION ALL SELECT 'record', id, case_id, agency, voided_at, CASE
            WHEN needs_consent <> 0 AND NOT EXISTS (SELECT 1 FROM record_free f WHERE f.record_id = record.id) THEN NULL
            WHEN sensitivity = 'open' THEN 'shared' WHEN sensitivity = 'sensitive' THEN 'room' END FROM record
    UNION ALL SELECT 'contact', id, case_id, agency, voided_at,
                     CASE WHEN coalesce(protected, 0) = 0 THEN 'shared' ELSE 'room' END FROM contact
    UNION ALL SELECT 'consent', id, case_id, agency, voided_at, 'shared' FROM consent
    UNION ALL SELECT 'rating', id, case_id, agency, voided_at, 'shared' FROM rating
    UNION ALL SELECT 'challenge', id, case_id, agency, voided_at, 'shared' FROM challenge
    UNION ALL SELECT 'meeting', id, case_id, agency, voided_at, 'shared' FROM meeting
    UNION ALL SELECT 'attendance', id, case_id, agency, voided_at, 'shared' FROM attendance
    UNION ALL SELECT 'episode', id, case_id, agency, voided_at, 'shared' FROM episode
    UNION ALL SELECT 'coded', id, case_id, agency, voided_at, 'shared' FROM coded
    UNION ALL SELECT 'allocation', id, case_id, agency, voided_at, 'shared' FROM allocation
    UNION ALL SELECT 'action', id, case_id, agency, voided_at,
                     CASE WHEN coalesce(sensitive, 0) = 0 THEN 'shared' ELSE 'room' END FROM action
    -- room: for the MASH room alone
    UNION ALL SELECT 'referral', id, case_id, agency, voided_at, 'room' FROM referral
    UNION ALL SELECT 'identifier', id, case_id, agency, voided_at, 'room' FROM identifier
    UNION ALL SELECT 'link', id, case_id, agency, voided_at, 'room' FROM link
    UNION ALL SELECT 'held', id, case_id, agency, voided_at, 'room' FROM held
    -- between two agencies, or the writer's alone
    UNION ALL SELECT 'request', id, case_id, agency, voided_at, NULL FROM request
    UNION ALL SELECT 'release', id, case_id, agency, voided_at, NULL FROM release
    UNION ALL SELECT 'release_source', id, case_id, agency, voided_at, NULL FROM release_source
    UNION ALL SELECT 'feedback', id, case_id, agency, voided_at, NULL FROM feedback;
-- What an agency did not write but is told: its part in the case, what it was asked, what was released to it.
CREATE VIEW addressed(tbl, id, case_id, agency) AS
              SELECT 'participant', id, case_id, member FROM participant WHERE voided_at IS NULL
    UNION ALL SELECT 'request', id, case_id, to_agency FROM request WHERE voided_at IS NULL
    UNION ALL SELECT 'feedback', id, case_id, to_agency FROM feedback WHERE voided_at IS NULL
    UNION ALL SELECT 'release', id, case_id, to_agency FROM release
               WHERE voided_at IS NULL AND (expires_at IS NULL OR expires_at > (SELECT now FROM policy_now));
-- Lists that every site has.
CREATE VIEW reference_row(tbl, id) AS
              SELECT 'agency', id FROM agency             UNION ALL SELECT 'site', id FROM site
    UNION ALL SELECT 'coverage', id FROM coverage         UNION ALL SELECT 'practitioner', id FROM practitioner
    UNION ALL SELECT 'duty', id FROM duty                 UNION ALL SELECT 'code_list', id FROM code_list
    UNION ALL SELECT 'timescale', id FROM timescale       UNION ALL SELECT 'column_policy', id FROM column_policy
    UNION ALL SELECT 'retention', id FROM retention;
-- All but conflicts. A row voided as a mistake stays with its writer, and with the room if the room saw it.
CREATE VIEW plain_channel(tbl, id, case_id, channel) AS
              SELECT tbl, id, case_id, 'agency:' || agency FROM case_row
    UNION ALL SELECT tbl, id, case_id, 'agency:' || agency FROM addressed
    UNION ALL SELECT tbl, id, case_id, CASE WHEN voided_at IS NULL THEN channel
                                            WHEN channel IS NOT NULL THEN 'room' END FROM case_row
    UNION ALL SELECT 'identifier', id, case_id, 'scheme:' || scheme FROM identifier
               WHERE voided_at IS NULL AND EXISTS (SELECT 1 FROM scheme_kind rule WHERE rule.scheme = identifier.scheme)
    UNION ALL SELECT tbl, id, zeroblob(16), 'reference' FROM reference_row;
-- The agencies of the two people whose values met in a conflict; the channels of the row that it is about.
CREATE VIEW conflict_author(conflict_id, agency) AS
    SELECT c.id, s.agency
      FROM conflict c JOIN practitioner p ON p.id IN (c.kept_by, c.lost_by) JOIN site s ON s.code = p.site;
CREATE VIEW conflict_about(id, case_id, state, tbl, row_id, channel) AS
    SELECT c.id, c.case_id, c.state, about.tbl, about.id, about.channel
      FROM conflict c JOIN plain_channel about ON about.tbl = c.tbl AND about.id = c.row_id;
-- An open one is seen by who sees its row; a settled one by the room and its authors, as far as they may see the row.
CREATE VIEW conflict_channel(id, case_id, tbl, row_id, channel) AS
              SELECT id, case_id, tbl, row_id, channel FROM conflict_about WHERE state = 'open'
    UNION ALL SELECT id, case_id, tbl, row_id, 'room' FROM conflict_about
               WHERE state <> 'open' AND channel IN ('face', 'shared', 'room')
    UNION ALL SELECT x.id, x.case_id, x.tbl, x.row_id, 'agency:' || a.agency
                FROM conflict_about x JOIN conflict_author a ON a.conflict_id = x.id
               WHERE x.state <> 'open' AND (x.channel IN ('face', 'shared') OR x.channel = 'agency:' || a.agency);
CREATE VIEW row_channel(tbl, id, case_id, channel) AS
              SELECT tbl, id, case_id, channel FROM plain_channel WHERE channel IS NOT NULL
    UNION ALL SELECT 'conflict', id, case_id, channel FROM conflict_channel WHERE channel IS NOT NULL;
-- ================================================================================ 2. sites and the channels they hold
-- What each way of taking part opens; which kinds of agency may know which identifiers.
CREATE VIEW way_channel(way, channel) AS VALUES ('check', 'face'),
    ('view', 'face'), ('view', 'shared'), ('contribute', 'face'), ('contribute', 'shared'),
    ('out_of_hours', 'face'), ('out_of_hours', 'shared'), ('room', 'face'), ('room', 'shared'), ('room', 'room');
CREATE VIEW scheme_kind(scheme, kind) AS VALUES ('nhs', 'health'), ('nhs', 'social_care'), ('upn', 'education'),
    ('upn', 'social_care'), ('pnc', 'police'), ('pnc', 'probation'), ('crn', 'police'), ('crn', 'probation');
-- Sites that cover a case's area. A restricted case is covered by nobody: only named sites take part in it.
CREATE VIEW site_covers(site, agency, kind, case_id, lead, closed) AS
    SELECT s.code, s.agency, s.kind, c.id, c.lead_agency, coalesce(c.status, '') = 'closed'
      FROM case_file c CROSS JOIN site s JOIN coverage v ON v.site = s.code
     WHERE coalesce(c.restricted, 0) = 0 AND (v.area = c.area OR v.area = '*');
-- Sites that take part: an agency's sites that cover the area, or the one that is named; from `since` until `until`.
CREATE VIEW site_part(site, agency, kind, case_id, way, lead, restricted) AS
    SELECT s.code, s.agency, s.kind, c.id, p.access, c.lead_agency, c.restricted
      FROM participant p JOIN case_file c ON c.id = p.case_id JOIN site s ON s.agency = p.member
     WHERE p.voided_at IS NULL AND (p.access = 'check' OR p.access = 'view' OR p.access = 'contribute')
       AND (p.since IS NULL OR p.since <= (SELECT now FROM policy_now))
       AND (p.until IS NULL OR p.until > (SELECT now FROM policy_now))
       AND (p.site = s.code OR (coalesce(p.site, '') = '' AND EXISTS (
                SELECT 1 FROM site_covers v WHERE v.site = s.code AND v.case_id = p.case_id)));
-- Also the area's MASH room (of a restricted case: if named to contribute), and out-of-hours teams while it is open.
CREATE VIEW site_way(site, case_id, way) AS
              SELECT site, case_id, way FROM site_part
    UNION ALL SELECT site, case_id, 'room' FROM site_covers WHERE kind = 'mash'
    UNION ALL SELECT site, case_id, 'room' FROM site_part WHERE restricted = 1 AND kind = 'mash' AND way = 'contribute'
    UNION ALL SELECT site, case_id, 'out_of_hours' FROM site_covers WHERE kind = 'out_of_hours' AND NOT closed;
-- Sites that keep what their agency wrote or was told: covering, ever named, or taking part in a restricted case.
CREATE VIEW site_own(site, agency, case_id) AS
              SELECT site, agency, case_id FROM site_covers
    UNION ALL SELECT s.code, s.agency, c.id
                FROM participant p JOIN case_file c ON c.id = p.case_id JOIN site s ON s.code = p.site
               WHERE s.agency = p.member AND p.voided_at IS NULL AND coalesce(c.restricted, 0) = 0
    UNION ALL SELECT site, agency, case_id FROM site_part WHERE restricted = 1;
CREATE VIEW site_channel(site, case_id, channel) AS
              SELECT code, zeroblob(16), 'reference' FROM site
    UNION ALL SELECT w.site, w.case_id, ways.channel FROM site_way w CROSS JOIN way_channel ways WHERE ways.way = w.way
    UNION ALL SELECT p.site, p.case_id, 'scheme:' || may.scheme
                FROM site_part p JOIN agency a ON a.code = p.agency CROSS JOIN scheme_kind may WHERE may.kind = a.kind
    UNION ALL SELECT s.site, s.case_id, 'agency:' || s.agency
                FROM site_own s JOIN case_voice v ON v.case_id = s.case_id AND v.agency = s.agency;
-- How far a site may write in a case: 1 check, 2 view, 3 contribute, 4 MASH room, 5 lead agency. The widest stands.
CREATE VIEW site_access(site, case_id, access) AS
              SELECT site, case_id, CASE way WHEN 'check' THEN 1 WHEN 'view' THEN 2 ELSE 3 END FROM site_part
    UNION ALL SELECT site, case_id, 4 FROM site_way WHERE way = 'room'
    UNION ALL SELECT site, case_id, 5 FROM site_covers WHERE kind = 'mash' AND lead = agency
    UNION ALL SELECT site, case_id, 5 FROM site_part WHERE lead = agency;
