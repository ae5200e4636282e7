#!/usr/bin/env bash
# Goal: packaging/nginx-spoke-hub.conf before `spoke-hub serve --listen unix:…`: what devices get through it, what strangers do not,
# and that malformed HTTP is refused by nginx and by the hub alone. With Debian's nginx where it is installed; Spoke needs none,
# so without it this says so and tries the hub alone.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/serve_lib.sh
. "$(dirname "$0")/serve_lib.sh"
here=$(cd "$(dirname "$0")" && pwd)
name=hub.example.org
nginx=$(PATH=$PATH:/usr/sbin command -v nginx)
command -v openssl >/dev/null || nginx=

# ---- the hub at a socket in the file system
make_hub
free_port
tls=$port
socket=$work/run/hub.sock
mkdir -m 2750 "$work/run"
hub_listen=unix:$socket
start_hub
direct=unix:$socket
equal "the socket is for its user and its group" "srw-rw----" "$(stat -c %A "$socket")"
exits 1 "a second server does not take its place" hub serve --listen "$direct"
kill -KILL "$hub_pid" && wait "$hub_pid" 2>/dev/null
exec 7<&-
claim "a hub that was killed leaves its socket" test -S "$socket"
start_hub
claim "which the next one replaces" curl -sf -o /dev/null --unix-socket "$socket" http://hub/v1/hub
touch "$work/run/file"
exits 1 "what is no socket stays where it is" hub serve --listen "unix:$work/run/file"
claim "and is untouched" test -f "$work/run/file"
stop_hub
claim "a hub that ended leaves none" test ! -e "$socket"
start_hub

# ---- malformed: `refused WHAT BYTES`: no answer is a good one, at either door
doors="$direct"
tell() { # tell WHERE: what standard input is answered, in one line
    local ca=
    case $1 in tls:*) ca=$work/nginx/pem ;; esac
    python3 -I -S "$here/raw_http.py" "$1" ${ca:+"$ca"} | paste -sd ' '
}
refused() {
    local where got
    for where in $doors; do
        got=$(printf '%b' "$2" | tell "$where")
        case " $got " in
            *" 2"[0-9][0-9]" "*) not_ok "$1 is refused (${where%%:*})" "$got" ;;
            " 4"* | " 5"* | " closed "*) ok "$1 is refused (${where%%:*}: $got)" ;;
            *) not_ok "$1 is refused (${where%%:*})" "${got:-nothing}" ;;
        esac
    done
}
# libmicrohttpd reads a line to its zero byte, drops a line without a name, and waits for a line that it knows. No second request
# comes of that; nginx takes none of it.
once() {
    local got
    got=$(printf '%b' "$2$hidden" | tell "$direct")
    case $got in
        *[0-9]*[0-9]" "[0-9]*" "[0-9]*) not_ok "$1 is one request at most (${direct%%:*})" "$got" ;;
        *) ok "$1 is no more than it seems (${direct%%:*}: $got)" ;;
    esac
    [ "$doors" = "$direct" ] || doors=${doors#* } refused "$1" "$2"
}
hidden='GET /v1/hub HTTP/1.1\r\nHost: '$name'\r\n\r\n'
malformed() {
    local post='POST /v1/exchange HTTP/1.1\r\nHost: '$name'\r\n' flood
    flood=$(for ((i = 0; i < 400; i++)); do printf 'X-%d: %080d\\r\\n' "$i" "$i"; done)
    refused "a chunk whose length is none" "${post}Transfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n0\r\n\r\n$hidden"
    refused "a chunk length beyond all numbers" "${post}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc\r\n0\r\n\r\n$hidden"
    refused "a chunk that is longer than it said" "${post}Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n$hidden"
    refused "two lengths" "${post}Content-Length: 0\r\nContent-Length: 44\r\n\r\n$hidden"
    refused "two lengths in one line" "${post}Content-Length: 0, 44\r\n\r\n$hidden"
    refused "a length and chunks" "${post}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n$hidden"
    refused "chunks and a length" "${post}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n$hidden"
    refused "two codings" "${post}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n$hidden"
    refused "a coding of another name" "${post}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n$hidden"
    refused "a blank before the colon" "${post}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n$hidden"
    refused "a negative length" "${post}Content-Length: -1\r\n\r\n$hidden"
    refused "a length with a sign" "${post}Content-Length: +5\r\n\r\n$hidden"
    refused "a length that is no number" "${post}Content-Length: 0x10\r\n\r\n$hidden"
    refused "a flood of headers" "GET /v1/hub HTTP/1.1\r\nHost: $name\r\n$flood\r\n"
    refused "one endless header" "GET /v1/hub HTTP/1.1\r\nHost: $name\r\nX: $(head -c 40000 /dev/zero | tr '\0' a)\r\n\r\n"
    refused "an endless target" "GET /$(head -c 40000 /dev/zero | tr '\0' a) HTTP/1.1\r\nHost: $name\r\n\r\n"
    refused "a target of another server" "GET http://attacker.example/v1/hub HTTP/1.1\r\nHost: $name\r\n\r\n"
    refused "a target that names this one" "GET http://$name/v1/hub HTTP/1.1\r\nHost: $name\r\n\r\n"
    refused "a tunnel" "CONNECT $name:443 HTTP/1.1\r\nHost: $name\r\n\r\n"
    refused "a method that is none" "GE\\0T /v1/hub HTTP/1.1\r\nHost: $name\r\n\r\n"
    once "a zero byte in a header" "GET /v1/hub HTTP/1.1\r\nHost: $name\r\nX: a\\0b\r\n\r\n"
    once "a zero byte in the target" "GET /v1/hub\\0 HTTP/1.1\r\nHost: $name\r\n\r\n"
    refused "an encoded zero byte" "GET /v1/hub%00 HTTP/1.1\r\nHost: $name\r\n\r\n"
    refused "no host" "GET /v1/hub HTTP/1.1\r\n\r\n"
    refused "two hosts" "GET /v1/hub HTTP/1.1\r\nHost: $name\r\nHost: $name\r\n\r\n"
    once "a header without a name" "GET /v1/hub HTTP/1.1\r\nHost: $name\r\n: x\r\n\r\n"
    refused "HTTP of another age" "GET /v1/hub HTTP/9.9\r\nHost: $name\r\n\r\n"
    once "what is no HTTP at all" "\\0\\1\\2\\3 gibberish\r\n\r\n"
}

