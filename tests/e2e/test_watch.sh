#!/usr/bin/env bash
# Goal: who watches a hub sees what is the matter, on an address of its own, and nothing of what is written in cases: devices,
# readiness, figures, the log, alerts; and a device that holds as many rows as it may says so, and is told everything later.
. "$(dirname "$0")/lib.sh"

make_hub
start_watched() { # start_watched ARGUMENT...
    "$bin/spoke-hub" --home "$work/hub" --passphrase-file "$work/pass" --no-input serve --listen "127.0.0.1:$port" \
        --watch 127.0.0.1:0 "$@" >"$work/hub.line" 2>>"$work/hub.log" </dev/null &
    hub_pid=$!
    exec 7</dev/null
    until_true 20 ready "$work/hub.line" "$hub_pid"
    watch=$(sed -n 's/^watched on //p' "$work/hub.line")
}
from() { # from PATH: what is said there into $work/out, the status into $status
    status=$(curl -s -o "$work/out" -w '%{http_code}' --max-time 60 "$watch$1")
}
becomes() { # becomes STATUS: when it is asked whether it is ready, which it tries once a second
    from /readyz
    [ "$status" = "$1" ]
}
: >"$work/hub.log"
start_watched --log-format json
exits 0 "nothing wants a person at a new hub" hub doctor
equal "a program hears so too" '{"state":"ok","alerts":[]}' "$(hub doctor --json)"
must node a enrol --code-file "$work/a-mash.code" --user Ann >/dev/null
must node b enrol --code-file "$work/b-site.code" --user Bob >/dev/null
must node a sync >/dev/null
must node b sync >/dev/null
b_id=$(device_of b-site)

# A busy day, with texts that stand nowhere else.
title=$(secret_text) summary=$(secret_text) family=$(secret_text)
case_id=$(must node a case new --area north --source 1A --need N1 --summary "$summary" --json | field id)
must node a case share "$case_id" b --access contribute >/dev/null
must node a person add "$case_id" --family "$family" --given Kim >/dev/null
echo "$title" >"$work/body"
must node a record add "$case_id" --kind note --title "$title" --body-file "$work/body" >/dev/null
must node a sync >/dev/null
must node b sync >/dev/null

# Rows held, and the stop.
rows=$(hub node show "$b_id" --json | field rows_held)
equal "nothing is behind a device that has just been there" 0 "$(hub node show "$b_id" --json | field lag_rows)"
must hub node budget "$b_id" "$rows" --reason "a small device" >/dev/null
exits 3 "a device that is nearly full wants a person" hub doctor
has "by the code of that" '^rows: '
must node a person add "$case_id" --family "$family" --given Lee >/dev/null
must node a sync >/dev/null
must node b sync >/dev/null
equal "at its budget a device gets nothing new" "$rows" "$(hub node show "$b_id" --json | field rows_held)"
claim "the list says so" keep hub node list
claim "in plain sight" said "STOPPED"
exits 3 "and so does the device itself" node b status
has "with what to do" 'nothing new comes from the MASH'
equal "to programs too" stopped "$(node b status --json | field room)"
exits 3 "the doctor too" hub doctor
has "by the code of the stop" '^rows-stopped: '
must node b warning add "$case_id" dog --note "barks at strangers" >/dev/null
must node b sync >/dev/null
equal "what is written there is taken all the same" 1 "$(hub node show "$b_id" --json | field changes)"
must hub node budget "$b_id" usual >/dev/null
must node b sync >/dev/null
equal "with more room it gets what it missed" 2 "$(count b person)"
exits 0 "and says no more of it" node b status

# Its own address.
from /healthz
equal "the process answers" "200 ok" "$status $(cat "$work/out")"
from /readyz
equal "the store is ready" "200 ok" "$status $(cat "$work/out")"
from /metrics
equal "there are figures" 200 "$status"
cp "$work/out" "$work/figures"
claim "of each device by its id" grep -q "^spoke_lag_rows{node=\"$(tr -d - <<<"$b_id")\",site=\"b-site\"} 0$" "$work/figures"
claim "of verdicts" grep -q '^spoke_verdicts_total{verdict="applied"} [1-9]' "$work/figures"
claim "and of exchanges" grep -q '^spoke_exchange_duration_seconds_count [1-9]' "$work/figures"
if command -v promtool >/dev/null; then
    claim "promtool finds nothing wrong with them" promtool check metrics <"$work/figures"
fi
no_texts() { ! grep -qiF -e "$title" -e "$summary" -e "$family" -e "$case_id" -e "$(tr -d - <<<"$case_id")" -e strangers -e Bob "$1"; }
claim "nothing of any case is in them" no_texts "$work/figures"
equal "they are not on the devices' address" 404 "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/metrics")"
from /v1/hub
equal "nor are devices answered on this one" 404 "$status"

