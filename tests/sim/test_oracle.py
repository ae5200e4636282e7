#!/usr/bin/env python3
"""Is the oracle right? Small worlds as lines in, the verdict out; one claim of the design a test, mostly in both
directions: who must see a row, and who must not."""
import os
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
import oracle  # noqa: E402

NOW = 1_000_000
REFERENCE = """agency csc social_care
agency pol police
agency hlt health
agency edu education
agency prb probation
agency hou housing
site csc-mash csc mash north
site csc-south csc mash south
site csc-night csc out_of_hours *
site csc-far csc partner west
site pol-n pol partner north
site pol-s pol partner south
site hlt-n hlt partner north
site hlt-s hlt partner south
site edu-n edu partner north
site prb-n prb partner north
site hou-n hou partner north"""
SITES = [line.split()[1] for line in REFERENCE.splitlines() if line.startswith("site")]


def id_of(name):
    return name.encode().hex().ljust(32, "0")[:32]


def answer(lines):
    return list(oracle.answers(line + "\n" for line in lines))


class Small:
    """A world of one case in the area north, written by csc; a row is known by its name."""

    def __init__(self, **case_file):
        self.lines = ["world 7"] + REFERENCE.splitlines()
        self.lines += [f"practitioner {id_of('person ' + s)} {s}" for s in SITES]
        self.lines.append(f"now {NOW}")
        self.table = {}
        self.row("case_file", "case", "csc", **{"area": "north", "status": "open", **case_file})

    def row(self, table, name, agency, case="case", **columns):
        self.table[name] = table
        words = [f"{c}=i{v}" if isinstance(v, int) else f"{c}=t{v or chr(92) + 'e'}" if not v.startswith("#")
                 else f"{c}=x{id_of(v[1:])}" for c, v in columns.items()]
        self.lines.append(" ".join(["row", table, id_of(name), id_of(case), agency or "\\e"] + words))
        return self

    def part(self, member, access="contribute", name=None, **columns):
        return self.row("participant", name or f"part {member}", "csc", member=member, access=access, **columns)

    def record(self, name="rec", agency="hlt", **columns):
        return self.row("record", name, agency, **{"sensitivity": "open", **columns})

    def at(self, now):
        self.lines.append(f"now {now}")
        return self

    def key(self, name):
        return f"{self.table[name]}:{id_of(name)}"

    def sees(self, site, name):
        more = [f"meets 1 {site}", f"holds 1 {site} part {self.key(name)}", "end"]
        return answer(self.lines + more)[0].startswith("ok ")

    def who(self, name):
        return " ".join(s for s in SITES if self.sees(s, name))


class Face(unittest.TestCase):
    def test_face_is_for_participants_with_check_the_room_and_the_night_shift(self):
        w = Small().part("pol", "check").row("person", "p", "hlt").row("warning", "w", "hlt").row("kinship", "k", "hlt")
        w.row("pointer", "o", "hlt")
        for name in ("case", "p", "w", "k", "o"):
            writer = "csc-mash csc-night pol-n" if name == "case" else "csc-mash csc-night pol-n hlt-n"
            self.assertEqual(w.who(name), writer)

    def test_access_none_is_no_part(self):
        self.assertEqual(Small().part("pol", "none").who("case"), "csc-mash csc-night")

    def test_unknown_access_is_no_part(self):
        self.assertFalse(Small().part("pol", "everything").sees("pol-n", "case"))

    def test_night_shift_sees_only_while_the_case_is_open(self):
        w = Small(status="closed").row("person", "p", "hlt").row("rating", "r", "hlt")
        self.assertEqual(w.who("p"), "csc-mash hlt-n")
        self.assertEqual(w.who("r"), "csc-mash hlt-n")

    def test_room_of_another_area_sees_nothing(self):
        self.assertFalse(Small().row("person", "p", "hlt").sees("csc-south", "p"))

    def test_a_moved_case_changes_its_room(self):
        w = Small().row("person", "p", "hlt").row("case_file", "case", "csc", area="south", status="open")
        self.assertEqual(w.who("p"), "csc-south csc-night hlt-s")

    def test_a_warning_that_is_over_is_still_seen(self):
        self.assertTrue(Small().part("pol", "check").row("warning", "w", "hlt", until=5).sees("pol-n", "w"))


class Shared(unittest.TestCase):
    def test_shared_is_for_view_and_contribute_and_not_for_check(self):
        w = Small().part("pol", "view").part("edu", "contribute").part("hou", "check")
        for table in sorted(oracle.SHARED):
            w.row(table, table, "hlt", person_id="#p")
            self.assertEqual(w.who(table), "csc-mash csc-night pol-n hlt-n edu-n", table)

    def test_an_open_record_is_shared_and_a_sensitive_one_is_for_the_room(self):
        w = Small().part("pol").record("a").record("b", sensitivity="sensitive")
        self.assertEqual(w.who("a"), "csc-mash csc-night pol-n hlt-n")
        self.assertEqual(w.who("b"), "csc-mash hlt-n")

    def test_a_restricted_record_is_its_owners_only(self):
        self.assertEqual(Small().part("pol").record(sensitivity="restricted").who("rec"), "hlt-n")

    def test_a_record_of_unknown_sensitivity_is_its_owners_only(self):
        self.assertEqual(Small().part("pol").row("record", "rec", "hlt").who("rec"), "hlt-n")

    def test_protected_contacts_are_for_the_room(self):
        w = Small().part("pol").row("contact", "a", "hlt").row("contact", "b", "hlt", protected=1)
        self.assertEqual(w.who("a"), "csc-mash csc-night pol-n hlt-n")
        self.assertEqual(w.who("b"), "csc-mash hlt-n")

    def test_sensitive_actions_are_for_the_room(self):
        w = Small().part("pol").row("action", "a", "hlt", sensitive=0).row("action", "b", "hlt", sensitive=1)
        self.assertTrue(w.sees("pol-n", "a"))
        self.assertEqual(w.who("b"), "csc-mash hlt-n")


