#!/usr/bin/env bash
# Goal: packaging/nginx-spoke-node.conf before `spoke serve --behind-proxy`: what a site's browsers get through it, and
# what strangers do not. With Debian's nginx where it is installed; Spoke needs none, so without it this says so.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/serve_lib.sh
. "$(dirname "$0")/serve_lib.sh"

nginx=$(PATH=$PATH:/usr/sbin command -v nginx)
if [ -z "$nginx" ] || ! command -v openssl >/dev/null; then
    echo "skipped: nginx or openssl is not installed on this computer, and the snippet was not tried"
    exit 0
fi
name=node.example.org
make_hub
hub_port=$port
free_port
tls=$port
free_port
behind=$port
port=$hub_port
start_hub
must node b enrol --code-file "$work/b-site.code" --user Bob >/dev/null
must node a enrol --code-file "$work/a-mash.code" --user Ann >/dev/null

# The snippet as it is, but for what it says to change, the ports, and where this script may write.
proxy() {
    mkdir -p "$work/nginx"
    must openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$name" \
        -addext "subjectAltName=DNS:$name" -keyout "$work/nginx/key" -out "$work/nginx/pem" >/dev/null
    sed -e "s|/etc/ssl/certs/$name.pem|$work/nginx/pem|; s|/etc/ssl/private/$name.key|$work/nginx/key|" \
        -e "s|listen 443|listen 127.0.0.1:$tls|; /listen \[::\]/d; s|127.0.0.1:8471|127.0.0.1:$behind|" \
        "$root/packaging/nginx-spoke-node.conf" >"$work/nginx/site"
    {
        echo "daemon off; worker_processes 1; pid $work/nginx/pid; error_log $work/nginx/log; events {}"
        echo "http { access_log $work/nginx/access;"
        for one in client_body proxy fastcgi uwsgi scgi; do echo "${one}_temp_path $work/nginx/$one;"; done
        echo "include $work/nginx/site; }"
    } >"$work/nginx/conf"
    exits 0 "nginx takes the snippet" "$nginx" -t -q -c "$work/nginx/conf" -e "$work/nginx/log"
    "$nginx" -c "$work/nginx/conf" -e "$work/nginx/log" 2>"$work/nginx/said" </dev/null &
    served="$served $!"
}
through=(--cacert "$work/nginx/pem" --connect-to "::127.0.0.1:$tls")
speaks() { get b nobody /api/session "${through[@]}" && [ "$status" = 200 ]; }

serve b --listen "127.0.0.1:$behind" --behind-proxy --host "$name"
equal "behind a proxy it says the name that browsers use" "https://$name" "${address[b]}"
proxy
until_true 10 speaks || not_ok "nginx answers" "$(cat "$work/nginx/log" "$work/nginx/said")"

# ---- a browser of the site
claim "every answer tells browsers to come by TLS alone" \
    grep -qi '^strict-transport-security: max-age=31536000' "$work/head"
claim "and what they may do with it, said once" test "$(grep -ci '^content-security-policy:' "$work/head")" -eq 1
claim "nginx does not say which it is" grep -qix 'server: nginx[[:space:]]*' "$work/head"
sign_in b bob "${through[@]}"
answers "the passphrase lets in" 200
has "and says who is there" '"name":"Bob"'
claim "the cookie goes by TLS alone" \
    grep -qi '^set-cookie: __Host-spoke_session_[0-9]*=[0-9a-f]\{64\}; Path=/; HttpOnly; SameSite=Strict; Secure' "$work/head"
after=$(field events <"$work/out")
# As a browser listens: again after each answer, until an edit is told.
listen() {
    local n=$after i
    for ((i = 0; i < 8; i++)); do
        curl -sN --max-time 30 "${through[@]}" -b "$work/bob.jar" "${address[b]}/api/events?after=$n" \
            >"$work/event.new" || return 1
        cat "$work/event.new" >>"$work/event"
        n=$(sed -n 's/^id: //p' "$work/event" | tail -n 1)
        if grep -q '"reason":"edit"' "$work/event.new"; then return 0; fi
    done
    return 1
}
: >"$work/event"
listen &
waiting=$!
text=$(secret_text)
post b bob /api/acts/case-new "$(new_case "$text")" "${through[@]}"
answers "a case is written" 200
claim "and is told to a page that waits, while it waits" until_true 5 grep -q '"reason":"edit"' "$work/event"
wait "$waiting"
: >"$work/nginx/began"
post b bob /api/bundle/export '{}' "${through[@]}"
answers "a file for the stick comes" 200
head -c 9000000 /dev/zero >"$work/large"
ask b POST /api/bundle/import -b "$work/bob.jar" -H "Origin: ${address[b]}" \
    -H 'Content-Type: application/octet-stream' --data-binary "@$work/large" "${through[@]}"