# Only a file is had by a command, or is a file that may not grow.
if [ -z "${SPOKE_TEST_POSTGRES:-}" ]; then
# A command has the store: nobody who watches hangs.
mkfifo "$work/go"
python3 - "$work/hub/serve.sock" "$work/go" >"$work/held" <<'P' &
import os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
print("ours" if s.recv(1) == b"!" else "nothing", flush=True)
open(sys.argv[2]).read()
P
holder=$!
until_true 20 test -s "$work/held"
from /metrics
has "while a command has the store a scrape says that" '^spoke_store_away 1$'
has "and gives the figures of before" '^spoke_lag_rows{'
from /readyz
equal "for a moment that is no fault" "200 ok: a command has the store just now" "$status $(cat "$work/out")"
echo end >"$work/go"
wait "$holder"

# A store that cannot be written: no file may grow past its first page.
prlimit --pid "$hub_pid" --fsize=4096:unlimited
claim "a store that cannot be written is not ready" until_true 10 becomes 503
from /healthz
equal "though the process answers" 200 "$status"
prlimit --pid "$hub_pid" --fsize=unlimited:unlimited
claim "when it can be written again it is ready again" until_true 10 becomes 200
fi

# The log.
stop_hub
exits 64 "an address that others reach is refused" hub serve --listen 127.0.0.1:0 --watch 0.0.0.0:9471
each_is_json() {
    python3 -c 'import json, sys
for line in open(sys.argv[1]):
    o = json.loads(line)
    assert o["time"].endswith("Z") and o["level"] in ("info", "warning", "error") and o["event"], line' "$1"
}
claim "each line of the log is a JSON object" each_is_json "$work/hub.log"
claim "that names the device" grep -q "\"route\":\"exchange\",\"status\":200,.*\"node\":\"$b_id\"" "$work/hub.log"
claim "nothing of any case is in it" no_texts "$work/hub.log"

# Certificates, and the hub in one look.
write_certificate() { printf '%s\n' '-----BEGIN CERTIFICATE-----' "$2" '-----END CERTIFICATE-----' >"$work/$1.pem"; }
write_certificate long 'MIIBijCCATGgAwIBAgIUVbQjLOYjxdn6dxMaI/DaIkLwrNgwCgYIKoZIzj0EAwIw
GjEYMBYGA1UEAwwPaHViLmV4YW1wbGUub3JnMCAXDTI2MTEyMzAwMTE1NFoYDzIx
MjYxMDMwMDAxMTU0WjAaMRgwFgYDVQQDDA9odWIuZXhhbXBsZS5vcmcwWTATBgcq
hkjOPQIBBggqhkjOPQMBBwNCAARqPpbt6tQOVgOTWVtM6jUE1cdUEpKEhBRjWycB
u9gImFySViTBUpj0sTsUWAbT3VCZhFVrsJ7VXjfnVF8eCg17o1MwUTAdBgNVHQ4E
FgQU9+3YhtuaoJRVz8M/X/7CH7O/1kwwHwYDVR0jBBgwFoAU9+3YhtuaoJRVz8M/
X/7CH7O/1kwwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNHADBEAiB15szJ
J4nXVdRIbOh7nmzRvzOM/u+CR+0BpGFTQy76dQIgB6AzlF5vfynOE57azkBGl8pm
+Od6oUab7ptHjP/bJms='
write_certificate old 'MIIBLTCB1QIUYZgxkC71zmEsY6Xx3zTBdTTcTC0wCgYIKoZIzj0EAwIwGjEYMBYG
A1UEAwwPaHViLmV4YW1wbGUub3JnMB4XDTI2MTEyMzAwMTQwM1oXDTI2MTEyMjAw
MTQwM1owGjEYMBYGA1UEAwwPaHViLmV4YW1wbGUub3JnMFkwEwYHKoZIzj0CAQYI
KoZIzj0DAQcDQgAEaj6W7erUDlYDk1lbTOo1BNXHVBKShIQUY1snAbvYCJhcklYk
wVKY9LE7FFgG091QmYRVa7Ce1V4351RfHgoNezAKBggqhkjOPQQDAgNHADBEAiAW
ejoRLGqf8BvBCD9hy9+EGovniZyAbGvyUlJhfFm6owIgTFV6XMXpxYW1rFGoNqGD
kUTz4mIGCn33AMdov6sUPpI='
exits 0 "a certificate that is good for long is no alert" hub doctor --certificate "$work/long.pem"
exits 3 "one that ends within the time that is asked for is" hub doctor --certificate "$work/long.pem" --certificate-within 6000w
has "by its code" '^certificate: '
exits 1 "one that is over is something broken" hub doctor --certificate "$work/old.pem"
exits 3 "and one that is none wants a person" hub doctor --certificate "$work/body"
silent() { hub doctor --silent 1s 2>&1 | grep -q '^silent: '; }
until_true 10 silent # the devices' last contact may be nearer than that
exits 3 "a device that was not heard for a second wants one, if so asked" hub doctor --silent 1s
has "by its code" '^silent: '
claim "the hub says how it is" keep hub status
claim "by its name" said "Test MASH"
hub status --json >"$work/status"
equal "to programs too" "$([ -n "${SPOKE_TEST_POSTGRES:-}" ] && echo postgres || echo sqlite) 2" "$(field store <"$work/status") $(field enrolled <"$work/status")"
done_with_claims