class Room(unittest.TestCase):
    def test_referral_link_and_held_are_for_the_room(self):
        w = Small().part("pol")
        for table in ("referral", "link", "held"):
            self.assertEqual(w.row(table, table, "hlt").who(table), "csc-mash hlt-n", table)

    def test_quiet_participants_are_known_to_the_room_and_themselves(self):
        w = Small().part("pol").part("edu").row("participant", "q", "hlt", member="edu", access="view", quiet=1)
        self.assertEqual(w.who("q"), "csc-mash hlt-n edu-n")

    def test_participants_are_known_to_each_other(self):
        self.assertEqual(Small().part("pol").part("edu", "check").who("part pol"), "csc-mash csc-night pol-n")

    def test_a_held_new_referral_has_a_case_without_agency_that_the_room_sees(self):
        w = Small()
        w.row("case_file", "h", "", case="h", area="north", status="open").row("held", "x", "hlt", case="h")
        self.assertEqual(w.who("h"), "csc-mash csc-night")
        self.assertEqual(w.who("x"), "csc-mash hlt-n")


class Scheme(unittest.TestCase):
    def check(self, scheme, knowing):
        w = Small().part("pol", "check").part("hlt").part("edu").part("prb").part("hou")
        self.assertEqual(w.row("identifier", "i", "prv", scheme=scheme).who("i"), knowing)

    def test_nhs_numbers_are_for_health_and_social_care(self):
        self.check("nhs", "csc-mash hlt-n")

    def test_pnc_and_crn_are_for_police_and_probation(self):
        self.check("pnc", "csc-mash pol-n prb-n")
        self.check("crn", "csc-mash pol-n prb-n")

    def test_upn_is_for_education_and_social_care(self):
        self.check("upn", "csc-mash edu-n")

    def test_an_unknown_scheme_is_for_the_room_alone(self):
        self.check("passport", "csc-mash")

    def test_who_has_no_part_sees_no_identifier(self):
        w = Small().row("identifier", "i", "prv", scheme="nhs")
        self.assertFalse(w.sees("hlt-n", "i"))

    def test_the_night_shift_sees_identifiers_only_as_participant(self):
        w = Small().row("identifier", "i", "prv", scheme="nhs")
        self.assertFalse(w.sees("csc-night", "i"))
        self.assertTrue(w.part("csc", "check", site="csc-night").sees("csc-night", "i"))


class OwnAgency(unittest.TestCase):
    def test_an_agency_keeps_what_it_wrote_without_the_case(self):
        w = Small().record(sensitivity="restricted").row("case_file", "case", "csc", area="north", status="closed")
        self.assertEqual(w.who("rec"), "hlt-n")

    def test_requests_and_feedback_are_between_two_agencies(self):
        w = Small().part("pol").part("edu")
        for table in ("request", "feedback"):
            w.row(table, table, "pol", to_agency="hlt")
            self.assertEqual(w.who(table), "pol-n hlt-n", table)

    def test_the_asked_agency_with_check_sees_who_the_question_and_its_own_rows(self):
        w = Small().part("hlt", "check").row("request", "q", "pol", to_agency="hlt").row("brief", "b", "csc").record()
        self.assertEqual([n for n in ("case", "q", "rec", "b") if w.sees("hlt-n", n)], ["case", "q", "rec"])

    def test_a_release_is_told_until_it_expires(self):
        w = Small().part("edu").row("release", "r", "hlt", to_agency="pol", expires_at=NOW + 10)
        self.assertEqual(w.who("r"), "pol-n hlt-n")
        self.assertEqual(w.at(NOW + 10).who("r"), "hlt-n")

    def test_a_release_does_not_show_the_record(self):
        w = Small().part("pol").record(sensitivity="restricted").row("release", "r", "hlt", to_agency="pol")
        w.row("release_source", "s", "hlt", release_id="#r", record_id="#rec")
        self.assertEqual([w.who("r"), w.who("rec"), w.who("s")], ["pol-n hlt-n", "hlt-n", "hlt-n"])

    def test_a_named_site_outside_the_area_keeps_its_own_when_its_part_is_over(self):
        w = Small().part("hlt", "view", site="hlt-s", until=NOW - 1).record().row("brief", "b", "csc")
        self.assertTrue(w.sees("hlt-s", "rec"))
        self.assertFalse(w.sees("hlt-s", "b"))

    def test_a_site_outside_the_area_that_nobody_names_does_not_see_its_agencys_rows(self):
        self.assertFalse(Small().part("hlt").record().sees("hlt-s", "rec"))


class Parts(unittest.TestCase):
    def test_an_agency_takes_part_with_the_sites_that_cover_the_area(self):
        w = Small().part("pol", "check", site="")
        self.assertTrue(w.sees("pol-n", "case"))
        self.assertFalse(w.sees("pol-s", "case"))

    def test_a_named_site_takes_part_outside_the_area_and_alone(self):
        w = Small().part("pol", "check", site="pol-s")
        self.assertTrue(w.sees("pol-s", "case"))
        self.assertFalse(w.sees("pol-n", "case"))

    def test_a_participant_does_not_name_the_site_of_another_agency(self):
        self.assertFalse(Small().part("hlt", "check", site="pol-s").sees("pol-s", "case"))

    def test_a_part_begins_with_since_and_ends_with_until(self):
        w = Small().part("pol", "check", since=NOW + 5, until=NOW + 9)
        times = [now for now in range(NOW + 3, NOW + 12) if w.at(now).sees("pol-n", "case")]
        self.assertEqual(times, [NOW + 5, NOW + 6, NOW + 7, NOW + 8])

    def test_a_voided_part_is_none(self):
        self.assertFalse(Small().part("pol", voided_at=5).sees("pol-n", "case"))

    def test_of_two_parts_the_wider_counts(self):
        w = Small().part("pol", "check").part("pol", "view", "second").row("brief", "b", "csc")
        self.assertTrue(w.sees("pol-n", "b"))


