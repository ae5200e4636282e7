#!/usr/bin/env python3
"""The oracle: decides who may see what, from the rows of cases as they stand at the hub.

Written from the design alone: the matrix "Who sees what" with its sentences, rules 3 and 4, and hub/RULES.md where the
matrix is silent. It shares nothing with hub/policy.sql, so that a mistake in one of them shows. The lines that it reads
and the answers that it gives are told in README.md beside it.
"""
import re
import sys
import typing


class Bad(Exception):
    """Something is not as it should be."""


# --- Facts -----------------------------------------------------------------------------------------------------------

ACCESS = {"check": 1, "view": 2, "contribute": 3}  # everything else, none and nothing included, is no part in the case
CHECK, VIEW, CONTRIBUTE = 1, 2, 3
FACE = {"case_file", "person", "kinship", "warning", "pointer"}
SHARED = {"brief", "consent", "rating", "challenge", "meeting", "attendance", "episode", "coded", "allocation"}
ROOM = {"referral", "link", "held"}
BETWEEN = {"request", "release", "feedback"}  # from one agency to another
OTHERS = {"participant", "record", "contact", "action", "identifier", "release_source", "conflict"}
TABLES = FACE | SHARED | ROOM | BETWEEN | OTHERS

# "scheme:S: participants whose agency's kind may know S"
MAY_KNOW = {"nhs": {"health", "social_care"}, "pnc": {"police", "probation"}, "crn": {"police", "probation"},
            "upn": {"education", "social_care"}}
# What expires, and so moves rows between channels without anyone writing.
MOMENTS = {"participant": ("since", "until"), "consent": ("expires_at",), "release": ("expires_at",)}


class Row:
    """A row of a case. Columns that are NULL are not in values."""

    def __init__(self, table, row_id, case_id, agency_code, values):
        self.table, self.id, self.case_id, self.agency = table, row_id, case_id, agency_code
        self.key = f"{table}:{row_id}"
        self.get = values.get
        self.voided = "voided_at" in values

    def yes(self, column):
        return bool(self.get(column))


class Site(typing.NamedTuple):
    code: str
    agency: str
    kind: str
    areas: frozenset

    def covers(self, area):
        return "*" in self.areas or area in self.areas


class Facts:
    """One case at one moment. decided: ids of records that a recorded decision rests upon."""

    def __init__(self, rows, now, kind_of, agency_of, decided=frozenset(), plain=None):
        self.rows, self.now, self.decided, self.plain = rows, now, decided, plain or PLAIN
        self.kind_of, self.agency_of = kind_of, agency_of  # of an agency's code; of a practitioner's id
        by_table = {}
        for row in rows.values():
            by_table.setdefault(row.table, []).append(row)
        files = by_table.get("case_file", [])
        # A case has one case_file. Should there be more, that with the case's own id counts, and any may restrict it.
        self.file = min(files, key=lambda r: (r.id != r.case_id, r.id), default=None)
        self.restricted = any(r.yes("restricted") for r in files)
        self.area = self.file.get("area") if self.file else None
        self.open = bool(self.file) and self.file.get("status") != "closed"
        self.participants = [r for r in by_table.get("participant", []) if not r.voided]
        self.consents = [r for r in by_table.get("consent", []) if not r.voided]
        self.subjects = [r.id for r in by_table.get("person", [])
                         if not r.voided and r.get("role") in ("child", "adult")]

    def expired(self, row, column):
        """At its very moment a thing has expired: what was told for a time is not told longer."""
        end = row.get(column)
        return end is not None and end <= self.now


# --- Which channels a row is in --------------------------------------------------------------------------------------

def agency(code):
    return "agency:" + code


def participant_channels(row, f):
    """ "shared: participant (not quiet ones)"; "room: quiet participants"; "agency:X: its own participant row" """
    return {"room" if row.yes("quiet") else "shared", agency(row.get("member") or "")}


def guarded_channels(row, f):
    """ "shared: contacts not protected, actions not sensitive"; "room: protected contacts, sensitive actions" """
    return {"room" if row.yes("protected") or row.yes("sensitive") else "shared"}


def identifier_channels(row, f):
    """ "room: identifiers"; "scheme:S: identifiers of scheme S" """
    return {"room", "scheme:" + (row.get("scheme") or "")}