if [ -z "$nginx" ]; then
    malformed
    echo "skipped: nginx or openssl is not installed on this computer, and the snippet was not tried"
    done_with_claims
fi

# ---- the snippet as it is, but for what it says to change, the port, and where this script may write
proxy() {
    mkdir -p "$work/nginx"
    must openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$name" \
        -addext "subjectAltName=DNS:$name,DNS:localhost" -keyout "$work/nginx/key" -out "$work/nginx/pem" >/dev/null
    sed -e "s|/etc/ssl/certs/$name.pem|$work/nginx/pem|; s|/etc/ssl/private/$name.key|$work/nginx/key|" \
        -e "s|listen 443|listen 127.0.0.1:$tls|; /listen \[::\]/d; s|/run/spoke-hub/hub.sock|$socket|" \
        -e "s|server_name $name|server_name localhost $name|; s|/var/log/nginx/|$work/nginx/|" \
        "$root/packaging/nginx-spoke-hub.conf" >"$work/nginx/site"
    {
        [ "$(id -u)" -ne 0 ] || echo "user root;"
        echo "daemon off; worker_processes 1; pid $work/nginx/pid; error_log $work/nginx/log; events {}"
        echo "http { access_log $work/nginx/access;"
        for one in client_body proxy fastcgi uwsgi scgi; do echo "${one}_temp_path $work/nginx/$one;"; done
        echo "include $work/nginx/site; }"
    } >"$work/nginx/conf"
    exits 0 "nginx takes the snippet" "$nginx" -t -q -c "$work/nginx/conf" -e "$work/nginx/log"
    "$nginx" -c "$work/nginx/conf" -e "$work/nginx/log" 2>"$work/nginx/said" </dev/null &
    nginx_pid=$!
}
end_proxy() {
    [ -z "${nginx_pid:-}" ] || kill -TERM "$nginx_pid" 2>/dev/null
    finish
}
trap end_proxy EXIT
proxy
through=(--cacert "$work/nginx/pem" --connect-to "::127.0.0.1:$tls")
speaks() { curl -sf -o "$work/keys" "${through[@]}" "https://$name/v1/hub"; }
until_true 10 speaks || not_ok "nginx answers" "$(cat "$work/nginx/log" "$work/nginx/said")"
doors="$direct tls:$name:$tls"
malformed

# ---- devices
export SSL_CERT_FILE=$work/nginx/pem
for code in a-mash b-site; do
    must hub invite "$code" --address "https://localhost:$tls" --code-file "$work/$code.tls" >/dev/null
