#!/usr/bin/env bash
# Goal: the one page about a case, as people print it and as programs read it; and the lists of what is mine and what is late.
. "$(dirname "$0")/lib.sh"

make_hub
start_hub
must node a enrol --code-file "$work/a-mash.code" --user Ann >/dev/null
must node b enrol --code-file "$work/b-site.code" --user Bob >/dev/null
must node a sync >/dev/null
must node b sync >/dev/null
case_ref=$(must node a case new --area north --source 3B --need N1 --summary "Bruising seen at visit" --rag red \
    --reason "Injury" --json | field reference)
must node a person add "$case_ref" --family Wren --given Ivy --born 2019-03-02 --role child >/dev/null
must node a case share "$case_ref" b >/dev/null
must node a sync >/dev/null
must node b sync >/dev/null
printf 'Seen with <b>a knife</b>.\nHis aunt says so.\n' >"$work/text"
must node b record add "$case_ref" --kind visit --title "At home" --body-file "$work/text" >/dev/null
must node b pointer add "$case_ref" --note "Ask our safeguarding lead." --contact "Bob" >/dev/null
must node b sync >/dev/null
must node a sync >/dev/null

exits 0 "a case has its summary" node a summary "$case_ref"
has "with who it is about" "^Summary of case $case_ref: Ivy Wren"
has "with its rating" "Rating: Red"
has "with what was said, line by line, after a margin" "^    | His aunt says so\.$"
has "with what is not shown and whom to ask" "holds 1 item that it has not shared. Ask our safeguarding lead."
exits 0 "programs get it as JSON" node a summary "$case_ref" --json
has "in sections" '"sections":'
exits 0 "it can be printed" node a summary "$case_ref" --format html --out "$work/page.html"
cp "$work/page.html" "$work/out"
has "as a page of its own" "^<!DOCTYPE html>"
has "whatever was written is text in it" "Seen with &lt;b&gt;a knife&lt;/b&gt;\."
lacks "and nothing else" "<b>"
equal "which is for its maker's eyes alone" 600 "$(stat -c %a "$work/page.html")"
day=$(TZ=Europe/London date +%e/%m/%Y)
exits 0 "of some days, as people write them" node a summary "$case_ref" --from "1 Jan 2020" --to "${day# }"
has "which it says" "^Chronology, 1 Jan 2020 to "
has "with what happened in them" "His aunt says so"
exits 0 "of other days" node a summary "$case_ref" --to 2020-01-01
has "it says which" "^Chronology, until 1 Jan 2020"
has "and that something lies outside" "Only these days are shown. [1-9]"
lacks "and what lies outside is not there" "His aunt says so"
exits 64 "a day that is none is refused" node a summary "$case_ref" --from 30/2/2026
says "in words" "is not a real date"
exits 64 "and days turned round" node a summary "$case_ref" --from 2026-03-02 --to 2026-03-01
says "in words" "The last day (1 Mar 2026) is before the first (2 Mar 2026)"
exits 64 "in no other format" node a summary "$case_ref" --format pdf
exits 1 "of no case that is not here" node a summary C-ZZZZZZZZ
exits 1 "and not into a folder that is not there" node a summary "$case_ref" --out "$work/nowhere/page"

exits 0 "what this agency leads is its own" node a case list --mine
has "in the list" "$case_ref"
exits 0 "what it only takes part in is not" node b case list --mine
lacks "in the list" "$case_ref"
must node a request send "$case_ref" b --question "Known to you?" >/dev/null
must node a sync >/dev/null
must node b sync >/dev/null
exits 0 "until it is asked something" node b case list --mine
has "in the list" "$case_ref"
exits 0 "nothing is late yet" node b case list --overdue
has "and it says so" "No such case on this device"
done_with_claims
