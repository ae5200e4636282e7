# For the scripts that ask `spoke serve` with curl in the browser's place. Source it after lib.sh.
# shellcheck shell=bash
declare -A address=()
serve_pid=
served=

# serve NAME ARGUMENT...: its pages; address[NAME] says where. Without --listen at a port of their own.
serve() {
    local name=$1
    shift
    case " $* " in *' --listen '*) ;; *) set -- --listen 127.0.0.1:0 "$@" ;; esac
    : >"$work/$name.line" # of one before
    "$bin/spoke" --home "$work/$name" --no-input serve "$@" >>"$work/$name.line" 2>"$work/$name.log" </dev/null &
    serve_pid=$!
    served="$served $serve_pid"
    if ! until_true 10 grep -q '^listening on ' "$work/$name.line"; then
        echo "FAILED the pages of $name are not served"
        cat "$work/$name.log"
        exit 1
    fi
    address[$name]=$(sed -n 's/^listening on //p' "$work/$name.line")
}
end_serve() { # end_serve PID
    kill -TERM "$1" 2>/dev/null
    wait "$1" 2>/dev/null
}
end_all() { # before lib.sh looks for what was left
    local pid
    for pid in $served; do kill -TERM "$pid" 2>/dev/null; done
    for pid in $served; do wait "$pid" 2>/dev/null; done
    finish
}
trap end_all EXIT

# ask NAME METHOD PATH CURL-ARGUMENT...: status into $status, answer into $work/out, its headers into $work/head
ask() {
    local name=$1 method=$2 path=$3
    shift 3
    status=$(curl -s -o "$work/out" -D "$work/head" -w '%{http_code}' --max-time 120 --path-as-is -X "$method" \
        "${address[$name]}$path" "$@" 2>"$work/err") || status="none: $status"
}
# post NAME WHO PATH JSON CURL-ARGUMENT...: as a page of ours does; WHO names a cookie jar
post() {
    local name=$1 who=$2 path=$3 body=$4
    shift 4
    ask "$name" POST "$path" -b "$work/$who.jar" -c "$work/$who.jar" -H "Origin: ${address[$name]}" \
        -H "Content-Type: application/json" --data-binary @- "$@" <<<"$body"
}
get() { # get NAME WHO PATH CURL-ARGUMENT...
    local name=$1 who=$2 path=$3
    shift 3
    ask "$name" GET "$path" -b "$work/$who.jar" "$@"
}
sign_in() { # sign_in NAME WHO CURL-ARGUMENT...: with everybody's passphrase, as a new browser
    local name=$1 who=$2
    shift 2
    : >"$work/$who.jar"
    post "$name" "$who" /api/session "{\"passphrase\":\"$(cat "$work/pass")\"}" "$@"
}
# new_case TEXT: what a page sends for a new case of which this is told
new_case() {
    local rest='"subject_kind":"child","rag":"red","presenting_issue":null,"referrer":null,"external_ref":null'
    rest=$rest,'"people":[]'
    printf '{"area":"north","source":"1A","primary_need":"N4","summary":"%s","rag_reason":"%s",%s}' "$1" "$1" "$rest"
}
answers() { equal "$1" "$2" "$status"; } # answers CLAIM STATUS
code() { field code <"$work/out"; }
