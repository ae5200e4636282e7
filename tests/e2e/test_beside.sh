#!/usr/bin/env bash
# Goal: administrators work with a hub while it serves: no command needs it stopped, none keeps it from devices for good,
# however it ends, and nothing of a device is lost meanwhile.
# Not on PostgreSQL: it is about commands and a server that take turns at one file, which a database does not need
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# The store is ours until the word "end", or until this is killed: what a command does that takes long.
hold() {
    coproc HOLD { exec python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
print("ours" if s.recv(1) == b"!" else "none", flush=True)
sys.stdin.readline()' "$work/hub/serve.sock"; }
    hold_pid=$HOLD_PID
    IFS= read -r -t "$patience" held <&"${HOLD[0]}"
}
hub_says() { curl -s -o "$work/out" -D "$work/head" -w '%{http_code}' --max-time 60 "http://127.0.0.1:$port/v1/hub"; }

# A command whose output nobody reads on: its first byte has come, and the pipe is full.
stop_reading() { # stop_reading COMMAND...
    coproc READ { exec python3 -c '
import fcntl, os, subprocess, sys
r, w = os.pipe()
fcntl.fcntl(w, 1031, 4096) # F_SETPIPE_SZ
command = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=w)
os.close(w)
n = len(os.read(r, 1))
print("begun", flush=True)
sys.stdin.readline()
while part := os.read(r, 65536):
    n += len(part)
print(n, command.wait(), flush=True)' "$@"; }
    reader=$READ_PID
    IFS= read -r -t "$patience" begun <&"${READ[0]}"
}

make_hub
# A server that takes nobody on: stopped, and as many wait as may.
cp -r "$work/hub" "$work/hung"
mkfifo "$work/full"
exec {hung}> >(exec python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(0)
first = socket.socket(socket.AF_UNIX)
first.connect(sys.argv[1])
print("full", flush=True)
sys.stdin.readline()' "$work/hung/serve.sock" >"$work/full")
IFS= read -r _ <"$work/full"
began_hung=$(date +%s)
(
    trap - EXIT
    timeout 150 "$bin/spoke-hub" --home "$work/hung" --passphrase-file "$work/pass" --no-input node list \
        >/dev/null 2>"$work/hung.err" </dev/null
    echo "$? $(($(date +%s) - began_hung))" >"$work/hung.end"
) &
hung_command=$!
start_hub
must node a enrol --code-file "$work/a-mash.code" --user "Ann" >/dev/null
must node a sync >/dev/null

claim "devices are listed while the hub serves" keep hub node list --json
claim "with the one that has just come" said '"site":"a-mash"'
claim "a site is added" hub site add d-site b "Second office" --kind partner --area north
claim "and somebody who works there" hub practitioner add d-site "Dee"
claim "and a device is invited" hub invite d-site --address "http://127.0.0.1:$port" --code-file "$work/d.code"
claim "which enrols at once" node d enrol --code-file "$work/d.code" --user "Dee"
claim "and is in contact" node d sync
must node d bundle export "$work/d.out" >/dev/null
claim "a stick is answered beside the server" hub bundle exchange "$work/d.out" "$work/d.in"
claim "and taken" node d bundle import "$work/d.in"
claim "the hub is verified beside the server" hub verify

# What a command changes reaches a device that waits.
must node a sync >/dev/null
node a sync --wait 50 >"$work/waited" 2>&1 &
waiter=$!
must hub agency add e "School" --kind education >/dev/null
wait "$waiter"
equal "a device that waits is told of what a command did" 1 "$(count a "agency where code = 'e'")"

exits 1 "a second server is refused" hub serve --listen 127.0.0.1:0
says "with the reason" "served already"
claim "and the first goes on" node a sync

stop_reading "$bin/spoke-hub" --home "$work/hub" --passphrase-file "$work/pass" --no-input policy text
equal "a command prints, and nobody reads it" begun "$begun"
claim "devices are answered all the same" node a sync
claim "and other commands have their turn" hub node list
echo end >&"${READ[1]}"
IFS=' ' read -r -t "$patience" printed code <&"${READ[0]}"
wait "$reader" 2>/dev/null
hub policy text >"$work/text" 2>"$work/err"
equal "what it had to say is all there when it is read" "$(wc -c <"$work/text") 0" "$printed $code"
into_full() { "$@" >/dev/full; }
exits 1 "output that cannot be written is a failure" into_full hub policy text

hold
equal "a command has the store" ours "$held"
before=$(date +%s)
exits 14 "a device that comes meanwhile is told to come again" node a sync
# The server writes it when it has told the first that had to come again, or a moment later.
claim "and the server's log says that the store is away" until_true 10 grep -q '^time=[^ ]* level=info event=store store=away$' "$work/hub.log"
exits 1 "a second server is refused while the store is in a command's hands" hub serve --listen 127.0.0.1:0
says "for the same reason" "served already"
claim "after no more than some seconds" test "$(($(date +%s) - before))" -le 60
case=$(must node a case new --area north --source 1A --need N1 --summary "written meanwhile" --json | field id)
equal "the hub says so to whoever asks" 503 "$(hub_says)"
claim "and when to come again" grep -qi '^retry-after: 5' "$work/head"
equal "it still says that it is there" ok "$(curl -s --max-time 10 "http://127.0.0.1:$port/healthz")"
kill -KILL "$hold_pid"
wait "$hold_pid" 2>/dev/null
claim "a command that was killed gives the store back" hub verify
claim "the device is answered again" node a sync
claim "and what was written meanwhile has arrived" test "$(node a outbox list --json | grep -c waiting)" = 0
equal "in the hub too" 1 "$(hub who-saw "$case" --json | grep -c 'a-mash')"

# Commands and requests at once: all get their turn.
for i in 1 2 3 4 5 6; do
    hub node list >/dev/null 2>"$work/list.$i" &
    lists="${lists:-} $!"
done
got=0
for i in 1 2 3 4 5 6 7 8; do node a sync >/dev/null 2>"$work/sync.err" || got=$?; done
equal "a device is answered while commands queue" 0 "$got"
failed=0
for pid in $lists; do wait "$pid" || failed=$((failed + 1)); done
equal "and so is each of them" 0 "$failed"

hold
equal "a command has the store again" ours "$held"
kill -TERM "$hub_pid"
wait "$hub_pid"
equal "a server that is told to stop meanwhile ends, and well" 0 $?
hub_pid=
exec 7<&-
kill -KILL "$hold_pid"
wait "$hold_pid" 2>/dev/null
claim "the store is whole" hub verify

start_hub
kill -KILL "$hub_pid"
wait "$hub_pid" 2>/dev/null
hub_pid=
exec 7<&-
claim "what a killed server left of its socket keeps no command" hub node list
start_hub
claim "nor the next server" node a sync
claim "beside which commands work" hub node list
equal "only its user can open its socket" 600 "$(stat -c %a "$work/hub/serve.sock")"
hold
mv "$work/hub/hub.db" "$work/hub/away.db"
echo end >&"${HOLD[1]}"
wait "$hub_pid"
equal "a server whose store is gone when it comes back ends, as not made" 10 $?
hub_pid=
exec 7<&-
claim "and says what is wrong" grep -q "no encrypted database" "$work/hub.log"
mv "$work/hub/away.db" "$work/hub/hub.db"
start_hub
claim "put back, it is served again" node a sync
stop_hub
claim "a server that has ended leaves no socket" test ! -e "$work/hub/serve.sock"

# A folder that takes no sockets.
mkdir "$work/hub/serve.sock"
start_hub
claim "a folder that takes no socket is served all the same" node a sync
claim "the server says what that means" grep -q "no other command works with this hub meanwhile" "$work/hub.log"
exits 1 "a command is told that the store is in use" hub node list
stop_hub
claim "and works when the server has ended" hub node list
rmdir "$work/hub/serve.sock"

wait "$hung_command"
exec {hung}>&-
IFS=' ' read -r code waited <"$work/hung.end"
equal "a command that is not even heard ends" 1 "$code"
claim "after a minute" test "$waited" -ge 55 -a "$waited" -le 120
claim "and says who may be to blame" grep -q "another command is still at work with it, or the server of this hub hangs" \
    "$work/hung.err"
done_with_claims
