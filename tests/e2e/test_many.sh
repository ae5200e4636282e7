#!/usr/bin/env bash
# Goal: several servers of one hub on PostgreSQL are one hub, whichever a device asks and whichever is killed; a hub
# moves there while it serves, with everything that is under way, and the store that it left is opened by nobody; a
# database that goes away and comes back costs nothing. SPOKE_MANY: seconds of killing, SPOKE_MANY_NODES: devices.
# Not on PostgreSQL: it begins in a file, and sees to its databases by itself
[ -n "${SPOKE_TEST_POSTGRES:-}" ] || exec "$(dirname "$0")/../postgres/run" --fast bash "$0"
. "$(dirname "$0")/lib.sh"
database=$SPOKE_TEST_POSTGRES
unset SPOKE_TEST_POSTGRES # its hubs begin in files

# ---- killed again and again (tests/e2e/many.c)
mkdir "$work/many"
claim "three servers that are killed again and again lose nothing, and all devices converge" \
    "$bin/many" "$work/many" "$database&schema=many_$$" "${SPOKE_MANY_NODES:-5}" "${SPOKE_MANY:-4}" \
    ${SPOKE_SEED:+"$SPOKE_SEED"}
grep -e '^seed' -e killed -e 'edits are' -e journal "$work/out" | sed 's/^/      /'
rm -rf "$work/many"

# ---- a hub with work under way, served from a file
make_hub
start_hub
first_port=$port
first_pid=$hub_pid
free_port
second_port=$port
port=$first_port
rm "$work/b-site.code"
must hub invite b-site --address "http://127.0.0.1:$second_port" --code-file "$work/b-site.code" >/dev/null
must node a enrol --code-file "$work/a-mash.code" --user Ann >/dev/null
must node c enrol --code-file "$work/c-site.code" --user Cid >/dev/null
must node a sync >/dev/null
must node c sync >/dev/null
case_ref=$(must node a case new --area north --source 1A --need N1 --summary "Under way" --json | field reference)
kept_ref=$(must node a case new --area north --source 1A --need N1 --summary "Stays shared" --json | field reference)
must node a case share "$case_ref" c >/dev/null
must node a case share "$kept_ref" c >/dev/null
must node a sync >/dev/null
must node c sync >/dev/null
must node c record add "$case_ref" --kind note --title "Will be late" >/dev/null
must node a case unshare "$case_ref" c >/dev/null
must node a sync >/dev/null # c does not know yet: its row is to be forgotten, and its record is not sent

# ---- it moves
store="$database&schema=moved_$$"
claim "a hub moves to PostgreSQL while it serves" hub migrate --from sqlite: --to "$store"
has "and says that every row is the same there" 'they are the same'
[ "$failures" -eq 0 ] || done_with_claims # nothing below would end
got=0
wait "$first_pid" || got=$?
hub_pid=
exec 7<&-
equal "the server of the file ends" 1 "$got"
server_said() { grep -q -e "$1" "$work/hub.log"; }
claim "and says why" server_said 'has moved'
exits 1 "the file is not served again" hub --store sqlite: serve --listen 127.0.0.1:0
says "because the hub moved" 'has moved'
exits 1 "nor is anything asked of it" hub --store sqlite: agency list
exits 1 "nor is it moved a second time" hub migrate --from sqlite: --to "$database&schema=other_$$"
claim "the logs hold together where it is now" hub log verify
claim "and who sees what is as it was" hub verify

# ---- a backup of it comes back into a database (hub/DISASTER.md)
claim "a backup is made of it" hub backup "$work/whole.backup"
head -c "$(($(stat -c %s "$work/whole.backup") / 2))" "$work/whole.backup" >"$work/cut.backup"
back() { # back SCHEMA COMMAND...: a home of its own, beside which nothing of the hub is
    "$bin/spoke-hub" --home "$work/back" --store "$database&schema=$1" --passphrase-file "$work/pass" --no-input "${@:2}"
}
exits 15 "one that is cut off is not put back" back "back_$$" restore "$work/cut.backup" --recovery "$work/hub/recovery.key"
exits 1 "nor is any where a hub is already" back "moved_$$" restore "$work/whole.backup" --recovery "$work/hub/recovery.key"
claim "which is as it was" hub verify
claim "whole, it is, in the schema that the other try left empty" \
    back "back_$$" restore "$work/whole.backup" --recovery "$work/hub/recovery.key"