class Restricted(unittest.TestCase):
    def test_a_restricted_case_is_for_named_sites_and_not_even_for_the_room(self):
        w = Small(restricted=1).part("pol", site="pol-s").part("hlt").part("csc").record().row("brief", "b", "csc")
        self.assertEqual([w.who("case"), w.who("rec"), w.who("b")], ["pol-s", "pol-s", "pol-s"])

    def test_its_room_is_a_mash_site_named_to_contribute(self):
        w = Small(restricted=1).row("referral", "r", "hlt")
        self.assertEqual(w.part("csc", "view", site="csc-mash").who("r"), "")
        self.assertEqual(w.part("csc", "contribute", site="csc-mash").who("r"), "csc-mash")

    def test_the_night_shift_does_not_see_it(self):
        self.assertFalse(Small(restricted=1).sees("csc-night", "case"))
        self.assertTrue(Small(restricted=0).sees("csc-night", "case"))
        w = Small(restricted=1).part("csc", "check", site="csc-night").row("rating", "r", "hlt")
        self.assertTrue(w.sees("csc-night", "case"))
        self.assertFalse(w.sees("csc-night", "r"))


class Consent(unittest.TestCase):
    def shared(self, w):
        return w.part("pol", "view").sees("pol-n", "rec")

    def one(self, **consent):
        w = Small().row("person", "p", "csc", role="child").record(person_id="#p", needs_consent=1)
        return w.row("consent", "c", "csc", **{"person_id": "#p", "scope": "all", "state": "given", **consent})

    def test_without_consent_the_record_is_its_owners_only(self):
        w = Small().part("pol").record(person_id="#p", needs_consent=1)
        self.assertEqual(w.who("rec"), "hlt-n")

    def test_with_consent_it_is_shared(self):
        self.assertTrue(self.shared(self.one()))

    def test_a_sensitive_record_with_consent_goes_no_further_than_the_room(self):
        w = self.one().record(person_id="#p", needs_consent=1, sensitivity="sensitive").part("pol")
        self.assertEqual(w.who("rec"), "csc-mash hlt-n")

    def test_refused_withdrawn_and_not_sought_do_not_share(self):
        for state in ("refused", "withdrawn", "not_sought"):
            self.assertFalse(self.shared(self.one(state=state)), state)

    def test_consent_ends_when_it_expires(self):
        w = self.one(expires_at=NOW + 3)
        self.assertTrue(self.shared(w))
        self.assertFalse(self.shared(w.at(NOW + 3)))

    def test_scope_is_all_or_the_owners_agency(self):
        self.assertTrue(self.shared(self.one(scope="hlt")))
        self.assertFalse(self.shared(self.one(scope="pol")))

    def test_all_that_bear_must_be_given(self):
        w = self.one().row("consent", "d", "edu", person_id="#p", scope="hlt", state="refused")
        self.assertFalse(self.shared(w))

    def test_what_does_not_bear_does_not_matter(self):
        w = self.one().row("consent", "d", "edu", person_id="#p", scope="edu", state="refused")
        self.assertTrue(self.shared(w))

    def test_a_voided_consent_counts_neither_way(self):
        self.assertFalse(self.shared(self.one(voided_at=1)))
        w = self.one().row("consent", "d", "edu", person_id="#p", scope="all", state="refused", voided_at=1)
        self.assertTrue(self.shared(w))

    def test_where_no_person_is_named_each_subject_must_consent(self):
        w = self.one().record(needs_consent=1).row("person", "mother", "csc", role="parent")
        self.assertTrue(self.shared(w))
        self.assertFalse(self.shared(w.row("person", "q", "csc", role="child")))
        w.row("consent", "d", "csc", person_id="#q", scope="all", state="given")
        self.assertTrue(self.shared(w))

    def test_where_there_is_no_subject_there_is_no_consent(self):
        self.assertFalse(self.shared(Small().record(needs_consent=1)))

    def test_the_owner_overrides_with_a_reason(self):
        w = Small()
        said = {"override_reason": "harm", "override_at": 5}
        self.assertTrue(self.shared(w.record(needs_consent=1, **said)))
        self.assertFalse(self.shared(w.record(needs_consent=1, override_reason="harm")))
        self.assertFalse(self.shared(w.record(needs_consent=1, **{**said, "override_reason": ""})))

    def test_an_override_does_not_open_a_restricted_record(self):
        w = Small().record(needs_consent=1, sensitivity="restricted", override_reason="harm", override_at=5)
        self.assertFalse(self.shared(w))


class Voided(unittest.TestCase):
    def test_a_voided_row_is_for_its_writer_and_the_room(self):
        w = Small().part("pol").record(voided_at=5).row("person", "p", "hlt", voided_at=5)
        self.assertEqual([w.who("rec"), w.who("p")], ["csc-mash hlt-n", "csc-mash hlt-n"])

    def test_a_voided_row_that_was_its_owners_alone_stays_with_the_owner(self):
        w = Small().part("pol").record(sensitivity="restricted", voided_at=5).record("b", needs_consent=1, voided_at=5)
        w.row("release_source", "s", "hlt", voided_at=5)
        self.assertEqual([w.who("rec"), w.who("b"), w.who("s")], ["hlt-n"] * 3)

    def test_a_voided_request_is_no_longer_for_the_asked_nor_for_the_room_that_never_saw_it(self):
        self.assertEqual(Small().row("request", "q", "pol", to_agency="hlt", voided_at=5).who("q"), "pol-n")


