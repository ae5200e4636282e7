#!/usr/bin/env bash
# Goal: the units take every branch of what decodes changes and of what merges them. A branch that no input can take says so
# on its line: /* branch: why it cannot be taken */. Compiled without optimisation and asserts in a folder of its own, so
# that any build can run it.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
watched=(sync/changeset.c sync/changeset_check.c hub/merge.c)
units=(test_changeset test_changeset_branches test_merge test_merge_orders)
flags=(-std=gnu11 -D_GNU_SOURCE -DNDEBUG -O0 "-I$root" "-I$work/generated")

stop() {
    printf '%s\n' "$1"
    [ -z "${2:-}" ] || head -n 40 "$2"
    exit 1
}
cd "$work" || exit 1
for tool in gcc gcov; do command -v "$tool" >/dev/null || stop "$tool is needed to count branches, and is not there."; done

# What lies below: only what the units need of it is linked.
compile() { # compile SOURCE OBJECT FLAG...
    local source=$1 object=$2
    shift 2
    gcc "${flags[@]}" "$@" -c "$root/$source" -o "$object" 2>>errors || { echo "$source" >>failed; return 1; }
}
below=()
for source in "$root"/base/*.c "$root"/sync/rules*.c "$root"/sync/value*.c; do
    object=below_$(basename "$source" .c).o
    below+=("$object")
    compile "${source#"$root"/}" "$object" &
done
for source in "${watched[@]}"; do
    compile "$source" "$(basename "$source" .c).o" --coverage &
done
for unit in "${units[@]}"; do
    compile "tests/unit/$unit.c" "$unit.o" &
done
wait
[ ! -e failed ] || stop "These do not compile: $(tr '\n' ' ' <failed)" errors
ar rcs below.a "${below[@]}" || exit 1

for unit in "${units[@]}"; do
    objects=()
    for source in "${watched[@]}"; do objects+=("$(basename "$source" .c).o"); done
    gcc --coverage "$unit.o" "${objects[@]}" below.a -lcmocka -o "$unit" 2>errors || stop "$unit does not link." errors
    "./$unit" >out 2>&1 || stop "$unit fails." out
done

bad=0
for source in "${watched[@]}"; do
    name=$(basename "$source")
    gcov -b -c -o . "${name%.c}.o" >out 2>&1 || stop "gcov has nothing to say of $source." out
    [ -s "$name.gcov" ] || stop "gcov has nothing to say of $source." out
    # Of each line of the source, then of its branches.
    awk -v file="$source" '
        /^branch/ {
            branches++
            if (($0 ~ /never executed/ || $0 ~ /taken 0($| )/) && !excused) {
                printf "%s:%d: a branch that no unit takes: %s\n", file, line, text
                missed++
            }
            next
        }
        /^ *[-#=0-9*]+: *[0-9]+:/ {
            split($0, part, ":")
            line = part[2] + 0
            text = $0
            sub(/^[^:]*:[^:]*: */, "", text)
            excused = text ~ /\/\* branch: .+ \*\//
        }
        END {
            if (branches == 0) { printf "%s: no branch was counted\n", file; exit 1 }
            printf "%s: %d branches, %d never taken\n", file, branches, missed
            exit missed > 0
        }' "$name.gcov" || bad=1
done
exit "$bad"