def between_channels(row, f):
    """ "agency:X: requests, releases and feedback to X"; "What expires (consent, release, participation) changes
    channels when its time comes" """
    over = row.table == "release" and f.expired(row, "expires_at")
    return set() if over else {agency(row.get("to_agency") or "")}


def record_channels(row, f):
    """ "shared: open records"; "room: sensitive records"; "A restricted record is in agency:owner only. A record that
    needs consent, has none in force for every person it is about, and has no override by its owner, is in agency:owner
    only" """
    if not free(row, f):
        return set()
    return {"open": {"shared"}, "sensitive": {"room"}}.get(row.get("sensitivity"), set())


def free(row, f):
    """May it be told, as far as consent goes?"""
    return not row.yes("needs_consent") or overridden(row, f) or consented(row, f)


def overridden(row, f):
    """ "only the owner overrides, record by record"; "An override counts once it has a time and a reason; nobody but the
    record's owner can write them." """
    return bool(row.get("override_reason")) and row.get("override_at") is not None


def consented(row, f):
    """ "Consent bears on a record when its scope is `all` or the code of the agency that wrote the record. All that
    bear must be given and in force, one for each person the record is about (no person named: each child or adult
    subject of the case)." "A withdrawal takes back what was told under the consent, except records that a recorded
    decision rests upon. A consent that was refused or not sought, or that ends by its own time, takes back
    everything." """
    stands = ("given", "withdrawn") if row.id in f.decided else ("given",)
    bear = [c for c in f.consents if c.get("scope") in ("all", row.agency)]
    about = f.subjects if row.get("person_id") is None else [row.get("person_id")]
    given = {person: [c.get("state") in stands and not f.expired(c, "expires_at")
                      for c in bear if c.get("person_id") == person] for person in about}
    return bool(given) and all(answers and all(answers) for answers in given.values())


def conflict_channels(row, f, behind):
    """ "A conflict is seen by who sees its row; once settled, by the MASH room and its two authors' agencies." ("An
    open one is seen by who sees its row; others by [them], and by each of them only as far as the row is not kept from
    it: a row that is the room's, or its owner's, alone has its conflicts there.") """
    behind = behind | {row.key}  # a conflict may be about a conflict
    target = f.rows.get(f"{row.get('tbl')}:{row.get('row_id')}")
    its = channels_of(target, f, behind) if target and target.key not in behind else set()
    if row.get("state") == "open":
        return its
    authors = {agency(a) for a in map(f.agency_of, (row.get("kept_by"), row.get("lost_by"))) if a}
    if not its & {"face", "shared"}:
        authors &= its
    return authors | ({"room"} if its & {"face", "shared", "room"} else set())


def voided_channels(row, before):
    """ "a mistaken row is voided, and then only its writer and the MASH room see it"; "Voiding shows a row to nobody
    who did not see it before." """
    writer = agency(row.agency)
    return {writer, "room"} if before & {"face", "shared", "room"} else {writer}


SPECIAL = {"participant": participant_channels, "contact": guarded_channels, "action": guarded_channels,
           "identifier": identifier_channels, "record": record_channels, **dict.fromkeys(BETWEEN, between_channels)}
PLAIN = {t: c for c, tables in (("face", FACE), ("shared", SHARED), ("room", ROOM)) for t in tables}


def channels_of(row, f, behind=frozenset()):
    if row.table == "conflict":
        found = conflict_channels(row, f, behind)
    else:
        found = {agency(row.agency)}  # "agency:X: every row that X wrote"
        if row.table in f.plain:
            found.add(f.plain[row.table])
        elif row.table in SPECIAL:
            found |= SPECIAL[row.table](row, f)
        # else release_source: "in agency:owner only"
    return voided_channels(row, found) if row.voided else found


# --- Which channels of a case a site holds ---------------------------------------------------------------------------

def names(part, site):
    """ "A participant names its agency, or a site of it" """
    return part.get("member") == site.agency and part.get("site") == site.code


def begun_and_not_over(part, f):
    """ "A part in a case begins with `since`, if that is set"; and ends when its time comes. """
    since = part.get("since")
    return (since is None or since <= f.now) and not f.expired(part, "until")


