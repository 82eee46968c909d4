#!/usr/bin/env bash
# Passes all tests of Crossdock, or ends with an error. Nothing is skipped: without a way to run a
# real Apache Kafka it fails.
#
#   ./test.sh          everything but the long tests
#   ./test.sh --long   the long tests too (marked #[ignore = "long: ..."])
#
# Needs Rust (rustup), a C compiler, curl, and either a container engine or Java 17+ with Maven.
# On Debian and its relatives, as root, it installs what is missing; elsewhere it says what to install.
#
# With CI=true, build outputs go to the user's cache folder, so that the next clone builds quickly.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

long=false
for argument in "$@"; do
    case $argument in
        --long) long=true ;;
        -h | --help)
            sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "${BASH_SOURCE[0]}"
            exit 0
            ;;
        *)
            echo "test.sh: unknown option $argument; see ./test.sh --help" >&2
            exit 2
            ;;
    esac
done

if [ "${CI:-}" = true ]; then
    export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/crossdock/target}"
    export CARGO_INCREMENTAL=0
fi

# --- Steps ---------------------------------------------------------------------------------------

current=
trap 'status=$?; if [ $status -ne 0 ]; then echo "test.sh FAILED${current:+ in: $current} (after $SECONDS s)" >&2; fi' EXIT

# step HEADING COMMAND...: runs the command between its heading and its duration.
step() {
    local begin=$SECONDS
    current=$1
    shift
    printf '\n=== %s\n' "$current"
    "$@"
    printf -- '--- %s: %d s\n' "$current" $((SECONDS - begin))
    current=
}

fail() {
    echo "test.sh: $*" >&2
    exit 1
}

# --- What the tests need -------------------------------------------------------------------------

has() { command -v "$1" >/dev/null 2>&1; }

# Whether packages can be installed without asking anyone.
can_install() { has apt-get && [ "$(id -u)" -eq 0 ]; }

# install DEBIAN-PACKAGE...: installs them, and says so.
apt_updated=false
install() {
    echo "installing with apt-get: $*"
    $apt_updated || apt-get update -qq
    apt_updated=true
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >/dev/null
}

# need WHAT PROGRAM "DEBIAN PACKAGES" "BREW ADVICE"
need() {
    if has "$2"; then return; fi
    # Unquoted: it may be several packages.
    if can_install; then install $3; fi
    has "$2" || fail "$1 is missing; install it (Debian: sudo apt-get install $3; macOS: $4)"
}

# The major version of the Java that the tests would take; 0 if there is none.
java_version() {
    local java=java
    if [ -n "${JAVA_HOME:-}" ] && [ -x "$JAVA_HOME/bin/java" ]; then java=$JAVA_HOME/bin/java; fi
    # macOS has a java that only fails, so it must say its version.
    { "$java" -version 2>&1 || true; } | awk -F'"' '
        / version "/ { split($2, n, /[^0-9]+/); version = n[1] == 1 ? n[2] : n[1] }
        END { print version + 0 }'
}

# The order of crossdock-testcontainers: an engine that answers, else Java with Kafka's jars.
need_kafka() {
    local engine
    if [ -z "${CROSSDOCK_KAFKA_HOME:-}" ] && [ "${CROSSDOCK_KAFKA_RUNTIME:-container}" = container ]; then
        for engine in docker podman; do
            if has "$engine" && "$engine" info >/dev/null 2>&1; then
                echo "real Kafka: in containers of $engine"
                return
            fi
        done
    fi
    if can_install; then
        if [ "$(java_version)" -lt 17 ]; then
            install default-jdk-headless
            # Older releases have another default, and 17 beside it.
            [ "$(java_version)" -ge 17 ] || install openjdk-17-jre-headless
        fi
        if [ -z "${CROSSDOCK_KAFKA_HOME:-}" ] && ! has mvn; then install maven; fi
    fi
    if [ "$(java_version)" -lt 17 ] || { [ -z "${CROSSDOCK_KAFKA_HOME:-}" ] && ! has mvn; }; then
        fail "there is no way to run a real Kafka: start Docker or Podman, or install Java 17+ and Maven" \
            "(Debian: sudo apt-get install default-jdk-headless maven;" \
            "macOS: brew install openjdk maven && export JAVA_HOME=\"\$(brew --prefix openjdk)/libexec/openjdk.jdk/Contents/Home\")"
    fi
    echo "real Kafka: in local JVMs (Java $(java_version))"
}

