#!/usr/bin/env bash
# Goal: a device that is put back from an old copy is told what to do, is set up anew with a new invitation, and what it had
# not sent reaches a manager: with the real programs, over files on a stick and over HTTP.
. "$(dirname "$0")/lib.sh"

state_of() { hub node list --json | tr '}' '\n' | grep "\"site\":\"$1\"" | field state | sort | tr '\n' ' '; }
keep_words() { cat "$work/out" "$work/err" >"$work/said"; } # keep what the last command said
one_family() { node "$1" sql "select count(*) v from person where family_name = '$2'" --json | field v; }

make_hub
start_hub
must node a enrol --code-file "$work/a-mash.code" --user "Ann" >/dev/null
must node b enrol --code-file "$work/b-site.code" --user "Bob" >/dev/null
must node a sync >/dev/null
must node b sync >/dev/null
stop_hub

case_id=$(must node a case new --area north --source 1A --need N1 --summary "as told" --json | field id)
must node a case share "$case_id" b --access contribute >/dev/null
in_step a
in_step b
must node b person add "$case_id" --family "Early" --given "One" >/dev/null
in_step b

# An image that has one change unsent; the device goes on from there, sends it, and writes and sends another.
must node b person add "$case_id" --family "InImage" --given "Two" >/dev/null
cp -a "$work/b" "$work/b.image"
must node b bundle export "$work/late.out" >/dev/null
must hub bundle exchange "$work/late.out" "$work/b.in" >/dev/null
must node b bundle import "$work/b.in" >/dev/null
must node b person add "$case_id" --family "Later" --given "Three" >/dev/null
in_step b

exits 3 "a stick that comes late is no failure, and wants somebody to know" \
    hub bundle exchange "$work/late.out" "$work/late.in"
keep_words
claim "it says that all of it had been taken in already" said "This file came late"
claim "it writes no answer" test ! -e "$work/late.in"
equal "and the device stays what it was" "enrolled " "$(state_of b-site)"

# Put back.
rm -rf "$work/b"
cp -a "$work/b.image" "$work/b"
must node b person add "$case_id" --family "AfterImage" --given "Four" >/dev/null
must node b bundle export "$work/old.out" >/dev/null
exits 13 "the hub refuses the stick of a device that was put back" hub bundle exchange "$work/old.out" "$work/old.in"
equal "it is listed as forked" "forked " "$(state_of b-site)"
must hub invite b-site --address "http://127.0.0.1:$port" --code-file "$work/again.code" >/dev/null
start_hub
exits 13 "over the network the device is refused too" node b sync
keep_words
claim "it is told to ask for an invitation for its site" said "a new invitation for b-site"
claim "it is told what to type then" said "spoke enrol --again --code-file FILE"
equal "nothing of its own is gone by that" 1 "$(one_family b AfterImage)"
exits 1 "a device that has joined is not joined by mistake" node b enrol --code-file "$work/again.code" --user "Bob"
claim "set up anew with the new invitation" node b enrol --again --code-file "$work/again.code"
claim "the same code again does no harm" node b enrol --again --code-file "$work/again.code"
equal "its status counts what was rescued" 2 "$(node b status --json | field rescued)"
equal "and it begins with no rows" 0 "$(count b person)"
exits 3 "its first contact brings the records back, and says that something is not accepted yet" node b sync
equal "what the hub had is there" 1 "$(one_family b InImage)"
equal "what the lost life sent is there too" 1 "$(one_family b Later)"
equal "what only the old image had is not applied by itself" 0 "$(one_family b AfterImage)"
stop_hub
equal "the old device is replaced by the new one" "enrolled replaced " "$(state_of b-site)"

# The manager.
in_step a
held=$(node a sql "select lower(hex(id)) v from held where state = 'waiting'" --json | field v)
claim "a manager reads why" sh -c "\"\$0\" \"\$@\" | grep -q 'set up anew'" \
    "$bin/spoke" --home "$work/a" --passphrase-file "$work/pass" --no-input held show "$held"
claim "and accepts it" node a held accept "$held" --reason "read and compared"
in_step a
in_step b
equal "then it is there, once, at the office that wrote it" 1 "$(one_family b AfterImage)"
equal "and at the MASH" 1 "$(one_family a AfterImage)"
equal "what the hub had already is there once" 1 "$(one_family a InImage)"
claim "everything at the device is sound" node b verify

# The old key is worth nothing any more.
rm -rf "$work/b.new"
mv "$work/b" "$work/b.new"
cp -a "$work/b.image" "$work/b"
must node b bundle export "$work/old.out" >/dev/null
exits 13 "the old image is never heard again" hub bundle exchange "$work/old.out" "$work/old.in"
done_with_claims