def access_of(site, f):
    """ "site ('' = all of the agency's that cover the area)"; "a site takes part when it covers the area or is named";
    "A restricted case is for the sites that its participants name". Of several parts the widest counts. """
    all_of_agency = site.covers(f.area) and not f.restricted
    parts = (part for part in f.participants if begun_and_not_over(part, f) and (
        names(part, site) or all_of_agency and part.get("member") == site.agency and not part.get("site")))
    return max((ACCESS.get(part.get("access"), 0) for part in parts), default=0)


def is_room(site, access, f):
    """ "the area's MASH room"; "The room of a restricted case is a MASH site that is named in it to contribute." """
    return site.kind == "mash" and (access == CONTRIBUTE if f.restricted else site.covers(f.area))


def is_night_shift(site, f):
    """ "an out-of-hours site while the case is open"; a restricted case is for the sites that are named """
    return site.kind == "out_of_hours" and f.open and not f.restricted and site.covers(f.area)


def keeps_its_own(site, f):
    """ "X's sites that cover the area or are named: with or without the case, an agency keeps what it wrote, what it
    was told, and the outcome": so here a site stays named when its part is over. """
    return site.covers(f.area) or any(names(part, site) for part in f.participants)


def channels_held(site, f):
    access = access_of(site, f)
    # "for the sites that its participants name, and no others, MASH room included"; without a case_file nobody can say.
    if f.file is None or (f.restricted and access == 0):
        return set()
    held, room = set(), is_room(site, access, f)
    if access >= CHECK:  # "participants with `check` or more"
        held.add("face")
        held.update("scheme:" + s for s, kinds in MAY_KNOW.items() if f.kind_of(site.agency) in kinds)
    if access >= VIEW:  # "participants with `view` or `contribute`"
        held.add("shared")
    if room or is_night_shift(site, f):
        held |= {"face", "shared"}
    if room:
        held.add("room")
    if keeps_its_own(site, f):
        held.add(agency(site.agency))
    return held


# --- Who may write ---------------------------------------------------------------------------------------------------

ROOM_ACCESS, LEAD_ACCESS = 4, 5
STEERING = {"case_file", "participant", "person", "consent"}  # decide who sees other rows, or may write


def reach(site, f):
    """ "Access of a site in a case: 1 check, 2 view, 3 contribute, 4 MASH room, 5 lead agency" """
    part = access_of(site, f)
    takes_part = part > 0 or site.kind == "mash" and site.covers(f.area)
    if f.file is not None and takes_part and f.file.get("lead_agency") == site.agency:
        return LEAD_ACCESS
    return ROOM_ACCESS if f.file is not None and is_room(site, part, f) else part


def seen_by(site, key, under):
    """Under each of the policies."""
    return all(key in f.rows and channels_of(f.rows[key], f) & channels_held(site, f) for f in under)


class Standing(typing.NamedTuple):
    """How the author of a change stands towards a case."""
    site: Site
    reach: int  # now and then, whichever was less
    now: int
    then: tuple  # its reach as its author may have known it
    manager: bool  # a duty for the case's area
    duty: bool  # this one, or social_care


def may_lead(s, row):
    """ "The lead agency, or a person with the duty manager or social_care for the area" """
    return s.duty or s.reach == LEAD_ACCESS


def may_contribute(s, row):
    """ "any contributor", the MASH room and the lead agency among them """
    return s.reach >= CONTRIBUTE


def may_change_own(s, row):
    """ "The writing agency its own rows"; the case as such is not its first writer's alone. """
    return row.agency == s.site.agency and (row.table != "case_file" or s.duty or s.now >= CONTRIBUTE)


def may_release(s, row):
    """ "Only the agency that is asked may answer it": such a one names who asked. The others are their writers'. """
    return s.site.agency == (row.get("to_agency") if row.get("asked_by") is not None else row.agency)


MAY = {
    "see": lambda s, row: True,
    # "a change that does nothing but add records of the author's own agency [...] when it took part with `check` or more"
    "late": lambda s, row: any(was == CHECK or was >= CONTRIBUTE for was in s.then),
    "release": may_release,
    "check": lambda s, row: s.reach == CHECK or s.reach >= CONTRIBUTE,
    "contribute": may_contribute,
    "bring": lambda s, row: may_contribute(s, row) or may_lead(s, row),
    "lead": may_lead,
    "duty": lambda s, row: s.duty,  # "area, lead and restricted only those two duties"
    "own": may_change_own,
    "asked": lambda s, row: s.site.agency in (row.get("to_agency"), row.agency),  # who asked may cancel
    "judge": lambda s, row: s.manager and s.site.kind == "mash"}  # "the area's manager at a MASH node"


