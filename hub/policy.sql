-- Who sees what. These views are the only place that decides: row_channel says which channels a row is in, site_channel
-- which channels of a case a site holds; a site sees a row when they meet. Read it with the matrix of the design beside
-- you. The hub keeps what they say in small masks (h_row, h_seat) and recomputes a case's share when something in it
-- moved, so nothing here is asked of all cases at once.

-- The time by which expiries are judged: one row, set by sight_sweep at the start of each of the hub's transactions.
CREATE TABLE policy_now(now INTEGER NOT NULL) STRICT;
INSERT INTO policy_now(now) VALUES (0);

-- Which kinds of agency may know which scheme of identifiers.
CREATE TABLE scheme_kind(scheme TEXT NOT NULL, kind TEXT NOT NULL, PRIMARY KEY(scheme, kind)) STRICT;
INSERT INTO scheme_kind(scheme, kind) VALUES
    ('nhs', 'health'), ('nhs', 'social_care'),
    ('pnc', 'police'), ('pnc', 'probation'),
    ('crn', 'police'), ('crn', 'probation'),
    ('upn', 'education'), ('upn', 'social_care');

CREATE INDEX scheme_kind_kind ON scheme_kind(kind, scheme);

-- Which channels of a case a way of taking part in it opens.
CREATE TABLE way_channel(way TEXT NOT NULL, channel TEXT NOT NULL, PRIMARY KEY(way, channel)) STRICT;
INSERT INTO way_channel(way, channel) VALUES
    ('check', 'face'),
    ('view', 'face'), ('view', 'shared'),
    ('contribute', 'face'), ('contribute', 'shared'),
    ('room', 'face'), ('room', 'shared'), ('room', 'room'),
    ('out_of_hours', 'face'), ('out_of_hours', 'shared');

-- Agencies that wrote a row of a case or are addressed by one: the hub adds to it whenever such a row appears.
CREATE TABLE case_voice(case_id BLOB NOT NULL, agency TEXT NOT NULL, PRIMARY KEY(case_id, agency)) STRICT;

-- ---------------------------------------------------------------------------------------------------------- consent
-- People whose consent a record needs: the one it is about, or else every subject of the case.
CREATE VIEW record_subject(record_id, case_id, agency, person_id) AS
    SELECT r.id, r.case_id, r.agency, p.id FROM record r JOIN person p ON p.case_id = r.case_id
     WHERE p.id = r.person_id
        OR (r.person_id IS NULL AND p.voided_at IS NULL AND p.role IN ('child', 'adult'));

-- Consent rows that bear on a record of an agency: scope 'all', or that agency's code. No state is no consent.
CREATE VIEW record_consent(record_id, person_id, in_force) AS
    SELECT r.id, c.person_id,
           coalesce(c.state, '') = 'given' AND (c.expires_at IS NULL OR c.expires_at > (SELECT now FROM policy_now))
      FROM record r JOIN consent c ON c.case_id = r.case_id
     WHERE c.voided_at IS NULL AND c.scope IN ('all', r.agency);

-- A record that needs consent may be told when its owner overrode, or when every person it is about has a consent in
-- force and none that is refused, withdrawn, not sought or expired (the most protective stands).
CREATE VIEW record_free(record_id) AS
    SELECT r.id FROM record r
     WHERE coalesce(r.needs_consent, 0) = 0
        OR (r.override_at IS NOT NULL AND coalesce(r.override_reason, '') <> '')
        OR (EXISTS (SELECT 1 FROM record_subject s WHERE s.record_id = r.id)
            AND NOT EXISTS (SELECT 1 FROM record_subject s WHERE s.record_id = r.id
                               AND (NOT EXISTS (SELECT 1 FROM record_consent c
                                                 WHERE c.record_id = r.id AND c.person_id = s.person_id)
                                    OR EXISTS (SELECT 1 FROM record_consent c
                                                WHERE c.record_id = r.id AND c.person_id = s.person_id
                                                  AND NOT c.in_force))));