prerequisites() {
    has cargo || fail "cargo is missing; install Rust from https://rustup.rs"
    need "a C compiler" cc "gcc libc6-dev" "xcode-select --install"
    need "curl" curl "curl ca-certificates" "brew install curl"
    if $long; then
        need "promtool" promtool prometheus "brew install prometheus"
        need "python3" python3 "python3 python3-venv" "brew install python"
        # Debian has what environments need in a package of its own.
        if ! python3 -c "import ensurepip" 2>/dev/null && can_install; then install python3-venv; fi
        need "Go" go golang-go "brew install go"
        need "a Java compiler" javac default-jdk-headless "brew install openjdk"
        need "Maven" mvn maven "brew install maven"
    fi
    local component
    for component in rustfmt clippy; do
        if ! cargo "${component/rustfmt/fmt}" --version >/dev/null 2>&1; then
            has rustup || fail "$component is missing; install Rust from https://rustup.rs, or $component with your package manager"
            echo "installing with rustup: $component"
            rustup component add "$component"
        fi
    done
    need_kafka
    cargo --version
}

# --- The tests -----------------------------------------------------------------------------------

documentation() { RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked; }

# TLS by aws-lc-rs instead of ring: the client's unit tests of it, and all ways into a real broker.
aws_lc() {
    cargo test --locked -p crossdock-client --features aws-lc --lib -- security::
    cargo test --locked -p crossdock-client --features aws-lc --test real_kafka_security
}

# The engine inside another program.
embedding() { cargo run --locked --example embed; }

# The quick start of the README with the released binary, its output compared. On Linux that is the
# static one.
quickstart() {
    local target_dir=${CARGO_TARGET_DIR:-$PWD/target} binary
    case $(uname -sm) in
        "Linux x86_64") quickstart_target=x86_64-unknown-linux-musl ;;
        "Linux aarch64") quickstart_target=aarch64-unknown-linux-musl ;;
        *) quickstart_target= ;;
    esac
    if [ -n "$quickstart_target" ]; then
        need "musl-gcc" musl-gcc musl-tools "not needed there"
        if ! rustup target list --installed | grep -qx "$quickstart_target"; then
            echo "installing with rustup: target $quickstart_target"
            rustup target add "$quickstart_target"
        fi
        cargo build --release --locked --target "$quickstart_target"
        binary=$target_dir/$quickstart_target/release/crossdock
        # ldd fails on a program without a dynamic section, or says so.
        if ldd "$binary" 2>/dev/null | grep -q '=>'; then fail "$binary is not static: $(ldd "$binary")"; fi
    else
        cargo build --release --locked
        binary=$target_dir/release/crossdock
    fi
    CROSSDOCK=$binary bash tests/quickstart.sh
}

step "prerequisites" prerequisites
step "format" cargo fmt --all --check
step "lints" cargo clippy --workspace --all-targets --locked -- -D warnings
step "documentation" documentation
step "tests" cargo test --workspace --locked --no-fail-fast
step "embedding" embedding
step "quick start" quickstart
if $long; then
    step "tests with aws-lc" aws_lc
    # Optimised, but without what takes the linker half an hour.
    export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
    step "long tests" cargo test --workspace --release --locked --no-fail-fast --target-dir target/long -- --ignored
fi

printf '\nall tests passed (%d min %d s)\n' $((SECONDS / 60)) $((SECONDS % 60))