class Conflicts(unittest.TestCase):
    def clash(self, state, table="person", **columns):
        w = Small().part("pol", "check").part("edu").row(table, "p", "hlt", **columns)
        return w.row("conflict", "x", "hlt", tbl=table, row_id="#p", state=state, kept_by="#person hou-n",
                     lost_by="#person pol-n")

    def test_an_open_one_is_seen_by_who_sees_its_row(self):
        w = self.clash("open")
        self.assertEqual(w.who("x"), w.who("p"))
        w = self.clash("open", "record", sensitivity="restricted")
        self.assertEqual(w.who("x"), "hlt-n")

    def test_ruled_and_settled_ones_are_for_the_room_and_the_two_authors(self):
        for state in ("ruled", "settled"):
            self.assertEqual(self.clash(state).who("x"), "csc-mash pol-n hou-n")

    def test_one_about_a_row_that_is_its_owners_alone_does_not_reach_the_room(self):
        self.assertEqual(self.clash("settled", "record", sensitivity="restricted").who("x"), "")

    def test_one_between_two_agencies_stays_with_those_of_them_that_wrote_it(self):
        self.assertEqual(self.clash("ruled", "request", to_agency="pol").who("x"), "pol-n")

    def test_one_about_a_row_for_the_room_alone_stays_in_the_room(self):
        self.assertEqual(self.clash("ruled", "referral").who("x"), "csc-mash")

    def test_conflicts_that_name_each_other_end(self):
        w = Small().row("conflict", "x", "csc", tbl="conflict", row_id="#y", state="open")
        self.assertEqual(w.row("conflict", "y", "csc", tbl="conflict", row_id="#x", state="open").who("x"), "")


class Decided(unittest.TestCase):
    """What a recorded decision rests upon is not taken back with a consent that is withdrawn."""

    def setUp(self):
        self.w = Small().part("pol").row("person", "p", "csc", role="child").row("brief", "b", "csc")
        self.w.record(needs_consent=1, person_id="#p")
        self.consent("given").lines.append("version 1")

    def consent(self, state, **more):
        return self.w.row("consent", "c", "csc", person_id="#p", scope="all", state=state, **more)

    def decide(self, at=NOW, version=2):
        self.w.row("brief", "b", "csc", decided_at=at).lines.append(f"version {version}")

    def may(self):
        """(may it be held, may it be lacking): both when the oracle cannot know."""
        keys = " ".join(self.w.key(n) for n in ("case", "part pol", "p", "b", "c"))
        return tuple(answer(self.w.lines + [f"sees pol-n {keys}{rec}", "end"])[0].startswith("ok ")
                     for rec in (" " + self.w.key("rec"), ""))

    def test_without_a_decision_a_withdrawal_takes_back(self):
        self.assertEqual(self.may(), (True, False))
        self.consent("withdrawn")
        self.assertEqual(self.may(), (False, True))

    def test_after_a_decision_a_withdrawal_leaves_it(self):
        self.decide()
        self.consent("withdrawn").lines.append("version 3")
        self.assertEqual(self.may(), (True, False))

    def test_after_a_decision_all_else_takes_back(self):
        self.decide()
        for state in ("refused", "not_sought"):
            self.consent(state).lines.append("version 3")
            self.assertEqual(self.may(), (False, True), state)
        self.consent("given", expires_at=NOW)
        self.assertEqual(self.may(), (False, True))
        self.consent("withdrawn")
        self.assertEqual(self.may(), (True, False), "and it rests upon it still")

    def test_a_decision_after_the_withdrawal_rests_upon_nothing(self):
        self.consent("withdrawn").lines.append("version 2")
        self.decide(version=3)
        self.assertEqual(self.may(), (False, True))

    def test_a_brief_without_a_date_decides_nothing(self):
        self.w.row("brief", "b", "csc", decision="later").lines.append("version 2")
        self.consent("withdrawn")
        self.assertEqual(self.may(), (False, True))

    def test_a_date_that_stood_already_is_no_new_decision(self):
        self.consent("withdrawn").lines.append("version 2")
        self.decide(version=3)
        self.consent("given").lines.append("version 4")
        self.w.row("brief", "b", "csc", decided_at=NOW, decision="more").lines.append("version 5")
        self.consent("withdrawn")
        self.assertEqual(self.may(), (False, True))
        self.consent("given").lines.append("version 6")
        self.decide(NOW + 1, version=7)
        self.consent("withdrawn")
        self.assertEqual(self.may(), (True, False), "another date is a decision again")

    def test_a_person_who_joins_after_the_decision_must_consent(self):
        self.w.record(needs_consent=1)
        self.w.lines.append("version 1")
        self.decide()
        self.consent("withdrawn").lines.append("version 3")
        self.assertEqual(self.may(), (True, False))
        self.w.row("person", "q", "csc", role="adult")
        self.assertTrue(self.w.sees("pol-n", "q"))
        self.assertFalse(self.w.sees("pol-n", "rec"))

    def test_what_came_in_one_step_with_the_decision_may_be_either(self):
        self.w.row("brief", "b", "csc", decided_at=NOW)
        self.consent("withdrawn").lines.append("version 2")
        self.assertEqual(self.may(), (True, True))

    def test_a_hub_that_was_put_back_may_know_of_decisions(self):
        rows = [line for line in self.w.lines if line.startswith("row")]
        self.w.lines += ["lost", *rows, "version 1"]
        self.consent("withdrawn").lines.append("version 2")
        self.assertEqual(self.may(), (True, True))