-- --------------------------------------------------------------------------------------------------- rows to channels
-- Everything but conflicts, which follow the row that they are about.
CREATE VIEW plain_channel(tbl, id, case_id, channel) AS
    -- reference data is for every site
              SELECT 'agency', id, zeroblob(16), 'reference' FROM agency
    UNION ALL SELECT 'site', id, zeroblob(16), 'reference' FROM site
    UNION ALL SELECT 'coverage', id, zeroblob(16), 'reference' FROM coverage
    UNION ALL SELECT 'practitioner', id, zeroblob(16), 'reference' FROM practitioner
    UNION ALL SELECT 'duty', id, zeroblob(16), 'reference' FROM duty
    UNION ALL SELECT 'code_list', id, zeroblob(16), 'reference' FROM code_list
    UNION ALL SELECT 'timescale', id, zeroblob(16), 'reference' FROM timescale
    UNION ALL SELECT 'column_policy', id, zeroblob(16), 'reference' FROM column_policy
    UNION ALL SELECT 'retention', id, zeroblob(16), 'reference' FROM retention
    -- face: that there is a case, who is in it, what to beware of, whom to ask
    UNION ALL SELECT 'case_file', id, case_id, 'face' FROM case_file WHERE voided_at IS NULL
    UNION ALL SELECT 'person', id, case_id, 'face' FROM person WHERE voided_at IS NULL
    UNION ALL SELECT 'kinship', id, case_id, 'face' FROM kinship WHERE voided_at IS NULL
    UNION ALL SELECT 'warning', id, case_id, 'face' FROM warning WHERE voided_at IS NULL
    UNION ALL SELECT 'pointer', id, case_id, 'face' FROM pointer WHERE voided_at IS NULL
    -- shared: the work of the case
    UNION ALL SELECT 'brief', id, case_id, 'shared' FROM brief WHERE voided_at IS NULL
    UNION ALL SELECT 'participant', id, case_id, 'shared' FROM participant WHERE voided_at IS NULL AND coalesce(quiet, 0) = 0
    UNION ALL SELECT 'record', id, case_id, 'shared' FROM record
               WHERE voided_at IS NULL AND sensitivity = 'open' AND EXISTS (SELECT 1 FROM record_free f WHERE f.record_id = record.id)
    UNION ALL SELECT 'contact', id, case_id, 'shared' FROM contact WHERE voided_at IS NULL AND coalesce(protected, 0) = 0
    UNION ALL SELECT 'consent', id, case_id, 'shared' FROM consent WHERE voided_at IS NULL
    UNION ALL SELECT 'rating', id, case_id, 'shared' FROM rating WHERE voided_at IS NULL
    UNION ALL SELECT 'challenge', id, case_id, 'shared' FROM challenge WHERE voided_at IS NULL
    UNION ALL SELECT 'meeting', id, case_id, 'shared' FROM meeting WHERE voided_at IS NULL
    UNION ALL SELECT 'attendance', id, case_id, 'shared' FROM attendance WHERE voided_at IS NULL
    UNION ALL SELECT 'episode', id, case_id, 'shared' FROM episode WHERE voided_at IS NULL
    UNION ALL SELECT 'coded', id, case_id, 'shared' FROM coded WHERE voided_at IS NULL
    UNION ALL SELECT 'allocation', id, case_id, 'shared' FROM allocation WHERE voided_at IS NULL
    UNION ALL SELECT 'action', id, case_id, 'shared' FROM action WHERE voided_at IS NULL AND coalesce(sensitive, 0) = 0
    -- room: for the MASH room alone
    UNION ALL SELECT 'record', id, case_id, 'room' FROM record
               WHERE voided_at IS NULL AND sensitivity = 'sensitive' AND EXISTS (SELECT 1 FROM record_free f WHERE f.record_id = record.id)
    UNION ALL SELECT 'referral', id, case_id, 'room' FROM referral WHERE voided_at IS NULL
    UNION ALL SELECT 'contact', id, case_id, 'room' FROM contact WHERE voided_at IS NULL AND protected = 1
    UNION ALL SELECT 'action', id, case_id, 'room' FROM action WHERE voided_at IS NULL AND sensitive = 1
    UNION ALL SELECT 'link', id, case_id, 'room' FROM link WHERE voided_at IS NULL
    UNION ALL SELECT 'participant', id, case_id, 'room' FROM participant WHERE voided_at IS NULL AND quiet = 1
    UNION ALL SELECT 'held', id, case_id, 'room' FROM held WHERE voided_at IS NULL
    UNION ALL SELECT 'identifier', id, case_id, 'room' FROM identifier WHERE voided_at IS NULL
    -- a row written by mistake: its writer (below) and the room, but never what was its owner's alone
    UNION ALL SELECT 'case_file', id, case_id, 'room' FROM case_file WHERE voided_at IS NOT NULL
    UNION ALL SELECT 'person', id, case_id, 'room' FROM person WHERE voided_at IS NOT NULL
    UNION ALL SELECT 'kinship', id, case_id, 'room' FROM kinship WHERE voided_at IS NOT NULL
    UNION ALL SELECT 'warning', id, case_id, 'room' FROM warning WHERE voided_at IS NOT NULL
    UNION ALL SELECT 'pointer', id, case_id, 'room' FROM pointer WHERE voided_at IS NOT NULL
    UNION ALL SELECT 'brief', id, case_id, 'room' FROM brief WHERE voided_at IS NOT NULL
    UNION ALL SELECT 'participant', id, case_id, 'room' FROM participant WHERE voided_at IS NOT NULL
    UNION ALL SELECT 'record', id, case_id, 'room' FROM record
               WHERE voided_at IS NOT NULL AND sensitivity IN ('open', 'sensitive') AND EXISTS (SELECT 1 FROM record_free f WHERE f.record_id = record.id)
    UNION ALL SELECT 'referral', id, case_id, 'room' FROM referral WHERE voided_at IS NOT NULL
    UNION ALL SELECT 'contact', id, case_id, 'room' FROM contact WHERE voided_at IS NOT NULL
    UNION ALL SELECT 'consent', id, case_id, 'room' FROM consent WHERE voided_at IS NOT NULL
    UNION ALL SELECT 'rating', id, case_id, 'room' FROM rating WHERE voided_at IS NOT NULL
    UNION ALL SELECT 'challenge', id, case_id, 'room' FROM challenge WHERE voided_at IS NOT NULL
    UNION ALL SELECT 'meeting', id, case_id, 'room' FROM meeting WHERE voided_at IS NOT NULL
    UNION ALL SELECT 'attendance', id, case_id, 'room' FROM attendance WHERE voided_at IS NOT NULL
    UNION ALL SELECT 'episode', id, case_id, 'room' FROM episode WHERE voided_at IS NOT NULL
    UNION ALL SELECT 'coded', id, case_id, 'room' FROM coded WHERE voided_at IS NOT NULL
    UNION ALL SELECT 'allocation', id, case_id, 'room' FROM allocation WHERE voided_at IS NOT NULL
    UNION ALL SELECT 'action', id, case_id, 'room' FROM action WHERE voided_at IS NOT NULL
    UNION ALL SELECT 'link', id, case_id, 'room' FROM link WHERE voided_at IS NOT NULL
    UNION ALL SELECT 'identifier', id, case_id, 'room' FROM identifier WHERE voided_at IS NOT NULL
    -- scheme:S: identifiers of a scheme, for participants whose kind may know it
    UNION ALL SELECT 'identifier', id, case_id, 'scheme:' || scheme FROM identifier
               WHERE voided_at IS NULL AND scheme IN (SELECT scheme FROM scheme_kind)
    -- agency:X: what X wrote, whatever became of it
    UNION ALL SELECT 'case_file', id, case_id, 'agency:' || agency FROM case_file
    UNION ALL SELECT 'person', id, case_id, 'agency:' || agency FROM person
    UNION ALL SELECT 'kinship', id, case_id, 'agency:' || agency FROM kinship
    UNION ALL SELECT 'warning', id, case_id, 'agency:' || agency FROM warning
    UNION ALL SELECT 'pointer', id, case_id, 'agency:' || agency FROM pointer
    UNION ALL SELECT 'brief', id, case_id, 'agency:' || agency FROM brief
    UNION ALL SELECT 'participant', id, case_id, 'agency:' || agency FROM participant
    UNION ALL SELECT 'participant', id, case_id, 'agency:' || member FROM participant WHERE voided_at IS NULL AND member <> agency
    UNION ALL SELECT 'record', id, case_id, 'agency:' || agency FROM record
    UNION ALL SELECT 'referral', id, case_id, 'agency:' || agency FROM referral
    UNION ALL SELECT 'contact', id, case_id, 'agency:' || agency FROM contact
    UNION ALL SELECT 'consent', id, case_id, 'agency:' || agency FROM consent
    UNION ALL SELECT 'rating', id, case_id, 'agency:' || agency FROM rating
    UNION ALL SELECT 'challenge', id, case_id, 'agency:' || agency FROM challenge
    UNION ALL SELECT 'meeting', id, case_id, 'agency:' || agency FROM meeting
    UNION ALL SELECT 'attendance', id, case_id, 'agency:' || agency FROM attendance
    UNION ALL SELECT 'episode', id, case_id, 'agency:' || agency FROM episode
    UNION ALL SELECT 'coded', id, case_id, 'agency:' || agency FROM coded
    UNION ALL SELECT 'allocation', id, case_id, 'agency:' || agency FROM allocation
    UNION ALL SELECT 'action', id, case_id, 'agency:' || agency FROM action
    UNION ALL SELECT 'link', id, case_id, 'agency:' || agency FROM link
    UNION ALL SELECT 'identifier', id, case_id, 'agency:' || agency FROM identifier
    UNION ALL SELECT 'held', id, case_id, 'agency:' || agency FROM held
    UNION ALL SELECT 'release_source', id, case_id, 'agency:' || agency FROM release_source
    -- what X was asked or told
    UNION ALL SELECT 'request', id, case_id, 'agency:' || agency FROM request
    UNION ALL SELECT 'request', id, case_id, 'agency:' || to_agency FROM request WHERE voided_at IS NULL AND to_agency <> agency
    UNION ALL SELECT 'release', id, case_id, 'agency:' || agency FROM release
    UNION ALL SELECT 'release', id, case_id, 'agency:' || to_agency FROM release WHERE voided_at IS NULL AND to_agency <> agency
                 AND (expires_at IS NULL OR expires_at > (SELECT now FROM policy_now))
    UNION ALL SELECT 'feedback', id, case_id, 'agency:' || agency FROM feedback
    UNION ALL SELECT 'feedback', id, case_id, 'agency:' || to_agency FROM feedback WHERE voided_at IS NULL AND to_agency <> agency;