equal "the new home says where" "$database&schema=back_$$" "$(head -n 1 "$work/back/store")"
claim "its masks say what its policy says" back "back_$$" verify
claim "and its logs hold together" back "back_$$" log verify
back "back_$$" restore status >"$work/out"
has "it waits for the devices that had been enrolled" '^0 of [1-9][0-9]* devices have returned everything'

# What was erased since that backup is erased again, from the list that was kept beside it (hub/RETENTION.md).
one=01890a5d-ac96-774b-bcce-b302099a8057 two=01890a5d-ac96-774b-bcce-b302099a8058
back "back_$$" erase --again >"$work/out"
has "which cases were erased since it cannot know, and says so" 'the hub cannot know'
printf '%s\n' "$one" "${two%??}" >"$work/erased"
exits 64 "a list that is not whole is refused" back "back_$$" erase --again --list "$work/erased" --reason "as before" --yes
printf '[{"case_id": "%s"}, {"case_id": "%s"}]\n' "$one" "$two" >"$work/erased"
exits 0 "a whole one is carried out in one go" back "back_$$" erase --again --list "$work/erased" --reason "as before" --yes
has "and it is said how many there were" '2 named, 2 erased'
back "back_$$" retention erased --json >"$work/out"
has "both are known as erased from then on" "$two"
# Where it takes two people, the other one reads which cases before approving.
echo "ines has $(secret_text)" >"$work/pass-ines"
claim "another administrator is appointed" \
    back "back_$$" admin add ines --role security --new-passphrase-file "$work/pass-ines"
claim "two people from now on" back "back_$$" rule two-person on --reason "agreed"
sed 's/a805/a806/g' "$work/erased" >"$work/more"
exits 3 "cases to be erased again are proposed" back "back_$$" erase --again --list "$work/more" --reason "as before"
number=$(back "back_$$" proposal list --json | field no)
back "back_$$" proposal show "$number" >"$work/out"
has "the other person is shown each" "^${one/a805/a806}$"
has "and the last of them" "^${two/a805/a806}$"
back "back_$$" proposal show "$number" --json >"$work/out"
has "programs too" "\"cases\":\[\"${one/a805/a806}\",\"${two/a805/a806}\"\]"
claim "who approves it" "$bin/spoke-hub" --home "$work/back" --store "$database&schema=back_$$" \
    --passphrase-file "$work/pass-ines" --no-input approve "$number" --yes
back "back_$$" retention erased --json >"$work/out"
has "and so it is done" "${two/a805/a806}"
claim "and the logs hold together" back "back_$$" log verify
rm -rf "$work/back"

# ---- two servers
start_hub
second_log=$work/second.log
mkfifo "$work/line2"
"$bin/spoke-hub" --home "$work/hub" --passphrase-file "$work/pass" --no-input serve --listen "127.0.0.1:$second_port" \
    >"$work/line2" 2>"$second_log" </dev/null &
second_pid=$!
exec 6<"$work/line2"
IFS= read -r -t "$patience" _ <&6 || not_ok "a second server starts" "$(cat "$second_log")"
claim "an invitation from before the move is good at another server" \
    node b enrol --code-file "$work/b-site.code" --user Bob
claim "a device goes on where it was" node c sync
claim "and once more, to confirm" node c sync
equal "what it was to forget is forgotten" 0 "$(count c "case_file where reference = '$case_ref'")"
equal "what stays shared is there" 1 "$(count c "case_file where reference = '$kept_ref'")"
equal "every order to forget is confirmed" 0 "$(must hub status --json | field unconfirmed_drops)"
must node a sync >/dev/null
must node a sync >/dev/null
equal "and what was written before that is not lost" 1 "$(count a "record where title = 'Will be late'")"
claim "commands need no turn beside two servers" hub node list