# --- The world -------------------------------------------------------------------------------------------------------

class Sight:
    """What follows from the rows of a case at one moment, under one policy or under two: what both show."""

    def __init__(self, facts):
        self.facts, self.seen = facts, {}  # keys by site
        self.members = [self.by_channel(f) for f in facts]

    @staticmethod
    def by_channel(f):
        members = {}
        for row in f.rows.values():
            for channel in channels_of(row, f):
                members.setdefault(channel, []).append(row.key)
        return members

    def of(self, site):
        if site.code not in self.seen:
            held = [channels_held(site, f) for f in self.facts]
            self.seen[site.code] = set.intersection(*(
                {key for channel in channels for key in members.get(channel, ())}
                for channels, members in zip(held, self.members)))
        return self.seen[site.code]


class Case:
    """The rows of a case, and what follows from them while no row, no reference data and no moment has come between.

    What its decisions rest upon is known but for changes that came to the hub in one step with a decision: `perhaps`."""

    def __init__(self):
        self.rows, self.sure = {}, None
        self.log, self.past = [], {}  # (place in the world's order, row); facts of versions gone by
        self.decided = self.perhaps = frozenset()
        self.plain = [PLAIN]  # of the policies that it stands under
        self.told = self.plain  # the same, as it was before `policy *` was told last
        self.turns = [(0, self.decided, self.plain)]  # (place, what may be decided upon since, its policies)
        self.before = None  # the rows as they stood at the last version, when one was told since
        self.old = False  # the hub was put back, and may know of decisions of which nothing tells any more

    def facts(self, world, decided, when=None):
        return [Facts(self.rows, world.now if when is None else when, world.kinds.get, world.agency_of, decided, plain)
                for plain in self.plain]

    def turn(self, world):
        self.turns.append((world.puts, self.decided | self.perhaps, self.plain))
        self.sure = None

    def at(self, world):
        """self.sure: what is seen for certain. self.most: what may be seen; mostly the same."""
        if self.sure is None or not self.first <= world.now < self.last or self.reference != world.reference:
            self.first, self.last, self.reference = world.now, self.next_moment(world.now), world.reference
            self.sure = self.most = Sight(self.facts(world, self.decided))
            if self.perhaps:
                self.most = Sight(self.facts(world, self.decided | self.perhaps))
            self.future, self.ending = {}, {}  # sights by moments to come; ends of rows by site
        return self

    def next_moment(self, now):
        times = (row.get(column) for row in self.rows.values() for column in MOMENTS.get(row.table, ()))
        return min((t for t in times if t is not None and t > now), default=float("inf"))

    def ends(self, site, world):
        """(of rows that the site sees: when they leave its sight at the earliest, and at the latest), as the rows stand,
        for those that leave it by themselves."""
        if site.code not in self.at(world).ending:
            known = (self.sure.of(site), self.most.of(site))
            found, when = ({}, {}), world.now
            while (when := self.next_moment(when)) != float("inf"):
                for i, sight in enumerate(self.later(when, world)):
                    for key in known[i] - sight.of(site):
                        found[i].setdefault(key, when)
            self.ending[site.code] = found
        return self.ending[site.code]

    def later(self, when, world):
        """(sure, most) at a moment to come, if no row moves until then."""
        if when not in self.future:
            sure = Sight(self.facts(world, self.decided, when))
            most = Sight(self.facts(world, self.decided | self.perhaps, when)) if self.perhaps else sure
            self.future[when] = sure, most
        return self.future[when]

    def as_of(self, version, world):
        """What the case was, at most, at a version whose end was told."""
        if version not in self.past:
            upto, now = world.versions[version]
            rows = {row.key: row for place, row in self.log if place <= upto}
            decided, plains = [turn[1:] for turn in self.turns if turn[0] <= upto][-1]
            self.past[version] = [Facts(rows, now, world.kinds.get, world.agency_of, decided, plain) for plain in plains]
        return self.past[version]

    def step(self, world):
        """ "Records that a recorded decision rests upon: those that were free to be told when the decision
        (`brief.decided_at`) was taken in." The rows were told as they stand after a step of the hub, in which a record,
        a consent or a person may have changed before the decision or after it: then nobody can say. """
        before, self.before = self.before, None
        if self.old:
            self.old = False
            self.doubt(world, {row.id for row in self.rows.values() if row.table == "record"})
        moved = {key for key, row in self.rows.items() if before.get(key) is not row}
        if not any(takes_decision(before.get(key), self.rows[key]) for key in moved):
            return
        self.decide(world, moved)

    def doubt(self, world, records):
        self.perhaps |= records
        self.turn(world)

    def decide(self, world, moved):
        stirred = any(self.rows[key].table in ("consent", "person") for key in moved)
        f = self.facts(world, self.decided)[0]
        records = [row for row in self.rows.values() if row.table == "record"]
        # Nor does anything say whether it rests upon what needed no consent then.
        unclear = {row.id for row in records if stirred or row.key in moved or not row.yes("needs_consent")}
        self.decided |= {row.id for row in records if row.id not in unclear and free(row, f)}
        self.doubt(world, unclear)
        self.perhaps -= self.decided