-- Agencies of the two people whose values met in a conflict.
CREATE VIEW conflict_author(conflict_id, agency) AS
    SELECT c.id, s.agency
      FROM conflict c JOIN practitioner p ON p.id IN (c.kept_by, c.lost_by) JOIN site s ON s.code = p.site;

-- A conflict follows the row (tbl, row_id) that it is about.
CREATE VIEW conflict_channel(id, case_id, tbl, row_id, channel) AS
    -- an open conflict is seen by who sees its row
              SELECT c.id, c.case_id, about.tbl, about.id, about.channel
                FROM conflict c JOIN plain_channel about ON about.tbl = c.tbl AND about.id = c.row_id
               WHERE c.state = 'open'
    -- a settled one by the room and its two authors' agencies; never more of it than of a row that is its owner's alone
    UNION ALL SELECT c.id, c.case_id, about.tbl, about.id, about.channel
                FROM conflict c JOIN plain_channel about ON about.tbl = c.tbl AND about.id = c.row_id
               WHERE c.state <> 'open' AND about.channel LIKE 'agency:%'
                 AND substr(about.channel, 8) IN (SELECT agency FROM conflict_author a WHERE a.conflict_id = c.id)
    UNION ALL SELECT c.id, c.case_id, about.tbl, about.id, 'room'
                FROM conflict c JOIN plain_channel about ON about.tbl = c.tbl AND about.id = c.row_id
               WHERE c.state <> 'open' AND about.channel IN ('face', 'shared', 'room')
    UNION ALL SELECT c.id, c.case_id, about.tbl, about.id, 'agency:' || a.agency
                FROM conflict c JOIN plain_channel about ON about.tbl = c.tbl AND about.id = c.row_id
                                JOIN conflict_author a ON a.conflict_id = c.id
               WHERE c.state <> 'open' AND about.channel IN ('face', 'shared');