# ---- what one server takes in wakes who waits at the other
must node a case share "$kept_ref" b >/dev/null
must node a sync >/dev/null
must node b sync >/dev/null
there=$(count b "case_file where reference = '$kept_ref'")
equal "a device at the second server sees what one at the first wrote" 1 "$there"
"$bin/spoke" --home "$work/b" --passphrase-file "$work/pass" --no-input sync --wait 300 --json \
    >"$work/b.round" 2>"$work/b.err" </dev/null &
waiting=$!
mkfifo "$work/silence"
exec 9<>"$work/silence" # nothing is ever written there
until_true 10 met "$second_port" || not_ok "a device waits at the second server"
from=$SECONDS
must node a record add "$kept_ref" --kind note --title "News" >/dev/null
must node a sync >/dev/null
got=0
wait "$waiting" || got=$?
equal "a device that waits at the second server comes back" 0 "$got"
if [ $((SECONDS - from)) -lt 150 ]; then ok "at once"; else not_ok "at once" "$((SECONDS - from)) s"; fi
equal "with it" 1 "$(count b "record where title = 'News'")"

# ---- the database goes away for a while, and with it all connections to it
place=${database#*host=}
place=${place%%&*}
mkdir "$place/away"
mv "$place"/.s.PGSQL.* "$place/away/"
must psql -qXAt "${database/host=$place/host=$place\/away}" -c 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND backend_type = $$client backend$$' >/dev/null
must node b record add "$kept_ref" --kind note --title "Meanwhile" >/dev/null
exits 14 "without its database the hub is as if it were not reached" node b sync
exits 14 "for a command too" hub node list
kill -0 "$hub_pid" "$second_pid" && ok "and the servers stay" || not_ok "and the servers stay"
mv "$place/away"/.s.PGSQL.* "$place/"
rmdir "$place/away"
claim "when it is back, all goes on" until_true 10 node b sync
claim "at the other server too" node a sync
equal "and nothing was lost" 1 "$(count a "record where title = 'Meanwhile'")"
claim "the logs hold together" hub log verify

# ---- back to a file
kill -TERM "$second_pid"
got=0
wait "$second_pid" || got=$?
equal "a server ends cleanly" 0 "$got"
claim "a hub moves back to a file while it serves" hub migrate --from "$store" --to sqlite:
asked_to_its_end() { node a sync >/dev/null 2>&1; ! kill -0 "$hub_pid" 2>/dev/null; }
until_true 10 asked_to_its_end || not_ok "its server ends" "$(cat "$work/hub.log")"
wait "$hub_pid"
hub_pid=
exec 7<&-
claim "its server ends at the next request" server_said 'has moved'
start_hub
claim "the file is served again" node a sync
claim "the logs hold together there" hub log verify
stop_hub

# ---- a move that is killed
served() { # served STORE: is it opened?
    hub --store "$1" agency list >/dev/null 2>&1
}
target="$database&schema=killed_$$"
both=0
left=0
for ((i = 0; i < 12; i++)); do
    "$bin/spoke-hub" --home "$work/hub" --passphrase-file "$work/pass" --no-input migrate --from sqlite: \
        --to "$target" >"$work/out" 2>"$work/err" </dev/null &
    pid=$!
    read -r -t "0.$(printf %03d $((RANDOM % 600)))" _ <&9
    kill -KILL "$pid" 2>/dev/null && left=$((left + 1))
    wait "$pid" 2>/dev/null
    if served sqlite: && served "$target"; then both=$((both + 1)); fi
    if served "$target"; then break; fi
done
equal "a move that is killed leaves one store at most that is opened" 0 "$both"
if ! served "$target"; then claim "given again, it ends" hub migrate --from sqlite: --to "$target"; fi
echo "      $left of $((i + 1)) moves killed"
served sqlite: && not_ok "the old one is not opened any more" || ok "the old one is not opened any more"
claim "what was moved is whole" hub log verify
done_with_claims