def takes_decision(was, row):
    at = row.get("decided_at") if row.table == "brief" else None
    return at is not None and (was is None or was.get("decided_at") != at)


class World:
    def __init__(self, seed):
        self.seed, self.event, self.now = seed, 0, None
        self.kinds, self.sites, self.practitioners = {}, {}, {}
        self.cases, self.rows = {}, {}
        self.allowed = {}  # (device, site) -> keys it may hold
        self.ends = {}  # (device, site) that was told that it is up to date, and nothing since: the ends of its rows
        self.reference = self.decisions = 0  # changes of reference data; rows decided
        self.duties = {}  # of a practitioner: (area, duty)
        self.policies = {"0": PLAIN}  # channels of whole tables, by the policy's name
        self.newborn = ["0"]  # under which policies a new case stands
        self.amnesia = False  # the hub was put back, and its rows are being told
        self.stepping = []  # cases of which rows were told since the last version
        self.puts, self.versions = 0, {0: (0, 0)}  # rows told; of a version: how many were told by then, and when
        self.touched = {}  # cases steered and rows written since: the first version that did

    def agency_of(self, practitioner):
        site = self.sites.get(self.practitioners.get(practitioner))
        return site.agency if site else None

    def site(self, word):
        if text(word) not in self.sites:
            raise Bad(f"unknown site {word}")
        return self.sites[text(word)]

    def put(self, row):
        old = self.rows.get(row.key)
        if old is not None and old.case_id != row.case_id:
            raise Bad(f"{row.key} changed its case")
        self.rows[row.key] = row
        case = self.cases.setdefault(row.case_id, Case())
        if case.before is None:
            if not case.rows:
                case.plain = [self.policies[p] for p in self.newborn]
                case.turn(self)
            case.before = dict(case.rows)
            case.old = self.amnesia and not case.rows
            self.stepping.append(case)
        case.rows[row.key] = row
        case.sure = None
        self.puts += 1
        case.log.append((self.puts, row))

    def lost(self):
        """The hub was put back from an old image: its rows are told anew. What devices may hold, they still may."""
        self.cases, self.rows, self.versions, self.touched = {}, {}, {0: (self.puts, 0)}, {}
        self.ends = {}
        self.stepping, self.amnesia = [], True

    def policy(self, case_id, names):
        """It stands over the case from now on; `*`: over every case, and new ones."""
        if any(name not in self.policies for name in names):
            raise Bad(f"unknown policy in {names}")
        if case_id == "*":
            self.newborn = names
        for case in self.cases.values() if case_id == "*" else [self.cases.setdefault(case_id, Case())]:
            plain = [self.policies[name] for name in names]
            if case_id == "*":
                case.told = case.plain
            if case.plain != plain:
                case.plain = plain
                case.turn(self)
                # Not when it stood under the new one already: rows that came since are judged by that alone.
                if len(self.newborn) == 2 and names == self.newborn[1:] and case.told != plain:
                    self.only_narrows(case)

    def only_narrows(self, case):
        """ "First every case goes under both [...]; then every case goes under the new one. A case that the new policy
        only narrows goes under it at once." """
        f = case.facts(self, case.decided | case.perhaps)[0]
        old = Sight([Facts(f.rows, f.now, f.kind_of, f.agency_of, f.decided, self.policies[self.newborn[0]])])
        for site in self.sites.values():
            if more := Sight([f]).of(site) - old.of(site):
                raise Bad("widened before every case was narrowed: " + self.tell("LEAK", more, site))

    def version(self, version):
        for case in self.stepping:
            case.step(self)
        self.stepping, self.amnesia = [], False
        self.versions.setdefault(version, (self.puts, self.now))
        self.touched = {}

    def has_duty(self, user, site, area, duties):
        """ "for the area"; "Duties (manager, social care) count as they stand now" """
        return self.practitioners.get(user) == site.code and any(
            where in ("*", area or "") and duty in duties for where, duty in self.duties.get(user, ()))

    def wrote(self, version, site, user, cut, how, rule, case_id, key):
        """A change of this envelope counts. "An operation must be allowed at its base cut and now", by what held before
        it: where earlier changes of the same exchange may have moved that, nothing is said."""
        earlier = min(self.touched.get(case_id, version), self.touched.get(key, version))
        self.touched.setdefault(key, version)
        if key.partition(":")[0] in STEERING:
            self.touched.setdefault(case_id, version)
        case, row = self.cases.get(case_id), self.rows.get(key)
        if rule == "any" or earlier < version or case is None or (how == "change" and row is None):
            return
        wrong = self.unpowered(case.at(self).most.facts, self.then(case, cut), (site, user, rule), (key, row, how))
        if wrong:
            raise Bad(f"site {site.code} wrote {key} of case {case_id} ({how}, {rule}, base {cut}) and {wrong}")

    def then(self, case, cut):
        """The case as its author may have known it: a cut served in pages has two ends. None: nobody can say."""
        if any(v not in self.versions for v in cut):
            return None
        return [case.as_of(v, self) for v in sorted(set(cut))]

    def unpowered(self, f, then, author, what):
        (site, user, rule), (key, row, how) = author, what
        under, f = f, f[0]
        if self.practitioners.get(user, site.code) != site.code:
            return "its person is of another site"
        if row is None and rule != "late" and not channels_held(site, f):
            return "does not see the case now"
        if row is not None and not seen_by(site, key, under):
            return "does not see the row now"
        if how == "insert" and rule != "late" and then is not None and not any(channels_held(site, t[0]) for t in then):
            return "did not see the case when it was written"
        if how == "change" and then is not None and not any(seen_by(site, key, t) for t in then):
            return "did not see the row when it was written"
        if rule == "late" and then is None:
            return None  # the device made the case itself, or nobody can say what it knew
        now = reach(site, f)
        reaches = (now,) if then is None else tuple(reach(site, t[0]) for t in then)
        was = max(reaches)
        manager, duty = (self.has_duty(user, site, f.area, d) for d in (("manager",), ("manager", "social_care")))
        allowed = MAY[rule](Standing(site, min(now, was), now, reaches, manager, duty), row)
        return None if allowed else f"may not: access {now} now, {was} then, duty {duty}"

    def visible(self, site):
        """(what it sees for certain, what it may see). Every row is decided, whether the answer had to be worked out or
        still stood: both count as decisions."""
        self.decisions += len(self.rows)
        sure = set().union(*(case.at(self).sure.of(site) for case in self.cases.values()))
        doubtful = [case.most.of(site) for case in self.cases.values() if case.most is not case.sure]
        return sure, sure.union(*doubtful) if doubtful else sure

    def meets(self, device, site):
        self.allowed.setdefault((device, site.code), set()).update(self.visible(site)[1])
        self.ends.pop((device, site.code), None)

    def holds(self, device, site, how, keys):
        if how == "full":
            self.allowed[(device, site.code)] = self.compare(keys, site, "device " + device)
            ends = [case.ends(site, self) for case in self.cases.values()]
            self.ends[(device, site.code)] = tuple({k: t for e in ends for k, t in e[i].items()} for i in (0, 1))
        elif how == "part":
            # Nothing new is decided: a row in hand may have gone out of sight since it came.
            leaks = keys - self.allowed.get((device, site.code), set())
            if leaks:
                raise Bad(f"device {device} for site {site.code}, seen at no meeting since its last full one: "
                          + self.tell("LEAK", leaks, site))
        else:
            raise Bad(f"neither full nor part: {how}")

    def shows(self, device, site, clock, keys, hidden):
        """ "Each row that will leave a site's sight so is told to its devices with the time, as the rows stand now. A
        device hides the row at that time by its own clock, and shows it again when the hub says so or its clock was
        wrong." Between contacts only its clock moves. """
        earliest, latest = self.ends.get((device, site.code), ({}, {}))
        if (device, site.code) not in self.ends:
            return
        self.decisions += len(keys)
        wrong = [f"{word} {key} (it ends at {when[key] if key in when else 'no time'})"
                 for word, when, bad in (("SHOWN", latest, keys & latest.keys() if not hidden else ()),
                                         ("HIDDEN", earliest, keys if hidden else ()))
                 for key in sorted(bad) if (when.get(key, float("inf")) <= clock) != hidden]
        if wrong:
            raise Bad(f"device {device} for site {site.code}, whose clock says {clock}: " + ", ".join(wrong[:5]))

    def compare(self, keys, site, where):
        sure, most = self.visible(site)
        wrong = [self.tell(word, some, site)
                 for word, some in (("LEAK", keys - most), ("MISSING", sure - keys)) if some]
        if wrong:
            raise Bad(f"{where} for site {site.code} at {self.now}: " + "; ".join(wrong))
        return keys

    def tell(self, word, keys, site, most=5):
        more = f" and {len(keys) - most} more" if len(keys) > most else ""
        return ", ".join(f"{word} {key} ({self.reason(key, site)})" for key in sorted(keys)[:most]) + more

    def reason(self, key, site):
        row = self.rows.get(key)
        if row is None:
            return "the hub has no such row"
        case = self.cases[row.case_id]
        f = case.facts(self, case.decided)[0]
        alone = row.table == "record" and not free(row, f)
        notes = (("voided", row.voided), ("no consent", alone), ("restricted case", f.restricted),
                 ("two policies", len(case.plain) > 1), ("decided upon", row.id in case.decided), ("perhaps decided upon", row.id in case.perhaps))
        return (f"row is in {'+'.join(sorted(channels_of(row, f))) or 'no channel'}; "
                f"site holds {'+'.join(sorted(channels_held(site, f))) or 'none'} of case {row.case_id}"
                + "".join("; " + note for note, so in notes if so))