CREATE VIEW row_channel(tbl, id, case_id, channel) AS
              SELECT tbl, id, case_id, channel FROM plain_channel
    UNION ALL SELECT 'conflict', id, case_id, channel FROM conflict_channel;

-- ------------------------------------------------------------------------------------------------- sites to channels
-- What the questions below look up, besides the indices on case_id that every case table has.
CREATE INDEX agency_code ON agency(code);
CREATE INDEX site_code ON site(code);
CREATE INDEX coverage_area ON coverage(area);
CREATE INDEX coverage_site ON coverage(site);
CREATE INDEX consent_person ON consent(case_id, person_id);
CREATE INDEX conflict_row ON conflict(row_id);
CREATE INDEX conflict_kept ON conflict(kept_by);
CREATE INDEX conflict_lost ON conflict(lost_by);

-- The same may stand here more than once (a site that covers the area twice): only whether it stands here counts.
-- Neither IN over a list nor OR where an equality will do: SQLite makes a temporary table for each, each time, which
-- costs more than all that is looked up.
-- Sites that cover a case's area. A restricted case is covered by nobody: only named sites take part in it.
CREATE VIEW site_covers(site, agency, kind, case_id) AS
    SELECT s.code, s.agency, s.kind, c.id
      FROM case_file c JOIN coverage v ON v.area = c.area JOIN site s ON s.code = v.site
     WHERE coalesce(c.restricted, 0) = 0
    UNION ALL
    SELECT s.code, s.agency, s.kind, c.id
      FROM case_file c JOIN coverage v ON v.area = '*' JOIN site s ON s.code = v.site
     WHERE coalesce(c.restricted, 0) = 0;

