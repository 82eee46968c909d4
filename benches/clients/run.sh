#!/usr/bin/env bash
# Compares Crossdock's client with others that can be built here, through one real broker, in one run:
# records/s and CPU microseconds a record, produced and consumed.
#
#   benches/clients/run.sh            none, lz4, zstd; 1 and 6 partitions; 100 B and 1 KB
#   benches/clients/run.sh --quick    none; 1 and 6 partitions; 100 B
#   benches/clients/run.sh --runs 5 --records 3000000
#
# Needs what ./test.sh needs, and for franz-go Go, for librdkafka make and a C compiler, for the Java client
# Java 17 and Kafka's jars. A client that cannot be built is named and left out.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

target=${CARGO_TARGET_DIR:-$PWD/target}
clients=crossdock
cargo build --release --bin compare --bin crossdock

left_out() { echo "left out: $1" >&2; }

for client in librdkafka krafka; do
    if cargo build --release --features "$client" --bin "$client"; then
        clients+=,$client
    else
        left_out "$client (its build failed)"
    fi
done
if command -v go >/dev/null && (cd franz-go && go build -o "$target/release/franz-go" .); then
    clients+=",franz-go=$target/release/franz-go"
else
    left_out "franz-go (no Go, or its build failed)"
fi
if command -v java >/dev/null; then
    clients+=,java
else
    left_out "the Java client (no java)"
fi

exec "$target/release/compare" --clients "$clients" "$@"