# --- Lines -----------------------------------------------------------------------------------------------------------

ID = re.compile(r"[0-9a-f]{32}\Z")
NUMBER = re.compile(r"-?[0-9]+\Z")
TEXT = re.compile(r"(\\e|(?:[^\\]++|\\x[0-9A-Fa-f]{2})*+)\Z")
ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|e)")
NUMBERS = set("restricted quiet protected sensitive needs_consent since until expires_at voided_at decided_at".split())
IDS = {"person_id", "row_id", "kept_by", "lost_by", "override_by", "asked_by"}


def checked(pattern, word):
    if not pattern.match(word):
        raise Bad(f"malformed: {word}")
    return word


def number(word):
    return int(checked(NUMBER, word))


def text(word):
    """A text as it was before it was written into a line."""
    if "\\" not in word:
        return word
    return ESCAPE.sub(lambda m: chr(int(m[1], 16)) if m[1] else "", checked(TEXT, word))


def value(column, word):
    kind, rest = word[:1], word[1:]
    wanted = "i" if column in NUMBERS else "x" if column in IDS else "ixt"
    if not kind or kind not in wanted:
        raise Bad(f"bad value {column}={word}")
    return number(rest) if kind == "i" else rest if kind == "x" else text(rest)


def a_site(words):
    return Site(text(words[0]), text(words[1]), text(words[2]), frozenset(map(text, words[3].split(","))) - {""})