done
claim "a device enrols through it" node a enrol --code-file "$work/a-mash.tls" --user Ann
claim "and another" node b enrol --code-file "$work/b-site.tls" --user Bob
must node a sync >/dev/null
case_ref=$(must node a case new --area north --source 1A --need N1 --summary "Through the proxy" --json | field reference)
must node a case share "$case_ref" b >/dev/null
claim "what it writes goes through" node a sync
must node b sync >/dev/null
equal "and comes to the other" 1 "$(count b "brief where summary = 'Through the proxy'")"
from=$SECONDS
: >"$work/nginx/began"
node b sync --wait 300 --json >"$work/b.round" 2>"$work/b.err" </dev/null &
waiting=$!
# One connection of nginx that the hub has not answered; its log tells of answers alone.
parked() { awk -v at="$socket" '$6 == "03" && $8 == at { n++ } END { exit !n }' /proc/net/unix; }
claim "a device waits at the hub" until_true 10 parked
must node a record add "$case_ref" --kind note --title "News" >/dev/null
must node a sync >/dev/null
got=0
wait "$waiting" || got=$?
equal "a device that waits is woken through it" 0 "$got"
equal "and has the news" 1 "$(count b "record where title = 'News'")"
if [ $((SECONDS - from)) -lt 150 ]; then ok "long before its time was over"; else not_ok "in time" "$((SECONDS - from)) s"; fi

must node b bundle export "$work/b.out" >/dev/null
sum=$(b2sum -l 256 "$work/b.out" | cut -d ' ' -f 1)
claim "a request goes through as it is" curl -sf -o "$work/whole" "${through[@]}" -H 'Content-Type: application/octet-stream' \
    --data-binary "@$work/b.out" "https://$name/v1/exchange"
claim "a broken download goes on where it stopped" curl -sf -o "$work/rest" -D "$work/head" "${through[@]}" \
    -H 'Range: bytes=100-' "https://$name/v1/answer/$sum"
claim "with a part" grep -q '^HTTP/1.1 206' "$work/head"
claim "that is what was missing" cmp <(tail -c +101 "$work/whole") "$work/rest"
claim "which the device takes" node b bundle import "$work/whole"
claim "every answer tells browsers to come by TLS alone" grep -qi '^strict-transport-security: max-age=31536000' "$work/head"
claim "and nginx does not say which it is" grep -qix 'server: nginx[[:space:]]*' "$work/head"

# ---- strangers
status() { curl -s -o "$work/out" -w '%{http_code}' "$@" 2>"$work/err" </dev/null; }
head -c 70000 /dev/zero >"$work/large"
equal "an enrolment of 70,000 bytes is too large" 413 "$(status "${through[@]}" --data-binary "@$work/large" "https://$name/v1/enrol")"
long="POST /v1/exchange HTTP/1.1\r\nHost: $name\r\nContent-Length: 134217729\r\n\r\n"
for where in $doors; do
    equal "a bundle above the largest is refused before it is read (${where%%:*})" 413 "$(printf '%b' "$long" | tell "$where" | cut -d ' ' -f 1)"
done
for path in /healthz /metrics / /v1/exchange/ /v1 /v1/answer/../hub; do
    got=$(status --path-as-is "${through[@]}" "https://$name$path")
    case $got in 4??) ok "nobody outside gets $path ($got)" ;; *) not_ok "nobody outside gets $path" "$got" ;; esac
done
equal "TLS 1.2 is not spoken" 000 "$(status "${through[@]}" --tls-max 1.2 "https://$name/v1/hub")"
equal "a name that is not the hub's gets no handshake" 000 "$(status -k --connect-to "::127.0.0.1:$tls" https://attacker.example/v1/hub)"
equal "nor another name within it" "no answer" \
    "$(printf 'GET /v1/hub HTTP/1.1\r\nHost: attacker.example\r\n\r\n' | tell "tls:$name:$tls" | sed 's/^\(4..\|closed\).*/no answer/')"
equal "plain HTTP is refused" 400 "$(status "http://127.0.0.1:$tls/v1/hub")"
seen=
for ((i = 0; i < 14; i++)); do
    seen="$seen $(status "${through[@]}" -H 'Content-Type: application/octet-stream' --data-binary guess "https://$name/v1/enrol")"
done
claim "who tries invitations is told to come later" test "${seen% 429}" != "$seen"
equal "but not who asks at the door for orders" 403 "$(status "${through[@]}" --data-binary guess "https://$name/v1/door")"
claim "while devices go on" node a sync
claim "nothing of what travelled was on the disk of nginx" \
    test -z "$(find "$work/nginx" -mindepth 1 -type d -newer "$work/nginx/began")"
claim "its log holds no address and no path" test -z "$(grep -E '127\.0\.0\.1|/v1' "$work/nginx/spoke-hub.log")"
claim "but that it was asked" test -s "$work/nginx/spoke-hub.log"
stop_hub
equal "while the hub does not run devices are told so" 502 "$(status "${through[@]}" "https://$name/v1/hub")"
exits 14 "and say that nothing is lost" node a sync
done_with_claims