-- Participants in force.
CREATE VIEW participant_now(case_id, member, site, access) AS
    SELECT p.case_id, p.member, coalesce(p.site, ''), p.access
      FROM participant p
     WHERE p.voided_at IS NULL AND (p.access = 'check' OR p.access = 'view' OR p.access = 'contribute')
       AND (p.since IS NULL OR p.since <= (SELECT now FROM policy_now))
       AND (p.until IS NULL OR p.until > (SELECT now FROM policy_now));

-- Sites that take part: as an agency's site that covers the area, or by name.
CREATE VIEW site_part(site, agency, kind, case_id, access) AS
    SELECT v.site, v.agency, v.kind, p.case_id, p.access
      FROM participant_now p JOIN site_covers v ON v.case_id = p.case_id AND v.agency = p.member
     WHERE p.site = ''
    UNION ALL
    SELECT s.code, s.agency, s.kind, p.case_id, p.access
      FROM participant_now p JOIN site s ON s.code = p.site AND s.agency = p.member
     WHERE p.site <> '';

-- The MASH room of the area; of a restricted case, a MASH site that is named to contribute.
CREATE VIEW site_room(site, agency, case_id) AS
    SELECT site, agency, case_id FROM site_covers WHERE kind = 'mash'
    UNION ALL
    SELECT p.site, p.agency, p.case_id FROM site_part p JOIN case_file c ON c.id = p.case_id
     WHERE p.kind = 'mash' AND p.access = 'contribute' AND c.restricted = 1;

CREATE VIEW site_channel(site, case_id, channel) AS
              SELECT code, zeroblob(16), 'reference' FROM site
    UNION ALL SELECT p.site, p.case_id, w.channel FROM site_part p JOIN way_channel w ON w.way = p.access
    UNION ALL SELECT r.site, r.case_id, w.channel FROM site_room r JOIN way_channel w ON w.way = 'room'
    UNION ALL SELECT v.site, v.case_id, w.channel
            FROM site_covers v JOIN case_file c ON c.id = v.case_id JOIN way_channel w ON w.way = v.kind
           WHERE v.kind = 'out_of_hours' AND coalesce(c.status, '') <> 'closed'
    UNION ALL SELECT p.site, p.case_id, 'scheme:' || k.scheme
            FROM site_part p JOIN agency a ON a.code = p.agency JOIN scheme_kind k ON k.kind = a.kind
    UNION ALL SELECT v.site, v.case_id, 'agency:' || v.agency
            FROM site_covers v JOIN case_voice o ON o.case_id = v.case_id AND o.agency = v.agency
    -- a site that is named keeps its agency's own rows when its part is over; in a restricted case only while it lasts
    UNION ALL SELECT s.code, p.case_id, 'agency:' || p.member
            FROM participant p JOIN site s ON s.code = p.site AND s.agency = p.member
                               JOIN case_file c ON c.id = p.case_id AND coalesce(c.restricted, 0) = 0
                               JOIN case_voice o ON o.case_id = p.case_id AND o.agency = p.member
           WHERE p.voided_at IS NULL
    UNION ALL SELECT p.site, p.case_id, 'agency:' || p.agency
            FROM site_part p JOIN case_file c ON c.id = p.case_id AND c.restricted = 1
                             JOIN case_voice o ON o.case_id = p.case_id AND o.agency = p.agency;

-- How far a site may write in a case: 1 check, 2 view, 3 contribute, 4 MASH room, 5 lead agency. The widest stands.
CREATE VIEW site_access(site, case_id, access) AS
              SELECT site, case_id, CASE access WHEN 'check' THEN 1 WHEN 'view' THEN 2 ELSE 3 END FROM site_part
    UNION ALL SELECT site, case_id, 4 FROM site_room
    UNION ALL SELECT v.site, v.case_id, 5 FROM site_covers v JOIN case_file c ON c.id = v.case_id WHERE c.lead_agency = v.agency
                 AND (v.kind = 'mash' OR EXISTS (SELECT 1 FROM site_part p WHERE p.site = v.site AND p.case_id = v.case_id))
    UNION ALL SELECT p.site, p.case_id, 5 FROM site_part p JOIN case_file c ON c.id = p.case_id WHERE c.lead_agency = p.agency;