def a_row(words):
    if words[0] not in TABLES:
        raise Bad(f"unknown table {words[0]}")
    values = {}
    for word in words[4:]:
        column, equals, rest = word.partition("=")
        if not equals or column in values:
            raise Bad(f"bad column {word}")
        values[column] = value(column, rest)
    return Row(words[0], checked(ID, words[1]), checked(ID, words[2]), text(words[3]), values)


def a_wrote(world, words):
    if words[5] not in ("insert", "change") or words[6] not in (*MAY, "any"):
        raise Bad(f"bad writing {words[5]} {words[6]}")
    cut = (number(words[3]), number(words[4]))
    world.wrote(number(words[0]), world.site(words[1]), checked(ID, words[2]), cut, words[5], words[6],
                checked(ID, words[7]), words[8])


def refer(world, where, key, what):
    if where.get(key) != what:
        where[key] = what
        world.reference += 1


def a_policy(world, words):
    """Tables that are in another channel than the design says."""
    moved = dict(word.split(":") for word in words[1:])
    if not moved.keys() <= PLAIN.keys() or not set(moved.values()) <= {"face", "shared", "room"}:
        raise Bad(f"bad policy {words}")
    world.policies[words[0]] = {**PLAIN, **moved}


# How each kind of line is read, the least words it has, and whether more may follow.
LINES = {
    "event": (lambda w, x: setattr(w, "event", number(x[0])), 1, False),
    "now": (lambda w, x: setattr(w, "now", number(x[0])), 1, False),
    "agency": (lambda w, x: refer(w, w.kinds, text(x[0]), text(x[1])), 2, False),
    "site": (lambda w, x: refer(w, w.sites, text(x[0]), a_site(x)), 4, False),
    "practitioner": (lambda w, x: refer(w, w.practitioners, checked(ID, x[0]), text(x[1])), 2, False),
    "row": (lambda w, x: w.put(a_row(x)), 4, True),
    "duty": (lambda w, x: w.duties.setdefault(checked(ID, x[0]), set()).add((text(x[1]), text(x[2]))), 3, False),
    "matrix": (a_policy, 2, True),
    "policy": (lambda w, x: w.policy(x[0] if x[0] == "*" else checked(ID, x[0]), x[1].split("|")), 2, False),
    "version": (lambda w, x: w.version(number(x[0])), 1, False),
    "wrote": (a_wrote, 9, False),
    "lost": (lambda w, x: w.lost(), 0, False),
    "meets": (lambda w, x: w.meets(x[0], w.site(x[1])), 2, False),
    "holds": (lambda w, x: w.holds(x[0], w.site(x[1]), x[2], set(x[3:])), 3, True),
    "shows": (lambda w, x: w.shows(x[0], w.site(x[1]), number(x[2]), set(x[3:]), False), 3, True),
    "hides": (lambda w, x: w.shows(x[0], w.site(x[1]), number(x[2]), set(x[3:]), True), 3, True),
    "sees": (lambda w, x: w.compare(set(x[1:]), w.site(x[0]), "the hub"), 1, True)}


