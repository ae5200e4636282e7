#!/usr/bin/env bash
# Goal: whoever works at a site finds by typing what stands on the device; what is sensitive is found and not shown; what was taken
# away is not found; and nothing that is typed breaks anything.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

make_hub
start_hub
must node a enrol --code-file "$work/a-mash.code" --user Ann >/dev/null
must node a sync >/dev/null
c=$(must node a case new --area north --source 1A --need N1 --rag amber --reason "Seen" --summary "A bruise, seen at Ysgol Dyffryn" --json | field id)
p=$(must node a person add "$c" --family "Gwyn-Łuczak" --given Zoë --born 2015-03-02 --json | field id)
echo "Termination was discussed" >"$work/text"
must node a record add "$c" --kind visit --person "$p" --title "Clinic" --body-file "$work/text" --sensitivity sensitive >/dev/null

exits 0 "a name is found in any case, without its accents" node a search zoe LUCZAK
has "with its case and what it is" 'a person'
has "as it is written" 'Zoë Gwyn-Łuczak'
exits 0 "a text is found" node a search ysgol bruise
has "with the words around it" 'A bruise, seen at Ysgol Dyffryn'
exits 0 "a sensitive text is found" node a search termination
has "as what it is" 'a sensitive record'
has "and not shown" 'shown when you open the case'
has "with whose it is, and that this was noted" 'that you found it is noted'
exits 0 "the looks wait for the MASH" node a sql "SELECT count(*) AS looks FROM n_view" --json
has "one of them" '"looks": *1[^0-9]'
lacks "nothing of it is" 'discussed'
exits 0 "what is not there is not found" node a search zzyzx
has "and that is said" 'Nothing of this is on this device'
exits 0 "programs get JSON" node a search zoe --json
has "with the case" "\"case_id\": *\"$c\""
exits 0 "quotes and stars are no commands" node a search '"zoe' '*' 'OR' '--'
exits 64 "nothing is no search" node a search '"*"'
exits 1 "nor is a whole letter" node a search "$(printf 'a %.0s' {1..17})"
done_with_claims