answers "a large one gets to where it is read" 400
claim "of what travelled nothing was on the disk of nginx, not even for a moment" \
    test -z "$(find "$work/nginx" -mindepth 1 -type d -newer "$work/nginx/began")"

# ---- what a client says of other proxies changes nothing
lies=(-H 'X-Forwarded-Host: attacker.example' -H 'X-Forwarded-Proto: http' -H 'X-Forwarded-For: 127.0.0.1'
    -H 'Forwarded: for=127.0.0.1;host=attacker.example;proto=http' -H 'X-Real-IP: 127.0.0.1')
sign_in b liar "${through[@]}" "${lies[@]}"
answers "who tells of other proxies may sign in" 200
claim "and his cookie goes by TLS alone too" grep -qi '^set-cookie: .*; Secure' "$work/head"
lacks "and reads nothing of what he said" attacker
get b nobody /api/board "${through[@]}" "${lies[@]}"
answers "without the passphrase it helps nobody" 401

# ---- strangers
for version in --http1.1 --http2; do
    get b bob /api/board "${through[@]}" $version -H 'Host: attacker.example'
    equal "under a stranger's name (DNS rebinding) nothing is answered ($version)" "none: 000" "$status"
done
address[stranger]=https://attacker.example
get stranger bob / -k --connect-to "::127.0.0.1:$tls"
equal "nor does TLS begin under such a name" "none: 000" "$status"
for origin in https://attacker.example "http://$name" "https://$name:8443" null; do
    ask b POST /api/lock -b "$work/bob.jar" -H "Origin: $origin" -H 'Content-Type: application/json' -d '{}' \
        "${through[@]}"
    answers "a page of $origin locks nothing" 403
done
get b bob /api/board "${through[@]}" --tls-max 1.2
equal "TLS 1.2 is not spoken" "none: 000" "$status"
get b bob "/../etc/passwd" "${through[@]}"
answers "there is no way up" 400
get b bob "/api//board" "${through[@]}"
answers "and none of two readings" 400

# ---- one computer that would have all of it
address[direct]=http://127.0.0.1:$behind # what another computer's request finds behind the proxy
taken=
for ((i = 0; i < 70; i++)); do
    curl -sN -o "$work/taken.$i" --max-time 60 "${through[@]}" -b "$work/bob.jar" "${address[b]}/api/events?after=0" &
    taken="$taken $!"
done
refused() { grep -qs '503 Service' "$work"/taken.*; }
claim "one computer takes a part of the places alone" until_true 5 refused
get direct nobody /api/session -H "Host: $name"
answers "and others are still answered" 200
for pid in $taken; do kill "$pid" 2>/dev/null; done
for pid in $taken; do wait "$pid" 2>/dev/null; done

# ---- past the proxy: on this computer alone, and no cookie of the proxy's travels in clear
get direct bob /api/board -H "Host: $name"
answers "a browser sends the cookie by TLS alone, so past the proxy nobody is signed in" 401
sign_in direct past
claim "who signs in past the proxy gets a cookie that goes no way but TLS" \
    grep -qi '^set-cookie: .*; Secure' "$work/head"
get b bob /api/board "${through[@]}"
answers "and who is in through it stays in" 200

# ---- when Spoke is not there
end_serve "$serve_pid"
get b bob "/api/search?q=$text" "${through[@]}"
answers "while Spoke does not run the page is told so" 502
claim "and nginx noted no word of what was searched for" \
    test -z "$(grep -rlF -e "$text" -e /api/ "$work/nginx" | grep -v '/site$')"
done_with_claims
