#!/usr/bin/env bash
# Goal: staff bring answers without keying them twice: the questions that wait go out as a sheet, come back filled in, and are
# taken whole or not at all, with the line of each fault; what a stranger asked never runs in a spreadsheet.
. "$(dirname "$0")/lib.sh"

unsent() { node b status --json | field unsent; }

make_hub
start_hub
must node a enrol --code-file "$work/a-mash.code" --user Ann >/dev/null
must node b enrol --code-file "$work/b-site.code" --user Bob >/dev/null
must node a sync >/dev/null
case=$(must node a case new --area north --source 1A --need N1 --summary "Bruising" --rag red --reason "Seen" --json | field reference)
first=$(must node a request send "$case" b --question "=cmd|' /C calc'!A1" --json | field id)
second=$(must node a request send "$case" b --question "Any incidents, since May?" --json | field id)
must node a sync >/dev/null
must node b sync >/dev/null
stop_hub

claim "the questions go out as a sheet" node b request export --out "$work/sheet.csv"
equal "with a line for each" 3 "$(wc -l <"$work/sheet.csv")"
claim "and the asker's formula is a text in it" grep -qF "\"'=cmd|' /C calc'!A1\"" "$work/sheet.csv"
node b request export >"$work/printed" 2>/dev/null
claim "the same on standard output" cmp "$work/printed" "$work/sheet.csv"
exits 64 "where to needs a name" node b request export --out
exits 1 "a folder that is not there is said so" node b request export --out "$work/absent/sheet.csv"

# As a spreadsheet would save it: the last columns filled in; the one for consent stays empty.
fill() { # fill ID RESULT,REASON,TITLE,BODY,SENSITIVITY
    tr -d '\r' <"$work/sheet.csv" | sed "/^$1/ s/,,,,,,\$/,$2,/"
}
before=$(unsent)
{
    fill "$first" "known,,Custody record,Seen in May.,sensitive" | grep -v "^$second"
    fill "$second" "perhaps,,,," | grep "^$second"
} >"$work/bad.csv"
exits 64 "a sheet with a line that cannot be taken is refused" node b request import "$work/bad.csv"
cp "$work/err" "$work/said"
claim "its line is named" grep -q "^Line 3: " "$work/said"
equal "and nothing of it is written" "$before" "$(unsent)"
node b request import "$work/bad.csv" --json >"$work/out" 2>"$work/said" </dev/null
equal "in JSON the error is one object" 1 "$(wc -l <"$work/said")"
claim "that names the line too" grep -q '"next":"Line 3: ' "$work/said"
exits 15 "what is no such sheet is refused" node b request import "$work/pass"
exits 1 "a sheet that is not there is refused" node b request import "$work/absent.csv"
head -c 4194305 /dev/zero >"$work/large.csv"
exits 1 "a sheet that is too large is refused" node b request import "$work/large.csv"
equal "and nothing of these is written" "$before" "$(unsent)"

{
    fill "$first" "Known,,Custody record,Seen in May.,sensitive" | grep -v "^$second"
    fill "$second" "declined,No lawful basis,,," | grep "^$second"
} >"$work/good.csv"
must node b request import "$work/good.csv" --json >"$work/out"
equal "a good one answers" 1 "$(field answered <"$work/out")"
equal "declines" 1 "$(field declined <"$work/out")"
equal "and adds what is known" 1 "$(field records <"$work/out")"
equal "in one change" $((before + 1)) "$(unsent)"
exits 64 "handed in again it says that all is answered" node b request import "$work/good.csv"
start_hub
must node b sync >/dev/null
must node a sync >/dev/null
stop_hub
equal "the asker has the answer" known "$(node a request show "$first" --json | field result)"
equal "and the reason of the other" "No lawful basis" "$(node a request show "$second" --json | field reason)"
equal "the MASH room has the record" 1 \
    "$(node a sql "select count(*) v from record where title = 'Custody record' and sensitivity = 'sensitive'" --json | field v)"
must node b request export --out "$work/sheet.csv" >/dev/null
equal "nothing is left to answer" 1 "$(wc -l <"$work/sheet.csv")"

# ---- one answer, with what is known in the same change
start_hub
third=$(must node a request send "$case" b --question "And since?" --json | field id)
must node a sync >/dev/null
must node b sync >/dev/null
stop_hub
before=$(unsent)
exits 64 "a record without a word is refused" node b request answer "$third" --result known --sensitivity sensitive
echo "Seen in June." >"$work/june"
exits 64 "and one with an answer that knows nothing" node b request answer "$third" --result not_known --title "June"
claim "an answer brings its record" node b request answer "$third" --result known --title "June" --body-file "$work/june" --sensitivity sensitive
says "who will see it is said" "the MASH room alone"
equal "in one change too" $((before + 1)) "$(unsent)"
done_with_claims