class Verdicts(unittest.TestCase):
    """The protocol, and that the oracle notices what it is there for."""

    def setUp(self):
        self.w = Small().part("pol").row("brief", "b", "csc").record(sensitivity="restricted")
        self.keys = [self.w.key(n) for n in ("case", "part pol", "b")]

    def verdict(self, *lines):
        given = answer(self.w.lines + list(lines) + ["end"])
        self.assertEqual(len(given), 1)
        return given[0]

    def test_exact_rows_are_right(self):
        self.assertEqual(self.verdict("sees pol-n " + " ".join(self.keys)), "ok 7 4")
        self.assertEqual(self.verdict("meets 3 pol-n", "holds 3 pol-n full " + " ".join(self.keys)), "ok 7 8")

    def test_a_missing_row_is_noticed(self):
        for line in ("sees pol-n ", "holds 3 pol-n full "):
            said = self.verdict("event 12", line + " ".join(self.keys[:2]))
            self.assertTrue(said.startswith("bad 7 12 ") and f"MISSING {self.keys[2]}" in said, said)

    def test_a_leaked_row_is_noticed(self):
        leaked = self.w.key("rec")
        for line in ("sees pol-n ", "holds 3 pol-n full ", "holds 3 pol-n part "):
            said = self.verdict("event 12", "meets 3 pol-n", line + " ".join(self.keys + [leaked]))
            self.assertTrue(said.startswith("bad 7 12 ") and f"LEAK {leaked} (row is in agency:hlt" in said, said)
            self.assertNotIn("MISSING", said)

    def test_a_row_that_the_hub_has_not_is_a_leak(self):
        self.assertIn("no such row", self.verdict("holds 3 pol-n part brief:" + id_of("nowhere")))

    def test_part_may_lack_rows_and_keep_what_was_seen_at_a_meeting(self):
        self.w.lines.append("meets 3 pol-n")
        self.w.part("pol", "none")
        self.assertTrue(self.verdict("holds 3 pol-n part " + self.keys[2]).startswith("ok"))
        self.assertTrue(self.verdict("holds 3 pol-n part").startswith("ok"))

    def test_after_full_what_was_seen_before_is_a_leak(self):
        self.w.lines.append("meets 3 pol-n")
        self.w.part("pol", "none")
        self.w.lines.append("holds 3 pol-n full " + self.w.key("part pol"))
        self.assertIn("LEAK " + self.keys[2], self.verdict("holds 3 pol-n part " + self.keys[2]))

    def test_after_lost_the_rows_are_told_anew_and_devices_may_keep_what_they_have(self):
        again = [line for line in self.w.lines if line.startswith("row case_file")]
        said = self.verdict("meets 3 pol-n", "lost", *again, "holds 3 pol-n part " + " ".join(self.keys), "sees pol-n")
        self.assertTrue(said.startswith("ok"), said)
        self.assertIn("no such row", self.verdict("lost", *again, "sees pol-n " + self.keys[2]))

    def test_a_meeting_is_of_one_device(self):
        said = self.verdict("meets 3 pol-n", "holds 4 pol-n part " + self.keys[0])
        self.assertIn("LEAK", said)

    def test_what_was_remembered_is_forgotten_when_time_reference_or_rows_change(self):
        self.w.part("edu", "check", until=NOW + 5)
        seen = " ".join(self.w.key(n) for n in ("case",))
        edu = "sees edu-n " + seen + " " + self.w.key("part edu")
        self.assertTrue(self.verdict(edu, f"now {NOW + 4}", edu).startswith("ok"))
        own = "sees edu-n " + self.w.key("part edu")
        self.assertTrue(self.verdict(edu, f"now {NOW + 5}", own, f"now {NOW}", edu).startswith("ok"))
        self.assertTrue(self.verdict(f"now {NOW + 4}", edu, f"now {NOW + 5}", own).startswith("ok"))
        self.assertTrue(self.verdict(edu, "site edu-n edu partner south", "sees edu-n").startswith("ok"))

    def test_texts_are_unescaped(self):
        self.w.row("case_file", "case", "csc", area="a\\x20b\\x3dc", status="open")
        place = "site hou-n hou mash x,a\\x20b\\x3dc"
        said = self.verdict(place, "meets 1 hou-n", "holds 1 hou-n part " + self.keys[0])
        self.assertTrue(said.startswith("ok"), said)

    def test_bad_lines_are_said(self):
        for line, text in (("dance", "unknown line"), ("now", "malformed"), ("now x", "malformed"),
                           ("row brief 12 13 csc", "malformed"), ("sees nowhere", "unknown site"),
                           ("row vault " + " ".join([id_of("a")] * 2) + " csc", "unknown table"),
                           ("row brief " + " ".join([id_of("a")] * 2) + " csc x", "bad column"),
                           ("row contact " + " ".join([id_of("a")] * 2) + " csc protected=t1", "bad value"),
                           ("row brief " + " ".join([id_of("b"), id_of("a")]) + " csc", "changed its case"),
                           ("row contact " + " ".join([id_of("a")] * 2) + " a\\qb", "malformed"),
                           ("holds 1 pol-n some", "neither full nor part"), ("event 1 2", "malformed")):
            said = self.verdict("event 5", line)
            self.assertTrue(said.startswith("bad 7 5 ") and text in said, (line, said))

    def test_a_time_must_be_told(self):
        self.assertIn("no time", answer(["world 1", "site a b partner *", "sees a"])[0])

    def test_after_bad_it_goes_on_with_the_next_world(self):
        lines = ["world 1", "dance", "dance", "end", "world 2", "end", "end", "now 1", "world 3", "end"]
        self.assertEqual([said.split()[:2] for said in answer(lines)],
                         [["bad", "1"], ["ok", "2"], ["bad", "0"], ["bad", "0"], ["ok", "3"]])

    def test_as_a_program_it_answers_each_world_at_once(self):
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "oracle.py")
        with subprocess.Popen([sys.executable, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as p:
            for lines, said in ((self.w.lines + ["end"], "ok 7 0"),
                                (["world 8", "dance"], "bad 8 0 unknown line dance")):
                p.stdin.write("\n".join(lines) + "\n")
                p.stdin.flush()
                self.assertEqual(p.stdout.readline(), said + "\n")
            p.stdin.close()


class Ends(unittest.TestCase):
    """What ends by itself is hidden by the device's own clock, and nothing else."""

    def setUp(self):
        self.w = Small().part("pol", "view", until=NOW + 10).row("brief", "b", "csc")
        self.w.row("release", "r", "csc", to_agency="pol", expires_at=NOW + 5).record(agency="pol")
        self.w.row("person", "p", "csc", role="child").record("c", needs_consent=1, person_id="#p")
        self.w.row("consent", "k", "csc", person_id="#p", scope="all", state="given", expires_at=NOW + 7)
        names = ("case", "part pol", "b", "r", "rec", "p", "c", "k")
        self.full = "holds 3 pol-n full " + " ".join(self.w.key(n) for n in names)

    def ok(self, word, clock, *names, between=()):
        line = " ".join([word, "3", "pol-n", str(NOW + clock), *(self.w.key(n) for n in names)])
        return answer(self.w.lines + ["meets 3 pol-n", self.full, *between, line, "end"])[0].startswith("ok ")

    def test_what_ended_by_its_clock_is_not_shown(self):
        for name, end in (("r", 5), ("c", 7), ("b", 10), ("case", 10), ("p", 10)):
            self.assertTrue(self.ok("shows", end - 1, name), name)
            self.assertFalse(self.ok("shows", end, name), name)
            self.assertTrue(self.ok("hides", end, name), name)
            self.assertFalse(self.ok("hides", end - 1, name), name)

    def test_what_has_no_end_is_never_hidden(self):
        for name in ("rec", "part pol"):
            self.assertTrue(self.ok("shows", 10**9, name))
            self.assertFalse(self.ok("hides", 10**9, name))

    def test_what_it_sees_otherwise_stays(self):
        self.w.part("pol", "check", name="more")
        self.full += " " + self.w.key("more")
        self.assertFalse(self.ok("hides", 10, "p"))
        self.assertTrue(self.ok("hides", 10, "b"))

    def test_a_part_that_begins_later_brings_nothing_back_before_the_hub_says_so(self):
        self.w.part("pol", "view", name="more", since=NOW + 20)
        self.full += " " + self.w.key("more")
        self.assertFalse(self.ok("shows", 25, "b"))

    def test_a_part_that_begins_in_time_goes_on(self):
        self.w.part("pol", "view", name="more", since=NOW + 10)
        self.full += " " + self.w.key("more")
        self.assertTrue(self.ok("shows", 25, "b"))
        self.assertFalse(self.ok("hides", 25, "b"))

    def test_after_another_contact_nothing_is_said(self):
        self.assertTrue(self.ok("shows", 10, "b", between=["meets 3 pol-n"]))
        self.assertFalse(self.ok("shows", 10, "b", between=["now 2"]))
        self.assertFalse(self.ok("shows", 10, "b", between=["meets 4 pol-n"]))


class Policies(unittest.TestCase):
    """While the policy changes a case stands under the old one, under both, or under the new one."""

    def setUp(self):
        self.w = Small().part("pol", "check").part("edu", "view").row("warning", "w", "hlt").row("episode", "e", "hlt")
        self.w.row("conflict", "k", "csc", tbl="warning", row_id="#w", state="open")
        self.w.lines += ["matrix 1 warning:shared episode:face"]

    def sees(self, *names):
        self.w.lines.append(f"policy {id_of('case')} {'|'.join(names)}")
        return [self.w.who(n) for n in ("w", "e", "k")]

    def test_under_both_only_what_both_show(self):
        csc = "csc-mash csc-night"
        self.assertEqual(self.sees("0"), [f"{csc} pol-n hlt-n edu-n", f"{csc} hlt-n edu-n", f"{csc} pol-n hlt-n edu-n"])
        self.assertEqual(self.sees("0", "1"), [f"{csc} hlt-n edu-n", f"{csc} hlt-n edu-n", f"{csc} hlt-n edu-n"])
        self.assertEqual(self.sees("1"), [f"{csc} hlt-n edu-n", f"{csc} pol-n hlt-n edu-n", f"{csc} hlt-n edu-n"])

    def test_every_case_and_new_ones(self):
        self.w.lines += ["policy * 1"]
        self.assertFalse(self.w.sees("pol-n", "w"))
        self.w.row("case_file", "two", "csc", case="two", area="north").row("warning", "x", "csc", case="two")
        self.w.row("participant", "p", "csc", case="two", member="pol", access="check")
        self.assertFalse(self.w.sees("pol-n", "x"))
        self.w.lines += ["policy * 0"]
        self.assertTrue(self.w.sees("pol-n", "x"))

    def test_none_is_widened_before_all_are_narrowed(self):
        case = id_of("case")
        for turn, good in (("1", False), ("0|1", True)):
            lines = self.w.lines + ["policy * 0", "policy * 0|1", f"policy {case} 0", f"policy {case} {turn}", "end"]
            self.assertEqual(answer(lines)[0].startswith("ok"), good)
        self.assertTrue(answer(self.w.lines + ["policy * 1", f"policy {case} 1", "end"])[0].startswith("ok"))
        self.w.row("episode", "e", "hlt", voided_at=1)
        lines = self.w.lines + ["policy * 0", "policy * 0|1", f"policy {case} 0", f"policy {case} 1", "end"]
        self.assertTrue(answer(lines)[0].startswith("ok"), "what only narrows goes at once")
        known = len(self.w.lines)
        self.w.row("episode", "later", "hlt")
        lines[-1:] = self.w.lines[known:] + ["policy * 0|1", f"policy {case} 1", "end"]
        self.assertTrue(answer(lines)[0].startswith("ok"), "what comes later is judged by the new one alone")

    def test_bad_lines_are_said(self):
        for line in ("matrix 2 record:face", "matrix 2 warning:none", "policy * 7", "policy x 0"):
            self.assertTrue(answer(self.w.lines + [line, "end"])[0].startswith("bad 7"), line)


class Writing(unittest.TestCase):
    """Who may write. The case is led by pol; pol contributes, hlt views, edu checks; hou has no part."""

    def setUp(self):
        self.w = Small(lead_agency="pol").part("pol").part("hlt", "view").part("edu", "check")
        self.w.row("person", "p", "hlt").row("brief", "b", "csc").row("contact", "hid", "csc", protected=1)
        self.w.lines += [f"duty {id_of('person csc-mash')} north manager",
                         f"duty {id_of('person csc-south')} south social_care", "version 5"]

    def said(self, site, rule, name, how="change", cut="5 5", version=9, user=None):
        return (f"wrote {version} {site} {id_of(user or 'person ' + site)} {cut} {how} {rule} {id_of('case')} "
                + (self.w.key(name) if name in self.w.table else name))

    def ok(self, *args, before=(), **more):
        return answer(self.w.lines + list(before) + [self.said(*args, **more), "end"])[0].startswith("ok ")

    def who(self, rule, name, **more):
        return " ".join(s for s in SITES if self.ok(s, rule, name, **more))

    def new(self, table="action"):
        return f"{table}:{id_of('new')}"

    def test_the_lead_agency_or_a_duty_for_the_area(self):
        self.assertEqual(self.who("lead", "b"), "csc-mash pol-n")
        self.assertEqual(self.who("lead", self.new("meeting"), how="insert"), "csc-mash pol-n")

    def test_without_its_duty_the_room_does_not_lead(self):
        self.w.lines = [line for line in self.w.lines if not line.startswith("duty")]
        self.assertEqual(self.who("lead", "b"), "pol-n")

    def test_the_lead_agency_without_a_part_does_not_lead(self):
        self.w.row("case_file", "case", "csc", area="north", status="open", lead_agency="hou")
        self.assertEqual(self.who("lead", "case"), "csc-mash")

    def test_area_lead_and_restriction_are_for_duties_alone(self):
        self.assertEqual(self.who("duty", "case"), "csc-mash")

    def test_a_duty_counts_in_its_area(self):
        self.w.row("case_file", "case", "csc", area="south", status="open", lead_agency="pol")
        self.w.part("csc", name="named", site="csc-mash")
        self.assertEqual(self.who("duty", "case", cut="-1 -1"), "csc-south")
        self.w.lines.append(f"duty {id_of('person csc-mash')} * social_care")
        self.assertEqual(self.who("duty", "case", cut="-1 -1"), "csc-mash csc-south")

    def test_a_duty_is_of_one_person(self):
        self.assertFalse(self.ok("csc-mash", "duty", "case", user="person csc-far"))
        self.assertFalse(self.ok("pol-n", "see", "case", user="person csc-mash"))
        self.assertTrue(self.ok("pol-n", "see", "case", user="nobody known"))

    def test_contributors_the_room_and_the_lead(self):
        self.assertEqual(self.who("contribute", "p"), "csc-mash pol-n")
        self.w.part("hlt", "contribute", name="more")
        self.assertEqual(self.who("contribute", "p", cut="-1 -1"), "csc-mash pol-n hlt-n")
        self.assertEqual(self.who("contribute", self.new(), how="insert", cut="-1 -1"), "csc-mash pol-n hlt-n")

    def test_check_answers_and_view_does_not(self):
        self.assertEqual(self.who("check", self.new("rating"), how="insert"), "csc-mash pol-n edu-n")

    def test_who_contributes_or_leads_brings_in(self):
        self.assertEqual(self.who("bring", self.new("participant"), how="insert"), "csc-mash pol-n")

    def test_its_own_rows(self):
        self.assertEqual(self.who("own", "p"), "hlt-n")
        self.w.lines.append("version 6")
        self.assertEqual(self.who("own", "case", cut="6 6"), "csc-mash")

    def test_the_asked_agency_answers_and_the_asker_cancels(self):
        self.w.row("request", "q", "csc", to_agency="edu").lines.append("version 6")
        self.assertEqual(self.who("asked", "q", cut="6 6"), "csc-mash csc-night edu-n")

    def test_a_note_alone_counts_when_its_agency_took_part_then(self):
        self.w.part("pol", "none").part("edu", "none").part("hlt", "none").lines.append("version 6")
        new = self.new("record")
        self.assertEqual(self.who("late", new, how="insert"), "csc-mash pol-n edu-n", "view never added records")
        self.assertEqual(self.who("check", new, how="insert"), "csc-mash", "more than a note needs a part now")
        self.assertEqual(self.who("late", new, how="insert", cut="6 6"), "csc-mash")
        self.assertTrue(self.ok("hou-n", "late", new, how="insert", cut="-1 -1"), "it made the case itself")

    def test_a_note_of_a_site_that_came_later(self):
        self.w.part("hou", "contribute").lines.append("version 6")
        self.assertFalse(self.ok("hou-n", "late", self.new("record"), how="insert"))
        self.assertTrue(self.ok("hou-n", "late", self.new("record"), how="insert", cut="6 6"))

    def test_only_the_asked_agency_answers_a_question_to_share(self):
        self.w.row("release", "q", "pol", to_agency="hlt", state="asked", asked_by="#person pol-n")
        self.w.row("release", "t", "pol", to_agency="hlt", state="granted").lines.append("version 6")
        self.assertEqual(self.who("release", "q", cut="6 6"), "hlt-n")
        self.assertEqual(self.who("release", "t", cut="6 6"), "pol-n")

    def test_a_manager_of_the_room_judges_held_work(self):
        self.w.row("held", "h", "pol").lines.append("version 6")
        self.assertEqual(self.who("judge", "h", cut="6 6"), "csc-mash")
        self.w.lines.append(f"duty {id_of('person pol-n')} north manager")
        self.assertEqual(self.who("judge", "h", cut="6 6"), "csc-mash")

    def test_a_row_must_be_seen_now(self):
        self.assertEqual(self.who("see", "hid"), "csc-mash csc-night")
        self.w.part("pol", "contribute", until=NOW)
        self.assertFalse(self.ok("pol-n", "see", "b"))

    def test_a_row_must_have_been_seen_then(self):
        self.w.part("hou", "contribute").lines.append("version 6")
        self.assertFalse(self.ok("hou-n", "contribute", "p"))
        self.assertTrue(self.ok("hou-n", "contribute", "p", cut="6 6"))
        self.assertTrue(self.ok("hou-n", "contribute", "p", cut="5 6"), "served in pages: either end counts")
        self.assertTrue(self.ok("hou-n", "contribute", "p", cut="-1 -1"))
        self.assertFalse(self.ok("hou-n", "contribute", "p", cut="0 0"), "before the first cut nothing is seen")
        self.assertTrue(self.ok("hou-n", "contribute", "p", cut="4 4"), "of a version never told nobody can say")

    def test_a_case_must_have_been_seen_then_by_who_adds_to_it(self):
        self.w.row("case_file", "case", "csc", area="south", status="open", lead_agency="pol").lines.append("version 6")
        met = self.new("meeting")
        self.assertFalse(self.ok("csc-south", "lead", met, how="insert"), "a duty does not stand in for sight")
        self.assertTrue(self.ok("csc-south", "lead", met, how="insert", cut="6 6"))
        self.assertTrue(self.ok("csc-south", "lead", met, how="insert", cut="5 6"), "served in pages: either end counts")
        self.assertTrue(self.ok("csc-south", "lead", met, how="insert", cut="-1 -1"), "it made the case itself")

    def test_power_must_have_been_there_then(self):
        self.w.part("hlt", "contribute").lines.append("version 6")
        self.assertFalse(self.ok("hlt-n", "contribute", "p"))
        self.assertFalse(self.ok("hlt-n", "contribute", self.new(), how="insert"))
        self.assertTrue(self.ok("hlt-n", "contribute", "p", cut="6 6"))

    def test_power_must_be_there_now(self):
        self.w.part("hlt", "contribute").lines.append("version 6")
        self.assertTrue(self.ok("hlt-n", "contribute", "p", cut="6 6"))
        self.w.part("hlt", "view")
        self.assertFalse(self.ok("hlt-n", "contribute", "p", cut="6 6"))

    def test_then_is_judged_by_its_own_time(self):
        self.w.part("hou", "contribute", until=NOW + 5).lines.append("version 6")
        self.w.at(NOW + 5).part("hou", "contribute", name="again")
        self.assertTrue(self.ok("hou-n", "contribute", "p", cut="6 6"))

    def test_a_new_row_of_a_case_that_is_hidden(self):
        self.w.row("case_file", "case", "csc", area="north", status="open", restricted=1)
        self.w.part("pol", name="named", site="pol-n")
        self.assertEqual(self.who("lead", self.new("meeting"), how="insert"), "")
        self.assertEqual(self.who("check", self.new("rating"), how="insert"), "pol-n")

    def test_the_same_row_made_twice_needs_sight_now_alone(self):
        self.w.row("consent", "c", "csc", scope="all").lines.append("version 6")
        self.assertTrue(self.ok("pol-n", "contribute", "c", how="insert"))
        self.assertFalse(self.ok("hou-n", "contribute", "c", how="insert"))

    def test_what_came_before_in_one_exchange_may_have_moved_it(self):
        gives = self.said("csc-mash", "lead", "part hlt", version=8)
        self.assertTrue(self.ok("hlt-n", "contribute", "p", before=[gives]))
        self.assertFalse(self.ok("hlt-n", "contribute", "p", before=[gives, "version 8"]))
        self.assertFalse(self.ok("hlt-n", "contribute", "p", before=[gives], version=8), "nothing comes before itself")
        other = self.said("csc-mash", "see", "hid", version=8)
        self.assertFalse(self.ok("hlt-n", "contribute", "p", before=[other]))
        self.assertTrue(self.ok("hou-n", "see", "hid", before=[other]))

    def test_what_a_manager_accepted_is_not_judged(self):
        self.assertTrue(self.ok("hou-n", "any", "p"))

    def test_a_new_case_is_not_judged(self):
        line = self.said("hou-n", "lead", self.new("case_file"), how="insert").replace(id_of("case"), id_of("other"))
        self.assertTrue(answer(self.w.lines + [line, "end"])[0].startswith("ok"))

    def test_after_lost_versions_are_of_another_hub(self):
        again = [line for line in self.w.lines if line.startswith("row")]
        grown = ["lost", *again, "row participant " + " ".join(map(id_of, ("part hou", "case"))) + " csc member=thou "
                 "access=tcontribute"]
        self.assertTrue(self.ok("hou-n", "contribute", "p", before=grown))
        self.assertFalse(self.ok("hou-n", "contribute", "p", before=grown, cut="0 0"))

    def test_bad_lines_are_said(self):
        for line in ("wrote 9 pol-n", self.said("pol-n", "any", "p", how="delete"), self.said("pol-n", "fly", "p"),
                     self.said("nowhere", "any", "p"), self.said("pol-n", "any", "p", cut="x 5"), "version x",
                     "duty 1 2 3"):
            self.assertTrue(answer(self.w.lines + [line, "end"])[0].startswith("bad 7"), line)


if __name__ == "__main__":
    unittest.main()
