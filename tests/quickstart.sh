#!/usr/bin/env bash
# The quick start, end to end: the README's first command on the embedded broker, its output compared.
# $CROSSDOCK is the binary to run.
set -euo pipefail
cd "$(dirname "$0")/.."
crossdock=${CROSSDOCK:?the path of the crossdock binary}

work=$(mktemp -d)
pid=
finish() {
    [ -n "$pid" ] && kill -KILL "$pid" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
fail() {
    echo "quickstart: $*" >&2
    tail -n 30 "$work"/run*.log >&2 || true
    exit 1
}

# A copy of the input, so that lines can be added to it.
cp -r examples/quickstart "$work/connectors"
cp examples/quickstart/crossdock.txt "$work/input.txt"
sed -i.bak "s#examples/quickstart/crossdock.txt#$work/input.txt#" "$work"/connectors/*.json
output=$work/data/output.txt

start() { # log file
    "$crossdock" dev "$work/connectors" --data-dir "$work/data" --broker 127.0.0.1:0 --rest 127.0.0.1:0 2>"$1" &
    pid=$!
}
await() { # what, command: until it succeeds, 30 s at most
    local what=$1 deadline=$((SECONDS + 30))
    shift
    until "$@" 2>/dev/null; do
        kill -0 "$pid" 2>/dev/null || fail "the process ended while waiting for: $what"
        [ $SECONDS -lt $deadline ] || fail "timed out waiting for: $what"
        sleep 0.1
    done
}
stop() { # signal
    kill "-$1" "$pid"
    wait "$pid" || fail "ended with code $? on SIG$1"
    pid=
}

start "$work/run1.log"
await "the output to equal the input" cmp -s "$work/input.txt" "$output"
rest=$(sed -n 's#^REST API *\(http://[^/]*\)/.*#\1#p' "$work/run1.log")
names=$(curl -fsS "$rest/connectors")
[ "$names" = '["lines-in","lines-out"]' ] || fail "GET /connectors answered $names"
curl -fsS "$rest/connectors/lines-out/status" | grep -q '"state":"RUNNING"' || fail "the sink is not RUNNING"
stop TERM

# It goes on where it stopped: new lines only, none twice.
echo "one more line" >>"$work/input.txt"
start "$work/run2.log"
await "the added line to arrive" cmp -s "$work/input.txt" "$output"
stop INT

# After kill -9 no line is missing, whatever was under way.
before=$(wc -c <"$output")
start "$work/run3.log"
seq 1000000 | sed 's/$/ of many lines/' >>"$work/input.txt"
moved() { [ "$(wc -c <"$output")" -gt $((before + 1000000)) ]; }
await "some of many lines to arrive" moved
kill -KILL "$pid"
wait "$pid" 2>/dev/null || true
start "$work/run4.log"
complete() { [ -z "$(LC_ALL=C comm -23 <(LC_ALL=C sort -u "$work/input.txt") <(LC_ALL=C sort -u "$output"))" ]; }
await "every line to arrive after kill -9" complete
stop TERM
echo "quickstart: the output equals the input ($(wc -l <"$work/input.txt") lines)"
