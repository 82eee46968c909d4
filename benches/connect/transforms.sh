#!/bin/bash
# Every transform of Crossdock and of Kafka Connect 4.3.1 on the same records: nanoseconds a record, and the ratio.
# Needs a JDK, and the jars of Kafka in $KAFKA_LIBS (default: ~/.cache/crossdock/kafka-4.3.1/libs).
set -euo pipefail
cd "$(dirname "$0")/../.."
libs=${KAFKA_LIBS:-$HOME/.cache/crossdock/kafka-4.3.1/libs}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
cargo bench -q -p crossdock-transforms --bench transforms >"$out/rust"
javac -cp "$libs/*" -d "$out" benches/connect/Transforms.java
mapfile -t cases < <(sed -n 's/^    ("\([^"]*\)", "\([^"]*\)", "\([^"]*\)"),$/\1\n\2\n\3/p' src/transforms/benches/transforms.rs)
java -cp "$out:$libs/*" Transforms "${cases[@]}" 2>/dev/null | grep -E '^[a-z-]+ [0-9.]+$' >"$out/java"
printf '%-22s %10s %10s %8s\n' transform 'Java ns' 'ours ns' ratio
join <(sort "$out/java") <(sort "$out/rust") | awk '{ printf "%-22s %10.1f %10.1f %7.1fx\n", $1, $2, $3, $2 / $3 }'
