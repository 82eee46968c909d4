#!/bin/bash
# The JSON converters of Crossdock and of Kafka Connect 4.3.1 on the same messages: MB/s on one core, and the ratio.
# Needs a JDK, and the jars of Kafka in $KAFKA_LIBS (default: ~/.cache/crossdock/kafka-4.3.1/libs).
set -euo pipefail
cd "$(dirname "$0")/../.."
libs=${KAFKA_LIBS:-$HOME/.cache/crossdock/kafka-4.3.1/libs}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
cargo bench -q -p crossdock-converters --bench json >"$out/rust"
javac -cp "$libs/*" -d "$out" benches/connect/Json.java
java -cp "$out:$libs/*" Json benches/connect/messages 2>/dev/null | grep -E '^p[a-z0-9-]+ [0-9.]+$' >"$out/java"
printf '%-26s %10s %10s %8s\n' json 'Java MB/s' 'ours MB/s' ratio
join <(sort "$out/java") <(sort "$out/rust") | awk '{ printf "%-26s %10.0f %10.0f %7.1fx\n", $1, $2, $3, $3 / $2 }'