def step(world, words):
    read, least, more = LINES.get(words[0], (None, 0, True))
    if world.now is None and words[0] in ("meets", "holds", "sees", "version", "wrote"):
        raise Bad("no time was told")
    if read is None:
        raise Bad("unknown line " + words[0][:40])
    if len(words) - 1 < least or (len(words) - 1 > least and not more) or "" in words:
        raise Bad("malformed line " + " ".join(words)[:80])
    read(world, words[1:])


def answers(lines):
    """One answer a world: at its end, or at the first thing that is wrong; then on to the next world."""
    world, deaf = World(0), False  # deaf: what follows belongs to a world that has its answer
    for line in lines:
        words = line.rstrip("\n").rstrip(" ").split(" ")
        if words[0] == "world" and len(words) == 2:
            world, deaf = World(words[1]), False
        elif words == ["end"] and not deaf:
            yield f"ok {world.seed} {world.decisions}" if world.seed else "bad 0 0 an end without a world"
            world = World(0)
        elif not deaf and words != [""]:
            try:
                if not world.seed:
                    raise Bad("a line before any world")
                step(world, words)
            except Bad as bad:
                deaf = f"bad {world.seed} {world.event} {bad}"
            except Exception as fault:  # the oracle's own mistake must not look like silence
                deaf = f"bad {world.seed} {world.event} the oracle failed: {fault!r} at {line[:80]!r}"
            if deaf:
                yield deaf


if __name__ == "__main__":
    sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape", newline="\n")
    sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")
    for answer in answers(sys.stdin):
        print(answer.replace("\n", " "), flush=True)
